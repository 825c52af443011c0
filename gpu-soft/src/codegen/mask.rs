//! Sets of active lanes.

use super::gen::{Gen, Mask};
use super::ir::{Icmp, Ty, Val};
use crate::kernel_abi::Width;
use compiler::sir::Type;

impl Gen<'_> {
    pub fn bool_lanes(&self) -> Ty {
        self.m.vector(self.m.int(1), self.lanes)
    }

    /// Whether masks are kept as words, all ones or all zeros: without mask registers that is what comparisons give and
    /// blends take, and truth values as such would be packed and unpacked at every join.
    fn wide_masks(&self) -> bool {
        self.opts.width != Width::W16
    }

    /// The type that masks are kept in.
    pub fn mask_ty(&self) -> Ty {
        let bits = if self.wide_masks() { 32 } else { 1 };
        self.m.vector(self.m.int(bits), self.lanes)
    }

    /// Lanes of truth values in the form that masks are kept in.
    pub fn to_mask(&self, lanes: Val) -> Val {
        if self.wide_masks() {
            self.m.sext(lanes, self.mask_ty())
        } else {
            lanes
        }
    }

    /// The inverse of `to_mask`.
    pub fn to_bools(&self, mask: Val) -> Val {
        if self.wide_masks() {
            self.m.icmp(Icmp::Slt, mask, self.m.zero(self.mask_ty()))
        } else {
            mask
        }
    }

    /// The mask as lanes of truth values.
    pub fn mask_val(&self, mask: Mask) -> Val {
        match mask {
            Mask::Full => self.m.ones(self.bool_lanes()),
            Mask::Val(v) => self.to_bools(v),
            Mask::Empty => self.m.zero(self.bool_lanes()),
        }
    }

    /// Active lanes where `cond` is true.
    pub fn mask_and(&self, mask: Mask, cond: Val) -> Mask {
        match mask {
            Mask::Full => Mask::Val(self.to_mask(cond)),
            Mask::Val(v) => Mask::Val(self.m.and(v, self.to_mask(cond))),
            Mask::Empty => Mask::Empty,
        }
    }

    pub fn mask_or(&self, a: Mask, b: Mask) -> Mask {
        match (a, b) {
            (Mask::Full, _) | (_, Mask::Full) => Mask::Full,
            (Mask::Empty, x) | (x, Mask::Empty) => x,
            (Mask::Val(x), Mask::Val(y)) => Mask::Val(if x == y { x } else { self.m.or(x, y) }),
        }
    }

    /// The integer that holds one bit per lane: 32 bits, or 64 for more lanes than that.
    pub fn bits_ty(&self) -> Ty {
        self.m.int(self.lanes.max(32))
    }

    /// Lanes of truth values as the bits of an integer.
    pub fn bits(&self, lanes: Val) -> Val {
        let bits = self.m.bitcast(lanes, self.m.int(self.lanes));
        if self.lanes >= 32 {
            bits
        } else {
            self.m.zext(bits, self.m.int(32))
        }
    }

    /// The bits of an integer as lanes of truth values.
    pub fn lanes_of_bits(&self, bits: Val) -> Val {
        let bits = if self.lanes >= 32 { bits } else { self.m.trunc(bits, self.m.int(self.lanes)) };
        self.m.bitcast(bits, self.bool_lanes())
    }

    /// Index of the lowest set bit as an i32 that is less than the number of lanes.
    pub fn lowest_bit(&self, bits: Val) -> Val {
        let t = self.bits_ty();
        let lane = self.m.intrinsic("llvm.cttz", &[t], &[bits, self.m.iconst(self.m.int(1), 0)]);
        let lane = if self.lanes > 32 { self.m.trunc(lane, self.m.int(32)) } else { lane };
        self.m.and(lane, self.i32c(self.lanes - 1))
    }

    /// How many of the lanes before each lane are true, for the lanes that are (i32), and how many are true in all (i32). There is an
    /// instruction for it in AVX-512 only.
    pub fn ranks(&self, lanes: Val) -> Option<(Val, Val)> {
        if self.opts.width != Width::W16 {
            return None;
        }
        let m = self.m;
        let t = self.bits_ty();
        let n = self.lanes.min(16);
        let bits = self.bits(lanes);
        let count = |bits: Val| {
            let count = m.intrinsic("llvm.ctpop", &[t], &[bits]);
            if self.lanes > 32 {
                m.trunc(count, m.int(32))
            } else {
                count
            }
        };
        let part = m.vector(m.int(32), n);
        let numbers: Vec<Val> = (0..n).map(|l| self.i32c(l)).collect();
        let parts: Vec<Val> = (0..self.lanes / n)
            .map(|i| {
                let here = self.pick(lanes, n, i * n, 1);
                let ranks = [m.const_vector(&numbers), m.zero(part), here];
                let ranks = m.intrinsic("llvm.x86.avx512.mask.expand", &[part], &ranks);
                if i == 0 {
                    return ranks;
                }
                let before = count(m.and(bits, m.iconst(t, (1 << (i * n)) - 1)));
                m.add(ranks, m.splat(before, n))
            })
            .collect();
        Some((self.concat(&parts, n), count(bits)))
    }

    /// Whether any lane is active.
    pub fn any(&self, mask: Mask) -> Val {
        match mask {
            Mask::Full => self.m.iconst(self.m.int(1), 1),
            Mask::Empty => self.m.iconst(self.m.int(1), 0),
            Mask::Val(v) => {
                let bits = self.m.bitcast(self.to_bools(v), self.m.int(self.lanes));
                self.m.icmp(Icmp::Ne, bits, self.m.zero(self.m.int(self.lanes)))
            }
        }
    }

    /// Whether truth values are true in all lanes, active or not.
    pub fn all_lanes(&self, lanes: Val) -> Val {
        self.m.icmp(Icmp::Eq, self.bits(lanes), self.bits(self.m.ones(self.bool_lanes())))
    }

    /// Index of the lowest active lane as an i32 (0 if there is none).
    pub fn first_lane(&self, mask: Mask) -> Val {
        match mask {
            Mask::Full | Mask::Empty => self.i32c(0),
            Mask::Val(v) => self.lowest_bit(self.bits(self.to_bools(v))),
        }
    }

    /// Lanes of the current subgroup that are invocations of the workgroup.
    pub fn initial_mask(&self) -> Mask {
        let invocations = self.k.invocations();
        if invocations.is_multiple_of(self.lanes) {
            return Mask::Full;
        }
        let lane = self.iota(Type::I32, 1);
        let first = match self.subgroup {
            Some(s) if self.subgroups > 1 => self.m.mul(s, self.i32c(self.lanes)),
            _ => self.i32c(0),
        };
        let left = self.m.sub(self.i32c(invocations), first);
        Mask::Val(self.to_mask(self.m.icmp(Icmp::Ult, lane, self.splat(left))))
    }
}
