//! ETC2 and EAC ("ETC2 Compressed Texture Image Formats"). Blocks are big-endian numbers.

/// Brightness modifiers, small and large.
const INTENSITY: [[i32; 2]; 8] = [[2, 8], [5, 17], [9, 29], [13, 42], [18, 60], [24, 80], [33, 106], [47, 183]];

/// Distances of the T and H modes.
const DISTANCE: [i32; 8] = [3, 6, 11, 16, 23, 32, 41, 64];

/// Modifiers of EAC: the negative ones; the positive ones are one less than their opposite.
const EAC: [[i32; 4]; 16] = [
    [-3, -6, -9, -15],
    [-3, -7, -10, -13],
    [-2, -5, -8, -13],
    [-2, -4, -6, -13],
    [-3, -6, -8, -12],
    [-3, -7, -9, -11],
    [-4, -7, -8, -11],
    [-3, -5, -8, -11],
    [-2, -6, -8, -10],
    [-2, -5, -8, -10],
    [-2, -4, -8, -10],
    [-2, -5, -7, -10],
    [-3, -4, -7, -10],
    [-1, -2, -3, -10],
    [-4, -6, -8, -9],
    [-3, -5, -7, -9],
];

fn word(block: &[u8; 16], first: usize) -> u64 {
    block[first & 8..].iter().take(8).fold(0, |v, b| v << 8 | u64::from(*b))
}

fn get(word: u64, first: u32, count: u32) -> i32 {
    (word >> first & ((1 << count) - 1)) as i32
}

fn signed(word: u64, first: u32, count: u32) -> i32 {
    get(word, first, count) << (32 - count) >> (32 - count)
}

fn spread(value: i32, bits: u32) -> i32 {
    value << (8 - bits) | value >> (2 * bits - 8)
}

fn add(c: [i32; 3], d: i32) -> [i32; 3] {
    c.map(|v| (v + d).clamp(0, 255))
}

fn planar(w: u64, x: i32, y: i32) -> [i32; 3] {
    let o =
        [get(w, 57, 6), get(w, 56, 1) << 6 | get(w, 49, 6), get(w, 48, 1) << 5 | get(w, 43, 2) << 3 | get(w, 39, 3)];
    let h = [get(w, 34, 5) << 1 | get(w, 32, 1), get(w, 25, 7), get(w, 19, 6)];
    let v = [get(w, 13, 6), get(w, 6, 7), get(w, 0, 6)];
    std::array::from_fn(|c| {
        let [o, h, v] = [o[c], h[c], v[c]].map(|v| spread(v, if c == 1 { 7 } else { 6 }));
        ((x * (h - o) + y * (v - o) + 4 * o + 2) >> 2).clamp(0, 255)
    })
}

/// The colour of a texel in eight bits, in the half of the block from byte `first` on; `None` for the transparent texels of
/// formats with one-bit alpha.
fn rgb8(block: &[u8; 16], [x, y]: [u32; 2], first: usize, one_bit_alpha: bool) -> Option<[i32; 3]> {
    let w = word(block, first);
    let (x, y) = (x & 3, y & 3);
    let pixel = x * 4 + y;
    let index = get(w, 16 + pixel, 1) << 1 | get(w, pixel, 1);
    let flag = get(w, 33, 1) != 0;
    // With one-bit alpha the flag says that every texel is opaque, and colours are always differential.
    let differential = flag || one_bit_alpha;
    let holes = one_bit_alpha && !flag;
    let subblock = if get(w, 32, 1) != 0 { y >= 2 } else { x >= 2 };
    let base = if differential {
        let first: [i32; 3] = std::array::from_fn(|c| get(w, 59 - 8 * c as u32, 5));
        let delta: [i32; 3] = std::array::from_fn(|c| signed(w, 56 - 8 * c as u32, 3));
        let second: [i32; 3] = std::array::from_fn(|c| first[c] + delta[c]);
        let outside = |c: usize| !(0..32).contains(&second[c]);
        if outside(0) {
            let a = [get(w, 59, 2) << 2 | get(w, 56, 2), get(w, 52, 4), get(w, 48, 4)].map(|v| v * 17);
            let b = [get(w, 44, 4), get(w, 40, 4), get(w, 36, 4)].map(|v| v * 17);
            let d = DISTANCE[(get(w, 34, 2) << 1 | get(w, 32, 1)) as usize];
            return match index {
                0 => Some(a),
                1 => Some(add(b, d)),
                2 if holes => None,
                2 => Some(b),
                _ => Some(add(b, -d)),
            };
        }
        if outside(1) {
            let a = [get(w, 59, 4), get(w, 56, 3) << 1 | get(w, 52, 1), get(w, 51, 1) << 3 | get(w, 47, 3)];
            let b = [get(w, 43, 4), get(w, 39, 4), get(w, 35, 4)];
            let order = |c: [i32; 3]| c[0] << 8 | c[1] << 4 | c[2];
            let d = get(w, 34, 1) << 2 | get(w, 32, 1) << 1 | i32::from(order(a) >= order(b));
            let d = DISTANCE[d as usize];
            let (a, b) = (a.map(|v| v * 17), b.map(|v| v * 17));
            return match index {
                0 => Some(add(a, d)),
                1 => Some(add(a, -d)),
                2 if holes => None,
                2 => Some(add(b, d)),
                _ => Some(add(b, -d)),
            };
        }
        if outside(2) {
            return Some(planar(w, x as i32, y as i32));
        }
        if subblock { second } else { first }.map(|v| spread(v, 5))
    } else {
        let shift = if subblock { 56 } else { 60 };
        std::array::from_fn(|c| get(w, shift - 8 * c as u32, 4) * 17)
    };
    let table = INTENSITY[get(w, if subblock { 34 } else { 37 }, 3) as usize];
    match (index, holes) {
        (0, true) => Some(base),
        (2, true) => None,
        (0, false) => Some(add(base, table[0])),
        (1, _) => Some(add(base, table[1])),
        (2, false) => Some(add(base, -table[0])),
        _ => Some(add(base, -table[1])),
    }
}

/// The colour of a texel; the colour part of the block begins at byte `first`.
pub fn color(block: &[u8; 16], at: [u32; 2], first: usize, one_bit_alpha: bool) -> [f32; 4] {
    match rgb8(block, at, first, one_bit_alpha) {
        Some(c) => {
            let [r, g, b] = c.map(|v| v as f32 / 255.0);
            [r, g, b, 1.0]
        }
        None => [0.0; 4],
    }
}

/// Base, multiplier and modifier of a texel of EAC.
fn eac(block: &[u8; 16], [x, y]: [u32; 2], first: usize) -> (u8, i32, i32) {
    let w = word(block, first);
    let index = get(w, 45 - 3 * ((x & 3) * 4 + (y & 3)), 3) as usize;
    let row = EAC[get(w, 48, 4) as usize];
    let modifier = if index < 4 { row[index] } else { -row[index - 4] - 1 };
    (get(w, 56, 8) as u8, get(w, 52, 4), modifier)
}

/// The alpha of ETC2 with eight bits of it.
pub fn alpha8(block: &[u8; 16], at: [u32; 2]) -> f32 {
    let (base, multiplier, modifier) = eac(block, at, 0);
    (i32::from(base) + modifier * multiplier).clamp(0, 255) as f32 / 255.0
}

/// A component of R11 and RG11, from byte `first` on.
pub fn r11(block: &[u8; 16], at: [u32; 2], first: usize, signed: bool) -> f32 {
    let (base, multiplier, modifier) = eac(block, at, first);
    let step = if multiplier == 0 { modifier } else { modifier * multiplier * 8 };
    if signed {
        let base = i32::from(base as i8).max(-127);
        (base * 8 + step).clamp(-1023, 1023) as f32 / 1023.0
    } else {
        (i32::from(base) * 8 + 4 + step).clamp(0, 2047) as f32 / 2047.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(first: u64, second: u64) -> [u8; 16] {
        (u128::from(first) << 64 | u128::from(second)).to_be_bytes()
    }

    #[test]
    fn individual_and_differential() {
        // Individual: colours 0x8 and 0xf for red, tables 0 and 1, side by side.
        let w = 0x8f00_0000_0000_0000 | 1 << 34;
        let b = block(w, 0);
        assert_eq!(rgb8(&b, [0, 0], 0, false), Some([138, 2, 2]));
        assert_eq!(rgb8(&b, [2, 0], 0, false), Some([255, 5, 5]));
        // Index 3 of the texel in column 0, row 1: minus the large modifier.
        let b = block(w | 1 << 17 | 1 << 1, 0);
        assert_eq!(rgb8(&b, [0, 1], 0, false), Some([128, 0, 0]));
        // Differential: red 16, and 15 in the second half, which is below.
        let b = block(16 << 59 | 7 << 56 | 1 << 33 | 1 << 32, 0);
        assert_eq!(rgb8(&b, [3, 0], 0, false), Some([134, 2, 2]));
        assert_eq!(rgb8(&b, [0, 2], 0, false), Some([125, 2, 2]));
        // One-bit alpha, not opaque: index 0 has no modifier, index 2 is a hole.
        let b = block(16 << 59 | 1 << 16, 0);
        assert_eq!(rgb8(&b, [1, 1], 0, true), Some([132, 0, 0]));
        assert_eq!(rgb8(&b, [0, 0], 0, true), None);
        assert_eq!(color(&b, [0, 0], 0, true), [0.0; 4]);
    }

    #[test]
    fn t_h_and_planar() {
        // T: red 0 + −4 does not fit; distance 0; red of the first colour is 0 << 2 | 0.
        let t = 4 << 56 | 0xf << 52 | 1 << 33 | 0x8 << 44;
        let b = block(t, 0);
        assert_eq!(rgb8(&b, [0, 0], 0, false), Some([0, 255, 0]));
        let b = block(t | 1, 0);
        assert_eq!(rgb8(&b, [0, 0], 0, false), Some([139, 3, 3]));
        // H: green 0 + −4 does not fit. First colour (0, 0, 0), second (0, 15, 15); the first is less: distance 0.
        let h = 4 << 48 | 1 << 33 | 0xf << 39 | 0xf << 35;
        let b = block(h, 0);
        assert_eq!(rgb8(&b, [0, 0], 0, false), Some([3, 3, 3]));
        let b = block(h | 1 << 16, 0);
        assert_eq!(rgb8(&b, [0, 0], 0, false), Some([3, 255, 255]));
        // Planar: blue 0 + −4 does not fit. Red rises to the right and green downwards.
        let p = 4 << 40 | 1 << 33 | 0x1f << 34 | 1 << 32 | 0x7f << 6;
        let b = block(p, 0);
        assert_eq!(rgb8(&b, [0, 0], 0, false).map(|c| (c[0], c[1])), Some((0, 0)));
        assert_eq!(rgb8(&b, [2, 0], 0, false).map(|c| (c[0], c[1])), Some((128, 0)));
        assert_eq!(rgb8(&b, [0, 3], 0, false).map(|c| (c[0], c[1])), Some((0, 191)));
    }

    #[test]
    fn eleven_bits() {
        // Base 100, multiplier 2, table 0; the first texel has index 0, the second (below) index 7.
        let w = 100 << 56 | 2 << 52 | 7 << 42;
        let b = block(w, 0);
        assert_eq!(alpha8(&b, [0, 0]), 94.0 / 255.0);
        assert_eq!(alpha8(&b, [0, 1]), 128.0 / 255.0);
        assert_eq!(r11(&b, [0, 0], 0, false), (804.0 - 48.0) / 2047.0);
        assert_eq!(r11(&b, [0, 1], 0, true), 1023.0 / 1023.0);
        let b = block(0, 0x80 << 56);
        assert_eq!(r11(&b, [0, 0], 8, true), -(127.0 * 8.0 + 3.0) / 1023.0);
    }
}
