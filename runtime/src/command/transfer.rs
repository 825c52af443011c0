//! Buffer transfers.

use crate::buffer::Buffer;
use crate::command::stream::Record;
use crate::command::CommandBuffer;
use ash::vk;

impl CommandBuffer {
    /// vkCmdCopyBuffer.
    pub fn copy_buffer(&self, src: &Buffer, dst: &Buffer, regions: &[vk::BufferCopy]) {
        self.record(|inner| {
            for r in regions.iter().filter(|r| r.size > 0) {
                inner.stream.push(Record::CopyBuffer {
                    src: src.address().wrapping_add(r.src_offset),
                    dst: dst.address().wrapping_add(r.dst_offset),
                    size: r.size,
                })?;
            }
            Ok(())
        });
    }

    /// vkCmdFillBuffer; VK_WHOLE_SIZE fills to the end, rounded down to words.
    pub fn fill_buffer(&self, buffer: &Buffer, offset: u64, size: u64, value: u32) {
        self.record(|inner| {
            let (dst, size) = buffer.range(offset, size);
            let size = size & !3;
            if size == 0 {
                return Ok(());
            }
            inner.stream.push(Record::FillBuffer { dst, size, value })
        });
    }

    /// vkCmdUpdateBuffer.
    pub fn update_buffer(&self, buffer: &Buffer, offset: u64, bytes: &[u8]) {
        self.record(|inner| {
            if bytes.is_empty() {
                return Ok(());
            }
            let data = inner.stream.place_bytes(bytes)?;
            inner.stream.push(Record::UpdateBuffer { dst: buffer.address().wrapping_add(offset), data })
        });
    }
}
