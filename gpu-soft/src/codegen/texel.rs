//! Between the words of texels, as lanes, and the components that kernels see. Every step is exact or rounds once, as the
//! conversions of [`crate::texel`] do, so the results are the same.

use super::gen::Gen;
use super::ir::{Fcmp, Icmp, Val};
use crate::kernel_abi::Width;
use crate::texel::{Format, Numeric};
use compiler::sir::Type;

/// 1/`max` as a sum: with it v/`max` is v·high + v·low, where a fused operation rounds once.
/// Exact for all integers up to `max` (2 to 16 bits) and their negatives.
fn reciprocal(max: u32) -> [f32; 2] {
    let exact = 1.0 / f64::from(max);
    let high = exact as f32;
    [high, (exact - f64::from(high)) as f32]
}

impl Gen<'_> {
    /// A number in all lanes.
    pub fn floats(&self, v: f32) -> Val {
        self.konst(Type::F32, self.lanes, u64::from(v.to_bits()))
    }

    fn words(&self, v: u32) -> Val {
        self.konst(Type::I32, self.lanes, u64::from(v))
    }

    /// `v`, a vector of 32-bit integers up to `max` as floats, divided by `max`.
    fn normalised(&self, v: Val, max: u32) -> Val {
        let m = self.m;
        if self.opts.width == Width::W4 {
            return m.fdiv(v, self.floats(max as f32));
        }
        let [high, low] = reciprocal(max);
        m.fma(v, self.floats(high), m.fmul(v, self.floats(low)))
    }

    /// The four components of a texel from its words; missing ones are 0, and 1 for alpha.
    pub fn decode_texel(&self, format: &Format, words: &[Val]) -> [Val; 4] {
        let m = self.m;
        let missing = format.missing();
        let float = matches!(format.numeric, Numeric::Unorm | Numeric::Snorm | Numeric::Sfloat);
        std::array::from_fn(|i| {
            let ty = if float { Type::F32 } else { Type::I32 };
            let Some(field) = format.fields[i] else { return self.konst(ty, self.lanes, missing[i]) };
            let (shift, bits) = (u32::from(field.shift % 32), u32::from(field.bits));
            let word = words[usize::from(field.shift / 32)];
            let f32t = self.ty(Type::F32, self.lanes);
            let signed = || {
                let up = m.shl(word, self.words(32 - bits - shift));
                m.ashr(up, self.words(32 - bits))
            };
            let unsigned = || {
                let down = m.lshr(word, self.words(shift));
                if shift + bits == 32 {
                    down
                } else {
                    m.and(down, self.words((1 << bits) - 1))
                }
            };
            match format.numeric {
                Numeric::Unorm => self.normalised(m.sitofp(unsigned(), f32t), (1 << bits) - 1),
                Numeric::Snorm => {
                    let v = self.normalised(m.sitofp(signed(), f32t), (1 << (bits - 1)) - 1);
                    m.select(m.fcmp(Fcmp::Ogt, v, self.floats(-1.0)), v, self.floats(-1.0))
                }
                Numeric::Sint => signed(),
                Numeric::Sfloat if bits == 16 => {
                    let half = m.trunc(m.lshr(word, self.words(shift)), self.ty(Type::I16, self.lanes));
                    self.half_to_single(half, self.lanes)
                }
                Numeric::Sfloat => m.bitcast(word, f32t),
                // `is_plain` has no others.
                Numeric::Uint
                | Numeric::Uscaled
                | Numeric::Sscaled
                | Numeric::Ufloat
                | Numeric::Srgb
                | Numeric::SharedExponent => unsigned(),
            }
        })
    }

    /// `v` · `scale`, rounded to the nearest (even) integer, as the low bits of words. `|v| · scale` is below 2²¹.
    fn rounded(&self, v: Val, scale: f32) -> Val {
        let m = self.m;
        let i32t = self.ty(Type::I32, self.lanes);
        if self.opts.width == Width::W4 {
            // Exact in 64 bits; adding 1.5·2⁵² rounds to integers.
            let f64t = self.ty(Type::F64, self.lanes);
            let k = |x: f64| self.konst(Type::F64, self.lanes, x.to_bits());
            let sum = m.fadd(m.fmul(m.fpext(v, f64t), k(f64::from(scale))), k(6_755_399_441_055_744.0));
            return m.trunc(m.bitcast(sum, self.ty(Type::I64, self.lanes)), i32t);
        }
        // Adding 1.5·2²³ rounds to integers.
        m.bitcast(m.fma(v, self.floats(scale), self.floats(12_582_912.0)), i32t)
    }

    /// The words of a texel from its components; the inverse of [`Self::decode_texel`].
    pub fn encode_texel(&self, format: &Format, components: &[Val]) -> Vec<Val> {
        let m = self.m;
        let i32t = self.ty(Type::I32, self.lanes);
        let zero = m.zero(i32t);
        let mut words = vec![zero; format.bytes.div_ceil(4) as usize];
        for (field, &v) in format.fields.iter().zip(components) {
            let Some(field) = field else { continue };
            let (shift, bits) = (u32::from(field.shift % 32), u32::from(field.bits));
            let clamped = |low: f32| {
                // NaN gives 0, as the comparison with it is false.
                let (low, one) = (self.floats(low), self.floats(1.0));
                let v = m.select(m.fcmp(Fcmp::Uno, v, v), self.floats(0.0), v);
                let v = m.select(m.fcmp(Fcmp::Ogt, v, low), v, low);
                m.select(m.fcmp(Fcmp::Olt, v, one), v, one)
            };
            let positive = || {
                let (zero, one) = (self.floats(0.0), self.floats(1.0));
                let v = m.select(m.fcmp(Fcmp::Ogt, v, zero), v, zero);
                m.select(m.fcmp(Fcmp::Olt, v, one), v, one)
            };
            let mask = if bits == 32 { u32::MAX } else { (1 << bits) - 1 };
            let value = match format.numeric {
                Numeric::Unorm => self.rounded(positive(), mask as f32),
                Numeric::Snorm => self.rounded(clamped(-1.0), (mask >> 1) as f32),
                Numeric::Uint if bits < 32 => {
                    let most = self.words(mask);
                    m.select(m.icmp(Icmp::Ult, v, most), v, most)
                }
                Numeric::Sint if bits < 32 => {
                    let (least, most) = (self.words(!(mask >> 1)), self.words(mask >> 1));
                    let v = m.select(m.icmp(Icmp::Sgt, v, least), v, least);
                    m.select(m.icmp(Icmp::Slt, v, most), v, most)
                }
                Numeric::Sfloat if bits == 16 => m.zext(self.single_to_half(v, self.lanes), i32t),
                // `is_plain` has no others.
                Numeric::Uint
                | Numeric::Sint
                | Numeric::Sfloat
                | Numeric::Uscaled
                | Numeric::Sscaled
                | Numeric::Ufloat
                | Numeric::Srgb
                | Numeric::SharedExponent => {
                    if m.type_of(v) == i32t {
                        v
                    } else {
                        m.bitcast(v, i32t)
                    }
                }
            };
            let value = if shift + bits == 32 { value } else { m.and(value, self.words(mask)) };
            let word = &mut words[usize::from(field.shift / 32)];
            let moved = m.shl(value, self.words(shift));
            *word = if *word == zero { moved } else { m.or(*word, moved) };
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reciprocals_divide_exactly() {
        for bits in 1..=16 {
            let max = (1u32 << bits) - 1;
            let [high, low] = reciprocal(max);
            for v in 0..=max {
                let f = v as f32;
                let exact = (f64::from(v) / f64::from(max)) as f32;
                assert_eq!(f.mul_add(high, f * low), exact, "{v}/{max}");
                assert_eq!(f / max as f32, exact, "{v}/{max}");
            }
        }
    }
}
