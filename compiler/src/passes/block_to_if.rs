//! Blocks that are only left early by Ifs become Ifs: what follows such an If moves into its other side.
//!
//! ```text
//! block @0 {                      if %c {
//!   if %c {                         yield %x
//!     break @0 %x                 } else {
//!   } else {                 →      …
//!     yield                         yield %y
//!   }                             }
//!   …
//!   yield %y
//! }
//! ```
//! At the end of a Block or of an arm of a Switch, `break` to it is the same as `yield`. A Block is rewritten only if
//! all its breaks disappear that way; a break out of a loop, for one, cannot.

use crate::sir::{Inst, Kernel, Label, Op, Region, Type, Value};
use smallvec::SmallVec;

/// Deepest nesting that the pass creates.
const DEPTH: usize = 48;

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let mut body = std::mem::take(&mut kernel.body);
    let mut changed = false;
    region(kernel, &mut body, 0, &mut changed);
    kernel.body = body;
    changed
}

/// Gives the depth of nesting below the region.
fn region(kernel: &mut Kernel, region: &mut Region, depth: usize, changed: &mut bool) -> usize {
    let insts = std::mem::take(&mut region.insts);
    let mut below = 0;
    for mut inst in insts {
        let mut inside = 0;
        inst.op.for_each_region_mut(&mut |r| inside = inside.max(self::region(kernel, r, depth + 1, changed)));
        let types: SmallVec<[Type; 4]> = inst.results.iter().map(|&v| kernel.ty(v)).collect();
        match &mut inst.op {
            Op::Block { label, body } if depth + inside < DEPTH => {
                if let Some(levels) = plan(body, *label, DEPTH - depth - inside) {
                    *changed = true;
                    inside += levels;
                    let l = *label;
                    let mut code = std::mem::take(body);
                    rewrite(kernel, &mut code, l, &types);
                    // Left with nothing that breaks out: the code moves up in place of the Block.
                    let end = code.insts.pop().map(|i| i.op);
                    match end {
                        Some(Op::Yield(args)) => {
                            keep_results(kernel, &mut code.insts, inst.results, &args);
                            region.insts.append(&mut code.insts);
                        }
                        other => {
                            code.insts.extend(other.map(|op| Inst { results: SmallVec::new(), op }));
                            inst.op = Op::Block { label: l, body: code };
                            region.insts.push(inst);
                        }
                    }
                    below = below.max(inside);
                    continue;
                }
            }
            Op::Switch { label, cases, .. } if depth + inside < DEPTH => {
                let l = *label;
                let room = DEPTH - depth - inside;
                let mut levels = 0;
                for c in cases {
                    // Arm by arm: the Switch stays a construct of its own in any case.
                    if let Some(n) = plan(&c.body, l, room).filter(|_| c.body.breaks_to(l)) {
                        *changed = true;
                        levels = levels.max(n);
                        rewrite(kernel, &mut c.body, l, &types);
                    }
                }
                inside += levels;
            }
            _ => {}
        }
        below = below.max(inside + usize::from(inst.op.is_control()));
        region.insts.push(inst);
    }
    below
}

/// Makes `results` stand for the `args` that code yields at its end: by its last construct where that has just these
/// results, which nothing else can use, else by a Block around nothing.
fn keep_results(kernel: &mut Kernel, out: &mut Vec<Inst>, results: SmallVec<[Value; 2]>, args: &[Value]) {
    if let Some(last) = out.last_mut() {
        if last.results.as_slice() == args && last.op.is_control() {
            last.results = results;
            return;
        }
    }
    let label = kernel.label();
    let mut body = Region::default();
    body.push(&[], Op::Yield(args.to_vec()));
    out.push(Inst { results, op: Op::Block { label, body } });
}

/// Whether a side of an If ends by leaving to `label`.
fn leaves(side: &Region, label: Label) -> bool {
    matches!(side.terminator(), Some(Op::Break(l, _)) if *l == label)
}

/// If all breaks to `label` in a region at the end of its construct can become yields: how many levels deeper it gets.
fn plan(region: &Region, label: Label, room: usize) -> Option<usize> {
    let mut levels = 0;
    plan_at(&region.insts, label, &mut levels, room).then_some(levels)
}

fn plan_at(insts: &[Inst], label: Label, levels: &mut usize, room: usize) -> bool {
    let mut here = insts;
    // A chain of early exits nests level by level; walked in a loop, as it may be long.
    loop {
        let Some((i, then, els)) = next_exit(here, label) else {
            return !breaks(&here[..here.len().saturating_sub(1)], label);
        };
        if breaks(&here[..i], label) {
            return false;
        }
        *levels += 1;
        if *levels > room {
            return false;
        }
        let (out, stays) = if leaves(then, label) { (then, els) } else { (els, then) };
        // What is inside of the side that leaves must be free of further breaks, and so must the other side.
        if breaks(&out.insts[..out.insts.len() - 1], label) || breaks(&stays.insts, label) {
            return false;
        }
        here = &here[i + 1..];
    }
}

/// The first If of which one side leaves to `label` and the other one goes on.
fn next_exit(insts: &[Inst], label: Label) -> Option<(usize, &Region, &Region)> {
    insts.iter().enumerate().find_map(|(i, inst)| match &inst.op {
        Op::If { then, els, .. } if leaves(then, label) != leaves(els, label) => {
            let stays = if leaves(then, label) { els } else { then };
            matches!(stays.terminator(), Some(Op::Yield(_))).then_some((i, then, els))
        }
        _ => None,
    })
}

fn breaks(insts: &[Inst], label: Label) -> bool {
    let hit = |op: &Op| matches!(op, Op::Break(l, _) if *l == label);
    insts.iter().any(|i| {
        let mut found = hit(&i.op);
        i.op.for_each_region(&mut |r| found |= r.breaks_to(label));
        found
    })
}

/// Carries out what `plan` found possible. The region then yields the results, whose types are `types`.
fn rewrite(kernel: &mut Kernel, region: &mut Region, label: Label, types: &[Type]) {
    if let Some(Inst { op, .. }) = region.insts.last_mut() {
        if let Op::Break(l, args) = op {
            if *l == label {
                *op = Op::Yield(std::mem::take(args));
            }
        }
    }
    let Some(i) = next_exit(&region.insts, label).map(|(i, ..)| i) else { return };
    let mut rest = region.insts.split_off(i + 1);
    let Some(Inst { results: old, op: Op::If { cond, mut then, mut els } }) = region.insts.pop() else { return };
    let stays = if leaves(&then, label) { &mut els } else { &mut then };
    if let Some(Inst { op: Op::Yield(args), .. }) = stays.insts.pop() {
        if !old.is_empty() {
            // The results of the If are needed in the rest, which now is inside.
            let label = kernel.label();
            let mut body = Region::default();
            body.push(&[], Op::Yield(args));
            stays.insts.push(Inst { results: old, op: Op::Block { label, body } });
        }
    }
    stays.insts.append(&mut rest);
    for side in [&mut then, &mut els] {
        rewrite(kernel, side, label, types);
    }
    let yields = |r: &Region| matches!(r.terminator(), Some(Op::Yield(_)));
    if yields(&then) || yields(&els) {
        let results: SmallVec<[Value; 2]> = types.iter().map(|&t| kernel.value(t)).collect();
        let args = results.to_vec();
        region.insts.push(Inst { results, op: Op::If { cond, then, els } });
        region.push(&[], Op::Yield(args));
    } else {
        region.insts.push(Inst { results: SmallVec::new(), op: Op::If { cond, then, els } });
        region.push(&[], Op::Unreachable);
    }
}
