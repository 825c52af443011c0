//! The extensions the driver knows of: facts of the registry, no decision.

use super::Input;
use std::fmt::Write;

pub fn generate(input: &Input) -> Result<String, String> {
    let mut out = String::from("use super::super::extensions::Info;\nuse ash::vk;\n\n");
    let short = |n: &str| n.trim_start_matches("VK_").to_owned();
    out.push_str(
        "/// An extension, by its name without the prefix.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]\npub enum Extension {\n",
    );
    for e in &input.extensions {
        writeln!(out, "    {},", short(e)).ok();
    }
    out.push_str("}\n\n/// One Boolean per extension.\n#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]\npub struct ExtensionTable {\n");
    for e in &input.extensions {
        writeln!(out, "    pub {}: bool,", short(e)).ok();
    }
    out.push_str("}\n\nimpl ExtensionTable {\n    /// Whether the extension's flag is set.\n    pub fn get(&self, e: Extension) -> bool {\n        match e {\n");
    for e in &input.extensions {
        writeln!(out, "            Extension::{0} => self.{0},", short(e)).ok();
    }
    out.push_str("        }\n    }\n\n    /// Sets the extension's flag.\n    pub fn set(&mut self, e: Extension, on: bool) {\n        match e {\n");
    for e in &input.extensions {
        writeln!(out, "            Extension::{0} => self.{0} = on,", short(e)).ok();
    }
    writeln!(
        out,
        "        }}\n    }}\n}}\n\n/// Facts about every extension, in the order of [`Extension`].\npub static EXTENSIONS: [Info; {}] = [",
        input.extensions.len()
    )
    .ok();
    for e in &input.extensions {
        let x = &input.reg.extensions[e];
        // Follow promotion through other extensions to the core version it ended in.
        let mut to = x.promoted_to.as_deref();
        while let Some(next) = to.and_then(|t| input.reg.extensions.get(t)) {
            to = next.promoted_to.as_deref();
        }
        let core = to
            .and_then(|t| t.strip_prefix("VK_VERSION_"))
            .and_then(|v| v.split_once('_'))
            .map_or("None".to_owned(), |(a, b)| format!("Some(vk::make_api_version(0, {a}, {b}, 0))"));
        let requires: Vec<String> = x
            .requires
            .iter()
            .filter(|r| input.extensions.contains(r))
            .map(|r| format!("Extension::{}", short(r)))
            .collect();
        writeln!(
            out,
            "    Info {{ id: Extension::{}, name: c\"{e}\", spec_version: {}, instance: {}, promoted: {core}, requires: &[{}] }},",
            short(e),
            x.spec_version,
            x.instance,
            requires.join(", ")
        )
        .ok();
    }
    out.push_str("];\n");
    Ok(out)
}
