//! Paging operations: each takes the next value of its queue's fence, and is complete at once or,
//! if so configured, after a delay.

use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use dxg_abi::NtStatus;

use crate::config::Pending;
use crate::device::PagingQueue;
use crate::lock::{lock, wait, wait_for, Condvar, Mutex};
use crate::segments::Mapping;
use crate::space::AddressSpace;
use crate::sync::SyncObject;
use crate::sys::{self, JoinHandle};

/// An operation that completes later.
#[derive(Debug)]
struct Operation {
    due: Instant,
    order: u64,
    fence: Arc<SyncObject>,
    value: u64,
    mapping: Option<Arc<Mapping>>,
}

impl PartialEq for Operation {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Operation {}
impl PartialOrd for Operation {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Operation {
    /// The earliest is the greatest, as the heap hands out the greatest first.
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}

#[derive(Debug, Default)]
struct Timetable {
    heap: BinaryHeap<Operation>,
    /// Latest due time per queue fence: operations of one queue retire in order.
    last: Option<Instant>,
    order: u64,
    seed: u64,
    stop: bool,
    thread: Option<JoinHandle<()>>,
}

/// Completes paging operations.
#[derive(Debug)]
pub(crate) struct Paging {
    pending: Pending,
    space: Weak<AddressSpace>,
    table: Mutex<Timetable>,
    bell: Condvar,
}

impl Paging {
    pub(crate) fn new(pending: Pending, space: &Arc<AddressSpace>) -> Arc<Self> {
        let seed = match pending {
            Pending::Never => 0,
            Pending::Always { seed, .. } => seed,
        };
        Arc::new(Self {
            pending,
            space: Arc::downgrade(space),
            table: Mutex::new(Timetable { seed, ..Timetable::default() }),
            bell: Condvar::new(),
        })
    }

    /// Whether operations complete at once.
    pub(crate) fn immediate(&self) -> bool {
        self.pending == Pending::Never
    }

    /// Queues an operation that has been carried out but for `mapping` becoming usable. Returns
    /// the call's status and the fence value of its completion.
    pub(crate) fn operation(self: &Arc<Self>, queue: &PagingQueue, mapping: Option<Arc<Mapping>>) -> (NtStatus, u64) {
        let (min, max) = match self.pending {
            Pending::Never => {
                let mut counter = lock(&queue.counter);
                *counter += 1;
                queue.fence.advance(*counter);
                return (NtStatus::SUCCESS, *counter);
            }
            Pending::Always { min, max, .. } => (min, max),
        };
        let mut table = lock(&self.table);
        let mut counter = lock(&queue.counter);
        *counter += 1;
        let value = *counter;
        let delay = table.delay(min, max);
        let due = Instant::now() + delay;
        // One order for all queues is in order for each.
        let due = table.last.map_or(due, |last| due.max(last));
        table.last = Some(due);
        table.order += 1;
        let order = table.order;
        table.heap.push(Operation { due, order, fence: queue.fence.clone(), value, mapping });
        drop(counter);
        if table.thread.is_none() && !table.stop {
            let this = self.clone();
            table.thread = sys::spawn("dxg-paging", move || this.run()).ok();
            if table.thread.is_none() {
                // Without a thread nothing would ever complete.
                let all = core::mem::take(&mut table.heap).into_sorted_vec();
                drop(table);
                all.into_iter().rev().for_each(|op| self.complete(op));
                return (NtStatus::PENDING, value);
            }
        }
        drop(table);
        self.bell.notify_all();
        (NtStatus::PENDING, value)
    }

    fn complete(&self, op: Operation) {
        if let (Some(mapping), Some(space)) = (&op.mapping, self.space.upgrade()) {
            space.set_ready(mapping);
        }
        op.fence.advance(op.value);
    }

    fn run(&self) {
        let mut table = lock(&self.table);
        while !table.stop {
            let now = Instant::now();
            match table.heap.peek().map(|op| op.due) {
                None => table = wait(&self.bell, table),
                Some(due) if due > now => table = wait_for(&self.bell, table, due - now),
                Some(_) => {
                    let op = table.heap.pop();
                    drop(table);
                    op.into_iter().for_each(|op| self.complete(op));
                    table = lock(&self.table);
                }
            }
        }
    }

    pub(crate) fn shut_down(&self) {
        let mut table = lock(&self.table);
        table.stop = true;
        let thread = table.thread.take();
        let rest = core::mem::take(&mut table.heap);
        drop(table);
        self.bell.notify_all();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        drop(rest);
    }
}

impl Timetable {
    /// A delay from the range, by a splitmix generator.
    fn delay(&mut self, min: Duration, max: Duration) -> Duration {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let span = max.saturating_sub(min).as_nanos() as u64;
        min + Duration::from_nanos(if span == 0 { 0 } else { z % (span + 1) })
    }
}
