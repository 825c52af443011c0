//! Conversions of vectors: the same number of lanes, of other sizes. Wider results take more registers, narrower ones fewer.

use super::asm::{Enc, Mem, Rm, Vex, RSP};
use super::emit::{Emit, Result};
use super::vector::{V_MORE, V_WORK};
use super::Refused;
use crate::codegen::ir::{Cast, Inst, TyKind, Val};

impl Emit<'_, '_> {
    fn element(&self, v: Val) -> &TyKind {
        self.s.what(self.s.shape(self.s.ty(v)).0)
    }

    /// The instruction for a conversion between elements of these sizes.
    fn conversion(&self, inst: &Inst, cast: Cast) -> Result<Enc> {
        let (from, to) = (self.bits(inst.args[0]), self.bits(inst.val));
        let half = *self.element(inst.args[0]) == TyKind::Half || *self.element(inst.val) == TyKind::Half;
        Ok(match (cast, from, to) {
            (Cast::FpExt, 16, 32) if half => Enc(2, 1, 0, 0x13),
            (Cast::FpTrunc, 32, 16) if half => Enc(3, 1, 0, 0x1d),
            (Cast::FpExt, 32, 64) => Enc(1, 0, 0, 0x5a),
            (Cast::FpTrunc, 64, 32) => Enc(1, 1, 1, 0x5a),
            (Cast::Trunc, 16, 8) => Enc(2, 2, 0, 0x30),
            (Cast::Trunc, 32, 8) => Enc(2, 2, 0, 0x31),
            (Cast::Trunc, 64, 8) => Enc(2, 2, 0, 0x32),
            (Cast::Trunc, 32, 16) => Enc(2, 2, 0, 0x33),
            (Cast::Trunc, 64, 16) => Enc(2, 2, 0, 0x34),
            (Cast::Trunc, 64, 32) => Enc(2, 2, 0, 0x35),
            (Cast::SExt | Cast::ZExt, _, _) => {
                let low = match (from, to) {
                    (8, 16) => 0,
                    (8, 32) => 1,
                    (8, 64) => 2,
                    (16, 32) => 3,
                    (16, 64) => 4,
                    (32, 64) => 5,
                    _ => return Err(Refused("an extension")),
                };
                Enc(2, 1, 0, low + if cast == Cast::SExt { 0x20 } else { 0x30 })
            }
            (Cast::SiToFp, 32, 32) => Enc(1, 0, 0, 0x5b),
            (Cast::UiToFp, 32, 32) => Enc(1, 3, 0, 0x7a),
            (Cast::SiToFp, 32, 64) => Enc(1, 2, 0, 0xe6),
            (Cast::UiToFp, 32, 64) => Enc(1, 2, 0, 0x7a),
            (Cast::SiToFp, 64, 64) => Enc(1, 2, 1, 0xe6),
            (Cast::UiToFp, 64, 64) => Enc(1, 2, 1, 0x7a),
            (Cast::SiToFp, 64, 32) => Enc(1, 0, 1, 0x5b),
            (Cast::UiToFp, 64, 32) => Enc(1, 3, 1, 0x7a),
            (Cast::FpToSi, 32, 32) => Enc(1, 2, 0, 0x5b),
            (Cast::FpToUi, 32, 32) => Enc(1, 0, 0, 0x78),
            (Cast::FpToSi, 64, 32) => Enc(1, 1, 1, 0xe6),
            (Cast::FpToUi, 64, 32) => Enc(1, 0, 1, 0x78),
            (Cast::FpToSi, 64, 64) => Enc(1, 1, 1, 0x7a),
            (Cast::FpToUi, 64, 64) => Enc(1, 1, 1, 0x78),
            (Cast::FpToSi, 32, 64) => Enc(1, 1, 0, 0x7a),
            (Cast::FpToUi, 32, 64) => Enc(1, 1, 0, 0x78),
            _ => return Err(Refused("a conversion")),
        })
    }

    /// Converts what a register holds; some instructions name the source first.
    fn converted(&mut self, e: Enc, len: u8, dst: u8, src: u8) {
        let half = e.0 == 3;
        let turned = half || (e.0 == 2 && e.1 == 2);
        let (reg, rm) = if turned { (src, dst) } else { (dst, src) };
        let v = Vex::new(len, reg, 0, Rm::R(rm));
        self.a.evex(e, if half { v.imm(0) } else { v });
    }

    /// Lanes from `at` bits on of a register, at the low end of one.
    pub fn lowered(&mut self, src: u8, at: u32) -> u8 {
        if at == 0 {
            return src;
        }
        self.a.evex(Enc(3, 1, 1, 0x03), Vex::new(2, V_WORK, src, Rm::R(src)).imm((at / 64) as u8));
        V_WORK
    }

    pub fn vector_cast(&mut self, inst: &Inst, cast: Cast) -> Result<()> {
        let v = self.arg(inst, 0);
        let (from, to) = (self.bits(inst.args[0]), self.bits(inst.val));
        if matches!(cast, Cast::Bitcast | Cast::IntToPtr | Cast::PtrToInt) {
            // Of a constant.
            let parts = self.r.class_of(inst.val).1;
            for part in 0..parts {
                let a = self.get(v, part)?;
                let dst = self.def(inst.val, part)?;
                self.a.evex(super::regs::MOVE, Vex::new(2, dst, 0, Rm::R(a)));
            }
            return Ok(());
        }
        let e = self.conversion(inst, cast)?;
        let (from_parts, to_parts) = (self.r.class_of(v).1, self.r.class_of(inst.val).1);
        let (len, _) = self.length(if from >= to { inst.args[0] } else { inst.val });
        if from <= to {
            for part in 0..to_parts {
                let at = u32::from(part) * 512 / (to / from);
                let src = self.get(v, (at / 512) as u16)?;
                let dst = self.def(inst.val, part)?;
                let src = self.lowered(src, at % 512);
                self.converted(e, len, dst, src);
            }
            return Ok(());
        }
        if from_parts == 1 {
            let src = self.get(v, 0)?;
            let dst = self.def(inst.val, 0)?;
            self.converted(e, len, dst, src);
            return Ok(());
        }
        if from == 2 * to {
            for part in 0..to_parts {
                let dst = self.def(inst.val, part)?;
                let low = self.get(v, 2 * part)?;
                self.converted(e, 2, dst, low);
                if 2 * part + 1 < from_parts {
                    let high = self.get(v, 2 * part + 1)?;
                    self.converted(e, 2, V_WORK, high);
                    self.a.evex(Enc(3, 1, 1, 0x3a), Vex::new(2, dst, dst, Rm::R(V_WORK)).imm(1));
                }
            }
            return Ok(());
        }
        // Pieces side by side in memory.
        let place = self.r.slot(inst.val)?;
        let piece = (64 * to / from) as i32;
        for part in 0..from_parts {
            let src = self.get(v, part)?;
            self.converted(e, 2, V_MORE, src);
            self.store_bytes(V_MORE, Mem::Base(RSP, place + i32::from(part) * piece), piece as u32)?;
        }
        self.r.made_in_memory(inst.val);
        Ok(())
    }

    /// A scalar integer to a float, or the bits of one.
    pub fn word_to_vector(&mut self, inst: &Inst, cast: Cast) -> Result<()> {
        let v = self.arg(inst, 0);
        let a = self.get(v, 0)?;
        let dst = self.def(inst.val, 0)?;
        if cast == Cast::Bitcast {
            self.word_in(dst, a);
            return Ok(());
        }
        let e = self.conversion(inst, cast)?;
        self.word_in(V_WORK, a);
        self.converted(e, 0, dst, V_WORK);
        Ok(())
    }

    /// A float to a scalar integer, or its bits.
    pub fn vector_to_word(&mut self, inst: &Inst, cast: Cast) -> Result<()> {
        let v = self.arg(inst, 0);
        let bits = self.bits(inst.val);
        let a = self.get(v, 0)?;
        let dst = self.def(inst.val, 0)?;
        if cast == Cast::Bitcast {
            self.word_out(dst, a, bits);
            return Ok(());
        }
        let e = self.conversion(inst, cast)?;
        self.converted(e, 0, V_WORK, a);
        self.word_out(dst, V_WORK, bits);
        Ok(())
    }

    /// Truth values as the bits of an integer.
    pub fn mask_to_word(&mut self, inst: &Inst) -> Result<()> {
        let v = self.arg(inst, 0);
        let k = self.get(v, 0)?;
        let bits = self.bits(inst.val);
        let dst = self.def(inst.val, 0)?;
        self.a.k_to(dst, k);
        if bits == 32 {
            self.a.mov32(dst, dst);
        } else if bits < 64 {
            self.clean(dst, bits);
        }
        Ok(())
    }
}
