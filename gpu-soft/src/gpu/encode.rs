//! Commands to packets.

use super::descriptor::filter as filter_of;
use super::image::tile_of;
use super::parts::{blocks, parts, Part};
use crate::packet::{self, emit, padded, Packet, PACKET_ALIGN};
use crate::texel;
use runtime::gpu::{
    BlitRegion, DynamicBuffer, EncodeError, EncodeSink, GeneratedAction, GeneratedToken, GpuCmd, PlainDispatch,
    TexelRegion,
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use zerocopy::IntoBytes;

/// Bytes of a chain packet.
pub const CHAIN_BYTES: usize = size_of::<packet::Header>() + size_of::<packet::Chain>();

/// Writes a chain packet.
pub fn chain(target: u64, bytes: u64, out: &mut [u8]) {
    let mut packet = Vec::with_capacity(CHAIN_BYTES);
    emit(&mut packet, &packet::Chain { target, bytes }, &[]);
    let n = out.len().min(packet.len());
    out[..n].copy_from_slice(&packet[..n]);
}

/// Appends one packet to the sink through a buffer that is used again.
fn put<P: Packet>(
    buffer: &mut Vec<u8>,
    sink: &mut dyn EncodeSink,
    packet: &P,
    parts: &[&[u8]],
) -> Result<(), EncodeError> {
    // Most packets are small and of one part: they need no memory.
    let size = size_of::<packet::Header>() + size_of::<P>();
    let mut small = [0; 64];
    if let (true, Some(out)) = (parts.is_empty(), small.get_mut(..size)) {
        let (header, body) = out.split_at_mut(size_of::<packet::Header>());
        header.copy_from_slice(packet::Header { opcode: P::OPCODE as u32, size: size as u32 }.as_bytes());
        body.copy_from_slice(packet.as_bytes());
        return sink.emit(out);
    }
    buffer.clear();
    emit(buffer, packet, parts);
    debug_assert!(buffer.len().is_multiple_of(PACKET_ALIGN));
    sink.emit(buffer)
}

/// What both kinds of dispatch have.
struct DispatchParts<'a> {
    kernel: u64,
    kernel_bytes: u64,
    push: &'a [u8],
    sets: &'a [u64],
    dynamic: &'a [DynamicBuffer],
}

fn dispatch(
    parts: &DispatchParts<'_>,
    indirect: u64,
    base: [u32; 3],
    groups: [u32; 3],
    buffer: &mut Vec<u8>,
    sink: &mut dyn EncodeSink,
) -> Result<(), EncodeError> {
    parts.check()?;
    let head = packet::Dispatch {
        kernel: parts.kernel,
        kernel_bytes: parts.kernel_bytes,
        indirect,
        base,
        groups,
        push_bytes: parts.push.len() as u32,
        set_count: parts.sets.len() as u32,
        dynamic_count: parts.dynamic.len() as u32,
        reserved: 0,
    };
    buffer.clear();
    parts.emit(buffer, &head);
    finish(buffer, sink)
}

/// Stores the packet of a dispatch word by word; 0 if there is no room.
#[inline]
pub fn store_dispatch(d: &PlainDispatch<'_>, out: &[AtomicU64]) -> usize {
    const FIXED: usize = (size_of::<packet::Header>() + size_of::<packet::Dispatch>()) / 8;
    let end = FIXED + d.push.len() + d.sets.len();
    let Some((fixed, rest)) = out.get(..end).and_then(|out| out.split_first_chunk::<FIXED>()) else { return 0 };
    let (indirect, dynamic_count) = (0, 0);
    let words = [
        packet::Dispatch::OPCODE as u64 | (end as u64 * 8) << 32,
        d.kernel,
        d.kernel_bytes,
        indirect,
        d.grid[0],
        d.grid[1],
        d.grid[2],
        u64::from(d.push_bytes) | (d.sets.len() as u64) << 32,
        dynamic_count,
    ];
    for (to, word) in fixed.iter().zip(words) {
        to.store(word, Relaxed);
    }
    let (push, sets) = rest.split_at(d.push.len());
    for (to, word) in push.iter().zip(d.push) {
        to.store(word.load(Relaxed), Relaxed);
    }
    // Behind the last byte the packet has zeros.
    if let (Some((to, word)), 1..) = (push.last().zip(d.push.last()), d.push_bytes % 8) {
        to.store(word.load(Relaxed) & (!0 >> (64 - d.push_bytes % 8 * 8)), Relaxed);
    }
    for (to, set) in sets.iter().zip(d.sets) {
        to.store(set.load(Relaxed), Relaxed);
    }
    end
}

impl DispatchParts<'_> {
    fn check(&self) -> Result<(), EncodeError> {
        if self.push.len() > packet::MAX_PUSH
            || self.sets.len() > packet::MAX_SETS
            || self.dynamic.len() > packet::MAX_DYNAMIC
        {
            return Err(EncodeError::Unsupported("dispatch with too many sets, dynamic buffers or push constants"));
        }
        Ok(())
    }

    /// Appends a packet's fixed part and what a kernel finds its data with.
    fn emit<P: Packet>(&self, buffer: &mut Vec<u8>, head: &P) {
        emit(buffer, head, &[self.push]);
        for set in self.sets {
            buffer.extend_from_slice(&set.to_le_bytes());
        }
        for d in self.dynamic {
            buffer.extend_from_slice(&d.address.to_le_bytes());
            buffer.extend_from_slice(&d.size.to_le_bytes());
        }
    }
}

/// Passes a packet on whose header does not count yet what was appended by hand.
fn finish(buffer: &mut [u8], sink: &mut dyn EncodeSink) -> Result<(), EncodeError> {
    let size = (padded(buffer.len()) as u32).to_le_bytes();
    buffer[4..8].copy_from_slice(&size);
    sink.emit(buffer)
}

/// The packet that copies to all of a box from a box in which it begins at a block.
fn rect(src: &Part, at: [u32; 3], dst: &Part, bytes: u32) -> packet::CopyRect {
    packet::CopyRect {
        src: src.block(at, bytes.max(1)),
        dst: dst.address,
        src_row: src.row,
        src_slice: src.slice,
        dst_row: dst.row,
        dst_slice: dst.slice,
        row_bytes: u64::from(dst.size[0]) * u64::from(bytes.max(1)),
        rows: dst.size[1],
        slices: dst.size[2],
    }
}

/// One image of a blit. `None` for formats whose texels are not each a number of bytes of their own.
fn blit_side(r: &BlitRegion) -> Option<packet::BlitSide> {
    let own = texel::aspect_format(r.image.format, r.image.aspect);
    let format = texel::find(own).filter(|f| r.image.block == [1, 1, f.bytes])?;
    let [w, h, d] = tile_of(r.image.tiling);
    Some(packet::BlitSide {
        address: r.image.address,
        row: r.image.row_pitch,
        slice: r.image.slice_pitch,
        format: format.vk.as_raw(),
        tile: [w, h, d, 0],
        extent: r.extent,
        from: r.from,
        to: r.to,
        reserved: 0,
    })
}

fn token(t: &GeneratedToken) -> packet::Token {
    let (action, offset, size, table) = match t.action {
        GeneratedAction::Push { offset, size } => (packet::Token::PUSH, offset, size, 0),
        GeneratedAction::Sequence { offset } => (packet::Token::SEQUENCE, offset, 0, 0),
        GeneratedAction::Kernel { table, entries } => (packet::Token::KERNEL, 0, entries, table),
        GeneratedAction::Dispatch => (packet::Token::DISPATCH, 0, 0, 0),
    };
    packet::Token { address: t.address, table, stride: t.stride, action, offset, size }
}

fn generated(
    parts: &DispatchParts<'_>,
    tokens: &[GeneratedToken],
    sequences: u32,
    count: u64,
    buffer: &mut Vec<u8>,
    sink: &mut dyn EncodeSink,
) -> Result<(), EncodeError> {
    parts.check()?;
    if tokens.len() > packet::MAX_TOKENS || sequences > packet::MAX_SEQUENCES {
        return Err(EncodeError::Unsupported("generated commands of too many tokens or sequences"));
    }
    let head = packet::DispatchGenerated {
        kernel: parts.kernel,
        kernel_bytes: parts.kernel_bytes,
        count,
        sequences,
        token_count: tokens.len() as u32,
        push_bytes: parts.push.len() as u32,
        set_count: parts.sets.len() as u32,
        dynamic_count: parts.dynamic.len() as u32,
        reserved: 0,
    };
    buffer.clear();
    parts.emit(buffer, &head);
    for t in tokens {
        buffer.extend_from_slice(token(t).as_bytes());
    }
    finish(buffer, sink)
}

/// Encodes one command.
pub fn encode(cmd: &GpuCmd<'_>, buffer: &mut Vec<u8>, sink: &mut dyn EncodeSink) -> Result<(), EncodeError> {
    match *cmd {
        GpuCmd::Dispatch { kernel, kernel_bytes, push, sets, dynamic, base, groups } => {
            dispatch(&DispatchParts { kernel, kernel_bytes, push, sets, dynamic }, 0, base, groups, buffer, sink)
        }
        GpuCmd::DispatchIndirect { kernel, kernel_bytes, push, sets, dynamic, indirect } => dispatch(
            &DispatchParts { kernel, kernel_bytes, push, sets, dynamic },
            indirect,
            [0; 3],
            [0; 3],
            buffer,
            sink,
        ),
        GpuCmd::DispatchGenerated { kernel, kernel_bytes, push, sets, dynamic, tokens, sequences, count } => {
            let parts = DispatchParts { kernel, kernel_bytes, push, sets, dynamic };
            generated(&parts, tokens, sequences, count, buffer, sink)
        }
        GpuCmd::CopyBuffer { src, dst, size } => put(buffer, sink, &packet::Copy { src, dst, size }, &[]),
        GpuCmd::FillBuffer { dst, size, value } => {
            put(buffer, sink, &packet::Fill { dst, size, value, reserved: 0 }, &[])
        }
        GpuCmd::UpdateBuffer { dst, data } => {
            put(buffer, sink, &packet::Write { dst, bytes: data.len() as u64 }, &[data])
        }
        GpuCmd::CopyBufferToImage { buffer: src, row_pitch, slice_pitch, image, extent } => {
            let size = blocks(&image, extent);
            let linear = Part { at: [0; 3], size, address: src, row: row_pitch, slice: slice_pitch };
            for sample in 0..image.samples.max(1) {
                for part in parts(&image, size, sample) {
                    put(buffer, sink, &rect(&linear, part.at, &part, image.block[2]), &[])?;
                }
            }
            Ok(())
        }
        GpuCmd::CopyImageToBuffer { buffer: dst, row_pitch, slice_pitch, image, extent } => {
            let size = blocks(&image, extent);
            let linear = Part { at: [0; 3], size, address: dst, row: row_pitch, slice: slice_pitch };
            for part in parts(&image, size, 0) {
                let there = Part { address: linear.block(part.at, image.block[2]), size: part.size, ..linear };
                put(buffer, sink, &rect(&part, [0; 3], &there, image.block[2]), &[])?;
            }
            Ok(())
        }
        GpuCmd::CopyImage { src: from, dst: to, extent } => {
            // The extent is in texels of the source; the blocks of both have as many bytes.
            let size = blocks(&from, extent);
            for sample in 0..from.samples.min(to.samples).max(1) {
                for part in parts(&from, size, sample) {
                    let moved = |d: usize| to.offset[d].wrapping_add(part.at[d].wrapping_mul(to.block[d].max(1)));
                    let first_slice = to.first_slice.wrapping_add(part.at[2]);
                    // What stands together in the source need not in the destination.
                    let there = TexelRegion { offset: [moved(0), moved(1)], first_slice, ..to };
                    for piece in parts(&there, part.size, sample) {
                        put(buffer, sink, &rect(&part, piece.at, &piece, from.block[2]), &[])?;
                    }
                }
            }
            Ok(())
        }
        GpuCmd::BlitImage { src, dst, filter } => {
            let (Some(src), Some(dst)) = (blit_side(&src), blit_side(&dst)) else {
                return Err(EncodeError::Unsupported("blit of a format this GPU does not scale"));
            };
            put(buffer, sink, &packet::Blit { src, dst, filter: filter_of(filter) as u32, reserved: 0 }, &[])
        }
        GpuCmd::ClearImage { image, extent, color } => {
            let Some(format) = texel::find(image.format) else {
                return Err(EncodeError::Unsupported("clear of a format this GPU does not know"));
            };
            // 64-bit components take two words of the clear colour each.
            let wide = format.fields[0].is_some_and(|f| f.bits == 64);
            let pair = |i: usize| u64::from(color[i]) | u64::from(color[i + 1]) << 32;
            let color = if wide { [pair(0), pair(2), 0, 0] } else { color.map(u64::from) };
            let texel = texel::encode(format, &color);
            for sample in 0..image.samples.max(1) {
                for part in parts(&image, extent, sample) {
                    let p = packet::FillRect {
                        dst: part.address,
                        row: part.row,
                        slice: part.slice,
                        texels: part.size[0],
                        rows: part.size[1],
                        slices: part.size[2],
                        texel_bytes: format.bytes,
                        texel,
                    };
                    put(buffer, sink, &p, &[])?;
                }
            }
            Ok(())
        }
        GpuCmd::Barrier { .. } => put(buffer, sink, &packet::Barrier {}, &[]),
        GpuCmd::WriteTimestamp { query } => {
            put(buffer, sink, &packet::Timestamp { dst: query }, &[])?;
            put(buffer, sink, &packet::Store64 { dst: query.wrapping_add(8), value: 1 }, &[])
        }
        GpuCmd::SetEvent { event, value } => {
            put(buffer, sink, &packet::Store32 { dst: event, value, reserved: 0 }, &[])
        }
        GpuCmd::WaitEvent { event } => put(buffer, sink, &packet::Wait32 { src: event, value: 1, reserved: 0 }, &[]),
        GpuCmd::BeginCondition { word, inverted } => {
            put(buffer, sink, &packet::Condition { src: word, inverted: inverted.into(), reserved: 0 }, &[])
        }
        GpuCmd::EndCondition => put(buffer, sink, &packet::Condition { src: 0, inverted: 0, reserved: 0 }, &[]),
        GpuCmd::BeginStatistics { query } => put(buffer, sink, &packet::Count { dst: query, add: 0, reserved: 0 }, &[]),
        GpuCmd::EndStatistics { query } => {
            put(buffer, sink, &packet::Count { dst: query, add: 1, reserved: 0 }, &[])?;
            put(buffer, sink, &packet::Store64 { dst: query.wrapping_add(8), value: 1 }, &[])
        }
        GpuCmd::WriteQuery { query, value } => {
            put(buffer, sink, &packet::Store64 { dst: query, value }, &[])?;
            put(buffer, sink, &packet::Store64 { dst: query.wrapping_add(8), value: 1 }, &[])
        }
        GpuCmd::ResetQueries { first, count } => {
            put(buffer, sink, &packet::Fill { dst: first, size: u64::from(count) * 16, value: 0, reserved: 0 }, &[])
        }
        GpuCmd::CopyQueryResults { first, count, dst, stride, flags, values } => {
            let flags = flags.as_raw();
            put(buffer, sink, &packet::CopyQueries { src: first, dst, stride, count, flags, values, reserved: 0 }, &[])
        }
        GpuCmd::MemoryRegions { table, stride, max, count, compressed } => {
            let compressed = compressed.into();
            put(buffer, sink, &packet::Regions { table, count, max, stride, compressed, reserved: 0 }, &[])
        }
        GpuCmd::End => put(buffer, sink, &packet::End {}, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it is given.
    struct Kept(Vec<u8>);

    impl EncodeSink for Kept {
        fn emit(&mut self, packet: &[u8]) -> Result<(), EncodeError> {
            self.0.extend_from_slice(packet);
            Ok(())
        }

        fn upload(&mut self, _data: &[u8], _align: u64) -> Result<u64, EncodeError> {
            Err(EncodeError::OutOfDeviceMemory)
        }
    }

    #[test]
    fn stored_dispatches_are_encoded_ones() {
        let bytes: Vec<u8> = (1..=128).collect();
        let words = |numbers: &[u64]| numbers.iter().map(|n| AtomicU64::new(*n)).collect::<Vec<_>>();
        let pushed: Vec<u64> =
            bytes.chunks_exact(8).filter_map(|b| b.try_into().ok()).map(u64::from_le_bytes).collect();
        for (push_bytes, set_count) in [(0, 0), (4, 1), (7, 2), (8, 8), (12, 3), (128, 7)] {
            let sets: Vec<u64> = (100..100 + set_count).collect();
            let cmd = GpuCmd::Dispatch {
                kernel: 7,
                kernel_bytes: 8,
                push: &bytes[..push_bytes],
                sets: &sets,
                dynamic: &[],
                base: [1, 2, 3],
                groups: [4, 5, 6],
            };
            let mut kept = Kept(Vec::new());
            encode(&cmd, &mut Vec::new(), &mut kept).unwrap();
            let dispatch = PlainDispatch {
                kernel: 7,
                kernel_bytes: 8,
                grid: [1 | 2 << 32, 3 | 4 << 32, 5 | 6 << 32],
                push_bytes: push_bytes as u32,
                push: &words(&pushed[..push_bytes.div_ceil(8)]),
                sets: &words(&sets),
            };
            let out: Vec<AtomicU64> = (0..64).map(|_| AtomicU64::new(!0)).collect();
            let n = store_dispatch(&dispatch, &out);
            let stored: Vec<u8> = out[..n].iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect();
            assert_eq!(stored, kept.0);
            assert_eq!(store_dispatch(&dispatch, &out[..n - 1]), 0, "no room");
        }
    }
}
