//! A rough price of operations, for passes that trade.

use crate::sir::{AluOp, Op};

/// Price of a lane-wise operation in simple operations.
pub const fn alu(op: AluOp) -> u32 {
    match op {
        AluOp::Bitcast | AluOp::FNeg | AluOp::FAbs => 0,
        AluOp::UDiv | AluOp::SDiv | AluOp::URem | AluOp::SRem | AluOp::SMod => 12,
        AluOp::FDiv | AluOp::FSqrt | AluOp::FRsqrt => 6,
        AluOp::FRem | AluOp::FMod => 16,
        AluOp::FLdexp | AluOp::FFrexpMant | AluOp::FFrexpExp | AluOp::FQuantize16 => 20,
        op if op.is_transcendental() => 20,
        _ => 1,
    }
}

/// Price of an operation that may be done speculatively; `None` if it must not.
pub const fn speculate(op: &Op) -> Option<u32> {
    match op {
        Op::Const(_) | Op::Builtin(_) => Some(0),
        Op::Alu { op, .. } => Some(alu(*op)),
        Op::Buffer(_) | Op::BufferSize(_) => Some(1),
        _ => None,
    }
}
