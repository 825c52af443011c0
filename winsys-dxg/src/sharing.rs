//! Fences as file descriptors: opaque ones and Linux sync files.

use crate::device::Device;
use crate::error::{Cause, Error, Result};
use crate::fence::Fence;
use crate::sys::take_fd;
use dxg_abi::{
    Arg, CreateSyncFile, Handle, OpenSyncObjectFromNtHandle2, OpenSyncObjectFromSyncFile, ShareObjects,
    SynchronizationObjectFlags,
};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Makes a descriptor for a shared object.
pub(crate) fn share(device: &Device, object: Handle) -> Result<OwnedFd> {
    let mut fd = u64::MAX;
    let mut arg = ShareObjects {
        object_count: 1,
        objects: &raw const object as u64,
        shared_handle: &raw mut fd as u64,
        ..Default::default()
    };
    device.call(&mut arg)?;
    take_fd(fd).ok_or(Error::new(ShareObjects::IOCTL, Cause::NoOutput))
}

impl Fence {
    /// Makes an opaque descriptor that keeps the fence alive and that any process can import.
    ///
    /// # Errors
    /// [`Cause::Argument`] if the fence was not made to be shared; those of the request.
    pub fn export_fd(&self) -> Result<OwnedFd> {
        if !self.is_shared() {
            return Err(Error::argument("fence is not shared"));
        }
        share(self.device(), self.handle())
    }

    /// Opens a fence from an opaque descriptor, which stays the caller's.
    ///
    /// # Errors
    /// Those of the request; a descriptor of another kind is invalid.
    pub fn import_fd(device: &Device, fd: BorrowedFd<'_>) -> Result<Self> {
        let mut arg = OpenSyncObjectFromNtHandle2 {
            nt_handle: fd.as_raw_fd() as u64,
            device: device.handle(),
            flags: SynchronizationObjectFlags::SHARED | SynchronizationObjectFlags::NT_SECURITY_SHARING,
            ..Default::default()
        };
        device.call(&mut arg)?;
        let at = arg.monitored_fence;
        Fence::adopt(device, arg.sync_object, at.fence_value_cpu_va, at.fence_value_gpu_va, true)
            .ok_or(Error::new(OpenSyncObjectFromNtHandle2::IOCTL, Cause::NoOutput))
    }

    /// Makes a Linux sync file that signals when the fence reaches `value`.
    ///
    /// # Errors
    /// [`ErrorKind::NotSupported`](crate::ErrorKind::NotSupported) on kernels without it;
    /// [`Cause::Argument`] if the fence was not made to be shared (such a file could be made, but
    /// not be waited for by this driver).
    pub fn export_sync_file(&self, value: u64) -> Result<OwnedFd> {
        if !self.is_shared() {
            return Err(Error::argument("fence is not shared"));
        }
        let mut arg = CreateSyncFile {
            device: self.device().handle(),
            monitored_fence: self.handle(),
            fence_value: value,
            ..Default::default()
        };
        self.device().call(&mut arg)?;
        take_fd(arg.sync_file_handle).ok_or(Error::new(CreateSyncFile::IOCTL, Cause::NoOutput))
    }

    /// Opens the fence behind a sync file of this driver: the fence and the value it waits for.
    ///
    /// # Errors
    /// [`ErrorKind::NotSupported`](crate::ErrorKind::NotSupported) on kernels without it;
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) if the fence was not a shared one.
    pub fn import_sync_file(device: &Device, fd: BorrowedFd<'_>) -> Result<(Self, u64)> {
        let mut arg = OpenSyncObjectFromSyncFile {
            sync_file_handle: fd.as_raw_fd() as u64,
            device: device.handle(),
            ..Default::default()
        };
        device.call(&mut arg)?;
        Fence::adopt(device, arg.syncobj, arg.fence_value_cpu_va, arg.fence_value_gpu_va, true)
            .map(|fence| (fence, arg.fence_value))
            .ok_or(Error::new(OpenSyncObjectFromSyncFile::IOCTL, Cause::NoOutput))
    }
}
