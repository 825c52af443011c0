//! GLSL.std.450 on 32-bit floats against double precision, within the bounds the specification sets.

use crate::support::*;

tests! { functions, special_values, float_controls }

/// How far a result may be off.
#[derive(Clone, Copy)]
enum Bound {
    /// Exactly this value (zeros of either sign).
    Exact,
    /// Units in the last place.
    Ulp(f64),
    /// Absolute.
    Abs(f64),
    /// Either of the two: units in the last place, or absolute.
    Either(f64, f64),
    /// The same bits.
    Bits,
}
use Bound::{Abs, Bits, Either, Exact, Ulp};

fn ulp(v: f64) -> f64 {
    let v = (v.abs() as f32).max(f32::MIN_POSITIVE);
    f64::from(f32::from_bits(v.to_bits() + 1)) - f64::from(v)
}

fn within(got: f32, want: f64, bound: Bound) -> bool {
    let g = f64::from(got);
    if want.is_nan() {
        return true;
    }
    let error = (g - want).abs();
    match bound {
        Exact => g == want,
        // Results too large for a float are infinite, or the largest.
        Ulp(_) | Abs(_) | Either(..) if want.abs() > f64::from(f32::MAX) => got.is_infinite() || got.abs() == f32::MAX,
        // Half an ulp more for rounding the reference.
        Ulp(n) => {
            error <= (n + 0.5) * ulp(want)
                || want.abs() < f64::from(f32::MIN_POSITIVE) && error <= f64::from(f32::MIN_POSITIVE)
        }
        Abs(a) => error <= a,
        Either(n, a) => error <= (n + 0.5) * ulp(want) || error <= a,
        Bits => got.to_bits() == (want as f32).to_bits(),
    }
}

/// Every function of `math.comp` in double precision, in its order, with its bound.
#[allow(clippy::too_many_lines)]
fn reference(xf: f32, yf: f32) -> Vec<(&'static str, f64, Bound)> {
    let (x, y) = (f64::from(xf), f64::from(yf));
    let pf = xf.abs();
    let p = f64::from(pf);
    let unit_f = (xf * 0.01).clamp(-1.0, 1.0);
    let unit = f64::from(unit_f);
    let small = x.clamp(-30.0, 30.0);
    let f = |v: f32| f64::from(v);
    let (angle, steep) = (f(unit_f * std::f32::consts::PI), f(unit_f * 1.5));
    let five = f(unit_f * 5.0);
    let base = f(pf + 0.01);
    let exponent = y.clamp(-5.0, 5.0);
    let near = f(pf + 0.001);
    // Angles carry the error of the multiplication before, one ulp.
    let trig = Abs(2f64.powi(-11) + 1e-6);
    // pow is exp2(y · log2 x): errors of both.
    let power = base.powf(exponent);
    let power_bound = Ulp(16.0 + 3.0 * (exponent * base.log2()).abs() * 4.0 + 8.0);
    let exp_bound = |v: f64| Ulp(3.0 + 2.0 * v.abs());
    let log_bound = |v: f64| if (0.5..=2.0).contains(&v) { Abs(2f64.powi(-21) + 1e-7) } else { Ulp(4.0) };
    let hyperbolic = Either(40.0, 1e-5);
    let atan_bound = Ulp(4096.0);
    let t = ((x + 10.0) / 20.0).clamp(0.0, 1.0);
    let length = (x * x + y * y + 4.0).sqrt();
    let n3 = (x * x + y * y + 9.0).sqrt();
    let d = x * f(0.6) + y * f(0.8);
    let k = 1.0 - 0.25 * (1.0 - f(0.8) * f(0.8));
    let (m, e) = frexp(xf);
    let det = f(xf + 300.0) * f(yf + 300.0) - 2.0;
    let unorm8 = |v: f64| ((v.clamp(0.0, 1.0) * 255.0).round_ties_even() as u32) & 0xff;
    let snorm16 = |v: f64| ((v.clamp(-1.0, 1.0) * 32767.0).round_ties_even() as i32 as u32) & 0xffff;
    let half = |v: f32| u32::from(half::f16::from_f32(v).to_bits());
    let bits = |b: u32| f64::from(f32::from_bits(b));
    let xb = xf.to_bits();
    let fraction = x - x.floor();
    vec![
        ("round", if (x - x.trunc()).abs() == 0.5 { f64::NAN } else { x.round() }, Exact),
        ("roundEven", x.round_ties_even(), Exact),
        ("trunc", x.trunc(), Exact),
        ("abs", p, Exact),
        ("sign", if x == 0.0 { 0.0 } else { x.signum() }, Exact),
        ("floor", x.floor(), Exact),
        ("ceil", x.ceil(), Exact),
        ("fract", fraction, Abs(1e-6 * x.abs().max(1.0) * 1e-1 + 6e-8)),
        ("radians", x.to_radians(), Ulp(4.0)),
        ("degrees", x.to_degrees(), Ulp(4.0)),
        ("sin", angle.sin(), trig),
        ("cos", angle.cos(), trig),
        ("tan", steep.tan(), Abs(2f64.powi(-10) * (1.0 + steep.tan().abs()) * (1.0 + steep.tan().abs()))),
        ("asin", unit.asin(), Either(4096.0, 1e-3)),
        ("acos", unit.acos(), Either(4096.0, 1e-3)),
        ("atan", x.atan(), atan_bound),
        ("sinh", five.sinh(), hyperbolic),
        ("cosh", five.cosh(), hyperbolic),
        ("tanh", five.tanh(), hyperbolic),
        // Through logarithms: absolute error where the argument is near one, relative to the argument's rounding.
        // By the specification's formula large negative arguments cancel out.
        ("asinh", if x < -50.0 { f64::NAN } else { x.asinh() }, Abs(2e-3 * (1.0 + x.abs()).ln().max(1.0))),
        ("acosh", f(1.0 + pf).acosh(), Abs(2e-3)),
        ("atanh", f(unit_f * 0.9).atanh(), Abs(1e-3)),
        ("atan2", if x == 0.0 && y == 0.0 { f64::NAN } else { y.atan2(x) }, atan_bound),
        ("pow", power, power_bound),
        ("exp", small.exp(), exp_bound(small)),
        ("log", near.ln(), log_bound(near)),
        ("exp2", small.exp2(), exp_bound(small)),
        ("log2", near.log2(), log_bound(near)),
        ("sqrt", p.sqrt(), Ulp(5.0)),
        ("inversesqrt", 1.0 / near.sqrt(), Ulp(2.0)),
        ("determinant", 2.0 * x - y, Abs((2.0 * p + y.abs()) * 1e-6 + 1e-30)),
        ("min", x.min(y), Exact),
        ("max", x.max(y), Exact),
        ("clamp", x.clamp(-1.0, 2.0), Exact),
        ("mix", x * 0.75 + y * 0.25, Abs((p + y.abs()) * 4e-7)),
        ("step", if y < x { 0.0 } else { 1.0 }, Exact),
        ("smoothstep", t * t * (3.0 - 2.0 * t), Abs(2e-6)),
        ("fma", x * y + 1.0, Either(1.0, (x * y).abs() * 1.3e-7 + 1e-7)),
        ("length", length, Ulp(16.0)),
        ("distance", ((x - 1.0) * (x - 1.0) + (y - 1.0) * (y - 1.0)).sqrt(), Either(16.0, 1e-6)),
        ("cross", y * 4.0 - 3.0, Abs((y.abs() * 4.0 + 3.0) * 1e-6)),
        ("normalize", x / n3, Either(24.0, 1e-6)),
        ("faceforward", if y < 0.0 { x } else { -x }, f64_faceforward(y)),
        ("reflect", x - 2.0 * d * f(0.6), Abs((p + y.abs()) * 1e-6)),
        ("refract", 0.5 * -f(0.8) - (0.5 * -f(0.8) + k.sqrt()), Abs(2e-6)),
        ("modf", x - x.trunc(), Exact),
        ("modf whole", x.trunc(), Exact),
        ("frexp", m, Exact),
        ("frexp exponent", f64::from(e), Exact),
        ("ldexp", unit * 8.0, Exact),
        ("packUnorm4x8", bits(unorm8(unit) | unorm8(0.5) << 8 | 255 << 24), Bits),
        ("packSnorm2x16", f64::NAN, Bits),
        ("packHalf2x16", f64::NAN, Bits),
        ("unpackHalf2x16", f64::from(half::f16::from_f32(unit_f)), Abs(2f64.powi(-11))),
        ("unpackUnorm2x16", f64::from(xb >> 16) / 65535.0, Ulp(2.5)),
        ("unpackSnorm4x8", (f64::from((xb >> 16) as u8 as i8) / 127.0).max(-1.0), Ulp(2.5)),
        ("inverse", -1.0 / det, Ulp(64.0)),
        ("division", x / f(pf + 1.0), Ulp(2.5)),
        ("mod", x - 3.0 * (x / 3.0).floor(), f64_mod(x)),
        ("dot", 3.0 * x + 4.0 * y + 17.0, Abs((3.0 * p + 4.0 * y.abs() + 17.0) * 1e-6)),
        ("to int", x.clamp(-1000.0, 1000.0).trunc(), Exact),
        ("to uint", if p < 4e9 { p.trunc() } else { f64::NAN }, Exact),
        ("isnan", 0.0, Exact),
        ("isinf", 0.0, Exact),
        // Not outputs: what the packed words should be, for the caller.
        ("packed", f64::from(snorm16(unit) | snorm16(-0.5) << 16), Exact),
        ("packed", f64::from(half(unit_f) | half(xf) << 16), Exact),
    ]
}

/// The dot product decides; near zero it may go either way.
fn f64_faceforward(y: f64) -> Bound {
    if y.abs() < 1e-30 {
        Abs(f64::INFINITY)
    } else {
        Exact
    }
}

/// Near multiples of three the quotient may round over.
fn f64_mod(x: f64) -> Bound {
    let q = x / 3.0;
    if (q - q.round()).abs() < 1e-5 * (1.0 + q.abs()) {
        Abs(f64::INFINITY)
    } else {
        Abs(x.abs() * 4e-7 + 1e-6)
    }
}

fn frexp(v: f32) -> (f64, i32) {
    if v == 0.0 {
        return (0.0, 0);
    }
    let e = ((v.to_bits() >> 23) & 0xff) as i32 - 126;
    (f64::from(v) / 2f64.powi(e), e)
}

const FUNCTIONS: usize = 64;

unsafe fn run(xs: &[f32], ys: &[f32]) -> R<Vec<f32>> {
    let t = T::new(&[])?;
    let n = xs.len() as u32;
    let o = t.zeros(u64::from(n) * 4 * FUNCTIONS as u64)?;
    let bindings = [B::S(t.buf_of(xs)?), B::S(t.buf_of(ys)?), B::S(o)];
    t.compute(spv!("math"), &bindings, &words(&[n]), [n.div_ceil(32), 1, 1])?;
    Ok(o.get())
}

unsafe fn functions() -> R {
    let mut random = Random(99);
    // Every magnitude, dense around one, whole and half numbers.
    let mut xs = vec![0.5f32, 1.5, 2.5, -0.5, -1.5, 1.0, -1.0, 3.0, 100.0, -100.0, 0.25, 1e-3, -1e-3, 7.0];
    xs.extend((0..300).map(|_| (random.below(200_001) as f32 - 100_000.0) / 1000.0));
    xs.extend((0..300).map(|_| {
        let e = random.below(30) as i32 - 14;
        (1.0 + random.below(1 << 20) as f32 / (1 << 20) as f32)
            * 2f32.powi(e)
            * if random.below(2) == 0 { -1.0 } else { 1.0 }
    }));
    let ys: Vec<f32> = (0..xs.len()).map(|_| (random.below(200_001) as f32 - 100_000.0) / 1000.0).collect();
    let got = run(&xs, &ys)?;
    let n = xs.len();
    let mut wrong = Vec::new();
    for (i, (x, y)) in xs.iter().zip(&ys).enumerate() {
        let list = reference(*x, *y);
        for (k, (name, want, bound)) in list.iter().take(FUNCTIONS).enumerate() {
            let g = got[k * n + i];
            let good = match *name {
                // Each half may differ by one: rounding of a tie, or to zero.
                "packSnorm2x16" => halves_near(g.to_bits(), list[FUNCTIONS].1 as u32),
                "packHalf2x16" => halves_near(g.to_bits(), list[FUNCTIONS + 1].1 as u32),
                "packUnorm4x8" => {
                    let (a, b) = (g.to_bits().to_le_bytes(), (*want as f32).to_bits().to_le_bytes());
                    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 1)
                }
                _ => within(g, *want, *bound),
            };
            if !good && wrong.len() < 12 {
                wrong.push(format!("{name} of x = {x:e}, y = {y:e} is {g:e} ({:#x}), should be {want:e}", g.to_bits()));
            }
        }
    }
    check!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    Ok(())
}

fn halves_near(a: u32, b: u32) -> bool {
    (a & 0xffff).abs_diff(b & 0xffff) <= 1 && (a >> 16).abs_diff(b >> 16) <= 1
}

unsafe fn special_values() -> R {
    // What must hold for zeros and large values whatever the float controls.
    let xs = [0.0f32, -0.0, 1e30, -1e30, 3e38, 8_388_609.0, -8_388_609.0, 16_777_216.0];
    let ys = [1.0f32; 8];
    let got = run(&xs, &ys)?;
    let n = xs.len();
    for (i, x) in xs.iter().enumerate() {
        // Whole already: all roundings give the value back.
        for k in [0, 1, 2, 5, 6] {
            same!(got[k * n + i], *x, "rounding function {k} of {x:e}");
        }
        same!(got[3 * n + i], x.abs(), "abs of {x:e}");
        same!(got[46 * n + i], *x, "modf of {x:e}");
        let root = f64::from(x.abs()).sqrt();
        check!(within(got[28 * n + i], root, Ulp(5.0)), "sqrt of {x:e} is {:e}", got[28 * n + i]);
    }
    Ok(())
}

/// The nearest float that is not farther from 0; exact in `f64` arithmetic for the operands used here.
fn towards_zero(exact: f64) -> f32 {
    let near = exact as f32;
    let near = if f64::from(near).abs() > exact.abs() { f32::from_bits(near.to_bits() - 1) } else { near };
    flushed(near)
}

fn flushed(v: f32) -> f32 {
    if v.abs() < f32::MIN_POSITIVE {
        0.0f32.copysign(v)
    } else {
        v
    }
}

/// Rounding towards zero and flushing of denormals, of 32-bit floats.
unsafe fn float_controls() -> R {
    let t = T::new(&[])?;
    need!(t.props.api_version >= ash::vk::API_VERSION_1_2, "Vulkan 1.2");
    let v12 = t.property::<ash::vk::PhysicalDeviceVulkan12Properties<'static>>();
    need!(v12.shader_rounding_mode_rtz_float32 != 0, "rounding towards zero");
    need!(v12.shader_denorm_flush_to_zero_float32 != 0, "flushing of denormals");
    let mut random = Random(31);
    // Sums of numbers that are at most 2^20 apart are exact in binary64.
    let mut data: Vec<f32> = (0..128 * 2)
        .map(|_| {
            let word = random.word();
            f32::from_bits(word & 0x807f_ffff | (118 + (word >> 23 & 0x0f)) << 23)
        })
        .collect();
    let denormal = f32::from_bits(0x0040_0001);
    let special = [denormal, 1.0, -denormal, 3.0, f32::MIN_POSITIVE, -1e-45, f32::MAX, f32::MAX, 1e-20, -1e-21];
    data[..10].copy_from_slice(&special);
    let (i, o) = (t.buf_of(&data)?, t.zeros(128 * 3 * 4)?);
    t.compute(spv!("float_controls"), &[B::S(i), B::S(o)], &[], [2, 1, 1])?;
    let exact = |v: f32| f64::from(flushed(v));
    let want: Vec<u32> = data
        .chunks(2)
        .flat_map(|c| {
            let (a, b) = (exact(c[0]), exact(c[1]));
            [towards_zero(a + b), towards_zero(a * b), towards_zero(a * 0.5)].map(f32::to_bits)
        })
        .collect();
    equal(&o.get::<u32>(), &want)
}
