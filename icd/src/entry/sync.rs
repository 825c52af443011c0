//! Fences, semaphores, events.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, Out, Slice, Taken};
use crate::objects::Device;
use ash::vk;
use runtime::{Event, Fence, Semaphore, SemaphoreKind};
use smallvec::SmallVec;
use std::sync::Arc;
use winsys_dxg::uncancelled;

/// Waits answer with a timeout as a success code.
fn waited(done: bool) -> VkResult {
    if done {
        Ok(())
    } else {
        Err(vk::Result::TIMEOUT)
    }
}

pub fn create_fence(
    device: &Device,
    info: In<'_, vk::FenceCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::Fence>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || {
        let export = info.next::<vk::ExportFenceCreateInfo<'_>>().map_or_else(Default::default, |e| e.handle_types);
        let signaled = info.flags.contains(vk::FenceCreateFlags::SIGNALED);
        device.ok(Fence::new(&device.rt, signaled, export))
    })
}

pub fn destroy_fence(device: &Device, fence: Taken<'_, vk::Fence>, callbacks: Callbacks<'_>) {
    fence.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn reset_fences(device: &Device, fences: Slice<'_, vk::Fence>) -> VkResult {
    for f in fences.iter() {
        device.ok(f.object().reset())?;
    }
    Ok(())
}

pub fn get_fence_status(device: &Device, fence: &Arc<Fence>) -> VkResult {
    if device.ok(fence.status())? {
        Ok(())
    } else {
        Err(vk::Result::NOT_READY)
    }
}

pub fn wait_for_fences(device: &Device, fences: Slice<'_, vk::Fence>, wait_all: vk::Bool32, timeout: u64) -> VkResult {
    let fences: SmallVec<[&Fence; 8]> = fences.iter().map(|f| &**f.object()).collect();
    let wait = || device.ok(Fence::wait(&device.rt, &fences, wait_all != vk::FALSE, timeout));
    waited(uncancelled(wait)?)
}

pub fn create_semaphore(
    device: &Device,
    info: In<'_, vk::SemaphoreCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::Semaphore>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || {
        let kind = info
            .next::<vk::SemaphoreTypeCreateInfo<'_>>()
            .filter(|t| t.semaphore_type == vk::SemaphoreType::TIMELINE)
            .map_or(SemaphoreKind::Binary, |t| SemaphoreKind::Timeline(t.initial_value));
        let export = info.next::<vk::ExportSemaphoreCreateInfo<'_>>().map_or_else(Default::default, |e| e.handle_types);
        device.ok(Semaphore::new(&device.rt, kind, export))
    })
}

pub fn destroy_semaphore(device: &Device, semaphore: Taken<'_, vk::Semaphore>, callbacks: Callbacks<'_>) {
    semaphore.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn get_semaphore_counter_value(device: &Device, semaphore: &Arc<Semaphore>, out: Out<'_, u64>) -> VkResult {
    out.set(device.ok(semaphore.counter())?);
    Ok(())
}

pub fn wait_semaphores(device: &Device, info: In<'_, vk::SemaphoreWaitInfo<'_>>, timeout: u64) -> VkResult {
    let pairs: SmallVec<[(&Semaphore, u64); 8]> =
        info.semaphores().iter().zip(info.values()).map(|(s, v)| (&**s.object(), *v)).collect();
    let any = info.flags.contains(vk::SemaphoreWaitFlags::ANY);
    waited(uncancelled(|| device.ok(Semaphore::wait(&device.rt, &pairs, any, timeout)))?)
}

pub fn signal_semaphore(device: &Device, info: In<'_, vk::SemaphoreSignalInfo<'_>>) -> VkResult {
    device.ok(info.semaphore().signal(info.value))
}

pub fn create_event(
    device: &Device,
    _info: In<'_, vk::EventCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::Event>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || device.ok(Event::new(&device.rt)))
}

pub fn destroy_event(device: &Device, event: Taken<'_, vk::Event>, callbacks: Callbacks<'_>) {
    event.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn get_event_status(device: &Device, event: &Arc<Event>) -> VkResult {
    Err(if device.ok(event.status())? { vk::Result::EVENT_SET } else { vk::Result::EVENT_RESET })
}

pub fn set_event(_device: &Device, event: &Arc<Event>) -> VkResult {
    event.set();
    Ok(())
}

pub fn reset_event(_device: &Device, event: &Arc<Event>) -> VkResult {
    event.reset();
    Ok(())
}
