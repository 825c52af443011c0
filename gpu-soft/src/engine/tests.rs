//! The engine over an address space of its own: every packet. Streams of damaged packets are in `fuzz`.

use super::SoftEngine;
use crate::binary::{self, Kind};
use crate::kernel_abi::BindingSlot;
use crate::packet::{self, emit};
use dxg_model::{AddressSpace, Cancel, Engine, EngineFault, Job};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Adds the index to each element of buffer 0.0; an interpreter kernel, so that the tests need no code generator.
const KERNEL: &str = include_str!("../../tests/data/add_index.sir");

struct Bench {
    engine: SoftEngine,
    space: Arc<AddressSpace>,
    commands: Vec<u8>,
    data: Vec<u32>,
    set: Vec<u64>,
    kernel: Vec<u8>,
}

impl Bench {
    fn new() -> Bench {
        let space = AddressSpace::new(1 << 30).expect("address space");
        let kernel = compiler::text::parse(KERNEL).expect("kernel text");
        let slots = [BindingSlot { stride: 16, count: 1, ..BindingSlot::default() }];
        let kernel = binary::pack(Kind::Interpreted, &crate::interpret::payload(&kernel, 8, &slots));
        let data = vec![0u32; 4096];
        let set = vec![data.as_ptr() as u64, 64 * 4];
        let bench = Bench {
            engine: SoftEngine::new(NonZeroUsize::new(2)),
            space,
            commands: vec![0; 1 << 16],
            data,
            set,
            kernel,
        };
        bench.track(bench.data.as_ptr() as u64, 4096 * 4, true);
        bench.track(bench.commands.as_ptr() as u64, 1 << 16, true);
        bench.track(bench.kernel.as_ptr() as u64, bench.kernel.len() as u64, false);
        bench.track(bench.set.as_ptr() as u64, 16, false);
        bench
    }

    fn track(&self, at: u64, size: u64, write: bool) {
        self.space.track_identity(at, size, write);
    }

    fn at(&self, word: usize) -> u64 {
        self.data.as_ptr() as u64 + 4 * word as u64
    }

    fn run(&mut self, stream: &[u8], cancel: &Cancel) -> Result<(), EngineFault> {
        self.commands[..stream.len()].copy_from_slice(stream);
        let job = Job {
            command_buffer: self.commands.as_ptr() as u64,
            command_length: stream.len() as u32,
            private_data: &[],
            space: &self.space,
            cancel,
            context: 1,
        };
        self.engine.execute(&job)
    }

    fn dispatch(&self, groups: [u32; 3], indirect: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let set = self.set.as_ptr() as u64;
        let p = packet::Dispatch {
            kernel: self.kernel.as_ptr() as u64,
            kernel_bytes: self.kernel.len() as u64,
            indirect,
            base: [0; 3],
            groups,
            push_bytes: 0,
            set_count: 1,
            dynamic_count: 0,
            reserved: 0,
        };
        emit(&mut out, &p, &[&set.to_le_bytes()]);
        out
    }
}

#[test]
fn packets_do_what_they_say() {
    let mut b = Bench::new();
    let mut s = Vec::new();
    emit(&mut s, &packet::Fill { dst: b.at(0), size: 64, value: 7, reserved: 0 }, &[]);
    emit(&mut s, &packet::Copy { src: b.at(0), dst: b.at(100), size: 12 }, &[]);
    emit(&mut s, &packet::Barrier {}, &[]);
    emit(&mut s, &packet::Write { dst: b.at(103), bytes: 4 }, &[&9u32.to_le_bytes()]);
    emit(&mut s, &packet::Store32 { dst: b.at(104), value: 11, reserved: 0 }, &[]);
    emit(&mut s, &packet::Wait32 { src: b.at(104), value: 11, reserved: 0 }, &[]);
    let pair = b.at(200).next_multiple_of(8);
    emit(&mut s, &packet::Timestamp { dst: pair }, &[]);
    emit(&mut s, &packet::Store64 { dst: pair + 8, value: 1 }, &[]);
    emit(
        &mut s,
        &packet::CopyQueries {
            src: pair,
            dst: b.at(300).next_multiple_of(8),
            stride: 16,
            count: 1,
            flags: 1 | 4,
            values: 1,
            reserved: 0,
        },
        &[],
    );
    s.extend(b.dispatch([8, 1, 1], 0));
    emit(&mut s, &packet::End {}, &[]);
    assert_eq!(b.run(&s, &Cancel::new()), Ok(()));
    let want: Vec<u32> = (0..64).map(|i| if i < 16 { 7 + i } else { i }).collect();
    assert_eq!(b.data[..64], want);
    assert_eq!(b.data[100..105], [7, 7, 7, 9, 11]);
    let even = if b.at(200).is_multiple_of(8) { 200 } else { 201 };
    assert_ne!(b.data[even], 0);
    assert_eq!(b.data[even + 2], 1);
    assert_eq!(b.data[even..even + 4], b.data[even + 100..even + 104]);
}

#[test]
fn regions_are_read_at_execution() {
    let mut b = Bench::new();
    let mut s = Vec::new();
    let table = b.at(600).next_multiple_of(8);
    for (i, (src, dst, size)) in [(1000, 0, 8u64), (1001, 5, 4), (1000, 9, 4)].into_iter().enumerate() {
        let region = [b.at(src), b.at(dst), size].map(u64::to_le_bytes).concat();
        emit(&mut s, &packet::Write { dst: table + 24 * i as u64, bytes: 24 }, &[&region]);
    }
    emit(&mut s, &packet::Fill { dst: b.at(1000), size: 4, value: 3, reserved: 0 }, &[]);
    emit(&mut s, &packet::Fill { dst: b.at(1001), size: 4, value: 4, reserved: 0 }, &[]);
    emit(&mut s, &packet::Store32 { dst: b.at(700), value: 2, reserved: 0 }, &[]);
    let p = packet::Regions { table, count: b.at(700), max: 3, stride: 24, compressed: 0, reserved: 0 };
    emit(&mut s, &p, &[]);
    assert_eq!(b.run(&s, &Cancel::new()), Ok(()));
    // The count holds the third back.
    assert_eq!(b.data[..10], [3, 4, 0, 0, 0, 4, 0, 0, 0, 0]);
    // A stream of zeros never ends, so nothing is written; a source that is not there is a fault.
    let mut s = Vec::new();
    for (src, size) in [(b.at(1100), 64), (8, 64)] {
        let region = [src, b.at(0), 128, size].map(u64::to_le_bytes).concat();
        emit(&mut s, &packet::Write { dst: table, bytes: 32 }, &[&region]);
        let p = packet::Regions { table, count: 0, max: 1, stride: 32, compressed: 1, reserved: 0 };
        emit(&mut s, &p, &[]);
    }
    assert!(matches!(b.run(&s, &Cancel::new()), Err(EngineFault::PageFault { address: 8, write: false })));
    assert_eq!(b.data[..10], [3, 4, 0, 0, 0, 4, 0, 0, 0, 0]);
}

#[test]
fn indirect_counts_are_read_at_execution() {
    let mut b = Bench::new();
    let mut s = Vec::new();
    for (i, n) in [3u32, 1, 1].into_iter().enumerate() {
        emit(&mut s, &packet::Store32 { dst: b.at(500 + i), value: n, reserved: 0 }, &[]);
    }
    s.extend(b.dispatch([0; 3], b.at(500)));
    assert_eq!(b.run(&s, &Cancel::new()), Ok(()));
    let want: Vec<u32> = (0..64).map(|i| if i < 24 { i } else { 0 }).collect();
    assert_eq!(b.data[..64], want);
}

fn generated(b: &Bench, tokens: &[packet::Token], sequences: u32, count: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let p = packet::DispatchGenerated {
        kernel: b.kernel.as_ptr() as u64,
        kernel_bytes: b.kernel.len() as u64,
        count,
        sequences,
        token_count: tokens.len() as u32,
        push_bytes: 0,
        set_count: 1,
        dynamic_count: 0,
        reserved: 0,
    };
    emit(&mut out, &p, &[&(b.set.as_ptr() as u64).to_le_bytes(), zerocopy::IntoBytes::as_bytes(tokens)]);
    out
}

fn token(action: u32, address: u64, stride: u32) -> packet::Token {
    packet::Token { address, table: 0, stride, action, offset: 0, size: 0 }
}

#[test]
fn generated_dispatches_follow_their_tokens() {
    let mut b = Bench::new();
    let cancel = Cancel::new();
    // Three sequences of (kernel, groups); the second names a table entry that is no kernel, but runs nothing.
    let words = [0u32, 1, 1, 1, 1, 1, 0, 1, 0, 2, 1, 1];
    b.data[512..524].copy_from_slice(&words);
    let table = b.at(600).next_multiple_of(8);
    let at = (table - b.at(0)) as usize / 4;
    let (kernel, bytes) = (b.kernel.as_ptr() as u64, b.kernel.len() as u64);
    for (i, w) in [kernel, bytes, 0, 0].into_iter().enumerate() {
        b.data[at + 2 * i] = w as u32;
        b.data[at + 2 * i + 1] = (w >> 32) as u32;
    }
    let choose = packet::Token { table, size: 2, ..token(packet::Token::KERNEL, b.at(512), 16) };
    let run = token(packet::Token::DISPATCH, b.at(513), 16);
    let s = generated(&b, &[choose, run], 3, 0);
    assert_eq!(b.run(&s, &cancel), Ok(()));
    // The first eight elements were reached twice.
    let want =
        |twice: u32| (0..64u32).map(|i| if i < 8 { twice * i } else { i * u32::from(i < 16) }).collect::<Vec<_>>();
    assert_eq!(b.data[..64], want(2));
    // A count in memory.
    b.data[700] = 1;
    let s = generated(&b, &[choose, run], 3, b.at(700));
    assert_eq!(b.run(&s, &cancel), Ok(()));
    assert_eq!(b.data[..64], want(3));
    let refused = |b: &mut Bench, tokens: &[packet::Token]| {
        let s = generated(b, tokens, 3, 0);
        assert!(matches!(b.run(&s, &cancel), Err(EngineFault::BadPacket { .. })), "{tokens:?}");
    };
    refused(&mut b, &[packet::Token { size: 1, ..choose }, run]);
    let data = b.at(512);
    refused(&mut b, &[token(9, data, 16)]);
    refused(&mut b, &[packet::Token { offset: 250, size: 8, ..token(packet::Token::PUSH, data, 0) }]);
    refused(&mut b, &[packet::Token { offset: u32::MAX, ..token(packet::Token::SEQUENCE, 0, 0) }]);
    refused(&mut b, &[run; packet::MAX_TOKENS + 1]);
    let hole = b.space.base();
    let s = generated(&b, &[token(packet::Token::DISPATCH, hole, 0)], 1, 0);
    assert_eq!(b.run(&s, &cancel), Err(EngineFault::PageFault { address: hole, write: false }));
    let mut s = generated(&b, &[choose, run], 3, 0);
    // More tokens than there are bytes for.
    s[8 + 28..8 + 32].copy_from_slice(&3u32.to_le_bytes());
    assert!(matches!(b.run(&s, &cancel), Err(EngineFault::BadPacket { .. })));
}

#[test]
fn conditions_hold_dispatches_back_and_counts_see_those_that_ran() {
    let mut b = Bench::new();
    let count = b.at(600).next_multiple_of(8);
    let mut s = Vec::new();
    emit(&mut s, &packet::Store32 { dst: b.at(500), value: 0, reserved: 0 }, &[]);
    s.extend(b.dispatch([1, 1, 1], 0));
    emit(&mut s, &packet::Count { dst: count, add: 0, reserved: 0 }, &[]);
    emit(&mut s, &packet::Condition { src: b.at(500), inverted: 0, reserved: 0 }, &[]);
    s.extend(b.dispatch([8, 1, 1], 0));
    // What is not a dispatch runs all the same.
    emit(&mut s, &packet::Store32 { dst: b.at(501), value: 5, reserved: 0 }, &[]);
    emit(&mut s, &packet::Condition { src: b.at(500), inverted: 1, reserved: 0 }, &[]);
    s.extend(b.dispatch([2, 1, 1], 0));
    emit(&mut s, &packet::Condition { src: 0, inverted: 0, reserved: 0 }, &[]);
    s.extend(b.dispatch([1, 1, 1], 0));
    emit(&mut s, &packet::Count { dst: count, add: 1, reserved: 0 }, &[]);
    s.extend(b.dispatch([1, 1, 1], 0));
    assert_eq!(b.run(&s, &Cancel::new()), Ok(()));
    let want: Vec<u32> = (0..64)
        .map(|i| {
            if i < 8 {
                4 * i
            } else if i < 16 {
                i
            } else {
                0
            }
        })
        .collect();
    assert_eq!(b.data[..64], want);
    assert_eq!(b.data[501], 5);
    let low = if b.at(600).is_multiple_of(8) { 600 } else { 601 };
    assert_eq!(b.data[low..low + 2], [3 * 8, 0]);
}

#[test]
fn accesses_outside_of_memory_are_faults() {
    let mut b = Bench::new();
    let hole = b.space.base();
    let mut s = Vec::new();
    emit(&mut s, &packet::Copy { src: b.at(0), dst: hole, size: 8 }, &[]);
    assert_eq!(b.run(&s, &Cancel::new()), Err(EngineFault::PageFault { address: hole, write: true }));
    let mut s = Vec::new();
    emit(&mut s, &packet::Chain { target: hole, bytes: 64 }, &[]);
    assert_eq!(b.run(&s, &Cancel::new()), Err(EngineFault::PageFault { address: hole, write: false }));
    // The kernel binary may be read, not written.
    let mut s = Vec::new();
    let kernel = b.kernel.as_ptr() as u64;
    emit(&mut s, &packet::Write { dst: kernel, bytes: 4 }, &[&[0; 4]]);
    assert_eq!(b.run(&s, &Cancel::new()), Err(EngineFault::PageFault { address: kernel, write: true }));
    // A set that is nowhere: the kernel's read of a descriptor is the access.
    for set in [8, hole, u64::MAX - 7, 0x8000_0000_0000_0000] {
        let mut s = b.dispatch([1, 1, 1], 0);
        let end = s.len();
        s[end - 8..].copy_from_slice(&set.to_le_bytes());
        assert_eq!(b.run(&s, &Cancel::new()), Err(EngineFault::PageFault { address: set, write: false }));
    }
    // Not a kernel.
    let s = {
        let mut s = b.dispatch([1, 1, 1], 0);
        s[8..16].copy_from_slice(&b.at(0).to_le_bytes());
        s
    };
    assert!(matches!(b.run(&s, &Cancel::new()), Err(EngineFault::BadPacket { .. })));
}

#[test]
fn loops_end_when_cancelled() {
    let mut b = Bench::new();
    let mut s = Vec::new();
    emit(&mut s, &packet::Wait32 { src: b.at(0), value: 1, reserved: 0 }, &[]);
    let cancel = Cancel::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            cancel.set();
        });
        assert_eq!(b.run(&s, &cancel), Err(EngineFault::Hang));
    });
}

#[test]
fn boxes_of_overlapping_rows_end() {
    let mut b = Bench::new();
    let copy = |row_bytes, rows, slices| packet::CopyRect {
        src: b.at(0),
        dst: b.at(1024),
        src_row: 0,
        src_slice: 0,
        dst_row: 0,
        dst_slice: 0,
        row_bytes,
        rows,
        slices,
    };
    let streams = [copy(1, u32::MAX, u32::MAX), copy(0, u32::MAX, u32::MAX), copy(256, u32::MAX, 1)].map(|p| {
        let mut s = Vec::new();
        emit(&mut s, &p, &[]);
        s
    });
    assert!(matches!(b.run(&streams[0], &Cancel::new()), Err(EngineFault::BadPacket { .. })));
    assert_eq!(b.run(&streams[1], &Cancel::new()), Ok(()));
    cancelled(&mut b, &streams[2]);
}

/// Runs a stream that ends only because it is told to.
fn cancelled(b: &mut Bench, stream: &[u8]) {
    let cancel = Cancel::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            cancel.set();
        });
        let result = b.run(stream, &cancel);
        assert!(cancel.is_set(), "it ended by itself");
        assert_eq!(result, Err(EngineFault::Hang));
    });
}

#[test]
fn blits_of_overlapping_rows_end() {
    let mut b = Bench::new();
    let side = packet::BlitSide {
        address: b.at(0),
        row: 0,
        slice: 0,
        // R8_UNORM
        format: 9,
        tile: [0; 4],
        extent: [256, 1 << 20, 1 << 10],
        from: [0; 3],
        to: [256, 1 << 20, 1 << 10],
        reserved: 0,
    };
    let mut s = Vec::new();
    emit(&mut s, &packet::Blit { src: side, dst: side, filter: 1, reserved: 0 }, &[]);
    cancelled(&mut b, &s);
}

#[test]
fn blits_of_any_corners_end() {
    let mut b = Bench::new();
    let side = packet::BlitSide {
        address: b.at(0),
        row: 16,
        slice: 64,
        format: 9,
        tile: [0; 4],
        extent: [4; 3],
        from: [0; 3],
        to: [4; 3],
        reserved: 0,
    };
    let all = [(i32::MIN, i32::MAX), (i32::MAX, i32::MIN), (0, i32::MAX), (i32::MIN, 0), (i32::MAX, i32::MAX)];
    for ((from, to), filter) in all.into_iter().flat_map(|c| [(c, 0), (c, 1), (c, 2)]) {
        let odd = packet::BlitSide { from: [from; 3], to: [to; 3], ..side };
        for (src, dst) in [(odd, side), (side, odd), (odd, odd)] {
            let mut s = Vec::new();
            emit(&mut s, &packet::Blit { src, dst, filter, reserved: 0 }, &[]);
            assert_eq!(b.run(&s, &Cancel::new()), Ok(()));
        }
    }
}

/// A kernel that better code may follow is followed once its record says where, and counts until then.
#[cfg(feature = "llvm")]
#[test]
fn better_code_is_used_as_soon_as_it_is_announced() {
    use crate::binary::{Record, RECORD_BYTES};
    use crate::codegen::{compile_at_once, Options};
    use crate::kernel_abi::Width;
    use std::sync::atomic::Ordering::Relaxed;

    if !Width::W16.supported() {
        return;
    }
    let mut b = Bench::new();
    let kernel = compiler::text::parse(KERNEL).expect("kernel text");
    let slots = [BindingSlot { stride: 16, count: 1, ..BindingSlot::default() }];
    let options = Options { subgroup_size: 8, ..Options::new(Width::W16, &slots) };
    let made = compile_at_once(&kernel, &options).expect("compiles").expect("is no problem");
    let first = binary::pack(Kind::First, &made.bytes);
    let better = std::mem::take(&mut b.kernel);
    // Aligned as kernels in GPU memory are.
    let mut words = vec![0u64; first.len() / 8];
    for (word, bytes) in words.iter_mut().zip(first.chunks(8)) {
        *word = u64::from_ne_bytes(bytes.try_into().expect("whole words"));
    }
    let (at, bytes) = (words.as_mut_ptr() as u64, first.len() as u64);
    b.track(at, bytes, true);
    // SAFETY: behind the payload of the binary, which is alive and aligned.
    let record = unsafe { &*((at + bytes - RECORD_BYTES as u64) as *const Record) };
    let dispatch = |b: &mut Bench| {
        let mut s = Vec::new();
        let p = packet::Dispatch {
            kernel: at,
            kernel_bytes: bytes,
            indirect: 0,
            base: [0; 3],
            groups: [8, 1, 1],
            push_bytes: 0,
            set_count: 1,
            dynamic_count: 0,
            reserved: 0,
        };
        emit(&mut s, &p, &[&(b.set.as_ptr() as u64).to_le_bytes()]);
        emit(&mut s, &packet::End {}, &[]);
        b.data.fill(7);
        assert_eq!(b.run(&s, &Cancel::new()), Ok(()));
        assert!((0..64).all(|i| b.data[i as usize] == 7 + i));
        record.spent.load(Relaxed)
    };
    let (once, twice) = (dispatch(&mut b), dispatch(&mut b));
    assert!(0 < once && once < twice);
    // Where nothing is, nothing is used.
    record.address.store(1 << 20, Relaxed);
    record.bytes.store(better.len() as u64, Relaxed);
    record.followed.store(1, Relaxed);
    dispatch(&mut b);
    record.address.store(better.as_ptr() as u64, Relaxed);
    let before = record.spent.load(Relaxed);
    assert_eq!(dispatch(&mut b), before);
    b.kernel = better;
}
