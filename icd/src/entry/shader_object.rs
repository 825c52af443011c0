//! VK_EXT_shader_object: compute shaders that are bound without a pipeline.

use super::shader_module::specialization;
use super::{Callbacks, VkResult};
use crate::edge::{Allocator, Block, Dispatch, In, OutArray, OutSlice, Slice, Taken};
use crate::generated::types;
use crate::objects::{CommandBuffer, Device};
use ash::vk;
use runtime::{Error, PipelineLayout, Program, ProgramCode, ProgramCreate, ShaderModule};
use std::sync::Arc;

/// What a create info asks for.
enum Request {
    /// To be compiled.
    Compile(ProgramCreate),
    /// Made earlier.
    Binary(Arc<PipelineLayout>, Vec<u8>),
}

fn request(device: &Device, info: In<'_, vk::ShaderCreateInfoEXT<'_>>) -> Result<Request, Error> {
    if info.stage != vk::ShaderStageFlags::COMPUTE {
        return Err(Error::Unknown(format!("{:?} shader: this device has no graphics queues", info.stage)));
    }
    let layout = if info.flags.contains(types::SHADER_CREATE_DESCRIPTOR_HEAP_BIT_EXT) {
        super::heap_layout(device, info.next())?
    } else {
        // SAFETY: `pSetLayouts` is ignored for descriptor heaps only.
        let sets = unsafe { info.set_layouts() }.iter().map(|l| l.object_opt().cloned()).collect();
        PipelineLayout::new(&device.rt, sets, info.push_constant_ranges())?
    };
    let code = info.code();
    if info.code_type == vk::ShaderCodeTypeEXT::BINARY {
        return Ok(Request::Binary(layout, code.to_vec()));
    }
    if info.code_type != vk::ShaderCodeTypeEXT::SPIRV {
        return Err(Error::Unknown(format!("shader code of type {:?}", info.code_type)));
    }
    let words = code.chunks_exact(4).map(|w| u32::from_ne_bytes([w[0], w[1], w[2], w[3]])).collect();
    let full = info.flags.contains(vk::ShaderCreateFlagsEXT::REQUIRE_FULL_SUBGROUPS);
    let wide = if info.flags.contains(types::SHADER_CREATE_64_BIT_INDEXING_BIT_EXT) {
        types::PIPELINE_CREATE_2_64_BIT_INDEXING_BIT_EXT
    } else {
        vk::PipelineCreateFlags2KHR::empty()
    };
    Ok(Request::Compile(ProgramCreate {
        flags: super::pipeline::debug_flags() | wide,
        code: ProgramCode::Module(ShaderModule::new(&device.rt, words)?),
        entry: info.name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        specialization: info.specialization_info().map(specialization).unwrap_or_default(),
        layout,
        stage_flags: if full {
            vk::PipelineShaderStageCreateFlags::REQUIRE_FULL_SUBGROUPS
        } else {
            vk::PipelineShaderStageCreateFlags::empty()
        },
        required_subgroup_size: info
            .next::<vk::PipelineShaderStageRequiredSubgroupSizeCreateInfo<'_>>()
            .map(|r| r.required_subgroup_size),
        robustness: None,
    }))
}

/// Makes everything that was asked for; those that need it are compiled in parallel.
fn programs(device: &Device, requests: Vec<Result<Request, Error>>) -> Vec<Result<Arc<Program>, Error>> {
    let creates: Vec<ProgramCreate> =
        requests.iter().filter_map(|r| if let Ok(Request::Compile(c)) = r { Some(c.clone()) } else { None }).collect();
    let mut compiled = Program::create_many(&device.rt, None, &creates).into_iter();
    let mut one = |request| match request {
        Request::Compile(_) => compiled.next().map_or(Err(Error::CompileRequired), |o| o.program),
        Request::Binary(layout, bytes) => Program::from_binary(&device.rt, &layout, &bytes),
    };
    requests.into_iter().map(|r| r.and_then(&mut one)).collect()
}

pub fn create_shaders_ext(
    device: &Device,
    infos: Slice<'_, vk::ShaderCreateInfoEXT<'_>>,
    callbacks: Callbacks<'_>,
    mut out: OutSlice<'_, vk::ShaderEXT>,
) -> VkResult {
    for i in 0..out.len() {
        out.set(i, vk::ShaderEXT::null());
    }
    let alloc = Allocator::choose(callbacks, &device.alloc);
    device.open_disk_cache();
    let requests = infos.iter().map(|info| request(device, info)).collect();
    let mut worst = Ok(());
    for (i, program) in programs(device, requests).into_iter().enumerate() {
        let made = device.ok(program).and_then(|p| {
            super::pipeline::print_texts(&p);
            Block::allocate(&alloc, vk::SystemAllocationScope::OBJECT, || Ok(p))
        });
        match made {
            Ok(block) => out.set(i, vk::ShaderEXT::of(block)),
            // An error outweighs "a binary is of no use here".
            Err(e) if worst.is_ok() || worst == Err(vk::Result::INCOMPATIBLE_SHADER_BINARY_EXT) => worst = Err(e),
            Err(_) => {}
        }
    }
    worst
}

pub fn destroy_shader_ext(device: &Device, shader: Taken<'_, vk::ShaderEXT>, callbacks: Callbacks<'_>) {
    shader.destroy(&Allocator::choose(callbacks, &device.alloc));
}

/// Unlike other arrays, nothing is written if it does not fit.
pub fn get_shader_binary_data_ext(device: &Device, shader: &Arc<Program>, out: OutArray<'_, u8, usize>) -> vk::Result {
    let data = shader.binary(&device.rt);
    match out.room() {
        Some(room) if room < data.len() => {
            let _ = out.write([]);
            vk::Result::INCOMPLETE
        }
        _ => out.write(data),
    }
}

/// Without an array of shaders all the stages are unbound. Other stages than compute have nothing that reads them.
pub fn cmd_bind_shaders_ext(cb: &CommandBuffer, stages: &[vk::ShaderStageFlags], shaders: Slice<'_, vk::ShaderEXT>) {
    for (i, stage) in stages.iter().enumerate() {
        if *stage == vk::ShaderStageFlags::COMPUTE {
            cb.rt.bind_program(shaders.at(i).and_then(|s| s.object_opt()));
        }
    }
}
