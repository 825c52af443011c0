//! Facts of the software GPU.

use super::Options;
use crate::engine::ADAPTER_NAME;
use crate::image::COMBINED_SAMPLER_OFFSET;
use crate::image::MAX_LOD_BIAS;
use crate::kernel_abi::{Width, ABI_VERSION};
use ash::vk;
use runtime::gpu::{
    FloatModes, GeneratedLimits, GpuFeatures, GpuProps, HeapInfo, MemorySegment, MemoryTypeInfo, QueueFamily,
    SubgroupProps,
};

/// Workgroup memory in bytes.
const SHARED_BYTES: u32 = 65536;

/// Invocations of a workgroup.
const MAX_INVOCATIONS: u32 = 1024;

/// Descriptors of one type that a pipeline may reach.
const MAX_DESCRIPTORS: u32 = 1 << 20;

/// Largest image in one and two dimensions, and layers.
const IMAGE_2D: u32 = 16384;

/// Queues of the compute family.
const COMPUTE_QUEUES: u32 = 8;

fn uuid(domain: &str, parts: &[&str]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in [domain].iter().chain(parts) {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    let mut out = [0; 16];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    out
}

fn driver_info(width: Option<Width>, jam: Option<u32>) -> String {
    let code = match width {
        Some(w) => format!("{} lanes", w.lanes()),
        None => "interpreter".to_owned(),
    };
    let jam = jam.map_or(String::new(), |n| format!(", jam {n}"));
    let llvm = if cfg!(feature = "llvm") { "LLVM 19, " } else { "" };
    format!("vulkan-dxg {} ({llvm}{code}{jam})", env!("CARGO_PKG_VERSION"))
}

fn subgroup(width: Option<Width>) -> SubgroupProps {
    use vk::SubgroupFeatureFlags as S;
    let default_size = width.map_or(8, Width::lanes);
    let min_size = default_size.min(4);
    SubgroupProps {
        default_size,
        min_size,
        max_size: 32,
        max_per_workgroup: MAX_INVOCATIONS / min_size,
        operations: S::BASIC
            | S::VOTE
            | S::ARITHMETIC
            | S::BALLOT
            | S::SHUFFLE
            | S::SHUFFLE_RELATIVE
            | S::CLUSTERED
            | S::QUAD
            | S::ROTATE_KHR
            | S::ROTATE_CLUSTERED_KHR
            | S::PARTITIONED_NV,
        quad_in_all_stages: false,
        size_control: true,
    }
}

fn features() -> GpuFeatures {
    GpuFeatures {
        shader_float16: true,
        shader_float64: true,
        shader_int8: true,
        shader_int16: true,
        shader_int64: true,
        storage_buffer_8bit: true,
        storage_buffer_16bit: true,
        push_constant_8bit: true,
        push_constant_16bit: true,
        buffer_int64_atomics: true,
        shared_int64_atomics: true,
        buffer_float32_atomic_add: true,
        shared_float32_atomic_add: true,
        buffer_float64_atomic_add: true,
        shared_float64_atomic_add: true,
        buffer_float16_atomic_add: true,
        shared_float16_atomic_add: true,
        float_atomic_min_max: true,
        image_int64_atomics: true,
        image_float32_atomics: true,
        image_float32_atomic_add: true,
        variable_pointers: true,
        vulkan_memory_model: true,
        vulkan_memory_model_device_scope: true,
        vulkan_memory_model_chains: true,
        buffer_device_address: true,
        descriptor_indexing: true,
        scalar_block_layout: true,
        workgroup_memory_explicit_layout: true,
        zero_initialize_workgroup_memory: true,
        integer_dot_product: true,
        integer_dot_product_accelerated: false,
        shader_clock: true,
        robust_buffer_access2: true,
        robust_image_access2: true,
        null_descriptor: true,
        sampler_anisotropy: true,
        sampler_filter_minmax: true,
        sampler_mirror_clamp_to_edge: true,
        image_cube_array: true,
        image_gather_extended: true,
        storage_image_extended_formats: true,
        storage_image_read_without_format: true,
        storage_image_write_without_format: true,
        storage_image_multisample: true,
        sparse_binding: true,
        sparse_residency_buffer: true,
        sparse_residency_image_2d: true,
        sparse_residency_image_3d: true,
        sparse_residency_aliased: true,
        resource_residency: true,
        resource_min_lod: true,
        image_2d_view_of_3d: true,
        image_sliced_view_of_3d: true,
        image_load_store_lod: true,
        sampler_filter_cubic: true,
        non_seamless_cube_map: true,
        sampler_ycbcr_conversion: true,
        texture_compression_bc: true,
        texture_compression_etc2: true,
        texture_compression_astc_ldr: true,
        host_memory_import: true,
        image_float16_vector_atomics: true,
        memory_regions: true,
        conditional_dispatch: true,
        invocation_count: true,
    }
}

/// Compute limits as the hardware has them; limits of graphics stages at the values the specification demands of every
/// device, since tools and tests read them whether there is graphics or not.
fn limits() -> vk::PhysicalDeviceLimits {
    // 1 to 64.
    let samples = vk::SampleCountFlags::from_raw(0x7f);
    vk::PhysicalDeviceLimits {
        max_image_dimension1_d: IMAGE_2D,
        max_image_dimension2_d: IMAGE_2D,
        max_image_dimension3_d: 2048,
        max_image_dimension_cube: IMAGE_2D,
        max_image_array_layers: 2048,
        max_texel_buffer_elements: 1 << 27,
        max_uniform_buffer_range: 65536,
        max_storage_buffer_range: u32::MAX,
        max_push_constants_size: 256,
        max_memory_allocation_count: u32::MAX,
        max_sampler_allocation_count: MAX_DESCRIPTORS,
        buffer_image_granularity: 1,
        // A quarter of what the device reserves.
        sparse_address_space_size: 1 << 40,
        max_bound_descriptor_sets: 32,
        max_per_stage_descriptor_samplers: MAX_DESCRIPTORS,
        max_per_stage_descriptor_uniform_buffers: MAX_DESCRIPTORS,
        max_per_stage_descriptor_storage_buffers: MAX_DESCRIPTORS,
        max_per_stage_descriptor_sampled_images: MAX_DESCRIPTORS,
        max_per_stage_descriptor_storage_images: MAX_DESCRIPTORS,
        max_per_stage_descriptor_input_attachments: MAX_DESCRIPTORS,
        max_per_stage_resources: MAX_DESCRIPTORS,
        max_descriptor_set_samplers: MAX_DESCRIPTORS,
        max_descriptor_set_uniform_buffers: MAX_DESCRIPTORS,
        max_descriptor_set_uniform_buffers_dynamic: 256,
        max_descriptor_set_storage_buffers: MAX_DESCRIPTORS,
        max_descriptor_set_storage_buffers_dynamic: 256,
        max_descriptor_set_sampled_images: MAX_DESCRIPTORS,
        max_descriptor_set_storage_images: MAX_DESCRIPTORS,
        max_descriptor_set_input_attachments: MAX_DESCRIPTORS,
        max_vertex_input_attributes: 16,
        max_vertex_input_bindings: 16,
        max_vertex_input_attribute_offset: 2047,
        max_vertex_input_binding_stride: 2048,
        max_vertex_output_components: 64,
        max_fragment_input_components: 64,
        max_fragment_output_attachments: 4,
        max_fragment_combined_output_resources: MAX_DESCRIPTORS,
        max_compute_shared_memory_size: SHARED_BYTES,
        max_compute_work_group_count: [i32::MAX as u32, 65535, 65535],
        max_compute_work_group_invocations: MAX_INVOCATIONS,
        max_compute_work_group_size: [MAX_INVOCATIONS; 3],
        sub_pixel_precision_bits: 4,
        sub_texel_precision_bits: 8,
        mipmap_precision_bits: 8,
        max_draw_indexed_index_value: u32::MAX,
        max_draw_indirect_count: 1,
        max_sampler_lod_bias: MAX_LOD_BIAS,
        max_sampler_anisotropy: 16.0,
        max_viewports: 1,
        max_viewport_dimensions: [IMAGE_2D; 2],
        viewport_bounds_range: [-32768.0, 32767.0],
        viewport_sub_pixel_bits: 0,
        min_memory_map_alignment: 4096,
        min_texel_buffer_offset_alignment: 16,
        min_uniform_buffer_offset_alignment: 16,
        min_storage_buffer_offset_alignment: 16,
        min_texel_offset: -32,
        max_texel_offset: 31,
        min_texel_gather_offset: -32,
        max_texel_gather_offset: 31,
        min_interpolation_offset: -0.5,
        max_interpolation_offset: 0.5,
        sub_pixel_interpolation_offset_bits: 4,
        max_framebuffer_width: IMAGE_2D,
        max_framebuffer_height: IMAGE_2D,
        max_framebuffer_layers: 2048,
        framebuffer_color_sample_counts: samples,
        framebuffer_depth_sample_counts: samples,
        framebuffer_stencil_sample_counts: samples,
        framebuffer_no_attachments_sample_counts: samples,
        max_color_attachments: 8,
        sampled_image_color_sample_counts: samples,
        sampled_image_integer_sample_counts: samples,
        sampled_image_depth_sample_counts: samples,
        sampled_image_stencil_sample_counts: samples,
        storage_image_sample_counts: samples,
        max_sample_mask_words: 1,
        timestamp_compute_and_graphics: vk::TRUE,
        timestamp_period: 1.0,
        max_clip_distances: 8,
        max_cull_distances: 8,
        max_combined_clip_and_cull_distances: 8,
        discrete_queue_priorities: 2,
        point_size_range: [1.0, 255.875],
        line_width_range: [1.0, 1.0],
        point_size_granularity: 0.125,
        line_width_granularity: 0.0,
        strict_lines: vk::FALSE,
        standard_sample_locations: vk::TRUE,
        optimal_buffer_copy_offset_alignment: 64,
        optimal_buffer_copy_row_pitch_alignment: 64,
        non_coherent_atom_size: 64,
        // Limits of tessellation and geometry stages, of dual-source blending and of fragment interpolation that this
        // device has no features for are 0.
        ..vk::PhysicalDeviceLimits::default()
    }
}

/// The facts, for generated code of this width (`None`: interpreter).
pub fn props(width: Option<Width>, options: &Options) -> GpuProps {
    let build = format!("{:x?}", options.build);
    use vk::MemoryPropertyFlags as M;
    let memory = crate::engine::system_memory();
    let heap = memory / 4 * 3;
    let info = driver_info(width, options.jam);
    let abi = ABI_VERSION.to_string();
    let everywhere = M::DEVICE_LOCAL | M::HOST_VISIBLE | M::HOST_COHERENT;
    let subgroup = subgroup(width);
    let family = |flags, count, node| QueueFamily { flags, count, node, timestamp_bits: 64 };
    let floats =
        FloatModes { denorm_preserve: true, denorm_flush: true, rte: true, rtz: true, signed_zero_inf_nan: true };
    // Rounding towards zero is done in the next wider type.
    let doubles = FloatModes { rtz: false, ..floats };
    GpuProps {
        name: ADAPTER_NAME.to_owned(),
        // A jam that is asked for is one of the better code.
        at_once: width == Some(Width::W16) && options.jam.is_none(),
        tables: width == Some(Width::W16),
        fused_multiply_add: width != Some(Width::W4),
        driver_name: "vulkan-dxg".to_owned(),
        driver_info: info.clone(),
        driver_version: vk::make_api_version(0, 0, 1, 0),
        driver_id: vk::DriverId::from_raw(0),
        vendor_id: crate::VENDOR_ID,
        device_id: crate::DEVICE_ID,
        device_type: options.device_type.unwrap_or(vk::PhysicalDeviceType::CPU),
        device_uuid: uuid("vulkan-dxg device", &["software"]),
        driver_uuid: uuid("vulkan-dxg driver", &[env!("CARGO_PKG_VERSION"), &build]),
        pipeline_cache_uuid: uuid("vulkan-dxg cache", &[&info, &abi, &build]),
        pci: None,
        limits: limits(),
        max_buffer_size: heap,
        max_memory_allocation_size: heap,
        min_imported_host_pointer_alignment: 16,
        descriptor_align: 64,
        buffer_descriptors_are_words: true,
        combined_sampler_offset: COMBINED_SAMPLER_OFFSET,
        max_inline_uniform_block_size: 4096,
        max_push_descriptors: 32,
        generated: Some(GeneratedLimits {
            max_kernels: 1 << 16,
            max_sequences: crate::packet::MAX_SEQUENCES,
            max_tokens: crate::packet::MAX_TOKENS as u32,
            max_stride: 1 << 16,
        }),
        subgroup,
        float_controls: [floats, floats, doubles],
        matrices: super::matrices::matrices(subgroup.default_size),
        features: features(),
        heaps: vec![
            HeapInfo { segment: MemorySegment::Local, size: heap, flags: vk::MemoryHeapFlags::DEVICE_LOCAL },
            HeapInfo { segment: MemorySegment::NonLocal, size: heap / 3, flags: vk::MemoryHeapFlags::empty() },
        ],
        memory_types: vec![
            MemoryTypeInfo { heap: 0, flags: M::DEVICE_LOCAL, sparse: false },
            MemoryTypeInfo { heap: 0, flags: everywhere, sparse: false },
            MemoryTypeInfo { heap: 1, flags: M::HOST_VISIBLE | M::HOST_COHERENT | M::HOST_CACHED, sparse: false },
            MemoryTypeInfo { heap: 0, flags: everywhere | M::HOST_CACHED, sparse: false },
            // What can have further addresses cannot have huge pages, so that it is a type of its own.
            MemoryTypeInfo { heap: 0, flags: everywhere | M::HOST_CACHED, sparse: true },
        ],
        queue_families: vec![
            family(
                vk::QueueFlags::COMPUTE | vk::QueueFlags::TRANSFER | vk::QueueFlags::SPARSE_BINDING,
                COMPUTE_QUEUES,
                0,
            ),
            family(vk::QueueFlags::TRANSFER | vk::QueueFlags::SPARSE_BINDING, 1, 1),
        ],
        unified_memory: true,
    }
}
