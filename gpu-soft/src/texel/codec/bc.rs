//! BC1 to BC5 ("S3TC Compressed Texture Image Formats", "RGTC Compressed Texture Image Formats").

use super::bits::Bits;

/// How the colour of a block stands in BC1 to BC3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// BC1: the order of the endpoints chooses between four and three colours; then the fourth is opaque black.
    Opaque,
    /// BC1: as before, but transparent black.
    Transparent,
    /// BC2 and BC3: four colours always.
    Four,
}

fn rgb565(raw: u32) -> [f32; 3] {
    [(raw >> 11) as f32 / 31.0, (raw >> 5 & 63) as f32 / 63.0, (raw & 31) as f32 / 31.0]
}

/// The colour of a texel; `first` is the bit at which the colour part of the block begins.
pub fn color(block: &[u8; 16], [x, y]: [u32; 2], first: u32, kind: Color) -> [f32; 4] {
    let bits = Bits::of(block);
    let (raw0, raw1) = (bits.get(first, 16), bits.get(first + 16, 16));
    let (c0, c1) = (rgb565(raw0), rgb565(raw1));
    let code = bits.get(first + 32 + 2 * (4 * (y & 3) + (x & 3)), 2);
    let blend = |a: f32, b: f32, whole: f32| -> [f32; 4] {
        let [r, g, b] = std::array::from_fn(|i| (a * c0[i] + b * c1[i]) / whole);
        [r, g, b, 1.0]
    };
    let four = kind == Color::Four || raw0 > raw1;
    match (code, four) {
        (0, _) => blend(1.0, 0.0, 1.0),
        (1, _) => blend(0.0, 1.0, 1.0),
        (2, true) => blend(2.0, 1.0, 3.0),
        (_, true) => blend(1.0, 2.0, 3.0),
        (2, false) => blend(1.0, 1.0, 2.0),
        (_, false) => [0.0, 0.0, 0.0, if kind == Color::Transparent { 0.0 } else { 1.0 }],
    }
}

/// The explicit alpha of BC2.
pub fn alpha4(block: &[u8; 16], [x, y]: [u32; 2]) -> f32 {
    Bits::of(block).get(4 * (4 * (y & 3) + (x & 3)), 4) as f32 / 15.0
}

/// A component of BC3 (alpha), BC4 and BC5 whose part of the block begins at bit `first`.
pub fn component(block: &[u8; 16], [x, y]: [u32; 2], first: u32, signed: bool) -> f32 {
    let bits = Bits::of(block);
    let (raw0, raw1) = (bits.get(first, 8) as u8, bits.get(first + 8, 8) as u8);
    let value = |raw: u8| {
        if signed {
            (f32::from(raw as i8) / 127.0).max(-1.0)
        } else {
            f32::from(raw) / 255.0
        }
    };
    let more = if signed { raw0 as i8 > raw1 as i8 } else { raw0 > raw1 };
    let (c0, c1) = (value(raw0), value(raw1));
    let code = bits.get(first + 16 + 3 * (4 * (y & 3) + (x & 3)), 3);
    let steps = if more { 7 } else { 5 };
    match code {
        0 => c0,
        1 => c1,
        6 if !more => {
            if signed {
                -1.0
            } else {
                0.0
            }
        }
        7 if !more => 1.0,
        _ => {
            let n = code - 1;
            ((steps - n) as f32 * c0 + n as f32 * c1) / steps as f32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(bytes: &[u8]) -> [u8; 16] {
        let mut out = [0; 16];
        out[..bytes.len()].copy_from_slice(bytes);
        out
    }

    #[test]
    fn four_and_three_colors() {
        // Red and blue; codes 0, 1, 2, 3 in the first row.
        let b = block(&[0x00, 0xf8, 0x1f, 0x00, 0b1110_0100, 0, 0, 0]);
        let row = |b: &[u8; 16], kind| [0, 1, 2, 3].map(|x| color(b, [x, 0], 0, kind));
        let red = [1.0, 0.0, 0.0, 1.0];
        let blue = [0.0, 0.0, 1.0, 1.0];
        let (third, two) = (1.0 / 3.0, 2.0 / 3.0);
        assert_eq!(row(&b, Color::Opaque), [red, blue, [two, 0.0, third, 1.0], [third, 0.0, two, 1.0]]);
        let b = block(&[0x1f, 0x00, 0x00, 0xf8, 0b1110_0100, 0, 0, 0]);
        assert_eq!(row(&b, Color::Transparent), [blue, red, [0.5, 0.0, 0.5, 1.0], [0.0; 4]]);
        assert_eq!(row(&b, Color::Opaque)[3], [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(row(&b, Color::Four)[3], [two, 0.0, third, 1.0]);
    }

    #[test]
    fn components() {
        // 255 and 0, codes 0 … 7 in the first two rows: 0b111_110_101_100_011_010_001_000.
        let codes = [0x88, 0xc6, 0xfa];
        let b = block(&[255, 0, codes[0], codes[1], codes[2]]);
        let at = |b: &[u8; 16], i: u32, signed| component(b, [i % 4, i / 4], 0, signed);
        assert_eq!([0, 1].map(|i| at(&b, i, false)), [1.0, 0.0]);
        assert_eq!([2, 7].map(|i| (at(&b, i, false) * 7.0).round()), [6.0, 1.0]);
        let b = block(&[0, 255, codes[0], codes[1], codes[2]]);
        assert_eq!([0, 1, 6, 7].map(|i| at(&b, i, false)), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!([2, 5].map(|i| (at(&b, i, false) * 5.0).round()), [1.0, 4.0]);
        let b = block(&[0x80, 0x7f, codes[0], codes[1], codes[2]]);
        assert_eq!([0, 1, 6, 7].map(|i| at(&b, i, true)), [-1.0, 1.0, -1.0, 1.0]);
        assert_eq!(alpha4(&block(&[0xf0, 0x05]), [1, 0]), 1.0);
        assert_eq!(alpha4(&block(&[0xf0, 0x05]), [2, 0]), 1.0 / 3.0);
    }
}
