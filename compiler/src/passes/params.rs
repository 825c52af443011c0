//! Region parameters and results that always have the same value are replaced by it. Their places in the argument
//! lists are left to dead code elimination.

use crate::sir::visit::Subst;
use crate::sir::{Kernel, Label, Op, Region, Value};

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let mut changed = false;
    // Replaced values stay where they are until they are eliminated; they must not be replaced again.
    let mut done = vec![false; kernel.types.len()];
    loop {
        let mut body = std::mem::take(&mut kernel.body);
        let n = kernel.types.len();
        let mut p = Params {
            subst: Subst::new(kernel),
            order: vec![0; n],
            next: 1,
            consts: vec![None; n],
            scopes: Vec::new(),
            done,
        };
        p.region(&mut body);
        let again = p.subst.is_used();
        p.subst.apply_region(&mut body);
        done = p.done;
        kernel.body = body;
        if !again {
            return changed;
        }
        changed = true;
    }
}

/// The values that may arrive at a parameter or result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Incoming {
    None,
    One(Value),
    Many,
}

struct Scope {
    label: Option<Label>,
    is_switch: bool,
    results: Vec<Incoming>,
    /// Loop: of its parameters. Switch: of the next arm's.
    params: Vec<Incoming>,
    /// The parameters themselves: what flows round in a loop unchanged does not count.
    own: Vec<Value>,
}

struct Params {
    subst: Subst,
    /// Position of each definition; smaller is earlier.
    order: Vec<u32>,
    next: u32,
    /// Bits of constants: equal ones count as one value.
    consts: Vec<Option<u64>>,
    scopes: Vec<Scope>,
    done: Vec<bool>,
}

impl Params {
    fn define(&mut self, v: Value) {
        self.order[v.index()] = self.next;
        self.next += 1;
    }

    fn arrive(&mut self, scope: usize, results: bool, args: &[Value]) {
        let s = &mut self.scopes[scope];
        let list = if results { &mut s.results } else { &mut s.params };
        for (i, (slot, &a)) in list.iter_mut().zip(args).enumerate() {
            if !results && s.own.get(i) == Some(&a) {
                continue;
            }
            *slot = match *slot {
                Incoming::None => Incoming::One(a),
                Incoming::One(v) if v == a => Incoming::One(v),
                Incoming::One(v)
                    if self.consts[v.index()].is_some() && self.consts[v.index()] == self.consts[a.index()] =>
                {
                    // The earlier definition is the one that may be visible outside.
                    Incoming::One(if self.order[v.index()] <= self.order[a.index()] { v } else { a })
                }
                Incoming::One(_) | Incoming::Many => Incoming::Many,
            };
        }
    }

    fn region(&mut self, region: &mut Region) {
        for &p in &region.params {
            self.define(p);
        }
        for inst in &mut region.insts {
            self.subst.apply(&mut inst.op);
            if let Op::Const(bits) = inst.op {
                self.consts[inst.results[0].index()] = Some(bits);
            }
            match &inst.op {
                Op::Yield(args) => {
                    if let Some(top) = self.scopes.len().checked_sub(1) {
                        self.arrive(top, true, args);
                    }
                }
                Op::Break(l, args) => {
                    if let Some(i) = self.scopes.iter().rposition(|s| s.label == Some(*l)) {
                        self.arrive(i, true, args);
                    }
                }
                Op::Continue(l, args) => {
                    if let Some(i) = self.scopes.iter().rposition(|s| s.label == Some(*l)) {
                        self.arrive(i, false, args);
                    }
                }
                Op::Fallthrough(args) => {
                    if let Some(i) = self.scopes.iter().rposition(|s| s.is_switch) {
                        self.arrive(i, false, args);
                    }
                }
                _ => {}
            }
            if inst.op.is_control() {
                self.construct(&mut inst.op, &inst.results);
            }
            for &r in &inst.results {
                self.define(r);
            }
        }
    }

    fn construct(&mut self, op: &mut Op, results: &[Value]) {
        let start = self.next;
        self.scopes.push(Scope {
            label: op.defined_label(),
            is_switch: matches!(op, Op::Switch { .. }),
            results: vec![Incoming::None; results.len()],
            params: Vec::new(),
            own: Vec::new(),
        });
        let top = self.scopes.len() - 1;
        match op {
            Op::Loop { init, body, .. } => {
                self.scopes[top].own.clone_from(&body.params);
                self.scopes[top].params = init.iter().map(|&v| Incoming::One(v)).collect();
                self.region(body);
                self.settle(&body.params, top, start);
            }
            Op::Switch { cases, .. } => {
                let mut arriving: Vec<Incoming> = Vec::new();
                let params: Vec<Vec<Value>> = cases.iter().map(|c| c.body.params.clone()).collect();
                for (i, c) in cases.iter_mut().enumerate() {
                    // What falls into this arm is known: the arm before has been walked.
                    self.scopes[top].params = std::mem::take(&mut arriving);
                    self.scopes[top].params.resize(c.init.len(), Incoming::None);
                    self.arrive(top, false, &c.init);
                    self.settle(&c.body.params, top, start);
                    let next = params.get(i + 1).map_or(0, Vec::len);
                    self.scopes[top].params = vec![Incoming::None; next];
                    self.region(&mut c.body);
                    arriving = std::mem::take(&mut self.scopes[top].params);
                }
            }
            op => op.for_each_region_mut(&mut |r| self.region(r)),
        }
        if let Some(s) = self.scopes.pop() {
            self.replace(results, &s.results, start);
        }
    }

    fn settle(&mut self, params: &[Value], top: usize, start: u32) {
        let incoming = std::mem::take(&mut self.scopes[top].params);
        self.replace(params, &incoming, start);
    }

    /// Replaces values at which one value arrives that is defined before position `start`.
    fn replace(&mut self, values: &[Value], incoming: &[Incoming], start: u32) {
        for (&v, inc) in values.iter().zip(incoming) {
            if let Incoming::One(by) = *inc {
                let by = self.subst.get(by);
                let defined = self.order[by.index()];
                if by != v && defined != 0 && defined < start && !self.done[v.index()] {
                    self.done[v.index()] = true;
                    self.subst.replace(v, by);
                }
            }
        }
    }
}
