//! Images.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::format;
use crate::gpu::{ImageCreate, ImageLayout, TexelRegion};
use crate::lock::lock;
use crate::memory::{Memory, MemoryRequirements};
use crate::sparse::{self, SparseRequirements};
use ash::vk;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use winsys_dxg::VaRange;

/// A VkImage.
#[derive(Debug)]
pub struct Image {
    create: ImageCreate,
    layout: Arc<ImageLayout>,
    requirements: MemoryRequirements,
    /// GPU addresses that the offsets of each plane count from, all the same unless the image is disjoint; 0 until bound.
    addresses: [AtomicU64; 3],
    /// The addresses of a sparse image.
    sparse: Option<VaRange>,
    /// Where the CPU finds an image for host copies; the image does not keep its memory.
    bound: Mutex<Option<(Weak<Memory>, u64)>>,
}

fn is_sparse(create: &ImageCreate) -> bool {
    create.flags.contains(vk::ImageCreateFlags::SPARSE_BINDING)
}

fn host_transfer(create: &ImageCreate) -> bool {
    create.usage.contains(vk::ImageUsageFlags::HOST_TRANSFER_EXT)
}

fn layout_of(device: &Device, create: &ImageCreate) -> Result<ImageLayout> {
    if create.flags.contains(vk::ImageCreateFlags::PROTECTED) {
        return Err(Error::FeatureNotPresent("protected images"));
    }
    if is_sparse(create) && !device.props().features.sparse_binding {
        return Err(Error::FeatureNotPresent("sparse images"));
    }
    device.gpu().image_layout(create).ok_or(Error::FormatNotSupported)
}

fn requirements(device: &Device, create: &ImageCreate, layout: &ImageLayout) -> MemoryRequirements {
    let align = layout.align.max(1).checked_next_power_of_two().unwrap_or(1 << 16);
    let plain = MemoryRequirements {
        size: layout.size.checked_next_multiple_of(align).unwrap_or(u64::MAX),
        align,
        type_bits: if host_transfer(create) { device.visible_memory_types() } else { device.all_memory_types() },
        prefers_dedicated: false,
        requires_dedicated: false,
    };
    if is_sparse(create) {
        sparse::requirements(device, plain)
    } else {
        plain
    }
}

fn plane_requirements(
    layout: &ImageLayout,
    whole: MemoryRequirements,
    aspect: vk::ImageAspectFlags,
) -> MemoryRequirements {
    let size = layout.plane_sizes.get(layout.plane(aspect)).copied().unwrap_or(layout.size);
    MemoryRequirements { size: size.checked_next_multiple_of(whole.align.max(1)).unwrap_or(u64::MAX), ..whole }
}

fn sparse_requirements(
    create: &ImageCreate,
    layout: &ImageLayout,
    needed: &MemoryRequirements,
) -> Option<SparseRequirements> {
    let s = layout.sparse?;
    let tail = s.tail_first_level < create.levels;
    Some(SparseRequirements {
        aspect: format::aspects(create.format),
        granularity: s.granularity,
        tail_first_level: s.tail_first_level,
        tail_offset: if tail { s.tail_offset } else { 0 },
        tail_size: if tail { needed.size.saturating_sub(s.tail_offset) } else { 0 },
    })
}

fn subresource(create: &ImageCreate, layout: &ImageLayout, sub: &vk::ImageSubresource) -> vk::SubresourceLayout {
    let level = layout.level(sub.aspect_mask, sub.mip_level);
    let layer = if create.ty == vk::ImageType::TYPE_3D { 0 } else { sub.array_layer };
    vk::SubresourceLayout {
        offset: level.offset.wrapping_add(level.array_pitch.wrapping_mul(u64::from(layer))),
        size: level.size,
        row_pitch: level.row_pitch,
        array_pitch: level.array_pitch,
        depth_pitch: level.depth_pitch,
    }
}

impl Image {
    /// Makes an image without memory. A sparse one begins at `address`, if it is given: where it was when it was captured.
    ///
    /// # Errors
    /// [`Error::FormatNotSupported`], [`Error::FeatureNotPresent`], [`Error::OutOfDeviceMemory`];
    /// [`Error::InvalidOpaqueCaptureAddress`] if the address is taken.
    pub fn new(device: &Arc<Device>, create: &ImageCreate, address: Option<u64>) -> Result<Arc<Image>> {
        let layout = layout_of(device, create)?;
        let props = device.props();
        let most =
            if is_sparse(create) { props.limits.sparse_address_space_size } else { props.max_memory_allocation_size };
        if layout.size > most {
            return Err(Error::OutOfDeviceMemory);
        }
        let requirements = requirements(device, create, &layout);
        let sparse = match is_sparse(create) {
            true => Some(sparse::reserve(device, requirements.size, address)?),
            false => None,
        };
        let base = sparse.as_ref().map_or(0, VaRange::base);
        let addresses = [0; 3].map(|_| AtomicU64::new(base));
        let bound = Mutex::new(None);
        Ok(Arc::new(Image { create: *create, layout: Arc::new(layout), requirements, addresses, sparse, bound }))
    }

    /// What memory such an image needs.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn requirements_of(device: &Device, create: &ImageCreate) -> Result<MemoryRequirements> {
        Ok(requirements(device, create, &layout_of(device, create)?))
    }

    /// Where a subresource of such an image stands.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn layout_of(
        device: &Device,
        create: &ImageCreate,
        sub: &vk::ImageSubresource,
    ) -> Result<vk::SubresourceLayout> {
        Ok(subresource(create, &layout_of(device, create)?, sub))
    }

    /// What memory it needs.
    pub fn requirements(&self) -> MemoryRequirements {
        self.requirements
    }

    /// Binds memory.
    ///
    /// # Errors
    /// None on valid use.
    pub fn bind(&self, memory: &Arc<Memory>, offset: u64) -> Result<()> {
        if host_transfer(&self.create) {
            *lock(&self.bound) = Some((Arc::downgrade(memory), offset));
        }
        for address in &self.addresses {
            address.store(memory.address().wrapping_add(offset), Ordering::Release);
        }
        Ok(())
    }

    /// The memory of an image for host copies, and where in it the image begins.
    ///
    /// # Errors
    /// [`Error::MemoryMapFailed`] if it has none.
    pub(crate) fn host_memory(&self) -> Result<(Arc<Memory>, u64)> {
        let bound = lock(&self.bound);
        bound
            .as_ref()
            .and_then(|(memory, offset)| Some((memory.upgrade()?, *offset)))
            .ok_or_else(|| Error::MemoryMapFailed("the image has no memory for host copies".to_owned()))
    }

    /// The addresses of a sparse image.
    pub(crate) fn sparse(&self) -> Option<&VaRange> {
        self.sparse.as_ref()
    }

    /// GPU address; 0 until bound.
    pub fn address(&self) -> u64 {
        self.addresses[0].load(Ordering::Acquire)
    }

    /// GPU addresses that the offsets of each plane count from; 0 until bound.
    pub fn addresses(&self) -> [u64; 3] {
        [0, 1, 2].map(|i| self.addresses[i].load(Ordering::Acquire))
    }

    /// What memory a plane of a disjoint image needs.
    pub fn plane_requirements(&self, aspect: vk::ImageAspectFlags) -> MemoryRequirements {
        plane_requirements(&self.layout, self.requirements, aspect)
    }

    /// What memory a plane of such a disjoint image needs.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn plane_requirements_of(
        device: &Device,
        create: &ImageCreate,
        aspect: vk::ImageAspectFlags,
    ) -> Result<MemoryRequirements> {
        let layout = layout_of(device, create)?;
        Ok(plane_requirements(&layout, requirements(device, create, &layout), aspect))
    }

    /// Binds memory to a plane of a disjoint image.
    ///
    /// # Errors
    /// None on valid use.
    pub fn bind_plane(&self, aspect: vk::ImageAspectFlags, memory: &Memory, offset: u64) -> Result<()> {
        let address = memory.address().wrapping_add(offset);
        self.addresses[self.layout.plane(aspect)].store(address, Ordering::Release);
        Ok(())
    }

    /// How it was made.
    pub fn create(&self) -> &ImageCreate {
        &self.create
    }

    /// Its layout.
    pub fn layout(&self) -> &Arc<ImageLayout> {
        &self.layout
    }

    /// What is bound in parts; `None` for images without sparse residency.
    pub fn sparse_requirements(&self) -> Option<SparseRequirements> {
        sparse_requirements(&self.create, &self.layout, &self.requirements)
    }

    /// What is bound in parts of such an image.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn sparse_requirements_of(device: &Device, create: &ImageCreate) -> Result<Option<SparseRequirements>> {
        let layout = layout_of(device, create)?;
        Ok(sparse_requirements(create, &layout, &requirements(device, create, &layout)))
    }

    /// Where a subresource stands.
    pub fn subresource_layout(&self, sub: &vk::ImageSubresource) -> vk::SubresourceLayout {
        subresource(&self.create, &self.layout, sub)
    }

    /// Number of layers, or depth slices of a level of a 3D image.
    pub(crate) fn slices(&self, level: u32) -> u32 {
        if self.is_3d() {
            self.create.level_extent(level)[2]
        } else {
            self.create.layers
        }
    }

    pub(crate) fn is_3d(&self) -> bool {
        self.create.ty == vk::ImageType::TYPE_3D
    }

    /// A box that begins at `offset` (of a 3D image) or at `layer` (of others). `None` if the format has no such aspect.
    pub(crate) fn region(
        &self,
        aspect: vk::ImageAspectFlags,
        level: u32,
        layer: u32,
        offset: vk::Offset3D,
    ) -> Option<TexelRegion> {
        let block = format::block(self.create.format, aspect)?;
        let place = self.layout.level(aspect, level);
        let at = |v: i32| u32::try_from(v).unwrap_or(0);
        Some(TexelRegion {
            address: self.addresses()[self.layout.plane(aspect)].wrapping_add(place.offset),
            row_pitch: place.row_pitch,
            slice_pitch: if self.is_3d() { place.depth_pitch } else { place.array_pitch },
            sample_pitch: place.sample_pitch,
            samples: self.create.samples.max(1),
            format: self.create.format,
            aspect,
            tiling: place.tiling,
            level,
            block: [block.width, block.height, block.bytes],
            offset: [at(offset.x), at(offset.y)],
            first_slice: if self.is_3d() { at(offset.z) } else { layer },
        })
    }
}
