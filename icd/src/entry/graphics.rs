//! What needs a graphics queue, which no device of this driver has: every answer is a clean failure.

use super::{Callbacks, VkResult};
use crate::edge::{In, Out, OutSlice, Slice};
use crate::objects::{CommandBuffer, Device};
use ash::vk;
use runtime::{Error, PipelineCache};
use std::sync::Arc;

const NO_GRAPHICS: &str = "this device has no graphics queues";

/// Every `vkCmdSet*` for graphics: state that nothing on this device reads. Applications that use shader objects set it with
/// compute shaders too.
pub fn graphics_state(_cb: &CommandBuffer, _name: &'static str) {}

/// Every other `vkCmd*` for graphics: the recording fails.
pub fn graphics_command(cb: &CommandBuffer, name: &'static str) {
    cb.rt.refuse(Error::Unknown(format!("{name}: {NO_GRAPHICS}")));
}

fn refused(device: &Device) -> vk::Result {
    device.fail(&Error::Unknown(NO_GRAPHICS.to_owned()))
}

pub fn create_graphics_pipelines(
    device: &Device,
    _cache: Option<&Arc<PipelineCache>>,
    _infos: Slice<'_, vk::GraphicsPipelineCreateInfo<'_>>,
    _callbacks: Callbacks<'_>,
    mut out: OutSlice<'_, vk::Pipeline>,
) -> VkResult {
    for i in 0..out.len() {
        out.set(i, vk::Pipeline::null());
    }
    Err(refused(device))
}

pub fn create_render_pass(
    device: &Device,
    _info: In<'_, vk::RenderPassCreateInfo<'_>>,
    _callbacks: Callbacks<'_>,
    out: Out<'_, vk::RenderPass>,
) -> VkResult {
    out.set(vk::RenderPass::null());
    Err(refused(device))
}

pub fn create_render_pass2(
    device: &Device,
    _info: In<'_, vk::RenderPassCreateInfo2<'_>>,
    _callbacks: Callbacks<'_>,
    out: Out<'_, vk::RenderPass>,
) -> VkResult {
    out.set(vk::RenderPass::null());
    Err(refused(device))
}

/// No render pass was ever made.
pub fn destroy_render_pass(_device: &Device, _pass: vk::RenderPass, _callbacks: Callbacks<'_>) {}

pub fn create_framebuffer(
    device: &Device,
    _info: In<'_, vk::FramebufferCreateInfo<'_>>,
    _callbacks: Callbacks<'_>,
    out: Out<'_, vk::Framebuffer>,
) -> VkResult {
    out.set(vk::Framebuffer::null());
    Err(refused(device))
}

/// No framebuffer was ever made.
pub fn destroy_framebuffer(_device: &Device, _framebuffer: vk::Framebuffer, _callbacks: Callbacks<'_>) {}

const FINEST: vk::Extent2D = vk::Extent2D { width: 1, height: 1 };

pub fn get_render_area_granularity(_device: &Device, _pass: vk::RenderPass, out: Out<'_, vk::Extent2D>) {
    out.set(FINEST);
}

pub fn get_rendering_area_granularity_khr(
    _device: &Device,
    _info: In<'_, vk::RenderingAreaInfoKHR<'_>>,
    out: Out<'_, vk::Extent2D>,
) {
    out.set(FINEST);
}
