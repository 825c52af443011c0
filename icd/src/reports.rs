//! What an application wants to hear of memory: VK_EXT_device_memory_report and VK_EXT_device_address_binding_report.

use crate::edge::In;
use crate::objects::DeviceCore;
use ash::vk;
use std::ffi::c_void;

/// A callback of VK_EXT_device_memory_report.
#[derive(Clone, Copy, Debug)]
pub struct MemoryReport {
    callback: vk::PFN_vkDeviceMemoryReportCallbackEXT,
    user_data: *mut c_void,
}

// SAFETY: the API makes callbacks callable from any thread; the pointer is only handed back to them.
unsafe impl Send for MemoryReport {}
// SAFETY: as above.
unsafe impl Sync for MemoryReport {}

/// The callbacks of a device.
pub fn memory_reports(info: In<'_, vk::DeviceCreateInfo<'_>>) -> Vec<MemoryReport> {
    use vk::TaggedStructure as _;
    info.chain()
        .filter(|n| n.s_type == vk::DeviceDeviceMemoryReportCreateInfoEXT::STRUCTURE_TYPE)
        .map(|n| {
            // SAFETY: `sType` tells the type of a chained structure.
            let r = unsafe { &*std::ptr::from_ref(n.get()).cast::<vk::DeviceDeviceMemoryReportCreateInfoEXT<'_>>() };
            MemoryReport { callback: r.pfn_user_callback, user_data: r.p_user_data }
        })
        .collect()
}

/// Memory of which something is told.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Handle; 0 if there is none.
    pub handle: u64,
    /// What tells it from other memory, not 0.
    pub id: u64,
    /// Bytes.
    pub size: u64,
    /// GPU address.
    pub address: u64,
    /// Heap.
    pub heap: u32,
    /// Of another object or process rather than made here.
    pub imported: bool,
}

impl DeviceCore {
    fn report(&self, event: vk::DeviceMemoryReportEventTypeEXT, told: &Told) {
        for r in &self.memory_reports {
            let data = vk::DeviceMemoryReportCallbackDataEXT {
                ty: event,
                memory_object_id: told.id,
                size: told.size,
                object_type: vk::ObjectType::DEVICE_MEMORY,
                object_handle: told.handle,
                heap_index: told.heap,
                ..Default::default()
            };
            if let Some(f) = r.callback {
                // SAFETY: the callback is the application's, called as the API describes.
                unsafe { f(&data, r.user_data) };
            }
        }
    }

    /// Memory was allocated or imported.
    pub fn report_allocated(&self, told: &Told) {
        type E = vk::DeviceMemoryReportEventTypeEXT;
        self.report(if told.imported { E::IMPORT } else { E::ALLOCATE }, told);
    }

    /// Memory is about to be freed.
    pub fn report_freed(&self, told: &Told) {
        type E = vk::DeviceMemoryReportEventTypeEXT;
        self.report(if told.imported { E::UNIMPORT } else { E::FREE }, told);
    }

    /// No memory was allocated.
    pub fn report_failed(&self, size: u64, heap: u32) {
        let told = Told { handle: 0, id: 0, size, address: 0, heap, imported: false };
        self.report(vk::DeviceMemoryReportEventTypeEXT::ALLOCATION_FAILED, &told);
    }

    /// An object got GPU addresses, or is about to lose them.
    pub fn report_addresses(
        &self,
        ty: vk::DeviceAddressBindingTypeEXT,
        object: (vk::ObjectType, u64),
        address: u64,
        size: u64,
    ) {
        if self.features.reportAddressBinding && address != 0 {
            let binding = vk::DeviceAddressBindingCallbackDataEXT {
                base_address: address,
                size,
                binding_type: ty,
                ..Default::default()
            };
            self.say_of_addresses(&binding, object);
        }
    }
}
