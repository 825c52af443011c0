//! Integer sequences of ASTC: values of a range that is 1, 3 or 5 times a power of two.

use super::bits::Bits;

/// What values consist of besides their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    One,
    Trit,
    Quint,
}

/// A range of values from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    base: Base,
    bits: u32,
}

const fn range(base: Base, bits: u32) -> Range {
    Range { base, bits }
}

use Base::{One, Quint, Trit};

/// The ranges of colours, largest first: 0..255, 0..191, … 0..5.
pub const COLOR_RANGES: [Range; 17] = [
    range(One, 8),
    range(Trit, 6),
    range(Quint, 5),
    range(One, 7),
    range(Trit, 5),
    range(Quint, 4),
    range(One, 6),
    range(Trit, 4),
    range(Quint, 3),
    range(One, 5),
    range(Trit, 3),
    range(Quint, 2),
    range(One, 4),
    range(Trit, 2),
    range(Quint, 1),
    range(One, 3),
    range(Trit, 1),
];

/// Five trits in eight bits.
fn trits(t: u32) -> [u32; 5] {
    let bit = |v: u32, i: u32| v >> i & 1;
    let (c, t3, t4);
    if t >> 2 & 7 == 7 {
        c = (t >> 5 & 7) << 2 | t & 3;
        (t3, t4) = (2, 2);
    } else {
        c = t & 31;
        (t3, t4) = if t >> 5 & 3 == 3 { (bit(t, 7), 2) } else { (t >> 5 & 3, bit(t, 7)) };
    }
    let (t0, t1, t2);
    if c & 3 == 3 {
        (t2, t1) = (2, bit(c, 4));
        t0 = bit(c, 3) << 1 | bit(c, 2) & !bit(c, 3) & 1;
    } else if c >> 2 & 3 == 3 {
        (t2, t1, t0) = (2, 2, c & 3);
    } else {
        (t2, t1) = (bit(c, 4), c >> 2 & 3);
        t0 = bit(c, 1) << 1 | bit(c, 0) & !bit(c, 1) & 1;
    }
    [t0, t1, t2, t3, t4]
}

/// Three quints in seven bits.
fn quints(q: u32) -> [u32; 3] {
    let bit = |i: u32| q >> i & 1;
    if q >> 1 & 3 == 3 && q >> 5 & 3 == 0 {
        let rest = (bit(4) << 1 | bit(3)) & if bit(0) != 0 { 0 } else { 3 };
        return [4, 4, bit(0) << 2 | rest];
    }
    let (q2, c) =
        if q >> 1 & 3 == 3 { (4, (q >> 3 & 3) << 3 | (!(q >> 5) & 3) << 1 | bit(0)) } else { (q >> 5 & 3, q & 31) };
    let (q1, q0) = if c & 7 == 5 { (4, c >> 3 & 3) } else { (c >> 3 & 3, c & 7) };
    [q0, q1, q2]
}

impl Range {
    /// The range of weights of a code and a precision; `None` for reserved codes.
    pub fn of_weights(rho: u32, precise: bool) -> Option<Range> {
        Some(match (rho, precise) {
            (2, false) => range(One, 1),
            (3, false) => range(Trit, 0),
            (4, false) => range(One, 2),
            (5, false) => range(Quint, 0),
            (6, false) => range(Trit, 1),
            (7, false) => range(One, 3),
            (2, true) => range(Quint, 1),
            (3, true) => range(Trit, 2),
            (4, true) => range(One, 4),
            (5, true) => range(Quint, 2),
            (6, true) => range(Trit, 3),
            (7, true) => range(One, 5),
            _ => return None,
        })
    }

    /// Bits that so many values take.
    pub fn bits(self, count: u32) -> u32 {
        let base = match self.base {
            One => 0,
            Trit => (8 * count).div_ceil(5),
            Quint => (7 * count).div_ceil(3),
        };
        base + count * self.bits
    }

    /// Value number `index` of `count` that begin at bit `first`: its trit or quint, and its bits.
    pub fn value(self, bits: Bits, first: u32, index: u32, count: u32) -> (u32, u32) {
        let n = self.bits;
        let end = first + self.bits(count);
        // Bits past the sequence count as 0.
        let get = |at: u32, count: u32| bits.get(at, count.min(end.saturating_sub(at)));
        // Widths of the pieces of the packed number that follow each value's bits.
        let pieces: &[u32] = match self.base {
            One => return (0, get(first + index * n, n)),
            Trit => &[2, 2, 1, 2, 1],
            Quint => &[3, 2, 2],
        };
        let per = pieces.len() as u32;
        let mut at = first + index / per * (pieces.iter().sum::<u32>() + per * n);
        let (mut packed, mut shift, mut own) = (0, 0, 0);
        for (i, piece) in pieces.iter().enumerate() {
            if i as u32 == index % per {
                own = get(at, n);
            }
            packed |= get(at + n, *piece) << shift;
            shift += piece;
            at += n + piece;
        }
        let place = (index % per) as usize;
        let digit = match self.base {
            Trit => trits(packed)[place],
            _ => quints(packed).get(place).copied().unwrap_or(0),
        };
        (digit, own)
    }

    /// A weight, 0 to 64, of a value.
    pub fn weight(self, (digit, m): (u32, u32)) -> u32 {
        let unquantized = match (self.base, self.bits) {
            (One, n) => replicate(m, n, 6),
            (Trit, 0) => [0, 32, 63][digit.min(2) as usize],
            (Quint, 0) => [0, 16, 32, 47, 63][digit.min(4) as usize],
            (base, n) => {
                let (b, c) = match (base, n) {
                    (Trit, 1) => (0, 50),
                    (Trit, 2) => (mask(m, 1, 0b100_0101), 23),
                    (Trit, _) => (mask(m, 1, 0b010_0001) | mask(m, 2, 0b100_0010), 11),
                    (_, 1) => (0, 28),
                    (_, _) => (mask(m, 1, 0b100_0010), 13),
                };
                let a = mask(m, 0, 0x7f);
                let v = (digit * c + b) ^ a;
                a & 0x20 | v >> 2
            }
        };
        unquantized + u32::from(unquantized > 32)
    }

    /// A colour value, 0 to 255, of a value.
    pub fn color(self, (digit, m): (u32, u32)) -> u32 {
        let (b, c) = match (self.base, self.bits) {
            (One, n) => return replicate(m, n, 8),
            (Trit, 1) => (0, 204),
            (Trit, 2) => (mask(m, 1, 0b1_0001_0110), 93),
            (Trit, 3) => (spread(m, [0b0_1000_0101, 0b1_0000_1010]), 44),
            (Trit, 4) => (spread(m, [0b0_0100_0001, 0b0_1000_0010]) | mask(m, 3, 0b1_0000_0100), 22),
            (Trit, 5) => {
                (spread(m, [0b0_0010_0000, 0b0_0100_0000]) | mask(m, 3, 0b0_1000_0001) | mask(m, 4, 0b1_0000_0010), 11)
            }
            (Trit, _) => (
                spread(m, [0b0_0001_0000, 0b0_0010_0000])
                    | mask(m, 3, 0b0_0100_0000)
                    | mask(m, 4, 0b0_1000_0000)
                    | mask(m, 5, 0b1_0000_0001),
                5,
            ),
            (Quint, 1) => (0, 113),
            (Quint, 2) => (mask(m, 1, 0b1_0000_1100), 54),
            (Quint, 3) => (spread(m, [0b0_1000_0010, 0b1_0000_0101]), 26),
            (Quint, 4) => (spread(m, [0b0_0100_0000, 0b0_1000_0001]) | mask(m, 3, 0b1_0000_0010), 13),
            (Quint, _) => {
                (spread(m, [0b0_0010_0000, 0b0_0100_0000]) | mask(m, 3, 0b0_1000_0000) | mask(m, 4, 0b1_0000_0001), 6)
            }
        };
        let a = mask(m, 0, 0x1ff);
        let v = (digit * c + b) ^ a;
        a & 0x80 | v >> 2
    }
}

/// `places` if bit `bit` of `m` is set.
fn mask(m: u32, bit: u32, places: u32) -> u32 {
    if m >> bit & 1 != 0 {
        places
    } else {
        0
    }
}

/// Places of bits 1 and 2.
fn spread(m: u32, [b, c]: [u32; 2]) -> u32 {
    mask(m, 1, b) | mask(m, 2, c)
}

/// `n` bits repeated from the top to fill `to`.
fn replicate(value: u32, n: u32, to: u32) -> u32 {
    let mut out = 0;
    let mut left = to as i32;
    while left > 0 {
        left -= n as i32;
        out |= if left >= 0 { value << left } else { value >> -left };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_combination_of_digits_has_a_code() {
        let all: HashSet<_> = (0..256).map(trits).collect();
        assert_eq!(all.len(), 243);
        assert!(all.iter().flatten().all(|t| *t < 3));
        let all: HashSet<_> = (0..128).map(quints).collect();
        assert_eq!(all.len(), 125);
        assert!(all.iter().flatten().all(|q| *q < 5));
    }

    #[test]
    fn unquantized_values_fill_the_range_evenly() {
        let values = |r: Range| {
            let digits = match r.base {
                One => 1,
                Trit => 3,
                Quint => 5,
            };
            (0..digits).flat_map(move |d| (0..1u32 << r.bits).map(move |m| (d, m)))
        };
        for r in COLOR_RANGES {
            let mut all: Vec<u32> = values(r).map(|v| r.color(v)).collect();
            all.sort_unstable();
            let n = all.len() as u32 - 1;
            for (i, v) in all.iter().enumerate() {
                // The nearest level, give or take the specification's roundings.
                let exact = i as f32 * 255.0 / n as f32;
                assert!((*v as f32 - exact).abs() <= 1.5, "{r:?} {i}: {v} for {exact}");
            }
            assert_eq!((all[0], all[n as usize]), (0, 255), "{r:?}");
        }
        for rho in 2..8 {
            for precise in [false, true] {
                let r = Range::of_weights(rho, precise).unwrap();
                let mut all: Vec<u32> = values(r).map(|v| r.weight(v)).collect();
                all.sort_unstable();
                let n = all.len() as u32 - 1;
                for (i, v) in all.iter().enumerate() {
                    assert!((*v as f32 - i as f32 * 64.0 / n as f32).abs() <= 1.5, "{r:?} {i}: {v}");
                }
                assert_eq!((all[0], all[n as usize]), (0, 64), "{r:?}");
            }
        }
    }

    #[test]
    fn sequences_take_their_bits() {
        let r = range(Trit, 1);
        assert_eq!((r.bits(5), r.bits(1), range(Quint, 2).bits(3)), (13, 3, 13));
        // Trits 1, 0, 0, 0, 0 are packed as 1; the bit of the first value is 1, that of the second 0.
        let bits = Bits(0b0_0011);
        assert_eq!(r.value(bits, 0, 0, 5), (1, 1));
        assert_eq!(r.value(bits, 0, 1, 5), (0, 0));
        assert_eq!(range(One, 3).value(Bits(0b111_010), 0, 1, 2), (0, 7));
    }
}
