//! Where barriers split a kernel.
//!
//! A workgroup barrier must be reached by all invocations of a workgroup together, so the control flow around barriers is executed
//! once per workgroup: it becomes control flow of the entry function ("workgroup level"), and the code between barriers becomes
//! *stretches*, each executed for one subgroup after the other. A construct is at workgroup level if it contains a
//! workgroup barrier, or an exit to a construct at workgroup level that all invocations take together. Values that are
//! defined in one stretch and used in another are kept in memory, unless they are cheap to compute again.
//!
//! That a construct contains a barrier does not mean that its condition is uniform whenever it is executed: only where the
//! barrier is in fact reached, all invocations are there. Constructs whose condition is not known to be uniform are *apart*:
//! their sides are executed one after the other, each for the invocations that take it.
//!
//! A workgroup that fits in one subgroup, and a kernel without barriers, is a single stretch.

use super::live;
use compiler::analysis::{Level, Uniformity};
use compiler::hash::{HashMap, HashSet};
use compiler::sir::{Inst, Kernel, Label, MemoryScope, Op, Region, SwitchCase, Value};

/// A way out of a construct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Break(Label),
    Continue(Label),
    Return,
}

/// Number of instructions that leave to a label.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sites {
    /// Breaks, and yields at the end of blocks and switch arms.
    pub breaks: u32,
    /// Continues.
    pub continues: u32,
    /// Whether some break stands in a loop inside of the construct (or the construct is a loop).
    pub break_repeats: bool,
    /// Whether some continue stands in a further loop inside.
    pub continue_repeats: bool,
}

/// Assignment of values at the end of a stretch: targets are results or parameters of workgroup-level constructs.
pub type Moves = Vec<(Value, Value)>;

/// A stretch.
#[derive(Debug)]
pub struct Stretch<'a> {
    /// The instructions, with a terminator only if the invocations leave apart from each other.
    pub insts: &'a [Inst],
    /// Values to be moved at its end.
    pub moves: Moves,
    /// Whether the targets of moves keep their values for the invocations that are not here: another side sets those.
    pub blend: bool,
    /// Whether everything in it is the same for the whole workgroup: executed once, without a loop over the subgroups.
    pub scalar: bool,
    /// Values from outside of the stretch that it reads.
    pub live_in: Vec<Value>,
}

/// A construct at workgroup level.
#[derive(Debug)]
pub enum Node<'a> {
    Stretch(Stretch<'a>),
    If {
        inst: &'a Inst,
        cond: Value,
        /// Whether invocations may take different sides.
        apart: bool,
        then: WRegion<'a>,
        els: WRegion<'a>,
    },
    Switch {
        inst: &'a Inst,
        label: Label,
        selector: Value,
        /// Whether invocations may take different arms.
        apart: bool,
        cases: &'a [SwitchCase],
        /// Per arm what is moved when it is entered from the selector.
        entries: Vec<Stretch<'a>>,
        bodies: Vec<WRegion<'a>>,
    },
    Loop {
        inst: &'a Inst,
        label: Label,
        body: WRegion<'a>,
    },
    Block {
        inst: &'a Inst,
        label: Label,
        body: WRegion<'a>,
    },
}

/// How a region at workgroup level ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WEnd {
    /// In its last stretch, invocations apart from each other.
    Apart,
    /// Out of the If, Block or Switch it belongs to.
    Yield,
    Break(Label),
    Continue(Label),
    Return,
}

/// A region at workgroup level.
#[derive(Debug)]
pub struct WRegion<'a> {
    pub nodes: Vec<Node<'a>>,
    pub end: WEnd,
}

/// The plan.
#[derive(Debug)]
pub struct Plan<'a> {
    pub root: WRegion<'a>,
    /// Whether there is more than one stretch.
    pub split: bool,
    /// Exits from each construct to constructs around it, by address of the instruction.
    exits: HashMap<usize, Vec<Exit>>,
    pub sites: Vec<Sites>,
    /// Values kept in memory after their definition in a stretch.
    pub spill: Vec<bool>,
    /// Definitions of values that are computed again where they are used.
    pub remat: Vec<Option<&'a Inst>>,
    pub stretches: u32,
}

fn key(inst: &Inst) -> usize {
    std::ptr::from_ref(inst) as usize
}

impl<'a> Plan<'a> {
    pub fn new(kernel: &'a Kernel, uniformity: &Uniformity, subgroup_size: u32) -> Plan<'a> {
        let mut build = Build {
            uniformity,
            exits: HashMap::default(),
            barriers: HashSet::default(),
            sites: vec![Sites::default(); kernel.labels as usize],
            loops_open: vec![0; kernel.labels as usize],
            loops: 0,
            stretches: 0,
            split: false,
            results: vec![&[]; kernel.labels as usize],
            params: vec![&[]; kernel.labels as usize],
        };
        build.collect(&kernel.body, None);
        let multi = kernel.invocations() > subgroup_size;
        build.split = multi && build.barriers.contains(&ROOT);
        let mut remat = vec![None; kernel.types.len()];
        let root = if build.split {
            live::remat_values(kernel, &mut remat);
            build.region(&kernel.body, Leave::Never)
        } else {
            build.stretches = 1;
            let whole = Stretch {
                insts: &kernel.body.insts,
                moves: Vec::new(),
                blend: false,
                scalar: false,
                live_in: Vec::new(),
            };
            WRegion { nodes: vec![Node::Stretch(whole)], end: WEnd::Apart }
        };
        let Build { exits, sites, stretches, split, .. } = build;
        let mut plan = Plan { root, split, exits, sites, spill: vec![false; kernel.types.len()], remat, stretches };
        if split {
            live::fill_in(&mut plan);
        }
        plan
    }

    /// Exits from a construct to constructs around it.
    pub fn exits(&self, inst: &Inst) -> &[Exit] {
        self.exits.get(&key(inst)).map_or(&[], Vec::as_slice)
    }
}

const ROOT: usize = 0;

/// Where the straight end of a region leads.
#[derive(Clone, Copy)]
enum Leave<'a> {
    /// End of an If side, with the If's results, and whether invocations may take different sides.
    If(&'a [Value], bool),
    /// End of a Block or a Switch arm.
    Label(Label),
    /// A loop body or the kernel: regions that do not yield.
    Never,
}

struct Build<'u, 'a> {
    uniformity: &'u Uniformity,
    exits: HashMap<usize, Vec<Exit>>,
    /// Constructs that contain a workgroup barrier, by address; `ROOT` for the kernel.
    barriers: HashSet<usize>,
    sites: Vec<Sites>,
    loops_open: Vec<u32>,
    loops: u32,
    stretches: u32,
    split: bool,
    results: Vec<&'a [Value]>,
    params: Vec<&'a [Value]>,
}

impl<'a> Build<'_, 'a> {
    /// Collects exits, barriers and sites. Returns the exits and whether there is a barrier.
    fn collect(&mut self, region: &Region, yields_to: Option<Label>) -> (Vec<Exit>, bool) {
        let mut out: Vec<Exit> = Vec::new();
        let mut barrier = false;
        for inst in &region.insts {
            let mut inner: Vec<Exit> = Vec::new();
            let mut merge = |(exits, b): (Vec<Exit>, bool), own: Option<Label>| {
                for e in exits {
                    let is_own = matches!((e, own), (Exit::Break(l) | Exit::Continue(l), Some(o)) if l == o);
                    if !is_own && !inner.contains(&e) {
                        inner.push(e);
                    }
                }
                b
            };
            let inside = match &inst.op {
                Op::If { then, els, .. } => {
                    let a = self.collect(then, None);
                    let b = self.collect(els, None);
                    merge(a, None) | merge(b, None)
                }
                Op::Switch { label, cases, .. } => {
                    self.loops_open[label.index()] = self.loops;
                    let mut any = false;
                    for case in cases {
                        let c = self.collect(&case.body, Some(*label));
                        any |= merge(c, Some(*label));
                    }
                    any
                }
                Op::Loop { label, body, .. } => {
                    self.loops_open[label.index()] = self.loops;
                    self.loops += 1;
                    let c = self.collect(body, None);
                    self.loops -= 1;
                    merge(c, Some(*label))
                }
                Op::Block { label, body } => {
                    self.loops_open[label.index()] = self.loops;
                    let c = self.collect(body, Some(*label));
                    merge(c, Some(*label))
                }
                Op::ControlBarrier { scope, .. } => {
                    barrier |= is_workgroup(*scope);
                    false
                }
                Op::Break(label, _) => {
                    self.break_site(*label);
                    inner.push(Exit::Break(*label));
                    false
                }
                Op::Continue(label, _) => {
                    let site = &mut self.sites[label.index()];
                    site.continues += 1;
                    site.continue_repeats |= self.loops > self.loops_open[label.index()] + 1;
                    inner.push(Exit::Continue(*label));
                    false
                }
                Op::Yield(_) => {
                    if let Some(label) = yields_to {
                        self.break_site(label);
                    }
                    false
                }
                Op::Return => {
                    inner.push(Exit::Return);
                    false
                }
                _ => false,
            };
            for &e in &inner {
                if !out.contains(&e) {
                    out.push(e);
                }
            }
            if inst.op.region_count() > 0 {
                self.exits.insert(key(inst), inner);
                if inside {
                    self.barriers.insert(key(inst));
                    barrier = true;
                }
            }
        }
        if barrier && self.loops == 0 {
            self.barriers.insert(ROOT);
        }
        (out, barrier)
    }

    fn break_site(&mut self, label: Label) {
        let site = &mut self.sites[label.index()];
        site.breaks += 1;
        site.break_repeats |= self.loops > self.loops_open[label.index()];
    }

    /// Whether all invocations of a workgroup leave that way together.
    fn together(&self, exit: Exit) -> bool {
        match exit {
            Exit::Break(l) | Exit::Continue(l) => label_together(self.uniformity, l),
            Exit::Return => self.uniformity.return_join() <= Level::Workgroup,
        }
    }

    fn region(&mut self, region: &'a Region, leave: Leave<'a>) -> WRegion<'a> {
        let mut nodes = Vec::new();
        let mut start = 0;
        let apart = |v: Value| self.uniformity.value(v) > Level::Workgroup;
        let moves = |to: &[Value], from: &[Value]| to.iter().copied().zip(from.iter().copied()).collect::<Moves>();
        for (at, inst) in region.insts.iter().enumerate() {
            if inst.op.is_terminator() {
                let blend = matches!((leave, &inst.op), (Leave::If(_, true), Op::Yield(_)));
                let (end, exit, moved) = match &inst.op {
                    Op::Yield(args) => match leave {
                        Leave::If(results, _) => (WEnd::Yield, None, moves(results, args)),
                        Leave::Label(l) => (WEnd::Yield, Some(Exit::Break(l)), moves(self.results[l.index()], args)),
                        Leave::Never => (WEnd::Yield, None, Moves::new()),
                    },
                    Op::Break(l, args) => {
                        (WEnd::Break(*l), Some(Exit::Break(*l)), moves(self.results[l.index()], args))
                    }
                    Op::Continue(l, args) => {
                        (WEnd::Continue(*l), Some(Exit::Continue(*l)), moves(self.params[l.index()], args))
                    }
                    Op::Return => (WEnd::Return, Some(Exit::Return), Moves::new()),
                    // Nobody comes there.
                    _ => (WEnd::Return, None, Moves::new()),
                };
                if exit.is_some_and(|e| !self.together(e)) {
                    self.flush(&mut nodes, &region.insts[start..=at], Moves::new(), false);
                    return WRegion { nodes, end: WEnd::Apart };
                }
                self.flush(&mut nodes, &region.insts[start..at], moved, blend);
                return WRegion { nodes, end };
            }
            if inst.op.region_count() == 0 {
                // A barrier ends a stretch; it stays the last instruction of it for its memory semantics.
                if matches!(&inst.op, Op::ControlBarrier { scope, .. } if is_workgroup(*scope)) {
                    self.flush(&mut nodes, &region.insts[start..=at], Moves::new(), false);
                    start = at + 1;
                }
                continue;
            }
            let own = self.barriers.contains(&key(inst))
                || self.exits.get(&key(inst)).is_some_and(|exits| exits.iter().any(|e| self.together(*e)));
            if !own {
                continue;
            }
            let before = &region.insts[start..at];
            start = at + 1;
            match &inst.op {
                Op::If { cond, then, els } => {
                    let apart = apart(*cond);
                    self.flush(&mut nodes, before, Moves::new(), false);
                    let then = self.region(then, Leave::If(&inst.results, apart));
                    let els = self.region(els, Leave::If(&inst.results, apart));
                    nodes.push(Node::If { inst, cond: *cond, apart, then, els });
                }
                Op::Switch { label, selector, cases } => {
                    self.results[label.index()] = &inst.results;
                    let apart = apart(*selector);
                    self.flush(&mut nodes, before, Moves::new(), false);
                    let mut entries = Vec::new();
                    let mut bodies = Vec::new();
                    for case in cases {
                        entries.push(self.stretch(&[], moves(&case.body.params, &case.init), false));
                        bodies.push(self.region(&case.body, Leave::Label(*label)));
                    }
                    nodes.push(Node::Switch {
                        inst,
                        label: *label,
                        selector: *selector,
                        apart,
                        cases,
                        entries,
                        bodies,
                    });
                }
                Op::Loop { label, init, body } => {
                    self.results[label.index()] = &inst.results;
                    self.params[label.index()] = &body.params;
                    self.flush(&mut nodes, before, moves(&body.params, init), false);
                    let body = self.region(body, Leave::Never);
                    nodes.push(Node::Loop { inst, label: *label, body });
                }
                Op::Block { label, body } => {
                    self.results[label.index()] = &inst.results;
                    self.flush(&mut nodes, before, Moves::new(), false);
                    let body = self.region(body, Leave::Label(*label));
                    nodes.push(Node::Block { inst, label: *label, body });
                }
                _ => {}
            }
        }
        WRegion { nodes, end: WEnd::Return }
    }

    fn stretch(&mut self, insts: &'a [Inst], moves: Moves, blend: bool) -> Stretch<'a> {
        let workgroup = |v: Value| self.uniformity.value(v) <= Level::Workgroup;
        let scalar = moves.iter().all(|(to, from)| workgroup(*to) && workgroup(*from))
            && insts.iter().all(|i| {
                let pure = match &i.op {
                    Op::Const(_) | Op::Alu { .. } | Op::Builtin(_) | Op::Buffer(_) | Op::BufferSize(_) => true,
                    Op::Load { access, .. } => !access.volatile && !access.atomic,
                    _ => false,
                };
                pure && i.results.iter().all(|r| workgroup(*r))
            });
        Stretch { insts, moves, blend, scalar, live_in: Vec::new() }
    }

    fn flush(&mut self, nodes: &mut Vec<Node<'a>>, insts: &'a [Inst], moves: Moves, blend: bool) {
        if !insts.is_empty() || !moves.is_empty() {
            let stretch = self.stretch(insts, moves, blend);
            self.stretches += u32::from(!stretch.scalar);
            nodes.push(Node::Stretch(stretch));
        }
    }
}

/// Whether everyone meets at the joins of a label together.
pub fn label_together(uniformity: &Uniformity, label: Label) -> bool {
    uniformity.break_join(label) <= Level::Workgroup && uniformity.continue_join(label) <= Level::Workgroup
}

fn is_workgroup(scope: MemoryScope) -> bool {
    match scope {
        MemoryScope::Workgroup | MemoryScope::QueueFamily | MemoryScope::Device => true,
        MemoryScope::Invocation | MemoryScope::Subgroup => false,
    }
}
