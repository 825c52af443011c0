//! Submission.

use super::VkResult;
use crate::edge::{In, Slice};
use crate::objects::Queue;
use ash::vk;
use runtime::{
    Fence, Semaphore, SemaphorePoint, SparseBatch, SparseBind, SparseImageBind, SparseMemory, SparseResource,
    SubmitBatch,
};
use smallvec::SmallVec;
use std::sync::Arc;
use winsys_dxg::uncancelled;

type Points<'a> = SmallVec<[SemaphorePoint<'a>; 8]>;

/// A batch before its parts are borrowed for the runtime.
#[derive(Default)]
struct Batch<'a> {
    waits: Points<'a>,
    buffers: SmallVec<[&'a runtime::CommandBuffer; 8]>,
    signals: Points<'a>,
}

fn point(semaphore: &Arc<Semaphore>, value: u64) -> SemaphorePoint<'_> {
    SemaphorePoint { semaphore, value }
}

fn points2<'a>(infos: Slice<'a, vk::SemaphoreSubmitInfo<'a>>) -> Points<'a> {
    infos.iter().map(|s| point(s.semaphore(), s.value)).collect()
}

fn batch2<'a>(info: In<'a, vk::SubmitInfo2<'a>>) -> Batch<'a> {
    Batch {
        waits: points2(info.wait_semaphore_infos()),
        buffers: info.command_buffer_infos().iter().map(|c| &*c.command_buffer().rt).collect(),
        signals: points2(info.signal_semaphore_infos()),
    }
}

/// Semaphores of the first form, with timeline values where there are some.
fn points1<'a>(semaphores: Slice<'a, vk::Semaphore>, values: &[u64]) -> Points<'a> {
    semaphores.iter().enumerate().map(|(i, s)| point(s.object(), values.get(i).copied().unwrap_or(0))).collect()
}

fn batch1<'a>(info: In<'a, vk::SubmitInfo<'a>>) -> Batch<'a> {
    let values = info.next::<vk::TimelineSemaphoreSubmitInfo<'_>>();
    Batch {
        waits: points1(info.wait_semaphores(), values.map_or(&[], |v| v.wait_semaphore_values())),
        buffers: info.command_buffers().iter().map(|c| &*c.object().rt).collect(),
        signals: points1(info.signal_semaphores(), values.map_or(&[], |v| v.signal_semaphore_values())),
    }
}

fn submit(queue: &Queue, batches: &[Batch<'_>], fence: Option<&Arc<Fence>>) -> VkResult {
    let batches: SmallVec<[SubmitBatch<'_>; 4]> = batches
        .iter()
        .map(|b| SubmitBatch { waits: &b.waits, command_buffers: &b.buffers, signals: &b.signals })
        .collect();
    queue.device.ok(queue.rt.submit(&batches, fence.map(|f| &**f)))
}

pub fn queue_submit2(queue: &Queue, submits: Slice<'_, vk::SubmitInfo2<'_>>, fence: Option<&Arc<Fence>>) -> VkResult {
    let batches: SmallVec<[Batch<'_>; 2]> = submits.iter().map(batch2).collect();
    submit(queue, &batches, fence)
}

pub fn queue_submit(queue: &Queue, submits: Slice<'_, vk::SubmitInfo<'_>>, fence: Option<&Arc<Fence>>) -> VkResult {
    let batches: SmallVec<[Batch<'_>; 2]> = submits.iter().map(batch1).collect();
    submit(queue, &batches, fence)
}

pub fn queue_wait_idle(queue: &Queue) -> VkResult {
    uncancelled(|| queue.device.ok(queue.rt.wait_idle()))
}

/// The memory of a bind, if it binds any.
fn sparse_memory<'a>(bind: In<'a, vk::SparseMemoryBind>) -> Option<SparseMemory<'a>> {
    bind.memory().map(|memory| SparseMemory { memory, offset: bind.memory_offset })
}

fn binds<'a>(
    resource: SparseResource<'a>,
    binds: Slice<'a, vk::SparseMemoryBind>,
) -> impl Iterator<Item = SparseBind<'a>> {
    binds.iter().map(move |b| SparseBind {
        resource,
        offset: b.resource_offset,
        size: b.size,
        memory: sparse_memory(b),
    })
}

fn image_binds<'a>(info: In<'a, vk::SparseImageMemoryBindInfo<'a>>) -> impl Iterator<Item = SparseImageBind<'a>> {
    info.binds().iter().map(move |b| SparseImageBind {
        image: info.image(),
        subresource: b.subresource,
        offset: b.offset,
        extent: b.extent,
        memory: b.memory().map(|memory| SparseMemory { memory, offset: b.memory_offset }),
    })
}

/// A batch before its parts are borrowed for the runtime.
struct Binds<'a> {
    waits: Points<'a>,
    binds: Vec<SparseBind<'a>>,
    image_binds: Vec<SparseImageBind<'a>>,
    signals: Points<'a>,
}

fn sparse_batch<'a>(info: In<'a, vk::BindSparseInfo<'a>>) -> Binds<'a> {
    let values = info.next::<vk::TimelineSemaphoreSubmitInfo<'_>>();
    let buffers = info.buffer_binds().iter().flat_map(|b| binds(SparseResource::Buffer(b.buffer()), b.binds()));
    let opaque = info.image_opaque_binds().iter().flat_map(|b| binds(SparseResource::Image(b.image()), b.binds()));
    Binds {
        waits: points1(info.wait_semaphores(), values.map_or(&[], |v| v.wait_semaphore_values())),
        binds: buffers.chain(opaque).collect(),
        image_binds: info.image_binds().iter().flat_map(image_binds).collect(),
        signals: points1(info.signal_semaphores(), values.map_or(&[], |v| v.signal_semaphore_values())),
    }
}

pub fn queue_bind_sparse(
    queue: &Queue,
    infos: Slice<'_, vk::BindSparseInfo<'_>>,
    fence: Option<&Arc<Fence>>,
) -> VkResult {
    let batches: SmallVec<[Binds<'_>; 2]> = infos.iter().map(sparse_batch).collect();
    let batches: SmallVec<[SparseBatch<'_>; 2]> = batches
        .iter()
        .map(|b| SparseBatch { waits: &b.waits, binds: &b.binds, image_binds: &b.image_binds, signals: &b.signals })
        .collect();
    queue.device.ok(queue.rt.bind_sparse(&batches, fence.map(|f| &**f)))
}
