//! Products of cooperative matrices.

use super::coop::CoopTy;
use super::coop_lanes::Affine;
use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::types::Ty;
use super::val::Leaves;
use crate::sir::{AluFlags, AluOp, Type, Value};
use spirv::{CooperativeMatrixOperands as Operands, Op};

/// Most multiplications per invocation in straight code; beyond, rows of the result are a loop.
const UNROLL: u64 = 2048;

/// Scalars of the result that are summed up side by side: enough to hide the latency of an addition, few enough to stay in
/// registers.
const TILE: usize = 8;

/// How products are summed up.
#[derive(Clone, Copy)]
struct Arithmetic {
    ty: Type,
    mul: AluOp,
    add: AluOp,
    flags: AluFlags,
}

/// What the operands' components are.
#[derive(Clone, Copy)]
struct Operand {
    m: CoopTy,
    /// Of integers.
    signed: bool,
}

impl Translator<'_> {
    fn is_float(&self, elem: u32) -> R<bool> {
        Ok(matches!(self.types.get(elem)?, Ty::Float { .. } | Ty::SmallFloat(_)))
    }

    /// `OpCooperativeMatrixMulAddKHR`, `…NV`.
    pub(super) fn coop_mul_add(&mut self, inst: &Inst<'_>) -> R<()> {
        let d = self.types.coop(inst.ty)?;
        let mask = Operands::from_bits(inst.ops.get(3).copied().unwrap_or(0))
            .ok_or_else(|| Error::unsupported("unknown cooperative matrix operands"))?;
        let (ta, a) = self.leaves(inst.word(0)?)?;
        let (tb, b) = self.leaves(inst.word(1)?)?;
        let (tc, c) = self.leaves(inst.word(2)?)?;
        let (ma, mb, mc) = (self.types.coop(ta)?, self.types.coop(tb)?, self.types.coop(tc)?);
        let fits = (ma.rows, ma.cols, mb.cols) == (d.rows, mb.rows, d.cols)
            && (mc.rows, mc.cols) == (d.rows, d.cols)
            && [ma, mb, mc].iter().all(|m| m.same_scope(&d));
        if !fits {
            return Err(Error::invalid("the matrices' dimensions do not fit"));
        }
        let float = self.is_float(d.elem)?;
        for m in [ma, mb, mc] {
            if self.is_float(m.elem)? != float {
                return Err(Error::unsupported("products of integers and floating-point numbers"));
            }
        }
        let nv = inst.op == Op::CooperativeMatrixMulAddNV;
        let operand = |t: &Self, m: CoopTy, flag: Operands| {
            let signed = if nv { t.types.is_signed(m.elem) } else { mask.contains(flag) };
            Operand { m, signed }
        };
        let a_is = operand(self, ma, Operands::MATRIX_A_SIGNED_COMPONENTS_KHR);
        let b_is = operand(self, mb, Operands::MATRIX_B_SIGNED_COMPONENTS_KHR);
        let c_is = operand(self, mc, Operands::MATRIX_C_SIGNED_COMPONENTS_KHR);
        let d_is = operand(self, d, Operands::MATRIX_RESULT_SIGNED_COMPONENTS_KHR);
        let saturate = mask.contains(Operands::SATURATING_ACCUMULATION_KHR) && !float;

        let out = self.types.scalar(d.elem)?;
        let mut ty = match float {
            true if out == Type::F64 => Type::F64,
            true => Type::F32,
            false if out == Type::I64 => Type::I64,
            false => Type::I32,
        };
        if float && [ma, mb, mc].iter().any(|m| matches!(self.types.scalar(m.elem), Ok(Type::F64))) {
            ty = Type::F64;
        }
        let (mul, add) = if float { (AluOp::FMul, AluOp::FAdd) } else { (AluOp::IMul, AluOp::IAdd) };
        let arithmetic = Arithmetic { ty, mul, add, flags: self.flags(inst, ty) };
        let a = self.computable(&a, a_is, ty)?;
        let b = self.computable(&b, b_is, ty)?;
        let start = if saturate { vec![self.b.konst(ty, 0); c.len()].into() } else { self.computable(&c, c_is, ty)? };

        let cost = u64::from(d.rows) * u64::from(ma.cols) * u64::from(d.cols) / u64::from(d.lanes);
        self.work.charge(cost / 4)?;
        let sums = match d.regs_per_row() {
            Some(_) if cost <= UNROLL && !d.several => self.rows_straight(&a, &b, start, (ma, mb, d), arithmetic)?,
            Some(_) if ma.regs_per_row().is_some() => self.rows_in_loop(&a, &b, &start, (ma, mb, d), arithmetic)?,
            _ if d.several => return Err(Error::unsupported("this size of matrices of several subgroups")),
            _ => self.gathered(&a, &b, start, (ma, mb, d), arithmetic)?,
        };

        let mut leaves = Leaves::new();
        for (i, v) in sums.into_iter().enumerate() {
            leaves.push(if float {
                self.narrow_float(v, d.elem, false)?
            } else {
                let v = self.b.int_to(v, out, false);
                if saturate {
                    let c = self.b.int_to(c[i], out, c_is.signed);
                    self.b.alu(if d_is.signed { AluOp::SAddSat } else { AluOp::UAddSat }, out, &[v, c])
                } else {
                    v
                }
            });
        }
        self.set_leaves(inst, leaves)
    }

    /// Components in the type that is computed in.
    fn computable(&mut self, v: &[Value], is: Operand, ty: Type) -> R<Leaves> {
        let mut out = Leaves::new();
        for &v in v {
            out.push(if ty.is_float() {
                let v = self.widen_float(v, is.m.elem)?;
                if self.b.ty(v) == ty {
                    v
                } else {
                    self.b.alu(AluOp::FConv, ty, &[v])
                }
            } else {
                self.b.int_to(v, ty, is.signed)
            });
        }
        Ok(out)
    }

    fn multiply_add(&mut self, sum: Value, a: Value, b: Value, how: Arithmetic) -> Value {
        let product = self.b.alu_flags(how.mul, how.ty, &[a, b], how.flags);
        self.b.alu_flags(how.add, how.ty, &[sum, product], how.flags)
    }

    /// Rows of the result that no row shares a scalar with: a row of A's elements, each given to all invocations, times rows
    /// of B.
    fn rows_straight(
        &mut self,
        a: &[Value],
        b: &[Value],
        mut sums: Leaves,
        (ma, mb, d): (CoopTy, CoopTy, CoopTy),
        how: Arithmetic,
    ) -> R<Leaves> {
        let width = d.regs_per_row().ok_or_else(|| Error::invalid("rows share scalars"))? as usize;
        let band = (TILE / width).max(1) as u32;
        for top in (0..d.rows).step_by(band as usize) {
            for k in 0..mb.rows {
                for row in top..(top + band).min(d.rows) {
                    let element = row * ma.cols + k;
                    let x = self.coop_broadcast(a[(element / d.lanes) as usize], element % d.lanes);
                    for j in 0..width {
                        let at = row as usize * width + j;
                        sums[at] = self.multiply_add(sums[at], x, b[k as usize * width + j], how);
                    }
                }
                self.b.check()?;
            }
        }
        Ok(sums)
    }

    /// The same with a loop over the rows, for large matrices.
    fn rows_in_loop(
        &mut self,
        a: &[Value],
        b: &[Value],
        start: &[Value],
        (ma, mb, d): (CoopTy, CoopTy, CoopTy),
        how: Arithmetic,
    ) -> R<Leaves> {
        let shared = || Error::invalid("rows share scalars");
        let (in_a, width) = (ma.regs_per_row().ok_or_else(shared)?, d.regs_per_row().ok_or_else(shared)?);
        let a_slot = self.array_slot(a)?;
        let sum_slot = self.array_slot(start)?;
        self.counted_loop(d.rows, &mut |t, row| {
            let load = |t: &mut Self, slot, n: u32| -> Vec<Value> {
                let n_value = t.b.i32(n);
                let first = t.b.alu(AluOp::IMul, Type::I32, &[row, n_value]);
                (0..n)
                    .map(|i| {
                        let i = t.b.i32(i);
                        let at = t.b.alu(AluOp::IAdd, Type::I32, &[first, i]);
                        t.load_element(slot, how.ty, at)
                    })
                    .collect()
            };
            let row_of_a = load(t, a_slot, in_a);
            let mut sums = load(t, sum_slot, width);
            if d.several {
                t.coop_publish(&row_of_a, &d)?;
            }
            for k in 0..mb.rows {
                let x = match d.several {
                    true => {
                        let k = t.b.i32(k);
                        t.coop_published(how.ty, k)?
                    }
                    false => t.coop_broadcast(row_of_a[(k / d.lanes) as usize], k % d.lanes),
                };
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = t.multiply_add(*sum, x, b[(k * width) as usize + j], how);
                }
            }
            let width_value = t.b.i32(width);
            let first = t.b.alu(AluOp::IMul, Type::I32, &[row, width_value]);
            for (j, &sum) in sums.iter().enumerate() {
                let j = t.b.i32(j as u32);
                let at = t.b.alu(AluOp::IAdd, Type::I32, &[first, j]);
                t.store_element(sum_slot, at, sum);
            }
            Ok(())
        })?;
        Ok((0..d.regs())
            .map(|i| {
                let i = self.b.i32(i);
                self.load_element(sum_slot, how.ty, i)
            })
            .collect())
    }

    /// Any dimensions: each invocation is given the elements of A and B that its element of the result needs.
    fn gathered(
        &mut self,
        a: &[Value],
        b: &[Value],
        mut sums: Leaves,
        (ma, mb, d): (CoopTy, CoopTy, CoopTy),
        how: Arithmetic,
    ) -> R<Leaves> {
        for reg in 0..d.regs() {
            for k in 0..mb.rows {
                let x = self.coop_fetch(a, &d, reg, Affine { row: ma.cols, col: 0, add: k })?;
                let y = self.coop_fetch(b, &d, reg, Affine { row: 0, col: 1, add: k * mb.cols })?;
                sums[reg as usize] = self.multiply_add(sums[reg as usize], x, y, how);
                self.b.check()?;
            }
        }
        Ok(sums)
    }
}
