//! Recordings as JSON, an object a line.

use serde_json::{json, Map, Value};
use std::io::{self, Write};
use winsys_dxg::dxg_abi::layout::{integer, Kind, TypeLayout};
use winsys_dxg::dxg_abi::{Ioctl, Ret};
use winsys_dxg::trace::{buffer_type, operation_view, Record, Trace};

/// Prints a recording.
///
/// # Errors
/// Those of the writer.
pub fn dump(trace: &Trace, out: &mut dyn Write) -> io::Result<()> {
    trace.records.iter().enumerate().try_for_each(|(at, r)| writeln!(out, "{}", record(at, r)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn plain(n: i128) -> Value {
    u64::try_from(n).map_or_else(|_| json!(n as i64), |n| json!(n))
}

/// A value of a type. Bytes that are missing read as zeros.
fn value(ty: &TypeLayout, bytes: &[u8]) -> Value {
    let bytes = &bytes[..bytes.len().min(ty.size)];
    match &ty.kind {
        Kind::Integer { signed } => plain(integer(bytes, *signed)),
        Kind::Enum { values, .. } => {
            let n = integer(bytes, values.iter().any(|v| v.value < 0));
            values.iter().find(|v| i128::from(v.value) == n).map_or_else(|| plain(n), |v| json!(v.name))
        }
        // Handles, and other words of wide fields.
        Kind::Flags { bits } if bits.iter().all(|b| b.width > 1) => json!(format!("{:#x}", integer(bytes, false))),
        Kind::Flags { bits } => {
            let word = integer(bytes, false) as u64;
            let mut rest = word;
            let mut names = Vec::new();
            for b in *bits {
                let mask = (u64::MAX >> (64 - b.width)) << b.bit;
                if rest & mask != 0 {
                    let n = (word & mask) >> b.bit;
                    names.push(if b.width == 1 { json!(b.name) } else { json!(format!("{}({n:#x})", b.name)) });
                }
                rest &= !mask;
            }
            if rest != 0 {
                names.push(json!(format!("{rest:#x}")));
            }
            Value::Array(names)
        }
        Kind::Struct { fields, .. } => {
            let mut out = Map::new();
            if let Some((offset, view)) = operation_view(ty, bytes) {
                if let Some(first) = fields.first() {
                    out.insert(first.name.to_owned(), value(first.ty, bytes));
                }
                if let Value::Object(rest) = value(view, bytes.get(offset..).unwrap_or_default()) {
                    out.extend(rest);
                }
                return Value::Object(out);
            }
            for f in *fields {
                if !f.name.starts_with("pad") {
                    let part = bytes.get(f.offset..).unwrap_or_default();
                    let part = &part[..part.len().min(f.size)];
                    let one = if f.size > f.ty.size { array(f.ty, part) } else { value(f.ty, part) };
                    out.insert(f.name.to_owned(), one);
                }
            }
            Value::Object(out)
        }
    }
}

/// Elements up to the last that is not zero; bytes as hexadecimal digits.
fn array(ty: &TypeLayout, bytes: &[u8]) -> Value {
    if ty.size == 1 {
        return json!(hex(bytes));
    }
    let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last / ty.size + 1);
    Value::Array(bytes.chunks(ty.size).take(used).map(|e| value(ty, e)).collect())
}

/// All elements of a buffer.
fn elements(ty: &TypeLayout, bytes: &[u8]) -> Value {
    if ty.size == 1 {
        return json!(hex(bytes));
    }
    Value::Array(bytes.chunks(ty.size).map(|e| value(ty, e)).collect())
}

fn record(at: usize, record: &Record) -> Value {
    let pages = |pages: &[winsys_dxg::trace::PageData]| pages.iter().map(|p| p.index).collect::<Vec<_>>();
    match record {
        Record::Process(p) => json!({"index": at, "kind": "process", "pid": p.pid, "name": p.name}),
        Record::Pages(s) => json!({
            "index": at, "kind": "cpu", "allocation": format!("{:#x}", s.allocation), "certain": s.certain,
            "pages": pages(&s.pages),
        }),
        Record::Check(c) => json!({
            "index": at, "kind": "gpu", "allocation": format!("{:#x}", c.allocation), "certain": c.certain,
            "size": c.size, "hash": hex(&c.hash), "pages": pages(&c.pages),
        }),
        Record::Ioctl(r) => {
            let result = Ret::from_raw(r.result).to_string();
            let Some(ioctl) = Ioctl::from_request(r.request) else {
                return json!({
                    "index": at, "kind": "ioctl", "request": format!("{:#010x}", r.request), "name": null,
                    "result": r.result, "status": result, "before": hex(&r.before), "after": hex(&r.after), "buffers": [],
                });
            };
            let ty = ioctl.layout();
            let buffers: Vec<Value> = r
                .buffers
                .iter()
                .filter_map(|b| {
                    let (name, ty) = buffer_type(ioctl, b)?;
                    let after = if b.after.is_empty() { Value::Null } else { elements(ty, &b.after) };
                    Some(json!({"field": name, "type": ty.name, "before": elements(ty, &b.before), "after": after}))
                })
                .collect();
            let after = if r.before == r.after { Value::Null } else { value(ty, &r.after) };
            json!({
                "index": at, "kind": "ioctl", "request": format!("{:#010x}", r.request), "name": ioctl.name(),
                "result": r.result, "status": result, "before": value(ty, &r.before), "after": after, "buffers": buffers,
            })
        }
    }
}
