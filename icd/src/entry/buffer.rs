//! Buffers and buffer views.

use super::descriptor_buffer::captured;
use super::memory::note_bind;
use super::{Callbacks, VkResult};
use crate::edge::{create, create_and_tell, raw_handle, Allocator, In, InOut, Out, Slice, Taken};
use crate::objects::Device;
use ash::vk;
use runtime::{Buffer, BufferCreate, BufferView, Memory, MemoryRequirements};
use std::sync::Arc;

fn buffer_create(info: In<'_, vk::BufferCreateInfo<'_>>) -> BufferCreate {
    BufferCreate {
        flags: info.flags,
        size: info.size,
        // The wider flags replace the others; what they add is not for buffers of this driver.
        usage: info
            .next::<vk::BufferUsageFlags2CreateInfoKHR<'_>>()
            .map_or(info.usage, |u| vk::BufferUsageFlags::from_raw(u.usage.as_raw() as u32)),
        address: match info.next::<vk::BufferOpaqueCaptureAddressCreateInfo<'_>>() {
            Some(a) if a.opaque_capture_address != 0 => Some(a.opaque_capture_address),
            _ => info.next().and_then(captured),
        },
    }
}

pub fn create_buffer(
    device: &Device,
    info: In<'_, vk::BufferCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::Buffer>,
) -> VkResult {
    // Sparse buffers have their addresses from the start.
    create_and_tell(
        &device.alloc,
        callbacks,
        out,
        || device.ok(Buffer::new(&device.rt, &buffer_create(info))),
        |buffer, handle| addresses(device, buffer, handle, vk::DeviceAddressBindingTypeEXT::BIND),
    )
}

fn addresses(device: &Device, buffer: &Buffer, handle: u64, ty: vk::DeviceAddressBindingTypeEXT) {
    device.report_addresses(ty, (vk::ObjectType::BUFFER, handle), buffer.address(), buffer.requirements().size);
}

pub fn destroy_buffer(device: &Device, buffer: Taken<'_, vk::Buffer>, callbacks: Callbacks<'_>) {
    if let Some(b) = buffer.object() {
        addresses(device, b, buffer.raw(), vk::DeviceAddressBindingTypeEXT::UNBIND);
    }
    buffer.destroy(&Allocator::choose(callbacks, &device.alloc));
}

/// Of something that cannot be made.
pub const NO_REQUIREMENTS: MemoryRequirements =
    MemoryRequirements { size: 0, align: 1, type_bits: 0, prefers_dedicated: false, requires_dedicated: false };

/// The API's form of requirements.
pub fn requirements(r: MemoryRequirements) -> vk::MemoryRequirements {
    vk::MemoryRequirements { size: r.size, alignment: r.align, memory_type_bits: r.type_bits }
}

/// Fills requirements and the structures that may be chained to them.
pub fn fill_requirements(mut out: InOut<'_, vk::MemoryRequirements2<'_>>, r: MemoryRequirements) {
    out.memory_requirements = requirements(r);
    for mut node in out.chain() {
        if let Some(d) = node.cast::<vk::MemoryDedicatedRequirements<'_>>() {
            d.prefers_dedicated_allocation = r.prefers_dedicated.into();
            d.requires_dedicated_allocation = r.requires_dedicated.into();
        }
    }
}

pub fn get_buffer_memory_requirements(_device: &Device, buffer: &Arc<Buffer>, out: Out<'_, vk::MemoryRequirements>) {
    out.set(requirements(buffer.requirements()));
}

pub fn get_buffer_memory_requirements2(
    _device: &Device,
    info: In<'_, vk::BufferMemoryRequirementsInfo2<'_>>,
    out: InOut<'_, vk::MemoryRequirements2<'_>>,
) {
    fill_requirements(out, info.buffer().requirements());
}

pub fn get_device_buffer_memory_requirements(
    device: &Device,
    info: In<'_, vk::DeviceBufferMemoryRequirements<'_>>,
    out: InOut<'_, vk::MemoryRequirements2<'_>>,
) {
    let r = info.create_info().map(|c| Buffer::requirements_of(&device.rt, &buffer_create(c)));
    fill_requirements(out, r.unwrap_or(NO_REQUIREMENTS));
}

pub fn bind_buffer_memory(device: &Device, buffer: &Arc<Buffer>, memory: &Arc<Memory>, offset: u64) -> VkResult {
    device.ok(buffer.bind(memory, offset))?;
    addresses(device, buffer, raw_handle(buffer), vk::DeviceAddressBindingTypeEXT::BIND);
    Ok(())
}

pub fn bind_buffer_memory2(device: &Device, infos: Slice<'_, vk::BindBufferMemoryInfo<'_>>) -> VkResult {
    // Every bind is tried; the first failure is the command's result.
    let mut all = Ok(());
    for b in infos.iter() {
        let one = bind_buffer_memory(device, b.buffer(), b.memory(), b.memory_offset);
        all = all.and(note_bind(b, one));
    }
    all
}

pub fn get_buffer_device_address(_device: &Device, info: In<'_, vk::BufferDeviceAddressInfo<'_>>) -> vk::DeviceAddress {
    info.buffer().address()
}

/// A buffer is where its memory is, whose address is captured and replayed; so this is the address itself.
pub fn get_buffer_opaque_capture_address(_device: &Device, info: In<'_, vk::BufferDeviceAddressInfo<'_>>) -> u64 {
    info.buffer().address()
}

pub fn create_buffer_view(
    device: &Device,
    info: In<'_, vk::BufferViewCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::BufferView>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || {
        device.ok(BufferView::new(&device.rt, info.buffer(), info.format, info.offset, info.range))
    })
}

pub fn destroy_buffer_view(device: &Device, view: Taken<'_, vk::BufferView>, callbacks: Callbacks<'_>) {
    view.destroy(&Allocator::choose(callbacks, &device.alloc));
}
