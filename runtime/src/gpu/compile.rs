//! Kernel compilation: request, result, error.

use ash::vk;

/// Where a binding of the pipeline layout stands in set memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BindingSlot {
    /// Descriptor set number.
    pub set: u32,
    /// Binding number.
    pub binding: u32,
    /// Type in the layout.
    pub ty: vk::DescriptorType,
    /// Byte offset of element 0 from the start of the set's memory. For an inline uniform block: of its first byte.
    pub offset: u32,
    /// Bytes from one element to the next.
    pub stride: u32,
    /// Number of elements in the layout (the upper bound, with a variable count); for inline uniform blocks 1.
    pub count: u32,
    /// For dynamic uniform and storage buffers: index of element 0 in the dispatch's list of dynamic buffers. The set memory holds
    /// nothing for them.
    pub dynamic: Option<u32>,
    /// For inline uniform blocks: their bytes.
    pub inline_size: Option<u32>,
    /// For combined image samplers: byte offset of the sampler part in a descriptor; the sampler part has the size and form of a
    /// SAMPLER descriptor.
    pub sampler_offset: u32,
}

/// What an out-of-range access does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RobustnessLevel {
    /// The application promises there is none. (A GPU may be robust nonetheless.)
    #[default]
    Off,
    /// robustBufferAccess, robustImageAccess.
    Access,
    /// robustBufferAccess2, robustImageAccess2.
    Access2,
}

/// Robustness of a pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Robustness {
    /// Storage buffers and storage texel buffers.
    pub storage: RobustnessLevel,
    /// Uniform buffers and uniform texel buffers.
    pub uniform: RobustnessLevel,
    /// Images.
    pub image: RobustnessLevel,
    /// Whether null descriptors may be bound.
    pub null_descriptor: bool,
}

/// A kernel to compile.
#[derive(Clone, Copy, Debug)]
pub struct CompileRequest<'a> {
    /// The kernel, verified.
    pub kernel: &'a compiler::sir::Kernel,
    /// Every binding of the pipeline layout that compute can use, sorted by (set, binding).
    pub bindings: &'a [BindingSlot],
    /// Robustness.
    pub robustness: Robustness,
    /// The subgroup size the application requires; `None` leaves it to the GPU.
    pub subgroup_size: Option<u32>,
    /// Whether the application relies on full subgroups.
    pub full_subgroups: bool,
    /// VK_PIPELINE_CREATE_DISABLE_OPTIMIZATION: compiling quickly counts for more than running quickly.
    pub quick: bool,
    /// Better code may follow: what counts is that code is there at once. GPUs that have such code say so in their properties;
    /// for kernels that they have none for they give [`CompileError::NotAtOnce`].
    pub first: bool,
    /// Whether [`CompiledKernel::ir`] is wanted.
    pub want_ir: bool,
    /// Whether [`CompiledKernel::asm`] is wanted.
    pub want_asm: bool,
}

/// Value of a statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StatisticValue {
    /// A truth value.
    Bool(bool),
    /// A signed number.
    I64(i64),
    /// An unsigned number.
    U64(u64),
    /// A floating-point number.
    F64(f64),
}

/// A number about a compiled kernel, for VK_KHR_pipeline_executable_properties.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistic {
    /// Short name.
    pub name: String,
    /// What it means.
    pub description: String,
    /// The value.
    pub value: StatisticValue,
}

/// Machine code and what is known of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CompiledKernel {
    /// What a dispatch refers to; position-independent, uploaded to GPU memory as it is at an address that is a multiple of 256.
    pub binary: Vec<u8>,
    /// Subgroup size the code has.
    pub subgroup_size: u32,
    /// Workgroup size.
    pub local_size: [u32; 3],
    /// Numbers about the code.
    pub statistics: Vec<Statistic>,
    /// For code that was made for [`CompileRequest::first`]: offset in the binary, a multiple of 8, of 32 bytes of zeros that the GPU
    /// looks at, a 32-bit word and from 8 bytes on three 64-bit words. Once the address and bytes of a binary of the same
    /// kernel are in the first two of these and the 32-bit word is not 0, dispatches use that; in the third the GPU counts what
    /// dispatches of this code have taken, in ticks of which some billions are a second.
    pub successor: Option<u64>,
    /// Low-level intermediate text, if wanted.
    pub ir: Option<String>,
    /// Assembly text, if wanted.
    pub asm: Option<String>,
}

/// Why there is no machine code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The kernel uses something the GPU does not have.
    #[error("not supported by this GPU: {0}")]
    Unsupported(String),
    /// Code generation failed.
    #[error("code generation failed: {0}")]
    Internal(String),
    /// There is only the best code, which takes time; why.
    #[error("no code at once: {0}")]
    NotAtOnce(String),
    /// No memory.
    #[error("out of host memory while compiling")]
    OutOfHostMemory,
}
