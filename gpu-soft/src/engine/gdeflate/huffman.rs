//! Canonical Huffman codes of at most 15 bits, the first bit of a codeword in the lowest bit.

const MAX_BITS: usize = 15;

/// Codewords up to this length are found in one step.
const QUICK: u32 = 9;

/// A code.
pub struct Code {
    /// By the lowest bits: symbol · 16 + length of its codeword, 0 for longer codewords.
    quick: [u16; 1 << QUICK],
    /// Codewords by length.
    count: [u16; MAX_BITS + 1],
    /// Symbols by codeword.
    symbols: [u16; 288],
}

impl Code {
    /// The code in which symbol `i` has a codeword of `lengths[i]` bits, 0: none. `None` if there are more codewords of a length than
    /// there can be.
    pub fn new(lengths: &[u8]) -> Option<Code> {
        let mut code = Code { quick: [0; 1 << QUICK], count: [0; MAX_BITS + 1], symbols: [0; 288] };
        for length in lengths.iter().filter(|l| **l > 0) {
            *code.count.get_mut(usize::from(*length))? += 1;
        }
        // First place among the symbols, and first codeword, of each length.
        let (mut place, mut word) = ([0u16; MAX_BITS + 2], [0u32; MAX_BITS + 2]);
        for bits in 1..=MAX_BITS {
            place[bits + 1] = place[bits] + code.count[bits];
            let end = word[bits] + u32::from(code.count[bits]);
            if end > 1 << bits {
                return None;
            }
            word[bits + 1] = end << 1;
        }
        for (symbol, length) in (0u16..).zip(lengths).filter(|s| *s.1 > 0) {
            let bits = usize::from(*length);
            *code.symbols.get_mut(usize::from(place[bits]))? = symbol;
            place[bits] += 1;
            let first = word[bits].reverse_bits() >> (32 - bits as u32);
            word[bits] += 1;
            if bits as u32 <= QUICK {
                for at in (first..1 << QUICK).step_by(1 << bits) {
                    code.quick[at as usize] = symbol << 4 | u16::from(*length);
                }
            }
        }
        Some(code)
    }

    /// The symbol that some bits begin with, and the number of bits it takes. `None` if they begin with no codeword.
    pub fn decode(&self, bits: u32) -> Option<(usize, u32)> {
        let quick = self.quick[bits as usize & ((1 << QUICK) - 1)];
        if quick != 0 {
            return Some((usize::from(quick >> 4), u32::from(quick & 15)));
        }
        // The codeword as a number, against the first of its length.
        let (mut word, mut first, mut place) = (0u32, 0u32, 0usize);
        for n in 1..=MAX_BITS {
            word = word << 1 | bits >> (n - 1) & 1;
            let count = u32::from(self.count[n]);
            if word - first < count {
                return Some((usize::from(self.symbols[place + (word - first) as usize]), n as u32));
            }
            place += count as usize;
            first = (first + count) << 1;
        }
        None
    }
}
