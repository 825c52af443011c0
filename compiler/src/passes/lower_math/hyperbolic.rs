//! Hyperbolic functions and their inverses.

use super::exp::{exp, log, log1p};
use super::tabled;
use crate::passes::emit::Emit;
use crate::sir::{AluOp, Value};

/// (sinh(x)/x − 1) / x² in x² for |x| ≤ 1, relative error 5e-11.
const SINH: [f32; 4] = [0.166_666_67, 0.008_333_35, 0.000_198_361_6, 2.816_951e-6];
/// (tanh(x)/x − 1) / x² in x² for |x| ≤ 0.625, relative error 5e-9.
const TANH: [f32; 5] = [-0.333_332_8, 0.133_314_06, -0.053_736_515, 0.020_628_167, -0.005_692_296_7];
const LN2: f64 = std::f64::consts::LN_2;

/// e^|x| / 2 and e^−|x| / 2. The first is made of e^|x|, not of e^|x| scaled down, so that it overflows where e^|x| does.
fn halves(e: &mut Emit<'_>, x: Value) -> (Value, Value) {
    let a = e.abs(x);
    let (half, quarter) = (e.c(0.5), e.c(0.25));
    let h = exp(e, a);
    let h = e.mul(h, half);
    (h, e.div(quarter, h))
}

fn odd(e: &mut Emit<'_>, x: Value, coefficients: &[f32]) -> Value {
    let z = e.mul(x, x);
    let p = e.poly(z, coefficients);
    let p = e.mul(p, z);
    e.fma(p, x, x)
}

pub fn sinh(e: &mut Emit<'_>, x: Value) -> Value {
    let (h, g) = halves(e, x);
    let large = e.sub(h, g);
    let large = e.copysign(large, x);
    let small = odd(e, x, &SINH);
    let (a, one) = (e.abs(x), e.c(1.0));
    let is_small = e.lt(a, one);
    e.select(is_small, small, large)
}

pub fn cosh(e: &mut Emit<'_>, x: Value) -> Value {
    let (h, g) = halves(e, x);
    e.add(h, g)
}

pub fn tanh(e: &mut Emit<'_>, x: Value) -> Value {
    let a = e.abs(x);
    if e.tables {
        let r = tabled::tanh(e, a);
        return e.copysign(r, x);
    }
    let (one, two) = (e.c(1.0), e.c(2.0));
    let double = e.mul(a, two);
    let t = exp(e, double);
    let t = e.add(t, one);
    let t = e.div(two, t);
    let large = e.sub(one, t);
    let large = e.copysign(large, x);
    let small = odd(e, x, &TANH);
    let limit = e.c(0.625);
    let is_small = e.lt(a, limit);
    e.select(is_small, small, large)
}

pub fn asinh(e: &mut Emit<'_>, x: Value) -> Value {
    let a = e.abs(x);
    let one = e.c(1.0);
    // ln(a + √(a²+1)) = ln(1 + a + a² / (1 + √(a²+1))).
    let square = e.mul(a, a);
    let root = e.add(square, one);
    let root = e.f(AluOp::FSqrt, &[root]);
    let root = e.add(root, one);
    let u = e.div(square, root);
    let u = e.add(u, a);
    let r = log1p(e, u);
    let r = beyond(e, a, r);
    e.copysign(r, x)
}

/// For a so large that squares overflow: ln a + ln 2.
fn beyond(e: &mut Emit<'_>, a: Value, r: Value) -> Value {
    let (limit, ln2) = (e.c(1e9), e.c(LN2));
    let l = log(e, a);
    let l = e.add(l, ln2);
    let huge = e.lt(limit, a);
    e.select(huge, l, r)
}

pub fn acosh(e: &mut Emit<'_>, x: Value) -> Value {
    let (one, two) = (e.c(1.0), e.c(2.0));
    // ln(x + √(x²−1)) = ln(1 + t + √(t² + 2t)) with t = x − 1, which is exact where it matters.
    let t = e.sub(x, one);
    let s = e.add(t, two);
    let s = e.mul(s, t);
    let s = e.f(AluOp::FSqrt, &[s]);
    let u = e.add(t, s);
    let r = log1p(e, u);
    let r = beyond(e, x, r);
    let nan = e.c(f64::NAN);
    let outside = e.lt(x, one);
    e.select(outside, nan, r)
}

pub fn atanh(e: &mut Emit<'_>, x: Value) -> Value {
    let a = e.abs(x);
    let (one, two, half) = (e.c(1.0), e.c(2.0), e.c(0.5));
    // ½ ln((1+a)/(1−a)) = ½ ln(1 + 2a/(1−a)).
    let rest = e.sub(one, a);
    let double = e.mul(a, two);
    let u = e.div(double, rest);
    let r = log1p(e, u);
    let r = e.mul(r, half);
    let r = e.copysign(r, x);
    let nan = e.c(f64::NAN);
    let outside = e.lt(one, a);
    e.select(outside, nan, r)
}
