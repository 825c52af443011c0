//! Dead code elimination by marking what is needed, starting from effects.
//!
//! Region results and parameters count as needed only when something needed reads them, so that values that merely
//! circulate through a loop go away with their parameter.

use crate::hash::HashMap;
use crate::sir::{Addr, Inst, Kernel, Label, Op, Region, Value};
use smallvec::SmallVec;

/// Where a value comes from.
#[derive(Clone, Copy, Debug)]
enum Def {
    None,
    /// Result `.1` of instruction `.0`.
    Result(u32, u32),
    /// Parameter `.2` of region `.1` of instruction `.0`.
    Param(u32, u32, u32),
}

/// What the marking needs to know of one instruction.
#[derive(Default)]
struct Node {
    /// Enclosing instruction.
    parent: Option<u32>,
    live: bool,
    is_control: bool,
    /// Control: has exits that leave it, or a loop without end, or is needed for its effects.
    exits: bool,
    /// Condition or selector of control, all operands of others.
    operands: SmallVec<[Value; 4]>,
    /// Directly nested control instructions with exits.
    children: Vec<u32>,
    /// For each result of control: the values that may arrive.
    incoming: Vec<Vec<Value>>,
    /// For each region and parameter: the values that may arrive.
    params: Vec<Vec<Vec<Value>>>,
}

struct Marker {
    nodes: Vec<Node>,
    defs: Vec<Def>,
    work: Vec<Value>,
    /// Slots that something reads.
    read: Vec<bool>,
    roots: Vec<u32>,
}

/// An enclosing construct during the walk.
struct Scope {
    id: u32,
    label: Option<Label>,
    is_switch: bool,
    is_loop: bool,
    /// Arm of a switch that is being walked.
    arm: usize,
}

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let mut m = Marker {
        nodes: Vec::new(),
        defs: vec![Def::None; kernel.types.len()],
        work: Vec::new(),
        read: vec![false; kernel.slots.len()],
        roots: Vec::new(),
    };
    kernel.body.walk(&mut |inst| {
        if let (Some(slot), false) = (inst.op.slot(), is_plain_slot_store(&inst.op)) {
            m.read[slot.index()] = true;
        }
    });
    m.collect(&kernel.body, None, &mut Vec::new());
    m.mark();
    let mut sweep =
        Sweep { nodes: &m.nodes, live: &m.live_values(), next: 0, changed: false, kept: HashMap::default() };
    let mut body = std::mem::take(&mut kernel.body);
    sweep.region(&mut body, &mut Vec::new());
    let changed = sweep.changed;
    kernel.body = body;
    changed
}

/// A store that matters only if somebody reads the slot.
fn is_plain_slot_store(op: &Op) -> bool {
    matches!(op, Op::Store { addr: Addr::Slot { .. }, access, .. } if !access.volatile)
}

impl Marker {
    fn collect(&mut self, region: &Region, parent: Option<u32>, scopes: &mut Vec<Scope>) {
        for inst in &region.insts {
            let id = self.nodes.len() as u32;
            let mut node = Node { parent, is_control: inst.op.is_control(), ..Node::default() };
            for (i, &r) in inst.results.iter().enumerate() {
                self.defs[r.index()] = Def::Result(id, i as u32);
            }
            match &inst.op {
                Op::If { cond, .. } => node.operands.push(*cond),
                Op::Switch { selector, cases, .. } => {
                    node.operands.push(*selector);
                    node.params = cases.iter().map(|c| c.init.iter().map(|&v| vec![v]).collect()).collect();
                }
                Op::Loop { init, label, body } => {
                    node.params = vec![init.iter().map(|&v| vec![v]).collect()];
                    // A loop that nothing leaves stays: what follows must not be reached.
                    node.exits = !leaves(body, *label);
                    if node.exits {
                        self.leave(scopes, 0);
                    }
                }
                Op::Block { .. } => {}
                Op::Yield(args) => {
                    if let Some(s) = scopes.last() {
                        self.arrive(s.id, args);
                    }
                }
                Op::Break(label, args) => {
                    if let Some(i) = scopes.iter().rposition(|s| s.label == Some(*label)) {
                        self.arrive(scopes[i].id, args);
                        self.leave(scopes, i + 1);
                    }
                }
                Op::Continue(label, args) => {
                    if let Some(i) = scopes.iter().rposition(|s| s.label == Some(*label)) {
                        self.arrive_params(scopes[i].id, 0, args);
                        self.leave(scopes, i + 1);
                    }
                }
                Op::Fallthrough(args) => {
                    if let Some(i) = scopes.iter().rposition(|s| s.is_switch || s.is_loop) {
                        self.arrive_params(scopes[i].id, scopes[i].arm + 1, args);
                        self.leave(scopes, i + 1);
                    }
                }
                Op::Return | Op::Unreachable => {
                    if inst.op == Op::Return {
                        self.leave(scopes, 0);
                    }
                }
                op => op.for_each_operand(&mut |v| node.operands.push(v)),
            }
            node.incoming = if node.is_control { vec![Vec::new(); inst.results.len()] } else { Vec::new() };
            let root = inst.op.effects().keep
                && !inst.op.is_terminator()
                && !(is_plain_slot_store(&inst.op) && inst.op.slot().is_some_and(|s| !self.read[s.index()]));
            if root {
                self.roots.push(id);
            }
            let control = node.is_control;
            self.nodes.push(node);
            if !control {
                continue;
            }
            if let Some(p) = parent {
                self.nodes[p as usize].children.push(id);
            }
            scopes.push(Scope {
                id,
                label: inst.op.defined_label(),
                is_switch: matches!(inst.op, Op::Switch { .. }),
                is_loop: matches!(inst.op, Op::Loop { .. }),
                arm: 0,
            });
            let mut arm = 0;
            inst.op.for_each_region(&mut |r| {
                if let Some(s) = scopes.last_mut() {
                    s.arm = arm;
                }
                for (i, &p) in r.params.iter().enumerate() {
                    self.defs[p.index()] = Def::Param(id, arm as u32, i as u32);
                }
                self.collect(r, Some(id), scopes);
                arm += 1;
            });
            scopes.pop();
            if parent.is_none() && self.nodes[id as usize].exits {
                self.roots.push(id);
            }
        }
    }

    fn arrive(&mut self, id: u32, args: &[Value]) {
        let node = &mut self.nodes[id as usize];
        node.incoming.iter_mut().zip(args).for_each(|(list, &v)| list.push(v));
    }

    fn arrive_params(&mut self, id: u32, region: usize, args: &[Value]) {
        if let Some(params) = self.nodes[id as usize].params.get_mut(region) {
            params.iter_mut().zip(args).for_each(|(list, &v)| list.push(v));
        }
    }

    /// All scopes from `from` on are left by an exit.
    fn leave(&mut self, scopes: &[Scope], from: usize) {
        for s in &scopes[from..] {
            self.nodes[s.id as usize].exits = true;
        }
    }

    fn mark(&mut self) {
        for id in std::mem::take(&mut self.roots) {
            self.mark_inst(id);
        }
        let mut seen = vec![false; self.defs.len()];
        while let Some(v) = self.work.pop() {
            if std::mem::replace(&mut seen[v.index()], true) {
                continue;
            }
            match self.defs[v.index()] {
                Def::None => {}
                Def::Result(id, i) => {
                    self.mark_inst(id);
                    if let Some(list) = self.nodes[id as usize].incoming.get_mut(i as usize) {
                        self.work.append(list);
                    }
                }
                Def::Param(id, region, i) => {
                    let params = &mut self.nodes[id as usize].params;
                    self.work.append(&mut params[region as usize][i as usize]);
                }
            }
        }
        // The work list is empty: remember what was seen for the sweep.
        self.defs.iter_mut().zip(&seen).filter(|(_, s)| !**s).for_each(|(d, _)| *d = Def::None);
    }

    fn mark_inst(&mut self, id: u32) {
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            let node = &mut self.nodes[id as usize];
            if std::mem::replace(&mut node.live, true) {
                continue;
            }
            self.work.extend_from_slice(&node.operands);
            todo.extend(node.parent);
            let children = std::mem::take(&mut node.children);
            todo.extend(children.into_iter().filter(|&c| self.nodes[c as usize].exits));
        }
    }

    /// Whether each value is needed.
    fn live_values(&self) -> Vec<bool> {
        self.defs.iter().map(|d| !matches!(d, Def::None)).collect()
    }
}

/// Whether something in a loop's body may leave the loop.
fn leaves(body: &Region, label: Label) -> bool {
    let mut inner: Vec<Label> = Vec::new();
    let mut found = false;
    body.walk(&mut |i| inner.extend(i.op.defined_label()));
    let inner: crate::hash::HashSet<Label> = inner.into_iter().collect();
    body.walk(&mut |i| {
        found |= match &i.op {
            Op::Break(l, _) => *l == label || !inner.contains(l),
            Op::Continue(l, _) => *l != label && !inner.contains(l),
            Op::Return => true,
            _ => false,
        }
    });
    found
}

struct Sweep<'a> {
    nodes: &'a [Node],
    live: &'a [bool],
    next: usize,
    changed: bool,
    /// Which results of a labelled construct stay, and which parameters of a loop.
    kept: HashMap<Label, (Vec<bool>, Vec<bool>)>,
}

/// What `Yield` and `Fallthrough` refer to.
struct Around {
    results: Vec<bool>,
    next_arm: Option<Vec<bool>>,
    transparent: bool,
}

fn retain<T>(list: &mut Vec<T>, keep: &[bool]) {
    let mut i = 0;
    list.retain(|_| {
        i += 1;
        keep.get(i - 1).copied().unwrap_or(true)
    });
}

impl Sweep<'_> {
    fn keep(&self, values: &[Value]) -> Vec<bool> {
        values.iter().map(|v| self.live[v.index()]).collect()
    }

    fn region(&mut self, region: &mut Region, around: &mut Vec<Around>) {
        let insts = std::mem::take(&mut region.insts);
        let before = insts.len();
        for mut inst in insts {
            let id = self.next;
            self.next += 1;
            if inst.op.is_terminator() {
                self.terminator(&mut inst.op, around);
                region.insts.push(inst);
                continue;
            }
            if !self.nodes[id].live {
                self.next += nested(&inst);
                continue;
            }
            if inst.op.is_control() {
                self.control(&mut inst, around);
            }
            region.insts.push(inst);
        }
        self.changed |= region.insts.len() != before;
    }

    fn control(&mut self, inst: &mut Inst, around: &mut Vec<Around>) {
        let results = self.keep(&inst.results);
        self.changed |= results.contains(&false);
        let mut i = 0;
        inst.results.retain(|_| {
            i += 1;
            results[i - 1]
        });
        let params: Vec<Vec<bool>> = match &inst.op {
            Op::Loop { body, .. } => vec![self.keep(&body.params)],
            Op::Switch { cases, .. } => cases.iter().map(|c| self.keep(&c.body.params)).collect(),
            _ => Vec::new(),
        };
        self.changed |= params.iter().flatten().any(|k| !k);
        if let Some(l) = inst.op.defined_label() {
            self.kept.insert(l, (results.clone(), params.first().cloned().unwrap_or_default()));
        }
        match &mut inst.op {
            Op::Loop { init, body, .. } => {
                retain(init, &params[0]);
                retain(&mut body.params, &params[0]);
                around.push(Around { results, next_arm: None, transparent: false });
                self.region(body, around);
            }
            Op::Switch { cases, .. } => {
                around.push(Around { results, next_arm: None, transparent: false });
                for (i, c) in cases.iter_mut().enumerate() {
                    retain(&mut c.init, &params[i]);
                    retain(&mut c.body.params, &params[i]);
                    if let Some(a) = around.last_mut() {
                        a.next_arm = params.get(i + 1).cloned();
                    }
                    self.region(&mut c.body, around);
                }
            }
            op => {
                around.push(Around { results, next_arm: None, transparent: true });
                op.for_each_region_mut(&mut |r| self.region(r, around));
            }
        }
        around.pop();
    }

    fn terminator(&mut self, op: &mut Op, around: &[Around]) {
        match op {
            Op::Yield(args) => {
                if let Some(a) = around.last() {
                    retain(args, &a.results);
                }
            }
            Op::Break(label, args) => {
                if let Some((results, _)) = self.kept.get(label) {
                    retain(args, results);
                }
            }
            Op::Continue(label, args) => {
                if let Some((_, params)) = self.kept.get(label) {
                    retain(args, params);
                }
            }
            Op::Fallthrough(args) => {
                let switch = around.iter().rev().find(|a| !a.transparent);
                if let Some(params) = switch.and_then(|a| a.next_arm.as_ref()) {
                    retain(args, params);
                }
            }
            _ => {}
        }
    }
}

/// Instructions inside the regions of an instruction.
fn nested(inst: &Inst) -> usize {
    let mut n = 0;
    inst.op.for_each_region(&mut |r| n += r.size());
    n
}
