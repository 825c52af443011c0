//! Monitored fences: 64-bit values that only rise, waited for and signalled by CPU and GPU.

use crate::device::Device;
use crate::error::{Cause, Error, Result};
use crate::hw_queue::RawHwQueue;
use crate::sys::FencePage;
use crate::wait::{self, Point, WaitMode, WaitOutcome};
use dxg_abi::{
    Arg, CreateSynchronizationObject2, DestroySynchronizationObject, Handle, SignalFlags,
    SignalSynchronizationObjectFromCpu, SyncMonitoredFence, SynchronizationObjectFlags, SynchronizationObjectInfo2,
    SynchronizationObjectType,
};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// Options of a fence.
#[derive(Clone, Copy, Debug, Default)]
pub struct FenceDesc {
    /// Value at the start.
    pub initial: u64,
    /// Can be exported to other processes and as sync files.
    pub shared: bool,
    /// Engines that use it, 0 for any.
    pub engine_affinity: u32,
}

/// Who takes the fence away.
#[derive(Debug)]
enum Owner {
    /// This object.
    Itself,
    /// The hardware queue it is the progress fence of.
    Queue { _queue: Arc<RawHwQueue> },
}

/// A monitored fence.
#[derive(Debug)]
pub struct Fence {
    // Goes first: what stands in for a page is the process's.
    page: FencePage,
    device: Device,
    handle: Handle,
    gpu_va: u64,
    shared: bool,
    owner: Owner,
}

/// A value of a fence: something to wait for, or to signal.
#[derive(Clone, Copy, Debug)]
pub struct FencePoint<'a> {
    /// The fence.
    pub fence: &'a Fence,
    /// The value.
    pub value: u64,
}

impl Fence {
    /// Makes a fence.
    ///
    /// # Errors
    /// Those of the request.
    pub fn create(device: &Device, desc: &FenceDesc) -> Result<Self> {
        let flags = if desc.shared {
            SynchronizationObjectFlags::SHARED | SynchronizationObjectFlags::NT_SECURITY_SHARING
        } else {
            SynchronizationObjectFlags::default()
        };
        let mut info = SynchronizationObjectInfo2 {
            r#type: SynchronizationObjectType::MONITORED_FENCE,
            flags,
            ..Default::default()
        };
        info.set_monitored_fence(SyncMonitoredFence {
            initial_fence_value: desc.initial,
            engine_affinity: desc.engine_affinity,
            ..Default::default()
        });
        let mut arg = CreateSynchronizationObject2 { device: device.handle(), info, ..Default::default() };
        device.call(&mut arg)?;
        let made = arg.info.monitored_fence();
        let (cpu, gpu) = (made.fence_cpu_virtual_address, made.fence_gpu_virtual_address);
        Self::adopt(device, arg.sync_object, cpu, gpu, desc.shared)
            .ok_or(Error::new(CreateSynchronizationObject2::IOCTL, Cause::NoOutput))
    }

    /// Takes over a fence that a call made for us. One that is incomplete is destroyed.
    pub(crate) fn adopt(device: &Device, handle: Handle, cpu: u64, gpu_va: u64, shared: bool) -> Option<Self> {
        if handle.is_null() {
            return None;
        }
        // SAFETY: the page belongs to the object, which is destroyed when this one drops.
        let Some(page) = (unsafe { FencePage::new(cpu) }) else {
            let _ = device.call(&mut DestroySynchronizationObject { sync_object: handle });
            return None;
        };
        Some(Self { device: device.clone(), handle, page, gpu_va, shared, owner: Owner::Itself })
    }

    /// The progress fence of a hardware queue.
    pub(crate) fn of_queue(
        device: &Device,
        queue: Arc<RawHwQueue>,
        handle: Handle,
        cpu: u64,
        gpu_va: u64,
    ) -> Option<Self> {
        // SAFETY: the page belongs to the queue, which the new object keeps alive.
        let page = unsafe { FencePage::new(cpu) }?;
        let owner = Owner::Queue { _queue: queue };
        Some(Self { device: device.clone(), handle, page, gpu_va, shared: false, owner })
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The handle.
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// GPU virtual address of the value.
    pub fn gpu_va(&self) -> u64 {
        self.gpu_va
    }

    /// Whether it was made to be exported.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// The value now: one load. `u64::MAX` means that the device is lost.
    #[inline]
    pub fn value(&self) -> u64 {
        self.page.value()
    }

    /// Whether the value is at least this; an error if only because the device was lost.
    ///
    /// # Errors
    /// [`Cause::DeviceLost`].
    pub fn is_reached(&self, value: u64) -> Result<bool> {
        let now = self.value();
        if now == u64::MAX && value != u64::MAX {
            self.device.mark_lost();
            return Err(Error::lost());
        }
        Ok(now >= value)
    }

    /// Sets the value from the CPU.
    ///
    /// # Errors
    /// Those of the request.
    pub fn signal(&self, value: u64) -> Result<()> {
        self.set(value, SignalFlags::default())
    }

    /// Sets the value from the CPU, also to one that is lower than it was.
    ///
    /// # Errors
    /// Those of the request.
    pub fn rewind(&self, value: u64) -> Result<()> {
        self.set(value, SignalFlags::ALLOW_FENCE_REWIND)
    }

    fn set(&self, value: u64, flags: SignalFlags) -> Result<()> {
        let mut arg = SignalSynchronizationObjectFromCpu {
            device: self.device.handle(),
            object_count: 1,
            objects: &raw const self.handle as u64,
            fence_values: &raw const value as u64,
            flags,
            ..Default::default()
        };
        self.device.call(&mut arg).map(drop)
    }

    fn point(&self, value: u64) -> Point<'_> {
        Point { handle: self.handle, page: &self.page, value }
    }

    /// Waits until the value is at least this; `None` waits without a limit.
    ///
    /// # Errors
    /// [`Cause::DeviceLost`] if it can never be reached; those of the request.
    pub fn wait(&self, value: u64, timeout: Option<Duration>) -> Result<WaitOutcome> {
        wait::wait(&self.device, &[self.point(value)], WaitMode::All, timeout)
    }

    /// Waits for all or one of several points, which must be of one device; `None` waits
    /// without a limit. No points at all are reached.
    ///
    /// # Errors
    /// [`Cause::DeviceLost`] if they can never be reached; [`Cause::Argument`] for points of
    /// several devices; those of the request.
    pub fn wait_many(points: &[FencePoint<'_>], mode: WaitMode, timeout: Option<Duration>) -> Result<WaitOutcome> {
        let Some(first) = points.first() else { return Ok(WaitOutcome::Reached) };
        let device = &first.fence.device;
        if !points.iter().all(|p| p.fence.device.is_same(device)) {
            return Err(Error::argument("fences of several devices in one wait"));
        }
        let points: SmallVec<[Point<'_>; 16]> = points.iter().map(|p| p.fence.point(p.value)).collect();
        wait::wait(device, &points, mode, timeout)
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        self.device.events().forget(self.handle);
        match self.owner {
            Owner::Itself => {
                let _ = self.device.call(&mut DestroySynchronizationObject { sync_object: self.handle });
            }
            Owner::Queue { .. } => {}
        }
    }
}
