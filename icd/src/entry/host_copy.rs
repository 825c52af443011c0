//! Copies between images and the application's memory (VK_EXT_host_image_copy).

use super::VkResult;
use crate::edge::{bytes_mut, plain, In, Slice};
use crate::objects::Device;
use ash::vk;
use runtime::HostRegion;

pub fn copy_memory_to_image_ext(device: &Device, info: In<'_, vk::CopyMemoryToImageInfoEXT<'_>>) -> VkResult {
    let image = info.dst_image();
    for r in info.regions().iter() {
        let region = HostRegion {
            row_length: r.memory_row_length,
            image_height: r.memory_image_height,
            subresource: r.image_subresource,
            offset: r.image_offset,
            extent: r.image_extent,
            raw: info.flags.contains(vk::HostImageCopyFlagsEXT::MEMCPY),
        };
        let bytes = device.ok(image.host_bytes(&region))?;
        // SAFETY: by valid usage the pointer is valid for the bytes that the region takes.
        let data = unsafe { plain(r.p_host_pointer.cast::<u8>(), bytes) };
        device.ok(image.copy_from_host(data, &region))?;
    }
    Ok(())
}

pub fn copy_image_to_memory_ext(device: &Device, info: In<'_, vk::CopyImageToMemoryInfoEXT<'_>>) -> VkResult {
    let image = info.src_image();
    for r in info.regions().iter() {
        let region = HostRegion {
            row_length: r.memory_row_length,
            image_height: r.memory_image_height,
            subresource: r.image_subresource,
            offset: r.image_offset,
            extent: r.image_extent,
            raw: info.flags.contains(vk::HostImageCopyFlagsEXT::MEMCPY),
        };
        let bytes = device.ok(image.host_bytes(&region))?;
        // SAFETY: by valid usage the pointer is valid for the bytes that the region takes, and nobody else uses them.
        let out = unsafe { bytes_mut(r.p_host_pointer, bytes) };
        device.ok(image.copy_to_host(out, &region))?;
    }
    Ok(())
}

pub fn copy_image_to_image_ext(device: &Device, info: In<'_, vk::CopyImageToImageInfoEXT<'_>>) -> VkResult {
    for r in info.regions().iter() {
        let region = vk::ImageCopy {
            src_subresource: r.src_subresource,
            src_offset: r.src_offset,
            dst_subresource: r.dst_subresource,
            dst_offset: r.dst_offset,
            extent: r.extent,
        };
        device.ok(info.src_image().copy_on_host(info.dst_image(), &region))?;
    }
    Ok(())
}

/// A layout says nothing about where texels stand.
pub fn transition_image_layout_ext(
    _device: &Device,
    _transitions: Slice<'_, vk::HostImageLayoutTransitionInfoEXT<'_>>,
) -> VkResult {
    Ok(())
}
