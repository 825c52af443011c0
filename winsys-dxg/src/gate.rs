//! The way in for submissions that do not say what they use, until there is pressure.
//!
//! Who closes the gate and finds nobody inside knows the ends of all submissions that went through: each is noted before its
//! submission leaves. `RUSTFLAGS="--cfg loom" cargo test -p winsys-dxg --lib gate` tries every order.

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

/// A gate that is open at first and can be closed for good.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    closed: AtomicBool,
    /// How many are inside, or looking whether they may.
    inside: AtomicU32,
}

/// Sequentially consistent accesses have one order; loom knows that of fences only.
fn one_order() {
    #[cfg(loom)]
    loom::sync::atomic::fence(SeqCst);
}

impl Gate {
    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Closes it. Those inside stay until they leave.
    pub(crate) fn close(&self) {
        self.closed.store(true, SeqCst);
    }

    /// Goes in, if it is open. Whoever is in has to leave.
    pub(crate) fn enter(&self) -> bool {
        // In this order: whoever closes it looks for those inside afterwards.
        self.inside.fetch_add(1, SeqCst);
        one_order();
        if !self.is_closed() {
            return true;
        }
        self.inside.fetch_sub(1, SeqCst);
        false
    }

    /// Leaves.
    pub(crate) fn leave(&self) {
        self.inside.fetch_sub(1, SeqCst);
    }

    /// Whether nobody is inside; for those who closed it.
    pub(crate) fn is_empty(&self) -> bool {
        one_order();
        self.inside.load(SeqCst) == 0
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use loom::sync::Arc;

    #[test]
    fn who_finds_nobody_inside_knows_of_all_who_were() {
        loom::model(|| {
            let shared = Arc::new((Gate::default(), [AtomicU32::new(0), AtomicU32::new(0)]));
            let visitors = [0, 1].map(|i| {
                let shared = shared.clone();
                loom::thread::spawn(move || {
                    let went_in = shared.0.enter();
                    if went_in {
                        shared.1[i].store(1, SeqCst);
                        shared.0.leave();
                    }
                    went_in
                })
            });
            shared.0.close();
            let known = shared.0.is_empty().then(|| shared.1.each_ref().map(|noted| noted.load(SeqCst) == 1));
            for (i, visitor) in visitors.into_iter().enumerate() {
                let went_in = visitor.join().unwrap();
                assert!(known.is_none_or(|known| known[i] == went_in));
            }
        });
    }
}
