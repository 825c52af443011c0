//! Copies and fills. Large ones are shared out over the workers.

use super::arena::Arena;
use super::workers::{Work, Workers};
use crate::kernel_abi::STREAM_FROM;
use crate::packet::{CopyRect, FillRect};
use dxg_model::Cancel;

/// Pieces in which large transfers are shared out.
const PIECE: u64 = 1 << 20;

/// Bytes of a cache line.
const LINE: usize = 64;

struct CopyWork<'a> {
    src: u64,
    dst: u64,
    size: u64,
    cancel: &'a Cancel,
}

/// Bytes before the first whole cache line of a range, and whole lines in it.
fn lines(start: u64, bytes: usize) -> (usize, usize) {
    let head = (start.next_multiple_of(LINE as u64) - start) as usize;
    if head >= bytes {
        (bytes, 0)
    } else {
        (head, (bytes - head) / LINE)
    }
}

/// Copies past the caches.
///
/// # Safety
/// Both ranges are mapped, the destination writable; they do not overlap.
unsafe fn stream_copy(src: *const u8, dst: *mut u8, bytes: usize) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_sfence, _mm_stream_si128};
    let (head, lines) = lines(dst as u64, bytes);
    // SAFETY: head, lines and tail make up the range; stores of lines are aligned. SSE2 is part of the architecture.
    unsafe {
        std::ptr::copy_nonoverlapping(src, dst, head);
        for line in 0..lines {
            let from = src.add(head + line * LINE).cast::<__m128i>();
            let to = dst.add(head + line * LINE).cast::<__m128i>();
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| _mm_loadu_si128(from.add(i)));
            _mm_stream_si128(to, a);
            _mm_stream_si128(to.add(1), b);
            _mm_stream_si128(to.add(2), c);
            _mm_stream_si128(to.add(3), d);
        }
        let done = head + lines * LINE;
        std::ptr::copy_nonoverlapping(src.add(done), dst.add(done), bytes - done);
        // Such stores are ordered by nothing else.
        _mm_sfence();
    }
}

/// Fills past the caches.
///
/// # Safety
/// The range is mapped, writable and aligned to 4 bytes; `bytes` is a multiple of 4.
unsafe fn stream_fill(dst: *mut u8, bytes: usize, value: u32) {
    use std::arch::x86_64::{__m128i, _mm_set1_epi32, _mm_sfence, _mm_stream_si128};
    let (head, lines) = lines(dst as u64, bytes);
    // SAFETY: as in `stream_copy`.
    unsafe {
        let words = |at: usize, end: usize| (at..end).step_by(4).for_each(|i| dst.add(i).cast::<u32>().write(value));
        words(0, head);
        let four = _mm_set1_epi32(value as i32);
        for line in 0..lines {
            let to = dst.add(head + line * LINE).cast::<__m128i>();
            (0..LINE / 16).for_each(|i| _mm_stream_si128(to.add(i), four));
        }
        words(head + lines * LINE, bytes);
        _mm_sfence();
    }
}

impl CopyWork<'_> {
    /// Copies a piece.
    ///
    /// # Safety
    /// `copy`'s contract.
    unsafe fn piece(&self, index: u64) {
        let from = index * PIECE;
        let bytes = (self.size - from).min(PIECE) as usize;
        let (src, dst) = ((self.src + from) as *const u8, (self.dst + from) as *mut u8);
        // SAFETY: `copy`'s contract: both ranges are mapped. What goes past the caches does not overlap.
        unsafe {
            if self.size >= STREAM_FROM && self.src.abs_diff(self.dst) >= self.size {
                stream_copy(src, dst, bytes);
            } else {
                std::ptr::copy(src, dst, bytes);
            }
        }
    }
}

impl Work for CopyWork<'_> {
    fn run(&self, begin: u64, end: u64, _arena: &mut Arena) {
        for index in (begin..end).take_while(|_| !self.cancel.is_set()) {
            // SAFETY: `copy`'s contract; pieces that are shared out do not overlap.
            unsafe { self.piece(index) };
        }
    }
}

/// Copies `size` bytes; ends early when cancelled.
///
/// # Safety
/// Both ranges are mapped, the destination writable.
pub unsafe fn copy(workers: &Workers, src: u64, dst: u64, size: u64, cancel: &Cancel) {
    let work = CopyWork { src, dst, size, cancel };
    let pieces = size.div_ceil(PIECE);
    if pieces <= 1 {
        // SAFETY: this function's contract.
        unsafe { std::ptr::copy(src as *const u8, dst as *mut u8, size as usize) };
    } else if src.abs_diff(dst) >= size {
        workers.run(&work, pieces, 1);
    } else {
        // Piece after piece, in the direction in which none is overwritten before it is read.
        for i in (0..pieces).take_while(|_| !cancel.is_set()) {
            // SAFETY: this function's contract.
            unsafe { work.piece(if dst <= src { i } else { pieces - 1 - i }) };
        }
    }
}

struct FillWork<'a> {
    dst: u64,
    size: u64,
    value: u32,
    cancel: &'a Cancel,
}

impl Work for FillWork<'_> {
    fn run(&self, begin: u64, end: u64, _arena: &mut Arena) {
        for index in (begin..end).take_while(|_| !self.cancel.is_set()) {
            let from = index * PIECE;
            let bytes = (self.size - from).min(PIECE);
            // SAFETY: `fill`'s contract: the range is mapped and writable, aligned to 4.
            unsafe {
                if self.size >= STREAM_FROM {
                    stream_fill((self.dst + from) as *mut u8, bytes as usize, self.value);
                } else {
                    fill_words(self.dst + from, bytes, self.value);
                }
            }
        }
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

/// Fills a range with a word; ends early when cancelled.
///
/// # Safety
/// The range is mapped, writable and aligned to 4 bytes; `size` is a multiple of 4.
pub unsafe fn fill(workers: &Workers, dst: u64, size: u64, value: u32, cancel: &Cancel) {
    let pieces = size.div_ceil(PIECE);
    if pieces <= 1 {
        // SAFETY: this function's contract.
        unsafe { fill_words(dst, size, value) };
    } else {
        workers.run(&FillWork { dst, size, value, cancel }, pieces, 1);
    }
}

struct RectWork<'a>(&'a CopyRect, &'a Cancel);

impl Work for RectWork<'_> {
    fn run(&self, begin: u64, end: u64, _arena: &mut Arena) {
        let p = self.0;
        for index in begin..end {
            if self.1.is_set() {
                return;
            }
            let (slice, row) = (index / u64::from(p.rows), index % u64::from(p.rows));
            let src = p.src + slice * p.src_slice + row * p.src_row;
            let dst = p.dst + slice * p.dst_slice + row * p.dst_row;
            // SAFETY: `copy_rect`'s contract.
            unsafe { std::ptr::copy(src as *const u8, dst as *mut u8, p.row_bytes as usize) };
        }
    }
}

/// Most bytes of a box: no more than there are addresses. Damaged packets may say the same memory again and again.
const MOST: u64 = 1 << super::VA_BITS;

/// Bytes that `rows` × `slices` runs span from the first byte of the first to the last of the last; `None` on overflow, and if they
/// are more bytes than there are addresses.
pub fn span(run: u64, row: u64, rows: u32, slice: u64, slices: u32) -> Option<u64> {
    if rows == 0 || slices == 0 {
        return Some(0);
    }
    run.checked_mul(u64::from(rows) * u64::from(slices)).filter(|bytes| *bytes <= MOST)?;
    row.checked_mul(u64::from(rows) - 1)?.checked_add(slice.checked_mul(u64::from(slices) - 1)?)?.checked_add(run)
}

/// How many rows make a piece of work of useful size.
fn rows_per_piece(row_bytes: u64) -> u64 {
    (PIECE / row_bytes.max(1)).max(1)
}

/// Copies a box of rows; ends early when cancelled.
///
/// # Safety
/// The spans of source and destination are mapped, the destination writable; no address overflows.
pub unsafe fn copy_rect(workers: &Workers, packet: &CopyRect, cancel: &Cancel) {
    if packet.row_bytes == 0 {
        return;
    }
    let rows = u64::from(packet.rows) * u64::from(packet.slices);
    workers.run(&RectWork(packet, cancel), rows, rows_per_piece(packet.row_bytes));
}

struct FillRectWork<'a>(&'a FillRect, &'a Cancel);

impl Work for FillRectWork<'_> {
    fn run(&self, begin: u64, end: u64, _arena: &mut Arena) {
        let p = self.0;
        let n = p.texel_bytes as usize;
        for index in begin..end {
            if self.1.is_set() {
                return;
            }
            let (slice, row) = (index / u64::from(p.rows), index % u64::from(p.rows));
            let dst = p.dst + slice * p.slice + row * p.row;
            for x in 0..u64::from(p.texels) {
                // SAFETY: `fill_rect`'s contract; a texel has at most 16 bytes.
                unsafe { std::ptr::copy_nonoverlapping(p.texel.as_ptr(), (dst + x * n as u64) as *mut u8, n) };
            }
        }
    }
}

/// Fills a box of texels; ends early when cancelled.
///
/// # Safety
/// The span is mapped and writable; no address overflows; `texel_bytes` is at most 16.
pub unsafe fn fill_rect(workers: &Workers, packet: &FillRect, cancel: &Cancel) {
    let run = u64::from(packet.texels) * u64::from(packet.texel_bytes);
    if run == 0 {
        return;
    }
    let rows = u64::from(packet.rows) * u64::from(packet.slices);
    workers.run(&FillRectWork(packet, cancel), rows, rows_per_piece(run));
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
        unsafe { copy(&workers, src.as_ptr() as u64, dst.as_mut_ptr() as u64, src.len() as u64, &Cancel::new()) };
        assert!(src == dst);
        let mut words = vec![0u32; 800_000];
        // SAFETY: the vector has the size given.
        unsafe { fill(&workers, words.as_mut_ptr() as u64, 3_200_000, 0x1234_5678, &Cancel::new()) };
        assert!(words.iter().all(|w| *w == 0x1234_5678));
    }

    #[test]
    fn streams_keep_to_their_range() {
        let data: Vec<u8> = (0..1000u32).map(|i| (i * 7 + 1) as u8).collect();
        for at in [0usize, 4, 12, 60, 64, 100] {
            for bytes in [0usize, 4, 60, 64, 128, 200, 500] {
                let mut there = vec![0u8; 700];
                // SAFETY: the ranges lie in the vectors.
                unsafe { stream_copy(data.as_ptr().add(3), there.as_mut_ptr().add(at), bytes) };
                assert!(there[at..at + bytes] == data[3..3 + bytes], "{bytes} bytes at {at}");
                let around = there[..at].iter().chain(&there[at + bytes..]);
                assert!(around.copied().all(|b| b == 0), "around {bytes} bytes at {at}");
                let mut words = vec![0u32; 200];
                // SAFETY: as above; `at` and `bytes` are multiples of 4.
                unsafe { stream_fill(words.as_mut_ptr().cast::<u8>().add(at), bytes, 0x0102_0304) };
                let inside = at / 4..(at + bytes) / 4;
                let right = |(i, w): (usize, &u32)| *w == if inside.contains(&i) { 0x0102_0304 } else { 0 };
                assert!(words.iter().enumerate().all(right), "{bytes} bytes at {at}");
            }
        }
    }

    #[test]
    fn huge_transfers_are_complete() {
        let workers = Workers::new(NonZeroUsize::new(2).unwrap());
        let src: Vec<u32> = (0..(STREAM_FROM as u32 / 4 + 12345)).map(|i| i.wrapping_mul(0x9e37_79b1)).collect();
        let bytes = src.len() as u64 * 4 - 8;
        let mut dst = vec![0u32; src.len()];
        // SAFETY: both vectors have that size, and eight bytes more.
        unsafe { copy(&workers, src.as_ptr() as u64 + 4, dst.as_mut_ptr() as u64 + 8, bytes, &Cancel::new()) };
        assert!(dst[2..] == src[1..src.len() - 1] && dst[..2] == [0, 0]);
        // SAFETY: as above.
        unsafe { fill(&workers, dst.as_mut_ptr() as u64 + 4, bytes, 77, &Cancel::new()) };
        assert!(dst[1..dst.len() - 1].iter().all(|w| *w == 77));
        assert_eq!((dst[0], dst[dst.len() - 1]), (0, src[src.len() - 2]));
    }

    #[test]
    fn large_copies_may_overlap() {
        let workers = Workers::new(NonZeroUsize::new(2).unwrap());
        let n = 3 * PIECE as usize + 100;
        for (from, to) in [(0, 5000), (5000, 0), (0, 0), (0, PIECE as usize), (17, 2 * PIECE as usize)] {
            let mut bytes: Vec<u8> = (0..n + 3 * PIECE as usize).map(|i| (i * 7 + i / 251) as u8).collect();
            let want = bytes[from..from + n].to_vec();
            let base = bytes.as_mut_ptr() as u64;
            // SAFETY: both ranges lie in the vector.
            unsafe { copy(&workers, base + from as u64, base + to as u64, n as u64, &Cancel::new()) };
            assert!(bytes[to..to + n] == want, "{from} to {to}");
        }
    }

    #[test]
    fn cancelled_transfers_end() {
        let workers = Workers::new(NonZeroUsize::new(2).unwrap());
        let n = 4 * PIECE;
        let (src, mut dst) = (vec![1u8; 2 * n as usize], vec![0u8; 2 * n as usize]);
        let cancel = Cancel::new();
        cancel.set();
        let (from, to) = (src.as_ptr() as u64, dst.as_mut_ptr() as u64);
        // SAFETY: the ranges lie in the vectors.
        unsafe {
            copy(&workers, from, to, n, &cancel);
            fill(&workers, to, n, 7, &cancel);
            copy(&workers, to, to + PIECE, n, &cancel);
        }
        assert!(dst.iter().all(|b| *b == 0));
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
        unsafe { fill_rect(&workers, &packet, &Cancel::new()) };
        for row in dst.chunks(8) {
            assert_eq!(row, [0, 1, 2, 1, 2, 1, 2, 0]);
        }
    }

    #[test]
    fn spans_do_not_overflow() {
        assert_eq!(span(4, 16, 3, 0, 1), Some(36));
        assert_eq!(span(4, u64::MAX, 3, 0, 1), None);
        assert_eq!(span(4, 1, 0, 1, 1), Some(0));
        // The same bytes more often than there are addresses.
        assert_eq!(span(4, 0, u32::MAX, 0, 1), Some(4));
        assert_eq!(span(4, 0, u32::MAX, 0, u32::MAX), None);
    }
}
