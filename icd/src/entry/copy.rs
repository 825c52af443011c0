//! Recording: copies, fills, clears.

use crate::edge::{In, Slice};
use crate::generated::types;
use crate::objects::CommandBuffer;
use ash::vk;
use runtime::{Buffer, Image, MemoryImageCopy};
use smallvec::SmallVec;
use std::sync::Arc;

type Regions<T> = SmallVec<[T; 4]>;

pub fn cmd_copy_buffer(cb: &CommandBuffer, src: &Arc<Buffer>, dst: &Arc<Buffer>, regions: &[vk::BufferCopy]) {
    cb.rt.copy_buffer(src, dst, regions);
}

pub fn cmd_copy_buffer2(cb: &CommandBuffer, info: In<'_, vk::CopyBufferInfo2<'_>>) {
    let regions: Regions<_> = info
        .regions()
        .iter()
        .map(|r| vk::BufferCopy { src_offset: r.src_offset, dst_offset: r.dst_offset, size: r.size })
        .collect();
    cb.rt.copy_buffer(info.src_buffer(), info.dst_buffer(), &regions);
}

pub fn cmd_copy_image(
    cb: &CommandBuffer,
    src: &Arc<Image>,
    _src_layout: vk::ImageLayout,
    dst: &Arc<Image>,
    _dst_layout: vk::ImageLayout,
    regions: &[vk::ImageCopy],
) {
    cb.rt.copy_image(src, dst, regions);
}

pub fn cmd_copy_image2(cb: &CommandBuffer, info: In<'_, vk::CopyImageInfo2<'_>>) {
    let regions: Regions<_> = info
        .regions()
        .iter()
        .map(|r| vk::ImageCopy {
            src_subresource: r.src_subresource,
            src_offset: r.src_offset,
            dst_subresource: r.dst_subresource,
            dst_offset: r.dst_offset,
            extent: r.extent,
        })
        .collect();
    cb.rt.copy_image(info.src_image(), info.dst_image(), &regions);
}

fn buffer_image_regions(regions: Slice<'_, vk::BufferImageCopy2<'_>>) -> Regions<vk::BufferImageCopy> {
    regions
        .iter()
        .map(|r| vk::BufferImageCopy {
            buffer_offset: r.buffer_offset,
            buffer_row_length: r.buffer_row_length,
            buffer_image_height: r.buffer_image_height,
            image_subresource: r.image_subresource,
            image_offset: r.image_offset,
            image_extent: r.image_extent,
        })
        .collect()
}

pub fn cmd_copy_buffer_to_image(
    cb: &CommandBuffer,
    src: &Arc<Buffer>,
    dst: &Arc<Image>,
    _layout: vk::ImageLayout,
    regions: &[vk::BufferImageCopy],
) {
    cb.rt.copy_buffer_to_image(src, dst, regions);
}

pub fn cmd_copy_buffer_to_image2(cb: &CommandBuffer, info: In<'_, vk::CopyBufferToImageInfo2<'_>>) {
    let regions = buffer_image_regions(info.regions());
    cb.rt.copy_buffer_to_image(info.src_buffer(), info.dst_image(), &regions);
}

pub fn cmd_copy_image_to_buffer(
    cb: &CommandBuffer,
    src: &Arc<Image>,
    _layout: vk::ImageLayout,
    dst: &Arc<Buffer>,
    regions: &[vk::BufferImageCopy],
) {
    cb.rt.copy_image_to_buffer(src, dst, regions);
}

pub fn cmd_copy_image_to_buffer2(cb: &CommandBuffer, info: In<'_, vk::CopyImageToBufferInfo2<'_>>) {
    let regions = buffer_image_regions(info.regions());
    cb.rt.copy_image_to_buffer(info.src_image(), info.dst_buffer(), &regions);
}

fn memory_image_regions<'a>(
    info: In<'a, types::CopyDeviceMemoryImageInfoKHR<'a>>,
) -> impl Iterator<Item = MemoryImageCopy> + 'a {
    info.regions().iter().map(|r| MemoryImageCopy {
        address: r.address_range.address,
        row_length: r.address_row_length,
        image_height: r.address_image_height,
        subresource: r.image_subresource,
        offset: r.image_offset,
        extent: r.image_extent,
    })
}

pub fn cmd_copy_memory_khr(cb: &CommandBuffer, info: Option<In<'_, types::CopyDeviceMemoryInfoKHR<'_>>>) {
    let regions = info.into_iter().flat_map(|i| i.regions().iter());
    cb.rt.copy_memory(
        regions.map(|r| (r.src_range.address, r.dst_range.address, r.src_range.size.min(r.dst_range.size))),
    );
}

pub fn cmd_copy_memory_to_image_khr(cb: &CommandBuffer, info: Option<In<'_, types::CopyDeviceMemoryImageInfoKHR<'_>>>) {
    if let Some(info) = info {
        cb.rt.copy_memory_to_image(info.image(), memory_image_regions(info));
    }
}

pub fn cmd_copy_image_to_memory_khr(cb: &CommandBuffer, info: Option<In<'_, types::CopyDeviceMemoryImageInfoKHR<'_>>>) {
    if let Some(info) = info {
        cb.rt.copy_image_to_memory(info.image(), memory_image_regions(info));
    }
}

pub fn cmd_update_memory_khr(
    cb: &CommandBuffer,
    dst: In<'_, types::DeviceAddressRangeKHR>,
    _flags: types::AddressCommandFlagsKHR,
    data: &[u8],
) {
    cb.rt.update_memory(dst.address, data);
}

pub fn cmd_fill_memory_khr(
    cb: &CommandBuffer,
    dst: In<'_, types::DeviceAddressRangeKHR>,
    _flags: types::AddressCommandFlagsKHR,
    data: u32,
) {
    cb.rt.fill_memory(dst.address, dst.size, data);
}

pub fn cmd_update_buffer(cb: &CommandBuffer, dst: &Arc<Buffer>, offset: u64, data: &[u8]) {
    cb.rt.update_buffer(dst, offset, data);
}

pub fn cmd_fill_buffer(cb: &CommandBuffer, dst: &Arc<Buffer>, offset: u64, size: u64, data: u32) {
    cb.rt.fill_buffer(dst, offset, size, data);
}

pub fn cmd_clear_color_image(
    cb: &CommandBuffer,
    image: &Arc<Image>,
    _layout: vk::ImageLayout,
    color: In<'_, vk::ClearColorValue>,
    ranges: &[vk::ImageSubresourceRange],
) {
    // SAFETY: all members of the union are four words without invalid values.
    let words = unsafe { color.uint32 };
    cb.rt.clear_color_image(image, words, ranges);
}

pub fn cmd_blit_image(
    cb: &CommandBuffer,
    src: &Arc<Image>,
    _src_layout: vk::ImageLayout,
    dst: &Arc<Image>,
    _dst_layout: vk::ImageLayout,
    regions: &[vk::ImageBlit],
    filter: vk::Filter,
) {
    cb.rt.blit_image(src, dst, regions, filter);
}

pub fn cmd_blit_image2(cb: &CommandBuffer, info: In<'_, vk::BlitImageInfo2<'_>>) {
    let regions: Regions<_> = info
        .regions()
        .iter()
        .map(|r| vk::ImageBlit {
            src_subresource: r.src_subresource,
            src_offsets: r.src_offsets,
            dst_subresource: r.dst_subresource,
            dst_offsets: r.dst_offsets,
        })
        .collect();
    cb.rt.blit_image(info.src_image(), info.dst_image(), &regions, info.filter);
}
