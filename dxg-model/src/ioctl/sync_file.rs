//! Sync files.

use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::Arc;

use dxg_abi::{CreateSyncFile, Ioctl, NtStatus, OpenSyncObjectFromSyncFile, WaitSyncFile};

use crate::device::{Object, SyncHandle};
use crate::lock::{lock, Mutex};
use crate::process::{Answer, Failure, Process};
use crate::queue::{Item, Points};
use crate::share::Shared;
use crate::sync::{Bell, CpuWait, SyncObject};
use crate::{sync_file, sys};

pub(super) fn create(p: &Process, a: &mut CreateSyncFile) -> Answer {
    p.device(a.device)?;
    let object = match p.object(a.monitored_fence) {
        Some(Object::Sync(s)) if s.object.is_fence() => s.object.clone(),
        _ => return Err(Failure::EINVAL),
    };
    p.host(Ioctl::CreateSyncFile)?;
    object.give_away();
    lock(&p.shares).know(&Shared::Sync(object.clone()));
    let file = object.board.as_ref().map(|b| b.file.clone());
    let made = lock(&p.sync_files).make(file, a.fence_value);
    let (theirs, ours) = made.map_err(|_| Failure::ENOTRECOVERABLE)?;
    CpuWait::start(&[(object, a.fence_value)], false, Some(Bell::SyncFile(ours)));
    a.sync_file_handle = theirs.as_raw_fd() as u64;
    // It is the caller's from now on.
    let _ = theirs.into_raw_fd();
    Ok(0)
}

/// What a sync file waits for; `None` if its fence is not shared.
fn point(p: &Process, fd: u64) -> Result<Option<(Arc<SyncObject>, u64)>, Failure> {
    let fd = sys::fd_number(fd).ok_or(Failure::EINVAL)?;
    let point = sync_file::read(fd).ok_or(Failure::EINVAL)?;
    let Some(fence) = point.fence else { return Ok(None) };
    match lock(&p.shares).find(&p.space, fence.number()) {
        Some(Shared::Sync(object)) if object.is_fence() => Ok(Some((object, point.value))),
        _ => Err(Failure::EINVAL),
    }
}

/// What comes of a sync file whose fence is not shared: success, as if it had been done.
fn unshared(p: &Process) -> Answer {
    if p.config.quirks {
        return Ok(0);
    }
    Err(Failure::EINVAL)
}

pub(super) fn wait(p: &Process, a: &mut WaitSyncFile) -> Answer {
    let point = point(p, a.sync_file_handle)?;
    let context = p.context(a.context)?;
    let Some(point) = point else { return unshared(p) };
    let submit = || -> Result<(), NtStatus> {
        p.host_status(Ioctl::WaitSyncFile)?;
        p.enqueue(&context.queue, [Item::Wait(Points::from_iter([point]))])
    };
    p.fire(submit())
}

pub(super) fn open(p: &Process, a: &mut OpenSyncObjectFromSyncFile) -> Answer {
    let Some((object, value)) = point(p, a.sync_file_handle)? else { return unshared(p) };
    let device = p.device(a.device)?;
    p.host(Ioctl::OpenSyncObjectFromSyncFile)?;
    let view = object.view(&p.space).map_err(|_| Failure::ENOMEM)?;
    let view = Mutex::new(Some(view));
    let handle = Arc::new(SyncHandle { device, object, view, shared: true, opened: true });
    let address = handle.address();
    a.syncobj = p.insert(Object::Sync(handle))?;
    a.fence_value = value;
    (a.fence_value_cpu_va, a.fence_value_gpu_va) = (address, address);
    Ok(0)
}
