//! Constant folding of integer operations, and operations that change nothing.

use super::{Bin, Cast, Const, Icmp, State, Ty, TyKind, Val};
use std::rc::Rc;

/// The lowest bits of a word.
pub(super) fn mask(bits: u32) -> u64 {
    if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    }
}

fn signed(x: u64, bits: u32) -> i64 {
    let shift = 64 - bits.clamp(1, 64);
    ((x << shift) as i64) >> shift
}

/// The result of an integer operation; `None` where it is not defined or not one of integers.
fn bin(op: Bin, a: u64, b: u64, bits: u32) -> Option<u64> {
    let (sa, sb) = (signed(a, bits), signed(b, bits));
    let shift = (b < u64::from(bits)).then_some(b as u32);
    let r = match op {
        Bin::Add => a.wrapping_add(b),
        Bin::Sub => a.wrapping_sub(b),
        Bin::Mul => a.wrapping_mul(b),
        Bin::UDiv => a.checked_div(b)?,
        Bin::URem => a.checked_rem(b)?,
        Bin::SDiv => sa.checked_div(sb)? as u64,
        Bin::SRem => sa.checked_rem(sb)? as u64,
        Bin::Shl => a << shift?,
        Bin::LShr => a >> shift?,
        Bin::AShr => (sa >> shift?) as u64,
        Bin::And => a & b,
        Bin::Or => a | b,
        Bin::Xor => a ^ b,
        Bin::FAdd | Bin::FSub | Bin::FMul | Bin::FDiv => return None,
    };
    Some(r & mask(bits))
}

fn icmp(p: Icmp, a: u64, b: u64, bits: u32) -> bool {
    let (sa, sb) = (signed(a, bits), signed(b, bits));
    match p {
        Icmp::Eq => a == b,
        Icmp::Ne => a != b,
        Icmp::Ult => a < b,
        Icmp::Ule => a <= b,
        Icmp::Ugt => a > b,
        Icmp::Uge => a >= b,
        Icmp::Slt => sa < sb,
        Icmp::Sle => sa <= sb,
        Icmp::Sgt => sa > sb,
    }
}

/// One result per lane, if all are defined.
fn each(a: &Const, b: &Const, f: impl Fn(u64, u64) -> Option<u64>) -> Option<Const> {
    let lane = |c: &Const, i: usize| match c {
        Const::Scalar(x) | Const::Splat(x) => Some(*x),
        Const::Lanes(l) => l.get(i).copied(),
        Const::Poison | Const::Array(_) => None,
    };
    Some(match (a, b) {
        (Const::Scalar(x), Const::Scalar(y)) => Const::Scalar(f(*x, *y)?),
        (Const::Splat(x), Const::Splat(y)) => Const::Splat(f(*x, *y)?),
        (Const::Lanes(l), _) | (_, Const::Lanes(l)) => {
            let all: Option<Rc<[u64]>> = (0..l.len()).map(|i| f(lane(a, i)?, lane(b, i)?)).collect();
            Const::Lanes(all?)
        }
        _ => return None,
    })
}

impl State {
    /// The bits that all lanes of an integer constant have in common.
    pub fn same(&self, v: Val) -> Option<u64> {
        match self.constant(v)? {
            Const::Scalar(x) | Const::Splat(x) => Some(*x),
            Const::Lanes(_) | Const::Poison | Const::Array(_) => None,
        }
    }

    /// What a binary operation comes to, if that takes no instruction.
    pub fn fold_bin(&mut self, op: Bin, a: Val, b: Val) -> Option<Val> {
        let ty = self.ty(a);
        let bits = self.bits(self.shape(ty).0);
        if bits == 0 || bits > 64 || matches!(op, Bin::FAdd | Bin::FSub | Bin::FMul | Bin::FDiv) {
            return None;
        }
        if let (Some(x), Some(y)) = (self.constant(a), self.constant(b)) {
            if let Some(c) = each(x, y, |x, y| bin(op, x, y, bits)) {
                return Some(self.konst(ty, c));
            }
        }
        let all = mask(bits);
        match (op, self.same(a), self.same(b)) {
            (Bin::Add | Bin::Or | Bin::Xor, Some(0), _) => Some(b),
            (Bin::Add | Bin::Sub | Bin::Or | Bin::Xor | Bin::Shl | Bin::LShr | Bin::AShr, _, Some(0)) => Some(a),
            (Bin::Mul, Some(1), _) => Some(b),
            (Bin::Mul | Bin::UDiv | Bin::SDiv, _, Some(1)) => Some(a),
            (Bin::And, Some(x), _) if x == all => Some(b),
            (Bin::And, _, Some(x)) if x == all => Some(a),
            (Bin::And | Bin::Mul, Some(0), _) => Some(a),
            (Bin::And | Bin::Mul, _, Some(0)) => Some(b),
            (Bin::URem, _, Some(1)) => Some(self.konst_of(ty, 0)),
            _ => None,
        }
    }

    /// A scalar, or all lanes of a vector, of a constant.
    pub fn konst_of(&mut self, ty: Ty, bits: u64) -> Val {
        let c = if self.shape(ty).1 == 0 { Const::Scalar(bits) } else { Const::Splat(bits) };
        self.konst(ty, c)
    }

    pub fn fold_icmp(&mut self, p: Icmp, a: Val, b: Val, result: Ty) -> Option<Val> {
        let bits = self.bits(self.shape(self.ty(a)).0);
        if bits == 0 || bits > 64 {
            return None;
        }
        let c = each(self.constant(a)?, self.constant(b)?, |x, y| Some(u64::from(icmp(p, x, y, bits))))?;
        Some(self.konst(result, c))
    }

    pub fn fold_cast(&mut self, cast: Cast, v: Val, to: Ty) -> Option<Val> {
        let from = self.ty(v);
        if from == to {
            return Some(v);
        }
        let ((fe, fn_), (te, tn)) = (self.shape(from), self.shape(to));
        let (fb, tb) = (self.bits(fe), self.bits(te));
        if fb == 0 || tb == 0 || fb > 64 || tb > 64 || fn_ != tn {
            return None;
        }
        if matches!(self.what(fe), TyKind::Half) || matches!(self.what(te), TyKind::Half) {
            return None;
        }
        let c = self.constant(v)?;
        let f = |x: u64| match cast {
            Cast::Trunc => Some(x & mask(tb)),
            Cast::ZExt | Cast::Bitcast => Some(x),
            Cast::SExt => Some(signed(x, fb) as u64 & mask(tb)),
            _ => None,
        };
        let c = each(c, c, |x, _| f(x))?;
        Some(self.konst(to, c))
    }
}
