//! Control flow whose way is known.

use super::Folder;
use crate::sir::{AluOp, Inst, Label, Op, Region, SwitchCase, Value};
use smallvec::SmallVec;

impl Folder<'_> {
    /// Rewrites an operation with regions. If control does not come out behind it: the terminator to end with.
    pub(super) fn control(&mut self, inst: Inst, out: &mut Vec<Inst>) -> Option<Op> {
        let Inst { results, op } = inst;
        match op {
            Op::If { cond, then, els } => self.if_(&results, cond, then, els, out),
            Op::Block { label, body } => self.block(&results, label, body, out),
            Op::Loop { label, init, mut body } => {
                self.whole_region(&mut body);
                if self.continues[label.index()] == 0 {
                    self.changed = true;
                    for (p, i) in std::mem::take(&mut body.params).into_iter().zip(init) {
                        self.subst.replace(p, i);
                    }
                    return self.finish_block(&results, label, body, out);
                }
                let comes_out = self.breaks[label.index()] > 0;
                out.push(Inst { results, op: Op::Loop { label, init, body } });
                (!comes_out).then_some(Op::Unreachable)
            }
            Op::Switch { label, selector, cases } => self.switch(results, label, selector, cases, out),
            op => {
                out.push(Inst { results, op });
                None
            }
        }
    }

    /// What comes after code that ended in `end` and whose results go to `results`.
    fn continue_after(&mut self, end: Op, results: &[Value]) -> Option<Op> {
        let Op::Yield(args) = end else { return Some(end) };
        for (&r, &a) in results.iter().zip(&args) {
            let a = self.subst.get(a);
            self.subst.replace(r, a);
        }
        None
    }

    /// Appends code that has been rewritten already.
    fn append(&mut self, mut insts: Vec<Inst>, results: &[Value], out: &mut Vec<Inst>) -> Option<Op> {
        let end = insts.pop()?.op;
        out.append(&mut insts);
        // It will be counted again when it is written again.
        match &end {
            Op::Break(l, _) => self.breaks[l.index()] -= 1,
            Op::Continue(l, _) => self.continues[l.index()] -= 1,
            _ => {}
        }
        self.continue_after(end, results)
    }

    fn if_(
        &mut self,
        results: &[Value],
        cond: Value,
        mut then: Region,
        mut els: Region,
        out: &mut Vec<Inst>,
    ) -> Option<Op> {
        if let Some(c) = self.constant(cond) {
            let side = if c & 1 == 1 { then } else { els };
            self.changed = true;
            let end = self.sequence(side.insts, out);
            return self.continue_after(end, results);
        }
        // On each side the condition is known.
        self.consts[cond.index()] = Some(1);
        self.whole_region(&mut then);
        self.consts[cond.index()] = Some(0);
        self.whole_region(&mut els);
        self.consts[cond.index()] = None;
        let yields = |r: &Region| matches!(r.terminator(), Some(Op::Yield(_)));
        match (yields(&then), yields(&els)) {
            (false, false) => {
                out.push(Inst { results: SmallVec::new(), op: Op::If { cond, then, els } });
                Some(Op::Unreachable)
            }
            (true, true) => {
                let mut known = Vec::new();
                let results = self.equal_results(results, &mut then, &mut els, &mut known);
                out.push(Inst { results, op: Op::If { cond, then, els } });
                for (v, bits) in known {
                    self.put_const(v, bits, out);
                }
                None
            }
            // One side leaves: the code of the other one moves behind the If.
            (then_yields, _) => {
                let stays = if then_yields { &mut then } else { &mut els };
                let insts = std::mem::take(&mut stays.insts);
                stays.insts.push(Inst { results: SmallVec::new(), op: Op::Yield(Vec::new()) });
                self.changed |= insts.len() > 1 || !results.is_empty();
                out.push(Inst { results: SmallVec::new(), op: Op::If { cond, then, els } });
                self.append(insts, results, out)
            }
        }
    }

    /// Drops results for which both sides yield the same value; those that are the same constant go to `known`.
    fn equal_results(
        &mut self,
        results: &[Value],
        then: &mut Region,
        els: &mut Region,
        known: &mut Vec<(Value, u64)>,
    ) -> SmallVec<[Value; 2]> {
        let mut kept = SmallVec::from_slice(results);
        let (Some(Inst { op: Op::Yield(a), .. }), Some(Inst { op: Op::Yield(b), .. })) =
            (then.insts.last_mut(), els.insts.last_mut())
        else {
            return kept;
        };
        for i in (0..kept.len()).rev() {
            let (x, y) = (self.subst.get(a[i]), self.subst.get(b[i]));
            let bits = self.constant(x).filter(|_| self.constant(x) == self.constant(y));
            if x == y || bits.is_some() {
                match bits {
                    Some(bits) if x != y => known.push((kept[i], bits)),
                    _ => self.subst.replace(kept[i], x),
                }
                self.changed = true;
                kept.remove(i);
                a.remove(i);
                b.remove(i);
            }
        }
        kept
    }

    fn block(&mut self, results: &[Value], label: Label, mut body: Region, out: &mut Vec<Inst>) -> Option<Op> {
        self.whole_region(&mut body);
        self.finish_block(results, label, body, out)
    }

    /// `body` has been rewritten.
    fn finish_block(&mut self, results: &[Value], label: Label, mut body: Region, out: &mut Vec<Inst>) -> Option<Op> {
        if let Some(Inst { op, .. }) = body.insts.last_mut() {
            if let Op::Break(l, args) = op {
                if *l == label {
                    self.breaks[label.index()] -= 1;
                    self.changed = true;
                    *op = Op::Yield(std::mem::take(args));
                }
            }
        }
        if self.breaks[label.index()] == 0 {
            self.changed = true;
            return self.append(body.insts, results, out);
        }
        out.push(Inst { results: SmallVec::from_slice(results), op: Op::Block { label, body } });
        None
    }

    fn switch(
        &mut self,
        results: SmallVec<[Value; 2]>,
        label: Label,
        selector: Value,
        mut cases: Vec<SwitchCase>,
        out: &mut Vec<Inst>,
    ) -> Option<Op> {
        let arm = match self.constant(selector) {
            Some(bits) => cases
                .iter()
                .position(|c| c.literals.contains(&bits))
                .or_else(|| cases.iter().position(|c| c.is_default)),
            None if cases.len() == 1 => Some(0),
            None => None,
        };
        if let Some(arm) = arm {
            self.changed = true;
            let block = self.arm_as_block(&results, label, cases.split_off(arm));
            return self.control(block, out);
        }
        let mut comes_out = false;
        for c in &mut cases {
            self.whole_region(&mut c.body);
            comes_out |= matches!(c.body.terminator(), Some(Op::Yield(_)));
        }
        comes_out |= self.breaks[label.index()] > 0;
        if self.breaks[label.index()] == 0 {
            if let Some((literal, first)) = one_literal(&cases) {
                return self.switch_as_if(results, selector, literal, first, cases, out);
            }
        }
        out.push(Inst { results, op: Op::Switch { label, selector, cases } });
        (!comes_out).then_some(Op::Unreachable)
    }

    /// A Switch of two arms, of which the one at `first` is entered for one literal only.
    fn switch_as_if(
        &mut self,
        results: SmallVec<[Value; 2]>,
        selector: Value,
        literal: u64,
        first: usize,
        mut cases: Vec<SwitchCase>,
        out: &mut Vec<Inst>,
    ) -> Option<Op> {
        self.changed = true;
        for c in &mut cases {
            for (p, v) in std::mem::take(&mut c.body.params).into_iter().zip(&c.init) {
                let v = self.subst.get(*v);
                self.subst.replace(p, v);
            }
        }
        let literal = self.new_const(self.kernel.ty(selector), literal, out);
        let cond = self.fresh(crate::sir::Type::Bool);
        out.push(Inst { results: SmallVec::from_slice(&[cond]), op: Op::alu(AluOp::IEq, &[selector, literal]) });
        let then = std::mem::take(&mut cases[first].body);
        let els = std::mem::take(&mut cases[1 - first].body);
        let comes_out = [&then, &els].iter().any(|r| matches!(r.terminator(), Some(Op::Yield(_))));
        out.push(Inst { results, op: Op::If { cond, then, els } });
        (!comes_out).then_some(Op::Unreachable)
    }

    /// The first of `cases` and what it falls through to, as nested Blocks: one for the whole, and one around each arm
    /// that falls through, whose results are the parameters of the next arm.
    fn arm_as_block(&mut self, results: &[Value], label: Label, cases: Vec<SwitchCase>) -> Inst {
        let mut code: Vec<Inst> = Vec::new();
        for (i, case) in cases.into_iter().enumerate() {
            let mut body = case.body;
            if i == 0 {
                for (p, v) in std::mem::take(&mut body.params).into_iter().zip(case.init) {
                    let v = self.subst.get(v);
                    self.subst.replace(p, v);
                }
            } else if let Some(Op::Block { .. }) = code.last().map(|i| &i.op) {
                // The Block of the arm before was left open for these.
                if let Some(before) = code.last_mut() {
                    before.results = SmallVec::from_vec(std::mem::take(&mut body.params));
                }
            }
            let inner = self.new_label();
            if falls_through(&mut body, inner) {
                if let Some(Inst { op, .. }) = body.insts.last_mut() {
                    if let Op::Yield(args) = op {
                        *op = Op::Break(label, std::mem::take(args));
                    }
                }
                code.push(Inst { results: SmallVec::new(), op: Op::Block { label: inner, body } });
            } else {
                code.append(&mut body.insts);
                break;
            }
        }
        let body = Region { params: Vec::new(), insts: code };
        Inst { results: SmallVec::from_slice(results), op: Op::Block { label, body } }
    }

    fn new_label(&mut self) -> Label {
        let l = self.kernel.label();
        self.breaks.push(0);
        self.continues.push(0);
        l
    }
}

/// For a Switch of two arms without Fallthrough, one with a single literal: the literal, and which arm it is.
fn one_literal(cases: &[SwitchCase]) -> Option<(u64, usize)> {
    let [a, b] = cases else { return None };
    let (first, other) = if a.is_default { (b, a) } else { (a, b) };
    // Literals of the default arm say nothing that it is not entered for anyway.
    let [literal] = first.literals[..] else { return None };
    (other.is_default && !has_fallthrough(&a.body)).then_some((literal, usize::from(a.is_default)))
}

fn has_fallthrough(region: &Region) -> bool {
    region.insts.iter().any(|i| match &i.op {
        Op::Fallthrough(_) => true,
        Op::If { then, els, .. } => has_fallthrough(then) || has_fallthrough(els),
        Op::Block { body, .. } => has_fallthrough(body),
        _ => false,
    })
}

/// Turns the Fallthroughs of an arm into Breaks to `label`; true if there were any.
fn falls_through(region: &mut Region, label: Label) -> bool {
    let mut any = false;
    for inst in &mut region.insts {
        match &mut inst.op {
            Op::Fallthrough(args) => {
                inst.op = Op::Break(label, std::mem::take(args));
                any = true;
            }
            Op::Loop { .. } | Op::Switch { .. } => {}
            op => op.for_each_region_mut(&mut |r| any |= falls_through(r, label)),
        }
    }
    any
}
