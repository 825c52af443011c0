//! Descriptors of shared objects.
//!
//! Each is the reading end of a pipe whose other end stays here: the pipe's inode tells one
//! object from another and from foreign descriptors, and when the last copy of the reading end is
//! closed, wherever it went, the pipe says so. The object lives until then.

use std::os::fd::{AsFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::pipe::{pipe_with, PipeFlags};

use crate::memory::SharedContent;
use crate::sync::SyncObject;
use crate::sys::{self, FdIdentity};

/// What a descriptor stands for.
#[derive(Clone, Debug)]
pub(crate) enum Shared {
    /// A synchronisation object ("dxgsyncobj").
    Sync(Arc<SyncObject>),
    /// A resource ("dxgresource").
    Resource(Arc<SharedContent>),
}

#[derive(Debug)]
struct Entry {
    identity: FdIdentity,
    keeper: OwnedFd,
    what: Shared,
}

/// A new descriptor, which stands for nothing yet.
#[derive(Debug)]
pub(crate) struct Descriptor {
    theirs: OwnedFd,
    keeper: OwnedFd,
    identity: FdIdentity,
}

impl Descriptor {
    pub(crate) fn new() -> std::io::Result<Self> {
        let (theirs, keeper) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let identity = sys::identity_of(&keeper)?;
        Ok(Self { theirs, keeper, identity })
    }
}

/// All descriptors given out.
#[derive(Debug, Default)]
pub(crate) struct Shares(Vec<Entry>);

impl Shares {
    /// Makes a descriptor (close-on-exec) that stands for an object; the caller owns it.
    pub(crate) fn share(&mut self, descriptor: Descriptor, what: Shared) -> RawFd {
        self.collect();
        let Descriptor { theirs, keeper, identity } = descriptor;
        self.0.push(Entry { identity, keeper, what });
        theirs.into_raw_fd()
    }

    /// The object behind a descriptor of ours.
    pub(crate) fn find(&self, fd: RawFd) -> Option<Shared> {
        let identity = sys::identity(fd).ok()?;
        self.0.iter().find(|e| e.identity == identity).map(|e| e.what.clone())
    }

    /// Forgets objects whose descriptors are all closed.
    pub(crate) fn collect(&mut self) {
        self.0.retain(|e| {
            let mut fds = [PollFd::from_borrowed_fd(e.keeper.as_fd(), PollFlags::empty())];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            // POLLERR on a writing end: nobody can read any more.
            !(poll(&mut fds, Some(&now)) == Ok(1) && fds[0].revents().contains(PollFlags::ERR))
        });
    }

    /// Number of live objects.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{Kind, SyncObject};
    use std::os::fd::FromRawFd;

    #[test]
    fn an_object_lives_as_long_as_any_copy_of_its_descriptor() {
        let mut shares = Shares::default();
        let object = SyncObject::plain(Kind::Legacy, Default::default(), 0);
        let fd = shares.share(Descriptor::new().unwrap(), Shared::Sync(object.clone()));
        let copy = sys::duplicate(fd).unwrap();
        // SAFETY: the descriptor was just made for us.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
        shares.collect();
        assert_eq!(shares.len(), 1);
        use std::os::fd::AsRawFd;
        assert!(shares.find(copy.as_raw_fd()).is_some());
        drop(copy);
        shares.collect();
        assert_eq!(shares.len(), 0);
        assert_eq!(Arc::strong_count(&object), 1);
        let (r, _w) = rustix::pipe::pipe().unwrap();
        assert!(shares.find(r.as_raw_fd()).is_none());
    }
}
