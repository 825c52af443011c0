//! Types of lane-wise operations.

use super::{ensure, Check};
use crate::sir::{AluOp, AluShape, Type};

fn same(args: &[Type], what: &str) -> Check {
    ensure(args.iter().all(|&t| t == args[0]), || format!("{what} must have one type"))
}

fn result(found: Type, expected: Type) -> Check {
    ensure(found == expected, || format!("the result is {found}, {expected} expected"))
}

/// Checks operand and result types.
pub fn check(op: AluOp, args: &[Type], res: Type) -> Check {
    let shape = op.shape();
    ensure(args.len() == shape.arity(), || format!("{} operands, {} expected", args.len(), shape.arity()))?;
    let t = args[0];
    let int = || ensure(t.is_int(), || format!("{t} operand, integer expected"));
    let float = || ensure(t.is_float(), || format!("{t} operand, floating point expected"));
    let i32_args = |a: &[Type]| ensure(a.iter().all(|&t| t == Type::I32), || "i32 operand expected".into());
    match shape {
        AluShape::Int(_) => {
            int()?;
            same(args, "the operands")?;
            result(res, t)
        }
        AluShape::IntBool(_) => {
            ensure(t.is_int() || t == Type::Bool, || format!("{t} operand, integer or bool expected"))?;
            same(args, "the operands")?;
            result(res, t)
        }
        AluShape::Float(_) => {
            float()?;
            same(args, "the operands")?;
            float_width(op, t)?;
            result(res, t)
        }
        AluShape::IntCmp => {
            let bool_ok = matches!(op, AluOp::IEq | AluOp::INe) && t == Type::Bool;
            ensure(t.is_int() || bool_ok, || format!("{t} operand, integer expected"))?;
            same(args, "the operands")?;
            result(res, Type::Bool)
        }
        AluShape::FloatCmp(_) => {
            float()?;
            same(args, "the operands")?;
            result(res, Type::Bool)
        }
        AluShape::Shift => {
            int()?;
            ensure(args[1].is_int(), || "the count must be an integer".into())?;
            result(res, t)
        }
        AluShape::BitField(n) => {
            int()?;
            let values = n as usize - 2;
            same(&args[..values], "the values")?;
            i32_args(&args[values..])?;
            result(res, t)
        }
        AluShape::Ldexp => {
            float()?;
            i32_args(&args[1..])?;
            result(res, t)
        }
        AluShape::FrexpExp => {
            float()?;
            result(res, Type::I32)
        }
        AluShape::Convert => convert(op, t, res),
        AluShape::Select => {
            ensure(t == Type::Bool, || "the condition must be a bool".into())?;
            same(&args[1..], "both sides")?;
            result(res, args[1])
        }
        AluShape::Dot => {
            i32_args(args)?;
            result(res, Type::I32)
        }
    }
}

fn float_width(op: AluOp, t: Type) -> Check {
    ensure(op.has_width(t), || format!("not available for {t}"))
}

fn convert(op: AluOp, t: Type, res: Type) -> Check {
    let ok = match op {
        AluOp::ITrunc => t.is_int() && res.is_int() && res.bits() < t.bits(),
        AluOp::ZExt => (t.is_int() || t == Type::Bool) && res.is_int() && res.bits() > t.bits(),
        AluOp::SExt => t.is_int() && res.is_int() && res.bits() > t.bits(),
        AluOp::FToS | AluOp::FToU => t.is_float() && res.is_int(),
        AluOp::SToF | AluOp::UToF => t.is_int() && res.is_float(),
        AluOp::FConv => t.is_float() && res.is_float() && t != res,
        AluOp::FConvRtz => t.is_float() && res.is_float() && res.bits() < t.bits(),
        AluOp::TableExp2 | AluOp::TableExp2Rest | AluOp::TableReciprocal | AluOp::TableLog2 => {
            t == Type::I32 && res == Type::F32
        }
        AluOp::Bitcast => t.bytes() != 0 && t.bytes() == res.bytes(),
        _ => false,
    };
    ensure(ok, || format!("no conversion from {t} to {res}"))
}
