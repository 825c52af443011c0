//! Copies and fills. Large ones are shared out over the workers.

use super::arena::Arena;
use super::workers::{Work, Workers};
use crate::packet::{CopyRect, FillRect};

/// Pieces in which large transfers are shared out.
const PIECE: u64 = 1 << 20;

struct CopyWork {
    src: u64,
    dst: u64,
    size: u64,
}

impl Work for CopyWork {
    fn run(&self, begin: u64, end: u64, _arena: &mut Arena) {
        let from = begin * PIECE;
        let to = (end * PIECE).min(self.size);
        // SAFETY: `copy`'s contract: both ranges are mapped; pieces of one copy are disjoint. `memmove` semantics keep even
        // an (invalid) overlapping copy defined.
        unsafe { std::ptr::copy((self.src + from) as *const u8, (self.dst + from) as *mut u8, (to - from) as usize) };
    }
}

/// Copies `size` bytes.
///
/// # Safety
/// Both ranges are mapped, the destination writable.
pub unsafe fn copy(workers: &Workers, src: u64, dst: u64, size: u64) {
    let work = CopyWork { src, dst, size };
    let pieces = size.div_ceil(PIECE);
    if pieces <= 1 || src.abs_diff(dst) < size {
        // SAFETY: this function's contract.
        unsafe { std::ptr::copy(src as *const u8, dst as *mut u8, size as usize) };
    } else {
        workers.run(&work, pieces, 1);
    }
}

struct FillWork {
    dst: u64,
    size: u64,
    value: u32,
}

impl Work for FillWork {
    fn run(&self, begin: u64, end: u64, _arena: &mut Arena) {
        let from = begin * PIECE;
        let to = (end * PIECE).min(self.size);
        // SAFETY: `fill`'s contract: the range is mapped and writable, aligned to 4.
        unsafe { fill_words(self.dst + from, to - from, self.value) };
    }
}

/// # Safety
/// The range is mapped, writable and aligned to 4 bytes; `size` is a multiple of 4.
unsafe fn fill_words(dst: u64, size: u64, value: u32) {
    let bytes = value.to_ne_bytes();
    if bytes.iter().all(|b| *b == bytes[0]) {
        // SAFETY: this function's contract.
        unsafe { std::ptr::write_bytes(dst as *mut u8, bytes[0], size as usize) };
        return;
    }
    // SAFETY: this function's contract; raw element stores, since the application may look at the memory meanwhile.
    unsafe {
        let dst = dst as *mut u32;
        for i in 0..(size / 4) as usize {
            dst.add(i).write(value);
        }
    }
}

/// Fills a range with a word.
///
/// # Safety
/// The range is mapped, writable and aligned to 4 bytes; `size` is a multiple of 4.
pub unsafe fn fill(workers: &Workers, dst: u64, size: u64, value: u32) {
    let pieces = size.div_ceil(PIECE);
    if pieces <= 1 {
        // SAFETY: this function's contract.
        unsafe { fill_words(dst, size, value) };
    } else {
        workers.run(&FillWork { dst, size, value }, pieces, 1);
    }
}

struct RectWork<'a>(&'a CopyRect);

impl Work for RectWork<'_> {
    fn run(&self, begin: u64, end: u64, _arena: &mut Arena) {
        let p = self.0;
        for index in begin..end {
            let (slice, row) = (index / u64::from(p.rows), index % u64::from(p.rows));
            let src = p.src + slice * p.src_slice + row * p.src_row;
            let dst = p.dst + slice * p.dst_slice + row * p.dst_row;
            // SAFETY: `copy_rect`'s contract.
            unsafe { std::ptr::copy(src as *const u8, dst as *mut u8, p.row_bytes as usize) };
        }
    }
}

/// Bytes that `rows` × `slices` runs span from the first byte of the first to the last of the last; `None` on overflow.
pub fn span(run: u64, row: u64, rows: u32, slice: u64, slices: u32) -> Option<u64> {
    if rows == 0 || slices == 0 {
        return Some(0);
    }
    row.checked_mul(u64::from(rows) - 1)?.checked_add(slice.checked_mul(u64::from(slices) - 1)?)?.checked_add(run)
}

/// How many rows make a piece of work of useful size.
fn rows_per_piece(row_bytes: u64) -> u64 {
    (PIECE / row_bytes.max(1)).max(1)
}

/// Copies a box of rows.
///
/// # Safety
/// The spans of source and destination are mapped, the destination writable; no address overflows.
pub unsafe fn copy_rect(workers: &Workers, packet: &CopyRect) {
    let rows = u64::from(packet.rows) * u64::from(packet.slices);
    workers.run(&RectWork(packet), rows, rows_per_piece(packet.row_bytes));
}

struct FillRectWork<'a>(&'a FillRect);

impl Work for FillRectWork<'_> {
    fn run(&self, begin: u64, end: u64, _arena: &mut Arena) {
        let p = self.0;
        let n = p.texel_bytes as usize;
        for index in begin..end {
            let (slice, row) = (index / u64::from(p.rows), index % u64::from(p.rows));
            let dst = p.dst + slice * p.slice + row * p.row;
            for x in 0..u64::from(p.texels) {
                // SAFETY: `fill_rect`'s contract; a texel has at most 16 bytes.
                unsafe { std::ptr::copy_nonoverlapping(p.texel.as_ptr(), (dst + x * n as u64) as *mut u8, n) };
            }
        }
    }
}

/// Fills a box of texels.
///
/// # Safety
/// The span is mapped and writable; no address overflows; `texel_bytes` is at most 16.
pub unsafe fn fill_rect(workers: &Workers, packet: &FillRect) {
    let rows = u64::from(packet.rows) * u64::from(packet.slices);
    workers.run(&FillRectWork(packet), rows, rows_per_piece(u64::from(packet.texels) * u64::from(packet.texel_bytes)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    #[test]
    fn large_transfers_are_complete() {
        let workers = Workers::new(NonZeroUsize::new(2).unwrap());
        let src: Vec<u8> = (0..3_500_000u32).map(|i| (i * 7) as u8).collect();
        let mut dst = vec![0u8; src.len()];
        // SAFETY: both vectors have the size given.
        unsafe { copy(&workers, src.as_ptr() as u64, dst.as_mut_ptr() as u64, src.len() as u64) };
        assert!(src == dst);
        let mut words = vec![0u32; 800_000];
        // SAFETY: the vector has the size given.
        unsafe { fill(&workers, words.as_mut_ptr() as u64, 3_200_000, 0x1234_5678) };
        assert!(words.iter().all(|w| *w == 0x1234_5678));
    }

    #[test]
    fn boxes_keep_to_their_rows() {
        let workers = Workers::new(NonZeroUsize::new(2).unwrap());
        let mut dst = [0u8; 32];
        let packet = FillRect {
            dst: dst.as_mut_ptr() as u64 + 1,
            row: 8,
            slice: 16,
            texels: 3,
            rows: 2,
            slices: 2,
            texel_bytes: 2,
            texel: [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        // SAFETY: the box spans bytes 1..31 of `dst`.
        unsafe { fill_rect(&workers, &packet) };
        for row in dst.chunks(8) {
            assert_eq!(row, [0, 1, 2, 1, 2, 1, 2, 0]);
        }
    }

    #[test]
    fn spans_do_not_overflow() {
        assert_eq!(span(4, 16, 3, 0, 1), Some(36));
        assert_eq!(span(4, u64::MAX, 3, 0, 1), None);
        assert_eq!(span(4, 1, 0, 1, 1), Some(0));
    }
}
