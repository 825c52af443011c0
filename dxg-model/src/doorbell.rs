//! How a node's thread sleeps until somebody has something for it.
//!
//! Whoever brings something puts it down first and rings then; the thread takes note of the rings it has heard, looks for
//! things, and sleeps only if there was no ring meanwhile.

use crate::futex::{Futex, Scope};
use crate::lock::atomic::{AtomicBool, Ordering::SeqCst};
use crate::lock::one_order;

/// A bell for one sleeper.
#[derive(Debug)]
pub(crate) struct Doorbell {
    /// Bumped with every ring; the sleeper sleeps on it.
    rings: Futex,
    sleeping: AtomicBool,
}

impl Doorbell {
    /// A bell that has not been rung.
    pub(crate) fn new() -> Self {
        Self { rings: Futex::new(0), sleeping: AtomicBool::new(false) }
    }

    /// Number of rings so far, modulo 2³².
    pub(crate) fn rings(&self) -> u32 {
        self.rings.get()
    }

    /// Rings: wakes the sleeper if there is one. What it is to find has to be there already.
    pub(crate) fn ring(&self) {
        self.rings.bump();
        one_order();
        if self.sleeping.load(SeqCst) {
            self.rings.wake(Scope::Process);
        }
    }

    /// Sleeps unless there were rings beyond those heard; may end without a ring.
    pub(crate) fn sleep(&self, heard: u32) {
        self.sleeping.store(true, SeqCst);
        one_order();
        if self.rings.get() == heard {
            self.rings.sleep(heard, Scope::Process);
        }
        self.sleeping.store(false, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::atomic::AtomicU32;

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
