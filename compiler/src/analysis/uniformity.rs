//! Uniformity: data and control dependence on what differs between invocations, on the structured tree.
//!
//! The analysis walks the tree and keeps, for every construct that is open at a point, whether invocations *wait* there: for
//! the other side of an `If`, at the end of a construct that they broke out of, or for the next iteration of a loop that they
//! continued. A join is divergent when the invocations that arrive come from different exits, and that is so exactly if
//! some wait at or inside the construct that ends there. Loops are iterated to a fixed point with all levels rising
//! from [`Level::Const`].

use crate::hash::HashMap;
use crate::sir::{Addr, Builtin, GroupScan, Inst, Kernel, Label, Op, Region, SubgroupOp, Value};

/// How far the invocations that execute something agree on a value or on the way they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Known when the kernel is compiled.
    #[default]
    Const,
    /// The same in every invocation of a dispatch.
    Dispatch,
    /// The same in every active invocation of a workgroup.
    Workgroup,
    /// The same in every active invocation of a subgroup.
    Subgroup,
    /// May differ between invocations.
    Varying,
}

/// The result of the analysis.
#[derive(Clone, Debug, Default)]
pub struct Uniformity {
    values: Vec<Level>,
    breaks: Vec<Level>,
    continues: Vec<Level>,
    returns: Level,
}

impl Uniformity {
    /// Analyses a verified kernel for subgroups of that many consecutive invocations.
    pub fn new(kernel: &Kernel, subgroup_size: u32) -> Uniformity {
        let mut walk = Walk::new(kernel, subgroup_size);
        // Every pass that changes something raises a level of a value or of a waiting place; few are needed in practice.
        // Should the bound be met, everything that could still rise is raised.
        for _ in 0..PASSES {
            walk.changed = false;
            let state = vec![Waiting::default()];
            walk.region(&kernel.body, state);
            if !walk.changed {
                return walk.out;
            }
        }
        let mut out = walk.out;
        for levels in [&mut out.values, &mut out.breaks, &mut out.continues] {
            levels.fill(Level::Varying);
        }
        out.returns = Level::Varying;
        out
    }

    /// How far the active invocations agree on a value where it is defined.
    pub fn value(&self, v: Value) -> Level {
        self.values.get(v.index()).copied().unwrap_or(Level::Varying)
    }

    /// Whether invocations that leave a construct through breaks (or the yield at its end) may arrive apart from each other:
    /// the level of the conditions that parted them.
    pub fn break_join(&self, label: Label) -> Level {
        self.breaks.get(label.index()).copied().unwrap_or(Level::Varying)
    }

    /// As [`Uniformity::break_join`] for the end of a loop's body.
    pub fn continue_join(&self, label: Label) -> Level {
        self.continues.get(label.index()).copied().unwrap_or(Level::Varying)
    }

    /// As [`Uniformity::break_join`] for the end of the kernel.
    pub fn return_join(&self) -> Level {
        self.returns
    }
}

const PASSES: usize = 100;

/// Levels of the conditions that made invocations wait at one open construct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Waiting {
    /// At its end (for an If: for the other side; for the kernel: returned).
    end: Level,
    /// For the next iteration.
    next: Level,
}

/// One entry per open construct, the kernel itself first.
type State = Vec<Waiting>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Break(Label),
    Continue(Label),
    /// To the next arm of a switch.
    Fallthrough(Label),
    Return,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sites {
    breaks: u32,
    continues: u32,
}

struct Walk<'a> {
    kernel: &'a Kernel,
    subgroup_size: u32,
    out: Uniformity,
    changed: bool,
    /// Depth of each open label in the state.
    depth: Vec<usize>,
    /// Which open constructs are loops, by depth.
    loops: Vec<bool>,
    /// Joined state at the end of each labelled construct, outer constructs only.
    end_state: Vec<Option<State>>,
    /// Joined state at the next iteration of each loop, the loop itself included.
    next_state: Vec<Option<State>>,
    results: Vec<&'a [Value]>,
    /// Of a loop its parameters, of a switch those of the arm after the one that is walked.
    params: Vec<&'a [Value]>,
    /// Open switches.
    switches: Vec<Label>,
    sites: Vec<Sites>,
    /// Exits from inside each construct to constructs around it, by address of the instruction.
    exits: HashMap<usize, Vec<Exit>>,
    /// Of each If and Switch that has exits, those that invocations which did not take one may take later, past the place
    /// that the others went to.
    later: HashMap<usize, Vec<Exit>>,
}

/// A construct around what is walked.
struct Open {
    label: Option<Label>,
    /// Whether those inside may come to any part of it again: loops, and switches for their later arms.
    again: bool,
    /// Its exits.
    exits: Vec<Exit>,
    /// Exits in the instructions behind it in its region.
    behind: Vec<Exit>,
}

/// Adds what is not there yet.
fn unite(into: &mut Vec<Exit>, exits: &[Exit]) {
    for e in exits {
        if !into.contains(e) {
            into.push(*e);
        }
    }
}

fn key(inst: &Inst) -> usize {
    std::ptr::from_ref(inst) as usize
}

fn join(into: &mut Option<State>, state: &[Waiting]) -> bool {
    match into {
        None => {
            *into = Some(state.to_vec());
            true
        }
        Some(old) => {
            let mut changed = false;
            for (o, n) in old.iter_mut().zip(state) {
                let joined = Waiting { end: o.end.max(n.end), next: o.next.max(n.next) };
                changed |= joined != *o;
                *o = joined;
            }
            changed
        }
    }
}

/// How a region ended on its straight path.
enum End<'a> {
    Yield(State, &'a [Value]),
    Gone,
}

impl<'a> Walk<'a> {
    fn new(kernel: &'a Kernel, subgroup_size: u32) -> Walk<'a> {
        let labels = kernel.labels as usize;
        let mut walk = Walk {
            kernel,
            subgroup_size,
            out: Uniformity {
                values: vec![Level::Const; kernel.types.len()],
                breaks: vec![Level::Const; labels],
                continues: vec![Level::Const; labels],
                returns: Level::Const,
            },
            changed: false,
            depth: vec![0; labels],
            loops: vec![false],
            end_state: vec![None; labels],
            next_state: vec![None; labels],
            results: vec![&[]; labels],
            params: vec![&[]; labels],
            switches: Vec::new(),
            sites: vec![Sites::default(); labels],
            exits: HashMap::default(),
            later: HashMap::default(),
        };
        walk.collect(&kernel.body, None);
        walk.collect_later(&kernel.body, &mut Vec::new());
        walk
    }

    /// Fills the tables by label and by instruction; returns the exits from the region.
    fn collect(&mut self, region: &'a Region, yields_to: Option<Label>) -> Vec<Exit> {
        let mut out: Vec<Exit> = Vec::new();
        for inst in &region.insts {
            match &inst.op {
                Op::If { then, els, .. } => {
                    let mut inner = self.collect(then, None);
                    unite(&mut inner, &self.collect(els, None));
                    unite(&mut out, &inner);
                    self.exits.insert(key(inst), inner);
                }
                Op::Switch { label, cases, .. } => {
                    self.results[label.index()] = &inst.results;
                    let mut inner = Vec::new();
                    self.switches.push(*label);
                    for case in cases {
                        unite(&mut inner, &self.collect(&case.body, Some(*label)));
                    }
                    self.switches.pop();
                    inner.retain(|e| *e != Exit::Break(*label) && *e != Exit::Fallthrough(*label));
                    unite(&mut out, &inner);
                    self.exits.insert(key(inst), inner);
                }
                Op::Loop { label, body, .. } => {
                    self.results[label.index()] = &inst.results;
                    self.params[label.index()] = &body.params;
                    let mut inner = self.collect(body, None);
                    inner.retain(|e| *e != Exit::Break(*label) && *e != Exit::Continue(*label));
                    unite(&mut out, &inner);
                    self.exits.insert(key(inst), inner);
                }
                Op::Block { label, body } => {
                    self.results[label.index()] = &inst.results;
                    let mut inner = self.collect(body, Some(*label));
                    inner.retain(|e| *e != Exit::Break(*label));
                    unite(&mut out, &inner);
                    self.exits.insert(key(inst), inner);
                }
                Op::Break(label, _) => {
                    self.sites[label.index()].breaks += 1;
                    unite(&mut out, &[Exit::Break(*label)]);
                }
                Op::Continue(label, _) => {
                    self.sites[label.index()].continues += 1;
                    unite(&mut out, &[Exit::Continue(*label)]);
                }
                Op::Yield(_) => {
                    if let Some(label) = yields_to {
                        self.sites[label.index()].breaks += 1;
                    }
                }
                Op::Fallthrough(_) => {
                    if let Some(label) = self.switches.last() {
                        unite(&mut out, &[Exit::Fallthrough(*label)]);
                    }
                }
                Op::Return => unite(&mut out, &[Exit::Return]),
                _ => {}
            }
        }
        out
    }

    /// Fills the table of later exits. `open` are the constructs around the region, the outermost first.
    fn collect_later(&mut self, region: &Region, open: &mut Vec<Open>) {
        let mut behind: Vec<Exit> = Vec::new();
        for inst in region.insts.iter().rev() {
            let mut leave = |exit: Exit| unite(&mut behind, &[exit]);
            let (label, again) = match &inst.op {
                Op::If { .. } => (None, false),
                Op::Block { label, .. } => (Some(*label), false),
                Op::Switch { label, .. } | Op::Loop { label, .. } => (Some(*label), true),
                Op::Break(label, _) => {
                    leave(Exit::Break(*label));
                    continue;
                }
                Op::Continue(label, _) => {
                    leave(Exit::Continue(*label));
                    continue;
                }
                Op::Return => {
                    leave(Exit::Return);
                    continue;
                }
                // A fallthrough leads nowhere that `Open::again` does not cover.
                _ => continue,
            };
            let own = self.exits.get(&key(inst)).cloned().unwrap_or_default();
            if matches!(inst.op, Op::If { .. } | Op::Switch { .. }) && !own.is_empty() {
                let mut later = Vec::new();
                for exit in &own {
                    let (to, leaves) = match exit {
                        Exit::Break(l) => (*l, true),
                        Exit::Continue(l) | Exit::Fallthrough(l) => (*l, false),
                        // Nothing is executed behind it.
                        Exit::Return => continue,
                    };
                    let Some(depth) = open.iter().rposition(|o| o.label == Some(to)) else { continue };
                    let mut all = behind.clone();
                    for around in open[depth + 1..].iter().rev() {
                        if around.again {
                            unite(&mut all, &around.exits);
                        }
                        unite(&mut all, &around.behind);
                    }
                    if leaves && open[depth].again {
                        unite(&mut all, &open[depth].exits);
                    }
                    // Who comes to the same place or waits inside is no matter to those that went there.
                    all.retain(|e| match e {
                        Exit::Break(l) if *l == to => !leaves,
                        Exit::Break(l) | Exit::Continue(l) | Exit::Fallthrough(l) => {
                            open[..depth].iter().any(|o| o.label == Some(*l))
                        }
                        Exit::Return => true,
                    });
                    unite(&mut later, &all);
                }
                self.later.insert(key(inst), later);
            }
            open.push(Open { label, again, exits: own.clone(), behind: behind.clone() });
            inst.op.for_each_region(&mut |r| self.collect_later(r, open));
            open.pop();
            unite(&mut behind, &own);
        }
    }

    fn level(&self, v: Value) -> Level {
        self.out.values[v.index()]
    }

    fn raise(&mut self, v: Value, level: Level) {
        let old = &mut self.out.values[v.index()];
        if level > *old {
            *old = level;
            self.changed = true;
        }
    }

    fn region(&mut self, region: &'a Region, mut state: State) -> End<'a> {
        for inst in &region.insts {
            match &inst.op {
                Op::If { cond, then, els } => match self.branch(inst, *cond, then, els, state) {
                    Some(after) => state = after,
                    None => return End::Gone,
                },
                Op::Switch { label, selector, cases } => {
                    let level = self.level(*selector);
                    self.wait_at_exits(inst, level, &mut state);
                    self.depth[label.index()] = state.len();
                    self.loops.push(false);
                    state.push(Waiting { end: level, next: Level::Const });
                    self.switches.push(*label);
                    for (i, case) in cases.iter().enumerate() {
                        for (&param, &init) in case.body.params.iter().zip(&case.init) {
                            let init = self.level(init);
                            self.raise(param, init);
                        }
                        // What fell through from the arm before is in the state for the next one.
                        let mut entry = self.next_state[label.index()].take();
                        join(&mut entry, &state);
                        self.params[label.index()] = cases.get(i + 1).map_or(&[], |c| &c.body.params);
                        if let End::Yield(s, args) = self.region(&case.body, entry.unwrap_or_default()) {
                            self.leave(*label, &s, args);
                        }
                    }
                    self.next_state[label.index()] = None;
                    self.switches.pop();
                    self.loops.pop();
                    match self.end_state[label.index()].clone() {
                        Some(after) => state = after,
                        None => return End::Gone,
                    }
                }
                Op::Loop { label, init, body } => {
                    for (&param, &init) in body.params.iter().zip(init) {
                        let init = self.level(init);
                        self.raise(param, init);
                    }
                    self.depth[label.index()] = state.len();
                    self.loops.push(true);
                    state.push(Waiting::default());
                    let mut entry = Some(state);
                    if let Some(next) = self.next_state[label.index()].clone() {
                        join(&mut entry, &next);
                    }
                    // A loop body ends in an exit; a yield would be malformed and is ignored.
                    let _ = self.region(body, entry.unwrap_or_default());
                    self.loops.pop();
                    match self.end_state[label.index()].clone() {
                        Some(after) => state = after,
                        None => return End::Gone,
                    }
                }
                Op::Block { label, body } => {
                    self.depth[label.index()] = state.len();
                    self.loops.push(false);
                    state.push(Waiting::default());
                    if let End::Yield(s, args) = self.region(body, state) {
                        self.leave(*label, &s, args);
                    }
                    self.loops.pop();
                    match self.end_state[label.index()].clone() {
                        Some(after) => state = after,
                        None => return End::Gone,
                    }
                }
                Op::Yield(args) => return End::Yield(state, args),
                Op::Fallthrough(args) => {
                    if let Some(&label) = self.switches.last() {
                        self.fall(label, &state, args);
                    }
                    return End::Gone;
                }
                Op::Break(label, args) => {
                    self.leave(*label, &state, args);
                    return End::Gone;
                }
                Op::Continue(label, args) => {
                    self.again(*label, &state, args);
                    return End::Gone;
                }
                // Nobody comes there.
                Op::Unreachable => return End::Gone,
                Op::Return => {
                    let level = state.iter().map(|w| w.end.max(w.next)).max().unwrap_or_default();
                    if level > self.out.returns {
                        self.out.returns = level;
                        self.changed = true;
                    }
                    return End::Gone;
                }
                op => {
                    let level = self.op_level(op);
                    for &r in &inst.results {
                        self.raise(r, level);
                    }
                }
            }
        }
        End::Gone
    }

    /// Invocations that take other ways out of a construct with a condition of that level wait where those lead. So do, for
    /// those that leave, the ones that stayed and leave by another way later: they go on first.
    fn wait_at_exits(&self, inst: &Inst, level: Level, state: &mut State) {
        let tables = [&self.exits, &self.later];
        for exit in tables.iter().filter_map(|table| table.get(&key(inst))).flatten() {
            match exit {
                Exit::Break(l) => {
                    let w = &mut state[self.depth[l.index()]];
                    w.end = w.end.max(level);
                }
                Exit::Continue(l) | Exit::Fallthrough(l) => {
                    let w = &mut state[self.depth[l.index()]];
                    w.next = w.next.max(level);
                }
                Exit::Return => state[0].end = state[0].end.max(level),
            }
        }
    }

    fn branch(
        &mut self,
        inst: &'a Inst,
        cond: Value,
        then: &'a Region,
        els: &'a Region,
        mut state: State,
    ) -> Option<State> {
        let level = self.level(cond);
        self.wait_at_exits(inst, level, &mut state);
        self.loops.push(false);
        state.push(Waiting { end: level, next: Level::Const });
        let then = self.region(then, state.clone());
        let els = self.region(els, state);
        self.loops.pop();
        let mut after = None;
        let args = |end| match end {
            End::Yield(s, args) => Some((s, args)),
            End::Gone => None,
        };
        match (args(then), args(els)) {
            (Some((s1, a1)), Some((s2, a2))) => {
                for ((&r, &a), &b) in inst.results.iter().zip(a1).zip(a2) {
                    let both = self.level(a).max(self.level(b));
                    self.raise(r, if a == b { both } else { both.max(level) });
                }
                join(&mut after, &s1);
                join(&mut after, &s2);
            }
            (Some((s, args)), None) | (None, Some((s, args))) => {
                for (&r, &a) in inst.results.iter().zip(args) {
                    let a = self.level(a);
                    self.raise(r, a);
                }
                join(&mut after, &s);
            }
            (None, None) => {}
        }
        if let Some(after) = &mut after {
            after.pop();
        }
        after
    }

    fn leave(&mut self, label: Label, state: &[Waiting], args: &[Value]) {
        let depth = self.depth[label.index()];
        let inside = state[depth + 1..].iter().map(|w| w.end.max(w.next)).max().unwrap_or_default();
        let join_level = inside.max(state[depth].end).max(state[depth].next);
        if join_level > self.out.breaks[label.index()] {
            self.out.breaks[label.index()] = join_level;
            self.changed = true;
        }
        // A single exit that is passed once brings one value per join however many wait elsewhere.
        let once = self.sites[label.index()].breaks == 1 && !self.loops[depth..].iter().any(|&l| l);
        let results = self.results[label.index()];
        for (&r, &arg) in results.iter().zip(args) {
            let arg = self.level(arg);
            self.raise(r, if once { arg } else { arg.max(join_level) });
        }
        self.changed |= join(&mut self.end_state[label.index()], &state[..depth]);
    }

    fn again(&mut self, label: Label, state: &[Waiting], args: &[Value]) {
        let depth = self.depth[label.index()];
        let inside = state[depth + 1..].iter().map(|w| w.end.max(w.next)).max().unwrap_or_default();
        let join_level = inside.max(state[depth].next);
        if join_level > self.out.continues[label.index()] {
            self.out.continues[label.index()] = join_level;
            self.changed = true;
        }
        let once = self.sites[label.index()].continues == 1 && !self.loops[depth + 1..].iter().any(|&l| l);
        let params = self.params[label.index()];
        for (&p, &arg) in params.iter().zip(args) {
            let arg = self.level(arg);
            self.raise(p, if once { arg } else { arg.max(join_level) });
        }
        let mut next = state[..=depth].to_vec();
        next[depth].next = Level::Const;
        self.changed |= join(&mut self.next_state[label.index()], &next);
    }

    /// Into the next arm, where those that fell through meet those that the selector sends there.
    fn fall(&mut self, label: Label, state: &[Waiting], args: &[Value]) {
        let depth = self.depth[label.index()];
        let join_level = state[depth..].iter().map(|w| w.end.max(w.next)).max().unwrap_or_default();
        let params = self.params[label.index()];
        for (&p, &arg) in params.iter().zip(args) {
            let arg = self.level(arg);
            self.raise(p, arg.max(join_level));
        }
        let mut next = state[..=depth].to_vec();
        next[depth].next = Level::Const;
        join(&mut self.next_state[label.index()], &next);
    }

    fn operands(&self, op: &Op) -> Level {
        let mut level = Level::Const;
        op.for_each_operand(&mut |v| level = level.max(self.level(v)));
        level
    }

    fn builtin(&self, builtin: Builtin) -> Level {
        let size = self.kernel.local_size;
        let whole_rows = size[0].is_multiple_of(self.subgroup_size);
        let local = |c: u8| {
            if size.get(usize::from(c)).is_none_or(|&s| s <= 1) {
                Level::Const
            } else if c > 0 && whole_rows {
                Level::Subgroup
            } else {
                Level::Varying
            }
        };
        match builtin {
            Builtin::WorkgroupId(_) => Level::Workgroup,
            Builtin::NumWorkgroups(_) => Level::Dispatch,
            Builtin::LocalId(c) => local(c),
            Builtin::GlobalId(c) => local(c).max(Level::Workgroup),
            Builtin::LocalIndex => {
                if self.kernel.invocations() == 1 {
                    Level::Const
                } else {
                    Level::Varying
                }
            }
            Builtin::SubgroupId => Level::Subgroup,
            Builtin::NumSubgroups | Builtin::SubgroupSize => Level::Const,
            Builtin::SubgroupLocalId => Level::Varying,
        }
    }

    fn op_level(&self, op: &Op) -> Level {
        let operands = self.operands(op);
        match op {
            Op::Const(_) => Level::Const,
            Op::Alu { .. } | Op::BufferSize(_) => operands,
            Op::Builtin(b) => self.builtin(*b),
            Op::Buffer(_) | Op::ImageSize { .. } | Op::ImageLevels { .. } | Op::ImageSamples { .. } => {
                operands.max(Level::Dispatch)
            }
            Op::Load { addr, access } => match addr {
                Addr::Slot { .. } => Level::Varying,
                Addr::Push { .. } => operands.max(Level::Dispatch),
                Addr::Buffer { .. } | Addr::Global { .. } | Addr::Shared { .. } => {
                    if access.atomic || access.volatile || access.coherent {
                        operands.max(Level::Subgroup)
                    } else {
                        operands.max(Level::Workgroup)
                    }
                }
            },
            Op::Subgroup { op, .. } => match op {
                SubgroupOp::Elect => Level::Varying,
                SubgroupOp::All | SubgroupOp::Any | SubgroupOp::AllEqual | SubgroupOp::Ballot => Level::Subgroup,
                SubgroupOp::Broadcast | SubgroupOp::BroadcastFirst => Level::Subgroup,
                SubgroupOp::Group { scan: GroupScan::Reduce, cluster, .. }
                    if *cluster == 0 || *cluster >= self.subgroup_size =>
                {
                    Level::Subgroup
                }
                SubgroupOp::Group { .. }
                | SubgroupOp::Partition
                | SubgroupOp::Partitioned { .. }
                | SubgroupOp::Shuffle
                | SubgroupOp::ShuffleXor
                | SubgroupOp::ShuffleUp
                | SubgroupOp::ShuffleDown
                | SubgroupOp::Rotate { .. }
                | SubgroupOp::QuadBroadcast
                | SubgroupOp::QuadSwap { .. } => Level::Varying,
            },
            Op::ReadClock { .. } => Level::Subgroup,
            Op::AtomicRmw { .. }
            | Op::AtomicCas { .. }
            | Op::ImageLoad { .. }
            | Op::ImageAtomic { .. }
            | Op::ImageCas { .. }
            | Op::Sample { .. } => Level::Varying,
            // No results, or handled by the walk.
            Op::Store { .. }
            | Op::ImageStore { .. }
            | Op::ControlBarrier { .. }
            | Op::MemoryBarrier { .. }
            | Op::If { .. }
            | Op::Switch { .. }
            | Op::Loop { .. }
            | Op::Block { .. }
            | Op::Yield(_)
            | Op::Break(..)
            | Op::Continue(..)
            | Op::Fallthrough(_)
            | Op::Return
            | Op::Unreachable => Level::Varying,
        }
    }
}
