//! Types that the `ash` bindings are too old to have: structures, enumerations, bit masks, handles, function pointers and
//! enumerators, in the bindings' own style. Everything `unbound` in the supplement is written, known extension or not.

use super::{names, Input};
use crate::registry::{Command, Decl, Struct};
use std::fmt::Write;

/// Length of an array as Rust writes it.
fn length(input: &Input, n: &str) -> String {
    match input.reg.enumerators.get("API Constants").and_then(|c| c.get(n)) {
        Some(v) => v.to_string(),
        None if n.starts_with("VK_") => format!("vk::{}", n.trim_start_matches("VK_")),
        None => n.to_owned(),
    }
}

/// Type of a member.
fn member_type(input: &Input, d: &Decl) -> String {
    let base = names::base(input, &d.ty, "<'a>");
    match (d.pointers, d.is_const) {
        (0, _) => match &d.array {
            Some(n) => format!("[{base}; {}]", length(input, n)),
            None if d.ty.starts_with("PFN_vk") && !base.contains("Callback") => format!("Option<{base}>"),
            None => base,
        },
        (1, true) => format!("*const {base}"),
        (1, false) => format!("*mut {base}"),
        (_, true) => format!("*const *const {base}"),
        (_, false) => format!("*mut *mut {base}"),
    }
}

/// Default of a member.
fn default(input: &Input, d: &Decl) -> String {
    match (d.pointers, d.is_const) {
        (0, _) => match &d.array {
            Some(n) => format!("[Default::default(); {}]", length(input, n)),
            None => "Default::default()".to_owned(),
        },
        (_, true) => "std::ptr::null()".to_owned(),
        (_, false) => "std::ptr::null_mut()".to_owned(),
    }
}

fn structure(input: &Input, name: &str, s: &Struct, out: &mut String) -> Result<(), String> {
    let short = names::short(name);
    let lifetime = input.reg.has_lifetime(name);
    let (decl, any) = if lifetime { ("<'a>", "<'_>") } else { ("", "") };
    let kind = if s.is_union { "union" } else { "struct" };
    writeln!(out, "/// `{name}`.\n#[repr(C)]\n#[derive(Clone, Copy)]\npub {kind} {short}{decl} {{").ok();
    for m in &s.members {
        if m.bits {
            return Err(format!("{name}: bit fields have no Rust form"));
        }
        writeln!(out, "    pub {}: {},", names::member(&m.name), member_type(input, m)).ok();
    }
    if lifetime && !s.is_union {
        out.push_str("    pub _marker: std::marker::PhantomData<&'a ()>,\n");
    }
    writeln!(out, "}}\n\nimpl Default for {short}{any} {{\n    fn default() -> Self {{").ok();
    if s.is_union {
        out.push_str("        // SAFETY: zero bits are a value of every member of a Vulkan union: numbers, null pointers, null handles.\n        unsafe { std::mem::zeroed() }\n");
    } else {
        out.push_str("        Self {\n");
        for m in &s.members {
            let value = match m.name.as_str() {
                "sType" if input.reg.structure_type(s).is_some() => {
                    "<Self as vk::TaggedStructure>::STRUCTURE_TYPE".to_owned()
                }
                _ => default(input, m),
            };
            writeln!(out, "            {}: {value},", names::member(&m.name)).ok();
        }
        if lifetime {
            out.push_str("            _marker: std::marker::PhantomData,\n");
        }
        out.push_str("        }\n");
    }
    out.push_str("    }\n}\n\n");
    if let Some(n) = input.reg.structure_type(s) {
        writeln!(
            out,
            "// SAFETY: the structure starts with `sType` and `pNext`, and this is its number.\nunsafe impl vk::TaggedStructure for {short}{any} {{\n    \
             const STRUCTURE_TYPE: vk::StructureType = vk::StructureType::from_raw({n});\n}}\n"
        )
        .ok();
    }
    Ok(())
}

fn handle(input: &Input, name: &str, dispatchable: bool, out: &mut String) -> Result<(), String> {
    if dispatchable {
        return Err(format!("{name}: dispatchable handles are not written"));
    }
    let object = input.reg.object_types.get(name).and_then(|o| input.reg.enumerators.get("VkObjectType")?.get(o));
    let object = object.ok_or_else(|| format!("{name}: no object type"))?;
    let short = names::short(name);
    writeln!(
        out,
        "/// `{name}`.\n#[repr(transparent)]\n#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub struct {short}(u64);\n\n\
         impl vk::Handle for {short} {{\n    const TYPE: vk::ObjectType = vk::ObjectType::from_raw({object});\n\n    \
         fn as_raw(self) -> u64 {{\n        self.0\n    }}\n\n    fn from_raw(x: u64) -> Self {{\n        Self(x)\n    }}\n}}\n"
    )
    .ok();
    Ok(())
}

fn plain(input: &Input, name: &str, out: &mut String) {
    let short = names::short(name);
    let derive = "#[repr(transparent)]\n#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]";
    if let Some(wide) = input.reg.bitmasks.get(name) {
        let ty = if *wide { "vk::Flags64" } else { "vk::Flags" };
        writeln!(
            out,
            "/// `{name}`.\n{derive}\npub struct {short}(pub {ty});\n\nash::vk_bitflags_wrapped!({short}, {ty});\n"
        )
        .ok();
    } else if !name.contains("FlagBits") {
        writeln!(
            out,
            "/// `{name}`.\n{derive}\n#[derive(Default)]\npub struct {short}(pub i32);\n\nimpl {short} {{\n    /// From the number.\n    pub const fn from_raw(x: i32) -> Self {{\n        Self(x)\n    }}\n\n    \
             /// The number.\n    pub const fn as_raw(self) -> i32 {{\n        self.0\n    }}\n}}\n"
        )
        .ok();
    }
}

fn function(input: &Input, c: &Command, out: &mut String) {
    let params: Vec<String> =
        c.params.iter().map(|p| format!("{}: {}", names::member(&p.name), names::raw(input, p))).collect();
    let ret = match c.ret.as_str() {
        "void" => String::new(),
        ty => format!(" -> {}", names::base(input, ty, "<'_>")),
    };
    writeln!(out, "/// `{0}`.\npub type PFN_{0} = unsafe extern \"system\" fn({1}){ret};\n", c.name, params.join(", "))
        .ok();
}

fn enumerators(input: &Input, out: &mut String) {
    let other = |ty: &str| ty == "VkStructureType" || ty == "API Constants";
    for (ty, values) in input.reg.enumerators.iter().filter(|(ty, _)| !other(ty)) {
        let rust = names::base(input, ty, "");
        for (name, v) in values {
            let name = name.trim_start_matches("VK_");
            writeln!(out, "/// Of `{ty}`.\npub const {name}: {rust} = {rust}::from_raw({v});").ok();
        }
    }
}

pub fn generate(input: &Input) -> Result<String, String> {
    let mut out = String::from(
        "//! What the bindings are too old to have.\n#![allow(dead_code)] // what nothing uses yet\n#![allow(non_camel_case_types)] // function pointers\n#![allow(clippy::derivable_impls)] // written alike, whether a field has a default or not\n\n\
         use super::types;\nuse ash::vk;\nuse std::ffi::{c_char, c_void};\n\n",
    );
    for name in &input.reg.unbound {
        if let Some(s) = input.reg.structs.get(name) {
            structure(input, name, s, &mut out)?;
        } else if let Some(dispatchable) = input.reg.handles.get(name) {
            handle(input, name, *dispatchable, &mut out)?;
        } else if let Some(c) = input.reg.commands.get(name) {
            function(input, c, &mut out);
        } else if input.reg.plain.contains(name) {
            plain(input, name, &mut out);
        } else if !name.starts_with("PFN_") {
            return Err(format!("{name}: nothing to write"));
        }
    }
    enumerators(input, &mut out);
    Ok(out)
}
