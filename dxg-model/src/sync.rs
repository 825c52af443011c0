//! Synchronisation objects: monitored fences above all, and the few older kinds.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use dxg_abi::SynchronizationObjectFlags;
use smallvec::SmallVec;

use crate::board::Board;
use crate::futex::{Futex, Scope};
use crate::lock::atomic::{AtomicI32, AtomicU64, Ordering};
use crate::lock::{lock, Mutex};
use crate::queue::Queue;
use crate::shared_file::{self, Head, SharedFile};
use crate::space::{AddressSpace, FencePage, PageOf, VaError};
use crate::sys;

/// What an object does.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A 64-bit value in a page: monitored fences, paging fences, progress fences.
    Monitored,
    /// A 64-bit value without a page.
    Legacy,
    /// A count that waits take from; a mutex is one with a maximum of 1.
    Semaphore { max: u64 },
    /// Each signal raises an eventfd.
    CpuNotification(Arc<OwnedFd>),
}

/// Who waits.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A queue whose next item is a wait.
    Queue(Arc<Queue>),
    /// A CPU wait.
    Cpu(Arc<CpuWait>),
}

#[derive(Debug)]
struct Waiter {
    value: u64,
    target: Target,
}

/// A value that processes share, in place of one in the state.
fn outside<'a>(kind: &Kind, board: Option<&'a Board>) -> Option<&'a AtomicU64> {
    match kind {
        Kind::Legacy | Kind::Semaphore { .. } => board.map(Board::value),
        Kind::Monitored | Kind::CpuNotification(_) => None,
    }
}

#[derive(Debug)]
struct State {
    /// The page; gone once the object is destroyed.
    page: Option<FencePage>,
    /// The value of kinds without a page.
    value: u64,
    waiters: Vec<Waiter>,
    /// Number of waiters at which those are dropped whose wait another object has ended.
    crowd: usize,
    /// Destroyed: every wait is over.
    closed: bool,
    /// The device was lost: the value stays all-ones.
    lost: bool,
}

/// An object, without regard to how many handles it has.
#[derive(Debug)]
pub(crate) struct SyncObject {
    pub(crate) kind: Kind,
    pub(crate) flags: SynchronizationObjectFlags,
    /// Of a shared object: where other processes find it.
    pub(crate) board: Option<Board>,
    state: Mutex<State>,
}

/// Waiters that are no reason to look whether they still wait.
const CROWD: usize = 32;

type Woken = SmallVec<[Target; 4]>;

fn wake(woken: Woken) {
    for target in woken {
        match target {
            Target::Queue(queue) => queue.kick(),
            Target::Cpu(wait) => wait.reached(),
        }
    }
}

impl SyncObject {
    /// An object without a page.
    pub(crate) fn plain(kind: Kind, flags: SynchronizationObjectFlags, value: u64) -> Arc<Self> {
        let this = Self::with_page(kind, flags, None, None);
        this.set(&mut lock(&this.state), value);
        this
    }

    fn with_page(
        kind: Kind,
        flags: SynchronizationObjectFlags,
        page: Option<FencePage>,
        board: Option<Board>,
    ) -> Arc<Self> {
        let state = Mutex::new(State { page, value: 0, waiters: Vec::new(), crowd: CROWD, closed: false, lost: false });
        Arc::new(Self { kind, flags, board, state })
    }

    /// A shared object with a value, of a kind that can leave the process; its value is in a file.
    pub(crate) fn shared(
        space: &Arc<AddressSpace>,
        kind: Kind,
        flags: SynchronizationObjectFlags,
        value: u64,
    ) -> Result<Arc<Self>, VaError> {
        let (code, max) = match &kind {
            Kind::Monitored => (shared_file::MONITORED, 0),
            Kind::Legacy => (shared_file::LEGACY, 0),
            Kind::Semaphore { max } => (shared_file::SEMAPHORE, *max),
            Kind::CpuNotification(_) => return Ok(Self::plain(kind, flags, value)),
        };
        let file = SharedFile::for_sync(code, flags.bits(), max)?;
        let this = Self::in_file(space, kind, flags, Board::new(file, false)?)?;
        this.set(&mut lock(&this.state), value);
        Ok(this)
    }

    /// The object in a file that came from elsewhere; `None` if it is none or there is no room.
    pub(crate) fn from_file(space: &Arc<AddressSpace>, file: &Arc<SharedFile>, head: &Head) -> Option<Arc<Self>> {
        let kind = match head.kind {
            shared_file::MONITORED => Kind::Monitored,
            shared_file::LEGACY => Kind::Legacy,
            shared_file::SEMAPHORE => Kind::Semaphore { max: head.first },
            _ => return None,
        };
        let board = Board::new(file.clone(), true).ok()?;
        Self::in_file(space, kind, SynchronizationObjectFlags(head.flags), board).ok()
    }

    fn in_file(
        space: &Arc<AddressSpace>,
        kind: Kind,
        flags: SynchronizationObjectFlags,
        board: Board,
    ) -> Result<Arc<Self>, VaError> {
        let page = match kind {
            Kind::Monitored => Some(space.new_fence_page(PageOf::File(&board.file))?),
            Kind::Legacy | Kind::Semaphore { .. } | Kind::CpuNotification(_) => None,
        };
        let address = page.as_ref().map(FencePage::address);
        let this = Self::with_page(kind, flags, page, Some(board));
        if let Some(address) = address {
            space.register_fence(address, &this);
        }
        Ok(this)
    }

    fn value(&self, st: &State) -> u64 {
        match (&st.page, outside(&self.kind, self.board.as_ref())) {
            (Some(page), _) => page.load(),
            (None, Some(word)) => word.load(Ordering::SeqCst),
            (None, None) => st.value,
        }
    }

    fn set(&self, st: &mut State, value: u64) {
        match (&st.page, outside(&self.kind, self.board.as_ref())) {
            (Some(page), _) => page.store(value),
            (None, Some(word)) => word.store(value, Ordering::SeqCst),
            (None, None) => st.value = value,
        }
    }

    /// Changes a count if `change` says to what; whether it did.
    fn count(&self, st: &mut State, change: impl Fn(u64) -> Option<u64>) -> bool {
        match outside(&self.kind, self.board.as_ref()) {
            Some(word) => word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).is_ok(),
            None => match change(st.value) {
                Some(value) => {
                    st.value = value;
                    true
                }
                None => false,
            },
        }
    }

    /// Whether it was lost, here or in another process.
    fn is_lost(&self, st: &State) -> bool {
        st.lost || self.board.as_ref().is_some_and(Board::is_lost)
    }

    /// Tells other processes that the value changed.
    fn tell(&self) {
        if let Some(board) = &self.board {
            board.notify();
        }
    }

    /// Other processes can have the object from now on; whoever waits here has to hear of them.
    pub(crate) fn give_away(self: &Arc<Self>) {
        if let Some(board) = &self.board {
            board.set_outside();
            if !lock(&self.state).waiters.is_empty() {
                board.attend(self);
            }
        }
    }

    /// A monitored fence with its page.
    pub(crate) fn monitored(
        space: &Arc<AddressSpace>,
        flags: SynchronizationObjectFlags,
        value: u64,
    ) -> Result<Arc<Self>, VaError> {
        let page = space.new_fence_page(PageOf::Nothing)?;
        let address = page.address();
        page.store(value);
        let this = Self::with_page(Kind::Monitored, flags, Some(page), None);
        space.register_fence(address, &this);
        Ok(this)
    }

    /// Whether it has a value in a page.
    pub(crate) fn is_fence(&self) -> bool {
        matches!(self.kind, Kind::Monitored)
    }

    /// A further page for the same value.
    pub(crate) fn view(self: &Arc<Self>, space: &Arc<AddressSpace>) -> Result<FencePage, VaError> {
        let st = lock(&self.state);
        let page = space.new_fence_page(st.page.as_ref().map_or(PageOf::Nothing, PageOf::Fence))?;
        drop(st);
        space.register_fence(page.address(), self);
        Ok(page)
    }

    /// Address of the page, 0 without one.
    pub(crate) fn address(&self) -> u64 {
        lock(&self.state).page.as_ref().map_or(0, FencePage::address)
    }

    /// The word in the page, for those who write it as a GPU does.
    #[cfg(all(test, loom))]
    pub(crate) fn raw_word(&self) -> Arc<AtomicU64> {
        lock(&self.state).page.as_ref().expect("a page").raw()
    }

    /// Signals: fences take the value, semaphores count up, notifications raise their event.
    pub(crate) fn signal(&self, value: u64) {
        let mut st = lock(&self.state);
        if st.closed || self.is_lost(&st) {
            return;
        }
        match &self.kind {
            Kind::Monitored | Kind::Legacy => self.set(&mut st, value),
            Kind::Semaphore { max } => {
                self.count(&mut st, |v| Some(v.saturating_add(1).min(*max)));
            }
            Kind::CpuNotification(event) => {
                drop(st);
                sys::raise(&**event);
                return;
            }
        }
        self.release(st);
        self.tell();
    }

    /// Raises a fence to at least `value`.
    pub(crate) fn advance(&self, value: u64) {
        let mut st = lock(&self.state);
        if st.closed || self.is_lost(&st) {
            return;
        }
        if self.value(&st) < value {
            self.set(&mut st, value);
        }
        self.release(st);
        self.tell();
    }

    /// The value was changed behind our back, by the GPU.
    pub(crate) fn written(&self) {
        self.look();
        self.tell();
    }

    /// Looks at the value anew: another process changed it.
    pub(crate) fn look(&self) {
        self.release(lock(&self.state));
    }

    /// Moves satisfied waiters out and wakes them after the lock is gone.
    fn release(&self, mut st: crate::lock::MutexGuard<'_, State>) {
        if st.waiters.is_empty() {
            return;
        }
        let value = self.value(&st);
        let over = st.closed || self.is_lost(&st);
        let mut woken = Woken::new();
        let mut i = 0;
        while i < st.waiters.len() {
            let reached = match self.kind {
                Kind::Monitored | Kind::Legacy => value >= st.waiters[i].value,
                // Who gets it comes out when they look.
                Kind::Semaphore { .. } => value > 0,
                Kind::CpuNotification(_) => true,
            };
            if over || reached {
                woken.push(st.waiters.swap_remove(i).target);
            } else {
                i += 1;
            }
        }
        drop(st);
        wake(woken);
    }

    /// Ends a wait for `value` if it is satisfied; otherwise registers `target` (if any) to be
    /// woken. Returns whether it was satisfied.
    pub(crate) fn wait(self: &Arc<Self>, value: u64, target: Option<&Target>) -> bool {
        let mut st = lock(&self.state);
        if st.closed || self.is_lost(&st) {
            return true;
        }
        let satisfied = match self.kind {
            Kind::Monitored | Kind::Legacy => self.value(&st) >= value,
            Kind::Semaphore { .. } => self.count(&mut st, |v| v.checked_sub(1)),
            // Not an object to wait for; never holds a queue up.
            Kind::CpuNotification(_) => true,
        };
        if !satisfied {
            if let Some(target) = target {
                if st.waiters.len() >= st.crowd {
                    st.waiters.retain(|w| !matches!(&w.target, Target::Cpu(wait) if wait.is_over()));
                    st.crowd = 2 * st.waiters.len() + CROWD;
                }
                st.waiters.push(Waiter { value, target: target.clone() });
                if let Some(board) = &self.board {
                    board.attend(self);
                }
            }
        }
        satisfied
    }

    /// Takes a CPU wait out again.
    fn forget(&self, wait: &Arc<CpuWait>) {
        lock(&self.state).waiters.retain(|w| !matches!(&w.target, Target::Cpu(c) if Arc::ptr_eq(c, wait)));
    }

    /// The device was lost: monitored fences jump to all-ones, unless they opted out.
    pub(crate) fn lose(&self) {
        let mut st = lock(&self.state);
        let opted_out = self.flags.contains(SynchronizationObjectFlags::NO_SIGNAL_MAX_VALUE_ON_TDR);
        if matches!(self.kind, Kind::Monitored) && !opted_out && !st.closed {
            self.set(&mut st, u64::MAX);
            st.lost = true;
            if let Some(board) = &self.board {
                board.set_lost();
            }
            self.release(st);
            self.tell();
        }
    }

    /// Destroys the object: its page goes and every wait ends.
    pub(crate) fn close(&self) {
        let mut st = lock(&self.state);
        let value = self.value(&st);
        st.value = value;
        let page = st.page.take();
        st.closed = true;
        self.release(st);
        drop(page);
    }

    /// Takes the page away but keeps the object (adapter stop).
    pub(crate) fn unmap(&self) {
        let mut st = lock(&self.state);
        let value = self.value(&st);
        st.value = value;
        let page = st.page.take();
        drop(st);
        drop(page);
    }
}

/// What is told of the end of a wait.
#[derive(Debug)]
pub(crate) enum Bell {
    /// An eventfd.
    Event(Arc<OwnedFd>),
    /// Our end of a sync file.
    SyncFile(Arc<OwnedFd>),
}

/// A wait of the CPU for one or all of some objects.
#[derive(Debug)]
pub(crate) struct CpuWait {
    /// Objects still to be reached; the wait ends when it passes from 1 to 0.
    missing: AtomicI32,
    /// 1 when over.
    over: Futex,
    /// Raised at the end, once.
    event: Mutex<Option<Bell>>,
}

impl CpuWait {
    /// Starts a wait; with an event it is asynchronous.
    pub(crate) fn start(objects: &[(Arc<SyncObject>, u64)], any: bool, event: Option<Bell>) -> Arc<Self> {
        let missing = if any { 1 } else { objects.len() as i32 };
        let this = Arc::new(Self { missing: AtomicI32::new(missing), over: Futex::new(0), event: Mutex::new(event) });
        let target = Target::Cpu(this.clone());
        for (object, value) in objects {
            if object.wait(*value, Some(&target)) {
                this.reached();
            }
        }
        this
    }

    /// Whether it has ended; a wait for any of some objects stays registered with the others.
    fn is_over(&self) -> bool {
        self.missing.load(Ordering::Acquire) <= 0
    }

    /// One object reached its value.
    fn reached(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        self.over.set(1);
        match lock(&self.event).take() {
            Some(Bell::Event(event)) => sys::raise(&*event),
            Some(Bell::SyncFile(end)) => sys::ring(&*end),
            None => self.over.wake(Scope::Process),
        }
    }

    /// Blocks until the wait is over. `false` if a signal handler interrupted it (one with
    /// SA_RESTART does not), in which case the wait is withdrawn.
    pub(crate) fn block(self: &Arc<Self>, objects: &[(Arc<SyncObject>, u64)]) -> bool {
        while self.over.get() == 0 {
            if !self.over.sleep(0, Scope::Process) {
                for (object, _) in objects {
                    object.forget(self);
                }
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_that_others_have_ended_are_dropped() {
        let fence = |value| SyncObject::plain(Kind::Legacy, SynchronizationObjectFlags::default(), value);
        let (never, reached) = (fence(0), fence(1));
        let pending = CpuWait::start(&[(never.clone(), 7)], false, None);
        for _ in 0..10_000 {
            let wait = CpuWait::start(&[(never.clone(), 1), (reached.clone(), 1)], true, None);
            assert!(wait.is_over());
        }
        assert!(lock(&never.state).waiters.len() <= 2 * CROWD, "{}", lock(&never.state).waiters.len());
        // One that still waits is not.
        assert!(!pending.is_over());
        never.signal(7);
        assert!(pending.is_over());
    }
}
