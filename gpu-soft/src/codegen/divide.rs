//! Integer division. The processor has none for vectors: narrow integers are divided in floating point, exactly; 64-bit ones lane
//! by lane. Nothing here traps.

use super::alu::Shape;
use super::gen::{Gen, Result};
use super::ir::{Icmp, Val};
use compiler::sir::{AluOp, Type};

impl Gen<'_> {
    /// `divisor` is the value of `b` if it is a known constant.
    pub fn divide(&mut self, op: AluOp, s: Shape, a: Val, b: Val, divisor: Option<u64>) -> Result<Val> {
        let m = self.m;
        let k = |x: u64| self.konst(s.arg, s.n, x);
        let zero = m.icmp(Icmp::Eq, b, k(0));
        let signed = !matches!(op, AluOp::UDiv | AluOp::URem);
        if let Some(d) = divisor.filter(|d| *d != 0 && *d != s.arg.mask()) {
            // LLVM multiplies instead. −1 and 0 take the general way.
            let c = k(d);
            let r = match op {
                AluOp::UDiv => m.udiv(a, c),
                AluOp::SDiv => m.sdiv(a, c),
                AluOp::URem => m.urem(a, c),
                _ => m.srem(a, c),
            };
            return Ok(if op == AluOp::SMod { self.floored(s, r, c) } else { r });
        }
        // A divisor of 1 stands in for those that must not be divided by; MIN / −1 is the negation of MIN, again MIN.
        let minus = m.icmp(Icmp::Eq, b, k(u64::MAX));
        let safe = m.select(if signed { m.or(zero, minus) } else { zero }, k(1), b);
        let q = self.quotient(s, a, safe, signed);
        Ok(match op {
            AluOp::UDiv => m.select(zero, k(u64::MAX), q),
            AluOp::SDiv => m.select(zero, k(u64::MAX), m.select(minus, m.neg(a), q)),
            AluOp::URem | AluOp::SRem | AluOp::SMod => {
                let r = m.sub(a, m.mul(q, safe));
                let r = if op == AluOp::SMod { self.floored(s, r, safe) } else { r };
                // By 1 (also in place of −1) the remainder is 0; by 0 it is the dividend.
                m.select(zero, a, r)
            }
            _ => q,
        })
    }

    /// A remainder with the sign of the divisor from one with the sign of the dividend.
    fn floored(&self, s: Shape, r: Val, b: Val) -> Val {
        let m = self.m;
        let zero = self.konst(s.arg, s.n, 0);
        let nonzero = m.icmp(Icmp::Ne, r, zero);
        let differ = m.icmp(Icmp::Slt, m.xor(r, b), zero);
        m.select(m.and(nonzero, differ), m.add(r, b), r)
    }

    /// The quotient by a divisor that is neither 0 nor (signed) −1.
    fn quotient(&self, s: Shape, a: Val, b: Val, signed: bool) -> Val {
        let m = self.m;
        if s.n == 0 || s.arg == Type::I64 {
            return if signed { m.sdiv(a, b) } else { m.udiv(a, b) };
        }
        // The quotient of integers of n bits differs from any integer it is not by at least 2^-n relatively, so rounding to
        // 53 bits (24 for up to 16 bits) cannot reach one.
        let f = self.ty(if s.arg == Type::I32 { Type::F64 } else { Type::F32 }, s.n);
        let t = self.ty(s.arg, s.n);
        let to = |v: Val| if signed { m.sitofp(v, f) } else { m.uitofp(v, f) };
        let q = m.fdiv(to(a), to(b));
        let wide = self.ty(if s.arg == Type::I32 { Type::I64 } else { Type::I32 }, s.n);
        if signed {
            // The divisor is not −1, so the quotient fits.
            m.fptosi(q, t)
        } else if s.arg == Type::I32 {
            m.fptoui(q, t)
        } else {
            m.trunc(m.fptosi(q, wide), t)
        }
    }
}
