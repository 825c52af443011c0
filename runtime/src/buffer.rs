//! Buffers.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::memory::{Memory, MemoryRequirements};
use crate::sparse;
use ash::vk;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use winsys_dxg::VaRange;

/// Alignment that every buffer asks for.
pub(crate) const BUFFER_ALIGN: u64 = 64;

/// VkBufferCreateInfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferCreate {
    /// Flags.
    pub flags: vk::BufferCreateFlags,
    /// Bytes.
    pub size: u64,
    /// Usage.
    pub usage: vk::BufferUsageFlags,
    /// Address that a sparse buffer has to have: where it was when it was captured. Others are where their memory is.
    pub address: Option<u64>,
}

/// A VkBuffer. It holds no reference to its memory: freeing memory that is in use is the application's error, which the GPU
/// reports as a fault.
#[derive(Debug)]
pub struct Buffer {
    create: BufferCreate,
    requirements: MemoryRequirements,
    /// GPU address; 0 until bound.
    address: AtomicU64,
    /// The addresses of a sparse buffer.
    sparse: Option<VaRange>,
}

fn is_sparse(create: &BufferCreate) -> bool {
    create.flags.contains(vk::BufferCreateFlags::SPARSE_BINDING)
}

impl Buffer {
    /// Makes a buffer without memory.
    ///
    /// # Errors
    /// [`Error::OutOfDeviceMemory`] if it is larger than the largest buffer; [`Error::FeatureNotPresent`] for protected
    /// ones, and for sparse ones where the GPU has none.
    pub fn new(device: &Arc<Device>, create: &BufferCreate) -> Result<Arc<Buffer>> {
        if create.size > device.props().max_buffer_size {
            return Err(Error::OutOfDeviceMemory);
        }
        if create.flags.contains(vk::BufferCreateFlags::PROTECTED) {
            return Err(Error::FeatureNotPresent("protected buffers"));
        }
        let requirements = Buffer::requirements_of(device, create);
        let sparse = match is_sparse(create) {
            true if !device.props().features.sparse_binding => {
                return Err(Error::FeatureNotPresent("sparse buffers"));
            }
            true => Some(sparse::reserve(device, requirements.size, create.address)?),
            false => None,
        };
        let address = AtomicU64::new(sparse.as_ref().map_or(0, VaRange::base));
        Ok(Arc::new(Buffer { create: *create, requirements, address, sparse }))
    }

    /// What memory such a buffer needs.
    pub fn requirements_of(device: &Device, create: &BufferCreate) -> MemoryRequirements {
        let limits = &device.props().limits;
        let align = BUFFER_ALIGN
            .max(limits.min_storage_buffer_offset_alignment)
            .max(limits.min_uniform_buffer_offset_alignment)
            .max(limits.min_texel_buffer_offset_alignment)
            .checked_next_power_of_two()
            .unwrap_or(1 << 16);
        let plain = MemoryRequirements {
            size: create.size.checked_next_multiple_of(align).unwrap_or(u64::MAX),
            align,
            type_bits: device.all_memory_types(),
            prefers_dedicated: false,
            requires_dedicated: false,
        };
        if is_sparse(create) {
            sparse::requirements(device, plain)
        } else {
            plain
        }
    }

    /// What memory it needs.
    pub fn requirements(&self) -> MemoryRequirements {
        self.requirements
    }

    /// Binds memory.
    ///
    /// # Errors
    /// None on valid use.
    pub fn bind(&self, memory: &Memory, offset: u64) -> Result<()> {
        self.address.store(memory.address().wrapping_add(offset), Ordering::Release);
        if self.create.usage.contains(vk::BufferUsageFlags::SHADER_DEVICE_ADDRESS) {
            memory.pin();
        }
        Ok(())
    }

    /// The addresses of a sparse buffer.
    pub(crate) fn sparse(&self) -> Option<&VaRange> {
        self.sparse.as_ref()
    }

    /// GPU address of the first byte; 0 until bound.
    #[inline]
    pub fn address(&self) -> u64 {
        self.address.load(Ordering::Acquire)
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.create.size
    }

    /// Usage.
    pub fn usage(&self) -> vk::BufferUsageFlags {
        self.create.usage
    }

    /// Address and size of a part. `VK_WHOLE_SIZE` goes to the end; other ranges are cut there, so that a kernel that
    /// keeps to the descriptor's size keeps to the buffer.
    #[inline]
    pub(crate) fn range(&self, offset: u64, range: u64) -> (u64, u64) {
        let rest = self.create.size.saturating_sub(offset);
        (self.address().wrapping_add(offset), range.min(rest))
    }
}
