//! Read-modify-write functions.

use super::alu::eval;
use crate::sir::{AluOp, AtomicOp, FloatControls, Type};

/// An operation on each of the 16-bit floats that an integer holds.
fn halves(alu: AluOp, old: u64, value: u64) -> u64 {
    let part = |v: u64, i: u32| v >> (16 * i) & 0xffff;
    let float = |a, b| eval(alu, &[Type::F16, Type::F16], Type::F16, &[a, b], &FloatControls::default());
    (0..4).fold(0, |out, i| out | part(float(part(old, i), part(value, i)), 0) << (16 * i))
}

/// The new value of a place, of its old one and the operand.
pub fn apply(op: AtomicOp, ty: Type, old: u64, value: u64) -> u64 {
    let alu = match op {
        AtomicOp::IAdd => AluOp::IAdd,
        AtomicOp::SMin => AluOp::SMin,
        AtomicOp::SMax => AluOp::SMax,
        AtomicOp::UMin => AluOp::UMin,
        AtomicOp::UMax => AluOp::UMax,
        AtomicOp::And => AluOp::And,
        AtomicOp::Or => AluOp::Or,
        AtomicOp::Xor => AluOp::Xor,
        AtomicOp::Exchange => return value,
        AtomicOp::FAdd => AluOp::FAdd,
        AtomicOp::FMin => AluOp::FMin,
        AtomicOp::FMax => AluOp::FMax,
        AtomicOp::HAdd => return halves(AluOp::FAdd, old, value),
        AtomicOp::HMin => return halves(AluOp::FMin, old, value),
        AtomicOp::HMax => return halves(AluOp::FMax, old, value),
    };
    eval(alu, &[ty, ty], ty, &[old, value], &FloatControls::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_a_word() {
        // 1, -2, 65504, 0.5 and 0.5, 3, 65504, -1.
        let (a, b) = (0x3800_7bff_c000_3c00, 0xbc00_7bff_4200_3800);
        let run = |op| apply(op, Type::I64, a, b);
        assert_eq!(run(AtomicOp::HAdd), 0xb800_7c00_3c00_3e00);
        assert_eq!(run(AtomicOp::HMin), 0xbc00_7bff_c000_3800);
        assert_eq!(run(AtomicOp::HMax), 0x3800_7bff_4200_3c00);
    }
}
