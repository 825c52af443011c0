//! Queues and submission.

use crate::command::{CommandBuffer, Segment};
use crate::device::QueueCreate;
use crate::error::{Error, Result};
use crate::fence::Fence;
use crate::gpu::{Gpu, QueueFamily};
use crate::lock::lock;
use crate::point::Point;
use crate::semaphore::{QueueSignal, QueueWait, Semaphore};
use crate::sparse::{SparseBind, SparseImageBind};
use crate::submit_signal::SubmitSignal;
use crate::uses::UseRegistry;
use ash::vk;
use smallvec::SmallVec;
use std::sync::{Arc, Mutex};
use winsys_dxg::{Commands, ContextDesc, ErrorKind, FencePoint, Submission, Uses, VaUpdate};

/// A semaphore with a value (ignored for binary ones).
#[derive(Clone, Copy, Debug)]
pub struct SemaphorePoint<'a> {
    /// The semaphore.
    pub semaphore: &'a Semaphore,
    /// The value.
    pub value: u64,
}

/// VkSubmitInfo2.
#[derive(Clone, Copy, Debug, Default)]
pub struct SubmitBatch<'a> {
    /// Waited for first.
    pub waits: &'a [SemaphorePoint<'a>],
    /// Run in order.
    pub command_buffers: &'a [&'a CommandBuffer],
    /// Signalled afterwards.
    pub signals: &'a [SemaphorePoint<'a>],
}

/// VkBindSparseInfo.
#[derive(Clone, Copy, Debug, Default)]
pub struct SparseBatch<'a> {
    /// Waited for first.
    pub waits: &'a [SemaphorePoint<'a>],
    /// Bound first, in order.
    pub binds: &'a [SparseBind<'a>],
    /// Bound afterwards, in order.
    pub image_binds: &'a [SparseImageBind<'a>],
    /// Signalled afterwards.
    pub signals: &'a [SemaphorePoint<'a>],
}

/// What a batch does between its waits and its signals.
#[derive(Clone, Copy)]
enum Work<'a> {
    Run(&'a [&'a CommandBuffer]),
    Bind(&'a [SparseBind<'a>], &'a [SparseImageBind<'a>]),
}

/// A VkQueue: work runs in order. Second in the lock order (device → queue → pool → memory).
#[derive(Debug)]
pub struct Queue {
    gpu: Arc<dyn Gpu>,
    inner: winsys_dxg::Queue,
    signal: Arc<SubmitSignal>,
    uses: Arc<UseRegistry>,
    family: u32,
    index: u32,
    flags: vk::QueueFlags,
    labels: Mutex<Vec<String>>,
}

/// What the next submission to the window system holds.
#[derive(Default)]
struct Pending<'a> {
    waits: SmallVec<[Point; 8]>,
    /// Set back after the waits.
    rewinds: SmallVec<[Point; 2]>,
    /// Come before the segments.
    updates: Vec<VaUpdate<'a>>,
    segments: SmallVec<[Segment; 8]>,
    buffers: SmallVec<[&'a CommandBuffer; 8]>,
    signals: SmallVec<[Point; 8]>,
    /// Binary semaphores that get a point of their own.
    exported: SmallVec<[(&'a Semaphore, Point); 2]>,
    /// Binary semaphores whose payload is the progress of this submission.
    progress: SmallVec<[&'a Semaphore; 8]>,
}

/// The node's scheduling priority, −7 to 7, of a global priority; none for the ordinary one.
fn scheduling_priority(priority: vk::QueueGlobalPriorityKHR) -> Option<i32> {
    match priority {
        vk::QueueGlobalPriorityKHR::LOW => Some(-4),
        vk::QueueGlobalPriorityKHR::HIGH => Some(4),
        vk::QueueGlobalPriorityKHR::REALTIME => Some(7),
        _ => None,
    }
}

/// Whether a kind of error says that somebody did not want to, rather than could not.
fn refused(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Refused | ErrorKind::Invalid | ErrorKind::NotSupported)
}

impl Queue {
    pub(crate) fn new(
        device: &winsys_dxg::Device,
        gpu: &Arc<dyn Gpu>,
        (signal, uses): (&Arc<SubmitSignal>, &Arc<UseRegistry>),
        (create, index): (&QueueCreate, u32),
        info: &QueueFamily,
    ) -> Result<Queue> {
        let family = create.family;
        let data = gpu.context_private_data(family);
        let priority = scheduling_priority(create.priority);
        let desc = ContextDesc { node_ordinal: info.node, priority, private_data: &data, ..ContextDesc::default() };
        Ok(Queue {
            gpu: gpu.clone(),
            inner: winsys_dxg::Queue::create(device, &desc, &data).map_err(|e| match priority {
                // The same context without a priority is made all the time, so it is the priority that is refused.
                Some(p) if p > 0 && refused(e.kind()) => Error::NotPermitted,
                _ => Error::from(e),
            })?,
            signal: signal.clone(),
            uses: uses.clone(),
            family,
            index,
            flags: info.flags,
            labels: Mutex::new(Vec::new()),
        })
    }

    /// Family.
    pub fn family(&self) -> u32 {
        self.family
    }

    /// Index in the family.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// What it can do.
    pub fn flags(&self) -> vk::QueueFlags {
        self.flags
    }

    /// Submits batches; `fence` is signalled when everything submitted so far is done.
    ///
    /// # Errors
    /// [`crate::Error::DeviceLost`], [`crate::Error::OutOfDeviceMemory`], [`crate::Error::OutOfHostMemory`].
    pub fn submit(&self, batches: &[SubmitBatch<'_>], fence: Option<&Fence>) -> Result<()> {
        let mut pending = Pending::default();
        for batch in batches {
            self.append(&mut pending, batch.waits, Work::Run(batch.command_buffers), batch.signals)?;
        }
        self.finish(pending, fence)
    }

    /// vkQueueBindSparse: binds memory in the queue's order; `fence` is signalled when everything so far is done.
    ///
    /// # Errors
    /// As [`submit`](Self::submit); [`crate::Error::Unknown`] for binds outside of their resource or memory.
    pub fn bind_sparse(&self, batches: &[SparseBatch<'_>], fence: Option<&Fence>) -> Result<()> {
        let mut pending = Pending::default();
        for batch in batches {
            self.append(&mut pending, batch.waits, Work::Bind(batch.binds, batch.image_binds), batch.signals)?;
        }
        self.finish(pending, fence)
    }

    fn append<'a>(
        &self,
        pending: &mut Pending<'a>,
        waits: &'a [SemaphorePoint<'a>],
        work: Work<'a>,
        signals: &'a [SemaphorePoint<'a>],
    ) -> Result<()> {
        // Without waits of its own a batch goes along with the one before, if that signals nothing that would be held up.
        let mut points: SmallVec<[Point; 8]> = SmallVec::new();
        let mut rewinds: SmallVec<[Point; 2]> = SmallVec::new();
        for wait in waits {
            match wait.semaphore.queue_wait(wait.value)? {
                // The queue runs in order: its own progress needs no wait.
                QueueWait::Point(p) if Arc::ptr_eq(&p.fence, self.inner.progress()) => {}
                QueueWait::Point(p) => points.push(p),
                QueueWait::Take(p) => {
                    rewinds.push(Point { fence: p.fence.clone(), value: 0 });
                    points.push(p);
                }
                QueueWait::Nothing => {}
            }
        }
        let late = matches!(work, Work::Bind(..)) && !pending.segments.is_empty();
        let joins = points.is_empty() && pending.signals.is_empty() && pending.progress.is_empty() && !late;
        if !joins {
            self.flush(pending)?;
        }
        pending.waits.extend(points);
        pending.rewinds.extend(rewinds);
        match work {
            Work::Run(buffers) => {
                for buffer in buffers {
                    pending.segments.extend(buffer.segments());
                    pending.buffers.push(buffer);
                }
            }
            Work::Bind(binds, image_binds) => {
                for bind in binds {
                    bind.updates(&mut pending.updates)?;
                }
                for bind in image_binds {
                    bind.updates(&mut pending.updates)?;
                }
            }
        }
        for signal in signals {
            match signal.semaphore.queue_signal(signal.value) {
                QueueSignal::Point(p) => {
                    pending.exported.push((signal.semaphore, p.clone()));
                    pending.signals.push(p);
                }
                QueueSignal::Progress => pending.progress.push(signal.semaphore),
            }
        }
        Ok(())
    }

    /// Hands over what is pending and makes it the fence's payload.
    fn finish(&self, mut pending: Pending<'_>, fence: Option<&Fence>) -> Result<()> {
        let exported = fence.and_then(Fence::next_export);
        if let Some(p) = &exported {
            pending.signals.push(p.clone());
        }
        self.flush(&mut pending)?;
        if let Some(fence) = fence {
            match (exported, self.inner.last()) {
                (Some(p), _) => fence.submitted(p),
                (None, 0) => fence.set_signaled(),
                (None, value) => fence.submitted(self.point(value)),
            }
        }
        self.signal.notify();
        Ok(())
    }

    fn point(&self, value: u64) -> Point {
        Point { fence: self.inner.progress().clone(), value }
    }

    /// Hands everything pending to the window system.
    fn flush(&self, pending: &mut Pending<'_>) -> Result<()> {
        let nothing = pending.waits.is_empty()
            && pending.updates.is_empty()
            && pending.segments.is_empty()
            && pending.signals.is_empty();
        let value = if nothing {
            // What was submitted before is all there is to wait for.
            self.inner.last()
        } else {
            let mut data = Vec::new();
            let mut ends: SmallVec<[usize; 8]> = SmallVec::new();
            for s in &pending.segments {
                self.gpu.submit_private_data(self.family, s.address, s.bytes, &mut data);
                ends.push(data.len());
            }
            let mut start = 0;
            let commands: SmallVec<[Commands<'_>; 8]> = pending
                .segments
                .iter()
                .zip(&ends)
                .map(|(s, &end)| {
                    let private_data = data.get(start..end).unwrap_or(&[]);
                    start = end;
                    // Chunks are far smaller than 4 GiB.
                    Commands { va: s.address, length: u32::try_from(s.bytes).unwrap_or(u32::MAX), private_data }
                })
                .collect();
            let waits: SmallVec<[FencePoint<'_>; 8]> = pending.waits.iter().map(Point::raw).collect();
            let rewinds: SmallVec<[FencePoint<'_>; 2]> = pending.rewinds.iter().map(Point::raw).collect();
            let signals: SmallVec<[FencePoint<'_>; 8]> = pending.signals.iter().map(Point::raw).collect();
            let work = Submission {
                waits: &waits,
                rewinds: &rewinds,
                updates: &pending.updates,
                commands: &commands,
                signals: &signals,
                uses: Uses::All,
            };
            self.hand_over(&work, &pending.buffers)?
        };
        for (semaphore, point) in pending.exported.drain(..) {
            semaphore.submitted(point);
        }
        for semaphore in &pending.progress {
            match value {
                0 => semaphore.set_signaled(),
                value => semaphore.submitted(self.point(value)),
            }
        }
        for buffer in &pending.buffers {
            match value {
                0 => buffer.submitted(None),
                value => buffer.submitted(Some(self.point(value))),
            }
        }
        *pending = Pending::default();
        Ok(())
    }

    /// Submits work of these command buffers, and says what it uses where there is not room for all memory.
    fn hand_over(&self, work: &Submission<'_>, buffers: &[&CommandBuffer]) -> Result<u64> {
        let device = self.inner.device();
        if !device.is_pressed() {
            match self.inner.submit(work) {
                // That there is not room for all may have turned out just now.
                Err(e) if e.kind() == ErrorKind::NoMemory && device.is_pressed() => {}
                done => return Ok(done?),
            }
        }
        let Some(used) = self.uses.of(&*self.gpu, buffers) else { return Ok(self.inner.submit(work)?) };
        let list: Vec<&winsys_dxg::Memory> = used.iter().map(|m| m.winsys()).collect();
        Ok(self.inner.submit(&Submission { uses: Uses::Listed(&list), ..*work })?)
    }

    /// Waits until everything submitted is done.
    ///
    /// # Errors
    /// [`crate::Error::DeviceLost`].
    pub fn wait_idle(&self) -> Result<()> {
        self.inner.progress().wait(self.inner.last(), None)?;
        Ok(())
    }

    /// Whether everything submitted so far is done.
    pub(crate) fn is_idle(&self) -> bool {
        self.inner.progress().value() >= self.inner.last()
    }

    /// Opens a debug label region.
    pub fn label_begin(&self, name: &str) {
        lock(&self.labels).push(name.to_owned());
    }

    /// Closes a debug label region.
    pub fn label_end(&self) {
        lock(&self.labels).pop();
    }

    /// Open label regions, outermost first, for debug messages.
    pub fn labels(&self) -> Vec<String> {
        lock(&self.labels).clone()
    }
}
