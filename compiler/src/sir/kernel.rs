//! A kernel: the tree of regions and everything around it.

use super::{Op, SlotId, Type, Value};
use smallvec::SmallVec;

/// One instruction.
#[derive(Clone, Debug, PartialEq)]
pub struct Inst {
    /// Results in order; each value is defined exactly once in a kernel.
    pub results: SmallVec<[Value; 2]>,
    /// What it does.
    pub op: Op,
}

/// A sequence of instructions that ends in a terminator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Region {
    /// Values defined at entry (loops and switch arms only).
    pub params: Vec<Value>,
    /// The instructions.
    pub insts: Vec<Inst>,
}

/// Private memory of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Size in bytes.
    pub size: u32,
    /// Alignment in bytes, a power of two.
    pub align: u32,
}

/// What kind of descriptor a binding holds (by how the kernel uses it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum BindingKind {
    UniformBuffer,
    StorageBuffer,
    StorageImage,
    SampledImage,
    Sampler,
    CombinedImageSampler,
    UniformTexelBuffer,
    StorageTexelBuffer,
}

/// A descriptor binding that the kernel statically uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Descriptor set number.
    pub set: u32,
    /// Binding number.
    pub binding: u32,
    /// Kind of use.
    pub kind: BindingKind,
    /// Declared array size; 0 = runtime array; 1 for a single descriptor.
    pub count: u32,
    /// Whether the kernel writes through it.
    pub written: bool,
}

/// Denormal and rounding behaviour for one float width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FloatMode {
    /// DenormFlushToZero.
    pub flush_denorms: bool,
    /// DenormPreserve.
    pub preserve_denorms: bool,
    /// RoundingModeRTZ.
    pub rtz: bool,
    /// RoundingModeRTE.
    pub rte: bool,
    /// SignedZeroInfNanPreserve.
    pub signed_zero_inf_nan: bool,
}

/// Float controls of the entry point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FloatControls {
    /// 16-bit floats.
    pub f16: FloatMode,
    /// 32-bit floats.
    pub f32: FloatMode,
    /// 64-bit floats.
    pub f64: FloatMode,
}

impl FloatMode {
    /// Whether operations round to nearest even and keep denormals.
    pub const fn is_plain(self) -> bool {
        !self.flush_denorms && !self.rtz
    }
}

impl FloatControls {
    /// Those of a type; plain ones for types that are no floats.
    pub fn of(&self, t: Type) -> FloatMode {
        match t {
            Type::F16 => self.f16,
            Type::F32 => self.f32,
            Type::F64 => self.f64,
            Type::Bool | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Buf => FloatMode::default(),
        }
    }
}

/// A compute kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kernel {
    /// Entry-point name.
    pub name: String,
    /// Workgroup size per dimension, specialisation applied; each ≥ 1.
    pub local_size: [u32; 3],
    /// Bytes of workgroup memory.
    pub shared_size: u32,
    /// Whether workgroup memory starts as zeros (VK_KHR_zero_initialize_workgroup_memory was asked for).
    pub shared_zeroed: bool,
    /// Whether offsets into buffers may exceed 32 bits (VK_EXT_shader_64bit_indexing); otherwise no more than 4 GiB of one are accessed.
    pub wide_indexing: bool,
    /// Bytes of push constants that the kernel declares (end of the block).
    pub push_size: u32,
    /// Private memory.
    pub slots: Vec<Slot>,
    /// Descriptors used, sorted by (set, binding).
    pub bindings: Vec<Binding>,
    /// Float controls.
    pub float_controls: FloatControls,
    /// Whether subgroup operations or builtins occur.
    pub uses_subgroups: bool,
    /// Type of each value.
    pub types: Vec<Type>,
    /// Number of labels handed out; labels are below this.
    pub labels: u32,
    /// The code; ends in `Return` on the straight path.
    pub body: Region,
}

impl Kernel {
    /// A fresh value of a type.
    pub fn value(&mut self, ty: Type) -> Value {
        let v = Value(u32::try_from(self.types.len()).unwrap_or(u32::MAX));
        self.types.push(ty);
        v
    }

    /// Type of a value.
    ///
    /// # Panics
    /// If the value is not of this kernel.
    pub fn ty(&self, v: Value) -> Type {
        self.types[v.index()]
    }

    /// A fresh label.
    pub fn label(&mut self) -> super::Label {
        let l = super::Label(self.labels);
        self.labels += 1;
        l
    }

    /// A fresh slot.
    pub fn slot(&mut self, size: u32, align: u32) -> SlotId {
        let s = SlotId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        self.slots.push(Slot { size, align });
        s
    }

    /// Invocations in a workgroup.
    pub fn invocations(&self) -> u32 {
        self.local_size.iter().fold(1u32, |a, &b| a.saturating_mul(b))
    }
}

impl Region {
    /// Appends an instruction.
    pub fn push(&mut self, results: &[Value], op: Op) {
        self.insts.push(Inst { results: SmallVec::from_slice(results), op });
    }

    /// The terminator, if the region is complete.
    pub fn terminator(&self) -> Option<&Op> {
        self.insts.last().map(|i| &i.op).filter(|op| op.is_terminator())
    }
}
