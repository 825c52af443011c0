//! Trigonometric functions and their inverses.

use crate::passes::emit::Emit;
use crate::sir::{AluOp, Type, Value};

/// (sin(r)/r − 1) / r² in r² for |r| ≤ π/4, relative error 5e-12.
const SIN: [f32; 4] = [-0.166_666_67, 0.008_333_329, -0.000_198_393_3, 2.718_274_8e-6];
/// (cos(r) − 1 + r²/2) / r⁴ in r² for |r| ≤ π/4, relative error 1e-10.
const COS: [f32; 3] = [0.041_666_646, -0.001_388_731_3, 2.443_278_6e-5];
/// (atan(z)/z − 1) / z² in z² for z in [0, 1], relative error 4e-10.
const ATAN: [f32; 10] = [
    -0.333_333_28,
    0.199_996_71,
    -0.142_798_33,
    0.110_582_255,
    -0.088_110_99,
    0.067_416_18,
    -0.044_690_277,
    0.022_540_186,
    -0.007_318_12,
    0.001_113_824,
];
/// (asin(x)/x − 1) / x² in x² for |x| ≤ 1/2, relative error 3e-10.
const ASIN: [f32; 6] = [0.166_666_6, 0.075_005_11, 0.044_515_72, 0.031_817_59, 0.014_402_688, 0.037_565_082];

/// π/2 as a sum of binary32 numbers.
const HALF_PI: [f64; 3] = [1.570_796_370_506_286_6, -4.371_138_828_673_793e-8, -1.715_124_510_005_881_9e-15];
const TWO_BY_PI: f64 = 0.636_619_746_685_028_1;

/// Sine and cosine of the remainder of x by π/2, and the number of the quadrant.
///
/// The remainder is exact to about the last place for |x| up to 10⁵ and more; for absurdly large x, where neighbouring
/// floats are farther apart than a period, the result is merely some value in [−1, 1].
fn quadrant(e: &mut Emit<'_>, x: Value) -> (Value, Value, Value) {
    let k = e.c(TWO_BY_PI);
    let n = e.mul(x, k);
    let n = e.f(AluOp::FRoundEven, &[n]);
    let mut r = x;
    for part in HALF_PI {
        let part = e.c(-part);
        r = e.fma(n, part, r);
    }
    // The rounded product can miss the nearest quadrant by a little where x is large, so the remainder may exceed π/4; what
    // is cut off belongs to absurdly large x.
    let r = e.clamp(r, -0.82, 0.82);
    let z = e.mul(r, r);
    let s = e.poly(z, &SIN);
    let s = e.mul(s, z);
    let s = e.fma(s, r, r);
    let c = e.poly(z, &COS);
    let zz = e.mul(z, z);
    let (half, one) = (e.c(-0.5), e.c(1.0));
    let first = e.fma(half, z, one);
    // What 1 − z/2 lost goes back in.
    let lost = e.sub(one, first);
    let lost = e.fma(half, z, lost);
    let c = e.fma(c, zz, lost);
    let c = e.add(first, c);
    let q = e.i(AluOp::FToS, &[n]);
    (s, c, q)
}

fn bit(e: &mut Emit<'_>, q: Value, bit: i64) -> Value {
    let (b, zero) = (e.ic(bit), e.ic(0));
    let q = e.i(AluOp::And, &[q, b]);
    e.alu(Type::Bool, AluOp::INe, &[q, zero])
}

fn turned(e: &mut Emit<'_>, s: Value, c: Value, q: Value) -> Value {
    let odd = bit(e, q, 1);
    let r = e.select(odd, c, s);
    let negative = e.neg(r);
    let back = bit(e, q, 2);
    e.select(back, negative, r)
}

pub fn sin(e: &mut Emit<'_>, x: Value) -> Value {
    let (s, c, q) = quadrant(e, x);
    turned(e, s, c, q)
}

pub fn cos(e: &mut Emit<'_>, x: Value) -> Value {
    let (s, c, q) = quadrant(e, x);
    let one = e.ic(1);
    let q = e.i(AluOp::IAdd, &[q, one]);
    turned(e, s, c, q)
}

pub fn tan(e: &mut Emit<'_>, x: Value) -> Value {
    let (s, c, q) = quadrant(e, x);
    let odd = bit(e, q, 1);
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
