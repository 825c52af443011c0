//! Shader modules, pipeline caches and compute pipelines.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, Block, Dispatch, In, Out, OutArray, OutSlice, Slice, Taken};
use crate::env;
use crate::objects::Device;
use ash::vk;
use ash::vk::Handle;
use runtime::gpu::RobustnessLevel;
use runtime::{ComputePipeline, ComputePipelineCreate, Feedback, PipelineCache, PipelineRobustness, ShaderModule};
use std::sync::Arc;

fn module(device: &Device, info: In<'_, vk::ShaderModuleCreateInfo<'_>>) -> VkResult<Arc<ShaderModule>> {
    device.ok(ShaderModule::new(&device.rt, info.code().to_vec()))
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

/// Specialisation constants: id and bytes. Entries outside of the data are left out.
fn specialization(stage: In<'_, vk::PipelineShaderStageCreateInfo<'_>>) -> Vec<(u32, Vec<u8>)> {
    let Some(info) = stage.specialization_info() else {
        return Vec::new();
    };
    info.map_entries()
        .iter()
        .filter_map(|e| {
            let start = e.offset as usize;
            let bytes = info.data().get(start..start.checked_add(e.size)?)?;
            Some((e.constant_id, bytes.to_vec()))
        })
        .collect()
}

/// What a pipeline's robustness structure asks for; `None`: the device's.
fn robustness(info: In<'_, vk::ComputePipelineCreateInfo<'_>>) -> Option<PipelineRobustness> {
    // What stands at the stage outweighs what stands at the pipeline.
    let r = info.stage().next::<vk::PipelineRobustnessCreateInfoEXT<'_>>().or_else(|| info.next())?;
    let buffer = |b: vk::PipelineRobustnessBufferBehaviorEXT| match b {
        vk::PipelineRobustnessBufferBehaviorEXT::DISABLED => Some(RobustnessLevel::Off),
        vk::PipelineRobustnessBufferBehaviorEXT::ROBUST_BUFFER_ACCESS => Some(RobustnessLevel::Access),
        vk::PipelineRobustnessBufferBehaviorEXT::ROBUST_BUFFER_ACCESS_2 => Some(RobustnessLevel::Access2),
        _ => None,
    };
    let image = |b: vk::PipelineRobustnessImageBehaviorEXT| match b {
        vk::PipelineRobustnessImageBehaviorEXT::DISABLED => Some(RobustnessLevel::Off),
        vk::PipelineRobustnessImageBehaviorEXT::ROBUST_IMAGE_ACCESS => Some(RobustnessLevel::Access),
        vk::PipelineRobustnessImageBehaviorEXT::ROBUST_IMAGE_ACCESS_2 => Some(RobustnessLevel::Access2),
        _ => None,
    };
    Some(PipelineRobustness {
        storage: buffer(r.storage_buffers),
        uniform: buffer(r.uniform_buffers),
        image: image(r.images),
    })
}

fn pipeline_create(
    device: &Device,
    info: In<'_, vk::ComputePipelineCreateInfo<'_>>,
) -> VkResult<ComputePipelineCreate> {
    let stage = info.stage();
    let module = match (stage.module(), stage.next::<vk::ShaderModuleCreateInfo<'_>>()) {
        (Some(m), _) => m.clone(),
        (None, Some(inline)) => module(device, inline)?,
        (None, None) => return Err(vk::Result::ERROR_UNKNOWN),
    };
    let mut flags = info
        .next::<vk::PipelineCreateFlags2CreateInfoKHR<'_>>()
        .map_or(vk::PipelineCreateFlags2KHR::from_raw(u64::from(info.flags.as_raw())), |f| f.flags);
    let debug = &env::options().debug;
    if debug.asm || debug.ir.is_some() {
        flags |= vk::PipelineCreateFlags2KHR::CAPTURE_INTERNAL_REPRESENTATIONS;
    }
    Ok(ComputePipelineCreate {
        flags,
        module,
        entry: stage.name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        specialization: specialization(stage),
        layout: info.layout().clone(),
        stage_flags: stage.flags,
        required_subgroup_size: stage
            .next::<vk::PipelineShaderStageRequiredSubgroupSizeCreateInfo<'_>>()
            .map(|r| r.required_subgroup_size),
        robustness: robustness(info),
    })
}

/// Prints the texts that `VKDXG_DEBUG=ir,asm` asks for.
fn print_texts(pipeline: &ComputePipeline) {
    let debug = &env::options().debug;
    let info = pipeline.info();
    for r in &info.representations {
        let is_asm = r.name == "assembly";
        // Of single passes the compiler itself prints.
        let wanted = if is_asm { debug.asm } else { debug.ir == Some(None) };
        if wanted {
            eprintln!("; {}: {}\n{}", info.name, r.name, r.text);
        }
    }
}

/// Writes what VK_EXT_pipeline_creation_feedback asks for.
fn report_feedback(info: In<'_, vk::ComputePipelineCreateInfo<'_>>, feedback: &Feedback) {
    type F = vk::PipelineCreationFeedbackFlags;
    let Some(out) = info.next::<vk::PipelineCreationFeedbackCreateInfo<'_>>() else {
        return;
    };
    let hit = if feedback.cache_hit { F::APPLICATION_PIPELINE_CACHE_HIT } else { F::empty() };
    let value = vk::PipelineCreationFeedback { flags: F::VALID | hit, duration: feedback.duration_ns };
    // SAFETY: by valid usage the pointer is valid for one structure.
    if let Some(p) = unsafe { out.p_pipeline_creation_feedback.as_mut() } {
        *p = value;
    }
    // SAFETY: by valid usage the pointer is null or valid for the count.
    let stages = unsafe {
        OutSlice::new(out.p_pipeline_stage_creation_feedbacks, out.pipeline_stage_creation_feedback_count as usize)
    };
    let mut stages = stages;
    for i in 0..stages.len() {
        stages.set(i, value);
    }
}

pub fn create_compute_pipelines(
    device: &Device,
    cache: Option<&Arc<PipelineCache>>,
    infos: Slice<'_, vk::ComputePipelineCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    mut out: OutSlice<'_, vk::Pipeline>,
) -> VkResult {
    for i in 0..out.len() {
        out.set(i, vk::Pipeline::null());
    }
    let alloc = Allocator::choose(callbacks, &device.alloc);
    device.open_disk_cache();
    let creates = infos.iter().map(|info| pipeline_create(device, info)).collect::<VkResult<Vec<_>>>()?;
    let outcomes = ComputePipeline::create_many(&device.rt, cache.map(|c| &**c), &creates);
    let mut worst = Ok(());
    for ((i, info), outcome) in infos.iter().enumerate().zip(outcomes) {
        report_feedback(info, &outcome.feedback);
        let made = outcome
            .pipeline
            .map_err(|e| {
                let module = (vk::ObjectType::SHADER_MODULE, info.stage.module.as_raw());
                device.fail_about(&e, Some(module))
            })
            .and_then(|p| {
                print_texts(&p);
                Block::allocate(&alloc, vk::SystemAllocationScope::OBJECT, || Ok(p))
            });
        match made {
            Ok(block) => out.set(i, vk::Pipeline::of(block)),
            // An error outweighs "a compilation would be needed".
            Err(e) if worst.is_ok() || worst == Err(vk::Result::PIPELINE_COMPILE_REQUIRED) => {
                worst = Err(e);
            }
            Err(_) => {}
        }
    }
    worst
}

pub fn destroy_pipeline(device: &Device, pipeline: Taken<'_, vk::Pipeline>, callbacks: Callbacks<'_>) {
    pipeline.destroy(&Allocator::choose(callbacks, &device.alloc));
}
