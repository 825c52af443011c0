//! The machine as far as it matters: whether it is WSL, whether a container, and who asks.

use rustix::process::{getegid, geteuid, getgroups};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Gives a variable of the environment that is set to something.
type Variable = dyn Fn(&str) -> Option<String>;

/// Where facts come from; tests make their own.
pub struct System {
    /// The root folder.
    pub root: PathBuf,
    /// The environment.
    pub variable: Box<Variable>,
}

impl System {
    /// The one that the program runs on.
    pub fn here() -> Self {
        Self { root: "/".into(), variable: Box::new(|name| std::env::var(name).ok().filter(|v| !v.is_empty())) }
    }

    /// A path of the system.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A file's text; empty if it cannot be read.
    pub fn read(&self, path: &str) -> String {
        std::fs::read(self.path(path)).map_or_else(|_| String::new(), |b| String::from_utf8_lossy(&b).into_owned())
    }

    /// Whether there is something at a path.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// The name of a number in a file like /etc/group.
    pub fn name_of(&self, file: &str, id: u32) -> Option<String> {
        let text = self.read(file);
        let mut rows = text.lines().map(|l| l.split(':').collect::<Vec<_>>());
        rows.find(|f| f.get(2).and_then(|n| n.parse().ok()) == Some(id)).map(|f| f[0].to_owned())
    }
}

/// The version of the Windows Subsystem for Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wsl {
    /// The first, whose system calls Windows answers: it has no GPU.
    Wsl1,
    /// The second, a virtual machine.
    Wsl2,
}

/// What is known of the machine.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// Release of the kernel.
    pub kernel: String,
    /// `wsl1`, `wsl2` or none.
    pub wsl: Option<Wsl>,
    /// Kind of the container, if it is one.
    pub container: Option<String>,
    /// Whether the folder with the host's libraries is there (`/usr/lib/wsl/lib`).
    pub wsl_libraries: bool,
    /// Whether the folder with the host's drivers is there (`/usr/lib/wsl/drivers`).
    pub wsl_drivers: bool,
    /// Effective user.
    pub user: u32,
    /// Effective and supplementary groups.
    pub groups: Vec<u32>,
}

fn wsl(release: &str) -> Option<Wsl> {
    // 4.4.0-19041-Microsoft is WSL 1; 5.15.153.1-microsoft-standard-WSL2 is WSL 2, and so is a kernel of one's own with that name.
    let lower = release.to_ascii_lowercase();
    if lower.contains("wsl2") || lower.contains("microsoft-standard") {
        Some(Wsl::Wsl2)
    } else if lower.contains("microsoft") {
        Some(Wsl::Wsl1)
    } else {
        None
    }
}

fn container(system: &System) -> Option<String> {
    if system.exists("/.dockerenv") {
        return Some("docker".to_owned());
    }
    if system.exists("/run/.containerenv") {
        return Some("podman".to_owned());
    }
    let cgroup = system.read("/proc/1/cgroup");
    let known = ["docker", "kubepods", "containerd", "lxc", "libpod"];
    let told = || {
        // The first process of a container has it in its environment; that of a WSL distribution does not.
        let environ = system.read("/proc/1/environ");
        let value = environ.split('\0').find_map(|v| v.strip_prefix("container=").map(str::to_owned));
        value.filter(|v| !v.is_empty() && !v.starts_with("wsl"))
    };
    known.iter().find(|k| cgroup.contains(**k)).map(|k| (*k).to_owned()).or_else(told)
}

impl Facts {
    /// Looks around.
    pub fn collect(system: &System) -> Self {
        let kernel = system.read("/proc/sys/kernel/osrelease").trim().to_owned();
        let mut wsl = wsl(&kernel);
        if wsl.is_none() && system.exists("/proc/sys/fs/binfmt_misc/WSLInterop") {
            wsl = Some(Wsl::Wsl2);
        }
        let mut groups = vec![getegid().as_raw()];
        groups.extend(getgroups().unwrap_or_default().iter().map(|g| g.as_raw()));
        groups.sort_unstable();
        groups.dedup();
        Self {
            kernel,
            wsl,
            container: container(system),
            wsl_libraries: system.exists("/usr/lib/wsl/lib"),
            wsl_drivers: system.exists("/usr/lib/wsl/drivers"),
            user: geteuid().as_raw(),
            groups,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A system in a folder of its own, which goes with it.
    pub struct Made(pub System);

    impl Made {
        pub fn new(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let n = COUNT.fetch_add(1, Ordering::Relaxed);
            let root = std::env::temp_dir().join(format!("dxginfo-{}-{n}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path.trim_start_matches('/'));
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
                std::fs::write(path, text).expect("file");
            }
            std::fs::create_dir_all(&root).expect("folder");
            let variables: HashMap<String, String> =
                variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Self(System { root, variable: Box::new(move |name| variables.get(name).cloned()) })
        }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0.root);
        }
    }

    #[test]
    fn kernels_tell_what_they_are() {
        assert_eq!(wsl("4.4.0-19041-Microsoft"), Some(Wsl::Wsl1));
        assert_eq!(wsl("5.15.153.1-microsoft-standard-WSL2"), Some(Wsl::Wsl2));
        assert_eq!(wsl("6.6.36-mine-WSL2+"), Some(Wsl::Wsl2));
        assert_eq!(wsl("6.1.0-18-amd64"), None);
    }

    #[test]
    fn containers_are_noticed() {
        let of = |files: &[(&str, &str)]| Facts::collect(&Made::new(files, &[]).0).container;
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("/.dockerenv", "")]).as_deref(), Some("docker"));
        assert_eq!(of(&[("/proc/1/cgroup", "0::/kubepods/x\n")]).as_deref(), Some("kubepods"));
        assert_eq!(of(&[("/proc/1/environ", "A=b\0container=lxc\0")]).as_deref(), Some("lxc"));
        assert_eq!(of(&[("/proc/1/cgroup", "0::/\n"), ("/proc/1/environ", "A=b\0")]), None);
    }

    #[test]
    fn names_are_found() {
        let made = Made::new(&[("/etc/group", "root:x:0:\nvideo:x:44:me\n")], &[]);
        assert_eq!(made.0.name_of("/etc/group", 44).as_deref(), Some("video"));
        assert_eq!(made.0.name_of("/etc/group", 45), None);
    }
}
