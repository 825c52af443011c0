//! Intervals of unsigned integers.

/// All values from `lo` to `hi`, both included, of the bits read as unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Smallest value.
    pub lo: u64,
    /// Largest value.
    pub hi: u64,
}

impl Range {
    /// Every value of a width in bits (1 to 64).
    pub const fn full(bits: u32) -> Range {
        Range { lo: 0, hi: if bits >= 64 { u64::MAX } else { (1 << bits) - 1 } }
    }

    /// One value.
    pub const fn point(v: u64) -> Range {
        Range { lo: v, hi: v }
    }

    /// The value, if there is only one.
    pub const fn constant(self) -> Option<u64> {
        if self.lo == self.hi {
            Some(self.lo)
        } else {
            None
        }
    }

    /// The smallest interval that holds both.
    pub fn union(self, o: Range) -> Range {
        Range { lo: self.lo.min(o.lo), hi: self.hi.max(o.hi) }
    }

    /// Sums, or everything if one may wrap.
    pub fn add(self, o: Range, bits: u32) -> Range {
        Range::checked(self.lo.checked_add(o.lo), self.hi.checked_add(o.hi), bits)
    }

    /// Differences, or everything if one may wrap.
    pub fn sub(self, o: Range, bits: u32) -> Range {
        Range::checked(self.lo.checked_sub(o.hi), self.hi.checked_sub(o.lo), bits)
    }

    /// Products, or everything if one may wrap.
    pub fn mul(self, o: Range, bits: u32) -> Range {
        Range::checked(self.lo.checked_mul(o.lo), self.hi.checked_mul(o.hi), bits)
    }

    /// Shifts to the left by a constant below the width, or everything if a one bit may be lost.
    pub fn shl(self, count: u32, bits: u32) -> Range {
        self.mul(Range::point(1u64.checked_shl(count).unwrap_or(u64::MAX)), bits)
    }

    fn checked(lo: Option<u64>, hi: Option<u64>, bits: u32) -> Range {
        match (lo, hi) {
            (Some(lo), Some(hi)) if hi <= Range::full(bits).hi => Range { lo, hi },
            _ => Range::full(bits),
        }
    }
}
