//! Floating-point operations. IEEE, to nearest even, denormals kept. What needs approximations is lowered before the code generator, and
//! what is fused was decided before it, too.

use super::alu::Shape;
use super::gen::{Gen, Result};
use super::ir::{Fcmp, Icmp, Val};
use super::unsupported;
use crate::kernel_abi::Width;
use compiler::sir::{AluOp, Type};

impl Gen<'_> {
    pub fn float(&mut self, op: AluOp, s: Shape, v: &[Val]) -> Result<Val> {
        if s.arg == Type::F16 {
            return self.half_op(op, s, v);
        }
        let m = self.m;
        let t = self.ty(s.arg, s.n);
        let call = |name: &str, args: &[Val]| m.intrinsic(name, &[t], args);
        let one = if s.arg == Type::F32 { u64::from(1f32.to_bits()) } else { 1f64.to_bits() };
        let k = |bits: u64| self.konst(s.arg, s.n, bits);
        let sign = 1u64 << (s.arg.bits() - 1);
        Ok(match op {
            AluOp::FAdd => m.fadd(v[0], v[1]),
            AluOp::FSub => m.fsub(v[0], v[1]),
            AluOp::FMul => m.fmul(v[0], v[1]),
            AluOp::FDiv => m.fdiv(v[0], v[1]),
            AluOp::FNeg => m.fneg(v[0]),
            AluOp::FAbs => {
                // On the bits: signs of NaNs count, too.
                let int = if s.arg == Type::F32 { Type::I32 } else { Type::I64 };
                let bits = m.bitcast(v[0], self.ty(int, s.n));
                m.bitcast(m.and(bits, self.konst(int, s.n, sign - 1)), t)
            }
            AluOp::FSign => {
                let zero = k(0);
                let positive = m.select(m.fcmp(Fcmp::Ogt, v[0], zero), k(one), zero);
                let signed = m.select(m.fcmp(Fcmp::Olt, v[0], zero), k(one | sign), positive);
                m.select(m.fcmp(Fcmp::Oeq, v[0], zero), v[0], signed)
            }
            AluOp::Fma => m.fma(v[0], v[1], v[2]),
            AluOp::FMin => self.min_max(Fcmp::Olt, v[0], v[1]),
            AluOp::FMax => self.min_max(Fcmp::Ogt, v[0], v[1]),
            AluOp::FFloor => call("llvm.floor", v),
            AluOp::FCeil => call("llvm.ceil", v),
            AluOp::FTrunc => call("llvm.trunc", v),
            AluOp::FRoundEven => call("llvm.roundeven", v),
            AluOp::FSqrt => call("llvm.sqrt", v),
            AluOp::FEq => m.fcmp(Fcmp::Oeq, v[0], v[1]),
            AluOp::FNe => m.fcmp(Fcmp::Une, v[0], v[1]),
            AluOp::FLt => m.fcmp(Fcmp::Olt, v[0], v[1]),
            AluOp::FLe => m.fcmp(Fcmp::Ole, v[0], v[1]),
            AluOp::FIsNan => m.fcmp(Fcmp::Uno, v[0], v[0]),
            AluOp::FIsInf => {
                let infinity = if s.arg == Type::F32 { 0x7f80_0000 } else { 0x7ff0 << 48 };
                m.fcmp(Fcmp::Oeq, call("llvm.fabs", v), k(infinity))
            }
            AluOp::FScale if s.arg == Type::F32 => self.scale(s.n, v[0], v[1]),
            AluOp::FScaleAny if s.arg == Type::F32 => self.scale_any(s.n, v[0], v[1]),
            AluOp::FExponent if s.arg == Type::F32 => self.exponent(s.n, v[0]),
            AluOp::FSignificand if s.arg == Type::F32 => self.significand(s.n, v[0]),
            AluOp::FQuantize16 if s.arg == Type::F32 => {
                let i16t = |bits| self.konst(Type::I16, s.n, bits);
                let half = self.single_to_half(v[0], s.n);
                let denormal = m.icmp(Icmp::Eq, m.and(half, i16t(0x7c00)), i16t(0));
                let half = m.select(denormal, m.and(half, i16t(0x8000)), half);
                self.half_to_single(half, s.n)
            }
            _ => return unsupported(format!("{} must be lowered first", op.name())),
        })
    }

    /// a · 2^b: one instruction for 16 lanes, otherwise two factors, of which only the second may round (into the denormals).
    fn scale(&self, n: u32, a: Val, b: Val) -> Val {
        let m = self.m;
        if self.opts.width == Width::W16 && n >= 16 {
            return self.scale_any(n, a, b);
        }
        let (i32t, f32t) = (self.ty(Type::I32, n), self.ty(Type::F32, n));
        let k = |x: u64| self.konst(Type::I32, n, x);
        // Adding 1.5·2^23 leaves the integer in the low bits of the sum.
        let magic = u64::from(12_582_912f32.to_bits());
        let sum = m.fadd(b, self.konst(Type::F32, n, magic));
        let whole = m.sub(m.bitcast(sum, i32t), k(magic));
        let half = m.ashr(whole, k(1));
        let power = |e: Val| m.bitcast(m.shl(m.add(e, k(127)), k(23)), f32t);
        m.fmul(m.fmul(a, power(half)), power(m.sub(whole, half)))
    }

    /// The lesser (or greater) operand; the other one if one is NaN.
    fn min_max(&self, p: Fcmp, a: Val, b: Val) -> Val {
        let m = self.m;
        let r = m.select(m.fcmp(p, a, b), a, b);
        m.select(m.fcmp(Fcmp::Uno, b, b), a, r)
    }

    /// Binary16 operations through binary32: its 24 bits make the second rounding of one operation harmless.
    fn half_op(&mut self, op: AluOp, s: Shape, v: &[Val]) -> Result<Val> {
        let m = self.m;
        let i16t = |bits| self.konst(Type::I16, s.n, bits);
        match op {
            AluOp::FNeg => return Ok(m.xor(v[0], i16t(0x8000))),
            AluOp::FAbs => return Ok(m.and(v[0], i16t(0x7fff))),
            _ => {}
        }
        let wide: Vec<Val> = v.iter().map(|x| self.half_to_single(*x, s.n)).collect();
        if op == AluOp::Fma {
            return Ok(self.half_fma(s.n, wide[0], wide[1], wide[2]));
        }
        let to = |t| if t == Type::F16 { Type::F32 } else { t };
        let shape = Shape { arg: Type::F32, result: to(s.result), n: s.n };
        let r = self.float(op, shape, &wide)?;
        Ok(if s.result == Type::F16 { self.single_to_half(r, s.n) } else { r })
    }

    /// a·b + c rounded once: the product is exact in binary32; the sum is rounded to odd, so that the last rounding decides.
    fn half_fma(&self, n: u32, a: Val, b: Val, c: Val) -> Val {
        let m = self.m;
        let (f32t, i32t) = (self.ty(Type::F32, n), self.ty(Type::I32, n));
        let k = |x: u64| self.konst(Type::I32, n, x);
        let p = m.fmul(a, b);
        let sum = m.fadd(p, c);
        // The error of the sum (two-sum).
        let cc = m.fsub(sum, p);
        let error = m.fadd(m.fsub(p, m.fsub(sum, cc)), m.fsub(c, cc));
        let zero = self.konst(Type::F32, n, 0);
        let bits = m.bitcast(sum, i32t);
        let even = m.icmp(Icmp::Eq, m.and(bits, k(1)), k(0));
        // Infinite and NaN sums have errors that are NaN and stay as they are.
        let inexact = m.or(m.fcmp(Fcmp::Olt, error, zero), m.fcmp(Fcmp::Ogt, error, zero));
        let error_bits = m.bitcast(error, i32t);
        let away = m.icmp(Icmp::Sgt, m.xor(bits, error_bits), k(u64::from(u32::MAX)));
        let odd = m.select(away, m.add(bits, k(1)), m.sub(bits, k(1)));
        let bits = m.select(m.and(even, inexact), odd, bits);
        self.single_to_half(m.bitcast(bits, f32t), n)
    }
}
