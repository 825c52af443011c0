//! What a kernel touches outside of itself.

use crate::sir::{ImageDim, SampleMode, Type};

/// Why an execution ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An address that is not mapped, or not for this kind of access.
    #[error("{} of {size} bytes at {addr:#x} failed", if *.write { "write" } else { "read" })]
    Memory {
        /// GPU virtual address.
        addr: u64,
        /// Bytes.
        size: u64,
        /// Whether it was a write.
        write: bool,
    },
    /// The step limit was reached; probably an endless loop.
    #[error("the kernel did not end within the step limit")]
    StepLimit,
    /// The cancel flag was raised.
    #[error("the execution was cancelled")]
    Cancelled,
    /// A descriptor or operation that the machine does not have.
    #[error("{0}")]
    Unsupported(String),
}

/// A bound buffer range. Size 0 is the null buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferView {
    /// Address of the first byte.
    pub addr: u64,
    /// Size in bytes.
    pub size: u64,
}

/// A descriptor: set, binding and array element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// Descriptor set number.
    pub set: u32,
    /// Binding number.
    pub binding: u32,
    /// Array element, as computed by the kernel: may be out of range.
    pub element: u32,
}

/// An image as an instruction sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageAccess {
    /// The descriptor.
    pub desc: Descriptor,
    /// Dimensionality that the shader declares.
    pub dim: ImageDim,
    /// Arrayed.
    pub arrayed: bool,
    /// Multisampled.
    pub ms: bool,
    /// Type of the texel components in the kernel: `F32`, `I32` or `I64`.
    pub ty: Type,
}

/// Integer texel coordinates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TexelCoords {
    /// x, y, z / layer, layer in the order of the instruction; unused ones are 0.
    pub xyz: [i32; 4],
    /// Level of detail.
    pub lod: i32,
    /// Sample index.
    pub sample: i32,
}

/// Four components and the residency code of sparse images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Texel {
    /// Component bits, zero-extended.
    pub values: [u64; 4],
    /// Opaque residency code; 0 means resident.
    pub residency: u32,
}

/// Operands of a filtered read.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleRequest {
    /// What is done.
    pub mode: SampleMode,
    /// u, v, w, layer as far as the image has them.
    pub coords: Vec<f32>,
    /// Level of detail.
    pub lod: Option<f32>,
    /// ∂x components then ∂y components, or empty.
    pub grad: Vec<f32>,
    /// Offsets, or empty.
    pub offsets: Vec<i32>,
    /// Depth-comparison reference.
    pub dref: Option<f32>,
    /// Component of a gather.
    pub component: u8,
    /// Lower bound of the level of detail.
    pub min_lod: Option<f32>,
    /// What is added to the level of detail.
    pub bias: Option<f32>,
}

/// What a kernel touches outside of itself: descriptors, memory, images, the clock. Implemented by the software GPU
/// over real GPU memory, and by [`super::TestMachine`] over vectors.
pub trait Machine {
    /// The range bound to a buffer descriptor; elements out of range and null descriptors give size 0.
    ///
    /// # Errors
    /// If the binding holds no buffer.
    fn buffer(&mut self, desc: Descriptor) -> Result<BufferView, Fault>;

    /// Reads memory. Aligned reads of 1, 2, 4 and 8 bytes are single accesses (atomic loads rely on it).
    ///
    /// # Errors
    /// If the range is not readable.
    fn load(&mut self, addr: u64, bytes: &mut [u8]) -> Result<(), Fault>;

    /// Writes memory; single accesses as with `load`.
    ///
    /// # Errors
    /// If the range is not writable.
    fn store(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Fault>;

    /// Atomically replaces the `size` bytes (1, 2, 4 or 8, little endian) at `addr` by `f` of them and gives the old
    /// value. `f` may be called several times.
    ///
    /// # Errors
    /// If the range is not writable or not aligned.
    fn atomic(&mut self, addr: u64, size: u32, f: &mut dyn FnMut(u64) -> u64) -> Result<u64, Fault>;

    /// The push constants; reads beyond the end give 0.
    fn push_constants(&self) -> &[u8];

    /// A monotonic clock, any unit.
    fn clock(&mut self) -> u64;

    /// Reads a texel; out of range gives what robustness says.
    ///
    /// # Errors
    /// If the binding holds no such image, or its memory faults.
    fn image_load(&mut self, image: &ImageAccess, at: &TexelCoords) -> Result<Texel, Fault>;

    /// Writes a texel; out of range does nothing.
    ///
    /// # Errors
    /// As `image_load`.
    fn image_store(&mut self, image: &ImageAccess, at: &TexelCoords, values: [u64; 4]) -> Result<(), Fault>;

    /// Atomically replaces the texel by `f` of it and gives the old value; out of range does nothing and gives 0.
    ///
    /// # Errors
    /// As `image_load`.
    fn image_atomic(
        &mut self,
        image: &ImageAccess,
        at: &TexelCoords,
        f: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Fault>;

    /// Size per dimension at a level of detail, then the number of layers if arrayed; unused ones are 0.
    ///
    /// # Errors
    /// If the binding holds no such image.
    fn image_size(&mut self, image: &ImageAccess, lod: i32) -> Result<[u32; 4], Fault>;

    /// Number of levels of detail.
    ///
    /// # Errors
    /// If the binding holds no such image.
    fn image_levels(&mut self, image: &ImageAccess) -> Result<u32, Fault>;

    /// Number of samples.
    ///
    /// # Errors
    /// If the binding holds no such image.
    fn image_samples(&mut self, image: &ImageAccess) -> Result<u32, Fault>;

    /// A filtered read. `sampler` is `None` for combined image samplers. With a depth reference and mode Sample only
    /// the first component counts.
    ///
    /// # Errors
    /// If a binding does not hold what is needed.
    fn sample(
        &mut self,
        image: &ImageAccess,
        sampler: Option<Descriptor>,
        request: &SampleRequest,
    ) -> Result<Texel, Fault>;
}
