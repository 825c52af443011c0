//! VK_EXT_debug_utils: messengers, names, labels.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, Out, Taken};
use crate::messenger::Messenger;
use crate::objects::{CommandBuffer, Device, Instance, Queue};
use ash::vk;
use std::sync::Arc;

pub fn create_debug_utils_messenger_ext(
    instance: &Instance,
    info: In<'_, vk::DebugUtilsMessengerCreateInfoEXT<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::DebugUtilsMessengerEXT>,
) -> VkResult {
    create(&instance.alloc, callbacks, out, || {
        let messenger = Arc::new(Messenger::new(info));
        instance.messengers.add(messenger.clone());
        Ok(messenger)
    })
}

pub fn destroy_debug_utils_messenger_ext(
    instance: &Instance,
    messenger: Taken<'_, vk::DebugUtilsMessengerEXT>,
    callbacks: Callbacks<'_>,
) {
    if let Some(m) = messenger.object() {
        instance.messengers.remove(m);
    }
    messenger.destroy(&Allocator::choose(callbacks, &instance.alloc));
}

pub fn submit_debug_utils_message_ext(
    instance: &Instance,
    severity: vk::DebugUtilsMessageSeverityFlagsEXT,
    types: vk::DebugUtilsMessageTypeFlagsEXT,
    data: In<'_, vk::DebugUtilsMessengerCallbackDataEXT<'_>>,
) {
    instance.messengers.forward(severity, types, data.get());
}

pub fn set_debug_utils_object_name_ext(device: &Device, info: In<'_, vk::DebugUtilsObjectNameInfoEXT<'_>>) -> VkResult {
    let name = info.object_name().map(|n| n.to_string_lossy());
    device.rt.set_name(info.object_type, info.object_handle, name.as_deref().filter(|n| !n.is_empty()));
    Ok(())
}

/// Tags are for layers.
pub fn set_debug_utils_object_tag_ext(_device: &Device, _info: In<'_, vk::DebugUtilsObjectTagInfoEXT<'_>>) -> VkResult {
    Ok(())
}

fn text(info: In<'_, vk::DebugUtilsLabelEXT<'_>>) -> String {
    info.label_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

pub fn cmd_begin_debug_utils_label_ext(cb: &CommandBuffer, label: In<'_, vk::DebugUtilsLabelEXT<'_>>) {
    cb.rt.label_begin(&text(label));
}

pub fn cmd_end_debug_utils_label_ext(cb: &CommandBuffer) {
    cb.rt.label_end();
}

pub fn cmd_insert_debug_utils_label_ext(cb: &CommandBuffer, label: In<'_, vk::DebugUtilsLabelEXT<'_>>) {
    cb.rt.label_insert(&text(label));
}

pub fn queue_begin_debug_utils_label_ext(queue: &Queue, label: In<'_, vk::DebugUtilsLabelEXT<'_>>) {
    queue.rt.label_begin(&text(label));
}

pub fn queue_end_debug_utils_label_ext(queue: &Queue) {
    queue.rt.label_end();
}

/// A label without extent changes nothing that could be shown later.
pub fn queue_insert_debug_utils_label_ext(_queue: &Queue, _label: In<'_, vk::DebugUtilsLabelEXT<'_>>) {}
