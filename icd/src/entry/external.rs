//! Sharing fences and semaphores through file descriptors.

use super::memory::{give_fd, take_fd};
use super::VkResult;
use crate::edge::{In, Out};
use crate::objects::Device;
use ash::vk;
use std::ffi::c_int;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

const NO_SUCH_FENCE: &str = "fences travel as opaque descriptors and sync files";

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
    let fd = match info.handle_type {
        vk::ExternalFenceHandleTypeFlags::OPAQUE_FD => Some(device.ok(info.fence().export_opaque_fd())?),
        vk::ExternalFenceHandleTypeFlags::SYNC_FD => device.ok(info.fence().export_sync_fd())?,
        _ => return Err(unknown(device, NO_SUCH_FENCE)),
    };
    out.set(give_fd(fd));
    Ok(())
}

pub fn import_fence_fd_khr(device: &Device, info: In<'_, vk::ImportFenceFdInfoKHR<'_>>) -> VkResult {
    let fd = copy(info.fd)?;
    let temporary = info.flags.contains(vk::FenceImportFlags::TEMPORARY);
    match (info.handle_type, fd) {
        (vk::ExternalFenceHandleTypeFlags::OPAQUE_FD, Some(fd)) => {
            device.ok(info.fence().import_opaque_fd(&fd, temporary))?;
        }
        (vk::ExternalFenceHandleTypeFlags::SYNC_FD, fd) => device.ok(info.fence().import_sync_fd(fd))?,
        _ => return Err(unknown(device, NO_SUCH_FENCE)),
    }
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
    let temporary = info.flags.contains(vk::SemaphoreImportFlags::TEMPORARY);
    device.ok(info.semaphore().import_fd(info.handle_type, copy(info.fd)?, temporary))?;
    drop(take_fd(info.fd));
    Ok(())
}

fn unknown(device: &Device, text: &str) -> vk::Result {
    device.fail(&runtime::Error::InvalidExternalHandle(text.to_owned()))
}
