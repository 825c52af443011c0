//! The host's side of a call, as far as it can say no.
//!
//! A host may refuse any request for reasons of its own. What the caller sees of it depends on the reply: one with a status
//! gives the mapped errno, one without is merely too short (EOVERFLOW), and a fire-and-forget request has no reply.

use dxg_abi::{Ioctl, NtStatus};

use crate::lock::atomic::{AtomicU32, Ordering};
use crate::lock::{lock, Mutex};
use crate::process::{Failure, Process};

/// Refusals that have been asked for and not yet happened.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// Number of entries, so that calls pay one load while there are none.
    count: AtomicU32,
    list: Mutex<Vec<(Ioctl, NtStatus)>>,
}

impl Refusals {
    /// Refuses the next request of a kind that gets as far as the host.
    pub(crate) fn add(&self, ioctl: Ioctl, status: NtStatus) {
        lock(&self.list).push((ioctl, status));
        self.count.fetch_add(1, Ordering::Release);
    }

    fn take(&self, ioctl: Ioctl) -> Option<NtStatus> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut list = lock(&self.list);
        let at = list.iter().position(|(i, _)| *i == ioctl)?;
        let (_, status) = list.remove(at);
        self.count.fetch_sub(1, Ordering::Release);
        Some(status)
    }
}

impl Process {
    /// The host's word on a request, as a status.
    pub(crate) fn host_status(&self, ioctl: Ioctl) -> Result<(), NtStatus> {
        match self.refusals.take(ioctl) {
            Some(status) => Err(status),
            None => Ok(()),
        }
    }

    /// The host's word on a request whose reply carries a status.
    pub(crate) fn host(&self, ioctl: Ioctl) -> Result<(), Failure> {
        Ok(self.host_status(ioctl)?)
    }

    /// The host's word on a request whose reply carries none.
    pub(crate) fn mute_host(&self, ioctl: Ioctl) -> Result<(), Failure> {
        self.host_status(ioctl).map_err(|_| Failure::EOVERFLOW)
    }
}
