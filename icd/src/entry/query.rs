//! Queries.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, Out, OutSlice, Taken};
use crate::generated::types;
use crate::objects::{CommandBuffer, Device};
use ash::vk;
use runtime::{Buffer, QueryPool};
use std::sync::Arc;

pub fn create_query_pool(
    device: &Device,
    info: In<'_, vk::QueryPoolCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::QueryPool>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || {
        device.ok(QueryPool::new(&device.rt, info.query_type, info.query_count, info.pipeline_statistics))
    })
}

pub fn destroy_query_pool(device: &Device, pool: Taken<'_, vk::QueryPool>, callbacks: Callbacks<'_>) {
    pool.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn reset_query_pool(_device: &Device, pool: &Arc<QueryPool>, first: u32, count: u32) {
    pool.reset(first, count);
}

pub fn get_query_pool_results(
    device: &Device,
    pool: &Arc<QueryPool>,
    first: u32,
    count: u32,
    mut out: OutSlice<'_, u8>,
    stride: u64,
    flags: vk::QueryResultFlags,
) -> VkResult {
    match device.ok(pool.results(first, count, out.bytes(), stride, flags))? {
        true => Ok(()),
        false => Err(vk::Result::NOT_READY),
    }
}

pub fn cmd_reset_query_pool(cb: &CommandBuffer, pool: &Arc<QueryPool>, first: u32, count: u32) {
    cb.rt.reset_queries(pool, first, count);
}

pub fn cmd_begin_query(cb: &CommandBuffer, pool: &Arc<QueryPool>, query: u32, _flags: vk::QueryControlFlags) {
    cb.rt.begin_query(pool, query);
}

pub fn cmd_end_query(cb: &CommandBuffer, pool: &Arc<QueryPool>, query: u32) {
    cb.rt.end_query(pool, query);
}

pub fn cmd_write_timestamp(cb: &CommandBuffer, stage: vk::PipelineStageFlags, pool: &Arc<QueryPool>, query: u32) {
    let stage = vk::PipelineStageFlags2::from_raw(u64::from(stage.as_raw()));
    cb.rt.write_timestamp(pool, query, stage);
}

pub fn cmd_write_timestamp2(cb: &CommandBuffer, stage: vk::PipelineStageFlags2, pool: &Arc<QueryPool>, query: u32) {
    cb.rt.write_timestamp(pool, query, stage);
}

#[allow(clippy::too_many_arguments)] // the parameters of the command
pub fn cmd_copy_query_pool_results(
    cb: &CommandBuffer,
    pool: &Arc<QueryPool>,
    first: u32,
    count: u32,
    dst: &Arc<Buffer>,
    offset: u64,
    stride: u64,
    flags: vk::QueryResultFlags,
) {
    cb.rt.copy_query_results(pool, first, count, (dst.address().wrapping_add(offset), stride), flags);
}

pub fn cmd_copy_query_pool_results_to_memory_khr(
    cb: &CommandBuffer,
    pool: &Arc<QueryPool>,
    first: u32,
    count: u32,
    dst: In<'_, types::StridedDeviceAddressRangeKHR>,
    _dst_flags: types::AddressCommandFlagsKHR,
    flags: vk::QueryResultFlags,
) {
    cb.rt.copy_query_results(pool, first, count, (dst.address, dst.stride), flags);
}
