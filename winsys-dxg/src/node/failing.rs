//! A node at which one request fails, and how such a request is found.

use dxg_abi::{Errno, Ioctl, Node};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Whether a request gives something back, or ends something.
fn gives_back(ioctl: Ioctl) -> bool {
    use Ioctl as I;
    matches!(
        ioctl,
        I::CloseAdapter
            | I::DestroyAllocation2
            | I::DestroyContext
            | I::DestroyDevice
            | I::DestroyHwQueue
            | I::DestroyPagingQueue
            | I::DestroySynchronizationObject
            | I::Evict
            | I::FreeGpuVirtualAddress
            | I::Unlock2
    )
}

/// Finds the n-th of the requests that can fail. Those that give something back do not count: nothing can be done about them.
#[derive(Debug)]
pub struct Nth {
    nth: u64,
    seen: AtomicU64,
}

impl Nth {
    /// The `nth` one, counted from 1.
    pub fn new(nth: u64) -> Self {
        Self { nth, seen: AtomicU64::new(0) }
    }

    /// What this request is, if it is the one. To be asked once about each.
    pub fn find(&self, request: u32) -> Option<Ioctl> {
        let ioctl = Ioctl::from_request(request).filter(|i| !gives_back(*i))?;
        (self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.nth).then_some(ioctl)
    }

    /// Which one it is.
    pub fn number(&self) -> u64 {
        self.nth
    }
}

/// Says on stderr what becomes of a request; there is nothing to do if nobody hears it.
pub fn say(what: std::fmt::Arguments<'_>) {
    let _ = std::io::stderr().write_all(format!("vulkan-dxg: {what}\n").as_bytes());
}

/// Lets the n-th request that can fail (see [`Nth`]) end with an error, before anybody has looked at it, and passes on all others: what
/// a kernel without memory does, or a host that refuses.
#[derive(Debug)]
pub struct Failing {
    inner: Arc<dyn Node>,
    errno: Errno,
    nth: Nth,
    failed: OnceLock<Ioctl>,
}

impl Failing {
    /// Lets the `nth` request to `inner` fail, counted from 1.
    pub fn new(inner: Arc<dyn Node>, nth: u64, errno: Errno) -> Self {
        Self { inner, errno, nth: Nth::new(nth), failed: OnceLock::new() }
    }

    /// The request that failed, once it has.
    pub fn failed(&self) -> Option<Ioctl> {
        self.failed.get().copied()
    }
}

impl Node for Failing {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        if let Some(ioctl) = self.nth.find(request) {
            let _ = self.failed.set(ioctl);
            say(format_args!("request {}, {ioctl}, fails as asked for: {}", self.nth.number(), self.errno));
            return -self.errno.0;
        }
        self.inner.ioctl(request, arg)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}
