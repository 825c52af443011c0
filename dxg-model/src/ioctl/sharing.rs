//! Sharing through descriptors.

use std::sync::Arc;

use dxg_abi::{
    Handle, Ioctl, NtStatus, OpenAllocationInfo2, OpenResourceFromNtHandle, OpenSyncObjectFromNtHandle2,
    OpenedMonitoredFence, QueryResourceInfoFromNtHandle, ShareObjectWithHost, ShareObjects,
};

use crate::content::SharedContent;
use crate::device::{Device, Object, SyncHandle};
use crate::lock::atomic::{AtomicBool, AtomicU32};
use crate::lock::{lock, Mutex};
use crate::memory::{Allocation, Resource, ResourceState};
use crate::process::{Answer, Failure, Process};
use crate::share::Shared;
use crate::sync::Kind;
use crate::{sys, usermem};

/// Residency priority of an opened allocation.
const NORMAL_PRIORITY: u32 = 0x7800_0000;

/// The object behind a descriptor of ours.
fn opened(p: &Process, fd: u64) -> Result<Shared, Failure> {
    let fd = sys::fd_number(fd).ok_or(Failure::EINVAL)?;
    lock(&p.shares).find(&p.space, fd).ok_or(Failure::EINVAL)
}

fn shared_resource(p: &Process, fd: u64) -> Result<Arc<SharedContent>, Failure> {
    match opened(p, fd)? {
        Shared::Resource(content) => Ok(content),
        Shared::Sync(_) => Err(Failure::EINVAL),
    }
}

/// Seals a resource: no more allocations, and openers get what is there now. Needs at least one
/// byte of private data; a second attempt without any passes with nothing in it.
fn seal(p: &Process, resource: &Resource) -> Result<Arc<SharedContent>, Failure> {
    let mut st = lock(&resource.state);
    if let Some(content) = &st.content {
        return Ok(content.clone());
    }
    let again = st.sealed;
    st.sealed = true;
    let list = p.allocations(&st.allocations, None)?;
    let any = list.iter().any(|a| !a.private_data.is_empty());
    let passes = any || (again && p.config.quirks);
    if !passes {
        return Err(Failure::EINVAL);
    }
    let allocations =
        if any { list.iter().map(|a| (a.memory.clone(), a.private_data.clone())).collect() } else { Vec::new() };
    let mut content = SharedContent {
        runtime_data: resource.runtime_data.clone(),
        private_data: resource.private_data.clone(),
        allocations,
        file: None,
    };
    content.write(resource.file.as_ref());
    let content = Arc::new(content);
    st.content = Some(content.clone());
    Ok(content)
}

pub(super) fn share(p: &Process, a: &mut ShareObjects) -> Answer {
    if a.object_count != 1 {
        return Err(Failure::EINVAL);
    }
    let handle: Handle = usermem::read_object(a.objects)?;
    let object = p.object(handle).filter(|o| match o {
        Object::Sync(s) => s.shared,
        Object::Resource(r) => r.shared,
        _ => false,
    });
    let object = object.ok_or(Failure::EINVAL)?;
    // The descriptor comes first, and a resource is not sealed without one.
    let none = |_| Failure::ENOTRECOVERABLE;
    let first = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).map_err(none)?;
    let what = match &object {
        Object::Sync(s) => Shared::Sync(s.object.clone()),
        Object::Resource(r) => Shared::Resource(seal(p, r)?),
        _ => return Err(Failure::EINVAL),
    };
    p.host(Ioctl::ShareObjects)?;
    drop(first);
    if let Shared::Sync(object) = &what {
        object.give_away();
    }
    let fd = lock(&p.shares).share(what).map_err(|_| Failure::ENOTRECOVERABLE)?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&fd) as u64;
    if let Err(e) = usermem::write_object(a.shared_handle, &number) {
        drop(fd);
        lock(&p.shares).collect();
        return Err(e.into());
    }
    // It is the caller's from now on.
    let _ = std::os::fd::IntoRawFd::into_raw_fd(fd);
    Ok(0)
}

pub(super) fn open_sync(p: &Process, a: &mut OpenSyncObjectFromNtHandle2) -> Answer {
    let device = p.device(a.device)?;
    let Shared::Sync(object) = opened(p, a.nt_handle)? else { return Err(Failure::EINVAL) };
    p.host(Ioctl::OpenSyncObjectFromNtHandle2)?;
    let monitored = matches!(object.kind, Kind::Monitored);
    let view = if monitored { Some(object.view(&p.space).map_err(|_| Failure::ENOMEM)?) } else { None };
    let handle = Arc::new(SyncHandle { device, object, view: Mutex::new(view), shared: true, opened: true });
    let address = handle.address();
    a.sync_object = p.insert(Object::Sync(handle))?;
    if monitored {
        a.monitored_fence =
            OpenedMonitoredFence { fence_value_cpu_va: address, fence_value_gpu_va: address, ..a.monitored_fence };
    }
    Ok(0)
}

pub(super) fn resource_info(p: &Process, a: &mut QueryResourceInfoFromNtHandle) -> Answer {
    let content = shared_resource(p, a.nt_handle)?;
    p.device(a.device)?;
    a.private_runtime_data_size = content.runtime_data.len() as u32;
    a.total_priv_drv_data_size = content.total_private();
    a.resource_priv_drv_data_size = content.private_data.len() as u32;
    a.allocation_count = content.allocations.len() as u32;
    Ok(0)
}

pub(super) fn open_resource(p: &Process, a: &mut OpenResourceFromNtHandle) -> Answer {
    let content = shared_resource(p, a.nt_handle)?;
    let device = p.device(a.device)?;
    let short = a.allocation_count as usize != content.allocations.len()
        || i64::from(a.private_runtime_data_size) < content.runtime_data.len() as i64
        || (a.resource_priv_drv_data_size as usize) < content.private_data.len()
        || a.total_priv_drv_data_size < content.total_private();
    if short {
        return Err(Failure::EINVAL);
    }
    p.host(Ioctl::OpenResourceFromNtHandle)?;
    match open_content(p, a, &content, &device) {
        Ok(resource) => {
            a.resource = resource;
            a.total_priv_drv_data_size = content.total_private();
            Ok(0)
        }
        // The roll-back's own status overwrites the fault.
        Err(Failure::EFAULT) if p.config.quirks => Ok(0),
        Err(e) => Err(e),
    }
}

fn open_content(
    p: &Process,
    a: &OpenResourceFromNtHandle,
    content: &Arc<SharedContent>,
    device: &Arc<Device>,
) -> Result<Handle, Failure> {
    let state = ResourceState { sealed: true, content: Some(content.clone()), ..Default::default() };
    let resource = Arc::new(Resource {
        device: device.clone(),
        shared: true,
        runtime_data: content.runtime_data.clone(),
        private_data: content.private_data.clone(),
        file: content.file.clone(),
        state: Mutex::new(state),
    });
    let mut handles = Vec::with_capacity(content.allocations.len());
    let mut fill = || -> Result<Handle, Failure> {
        let mut info = usermem::read_array::<OpenAllocationInfo2>(a.open_alloc_info, content.allocations.len())?;
        let mut private = Vec::with_capacity(content.total_private() as usize);
        for (entry, (memory, data)) in info.iter_mut().zip(&content.allocations) {
            let allocation = Allocation {
                id: p.new_id(),
                device: device.clone(),
                resource: Some(resource.clone()),
                memory: memory.clone(),
                references: AtomicU32::new(0),
                locks: Mutex::new(0),
                priority: AtomicU32::new(NORMAL_PRIORITY),
                offered: AtomicBool::new(false),
                private_data: data.clone(),
            };
            entry.allocation = p.insert(Object::Allocation(Arc::new(allocation)))?;
            handles.push(entry.allocation);
            entry.priv_drv_data = a.total_priv_drv_data + private.len() as u64;
            entry.priv_drv_data_size = data.len() as u32;
            private.extend_from_slice(data);
        }
        usermem::copy_out(a.private_runtime_data, &content.runtime_data)?;
        usermem::copy_out(a.resource_priv_drv_data, &content.private_data)?;
        usermem::copy_out(a.total_priv_drv_data, &private)?;
        usermem::write_object(a.open_alloc_info, info.as_slice())?;
        p.insert(Object::Resource(resource.clone()))
    };
    let result = fill();
    match result {
        Ok(_) => lock(&resource.state).allocations = handles,
        Err(_) => {
            for h in handles {
                if let Some(Object::Allocation(x)) = p.remove(h) {
                    p.free_allocation(x, true);
                }
            }
        }
    }
    result
}

pub(super) fn share_with_host(p: &Process, _: &mut ShareObjectWithHost) -> Answer {
    p.host(Ioctl::ShareObjectWithHost)?;
    // There is no host to share with.
    Err(NtStatus::NOT_SUPPORTED.into())
}
