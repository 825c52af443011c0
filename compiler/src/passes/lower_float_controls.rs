//! Writes out what float controls ask for, so that GPU back ends need only IEEE arithmetic that rounds to nearest even and
//! keeps denormals: operands and results of a width that flushes are compared with the least normal number, and a width that
//! rounds towards zero computes in binary64 and truncates.
//!
//! The kernel's flags are cleared. Kernels that round binary64 itself towards zero are left alone: it has no wider type.

use super::emit::Emit;
use crate::hash::HashSet;
use crate::sir::{AluOp, AluShape, FloatControls, FloatMode, Inst, Kernel, Op, Region, SubgroupOp, Type, Value};
use smallvec::SmallVec;

/// Whether the pass has anything to do.
pub fn needed(kernel: &Kernel) -> bool {
    let fc = &kernel.float_controls;
    let any = fc.f16.rtz || fc.f32.rtz || [fc.f16, fc.f32, fc.f64].iter().any(|m| m.flush_denorms);
    any && !fc.f64.rtz
}

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    if !needed(kernel) {
        return false;
    }
    let fc = kernel.float_controls;
    let mut body = std::mem::take(&mut kernel.body);
    Lowering { fc, flushed: HashSet::default() }.region(kernel, &mut body);
    kernel.body = body;
    let left = &mut kernel.float_controls;
    for mode in [&mut left.f16, &mut left.f32, &mut left.f64] {
        mode.flush_denorms = false;
    }
    left.f16.rtz = false;
    left.f32.rtz = false;
    true
}

struct Lowering {
    fc: FloatControls,
    /// Values that are no denormals that would have to be flushed.
    flushed: HashSet<Value>,
}

impl Lowering {
    fn region(&mut self, kernel: &mut Kernel, region: &mut Region) {
        let insts = std::mem::take(&mut region.insts);
        let mut out = Vec::with_capacity(insts.len());
        for mut inst in insts {
            inst.op.for_each_region_mut(&mut |r| self.region(kernel, r));
            match &inst.op {
                Op::Alu { op, args, .. } => {
                    let (op, args) = (*op, args.clone());
                    self.alu(kernel, &mut out, op, &args, inst);
                }
                Op::Subgroup { op: SubgroupOp::Group { .. }, args } => {
                    let (ty, args) = (kernel.ty(args[0]), args.clone());
                    if self.fc.of(ty).flush_denorms {
                        let flushed = self.flush(kernel, &mut out, args[0]);
                        if let Op::Subgroup { args, .. } = &mut inst.op {
                            args[0] = flushed;
                        }
                        let result = inst.results[0];
                        let raw = kernel.value(ty);
                        inst.results[0] = raw;
                        out.push(inst);
                        self.flush_into(kernel, &mut out, raw, result);
                    } else {
                        out.push(inst);
                    }
                }
                _ => out.push(inst),
            }
        }
        region.insts = out;
    }

    fn alu(&mut self, kernel: &mut Kernel, out: &mut Vec<Inst>, op: AluOp, args: &[Value], inst: Inst) {
        let result = inst.results[0];
        let (from, to) = (kernel.ty(args[0]), kernel.ty(result));
        let (reads, makes) = match op.shape() {
            // Besides flushing its operand, sign manipulation touches nothing but the sign.
            AluShape::Float(_) if matches!(op, AluOp::FNeg | AluOp::FAbs) => {
                let mut inst = inst;
                if self.fc.of(from).flush_denorms {
                    let flushed = self.flush(kernel, out, args[0]);
                    if let Op::Alu { args, .. } = &mut inst.op {
                        args[0] = flushed;
                    }
                    self.flushed.insert(result);
                }
                out.push(inst);
                return;
            }
            AluShape::Float(_) | AluShape::Ldexp => (self.fc.of(from), self.fc.of(to)),
            AluShape::FloatCmp(_) | AluShape::FrexpExp => (self.fc.of(from), FloatMode::default()),
            AluShape::Convert => match op {
                AluOp::SToF | AluOp::UToF => (FloatMode::default(), self.fc.of(to)),
                AluOp::FConv | AluOp::FConvRtz => (self.fc.of(from), self.fc.of(to)),
                // Denormals are 0 as integers in any case; bits are bits.
                AluOp::FToS | AluOp::FToU | AluOp::ITrunc | AluOp::ZExt | AluOp::SExt | AluOp::Bitcast => {
                    out.push(inst);
                    return;
                }
                _ => {
                    out.push(inst);
                    return;
                }
            },
            AluShape::Int(_)
            | AluShape::IntBool(_)
            | AluShape::IntCmp
            | AluShape::Shift
            | AluShape::BitField(_)
            | AluShape::Select
            | AluShape::Dot => {
                out.push(inst);
                return;
            }
        };
        let rounds = makes.rtz && to != Type::F64 && (op.rounds_as_controlled() || op.shape() == AluShape::Convert);
        if !reads.flush_denorms && !makes.flush_denorms && !rounds {
            out.push(inst);
            return;
        }
        let args: SmallVec<[Value; 4]> = args
            .iter()
            .map(|&v| {
                let flushes = reads.flush_denorms && kernel.ty(v) == from && from.is_float();
                if flushes {
                    self.flush(kernel, out, v)
                } else {
                    v
                }
            })
            .collect();
        let mut e = Emit { kernel, out, ty: to, tables: false };
        let raw = if rounds { towards_zero(&mut e, op, from, to, &args) } else { e.alu(to, op, &args) };
        if makes.flush_denorms && can_be_denormal(op) {
            self.flush_into(kernel, out, raw, result);
        } else {
            // The value made last takes the place of the result.
            rename(kernel, out, raw, result);
            if makes.flush_denorms {
                self.flushed.insert(result);
            }
        }
    }

    /// The value with denormals replaced by zeros of their sign.
    fn flush(&mut self, kernel: &mut Kernel, out: &mut Vec<Inst>, v: Value) -> Value {
        if self.flushed.contains(&v) {
            return v;
        }
        let result = kernel.value(kernel.ty(v));
        self.flush_into(kernel, out, v, result);
        result
    }

    fn flush_into(&mut self, kernel: &mut Kernel, out: &mut Vec<Inst>, v: Value, result: Value) {
        let ty = kernel.ty(v);
        let mut e = Emit { kernel, out, ty, tables: false };
        let bits = e.bits(v);
        let top = 1u64 << (ty.bits() - 1);
        let (sign, rest, least) = (e.ic(top as i64), e.ic(!top as i64), e.ic(least_normal(ty) as i64));
        let magnitude = e.i(AluOp::And, &[bits, rest]);
        let small = e.alu(Type::Bool, AluOp::ULt, &[magnitude, least]);
        let zero = e.i(AluOp::And, &[bits, sign]);
        let bits = e.select(small, zero, bits);
        let raw = e.float(bits);
        rename(kernel, out, raw, result);
        self.flushed.insert(result);
    }
}

/// Lets the operation that makes `v` define `result` instead.
fn rename(kernel: &mut Kernel, out: &mut Vec<Inst>, v: Value, result: Value) {
    match out.last_mut() {
        Some(last) if last.results.as_slice() == [v] => last.results[0] = result,
        _ => {
            let yes = kernel.value(Type::Bool);
            out.push(Inst { results: SmallVec::from_slice(&[yes]), op: Op::Const(1) });
            out.push(Inst { results: SmallVec::from_slice(&[result]), op: Op::alu(AluOp::Select, &[yes, v, v]) });
        }
    }
}

/// Bits of the least normal number.
const fn least_normal(t: Type) -> u64 {
    match t {
        Type::F16 => 1 << 10,
        Type::F32 => 1 << 23,
        _ => 1 << 52,
    }
}

/// Whether the operation makes denormals of operands that are none.
fn can_be_denormal(op: AluOp) -> bool {
    !matches!(
        op,
        AluOp::FMin
            | AluOp::FMax
            | AluOp::FSign
            | AluOp::FFloor
            | AluOp::FCeil
            | AluOp::FTrunc
            | AluOp::FRoundEven
            | AluOp::FSqrt
            | AluOp::FFrexpMant
            | AluOp::SToF
            | AluOp::UToF
    )
}

/// An operation on binary16 or binary32 (or an integer), rounded towards zero: done in binary64, then truncated. Truncating
/// twice is truncating once.
fn towards_zero(e: &mut Emit<'_>, op: AluOp, from: Type, to: Type, a: &[Value]) -> Value {
    match op {
        AluOp::FRem | AluOp::FMod => return remainder(e, op, to, a),
        AluOp::FConv | AluOp::FConvRtz if from.bits() > to.bits() => return e.alu(to, AluOp::FConvRtz, a),
        AluOp::FConv | AluOp::FConvRtz => return e.alu(to, op, a),
        _ => {}
    }
    let wide = match op {
        AluOp::SToF | AluOp::UToF => integer(e, op, from, a[0]),
        _ => {
            let a: SmallVec<[Value; 3]> = a.iter().map(|&v| e.alu(Type::F64, AluOp::FConv, &[v])).collect();
            e.ty = Type::F64;
            match op {
                AluOp::FAdd => sum(e, a[0], a[1]),
                AluOp::FSub => {
                    let minus = e.neg(a[1]);
                    sum(e, a[0], minus)
                }
                // Products of two are exact.
                AluOp::Fma => {
                    let product = e.mul(a[0], a[1]);
                    sum(e, product, a[2])
                }
                // Quotients and roots that are no narrow numbers keep clear of them by more than half a unit of binary64.
                _ => e.f(op, &a),
            }
        }
    };
    e.ty = to;
    e.alu(to, AluOp::FConvRtz, &[wide])
}

/// a + b in binary64 towards zero, of numbers far from its limits.
fn sum(e: &mut Emit<'_>, a: Value, b: Value) -> Value {
    let s = e.add(a, b);
    // The error of the sum (two-sum); NaN where the sum is not finite.
    let bb = e.sub(s, a);
    let rest = e.sub(s, bb);
    let (x, y) = (e.sub(a, rest), e.sub(b, bb));
    let error = e.add(x, y);
    let product = e.mul(error, s);
    let zero = e.c(0.0);
    let away = e.lt(product, zero);
    let bits = e.bits(s);
    let one = e.ic(1);
    let less = e.i(AluOp::ISub, &[bits, one]);
    let bits = e.select(away, less, bits);
    e.float(bits)
}

/// An integer in binary64, towards zero.
fn integer(e: &mut Emit<'_>, op: AluOp, from: Type, v: Value) -> Value {
    if from != Type::I64 {
        return e.alu(Type::F64, op, &[v]);
    }
    e.ty = Type::F64;
    let signed = op == AluOp::SToF;
    let magnitude = if signed { e.i(AluOp::IAbs, &[v]) } else { v };
    // Bits below the 53 that binary64 holds are cut off. (The highest bit of 0 is none, −1.)
    let top = e.i(AluOp::FindUMsb, &[magnitude]);
    let (kept, zero, ones) = (e.ic(52), e.ic(0), e.ic(-1));
    let excess = e.i(AluOp::ISub, &[top, kept]);
    let excess = e.i(AluOp::SMax, &[excess, zero]);
    let mask = e.i(AluOp::Shl, &[ones, excess]);
    let cut = e.i(AluOp::And, &[magnitude, mask]);
    let wide = e.f(AluOp::UToF, &[cut]);
    if !signed {
        return wide;
    }
    let negative = e.alu(Type::Bool, AluOp::SLt, &[v, zero]);
    let minus = e.neg(wide);
    e.select(negative, minus, wide)
}

/// a − b·trunc(a / b), or with floor; binary16 by way of binary32.
fn remainder(e: &mut Emit<'_>, op: AluOp, to: Type, a: &[Value]) -> Value {
    let f32s = |e: &mut Emit<'_>, v: Value| if to == Type::F16 { e.alu(Type::F32, AluOp::FConv, &[v]) } else { v };
    let (x, y) = (f32s(e, a[0]), f32s(e, a[1]));
    let quotient = towards_zero(e, AluOp::FDiv, Type::F32, Type::F32, &[x, y]);
    let whole = e.f(if op == AluOp::FRem { AluOp::FTrunc } else { AluOp::FFloor }, &[quotient]);
    let minus = e.neg(whole);
    let rest = towards_zero(e, AluOp::Fma, Type::F32, Type::F32, &[minus, y, x]);
    if to == Type::F16 {
        e.alu(to, AluOp::FConvRtz, &[rest])
    } else {
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::alu::eval;

    const FLOATS: [Type; 3] = [Type::F16, Type::F32, Type::F64];

    /// An operation under float controls, and what the pass makes of it, evaluated.
    struct Both {
        op: AluOp,
        types: Vec<Type>,
        to: Type,
        fc: FloatControls,
        kernel: Kernel,
        args: Vec<Value>,
        result: Value,
    }

    impl Both {
        fn new(op: AluOp, types: &[Type], to: Type, fc: FloatControls) -> Both {
            let mut kernel = Kernel { float_controls: fc, ..Kernel::default() };
            let args: Vec<Value> = types.iter().map(|&t| kernel.value(t)).collect();
            let result = kernel.value(to);
            kernel.body.push(&[result], Op::alu(op, &args));
            run(&mut kernel);
            Both { op, types: types.to_vec(), to, fc, kernel, args, result }
        }

        fn check(&self, bits: &[u64]) {
            let mut env = vec![0; self.kernel.types.len()];
            for (&v, &b) in self.args.iter().zip(bits) {
                env[v.index()] = b;
            }
            for inst in &self.kernel.body.insts {
                env[inst.results[0].index()] = match &inst.op {
                    Op::Const(bits) => *bits,
                    Op::Alu { op, args, .. } => {
                        let types: Vec<Type> = args.iter().map(|&a| self.kernel.ty(a)).collect();
                        let values: Vec<u64> = args.iter().map(|a| env[a.index()]).collect();
                        eval(*op, &types, self.kernel.ty(inst.results[0]), &values, &self.kernel.float_controls)
                    }
                    other => panic!("{other:?}"),
                };
            }
            let found = env[self.result.index()];
            let wanted = eval(self.op, &self.types, self.to, bits, &self.fc);
            let nan = |b: u64| self.to.is_float() && crate::interp::to_f64(self.to, b).is_nan();
            assert!(
                found == wanted || (nan(found) && nan(wanted)),
                "{} {:?} -> {} under {:?}: of {bits:x?} wanted {wanted:x}, found {found:x}",
                self.op.name(),
                self.types,
                self.to,
                self.fc
            );
        }
    }

    fn random(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let x = *seed;
        (x ^ (x >> 29) ^ (x << 17)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Bits with special numbers, denormals, neighbours of powers of two and numbers of like magnitude among them.
    fn operand(t: Type, seed: &mut u64) -> u64 {
        let r = random(seed) >> 8;
        let (fraction, top) = match t {
            Type::F16 => (10, 0x7c00),
            Type::F32 => (23, 0x7f80_0000),
            Type::F64 => (52, 0x7ff0 << 48),
            _ => return if r & 3 == 0 { r >> 20 & t.mask() } else { random(seed) & t.mask() },
        };
        let sign = (r & 1) << (t.bits() - 1);
        let bits = match r >> 1 & 7 {
            0 => [0, 1, top, top - 1, least_normal(t), least_normal(t) - 1, top | 1 << (fraction - 1), top / 2]
                [r as usize >> 8 & 7],
            1 => random(seed) & (least_normal(t) - 1),
            2 => (top / 2 / least_normal(t) + (r >> 8) % 3) << fraction,
            3 => (top / 2).wrapping_add(random(seed) % 5).wrapping_sub(2),
            4 | 5 => {
                (top / 2 / least_normal(t) + (r >> 8) % 12).wrapping_sub(6) << fraction
                    | random(seed) & (least_normal(t) - 1)
            }
            _ => random(seed) & (t.mask() >> 1),
        };
        bits | sign
    }

    fn signatures(op: AluOp) -> Vec<(Vec<Type>, Type)> {
        let same = |n: u8| FLOATS.iter().filter(|&&t| op.has_width(t)).map(|&t| (vec![t; n.into()], t)).collect();
        match op.shape() {
            // Approximations are another pass's; that flushing reaches them is seen by one.
            AluShape::Float(_) if op.is_transcendental() && op != AluOp::FSin => vec![],
            AluShape::Float(n) => same(n),
            AluShape::FloatCmp(n) => FLOATS.map(|t| (vec![t; n.into()], Type::Bool)).into(),
            AluShape::Ldexp => FLOATS.map(|t| (vec![t, Type::I32], t)).into(),
            AluShape::FrexpExp => FLOATS.map(|t| (vec![t], Type::I32)).into(),
            AluShape::Convert => {
                let mut out = Vec::new();
                for from in Type::ALL {
                    for to in FLOATS {
                        let fits = match op {
                            AluOp::SToF | AluOp::UToF => from.is_int(),
                            AluOp::FConv => from.is_float() && from != to,
                            AluOp::FConvRtz => from.is_float() && from.bits() > to.bits(),
                            _ => false,
                        };
                        if fits {
                            out.push((vec![from], to));
                        }
                    }
                }
                out
            }
            AluShape::Int(_)
            | AluShape::IntBool(_)
            | AluShape::IntCmp
            | AluShape::Shift
            | AluShape::BitField(_)
            | AluShape::Select
            | AluShape::Dot => vec![],
        }
    }

    #[test]
    fn expansions_do_what_the_controls_say() {
        let mut seed = 0x0123_4567_89ab_cdef;
        let mut checked = 0;
        for &op in AluOp::ALL {
            for (types, to) in signatures(op) {
                for flags in 0..32 {
                    let mode = |flush: u32, rtz: u32| FloatMode {
                        flush_denorms: flags & flush != 0,
                        rtz: flags & rtz != 0,
                        ..FloatMode::default()
                    };
                    let fc = FloatControls { f16: mode(1, 8), f32: mode(2, 16), f64: mode(4, 0) };
                    let both = Both::new(op, &types, to, fc);
                    for _ in 0..100 {
                        let bits: Vec<u64> = types.iter().map(|&t| operand(t, &mut seed)).collect();
                        both.check(&bits);
                        checked += 1;
                    }
                }
            }
        }
        assert!(checked > 100_000, "{checked}");
    }

    #[test]
    fn controls_are_cleared_unless_binary64_rounds_towards_zero() {
        let rtz = FloatMode { rtz: true, flush_denorms: true, ..FloatMode::default() };
        let flush = FloatMode { rtz: false, ..rtz };
        let after = |f64: FloatMode| {
            let fc = FloatControls { f16: rtz, f32: rtz, f64 };
            Both::new(AluOp::FAdd, &[Type::F64, Type::F64], Type::F64, fc).kernel.float_controls
        };
        assert_eq!(after(flush), FloatControls::default());
        assert_eq!(after(rtz).f64, rtz);
        assert!(!run(&mut Kernel::default()));
    }
}
