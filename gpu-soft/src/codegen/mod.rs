//! The SPMD code generator: from `sir` to x86-64 machine code with explicit vectors, through LLVM or, at once, by a back end of our own.
//!
//! A subgroup is a vector: lane `l` of a `<S x T>` value belongs to the invocation with local index `subgroup·S + l`. Values that
//! are the same in all active lanes stay scalars. Control flow that is uniform over the active lanes stays control flow;
//! other control flow is executed under masks, side after side, with branches around sides that no lane takes. Workgroup
//! barriers split the kernel into stretches, each a loop over the subgroups of a workgroup (see [`plan`]). The entry
//! function runs a range of workgroups.
//!
//! * `jam`: how many subgroups are executed in lock-step.
//! * `ir`: what the generator emits. `to_llvm`: an LLVM module of it. `quick`: machine code of it, at once.
//! * `llvm`, `target`, `start`: the layer over LLVM's C interface.
//! * `normalise`: switches without fallthrough. `plan`, `live`: barriers, stretches, what lives across them.
//! * `gen`: the state of a compilation, prologue and workgroup loop; `wg`: stretches and control flow around barriers;
//!   `flow`, `switch`: control flow inside a stretch; `mask`: active lanes; `cell`: values that cross joins.
//! * `alu`, `float`, `float_int`, `half`, `divide`: lane-wise operations; `affine`: values that grow by a constant from lane
//!   to lane.
//! * `image`: image operations; `plain`, `texel`: those on storage images that need no call of the engine; `texture`,
//!   `filter`, `reader`: filtered reads of that kind, and texels of formats that only the view knows.
//! * `lanes`: lanes picked, joined and interleaved; `spread`: masks of wide vectors.
//! * `collect`, `replay`: atomic additions that reach memory together.
//! * `small`: small private arrays. `beside`: workgroups that are executed together; `streams`: stores past the caches.
//! * `whole`: structures that are computed in the order of memory. `quads`: neighbouring words at addresses of their own;
//!   `ahead`: those that a loop reads one after the other.
//! * `op`, `buffer`, `memory`, `private`, `atomic`, `subgroup`: the rest.

mod affine;
mod ahead;
mod alu;
mod atomic;
mod beside;
mod buffer;
mod cell;
mod collect;
mod divide;
mod filter;
mod float;
mod float_int;
mod flow;
mod gen;
mod half;
mod image;
#[cfg(test)]
mod image_tests;
mod ir;
mod jam;
mod lanes;
mod linear;
mod live;
mod llvm;
mod mask;
mod memory;
mod narrow;
mod normalise;
mod op;
mod parts;
mod plain;
mod plan;
mod private;
mod quads;
mod quick;
mod reader;
mod replay;
mod small;
mod span;
mod spread;
mod start;
mod streams;
mod subgroup;
mod switch;
mod target;
mod texel;
mod texture;
#[cfg(test)]
mod texture_tests;
mod to_llvm;
mod wg;
mod whole;

use crate::kernel_abi::{BindingSlot, Header, Width, STREAM_FROM};
use compiler::sir::Kernel;

/// What to compile for.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Registers and instruction set.
    pub width: Width,
    /// Lanes of a subgroup: 4, 8, 16 or 32.
    pub subgroup_size: u32,
    /// How many subgroups are executed in lock-step, their lanes side by side: 1, 2 or 4. Kernels that can tell subgroups
    /// apart take it as 1. `None` leaves the choice to the code generator.
    pub jam: Option<u32>,
    /// Where the kernel's bindings stand in descriptor-set memory.
    pub bindings: &'a [BindingSlot],
    /// Whether accesses to storage buffers are checked against the bound range.
    pub robust_storage: bool,
    /// Whether accesses to uniform buffers are checked against the bound range.
    pub robust_uniform: bool,
    /// Calls of at least that many invocations collect atomic additions whose results nobody uses (see `collect`).
    pub collect_from: u32,
    /// Dispatches that write at least that many bytes write past the caches (see `streams`).
    pub stream_from: u64,
    /// Compile in a fraction of the time, code that takes several times as long.
    pub quick: bool,
    /// Keep the text of the LLVM module (after its passes).
    pub want_ir: bool,
    /// Keep the assembly text.
    pub want_asm: bool,
}

impl<'a> Options<'a> {
    /// Checked, natural subgroup size.
    pub fn new(width: Width, bindings: &'a [BindingSlot]) -> Options<'a> {
        Options {
            width,
            subgroup_size: width.lanes(),
            jam: None,
            bindings,
            robust_storage: true,
            robust_uniform: true,
            collect_from: collect::COLLECT_FROM,
            stream_from: STREAM_FROM,
            quick: false,
            want_ir: false,
            want_asm: false,
        }
    }
}

/// Facts of a compilation, for VK_KHR_pipeline_executable_properties and the tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Subgroups executed in lock-step.
    pub jam: u32,
    /// The most workgroups that are executed side by side.
    pub beside: u32,
    /// LLVM instructions before LLVM's passes.
    pub instructions: u32,
    /// Loops over the subgroups of a workgroup.
    pub stretches: u32,
    /// Values kept in the arena across barriers.
    pub spilled: u32,
    /// Memory accesses of consecutive lanes that became vector moves.
    pub contiguous: u32,
    /// Strided accesses that became vector moves and shuffles.
    pub strided: u32,
    /// Accesses through gathers or scatters only.
    pub gathers: u32,
    /// Loads of words that stand one after the other, some at a time.
    pub ahead: u32,
    /// Accesses of one address by all lanes.
    pub uniform: u32,
    /// Atomic additions that reach memory together with others (see `collect`).
    pub collected: u32,
    /// Bytes of the object file.
    pub object_bytes: u32,
    /// Bytes of arena per thread.
    pub arena_bytes: u64,
    /// What the quick back end has no code for, where it was asked.
    pub refused: Option<&'static str>,
}

/// A compiled kernel.
#[derive(Clone, Debug)]
pub struct Binary {
    /// Header and object file, as [`crate::loader::Loaded::load`] takes it.
    pub bytes: Vec<u8>,
    /// The LLVM module as text, if asked for.
    pub ir: Option<String>,
    /// The assembly text, if asked for.
    pub asm: Option<String>,
    /// Facts.
    pub stats: Stats,
}

/// Why a kernel was not compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodegenError {
    /// The kernel uses something the code generator does not have.
    #[error("not supported by the code generator: {0}")]
    Unsupported(String),
    /// The options do not fit the kernel.
    #[error("invalid options: {0}")]
    Options(String),
    /// LLVM refused.
    #[error("LLVM: {0}")]
    Llvm(String),
}

pub(crate) fn unsupported<T>(what: impl Into<String>) -> Result<T, CodegenError> {
    Err(CodegenError::Unsupported(what.into()))
}

/// Compiles a verified kernel. Safe to call from several threads at once.
///
/// # Errors
/// See [`CodegenError`].
pub fn compile(kernel: &Kernel, opts: &Options<'_>) -> Result<Binary, CodegenError> {
    check(kernel, opts)?;
    let kernel = &*normalise::normalise(kernel);
    let mut refused = None;
    if opts.quick && own(opts) {
        match at_once(kernel, opts)? {
            Ok(binary) => return Ok(binary),
            Err(quick::Refused(why)) => refused = Some(why),
        }
    }
    let (emitted, header, mut stats) = emit(kernel, opts, false)?;
    stats.refused = refused;
    let Some(_leave) = start::leave() else { return Err(CodegenError::Llvm("the process is ending".into())) };
    let machine = target::Machine::new(opts.width, opts.quick)?;
    let module = llvm::Module::new(&kernel.name);
    machine.prepare(&module);
    to_llvm::make(&emitted, &module);
    module.verify().map_err(CodegenError::Llvm)?;
    machine.optimise(&module, stats.instructions as usize)?;
    module.kept_bits_last();
    let ir = opts.want_ir.then(|| module.print());
    let asm = if opts.want_asm { Some(machine.assembly(&module.copy())?) } else { None };
    let object = machine.object(&module)?;
    stats.object_bytes = u32::try_from(object.len()).unwrap_or(u32::MAX);
    Ok(Binary { bytes: header.encode(&object), ir, asm, stats })
}

/// Compiles a verified kernel in a fraction of the time, to code that takes several times as long. The inner result says for what there
/// is no code of this kind.
///
/// # Errors
/// See [`CodegenError`].
pub fn compile_at_once(kernel: &Kernel, opts: &Options<'_>) -> Result<Result<Binary, &'static str>, CodegenError> {
    check(kernel, opts)?;
    let opts = Options { quick: true, want_ir: false, want_asm: false, ..*opts };
    if !own(&opts) {
        return Ok(Err("this width"));
    }
    Ok(at_once(&normalise::normalise(kernel), &opts)?.map_err(|quick::Refused(why)| why))
}

fn check(kernel: &Kernel, opts: &Options<'_>) -> Result<(), CodegenError> {
    if !matches!(opts.subgroup_size, 4 | 8 | 16 | 32) {
        return Err(CodegenError::Options(format!("subgroup size {}", opts.subgroup_size)));
    }
    if kernel.local_size.contains(&0) || kernel.invocations() > 4096 {
        return Err(CodegenError::Options(format!("workgroup size {:?}", kernel.local_size)));
    }
    let fc = &kernel.float_controls;
    if [fc.f16, fc.f32, fc.f64].iter().any(|m| m.flush_denorms || m.rtz) {
        return unsupported("float controls that were not lowered (rounding of 64-bit floats towards zero)");
    }
    Ok(())
}

/// Whether the quick back end may be asked: it knows one instruction set, and gives no texts.
fn own(opts: &Options<'_>) -> bool {
    opts.width == Width::W16 && !opts.want_ir && !opts.want_asm
}

/// What the generator emits for a kernel.
fn emit(kernel: &Kernel, opts: &Options<'_>, expand: bool) -> Result<(ir::Module, Header, Stats), CodegenError> {
    let jam = jam::choose(kernel, opts);
    let emitted = ir::Module::new(expand);
    let (arena_bytes, mut stats) = gen::generate(&emitted, kernel, opts, jam)?;
    if let Some(name) = emitted.unknown() {
        return Err(CodegenError::Llvm(format!("unknown intrinsic {name}")));
    }
    stats.arena_bytes = arena_bytes;
    let header =
        Header { width: opts.width, subgroup_size: opts.subgroup_size, local_size: kernel.local_size, arena_bytes };
    Ok((emitted, header, stats))
}

/// Code by the quick back end, or why it makes none.
fn at_once(kernel: &Kernel, opts: &Options<'_>) -> Result<Result<Binary, quick::Refused>, CodegenError> {
    let (emitted, header, mut stats) = emit(kernel, opts, true)?;
    Ok(quick::compile(&emitted).map(|object| {
        stats.object_bytes = u32::try_from(object.len()).unwrap_or(u32::MAX);
        Binary { bytes: header.encode(&object), ir: None, asm: None, stats }
    }))
}
