//! The state of a compilation: prologue, loop over workgroups, values and masks.

use super::affine::Claim;
use super::ahead::Ahead;
use super::beside;
use super::cell::{Cell, Form, Place};
use super::collect::Collect;
use super::flow::Frame;
use super::ir::{Block, Icmp, Module, Ty, Val};
use super::linear::{sums, Sums};
use super::plain::{Facts as ViewFacts, FactsKey};
use super::plan::Plan;
use super::span::Span;
use super::streams::Streams;
use super::texture::Textures;
use super::whole::Wholes;
use super::{unsupported, CodegenError, Options, Stats};
use crate::kernel_abi::{DispatchCtx, ARENA_ALIGN};
use crate::loader::ENTRY;
use compiler::analysis::{rows, Facts, Level, Shapes, Uniformity};
use compiler::hash::{HashMap, HashSet};
use compiler::sir::{AluOp, Kernel, Label, Type, Value};
use smallvec::SmallVec;
use std::mem::offset_of;

pub type Result<T> = std::result::Result<T, CodegenError>;

/// How a value is held.
#[derive(Clone, Copy, Debug)]
pub enum Rep {
    /// The same in all active lanes.
    Uni(Val),
    /// One per lane, perhaps known to grow by a constant.
    Vec(Val, Option<Claim>),
    /// Address and size of a buffer, the same in all active lanes.
    BufUni(Val, Val),
    /// Addresses and sizes of buffers.
    BufVec(Val, Val),
}

/// The active lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// All of them.
    Full,
    /// Those whose element is true, in the form of [`Gen::to_mask`].
    Val(Val),
    /// None; nothing is executed.
    Empty,
}

/// State of a compilation.
pub struct Gen<'a> {
    pub m: &'a Module,
    pub k: &'a Kernel,
    pub opts: &'a Options<'a>,
    pub uni: Uniformity,
    pub shapes: Shapes,
    pub plan: &'a Plan<'a>,
    /// Lanes that are executed together: those of a subgroup, or of several that are jammed.
    pub lanes: u32,
    /// Rows of the workgroup that the lanes cover (see `compiler::analysis::rows`).
    pub rows: u32,
    /// Sets of that many lanes in a workgroup.
    pub subgroups: u32,
    pub function: Val,
    /// Stack cells.
    entry: Block,
    /// Code executed once per call, in front of the loop over workgroups.
    setup: Block,
    /// Returns.
    pub exit: Block,
    /// The end of the workgroup.
    pub group_end: Block,
    pub ctx: Val,
    pub arena: Val,
    cancel: Val,
    /// Workgroup id, base included.
    pub group: [Val; 3],
    /// Workgroups of the dispatch.
    pub count: [Val; 3],
    /// The most workgroups that are executed side by side (see `beside`).
    pub beside: u32,
    /// How many are, if it may be more than one.
    pub group_run: Option<Val>,
    /// The subgroup being executed; `None` at workgroup level.
    pub subgroup: Option<Val>,
    /// The end of the current stretch for this subgroup.
    pub stretch_end: Block,
    /// Whether returning invocations may jump to the end of the stretch.
    pub return_direct: bool,
    pub vals: Vec<Option<Rep>>,
    /// Values set in the current scope.
    scope: Vec<Value>,
    pub frames: HashMap<Label, Frame>,
    /// Memory of values that live across stretches.
    pub wcells: HashMap<Value, Cell>,
    /// Active lanes of each subgroup at workgroup level, if they may become fewer there.
    pub wmask: Option<Cell>,
    arena_bytes: u64,
    pub shared_at: u64,
    /// Offset of each slot in the arena, for subgroup 0.
    pub slots_at: Vec<u64>,
    /// Cells of the words of slots that are small arrays; none of other slots.
    pub small: Vec<Vec<Val>>,
    /// Bytes between the private memories of two subgroups; 0 if they share it.
    pub private_stride: u64,
    scratch: HashMap<(u32, Ty), Val>,
    pub buffers: HashMap<(u32, u32, u32), Rep>,
    pub plain_facts: HashMap<FactsKey, ViewFacts>,
    pub textures: Textures,
    pub zeros: Option<Val>,
    pub set_bases: HashMap<u32, Val>,
    pub dynamics: Option<Val>,
    /// The push constants.
    pub push: Option<Val>,
    /// How values with a guarded claim were made.
    pub guarded: HashMap<Value, (AluOp, SmallVec<[Value; 4]>)>,
    /// Values on the way to quotients.
    pub spans: HashMap<Value, Span>,
    /// Structures in the order of memory.
    pub wholes: Wholes,
    /// What offsets are made of.
    pub sums: Sums,
    /// Values that some operation has as an operand.
    pub used: Vec<bool>,
    /// Additions that reach memory later.
    pub collect: Collect,
    /// Loads of open loops that are done for some iterations at once.
    pub ahead: HashMap<Value, Ahead>,
    /// Stores that may go past the caches.
    pub streams: Streams,
    /// Buffers whose accesses are not checked.
    pub unchecked: HashSet<Value>,
    pub stats: Stats,
}

/// Generates the entry function into the module. Returns the bytes of arena it needs.
pub fn generate(m: &Module, k: &Kernel, opts: &Options<'_>, jam: u32) -> Result<(u64, Stats)> {
    let lanes = opts.subgroup_size * jam;
    let uni = Uniformity::new(k, lanes);
    // Local ids are bounded by the workgroup size; of the grid nothing is assumed.
    let facts = Facts { subgroup_size: lanes, max_groups: [u32::MAX; 3] };
    let shapes = Shapes::new(k, &uni, &facts);
    let plan = Plan::new(k, &uni, lanes);

    let ty = m.function_type(m.void(), &[m.ptr(), m.int(64), m.int(64), m.ptr()]);
    let function = m.function(ENTRY, ty);
    m.noalias(function, 3);
    attributes(m, opts, function);
    let entry = m.append_block(function, c"entry");
    let setup = m.append_block(function, c"setup");
    let exit = m.append_block(function, c"exit");
    m.position(setup);
    let none = m.zero(m.int(32));
    let mut g = Gen {
        m,
        k,
        opts,
        uni,
        shapes,
        plan: &plan,
        lanes,
        rows: rows(k, lanes),
        subgroups: k.invocations().div_ceil(lanes),
        function,
        entry,
        setup,
        exit,
        group_end: exit,
        ctx: m.param(function, 0),
        arena: m.param(function, 3),
        cancel: none,
        group: [none; 3],
        count: [none; 3],
        beside: 1,
        group_run: None,
        subgroup: None,
        stretch_end: exit,
        return_direct: false,
        vals: vec![None; k.types.len()],
        scope: Vec::new(),
        frames: HashMap::default(),
        wcells: HashMap::default(),
        wmask: None,
        arena_bytes: 0,
        shared_at: 0,
        slots_at: Vec::new(),
        small: vec![Vec::new(); k.slots.len()],
        private_stride: 0,
        scratch: HashMap::default(),
        buffers: HashMap::default(),
        plain_facts: HashMap::default(),
        textures: Textures::default(),
        zeros: None,
        set_bases: HashMap::default(),
        dynamics: None,
        push: None,
        guarded: HashMap::default(),
        spans: HashMap::default(),
        wholes: Wholes::new(k),
        sums: sums(k),
        used: used(k),
        collect: Collect::default(),
        ahead: HashMap::default(),
        streams: Streams::new(k, opts.width, m.expands()),
        unchecked: HashSet::default(),
        stats: Stats { jam, stretches: plan.stretches, ..Stats::default() },
    };
    g.return_direct = !plan.split && g.uni.return_join() <= Level::Subgroup;
    g.plan_collect();
    if !opts.quick {
        g.beside = beside::choose(k, &g.uni, &g.shapes, g.plan, lanes);
    }
    g.make_small();
    g.arena_layout()?;
    g.kernel()?;
    g.stats.beside = g.beside;
    g.stats.instructions = m.instruction_count();
    g.stats.spilled = plan.spill.iter().filter(|s| **s).count() as u32;
    Ok((g.arena_bytes, g.stats))
}

/// Whether operations use a value, by its number.
pub fn used(k: &Kernel) -> Vec<bool> {
    let mut used = vec![false; k.types.len()];
    k.body.walk(&mut |inst| inst.op.for_each_operand(&mut |v| used[v.index()] = true));
    used
}

/// What all functions of a kernel have in common.
fn attributes(m: &Module, opts: &Options<'_>, function: Val) {
    m.nounwind(function);
    let vector_bits = (opts.width.lanes() * 32).to_string();
    m.attribute(function, "prefer-vector-width", &vector_bits);
    m.attribute(function, "min-legal-vector-width", &vector_bits);
    m.attribute(function, "target-cpu", super::target::cpu(opts.width));
    let features = super::target::features(opts.width).to_str().unwrap_or_default();
    if !features.is_empty() {
        m.attribute(function, "target-features", features);
    }
    m.attribute(function, "denormal-fp-math", "ieee,ieee");
}

/// Arenas larger than this are refused.
const MAX_ARENA: u64 = 256 << 20;

impl<'a> Gen<'a> {
    // ---- arena ----

    fn arena_layout(&mut self) -> Result<()> {
        // Accesses near the end of shared memory may be wide: room for a vector behind it.
        self.shared_at = self.arena_alloc(u64::from(self.k.shared_size) + 64)?;
        let mut size = 0u64;
        let mut offsets = Vec::new();
        for (slot, small) in self.k.slots.iter().zip(&self.small) {
            offsets.push(size);
            if !small.is_empty() {
                continue;
            }
            size += u64::from(slot.size.div_ceil(4)) * 4 * u64::from(self.lanes);
            size = size.next_multiple_of(ARENA_ALIGN as u64);
        }
        let copies = if self.plan.split { u64::from(self.subgroups) } else { 1 };
        let base = self.arena_alloc(size.saturating_mul(copies))?;
        self.slots_at = offsets.iter().map(|o| base + o).collect();
        self.private_stride = if self.plan.split { size } else { 0 };
        Ok(())
    }

    /// Space in the arena, aligned to its alignment.
    pub fn arena_alloc(&mut self, bytes: u64) -> Result<u64> {
        let at = self.arena_bytes;
        self.arena_bytes = at.saturating_add(bytes).next_multiple_of(ARENA_ALIGN as u64);
        if self.arena_bytes > MAX_ARENA {
            return unsupported("more than 256 MiB of private and workgroup memory");
        }
        Ok(at)
    }

    // ---- prologue and the loop over workgroups ----

    fn ctx_field(&self, ty: Ty, offset: usize, align: u32) -> Val {
        let p = self.m.byte_ptr(self.ctx, self.i64c(offset as u64));
        self.m.load(ty, p, align)
    }

    fn kernel(&mut self) -> Result<()> {
        let m = self.m;
        let (i32t, i64t) = (m.int(32), m.int(64));
        self.cancel = self.ctx_field(m.ptr(), offset_of!(DispatchCtx, cancel), 8);
        let three = |g: &Self, at: usize| [0, 4, 8].map(|c| g.ctx_field(i32t, at + c, 4));
        let base = three(self, offset_of!(DispatchCtx, base_group));
        self.count = three(self, offset_of!(DispatchCtx, group_count));
        let first = m.param(self.function, 1);
        let end = m.param(self.function, 2);
        // Empty dispatches are not executed, but division by zero must not trap whatever is passed.
        let wide = |v: Val| m.intrinsic("llvm.umax", &[i64t], &[m.zext(v, i64t), self.i64c(1)]);
        let (cx, cy) = (wide(self.count[0]), wide(self.count[1]));
        let row = m.udiv(first, cx);
        let start = [m.urem(first, cx), m.urem(row, cy), m.udiv(row, cy)].map(|v| m.trunc(v, i32t));

        let head = m.append_block(self.function, c"group");
        let body = m.append_block(self.function, c"group.body");
        let next = m.append_block(self.function, c"group.next");
        self.group_end = next;
        // The branch from setup to the loop is added last: later code may still put instructions there.
        m.position(head);
        let index = m.phi(i64t, &[(first, self.setup)]);
        let at = start.map(|s| m.phi(i32t, &[(s, self.setup)]));
        m.cond_br(m.icmp(Icmp::Ult, index, end), body, self.exit);
        m.position(body);
        self.group = [0, 1, 2].map(|c| m.add(base[c], at[c]));
        if self.beside > 1 {
            self.group_run = Some(self.group_run(at[0], index, end));
        }
        if self.k.shared_zeroed && self.k.shared_size > 0 {
            self.zero_shared();
        }
        self.workgroup()?;
        if !m.terminated() {
            m.br(next);
        }
        m.position(next);
        let one = self.i32c(1);
        let zero = self.i32c(0);
        let run = self.group_run.unwrap_or(one);
        let x = m.add(at[0], run);
        let wrap_x = m.icmp(Icmp::Uge, x, self.count[0]);
        let y = m.add(at[1], one);
        let wrap_y = m.and(wrap_x, m.icmp(Icmp::Uge, y, self.count[1]));
        let x = m.select(wrap_x, zero, x);
        let y = m.select(wrap_y, zero, m.select(wrap_x, y, at[1]));
        let z = m.select(wrap_y, m.add(at[2], one), at[2]);
        for (phi, v) in at.iter().zip([x, y, z]) {
            m.add_incoming(*phi, v, next);
        }
        let following = m.add(index, m.zext(run, i64t));
        m.add_incoming(index, following, next);
        let stop = self.cancelled();
        m.cond_br(stop, self.exit, head);

        m.position(self.exit);
        self.empty_tables()?;
        self.end_streams();
        m.ret_void();
        m.position(self.setup);
        m.br(head);
        m.position(self.entry);
        m.br(self.setup);
        Ok(())
    }

    fn zero_shared(&mut self) {
        let m = self.m;
        let bytes = u64::from(self.k.shared_size).next_multiple_of(64);
        let before = m.current();
        let head = m.append_block(self.function, c"zero");
        let after = m.append_block(self.function, c"zero.end");
        m.br(head);
        m.position(head);
        let at = m.phi(m.int(64), &[(self.i64c(0), before)]);
        let line = m.zero(m.vector(m.int(64), 8));
        let p = m.byte_ptr(self.arena, m.add(at, self.i64c(self.shared_at)));
        m.store(line, p, 64);
        let next = m.add(at, self.i64c(64));
        m.add_incoming(at, next, head);
        m.cond_br(m.icmp(Icmp::Ult, next, self.i64c(bytes)), head, after);
        m.position(after);
    }

    /// Whether the dispatch was cancelled.
    pub fn cancelled(&self) -> Val {
        let flag = self.m.load(self.m.int(32), self.cancel, 4);
        self.m.set_volatile(flag);
        self.m.icmp(Icmp::Ne, flag, self.i32c(0))
    }

    /// A branch back to `head`, or to the end of the kernel if the dispatch was cancelled.
    pub fn back_edge(&self, head: Block) {
        let stop = self.cancelled();
        self.m.likely_br(self.m.not(stop), head, self.exit);
    }

    /// Emits code into the part that is executed once per call.
    pub fn in_setup<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let here = self.m.current();
        self.m.position(self.setup);
        let r = f(self);
        self.m.position(here);
        r
    }

    /// A function beside the kernel's. The code in it uses its parameters, and no values of the kernel.
    pub fn in_function(&mut self, name: &str, ty: Ty, emit: impl FnOnce(&mut Self, Val)) -> Val {
        let here = self.m.current();
        let function = self.m.internal_function(name, ty);
        attributes(self.m, self.opts, function);
        let outer = (self.function, self.entry, std::mem::take(&mut self.scratch));
        self.function = function;
        self.entry = self.block(c"entry");
        let body = self.block(c"body");
        self.m.position(body);
        emit(self, function);
        self.m.position(self.entry);
        self.m.br(body);
        (self.function, self.entry, self.scratch) = outer;
        self.m.position(here);
        function
    }

    // ---- blocks and cells ----

    pub fn block(&self, name: &'static std::ffi::CStr) -> Block {
        self.m.append_block(self.function, name)
    }

    pub fn alloca(&self, ty: Ty, align: u32) -> Val {
        self.m.alloca(self.entry, ty, align)
    }

    /// A stack array for short use; the same one for the same index and type.
    pub fn scratch(&mut self, index: u32, ty: Ty) -> Val {
        if let Some(v) = self.scratch.get(&(index, ty)) {
            return *v;
        }
        let cell = self.alloca(ty, 64);
        self.scratch.insert((index, ty), cell);
        cell
    }

    // ---- constants and types ----

    pub fn i32c(&self, v: u32) -> Val {
        self.m.iconst(self.m.int(32), u64::from(v))
    }

    pub fn i64c(&self, v: u64) -> Val {
        self.m.iconst(self.m.int(64), v)
    }

    /// The LLVM type that holds a scalar: binary16 as its bits.
    pub fn scalar_ty(&self, ty: Type) -> Ty {
        match ty {
            Type::Bool => self.m.int(1),
            Type::I8 => self.m.int(8),
            Type::I16 | Type::F16 => self.m.int(16),
            Type::I32 => self.m.int(32),
            Type::I64 | Type::Buf => self.m.int(64),
            Type::F32 => self.m.f32(),
            Type::F64 => self.m.f64(),
        }
    }

    /// The type of `n` lanes, or of a scalar if `n` is 0.
    pub fn ty(&self, ty: Type, n: u32) -> Ty {
        let s = self.scalar_ty(ty);
        if n == 0 {
            s
        } else {
            self.m.vector(s, n)
        }
    }

    /// A constant in `n` lanes, or a scalar if `n` is 0.
    pub fn konst(&self, ty: Type, n: u32, bits: u64) -> Val {
        let m = self.m;
        let c = match ty {
            Type::F32 => m.const_bitcast(m.iconst(m.int(32), bits & 0xffff_ffff), m.f32()),
            Type::F64 => m.const_bitcast(m.iconst(m.int(64), bits), m.f64()),
            Type::Bool => m.iconst(m.int(1), bits & 1),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::F16 | Type::Buf => {
                m.iconst(self.scalar_ty(ty), bits & if ty == Type::Buf { u64::MAX } else { ty.mask() })
            }
        };
        if n == 0 {
            c
        } else {
            m.splat(c, n)
        }
    }

    /// 0, 1, 2, … times `stride` as lanes of an integer type.
    pub fn iota(&self, ty: Type, stride: i64) -> Val {
        let t = self.scalar_ty(ty);
        let lanes: Vec<Val> =
            (0..i64::from(self.lanes)).map(|l| self.m.iconst(t, l.wrapping_mul(stride) as u64 & ty.mask())).collect();
        self.m.const_vector(&lanes)
    }

    pub fn splat(&self, v: Val) -> Val {
        self.m.splat(v, self.lanes)
    }

    // ---- values ----

    /// Defines a value, and keeps it in memory if it lives across a barrier.
    pub fn set(&mut self, v: Value, rep: Rep) -> Result<()> {
        self.vals[v.index()] = Some(rep);
        self.scope.push(v);
        if self.plan.spill[v.index()] {
            let cell = self.wcell(v)?;
            self.cell_store(&cell, rep);
        }
        Ok(())
    }

    /// Defines a value without keeping it.
    pub fn set_here(&mut self, v: Value, rep: Rep) {
        self.vals[v.index()] = Some(rep);
        self.scope.push(v);
    }

    /// Forgets all values: those of one stretch are not valid in another.
    pub fn end_scope(&mut self) {
        self.wholes.forget();
        self.spans.clear();
        for v in self.scope.drain(..) {
            self.vals[v.index()] = None;
        }
    }

    /// How a value is held. Values outside of the current stretch were loaded at its start.
    pub fn rep(&self, v: Value) -> Result<Rep> {
        match self.vals[v.index()] {
            Some(r) => Ok(r),
            None => unsupported(format!("value {v} is used where it is not available")),
        }
    }

    /// A uniform value as a scalar; of others that of the first lane.
    pub fn scalar(&self, v: Value) -> Result<Val> {
        Ok(match self.rep(v)? {
            Rep::Uni(s) | Rep::BufUni(s, _) => s,
            Rep::Vec(x, _) | Rep::BufVec(x, _) => self.m.extract(x, self.i32c(0)),
        })
    }

    /// A value as lanes.
    pub fn vector(&self, v: Value) -> Result<Val> {
        Ok(match self.rep(v)? {
            Rep::Uni(s) | Rep::BufUni(s, _) => self.splat(s),
            Rep::Vec(x, _) | Rep::BufVec(x, _) => x,
        })
    }

    pub fn is_uniform(&self, v: Value) -> bool {
        matches!(self.vals[v.index()], Some(Rep::Uni(_) | Rep::BufUni(..)))
    }

    /// Whether a value is held as a scalar once it is defined.
    pub fn uniform_form(&self, v: Value) -> bool {
        self.uni.value(v) <= Level::Subgroup
    }

    /// The constant that a value is known to be.
    pub fn constant(&self, v: Value) -> Option<u64> {
        self.shapes.range(v).and_then(|r| r.constant())
    }

    /// The bits of the `F32` constant that a value is known to be.
    pub fn constant_float(&self, v: Value) -> Option<u32> {
        match self.vals[v.index()] {
            Some(Rep::Uni(s)) => self.m.float_constant(s).map(|c| (c as f32).to_bits()),
            _ => None,
        }
    }

    // ---- cells of values that live across stretches ----

    /// The memory of a value at workgroup level.
    pub fn wcell(&mut self, v: Value) -> Result<Cell> {
        if let Some(c) = self.wcells.get(&v) {
            return Ok(c.clone());
        }
        let ty = self.k.ty(v);
        let form = self.form_of(v);
        let cell = if self.uni.value(v) <= Level::Workgroup {
            self.stack_cell(ty, Form::Uni)
        } else {
            self.arena_cell(ty, form)?
        };
        self.wcells.insert(v, cell.clone());
        Ok(cell)
    }

    /// A cell per subgroup in the arena.
    pub fn arena_cell(&mut self, ty: Type, form: Form) -> Result<Cell> {
        let bytes = Cell::bytes(ty, form, self.lanes);
        let mut places = SmallVec::new();
        for _ in 0..self.places(ty, form) {
            let at = self.arena_alloc(bytes * u64::from(self.subgroups))?;
            places.push(Place::Arena { at, stride: bytes });
        }
        Ok(Cell { ty, form, places })
    }
}
