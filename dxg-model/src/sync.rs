//! Synchronisation objects: monitored fences above all, and the few older kinds.

use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use dxg_abi::SynchronizationObjectFlags;
use rustix::thread::futex;
use smallvec::SmallVec;

use crate::lock::lock;
use crate::queue::Queue;
use crate::space::{AddressSpace, FencePage, VaError};
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

#[derive(Debug)]
struct State {
    /// The page; gone once the object is destroyed.
    page: Option<FencePage>,
    /// The value of kinds without a page.
    value: u64,
    waiters: Vec<Waiter>,
    /// Destroyed: every wait is over.
    closed: bool,
    /// The device was lost: the value stays all-ones.
    lost: bool,
}

impl State {
    fn value(&self) -> u64 {
        self.page.as_ref().map_or(self.value, FencePage::load)
    }

    fn set(&mut self, value: u64) {
        match &self.page {
            Some(page) => page.store(value),
            None => self.value = value,
        }
    }
}

/// An object, without regard to how many handles it has.
#[derive(Debug)]
pub(crate) struct SyncObject {
    pub(crate) kind: Kind,
    pub(crate) flags: SynchronizationObjectFlags,
    state: Mutex<State>,
}

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
        Self::with_page(kind, flags, value, None)
    }

    fn with_page(kind: Kind, flags: SynchronizationObjectFlags, value: u64, page: Option<FencePage>) -> Arc<Self> {
        if let Some(page) = &page {
            page.store(value);
        }
        let waiters = Vec::new();
        let state = Mutex::new(State { page, value, waiters, closed: false, lost: false });
        Arc::new(Self { kind, flags, state })
    }

    /// A monitored fence with its page.
    pub(crate) fn monitored(
        space: &Arc<AddressSpace>,
        flags: SynchronizationObjectFlags,
        value: u64,
    ) -> Result<Arc<Self>, VaError> {
        let page = space.new_fence_page(None)?;
        let address = page.address();
        let this = Self::with_page(Kind::Monitored, flags, value, Some(page));
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
        let page = space.new_fence_page(st.page.as_ref())?;
        drop(st);
        space.register_fence(page.address(), self);
        Ok(page)
    }

    /// Address of the page, 0 without one.
    pub(crate) fn address(&self) -> u64 {
        lock(&self.state).page.as_ref().map_or(0, FencePage::address)
    }

    /// Signals: fences take the value, semaphores count up, notifications raise their event.
    pub(crate) fn signal(&self, value: u64) {
        let mut st = lock(&self.state);
        if st.closed || st.lost {
            return;
        }
        match &self.kind {
            Kind::Monitored | Kind::Legacy => st.set(value),
            Kind::Semaphore { max } => st.value = (st.value + 1).min(*max),
            Kind::CpuNotification(event) => {
                drop(st);
                sys::raise(&**event);
                return;
            }
        }
        self.release(st);
    }

    /// Raises a fence to at least `value`.
    pub(crate) fn advance(&self, value: u64) {
        let mut st = lock(&self.state);
        if st.closed || st.lost {
            return;
        }
        if st.value() < value {
            st.set(value);
        }
        self.release(st);
    }

    /// The value was changed behind our back, by the GPU.
    pub(crate) fn written(&self) {
        self.release(lock(&self.state));
    }

    /// Moves satisfied waiters out and wakes them after the lock is gone.
    fn release(&self, mut st: std::sync::MutexGuard<'_, State>) {
        if st.waiters.is_empty() {
            return;
        }
        let value = st.value();
        let over = st.closed || st.lost;
        let mut woken = Woken::new();
        let mut i = 0;
        while i < st.waiters.len() {
            let reached = match self.kind {
                Kind::Monitored | Kind::Legacy => value >= st.waiters[i].value,
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
    pub(crate) fn wait(&self, value: u64, target: Option<&Target>) -> bool {
        let mut st = lock(&self.state);
        if st.closed || st.lost {
            return true;
        }
        let satisfied = match self.kind {
            Kind::Monitored | Kind::Legacy => st.value() >= value,
            Kind::Semaphore { .. } if st.value > 0 => {
                st.value -= 1;
                true
            }
            Kind::Semaphore { .. } => false,
            // Not an object to wait for; never holds a queue up.
            Kind::CpuNotification(_) => true,
        };
        if !satisfied {
            if let Some(target) = target {
                st.waiters.push(Waiter { value, target: target.clone() });
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
            st.set(u64::MAX);
            st.lost = true;
            self.release(st);
        }
    }

    /// Destroys the object: its page goes and every wait ends.
    pub(crate) fn close(&self) {
        let mut st = lock(&self.state);
        let value = st.value();
        st.value = value;
        let page = st.page.take();
        st.closed = true;
        self.release(st);
        drop(page);
    }

    /// Takes the page away but keeps the object (adapter stop).
    pub(crate) fn unmap(&self) {
        let mut st = lock(&self.state);
        let value = st.value();
        st.value = value;
        let page = st.page.take();
        drop(st);
        drop(page);
    }
}

/// A wait of the CPU for one or all of some objects.
#[derive(Debug)]
pub(crate) struct CpuWait {
    /// Objects still to be reached; the wait ends when it passes from 1 to 0.
    missing: AtomicI32,
    /// Futex word: 1 when over.
    over: AtomicU32,
    /// Raised at the end, once.
    event: Mutex<Option<Arc<OwnedFd>>>,
}

impl CpuWait {
    /// Starts a wait; with an event it is asynchronous.
    pub(crate) fn start(objects: &[(Arc<SyncObject>, u64)], any: bool, event: Option<Arc<OwnedFd>>) -> Arc<Self> {
        let missing = if any { 1 } else { objects.len() as i32 };
        let this =
            Arc::new(Self { missing: AtomicI32::new(missing), over: AtomicU32::new(0), event: Mutex::new(event) });
        let target = Target::Cpu(this.clone());
        for (object, value) in objects {
            if object.wait(*value, Some(&target)) {
                this.reached();
            }
        }
        this
    }

    /// One object reached its value.
    fn reached(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        self.over.store(1, Ordering::Release);
        match lock(&self.event).take() {
            Some(event) => sys::raise(&*event),
            None => {
                let _ = futex::wake(&self.over, futex::Flags::PRIVATE, u32::MAX >> 1);
            }
        }
    }

    /// Blocks until the wait is over. `false` if a signal handler interrupted it (one with
    /// SA_RESTART does not), in which case the wait is withdrawn.
    pub(crate) fn block(self: &Arc<Self>, objects: &[(Arc<SyncObject>, u64)]) -> bool {
        while self.over.load(Ordering::Acquire) == 0 {
            if futex::wait(&self.over, futex::Flags::PRIVATE, 0, None) == Err(rustix::io::Errno::INTR) {
                for (object, _) in objects {
                    object.forget(self);
                }
                return false;
            }
        }
        true
    }
}
