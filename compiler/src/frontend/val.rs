//! What a SPIR-V id stands for during translation.

use super::decor::MemFlags;
use super::types::ImageTy;
use crate::sir::{ImageCoords, Resource, SlotId, Value};
use smallvec::SmallVec;
use std::rc::Rc;

/// Scalars of a flattened value, in order.
pub(super) type Leaves = SmallVec<[Value; 4]>;

/// A SPIR-V value.
#[derive(Clone, Debug)]
pub(super) enum Val {
    /// Data, flattened. Pointers that are data are flattened too (see `types::pointer_leaves`): a storage-buffer pointer is
    /// the code of its buffer and a byte offset, a workgroup pointer its offset + 1 (0 is the null pointer), a physical one
    /// an address.
    Flat(Leaves),
    /// A pointer whose base is known.
    Ptr(Ptr),
    /// An image, a sampler or both.
    Opaque(Rc<Opaque>),
    /// Result of `OpImageTexelPointer`.
    Texel(Rc<TexelPtr>),
}

/// A loaded image, sampler or sampled image.
#[derive(Clone, Debug)]
pub(super) struct Opaque {
    /// The image's descriptor; of a combined image sampler both.
    pub image: Option<(Resource, Rc<ImageTy>)>,
    /// The separate sampler's descriptor.
    pub sampler: Option<Resource>,
    /// The image comes with its own sampler.
    pub combined: bool,
}

/// A texel to do an atomic on.
#[derive(Clone, Debug)]
pub(super) struct TexelPtr {
    pub res: Resource,
    pub ty: Rc<ImageTy>,
    pub coords: ImageCoords,
    /// Type of what is changed: a scalar, or a vector of 16-bit floats.
    pub pointee: u32,
}

/// What a pointer's offset counts from.
#[derive(Clone, Debug)]
pub(super) enum Root {
    /// A storage or uniform buffer of this descriptor.
    Buffer(Resource),
    /// A storage buffer chosen at run time by this code (`I64`; see `access::buffer_code`).
    Code(Value),
    /// A physical address (`I64`).
    Global(Value),
    /// Workgroup memory.
    Shared,
    /// Private memory.
    Slot(SlotId),
    /// Push constants.
    Push,
    /// A read-only input, as scalars of four bytes each.
    Input(Rc<[Value]>),
    /// An image or sampler descriptor.
    Handle(Resource),
    /// An image descriptor and a sampler descriptor that stand for a combined one.
    Pair(Resource, Resource),
    /// A variable that is mapped to descriptor heaps, not fully indexed yet.
    Mapped(Resource, Rc<super::heap::Mapped>),
    /// A descriptor heap; the offset is that of a descriptor.
    Heap {
        /// The sampler heap, not the resource heap.
        sampler: bool,
        /// An index that led here is decorated `NonUniform`.
        non_uniform: bool,
    },
}

/// A pointer. Its place is `root` + `off` + `imm` bytes.
#[derive(Clone, Debug)]
pub(super) struct Ptr {
    pub root: Root,
    /// Dynamic byte offset: `I64` for buffers, `I32` for the others; always absent for physical addresses.
    pub off: Option<Value>,
    pub imm: i64,
    /// Known alignment of `root` + `off`, a power of two.
    pub align: u32,
    pub pointee: u32,
    /// Descriptor-array levels still to be indexed before memory begins.
    pub levels: u32,
    /// Bytes from the pointee to the next element of the array, matrix or vector it was indexed out of, if that is known.
    pub stride: Option<i64>,
    /// The pointee's layout is that of its decorations, not the natural one.
    pub explicit: bool,
    pub matrix: MatrixLayout,
    pub flags: MemFlags,
    pub class: spirv::StorageClass,
}

/// What the member that led here says of matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MatrixLayout {
    /// `MatrixStride`, 0 if not stated.
    pub stride: u32,
    pub row_major: bool,
    /// Distance of vector components, if the vector is a column of a row-major matrix; else 0.
    pub component_stride: u32,
}
