//! Image transfers.

use crate::buffer::Buffer;
use crate::command::stream::{ImageRecord, Record};
use crate::command::CommandBuffer;
use crate::error::{Error, Result};
use crate::gpu::{BlitRegion, TexelRegion};
use crate::image::Image;
use ash::vk;

/// The bits of an aspect mask one by one.
fn each_aspect(mask: vk::ImageAspectFlags) -> impl Iterator<Item = vk::ImageAspectFlags> {
    (0..32).map(|i| vk::ImageAspectFlags::from_raw(1 << i)).filter(move |bit| mask.contains(*bit))
}

fn region(
    image: &Image,
    aspect: vk::ImageAspectFlags,
    sub: &vk::ImageSubresourceLayers,
    offset: vk::Offset3D,
) -> Result<TexelRegion> {
    image.region(aspect, sub.mip_level, sub.base_array_layer, offset).ok_or(Error::FormatNotSupported)
}

/// Slices a copy touches on the side of one image.
fn slices(image: &Image, sub: &vk::ImageSubresourceLayers, extent: &vk::Extent3D) -> u32 {
    if image.is_3d() {
        extent.depth
    } else if sub.layer_count == vk::REMAINING_ARRAY_LAYERS {
        image.create().layers.saturating_sub(sub.base_array_layer)
    } else {
        sub.layer_count
    }
}

/// The box of a blit in one image. The layers of an image are a box as well: copied one to one, since both have as many.
fn blit_region(
    image: &Image,
    aspect: vk::ImageAspectFlags,
    sub: &vk::ImageSubresourceLayers,
    offsets: &[vk::Offset3D; 2],
) -> Result<BlitRegion> {
    let level = image.region(aspect, sub.mip_level, 0, vk::Offset3D::default()).ok_or(Error::FormatNotSupported)?;
    let [width, height, _] = image.create().level_extent(sub.mip_level);
    let [mut from, mut to] = offsets.map(|o| [o.x, o.y, o.z]);
    if !image.is_3d() {
        let first = i32::try_from(sub.base_array_layer).unwrap_or(i32::MAX);
        let count = slices(image, sub, &vk::Extent3D::default());
        from[2] = first;
        to[2] = first.saturating_add(i32::try_from(count).unwrap_or(i32::MAX));
    }
    Ok(BlitRegion { image: level, extent: [width, height, image.slices(sub.mip_level)], from, to })
}

/// A copy between memory and an image (VkDeviceMemoryImageCopyKHR).
#[derive(Clone, Copy, Debug)]
pub struct MemoryImageCopy {
    /// The first texel in memory.
    pub address: u64,
    /// Texels from row to row in memory, 0: the width of the extent.
    pub row_length: u32,
    /// Rows from slice to slice in memory, 0: the height of the extent.
    pub image_height: u32,
    /// Part of the image.
    pub subresource: vk::ImageSubresourceLayers,
    /// First texel in the image.
    pub offset: vk::Offset3D,
    /// Size in texels.
    pub extent: vk::Extent3D,
}

impl MemoryImageCopy {
    /// Of a region in a buffer.
    fn in_buffer(buffer: &Buffer, r: &vk::BufferImageCopy) -> Self {
        MemoryImageCopy {
            address: buffer.address().wrapping_add(r.buffer_offset),
            row_length: r.buffer_row_length,
            image_height: r.buffer_image_height,
            subresource: r.image_subresource,
            offset: r.image_offset,
            extent: r.image_extent,
        }
    }

    /// Row pitch and slice pitch in memory.
    fn pitches(&self, block: [u32; 3]) -> (u64, u64) {
        let [width, height, bytes] = block.map(|b| u64::from(b.max(1)));
        let or = |given: u32, extent: u32| u64::from(if given == 0 { extent } else { given });
        let row_pitch = or(self.row_length, self.extent.width).div_ceil(width) * bytes;
        let rows = or(self.image_height, self.extent.height).div_ceil(height);
        (row_pitch, row_pitch.wrapping_mul(rows))
    }

    /// Where it is in the image, and how large, with slices.
    fn place(&self, image: &Image) -> Result<(TexelRegion, [u32; 3])> {
        let sub = &self.subresource;
        let place = region(image, sub.aspect_mask, sub, self.offset)?;
        Ok((place, [self.extent.width, self.extent.height, slices(image, sub, &self.extent)]))
    }
}

impl CommandBuffer {
    fn image(&self, f: impl FnOnce(&mut dyn FnMut(ImageRecord) -> Result<()>) -> Result<()>) {
        self.record(|inner| {
            f(&mut |record| {
                let extent = match &record {
                    ImageRecord::FromBuffer { extent, .. }
                    | ImageRecord::ToBuffer { extent, .. }
                    | ImageRecord::Copy { extent, .. }
                    | ImageRecord::Clear { extent, .. } => extent,
                    ImageRecord::Blit { dst, .. } => &dst.extent,
                };
                if extent.contains(&0) {
                    return Ok(());
                }
                inner.stream.push(Record::Image(Box::new(record)))
            })
        });
    }

    /// vkCmdCopyMemoryToImageKHR.
    pub fn copy_memory_to_image(&self, image: &Image, regions: impl IntoIterator<Item = MemoryImageCopy>) {
        self.image(|push| {
            for r in regions {
                let (place, extent) = r.place(image)?;
                let (row_pitch, slice_pitch) = r.pitches(place.block);
                push(ImageRecord::FromBuffer { buffer: r.address, row_pitch, slice_pitch, image: place, extent })?;
            }
            Ok(())
        });
    }

    /// vkCmdCopyBufferToImage.
    pub fn copy_buffer_to_image(&self, buffer: &Buffer, image: &Image, regions: &[vk::BufferImageCopy]) {
        self.copy_memory_to_image(image, regions.iter().map(|r| MemoryImageCopy::in_buffer(buffer, r)));
    }

    /// vkCmdCopyImageToMemoryKHR.
    pub fn copy_image_to_memory(&self, image: &Image, regions: impl IntoIterator<Item = MemoryImageCopy>) {
        self.image(|push| {
            for r in regions {
                let (place, extent) = r.place(image)?;
                let (row_pitch, slice_pitch) = r.pitches(place.block);
                push(ImageRecord::ToBuffer { buffer: r.address, row_pitch, slice_pitch, image: place, extent })?;
            }
            Ok(())
        });
    }

    /// vkCmdCopyImageToBuffer.
    pub fn copy_image_to_buffer(&self, image: &Image, buffer: &Buffer, regions: &[vk::BufferImageCopy]) {
        self.copy_image_to_memory(image, regions.iter().map(|r| MemoryImageCopy::in_buffer(buffer, r)));
    }

    /// vkCmdCopyImage; slices of 3D images and layers of others may be copied to each other.
    pub fn copy_image(&self, src: &Image, dst: &Image, regions: &[vk::ImageCopy]) {
        self.image(|push| {
            for r in regions {
                for aspect in each_aspect(r.src_subresource.aspect_mask) {
                    let from = region(src, aspect, &r.src_subresource, r.src_offset)?;
                    // Depth goes to depth and stencil to stencil; everything else is the one aspect of a format.
                    let to_aspect = if r.dst_subresource.aspect_mask.contains(aspect) {
                        aspect
                    } else {
                        r.dst_subresource.aspect_mask
                    };
                    let to = region(dst, to_aspect, &r.dst_subresource, r.dst_offset)?;
                    let count = if src.is_3d() || !dst.is_3d() {
                        slices(src, &r.src_subresource, &r.extent)
                    } else {
                        slices(dst, &r.dst_subresource, &r.extent)
                    };
                    let extent = [r.extent.width, r.extent.height, count];
                    push(ImageRecord::Copy { src: from, dst: to, extent })?;
                }
            }
            Ok(())
        });
    }

    /// vkCmdBlitImage. No queue of a device without graphics has to do this; a GPU that can scale may all the same.
    pub fn blit_image(&self, src: &Image, dst: &Image, regions: &[vk::ImageBlit], filter: vk::Filter) {
        self.image(|push| {
            for r in regions {
                for aspect in each_aspect(r.src_subresource.aspect_mask & r.dst_subresource.aspect_mask) {
                    let src = blit_region(src, aspect, &r.src_subresource, &r.src_offsets)?;
                    let dst = blit_region(dst, aspect, &r.dst_subresource, &r.dst_offsets)?;
                    push(ImageRecord::Blit { src, dst, filter })?;
                }
            }
            Ok(())
        });
    }

    /// vkCmdClearColorImage; `color` holds the bits of VkClearColorValue.
    pub fn clear_color_image(&self, image: &Image, color: [u32; 4], ranges: &[vk::ImageSubresourceRange]) {
        self.image(|push| {
            for r in ranges {
                let create = image.create();
                let levels = match r.level_count {
                    vk::REMAINING_MIP_LEVELS => create.levels.saturating_sub(r.base_mip_level),
                    n => n.min(create.levels),
                };
                for level in r.base_mip_level..r.base_mip_level.saturating_add(levels) {
                    let [width, height, _] = create.level_extent(level);
                    let (layer, count) = if image.is_3d() {
                        (0, image.slices(level))
                    } else {
                        let rest = create.layers.saturating_sub(r.base_array_layer);
                        (r.base_array_layer, r.layer_count.min(rest))
                    };
                    for aspect in each_aspect(r.aspect_mask) {
                        let place = image
                            .region(aspect, level, layer, vk::Offset3D::default())
                            .ok_or(Error::FormatNotSupported)?;
                        push(ImageRecord::Clear { image: place, extent: [width, height, count], color })?;
                    }
                }
            }
            Ok(())
        });
    }
}
