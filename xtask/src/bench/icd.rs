//! The drivers that are held against each other.

use std::path::{Path, PathBuf};

/// Manifest folders of the loader, as far as packages use them, and the folder where Debian's Chromium keeps SwiftShader.
const FOLDERS: [&str; 3] = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/lib/chromium"];

/// What drivers found in these folders are called, and how their manifests' names begin.
const KNOWN: [(&str, &[&str]); 2] =
    [("lavapipe", &["lvp_icd"]), ("swiftshader", &["vk_swiftshader_icd", "swiftshader_icd"])];

/// SwiftShader where its package has no manifest.
const SWIFTSHADER: &str = "/usr/lib/chromium/libvk_swiftshader.so";

/// A driver, and how to start a program on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icd {
    /// What it is called in the report.
    pub name: String,
    /// Its manifest.
    pub manifest: PathBuf,
    /// A program, with arguments of its own, that is started with the measuring program and its arguments.
    pub runner: Vec<String>,
    /// Settings it needs.
    pub env: Vec<(String, String)>,
}

impl Icd {
    /// A driver without particulars.
    pub fn new(name: &str, manifest: &Path) -> Icd {
        Icd { name: name.to_owned(), manifest: manifest.to_owned(), runner: Vec::new(), env: Vec::new() }
    }

    /// Reads `NAME=MANIFEST[,runner=PROGRAM ARGUMENT…][,env=NAME=VALUE]…`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Icd, String> {
        let mut parts = text.split(',');
        let first = parts.next().unwrap_or_default();
        let (name, manifest) = first.split_once('=').ok_or_else(|| format!("{first:?}: NAME=MANIFEST?"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) || manifest.is_empty() {
            return Err(format!("{first:?}: a name is made of letters, digits, '-', '_' and '.'"));
        }
        let mut icd = Icd::new(name, Path::new(manifest));
        for part in parts {
            match part.split_once('=') {
                Some(("runner", program)) => icd.runner = program.split_whitespace().map(str::to_owned).collect(),
                Some(("env", setting)) => {
                    let (name, value) = setting.split_once('=').ok_or_else(|| format!("{setting:?}: NAME=VALUE?"))?;
                    icd.env.push((name.to_owned(), value.to_owned()));
                }
                // A value with commas in it.
                _ => match icd.env.last_mut() {
                    Some((_, value)) => *value = format!("{value},{part}"),
                    None => return Err(format!("{part:?}: runner=… or env=… is expected")),
                },
            }
        }
        Ok(icd)
    }
}

/// The other drivers that packages have installed; `scratch` is for a manifest where one is missing.
pub fn installed(scratch: &Path) -> Vec<Icd> {
    let files: Vec<PathBuf> =
        FOLDERS.iter().filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten().map(|f| f.path()).collect();
    let mut found: Vec<Icd> = KNOWN.iter().filter_map(|(name, prefixes)| pick(name, prefixes, &files)).collect();
    if !found.iter().any(|i| i.name == "swiftshader") && Path::new(SWIFTSHADER).exists() {
        let text =
            format!("{{\"file_format_version\": \"1.0.0\", \"ICD\": {{\"library_path\": \"{SWIFTSHADER}\", \"api_version\": \"1.1.0\"}}}}\n");
        let manifest = scratch.join("swiftshader_icd.json");
        if std::fs::write(&manifest, text).is_ok() {
            found.push(Icd::new("swiftshader", &manifest));
        }
    }
    found
}

/// The manifest among `files` whose name begins in one of these ways.
fn pick(name: &str, prefixes: &[&str], files: &[PathBuf]) -> Option<Icd> {
    let wanted = |p: &&PathBuf| {
        let file = p.file_name().unwrap_or_default().to_string_lossy().into_owned();
        file.ends_with(".json") && prefixes.iter().any(|prefix| file.starts_with(prefix))
    };
    files.iter().find(wanted).map(|p| Icd::new(name, p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read() {
        let icd = Icd::parse("a-1=/x/y.json,runner=/r.sh -x 1,env=A=b=c,d,env=E=f").unwrap();
        assert_eq!(icd.name, "a-1");
        assert_eq!(icd.manifest, Path::new("/x/y.json"));
        assert_eq!(icd.runner, ["/r.sh", "-x", "1"]);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(icd.env, [pair("A", "b=c,d"), pair("E", "f")]);
    }

    #[test]
    fn bad_descriptions_are_refused() {
        for bad in ["", "x", "=y", "x=", "../x=y", "x=y,z", "x=y,env=z", "a b=c"] {
            assert!(Icd::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn manifests_are_found_by_their_names() {
        let files = ["/a/radeon_icd.x86_64.json", "/a/lvp_icd.x86_64.json", "/a/lvp_icd.txt"].map(PathBuf::from);
        let found = pick("lavapipe", KNOWN[0].1, &files).unwrap();
        assert_eq!(found.manifest, files[1]);
        assert_eq!(pick("swiftshader", KNOWN[1].1, &files), None);
    }
}
