//! VK_KHR_pipeline_binary: kernels that applications keep instead of pipeline caches.

use super::pipeline::pipeline_create;
use super::{Callbacks, VkResult};
use crate::edge::{Allocator, Block, Dispatch, In, InOut, OutArray, OutSlice, Taken};
use crate::generated::types;
use crate::objects::Device;
use ash::vk;
use runtime::{Error, PipelineBinary, ProgramCreate};
use std::sync::Arc;

fn put_key(mut out: InOut<'_, types::PipelineBinaryKeyKHR<'_>>, key: [u8; 32]) {
    out.key_size = key.len() as u32;
    out.key = key;
}

fn compute_create(device: &Device, info: In<'_, types::PipelineCreateInfoKHR<'_>>) -> VkResult<ProgramCreate> {
    match info.next::<vk::ComputePipelineCreateInfo<'_>>() {
        Some(create) => pipeline_create(device, create),
        None => Err(device.fail(&Error::Unknown("a pipeline binary of no compute pipeline".to_owned()))),
    }
}

pub fn get_pipeline_key_khr(
    device: &Device,
    info: Option<In<'_, types::PipelineCreateInfoKHR<'_>>>,
    out: InOut<'_, types::PipelineBinaryKeyKHR<'_>>,
) -> VkResult {
    let key = match info {
        Some(info) => compute_create(device, info)?.key(&device.rt),
        None => device.rt.global_pipeline_key(),
    };
    put_key(out, key);
    Ok(())
}

type CreateInfo<'a> = In<'a, types::PipelineBinaryCreateInfoKHR<'a>>;

/// How many binaries a create info stands for.
fn count(info: CreateInfo<'_>) -> usize {
    info.keys_and_data_info().map_or(1, |k| k.binary_count as usize)
}

/// The binary of this index.
fn binary(device: &Device, info: CreateInfo<'_>, index: usize) -> VkResult<Arc<PipelineBinary>> {
    if let Some(given) = info.keys_and_data_info() {
        let (Some(key), Some(data)) = (given.pipeline_binary_keys().at(index), given.pipeline_binary_data().at(index))
        else {
            return Err(device.fail(&Error::Unknown("a pipeline binary without key or data".to_owned())));
        };
        let key = key.key.get(..key.key_size as usize).unwrap_or(&[]);
        // SAFETY: by valid usage the pointer is valid for the size.
        let data = unsafe { crate::edge::plain(data.p_data.cast::<u8>().cast_const(), data.data_size) };
        return device.ok(PipelineBinary::from_data(&device.rt, key, data));
    }
    if let Some(pipeline) = info.pipeline() {
        return Ok(PipelineBinary::of_program(pipeline));
    }
    let Some(create) = info.pipeline_create_info() else {
        return Err(device.fail(&Error::Unknown("a pipeline binary of nothing".to_owned())));
    };
    PipelineBinary::find(&device.rt, &compute_create(device, create)?).ok_or(types::PIPELINE_BINARY_MISSING_KHR)
}

pub fn create_pipeline_binaries_khr(
    device: &Device,
    info: CreateInfo<'_>,
    callbacks: Callbacks<'_>,
    mut handles: InOut<'_, types::PipelineBinaryHandlesInfoKHR<'_>>,
) -> VkResult {
    let total = count(info);
    device.open_disk_cache();
    if handles.p_pipeline_binaries.is_null() {
        handles.pipeline_binary_count = total as u32;
        // What is missing is so already when it is counted.
        if info.pipeline_create_info().is_some() {
            binary(device, info, 0)?;
        }
        return Ok(());
    }
    let room = total.min(handles.pipeline_binary_count as usize);
    // SAFETY: by valid usage the array holds as many handles as its count says.
    let mut out = unsafe { OutSlice::new(handles.p_pipeline_binaries, handles.pipeline_binary_count as usize) };
    for i in 0..out.len() {
        out.set(i, types::PipelineBinaryKHR::default());
    }
    let alloc = Allocator::choose(callbacks, &device.alloc);
    let mut worst = Ok(());
    for i in 0..room {
        let made = Block::allocate(&alloc, vk::SystemAllocationScope::OBJECT, || binary(device, info, i));
        match made {
            Ok(block) => out.set(i, types::PipelineBinaryKHR::of(block)),
            Err(e) => worst = worst.and(Err(e)),
        }
    }
    handles.pipeline_binary_count = room as u32;
    worst.and(if room < total { Err(vk::Result::INCOMPLETE) } else { Ok(()) })
}

pub fn destroy_pipeline_binary_khr(
    device: &Device,
    binary: Taken<'_, types::PipelineBinaryKHR>,
    callbacks: Callbacks<'_>,
) {
    binary.destroy(&Allocator::choose(callbacks, &device.alloc));
}

/// Unlike other arrays, nothing is written if it does not fit, and the size that is needed comes back.
pub fn get_pipeline_binary_data_khr(
    device: &Device,
    info: In<'_, types::PipelineBinaryDataInfoKHR<'_>>,
    key: InOut<'_, types::PipelineBinaryKeyKHR<'_>>,
    out: OutArray<'_, u8, usize>,
) -> vk::Result {
    let binary = info.pipeline_binary();
    put_key(key, binary.key());
    let data = binary.data(&device.rt);
    match out.room() {
        Some(room) if room < data.len() => {
            out.set_count(data.len());
            types::ERROR_NOT_ENOUGH_SPACE_KHR
        }
        _ => out.write(data),
    }
}

/// A pipeline keeps its kernel as long as it lives; there is nothing else to release.
pub fn release_captured_pipeline_data_khr(
    _device: &Device,
    _info: In<'_, types::ReleaseCapturedPipelineDataInfoKHR<'_>>,
    _callbacks: Callbacks<'_>,
) -> VkResult {
    Ok(())
}
