//! `GLSL.std.450`: component-wise functions; vector and packing functions are next door.

use super::error::{Error, R};
use super::memory::Operands;
use super::module::Inst;
use super::translator::Translator;
use super::val::Leaves;
use crate::sir::{AluFlags, AluOp, Type, Value};
use smallvec::smallvec;
use spirv::GlslStd450Op as G;

/// Functions that are one lane-wise operation, and their number of operands.
fn plain(op: G) -> Option<(AluOp, usize)> {
    Some(match op {
        // Ties may go either way; to even is the direction that costs nothing.
        G::Round | G::RoundEven => (AluOp::FRoundEven, 1),
        G::Trunc => (AluOp::FTrunc, 1),
        G::FAbs => (AluOp::FAbs, 1),
        G::SAbs => (AluOp::IAbs, 1),
        G::FSign => (AluOp::FSign, 1),
        G::SSign => (AluOp::ISign, 1),
        G::Floor => (AluOp::FFloor, 1),
        G::Ceil => (AluOp::FCeil, 1),
        G::Sin => (AluOp::FSin, 1),
        G::Cos => (AluOp::FCos, 1),
        G::Tan => (AluOp::FTan, 1),
        G::Asin => (AluOp::FAsin, 1),
        G::Acos => (AluOp::FAcos, 1),
        G::Atan => (AluOp::FAtan, 1),
        G::Sinh => (AluOp::FSinh, 1),
        G::Cosh => (AluOp::FCosh, 1),
        G::Tanh => (AluOp::FTanh, 1),
        G::Asinh => (AluOp::FAsinh, 1),
        G::Acosh => (AluOp::FAcosh, 1),
        G::Atanh => (AluOp::FAtanh, 1),
        G::Atan2 => (AluOp::FAtan2, 2),
        G::Pow => (AluOp::FPow, 2),
        G::Exp => (AluOp::FExp, 1),
        G::Log => (AluOp::FLog, 1),
        G::Exp2 => (AluOp::FExp2, 1),
        G::Log2 => (AluOp::FLog2, 1),
        G::Sqrt => (AluOp::FSqrt, 1),
        G::InverseSqrt => (AluOp::FRsqrt, 1),
        G::FMin | G::NMin => (AluOp::FMin, 2),
        G::UMin => (AluOp::UMin, 2),
        G::SMin => (AluOp::SMin, 2),
        G::FMax | G::NMax => (AluOp::FMax, 2),
        G::UMax => (AluOp::UMax, 2),
        G::SMax => (AluOp::SMax, 2),
        G::Fma => (AluOp::Fma, 3),
        G::FindILsb => (AluOp::FindLsb, 1),
        G::FindSMsb => (AluOp::FindSMsb, 1),
        G::FindUMsb => (AluOp::FindUMsb, 1),
        _ => return None,
    })
}

impl<'a> Translator<'a> {
    /// An instruction of `GLSL.std.450`; operands start at word 2.
    pub(super) fn glsl(&mut self, inst: &Inst<'a>, number: u32) -> R<()> {
        let op = G::from_u32(number).ok_or_else(|| Error::unsupported(format!("GLSL.std.450 instruction {number}")))?;
        self.glsl_op(inst, op).map_err(|mut e| {
            if e.word.is_none() {
                e.reason = format!("GLSL.std.450 {op:?}: {}", e.reason);
            }
            e
        })
    }

    fn glsl_op(&mut self, inst: &Inst<'a>, op: G) -> R<()> {
        if matches!(
            op,
            G::Determinant
                | G::MatrixInverse
                | G::Length
                | G::Distance
                | G::Cross
                | G::Normalize
                | G::FaceForward
                | G::Reflect
                | G::Refract
        ) {
            return self.glsl_vec(inst, op);
        }
        match op {
            G::ModfStruct | G::FrexpStruct | G::Modf | G::Frexp => return self.split(inst, op),
            G::InterpolateAtCentroid | G::InterpolateAtSample | G::InterpolateAtOffset => {
                return Err(Error::unsupported("interpolation in a compute shader"));
            }
            _ => {}
        }
        let (ty, _) = self.types.vector(inst.ty)?;
        let flags = self.flags(inst, ty);
        if let Some((alu, n)) = plain(op) {
            return self.map(inst, 2, n, |t, a| Ok(t.b.alu_flags(alu, ty, a, flags)));
        }
        let clamp = |max, min| (max, min);
        match op {
            G::FClamp | G::NClamp | G::UClamp | G::SClamp => {
                let (max, min) = match op {
                    G::UClamp => clamp(AluOp::UMax, AluOp::UMin),
                    G::SClamp => clamp(AluOp::SMax, AluOp::SMin),
                    _ => clamp(AluOp::FMax, AluOp::FMin),
                };
                self.map(inst, 2, 3, |t, a| {
                    let low = t.b.alu(max, ty, &[a[0], a[1]]);
                    Ok(t.b.alu(min, ty, &[low, a[2]]))
                })
            }
            G::Ldexp => self.map(inst, 2, 2, |t, a| {
                if !t.b.ty(a[1]).is_int() {
                    return Err(Error::invalid("the exponent is not an integer"));
                }
                let exponent = t.exponent_i32(a[1]);
                Ok(t.b.alu(AluOp::FLdexp, ty, &[a[0], exponent]))
            }),
            G::Fract | G::Radians | G::Degrees | G::FMix | G::IMix | G::Step | G::SmoothStep => {
                if !ty.is_float() {
                    return Err(Error::invalid("the result is not floating point"));
                }
                self.shaping(inst, op, ty, flags)
            }
            _ => self.glsl_pack(inst, op),
        }
    }

    fn shaping(&mut self, inst: &Inst<'a>, op: G, ty: Type, flags: AluFlags) -> R<()> {
        let count = match op {
            G::Fract | G::Radians | G::Degrees => 1,
            G::Step => 2,
            _ => 3,
        };
        self.map(inst, 2, count, |t, a| {
            let one = t.b.float(ty, 1.0);
            let zero = t.b.float(ty, 0.0);
            let mut f = |alu: AluOp, x: Value, y: Value| t.b.alu_flags(alu, ty, &[x, y], flags);
            Ok(match op {
                G::FMix | G::IMix => {
                    let rest = f(AluOp::FSub, one, a[2]);
                    let x = f(AluOp::FMul, a[0], rest);
                    let y = f(AluOp::FMul, a[1], a[2]);
                    f(AluOp::FAdd, x, y)
                }
                G::Step => {
                    let below = t.b.alu(AluOp::FLt, Type::Bool, &[a[1], a[0]]);
                    t.b.select(below, zero, one)
                }
                G::SmoothStep => {
                    let range = f(AluOp::FSub, a[1], a[0]);
                    let at = f(AluOp::FSub, a[2], a[0]);
                    let u = f(AluOp::FDiv, at, range);
                    let u = f(AluOp::FMax, u, zero);
                    let u = f(AluOp::FMin, u, one);
                    let square = f(AluOp::FMul, u, u);
                    let (two, three) = (t.b.float(ty, 2.0), t.b.float(ty, 3.0));
                    let twice = t.b.alu_flags(AluOp::FMul, ty, &[two, u], flags);
                    let rest = t.b.alu_flags(AluOp::FSub, ty, &[three, twice], flags);
                    t.b.alu_flags(AluOp::FMul, ty, &[square, rest], flags)
                }
                G::Fract => {
                    let floor = t.b.alu(AluOp::FFloor, ty, &[a[0]]);
                    t.b.alu_flags(AluOp::FSub, ty, &[a[0], floor], flags)
                }
                _ => {
                    let factor =
                        if op == G::Radians { std::f64::consts::PI / 180.0 } else { 180.0 / std::f64::consts::PI };
                    let factor = t.b.float(ty, factor);
                    t.b.alu_flags(AluOp::FMul, ty, &[a[0], factor], flags)
                }
            })
        })
    }

    /// `Modf`, `Frexp` and their structure forms.
    fn split(&mut self, inst: &Inst<'a>, op: G) -> R<()> {
        let (ty, values) = self.leaves(inst.word(2)?)?;
        let (float, _) = self.types.vector(ty)?;
        if !float.is_float() {
            return Err(Error::invalid("the operand is not floating point"));
        }
        let modf = matches!(op, G::ModfStruct | G::Modf);
        let mut first = Leaves::new();
        let mut second = Leaves::new();
        for &v in &values {
            if modf {
                let whole = self.b.alu(AluOp::FTrunc, float, &[v]);
                first.push(self.fraction(v, whole, float));
                second.push(whole);
            } else {
                first.push(self.b.alu(AluOp::FFrexpMant, float, &[v]));
                second.push(self.b.alu(AluOp::FFrexpExp, Type::I32, &[v]));
            }
        }
        if matches!(op, G::ModfStruct | G::FrexpStruct) {
            let types = self.types.flatten(inst.ty)?;
            if let (false, Some(&last)) = (modf, types.last()) {
                second = self.exponents(second, last)?;
            }
            first.extend(second);
            return self.set_leaves(inst, first);
        }
        let p = self.ptr(inst.word(3)?)?;
        if !modf {
            let (ty, _) = self.types.vector(p.pointee)?;
            second = self.exponents(second, ty)?;
        }
        self.store_leaves(&p, &second, Operands::default())?;
        self.set_leaves(inst, first)
    }

    /// An exponent as `I32`. Wider ones are clamped: beyond that range they all overflow or underflow alike.
    fn exponent_i32(&mut self, v: Value) -> Value {
        if self.b.ty(v) != Type::I64 {
            return self.b.int_to(v, Type::I32, true);
        }
        let (low, high) = (self.b.i64(i64::from(i32::MIN) as u64), self.b.i64(i32::MAX as u64));
        let v = self.b.alu(AluOp::SMax, Type::I64, &[v, low]);
        let v = self.b.alu(AluOp::SMin, Type::I64, &[v, high]);
        self.b.alu(AluOp::ITrunc, Type::I32, &[v])
    }

    fn exponents(&mut self, values: Leaves, ty: Type) -> R<Leaves> {
        if !ty.is_int() {
            return Err(Error::invalid("the exponent is not an integer"));
        }
        Ok(values.iter().map(|&v| self.b.int_to(v, ty, true)).collect())
    }

    /// v − whole with the sign of v; 0 with the sign of v if v is infinite.
    fn fraction(&mut self, v: Value, whole: Value, ty: Type) -> Value {
        let b = &mut self.b;
        let rest = b.alu(AluOp::FSub, ty, &[v, whole]);
        let infinite = b.alu(AluOp::FIsInf, Type::Bool, &[v]);
        let zero = b.float(ty, 0.0);
        let rest = b.select(infinite, zero, rest);
        let int = Type::int(ty.bits()).unwrap_or(Type::I32);
        let top = 1u64 << (ty.bits() - 1);
        let (sign_mask, rest_mask) = (b.konst(int, top), b.konst(int, top - 1));
        let sign = b.bitcast(v, int);
        let sign = b.alu(AluOp::And, int, &[sign, sign_mask]);
        let rest = b.bitcast(rest, int);
        let rest = b.alu(AluOp::And, int, &[rest, rest_mask]);
        let bits = b.alu(AluOp::Or, int, &[sign, rest]);
        b.bitcast(bits, ty)
    }

    /// `SPV_AMD_shader_trinary_minmax`: minimum, maximum and middle of three.
    pub(super) fn trinary_min_max(&mut self, inst: &Inst<'a>, number: u32) -> R<()> {
        let kinds = [(AluOp::FMin, AluOp::FMax), (AluOp::UMin, AluOp::UMax), (AluOp::SMin, AluOp::SMax)];
        if !(1..=9).contains(&number) {
            return Err(Error::unsupported(format!("SPV_AMD_shader_trinary_minmax instruction {number}")));
        }
        let (min, max) = kinds[(number as usize - 1) % 3];
        let (ty, _) = self.types.vector(inst.ty)?;
        self.map(inst, 2, 3, |t, a| {
            let mut f = |op: AluOp, x: Value, y: Value| t.b.alu(op, ty, &[x, y]);
            Ok(match number {
                1..=3 => {
                    let low = f(min, a[0], a[1]);
                    f(min, low, a[2])
                }
                4..=6 => {
                    let high = f(max, a[0], a[1]);
                    f(max, high, a[2])
                }
                _ => {
                    let low = f(min, a[0], a[1]);
                    let high = f(max, a[0], a[1]);
                    let capped = f(min, high, a[2]);
                    f(max, low, capped)
                }
            })
        })
    }

    /// Defines a scalar result.
    pub(super) fn set_one(&mut self, inst: &Inst<'_>, v: Value) -> R<()> {
        self.set_leaves(inst, smallvec![v])
    }
}
