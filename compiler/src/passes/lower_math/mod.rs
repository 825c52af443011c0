//! Expands the operations that no machine has into basic ones, so that GPU back ends see only: integer operations,
//! fadd fsub fmul fdiv fneg fabs fma fmin fmax ffloor fceil ftrunc froundeven fsqrt fscale, comparisons, fisnan, fisinf,
//! conversions and select; and, if they ask for it, fexponent fsignificand fscale_any table_exp2 table_reciprocal table_log2, of which
//! the exponentials and logarithms of such machines are made.
//!
//! The approximations work in binary32 (binary16 goes through it) and stay within the precision that the Vulkan
//! specification asks for in its table of SPIR-V operations, mostly within 2 or 3 units in the last place; NaN, infinities,
//! zeros and denormals come out as the interpreter has them. The polynomial coefficients are minimax fits made for
//! the reduced ranges named beside them.

mod exp;
mod hyperbolic;
mod scale;
mod tabled;
mod trig;

use super::emit::Emit;
use crate::sir::{AluOp, Inst, Kernel, Op, Region, Type, Value};

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    run_for(kernel, false)
}

/// Runs the pass for a machine that has the `table_*` operations, `fexponent`, `fsignificand` and `fscale_any` as instructions, and
/// makes use of them.
pub fn run_with_tables(kernel: &mut Kernel) -> bool {
    run_for(kernel, true)
}

/// Runs the pass, with tables or without.
pub fn run_for(kernel: &mut Kernel, tables: bool) -> bool {
    let mut body = std::mem::take(&mut kernel.body);
    let mut changed = false;
    region(kernel, &mut body, tables, &mut changed);
    kernel.body = body;
    changed
}

/// Whether the pass expands the operation.
pub const fn expands(op: AluOp) -> bool {
    op.is_transcendental()
        || matches!(
            op,
            AluOp::FRem
                | AluOp::FMod
                | AluOp::FSign
                | AluOp::FRsqrt
                | AluOp::FLdexp
                | AluOp::FFrexpMant
                | AluOp::FFrexpExp
                | AluOp::FQuantize16
        )
}

fn region(kernel: &mut Kernel, region: &mut Region, tables: bool, changed: &mut bool) {
    if !region.insts.iter().any(|i| matches!(&i.op, Op::Alu { op, .. } if expands(*op)) || i.op.is_control()) {
        return;
    }
    let insts = std::mem::take(&mut region.insts);
    let mut out = Vec::with_capacity(insts.len());
    for mut inst in insts {
        inst.op.for_each_region_mut(&mut |r| self::region(kernel, r, tables, changed));
        match &inst.op {
            Op::Alu { op, args, .. } if expands(*op) => {
                *changed = true;
                let (op, args) = (*op, args.clone());
                let ty = kernel.ty(args[0]);
                expand(Emit { kernel, out: &mut out, ty, tables }, op, &args, &inst);
            }
            _ => out.push(inst),
        }
    }
    region.insts = out;
}

/// Appends the expansion; its last operation defines the result.
fn expand(mut e: Emit<'_>, op: AluOp, args: &[Value], inst: &Inst) {
    let result = inst.results[0];
    let narrow = e.ty == Type::F16;
    let wide: Vec<Value> = if narrow {
        // binary16 operands are exact in binary32; the one rounding back is far finer than the approximations.
        e.ty = Type::F32;
        args.iter()
            .map(|&v| if e.kernel.ty(v) == Type::F16 { e.alu(Type::F32, AluOp::FConv, &[v]) } else { v })
            .collect()
    } else {
        args.to_vec()
    };
    let v = one(&mut e, op, &wide);
    let v = if narrow && e.kernel.ty(v) == Type::F32 && e.kernel.ty(result) == Type::F16 {
        e.alu(Type::F16, AluOp::FConv, &[v])
    } else {
        v
    };
    // The value made last takes the place of the result.
    match e.out.iter_mut().rev().find(|i| i.results.contains(&v)) {
        Some(last) if !args.contains(&v) => last.results.iter_mut().filter(|r| **r == v).for_each(|r| *r = result),
        _ => {
            let zero = e.kernel.value(Type::Bool);
            e.out.push(Inst { results: [zero].into_iter().collect(), op: Op::Const(1) });
            e.out.push(Inst { results: [result].into_iter().collect(), op: Op::alu(AluOp::Select, &[zero, v, v]) });
        }
    }
}

fn one(e: &mut Emit<'_>, op: AluOp, a: &[Value]) -> Value {
    match op {
        AluOp::FExp2 => exp::exp2(e, a[0]),
        AluOp::FExp => exp::exp(e, a[0]),
        AluOp::FLog2 => exp::log2(e, a[0]),
        AluOp::FLog => exp::log(e, a[0]),
        AluOp::FPow => exp::pow(e, a[0], a[1]),
        AluOp::FSin => trig::sin(e, a[0]),
        AluOp::FCos => trig::cos(e, a[0]),
        AluOp::FTan => trig::tan(e, a[0]),
        AluOp::FAsin => trig::asin(e, a[0]),
        AluOp::FAcos => trig::acos(e, a[0]),
        AluOp::FAtan => trig::atan(e, a[0]),
        AluOp::FAtan2 => trig::atan2(e, a[0], a[1]),
        AluOp::FSinh => hyperbolic::sinh(e, a[0]),
        AluOp::FCosh => hyperbolic::cosh(e, a[0]),
        AluOp::FTanh => hyperbolic::tanh(e, a[0]),
        AluOp::FAsinh => hyperbolic::asinh(e, a[0]),
        AluOp::FAcosh => hyperbolic::acosh(e, a[0]),
        AluOp::FAtanh => hyperbolic::atanh(e, a[0]),
        AluOp::FRem => scale::rem(e, a[0], a[1]),
        AluOp::FMod => scale::modulo(e, a[0], a[1]),
        AluOp::FSign => scale::sign(e, a[0]),
        AluOp::FLdexp => scale::ldexp(e, a[0], a[1]),
        AluOp::FFrexpMant => scale::frexp_mant(e, a[0]),
        AluOp::FFrexpExp => scale::frexp_exp(e, a[0]),
        AluOp::FQuantize16 => scale::quantize16(e, a[0]),
        // FRsqrt; nothing else comes here.
        _ => {
            let one = e.c(1.0);
            let root = e.f(AluOp::FSqrt, &[a[0]]);
            e.f(AluOp::FDiv, &[one, root])
        }
    }
}

#[cfg(test)]
mod tests;
