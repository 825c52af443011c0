//! Devices: what work and memory belong to, and what can be lost.

use crate::adapter::Adapter;
use crate::error::{Cause, Error, ErrorKind, Result};
use crate::events::Events;
use crate::paging::PagingQueue;
use crate::trim::Trimmer;
use dxg_abi::{
    Arg, CreateDevice, CreateDeviceFlags, DestroyDevice, DeviceErrorReason, DeviceExecutionState, DevicePageFaultState,
    DeviceResetState, DeviceStateType, GetDeviceState, Handle, MarkDeviceAsError, Ret,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// Options of a device.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeviceDesc {
    /// Lift the limit on the run time of commands.
    pub disable_gpu_timeout: bool,
}

/// What is known about the loss of a device.
#[derive(Clone, Copy, Debug)]
pub struct FaultInfo {
    /// Execution state.
    pub state: DeviceExecutionState,
    /// The page fault, if that was the cause.
    pub page_fault: Option<DevicePageFaultState>,
    /// What else was reset, as far as the system tells.
    pub reset: Option<DeviceResetState>,
}

/// The device itself; destroyed when dropped.
#[derive(Debug)]
pub(crate) struct RawDevice {
    pub(crate) adapter: Adapter,
    pub(crate) handle: Handle,
    lost: AtomicBool,
}

impl RawDevice {
    /// Issues a request about this device and notes its loss.
    pub(crate) fn call<A: Arg>(&self, arg: &mut A) -> Result<Ret> {
        self.adapter.call(arg).inspect_err(|e| {
            if e.kind() == ErrorKind::DeviceLost && e.cause != Cause::Forked {
                self.give_up();
            }
        })
    }

    /// Takes the device for lost, and lets the system know if it does not: nobody waits for the work of a lost device before its
    /// memory goes, so it has to end.
    fn give_up(&self) {
        if self.lost.swap(true, Ordering::Relaxed) {
            return;
        }
        let (device, state_type) = (self.handle, DeviceStateType::EXECUTION);
        let mut state = GetDeviceState { device, state_type, ..Default::default() };
        let asked = self.adapter.call(&mut state);
        if asked.is_ok() && state.execution_state() == DeviceExecutionState::ACTIVE {
            // There is nothing more to do if the system refuses.
            let _ = self.adapter.call(&mut MarkDeviceAsError { device, reason: DeviceErrorReason::GENERIC });
        }
    }
}

impl Drop for RawDevice {
    fn drop(&mut self) {
        let _ = self.adapter.call(&mut DestroyDevice { device: self.handle });
    }
}

struct DeviceInner {
    // Order matters: the paging queue goes before its device.
    paging: PagingQueue,
    events: Events,
    trimmer: Trimmer,
    raw: Arc<RawDevice>,
}

/// A device. Clones share it; everything made on it keeps it alive.
///
/// First in the lock order: device → queue → memory.
#[derive(Clone)]
pub struct Device {
    inner: Arc<DeviceInner>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("handle", &self.handle()).field("lost", &self.is_lost()).finish()
    }
}

impl Device {
    /// Creates a device and its paging queue.
    ///
    /// # Errors
    /// Those of the requests; a refusal shows as [`ErrorKind::Refused`].
    pub fn create(adapter: &Adapter, desc: &DeviceDesc) -> Result<Self> {
        let mut arg = CreateDevice {
            adapter: adapter.handle(),
            flags: CreateDeviceFlags::default().set(CreateDeviceFlags::DISABLE_GPU_TIMEOUT, desc.disable_gpu_timeout),
            ..Default::default()
        };
        adapter.call(&mut arg)?;
        if arg.device.is_null() {
            return Err(Error::new(CreateDevice::IOCTL, Cause::NoOutput));
        }
        let raw = Arc::new(RawDevice { adapter: adapter.clone(), handle: arg.device, lost: AtomicBool::new(false) });
        let paging = PagingQueue::create(raw.clone())?;
        Ok(Self {
            inner: Arc::new(DeviceInner { paging, events: Events::default(), trimmer: Trimmer::default(), raw }),
        })
    }

    pub(crate) fn call<A: Arg>(&self, arg: &mut A) -> Result<Ret> {
        self.inner.raw.call(arg)
    }

    pub(crate) fn events(&self) -> &Events {
        &self.inner.events
    }

    pub(crate) fn config(&self) -> &crate::WinsysConfig {
        self.adapter().inner.channel.config()
    }

    /// The adapter.
    pub fn adapter(&self) -> &Adapter {
        &self.inner.raw.adapter
    }

    /// The handle.
    pub fn handle(&self) -> Handle {
        self.inner.raw.handle
    }

    /// The paging queue all memory of the device uses.
    pub fn paging_queue(&self) -> &PagingQueue {
        &self.inner.paging
    }

    /// Whether two values are the same device.
    pub fn is_same(&self, other: &Device) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Whether the device is known to be lost. Asks nobody.
    pub fn is_lost(&self) -> bool {
        self.inner.raw.lost.load(Ordering::Relaxed)
    }

    /// Notes that the device is lost; there is no way back.
    pub fn mark_lost(&self) {
        self.inner.raw.lost.store(true, Ordering::Relaxed);
    }

    /// Takes the device for lost although the system may not.
    pub(crate) fn give_up(&self) {
        self.inner.raw.give_up();
    }

    /// Asks for the execution state. Cheap: the kernel keeps it at hand.
    ///
    /// # Errors
    /// Those of the request.
    pub fn execution_state(&self) -> Result<DeviceExecutionState> {
        let mut arg =
            GetDeviceState { device: self.handle(), state_type: DeviceStateType::EXECUTION, ..Default::default() };
        self.call(&mut arg)?;
        Ok(arg.execution_state())
    }

    /// Asks whether the device is lost, and remembers if so. A question that cannot be asked
    /// counts as a loss when the reason is that the adapter is gone.
    pub fn check_lost(&self) -> bool {
        if !self.is_lost() {
            match self.execution_state() {
                Ok(DeviceExecutionState::ACTIVE) => {}
                Ok(_) => self.mark_lost(),
                // `call` has noted a loss; anything else says nothing.
                Err(_) => {}
            }
        }
        self.is_lost()
    }

    /// What is known about the loss of the device.
    ///
    /// # Errors
    /// Those of the request for the execution state.
    pub fn fault_info(&self) -> Result<FaultInfo> {
        let state = self.execution_state()?;
        let ask = |kind| {
            let mut arg = GetDeviceState { device: self.handle(), state_type: kind, ..Default::default() };
            self.call(&mut arg).ok().map(|_| arg)
        };
        let page_fault = (state == DeviceExecutionState::ERROR_DMAPAGEFAULT)
            .then(|| ask(DeviceStateType::PAGE_FAULT).map(|a| a.page_fault_state()))
            .flatten();
        let reset = ask(DeviceStateType::RESET).map(|a| a.reset_state());
        Ok(FaultInfo { state, page_fault, reset })
    }

    /// Puts the device into its error state.
    ///
    /// # Errors
    /// Those of the request.
    pub fn mark_error(&self, reason: DeviceErrorReason) -> Result<()> {
        self.mark_lost();
        self.call(&mut MarkDeviceAsError { device: self.handle(), reason }).map(drop)
    }

    pub(crate) fn trimmer(&self) -> &Trimmer {
        &self.inner.trimmer
    }
}
