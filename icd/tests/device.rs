//! Physical devices and devices: what is reported is what can be had.

mod common;

use ash::vk;
use common::{device_with, instance, physical_device, World};
use std::collections::HashSet;
use std::ffi::{c_void, CStr};
use std::sync::atomic::{AtomicUsize, Ordering};

fn extension_names(i: &ash::Instance) -> HashSet<String> {
    // SAFETY: valid usage.
    unsafe { i.enumerate_device_extension_properties(physical_device(i)) }
        .expect("extensions")
        .iter()
        .map(|e| e.extension_name_as_c_str().expect("name").to_str().expect("text").to_owned())
        .collect()
}

#[test]
fn all_reported_extensions_and_features_can_be_enabled_together() {
    let i = instance();
    let pd = physical_device(&i);
    let names = extension_names(&i);
    assert!(names.contains("VK_KHR_timeline_semaphore") && names.contains("VK_KHR_push_descriptor"));
    assert!(!names.contains("VK_KHR_swapchain"));
    let mut v13 = vk::PhysicalDeviceVulkan13Features::default();
    let mut v12 = vk::PhysicalDeviceVulkan12Features::default();
    let mut v11 = vk::PhysicalDeviceVulkan11Features::default();
    let mut all = vk::PhysicalDeviceFeatures2::default().push_next(&mut v13).push_next(&mut v12).push_next(&mut v11);
    // SAFETY: valid usage.
    unsafe { i.get_physical_device_features2(pd, &mut all) };
    let c_names: Vec<_> = names.iter().map(|n| std::ffi::CString::new(n.as_str()).expect("name")).collect();
    let refs: Vec<&CStr> = c_names.iter().map(|n| n.as_c_str()).collect();
    let device = device_with(&i, &refs, Some(&mut all)).expect("device with everything");
    // SAFETY: used no more.
    unsafe {
        device.destroy_device(None);
        i.destroy_instance(None);
    }
}

#[test]
fn vulkan_1_3_has_what_it_must_have() {
    let i = instance();
    let pd = physical_device(&i);
    let mut v13 = vk::PhysicalDeviceVulkan13Features::default();
    let mut v12 = vk::PhysicalDeviceVulkan12Features::default();
    let mut v11 = vk::PhysicalDeviceVulkan11Features::default();
    let mut all = vk::PhysicalDeviceFeatures2::default().push_next(&mut v11).push_next(&mut v13).push_next(&mut v12);
    // SAFETY: valid usage.
    unsafe { i.get_physical_device_features2(pd, &mut all) };
    assert_eq!(all.features.robust_buffer_access, vk::TRUE);
    assert_eq!(all.features.geometry_shader, vk::FALSE);
    for (name, on) in [
        ("multiview", v11.multiview),
        ("subgroupBroadcastDynamicId", v12.subgroup_broadcast_dynamic_id),
        ("uniformBufferStandardLayout", v12.uniform_buffer_standard_layout),
        ("shaderSubgroupExtendedTypes", v12.shader_subgroup_extended_types),
        ("hostQueryReset", v12.host_query_reset),
        ("timelineSemaphore", v12.timeline_semaphore),
        ("imagelessFramebuffer", v12.imageless_framebuffer),
        ("separateDepthStencilLayouts", v12.separate_depth_stencil_layouts),
        ("vulkanMemoryModel", v12.vulkan_memory_model),
        ("vulkanMemoryModelDeviceScope", v12.vulkan_memory_model_device_scope),
        ("bufferDeviceAddress", v12.buffer_device_address),
        ("privateData", v13.private_data),
        ("pipelineCreationCacheControl", v13.pipeline_creation_cache_control),
        ("synchronization2", v13.synchronization2),
        ("shaderZeroInitializeWorkgroupMemory", v13.shader_zero_initialize_workgroup_memory),
        ("robustImageAccess", v13.robust_image_access),
        ("subgroupSizeControl", v13.subgroup_size_control),
        ("computeFullSubgroups", v13.compute_full_subgroups),
        ("shaderIntegerDotProduct", v13.shader_integer_dot_product),
        ("maintenance4", v13.maintenance4),
        ("inlineUniformBlock", v13.inline_uniform_block),
        ("dynamicRendering", v13.dynamic_rendering),
    ] {
        assert_eq!(on, vk::TRUE, "{name}");
    }
    // SAFETY: used no more.
    unsafe { i.destroy_instance(None) };
}

#[test]
fn promoted_structures_agree_with_the_sums() {
    let i = instance();
    let pd = physical_device(&i);
    let mut v12 = vk::PhysicalDeviceVulkan12Properties::default();
    let mut v13 = vk::PhysicalDeviceVulkan13Properties::default();
    let mut driver = vk::PhysicalDeviceDriverProperties::default();
    let mut sizes = vk::PhysicalDeviceSubgroupSizeControlProperties::default();
    let mut subgroup = vk::PhysicalDeviceSubgroupProperties::default();
    let mut all = vk::PhysicalDeviceProperties2::default()
        .push_next(&mut driver)
        .push_next(&mut v12)
        .push_next(&mut sizes)
        .push_next(&mut v13)
        .push_next(&mut subgroup);
    // SAFETY: valid usage.
    unsafe { i.get_physical_device_properties2(pd, &mut all) };
    let limits = all.properties.limits;
    assert!(all.properties.api_version >= vk::API_VERSION_1_3);
    assert_eq!(driver.driver_name, v12.driver_name);
    assert_ne!(driver.driver_name[0], 0);
    let c = driver.conformance_version;
    assert_eq!((c.major, c.minor, c.subminor, c.patch), (0, 0, 0, 0));
    assert_eq!(sizes.min_subgroup_size, v13.min_subgroup_size);
    assert!(sizes.min_subgroup_size.is_power_of_two() && sizes.max_subgroup_size >= subgroup.subgroup_size);
    assert_eq!(subgroup.supported_stages, vk::ShaderStageFlags::COMPUTE);
    assert!(limits.max_compute_shared_memory_size >= 16384);
    assert!(limits.timestamp_period > 0.0);
    // SAFETY: used no more.
    unsafe { i.destroy_instance(None) };
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let i = instance();
    let r = device_with(&i, &[c"VK_KHR_swapchain"], None);
    assert_eq!(r.err(), Some(vk::Result::ERROR_EXTENSION_NOT_PRESENT));
    let mut f = vk::PhysicalDeviceFeatures2::default();
    f.features.geometry_shader = vk::TRUE;
    assert_eq!(device_with(&i, &[], Some(&mut f)).err(), Some(vk::Result::ERROR_FEATURE_NOT_PRESENT));
    // A structure of an extension the driver does not have, with a feature asked for.
    let mut mesh = vk::PhysicalDeviceMeshShaderFeaturesEXT::default().mesh_shader(true);
    let mut f = vk::PhysicalDeviceFeatures2::default().push_next(&mut mesh);
    assert_eq!(device_with(&i, &[], Some(&mut f)).err(), Some(vk::Result::ERROR_FEATURE_NOT_PRESENT));
    // SAFETY: used no more.
    unsafe { i.destroy_instance(None) };
}

#[test]
fn more_queues_than_there_are_is_refused() {
    let i = instance();
    let priorities = [1.0; 64];
    let queue = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&priorities)];
    let info = vk::DeviceCreateInfo::default().queue_create_infos(&queue);
    // SAFETY: valid except for the count.
    let r = unsafe { i.create_device(physical_device(&i), &info, None) };
    assert_eq!(r.err(), Some(vk::Result::ERROR_INITIALIZATION_FAILED));
    // SAFETY: used no more.
    unsafe { i.destroy_instance(None) };
}

#[test]
fn two_call_arrays_are_cut_with_incomplete() {
    let i = instance();
    let pd = physical_device(&i);
    let f = i.fp_v1_0().enumerate_device_extension_properties;
    let mut n = 0;
    let mut out = [vk::ExtensionProperties::default(); 3];
    // SAFETY: valid usage.
    unsafe {
        assert_eq!(f(pd, std::ptr::null(), &mut n, std::ptr::null_mut()), vk::Result::SUCCESS);
        assert!(n > 3);
        n = 3;
        assert_eq!(f(pd, std::ptr::null(), &mut n, out.as_mut_ptr()), vk::Result::INCOMPLETE);
        assert_eq!(n, 3);
        i.destroy_instance(None);
    }
}

/// Counts live allocations, and fails those after a limit.
#[derive(Default)]
struct Counter {
    live: AtomicUsize,
    total: AtomicUsize,
    limit: Option<usize>,
}

unsafe extern "system" fn allocate(
    user: *mut c_void,
    size: usize,
    align: usize,
    _: vk::SystemAllocationScope,
) -> *mut c_void {
    // SAFETY: the tests pass a live Counter.
    let c = unsafe { &*user.cast::<Counter>() };
    if c.limit.is_some_and(|l| c.total.load(Ordering::Relaxed) >= l) {
        return std::ptr::null_mut();
    }
    c.total.fetch_add(1, Ordering::Relaxed);
    c.live.fetch_add(1, Ordering::Relaxed);
    let mut p = std::ptr::null_mut();
    // SAFETY: a valid place and a power of two of at least the size of a pointer.
    unsafe { libc_memalign(&mut p, align.max(8), size) };
    p
}

unsafe fn libc_memalign(p: &mut *mut c_void, align: usize, size: usize) {
    extern "C" {
        fn posix_memalign(p: *mut *mut c_void, align: usize, size: usize) -> i32;
    }
    // SAFETY: this function's callers.
    unsafe { posix_memalign(p, align, size) };
}

unsafe extern "system" fn reallocate(
    _: *mut c_void,
    _: *mut c_void,
    _: usize,
    _: usize,
    _: vk::SystemAllocationScope,
) -> *mut c_void {
    std::ptr::null_mut()
}

unsafe extern "system" fn release(user: *mut c_void, p: *mut c_void) {
    extern "C" {
        fn free(p: *mut c_void);
    }
    if !p.is_null() {
        // SAFETY: the tests pass a live Counter, and `p` came from `allocate`.
        unsafe {
            (*user.cast::<Counter>()).live.fetch_sub(1, Ordering::Relaxed);
            free(p);
        }
    }
}

fn callbacks(c: &Counter) -> vk::AllocationCallbacks<'_> {
    vk::AllocationCallbacks::default()
        .user_data(std::ptr::from_ref(c).cast_mut().cast())
        .pfn_allocation(Some(allocate))
        .pfn_reallocation(Some(reallocate))
        .pfn_free(Some(release))
}

#[test]
fn handles_live_in_the_applications_memory() {
    let w = World::new();
    let c = Counter::default();
    let cbs = callbacks(&c);
    let info = vk::BufferCreateInfo::default().size(64).usage(vk::BufferUsageFlags::STORAGE_BUFFER);
    // SAFETY: valid usage.
    unsafe {
        let b = w.device.create_buffer(&info, Some(&cbs)).expect("buffer");
        let f = w.device.create_fence(&vk::FenceCreateInfo::default(), Some(&cbs)).expect("fence");
        assert_eq!(c.live.load(Ordering::Relaxed), 2);
        w.device.destroy_fence(f, Some(&cbs));
        w.device.destroy_buffer(b, Some(&cbs));
    }
    assert_eq!(c.live.load(Ordering::Relaxed), 0);
    assert_eq!(c.total.load(Ordering::Relaxed), 2);
}

#[test]
fn failing_callbacks_are_out_of_host_memory_and_leak_nothing() {
    let i = instance();
    let pd = physical_device(&i);
    let queue = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0, 0.5])];
    let info = vk::DeviceCreateInfo::default().queue_create_infos(&queue);
    let mut succeeded = false;
    for limit in 0..16 {
        let c = Counter { limit: Some(limit), ..Counter::default() };
        let cbs = callbacks(&c);
        // SAFETY: valid usage.
        match unsafe { i.create_device(pd, &info, Some(&cbs)) } {
            Ok(d) => {
                assert!(limit > 0);
                succeeded = true;
                // SAFETY: used no more.
                unsafe { d.destroy_device(Some(&cbs)) };
            }
            Err(e) => assert_eq!(e, vk::Result::ERROR_OUT_OF_HOST_MEMORY),
        }
        assert_eq!(c.live.load(Ordering::Relaxed), 0, "limit {limit}");
    }
    assert!(succeeded);
    // SAFETY: used no more.
    unsafe { i.destroy_instance(None) };
}
