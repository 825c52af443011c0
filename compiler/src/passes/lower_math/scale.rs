//! Operations on exponents and signs, and remainders. These work in the operand's own type where that is F64.

use crate::passes::emit::Emit;
use crate::sir::{AluOp, Type, Value};

/// Width of the fraction and exponent bias.
const fn format(ty: Type) -> (i64, i64) {
    match ty {
        Type::F64 => (52, 1023),
        _ => (23, 127),
    }
}

/// 2^n for an I32 n in the exponent range of the type.
fn power(e: &mut Emit<'_>, n: Value) -> Value {
    let (fraction, bias) = format(e.ty);
    let bias = e.i32(bias as i32);
    let shift = e.i32(fraction as i32);
    let n = e.alu(Type::I32, AluOp::IAdd, &[n, bias]);
    let n = if e.ty == Type::F64 { e.i(AluOp::ZExt, &[n]) } else { n };
    let n = e.i(AluOp::Shl, &[n, shift]);
    e.float(n)
}

fn clamp_int(e: &mut Emit<'_>, n: Value, low: i32, high: i32) -> Value {
    let (low, high) = (e.i32(low), e.i32(high));
    let n = e.alu(Type::I32, AluOp::SMax, &[n, low]);
    e.alu(Type::I32, AluOp::SMin, &[n, high])
}

/// a · 2^n, rounded once.
pub fn ldexp(e: &mut Emit<'_>, a: Value, n: Value) -> Value {
    if e.ty == Type::F32 {
        // In binary64 every product is exact; only the way back rounds.
        e.ty = Type::F64;
        let n = clamp_int(e, n, -400, 400);
        let wide = e.f(AluOp::FConv, &[a]);
        let p = power(e, n);
        let r = e.mul(wide, p);
        e.ty = Type::F32;
        return e.f(AluOp::FConv, &[r]);
    }
    // Steps that keep the bits until the last one: −969 leaves room for the whole fraction above the denormals.
    let mut n = clamp_int(e, n, -2200, 2200);
    let mut r = a;
    for _ in 0..2 {
        let (least, step, most) = (e.i32(-1022), e.i32(-969), e.i32(1023));
        let below = e.alu(Type::Bool, AluOp::SLt, &[n, least]);
        let top = e.alu(Type::I32, AluOp::SMin, &[n, most]);
        let t = e.select(below, step, top);
        let p = power(e, t);
        r = e.mul(r, p);
        n = e.alu(Type::I32, AluOp::ISub, &[n, t]);
    }
    let n = clamp_int(e, n, -1022, 1023);
    let p = power(e, n);
    e.mul(r, p)
}

/// The bits of `a` with denormals made normal, the exponent field's adjustment, and whether `a` is 0, infinite or NaN.
fn exponent_parts(e: &mut Emit<'_>, a: Value) -> (Value, Value, Value) {
    let (fraction, bias) = format(e.ty);
    let magnitude = e.abs(a);
    let (normal, up) = (e.c(2f64.powi(1 - bias as i32)), e.c(2f64.powi(fraction as i32 + 1)));
    let (zero, inf) = (e.c(0.0), e.c(f64::INFINITY));
    let tiny = e.lt(magnitude, normal);
    let larger = e.mul(a, up);
    let x = e.select(tiny, larger, a);
    let bits = e.bits(x);
    let (less, none) = (e.i32(-(fraction as i32) - 1), e.i32(0));
    let adjust = e.select(tiny, less, none);
    let is_zero = e.eq(a, zero);
    let finite = e.lt(magnitude, inf);
    let infinite = e.alu(Type::Bool, AluOp::Not, &[finite]);
    let special = e.alu(Type::Bool, AluOp::Or, &[is_zero, infinite]);
    (bits, adjust, special)
}

pub fn frexp_mant(e: &mut Emit<'_>, a: Value) -> Value {
    let (fraction, bias) = format(e.ty);
    let (bits, _, special) = exponent_parts(e, a);
    let field = ((1i64 << (e.ty.bits() as i64 - 1 - fraction)) - 1) << fraction;
    let (keep, half) = (e.ic(!field), e.ic((bias - 1) << fraction));
    let m = e.i(AluOp::And, &[bits, keep]);
    let m = e.i(AluOp::Or, &[m, half]);
    let m = e.float(m);
    e.select(special, a, m)
}

pub fn frexp_exp(e: &mut Emit<'_>, a: Value) -> Value {
    let (fraction, bias) = format(e.ty);
    let (bits, adjust, special) = exponent_parts(e, a);
    let shift = e.i32(fraction as i32);
    let mask = e.ic((1 << (e.ty.bits() as i64 - 1 - fraction)) - 1);
    let n = e.i(AluOp::UShr, &[bits, shift]);
    let n = e.i(AluOp::And, &[n, mask]);
    let n = if e.ty == Type::F64 { e.alu(Type::I32, AluOp::ITrunc, &[n]) } else { n };
    let (bias, zero) = (e.i32(1 - bias as i32), e.i32(0));
    let n = e.alu(Type::I32, AluOp::IAdd, &[n, bias]);
    let n = e.alu(Type::I32, AluOp::IAdd, &[n, adjust]);
    e.select(special, zero, n)
}

pub fn sign(e: &mut Emit<'_>, a: Value) -> Value {
    let (zero, one) = (e.c(0.0), e.c(1.0));
    let magnitude = e.abs(a);
    let some = e.lt(zero, magnitude);
    let unit = e.copysign(one, a);
    let is_nan = e.alu(Type::Bool, AluOp::FIsNan, &[a]);
    let other = e.select(is_nan, zero, a);
    e.select(some, unit, other)
}

/// Rounds to binary16 and back; results below the normal range of binary16 become zeros.
pub fn quantize16(e: &mut Emit<'_>, a: Value) -> Value {
    let h = e.alu(Type::F16, AluOp::FConv, &[a]);
    let r = e.f(AluOp::FConv, &[h]);
    let (normal, zero) = (e.c(2f64.powi(-14)), e.c(0.0));
    let magnitude = e.abs(r);
    let tiny = e.lt(magnitude, normal);
    let none = e.copysign(zero, a);
    e.select(tiny, none, r)
}

/// a − b·⌊a/b⌋ or a − b·trunc(a/b) of the rounded quotient, which may have reached the next integer.
fn remainder(e: &mut Emit<'_>, a: Value, b: Value, round: AluOp) -> Value {
    let q = e.div(a, b);
    let q = e.f(round, &[q]);
    let q = e.neg(q);
    e.fma(q, b, a)
}

pub fn rem(e: &mut Emit<'_>, a: Value, b: Value) -> Value {
    remainder(e, a, b, AluOp::FTrunc)
}

pub fn modulo(e: &mut Emit<'_>, a: Value, b: Value) -> Value {
    remainder(e, a, b, AluOp::FFloor)
}
