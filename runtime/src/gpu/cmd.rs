//! The API-neutral commands and where their packets go.

use ash::vk;
use std::sync::atomic::AtomicU64;

/// Most bytes that one [`EncodeSink::emit`] may carry.
pub const MAX_PACKET: usize = 128 * 1024;

/// A buffer descriptor with its dynamic offset applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DynamicBuffer {
    /// First byte; 0 with size 0 is the null descriptor.
    pub address: u64,
    /// Bytes.
    pub size: u64,
}

/// A dispatch without dynamic buffers: nearly every one. Numbers only, and where they are bound; none smaller than a word, because a
/// processor waits where words are read that have just been written in halves.
#[derive(Clone, Copy, Debug)]
pub struct PlainDispatch<'a> {
    /// Address of the kernel binary.
    pub kernel: u64,
    /// Its bytes.
    pub kernel_bytes: u64,
    /// First workgroup and number of workgroups, x, y and z of both: two numbers to a word, the first in the low half.
    pub grid: [u64; 3],
    /// Bytes of push constants, at most eight for each word of `push`.
    pub push_bytes: u32,
    /// Push constants, low bytes first; zeros or anything else behind the last.
    pub push: &'a [AtomicU64],
    /// Memory of each descriptor set.
    pub sets: &'a [AtomicU64],
}

/// A token of generated commands: what happens with the data of a sequence, which stands at `address + sequence · stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratedToken {
    /// The data of the first sequence.
    pub address: u64,
    /// Bytes from one sequence to the next.
    pub stride: u32,
    /// What happens.
    pub action: GeneratedAction,
}

/// What a token of generated commands does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeneratedAction {
    /// The data becomes push constants.
    Push {
        /// First byte of the push constants.
        offset: u32,
        /// Number of bytes.
        size: u32,
    },
    /// The number of the sequence becomes a push constant of four bytes; there is no data.
    Sequence {
        /// First byte of the push constants.
        offset: u32,
    },
    /// The data is a `u32` index into a table of kernels, each an address and a number of bytes (two `u64`).
    Kernel {
        /// Address of the table.
        table: u64,
        /// Number of entries.
        entries: u32,
    },
    /// The data is three `u32` group counts, which are dispatched.
    Dispatch,
}

/// A box of texels of one level and aspect of an image, in memory terms. Texel (x, y) of slice s of a linear image stands
/// at `address + s·slice_pitch + (y / block height)·row_pitch + (x / block width)·block bytes`, plus
/// `sample·sample_pitch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TexelRegion {
    /// First byte of the level's first slice.
    pub address: u64,
    /// Bytes from one row of blocks to the next.
    pub row_pitch: u64,
    /// Bytes from one slice to the next: depth slices of 3D images, layers of others.
    pub slice_pitch: u64,
    /// Bytes from one sample to the next; 0 for single-sampled images.
    pub sample_pitch: u64,
    /// Samples of a texel, ≥ 1.
    pub samples: u32,
    /// Format of the image.
    pub format: vk::Format,
    /// Aspect that is copied (exactly one bit).
    pub aspect: vk::ImageAspectFlags,
    /// The GPU's own word of [`super::SubresourceLayout::tiling`]; 0 = linear.
    pub tiling: u64,
    /// Level.
    pub level: u32,
    /// Width and height of a block in texels, and its bytes (of the aspect).
    pub block: [u32; 3],
    /// First texel in x and y, in texels (multiples of the block).
    pub offset: [u32; 2],
    /// First slice.
    pub first_slice: u32,
}

/// One image of a blit: a level, and a box in it. Layers count as the third dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlitRegion {
    /// The level, from its first texel on.
    pub image: TexelRegion,
    /// Its width and height in texels, and its slices.
    pub extent: [u32; 3],
    /// A corner of the box.
    pub from: [i32; 3],
    /// The corner opposite; either may be the lower one, which mirrors.
    pub to: [i32; 3],
}

/// A command in terms of GPU addresses. Commands run in order; those between two [`GpuCmd::Barrier`]s may overlap, except
/// where the command says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GpuCmd<'a> {
    /// Runs a kernel.
    Dispatch {
        /// Address of the kernel binary.
        kernel: u64,
        /// Its bytes.
        kernel_bytes: u64,
        /// Push constants, at most 256 bytes.
        push: &'a [u8],
        /// Memory of each descriptor set, by set number; 0 where none is bound; at most 32.
        sets: &'a [u64],
        /// Dynamic buffers in the order of `BindingSlot::dynamic`.
        dynamic: &'a [DynamicBuffer],
        /// First workgroup.
        base: [u32; 3],
        /// Number of workgroups per dimension; 0 runs nothing.
        groups: [u32; 3],
    },
    /// As [`GpuCmd::Dispatch`] with base 0 and the three `u32` group counts read from memory at execution.
    DispatchIndirect {
        /// Address of the kernel binary.
        kernel: u64,
        /// Its bytes.
        kernel_bytes: u64,
        /// Push constants.
        push: &'a [u8],
        /// Memory of each descriptor set.
        sets: &'a [u64],
        /// Dynamic buffers.
        dynamic: &'a [DynamicBuffer],
        /// Address of the group counts, a multiple of 4.
        indirect: u64,
    },
    /// Dispatches that memory describes: sequences of the same tokens. Each sequence begins with the kernel and push constants
    /// given here. Sequences run in any order; a sequence's tokens in theirs.
    DispatchGenerated {
        /// Address of the kernel binary.
        kernel: u64,
        /// Its bytes.
        kernel_bytes: u64,
        /// Push constants.
        push: &'a [u8],
        /// Memory of each descriptor set.
        sets: &'a [u64],
        /// Dynamic buffers.
        dynamic: &'a [DynamicBuffer],
        /// What a sequence consists of; at most [`super::GeneratedLimits::max_tokens`].
        tokens: &'a [GeneratedToken],
        /// Number of sequences.
        sequences: u32,
        /// Address of a `u32` read at execution that lessens the number of sequences, a multiple of 4; 0: there is none.
        count: u64,
    },
    /// Copies bytes between ranges that do not overlap.
    CopyBuffer {
        /// Source.
        src: u64,
        /// Destination.
        dst: u64,
        /// Bytes.
        size: u64,
    },
    /// Stores a word over a range.
    FillBuffer {
        /// Destination, a multiple of 4.
        dst: u64,
        /// Bytes, a multiple of 4.
        size: u64,
        /// The word.
        value: u32,
    },
    /// Stores bytes of the command buffer, at most 65536.
    UpdateBuffer {
        /// Destination, a multiple of 4.
        dst: u64,
        /// The bytes, a multiple of 4.
        data: &'a [u8],
    },
    /// Linear memory to image. Buffer row pitch and slice pitch are in bytes and count rows of blocks.
    CopyBufferToImage {
        /// First byte in the buffer.
        buffer: u64,
        /// Bytes from one row of blocks to the next.
        row_pitch: u64,
        /// Bytes from one slice to the next.
        slice_pitch: u64,
        /// Where in the image.
        image: TexelRegion,
        /// Width and height in texels, and slices.
        extent: [u32; 3],
    },
    /// Image to linear memory.
    CopyImageToBuffer {
        /// First byte in the buffer.
        buffer: u64,
        /// Bytes from one row of blocks to the next.
        row_pitch: u64,
        /// Bytes from one slice to the next.
        slice_pitch: u64,
        /// Where in the image.
        image: TexelRegion,
        /// Width and height in texels, and slices.
        extent: [u32; 3],
    },
    /// Image to image; formats of the same block size. The extent is in texels of the source.
    CopyImage {
        /// Where from.
        src: TexelRegion,
        /// Where to.
        dst: TexelRegion,
        /// Width and height in source texels, and slices.
        extent: [u32; 3],
    },
    /// Image to image, scaled, and converted from format to format.
    BlitImage {
        /// Where from.
        src: BlitRegion,
        /// Where to.
        dst: BlitRegion,
        /// How texels of the source are blended: NEAREST, LINEAR or CUBIC_EXT.
        filter: vk::Filter,
    },
    /// Stores one colour over a box.
    ClearImage {
        /// Where.
        image: TexelRegion,
        /// Width and height in texels, and slices.
        extent: [u32; 3],
        /// Bits of the four components of VkClearColorValue: floats, or integers where the format is one.
        color: [u32; 4],
    },
    /// Everything before is finished and visible before anything after begins.
    Barrier {
        /// Stages that wait (src) and stages that are held back (dst); a GPU may take less than a full barrier.
        src_stages: vk::PipelineStageFlags2,
        /// See `src_stages`.
        dst_stages: vk::PipelineStageFlags2,
        /// Writes to make available.
        src_access: vk::AccessFlags2,
        /// Accesses to make them visible to.
        dst_access: vk::AccessFlags2,
    },
    /// Stores the timestamp clock as 64 bits after everything before is finished, then 1 in the 64-bit word that follows it.
    WriteTimestamp {
        /// Address of the pair (time, availability), a multiple of 8.
        query: u64,
    },
    /// Stores a 32-bit word after everything before is finished: events and buffer markers.
    SetEvent {
        /// Address, a multiple of 4.
        event: u64,
        /// The value; for events 1 set, 0 reset.
        value: u32,
    },
    /// Holds everything after until the 32-bit word is 1.
    WaitEvent {
        /// Address, a multiple of 4.
        event: u64,
    },
    /// Holds dispatches back from here to [`GpuCmd::EndCondition`] unless the 32-bit word, read now, is not 0. Other commands
    /// run all the same.
    BeginCondition {
        /// Address of the word, a multiple of 4.
        word: u64,
        /// Hold back unless it is 0 instead.
        inverted: bool,
    },
    /// Ends [`GpuCmd::BeginCondition`].
    EndCondition,
    /// Starts counting the invocations of dispatches for a query, after everything before is finished.
    BeginStatistics {
        /// Address of the pair (value, availability), a multiple of 8.
        query: u64,
    },
    /// Ends the count: stores it and availability 1, after everything before is finished.
    EndStatistics {
        /// The query of the [`GpuCmd::BeginStatistics`] in the same command buffer.
        query: u64,
    },
    /// Stores `value` and availability 1 in a query, after everything before is finished.
    WriteQuery {
        /// Address of the pair (value, availability), a multiple of 8.
        query: u64,
        /// The value.
        value: u64,
    },
    /// Stores zeros in queries, after everything before is finished.
    ResetQueries {
        /// Address of the first pair.
        first: u64,
        /// Number of pairs of 16 bytes.
        count: u32,
    },
    /// Copies query results to a buffer after everything before is finished.
    CopyQueryResults {
        /// Address of the first pair (value, availability), 64 bits each.
        first: u64,
        /// Number of pairs.
        count: u32,
        /// Destination.
        dst: u64,
        /// Bytes from one result to the next.
        stride: u64,
        /// 64-bit results, availability, wait, partial.
        flags: vk::QueryResultFlags,
        /// Words of a result before its availability; all but the first are 0.
        values: u32,
    },
    /// Copies or decompresses regions that memory describes, in any order.
    MemoryRegions {
        /// Address of the first description, words of 64 bits: source, destination and size, or source, destination, compressed
        /// size and size.
        table: u64,
        /// Bytes from one description to the next.
        stride: u32,
        /// Number of descriptions, or most of them.
        max: u32,
        /// Address of a `u32` read at execution that lessens their number, a multiple of 4; 0: there is none.
        count: u64,
        /// The sources are streams of GDeflate 1.0, of at most 64 KiB each when decompressed.
        compressed: bool,
    },
    /// The end of the command buffer.
    End,
}

/// Why commands could not be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// No GPU memory for packets.
    #[error("out of GPU memory for commands")]
    OutOfDeviceMemory,
    /// No host memory.
    #[error("out of host memory for commands")]
    OutOfHostMemory,
    /// A packet is longer than [`MAX_PACKET`].
    #[error("packet of {0} bytes is too long")]
    PacketTooLong(usize),
    /// The GPU has no such command (for example a copy of a format it does not know).
    #[error("command not supported: {0}")]
    Unsupported(&'static str),
}

/// Takes packets and puts them in GPU memory.
pub trait EncodeSink {
    /// Appends a packet. It stands in one piece; between two packets there may be a chain packet.
    ///
    /// # Errors
    /// Out of memory, or longer than [`MAX_PACKET`].
    fn emit(&mut self, packet: &[u8]) -> Result<(), EncodeError>;

    /// Puts data beside the packets, for as long as the command buffer lives, and returns its GPU address.
    /// `align` is a power of two, at most 4096.
    ///
    /// # Errors
    /// Out of memory, or longer than [`MAX_PACKET`].
    fn upload(&mut self, data: &[u8], align: u64) -> Result<u64, EncodeError>;
}
