//! Recording: binding, dispatching, secondary command buffers.

use crate::edge::{In, Slice};
use crate::generated::types;
use crate::objects::CommandBuffer;
use ash::vk;
use runtime::{Buffer, PipelineLayout, Program};
use smallvec::SmallVec;
use std::sync::Arc;

pub fn cmd_bind_pipeline(cb: &CommandBuffer, _bind_point: vk::PipelineBindPoint, pipeline: &Arc<Program>) {
    cb.rt.bind_program(Some(pipeline));
}

#[inline]
fn bind_sets(
    cb: &CommandBuffer,
    layout: &PipelineLayout,
    first: u32,
    sets: Slice<'_, vk::DescriptorSet>,
    offsets: &[u32],
) {
    cb.rt.bind_sets(layout, first, sets.iter().map(|s| s.object_opt()), offsets);
}

pub fn cmd_bind_descriptor_sets(
    cb: &CommandBuffer,
    bind_point: vk::PipelineBindPoint,
    layout: &Arc<PipelineLayout>,
    first: u32,
    sets: Slice<'_, vk::DescriptorSet>,
    offsets: &[u32],
) {
    // What is bound for graphics cannot be used by anything.
    if bind_point == vk::PipelineBindPoint::COMPUTE {
        bind_sets(cb, layout, first, sets, offsets);
    }
}

pub fn cmd_bind_descriptor_sets2_khr(cb: &CommandBuffer, info: In<'_, vk::BindDescriptorSetsInfoKHR<'_>>) {
    if !info.stage_flags.contains(vk::ShaderStageFlags::COMPUTE) {
        return;
    }
    if let Some(layout) = info.layout() {
        bind_sets(cb, layout, info.first_set, info.descriptor_sets(), info.dynamic_offsets());
    }
}

pub fn cmd_push_constants(
    cb: &CommandBuffer,
    _layout: &Arc<PipelineLayout>,
    _stages: vk::ShaderStageFlags,
    offset: u32,
    values: &[u8],
) {
    cb.rt.push_constants(offset, values);
}

pub fn cmd_push_constants2_khr(cb: &CommandBuffer, info: In<'_, vk::PushConstantsInfoKHR<'_>>) {
    cb.rt.push_constants(info.offset, info.values());
}

pub fn cmd_dispatch(cb: &CommandBuffer, x: u32, y: u32, z: u32) {
    cb.rt.dispatch([0; 3], [x, y, z]);
}

pub fn cmd_dispatch_base(cb: &CommandBuffer, base_x: u32, base_y: u32, base_z: u32, x: u32, y: u32, z: u32) {
    cb.rt.dispatch([base_x, base_y, base_z], [x, y, z]);
}

pub fn cmd_dispatch_indirect(cb: &CommandBuffer, buffer: &Arc<Buffer>, offset: u64) {
    cb.rt.dispatch_indirect(buffer.address().wrapping_add(offset));
}

pub fn cmd_dispatch_indirect2_khr(cb: &CommandBuffer, info: In<'_, types::DispatchIndirect2InfoKHR<'_>>) {
    cb.rt.dispatch_indirect(info.address_range.address);
}

pub fn cmd_begin_conditional_rendering_ext(cb: &CommandBuffer, info: In<'_, vk::ConditionalRenderingBeginInfoEXT<'_>>) {
    let inverted = info.flags.contains(vk::ConditionalRenderingFlagsEXT::INVERTED);
    cb.rt.begin_condition(info.buffer().address().wrapping_add(info.offset), inverted);
}

pub fn cmd_begin_conditional_rendering2_ext(
    cb: &CommandBuffer,
    info: In<'_, types::ConditionalRenderingBeginInfo2EXT<'_>>,
) {
    let inverted = info.flags.contains(vk::ConditionalRenderingFlagsEXT::INVERTED);
    cb.rt.begin_condition(info.address_range.address, inverted);
}

pub fn cmd_end_conditional_rendering_ext(cb: &CommandBuffer) {
    cb.rt.end_condition();
}

pub fn cmd_write_buffer_marker_amd(
    cb: &CommandBuffer,
    _stage: vk::PipelineStageFlags,
    buffer: &Arc<Buffer>,
    offset: u64,
    marker: u32,
) {
    cb.rt.write_marker(buffer.address().wrapping_add(offset), marker);
}

pub fn cmd_write_buffer_marker2_amd(
    cb: &CommandBuffer,
    _stage: vk::PipelineStageFlags2,
    buffer: &Arc<Buffer>,
    offset: u64,
    marker: u32,
) {
    cb.rt.write_marker(buffer.address().wrapping_add(offset), marker);
}

pub fn cmd_write_marker_to_memory_amd(cb: &CommandBuffer, info: In<'_, types::MemoryMarkerInfoAMD<'_>>) {
    cb.rt.write_marker(info.dst_range.address, info.marker);
}

/// A group has one device, so the mask says nothing.
pub fn cmd_set_device_mask(_cb: &CommandBuffer, _mask: u32) {}

pub fn cmd_execute_commands(cb: &CommandBuffer, buffers: Slice<'_, vk::CommandBuffer>) {
    let buffers: SmallVec<[&runtime::CommandBuffer; 8]> = buffers.iter().map(|b| &*b.object().rt).collect();
    cb.rt.execute(&buffers);
}
