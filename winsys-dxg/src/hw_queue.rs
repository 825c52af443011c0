//! Hardware queues: FIFOs the GPU schedules itself, each with a progress fence.

use crate::context::{raw_points, Context, ContextDesc, PointArrays};
use crate::device::Device;
use crate::error::{Cause, Error, Result};
use crate::fence::{Fence, FencePoint};
use crate::queries::blob_size;
use dxg_abi::{
    Arg, CreateHwQueue, CreateHwQueueFlags, DestroyHwQueue, Handle, SignalFlags, SubmitCommandToHwQueue,
    SubmitSignalSyncObjectsToHwQueue, SubmitWaitForSyncObjectsToHwQueue,
};
use std::sync::Arc;

/// The queue itself; destroyed when dropped, which unmaps its progress fence.
#[derive(Debug)]
pub(crate) struct RawHwQueue {
    context: Context,
    handle: Handle,
}

impl Drop for RawHwQueue {
    fn drop(&mut self) {
        let _ = self.context.device().call(&mut DestroyHwQueue { queue: self.handle });
    }
}

/// A hardware queue on a context of its own.
#[derive(Debug)]
pub struct HwQueue {
    raw: Arc<RawHwQueue>,
    progress: Arc<Fence>,
}

impl HwQueue {
    /// Makes a context and a hardware queue on it. `queue_data` is vendor data of the queue.
    ///
    /// # Errors
    /// Those of the requests.
    pub fn create(device: &Device, desc: &ContextDesc<'_>, queue_data: &[u8]) -> Result<Self> {
        let context = Context::create(device, desc, true)?;
        let mut data = queue_data.to_vec();
        let mut arg = CreateHwQueue {
            context: context.handle(),
            flags: CreateHwQueueFlags::default().set(CreateHwQueueFlags::DISABLE_GPU_TIMEOUT, desc.disable_gpu_timeout),
            priv_drv_data_size: blob_size(&data)?,
            priv_drv_data: if data.is_empty() { 0 } else { data.as_mut_ptr() as u64 },
            ..Default::default()
        };
        device.call(&mut arg)?;
        if arg.queue.is_null() {
            return Err(Error::new(CreateHwQueue::IOCTL, Cause::NoOutput));
        }
        let raw = Arc::new(RawHwQueue { context, handle: arg.queue });
        let (cpu, gpu) = (arg.queue_progress_fence_cpu_va, arg.queue_progress_fence_gpu_va);
        let progress = Fence::of_queue(device, raw.clone(), arg.queue_progress_fence, cpu, gpu)
            .ok_or(Error::new(CreateHwQueue::IOCTL, Cause::NoOutput))?;
        Ok(Self { raw, progress: Arc::new(progress) })
    }

    fn device(&self) -> &Device {
        self.raw.context.device()
    }

    /// The handle.
    pub fn handle(&self) -> Handle {
        self.raw.handle
    }

    /// The context it was made on.
    pub fn context(&self) -> &Context {
        &self.raw.context
    }

    /// The fence that each submission moves to its progress value.
    pub fn progress(&self) -> &Arc<Fence> {
        &self.progress
    }

    /// Queues commands: `length` bytes at GPU virtual address `va`. The progress fence is
    /// `progress` when they are done; it must be higher than that of the submission before.
    ///
    /// # Errors
    /// Those of the request; a host may also reject silently and lose the device.
    pub fn submit(&self, va: u64, length: u32, progress: u64, private_data: &[u8]) -> Result<()> {
        let mut arg = SubmitCommandToHwQueue {
            hwqueue: self.raw.handle,
            hwqueue_progress_fence_id: progress,
            command_buffer: va,
            command_length: length,
            priv_drv_data_size: blob_size(private_data)?,
            priv_drv_data: if private_data.is_empty() { 0 } else { private_data.as_ptr() as u64 },
            ..Default::default()
        };
        self.device().call(&mut arg).map(drop)
    }

    /// Makes later work wait until all points are reached.
    ///
    /// # Errors
    /// Those of the request.
    pub fn wait(&self, points: &[FencePoint<'_>]) -> Result<()> {
        self.wait_raw(raw_points(points))
    }

    pub(crate) fn wait_raw(&self, points: impl Iterator<Item = (Handle, u64)>) -> Result<()> {
        for part in PointArrays::chunks(points) {
            let mut arg = SubmitWaitForSyncObjectsToHwQueue {
                hwqueue: self.raw.handle,
                object_count: part.count(),
                objects: part.handles(),
                fence_values: part.values(),
            };
            self.device().call(&mut arg)?;
        }
        Ok(())
    }

    /// Signals all points once earlier work is done.
    ///
    /// # Errors
    /// Those of the request.
    pub fn signal(&self, points: &[FencePoint<'_>]) -> Result<()> {
        self.signal_raw(raw_points(points))
    }

    pub(crate) fn signal_raw(&self, points: impl Iterator<Item = (Handle, u64)>) -> Result<()> {
        self.set_raw(points, SignalFlags::default())
    }

    /// Sets all points once earlier work is done, also to values that are lower than they were.
    pub(crate) fn rewind_raw(&self, points: impl Iterator<Item = (Handle, u64)>) -> Result<()> {
        self.set_raw(points, SignalFlags::ALLOW_FENCE_REWIND)
    }

    fn set_raw(&self, points: impl Iterator<Item = (Handle, u64)>, flags: SignalFlags) -> Result<()> {
        for part in PointArrays::chunks(points) {
            let mut arg = SubmitSignalSyncObjectsToHwQueue {
                flags,
                hwqueue_count: 1,
                hwqueues: &raw const self.raw.handle as u64,
                object_count: part.count(),
                objects: part.handles(),
                fence_values: part.values(),
                ..Default::default()
            };
            self.device().call(&mut arg)?;
        }
        Ok(())
    }
}
