//! Workgroup level: stretches as loops over subgroups, and the control flow around workgroup barriers.
//!
//! All invocations take control flow at this level together. Invocations may still have left in a stretch before (an early
//! return, or a break whose condition the analysis could not prove to be uniform): then the lanes of each subgroup that are
//! still there stand in memory, and code for nobody is skipped.

use super::cell::{Cell, Form};
use super::flow::{Flow, Frame, YieldTo};
use super::gen::{Gen, Mask, Rep, Result};
use super::ir::{Block, Icmp, Val};
use super::plan::{label_together, Exit, Node, Stretch, WEnd, WRegion};
use compiler::analysis::Level;
use compiler::sir::{Inst, Label, Op, Type, Value};

impl<'a> Gen<'a> {
    /// One workgroup; ends in a branch or falls off the end.
    pub fn workgroup(&mut self) -> Result<()> {
        let plan = self.plan;
        if plan.split && self.any_leave(&plan.root) {
            let cell = self.arena_cell(Type::Bool, Form::Vec)?;
            self.wmask = Some(cell.clone());
            self.each_subgroup(|g| {
                let mask = g.initial_mask();
                g.mask_cell_store(&cell, mask);
                Ok(())
            })?;
        }
        self.wregion(&plan.root, None)?;
        Ok(())
    }

    /// Whether invocations leave to the workgroup level, or go different ways there, apart from each other.
    fn any_leave(&self, region: &WRegion<'_>) -> bool {
        region.nodes.iter().any(|n| match n {
            Node::Stretch(s) => thins(self, s),
            Node::If { apart, then, els, .. } => *apart || self.any_leave(then) || self.any_leave(els),
            Node::Switch { apart, bodies, .. } => *apart || bodies.iter().any(|b| self.any_leave(b)),
            Node::Loop { body, .. } | Node::Block { body, .. } => self.any_leave(body),
        })
    }

    /// A loop over the subgroups of the workgroup.
    fn each_subgroup(&mut self, mut f: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if self.subgroups == 1 {
            self.subgroup = Some(self.i32c(0));
            let end = self.block(c"subgroup.end");
            self.stretch_end = end;
            f(self)?;
            if !self.m.terminated() {
                self.m.br(end);
            }
            self.m.position(end);
            self.subgroup = None;
            return Ok(());
        }
        let m = self.m;
        let before = m.current();
        let head = self.block(c"subgroup");
        let next = self.block(c"subgroup.next");
        let done = self.block(c"subgroups.done");
        m.br(head);
        m.position(head);
        let index = m.phi(m.int(32), &[(self.i32c(0), before)]);
        self.subgroup = Some(index);
        self.stretch_end = next;
        f(self)?;
        if !m.terminated() {
            m.br(next);
        }
        m.position(next);
        let following = m.add(index, self.i32c(1));
        m.add_incoming(index, following, next);
        m.cond_br(m.icmp(Icmp::Ult, following, self.i32c(self.subgroups)), head, done);
        m.position(done);
        self.subgroup = None;
        Ok(())
    }

    /// Emits a region. Gives whether code goes on behind it (there may be nobody left to execute it).
    /// `yields` is the Block or Switch that a yield in a stretch leaves.
    fn wregion(&mut self, region: &WRegion<'_>, yields: Option<Label>) -> Result<bool> {
        let mut skip: Option<Block> = None;
        let mut dead = false;
        for (at, node) in region.nodes.iter().enumerate() {
            let alive = match node {
                Node::Stretch(s) => self.stretch(s, yields)?,
                Node::If { inst, cond, apart, then, els } => {
                    dead = match (*apart, self.wmask.clone()) {
                        (true, Some(wmask)) => !self.wif_apart(*cond, then, els, &wmask)?,
                        _ => !self.wif(*cond, then, els)?,
                    };
                    self.alive_after(inst)?
                }
                Node::Switch { inst, label, selector, apart, .. } => {
                    dead = match (*apart, self.wmask.clone()) {
                        (true, Some(wmask)) => !self.wswitch_apart(node, *label, *selector, &wmask)?,
                        _ => !self.wswitch(node, *label, *selector)?,
                    };
                    self.alive_after(inst)?
                }
                Node::Loop { inst, label, body } => {
                    dead = !self.wloop(inst, *label, body)?;
                    self.alive_after(inst)?
                }
                Node::Block { inst, label, body } => {
                    dead = !self.wblock(inst, *label, body)?;
                    self.alive_after(inst)?
                }
            };
            if dead {
                break;
            }
            let rest = at + 1 < region.nodes.len() || region.end != WEnd::Apart;
            if let (Some(alive), true) = (alive, rest) {
                let go = self.block(c"group.rest");
                let end = *skip.get_or_insert_with(|| self.m.append_block(self.function, c"group.skip"));
                self.m.cond_br(alive, go, end);
                self.m.position(go);
            }
        }
        let mut falls = false;
        if !dead {
            match region.end {
                WEnd::Apart | WEnd::Yield => falls = true,
                WEnd::Break(l) => self.jump(l, |f| f.exit),
                WEnd::Continue(l) => self.jump(l, |f| f.next),
                WEnd::Return => self.m.br(self.group_end),
            }
        }
        if let Some(end) = skip {
            if falls {
                self.m.br(end);
            }
            self.m.position(end);
            return Ok(true);
        }
        Ok(falls)
    }

    fn jump(&mut self, label: Label, target: impl FnOnce(&Frame) -> Block) {
        let to = self.frames.get(&label).map_or(self.group_end, target);
        self.m.br(to);
    }

    /// After a construct that invocations may have left past its end: whether anybody is still there.
    fn alive_after(&mut self, inst: &Inst) -> Result<Option<Val>> {
        let apart = self.plan.exits(inst).iter().any(|e| match e {
            Exit::Break(l) | Exit::Continue(l) => !label_together(&self.uni, *l),
            Exit::Return => self.uni.return_join() > Level::Workgroup,
        });
        if !apart || self.m.terminated() {
            return Ok(None);
        }
        let Some(cell) = self.wmask.clone() else { return Ok(None) };
        Ok(Some(self.any_subgroup(|g| Ok(g.mask_cell_load(&cell)))?))
    }

    /// Whether the mask that `f` gives has lanes in any subgroup.
    fn any_subgroup(&mut self, mut f: impl FnMut(&mut Self) -> Result<Mask>) -> Result<Val> {
        let m = self.m;
        let any = self.stack_cell(Type::Bool, Form::Uni);
        self.cell_clear(&any);
        self.each_subgroup(|g| {
            let mask = f(g)?;
            g.note(&any, mask);
            Ok(())
        })?;
        Ok(match self.cell_load(&any) {
            Rep::Uni(v) => v,
            _ => m.iconst(m.int(1), 1),
        })
    }

    fn note(&self, any: &Cell, mask: Mask) {
        if let Rep::Uni(old) = self.cell_load(any) {
            let now = self.m.or(old, self.any(mask));
            self.cell_store(any, Rep::Uni(now));
        }
    }

    // ---- stretches ----

    /// Emits a stretch. If invocations may have left in it: whether anybody is still there.
    fn stretch(&mut self, s: &Stretch<'_>, yields: Option<Label>) -> Result<Option<Val>> {
        if s.scalar {
            self.subgroup = None;
            for &v in &s.live_in {
                self.live_in(v)?;
            }
            for inst in s.insts {
                self.simple(inst, Mask::Full)?;
            }
            self.moves(s, Mask::Full)?;
            self.end_scope();
            return Ok(None);
        }
        if !self.plan.split {
            self.each_subgroup(|g| {
                g.each_beside(|g| {
                    let mask = g.initial_mask();
                    g.clear_small();
                    g.insts(s.insts, mask, YieldTo::Nowhere, |_, _| Ok(()))?;
                    Ok(())
                })
            })?;
            self.end_scope();
            return Ok(None);
        }
        // What all subgroups share is read once, in front of the loop; and once only: the stretch may change it.
        let mut shared = Vec::new();
        for &v in &s.live_in {
            if self.uni.value(v) <= Level::Workgroup && self.plan.remat[v.index()].is_none() {
                let cell = self.wcell(v)?;
                shared.push((v, self.cell_load(&cell)));
            }
        }
        let alive = thins(self, s).then(|| self.stack_cell(Type::Bool, Form::Uni));
        if let Some(cell) = &alive {
            self.cell_clear(cell);
        }
        let wmask = self.wmask.clone();
        let y = yields.map_or(YieldTo::Nowhere, YieldTo::Label);
        self.each_subgroup(|g| {
            let mask = match &wmask {
                None => g.initial_mask(),
                Some(cell) => {
                    let mask = g.mask_cell_load(cell);
                    let go = g.block(c"stretch");
                    g.m.cond_br(g.any(mask), go, g.stretch_end);
                    g.m.position(go);
                    mask
                }
            };
            for &(v, rep) in &shared {
                g.set_here(v, rep);
            }
            for &v in &s.live_in {
                g.live_in(v)?;
            }
            let flow = g.insts(s.insts, mask, y, |g, left| g.moves(s, left))?;
            let Flow::Falls(left) = flow else { return Ok(()) };
            if let (Some(alive), Some(cell)) = (&alive, &wmask) {
                g.mask_cell_store(cell, left);
                g.note(alive, left);
            }
            Ok(())
        })?;
        self.end_scope();
        Ok(match alive.map(|c| self.cell_load(&c)) {
            Some(Rep::Uni(v)) => Some(v),
            _ => None,
        })
    }

    /// Makes a value from outside available in the current stretch.
    fn live_in(&mut self, v: Value) -> Result<()> {
        if self.vals[v.index()].is_some() {
            return Ok(());
        }
        if let Some(inst) = self.plan.remat[v.index()] {
            let mut operands = Vec::new();
            inst.op.for_each_operand(&mut |o| operands.push(o));
            for o in operands {
                self.live_in(o)?;
            }
            return self.simple(inst, Mask::Full);
        }
        let cell = self.wcell(v)?;
        let rep = self.cell_load(&cell);
        self.set_here(v, rep);
        Ok(())
    }

    /// What a stretch hands on.
    fn moves(&mut self, s: &Stretch<'_>, left: Mask) -> Result<()> {
        // All sources are in registers, so the order does not matter.
        for &(to, from) in &s.moves {
            let cell = self.wcell(to)?;
            let rep = self.rep(from)?;
            if s.blend {
                self.cell_blend(&cell, rep, left);
            } else {
                self.cell_store(&cell, rep);
            }
        }
        Ok(())
    }

    /// A condition or selector that the whole workgroup shares.
    fn wscalar(&mut self, v: Value) -> Result<Val> {
        self.live_in(v)?;
        let s = self.scalar(v)?;
        self.end_scope();
        Ok(s)
    }

    // ---- constructs ----

    fn wif(&mut self, cond: Value, then: &WRegion<'_>, els: &WRegion<'_>) -> Result<bool> {
        let c = self.wscalar(cond)?;
        let blocks = [self.block(c"group.then"), self.block(c"group.else")];
        let end = self.block(c"group.endif");
        self.m.cond_br(c, blocks[0], blocks[1]);
        let mut falls = false;
        for (block, side) in blocks.into_iter().zip([then, els]) {
            self.m.position(block);
            if self.wregion(side, None)? {
                self.m.br(end);
                falls = true;
            }
        }
        self.m.position(end);
        if !falls {
            self.m.br(self.exit);
        }
        Ok(falls)
    }

    /// Lanes of a value in the current subgroup.
    fn lanes_of_live(&mut self, v: Value) -> Result<Val> {
        self.live_in(v)?;
        self.vector(v)
    }

    /// An If whose sides are executed one after the other, each for the invocations that take it and only if there are any.
    fn wif_apart(&mut self, cond: Value, then: &WRegion<'_>, els: &WRegion<'_>, wmask: &Cell) -> Result<bool> {
        // Those that are not in the side that is executed.
        let others = self.arena_cell(Type::Bool, Form::Vec)?;
        let any = [self.stack_cell(Type::Bool, Form::Uni), self.stack_cell(Type::Bool, Form::Uni)];
        any.iter().for_each(|c| self.cell_clear(c));
        self.each_subgroup(|g| {
            let mask = g.mask_cell_load(wmask);
            let c = g.lanes_of_live(cond)?;
            let sides = [g.mask_and(mask, c), g.mask_and(mask, g.m.not(c))];
            for ((side, cell), any) in sides.into_iter().zip([wmask, &others]).zip(&any) {
                g.mask_cell_store(cell, side);
                g.note(any, side);
            }
            Ok(())
        })?;
        self.end_scope();
        let [first, second] = any.map(|c| match self.cell_load(&c) {
            Rep::Uni(v) => v,
            _ => self.m.iconst(self.m.int(1), 1),
        });
        let (enter, between) = (self.block(c"group.then"), self.block(c"group.between"));
        let (other, merge, end) = (self.block(c"group.else"), self.block(c"group.merge"), self.block(c"group.endif"));
        self.m.cond_br(first, enter, between);
        self.m.position(enter);
        if self.wregion(then, None)? {
            // If all are here, their mask is as it shall be behind the If.
            self.m.cond_br(second, between, end);
        }
        self.m.position(between);
        self.each_subgroup(|g| {
            let (left, side) = (g.mask_cell_load(wmask), g.mask_cell_load(&others));
            g.mask_cell_store(&others, left);
            g.mask_cell_store(wmask, side);
            Ok(())
        })?;
        self.m.cond_br(second, other, merge);
        self.m.position(other);
        if self.wregion(els, None)? {
            self.m.br(merge);
        }
        self.m.position(merge);
        self.each_subgroup(|g| {
            let others = g.mask_cell_load(&others);
            g.mask_cell_or(wmask, others);
            Ok(())
        })?;
        self.m.br(end);
        self.m.position(end);
        Ok(true)
    }

    fn wframe(&mut self, inst: &Inst, together: bool) -> Result<Frame> {
        let exit = self.block(c"group.exit");
        let results = inst.results.iter().map(|r| self.wcell(*r)).collect::<Result<Vec<_>>>()?;
        let exit_mask = if together { None } else { Some(self.arena_cell(Type::Bool, Form::Vec)?) };
        Ok(Frame {
            together,
            exit,
            exit_mask,
            join: None,
            results,
            plain_results: false,
            next: exit,
            next_mask: None,
            next_join: None,
            params: Vec::new(),
            plain_params: false,
            reads: false,
        })
    }

    /// Clears what exits that do not come together accumulate.
    fn wopen(&mut self, frame: &Frame) -> Result<()> {
        let cells: Vec<Cell> = frame.exit_mask.iter().chain(&frame.next_mask).cloned().collect();
        if cells.is_empty() {
            return Ok(());
        }
        self.each_subgroup(|g| {
            for cell in &cells {
                g.mask_cell_store(cell, Mask::Empty);
            }
            Ok(())
        })
    }

    /// Positions at the end of a construct; invocations that waited there are active again.
    fn wclose(&mut self, label: Label, falls: bool) -> Result<bool> {
        let Some(frame) = self.frames.remove(&label) else { return Ok(false) };
        if falls {
            self.m.br(frame.exit);
        }
        self.m.position(frame.exit);
        if let (Some(exit_mask), Some(wmask)) = (&frame.exit_mask, self.wmask.clone()) {
            self.each_subgroup(|g| {
                let mask = g.mask_cell_load(exit_mask);
                g.mask_cell_store(&wmask, mask);
                Ok(())
            })?;
        }
        Ok(true)
    }

    fn wblock(&mut self, inst: &Inst, label: Label, body: &WRegion<'_>) -> Result<bool> {
        let frame = self.wframe(inst, label_together(&self.uni, label))?;
        self.wopen(&frame)?;
        self.frames.insert(label, frame);
        let falls = self.wregion(body, Some(label))?;
        self.wclose(label, falls)
    }

    fn wloop(&mut self, inst: &Inst, label: Label, body: &WRegion<'_>) -> Result<bool> {
        let mut frame = self.wframe(inst, label_together(&self.uni, label))?;
        let Op::Loop { body: region, .. } = &inst.op else { return Ok(true) };
        frame.params = region.params.iter().map(|p| self.wcell(*p)).collect::<Result<Vec<_>>>()?;
        let head = self.block(c"group.loop");
        let latch = self.block(c"group.latch");
        frame.next = latch;
        if !frame.together {
            frame.next_mask = Some(self.arena_cell(Type::Bool, Form::Vec)?);
        }
        let (exit, next_mask) = (frame.exit, frame.next_mask.clone());
        self.wopen(&frame)?;
        self.frames.insert(label, frame);
        self.m.br(head);
        self.m.position(head);
        let falls = self.wregion(body, None)?;
        match (next_mask, self.wmask.clone()) {
            (Some(next), Some(wmask)) => {
                if falls {
                    self.m.br(latch);
                }
                self.m.position(latch);
                let more = self.any_subgroup(|g| {
                    let mask = g.mask_cell_load(&next);
                    g.mask_cell_store(&wmask, mask);
                    g.mask_cell_store(&next, Mask::Empty);
                    Ok(mask)
                })?;
                let again = self.block(c"group.again");
                self.m.cond_br(more, again, exit);
                self.m.position(again);
                self.back_edge(head);
            }
            _ => {
                if falls {
                    self.m.br(exit);
                }
                self.m.position(latch);
                self.back_edge(head);
            }
        }
        self.wclose(label, false)
    }

    fn wswitch(&mut self, node: &Node<'_>, label: Label, selector: Value) -> Result<bool> {
        let Node::Switch { inst, cases, entries, bodies, .. } = node else { return Ok(true) };
        let together = label_together(&self.uni, label);
        let frame = self.wframe(inst, together)?;
        self.wopen(&frame)?;
        let exit = frame.exit;
        self.frames.insert(label, frame);
        let s = self.wscalar(selector)?;
        let ty = self.k.ty(selector);
        let enters: Vec<Block> = cases.iter().map(|_| self.block(c"group.case")).collect();
        let mut default = exit;
        let mut targets = Vec::new();
        for (case, &enter) in cases.iter().zip(&enters) {
            if case.is_default {
                default = enter;
            }
            targets.extend(case.literals.iter().map(|&l| (self.konst(ty, 0, l), enter)));
        }
        self.m.switch(s, default, &targets);
        for (i, body) in bodies.iter().enumerate() {
            self.m.position(enters[i]);
            if !entries[i].moves.is_empty() {
                self.stretch(&entries[i], None)?;
            }
            if self.wregion(body, Some(label))? {
                self.m.br(exit);
            }
        }
        self.wclose(label, false)
    }

    /// A switch whose arms are executed one after the other, each for the invocations that take it and only if there are
    /// any. All wait at the end of the switch for the others.
    fn wswitch_apart(&mut self, node: &Node<'_>, label: Label, selector: Value, wmask: &Cell) -> Result<bool> {
        let Node::Switch { inst, cases, entries, bodies, .. } = node else { return Ok(true) };
        let frame = self.wframe(inst, false)?;
        self.wopen(&frame)?;
        self.frames.insert(label, frame);
        let entered = self.arena_cell(Type::Bool, Form::Vec)?;
        self.each_subgroup(|g| {
            let mask = g.mask_cell_load(wmask);
            g.mask_cell_store(&entered, mask);
            Ok(())
        })?;
        let ty = self.k.ty(selector);
        let all: Vec<u64> = cases.iter().flat_map(|c| c.literals.iter().copied()).collect();
        for (i, case) in cases.iter().enumerate() {
            let any = self.any_subgroup(|g| {
                let mask = g.mask_cell_load(&entered);
                let s = g.lanes_of_live(selector)?;
                let none = g.m.zero(g.bool_lanes());
                let mut hit = g.matches(s, ty, g.lanes, &case.literals).unwrap_or(none);
                if case.is_default {
                    let named = g.matches(s, ty, g.lanes, &all).unwrap_or(none);
                    hit = g.m.or(hit, g.m.not(named));
                }
                let arm = g.mask_and(mask, hit);
                g.mask_cell_store(wmask, arm);
                Ok(arm)
            })?;
            self.end_scope();
            let (enter, next) = (self.block(c"group.case"), self.block(c"group.case.end"));
            self.m.cond_br(any, enter, next);
            self.m.position(enter);
            if !entries[i].moves.is_empty() {
                self.stretch(&entries[i], None)?;
            }
            if self.wregion(&bodies[i], Some(label))? {
                self.m.br(next);
            }
            self.m.position(next);
        }
        self.wclose(label, true)
    }
}

/// Whether invocations may leave a stretch to constructs around it.
fn thins(g: &Gen<'_>, s: &Stretch<'_>) -> bool {
    g.plan.split
        && s.insts.iter().any(|i| match &i.op {
            Op::Break(..) | Op::Continue(..) | Op::Return | Op::Unreachable => true,
            // A yield inside a stretch leaves a Block or Switch whose ends are reached apart.
            Op::Yield(_) => true,
            _ => g.leaves(i),
        })
}
