//! Image layouts for the runtime.

use crate::image::{self, Shape, Tile};
use crate::texel::{self, Plane};
use ash::vk;
use runtime::gpu::{ImageCreate, ImageLayout, SparseLayout, SubresourceLayout};
use smallvec::{smallvec, SmallVec};

/// Alignment of images in memory.
const IMAGE_ALIGN: u64 = 256;

/// The tiles of an image: only what can be bound in parts has any. `None` for an image that should have some but cannot:
/// of one dimension, multisampled, linear, or of a format whose texels do not fill tiles.
pub fn tile(create: &ImageCreate) -> Option<Tile> {
    if !create.flags.contains(vk::ImageCreateFlags::SPARSE_RESIDENCY) {
        return Some([0; 3]);
    }
    let format = texel::find(create.format).filter(|f| f.block == [1, 1])?;
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

/// The planes of the images of a format; `None` for a format this GPU does not know.
fn planes_of(format: vk::Format) -> Option<SmallVec<[Plane; 3]>> {
    match texel::planes(format) {
        Some(planes) => Some(planes.into()),
        None => texel::find(format).map(|_| smallvec![Plane { format, shift: [0, 0] }]),
    }
}

fn shape(create: &ImageCreate, plane: &Plane) -> Option<Shape> {
    let format = texel::find(plane.format)?;
    let depth = if create.ty == vk::ImageType::TYPE_3D { create.extent[2] } else { 1 };
    let height = if create.ty == vk::ImageType::TYPE_1D { 1 } else { create.extent[1] };
    Some(Shape {
        bytes: format.bytes,
        block: format.block,
        extent: [(create.extent[0] >> plane.shift[0]).max(1), (height >> plane.shift[1]).max(1), depth.max(1)],
        layers: create.layers.max(1),
        levels: create.levels.clamp(1, 32),
        samples: create.samples.max(1),
        tile: tile(create)?,
    })
}

/// Where the texels of an image stand; `None` for a format this GPU does not know, or a combination it does not have. Both tilings
/// are linear, but for images with sparse residency. Planes follow each other, unless they have memory of their own.
pub fn layout(create: &ImageCreate) -> Option<ImageLayout> {
    let disjoint = create.flags.contains(vk::ImageCreateFlags::DISJOINT);
    let planes = planes_of(create.format)?;
    if planes.len() > 1 && create.flags.contains(vk::ImageCreateFlags::SPARSE_RESIDENCY) {
        return None;
    }
    let mut out = ImageLayout {
        size: 0,
        align: IMAGE_ALIGN,
        sparse: None,
        levels: SmallVec::new(),
        level_count: create.levels.clamp(1, 32),
        plane_sizes: SmallVec::new(),
    };
    for plane in &planes {
        let shape = shape(create, plane)?;
        let start = if disjoint { 0 } else { out.size.next_multiple_of(IMAGE_ALIGN) };
        out.levels.extend((0..shape.levels).map(|l| {
            let level = shape.level(l);
            SubresourceLayout {
                offset: start.saturating_add(level.offset),
                size: level.layer,
                row_pitch: level.row,
                array_pitch: level.layer,
                depth_pitch: level.slice,
                sample_pitch: if shape.samples > 1 { level.sample } else { 0 },
                tiling: tiling(level.tile),
            }
        }));
        out.size = out.size.next_multiple_of(IMAGE_ALIGN).saturating_add(shape.size()).min(1 << 62);
        out.plane_sizes.push(shape.size());
        if shape.tile != [0; 3] {
            let (tail_first_level, tail) = shape.tail();
            let granularity = shape.tile.map(|t| 1 << t);
            out.sparse = Some(SparseLayout { granularity, tail_first_level, tail_offset: tail.start });
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_follow_each_other_or_have_their_own_memory() {
        let create = ImageCreate {
            flags: vk::ImageCreateFlags::empty(),
            ty: vk::ImageType::TYPE_2D,
            format: vk::Format::G8_B8R8_2PLANE_420_UNORM,
            extent: [64, 8, 1],
            levels: 1,
            layers: 2,
            samples: 1,
            tiling: vk::ImageTiling::OPTIMAL,
            usage: vk::ImageUsageFlags::SAMPLED,
        };
        let together = layout(&create).unwrap();
        let second = together.level(vk::ImageAspectFlags::PLANE_1, 0);
        assert_eq!((together.size, second.offset, second.row_pitch, second.size), (1536, 1024, 64, 256));
        let apart = layout(&ImageCreate { flags: vk::ImageCreateFlags::DISJOINT, ..create }).unwrap();
        assert_eq!(apart.level(vk::ImageAspectFlags::PLANE_1, 0).offset, 0);
        assert_eq!(apart.plane_sizes.as_slice(), [1024, 512]);
        let depth = ImageCreate { format: vk::Format::D24_UNORM_S8_UINT, levels: 2, ..create };
        let both = layout(&depth).unwrap();
        assert_eq!(both.level(vk::ImageAspectFlags::STENCIL, 1).row_pitch, 32);
        assert!(both.level(vk::ImageAspectFlags::STENCIL, 0).offset >= both.plane_sizes[0]);
        let sparse = vk::ImageCreateFlags::SPARSE_BINDING | vk::ImageCreateFlags::SPARSE_RESIDENCY;
        assert!(layout(&ImageCreate { flags: sparse, ..depth }).is_none());
    }
}
