//! The software GPU's command stream: what the user half writes into GPU memory and the engine reads.
//!
//! A command buffer is a sequence of packets. Each begins with a [`Header`] of 8 bytes whose `size` counts the whole
//! packet in bytes (a multiple of 8). All addresses are GPU virtual addresses. The engine copies a packet before it looks
//! at it and refuses anything that does not fit the format.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Packet sizes are multiples of this.
pub const PACKET_ALIGN: usize = 8;

/// Most descriptor sets a dispatch can name.
pub const MAX_SETS: usize = 32;

/// Bytes of push constants a dispatch carries at most.
pub const MAX_PUSH: usize = 256;

/// Most resolved dynamic buffer descriptors of a dispatch.
pub const MAX_DYNAMIC: usize = 1024;

/// Most tokens of a sequence of generated commands.
pub const MAX_TOKENS: usize = 64;

/// Most sequences of generated commands.
pub const MAX_SEQUENCES: u32 = 1 << 20;

/// First word pair of every packet.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// An [`Opcode`].
    pub opcode: u32,
    /// Bytes of the packet with this header.
    pub size: u32,
}

/// One image of a [`Blit`]: a level, and a box in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BlitSide {
    /// First byte of the level.
    pub address: u64,
    /// Bytes from one row (of texels or tiles) to the next.
    pub row: u64,
    /// Bytes from one slice (of texels or tiles) to the next.
    pub slice: u64,
    /// `VkFormat`.
    pub format: i32,
    /// Width, height and depth of tiles as powers of two, then 0; zeros for rows of texels.
    pub tile: [u8; 4],
    /// Width, height and slices of the level.
    pub extent: [u32; 3],
    /// A corner of the box in texels; slices count as the third dimension.
    pub from: [i32; 3],
    /// The corner opposite; either may be the lower one.
    pub to: [i32; 3],
    /// Zero.
    pub reserved: u32,
}

macro_rules! packets {
    ($( $(#[$doc:meta])* $name:ident = $code:literal { $( $(#[$fdoc:meta])* $field:ident: $ty:ty ),* $(,)? } )*) => {
        /// Packet codes. 0 is not a packet, so that zeroed memory is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Opcode { $( $(#[$doc])* $name = $code ),* }

        impl Opcode {
            /// The packet of that code.
            pub fn from_code(code: u32) -> Option<Opcode> {
                match code { $( $code => Some(Opcode::$name), )* _ => None }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
            #[repr(C)]
            pub struct $name { $( $(#[$fdoc])* pub $field: $ty ),* }

            impl Packet for $name { const OPCODE: Opcode = Opcode::$name; }
        )*
    };
}

/// The fixed part of a packet.
pub trait Packet: FromBytes + IntoBytes + Immutable + KnownLayout + core::marker::Copy {
    /// Its code.
    const OPCODE: Opcode;
}

packets! {
    /// Runs a kernel. Followed by `push_bytes` (padded to 8), `set_count` addresses of set memory, and `dynamic_count`
    /// buffer descriptors (address, size).
    Dispatch = 1 {
        /// Address of the kernel binary.
        kernel: u64,
        /// Its length in bytes.
        kernel_bytes: u64,
        /// Address of three `u32` group counts read at execution; 0 = `groups` holds them.
        indirect: u64,
        /// Base workgroup.
        base: [u32; 3],
        /// Workgroup counts.
        groups: [u32; 3],
        /// Bytes of push constants, at most [`MAX_PUSH`].
        push_bytes: u32,
        /// Descriptor sets, at most [`MAX_SETS`].
        set_count: u32,
        /// Resolved dynamic descriptors, at most [`MAX_DYNAMIC`].
        dynamic_count: u32,
        /// Zero.
        reserved: u32,
    }
    /// Copies `size` bytes between ranges that do not overlap.
    Copy = 2 {
        /// Source.
        src: u64,
        /// Destination.
        dst: u64,
        /// Bytes.
        size: u64,
    }
    /// Stores a 32-bit word over a range.
    Fill = 3 {
        /// Destination, a multiple of 4.
        dst: u64,
        /// Bytes, a multiple of 4.
        size: u64,
        /// The word.
        value: u32,
        /// Zero.
        reserved: u32,
    }
    /// Stores the `bytes` that follow (padded to 8).
    Write = 4 {
        /// Destination.
        dst: u64,
        /// Number of bytes.
        bytes: u64,
    }
    /// Copies `slices` × `rows` runs of `row_bytes` bytes; how image copies arrive.
    CopyRect = 5 {
        /// First source byte.
        src: u64,
        /// First destination byte.
        dst: u64,
        /// Bytes from one source row to the next.
        src_row: u64,
        /// Bytes from one source slice to the next.
        src_slice: u64,
        /// Bytes from one destination row to the next.
        dst_row: u64,
        /// Bytes from one destination slice to the next.
        dst_slice: u64,
        /// Bytes of a run.
        row_bytes: u64,
        /// Rows of a slice.
        rows: u32,
        /// Slices.
        slices: u32,
    }
    /// Stores one texel over a box; how image clears arrive.
    FillRect = 6 {
        /// First byte.
        dst: u64,
        /// Bytes from one row to the next.
        row: u64,
        /// Bytes from one slice to the next.
        slice: u64,
        /// Texels of a row.
        texels: u32,
        /// Rows of a slice.
        rows: u32,
        /// Slices.
        slices: u32,
        /// Bytes of a texel, 1 to 16.
        texel_bytes: u32,
        /// The texel, little-endian, first `texel_bytes` bytes.
        texel: [u8; 16],
    }
    /// Everything before is finished and visible before anything after begins.
    Barrier = 7 {}
    /// Stores the time in nanoseconds when everything before is finished.
    Timestamp = 8 {
        /// A 64-bit word.
        dst: u64,
    }
    /// Stores a 64-bit word after everything before is finished (progress fences, query results).
    Store64 = 9 {
        /// A 64-bit word.
        dst: u64,
        /// The value.
        value: u64,
    }
    /// Stores a 32-bit word after everything before is finished (events).
    Store32 = 10 {
        /// A 32-bit word.
        dst: u64,
        /// The value.
        value: u32,
        /// Zero.
        reserved: u32,
    }
    /// Waits until a 32-bit word has a value (events); ends early when the job is cancelled.
    Wait32 = 11 {
        /// A 32-bit word.
        src: u64,
        /// The value waited for.
        value: u32,
        /// Zero.
        reserved: u32,
    }
    /// Copies query results: `count` pairs (value, available) of 64 bits each.
    CopyQueries = 12 {
        /// First pair.
        src: u64,
        /// First result.
        dst: u64,
        /// Bytes from one result to the next.
        stride: u64,
        /// Number of queries.
        count: u32,
        /// VkQueryResultFlags.
        flags: u32,
        /// Words of a result before its availability, all but the first 0; at most 32.
        values: u32,
        /// Zero.
        reserved: u32,
    }
    /// Goes on reading at another command buffer and does not come back.
    Chain = 13 {
        /// First packet there.
        target: u64,
        /// Bytes there.
        bytes: u64,
    }
    /// Copies a box of an image to a box of another, scaled, and converted to the other's format.
    Blit = 17 {
        /// Where from.
        src: BlitSide,
        /// Where to.
        dst: BlitSide,
        /// How texels of the source are blended: 0 the nearest, 1 linear, 2 cubic.
        filter: u32,
        /// Zero.
        reserved: u32,
    }
    /// The end of a command buffer (its length is an end as well).
    End = 14 {}
    /// Holds dispatches back while the 32-bit word, read now, does not allow them; up to the next packet of this kind.
    Condition = 15 {
        /// The word; 0 = every dispatch runs.
        src: u64,
        /// 0: dispatches run if the word is not 0; 1: if it is 0.
        inverted: u32,
        /// Zero.
        reserved: u32,
    }
    /// Adds to or takes from a 64-bit word the number of invocations that ran since the submission's command buffers began.
    Count = 16 {
        /// A 64-bit word.
        dst: u64,
        /// 0: the word becomes minus the number; 1: the number is added to it.
        add: u32,
        /// Zero.
        reserved: u32,
    }
    /// Runs kernels as tokens in memory say. Followed as [`Dispatch`] is, and then by `token_count` [`Token`]s. Each sequence
    /// begins with the kernel and push constants of the packet.
    DispatchGenerated = 18 {
        /// Address of the kernel binary.
        kernel: u64,
        /// Its length in bytes.
        kernel_bytes: u64,
        /// Address of a `u32` read at execution that lessens `sequences`; 0 = none.
        count: u64,
        /// Number of sequences, at most [`MAX_SEQUENCES`].
        sequences: u32,
        /// Tokens of a sequence, at most [`MAX_TOKENS`].
        token_count: u32,
        /// Bytes of push constants, at most [`MAX_PUSH`].
        push_bytes: u32,
        /// Descriptor sets, at most [`MAX_SETS`].
        set_count: u32,
        /// Resolved dynamic descriptors, at most [`MAX_DYNAMIC`].
        dynamic_count: u32,
        /// Zero.
        reserved: u32,
    }
    /// Copies or decompresses regions that memory describes by words of 64 bits: source, destination and size, or source,
    /// destination, compressed size and size.
    Regions = 19 {
        /// First description.
        table: u64,
        /// Address of a `u32` read at execution that lessens `max`; 0 = none.
        count: u64,
        /// Number of descriptions.
        max: u32,
        /// Bytes from one description to the next.
        stride: u32,
        /// 1: the sources are streams of GDeflate 1.0; a damaged one leaves its destination alone.
        compressed: u32,
        /// Zero.
        reserved: u32,
    }
}

/// A token of [`DispatchGenerated`]: what to do with the data at `address + sequence · stride`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Token {
    /// Data of the first sequence.
    pub address: u64,
    /// [`Token::KERNEL`]: a table of `entries` pairs (address, bytes) of 64 bits each.
    pub table: u64,
    /// Bytes from one sequence's data to the next.
    pub stride: u32,
    /// One of the constants below.
    pub action: u32,
    /// [`Token::PUSH`], [`Token::SEQUENCE`]: first byte of the push constants.
    pub offset: u32,
    /// [`Token::PUSH`]: number of bytes; [`Token::KERNEL`]: entries of the table.
    pub size: u32,
}

impl Token {
    /// The data becomes push constants.
    pub const PUSH: u32 = 1;
    /// The number of the sequence becomes a push constant of four bytes.
    pub const SEQUENCE: u32 = 2;
    /// The data is a `u32`, the index of a kernel in the table.
    pub const KERNEL: u32 = 3;
    /// The data is three `u32` group counts; the kernel runs.
    pub const DISPATCH: u32 = 4;
}

/// `n` rounded up to [`PACKET_ALIGN`].
pub const fn padded(n: usize) -> usize {
    n.next_multiple_of(PACKET_ALIGN)
}

/// Appends a packet with its variable part, which is padded.
pub fn emit<P: Packet>(out: &mut Vec<u8>, packet: &P, parts: &[&[u8]]) {
    let tail: usize = parts.iter().map(|p| padded(p.len())).sum();
    let size = size_of::<Header>() + size_of::<P>() + tail;
    debug_assert!(size.is_multiple_of(PACKET_ALIGN));
    let header = Header { opcode: P::OPCODE as u32, size: u32::try_from(size).unwrap_or(u32::MAX) };
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(packet.as_bytes());
    for part in parts {
        out.extend_from_slice(part);
        out.resize(out.len() + padded(part.len()) - part.len(), 0);
    }
}

/// Why a command buffer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// A header or a packet reaches past the end.
    #[error("packet at byte {0} is cut off")]
    Truncated(usize),
    /// Unknown code.
    #[error("packet at byte {0} has the unknown code {1}")]
    Opcode(usize, u32),
    /// The size does not fit the packet.
    #[error("packet at byte {0} has a wrong size")]
    Size(usize),
    /// A count or reserved field is out of range.
    #[error("packet at byte {0} has a field out of range")]
    Field(usize),
}

/// A packet found in a command buffer: its code, and its bytes after the header.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The code.
    pub opcode: Opcode,
    /// Offset of the header.
    pub at: usize,
    /// The bytes after the header.
    pub body: &'a [u8],
}

impl<'a> Found<'a> {
    /// The fixed part and what follows it.
    pub fn split<P: Packet>(&self) -> Result<(P, &'a [u8]), PacketError> {
        P::read_from_prefix(self.body).map_err(|_| PacketError::Size(self.at))
    }

    /// The fixed part of a packet that has nothing else.
    pub fn exact<P: Packet>(&self) -> Result<P, PacketError> {
        P::read_from_bytes(self.body).map_err(|_| PacketError::Size(self.at))
    }
}

/// The packet at byte `at`, `None` at the end.
pub fn next(bytes: &[u8], at: usize) -> Result<Option<(Found<'_>, usize)>, PacketError> {
    if at == bytes.len() {
        return Ok(None);
    }
    let rest = bytes.get(at..).ok_or(PacketError::Truncated(at))?;
    let (header, _) = Header::read_from_prefix(rest).map_err(|_| PacketError::Truncated(at))?;
    let opcode = Opcode::from_code(header.opcode).ok_or(PacketError::Opcode(at, header.opcode))?;
    let size = header.size as usize;
    if size < size_of::<Header>() || !size.is_multiple_of(PACKET_ALIGN) {
        return Err(PacketError::Size(at));
    }
    let body = rest.get(size_of::<Header>()..size).ok_or(PacketError::Truncated(at))?;
    Ok(Some((Found { opcode, at, body }, at + size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_again() {
        let mut bytes = Vec::new();
        emit(&mut bytes, &Copy { src: 1, dst: 2, size: 3 }, &[]);
        emit(&mut bytes, &Write { dst: 8, bytes: 5 }, &[&[1, 2, 3, 4, 5]]);
        emit(&mut bytes, &End {}, &[]);
        let (found, at) = next(&bytes, 0).unwrap().unwrap();
        assert_eq!(found.opcode, Opcode::Copy);
        assert_eq!(found.exact::<Copy>().unwrap().size, 3);
        let (found, at) = next(&bytes, at).unwrap().unwrap();
        let (write, tail) = found.split::<Write>().unwrap();
        assert_eq!((write.bytes, tail), (5, &[1u8, 2, 3, 4, 5, 0, 0, 0][..]));
        let (found, at) = next(&bytes, at).unwrap().unwrap();
        assert_eq!(found.opcode, Opcode::End);
        assert!(next(&bytes, at).unwrap().is_none());
    }

    #[test]
    fn bad_packets_are_refused() {
        assert_eq!(next(&[0; 8], 0).unwrap_err(), PacketError::Opcode(0, 0));
        assert_eq!(next(&[2, 0, 0, 0], 0).unwrap_err(), PacketError::Truncated(0));
        let mut bytes = Vec::new();
        emit(&mut bytes, &Copy { src: 1, dst: 2, size: 3 }, &[]);
        bytes[4] = 12; // not a multiple of 8
        assert_eq!(next(&bytes, 0).unwrap_err(), PacketError::Size(0));
        bytes[4] = 64; // longer than the buffer
        assert_eq!(next(&bytes, 0).unwrap_err(), PacketError::Truncated(0));
        bytes[4] = 24; // shorter than a Copy
        let (found, _) = next(&bytes, 0).unwrap().unwrap();
        assert_eq!(found.exact::<Copy>().unwrap_err(), PacketError::Size(0));
    }
}
