//! Private memory: one word of every lane after the other, so that an offset that is the same in all lanes is one vector.
//!
//! Byte `o` of lane `l` stands at `(o / 4)·4S + 4l + o % 4` from the start of the slot.

use super::gen::{Gen, Mask, Rep, Result};
use super::ir::{Icmp, Val};
use compiler::sir::{Access, SlotId, Type, Value};

/// Bytes of a word.
const WORD: u32 = 4;

impl Gen<'_> {
    fn slot_base(&self, slot: SlotId) -> Val {
        let m = self.m;
        let start = self.i64c(self.slots_at[slot.index()]);
        let at = match self.subgroup {
            Some(s) if self.private_stride > 0 => {
                m.add(start, m.mul(m.zext(s, m.int(64)), self.i64c(self.private_stride)))
            }
            _ => start,
        };
        m.byte_ptr(self.arena, at)
    }

    /// Bytes moved at once: an element, but no more than its alignment or a word.
    fn unit(access: &Access, imm: u32, bytes: u32) -> u32 {
        let known = if imm == 0 { access.align } else { access.align.max(1) };
        bytes.min(known.max(1)).min(WORD)
    }

    fn row_align(&self) -> u32 {
        (WORD * self.lanes).min(64)
    }

    /// Pointer to the row of words that holds byte offset `off` (i32).
    fn row(&self, base: Val, off: Val) -> Val {
        let m = self.m;
        let row = m.lshr(off, self.i32c(2));
        let at = m.mul(m.zext(row, m.int(64)), self.i64c(u64::from(WORD * self.lanes)));
        m.byte_ptr(base, at)
    }

    /// Pointers to byte offsets by lane.
    fn lane_words(&self, base: Val, off: Val) -> Val {
        let m = self.m;
        let k = |v: u32| self.splat(self.i32c(v));
        let row = m.mul(m.lshr(off, k(2)), k(WORD * self.lanes));
        let within = m.and(off, k(3));
        let at = m.add(m.add(row, within), self.iota(Type::I32, i64::from(WORD)));
        // Known to be small, so that the extension to the width of addresses is seen to be none; what is not, is not accessed.
        m.element_ptr(m.int(8), base, m.and(at, k(0x3fff_ffff)))
    }

    pub fn private_load(
        &mut self,
        results: &[Value],
        slot: SlotId,
        off: Option<Value>,
        imm: u32,
        access: &Access,
        mask: Mask,
    ) -> Result<()> {
        if !self.small[slot.index()].is_empty() {
            return self.small_load(results, slot, off, imm, mask);
        }
        let m = self.m;
        let base = self.slot_base(slot);
        let size = self.k.slots[slot.index()].size;
        let i32s = m.vector(m.int(32), self.lanes);
        for (i, &r) in results.iter().enumerate() {
            let ty = self.k.ty(r);
            let bytes = ty.bytes();
            let imm = imm.wrapping_add(i as u32 * bytes);
            let unit = Self::unit(access, imm, bytes);
            let int = m.vector(m.int(bytes * 8), self.lanes);
            let zero = m.zero(int);
            if size < bytes {
                let rep = Rep::Vec(self.retype(zero, ty), None);
                self.set(r, rep)?;
                continue;
            }
            let uniform = match off {
                None => Some(self.i32c(imm)),
                Some(o) if self.is_uniform(o) => Some(m.add(self.scalar(o)?, self.i32c(imm))),
                Some(_) => None,
            };
            let mut value = zero;
            if let Some(at) = uniform {
                let inside = m.icmp(Icmp::Ule, at, self.i32c(size - bytes));
                let at = m.select(inside, at, self.i32c(0));
                for piece in 0..bytes / unit {
                    let at = m.add(at, self.i32c(piece * unit));
                    let row = m.load(i32s, self.row(base, at), self.row_align());
                    let part = if unit == WORD {
                        row
                    } else {
                        let shift = m.mul(m.and(at, self.i32c(3)), self.i32c(8));
                        m.lshr(row, self.splat(shift))
                    };
                    value = self.put(value, part, piece * unit, unit, bytes);
                }
                value = m.select(inside, value, zero);
            } else if let Some(o) = off {
                let at = m.add(self.vector(o)?, self.splat(self.i32c(imm)));
                let inside = m.icmp(Icmp::Ule, at, self.splat(self.i32c(size - bytes)));
                let valid = self.mask_val(self.mask_and(mask, inside));
                let part_ty = m.vector(m.int(unit * 8), self.lanes);
                for piece in 0..bytes / unit {
                    let at = m.add(at, self.splat(self.i32c(piece * unit)));
                    let part = self.gather(part_ty, self.lane_words(base, at), unit, valid);
                    let part = if unit == WORD { part } else { m.zext(part, i32s) };
                    value = self.put(value, part, piece * unit, unit, bytes);
                }
            }
            let v = self.retype(value, ty);
            let rep =
                if self.uniform_form(r) { Rep::Uni(m.extract(v, self.first_lane(mask))) } else { Rep::Vec(v, None) };
            self.set(r, rep)?;
        }
        Ok(())
    }

    /// Puts the low `unit` bytes of words at a byte position of integers of that many bytes.
    fn put(&self, value: Val, words: Val, at: u32, unit: u32, bytes: u32) -> Val {
        let m = self.m;
        let int = m.vector(m.int(bytes * 8), self.lanes);
        let konst = |v: u64| self.m.splat(m.iconst(m.int(bytes * 8), v), self.lanes);
        let part = match bytes {
            8 => m.zext(words, int),
            4 => words,
            _ => m.trunc(words, int),
        };
        if unit == bytes {
            return part;
        }
        let part = m.and(part, konst((1u64 << (unit * 8)) - 1));
        m.or(value, m.shl(part, konst(u64::from(at * 8))))
    }

    /// Integers as lanes of a type.
    fn retype(&self, v: Val, ty: Type) -> Val {
        let t = self.ty(ty, self.lanes);
        if self.m.type_of(v) == t {
            v
        } else {
            self.m.bitcast(v, t)
        }
    }

    pub fn private_store(
        &mut self,
        values: &[Value],
        slot: SlotId,
        off: Option<Value>,
        imm: u32,
        access: &Access,
        mask: Mask,
    ) -> Result<()> {
        if !self.small[slot.index()].is_empty() {
            return self.small_store(values, slot, off, imm, mask);
        }
        let m = self.m;
        let base = self.slot_base(slot);
        let size = self.k.slots[slot.index()].size;
        let i32s = m.vector(m.int(32), self.lanes);
        for (i, &value) in values.iter().enumerate() {
            let ty = self.k.ty(value);
            let bytes = ty.bytes();
            let imm = imm.wrapping_add(i as u32 * bytes);
            let unit = Self::unit(access, imm, bytes);
            if size < bytes {
                continue;
            }
            let int = m.vector(m.int(bytes * 8), self.lanes);
            let v = self.vector(value)?;
            let bits = if m.type_of(v) == int { v } else { m.bitcast(v, int) };
            // The piece's bytes in the low end of words.
            let part = |piece: u32| {
                let shift = m.splat(m.iconst(m.int(bytes * 8), u64::from(piece * unit * 8)), self.lanes);
                let moved = m.lshr(bits, shift);
                match bytes {
                    8 => m.trunc(moved, i32s),
                    4 => moved,
                    _ => m.zext(moved, i32s),
                }
            };
            let uniform = match off {
                None => Some(self.i32c(imm)),
                Some(o) if self.is_uniform(o) => Some(m.add(self.scalar(o)?, self.i32c(imm))),
                Some(_) => None,
            };
            if let Some(at) = uniform {
                let inside = m.icmp(Icmp::Ule, at, self.i32c(size - bytes));
                let at = m.select(inside, at, self.i32c(0));
                let known = off.is_none() && imm <= size - bytes;
                let mask = if known { mask } else { self.mask_and(mask, self.splat(inside)) };
                for piece in 0..bytes / unit {
                    let at = m.add(at, self.i32c(piece * unit));
                    let row = self.row(base, at);
                    let old = m.load(i32s, row, self.row_align());
                    let word = if unit == WORD {
                        part(piece)
                    } else {
                        let shift = self.splat(m.mul(m.and(at, self.i32c(3)), self.i32c(8)));
                        let field = m.shl(self.splat(self.i32c((1u32 << (unit * 8)) - 1)), shift);
                        let insert = m.and(m.shl(part(piece), shift), field);
                        m.or(m.and(old, m.not(field)), insert)
                    };
                    let word = match mask {
                        Mask::Full => word,
                        other => m.select(self.mask_val(other), word, old),
                    };
                    m.store(word, row, self.row_align());
                }
            } else if let Some(o) = off {
                let at = m.add(self.vector(o)?, self.splat(self.i32c(imm)));
                let inside = m.icmp(Icmp::Ule, at, self.splat(self.i32c(size - bytes)));
                let valid = self.mask_val(self.mask_and(mask, inside));
                for piece in 0..bytes / unit {
                    let at = m.add(at, self.splat(self.i32c(piece * unit)));
                    let word = part(piece);
                    let word = if unit == WORD { word } else { m.trunc(word, m.vector(m.int(unit * 8), self.lanes)) };
                    self.scatter(word, self.lane_words(base, at), unit, valid);
                }
            }
        }
        Ok(())
    }
}
