//! Device memory.

pub(crate) mod backing;

use crate::device::Device;
use crate::error::{Error, Result};
use ash::vk;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use winsys_dxg::{Backing, HostPointer, MemoryDesc, VaPlacement};

/// Priority of memory that was not given one.
pub const DEFAULT_PRIORITY: f32 = 0.5;

/// Where the memory comes from.
#[derive(Debug)]
pub enum MemorySource {
    /// Made anew.
    New,
    /// Memory of the application (VK_EXT_external_memory_host).
    Host(HostPointer),
    /// An opaque descriptor of another device or process.
    Fd(OwnedFd),
}

/// VkMemoryAllocateInfo.
#[derive(Debug)]
pub struct MemoryAllocate {
    /// Bytes.
    pub size: u64,
    /// Memory type.
    pub type_index: u32,
    /// VkMemoryPriorityAllocateInfoEXT, 0 to 1; 0.5 if not given.
    pub priority: f32,
    /// Source.
    pub source: MemorySource,
    /// GPU address that new memory has to have: where such memory was in an earlier run.
    pub address: Option<u64>,
    /// Whether the content of new memory has to be zeros.
    pub zero: bool,
    /// Handle types it can be exported as.
    pub export: vk::ExternalMemoryHandleTypeFlags,
}

/// What memory an object needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRequirements {
    /// Bytes.
    pub size: u64,
    /// Alignment, a power of two.
    pub align: u64,
    /// Memory types that will do.
    pub type_bits: u32,
    /// Whether an allocation of its own is better.
    pub prefers_dedicated: bool,
    /// Whether an allocation of its own is needed.
    pub requires_dedicated: bool,
}

/// From this size on, in bytes, an allocation is refused unless the system has that much memory to give.
const LARGE: u64 = 1 << 30;

/// A VkDeviceMemory: resident and mapped for the GPU from the start. When there is not room for all, what no submission uses may
/// be moved away for a while.
#[derive(Debug)]
pub struct Memory {
    device: Arc<Device>,
    inner: winsys_dxg::Memory,
    size: u64,
    type_index: u32,
    coherent: bool,
    imported: bool,
}

impl Memory {
    /// Allocates or imports memory.
    ///
    /// # Errors
    /// [`Error::OutOfDeviceMemory`], [`Error::InvalidExternalHandle`], [`Error::OutOfHostMemory`].
    pub fn allocate(device: &Arc<Device>, info: &MemoryAllocate) -> Result<Arc<Memory>> {
        let props = device.props();
        let ty = props
            .memory_types
            .get(info.type_index as usize)
            .ok_or_else(|| Error::Unknown(format!("memory type {} does not exist", info.type_index)))?;
        let heap_size = props.heaps.get(ty.heap as usize).map_or(0, |h| h.size);
        let imported = !matches!(info.source, MemorySource::New);
        if !imported && (info.size > props.max_memory_allocation_size || info.size > heap_size) {
            return Err(Error::OutOfDeviceMemory);
        }
        // Better refused here than killed by the system when the pages are touched.
        if !imported && info.size >= LARGE && info.size > device.gpu().available_memory() {
            return Err(Error::OutOfDeviceMemory);
        }
        let visible = ty.flags.contains(vk::MemoryPropertyFlags::HOST_VISIBLE);
        let place = info.address.map_or(VaPlacement::Any, VaPlacement::Fixed);
        // Refused without a reason: the address is what was asked for in particular.
        let refused = |e: Error| match e {
            Error::OutOfHostMemory => Error::OutOfHostMemory,
            _ if info.address.is_some() => Error::InvalidOpaqueCaptureAddress,
            other => other,
        };
        let winsys = device.winsys();
        // Memory has to be imported as the type it was exported as.
        let tag = u64::from(info.type_index);
        let inner = match &info.source {
            MemorySource::New if info.export.contains(vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD) => {
                let backing = Backing::CrossAdapter { shared: true, cpu_access: visible || info.zero };
                let desc = MemoryDesc { backing, place, tag, ..MemoryDesc::host(info.size) };
                winsys_dxg::Memory::create(winsys, &desc).map_err(Error::from).map_err(refused)?
            }
            MemorySource::New => backing::create(winsys, &**device.gpu(), info.type_index, info.size, place, info.zero)
                .map_err(refused)?,
            MemorySource::Host(pointer) => {
                let backing = Backing::HostPointer(*pointer);
                winsys_dxg::Memory::create(winsys, &MemoryDesc { backing, ..MemoryDesc::host(info.size) }).map_err(
                    |e| match Error::from(e) {
                        Error::Unknown(text) => Error::InvalidExternalHandle(text),
                        other => other,
                    },
                )?
            }
            MemorySource::Fd(fd) => winsys_dxg::Memory::import_fd(winsys, fd.as_fd(), info.size, tag, visible)
                .map_err(|e| match Error::from(e) {
                    Error::Unknown(text) => Error::InvalidExternalHandle(text),
                    other => other,
                })?,
        };
        if info.zero && !imported && !inner.began_as_zeros() {
            inner.fill(0, info.size, 0)?;
        }
        let coherent = ty.flags.contains(vk::MemoryPropertyFlags::HOST_COHERENT);
        let type_index = info.type_index;
        let memory = Memory { device: device.clone(), inner, size: info.size, type_index, coherent, imported };
        if info.priority != DEFAULT_PRIORITY {
            memory.set_priority(info.priority);
        }
        let memory = Arc::new(memory);
        if !device.features().descriptors_anywhere {
            memory.inner.set_movable(true);
            device.uses().add_memory(&memory);
        }
        Ok(memory)
    }

    /// Keeps the memory with the GPU from now on: it is used in ways that submissions do not show.
    pub(crate) fn pin(&self) {
        self.inner.set_movable(false);
    }

    /// How much the memory should stay with the GPU when there is not enough for all, 0 to 1. A hint: a system that does not take
    /// it goes on without.
    pub fn set_priority(&self, priority: f32) {
        let _ = self.inner.set_priority(priority);
    }

    /// CPU address of the byte at `offset`. It stays good until the memory is freed, so that there is nothing to unmap.
    ///
    /// # Errors
    /// [`Error::MemoryMapFailed`] if the CPU does not see the memory (in one piece), or `offset` is outside.
    pub fn map(&self, offset: u64, _size: u64) -> Result<usize> {
        let base = self
            .inner
            .cpu_ptr()
            .ok_or_else(|| Error::MemoryMapFailed("the CPU does not see this memory in one piece".to_owned()))?;
        let inside = usize::try_from(offset).ok().filter(|_| offset <= self.size);
        inside
            .and_then(|o| (base.as_ptr() as usize).checked_add(o))
            .ok_or_else(|| Error::MemoryMapFailed("offset outside of the memory".to_owned()))
    }

    /// Ends a mapping. Views cost nothing, so they stay.
    pub fn unmap(&self) {}

    /// Makes writes of the CPU visible to the GPU. `VK_WHOLE_SIZE` is to the end.
    ///
    /// # Errors
    /// None: submissions make CPU writes visible on every adapter of this ABI.
    pub fn flush(&self, _offset: u64, _size: u64) -> Result<()> {
        Ok(())
    }

    /// Makes writes of the GPU visible to the CPU.
    ///
    /// # Errors
    /// Those of the window system.
    pub fn invalidate(&self, offset: u64, size: u64) -> Result<()> {
        if self.coherent {
            return Ok(());
        }
        let len = size.min(self.size.saturating_sub(offset));
        Ok(self.inner.invalidate(offset, len)?)
    }

    /// GPU address of the first byte.
    pub fn address(&self) -> u64 {
        self.inner.gpu_va()
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The window system's memory.
    pub(crate) fn winsys(&self) -> &winsys_dxg::Memory {
        &self.inner
    }

    /// Memory type.
    pub fn type_index(&self) -> u32 {
        self.type_index
    }

    /// What tells the memory from other memory, not 0: shared memory has the same wherever it was imported.
    pub fn identity(&self) -> u64 {
        self.inner.allocations().first().map_or(1, winsys_dxg::Allocation::identity)
    }

    /// Whether it is memory of the application, of another device or of another process.
    pub fn is_imported(&self) -> bool {
        self.imported
    }

    /// The device.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// An opaque descriptor with which other processes can open the memory.
    ///
    /// # Errors
    /// [`Error::InvalidExternalHandle`] if it was not made to be exported; [`Error::TooManyObjects`], [`Error::OutOfHostMemory`].
    pub fn export_fd(&self) -> Result<OwnedFd> {
        self.inner.export_fd().map_err(Error::exporting)
    }
}
