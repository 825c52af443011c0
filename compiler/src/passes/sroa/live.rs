//! Where variables are live, over the region tree.

use super::{Element, Vars};
use crate::passes::bits::Bits;
use crate::sir::{Addr, Inst, Kernel, Label, Op, Region};

/// What the rewriting needs to know of a control construct.
pub struct Node {
    /// Variables stored to inside.
    modified: Bits,
    /// Loop: live at the start of an iteration, as far as known.
    header: Bits,
    /// Variables that become results.
    pub results: Vec<u32>,
    /// Variables that become parameters, per region.
    pub params: Vec<Vec<u32>>,
    /// Constructs nested directly, per region.
    pub regions: Vec<Vec<Node>>,
}

/// Finds out which variables have to pass through which construct.
pub fn analyse(kernel: &Kernel, vars: &Vars) -> Vec<Node> {
    let n = vars.types.len();
    let a = Builder { kernel, vars, n };
    let (mut nodes, _) = a.region(&kernel.body);
    // Without the values that flow back into loops first; what is live at their start then flows back in the second
    // round. With the sets of all enclosing exits added, one further round is enough (see `Walker::construct`).
    for last in [false, true] {
        let mut w = Walker { kernel, vars, n, last, scopes: Vec::new() };
        w.region(&kernel.body, &mut nodes, &Bits::new(n));
    }
    nodes
}

/// The variables that an operation loads and stores, in the order of the elements.
fn touched(kernel: &Kernel, vars: &Vars, inst: &Inst, f: &mut dyn FnMut(u32, bool)) {
    let (slot, imm, ty, count, store) = match &inst.op {
        Op::Load { addr: Addr::Slot { slot, off: None, imm }, .. } => {
            (*slot, *imm, kernel.ty(inst.results[0]), inst.results.len(), false)
        }
        Op::Store { addr: Addr::Slot { slot, off: None, imm }, values, .. } => {
            (*slot, *imm, kernel.ty(values[0]), values.len(), true)
        }
        _ => return,
    };
    for i in 0..count {
        if let Element::Var(v) = vars.element(kernel, slot, imm, i, ty.bytes()) {
            f(v, store);
        }
    }
}

struct Builder<'a> {
    kernel: &'a Kernel,
    vars: &'a Vars,
    n: usize,
}

impl Builder<'_> {
    fn region(&self, region: &Region) -> (Vec<Node>, Bits) {
        let mut modified = Bits::new(self.n);
        let mut nodes = Vec::new();
        for inst in &region.insts {
            if !inst.op.is_control() {
                touched(self.kernel, self.vars, inst, &mut |v, store| {
                    if store {
                        modified.insert(v);
                    }
                });
                continue;
            }
            let mut inside = Bits::new(self.n);
            let mut regions = Vec::new();
            inst.op.for_each_region(&mut |r| {
                let (nodes, m) = self.region(r);
                inside.union(&m);
                regions.push(nodes);
            });
            modified.union(&inside);
            nodes.push(Node {
                modified: inside,
                header: Bits::new(self.n),
                results: Vec::new(),
                params: vec![Vec::new(); regions.len()],
                regions,
            });
        }
        (nodes, modified)
    }
}

/// An enclosing construct, with what is live where its exits lead.
struct Scope {
    label: Option<Label>,
    /// Behind the construct.
    exit: Bits,
    /// Loop: at the start of the next iteration. Switch: at the start of the next arm.
    again: Bits,
    is_switch: bool,
    /// Everything live at any exit that can be reached from inside.
    reachable: Bits,
}

struct Walker<'a> {
    kernel: &'a Kernel,
    vars: &'a Vars,
    n: usize,
    last: bool,
    scopes: Vec<Scope>,
}

impl Walker<'_> {
    /// What is live at the start of a region when `end` is live behind its `Yield`.
    fn region(&mut self, region: &Region, nodes: &mut [Node], end: &Bits) -> Bits {
        let mut live = Bits::new(self.n);
        let mut nodes = nodes.iter_mut().rev();
        for inst in region.insts.iter().rev() {
            match &inst.op {
                Op::Yield(_) => live = end.clone(),
                Op::Break(l, _) => {
                    if let Some(s) = self.scopes.iter().rev().find(|s| s.label == Some(*l)) {
                        live = s.exit.clone();
                    }
                }
                Op::Continue(l, _) => {
                    if let Some(s) = self.scopes.iter().rev().find(|s| s.label == Some(*l)) {
                        live = s.again.clone();
                    }
                }
                Op::Fallthrough(_) => {
                    if let Some(s) = self.scopes.iter().rev().find(|s| s.is_switch) {
                        live = s.again.clone();
                    }
                }
                op if op.is_control() => {
                    if let Some(node) = nodes.next() {
                        live = self.construct(inst, node, live);
                    }
                }
                _ => touched(self.kernel, self.vars, inst, &mut |v, store| {
                    if store {
                        live.remove(v);
                    } else {
                        live.insert(v);
                    }
                }),
            }
        }
        live
    }

    fn construct(&mut self, inst: &Inst, node: &mut Node, after: Bits) -> Bits {
        node.results = node.modified.common(&after);
        let mut reachable = after.clone();
        if let Some(s) = self.scopes.last() {
            reachable.union(&s.reachable);
        }
        let scope = |label, again: Bits, is_switch, reachable: Bits| Scope {
            label,
            exit: after.clone(),
            again,
            is_switch,
            reachable,
        };
        match &inst.op {
            Op::If { then, els, .. } => {
                let (first, second) = node.regions.split_at_mut(1);
                let mut live = self.region(then, &mut first[0], &after);
                live.union(&self.region(els, &mut second[0], &after));
                live
            }
            Op::Block { label, body } => {
                self.scopes.push(scope(Some(*label), Bits::new(self.n), false, reachable));
                let live = self.region(body, &mut node.regions[0], &after);
                self.scopes.pop();
                live
            }
            Op::Loop { label, body, .. } => {
                let mut again = Bits::new(self.n);
                if self.last {
                    // The first round did not know what is live behind the loop's exits and at the start of outer
                    // loops; all of that is taken to be live here, which is more than enough.
                    again.union(&node.header);
                    again.union(&reachable);
                }
                reachable.union(&again);
                self.scopes.push(scope(Some(*label), again, false, reachable));
                let live = self.region(body, &mut node.regions[0], &Bits::new(self.n));
                self.scopes.pop();
                node.params[0] = node.modified.common(&live);
                node.header = live.clone();
                live
            }
            Op::Switch { label, cases, .. } => {
                self.scopes.push(scope(Some(*label), Bits::new(self.n), true, reachable));
                let mut live = Bits::new(self.n);
                for (i, c) in cases.iter().enumerate().rev() {
                    let arm = self.region(&c.body, &mut node.regions[i], &after);
                    node.params[i] = if i > 0 && falls_through(&cases[i - 1].body) {
                        node.modified.common(&arm)
                    } else {
                        Vec::new()
                    };
                    live.union(&arm);
                    if let Some(s) = self.scopes.last_mut() {
                        s.reachable.union(&arm);
                        s.again = arm;
                    }
                }
                self.scopes.pop();
                live
            }
            _ => after,
        }
    }
}

/// Whether an arm has a `Fallthrough`.
fn falls_through(region: &Region) -> bool {
    region.insts.iter().any(|i| match &i.op {
        Op::Fallthrough(_) => true,
        Op::If { then, els, .. } => falls_through(then) || falls_through(els),
        Op::Block { body, .. } => falls_through(body),
        _ => false,
    })
}
