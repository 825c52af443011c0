//! ASTC, LDR profile ("ASTC Compressed Texture Image Formats").

use super::astc_sequence::{Range, COLOR_RANGES};
use super::bits::Bits;

/// Magenta: what texels of blocks with an illegal encoding, or with HDR colours, are.
const ERROR: [u16; 4] = [0xffff, 0, 0xffff, 0xffff];

/// The grid of weights of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grid {
    width: u32,
    height: u32,
    range: Range,
    dual: bool,
}

impl Grid {
    /// Of the block mode; `None` for reserved ones.
    fn of(bits: Bits, [bw, bh]: [u8; 2]) -> Option<Grid> {
        let field = |first, count| bits.get(first, count);
        let (mut dual, mut precise) = (field(10, 1) != 0, field(9, 1) != 0);
        let (rho, width, height);
        if field(0, 2) != 0 {
            rho = field(4, 1) | field(0, 2) << 1;
            let (a, b) = (field(5, 2), field(7, 2));
            (width, height) = match field(2, 2) {
                0 => (b + 4, a + 2),
                1 => (b + 8, a + 2),
                2 => (a + 2, b + 8),
                _ if b & 2 == 0 => (a + 2, (b & 1) + 6),
                _ => ((b & 1) + 2, a + 2),
            };
        } else {
            rho = field(4, 1) | field(2, 2) << 1;
            let a = field(5, 2);
            (width, height) = match field(7, 2) {
                0 => (12, a + 2),
                1 => (a + 2, 12),
                2 => {
                    (dual, precise) = (false, false);
                    (a + 6, field(9, 2) + 6)
                }
                _ => match a {
                    0 => (6, 10),
                    1 => (10, 6),
                    _ => return None,
                },
            };
        }
        let range = Range::of_weights(rho, precise)?;
        let grid = Grid { width, height, range, dual };
        let bits = range.bits(grid.count());
        let fits = width <= bw.into() && height <= bh.into();
        (fits && grid.count() <= 64 && (24..=96).contains(&bits)).then_some(grid)
    }

    /// Weights of both planes.
    fn count(&self) -> u32 {
        self.width * self.height * if self.dual { 2 } else { 1 }
    }

    /// The weight of a texel in a plane, 0 to 64. `reversed` holds the block's bits in opposite order.
    fn weight(&self, reversed: Bits, [x, y]: [u32; 2], [bw, bh]: [u8; 2], plane: u32) -> u32 {
        let scale = |at: u32, size: u8, grid: u32| {
            let size = u32::from(size);
            let d = (1024 + size / 2) / (size - 1).max(1);
            (d * at * (grid - 1) + 32) >> 6
        };
        let (gs, gt) = (scale(x, bw, self.width), scale(y, bh, self.height));
        let (fs, ft) = (gs & 15, gt & 15);
        let first = (gs >> 4) + (gt >> 4) * self.width;
        let w11 = (fs * ft + 8) >> 4;
        let corners = [
            (first, 16 + w11 - fs - ft),
            (first + 1, fs - w11),
            (first + self.width, ft - w11),
            (first + self.width + 1, w11),
        ];
        let stored = |n: u32| {
            let index = if self.dual { 2 * n + plane } else { n };
            self.range.weight(self.range.value(reversed, 0, index, self.count()))
        };
        let sum: u32 = corners.iter().filter(|(_, w)| *w != 0).map(|(n, w)| stored(*n) * w).sum();
        (sum + 8) >> 4
    }
}

fn hash52(mut p: u32) -> u32 {
    p ^= p >> 15;
    p = p.wrapping_sub(p << 17);
    p = p.wrapping_add(p << 7);
    p = p.wrapping_add(p << 4);
    p ^= p >> 5;
    p = p.wrapping_add(p << 16);
    p ^= p >> 7;
    p ^= p >> 3;
    p ^= p << 6;
    p ^ (p >> 17)
}

/// The partition of a texel.
fn partition(seed: u32, [mut x, mut y]: [u32; 2], count: u32, small: bool) -> u32 {
    if small {
        x <<= 1;
        y <<= 1;
    }
    let seed = seed + (count - 1) * 1024;
    let rnum = hash52(seed);
    let square = |shift: u32| {
        let v = rnum >> shift & 15;
        v * v
    };
    let wide = if count == 3 { 6 } else { 5 };
    let narrow = if seed & 2 != 0 { 4 } else { 5 };
    let (sh1, sh2) = if seed & 1 != 0 { (narrow, wide) } else { (wide, narrow) };
    let line = |s1: u32, s2: u32, shift: u32| {
        ((square(s1) >> sh1) * x + (square(s2) >> sh2) * y).wrapping_add(rnum >> shift) & 63
    };
    let a = line(0, 4, 14);
    let b = line(8, 12, 10);
    let c = if count < 3 { 0 } else { line(16, 20, 6) };
    let d = if count < 4 { 0 } else { line(24, 28, 2) };
    if a >= b && a >= c && a >= d {
        0
    } else if b >= c && b >= d {
        1
    } else if c >= d {
        2
    } else {
        3
    }
}

fn transfer(a: &mut i32, b: &mut i32) {
    *b = *b >> 1 | *a & 0x80;
    *a = *a >> 1 & 0x3f;
    if *a & 0x20 != 0 {
        *a -= 0x40;
    }
}

fn contract([r, g, b, a]: [i32; 4]) -> [i32; 4] {
    [(r + b) >> 1, (g + b) >> 1, b, a]
}

/// The two colours that the values of an endpoint mode stand for; `None` for HDR modes.
fn endpoints(mode: u32, values: [i32; 8]) -> Option<[[i32; 4]; 2]> {
    let [mut v0, mut v1, mut v2, mut v3, mut v4, mut v5, mut v6, mut v7] = values;
    let clamp = |c: [i32; 4]| c.map(|v| v.clamp(0, 255));
    let direct = |v6: i32, v7: i32| {
        if v1 + v3 + v5 >= v0 + v2 + v4 {
            [[v0, v2, v4, v6], [v1, v3, v5, v7]]
        } else {
            [contract([v1, v3, v5, v7]), contract([v0, v2, v4, v6])]
        }
    };
    Some(match mode {
        0 => [[v0, v0, v0, 255], [v1, v1, v1, 255]],
        1 => {
            let l0 = v0 >> 2 | v1 & 0xc0;
            let l1 = (l0 + (v1 & 0x3f)).min(255);
            [[l0, l0, l0, 255], [l1, l1, l1, 255]]
        }
        4 => [[v0, v0, v0, v2], [v1, v1, v1, v3]],
        5 => {
            transfer(&mut v1, &mut v0);
            transfer(&mut v3, &mut v2);
            [clamp([v0, v0, v0, v2]), clamp([v0 + v1, v0 + v1, v0 + v1, v2 + v3])]
        }
        6 => [[(v0 * v3) >> 8, (v1 * v3) >> 8, (v2 * v3) >> 8, 255], [v0, v1, v2, 255]],
        8 => direct(255, 255),
        10 => [[(v0 * v3) >> 8, (v1 * v3) >> 8, (v2 * v3) >> 8, v4], [v0, v1, v2, v5]],
        12 => direct(v6, v7),
        9 | 13 => {
            transfer(&mut v1, &mut v0);
            transfer(&mut v3, &mut v2);
            transfer(&mut v5, &mut v4);
            if mode == 13 {
                transfer(&mut v7, &mut v6);
            } else {
                (v6, v7) = (255, 0);
            }
            let base = [v0, v2, v4, v6];
            let sum = [v0 + v1, v2 + v3, v4 + v5, v6 + v7];
            if v1 + v3 + v5 >= 0 {
                [clamp(base), clamp(sum)]
            } else {
                [clamp(contract(sum)), clamp(contract(base))]
            }
        }
        _ => return None,
    })
}

/// A block of one colour. Its extent is not made use of.
fn void_extent(bits: Bits) -> [u16; 4] {
    let coords: [u32; 4] = std::array::from_fn(|i| bits.get(12 + 13 * i as u32, 13));
    let none = coords == [0x1fff; 4];
    let ordered = coords[0] < coords[1] && coords[2] < coords[3];
    // Bit 9 says that the colour is HDR.
    if bits.get(9, 1) != 0 || bits.get(10, 2) != 3 || !(none || ordered) {
        return ERROR;
    }
    std::array::from_fn(|i| bits.get(64 + 16 * i as u32, 16) as u16)
}

/// A texel as four 16-bit fractions of 65535. For sRGB formats only the upper eight bits count.
fn unorm16(block: &[u8; 16], at: [u32; 2], size: [u8; 2], srgb: bool) -> [u16; 4] {
    let bits = Bits::of(block);
    if bits.get(0, 9) == 0x1fc {
        return void_extent(bits);
    }
    let Some(grid) = Grid::of(bits, size) else { return ERROR };
    let parts = bits.get(11, 2) + 1;
    if grid.dual && parts == 4 {
        return ERROR;
    }
    let weight_bits = grid.range.bits(grid.count());
    // The bits of the mode that stand below the weights.
    let mut top = 128 - weight_bits;
    let (modes, first): ([u32; 4], u32);
    if parts == 1 {
        (modes, first) = ([bits.get(13, 4); 4], 17);
    } else {
        let selector = bits.get(23, 2);
        if selector == 0 {
            (modes, first) = ([bits.get(25, 4); 4], 29);
        } else {
            let extra = 3 * parts - 4;
            top -= extra;
            let all = bits.get(25, 4) | bits.get(top, extra) << 4;
            let mode = |i: u32| {
                let class = selector - 1 + (all >> i & 1);
                class << 2 | (all >> (parts + 2 * i) & 3)
            };
            modes = std::array::from_fn(|i| if (i as u32) < parts { mode(i as u32) } else { 0 });
            first = 29;
        }
    }
    let selector_bits = if grid.dual { 2 } else { 0 };
    let Some(top) = top.checked_sub(selector_bits) else { return ERROR };
    let component = bits.get(top, selector_bits) as usize;
    let values = |mode: u32| (mode >> 2) * 2 + 2;
    let total: u32 = modes[..parts as usize].iter().map(|m| values(*m)).sum();
    let Some(room) = top.checked_sub(first) else { return ERROR };
    if total > 18 || room < (13 * total).div_ceil(5) {
        return ERROR;
    }
    let Some(range) = COLOR_RANGES.iter().find(|r| r.bits(total) <= room) else { return ERROR };
    let small = u32::from(size[0]) * u32::from(size[1]) < 31;
    let part = if parts == 1 { 0 } else { partition(bits.get(13, 10), at, parts, small) as usize };
    let before: u32 = modes[..part].iter().map(|m| values(*m)).sum();
    let mode = modes[part];
    let stored: [i32; 8] = std::array::from_fn(|i| {
        let i = i as u32;
        if i < values(mode) {
            range.color(range.value(bits, first, before + i, total)) as i32
        } else {
            0
        }
    });
    let Some([e0, e1]) = endpoints(mode, stored) else { return ERROR };
    let reversed = Bits(bits.0.reverse_bits());
    let plane = |p| grid.weight(reversed, at, size, p);
    let w0 = plane(0);
    let w1 = if grid.dual { plane(1) } else { w0 };
    std::array::from_fn(|c| {
        let w = if grid.dual && c == component { w1 } else { w0 };
        let wide = |v: i32| (v as u32) << 8 | if srgb { 0x80 } else { v as u32 };
        ((wide(e0[c]) * (64 - w) + wide(e1[c]) * w + 32) / 64) as u16
    })
}

/// A texel of a block of this size. `srgb`: the format's colours are encoded; what they stand for is left to the caller. `eight`:
/// decode to eight bits.
pub fn texel(block: &[u8; 16], at: [u32; 2], size: [u8; 2], srgb: bool, eight: bool) -> [f32; 4] {
    unorm16(block, at, size, srgb).map(|c| {
        if srgb || eight {
            f32::from(c >> 8) / 255.0
        } else if c == 0xffff {
            1.0
        } else {
            truncate_to_half(c)
        }
    })
}

/// c / 65536 in binary16, rounded towards zero.
fn truncate_to_half(c: u16) -> f32 {
    if c == 0 {
        return 0.0;
    }
    // Eleven significant bits, and none below 2⁻²⁴, which c / 65536 does not reach.
    let drop = (16 - c.leading_zeros()).saturating_sub(11);
    f32::from(c >> drop << drop) / 65536.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGENTA: [f32; 4] = [1.0, 0.0, 1.0, 1.0];

    fn put(v: &mut u128, first: u32, value: u128) {
        *v |= value << first;
    }

    #[test]
    fn one_color_and_errors() {
        let mut v = 0u128;
        put(&mut v, 0, 0xdfc);
        put(&mut v, 12, (1 << 52) - 1);
        put(&mut v, 64, 0xffff_8000_4000_1234);
        let b = v.to_le_bytes();
        let half = f32::from(0x1234u16 & 0xfffe) / 65536.0;
        assert_eq!(texel(&b, [0, 0], [4, 4], false, false), [half, 0.25, 0.5, 1.0]);
        assert_eq!(texel(&b, [0, 0], [4, 4], false, true)[1], 64.0 / 255.0);
        // Reserved mode, HDR colour, extent without order.
        assert_eq!(texel(&[0; 16], [0, 0], [4, 4], false, false), MAGENTA);
        assert_eq!(texel(&(v | 1 << 9).to_le_bytes(), [0, 0], [4, 4], false, false), MAGENTA);
        assert_eq!(texel(&(v & !(0x1fff << 25)).to_le_bytes(), [0, 0], [4, 4], false, false), MAGENTA);
    }

    /// One partition, luminance from 0 to 255, a 4 × 4 grid of two-bit weights that counts 0, 1, 2, 3 in every row.
    fn ramp() -> u128 {
        let mut v = 0u128;
        // Width 4 (0 + 4), height 4 (2 + 2), range 0..3 (ρ = 100).
        put(&mut v, 0, 0b10);
        put(&mut v, 5, 2);
        put(&mut v, 25, 0);
        put(&mut v, 17 + 8, 0xff);
        for n in 0..16u32 {
            let w = u128::from(n % 4);
            // Bit n of the stream is bit 127 − n of the block.
            put(&mut v, 127 - 2 * n, w & 1);
            put(&mut v, 126 - 2 * n, w >> 1);
        }
        v
    }

    #[test]
    fn weights_and_endpoints() {
        let b = ramp().to_le_bytes();
        let row = |y| [0, 1, 2, 3].map(|x| unorm16(&b, [x, y], [4, 4], false)[0]);
        let at = |w: u32| ((65535 * w + 32) / 64) as u16;
        assert_eq!(row(0), [0, at(21), at(43), 65535]);
        assert_eq!(row(3), row(0));
        assert_eq!(unorm16(&b, [1, 0], [4, 4], false)[3], 65535);
        // In a larger block the grid is stretched: the middle of seven... lies between weights.
        let wide = [0, 4, 7].map(|x| unorm16(&b, [x, 0], [8, 8], false)[0]);
        assert_eq!((wide[0], wide[2]), (0, 65535));
        assert!(wide[1] > at(21) && wide[1] < at(43));
        // sRGB endpoints are widened with a half.
        assert_eq!(unorm16(&b, [0, 0], [4, 4], true)[0], 0x80);
    }

    #[test]
    fn endpoint_modes() {
        let v = [10, 200, 20, 100, 30, 50, 40, 60];
        assert_eq!(endpoints(0, v), Some([[10, 10, 10, 255], [200, 200, 200, 255]]));
        assert_eq!(endpoints(1, v), Some([[2 | 0xc0, 2 | 0xc0, 2 | 0xc0, 255], [202, 202, 202, 255]]));
        assert_eq!(endpoints(6, v), Some([[3, 78, 7, 255], [10, 200, 20, 255]]));
        assert_eq!(endpoints(12, v), Some([[10, 20, 30, 40], [200, 100, 50, 60]]));
        let less = [200, 10, 100, 20, 50, 30, 60, 40];
        assert_eq!(endpoints(8, less), Some([[20, 25, 30, 255], [125, 75, 50, 255]]));
        // Offsets: 0x81 and 5 become 5 >> 1 | 0x80 and 0.
        assert_eq!(endpoints(9, [5, 0x81, 5, 2, 5, 2, 0, 0]), Some([[130, 2, 2, 255], [130, 3, 3, 255]]));
        // A negative sum turns the endpoints round.
        assert_eq!(endpoints(9, [8, 0x40, 8, 0, 8, 0, 0, 0]), Some([[0, 4, 4, 255], [4, 4, 4, 255]]));
        assert_eq!(endpoints(11, v), None);
    }

    #[test]
    fn partitions_cover_every_texel() {
        for count in 2..=4 {
            let seen = (0..1024).fold([0u32; 4], |mut seen, seed| {
                for i in 0..36 {
                    seen[partition(seed, [i % 6, i / 6], count, false) as usize] += 1;
                }
                seen
            });
            assert!(seen[..count as usize].iter().all(|n| *n > 3000), "{seen:?}");
            assert!(seen[count as usize..].iter().all(|n| *n == 0));
        }
    }
}
