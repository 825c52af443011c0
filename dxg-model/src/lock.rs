//! Locks that survive a panic of a holder: the data of the model is consistent between any two
//! statements that can panic, so a poisoned lock is taken as it is.
//!
//! Lock order, outermost first; a lock is only ever taken while holding ones above it:
//! 1. `Process::adapters` (adapter handles), `Resource::state`, `Allocation::locks`
//! 2. `Process::objects` (process handle table; held only to look up, insert or remove)
//! 3. `Device::exec`
//! 4. `Process::shares`; `Paging` timer, then `PagingQueue::counter`
//! 5. `Queue::inner`
//! 6. `SyncObject::state`
//! 7. `NodeSched::ready`, `NodeSched::current`
//! 8. `Residency`, `AddressSpace::inner`, `AddressSpace::fences`, `Board::listening` (leaves)
//!
//! Signals never run waiters' code under a lock: satisfied waiters are moved out of the
//! fence first and woken after its lock is released.
//!
//! The locks and the atomic words of the model come from here, so that a build with `--cfg loom` has those of loom, which
//! tries every order in which threads can take their steps (see `orders`).

#[cfg(loom)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::sync::PoisonError;
#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// Atomic words.
pub(crate) mod atomic {
    #[cfg(not(loom))]
    pub(crate) use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
    #[cfg(loom)]
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
}

/// Sequentially consistent accesses have one order; loom knows that of fences only.
pub(crate) fn one_order() {
    #[cfg(loom)]
    loom::sync::atomic::fence(atomic::Ordering::SeqCst);
}

/// Locks a mutex.
pub(crate) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for reading.
pub(crate) fn read<T>(l: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    l.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for writing.
pub(crate) fn write<T>(l: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    l.write().unwrap_or_else(PoisonError::into_inner)
}

/// Waits on a condition variable.
pub(crate) fn wait<'a, T>(c: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    c.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// Waits on a condition variable for at most `time`.
#[cfg(not(loom))]
pub(crate) fn wait_for<'a, T>(c: &Condvar, guard: MutexGuard<'a, T>, time: Duration) -> MutexGuard<'a, T> {
    c.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner).0
}

/// In loom time is always up.
#[cfg(loom)]
pub(crate) fn wait_for<'a, T>(_: &Condvar, guard: MutexGuard<'a, T>, _: Duration) -> MutexGuard<'a, T> {
    guard
}
