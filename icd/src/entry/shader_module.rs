//! Shader modules and their identifiers.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, InOut, Out, Taken};
use crate::objects::Device;
use ash::vk;
use runtime::ShaderModule;
use std::sync::Arc;

/// The module of a create info.
pub(super) fn module(device: &Device, info: In<'_, vk::ShaderModuleCreateInfo<'_>>) -> VkResult<Arc<ShaderModule>> {
    device.ok(ShaderModule::new(&device.rt, info.code().to_vec()))
}

/// Specialisation constants: id and bytes. Entries outside of the data are left out.
pub(super) fn specialization(info: In<'_, vk::SpecializationInfo<'_>>) -> Vec<(u32, Vec<u8>)> {
    info.map_entries()
        .iter()
        .filter_map(|e| {
            let start = e.offset as usize;
            let bytes = info.data().get(start..start.checked_add(e.size)?)?;
            Some((e.constant_id, bytes.to_vec()))
        })
        .collect()
}

pub fn create_shader_module(
    device: &Device,
    info: In<'_, vk::ShaderModuleCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::ShaderModule>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || module(device, info))
}

pub fn destroy_shader_module(device: &Device, module: Taken<'_, vk::ShaderModule>, callbacks: Callbacks<'_>) {
    module.destroy(&Allocator::choose(callbacks, &device.alloc));
}

fn put_identifier(mut out: InOut<'_, vk::ShaderModuleIdentifierEXT<'_>>, module: &ShaderModule) {
    let hash = module.hash();
    out.identifier_size = hash.len() as u32;
    out.identifier.fill(0);
    out.identifier[..hash.len()].copy_from_slice(&hash);
}

pub fn get_shader_module_identifier_ext(
    _device: &Device,
    module: &Arc<ShaderModule>,
    out: InOut<'_, vk::ShaderModuleIdentifierEXT<'_>>,
) {
    put_identifier(out, module);
}

pub fn get_shader_module_create_info_identifier_ext(
    device: &Device,
    info: In<'_, vk::ShaderModuleCreateInfo<'_>>,
    out: InOut<'_, vk::ShaderModuleIdentifierEXT<'_>>,
) {
    // Making a module only fails without memory; then there is nothing to write.
    if let Ok(module) = module(device, info) {
        put_identifier(out, &module);
    }
}
