//! `GLSL.std.450`: packing and unpacking.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::val::Leaves;
use crate::sir::{AluOp, Type, Value};
use spirv::GlslStd450Op as G;

impl Translator<'_> {
    /// Packing functions; the operand is word 2.
    pub(super) fn glsl_pack(&mut self, inst: &Inst<'_>, op: G) -> R<()> {
        let v = self.vector(inst.word(2)?)?;
        // Fields per word, bits per field, whether signed.
        let fields = match op {
            G::PackSnorm4x8 | G::UnpackSnorm4x8 => (4, 8, true),
            G::PackUnorm4x8 | G::UnpackUnorm4x8 => (4, 8, false),
            G::PackSnorm2x16 | G::UnpackSnorm2x16 => (2, 16, true),
            G::PackUnorm2x16 | G::UnpackUnorm2x16 => (2, 16, false),
            G::PackHalf2x16 | G::UnpackHalf2x16 => (2, 16, false),
            G::PackDouble2x32 => {
                let out = self.repack(&v, &[Type::F64])?;
                return self.set_leaves(inst, out);
            }
            G::UnpackDouble2x32 => {
                let out = self.repack(&v, &[Type::I32, Type::I32])?;
                return self.set_leaves(inst, out);
            }
            _ => return Err(Error::unsupported(format!("GLSL.std.450 {op:?}"))),
        };
        match op {
            G::PackSnorm4x8 | G::PackUnorm4x8 | G::PackSnorm2x16 | G::PackUnorm2x16 | G::PackHalf2x16 => {
                if v.len() != fields.0 || v.iter().any(|&x| self.b.ty(x) != Type::F32) {
                    return Err(Error::invalid("the operand has not as many 32-bit floats as there are fields"));
                }
                let mut word = self.b.i32(0);
                for (i, &x) in v.iter().enumerate() {
                    let field =
                        if op == G::PackHalf2x16 { self.half_bits(x) } else { self.norm_bits(x, fields.1, fields.2) };
                    let shift = self.b.i32(i as u32 * fields.1);
                    let placed = if i == 0 { field } else { self.b.alu(AluOp::Shl, Type::I32, &[field, shift]) };
                    word = if i == 0 { placed } else { self.b.alu(AluOp::Or, Type::I32, &[word, placed]) };
                }
                self.set_one(inst, word)
            }
            _ => {
                let &[word] = &v[..] else {
                    return Err(Error::invalid("the operand is not one word"));
                };
                if self.b.ty(word) != Type::I32 {
                    return Err(Error::invalid("the operand is not one word"));
                }
                let mut out = Leaves::new();
                for i in 0..fields.0 as u32 {
                    let at = i * fields.1;
                    out.push(match op {
                        G::UnpackHalf2x16 => self.half_at(word, at),
                        _ => self.norm_at(word, at, fields.1, fields.2),
                    });
                }
                self.set_leaves(inst, out)
            }
        }
    }

    fn half_bits(&mut self, x: Value) -> Value {
        let half = self.b.alu(AluOp::FConv, Type::F16, &[x]);
        let bits = self.b.bitcast(half, Type::I16);
        self.b.alu(AluOp::ZExt, Type::I32, &[bits])
    }

    fn half_at(&mut self, word: Value, at: u32) -> Value {
        let shift = self.b.i32(at);
        let bits = if at == 0 { word } else { self.b.alu(AluOp::UShr, Type::I32, &[word, shift]) };
        let bits = self.b.alu(AluOp::ITrunc, Type::I16, &[bits]);
        let half = self.b.bitcast(bits, Type::F16);
        self.b.alu(AluOp::FConv, Type::F32, &[half])
    }

    fn norm_scale(&mut self, bits: u32, signed: bool) -> Value {
        let max = (1u32 << (bits - u32::from(signed))) - 1;
        self.b.float(Type::F32, f64::from(max))
    }

    /// round(clamp(x) · maximum) in the low bits of a word.
    fn norm_bits(&mut self, x: Value, bits: u32, signed: bool) -> Value {
        let scale = self.norm_scale(bits, signed);
        let low = self.b.float(Type::F32, if signed { -1.0 } else { 0.0 });
        let high = self.b.float(Type::F32, 1.0);
        let b = &mut self.b;
        let x = b.alu(AluOp::FMax, Type::F32, &[x, low]);
        let x = b.alu(AluOp::FMin, Type::F32, &[x, high]);
        let x = b.alu(AluOp::FMul, Type::F32, &[x, scale]);
        let x = b.alu(AluOp::FRoundEven, Type::F32, &[x]);
        let whole = b.alu(AluOp::FToS, Type::I32, &[x]);
        let mask = b.i32((1 << bits) - 1);
        b.alu(AluOp::And, Type::I32, &[whole, mask])
    }

    /// The field at a bit position divided by its maximum; signed ones not below −1.
    fn norm_at(&mut self, word: Value, at: u32, bits: u32, signed: bool) -> Value {
        let scale = self.norm_scale(bits, signed);
        let (offset, count) = (self.b.i32(at), self.b.i32(bits));
        let b = &mut self.b;
        let extract = if signed { AluOp::SBitExtract } else { AluOp::UBitExtract };
        let field = b.alu(extract, Type::I32, &[word, offset, count]);
        let x = b.alu(if signed { AluOp::SToF } else { AluOp::UToF }, Type::F32, &[field]);
        let x = b.alu(AluOp::FDiv, Type::F32, &[x, scale]);
        if !signed {
            return x;
        }
        let low = b.float(Type::F32, -1.0);
        b.alu(AluOp::FMax, Type::F32, &[x, low])
    }
}
