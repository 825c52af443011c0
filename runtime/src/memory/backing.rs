//! What memory types are made of.

use crate::error::{Error, Result};
use crate::gpu::{Gpu, MemorySegment};
use ash::vk;
use winsys_dxg::{Backing, ErrorKind, MemoryDesc, VaPlacement};

/// Makes memory of a type that nobody else sees. `cpu_access` asks for a view even if the type does not promise one.
pub(crate) fn create(
    device: &winsys_dxg::Device,
    gpu: &dyn Gpu,
    memory_type: u32,
    size: u64,
    place: VaPlacement,
    cpu_access: bool,
) -> Result<winsys_dxg::Memory> {
    let ty = gpu
        .props()
        .memory_types
        .get(memory_type as usize)
        .ok_or_else(|| Error::Unknown(format!("memory type {memory_type} does not exist")))?;
    let visible = ty.flags.contains(vk::MemoryPropertyFlags::HOST_VISIBLE);
    let segment = gpu.props().heaps.get(ty.heap as usize).map(|h| h.segment);
    let describe = |bytes: u64| gpu.allocation_private_data(memory_type, bytes).unwrap_or_default();
    let private_data = gpu.allocation_private_data(memory_type, size);
    let off_device = segment == Some(MemorySegment::NonLocal);
    if private_data.is_none() && off_device && !ty.sparse {
        // Pages of this process may be huge ones.
        let backing = Backing::HostPages { aliased: false, cross_adapter: true };
        match winsys_dxg::Memory::create(device, &MemoryDesc { backing, place, ..MemoryDesc::host(size) }) {
            // A host that does not take pages for every adapter makes such memory itself.
            Err(e) if matches!(e.kind(), ErrorKind::Invalid | ErrorKind::NotSupported | ErrorKind::Refused) => {}
            made => return Ok(made?),
        }
    }
    let backing = if private_data.is_some() {
        Backing::Driver { describe: &describe, resource_data: &[], shared: false, cpu_access: visible || cpu_access }
    } else if off_device {
        // What lies in system memory whatever the adapter.
        Backing::CrossAdapter { shared: false, cpu_access: visible || cpu_access }
    } else {
        Backing::HostPages { aliased: ty.sparse, cross_adapter: false }
    };
    let memory = winsys_dxg::Memory::create(device, &MemoryDesc { backing, place, ..MemoryDesc::host(size) })?;
    if visible && memory.cpu_ptr().is_none() {
        // Too large to be seen in one piece, as mapping it would need.
        return Err(Error::OutOfDeviceMemory);
    }
    Ok(memory)
}
