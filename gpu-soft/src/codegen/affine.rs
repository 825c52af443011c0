//! Values that grow by a constant from lane to lane. They are carried as the value of lane 0 beside their lanes, so that address
//! arithmetic stays scalar and consecutive accesses are seen as such.

use super::gen::{Gen, Rep, Result};
use super::llvm::{Icmp, Val};
use compiler::sir::{AluOp, Type, Value};

/// Lane `l` holds `base + l·stride` (modulo the width) if `guard` is true; without a guard always.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub base: Val,
    pub stride: i64,
    pub guard: Option<Val>,
}

/// Strides beyond this are not followed.
const MAX_STRIDE: i64 = 1 << 24;

impl Gen<'_> {
    /// A value with lanes made from a claim that holds always.
    pub fn affine(&self, ty: Type, claim: Claim) -> Rep {
        let lanes = self.m.add(self.splat(claim.base), self.iota(ty, claim.stride));
        Rep::Vec(lanes, Some(claim))
    }

    /// What is claimed of a value; uniform ones have stride 0.
    pub fn claim(&self, v: Value) -> Option<Claim> {
        match self.vals[v.index()] {
            Some(Rep::Uni(base)) => Some(Claim { base, stride: 0, guard: None }),
            Some(Rep::Vec(_, claim)) => claim,
            _ => None,
        }
    }

    fn both(&self, a: Option<Val>, b: Option<Val>) -> Option<Val> {
        match (a, b) {
            (None, x) | (x, None) => x,
            (Some(a), Some(b)) => Some(if a == b { a } else { self.m.and(a, b) }),
        }
    }

    /// The claim that holds of a varying result of an operation, if there is one.
    pub fn claim_of(&mut self, op: AluOp, result: Value, args: &[Value]) -> Result<Option<Claim>> {
        let m = self.m;
        let ty = self.k.ty(result);
        if !ty.is_int() {
            return Ok(None);
        }
        let scaled = |g: &Self, of: usize, by: u64, base: &dyn Fn(Val) -> Val| {
            let c = g.claim(args[of])?;
            let stride = i64::try_from(by).ok().and_then(|by| c.stride.checked_mul(by))?;
            (stride.abs() <= MAX_STRIDE).then(|| Claim { base: base(c.base), stride, guard: c.guard })
        };
        Ok(match op {
            AluOp::IAdd | AluOp::ISub => {
                let (Some(a), Some(b)) = (self.claim(args[0]), self.claim(args[1])) else { return Ok(None) };
                let (base, stride) = if op == AluOp::IAdd {
                    (m.add(a.base, b.base), a.stride + b.stride)
                } else {
                    (m.sub(a.base, b.base), a.stride - b.stride)
                };
                (stride.abs() <= MAX_STRIDE).then(|| Claim { base, stride, guard: self.both(a.guard, b.guard) })
            }
            AluOp::INeg => self.claim(args[0]).map(|c| Claim { base: m.neg(c.base), stride: -c.stride, ..c }),
            AluOp::IMul => match (self.constant(args[0]), self.constant(args[1])) {
                (_, Some(c)) => scaled(self, 0, c, &|b| m.mul(b, self.konst(ty, 0, c))),
                (Some(c), None) => scaled(self, 1, c, &|b| m.mul(b, self.konst(ty, 0, c))),
                (None, None) => None,
            },
            AluOp::Shl => match self.constant(args[1]) {
                Some(c) => {
                    let by = c % u64::from(ty.bits());
                    scaled(self, 0, 1u64.checked_shl(by as u32).unwrap_or(u64::MAX), &|b| {
                        m.shl(b, self.konst(ty, 0, by))
                    })
                }
                None => None,
            },
            AluOp::Bitcast if self.k.ty(args[0]).is_int() => self.claim(args[0]),
            AluOp::ITrunc => self.claim(args[0]).map(|c| Claim { base: m.trunc(c.base, self.scalar_ty(ty)), ..c }),
            AluOp::ZExt | AluOp::SExt if self.k.ty(args[0]).is_int() => {
                let Some(c) = self.claim(args[0]) else { return Ok(None) };
                Some(self.extend(args[0], c, ty, op == AluOp::SExt))
            }
            AluOp::Select if self.is_uniform(args[0]) => {
                let cond = self.scalar(args[0])?;
                match (self.claim(args[1]), self.claim(args[2])) {
                    (Some(a), Some(b)) if a.stride == b.stride => Some(Claim {
                        base: m.select(cond, a.base, b.base),
                        stride: a.stride,
                        guard: self.both(a.guard, b.guard),
                    }),
                    _ => None,
                }
            }
            _ => None,
        })
    }

    /// Extending is exact if no lane wraps relative to lane 0; where that is not known it becomes a guard.
    fn extend(&self, from: Value, c: Claim, to: Type, signed: bool) -> Claim {
        let m = self.m;
        let narrow = self.k.ty(from);
        let wide = self.scalar_ty(to);
        let base = if signed { m.sext(c.base, wide) } else { m.zext(c.base, wide) };
        if c.guard.is_none() && self.shapes.extends(from, c.stride, narrow.bits(), signed, self.lanes) {
            return Claim { base, stride: c.stride, guard: None };
        }
        let spread = c.stride.unsigned_abs() * u64::from(self.lanes - 1);
        let max = if signed { narrow.mask() >> 1 } else { narrow.mask() };
        let t = self.scalar_ty(narrow);
        let fits = if spread > max {
            m.iconst(m.int(1), 0)
        } else if c.stride >= 0 {
            let p = if signed { Icmp::Sle } else { Icmp::Ule };
            m.icmp(p, c.base, m.iconst(t, max - spread))
        } else {
            let min = if signed { (narrow.mask() >> 1) + 1 } else { 0 };
            let p = if signed { Icmp::Sle } else { Icmp::Ule };
            m.icmp(p, m.iconst(t, (min + spread) & narrow.mask()), c.base)
        };
        Claim { base, stride: c.stride, guard: self.both(c.guard, Some(fits)) }
    }
}
