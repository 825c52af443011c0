//! Walking and rewriting: operands, nested regions, effects, renumbering and cloning.

use super::{Addr, ImageCoords, Inst, Kernel, Label, Op, Region, Resource, SlotId, Space, Type, Value};

/// Deepest nesting of regions that a valid kernel may have; the verifier rejects more, so that recursive walks are safe.
pub const MAX_DEPTH: usize = 256;

fn addr_operands(addr: &Addr, f: &mut dyn FnMut(Value)) {
    match addr {
        Addr::Buffer { buf, off, .. } => {
            f(*buf);
            off.iter().for_each(|&v| f(v));
        }
        Addr::Global { addr, .. } => f(*addr),
        Addr::Shared { off, .. } | Addr::Slot { off, .. } | Addr::Push { off, .. } => off.iter().for_each(|&v| f(v)),
    }
}

fn addr_operands_mut(addr: &mut Addr, f: &mut dyn FnMut(&mut Value)) {
    match addr {
        Addr::Buffer { buf, off, .. } => {
            f(buf);
            off.iter_mut().for_each(f);
        }
        Addr::Global { addr, .. } => f(addr),
        Addr::Shared { off, .. } | Addr::Slot { off, .. } | Addr::Push { off, .. } => off.iter_mut().for_each(f),
    }
}

fn coords_operands(c: &ImageCoords, f: &mut dyn FnMut(Value)) {
    c.xyz.iter().chain(&c.lod).chain(&c.sample).for_each(|&v| f(v));
}

fn coords_operands_mut(c: &mut ImageCoords, f: &mut dyn FnMut(&mut Value)) {
    c.xyz.iter_mut().chain(&mut c.lod).chain(&mut c.sample).for_each(f);
}

fn resource_operands(r: &Resource, f: &mut dyn FnMut(Value)) {
    r.index.iter().for_each(|&v| f(v));
}

impl Op {
    /// Calls `f` with every value that the operation itself reads, in text order. For operations with regions: the
    /// condition, selector and initial values, not what is inside the regions.
    pub fn for_each_operand(&self, f: &mut dyn FnMut(Value)) {
        match self {
            Op::Const(_)
            | Op::Builtin(_)
            | Op::ControlBarrier { .. }
            | Op::MemoryBarrier { .. }
            | Op::ReadClock { .. }
            | Op::Block { .. }
            | Op::Return
            | Op::Unreachable => {}
            Op::Alu { args, .. } => args.iter().for_each(|&v| f(v)),
            Op::Buffer(r) => resource_operands(r, f),
            Op::BufferSize(v) => f(*v),
            Op::Load { addr, .. } => addr_operands(addr, f),
            Op::Store { addr, values, .. } => {
                addr_operands(addr, f);
                values.iter().for_each(|&v| f(v));
            }
            Op::AtomicRmw { addr, value, .. } => {
                addr_operands(addr, f);
                f(*value);
            }
            Op::AtomicCas { addr, expected, desired, .. } => {
                addr_operands(addr, f);
                f(*expected);
                f(*desired);
            }
            Op::ImageLoad { image, coords, .. } => {
                resource_operands(&image.res, f);
                coords_operands(coords, f);
            }
            Op::ImageStore { image, coords, texel } => {
                resource_operands(&image.res, f);
                coords_operands(coords, f);
                texel.iter().for_each(|&v| f(v));
            }
            Op::ImageAtomic { image, coords, value, .. } => {
                resource_operands(&image.res, f);
                coords_operands(coords, f);
                f(*value);
            }
            Op::ImageCas { image, coords, expected, desired } => {
                resource_operands(&image.res, f);
                coords_operands(coords, f);
                f(*expected);
                f(*desired);
            }
            Op::ImageSize { image, lod } => {
                resource_operands(&image.res, f);
                lod.iter().for_each(|&v| f(v));
            }
            Op::ImageLevels { image } | Op::ImageSamples { image } => resource_operands(&image.res, f),
            Op::Sample { image, sampler, operands, .. } => {
                resource_operands(&image.res, f);
                sampler.iter().for_each(|s| resource_operands(s, f));
                let o = operands;
                o.coords.iter().chain(&o.lod).chain(&o.grad).for_each(|&v| f(v));
                o.offsets.iter().chain(&o.dref).chain(&o.min_lod).chain(&o.bias).for_each(|&v| f(v));
            }
            Op::Subgroup { args, .. } => args.iter().for_each(|&v| f(v)),
            Op::If { cond, .. } => f(*cond),
            Op::Switch { selector, cases, .. } => {
                f(*selector);
                cases.iter().flat_map(|c| &c.init).for_each(|&v| f(v));
            }
            Op::Loop { init, .. } => init.iter().for_each(|&v| f(v)),
            Op::Yield(a) | Op::Break(_, a) | Op::Continue(_, a) | Op::Fallthrough(a) => a.iter().for_each(|&v| f(v)),
        }
    }

    /// As [`Op::for_each_operand`], for rewriting.
    pub fn for_each_operand_mut(&mut self, f: &mut dyn FnMut(&mut Value)) {
        match self {
            Op::Const(_)
            | Op::Builtin(_)
            | Op::ControlBarrier { .. }
            | Op::MemoryBarrier { .. }
            | Op::ReadClock { .. }
            | Op::Block { .. }
            | Op::Return
            | Op::Unreachable => {}
            Op::Alu { args, .. } => args.iter_mut().for_each(f),
            Op::Buffer(r) => r.index.iter_mut().for_each(f),
            Op::BufferSize(v) => f(v),
            Op::Load { addr, .. } => addr_operands_mut(addr, f),
            Op::Store { addr, values, .. } => {
                addr_operands_mut(addr, f);
                values.iter_mut().for_each(f);
            }
            Op::AtomicRmw { addr, value, .. } => {
                addr_operands_mut(addr, f);
                f(value);
            }
            Op::AtomicCas { addr, expected, desired, .. } => {
                addr_operands_mut(addr, f);
                f(expected);
                f(desired);
            }
            Op::ImageLoad { image, coords, .. } => {
                image.res.index.iter_mut().for_each(&mut *f);
                coords_operands_mut(coords, f);
            }
            Op::ImageStore { image, coords, texel } => {
                image.res.index.iter_mut().for_each(&mut *f);
                coords_operands_mut(coords, f);
                texel.iter_mut().for_each(f);
            }
            Op::ImageAtomic { image, coords, value, .. } => {
                image.res.index.iter_mut().for_each(&mut *f);
                coords_operands_mut(coords, f);
                f(value);
            }
            Op::ImageCas { image, coords, expected, desired } => {
                image.res.index.iter_mut().for_each(&mut *f);
                coords_operands_mut(coords, f);
                f(expected);
                f(desired);
            }
            Op::ImageSize { image, lod } => {
                image.res.index.iter_mut().for_each(&mut *f);
                lod.iter_mut().for_each(f);
            }
            Op::ImageLevels { image } | Op::ImageSamples { image } => image.res.index.iter_mut().for_each(f),
            Op::Sample { image, sampler, operands, .. } => {
                image.res.index.iter_mut().for_each(&mut *f);
                sampler.iter_mut().flat_map(|s| &mut s.index).for_each(&mut *f);
                let o = &mut **operands;
                o.coords.iter_mut().chain(&mut o.lod).chain(&mut o.grad).for_each(&mut *f);
                o.offsets.iter_mut().chain(&mut o.dref).chain(&mut o.min_lod).chain(&mut o.bias).for_each(f);
            }
            Op::Subgroup { args, .. } => args.iter_mut().for_each(f),
            Op::If { cond, .. } => f(cond),
            Op::Switch { selector, cases, .. } => {
                f(selector);
                cases.iter_mut().flat_map(|c| &mut c.init).for_each(f);
            }
            Op::Loop { init, .. } => init.iter_mut().for_each(f),
            Op::Yield(a) | Op::Break(_, a) | Op::Continue(_, a) | Op::Fallthrough(a) => a.iter_mut().for_each(f),
        }
    }

    /// Number of nested regions.
    pub fn region_count(&self) -> usize {
        match self {
            Op::If { .. } => 2,
            Op::Switch { cases, .. } => cases.len(),
            Op::Loop { .. } | Op::Block { .. } => 1,
            _ => 0,
        }
    }

    /// Calls `f` with every nested region in order.
    pub fn for_each_region(&self, f: &mut dyn FnMut(&Region)) {
        match self {
            Op::If { then, els, .. } => {
                f(then);
                f(els);
            }
            Op::Switch { cases, .. } => cases.iter().for_each(|c| f(&c.body)),
            Op::Loop { body, .. } | Op::Block { body, .. } => f(body),
            _ => {}
        }
    }

    /// As [`Op::for_each_region`], for rewriting.
    pub fn for_each_region_mut(&mut self, f: &mut dyn FnMut(&mut Region)) {
        match self {
            Op::If { then, els, .. } => {
                f(then);
                f(els);
            }
            Op::Switch { cases, .. } => cases.iter_mut().for_each(|c| f(&mut c.body)),
            Op::Loop { body, .. } | Op::Block { body, .. } => f(body),
            _ => {}
        }
    }

    /// The label that a Block, Loop or Switch defines.
    pub const fn defined_label(&self) -> Option<Label> {
        match self {
            Op::Block { label, .. } | Op::Loop { label, .. } | Op::Switch { label, .. } => Some(*label),
            _ => None,
        }
    }

    /// Whether this is If, Switch, Loop or Block.
    pub const fn is_control(&self) -> bool {
        matches!(self, Op::If { .. } | Op::Switch { .. } | Op::Loop { .. } | Op::Block { .. })
    }

    /// Whether the result depends on nothing but the operands (and the invocation's identity), so that the operation may
    /// be repeated, removed or executed speculatively.
    pub const fn is_pure(&self) -> bool {
        matches!(self, Op::Const(_) | Op::Alu { .. } | Op::Builtin(_) | Op::Buffer(_) | Op::BufferSize(_))
    }

    /// Effects of the operation itself, without nested regions.
    pub fn effects(&self) -> Effects {
        let none = Effects::default();
        match self {
            Op::Const(_) | Op::Alu { .. } | Op::Builtin(_) | Op::Buffer(_) | Op::BufferSize(_) => none,
            Op::Load { addr, access } => {
                Effects { reads: Some(addr.space()), keep: access.volatile || access.atomic, ..none }
            }
            Op::Store { addr, .. } => Effects { writes: Some(addr.space()), keep: true, ..none },
            Op::AtomicRmw { addr, .. } | Op::AtomicCas { addr, .. } => {
                Effects { reads: Some(addr.space()), writes: Some(addr.space()), keep: true, ..none }
            }
            // An image may share its memory with a buffer, so that image accesses count as buffer accesses.
            Op::ImageLoad { .. } | Op::Sample { .. } => Effects { reads: Some(Space::Buffer), ..none },
            Op::ImageStore { .. } => Effects { writes: Some(Space::Buffer), keep: true, ..none },
            Op::ImageAtomic { .. } | Op::ImageCas { .. } => {
                Effects { reads: Some(Space::Buffer), writes: Some(Space::Buffer), keep: true, ..none }
            }
            Op::ImageSize { .. } | Op::ImageLevels { .. } | Op::ImageSamples { .. } => none,
            // Depends on which invocations are active: may be removed when unused, must not be moved.
            Op::Subgroup { .. } => Effects { convergent: true, ..none },
            Op::ControlBarrier { .. } | Op::MemoryBarrier { .. } => {
                Effects { barrier: true, keep: true, convergent: true, ..none }
            }
            Op::ReadClock { .. } => Effects { keep: true, ..none },
            Op::If { .. } | Op::Switch { .. } | Op::Loop { .. } | Op::Block { .. } => none,
            Op::Yield(_) | Op::Break(..) | Op::Continue(..) | Op::Fallthrough(_) | Op::Return | Op::Unreachable => {
                Effects { keep: true, ..none }
            }
        }
    }
}

/// What an operation does besides defining its results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Memory that is read.
    pub reads: Option<Space>,
    /// Memory that is written.
    pub writes: Option<Space>,
    /// Orders other accesses.
    pub barrier: bool,
    /// Depends on the set of active invocations.
    pub convergent: bool,
    /// Must stay even if its results are not used.
    pub keep: bool,
}

/// What a piece of code may do to memory, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clobbers {
    /// May write buffer, image or global memory.
    pub device: bool,
    /// May write workgroup memory.
    pub shared: bool,
    /// May write private memory.
    pub slots: bool,
    /// Has a barrier (other invocations' writes become visible) or an atomic access.
    pub barrier: bool,
}

impl Clobbers {
    /// Adds one operation, without nested regions.
    pub fn add(&mut self, op: &Op) {
        let e = op.effects();
        match e.writes {
            Some(Space::Buffer | Space::Global) => self.device = true,
            Some(Space::Shared) => self.shared = true,
            Some(Space::Slot) => self.slots = true,
            Some(Space::Push) | None => {}
        }
        let atomic = match op {
            Op::Load { access, .. } | Op::Store { access, .. } => access.atomic,
            Op::AtomicRmw { .. } | Op::AtomicCas { .. } | Op::ImageAtomic { .. } | Op::ImageCas { .. } => true,
            _ => false,
        };
        self.barrier |= e.barrier || atomic;
    }

    /// Both together.
    pub fn merge(&mut self, o: Clobbers) {
        self.device |= o.device;
        self.shared |= o.shared;
        self.slots |= o.slots;
        self.barrier |= o.barrier;
    }

    /// Everything that a region does, nested regions included.
    pub fn of_region(region: &Region) -> Clobbers {
        let mut c = Clobbers::default();
        region.walk(&mut |inst| c.add(&inst.op));
        c
    }

    /// Everything that an operation does, nested regions included.
    pub fn of_op(op: &Op) -> Clobbers {
        let mut c = Clobbers::default();
        c.add(op);
        op.for_each_region(&mut |r| c.merge(Clobbers::of_region(r)));
        c
    }

    /// Whether a plain load from `space` may see another value after this code than before.
    pub const fn may_change(self, space: Space) -> bool {
        match space {
            Space::Buffer | Space::Global => self.device || self.barrier,
            Space::Shared => self.shared || self.barrier,
            Space::Slot => self.slots,
            Space::Push => false,
        }
    }
}

impl Region {
    /// Calls `f` with every instruction, outer before inner, in text order.
    pub fn walk(&self, f: &mut dyn FnMut(&Inst)) {
        for inst in &self.insts {
            f(inst);
            inst.op.for_each_region(&mut |r| r.walk(f));
        }
    }

    /// As [`Region::walk`], for rewriting in place.
    pub fn walk_mut(&mut self, f: &mut dyn FnMut(&mut Inst)) {
        for inst in &mut self.insts {
            f(inst);
            inst.op.for_each_region_mut(&mut |r| r.walk_mut(f));
        }
    }

    /// Calls `f` with every region: this one, then nested ones in text order.
    pub fn walk_regions(&self, f: &mut dyn FnMut(&Region)) {
        f(self);
        for inst in &self.insts {
            inst.op.for_each_region(&mut |r| r.walk_regions(f));
        }
    }

    /// Number of instructions, nested ones included.
    pub fn size(&self) -> usize {
        let mut n = 0;
        self.walk(&mut |_| n += 1);
        n
    }

    /// Whether there is a `Break` to `label` inside.
    pub fn breaks_to(&self, label: Label) -> bool {
        let mut found = false;
        self.walk(&mut |i| found |= matches!(i.op, Op::Break(l, _) if l == label));
        found
    }

    /// Whether there is a `Continue` of `label` inside.
    pub fn continues(&self, label: Label) -> bool {
        let mut found = false;
        self.walk(&mut |i| found |= matches!(i.op, Op::Continue(l, _) if l == label));
        found
    }
}

/// Replacement of values by others, applied lazily. Chains are followed.
#[derive(Clone, Debug)]
pub struct Subst {
    map: Vec<Value>,
    used: bool,
}

impl Subst {
    /// No replacement yet, for a kernel with that many values.
    pub fn new(kernel: &Kernel) -> Subst {
        Subst { map: (0..kernel.types.len() as u32).map(Value).collect(), used: false }
    }

    /// From now on `from` stands for `to`.
    pub fn replace(&mut self, from: Value, to: Value) {
        self.grow(from.index().max(to.index()) + 1);
        self.used = true;
        self.map[from.index()] = self.get(to);
    }

    fn grow(&mut self, n: usize) {
        while self.map.len() < n {
            self.map.push(Value(self.map.len() as u32));
        }
    }

    /// What stands for `v`. Follows and shortens chains.
    pub fn get(&mut self, v: Value) -> Value {
        let Some(&first) = self.map.get(v.index()) else { return v };
        if first == v {
            return v;
        }
        let mut root = first;
        while self.map[root.index()] != root {
            root = self.map[root.index()];
        }
        self.map[v.index()] = root;
        root
    }

    /// Whether anything was replaced.
    pub const fn is_used(&self) -> bool {
        self.used
    }

    /// Rewrites the direct operands of an operation.
    pub fn apply(&mut self, op: &mut Op) {
        if self.used {
            op.for_each_operand_mut(&mut |v| *v = self.get(*v));
        }
    }

    /// Rewrites all operands in a region.
    pub fn apply_region(&mut self, region: &mut Region) {
        if self.used {
            region.walk_mut(&mut |inst| self.apply(&mut inst.op));
        }
    }
}

/// Numbers values and labels anew in text order and drops unused types, slots stay. Two kernels that differ only in
/// numbering become equal; a renumbered kernel survives printing and parsing exactly.
pub fn renumber(kernel: &mut Kernel) {
    struct Renumber {
        values: Vec<Option<Value>>,
        types: Vec<Type>,
        labels: Vec<Option<Label>>,
        next_label: u32,
    }
    impl Renumber {
        fn def(&mut self, old: &[Type], v: &mut Value) {
            let new = Value(self.types.len() as u32);
            self.types.push(old[v.index()]);
            self.values[v.index()] = Some(new);
            *v = new;
        }
        fn label(&mut self, l: &mut Label) {
            let next = &mut self.next_label;
            let new = *self.labels[l.index()].get_or_insert_with(|| {
                *next += 1;
                Label(*next - 1)
            });
            *l = new;
        }
        fn region(&mut self, old: &[Type], region: &mut Region) {
            for inst in &mut region.insts {
                let map = &self.values;
                inst.op.for_each_operand_mut(&mut |v| {
                    if let Some(new) = map.get(v.index()).copied().flatten() {
                        *v = new;
                    }
                });
                for v in &mut inst.results {
                    self.def(old, v);
                }
                match &mut inst.op {
                    Op::Block { label, .. }
                    | Op::Loop { label, .. }
                    | Op::Switch { label, .. }
                    | Op::Break(label, _)
                    | Op::Continue(label, _) => self.label(label),
                    _ => {}
                }
                inst.op.for_each_region_mut(&mut |r| {
                    for p in &mut r.params {
                        self.def(old, p);
                    }
                    self.region(old, r);
                });
            }
        }
    }
    let old = std::mem::take(&mut kernel.types);
    let mut r = Renumber {
        values: vec![None; old.len()],
        types: Vec::with_capacity(old.len()),
        labels: vec![None; kernel.labels as usize],
        next_label: 0,
    };
    r.region(&old, &mut kernel.body);
    kernel.types = r.types;
    kernel.labels = r.next_label;
}

/// Copies of code with fresh values and labels.
#[derive(Debug, Default)]
pub struct Cloner {
    values: crate::hash::HashMap<Value, Value>,
    labels: crate::hash::HashMap<Label, Label>,
}

impl Cloner {
    /// Inside the copy `from` stands for `to`.
    pub fn map(&mut self, from: Value, to: Value) {
        self.values.insert(from, to);
    }

    /// What stands for `v` in the copy.
    pub fn get(&self, v: Value) -> Value {
        self.values.get(&v).copied().unwrap_or(v)
    }

    fn def(&mut self, kernel: &mut Kernel, v: Value) -> Value {
        let new = kernel.value(kernel.ty(v));
        self.values.insert(v, new);
        new
    }

    /// Copies a region with its parameters. `exit` may rewrite terminators that leave to labels from outside of the copy.
    pub fn region(&mut self, kernel: &mut Kernel, region: &Region, exit: &mut dyn FnMut(&mut Op)) -> Region {
        let params = region.params.iter().map(|&p| self.def(kernel, p)).collect();
        Region { params, insts: self.insts(kernel, &region.insts, exit) }
    }

    /// Copies instructions.
    pub fn insts(&mut self, kernel: &mut Kernel, insts: &[Inst], exit: &mut dyn FnMut(&mut Op)) -> Vec<Inst> {
        let mut out = Vec::with_capacity(insts.len());
        for inst in insts {
            // Nested regions are copied one by one below, not with the operation.
            let mut op = inst.op.clone_shallow();
            op.for_each_operand_mut(&mut |v| *v = self.get(*v));
            let results = inst.results.iter().map(|&v| self.def(kernel, v)).collect();
            if let Some(l) = op.defined_label() {
                let new = kernel.label();
                self.labels.insert(l, new);
                match &mut op {
                    Op::Block { label, .. } | Op::Loop { label, .. } | Op::Switch { label, .. } => *label = new,
                    _ => {}
                }
            }
            let mut copies = Vec::with_capacity(inst.op.region_count());
            inst.op.for_each_region(&mut |r| copies.push(self.region(kernel, r, exit)));
            let mut copies = copies.into_iter();
            op.for_each_region_mut(&mut |r| *r = copies.next().unwrap_or_default());
            match &mut op {
                Op::Break(l, _) | Op::Continue(l, _) if self.labels.contains_key(l) => *l = self.labels[l],
                Op::Break(..) | Op::Continue(..) => exit(&mut op),
                _ => {}
            }
            out.push(Inst { results, op });
        }
        out
    }
}

impl Op {
    /// A copy without the contents of nested regions.
    pub fn clone_shallow(&self) -> Op {
        match self {
            Op::If { cond, .. } => Op::If { cond: *cond, then: Region::default(), els: Region::default() },
            Op::Switch { label, selector, cases } => Op::Switch {
                label: *label,
                selector: *selector,
                cases: cases
                    .iter()
                    .map(|c| super::SwitchCase {
                        literals: c.literals.clone(),
                        is_default: c.is_default,
                        body: Region::default(),
                        init: c.init.clone(),
                    })
                    .collect(),
            },
            Op::Loop { label, init, .. } => Op::Loop { label: *label, init: init.clone(), body: Region::default() },
            Op::Block { label, .. } => Op::Block { label: *label, body: Region::default() },
            other => other.clone(),
        }
    }

    /// The slot that a memory operation touches.
    pub const fn slot(&self) -> Option<SlotId> {
        match self {
            Op::Load { addr, .. }
            | Op::Store { addr, .. }
            | Op::AtomicRmw { addr, .. }
            | Op::AtomicCas { addr, .. } => match addr {
                Addr::Slot { slot, .. } => Some(*slot),
                Addr::Buffer { .. } | Addr::Global { .. } | Addr::Shared { .. } | Addr::Push { .. } => None,
            },
            _ => None,
        }
    }
}
