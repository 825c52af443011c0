//! Exponentials, logarithms and powers.

use super::tabled;
use crate::passes::emit::Emit;
use crate::sir::{AluOp, Type, Value};

/// (2^f − 1) / f for f in [−1/2, 1/2], relative error of 2^f 3e-9.
const EXP2: [f32; 6] = [0.693_147_24, 0.240_226_52, 0.055_503_104, 0.009_617_693, 0.001_340_664_3, 0.000_155_947_3];
/// (e^r − 1 − r) / r² for |r| ≤ ln 2 / 2, relative error of e^r 3e-9.
const EXP: [f32; 5] = [0.499_999_94, 0.166_665_21, 0.041_668_39, 0.008_368_711, 0.001_381_46];
/// (ln(1+f) − f + f²/2) / f³ for f in [√½ − 1, √2 − 1], relative error of the logarithm 8e-10.
const LOG: [f32; 9] = [
    0.333_333_13,
    -0.250_000_1,
    0.200_021_18,
    -0.166_679_95,
    0.142_195_55,
    -0.124_056_01,
    0.118_881_576,
    -0.116_755_92,
    0.067_465_88,
];
/// (atanh(s) − s) / s³ in s² for |s| ≤ 0.1716, relative error 5e-12.
const ATANH: [f32; 4] = [0.333_333_3, 0.200_001_67, 0.142_686_53, 0.117_910_9];

// ln 2, log2 e and 2 / ln 2, each as a binary32 number and what is missing.
pub const LN2: (f64, f64) = (0.693_147_182_464_599_6, -1.904_654_212_125_933_6e-9);
pub const LOG2E: (f64, f64) = (1.442_695_021_629_333_5, 1.925_963_033_500_011e-8);
const TWO_LOG2E: (f64, f64) = (2.885_390_043_258_667, 3.851_926_067_000_022e-8);

pub fn exp2(e: &mut Emit<'_>, x: Value) -> Value {
    if e.tables {
        return tabled::exp2(e, x);
    }
    let x = e.clamp(x, -152.0, 130.0);
    let n = e.f(AluOp::FRoundEven, &[x]);
    let f = e.sub(x, n);
    exp2_of(e, n, f)
}

/// 2^(n + f), n integral, |f| a little more than 1/2 at most.
fn exp2_of(e: &mut Emit<'_>, n: Value, f: Value) -> Value {
    let p = e.poly(f, &EXP2);
    let one = e.c(1.0);
    let p = e.fma(p, f, one);
    e.f(AluOp::FScale, &[p, n])
}

/// e^x.
pub fn exp(e: &mut Emit<'_>, x: Value) -> Value {
    if e.tables {
        return tabled::exp(e, x);
    }
    let x = e.clamp(x, -105.0, 91.0);
    let l = e.c(LOG2E.0);
    let n = e.mul(x, l);
    let n = e.f(AluOp::FRoundEven, &[n]);
    let (high, low) = (e.c(-LN2.0), e.c(-LN2.1));
    let r = e.fma(n, high, x);
    let r = e.fma(n, low, r);
    let p = e.poly(r, &EXP);
    let rr = e.mul(r, r);
    let p = e.fma(p, rr, r);
    let one = e.c(1.0);
    let p = e.add(p, one);
    e.f(AluOp::FScale, &[p, n])
}

/// x > 0 as 2^k · (1 + f), f in [√½ − 1, √2 − 1]: k as float, and f, which is exact.
fn split(e: &mut Emit<'_>, x: Value) -> (Value, Value) {
    let (normal, up) = (e.c(f64::from(f32::MIN_POSITIVE)), e.c(16_777_216.0));
    let tiny = e.lt(x, normal);
    let larger = e.mul(x, up);
    let x = e.select(tiny, larger, x);
    let bits = e.bits(x);
    let (root, shift) = (e.ic(0x3f35_04f3), e.i32(23));
    let t = e.i(AluOp::ISub, &[bits, root]);
    let k = e.i(AluOp::SShr, &[t, shift]);
    let field = e.i(AluOp::Shl, &[k, shift]);
    let m = e.i(AluOp::ISub, &[bits, field]);
    let m = e.float(m);
    let one = e.c(1.0);
    let f = e.sub(m, one);
    let k = e.f(AluOp::SToF, &[k]);
    let (less, none) = (e.c(-24.0), e.c(0.0));
    let adjust = e.select(tiny, less, none);
    (e.add(k, adjust), f)
}

/// ln(1 + f) − f.
fn log1p_rest(e: &mut Emit<'_>, f: Value) -> Value {
    let p = e.poly(f, &LOG);
    let ff = e.mul(f, f);
    let p = e.mul(p, f);
    let p = e.mul(p, ff);
    let half = e.c(-0.5);
    e.fma(half, ff, p)
}

/// The logarithm of what `split` and the approximation cannot do: 0, infinity, NaN and negative numbers.
fn log_special(e: &mut Emit<'_>, x: Value, r: Value) -> Value {
    let (inf, minus_inf) = (e.c(f64::INFINITY), e.c(f64::NEG_INFINITY));
    let (zero, nan) = (e.c(0.0), e.c(f64::NAN));
    let is_inf = e.eq(x, inf);
    let r = e.select(is_inf, inf, r);
    let is_zero = e.eq(x, zero);
    let r = e.select(is_zero, minus_inf, r);
    let defined = e.alu(crate::sir::Type::Bool, AluOp::FLe, &[zero, x]);
    e.select(defined, r, nan)
}

pub fn log2(e: &mut Emit<'_>, x: Value) -> Value {
    if e.tables {
        return tabled::log2(e, x);
    }
    let (k, f) = split(e, x);
    let y = log1p_rest(e, f);
    let (high, low) = (e.c(LOG2E.0), e.c(LOG2E.1));
    let r = e.mul(y, high);
    let r = e.fma(f, low, r);
    let r = e.fma(f, high, r);
    let r = e.add(k, r);
    log_special(e, x, r)
}

pub fn log(e: &mut Emit<'_>, x: Value) -> Value {
    if e.tables {
        return tabled::log(e, x);
    }
    let (k, f) = split(e, x);
    let y = log1p_rest(e, f);
    let (high, low) = (e.c(LN2.0), e.c(LN2.1));
    let r = e.fma(k, low, y);
    let r = e.add(f, r);
    let r = e.fma(k, high, r);
    log_special(e, x, r)
}

/// x^y = 2^(y · log2 x). The logarithm is the sum of two numbers, so that its error times y stays below the last place.
pub fn pow(e: &mut Emit<'_>, x: Value, y: Value) -> Value {
    if e.tables {
        return tabled::pow(e, x, y);
    }
    let (k, f) = split(e, x);
    // ln(1 + f) = 2 atanh(s), s = f / (2 + f), with what the division leaves.
    let two = e.c(2.0);
    let d = e.add(f, two);
    let d_rest = e.sub(d, two);
    let d_rest = e.sub(f, d_rest);
    let s = e.div(f, d);
    let minus_s = e.neg(s);
    let rest = e.fma(minus_s, d, f);
    let rest = e.fma(minus_s, d_rest, rest);
    let s_rest = e.div(rest, d);
    let ss = e.mul(s, s);
    let p = e.poly(ss, &ATANH);
    let p = e.mul(p, ss);
    let small = e.fma(p, s, s_rest);
    let (high, low) = (e.c(TWO_LOG2E.0), e.c(TWO_LOG2E.1));
    let t = e.mul(s, high);
    let minus_t = e.neg(t);
    let t_rest = e.fma(s, high, minus_t);
    let t_rest = e.fma(s, low, t_rest);
    let t_rest = e.fma(small, high, t_rest);
    // k is 0 or larger than t.
    let l = e.add(k, t);
    let l_rest = e.sub(l, k);
    let l_rest = e.sub(t, l_rest);
    let t_rest = e.add(l_rest, t_rest);
    let k = l;
    let l = e.add(k, t_rest);
    let l_rest = e.sub(l, k);
    let l_rest = e.sub(t_rest, l_rest);
    let l = log_special(e, x, l);
    // y times the sum; where that is far out of range its rest does not matter and may be NaN.
    let product = e.mul(y, l);
    let minus_product = e.neg(product);
    let rest = e.fma(y, l, minus_product);
    let rest = e.fma(y, l_rest, rest);
    let (limit, zero) = (e.c(200.0), e.c(0.0));
    let magnitude = e.abs(product);
    let inside = e.lt(magnitude, limit);
    let rest = e.select(inside, rest, zero);
    let product = e.clamp(product, -152.0, 130.0);
    let n = e.f(AluOp::FRoundEven, &[product]);
    let f = e.sub(product, n);
    let f = e.add(f, rest);
    let r = exp2_of(e, n, f);
    unless_one(e, x, y, r)
}

/// x^y, which `r` is where it is not 1 in any case.
pub fn unless_one(e: &mut Emit<'_>, x: Value, y: Value, r: Value) -> Value {
    let (zero, one) = (e.c(0.0), e.c(1.0));
    // 1 to any power is 1, and any number to the power 0, even NaN.
    let none = e.eq(y, zero);
    let unit = e.eq(x, one);
    let is_one = e.alu(Type::Bool, AluOp::Or, &[none, unit]);
    e.select(is_one, one, r)
}

/// ln(1 + u) for u > −1, accurate where u is small.
pub fn log1p(e: &mut Emit<'_>, u: Value) -> Value {
    let one = e.c(1.0);
    let w = e.add(u, one);
    let r = log(e, w);
    // What 1 + u lost, divided by the derivative.
    let back = e.sub(w, one);
    let lost = e.sub(u, back);
    let correction = e.div(lost, w);
    let sum = e.add(r, correction);
    let finite = e.abs(correction);
    let fine = e.lt(finite, one);
    e.select(fine, sum, r)
}
