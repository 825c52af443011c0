//! Values from values. Everything here has one right answer; what the specification leaves open is avoided by masks and
//! clamps, and floating-point results are kept away from zeros, infinities and NaNs, whose signs and bits may differ.

use super::module::{Id, Scalar, Type, BOOL, F32};
use super::program::{truth, Gen, Known};
use spirv::{Decoration, GlslStd450Op as GLOp, Op};

/// Bits of 1/2, of a small and of a large number.
fn float_bits(bits: u32) -> [u64; 3] {
    match bits {
        16 => [0x3800, 0x0800, 0x7400],
        64 => [0.5f64.to_bits(), 1e-30f64.to_bits(), 1e30f64.to_bits()],
        _ => [0.5f32, 1e-30, 1e30].map(|f| u64::from(f.to_bits())),
    }
}

impl Gen<'_> {
    /// A GLSL.std.450 function.
    pub fn glsl(&mut self, op: GLOp, ty: Id, operands: &[Id]) -> Id {
        let set = self.m.glsl();
        self.m.op(Op::ExtInst, ty, &[&[set, op as u32], operands].concat())
    }

    /// A constant.
    pub fn literal(&mut self, ty: Type) -> Known {
        let bits = match ty.scalar {
            Scalar::Float(bits) => {
                // Small multiples of 1/4, never 0.
                let quarters = 1.0 + f64::from(self.rng.below(64));
                let value = if self.rng.chance(40) { -quarters / 4.0 } else { quarters / 4.0 };
                match bits {
                    16 => u64::from(half::f16::from_f64(value).to_bits()),
                    64 => value.to_bits(),
                    _ => u64::from((value as f32).to_bits()),
                }
            }
            Scalar::Bool | Scalar::Int(_) => self.rng.bits() >> self.rng.below(64),
        };
        Known { id: self.m.constant(ty, bits), ty, uniform: true }
    }

    /// Takes note of a number that may be anything: a floating-point one is brought into the usual range.
    pub fn know_float(&mut self, id: Id, ty: Type, uniform: bool) -> Known {
        let id = self.tame(id, ty);
        self.know(id, ty, uniform)
    }

    /// A floating-point value, or 1/2 where it is very small, very large or not a number.
    fn tame(&mut self, id: Id, ty: Type) -> Id {
        let Scalar::Float(bits) = ty.scalar else { return id };
        let [half, small, large] = float_bits(bits).map(|b| self.m.constant(ty, b));
        let (t, b) = (self.m.ty(ty), self.m.ty(truth(ty)));
        let size = self.glsl(GLOp::FAbs, t, &[id]);
        let above = self.m.op(Op::FOrdGreaterThan, b, &[size, small]);
        let below = self.m.op(Op::FOrdLessThan, b, &[size, large]);
        let good = self.m.op(Op::LogicalAnd, b, &[above, below]);
        self.m.op(Op::Select, t, &[good, id, half])
    }

    /// A value made of another of any type.
    pub fn convert(&mut self, from: Known, to: Type) -> Known {
        let k = self.resize(from, to.n);
        let id = self.convert_scalar(k.id, k.ty, to);
        self.know(id, to, k.uniform)
    }

    /// The value with another number of components.
    fn resize(&mut self, from: Known, n: u32) -> Known {
        let ty = from.ty.with(n);
        if from.ty.n == n {
            return from;
        }
        let t = self.m.ty(ty);
        let id = match (from.ty.n, n) {
            (1, _) => self.m.op(Op::CompositeConstruct, t, &vec![from.id; n as usize]),
            (_, 1) => {
                let i = self.rng.below(from.ty.n);
                self.m.op(Op::CompositeExtract, t, &[from.id, i])
            }
            (have, _) => {
                let pick: Vec<u32> = (0..n).map(|_| self.rng.below(have)).collect();
                self.m.op(Op::VectorShuffle, t, &[&[from.id, from.id], &pick[..]].concat())
            }
        };
        Known { id, ty, uniform: from.uniform }
    }

    fn convert_scalar(&mut self, id: Id, from: Type, to: Type) -> Id {
        let t = self.m.ty(to);
        match (from.scalar, to.scalar) {
            (a, b) if a == b => id,
            (Scalar::Bool, _) => {
                let (yes, no) = (self.literal(to), self.literal(to));
                self.m.op(Op::Select, t, &[id, yes.id, no.id])
            }
            (Scalar::Int(_), Scalar::Bool) => {
                let other = self.literal(from);
                let op = self.rng.of(&[Op::INotEqual, Op::UGreaterThan, Op::SLessThan]);
                self.m.op(op, t, &[id, other.id])
            }
            (Scalar::Float(_), Scalar::Bool) => {
                let other = self.literal(from);
                self.m.op(Op::FOrdLessThan, t, &[id, other.id])
            }
            (Scalar::Int(_), Scalar::Int(_)) => {
                let op = self.rng.of(&[Op::UConvert, Op::SConvert]);
                self.m.op(op, t, &[id])
            }
            (Scalar::Int(bits), Scalar::Float(_)) => {
                // Few enough bits that every format holds the number.
                let ty = self.m.ty(from);
                let mask = self.m.constant(from, if bits == 8 { 0x7f } else { 0x3ff });
                let small = self.m.op(Op::BitwiseAnd, ty, &[id, mask]);
                let signed = self.rng.chance(50);
                let small = if signed { self.m.op(Op::Not, ty, &[small]) } else { small };
                let id = self.m.op(if signed { Op::ConvertSToF } else { Op::ConvertUToF }, t, &[small]);
                self.tame(id, to)
            }
            (Scalar::Float(bits), Scalar::Int(width)) => {
                let ty = self.m.ty(from);
                let limit = if width == 8 { 100.0f64 } else { 30_000.0 };
                let encode = |v: f64| match bits {
                    16 => u64::from(half::f16::from_f64(v).to_bits()),
                    64 => v.to_bits(),
                    _ => u64::from((v as f32).to_bits()),
                };
                let signed = self.rng.chance(50);
                let low = self.m.constant(from, encode(if signed { -limit } else { 0.0 }));
                let high = self.m.constant(from, encode(limit));
                let id = self.glsl(GLOp::FClamp, ty, &[id, low, high]);
                self.m.op(if signed { Op::ConvertFToS } else { Op::ConvertFToU }, t, &[id])
            }
            (Scalar::Float(a), Scalar::Float(b)) => {
                let id = if a > b { self.short(id, from) } else { id };
                let id = self.m.op(Op::FConvert, t, &[id]);
                self.tame(id, to)
            }
        }
    }

    /// A number near by that every format holds exactly: a multiple of 1/4 below 256.
    fn short(&mut self, id: Id, ty: Type) -> Id {
        let Scalar::Float(bits) = ty.scalar else { return id };
        let t = self.m.ty(ty);
        let encode = |v: f64| if bits == 64 { v.to_bits() } else { u64::from((v as f32).to_bits()) };
        let [low, high, four, quarter] = [-255.0, 255.0, 4.0, 0.25].map(|v| self.m.constant(ty, encode(v)));
        let id = self.glsl(GLOp::FClamp, t, &[id, low, high]);
        let id = self.m.op(Op::FMul, t, &[id, four]);
        let id = self.glsl(GLOp::Trunc, t, &[id]);
        self.m.op(Op::FMul, t, &[id, quarter])
    }

    /// A new value of a type.
    pub fn expr(&mut self, ty: Type) -> Known {
        if self.rng.chance(12) {
            let (c, a, b) = (self.pick(truth(ty), false), self.pick(ty, false), self.pick(ty, false));
            let t = self.m.ty(ty);
            let id = self.m.op(Op::Select, t, &[c.id, a.id, b.id]);
            return self.know(id, ty, c.uniform && a.uniform && b.uniform);
        }
        if self.rng.chance(10) {
            return self.rearranged(ty);
        }
        match ty.scalar {
            Scalar::Bool => self.truth_expr(ty),
            Scalar::Int(bits) => self.int_expr(ty, bits),
            Scalar::Float(_) => self.float_expr(ty),
        }
    }

    /// Components of vectors in another order, or picked by a computed index.
    fn rearranged(&mut self, ty: Type) -> Known {
        let t = self.m.ty(ty);
        if ty.n == 1 {
            let vector = ty.with(4);
            let v = self.pick(vector, false);
            let index = self.index(4);
            let id = self.m.op(Op::VectorExtractDynamic, t, &[v.id, index.id]);
            return self.know(id, ty, v.uniform && index.uniform);
        }
        let (a, b) = (self.pick(ty, false), self.pick(ty, false));
        if self.rng.chance(40) {
            let index = self.index(2);
            let one = self.pick(ty.with(1), false);
            let id = self.m.op(Op::VectorInsertDynamic, t, &[a.id, one.id, index.id]);
            return self.know(id, ty, a.uniform && index.uniform && one.uniform);
        }
        let pick: Vec<u32> = (0..ty.n).map(|_| self.rng.below(2 * ty.n)).collect();
        let id = self.m.op(Op::VectorShuffle, t, &[&[a.id, b.id], &pick[..]].concat());
        self.know(id, ty, a.uniform && b.uniform)
    }

    fn truth_expr(&mut self, ty: Type) -> Known {
        let t = self.m.ty(ty);
        if ty.n == 1 && self.rng.chance(15) {
            let n = 2 + self.rng.below(3);
            let v = self.pick(BOOL.with(n), false);
            let op = self.rng.of(&[Op::Any, Op::All]);
            let id = self.m.op(op, t, &[v.id]);
            return self.know(id, ty, v.uniform);
        }
        if self.rng.chance(30) {
            let (a, b) = (self.pick(ty, false), self.pick(ty, false));
            let op = self.rng.of(&[Op::LogicalAnd, Op::LogicalOr, Op::LogicalNotEqual, Op::LogicalEqual]);
            let id = self.m.op(op, t, &[a.id, b.id]);
            return self.know(id, ty, a.uniform && b.uniform);
        }
        let of = self.data_type().with(ty.n);
        let (a, b) = (self.pick(of, false), self.pick(of, false));
        let op = match of.scalar {
            Scalar::Float(_) => self.rng.of(&[
                Op::FOrdLessThan,
                Op::FOrdGreaterThanEqual,
                Op::FUnordEqual,
                Op::FUnordLessThanEqual,
                Op::FOrdNotEqual,
                Op::FUnordGreaterThan,
            ]),
            Scalar::Bool | Scalar::Int(_) => self.rng.of(&[
                Op::IEqual,
                Op::INotEqual,
                Op::ULessThan,
                Op::SLessThan,
                Op::UGreaterThanEqual,
                Op::SGreaterThan,
                Op::SLessThanEqual,
                Op::ULessThanEqual,
            ]),
        };
        let id = self.m.op(op, t, &[a.id, b.id]);
        self.know(id, ty, a.uniform && b.uniform)
    }

    fn int_expr(&mut self, ty: Type, bits: u32) -> Known {
        let t = self.m.ty(ty);
        let (a, b) = (self.pick(ty, false), self.pick(ty, false));
        let uniform = a.uniform && b.uniform;
        let id = match self.rng.below(20) {
            0..=8 => {
                let op = self.rng.of(&[
                    Op::IAdd,
                    Op::ISub,
                    Op::IMul,
                    Op::BitwiseAnd,
                    Op::BitwiseOr,
                    Op::BitwiseXor,
                    Op::IAdd,
                    Op::IMul,
                ]);
                self.m.op(op, t, &[a.id, b.id])
            }
            9 | 10 => {
                let mask = self.m.constant(ty, u64::from(bits - 1));
                let by = self.m.op(Op::BitwiseAnd, t, &[b.id, mask]);
                let op = self.rng.of(&[Op::ShiftLeftLogical, Op::ShiftRightLogical, Op::ShiftRightArithmetic]);
                self.m.op(op, t, &[a.id, by])
            }
            11 | 12 => {
                // Odd and, for signed operations, positive: never 0 and never −1.
                let (mask, one) = (self.m.constant(ty, (1 << (bits - 1)) - 1), self.m.constant(ty, 1));
                let by = self.m.op(Op::BitwiseOr, t, &[b.id, one]);
                let positive = self.m.op(Op::BitwiseAnd, t, &[by, mask]);
                match self.rng.below(5) {
                    0 => self.m.op(Op::UDiv, t, &[a.id, by]),
                    1 => self.m.op(Op::UMod, t, &[a.id, by]),
                    2 => self.m.op(Op::SDiv, t, &[a.id, positive]),
                    3 => {
                        // The sign of a remainder of negative numbers is open without maintenance8.
                        let a = self.m.op(Op::BitwiseAnd, t, &[a.id, mask]);
                        self.m.op(Op::SRem, t, &[a, positive])
                    }
                    _ => {
                        let a = self.m.op(Op::BitwiseAnd, t, &[a.id, mask]);
                        self.m.op(Op::SMod, t, &[a, positive])
                    }
                }
            }
            13 => {
                let op = self.rng.of(&[Op::SNegate, Op::Not]);
                self.m.op(op, t, &[a.id])
            }
            14 | 15 => {
                let op = self.rng.of(&[GLOp::UMin, GLOp::UMax, GLOp::SMin, GLOp::SMax]);
                self.glsl(op, t, &[a.id, b.id])
            }
            16 => {
                let op = self.rng.of(&[GLOp::SAbs, GLOp::SSign]);
                self.glsl(op, t, &[a.id])
            }
            17 if bits == 32 => {
                let op = self.rng.of(&[Op::BitReverse, Op::BitCount]);
                self.m.op(op, t, &[a.id])
            }
            18 if bits == 32 => {
                let op = self.rng.of(&[GLOp::FindILsb, GLOp::FindUMsb, GLOp::FindSMsb]);
                self.glsl(op, t, &[a.id])
            }
            19 if bits == 32 => return self.bit_field(a, b),
            17..=19 if bits != 8 => {
                // From the bits of a floating-point number as wide.
                let from = Type { scalar: Scalar::Float(bits), n: ty.n };
                if !self.scalars.contains(&from.scalar) {
                    return self.convert(a, ty);
                }
                let f = self.pick(from, false);
                let id = self.m.op(Op::Bitcast, t, &[f.id]);
                return self.know(id, ty, f.uniform);
            }
            _ => {
                let from = self.any_type();
                let from = self.pick(from, false);
                return self.convert(from, ty);
            }
        };
        self.know(id, ty, uniform)
    }

    fn bit_field(&mut self, a: Known, b: Known) -> Known {
        let t = self.m.ty(a.ty);
        let (offset, count) = (self.index(16), self.index(16));
        let uniform = a.uniform && offset.uniform && count.uniform;
        let (id, uniform) = match self.rng.below(3) {
            0 => (self.m.op(Op::BitFieldUExtract, t, &[a.id, offset.id, count.id]), uniform),
            1 => (self.m.op(Op::BitFieldSExtract, t, &[a.id, offset.id, count.id]), uniform),
            _ => (self.m.op(Op::BitFieldInsert, t, &[a.id, b.id, offset.id, count.id]), uniform && b.uniform),
        };
        self.know(id, a.ty, uniform)
    }

    fn float_expr(&mut self, ty: Type) -> Known {
        let t = self.m.ty(ty);
        let (a, b) = (self.pick(ty, false), self.pick(ty, false));
        let uniform = a.uniform && b.uniform;
        let id = match self.rng.below(14) {
            0..=5 => {
                let op = self.rng.of(&[Op::FAdd, Op::FSub, Op::FMul, Op::FAdd]);
                let id = self.m.op(op, t, &[a.id, b.id]);
                self.m.decorate(id, Decoration::NoContraction, &[]);
                id
            }
            6 => self.m.op(Op::FNegate, t, &[a.id]),
            7 => {
                let op = self.rng.of(&[GLOp::FMin, GLOp::FMax, GLOp::Step]);
                self.glsl(op, t, &[a.id, b.id])
            }
            8 => {
                let op = self.rng.of(&[GLOp::FAbs, GLOp::FSign]);
                self.glsl(op, t, &[a.id])
            }
            9 | 10 => {
                let op = self.rng.of(&[GLOp::Floor, GLOp::Ceil, GLOp::Trunc, GLOp::RoundEven]);
                self.glsl(op, t, &[a.id])
            }
            11 => {
                // From the bits of an integer as wide.
                let Scalar::Float(bits) = ty.scalar else { return a };
                let from = Type { scalar: Scalar::Int(bits), n: ty.n };
                if !self.scalars.contains(&from.scalar) {
                    return a;
                }
                let i = self.pick(from, false);
                let id = self.m.op(Op::Bitcast, t, &[i.id]);
                return self.know_float(id, ty, i.uniform);
            }
            _ => {
                let from = self.any_type();
                let from = self.pick(from, false);
                return self.convert(from, ty);
            }
        };
        self.know_float(id, ty, uniform)
    }

    /// A function whose precision Vulkan bounds but does not fix. Its result is stored for later and used for nothing.
    pub fn approximate(&mut self) {
        let t = self.m.ty(F32);
        let (a, b) = (self.pick(F32, false), self.pick(F32, false));
        // Arguments between −4 and 4, the second one at least 1/4.
        let [low, high, quarter] = [-4.0f32, 4.0, 0.25].map(|v| self.m.constant(F32, u64::from(v.to_bits())));
        let a = self.glsl(GLOp::FClamp, t, &[a.id, low, high]);
        let size = self.glsl(GLOp::FAbs, t, &[b.id]);
        let b = self.glsl(GLOp::FClamp, t, &[size, quarter, high]);
        let one = [GLOp::Sin, GLOp::Cos, GLOp::Exp, GLOp::Exp2, GLOp::Atan, GLOp::Tanh];
        let positive = [GLOp::Log, GLOp::Log2, GLOp::Sqrt, GLOp::InverseSqrt];
        let id = match self.rng.below(13) {
            i @ 0..=5 => self.glsl(one[i as usize], t, &[a]),
            i @ 6..=9 => self.glsl(positive[i as usize - 6], t, &[b]),
            10 => self.glsl(GLOp::Pow, t, &[b, a]),
            11 => self.m.op(Op::FDiv, t, &[a, b]),
            _ => self.glsl(GLOp::Fma, t, &[a, b, a]),
        };
        let i = self.rng.below(self.approx.len() as u32) as usize;
        let slot = self.approx[i];
        self.m.act(Op::Store, &[slot, id]);
    }
}
