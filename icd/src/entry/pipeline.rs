//! Compute pipelines.

use super::shader_module::{module, specialization};
use super::{Callbacks, VkResult};
use crate::edge::{Allocator, Block, Dispatch, In, OutSlice, Slice, Taken};
use crate::env;
use crate::generated::types;
use crate::objects::Device;
use ash::vk;
use ash::vk::Handle;
use runtime::gpu::RobustnessLevel;
use runtime::{Feedback, PipelineCache, PipelineRobustness, Program, ProgramCode, ProgramCreate};
use std::sync::Arc;

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

/// Where the code is: a binary, a module, SPIR-V in the stage's chain, or only its identifier.
fn code(device: &Device, info: In<'_, vk::ComputePipelineCreateInfo<'_>>) -> VkResult<ProgramCode> {
    let binaries = info.next::<types::PipelineBinaryInfoKHR<'_>>();
    // A compute pipeline has one binary; a structure that names none asks for nothing.
    if let Some(binary) = binaries.and_then(|b| b.pipeline_binaries().at(0)) {
        return Ok(ProgramCode::Binary(binary.object().clone()));
    }
    let stage = info.stage();
    if let Some(m) = stage.module() {
        return Ok(ProgramCode::Module(m.clone()));
    }
    if let Some(inline) = stage.next::<vk::ShaderModuleCreateInfo<'_>>() {
        return Ok(ProgramCode::Module(module(device, inline)?));
    }
    let identifier = stage.next::<vk::PipelineShaderStageModuleIdentifierCreateInfoEXT<'_>>();
    match identifier.and_then(|i| i.identifier().try_into().ok()) {
        Some(hash) => Ok(ProgramCode::Identifier(hash)),
        None => Err(device.fail(&runtime::Error::Unknown("a pipeline stage without code".to_owned()))),
    }
}

/// What the runtime makes a compute pipeline of.
pub(super) fn pipeline_create(
    device: &Device,
    info: In<'_, vk::ComputePipelineCreateInfo<'_>>,
) -> VkResult<ProgramCreate> {
    let stage = info.stage();
    let flags = info
        .next::<vk::PipelineCreateFlags2CreateInfoKHR<'_>>()
        .map_or(vk::PipelineCreateFlags2KHR::from_raw(u64::from(info.flags.as_raw())), |f| f.flags);
    Ok(ProgramCreate {
        flags: flags | debug_flags(),
        code: code(device, info)?,
        entry: stage.name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        specialization: stage.specialization_info().map(specialization).unwrap_or_default(),
        layout: super::pipeline_layout(device, info, flags)?,
        stage_flags: stage.flags,
        required_subgroup_size: stage
            .next::<vk::PipelineShaderStageRequiredSubgroupSizeCreateInfo<'_>>()
            .map(|r| r.required_subgroup_size),
        robustness: robustness(info),
    })
}

/// Flags that `VKDXG_DEBUG` asks for: with `quick`, and for the texts of `ir` and `asm`.
pub(super) fn debug_flags() -> vk::PipelineCreateFlags2KHR {
    type F = vk::PipelineCreateFlags2KHR;
    let debug = &env::options().debug;
    let texts = if debug.asm || debug.ir.is_some() { F::CAPTURE_INTERNAL_REPRESENTATIONS } else { F::empty() };
    texts | if debug.quick { F::DISABLE_OPTIMIZATION } else { F::empty() }
}

/// Prints the texts that `VKDXG_DEBUG=ir,asm` asks for.
pub(super) fn print_texts(program: &Program) {
    let debug = &env::options().debug;
    let info = program.info();
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
    let outcomes = Program::create_many(&device.rt, cache.map(|c| &**c), &creates);
    let mut worst = Ok(());
    for ((i, info), outcome) in infos.iter().enumerate().zip(outcomes) {
        report_feedback(info, &outcome.feedback);
        let made = outcome
            .program
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
