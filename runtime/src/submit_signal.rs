//! Wakes host waits for fences that have not been submitted yet.

use crate::lock::lock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Counts events that may give a fence its payload: submissions and imports.
#[derive(Debug, Default)]
pub(crate) struct SubmitSignal {
    count: Mutex<u64>,
    changed: Condvar,
    waiters: AtomicU32,
}

impl SubmitSignal {
    /// The count now. A waiter takes it before it looks at payloads.
    pub fn ticket(&self) -> u64 {
        *lock(&self.count)
    }

    /// Something was submitted.
    pub fn notify(&self) {
        *lock(&self.count) += 1;
        if self.waiters.load(Ordering::SeqCst) > 0 {
            self.changed.notify_all();
        }
    }

    /// Waits until the count is not `ticket` any more, at most `limit`.
    pub fn wait(&self, ticket: u64, limit: Duration) {
        self.waiters.fetch_add(1, Ordering::SeqCst);
        let guard = lock(&self.count);
        if *guard == ticket {
            let result = self.changed.wait_timeout_while(guard, limit, |count| *count == ticket);
            drop(result.unwrap_or_else(PoisonError::into_inner));
        } else {
            drop(guard);
        }
        self.waiters.fetch_sub(1, Ordering::SeqCst);
    }
}
