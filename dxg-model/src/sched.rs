//! The scheduler: one thread for each node, started with the node's first work, and a watchdog.
//!
//! A queue that has something to do is in its node's ready list; a queue at an unsatisfied wait is
//! in nobody's list but registered with the fence, and comes back when the fence is signalled,
//! from whichever thread. So a blocked queue holds nothing up and a wait between queues costs no
//! round trip. Ready queues take turns after each command buffer, higher priority first.

use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::device::Device;
use crate::doorbell::Doorbell;
use crate::engine::{EngineFault, Job};
use crate::lock::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::lock::{lock, one_order, wait, wait_for, Condvar, Mutex, MutexGuard};
use crate::process::Process;
use crate::queue::{arrive, Item, Queue, Submission, VaOperation};
use crate::space::{MapRequest, Source, VaError};
use crate::sys::{self, JoinHandle};

/// The work a node is running, for the watchdog.
#[derive(Debug)]
struct Running {
    device: Arc<Device>,
    since: Instant,
    hung: bool,
}

/// A node's scheduler.
#[derive(Debug)]
pub(crate) struct NodeSched {
    ready: Mutex<VecDeque<Arc<Queue>>>,
    /// Rung with every entry of the ready list.
    bell: Doorbell,
    stop: AtomicBool,
    started: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
    spin: Duration,
    current: Mutex<Option<Running>>,
    /// Command buffers started.
    runs: AtomicU64,
    /// Time spent with command buffers, nanoseconds.
    busy: AtomicU64,
}

impl NodeSched {
    pub(crate) fn new(spin: Duration) -> Arc<Self> {
        Arc::new(Self {
            ready: Mutex::default(),
            bell: Doorbell::new(),
            stop: AtomicBool::new(false),
            started: AtomicBool::new(false),
            thread: Mutex::new(None),
            spin,
            current: Mutex::new(None),
            runs: AtomicU64::new(0),
            busy: AtomicU64::new(0),
        })
    }

    /// Whether the thread runs.
    pub(crate) fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// Time spent with command buffers so far.
    pub(crate) fn busy_time(&self) -> Duration {
        Duration::from_nanos(self.busy.load(Ordering::Relaxed))
    }

    /// Makes sure the thread runs.
    pub(crate) fn start(self: &Arc<Self>, process: &Arc<Process>) -> std::io::Result<()> {
        if self.started.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut thread = lock(&self.thread);
        if thread.is_none() {
            let (node, process) = (self.clone(), process.clone());
            *thread = Some(sys::spawn("dxg-node", move || node.run(&process))?);
            self.started.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Adds a ready queue.
    pub(crate) fn push(&self, queue: Arc<Queue>) {
        lock(&self.ready).push_back(queue);
        self.bell.ring();
    }

    /// Ends the thread and waits for it.
    pub(crate) fn shut_down(&self) {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            // A panic of the thread has been reported by the runtime already.
            let _ = thread.join();
        }
        let rest = core::mem::take(&mut *lock(&self.ready));
        drop(rest);
    }

    /// The next queue to serve: the first of the highest priority.
    fn pop(&self) -> Option<Arc<Queue>> {
        let mut ready = lock(&self.ready);
        if ready.len() <= 1 {
            return ready.pop_front();
        }
        let mut best = 0;
        for (i, q) in ready.iter().enumerate() {
            let priority = |q: &Queue| q.priority.load(Ordering::Relaxed);
            if priority(q) > ready.get(best).map_or(i32::MIN, |b| priority(b)) {
                best = i;
            }
        }
        ready.remove(best)
    }

    fn run(&self, process: &Arc<Process>) {
        while let Some(queue) = self.next_queue() {
            self.serve(process, &queue);
        }
    }

    fn next_queue(&self) -> Option<Arc<Queue>> {
        loop {
            let heard = self.bell.rings();
            if self.stop.load(Ordering::Acquire) {
                return None;
            }
            if let Some(queue) = self.pop() {
                return Some(queue);
            }
            if !self.spin_until_rung(heard) {
                self.bell.sleep(heard);
            }
        }
    }

    /// Listens for a while: tightly at first, then giving the processor away between
    /// looks, so that whoever is to submit can run.
    fn spin_until_rung(&self, heard: u32) -> bool {
        const TIGHT: u32 = 64;
        if self.spin.is_zero() {
            return false;
        }
        let until = Instant::now() + self.spin;
        let mut rounds = 0u32;
        loop {
            if self.bell.rings() != heard {
                return true;
            }
            rounds += 1;
            if rounds < TIGHT {
                core::hint::spin_loop();
                continue;
            }
            std::thread::yield_now();
            if Instant::now() >= until {
                return self.bell.rings() != heard;
            }
        }
    }

    fn serve(&self, process: &Arc<Process>, queue: &Arc<Queue>) {
        while let Some(item) = queue.next() {
            let long = matches!(item, Item::Submit(_));
            self.process(process, queue, item);
            let others = long && !lock(&self.ready).is_empty();
            if others || self.stop.load(Ordering::Relaxed) {
                if queue.yield_turn() {
                    self.push(queue.clone());
                }
                return;
            }
        }
    }

    fn process(&self, process: &Arc<Process>, queue: &Arc<Queue>, item: Item) {
        let lost = queue.device.is_lost();
        match item {
            Item::Submit(submission) => {
                if !lost {
                    self.execute(process, queue, &submission);
                }
                if let (Some(fence), Some(value)) = (&queue.progress, submission.progress) {
                    fence.advance(value);
                }
            }
            Item::Wait(_) | Item::Release(_) => {}
            Item::Signal(points, join) => {
                if arrive(&join) && !lost {
                    for (object, value) in &points {
                        object.signal(*value);
                    }
                }
            }
            Item::Event(event, join) => {
                if arrive(&join) {
                    sys::raise(&*event);
                }
            }
            Item::UpdateVa(operations) => {
                if !lost && operations.iter().try_for_each(|op| apply(process, op)).is_err() {
                    let fault = EngineFault::Internal("address space update failed".into());
                    process.fault(&queue.device, &fault);
                }
            }
        }
    }

    /// Says that work of a device begins.
    fn is_watched(&self, device: &Arc<Device>, watchdog: &Watchdog) {
        *lock(&self.current) = Some(Running { device: device.clone(), since: Instant::now(), hung: false });
        self.runs.fetch_add(1, Ordering::SeqCst);
        watchdog.attend();
    }

    fn execute(&self, process: &Arc<Process>, queue: &Arc<Queue>, submission: &Submission) {
        if submission.null || submission.command_length == 0 {
            return;
        }
        let (start, len) = (submission.command_buffer, submission.command_length);
        if let Some(address) = process.space.first_fault_resident(start, u64::from(len)) {
            process.fault(&queue.device, &EngineFault::PageFault { address, write: false });
            return;
        }
        if queue.watched {
            self.is_watched(&queue.device, &process.watchdog);
        }
        let job = Job {
            command_buffer: start,
            command_length: len,
            private_data: &submission.private_data,
            space: &process.space,
            cancel: &queue.device.cancel,
            context: queue.context,
        };
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| process.engine.execute(&job)))
            .unwrap_or_else(|_| Err(EngineFault::Internal("the engine panicked".into())));
        self.busy.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        let hung = queue.watched && lock(&self.current).take().is_some_and(|r| r.hung);
        if hung {
            process.fault(&queue.device, &EngineFault::Hang);
        } else if let Err(fault) = result {
            process.fault(&queue.device, &fault);
        }
    }
}

/// Applies a queued change of mappings.
fn apply(process: &Process, op: &VaOperation) -> Result<(), VaError> {
    match op {
        VaOperation::Map { base, size, owner, memory, offset, length, write } => {
            let mut at = 0;
            while at < *size {
                let part = (*size - at).min(*length);
                let source = Source::Memory { owner: *owner, memory, offset: *offset };
                process.space.map(&MapRequest {
                    base: base + at,
                    min: 0,
                    max: 0,
                    size: part,
                    write: *write,
                    ready: true,
                    source,
                })?;
                at += part;
            }
            Ok(())
        }
        VaOperation::Unmap { base, size, zero } => {
            let source = if *zero { Source::Zero } else { Source::NoAccess };
            let (min, max, write, ready) = (0, 0, false, true);
            process.space.map(&MapRequest { base: *base, min, max, size: *size, write, ready, source }).map(drop)
        }
        VaOperation::Copy { source, size, dest } => process.space.copy_mappings(*source, *size, *dest),
    }
}

/// Ends work that runs too long.
#[derive(Debug)]
pub(crate) struct Watchdog {
    limit: Option<Duration>,
    asleep: AtomicBool,
    stop: Mutex<bool>,
    bell: Condvar,
    started: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Looks without activity after which the watchdog sleeps until called.
const PATIENCE: u32 = 8;

impl Watchdog {
    pub(crate) fn new(limit: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            asleep: AtomicBool::new(false),
            stop: Mutex::new(false),
            bell: Condvar::new(),
            started: AtomicBool::new(false),
            thread: Mutex::new(None),
        })
    }

    /// Makes sure the thread runs, if there is a limit.
    pub(crate) fn start(self: &Arc<Self>, nodes: &[Arc<NodeSched>]) -> std::io::Result<()> {
        let Some(limit) = self.limit else { return Ok(()) };
        if self.started.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let this = self.clone();
        let nodes: Vec<Weak<NodeSched>> = nodes.iter().map(Arc::downgrade).collect();
        let thread = sys::spawn("dxg-watchdog", move || this.run(limit, &nodes));
        *lock(&self.thread) = Some(thread?);
        Ok(())
    }

    /// Work has started: the watchdog must not sleep. Costs one load while it is awake.
    fn attend(&self) {
        one_order();
        if self.asleep.load(Ordering::SeqCst) {
            let guard = lock(&self.stop);
            self.bell.notify_all();
            drop(guard);
        }
    }

    pub(crate) fn shut_down(&self) {
        *lock(&self.stop) = true;
        self.bell.notify_all();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// Sleeps until work begins; not at all if some has begun that was not seen.
    fn sleep_unless_new<'a>(
        &self,
        mut stop: MutexGuard<'a, bool>,
        nothing_new: impl FnOnce() -> bool,
    ) -> MutexGuard<'a, bool> {
        self.asleep.store(true, Ordering::SeqCst);
        one_order();
        // Whoever starts work bumps the count first and looks at `asleep` second.
        if nothing_new() {
            stop = wait(&self.bell, stop);
        }
        self.asleep.store(false, Ordering::SeqCst);
        stop
    }

    fn run(&self, limit: Duration, nodes: &[Weak<NodeSched>]) {
        let period = (limit / 4).clamp(Duration::from_millis(1), Duration::from_millis(250));
        let runs = || -> u64 {
            let alive = nodes.iter().filter_map(Weak::upgrade);
            alive.map(|n| n.runs.load(Ordering::SeqCst)).fold(0, u64::wrapping_add)
        };
        let (mut seen, mut quiet) = (0, 0);
        let mut stop = lock(&self.stop);
        while !*stop {
            if quiet >= PATIENCE {
                stop = self.sleep_unless_new(stop, || runs() == seen);
                quiet = 0;
                continue;
            }
            stop = wait_for(&self.bell, stop, period);
            let mut busy = false;
            for node in nodes.iter().filter_map(Weak::upgrade) {
                if let Some(running) = lock(&node.current).as_mut() {
                    busy = true;
                    if running.since.elapsed() >= limit {
                        running.hung = true;
                        running.device.cancel.set();
                    }
                }
            }
            let now = runs();
            quiet = if busy || now != seen { 0 } else { quiet + 1 };
            seen = now;
        }
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;

    /// No work that begins while the watchdog falls asleep goes by unseen.
    #[test]
    fn the_watchdog_hears_of_work_in_every_order() {
        loom::model(|| {
            let node = NodeSched::new(Duration::ZERO);
            let dog = Watchdog::new(None);
            let worker = {
                let (node, dog) = (node.clone(), dog.clone());
                loom::thread::spawn(move || {
                    for _ in 0..2 {
                        node.is_watched(&Device::new(false), &dog);
                    }
                })
            };
            let runs = || node.runs.load(Ordering::SeqCst);
            loop {
                let seen = runs();
                if seen == 2 {
                    break;
                }
                drop(dog.sleep_unless_new(lock(&dog.stop), || runs() == seen));
            }
            assert!(lock(&node.current).is_some());
            worker.join().unwrap();
        });
    }
}
