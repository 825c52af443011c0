//! The kernel's node.

use crate::fork;
use dxg_abi::{Errno, Node};
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::{Mutex, PoisonError};

/// `/dev/dxg`, or another path to it.
///
/// A descriptor does not work in a forked child. The node notices and opens the device afresh for
/// the child; handles from before are still dead there, which is why the objects of this crate
/// do not even ask.
pub struct KernelNode {
    path: PathBuf,
    generation: u64,
    file: OwnedFd,
    /// The child's descriptor: its generation and itself. A grandchild is not served by it.
    reopened: OnceLock<(u64, OwnedFd)>,
    opening: Mutex<()>,
}

impl std::fmt::Debug for KernelNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KernelNode").field("path", &self.path).finish_non_exhaustive()
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

impl KernelNode {
    /// The usual path.
    pub const PATH: &'static str = "/dev/dxg";

    /// Opens the device.
    ///
    /// # Errors
    /// As for opening a file. EBADF means that the host refuses to serve this process; that does
    /// not go away by trying again, only by a restart of the virtual machine.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let generation = fork::generation();
        let file = open(&path)?;
        Ok(Self { path, generation, file, reopened: OnceLock::new(), opening: Mutex::new(()) })
    }

    /// The descriptor for this process, opened anew after a fork.
    fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        let now = fork::generation();
        if now == self.generation {
            return Ok(self.file.as_fd());
        }
        let reopened = match self.reopened.get() {
            Some(reopened) => reopened,
            None => {
                let _one = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
                match self.reopened.get() {
                    Some(reopened) => reopened,
                    None => {
                        let fd = open(&self.path).map_err(|e| e.raw_os_error().map_or(Errno::EIO, Errno))?;
                        self.reopened.get_or_init(|| (now, fd))
                    }
                }
            }
        };
        if reopened.0 == now {
            Ok(reopened.1.as_fd())
        } else {
            Err(Errno::ENOTTY)
        }
    }
}

impl Node for KernelNode {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        // The kernel takes the size from the request: a shorter buffer would be overrun.
        let size = (request >> 16 & 0x3fff) as usize;
        if arg.len() < size {
            return -Errno::EFAULT.0;
        }
        let fd = match self.fd() {
            Ok(fd) => fd,
            Err(errno) => return -errno.0,
        };
        // SAFETY: the descriptor is open; the argument has at least as many bytes as the
        // request says. Addresses inside are the caller's business, as the contract of `Node`
        // has it: callers of this crate pass addresses of live buffers.
        let r = unsafe { libc::ioctl(fd.as_raw_fd(), libc::c_ulong::from(request), arg.as_mut_ptr()) };
        // A status below −4095 comes through the C library as it is; only −1 is its own.
        if r != -1 {
            return r;
        }
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(Errno::EIO.0);
        -errno
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dxg_abi::Ioctl;

    #[test]
    fn a_missing_device_is_an_error() {
        let e = KernelNode::open("/nonexistent/dxg").expect_err("no such file");
        assert_eq!(e.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn errno_becomes_negative_and_short_arguments_do_not_pass() {
        // A file that knows no ioctl of ours stands in for a kernel without the call.
        let node = KernelNode::open("/dev/null").expect("open /dev/null");
        let request = Ioctl::CloseAdapter.request();
        assert_eq!(node.ioctl(request, &mut [0; 4]), -Errno::ENOTTY.0);
        assert_eq!(node.ioctl(request, &mut [0; 3]), -Errno::EFAULT.0);
        assert_eq!(node.describe(), "/dev/null");
    }

    #[test]
    fn a_forked_child_gets_a_descriptor_of_its_own() {
        // The file is gone by the time of the fork, so that opening it anew shows.
        let path = std::env::temp_dir().join(format!("winsys-dxg-fork-{}", std::process::id()));
        std::fs::write(&path, []).expect("file");
        let node = KernelNode::open(&path).expect("open");
        std::fs::remove_file(&path).expect("remove");
        let request = Ioctl::CloseAdapter.request();
        let mut arg = [0; 4];
        // SAFETY: the child makes system calls only and leaves at once.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let reopened = node.ioctl(request, &mut arg) == -Errno::ENOENT.0;
            // SAFETY: ends the child.
            unsafe { libc::_exit(i32::from(!reopened)) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status:#x}");
        assert_eq!(node.ioctl(request, &mut arg), -Errno::ENOTTY.0, "the parent keeps its own");
    }
}
