//! Values that grow by a constant from lane to lane. They are carried as the value of lane 0 beside their lanes, so that address
//! arithmetic stays scalar and consecutive accesses are seen as such. Where the lanes cover several rows of a workgroup, a
//! value may have a base of its own in each.

use super::gen::{Gen, Rep, Result};
use super::ir::{Icmp, Val};
use compiler::analysis::{row_wise, MAX_ROWS};
use compiler::sir::{AluOp, Type, Value};
use smallvec::SmallVec;

/// Values of the first lane of each row; of the first lane of all if there is one row.
#[derive(Clone, Copy, Debug)]
pub struct Bases {
    vals: [Val; MAX_ROWS as usize],
    count: usize,
}

impl Bases {
    pub fn one(v: Val) -> Bases {
        Bases { vals: [v; MAX_ROWS as usize], count: 1 }
    }

    /// One per row: as many as the kernel has, at least one.
    pub fn rows(of: &[Val]) -> Bases {
        let mut vals = [of[0]; MAX_ROWS as usize];
        vals[..of.len()].copy_from_slice(of);
        Bases { vals, count: of.len() }
    }

    pub fn all(&self) -> &[Val] {
        &self.vals[..self.count]
    }

    /// The value of lane 0.
    pub fn first(&self) -> Val {
        self.vals[0]
    }

    /// Whether one base serves all lanes.
    pub fn whole(&self) -> bool {
        self.count == 1
    }

    pub fn map(&self, f: impl FnMut(Val) -> Val) -> Bases {
        Bases::rows(&self.all().iter().copied().map(f).collect::<SmallVec<[Val; 8]>>())
    }
}

/// Lane `l` holds `base + l·stride` (modulo the width) if `guard` is true; without a guard always. With several bases it is
/// `base[l / n] + (l % n)·stride` for rows of `n` lanes.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub base: Bases,
    pub stride: i64,
    pub guard: Option<Val>,
}

impl Claim {
    /// One base for all lanes, always.
    pub fn always(base: Val, stride: i64) -> Claim {
        Claim { base: Bases::one(base), stride, guard: None }
    }
}

/// Strides beyond this are not followed.
const MAX_STRIDE: i64 = 1 << 24;

impl Gen<'_> {
    /// Lanes of a row.
    pub fn per_row(&self) -> u32 {
        self.lanes / self.rows
    }

    /// A value with lanes made from a claim that holds always.
    pub fn affine(&self, ty: Type, claim: Claim) -> Rep {
        Rep::Vec(self.claimed_lanes(ty, &claim), Some(claim))
    }

    pub fn claimed_lanes(&self, ty: Type, claim: &Claim) -> Val {
        let m = self.m;
        if claim.base.whole() {
            return m.add(self.splat(claim.base.first()), self.iota(ty, claim.stride));
        }
        let n = self.per_row();
        let bases = self.row_lanes(claim.base.all());
        if claim.stride == 0 {
            return bases;
        }
        let t = self.scalar_ty(ty);
        let steps: Vec<Val> = (0..i64::from(self.lanes))
            .map(|l| m.iconst(t, (l % i64::from(n)).wrapping_mul(claim.stride) as u64 & ty.mask()))
            .collect();
        m.add(bases, m.const_vector(&steps))
    }

    /// Each row's value in all of its lanes.
    pub fn row_lanes(&self, rows: &[Val]) -> Val {
        let m = self.m;
        let mut few = m.poison(m.vector(m.type_of(rows[0]), rows.len() as u32));
        for (r, &v) in rows.iter().enumerate() {
            few = m.insert(few, v, self.i32c(r as u32));
        }
        let n = self.per_row();
        let indices: Vec<i32> = (0..self.lanes).map(|l| (l / n) as i32).collect();
        m.shuffle(few, m.poison(m.type_of(few)), &indices)
    }

    /// A base per row for any claim.
    pub fn row_bases(&self, ty: Type, claim: &Claim) -> SmallVec<[Val; 8]> {
        if !claim.base.whole() {
            return SmallVec::from_slice(claim.base.all());
        }
        let step = i64::from(self.per_row()).wrapping_mul(claim.stride);
        (0..i64::from(self.rows))
            .map(|r| self.m.add(claim.base.first(), self.konst(ty, 0, r.wrapping_mul(step) as u64)))
            .collect()
    }

    /// What is claimed of a value; uniform ones have stride 0.
    pub fn claim(&self, v: Value) -> Option<Claim> {
        match self.vals[v.index()] {
            Some(Rep::Uni(base)) => Some(Claim::always(base, 0)),
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

    /// Bases of two claims, combined.
    fn bases(&self, ty: Type, a: &Claim, b: &Claim, mut f: impl FnMut(Val, Val) -> Val) -> Bases {
        if a.base.whole() && b.base.whole() {
            return Bases::one(f(a.base.first(), b.base.first()));
        }
        let (x, y) = (self.row_bases(ty, a), self.row_bases(ty, b));
        Bases::rows(&x.iter().zip(&y).map(|(x, y)| f(*x, *y)).collect::<SmallVec<[Val; 8]>>())
    }

    /// The claim that holds of a varying result of an operation, if there is one.
    pub fn claim_of(&mut self, op: AluOp, result: Value, args: &[Value]) -> Result<Option<Claim>> {
        if !self.k.ty(result).is_int() {
            return Ok(None);
        }
        if let Some(claim) = self.linear_claim(op, result, args)? {
            return Ok(Some(claim));
        }
        if let Some(claim) = self.row_claim(op, result, args)? {
            return Ok(Some(claim));
        }
        if let Some(claim) = self.clamped_claim(op, result, args)? {
            return Ok(Some(claim));
        }
        self.quotient_claim(op, result, args)
    }

    /// Clamps, remainders and low bits, as at the borders of images: away from the borders they change nothing about how a value grows,
    /// which a guard finds out.
    fn clamped_claim(&mut self, op: AluOp, result: Value, args: &[Value]) -> Result<Option<Claim>> {
        let minmax = matches!(op, AluOp::SMin | AluOp::SMax | AluOp::UMin | AluOp::UMax);
        let remainder = matches!(op, AluOp::URem | AluOp::SRem | AluOp::SMod);
        let low_bits = op == AluOp::And;
        if !minmax && !remainder && !low_bits {
            return Ok(None);
        }
        let (of, other) = match (self.is_uniform(args[0]), self.is_uniform(args[1])) {
            (false, true) => (args[0], args[1]),
            (true, false) if minmax || low_bits => (args[1], args[0]),
            _ => return Ok(None),
        };
        let Some(claim) = self.claim(of).filter(|c| c.stride > 0) else { return Ok(None) };
        let bound = self.scalar(other)?;
        let m = self.m;
        let ty = self.k.ty(result);
        let lanes = if claim.base.whole() { self.lanes } else { self.per_row() };
        let spread = claim.stride.unsigned_abs() * u64::from(lanes - 1);
        if spread > ty.mask() >> 1 {
            return Ok(None);
        }
        let spread = self.konst(ty, 0, spread);
        let signed = !matches!(op, AluOp::UMin | AluOp::UMax | AluOp::URem | AluOp::And);
        let (less, at_most) = if signed { (Icmp::Slt, Icmp::Sle) } else { (Icmp::Ult, Icmp::Ule) };
        let mut bases: SmallVec<[Val; 8]> = SmallVec::new();
        let mut guard = claim.guard;
        for &base in claim.base.all() {
            let last = m.add(base, spread);
            let grows = m.icmp(at_most, base, last);
            let (value, kept) = match op {
                AluOp::SMin | AluOp::UMin => (base, m.icmp(at_most, last, bound)),
                AluOp::SMax | AluOp::UMax => (base, m.icmp(at_most, bound, base)),
                AluOp::And => {
                    // A remainder if the bound is one less than a power of two.
                    let rest = m.and(base, bound);
                    let above = m.add(bound, self.konst(ty, 0, 1));
                    let low = m.icmp(Icmp::Eq, m.and(bound, above), m.zero(self.scalar_ty(ty)));
                    let last = m.add(rest, spread);
                    let inside = m.and(m.icmp(at_most, last, bound), m.icmp(at_most, rest, last));
                    (rest, m.and(low, inside))
                }
                _ => {
                    let rest = self.scalar_op(op, result, args, &[base, bound])?;
                    let inside = m.icmp(less, m.add(rest, spread), bound);
                    // Remainders of negative values grow differently.
                    let positive = m.icmp(at_most, m.zero(self.scalar_ty(ty)), base);
                    let fits = m.icmp(at_most, rest, m.add(rest, spread));
                    (rest, m.and(m.and(inside, fits), positive))
                }
            };
            bases.push(value);
            guard = self.both(guard, Some(m.and(grows, kept)));
        }
        Ok(Some(Claim { base: Bases::rows(&bases), stride: claim.stride, guard }))
    }

    fn linear_claim(&mut self, op: AluOp, result: Value, args: &[Value]) -> Result<Option<Claim>> {
        let m = self.m;
        let ty = self.k.ty(result);
        let scaled = |g: &Self, of: usize, by: u64, base: &dyn Fn(Val) -> Val| {
            let c = g.claim(args[of])?;
            let stride = i64::try_from(by).ok().and_then(|by| c.stride.checked_mul(by))?;
            (stride.abs() <= MAX_STRIDE).then(|| Claim { base: c.base.map(base), stride, guard: c.guard })
        };
        Ok(match op {
            AluOp::IAdd | AluOp::ISub => {
                let (Some(a), Some(b)) = (self.claim(args[0]), self.claim(args[1])) else { return Ok(None) };
                let add = op == AluOp::IAdd;
                let stride = if add { a.stride + b.stride } else { a.stride - b.stride };
                if stride.abs() > MAX_STRIDE {
                    return Ok(None);
                }
                let base = self.bases(ty, &a, &b, |a, b| if add { m.add(a, b) } else { m.sub(a, b) });
                Some(Claim { base, stride, guard: self.both(a.guard, b.guard) })
            }
            AluOp::INeg => {
                self.claim(args[0]).map(|c| Claim { base: c.base.map(|b| m.neg(b)), stride: -c.stride, ..c })
            }
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
            AluOp::UShr | AluOp::SShr => match (self.constant(args[1]), self.claim(args[0])) {
                (Some(by), Some(c)) => self.shifted(args[0], c, (by % u64::from(ty.bits())) as u32, op == AluOp::SShr),
                _ => None,
            },
            // Bits below the step of the lanes are the same in all of them.
            AluOp::And => match (self.constant(args[1]), self.claim(args[0])) {
                (Some(mask), Some(c)) if cleared(mask, ty).is_some_and(|low| c.stride % (1 << low) == 0) => {
                    Some(Claim { base: c.base.map(|b| m.and(b, self.konst(ty, 0, mask))), ..c })
                }
                _ => None,
            },
            AluOp::Bitcast if self.k.ty(args[0]).is_int() => self.claim(args[0]),
            AluOp::ITrunc => {
                let t = self.scalar_ty(ty);
                self.claim(args[0]).map(|c| Claim { base: c.base.map(|b| m.trunc(b, t)), ..c })
            }
            AluOp::ZExt | AluOp::SExt if self.k.ty(args[0]).is_int() => {
                let Some(c) = self.claim(args[0]) else { return Ok(None) };
                Some(self.extend(args[0], c, ty, op == AluOp::SExt))
            }
            AluOp::Select if self.is_uniform(args[0]) => {
                let cond = self.scalar(args[0])?;
                match (self.claim(args[1]), self.claim(args[2])) {
                    (Some(a), Some(b)) if a.stride == b.stride => Some(Claim {
                        base: self.bases(ty, &a, &b, |a, b| m.select(cond, a, b)),
                        stride: a.stride,
                        guard: self.both(a.guard, b.guard),
                    }),
                    _ => None,
                }
            }
            _ => None,
        })
    }

    /// An operation on values that are the same within each row gives such a value: computed once per row.
    fn row_claim(&mut self, op: AluOp, result: Value, args: &[Value]) -> Result<Option<Claim>> {
        if self.rows == 1 || !row_wise(op) {
            return Ok(None);
        }
        let claims: Option<SmallVec<[Claim; 4]>> = args.iter().map(|a| self.claim(*a)).collect();
        let Some(claims) = claims.filter(|c| c.iter().all(|c| c.stride == 0 && c.guard.is_none())) else {
            return Ok(None);
        };
        let mut rows: SmallVec<[Val; 8]> = SmallVec::new();
        for r in 0..self.rows as usize {
            let vals: SmallVec<[Val; 4]> =
                claims.iter().map(|c| if c.base.whole() { c.base.first() } else { c.base.all()[r] }).collect();
            rows.push(self.scalar_op(op, result, args, &vals)?);
        }
        Ok(Some(Claim { base: Bases::rows(&rows), stride: 0, guard: None }))
    }

    /// Extending is exact if no lane wraps relative to the first of its row.
    fn extend(&self, from: Value, c: Claim, to: Type, signed: bool) -> Claim {
        let m = self.m;
        let wide = self.scalar_ty(to);
        let base = c.base.map(|b| if signed { m.sext(b, wide) } else { m.zext(b, wide) });
        Claim { base, ..self.unwrapped(from, c, signed) }
    }

    /// Bits that are shifted out are the same in all lanes if they are below the step; then what is left grows evenly, if no lane wraps.
    fn shifted(&self, from: Value, c: Claim, by: u32, signed: bool) -> Option<Claim> {
        let m = self.m;
        let ty = self.k.ty(from);
        if by >= MAX_STRIDE.ilog2() || c.stride % (1 << by) != 0 {
            return None;
        }
        let c = self.unwrapped(from, c, signed);
        let count = self.konst(ty, 0, u64::from(by));
        let base = c.base.map(|b| if signed { m.ashr(b, count) } else { m.lshr(b, count) });
        Some(Claim { base, stride: c.stride >> by, ..c })
    }

    /// The claim with the guard that no lane wraps relative to the first of its row, where that is not known.
    fn unwrapped(&self, from: Value, c: Claim, signed: bool) -> Claim {
        let m = self.m;
        let narrow = self.k.ty(from);
        let lanes = if c.base.whole() { self.lanes } else { self.per_row() };
        let exact = c.stride == 0 || self.shapes.extends(from, c.stride, narrow.bits(), signed, lanes);
        if c.guard.is_none() && exact {
            return c;
        }
        let spread = c.stride.unsigned_abs() * u64::from(lanes - 1);
        let max = if signed { narrow.mask() >> 1 } else { narrow.mask() };
        let t = self.scalar_ty(narrow);
        let order = if signed { Icmp::Sle } else { Icmp::Ule };
        let fits = |base: Val| {
            if spread > max {
                m.iconst(m.int(1), 0)
            } else if c.stride >= 0 {
                m.icmp(order, base, m.iconst(t, max - spread))
            } else {
                let min = if signed { (narrow.mask() >> 1) + 1 } else { 0 };
                m.icmp(order, m.iconst(t, (min + spread) & narrow.mask()), base)
            }
        };
        let all = c.base.all().iter().map(|b| fits(*b)).reduce(|a, b| m.and(a, b));
        Claim { guard: self.both(c.guard, all), ..c }
    }
}

/// How many low bits a mask clears, if those are all that it clears.
fn cleared(mask: u64, ty: Type) -> Option<u32> {
    let low = mask.trailing_zeros();
    (low < MAX_STRIDE.ilog2() && mask == (u64::MAX << low) & ty.mask()).then_some(low)
}
