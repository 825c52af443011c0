//! Integers in general registers. Those of less than 64 bits have zeros above.

use super::asm::{Arith, Cc, Enc, Mem, Rm, Vex, RAX, RCX, RDX};
use super::emit::{condition, Emit, Result};
use super::Refused;
use crate::codegen::ir::{Bin, Cast, Inst, Intrinsic, Order, Rmw, Val};

/// Bytes of registers that an operation on that many bits uses.
pub fn width(bits: u32) -> u32 {
    if bits > 32 {
        8
    } else {
        4
    }
}

impl Emit<'_, '_> {
    /// A constant as an immediate of an operation on that many bytes.
    pub fn immediate(&self, v: Val, bytes: u32) -> Option<i32> {
        let bits = self.s.same(v)?;
        match bytes {
            8 => i32::try_from(bits as i64).ok(),
            4 => Some(bits as u32 as i32),
            2 => Some(i32::from(bits as u16 as i16)),
            _ => Some(i32::from(bits as u8 as i8)),
        }
    }

    /// Zeros above the bits of an integer.
    pub fn clean(&mut self, reg: u8, bits: u32) {
        match bits {
            32 | 64 => {}
            8 => self.a.movzx(1, reg, reg),
            16 => self.a.movzx(2, reg, reg),
            b => self.a.arith_imm(Arith::And, 4, reg, ((1u64 << b) - 1) as u32 as i32),
        }
    }

    /// Compares the operands of a comparison of integers.
    pub fn compare(&mut self, inst: &Inst) -> Result<()> {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let bytes = match self.bits(inst.args[0]) {
            0..=8 => 1,
            16 => 2,
            32 => 4,
            64 => 8,
            _ => return Err(Refused("a comparison of wide integers")),
        };
        let a = self.get(x, 0)?;
        match self.immediate(y, bytes) {
            Some(0) => self.a.test(bytes, a, a),
            Some(i) => self.a.arith_imm(Arith::Cmp, bytes, a, i),
            None => {
                let b = self.get(y, 0)?;
                self.a.arith(Arith::Cmp, bytes, a, Rm::R(b));
            }
        }
        Ok(())
    }

    pub fn scalar_compare(&mut self, inst: &Inst, cc: Cc) -> Result<()> {
        self.compare(inst)?;
        self.truth(inst.val, cc)
    }

    pub fn truth(&mut self, v: Val, cc: Cc) -> Result<()> {
        // Making room may need no flags: only moves.
        let dst = self.def(v, 0)?;
        self.a.setcc(cc, dst);
        self.a.movzx(1, dst, dst);
        Ok(())
    }

    pub fn scalar_bin(&mut self, inst: &Inst, op: Bin) -> Result<()> {
        let bits = self.bits(inst.val);
        if bits > 64 {
            return Err(Refused("wide integers"));
        }
        let bytes = width(bits);
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let arith = match op {
            Bin::Add => Some(Arith::Add),
            Bin::Sub => Some(Arith::Sub),
            Bin::And => Some(Arith::And),
            Bin::Or => Some(Arith::Or),
            Bin::Xor => Some(Arith::Xor),
            _ => None,
        };
        if let Some(arith) = arith {
            let a = self.get(x, 0)?;
            let imm = self.immediate(y, bytes);
            let b = if imm.is_none() { self.get(y, 0)? } else { 0 };
            let dst = self.def(inst.val, 0)?;
            self.a.mov(dst, a);
            match imm {
                Some(i) => self.a.arith_imm(arith, bytes, dst, i),
                None => self.a.arith(arith, bytes, dst, Rm::R(b)),
            }
            if matches!(op, Bin::Add | Bin::Sub | Bin::Xor | Bin::Or) {
                self.clean(dst, bits);
            }
            return Ok(());
        }
        match op {
            Bin::Mul => {
                let a = self.get(x, 0)?;
                let imm = self.immediate(y, bytes);
                let b = if imm.is_none() { self.get(y, 0)? } else { 0 };
                let dst = self.def(inst.val, 0)?;
                match imm {
                    Some(i) => self.a.imul_imm(bytes, dst, a, i),
                    None => {
                        self.a.mov(dst, a);
                        self.a.imul(bytes, dst, Rm::R(b));
                    }
                }
                self.clean(dst, bits);
            }
            Bin::Shl | Bin::LShr | Bin::AShr => self.scalar_shift(inst, op, bits)?,
            Bin::UDiv | Bin::SDiv | Bin::URem | Bin::SRem => {
                if bits < 32 {
                    return Err(Refused("division of narrow integers"));
                }
                let (a, b) = (self.get(x, 0)?, self.get(y, 0)?);
                let dst = self.def(inst.val, 0)?;
                self.a.mov(RAX, a);
                let signed = matches!(op, Bin::SDiv | Bin::SRem);
                self.divide(bytes, signed, Rm::R(b));
                let from = if matches!(op, Bin::UDiv | Bin::SDiv) { RAX } else { RDX };
                self.a.mov(dst, from);
            }
            Bin::Add | Bin::Sub | Bin::And | Bin::Or | Bin::Xor => {}
            Bin::FAdd | Bin::FSub | Bin::FMul | Bin::FDiv => return Err(Refused("an operation on words")),
        }
        Ok(())
    }

    /// RAX by an operand: quotient in RAX, remainder in RDX.
    pub fn divide(&mut self, bytes: u32, signed: bool, by: Rm) {
        if signed {
            // CDQ or CQO.
            if bytes == 8 {
                self.a.byte(0x48);
            }
            self.a.byte(0x99);
            self.a.unary(7, bytes, by);
        } else {
            self.a.mov_imm(RDX, 0);
            self.a.unary(6, bytes, by);
        }
    }

    fn scalar_shift(&mut self, inst: &Inst, op: Bin, bits: u32) -> Result<()> {
        let bytes = width(bits);
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let a = self.get(x, 0)?;
        let count = self.s.same(y);
        let b = if count.is_none() { self.get(y, 0)? } else { 0 };
        let dst = self.def(inst.val, 0)?;
        let from = if op == Bin::AShr && bits < 32 {
            self.extend(dst, a, bits);
            dst
        } else {
            a
        };
        match count {
            Some(c) => {
                self.a.mov(dst, from);
                let kind = match op {
                    Bin::Shl => 4,
                    Bin::LShr => 5,
                    _ => 7,
                };
                self.a.shift_imm(kind, bytes, dst, c as u8 & (bits.max(32) - 1) as u8);
            }
            None => {
                let pp = match op {
                    Bin::Shl => 1,
                    Bin::LShr => 3,
                    _ => 2,
                };
                self.a.vex(Enc(2, pp, u8::from(bytes == 8), 0xf7), false, dst, b, Rm::R(from), None);
            }
        }
        self.clean(dst, bits);
        Ok(())
    }

    /// A signed integer of that many bits as one of 64.
    fn extend(&mut self, dst: u8, src: u8, bits: u32) {
        match bits {
            8 => self.a.movsx(1, dst, Rm::R(src)),
            16 => self.a.movsx(2, dst, Rm::R(src)),
            32 => self.a.movsx(4, dst, Rm::R(src)),
            b => {
                self.a.mov(dst, src);
                self.a.shift_imm(4, 8, dst, (64 - b) as u8);
                self.a.shift_imm(7, 8, dst, (64 - b) as u8);
            }
        }
    }

    /// Conversions between integers.
    pub fn scalar_cast(&mut self, inst: &Inst, cast: Cast) -> Result<()> {
        let v = self.arg(inst, 0);
        let (from, to) = (self.bits(inst.args[0]), self.bits(inst.val));
        if from > 64 || to > 64 {
            return Err(Refused("wide integers"));
        }
        let a = self.get(v, 0)?;
        let dst = self.def(inst.val, 0)?;
        match cast {
            Cast::Trunc => {
                self.a.mov32(dst, a);
                if to < 32 {
                    self.clean(dst, to);
                } else if to > 32 {
                    self.a.mov(dst, a);
                }
            }
            Cast::SExt => {
                self.extend(dst, a, from);
                match to {
                    64 => {}
                    32 => self.a.mov32(dst, dst),
                    b => self.clean(dst, b),
                }
            }
            Cast::ZExt | Cast::IntToPtr | Cast::PtrToInt => self.a.mov(dst, a),
            _ => return Err(Refused("a conversion of words")),
        }
        Ok(())
    }

    pub fn scalar_select(&mut self, inst: &Inst) -> Result<()> {
        let (c, x, y) = (self.arg(inst, 0), self.arg(inst, 1), self.arg(inst, 2));
        let (a, b) = (self.get(x, 0)?, self.get(y, 0)?);
        let c = self.get(c, 0)?;
        let dst = self.def(inst.val, 0)?;
        self.a.mov(dst, b);
        self.a.test(1, c, c);
        self.a.cmov(Cc::NotEqual, dst, a);
        Ok(())
    }

    /// Counts of bits; operands of 32 and 64 bits.
    pub fn scalar_count(&mut self, inst: &Inst, which: Intrinsic) -> Result<()> {
        let op = match which {
            Intrinsic::Ctlz => 0xbd,
            Intrinsic::Cttz => 0xbc,
            Intrinsic::Ctpop => 0xb8,
            _ => return Err(Refused("an operation on words")),
        };
        let v = self.arg(inst, 0);
        let a = self.get(v, 0)?;
        let dst = self.def(inst.val, 0)?;
        self.a.general(Some(0xf3), &[0x0f, op], width(self.s.bits(self.s.ty(inst.val))), dst, Rm::R(a), 0);
        Ok(())
    }

    pub fn pdep(&mut self, inst: &Inst) -> Result<()> {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let (a, b) = (self.get(x, 0)?, self.get(y, 0)?);
        let dst = self.def(inst.val, 0)?;
        self.a.vex(Enc(2, 3, 1, 0xf5), false, dst, a, Rm::R(b), None);
        Ok(())
    }

    pub fn clock(&mut self, v: Val) -> Result<()> {
        let dst = self.def(v, 0)?;
        self.a.code.extend_from_slice(&[0x0f, 0x31]);
        self.a.shift_imm(4, 8, RDX, 32);
        self.a.mov(dst, RDX);
        self.a.arith(Arith::Or, 8, dst, Rm::R(RAX));
        Ok(())
    }

    // ---- atomic operations ----

    fn atomic_bytes(&self, v: Val) -> Result<u32> {
        match self.bits(v) {
            8 => Ok(1),
            16 => Ok(2),
            32 => Ok(4),
            64 => Ok(8),
            _ => Err(Refused("an atomic operation of this size")),
        }
    }

    pub fn fence(&mut self, order: Order, local: bool) {
        if order == Order::AcqRel && !local {
            // MFENCE.
            self.a.code.extend_from_slice(&[0x0f, 0xae, 0xf0]);
        }
    }

    pub fn read_modify_write(&mut self, inst: &Inst, op: Rmw) -> Result<()> {
        let bytes = self.atomic_bytes(inst.val)?;
        let (p, v) = (self.arg(inst, 0), self.arg(inst, 1));
        let (p, v) = (self.get(p, 0)?, self.get(v, 0)?);
        let dst = self.def(inst.val, 0)?;
        let at = Mem::Base(p, 0);
        let byte = bytes == 1;
        match op {
            Rmw::Add => {
                self.a.mov(dst, v);
                self.a.byte(0xf0);
                self.a.general(None, &[0x0f, if byte { 0xc0 } else { 0xc1 }], bytes, dst, Rm::M(at), 0);
            }
            Rmw::Exchange => {
                self.a.mov(dst, v);
                self.a.general(None, &[if byte { 0x86 } else { 0x87 }], bytes, dst, Rm::M(at), 0);
            }
            Rmw::And | Rmw::Or | Rmw::Xor | Rmw::SMin | Rmw::SMax | Rmw::UMin | Rmw::UMax => {
                if bytes < 4 {
                    return Err(Refused("an atomic operation of this size"));
                }
                self.a.load(bytes, RAX, at);
                let again = self.a.label();
                self.a.bind(again);
                self.a.mov(RDX, RAX);
                let keep = |e: &mut Self, cc: Cc| {
                    // The old value stays where it is the one to be kept.
                    e.a.mov(RDX, v);
                    e.a.arith(Arith::Cmp, bytes, RAX, Rm::R(v));
                    e.a.cmov(cc, RDX, RAX);
                };
                match op {
                    Rmw::And => self.a.arith(Arith::And, bytes, RDX, Rm::R(v)),
                    Rmw::Or => self.a.arith(Arith::Or, bytes, RDX, Rm::R(v)),
                    Rmw::Xor => self.a.arith(Arith::Xor, bytes, RDX, Rm::R(v)),
                    Rmw::SMin => keep(self, Cc::Less),
                    Rmw::SMax => keep(self, Cc::Greater),
                    Rmw::UMin => keep(self, Cc::Below),
                    _ => keep(self, Cc::Above),
                }
                self.a.byte(0xf0);
                self.a.general(None, &[0x0f, 0xb1], bytes, RDX, Rm::M(at), 0);
                self.a.jcc(Cc::NotEqual, again);
                self.a.mov(dst, RAX);
            }
        }
        let bits = self.bits(inst.val);
        self.clean(dst, bits);
        Ok(())
    }

    pub fn compare_and_swap(&mut self, inst: &Inst) -> Result<()> {
        let bytes = self.atomic_bytes(inst.val)?;
        let (p, e, d) = (self.arg(inst, 0), self.arg(inst, 1), self.arg(inst, 2));
        let (p, e, d) = (self.get(p, 0)?, self.get(e, 0)?, self.get(d, 0)?);
        let dst = self.def(inst.val, 0)?;
        self.a.mov(RAX, e);
        self.a.byte(0xf0);
        self.a.general(None, &[0x0f, if bytes == 1 { 0xb0 } else { 0xb1 }], bytes, d, Rm::M(Mem::Base(p, 0)), 0);
        self.a.mov(dst, RAX);
        let bits = self.bits(inst.val);
        self.clean(dst, bits);
        Ok(())
    }

    pub fn swapped(&mut self, inst: &Inst) -> Result<()> {
        let old = self.arg(inst, 0);
        let Some(swap) = self.s.inst(old) else { return Err(Refused("success of no swap")) };
        let expected = self.f.resolve(swap.args[1]);
        let (a, b) = (self.get(old, 0)?, self.get(expected, 0)?);
        self.a.arith(Arith::Cmp, 8, a, Rm::R(b));
        self.truth(inst.val, Cc::Equal)
    }

    /// Truth values of a scalar comparison of floats, from a mask register.
    pub fn truth_of_mask(&mut self, v: Val, k: u8) -> Result<()> {
        let dst = self.def(v, 0)?;
        self.a.k_to(dst, k);
        self.a.arith_imm(Arith::And, 4, dst, 1);
        Ok(())
    }

    /// An integer as bits of a vector register.
    pub fn word_in(&mut self, vector: u8, reg: u8) {
        self.a.evex(Enc(1, 1, 1, 0x6e), Vex::new(0, vector, 0, Rm::R(reg)));
    }

    /// The low bits of a vector register as an integer.
    pub fn word_out(&mut self, reg: u8, vector: u8, bits: u32) {
        let w = u8::from(bits > 32);
        self.a.evex(Enc(1, 1, w, 0x7e), Vex::new(0, vector, 0, Rm::R(reg)));
        if bits < 32 {
            self.clean(reg, bits);
        }
    }

    /// A mask register other than those that values are in, from a truth value.
    pub fn mask_of_truth(&mut self, k: u8, reg: u8) {
        self.a.mov(RCX, reg);
        self.a.unary(3, 8, Rm::R(RCX));
        self.a.k_from(k, RCX);
    }

    pub fn icmp_scalar(&mut self, inst: &Inst, p: crate::codegen::ir::Icmp) -> Result<()> {
        self.scalar_compare(inst, condition(p))
    }
}
