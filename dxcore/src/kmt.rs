//! The `D3DKMT…` calls.

use dxg_abi::{iowr, Ioctl, NtStatus, QueryAdapterInfo, ShareObjects, IOCTL_MAGIC, PRIVATE_DATA_MAX};
use std::ffi::c_void;

use crate::legacy;
use crate::node::{self, guard};
use crate::text::Payload;

/// Passes a caller's argument on. It may stand in memory that cannot be written, where the call is one that only reads: what
/// the node did not change is not stored.
///
/// # Safety
/// `arg` is null or the address of `size` bytes; those that the call writes can be written.
unsafe fn pass(request: u32, size: usize, arg: *mut c_void) -> NtStatus {
    if arg.is_null() {
        return NtStatus::INVALID_PARAMETER;
    }
    let mut bytes = vec![0u8; size];
    // SAFETY: the caller says that there are as many bytes.
    unsafe { arg.cast::<u8>().copy_to_nonoverlapping(bytes.as_mut_ptr(), size) };
    let before = bytes.clone();
    let status = node::request(request, &mut bytes);
    for (i, (old, new)) in before.iter().zip(&bytes).enumerate() {
        if old != new {
            // SAFETY: inside the argument, and a byte that the call writes.
            unsafe { arg.cast::<u8>().add(i).write(*new) };
        }
    }
    status
}

/// Calls that are requests of the table.
macro_rules! calls {
    ($($name:ident => $ioctl:ident;)*) => {
        $(
            #[doc = concat!("The request `", stringify!($ioctl), "`.")]
            ///
            /// # Safety
            /// `arg` is null or the address of the call's structure, and what that points to is there.
            #[no_mangle]
            pub unsafe extern "C" fn $name(arg: *mut c_void) -> i32 {
                // SAFETY: as the caller says.
                guard(|| unsafe { pass(Ioctl::$ioctl.request(), Ioctl::$ioctl.arg_size(), arg) })
            }
        )*

        /// The requests above, and those of the calls that are written out.
        #[cfg(test)]
        const CALLED: &[Ioctl] = &[ $(Ioctl::$ioctl,)* Ioctl::QueryAdapterInfo, Ioctl::ShareObjects ];
    };
}

calls! {
    D3DKMTOpenAdapterFromLuid => OpenAdapterFromLuid;
    D3DKMTCreateDevice => CreateDevice;
    D3DKMTCreateContextVirtual => CreateContextVirtual;
    D3DKMTDestroyContext => DestroyContext;
    D3DKMTCreateAllocation2 => CreateAllocation;
    D3DKMTCreatePagingQueue => CreatePagingQueue;
    D3DKMTReserveGpuVirtualAddress => ReserveGpuVirtualAddress;
    D3DKMTQueryVideoMemoryInfo => QueryVideoMemoryInfo;
    D3DKMTMakeResident => MakeResident;
    D3DKMTMapGpuVirtualAddress => MapGpuVirtualAddress;
    D3DKMTEscape => Escape;
    D3DKMTGetDeviceState => GetDeviceState;
    D3DKMTSubmitCommand => SubmitCommand;
    D3DKMTCreateSynchronizationObject2 => CreateSynchronizationObject2;
    D3DKMTSignalSynchronizationObject2 => SignalSynchronizationObject2;
    D3DKMTWaitForSynchronizationObject2 => WaitForSynchronizationObject2;
    D3DKMTDestroyAllocation2 => DestroyAllocation2;
    D3DKMTEnumAdapters2 => EnumAdapters2;
    D3DKMTCloseAdapter => CloseAdapter;
    D3DKMTChangeVideoMemoryReservation => ChangeVideoMemoryReservation;
    D3DKMTCreateHwQueue => CreateHwQueue;
    D3DKMTDestroyDevice => DestroyDevice;
    D3DKMTDestroyHwQueue => DestroyHwQueue;
    D3DKMTDestroyPagingQueue => DestroyPagingQueue;
    D3DKMTDestroySynchronizationObject => DestroySynchronizationObject;
    D3DKMTEvict => Evict;
    D3DKMTFlushHeapTransitions => FlushHeapTransitions;
    D3DKMTFreeGpuVirtualAddress => FreeGpuVirtualAddress;
    D3DKMTGetContextInProcessSchedulingPriority => GetContextInProcessSchedulingPriority;
    D3DKMTGetContextSchedulingPriority => GetContextSchedulingPriority;
    D3DKMTInvalidateCache => InvalidateCache;
    D3DKMTLock2 => Lock2;
    D3DKMTMarkDeviceAsError => MarkDeviceAsError;
    D3DKMTOfferAllocations => OfferAllocations;
    D3DKMTQueryAllocationResidency => QueryAllocationResidency;
    D3DKMTReclaimAllocations2 => ReclaimAllocations2;
    D3DKMTSetAllocationPriority => SetAllocationPriority;
    D3DKMTSetContextInProcessSchedulingPriority => SetContextInProcessSchedulingPriority;
    D3DKMTSetContextSchedulingPriority => SetContextSchedulingPriority;
    D3DKMTSignalSynchronizationObjectFromCpu => SignalSynchronizationObjectFromCpu;
    D3DKMTSignalSynchronizationObjectFromGpu => SignalSynchronizationObjectFromGpu;
    D3DKMTSignalSynchronizationObjectFromGpu2 => SignalSynchronizationObjectFromGpu2;
    D3DKMTSubmitCommandToHwQueue => SubmitCommandToHwQueue;
    D3DKMTSubmitSignalSyncObjectsToHwQueue => SubmitSignalSyncObjectsToHwQueue;
    D3DKMTSubmitWaitForSyncObjectsToHwQueue => SubmitWaitForSyncObjectsToHwQueue;
    D3DKMTUnlock2 => Unlock2;
    D3DKMTUpdateAllocationProperty => UpdateAllocProperty;
    D3DKMTUpdateGpuVirtualAddress => UpdateGpuVirtualAddress;
    D3DKMTWaitForSynchronizationObjectFromCpu => WaitForSynchronizationObjectFromCpu;
    D3DKMTWaitForSynchronizationObjectFromGpu => WaitForSynchronizationObjectFromGpu;
    D3DKMTGetAllocationPriority => GetAllocationPriority;
    D3DKMTQueryClockCalibration => QueryClockCalibration;
    D3DKMTEnumAdapters3 => EnumAdapters3;
    D3DKMTOpenSyncObjectFromNtHandle2 => OpenSyncObjectFromNtHandle2;
    D3DKMTQueryResourceInfoFromNtHandle => QueryResourceInfoFromNtHandle;
    D3DKMTOpenResourceFromNtHandle => OpenResourceFromNtHandle;
    D3DKMTQueryStatistics => QueryStatistics;
    D3DKMTShareObjectWithHost => ShareObjectWithHost;
    D3DKMTCreateSyncFile => CreateSyncFile;
    D3DKMTWaitSyncFile => WaitSyncFile;
    D3DKMTOpenSyncObjectFromSyncFile => OpenSyncObjectFromSyncFile;
    D3DKMTEnumProcesses => EnumProcesses;
    D3DKMTIsFeatureEnabled => IsFeatureEnabled;
}

/// Calls that the device once had, by number and size of the argument: whether it has them is the node's to say.
macro_rules! former_calls {
    ($($name:ident = $nr:literal, $size:literal;)*) => {
        $(
            #[doc = concat!("A call of older systems: request number ", stringify!($nr), ".")]
            ///
            /// # Safety
            /// `arg` is null or the address of the call's structure, and what that points to is there.
            #[no_mangle]
            pub unsafe extern "C" fn $name(arg: *mut c_void) -> i32 {
                // SAFETY: as the caller says.
                guard(|| unsafe { pass(iowr(IOCTL_MAGIC, $nr, $size), $size, arg) })
            }
        )*

        #[cfg(test)]
        const FORMER: &[(u8, usize)] = &[ $(($nr, $size)),* ];
    };
}

former_calls! {
    D3DKMTCreateContext = 0x03, 96;
    D3DKMTCreateHwContext = 0x17, 40;
    D3DKMTDestroyHwContext = 0x1a, 4;
    D3DKMTGetSharedResourceAdapterLuid = 0x23, 24;
    D3DKMTOpenResource = 0x28, 72;
    D3DKMTOpenSynchronizationObject = 0x29, 72;
    D3DKMTQueryResourceInfo = 0x2b, 32;
    D3DKMTRender = 0x2d, 368;
}

/// Calls of Windows for which the device has nothing. Drivers look them up, and some do not start without them.
macro_rules! absent_calls {
    ($($name:ident;)*) => { $(
        /// Not there: NOT_SUPPORTED.
        #[no_mangle]
        pub extern "C" fn $name(_arg: *mut c_void) -> i32 {
            NtStatus::NOT_SUPPORTED.as_raw()
        }
    )* };
}

absent_calls! {
    D3DKMTGetMultisampleMethodList;
    D3DKMTSetQueuedLimit;
    D3DKMTOpenNtHandleFromName;
    D3DKMTOpenSyncObjectNtHandleFromName;
    D3DKMTOpenProtectedSessionFromNtHandle;
    D3DKMTLock;
    D3DKMTUnlock;
    D3DKMTSetDisplayPrivateDriverFormat;
    D3DKMTCreateProtectedSession;
    D3DKMTDestroyProtectedSession;
    D3DKMTQueryProtectedSessionStatus;
    D3DKMTQueryProtectedSessionInfoFromNtHandle;
    D3DKMTCreateTrackedWorkload;
    D3DKMTDestroyTrackedWorkload;
    D3DKMTGetTrackedWorkloadStatistics;
    D3DKMTResetTrackedWorkloadStatistics;
    D3DKMTUpdateTrackedWorkload;
    D3DKMTGetAvailableTrackedWorkloadIndex;
    D3DKMTCreateKeyedMutex2;
    D3DKMTOpenKeyedMutex2;
    D3DKMTDestroyKeyedMutex;
    D3DKMTAcquireKeyedMutex2;
    D3DKMTReleaseKeyedMutex2;
    D3DKMTPresent;
    D3DKMTSubmitPresentToHwQueue;
    D3DKMTPinResources;
    D3DKMTUnpinResources;
    D3DKMTSetStablePowerState;
}

/// A query as the caller made it.
///
/// # Safety
/// The payload is there, with as many bytes as it says, and can be written; or it is null.
unsafe fn query(info: &QueryAdapterInfo) -> NtStatus {
    let Some(payload) = Payload::of(info.r#type).filter(|_| info.private_data != 0) else {
        return node::call(&mut { *info });
    };
    if info.private_data_size > 2 * PRIVATE_DATA_MAX {
        return NtStatus::INVALID_PARAMETER;
    }
    let (address, size) = (info.private_data as *mut u8, info.private_data_size as usize);
    let mut wide = vec![0; size];
    // SAFETY: the payload is there, as the caller says. Bytes are copied, so no reference to them is made.
    unsafe { address.copy_to_nonoverlapping(wide.as_mut_ptr(), size) };
    let answer = payload.query(&mut wide, |wire| {
        let private_data_size = u32::try_from(wire.len()).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let private_data = wire.as_mut_ptr() as u64;
        let status = node::call(&mut QueryAdapterInfo { private_data, private_data_size, ..*info });
        if status.is_success() {
            Ok(status)
        } else {
            Err(status)
        }
    });
    if answer.is_ok() {
        // SAFETY: as above.
        unsafe { address.copy_from_nonoverlapping(wide.as_ptr(), size) };
    }
    answer.unwrap_or_else(|refused| refused)
}

/// Asks an adapter. Text in the payload has characters of four bytes, and paths of the host's driver store are those under
/// which the guest sees it.
///
/// # Safety
/// `arg` is null or the address of a D3DKMT_QUERYADAPTERINFO whose payload is there.
#[no_mangle]
pub unsafe extern "C" fn D3DKMTQueryAdapterInfo(arg: *const c_void) -> i32 {
    guard(|| {
        // SAFETY: the caller says that the structure is there.
        match unsafe { legacy::read::<QueryAdapterInfo>(arg) } {
            // SAFETY: the caller says that the payload is there.
            Some(info) => unsafe { query(&info) },
            None => NtStatus::INVALID_PARAMETER,
        }
    })
}

/// Shares objects: the one call whose arguments are not in a structure.
///
/// # Safety
/// `objects` is the address of `count` handles and `shared` that of a word for the descriptor, or they are null.
#[no_mangle]
pub unsafe extern "C" fn D3DKMTShareObjects(
    count: u32,
    objects: *const u32,
    attributes: *mut c_void,
    access: u32,
    shared: *mut u64,
) -> i32 {
    guard(|| {
        if objects.is_null() || shared.is_null() {
            return NtStatus::INVALID_PARAMETER;
        }
        node::call(&mut ShareObjects {
            object_count: count,
            objects: objects as u64,
            object_attr: attributes as u64,
            desired_access: access,
            shared_handle: shared as u64,
            ..Default::default()
        })
    })
}

/// Closes the device; the next call opens it again.
#[no_mangle]
pub extern "C" fn D3DKMTCloseDxCoreDevice() {
    guard(|| {
        node::close();
        NtStatus::SUCCESS
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::arguments::ARGUMENTS;
    use dxg_abi::layout::{Kind, TypeLayout};
    use std::collections::BTreeSet;

    /// Requests that the Windows headers do not have.
    const LINUX_ONLY: [Ioctl; 4] =
        [Ioctl::WaitSyncFile, Ioctl::OpenSyncObjectFromSyncFile, Ioctl::EnumProcesses, Ioctl::IsFeatureEnabled];

    /// Where fields begin, those of nested structures and of views included.
    fn starts(ty: &TypeLayout, base: usize, out: &mut BTreeSet<usize>) {
        if let Kind::Struct { fields, views } = &ty.kind {
            for field in fields.iter().chain(*views) {
                out.insert(base + field.offset);
                starts(field.ty, base + field.offset, out);
            }
        }
    }

    #[test]
    fn arguments_have_the_layout_of_the_requests() {
        for ioctl in Ioctl::ALL {
            let layout = ioctl.layout();
            let name = layout.header.to_ascii_uppercase();
            let Some((_, size, fields)) = ARGUMENTS.iter().find(|(n, ..)| *n == name) else {
                assert!(LINUX_ONLY.contains(ioctl), "{name}");
                continue;
            };
            assert_eq!(*size, layout.size, "{name}");
            let mut known = BTreeSet::new();
            starts(layout, 0, &mut known);
            for (field, offset, bytes) in *fields {
                assert!(known.contains(offset), "{name}.{field} at {offset}");
                assert!(offset + bytes <= layout.size, "{name}.{field}");
            }
        }
    }

    #[test]
    fn every_request_has_its_call() {
        let called: BTreeSet<_> = CALLED.iter().collect();
        assert_eq!(called.len(), CALLED.len());
        assert_eq!(called, Ioctl::ALL.iter().collect());
        let former: Vec<_> = dxg_abi::UNIMPLEMENTED.iter().map(|(nr, _, size)| (*nr, *size)).collect();
        assert_eq!(FORMER, former);
    }
}
