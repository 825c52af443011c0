//! Buffer views: texel buffers.

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::format;
use ash::vk;
use std::sync::Arc;

/// A VkBufferView.
#[derive(Debug)]
pub struct BufferView {
    address: u64,
    size: u64,
    format: vk::Format,
}

impl BufferView {
    /// Makes a view of `range` bytes (or VK_WHOLE_SIZE) from `offset`.
    ///
    /// # Errors
    /// [`Error::FormatNotSupported`].
    pub fn new(
        device: &Arc<Device>,
        buffer: &Buffer,
        format: vk::Format,
        offset: u64,
        range: u64,
    ) -> Result<Arc<BufferView>> {
        let block = format::block(format, vk::ImageAspectFlags::COLOR).ok_or(Error::FormatNotSupported)?;
        if device.gpu().format_features(format).buffer.is_empty() {
            return Err(Error::FormatNotSupported);
        }
        let (address, size) = buffer.range(offset, range);
        let texel = u64::from(block.bytes.max(1));
        Ok(Arc::new(BufferView { address, size: size / texel * texel, format }))
    }

    /// GPU address of the first texel.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Bytes, whole texels.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Format.
    pub fn format(&self) -> vk::Format {
        self.format
    }
}
