//! Physical devices: what an adapter and its GPU can do, in Vulkan's terms.

use crate::error::{Error, Result};
use crate::format;
use crate::gpu::{FormatFeatures, Gpu, GpuProps, ImageCreate, MemorySegment, QueueFamily};
use ash::vk;
use std::sync::{Arc, OnceLock};
use winsys_dxg::dxg_abi::MemorySegmentGroup;
use winsys_dxg::{Adapter, DeviceDesc, Fence, FenceDesc};

/// Budget and usage per heap, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBudget {
    /// What this process may use.
    pub budget: [u64; vk::MAX_MEMORY_HEAPS],
    /// What this process uses.
    pub usage: [u64; vk::MAX_MEMORY_HEAPS],
}

/// VkPhysicalDeviceImageFormatInfo2 without what comes from other structures.
#[derive(Clone, Copy, Debug)]
pub struct ImageFormatQuery {
    /// Format.
    pub format: vk::Format,
    /// 1D, 2D or 3D.
    pub ty: vk::ImageType,
    /// Tiling.
    pub tiling: vk::ImageTiling,
    /// Usage.
    pub usage: vk::ImageUsageFlags,
    /// Flags.
    pub flags: vk::ImageCreateFlags,
}

/// What can be done with a kind of external handle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExternalHandle {
    /// Can be imported.
    pub importable: bool,
    /// Can be exported.
    pub exportable: bool,
}

/// A VkPhysicalDevice.
#[derive(Debug)]
pub struct PhysicalDevice {
    adapter: Adapter,
    gpu: Arc<dyn Gpu>,
    /// Whether the kernel makes sync files; asked when somebody wants to know.
    sync_files: OnceLock<bool>,
}

/// Feature bits a usage needs.
fn needed(usage: vk::ImageUsageFlags) -> vk::FormatFeatureFlags2 {
    use vk::FormatFeatureFlags2 as F;
    use vk::ImageUsageFlags as U;
    let table = [
        (U::TRANSFER_SRC, F::TRANSFER_SRC),
        (U::TRANSFER_DST, F::TRANSFER_DST),
        (U::SAMPLED, F::SAMPLED_IMAGE),
        (U::STORAGE, F::STORAGE_IMAGE),
        (U::HOST_TRANSFER_EXT, F::HOST_IMAGE_TRANSFER_EXT),
        (U::COLOR_ATTACHMENT, F::COLOR_ATTACHMENT),
        (U::DEPTH_STENCIL_ATTACHMENT, F::DEPTH_STENCIL_ATTACHMENT),
    ];
    table.iter().filter(|t| usage.contains(t.0)).fold(F::empty(), |bits, t| bits | t.1)
}

impl PhysicalDevice {
    /// A physical device.
    pub fn new(adapter: Adapter, gpu: Arc<dyn Gpu>) -> Arc<PhysicalDevice> {
        Arc::new(PhysicalDevice { adapter, gpu, sync_files: OnceLock::new() })
    }

    /// The GPU.
    pub fn gpu(&self) -> &Arc<dyn Gpu> {
        &self.gpu
    }

    /// Facts about the GPU.
    pub fn props(&self) -> &GpuProps {
        self.gpu.props()
    }

    /// The adapter.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// Heaps and memory types.
    pub fn memory_properties(&self) -> vk::PhysicalDeviceMemoryProperties {
        let props = self.props();
        let mut out = vk::PhysicalDeviceMemoryProperties::default();
        for (place, heap) in out.memory_heaps.iter_mut().zip(&props.heaps) {
            *place = vk::MemoryHeap { size: heap.size, flags: heap.flags };
            out.memory_heap_count += 1;
        }
        for (place, ty) in out.memory_types.iter_mut().zip(&props.memory_types) {
            *place = vk::MemoryType { property_flags: ty.flags, heap_index: ty.heap };
            out.memory_type_count += 1;
        }
        out
    }

    /// What this process may use and uses of each heap. A host that does not tell is taken to leave the heap to us.
    pub fn memory_budget(&self) -> MemoryBudget {
        let mut out = MemoryBudget { budget: [0; vk::MAX_MEMORY_HEAPS], usage: [0; vk::MAX_MEMORY_HEAPS] };
        for (i, heap) in self.props().heaps.iter().take(vk::MAX_MEMORY_HEAPS).enumerate() {
            let group = match heap.segment {
                MemorySegment::Local => MemorySegmentGroup::LOCAL,
                MemorySegment::NonLocal => MemorySegmentGroup::NON_LOCAL,
            };
            let (budget, usage) = match self.adapter.video_memory(group) {
                Ok(info) if info.budget > 0 => (info.budget.min(heap.size), info.usage),
                Ok(info) => (heap.size, info.usage),
                Err(_) => (heap.size, 0),
            };
            // The specification wants a budget of at least 1 and no more than the heap.
            out.budget[i] = budget.max(1);
            out.usage[i] = usage;
        }
        out
    }

    /// Queue families.
    pub fn queue_families(&self) -> &[QueueFamily] {
        &self.props().queue_families
    }

    /// What a format can be used for.
    pub fn format_features(&self, format: vk::Format) -> FormatFeatures {
        self.gpu.format_features(format)
    }

    /// Limits of images of a kind.
    ///
    /// # Errors
    /// [`Error::FormatNotSupported`].
    pub fn image_format_properties(&self, query: &ImageFormatQuery) -> Result<vk::ImageFormatProperties> {
        use vk::ImageCreateFlags as C;
        // The CPU would have to follow what is bound.
        let sparse_on_host =
            query.flags.contains(C::SPARSE_BINDING) && query.usage.contains(vk::ImageUsageFlags::HOST_TRANSFER_EXT);
        if query.flags.contains(C::PROTECTED) || sparse_on_host || !self.has_sparse(query.ty, query.flags) {
            return Err(Error::FormatNotSupported);
        }
        let features = self.gpu.format_features(query.format);
        let linear = query.tiling == vk::ImageTiling::LINEAR;
        let features = if linear { features.linear } else { features.optimal };
        // With EXTENDED_USAGE a usage need only be supported by some format of a view.
        let usage = if query.flags.contains(C::EXTENDED_USAGE) { vk::ImageUsageFlags::empty() } else { query.usage };
        use vk::FormatFeatureFlags2 as F;
        let attachment = features.intersects(F::COLOR_ATTACHMENT | F::DEPTH_STENCIL_ATTACHMENT);
        let input = usage.contains(vk::ImageUsageFlags::INPUT_ATTACHMENT) && !attachment;
        if features.is_empty() || !features.contains(needed(usage)) || input {
            return Err(Error::FormatNotSupported);
        }
        // Formats of luma and chroma make plain images only.
        let chroma = features.intersects(F::MIDPOINT_CHROMA_SAMPLES | F::COSITED_CHROMA_SAMPLES);
        let plain = query.ty == vk::ImageType::TYPE_2D && !query.flags.contains(C::CUBE_COMPATIBLE);
        if chroma && !plain || query.flags.contains(C::DISJOINT) && !features.contains(F::DISJOINT) {
            return Err(Error::FormatNotSupported);
        }
        let block = format::block(query.format, format::aspects(query.format) & !vk::ImageAspectFlags::STENCIL);
        let compressed = block.is_some_and(|b| b.width > 1);
        let limits = &self.props().limits;
        let two_d = query.ty == vk::ImageType::TYPE_2D;
        let cube = query.flags.contains(C::CUBE_COMPATIBLE);
        if cube && !two_d || compressed && query.ty == vk::ImageType::TYPE_1D {
            return Err(Error::FormatNotSupported);
        }
        let (extent, layers) = match query.ty {
            vk::ImageType::TYPE_1D => ([limits.max_image_dimension1_d, 1, 1], limits.max_image_array_layers),
            vk::ImageType::TYPE_2D => {
                let d = if cube { limits.max_image_dimension_cube } else { limits.max_image_dimension2_d };
                ([d, d, 1], limits.max_image_array_layers)
            }
            vk::ImageType::TYPE_3D => ([limits.max_image_dimension3_d; 3], 1),
            _ => return Err(Error::FormatNotSupported),
        };
        let longest = extent.iter().copied().max().unwrap_or(1).max(1);
        let levels = if chroma { 1 } else { 32 - longest.leading_zeros() };
        let resident = query.flags.contains(C::SPARSE_RESIDENCY);
        // What cannot be an attachment has one sample per texel ("Supported Sample Counts").
        let single = !two_d || chroma || resident || linear || compressed || cube || !attachment;
        let sample_counts = if single { vk::SampleCountFlags::TYPE_1 } else { self.samples(query) };
        // What the GPU refuses to lay out does not exist.
        let probe = ImageCreate {
            flags: query.flags,
            ty: query.ty,
            format: query.format,
            extent: [1; 3],
            levels: 1,
            layers: if query.flags.contains(C::CUBE_COMPATIBLE) { 6 } else { 1 },
            samples: 1,
            tiling: query.tiling,
            usage: query.usage,
        };
        if self.gpu.image_layout(&probe).is_none() {
            return Err(Error::FormatNotSupported);
        }
        Ok(vk::ImageFormatProperties {
            max_extent: vk::Extent3D { width: extent[0], height: extent[1], depth: extent[2] },
            max_mip_levels: levels,
            max_array_layers: layers,
            sample_counts,
            max_resource_size: self.props().max_memory_allocation_size,
        })
    }

    /// Whether images of a type can have these sparse flags.
    fn has_sparse(&self, ty: vk::ImageType, flags: vk::ImageCreateFlags) -> bool {
        use vk::ImageCreateFlags as C;
        let f = &self.props().features;
        let resident = match ty {
            vk::ImageType::TYPE_2D => f.sparse_residency_image_2d,
            vk::ImageType::TYPE_3D => f.sparse_residency_image_3d,
            _ => false,
        };
        (f.sparse_binding || !flags.contains(C::SPARSE_BINDING))
            && (resident || !flags.contains(C::SPARSE_RESIDENCY))
            && (f.sparse_residency_aliased || !flags.contains(C::SPARSE_ALIASED))
    }

    /// What is bound at a time of images of a kind with sparse residency: the aspects, and width, height and depth in texels.
    /// `None` if there are no such images.
    pub fn sparse_block(
        &self,
        query: &ImageFormatQuery,
        samples: vk::SampleCountFlags,
    ) -> Option<(vk::ImageAspectFlags, [u32; 3])> {
        let flags = query.flags | vk::ImageCreateFlags::SPARSE_BINDING | vk::ImageCreateFlags::SPARSE_RESIDENCY;
        let properties = self.image_format_properties(&ImageFormatQuery { flags, ..*query }).ok()?;
        let probe = ImageCreate {
            flags,
            ty: query.ty,
            format: query.format,
            extent: [1; 3],
            levels: 1,
            layers: 1,
            samples: 1,
            tiling: query.tiling,
            usage: query.usage,
        };
        let layout = self.gpu.image_layout(&probe).filter(|_| properties.sample_counts.contains(samples))?;
        Some((format::aspects(query.format), layout.sparse?.granularity))
    }

    /// Whether views of this type of such images can be read with cubic filters; without a type, whether any can.
    pub fn has_cubic_filter(&self, query: &ImageFormatQuery, view: Option<vk::ImageViewType>) -> bool {
        let features = self.gpu.format_features(query.format);
        let features = if query.tiling == vk::ImageTiling::LINEAR { features.linear } else { features.optimal };
        let flat = view.is_none_or(|v| {
            matches!(
                v,
                vk::ImageViewType::TYPE_1D
                    | vk::ImageViewType::TYPE_1D_ARRAY
                    | vk::ImageViewType::TYPE_2D
                    | vk::ImageViewType::TYPE_2D_ARRAY
            )
        });
        flat && features.contains(vk::FormatFeatureFlags2::SAMPLED_IMAGE_FILTER_CUBIC_EXT)
    }

    fn samples(&self, query: &ImageFormatQuery) -> vk::SampleCountFlags {
        use vk::ImageUsageFlags as U;
        let limits = &self.props().limits;
        let aspects = format::aspects(query.format);
        let depth = aspects.contains(vk::ImageAspectFlags::DEPTH);
        let stencil = aspects.contains(vk::ImageAspectFlags::STENCIL);
        let mut counts = vk::SampleCountFlags::from_raw(0x7f);
        if query.usage.contains(U::STORAGE) {
            counts &= limits.storage_image_sample_counts;
        }
        if query.usage.contains(U::SAMPLED) {
            counts &= if depth {
                limits.sampled_image_depth_sample_counts
            } else if stencil {
                limits.sampled_image_stencil_sample_counts
            } else {
                limits.sampled_image_color_sample_counts & limits.sampled_image_integer_sample_counts
            };
        }
        if query.usage.contains(U::COLOR_ATTACHMENT) {
            counts &= limits.framebuffer_color_sample_counts;
        }
        if query.usage.contains(U::DEPTH_STENCIL_ATTACHMENT) {
            counts &= limits.framebuffer_depth_sample_counts;
        }
        counts | vk::SampleCountFlags::TYPE_1
    }

    /// Memory handles: opaque descriptors both ways, and memory of the application in.
    pub fn external_memory(&self, ty: vk::ExternalMemoryHandleTypeFlags) -> ExternalHandle {
        ExternalHandle {
            importable: ty == vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT
                && self.props().features.host_memory_import
                || ty == vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD,
            exportable: ty == vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD,
        }
    }

    /// Whether fences can leave as Linux sync files: older kernels, and the device model, have none. There is no query for it, so
    /// one is made.
    fn sync_files(&self) -> bool {
        *self.sync_files.get_or_init(|| {
            let desc = FenceDesc { initial: 1, shared: true, engine_affinity: 0 };
            let device = winsys_dxg::Device::create(&self.adapter, &DeviceDesc::default());
            let fence = device.and_then(|d| Fence::create(&d, &desc));
            fence.and_then(|f| f.export_sync_file(1)).is_ok()
        })
    }

    /// Semaphore handles: all travel as opaque descriptors, binary ones also as sync files.
    pub fn external_semaphore(&self, ty: vk::ExternalSemaphoreHandleTypeFlags, timeline: bool) -> ExternalHandle {
        let ok = match ty {
            vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD => true,
            vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD => !timeline && self.sync_files(),
            _ => false,
        };
        ExternalHandle { importable: ok, exportable: ok }
    }

    /// Fence handles: opaque descriptors and sync files.
    pub fn external_fence(&self, ty: vk::ExternalFenceHandleTypeFlags) -> ExternalHandle {
        let ok = match ty {
            vk::ExternalFenceHandleTypeFlags::OPAQUE_FD => true,
            vk::ExternalFenceHandleTypeFlags::SYNC_FD => self.sync_files(),
            _ => false,
        };
        ExternalHandle { importable: ok, exportable: ok }
    }
}
