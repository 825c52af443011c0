//! `cargo xtask tidy`: cheap checks of the sources.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A complaint: where, and what.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    path: String,
    line: usize,
    text: String,
}

/// Folders that are not sources.
const SKIPPED: &[&str] = &["target", ".git", "corpus", "artifacts"];

/// What is looked into.
const TEXT: &[&str] = &["rs", "md", "toml", "sh", "yml", "yaml", "json", "in", "txt", "xml", "wgsl", "comp"];

/// Paths of machines, which have no place in a source file. Spelled in two halves so that this file passes.
const MACHINE_PATHS: &[(&str, &str)] = &[("/ro", "ot/"), ("/wo", "rk/"), ("/ho", "me/")];

/// Prefix of the driver's environment variables.
const PREFIX: &str = "VKDXG_";

/// Variables of tests and of client programs, which the driver never looks at.
const OUTSIDE: &[&str] = &["VKDXG_TEST_SEEDS", "VKDXG_VALIDATE"];

fn walk(folder: &Path, out: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if !SKIPPED.contains(&name.as_ref()) {
                walk(&path, out)?;
            }
        } else if path.extension().is_some_and(|e| TEXT.contains(&e.to_string_lossy().as_ref())) {
            out.push(path);
        }
    }
    Ok(())
}

/// Machine paths in a text.
fn machine_paths(path: &str, text: &str) -> Vec<Complaint> {
    let mut out = Vec::new();
    for (n, line) in text.lines().enumerate() {
        for (a, b) in MACHINE_PATHS {
            let word = format!("{a}{b}");
            // Inside a longer path (`docs/work/`) it is another word.
            let alone = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '.');
            if line.match_indices(&word).any(|(at, _)| alone(at)) {
                out.push(Complaint { path: path.to_owned(), line: n + 1, text: format!("path of a machine: {word}") });
            }
        }
    }
    out
}

/// `unsafe` blocks and implementations without an argument in the lines before or in the line itself.
fn safety(path: &str, text: &str) -> Vec<Complaint> {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let is_block = code.contains("unsafe {") || code.trim_start().starts_with("unsafe impl");
        if !is_block || code.contains('"') {
            continue;
        }
        let argued = (n.saturating_sub(8)..=n).any(|i| lines[i].contains("SAFETY:"));
        if !argued {
            out.push(Complaint {
                path: path.to_owned(),
                line: n + 1,
                text: "unsafe without a SAFETY comment".to_owned(),
            });
        }
    }
    out
}

/// Words that start with the prefix of our environment variables.
fn variables(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(n, line)| {
        line.match_indices(PREFIX).filter_map(move |(at, _)| {
            let rest = &line[at..];
            let end =
                rest.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')).unwrap_or(rest.len());
            (end > PREFIX.len()).then(|| (n + 1, &rest[..end]))
        })
    })
}

/// Relative links of a Markdown file that lead nowhere.
fn links(root: &Path, file: &Path, text: &str) -> Vec<Complaint> {
    let folder = file.parent().unwrap_or(root);
    let mut out = Vec::new();
    for (n, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let Some(end) = rest.find(')') else { continue };
            let target = rest[..end].split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !folder.join(target).exists() {
                out.push(Complaint {
                    path: file.strip_prefix(root).unwrap_or(file).display().to_string(),
                    line: n + 1,
                    text: format!("link to nothing: {target}"),
                });
            }
        }
    }
    out
}

/// Runs all checks.
///
/// # Errors
/// The complaints.
pub fn run(root: &Path) -> Result<String, String> {
    crate::gen::run(root, true)?;
    let mut files = Vec::new();
    walk(root, &mut files).map_err(|e| format!("{}: {e}", root.display()))?;
    files.sort();
    let table =
        std::fs::read_to_string(root.join("dxg-node/src/env.rs")).map_err(|e| format!("dxg-node/src/env.rs: {e}"))?;
    let mut known: Vec<&str> = variables(&table).map(|(_, name)| name).collect();
    known.extend(OUTSIDE);
    let mut all = Vec::new();
    for file in &files {
        let Ok(text) = std::fs::read_to_string(file) else {
            continue;
        };
        let path = file.strip_prefix(root).unwrap_or(file).display().to_string();
        all.extend(machine_paths(&path, &text));
        for (line, name) in variables(&text) {
            if !known.contains(&name) {
                all.push(Complaint {
                    path: path.clone(),
                    line,
                    text: format!("{name} is not in the table of dxg-node/src/env.rs"),
                });
            }
        }
        match file.extension().and_then(|e| e.to_str()) {
            Some("rs") => all.extend(safety(&path, &text)),
            Some("md") => all.extend(links(root, file, &text)),
            _ => {}
        }
    }
    if all.is_empty() {
        return Ok(format!("{} files are tidy", files.len()));
    }
    let mut message = String::new();
    for c in &all {
        writeln!(message, "{}:{}: {}", c.path, c.line, c.text).ok();
    }
    write!(message, "{} complaints", all.len()).ok();
    Err(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_are_found_where_they_stand_alone() {
        let bad = format!("x\nsee {}{}x", "/wo", "rk/");
        assert_eq!(machine_paths("f", &bad).len(), 1);
        assert_eq!(machine_paths("f", &bad)[0].line, 2);
        let good = format!("docs{}{}x and ..{0}{1}", "/wo", "rk/");
        assert!(machine_paths("f", &good).is_empty());
    }

    #[test]
    fn unsafe_wants_an_argument() {
        assert_eq!(safety("f", "fn f() {\n    unsafe { g() }\n}").len(), 1);
        assert!(safety("f", "// SAFETY: fine.\nunsafe { g() }").is_empty());
        assert_eq!(safety("f", "unsafe impl Send for X {}").len(), 1);
        assert!(safety("f", "// unsafe { comment }").is_empty());
    }

    #[test]
    fn variables_are_whole_words() {
        let text = format!("{PREFIX}NODE=model {PREFIX} and `{PREFIX}A_1`");
        let names: Vec<_> = variables(&text).map(|(_, n)| n.to_owned()).collect();
        assert_eq!(names, [format!("{PREFIX}NODE"), format!("{PREFIX}A_1")]);
    }

    #[test]
    fn links_lead_somewhere() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = root.join("README.md");
        assert!(links(root, &file, "[a](Cargo.toml#x) [b](https://example.org/)").is_empty());
        assert_eq!(links(root, &file, "[a](nothing.md)").len(), 1);
    }
}
