//! The tool as a user runs it.

use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Command, Output};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dxginfo"));
    command.args(arguments).env_remove("VKDXG_NODE").env_remove("VKDXG_TRACE").env_remove("VKDXG_DEBUG");
    command.envs(variables.iter().copied()).output().expect("dxginfo runs")
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text} {}", String::from_utf8_lossy(&output.stderr)))
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

/// Field names that a table of the documentation lists, from one row to the next blank line.
fn documented(from: &str) -> BTreeSet<String> {
    let text = include_str!("../../docs/dxginfo.md");
    let table = text.split_once(from).expect("the table").1;
    let rows = table.lines().skip(2).take_while(|l| l.starts_with('|'));
    let names = rows.flat_map(|l| l.split('|').nth(1).expect("a cell").split(','));
    names.map(|n| n.trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn the_json_is_what_is_documented() {
    let output = run(&["--json", "--node", "model", "--no-loader"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let report = json(&output);
    assert_eq!(keys(&report), documented("| field | is |"));
    assert_eq!((&report["schema"], &report["usable"]), (&1.into(), &true.into()));
    assert_eq!((&report["device"], &report["node"]), (&"model".into(), &Value::Null));
    let adapter = &report["adapters"][0];
    assert_eq!(keys(adapter), documented("| field of an adapter | is |"));
    assert_eq!((&adapter["node"], &adapter["driven_by"]), (&"model".into(), &"gpu-soft".into()));
    assert_eq!(adapter["wddm"], 3000);
    assert!(adapter["non_local"]["budget"].as_u64().is_some_and(|n| n > 0), "{adapter}");
    for name in ["kernel", "wsl", "container", "wsl_libraries", "wsl_drivers", "user", "groups"] {
        assert!(report["system"].get(name).is_some(), "{name}");
    }
}

#[test]
fn a_node_that_is_not_there_is_explained() {
    let output = run(&["--json", "--no-loader"], &[("VKDXG_NODE", "/nonexistent/dxg")]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert_eq!((&report["usable"], &report["device"]), (&false.into(), &"none".into()));
    assert_eq!(report["node"]["state"], "missing");
    assert_eq!(report["node"]["error"][0], "ENOENT");
    assert!(report["hints"][0].as_str().expect("a hint").contains("/nonexistent/dxg"));
    // A file that is something else.
    let report = json(&run(&["--json", "--no-loader", "--node", "/dev/null"], &[]));
    assert_eq!(report["node"]["state"], "not-dxg");
    assert_eq!(report["node"]["file"]["is_device"], true);
}

#[test]
fn adapters_of_others_are_listed_with_the_reason() {
    let output = run(&["--json", "--node", "model", "--no-loader"], &[("VKDXG_MODEL", "intel")]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert_eq!((&report["usable"], &report["device"]), (&false.into(), &"none".into()));
    let adapter = &report["adapters"][0];
    assert_eq!((&adapter["pci"]["vendor"], &adapter["pci"]["vendor_name"]), (&0x8086.into(), &"Intel".into()));
    assert_eq!(adapter["driven_by"], Value::Null);
    assert!(adapter["reason"].as_str().expect("a reason").contains("Intel"), "{adapter}");
    assert_eq!(adapter["refusals"][0]["driver"], "gpu-soft");
    let store = &adapter["driver_store"];
    assert!(store["host"].as_str().expect("a path").contains("FileRepository"), "{store}");
    assert!(store["guest"].as_str().expect("a path").starts_with("/usr/lib/wsl/drivers/"), "{store}");
    assert!(report["hints"][0].as_str().expect("a hint").contains("none of the adapters"));
}

#[test]
fn manifests_are_listed_with_what_is_wrong() {
    let folder = std::env::temp_dir().join(format!("dxginfo-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("folder");
    let path = folder.join("ours.json");
    let text =
        r#"{"file_format_version": "1.0.1", "ICD": {"library_path": "./libvulkan_dxg.so", "api_version": "1.4.0"}}"#;
    std::fs::write(&path, text).expect("manifest");
    let path = path.display().to_string();
    let report = json(&run(&["--json", "--node", "model"], &[("VK_DRIVER_FILES", &path)]));
    std::fs::remove_dir_all(&folder).expect("remove");
    let loader = &report["loader"];
    assert_eq!(loader["environment"]["VK_DRIVER_FILES"], path);
    assert_eq!(
        (&loader["manifests"][0]["path"], &loader["manifests"][0]["ours"]),
        (&path.clone().into(), &true.into())
    );
    assert!(loader["manifests"][0]["problem"].as_str().expect("a problem").contains("not there"));
    assert!(report["hints"].to_string().contains(&path));
}

#[test]
fn people_get_text_and_usage() {
    let output = run(&["--node", "model", "--no-loader"], &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for word in ["embedded in the driver", "driven by", "gpu-soft", "WDDM", "3.0, hardware queues", "non-local"] {
        assert!(text.contains(word), "{word} in\n{text}");
    }
    let output = run(&["--bogus"], &[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: dxginfo"));
    let output = run(&["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
}
