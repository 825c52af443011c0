//! Command pools and the lifecycle of command buffers.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, Out, OutSlice, Slice, Taken};
use crate::objects::{CommandBuffer, CommandPool, Device, Owned};
use ash::vk;

pub fn create_command_pool(
    device: &Device,
    info: In<'_, vk::CommandPoolCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::CommandPool>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || {
        let rt = device.ok(runtime::CommandPool::new(&device.rt, info.queue_family_index, info.flags))?;
        let alloc = Allocator::choose(callbacks, &device.alloc);
        Ok(CommandPool::new(rt, alloc))
    })
}

pub fn destroy_command_pool(device: &Device, pool: Taken<'_, vk::CommandPool>, callbacks: Callbacks<'_>) {
    pool.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn reset_command_pool(_device: &Device, pool: &CommandPool, flags: vk::CommandPoolResetFlags) -> VkResult {
    pool.rt.reset(flags.contains(vk::CommandPoolResetFlags::RELEASE_RESOURCES));
    Ok(())
}

pub fn trim_command_pool(_device: &Device, pool: &CommandPool, _flags: vk::CommandPoolTrimFlags) {
    pool.rt.trim();
}

pub fn allocate_command_buffers(
    device: &Device,
    info: In<'_, vk::CommandBufferAllocateInfo<'_>>,
    mut out: OutSlice<'_, vk::CommandBuffer>,
) -> VkResult {
    let pool = info.command_pool();
    let made: VkResult<Vec<_>> = (0..out.len())
        .map(|_| {
            Owned::<vk::CommandBuffer>::new(&pool.alloc, || {
                Ok(CommandBuffer { rt: device.ok(pool.rt.allocate(info.level))?, device: device.core.clone() })
            })
        })
        .collect();
    match made {
        Ok(buffers) => {
            for (i, b) in buffers.into_iter().enumerate() {
                out.set(i, pool.insert(b));
            }
            Ok(())
        }
        Err(e) => {
            for i in 0..out.len() {
                out.set(i, vk::CommandBuffer::null());
            }
            Err(e)
        }
    }
}

pub fn free_command_buffers(_device: &Device, pool: &CommandPool, buffers: Slice<'_, vk::CommandBuffer>) {
    for b in buffers.iter() {
        pool.remove(*b);
    }
}

pub fn begin_command_buffer(cb: &CommandBuffer, info: In<'_, vk::CommandBufferBeginInfo<'_>>) -> VkResult {
    cb.device.ok(cb.rt.begin(info.flags))?;
    if cb.rt.level() == vk::CommandBufferLevel::SECONDARY {
        // SAFETY: for secondary command buffers the inheritance information is valid.
        let inherited = unsafe { info.inheritance_info() }.and_then(|i| i.next());
        if let Some(heaps) = inherited {
            super::inherit_heaps(cb, heaps);
        }
    }
    Ok(())
}

pub fn end_command_buffer(cb: &CommandBuffer) -> VkResult {
    cb.device.ok(cb.rt.end())
}

pub fn reset_command_buffer(cb: &CommandBuffer, flags: vk::CommandBufferResetFlags) -> VkResult {
    let release = flags.contains(vk::CommandBufferResetFlags::RELEASE_RESOURCES);
    cb.device.ok(cb.rt.reset(release))
}
