//! The driver manifests that the Vulkan loader would read, as its documentation has it ("LoaderDriverInterface", Linux).

use crate::system::System;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// One manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Its path.
    pub path: String,
    /// The library that it names, with folders where it has some.
    pub library: Option<String>,
    /// The API version that it claims.
    pub api_version: Option<String>,
    /// Whether it is this driver's.
    pub ours: bool,
    /// Why the loader will not use it.
    pub problem: Option<String>,
}

/// The variables that decide, in the order in which they do.
pub const VARIABLES: &[&str] = &[
    "VK_DRIVER_FILES",
    "VK_ICD_FILENAMES",
    "VK_ADD_DRIVER_FILES",
    "VK_LOADER_DRIVERS_SELECT",
    "VK_LOADER_DRIVERS_DISABLE",
];

/// Name of our library.
const OURS: &str = "libvulkan_dxg.so";

fn list(value: &str) -> impl Iterator<Item = PathBuf> + '_ {
    value.split(':').filter(|p| !p.is_empty()).map(PathBuf::from)
}

/// Where the loader looks, in its order: files or folders of files.
pub fn search(system: &System) -> Vec<PathBuf> {
    let get = |name: &str| (system.variable)(name);
    // The older name counts where the newer one is not set.
    if let Some(files) = get("VK_DRIVER_FILES").or_else(|| get("VK_ICD_FILENAMES")) {
        return list(&files).collect();
    }
    let home = get("HOME").map(PathBuf::from);
    let mut out: Vec<PathBuf> = get("VK_ADD_DRIVER_FILES").iter().flat_map(|v| list(v)).collect();
    let mut folders = Vec::new();
    let own = |name: &str, folder: &str| get(name).map(PathBuf::from).or_else(|| home.as_ref().map(|h| h.join(folder)));
    folders.extend(own("XDG_CONFIG_HOME", ".config"));
    folders.extend(list(&get("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".to_owned())));
    folders.push("/usr/local/etc".into());
    folders.push("/etc".into());
    folders.extend(own("XDG_DATA_HOME", ".local/share"));
    folders.extend(list(&get("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".to_owned())));
    out.extend(folders.into_iter().map(|f| f.join("vulkan/icd.d")));
    let mut seen = Vec::new();
    out.retain(|p| {
        !seen.contains(p) && {
            seen.push(p.clone());
            true
        }
    });
    out
}

/// The manifests, in the loader's order.
pub fn find(system: &System) -> Vec<Manifest> {
    let mut out = Vec::new();
    let named = (system.variable)("VK_DRIVER_FILES").or_else(|| (system.variable)("VK_ICD_FILENAMES")).is_some();
    for place in search(system) {
        let real = system.path(&place);
        if real.is_dir() {
            let Ok(folder) = std::fs::read_dir(&real) else { continue };
            let mut names: Vec<_> = folder.flatten().map(|e| e.file_name()).collect();
            names.retain(|n| Path::new(n).extension().is_some_and(|e| e == "json"));
            names.sort();
            out.extend(names.iter().map(|n| read(system, &place.join(n))));
        } else if real.exists() {
            out.push(read(system, &place));
        } else if named || place.extension().is_some_and(|e| e == "json") {
            let problem = Some("it is not there".to_owned());
            let path = place.display().to_string();
            out.push(Manifest { path, library: None, api_version: None, ours: false, problem });
        }
    }
    for manifest in &mut out {
        if manifest.problem.is_none() {
            manifest.problem = filtered(system, &manifest.path);
        }
    }
    out
}

/// Whether the filters by name take a manifest out.
fn filtered(system: &System, path: &str) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let matches = |value: &str| value.split(',').any(|g| glob(&g.trim().to_ascii_lowercase(), &name));
    let select = (system.variable)("VK_LOADER_DRIVERS_SELECT");
    let disable = (system.variable)("VK_LOADER_DRIVERS_DISABLE");
    if select.as_ref().is_some_and(|v| matches(v)) {
        return None;
    }
    if disable.is_some_and(|v| matches(&v)) {
        return Some("VK_LOADER_DRIVERS_DISABLE excludes it".to_owned());
    }
    select.map(|_| "VK_LOADER_DRIVERS_SELECT does not select it".to_owned())
}

/// Whether a name is of a pattern with stars.
fn glob(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            rest.is_empty() || name.char_indices().any(|(i, _)| glob(rest, &name[i..])) || glob(rest, "")
        }),
    }
}

fn read(system: &System, path: &Path) -> Manifest {
    let shown = path.display().to_string();
    let mut out = Manifest { path: shown, library: None, api_version: None, ours: false, problem: None };
    let text = match std::fs::read(system.path(path)) {
        Ok(text) => text,
        Err(e) => return Manifest { problem: Some(format!("it cannot be read: {e}")), ..out },
    };
    let json: serde_json::Value = match serde_json::from_slice(&text) {
        Ok(json) => json,
        Err(e) => return Manifest { problem: Some(format!("it is not JSON: {e}")), ..out },
    };
    let icd = &json["ICD"];
    let field = |name: &str| icd[name].as_str().map(str::to_owned);
    out.api_version = field("api_version");
    let Some(library) = field("library_path") else {
        return Manifest { problem: Some("it names no library (ICD.library_path)".to_owned()), ..out };
    };
    out.ours = library.rsplit('/').next() == Some(OURS);
    // A path with folders is relative to the manifest; a bare name is searched for by the system.
    let full =
        if library.contains('/') { path.parent().unwrap_or(path).join(&library) } else { PathBuf::from(&library) };
    out.library = Some(full.display().to_string());
    let bits = usize::BITS.to_string();
    out.problem = if out.api_version.is_none() {
        Some("it claims no version (ICD.api_version)".to_owned())
    } else if icd["library_arch"].as_str().is_some_and(|a| a != bits) {
        Some(format!("its library is not for {bits}-bit programs"))
    } else if library.contains('/') && !system.path(&full).exists() {
        Some("its library is not there".to_owned())
    } else {
        None
    };
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::Made;

    const GOOD: &str =
        r#"{"file_format_version": "1.0.1", "ICD": {"library_path": "/lib/libvulkan_dxg.so", "api_version": "1.4.0"}}"#;
    const FOLDER: &str = "/usr/share/vulkan/icd.d";

    fn found(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Vec<(String, bool, Option<String>)> {
        let made = Made::new(files, variables);
        find(&made.0).into_iter().map(|m| (m.path, m.ours, m.problem)).collect()
    }

    #[test]
    fn folders_are_searched_in_order() {
        let made = Made::new(&[], &[("HOME", "/me"), ("XDG_DATA_DIRS", "/a:/b")]);
        let text: Vec<String> = search(&made.0).iter().map(|p| p.display().to_string()).collect();
        let want = ["/me/.config", "/etc/xdg", "/usr/local/etc", "/etc", "/me/.local/share", "/a", "/b"];
        assert_eq!(text, want.map(|f| format!("{f}/vulkan/icd.d")));
    }

    #[test]
    fn variables_replace_add_and_filter() {
        let lib = ("/lib/libvulkan_dxg.so", "");
        let (a, b) = (format!("{FOLDER}/a.json"), format!("{FOLDER}/b.json"));
        let files = [lib, (a.as_str(), GOOD), (b.as_str(), GOOD), ("/x/c.json", GOOD)];
        let names = |variables: &[(&str, &str)]| {
            let usable = found(&files, variables).into_iter().filter(|f| f.2.is_none());
            usable.map(|f| f.0.rsplit('/').next().expect("a name").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&[]), ["a.json", "b.json"]);
        assert_eq!(names(&[("VK_DRIVER_FILES", "/x/c.json"), ("VK_ICD_FILENAMES", "/x/d.json")]), ["c.json"]);
        assert_eq!(names(&[("VK_ICD_FILENAMES", "/x")]), ["c.json"]);
        assert_eq!(names(&[("VK_ADD_DRIVER_FILES", "/x/c.json")]), ["c.json", "a.json", "b.json"]);
        assert_eq!(names(&[("VK_LOADER_DRIVERS_DISABLE", "*")]), [""; 0]);
        assert_eq!(names(&[("VK_LOADER_DRIVERS_DISABLE", "*"), ("VK_LOADER_DRIVERS_SELECT", "b*")]), ["b.json"]);
        assert_eq!(names(&[("VK_LOADER_DRIVERS_SELECT", "*A.js*")]), ["a.json"]);
        assert_eq!(found(&files, &[("VK_DRIVER_FILES", "/x/no.json")])[0].2.as_deref(), Some("it is not there"));
    }

    #[test]
    fn what_is_wrong_with_a_manifest_is_told() {
        let path = format!("{FOLDER}/a.json");
        for (text, word) in [
            ("{", "not JSON"),
            ("{}", "names no library"),
            (r#"{"ICD": {"library_path": "x.so"}}"#, "claims no version"),
            (r#"{"ICD": {"library_path": "x.so", "api_version": "1.3.0", "library_arch": "32"}}"#, "64-bit"),
            (GOOD, "library is not there"),
        ] {
            let all = found(&[(path.as_str(), text)], &[]);
            assert!(all[0].2.as_ref().expect("a problem").contains(word), "{all:?}");
        }
        // Relative to the manifest.
        let text = GOOD.replace("/lib/libvulkan_dxg.so", "./libvulkan_dxg.so");
        let library = format!("{FOLDER}/libvulkan_dxg.so");
        assert_eq!(found(&[(path.as_str(), text.as_str()), (library.as_str(), "")], &[]), [(path, true, None)]);
    }

    #[test]
    fn stars_match_anything() {
        for (pattern, name, is) in [
            ("*", "a", true),
            ("a*c", "abc", true),
            ("a*c", "abd", false),
            ("*b*", "abc", true),
            ("abc", "abcd", false),
        ] {
            assert_eq!(glob(pattern, name), is, "{pattern} {name}");
        }
    }
}
