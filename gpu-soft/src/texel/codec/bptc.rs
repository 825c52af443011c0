//! BC6H and BC7 ("BPTC Compressed Texture Image Formats").

use super::bits::{Bits, Reader};
use super::bptc_tables::{Bc6Mode, ANCHOR_2, ANCHOR_3_2, ANCHOR_3_3, BC6_MODES, THREE_SUBSETS, TWO_SUBSETS};
use half::f16;

/// Weights of 2-, 3- and 4-bit indices.
const WEIGHTS: [&[i32]; 3] =
    [&[0, 21, 43, 64], &[0, 9, 18, 27, 37, 46, 55, 64], &[0, 4, 9, 13, 17, 21, 26, 30, 34, 38, 43, 47, 51, 55, 60, 64]];

fn weight(bits: u32, index: u32) -> i32 {
    let table = WEIGHTS[(bits.clamp(2, 4) - 2) as usize];
    table[index as usize & (table.len() - 1)]
}

fn interpolate(a: i32, b: i32, weight: i32) -> i32 {
    ((64 - weight) * a + weight * b + 32) >> 6
}

/// The subset of a texel, and the texels whose index has one bit less.
fn partition(subsets: u32, pattern: usize, texel: u32) -> (usize, [u32; 3]) {
    match subsets {
        2 => ((TWO_SUBSETS[pattern] >> texel & 1).into(), [0, ANCHOR_2[pattern].into(), u32::MAX]),
        3 => (
            (THREE_SUBSETS[pattern] >> (2 * texel) & 3) as usize,
            [0, ANCHOR_3_2[pattern].into(), ANCHOR_3_3[pattern].into()],
        ),
        _ => (0, [0, u32::MAX, u32::MAX]),
    }
}

/// The index of a texel: indices of `width` bits begin at bit `first`.
fn index(bits: Bits, first: u32, width: u32, texel: u32, anchors: [u32; 3]) -> u32 {
    let before = anchors.iter().filter(|a| **a < texel).count() as u32;
    let short = u32::from(anchors.contains(&texel));
    bits.get(first + texel * width - before, width - short)
}

/// Parameters of a mode of BC7: subsets, bits of partition, rotation, index selection, colour and alpha, per-endpoint and shared
/// low bits, bits of the two indices.
struct Bc7Mode(u32, u32, u32, u32, u32, u32, bool, bool, u32, u32);

const BC7_MODES: [Bc7Mode; 8] = [
    Bc7Mode(3, 4, 0, 0, 4, 0, true, false, 3, 0),
    Bc7Mode(2, 6, 0, 0, 6, 0, false, true, 3, 0),
    Bc7Mode(3, 6, 0, 0, 5, 0, false, false, 2, 0),
    Bc7Mode(2, 6, 0, 0, 7, 0, true, false, 2, 0),
    Bc7Mode(1, 0, 2, 1, 5, 6, false, false, 2, 3),
    Bc7Mode(1, 0, 2, 0, 7, 8, false, false, 2, 2),
    Bc7Mode(1, 0, 0, 0, 7, 7, true, false, 4, 0),
    Bc7Mode(2, 6, 0, 0, 5, 5, true, false, 2, 0),
];

/// A texel of BC7 in eight bits.
fn bc7_bytes(block: &[u8; 16], [x, y]: [u32; 2]) -> [i32; 4] {
    let texel = 4 * (y & 3) + (x & 3);
    let bits = Bits::of(block);
    let number = block[0].trailing_zeros();
    let Some(mode) = BC7_MODES.get(number as usize) else { return [0; 4] };
    let Bc7Mode(subsets, pb, rb, isb, cb, ab, own_low, shared_low, ib, ib2) = *mode;
    let mut r = Reader::new(bits, number + 1);
    let pattern = r.take(pb) as usize;
    let rotation = r.take(rb);
    let selection = r.take(isb);
    // Component by component, endpoint by endpoint.
    let mut ends = [[0i32; 4]; 6];
    let ends = &mut ends[..2 * subsets as usize];
    for c in 0..3 {
        for e in ends.iter_mut() {
            e[c] = r.take(cb) as i32;
        }
    }
    for e in ends.iter_mut() {
        e[3] = r.take(ab) as i32;
    }
    let mut low = [0; 6];
    let has_low = own_low || shared_low;
    if own_low {
        for l in low.iter_mut().take(ends.len()) {
            *l = r.take(1) as i32;
        }
    } else if shared_low {
        let shared = [r.take(1) as i32, r.take(1) as i32];
        for (i, l) in low.iter_mut().take(ends.len()).enumerate() {
            *l = shared[i / 2];
        }
    }
    for (e, low) in ends.iter_mut().zip(low) {
        for (c, v) in e.iter_mut().enumerate() {
            let stored = if c == 3 { ab } else { cb };
            if stored == 0 {
                *v = 255;
                continue;
            }
            let (value, n) = if has_low { (*v << 1 | low, stored + 1) } else { (*v, stored) };
            let top = value << (8 - n);
            *v = top | top >> n;
        }
    }
    let (subset, anchors) = partition(subsets, pattern, texel);
    let first = r.position();
    let i1 = index(bits, first, ib, texel, anchors);
    let (mut color, mut alpha) = ((ib, i1), (ib, i1));
    if ib2 != 0 {
        let second = (ib2, index(bits, first + 16 * ib - subsets, ib2, texel, anchors));
        (color, alpha) = if selection == 0 { (color, second) } else { (second, color) };
    }
    let (a, b) = (ends[2 * subset], ends[2 * subset + 1]);
    let mut out: [i32; 4] = std::array::from_fn(|c| {
        let (bits, index) = if c == 3 { alpha } else { color };
        interpolate(a[c], b[c], weight(bits, index))
    });
    if rotation != 0 {
        out.swap(3, rotation as usize - 1);
    }
    out
}

/// A texel of BC7; what its transfer function makes of it is left to the caller.
pub fn bc7(block: &[u8; 16], at: [u32; 2]) -> [f32; 4] {
    bc7_bytes(block, at).map(|v| v as f32 / 255.0)
}

fn sign_extend(value: i32, bits: u32) -> i32 {
    value << (32 - bits) >> (32 - bits)
}

/// The endpoints of a block as the mode's fields place them: R, G, B of up to four.
fn bc6_fields(bits: Bits, mode: &Bc6Mode, first: u32) -> ([[i32; 3]; 4], u32) {
    let mut ends = [[0i32; 3]; 4];
    let mut r = Reader::new(bits, first);
    for field in mode.fields.split(' ') {
        let name = field.as_bytes();
        let component = match name.first() {
            Some(b'r') => 0,
            Some(b'g') => 1,
            _ => 2,
        };
        let endpoint = usize::from(name.get(1).map_or(0, |c| c & 3));
        let mut range = field.get(3..).unwrap_or("").split('-').filter_map(|n| n.parse::<u32>().ok());
        let from = range.next().unwrap_or(0);
        let to = range.next().unwrap_or(from);
        for i in 0..=from.abs_diff(to) {
            let bit = if to >= from { from + i } else { from - i };
            ends[endpoint][component] |= (r.take(1) as i32) << bit;
        }
    }
    (ends, r.position())
}

fn unquantize(x: i32, bits: u32, signed: bool) -> i32 {
    if !signed {
        return match x {
            _ if bits >= 15 => x,
            0 => 0,
            _ if x == (1 << bits) - 1 => 0xffff,
            _ => ((x << 15) + 0x4000) >> (bits - 1),
        };
    }
    if bits >= 16 {
        return x;
    }
    let size = match x.abs() {
        0 => 0,
        a if a >= (1 << (bits - 1)) - 1 => 0x7fff,
        a => ((a << 15) + 0x4000) >> (bits - 1),
    };
    if x < 0 {
        -size
    } else {
        size
    }
}

/// A texel of BC6H as binary16 bits.
fn bc6_halves(block: &[u8; 16], [x, y]: [u32; 2], signed: bool) -> [u16; 3] {
    let texel = 4 * (y & 3) + (x & 3);
    let bits = Bits::of(block);
    let (number, first) = match bits.get(0, 2) {
        n @ 0..=1 => (n, 2),
        _ => (bits.get(0, 5), 5),
    };
    let Some(mode) = BC6_MODES.iter().find(|m| u32::from(m.number) == number) else { return [0; 3] };
    let (mut ends, after) = bc6_fields(bits, mode, first);
    let endpoint = u32::from(mode.endpoint);
    let count = if mode.two { 4 } else { 2 };
    let [base, others @ ..] = &mut ends;
    for (c, base) in base.iter_mut().enumerate() {
        if signed {
            *base = sign_extend(*base, endpoint);
        }
        for end in others.iter_mut().take(count - 1) {
            let value = &mut end[c];
            if mode.transformed {
                let delta = sign_extend(*value, u32::from(mode.delta[c]));
                *value = (*base + delta) & ((1 << endpoint) - 1);
            }
            if signed {
                *value = sign_extend(*value, endpoint);
            }
        }
    }
    let (pattern, start, width) = if mode.two { (bits.get(after, 5) as usize, after + 5, 3) } else { (0, after, 4) };
    let (subset, anchors) = partition(if mode.two { 2 } else { 1 }, pattern, texel);
    let w = weight(width, index(bits, start, width, texel, anchors));
    std::array::from_fn(|c| {
        let [a, b] = [2 * subset, 2 * subset + 1].map(|i| unquantize(ends[i][c], endpoint, signed));
        let v = interpolate(a, b, w);
        match (signed, v < 0) {
            (false, _) => ((v * 31) >> 6) as u16,
            (true, false) => ((v * 31) >> 5) as u16,
            (true, true) => ((-v * 31) >> 5) as u16 | 0x8000,
        }
    })
}

/// A texel of BC6H.
pub fn bc6(block: &[u8; 16], at: [u32; 2], signed: bool) -> [f32; 4] {
    let [r, g, b] = bc6_halves(block, at, signed).map(|h| f16::from_bits(h).to_f32());
    [r, g, b, 1.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_agree_with_each_other() {
        for i in 0..64 {
            assert_eq!(partition(2, i, 0).0, 0);
            assert_eq!(partition(2, i, u32::from(ANCHOR_2[i])).0, 1);
            assert_eq!(partition(3, i, 0).0, 0);
            assert_eq!(partition(3, i, u32::from(ANCHOR_3_2[i])).0, 1);
            assert_eq!(partition(3, i, u32::from(ANCHOR_3_3[i])).0, 2);
        }
        for Bc7Mode(subsets, pb, rb, isb, cb, ab, own, shared, ib, ib2) in BC7_MODES {
            let low = if own {
                2 * subsets
            } else if shared {
                2
            } else {
                0
            };
            let indices = 16 * ib - subsets + if ib2 != 0 { 16 * ib2 - 1 } else { 0 };
            let number =
                BC7_MODES.iter().position(|m| m.0 == subsets && m.4 == cb && m.5 == ab && m.1 == pb).unwrap() as u32;
            assert_eq!(number + 1 + pb + rb + isb + subsets * 2 * (3 * cb + ab) + low + indices, 128);
        }
        for mode in &BC6_MODES {
            let first = if mode.number < 2 { 2 } else { 5 };
            let (ends, after) = bc6_fields(Bits(u128::MAX), mode, first);
            assert_eq!(after + if mode.two { 5 + 46 } else { 63 }, 128, "mode {}", mode.number);
            for (c, delta) in mode.delta.iter().enumerate() {
                assert_eq!(ends[0][c], (1 << mode.endpoint) - 1, "mode {}", mode.number);
                let others = if mode.transformed { *delta } else { mode.endpoint };
                assert_eq!(ends[1][c], (1 << others) - 1, "mode {}", mode.number);
            }
        }
    }

    #[test]
    fn bc7_mode_6() {
        // Mode 6: endpoints (0, 64, 127, 127) and (127, 64, 0, 127) with low bits 0 and 1, all indices 15 but the first (7).
        let mut v = 1u128 << 6;
        let mut at = 7;
        for pair in [(0u128, 127u128), (64, 64), (127, 0), (127, 127)] {
            v |= pair.0 << at | pair.1 << (at + 7);
            at += 14;
        }
        v |= 1 << 64 | ((1u128 << 63) - 1) << 65;
        let b = v.to_le_bytes();
        assert_eq!(bc7_bytes(&b, [1, 0]), [255, 129, 1, 255]);
        // Weight 30 of 64.
        assert_eq!(bc7_bytes(&b, [0, 0]), [120, 128, 135, 254]);
        assert_eq!(bc7_bytes(&[0; 16], [0, 0]), [0; 4]);
    }

    #[test]
    fn bc6_single_subset() {
        // Mode 3: ten bits per component, no differences.
        let mut v = 3u128;
        let mut at = 5;
        for end in [[0u128, 512, 1023], [1023, 512, 0]] {
            for c in end {
                v |= c << at;
                at += 10;
            }
        }
        // The second texel has index 15, others 0.
        v |= 15 << (65 + 3);
        let b = v.to_le_bytes();
        let half = ((512 << 15) + 0x4000) >> 9;
        assert_eq!(bc6_halves(&b, [0, 0], false), [0, ((half * 31) >> 6) as u16, 0x7bff]);
        assert_eq!(bc6_halves(&b, [1, 0], false), [0x7bff, ((half * 31) >> 6) as u16, 0]);
        // Signed: 512 is the most negative number, 1023 is −1.
        assert_eq!(bc6_halves(&b, [0, 0], true)[1], 0xfbff);
        assert_eq!(bc6_halves(&(19u128.to_le_bytes()), [0, 0], false), [0; 3]);
    }
}
