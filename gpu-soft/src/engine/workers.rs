//! The worker threads of the engine: a pool that shares out ranges of workgroups.
//!
//! The thread that calls [`Workers::run`] works too, so a pool of one has no extra thread. Idle workers spin for a moment
//! and then sleep on a futex-backed condition; while nobody dispatches they cost nothing.

use super::arena::Arena;
use std::num::NonZeroUsize;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Stack of a worker; kernels spill to it.
const STACK_BYTES: usize = 8 << 20;

/// How long an idle worker looks for work before it sleeps.
const SPIN: Duration = Duration::from_micros(30);

/// A piece of work: called with ranges `[begin, end)` and the worker's arena, from several threads at once.
pub trait Work: Sync {
    /// Does a range.
    fn run(&self, begin: u64, end: u64, arena: &mut Arena);
}

/// One round of shared work.
struct Round {
    /// The work; erased lifetime, valid until `pending` workers have left the round.
    work: *const (dyn Work + 'static),
    total: u64,
    grain: u64,
    next: AtomicU64,
    /// A worker's piece of work has panicked.
    panicked: AtomicBool,
}

#[derive(Default)]
struct Slot {
    /// The current round; workers copy the pointer while they hold the lock and count themselves in.
    round: Option<RoundPtr>,
    /// Workers that wait to be woken.
    asleep: usize,
    quit: bool,
}

#[derive(Clone, Copy)]
struct RoundPtr(*const Round);
// SAFETY: the pointer is only dereferenced by workers counted in `Shared::inside`, which `Workers::run` waits for before
// the round goes out of scope; `Round` itself is shared by atomics and a `Sync` work.
unsafe impl Send for RoundPtr {}

struct Shared {
    slot: Mutex<Slot>,
    wake: Condvar,
    /// Rises with each round: what spinning workers look at.
    generation: AtomicUsize,
    /// Workers inside the current round.
    inside: AtomicUsize,
    quit: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pool. One round at a time; concurrent callers take turns.
pub struct Workers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// The caller's own arena, and the turn.
    turn: Mutex<Arena>,
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").field("threads", &self.count()).finish()
    }
}

impl Workers {
    /// A pool of `count` threads in all (the caller of [`Self::run`] counts). Threads that the system refuses to start are
    /// done without.
    pub fn new(count: NonZeroUsize) -> Workers {
        let shared = Arc::new(Shared {
            slot: Mutex::new(Slot::default()),
            wake: Condvar::new(),
            generation: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            quit: AtomicBool::new(false),
        });
        let mut threads = Vec::new();
        for i in 1..count.get() {
            let shared = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name(format!("vkdxg-gpu{i}")).stack_size(STACK_BYTES);
            match dxg_model::spawn_with(builder, move || worker(&shared)) {
                Ok(handle) => threads.push(handle),
                Err(_) => break,
            }
        }
        Workers { shared, threads, turn: Mutex::new(Arena::default()) }
    }

    /// Number of threads that share a round.
    pub fn count(&self) -> usize {
        self.threads.len() + 1
    }

    /// Runs `work` over `[begin, end)` on this thread alone.
    pub fn alone(&self, work: &dyn Work, begin: u64, end: u64) {
        let mut arena = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        work.run(begin, end, &mut arena);
    }

    /// Runs `work` over `[0, total)` in pieces of about `grain`, and returns when all of it is done.
    pub fn run(&self, work: &dyn Work, total: u64, grain: u64) {
        self.run_from(work, 0, total, grain);
    }

    /// As [`run`](Self::run), over `[from, total)`.
    pub fn run_from(&self, work: &dyn Work, from: u64, total: u64, grain: u64) {
        let mut arena = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let grain = grain.max(1);
        if self.threads.is_empty() || total.saturating_sub(from) <= grain {
            if from < total {
                work.run(from, total, &mut arena);
            }
            return;
        }
        let work: *const (dyn Work + '_) = work;
        // SAFETY: only the lifetime changes. The round is withdrawn and every worker has left it before this function
        // returns or unwinds, so nobody uses the reference after its real lifetime.
        let work: *const (dyn Work + 'static) = unsafe { std::mem::transmute(work) };
        let round = Round { work, total, grain, next: AtomicU64::new(from), panicked: AtomicBool::new(false) };
        let asleep = {
            let mut slot = self.shared.lock();
            slot.round = Some(RoundPtr(&round));
            self.shared.generation.fetch_add(1, Ordering::Release);
            slot.asleep
        };
        if asleep > 0 {
            self.shared.wake.notify_all();
        }
        let over = RoundOver(&self.shared);
        pull(&round, &mut arena);
        drop(over);
        if round.panicked.load(Ordering::Acquire) {
            // What the worker had in hand is not done, and the panic has been reported where it was.
            std::panic::resume_unwind(Box::new("a worker panicked"));
        }
    }
}

/// Withdraws a round and waits until all workers have left it, when dropped: also if the caller's own piece of work panics.
struct RoundOver<'a>(&'a Shared);

impl Drop for RoundOver<'_> {
    fn drop(&mut self) {
        // No worker may enter any more; those inside finish their last piece.
        self.0.lock().round = None;
        let mut spins = 0u32;
        while self.0.inside.load(Ordering::Acquire) != 0 {
            spins = spins.wrapping_add(1);
            if spins.is_multiple_of(64) {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.lock().quit = true;
        self.shared.quit.store(true, Ordering::Release);
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A worker that panicked has already ended; there is nothing left to do for it.
            let _ = thread.join();
        }
    }
}

/// Takes pieces until none is left.
fn pull(round: &Round, arena: &mut Arena) {
    loop {
        let begin = round.next.fetch_add(round.grain, Ordering::Relaxed);
        if begin >= round.total {
            return;
        }
        let end = begin.saturating_add(round.grain).min(round.total);
        // SAFETY: `run` keeps the work alive until every thread in the round has left `pull`.
        unsafe { &*round.work }.run(begin, end, arena);
    }
}

fn worker(shared: &Shared) {
    guard::plain_float_state();
    let mut arena = Arena::default();
    // The generation of the last round this worker took part in.
    let mut seen = 0;
    loop {
        spin_for_work(shared, seen);
        let round = {
            let mut slot = shared.lock();
            loop {
                if slot.quit {
                    return;
                }
                let generation = shared.generation.load(Ordering::Acquire);
                if let (Some(round), true) = (slot.round, generation != seen) {
                    seen = generation;
                    // Counted in while the lock is held: `run` withdraws the round under the same lock before it looks.
                    shared.inside.fetch_add(1, Ordering::AcqRel);
                    break round;
                }
                slot.asleep += 1;
                slot = shared.wake.wait(slot).unwrap_or_else(PoisonError::into_inner);
                slot.asleep -= 1;
            }
        };
        // SAFETY: this thread is counted in `inside`, so `run` has not returned and the round lives.
        let round = unsafe { &*round.0 };
        // The caller waits for this thread, so it has to leave the round whatever happens.
        if catch_unwind(AssertUnwindSafe(|| pull(round, &mut arena))).is_err() {
            round.panicked.store(true, Ordering::Release);
        }
        shared.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Looks for a new generation for a moment.
fn spin_for_work(shared: &Shared, seen: usize) {
    let start = Instant::now();
    while shared.generation.load(Ordering::Acquire) == seen && !shared.quit.load(Ordering::Acquire) {
        for _ in 0..32 {
            std::hint::spin_loop();
        }
        if start.elapsed() > SPIN {
            return;
        }
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum(AtomicU64, AtomicU64);
    impl Work for Sum {
        fn run(&self, begin: u64, end: u64, _arena: &mut Arena) {
            self.0.fetch_add((begin..end).sum::<u64>(), Ordering::Relaxed);
            self.1.fetch_add(end - begin, Ordering::Relaxed);
        }
    }

    #[test]
    fn every_index_is_done_once() {
        let workers = Workers::new(NonZeroUsize::new(4).unwrap());
        for total in [0u64, 1, 2, 7, 1000, 12345] {
            for grain in [1, 3, 1000] {
                let sum = Sum(AtomicU64::new(0), AtomicU64::new(0));
                workers.run(&sum, total, grain);
                assert_eq!(sum.1.load(Ordering::Relaxed), total);
                assert_eq!(sum.0.load(Ordering::Relaxed), total * total.saturating_sub(1) / 2);
            }
        }
    }

    #[test]
    fn a_rest_is_done_from_where_it_begins() {
        let workers = Workers::new(NonZeroUsize::new(3).unwrap());
        for (from, total) in [(0, 0), (5, 5), (5, 6), (7, 1000), (1000, 1000)] {
            let sum = Sum(AtomicU64::new(0), AtomicU64::new(0));
            workers.alone(&sum, 0, from);
            workers.run_from(&sum, from, total, 3);
            assert_eq!(sum.1.load(Ordering::Relaxed), total.max(from));
            assert_eq!(sum.0.load(Ordering::Relaxed), (0..total.max(from)).sum::<u64>());
        }
    }

    #[test]
    fn a_caller_that_panics_waits_for_the_workers() {
        /// Panics on the thread that calls; others wait until one is inside of the round, and take their time.
        struct Bad(std::thread::ThreadId, AtomicUsize);
        impl Work for Bad {
            fn run(&self, _begin: u64, _end: u64, _arena: &mut Arena) {
                if std::thread::current().id() == self.0 {
                    while self.1.load(Ordering::Acquire) == 0 {
                        std::thread::yield_now();
                    }
                    std::panic::resume_unwind(Box::new(()));
                }
                self.1.fetch_add(1, Ordering::AcqRel);
                std::thread::sleep(Duration::from_millis(20));
                self.1.fetch_add(1, Ordering::AcqRel);
            }
        }
        let workers = Workers::new(NonZeroUsize::new(3).unwrap());
        let bad = Bad(std::thread::current().id(), AtomicUsize::new(0));
        let run = std::panic::AssertUnwindSafe(|| workers.run(&bad, 8, 1));
        assert!(std::panic::catch_unwind(run).is_err());
        // Every worker that began has ended.
        let seen = bad.1.load(Ordering::Acquire);
        assert!(seen > 0 && seen.is_multiple_of(2), "{seen}");
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(bad.1.load(Ordering::Acquire), seen);
        // The pool is as good as before.
        let sum = Sum(AtomicU64::new(0), AtomicU64::new(0));
        workers.run(&sum, 100, 1);
        assert_eq!(sum.1.load(Ordering::Relaxed), 100);
    }

    #[test]
    fn a_worker_that_panics_is_the_callers_panic() {
        /// Panics on the threads that do not call; the caller waits until one has begun.
        struct Bad(std::thread::ThreadId, AtomicUsize);
        impl Work for Bad {
            fn run(&self, _begin: u64, _end: u64, _arena: &mut Arena) {
                if std::thread::current().id() != self.0 {
                    self.1.fetch_add(1, Ordering::AcqRel);
                    std::panic::resume_unwind(Box::new(()));
                }
                while self.1.load(Ordering::Acquire) == 0 {
                    std::thread::yield_now();
                }
            }
        }
        let workers = Workers::new(NonZeroUsize::new(3).unwrap());
        for _ in 0..3 {
            let bad = Bad(std::thread::current().id(), AtomicUsize::new(0));
            let run = std::panic::AssertUnwindSafe(|| workers.run(&bad, 8, 1));
            assert!(std::panic::catch_unwind(run).is_err());
        }
        // No worker is missing.
        let sum = Sum(AtomicU64::new(0), AtomicU64::new(0));
        workers.run(&sum, 1000, 1);
        assert_eq!(sum.1.load(Ordering::Relaxed), 1000);
    }

    #[test]
    fn many_callers_take_turns() {
        let workers = Workers::new(NonZeroUsize::new(3).unwrap());
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..200 {
                        let sum = Sum(AtomicU64::new(0), AtomicU64::new(0));
                        workers.run(&sum, 64, 1);
                        assert_eq!(sum.1.load(Ordering::Relaxed), 64);
                    }
                });
            }
        });
    }
}
