//! Instances: creation, enumeration, look-up.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, InOut, Out, OutArray, Taken};
use crate::entrypoints;
use crate::env;
use crate::extensions::{self, Caps, ExtensionTable};
use crate::features;
use crate::messenger::{Messenger, Messengers};
use crate::node::Platform;
use crate::objects::{Device, Instance, InstanceFacts, Owned, PhysicalDevice};
use ash::vk;
use std::ffi::CStr;
use std::sync::Arc;

/// The API version of instances.
pub fn api_version() -> u32 {
    env::options().version_override.unwrap_or(features::VERSION_1_4)
}

pub fn enumerate_instance_version(out: Out<'_, u32>) -> vk::Result {
    out.set(api_version());
    vk::Result::SUCCESS
}

pub fn enumerate_instance_extension_properties(
    layer: Option<&CStr>,
    out: OutArray<'_, vk::ExtensionProperties>,
) -> vk::Result {
    if layer.is_some_and(|l| !l.is_empty()) {
        return vk::Result::ERROR_LAYER_NOT_PRESENT;
    }
    out.write(extensions::list(&extensions::instance_extensions(), true))
}

pub fn enumerate_instance_layer_properties(out: OutArray<'_, vk::LayerProperties>) -> vk::Result {
    out.write([])
}

/// The instance extensions an application enables.
fn enabled(info: In<'_, vk::InstanceCreateInfo<'_>>) -> VkResult<ExtensionTable> {
    let supported = extensions::instance_extensions();
    let mut table = ExtensionTable::default();
    for name in info.enabled_extension_names() {
        let known = extensions::by_name(name).filter(|i| i.instance && supported.get(i.id));
        let i = known.ok_or(vk::Result::ERROR_EXTENSION_NOT_PRESENT)?;
        table.set(i.id, true);
    }
    Ok(table)
}

fn physical_device(rt: &Arc<runtime::PhysicalDevice>, instance: &InstanceFacts) -> PhysicalDevice {
    let external = |e: runtime::ExternalHandle| e.importable || e.exportable;
    let fd = vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD;
    let sync = vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD;
    let caps = Caps {
        props: rt.props(),
        memory_fd: external(rt.external_memory(vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD)),
        semaphore_fd: external(rt.external_semaphore(fd, true)) || external(rt.external_semaphore(sync, false)),
        fence_fd: external(rt.external_fence(vk::ExternalFenceHandleTypeFlags::OPAQUE_FD))
            || external(rt.external_fence(vk::ExternalFenceHandleTypeFlags::SYNC_FD)),
        calibrated_timestamps: rt.gpu().timestamp_now().is_some(),
        maintenance5_formats: [vk::Format::A8_UNORM_KHR, vk::Format::A1B5G5R5_UNORM_PACK16_KHR]
            .iter()
            .all(|f| !rt.format_features(*f).optimal.is_empty()),
    };
    let features = features::supported(&caps);
    let api_version = env::options().version_override.unwrap_or_else(|| features::version(&features));
    PhysicalDevice {
        features,
        extensions: extensions::device_extensions(&caps, api_version),
        api_version,
        instance: instance.clone(),
        rt: rt.clone(),
    }
}

pub fn create_instance(
    info: In<'_, vk::InstanceCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::Instance>,
) -> VkResult {
    let alloc = Allocator::choose(callbacks, &Allocator::default());
    if info.enabled_layer_count > 0 {
        return Err(vk::Result::ERROR_LAYER_NOT_PRESENT);
    }
    let extensions = enabled(info)?;
    let asked = info.application_info().map_or(0, |a| a.api_version);
    // 0 means 1.0; a newer version than the driver's is never a reason to refuse.
    let asked = asked.max(vk::API_VERSION_1_0);
    create(&alloc, callbacks, out, || {
        let facts = InstanceFacts {
            api_version: asked.min(api_version()),
            extensions,
            alloc,
            messengers: Arc::new(Messengers::default()),
        };
        // A messenger in the chain hears of creation and destruction only, for which the driver has nothing to say;
        // the chain is walked all the same so that a malformed one shows here.
        let _ = info.next::<vk::DebugUtilsMessengerCreateInfoEXT<'_>>().map(Messenger::new);
        let platform = Platform::current();
        let rt = runtime::Instance::new(platform.adapters.clone());
        let physical_devices = rt
            .physical_devices()
            .iter()
            .map(|p| Owned::new(&alloc, || Ok(physical_device(p, &facts))))
            .collect::<Result<_, _>>()?;
        Ok(Instance {
            api_version: facts.api_version,
            extensions,
            alloc,
            messengers: facts.messengers,
            physical_devices,
            rt,
            platform,
        })
    })
}

pub fn destroy_instance(instance: Taken<'_, vk::Instance>, callbacks: Callbacks<'_>) {
    let alloc = instance.object().map(|i| i.alloc).unwrap_or_default();
    instance.destroy(&Allocator::choose(callbacks, &alloc));
}

pub fn enumerate_physical_devices(instance: &Instance, out: OutArray<'_, vk::PhysicalDevice>) -> vk::Result {
    out.write(instance.physical_devices.iter().map(Owned::handle))
}

pub fn enumerate_physical_device_groups(
    instance: &Instance,
    out: OutArray<'_, vk::PhysicalDeviceGroupProperties<'_>>,
) -> vk::Result {
    let devices = &instance.physical_devices;
    out.fill(devices.len(), |i, mut group: InOut<'_, vk::PhysicalDeviceGroupProperties<'_>>| {
        group.physical_device_count = 1;
        group.physical_devices = [vk::PhysicalDevice::null(); vk::MAX_DEVICE_GROUP_SIZE];
        group.physical_devices[0] = devices[i].handle();
        group.subset_allocation = vk::FALSE;
    })
}

pub fn get_instance_proc_addr(instance: Option<&Instance>, name: &CStr) -> vk::PFN_vkVoidFunction {
    entrypoints::instance_proc_addr(instance, name.to_bytes())
}

pub fn get_device_proc_addr(device: &Device, name: &CStr) -> vk::PFN_vkVoidFunction {
    entrypoints::device_proc_addr(device, name.to_bytes())
}
