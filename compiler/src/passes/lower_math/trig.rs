//! Trigonometric functions and their inverses.

use crate::passes::emit::Emit;
use crate::sir::{AluOp, Type, Value};

/// (sin(r)/r − 1) / r² in r² for |r| ≤ π/4, relative error 4e-9.
const SIN: [f32; 3] = [-0.166_666_54, 0.008_332_106, -0.000_195_078_83];
/// (cos(r) − 1 + r²/2) / r⁴ in r² for |r| ≤ π/4, relative error 1e-10.
const COS: [f32; 3] = [0.041_666_646, -0.001_388_731_3, 2.443_278_6e-5];
/// (atan(z)/z − 1) / z² in z² for z in [0, 1], relative error 2e-8.
const ATAN: [f32; 8] = [
    -0.333_331_53,
    0.199_937_67,
    -0.142_110_02,
    0.106_657_69,
    -0.075_516_85,
    0.043_205_84,
    -0.016_364_712,
    0.002_920_082_8,
];
/// (asin(x)/x − 1) / x² in x² for |x| ≤ 1/2, relative error 5e-9.
const ASIN: [f32; 5] = [0.166_667_52, 0.074_953_094, 0.045_469_154, 0.024_184_743, 0.042_158_388];

/// π/2 as a sum of binary32 numbers.
const HALF_PI: [f64; 3] = [1.570_796_370_506_286_6, -4.371_138_828_673_793e-8, -1.715_124_510_005_881_9e-15];
const TWO_BY_PI: f64 = 0.636_619_746_685_028_1;
/// Adding it to a number below 2^22 leaves the nearest integer in the lowest bits of the sum.
const TO_INTEGERS: f64 = 1.5 * 8_388_608.0;

/// Sine and cosine of the remainder of x by π/2, and an integer whose lowest bits number the quadrant.
///
/// With two parts of π/2 the remainder is exact to 1e-10 for |x| up to 10⁵ and more; with three also to about the last place where it is
/// small. For absurdly large x, where neighbouring floats are farther apart than a period, the result is merely some value in [−1, 1].
fn quadrant(e: &mut Emit<'_>, x: Value, parts: usize) -> (Value, Value, Value) {
    let (k, shift) = (e.c(TWO_BY_PI), e.c(TO_INTEGERS));
    let sum = e.fma(x, k, shift);
    let n = e.sub(sum, shift);
    let mut r = x;
    for part in &HALF_PI[..parts] {
        let part = e.c(-part);
        r = e.fma(n, part, r);
    }
    // Where x is large, its product by the rounded constant can miss the nearest quadrant by a little, so the remainder may exceed
    // π/4; what is cut off belongs to absurdly large x.
    let r = e.clamp(r, -0.82, 0.82);
    let z = e.mul(r, r);
    let s = e.poly(z, &SIN);
    let rz = e.mul(r, z);
    let s = e.fma(s, rz, r);
    let c = e.poly(z, &COS);
    let (half, one) = (e.c(-0.5), e.c(1.0));
    let c = e.fma(c, z, half);
    let c = e.fma(c, z, one);
    let q = e.bits(sum);
    (s, c, q)
}

/// Whether the quadrant has an odd number.
fn is_odd(e: &mut Emit<'_>, q: Value) -> Value {
    let (b, zero) = (e.ic(1), e.ic(0));
    let q = e.i(AluOp::And, &[q, b]);
    e.alu(Type::Bool, AluOp::INe, &[q, zero])
}

/// `v`, or its negation in the quadrants 2 and 3 of those that `turns` counts from (in the two highest bits).
fn signed(e: &mut Emit<'_>, v: Value, turns: Value) -> Value {
    let sign = e.ic(i64::from(i32::MIN));
    let v = e.bits(v);
    let flip = e.i(AluOp::And, &[turns, sign]);
    let v = e.i(AluOp::Xor, &[v, flip]);
    e.float(v)
}

fn turns(e: &mut Emit<'_>, q: Value) -> Value {
    let count = e.i32(30);
    e.i(AluOp::Shl, &[q, count])
}

pub fn sin(e: &mut Emit<'_>, x: Value) -> Value {
    let (s, c, q) = quadrant(e, x, 2);
    let odd = is_odd(e, q);
    let v = e.select(odd, c, s);
    let turns = turns(e, q);
    signed(e, v, turns)
}

pub fn cos(e: &mut Emit<'_>, x: Value) -> Value {
    let (s, c, q) = quadrant(e, x, 2);
    let odd = is_odd(e, q);
    let v = e.select(odd, s, c);
    let (turns, quarter) = (turns(e, q), e.ic(1 << 30));
    let turns = e.i(AluOp::IAdd, &[turns, quarter]);
    signed(e, v, turns)
}

pub fn tan(e: &mut Emit<'_>, x: Value) -> Value {
    let (s, c, q) = quadrant(e, x, 3);
    let odd = is_odd(e, q);
    let minus_c = e.neg(c);
    let a = e.select(odd, minus_c, s);
    let b = e.select(odd, s, c);
    e.div(a, b)
}

/// atan(z) for z in [0, 1], or π/2 − that.
fn atan_of(e: &mut Emit<'_>, z: Value, complement: Value) -> Value {
    let zz = e.mul(z, z);
    let p = e.poly(zz, &ATAN);
    let p = e.mul(p, zz);
    let r = e.fma(p, z, z);
    let (high, low) = (e.c(HALF_PI[0]), e.c(HALF_PI[1]));
    let other = e.sub(low, r);
    let other = e.add(high, other);
    e.select(complement, other, r)
}

pub fn atan(e: &mut Emit<'_>, x: Value) -> Value {
    let a = e.abs(x);
    let one = e.c(1.0);
    let large = e.lt(one, a);
    let inverse = e.div(one, a);
    let z = e.select(large, inverse, a);
    let r = atan_of(e, z, large);
    e.copysign(r, x)
}

pub fn atan2(e: &mut Emit<'_>, y: Value, x: Value) -> Value {
    let (ay, ax) = (e.abs(y), e.abs(x));
    let steep = e.lt(ax, ay);
    let least = e.select(steep, ax, ay);
    let most = e.select(steep, ay, ax);
    let z = e.div(least, most);
    // 0/0 is 0 and ∞/∞ is 1 here.
    let (zero, one) = (e.c(0.0), e.c(1.0));
    let same = e.eq(least, most);
    let none = e.eq(most, zero);
    let z = e.select(same, one, z);
    let z = e.select(none, zero, z);
    let r = atan_of(e, z, steep);
    let (high, low) = (e.c(2.0 * HALF_PI[0]), e.c(2.0 * HALF_PI[1]));
    let left = e.sub(low, r);
    let left = e.add(high, left);
    let bits = e.bits(x);
    let zero_bits = e.ic(0);
    let negative = e.alu(Type::Bool, AluOp::SLt, &[bits, zero_bits]);
    let r = e.select(negative, left, r);
    let r = e.copysign(r, y);
    let nan_x = e.alu(Type::Bool, AluOp::FIsNan, &[x]);
    let nan_y = e.alu(Type::Bool, AluOp::FIsNan, &[y]);
    let either = e.alu(Type::Bool, AluOp::Or, &[nan_x, nan_y]);
    let nan = e.c(f64::NAN);
    e.select(either, nan, r)
}

/// For |x| ≤ ½: asin |x|. Beyond: asin √((1−|x|)/2), from which both inverses follow. And whether it is beyond.
fn asin_of(e: &mut Emit<'_>, x: Value) -> (Value, Value) {
    let a = e.abs(x);
    let (half, one) = (e.c(0.5), e.c(1.0));
    let large = e.lt(half, a);
    let rest = e.sub(one, a);
    let rest = e.mul(rest, half);
    let root = e.f(AluOp::FSqrt, &[rest]);
    let square = e.mul(a, a);
    let z = e.select(large, rest, square);
    let t = e.select(large, root, a);
    let p = e.poly(z, &ASIN);
    let p = e.mul(p, z);
    (e.fma(p, t, t), large)
}

pub fn asin(e: &mut Emit<'_>, x: Value) -> Value {
    let (r, large) = asin_of(e, x);
    let two = e.c(-2.0);
    let (high, low) = (e.c(HALF_PI[0]), e.c(HALF_PI[1]));
    let other = e.fma(r, two, low);
    let other = e.add(high, other);
    let r = e.select(large, other, r);
    e.copysign(r, x)
}

pub fn acos(e: &mut Emit<'_>, x: Value) -> Value {
    let (r, large) = asin_of(e, x);
    let zero = e.c(0.0);
    let negative = e.lt(x, zero);
    let (high, low) = (e.c(HALF_PI[0]), e.c(HALF_PI[1]));
    let two = e.c(2.0);
    // |x| ≤ ½: π/2 ∓ r.
    let signed = e.copysign(r, x);
    let small = e.sub(low, signed);
    let small = e.add(high, small);
    // Beyond: 2r, or π − 2r.
    let double = e.mul(r, two);
    let (pi, pi_rest) = (e.c(2.0 * HALF_PI[0]), e.c(2.0 * HALF_PI[1]));
    let left = e.sub(pi_rest, double);
    let left = e.add(pi, left);
    let beyond = e.select(negative, left, double);
    e.select(large, beyond, small)
}
