//! Sparse resources: buffers and images whose addresses are reserved when they are made and shown memory later, part by part
//! (Vulkan specification, "Sparse Resources").

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::memory::{Memory, MemoryRequirements};
use winsys_dxg::dxg_abi::GpuVaReservationType;
use winsys_dxg::{VaPlacement, VaRange, VaUpdate};

/// Bytes of a sparse block, which is also the alignment of binds: what the device reserves addresses in.
pub const SPARSE_BLOCK: u64 = 64 << 10;

/// Whole pages are what mappings are made of.
const PAGE: u64 = 4096;

/// The requirements of a sparse resource that would need these if it were not one.
pub(crate) fn requirements(plain: MemoryRequirements) -> MemoryRequirements {
    MemoryRequirements {
        size: plain.size.checked_next_multiple_of(SPARSE_BLOCK).unwrap_or(u64::MAX),
        align: plain.align.max(SPARSE_BLOCK),
        ..plain
    }
}

/// Addresses for a resource. What is not bound reads as zeros at first; it is not the same as strict residency, since what is
/// written there may be read again.
pub(crate) fn reserve(device: &Device, size: u64) -> Result<VaRange> {
    Ok(VaRange::reserve(device.winsys(), size.max(1), VaPlacement::Any, GpuVaReservationType::ZERO)?)
}

/// Part of memory that is to be seen in a resource.
#[derive(Clone, Copy, Debug)]
pub struct SparseMemory<'a> {
    /// The memory.
    pub memory: &'a Memory,
    /// From where, bytes.
    pub offset: u64,
}

/// Whose addresses.
#[derive(Clone, Copy, Debug)]
pub enum SparseResource<'a> {
    /// A buffer's.
    Buffer(&'a Buffer),
    /// An image's.
    Image(&'a Image),
}

impl<'a> SparseResource<'a> {
    fn range(self) -> Result<&'a VaRange> {
        let range = match self {
            SparseResource::Buffer(b) => b.sparse(),
            SparseResource::Image(i) => i.sparse(),
        };
        range.ok_or_else(|| Error::Unknown("the resource is not a sparse one".to_owned()))
    }
}

/// VkSparseMemoryBind.
#[derive(Clone, Copy, Debug)]
pub struct SparseBind<'a> {
    /// Of which resource.
    pub resource: SparseResource<'a>,
    /// From where in it, bytes.
    pub offset: u64,
    /// How much, bytes.
    pub size: u64,
    /// What to show there; nothing is unbound.
    pub memory: Option<SparseMemory<'a>>,
}

impl<'a> SparseBind<'a> {
    /// Appends the changes that make up the bind.
    ///
    /// # Errors
    /// [`Error::Unknown`] for binds outside of the resource or the memory, or of memory that does not begin on a page.
    pub(crate) fn updates(&self, out: &mut Vec<VaUpdate<'a>>) -> Result<()> {
        let range = self.resource.range()?;
        // The last bytes of a resource may be bound by themselves.
        let size = self.size.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
        match self.memory {
            Some(m) => out.extend(VaUpdate::map_memory(range, self.offset, m.memory.winsys(), m.offset, size)?),
            None => out.push(VaUpdate::Unmap { range, offset: self.offset, size }),
        }
        Ok(())
    }
}
