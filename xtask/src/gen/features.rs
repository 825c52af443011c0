//! Feature structures as rows of named Booleans.
//!
//! A feature is identified by its name: the same name in several structures of core versions and known extensions is the
//! same feature. Structures of extensions the driver does not know are listed too, with all members unsupported.

use super::Input;
use crate::registry::Struct;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const CORE_1_0: &str = "VkPhysicalDeviceFeatures";

/// Whether the structure is a header followed by Booleans only.
fn all_booleans(s: &Struct) -> bool {
    let mut m = s.members.iter();
    m.next().is_some_and(|x| x.name == "sType")
        && m.next().is_some_and(|x| x.name == "pNext")
        && m.all(|x| x.ty == "VkBool32" && x.pointers == 0 && x.array.is_none())
}

pub fn generate(input: &Input) -> Result<String, String> {
    let reg = &input.reg;
    let known = input.known_types();
    let core = &reg.structs[CORE_1_0];
    let mut names: BTreeSet<&str> = core.members.iter().map(|m| m.name.as_str()).collect();
    let mut rows: BTreeMap<i64, (&str, Option<Vec<&str>>, usize)> = BTreeMap::new();
    for (name, s) in &reg.structs {
        let chained = s.extends.iter().any(|e| e == "VkPhysicalDeviceFeatures2");
        if !chained || !name.contains("Features") || !all_booleans(s) {
            continue;
        }
        let Some(ty) = reg.structure_type(s) else {
            continue;
        };
        let fields: Vec<&str> = s.members.iter().skip(2).map(|m| m.name.as_str()).collect();
        let count = fields.len();
        let is_known = known.contains(name.as_str());
        if is_known {
            names.extend(fields.iter().copied());
        }
        rows.insert(ty, (name, is_known.then_some(fields), count));
    }
    let mut out = String::from("use super::super::features::FeatureStruct;\n\n");
    out.push_str("/// A feature, by its registry name.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]\npub enum Feature {\n");
    for n in &names {
        writeln!(out, "    {n},").ok();
    }
    out.push_str(
        "}\n\n/// One Boolean per feature.\n#[derive(Clone, Debug, PartialEq, Eq)]\npub struct FeatureTable {\n",
    );
    for n in &names {
        writeln!(out, "    pub {n}: bool,").ok();
    }
    out.push_str("}\n\nimpl FeatureTable {\n    /// A table with nothing set.\n    pub const NONE: Self = Self {\n");
    for n in &names {
        writeln!(out, "        {n}: false,").ok();
    }
    out.push_str("    };\n\n    /// Whether the feature is set.\n    pub fn get(&self, f: Feature) -> bool {\n        match f {\n");
    for n in &names {
        writeln!(out, "            Feature::{n} => self.{n},").ok();
    }
    out.push_str("        }\n    }\n\n    /// Sets the feature.\n    pub fn set(&mut self, f: Feature, on: bool) {\n        match f {\n");
    for n in &names {
        writeln!(out, "            Feature::{n} => self.{n} = on,").ok();
    }
    writeln!(
        out,
        "        }}\n    }}\n}}\n\n/// The members of `{CORE_1_0}`, in order.\npub static CORE_1_0: [Feature; {}] = [",
        core.members.len()
    )
    .ok();
    for m in &core.members {
        writeln!(out, "    Feature::{},", m.name).ok();
    }
    writeln!(
        out,
        "];\n\n/// Every feature structure of the registry, sorted by `sType`. Without `fields` none of the `count` members is supported.\n\
         pub static FEATURE_STRUCTS: [FeatureStruct; {}] = [",
        rows.len()
    )
    .ok();
    for (ty, (name, fields, count)) in &rows {
        let fields = match fields {
            Some(f) => format!("Some(&[{}])", f.iter().map(|n| format!("Feature::{n}")).collect::<Vec<_>>().join(", ")),
            None => "None".to_owned(),
        };
        writeln!(out, "    FeatureStruct {{ s_type: {ty}, name: \"{name}\", count: {count}, fields: {fields} }},").ok();
    }
    out.push_str("];\n");
    Ok(out)
}
