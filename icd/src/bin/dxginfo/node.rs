//! The kernel's node: whether it is there, may be opened, and how much its kernel knows.

use crate::system::{Facts, System, Wsl};
use serde::Serialize;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use winsys_dxg::dxg_abi::{Errno, IOCTL_NR_MAX};
use winsys_dxg::{KernelNode, Table};

/// What came of opening the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is open.
    Open,
    /// There is none.
    Missing,
    /// It must not be opened.
    Denied,
    /// It cannot be opened for another reason.
    Failed,
    /// It is something else.
    NotDxg,
}

/// Who may do what with the file.
#[derive(Clone, Debug, Serialize)]
pub struct File {
    /// Permissions, in octal digits.
    pub mode: String,
    /// Owner.
    pub owner: u32,
    /// Its name.
    pub owner_name: Option<String>,
    /// Group.
    pub group: u32,
    /// Its name.
    pub group_name: Option<String>,
    /// Whether it is a character device.
    pub is_device: bool,
}

/// The table of requests.
#[derive(Clone, Debug, Serialize)]
pub struct TableSize {
    /// The highest number that the kernel knows.
    pub highest: u8,
    /// The highest number there is.
    pub newest: u8,
    /// Requests that the kernel lacks.
    pub missing: Vec<&'static str>,
}

/// The node.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Its path.
    pub path: String,
    /// What came of opening it.
    pub state: State,
    /// The error, if there was one: its name, and the text of the system.
    pub error: Option<(String, String)>,
    /// The file, if there is one.
    pub file: Option<File>,
    /// The table, if it is open.
    pub table: Option<TableSize>,
    /// What to do about it.
    #[serde(skip)]
    pub hints: Vec<String>,
}

/// Looks at the node; opens it if that is possible.
pub fn look(system: &System, facts: &Facts, path: &Path) -> (Node, Option<Arc<KernelNode>>) {
    let file = file(system, path);
    let shown = path.display().to_string();
    let mut node = Node { path: shown, state: State::Open, error: None, file, table: None, hints: Vec::new() };
    let opened = match KernelNode::open(system.path(path)) {
        Ok(opened) => Arc::new(opened),
        Err(error) => {
            let errno = Errno(error.raw_os_error().unwrap_or(Errno::EIO.0));
            let name = errno.name().map_or_else(|| format!("errno {}", errno.0), str::to_owned);
            node.error = Some((name, error.to_string()));
            node.state = match errno {
                Errno::ENOENT => State::Missing,
                Errno::EACCES | Errno::EPERM => State::Denied,
                _ => State::Failed,
            };
            node.hints = explain(errno, &node, facts);
            return (node, None);
        }
    };
    let table = Table::of(&*opened);
    if !table.is_dxg {
        node.state = State::NotDxg;
        node.hints.push(format!("{} is not a node of the dxgkrnl driver: it knows none of its requests", node.path));
        return (node, None);
    }
    node.hints.extend(table_hint(&table));
    let missing = table.missing.iter().map(|i| i.name()).collect();
    node.table = Some(TableSize { highest: table.highest, newest: IOCTL_NR_MAX, missing });
    (node, Some(opened))
}

fn file(system: &System, path: &Path) -> Option<File> {
    let data = std::fs::metadata(system.path(path)).ok()?;
    Some(File {
        mode: format!("{:03o}", data.mode() & 0o7777),
        owner: data.uid(),
        owner_name: system.name_of("/etc/passwd", data.uid()),
        group: data.gid(),
        group_name: system.name_of("/etc/group", data.gid()),
        is_device: data.file_type().is_char_device(),
    })
}

/// What older kernels lack, and what that means.
fn table_hint(table: &Table) -> Option<String> {
    let lacks = match table.highest {
        IOCTL_NR_MAX.. => return None,
        0x48 => "WDDM features cannot be asked for",
        0x47 => "other processes cannot be listed and WDDM features not be asked for",
        0x45..=0x46 => "sync files cannot be opened as fences, so VK_KHR_external_semaphore_fd has no SYNC_FD",
        _ => "there are no sync files, so VK_KHR_external_semaphore_fd has no SYNC_FD",
    };
    let end = table.highest;
    Some(format!("the kernel is older than this driver: its table ends at {end:#04x} of {IOCTL_NR_MAX:#04x}. {lacks}. 'wsl --update' brings a newer one"))
}

/// Why the node cannot be opened and what to do about it.
fn explain(errno: Errno, node: &Node, facts: &Facts) -> Vec<String> {
    let path = &node.path;
    let container = facts.container.as_deref();
    let device = format!("start the container with '--device {path} -v /usr/lib/wsl:/usr/lib/wsl'");
    match errno {
        Errno::ENOENT => vec![match (facts.wsl, container) {
            (Some(Wsl::Wsl1), _) => format!(
                "there is no {path}: this is WSL 1, which has no GPU. 'wsl --set-version DISTRIBUTION 2' (in Windows) converts a distribution"
            ),
            (Some(Wsl::Wsl2), Some(kind)) => {
                format!("there is no {path} in this container ({kind}), though its kernel is WSL's: {device}")
            }
            (Some(Wsl::Wsl2), None) => format!(
                "there is no {path} though this is WSL 2: the host shares no GPU. Look for 'gpuSupport=false' in .wslconfig, update the \
                 GPU's driver in Windows, and run 'wsl --update' and 'wsl --shutdown' there"
            ),
            (None, Some(kind)) => format!(
                "there is no {path}: this is a container ({kind}) on a kernel that is not WSL's. Programs get the embedded device"
            ),
            (None, None) => {
                format!("there is no {path}: this is not WSL. Programs get the embedded device")
            }
        }],
        Errno::EACCES => vec![denied(node, facts)],
        Errno::EPERM => vec![match container {
            Some(kind) => format!("this container ({kind}) may not use the device {path}: {device}"),
            None => format!("{path} may not be opened, though its permissions would allow it: a device cgroup or a security module forbids it"),
        }],
        Errno::EBADF => vec![format!(
            "the host refuses to serve this process through {path}. That goes away with a restart of the virtual machine only: 'wsl --shutdown' (in Windows)"
        )],
        Errno::ENODEV => vec![format!(
            "{path} is there, but no driver behind it: the kernel was built without dxgkrnl, or the host shares no GPU"
        )],
        Errno(6) => vec![format!("{path} is there, but no driver behind it (ENXIO): is it a node of another kernel's numbers?")],
        _ => vec![format!("{path} cannot be opened")],
    }
}

fn denied(node: &Node, facts: &Facts) -> String {
    let path = &node.path;
    let Some(file) = &node.file else {
        return format!("{path} may not be opened, nor a folder on the way to it be looked into");
    };
    let group = file.group_name.clone().unwrap_or_else(|| file.group.to_string());
    let owner = file.owner_name.clone().unwrap_or_else(|| file.owner.to_string());
    let mode = u32::from_str_radix(&file.mode, 8).unwrap_or(0);
    let start = format!(
        "{path} may not be opened by user {}: it belongs to {owner}:{group} with mode {}",
        facts.user, file.mode
    );
    if mode & 0o060 == 0o060 && !facts.groups.contains(&file.group) {
        return format!(
            "{start}. Join its group: 'sudo usermod --append --groups {group} $USER', then log in again ('wsl --shutdown' in Windows); in a container add '--group-add {}'",
            file.group
        );
    }
    format!("{start}. WSL gives it mode 666: 'sudo chmod 666 {path}' restores that until the next start; look for an udev rule that takes it away")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::Made;
    use dxg_node::KERNEL_NODE;

    fn node(mode: &str, group: u32) -> Node {
        let file = File {
            mode: mode.to_owned(),
            owner: 0,
            owner_name: Some("root".to_owned()),
            group,
            group_name: Some("render".to_owned()),
            is_device: true,
        };
        let path = KERNEL_NODE.to_owned();
        Node { path, state: State::Denied, error: None, file: Some(file), table: None, hints: Vec::new() }
    }

    fn facts(wsl: Option<Wsl>, container: Option<&str>) -> Facts {
        Facts {
            kernel: String::new(),
            wsl,
            container: container.map(str::to_owned),
            wsl_libraries: false,
            wsl_drivers: false,
            user: 1000,
            groups: vec![1000],
        }
    }

    #[test]
    fn every_refusal_has_its_reason() {
        let wsl2 = Some(Wsl::Wsl2);
        let one = |errno, wsl, container| explain(errno, &node("660", 105), &facts(wsl, container)).join(" ");
        for (errno, wsl, container, word) in [
            (Errno::ENOENT, None, None, "not WSL"),
            (Errno::ENOENT, Some(Wsl::Wsl1), None, "WSL 1"),
            (Errno::ENOENT, wsl2, None, ".wslconfig"),
            (Errno::ENOENT, wsl2, Some("docker"), "--device /dev/dxg"),
            (Errno::ENOENT, None, Some("docker"), "container (docker)"),
            (Errno::EACCES, wsl2, None, "usermod --append --groups render"),
            (Errno::EPERM, wsl2, Some("docker"), "--device /dev/dxg"),
            (Errno::EPERM, wsl2, None, "security module"),
            (Errno::EBADF, wsl2, None, "wsl --shutdown"),
            (Errno::ENODEV, wsl2, None, "no driver behind it"),
            (Errno::EIO, wsl2, None, "cannot be opened"),
        ] {
            let text = one(errno, wsl, container);
            assert!(text.contains(word), "{errno}: {text}");
        }
        // A member of the group needs other permissions.
        let member = Facts { groups: vec![105], ..facts(wsl2, None) };
        assert!(explain(Errno::EACCES, &node("640", 105), &member)[0].contains("chmod 666"));
    }

    #[test]
    fn files_that_are_something_else_are_told() {
        let made = Made::new(&[("/dev/dxg", "")], &[]);
        let facts = facts(None, None);
        let (node, opened) = look(&made.0, &facts, Path::new(KERNEL_NODE));
        assert_eq!((node.state, opened.is_some()), (State::NotDxg, false));
        let (node, _) = look(&made.0, &facts, Path::new("/dev/other"));
        assert_eq!((node.state, node.hints.len()), (State::Missing, 1));
    }

    #[test]
    fn old_kernels_are_told() {
        let hint = |highest| table_hint(&Table { is_dxg: true, highest, missing: Vec::new() });
        assert_eq!(hint(0x49), None);
        for (highest, word) in [(0x43, "no sync files"), (0x47, "0x47"), (0x48, "WDDM features")] {
            assert!(hint(highest).expect("a hint").contains(word));
        }
    }
}
