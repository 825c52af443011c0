//! Allocations: creation, destruction, locking.

use std::sync::Arc;

use dxg_abi::{
    AllocationInfo2, AllocationInfo2Flags, CreateAllocation, CreateAllocationFlags as Flags, CreateStandardAllocation,
    DestroyAllocation2, DestroyAllocation2Flags, Handle, InvalidateCache, Ioctl, Lock2, NtStatus,
    StandardAllocationType, Unlock2, CREATE_ALLOCATION_MAX, PAGE_SIZE, PRIVATE_DATA_MAX,
};

use crate::device::{Device, Object};
use crate::lock::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::lock::{lock, Mutex};
use crate::memory::{Allocation, Memory, Resource, ResourceState};
use crate::process::{Answer, Failure, Process};
use crate::shared_file::SharedFile;
use crate::usermem;

/// What misuse of standard allocations returns: the status itself, unmapped.
const RAW_INVALID_PARAMETER: Failure = Failure(NtStatus::INVALID_PARAMETER.0 as i32);

/// Residency priority of an allocation that asks for none.
const NORMAL_PRIORITY: u32 = 0x7800_0000;

/// Checks a standard allocation; returns its heap size.
fn standard(p: &Process, a: &CreateAllocation, info: &[AllocationInfo2]) -> Result<u64, Failure> {
    if a.standard_allocation() == 0 {
        return Err(Failure::EINVAL);
    }
    let s: CreateStandardAllocation = usermem::read_object(a.standard_allocation())?;
    let existing = a.flags.contains(Flags::EXISTING_SYSMEM);
    let sysmem = info.first().map_or(0, |i| i.sysmem);
    let fits = match s.r#type {
        StandardAllocationType::EXISTINGHEAP => existing && sysmem != 0 && sysmem.is_multiple_of(PAGE_SIZE),
        StandardAllocationType::CROSSADAPTER => !existing && sysmem == 0,
        StandardAllocationType(_) => false,
    };
    if !fits {
        return Err(if p.config.quirks { RAW_INVALID_PARAMETER } else { Failure::EINVAL });
    }
    let size = s.existing_heap_data.size;
    if a.priv_drv_data_size != 0 || info.len() != 1 || size == 0 || !size.is_multiple_of(PAGE_SIZE) {
        return Err(Failure::EINVAL);
    }
    Ok(size)
}

/// Checks the resource that allocations are to be added to.
fn addable(p: &Process, h: Handle, device: &Arc<Device>) -> Result<Arc<Resource>, Failure> {
    let resource = p.resource(h)?;
    if !Arc::ptr_eq(&resource.device, device) {
        return Err(Failure::EINVAL);
    }
    let st = lock(&resource.state);
    if st.dead || st.sealed {
        return Err(Failure::EINVAL);
    }
    drop(st);
    Ok(resource)
}

pub(super) fn create(p: &Process, a: &mut CreateAllocation) -> Answer {
    let flags = a.flags;
    let is_standard = flags.contains(Flags::STANDARD_ALLOCATION);
    if a.alloc_count == 0 || a.alloc_count > CREATE_ALLOCATION_MAX {
        return Err(Failure::EINVAL);
    }
    let mut info: Vec<AllocationInfo2> = usermem::read_array(a.allocation_info, a.alloc_count as usize)?.into_vec();
    let bad_private =
        |i: &AllocationInfo2| i.priv_drv_data_size >= PRIVATE_DATA_MAX || (is_standard && i.priv_drv_data_size != 0);
    if info.iter().any(bad_private)
        || a.private_runtime_data_size >= PRIVATE_DATA_MAX
        || a.priv_drv_data_size >= PRIVATE_DATA_MAX
        || flags.contains(Flags::EXISTING_SECTION)
        || flags.contains(Flags::CREATE_PROTECTED)
    {
        return Err(Failure::EINVAL);
    }
    let heap = if is_standard { Some(standard(p, a, &info)?) } else { None };
    let create_resource = flags.contains(Flags::CREATE_RESOURCE);
    let shared = flags.contains(Flags::CREATE_SHARED);
    if shared && !create_resource {
        return Err(Failure::EINVAL);
    }
    let device = p.device(a.device)?;
    if shared && !flags.contains(Flags::NT_SECURITY_SHARING) {
        return Err(Failure::EINVAL);
    }
    let given = if !create_resource && !a.resource.is_null() { Some(addable(p, a.resource, &device)?) } else { None };
    let own = info.iter().filter(|i| i.sysmem != 0).count();
    if info.iter().any(|i| i.sysmem % PAGE_SIZE != 0) || (own != 0 && own != info.len()) {
        return Err(Failure::EINVAL);
    }
    let total: u64 =
        info.iter().map(|i| u64::from(i.priv_drv_data_size)).sum::<u64>() + u64::from(a.priv_drv_data_size);
    if !is_standard && total >= u64::from(PRIVATE_DATA_MAX) {
        return Err(Failure::EOVERFLOW);
    }
    let runtime_data = super::private_data(a.private_runtime_data, a.private_runtime_data_size)?;
    let resource_data =
        if is_standard { Vec::new() } else { super::private_data(a.priv_drv_data, a.priv_drv_data_size)? };

    // The host's part.
    p.mute_host(Ioctl::CreateAllocation)?;
    let mut parts = Vec::with_capacity(info.len());
    for i in &info {
        parts.push(describe(p, i, heap)?);
    }
    let read_only = flags.contains(Flags::READ_ONLY);
    // Memory that other processes may get lies in a file of the resource's.
    let file = match &given {
        Some(resource) => resource.file.clone(),
        None if shared => Some(SharedFile::for_resource().map_err(|_| Failure::ENOMEM)?),
        None => None,
    };
    let mut memory = Vec::with_capacity(info.len());
    for (i, (size, _)) in info.iter().zip(&parts) {
        memory.push(Arc::new(if i.sysmem != 0 {
            if !usermem::can_pin(i.sysmem, *size, !read_only) {
                return Err(Failure::ENOMEM);
            }
            Memory::user(i.sysmem, *size, flags.contains(Flags::CROSS_ADAPTER))
        } else {
            // No status comes back, so running out looks like any other failure.
            let place = match &file {
                Some(file) => Some((file.clone(), file.grow(*size).map_err(|_| Failure::EOVERFLOW)?)),
                None => None,
            };
            Memory::home_in(&p.space, *size, is_standard, place).map_err(|_| Failure::EOVERFLOW)?
        }));
    }

    // What the driver made of the private data goes back to the caller.
    for (i, (_, data)) in info.iter().zip(&parts) {
        if !is_standard {
            usermem::copy_out(i.priv_drv_data, data)?;
        }
    }
    let new_resource = create_resource.then(|| {
        Arc::new(Resource {
            device: device.clone(),
            shared,
            runtime_data,
            private_data: resource_data,
            file: file.clone(),
            state: Mutex::new(ResourceState::default()),
        })
    });
    let resource = given.or_else(|| new_resource.clone());
    enter(p, a, &mut info, parts, memory, &device, resource, new_resource)
}

/// Asks the driver what an allocation is: its size in whole pages and its private data.
fn describe(p: &Process, i: &AllocationInfo2, heap: Option<u64>) -> Result<(u64, Vec<u8>), Failure> {
    if let Some(size) = heap {
        // The guest gets private data for such a heap on the caller's behalf.
        return Ok((size, size.to_le_bytes().to_vec()));
    }
    let mut data = super::private_data(i.priv_drv_data, i.priv_drv_data_size)?;
    let size = p.engine.describe_allocation(&mut data).map(|d| d.size);
    let size = size.and_then(|s| s.checked_next_multiple_of(PAGE_SIZE)).filter(|s| *s > 0);
    Ok((size.ok_or(Failure::EOVERFLOW)?, data))
}

/// Enters new allocations into the tables and the caller's array; all or none.
#[allow(clippy::too_many_arguments)]
fn enter(
    p: &Process,
    a: &mut CreateAllocation,
    info: &mut [AllocationInfo2],
    parts: Vec<(u64, Vec<u8>)>,
    memory: Vec<Arc<Memory>>,
    device: &Arc<Device>,
    resource: Option<Arc<Resource>>,
    new_resource: Option<Arc<Resource>>,
) -> Answer {
    let mut handles = Vec::with_capacity(info.len());
    let fill = || -> Result<Option<Handle>, Failure> {
        for ((i, (_, private_data)), memory) in info.iter_mut().zip(parts).zip(memory) {
            let priority =
                if i.flags.contains(AllocationInfo2Flags::OVERRIDE_PRIORITY) { i.priority } else { NORMAL_PRIORITY };
            let allocation = Allocation {
                id: p.new_id(),
                device: device.clone(),
                resource: resource.clone(),
                memory,
                references: AtomicU32::new(0),
                locks: Mutex::new(0),
                priority: AtomicU32::new(priority),
                offered: AtomicBool::new(false),
                private_data,
            };
            let handle = p.insert(Object::Allocation(Arc::new(allocation)))?;
            handles.push(handle);
            i.allocation = handle;
        }
        for (n, i) in info.iter().enumerate() {
            // Only the handle is written; it is the first field.
            let at = a.allocation_info + (n * size_of::<AllocationInfo2>()) as u64;
            usermem::write_object(at, &i.allocation)?;
        }
        new_resource.clone().map(|r| p.insert(Object::Resource(r))).transpose()
    };
    match fill() {
        Ok(handle) => {
            if let Some(resource) = &resource {
                lock(&resource.state).allocations.extend(&handles);
            }
            if let Some(handle) = handle {
                a.resource = handle;
            }
            a.global_share = Handle::NULL;
            Ok(0)
        }
        Err(e) => {
            for h in handles {
                if let Some(Object::Allocation(a)) = p.remove(h) {
                    p.free_allocation(a, true);
                }
            }
            Err(e)
        }
    }
}

pub(super) fn destroy(p: &Process, a: &mut DestroyAllocation2) -> Answer {
    let by_resource = !a.resource.is_null();
    if by_resource == (a.alloc_count != 0) || a.alloc_count > CREATE_ALLOCATION_MAX {
        return Err(Failure::EINVAL);
    }
    let handles = usermem::read_array::<Handle>(a.allocations, if by_resource { 0 } else { a.alloc_count as usize })?;
    let device = p.device(a.device)?;
    let handles = if by_resource {
        let resource = p.resource(a.resource)?;
        if !Arc::ptr_eq(&resource.device, &device) {
            return Err(Failure::EINVAL);
        }
        p.remove(a.resource);
        let mut st = lock(&resource.state);
        st.dead = true;
        core::mem::take(&mut st.allocations)
    } else {
        let list = p.allocations(&handles, Some(&device)).map_err(|_| Failure::EINVAL)?;
        let owner = |a: &Allocation| a.resource.as_ref().map(Arc::as_ptr);
        let first = list.first().and_then(|a| owner(a));
        let foreign = list.iter().any(|a| owner(a) != first);
        let shared = list.iter().any(|a| a.resource.as_ref().is_some_and(|r| r.shared));
        let mut sorted = handles.clone();
        sorted.sort_unstable();
        let twice = sorted.windows(2).any(|w| w[0] == w[1]);
        if foreign || shared || twice {
            return Err(Failure::EINVAL);
        }
        if let Some(resource) = list.first().and_then(|a| a.resource.clone()) {
            lock(&resource.state).allocations.retain(|h| !handles.contains(h));
        }
        handles.into_vec()
    };
    let at_once = a.flags.contains(DestroyAllocation2Flags::ASSUME_NOT_IN_USE);
    p.settle_lost();
    for h in handles {
        if let Ok(allocation) = p.allocation(h) {
            p.remove(h);
            p.free_allocation(allocation, at_once);
        }
    }
    Ok(0)
}

/// The mapping length travels as 32 bits.
fn lockable(p: &Process, size: u64) -> bool {
    !p.config.quirks || size as u32 != 0
}

pub(super) fn lock2(p: &Process, a: &mut Lock2) -> Answer {
    let allocation = p.allocation(a.allocation)?;
    if allocation.memory.is_user() {
        a.data = allocation.memory.address;
        return Ok(0);
    }
    let mut locks = lock(&allocation.locks);
    if *locks == 0 {
        let device = p.device(a.device)?;
        p.host(Ioctl::Lock2)?;
        if !Arc::ptr_eq(&device, &allocation.device) {
            return Err(NtStatus::INVALID_PARAMETER.into());
        }
        if !lockable(p, allocation.memory.size) {
            return Err(Failure::ENOMEM);
        }
    }
    *locks += 1;
    a.data = allocation.memory.address;
    Ok(0)
}

pub(super) fn unlock2(p: &Process, a: &mut Unlock2) -> Answer {
    let allocation = p.allocation(a.allocation)?;
    let mut locks = lock(&allocation.locks);
    if !allocation.memory.is_user() {
        match *locks {
            0 => return Err(Failure::EINVAL),
            1 => {}
            _ => {
                *locks -= 1;
                return Ok(0);
            }
        }
        *locks = 0;
    }
    drop(locks);
    p.device(a.device)?;
    p.host(Ioctl::Unlock2)?;
    Ok(0)
}

pub(super) fn invalidate_cache(p: &Process, a: &mut InvalidateCache) -> Answer {
    let device = p.device(a.device)?;
    p.host(Ioctl::InvalidateCache)?;
    let list = p.allocations(&[a.allocation], Some(&device))?;
    let size = list.first().map_or(0, |x| x.memory.size);
    if a.offset.checked_add(a.length).is_none_or(|end| end > size) {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    // The GPU is the CPU: what one writes the other sees.
    core::sync::atomic::fence(Ordering::SeqCst);
    Ok(0)
}
