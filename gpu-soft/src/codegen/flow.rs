//! Control flow inside a stretch.
//!
//! Every construct follows one of two strategies. *Together*: all lanes that arrive at its end come from the same exit (the
//! uniformity analysis says so); exits are jumps. *Apart*: lanes that leave are noted in an exit mask and wait; code goes
//! on for the others, and whatever follows is skipped when no lane is left.

use super::cell::{Cell, Form};
use super::gen::{Gen, Mask, Rep, Result};
use super::ir::Block;
use super::plan::Exit;
use crate::kernel_abi::Width;
use compiler::analysis::Level;
use compiler::sir::{Addr, AluOp, Inst, Label, Op, Region, Value};

/// Where code goes on after a region or construct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Not at all: all lanes left by jumps.
    Dead,
    /// Here, with these lanes.
    Falls(Mask),
}

/// What a `Yield` at the end of a region does.
#[derive(Clone, Copy)]
pub enum YieldTo<'x> {
    /// Cannot occur.
    Nowhere,
    /// Ends an If side: results to these cells; blending with what is there if so said.
    Cells(&'x [Cell], bool),
    /// Leaves a Block or Switch.
    Label(Label),
    /// Not executed: the caller reads the operands itself.
    Ignored,
}

/// An open construct.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Exits are jumps.
    pub together: bool,
    /// Target of breaks.
    pub exit: Block,
    /// Lanes that broke and wait (apart).
    pub exit_mask: Option<Cell>,
    /// Lanes that arrive by jumps (together).
    pub join: Option<MaskJoin>,
    pub results: Vec<Cell>,
    /// Whether results need no blending: one exit, passed once.
    pub plain_results: bool,
    /// Target of continues.
    pub next: Block,
    pub next_mask: Option<Cell>,
    pub next_join: Option<MaskJoin>,
    pub params: Vec<Cell>,
    pub plain_params: bool,
    /// A loop in which lanes read from places of their own: what they read decides how long they stay.
    pub reads: bool,
}

/// The mask at a join of jumps.
#[derive(Clone, Debug)]
pub struct MaskJoin {
    cell: Cell,
    entry: Mask,
    changed: bool,
    pub reached: bool,
}

/// Sides with at most this many lane-wise operations are executed without a branch around them.
const LINEAR: usize = 8;

impl<'a> Gen<'a> {
    fn mask_join(&self, entry: Mask) -> MaskJoin {
        MaskJoin { cell: self.mask_cell(), entry, changed: false, reached: false }
    }

    fn arrive(&self, join: &mut MaskJoin, mask: Mask) {
        join.reached = true;
        join.changed |= mask != join.entry;
        self.mask_cell_store(&join.cell, mask);
    }

    fn joined(&self, join: &MaskJoin) -> Mask {
        if join.changed {
            self.mask_cell_load(&join.cell)
        } else {
            join.entry
        }
    }

    /// Lanes come to the end of a construct without an exit instruction.
    pub fn arrive_at_exit(&mut self, label: Label, mask: Mask) {
        if let Some(mut frame) = self.frames.remove(&label) {
            if let Some(join) = &mut frame.join {
                self.arrive(join, mask);
            }
            self.frames.insert(label, frame);
        }
    }

    /// Emits a region under a mask.
    pub fn region(&mut self, region: &Region, mask: Mask, y: YieldTo<'_>) -> Result<Flow> {
        self.insts(&region.insts, mask, y, |_, _| Ok(()))
    }

    /// Emits instructions under a mask, and then what `tail` does for the lanes that are left.
    pub fn insts(
        &mut self,
        insts: &[Inst],
        mut mask: Mask,
        y: YieldTo<'_>,
        tail: impl FnOnce(&mut Self, Mask) -> Result<()>,
    ) -> Result<Flow> {
        // Where lanes that skip the rest of the region meet those that do not.
        let mut skip: Option<(Block, Cell)> = None;
        let mut flow = Flow::Falls(mask);
        for (at, inst) in insts.iter().enumerate() {
            let before = mask;
            flow = if inst.op.is_terminator() {
                self.terminator(&inst.op, mask, y)?
            } else if inst.op.region_count() > 0 {
                self.construct(inst, mask)?
            } else {
                self.simple(inst, mask)?;
                continue;
            };
            match flow {
                Flow::Dead | Flow::Falls(Mask::Empty) => break,
                Flow::Falls(m) => mask = m,
            }
            let rest = &insts[at + 1..];
            if mask != before && !rest.is_empty() && !self.harmless(rest, y) {
                // Some lanes left; perhaps all of them.
                let go = self.block(c"rest");
                if skip.is_none() {
                    skip = Some((self.block(c"region.end"), self.mask_cell()));
                }
                if let Some((end, cell)) = &skip {
                    self.mask_cell_store(cell, Mask::Empty);
                    self.m.cond_br(self.any(mask), go, *end);
                }
                self.m.position(go);
            }
        }
        if let Flow::Falls(m) = flow {
            if m != Mask::Empty {
                tail(self, m)?;
            }
        }
        let Some((end, cell)) = skip else { return Ok(flow) };
        let mut left = Mask::Empty;
        if let Flow::Falls(m) = flow {
            if m != Mask::Empty {
                self.mask_cell_store(&cell, m);
            }
            left = m;
            self.m.br(end);
        }
        self.m.position(end);
        Ok(Flow::Falls(if left == Mask::Empty { left } else { self.mask_cell_load(&cell) }))
    }

    fn terminator(&mut self, op: &Op, mask: Mask, y: YieldTo<'_>) -> Result<Flow> {
        match op {
            Op::Yield(args) => match y {
                YieldTo::Cells(cells, blend) => {
                    for (cell, &arg) in cells.iter().zip(args) {
                        let rep = self.rep(arg)?;
                        if blend {
                            self.cell_blend(cell, rep, mask);
                        } else {
                            self.cell_store(cell, rep);
                        }
                    }
                    Ok(Flow::Falls(mask))
                }
                YieldTo::Label(label) => self.leave(label, args, mask),
                YieldTo::Nowhere | YieldTo::Ignored => Ok(Flow::Falls(mask)),
            },
            Op::Break(label, args) => self.leave(*label, args, mask),
            Op::Continue(label, args) => self.again(*label, args, mask),
            Op::Return if self.return_direct => {
                self.m.br(self.stretch_end);
                Ok(Flow::Dead)
            }
            // Where no lane comes nothing is done, but lanes that wait elsewhere go on.
            Op::Unreachable if mask == Mask::Full => {
                self.m.br(self.exit);
                Ok(Flow::Dead)
            }
            _ => Ok(Flow::Falls(Mask::Empty)),
        }
    }

    pub fn reps(&self, args: &[Value]) -> Result<Vec<Rep>> {
        args.iter().map(|v| self.rep(*v)).collect()
    }

    fn leave(&mut self, label: Label, args: &[Value], mask: Mask) -> Result<Flow> {
        let reps = self.reps(args)?;
        let Some(mut frame) = self.frames.remove(&label) else { return Ok(Flow::Falls(Mask::Empty)) };
        for (cell, rep) in frame.results.iter().zip(reps) {
            if frame.together || frame.plain_results {
                self.cell_store(cell, rep);
            } else {
                self.cell_blend(cell, rep, mask);
            }
        }
        let flow = if frame.together {
            if let Some(join) = &mut frame.join {
                self.arrive(join, mask);
            }
            self.m.br(frame.exit);
            Flow::Dead
        } else {
            if let Some(cell) = &frame.exit_mask {
                self.mask_cell_or(cell, mask);
            }
            Flow::Falls(Mask::Empty)
        };
        self.frames.insert(label, frame);
        Ok(flow)
    }

    fn again(&mut self, label: Label, args: &[Value], mask: Mask) -> Result<Flow> {
        let reps = self.reps(args)?;
        let Some(mut frame) = self.frames.remove(&label) else { return Ok(Flow::Falls(Mask::Empty)) };
        for (cell, rep) in frame.params.iter().zip(reps) {
            if frame.together || frame.plain_params {
                self.cell_store(cell, rep);
            } else {
                self.cell_blend(cell, rep, mask);
            }
        }
        let flow = if frame.together {
            if let Some(join) = &mut frame.next_join {
                self.arrive(join, mask);
            }
            self.m.br(frame.next);
            Flow::Dead
        } else {
            if let Some(cell) = &frame.next_mask {
                self.mask_cell_or(cell, mask);
            }
            Flow::Falls(Mask::Empty)
        };
        self.frames.insert(label, frame);
        Ok(flow)
    }

    /// Whether control may leave a construct past its end.
    pub fn leaves(&self, inst: &Inst) -> bool {
        !self.plan.exits(inst).is_empty()
    }

    /// Whether lanes may leave a construct while others stay in it or go on behind it.
    pub fn thins(&self, inst: &Inst) -> bool {
        self.plan.exits(inst).iter().any(|e| match e {
            Exit::Break(l) | Exit::Continue(l) => self.frames.get(l).is_none_or(|f| !f.together),
            Exit::Return => !self.return_direct,
        })
    }

    /// Whether instructions may be executed with no lane active: they end the region without passing values or jumping.
    fn harmless(&self, rest: &[Inst], y: YieldTo<'_>) -> bool {
        let apart = |l: &Label| self.frames.get(l).is_some_and(|f| !f.together);
        match rest {
            [Inst { op: Op::Break(l, args) | Op::Continue(l, args), .. }] => args.is_empty() && apart(l),
            [Inst { op: Op::Yield(args), .. }] => match &y {
                YieldTo::Label(l) => args.is_empty() && apart(l),
                YieldTo::Cells(..) | YieldTo::Nowhere | YieldTo::Ignored => args.is_empty(),
            },
            [Inst { op: Op::Return, .. }] => !self.return_direct,
            [Inst { op: Op::Unreachable, .. }] => true,
            _ => false,
        }
    }

    pub fn construct(&mut self, inst: &Inst, mask: Mask) -> Result<Flow> {
        match &inst.op {
            Op::If { cond, then, els } => self.branch(inst, *cond, then, els, mask),
            Op::Switch { label, selector, cases } => self.switch(inst, *label, *selector, cases, mask),
            Op::Loop { label, init, body } => self.repeat(inst, *label, init, body, mask),
            Op::Block { label, body } => self.labelled(inst, *label, body, mask),
            _ => Ok(Flow::Falls(mask)),
        }
    }

    // ---- If ----

    fn branch(&mut self, inst: &Inst, cond: Value, then: &Region, els: &Region, mask: Mask) -> Result<Flow> {
        if self.linear(then) && self.linear(els) {
            return self.select_sides(inst, cond, then, els, mask);
        }
        if self.is_uniform(cond) {
            return self.uniform_branch(inst, cond, then, els, mask);
        }
        let cells: Vec<Cell> = inst.results.iter().map(|r| self.cell_for(*r)).collect();
        for cell in &cells {
            self.cell_clear(cell);
        }
        let c = self.vector(cond)?;
        let sides = [(then, self.mask_and(mask, c), false), (els, self.mask_and(mask, self.m.not(c)), true)];
        let mut after = Mask::Empty;
        let thins = self.leaves(inst);
        for (side, m, blend) in sides {
            let y = YieldTo::Cells(&cells, blend);
            if matches!(side.insts[..], [Inst { op: Op::Yield(_), .. }]) || self.only_leaves(side) {
                let flow = self.region(side, m, y)?;
                if let Flow::Falls(m) = flow {
                    after = self.mask_or(after, m);
                }
                continue;
            }
            let enter = self.block(c"side");
            let end = self.block(c"side.end");
            let join = thins.then(|| self.mask_cell());
            if let Some(cell) = &join {
                self.mask_cell_store(cell, Mask::Empty);
            }
            self.m.cond_br(self.any(m), enter, end);
            self.m.position(enter);
            if let Flow::Falls(left) = self.region(side, m, y)? {
                if let Some(cell) = &join {
                    self.mask_cell_store(cell, left);
                }
                self.m.br(end);
            }
            self.m.position(end);
            if let Some(cell) = &join {
                after = self.mask_or(after, self.mask_cell_load(cell));
            }
        }
        for (&r, cell) in inst.results.iter().zip(&cells) {
            self.set(r, self.cell_load(cell))?;
        }
        Ok(Flow::Falls(if thins { after } else { mask }))
    }

    fn uniform_branch(&mut self, inst: &Inst, cond: Value, then: &Region, els: &Region, mask: Mask) -> Result<Flow> {
        let cells: Vec<Cell> = inst.results.iter().map(|r| self.cell_for(*r)).collect();
        let (enter, other) = (self.block(c"then"), self.block(c"else"));
        let end = self.block(c"endif");
        let c = self.scalar(cond)?;
        self.m.cond_br(c, enter, other);
        let mut join = self.mask_join(mask);
        for (block, side) in [(enter, then), (other, els)] {
            self.m.position(block);
            if let Flow::Falls(left) = self.region(side, mask, YieldTo::Cells(&cells, false))? {
                self.arrive(&mut join, left);
                self.m.br(end);
            }
        }
        self.m.position(end);
        if !join.reached {
            // Both sides left: nothing comes here.
            self.m.br(self.exit);
            return Ok(Flow::Dead);
        }
        for (&r, cell) in inst.results.iter().zip(&cells) {
            self.set(r, self.cell_load(cell))?;
        }
        Ok(Flow::Falls(self.joined(&join)))
    }

    /// Whether a side is an exit that nobody foresees, where lanes wait for each other: what they take along is blended sooner than
    /// a branch is taken in vain.
    fn only_leaves(&self, side: &Region) -> bool {
        let frame = |l: &Label| self.frames.get(l).filter(|f| !f.together && f.reads);
        let cells = match &side.insts[..] {
            [Inst { op: Op::Break(l, _), .. }] => frame(l).map(|f| &f.results),
            [Inst { op: Op::Continue(l, _), .. }] => frame(l).map(|f| &f.params),
            _ => None,
        };
        // Scalars are not blended.
        cells.is_some_and(|c| c.len() <= LINEAR / 2 && c.iter().all(|c| c.form == Form::Vec))
    }

    /// Whether a side is few operations without effects.
    fn linear(&self, region: &Region) -> bool {
        let mut count = 0;
        region.insts.iter().all(|inst| match &inst.op {
            Op::Const(_) | Op::Builtin(_) | Op::Yield(_) => true,
            Op::Alu { op, .. } => {
                // Without the instruction a fused operation is a call.
                let call = *op == AluOp::Fma && self.opts.width == Width::W4;
                count += if call || costly(*op) { LINEAR } else { 1 };
                count <= LINEAR
            }
            _ => false,
        }) && matches!(region.insts.last(), Some(Inst { op: Op::Yield(_), .. }))
    }

    fn select_sides(&mut self, inst: &Inst, cond: Value, then: &Region, els: &Region, mask: Mask) -> Result<Flow> {
        let mut yields = Vec::new();
        for side in [then, els] {
            self.region(side, mask, YieldTo::Ignored)?;
            match side.insts.last() {
                Some(Inst { op: Op::Yield(args), .. }) => yields.push(self.reps(args)?),
                _ => yields.push(Vec::new()),
            }
        }
        for (i, &r) in inst.results.iter().enumerate() {
            let (a, b) = (yields[0][i], yields[1][i]);
            let rep = self.select_rep(cond, a, b, r)?;
            self.set(r, rep)?;
        }
        Ok(Flow::Falls(mask))
    }

    // ---- Block ----

    pub fn frame(&self, label: Label, results: Vec<Cell>, mask: Mask) -> Frame {
        let together =
            self.uni.break_join(label) <= Level::Subgroup && self.uni.continue_join(label) <= Level::Subgroup;
        let sites = self.plan.sites[label.index()];
        let exit = self.block(c"exit");
        Frame {
            together,
            exit,
            exit_mask: (!together).then(|| self.mask_cell()),
            join: together.then(|| self.mask_join(mask)),
            results,
            plain_results: sites.breaks == 1 && !sites.break_repeats,
            next: exit,
            next_mask: None,
            next_join: None,
            params: Vec::new(),
            plain_params: true,
            reads: false,
        }
    }

    /// Closes a construct: positions at its end and gives what goes on there. `falls` are lanes that come to the end of
    /// its code without having left it: none but for skipped code.
    pub fn close(&mut self, inst: &Inst, label: Label, falls: Flow, mask: Mask) -> Result<Flow> {
        let Some(mut frame) = self.frames.remove(&label) else { return Ok(Flow::Dead) };
        if let Flow::Falls(_) = falls {
            if let Some(join) = &mut frame.join {
                self.arrive(join, Mask::Empty);
            }
            self.m.br(frame.exit);
        }
        self.m.position(frame.exit);
        let reached = frame.join.as_ref().is_none_or(|j| j.reached);
        if !reached {
            self.m.br(self.exit);
            return Ok(Flow::Dead);
        }
        for (&r, cell) in inst.results.iter().zip(&frame.results) {
            self.set(r, self.cell_load(cell))?;
        }
        let after = match (&frame.join, &frame.exit_mask) {
            _ if !self.thins(inst) => mask,
            (Some(join), _) => self.joined(join),
            (None, Some(cell)) => self.mask_cell_load(cell),
            (None, None) => mask,
        };
        Ok(Flow::Falls(after))
    }

    pub fn open_results(&self, inst: &Inst, frame: &Frame) {
        for cell in &frame.results {
            self.cell_clear(cell);
        }
        if let Some(cell) = &frame.exit_mask {
            self.mask_cell_store(cell, Mask::Empty);
        }
        debug_assert_eq!(frame.results.len(), inst.results.len());
    }

    fn labelled(&mut self, inst: &Inst, label: Label, body: &Region, mask: Mask) -> Result<Flow> {
        let cells = inst.results.iter().map(|r| self.cell_for(*r)).collect();
        let frame = self.frame(label, cells, mask);
        self.open_results(inst, &frame);
        self.frames.insert(label, frame);
        let flow = self.region(body, mask, YieldTo::Label(label))?;
        self.close(inst, label, flow, mask)
    }

    // ---- Loop ----

    fn repeat(&mut self, inst: &Inst, label: Label, init: &[Value], body: &Region, mask: Mask) -> Result<Flow> {
        let cells = inst.results.iter().map(|r| self.cell_for(*r)).collect();
        let mut frame = self.frame(label, cells, mask);
        self.open_results(inst, &frame);
        let sites = self.plan.sites[label.index()];
        frame.plain_results = false;
        frame.params = body.params.iter().map(|p| self.cell_for(*p)).collect();
        frame.plain_params = sites.continues == 1 && !sites.continue_repeats;
        body.walk(&mut |i| {
            if let Op::Load { addr: Addr::Buffer { off: Some(off), .. } | Addr::Global { addr: off, .. }, .. } = &i.op {
                frame.reads |= !self.uniform_form(*off);
            }
        });
        for (cell, &v) in frame.params.iter().zip(init) {
            let rep = self.rep(v)?;
            self.cell_store(cell, rep);
        }
        let head = self.block(c"loop");
        let latch = self.block(c"latch");
        frame.next = latch;
        let params = frame.params.clone();
        let exit = frame.exit;
        let together = frame.together;
        let current = if together {
            // The mask changes from iteration to iteration only if lanes leave past the loop's end.
            let thins = self.thins(inst);
            let join = self.mask_join(mask);
            let current = thins.then(|| join.cell.clone());
            if let Some(cell) = &current {
                self.mask_cell_store(cell, mask);
            }
            frame.next_join = Some(join);
            current
        } else {
            let live = self.mask_cell();
            self.mask_cell_store(&live, mask);
            frame.next_mask = Some(self.mask_cell());
            Some(live)
        };
        let next_mask = frame.next_mask.clone();
        self.frames.insert(label, frame);
        self.look_ahead(label, body);
        self.m.br(head);
        self.m.position(head);
        let iterating = match &current {
            Some(cell) => self.mask_cell_load(cell),
            None => mask,
        };
        if let Some(cell) = &next_mask {
            self.mask_cell_store(cell, Mask::Empty);
        }
        for (&p, cell) in body.params.iter().zip(&params) {
            self.set(p, self.cell_load(cell))?;
        }
        let flow = self.region(body, iterating, YieldTo::Nowhere)?;
        if together {
            if let Flow::Falls(_) = flow {
                // All lanes left past the loop's end.
                self.arrive_at_exit(label, Mask::Empty);
                self.m.br(exit);
            }
            self.m.position(latch);
            self.back_edge(head);
        } else {
            if let Flow::Falls(_) = flow {
                self.m.br(latch);
            }
            self.m.position(latch);
            if let (Some(next), Some(live)) = (&next_mask, &current) {
                let again = self.mask_cell_load(next);
                self.mask_cell_store(live, again);
                let more = self.block(c"again");
                self.m.cond_br(self.any(again), more, exit);
                self.m.position(more);
                self.back_edge(head);
            }
        }
        // Both ways to the exit were taken care of: close only joins.
        self.close(inst, label, Flow::Dead, mask)
    }
}

/// Operations worth a branch around them.
fn costly(op: AluOp) -> bool {
    matches!(op, AluOp::UDiv | AluOp::SDiv | AluOp::URem | AluOp::SRem | AluOp::SMod | AluOp::FDiv | AluOp::FSqrt)
}
