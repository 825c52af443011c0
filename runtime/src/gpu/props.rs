//! Facts about a GPU.

use ash::vk;

/// Which part of the adapter's memory a heap is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemorySegment {
    /// The adapter's own memory (or all of it, on a GPU that shares the system's).
    Local,
    /// System memory the adapter may use.
    NonLocal,
}

/// A memory heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapInfo {
    /// Where it is; budget and usage come from there.
    pub segment: MemorySegment,
    /// Bytes.
    pub size: u64,
    /// Flags.
    pub flags: vk::MemoryHeapFlags,
}

/// A memory type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryTypeInfo {
    /// Index of its heap.
    pub heap: u32,
    /// Flags.
    pub flags: vk::MemoryPropertyFlags,
    /// Whether memory of the type can be bound to sparse resources: parts of it have further addresses then.
    pub sparse: bool,
}

/// A queue family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFamily {
    /// What its queues can do.
    pub flags: vk::QueueFlags,
    /// Number of queues.
    pub count: u32,
    /// Ordinal of the adapter's node (engine) the queues run on.
    pub node: u32,
    /// Valid bits of timestamps, 0 = none.
    pub timestamp_bits: u32,
}

/// PCI address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciAddress {
    /// Domain.
    pub domain: u32,
    /// Bus.
    pub bus: u32,
    /// Device.
    pub device: u32,
    /// Function.
    pub function: u32,
}

/// Subgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubgroupProps {
    /// Size reported as subgroupSize.
    pub default_size: u32,
    /// Least size, a power of two.
    pub min_size: u32,
    /// Greatest size, a power of two.
    pub max_size: u32,
    /// Most subgroups of a workgroup.
    pub max_per_workgroup: u32,
    /// Operations.
    pub operations: vk::SubgroupFeatureFlags,
    /// Whether quad operations work in compute.
    pub quad_in_all_stages: bool,
    /// Whether a required size can be asked for.
    pub size_control: bool,
}

/// Float controls per width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FloatModes {
    /// Denormals can be kept.
    pub denorm_preserve: bool,
    /// Denormals can be flushed to zero.
    pub denorm_flush: bool,
    /// Rounding to nearest even.
    pub rte: bool,
    /// Rounding towards zero.
    pub rtz: bool,
    /// Signed zeros, infinities and NaNs are kept.
    pub signed_zero_inf_nan: bool,
}

/// Uses of a format, per VkFormatProperties3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormatFeatures {
    /// Linear tiling.
    pub linear: vk::FormatFeatureFlags2,
    /// Optimal tiling.
    pub optimal: vk::FormatFeatureFlags2,
    /// Buffer views.
    pub buffer: vk::FormatFeatureFlags2,
}

/// Switches for what a GPU may or may not have. Names follow the Vulkan feature they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct GpuFeatures {
    pub shader_float16: bool,
    pub shader_float64: bool,
    pub shader_int8: bool,
    pub shader_int16: bool,
    pub shader_int64: bool,
    pub storage_buffer_8bit: bool,
    pub storage_buffer_16bit: bool,
    pub push_constant_8bit: bool,
    pub push_constant_16bit: bool,
    pub buffer_int64_atomics: bool,
    pub shared_int64_atomics: bool,
    pub buffer_float32_atomic_add: bool,
    pub shared_float32_atomic_add: bool,
    pub buffer_float64_atomic_add: bool,
    pub shared_float64_atomic_add: bool,
    pub buffer_float16_atomic_add: bool,
    pub shared_float16_atomic_add: bool,
    pub float_atomic_min_max: bool,
    pub image_int64_atomics: bool,
    pub image_float32_atomics: bool,
    pub image_float32_atomic_add: bool,
    pub variable_pointers: bool,
    pub vulkan_memory_model: bool,
    pub vulkan_memory_model_device_scope: bool,
    pub vulkan_memory_model_chains: bool,
    pub buffer_device_address: bool,
    pub descriptor_indexing: bool,
    pub scalar_block_layout: bool,
    pub workgroup_memory_explicit_layout: bool,
    pub zero_initialize_workgroup_memory: bool,
    pub integer_dot_product: bool,
    pub integer_dot_product_accelerated: bool,
    pub shader_clock: bool,
    pub robust_buffer_access2: bool,
    pub robust_image_access2: bool,
    pub null_descriptor: bool,
    pub sampler_anisotropy: bool,
    pub sampler_filter_minmax: bool,
    pub sampler_mirror_clamp_to_edge: bool,
    pub image_cube_array: bool,
    pub image_gather_extended: bool,
    pub storage_image_extended_formats: bool,
    pub storage_image_read_without_format: bool,
    pub storage_image_write_without_format: bool,
    pub storage_image_multisample: bool,
    pub sparse_binding: bool,
    pub sparse_residency_buffer: bool,
    pub sparse_residency_image_2d: bool,
    pub sparse_residency_image_3d: bool,
    pub sparse_residency_aliased: bool,
    pub resource_residency: bool,
    pub resource_min_lod: bool,
    pub image_2d_view_of_3d: bool,
    pub image_sliced_view_of_3d: bool,
    pub image_load_store_lod: bool,
    pub sampler_filter_cubic: bool,
    pub non_seamless_cube_map: bool,
    pub sampler_ycbcr_conversion: bool,
    pub texture_compression_bc: bool,
    pub texture_compression_etc2: bool,
    pub texture_compression_astc_ldr: bool,
    pub host_memory_import: bool,
    /// Atomics on texels of two and four 16-bit floats; those on memory need nothing of a GPU but 16-bit float atomics.
    pub image_float16_vector_atomics: bool,
    /// [`GpuCmd::MemoryRegions`](super::GpuCmd::MemoryRegions).
    pub memory_regions: bool,
    /// Dispatches can be held back by a condition.
    pub conditional_dispatch: bool,
    /// Invocations of dispatches can be counted.
    pub invocation_count: bool,
}

/// Limits of [`super::GpuCmd::DispatchGenerated`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratedLimits {
    /// Most entries of a table of kernels.
    pub max_kernels: u32,
    /// Most sequences.
    pub max_sequences: u32,
    /// Most tokens of a sequence.
    pub max_tokens: u32,
    /// Most bytes from one sequence to the next; tokens stand before it.
    pub max_stride: u32,
}

/// What a GPU is and can do.
#[derive(Clone, Debug)]
pub struct GpuProps {
    /// deviceName.
    pub name: String,
    /// Whether the GPU's compiler has code that is there at once and better code can follow ([`CompileRequest::first`]).
    ///
    /// [`CompileRequest::first`]: super::CompileRequest::first
    pub at_once: bool,
    /// Whether the GPU picks one of 32 numbers, takes numbers apart and scales them with an instruction each (see
    /// [`compiler::passes::Options::tables`]).
    pub tables: bool,
    /// Whether the GPU has an operation for a·b + c that rounds once and takes no longer than a sum, so that products go into sums where
    /// shaders allow it.
    pub fused_multiply_add: bool,
    /// driverName.
    pub driver_name: String,
    /// driverInfo: versions of what code generation depends on.
    pub driver_info: String,
    /// driverVersion.
    pub driver_version: u32,
    /// driverID.
    pub driver_id: vk::DriverId,
    /// vendorID.
    pub vendor_id: u32,
    /// deviceID.
    pub device_id: u32,
    /// deviceType.
    pub device_type: vk::PhysicalDeviceType,
    /// Stable over processes, driver versions and reboots.
    pub device_uuid: [u8; 16],
    /// Identity of the driver build.
    pub driver_uuid: [u8; 16],
    /// Identity of kernel binaries: changes with the build, the code generator and the machine.
    pub pipeline_cache_uuid: [u8; 16],
    /// PCI address, if there is one.
    pub pci: Option<PciAddress>,
    /// Limits, VkPhysicalDeviceLimits. `max_compute_shared_memory_size`, `timestamp_period` etc. stand here.
    pub limits: vk::PhysicalDeviceLimits,
    /// Largest buffer.
    pub max_buffer_size: u64,
    /// Largest memory object.
    pub max_memory_allocation_size: u64,
    /// Alignment of imported host pointers (16: the page is rounded to inside).
    pub min_imported_host_pointer_alignment: u64,
    /// Alignment of descriptor-set memory and of each binding in it, a power of two.
    pub descriptor_align: u32,
    /// Whether descriptors of buffers (uniform and storage) are 16 bytes, the address and the size as 64-bit words, and zeros for the
    /// null descriptor. They are then written without asking the GPU.
    pub buffer_descriptors_are_words: bool,
    /// In a combined image sampler descriptor: offset of the sampler part.
    pub combined_sampler_offset: u32,
    /// Largest inline uniform block.
    pub max_inline_uniform_block_size: u32,
    /// Most push descriptors of a set.
    pub max_push_descriptors: u32,
    /// Limits of dispatches that memory describes; `None`: the GPU has no such command.
    pub generated: Option<GeneratedLimits>,
    /// Subgroups.
    pub subgroup: SubgroupProps,
    /// Float controls of 16-, 32- and 64-bit floats.
    pub float_controls: [FloatModes; 3],
    /// Cooperative matrices.
    pub matrices: super::CooperativeMatrices,
    /// Feature switches.
    pub features: GpuFeatures,
    /// Heaps.
    pub heaps: Vec<HeapInfo>,
    /// Memory types, best first.
    pub memory_types: Vec<MemoryTypeInfo>,
    /// Queue families.
    pub queue_families: Vec<QueueFamily>,
    /// Whether GPU and CPU see one coherent memory (everything is host-cached and coherent).
    pub unified_memory: bool,
}
