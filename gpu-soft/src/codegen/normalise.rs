//! Switches without fallthrough. An arm that others fall into moves behind the switch, into a block whose results are the
//! arm's parameters:
//!
//! ```text
//! block @all {
//!     params = block @arm { switch … { case a: …; break @arm(values) } case b: { break @arm(init) } } }
//!     body of b
//! }
//! ```

use compiler::sir::{Inst, Kernel, Label, Op, Region, SwitchCase, Value};
use std::borrow::Cow;

/// The kernel without `Fallthrough`.
pub fn normalise(kernel: &Kernel) -> Cow<'_, Kernel> {
    let mut any = false;
    kernel.body.walk(&mut |i| any |= matches!(i.op, Op::Fallthrough(_)));
    if !any {
        return Cow::Borrowed(kernel);
    }
    let mut k = kernel.clone();
    let mut body = std::mem::take(&mut k.body);
    region(&mut k, &mut body);
    k.body = body;
    Cow::Owned(k)
}

fn region(k: &mut Kernel, r: &mut Region) {
    for inst in &mut r.insts {
        inst.op.for_each_region_mut(&mut |r| region(k, r));
        if let Op::Switch { cases, .. } = &inst.op {
            if cases.iter().any(|c| falls(&c.body)) {
                switch(k, inst);
            }
        }
    }
}

/// Whether a region leaves to the next arm of the switch around it.
fn falls(r: &Region) -> bool {
    r.insts.iter().any(|i| match &i.op {
        Op::Fallthrough(_) => true,
        Op::If { then, els, .. } => falls(then) || falls(els),
        Op::Block { body, .. } => falls(body),
        _ => false,
    })
}

/// Turns fallthroughs of an arm into breaks, and yields at its end into breaks of the whole.
fn redirect(r: &mut Region, to: Option<Label>, all: Label, top: bool) {
    for inst in &mut r.insts {
        match &mut inst.op {
            Op::Fallthrough(args) => {
                if let Some(to) = to {
                    inst.op = Op::Break(to, std::mem::take(args));
                }
            }
            Op::Yield(args) if top => inst.op = Op::Break(all, std::mem::take(args)),
            Op::If { then, els, .. } => {
                redirect(then, to, all, false);
                redirect(els, to, all, false);
            }
            Op::Block { body, .. } => redirect(body, to, all, false),
            _ => {}
        }
    }
}

fn switch(k: &mut Kernel, inst: &mut Inst) {
    let Op::Switch { label: all, selector, cases } = std::mem::replace(&mut inst.op, Op::Return) else { return };
    // Blocks around the switch take the old label, so that breaks out of the arms stay as they are.
    let inner = k.label();
    let entered: Vec<bool> =
        (0..cases.len()).map(|i| i > 0 && cases.get(i - 1).is_some_and(|c| falls(&c.body))).collect();
    let labels: Vec<Label> = entered.iter().map(|e| if *e { k.label() } else { inner }).collect();
    let mut arms = Vec::new();
    let mut moved: Vec<(Label, Region)> = Vec::new();
    for (i, mut case) in cases.into_iter().enumerate() {
        let next = labels.get(i + 1).copied();
        redirect(&mut case.body, next, all, true);
        if entered[i] {
            let mut enter = Region::default();
            let init: Vec<Value> = std::mem::take(&mut case.init);
            enter.push(&[], Op::Break(labels[i], init));
            moved.push((labels[i], std::mem::replace(&mut case.body, enter)));
        }
        arms.push(SwitchCase { ..case });
    }
    let mut core = Region::default();
    core.push(&[], Op::Switch { label: inner, selector, cases: arms });
    // No arm comes to the switch's end any more.
    core.push(&[], Op::Unreachable);
    for (label, body) in moved {
        let mut outer = Region::default();
        outer.push(&body.params, Op::Block { label, body: core });
        outer.insts.extend(body.insts);
        core = outer;
    }
    inst.op = Op::Block { label: all, body: core };
}
