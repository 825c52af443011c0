//! Loads and stores: of words and vectors, under masks, lane by lane.

use super::asm::{Cc, Enc, Mem, Rm, Vex, RAX, RCX, RDX, RSP};
use super::emit::{Emit, Result};
use super::regs::{Class, LOAD, STORE};
use super::vector::{K_MORE, K_WORK, V_MORE, V_WORK};
use super::Refused;
use crate::codegen::ir::{Inst, Kind, Op, Val};

/// The forms of a move between a register and memory.
struct Move {
    four: Enc,
    eight: Enc,
    /// Of 16, 32 or 64 bytes.
    whole: Enc,
    /// Of the bytes in a mask.
    bytes: Enc,
    /// Whether the bytes that are not in the mask become zeros.
    zero: bool,
    refused: &'static str,
}

const FROM_MEMORY: Move = Move {
    four: Enc(1, 1, 0, 0x6e),
    eight: Enc(1, 2, 1, 0x7e),
    whole: LOAD,
    bytes: Enc(1, 3, 0, 0x6f),
    zero: true,
    refused: "a load of this size",
};

const TO_MEMORY: Move = Move {
    four: Enc(1, 1, 0, 0x7e),
    eight: Enc(1, 1, 1, 0xd6),
    whole: STORE,
    bytes: Enc(1, 3, 0, 0x7f),
    zero: false,
    refused: "a store of this size",
};

/// An address some bytes further.
fn further(m: Mem, by: i32) -> Mem {
    match m {
        Mem::Base(b, d) => Mem::Base(b, d + by),
        Mem::Index(b, i, s, d) => Mem::Index(b, i, s, d + by),
        m => m,
    }
}

impl Emit<'_, '_> {
    /// The address that a scalar pointer is.
    fn mem(&mut self, p: Val) -> Result<Mem> {
        if let Kind::Inst(i) = self.s.kind(p) {
            let inst = &self.s.insts[*i as usize];
            match inst.op {
                Op::Alloca(..) => return Ok(Mem::Base(RSP, self.r.slot(p)?)),
                Op::Gep(unit) if self.f.folded[*i as usize] => {
                    let (base, index) = (self.arg(inst, 0), self.arg(inst, 1));
                    let m = match self.s.inst(base).map(|b| &b.op) {
                        Some(Op::Alloca(..)) if self.s.same(index).is_some() => Mem::Base(RSP, self.r.slot(base)?),
                        _ => Mem::Base(self.get(base, 0)?, 0),
                    };
                    if let Some(bytes) = self.s.same(index) {
                        let bytes = (bytes as i64).checked_mul(i64::from(unit)).and_then(|b| i32::try_from(b).ok());
                        // Room for what the caller adds.
                        if let Some(b) = bytes.filter(|b| b.unsigned_abs() < 1 << 30) {
                            return Ok(further(m, b));
                        }
                    }
                    let at = self.get(index, 0)?;
                    let Mem::Base(base, _) = m else { return Err(Refused("an address")) };
                    if base == RSP {
                        return Err(Refused("a far address in the stack frame"));
                    }
                    return Ok(Mem::Index(base, at, unit.trailing_zeros() as u8, 0));
                }
                _ => {}
            }
        }
        Ok(Mem::Base(self.get(p, 0)?, 0))
    }

    /// Loads a vector of that many bytes: a register, or less.
    pub fn load_bytes(&mut self, reg: u8, m: Mem, bytes: u32) -> Result<()> {
        self.move_bytes(&FROM_MEMORY, reg, m, bytes)
    }

    /// Stores a vector of that many bytes: a register, or less.
    pub fn store_bytes(&mut self, reg: u8, m: Mem, bytes: u32) -> Result<()> {
        self.move_bytes(&TO_MEMORY, reg, m, bytes)
    }

    fn move_bytes(&mut self, how: &Move, reg: u8, m: Mem, bytes: u32) -> Result<()> {
        let (e, len, unit) = match bytes {
            4 => (how.four, 0, 4),
            8 => (how.eight, 0, 8),
            16 => (how.whole, 0, 16),
            32 => (how.whole, 1, 32),
            64 => (how.whole, 2, 64),
            1..64 => {
                // Byte by byte under a mask: what follows is not touched.
                self.a.mov_imm(RCX, (1u64 << bytes) - 1);
                self.a.k_from(K_WORK, RCX);
                let v = Vex { unit: 64, ..Vex::new(2, reg, 0, Rm::M(m)).masked(K_WORK, how.zero) };
                self.a.evex(how.bytes, v);
                return Ok(());
            }
            _ => return Err(Refused(how.refused)),
        };
        self.a.evex(e, Vex { unit, ..Vex::new(len, reg, 0, Rm::M(m)) });
        Ok(())
    }

    /// Bytes of a part of a value.
    fn part_bytes(&self, v: Val, part: u16) -> u32 {
        let total = self.bits(v) * self.lanes(v).max(1) / 8;
        (total - u32::from(part) * 64).min(64)
    }

    /// Bytes of an integer in memory.
    fn word_bytes(&self, v: Val) -> Result<u32> {
        match self.bits(v) {
            1..=8 => Ok(1),
            16 => Ok(2),
            32 => Ok(4),
            64 => Ok(8),
            _ => Err(Refused("a word of this size")),
        }
    }

    pub fn load(&mut self, inst: &Inst, class: Class) -> Result<()> {
        let p = self.arg(inst, 0);
        let m = self.mem(p)?;
        match class {
            Class::General => {
                let bytes = self.word_bytes(inst.val)?;
                let dst = self.def(inst.val, 0)?;
                self.a.load(bytes, dst, m);
            }
            Class::Mask => {
                self.truths_on_the_stack(p)?;
                let dst = self.def(inst.val, 0)?;
                self.a.k_load(dst, m);
            }
            Class::Vector => {
                let parts = self.r.class_of(inst.val).1;
                for part in 0..parts {
                    let bytes = self.part_bytes(inst.val, part);
                    let dst = self.def(inst.val, part)?;
                    self.load_bytes(dst, further(m, i32::from(part) * 64), bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Truth values are kept in stack cells of eight bytes, and stand in no other memory.
    fn truths_on_the_stack(&self, p: Val) -> Result<()> {
        match self.s.inst(p).map(|i| &i.op) {
            Some(Op::Alloca(..)) => Ok(()),
            _ => Err(Refused("truth values in memory")),
        }
    }

    pub fn store(&mut self, inst: &Inst, class: Class) -> Result<()> {
        let (v, p) = (self.arg(inst, 0), self.arg(inst, 1));
        let m = self.mem(p)?;
        match class {
            Class::General => {
                let bytes = self.word_bytes(inst.args[0])?;
                let reg = self.get(v, 0)?;
                self.a.store(bytes, reg, m);
            }
            Class::Mask => {
                self.truths_on_the_stack(p)?;
                let k = self.get(v, 0)?;
                self.a.k_store(k, m);
            }
            Class::Vector => {
                let parts = self.r.class_of(v).1;
                for part in 0..parts {
                    let bytes = self.part_bytes(inst.args[0], part);
                    let reg = self.get(v, part)?;
                    self.store_bytes(reg, further(m, i32::from(part) * 64), bytes)?;
                }
            }
        }
        Ok(())
    }

    // ---- under masks ----

    /// The mask register for a part of an access, without bits beyond its lanes.
    fn access_mask(&mut self, k: u8, part: u16, bits: u32, bytes: u32) -> u8 {
        let k = self.mask_part(k, part, bits);
        if bytes == 64 {
            return k;
        }
        let lanes = bytes * 8 / bits;
        self.a.mov_imm(RAX, (1u64 << lanes) - 1);
        self.a.k_from(K_MORE, RAX);
        self.a.k_op(0x41, K_WORK, k, K_MORE);
        K_WORK
    }

    fn masked_move(bits: u32, store: bool) -> Result<Enc> {
        let op = if store { 0x7f } else { 0x6f };
        Ok(match bits {
            8 => Enc(1, 3, 0, op),
            16 => Enc(1, 3, 1, op),
            32 => Enc(1, 2, 0, op),
            64 => Enc(1, 2, 1, op),
            _ => return Err(Refused("a masked access of this size")),
        })
    }

    /// A load whose other lanes are zeros.
    pub fn masked_load(&mut self, inst: &Inst) -> Result<()> {
        let (p, mask) = (self.arg(inst, 0), self.arg(inst, 2));
        let bits = self.bits(inst.val);
        let (m, k) = (self.mem(p)?, self.get(mask, 0)?);
        let e = Self::masked_move(bits, false)?;
        let parts = self.r.class_of(inst.val).1;
        for part in 0..parts {
            let bytes = self.part_bytes(inst.val, part);
            let dst = self.def(inst.val, part)?;
            let k = self.access_mask(k, part, bits, bytes);
            let rm = Rm::M(further(m, i32::from(part) * 64));
            self.a.evex(e, Vex { unit: 64, ..Vex::new(2, dst, 0, rm).masked(k, true) });
        }
        Ok(())
    }

    pub fn masked_store(&mut self, inst: &Inst) -> Result<()> {
        let (v, p, mask) = (self.arg(inst, 0), self.arg(inst, 1), self.arg(inst, 3));
        let bits = self.bits(inst.args[0]);
        let (m, k) = (self.mem(p)?, self.get(mask, 0)?);
        let e = Self::masked_move(bits, true)?;
        let parts = self.r.class_of(v).1;
        for part in 0..parts {
            let bytes = self.part_bytes(inst.args[0], part);
            let reg = self.get(v, part)?;
            let k = self.access_mask(k, part, bits, bytes);
            let rm = Rm::M(further(m, i32::from(part) * 64));
            self.a.evex(e, Vex { unit: 64, ..Vex::new(2, reg, 0, rm).masked(k, false) });
        }
        Ok(())
    }

    // ---- lane by lane ----

    /// A mask register for some lanes of a gather or scatter, which clears it.
    fn lanes_mask(&mut self, k: u8, at: u32, lanes: u32) {
        self.a.k_shift(false, K_WORK, k, at as u8);
        self.a.mov_imm(RAX, (1u64 << lanes) - 1);
        self.a.k_from(K_MORE, RAX);
        self.a.k_op(0x41, K_WORK, K_WORK, K_MORE);
    }

    pub fn gather(&mut self, inst: &Inst) -> Result<()> {
        let bits = self.bits(inst.val);
        let n = self.lanes(inst.val);
        let mask = self.arg(inst, 2);
        if bits < 32 {
            return self.gather_small(inst);
        }
        let k = self.get(mask, 0)?;
        let f = self.f;
        if let Some((gep, scale)) = f.near(self.s, inst) {
            let (base, index) = (self.arg(gep, 0), self.arg(gep, 1));
            let base = self.get(base, 0)?;
            let per = Self::per(bits);
            for part in 0..self.r.class_of(inst.val).1 {
                let at = u32::from(part) * per;
                let i = self.get(index, (at / 16) as u16)?;
                let dst = self.def(inst.val, part)?;
                let i = self.lowered(i, at % 16 * 32);
                self.lanes_mask(k, at, per.min(n - at));
                self.a.evex(Enc(1, 1, 1, 0xef), Vex::new(2, dst, dst, Rm::R(dst)));
                let e = Enc(2, 1, u8::from(bits == 64), 0x90);
                self.a.evex(e, Vex::new(2, dst, 0, Rm::M(Mem::Lanes(Some(base), i, scale))).masked(K_WORK, false));
            }
            return Ok(());
        }
        let ptrs = self.arg(inst, 0);
        for part in 0..self.r.class_of(ptrs).1 {
            let at = u32::from(part) * 8;
            let p = self.get(ptrs, part)?;
            self.lanes_mask(k, at, 8.min(n - at));
            if bits == 64 {
                let dst = self.def(inst.val, part)?;
                self.a.evex(Enc(1, 1, 1, 0xef), Vex::new(2, dst, dst, Rm::R(dst)));
                let m = Rm::M(Mem::Lanes(None, p, 0));
                self.a.evex(Enc(2, 1, 1, 0x91), Vex::new(2, dst, 0, m).masked(K_WORK, false));
                continue;
            }
            self.a.evex(Enc(1, 1, 1, 0xef), Vex::new(2, V_WORK, V_WORK, Rm::R(V_WORK)));
            let m = Rm::M(Mem::Lanes(None, p, 0));
            self.a.evex(Enc(2, 1, 0, 0x91), Vex::new(2, V_WORK, 0, m).masked(K_WORK, false));
            if part % 2 == 0 {
                let dst = self.def(inst.val, part / 2)?;
                self.a.evex(super::regs::MOVE, Vex::new(2, dst, 0, Rm::R(V_WORK)));
            } else {
                let dst = self.get(inst.val, part / 2)?;
                self.a.evex(Enc(3, 1, 1, 0x3a), Vex::new(2, dst, dst, Rm::R(V_WORK)).imm(1));
            }
        }
        Ok(())
    }

    /// For each lane of a mask: its address in RAX, and what `f` makes of it.
    fn each_lane(&mut self, n: u32, ptrs: i32, k: u8, f: impl Fn(&mut Self, i32)) {
        self.a.k_to(RCX, k);
        for lane in 0..n {
            let over = self.a.label();
            // BT rcx, lane.
            self.a.general(None, &[0x0f, 0xba], 8, 4, Rm::R(RCX), 1);
            self.a.byte(lane as u8);
            self.a.jcc(Cc::AboveEqual, over);
            self.a.load(8, RAX, Mem::Base(RSP, ptrs + 8 * lane as i32));
            f(self, lane as i32);
            self.a.bind(over);
        }
    }

    fn gather_small(&mut self, inst: &Inst) -> Result<()> {
        let (ptrs, mask) = (self.arg(inst, 0), self.arg(inst, 2));
        let bytes = self.bits(inst.val) / 8;
        let from = self.r.in_memory(self.a, ptrs)?;
        let k = self.get(mask, 0)?;
        let place = self.r.slot(inst.val)?;
        let parts = self.r.class_of(inst.val).1;
        self.a.evex(Enc(1, 1, 1, 0xef), Vex::new(2, V_WORK, V_WORK, Rm::R(V_WORK)));
        for part in 0..i32::from(parts) {
            super::regs::vector_store(self.a, V_WORK, place + part * 64);
        }
        let n = self.lanes(inst.val);
        self.each_lane(n, from, k, |e, lane| {
            e.a.load(bytes, RDX, Mem::Base(RAX, 0));
            e.a.store(bytes, RDX, Mem::Base(RSP, place + lane * bytes as i32));
        });
        self.r.made_in_memory(inst.val);
        Ok(())
    }

    pub fn scatter(&mut self, inst: &Inst) -> Result<()> {
        let (v, ptrs, mask) = (self.arg(inst, 0), self.arg(inst, 1), self.arg(inst, 3));
        let bits = self.bits(inst.args[0]);
        let n = self.lanes(inst.args[0]);
        if bits < 32 {
            let (from, data) = (self.r.in_memory(self.a, ptrs)?, self.r.in_memory(self.a, v)?);
            let k = self.get(mask, 0)?;
            let bytes = bits / 8;
            self.each_lane(n, from, k, |e, lane| {
                e.a.load(bytes, RDX, Mem::Base(RSP, data + lane * bytes as i32));
                e.a.store(bytes, RDX, Mem::Base(RAX, 0));
            });
            return Ok(());
        }
        let k = self.get(mask, 0)?;
        let f = self.f;
        if let Some((gep, scale)) = f.near(self.s, inst) {
            let (base, index) = (self.arg(gep, 0), self.arg(gep, 1));
            let base = self.get(base, 0)?;
            let per = Self::per(bits);
            for part in 0..self.r.class_of(v).1 {
                let at = u32::from(part) * per;
                let i = self.get(index, (at / 16) as u16)?;
                let data = self.get(v, part)?;
                let i = self.lowered(i, at % 16 * 32);
                self.lanes_mask(k, at, per.min(n - at));
                let e = Enc(2, 1, u8::from(bits == 64), 0xa0);
                self.a.evex(e, Vex::new(2, data, 0, Rm::M(Mem::Lanes(Some(base), i, scale))).masked(K_WORK, false));
            }
            return Ok(());
        }
        for part in 0..self.r.class_of(ptrs).1 {
            let at = u32::from(part) * 8;
            let p = self.get(ptrs, part)?;
            let m = Rm::M(Mem::Lanes(None, p, 0));
            self.lanes_mask(k, at, 8.min(n - at));
            let (data, e) = if bits == 64 {
                (self.get(v, part)?, Enc(2, 1, 1, 0xa1))
            } else {
                let data = self.get(v, part / 2)?;
                (self.lowered(data, u32::from(part % 2) * 256), Enc(2, 1, 0, 0xa1))
            };
            self.a.evex(e, Vex::new(2, data, 0, m).masked(K_WORK, false));
        }
        Ok(())
    }

    // ---- addresses ----

    /// An address, or addresses by lane.
    pub fn address(&mut self, inst: &Inst, unit: u32, class: Class) -> Result<()> {
        let (p, i) = (self.arg(inst, 0), self.arg(inst, 1));
        let narrow = match self.bits(inst.args[1]) {
            32 => true,
            64 => false,
            _ => return Err(Refused("an index of this size")),
        };
        if !unit.is_power_of_two() {
            return Err(Refused("elements of an odd size"));
        }
        let scale = unit.trailing_zeros() as u8;
        if class == Class::General {
            return self.word_address(inst, p, i, narrow, scale);
        }
        // Operands that are the same in all lanes.
        let same = if self.r.class_of(p).0 == Class::General { Some(self.get(p, 0)?) } else { None };
        let scalar_index = self.r.class_of(i).0 == Class::General;
        if scalar_index {
            let at = self.get(i, 0)?;
            if narrow {
                self.a.movsx(4, RAX, Rm::R(at));
            } else {
                self.a.mov(RAX, at);
            }
            self.a.shift_imm(4, 8, RAX, scale);
            self.a.evex(Enc(2, 1, 1, 0x7c), Vex::new(2, V_MORE, 0, Rm::R(RAX)));
        }
        for part in 0..self.r.class_of(inst.val).1 {
            let dst = self.def(inst.val, part)?;
            let mut index = V_MORE;
            if !scalar_index {
                if narrow {
                    let at = u32::from(part) * 256;
                    let src = self.get(i, (at / 512) as u16)?;
                    let src = self.lowered(src, at % 512);
                    self.a.evex(Enc(2, 1, 0, 0x25), Vex::new(2, V_MORE, 0, Rm::R(src)));
                } else {
                    index = self.get(i, part)?;
                }
                if scale > 0 {
                    self.a.evex(Enc(1, 1, 1, 0x73), Vex::new(2, 6, V_MORE, Rm::R(index)).imm(scale));
                    index = V_MORE;
                }
            }
            let base = match same {
                Some(reg) => {
                    self.a.evex(Enc(2, 1, 1, 0x7c), Vex::new(2, V_WORK, 0, Rm::R(reg)));
                    V_WORK
                }
                None => self.get(p, part)?,
            };
            self.a.evex(Enc(1, 1, 1, 0xd4), Vex::new(2, dst, base, Rm::R(index)));
        }
        Ok(())
    }

    fn word_address(&mut self, inst: &Inst, p: Val, i: Val, narrow: bool, scale: u8) -> Result<()> {
        let base = self.get(p, 0)?;
        let constant = self.s.same(i).map(|c| if narrow { i64::from(c as u32 as i32) } else { c as i64 });
        let bytes = constant.and_then(|c| c.checked_mul(1 << scale)).and_then(|b| i32::try_from(b).ok());
        let at = if bytes.is_none() { self.get(i, 0)? } else { 0 };
        let dst = self.def(inst.val, 0)?;
        match bytes {
            Some(b) => self.a.lea(dst, Mem::Base(base, b)),
            None => {
                if narrow {
                    self.a.movsx(4, RAX, Rm::R(at));
                } else {
                    self.a.mov(RAX, at);
                }
                if scale > 3 {
                    self.a.shift_imm(4, 8, RAX, scale);
                }
                self.a.lea(dst, Mem::Index(base, RAX, if scale > 3 { 0 } else { scale }, 0));
            }
        }
        Ok(())
    }
}
