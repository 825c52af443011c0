//! From a kernel of the runtime to a kernel binary.

use crate::binary::{self, Kind};
use crate::interpret;
use crate::kernel_abi::{BindingSlot, Width};
use runtime::gpu::{CompileError, CompileRequest, CompiledKernel, SubgroupProps};

fn slots(request: &CompileRequest<'_>) -> Vec<BindingSlot> {
    request
        .bindings
        .iter()
        .map(|b| BindingSlot {
            set: b.set,
            binding: b.binding,
            offset: b.offset,
            stride: b.stride,
            count: b.count,
            dynamic: b.dynamic,
            inline_size: b.inline_size,
            sampler_offset: b.sampler_offset,
        })
        .collect()
}

/// Compiles a kernel to machine code of a width, or (`None`) for the interpreter.
pub fn compile(
    width: Option<Width>,
    jam: Option<u32>,
    subgroup: &SubgroupProps,
    request: &CompileRequest<'_>,
) -> Result<CompiledKernel, CompileError> {
    let size = request.subgroup_size.unwrap_or(subgroup.default_size);
    if !size.is_power_of_two() || size < subgroup.min_size || size > subgroup.max_size {
        return Err(CompileError::Unsupported(format!("subgroups of {size} invocations")));
    }
    let slots = slots(request);
    match width {
        Some(width) => native((width, jam), size, &slots, request),
        None => Ok(CompiledKernel {
            binary: binary::pack(Kind::Interpreted, &interpret::payload(request.kernel, size, &slots)),
            subgroup_size: size,
            local_size: request.kernel.local_size,
            statistics: Vec::new(),
            successor: None,
            ir: request.want_ir.then(|| compiler::text::print(request.kernel)),
            asm: None,
        }),
    }
}

#[cfg(not(feature = "llvm"))]
fn native(
    _: (Width, Option<u32>),
    _: u32,
    _: &[BindingSlot],
    _: &CompileRequest<'_>,
) -> Result<CompiledKernel, CompileError> {
    Err(CompileError::Unsupported("this build has no code generator".to_owned()))
}

#[cfg(feature = "llvm")]
fn native(
    (width, jam): (Width, Option<u32>),
    size: u32,
    slots: &[BindingSlot],
    request: &CompileRequest<'_>,
) -> Result<CompiledKernel, CompileError> {
    use crate::codegen;
    use runtime::gpu::{RobustnessLevel, Statistic, StatisticValue};

    let lowered = lower(request.kernel, width == Width::W16);
    let options = codegen::Options {
        width,
        subgroup_size: size,
        jam,
        bindings: slots,
        // Null descriptors are buffers of no bytes: without checks they would be accessed.
        robust_storage: request.robustness.storage > RobustnessLevel::Off || request.robustness.null_descriptor,
        robust_uniform: request.robustness.uniform > RobustnessLevel::Off || request.robustness.null_descriptor,
        quick: request.quick,
        want_ir: request.want_ir,
        want_asm: request.want_asm,
        ..codegen::Options::new(width, slots)
    };
    let failed = |error| match error {
        codegen::CodegenError::Unsupported(text) => CompileError::Unsupported(text),
        other => CompileError::Internal(other.to_string()),
    };
    let (kind, made) = if request.first {
        let made = codegen::compile_at_once(&lowered, &options).map_err(failed)?;
        (Kind::First, made.map_err(|why| CompileError::NotAtOnce(why.to_owned()))?)
    } else {
        (Kind::Native, codegen::compile(&lowered, &options).map_err(failed)?)
    };
    // What the engine would refuse is refused here, where there is somebody to tell.
    crate::loader::Loaded::load(&made.bytes).map_err(|e| CompileError::Internal(e.to_string()))?;
    let number = |name: &str, description: &str, value: u64| Statistic {
        name: name.to_owned(),
        description: description.to_owned(),
        value: StatisticValue::U64(value),
    };
    let statistics = vec![
        number("Vector width", "32-bit lanes of a register", u64::from(width.lanes())),
        number("Jam", "Subgroups executed in lock-step", u64::from(made.stats.jam)),
        number("Stretches", "Loops over the subgroups of a workgroup", u64::from(made.stats.stretches)),
        number("Arena values", "Values kept in memory across barriers", u64::from(made.stats.spilled)),
        number(
            "Vector accesses",
            "Accesses of consecutive lanes to consecutive elements",
            u64::from(made.stats.contiguous),
        ),
        number("Strided accesses", "Accesses by vector moves and shuffles", u64::from(made.stats.strided)),
        number("Gathers and scatters", "Accesses lane by lane", u64::from(made.stats.gathers)),
        number("Uniform accesses", "Accesses of one address by all lanes", u64::from(made.stats.uniform)),
        number("Code size", "Bytes of the kernel binary", made.bytes.len() as u64),
    ];
    let binary = binary::pack(kind, &made.bytes);
    Ok(CompiledKernel {
        successor: (kind == Kind::First).then(|| (binary.len() - binary::RECORD_BYTES) as u64),
        binary,
        subgroup_size: size,
        local_size: lowered.local_size,
        statistics,
        ir: made.ir,
        asm: made.asm,
    })
}

/// Expands what x86 has no instructions for, and float controls. The runtime's pipeline has done so already, unless the
/// application asked for no optimisation; kernels with nothing to expand are used as they are.
#[cfg(feature = "llvm")]
fn lower(kernel: &compiler::sir::Kernel, tables: bool) -> std::borrow::Cow<'_, compiler::sir::Kernel> {
    use compiler::passes::{lower_float_controls, lower_math};
    use compiler::sir::Op;
    use std::borrow::Cow;

    let mut needed = lower_float_controls::needed(kernel);
    kernel.body.walk(&mut |inst| needed |= matches!(&inst.op, Op::Alu { op, .. } if lower_math::expands(*op)));
    if !needed {
        return Cow::Borrowed(kernel);
    }
    let mut lowered = kernel.clone();
    lower_float_controls::run(&mut lowered);
    lower_math::run_for(&mut lowered, tables);
    Cow::Owned(lowered)
}
