//! Recording: barriers and events.
//!
//! One dependency stands for all barriers of a command: memory is coherent per adapter, images have one layout, and
//! queue families share everything, so only stages and accesses remain.

use crate::edge::{In, Slice};
use crate::generated::types;
use crate::objects::CommandBuffer;
use ash::vk;
use runtime::{Dependency, Event};
use smallvec::SmallVec;
use std::sync::Arc;

/// Stages of the first form; the 64-bit ones begin with them.
fn stages(s: vk::PipelineStageFlags) -> vk::PipelineStageFlags2 {
    vk::PipelineStageFlags2::from_raw(u64::from(s.as_raw()))
}

fn accesses(a: vk::AccessFlags) -> vk::AccessFlags2 {
    vk::AccessFlags2::from_raw(u64::from(a.as_raw()))
}

fn dependency(info: In<'_, vk::DependencyInfo<'_>>) -> Dependency {
    let mut all = Dependency::default();
    for b in info.memory_barriers().iter() {
        all.merge(&Dependency {
            src_stages: b.src_stage_mask,
            dst_stages: b.dst_stage_mask,
            src_access: b.src_access_mask,
            dst_access: b.dst_access_mask,
        });
    }
    for b in info.buffer_memory_barriers().iter() {
        all.merge(&Dependency {
            src_stages: b.src_stage_mask,
            dst_stages: b.dst_stage_mask,
            src_access: b.src_access_mask,
            dst_access: b.dst_access_mask,
        });
    }
    for b in info.image_memory_barriers().iter() {
        all.merge(&Dependency {
            src_stages: b.src_stage_mask,
            dst_stages: b.dst_stage_mask,
            src_access: b.src_access_mask,
            dst_access: b.dst_access_mask,
        });
    }
    let ranges = info.next::<types::MemoryRangeBarriersInfoKHR<'_>>();
    for b in ranges.into_iter().flat_map(|r| r.memory_range_barriers().iter()) {
        all.merge(&Dependency {
            src_stages: b.src_stage_mask,
            dst_stages: b.dst_stage_mask,
            src_access: b.src_access_mask,
            dst_access: b.dst_access_mask,
        });
    }
    all
}

/// The first form's barriers, whose stages stand at the command.
fn dependency1(
    src: vk::PipelineStageFlags,
    dst: vk::PipelineStageFlags,
    memory: Slice<'_, vk::MemoryBarrier<'_>>,
    buffers: Slice<'_, vk::BufferMemoryBarrier<'_>>,
    images: Slice<'_, vk::ImageMemoryBarrier<'_>>,
) -> Dependency {
    let mut all = Dependency { src_stages: stages(src), dst_stages: stages(dst), ..Default::default() };
    let pairs = memory
        .iter()
        .map(|b| (b.src_access_mask, b.dst_access_mask))
        .chain(buffers.iter().map(|b| (b.src_access_mask, b.dst_access_mask)))
        .chain(images.iter().map(|b| (b.src_access_mask, b.dst_access_mask)));
    for (src, dst) in pairs {
        all.src_access |= accesses(src);
        all.dst_access |= accesses(dst);
    }
    all
}

pub fn cmd_pipeline_barrier(
    cb: &CommandBuffer,
    src: vk::PipelineStageFlags,
    dst: vk::PipelineStageFlags,
    _flags: vk::DependencyFlags,
    memory: Slice<'_, vk::MemoryBarrier<'_>>,
    buffers: Slice<'_, vk::BufferMemoryBarrier<'_>>,
    images: Slice<'_, vk::ImageMemoryBarrier<'_>>,
) {
    cb.rt.barrier(&dependency1(src, dst, memory, buffers, images));
}

pub fn cmd_pipeline_barrier2(cb: &CommandBuffer, info: In<'_, vk::DependencyInfo<'_>>) {
    cb.rt.barrier(&dependency(info));
}

pub fn cmd_set_event(cb: &CommandBuffer, event: &Arc<Event>, stage: vk::PipelineStageFlags) {
    let dependency = Dependency { src_stages: stages(stage), ..Default::default() };
    cb.rt.set_event(event, &dependency);
}

pub fn cmd_set_event2(cb: &CommandBuffer, event: &Arc<Event>, info: In<'_, vk::DependencyInfo<'_>>) {
    cb.rt.set_event(event, &dependency(info));
}

pub fn cmd_reset_event(cb: &CommandBuffer, event: &Arc<Event>, stage: vk::PipelineStageFlags) {
    cb.rt.reset_event(event, stages(stage));
}

pub fn cmd_reset_event2(cb: &CommandBuffer, event: &Arc<Event>, stage: vk::PipelineStageFlags2) {
    cb.rt.reset_event(event, stage);
}

fn events<'a>(events: Slice<'a, vk::Event>) -> SmallVec<[&'a Event; 8]> {
    events.iter().map(|e| &**e.object()).collect()
}

pub fn cmd_wait_events(
    cb: &CommandBuffer,
    list: Slice<'_, vk::Event>,
    src: vk::PipelineStageFlags,
    dst: vk::PipelineStageFlags,
    memory: Slice<'_, vk::MemoryBarrier<'_>>,
    buffers: Slice<'_, vk::BufferMemoryBarrier<'_>>,
    images: Slice<'_, vk::ImageMemoryBarrier<'_>>,
) {
    let dependency = dependency1(src, dst, memory, buffers, images);
    cb.rt.wait_events(&events(list), &dependency);
}

pub fn cmd_wait_events2(cb: &CommandBuffer, list: Slice<'_, vk::Event>, infos: Slice<'_, vk::DependencyInfo<'_>>) {
    let mut all = Dependency::default();
    for info in infos.iter() {
        all.merge(&dependency(info));
    }
    cb.rt.wait_events(&events(list), &all);
}
