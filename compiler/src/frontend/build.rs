//! Building the region tree: open regions, constants, visibility of values, budget.

use super::error::{limits, Error, R};
use crate::hash::HashMap;
use crate::sir::{
    Access, Addr, AluFlags, AluOp, AluShape, Builtin, Inst, Kernel, Label, Op, Region, Resource, SlotId, Type, Value,
};
use smallvec::SmallVec;

/// A region under construction.
struct Open {
    serial: u32,
    insts: Vec<Inst>,
}

/// Builds one kernel.
pub(super) struct Builder {
    pub kernel: Kernel,
    /// Constants and inputs: stand before everything else, so they are visible everywhere.
    prologue: Vec<Inst>,
    regions: Vec<Open>,
    /// Region (serial) that defines each value.
    home: Vec<u32>,
    /// Serial of the region a serial was merged into; itself if none.
    merged: Vec<u32>,
    is_open: Vec<bool>,
    consts: HashMap<(Type, u64), Value>,
    const_of: HashMap<Value, u64>,
    builtins: HashMap<Builtin, Value>,
    buffers: HashMap<(u32, u32, u32), Value>,
    /// Values used where they are not visible, and the slots that carry them.
    demoted: HashMap<Value, SlotId>,
    private_bytes: u64,
    count: usize,
    ill_typed: Option<AluOp>,
}

/// Type of a value in memory.
pub(super) fn memory_type(t: Type) -> Type {
    if t == Type::Bool {
        Type::I32
    } else {
        t
    }
}

impl Builder {
    pub fn new() -> Builder {
        Builder {
            kernel: Kernel::default(),
            prologue: Vec::new(),
            regions: vec![Open { serial: 0, insts: Vec::new() }],
            home: Vec::new(),
            merged: vec![0],
            is_open: vec![true],
            consts: HashMap::default(),
            const_of: HashMap::default(),
            builtins: HashMap::default(),
            buffers: HashMap::default(),
            demoted: HashMap::default(),
            private_bytes: 0,
            count: 0,
            ill_typed: None,
        }
    }

    // ---- regions ----

    /// Nesting depth; 1 in the kernel's body.
    pub fn depth(&self) -> usize {
        self.regions.len()
    }

    /// Starts a nested region.
    pub fn open(&mut self) -> R<()> {
        if self.regions.len() >= limits::REGION_DEPTH {
            return Err(Error::limit("control flow is nested too deeply"));
        }
        let serial = self.merged.len() as u32;
        self.merged.push(serial);
        self.is_open.push(true);
        self.regions.push(Open { serial, insts: Vec::new() });
        Ok(())
    }

    /// Ends the innermost region.
    pub fn close(&mut self) -> Region {
        let open = self.pop();
        self.is_open[open.serial as usize] = false;
        Region { params: Vec::new(), insts: open.insts }
    }

    /// Ends the innermost region and continues with its instructions in the enclosing one; a final `Yield` is dropped.
    pub fn splice(&mut self) {
        let mut open = self.pop();
        if matches!(open.insts.last(), Some(Inst { op: Op::Yield(_), .. })) {
            open.insts.pop();
        }
        let parent = self.top();
        self.merged[open.serial as usize] = self.regions[parent].serial;
        self.regions[parent].insts.append(&mut open.insts);
    }

    fn pop(&mut self) -> Open {
        if self.regions.len() > 1 {
            if let Some(open) = self.regions.pop() {
                return open;
            }
        }
        // The kernel's body is never popped; an unbalanced caller gets an empty region.
        Open { serial: 0, insts: Vec::new() }
    }

    fn top(&self) -> usize {
        self.regions.len() - 1
    }

    /// Whether the innermost region has its terminator.
    pub fn terminated(&self) -> bool {
        self.last().is_some_and(Op::is_terminator)
    }

    /// The last operation of the innermost region.
    pub fn last(&self) -> Option<&Op> {
        self.regions[self.top()].insts.last().map(|i| &i.op)
    }

    // ---- instructions and values ----

    /// Appends an instruction. After a terminator nothing more is taken.
    pub fn push(&mut self, results: &[Value], op: Op) {
        if self.terminated() || self.count > limits::INSTS {
            return;
        }
        self.count += 1;
        let top = self.top();
        self.regions[top].insts.push(Inst { results: SmallVec::from_slice(results), op });
    }

    /// Checks what the last instruction did: operand types, and the size of the kernel.
    ///
    /// # Errors
    /// If an operation got operands of the wrong type or the kernel has grown too large.
    pub fn check(&self) -> R<()> {
        if let Some(op) = self.ill_typed {
            return Err(Error::invalid(format!("operand types do not fit the operation ({})", op.name())));
        }
        if self.count > limits::INSTS || self.kernel.types.len() > 2 * limits::INSTS {
            return Err(Error::limit("the inlined kernel is too large"));
        }
        Ok(())
    }

    /// A fresh value, defined in the innermost region.
    pub fn value(&mut self, ty: Type) -> Value {
        let v = self.kernel.value(ty);
        self.home.push(self.regions[self.top()].serial);
        v
    }

    /// Appends an operation with one result.
    pub fn emit(&mut self, ty: Type, op: Op) -> Value {
        let v = self.value(ty);
        self.push(&[v], op);
        v
    }

    pub fn ty(&self, v: Value) -> Type {
        self.kernel.ty(v)
    }

    fn hoist(&mut self, ty: Type, op: Op) -> Value {
        let v = self.kernel.value(ty);
        self.home.push(0);
        self.count += 1;
        self.prologue.push(Inst { results: SmallVec::from_slice(&[v]), op });
        v
    }

    /// A constant.
    pub fn konst(&mut self, ty: Type, bits: u64) -> Value {
        let bits = bits & if ty == Type::Buf { 0 } else { ty.mask() };
        if let Some(&v) = self.consts.get(&(ty, bits)) {
            return v;
        }
        let v = self.hoist(ty, Op::Const(bits));
        self.consts.insert((ty, bits), v);
        self.const_of.insert(v, bits);
        v
    }

    pub fn i32(&mut self, v: u32) -> Value {
        self.konst(Type::I32, u64::from(v))
    }

    pub fn i64(&mut self, v: u64) -> Value {
        self.konst(Type::I64, v)
    }

    /// A constant of a floating-point type; `v` must be exact in it or its rounding harmless.
    pub fn float(&mut self, ty: Type, v: f64) -> Value {
        let bits = match ty {
            Type::F16 => u64::from(half::f16::from_f64(v).to_bits()),
            Type::F32 => u64::from((v as f32).to_bits()),
            _ => v.to_bits(),
        };
        self.konst(ty, bits)
    }

    /// The bits of a constant.
    pub fn const_of(&self, v: Value) -> Option<u64> {
        self.const_of.get(&v).copied()
    }

    /// A built-in input.
    pub fn builtin(&mut self, b: Builtin) -> Value {
        if let Some(&v) = self.builtins.get(&b) {
            return v;
        }
        if matches!(b, Builtin::SubgroupId | Builtin::NumSubgroups | Builtin::SubgroupSize | Builtin::SubgroupLocalId) {
            self.kernel.uses_subgroups = true;
        }
        let v = self.hoist(Type::I32, Op::Builtin(b));
        self.builtins.insert(b, v);
        v
    }

    /// The buffer of a descriptor. Elements known at compile time (within a sized array) are taken at the start.
    pub fn buffer(&mut self, res: Resource, hoistable: bool) -> Value {
        let element = match res.index {
            None => Some(0),
            Some(v) => self.const_of(v),
        };
        match element {
            Some(e) if hoistable || e == 0 => {
                let key = (res.set, res.binding, e as u32);
                if let Some(&v) = self.buffers.get(&key) {
                    return v;
                }
                let index = (e != 0).then(|| self.i32(e as u32));
                let v = self.hoist(Type::Buf, Op::Buffer(Resource { index, non_uniform: false, ..res }));
                self.buffers.insert(key, v);
                v
            }
            _ => self.emit(Type::Buf, Op::Buffer(res)),
        }
    }

    /// A lane-wise operation.
    pub fn alu(&mut self, op: AluOp, ty: Type, args: &[Value]) -> Value {
        self.alu_flags(op, ty, args, AluFlags::default())
    }

    /// A lane-wise operation with flags.
    pub fn alu_flags(&mut self, op: AluOp, ty: Type, args: &[Value], flags: AluFlags) -> Value {
        let types: SmallVec<[Type; 4]> = args.iter().map(|&v| self.ty(v)).collect();
        if !well_typed(op, ty, &types) {
            self.ill_typed.get_or_insert(op);
        } else if let Some(v) = self.fold(op, ty, args) {
            return v;
        }
        self.emit(ty, Op::Alu { op, args: SmallVec::from_slice(args), flags })
    }

    /// The few foldings that keep address arithmetic and mask tests readable; the rest is the passes' work.
    fn fold(&mut self, op: AluOp, ty: Type, args: &[Value]) -> Option<Value> {
        let a = self.const_of(*args.first()?);
        let b = args.get(1).and_then(|&v| self.const_of(v));
        let sign = |bits: u64, t: Type| ((bits << (64 - t.bits())) as i64) >> (64 - t.bits());
        let bits = match (op, a, b) {
            (AluOp::IAdd, Some(0), _) => return Some(args[1]),
            (AluOp::IAdd | AluOp::ISub, _, Some(0)) => return Some(args[0]),
            (AluOp::IMul, Some(1), _) => return Some(args[1]),
            (AluOp::IMul, _, Some(1)) => return Some(args[0]),
            (AluOp::IAdd, Some(a), Some(b)) => a.wrapping_add(b),
            (AluOp::ISub, Some(a), Some(b)) => a.wrapping_sub(b),
            (AluOp::IMul, Some(a), Some(b)) => a.wrapping_mul(b),
            (AluOp::ITrunc | AluOp::ZExt, Some(a), _) => a,
            (AluOp::SExt, Some(a), _) => sign(a, self.ty(args[0])) as u64,
            _ => return None,
        };
        Some(self.konst(ty, bits))
    }

    /// `cond ? a : b`.
    pub fn select(&mut self, cond: Value, a: Value, b: Value) -> Value {
        if a == b {
            return a;
        }
        match self.const_of(cond) {
            Some(0) => b,
            Some(_) => a,
            None => self.alu(AluOp::Select, self.ty(a), &[cond, a, b]),
        }
    }

    /// An integer converted to another integer width.
    pub fn int_to(&mut self, v: Value, ty: Type, signed: bool) -> Value {
        let from = self.ty(v);
        let op = match from.bits().cmp(&ty.bits()) {
            std::cmp::Ordering::Equal => return v,
            std::cmp::Ordering::Greater => AluOp::ITrunc,
            std::cmp::Ordering::Less if signed => AluOp::SExt,
            std::cmp::Ordering::Less => AluOp::ZExt,
        };
        self.alu(op, ty, &[v])
    }

    /// The same bits as another type of the same width.
    pub fn bitcast(&mut self, v: Value, ty: Type) -> Value {
        if self.ty(v) == ty {
            return v;
        }
        self.alu(AluOp::Bitcast, ty, &[v])
    }

    /// A Bool as `I32` 0 or 1.
    pub fn bool_to_i32(&mut self, v: Value) -> Value {
        match self.const_of(v) {
            Some(bit) => self.i32(bit as u32),
            None => self.alu(AluOp::ZExt, Type::I32, &[v]),
        }
    }

    /// Whether an integer is not 0.
    pub fn nonzero(&mut self, v: Value) -> Value {
        match self.const_of(v) {
            Some(bits) => self.konst(Type::Bool, u64::from(bits != 0)),
            None => {
                let zero = self.konst(self.ty(v), 0);
                self.alu(AluOp::INe, Type::Bool, &[v, zero])
            }
        }
    }

    pub fn label(&mut self) -> Label {
        self.kernel.label()
    }

    /// Private memory.
    ///
    /// # Errors
    /// If all private memory together is too large.
    pub fn slot(&mut self, size: u64, align: u32) -> R<SlotId> {
        self.private_bytes = self.private_bytes.saturating_add(size.max(1).next_multiple_of(u64::from(align)));
        if self.private_bytes > limits::PRIVATE_BYTES {
            return Err(Error::limit("too much private memory"));
        }
        Ok(self.kernel.slot(size as u32, align))
    }

    // ---- visibility ----

    fn region_of(&self, v: Value) -> u32 {
        let mut serial = self.home[v.index()];
        while self.merged[serial as usize] != serial {
            serial = self.merged[serial as usize];
        }
        serial
    }

    /// The value, usable here: itself, or re-loaded from a slot if its region has ended.
    ///
    /// # Errors
    /// If private memory runs out.
    pub fn visible(&mut self, v: Value) -> R<Value> {
        if self.is_open[self.region_of(v) as usize] {
            return Ok(v);
        }
        let ty = self.ty(v);
        let slot = match self.demoted.get(&v) {
            Some(&s) => s,
            None => {
                let bytes = memory_type(ty).bytes().max(1);
                let s = self.slot(u64::from(bytes), bytes)?;
                self.demoted.insert(v, s);
                s
            }
        };
        Ok(self.load_slot(slot, ty))
    }

    /// Loads a scalar that fills a slot.
    pub fn load_slot(&mut self, slot: SlotId, ty: Type) -> Value {
        let memory = memory_type(ty);
        let addr = Addr::Slot { slot, off: None, imm: 0 };
        let v = self.emit(memory, Op::Load { addr, access: Access::plain(memory.bytes().max(1)) });
        if ty == Type::Bool {
            self.nonzero(v)
        } else {
            v
        }
    }

    /// Stores a scalar that fills a slot.
    pub fn store_slot(&mut self, slot: SlotId, v: Value) {
        let v = if self.ty(v) == Type::Bool { self.bool_to_i32(v) } else { v };
        let access = Access::plain(self.ty(v).bytes().max(1));
        let addr = Addr::Slot { slot, off: None, imm: 0 };
        self.push(&[], Op::Store { addr, values: SmallVec::from_slice(&[v]), access });
    }

    // ---- the end ----

    /// The finished kernel.
    pub fn finish(mut self) -> R<Kernel> {
        self.check()?;
        let mut insts = std::mem::take(&mut self.prologue);
        let top = self.regions.swap_remove(0);
        insts.extend(top.insts);
        let mut body = Region { params: Vec::new(), insts };
        if !self.demoted.is_empty() {
            self.store_demoted(&mut body);
        }
        self.kernel.body = body;
        Ok(self.kernel)
    }

    /// Puts a store after the definition of each demoted value.
    fn store_demoted(&mut self, region: &mut Region) {
        let mut out = Vec::with_capacity(region.insts.len());
        for mut inst in std::mem::take(&mut region.insts) {
            for nested in nested_regions(&mut inst.op) {
                self.store_demoted(nested);
            }
            let results = inst.results.clone();
            out.push(inst);
            for v in results {
                let Some(&slot) = self.demoted.get(&v) else { continue };
                let mut stored = v;
                if self.ty(v) == Type::Bool {
                    stored = self.kernel.value(Type::I32);
                    let op = Op::alu(AluOp::ZExt, &[v]);
                    out.push(Inst { results: SmallVec::from_slice(&[stored]), op });
                }
                let access = Access::plain(self.kernel.ty(stored).bytes().max(1));
                let addr = Addr::Slot { slot, off: None, imm: 0 };
                let op = Op::Store { addr, values: SmallVec::from_slice(&[stored]), access };
                out.push(Inst { results: SmallVec::new(), op });
            }
        }
        region.insts = out;
    }
}

/// Whether operand and result types are those of the operation.
fn well_typed(op: AluOp, ty: Type, args: &[Type]) -> bool {
    use AluShape::{BitField, Convert, Dot, Float, FloatCmp, FrexpExp, Int, IntBool, IntCmp, Ldexp, Select, Shift};
    let shape = op.shape();
    let Some(&first) = args.first() else { return false };
    if args.len() != shape.arity() {
        return false;
    }
    let same = args.iter().all(|&t| t == first);
    match shape {
        Int(_) => ty.is_int() && same && first == ty,
        IntBool(_) => (ty.is_int() || ty == Type::Bool) && same && first == ty,
        Float(_) => ty.is_float() && same && first == ty && op.has_width(ty),
        IntCmp => {
            let bool_too = matches!(op, AluOp::IEq | AluOp::INe);
            ty == Type::Bool && same && (first.is_int() || (bool_too && first == Type::Bool))
        }
        FloatCmp(_) => ty == Type::Bool && same && first.is_float(),
        Shift => ty.is_int() && first == ty && args[1].is_int(),
        BitField(n) => {
            let counts = usize::from(n) - 2;
            ty.is_int() && args[..counts].iter().all(|&t| t == ty) && args[counts..].iter().all(|&t| t == Type::I32)
        }
        Ldexp => ty.is_float() && first == ty && args[1] == Type::I32,
        FrexpExp => ty == Type::I32 && first.is_float(),
        Dot => ty == Type::I32 && same && first == Type::I32,
        Select => first == Type::Bool && args[1] == ty && args[2] == ty,
        Convert => match op {
            AluOp::ITrunc => first.is_int() && ty.is_int() && ty.bits() < first.bits(),
            AluOp::ZExt => (first.is_int() || first == Type::Bool) && ty.is_int() && ty.bits() > first.bits(),
            AluOp::SExt => first.is_int() && ty.is_int() && ty.bits() > first.bits(),
            AluOp::FToS | AluOp::FToU => first.is_float() && ty.is_int(),
            AluOp::SToF | AluOp::UToF => first.is_int() && ty.is_float(),
            AluOp::FConv => first.is_float() && ty.is_float() && first != ty,
            AluOp::FConvRtz => first.is_float() && ty.is_float() && ty.bits() < first.bits(),
            AluOp::TableExp2 | AluOp::TableExp2Rest | AluOp::TableReciprocal | AluOp::TableLog2 => {
                first == Type::I32 && ty == Type::F32
            }
            _ => first.bits() == ty.bits() && first.bytes() > 0 && first != ty,
        },
    }
}

fn nested_regions(op: &mut Op) -> Vec<&mut Region> {
    match op {
        Op::If { then, els, .. } => vec![then, els],
        Op::Switch { cases, .. } => cases.iter_mut().map(|c| &mut c.body).collect(),
        Op::Loop { body, .. } | Op::Block { body, .. } => vec![body],
        _ => Vec::new(),
    }
}
