//! Older forms of calls, in terms of the newest.

use dxg_abi::{
    AllocationInfo2, AllocationInfo2Flags, CreateAllocation, CreateSynchronizationObject2, DestroyAllocation2, Handle,
    NtStatus, SignalFlags, SignalSynchronizationObject2, SynchronizationObjectType, WaitForSynchronizationObject2,
    CREATE_ALLOCATION_MAX,
};
use std::ffi::c_void;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::node::{self, guard};

/// Copies a structure out of the caller's memory.
///
/// # Safety
/// `from` is null or the address of a `T`'s bytes.
pub(crate) unsafe fn read<T: FromBytes + IntoBytes>(from: *const c_void) -> Option<T> {
    if from.is_null() {
        return None;
    }
    let mut value = T::new_zeroed();
    // SAFETY: the caller says that the bytes are there; any bytes are a `T`.
    unsafe { from.cast::<u8>().copy_to_nonoverlapping((&raw mut value).cast(), size_of::<T>()) };
    Some(value)
}

/// D3DKMT_DESTROYALLOCATION.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct DestroyAllocation {
    device: Handle,
    resource: Handle,
    allocations: u64,
    count: u32,
    pad: u32,
}

/// Destroys allocations.
///
/// # Safety
/// `arg` is null or the address of a D3DKMT_DESTROYALLOCATION whose list is there.
#[no_mangle]
pub unsafe extern "C" fn D3DKMTDestroyAllocation(arg: *const c_void) -> i32 {
    guard(|| {
        // SAFETY: as the caller says.
        let Some(old) = (unsafe { read::<DestroyAllocation>(arg) }) else { return NtStatus::INVALID_PARAMETER };
        node::call(&mut DestroyAllocation2 {
            device: old.device,
            resource: old.resource,
            allocations: old.allocations,
            alloc_count: old.count,
            ..Default::default()
        })
    })
}

/// D3DDDI_ALLOCATIONINFO.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct AllocationInfo {
    allocation: Handle,
    pad0: u32,
    sysmem: u64,
    priv_drv_data: u64,
    priv_drv_data_size: u32,
    vidpn_source_id: u32,
    flags: AllocationInfo2Flags,
    pad1: u32,
}

/// Creates allocations from the shorter records of old.
///
/// # Safety
/// `arg` is null or the address of a D3DKMT_CREATEALLOCATION whose list has D3DDDI_ALLOCATIONINFO.
#[no_mangle]
pub unsafe extern "C" fn D3DKMTCreateAllocation(arg: *mut c_void) -> i32 {
    guard(|| {
        // SAFETY: as the caller says.
        let Some(old) = (unsafe { read::<CreateAllocation>(arg) }) else { return NtStatus::INVALID_PARAMETER };
        if old.allocation_info == 0 || old.alloc_count > CREATE_ALLOCATION_MAX {
            return NtStatus::INVALID_PARAMETER;
        }
        let list = old.allocation_info as *mut AllocationInfo;
        let mut infos = Vec::with_capacity(old.alloc_count as usize);
        for i in 0..old.alloc_count as usize {
            // SAFETY: inside the list, as the caller says.
            let Some(info) = (unsafe { read::<AllocationInfo>(list.add(i).cast()) }) else {
                return NtStatus::INVALID_PARAMETER;
            };
            infos.push(AllocationInfo2 {
                sysmem: info.sysmem,
                priv_drv_data: info.priv_drv_data,
                priv_drv_data_size: info.priv_drv_data_size,
                vidpn_source_id: info.vidpn_source_id,
                flags: info.flags,
                ..Default::default()
            });
        }
        let mut new = CreateAllocation { allocation_info: infos.as_mut_ptr() as u64, ..old };
        let status = node::call(&mut new);
        new.allocation_info = old.allocation_info;
        // SAFETY: both are the caller's, and the call writes handles to them.
        unsafe {
            arg.cast::<u8>().copy_from_nonoverlapping((&raw const new).cast(), size_of::<CreateAllocation>());
            for (i, info) in infos.iter().enumerate() {
                (&raw mut (*list.add(i)).allocation).write_unaligned(info.allocation);
            }
        }
        status
    })
}

/// D3DKMT_CREATESYNCHRONIZATIONOBJECT.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct CreateSynchronizationObject {
    device: Handle,
    kind: SynchronizationObjectType,
    parameters: [u32; 16],
    sync_object: Handle,
}

/// Creates a mutex or a semaphore.
///
/// # Safety
/// `arg` is null or the address of a D3DKMT_CREATESYNCHRONIZATIONOBJECT.
#[no_mangle]
pub unsafe extern "C" fn D3DKMTCreateSynchronizationObject(arg: *mut c_void) -> i32 {
    guard(|| {
        // SAFETY: as the caller says.
        let Some(old) = (unsafe { read::<CreateSynchronizationObject>(arg) }) else {
            return NtStatus::INVALID_PARAMETER;
        };
        if ![SynchronizationObjectType::SYNCHRONIZATION_MUTEX, SynchronizationObjectType::SEMAPHORE].contains(&old.kind)
        {
            return NtStatus::INVALID_PARAMETER;
        }
        let mut new = CreateSynchronizationObject2 { device: old.device, ..Default::default() };
        new.info.r#type = old.kind;
        // A mutex has one word of parameters, a semaphore two.
        new.info.parameters[0] = u64::from(old.parameters[0]) | u64::from(old.parameters[1]) << 32;
        let status = node::call(&mut new);
        if status.is_success() {
            let handle = arg.cast::<CreateSynchronizationObject>();
            // SAFETY: the caller's structure, of which this is an output.
            unsafe { (&raw mut (*handle).sync_object).write_unaligned(new.sync_object) };
        }
        status
    })
}

/// D3DKMT_WAITFORSYNCHRONIZATIONOBJECT, and the start of the one for signals.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Objects {
    context: Handle,
    count: u32,
    handles: [Handle; 32],
}

/// Lets a context wait.
///
/// # Safety
/// `arg` is null or the address of a D3DKMT_WAITFORSYNCHRONIZATIONOBJECT.
#[no_mangle]
pub unsafe extern "C" fn D3DKMTWaitForSynchronizationObject(arg: *const c_void) -> i32 {
    guard(|| {
        // SAFETY: as the caller says.
        let Some(old) = (unsafe { read::<Objects>(arg) }) else { return NtStatus::INVALID_PARAMETER };
        node::call(&mut WaitForSynchronizationObject2 {
            context: old.context,
            object_count: old.count,
            object_array: old.handles,
            ..Default::default()
        })
    })
}

/// D3DKMT_SIGNALSYNCHRONIZATIONOBJECT.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Signal {
    objects: Objects,
    flags: SignalFlags,
}

/// Lets a context signal.
///
/// # Safety
/// `arg` is null or the address of a D3DKMT_SIGNALSYNCHRONIZATIONOBJECT.
#[no_mangle]
pub unsafe extern "C" fn D3DKMTSignalSynchronizationObject(arg: *const c_void) -> i32 {
    guard(|| {
        // SAFETY: as the caller says.
        let Some(old) = (unsafe { read::<Signal>(arg) }) else { return NtStatus::INVALID_PARAMETER };
        node::call(&mut SignalSynchronizationObject2 {
            context: old.objects.context,
            object_count: old.objects.count,
            object_array: old.objects.handles,
            flags: old.flags,
            ..Default::default()
        })
    })
}
