//! Image layouts for the runtime.

use crate::image::Shape;
use crate::texel;
use ash::vk;
use runtime::gpu::{ImageCreate, ImageLayout, SubresourceLayout};

/// Alignment of images in memory.
const IMAGE_ALIGN: u64 = 256;

/// Where the texels of an image stand; `None` for a format this GPU does not know. Both tilings are linear.
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
            }
        })
        .collect();
    Some(ImageLayout { size: shape.size(), align: IMAGE_ALIGN, tiling: 0, levels, level_count: shape.levels })
}
