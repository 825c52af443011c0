//! The second seam: what differs from GPU to GPU. One crate per GPU implements [`Gpu`]; nothing else of the runtime
//! knows which one it drives.

mod cmd;
mod compile;
mod descriptor;
mod image;
mod matrices;
mod props;
pub(crate) mod successor;

pub use cmd::{
    BlitRegion, DynamicBuffer, EncodeError, EncodeSink, GeneratedAction, GeneratedToken, GpuCmd, PlainDispatch,
    TexelRegion, MAX_PACKET,
};
pub use compile::{
    BindingSlot, CompileError, CompileRequest, CompiledKernel, Robustness, RobustnessLevel, Statistic, StatisticValue,
};
pub use descriptor::{BorderColor, DescriptorWrite, SamplerInfo, ViewInfo, YcbcrConversion};
pub use image::{ImageCreate, ImageLayout, SparseLayout, SubresourceLayout};
pub use matrices::{CooperativeMatrices, MatrixProduct, BFLOAT16, FLOAT8_E4M3, FLOAT8_E5M2};
pub use props::{
    FloatModes, FormatFeatures, GeneratedLimits, GpuFeatures, GpuProps, HeapInfo, MemorySegment, MemoryTypeInfo,
    PciAddress, QueueFamily, SubgroupProps,
};

use ash::vk;
use std::sync::atomic::AtomicU64;

/// A GPU as the runtime sees it: facts, descriptors, image layouts, kernels and packets.
///
/// All methods are pure functions of the GPU and their arguments; any thread may call them at any time. No method may
/// panic on any argument: what cannot be done is an error.
pub trait Gpu: Send + Sync + std::fmt::Debug {
    /// What the GPU is and can do. Does not change.
    fn props(&self) -> &GpuProps;

    /// What a format can be used for.
    fn format_features(&self, format: vk::Format) -> FormatFeatures;

    /// Bytes of one descriptor in set memory. For `INLINE_UNIFORM_BLOCK` this is 1 (the count is a number of bytes). 0 means that the
    /// GPU has no descriptor of that type.
    fn descriptor_size(&self, ty: vk::DescriptorType) -> u32;

    /// Writes one descriptor of type `ty` into `out`, which has [`descriptor_size`](Self::descriptor_size) bytes.
    fn write_descriptor(&self, ty: vk::DescriptorType, write: &DescriptorWrite<'_>, out: &mut [u8]);

    /// Where the texels of an image stand. `None` if the GPU cannot make such an image.
    fn image_layout(&self, create: &ImageCreate) -> Option<ImageLayout>;

    /// Makes machine code for a kernel.
    ///
    /// # Errors
    /// [`CompileError`] if the kernel uses something the GPU does not have, or if code generation failed.
    fn compile(&self, request: &CompileRequest<'_>) -> Result<CompiledKernel, CompileError>;

    /// Turns commands into packets. Called with those of a command buffer in order, a few at a time or one by one, so that what
    /// becomes of a command depends on nothing but itself; the last one is [`GpuCmd::End`]. A call whose sink has no room may
    /// be made again with another sink.
    ///
    /// # Errors
    /// The error of the sink, or [`EncodeError::Unsupported`] for a command the GPU cannot do.
    fn encode(&self, cmds: &[GpuCmd<'_>], sink: &mut dyn EncodeSink) -> Result<(), EncodeError>;

    /// Stores the packet that [`encode`](Self::encode) would make of a dispatch, where it is whole words, low bytes first, and needs
    /// nothing beside it: how dispatches are recorded without a lock. Returns the number of words; 0 if there is no room for it, or
    /// the GPU has to be asked the other way.
    fn store_dispatch(&self, dispatch: &PlainDispatch<'_>, out: &[AtomicU64]) -> usize {
        let _ = (dispatch, out);
        0
    }

    /// Bytes of the packet that [`chain`](Self::chain) writes; at most 64. 0: the GPU cannot chain, each chunk is submitted by itself.
    fn chain_size(&self) -> usize {
        0
    }

    /// Writes a packet that goes on at `target` (`bytes` bytes of packets there) and does not come back. `out` has
    /// [`chain_size`](Self::chain_size) bytes.
    fn chain(&self, target: u64, bytes: u64, out: &mut [u8]) {
        let _ = (target, bytes, out);
    }

    /// Whether the kernel binary found in a pipeline cache can be used (same format version, same machine).
    fn accepts_binary(&self, binary: &[u8]) -> bool {
        !binary.is_empty()
    }

    /// Private data for the creation of a context or hardware queue of a queue family.
    fn context_private_data(&self, family: u32) -> Vec<u8> {
        let _ = family;
        Vec::new()
    }

    /// Private data for an allocation of `size` bytes of a memory type. `None`: a portable standard allocation.
    fn allocation_private_data(&self, memory_type: u32, size: u64) -> Option<Vec<u8>> {
        let _ = (memory_type, size);
        None
    }

    /// Bytes that memory of the GPU can be backed with right now, if it is made of the system's memory and that may be
    /// promised more often than it is there.
    fn available_memory(&self) -> u64 {
        u64::MAX
    }

    /// Private data that goes with the submission of `bytes` bytes of packets at `address`; appended to `out`.
    fn submit_private_data(&self, family: u32, address: u64, bytes: u64, out: &mut Vec<u8>) {
        let _ = (family, address, bytes, out);
    }

    /// Appends every GPU address that these bytes of packets or of descriptors may name, and perhaps numbers that are none: what
    /// begins there, or a byte of it, is what is used. False if that cannot be told; then all memory counts as used.
    fn addresses(&self, bytes: &[u8], out: &mut Vec<u64>) -> bool {
        let _ = (bytes, out);
        false
    }

    /// The GPU's timestamp clock, in ticks of [`GpuProps::timestamp_period`], read now on the CPU; `None` if it cannot be read so.
    fn timestamp_now(&self) -> Option<u64> {
        None
    }
}
