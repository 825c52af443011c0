//! Walks the whole description of the header and holds it against the types:
//! every structure, field, bit-field, named value, limit and request code. What
//! the crate lacks fails, and so does what the header does not have.

use dxg_abi::layout::{Field, Kind, Layout, TypeLayout};
use dxg_abi::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Every type that stands for one of the header.
const TYPES: &[&TypeLayout] = &include!("types.in");

fn load(text: &str) -> Value {
    serde_json::from_str(text).expect("test data is JSON")
}

fn header() -> Value {
    load(include_str!("data/dxg-abi.json"))
}

fn by_header() -> BTreeMap<&'static str, &'static TypeLayout> {
    let map: BTreeMap<_, _> = TYPES.iter().map(|t| (t.header, *t)).collect();
    assert_eq!(map.len(), TYPES.len(), "a type is listed twice");
    map
}

fn num(value: &Value, key: &str) -> usize {
    value[key].as_u64().unwrap_or_else(|| panic!("no number {key} in {value}")) as usize
}

/// Names compare without case and underscores, so that payloads in snake case
/// match their Windows names.
fn same(a: &str, b: &str) -> bool {
    let plain = |s: &str| s.replace('_', "").to_lowercase();
    plain(a) == plain(b)
}

struct Walk {
    types: BTreeMap<&'static str, &'static TypeLayout>,
    errors: Vec<String>,
    at: String,
}

impl Walk {
    fn error(&mut self, text: String) {
        self.errors.push(format!("{}: {text}", self.at));
    }

    /// The field or view of `ty` with this name. A word of bit-fields is its
    /// own `value`.
    fn find<'t>(ty: &'t TypeLayout, name: &str) -> Option<(usize, usize, &'t TypeLayout)> {
        match &ty.kind {
            Kind::Struct { fields, views } => {
                fields.iter().chain(views.iter()).find(|f| same(f.name, name)).map(|f| (f.offset, f.size, f.ty))
            }
            Kind::Flags { .. } => (name == "v" || same(name, "value")).then_some((0, ty.size, ty)),
            Kind::Integer { .. } | Kind::Enum { .. } => None,
        }
    }

    /// Whether `ty`, placed at `base`, has this bit-field in this storage word.
    fn has_bit(ty: &TypeLayout, base: usize, bit: &Value) -> bool {
        let name = bit["name"].as_str().unwrap_or_default();
        match &ty.kind {
            Kind::Flags { bits } => {
                base == num(bit, "storage_offset")
                    && ty.size == num(bit, "storage_size")
                    && bits.iter().any(|b| {
                        same(b.name, name) && b.bit as usize == num(bit, "bit") && b.width as usize == num(bit, "width")
                    })
            }
            Kind::Struct { fields, .. } => fields.iter().any(|f| Self::has_bit(f.ty, base + f.offset, bit)),
            Kind::Integer { .. } | Kind::Enum { .. } => false,
        }
    }

    /// Compares the members of one (possibly anonymous) aggregate; `base` is
    /// where `ty` starts in the outermost structure. Collects names seen.
    fn members(&mut self, members: &Value, ty: &'static TypeLayout, base: usize, seen: &mut BTreeSet<String>) {
        for m in members.as_array().expect("members") {
            let name = m["name"].as_str();
            if m.get("bit").is_some() {
                if !Self::has_bit(ty, base, m) {
                    self.error(format!("bit-field {m} is missing or elsewhere"));
                }
                continue;
            }
            let Some(name) = name else {
                self.members(&m["members"], ty, base, seen);
                continue;
            };
            seen.insert(name.to_owned());
            let Some((offset, size, inner)) = Self::find(ty, name) else {
                self.error(format!("field {name} is missing"));
                continue;
            };
            if base + offset != num(m, "offset") || size != num(m, "size") {
                self.error(format!("field {name} is at {}+{size}, the header says {m}", base + offset));
            }
            // A struct around one array of words is stored as that array.
            let wrapper = m["members"].as_array().is_some_and(
                |inner| matches!(inner.as_slice(), [one] if one["offset"] == m["offset"] && one["size"] == m["size"]),
            );
            if wrapper && matches!(inner.kind, Kind::Integer { .. }) {
                continue;
            }
            if m.get("members").is_some() {
                let mut inner_seen = BTreeSet::new();
                self.members(&m["members"], inner, base + offset, &mut inner_seen);
                self.extra(inner, &inner_seen);
            } else {
                self.leaf(name, m, inner);
            }
        }
    }

    /// Compares the type of a field that has no members of its own.
    fn leaf(&mut self, name: &str, m: &Value, ty: &'static TypeLayout) {
        let text = m["type"].as_str().expect("type");
        let text = text.trim_start_matches("const ");
        let named = ["struct ", "enum ", "union "].iter().find_map(|p| text.strip_prefix(p));
        match named {
            Some(header) if !text.ends_with('*') => {
                if ty.header != header {
                    self.error(format!("field {name} is a {}, not a {header}", ty.name));
                }
            }
            _ => {
                // `char` arrays may be stored as wider integers; a sign matters.
                let signed = text == "int";
                match ty.kind {
                    Kind::Integer { signed: have } if have != signed => {
                        self.error(format!("field {name}: sign differs from {text}"));
                    }
                    Kind::Enum { .. } => self.error(format!("field {name} is no {text}")),
                    Kind::Integer { .. } | Kind::Flags { .. } | Kind::Struct { .. } => {}
                }
            }
        }
        // Types that the header does not name are the words of inline unions.
        if named.is_none() && !ty.header.is_empty() && ty.header != "ntstatus" && !matches!(ty.kind, Kind::Flags { .. })
        {
            self.error(format!("field {name} should be plain, is {}", ty.name));
        }
    }

    /// Fields of ours that the header does not have.
    fn extra(&mut self, ty: &TypeLayout, seen: &BTreeSet<String>) {
        let Kind::Struct { fields, views } = &ty.kind else {
            return;
        };
        let known = |f: &&Field| f.name.is_empty() || f.name.starts_with("pad") || seen.iter().any(|s| same(s, f.name));
        for f in fields.iter().chain(views.iter()).filter(|f| !known(f)) {
            // A word of inline bit-fields may have a name only here.
            if f.name != "value" {
                self.error(format!("field {} is not in the header", f.name));
            }
        }
        let mut at = 0;
        for f in *fields {
            if f.offset != at {
                self.error(format!("gap before {}", f.name));
            }
            at = f.offset + f.size;
        }
        if at != ty.size {
            self.error("gap at the end".to_owned());
        }
    }

    fn structure(&mut self, s: &Value) {
        let name = s["name"].as_str().expect("name");
        name.clone_into(&mut self.at);
        let Some(ty) = self.types.get(name).copied() else {
            self.error("no such type".to_owned());
            return;
        };
        if ty.size != num(s, "size") || ty.align != num(s, "align") {
            self.error(format!("size {} align {}", ty.size, ty.align));
        }
        let mut seen = BTreeSet::new();
        self.members(&s["fields"], ty, 0, &mut seen);
        self.extra(ty, &seen);
        if let Kind::Flags { bits } = &ty.kind {
            let mut want = BTreeSet::new();
            bit_names(&s["fields"], &mut want);
            for b in bits.iter() {
                if !want.iter().any(|w| same(w, b.name)) {
                    self.error(format!("bit-field {} is not in the header", b.name));
                }
            }
        }
    }
}

fn bit_names(members: &Value, out: &mut BTreeSet<String>) {
    for m in members.as_array().into_iter().flatten() {
        if m.get("bit").is_some() || m.get("bit_offset").is_some() {
            out.insert(m["name"].as_str().unwrap_or_default().to_owned());
        }
        bit_names(&m["members"], out);
    }
}

#[test]
fn every_structure_field_and_bit_is_where_the_header_has_it() {
    let data = header();
    let mut walk = Walk { types: by_header(), errors: Vec::new(), at: String::new() };
    let structs = data["structs"].as_array().expect("structs");
    assert_eq!(structs.len(), 112);
    for s in structs {
        walk.structure(s);
    }
    assert!(walk.errors.is_empty(), "{:#?}", walk.errors);
}

#[test]
fn every_named_value_is_the_header_value() {
    let data = header();
    let types = by_header();
    let mut errors = Vec::new();
    let enums = data["enums"].as_array().expect("enums");
    assert_eq!(enums.len(), 24);
    for e in enums {
        let name = e["name"].as_str().expect("name");
        let Some(TypeLayout { size, kind: Kind::Enum { prefix, values }, .. }) = types.get(name) else {
            errors.push(format!("no enum {name}"));
            continue;
        };
        assert_eq!(*size, num(e, "size"), "{name}");
        for v in e["values"].as_array().expect("values") {
            let full = v["name"].as_str().expect("name");
            let value = v["value"].as_i64().expect("value");
            let have = values.iter().find(|k| match k.header {
                Some(h) => h == full,
                None => full.strip_prefix(prefix) == Some(k.name),
            });
            match have {
                Some(k) if k.value == value => {}
                Some(k) => errors.push(format!("{full} is {value}, not {}", k.value)),
                None => errors.push(format!("{name} lacks {full}")),
            }
        }
    }
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn every_limit_is_the_header_limit() {
    let data = header();
    let want: BTreeMap<String, u64> = data["constants"]
        .as_array()
        .expect("constants")
        .iter()
        .map(|c| (c["name"].as_str().expect("name").to_owned(), c["value"].as_u64().expect("value")))
        .collect();
    let have: BTreeMap<String, u64> = LIMITS.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
    assert_eq!(have, want);
}

#[test]
fn every_request_has_its_number_code_and_argument() {
    let data = header();
    let rows = data["ioctls"].as_array().expect("ioctls");
    assert_eq!(rows.len(), 65);
    assert_eq!(Ioctl::ALL.len(), rows.len());
    for row in rows {
        let name = row["name"].as_str().expect("name");
        let request = num(row, "request") as u32;
        let ioctl = Ioctl::from_request(request).unwrap_or_else(|| panic!("no request {name}"));
        assert_eq!(ioctl.request(), request);
        assert_eq!(ioctl.header_name(), name);
        assert_eq!(ioctl.nr() as usize, num(row, "nr"));
        assert_eq!(ioctl.arg_size(), num(row, "size"));
        assert_eq!(ioctl.layout().size, num(row, "size"));
        assert_eq!(row["arg"].as_str(), Some(format!("struct {}", ioctl.layout().header).as_str()));
        assert_eq!(ioctl.name(), ioctl.layout().name);
    }
    let holes: Vec<(u64, usize)> = data["unimplemented"]
        .as_array()
        .expect("unimplemented")
        .iter()
        .map(|u| (num(u, "nr") as u64, num(u, "historic_arg_size")))
        .collect();
    let ours: Vec<(u64, usize)> = UNIMPLEMENTED.iter().map(|u| (u.0.into(), u.2)).collect();
    assert_eq!(ours, holes);
    assert_eq!(data["meta"]["ioctl_magic"], u64::from(IOCTL_MAGIC));
}

#[test]
fn codes_that_differ_in_size_or_direction_are_unknown() {
    let good = Ioctl::CreateDevice.request();
    assert_eq!(Ioctl::from_request(good), Some(Ioctl::CreateDevice));
    for bad in [good + (1 << 16), good & !(1 << 31), good ^ (1 << 8), 0, !0] {
        assert_eq!(Ioctl::from_request(bad), None, "{bad:#x}");
    }
}

/// The payloads of adapter queries against the Windows headers. Bit-fields are
/// given there without storage, so they are compared by name, place and width.
#[test]
fn query_payloads_match_the_windows_headers() {
    let data = load(include_str!("data/query-payloads.json"));
    let types = by_header();
    let mut errors = Vec::new();
    for s in data["structs"].as_array().expect("structs") {
        let name = s["name"].as_str().expect("name");
        let Some(ty) = types.get(name) else {
            errors.push(format!("no payload {name}"));
            continue;
        };
        if ty.size != num(s, "size") || ty.align != num(s, "align") {
            errors.push(format!("{name}: size {} align {}", ty.size, ty.align));
        }
        payload(name, &s["fields"], ty, &mut errors);
    }
    for e in data["enums"].as_array().expect("enums") {
        let name = e["name"].as_str().expect("name");
        // Two enums are declared by the Linux header under another name.
        let key = match name {
            "KMTQUERYADAPTERINFOTYPE" => "kmtqueryadapterinfotype",
            "D3DKMT_CLIENTHINT" => "d3dkmt_clienthint",
            other => other,
        };
        let Some(TypeLayout { kind: Kind::Enum { values, .. }, .. }) = types.get(key) else {
            errors.push(format!("no enum {name}"));
            continue;
        };
        for v in e["values"].as_array().expect("values") {
            let full = v["name"].as_str().expect("name");
            let value = v["value"].as_i64().expect("value");
            if !full.ends_with("_MAX") && !values.iter().any(|k| k.value == value) {
                errors.push(format!("{name} lacks {full} = {value}"));
            }
        }
    }
    assert!(errors.is_empty(), "{errors:#?}");
}

fn payload(name: &str, members: &Value, ty: &TypeLayout, errors: &mut Vec<String>) {
    for m in members.as_array().expect("members") {
        if let Some(bit) = m.get("bit_offset").and_then(Value::as_u64) {
            let found = flag_words(ty).into_iter().any(|word| match word.kind {
                Kind::Flags { bits } => bits.iter().any(|b| {
                    same(b.name, m["name"].as_str().unwrap_or_default())
                        && u64::from(b.bit) == bit % 32
                        && b.width as usize == num(m, "width")
                }),
                _ => false,
            });
            if !found {
                errors.push(format!("{name}: bit-field {m}"));
            }
        } else if let Some(inner) = m["name"].as_str() {
            match Walk::find(ty, inner) {
                Some((offset, size, _)) if offset == num(m, "offset") && size == num(m, "size") => {}
                other => errors.push(format!("{name}: field {m}, have {other:?}")),
            }
            if m.get("members").is_some() {
                payload_bits_only(name, &m["members"], ty, errors);
            }
        } else {
            payload(name, &m["members"], ty, errors);
        }
    }
}

/// Inside a named union of bit-fields only the bits count.
fn payload_bits_only(name: &str, members: &Value, ty: &TypeLayout, errors: &mut Vec<String>) {
    for m in members.as_array().expect("members") {
        if m.get("members").is_some() {
            payload(name, &m["members"], ty, errors);
        }
    }
}

fn flag_words(ty: &TypeLayout) -> Vec<&TypeLayout> {
    match &ty.kind {
        Kind::Flags { .. } => vec![ty],
        Kind::Struct { fields, .. } => fields.iter().flat_map(|f| flag_words(f.ty)).collect(),
        Kind::Integer { .. } | Kind::Enum { .. } => Vec::new(),
    }
}

#[test]
fn values_print_without_their_zeros() {
    use zerocopy::IntoBytes;
    let mut arg = CreateContextVirtual {
        device: Handle::new(1, 2),
        flags: CreateContextFlags::HW_QUEUE_SUPPORTED | CreateContextFlags::DISABLE_GPU_TIMEOUT,
        client_hint: ClientHint::VULKAN,
        ..Default::default()
    };
    let text = layout::describe(CreateContextVirtual::LAYOUT, arg.as_bytes());
    assert_eq!(text, "{device=0x40000080 flags=DISABLE_GPU_TIMEOUT|HW_QUEUE_SUPPORTED client_hint=VULKAN}");
    arg.client_hint = ClientHint(77);
    assert!(layout::describe(CreateContextVirtual::LAYOUT, arg.as_bytes()).contains("client_hint=77"));
    // A short buffer is no reason to fail.
    assert_eq!(layout::describe(CreateContextVirtual::LAYOUT, &arg.as_bytes()[..6]), "{device=0x40000080}");
}

#[test]
fn union_members_share_their_bytes() {
    let mut info =
        SynchronizationObjectInfo2 { r#type: SynchronizationObjectType::MONITORED_FENCE, ..Default::default() };
    info.set_monitored_fence(SyncMonitoredFence {
        initial_fence_value: 7,
        fence_gpu_virtual_address: 0x1000,
        ..Default::default()
    });
    assert_eq!(info.parameters[0], 7);
    assert_eq!(info.fence().fence_value, 7);
    assert_eq!(info.monitored_fence().fence_gpu_virtual_address, 0x1000);

    let mut create = CreateAllocation::default();
    create.set_standard_allocation(0xabcd_0000);
    assert_eq!(create.priv_drv_data, 0xabcd_0000);

    let field = SegmentPreference::SEGMENT_ID1;
    let word = SegmentPreference::DIRECTION0.with(field, 0x3f);
    assert_eq!(word.get(field), 0x1f);
    assert_eq!(word.bits(), 1 << 5 | 0x1f << 6);
    assert_eq!(word.with(field, 0), SegmentPreference::DIRECTION0);
}
