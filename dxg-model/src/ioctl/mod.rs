//! The ioctls: dispatch, and one file for each group.

mod adapter;
mod allocation;
mod context;
mod query;
mod residency;
mod sharing;
mod statistics;
mod submit;
mod sync;
mod sync_file;
mod va;

use dxg_abi::{Arg, Ioctl, PRIVATE_DATA_MAX};

use crate::process::{Answer, Failure, Process};
use crate::usermem;

/// Answers one request: number, size and direction against the table, the process, the handler.
pub(crate) fn dispatch(p: &Process, request: u32, arg: &mut [u8]) -> i32 {
    let nr = request as u8;
    let known = (1..=p.config.table_end).contains(&nr);
    let Some(ioctl) = Ioctl::from_request(request).filter(|_| known) else {
        return Failure::ENOTTY.0;
    };
    if std::process::id() != p.pid {
        return Failure::ENOTTY.0;
    }
    let about_files = [Ioctl::CreateSyncFile, Ioctl::WaitSyncFile, Ioctl::OpenSyncObjectFromSyncFile];
    if !p.config.sync_files && about_files.contains(&ioctl) {
        return Failure::ENOTTY.0;
    }
    match ioctl {
        Ioctl::OpenAdapterFromLuid => call(p, arg, adapter::open_from_luid),
        Ioctl::CreateDevice => call(p, arg, context::create_device),
        Ioctl::CreateContextVirtual => call(p, arg, context::create_context),
        Ioctl::DestroyContext => call(p, arg, context::destroy_context),
        Ioctl::CreateAllocation => call(p, arg, allocation::create),
        Ioctl::CreatePagingQueue => call(p, arg, residency::create_paging_queue),
        Ioctl::ReserveGpuVirtualAddress => call(p, arg, va::reserve),
        Ioctl::QueryAdapterInfo => call(p, arg, query::adapter_info),
        Ioctl::QueryVideoMemoryInfo => call(p, arg, residency::query_memory),
        Ioctl::MakeResident => call(p, arg, residency::make_resident),
        Ioctl::MapGpuVirtualAddress => call(p, arg, va::map),
        Ioctl::Escape => call(p, arg, statistics::escape),
        Ioctl::GetDeviceState => call(p, arg, context::device_state),
        Ioctl::SubmitCommand => call(p, arg, submit::command),
        Ioctl::CreateSynchronizationObject2 => call(p, arg, sync::create),
        Ioctl::SignalSynchronizationObject2 => call(p, arg, submit::signal_legacy),
        Ioctl::WaitForSynchronizationObject2 => call(p, arg, submit::wait_legacy),
        Ioctl::DestroyAllocation2 => call(p, arg, allocation::destroy),
        Ioctl::EnumAdapters2 => call(p, arg, adapter::enumerate2),
        Ioctl::CloseAdapter => call(p, arg, adapter::close),
        Ioctl::ChangeVideoMemoryReservation => call(p, arg, residency::change_reservation),
        Ioctl::CreateHwQueue => call(p, arg, context::create_hw_queue),
        Ioctl::DestroyDevice => call(p, arg, context::destroy_device),
        Ioctl::DestroyHwQueue => call(p, arg, context::destroy_hw_queue),
        Ioctl::DestroyPagingQueue => call(p, arg, residency::destroy_paging_queue),
        Ioctl::DestroySynchronizationObject => call(p, arg, sync::destroy),
        Ioctl::Evict => call(p, arg, residency::evict),
        Ioctl::FlushHeapTransitions => call(p, arg, residency::flush_heap_transitions),
        Ioctl::FreeGpuVirtualAddress => call(p, arg, va::free),
        Ioctl::GetContextInProcessSchedulingPriority => call(p, arg, context::get_in_process_priority),
        Ioctl::GetContextSchedulingPriority => call(p, arg, context::get_priority),
        Ioctl::InvalidateCache => call(p, arg, allocation::invalidate_cache),
        Ioctl::Lock2 => call(p, arg, allocation::lock2),
        Ioctl::MarkDeviceAsError => call(p, arg, context::mark_device_as_error),
        Ioctl::OfferAllocations => call(p, arg, residency::offer),
        Ioctl::QueryAllocationResidency => call(p, arg, residency::query),
        Ioctl::ReclaimAllocations2 => call(p, arg, residency::reclaim),
        Ioctl::SetAllocationPriority => call(p, arg, residency::set_priority),
        Ioctl::SetContextInProcessSchedulingPriority => call(p, arg, context::set_in_process_priority),
        Ioctl::SetContextSchedulingPriority => call(p, arg, context::set_priority),
        Ioctl::SignalSynchronizationObjectFromCpu => call(p, arg, sync::signal_from_cpu),
        Ioctl::SignalSynchronizationObjectFromGpu => call(p, arg, submit::signal_from_gpu),
        Ioctl::SignalSynchronizationObjectFromGpu2 => call(p, arg, submit::signal_from_gpu2),
        Ioctl::SubmitCommandToHwQueue => call(p, arg, submit::command_to_hw_queue),
        Ioctl::SubmitSignalSyncObjectsToHwQueue => call(p, arg, submit::signal_to_hw_queue),
        Ioctl::SubmitWaitForSyncObjectsToHwQueue => call(p, arg, submit::wait_to_hw_queue),
        Ioctl::Unlock2 => call(p, arg, allocation::unlock2),
        Ioctl::UpdateAllocProperty => call(p, arg, residency::update_property),
        Ioctl::UpdateGpuVirtualAddress => call(p, arg, va::update),
        Ioctl::WaitForSynchronizationObjectFromCpu => call(p, arg, sync::wait_from_cpu),
        Ioctl::WaitForSynchronizationObjectFromGpu => call(p, arg, submit::wait_from_gpu),
        Ioctl::GetAllocationPriority => call(p, arg, residency::get_priority),
        Ioctl::QueryClockCalibration => call(p, arg, statistics::clock_calibration),
        Ioctl::EnumAdapters3 => call(p, arg, adapter::enumerate3),
        Ioctl::ShareObjects => call(p, arg, sharing::share),
        Ioctl::OpenSyncObjectFromNtHandle2 => call(p, arg, sharing::open_sync),
        Ioctl::QueryResourceInfoFromNtHandle => call(p, arg, sharing::resource_info),
        Ioctl::OpenResourceFromNtHandle => call(p, arg, sharing::open_resource),
        Ioctl::QueryStatistics => call(p, arg, statistics::query),
        Ioctl::ShareObjectWithHost => call(p, arg, sharing::share_with_host),
        Ioctl::EnumProcesses => call(p, arg, statistics::processes),
        Ioctl::IsFeatureEnabled => call(p, arg, statistics::feature),
        Ioctl::CreateSyncFile => call(p, arg, sync_file::create),
        Ioctl::WaitSyncFile => call(p, arg, sync_file::wait),
        Ioctl::OpenSyncObjectFromSyncFile => call(p, arg, sync_file::open),
    }
}

/// Copies the argument in, runs a handler on the copy, and copies it out. A handler changes
/// exactly the fields that its call writes back.
fn call<T: Arg>(p: &Process, arg: &mut [u8], handler: fn(&Process, &mut T) -> Answer) -> i32 {
    let Some(bytes) = arg.get_mut(..size_of::<T>()) else { return Failure::EFAULT.0 };
    let Ok(mut copy) = T::read_from_bytes(bytes) else { return Failure::EFAULT.0 };
    let result = handler(p, &mut copy);
    bytes.copy_from_slice(copy.as_bytes());
    result.unwrap_or_else(|failure| failure.0)
}

/// Reads private data, which may be as long as 128 KiB.
fn private_data(address: u64, size: u32) -> Result<Vec<u8>, Failure> {
    if size > PRIVATE_DATA_MAX {
        return Err(Failure::EINVAL);
    }
    let mut data = vec![0; size as usize];
    usermem::copy_in(address, &mut data)?;
    Ok(data)
}
