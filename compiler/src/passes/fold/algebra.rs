//! Algebraic simplification of one operation.

use super::Folder;
use crate::sir::{AluOp, Type, Value};
use smallvec::{smallvec, SmallVec};

/// What an operation turns into.
pub(super) enum Simpler {
    /// An existing value.
    Value(Value),
    /// A constant.
    Const(u64),
    /// Another operation.
    Alu(AluOp, SmallVec<[Operand; 4]>),
}

/// An operand of the new operation.
pub(super) enum Operand {
    Value(Value),
    Const(Type, u64),
    /// (first · constant) of that type, to be made first.
    Product(Type, Value, u64),
}

use Operand::{Const as C, Value as V};

fn alu(op: AluOp, args: impl IntoIterator<Item = Operand>) -> Option<Simpler> {
    Some(Simpler::Alu(op, args.into_iter().collect()))
}

const fn commutative(op: AluOp) -> bool {
    use AluOp::*;
    matches!(
        op,
        IAdd | IMul
            | UMulHi
            | SMulHi
            | And
            | Or
            | Xor
            | SMin
            | SMax
            | UMin
            | UMax
            | UAddSat
            | SAddSat
            | IEq
            | INe
            | SDot4
            | UDot4
            | FAdd
            | FMul
            | FEq
            | FNe
            | Fma
    )
}

impl Folder<'_> {
    /// A simpler form of the operation, if there is one.
    pub(super) fn simplify(&self, op: AluOp, args: &[Value], ty: Type) -> Option<Simpler> {
        if commutative(op) && self.constant(args[0]).is_some() && self.constant(args[1]).is_none() {
            let mut swapped: SmallVec<[Operand; 4]> = smallvec![V(args[1]), V(args[0])];
            swapped.extend(args[2..].iter().map(|&v| V(v)));
            return Some(Simpler::Alu(op, swapped));
        }
        let t = self.kernel.ty(args[0]);
        if op == AluOp::Select {
            return self.select(args, ty);
        }
        if t.is_float() {
            return self.float(op, args, t, ty);
        }
        match args.len() {
            1 => self.unary(op, args[0], t, ty),
            2 => self.binary(op, args[0], args[1], t),
            _ => None,
        }
    }

    fn select(&self, args: &[Value], ty: Type) -> Option<Simpler> {
        let (c, x, y) = (args[0], args[1], args[2]);
        if let Some(bits) = self.constant(c) {
            return Some(Simpler::Value(if bits == 1 { x } else { y }));
        }
        if x == y {
            return Some(Simpler::Value(x));
        }
        if ty == Type::Bool {
            match (self.constant(x), self.constant(y)) {
                (Some(1), Some(0)) => return Some(Simpler::Value(c)),
                (Some(0), Some(1)) => return alu(AluOp::Not, [V(c)]),
                (Some(1), None) => return alu(AluOp::Or, [V(c), V(y)]),
                (None, Some(0)) => return alu(AluOp::And, [V(c), V(x)]),
                _ => {}
            }
        } else if let (Some(a), Some(b)) = (self.constant(x), self.constant(y)) {
            if a == b {
                return Some(Simpler::Const(a));
            }
        }
        let inner = self.def(c)?;
        (inner.op == AluOp::Not).then(|| Simpler::Alu(AluOp::Select, smallvec![V(inner.args[0]), V(y), V(x)]))
    }

    fn unary(&self, op: AluOp, x: Value, t: Type, ty: Type) -> Option<Simpler> {
        use AluOp::*;
        if op == Bitcast && t == ty {
            return Some(Simpler::Value(x));
        }
        let inner = self.def(x)?;
        let y = inner.args[0];
        let yt = self.kernel.ty(y);
        match (op, inner.op) {
            (Not, Not) | (INeg, INeg) => Some(Simpler::Value(y)),
            (Not, IEq) => alu(INe, [V(y), V(inner.args[1])]),
            (Not, INe) => alu(IEq, [V(y), V(inner.args[1])]),
            (Not, FEq) => alu(FNe, [V(y), V(inner.args[1])]),
            (Not, FNe) => alu(FEq, [V(y), V(inner.args[1])]),
            (Not, ULt) => alu(ULe, [V(inner.args[1]), V(y)]),
            (Not, ULe) => alu(ULt, [V(inner.args[1]), V(y)]),
            (Not, SLt) => alu(SLe, [V(inner.args[1]), V(y)]),
            (Not, SLe) => alu(SLt, [V(inner.args[1]), V(y)]),
            (ITrunc, ZExt | SExt) => match yt.bits().cmp(&ty.bits()) {
                std::cmp::Ordering::Equal => Some(Simpler::Value(y)),
                std::cmp::Ordering::Greater => alu(ITrunc, [V(y)]),
                std::cmp::Ordering::Less => alu(inner.op, [V(y)]),
            },
            (ITrunc, ITrunc) | (ZExt, ZExt) | (SExt, SExt) => alu(op, [V(y)]),
            (SExt, ZExt) if yt.bits() < t.bits() => alu(ZExt, [V(y)]),
            (ZExt, ITrunc) if yt == ty => alu(And, [V(y), C(ty, t.mask())]),
            (Bitcast, Bitcast) => alu(Bitcast, [V(y)]),
            _ => None,
        }
    }

    fn binary(&self, op: AluOp, x: Value, y: Value, t: Type) -> Option<Simpler> {
        use AluOp::*;
        if x == y {
            match op {
                ISub | Xor => return Some(Simpler::Const(0)),
                And | Or | SMin | SMax | UMin | UMax => return Some(Simpler::Value(x)),
                IEq | ULe | SLe => return Some(Simpler::Const(1)),
                INe | ULt | SLt => return Some(Simpler::Const(0)),
                _ => {}
            }
        }
        if let (ULe, Some(0)) = (op, self.constant(x)) {
            return Some(Simpler::Const(1));
        }
        let c = self.constant(y)?;
        let ones = t.mask();
        let power = (c.is_power_of_two() && t.is_int()).then(|| C(Type::I32, u64::from(c.trailing_zeros())));
        match (op, c) {
            (IAdd | ISub | Or | Xor | UMax | Shl | UShr | SShr | UAddSat | SAddSat, 0) => {
                return Some(Simpler::Value(x));
            }
            (IMul | UDiv | SDiv, 1) => return Some(Simpler::Value(x)),
            (IMul | And | UMin | UMulHi | SMulHi | ULt, 0) => return Some(Simpler::Const(0)),
            (And | UMin, _) if c == ones => return Some(Simpler::Value(x)),
            (Or | UMax, _) if c == ones => return Some(Simpler::Const(ones)),
            (Xor, _) if c == ones => return alu(Not, [V(x)]),
            (ULe, _) if c == ones => return Some(Simpler::Const(1)),
            (IMul, _) if c == ones => return alu(INeg, [V(x)]),
            (URem | SRem | SMod, 1) => return Some(Simpler::Const(0)),
            (ISub, _) => return alu(IAdd, [V(x), C(t, c.wrapping_neg() & ones)]),
            _ => {}
        }
        match (op, power) {
            (IMul, Some(n)) => return alu(Shl, [V(x), n]),
            (UDiv, Some(n)) => return alu(UShr, [V(x), n]),
            (URem, Some(_)) => return alu(And, [V(x), C(t, c - 1)]),
            _ => {}
        }
        if t == Type::Bool {
            // Against a constant, a comparison of truth values is the value or its complement.
            return match (op, c) {
                (IEq, 1) | (INe, 0) => Some(Simpler::Value(x)),
                (IEq, 0) | (INe, 1) => alu(Not, [V(x)]),
                _ => None,
            };
        }
        let inner = self.def(x)?;
        self.binary_of(op, inner.op, &inner.args, c, t)
    }

    /// (inner operation) op constant.
    fn binary_of(&self, op: AluOp, inner: AluOp, args: &[Value], c: u64, t: Type) -> Option<Simpler> {
        use AluOp::*;
        let z = args[0];
        let second = args.get(1).and_then(|&v| self.constant(v));
        let bits = u64::from(t.bits());
        let mask = t.mask();
        match (op, inner, second) {
            (IAdd, IAdd, Some(d)) => alu(IAdd, [V(z), C(t, c.wrapping_add(d) & mask)]),
            (IMul, IMul, Some(d)) => alu(IMul, [V(z), C(t, c.wrapping_mul(d) & mask)]),
            (And, And, Some(d)) => alu(And, [V(z), C(t, c & d)]),
            (Or, Or, Some(d)) => alu(Or, [V(z), C(t, c | d)]),
            (Xor, Xor, Some(d)) => alu(Xor, [V(z), C(t, c ^ d)]),
            (Shl | UShr, _, Some(d)) if inner == op => {
                let sum = c % bits + d % bits;
                if sum < bits {
                    alu(op, [V(z), C(Type::I32, sum)])
                } else {
                    Some(Simpler::Const(0))
                }
            }
            (IEq | INe, IAdd, Some(d)) => alu(op, [V(z), C(t, c.wrapping_sub(d) & mask)]),
            // Addresses: the constant part of an index goes outwards, where memory operations absorb it.
            (Shl, IAdd, Some(d)) if bits >= 32 => self.outwards(t, z, 1 << (c % bits), d << (c % bits)),
            (IMul, IAdd, Some(d)) if bits >= 32 => self.outwards(t, z, c, d.wrapping_mul(c)),
            (IEq | INe, ZExt, None) if self.kernel.ty(z) == Type::Bool => match (op, c) {
                (IEq, 1) | (INe, 0) => Some(Simpler::Value(z)),
                (IEq, 0) | (INe, 1) => alu(Not, [V(z)]),
                (IEq, _) => Some(Simpler::Const(0)),
                _ => Some(Simpler::Const(1)),
            },
            (IEq | INe | ULt | ULe | SLt | SLe, Select, _) => {
                let (a, b) = (self.constant(args[1])?, self.constant(args[2])?);
                let fc = &self.kernel.float_controls;
                let r = |k| crate::interp::alu::eval(op, &[t, t], Type::Bool, &[k, c], fc);
                match (r(a), r(b)) {
                    (1, 0) => Some(Simpler::Value(z)),
                    (0, 1) => alu(Not, [V(z)]),
                    (same, _) => Some(Simpler::Const(same)),
                }
            }
            _ => None,
        }
    }

    /// (z + …) · factor as z · factor + sum.
    fn outwards(&self, t: Type, z: Value, factor: u64, sum: u64) -> Option<Simpler> {
        alu(AluOp::IAdd, [Operand::Product(t, z, factor & t.mask()), C(t, sum & t.mask())])
    }

    fn float(&self, op: AluOp, args: &[Value], t: Type, ty: Type) -> Option<Simpler> {
        use AluOp::*;
        let x = args[0];
        match op {
            Bitcast if t == ty => return Some(Simpler::Value(x)),
            FNeg | FAbs | FConv | Bitcast => {
                let inner = self.def(x)?;
                let y = inner.args[0];
                return match (op, inner.op) {
                    (FNeg, FNeg) if self.exact(t) => Some(Simpler::Value(y)),
                    (FAbs, FNeg | FAbs) => alu(FAbs, [V(y)]),
                    (Bitcast, Bitcast) => alu(Bitcast, [V(y)]),
                    // Widening loses nothing, so that the way back is no rounding.
                    (FConv, FConv) if self.exact(t) && self.exact(ty) && self.kernel.ty(y).bits() < t.bits() => {
                        if self.kernel.ty(y) == ty {
                            Some(Simpler::Value(y))
                        } else {
                            alu(FConv, [V(y)])
                        }
                    }
                    _ => None,
                };
            }
            _ => {}
        }
        if !self.exact(t) {
            return None;
        }
        let y = *args.get(1)?;
        if x == y && matches!(op, FMin | FMax) {
            return Some(Simpler::Value(x));
        }
        let number = |v: Value| self.constant(v).map(|bits| crate::interp::to_f64(t, bits));
        let is = |v: Value, n: f64| number(v).is_some_and(|m| m.to_bits() == n.to_bits());
        let constant = |n: f64| C(t, crate::interp::from_f64(t, n, crate::interp::Round::Even));
        match op {
            FAdd if is(y, -0.0) => Some(Simpler::Value(x)),
            FSub if is(y, 0.0) => Some(Simpler::Value(x)),
            FSub if is(x, -0.0) => alu(FNeg, [V(y)]),
            FMul | FDiv if is(y, 1.0) => Some(Simpler::Value(x)),
            FMul | FDiv if is(y, -1.0) => alu(FNeg, [V(x)]),
            FDiv => {
                // Dividing by a power of two whose reciprocal is a normal number is multiplying by it.
                let n = number(y)?;
                let (low, high) = match t {
                    Type::F16 => (-14, 14),
                    Type::F32 => (-126, 126),
                    _ => (-1022, 1022),
                };
                let exponent = ((n.to_bits() >> 52) & 0x7ff) as i32 - 1023;
                let power = n.to_bits() & ((1 << 52) - 1) == 0 && (low..=high).contains(&exponent);
                if power {
                    alu(FMul, [V(x), constant(1.0 / n)])
                } else {
                    None
                }
            }
            Fma if is(y, 1.0) => alu(FAdd, [V(x), V(args[2])]),
            Fma if is(args[2], -0.0) => alu(FMul, [V(x), V(y)]),
            _ => None,
        }
    }

    /// Whether operations of that type neither flush denormals nor round in another direction.
    fn exact(&self, t: Type) -> bool {
        self.kernel.float_controls.of(t).is_plain()
    }
}
