//! Quotients of values that grow from lane to lane. Programs take the number of an element apart into coordinates: by divisions, or by
//! products and shifts that stand for them. Most often all lanes are in one row, and then the quotient is the same in all of them and the
//! rest grows as before; that the first lane and the last have the same quotient says so.

use super::affine::{Bases, Claim};
use super::gen::{Gen, Result};
use super::ir::{Icmp, Val};
use compiler::sir::{AluOp, Type, Value};

/// Values that do not fall from lane to lane if `guard` is true, unsigned: those of the first lane and the last.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    first: Val,
    last: Val,
    guard: Option<Val>,
}

/// Larger steps are left alone: lanes of one row are not far apart.
const MAX_STEP: i64 = 16;

impl Gen<'_> {
    fn span(&self, v: Value) -> Option<Span> {
        if self.k.ty(v) != Type::I32 {
            return None;
        }
        let Some(c) = self.claim(v) else { return self.spans.get(&v).copied() };
        if !c.base.whole() || !(0..=MAX_STEP).contains(&c.stride) {
            return None;
        }
        let first = c.base.first();
        if c.stride == 0 {
            return Some(Span { first, last: first, guard: c.guard });
        }
        let m = self.m;
        let last = m.add(first, self.i32c(c.stride as u32 * (self.lanes - 1)));
        Some(Span { first, last, guard: self.all_of(Some(m.icmp(Icmp::Ule, first, last)), c.guard) })
    }

    /// The claim of a quotient, or of its product with what is the same in all lanes. Operations on the way to a quotient are noted.
    pub fn quotient_claim(&mut self, op: AluOp, result: Value, args: &[Value]) -> Result<Option<Claim>> {
        if self.k.ty(result) != Type::I32 || args.len() != 2 {
            return Ok(None);
        }
        let uniform = [self.is_uniform(args[0]), self.is_uniform(args[1])];
        match op {
            AluOp::UDiv | AluOp::UShr if uniform[1] => self.row_quotient(op, result, args),
            AluOp::UMulHi if uniform[0] || uniform[1] => {
                let (of, by) = if uniform[1] { (args[0], args[1]) } else { (args[1], args[0]) };
                if let Some(s) = self.span(of) {
                    let by = self.scalar(by)?;
                    let first = self.scalar_op(op, result, args, &[s.first, by])?;
                    let last = self.scalar_op(op, result, args, &[s.last, by])?;
                    self.spans.insert(result, Span { first, last, ..s });
                }
                Ok(None)
            }
            AluOp::IAdd => {
                if let (Some(a), Some(b)) = (self.span(args[0]), self.span(args[1])) {
                    let m = self.m;
                    let (first, last) = (m.add(a.first, b.first), m.add(a.last, b.last));
                    // The last sum is the largest: if it does not wrap, none does.
                    let fits = m.icmp(Icmp::Ule, a.last, last);
                    let guard = self.all_of(self.all_of(a.guard, b.guard), Some(fits));
                    self.spans.insert(result, Span { first, last, guard });
                }
                Ok(None)
            }
            AluOp::IMul if uniform[0] || uniform[1] => {
                let (of, by) = if uniform[1] { (args[0], args[1]) } else { (args[1], args[0]) };
                let Some(c) = self.claim(of).filter(|c| c.guard.is_some() && c.base.whole()) else { return Ok(None) };
                if !(0..=MAX_STEP).contains(&c.stride) {
                    return Ok(None);
                }
                let m = self.m;
                let by = self.scalar(by)?;
                let base = Bases::one(m.mul(c.base.first(), by));
                // Coordinates of a row are most often next to each other in memory.
                let once = (c.stride != 0).then(|| m.icmp(Icmp::Eq, by, self.i32c(1)));
                Ok(Some(Claim { base, stride: c.stride, guard: self.all_of(once, c.guard) }))
            }
            _ => Ok(None),
        }
    }

    fn row_quotient(&mut self, op: AluOp, result: Value, args: &[Value]) -> Result<Option<Claim>> {
        let m = self.m;
        let Some(s) = self.span(args[0]) else { return Ok(None) };
        // By small constants lanes have different quotients for certain.
        let least = match self.constant(args[1]) {
            Some(c) if op == AluOp::UShr => 1u64 << (c % 32),
            Some(c) => c,
            None => u64::MAX,
        };
        if least < 4 * u64::from(self.lanes) {
            return Ok(None);
        }
        let by = self.scalar(args[1])?;
        let first = self.scalar_op(op, result, args, &[s.first, by])?;
        let last = self.scalar_op(op, result, args, &[s.last, by])?;
        let same = m.icmp(Icmp::Eq, first, last);
        Ok(Some(Claim { base: Bases::one(first), stride: 0, guard: self.all_of(Some(same), s.guard) }))
    }
}
