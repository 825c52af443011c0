//! `GLSL.std.450`: geometric and matrix functions.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::val::Leaves;
use crate::sir::{AluOp, Type, Value};
use spirv::GlslStd450Op as G;

impl Translator<'_> {
    /// Geometric and matrix functions; operands start at word 2.
    pub(super) fn glsl_vec(&mut self, inst: &Inst<'_>, op: G) -> R<()> {
        if matches!(op, G::Determinant | G::MatrixInverse) {
            let m = self.columns(inst.word(2)?)?;
            let ty = m.first().and_then(|c| c.first()).map(|&v| self.b.ty(v));
            let ty = ty.ok_or_else(|| Error::invalid("empty matrix"))?;
            if op == G::Determinant {
                let v = self.determinant(&m, ty)?;
                return self.set_one(inst, v);
            }
            let out = self.inverse(&m, ty)?;
            return self.set_leaves(inst, out);
        }
        let (ty, _) = self.types.vector(inst.ty)?;
        if !ty.is_float() {
            return Err(Error::invalid("the result is not floating point"));
        }
        let flags = self.flags(inst, ty);
        let x = self.vector(inst.word(2)?)?;
        let second = |t: &mut Self| -> R<Leaves> {
            let y = t.vector(inst.word(3)?)?;
            if y.len() != x.len() {
                return Err(Error::invalid("vectors of different sizes"));
            }
            Ok(y)
        };
        match op {
            G::Length => {
                let v = self.length(&x, ty)?;
                self.set_one(inst, v)
            }
            G::Distance => {
                let y = second(self)?;
                let d: Leaves =
                    x.iter().zip(&y).map(|(&p, &q)| self.b.alu_flags(AluOp::FSub, ty, &[p, q], flags)).collect();
                let v = self.length(&d, ty)?;
                self.set_one(inst, v)
            }
            G::Normalize => {
                let square = self.dot(&x, &x, ty, flags)?;
                let scale = self.b.alu(AluOp::FRsqrt, ty, &[square]);
                let out = x.iter().map(|&v| self.b.alu_flags(AluOp::FMul, ty, &[v, scale], flags)).collect();
                self.set_leaves(inst, out)
            }
            G::Cross => {
                let y = second(self)?;
                if x.len() != 3 {
                    return Err(Error::invalid("cross product of vectors that have not three components"));
                }
                let mut out = Leaves::new();
                for (i, j) in [(1, 2), (2, 0), (0, 1)] {
                    let a = self.b.alu_flags(AluOp::FMul, ty, &[x[i], y[j]], flags);
                    let b = self.b.alu_flags(AluOp::FMul, ty, &[y[i], x[j]], flags);
                    out.push(self.b.alu_flags(AluOp::FSub, ty, &[a, b], flags));
                }
                self.set_leaves(inst, out)
            }
            G::FaceForward => {
                let incident = second(self)?;
                let reference = self.vector(inst.word(4)?)?;
                let d = self.dot(&reference, &incident, ty, flags)?;
                let zero = self.b.float(ty, 0.0);
                let facing = self.b.alu(AluOp::FLt, Type::Bool, &[d, zero]);
                let out = x
                    .iter()
                    .map(|&v| {
                        let back = self.b.alu(AluOp::FNeg, ty, &[v]);
                        self.b.select(facing, v, back)
                    })
                    .collect();
                self.set_leaves(inst, out)
            }
            G::Reflect => {
                // I − 2·dot(N, I)·N
                let n = second(self)?;
                let d = self.dot(&n, &x, ty, flags)?;
                let two = self.b.float(ty, 2.0);
                let d = self.b.alu_flags(AluOp::FMul, ty, &[two, d], flags);
                let out = self.minus_scaled(&x, &n, d, ty);
                self.set_leaves(inst, out)
            }
            G::Refract => {
                let n = second(self)?;
                let eta = self.scalar(inst.word(4)?)?;
                let eta = if self.b.ty(eta).is_float() && self.b.ty(eta) != ty {
                    self.b.alu(AluOp::FConv, ty, &[eta])
                } else {
                    eta
                };
                let out = self.refract(&x, &n, eta, ty)?;
                self.set_leaves(inst, out)
            }
            _ => Err(inst.unsupported()),
        }
    }

    fn length(&mut self, x: &[Value], ty: Type) -> R<Value> {
        if let [v] = *x {
            return Ok(self.b.alu(AluOp::FAbs, ty, &[v]));
        }
        let square = self.dot(x, x, ty, crate::sir::AluFlags::default())?;
        Ok(self.b.alu(AluOp::FSqrt, ty, &[square]))
    }

    /// x − s·n
    fn minus_scaled(&mut self, x: &[Value], n: &[Value], s: Value, ty: Type) -> Leaves {
        x.iter()
            .zip(n)
            .map(|(&v, &n)| {
                let scaled = self.b.alu(AluOp::FMul, ty, &[s, n]);
                self.b.alu(AluOp::FSub, ty, &[v, scaled])
            })
            .collect()
    }

    /// k = 1 − eta²·(1 − dot(N, I)²); 0 if k < 0, else eta·I − (eta·dot(N, I) + √k)·N.
    fn refract(&mut self, i: &[Value], n: &[Value], eta: Value, ty: Type) -> R<Leaves> {
        let d = self.dot(n, i, ty, crate::sir::AluFlags::default())?;
        let one = self.b.float(ty, 1.0);
        let zero = self.b.float(ty, 0.0);
        let b = &mut self.b;
        let dd = b.alu(AluOp::FMul, ty, &[d, d]);
        let sine = b.alu(AluOp::FSub, ty, &[one, dd]);
        let ee = b.alu(AluOp::FMul, ty, &[eta, eta]);
        let bent = b.alu(AluOp::FMul, ty, &[ee, sine]);
        let k = b.alu(AluOp::FSub, ty, &[one, bent]);
        let total = b.alu(AluOp::FLt, Type::Bool, &[k, zero]);
        let root = b.alu(AluOp::FSqrt, ty, &[k]);
        let ed = b.alu(AluOp::FMul, ty, &[eta, d]);
        let s = b.alu(AluOp::FAdd, ty, &[ed, root]);
        let scaled: Leaves = i.iter().map(|&v| b.alu(AluOp::FMul, ty, &[eta, v])).collect();
        let out = self.minus_scaled(&scaled, n, s, ty);
        Ok(out.iter().map(|&v| self.b.select(total, zero, v)).collect())
    }
}
