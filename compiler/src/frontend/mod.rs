//! SPIR-V front end: one compute entry point of a module to a [`Kernel`].
//!
//! Specialisation constants are folded first, every call is inlined, vectors, matrices and aggregates become scalars,
//! and the control-flow graph becomes the region tree of `sir` (merge and continue declarations keep loops and joins
//! where the source had them). Phis, and values used outside the region that defines them, go through private slots,
//! which the promotion pass turns back into values.
//!
//! Any input gives a kernel or an [`Error`]: ids, types and sizes are checked where they are used, and everything that
//! could grow without bound is counted against a limit.

mod access;
mod alu;
mod atomic;
mod bits;
mod build;
mod builtins;
mod calls;
mod caps;
mod cfg;
mod composite;
mod consts;
mod convert;
mod coop;
mod coop_elements;
mod coop_lanes;
mod coop_mul;
mod decor;
mod derivative;
mod dispatch;
mod dot;
mod error;
mod glsl;
mod glsl_pack;
mod glsl_vec;
mod heap;
mod image;
mod image_operands;
mod layout;
mod matrix;
mod memory;
mod module;
mod sampling;
mod select;
mod small_float;
mod speceval;
mod structure;
mod subgroup;
mod sync;
mod tensor;
mod tensor_access;
mod translator;
mod types;
mod val;
mod vars;

pub use error::limits::VECTOR_COMPONENTS as MAX_VECTOR_COMPONENTS;
pub use error::{Error, ErrorKind};
pub use heap::{
    binding as heap_binding, DescriptorBytes, HeapIndex, HeapOptions, HeapPlace, MappedSampler, Mapping, MappingSource,
    DATA_BINDING, EMBEDDED_SET, RESOURCE_SET, SAMPLER_SET,
};

use crate::sir::{FloatControls, Kernel};
use error::{limits, R};

/// Value of one specialisation constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecConstant<'a> {
    /// `SpecId`.
    pub id: u32,
    /// The value, little-endian: as many bytes as the constant's type has (Bool: 4), more are ignored.
    pub data: &'a [u8],
}

/// What the caller of [`translate`] decides.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Name of the `GLCompute` entry point.
    pub entry_point: &'a str,
    /// Values of specialisation constants; ids the module does not have are ignored.
    pub spec_constants: &'a [SpecConstant<'a>],
    /// Float controls where the module states none.
    pub float_controls: FloatControls,
    /// Let workgroup memory start as zeros even if the module does not ask for it.
    pub zero_shared: bool,
    /// Let offsets into buffers exceed 32 bits even if the module does not say so (VK_EXT_shader_64bit_indexing).
    pub wide_indexing: bool,
    /// Alignment in bytes that every buffer descriptor's base address has; a power of two.
    pub buffer_align: u32,
    /// Invocations of the subgroups that the kernel will run in: a power of two. Only cooperative matrices, which are
    /// spread over them, need to know.
    pub subgroup_size: u32,
    /// Descriptor heaps instead of descriptor sets, if the kernel is to use them.
    pub heap: Option<HeapOptions<'a>>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            entry_point: "main",
            spec_constants: &[],
            float_controls: FloatControls::default(),
            zero_shared: false,
            wide_indexing: false,
            buffer_align: 4,
            subgroup_size: 8,
            heap: None,
        }
    }
}

/// Counts work so that no input takes unreasonably long.
#[derive(Debug, Default)]
struct Work(u64);

impl Work {
    fn charge(&mut self, units: u64) -> R<()> {
        self.0 = self.0.saturating_add(units);
        if self.0 > limits::WORK {
            return Err(Error::limit("the module expands to too much code or data"));
        }
        Ok(())
    }
}

/// Translates the entry point `options.entry_point` of a SPIR-V module.
///
/// # Errors
/// The module is malformed, needs something unsupported, or is beyond the limits; the error names the instruction.
pub fn translate(words: &[u32], options: &Options<'_>) -> Result<Kernel, Error> {
    let module = module::Module::decode(words)?;
    translator::Translator::new(&module, options)?.run()
}
