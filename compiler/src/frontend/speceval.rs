//! `OpSpecConstantOp`.

use super::consts::Consts;
use super::error::{Error, R};
use super::module::Inst;
use super::types::Types;
use crate::sir::Type;
use half::f16;
use spirv::Op;

/// Evaluates `op` on the operands of an `OpSpecConstantOp`.
///
/// # Errors
/// Operands that do not fit, operations that shaders must not use here.
pub(super) fn eval(op: Op, inst: &Inst<'_>, consts: &Consts, types: &mut Types) -> R<Vec<u64>> {
    let arg = |i: usize| -> R<u32> { inst.word(i + 1) };
    let out_leaves = types.leaf_count(inst.ty)?;
    let type_of =
        |id: u32| -> R<u32> { Ok(consts.get(id).ok_or_else(|| Error::invalid(format!("%{id} is not a constant")))?.0) };
    let shape = |ok: bool| if ok { Ok(()) } else { Err(Error::invalid("operand shapes do not fit")) };
    match op {
        Op::VectorShuffle => {
            let mut both = consts.leaves(types, arg(0)?)?.to_vec();
            both.extend_from_slice(&consts.leaves(types, arg(1)?)?);
            let picks = inst.from(3);
            shape(picks.len() == out_leaves)?;
            return picks
                .iter()
                .map(|&p| match both.get(p as usize) {
                    Some(v) => Ok(*v),
                    None if p == u32::MAX => Ok(0),
                    None => Err(Error::invalid("shuffle component is out of range")),
                })
                .collect();
        }
        Op::CompositeExtract => {
            let (mut ty, mut start) = (type_of(arg(0)?)?, 0);
            for &index in inst.from(2) {
                let (part, before) = types.part(ty, index)?;
                ty = part;
                start += before;
            }
            shape(ty == inst.ty)?;
            return Ok(consts.leaves(types, arg(0)?)?[start..start + out_leaves].to_vec());
        }
        Op::CompositeInsert => {
            let mut out = consts.leaves(types, arg(1)?)?.to_vec();
            shape(type_of(arg(1)?)? == inst.ty)?;
            let (mut ty, mut start) = (inst.ty, 0);
            for &index in inst.from(3) {
                let (part, before) = types.part(ty, index)?;
                ty = part;
                start += before;
            }
            shape(type_of(arg(0)?)? == ty)?;
            let object = consts.leaves(types, arg(0)?)?;
            out[start..start + object.len()].copy_from_slice(&object);
            return Ok(out);
        }
        Op::Select => {
            let cond = consts.leaves(types, arg(0)?)?;
            let (a, b) = (consts.leaves(types, arg(1)?)?, consts.leaves(types, arg(2)?)?);
            shape(a.len() == out_leaves && b.len() == out_leaves && (cond.len() == 1 || cond.len() == out_leaves))?;
            return Ok((0..out_leaves)
                .map(|i| if cond[if cond.len() == 1 { 0 } else { i }] != 0 { a[i] } else { b[i] })
                .collect());
        }
        _ => {}
    }
    let (out, n) = types.vector(inst.ty)?;
    if op == Op::FConvert {
        let from = types.small_float(type_of(arg(0)?)?);
        let to = types.small_float(inst.ty);
        if from.is_some() || to.is_some() {
            let (t, count) = types.vector(type_of(arg(0)?)?)?;
            shape(count == n)?;
            let convert = |&bits: &u64| {
                let value = match from {
                    Some(f) => f.decode(bits).to_bits(),
                    None => fconvert(t, Type::F64, bits)?,
                };
                match to {
                    Some(f) => Ok(f.encode(f64::from_bits(value))),
                    None => fconvert(Type::F64, out, value),
                }
            };
            return consts.leaves(types, arg(0)?)?.iter().map(convert).collect();
        }
    }
    let arity = arity(op).ok_or_else(|| Error::unsupported(format!("Op{op:?} in OpSpecConstantOp")))?;
    let mut operands = Vec::new();
    for i in 0..arity {
        let id = arg(i)?;
        let (t, count) = types.vector(type_of(id)?)?;
        shape(count == n)?;
        operands.push((t, consts.leaves(types, id)?));
    }
    (0..n as usize)
        .map(|i| {
            let a = operands[0].1[i];
            let b = operands.get(1).map_or(0, |o| o.1[i]);
            Ok(scalar(op, operands[0].0, out, a, b)? & out.mask())
        })
        .collect()
}

fn arity(op: Op) -> Option<usize> {
    Some(match op {
        Op::SConvert | Op::UConvert | Op::FConvert | Op::QuantizeToF16 | Op::SNegate | Op::Not | Op::LogicalNot => 1,
        Op::IAdd
        | Op::ISub
        | Op::IMul
        | Op::UDiv
        | Op::SDiv
        | Op::UMod
        | Op::SRem
        | Op::SMod
        | Op::ShiftRightLogical
        | Op::ShiftRightArithmetic
        | Op::ShiftLeftLogical
        | Op::BitwiseOr
        | Op::BitwiseXor
        | Op::BitwiseAnd
        | Op::LogicalOr
        | Op::LogicalAnd
        | Op::LogicalEqual
        | Op::LogicalNotEqual
        | Op::IEqual
        | Op::INotEqual
        | Op::ULessThan
        | Op::SLessThan
        | Op::UGreaterThan
        | Op::SGreaterThan
        | Op::ULessThanEqual
        | Op::SLessThanEqual
        | Op::UGreaterThanEqual
        | Op::SGreaterThanEqual => 2,
        _ => return None,
    })
}

/// `bits` of type `t`, sign-extended.
fn signed(t: Type, bits: u64) -> i64 {
    let shift = 64 - t.bits();
    ((bits << shift) as i64) >> shift
}

/// One component; `t` is the type of the first operand. Same results as the run-time operations, so that division
/// by zero and over-wide shifts do not depend on when they are evaluated.
fn scalar(op: Op, t: Type, out: Type, a: u64, b: u64) -> R<u64> {
    let (sa, sb) = (signed(t, a), signed(t, b));
    let count = (b % u64::from(t.bits().max(1))) as u32;
    Ok(match op {
        Op::UConvert => a,
        Op::SConvert => sa as u64,
        Op::FConvert => fconvert(t, out, a)?,
        Op::QuantizeToF16 => u64::from(quantize(f32::from_bits(a as u32)).to_bits()),
        Op::SNegate => sa.wrapping_neg() as u64,
        Op::Not => !a,
        Op::LogicalNot => u64::from(a == 0),
        Op::IAdd => a.wrapping_add(b),
        Op::ISub => a.wrapping_sub(b),
        Op::IMul => a.wrapping_mul(b),
        Op::UDiv => a.checked_div(b).unwrap_or(u64::MAX),
        Op::UMod => a.checked_rem(b).unwrap_or(a),
        Op::SDiv if sb == 0 => u64::MAX,
        Op::SDiv => sa.wrapping_div(sb) as u64,
        Op::SRem if sb == 0 => a,
        Op::SRem => sa.wrapping_rem(sb) as u64,
        Op::SMod if sb == 0 => a,
        Op::SMod => {
            let r = sa.wrapping_rem(sb);
            (if r != 0 && (r < 0) != (sb < 0) { r + sb } else { r }) as u64
        }
        Op::ShiftLeftLogical => a << count,
        Op::ShiftRightLogical => a >> count,
        Op::ShiftRightArithmetic => (sa >> count) as u64,
        Op::BitwiseOr | Op::LogicalOr => a | b,
        Op::BitwiseXor => a ^ b,
        Op::BitwiseAnd | Op::LogicalAnd => a & b,
        Op::LogicalEqual | Op::IEqual => u64::from(a == b),
        Op::LogicalNotEqual | Op::INotEqual => u64::from(a != b),
        Op::ULessThan => u64::from(a < b),
        Op::ULessThanEqual => u64::from(a <= b),
        Op::UGreaterThan => u64::from(a > b),
        Op::UGreaterThanEqual => u64::from(a >= b),
        Op::SLessThan => u64::from(sa < sb),
        Op::SLessThanEqual => u64::from(sa <= sb),
        Op::SGreaterThan => u64::from(sa > sb),
        Op::SGreaterThanEqual => u64::from(sa >= sb),
        _ => return Err(Error::unsupported(format!("Op{op:?} in OpSpecConstantOp"))),
    })
}

fn fconvert(from: Type, to: Type, bits: u64) -> R<u64> {
    let bad = || Error::invalid("OpFConvert needs floating-point types");
    // Directly between each pair of widths: going through binary64 to binary16 rounds once, as binary64 holds all.
    let value = match from {
        Type::F16 => f16::from_bits(bits as u16).to_f64(),
        Type::F32 => f64::from(f32::from_bits(bits as u32)),
        Type::F64 => f64::from_bits(bits),
        _ => return Err(bad()),
    };
    Ok(match to {
        Type::F16 => u64::from(f16::from_f64(value).to_bits()),
        Type::F32 => u64::from((value as f32).to_bits()),
        Type::F64 => value.to_bits(),
        _ => return Err(bad()),
    })
}

fn quantize(value: f32) -> f32 {
    let h = f16::from_f32(value);
    if h.is_normal() || h.is_nan() || h.is_infinite() {
        h.to_f32()
    } else {
        0f32.copysign(value)
    }
}
