//! Runs every `filetests/**/*.sir`; see `compiler::filetest` for what they look like. `BLESS=1` rewrites expectations.

use compiler::filetest::run_file;
use std::path::{Path, PathBuf};

fn collect(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|e| e == "sir") {
            out.push(path);
        }
    }
}

#[test]
fn filetests() {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("filetests"), &mut files);
    files.sort();
    assert!(!files.is_empty(), "no test files found");
    let bless = std::env::var_os("BLESS").is_some_and(|v| v == "1");
    let passes = |k: &mut compiler::sir::Kernel, names: &[String]| {
        compiler::passes::run_named(k, names).map_err(|e| e.to_string())
    };
    let mut failures = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(path).expect("readable test file");
        match run_file(&text, &passes, bless) {
            Ok(new) if new != text => std::fs::write(path, new).expect("writable test file"),
            Ok(_) => {}
            Err(e) => failures.push(format!("{}: {e}", path.display())),
        }
    }
    assert!(failures.is_empty(), "{} of {} files failed\n\n{}", failures.len(), files.len(), failures.join("\n\n"));
}
