//! Streams: valid packets over the world's memory, and what is done to them.

use super::world::{Use, World};
use super::Random;
use crate::packet::{self, emit, Token};
use zerocopy::IntoBytes;

/// A command buffer.
pub struct Commands {
    pub bytes: Vec<u8>,
    /// Codes of the packets as they were written.
    pub packets: Vec<u32>,
}

/// Makes streams.
pub struct Writer<'a> {
    world: &'a mut World,
    random: &'a mut Random,
}

/// Most packets of a stream.
const PACKETS: u64 = 8;

impl<'a> Writer<'a> {
    pub fn new(world: &'a mut World, random: &'a mut Random) -> Writer<'a> {
        Writer { world, random }
    }

    /// Makes a stream.
    pub fn write(mut self) -> Commands {
        let mut out = Commands { bytes: Vec::new(), packets: Vec::new() };
        for _ in 0..1 + self.random.below(PACKETS) {
            let start = out.bytes.len();
            self.packet(&mut out.bytes);
            let mut at = start;
            while let Ok(Some((found, next))) = packet::next(&out.bytes, at) {
                out.packets.push(found.opcode as u32);
                at = next;
            }
            self.damage(&mut out.bytes[start..]);
            if out.bytes.len() as u64 > self.world.command_part().size / 2 {
                break;
            }
        }
        if self.random.one_in(30) {
            out.bytes.truncate(self.random.below(out.bytes.len() as u64) as usize);
        }
        if self.random.one_in(30) && !out.bytes.is_empty() {
            let at = self.random.below(out.bytes.len() as u64) as usize;
            out.bytes[at] ^= 1 << self.random.below(8);
        }
        out
    }

    /// A place of `len` bytes that the GPU may access.
    fn place(&mut self, len: u64, align: u64, write: bool) -> u64 {
        let fits = |p: &&super::world::Part| (p.used == Use::Write || p.used == Use::Read && !write) && p.size >= len;
        let parts: Vec<_> = self.world.parts().iter().filter(fits).copied().collect();
        let part = self.random.pick(&parts);
        let room = part.size - len;
        let at = match self.random.below(8) {
            0 => 0,
            1 => room,
            _ => self.random.below(room + 1),
        };
        (part.start + at) / align * align
    }

    fn read(&mut self, len: u64) -> u64 {
        self.place(len, 1, false)
    }

    fn write_to(&mut self, len: u64, align: u64) -> u64 {
        self.place(len, align, true)
    }

    fn small(&mut self, n: u64) -> u32 {
        self.random.below(n) as u32
    }

    /// A number that makes trouble if any does.
    fn odd(&mut self) -> u64 {
        let parts = self.world.parts().to_vec();
        let part = self.random.pick(&parts);
        let near = self.random.below(17);
        match self.random.below(12) {
            0 => 0,
            1 => self.random.below(5),
            2 => u64::MAX - near,
            3 => part.start.wrapping_sub(near),
            4 => part.end().wrapping_sub(near),
            5 => part.start + self.random.below(part.size),
            6 => self.world.space().base() + self.random.below(1 << 30),
            7 => 1 << self.random.below(64),
            8 => (1 << self.random.below(64)) - 1,
            9 => 0xffff_8000_0000_0000 | self.random.word() >> 20,
            10 => u64::from(self.random.word() as u32),
            _ => self.random.word(),
        }
    }

    /// Damages a packet, mostly not.
    fn damage(&mut self, packet: &mut [u8]) {
        if self.random.one_in(60) {
            let size = packet.len() as u64;
            let odd = [0, 4, 8, size - 8, size + 8, size + 4, self.odd()];
            packet[4..8].copy_from_slice(&(self.random.pick(&odd) as u32).to_le_bytes());
        }
        if self.random.one_in(80) {
            let code = if self.random.one_in(2) { self.random.below(24) } else { self.odd() };
            packet[..4].copy_from_slice(&(code as u32).to_le_bytes());
        }
        while self.random.one_in(6) && packet.len() > 8 {
            let odd = self.odd();
            let words = (packet.len() - 8) as u64 / 4;
            let at = 8 + 4 * self.random.below(words) as usize;
            if at.is_multiple_of(8) && at + 8 <= packet.len() && !self.random.one_in(3) {
                packet[at..at + 8].copy_from_slice(&odd.to_le_bytes());
            } else {
                packet[at..at + 4].copy_from_slice(&(odd as u32).to_le_bytes());
            }
        }
    }

    fn packet(&mut self, out: &mut Vec<u8>) {
        match self.random.below(32) {
            0..4 => {
                let size = self.random.below(300);
                let p = packet::Copy { src: self.read(size), dst: self.write_to(size, 1), size };
                emit(out, &p, &[]);
            }
            4..6 => {
                let size = self.random.below(64) * 4;
                let p = packet::Fill { dst: self.write_to(size, 4), size, value: self.small(9), reserved: 0 };
                emit(out, &p, &[]);
            }
            6..8 => {
                let bytes = self.random.below(40);
                let data: Vec<u8> = (0..bytes).map(|_| self.random.word() as u8).collect();
                emit(out, &packet::Write { dst: self.write_to(bytes, 1), bytes }, &[&data]);
            }
            8..10 => self.copy_rect(out),
            10..12 => self.fill_rect(out),
            12 => emit(out, &packet::Barrier {}, &[]),
            13 => emit(out, &packet::Timestamp { dst: self.write_to(8, 8) }, &[]),
            14 => emit(out, &packet::Store64 { dst: self.write_to(8, 8), value: self.small(5).into() }, &[]),
            15 => emit(out, &packet::Store32 { dst: self.write_to(4, 4), value: self.small(5), reserved: 0 }, &[]),
            16 => self.wait(out),
            17 => self.queries(out),
            18 => self.chain(out),
            19 => self.blit(out),
            20 if self.random.one_in(4) => emit(out, &packet::End {}, &[]),
            20..22 => {
                let src = if self.random.one_in(2) { 0 } else { self.write_to(4, 4) };
                emit(out, &packet::Condition { src, inverted: self.small(2), reserved: 0 }, &[]);
            }
            22..24 => emit(out, &packet::Count { dst: self.write_to(8, 8), add: self.small(2), reserved: 0 }, &[]),
            24..27 => self.dispatch(out),
            27..29 => self.generated(out),
            _ => self.regions(out),
        }
    }

    fn copy_rect(&mut self, out: &mut Vec<u8>) {
        let (row_bytes, rows, slices) = (self.random.below(33), self.small(5), self.small(4));
        let [src_row, dst_row] = [0; 2].map(|_| row_bytes + self.random.below(9));
        let [src_slice, dst_slice] = [src_row, dst_row].map(|r| r * u64::from(rows) + self.random.below(9));
        let bytes = |slice: u64| slice * u64::from(slices.max(1)) + row_bytes;
        let p = packet::CopyRect {
            src: self.read(bytes(src_slice)),
            dst: self.write_to(bytes(dst_slice), 1),
            src_row,
            src_slice,
            dst_row,
            dst_slice,
            row_bytes,
            rows,
            slices,
        };
        emit(out, &p, &[]);
    }

    fn fill_rect(&mut self, out: &mut Vec<u8>) {
        let (texels, rows, slices, texel_bytes) = (self.small(9), self.small(5), self.small(4), 1 + self.small(16));
        let row = u64::from(texels * texel_bytes) + self.random.below(9);
        let slice = row * u64::from(rows) + self.random.below(9);
        let p = packet::FillRect {
            dst: self.write_to(slice * u64::from(slices.max(1)) + row, 1),
            row,
            slice,
            texels,
            rows,
            slices,
            texel_bytes,
            texel: std::array::from_fn(|i| i as u8 ^ self.random.word() as u8),
        };
        emit(out, &p, &[]);
    }

    fn wait(&mut self, out: &mut Vec<u8>) {
        let at = self.write_to(4, 4);
        let value = self.small(4);
        // Mostly for what a packet before has stored.
        if !self.random.one_in(100) {
            emit(out, &packet::Store32 { dst: at, value, reserved: 0 }, &[]);
        }
        emit(out, &packet::Wait32 { src: at, value, reserved: 0 }, &[]);
    }

    fn queries(&mut self, out: &mut Vec<u8>) {
        let (count, values) = (self.small(5), 1 + self.small(3));
        let word = if self.random.one_in(2) { 8 } else { 4 };
        let stride = word * (u64::from(values) + 1 + self.random.below(3));
        let mut flags = u32::from(word == 8) | self.small(4) << 2;
        if self.random.one_in(40) {
            flags |= 2;
        }
        let src = self.write_to(16 * u64::from(count), 8);
        let dst = self.write_to(stride * u64::from(count), 8);
        emit(out, &packet::CopyQueries { src, dst, stride, count, flags, values, reserved: 0 }, &[]);
    }

    /// A few packets elsewhere, and the way there.
    fn chain(&mut self, out: &mut Vec<u8>) {
        let mut there = Vec::new();
        for _ in 0..self.random.below(3) {
            let start = there.len();
            emit(&mut there, &packet::Fill { dst: self.write_to(16, 4), size: 16, value: 1, reserved: 0 }, &[]);
            self.damage(&mut there[start..]);
        }
        if self.random.one_in(60) {
            // Round and round.
            let target = self.world.commands();
            emit(&mut there, &packet::Chain { target, bytes: out.len() as u64 + 24 }, &[]);
        }
        let part = self.world.command_part();
        // Behind what this stream can grow to.
        let target = part.start + part.size / 4 * 3;
        self.world.store(target, &there);
        emit(out, &packet::Chain { target, bytes: there.len() as u64 }, &[]);
    }

    fn blit_side(&mut self, write: bool) -> packet::BlitSide {
        // R8_UNORM, R8G8B8A8_UNORM, R32_SFLOAT, R16G16B16A16_SFLOAT, R32G32B32A32_SFLOAT.
        let (format, bytes) = self.random.pick(&[(9, 1u64), (37, 4), (100, 4), (97, 8), (109, 16)]);
        let extent = [1 + self.small(5), 1 + self.small(5), 1 + self.small(3)];
        let row = bytes * u64::from(extent[0]) + self.random.below(3) * bytes;
        let slice = row * u64::from(extent[1]);
        let address = self.place(slice * u64::from(extent[2]), 1, write);
        let corner = |r: &mut Random| std::array::from_fn(|d| r.below(u64::from(extent[d]) + 2) as i32);
        let (from, to) = (corner(self.random), corner(self.random));
        packet::BlitSide { address, row, slice, format, tile: [0; 4], extent, from, to, reserved: 0 }
    }

    fn blit(&mut self, out: &mut Vec<u8>) {
        let (src, dst) = (self.blit_side(false), self.blit_side(true));
        emit(out, &packet::Blit { src, dst, filter: self.small(3), reserved: 0 }, &[]);
    }

    /// Push constants, sets and dynamic buffers of a dispatch: counts and bytes.
    fn data(&mut self) -> ([u32; 3], Vec<u8>) {
        let (push, sets, dynamic) = (self.small(20), self.small(3), self.small(2));
        let mut bytes = vec![0; push.next_multiple_of(8) as usize];
        (0..sets).for_each(|_| bytes.extend(self.world.set.to_le_bytes()));
        (0..dynamic).for_each(|_| bytes.extend([self.read(64), 64].map(u64::to_le_bytes).concat()));
        ([push, sets, dynamic], bytes)
    }

    fn dispatch(&mut self, out: &mut Vec<u8>) {
        let ([push_bytes, set_count, dynamic_count], data) = self.data();
        let (kernel, kernel_bytes) = self.world.kernel;
        let indirect = if self.random.one_in(4) { self.place(12, 4, false) } else { 0 };
        if indirect != 0 && self.random.one_in(2) {
            emit(out, &packet::Write { dst: indirect, bytes: 12 }, &[&[1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]]);
        }
        let base = if self.random.one_in(8) { [self.small(3), 0, 0] } else { [0; 3] };
        let groups = [1 + self.small(3), 1, if self.random.one_in(8) { 2 } else { 1 }];
        let p = packet::Dispatch {
            kernel,
            kernel_bytes,
            indirect,
            base,
            groups,
            push_bytes,
            set_count,
            dynamic_count,
            reserved: 0,
        };
        emit(out, &p, &[&data]);
    }

    fn generated(&mut self, out: &mut Vec<u8>) {
        let ([push_bytes, set_count, dynamic_count], data) = self.data();
        let (kernel, kernel_bytes) = self.world.kernel;
        // A table of one kernel, group counts, and zeros for indices.
        let at = self.write_to(256, 8);
        let words = [kernel, kernel_bytes].map(u64::to_le_bytes).concat();
        emit(out, &packet::Write { dst: at, bytes: 16 }, &[&words]);
        let groups = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0].repeat(3);
        emit(out, &packet::Write { dst: at + 16, bytes: 36 }, &[&groups]);
        emit(out, &packet::Fill { dst: at + 64, size: 64, value: 0, reserved: 0 }, &[]);
        let mut tokens = Vec::new();
        for _ in 0..1 + self.random.below(4) {
            let plain = Token { address: at + 64, table: at, stride: 4, action: 0, offset: 4, size: 1 };
            tokens.push(match self.random.below(4) {
                0 => Token { action: Token::PUSH, size: self.small(9), ..plain },
                1 => Token { action: Token::SEQUENCE, ..plain },
                2 => Token { action: Token::KERNEL, ..plain },
                _ => Token { action: Token::DISPATCH, address: at + 16, stride: 12, ..plain },
            });
        }
        let p = packet::DispatchGenerated {
            kernel,
            kernel_bytes,
            count: if self.random.one_in(4) { self.place(4, 4, false) } else { 0 },
            sequences: self.small(4),
            token_count: tokens.len() as u32,
            push_bytes,
            set_count,
            dynamic_count,
            reserved: 0,
        };
        emit(out, &p, &[&data, tokens.as_bytes()]);
    }

    fn regions(&mut self, out: &mut Vec<u8>) {
        let compressed = u32::from(self.random.one_in(3));
        let max = self.small(4);
        let stride = if compressed != 0 { 32 } else { 24 };
        let table = self.write_to(u64::from(stride * max), 8);
        let mut words = Vec::new();
        for _ in 0..max {
            let size = self.random.below(100);
            words.extend([self.read(size), self.write_to(size, 1)]);
            if compressed != 0 {
                words.push(size);
            }
            words.push(size);
            if self.random.one_in(10) {
                let at = self.random.below(words.len() as u64) as usize;
                words[at] = self.odd();
            }
        }
        let bytes = words.as_bytes();
        emit(out, &packet::Write { dst: table, bytes: bytes.len() as u64 }, &[bytes]);
        let count = if self.random.one_in(4) { self.write_to(4, 4) } else { 0 };
        emit(out, &packet::Regions { table, count, max, stride, compressed, reserved: 0 }, &[]);
    }
}
