//! Component-wise arithmetic, logic and comparisons.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::val::Leaves;
use crate::sir::{AluOp, Type, Value};
use smallvec::SmallVec;
use spirv::Op;

/// How a binary comparison or operation is made of one of ours.
#[derive(Clone, Copy)]
struct Binary {
    op: AluOp,
    swap: bool,
    negate: bool,
}

fn unary(op: Op) -> Option<AluOp> {
    Some(match op {
        Op::SNegate => AluOp::INeg,
        Op::FNegate => AluOp::FNeg,
        Op::Not | Op::LogicalNot => AluOp::Not,
        Op::QuantizeToF16 => AluOp::FQuantize16,
        Op::IsNan => AluOp::FIsNan,
        Op::IsInf => AluOp::FIsInf,
        Op::BitReverse => AluOp::BitReverse,
        _ => return None,
    })
}

fn binary(op: Op) -> Option<Binary> {
    let plain = |op| Binary { op, swap: false, negate: false };
    let swapped = |op| Binary { op, swap: true, negate: false };
    // Unordered comparisons are the complement of the opposite ordered ones.
    let unless = |op| Binary { op, swap: false, negate: true };
    let unless_swapped = |op| Binary { op, swap: true, negate: true };
    Some(match op {
        Op::IAdd => plain(AluOp::IAdd),
        Op::ISub => plain(AluOp::ISub),
        Op::IMul => plain(AluOp::IMul),
        Op::UDiv => plain(AluOp::UDiv),
        Op::SDiv => plain(AluOp::SDiv),
        Op::UMod => plain(AluOp::URem),
        Op::SRem => plain(AluOp::SRem),
        Op::SMod => plain(AluOp::SMod),
        Op::FAdd => plain(AluOp::FAdd),
        Op::FSub => plain(AluOp::FSub),
        Op::FMul => plain(AluOp::FMul),
        Op::FDiv => plain(AluOp::FDiv),
        Op::FRem => plain(AluOp::FRem),
        Op::FMod => plain(AluOp::FMod),
        Op::ShiftLeftLogical => plain(AluOp::Shl),
        Op::ShiftRightLogical => plain(AluOp::UShr),
        Op::ShiftRightArithmetic => plain(AluOp::SShr),
        Op::BitwiseOr | Op::LogicalOr => plain(AluOp::Or),
        Op::BitwiseXor => plain(AluOp::Xor),
        Op::BitwiseAnd | Op::LogicalAnd => plain(AluOp::And),
        Op::IEqual | Op::LogicalEqual => plain(AluOp::IEq),
        Op::INotEqual | Op::LogicalNotEqual => plain(AluOp::INe),
        Op::ULessThan => plain(AluOp::ULt),
        Op::ULessThanEqual => plain(AluOp::ULe),
        Op::UGreaterThan => swapped(AluOp::ULt),
        Op::UGreaterThanEqual => swapped(AluOp::ULe),
        Op::SLessThan => plain(AluOp::SLt),
        Op::SLessThanEqual => plain(AluOp::SLe),
        Op::SGreaterThan => swapped(AluOp::SLt),
        Op::SGreaterThanEqual => swapped(AluOp::SLe),
        Op::FOrdEqual => plain(AluOp::FEq),
        Op::FUnordNotEqual => plain(AluOp::FNe),
        Op::FOrdLessThan => plain(AluOp::FLt),
        Op::FOrdLessThanEqual => plain(AluOp::FLe),
        Op::FOrdGreaterThan => swapped(AluOp::FLt),
        Op::FOrdGreaterThanEqual => swapped(AluOp::FLe),
        Op::FUnordLessThan => unless_swapped(AluOp::FLe),
        Op::FUnordLessThanEqual => unless_swapped(AluOp::FLt),
        Op::FUnordGreaterThan => unless(AluOp::FLe),
        Op::FUnordGreaterThanEqual => unless(AluOp::FLt),
        _ => return None,
    })
}

impl Translator<'_> {
    /// Operands from word `from` on, one vector each, all with as many components as the result type.
    pub(super) fn same_size(&mut self, inst: &Inst<'_>, from: usize, count: usize) -> R<SmallVec<[Leaves; 4]>> {
        let (_, n) = self.types.components(inst.ty)?;
        let mut out = SmallVec::new();
        for i in 0..count {
            let v = self.vector(inst.word(from + i)?)?;
            if v.len() != n as usize {
                return Err(Error::invalid("operands have another number of components than the result"));
            }
            out.push(v);
        }
        Ok(out)
    }

    /// Applies `f` to each component of `count` operands.
    pub(super) fn map(
        &mut self,
        inst: &Inst<'_>,
        from: usize,
        count: usize,
        mut f: impl FnMut(&mut Self, &[Value]) -> R<Value>,
    ) -> R<()> {
        let operands = self.same_size(inst, from, count)?;
        let n = self.types.components(inst.ty)?.1 as usize;
        let mut out = Leaves::new();
        for i in 0..n {
            let args: SmallVec<[Value; 4]> = operands.iter().map(|o| o[i]).collect();
            out.push(f(self, &args)?);
        }
        self.set_leaves(inst, out)
    }

    /// Component-wise operations; says whether this was one.
    pub(super) fn alu_inst(&mut self, inst: &Inst<'_>) -> R<bool> {
        let (ty, _) = match self.types.vector(inst.ty) {
            Ok(t) if inst.ty != 0 => t,
            _ => return Ok(false),
        };
        let flags = self.flags(inst, ty);
        if let Some(op) = unary(inst.op) {
            self.map(inst, 0, 1, |t, a| Ok(t.b.alu_flags(op, ty, a, flags)))?;
            return Ok(true);
        }
        if let Some(b) = binary(inst.op) {
            self.map(inst, 0, 2, |t, a| {
                let args = if b.swap { [a[1], a[0]] } else { [a[0], a[1]] };
                let v = t.b.alu_flags(b.op, ty, &args, flags);
                Ok(if b.negate { t.b.alu(AluOp::Not, ty, &[v]) } else { v })
            })?;
            return Ok(true);
        }
        let both = |t: &mut Self, op: AluOp, x: Value, y: Value| t.b.alu(op, Type::Bool, &[x, y]);
        match inst.op {
            Op::FOrdNotEqual | Op::LessOrGreater | Op::FUnordEqual => self.map(inst, 0, 2, |t, a| {
                let less = both(t, AluOp::FLt, a[0], a[1]);
                let greater = both(t, AluOp::FLt, a[1], a[0]);
                let differ = both(t, AluOp::Or, less, greater);
                Ok(if inst.op == Op::FUnordEqual { t.b.alu(AluOp::Not, Type::Bool, &[differ]) } else { differ })
            })?,
            Op::Ordered | Op::Unordered => self.map(inst, 0, 2, |t, a| {
                let x = t.b.alu(AluOp::FIsNan, Type::Bool, &[a[0]]);
                let y = t.b.alu(AluOp::FIsNan, Type::Bool, &[a[1]]);
                let either = both(t, AluOp::Or, x, y);
                Ok(if inst.op == Op::Ordered { t.b.alu(AluOp::Not, Type::Bool, &[either]) } else { either })
            })?,
            Op::FmaKHR => self.map(inst, 0, 3, |t, a| Ok(t.b.alu(AluOp::Fma, ty, a)))?,
            Op::Any | Op::All => {
                let op = if inst.op == Op::Any { AluOp::Or } else { AluOp::And };
                let v = self.vector(inst.word(0)?)?;
                let mut out = v[0];
                for &x in &v[1..] {
                    out = both(self, op, out, x);
                }
                self.set_leaves(inst, SmallVec::from_slice(&[out]))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
