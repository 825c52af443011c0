//! Stand-ins for Linux sync files.
//!
//! A process cannot make the real ones, so these are ends of socket pairs: readable once the fence has reached the value
//! and from then on, for `poll` in whichever process. What one stands for is in the name of its other end, which stays here;
//! with it any process finds the fence's file, through the process that made the socket, and verifies that it is one.
//!
//! What differs from a real one is listed in `docs/dxg-model.md`.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::shared_file::{SharedFile, NAME};
use crate::sys;

/// What a sync file stands for.
#[derive(Debug)]
pub(crate) struct Point {
    /// The descriptor of the fence's file, if the fence is shared.
    pub(crate) fence: Option<Fence>,
    /// The value it waits for.
    pub(crate) value: u64,
}

/// The descriptor of a fence's file.
#[derive(Debug)]
pub(crate) enum Fence {
    /// One of this process.
    Own(RawFd),
    /// A copy of another process's.
    Other(OwnedFd),
}

impl Fence {
    pub(crate) fn number(&self) -> RawFd {
        match self {
            Fence::Own(fd) => *fd,
            Fence::Other(fd) => fd.as_raw_fd(),
        }
    }
}

#[derive(Debug)]
struct Entry {
    ours: Arc<OwnedFd>,
    // Its number is in the name.
    _file: Option<Arc<SharedFile>>,
}

/// The sync files that are open somewhere.
#[derive(Debug, Default)]
pub(crate) struct SyncFiles(Vec<Entry>);

const PREFIX: &str = "dxg-sync-file";

impl SyncFiles {
    /// Makes one: the client's end, and the end to write to when it is time.
    pub(crate) fn make(
        &mut self,
        file: Option<Arc<SharedFile>>,
        value: u64,
    ) -> std::io::Result<(OwnedFd, Arc<OwnedFd>)> {
        self.collect();
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let number = file.as_ref().map_or(-1, |f| f.as_fd().as_raw_fd());
        // The socket's own inode makes the name unique.
        let id = rustix::fs::fstat(&ours)?.st_ino;
        let name = format!("{PREFIX} {number} {value} {id}");
        rustix::net::bind(&ours, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
        let ours = Arc::new(ours);
        self.0.push(Entry { ours: ours.clone(), _file: file });
        Ok((theirs, ours))
    }

    /// Forgets those that are closed everywhere.
    pub(crate) fn collect(&mut self) {
        self.0.retain(|e| {
            let mut fds = [PollFd::from_borrowed_fd(e.ours.as_fd(), PollFlags::empty())];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            !(poll(&mut fds, Some(&now)) == Ok(1) && fds[0].revents().contains(PollFlags::HUP))
        });
    }

    /// Number of those open somewhere.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// What a descriptor stands for, if it is a sync file of ours.
pub(crate) fn read(fd: RawFd) -> Option<Point> {
    let (name, maker) = sys::peer(fd)?;
    let name = std::str::from_utf8(&name).ok()?;
    let mut words = name.strip_prefix(PREFIX)?.split_ascii_whitespace();
    let (number, value): (RawFd, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    if number < 0 {
        return Some(Point { fence: None, value });
    }
    if maker == std::process::id() {
        return Some(Point { fence: Some(Fence::Own(number)), value });
    }
    let path = format!("/proc/{maker}/fd/{number}");
    // Not everything that a name may point to can be opened without harm.
    if !std::fs::read_link(&path).ok()?.to_str()?.starts_with(&format!("/memfd:{NAME}")) {
        return None;
    }
    let fd = rustix::fs::open(&path, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()).ok()?;
    Some(Point { fence: Some(Fence::Other(fd)), value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared_file::MONITORED;

    fn readable(fd: &OwnedFd) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&now)) == Ok(1)
    }

    #[test]
    fn readable_when_it_is_time_and_gone_when_closed() {
        let mut files = SyncFiles::default();
        let file = SharedFile::for_sync(MONITORED, 0, 0).unwrap();
        let (theirs, ours) = files.make(Some(file.clone()), u64::MAX).unwrap();
        let point = read(theirs.as_raw_fd()).unwrap();
        assert_eq!(point.value, u64::MAX);
        assert_eq!(point.fence.unwrap().number(), file.as_fd().as_raw_fd());
        assert!(!readable(&theirs));
        sys::ring(&*ours);
        assert!(readable(&theirs) && readable(&theirs));
        assert_eq!(files.len(), 1);
        drop(theirs);
        files.collect();
        assert_eq!(files.len(), 0);
        // Nobody there to hear it: no harm.
        sys::ring(&*ours);
    }

    #[test]
    fn others_are_not_sync_files() {
        let (pipe, _w) = rustix::pipe::pipe().unwrap();
        assert!(read(pipe.as_raw_fd()).is_none() && read(-1).is_none() && read(1 << 20).is_none());
        let kind = (AddressFamily::UNIX, SocketType::STREAM);
        let (a, _b) = rustix::net::socketpair(kind.0, kind.1, SocketFlags::CLOEXEC, None).unwrap();
        assert!(read(a.as_raw_fd()).is_none());
        let mut files = SyncFiles::default();
        let (private, _) = files.make(None, 5).unwrap();
        assert!(read(private.as_raw_fd()).is_some_and(|p| p.fence.is_none() && p.value == 5));
    }
}
