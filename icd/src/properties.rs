//! Properties of a physical device, in every structure they are asked for.

use crate::edge::{InOut, OutNode};
use crate::entry::{heap_properties, CAPTURE_BYTES};
use crate::generated::properties::fill_promoted;
use crate::generated::types;
use ash::vk;
use runtime::gpu::{Gpu, GpuProps};
use runtime::{DescriptorSetLayout, MemoryBudget};
use std::ffi::c_char;

/// Names the algorithm of VK_EXT_shader_module_identifier: BLAKE3 of the words as little-endian bytes.
const IDENTIFIER_UUID: [u8; 16] = *b"vkdxg spv blake3";

/// Writes as much of a text as fits, always NUL-terminated.
pub fn put_text<const N: usize>(out: &mut [c_char; N], text: &str) {
    out.fill(0);
    for (o, b) in out.iter_mut().take(N - 1).zip(text.bytes()) {
        *o = b as c_char;
    }
}

/// `VkPhysicalDeviceProperties`.
pub fn core(p: &GpuProps, api_version: u32) -> vk::PhysicalDeviceProperties {
    let mut out = vk::PhysicalDeviceProperties {
        api_version,
        driver_version: p.driver_version,
        vendor_id: p.vendor_id,
        device_id: p.device_id,
        device_type: p.device_type,
        pipeline_cache_uuid: p.pipeline_cache_uuid,
        limits: p.limits,
        // Levels need not be multiples of blocks, and writes to what has no memory may be read again: neither is promised.
        sparse_properties: vk::PhysicalDeviceSparseProperties {
            residency_standard2_d_block_shape: p.features.sparse_residency_image_2d.into(),
            residency_standard3_d_block_shape: p.features.sparse_residency_image_3d.into(),
            ..Default::default()
        },
        ..Default::default()
    };
    put_text(&mut out.device_name, &p.name);
    out
}

fn v11(p: &GpuProps) -> vk::PhysicalDeviceVulkan11Properties<'static> {
    vk::PhysicalDeviceVulkan11Properties {
        device_uuid: p.device_uuid,
        driver_uuid: p.driver_uuid,
        // Never valid on Linux: clients match LUIDs with those of another API that is not there.
        device_luid: [0; 8],
        device_node_mask: 0,
        device_luid_valid: vk::FALSE,
        subgroup_size: p.subgroup.default_size,
        subgroup_supported_stages: vk::ShaderStageFlags::COMPUTE,
        subgroup_supported_operations: p.subgroup.operations,
        subgroup_quad_operations_in_all_stages: p.subgroup.quad_in_all_stages.into(),
        point_clipping_behavior: vk::PointClippingBehavior::ALL_CLIP_PLANES,
        max_multiview_view_count: 6,
        max_multiview_instance_index: (1 << 27) - 1,
        protected_no_fault: vk::FALSE,
        max_per_set_descriptors: p.limits.max_descriptor_set_storage_buffers.max(1024),
        max_memory_allocation_size: p.max_memory_allocation_size,
        ..Default::default()
    }
}

fn v12(p: &GpuProps) -> vk::PhysicalDeviceVulkan12Properties<'static> {
    let l = &p.limits;
    let [f16, f32, f64] = p.float_controls;
    let mut out = vk::PhysicalDeviceVulkan12Properties {
        driver_id: p.driver_id,
        conformance_version: vk::ConformanceVersion::default(),
        denorm_behavior_independence: vk::ShaderFloatControlsIndependence::ALL,
        rounding_mode_independence: vk::ShaderFloatControlsIndependence::ALL,
        shader_signed_zero_inf_nan_preserve_float16: f16.signed_zero_inf_nan.into(),
        shader_signed_zero_inf_nan_preserve_float32: f32.signed_zero_inf_nan.into(),
        shader_signed_zero_inf_nan_preserve_float64: f64.signed_zero_inf_nan.into(),
        shader_denorm_preserve_float16: f16.denorm_preserve.into(),
        shader_denorm_preserve_float32: f32.denorm_preserve.into(),
        shader_denorm_preserve_float64: f64.denorm_preserve.into(),
        shader_denorm_flush_to_zero_float16: f16.denorm_flush.into(),
        shader_denorm_flush_to_zero_float32: f32.denorm_flush.into(),
        shader_denorm_flush_to_zero_float64: f64.denorm_flush.into(),
        shader_rounding_mode_rte_float16: f16.rte.into(),
        shader_rounding_mode_rte_float32: f32.rte.into(),
        shader_rounding_mode_rte_float64: f64.rte.into(),
        shader_rounding_mode_rtz_float16: f16.rtz.into(),
        shader_rounding_mode_rtz_float32: f32.rtz.into(),
        shader_rounding_mode_rtz_float64: f64.rtz.into(),
        shader_uniform_buffer_array_non_uniform_indexing_native: vk::TRUE,
        shader_sampled_image_array_non_uniform_indexing_native: vk::TRUE,
        shader_storage_buffer_array_non_uniform_indexing_native: vk::TRUE,
        shader_storage_image_array_non_uniform_indexing_native: vk::TRUE,
        shader_input_attachment_array_non_uniform_indexing_native: vk::FALSE,
        robust_buffer_access_update_after_bind: vk::TRUE,
        quad_divergent_implicit_lod: vk::FALSE,
        // Descriptors are memory that kernels read, so binding late costs nothing: the limits are the ordinary ones.
        max_update_after_bind_descriptors_in_all_pools: u32::MAX,
        max_per_stage_descriptor_update_after_bind_samplers: l.max_per_stage_descriptor_samplers,
        max_per_stage_descriptor_update_after_bind_uniform_buffers: l.max_per_stage_descriptor_uniform_buffers,
        max_per_stage_descriptor_update_after_bind_storage_buffers: l.max_per_stage_descriptor_storage_buffers,
        max_per_stage_descriptor_update_after_bind_sampled_images: l.max_per_stage_descriptor_sampled_images,
        max_per_stage_descriptor_update_after_bind_storage_images: l.max_per_stage_descriptor_storage_images,
        max_per_stage_descriptor_update_after_bind_input_attachments: l.max_per_stage_descriptor_input_attachments,
        max_per_stage_update_after_bind_resources: l.max_per_stage_resources,
        max_descriptor_set_update_after_bind_samplers: l.max_descriptor_set_samplers,
        max_descriptor_set_update_after_bind_uniform_buffers: l.max_descriptor_set_uniform_buffers,
        max_descriptor_set_update_after_bind_uniform_buffers_dynamic: l.max_descriptor_set_uniform_buffers_dynamic,
        max_descriptor_set_update_after_bind_storage_buffers: l.max_descriptor_set_storage_buffers,
        max_descriptor_set_update_after_bind_storage_buffers_dynamic: l.max_descriptor_set_storage_buffers_dynamic,
        max_descriptor_set_update_after_bind_sampled_images: l.max_descriptor_set_sampled_images,
        max_descriptor_set_update_after_bind_storage_images: l.max_descriptor_set_storage_images,
        max_descriptor_set_update_after_bind_input_attachments: l.max_descriptor_set_input_attachments,
        supported_depth_resolve_modes: vk::ResolveModeFlags::SAMPLE_ZERO,
        supported_stencil_resolve_modes: vk::ResolveModeFlags::SAMPLE_ZERO,
        independent_resolve_none: vk::FALSE,
        independent_resolve: vk::FALSE,
        filter_minmax_single_component_formats: p.features.sampler_filter_minmax.into(),
        filter_minmax_image_component_mapping: p.features.sampler_filter_minmax.into(),
        max_timeline_semaphore_value_difference: i64::MAX as u64,
        framebuffer_integer_color_sample_counts: vk::SampleCountFlags::TYPE_1,
        ..Default::default()
    };
    put_text(&mut out.driver_name, &p.driver_name);
    put_text(&mut out.driver_info, &p.driver_info);
    out
}

fn v13(p: &GpuProps) -> vk::PhysicalDeviceVulkan13Properties<'static> {
    let dot = vk::Bool32::from(p.features.integer_dot_product_accelerated);
    let l = &p.limits;
    vk::PhysicalDeviceVulkan13Properties {
        min_subgroup_size: p.subgroup.min_size,
        max_subgroup_size: p.subgroup.max_size,
        max_compute_workgroup_subgroups: p.subgroup.max_per_workgroup,
        required_subgroup_size_stages: if p.subgroup.size_control {
            vk::ShaderStageFlags::COMPUTE
        } else {
            vk::ShaderStageFlags::empty()
        },
        max_inline_uniform_block_size: p.max_inline_uniform_block_size,
        max_per_stage_descriptor_inline_uniform_blocks: l.max_per_stage_descriptor_uniform_buffers,
        max_per_stage_descriptor_update_after_bind_inline_uniform_blocks: l.max_per_stage_descriptor_uniform_buffers,
        max_descriptor_set_inline_uniform_blocks: l.max_descriptor_set_uniform_buffers,
        max_descriptor_set_update_after_bind_inline_uniform_blocks: l.max_descriptor_set_uniform_buffers,
        max_inline_uniform_total_size: p
            .max_inline_uniform_block_size
            .saturating_mul(l.max_per_stage_descriptor_uniform_buffers),
        integer_dot_product8_bit_unsigned_accelerated: dot,
        integer_dot_product8_bit_signed_accelerated: dot,
        integer_dot_product8_bit_mixed_signedness_accelerated: dot,
        integer_dot_product4x8_bit_packed_unsigned_accelerated: dot,
        integer_dot_product4x8_bit_packed_signed_accelerated: dot,
        integer_dot_product4x8_bit_packed_mixed_signedness_accelerated: dot,
        integer_dot_product16_bit_unsigned_accelerated: dot,
        integer_dot_product16_bit_signed_accelerated: dot,
        integer_dot_product16_bit_mixed_signedness_accelerated: dot,
        integer_dot_product32_bit_unsigned_accelerated: dot,
        integer_dot_product32_bit_signed_accelerated: dot,
        integer_dot_product32_bit_mixed_signedness_accelerated: dot,
        integer_dot_product64_bit_unsigned_accelerated: dot,
        integer_dot_product64_bit_signed_accelerated: dot,
        integer_dot_product64_bit_mixed_signedness_accelerated: dot,
        integer_dot_product_accumulating_saturating8_bit_unsigned_accelerated: dot,
        integer_dot_product_accumulating_saturating8_bit_signed_accelerated: dot,
        integer_dot_product_accumulating_saturating8_bit_mixed_signedness_accelerated: dot,
        integer_dot_product_accumulating_saturating4x8_bit_packed_unsigned_accelerated: dot,
        integer_dot_product_accumulating_saturating4x8_bit_packed_signed_accelerated: dot,
        integer_dot_product_accumulating_saturating4x8_bit_packed_mixed_signedness_accelerated: dot,
        integer_dot_product_accumulating_saturating16_bit_unsigned_accelerated: dot,
        integer_dot_product_accumulating_saturating16_bit_signed_accelerated: dot,
        integer_dot_product_accumulating_saturating16_bit_mixed_signedness_accelerated: dot,
        integer_dot_product_accumulating_saturating32_bit_unsigned_accelerated: dot,
        integer_dot_product_accumulating_saturating32_bit_signed_accelerated: dot,
        integer_dot_product_accumulating_saturating32_bit_mixed_signedness_accelerated: dot,
        integer_dot_product_accumulating_saturating64_bit_unsigned_accelerated: dot,
        integer_dot_product_accumulating_saturating64_bit_signed_accelerated: dot,
        integer_dot_product_accumulating_saturating64_bit_mixed_signedness_accelerated: dot,
        storage_texel_buffer_offset_alignment_bytes: l.min_texel_buffer_offset_alignment,
        storage_texel_buffer_offset_single_texel_alignment: vk::TRUE,
        uniform_texel_buffer_offset_alignment_bytes: l.min_texel_buffer_offset_alignment,
        uniform_texel_buffer_offset_single_texel_alignment: vk::TRUE,
        max_buffer_size: p.max_buffer_size,
        ..Default::default()
    }
}

/// Descriptors in application memory: sets have the form they have in the driver's own memory.
fn descriptor_buffer(gpu: &dyn Gpu) -> vk::PhysicalDeviceDescriptorBufferPropertiesEXT<'static> {
    use vk::DescriptorType as D;
    let p = gpu.props();
    let size = |ty| DescriptorSetLayout::descriptor_stride(gpu, ty) as usize;
    // Kernels reach descriptors by 64-bit addresses; offsets within a set have 32 bits.
    let range = u64::from(u32::MAX);
    vk::PhysicalDeviceDescriptorBufferPropertiesEXT {
        combined_image_sampler_descriptor_single_array: vk::TRUE,
        bufferless_push_descriptors: vk::TRUE,
        allow_sampler_image_view_post_submit_creation: vk::TRUE,
        descriptor_buffer_offset_alignment: u64::from(p.descriptor_align),
        max_descriptor_buffer_bindings: p.limits.max_bound_descriptor_sets,
        max_resource_descriptor_buffer_bindings: p.limits.max_bound_descriptor_sets,
        max_sampler_descriptor_buffer_bindings: p.limits.max_bound_descriptor_sets,
        max_embedded_immutable_sampler_bindings: p.limits.max_bound_descriptor_sets,
        max_embedded_immutable_samplers: 2048,
        buffer_capture_replay_descriptor_data_size: CAPTURE_BYTES,
        image_capture_replay_descriptor_data_size: CAPTURE_BYTES,
        image_view_capture_replay_descriptor_data_size: CAPTURE_BYTES,
        sampler_capture_replay_descriptor_data_size: CAPTURE_BYTES,
        sampler_descriptor_size: size(D::SAMPLER),
        combined_image_sampler_descriptor_size: size(D::COMBINED_IMAGE_SAMPLER),
        sampled_image_descriptor_size: size(D::SAMPLED_IMAGE),
        storage_image_descriptor_size: size(D::STORAGE_IMAGE),
        uniform_texel_buffer_descriptor_size: size(D::UNIFORM_TEXEL_BUFFER),
        robust_uniform_texel_buffer_descriptor_size: size(D::UNIFORM_TEXEL_BUFFER),
        storage_texel_buffer_descriptor_size: size(D::STORAGE_TEXEL_BUFFER),
        robust_storage_texel_buffer_descriptor_size: size(D::STORAGE_TEXEL_BUFFER),
        uniform_buffer_descriptor_size: size(D::UNIFORM_BUFFER),
        robust_uniform_buffer_descriptor_size: size(D::UNIFORM_BUFFER),
        storage_buffer_descriptor_size: size(D::STORAGE_BUFFER),
        robust_storage_buffer_descriptor_size: size(D::STORAGE_BUFFER),
        input_attachment_descriptor_size: size(D::INPUT_ATTACHMENT),
        max_sampler_descriptor_buffer_range: range,
        max_resource_descriptor_buffer_range: range,
        sampler_descriptor_buffer_address_space_size: p.max_buffer_size,
        resource_descriptor_buffer_address_space_size: p.max_buffer_size,
        descriptor_buffer_address_space_size: p.max_buffer_size,
        ..Default::default()
    }
}

/// Layouts that host copies take: a layout says nothing about where texels stand.
const HOST_COPY_LAYOUTS: [vk::ImageLayout; 11] = [
    vk::ImageLayout::GENERAL,
    vk::ImageLayout::TRANSFER_SRC_OPTIMAL,
    vk::ImageLayout::TRANSFER_DST_OPTIMAL,
    vk::ImageLayout::SHADER_READ_ONLY_OPTIMAL,
    vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL,
    vk::ImageLayout::DEPTH_STENCIL_ATTACHMENT_OPTIMAL,
    vk::ImageLayout::DEPTH_STENCIL_READ_ONLY_OPTIMAL,
    vk::ImageLayout::DEPTH_READ_ONLY_STENCIL_ATTACHMENT_OPTIMAL,
    vk::ImageLayout::DEPTH_ATTACHMENT_STENCIL_READ_ONLY_OPTIMAL,
    vk::ImageLayout::READ_ONLY_OPTIMAL,
    vk::ImageLayout::ATTACHMENT_OPTIMAL,
];

fn v14(p: &GpuProps) -> types::PhysicalDeviceVulkan14Properties<'static> {
    let buffers = vk::PipelineRobustnessBufferBehaviorEXT::ROBUST_BUFFER_ACCESS;
    types::PhysicalDeviceVulkan14Properties {
        line_sub_pixel_precision_bits: 4,
        max_vertex_attrib_divisor: u16::MAX.into(),
        max_push_descriptors: p.max_push_descriptors,
        dynamic_rendering_local_read_depth_stencil_attachments: vk::TRUE,
        dynamic_rendering_local_read_multisampled_attachments: vk::TRUE,
        block_texel_view_compatible_multiple_layers: vk::TRUE,
        max_combined_image_sampler_descriptor_count: 1,
        default_robustness_storage_buffers: buffers,
        default_robustness_uniform_buffers: buffers,
        default_robustness_vertex_inputs: buffers,
        default_robustness_images: vk::PipelineRobustnessImageBehaviorEXT::ROBUST_IMAGE_ACCESS,
        // Texels stand where the driver's build says.
        optimal_tiling_layout_uuid: p.driver_uuid,
        // Images for host copies take memory that the CPU sees only.
        identical_memory_type_requirements: vk::FALSE,
        ..Default::default()
    }
}

/// vkGetPhysicalDeviceProperties2.
pub fn report(mut out: InOut<'_, vk::PhysicalDeviceProperties2<'_>>, gpu: &dyn Gpu, api_version: u32) {
    let p = gpu.props();
    out.properties = core(p, api_version);
    let (v11, v12, v13, v14) = (v11(p), v12(p), v13(p), v14(p));
    for mut node in out.chain() {
        if !fill_promoted(&mut node, &v11, &v12, &v13, &v14) {
            fill_other(&mut node, gpu, (&v11, &v12, &v13, &v14));
        }
    }
}

/// Keeps the header of `out` and takes everything else from `from`.
macro_rules! body {
    ($out:ident = $from:expr) => {{
        let (s_type, p_next) = ($out.s_type, $out.p_next);
        *$out = *$from;
        $out.s_type = s_type;
        $out.p_next = p_next;
    }};
}

type Sums<'a> = (
    &'a vk::PhysicalDeviceVulkan11Properties<'static>,
    &'a vk::PhysicalDeviceVulkan12Properties<'static>,
    &'a vk::PhysicalDeviceVulkan13Properties<'static>,
    &'a types::PhysicalDeviceVulkan14Properties<'static>,
);

/// Fills an array of layouts for which the application may have given room.
///
/// # Safety
/// `out` is null or valid for writing `count` layouts.
unsafe fn put_layouts(count: &mut u32, out: *mut vk::ImageLayout) {
    let all = HOST_COPY_LAYOUTS.len() as u32;
    if out.is_null() {
        *count = all;
        return;
    }
    *count = (*count).min(all);
    for (i, layout) in HOST_COPY_LAYOUTS.iter().take(*count as usize).enumerate() {
        // SAFETY: this function's contract, and `i < count`.
        unsafe { out.add(i).write(*layout) };
    }
}

fn matrix_stages(p: &GpuProps) -> vk::ShaderStageFlags {
    match p.matrices.any() {
        true => vk::ShaderStageFlags::COMPUTE,
        false => vk::ShaderStageFlags::empty(),
    }
}

/// Structures that are not copies of members of the core sums.
fn fill_other(node: &mut OutNode<'_>, gpu: &dyn Gpu, (v11, v12, v13, v14): Sums<'_>) {
    let p = gpu.props();
    if let Some(o) = node.cast::<vk::PhysicalDeviceVulkan11Properties<'_>>() {
        body!(o = v11);
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceVulkan12Properties<'_>>() {
        body!(o = v12);
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceVulkan13Properties<'_>>() {
        body!(o = v13);
    } else if let Some(o) = node.cast::<types::PhysicalDeviceVulkan14Properties<'_>>() {
        let (src, dst) =
            ((o.copy_src_layout_count, o.p_copy_src_layouts), (o.copy_dst_layout_count, o.p_copy_dst_layouts));
        body!(o = v14);
        (o.copy_src_layout_count, o.p_copy_src_layouts) = src;
        (o.copy_dst_layout_count, o.p_copy_dst_layouts) = dst;
        // SAFETY: by valid usage the arrays are null or have room for the counts.
        unsafe {
            put_layouts(&mut o.copy_src_layout_count, o.p_copy_src_layouts);
            put_layouts(&mut o.copy_dst_layout_count, o.p_copy_dst_layouts);
        }
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceHostImageCopyPropertiesEXT<'_>>() {
        o.optimal_tiling_layout_uuid = v14.optimal_tiling_layout_uuid;
        o.identical_memory_type_requirements = v14.identical_memory_type_requirements;
        // SAFETY: as above.
        unsafe {
            put_layouts(&mut o.copy_src_layout_count, o.p_copy_src_layouts);
            put_layouts(&mut o.copy_dst_layout_count, o.p_copy_dst_layouts);
        }
    } else if let Some(o) = node.cast::<types::PhysicalDeviceMaintenance7PropertiesKHR<'_>>() {
        let (uniform, storage) =
            (p.limits.max_descriptor_set_uniform_buffers_dynamic, p.limits.max_descriptor_set_storage_buffers_dynamic);
        o.robust_fragment_shading_rate_attachment_access = vk::FALSE;
        o.separate_depth_stencil_attachment_access = vk::FALSE;
        o.max_descriptor_set_total_uniform_buffers_dynamic = uniform;
        o.max_descriptor_set_total_storage_buffers_dynamic = storage;
        o.max_descriptor_set_total_buffers_dynamic = uniform.saturating_add(storage);
        o.max_descriptor_set_update_after_bind_total_uniform_buffers_dynamic = uniform;
        o.max_descriptor_set_update_after_bind_total_storage_buffers_dynamic = storage;
        o.max_descriptor_set_update_after_bind_total_buffers_dynamic = uniform.saturating_add(storage);
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceNestedCommandBufferPropertiesEXT<'_>>() {
        // What is executed is copied into what executes it, however deep.
        o.max_command_buffer_nesting_level = u32::MAX;
    } else if let Some(o) = node.cast::<types::PhysicalDeviceMaintenance9PropertiesKHR<'_>>() {
        o.image2_d_view_of3_d_sparse = vk::FALSE;
        o.default_vertex_attribute_value = types::DefaultVertexAttributeValueKHR::default();
    } else if let Some(o) = node.cast::<types::PhysicalDeviceFaultPropertiesKHR<'_>>() {
        // That of the device's loss.
        o.max_device_fault_count = 1;
    } else if let Some(o) = node.cast::<types::PhysicalDeviceLayeredApiPropertiesListKHR<'_>>() {
        // No other driver stands below.
        o.layered_api_count = 0;
    } else if let Some(o) = node.cast::<types::PhysicalDeviceMaintenance10PropertiesKHR<'_>>() {
        o.rgba4_opaque_black_swizzled = vk::TRUE;
        o.resolve_srgb_format_applies_transfer_function = vk::TRUE;
        o.resolve_srgb_format_supports_transfer_function_control = vk::FALSE;
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceSubgroupProperties<'_>>() {
        o.subgroup_size = v11.subgroup_size;
        o.supported_stages = v11.subgroup_supported_stages;
        o.supported_operations = v11.subgroup_supported_operations;
        o.quad_operations_in_all_stages = v11.subgroup_quad_operations_in_all_stages;
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceExternalMemoryHostPropertiesEXT<'_>>() {
        o.min_imported_host_pointer_alignment = p.min_imported_host_pointer_alignment;
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceRobustness2PropertiesEXT<'_>>() {
        // Storage ranges are checked in words; uniform ranges may be checked per 16-byte vector.
        o.robust_storage_buffer_access_size_alignment = 1;
        o.robust_uniform_buffer_access_size_alignment = 1;
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceDescriptorBufferPropertiesEXT<'_>>() {
        body!(o = &descriptor_buffer(gpu));
    } else if let Some(o) = node.cast::<types::PhysicalDeviceDescriptorHeapPropertiesEXT<'_>>() {
        heap_properties(gpu, o);
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceMemoryDecompressionPropertiesNV<'_>>() {
        o.decompression_methods = vk::MemoryDecompressionMethodFlagsNV::GDEFLATE_1_0;
        // Descriptions are read where they stand; the number is what has to be promised.
        o.max_decompression_indirect_count = u64::from(u16::MAX);
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceCopyMemoryIndirectPropertiesNV<'_>>() {
        o.supported_queues = vk::QueueFlags::COMPUTE | vk::QueueFlags::TRANSFER;
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceCustomBorderColorPropertiesEXT<'_>>() {
        o.max_custom_border_color_samplers = runtime::descriptor_heap::MAX_BORDER_COLORS;
    } else if let Some(o) = node.cast::<types::PhysicalDevicePipelineBinaryPropertiesKHR<'_>>() {
        o.pipeline_binary_internal_cache = vk::TRUE;
        o.pipeline_binary_internal_cache_control = vk::TRUE;
        o.pipeline_binary_prefers_internal_cache = vk::FALSE;
        o.pipeline_binary_precompiled_internal_cache = vk::FALSE;
        o.pipeline_binary_compressed_data = vk::FALSE;
    } else if let Some(o) = node.cast::<types::PhysicalDeviceDeviceGeneratedCommandsPropertiesEXT<'_>>() {
        let stages = if p.generated.is_some() { vk::ShaderStageFlags::COMPUTE } else { vk::ShaderStageFlags::empty() };
        if let Some(limits) = p.generated {
            o.max_indirect_pipeline_count = limits.max_kernels;
            o.max_indirect_shader_object_count = limits.max_kernels;
            o.max_indirect_sequence_count = limits.max_sequences;
            o.max_indirect_commands_token_count = limits.max_tokens;
            o.max_indirect_commands_token_offset = limits.max_stride - 1;
            o.max_indirect_commands_indirect_stride = limits.max_stride;
        }
        o.supported_indirect_commands_input_modes = types::IndirectCommandsInputModeFlagsEXT::empty();
        o.supported_indirect_commands_shader_stages = stages;
        o.supported_indirect_commands_shader_stages_pipeline_binding = stages;
        o.supported_indirect_commands_shader_stages_shader_binding = stages;
        o.device_generated_commands_transform_feedback = vk::FALSE;
        o.device_generated_commands_multi_draw_indirect_count = vk::FALSE;
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceShaderObjectPropertiesEXT<'_>>() {
        o.shader_binary_uuid = p.pipeline_cache_uuid;
        o.shader_binary_version = runtime::SHADER_BINARY_VERSION;
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceShaderModuleIdentifierPropertiesEXT<'_>>() {
        o.shader_module_identifier_algorithm_uuid = IDENTIFIER_UUID;
    } else if let Some(o) = node.cast::<types::PhysicalDeviceComputeShaderDerivativesPropertiesKHR<'_>>() {
        o.mesh_and_task_shader_derivatives = vk::FALSE;
    } else if let Some(o) = node.cast::<types::PhysicalDeviceShaderLongVectorPropertiesEXT<'_>>() {
        o.max_vector_components = runtime::MAX_VECTOR_COMPONENTS;
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceCooperativeMatrixPropertiesKHR<'_>>() {
        o.cooperative_matrix_supported_stages = matrix_stages(p);
    } else if let Some(o) = node.cast::<vk::PhysicalDeviceCooperativeMatrixPropertiesNV<'_>>() {
        o.cooperative_matrix_supported_stages = matrix_stages(p);
    } else if let Some(o) = node.cast::<types::PhysicalDeviceCooperativeMatrix2PropertiesNV<'_>>() {
        o.cooperative_matrix_workgroup_scope_max_workgroup_size = p.matrices.workgroup_invocations;
        o.cooperative_matrix_flexible_dimensions_max_dimension = p.matrices.max_dimension;
        o.cooperative_matrix_workgroup_scope_reserved_shared_memory = p.matrices.workgroup_memory;
    } else if let Some(o) = node.cast::<vk::PhysicalDevicePCIBusInfoPropertiesEXT<'_>>() {
        if let Some(a) = p.pci {
            o.pci_domain = a.domain;
            o.pci_bus = a.bus;
            o.pci_device = a.device;
            o.pci_function = a.function;
        }
    }
}

/// Fills `VkPhysicalDeviceMemoryBudgetPropertiesEXT`.
pub fn fill_budget(node: &mut OutNode<'_>, budget: impl FnOnce() -> MemoryBudget) {
    if let Some(o) = node.cast::<vk::PhysicalDeviceMemoryBudgetPropertiesEXT<'_>>() {
        let b = budget();
        o.heap_budget = b.budget;
        o.heap_usage = b.usage;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_terminated() {
        let mut out = [1 as c_char; 4];
        put_text(&mut out, "abcdef");
        assert_eq!(out, [b'a' as c_char, b'b' as c_char, b'c' as c_char, 0]);
        put_text(&mut out, "x");
        assert_eq!(out, [b'x' as c_char, 0, 0, 0]);
    }
}
