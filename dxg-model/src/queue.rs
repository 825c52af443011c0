//! Queues: the FIFO behind a context or a hardware queue.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::device::Device;
use crate::lock::atomic::{AtomicI32, AtomicU32, Ordering};
use crate::lock::{lock, wait, Condvar, Mutex};
use crate::memory::Memory;
use crate::process::DeferredFree;
use crate::sched::NodeSched;
use crate::sync::{SyncObject, Target};
use crate::sys;

/// Objects with values.
pub(crate) type Points = SmallVec<[(Arc<SyncObject>, u64); 2]>;

/// A command buffer in a queue.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) command_buffer: u64,
    pub(crate) command_length: u32,
    pub(crate) private_data: SmallVec<[u8; 64]>,
    /// Value of the queue's progress fence at the end.
    pub(crate) progress: Option<u64>,
    /// Do nothing but progress.
    pub(crate) null: bool,
}

/// What several queues have to arrive at before it counts; `None` for one queue.
pub(crate) type Join = Option<Arc<AtomicU32>>;

/// Whether this arrival is the last.
pub(crate) fn arrive(join: &Join) -> bool {
    join.as_ref().is_none_or(|n| n.fetch_sub(1, Ordering::AcqRel) == 1)
}

/// A change of mappings, queued.
#[derive(Debug)]
pub(crate) enum VaOperation {
    Map {
        base: u64,
        size: u64,
        owner: u64,
        memory: Arc<Memory>,
        offset: u64,
        /// Bytes of the allocation; repeated when the range is longer.
        length: u64,
        write: bool,
    },
    Unmap {
        base: u64,
        size: u64,
        zero: bool,
    },
    Copy {
        source: u64,
        size: u64,
        dest: u64,
    },
}

/// One entry of a queue.
#[derive(Debug)]
pub(crate) enum Item {
    Submit(Submission),
    Wait(Points),
    Signal(Points, Join),
    Event(Arc<OwnedFd>, Join),
    UpdateVa(Vec<VaOperation>),
    /// Something to give up once the queue gets here.
    Release(#[allow(dead_code)] Arc<DeferredFree>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing to do.
    Idle,
    /// In the node's list.
    Ready,
    /// In the hands of the node's thread.
    Running,
    /// At a wait that is not satisfied.
    Blocked,
}

#[derive(Debug)]
struct Inner {
    items: VecDeque<Item>,
    phase: Phase,
    dead: bool,
    /// Threads that wait until the node's thread lets go.
    waiting: u32,
}

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Id of the context.
    pub(crate) context: u64,
    pub(crate) device: Arc<Device>,
    pub(crate) node: Arc<NodeSched>,
    /// Progress fence of a hardware queue.
    pub(crate) progress: Option<Arc<SyncObject>>,
    /// Whether the watchdog looks at its work.
    pub(crate) watched: bool,
    pub(crate) priority: AtomicI32,
    inner: Mutex<Inner>,
    /// Signalled when the node's thread lets go of a queue for which somebody waits.
    let_go: Condvar,
}

impl Queue {
    pub(crate) fn new(
        context: u64,
        device: Arc<Device>,
        node: Arc<NodeSched>,
        progress: Option<Arc<SyncObject>>,
        watched: bool,
    ) -> Arc<Self> {
        let items = VecDeque::with_capacity(16);
        Arc::new(Self {
            context,
            device,
            node,
            progress,
            watched,
            priority: AtomicI32::new(0),
            inner: Mutex::new(Inner { items, phase: Phase::Idle, dead: false, waiting: 0 }),
            let_go: Condvar::new(),
        })
    }

    /// Appends items, all at once.
    pub(crate) fn push(self: &Arc<Self>, items: impl IntoIterator<Item = Item>) {
        let mut inner = lock(&self.inner);
        if inner.dead {
            drop(inner);
            // Dropped here, outside the lock.
            items.into_iter().for_each(drop);
            return;
        }
        inner.items.extend(items);
        if inner.phase == Phase::Idle {
            inner.phase = Phase::Ready;
            drop(inner);
            self.node.push(self.clone());
        }
    }

    /// Appends an item only if there is something before it; otherwise hands it back.
    pub(crate) fn push_behind(&self, item: Item) -> Option<Item> {
        let mut inner = lock(&self.inner);
        if inner.dead || inner.phase == Phase::Idle {
            return Some(item);
        }
        inner.items.push_back(item);
        None
    }

    /// Looks at the first item again: what it waits for may have come.
    pub(crate) fn kick(self: &Arc<Self>) {
        let mut inner = lock(&self.inner);
        if inner.phase == Phase::Blocked {
            inner.phase = Phase::Ready;
            drop(inner);
            self.node.push(self.clone());
        }
    }

    /// The next item to run, or `None` if the queue is empty or blocked. Waits are dealt with here.
    pub(crate) fn next(self: &Arc<Self>) -> Option<Item> {
        // Dropped after the lock: it may hold the last reference to an object.
        let mut passed = Points::new();
        let mut inner = lock(&self.inner);
        inner.phase = Phase::Running;
        // Looked at under the lock: who loses the device looks for queues that are blocked afterwards.
        let lost = self.device.is_lost();
        loop {
            if let Some(Item::Wait(points)) = inner.items.front_mut() {
                while let Some((object, value)) = points.last().filter(|_| !lost) {
                    // Registering under the queue's lock: a wake-up finds the phase set.
                    let target = Target::Queue(self.clone());
                    if !object.wait(*value, Some(&target)) {
                        inner.phase = Phase::Blocked;
                        if inner.waiting > 0 {
                            self.let_go.notify_all();
                        }
                        drop(inner);
                        return None;
                    }
                    passed.extend(points.pop());
                }
                passed.append(points);
                inner.items.pop_front();
                continue;
            }
            let item = inner.items.pop_front();
            if item.is_none() {
                inner.phase = Phase::Idle;
                if inner.waiting > 0 {
                    self.let_go.notify_all();
                }
            }
            drop(inner);
            return item;
        }
    }

    /// The node's thread turns to another queue; `false` if nothing is left to do here.
    pub(crate) fn yield_turn(&self) -> bool {
        let mut inner = lock(&self.inner);
        let more = !inner.items.is_empty();
        inner.phase = if more { Phase::Ready } else { Phase::Idle };
        if inner.waiting > 0 {
            self.let_go.notify_all();
        }
        more
    }

    /// Drops all items and waits until none is running.
    pub(crate) fn kill(&self) {
        let mut inner = lock(&self.inner);
        inner.dead = true;
        let items = core::mem::take(&mut inner.items);
        if inner.phase == Phase::Blocked {
            inner.phase = Phase::Idle;
        }
        drop(inner);
        for item in items {
            // Whoever waits for an event must not wait for ever.
            if let Item::Event(event, join) = &item {
                if arrive(join) {
                    sys::raise(&**event);
                }
            }
        }
        self.settle();
    }

    /// Waits until none of its items is running.
    pub(crate) fn settle(&self) {
        let mut inner = lock(&self.inner);
        inner.waiting += 1;
        while inner.phase == Phase::Running {
            inner = wait(&self.let_go, inner);
        }
        inner.waiting -= 1;
    }
}
