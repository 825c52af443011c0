//! What is known about the loss of a device (VK_KHR_device_fault, VK_EXT_device_fault).

use crate::edge::{InOut, OutArray};
use crate::generated::types;
use crate::objects::Device;
use crate::properties::put_text;
use ash::vk;
use runtime::DeviceFault;
use std::sync::atomic::Ordering;
use std::time::Duration;
use winsys_dxg::uncancelled;

/// The access that a fault comes from, if one did.
fn access(fault: &DeviceFault) -> Option<vk::DeviceFaultAddressInfoEXT> {
    let address_type = match fault.write {
        true => vk::DeviceFaultAddressTypeEXT::WRITE_INVALID,
        false => vk::DeviceFaultAddressTypeEXT::READ_INVALID,
    };
    // Faults are found page by page.
    fault.address.map(|reported_address| vk::DeviceFaultAddressInfoEXT {
        address_type,
        reported_address,
        address_precision: 4096,
    })
}

/// There is one report, of the loss of the device: nothing goes wrong without it. Whoever takes it is the only one.
pub fn get_device_fault_reports_khr(
    device: &Device,
    timeout: u64,
    out: OutArray<'_, types::DeviceFaultInfoKHR<'_>>,
) -> vk::Result {
    let reported = &device.fault_reported;
    let is_there = || match reported.load(Ordering::Relaxed) {
        true => Ok(false),
        false => device.rt.wait_for_loss(Duration::from_nanos(timeout)),
    };
    let is_there = match uncancelled(|| device.ok(is_there())) {
        Ok(is_there) => is_there,
        Err(code) => return code,
    };
    let takes = out.room().is_some_and(|room| room > 0);
    if !is_there || takes && reported.swap(true, Ordering::Relaxed) {
        out.set_count(0);
        return vk::Result::TIMEOUT;
    }
    out.fill(1, |_, mut info| {
        let fault = device.rt.fault();
        let place = fault.as_ref().and_then(access);
        info.flags = types::DEVICE_FAULT_FLAG_DEVICE_LOST_KHR;
        if place.is_some() {
            info.flags |= types::DEVICE_FAULT_FLAG_MEMORY_ADDRESS_KHR;
        }
        if fault.as_ref().is_some_and(|f| f.timeout) {
            info.flags |= types::DEVICE_FAULT_FLAG_WATCHDOG_TIMEOUT_KHR;
        }
        info.group_id = 0;
        put_text(&mut info.description, fault.as_ref().map_or("no details", |f| &f.description));
        info.fault_address_info = place.unwrap_or_default();
        info.instruction_address_info = Default::default();
        info.vendor_info = Default::default();
    })
}

/// There are no dumps.
pub fn get_device_fault_debug_info_khr(
    _device: &Device,
    mut info: InOut<'_, types::DeviceFaultDebugInfoKHR<'_>>,
) -> vk::Result {
    info.vendor_binary_size = 0;
    vk::Result::SUCCESS
}

pub fn get_device_fault_info_ext(
    device: &Device,
    mut counts: InOut<'_, vk::DeviceFaultCountsEXT<'_>>,
    info: Option<InOut<'_, vk::DeviceFaultInfoEXT<'_>>>,
) -> vk::Result {
    let fault = device.rt.fault();
    let address = fault.as_ref().and_then(access);
    // There are no details of a vendor.
    counts.vendor_info_count = 0;
    counts.vendor_binary_size = 0;
    let found = u32::from(address.is_some());
    let Some(mut info) = info else {
        counts.address_info_count = found;
        return vk::Result::SUCCESS;
    };
    put_text(&mut info.description, fault.as_ref().map_or("the device is not lost", |f| &f.description));
    let room = counts.address_info_count;
    counts.address_info_count = room.min(found);
    if let (Some(entry), true) = (address, room > 0 && !info.p_address_infos.is_null()) {
        // SAFETY: by valid usage the array has room for the count, which is not 0.
        unsafe { info.p_address_infos.write(entry) };
    }
    if room < found {
        vk::Result::INCOMPLETE
    } else {
        vk::Result::SUCCESS
    }
}
