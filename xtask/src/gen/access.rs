//! Accessors for what C structures point at.
//!
//! `In<T>` promises that a structure came from an application that follows valid usage; the accessors follow its
//! pointers and handles on that promise, so that the implementation needs no raw pointer.

use super::{names, Input};
use crate::registry::{Decl, Struct};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Structures reachable from the commands' inputs, with everything that may be chained to them.
fn reachable(input: &Input) -> Result<BTreeSet<String>, String> {
    let allowed = input.known_types();
    let mut todo: Vec<&str> = Vec::new();
    for c in input.canonical_commands()?.values() {
        if !input.is_graphics(&c.name) {
            todo.extend(c.params.iter().map(|p| p.ty.as_str()));
        }
    }
    let mut seen = BTreeSet::new();
    while let Some(ty) = todo.pop() {
        let ty = input.reg.canonical_type(ty);
        let Some(s) = input.reg.structs.get(ty) else {
            continue;
        };
        if !seen.insert(ty.to_owned()) {
            continue;
        }
        todo.extend(s.members.iter().map(|m| m.ty.as_str()));
        for (name, other) in &input.reg.structs {
            if allowed.contains(name.as_str()) && other.extends.iter().any(|e| input.reg.canonical_type(e) == ty) {
                todo.push(name);
            }
        }
    }
    Ok(seen)
}

/// The accessor's (return type, body), if the member needs one and a general rule covers it.
fn accessor(input: &Input, s: &Struct, m: &Decl) -> Option<(String, String)> {
    let field = names::member(&m.name);
    let base = names::base(input, &m.ty, "<'a>");
    let is_handle = input.decodes(&m.ty);
    if m.array.is_some() || m.name == "pNext" || m.name == "pUserData" {
        return None;
    }
    if m.pointers == 0 {
        if is_handle {
            return Some(if m.optional || m.conditional {
                (format!("Option<&'a <{base} as Decode>::Object>"), format!("opt(self.{field})"))
            } else {
                (format!("&'a <{base} as Decode>::Object"), format!("obj(self.{field})"))
            });
        }
        let nested = input.reg.structs.get(input.reg.canonical_type(&m.ty))?;
        return (!nested.is_union && !input.reg.is_plain(&m.ty))
            .then(|| (format!("In<'a, {base}>"), format!("In::new(&raw const self.get().{field})")));
    }
    if !m.is_const {
        return None;
    }
    let len = m.len.as_deref();
    if m.pointers == 2 {
        let count = len?.strip_suffix(",null-terminated")?;
        return Some((
            "Vec<&'a CStr>".to_owned(),
            format!("strs(self.{field}, self.{} as usize)", names::member(count)),
        ));
    }
    match len {
        Some("null-terminated") => Some(("Option<&'a CStr>".to_owned(), format!("opt_str(self.{field})"))),
        Some("codeSize / 4") => Some(("&'a [u32]".to_owned(), format!("plain(self.{field}, self.code_size / 4)"))),
        Some(len) => {
            let by = s.members.iter().find(|x| x.name == len)?;
            let count = names::count(&format!("self.{}", names::member(len)), &by.ty);
            Some(if m.ty == "void" {
                ("&'a [u8]".to_owned(), format!("plain(self.{field}.cast::<u8>(), {count})"))
            } else if input.reg.is_plain(&m.ty) {
                (format!("&'a [{base}]"), format!("plain(self.{field}, {count})"))
            } else {
                (format!("Slice<'a, {base}>"), format!("Slice::new(self.{field}, {count})"))
            })
        }
        None if m.ty == "void" => None,
        None if input.reg.structs.contains_key(input.reg.canonical_type(&m.ty)) => {
            Some((format!("Option<In<'a, {base}>>"), format!("In::opt(self.{field})")))
        }
        None => None,
    }
}

pub fn generate(input: &Input) -> Result<String, String> {
    let mut out = String::from("#[allow(unused_imports)] // used as soon as a structure is newer than the bindings\nuse super::types;\nuse crate::edge::*;\nuse ash::vk;\nuse std::ffi::CStr;\n\n");
    for name in reachable(input)? {
        let s = &input.reg.structs[&name];
        if s.is_union || s.returned_only {
            continue;
        }
        let mut body = String::new();
        for m in &s.members {
            let Some((ty, expr)) = accessor(input, s, m) else {
                continue;
            };
            let fn_name = names::pointee(&m.name);
            let raw = names::member(&m.name);
            if m.conditional {
                writeln!(
                    body,
                    "    /// # Safety\n    /// `{}` may be ignored and then hold anything: call only where the rules of `{name}` make it valid.\n    \
                     pub unsafe fn {fn_name}(self) -> {ty} {{\n        // SAFETY: this function's contract.\n        unsafe {{ {expr} }}\n    }}",
                    m.name
                )
                .ok();
            } else {
                writeln!(
                    body,
                    "    /// What `{raw}` names.\n    pub fn {fn_name}(self) -> {ty} {{\n        \
                     // SAFETY: `In` stands for valid usage, which covers this member.\n        unsafe {{ {expr} }}\n    }}"
                )
                .ok();
            }
        }
        if !body.is_empty() {
            writeln!(out, "impl<'a> In<'a, {}> {{\n{body}}}\n", names::base(input, &name, "<'a>")).ok();
        }
    }
    Ok(out)
}
