//! From SPIR-V to a compiled kernel.

use super::{ProgramCode, ProgramCreate};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::{CompileError, CompileRequest, CompiledKernel, GpuProps, Robustness};
use crate::pipeline::Representation;
use ash::vk;
use compiler::frontend::{self, SpecConstant};

/// Stack of a thread that compiles: regions nest deeply.
pub(crate) const STACK: usize = 64 << 20;

/// What a program gets compiled with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub robustness: Robustness,
    pub subgroup_size: Option<u32>,
    pub full_subgroups: bool,
    pub quick: bool,
    /// Code that better code may follow will do.
    pub first: bool,
    pub wide_indexing: bool,
    pub texts: bool,
}

/// VK_PIPELINE_CREATE_2_64_BIT_INDEXING_BIT_EXT (VK_EXT_shader_64bit_indexing), which the bindings do not have yet.
const WIDE_INDEXING: vk::PipelineCreateFlags2KHR = vk::PipelineCreateFlags2KHR::from_raw(1 << 43);

/// The application asks for numbers about the code, or texts of it.
const ASKED_ABOUT: vk::PipelineCreateFlags2KHR = vk::PipelineCreateFlags2KHR::from_raw(
    vk::PipelineCreateFlags2KHR::CAPTURE_STATISTICS.as_raw()
        | vk::PipelineCreateFlags2KHR::CAPTURE_INTERNAL_REPRESENTATIONS.as_raw(),
);

impl Settings {
    pub fn of(device: &Device, create: &ProgramCreate) -> Settings {
        let mut robustness = device.default_robustness();
        if let Some(r) = create.robustness {
            robustness.storage = r.storage.unwrap_or(robustness.storage);
            robustness.uniform = r.uniform.unwrap_or(robustness.uniform);
            robustness.image = r.image.unwrap_or(robustness.image);
        }
        Settings {
            robustness,
            subgroup_size: create.required_subgroup_size,
            full_subgroups: create.stage_flags.contains(vk::PipelineShaderStageCreateFlags::REQUIRE_FULL_SUBGROUPS),
            quick: create.flags.contains(vk::PipelineCreateFlags2KHR::DISABLE_OPTIMIZATION),
            // Whoever asks about the code asks about the best.
            first: !matches!(create.code, ProgramCode::Binary(_))
                && !create.flags.intersects(ASKED_ABOUT | vk::PipelineCreateFlags2KHR::DISABLE_OPTIMIZATION)
                && device.props().at_once
                && super::debug().tiers,
            wide_indexing: create.flags.contains(WIDE_INDEXING),
            texts: create.flags.contains(vk::PipelineCreateFlags2KHR::CAPTURE_INTERNAL_REPRESENTATIONS),
        }
    }
}

/// Alignment that every buffer a kernel sees has: descriptors, inline uniform blocks and imported host memory alike.
fn buffer_align(props: &GpuProps) -> u32 {
    let limits = &props.limits;
    let least = limits
        .min_storage_buffer_offset_alignment
        .min(limits.min_uniform_buffer_offset_alignment)
        .min(props.min_imported_host_pointer_alignment.max(1))
        .min(u64::from(props.descriptor_align));
    u32::try_from(least).ok().filter(|a| a.is_power_of_two()).unwrap_or(1)
}

/// Hash of everything the kernel depends on.
pub(crate) fn key(device: &Device, create: &ProgramCreate, settings: &Settings) -> [u8; 32] {
    if let ProgramCode::Binary(binary) = &create.code {
        return binary.key();
    }
    let props = device.props();
    let mut h = blake3::Hasher::new();
    h.update(&props.pipeline_cache_uuid);
    h.update(&create.code.hash());
    h.update(&(create.entry.len() as u64).to_le_bytes());
    h.update(create.entry.as_bytes());
    for (id, data) in &create.specialization {
        h.update(&id.to_le_bytes());
        h.update(&(data.len() as u64).to_le_bytes());
        h.update(data);
    }
    h.update(b"layout");
    h.update(&create.layout.key);
    let r = &settings.robustness;
    h.update(&[
        r.storage as u8,
        r.uniform as u8,
        r.image as u8,
        u8::from(r.null_descriptor),
        u8::from(settings.full_subgroups),
        u8::from(settings.quick),
        u8::from(settings.wide_indexing),
    ]);
    h.update(&settings.subgroup_size.unwrap_or(0).to_le_bytes());
    h.update(&buffer_align(props).to_le_bytes());
    *h.finalize().as_bytes()
}

/// Compiles. Also gives the texts, if they are wanted.
pub(crate) fn compile(device: &Device, create: &ProgramCreate, settings: &Settings) -> Result<Compiled> {
    let ProgramCode::Module(module) = &create.code else { return Err(Error::CompileRequired) };
    let constants: Vec<SpecConstant<'_>> =
        create.specialization.iter().map(|(id, data)| SpecConstant { id: *id, data }).collect();
    let options = frontend::Options {
        entry_point: &create.entry,
        spec_constants: &constants,
        buffer_align: buffer_align(device.props()),
        subgroup_size: settings.subgroup_size.unwrap_or(device.props().subgroup.default_size),
        wide_indexing: settings.wide_indexing,
        heap: create.layout.heap.as_ref().map(|h| frontend::HeapOptions { mappings: &h.mappings, bytes: h.bytes }),
        ..frontend::Options::default()
    };
    let kernel = frontend::translate(module.words(), &options).map_err(|e| Error::Shader(e.to_string()))?;
    check(device.props(), &kernel)?;
    if settings.first {
        match translated(device, create, settings, kernel.clone())? {
            Ok(made) => return Ok(made),
            Err(why) if super::debug().report_tiers => eprintln!("; {}: no code at once for {why}", create.entry),
            Err(_) => {}
        }
    }
    translated(device, create, &Settings { first: false, ..*settings }, kernel)?.map_err(Error::Unknown)
}

/// A kernel and the texts about it.
type Compiled = (CompiledKernel, Vec<Representation>);

/// From a kernel as the front end made it. The inner result says why there is no code at once.
fn translated(
    device: &Device,
    create: &ProgramCreate,
    settings: &Settings,
    mut kernel: compiler::sir::Kernel,
) -> Result<std::result::Result<Compiled, String>> {
    let mut texts = Vec::new();
    let text = |name: &str, description: &str, kernel: &compiler::sir::Kernel| Representation {
        name: name.to_owned(),
        description: description.to_owned(),
        text: compiler::text::print(kernel),
    };
    if settings.texts {
        texts.push(text("sir, as translated", "The kernel in the driver's own form, before optimisation", &kernel));
    }
    // Whoever wants no optimisation wants to wait less: what these passes take is less than what they save afterwards.
    let debug = super::debug();
    let dump = |pass: &str, kernel: &compiler::sir::Kernel| {
        if debug.print_pass.as_deref() == Some(pass) {
            eprintln!("; {}: after {pass}\n{}", create.entry, compiler::text::print(kernel));
        }
    };
    let defaults = compiler::passes::Options::default();
    let passes = compiler::passes::Options {
        verify: debug.verify || defaults.verify,
        // Where a quick back end comes behind them, less is enough.
        short: settings.first || (settings.quick && device.props().at_once),
        tables: device.props().tables,
        contract: device.props().fused_multiply_add,
        dump: debug.print_pass.is_some().then_some(&dump),
        ..defaults
    };
    compiler::passes::optimize(&mut kernel, &passes).map_err(|e| Error::Unknown(e.to_string()))?;
    if settings.texts {
        texts.push(text("sir, optimised", "The kernel in the driver's own form, after optimisation", &kernel));
    }
    let compiled = device.gpu().compile(&CompileRequest {
        kernel: &kernel,
        bindings: &create.layout.slots,
        robustness: settings.robustness,
        subgroup_size: settings.subgroup_size,
        full_subgroups: settings.full_subgroups,
        quick: settings.quick,
        first: settings.first,
        want_ir: settings.texts,
        want_asm: settings.texts,
    });
    let mut compiled = match compiled {
        Err(CompileError::NotAtOnce(why)) => return Ok(Err(why)),
        other => other?,
    };
    let mut add = |name: &str, description: &str, text: Option<String>| {
        if let (Some(text), true) = (text, settings.texts) {
            texts.push(Representation { name: name.to_owned(), description: description.to_owned(), text });
        }
    };
    add("GPU IR", "The kernel in the code generator's form", compiled.ir.take());
    add("assembly", "Machine code", compiled.asm.take());
    Ok(Ok((compiled, texts)))
}

/// Limits that depend on specialisation, so that only now they can be looked at.
fn check(props: &GpuProps, kernel: &compiler::sir::Kernel) -> Result<()> {
    let limits = &props.limits;
    let size = kernel.local_size;
    let each = size.iter().zip(limits.max_compute_work_group_size).all(|(s, max)| *s <= max);
    if !each || kernel.invocations() > limits.max_compute_work_group_invocations {
        return Err(Error::Shader(format!("workgroup size {size:?} is beyond the limits")));
    }
    if kernel.shared_size > limits.max_compute_shared_memory_size {
        return Err(Error::Shader(format!("{} bytes of workgroup memory are beyond the limit", kernel.shared_size)));
    }
    Ok(())
}
