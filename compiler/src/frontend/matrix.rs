//! Linear algebra. A matrix is its columns one after another.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::val::Leaves;
use crate::sir::{AluFlags, AluOp, Type, Value};
use smallvec::smallvec;
use spirv::Op;

impl Translator<'_> {
    /// Σ aᵢ·bᵢ.
    pub(super) fn dot(&mut self, a: &[Value], b: &[Value], ty: Type, flags: AluFlags) -> R<Value> {
        if a.len() != b.len() {
            return Err(Error::invalid("vectors of different sizes"));
        }
        let mut sum: Option<Value> = None;
        for (&x, &y) in a.iter().zip(b) {
            let product = self.b.alu_flags(AluOp::FMul, ty, &[x, y], flags);
            sum = Some(match sum {
                None => product,
                Some(s) => self.b.alu_flags(AluOp::FAdd, ty, &[s, product], flags),
            });
        }
        sum.ok_or_else(|| Error::invalid("empty vectors"))
    }

    /// `OpDot` of a format without arithmetic: summed up in `F32`.
    fn small_dot(&mut self, inst: &Inst<'_>) -> R<()> {
        let flags = self.flags(inst, Type::F32);
        let operand = |t: &mut Self, i: usize| -> R<Leaves> {
            let (ty, v) = t.leaves(inst.word(i)?)?;
            let (elem, _) = t.types.components(ty)?;
            if elem != inst.ty {
                return Err(Error::invalid("the operand has another type than the result"));
            }
            v.iter().map(|&v| t.widen_float(v, elem)).collect()
        };
        let (x, y) = (operand(self, 0)?, operand(self, 1)?);
        let sum = self.dot(&x, &y, Type::F32, flags)?;
        let out = self.narrow_float(sum, inst.ty, false)?;
        self.set_leaves(inst, smallvec![out])
    }

    /// Columns of a matrix operand.
    pub(super) fn columns(&mut self, id: u32) -> R<Vec<Leaves>> {
        let (ty, leaves) = self.leaves(id)?;
        let (_, rows, _) = self.types.matrix(ty)?;
        Ok(leaves.chunks(rows as usize).map(Leaves::from_slice).collect())
    }

    fn rows(columns: &[Leaves]) -> Vec<Leaves> {
        let n = columns.first().map_or(0, |c| c.len());
        (0..n).map(|r| columns.iter().map(|c| c[r]).collect()).collect()
    }

    fn times_matrix(&mut self, m: &[Leaves], v: &[Value], ty: Type, flags: AluFlags) -> R<Leaves> {
        Self::rows(m).iter().map(|row| self.dot(row, v, ty, flags)).collect()
    }

    /// `OpDot`, `OpTranspose`, `OpOuterProduct` and products of vectors, matrices and scalars.
    pub(super) fn linear(&mut self, inst: &Inst<'_>) -> R<()> {
        if inst.op == Op::MatrixTimesScalar && self.types.coop(inst.ty).is_ok() {
            return self.coop_scale(inst);
        }
        if inst.op == Op::Dot && self.types.small_float(inst.ty).is_some() {
            return self.small_dot(inst);
        }
        let ty = match self.types.matrix(inst.ty) {
            Ok((_, _, t)) => t,
            Err(_) => self.types.vector(inst.ty)?.0,
        };
        let flags = self.flags(inst, ty);
        let (a, b) = (inst.word(0)?, inst.ops.get(1).copied().unwrap_or(0));
        let out = match inst.op {
            Op::Dot => {
                let (x, y) = (self.vector(a)?, self.vector(b)?);
                smallvec![self.dot(&x, &y, ty, flags)?]
            }
            Op::VectorTimesScalar | Op::MatrixTimesScalar => {
                let (_, v) = self.leaves(a)?;
                let s = self.scalar(b)?;
                v.iter().map(|&x| self.b.alu_flags(AluOp::FMul, ty, &[x, s], flags)).collect()
            }
            Op::MatrixTimesVector => {
                let (m, v) = (self.columns(a)?, self.vector(b)?);
                self.times_matrix(&m, &v, ty, flags)?
            }
            Op::VectorTimesMatrix => {
                let (v, m) = (self.vector(a)?, self.columns(b)?);
                m.iter().map(|column| self.dot(&v, column, ty, flags)).collect::<R<Leaves>>()?
            }
            Op::MatrixTimesMatrix => {
                let (x, y) = (self.columns(a)?, self.columns(b)?);
                let mut out = Leaves::new();
                for column in &y {
                    out.extend(self.times_matrix(&x, column, ty, flags)?);
                }
                out
            }
            Op::OuterProduct => {
                let (x, y) = (self.vector(a)?, self.vector(b)?);
                let mut out = Leaves::new();
                for &s in &y {
                    out.extend(x.iter().map(|&v| self.b.alu_flags(AluOp::FMul, ty, &[v, s], flags)));
                }
                out
            }
            Op::Transpose => Self::rows(&self.columns(a)?).into_iter().flatten().collect(),
            _ => return Err(inst.unsupported()),
        };
        self.set_leaves(inst, out)
    }

    // ---- determinant and inverse ----

    fn minor(m: &[Leaves], skip_column: usize, skip_row: usize) -> Vec<Leaves> {
        m.iter()
            .enumerate()
            .filter(|(c, _)| *c != skip_column)
            .map(|(_, col)| col.iter().enumerate().filter(|(r, _)| *r != skip_row).map(|(_, &v)| v).collect())
            .collect()
    }

    /// Determinant, by expansion along the first column.
    pub(super) fn determinant(&mut self, m: &[Leaves], ty: Type) -> R<Value> {
        let first = m.first().ok_or_else(|| Error::invalid("empty matrix"))?;
        if first.len() != m.len() {
            return Err(Error::invalid("the matrix is not square"));
        }
        if let [column] = m {
            return Ok(column[0]);
        }
        let first = first.clone();
        let mut sum: Option<Value> = None;
        for (row, &v) in first.iter().enumerate() {
            let minor = self.determinant(&Self::minor(m, 0, row), ty)?;
            let product = self.b.alu(AluOp::FMul, ty, &[v, minor]);
            sum = Some(match sum {
                None => product,
                Some(s) => self.b.alu(if row % 2 == 0 { AluOp::FAdd } else { AluOp::FSub }, ty, &[s, product]),
            });
        }
        sum.ok_or_else(|| Error::invalid("empty matrix"))
    }

    /// Inverse: the adjugate over the determinant.
    pub(super) fn inverse(&mut self, m: &[Leaves], ty: Type) -> R<Leaves> {
        let det = self.determinant(m, ty)?;
        let one = self.b.float(ty, 1.0);
        let scale = self.b.alu(AluOp::FDiv, ty, &[one, det]);
        let mut out = Leaves::new();
        for column in 0..m.len() {
            for row in 0..m.len() {
                // Element (row, column) of the inverse is the cofactor of (column, row).
                let minor = self.determinant(&Self::minor(m, row, column), ty)?;
                let signed = if (row + column) % 2 == 0 { minor } else { self.b.alu(AluOp::FNeg, ty, &[minor]) };
                out.push(self.b.alu(AluOp::FMul, ty, &[signed, scale]));
            }
        }
        Ok(out)
    }
}
