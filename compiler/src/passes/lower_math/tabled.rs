//! Exponentials, logarithms and powers for machines that pick numbers from tables, take numbers apart and scale them with one
//! operation each: polynomials are short, and infinities, zeros, denormals and NaNs need nothing of their own.

use super::exp::{unless_one, LN2, LOG2E};
use crate::passes::emit::Emit;
use crate::sir::{AluOp, Type, Value};

/// (e^r − 1) / r for |r| ≤ ln 2 / 64, relative error of e^r 6e-8.
const EXP: [f32; 2] = [1.000_014_8, 0.500_011_1];
/// (2^f − 1) / f for |f| ≤ 1/64, relative error of 2^f 6e-8.
const EXP2: [f32; 2] = [0.693_157_4, 0.240_229_58];
/// (e^r − 1) / r for |r| ≤ ln 2 / 64, relative error 2e-8.
const EXPM1: [f32; 3] = [1.0, 0.500_003_66, 0.166_666_67];
/// log2(1+r) / r for r in [−1/64, 1/32], relative error 2e-8.
const LOG2: [f32; 4] = [std::f32::consts::LOG2_E, -0.721_348_94, 0.481_103_57, -0.357_057_45];

/// Adding it to a number below 2^17 leaves 32nds in the lowest bits of the sum.
const TO_32NDS: f64 = 1.5 * 262_144.0;

/// 2^k · (1 + r·(c0 + r·c1)) for a k in 32nds, of which `sum` is the sum with [`TO_32NDS`]. Where k is infinite or NaN r does not matter;
/// where k is so large that r is arbitrary, it only matters that the second factor is positive and finite.
fn scaled(e: &mut Emit<'_>, sum: Value, k: Value, r: Value, [c0, c1]: [f32; 2]) -> Value {
    let index = e.bits(sum);
    let power = e.f(AluOp::TableExp2, &[index]);
    let (c0, c1) = (e.c(c0.into()), e.c(c1.into()));
    let p = e.fma(r, c1, c0);
    let p = e.mul(p, r);
    let p = e.fma(power, p, power);
    // Below 2 and positive: the sign and the highest bit of the exponent are only set where r is arbitrary.
    let (p, keep) = (e.bits(p), e.ic(0x3fff_ffff));
    let p = e.i(AluOp::And, &[p, keep]);
    let p = e.float(p);
    e.f(AluOp::FScaleAny, &[p, k])
}

pub fn exp2(e: &mut Emit<'_>, x: Value) -> Value {
    let shift = e.c(TO_32NDS);
    let sum = e.add(x, shift);
    let k = e.sub(sum, shift);
    let f = e.sub(x, k);
    scaled(e, sum, k, f, EXP2)
}

/// e^x.
pub fn exp(e: &mut Emit<'_>, x: Value) -> Value {
    let (shift, log2e) = (e.c(TO_32NDS), e.c(LOG2E.0));
    let sum = e.fma(x, log2e, shift);
    let k = e.sub(sum, shift);
    let (high, low) = (e.c(-LN2.0), e.c(-LN2.1));
    let r = e.fma(k, high, x);
    let r = e.fma(k, low, r);
    scaled(e, sum, k, r, EXP)
}

/// log2 x as s + q·r; s is exact but for 2⁻³⁰.
struct Log2 {
    s: Value,
    q: Value,
    r: Value,
}

fn log2_of(e: &mut Emit<'_>, x: Value) -> Log2 {
    let exponent = e.f(AluOp::FExponent, &[x]);
    let m = e.f(AluOp::FSignificand, &[x]);
    let bits = e.bits(m);
    let shift = e.i32(18);
    let index = e.alu(Type::I32, AluOp::UShr, &[bits, shift]);
    let reciprocal = e.f(AluOp::TableReciprocal, &[index]);
    let log = e.f(AluOp::TableLog2, &[index]);
    let less = e.c(-1.0);
    let r = e.fma(m, reciprocal, less);
    let s = e.add(exponent, log);
    let q = e.poly(r, &LOG2);
    Log2 { s, q, r }
}

pub fn log2(e: &mut Emit<'_>, x: Value) -> Value {
    let l = log2_of(e, x);
    e.fma(l.q, l.r, l.s)
}

pub fn log(e: &mut Emit<'_>, x: Value) -> Value {
    let (l, ln2) = (log2(e, x), e.c(LN2.0));
    e.mul(l, ln2)
}

/// x^y = 2^(y · log2 x). The logarithm is the sum of two numbers, so that its error, 2⁻²⁸ at most, stays below the last place for
/// exponents up to 40.
pub fn pow(e: &mut Emit<'_>, x: Value, y: Value) -> Value {
    let Log2 { s, q, r } = log2_of(e, x);
    let rest = e.mul(q, r);
    let whole = e.add(s, rest);
    let shift = e.c(TO_32NDS);
    let sum = e.fma(y, whole, shift);
    let k = e.sub(sum, shift);
    let product = e.mul(y, s);
    let minus_product = e.neg(product);
    let lost = e.fma(y, s, minus_product);
    let lost = e.fma(y, rest, lost);
    let f = e.sub(product, k);
    let f = e.add(f, lost);
    let r = scaled(e, sum, k, f, EXP2);
    unless_one(e, x, y, r)
}

/// tanh a for a ≥ 0 (or NaN): E / (E + 2) with E = e^2a − 1, which keeps its digits where it is small.
pub fn tanh(e: &mut Emit<'_>, a: Value) -> Value {
    // From here on it is 1.
    let most = e.c(10.0);
    let above = e.lt(most, a);
    let a = e.select(above, most, a);
    let (shift, log2e) = (e.c(TO_32NDS), e.c(2.0 * LOG2E.0));
    let sum = e.fma(a, log2e, shift);
    let k = e.sub(sum, shift);
    let (minus_ln2, two) = (e.c(-LN2.0), e.c(2.0));
    let double = e.add(a, a);
    let r = e.fma(k, minus_ln2, double);
    let index = e.bits(sum);
    let power = e.f(AluOp::TableExp2, &[index]);
    let rest = e.f(AluOp::TableExp2Rest, &[index]);
    let power = e.f(AluOp::FScaleAny, &[power, k]);
    let p = e.poly(r, &EXPM1);
    let p = e.fma(p, r, rest);
    let one = e.c(1.0);
    let less = e.sub(power, one);
    let expm1 = e.fma(power, p, less);
    let d = e.add(expm1, two);
    e.div(expm1, d)
}
