//! Which values live across the barriers that a plan splits a kernel at, and which of them are computed again.

use super::plan::{Node, Plan, Stretch, WRegion};
use compiler::hash::HashSet;
use compiler::sir::{AluOp, Inst, Kernel, Op, Region, Value};

/// Values that cost more operations than this are not computed again.
const REMAT_COST: u32 = 8;

/// Finds the values that are computed again instead of kept.
pub fn remat_values<'a>(kernel: &'a Kernel, out: &mut [Option<&'a Inst>]) {
    let mut cost = vec![u32::MAX; kernel.types.len()];
    remat_region(&kernel.body, &mut cost, out);
}

fn remat_region<'a>(region: &'a Region, cost: &mut [u32], out: &mut [Option<&'a Inst>]) {
    for inst in &region.insts {
        let cheap = match &inst.op {
            Op::Const(_) | Op::Builtin(_) => true,
            Op::Buffer(_) | Op::BufferSize(_) => true,
            Op::Alu { op, .. } => !expensive(*op),
            _ => false,
        };
        if cheap {
            let mut sum = u32::from(!matches!(inst.op, Op::Const(_)));
            inst.op.for_each_operand(&mut |v| sum = sum.saturating_add(cost[v.index()]));
            if sum <= REMAT_COST {
                for r in &inst.results {
                    cost[r.index()] = sum;
                    out[r.index()] = Some(inst);
                }
            }
        }
        match &inst.op {
            Op::If { then, els, .. } => {
                remat_region(then, cost, out);
                remat_region(els, cost, out);
            }
            Op::Switch { cases, .. } => cases.iter().for_each(|c| remat_region(&c.body, cost, out)),
            Op::Loop { body, .. } | Op::Block { body, .. } => remat_region(body, cost, out),
            _ => {}
        }
    }
}

fn expensive(op: AluOp) -> bool {
    matches!(
        op,
        AluOp::UDiv
            | AluOp::SDiv
            | AluOp::URem
            | AluOp::SRem
            | AluOp::SMod
            | AluOp::FDiv
            | AluOp::FSqrt
            | AluOp::FRem
            | AluOp::FMod
    )
}

/// Fills in what the stretches of a plan read and which values are kept.
pub fn fill_in(plan: &mut Plan<'_>) {
    let mut home = vec![0u32; plan.spill.len()];
    let mut number = 0;
    homes(&plan.root, &mut number, &mut home);
    Live { home: &home, remat: &plan.remat, spill: &mut plan.spill }.region(&mut plan.root);
}

/// Numbers the stretches; `home` of a value is the number of the stretch that defines it at its top level, 0 otherwise.
fn homes(region: &WRegion<'_>, number: &mut u32, home: &mut [u32]) {
    for node in &region.nodes {
        match node {
            Node::Stretch(s) => {
                *number += 1;
                for inst in s.insts {
                    for r in &inst.results {
                        home[r.index()] = *number;
                    }
                }
            }
            Node::If { then, els, .. } => {
                homes(then, number, home);
                homes(els, number, home);
            }
            Node::Switch { bodies, .. } => bodies.iter().for_each(|b| homes(b, number, home)),
            Node::Loop { body, .. } | Node::Block { body, .. } => homes(body, number, home),
        }
    }
}

/// Finds what stretches read, and marks what has to be kept for it.
struct Live<'p> {
    home: &'p [u32],
    remat: &'p [Option<&'p Inst>],
    spill: &'p mut [bool],
}

impl Live<'_> {
    fn want(&mut self, v: Value) {
        if self.home[v.index()] == 0 {
            return;
        }
        match self.remat[v.index()] {
            // What it is computed from is constant or computed again, too.
            Some(_) => {}
            None => self.spill[v.index()] = true,
        }
    }

    fn stretch(&mut self, s: &mut Stretch<'_>) {
        let mut seen = HashSet::default();
        let mut defined = HashSet::default();
        let mut live = Vec::new();
        for inst in s.insts {
            collect_free(inst, &mut defined, &mut seen, &mut live);
        }
        for v in s.moves.iter().map(|(_, from)| *from) {
            if !defined.contains(&v) && seen.insert(v) {
                live.push(v);
            }
        }
        for &v in &live {
            self.want(v);
        }
        s.live_in = live;
    }

    fn region(&mut self, region: &mut WRegion<'_>) {
        for node in &mut region.nodes {
            match node {
                Node::Stretch(s) => self.stretch(s),
                Node::If { cond, then, els, .. } => {
                    self.want(*cond);
                    self.region(then);
                    self.region(els);
                }
                Node::Switch { selector, entries, bodies, .. } => {
                    self.want(*selector);
                    entries.iter_mut().for_each(|s| self.stretch(s));
                    bodies.iter_mut().for_each(|b| self.region(b));
                }
                Node::Loop { body, .. } | Node::Block { body, .. } => self.region(body),
            }
        }
    }
}

/// Adds the values that an instruction reads and that are not defined in the stretch.
fn collect_free(inst: &Inst, defined: &mut HashSet<Value>, seen: &mut HashSet<Value>, live: &mut Vec<Value>) {
    inst.op.for_each_operand(&mut |v| {
        if !defined.contains(&v) && seen.insert(v) {
            live.push(v);
        }
    });
    let mut inner = |region: &Region| {
        defined.extend(region.params.iter().copied());
        for i in &region.insts {
            collect_free(i, defined, seen, live);
        }
    };
    match &inst.op {
        Op::If { then, els, .. } => {
            inner(then);
            inner(els);
        }
        Op::Switch { cases, .. } => cases.iter().for_each(|c| inner(&c.body)),
        Op::Loop { body, .. } | Op::Block { body, .. } => inner(body),
        _ => {}
    }
    defined.extend(inst.results.iter().copied());
}
