//! CPU notifications: events of the system that a queue raises in its order, without a value.

use crate::context::Context;
use crate::device::Device;
use crate::error::{Cause, Error, Result};
use dxg_abi::{
    Arg, CreateSynchronizationObject2, DestroySynchronizationObject, Handle, SignalSynchronizationObject2,
    SyncCpuNotification, SynchronizationObjectInfo2, SynchronizationObjectType,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// An event that queues raise; its descriptor can be waited for together with anything else.
///
/// Nothing raises it when the device is lost: wait with a limit, or for a fence.
#[derive(Debug)]
pub struct CpuNotification {
    device: Device,
    handle: Handle,
    event: OwnedFd,
}

impl CpuNotification {
    /// Makes a notification.
    ///
    /// # Errors
    /// Those of the request.
    pub fn create(device: &Device) -> Result<Self> {
        let event = crate::events::new_event()?;
        let mut info =
            SynchronizationObjectInfo2 { r#type: SynchronizationObjectType::CPU_NOTIFICATION, ..Default::default() };
        info.set_cpu_notification(SyncCpuNotification { event: event.as_raw_fd() as u64 });
        let mut arg = CreateSynchronizationObject2 { device: device.handle(), info, ..Default::default() };
        // The number comes back as something else, so it is ours that counts.
        device.call(&mut arg)?;
        if arg.sync_object.is_null() {
            return Err(Error::new(CreateSynchronizationObject2::IOCTL, Cause::NoOutput));
        }
        Ok(Self { device: device.clone(), handle: arg.sync_object, event })
    }

    /// How often it was raised since it was last asked; does not wait.
    pub fn take(&self) -> u64 {
        let mut count = [0u8; 8];
        match rustix::io::read(&self.event, &mut count) {
            Ok(8) => u64::from_ne_bytes(count),
            // Nothing is there.
            Ok(_) | Err(_) => 0,
        }
    }

    /// Waits until it is raised, at most so long, and says how often it was.
    ///
    /// # Errors
    /// Those of the system's calls.
    pub fn wait(&self, limit: Duration) -> Result<u64> {
        crate::wait::sleep(&self.event, limit)?;
        Ok(self.take())
    }
}

impl AsFd for CpuNotification {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl Drop for CpuNotification {
    fn drop(&mut self) {
        let _ = self.device.call(&mut DestroySynchronizationObject { sync_object: self.handle });
    }
}

impl Context {
    /// Raises a notification once earlier work is done.
    ///
    /// # Errors
    /// Those of the request.
    pub fn notify(&self, notification: &CpuNotification) -> Result<()> {
        let mut arg = SignalSynchronizationObject2 { context: self.handle(), object_count: 1, ..Default::default() };
        arg.object_array[0] = notification.handle;
        self.device().call(&mut arg).map(drop)
    }
}
