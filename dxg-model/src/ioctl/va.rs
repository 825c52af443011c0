//! GPU virtual addresses.

use std::sync::Arc;

use dxg_abi::{
    FreeGpuVirtualAddress, GpuVaProtection as Protection, Handle, Ioctl, MapGpuVirtualAddress, NtStatus,
    ReserveGpuVirtualAddress, UpdateGpuVirtualAddress, UpdateGpuVirtualAddressFlags, UpdateGpuVirtualAddressOperation,
    UpdateGpuVirtualAddressOperationType as Operation, PAGE_SIZE, UPDATE_GPU_VA_OPERATIONS_MAX,
};

use crate::device::{Device, Object};
use crate::process::{Answer, Failure, Process};
use crate::queue::{Item, Points, VaOperation};
use crate::space::{MapRequest, Source};
use crate::usermem;

pub(super) fn reserve(p: &Process, a: &mut ReserveGpuVirtualAddress) -> Answer {
    // The field is an adapter or a paging queue, looked up in that order.
    if let Err(e) = p.adapter(a.adapter) {
        if e == Failure::ENODEV {
            return Err(e);
        }
        p.paging_queue(a.adapter)?;
    }
    p.mute_host(Ioctl::ReserveGpuVirtualAddress)?;
    let (min, max) = (a.minimum_address, a.maximum_address);
    let reserved = p.space.reserve(a.base_address, min, max, a.size, a.reservation_type);
    a.virtual_address = reserved.map_err(|_| Failure::EOVERFLOW)?;
    Ok(0)
}

pub(super) fn map(p: &Process, a: &mut MapGpuVirtualAddress) -> Answer {
    let queue = p.paging_queue(a.paging_queue)?;
    p.host(Ioctl::MapGpuVirtualAddress)?;
    let invalid = Failure::from(NtStatus::INVALID_PARAMETER);
    let bytes = |pages: u64| pages.checked_mul(PAGE_SIZE).ok_or(invalid);
    let zero = a.protection.contains(Protection::ZERO);
    let none = a.protection.contains(Protection::NO_ACCESS);
    let write = a.protection.contains(Protection::WRITE);
    if (zero && none) || ((zero || none) && write) {
        return Err(invalid);
    }
    let offset = bytes(a.offset_in_pages)?;
    let mut size = bytes(a.size_in_pages)?;
    let allocation;
    let source = if zero || none {
        if !a.allocation.is_null() {
            return Err(invalid);
        }
        if zero {
            Source::Zero
        } else {
            Source::NoAccess
        }
    } else {
        // Allocations are checked by the host, and have to be of the paging queue's device.
        let list = p.allocations(&[a.allocation], Some(&queue.device))?;
        allocation = list.into_iter().next().ok_or(invalid)?;
        if size == 0 {
            size = allocation.memory.size.checked_sub(offset).ok_or(invalid)?;
        }
        Source::Memory { owner: allocation.id, memory: &allocation.memory, offset }
    };
    let (base, min, max) = (a.base_address, a.minimum_address, a.maximum_address);
    let ready = p.paging.immediate();
    let (va, mapping) = p.space.map(&MapRequest { base, min, max, size, write, ready, source })?;
    let (status, fence) = p.paging.operation(&queue, mapping);
    a.virtual_address = va;
    a.paging_fence_value = fence;
    Ok(status.as_raw())
}

pub(super) fn free(p: &Process, a: &mut FreeGpuVirtualAddress) -> Answer {
    p.adapter(a.adapter)?;
    p.host(Ioctl::FreeGpuVirtualAddress)?;
    p.settle_lost();
    p.space.free(a.base_address, a.size)?;
    Ok(0)
}

/// Whether a range is whole pages inside one reservation.
fn updatable(p: &Process, base: u64, size: u64) -> bool {
    base.is_multiple_of(PAGE_SIZE) && size.is_multiple_of(PAGE_SIZE) && size != 0 && p.space.is_reserved(base, size)
}

/// Decodes and checks one operation.
fn operation(
    p: &Process,
    device: &Arc<Device>,
    op: &UpdateGpuVirtualAddressOperation,
) -> Result<VaOperation, NtStatus> {
    const INVALID: NtStatus = NtStatus::INVALID_PARAMETER;
    let map = |base: u64, size: u64, h: Handle, offset: u64, length: u64, write: bool| {
        let list = p.allocations(&[h], Some(device))?;
        let allocation = list.first().ok_or(INVALID)?;
        let length = if length == 0 { size } else { length };
        let memory = allocation.memory.clone();
        let inside = offset.is_multiple_of(PAGE_SIZE)
            && length % PAGE_SIZE == 0
            && offset.checked_add(length).is_some_and(|e| e <= memory.size);
        if !updatable(p, base, size) || !inside {
            return Err(INVALID);
        }
        // Memory without a second address is refused now, not when the queue gets there.
        memory.pieces(offset, length).map_err(|e| e.status())?;
        Ok(VaOperation::Map { base, size, owner: allocation.id, memory, offset, length, write })
    };
    match op.operation {
        Operation::MAP => {
            let m = op.map();
            map(m.base_address, m.size, m.allocation, m.allocation_offset, m.allocation_size, true)
        }
        Operation::MAP_PROTECT => {
            let m = op.map_protect;
            let (zero, none) = (m.protection.contains(Protection::ZERO), m.protection.contains(Protection::NO_ACCESS));
            if zero || none {
                return unmap(p, m.base_address, m.size, zero);
            }
            let write = m.protection.contains(Protection::WRITE);
            let (offset, length) = (m.allocation_offset, m.allocation_size);
            map(m.base_address, m.size, m.allocation, offset, length, write)
        }
        Operation::UNMAP => {
            let u = op.unmap();
            unmap(p, u.base_address, u.size, u.protection.contains(Protection::ZERO))
        }
        Operation::COPY => {
            let c = op.copy();
            let (source, size, dest) = (c.source_address, c.size, c.dest_address);
            let apart = source.abs_diff(dest) >= size;
            if !updatable(p, source, size) || !updatable(p, dest, size) || !apart {
                return Err(INVALID);
            }
            Ok(VaOperation::Copy { source, size, dest })
        }
        // An operation of the other side's making.
        Operation(_) => Err(INVALID),
    }
}

fn unmap(p: &Process, base: u64, size: u64, zero: bool) -> Result<VaOperation, NtStatus> {
    if !updatable(p, base, size) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    Ok(VaOperation::Unmap { base, size, zero })
}

pub(super) fn update(p: &Process, a: &mut UpdateGpuVirtualAddress) -> Answer {
    let device = p.device(a.device)?;
    if a.num_operations == 0 || a.num_operations > UPDATE_GPU_VA_OPERATIONS_MAX {
        return Err(Failure::EINVAL);
    }
    let list = usermem::read_array::<UpdateGpuVirtualAddressOperation>(a.operations, a.num_operations as usize)?;
    // The host's part.
    p.host(Ioctl::UpdateGpuVirtualAddress)?;
    let queue = match p.object(a.context) {
        Some(Object::Context(c)) => c.queue.clone(),
        _ => return Err(NtStatus::INVALID_PARAMETER.into()),
    };
    let fence: Points = p.points(&[a.fence_object], &[a.fence_value])?;
    let operations = list.iter().map(|op| operation(p, &device, op)).collect::<Result<Vec<_>, _>>()?;
    if device.is_lost() {
        return Err(NtStatus::DEVICE_REMOVED.into());
    }
    let mut done = fence.clone();
    for (_, value) in &mut done {
        *value = value.wrapping_add(1);
    }
    let wait = !a.flags.contains(UpdateGpuVirtualAddressFlags::DO_NOT_WAIT);
    let items =
        wait.then_some(Item::Wait(fence)).into_iter().chain([Item::UpdateVa(operations), Item::Signal(done, None)]);
    p.enqueue(&queue, items)?;
    Ok(0)
}
