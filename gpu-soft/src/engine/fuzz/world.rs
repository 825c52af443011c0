//! The memory that streams run in: parts that the GPU may write, read, or not touch, next to each other, and pages between
//! that nobody may touch.

use super::oracle::Oracle;
use super::Random;
use crate::binary::{self, Kind};
use crate::kernel_abi::BindingSlot;
use dxg_model::AddressSpace;
use rustix::mm::{mmap_anonymous, mprotect, munmap, MapFlags, MprotectFlags, ProtFlags};
use std::sync::Arc;

const PAGE: usize = 4096;

/// What stands on a run of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nobody may touch it.
    Hole,
    /// The GPU may read and write it.
    Write,
    /// The GPU may read it.
    Read,
    /// The program's own: the GPU may not touch it, though the processor can.
    Own,
}

/// The parts, in order, with their pages. Command buffers are in the first that can be written.
const PARTS: &[(Use, usize)] = &[
    (Use::Hole, 1),
    (Use::Write, 2),
    (Use::Own, 1),
    (Use::Write, 2),
    (Use::Hole, 1),
    (Use::Write, 1),
    (Use::Own, 1),
    (Use::Read, 2),
    (Use::Own, 1),
    (Use::Hole, 1),
];

/// A part of the memory.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub used: Use,
    pub start: u64,
    pub size: u64,
}

impl Part {
    pub fn end(&self) -> u64 {
        self.start + self.size
    }
}

/// The memory, and what it was before a stream.
pub struct World {
    base: *mut u8,
    size: usize,
    parts: Vec<Part>,
    space: Arc<AddressSpace>,
    /// What the GPU may read at first, kernel and set.
    constant: Vec<u8>,
    /// Content before the stream; holes are zeros.
    before: Vec<u8>,
    pub kernel: (u64, u64),
    pub set: u64,
    /// The buffer in the set: address and bytes.
    pub buffer: (u64, u64),
}

/// Adds the index to each element of buffer 0.0; an interpreter kernel, so that the tests need no code generator.
const KERNEL: &str = include_str!("../../../tests/data/add_index.sir");

impl World {
    pub fn new() -> World {
        let size = PARTS.iter().map(|p| p.1).sum::<usize>() * PAGE;
        // SAFETY: fresh memory, at an address that the system chooses.
        let base = unsafe {
            mmap_anonymous(std::ptr::null_mut(), size, ProtFlags::empty(), MapFlags::PRIVATE).expect("memory")
        };
        let space = AddressSpace::new(1 << 30).expect("address space");
        let mut parts = Vec::new();
        let mut at = base as u64;
        for &(used, pages) in PARTS {
            let part = Part { used, start: at, size: (pages * PAGE) as u64 };
            if used != Use::Hole {
                let flags = MprotectFlags::READ | MprotectFlags::WRITE;
                // SAFETY: pages of the memory made above, which nobody uses yet.
                unsafe { mprotect(at as *mut _, pages * PAGE, flags).expect("pages") };
            }
            if matches!(used, Use::Write | Use::Read) {
                space.track_identity(at, part.size, used == Use::Write);
            }
            at = part.end();
            parts.push(part);
        }
        let kernel = compiler::text::parse(KERNEL).expect("kernel text");
        let slots = [BindingSlot { stride: 16, count: 1, ..BindingSlot::default() }];
        let kernel = binary::pack(Kind::Interpreted, &crate::interpret::payload(&kernel, 8, &slots));
        let read = *parts.iter().find(|p| p.used == Use::Read).expect("a part to be read");
        let data = parts.iter().filter(|p| p.used == Use::Write).nth(1).expect("a part to be written");
        let buffer = (data.start + 512, 64 * 4u64);
        let mut constant = vec![0; read.size as usize];
        constant[..8].copy_from_slice(&buffer.0.to_le_bytes());
        constant[8..16].copy_from_slice(&buffer.1.to_le_bytes());
        constant[64..64 + kernel.len()].copy_from_slice(&kernel);
        World {
            base: base.cast(),
            size,
            space,
            kernel: (read.start + 64, kernel.len() as u64),
            set: read.start,
            buffer,
            constant,
            before: vec![0; size],
            parts,
        }
    }

    pub fn space(&self) -> &AddressSpace {
        &self.space
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub fn base(&self) -> u64 {
        self.base as u64
    }

    pub fn before(&self) -> &[u8] {
        &self.before
    }

    /// Where command buffers begin.
    pub fn commands(&self) -> u64 {
        self.command_part().start
    }

    pub fn command_part(&self) -> Part {
        *self.parts.iter().find(|p| p.used == Use::Write).expect("a part to be written")
    }

    fn offset(&self, part: &Part) -> usize {
        (part.start - self.base()) as usize
    }

    /// The part's memory.
    fn memory(&mut self, part: &Part) -> &mut [u8] {
        assert!(part.used != Use::Hole);
        // SAFETY: pages of our memory that can be read and written; no stream runs while `self` is borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.base.add(self.offset(part)), part.size as usize) }
    }

    /// Fresh content for the next stream.
    pub fn reset(&mut self, random: &mut Random) {
        let pattern = random.word();
        for part in self.parts.clone() {
            let constant = std::mem::take(&mut self.constant);
            match part.used {
                Use::Hole => {}
                Use::Read => self.memory(&part).copy_from_slice(&constant),
                Use::Own => self.memory(&part).fill(0xc5),
                Use::Write => {
                    // Words that are small numbers, so that tables and counts that stand there mean something at times.
                    for (i, word) in self.memory(&part).chunks_exact_mut(8).enumerate() {
                        let w = (pattern ^ i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
                        word.copy_from_slice(&w.to_le_bytes());
                    }
                }
            }
            self.constant = constant;
        }
    }

    /// Stores into memory before the stream runs.
    pub fn store(&mut self, at: u64, bytes: &[u8]) {
        let part = *self.parts.iter().find(|p| p.start <= at && at < p.end()).expect("a part");
        let offset = (at - part.start) as usize;
        self.memory(&part)[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    /// Puts the command buffer there and takes note of what memory holds.
    pub fn put_commands(&mut self, bytes: &[u8]) {
        self.store(self.commands(), bytes);
        for part in self.parts.clone() {
            if part.used != Use::Hole {
                let at = self.offset(&part);
                let mut before = std::mem::take(&mut self.before);
                before[at..at + part.size as usize].copy_from_slice(self.memory(&part));
                self.before = before;
            }
        }
    }

    /// The first byte that is not what it has to be: its address, content, and what it had to be. Without an oracle that
    /// knows, whatever the GPU may write may be anything.
    pub fn difference(&self, oracle: Option<&Oracle>) -> Option<(u64, u8, u8)> {
        for part in &self.parts {
            let at = self.offset(part);
            let range = at..at + part.size as usize;
            let (want, loose): (&[u8], &[bool]) = match (part.used, oracle) {
                (Use::Hole, _) | (Use::Write, None) => continue,
                (Use::Write, Some(oracle)) => (&oracle.memory()[range.clone()], &oracle.loose()[range.clone()]),
                (Use::Read | Use::Own, _) => (&self.before[range.clone()], &[]),
            };
            // SAFETY: pages of our memory that can be read; the stream has ended.
            let is = unsafe { std::slice::from_raw_parts(self.base.add(at), range.len()) };
            if is == want {
                continue;
            }
            let wrong = |i: &usize| is[*i] != want[*i] && !loose.get(*i).copied().unwrap_or(false);
            if let Some(i) = (0..range.len()).find(wrong) {
                return Some((part.start + i as u64, is[i], want[i]));
            }
        }
        None
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // SAFETY: our memory, which nobody uses any more.
        let _ = unsafe { munmap(self.base.cast(), self.size) };
    }
}
