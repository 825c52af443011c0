//! Image layouts for the runtime.

use crate::image::{self, Shape, Tile};
use crate::texel;
use ash::vk;
use runtime::gpu::{ImageCreate, ImageLayout, SparseLayout, SubresourceLayout};

/// Alignment of images in memory.
const IMAGE_ALIGN: u64 = 256;

/// The tiles of an image: only what can be bound in parts has any. `None` for an image that should have some but cannot:
/// of one dimension, multisampled, linear, or of a format whose texels do not fill tiles.
pub fn tile(create: &ImageCreate) -> Option<Tile> {
    if !create.flags.contains(vk::ImageCreateFlags::SPARSE_RESIDENCY) {
        return Some([0; 3]);
    }
    let format = texel::find(create.format)?;
    let flat = create.ty == vk::ImageType::TYPE_1D || create.tiling != vk::ImageTiling::OPTIMAL;
    if flat || create.samples > 1 || format.depth && format.stencil {
        return None;
    }
    image::tile(format.bytes, create.ty == vk::ImageType::TYPE_3D)
}

/// A tile as the word in regions of images.
fn tiling(tile: Tile) -> u64 {
    u64::from_le_bytes([tile[0], tile[1], tile[2], 0, 0, 0, 0, 0])
}

/// The tile in a word of [`tiling`].
pub fn tile_of(tiling: u64) -> Tile {
    let [w, h, d, ..] = tiling.to_le_bytes();
    [w, h, d]
}

/// Where the texels of an image stand; `None` for a format this GPU does not know, or a combination it does not have. Both tilings
/// are linear, but for images with sparse residency.
pub fn layout(create: &ImageCreate) -> Option<ImageLayout> {
    let format = texel::find(create.format)?;
    let depth = if create.ty == vk::ImageType::TYPE_3D { create.extent[2] } else { 1 };
    let height = if create.ty == vk::ImageType::TYPE_1D { 1 } else { create.extent[1] };
    let shape = Shape {
        bytes: format.bytes,
        extent: [create.extent[0].max(1), height.max(1), depth.max(1)],
        layers: create.layers.max(1),
        levels: create.levels.clamp(1, 32),
        samples: create.samples.max(1),
        tile: tile(create)?,
    };
    let levels = (0..shape.levels)
        .map(|l| {
            let level = shape.level(l);
            SubresourceLayout {
                offset: level.offset,
                size: level.layer,
                row_pitch: level.row,
                array_pitch: level.layer,
                depth_pitch: level.slice,
                sample_pitch: if shape.samples > 1 { level.sample } else { 0 },
                tiling: tiling(level.tile),
            }
        })
        .collect();
    let sparse = (shape.tile != [0; 3]).then(|| {
        let (tail_first_level, tail) = shape.tail();
        SparseLayout { granularity: shape.tile.map(|t| 1 << t), tail_first_level, tail_offset: tail.start }
    });
    Some(ImageLayout { size: shape.size(), align: IMAGE_ALIGN, sparse, levels, level_count: shape.levels })
}
