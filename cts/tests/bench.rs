//! The bench's kernels, with little work, on the driver that the loader finds: every one must be right there.

use std::process::Command;

#[test]
fn the_corpus_is_right() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).arg("check").output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let right = text.lines().filter(|l| l.starts_with("right")).count();
    assert!(right >= 30, "{text}");
}

#[test]
fn the_list_has_every_row_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).arg("list").output().expect("the program starts");
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut names: Vec<&str> = list.as_array().expect("an array").iter().filter_map(|r| r["name"].as_str()).collect();
    let rows = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows, "names are unique");
    let kernels = list.as_array().into_iter().flatten().filter(|r| r["kernel"] == true).count();
    assert!(kernels >= 30 && rows > kernels, "{kernels} kernels of {rows} rows");
}
