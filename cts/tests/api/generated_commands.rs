//! VK_EXT_device_generated_commands: dispatches, push constants and programs that the device reads from memory.

use crate::shader_objects::{affine, Layouts, X};
use crate::support::*;
use ash::vk;
use cts::generated::types as x;
use std::ffi::CStr;

tests! { sequences, counts, sequence_numbers, pipelines_of_a_set, shaders_of_a_set, preprocessed, graphics_tokens }

const NAME: &CStr = c"VK_EXT_device_generated_commands";

/// Commands of the extension.
macro_rules! commands {
    ($($field:ident: $pfn:ident = $name:literal;)*) => {
        struct Fns { $($field: x::$pfn),* }

        impl Fns {
            unsafe fn load(t: &T) -> R<Fns> {
                let get = |name: &CStr| {
                    let f = t.instance().fp_v1_0().get_device_proc_addr;
                    f(t.d.handle(), name.as_ptr()).ok_or_else(|| Stop::Fail(format!("no address for {name:?}")))
                };
                Ok(Fns { $($field: std::mem::transmute::<unsafe extern "system" fn(), x::$pfn>(get($name)?)),* })
            }
        }
    };
}
commands! {
    create_layout: PFN_vkCreateIndirectCommandsLayoutEXT = c"vkCreateIndirectCommandsLayoutEXT";
    destroy_layout: PFN_vkDestroyIndirectCommandsLayoutEXT = c"vkDestroyIndirectCommandsLayoutEXT";
    create_set: PFN_vkCreateIndirectExecutionSetEXT = c"vkCreateIndirectExecutionSetEXT";
    destroy_set: PFN_vkDestroyIndirectExecutionSetEXT = c"vkDestroyIndirectExecutionSetEXT";
    update_pipelines: PFN_vkUpdateIndirectExecutionSetPipelineEXT = c"vkUpdateIndirectExecutionSetPipelineEXT";
    update_shaders: PFN_vkUpdateIndirectExecutionSetShaderEXT = c"vkUpdateIndirectExecutionSetShaderEXT";
    requirements: PFN_vkGetGeneratedCommandsMemoryRequirementsEXT = c"vkGetGeneratedCommandsMemoryRequirementsEXT";
    preprocess: PFN_vkCmdPreprocessGeneratedCommandsEXT = c"vkCmdPreprocessGeneratedCommandsEXT";
    execute: PFN_vkCmdExecuteGeneratedCommandsEXT = c"vkCmdExecuteGeneratedCommandsEXT";
}

/// A device with the extension and what the kernel `affine` needs: 4 words (first, count, factor, addend) and a buffer.
struct G {
    x: X,
    f: Fns,
    l: Layouts,
    data: Buf,
    set: vk::DescriptorSet,
}

const COMPUTE: vk::ShaderStageFlags = vk::ShaderStageFlags::COMPUTE;

unsafe fn open(unvalidated: bool) -> R<G> {
    let extensions = [NAME, ash::khr::maintenance5::NAME, ash::ext::shader_object::NAME];
    let t = T::open(&cts::Setup { extensions: &extensions, unvalidated, ..cts::Setup::default() })?;
    need!(t.features.generated_commands.device_generated_commands != 0, "deviceGeneratedCommands");
    let p = t.property_of::<x::PhysicalDeviceDeviceGeneratedCommandsPropertiesEXT<'_>>();
    need!(p.supported_indirect_commands_shader_stages.contains(COMPUTE), "generated commands for compute");
    let x = X::of(t);
    let l = x.layouts()?;
    let data = x.t.buf_of(&[1u32; 256])?;
    let set = x.t.set(l.sets[0], &[B::S(data)])?;
    let f = Fns::load(&x.t)?;
    Ok(G { x, f, l, data, set })
}

/// A token whose data begins at an offset.
fn token(ty: x::IndirectCommandsTokenTypeEXT, offset: u32) -> x::IndirectCommandsLayoutTokenEXT<'static> {
    x::IndirectCommandsLayoutTokenEXT { ty, offset, ..Default::default() }
}

fn push(range: &x::IndirectCommandsPushConstantTokenEXT, offset: u32) -> x::IndirectCommandsLayoutTokenEXT<'static> {
    let mut t = token(x::INDIRECT_COMMANDS_TOKEN_TYPE_PUSH_CONSTANT_EXT, offset);
    t.data.p_push_constant = range;
    t
}

fn range(offset: u32, size: u32) -> x::IndirectCommandsPushConstantTokenEXT {
    x::IndirectCommandsPushConstantTokenEXT {
        update_range: vk::PushConstantRange { stage_flags: COMPUTE, offset, size },
    }
}

impl G {
    /// A layout; it is destroyed with the device.
    unsafe fn layout(
        &self,
        flags: x::IndirectCommandsLayoutUsageFlagsEXT,
        stride: u32,
        tokens: &[x::IndirectCommandsLayoutTokenEXT<'_>],
    ) -> R<x::IndirectCommandsLayoutEXT> {
        let info = x::IndirectCommandsLayoutCreateInfoEXT {
            flags,
            shader_stages: COMPUTE,
            indirect_stride: stride,
            pipeline_layout: self.l.pipeline,
            token_count: tokens.len() as u32,
            p_tokens: tokens.as_ptr().cast(),
            ..Default::default()
        };
        let mut out = x::IndirectCommandsLayoutEXT::default();
        (self.f.create_layout)(self.x.t.d.handle(), &info, std::ptr::null(), &mut out).result()?;
        let destroy = self.f.destroy_layout;
        self.x.t.later(move |d| destroy(d.handle(), out, std::ptr::null()));
        Ok(out)
    }

    unsafe fn execution_set(
        &self,
        ty: x::IndirectExecutionSetInfoTypeEXT,
        info: x::IndirectExecutionSetInfoEXT<'_>,
    ) -> R<x::IndirectExecutionSetEXT> {
        let info = x::IndirectExecutionSetCreateInfoEXT { ty, info, ..Default::default() };
        let mut out = x::IndirectExecutionSetEXT::default();
        (self.f.create_set)(self.x.t.d.handle(), &info, std::ptr::null(), &mut out).result()?;
        let destroy = self.f.destroy_set;
        self.x.t.later(move |d| destroy(d.handle(), out, std::ptr::null()));
        Ok(out)
    }

    /// What to execute: up to `max` sequences at a buffer, with room for what the device wants to note.
    unsafe fn info(
        &self,
        layout: x::IndirectCommandsLayoutEXT,
        set: x::IndirectExecutionSetEXT,
        program: *mut std::ffi::c_void,
        stream: Buf,
        max: u32,
        count: u64,
    ) -> R<x::GeneratedCommandsInfoEXT<'static>> {
        let t = &self.x.t;
        let ask = x::GeneratedCommandsMemoryRequirementsInfoEXT {
            p_next: program,
            indirect_execution_set: set,
            indirect_commands_layout: layout,
            max_sequence_count: max,
            ..Default::default()
        };
        let mut r = vk::MemoryRequirements2::default();
        (self.f.requirements)(t.d.handle(), &ask, &mut r);
        let r = r.memory_requirements;
        check!(r.alignment.is_power_of_two() && r.memory_type_bits != 0, "{r:?}");
        let mut preprocess = 0;
        if r.size > 0 {
            let mut usage = vk::BufferUsageFlags2CreateInfoKHR::default()
                .usage(x::BUFFER_USAGE_2_PREPROCESS_BUFFER_BIT_EXT | vk::BufferUsageFlags2KHR::SHADER_DEVICE_ADDRESS);
            let info = vk::BufferCreateInfo::default().size(r.size).push_next(&mut usage);
            let h = t.own(t.d.create_buffer(&info, None)?);
            let mut needs = t.d.get_buffer_memory_requirements(h);
            needs.memory_type_bits &= r.memory_type_bits;
            let memory = t.memory_for(&needs, vk::MemoryPropertyFlags::empty())?;
            t.d.bind_buffer_memory(h, memory, 0)?;
            preprocess = t.d.get_buffer_device_address(&vk::BufferDeviceAddressInfo::default().buffer(h));
        }
        Ok(x::GeneratedCommandsInfoEXT {
            shader_stages: COMPUTE,
            indirect_execution_set: set,
            indirect_commands_layout: layout,
            indirect_address: self.address(stream),
            indirect_address_size: stream.size,
            preprocess_address: preprocess,
            preprocess_size: r.size,
            max_sequence_count: max,
            sequence_count_address: count,
            ..Default::default()
        })
    }

    unsafe fn address(&self, b: Buf) -> u64 {
        self.x.t.d.get_buffer_device_address(&vk::BufferDeviceAddressInfo::default().buffer(b.h))
    }

    /// A pipeline that sets may hold, of workgroups of a size.
    unsafe fn pipeline(&self, size: u32) -> R<vk::Pipeline> {
        let t = &self.x.t;
        let code = spv!("affine");
        let module = t.own(t.d.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(code), None)?);
        let entries = [vk::SpecializationMapEntry { constant_id: 0, offset: 0, size: 4 }];
        let size = size.to_ne_bytes();
        let spec = vk::SpecializationInfo::default().map_entries(&entries).data(&size);
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(COMPUTE)
            .module(module)
            .name(c"main")
            .specialization_info(&spec);
        let mut flags =
            vk::PipelineCreateFlags2CreateInfoKHR::default().flags(x::PIPELINE_CREATE_2_INDIRECT_BINDABLE_BIT_EXT);
        let info = vk::ComputePipelineCreateInfo::default().stage(stage).layout(self.l.pipeline).push_next(&mut flags);
        let made = t.d.create_compute_pipelines(vk::PipelineCache::null(), &[info], None).map_err(|(_, e)| e)?;
        Ok(t.own(made[0]))
    }

    /// Executes with a pipeline bound and these push constants.
    unsafe fn run(&self, pipeline: vk::Pipeline, start: [u32; 4], info: &x::GeneratedCommandsInfoEXT<'_>) -> R {
        self.x.t.now(|c| {
            self.x.t.d.cmd_bind_pipeline(c, vk::PipelineBindPoint::COMPUTE, pipeline);
            self.x.data(c, &self.l, self.set, start);
            (self.f.execute)(c, vk::FALSE, info);
        })
    }
}

/// What requirements of a pipeline without an execution set need to know.
fn of_pipeline(pipeline: vk::Pipeline) -> x::GeneratedCommandsPipelineInfoEXT<'static> {
    x::GeneratedCommandsPipelineInfoEXT { pipeline, ..Default::default() }
}

const NO_FLAGS: x::IndirectCommandsLayoutUsageFlagsEXT = x::IndirectCommandsLayoutUsageFlagsEXT::empty();

fn dispatch(offset: u32) -> x::IndirectCommandsLayoutTokenEXT<'static> {
    token(x::INDIRECT_COMMANDS_TOKEN_TYPE_DISPATCH_EXT, offset)
}

/// Sequences of 24 bytes: word 0 of the push constants, a gap, group counts.
const FIRST_AND_GROUPS: [[u32; 6]; 4] =
    [[0, 99, 1, 1, 1, 99], [64, 99, 0, 5, 5, 99], [128, 99, 1, 1, 1, 99], [192, 99, 1, 1, 1, 99]];

unsafe fn sequences() -> R {
    let g = open(false)?;
    let first = range(0, 4);
    let layout = g.layout(NO_FLAGS, 24, &[push(&first, 0), dispatch(8)])?;
    let pipeline = g.pipeline(64)?;
    let stream = g.x.t.buf_of(&FIRST_AND_GROUPS)?;
    let mut program = of_pipeline(pipeline);
    let info = g.info(layout, Default::default(), (&raw mut program).cast(), stream, 4, 0)?;
    // What no token pushes stays as it was bound.
    g.run(pipeline, [7, 64, 3, 2], &info)?;
    let mut want = [5; 256];
    want[64..128].fill(1);
    equal(&g.data.get::<u32>(), &want)
}

unsafe fn counts() -> R {
    // The number of sequences from memory, which the same command buffer writes just before; it may be more than the most.
    for (count, done) in [(0u32, 0usize), (2, 1), (4, 3), (1000, 3)] {
        let g = open(false)?;
        let first = range(0, 4);
        let layout = g.layout(NO_FLAGS, 24, &[push(&first, 0), dispatch(8)])?;
        let pipeline = g.pipeline(64)?;
        let stream = g.x.t.buf_of(&FIRST_AND_GROUPS)?;
        let number = g.x.t.zeros(16)?;
        let mut program = of_pipeline(pipeline);
        let info = g.info(layout, Default::default(), (&raw mut program).cast(), stream, 4, g.address(number) + 4)?;
        g.x.t.now(|c| {
            g.x.t.d.cmd_update_buffer(c, number.h, 4, &count.to_ne_bytes());
            g.x.t.full_barrier(c);
            g.x.t.d.cmd_bind_pipeline(c, vk::PipelineBindPoint::COMPUTE, pipeline);
            g.x.data(c, &g.l, g.set, [7, 64, 3, 2]);
            (g.f.execute)(c, vk::FALSE, &info);
        })?;
        let changed = g.data.get::<u32>().iter().filter(|w| **w == 5).count();
        same!(changed, done * 64, "for a count of {count}");
    }
    Ok(())
}

unsafe fn sequence_numbers() -> R {
    // The number of the sequence is the addend; sequences go over each other's data, so the sum tells that each ran once.
    let g = open(false)?;
    let (first, add) = (range(0, 4), range(12, 4));
    let mut number = push(&add, 0);
    number.ty = x::INDIRECT_COMMANDS_TOKEN_TYPE_SEQUENCE_INDEX_EXT;
    let layout = g.layout(NO_FLAGS, 16, &[push(&first, 0), number, dispatch(4)])?;
    let pipeline = g.pipeline(64)?;
    let words: Vec<[u32; 4]> = (0..4).map(|i| [i * 64, 1, 1, 1]).collect();
    let stream = g.x.t.buf_of(&words)?;
    let mut program = of_pipeline(pipeline);
    let info = g.info(layout, Default::default(), (&raw mut program).cast(), stream, 4, 0)?;
    g.run(pipeline, [0, 64, 10, 77], &info)?;
    let want: Vec<u32> = (0..256).map(|i| 10 + i / 64).collect();
    equal(&g.data.get::<u32>(), &want)
}

fn program_token() -> x::IndirectCommandsLayoutTokenEXT<'static> {
    token(x::INDIRECT_COMMANDS_TOKEN_TYPE_EXECUTION_SET_EXT, 0)
}

/// Sequences of 20 bytes: program, word 0 of the push constants, group counts.
const PROGRAMS: [[u32; 5]; 4] = [[1, 0, 1, 1, 1], [0, 64, 1, 1, 1], [2, 128, 1, 1, 1], [1, 192, 1, 1, 1]];

/// Each program has workgroups of another size: 64, 32, 16.
fn of_programs() -> Vec<u32> {
    let sizes = [64, 32, 16];
    let mut want = vec![1; 256];
    for [program, first, ..] in PROGRAMS {
        let n = sizes[program as usize];
        want[first as usize..first as usize + n].fill(5);
    }
    want
}

unsafe fn pipelines_of_a_set() -> R {
    let g = open(false)?;
    let p = g.x.t.property_of::<x::PhysicalDeviceDeviceGeneratedCommandsPropertiesEXT<'_>>();
    need!(p.supported_indirect_commands_shader_stages_pipeline_binding.contains(COMPUTE), "sets of pipelines");
    let pipelines = [g.pipeline(64)?, g.pipeline(32)?, g.pipeline(16)?];
    let initial = x::IndirectExecutionSetPipelineInfoEXT {
        initial_pipeline: pipelines[0],
        max_pipeline_count: 3,
        ..Default::default()
    };
    let set = g.execution_set(
        x::INDIRECT_EXECUTION_SET_INFO_TYPE_PIPELINES_EXT,
        x::IndirectExecutionSetInfoEXT { p_pipeline_info: &initial },
    )?;
    let writes = [1, 2].map(|i| x::WriteIndirectExecutionSetPipelineEXT {
        index: i,
        pipeline: pipelines[i as usize],
        ..Default::default()
    });
    (g.f.update_pipelines)(g.x.t.d.handle(), set, 2, writes.as_ptr());
    let which = x::IndirectCommandsExecutionSetTokenEXT {
        ty: x::INDIRECT_EXECUTION_SET_INFO_TYPE_PIPELINES_EXT,
        shader_stages: COMPUTE,
    };
    let first = range(0, 4);
    let mut program = program_token();
    program.data.p_execution_set = &which;
    let layout = g.layout(NO_FLAGS, 20, &[program, push(&first, 4), dispatch(8)])?;
    let stream = g.x.t.buf_of(&PROGRAMS)?;
    let info = g.info(layout, set, std::ptr::null_mut(), stream, 4, 0)?;
    g.run(pipelines[0], [0, 64, 3, 2], &info)?;
    equal(&g.data.get::<u32>(), &of_programs())
}

unsafe fn shaders_of_a_set() -> R {
    let g = open(false)?;
    need!(g.x.t.features.shader_object.shader_object != 0, "shaderObject");
    let p = g.x.t.property_of::<x::PhysicalDeviceDeviceGeneratedCommandsPropertiesEXT<'_>>();
    need!(p.supported_indirect_commands_shader_stages_shader_binding.contains(COMPUTE), "sets of shader objects");
    let code = spv!("affine");
    let entries = [vk::SpecializationMapEntry { constant_id: 0, offset: 0, size: 4 }];
    let mut shaders = Vec::new();
    for size in [64u32, 32, 16] {
        let size = size.to_ne_bytes();
        let spec = vk::SpecializationInfo::default().map_entries(&entries).data(&size);
        let info = affine(code, &g.l).specialization_info(&spec).flags(x::SHADER_CREATE_INDIRECT_BINDABLE_BIT_EXT);
        shaders.push(g.x.make(&info)?);
    }
    let layouts = [x::IndirectExecutionSetShaderLayoutInfoEXT {
        set_layout_count: 1,
        p_set_layouts: g.l.sets.as_ptr(),
        ..Default::default()
    }];
    let push_range = [vk::PushConstantRange { stage_flags: COMPUTE, offset: 0, size: 16 }];
    let initial = x::IndirectExecutionSetShaderInfoEXT {
        shader_count: 1,
        p_initial_shaders: &shaders[0],
        p_set_layout_infos: layouts.as_ptr(),
        max_shader_count: 3,
        push_constant_range_count: 1,
        p_push_constant_ranges: push_range.as_ptr(),
        ..Default::default()
    };
    let set = g.execution_set(
        x::INDIRECT_EXECUTION_SET_INFO_TYPE_SHADER_OBJECTS_EXT,
        x::IndirectExecutionSetInfoEXT { p_shader_info: &initial },
    )?;
    let writes = [1, 2].map(|i| x::WriteIndirectExecutionSetShaderEXT {
        index: i,
        shader: shaders[i as usize],
        ..Default::default()
    });
    (g.f.update_shaders)(g.x.t.d.handle(), set, 2, writes.as_ptr());
    let which = x::IndirectCommandsExecutionSetTokenEXT {
        ty: x::INDIRECT_EXECUTION_SET_INFO_TYPE_SHADER_OBJECTS_EXT,
        shader_stages: COMPUTE,
    };
    let first = range(0, 4);
    let mut program = program_token();
    program.data.p_execution_set = &which;
    let layout = g.layout(NO_FLAGS, 20, &[program, push(&first, 4), dispatch(8)])?;
    let stream = g.x.t.buf_of(&PROGRAMS)?;
    let info = g.info(layout, set, std::ptr::null_mut(), stream, 4, 0)?;
    g.x.t.now(|c| {
        g.x.bind(c, shaders[0]);
        g.x.data(c, &g.l, g.set, [0, 64, 3, 2]);
        (g.f.execute)(c, vk::FALSE, &info);
    })?;
    equal(&g.data.get::<u32>(), &of_programs())
}

unsafe fn preprocessed() -> R {
    let g = open(false)?;
    let first = range(0, 4);
    let explicit = x::INDIRECT_COMMANDS_LAYOUT_USAGE_EXPLICIT_PREPROCESS_BIT_EXT;
    let layout = g.layout(explicit, 24, &[push(&first, 0), dispatch(8)])?;
    let pipeline = g.pipeline(64)?;
    let stream = g.x.t.buf_of(&FIRST_AND_GROUPS)?;
    let mut program = of_pipeline(pipeline);
    let info = g.info(layout, Default::default(), (&raw mut program).cast(), stream, 4, 0)?;
    let t = &g.x.t;
    t.now(|c| {
        t.d.cmd_bind_pipeline(c, vk::PipelineBindPoint::COMPUTE, pipeline);
        g.x.data(c, &g.l, g.set, [7, 64, 3, 2]);
        (g.f.preprocess)(c, &info, c);
        let barrier = [vk::MemoryBarrier::default()
            .src_access_mask(x::ACCESS_COMMAND_PREPROCESS_WRITE_BIT_EXT)
            .dst_access_mask(vk::AccessFlags::INDIRECT_COMMAND_READ)];
        let from = x::PIPELINE_STAGE_COMMAND_PREPROCESS_BIT_EXT;
        let to = vk::PipelineStageFlags::DRAW_INDIRECT;
        t.d.cmd_pipeline_barrier(c, from, to, vk::DependencyFlags::empty(), &barrier, &[], &[]);
        (g.f.execute)(c, vk::TRUE, &info);
    })?;
    let mut want = [5; 256];
    want[64..128].fill(1);
    equal(&g.data.get::<u32>(), &want)
}

unsafe fn graphics_tokens() -> R {
    let g = open(true)?;
    need!(g.x.t.is_ours(), "promise about tokens it does not have");
    let draw = token(x::INDIRECT_COMMANDS_TOKEN_TYPE_DRAW_EXT, 0);
    check!(g.layout(NO_FLAGS, 16, &[draw]).is_err(), "a layout that draws on a compute device");
    // Beyond the limits.
    check!(g.layout(NO_FLAGS, u32::MAX, &[dispatch(0)]).is_err());
    check!(g.layout(NO_FLAGS, 16, &[dispatch(0); 1000]).is_err());
    Ok(())
}
