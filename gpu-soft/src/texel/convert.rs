//! Between the bytes of a texel and the four components a shader sees.

use super::codec::BlockMode;
use super::table::{Field, Format, Numeric};
use half::f16;

/// Four components. Floats stand as `f32` bits, 8- to 32-bit integers extended to 64 bits by their sign or by zeros.
pub type Texel = [u64; 4];

fn bits_of(raw: u128, field: Field) -> u64 {
    let value = (raw >> field.shift) as u64;
    if field.bits >= 64 {
        value
    } else {
        value & ((1u64 << field.bits) - 1)
    }
}

fn sign_extend(value: u64, bits: u8) -> i64 {
    let unused = 64 - u32::from(bits);
    ((value << unused) as i64) >> unused
}

pub(super) fn srgb_to_linear(c: f32) -> f32 {
    if c <= 0.04045 {
        c / 12.92
    } else {
        ((c + 0.055) / 1.055).powf(2.4)
    }
}

fn linear_to_srgb(c: f32) -> f32 {
    if c <= 0.003_130_8 {
        c * 12.92
    } else {
        1.055 * c.powf(1.0 / 2.4) - 0.055
    }
}

/// An unsigned float of 5 exponent bits and `mantissa` mantissa bits.
fn ufloat_to_f32(value: u64, mantissa: u32) -> f32 {
    // The layout is that of binary16 without the sign and with a shorter mantissa.
    f16::from_bits((value << (10 - mantissa)) as u16).to_f32()
}

/// The nearest smaller-or-equal unsigned float; negative values give 0, NaN stays NaN, too large ones the largest.
fn f32_to_ufloat(value: f32, mantissa: u32) -> u64 {
    let infinity = 0x1fu64 << mantissa;
    if value.is_nan() {
        return infinity | 1;
    }
    if value == f32::INFINITY {
        return infinity;
    }
    if value <= 0.0 {
        return 0;
    }
    let bits = value.to_bits();
    let exponent = (bits >> 23) as i32 - 127 + 15;
    let fraction = u64::from(bits & 0x7f_ffff);
    if exponent >= 31 {
        return infinity - 1;
    }
    if exponent > 0 {
        return ((exponent as u64) << mantissa) | (fraction >> (23 - mantissa));
    }
    // Denormal result: shift the full significand down.
    let shift = (23 - mantissa) as i32 + 1 - exponent;
    if shift > 40 {
        0
    } else {
        (fraction | 0x80_0000) >> shift
    }
}

fn decode_shared_exponent(raw: u128) -> Texel {
    let scale = f32::powi(2.0, (raw >> 27) as i32 - 15 - 9);
    let part = |shift: u32| u64::from(((((raw >> shift) as u32) & 0x1ff) as f32 * scale).to_bits());
    [part(0), part(9), part(18), u64::from(1f32.to_bits())]
}

/// As the specification's "RGB to Shared Exponent Conversion".
fn encode_shared_exponent(texel: &Texel) -> u128 {
    const N: i32 = 9;
    const B: i32 = 15;
    const MAX: f32 = 511.0 / 512.0 * 65536.0;
    let clamp = |bits: u64| {
        let v = f32::from_bits(bits as u32);
        if v > 0.0 {
            v.min(MAX)
        } else {
            0.0
        }
    };
    let (r, g, b) = (clamp(texel[0]), clamp(texel[1]), clamp(texel[2]));
    let max = r.max(g).max(b);
    let floor_log2 = if max > 0.0 { ((max.to_bits() >> 23) as i32 - 127).max(-B - 1) } else { -B - 1 };
    let preliminary = floor_log2 + 1 + B;
    let scaled = (max / f32::powi(2.0, preliminary - B - N) + 0.5).floor();
    let exponent = if scaled >= 512.0 { preliminary + 1 } else { preliminary };
    let part = |v: f32| ((v / f32::powi(2.0, exponent - B - N) + 0.5).floor() as u128).min(511);
    part(r) | part(g) << 9 | part(b) << 18 | (exponent as u128) << 27
}

fn decode_field(value: u64, bits: u8, numeric: Numeric, alpha: bool) -> u64 {
    let float = |v: f32| u64::from(v.to_bits());
    let max = ((1u128 << bits) - 1) as f64;
    match numeric {
        Numeric::Unorm => float((value as f64 / max) as f32),
        Numeric::Srgb => {
            let v = (value as f64 / max) as f32;
            float(if alpha { v } else { srgb_to_linear(v) })
        }
        Numeric::Snorm => {
            let max = ((1u64 << (bits - 1)) - 1) as f64;
            float((sign_extend(value, bits) as f64 / max).max(-1.0) as f32)
        }
        Numeric::Uscaled => float(value as f32),
        Numeric::Sscaled => float(sign_extend(value, bits) as f32),
        Numeric::Uint => value,
        Numeric::Sint => sign_extend(value, bits) as u64,
        Numeric::Sfloat => match bits {
            16 => float(f16::from_bits(value as u16).to_f32()),
            _ => value,
        },
        Numeric::Ufloat => float(ufloat_to_f32(value, u32::from(bits) - 5)),
        // Handled for the texel as a whole.
        Numeric::SharedExponent => 0,
    }
}

fn encode_field(value: u64, bits: u8, numeric: Numeric, alpha: bool) -> u64 {
    let float = f32::from_bits(value as u32);
    let mask = if bits >= 64 { u64::MAX } else { (1u64 << bits) - 1 };
    let max = mask as f64;
    // The conversion to an integer makes 0 of NaN.
    let unorm = |v: f32| (f64::from(v).clamp(0.0, 1.0) * max).round_ties_even() as u64;
    match numeric {
        Numeric::Unorm => unorm(float),
        Numeric::Srgb => unorm(if alpha { float } else { linear_to_srgb(float.clamp(0.0, 1.0)) }),
        Numeric::Snorm => {
            let max = ((1u64 << (bits - 1)) - 1) as f64;
            let v = if float.is_nan() { 0.0 } else { f64::from(float).clamp(-1.0, 1.0) };
            ((v * max).round_ties_even() as i64 as u64) & mask
        }
        Numeric::Uscaled => (f64::from(float).max(0.0).min(max) as u64) & mask,
        Numeric::Sscaled => {
            (f64::from(float).clamp(-((1u64 << (bits - 1)) as f64), ((1u64 << (bits - 1)) - 1) as f64) as i64 as u64)
                & mask
        }
        // Integers that do not fit are clamped, as other implementations do; the specification leaves it open.
        Numeric::Uint if bits < 32 => value.min(mask),
        Numeric::Sint if bits < 32 => {
            let limit = 1i64 << (bits - 1);
            (i64::from(value as u32 as i32).clamp(-limit, limit - 1) as u64) & mask
        }
        Numeric::Uint | Numeric::Sint => value & mask,
        Numeric::Sfloat => match bits {
            16 => u64::from(f16::from_f32(float).to_bits()),
            _ => value & mask,
        },
        Numeric::Ufloat => f32_to_ufloat(float, u32::from(bits) - 5),
        Numeric::SharedExponent => 0,
    }
}

/// The texel at a place in a block; missing components are 0, and 1 for alpha.
pub fn decode_block(format: &Format, bytes: &[u8; 16], at: [u32; 2], mode: BlockMode) -> Texel {
    match format.codec {
        Some(codec) => codec.texel(bytes, at, format, mode),
        None => decode(format, bytes),
    }
}

/// The components of a texel; missing ones are 0, and 1 for alpha.
pub fn decode(format: &Format, bytes: &[u8]) -> Texel {
    let mut raw = [0u8; 16];
    let n = bytes.len().min(16);
    raw[..n].copy_from_slice(&bytes[..n]);
    let raw = u128::from_le_bytes(raw);
    if format.numeric == Numeric::SharedExponent {
        return decode_shared_exponent(raw);
    }
    let mut texel = format.missing();
    for (i, field) in format.fields.iter().enumerate() {
        if let Some(f) = field {
            texel[i] = decode_field(bits_of(raw, *f), f.bits, format.numeric, i == 3);
        }
    }
    texel
}

/// The bytes of a texel, `format.bytes` of the sixteen; components the format lacks are dropped.
pub fn encode(format: &Format, texel: &Texel) -> [u8; 16] {
    if format.numeric == Numeric::SharedExponent {
        return encode_shared_exponent(texel).to_le_bytes();
    }
    let mut raw = 0u128;
    for (i, field) in format.fields.iter().enumerate() {
        if let Some(f) = field {
            raw |= u128::from(encode_field(texel[i], f.bits, format.numeric, i == 3)) << f.shift;
        }
    }
    raw.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;
    use ash::vk;

    fn floats(values: [f32; 4]) -> Texel {
        values.map(|v| u64::from(v.to_bits()))
    }

    fn back(format: vk::Format, bytes: &[u8]) -> [f32; 4] {
        decode(find(format).unwrap(), bytes).map(|v| f32::from_bits(v as u32))
    }

    #[test]
    fn known_texels() {
        assert_eq!(back(vk::Format::R8G8B8A8_UNORM, &[0, 255, 51, 255]), [0.0, 1.0, 0.2, 1.0]);
        assert_eq!(back(vk::Format::B8G8R8A8_UNORM, &[0, 255, 51, 255]), [0.2, 1.0, 0.0, 1.0]);
        assert_eq!(back(vk::Format::R8_SNORM, &[0x80]), [-1.0, 0.0, 0.0, 1.0]);
        assert_eq!(back(vk::Format::R16_SFLOAT, &0x3c00u16.to_le_bytes()), [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(back(vk::Format::R5G6B5_UNORM_PACK16, &0xf800u16.to_le_bytes()), [1.0, 0.0, 0.0, 1.0]);
        let e = encode(find(vk::Format::B10G11R11_UFLOAT_PACK32).unwrap(), &floats([1.0, 0.5, 2.0, 0.0]));
        assert_eq!(back(vk::Format::B10G11R11_UFLOAT_PACK32, &e[..4]), [1.0, 0.5, 2.0, 1.0]);
        let e = encode(find(vk::Format::E5B9G9R9_UFLOAT_PACK32).unwrap(), &floats([1.0, 0.5, 0.25, 0.0]));
        assert_eq!(back(vk::Format::E5B9G9R9_UFLOAT_PACK32, &e[..4]), [1.0, 0.5, 0.25, 1.0]);
    }

    #[test]
    fn every_bit_pattern_of_small_unorm_formats_survives() {
        for format in [
            vk::Format::R4G4B4A4_UNORM_PACK16,
            vk::Format::R5G6B5_UNORM_PACK16,
            vk::Format::R8G8_UNORM,
            vk::Format::R16_UNORM,
            vk::Format::R8G8_UINT,
            vk::Format::R8G8_SRGB,
        ] {
            let f = find(format).unwrap();
            for raw in 0..=u16::MAX {
                let bytes = raw.to_le_bytes();
                assert_eq!(encode(f, &decode(f, &bytes))[..2], bytes, "{format:?} {raw:#x}");
            }
        }
    }

    #[test]
    fn integers_extend_by_sign() {
        let f = find(vk::Format::R8_SINT).unwrap();
        assert_eq!(decode(f, &[0xff])[0] as i64, -1);
        assert_eq!(decode(f, &[0xff])[3], 1);
        assert_eq!(encode(f, &[0xffff_ffff_ffff_ff80, 0, 0, 0])[0], 0x80);
        assert_eq!(encode(f, &[0xffff_ff00, 0, 0, 0])[0], 0x80);
        assert_eq!(encode(f, &[300, 0, 0, 0])[0], 0x7f);
        let f = find(vk::Format::A2B10G10R10_SINT_PACK32).unwrap();
        let bytes = encode(f, &[(-600i32) as u32 as u64, 5, 600, (-31i32) as u32 as u64]);
        assert_eq!(decode(f, &bytes[..4]).map(|v| v as i64), [-512, 5, 511, -2]);
    }
}
