//! Masks of wide vectors of which some elements belong to active lanes.

use super::affine::Bases;
use super::gen::{Gen, Mask};
use super::ir::{Icmp, Val};
use crate::kernel_abi::Width;

impl Gen<'_> {
    /// Whether accesses of some elements of a wide vector are worth it: all of them always are, and some if there are instructions
    /// for it. `elements` of the vector.
    pub fn spreads(&self, mask: Mask, dense: bool, elements: u32) -> bool {
        // Of more bits than a mask register has the quick back end makes no masks.
        let fits = elements <= 64 || !self.m.expands();
        (mask == Mask::Full && dense) || (self.opts.width != Width::W4 && fits)
    }

    /// Per base of a strided access which elements belong to active lanes: the first `n` of every `step`.
    pub fn spread_masks(&self, mask: Mask, first: &Bases, n: u32, step: u32) -> Vec<Val> {
        let m = self.m;
        let lanes = self.lanes_per_base(first);
        if mask == Mask::Full {
            let (yes, no) = (m.iconst(m.int(1), 1), m.iconst(m.int(1), 0));
            let all: Vec<Val> = (0..lanes * step).map(|i| if i % step < n { yes } else { no }).collect();
            return vec![m.const_vector(&all); first.all().len()];
        }
        let of_row = |v: Val, r: usize| self.lanes_of_base(v, first, r);
        let Mask::Val(kept) = mask else { return vec![m.zero(m.vector(m.int(1), lanes * step)); first.all().len()] };
        (0..first.all().len())
            .map(|r| match self.opts.width {
                _ if step == 1 => of_row(self.to_bools(kept), r),
                Width::W16 => self.spread_bits(of_row(kept, r), lanes, n, step),
                // Words of all ones or zeros are moved as the values are.
                Width::W4 | Width::W8 => {
                    let words = of_row(kept, r);
                    let off = m.zero(m.type_of(words));
                    let parts: Vec<Val> = (0..step).map(|i| if i < n { words } else { off }).collect();
                    let wide = self.interleave(&parts, lanes, step);
                    m.icmp(Icmp::Slt, wide, m.zero(m.type_of(wide)))
                }
            })
            .collect()
    }

    /// As `spread_masks`, of a mask as truth values: bits are deposited at every `step`-th place and repeated.
    fn spread_bits(&self, mask: Val, lanes: u32, n: u32, step: u32) -> Val {
        let m = self.m;
        let i64t = m.int(64);
        if lanes * step > 64 {
            let half = lanes / 2;
            let parts = [0, half].map(|at| self.spread_bits(self.pick(mask, half, at, 1), half, n, step));
            return self.concat(&parts, half * step);
        }
        let bits = m.zext(m.bitcast(mask, m.int(lanes)), i64t);
        let places = (0..lanes).fold(0u64, |p, l| p | 1 << (l * step));
        let placed = m.intrinsic("llvm.x86.bmi.pdep.64", &[], &[bits, self.i64c(places)]);
        let repeated = m.mul(placed, self.i64c((1 << n) - 1));
        let all = m.bitcast(repeated, m.vector(m.int(1), 64));
        if lanes * step == 64 {
            all
        } else {
            self.pick(all, lanes * step, 0, 1)
        }
    }
}
