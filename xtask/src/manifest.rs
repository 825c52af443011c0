//! `cargo xtask manifest`: the ICD manifest beside a freshly built library, for use in the tree.

use std::path::{Path, PathBuf};

/// Folder of the builds: Cargo's, or what `CARGO_TARGET_DIR` says.
pub fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root.join(dir),
        None => root.join("target"),
    }
}

/// A text as the inside of a JSON string.
fn json_escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c if (c as u32) < 0x20 => format!("\\u{:04x}", c as u32).chars().collect(),
            c => vec![c],
        })
        .collect()
}

/// The manifest's text. One key per line: some applications read manifests line by line.
fn fill(template: &str, library: &str, api_version: &str) -> String {
    template.replace("@LIBRARY_PATH@", &json_escaped(library)).replace("@API_VERSION@", &json_escaped(api_version))
}

/// Writes the manifest.
///
/// # Errors
/// When an argument is not understood or a file cannot be read or written.
pub fn run(root: &Path, flags: &[&str]) -> Result<String, String> {
    let mut profile = "debug";
    let (mut library, mut out) = (None, None);
    let mut args = flags.iter();
    while let Some(flag) = args.next() {
        let mut value = || args.next().map(PathBuf::from).ok_or_else(|| format!("{flag}: what?"));
        match *flag {
            "--release" => profile = "release",
            "--library" => library = Some(value()?),
            "--out" => out = Some(value()?),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    let folder = target_dir(root).join(profile);
    let library = library.unwrap_or_else(|| folder.join("libvulkan_dxg.so"));
    let out = out.unwrap_or_else(|| folder.join("vulkan_dxg_icd.json"));
    let library = std::path::absolute(&library).map_err(|e| format!("{}: {e}", library.display()))?;
    let read = |name: &str| {
        let path = root.join("manifests").join(name);
        std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    let text = fill(&read("vulkan_dxg_icd.json.in")?, &library.to_string_lossy(), read("api_version")?.trim());
    if let Some(parent) = out.parent() {
        std::fs::create_dir_all(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
    }
    std::fs::write(&out, text).map_err(|e| format!("{}: {e}", out.display()))?;
    Ok(format!("VK_DRIVER_FILES={}", out.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_on_lines_of_their_own() {
        let template = include_str!("../../manifests/vulkan_dxg_icd.json.in");
        let text = fill(template, "/a \"b\"/lib\\x.so", "1.3.281");
        assert!(text.contains(r#""library_path": "/a \"b\"/lib\\x.so","#));
        for key in ["file_format_version", "ICD", "library_path", "api_version", "library_arch"] {
            assert_eq!(text.lines().filter(|l| l.contains(&format!("\"{key}\""))).count(), 1, "{key}");
        }
        assert!(!text.contains('@'));
    }
}
