//! Memory: allocation, mapping, import and export.

use super::{Callbacks, VkResult};
use crate::edge::{create_and_tell, Allocator, In, InOut, Out, Slice, Taken};
use crate::env;
use crate::objects::Device;
use crate::reports::Told;
use ash::vk;
use runtime::{Memory, MemoryAllocate, MemorySource};
use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use winsys_dxg::HostPointer;

const HOST: vk::ExternalMemoryHandleTypeFlags = vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT;
const OPAQUE_FD: vk::ExternalMemoryHandleTypeFlags = vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD;

/// Takes a descriptor over from the application; −1 is none.
pub fn take_fd(fd: c_int) -> Option<OwnedFd> {
    // SAFETY: by the API a successful import passes the descriptor's ownership on.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Gives a descriptor to the application.
pub fn give_fd(fd: Option<OwnedFd>) -> c_int {
    fd.map_or(-1, IntoRawFd::into_raw_fd)
}

/// Where the memory comes from: new, or what the application imports.
fn source(device: &Device, info: In<'_, vk::MemoryAllocateInfo<'_>>) -> VkResult<MemorySource> {
    if let Some(host) = info.next::<vk::ImportMemoryHostPointerInfoEXT<'_>>() {
        if host.handle_type == HOST {
            let ptr =
                NonNull::new(host.p_host_pointer.cast::<u8>()).ok_or(vk::Result::ERROR_INVALID_EXTERNAL_HANDLE)?;
            let len = usize::try_from(info.allocation_size).map_err(|_| vk::Result::ERROR_INVALID_EXTERNAL_HANDLE)?;
            // SAFETY: by the API the application keeps imported memory mapped until the memory object is freed, and
            // accesses it only as synchronisation allows.
            return Ok(MemorySource::Host(unsafe { HostPointer::new(ptr, len) }));
        }
    }
    if let Some(import) = info.next::<vk::ImportMemoryFdInfoKHR<'_>>() {
        if import.handle_type == OPAQUE_FD {
            // A failed import leaves the descriptor with the application, so work on a copy.
            let given = take_fd(import.fd).ok_or(vk::Result::ERROR_INVALID_EXTERNAL_HANDLE)?;
            let copy = given.as_fd().try_clone_to_owned();
            let _ = given.into_raw_fd();
            return Ok(MemorySource::Fd(copy.map_err(|_| vk::Result::ERROR_INVALID_EXTERNAL_HANDLE)?));
        }
        if !import.handle_type.is_empty() {
            return Err(device.fail(&runtime::Error::InvalidExternalHandle(format!(
                "memory cannot be imported from {:?}",
                import.handle_type
            ))));
        }
    }
    Ok(MemorySource::New)
}

/// The address that a replay asks for; 0 leaves it to the driver.
fn captured_address(info: In<'_, vk::MemoryAllocateInfo<'_>>) -> Option<u64> {
    let captured = info.next::<vk::MemoryOpaqueCaptureAddressAllocateInfo<'_>>()?;
    (captured.opaque_capture_address != 0).then_some(captured.opaque_capture_address)
}

/// Whether the content has to be zeros at first (VK_EXT_zero_initialize_device_memory).
fn zeroed(info: In<'_, vk::MemoryAllocateInfo<'_>>) -> bool {
    const ZERO_INITIALIZE: vk::MemoryAllocateFlags = vk::MemoryAllocateFlags::from_raw(1 << 3);
    info.next::<vk::MemoryAllocateFlagsInfo<'_>>().is_some_and(|f| f.flags.contains(ZERO_INITIALIZE))
}

/// Zeroes memory that the host sees (`VKDXG_DEBUG=zero`).
fn clear(memory: &Memory) {
    if let (Ok(address), Ok(size)) = (memory.map(0, vk::WHOLE_SIZE), usize::try_from(memory.size())) {
        // SAFETY: the runtime maps the whole memory there, and nothing has been told of it yet.
        unsafe { std::ptr::with_exposed_provenance_mut::<u8>(address).write_bytes(0, size) };
        memory.unmap();
    }
}

pub fn allocate_memory(
    device: &Device,
    info: In<'_, vk::MemoryAllocateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::DeviceMemory>,
) -> VkResult {
    let type_index = info.memory_type_index;
    let heap = device.rt.props().memory_types.get(type_index as usize).map_or(0, |t| t.heap);
    let make = || {
        let allocate = MemoryAllocate {
            size: info.allocation_size,
            type_index: info.memory_type_index,
            priority: info
                .next::<vk::MemoryPriorityAllocateInfoEXT<'_>>()
                .map_or(runtime::DEFAULT_PRIORITY, |p| p.priority),
            source: source(device, info)?,
            address: captured_address(info),
            zero: zeroed(info),
            export: info.next::<vk::ExportMemoryAllocateInfo<'_>>().map_or_else(Default::default, |e| e.handle_types),
        };
        let is_new = matches!(allocate.source, MemorySource::New);
        let memory = device.ok(Memory::allocate(&device.rt, &allocate))?;
        if is_new && env::options().debug.zero {
            clear(&memory);
        }
        // The import worked: the original descriptor now belongs to the driver, which does not need it.
        if let Some(import) = info.next::<vk::ImportMemoryFdInfoKHR<'_>>() {
            if import.handle_type == OPAQUE_FD {
                drop(take_fd(import.fd));
            }
        }
        Ok(memory)
    };
    let mut told = None;
    let result =
        create_and_tell(&device.alloc, callbacks, out, make, |memory, handle| told = Some(tell(memory, handle)));
    match told {
        Some(told) => {
            device.report_allocated(&told);
            let object = (vk::ObjectType::DEVICE_MEMORY, told.handle);
            device.report_addresses(vk::DeviceAddressBindingTypeEXT::BIND, object, told.address, told.size);
        }
        None => device.report_failed(info.allocation_size, heap),
    }
    result
}

fn tell(memory: &Arc<Memory>, handle: u64) -> Told {
    let types = &memory.device().props().memory_types;
    Told {
        handle,
        id: memory.identity(),
        size: memory.size(),
        address: memory.address(),
        heap: types.get(memory.type_index() as usize).map_or(0, |t| t.heap),
        imported: memory.is_imported(),
    }
}

pub fn free_memory(device: &Device, memory: Taken<'_, vk::DeviceMemory>, callbacks: Callbacks<'_>) {
    if let Some(m) = memory.object() {
        let told = tell(m, memory.raw());
        device.report_freed(&told);
        let object = (vk::ObjectType::DEVICE_MEMORY, told.handle);
        device.report_addresses(vk::DeviceAddressBindingTypeEXT::UNBIND, object, told.address, told.size);
    }
    memory.destroy(&Allocator::choose(callbacks, &device.alloc));
}

/// Notes the result of one bind of several (VK_KHR_maintenance6).
pub fn note_bind<T: vk::TaggedStructure>(info: In<'_, T>, result: VkResult) -> VkResult {
    if let Some(status) = info.next::<vk::BindMemoryStatusKHR<'_>>() {
        // SAFETY: by valid usage the pointer is valid for one result.
        if let Some(place) = unsafe { status.p_result.as_mut() } {
            *place = result.err().unwrap_or(vk::Result::SUCCESS);
        }
    }
    result
}

fn map(device: &Device, memory: &Arc<Memory>, offset: u64, size: u64, out: Out<'_, *mut c_void>) -> VkResult {
    let address = device.ok(memory.map(offset, size))?;
    out.set(std::ptr::with_exposed_provenance_mut(address));
    Ok(())
}

pub fn map_memory(
    device: &Device,
    memory: &Arc<Memory>,
    offset: u64,
    size: u64,
    _flags: vk::MemoryMapFlags,
    out: Out<'_, *mut c_void>,
) -> VkResult {
    map(device, memory, offset, size, out)
}

pub fn map_memory2_khr(device: &Device, info: In<'_, vk::MemoryMapInfoKHR<'_>>, out: Out<'_, *mut c_void>) -> VkResult {
    map(device, info.memory(), info.offset, info.size, out)
}

pub fn unmap_memory(_device: &Device, memory: &Arc<Memory>) {
    memory.unmap();
}

pub fn unmap_memory2_khr(_device: &Device, info: In<'_, vk::MemoryUnmapInfoKHR<'_>>) -> VkResult {
    info.memory().unmap();
    Ok(())
}

pub fn flush_mapped_memory_ranges(device: &Device, ranges: Slice<'_, vk::MappedMemoryRange<'_>>) -> VkResult {
    for r in ranges.iter() {
        device.ok(r.memory().flush(r.offset, r.size))?;
    }
    Ok(())
}

pub fn invalidate_mapped_memory_ranges(device: &Device, ranges: Slice<'_, vk::MappedMemoryRange<'_>>) -> VkResult {
    for r in ranges.iter() {
        device.ok(r.memory().invalidate(r.offset, r.size))?;
    }
    Ok(())
}

pub fn set_device_memory_priority_ext(_device: &Device, memory: &Arc<Memory>, priority: f32) {
    memory.set_priority(priority);
}

/// Memory is committed when it is allocated.
pub fn get_device_memory_commitment(_device: &Device, memory: &Arc<Memory>, out: Out<'_, vk::DeviceSize>) {
    out.set(memory.size());
}

pub fn get_device_memory_opaque_capture_address(
    _device: &Device,
    info: In<'_, vk::DeviceMemoryOpaqueCaptureAddressInfo<'_>>,
) -> u64 {
    info.memory().address()
}

pub fn get_memory_fd_khr(device: &Device, info: In<'_, vk::MemoryGetFdInfoKHR<'_>>, out: Out<'_, c_int>) -> VkResult {
    let fd = device.ok(info.memory().export_fd())?;
    out.set(give_fd(Some(fd)));
    Ok(())
}

/// Opaque descriptors tell nothing before they are imported, so there is no handle type this could answer for.
pub fn get_memory_fd_properties_khr(
    _device: &Device,
    _handle_type: vk::ExternalMemoryHandleTypeFlags,
    _fd: c_int,
    mut out: InOut<'_, vk::MemoryFdPropertiesKHR<'_>>,
) -> vk::Result {
    out.memory_type_bits = 0;
    vk::Result::ERROR_INVALID_EXTERNAL_HANDLE
}

pub fn get_memory_host_pointer_properties_ext(
    device: &Device,
    handle_type: vk::ExternalMemoryHandleTypeFlags,
    _pointer: *const c_void,
    mut out: InOut<'_, vk::MemoryHostPointerPropertiesEXT<'_>>,
) -> vk::Result {
    out.memory_type_bits = 0;
    if handle_type != HOST {
        return vk::Result::ERROR_INVALID_EXTERNAL_HANDLE;
    }
    // Imported memory is the host's: every type that the host can see.
    let types = &device.rt.props().memory_types;
    out.memory_type_bits = types
        .iter()
        .enumerate()
        .filter(|(_, t)| t.flags.contains(vk::MemoryPropertyFlags::HOST_VISIBLE))
        .fold(0, |bits, (i, _)| bits | 1 << i);
    vk::Result::SUCCESS
}
