//! Cooperative matrices element by element: conversions between uses, transposition, reductions, functions of elements.

use super::coop::CoopTy;
use super::coop_lanes::Affine;
use super::error::{Error, R};
use super::memory::Operands;
use super::module::Inst;
use super::translator::Translator;
use super::types::Ty;
use super::val::{Leaves, Val};
use crate::sir::{AluOp, Type, Value};
use smallvec::smallvec;
use spirv::{CooperativeMatrixReduce as Reduce, Op, TensorAddressingOperands};

/// Most scalars per invocation that functions of elements are unrolled for.
const UNROLL: u32 = 16;

/// The function an instruction calls, if any.
pub(super) fn callee(inst: &Inst<'_>) -> R<Option<u32>> {
    Ok(match inst.op {
        Op::FunctionCall => Some(inst.word(0)?),
        Op::CooperativeMatrixPerElementOpNV => Some(inst.word(1)?),
        Op::CooperativeMatrixReduceNV => Some(inst.word(2)?),
        Op::CooperativeMatrixLoadTensorNV => {
            let (_, taken) = Operands::parse(inst.from(3))?;
            tensor_operands(inst, 3 + taken)?.1
        }
        _ => None,
    })
}

/// View and decode function of a tensor access whose operands begin at `at`.
pub(super) fn tensor_operands(inst: &Inst<'_>, at: usize) -> R<(Option<u32>, Option<u32>)> {
    let Some(&mask) = inst.ops.get(at) else { return Ok((None, None)) };
    let mask = TensorAddressingOperands::from_bits(mask)
        .ok_or_else(|| inst.blame(Error::unsupported("unknown tensor addressing operands")))?;
    let mut at = at + 1;
    let mut take = |flag| {
        if !mask.contains(flag) {
            return Ok(None);
        }
        at += 1;
        inst.word(at - 1).map(Some)
    };
    Ok((take(TensorAddressingOperands::TENSOR_VIEW)?, take(TensorAddressingOperands::DECODE_FUNC)?))
}

impl<'a> Translator<'a> {
    /// The operand `id` as a matrix over the invocations of `like` and of the same component type.
    fn coop_operand(&mut self, id: u32, like: &CoopTy) -> R<(CoopTy, Leaves)> {
        let (ty, leaves) = self.leaves(id)?;
        let m = self.types.coop(ty)?;
        if m.elem != like.elem || !m.same_scope(like) {
            return Err(Error::invalid("the matrices differ in scope or component type"));
        }
        Ok((m, leaves))
    }

    /// `OpCooperativeMatrixConvertNV`: all uses are laid out alike.
    pub(super) fn coop_use(&mut self, inst: &Inst<'_>) -> R<()> {
        let to = self.types.coop(inst.ty)?;
        let (m, leaves) = self.coop_operand(inst.word(0)?, &to)?;
        if (m.rows, m.cols) != (to.rows, to.cols) {
            return Err(Error::invalid("the matrices differ in size"));
        }
        self.set_leaves(inst, leaves)
    }

    /// `OpCooperativeMatrixTransposeNV`.
    pub(super) fn coop_transpose(&mut self, inst: &Inst<'_>) -> R<()> {
        let to = self.types.coop(inst.ty)?;
        let (ty, source) = self.leaves(inst.word(0)?)?;
        let m = self.types.coop(ty)?;
        if (m.rows, m.cols) != (to.cols, to.rows) || !m.same_scope(&to) {
            return Err(Error::invalid("the matrices' dimensions do not fit"));
        }
        // The component types may differ.
        let source = source.iter().map(|&v| self.convert_component(v, m.elem, to.elem)).collect::<R<Leaves>>()?;
        let map = Affine { row: 1, col: m.cols, add: 0 };
        let out = self.coop_fetch_all(&source, &to, map)?;
        self.set_leaves(inst, out)
    }

    /// One call of a function of scalars.
    fn scalar_call(&mut self, func: u32, ret: u32, args: Vec<(u32, Val)>) -> R<Value> {
        let val = self.inline(func, ret, args)?.ok_or_else(|| Error::invalid("the function returns nothing"))?;
        let leaves = self.flatten_val(ret, val)?;
        let ty = self.types.scalar(ret)?;
        match leaves[..] {
            [v] if self.b.ty(v) == ty => Ok(v),
            _ => Err(Error::invalid("the function does not return a component")),
        }
    }

    /// Combines values in pairs until one is left.
    fn combine(&mut self, func: u32, elem: u32, mut values: Vec<Value>) -> R<Value> {
        while values.len() > 1 {
            let mut next = Vec::with_capacity(values.len().div_ceil(2));
            for pair in values.chunks(2) {
                next.push(match *pair {
                    [a, b] => {
                        let arg = |v| (elem, Val::Flat(smallvec![v]));
                        self.scalar_call(func, elem, vec![arg(a), arg(b)])?
                    }
                    _ => pair[0],
                });
            }
            self.b.check()?;
            values = next;
        }
        values.first().copied().ok_or_else(|| Error::invalid("an empty matrix"))
    }

    /// `OpCooperativeMatrixReduceNV`.
    pub(super) fn coop_reduce(&mut self, inst: &Inst<'_>) -> R<()> {
        let to = self.types.coop(inst.ty)?;
        let (m, source) = self.coop_operand(inst.word(0)?, &to)?;
        let (mask, func) = (Reduce::from_bits(inst.word(1)?), inst.word(2)?);
        let (row, column) = (Reduce::ROW, Reduce::COLUMN);
        let out = match mask {
            Some(Reduce::_2X2) if (m.rows, m.cols) == (to.rows * 2, to.cols * 2) => {
                let mut corners = Vec::new();
                for add in [0, 1, m.cols, m.cols + 1] {
                    corners.push(self.coop_fetch_all(&source, &to, Affine { row: 2 * m.cols, col: 2, add })?);
                }
                let each = |t: &mut Self, i: usize| t.combine(func, to.elem, corners.iter().map(|c| c[i]).collect());
                (0..to.regs() as usize).map(|i| each(self, i)).collect::<R<Leaves>>()?
            }
            Some(r) if r == row && m.rows == to.rows => self.reduce_rows(&source, &m, &to, func)?,
            Some(r) if r == column && m.cols == to.cols => self.reduce_columns(&source, &m, &to, func)?,
            Some(r) if r == row | column => {
                let between = m.resized(m.rows, m.lanes);
                let rows = self.reduce_rows(&source, &m, &between, func)?;
                let all = m.resized(to.rows, between.cols);
                let all = self.reduce_columns(&rows, &between, &all, func)?;
                // Every element is the same now.
                all.iter().copied().cycle().take(to.regs() as usize).collect()
            }
            _ => return Err(Error::invalid("the matrices' dimensions do not fit")),
        };
        self.set_leaves(inst, out)
    }

    /// Every row of the result is all of a row combined.
    fn reduce_rows(&mut self, source: &[Value], m: &CoopTy, to: &CoopTy, func: u32) -> R<Leaves> {
        let (Some(width), Some(n)) = (m.regs_per_row(), to.regs_per_row()) else {
            return self.reduce_shared(source, to, func, m.cols, |c| Affine { row: m.cols, col: 0, add: c });
        };
        let mut rows = Leaves::new();
        for row in source.chunks(width as usize) {
            rows.push(self.combine(func, m.elem, row.to_vec())?);
        }
        if !m.lanes.is_power_of_two() {
            return Err(Error::unsupported("reductions over this number of invocations"));
        }
        let ty = self.types.scalar(m.elem)?;
        let unroll = if m.several { 1 } else { UNROLL };
        let each = self.each_reg(m.rows, Some(ty), &[&rows], unroll, &mut |t, _, v| {
            let mut v = v[0];
            let mut distance = 1;
            while distance < m.lanes {
                let other = t.coop_exchange(v, distance, m)?;
                // In the same order in both, so that they come to the same bits.
                let lane = t.coop_lane(m);
                let bit = t.b.i32(distance);
                let upper = t.b.alu(AluOp::And, Type::I32, &[lane, bit]);
                let upper = t.b.nonzero(upper);
                let (first, second) = (t.b.select(upper, other, v), t.b.select(upper, v, other));
                v = t.combine(func, m.elem, vec![first, second])?;
                distance *= 2;
            }
            Ok(Some(v))
        })?;
        Ok(each.iter().flat_map(|&v| std::iter::repeat_n(v, n as usize)).collect())
    }

    /// Every column of the result is all of a column combined.
    fn reduce_columns(&mut self, source: &[Value], m: &CoopTy, to: &CoopTy, func: u32) -> R<Leaves> {
        let Some(width) = m.regs_per_row() else {
            return self.reduce_shared(source, to, func, m.rows, |r| Affine { row: 0, col: 1, add: r * m.cols });
        };
        let width = width as usize;
        let mut each = Leaves::new();
        for i in 0..width {
            each.push(self.combine(func, m.elem, source.iter().copied().skip(i).step_by(width).collect())?);
        }
        Ok(each.iter().copied().cycle().take(width * to.rows as usize).collect())
    }

    /// Where rows share scalars: every element by itself, of `n` parts.
    fn reduce_shared(
        &mut self,
        source: &[Value],
        to: &CoopTy,
        func: u32,
        n: u32,
        part: impl Fn(u32) -> Affine,
    ) -> R<Leaves> {
        if to.several {
            return Err(Error::unsupported("this size of matrices of several subgroups"));
        }
        let mut out = Leaves::new();
        for reg in 0..to.regs() {
            let parts = (0..n).map(|i| self.coop_fetch(source, to, reg, part(i))).collect::<R<Vec<Value>>>()?;
            out.push(self.combine(func, to.elem, parts)?);
        }
        Ok(out)
    }

    /// `OpCooperativeMatrixPerElementOpNV`.
    pub(super) fn coop_per_element(&mut self, inst: &Inst<'a>) -> R<()> {
        let m = self.types.coop(inst.ty)?;
        let (ty, source) = self.leaves(inst.word(0)?)?;
        let func = inst.word(1)?;
        if ty != inst.ty {
            return Err(Error::invalid("the operand has another type than the result"));
        }
        let params = self.parameters(func)?;
        let [row_ty, col_ty, elem_ty, ..] = params[..] else {
            return Err(Error::invalid("the function has too few parameters"));
        };
        // What each further operand gives: a matrix its element, anything else itself.
        let mut further = Vec::new();
        let mut inputs: Vec<Leaves> = vec![source];
        for (i, &id) in inst.from(2).iter().enumerate() {
            let (ty, val) = self.get(id)?;
            match self.types.get(ty)? {
                Ty::CoopMatrix(_) if params.get(3 + i) != Some(&ty) => {
                    let elem = self.types.coop(ty)?.elem;
                    further.push((elem, Err(inputs.len())));
                    inputs.push(self.flatten_val(ty, val)?);
                }
                _ => further.push((ty, Ok(val))),
            }
        }
        let out = self.types.scalar(m.elem)?;
        let slices: Vec<&[Value]> = inputs.iter().map(|v| &v[..]).collect();
        let leaves = self.each_reg(m.regs(), Some(out), &slices, UNROLL, &mut |t, reg, elements| {
            let (row, col) = t.coop_position(&m, reg);
            let flat = |v| Val::Flat(smallvec![v]);
            let mut args = vec![(row_ty, flat(row)), (col_ty, flat(col)), (elem_ty, flat(elements[0]))];
            for (ty, what) in &further {
                args.push(match what {
                    Ok(val) => (*ty, val.clone()),
                    Err(i) => (*ty, flat(elements[*i])),
                });
            }
            for &ty in &[row_ty, col_ty] {
                if t.types.scalar(ty)? != Type::I32 {
                    return Err(Error::invalid("row and column are 32-bit integers"));
                }
            }
            if elem_ty != m.elem {
                return Err(Error::invalid("the function's third parameter is not a component"));
            }
            Ok(Some(t.scalar_call(func, m.elem, args)?))
        })?;
        self.set_leaves(inst, leaves)
    }

    /// One call of a decode function.
    pub(super) fn decode_call(&mut self, func: u32, ret: u32, args: Vec<(u32, Val)>) -> R<Value> {
        self.scalar_call(func, ret, args)
    }
}
