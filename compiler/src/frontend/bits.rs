//! Bit fields and operations with two results.

use super::error::R;
use super::module::Inst;
use super::translator::Translator;
use super::val::Leaves;
use crate::sir::{AluOp, Type, Value};
use spirv::Op;

impl Translator<'_> {
    /// `OpBitFieldInsert`, `OpBitField*Extract`, `OpBitCount`; offset and count are scalars for all components.
    pub(super) fn bit_field(&mut self, inst: &Inst<'_>) -> R<()> {
        let (ty, _) = self.types.vector(inst.ty)?;
        if inst.op == Op::BitCount {
            return self.map(inst, 0, 1, |t, a| {
                let from = t.b.ty(a[0]);
                let count = t.b.alu(AluOp::BitCount, from, a);
                Ok(t.b.int_to(count, ty, false))
            });
        }
        let (op, vectors) = match inst.op {
            Op::BitFieldInsert => (AluOp::BitInsert, 2),
            Op::BitFieldSExtract => (AluOp::SBitExtract, 1),
            _ => (AluOp::UBitExtract, 1),
        };
        let offset = self.bit_operand(inst.word(vectors)?)?;
        let count = self.bit_operand(inst.word(vectors + 1)?)?;
        self.map(inst, 0, vectors, |t, a| {
            let mut args: Leaves = a.into();
            args.extend([offset, count]);
            Ok(t.b.alu(op, ty, &args))
        })
    }

    fn bit_operand(&mut self, id: u32) -> R<Value> {
        let v = self.scalar(id)?;
        Ok(if self.b.ty(v).is_int() { self.b.int_to(v, Type::I32, false) } else { v })
    }

    /// `OpIAddCarry`, `OpISubBorrow`, `OpUMulExtended`, `OpSMulExtended`: a structure of low part and high part or carry.
    pub(super) fn extended(&mut self, inst: &Inst<'_>) -> R<()> {
        let (ty, a) = self.leaves(inst.word(0)?)?;
        let b = self.vector(inst.word(1)?)?;
        let (t, n) = self.types.vector(ty)?;
        if b.len() != n as usize {
            return Err(super::error::Error::invalid("operands have different numbers of components"));
        }
        let mut low = Leaves::new();
        let mut high = Leaves::new();
        for (&x, &y) in a.iter().zip(&b) {
            let op = match inst.op {
                Op::IAddCarry => AluOp::IAdd,
                Op::ISubBorrow => AluOp::ISub,
                _ => AluOp::IMul,
            };
            let l = self.b.alu(op, t, &[x, y]);
            low.push(l);
            high.push(match inst.op {
                Op::UMulExtended => self.b.alu(AluOp::UMulHi, t, &[x, y]),
                Op::SMulExtended => self.b.alu(AluOp::SMulHi, t, &[x, y]),
                _ => {
                    let operands = if inst.op == Op::IAddCarry { [l, x] } else { [x, y] };
                    let wraps = self.b.alu(AluOp::ULt, Type::Bool, &operands);
                    self.b.alu(AluOp::ZExt, t, &[wraps])
                }
            });
        }
        low.extend(high);
        self.set_leaves(inst, low)
    }
}
