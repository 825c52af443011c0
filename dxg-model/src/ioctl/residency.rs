//! Paging queues, residency, budgets, priorities, offers.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use dxg_abi::{
    AllocationResidencyStatus, ChangeVideoMemoryReservation, CreatePagingQueue, DestroyPagingQueue,
    DeviceExecutionState, Evict, FlushHeapTransitions, GetAllocationPriority, Handle, Ioctl, MakeResident,
    MakeResidentFlags, MemorySegmentGroup, NtStatus, OfferAllocations, PagingQueuePriority, QueryAllocationResidency,
    QueryVideoMemoryInfo, ReclaimAllocations2, ReclaimResult, SetAllocationPriority, UpdateAllocProperty,
    MAKE_RESIDENT_ALLOC_MAX,
};

use crate::device::{Device, Object, PagingQueue};
use crate::lock::{lock, Mutex};
use crate::memory::Allocation;
use crate::process::{Answer, Failure, Process};
use crate::sync::SyncObject;
use crate::usermem;

/// Most allocations of a priority or residency query.
const LIST_MAX: u32 = dxg_abi::PRIVATE_DATA_MAX;

pub(super) fn create_paging_queue(p: &Process, a: &mut CreatePagingQueue) -> Answer {
    let device = p.device(a.device)?;
    p.mute_host(Ioctl::CreatePagingQueue)?;
    let known = [PagingQueuePriority::BELOW_NORMAL, PagingQueuePriority::NORMAL, PagingQueuePriority::ABOVE_NORMAL];
    if a.physical_adapter_index != 0 || !known.contains(&a.priority) {
        return Err(Failure::EOVERFLOW);
    }
    let fence = SyncObject::monitored(&p.space, Default::default(), 0).map_err(|_| Failure::ENOMEM)?;
    let address = fence.address();
    let fence_handle = p.insert_fence(Object::Fence(device.clone(), fence.clone()))?;
    let queue = PagingQueue { device, fence, fence_handle, counter: Mutex::new(0) };
    a.paging_queue = p.insert(Object::PagingQueue(Arc::new(queue))).inspect_err(|_| drop(p.remove(fence_handle)))?;
    a.sync_object = fence_handle;
    a.fence_cpu_virtual_address = address;
    Ok(0)
}

pub(super) fn destroy_paging_queue(p: &Process, a: &mut DestroyPagingQueue) -> Answer {
    let queue = p.remove_if(a.paging_queue, |o| match o {
        Object::PagingQueue(q) => Some(q.clone()),
        _ => None,
    })?;
    p.remove(queue.fence_handle);
    queue.fence.close();
    Ok(0)
}

pub(super) fn make_resident(p: &Process, a: &mut MakeResident) -> Answer {
    if a.alloc_count == 0 || a.alloc_count > MAKE_RESIDENT_ALLOC_MAX || a.paging_queue.is_null() {
        return Err(Failure::EINVAL);
    }
    let handles = usermem::read_array::<Handle>(a.allocation_list, a.alloc_count as usize)?;
    let queue = p.paging_queue(a.paging_queue)?;
    p.host(Ioctl::MakeResident)?;
    let list = p.allocations(&handles, Some(&queue.device))?;
    let must = a.flags.contains(MakeResidentFlags::MUST_SUCCEED);
    if must && !a.flags.contains(MakeResidentFlags::CANT_TRIM_FURTHER) {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    if p.residency.make_resident(&list).is_err() {
        if must {
            let state = DeviceExecutionState::ERROR_OUTOFMEMORY;
            p.lose(&queue.device, state, Default::default(), false);
        }
        // Nothing is written, so the client has to choose its own amount to trim.
        return Err(NtStatus::NO_MEMORY.into());
    }
    let (status, fence) = p.paging.operation(&queue, None);
    a.paging_fence_value = fence;
    a.num_bytes_to_trim = p.residency.usage().saturating_sub(p.residency.budget);
    Ok(status.as_raw())
}

pub(super) fn evict(p: &Process, a: &mut Evict) -> Answer {
    if a.alloc_count == 0 || a.alloc_count > MAKE_RESIDENT_ALLOC_MAX {
        return Err(Failure::EINVAL);
    }
    let handles = usermem::read_array::<Handle>(a.allocations, a.alloc_count as usize)?;
    let device = p.device(a.device)?;
    p.mute_host(Ioctl::Evict)?;
    let list = p.allocations(&handles, Some(&device)).map_err(|_| Failure::EOVERFLOW)?;
    p.residency.evict(&list);
    p.space.evicted();
    a.num_bytes_to_trim = p.residency.usage().saturating_sub(p.residency.budget);
    Ok(0)
}

pub(super) fn query_memory(p: &Process, a: &mut QueryVideoMemoryInfo) -> Answer {
    if a.process != 0 {
        return Err(Failure::EINVAL);
    }
    p.adapter(a.adapter)?;
    p.mute_host(Ioctl::QueryVideoMemoryInfo)?;
    if a.physical_adapter_index != 0 {
        return Err(Failure::EOVERFLOW);
    }
    let r = &p.residency;
    let [local, non_local] = r.usage_by_group();
    (a.budget, a.current_usage, a.current_reservation, a.available_for_reservation) = match a.memory_segment_group {
        MemorySegmentGroup::LOCAL => (r.budget, local, r.reservation(), r.reservable()),
        // The groups share one memory; what one uses the other cannot have. All reservations are local.
        MemorySegmentGroup::NON_LOCAL => (r.budget.saturating_sub(local), non_local, 0, 0),
        MemorySegmentGroup(_) => return Err(Failure::EOVERFLOW),
    };
    Ok(0)
}

pub(super) fn change_reservation(p: &Process, a: &mut ChangeVideoMemoryReservation) -> Answer {
    if a.process != 0 {
        return Err(Failure::EINVAL);
    }
    p.adapter(a.adapter)?;
    p.host(Ioctl::ChangeVideoMemoryReservation)?;
    let local = a.memory_segment_group == MemorySegmentGroup::LOCAL;
    let fits = if local {
        p.residency.reserve(a.reservation).is_ok()
    } else {
        a.memory_segment_group == MemorySegmentGroup::NON_LOCAL && a.reservation == 0
    };
    if a.physical_adapter_index != 0 || !fits {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    Ok(0)
}

pub(super) fn flush_heap_transitions(p: &Process, a: &mut FlushHeapTransitions) -> Answer {
    p.adapter(a.adapter)?;
    p.host(Ioctl::FlushHeapTransitions)?;
    if p.config.quirks {
        // The message to the host goes back in place of the arguments, with the host's handle.
        a.adapter = HOST_ADAPTER;
    }
    Ok(0)
}

/// What the host calls the adapter.
const HOST_ADAPTER: Handle = Handle::new(1, 0x00ff_fff0);

// ---- lists of allocations -------------------------------------------------------------------

/// The allocations of a call that takes a resource or a list, exactly one of the two.
fn resource_or_list(
    p: &Process,
    device: &Arc<Device>,
    resource: Handle,
    list: u64,
    count: u32,
) -> Result<Vec<Arc<Allocation>>, Failure> {
    if count == 0 {
        let resource = p.resource(resource).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let handles = lock(&resource.state).allocations.clone();
        return Ok(p.allocations(&handles, Some(device))?);
    }
    let handles = usermem::read_array::<Handle>(list, count as usize)?;
    Ok(p.allocations(&handles, Some(device))?)
}

pub(super) fn query(p: &Process, a: &mut QueryAllocationResidency) -> Answer {
    if a.resource.is_null() == (a.allocation_count == 0) || a.allocation_count > LIST_MAX {
        return Err(Failure::EINVAL);
    }
    let device = p.device(a.device)?;
    p.host(Ioctl::QueryAllocationResidency)?;
    let list = resource_or_list(p, &device, a.resource, a.allocations, a.allocation_count)?;
    let status = |x: &Arc<Allocation>| {
        if x.memory.residence.load(Ordering::Acquire) > 0 {
            AllocationResidencyStatus::RESIDENTINGPUMEMORY
        } else {
            AllocationResidencyStatus::NOTRESIDENT
        }
    };
    let out: Vec<AllocationResidencyStatus> = if a.allocation_count == 0 {
        // One answer for a resource: the worst of its allocations.
        vec![list.iter().map(status).max().unwrap_or(AllocationResidencyStatus::NOTRESIDENT)]
    } else {
        list.iter().map(status).collect()
    };
    usermem::write_object(a.residency_status, out.as_slice())?;
    Ok(0)
}

/// Checks shared by the two priority calls.
fn priority_list(
    p: &Process,
    ioctl: Ioctl,
    device: Handle,
    resource: Handle,
    list: u64,
    count: u32,
) -> Result<Vec<Arc<Allocation>>, Failure> {
    if count > LIST_MAX {
        return Err(Failure::EINVAL);
    }
    let device = p.device(device)?;
    if resource.is_null() == (count == 0) {
        return Err(Failure::EINVAL);
    }
    p.host(ioctl)?;
    resource_or_list(p, &device, resource, list, count)
}

pub(super) fn set_priority(p: &Process, a: &mut SetAllocationPriority) -> Answer {
    let list =
        priority_list(p, Ioctl::SetAllocationPriority, a.device, a.resource, a.allocation_list, a.allocation_count)?;
    let values = usermem::read_array::<u32>(a.priorities, (a.allocation_count as usize).max(1))?;
    for (i, allocation) in list.iter().enumerate() {
        // A resource has one priority for all.
        let value = values.get(i.min(values.len() - 1)).copied().unwrap_or_default();
        allocation.priority.store(value, Ordering::Relaxed);
    }
    Ok(0)
}

pub(super) fn get_priority(p: &Process, a: &mut GetAllocationPriority) -> Answer {
    let list =
        priority_list(p, Ioctl::GetAllocationPriority, a.device, a.resource, a.allocation_list, a.allocation_count)?;
    let mut out: Vec<u32> = list.iter().map(|x| x.priority.load(Ordering::Relaxed)).collect();
    if a.allocation_count == 0 {
        out.truncate(1);
    }
    usermem::write_object(a.priorities, out.as_slice())?;
    Ok(0)
}

/// Allocations named by resources or directly, one list entry at a time.
fn entries(
    p: &Process,
    device: &Arc<Device>,
    resources: u64,
    allocations: u64,
    count: u32,
) -> Result<Vec<Vec<Arc<Allocation>>>, Failure> {
    if resources != 0 {
        let handles = usermem::read_array::<Handle>(resources, count as usize)?;
        return handles.iter().map(|h| resource_or_list(p, device, *h, 0, 0)).collect();
    }
    let handles = usermem::read_array::<Handle>(allocations, count as usize)?;
    Ok(p.allocations(&handles, Some(device))?.into_iter().map(|x| vec![x]).collect())
}

fn bad_entries(resources: u64, allocations: u64, count: u32) -> bool {
    count == 0 || count > MAKE_RESIDENT_ALLOC_MAX || (resources == 0) == (allocations == 0)
}

pub(super) fn offer(p: &Process, a: &mut OfferAllocations) -> Answer {
    if bad_entries(a.resources, a.allocations, a.allocation_count) {
        return Err(Failure::EINVAL);
    }
    let device = p.device(a.device)?;
    p.host(Ioctl::OfferAllocations)?;
    for entry in entries(p, &device, a.resources, a.allocations, a.allocation_count)? {
        // The content may go but need not: it stays.
        entry.iter().for_each(|x| x.offered.store(true, Ordering::Relaxed));
    }
    Ok(0)
}

pub(super) fn reclaim(p: &Process, a: &mut ReclaimAllocations2) -> Answer {
    if bad_entries(a.resources, a.allocations, a.allocation_count) {
        return Err(Failure::EINVAL);
    }
    let queue = p.paging_queue(a.paging_queue)?;
    p.host(Ioctl::ReclaimAllocations2)?;
    let list = entries(p, &queue.device, a.resources, a.allocations, a.allocation_count)?;
    for entry in &list {
        entry.iter().for_each(|x| x.offered.store(false, Ordering::Relaxed));
    }
    let (status, fence) = p.paging.operation(&queue, None);
    a.paging_fence_value = fence;
    if a.results != 0 {
        let results = vec![ReclaimResult::OK; list.len()];
        usermem::write_object(a.results, results.as_slice())?;
        // Asking for results hides that the operation is pending.
        if p.config.quirks {
            return Ok(0);
        }
    }
    Ok(status.as_raw())
}

pub(super) fn update_property(p: &Process, a: &mut UpdateAllocProperty) -> Answer {
    let queue = p.paging_queue(a.paging_queue)?;
    p.host(Ioctl::UpdateAllocProperty)?;
    p.allocations(&[a.allocation], Some(&queue.device))?;
    // There is one segment, so there is nothing to prefer.
    let (status, fence) = p.paging.operation(&queue, None);
    if status == NtStatus::PENDING || !p.config.quirks {
        a.paging_fence_value = fence;
    }
    Ok(status.as_raw())
}
