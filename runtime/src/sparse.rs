//! Sparse resources: buffers and images whose addresses are reserved when they are made and shown memory later, part by part
//! (Vulkan specification, "Sparse Resources").

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::memory::{Memory, MemoryRequirements};
use ash::vk;
use winsys_dxg::dxg_abi::GpuVaReservationType;
use winsys_dxg::{VaPlacement, VaRange, VaUpdate};

/// Bytes of a sparse block, which is also the alignment of binds: what the device reserves addresses in.
pub const SPARSE_BLOCK: u64 = 64 << 10;

/// Whole pages are what mappings are made of.
const PAGE: u64 = 4096;

/// The requirements of a sparse resource that would need these if it were not one.
pub(crate) fn requirements(device: &Device, plain: MemoryRequirements) -> MemoryRequirements {
    MemoryRequirements {
        type_bits: plain.type_bits & device.sparse_memory_types(),
        size: plain.size.checked_next_multiple_of(SPARSE_BLOCK).unwrap_or(u64::MAX),
        align: plain.align.max(SPARSE_BLOCK),
        ..plain
    }
}

/// Addresses for a resource. What is not bound reads as zeros at first; it is not the same as strict residency, since what is
/// written there may be read again.
/// They begin at `address`, if it is given: where a captured resource was.
pub(crate) fn reserve(device: &Device, size: u64, address: Option<u64>) -> Result<VaRange> {
    let place = address.map_or(VaPlacement::Any, VaPlacement::Fixed);
    VaRange::reserve(device.winsys(), size.max(1), place, GpuVaReservationType::ZERO).map_err(|e| match address {
        Some(_) => Error::InvalidOpaqueCaptureAddress,
        None => Error::from(e),
    })
}

/// Part of memory that is to be seen in a resource.
#[derive(Clone, Copy, Debug)]
pub struct SparseMemory<'a> {
    /// The memory.
    pub memory: &'a Memory,
    /// From where, bytes.
    pub offset: u64,
}

/// Whose addresses.
#[derive(Clone, Copy, Debug)]
pub enum SparseResource<'a> {
    /// A buffer's.
    Buffer(&'a Buffer),
    /// An image's.
    Image(&'a Image),
}

impl<'a> SparseResource<'a> {
    fn range(self) -> Result<&'a VaRange> {
        let range = match self {
            SparseResource::Buffer(b) => b.sparse(),
            SparseResource::Image(i) => i.sparse(),
        };
        range.ok_or_else(|| Error::Unknown("the resource is not a sparse one".to_owned()))
    }
}

/// VkSparseMemoryBind.
#[derive(Clone, Copy, Debug)]
pub struct SparseBind<'a> {
    /// Of which resource.
    pub resource: SparseResource<'a>,
    /// From where in it, bytes.
    pub offset: u64,
    /// How much, bytes.
    pub size: u64,
    /// What to show there; nothing is unbound.
    pub memory: Option<SparseMemory<'a>>,
}

impl<'a> SparseBind<'a> {
    /// Appends the changes that make up the bind.
    ///
    /// # Errors
    /// [`Error::Unknown`] for binds outside of the resource or the memory, or of memory that does not begin on a page.
    pub(crate) fn updates(&self, out: &mut Vec<VaUpdate<'a>>) -> Result<()> {
        let range = self.resource.range()?;
        // The last bytes of a resource may be bound by themselves.
        let size = self.size.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
        match self.memory {
            Some(m) => {
                m.memory.pin();
                out.extend(VaUpdate::map_memory(range, self.offset, m.memory.winsys(), m.offset, size)?);
            }
            None => out.push(VaUpdate::Unmap { range, offset: self.offset, size }),
        }
        Ok(())
    }
}

/// What the sparse resource functions say about an image with sparse residency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparseRequirements {
    /// The aspects bound together.
    pub aspect: vk::ImageAspectFlags,
    /// Width, height and depth of what is bound at a time, texels.
    pub granularity: [u32; 3],
    /// First level of the mip tail, which all layers share; the number of levels if there is none.
    pub tail_first_level: u32,
    /// Where the tail is, bytes.
    pub tail_offset: u64,
    /// Bytes of the tail.
    pub tail_size: u64,
}

/// VkSparseImageMemoryBind.
#[derive(Clone, Copy, Debug)]
pub struct SparseImageBind<'a> {
    /// Of which image.
    pub image: &'a Image,
    /// Of which level and layer.
    pub subresource: vk::ImageSubresource,
    /// From where in it, texels.
    pub offset: vk::Offset3D,
    /// How much, texels.
    pub extent: vk::Extent3D,
    /// What to show there, a block of memory for each block of the image, x first; nothing is unbound.
    pub memory: Option<SparseMemory<'a>>,
}

impl<'a> SparseImageBind<'a> {
    /// Blocks of one dimension: where they begin and end, and how many the level has.
    fn blocks(offset: i32, extent: u32, granularity: u32, level: u32) -> Option<(u64, u64, u64)> {
        let from = u32::try_from(offset).ok()?;
        let to = from.checked_add(extent)?;
        // The last block may reach over the edge.
        let inside = from.is_multiple_of(granularity) && (to <= level || to.is_multiple_of(granularity));
        let (to, all) = (to.div_ceil(granularity), level.div_ceil(granularity));
        (inside && to <= all && extent > 0).then(|| (u64::from(from / granularity), u64::from(to), u64::from(all)))
    }

    /// Appends the changes that make up the bind.
    ///
    /// # Errors
    /// [`Error::Unknown`] for binds outside of the image or the memory, of parts of blocks, or of levels in the mip tail.
    pub(crate) fn updates(&self, out: &mut Vec<VaUpdate<'a>>) -> Result<()> {
        let wrong = || Error::Unknown("no such blocks of a sparse image".to_owned());
        let range = SparseResource::Image(self.image).range()?;
        let layout = self.image.layout();
        let create = self.image.create();
        let sub = &self.subresource;
        let sparse = layout.sparse.filter(|s| sub.mip_level < s.tail_first_level).ok_or_else(wrong)?;
        if sub.array_layer >= create.layers {
            return Err(wrong());
        }
        let level = layout.level(sub.aspect_mask, sub.mip_level);
        let size = create.level_extent(sub.mip_level);
        let (o, e, g) = (self.offset, self.extent, sparse.granularity);
        let (x0, x1, across) = Self::blocks(o.x, e.width, g[0], size[0]).ok_or_else(wrong)?;
        let (y0, y1, down) = Self::blocks(o.y, e.height, g[1], size[1]).ok_or_else(wrong)?;
        let (z0, z1, _) = Self::blocks(o.z, e.depth, g[2], size[2]).ok_or_else(wrong)?;
        let base = level.offset + u64::from(sub.array_layer) * level.array_pitch;
        // Runs of blocks that follow each other in the image, as they do in the memory: offset and number.
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for z in z0..z1 {
            for y in y0..y1 {
                let first = (z * down + y) * across + x0;
                match runs.last_mut() {
                    Some((from, n)) if *from + *n == first => *n += x1 - x0,
                    _ => runs.push((first, x1 - x0)),
                }
            }
        }
        let mut done = 0;
        for (first, n) in runs {
            let (offset, size) = (base + first * SPARSE_BLOCK, n * SPARSE_BLOCK);
            match self.memory {
                Some(m) => {
                    m.memory.pin();
                    let from = m.offset.checked_add(done).ok_or_else(wrong)?;
                    out.extend(VaUpdate::map_memory(range, offset, m.memory.winsys(), from, size)?);
                }
                None => out.push(VaUpdate::Unmap { range, offset, size }),
            }
            done += size;
        }
        Ok(())
    }
}
