//! Small private arrays: the words of all lanes are values, as long as nothing lives across barriers. To read at an offset that only a
//! lane knows takes a tree of selections and to write a selection for each word, which takes less time than to gather and scatter; and
//! there is no memory to wait for.

use super::gen::{Gen, Mask, Rep, Result};
use super::ir::{Icmp, Val};
use compiler::sir::{Addr, Kernel, Op, SlotId, Type, Value};

/// The largest array in words.
const MOST: u32 = 8;

/// Which slots are small arrays of words, and how many words each has; 0 stands for all others.
fn small_slots(k: &Kernel) -> Vec<u32> {
    let fits = |size: u32| if size.is_multiple_of(4) && size <= 4 * MOST { size / 4 } else { 0 };
    let mut words: Vec<u32> = k.slots.iter().map(|s| fits(s.size)).collect();
    k.body.walk(&mut |inst| {
        let Some(slot) = inst.op.slot() else { return };
        let plain = match &inst.op {
            Op::Load { addr: Addr::Slot { imm, .. }, access } => {
                access.align >= 4 && imm.is_multiple_of(4) && inst.results.iter().all(|r| is_word(k.ty(*r)))
            }
            Op::Store { addr: Addr::Slot { imm, .. }, values, access } => {
                access.align >= 4 && imm.is_multiple_of(4) && values.iter().all(|v| is_word(k.ty(*v)))
            }
            _ => false,
        };
        if !plain {
            words[slot.index()] = 0;
        }
    });
    words
}

fn is_word(ty: Type) -> bool {
    matches!(ty, Type::I32 | Type::F32)
}

/// Where in an array.
enum At {
    Known(u32),
    /// The word's number by lane.
    Lanes(Val),
}

impl Gen<'_> {
    /// Makes the cells of small arrays.
    pub fn make_small(&mut self) {
        if self.plan.split || self.k.slots.is_empty() {
            return;
        }
        let t = self.ty(Type::I32, self.lanes);
        for (slot, words) in small_slots(self.k).into_iter().enumerate() {
            self.small[slot] = (0..words).map(|_| self.alloca(t, 64)).collect();
        }
    }

    /// Before a subgroup begins: what others left is of no use, and is not to be kept.
    pub fn clear_small(&self) {
        let zero = self.m.zero(self.ty(Type::I32, self.lanes));
        self.small.iter().flatten().for_each(|cell| self.m.store(zero, *cell, 64));
    }

    fn small_at(&self, off: Option<Value>, imm: u32) -> Result<At> {
        let m = self.m;
        let Some(o) = off else { return Ok(At::Known(imm / 4)) };
        if let Some(c) = self.constant(o) {
            return Ok(At::Known((c as u32).wrapping_add(imm) / 4));
        }
        let at = m.add(self.vector(o)?, self.splat(self.i32c(imm)));
        Ok(At::Lanes(m.lshr(at, self.splat(self.i32c(2)))))
    }

    /// Loads from a small array. Out of range there are zeros.
    pub fn small_load(
        &mut self,
        results: &[Value],
        slot: SlotId,
        off: Option<Value>,
        imm: u32,
        mask: Mask,
    ) -> Result<()> {
        let m = self.m;
        let t = self.ty(Type::I32, self.lanes);
        let cells = self.small[slot.index()].clone();
        for (i, &r) in (0..).zip(results) {
            let zero = m.zero(t);
            let v = match self.small_at(off, imm.wrapping_add(4 * i))? {
                At::Known(w) => cells.get(w as usize).map_or(zero, |c| m.load(t, *c, 64)),
                At::Lanes(at) => {
                    let words: Vec<Val> = cells.iter().map(|c| m.load(t, *c, 64)).collect();
                    let inside = m.icmp(Icmp::Ult, at, self.splat(self.i32c(words.len() as u32)));
                    m.select(inside, self.pick_word(words, at), zero)
                }
            };
            let ty = self.ty(self.k.ty(r), self.lanes);
            let v = m.bitcast(v, ty);
            let rep =
                if self.uniform_form(r) { Rep::Uni(m.extract(v, self.first_lane(mask))) } else { Rep::Vec(v, None) };
            self.set(r, rep)?;
        }
        Ok(())
    }

    /// The word with the number of each lane, if there are that many: bit after bit of the number halves what is left.
    fn pick_word(&self, mut words: Vec<Val>, at: Val) -> Val {
        let m = self.m;
        let mut bit = 0;
        while words.len() > 1 {
            let set = m.and(at, self.splat(self.i32c(1 << bit)));
            let odd = m.icmp(Icmp::Ne, set, m.zero(m.type_of(at)));
            words = words.chunks(2).map(|p| if let [a, b] = p { m.select(odd, *b, *a) } else { p[0] }).collect();
            bit += 1;
        }
        words[0]
    }

    /// Stores into a small array. Out of range nothing happens.
    pub fn small_store(
        &mut self,
        values: &[Value],
        slot: SlotId,
        off: Option<Value>,
        imm: u32,
        mask: Mask,
    ) -> Result<()> {
        let m = self.m;
        let t = self.ty(Type::I32, self.lanes);
        let cells = self.small[slot.index()].clone();
        for (i, &value) in (0..).zip(values) {
            let v = m.bitcast(self.vector(value)?, t);
            let put = |g: &Self, cell: Val, mask: Mask| {
                let v = if mask == Mask::Full { v } else { m.select(g.mask_val(mask), v, m.load(t, cell, 64)) };
                m.store(v, cell, 64);
            };
            match self.small_at(off, imm.wrapping_add(4 * i))? {
                At::Known(w) => {
                    if let Some(cell) = cells.get(w as usize) {
                        put(self, *cell, mask);
                    }
                }
                At::Lanes(at) => {
                    for (w, cell) in (0..).zip(&cells) {
                        let here = m.icmp(Icmp::Eq, at, self.splat(self.i32c(w)));
                        put(self, *cell, self.mask_and(mask, here));
                    }
                }
            }
        }
        Ok(())
    }
}
