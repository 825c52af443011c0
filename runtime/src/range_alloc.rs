//! A first-fit allocator of ranges, without any memory of its own.

use crate::error::{Error, Result};

/// Hands out ranges of `0..size`.
#[derive(Debug)]
pub(crate) struct RangeAlloc {
    size: u64,
    /// Free ranges (start, end), sorted, never empty, never adjacent.
    free: Vec<(u64, u64)>,
}

/// Why there is no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRange {
    /// Not enough bytes.
    Full,
    /// Enough bytes, but not in one piece.
    Fragmented,
}

impl RangeAlloc {
    pub(crate) fn new(size: u64) -> RangeAlloc {
        RangeAlloc { size, free: if size > 0 { vec![(0, size)] } else { Vec::new() } }
    }

    /// A range of `size` bytes at a multiple of `align` (a power of two).
    pub(crate) fn alloc(&mut self, size: u64, align: u64) -> std::result::Result<u64, NoRange> {
        if size == 0 {
            return Ok(0);
        }
        let mut total = 0u64;
        for i in 0..self.free.len() {
            let (start, end) = self.free[i];
            total += end - start;
            let Some(at) = start.checked_next_multiple_of(align.max(1)) else { continue };
            let Some(stop) = at.checked_add(size) else { continue };
            if stop > end {
                continue;
            }
            match (at > start, stop < end) {
                (false, false) => {
                    self.free.remove(i);
                }
                (true, false) => self.free[i].1 = at,
                (false, true) => self.free[i].0 = stop,
                (true, true) => {
                    self.free[i].1 = at;
                    self.free.insert(i + 1, (stop, end));
                }
            }
            return Ok(at);
        }
        Err(if total >= size { NoRange::Fragmented } else { NoRange::Full })
    }

    /// Gives a range back. Ranges that overlap free ones are refused.
    pub(crate) fn release(&mut self, start: u64, size: u64) -> Result<()> {
        if size == 0 {
            return Ok(());
        }
        let bad = || Error::Unknown("a range was freed twice".to_owned());
        let end = start.checked_add(size).filter(|&e| e <= self.size).ok_or_else(bad)?;
        let i = self.free.partition_point(|r| r.0 < start);
        let joins_before = i > 0 && self.free[i - 1].1 == start;
        if i > 0 && self.free[i - 1].1 > start || i < self.free.len() && self.free[i].0 < end {
            return Err(bad());
        }
        let joins_after = i < self.free.len() && self.free[i].0 == end;
        match (joins_before, joins_after) {
            (true, true) => {
                self.free[i - 1].1 = self.free[i].1;
                self.free.remove(i);
            }
            (true, false) => self.free[i - 1].1 = end,
            (false, true) => self.free[i].0 = start,
            (false, false) => self.free.insert(i, (start, end)),
        }
        Ok(())
    }

    /// Whether nothing is handed out.
    pub(crate) fn is_unused(&self) -> bool {
        self.size == 0 || self.free == [(0, self.size)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_again() {
        let mut a = RangeAlloc::new(1024);
        let x = a.alloc(100, 64).unwrap();
        let y = a.alloc(100, 64).unwrap();
        let z = a.alloc(100, 64).unwrap();
        assert_eq!((x, y, z), (0, 128, 256));
        a.release(y, 100).unwrap();
        assert_eq!(a.alloc(100, 64).unwrap(), 128);
        for at in [x, y, z] {
            a.release(at, 100).unwrap();
        }
        assert!(a.is_unused());
        assert!(a.release(x, 100).is_err(), "a double free is noticed");
    }

    #[test]
    fn full_and_fragmented_differ() {
        let mut a = RangeAlloc::new(300);
        let _ = a.alloc(100, 1).unwrap();
        let y = a.alloc(100, 1).unwrap();
        let _ = a.alloc(50, 1).unwrap();
        assert_eq!(a.alloc(100, 1), Err(NoRange::Full));
        a.release(y, 100).unwrap();
        assert_eq!(a.alloc(120, 1), Err(NoRange::Fragmented));
        assert_eq!(a.alloc(u64::MAX, 1), Err(NoRange::Full));
        assert_eq!(a.alloc(10, 1 << 63), Err(NoRange::Fragmented), "no multiple of the alignment is free");
    }
}
