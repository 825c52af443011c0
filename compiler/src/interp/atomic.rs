//! Read-modify-write functions.

use super::alu::eval;
use crate::sir::{AluOp, AtomicOp, FloatControls, Type};

/// The new value.
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
    };
    eval(alu, &[ty, ty], ty, &[old, value], &FloatControls::default())
}
