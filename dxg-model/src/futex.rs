//! Words that threads sleep on.

use crate::lock::atomic::{AtomicU32, Ordering::SeqCst};
#[cfg(not(loom))]
use rustix::thread::futex;

/// Who sleeps on a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Threads of this process.
    Process,
    /// Threads of any process that has the word's page.
    Everybody,
}

/// A word that threads sleep on. It may lie in memory that processes share.
#[derive(Debug)]
#[cfg_attr(not(loom), repr(transparent))]
pub(crate) struct Futex {
    word: AtomicU32,
    #[cfg(loom)]
    bed: bed::Bed,
}

impl Futex {
    /// A word with this value.
    pub(crate) fn new(value: u32) -> Self {
        Self {
            word: AtomicU32::new(value),
            #[cfg(loom)]
            bed: bed::Bed::default(),
        }
    }

    /// The value.
    pub(crate) fn get(&self) -> u32 {
        self.word.load(SeqCst)
    }

    /// Sets it; wakes nobody.
    pub(crate) fn set(&self, value: u32) {
        self.word.store(value, SeqCst);
    }

    /// Adds one, modulo 2³²; wakes nobody.
    pub(crate) fn bump(&self) {
        self.word.fetch_add(1, SeqCst);
    }

    /// Sleeps while the value is this; may end for no reason. `false` if a signal handler ended it.
    #[cfg(not(loom))]
    pub(crate) fn sleep(&self, value: u32, scope: Scope) -> bool {
        futex::wait(&self.word, flags(scope), value, None) != Err(rustix::io::Errno::INTR)
    }

    /// Wakes all who sleep.
    #[cfg(not(loom))]
    pub(crate) fn wake(&self, scope: Scope) {
        let _ = futex::wake(&self.word, flags(scope), u32::MAX >> 1);
    }

    #[cfg(loom)]
    pub(crate) fn sleep(&self, value: u32, _: Scope) -> bool {
        self.bed.wait(|| self.get() == value);
        true
    }

    #[cfg(loom)]
    pub(crate) fn wake(&self, _: Scope) {
        self.bed.wake();
    }
}

#[cfg(not(loom))]
fn flags(scope: Scope) -> futex::Flags {
    match scope {
        Scope::Process => futex::Flags::PRIVATE,
        Scope::Everybody => futex::Flags::empty(),
    }
}

/// What the system does: whether the word is as expected is looked at under the lock of those who wake.
#[cfg(loom)]
mod bed {
    use loom::sync::{Condvar, Mutex};

    #[derive(Debug, Default)]
    pub(super) struct Bed {
        lock: Mutex<()>,
        awake: Condvar,
    }

    impl Bed {
        pub(super) fn wake(&self) {
            let _guard = self.lock.lock().unwrap();
            self.awake.notify_all();
        }

        pub(super) fn wait(&self, as_expected: impl Fn() -> bool) {
            let guard = self.lock.lock().unwrap();
            if as_expected() {
                drop(self.awake.wait(guard).unwrap());
            }
        }
    }
}
