//! Loops whose number of iterations is known and small are written out.
//!
//! The number is found by evaluating, iteration by iteration, the condition of an If that stands on the way of every
//! iteration and breaks out of the loop. Iteration i becomes a Block whose results are the parameters of iteration
//! i + 1; the Break and Continue of the loop become Breaks. The condition turns into a constant and `fold` does the rest.

use super::lower_math;
use crate::hash::HashMap;
use crate::interp::alu::eval;
use crate::sir::visit::Cloner;
use crate::sir::{Addr, Inst, Kernel, Label, Op, Region, Type, Value};
use smallvec::SmallVec;

/// Most iterations and most instructions of a written-out loop that only saves the loop.
const SMALL: (usize, usize) = (16, 320);
/// The same for loops that index private memory, which can then become values.
const LARGE: (usize, usize) = (256, 12_000);
/// Kernels do not grow beyond this by unrolling.
const KERNEL: usize = 60_000;

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let mut body = std::mem::take(&mut kernel.body);
    let mut consts = HashMap::default();
    body.walk(&mut |i| {
        if let Op::Const(bits) = i.op {
            consts.insert(i.results[0], bits);
        }
    });
    let mut u = Unroll { size: body.size(), kernel, consts, changed: false };
    u.region(&mut body);
    let changed = u.changed;
    kernel.body = body;
    changed
}

struct Unroll<'k> {
    kernel: &'k mut Kernel,
    consts: HashMap<Value, u64>,
    size: usize,
    changed: bool,
}

impl Unroll<'_> {
    fn region(&mut self, region: &mut Region) {
        for inst in &mut region.insts {
            inst.op.for_each_region_mut(&mut |r| self.region(r));
            if let Op::Loop { label, init, body } = &inst.op {
                if let Some(n) = self.iterations(*label, init, body) {
                    self.changed = true;
                    inst.op = self.write_out(*label, init, body, n);
                }
            }
        }
    }

    /// Number of iterations that come before the one that leaves, if the loop is to be written out.
    fn iterations(&mut self, label: Label, init: &[Value], body: &Region) -> Option<usize> {
        let mut exits = Vec::new();
        exit_conditions(body, label, &mut exits);
        let size = body.size();
        let (most, most_insts) = if indexes_slots(body) { LARGE } else { SMALL };
        let most = most.min(most_insts / size.max(1)).min(KERNEL.saturating_sub(self.size) / size.max(1));
        let n = exits.iter().find_map(|&exit| Trip::new(self, label, init, body).count(exit, most))?;
        self.size += n * size;
        Some(n)
    }

    fn write_out(&mut self, label: Label, init: &[Value], body: &Region, n: usize) -> Op {
        let outer = self.kernel.label();
        let mut code = Vec::new();
        let mut params = init.to_vec();
        for i in 0..=n {
            let last = i == n;
            let here = self.kernel.label();
            let mut cloner = Cloner::default();
            for (&p, &v) in body.params.iter().zip(&params) {
                cloner.map(p, v);
            }
            let mut exit = |op: &mut Op| match op {
                Op::Break(l, _) if *l == label => *l = outer,
                // The last copy leaves before it could come here.
                Op::Continue(l, _) if *l == label && last => *op = Op::Unreachable,
                Op::Continue(l, args) if *l == label => *op = Op::Break(here, std::mem::take(args)),
                _ => {}
            };
            let insts = cloner.insts(self.kernel, &body.insts, &mut exit);
            if last {
                code.extend(insts);
            } else {
                params = body.params.iter().map(|&p| self.kernel.value(self.kernel.ty(p))).collect();
                let body = Region { params: Vec::new(), insts };
                code.push(Inst { results: SmallVec::from_slice(&params), op: Op::Block { label: here, body } });
            }
        }
        Op::Block { label: outer, body: Region { params: Vec::new(), insts: code } }
    }
}

/// Whether private memory is accessed at offsets that are no constants.
fn indexes_slots(body: &Region) -> bool {
    let mut found = false;
    body.walk(&mut |i| {
        found |= match &i.op {
            Op::Load { addr, .. } | Op::Store { addr, .. } => matches!(addr, Addr::Slot { off: Some(_), .. }),
            _ => false,
        };
    });
    found
}

/// A condition on the way of every iteration, and the value with which the loop is left.
#[derive(Clone, Copy)]
struct Exit {
    cond: Value,
    when: bool,
}

/// Collects the conditions of Ifs that every iteration comes to and that leave the loop on one side. False if
/// iterations may go on without coming to what follows the region.
fn exit_conditions(region: &Region, label: Label, exits: &mut Vec<Exit>) -> bool {
    let surely_leaves = |r: &Region| {
        matches!(r.terminator(), Some(Op::Break(l, _)) if *l == label)
            && !r.insts.iter().any(|i| i.op.is_control() && may_bypass(&i.op, label))
    };
    for inst in &region.insts {
        match &inst.op {
            Op::If { cond, then, els } => {
                for (side, when) in [(then, true), (els, false)] {
                    if surely_leaves(side) {
                        exits.push(Exit { cond: *cond, when });
                    }
                }
            }
            // Its own exits only lead behind it.
            Op::Block { body, .. } => {
                exit_conditions(body, label, exits);
            }
            _ => {}
        }
        if inst.op.is_control() && may_bypass(&inst.op, label) {
            return false;
        }
    }
    true
}

/// Whether code may continue the loop, or leave to a label outside of itself other than the loop's.
fn may_bypass(op: &Op, label: Label) -> bool {
    let mut inner = Vec::new();
    inner.extend(op.defined_label());
    op.for_each_region(&mut |r| r.walk(&mut |i| inner.extend(i.op.defined_label())));
    let mut found = false;
    op.for_each_region(&mut |r| {
        r.walk(&mut |i| {
            found |= match &i.op {
                Op::Continue(l, _) => !inner.contains(l),
                Op::Break(l, _) => *l != label && !inner.contains(l),
                Op::Fallthrough(_) => !matches!(op, Op::Switch { .. } | Op::Loop { .. }),
                _ => false,
            };
        });
    });
    found
}

/// Evaluates a loop's counters.
struct Trip<'a> {
    kernel: &'a Kernel,
    consts: &'a HashMap<Value, u64>,
    body: &'a Region,
    /// Lane-wise operations in the body.
    defs: HashMap<Value, &'a Op>,
    /// What each parameter becomes; absent if the Continues differ.
    next: Vec<Option<Value>>,
    env: HashMap<Value, u64>,
}

impl<'a> Trip<'a> {
    fn new(u: &'a Unroll<'_>, label: Label, init: &[Value], body: &'a Region) -> Trip<'a> {
        let mut defs = HashMap::default();
        // Operations on other things than counters do not matter, so that a lookup table of all is enough.
        collect_defs(body, &mut defs);
        let mut next: Vec<Option<Option<Value>>> = vec![None; body.params.len()];
        body.walk(&mut |i| {
            if let Op::Continue(l, args) = &i.op {
                if *l == label {
                    for (n, &a) in next.iter_mut().zip(args) {
                        *n = Some(match *n {
                            None => Some(a),
                            Some(Some(b)) if a == b => Some(a),
                            _ => None,
                        });
                    }
                }
            }
        });
        let env = body.params.iter().zip(init).filter_map(|(&p, v)| u.consts.get(v).map(|&c| (p, c))).collect();
        let next = next.into_iter().map(Option::flatten).collect();
        Trip { kernel: u.kernel, consts: &u.consts, body, defs, next, env }
    }

    /// Iterations before the one that leaves, at most `most`.
    fn count(mut self, exit: Exit, most: usize) -> Option<usize> {
        for n in 0..=most {
            let mut memo = HashMap::default();
            let cond = self.eval(exit.cond, &mut memo, 0)?;
            if (cond == 1) == exit.when {
                return Some(n);
            }
            let mut env = HashMap::default();
            for (i, &p) in self.body.params.iter().enumerate() {
                if let Some(v) = self.next[i].and_then(|v| self.eval(v, &mut memo, 0)) {
                    env.insert(p, v);
                }
            }
            self.env = env;
        }
        None
    }

    fn eval(&self, v: Value, memo: &mut HashMap<Value, Option<u64>>, depth: usize) -> Option<u64> {
        if let Some(&c) = self.env.get(&v).or_else(|| self.consts.get(&v)) {
            return Some(c);
        }
        if let Some(&known) = memo.get(&v) {
            return known;
        }
        let result = match self.defs.get(&v) {
            // The interpreter's value is not that of the expansion (see `fold`).
            Some(Op::Alu { op, .. }) if lower_math::expands(*op) => None,
            Some(Op::Alu { op, args, .. }) if depth < 48 && self.kernel.ty(v) != Type::Buf => {
                let values: Option<SmallVec<[u64; 4]>> = args.iter().map(|&a| self.eval(a, memo, depth + 1)).collect();
                values.map(|values| {
                    let types: SmallVec<[Type; 4]> = args.iter().map(|&a| self.kernel.ty(a)).collect();
                    eval(*op, &types, self.kernel.ty(v), &values, &self.kernel.float_controls)
                })
            }
            _ => None,
        };
        memo.insert(v, result);
        result
    }
}

fn collect_defs<'a>(region: &'a Region, defs: &mut HashMap<Value, &'a Op>) {
    for inst in &region.insts {
        match &inst.op {
            Op::Alu { .. } => {
                defs.insert(inst.results[0], &inst.op);
            }
            Op::If { then, els, .. } => {
                collect_defs(then, defs);
                collect_defs(els, defs);
            }
            Op::Switch { cases, .. } => cases.iter().for_each(|c| collect_defs(&c.body, defs)),
            Op::Block { body, .. } | Op::Loop { body, .. } => collect_defs(body, defs),
            _ => {}
        }
    }
}
