//! The memory behind a shared object's descriptor: a memfd that holds all of the object's state, so that any process with the
//! descriptor can open the object, and no process has to serve it.
//!
//! Page 0 is the head: what the object is, and words that processes signal each other with. Of a synchronisation object
//! page 1 is its fence page. Of a resource the pages after the head are its allocations', and behind them, written when the
//! resource is sealed, stands what its openers are told.
//!
//! What another process wrote is not trusted: the file's size is sealed before it is given away and checked before it is
//! mapped, and the head is read into a copy and checked before it is believed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use dxg_abi::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use rustix::fs::{MemfdFlags, SealFlags};

use crate::lock::{lock, Mutex};
use crate::mapping::PAGE;
use crate::sys::{self, FdIdentity};

const MAGIC: u64 = u64::from_le_bytes(*b"dxgshare");
const VERSION: u32 = 1;
/// What the kernel calls such a file.
pub(crate) const NAME: &str = "dxg-shared";
/// Longest description of a resource that is believed, bytes.
const DESCRIPTION_MAX: u64 = 64 << 20;
/// Seals that keep the file's size.
const SIZE: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

/// What a head says.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Head {
    magic: u64,
    version: u32,
    /// One of the constants below.
    pub(crate) kind: u32,
    /// Of a synchronisation object: its flags.
    pub(crate) flags: u32,
    reserved: u32,
    /// Of a semaphore: its highest count. Of a resource: where its description is.
    pub(crate) first: u64,
    /// Of a resource: how long its description is.
    pub(crate) second: u64,
}

/// A monitored fence.
pub(crate) const MONITORED: u32 = 1;
/// A fence without a page.
pub(crate) const LEGACY: u32 = 2;
/// A semaphore or mutex.
pub(crate) const SEMAPHORE: u32 = 3;
/// A resource.
pub(crate) const RESOURCE: u32 = 4;

/// The file of a shared object.
#[derive(Debug)]
pub(crate) struct SharedFile {
    fd: OwnedFd,
    identity: FdIdentity,
    /// Length so far, bytes.
    len: Mutex<u64>,
    #[cfg(loom)]
    pub(crate) words: Arc<crate::words::SharedWords>,
}

impl SharedFile {
    fn wrap(fd: OwnedFd) -> std::io::Result<Self> {
        let identity = sys::identity_of(&fd)?;
        let len = rustix::fs::fstat(&fd)?.st_size.unsigned_abs();
        Ok(Self {
            fd,
            identity,
            len: Mutex::new(len),
            #[cfg(loom)]
            words: crate::words::SharedWords::new(),
        })
    }

    /// A new file with a head and nothing else.
    fn new() -> std::io::Result<Self> {
        let fd = rustix::fs::memfd_create(NAME, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&fd, PAGE)?;
        Self::wrap(fd)
    }

    /// The file of a synchronisation object.
    pub(crate) fn for_sync(kind: u32, flags: u32, max: u64) -> std::io::Result<Arc<Self>> {
        let this = Self::new()?;
        this.grow(PAGE)?;
        this.write_head(Head { kind, flags, first: max, ..Head::default() })?;
        Ok(Arc::new(this))
    }

    /// The file of a resource, to which its allocations are added.
    pub(crate) fn for_resource() -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self::new()?))
    }

    /// Opens a descriptor of a client, if it is one of such a file.
    pub(crate) fn open(fd: RawFd) -> Option<(Arc<Self>, Head)> {
        let this = Self::wrap(sys::duplicate(fd).ok()?).ok()?;
        let head = this.head()?;
        Some((Arc::new(this), head))
    }

    /// The head, if the file is one whose size cannot change and that has one.
    pub(crate) fn head(&self) -> Option<Head> {
        if !rustix::fs::fcntl_get_seals(&self.fd).ok()?.contains(SIZE) {
            return None;
        }
        let mut head = Head::default();
        let n = rustix::io::pread(&self.fd, head.as_mut_bytes(), 0).ok()?;
        let enough = n == size_of::<Head>() && (head.kind == RESOURCE || *lock(&self.len) >= 2 * PAGE);
        (enough && head.magic == MAGIC && head.version == VERSION).then_some(head)
    }

    fn write_head(&self, head: Head) -> std::io::Result<()> {
        let head = Head { magic: MAGIC, version: VERSION, ..head };
        self.write(head.as_bytes(), 0)?;
        Ok(rustix::fs::fcntl_add_seals(&self.fd, SIZE)?)
    }

    fn write(&self, bytes: &[u8], mut at: u64) -> std::io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let n = rustix::io::pwrite(&self.fd, rest, at)?;
            rest = rest.get(n..).unwrap_or_default();
            at += n as u64;
        }
        Ok(())
    }

    /// Adds room at the end; where it begins. Room that is not used in the end costs no memory.
    pub(crate) fn grow(&self, size: u64) -> std::io::Result<u64> {
        let mut len = lock(&self.len);
        let at = *len;
        let end = at.checked_add(size).ok_or(std::io::ErrorKind::InvalidInput)?;
        rustix::fs::ftruncate(&self.fd, end)?;
        *len = end;
        Ok(at)
    }

    /// Writes what openers of a resource are told; nothing can be added from then on.
    pub(crate) fn seal(&self, description: &[u8]) -> std::io::Result<()> {
        let at = self.grow((description.len() as u64).next_multiple_of(PAGE))?;
        self.write(description, at)?;
        let (first, second) = (at, description.len() as u64);
        self.write_head(Head { kind: RESOURCE, first, second, ..Head::default() })
    }

    /// What openers of a resource are told.
    pub(crate) fn description(&self, head: &Head) -> Option<Vec<u8>> {
        if head.second > DESCRIPTION_MAX || !self.contains(head.first, head.second) {
            return None;
        }
        let mut bytes = vec![0; head.second as usize];
        let mut done = 0;
        while done < bytes.len() {
            let n = rustix::io::pread(&self.fd, &mut bytes[done..], head.first + done as u64).ok()?;
            if n == 0 {
                return None;
            }
            done += n;
        }
        Some(bytes)
    }

    /// Whether a range lies in the file.
    pub(crate) fn contains(&self, at: u64, len: u64) -> bool {
        at.checked_add(len).is_some_and(|end| end <= *lock(&self.len))
    }

    /// Tells this file from others.
    pub(crate) fn identity(&self) -> FdIdentity {
        self.identity
    }

    /// A descriptor for a client.
    pub(crate) fn descriptor(&self) -> std::io::Result<OwnedFd> {
        Ok(rustix::io::fcntl_dupfd_cloexec(&self.fd, 0)?)
    }
}

impl AsFd for SharedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn only_sealed_files_with_a_head_are_opened() {
        let file = SharedFile::for_sync(SEMAPHORE, 3, 5).unwrap();
        let (other, head) = SharedFile::open(file.as_fd().as_raw_fd()).unwrap();
        assert_eq!((head.kind, head.flags, head.first), (SEMAPHORE, 3, 5));
        assert_eq!(other.identity(), file.identity());
        assert!(rustix::fs::ftruncate(&*other, 0).is_err(), "the size is fixed");
        let plain = rustix::fs::memfd_create("x", MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&plain, 2 * PAGE).unwrap();
        assert!(SharedFile::open(plain.as_raw_fd()).is_none());
        let (pipe, _w) = rustix::pipe::pipe().unwrap();
        assert!(SharedFile::open(pipe.as_raw_fd()).is_none());
        assert!(SharedFile::open(-1).is_none());
        // A resource before it is sealed.
        let resource = SharedFile::for_resource().unwrap();
        assert!(SharedFile::open(resource.as_fd().as_raw_fd()).is_none());
        assert_eq!(resource.grow(3 * PAGE).unwrap(), PAGE);
        resource.seal(b"told").unwrap();
        let (opened, head) = SharedFile::open(resource.as_fd().as_raw_fd()).unwrap();
        assert_eq!(opened.description(&head).unwrap(), b"told");
        assert!(resource.grow(1).is_err());
        let far = Head { first: u64::MAX - 3, second: 4, ..head };
        assert!(opened.description(&far).is_none());
    }
}
