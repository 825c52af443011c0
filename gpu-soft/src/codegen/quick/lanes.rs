//! Single lanes, and lanes in another order.

use super::asm::{Arith, Enc, Mem, Rm, Vex, RAX, RCX, RDX, RSP};
use super::emit::{Emit, Result};
use super::regs::{Class, MOVE};
use super::vector::{K_WORK, V_MORE, V_WORK};
use super::Refused;
use crate::codegen::ir::{Const, Inst, Val};

/// The logarithm of a number of bytes.
fn log(bytes: u32) -> u8 {
    bytes.trailing_zeros() as u8
}

impl Emit<'_, '_> {
    pub fn extract(&mut self, inst: &Inst) -> Result<()> {
        let (v, index) = (self.arg(inst, 0), self.arg(inst, 1));
        let known = self.s.same(index);
        let bits = self.bits(inst.args[0]);
        let class = self.r.class_of(inst.val).0;
        if self.r.class_of(v).0 == Class::Mask {
            let k = self.get(v, 0)?;
            let at = if known.is_none() { self.get(index, 0)? } else { 0 };
            let dst = self.def(inst.val, 0)?;
            self.a.k_to(RAX, k);
            match known {
                Some(i) => {
                    self.a.mov(dst, RAX);
                    self.a.shift_imm(5, 8, dst, i as u8 & 63);
                }
                None => self.a.vex(Enc(2, 3, 1, 0xf7), false, dst, at, Rm::R(RAX), None),
            }
            self.a.arith_imm(Arith::And, 4, dst, 1);
            return Ok(());
        }
        let bytes = bits / 8;
        if known == Some(0) {
            let a = self.get(v, 0)?;
            let dst = self.def(inst.val, 0)?;
            match class {
                Class::General => self.word_out(dst, a, bits),
                _ => self.a.evex(MOVE, Vex::new(0, dst, 0, Rm::R(a))),
            }
            return Ok(());
        }
        let place = self.r.in_memory(self.a, v)?;
        let m = match known {
            Some(i) => Mem::Base(RSP, place + (i as u32 * bytes) as i32),
            None => {
                // The stack pointer takes no index with a scale of its own here: the address first.
                let at = self.get(index, 0)?;
                self.a.lea(RAX, Mem::Base(RSP, place));
                Mem::Index(RAX, at, log(bytes), 0)
            }
        };
        let dst = self.def(inst.val, 0)?;
        match class {
            Class::General => self.a.load(bytes, dst, m),
            _ => self.load_bytes(dst, m, bytes)?,
        }
        Ok(())
    }

    pub fn insert(&mut self, inst: &Inst) -> Result<()> {
        let (v, element, index) = (self.arg(inst, 0), self.arg(inst, 1), self.arg(inst, 2));
        if self.r.class_of(inst.val).0 != Class::Vector {
            return Err(Refused("a truth value into a mask"));
        }
        let bytes = self.bits(inst.val) / 8;
        let parts = self.r.class_of(inst.val).1;
        let place = self.r.slot(inst.val)?;
        if !matches!(self.s.constant(v), Some(Const::Poison)) {
            for part in 0..parts {
                let a = self.get(v, part)?;
                super::regs::vector_store(self.a, a, place + i32::from(part) * 64);
            }
        }
        let m = match self.s.same(index) {
            Some(i) => Mem::Base(RSP, place + (i as u32 * bytes) as i32),
            None => {
                let at = self.get(index, 0)?;
                self.a.lea(RAX, Mem::Base(RSP, place));
                Mem::Index(RAX, at, log(bytes), 0)
            }
        };
        let e = self.get(element, 0)?;
        match self.r.class_of(element).0 {
            Class::General => self.a.store(bytes, e, m),
            _ => self.store_bytes(e, m, bytes)?,
        }
        self.r.made_in_memory(inst.val);
        Ok(())
    }

    pub fn splat(&mut self, inst: &Inst) -> Result<()> {
        let v = self.arg(inst, 0);
        let a = self.get(v, 0)?;
        let bits = self.bits(inst.val);
        match self.r.class_of(inst.val) {
            (Class::Mask, _) => {
                let dst = self.def(inst.val, 0)?;
                self.mask_of_truth(dst, a);
            }
            (_, parts) => {
                let general = self.r.class_of(v).0 == Class::General;
                let e = match (general, bits) {
                    (true, 8) => Enc(2, 1, 0, 0x7a),
                    (true, 16) => Enc(2, 1, 0, 0x7b),
                    (true, 32) => Enc(2, 1, 0, 0x7c),
                    (true, 64) => Enc(2, 1, 1, 0x7c),
                    (false, 32) => Enc(2, 1, 0, 0x18),
                    (false, 64) => Enc(2, 1, 1, 0x19),
                    _ => return Err(Refused("a splat")),
                };
                for part in 0..parts {
                    let dst = self.def(inst.val, part)?;
                    self.a.evex(e, Vex::new(2, dst, 0, Rm::R(a)));
                }
            }
        }
        Ok(())
    }

    /// Runs of lanes that go from one place to another.
    fn runs(indices: &[i32], n: u32) -> Vec<(bool, u32, u32, u32)> {
        let mut runs: Vec<(bool, u32, u32, u32)> = Vec::new();
        for (to, i) in (0u32..).zip(indices) {
            let Ok(i) = u32::try_from(*i) else { continue };
            let (second, at) = if i < n { (false, i) } else { (true, i - n) };
            match runs.last_mut() {
                Some((s, from, start, len)) if *s == second && *from + *len == at && *start + *len == to => *len += 1,
                _ => runs.push((second, at, to, 1)),
            }
        }
        runs
    }

    /// Truth values in another order, as bits of words.
    pub fn shuffle_mask(&mut self, inst: &Inst, indices: &[i32]) -> Result<()> {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let n = self.lanes(inst.args[0]);
        let runs = Self::runs(indices, n);
        if let [(false, from, 0, _)] = runs[..] {
            // What stands above the lanes does not matter.
            let a = self.get(x, 0)?;
            let dst = self.def(inst.val, 0)?;
            self.a.k_shift(false, dst, a, from as u8);
            return Ok(());
        }
        let a = self.get(x, 0)?;
        let b = if runs.iter().any(|r| r.0) { self.get(y, 0)? } else { a };
        let dst = self.def(inst.val, 0)?;
        self.a.mov_imm(RAX, 0);
        for (second, from, to, len) in runs {
            self.a.k_to(RCX, if second { b } else { a });
            if from > 0 {
                self.a.shift_imm(5, 8, RCX, from as u8);
            }
            if len < 64 {
                self.a.mov_imm(RDX, (1 << len) - 1);
                self.a.arith(Arith::And, 8, RCX, Rm::R(RDX));
            }
            if to > 0 {
                self.a.shift_imm(4, 8, RCX, to as u8);
            }
            self.a.arith(Arith::Or, 8, RAX, Rm::R(RCX));
        }
        self.a.k_from(dst, RAX);
        Ok(())
    }

    /// Lanes in another order.
    pub fn shuffle(&mut self, inst: &Inst, indices: &[i32]) -> Result<()> {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let n = self.lanes(inst.args[0]);
        let bits = self.bits(inst.val);
        if bits == 8 {
            return self.shuffle_bytes(inst, indices);
        }
        let per = Self::per(bits) as usize;
        let parts = self.r.class_of(inst.val).1;
        let e = match bits {
            16 => Enc(2, 1, 1, 0x8d),
            32 => Enc(2, 1, 0, 0x36),
            64 => Enc(2, 1, 1, 0x36),
            _ => return Err(Refused("a shuffle")),
        };
        for part in 0..parts {
            let here: Vec<i32> = indices.iter().skip(usize::from(part) * per).take(per).copied().collect();
            // Where each lane comes from: operand and register.
            let source = |i: i32| -> Option<(Val, u16, u32)> {
                let i = u32::try_from(i).ok()?;
                let (v, at) = if i < n { (x, i) } else { (y, i - n) };
                Some((v, (at / per as u32) as u16, at % per as u32))
            };
            let mut sources: Vec<(Val, u16)> = Vec::new();
            for i in &here {
                if let Some((v, p, _)) = source(*i) {
                    if !sources.contains(&(v, p)) {
                        sources.push((v, p));
                    }
                }
            }
            let dst = self.def(inst.val, part)?;
            for (at, s) in sources.iter().enumerate() {
                let src = self.get(s.0, s.1)?;
                let of = |i: i32| source(i).filter(|(v, p, _)| (*v, *p) == *s).map(|x| x.2);
                let lanes = here.iter().enumerate().filter(|(_, i)| of(**i).is_some());
                let mask = lanes.fold(0u64, |m, (l, _)| m | 1 << l);
                let in_place = here.iter().enumerate().all(|(l, i)| of(*i).is_none_or(|x| x == l as u32));
                if in_place && at == 0 {
                    self.a.evex(MOVE, Vex::new(2, dst, 0, Rm::R(src)));
                    continue;
                }
                let mut bytes = Vec::with_capacity(64);
                for l in 0..per {
                    let lane = here.get(l).and_then(|i| of(*i)).unwrap_or(0);
                    bytes.extend_from_slice(&u64::from(lane).to_le_bytes()[..(bits / 8) as usize]);
                }
                let p = self.a.constant(&bytes);
                self.a.evex(super::regs::LOAD, Vex::new(2, V_WORK, 0, Rm::M(Mem::Pool(p))));
                let v = Vex::new(2, dst, V_WORK, Rm::R(src));
                if at == 0 {
                    self.a.evex(e, v);
                } else {
                    self.a.mov_imm(RAX, mask);
                    self.a.k_from(K_WORK, RAX);
                    self.a.evex(e, v.masked(K_WORK, false));
                }
            }
        }
        Ok(())
    }

    fn shuffle_bytes(&mut self, inst: &Inst, indices: &[i32]) -> Result<()> {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let n = self.lanes(inst.args[0]);
        let runs = Self::runs(indices, n);
        let a = self.r.in_memory(self.a, x)?;
        let b = if runs.iter().any(|r| r.0) { self.r.in_memory(self.a, y)? } else { a };
        let place = self.r.slot(inst.val)?;
        for (second, from, to, len) in runs {
            let (mut from, mut to, mut len) = (from as i32 + if second { b } else { a }, to as i32 + place, len);
            while len > 0 {
                let step = [64, 32, 16, 8, 4, 2, 1].into_iter().find(|s| *s <= len).unwrap_or(1);
                if step > 8 {
                    self.load_bytes(V_MORE, Mem::Base(RSP, from), step)?;
                    self.store_bytes(V_MORE, Mem::Base(RSP, to), step)?;
                } else {
                    self.a.load(step, RAX, Mem::Base(RSP, from));
                    self.a.store(step, RAX, Mem::Base(RSP, to));
                }
                (from, to, len) = (from + step as i32, to + step as i32, len - step);
            }
        }
        self.r.made_in_memory(inst.val);
        Ok(())
    }
}
