//! Floating-point formats that have no arithmetic of their own: bfloat16 and the 8-bit formats. Their values travel as
//! integers and are widened to `F32` for everything that is computed.

use super::error::{Error, R};
use super::translator::Translator;
use super::types::Ty;
use crate::sir::{AluOp, Type, Value};
use spirv::FPEncoding;

/// A format without arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SmallFloat {
    /// The upper half of binary32.
    Bf16,
    /// 8 bits, 3 of them fraction; no infinities, one NaN of each sign.
    E4m3,
    /// 8 bits, 2 of them fraction: the upper half of binary16.
    E5m2,
}

impl SmallFloat {
    pub fn of_encoding(word: u32) -> Option<SmallFloat> {
        match FPEncoding::from_u32(word)? {
            FPEncoding::BFloat16KHR => Some(SmallFloat::Bf16),
            FPEncoding::Float8E4M3EXT => Some(SmallFloat::E4m3),
            FPEncoding::Float8E5M2EXT => Some(SmallFloat::E5m2),
        }
    }

    pub fn bits(self) -> u32 {
        match self {
            SmallFloat::Bf16 => 16,
            SmallFloat::E4m3 | SmallFloat::E5m2 => 8,
        }
    }

    /// The number that these bits are.
    pub fn decode(self, bits: u64) -> f64 {
        let (fraction, least, _, top) = self.eight();
        let magnitude = (bits & 0x7f) as u32;
        let value = match self {
            SmallFloat::Bf16 => return f64::from(f32::from_bits((bits as u32) << 16)),
            SmallFloat::E5m2 if magnitude == top + 1 => f64::INFINITY,
            _ if magnitude > top => f64::NAN,
            _ if magnitude >> fraction == 0 => f64::from(magnitude) * f64::from(least - fraction as i32).exp2(),
            _ => {
                let digits = f64::from((magnitude & ((1 << fraction) - 1)) | 1 << fraction);
                digits * f64::from((magnitude >> fraction) as i32 - 1 + least - fraction as i32).exp2()
            }
        };
        value.copysign(if bits & 0x80 != 0 { -1.0 } else { 1.0 })
    }

    /// The bits of the nearest number, ties to even; beyond the range infinity, or NaN where there is none.
    pub fn encode(self, value: f64) -> u64 {
        let (fraction, least, _, top) = self.eight();
        if self == SmallFloat::Bf16 {
            return u64::from(half::bf16::from_f32(value as f32).to_bits());
        }
        let sign = if value.is_sign_negative() { 0x80 } else { 0 };
        if value.is_nan() {
            return sign | 0x7f;
        }
        let magnitude = value.abs();
        let exponent = ((magnitude.to_bits() >> 52) as i32 - 1023).clamp(least, 64);
        let digits = (magnitude / f64::from(exponent - fraction as i32).exp2()).round_ties_even().min(1e6) as u32;
        // The leading bit counts as one of the exponent, and so does a carry into the next.
        let code = ((exponent - least) as u32) << fraction;
        let code = code.saturating_add(digits);
        let beyond = if self == SmallFloat::E5m2 { top + 1 } else { 0x7f };
        sign | u64::from(if code > top { beyond } else { code })
    }

    /// The integer type its values travel in.
    fn carrier(self) -> Type {
        match self {
            SmallFloat::Bf16 => Type::I16,
            SmallFloat::E4m3 | SmallFloat::E5m2 => Type::I8,
        }
    }

    /// Bits of the fraction, the least exponent of normal numbers, the largest finite value and its encoding.
    fn eight(self) -> (u32, i32, f32, u32) {
        match self {
            SmallFloat::E4m3 => (3, -6, 448.0, 0x7e),
            SmallFloat::E5m2 | SmallFloat::Bf16 => (2, -14, 57344.0, 0x7b),
        }
    }
}

impl Translator<'_> {
    /// A floating-point value of SPIR-V type `elem` as `F32`, or unchanged if the type has arithmetic.
    pub(super) fn widen_float(&mut self, v: Value, elem: u32) -> R<Value> {
        Ok(match self.types.get(elem)? {
            Ty::SmallFloat(f) => self.widen_small(v, *f),
            Ty::Float { .. } => v,
            _ => return Err(Error::invalid("not a floating-point type")),
        })
    }

    /// A floating-point value with arithmetic (or an `F32` for a small format) as a value of SPIR-V type `elem`.
    pub(super) fn narrow_float(&mut self, v: Value, elem: u32, saturate: bool) -> R<Value> {
        Ok(match self.types.get(elem)? {
            Ty::SmallFloat(f) => self.narrow_small(v, *f, saturate),
            Ty::Float { .. } => {
                let ty = self.types.scalar(elem)?;
                if self.b.ty(v) == ty {
                    v
                } else {
                    self.b.alu(AluOp::FConv, ty, &[v])
                }
            }
            _ => return Err(Error::invalid("not a floating-point type")),
        })
    }

    /// To `F32`, exactly.
    fn widen_small(&mut self, v: Value, format: SmallFloat) -> Value {
        let b = &mut self.b;
        match format {
            SmallFloat::Bf16 => {
                let wide = b.alu(AluOp::ZExt, Type::I32, &[v]);
                let shift = b.i32(16);
                let bits = b.alu(AluOp::Shl, Type::I32, &[wide, shift]);
                b.bitcast(bits, Type::F32)
            }
            SmallFloat::E4m3 | SmallFloat::E5m2 => self.widen_eight(v, format),
        }
    }

    /// Widens an 8-bit number by way of integers, so that float controls do not matter.
    fn widen_eight(&mut self, v: Value, format: SmallFloat) -> Value {
        let (fraction, least, _, top) = format.eight();
        let b = &mut self.b;
        let wide = b.alu(AluOp::ZExt, Type::I32, &[v]);
        let low = b.i32(0x7f);
        let magnitude = b.alu(AluOp::And, Type::I32, &[wide, low]);
        let shift = b.i32(23 - fraction);
        let moved = b.alu(AluOp::Shl, Type::I32, &[magnitude, shift]);
        let bias = b.i32(((126 + least) as u32) << 23);
        let normal = b.alu(AluOp::IAdd, Type::I32, &[moved, bias]);
        // Without exponent: so many units of the last place.
        let count = b.alu(AluOp::UToF, Type::F32, &[magnitude]);
        let place = b.float(Type::F32, (f64::from(least) - f64::from(fraction)).exp2());
        let small = b.alu(AluOp::FMul, Type::F32, &[count, place]);
        let small = b.bitcast(small, Type::I32);
        let first = b.i32(1 << fraction);
        let is_small = b.alu(AluOp::ULt, Type::Bool, &[magnitude, first]);
        let bits = b.select(is_small, small, normal);
        // Beyond the largest: an infinity (E5M2 only), then NaN.
        let top = b.i32(top);
        let special = b.alu(AluOp::ULt, Type::Bool, &[top, magnitude]);
        let infinity = b.i32(0x7f80_0000);
        let beyond = match format {
            SmallFloat::E4m3 => b.i32(0x7fc0_0000),
            SmallFloat::E5m2 | SmallFloat::Bf16 => b.alu(AluOp::Or, Type::I32, &[moved, infinity]),
        };
        let bits = b.select(special, beyond, bits);
        let sign = b.i32(0x80);
        let sign = b.alu(AluOp::And, Type::I32, &[wide, sign]);
        let shift = b.i32(24);
        let sign = b.alu(AluOp::Shl, Type::I32, &[sign, shift]);
        let bits = b.alu(AluOp::Or, Type::I32, &[bits, sign]);
        b.bitcast(bits, Type::F32)
    }

    /// To nearest, ties to even. Beyond the range: infinity (NaN in E4M3), or the largest finite number if `saturate`.
    fn narrow_small(&mut self, v: Value, format: SmallFloat, saturate: bool) -> Value {
        let single = match self.b.ty(v) {
            Type::F32 => v,
            // The specification of bfloat16 asks for the two roundings.
            Type::F64 if format != SmallFloat::Bf16 => self.round_to_odd(v),
            _ => self.b.alu(AluOp::FConv, Type::F32, &[v]),
        };
        match format {
            SmallFloat::Bf16 => self.narrow_bf16(single),
            SmallFloat::E4m3 | SmallFloat::E5m2 => self.narrow_eight(single, format, saturate),
        }
    }

    /// F64 to F32 so that a later rounding to fewer bits gives what one rounding would have given: towards zero, with the
    /// last bit set if anything was lost.
    fn round_to_odd(&mut self, v: Value) -> Value {
        let b = &mut self.b;
        let cut = b.alu(AluOp::FConvRtz, Type::F32, &[v]);
        let back = b.alu(AluOp::FConv, Type::F64, &[cut]);
        let exact = b.alu(AluOp::FEq, Type::Bool, &[back, v]);
        let nan = b.alu(AluOp::FIsNan, Type::Bool, &[v]);
        let done = b.alu(AluOp::Or, Type::Bool, &[exact, nan]);
        let bits = b.bitcast(cut, Type::I32);
        let one = b.i32(1);
        let odd = b.alu(AluOp::Or, Type::I32, &[bits, one]);
        let bits = b.select(done, bits, odd);
        b.bitcast(bits, Type::F32)
    }

    /// Upper half of the bits after adding just under half of the lower half's range, and one more if what stays is odd.
    fn narrow_bf16(&mut self, v: Value) -> Value {
        let b = &mut self.b;
        let bits = b.bitcast(v, Type::I32);
        let sixteen = b.i32(16);
        let upper = b.alu(AluOp::UShr, Type::I32, &[bits, sixteen]);
        let one = b.i32(1);
        let odd = b.alu(AluOp::And, Type::I32, &[upper, one]);
        let half = b.i32(0x7fff);
        let add = b.alu(AluOp::IAdd, Type::I32, &[odd, half]);
        let rounded = b.alu(AluOp::IAdd, Type::I32, &[bits, add]);
        let rounded = b.alu(AluOp::UShr, Type::I32, &[rounded, sixteen]);
        let quiet = b.i32(0x40);
        let nan = b.alu(AluOp::Or, Type::I32, &[upper, quiet]);
        let is_nan = b.alu(AluOp::FIsNan, Type::Bool, &[v]);
        let out = b.select(is_nan, nan, rounded);
        b.alu(AluOp::ITrunc, Type::I16, &[out])
    }

    fn narrow_eight(&mut self, v: Value, format: SmallFloat, saturate: bool) -> Value {
        let (fraction, least, largest, top) = format.eight();
        let b = &mut self.b;
        let all = b.bitcast(v, Type::I32);
        let magnitude_mask = b.i32(0x7fff_ffff);
        let bits = b.alu(AluOp::And, Type::I32, &[all, magnitude_mask]);
        let magnitude = b.bitcast(bits, Type::F32);

        // Normal results: round the fraction in place, then move the exponent's bias.
        let drop = b.i32(23 - fraction);
        let upper = b.alu(AluOp::UShr, Type::I32, &[bits, drop]);
        let one = b.i32(1);
        let odd = b.alu(AluOp::And, Type::I32, &[upper, one]);
        let half = b.i32((1 << (22 - fraction)) - 1);
        let add = b.alu(AluOp::IAdd, Type::I32, &[odd, half]);
        let rounded = b.alu(AluOp::IAdd, Type::I32, &[bits, add]);
        let rounded = b.alu(AluOp::UShr, Type::I32, &[rounded, drop]);
        let bias = b.i32(((126 + least) as u32) << fraction);
        let normal = b.alu(AluOp::ISub, Type::I32, &[rounded, bias]);

        // Smaller ones: adding a number whose last place is theirs rounds them, and leaves their digits in its fraction.
        let place = f64::from(least) - f64::from(fraction) + 23.0;
        let magic = b.float(Type::F32, place.exp2());
        let no_contract = crate::sir::AluFlags { no_contract: true };
        let sum = b.alu_flags(AluOp::FAdd, Type::F32, &[magnitude, magic], no_contract);
        let sum = b.bitcast(sum, Type::I32);
        let base = b.bitcast(magic, Type::I32);
        let small = b.alu(AluOp::ISub, Type::I32, &[sum, base]);
        let border = b.float(Type::F32, f64::from(least).exp2());
        let is_small = b.alu(AluOp::FLt, Type::Bool, &[magnitude, border]);
        let code = b.select(is_small, small, normal);

        // Beyond the largest number; a value that rounds down to it is within.
        let top = b.i32(top);
        let beyond_code = match (saturate, format) {
            (true, _) => top,
            (false, SmallFloat::E4m3) => b.i32(0x7f),
            (false, SmallFloat::E5m2 | SmallFloat::Bf16) => b.i32(0x7c),
        };
        let over = b.alu(AluOp::ULt, Type::Bool, &[top, code]);
        let limit = b.float(Type::F32, f64::from(largest) * 2.0);
        let far = b.alu(AluOp::FLe, Type::Bool, &[limit, magnitude]);
        let over = b.alu(AluOp::Or, Type::Bool, &[over, far]);
        let code = b.select(over, beyond_code, code);
        let nan = b.i32(0x7f);
        let is_nan = b.alu(AluOp::FIsNan, Type::Bool, &[v]);
        let code = b.select(is_nan, nan, code);

        let shift = b.i32(24);
        let sign = b.alu(AluOp::UShr, Type::I32, &[all, shift]);
        let sign_bit = b.i32(0x80);
        let sign = b.alu(AluOp::And, Type::I32, &[sign, sign_bit]);
        let out = b.alu(AluOp::Or, Type::I32, &[code, sign]);
        b.alu(AluOp::ITrunc, format.carrier(), &[out])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_itself() {
        for f in [SmallFloat::E4m3, SmallFloat::E5m2, SmallFloat::Bf16] {
            for bits in 0..1u64 << f.bits() {
                let v = f.decode(bits);
                assert!(v.is_nan() || f.encode(v) == bits, "{f:?} {bits:#x} is {v}");
            }
            assert!(f.decode(f.encode(f64::NAN)).is_nan());
        }
        assert_eq!(SmallFloat::E4m3.decode(0x7e), 448.0);
        assert_eq!(SmallFloat::E5m2.decode(0x7b), 57344.0);
        assert_eq!((SmallFloat::E4m3.encode(464.0), SmallFloat::E4m3.encode(465.0)), (0x7e, 0x7f));
        assert_eq!((SmallFloat::E5m2.encode(-61439.0), SmallFloat::E5m2.encode(-61440.0)), (0xfb, 0xfc));
        assert_eq!((SmallFloat::E4m3.encode(1e300), SmallFloat::E4m3.encode(1e-300)), (0x7f, 0));
        assert_eq!(SmallFloat::E4m3.encode(1.0625), SmallFloat::E4m3.encode(1.0));
    }
}
