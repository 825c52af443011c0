//! Physical devices: features, properties, memory, queue families, tools.

use super::VkResult;
use crate::edge::{In, InOut, Out, OutArray};
use crate::extensions;
use crate::features;
use crate::generated::types;
use crate::objects::PhysicalDevice;
use crate::properties;
use ash::vk;
use std::ffi::CStr;

pub fn enumerate_device_extension_properties(
    pd: &PhysicalDevice,
    layer: Option<&CStr>,
    out: OutArray<'_, vk::ExtensionProperties>,
) -> vk::Result {
    if layer.is_some_and(|l| !l.is_empty()) {
        return vk::Result::ERROR_LAYER_NOT_PRESENT;
    }
    out.write(extensions::list(&pd.extensions, false))
}

pub fn enumerate_device_layer_properties(_pd: &PhysicalDevice, out: OutArray<'_, vk::LayerProperties>) -> vk::Result {
    out.write([])
}

pub fn get_physical_device_features(pd: &PhysicalDevice, out: Out<'_, vk::PhysicalDeviceFeatures>) {
    out.set(features::core(&pd.features));
}

pub fn get_physical_device_features2(pd: &PhysicalDevice, out: InOut<'_, vk::PhysicalDeviceFeatures2<'_>>) {
    features::report(out, &pd.features);
}

pub fn get_physical_device_properties(pd: &PhysicalDevice, out: Out<'_, vk::PhysicalDeviceProperties>) {
    out.set(properties::core(pd.rt.props(), pd.api_version));
}

pub fn get_physical_device_properties2(pd: &PhysicalDevice, out: InOut<'_, vk::PhysicalDeviceProperties2<'_>>) {
    properties::report(out, &**pd.rt.gpu(), pd.api_version);
}

pub fn get_physical_device_memory_properties(pd: &PhysicalDevice, out: Out<'_, vk::PhysicalDeviceMemoryProperties>) {
    out.set(pd.rt.memory_properties());
}

pub fn get_physical_device_memory_properties2(
    pd: &PhysicalDevice,
    mut out: InOut<'_, vk::PhysicalDeviceMemoryProperties2<'_>>,
) {
    out.memory_properties = pd.rt.memory_properties();
    for mut node in out.chain() {
        properties::fill_budget(&mut node, || pd.rt.memory_budget());
    }
}

/// Global priorities of every family, in their order. Whether the system lets a program have one shows when it asks.
const PRIORITIES: [vk::QueueGlobalPriorityKHR; 4] = [
    vk::QueueGlobalPriorityKHR::LOW,
    vk::QueueGlobalPriorityKHR::MEDIUM,
    vk::QueueGlobalPriorityKHR::HIGH,
    vk::QueueGlobalPriorityKHR::REALTIME,
];

fn family(f: &runtime::gpu::QueueFamily) -> vk::QueueFamilyProperties {
    vk::QueueFamilyProperties {
        queue_flags: f.flags,
        queue_count: f.count,
        timestamp_valid_bits: f.timestamp_bits,
        min_image_transfer_granularity: vk::Extent3D { width: 1, height: 1, depth: 1 },
    }
}

pub fn get_physical_device_queue_family_properties(pd: &PhysicalDevice, out: OutArray<'_, vk::QueueFamilyProperties>) {
    let _ = out.write(pd.rt.queue_families().iter().map(family));
}

pub fn get_physical_device_queue_family_properties2(
    pd: &PhysicalDevice,
    out: OutArray<'_, vk::QueueFamilyProperties2<'_>>,
) {
    let families = pd.rt.queue_families();
    let _ = out.fill(families.len(), |i, mut p: InOut<'_, vk::QueueFamilyProperties2<'_>>| {
        p.queue_family_properties = family(&families[i]);
        for mut node in p.chain() {
            if let Some(g) = node.cast::<vk::QueueFamilyGlobalPriorityPropertiesKHR<'_>>() {
                g.priority_count = PRIORITIES.len() as u32;
                g.priorities = Default::default();
                g.priorities[..PRIORITIES.len()].copy_from_slice(&PRIORITIES);
            } else if let Some(o) = node.cast::<types::QueueFamilyOwnershipTransferPropertiesKHR<'_>>() {
                // Every family sees what every other one wrote: nothing is ever in a form of one family.
                o.optimal_image_transfer_to_queue_families = u32::MAX;
            }
        }
    });
}

pub fn get_physical_device_tool_properties(
    _pd: &PhysicalDevice,
    out: OutArray<'_, vk::PhysicalDeviceToolProperties<'_>>,
) -> vk::Result {
    out.fill(0, |_, _: InOut<'_, vk::PhysicalDeviceToolProperties<'_>>| {})
}

fn handles(e: runtime::ExternalHandle) -> (bool, bool) {
    (e.importable, e.exportable)
}

pub fn get_physical_device_external_fence_properties(
    pd: &PhysicalDevice,
    info: In<'_, vk::PhysicalDeviceExternalFenceInfo<'_>>,
    mut out: InOut<'_, vk::ExternalFenceProperties<'_>>,
) {
    type F = vk::ExternalFenceFeatureFlags;
    let (import, export) = handles(pd.rt.external_fence(info.handle_type));
    let any = import || export;
    let own = if any { info.handle_type } else { Default::default() };
    out.export_from_imported_handle_types = if export { own } else { Default::default() };
    out.compatible_handle_types = own;
    out.external_fence_features = flag(import, F::IMPORTABLE) | flag(export, F::EXPORTABLE);
}

pub fn get_physical_device_external_semaphore_properties(
    pd: &PhysicalDevice,
    info: In<'_, vk::PhysicalDeviceExternalSemaphoreInfo<'_>>,
    mut out: InOut<'_, vk::ExternalSemaphoreProperties<'_>>,
) {
    type F = vk::ExternalSemaphoreFeatureFlags;
    let timeline =
        info.next::<vk::SemaphoreTypeCreateInfo<'_>>().is_some_and(|t| t.semaphore_type == vk::SemaphoreType::TIMELINE);
    let (import, export) = handles(pd.rt.external_semaphore(info.handle_type, timeline));
    let any = import || export;
    let own = if any { info.handle_type } else { Default::default() };
    out.export_from_imported_handle_types = if export { own } else { Default::default() };
    out.compatible_handle_types = own;
    out.external_semaphore_features = flag(import, F::IMPORTABLE) | flag(export, F::EXPORTABLE);
}

/// What a handle type of memory can do, for buffers and images alike.
pub fn external_memory(pd: &PhysicalDevice, ty: vk::ExternalMemoryHandleTypeFlags) -> vk::ExternalMemoryProperties {
    type F = vk::ExternalMemoryFeatureFlags;
    let (import, export) = handles(pd.rt.external_memory(ty));
    let own = if import || export { ty } else { Default::default() };
    vk::ExternalMemoryProperties {
        external_memory_features: flag(import, F::IMPORTABLE) | flag(export, F::EXPORTABLE),
        export_from_imported_handle_types: if export { own } else { Default::default() },
        compatible_handle_types: own,
    }
}

fn flag<F: Default>(on: bool, f: F) -> F {
    if on {
        f
    } else {
        F::default()
    }
}

pub fn get_physical_device_external_buffer_properties(
    pd: &PhysicalDevice,
    info: In<'_, vk::PhysicalDeviceExternalBufferInfo<'_>>,
    mut out: InOut<'_, vk::ExternalBufferProperties<'_>>,
) {
    out.external_memory_properties = external_memory(pd, info.handle_type);
}

/// The host's clocks that device timestamps can be read beside.
pub fn get_physical_device_calibrateable_time_domains_khr(
    _pd: &PhysicalDevice,
    out: OutArray<'_, vk::TimeDomainKHR>,
) -> vk::Result {
    out.write([vk::TimeDomainKHR::DEVICE, vk::TimeDomainKHR::CLOCK_MONOTONIC, vk::TimeDomainKHR::CLOCK_MONOTONIC_RAW])
}

/// The runtime's answer for an image, after the C edge's own questions.
pub fn supported<T>(r: runtime::Result<T>) -> VkResult<T> {
    r.map_err(|e| e.vk())
}
