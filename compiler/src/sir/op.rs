//! Operations that are not lane-wise functions: memory, images, subgroups, barriers and control flow.

use super::{AluOp, ImageFormat, Label, Region, SlotId, Type, Value};
use smallvec::SmallVec;

/// Flags of a lane-wise operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AluFlags {
    /// SPIR-V `NoContraction`: this operation must not be fused with another one.
    pub no_contract: bool,
}

/// A descriptor: descriptor set, binding and array element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Descriptor set number.
    pub set: u32,
    /// Binding number in the set.
    pub binding: u32,
    /// Array element (`I32`); `None` is element 0.
    pub index: Option<Value>,
    /// Whether the element may differ between invocations of a subgroup (SPIR-V `NonUniform`).
    pub non_uniform: bool,
}

/// Address spaces, for tables and analyses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// Storage, uniform and inline-uniform buffers through a descriptor.
    Buffer,
    /// Buffer device addresses.
    Global,
    /// Workgroup memory.
    Shared,
    /// Private memory of one invocation.
    Slot,
    /// Push constants.
    Push,
}

/// Where a memory access goes. Byte offset = `off` (0 if absent) + `imm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addr {
    /// A buffer reference and an `I64` byte offset (signed arithmetic, compared as unsigned with the size).
    Buffer { buf: Value, off: Option<Value>, imm: i64 },
    /// An absolute `I64` address.
    Global { addr: Value, imm: i64 },
    /// Workgroup memory at an `I32` byte offset.
    Shared { off: Option<Value>, imm: u32 },
    /// Private memory at an `I32` byte offset into a slot. Out-of-range accesses read 0 and write nothing.
    Slot { slot: SlotId, off: Option<Value>, imm: u32 },
    /// Push constants at an `I32` byte offset.
    Push { off: Option<Value>, imm: u32 },
}

impl Addr {
    /// The address space.
    pub const fn space(&self) -> Space {
        match self {
            Addr::Buffer { .. } => Space::Buffer,
            Addr::Global { .. } => Space::Global,
            Addr::Shared { .. } => Space::Shared,
            Addr::Slot { .. } => Space::Slot,
            Addr::Push { .. } => Space::Push,
        }
    }
}

/// Properties of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// Known alignment of the first element in bytes; a power of two. May be less than the element size.
    pub align: u32,
    /// Must not be removed, repeated or moved.
    pub volatile: bool,
    /// `Coherent` or make-available/visible semantics.
    pub coherent: bool,
    /// Decorated `NonWritable` (the buffer is read-only in this kernel).
    pub non_writable: bool,
    /// Decorated `Restrict`.
    pub restrict: bool,
    /// An atomic load or store (single element).
    pub atomic: bool,
}

impl Access {
    /// A plain access of known alignment.
    pub const fn plain(align: u32) -> Access {
        Access { align, volatile: false, coherent: false, non_writable: false, restrict: false, atomic: false }
    }
}

/// Read-modify-write operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum AtomicOp {
    IAdd,
    SMin,
    SMax,
    UMin,
    UMax,
    And,
    Or,
    Xor,
    Exchange,
    FAdd,
    FMin,
    FMax,
    /// On integers that hold 16-bit floats side by side, as are the others with this letter: each is changed by itself. Of texels only.
    HAdd,
    HMin,
    HMax,
}

/// Built-in inputs. All are `I32`; three-component ones carry the component 0..=2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Builtin {
    /// WorkgroupId, base included.
    WorkgroupId(u8),
    /// NumWorkgroups.
    NumWorkgroups(u8),
    /// LocalInvocationId.
    LocalId(u8),
    /// GlobalInvocationId = WorkgroupId · local size + LocalInvocationId.
    GlobalId(u8),
    /// LocalInvocationIndex.
    LocalIndex,
    /// SubgroupId within the workgroup.
    SubgroupId,
    /// NumSubgroups of the workgroup.
    NumSubgroups,
    /// SubgroupSize.
    SubgroupSize,
    /// SubgroupLocalInvocationId.
    SubgroupLocalId,
}

/// Dimensionality of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ImageDim {
    D1,
    D2,
    D3,
    Cube,
    Buffer,
}

/// An image operand: descriptor and the shape the shader declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageRef {
    /// The descriptor (storage image, sampled image, combined image sampler or texel buffer).
    pub res: Resource,
    /// Dimensionality.
    pub dim: ImageDim,
    /// Arrayed (an extra coordinate selects the layer).
    pub arrayed: bool,
    /// Multisampled.
    pub ms: bool,
    /// The format that the shader declares, which the view's is (of storage images; otherwise none is declared).
    pub format: Option<ImageFormat>,
}

/// Integer texel coordinates of image loads, stores and atomics: x[, y[, z]][, layer]; all `I32`. For cubes the last is
/// layer-face. Out of range: loads give 0 (alpha as robustImageAccess says), stores and atomics do nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageCoords {
    /// The coordinates, 1 to 4.
    pub xyz: SmallVec<[Value; 4]>,
    /// Level of detail (`I32`), 0 if absent.
    pub lod: Option<Value>,
    /// Sample index (`I32`) of multisampled images.
    pub sample: Option<Value>,
}

/// Which kind of filtered read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SampleMode {
    /// Filtered read at a level of detail: explicit, from gradients, or 0.
    Sample,
    /// Four texels of one component (OpImageGather); the component stands in `SampleOperands::component`.
    Gather,
    /// The level that a filtered read would take, and the level of detail before it is clamped.
    QueryLod,
}

/// Operands of a filtered read. Coordinates are `F32`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SampleOperands {
    /// What is done.
    pub mode: SampleMode,
    /// u[, v[, w]][, layer].
    pub coords: SmallVec<[Value; 4]>,
    /// Level of detail (`F32`).
    pub lod: Option<Value>,
    /// Gradients: ∂x components then ∂y components (`F32`), empty if absent.
    pub grad: SmallVec<[Value; 6]>,
    /// Integer offsets (`I32`), one per dimension; for gathers with ConstOffsets 4 pairs.
    pub offsets: SmallVec<[Value; 3]>,
    /// Depth-comparison reference (`F32`).
    pub dref: Option<Value>,
    /// Component of a gather, 0..=3.
    pub component: u8,
    /// Lower bound of the level of detail (`F32`).
    pub min_lod: Option<Value>,
    /// What is added to the level of detail, as the sampler's bias is (`F32`).
    pub bias: Option<Value>,
}

/// Associative operations of subgroup reductions and scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum GroupOp {
    IAdd,
    IMul,
    SMin,
    SMax,
    UMin,
    UMax,
    And,
    Or,
    Xor,
    FAdd,
    FMul,
    FMin,
    FMax,
}

/// Reduction or scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum GroupScan {
    Reduce,
    Inclusive,
    Exclusive,
}

/// Operations between the active invocations of a subgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubgroupOp {
    /// () → Bool: true in the lowest active invocation.
    Elect,
    /// (Bool) → Bool.
    All,
    /// (Bool) → Bool.
    Any,
    /// (T) → Bool: whether all active invocations hold equal values (floats: ordered equal).
    AllEqual,
    /// (Bool) → I64 mask of active invocations that hold true.
    Ballot,
    /// (T, I32) → T of the invocation with that id (uniform over the subgroup).
    Broadcast,
    /// (T) → T of the lowest active invocation.
    BroadcastFirst,
    /// (T, I32) → T of the invocation with that id.
    Shuffle,
    /// (T, I32) → T of the invocation id ^ mask.
    ShuffleXor,
    /// (T, I32) → T of the invocation id − delta.
    ShuffleUp,
    /// (T, I32) → T of the invocation id + delta.
    ShuffleDown,
    /// (T, I32) → T of the invocation (id + delta) modulo the cluster (0 = whole subgroup).
    Rotate { cluster: u32 },
    /// (T) → T over clusters of that size (0 = whole subgroup).
    Group { op: GroupOp, scan: GroupScan, cluster: u32 },
    /// (T) → I64 mask of this invocation and the active ones that hold an equal value (floats: ordered equal).
    Partition,
    /// (T, I64) → T over the invocation's subset. The lowest active invocation forms a subset with those active ones that
    /// its mask names, the lowest one that is left over forms the next, and so on.
    Partitioned { op: GroupOp, scan: GroupScan },
    /// (T, I32 0..=3) → T of that invocation of the quad.
    QuadBroadcast,
    /// (T) → T of the quad neighbour: 0 horizontal, 1 vertical, 2 diagonal.
    QuadSwap { direction: u8 },
}

/// Scopes of barriers and memory ordering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum MemoryScope {
    Invocation,
    Subgroup,
    Workgroup,
    QueueFamily,
    Device,
}

/// One arm of a switch.
#[derive(Clone, Debug, PartialEq)]
pub struct SwitchCase {
    /// Selector values (bits of the selector's type) that enter here. The default arm has `is_default` and may have literals too.
    pub literals: Vec<u64>,
    /// Whether selectors that match no literal enter here. Exactly one arm has it.
    pub is_default: bool,
    /// The arm. Its parameters are initialised by `init` when entered from the selector, by `Op::Fallthrough`'s
    /// arguments when entered from the arm before.
    pub body: Region,
    /// Initial values of `body.params` on entry from the selector.
    pub init: Vec<Value>,
}

/// An operation. The number and types of results are stated per variant; result values stand in `Inst::results`.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// → 1 of any type: the bits, zero-extended. `Buf` 0 is the null buffer (size 0).
    Const(u64),
    /// → 1.
    Alu { op: AluOp, args: SmallVec<[Value; 4]>, flags: AluFlags },
    /// → 1 `I32`.
    Builtin(Builtin),

    // ---- memory ----
    /// → 1 `Buf`.
    Buffer(Resource),
    /// → 1 `I64`: size in bytes of the bound range.
    BufferSize(Value),
    /// → n ≥ 1 of one type: consecutive elements.
    Load { addr: Addr, access: Access },
    /// → 0.
    Store { addr: Addr, values: SmallVec<[Value; 4]>, access: Access },
    /// → 1: the old value. Type of `value`.
    AtomicRmw { op: AtomicOp, addr: Addr, value: Value, volatile: bool },
    /// → 1: the old value.
    AtomicCas { addr: Addr, expected: Value, desired: Value, volatile: bool },

    // ---- images ----
    /// → 4 of one type (`F32`, `I32` or `I64`; with `F16` results the front end converts) [+ 1 `I32` residency code if `sparse`].
    ImageLoad { image: ImageRef, coords: ImageCoords, sparse: bool },
    /// → 0. `texel` has 4 values.
    ImageStore { image: ImageRef, coords: ImageCoords, texel: SmallVec<[Value; 4]> },
    /// → 1: the old value.
    ImageAtomic { image: ImageRef, coords: ImageCoords, op: AtomicOp, value: Value },
    /// → 1: the old value.
    ImageCas { image: ImageRef, coords: ImageCoords, expected: Value, desired: Value },
    /// → n `I32`: size per dimension, then the number of layers if arrayed.
    ImageSize { image: ImageRef, lod: Option<Value> },
    /// → 1 `I32`.
    ImageLevels { image: ImageRef },
    /// → 1 `I32`.
    ImageSamples { image: ImageRef },
    /// → 4 of `F32` or `I32` (1 `F32` with `dref` and mode Sample, 2 `F32` with mode QueryLod) [+ 1 `I32` residency code if `sparse`]. `sampler` = `None` for combined image samplers.
    Sample { image: ImageRef, sampler: Option<Resource>, operands: Box<SampleOperands>, sparse: bool },

    // ---- subgroup and workgroup ----
    /// → 1.
    Subgroup { op: SubgroupOp, args: SmallVec<[Value; 2]> },
    /// → 0. Execution barrier over `scope` (Subgroup or Workgroup), with the memory effects of `MemoryBarrier { memory }`.
    ControlBarrier { scope: MemoryScope, memory: MemoryScope },
    /// → 0. Orders memory accesses of this invocation as seen in `memory`.
    MemoryBarrier { memory: MemoryScope },
    /// → 1 `I64`: a monotonic clock.
    ReadClock { scope: MemoryScope },

    // ---- structured control flow ----
    /// → results by `Yield` of either side.
    If { cond: Value, then: Region, els: Region },
    /// → results by `Yield` of the last arm, or `Break(label)`.
    Switch { label: Label, selector: Value, cases: Vec<SwitchCase> },
    /// → results by `Break(label)`. `init` initialises `body.params`; the body ends in `Continue(label)` or another exit.
    Loop { label: Label, init: Vec<Value>, body: Region },
    /// → results by `Yield` at its end or `Break(label)` from inside.
    Block { label: Label, body: Region },

    // ---- terminators: the last instruction of every region, and only there ----
    /// Ends an If side, a Block or a Switch arm (leaving the switch) with results.
    Yield(Vec<Value>),
    /// Leaves the named Block, Loop or Switch with its results.
    Break(Label, Vec<Value>),
    /// Next iteration of the named Loop with its parameters.
    Continue(Label, Vec<Value>),
    /// From a switch arm into the next arm, with that arm's parameters.
    Fallthrough(Vec<Value>),
    /// The invocation is done. Only in a kernel body or nested in it (no results).
    Return,
    /// Control never comes here (OpUnreachable).
    Unreachable,
}

impl Op {
    /// Whether this ends a region.
    pub const fn is_terminator(&self) -> bool {
        matches!(
            self,
            Op::Yield(_) | Op::Break(..) | Op::Continue(..) | Op::Fallthrough(_) | Op::Return | Op::Unreachable
        )
    }

    /// A lane-wise operation with default flags.
    pub fn alu(op: AluOp, args: &[Value]) -> Op {
        Op::Alu { op, args: SmallVec::from_slice(args), flags: AluFlags::default() }
    }

    /// A plain constant of floating-point type `F32`.
    pub const fn f32(v: f32) -> Op {
        Op::Const(v.to_bits() as u64)
    }

    /// The bits that a constant of `ty` keeps.
    pub const fn constant(ty: Type, bits: u64) -> Op {
        Op::Const(bits & ty.mask())
    }
}
