//! Contexts: FIFOs of work scheduled by software.

use crate::device::Device;
use crate::error::{Cause, Error, Result};
use crate::fence::FencePoint;
use crate::queries::blob_size;
use dxg_abi::{
    Arg, ClientHint, CreateContextFlags, CreateContextVirtual, DestroyContext, Handle, SetContextSchedulingPriority,
    SignalFlags, SignalSynchronizationObjectFromGpu, SignalSynchronizationObjectFromGpu2, SubmitCommand,
    WaitForSynchronizationObjectFromGpu, MAX_OBJECT_WAITED_ON,
};

/// Objects of one wait or signal request.
pub(crate) const CHUNK: usize = MAX_OBJECT_WAITED_ON as usize;

/// Handles and values of up to [`CHUNK`] points, on the stack.
pub(crate) struct PointArrays {
    handles: [Handle; CHUNK],
    values: [u64; CHUNK],
    len: usize,
}

impl PointArrays {
    /// The parts a list of points is cut into for requests.
    pub(crate) fn chunks<'a>(
        points: impl Iterator<Item = (Handle, u64)> + 'a,
    ) -> impl Iterator<Item = PointArrays> + 'a {
        let mut points = points;
        std::iter::from_fn(move || {
            let mut part = PointArrays { handles: [Handle::NULL; CHUNK], values: [0; CHUNK], len: 0 };
            for (handle, value) in points.by_ref().take(CHUNK) {
                part.handles[part.len] = handle;
                part.values[part.len] = value;
                part.len += 1;
            }
            (part.len > 0).then_some(part)
        })
    }

    pub(crate) fn count(&self) -> u32 {
        self.len as u32
    }

    pub(crate) fn handles(&self) -> u64 {
        self.handles.as_ptr() as u64
    }

    pub(crate) fn values(&self) -> u64 {
        self.values.as_ptr() as u64
    }
}

pub(crate) fn raw_points<'a>(points: &'a [FencePoint<'a>]) -> impl Iterator<Item = (Handle, u64)> + 'a {
    points.iter().map(|p| (p.fence.handle(), p.value))
}

/// Options of a context.
#[derive(Clone, Copy, Debug)]
pub struct ContextDesc<'a> {
    /// Engine of the adapter.
    pub node_ordinal: u32,
    /// Mask of engines of the node, 0 for any.
    pub engine_affinity: u32,
    /// The API served.
    pub client_hint: ClientHint,
    /// Lift the limit on the run time of commands.
    pub disable_gpu_timeout: bool,
    /// Scheduling priority −7..=7, if not the default.
    pub priority: Option<i32>,
    /// Vendor data.
    pub private_data: &'a [u8],
}

impl Default for ContextDesc<'_> {
    fn default() -> Self {
        Self {
            node_ordinal: 0,
            engine_affinity: 0,
            client_hint: ClientHint::VULKAN,
            disable_gpu_timeout: false,
            priority: None,
            private_data: &[],
        }
    }
}

/// A context.
#[derive(Debug)]
pub struct Context {
    device: Device,
    handle: Handle,
}

impl Context {
    /// Makes a context; with `hw_queues` one that hardware queues can be made on.
    ///
    /// # Errors
    /// Those of the request. Hosts limit the number of contexts.
    pub fn create(device: &Device, desc: &ContextDesc<'_>, hw_queues: bool) -> Result<Self> {
        // The host may write vendor data back.
        let mut data = desc.private_data.to_vec();
        let mut arg = CreateContextVirtual {
            device: device.handle(),
            node_ordinal: desc.node_ordinal,
            engine_affinity: desc.engine_affinity,
            flags: CreateContextFlags::default()
                .set(CreateContextFlags::DISABLE_GPU_TIMEOUT, desc.disable_gpu_timeout)
                .set(CreateContextFlags::HW_QUEUE_SUPPORTED, hw_queues),
            priv_drv_data: if data.is_empty() { 0 } else { data.as_mut_ptr() as u64 },
            priv_drv_data_size: blob_size(&data)?,
            client_hint: desc.client_hint,
            ..Default::default()
        };
        device.call(&mut arg)?;
        if arg.context.is_null() {
            return Err(Error::new(CreateContextVirtual::IOCTL, Cause::NoOutput));
        }
        let context = Self { device: device.clone(), handle: arg.context };
        if let Some(priority) = desc.priority {
            device.call(&mut SetContextSchedulingPriority { context: context.handle, priority })?;
        }
        Ok(context)
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The handle.
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// Queues commands: `length` bytes at GPU virtual address `va`. Nothing tells when they are
    /// done; signal a fence afterwards.
    ///
    /// # Errors
    /// Those of the request; a host may also reject silently and lose the device.
    pub fn submit(&self, va: u64, length: u32, private_data: &[u8]) -> Result<()> {
        let mut arg = SubmitCommand {
            command_buffer: va,
            command_length: length,
            broadcast_context_count: 1,
            priv_drv_data: if private_data.is_empty() { 0 } else { private_data.as_ptr() as u64 },
            priv_drv_data_size: blob_size(private_data)?,
            ..Default::default()
        };
        arg.broadcast_context[0] = self.handle;
        self.device.call(&mut arg).map(drop)
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
            let mut arg = WaitForSynchronizationObjectFromGpu {
                context: self.handle,
                object_count: part.count(),
                objects: part.handles(),
                monitored_fence_values: part.values(),
                ..Default::default()
            };
            self.device.call(&mut arg)?;
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
        for part in PointArrays::chunks(points) {
            let mut arg = SignalSynchronizationObjectFromGpu {
                context: self.handle,
                object_count: part.count(),
                objects: part.handles(),
                monitored_fence_values: part.values(),
                ..Default::default()
            };
            self.device.call(&mut arg)?;
        }
        Ok(())
    }
}

impl Context {
    /// Sets all points once earlier work is done, also to values that are lower than they were.
    pub(crate) fn rewind_raw(&self, points: impl Iterator<Item = (Handle, u64)>) -> Result<()> {
        for part in PointArrays::chunks(points) {
            let mut arg = SignalSynchronizationObjectFromGpu2 {
                object_count: part.count(),
                objects: part.handles(),
                flags: SignalFlags::ALLOW_FENCE_REWIND,
                context_count: 1,
                contexts: &raw const self.handle as u64,
                monitored_fence_values: part.values(),
                ..Default::default()
            };
            self.device.call(&mut arg)?;
        }
        Ok(())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let _ = self.device.call(&mut DestroyContext { context: self.handle });
    }
}
