//! VK_EXT_device_generated_commands: dispatches whose arguments the GPU reads from memory.

use super::buffer::fill_requirements;
use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, InOut, Out, Slice, Taken};
use crate::generated::types;
use crate::objects::{CommandBuffer, Device};
use ash::vk;
use runtime::{
    Error, ExecutionSet, GeneratedCommands, IndirectAction, IndirectLayout, IndirectToken, MemoryRequirements,
};
use std::sync::Arc;

type TokenInfo<'a> = In<'a, types::IndirectCommandsLayoutTokenEXT<'a>>;

fn token(info: TokenInfo<'_>) -> Result<IndirectToken, Error> {
    // SAFETY: tokens of the types this is called for have a push-constant range, by valid usage.
    let range = || unsafe { info.data.p_push_constant.as_ref() }.map(|p| p.update_range);
    let missing = || Error::Unknown("an indirect commands token without its data".to_owned());
    let action = match info.ty {
        // Push data and push constants are one memory.
        types::INDIRECT_COMMANDS_TOKEN_TYPE_PUSH_CONSTANT_EXT | types::INDIRECT_COMMANDS_TOKEN_TYPE_PUSH_DATA_EXT => {
            let r = range().ok_or_else(missing)?;
            IndirectAction::Push { offset: r.offset, size: r.size }
        }
        types::INDIRECT_COMMANDS_TOKEN_TYPE_SEQUENCE_INDEX_EXT
        | types::INDIRECT_COMMANDS_TOKEN_TYPE_PUSH_DATA_SEQUENCE_INDEX_EXT => {
            IndirectAction::Sequence { offset: range().ok_or_else(missing)?.offset }
        }
        types::INDIRECT_COMMANDS_TOKEN_TYPE_EXECUTION_SET_EXT => IndirectAction::Program,
        types::INDIRECT_COMMANDS_TOKEN_TYPE_DISPATCH_EXT => IndirectAction::Dispatch,
        other => {
            return Err(Error::Unknown(format!("indirect commands tokens of type {other:?} are for graphics")));
        }
    };
    Ok(IndirectToken { offset: info.offset, action })
}

pub fn create_indirect_commands_layout_ext(
    device: &Device,
    info: In<'_, types::IndirectCommandsLayoutCreateInfoEXT<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, types::IndirectCommandsLayoutEXT>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || {
        let tokens = info.tokens().iter().map(token).collect::<Result<Vec<_>, _>>();
        device.ok(tokens.and_then(|tokens| IndirectLayout::new(&device.rt, info.indirect_stride, tokens)))
    })
}

pub fn destroy_indirect_commands_layout_ext(
    device: &Device,
    layout: Taken<'_, types::IndirectCommandsLayoutEXT>,
    callbacks: Callbacks<'_>,
) {
    layout.destroy(&Allocator::choose(callbacks, &device.alloc));
}

fn execution_set(
    device: &Device,
    info: In<'_, types::IndirectExecutionSetCreateInfoEXT<'_>>,
) -> Result<Arc<ExecutionSet>, Error> {
    let missing = || Error::Unknown("an indirect execution set without a compute program".to_owned());
    match info.ty {
        types::INDIRECT_EXECUTION_SET_INFO_TYPE_PIPELINES_EXT => {
            // SAFETY: the type says which member is valid.
            let i = unsafe { In::opt(info.info.p_pipeline_info) }.ok_or_else(missing)?;
            ExecutionSet::new(&device.rt, i.initial_pipeline(), i.max_pipeline_count)
        }
        types::INDIRECT_EXECUTION_SET_INFO_TYPE_SHADER_OBJECTS_EXT => {
            // SAFETY: the type says which member is valid.
            let i = unsafe { In::opt(info.info.p_shader_info) }.ok_or_else(missing)?;
            let shaders = i.initial_shaders();
            let initial = shaders.at(0).and_then(|s| s.object_opt()).ok_or_else(missing)?;
            let set = ExecutionSet::new(&device.rt, initial, i.max_shader_count)?;
            for (index, shader) in (0..).zip(shaders.iter()) {
                set.set(index, shader.object());
            }
            Ok(set)
        }
        other => Err(Error::Unknown(format!("indirect execution set of type {other:?}"))),
    }
}

pub fn create_indirect_execution_set_ext(
    device: &Device,
    info: In<'_, types::IndirectExecutionSetCreateInfoEXT<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, types::IndirectExecutionSetEXT>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || device.ok(execution_set(device, info)))
}

pub fn destroy_indirect_execution_set_ext(
    device: &Device,
    set: Taken<'_, types::IndirectExecutionSetEXT>,
    callbacks: Callbacks<'_>,
) {
    set.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn update_indirect_execution_set_pipeline_ext(
    _device: &Device,
    set: &Arc<ExecutionSet>,
    writes: Slice<'_, types::WriteIndirectExecutionSetPipelineEXT<'_>>,
) {
    writes.iter().for_each(|w| set.set(w.index, w.pipeline()));
}

pub fn update_indirect_execution_set_shader_ext(
    _device: &Device,
    set: &Arc<ExecutionSet>,
    writes: Slice<'_, types::WriteIndirectExecutionSetShaderEXT<'_>>,
) {
    writes.iter().for_each(|w| set.set(w.index, w.shader()));
}

/// Nothing is preprocessed, so there is nothing to keep anywhere.
pub fn get_generated_commands_memory_requirements_ext(
    device: &Device,
    _info: In<'_, types::GeneratedCommandsMemoryRequirementsInfoEXT<'_>>,
    out: InOut<'_, vk::MemoryRequirements2<'_>>,
) {
    let type_bits = device.rt.all_memory_types();
    let r = MemoryRequirements { size: 0, align: 1, type_bits, prefers_dedicated: false, requires_dedicated: false };
    fill_requirements(out, r);
}

pub fn cmd_preprocess_generated_commands_ext(
    _cb: &CommandBuffer,
    _info: In<'_, types::GeneratedCommandsInfoEXT<'_>>,
    _state: &CommandBuffer,
) {
}

pub fn cmd_execute_generated_commands_ext(
    cb: &CommandBuffer,
    _is_preprocessed: vk::Bool32,
    info: In<'_, types::GeneratedCommandsInfoEXT<'_>>,
) {
    cb.rt.execute_generated(&GeneratedCommands {
        layout: info.indirect_commands_layout(),
        set: info.indirect_execution_set().map(|s| &**s),
        address: info.indirect_address,
        max_sequences: info.max_sequence_count,
        count: info.sequence_count_address,
    });
}
