//! What compiled kernels, the loader and the engine agree on: structures that machine code reads at run time, the
//! descriptor layout given to the compiler, and the container a compiled kernel is kept in.
//!
//! Everything that machine code reads is `repr(C)`; offsets are taken with `offset_of!` on the compiler's side.

use compiler::sir;

/// A buffer descriptor in descriptor-set memory. `addr` may be 0 when `size` is 0 (null descriptor).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferDesc {
    /// GPU (= CPU) virtual address of the first byte.
    pub addr: u64,
    /// Size of the bound range in bytes.
    pub size: u64,
}

/// Number of descriptor sets a kernel can address.
pub const MAX_SETS: usize = 32;

/// Bytes behind [`DispatchCtx::push`] that a kernel may read.
pub const PUSH_BYTES: u32 = 256;

/// From this size on, in bytes, what is written goes past the caches: little of it would be there when somebody reads it, and a cache
/// reads every line that is written to it.
pub const STREAM_FROM: u64 = 16 << 20;

/// What a dispatch hands to a kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DispatchCtx {
    /// Push constants, [`PUSH_BYTES`] readable bytes.
    pub push: *const u8,
    /// Address of the memory of each bound descriptor set, `[u64; MAX_SETS]`, 0 where none is bound.
    pub sets: *const u64,
    /// Dynamic buffers with their dynamic offsets applied, indexed by [`BindingSlot::dynamic`].
    pub dynamic: *const BufferDesc,
    /// Functions for what kernels do not do inline.
    pub helpers: *const Helpers,
    /// For the helpers: the address space that residency is asked of, an `AddressSpace` that outlives the call; null: everything
    /// has memory.
    pub user: *const (),
    /// First workgroup of the dispatch in each dimension (vkCmdDispatchBase).
    pub base_group: [u32; 3],
    /// Workgroups of the dispatch in each dimension.
    pub group_count: [u32; 3],
    /// When this becomes nonzero loops leave and the kernel returns early.
    pub cancel: *const u32,
}

/// A compiled kernel: runs the workgroups `first_group..end_group` (linear index, x fastest) of a dispatch.
///
/// # Safety
/// All pointers of the context must be valid for the duration of the call as their documentation says, every
/// descriptor reachable through it must describe mapped memory, and `arena` must point to the number of writable bytes
/// that the kernel's header states, aligned to [`ARENA_ALIGN`], not used by anyone else during the call.
pub type KernelFn = unsafe extern "C" fn(ctx: *const DispatchCtx, first_group: u64, end_group: u64, arena: *mut u8);

/// Alignment of a kernel's arena in bytes.
pub const ARENA_ALIGN: usize = 64;

/// Class of the values that an image operation moves.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TexelClass {
    /// Binary32 bits in 4-byte containers.
    F32 = 0,
    /// 32-bit integers in 4-byte containers.
    I32 = 1,
    /// 64-bit integers in 8-byte containers.
    I64 = 2,
}

/// Constant facts of one image instruction, in the read-only data of the kernel.
///
/// Flags are 0 or 1. Enumerations of the IR are encoded by the functions below.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageOp {
    /// Dimensionality, see [`image_dim_code`].
    pub dim: u32,
    /// Arrayed.
    pub arrayed: u32,
    /// Multisampled.
    pub ms: u32,
    /// [`TexelClass`] of the data rows.
    pub class: u32,
    /// Rows of `operands` that are coordinates.
    pub coords: u32,
    /// Whether a row with the level of detail follows (I32 bits; F32 bits for filtered reads).
    pub has_lod: u32,
    /// Whether a row with the sample index follows.
    pub has_sample: u32,
    /// Rows of gradients that follow (F32), ∂x then ∂y.
    pub grads: u32,
    /// Rows of texel offsets that follow (I32).
    pub offsets: u32,
    /// Whether a row with the depth reference follows (F32).
    pub has_dref: u32,
    /// Whether a row with the lower bound of the level of detail follows (F32).
    pub has_min_lod: u32,
    /// Whether a row with what is added to the level of detail follows (F32).
    pub has_bias: u32,
    /// Kind of filtered read, see [`sample_mode_code`].
    pub mode: u32,
    /// Component of a gather.
    pub component: u32,
    /// Atomic operation, see [`atomic_op_code`].
    pub atomic: u32,
    /// Result or texel rows of `data` (without the residency row).
    pub rows: u32,
    /// Whether a residency row follows the result rows.
    pub sparse: u32,
}

/// An image helper, called once per subgroup operation.
///
/// `desc` and `sampler` hold one descriptor pointer per lane (null: no descriptor there); `sampler` is null where the
/// operation has none. `operands` holds rows of 32-bit lanes, `operands[row * width + lane]`, in the order of the fields of
/// [`ImageOp`]. `data` holds rows of lanes of the class's container: texels to store, the operand of an atomic (row 0;
/// compare-and-swap: expected in row 0, desired in row 1), and takes the results (atomics: row 0). Only lanes whose bit
/// in `mask` is set count; the others' entries are readable but meaningless.
pub type ImageFn = unsafe extern "C" fn(
    ctx: *const DispatchCtx,
    op: *const ImageOp,
    desc: *const *const u8,
    sampler: *const *const u8,
    operands: *const u32,
    data: *mut u8,
    mask: u32,
    width: u32,
);

/// Where the texels of a view stand that kernels access without help: one level, one sample, rows.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainImage {
    /// Address of the texel at 0, 0, 0; a multiple of the texel's size up to 8.
    pub base: u64,
    /// Bytes from one row to the next.
    pub row: u32,
    /// Bytes from one slice (or layer, whichever the third coordinate counts) to the next.
    pub slice: u32,
    /// Numbers of columns, rows, and slices or layers; all texels stand within 2 GiB.
    pub extent: [u32; 3],
    /// The `VkFormat`; 0: this view needs help.
    pub format: u32,
}

/// Tells where the texels of a view stand. `desc` is null where there is no descriptor; `dim` is as [`ImageOp::dim`] and
/// `arrayed` as [`ImageOp::arrayed`].
pub type PlainImageFn = unsafe extern "C" fn(desc: *const u8, dim: u32, arrayed: u32, out: *mut PlainImage);

/// Where the texels of a level of a view stand.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainLevel {
    /// As [`PlainImage::base`].
    pub base: u64,
    /// As [`PlainImage::row`].
    pub row: u32,
    /// As [`PlainImage::slice`].
    pub slice: u32,
    /// As [`PlainImage::extent`].
    pub extent: [u32; 3],
    /// Bytes from `base` to the end of the last texel.
    pub end: u32,
}

/// How kernels find texels of a view and filter them without help: nearest or linear, of one level or between two. Coordinates
/// are normalised, averages are weighted, and there is no swizzle.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainTexture {
    /// The level that is read, or the two.
    pub levels: [PlainLevel; 2],
    /// Bits of the weight (`f32`) of the second level; 0: one level is read.
    pub blend: u32,
    /// Code of what reads the texels, see [`texel_reader_code`]; 0: this view with this sampler needs help.
    pub reader: u32,
    /// 1: linear.
    pub linear: u32,
    /// `VkSamplerAddressMode` of each dimension.
    pub address: [u32; 3],
    /// The last layer of the view.
    pub last_layer: u32,
    /// 1: the level of detail makes no difference.
    pub any_lod: u32,
    /// 1: the first and the third component change places.
    pub swap: u32,
    /// 1: there is an alpha component; otherwise it is 1.
    pub alpha: u32,
    /// Bits of the bytes of a texel, where it has fewer than four.
    pub mask: u32,
    /// Bytes of a texel.
    pub bytes: u32,
}

/// What reads texels for filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TexelReader {
    /// Four bytes, each a fraction.
    Bytes4,
    /// One or two bytes, each a fraction.
    Bytes12,
    /// One binary32 number.
    Single1,
    /// Four binary32 numbers.
    Single4,
    /// Four binary16 numbers.
    Half4,
    /// One 32-bit integer; not filtered.
    Word1,
    /// Four 32-bit integers; not filtered.
    Word4,
}

impl TexelReader {
    /// Those of numbers.
    pub const FLOAT: [TexelReader; 5] =
        [TexelReader::Bytes4, TexelReader::Bytes12, TexelReader::Single1, TexelReader::Single4, TexelReader::Half4];

    /// Those of integers.
    pub const INTEGER: [TexelReader; 2] = [TexelReader::Word1, TexelReader::Word4];
}

/// Code of a reader in [`PlainTexture::reader`].
pub const fn texel_reader_code(reader: TexelReader) -> u32 {
    match reader {
        TexelReader::Bytes4 => 1,
        TexelReader::Bytes12 => 2,
        TexelReader::Single1 => 3,
        TexelReader::Single4 => 4,
        TexelReader::Half4 => 5,
        TexelReader::Word1 => 6,
        TexelReader::Word4 => 7,
    }
}

/// Tells how a view is filtered with a sampler, or where texels of a level stand. The descriptors are null where there is none; `dim`
/// and `arrayed` are as for [`PlainImageFn`]. With `texels` = 0, `lod` holds the bits of the level of detail (`f32`); with 1 it is a
/// level of the view, texels are to be read without a filter, and `sampler` says nothing.
pub type PlainTextureFn = unsafe extern "C" fn(
    desc: *const u8,
    sampler: *const u8,
    dim: u32,
    arrayed: u32,
    lod: u32,
    texels: u32,
    out: *mut PlainTexture,
);

/// Functions that kernels call for what is not generated inline.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Helpers {
    /// Texel read.
    pub image_load: ImageFn,
    /// Texel write.
    pub image_store: ImageFn,
    /// Read-modify-write of a texel.
    pub image_atomic: ImageFn,
    /// Compare-and-swap of a texel.
    pub image_cas: ImageFn,
    /// Size query; `rows` results, level of detail optional.
    pub image_size: ImageFn,
    /// Number of mip levels; 1 row.
    pub image_levels: ImageFn,
    /// Number of samples; 1 row.
    pub image_samples: ImageFn,
    /// Filtered read or gather.
    pub sample: ImageFn,
    /// Facts of a view for accesses without help.
    pub plain_image: PlainImageFn,
    /// Facts of a view and a sampler for filtered reads without help.
    pub plain_texture: PlainTextureFn,
}

/// Code of an image dimensionality in [`ImageOp::dim`].
pub const fn image_dim_code(dim: sir::ImageDim) -> u32 {
    match dim {
        sir::ImageDim::D1 => 0,
        sir::ImageDim::D2 => 1,
        sir::ImageDim::D3 => 2,
        sir::ImageDim::Cube => 3,
        sir::ImageDim::Buffer => 4,
    }
}

/// Code of a kind of filtered read in [`ImageOp::mode`].
pub const fn sample_mode_code(mode: sir::SampleMode) -> u32 {
    match mode {
        sir::SampleMode::Sample => 0,
        sir::SampleMode::Gather => 1,
        sir::SampleMode::QueryLod => 2,
    }
}

/// Code of an atomic operation in [`ImageOp::atomic`].
pub const fn atomic_op_code(op: sir::AtomicOp) -> u32 {
    match op {
        sir::AtomicOp::IAdd => 0,
        sir::AtomicOp::SMin => 1,
        sir::AtomicOp::SMax => 2,
        sir::AtomicOp::UMin => 3,
        sir::AtomicOp::UMax => 4,
        sir::AtomicOp::And => 5,
        sir::AtomicOp::Or => 6,
        sir::AtomicOp::Xor => 7,
        sir::AtomicOp::Exchange => 8,
        sir::AtomicOp::FAdd => 9,
        sir::AtomicOp::FMin => 10,
        sir::AtomicOp::FMax => 11,
        sir::AtomicOp::HAdd => 12,
        sir::AtomicOp::HMin => 13,
        sir::AtomicOp::HMax => 14,
    }
}

/// The operation on 16-bit floats of a code of [`atomic_op_code`].
pub const fn half_op(code: u32) -> Option<sir::AtomicOp> {
    match code {
        12 => Some(sir::AtomicOp::HAdd),
        13 => Some(sir::AtomicOp::HMin),
        14 => Some(sir::AtomicOp::HMax),
        _ => None,
    }
}

/// Where a binding stands in its descriptor set's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BindingSlot {
    /// Descriptor set number, below [`MAX_SETS`].
    pub set: u32,
    /// Binding number.
    pub binding: u32,
    /// Bytes from the start of the set's memory to element 0.
    pub offset: u32,
    /// Bytes between array elements.
    pub stride: u32,
    /// Array elements; indices at or beyond it read as null descriptors.
    pub count: u32,
    /// Index into [`DispatchCtx::dynamic`] for element 0; elements follow consecutively.
    pub dynamic: Option<u32>,
    /// Size of an inline uniform block, whose data stand in the set's memory at `offset`.
    pub inline_size: Option<u32>,
    /// Bytes from the start of a descriptor to what a separate sampler at this binding reads: the sampler part where the layout has
    /// combined image samplers, else 0.
    pub sampler_offset: u32,
}

/// Natural vector width of generated code in 32-bit lanes, with the instruction set that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Width {
    /// 128-bit registers, x86-64-v2 (SSE4.2).
    W4,
    /// 256-bit registers, x86-64-v3 (AVX2, FMA, F16C).
    W8,
    /// 512-bit registers, x86-64-v4 (AVX-512 F/BW/CD/DQ/VL).
    W16,
}

impl Width {
    /// Every width, narrowest first.
    pub const ALL: [Width; 3] = [Width::W4, Width::W8, Width::W16];

    /// 32-bit lanes in a register.
    pub const fn lanes(self) -> u32 {
        match self {
            Width::W4 => 4,
            Width::W8 => 8,
            Width::W16 => 16,
        }
    }

    /// The width of that many lanes.
    pub const fn from_lanes(lanes: u32) -> Option<Width> {
        match lanes {
            4 => Some(Width::W4),
            8 => Some(Width::W8),
            16 => Some(Width::W16),
            _ => None,
        }
    }

    /// Whether this processor (and operating system) runs code of this width.
    pub fn supported(self) -> bool {
        let v2 = is_x86_feature_detected!("sse4.2")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("cmpxchg16b");
        let v3 = v2
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("movbe");
        match self {
            Width::W4 => v2,
            Width::W8 => v3,
            Width::W16 => {
                v3 && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512cd")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
        }
    }

    /// The widest that this processor runs, if it runs any.
    pub fn best() -> Option<Width> {
        Width::ALL.into_iter().rev().find(|w| w.supported())
    }
}

/// What a compiled kernel says of itself, in front of its object file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Instruction set it needs.
    pub width: Width,
    /// Lanes of a subgroup.
    pub subgroup_size: u32,
    /// Workgroup size.
    pub local_size: [u32; 3],
    /// Bytes of arena that a thread running it needs.
    pub arena_bytes: u64,
}

const MAGIC: [u8; 8] = *b"vkdxgK\r\n";
/// Version of everything that machine code and engine agree on; a cached kernel of another version is not loaded.
pub const ABI_VERSION: u32 = 4;
/// Bytes of the encoded header in front of the object file.
pub const HEADER_BYTES: usize = 88;
const CHECKSUM_AT: usize = 56;

impl Header {
    /// Puts the header with a checksum in front of an object file.
    pub fn encode(&self, object: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + object.len());
        out.extend_from_slice(&MAGIC);
        for word in [
            ABI_VERSION,
            self.width.lanes(),
            self.subgroup_size,
            self.local_size[0],
            self.local_size[1],
            self.local_size[2],
            0,
            0,
        ] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.arena_bytes.to_le_bytes());
        out.extend_from_slice(&(object.len() as u64).to_le_bytes());
        let sum = checksum(&out, object);
        out.extend_from_slice(&sum);
        out.extend_from_slice(object);
        out
    }

    /// The bytes of header and object file at the beginning of more; `None` if there are less.
    pub fn whole(bytes: &[u8]) -> Option<&[u8]> {
        let object = u64::from_le_bytes(bytes.get(48..56)?.try_into().ok()?);
        bytes.get(..HEADER_BYTES.checked_add(usize::try_from(object).ok()?)?)
    }

    /// Splits bytes into header and object file. `None` if they are not a kernel of this version or damaged.
    pub fn decode(bytes: &[u8]) -> Option<(Header, &[u8])> {
        let head = bytes.get(..HEADER_BYTES)?;
        let object = &bytes[HEADER_BYTES..];
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if head[..8] != MAGIC || word(8) != ABI_VERSION || long(48) != object.len() as u64 {
            return None;
        }
        if head[CHECKSUM_AT..] != checksum(&head[..CHECKSUM_AT], object) {
            return None;
        }
        let header = Header {
            width: Width::from_lanes(word(12))?,
            subgroup_size: word(16),
            local_size: [word(20), word(24), word(28)],
            arena_bytes: long(40),
        };
        Some((header, object))
    }
}

fn checksum(head: &[u8], object: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head);
    hasher.update(object);
    *hasher.finalize().as_bytes()
}
