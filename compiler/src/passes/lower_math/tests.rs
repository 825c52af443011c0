use super::*;
use crate::filetest::ulp_distance;
use crate::interp::alu::eval;
use crate::interp::{from_f64, to_f64, Round};
use crate::sir::{AluShape, FloatControls};
use smallvec::SmallVec;

/// The expansion of one operation, evaluated directly.
struct Lowered {
    kernel: Kernel,
    code: Vec<Inst>,
    args: Vec<Value>,
    result: Value,
}

impl Lowered {
    /// Without tables and with them.
    fn both(op: AluOp, ty: Type) -> [Lowered; 2] {
        [false, true].map(|tables| Lowered::new(op, ty, tables))
    }

    fn new(op: AluOp, ty: Type, tables: bool) -> Lowered {
        let mut kernel = Kernel::default();
        let second = if op.shape() == AluShape::Ldexp { Type::I32 } else { ty };
        let args: Vec<Value> = [ty, second].iter().take(op.shape().arity()).map(|&t| kernel.value(t)).collect();
        let result = kernel.value(if op.shape() == AluShape::FrexpExp { Type::I32 } else { ty });
        kernel.body.push(&[result], Op::alu(op, &args));
        assert!(run_for(&mut kernel, tables));
        let code = std::mem::take(&mut kernel.body.insts);
        for i in &code {
            assert!(!matches!(&i.op, Op::Alu { op, .. } if expands(*op)), "{op:?} is left over");
        }
        Lowered { kernel, code, args, result }
    }

    fn eval(&self, args: &[u64]) -> u64 {
        let mut env: SmallVec<[u64; 256]> = SmallVec::from_elem(0, self.kernel.types.len());
        for (&v, &bits) in self.args.iter().zip(args) {
            env[v.index()] = bits;
        }
        let fc = FloatControls::default();
        for inst in &self.code {
            let r = inst.results[0];
            env[r.index()] = match &inst.op {
                Op::Const(bits) => *bits,
                Op::Alu { op, args, .. } => {
                    let types: SmallVec<[Type; 4]> = args.iter().map(|&a| self.kernel.ty(a)).collect();
                    let values: SmallVec<[u64; 4]> = args.iter().map(|a| env[a.index()]).collect();
                    eval(*op, &types, self.kernel.ty(r), &values, &fc)
                }
                other => panic!("{other:?}"),
            };
        }
        env[self.result.index()]
    }
}

const SPECIAL: [f64; 22] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    -2.0,
    1e-45,
    -1e-45,
    1e-39,
    1.1754943508222875e-38,
    3.4028234663852886e38,
    -3.4028234663852886e38,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    0.999_999_94,
    1.000_000_1,
    88.722_84,
    -103.97,
    1e-20,
];

/// Samples in [low, high], evenly spaced and logarithmically spaced around 0.
fn samples(low: f64, high: f64) -> Vec<f64> {
    let n = 2500;
    let mut out: Vec<f64> = (0..=n).map(|i| low + (high - low) * f64::from(i) / f64::from(n)).collect();
    for i in 0..n {
        let m = 2f64.powf(-126.0 + 126.0 * f64::from(i) / f64::from(n));
        out.extend([m * high, m * low]);
    }
    out
}

/// Largest distance from the interpreter's result; results that differ in being NaN or infinite are reported at once.
fn worst(op: AluOp, ty: Type, inputs: &[f64]) -> (u64, f64) {
    let mut worst = (0, 0.0);
    for l in Lowered::both(op, ty) {
        for &x in inputs {
            let a = from_f64(ty, x, Round::Even);
            let expected = eval(op, &[ty], ty, &[a], &FloatControls::default());
            let d = ulp_distance(ty, l.eval(&[a]), expected);
            if d > worst.0 {
                worst = (d, to_f64(ty, a));
            }
        }
    }
    worst
}

fn check(op: AluOp, low: f64, high: f64, ulp: u64) {
    let mut inputs = samples(low, high);
    inputs.extend(SPECIAL);
    let (d, at) = worst(op, Type::F32, &inputs);
    assert!(d <= ulp, "{}: {d} ULP at {at:e}", op.name());
    // Every binary16 number; the approximation is much finer than its last place.
    let halves: Vec<f64> = (0..=0xffffu16).map(|b| half::f16::from_bits(b).to_f64()).collect();
    let (d, at) = worst(op, Type::F16, &halves);
    assert!(d <= 1, "{} in binary16: {d} ULP at {at:e}", op.name());
}

#[test]
fn exponentials() {
    check(AluOp::FExp2, -151.0, 129.0, 2);
    check(AluOp::FExp, -104.0, 89.0, 2);
}

#[test]
fn logarithms() {
    check(AluOp::FLog2, 0.0, 3.4e38, 2);
    check(AluOp::FLog, 0.0, 3.4e38, 2);
    let (d, at) = worst(AluOp::FLog2, Type::F32, &samples(0.5, 2.0));
    assert!(d <= 2, "{d} ULP at {at}");
    let (d, at) = worst(AluOp::FLog, Type::F32, &samples(0.5, 2.0));
    assert!(d <= 2, "{d} ULP at {at}");
}

/// Functions of one number, and units in the last place that they may be wrong by everywhere.
const EVERYWHERE: [(AluOp, u64); 8] = [
    (AluOp::FExp2, 2),
    (AluOp::FExp, 2),
    (AluOp::FLog2, 2),
    (AluOp::FLog, 2),
    (AluOp::FAsin, 3),
    (AluOp::FAcos, 3),
    (AluOp::FAtan, 2),
    (AluOp::FTanh, 3),
];

/// Every `step`-th binary32 number, of all magnitudes and signs, with what is none.
fn check_bits(step: usize) {
    for (op, ulp) in EVERYWHERE {
        for l in Lowered::both(op, Type::F32) {
            for bits in (0..=u64::from(u32::MAX)).step_by(step) {
                let expected = eval(op, &[Type::F32], Type::F32, &[bits], &FloatControls::default());
                let d = ulp_distance(Type::F32, l.eval(&[bits]), expected);
                assert!(d <= ulp, "{} of {bits:#x}: {d} ULP", op.name());
            }
        }
    }
}

#[test]
fn numbers_of_all_magnitudes() {
    check_bits(500_009);
}

#[test]
#[ignore = "by hand, in a release build: every number, an hour or two for each function"]
fn every_number() {
    check_bits(1);
}

#[test]
fn trigonometry() {
    let (d, at) = worst(AluOp::FTan, Type::F32, &samples(-20.0, 20.0));
    assert!(d <= 3, "ftan: {d} ULP at {at:e}");
    let halves: Vec<f64> = (0..=0xffffu16).map(|b| half::f16::from_bits(b).to_f64()).collect();
    for op in [AluOp::FSin, AluOp::FCos, AluOp::FTan] {
        let (d, at) = worst(op, Type::F16, &halves);
        assert!(d <= 1, "{} in binary16: {d} ULP at {at:e}", op.name());
    }
    for op in [AluOp::FSin, AluOp::FCos] {
        // Near the zeros far from the origin only the absolute error counts.
        let l = Lowered::new(op, Type::F32, true);
        // Arguments whose rounded product by 2/π names a neighbour of the nearest quadrant.
        let between = [58_258.484, 88_260.695, 153_759.77];
        for x in samples(-100_000.0, 100_000.0).into_iter().chain(between) {
            let a = from_f64(Type::F32, x, Round::Even);
            let expected = to_f64(Type::F32, eval(op, &[Type::F32], Type::F32, &[a], &FloatControls::default()));
            let found = to_f64(Type::F32, l.eval(&[a]));
            assert!((found - expected).abs() < 1.3e-7, "{}({x:e}) = {found:e}, not {expected:e}", op.name());
        }
        let (d, at) = worst(op, Type::F32, &samples(-1.5, 1.5));
        assert!(d <= 2, "{}: {d} ULP at {at:e}", op.name());
        for x in [1e9, 3e38, f64::NAN, f64::INFINITY] {
            let found = to_f64(Type::F32, l.eval(&[from_f64(Type::F32, x, Round::Even)]));
            assert!(if x.is_finite() { found.abs() <= 1.0 } else { found.is_nan() }, "{}({x}) = {found}", op.name());
        }
    }
}

#[test]
fn inverse_trigonometry() {
    check(AluOp::FAsin, -1.0, 1.0, 2);
    check(AluOp::FAcos, -1.0, 1.0, 2);
    check(AluOp::FAtan, -100.0, 100.0, 2);
}

#[test]
fn hyperbolic_functions() {
    check(AluOp::FSinh, -89.4, 89.4, 3);
    check(AluOp::FCosh, -89.4, 89.4, 2);
    check(AluOp::FTanh, -10.0, 10.0, 2);
    check(AluOp::FAsinh, -1e10, 1e10, 3);
    check(AluOp::FAcosh, 1.0, 1e10, 3);
    check(AluOp::FAtanh, -1.0, 1.0, 3);
    for op in [AluOp::FAsinh, AluOp::FAcosh] {
        let (d, at) = worst(op, Type::F32, &samples(-4.0, 4.0));
        assert!(d <= 3, "{}: {d} ULP at {at:e}", op.name());
    }
}

#[test]
fn unary_operations_that_are_exact() {
    for op in [AluOp::FRsqrt, AluOp::FSign, AluOp::FFrexpMant, AluOp::FFrexpExp] {
        let mut inputs = samples(-3e38, 3e38);
        inputs.extend(SPECIAL);
        for ty in [Type::F16, Type::F32, Type::F64] {
            let l = Lowered::new(op, ty, true);
            let result = if op == AluOp::FFrexpExp { Type::I32 } else { ty };
            for &x in &inputs {
                let a = from_f64(ty, x, Round::Even);
                let expected = eval(op, &[ty], result, &[a], &FloatControls::default());
                let found = l.eval(&[a]);
                let d = if result == Type::I32 { found.abs_diff(expected) } else { ulp_distance(ty, found, expected) };
                assert!(
                    d <= u64::from(op == AluOp::FRsqrt),
                    "{} of {x:e} as {ty}: {found:#x}, not {expected:#x}",
                    op.name()
                );
            }
        }
    }
    let mut inputs = samples(-70_000.0, 70_000.0);
    inputs.extend(SPECIAL);
    assert_eq!(worst(AluOp::FQuantize16, Type::F32, &inputs).0, 0);
}

/// All pairs of a list of interesting numbers.
fn pairs(op: AluOp, ty: Type, xs: &[f64], ys: &[f64], f: &mut dyn FnMut(f64, f64, u64, u64)) {
    for l in Lowered::both(op, ty) {
        for &x in xs {
            for &y in ys {
                let args = [from_f64(ty, x, Round::Even), from_f64(ty, y, Round::Even)];
                let expected = eval(op, &[ty, ty], ty, &args, &FloatControls::default());
                f(x, y, l.eval(&args), expected);
            }
        }
    }
}

#[test]
fn powers() {
    let xs: Vec<f64> =
        (0..700).map(|i| 2f64.powf(f64::from(i - 350) * 0.36)).chain((1..300).map(|i| f64::from(i) * 0.01)).collect();
    let ys: Vec<f64> =
        (-60..60).map(|i| f64::from(i) * 0.77).chain([0.5, 1.0, 2.0, -1.0, 3.0, 100.0, -100.0]).collect();
    pairs(AluOp::FPow, Type::F32, &xs, &ys, &mut |x, y, found, expected| {
        let d = ulp_distance(Type::F32, found, expected);
        assert!(d <= 3, "{x:e} ^ {y:e}: {d} ULP");
    });
    let special = [0.0, 1.0, f64::INFINITY, f64::NAN, 2.0, 0.5, -3.0];
    let exponents = [-2.5, -1.0, 0.0, 0.5, 2.0, 7.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    pairs(AluOp::FPow, Type::F32, &special, &exponents, &mut |x, y, found, expected| {
        assert!(ulp_distance(Type::F32, found, expected) <= 1, "{x} ^ {y}: {found:#x}, not {expected:#x}");
    });
}

#[test]
fn angles_of_points() {
    let mut xs: Vec<f64> = (-40..=40).map(|i| f64::from(i) * 0.37).collect();
    xs.extend(SPECIAL);
    xs.extend([1e30, -1e30, 1e-30, -1e-30]);
    pairs(AluOp::FAtan2, Type::F32, &xs, &xs, &mut |y, x, found, expected| {
        let (f, e) = (to_f64(Type::F32, found), to_f64(Type::F32, expected));
        // Where the quotient is denormal it has lost bits.
        let d = ulp_distance(Type::F32, found, expected);
        assert!(d <= 3 || (f - e).abs() < 1e-37, "atan2({y:e}, {x:e}) = {f:e}, not {e:e}");
    });
}

#[test]
fn remainders() {
    for ty in [Type::F16, Type::F32, Type::F64] {
        let xs: Vec<f64> = (-300..300).map(|i| f64::from(i) * 0.125).chain([1000.25, -7.75, 0.0, 6e4]).collect();
        let ys = [1.0, 2.0, 3.0, 0.75, -1.0, -2.5, 10.0, 0.1, -0.3, 1e-5, 0.0, f64::INFINITY, f64::NAN];
        for op in [AluOp::FRem, AluOp::FMod] {
            pairs(op, ty, &xs, &ys, &mut |x, y, found, expected| {
                let d = ulp_distance(ty, found, expected);
                assert!(d == 0, "{} {x} {y} as {ty}: {found:#x}, not {expected:#x}", op.name());
            });
        }
    }
}

/// Where the quotient rounds up to an integer, that is the one taken.
#[test]
fn remainders_follow_the_rounded_quotient() {
    // The largest number below 2^24 · 3 over 3.
    let (a, b) = (50_331_644.0, 3.0);
    assert_eq!((a as f32 / b as f32).fract(), 0.0);
    for op in [AluOp::FRem, AluOp::FMod] {
        pairs(op, Type::F32, &[a], &[b], &mut |_, _, found, expected| {
            assert_eq!((to_f64(Type::F32, found), to_f64(Type::F32, expected)), (-1.0, -1.0), "{}", op.name());
        });
    }
}

#[test]
fn ldexp_rounds_once() {
    for ty in [Type::F16, Type::F32, Type::F64] {
        let l = Lowered::new(AluOp::FLdexp, ty, true);
        let mut xs: Vec<f64> = (1..60).map(|i| f64::from(i) * 0.731).collect();
        xs.extend(SPECIAL);
        xs.extend([1.7e-38, 1.999_999_9, 1e300, 2.3e-308, 5e-324]);
        for x in xs {
            for n in (-1200..1200).step_by(7).chain([i32::MIN, i32::MAX, -2000, 2000]) {
                let args = [from_f64(ty, x, Round::Even), u64::from(n as u32)];
                let expected = eval(AluOp::FLdexp, &[ty, Type::I32], ty, &args, &FloatControls::default());
                let d = ulp_distance(ty, l.eval(&args), expected);
                assert!(d == 0, "{x:e} · 2^{n} as {ty}: off by {d}");
            }
        }
    }
}
