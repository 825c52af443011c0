//! The entry-point table and one thunk per command.
//!
//! A thunk is the whole C edge of a command: it turns handles into references to objects, pointers and counts into
//! slices, and output pointers into typed slots, then calls the function of the same name in `crate::entry`, catching panics.

use super::{names, Availability, Input};
use crate::registry::{Command, Decl};
use std::collections::BTreeSet;
use std::fmt::Write;

fn level(c: &Command) -> &'static str {
    match c.params.first().map(|p| p.ty.as_str()) {
        Some("VkInstance") => "Instance",
        Some("VkPhysicalDevice") => "PhysicalDevice",
        Some("VkDevice" | "VkQueue" | "VkCommandBuffer") => "Device",
        _ => "Global",
    }
}

/// How the argument reaches the implementation.
fn decode(input: &Input, c: &Command, d: &Decl) -> Result<String, String> {
    let var = names::member(&d.name);
    let consumes = c.name.starts_with("vkDestroy") || c.name == "vkFreeMemory";
    let is_handle = input.decodes(&d.ty);
    if d.pointers == 0 && d.array.is_none() {
        return Ok(if !is_handle {
            var
        } else if consumes && d.extern_sync {
            format!("Taken::new({var})")
        } else if d.optional {
            format!("opt({var})")
        } else {
            format!("obj({var})")
        });
    }
    if d.array.is_some() || d.pointers > 2 {
        return Err(format!("{}: parameter {} has no decoding", c.name, d.name));
    }
    if d.pointers == 2 {
        return Ok(format!("Out::new({var})"));
    }
    match d.len.as_deref() {
        Some("null-terminated") => Ok(if d.optional { format!("opt_str({var})") } else { format!("str_in({var})") }),
        Some(len) => decode_array(input, c, d, &var, len),
        None if d.ty == "void" => Ok(var),
        None if d.is_const => Ok(if d.optional { format!("In::opt({var})") } else { format!("In::new({var})") }),
        None if input.reg.is_chained(&d.ty) => {
            Ok(if d.optional { format!("InOut::opt({var})") } else { format!("InOut::new({var})") })
        }
        None => Ok(format!("Out::new({var})")),
    }
}

fn decode_array(input: &Input, c: &Command, d: &Decl, var: &str, len: &str) -> Result<String, String> {
    let (count, counted_by_pointer) = match len.split_once("->") {
        Some((p, m)) => (format!("(*{}).{} as usize", names::member(p), names::member(m)), false),
        None => {
            let by = c
                .params
                .iter()
                .find(|p| p.name == len)
                .ok_or_else(|| format!("{}: length {len} of {}", c.name, d.name))?;
            (names::count(&names::member(len), &by.ty), by.pointers == 1)
        }
    };
    let void = if d.ty == "void" { ".cast::<u8>()" } else { "" };
    Ok(if counted_by_pointer {
        format!("OutArray::new({}, {var}{void})", names::member(len))
    } else if !d.is_const {
        format!("OutSlice::new({var}{void}, {count})")
    } else if d.ty == "void" || input.reg.is_plain(&d.ty) {
        format!("plain({var}{void}, {count})")
    } else {
        format!("Slice::new({var}, {count})")
    })
}

/// Names of parameters that only count another one.
fn counters(c: &Command) -> BTreeSet<&str> {
    c.params.iter().filter_map(|p| p.len.as_deref()).filter(|l| c.params.iter().any(|p| p.name == *l)).collect()
}

fn thunk(input: &Input, c: &Command, out: &mut String) -> Result<(), String> {
    let name = names::command(&c.name);
    let params: Vec<String> =
        c.params.iter().map(|p| format!("{}: {}", names::member(&p.name), names::raw(input, p))).collect();
    let ret = match c.ret.as_str() {
        "void" => String::new(),
        ty => format!(" -> {}", names::base(input, ty, "")),
    };
    writeln!(out, "pub(super) unsafe extern \"system\" fn {name}({}){ret} {{", params.join(", ")).ok();
    let fallback = match c.ret.as_str() {
        "void" => "()",
        "VkResult" if c.name.starts_with("vkCreate") => "vk::Result::ERROR_UNKNOWN",
        "VkResult" if c.error_codes.iter().any(|e| e == "VK_ERROR_DEVICE_LOST") => "vk::Result::ERROR_DEVICE_LOST",
        "VkResult" => "vk::Result::ERROR_UNKNOWN",
        "PFN_vkVoidFunction" => "None",
        _ => "Default::default()",
    };
    let call = if input.is_graphics(&c.name) && c.name.starts_with("vkCmd") {
        for p in c.params.iter().skip(1) {
            writeln!(out, "    let _ = {};", names::member(&p.name)).ok();
        }
        let state = if c.name.starts_with("vkCmdSet") { "state" } else { "command" };
        format!("entry::graphics_{state}(obj(command_buffer), \"{}\")", c.name)
    } else {
        let counters = counters(c);
        let args: Vec<String> = c
            .params
            .iter()
            .filter(|p| !counters.contains(p.name.as_str()))
            .map(|p| decode(input, c, p))
            .collect::<Result<_, _>>()?;
        let tail = if c.ret == "VkResult" { ".into_result()" } else { "" };
        format!("entry::{name}({}){tail}", args.join(", "))
    };
    writeln!(out, "    // SAFETY: the caller follows the valid usage of {}.", c.name).ok();
    writeln!(out, "    guard(\"{}\", {fallback}, || unsafe {{ {call} }})\n}}\n", c.name).ok();
    Ok(())
}

fn version(core: Option<(u32, u32)>) -> String {
    match core {
        Some((major, minor)) => format!("vk::make_api_version(0, {major}, {minor}, 0)"),
        None => "NOT_CORE".to_owned(),
    }
}

fn row(input: &Input, name: &str, a: &Availability, out: &mut String) -> Result<(), String> {
    let canonical = input.reg.canonical_command(name);
    let c = &input.reg.commands[canonical];
    let exts: Vec<String> =
        a.extensions.iter().map(|e| format!("Extension::{}", e.trim_start_matches("VK_"))).collect();
    writeln!(
        out,
        "    Entry {{ name: \"{name}\", level: Level::{}, core: {}, extensions: &[{}], pfn: erase!({canonical}: {}::PFN_{canonical} = {}) }},",
        level(c),
        version(a.core),
        exts.join(", "),
        names::module(input, canonical),
        names::command(canonical)
    )
    .ok();
    Ok(())
}

pub fn generate(input: &Input) -> Result<String, String> {
    let mut out = String::from(
        "use super::extensions::Extension;\n#[allow(unused_imports)] // used as soon as a command is newer than the bindings\nuse super::types;\nuse crate::edge::*;\nuse crate::entry;\nuse crate::entrypoints::{erase, Entry, Level, NOT_CORE};\n\
         use ash::vk;\nuse std::ffi::{c_char, c_int, c_void};\n\n",
    );
    writeln!(
        out,
        "/// Every command of this driver, sorted by name.\npub static ENTRIES: [Entry; {}] = [",
        input.scope.len()
    )
    .ok();
    for (name, a) in &input.scope {
        row(input, name, a, &mut out)?;
    }
    out.push_str("];\n\n");
    for c in input.canonical_commands()?.values() {
        thunk(input, c, &mut out)?;
    }
    Ok(out)
}
