//! Cooperative matrices: their shape, and moving them between memory and invocations.
//!
//! A matrix of `rows` × `columns` is spread over the invocations of its scope in row-major order: element *e* is scalar
//! ⌊e / lanes⌋ of invocation e mod lanes, whatever the matrix is used for. So one scalar of all invocations together is a
//! piece of a row, a row-major access is a contiguous one, and conversions between uses move nothing.

use super::error::{limits, Error, R};
use super::memory::Operands;
use super::module::Inst;
use super::translator::Translator;
use super::val::{Leaves, Ptr, Val};
use crate::sir::{Access, Addr, AluOp, Builtin, Op as Sir, SlotId, Type, Value};
use smallvec::smallvec;
use spirv::{CooperativeMatrixLayout, Op, Scope};

/// Most scalars per invocation that loads, stores and the like are unrolled for; beyond, they are loops.
const UNROLL: u32 = 64;

/// How many invocations share a matrix.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lanes {
    /// Of a subgroup.
    pub subgroup: u32,
    /// Of the workgroup.
    pub workgroup: u32,
}

/// Shape of a cooperative matrix type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CoopTy {
    /// Component type.
    pub elem: u32,
    pub rows: u32,
    pub cols: u32,
    /// Invocations it is spread over.
    pub lanes: u32,
    /// Whether its scope is the workgroup.
    pub workgroup: bool,
    /// Whether the invocations are of several subgroups, so that values pass between them through workgroup memory.
    pub several: bool,
}

impl CoopTy {
    /// The type of component `elem` and the operands scope, rows, columns[, use].
    ///
    /// # Errors
    /// Other scopes; sizes that do not fill the invocations or are beyond the limits.
    pub fn new(elem: u32, operands: &[u64], lanes: &Lanes) -> R<CoopTy> {
        let &[scope, rows, cols, ..] = operands else { return Err(Error::invalid("operands are missing")) };
        let workgroup = match u32::try_from(scope).ok().and_then(Scope::from_u32) {
            Some(Scope::Subgroup) => false,
            Some(Scope::Workgroup) => true,
            other => return Err(Error::unsupported(format!("cooperative matrices of scope {other:?}"))),
        };
        let several = workgroup && lanes.workgroup > lanes.subgroup;
        let lanes = if workgroup { lanes.workgroup } else { lanes.subgroup };
        let elements = rows.checked_mul(cols).filter(|&n| n > 0 && n / u64::from(lanes.max(1)) <= limits::LEAVES);
        let elements = elements.ok_or_else(|| Error::limit(format!("a matrix of {rows}×{cols}")))?;
        if lanes == 0 || elements % u64::from(lanes) != 0 || rows > limits::LEAVES || cols > limits::LEAVES {
            return Err(Error::unsupported(format!("a matrix of {rows}×{cols} for {lanes} invocations")));
        }
        Ok(CoopTy { elem, rows: rows as u32, cols: cols as u32, lanes, workgroup, several })
    }

    /// Scalars of each invocation.
    pub fn regs(&self) -> u32 {
        (u64::from(self.rows) * u64::from(self.cols) / u64::from(self.lanes.max(1))) as u32
    }

    /// Scalars of each invocation in one row, if rows are not shared.
    pub fn regs_per_row(&self) -> Option<u32> {
        self.cols.is_multiple_of(self.lanes).then(|| self.cols / self.lanes)
    }

    /// The same matrix with other dimensions.
    pub fn resized(&self, rows: u32, cols: u32) -> CoopTy {
        CoopTy { rows, cols, ..*self }
    }

    /// Whether both are spread over the same invocations.
    pub fn same_scope(&self, other: &CoopTy) -> bool {
        (self.lanes, self.workgroup) == (other.lanes, other.workgroup)
    }
}

/// What computes one scalar from its number and the scalars of that number of other matrices.
pub(super) type ElementFn<'f, 'a> = dyn FnMut(&mut Translator<'a>, Reg, &[Value]) -> R<Option<Value>> + 'f;

/// Number of an invocation's scalar.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reg {
    Const(u32),
    /// `I32`, the same in all invocations.
    Dynamic(Value),
}

impl<'a> Translator<'a> {
    /// This invocation's number among those that share a matrix.
    pub(super) fn coop_lane(&mut self, m: &CoopTy) -> Value {
        self.b.kernel.uses_subgroups = true;
        self.b.builtin(if m.workgroup { Builtin::LocalIndex } else { Builtin::SubgroupLocalId })
    }

    /// `a` divided by a constant: quotient and remainder.
    fn div_const(&mut self, a: Value, by: u32) -> (Value, Value) {
        let b = &mut self.b;
        if let Some(a) = b.const_of(a) {
            return (b.i32(a as u32 / by), b.i32(a as u32 % by));
        }
        if by.is_power_of_two() {
            let (shift, mask) = (b.i32(by.trailing_zeros()), b.i32(by - 1));
            return (b.alu(AluOp::UShr, Type::I32, &[a, shift]), b.alu(AluOp::And, Type::I32, &[a, mask]));
        }
        let by = b.i32(by);
        (b.alu(AluOp::UDiv, Type::I32, &[a, by]), b.alu(AluOp::URem, Type::I32, &[a, by]))
    }

    /// Row and column (`I32`) of this invocation's element in scalar `reg`.
    pub(super) fn coop_position(&mut self, m: &CoopTy, reg: Reg) -> (Value, Value) {
        let lane = self.coop_lane(m);
        let lanes = self.b.i32(m.lanes);
        let first = match reg {
            Reg::Const(i) => self.b.i32(i * m.lanes),
            Reg::Dynamic(i) => self.b.alu(AluOp::IMul, Type::I32, &[i, lanes]),
        };
        if m.cols.is_multiple_of(m.lanes) {
            let (row, col) = self.div_const(first, m.cols);
            return (row, self.b.alu(AluOp::IAdd, Type::I32, &[lane, col]));
        }
        if m.lanes.is_multiple_of(m.cols) {
            let (row, _) = self.div_const(first, m.cols);
            let (below, col) = self.div_const(lane, m.cols);
            return (self.b.alu(AluOp::IAdd, Type::I32, &[below, row]), col);
        }
        let element = self.b.alu(AluOp::IAdd, Type::I32, &[lane, first]);
        self.div_const(element, m.cols)
    }

    /// Computes each of `n` scalars of type `ty` by `f`, from its number and the scalars of that number of `inputs`. Many of
    /// them are computed in a loop, by way of private memory.
    pub(super) fn each_reg(
        &mut self,
        n: u32,
        ty: Option<Type>,
        inputs: &[&[Value]],
        unroll: u32,
        f: &mut ElementFn<'_, 'a>,
    ) -> R<Leaves> {
        let mut out = Leaves::new();
        let wrong = || Error::invalid("matrices of different sizes");
        if inputs.iter().any(|i| i.len() != n as usize) {
            return Err(wrong());
        }
        self.work.charge(u64::from(n))?;
        if n <= unroll {
            for i in 0..n {
                let args: Leaves = inputs.iter().map(|v| v[i as usize]).collect();
                out.extend(f(self, Reg::Const(i), &args)?);
                self.b.check()?;
            }
            return if ty.is_none_or(|t| out.iter().all(|&v| self.b.ty(v) == t)) { Ok(out) } else { Err(wrong()) };
        }
        let mut places = Vec::new();
        for input in inputs {
            let slot = self.array_slot(input)?;
            places.push((slot, self.b.ty(input[0])));
        }
        let result = ty.map(|t| Ok((self.b.slot(u64::from(n) * u64::from(t.bytes()), t.bytes())?, t))).transpose()?;
        self.counted_loop(n, &mut |t, i| {
            let args: Leaves = places.iter().map(|&(slot, ty)| t.load_element(slot, ty, i)).collect();
            if let (Some(v), Some((slot, ty))) = (f(t, Reg::Dynamic(i), &args)?, result) {
                if t.b.ty(v) != ty {
                    return Err(wrong());
                }
                t.store_element(slot, i, v);
            }
            Ok(())
        })?;
        if let Some((slot, ty)) = result {
            for i in 0..n {
                let i = self.b.i32(i);
                out.push(self.load_element(slot, ty, i));
            }
        }
        Ok(out)
    }

    /// Private memory that holds these scalars of one type, one after the other.
    pub(super) fn array_slot(&mut self, v: &[Value]) -> R<SlotId> {
        let ty = self.b.ty(*v.first().ok_or_else(|| Error::invalid("an empty matrix"))?);
        let slot = self.b.slot(v.len() as u64 * u64::from(ty.bytes()), ty.bytes().max(1))?;
        for (i, &v) in v.iter().enumerate() {
            let i = self.b.i32(i as u32);
            self.store_element(slot, i, v);
        }
        Ok(slot)
    }

    fn element(&mut self, slot: SlotId, ty: Type, i: Value) -> Addr {
        match self.b.const_of(i) {
            Some(i) => Addr::Slot { slot, off: None, imm: i as u32 * ty.bytes() },
            None => {
                let size = self.b.i32(ty.bytes());
                let off = self.b.alu(AluOp::IMul, Type::I32, &[i, size]);
                Addr::Slot { slot, off: Some(off), imm: 0 }
            }
        }
    }

    /// Element `i` (`I32`) of such private memory.
    pub(super) fn load_element(&mut self, slot: SlotId, ty: Type, i: Value) -> Value {
        let addr = self.element(slot, ty, i);
        self.b.emit(ty, Sir::Load { addr, access: Access::plain(ty.bytes().max(1)) })
    }

    /// Stores element `i` (`I32`) of such private memory.
    pub(super) fn store_element(&mut self, slot: SlotId, i: Value, v: Value) {
        let ty = self.b.ty(v);
        let addr = self.element(slot, ty, i);
        self.b.push(&[], Sir::Store { addr, values: smallvec![v], access: Access::plain(ty.bytes().max(1)) });
    }

    /// Runs `body` for 0..n, the number being an `I32`.
    pub(super) fn counted_loop(&mut self, n: u32, body: &mut dyn FnMut(&mut Self, Value) -> R<()>) -> R<()> {
        let label = self.b.label();
        let zero = self.b.i32(0);
        let one = self.b.i32(1);
        let end = self.b.i32(n);
        self.b.open()?;
        let i = self.b.value(Type::I32);
        body(self, i)?;
        let next = self.b.alu(AluOp::IAdd, Type::I32, &[i, one]);
        let more = self.b.alu(AluOp::ULt, Type::Bool, &[next, end]);
        self.b.open()?;
        self.b.push(&[], Sir::Continue(label, vec![next]));
        let then = self.b.close();
        self.b.open()?;
        self.b.push(&[], Sir::Break(label, Vec::new()));
        let els = self.b.close();
        self.b.push(&[], Sir::If { cond: more, then, els });
        self.b.push(&[], Sir::Unreachable);
        let mut region = self.b.close();
        region.params = vec![i];
        self.b.push(&[], Sir::Loop { label, init: vec![zero], body: region });
        self.b.check()
    }

    /// Where the pointer's elements of type `m.elem` lie: at `major` times the stride plus `minor`.
    fn coop_place(&mut self, p: &Ptr, m: &CoopTy, reg: Reg, stride: Value, column_major: bool) -> R<Ptr> {
        let size = super::layout::bytes(self.types.scalar(m.elem)?);
        let (row, col) = self.coop_position(m, reg);
        let (major, minor) = if column_major { (col, row) } else { (row, col) };
        let ty = self.b.ty(stride);
        let wide = |t: &mut Self, v: Value| t.b.int_to(v, ty, false);
        let (major, minor) = (wide(self, major), wide(self, minor));
        let size_value = self.b.konst(ty, size as u64);
        let far = self.b.alu(AluOp::IMul, ty, &[major, stride]);
        let near = self.b.alu(AluOp::IMul, ty, &[minor, size_value]);
        let off = self.b.alu(AluOp::IAdd, ty, &[near, far]);
        Ok(self.displaced(p, off, size as u32))
    }

    /// Bytes between rows (or columns), and whether it is columns, from the operands of a load or store at `at`. The stride counts
    /// elements of what the pointer points to, and bytes if the pointer is untyped (SPV_KHR_untyped_pointers).
    fn coop_layout(&mut self, inst: &Inst<'_>, p: &Ptr, at: usize) -> R<(Value, bool, usize)> {
        let khr = matches!(inst.op, Op::CooperativeMatrixLoadKHR | Op::CooperativeMatrixStoreKHR);
        let (layout, stride) = if khr { (at, at + 1) } else { (at + 1, at) };
        let column_major = match (khr, self.const_u32(inst.word(layout)?)?) {
            (false, c) => c != 0,
            (true, l) if l == CooperativeMatrixLayout::RowMajorKHR as u32 => false,
            (true, l) if l == CooperativeMatrixLayout::ColumnMajorKHR as u32 => true,
            (true, l) => return Err(Error::unsupported(format!("cooperative matrix layout {l}"))),
        };
        let stride = self.scalar(inst.word(stride)?)?;
        if !self.b.ty(stride).is_int() {
            return Err(Error::invalid("the stride is not an integer"));
        }
        let ty = p.offset_type();
        let stride = self.b.int_to(stride, ty, false);
        if self.is_untyped(inst.word(0)?) {
            return Ok((stride, column_major, at + 2));
        }
        self.types.components(p.pointee)?;
        let unit = self.explicit_size(p.pointee, super::val::MatrixLayout::default())?;
        let unit = self.b.konst(ty, unit);
        Ok((self.b.alu(AluOp::IMul, ty, &[stride, unit]), column_major, at + 2))
    }

    /// `OpCooperativeMatrixLoadKHR`, `…NV`.
    pub(super) fn coop_load(&mut self, inst: &Inst<'_>) -> R<()> {
        let m = self.types.coop(inst.ty)?;
        let p = self.ptr(inst.word(0)?)?;
        let (stride, column_major, at) = self.coop_layout(inst, &p, 1)?;
        let (ops, _) = Operands::parse(inst.from(at))?;
        let ty = self.types.scalar(m.elem)?;
        let leaves = self.each_reg(m.regs(), Some(ty), &[], UNROLL, &mut |t, reg, _| {
            let p = t.coop_place(&p, &m, reg, stride, column_major)?;
            Ok(Some(t.load_scalar(&p, ty, ops)?))
        })?;
        self.set_leaves(inst, leaves)
    }

    /// `OpCooperativeMatrixStoreKHR`, `…NV`.
    pub(super) fn coop_store(&mut self, inst: &Inst<'_>) -> R<()> {
        let p = self.ptr(inst.word(0)?)?;
        let (ty, object) = self.leaves(inst.word(1)?)?;
        let m = self.types.coop(ty)?;
        let (stride, column_major, at) = self.coop_layout(inst, &p, 2)?;
        let (ops, _) = Operands::parse(inst.from(at))?;
        self.writable(&p)?;
        self.each_reg(m.regs(), None, &[&object], UNROLL, &mut |t, reg, v| {
            let p = t.coop_place(&p, &m, reg, stride, column_major)?;
            t.store_scalar(&p, v[0], ops)?;
            Ok(None)
        })?;
        Ok(())
    }

    /// A scalar at a pointer, whatever the pointer's type.
    pub(super) fn load_scalar(&mut self, p: &Ptr, ty: Type, ops: Operands) -> R<Value> {
        let addr = self.addr(p, 0)?;
        let access = self.access(p, 0, ty, ops);
        Ok(self.b.emit(ty, Sir::Load { addr, access }))
    }

    /// Stores a scalar at a pointer, whatever the pointer's type.
    pub(super) fn store_scalar(&mut self, p: &Ptr, v: Value, ops: Operands) -> R<()> {
        let addr = self.addr(p, 0)?;
        let access = self.access(p, 0, self.b.ty(v), ops);
        self.b.push(&[], Sir::Store { addr, values: smallvec![v], access });
        Ok(())
    }

    /// `OpCooperativeMatrixLengthKHR`, `…NV`.
    pub(super) fn coop_length(&mut self, inst: &Inst<'_>) -> R<()> {
        let n = self.types.coop(inst.word(0)?)?.regs();
        let n = self.b.i32(n);
        self.set_leaves(inst, smallvec![n])
    }

    /// Instructions of cooperative matrices; says whether this was one.
    pub(super) fn coop_inst(&mut self, inst: &Inst<'a>) -> R<bool> {
        match inst.op {
            Op::CooperativeMatrixLoadKHR | Op::CooperativeMatrixLoadNV => self.coop_load(inst)?,
            Op::CooperativeMatrixStoreKHR | Op::CooperativeMatrixStoreNV => self.coop_store(inst)?,
            Op::CooperativeMatrixLengthKHR | Op::CooperativeMatrixLengthNV => self.coop_length(inst)?,
            Op::CooperativeMatrixMulAddKHR | Op::CooperativeMatrixMulAddNV => self.coop_mul_add(inst)?,
            Op::CooperativeMatrixConvertNV => self.coop_use(inst)?,
            Op::CooperativeMatrixTransposeNV => self.coop_transpose(inst)?,
            Op::CooperativeMatrixReduceNV => self.coop_reduce(inst)?,
            Op::CooperativeMatrixPerElementOpNV => self.coop_per_element(inst)?,
            Op::CooperativeMatrixLoadTensorNV => self.coop_load_tensor(inst)?,
            Op::CooperativeMatrixStoreTensorNV => self.coop_store_tensor(inst)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Scale of each element: `OpMatrixTimesScalar` of a cooperative matrix.
    pub(super) fn coop_scale(&mut self, inst: &Inst<'_>) -> R<()> {
        let m = self.types.coop(inst.ty)?;
        let (_, v) = self.leaves(inst.word(0)?)?;
        let s = self.scalar(inst.word(1)?)?;
        let ty = self.types.scalar(m.elem)?;
        let flags = self.flags(inst, ty);
        let out = match self.types.small_float(m.elem) {
            Some(_) => {
                let s = self.widen_float(s, m.elem)?;
                let scale = |t: &mut Self, x: Value| {
                    let x = t.widen_float(x, m.elem)?;
                    let x = t.b.alu_flags(AluOp::FMul, Type::F32, &[x, s], flags);
                    t.narrow_float(x, m.elem, false)
                };
                v.iter().map(|&x| scale(self, x)).collect::<R<Leaves>>()?
            }
            None => {
                let op = if ty.is_float() { AluOp::FMul } else { AluOp::IMul };
                v.iter().map(|&x| self.b.alu_flags(op, ty, &[x, s], flags)).collect()
            }
        };
        self.set(inst, Val::Flat(out))
    }
}
