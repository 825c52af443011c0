//! Floating-point part of [`super::alu::eval`].

use super::alu::signed;
use super::soft::{self, Format, Round};
use crate::sir::{AluOp, FloatControls, FloatMode, Type};

const fn mode(fc: &FloatControls, t: Type) -> FloatMode {
    match t {
        Type::F16 => fc.f16,
        Type::F32 => fc.f32,
        _ => fc.f64,
    }
}

const fn rounding(m: FloatMode) -> Round {
    if m.rtz {
        Round::Zero
    } else {
        Round::Even
    }
}

/// The value as binary64; exact.
pub fn to_f64(t: Type, bits: u64) -> f64 {
    match t {
        Type::F16 => half::f16::from_bits(bits as u16).to_f64(),
        Type::F32 => f64::from(f32::from_bits(bits as u32)),
        _ => f64::from_bits(bits),
    }
}

/// The nearest value of type `t`.
pub fn from_f64(t: Type, x: f64, round: Round) -> u64 {
    match (t, round) {
        (Type::F64, _) => x.to_bits(),
        (Type::F32, Round::Even) => u64::from((x as f32).to_bits()),
        _ => soft::convert(Format::of(Type::F64), Format::of(t), x.to_bits(), round),
    }
}

/// The value, or a zero of its sign if it is denormal and such are flushed.
pub fn flush_as_controlled(t: Type, bits: u64, fc: &FloatControls) -> u64 {
    if t.is_float() && mode(fc, t).flush_denorms {
        flush(t, bits)
    } else {
        bits
    }
}

/// Replaces a denormal by a zero of its sign.
fn flush(t: Type, bits: u64) -> u64 {
    let (exp, sign) = match t {
        Type::F16 => (0x7c00, 0x8000),
        Type::F32 => (0x7f80_0000, 0x8000_0000),
        _ => (0x7ff0 << 48, 1 << 63),
    };
    if bits & exp == 0 {
        bits & sign
    } else {
        bits
    }
}

/// Operations on floating-point operands of type `t`.
pub fn eval(op: AluOp, t: Type, args: &[u64], fc: &FloatControls) -> u64 {
    let m = mode(fc, t);
    let sign = 1u64 << (t.bits() - 1);
    let flushed = |x: u64| if m.flush_denorms { flush(t, x) } else { x };
    let a = flushed(args[0]);
    // Besides flushing its operand, sign manipulation touches nothing but the sign.
    match op {
        AluOp::FNeg => return a ^ sign,
        AluOp::FAbs => return a & !sign,
        _ => {}
    }
    let b = if op == AluOp::FLdexp { args[1] } else { flushed(args.get(1).copied().unwrap_or(0)) };
    let x = to_f64(t, a);
    let y = to_f64(t, b);
    match op {
        AluOp::FEq => return u64::from(x == y),
        AluOp::FNe => return u64::from(x != y),
        AluOp::FLt => return u64::from(x < y),
        AluOp::FLe => return u64::from(x <= y),
        AluOp::FIsNan => return u64::from(x.is_nan()),
        AluOp::FIsInf => return u64::from(x.is_infinite()),
        AluOp::FFrexpExp => return u64::from(frexp(x).1 as u32),
        _ => {}
    }
    let c = flushed(args.get(2).copied().unwrap_or(0));
    flushed(arithmetic(op, t, [a, b, c], m))
}

fn arithmetic(op: AluOp, t: Type, [a, b, c]: [u64; 3], m: FloatMode) -> u64 {
    let f = Format::of(t);
    let r = if op.rounds_as_controlled() { rounding(m) } else { Round::Even };
    let host = r == Round::Even && t != Type::F16;
    let x = to_f64(t, a);
    let y = to_f64(t, b);
    // binary64 holds the exact result or the format's own rounding decides; `out` rounds once more, to `t`.
    let out = |v: f64| from_f64(t, v, r);
    match op {
        AluOp::FAdd | AluOp::FSub | AluOp::FMul | AluOp::FDiv | AluOp::Fma | AluOp::FSqrt if host => {
            if t == Type::F32 {
                let (x, y) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
                u64::from(host32(op, x, y, f32::from_bits(c as u32)).to_bits())
            } else {
                host64(op, x, y, f64::from_bits(c)).to_bits()
            }
        }
        AluOp::FAdd => soft::add(f, a, b, r),
        AluOp::FSub => soft::add(f, a, soft::neg(f, b), r),
        AluOp::FMul => soft::mul(f, a, b, r),
        AluOp::FDiv => soft::div(f, a, b, r),
        AluOp::Fma => soft::fma(f, a, b, c, r),
        AluOp::FSqrt => soft::sqrt(f, a, r),
        AluOp::FRem | AluOp::FMod if t == Type::F16 => {
            let (half, single) = (Format::of(Type::F16), Format::of(Type::F32));
            let [a, b] = [a, b].map(|v| soft::convert(half, single, v, Round::Even));
            soft::convert(single, half, arithmetic(op, Type::F32, [a, b, 0], m), r)
        }
        AluOp::FRem | AluOp::FMod => {
            let q = arithmetic(AluOp::FDiv, t, [a, b, 0], m);
            let whole = if op == AluOp::FRem { AluOp::FTrunc } else { AluOp::FFloor };
            let q = arithmetic(whole, t, [q, 0, 0], m);
            arithmetic(AluOp::Fma, t, [soft::neg(f, q), b, a], m)
        }
        AluOp::FSign => out(if x > 0.0 {
            1.0
        } else if x < 0.0 {
            -1.0
        } else if x == 0.0 {
            x
        } else {
            0.0
        }),
        AluOp::FMin => min_max(t, a, b, x, y, x < y || (x == y && x.is_sign_negative())),
        AluOp::FMax => min_max(t, a, b, x, y, x > y || (x == y && x.is_sign_positive())),
        AluOp::FFloor => out(x.floor()),
        AluOp::FCeil => out(x.ceil()),
        AluOp::FTrunc => out(x.trunc()),
        AluOp::FRoundEven => out(x.round_ties_even()),
        AluOp::FRsqrt => out(1.0 / x.sqrt()),
        AluOp::FExp2 => out(x.exp2()),
        AluOp::FExp => out(x.exp()),
        AluOp::FLog2 => out(x.log2()),
        AluOp::FLog => out(x.ln()),
        AluOp::FPow => out(if x < 0.0 && y != 0.0 { f64::NAN } else { x.powf(y) }),
        AluOp::FSin => out(x.sin()),
        AluOp::FCos => out(x.cos()),
        AluOp::FTan => out(x.tan()),
        AluOp::FAsin => out(x.asin()),
        AluOp::FAcos => out(x.acos()),
        AluOp::FAtan => out(x.atan()),
        AluOp::FAtan2 => out(x.atan2(y)),
        AluOp::FSinh | AluOp::FCosh => {
            let power = from_f64(t, x.abs().exp(), Round::Even);
            let overflows = t != Type::F16 && to_f64(t, power).is_infinite();
            let v = match (op, overflows) {
                (AluOp::FSinh, true) => f64::INFINITY.copysign(x),
                (AluOp::FSinh, false) => x.sinh(),
                (_, true) => f64::INFINITY,
                (_, false) => x.cosh(),
            };
            out(v)
        }
        AluOp::FTanh => out(x.tanh()),
        AluOp::FAsinh => out(x.asinh()),
        AluOp::FAcosh => out(x.acosh()),
        AluOp::FAtanh => out(x.atanh()),
        AluOp::FScale => soft::scale(f, a, y as i32, r),
        AluOp::FScaleAny => scale_any(a, x, y, r),
        AluOp::FExponent => out(match x {
            _ if x.is_nan() => x,
            0.0 => f64::NEG_INFINITY,
            _ if x.is_infinite() => f64::INFINITY,
            _ => exponent(x),
        }),
        AluOp::FSignificand => out(match x {
            _ if x.is_nan() || x < 0.0 => f64::NAN,
            0.0 => 1f64.copysign(x),
            _ if x.is_infinite() => 1.0,
            _ => x / exponent(x).exp2(),
        }),
        AluOp::FLdexp => soft::scale(f, a, b as u32 as i32, r),
        AluOp::FFrexpMant => out(frexp(x).0),
        AluOp::FQuantize16 => {
            let h = soft::convert(f, Format::of(Type::F16), a, Round::Even);
            soft::convert(Format::of(Type::F16), f, flush(Type::F16, h), Round::Even)
        }
        _ => 0,
    }
}

fn host32(op: AluOp, x: f32, y: f32, z: f32) -> f32 {
    match op {
        AluOp::FAdd => x + y,
        AluOp::FSub => x - y,
        AluOp::FMul => x * y,
        AluOp::FDiv => x / y,
        AluOp::Fma => x.mul_add(y, z),
        _ => x.sqrt(),
    }
}

fn host64(op: AluOp, x: f64, y: f64, z: f64) -> f64 {
    match op {
        AluOp::FAdd => x + y,
        AluOp::FSub => x - y,
        AluOp::FMul => x * y,
        AluOp::FDiv => x / y,
        AluOp::Fma => x.mul_add(y, z),
        _ => x.sqrt(),
    }
}

/// ⌊log2 |x|⌋ of a number that is not 0 and is no binary64 denormal.
fn exponent(x: f64) -> f64 {
    ((x.to_bits() >> 52 & 0x7ff) as i32 - 1023).into()
}

/// a · 2^⌊y⌋ for binary32 bits `a`, whose value is `x`.
fn scale_any(a: u64, x: f64, y: f64, r: Round) -> u64 {
    let of = |v: f64| from_f64(Type::F32, v, r);
    if y.is_nan() {
        return of(f64::NAN);
    }
    if y.is_infinite() {
        return match (x, y > 0.0) {
            _ if x.is_nan() => of(if y > 0.0 { y } else { 0.0 }),
            (0.0, true) => of(f64::NAN),
            (0.0, false) => a,
            (_, true) => of(f64::INFINITY.copysign(x)),
            (_, false) if x.is_infinite() => of(f64::NAN),
            (_, false) => of(0f64.copysign(x)),
        };
    }
    soft::scale(Format::of(Type::F32), a, y.floor().clamp(-1000.0, 1000.0) as i32, r)
}

/// NaN gives way to the other operand; −0 is less than +0.
fn min_max(t: Type, a: u64, b: u64, x: f64, y: f64, first: bool) -> u64 {
    if x.is_nan() && y.is_nan() {
        from_f64(t, f64::NAN, Round::Even)
    } else if y.is_nan() || (first && !x.is_nan()) {
        a
    } else {
        b
    }
}

/// Significand in ±[0.5, 1) and exponent; zero, infinities and NaN come back with exponent 0.
fn frexp(x: f64) -> (f64, i32) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    let (scaled, extra) = if x.abs() < f64::MIN_POSITIVE { (x * 2f64.powi(64), -64) } else { (x, 0) };
    let bits = scaled.to_bits();
    let exp = ((bits >> 52) & 0x7ff) as i32 - 1022;
    (f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52), exp + extra)
}

/// Conversions from or to floating point.
pub fn convert(op: AluOp, from: Type, to: Type, bits: u64, fc: &FloatControls) -> u64 {
    let a = flush_as_controlled(from, bits, fc);
    let x = || to_f64(from, a);
    let m = mode(fc, to);
    let done = |r: u64| if m.flush_denorms { flush(to, r) } else { r };
    match op {
        AluOp::FToS => {
            let max = (to.mask() >> 1) as i64;
            (x() as i64).clamp(-max - 1, max) as u64 & to.mask()
        }
        AluOp::FToU => (x() as u64).min(to.mask()),
        AluOp::SToF => {
            let v = signed(from, a);
            done(soft::from_int(Format::of(to), v < 0, v.unsigned_abs(), rounding(m)))
        }
        AluOp::UToF => done(soft::from_int(Format::of(to), false, a, rounding(m))),
        AluOp::FConv => done(soft::convert(Format::of(from), Format::of(to), a, rounding(m))),
        AluOp::FConvRtz => done(soft::convert(Format::of(from), Format::of(to), a, Round::Zero)),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32op(op: AluOp, args: &[f32]) -> f32 {
        let bits: Vec<u64> = args.iter().map(|x| u64::from(x.to_bits())).collect();
        f32::from_bits(eval(op, Type::F32, &bits, &FloatControls::default()) as u32)
    }

    #[test]
    fn minimum_and_maximum() {
        assert_eq!(f32op(AluOp::FMin, &[f32::NAN, 2.0]), 2.0);
        assert_eq!(f32op(AluOp::FMax, &[2.0, f32::NAN]), 2.0);
        assert!(f32op(AluOp::FMin, &[0.0, -0.0]).is_sign_negative());
        assert!(f32op(AluOp::FMax, &[-0.0, 0.0]).is_sign_positive());
        assert!(f32op(AluOp::FMax, &[f32::NAN, f32::NAN]).is_nan());
    }

    #[test]
    fn remainders() {
        assert_eq!(f32op(AluOp::FRem, &[-7.5, 2.0]), -1.5);
        assert_eq!(f32op(AluOp::FMod, &[-7.5, 2.0]), 0.5);
        assert_eq!(f32op(AluOp::FMod, &[7.5, -2.0]), -0.5);
        assert!(f32op(AluOp::FMod, &[1.0, 0.0]).is_nan());
    }

    #[test]
    fn hyperbolic_functions_overflow_with_the_exponential() {
        for (x, overflows) in [(88.7f32, false), (88.73, true), (89.3, true), (f32::INFINITY, true)] {
            for x in [x, -x] {
                let (s, c) = (f32op(AluOp::FSinh, &[x]), f32op(AluOp::FCosh, &[x]));
                assert_eq!((s.is_infinite(), c.is_infinite()), (overflows, overflows), "{x}");
                assert_eq!((s.is_sign_negative(), c.is_sign_negative()), (x < 0.0, false), "{x}");
            }
        }
    }

    #[test]
    fn frexp_and_ldexp_are_inverse() {
        for x in [1.0f32, -0.75, 1e-45, 3e38, 1.2e-38, 0.0] {
            let bits = [u64::from(x.to_bits())];
            let e = eval(AluOp::FFrexpExp, Type::F32, &bits, &FloatControls::default());
            let m = eval(AluOp::FFrexpMant, Type::F32, &bits, &FloatControls::default());
            assert!(x == 0.0 || (0.5..1.0).contains(&f32::from_bits(m as u32).abs()));
            assert_eq!(eval(AluOp::FLdexp, Type::F32, &[m, e], &FloatControls::default()), bits[0]);
        }
    }

    #[test]
    fn half_fma_rounds_once() {
        // 1.0009766 · 1.0009766 + 2^-24: rounding the product first gives a tie that goes the other way.
        let one = 0x3c01u64;
        let got = eval(AluOp::Fma, Type::F16, &[one, one, 0x0001], &FloatControls::default());
        let exact = half::f16::from_bits(0x3c01).to_f64().powi(2) + 2f64.powi(-24);
        let nearest = (0x3c00..0x3c10u64)
            .min_by(|a, b| (to_f64(Type::F16, *a) - exact).abs().total_cmp(&(to_f64(Type::F16, *b) - exact).abs()));
        assert_eq!(Some(got), nearest);
    }

    #[test]
    fn float_controls() {
        let mut fc = FloatControls::default();
        let tiny = 1u64;
        let one = u64::from(1f32.to_bits());
        assert_eq!(eval(AluOp::FMul, Type::F32, &[tiny, one], &fc), tiny);
        fc.f32.flush_denorms = true;
        assert_eq!(eval(AluOp::FMul, Type::F32, &[tiny, one], &fc), 0);
        assert_eq!(eval(AluOp::FEq, Type::F32, &[tiny, 0], &fc), 1);
        assert_eq!(eval(AluOp::FNeg, Type::F32, &[tiny], &fc), 0x8000_0000);
        assert_eq!(eval(AluOp::FAbs, Type::F32, &[tiny | 0x8000_0000], &fc), 0);
        fc.f32.rtz = true;
        let eps = u64::from((f32::EPSILON * 0.75).to_bits());
        assert_eq!(eval(AluOp::FAdd, Type::F32, &[one, eps], &fc), one);
        fc.f32.rtz = false;
        assert_eq!(eval(AluOp::FAdd, Type::F32, &[one, eps], &fc), one + 1);
    }

    #[test]
    fn conversions_saturate() {
        let fc = FloatControls::default();
        let c = |op, to, x: f32| convert(op, Type::F32, to, u64::from(x.to_bits()), &fc);
        assert_eq!(c(AluOp::FToS, Type::I32, 3e9), 0x7fff_ffff);
        assert_eq!(c(AluOp::FToS, Type::I8, -1000.0), 0x80);
        assert_eq!(c(AluOp::FToU, Type::I16, 70_000.0), 0xffff);
        assert_eq!(c(AluOp::FToU, Type::I32, -1.0), 0);
        assert_eq!(c(AluOp::FToS, Type::I64, f32::NAN), 0);
        assert_eq!(convert(AluOp::UToF, Type::I64, Type::F16, 65_520, &fc), 0x7c00);
        assert_eq!(convert(AluOp::UToF, Type::I64, Type::F16, 65_519, &fc), 0x7bff);
        assert_eq!(f32op(AluOp::FQuantize16, &[1e-7]), 0.0);
        assert_eq!(f32op(AluOp::FQuantize16, &[1.0004]), 1.0);
    }
}
