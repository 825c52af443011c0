//! Locks. Order where several are held: device → queue → pool → memory; the type of each lock says where it stands.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex. A panic of another holder does not make its data unusable here: every critical section of the runtime leaves
/// its data in a valid state before anything that could panic.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
