//! Integer dot products, also of four bytes packed in a word.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use crate::sir::{AluOp, Type, Value};
use smallvec::smallvec;
use spirv::Op;

impl Translator<'_> {
    /// `OpSDot`, `OpUDot`, `OpSUDot` and their saturating accumulations.
    pub(super) fn integer_dot(&mut self, inst: &Inst<'_>) -> R<()> {
        let (signed_a, signed_b) = match inst.op {
            Op::SDot | Op::SDotAccSat => (true, true),
            Op::SUDot | Op::SUDotAccSat => (true, false),
            _ => (false, false),
        };
        let accumulate = matches!(inst.op, Op::SDotAccSat | Op::UDotAccSat | Op::SUDotAccSat);
        let out = self.types.scalar(inst.ty)?;
        if !out.is_int() {
            return Err(Error::invalid("the result is not an integer"));
        }
        let a = self.vector(inst.word(0)?)?;
        let b = self.vector(inst.word(1)?)?;
        if a.len() != b.len() {
            return Err(Error::invalid("operands have different numbers of components"));
        }
        let mut sum = if a.len() == 1 {
            if inst.word(if accumulate { 3 } else { 2 })? != spirv::PackedVectorFormat::PackedVectorFormat4x8Bit as u32
            {
                return Err(Error::unsupported("this packed vector format"));
            }
            let op = match (signed_a, signed_b) {
                (true, true) => AluOp::SDot4,
                (true, false) => AluOp::SUDot4,
                (false, _) => AluOp::UDot4,
            };
            let dot = self.b.alu(op, Type::I32, &[a[0], b[0]]);
            self.b.int_to(dot, out, signed_a)
        } else {
            let mut sum: Option<Value> = None;
            for (&x, &y) in a.iter().zip(&b) {
                if !self.b.ty(x).is_int() || !self.b.ty(y).is_int() {
                    return Err(Error::invalid("operands are not integers"));
                }
                let x = self.b.int_to(x, out, signed_a);
                let y = self.b.int_to(y, out, signed_b);
                let product = self.b.alu(AluOp::IMul, out, &[x, y]);
                sum = Some(sum.map_or(product, |s| self.b.alu(AluOp::IAdd, out, &[s, product])));
            }
            sum.ok_or_else(|| Error::invalid("empty vectors"))?
        };
        if accumulate {
            let acc = self.scalar(inst.word(2)?)?;
            let op = if signed_a { AluOp::SAddSat } else { AluOp::UAddSat };
            sum = self.b.alu(op, out, &[sum, acc]);
        }
        self.set_leaves(inst, smallvec![sum])
    }
}
