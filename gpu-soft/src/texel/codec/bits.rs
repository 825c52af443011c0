//! Bits of a block.

/// A block as one little-endian number.
#[derive(Clone, Copy)]
pub struct Bits(pub u128);

impl Bits {
    /// Of the bytes of a block.
    pub fn of(block: &[u8; 16]) -> Bits {
        Bits(u128::from_le_bytes(*block))
    }

    /// `count` bits (at most 32) from bit `first` on; bits past the block are 0.
    pub fn get(self, first: u32, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        let value = self.0.checked_shr(first).unwrap_or(0) as u64;
        (value & ((1u64 << count.min(32)) - 1)) as u32
    }
}

/// A cursor over the bits of a block.
pub struct Reader {
    bits: Bits,
    next: u32,
}

impl Reader {
    /// From a bit on.
    pub fn new(bits: Bits, next: u32) -> Reader {
        Reader { bits, next }
    }

    /// The next bits.
    pub fn take(&mut self, count: u32) -> u32 {
        let value = self.bits.get(self.next, count);
        self.next += count;
        value
    }

    /// Where the cursor is.
    pub fn position(&self) -> u32 {
        self.next
    }
}
