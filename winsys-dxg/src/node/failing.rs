//! A node at which one request fails.

use dxg_abi::{Errno, Ioctl, Node};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Lets the n-th request that can fail end with an error, before anybody has looked at it, and passes on all others: what a
/// kernel without memory does, or a host that refuses. Requests that give something back do not count, and do not fail: nothing can be
/// done about them.
#[derive(Debug)]
pub struct Failing {
    inner: Arc<dyn Node>,
    nth: u64,
    errno: Errno,
    seen: AtomicU64,
    failed: OnceLock<Ioctl>,
}

/// Whether a request gives something back, or ends something.
pub fn gives_back(ioctl: Ioctl) -> bool {
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

impl Failing {
    /// Lets the `nth` request to `inner` fail, counted from 1.
    pub fn new(inner: Arc<dyn Node>, nth: u64, errno: Errno) -> Self {
        Self { inner, nth, errno, seen: AtomicU64::new(0), failed: OnceLock::new() }
    }

    /// The request that failed, once it has.
    pub fn failed(&self) -> Option<Ioctl> {
        self.failed.get().copied()
    }
}

impl Node for Failing {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        if let Some(ioctl) = Ioctl::from_request(request).filter(|i| !gives_back(*i)) {
            if self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.nth {
                let _ = self.failed.set(ioctl);
                // Nothing to do if nobody hears it.
                let text = format!("vulkan-dxg: request {}, {ioctl}, fails as asked for: {}\n", self.nth, self.errno);
                let _ = std::io::stderr().write_all(text.as_bytes());
                return -self.errno.0;
            }
        }
        self.inner.ioctl(request, arg)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}
