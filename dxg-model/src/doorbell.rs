//! How a node's thread sleeps until somebody has something for it.
//!
//! Whoever brings something puts it down first and rings then; the thread takes note of the rings it has heard, looks for
//! things, and sleeps only if there was no ring meanwhile. `RUSTFLAGS="--cfg loom" cargo test -p dxg-model --lib doorbell` tries
//! every order in which the steps of two threads can happen.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

/// A bell for one sleeper.
#[derive(Debug)]
pub(crate) struct Doorbell {
    /// Bumped with every ring; the futex word of the sleeper.
    rings: AtomicU32,
    sleeping: AtomicBool,
    #[cfg(loom)]
    bed: bed::Bed,
}

impl Doorbell {
    /// A bell that has not been rung.
    pub(crate) fn new() -> Self {
        Self {
            rings: AtomicU32::new(0),
            sleeping: AtomicBool::new(false),
            #[cfg(loom)]
            bed: bed::Bed::default(),
        }
    }

    /// Number of rings so far, modulo 2³².
    pub(crate) fn rings(&self) -> u32 {
        self.rings.load(SeqCst)
    }

    /// Rings: wakes the sleeper if there is one. What it is to find has to be there already.
    pub(crate) fn ring(&self) {
        self.rings.fetch_add(1, SeqCst);
        one_order();
        if self.sleeping.load(SeqCst) {
            self.wake();
        }
    }

    /// Sleeps unless there were rings beyond those heard; may end without a ring.
    pub(crate) fn sleep(&self, heard: u32) {
        self.sleeping.store(true, SeqCst);
        one_order();
        if self.rings.load(SeqCst) == heard {
            self.wait(heard);
        }
        self.sleeping.store(false, SeqCst);
    }

    #[cfg(not(loom))]
    fn wake(&self) {
        use rustix::thread::futex;
        let _ = futex::wake(&self.rings, futex::Flags::PRIVATE, 1);
    }

    #[cfg(not(loom))]
    fn wait(&self, heard: u32) {
        use rustix::thread::futex;
        let _ = futex::wait(&self.rings, futex::Flags::PRIVATE, heard, None);
    }

    #[cfg(loom)]
    fn wake(&self) {
        self.bed.wake();
    }

    #[cfg(loom)]
    fn wait(&self, heard: u32) {
        self.bed.wait(|| self.rings.load(SeqCst) == heard);
    }
}

/// Sequentially consistent accesses have one order; loom knows that of fences only.
fn one_order() {
    #[cfg(loom)]
    loom::sync::atomic::fence(SeqCst);
}

/// A futex: whether the word is as expected is looked at under the lock of those who wake.
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
            self.awake.notify_one();
        }

        pub(super) fn wait(&self, as_expected: impl Fn() -> bool) {
            let guard = self.lock.lock().unwrap();
            if as_expected() {
                drop(self.awake.wait(guard).unwrap());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes things until there have been `n`, as a node's thread does. A lost ring is a sleep without end, which loom reports
    /// as a deadlock.
    fn serve(bell: &Doorbell, things: &AtomicU32, n: u32) {
        let mut taken = 0;
        while taken < n {
            let heard = bell.rings();
            let now = things.swap(0, SeqCst);
            if now == 0 {
                bell.sleep(heard);
            }
            taken += now;
        }
    }

    #[cfg(loom)]
    #[test]
    fn no_ring_is_lost_in_any_order() {
        // All orders where there is one to bring one thing; with more, those in which threads are interrupted up to so often.
        for (bringers, each, interruptions) in [(1, 1, None), (1, 2, Some(4)), (2, 1, Some(3))] {
            let mut model = loom::model::Builder::new();
            model.preemption_bound = interruptions;
            model.check(move || {
                let shared = loom::sync::Arc::new((Doorbell::new(), AtomicU32::new(0)));
                let threads: Vec<_> = (0..bringers)
                    .map(|_| {
                        let shared = shared.clone();
                        loom::thread::spawn(move || {
                            for _ in 0..each {
                                shared.1.fetch_add(1, SeqCst);
                                shared.0.ring();
                            }
                        })
                    })
                    .collect();
                serve(&shared.0, &shared.1, bringers * each);
                for t in threads {
                    t.join().unwrap();
                }
            });
        }
    }

    #[cfg(not(loom))]
    #[test]
    fn no_ring_is_lost() {
        let (bell, things) = (Doorbell::new(), AtomicU32::new(0));
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    for i in 0..20_000u32 {
                        things.fetch_add(1, SeqCst);
                        bell.ring();
                        if i % 64 == 0 {
                            std::thread::yield_now();
                        }
                    }
                });
            }
            serve(&bell, &things, 60_000);
        });
    }
}
