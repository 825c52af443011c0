//! Which extensions are reported: one row each, with the condition.

use crate::generated::extensions::EXTENSIONS;
pub use crate::generated::extensions::{Extension, ExtensionTable};
use ash::vk;
use runtime::gpu::GpuProps;
use std::ffi::CStr;

/// Facts about an extension.
#[derive(Debug)]
pub struct Info {
    /// Which one.
    pub id: Extension,
    /// Its name.
    pub name: &'static CStr,
    /// Version of its specification.
    pub spec_version: u32,
    /// Instance extension (else device extension).
    pub instance: bool,
    /// Core version it became part of.
    pub promoted: Option<u32>,
    /// Extensions it builds on.
    pub requires: &'static [Extension],
}

/// What the conditions look at.
#[derive(Clone, Copy, Debug)]
pub struct Caps<'a> {
    /// Facts about the GPU.
    pub props: &'a GpuProps,
    /// Whether memory can be shared through file descriptors.
    pub memory_fd: bool,
    /// Whether semaphores can be shared through file descriptors.
    pub semaphore_fd: bool,
    /// Whether fences can be shared through file descriptors.
    pub fence_fd: bool,
    /// Whether the GPU's clock can be read beside the host's.
    pub calibrated_timestamps: bool,
    /// Whether the GPU knows the two formats of VK_KHR_maintenance5.
    pub maintenance5_formats: bool,
}

/// Facts about an extension.
pub fn info(e: Extension) -> &'static Info {
    &EXTENSIONS[e as usize]
}

/// The extension of this name.
pub fn by_name(name: &CStr) -> Option<&'static Info> {
    EXTENSIONS.iter().find(|i| i.name == name)
}

/// The supported extensions of a table, instance or device ones.
pub fn list(table: &ExtensionTable, instance: bool) -> Vec<vk::ExtensionProperties> {
    EXTENSIONS
        .iter()
        .filter(|i| i.instance == instance && table.get(i.id))
        .map(|i| {
            vk::ExtensionProperties { spec_version: i.spec_version, ..Default::default() }
                .extension_name(i.name)
                .unwrap_or_default()
        })
        .collect()
}

/// The table: what this driver reports. Instance extensions depend on nothing; device extensions on the GPU.
/// Every field must be named, so a new extension cannot be forgotten here.
fn table(c: Option<&Caps<'_>>) -> ExtensionTable {
    let device = c.is_some();
    let gpu = |f: fn(&GpuProps) -> bool| c.is_some_and(|c| f(c.props));
    ExtensionTable {
        // Instance extensions.
        EXT_debug_utils: true,
        KHR_device_group_creation: true,
        KHR_external_fence_capabilities: true,
        KHR_external_memory_capabilities: true,
        KHR_external_semaphore_capabilities: true,
        KHR_get_physical_device_properties2: true,
        // Promoted to core: names that clients look for all the same.
        EXT_descriptor_indexing: gpu(|p| p.features.descriptor_indexing),
        EXT_host_query_reset: device,
        EXT_image_robustness: device,
        EXT_inline_uniform_block: device,
        EXT_pipeline_creation_cache_control: device,
        EXT_pipeline_creation_feedback: device,
        EXT_private_data: device,
        EXT_ycbcr_2plane_444_formats: gpu(|p| p.features.sampler_ycbcr_conversion),
        EXT_ycbcr_image_arrays: gpu(|p| p.features.sampler_ycbcr_conversion),
        KHR_sampler_ycbcr_conversion: gpu(|p| p.features.sampler_ycbcr_conversion),
        EXT_sampler_filter_minmax: gpu(|p| p.features.sampler_filter_minmax),
        EXT_separate_stencil_usage: device,
        EXT_scalar_block_layout: gpu(|p| p.features.scalar_block_layout),
        EXT_shader_subgroup_ballot: gpu(|p| p.subgroup.operations.contains(vk::SubgroupFeatureFlags::BALLOT)),
        EXT_shader_subgroup_vote: gpu(|p| p.subgroup.operations.contains(vk::SubgroupFeatureFlags::VOTE)),
        EXT_subgroup_size_control: gpu(|p| p.subgroup.size_control),
        EXT_texel_buffer_alignment: device,
        EXT_tooling_info: device,
        EXT_zero_initialize_device_memory: device,
        KHR_16bit_storage: gpu(|p| p.features.storage_buffer_16bit),
        KHR_8bit_storage: gpu(|p| p.features.storage_buffer_8bit),
        KHR_bind_memory2: device,
        KHR_buffer_device_address: gpu(|p| p.features.buffer_device_address),
        KHR_copy_commands2: device,
        // Promoted, and asked for by name with VK_KHR_maintenance5; nothing of them is usable without graphics.
        KHR_create_renderpass2: device,
        KHR_depth_stencil_resolve: device,
        KHR_dynamic_rendering: device,
        KHR_multiview: device,
        KHR_dedicated_allocation: device,
        KHR_descriptor_update_template: device,
        KHR_device_group: device,
        KHR_driver_properties: device,
        KHR_external_fence: device,
        KHR_external_memory: device,
        KHR_external_semaphore: device,
        KHR_format_feature_flags2: device,
        KHR_get_memory_requirements2: device,
        KHR_image_format_list: device,
        KHR_maintenance1: device,
        KHR_maintenance2: device,
        KHR_maintenance3: device,
        KHR_maintenance4: device,
        KHR_relaxed_block_layout: device,
        KHR_sampler_mirror_clamp_to_edge: gpu(|p| p.features.sampler_mirror_clamp_to_edge),
        KHR_shader_atomic_int64: gpu(|p| p.features.buffer_int64_atomics),
        KHR_shader_float16_int8: gpu(|p| p.features.shader_float16 || p.features.shader_int8),
        KHR_shader_float_controls: device,
        KHR_shader_integer_dot_product: gpu(|p| p.features.integer_dot_product),
        KHR_shader_non_semantic_info: device,
        KHR_shader_subgroup_extended_types: device,
        KHR_shader_terminate_invocation: device,
        KHR_spirv_1_4: device,
        KHR_storage_buffer_storage_class: device,
        KHR_synchronization2: device,
        KHR_timeline_semaphore: device,
        KHR_uniform_buffer_standard_layout: device,
        KHR_variable_pointers: gpu(|p| p.features.variable_pointers),
        KHR_vulkan_memory_model: gpu(|p| p.features.vulkan_memory_model),
        KHR_zero_initialize_workgroup_memory: gpu(|p| p.features.zero_initialize_workgroup_memory),
        // Performance and memory.
        EXT_device_generated_commands: gpu(|p| p.generated.is_some()),
        KHR_device_address_commands: gpu(|p| p.features.buffer_device_address),
        EXT_memory_decompression: gpu(|p| p.features.memory_regions && p.features.buffer_device_address),
        KHR_copy_memory_indirect: gpu(|p| p.features.memory_regions && p.features.buffer_device_address),
        EXT_external_memory_host: gpu(|p| p.features.host_memory_import),
        AMD_shader_image_load_store_lod: gpu(|p| p.features.image_load_store_lod),
        EXT_4444_formats: device,
        EXT_border_color_swizzle: device,
        EXT_filter_cubic: gpu(|p| p.features.sampler_filter_cubic),
        EXT_image_2d_view_of_3d: gpu(|p| p.features.image_2d_view_of_3d),
        EXT_image_compression_control: device,
        EXT_image_sliced_view_of_3d: gpu(|p| p.features.image_sliced_view_of_3d),
        EXT_image_view_min_lod: device,
        EXT_non_seamless_cube_map: gpu(|p| p.features.non_seamless_cube_map),
        EXT_custom_border_color: device,
        EXT_descriptor_buffer: gpu(|p| p.features.buffer_device_address),
        // Builds on VK_KHR_maintenance5.
        EXT_descriptor_heap: c.is_some_and(|c| c.maintenance5_formats && c.props.features.buffer_device_address),
        EXT_memory_budget: device,
        EXT_shader_uniform_buffer_unsized_array: device,
        KHR_shader_untyped_pointers: device,
        EXT_mutable_descriptor_type: device,
        VALVE_mutable_descriptor_type: device,
        EXT_pipeline_robustness: device,
        EXT_shader_module_identifier: device,
        EXT_shader_object: device,
        EXT_robustness2: gpu(|p| p.features.robust_buffer_access2 || p.features.null_descriptor),
        KHR_robustness2: gpu(|p| p.features.robust_buffer_access2 || p.features.null_descriptor),
        EXT_shader_atomic_float: device,
        EXT_shader_atomic_float2: gpu(|p| {
            p.features.float_atomic_min_max
                || p.features.buffer_float16_atomic_add
                || p.features.shared_float16_atomic_add
        }),
        KHR_maintenance5: c.is_some_and(|c| c.maintenance5_formats),
        KHR_maintenance6: device,
        KHR_map_memory2: device,
        KHR_pipeline_binary: device,
        KHR_pipeline_library: device,
        KHR_push_descriptor: gpu(|p| p.max_push_descriptors > 0),
        KHR_workgroup_memory_explicit_layout: gpu(|p| p.features.workgroup_memory_explicit_layout),
        // Interoperation and tools.
        EXT_calibrated_timestamps: c.is_some_and(|c| c.calibrated_timestamps),
        KHR_calibrated_timestamps: c.is_some_and(|c| c.calibrated_timestamps),
        EXT_pci_bus_info: gpu(|p| p.pci.is_some()),
        KHR_external_fence_fd: c.is_some_and(|c| c.fence_fd),
        KHR_external_memory_fd: c.is_some_and(|c| c.memory_fd),
        KHR_external_semaphore_fd: c.is_some_and(|c| c.semaphore_fd),
        KHR_pipeline_executable_properties: device,
        // Shader language.
        AMD_shader_trinary_minmax: device,
        EXT_shader_64bit_indexing: device,
        EXT_shader_float8: device,
        KHR_cooperative_matrix: gpu(|p| p.matrices.any()),
        KHR_shader_bfloat16: device,
        NV_cooperative_matrix: gpu(|p| p.matrices.any()),
        NV_cooperative_matrix2: gpu(|p| p.matrices.any()),
        EXT_shader_image_atomic_int64: gpu(|p| p.features.image_int64_atomics),
        EXT_shader_long_vector: device,
        EXT_shader_replicated_composites: device,
        KHR_shader_clock: gpu(|p| p.features.shader_clock),
        KHR_shader_expect_assume: device,
        KHR_shader_float_controls2: device,
        KHR_shader_maximal_reconvergence: device,
        KHR_shader_fma: device,
        KHR_shader_relaxed_extended_instruction: device,
        KHR_shader_subgroup_rotate: gpu(|p| p.subgroup.operations.contains(vk::SubgroupFeatureFlags::ROTATE_KHR)),
        KHR_shader_subgroup_uniform_control_flow: device,
        EXT_shader_subgroup_partitioned: gpu(|p| {
            p.subgroup.operations.contains(vk::SubgroupFeatureFlags::PARTITIONED_NV)
        }),
        NV_shader_subgroup_partitioned: gpu(|p| {
            p.subgroup.operations.contains(vk::SubgroupFeatureFlags::PARTITIONED_NV)
        }),
        // Scheduling, residency and what is said about them.
        AMD_buffer_marker: device,
        EXT_conditional_rendering: gpu(|p| p.features.conditional_dispatch),
        EXT_device_address_binding_report: device,
        EXT_device_fault: device,
        KHR_device_fault: device,
        EXT_device_memory_report: device,
        EXT_global_priority: device,
        EXT_global_priority_query: device,
        EXT_memory_priority: device,
        EXT_nested_command_buffer: device,
        EXT_pageable_device_local_memory: device,
        EXT_queue_family_foreign: device,
        KHR_global_priority: device,
        KHR_extended_flags: device,
        KHR_maintenance7: device,
        KHR_maintenance8: device,
        KHR_maintenance10: device,
        EXT_host_image_copy: device,
        // The front end has it; off while the conformance tests ask pools for more descriptors than they were made for.
        NV_raw_access_chains: false,
        NV_shader_atomic_float16_vector: gpu(|p| p.features.image_float16_vector_atomics),
        // Known, and not there: a row is turned on when what it stands for works.
        // The decode mode is honoured; with the name, tests that render would run on queues that cannot.
        EXT_astc_decode_mode: false,
        EXT_rgba10x6_formats: false,
        KHR_compute_shader_derivatives: device,
        NV_compute_shader_derivatives: device,
        // Tests that bind sparse memory make render passes where there is such a queue.
        KHR_internally_synchronized_queues: false,
        KHR_maintenance9: device,
        KHR_shader_quad_control: device,
    }
}

/// The instance extensions.
pub fn instance_extensions() -> ExtensionTable {
    table(None)
}

/// The device extensions of a GPU with an API version. Flags of instance extensions are off, and what builds on an
/// extension that is neither there nor part of the version is off as well.
pub fn device_extensions(caps: &Caps<'_>, api_version: u32) -> ExtensionTable {
    let all = table(Some(caps));
    let mut t = all;
    for i in &EXTENSIONS {
        let founded = i.requires.iter().all(|r| all.get(*r) || info(*r).promoted.is_some_and(|v| v <= api_version));
        if i.instance || !founded {
            t.set(i.id, false);
        }
    }
    t
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_names() {
        for (n, i) in EXTENSIONS.iter().enumerate() {
            assert_eq!(i.id as usize, n);
            assert_eq!(info(i.id).name, i.name);
            assert!(by_name(i.name).is_some_and(|x| x.id == i.id));
        }
        assert!(by_name(c"VK_KHR_swapchain").is_none());
    }

    #[test]
    fn no_device_extension_without_a_device() {
        let t = instance_extensions();
        for i in &EXTENSIONS {
            assert_eq!(t.get(i.id), i.instance, "{:?}", i.name);
        }
    }
}
