//! What is known about the loss of a device (VK_EXT_device_fault).

use crate::edge::InOut;
use crate::objects::Device;
use crate::properties::put_text;
use ash::vk;

pub fn get_device_fault_info_ext(
    device: &Device,
    mut counts: InOut<'_, vk::DeviceFaultCountsEXT<'_>>,
    info: Option<InOut<'_, vk::DeviceFaultInfoEXT<'_>>>,
) -> vk::Result {
    let fault = device.rt.fault();
    let address = fault.as_ref().and_then(|f| Some((f.address?, f.write)));
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
    if let (Some((at, write)), true) = (address, room > 0 && !info.p_address_infos.is_null()) {
        let entry = vk::DeviceFaultAddressInfoEXT {
            address_type: if write {
                vk::DeviceFaultAddressTypeEXT::WRITE_INVALID
            } else {
                vk::DeviceFaultAddressTypeEXT::READ_INVALID
            },
            reported_address: at,
            // Faults are found page by page.
            address_precision: 4096,
        };
        // SAFETY: by valid usage the array has room for the count, which is not 0.
        unsafe { info.p_address_infos.write(entry) };
    }
    if room < found {
        vk::Result::INCOMPLETE
    } else {
        vk::Result::SUCCESS
    }
}
