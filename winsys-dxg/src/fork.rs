//! Noticing a fork.
//!
//! Handles, locked pages and descriptors of `/dev/dxg` are of no use to a forked child, and a
//! stale handle may name something else there. A counter that a fork handler raises lets every
//! call compare one number instead of asking for the process id.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Once;

static GENERATION: AtomicU64 = AtomicU64::new(0);
static INSTALL: Once = Once::new();

extern "C" fn after_fork() {
    // Only an atomic addition: allowed between fork and exec.
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// How many forks lie between the first process that asked and this one.
pub(crate) fn generation() -> u64 {
    INSTALL.call_once(|| {
        // SAFETY: the handler is async-signal-safe and lives as long as this library; the C
        // library drops handlers of a library that is unloaded.
        unsafe {
            libc::pthread_atfork(None, None, Some(after_fork));
        }
    });
    GENERATION.load(Ordering::Relaxed)
}
