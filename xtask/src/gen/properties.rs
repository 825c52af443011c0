//! Property structures whose members were promoted into the structures of a core version.

use super::{names, Input};
use std::collections::BTreeMap;
use std::fmt::Write;

const SUMS: [(&str, &str); 4] = [
    ("VkPhysicalDeviceVulkan11Properties", "v11"),
    ("VkPhysicalDeviceVulkan12Properties", "v12"),
    ("VkPhysicalDeviceVulkan13Properties", "v13"),
    ("VkPhysicalDeviceVulkan14Properties", "v14"),
];

pub fn generate(input: &Input) -> Result<String, String> {
    let mut home: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, var) in SUMS {
        let s = input.reg.structs.get(name).ok_or_else(|| format!("registry lacks {name}"))?;
        for m in s.members.iter().skip(2) {
            home.insert(&m.name, var);
        }
    }
    let mut out = String::from("use super::types;\nuse crate::edge::OutNode;\nuse ash::vk;\n\n");
    let params: String =
        SUMS.iter().map(|(name, var)| format!(", {var}: &{}", names::base(input, name, "<'_>"))).collect();
    writeln!(
        out,
        "/// Fills `node` from the core versions' sums when it is one of the structures they absorbed; false when it is not.\n\
         pub fn fill_promoted(node: &mut OutNode<'_>{params}) -> bool {{"
    )
    .ok();
    for (name, s) in &input.reg.structs {
        if SUMS.iter().any(|(n, _)| n == name)
            || !s.extends.iter().any(|e| e == "VkPhysicalDeviceProperties2")
            || s.members.len() < 3
            // Where the application gives the room for an array, a copy of the members is not enough.
            || !s.members.iter().skip(2).all(|m| m.pointers == 0 && home.contains_key(m.name.as_str()))
        {
            continue;
        }
        writeln!(out, "    if let Some(p) = node.cast::<{}>() {{", names::base(input, name, "")).ok();
        for m in s.members.iter().skip(2) {
            let field = names::member(&m.name);
            writeln!(out, "        p.{field} = {}.{field};", home[m.name.as_str()]).ok();
        }
        out.push_str("        return true;\n    }\n");
    }
    out.push_str("    false\n}\n");
    Ok(out)
}
