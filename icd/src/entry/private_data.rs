//! Private data slots.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, Out, Taken};
use crate::objects::Device;
use ash::vk;
use runtime::PrivateDataSlot;
use std::sync::Arc;

pub fn create_private_data_slot(
    device: &Device,
    _info: In<'_, vk::PrivateDataSlotCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::PrivateDataSlot>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || Ok(Arc::new(PrivateDataSlot::new())))
}

pub fn destroy_private_data_slot(device: &Device, slot: Taken<'_, vk::PrivateDataSlot>, callbacks: Callbacks<'_>) {
    slot.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn set_private_data(
    device: &Device,
    ty: vk::ObjectType,
    handle: u64,
    slot: &Arc<PrivateDataSlot>,
    data: u64,
) -> VkResult {
    device.ok(slot.set(ty, handle, data))
}

pub fn get_private_data(
    _device: &Device,
    ty: vk::ObjectType,
    handle: u64,
    slot: &Arc<PrivateDataSlot>,
    out: Out<'_, u64>,
) {
    out.set(slot.get(ty, handle));
}
