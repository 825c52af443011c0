//! Images in memory.

use ash::vk;
use smallvec::SmallVec;

/// What the layout of an image depends on: VkImageCreateInfo without the pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageCreate {
    /// Flags.
    pub flags: vk::ImageCreateFlags,
    /// 1D, 2D or 3D.
    pub ty: vk::ImageType,
    /// Format.
    pub format: vk::Format,
    /// Size of level 0 in texels.
    pub extent: [u32; 3],
    /// Levels.
    pub levels: u32,
    /// Layers.
    pub layers: u32,
    /// Samples of a texel.
    pub samples: u32,
    /// Tiling.
    pub tiling: vk::ImageTiling,
    /// Usage.
    pub usage: vk::ImageUsageFlags,
}

impl ImageCreate {
    /// Width, height and depth of a level, each ≥ 1.
    pub fn level_extent(&self, level: u32) -> [u32; 3] {
        self.extent.map(|e| e.checked_shr(level).unwrap_or(0).max(1))
    }
}

/// Where one level of one aspect stands; pitches count bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubresourceLayout {
    /// First byte of layer 0 from the start of the image.
    pub offset: u64,
    /// Bytes of one layer.
    pub size: u64,
    /// From one row of blocks to the next.
    pub row_pitch: u64,
    /// From one layer to the next.
    pub array_pitch: u64,
    /// From one depth slice to the next.
    pub depth_pitch: u64,
    /// From one sample to the next; 0 for single-sampled images.
    pub sample_pitch: u64,
    /// The GPU's own word about the arrangement of texels, which then decides what the pitches mean; 0 = linear.
    pub tiling: u64,
}

/// How an image is bound in parts ([`vk::ImageCreateFlags::SPARSE_RESIDENCY`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparseLayout {
    /// Width, height and depth in texels of what is bound at a time. It stands in 64 KiB in one piece; those of a layer of a level
    /// follow each other, x first, then y, then z.
    pub granularity: [u32; 3],
    /// The first level that is bound as a whole, with those after it and for all layers; the number of levels if there is none.
    pub tail_first_level: u32,
    /// Where those levels are, in bytes from the start of the image, up to its end.
    pub tail_offset: u64,
}

/// Where the texels of an image stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageLayout {
    /// Bytes of the image.
    pub size: u64,
    /// Alignment of the image, a power of two.
    pub align: u64,
    /// For images with sparse residency.
    pub sparse: Option<SparseLayout>,
    /// Levels of the first plane in order, then those of the second and third: stencil, or planes of colour. Offsets count from
    /// the start of the image, or of the plane's own memory if the image is disjoint.
    pub levels: SmallVec<[SubresourceLayout; 4]>,
    /// Number of levels of one plane.
    pub level_count: u32,
    /// Bytes of each plane.
    pub plane_sizes: SmallVec<[u64; 3]>,
}

impl ImageLayout {
    /// The plane an aspect is in. Formats of one plane have all aspects in it.
    pub fn plane(&self, aspect: vk::ImageAspectFlags) -> usize {
        use vk::ImageAspectFlags as A;
        let plane = match aspect {
            A::STENCIL | A::PLANE_1 | A::MEMORY_PLANE_1_EXT => 1,
            A::PLANE_2 | A::MEMORY_PLANE_2_EXT => 2,
            _ => 0,
        };
        if plane * (self.level_count as usize) < self.levels.len() {
            plane
        } else {
            0
        }
    }

    /// The level of an aspect; levels out of range give an empty layout.
    pub fn level(&self, aspect: vk::ImageAspectFlags, level: u32) -> SubresourceLayout {
        if level >= self.level_count {
            return SubresourceLayout::default();
        }
        let index = self.plane(aspect) * self.level_count as usize + level as usize;
        self.levels.get(index).copied().unwrap_or_default()
    }
}
