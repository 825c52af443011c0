//! Pipeline caches.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, Out, OutArray, Slice, Taken};
use crate::objects::Device;
use ash::vk;
use runtime::PipelineCache;
use std::sync::Arc;

pub fn create_pipeline_cache(
    device: &Device,
    info: In<'_, vk::PipelineCacheCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::PipelineCache>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || device.ok(PipelineCache::new(&device.rt, info.initial_data(), info.flags)))
}

pub fn destroy_pipeline_cache(device: &Device, cache: Taken<'_, vk::PipelineCache>, callbacks: Callbacks<'_>) {
    cache.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn get_pipeline_cache_data(
    _device: &Device,
    cache: &Arc<PipelineCache>,
    out: OutArray<'_, u8, usize>,
) -> vk::Result {
    cache_data(cache, out)
}

/// Unlike other arrays, a short buffer must hold a prefix that is a valid cache: the runtime decides what fits.
fn cache_data(cache: &PipelineCache, out: OutArray<'_, u8, usize>) -> vk::Result {
    let Some(room) = out.room() else {
        return out.write(cache.data());
    };
    let (part, complete) = cache.data_within(room);
    let written = out.write(part);
    if complete {
        written
    } else {
        vk::Result::INCOMPLETE
    }
}

pub fn merge_pipeline_caches(
    _device: &Device,
    cache: &Arc<PipelineCache>,
    sources: Slice<'_, vk::PipelineCache>,
) -> VkResult {
    let sources: Vec<&PipelineCache> = sources.iter().map(|c| &**c.object()).collect();
    cache.merge(&sources);
    Ok(())
}
