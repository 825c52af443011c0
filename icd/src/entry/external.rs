//! Sharing fences and semaphores through file descriptors.

use super::memory::{give_fd, take_fd};
use super::VkResult;
use crate::edge::{In, Out};
use crate::objects::Device;
use ash::vk;
use std::ffi::c_int;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

/// A copy of the application's descriptor: until the import has worked the original stays the application's.
fn copy(fd: c_int) -> VkResult<Option<OwnedFd>> {
    let Some(given) = take_fd(fd) else {
        return Ok(None);
    };
    let copy = given.as_fd().try_clone_to_owned();
    let _ = given.into_raw_fd();
    copy.map(Some).map_err(|_| vk::Result::ERROR_INVALID_EXTERNAL_HANDLE)
}

pub fn get_fence_fd_khr(device: &Device, info: In<'_, vk::FenceGetFdInfoKHR<'_>>, out: Out<'_, c_int>) -> VkResult {
    if info.handle_type != vk::ExternalFenceHandleTypeFlags::SYNC_FD {
        return Err(unknown(device, "fences are exported as sync files"));
    }
    out.set(give_fd(device.ok(info.fence().export_sync_fd())?));
    Ok(())
}

pub fn import_fence_fd_khr(device: &Device, info: In<'_, vk::ImportFenceFdInfoKHR<'_>>) -> VkResult {
    if info.handle_type != vk::ExternalFenceHandleTypeFlags::SYNC_FD {
        return Err(unknown(device, "fences are imported from sync files"));
    }
    device.ok(info.fence().import_sync_fd(copy(info.fd)?))?;
    drop(take_fd(info.fd));
    Ok(())
}

pub fn get_semaphore_fd_khr(
    device: &Device,
    info: In<'_, vk::SemaphoreGetFdInfoKHR<'_>>,
    out: Out<'_, c_int>,
) -> VkResult {
    out.set(give_fd(device.ok(info.semaphore().export_fd(info.handle_type))?));
    Ok(())
}

pub fn import_semaphore_fd_khr(device: &Device, info: In<'_, vk::ImportSemaphoreFdInfoKHR<'_>>) -> VkResult {
    device.ok(info.semaphore().import_fd(info.handle_type, copy(info.fd)?))?;
    drop(take_fd(info.fd));
    Ok(())
}

fn unknown(device: &Device, text: &str) -> vk::Result {
    device.fail(&runtime::Error::InvalidExternalHandle(text.to_owned()))
}
