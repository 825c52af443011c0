//! What is bound, as far as it is numbers: recording changes it without taking a lock.
//!
//! Vulkan has applications use a command buffer from one thread at a time. Where one does not, commands find a mixture of what
//! the threads bound, and nothing worse: every number is an atomic word, and what they add up to is checked by who uses it.

use crate::gpu::PlainDispatch;
use crate::pipeline::Program;
use crate::pipeline_layout::{MAX_PUSH_BYTES, MAX_SETS};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use zerocopy::IntoBytes;

/// A program as far as a dispatch needs it that has neither dynamic buffers nor heaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlainProgram {
    /// Address of the kernel binary.
    pub kernel: u64,
    /// Its bytes.
    pub kernel_bytes: u64,
    /// Bytes of push constants, at most [`MAX_PUSH_BYTES`].
    pub push_bytes: u32,
    /// Number of sets of the layout, at most [`MAX_SETS`].
    pub sets: u32,
}

/// The numbers. Sets that have more to them than an address are marked: the rest stands in
/// [`BindState`](super::state::BindState).
#[derive(Debug)]
pub(crate) struct Bound {
    /// The four numbers of a [`PlainProgram`]; a kernel at 0 is none.
    kernel: AtomicU64,
    kernel_bytes: AtomicU64,
    push_bytes: AtomicU32,
    set_count: AtomicU32,
    /// Push constants, low bytes first.
    push: [AtomicU64; MAX_PUSH_BYTES / 8],
    sets: [AtomicU64; MAX_SETS],
    /// Bits of sets that have pushed descriptors or dynamic buffers.
    more: AtomicU32,
    /// Bits of sets whose pushed descriptors are not in GPU memory yet.
    dirty: AtomicU32,
}

impl Default for Bound {
    fn default() -> Bound {
        Bound {
            kernel: AtomicU64::new(0),
            kernel_bytes: AtomicU64::new(0),
            push_bytes: AtomicU32::new(0),
            set_count: AtomicU32::new(0),
            push: [const { AtomicU64::new(0) }; MAX_PUSH_BYTES / 8],
            sets: [const { AtomicU64::new(0) }; MAX_SETS],
            more: AtomicU32::new(0),
            dirty: AtomicU32::new(0),
        }
    }
}

impl Bound {
    /// Nothing is bound.
    pub fn clear(&self) {
        self.set_program(None);
        self.push.iter().for_each(|word| word.store(0, Relaxed));
        self.sets.iter().for_each(|address| address.store(0, Relaxed));
        self.more.store(0, Relaxed);
        self.dirty.store(0, Relaxed);
    }

    /// Binds a plain program, or says that there is none here.
    #[inline]
    pub fn set_program(&self, program: Option<&PlainProgram>) {
        let Some(p) = program else { return self.kernel.store(0, Relaxed) };
        self.kernel.store(p.kernel, Relaxed);
        self.kernel_bytes.store(p.kernel_bytes, Relaxed);
        self.push_bytes.store(p.push_bytes, Relaxed);
        self.set_count.store(p.sets, Relaxed);
    }

    /// The plain program that is bound.
    #[inline]
    pub fn program(&self) -> Option<PlainProgram> {
        let kernel = self.kernel.load(Relaxed);
        (kernel != 0).then(|| PlainProgram {
            kernel,
            kernel_bytes: self.kernel_bytes.load(Relaxed),
            push_bytes: self.push_bytes.load(Relaxed),
            sets: self.set_count.load(Relaxed),
        })
    }

    /// Address of a set; 0 for numbers that no layout can have.
    pub fn set(&self, set: usize) -> u64 {
        self.sets.get(set).map_or(0, |address| address.load(Relaxed))
    }

    /// Binds the address of a set.
    #[inline]
    pub fn set_address(&self, set: usize, address: u64) {
        if let Some(place) = self.sets.get(set) {
            place.store(address, Relaxed);
        }
    }

    /// Whether a set has pushed descriptors or dynamic buffers.
    #[inline]
    pub fn has_more(&self, set: usize) -> bool {
        self.more.load(Relaxed).checked_shr(set as u32).is_some_and(|bits| bits & 1 != 0)
    }

    /// Says whether a set has pushed descriptors or dynamic buffers, and whether it is to be put in GPU memory.
    pub fn set_more(&self, set: usize, more: bool, dirty: bool) {
        let bit = 1u32.checked_shl(set as u32).unwrap_or(0);
        let put = |bits: &AtomicU32, on: bool| {
            let now = bits.load(Relaxed);
            bits.store(if on { now | bit } else { now & !bit }, Relaxed);
        };
        put(&self.more, more);
        put(&self.dirty, dirty);
    }

    /// Whether pushed descriptors wait for being put in GPU memory.
    #[inline]
    pub fn is_dirty(&self) -> bool {
        self.dirty.load(Relaxed) != 0
    }

    /// Stores push constants; those that reach out of range are ignored.
    #[inline]
    pub fn push_constants(&self, offset: u32, bytes: &[u8]) {
        let at = offset as usize;
        if at.checked_add(bytes.len()).is_none_or(|end| end > MAX_PUSH_BYTES) {
            return;
        }
        if !at.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return bytes.iter().enumerate().for_each(|(i, byte)| self.push_part(at + i, 8, u64::from(*byte)));
        }
        for (i, bytes) in bytes.chunks_exact(4).enumerate() {
            let value = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            self.push_part(at + i * 4, 32, u64::from(value));
        }
    }

    /// Stores 8 or 32 bits in a word of the push constants.
    #[inline]
    fn push_part(&self, at: usize, bits: u32, value: u64) {
        let Some(word) = self.push.get(at / 8) else { return };
        let shift = at % 8 * 8;
        let mask = ((1u64 << bits) - 1) << shift;
        word.store(word.load(Relaxed) & !mask | value << shift, Relaxed);
    }

    /// Calls `f` with copies of as many bytes of push constants and addresses of sets as a program has.
    pub fn with_tables<R>(&self, push_bytes: u32, sets: u32, f: impl FnOnce(&[u8], &[u64]) -> R) -> R {
        let push = self.push.each_ref().map(|word| word.load(Relaxed).to_le());
        let addresses = self.sets.each_ref().map(|address| address.load(Relaxed));
        let push_bytes = (push_bytes as usize).min(MAX_PUSH_BYTES);
        f(&push.as_bytes()[..push_bytes], &addresses[..(sets as usize).min(MAX_SETS)])
    }

    /// A dispatch of the plain program that is bound; `None` if there is none, or descriptors are to be put in GPU memory first.
    #[inline]
    pub fn plain_dispatch(&self, grid: [u64; 3]) -> Option<PlainDispatch<'_>> {
        let p = self.program().filter(|_| !self.is_dirty())?;
        let push = self.push.get(..p.push_bytes.div_ceil(8) as usize)?;
        let sets = self.sets.get(..p.sets as usize)?;
        let PlainProgram { kernel, kernel_bytes, push_bytes, .. } = p;
        Some(PlainDispatch { kernel, kernel_bytes, grid, push_bytes, push, sets })
    }
}

/// The numbers of a program, if it has neither dynamic buffers nor heaps.
pub(crate) fn plain(program: &Program) -> Option<PlainProgram> {
    let layout = program.layout();
    let (kernel, kernel_bytes) = program.placed();
    (program.is_plain() && kernel != 0).then_some(PlainProgram {
        kernel,
        kernel_bytes,
        push_bytes: layout.push_bytes,
        sets: layout.sets.len() as u32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_constants_keep_to_their_range() {
        let bound = Bound::default();
        bound.push_constants(4, &7u32.to_le_bytes());
        bound.push_constants(9, &[1, 2]);
        bound.push_constants(MAX_PUSH_BYTES as u32 - 4, &[9; 8]);
        bound.push_constants(u32::MAX, &[9; 4]);
        bound.set_address(2, 5);
        bound.with_tables(14, 3, |push, sets| {
            assert_eq!(push, [0, 0, 0, 0, 7, 0, 0, 0, 0, 1, 2, 0, 0, 0]);
            assert_eq!(sets, [0, 0, 5]);
        });
        bound.push_constants(MAX_PUSH_BYTES as u32 - 4, &[9; 4]);
        bound.with_tables(u32::MAX, u32::MAX, |push, sets| {
            assert_eq!((push.len(), sets.len()), (MAX_PUSH_BYTES, MAX_SETS));
            assert_eq!((push[4], &push[MAX_PUSH_BYTES - 5..], sets[2]), (7, &[0, 9, 9, 9, 9][..], 5));
        });
    }

    #[test]
    fn plain_dispatches_are_what_is_bound() {
        let bound = Bound::default();
        let dispatch = || bound.plain_dispatch([1, 2, 3]);
        assert!(dispatch().is_none(), "no program");
        let program = PlainProgram { kernel: 64, kernel_bytes: 3, push_bytes: 12, sets: 2 };
        bound.set_program(Some(&program));
        bound.set_address(1, 9);
        bound.push_constants(4, &[1, 0, 0, 0, 2, 0, 0, 0]);
        let numbers = |words: &[AtomicU64]| words.iter().map(|word| word.load(Relaxed)).collect::<Vec<_>>();
        let d = dispatch().unwrap();
        assert_eq!((d.kernel, d.kernel_bytes, d.grid, d.push_bytes), (64, 3, [1, 2, 3], 12));
        assert_eq!((numbers(d.push), numbers(d.sets)), (vec![1 << 32, 2], vec![0, 9]));
        bound.set_more(1, true, true);
        assert!(dispatch().is_none(), "descriptors wait");
        bound.set_more(1, true, false);
        assert!(dispatch().is_some());
        for large in [PlainProgram { push_bytes: 257, ..program }, PlainProgram { sets: 33, ..program }] {
            bound.set_program(Some(&large));
            assert!(dispatch().is_none(), "more than any layout has");
        }
    }

    #[test]
    fn sets_are_marked_one_by_one() {
        let bound = Bound::default();
        bound.set_address(31, 5);
        bound.set_address(32, 6);
        bound.set_more(31, true, true);
        bound.set_more(3, true, false);
        assert!(bound.has_more(31) && bound.has_more(3) && !bound.has_more(4) && !bound.has_more(35));
        assert!(bound.is_dirty());
        bound.set_more(31, true, false);
        assert!(!bound.is_dirty() && bound.has_more(31));
        assert_eq!((bound.set(31), bound.set(32)), (5, 0));
        bound.clear();
        assert!(!bound.has_more(3));
        bound.with_tables(0, 32, |_, sets| assert_eq!(sets, [0; 32]));
    }
}
