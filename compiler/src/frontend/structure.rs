//! From blocks to regions: walks the tree of `cfg` and emits nested `Block`, `Loop`, `If` and `Switch` regions.

use super::cfg::{Cfg, Merge, Term};
use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::val::Val;
use crate::sir::{Label, Op as Sir, Region, SwitchCase};
use spirv::Op;
use std::rc::Rc;

/// A block that enclosing regions lead to.
pub(super) struct Scope {
    target: usize,
    label: Label,
    /// Reached by the next iteration of the loop `label` instead of by leaving it.
    again: bool,
    used: bool,
}

/// Where control goes when the current region yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// The region must not yield (a loop body).
    None,
    Block(usize),
    Return,
}

impl<'a> Translator<'a> {
    fn cfg(&self) -> R<Rc<Cfg>> {
        Ok(self.frame()?.cfg.clone())
    }

    /// Emits a block and everything below it in the tree; the current region is terminated afterwards.
    pub(super) fn emit_tree(&mut self, start: usize, tail: Tail) -> R<()> {
        let cfg = self.cfg()?;
        let mut cur = start;
        loop {
            if self.b.terminated() {
                return Ok(());
            }
            if !cfg.live[cur] {
                self.b.push(&[], Sir::Unreachable);
                return Ok(());
            }
            if let Merge::Loop { merge, .. } = cfg.merge[cur] {
                if !self.emit_loop(cur, merge)? {
                    self.b.push(&[], Sir::Unreachable);
                    return Ok(());
                }
                cur = merge;
            } else {
                match self.emit_within(cur, tail)? {
                    Some(next) => cur = next,
                    None => return Ok(()),
                }
            }
        }
    }

    /// Emits the loop of a header; says whether its merge block is reached.
    fn emit_loop(&mut self, header: usize, merge: usize) -> R<bool> {
        let label = self.b.label();
        self.b.open()?;
        let frame = self.frame_mut()?;
        frame.scopes.push(Scope { target: merge, label, again: false, used: false });
        frame.scopes.push(Scope { target: header, label, again: true, used: false });
        if let Some(next) = self.emit_within(header, Tail::None)? {
            self.emit_tree(next, Tail::None)?;
        }
        self.finish(Tail::None)?;
        let frame = self.frame_mut()?;
        frame.scopes.pop();
        let used = frame.scopes.pop().is_some_and(|s| s.used);
        let body = self.b.close();
        self.b.push(&[], Sir::Loop { label, init: Vec::new(), body });
        Ok(used)
    }

    /// Emits a block with the joins below it. Returns the block to go on with in the same region and with the same tail.
    fn emit_within(&mut self, block: usize, tail: Tail) -> R<Option<usize>> {
        let cfg = self.cfg()?;
        let joins = &cfg.joins_of[block];
        for &target in joins.iter().rev() {
            let label = self.b.label();
            self.b.open()?;
            self.frame_mut()?.scopes.push(Scope { target, label, again: false, used: false });
        }
        let inner = joins.first().map_or(tail, |&j| Tail::Block(j));
        let next = self.emit_block(block, inner)?;
        if joins.is_empty() {
            return Ok(next);
        }
        if let Some(next) = next {
            self.emit_tree(next, inner)?;
        }
        for (i, &join) in joins.iter().enumerate() {
            self.finish(Tail::None)?;
            let scope = self.frame_mut()?.scopes.pop().ok_or_else(|| Error::invalid("unbalanced control flow"))?;
            let yields = matches!(self.b.last(), Some(Sir::Yield(_)));
            if scope.used {
                let body = self.b.close();
                self.b.push(&[], Sir::Block { label: scope.label, body });
            } else {
                self.b.splice();
            }
            if !scope.used && !yields {
                // Nothing leads to the join, and what was spliced ends this region.
                continue;
            }
            match joins.get(i + 1) {
                None => return Ok(Some(join)),
                Some(&after) => self.emit_tree(join, Tail::Block(after))?,
            }
        }
        Ok(None)
    }

    /// Emits the instructions of one block and its terminator. Returns the block that follows in the same region.
    fn emit_block(&mut self, block: usize, tail: Tail) -> R<Option<usize>> {
        let func = self.frame()?.func;
        let insts = &func.blocks[block].insts;
        let Some((last, body)) = insts.split_last() else { return Ok(None) };
        let mut head = true;
        for inst in body {
            self.work.charge(1).map_err(|e| inst.blame(e))?;
            head &= inst.op == Op::Phi;
            if inst.op == Op::Phi && !head {
                return Err(inst.blame(Error::invalid("a phi must stand at the head of its block")));
            }
            self.translate(inst).and_then(|()| self.b.check()).map_err(|e| inst.blame(e))?;
        }
        self.emit_terminator(block, tail).and_then(|n| self.b.check().map(|()| n)).map_err(|e| last.blame(e))
    }

    fn emit_terminator(&mut self, block: usize, tail: Tail) -> R<Option<usize>> {
        let cfg = self.cfg()?;
        match &cfg.term[block] {
            Term::Branch(t) => self.branch(&cfg, block, *t, tail),
            Term::Cond(c, t, f) => self.conditional(&cfg, block, *c, *t, *f, tail),
            Term::Switch(selector, default, cases) => {
                let selector = self.scalar(*selector)?;
                let mut arms = Vec::with_capacity(cases.len() + 1);
                let mut yields = false;
                let lone = (!cases.iter().any(|c| c.0 == *default)).then_some((*default, &[][..]));
                for (target, literals) in cases.iter().map(|c| (c.0, &c.1[..])).chain(lone) {
                    let body = self.arm(&cfg, block, target, tail)?;
                    yields |= matches!(body.terminator(), Some(Sir::Yield(_)));
                    let is_default = target == *default;
                    arms.push(SwitchCase { literals: literals.to_vec(), is_default, body, init: Vec::new() });
                }
                let label = self.b.label();
                self.b.push(&[], Sir::Switch { label, selector, cases: arms });
                self.finish(if yields { tail } else { Tail::None })?;
                Ok(None)
            }
            Term::Return => self.emit_return(None, tail),
            Term::ReturnValue(v) => self.emit_return(Some(*v), tail),
            Term::Unreachable => {
                self.b.push(&[], Sir::Unreachable);
                Ok(None)
            }
        }
    }

    fn conditional(&mut self, cfg: &Cfg, from: usize, c: u32, t: usize, f: usize, tail: Tail) -> R<Option<usize>> {
        let cond = self.scalar(c)?;
        if self.b.ty(cond) != crate::sir::Type::Bool {
            return Err(Error::invalid("the condition is not a Bool"));
        }
        let leaves = |to: usize| !cfg.inline(from, to) && tail != Tail::Block(to);
        let stay = || Region { params: Vec::new(), insts: vec![] };
        // One side leaves for an enclosing construct: the other one goes on in this region.
        let next = if leaves(t) && cfg.inline(from, f) {
            let then = self.arm(cfg, from, t, tail)?;
            let mut els = stay();
            els.push(&[], Sir::Yield(Vec::new()));
            self.b.push(&[], Sir::If { cond, then, els });
            f
        } else if leaves(f) && cfg.inline(from, t) {
            let els = self.arm(cfg, from, f, tail)?;
            let mut then = stay();
            then.push(&[], Sir::Yield(Vec::new()));
            self.b.push(&[], Sir::If { cond, then, els });
            t
        } else {
            let then = self.arm(cfg, from, t, tail)?;
            let els = self.arm(cfg, from, f, tail)?;
            let yields = [&then, &els].iter().any(|r| matches!(r.terminator(), Some(Sir::Yield(_))));
            self.b.push(&[], Sir::If { cond, then, els });
            self.finish(if yields { tail } else { Tail::None })?;
            return Ok(None);
        };
        self.branch(cfg, from, next, tail)
    }

    /// One side of a branch as a region of its own.
    fn arm(&mut self, cfg: &Cfg, from: usize, to: usize, tail: Tail) -> R<Region> {
        self.b.open()?;
        if let Some(next) = self.branch(cfg, from, to, tail)? {
            self.emit_tree(next, tail)?;
        }
        self.finish(Tail::None)?;
        Ok(self.b.close())
    }

    /// Goes from one block to another: in place (returned), or by an exit.
    fn branch(&mut self, cfg: &Cfg, from: usize, to: usize, tail: Tail) -> R<Option<usize>> {
        self.phi_stores(from, to)?;
        if cfg.inline(from, to) {
            return Ok(Some(to));
        }
        if tail == Tail::Block(to) {
            self.b.push(&[], Sir::Yield(Vec::new()));
            return Ok(None);
        }
        let scope = self.frame_mut()?.scopes.iter_mut().rev().find(|s| s.target == to);
        let scope =
            scope.ok_or_else(|| Error::invalid("unstructured control flow: the branch enters another construct"))?;
        scope.used = true;
        let (label, again) = (scope.label, scope.again);
        self.b.push(&[], if again { Sir::Continue(label, vec![]) } else { Sir::Break(label, vec![]) });
        Ok(None)
    }

    /// Terminates the current region, if it is not, by going where its tail says.
    pub(super) fn finish(&mut self, tail: Tail) -> R<()> {
        if self.b.terminated() {
            return Ok(());
        }
        let frame = self.frame()?;
        let outermost = frame.is_entry && self.b.depth() == frame.depth;
        self.b.push(
            &[],
            match tail {
                Tail::None => Sir::Unreachable,
                Tail::Return if outermost => Sir::Return,
                Tail::Block(_) | Tail::Return => Sir::Yield(Vec::new()),
            },
        );
        Ok(())
    }

    fn emit_return(&mut self, value: Option<u32>, tail: Tail) -> R<Option<usize>> {
        let ret_ty = self.frame()?.func.def.ty;
        match value {
            Some(id) => {
                let (ty, val) = self.get(id)?;
                if ty != ret_ty {
                    return Err(Error::invalid("the returned value has another type than the function"));
                }
                match self.frame()?.ret_slots.clone() {
                    None => self.frame_mut()?.ret_val = Some(val),
                    Some(slots) => {
                        let leaves = self.flatten_val(ret_ty, val)?;
                        for (&slot, v) in slots.iter().zip(leaves) {
                            self.b.store_slot(slot, v);
                        }
                    }
                }
            }
            None if !matches!(self.types.get(ret_ty)?, super::types::Ty::Void) => {
                return Err(Error::invalid("the function must return a value"));
            }
            None => {}
        }
        if tail == Tail::Return {
            self.finish(Tail::Return)?;
        } else if self.frame()?.is_entry {
            self.b.push(&[], Sir::Return);
        } else {
            let frame = self.frame_mut()?;
            frame.ret_used = true;
            let label = frame.ret_label;
            self.b.push(&[], Sir::Break(label, vec![]));
        }
        Ok(None)
    }

    // ---- phis ----

    fn phis(&self, block: usize) -> R<Vec<Inst<'a>>> {
        let func = self.frame()?.func;
        Ok(func.blocks[block].insts.iter().take_while(|i| i.op == Op::Phi).copied().collect())
    }

    /// Stores what the phis of `to` take when control comes from `from`.
    fn phi_stores(&mut self, from: usize, to: usize) -> R<()> {
        let from_label = self.frame()?.func.blocks[from].label;
        for phi in self.phis(to)? {
            if phi.ops.len() <= 2 {
                continue;
            }
            self.work.charge(phi.ops.len() as u64 / 16 + 1)?;
            let pair = phi.ops.chunks_exact(2).find(|p| p[1] == from_label);
            let pair = pair.ok_or_else(|| phi.blame(Error::invalid(format!("no value for block %{from_label}"))))?;
            let slots = self.phi_slots(&phi).map_err(|e| phi.blame(e))?;
            let (ty, val) = self.get(pair[0]).map_err(|e| phi.blame(e))?;
            if ty != phi.ty {
                return Err(phi.blame(Error::invalid("an incoming value has another type")));
            }
            let leaves = self.flatten_val(ty, val).map_err(|e| phi.blame(e))?;
            for (&slot, v) in slots.iter().zip(leaves) {
                self.b.store_slot(slot, v);
            }
        }
        Ok(())
    }

    fn phi_slots(&mut self, phi: &Inst<'a>) -> R<Rc<[crate::sir::SlotId]>> {
        if let Some(s) = self.frame()?.phis.get(&phi.id) {
            return Ok(s.clone());
        }
        let slots = self.slots_for(phi.ty)?;
        self.frame_mut()?.phis.insert(phi.id, slots.clone());
        Ok(slots)
    }

    /// `OpPhi` at the head of its block.
    pub(super) fn phi(&mut self, inst: &Inst<'a>) -> R<()> {
        if let [value, _] = *inst.ops {
            let (ty, val) = self.get(value)?;
            if ty != inst.ty {
                return Err(Error::invalid("the incoming value has another type"));
            }
            return self.set(inst, val);
        }
        let slots = self.phi_slots(inst)?;
        let types = self.types.flatten(inst.ty)?;
        let leaves = slots.iter().zip(types.iter()).map(|(&s, &t)| self.b.load_slot(s, t)).collect();
        self.set(inst, Val::Flat(leaves))
    }
}
