//! Queues as a client uses them: whichever kind the adapter has, with one progress fence.

use crate::config::{PagingWait, QueuePreference};
use crate::context::{raw_points, Context, ContextDesc};
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::fence::{Fence, FenceDesc, FencePoint};
use crate::hw_queue::HwQueue;
use crate::trim::{QueueMark, Uses};
use crate::va::{self, VaUpdate};
use dxg_abi::{Handle, UPDATE_GPU_VA_OPERATIONS_MAX};
use std::sync::{Arc, Mutex, PoisonError};

/// Commands in GPU memory.
#[derive(Clone, Copy, Debug)]
pub struct Commands<'a> {
    /// GPU virtual address.
    pub va: u64,
    /// Length, bytes.
    pub length: u32,
    /// Vendor data that goes to the host's kernel driver.
    pub private_data: &'a [u8],
}

/// One piece of work for a queue: wait for points, change mappings, run commands, signal points.
#[derive(Clone, Copy, Debug, Default)]
pub struct Submission<'a> {
    /// Points to wait for first.
    pub waits: &'a [FencePoint<'a>],
    /// Points to set back then, to values that are lower than those waited for.
    pub rewinds: &'a [FencePoint<'a>],
    /// Changes of what reserved addresses show, in order.
    pub updates: &'a [VaUpdate<'a>],
    /// Commands to run in order.
    pub commands: &'a [Commands<'a>],
    /// Points to signal afterwards.
    pub signals: &'a [FencePoint<'a>],
    /// The memory that the commands use: made resident first, if it is not.
    pub uses: Uses<'a>,
}

#[derive(Debug)]
enum Kind {
    Software(Context),
    Hardware(HwQueue),
}

#[derive(Debug, Default)]
struct State {
    /// Progress value of the last submission.
    last: u64,
    /// Paging value the queue already waits for.
    paging: u64,
    /// The fence that puts changes of mappings in the queue's order, made when first needed, and its last value.
    updates: Option<Fence>,
    updated: u64,
}

/// A queue.
///
/// Work runs in the order of submission. Each submission has a progress value; the progress fence
/// reaches it when the submission and all before it are done, its signals included.
///
/// Second in the lock order (device → queue → memory): the lock orders progress values.
#[derive(Debug)]
pub struct Queue {
    device: Device,
    kind: Kind,
    progress: Arc<Fence>,
    mark: Arc<QueueMark>,
    state: Mutex<State>,
}

impl Queue {
    /// Makes a hardware queue where the adapter has them and the settings allow it, else a
    /// software-scheduled context with a fence. `queue_data` is vendor data for the former.
    ///
    /// # Errors
    /// Those of the requests.
    pub fn create(device: &Device, desc: &ContextDesc<'_>, queue_data: &[u8]) -> Result<Self> {
        let hardware = match device.config().queues {
            QueuePreference::Auto => device.adapter().hw_scheduling(),
            QueuePreference::Software => false,
        };
        if hardware {
            match HwQueue::create(device, desc, queue_data) {
                Ok(queue) => {
                    let progress = queue.progress().clone();
                    return Ok(Self::new(device, Kind::Hardware(queue), progress));
                }
                // The adapter promised more than it has: fall back.
                Err(e) if matches!(e.kind(), ErrorKind::NotSupported | ErrorKind::Refused | ErrorKind::Invalid) => {}
                Err(e) => return Err(e),
            }
        }
        let context = Context::create(device, desc, false)?;
        let desc = FenceDesc { engine_affinity: desc.engine_affinity, ..FenceDesc::default() };
        let progress = Arc::new(Fence::create(device, &desc)?);
        Ok(Self::new(device, Kind::Software(context), progress))
    }

    fn new(device: &Device, kind: Kind, progress: Arc<Fence>) -> Self {
        let mark = device.trimmer().register_queue(&progress);
        Self { device: device.clone(), kind, progress, mark, state: Mutex::default() }
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether it is a hardware queue.
    pub fn is_hardware(&self) -> bool {
        match self.kind {
            Kind::Software(_) => false,
            Kind::Hardware(_) => true,
        }
    }

    /// The fence that follows the queue's submissions.
    pub fn progress(&self) -> &Arc<Fence> {
        &self.progress
    }

    /// Progress value of the last submission; 0 if there was none.
    pub fn last(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// Queues work and returns its progress value. A submission without commands works too.
    ///
    /// Paging work that is outstanding is waited for first, as the settings say. In the steady
    /// state this is one request per command buffer, one for waits if there are any, and one for
    /// signals (always for a software queue, whose progress is one; for a hardware queue only if
    /// there are any). Nothing is allocated.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`] if the device is lost; [`ErrorKind::NoMemory`] if what the submission uses does not fit beside what
    /// others use. If something fails after a
    /// part of the submission was accepted, the device is marked as lost: its state is unknown.
    pub fn submit(&self, work: &Submission<'_>) -> Result<u64> {
        if self.device.is_lost() {
            return Err(Error::lost());
        }
        let admission = self.device.trimmer().enter(&self.device, work.uses)?;
        if self.device.config().paging_wait == PagingWait::Cpu {
            self.device.paging_queue().wait_cpu(&self.device)?;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let paging = self.device.paging_queue().outstanding().filter(|value| *value > state.paging);
        let paging_point = paging.map(|value| (self.device.paging_queue().sync_object(), value));
        self.wait_raw(paging_point.into_iter().chain(raw_points(work.waits)))?;
        state.paging = paging.unwrap_or(state.paging);

        let mut accepted = false;
        let result = self.run(work, &mut state, &mut accepted);
        match &result {
            Ok(value) => admission.queued(&self.mark, *value),
            Err(_) if accepted => self.device.give_up(),
            Err(_) => {}
        }
        result
    }

    /// Queues changes of mappings between what came before and what comes after.
    ///
    /// The system applies a batch when a fence reaches a value, and raises it by one afterwards; it does so beside the queue,
    /// since hardware queues are not known to it. So the queue signals, the batches follow each other, and the queue waits.
    fn update(&self, updates: &[VaUpdate<'_>], state: &mut State, accepted: &mut bool) -> Result<()> {
        if updates.is_empty() {
            return Ok(());
        }
        // Checked before anything is queued.
        let operations = updates.iter().map(VaUpdate::operation).collect::<Result<Vec<_>>>()?;
        let fence = match state.updates.take() {
            Some(fence) => fence,
            None => Fence::create(&self.device, &FenceDesc::default())?,
        };
        let fence = state.updates.insert(fence);
        let context = match &self.kind {
            Kind::Software(context) => context,
            Kind::Hardware(queue) => queue.context(),
        };
        let mut value = state.updated + 1;
        self.signal_raw(std::iter::once((fence.handle(), value)))?;
        *accepted = true;
        for batch in operations.chunks(UPDATE_GPU_VA_OPERATIONS_MAX as usize) {
            va::update(&self.device, context.handle(), fence.handle(), value, batch)?;
            value += 1;
        }
        state.updated = value;
        self.wait_raw(std::iter::once((fence.handle(), value)))
    }

    fn run(&self, work: &Submission<'_>, state: &mut State, accepted: &mut bool) -> Result<u64> {
        match &self.kind {
            Kind::Software(context) => context.rewind_raw(raw_points(work.rewinds))?,
            Kind::Hardware(queue) => queue.rewind_raw(raw_points(work.rewinds))?,
        }
        *accepted |= !work.rewinds.is_empty();
        self.update(work.updates, state, accepted)?;
        match &self.kind {
            Kind::Software(context) => {
                for c in work.commands {
                    context.submit(c.va, c.length, c.private_data)?;
                    *accepted = true;
                }
                let value = state.last + 1;
                let progress = (self.progress.handle(), value);
                context.signal_raw(raw_points(work.signals).chain(std::iter::once(progress)))?;
                state.last = value;
            }
            Kind::Hardware(queue) => {
                // With signals, progress must not get ahead of them: it is signalled last.
                let own_signal = work.commands.is_empty() || !work.signals.is_empty();
                for c in work.commands {
                    let value = state.last + 1;
                    queue.submit(c.va, c.length, value, c.private_data)?;
                    state.last = value;
                    *accepted = true;
                }
                if own_signal {
                    let value = state.last + 1;
                    let progress = (self.progress.handle(), value);
                    queue.signal_raw(raw_points(work.signals).chain(std::iter::once(progress)))?;
                    state.last = value;
                }
            }
        }
        Ok(state.last)
    }

    fn wait_raw(&self, points: impl Iterator<Item = (Handle, u64)>) -> Result<()> {
        match &self.kind {
            Kind::Software(context) => context.wait_raw(points),
            Kind::Hardware(queue) => queue.wait_raw(points),
        }
    }

    fn signal_raw(&self, points: impl Iterator<Item = (Handle, u64)>) -> Result<()> {
        match &self.kind {
            Kind::Software(context) => context.signal_raw(points),
            Kind::Hardware(queue) => queue.signal_raw(points),
        }
    }
}
