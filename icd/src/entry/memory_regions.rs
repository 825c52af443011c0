//! Recording: memory that is copied or decompressed as memory says (VK_KHR_copy_memory_indirect, VK_EXT_memory_decompression).

use crate::edge::In;
use crate::generated::types;
use crate::objects::CommandBuffer;
use ash::vk;
use runtime::Error;

/// Bytes from one description to the next, as the packets have it.
fn stride(cb: &CommandBuffer, stride: u64) -> Option<u32> {
    let out = u32::try_from(stride).ok();
    if out.is_none() {
        cb.rt.refuse(Error::Unknown(format!("a stride of {stride} bytes")));
    }
    out
}

pub fn cmd_copy_memory_indirect_khr(cb: &CommandBuffer, info: In<'_, types::CopyMemoryIndirectInfoKHR<'_>>) {
    let table = &info.copy_address_range;
    if let Some(stride) = stride(cb, table.stride) {
        cb.rt.memory_regions(table.address, stride, info.copy_count, 0, false);
    }
}

/// The feature for it is not there.
pub fn cmd_copy_memory_to_image_indirect_khr(
    cb: &CommandBuffer,
    _info: In<'_, types::CopyMemoryToImageIndirectInfoKHR<'_>>,
) {
    cb.rt.refuse(Error::Unknown("indirectMemoryToImageCopy is not supported".to_owned()));
}

pub fn cmd_decompress_memory_ext(cb: &CommandBuffer, info: In<'_, types::DecompressMemoryInfoEXT<'_>>) {
    let streams = info.regions().iter();
    cb.rt.decompress(streams.map(|r| [r.src_address, r.dst_address, r.compressed_size, r.decompressed_size]));
}

pub fn cmd_decompress_memory_indirect_count_ext(
    cb: &CommandBuffer,
    _method: vk::MemoryDecompressionMethodFlagsNV,
    table: vk::DeviceAddress,
    count: vk::DeviceAddress,
    max: u32,
    stride: u32,
) {
    cb.rt.memory_regions(table, stride, max, count, true);
}
