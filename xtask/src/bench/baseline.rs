//! `cargo xtask baseline`: what this driver says of the code it makes for the bench's kernels, held against committed numbers, so that
//! a change that loses vector accesses or grows code is seen without a clock.

use super::child::Start;
use super::icd::Icd;
use serde_json::{Map, Value};
use std::path::Path;
use std::time::Duration;

/// Where the numbers are.
const FILE: &str = "cts/bench/baseline.json";

/// How a number may change: what it is called, and the largest value that is allowed when the baseline has `f64`; or the
/// smallest one.
enum Rule {
    AtMost(fn(f64) -> f64),
    AtLeast(fn(f64) -> f64),
}

/// The numbers that are held. Others depend on the processor's model, or may change either way.
const RULES: [(&str, Rule); 4] = [
    ("Vector width", Rule::AtLeast(|v| v)),
    ("Gathers and scatters", Rule::AtMost(|v| v)),
    ("Arena values", Rule::AtMost(|v| v)),
    // Scheduling for another processor makes other code.
    ("Code size", Rule::AtMost(|v| v * 1.25 + 512.0)),
];

/// The numbers of all programs that have a rule.
fn held(statistics: &Value) -> Value {
    let programs = statistics.as_object().into_iter().flatten();
    // Counts are whole numbers.
    let whole =
        |v: &Value| v.as_f64().filter(|v| v.fract() == 0.0).map_or_else(|| v.clone(), |v| Value::from(v as i64));
    let numbers = |facts: &Value| -> Map<String, Value> {
        RULES.iter().filter_map(|(name, _)| Some(((*name).to_owned(), whole(facts.get(*name)?)))).collect()
    };
    programs.map(|(program, facts)| (program.clone(), Value::from(numbers(facts)))).collect::<Map<_, _>>().into()
}

/// What is worse than in the baseline, and how many numbers are better.
fn compare(baseline: &Value, now: &Value) -> (Vec<String>, usize) {
    let (mut worse, mut better) = (Vec::new(), 0);
    for (program, facts) in now.as_object().into_iter().flatten() {
        let Some(old) = baseline.get(program) else {
            worse.push(format!("{program} is not in the baseline"));
            continue;
        };
        for (name, rule) in &RULES {
            match (old.get(*name).and_then(Value::as_f64), facts.get(*name).and_then(Value::as_f64)) {
                (Some(old), Some(new)) => {
                    let bad = match rule {
                        Rule::AtMost(limit) => new > limit(old),
                        Rule::AtLeast(limit) => new < limit(old),
                    };
                    if bad {
                        worse.push(format!("{program}: {name}: {new}, was {old}"));
                    }
                    better += usize::from(matches!(rule, Rule::AtMost(_)) && new < old);
                }
                (Some(_), None) => worse.push(format!("{program}: {name} is not reported")),
                (None, Some(_)) => worse.push(format!("{program}: {name} is not in the baseline")),
                (None, None) => {}
            }
        }
    }
    for (program, _) in baseline.as_object().into_iter().flatten() {
        if now.get(program).is_none() {
            worse.push(format!("{program} is gone"));
        }
    }
    (worse, better)
}

/// One program per line: a change is one line of a difference.
fn text(baseline: &Value) -> String {
    let lines: Vec<String> = baseline
        .as_object()
        .into_iter()
        .flatten()
        .map(|(program, facts)| format!("  {}: {facts}", Value::from(program.as_str())))
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// Runs the comparison, or writes the file.
///
/// # Errors
/// An argument that is not understood, no driver, numbers that are worse.
pub fn run(root: &Path, flags: &[&str]) -> Result<String, String> {
    let (mut bless, mut profile) = (false, "debug");
    for flag in flags {
        match *flag {
            "--bless" => bless = true,
            "--release" => profile = "release",
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    if !processor.split_whitespace().any(|word| word == "avx512f") {
        return Ok("the baseline is for processors with AVX-512; nothing compared".to_owned());
    }
    crate::manifest::run(root, if profile == "release" { &["--release"] } else { &[] })?;
    let folder = crate::manifest::target_dir(root).join(profile);
    let mut icd = Icd::new("own", &folder.join("vulkan_dxg_icd.json"));
    icd.env.push(("VKDXG_DEBUG".to_owned(), "nocache".to_owned()));
    let start = Start { program: folder.join("bench"), icd, cache: folder.join("bench-cache") };
    let now = held(&start.once(&["statistics"], Duration::from_secs(600))?);
    let path = root.join(FILE);
    let programs = now.as_object().map_or(0, Map::len);
    if bless {
        std::fs::write(&path, text(&now)).map_err(|e| format!("{FILE}: {e}"))?;
        return Ok(format!("{FILE}: {programs} programs"));
    }
    let old = std::fs::read_to_string(&path).map_err(|e| format!("{FILE}: {e}"))?;
    let old = serde_json::from_str(&old).map_err(|e| format!("{FILE}: {e}"))?;
    let (worse, better) = compare(&old, &now);
    if worse.is_empty() {
        return Ok(format!("code of {programs} programs is no worse than in {FILE}, {better} numbers are better"));
    }
    Err(format!("{}\nIf that is meant: cargo xtask baseline --bless", worse.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_worse_is_named() {
        let facts = |width: u32, gathers: u32, size: u32| json!({"Vector width": width, "Gathers and scatters": gathers, "Arena values": 1, "Code size": size, "Jam": gathers});
        let old = held(&json!({"a": facts(16, 2, 1000), "b": facts(16, 0, 1000), "gone": facts(16, 0, 0)}));
        assert!(old["a"].get("Jam").is_none());
        let now = held(&json!({"a": facts(16, 1, 1700), "b": facts(8, 1, 1763), "new": facts(16, 0, 0)}));
        let (worse, better) = compare(&old, &now);
        let expected = [
            "b: Vector width: 8, was 16",
            "b: Gathers and scatters: 1, was 0",
            "b: Code size: 1763, was 1000",
            "new is not in the baseline",
            "gone is gone",
        ];
        assert_eq!(worse, expected);
        assert_eq!(better, 1);
        assert_eq!(compare(&old, &old), (Vec::new(), 0));
        let silent = json!({"a": {}, "b": old["b"], "gone": old["gone"]});
        assert_eq!(compare(&old, &silent).0.len(), 4);
    }

    #[test]
    fn the_file_is_json_line_by_line() {
        let value = json!({"a": {"x": 1.0}, "b": {"y": 2.0}});
        let text = text(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert_eq!(text.lines().count(), 4);
    }
}
