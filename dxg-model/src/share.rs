//! Descriptors of shared objects.
//!
//! An object that can leave the process is its file (see `shared_file`), and its descriptor another for that file; here is
//! only noted which of them this process has open already, so that a descriptor that comes back finds the same object.
//!
//! What cannot leave the process (resources over the caller's own memory, CPU notifications) has the reading end of a
//! pipe whose other end stays here: the pipe's inode tells one object from another and from foreign descriptors, and when
//! the last copy of the reading end is closed, wherever it went, the pipe says so. The object lives until then.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::sync::{Arc, Weak};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::pipe::{pipe_with, PipeFlags};

use crate::content::SharedContent;
use crate::shared_file::{SharedFile, RESOURCE};
use crate::space::AddressSpace;
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

impl Shared {
    /// The file, of what can leave the process.
    fn file(&self) -> Option<&Arc<SharedFile>> {
        match self {
            Shared::Sync(s) => s.board.as_ref().map(|b| &b.file),
            Shared::Resource(r) => r.file.as_ref(),
        }
    }
}

/// An object of a file that is open in this process.
#[derive(Debug)]
enum Known {
    Sync(Weak<SyncObject>),
    Resource(Weak<SharedContent>),
}

impl Known {
    fn of(what: &Shared) -> Self {
        match what {
            Shared::Sync(s) => Known::Sync(Arc::downgrade(s)),
            Shared::Resource(r) => Known::Resource(Arc::downgrade(r)),
        }
    }

    fn get(&self) -> Option<Shared> {
        match self {
            Known::Sync(s) => s.upgrade().map(Shared::Sync),
            Known::Resource(r) => r.upgrade().map(Shared::Resource),
        }
    }
}

/// A descriptor that works in this process only.
#[derive(Debug)]
struct Local {
    identity: FdIdentity,
    keeper: OwnedFd,
    what: Shared,
}

/// All descriptors given out, and those that came in.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    known: HashMap<FdIdentity, Known>,
    /// Entries after which stale ones are dropped.
    limit: usize,
    local: Vec<Local>,
}

impl Shares {
    /// Makes a descriptor (close-on-exec) for an object.
    pub(crate) fn share(&mut self, what: Shared) -> std::io::Result<OwnedFd> {
        self.collect();
        if let Some(file) = what.file() {
            let fd = file.descriptor()?;
            self.know(&what);
            return Ok(fd);
        }
        let (theirs, keeper) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let identity = sys::identity_of(&keeper)?;
        self.local.push(Local { identity, keeper, what });
        Ok(theirs)
    }

    /// Remembers an object that leaves the process, to find it again should it come back.
    pub(crate) fn know(&mut self, what: &Shared) {
        let Some(identity) = what.file().map(|f| f.identity()) else { return };
        if self.known.len() >= self.limit {
            self.known.retain(|_, k| k.get().is_some());
            self.limit = 2 * self.known.len() + 64;
        }
        self.known.insert(identity, Known::of(what));
    }

    /// The object behind a descriptor, opened if this process does not have it yet.
    pub(crate) fn find(&mut self, space: &Arc<AddressSpace>, fd: RawFd) -> Option<Shared> {
        let identity = sys::identity(fd).ok()?;
        if let Some(local) = self.local.iter().find(|e| e.identity == identity) {
            return Some(local.what.clone());
        }
        if let Some(known) = self.known.get(&identity).and_then(Known::get) {
            return Some(known);
        }
        let (file, head) = SharedFile::open(fd)?;
        let what = match head.kind {
            RESOURCE => Shared::Resource(Arc::new(SharedContent::read(space, &file, &head)?)),
            _ => Shared::Sync(SyncObject::from_file(space, &file, &head)?),
        };
        self.know(&what);
        Some(what)
    }

    /// Forgets objects whose descriptors are all closed.
    pub(crate) fn collect(&mut self) {
        self.local.retain(|e| {
            let mut fds = [PollFd::from_borrowed_fd(e.keeper.as_fd(), PollFlags::empty())];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            // POLLERR on a writing end: nobody can read any more.
            !(poll(&mut fds, Some(&now)) == Ok(1) && fds[0].revents().contains(PollFlags::ERR))
        });
    }

    /// Number of objects that live on because a descriptor is open somewhere.
    pub(crate) fn len(&self) -> usize {
        self.local.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{Kind, SyncObject};

    #[test]
    fn a_local_object_lives_as_long_as_any_copy_of_its_descriptor() {
        use std::os::fd::AsRawFd;
        let mut shares = Shares::default();
        let space = AddressSpace::new(16 << 20).unwrap();
        let object = SyncObject::plain(Kind::Legacy, Default::default(), 0);
        let fd = shares.share(Shared::Sync(object.clone())).unwrap();
        let copy = fd.try_clone().unwrap();
        drop(fd);
        shares.collect();
        assert_eq!(shares.len(), 1);
        assert!(shares.find(&space, copy.as_raw_fd()).is_some());
        drop(copy);
        shares.collect();
        assert_eq!(shares.len(), 0);
        assert_eq!(Arc::strong_count(&object), 1);
        let (r, _w) = rustix::pipe::pipe().unwrap();
        assert!(shares.find(&space, r.as_raw_fd()).is_none());
    }

    #[test]
    fn a_file_is_the_object() {
        use std::os::fd::AsRawFd;
        let mut shares = Shares::default();
        let space = AddressSpace::new(16 << 20).unwrap();
        let object = SyncObject::shared(&space, Kind::Monitored, Default::default(), 7).unwrap();
        let fd = shares.share(Shared::Sync(object.clone())).unwrap();
        let same = shares.find(&space, fd.as_raw_fd());
        assert!(matches!(same, Some(Shared::Sync(s)) if Arc::ptr_eq(&s, &object)));
        drop(object);
        let Some(Shared::Sync(again)) = shares.find(&space, fd.as_raw_fd()) else { panic!("gone") };
        assert!(again.wait(7, None) && !again.wait(8, None));
        again.signal(8);
        assert!(again.wait(8, None));
    }
}
