//! The eventfds that waits sleep on.
//!
//! A wait that is given up cannot be withdrawn: the system raises its event when the condition comes to hold, and keeps the event
//! until then. So it is kept here, too, and the next wait for the same sleeps on it again. Clients that look at something every
//! millisecond for hours cost one event.

use crate::error::{Error, Result};
use crate::wait::WaitMode;
use dxg_abi::Handle;
use rustix::event::{eventfd, EventfdFlags};
use smallvec::SmallVec;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Events kept for reuse.
const FREE: usize = 8;

/// Waits that were given up whose events are known.
const PENDING: usize = 64;

/// What a wait is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) points: SmallVec<[(Handle, u64); 2]>,
    pub(crate) mode: WaitMode,
}

#[derive(Debug, Default)]
struct Pool {
    /// Fired and read: ready for any wait.
    free: Vec<OwnedFd>,
    /// Of waits that were given up, oldest first.
    pending: Vec<(Condition, OwnedFd)>,
}

/// An event that requests can name.
pub(crate) fn new_event() -> Result<OwnedFd> {
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(Error::os)?;
    if fd.as_raw_fd() != 0 {
        return Ok(fd);
    }
    // Number 0 means "no event" in the request.
    rustix::io::fcntl_dupfd_cloexec(&fd, 3).map_err(Error::os)
}

/// The events of a device.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Pool>);

impl Events {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event for a wait, and whether the system raises it for this condition already. One that it does not can be raised for
    /// an older one all the same.
    pub(crate) fn take(&self, condition: &Condition) -> Result<(OwnedFd, bool)> {
        let mut pool = self.pool();
        if let Some(at) = pool.pending.iter().position(|(c, _)| c == condition) {
            return Ok((pool.pending.remove(at).1, true));
        }
        if let Some(fd) = pool.free.pop() {
            return Ok((fd, false));
        }
        if pool.pending.len() >= PENDING {
            return Ok((pool.pending.remove(0).1, false));
        }
        drop(pool);
        Ok((new_event()?, false))
    }

    /// Takes an event back that was raised.
    pub(crate) fn put(&self, fd: OwnedFd) {
        let mut count = [0u8; 8];
        if rustix::io::read(&fd, &mut count).is_err() {
            return;
        }
        let mut pool = self.pool();
        if pool.free.len() < FREE {
            pool.free.push(fd);
        }
    }

    /// Takes an event back that will be raised when the condition holds.
    pub(crate) fn give_up(&self, condition: Condition, fd: OwnedFd) {
        let mut pool = self.pool();
        if pool.pending.len() >= PENDING {
            pool.pending.remove(0);
        }
        pool.pending.push((condition, fd));
    }

    /// An object is about to be destroyed: conditions on it end, and its handle may come to name another.
    pub(crate) fn forget(&self, object: Handle) {
        self.pool().pending.retain(|(c, _)| c.points.iter().all(|p| p.0 != object));
    }
}
