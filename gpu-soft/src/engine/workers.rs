//! The worker threads of the engine: a pool that shares out ranges of workgroups.
//!
//! Every piece of a round belongs to one thread, the same one whenever the round is as long: what a dispatch leaves in the caches of a
//! processor the next one finds there. A thread takes its own pieces first, in order, and then those that others have not come to.
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

/// Threads that have pieces of their own; more share those of the others.
const OWNERS: usize = 64;

/// How many pieces of an owner have been taken; in a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Taken(AtomicU64);

/// One round of shared work: pieces of nearly the same size.
struct Round {
    /// The work; erased lifetime, valid until `pending` workers have left the round.
    work: *const (dyn Work + 'static),
    from: u64,
    /// How much each piece takes at least, and how many take one more, spread evenly.
    each: u64,
    rest: u64,
    pieces: u64,
    /// Piece `p` belongs to owner `p % owners`.
    owners: u64,
    /// Owners with pieces that nobody has taken, a bit each.
    open: AtomicU64,
    /// A worker's piece of work has panicked.
    panicked: AtomicBool,
}

impl Round {
    /// `[from, total)`, which is not empty, in pieces of at most `grain`.
    fn new(work: *const (dyn Work + 'static), from: u64, total: u64, grain: u64, threads: usize) -> Round {
        let amount = total - from;
        let pieces = amount.div_ceil(grain);
        // Threads whose first piece does not exist own nothing.
        let owners = (threads.min(OWNERS) as u64).min(pieces).max(1);
        Round {
            work,
            from,
            each: amount / pieces,
            rest: amount % pieces,
            pieces,
            owners,
            open: AtomicU64::new(u64::MAX >> (64 - owners)),
            panicked: AtomicBool::new(false),
        }
    }

    /// Where a piece begins, or the last one ends.
    fn start(&self, piece: u64) -> u64 {
        let more = u128::from(piece) * u128::from(self.rest) / u128::from(self.pieces);
        // Not more than `piece`.
        self.from + piece * self.each + more as u64
    }

    /// The next piece of an owner, if there is one.
    fn take(&self, taken: &[Taken], owner: u64) -> Option<u64> {
        let bit = 1 << owner;
        if self.open.load(Ordering::Relaxed) & bit == 0 {
            return None;
        }
        let count = taken[owner as usize].0.fetch_add(1, Ordering::Relaxed);
        let piece = count.checked_mul(self.owners).and_then(|p| p.checked_add(owner)).filter(|p| *p < self.pieces);
        if piece.is_none() {
            self.open.fetch_and(!bit, Ordering::Relaxed);
        }
        piece
    }
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
    /// What has been taken of the current round, by owner.
    taken: Vec<Taken>,
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
            taken: (0..count.get().min(OWNERS)).map(|_| Taken::default()).collect(),
            quit: AtomicBool::new(false),
        });
        let mut threads = Vec::new();
        for i in 1..count.get() {
            let shared = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name(format!("vkdxg-gpu{i}")).stack_size(STACK_BYTES);
            match dxg_model::spawn_with(builder, move || worker(&shared, i)) {
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
        let round = Round::new(work, from, total, grain, self.count());
        // Nobody is in a round now; those who come into this one see this, by the lock.
        self.shared.taken.iter().for_each(|t| t.0.store(0, Ordering::Relaxed));
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
        pull(&round, &self.shared.taken, 0, &mut arena);
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

/// Takes pieces until none is left, those of this thread first.
fn pull(round: &Round, taken: &[Taken], thread: usize, arena: &mut Arena) {
    let own = thread as u64 % round.owners;
    for owner in (own..round.owners).chain(0..own) {
        while let Some(piece) = round.take(taken, owner) {
            // SAFETY: `run` keeps the work alive until every thread in the round has left `pull`.
            unsafe { &*round.work }.run(round.start(piece), round.start(piece + 1), arena);
        }
        if round.open.load(Ordering::Relaxed) == 0 {
            return;
        }
    }
}

fn worker(shared: &Shared, thread: usize) {
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
        if catch_unwind(AssertUnwindSafe(|| pull(round, &shared.taken, thread, &mut arena))).is_err() {
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
    fn pieces_have_owners_and_follow_each_other() {
        let work: *const (dyn Work + 'static) = &Sum(AtomicU64::new(0), AtomicU64::new(0));
        for (from, total, grain, threads) in
            [(0, 1, 1, 4), (3, 1000, 31, 2), (0, 64, 2, 32), (7, 100, 1, 70), (0, u64::MAX >> 1, 1 << 50, 3)]
        {
            let round = Round::new(work, from, total, grain, threads);
            assert_eq!((round.start(0), round.start(round.pieces)), (from, total));
            let sizes = (0..round.pieces.min(9000)).map(|p| round.start(p + 1) - round.start(p));
            assert!(sizes.clone().all(|s| (1..=grain).contains(&s)));
            if round.pieces > 9000 {
                continue;
            }
            let taken: Vec<Taken> = (0..OWNERS).map(|_| Taken::default()).collect();
            let mut all = Vec::new();
            for owner in 0..round.owners {
                let of: Vec<u64> = std::iter::from_fn(|| round.take(&taken, owner)).collect();
                assert!(of.iter().all(|p| p % round.owners == owner) && of.is_sorted());
                all.extend(of);
            }
            assert_eq!(round.open.load(Ordering::Relaxed), 0);
            all.sort_unstable();
            assert!(all.into_iter().eq(0..round.pieces));
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
