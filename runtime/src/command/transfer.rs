//! Buffer transfers.

use crate::buffer::Buffer;
use crate::command::stream::Record;
use crate::command::CommandBuffer;
use crate::error::Error;
use ash::vk;

impl CommandBuffer {
    /// vkCmdCopyMemoryKHR: source, destination and size of each region.
    pub fn copy_memory(&self, regions: impl IntoIterator<Item = (u64, u64, u64)>) {
        self.record(|inner| {
            for (src, dst, size) in regions.into_iter().filter(|r| r.2 > 0) {
                inner.stream.push(Record::CopyBuffer { src, dst, size })?;
            }
            Ok(())
        });
    }

    /// vkCmdCopyBuffer.
    pub fn copy_buffer(&self, src: &Buffer, dst: &Buffer, regions: &[vk::BufferCopy]) {
        let region = |r: &vk::BufferCopy| {
            (src.address().wrapping_add(r.src_offset), dst.address().wrapping_add(r.dst_offset), r.size)
        };
        self.copy_memory(regions.iter().map(region));
    }

    /// vkCmdDecompressMemoryIndirectCountEXT and vkCmdCopyMemoryIndirectKHR: descriptions of regions as in
    /// [`GpuCmd::MemoryRegions`](crate::gpu::GpuCmd::MemoryRegions).
    pub fn memory_regions(&self, table: u64, stride: u32, max: u32, count: u64, compressed: bool) {
        if max > 0 {
            self.record(|inner| inner.stream.push(Record::MemoryRegions { table, stride, max, count, compressed }));
        }
    }

    /// vkCmdDecompressMemoryEXT: source, destination, compressed size and size of each stream.
    pub fn decompress(&self, streams: impl IntoIterator<Item = [u64; 4]>) {
        let bytes: Vec<u8> = streams.into_iter().flatten().flat_map(u64::to_ne_bytes).collect();
        let Ok(max) = u32::try_from(bytes.len() / 32) else { return self.refuse(Error::OutOfHostMemory) };
        if max > 0 {
            self.record(|inner| {
                let table = inner.memory.upload(self.pool(), &bytes, 8)?;
                inner.stream.push(Record::MemoryRegions { table, stride: 32, max, count: 0, compressed: true })
            });
        }
    }

    /// vkCmdFillMemoryKHR; the size is rounded down to words.
    pub fn fill_memory(&self, dst: u64, size: u64, value: u32) {
        let size = size & !3;
        if size > 0 {
            self.record(|inner| inner.stream.push(Record::FillBuffer { dst, size, value }));
        }
    }

    /// vkCmdFillBuffer; VK_WHOLE_SIZE fills to the end.
    pub fn fill_buffer(&self, buffer: &Buffer, offset: u64, size: u64, value: u32) {
        let (dst, size) = buffer.range(offset, size);
        self.fill_memory(dst, size, value);
    }

    /// vkCmdUpdateMemoryKHR.
    pub fn update_memory(&self, dst: u64, bytes: &[u8]) {
        self.record(|inner| {
            if bytes.is_empty() {
                return Ok(());
            }
            let data = inner.stream.place_bytes(bytes)?;
            inner.stream.push(Record::UpdateBuffer { dst, data })
        });
    }

    /// vkCmdUpdateBuffer.
    pub fn update_buffer(&self, buffer: &Buffer, offset: u64, bytes: &[u8]) {
        self.update_memory(buffer.address().wrapping_add(offset), bytes);
    }
}
