//! Switches inside a stretch (without fallthrough, see `normalise`).

use super::flow::{Flow, Frame, YieldTo};
use super::gen::{Gen, Mask, Result};
use super::ir::{Block, Icmp, Val};
use compiler::sir::{Inst, Label, SwitchCase, Type, Value};

impl Gen<'_> {
    /// Which lanes (or, of a uniform selector, whether all) take an arm by the selector.
    pub fn matches(&self, selector: Val, ty: Type, n: u32, literals: &[u64]) -> Option<Val> {
        let mut any = None;
        for &l in literals {
            let hit = self.m.icmp(Icmp::Eq, selector, self.konst(ty, n, l));
            any = Some(match any {
                None => hit,
                Some(a) => self.m.or(a, hit),
            });
        }
        any
    }

    pub fn switch(
        &mut self,
        inst: &Inst,
        label: Label,
        selector: Value,
        cases: &[SwitchCase],
        mask: Mask,
    ) -> Result<Flow> {
        let cells = inst.results.iter().map(|r| self.cell_for(*r)).collect();
        let frame = self.frame(label, cells, mask);
        self.open_results(inst, &frame);
        if frame.together && self.is_uniform(selector) {
            self.uniform_switch(inst, label, selector, cases, mask, frame)
        } else {
            self.masked_switch(inst, label, selector, cases, mask, frame)
        }
    }

    fn uniform_switch(
        &mut self,
        inst: &Inst,
        label: Label,
        selector: Value,
        cases: &[SwitchCase],
        mask: Mask,
        frame: Frame,
    ) -> Result<Flow> {
        let exit = frame.exit;
        self.frames.insert(label, frame);
        let s = self.scalar(selector)?;
        let ty = self.k.ty(selector);
        let enters: Vec<Block> = cases.iter().map(|_| self.block(c"case")).collect();
        let mut targets = Vec::new();
        let mut default = exit;
        for (case, &enter) in cases.iter().zip(&enters) {
            if case.is_default {
                default = enter;
            }
            targets.extend(case.literals.iter().map(|&l| (self.konst(ty, 0, l), enter)));
        }
        self.m.switch(s, default, &targets);
        for (case, &enter) in cases.iter().zip(&enters) {
            self.m.position(enter);
            for (&p, &v) in case.body.params.iter().zip(&case.init) {
                let rep = self.rep(v)?;
                self.set_here(p, rep);
            }
            if let Flow::Falls(left) = self.region(&case.body, mask, YieldTo::Label(label))? {
                self.arrive_at_exit(label, left);
                self.m.br(exit);
            }
        }
        if default == exit {
            // Without a default arm lanes go past all arms; the verifier asks for one.
            if let Some(Frame { join: Some(join), .. }) = self.frames.get_mut(&label) {
                join.reached = true;
            }
        }
        self.close(inst, label, Flow::Dead, mask)
    }

    fn masked_switch(
        &mut self,
        inst: &Inst,
        label: Label,
        selector: Value,
        cases: &[SwitchCase],
        mask: Mask,
        mut frame: Frame,
    ) -> Result<Flow> {
        if frame.together {
            // A varying selector parts lanes whatever else is known.
            frame.together = false;
            frame.join = None;
            let cell = self.mask_cell();
            self.mask_cell_store(&cell, Mask::Empty);
            frame.exit_mask = Some(cell);
        }
        self.frames.insert(label, frame);
        let ty = self.k.ty(selector);
        let (s, n) =
            if self.is_uniform(selector) { (self.scalar(selector)?, 0) } else { (self.vector(selector)?, self.lanes) };
        let lanes = |g: &Self, hit: Val| if n == 0 { g.splat(hit) } else { hit };
        let mut explicit = Vec::new();
        let mut default = None;
        for case in cases {
            let hit = self.matches(s, ty, n, &case.literals).map(|h| lanes(self, h));
            if let Some(h) = hit {
                default = Some(match default {
                    None => h,
                    Some(d) => self.m.or(d, h),
                });
            }
            explicit.push(hit);
        }
        let others = default.map_or(self.m.ones(self.bool_lanes()), |d| self.m.not(d));
        for (case, explicit) in cases.iter().zip(explicit) {
            let hit = match (explicit, case.is_default) {
                (Some(h), true) => self.m.or(h, others),
                (None, true) => others,
                (Some(h), false) => h,
                (None, false) => continue,
            };
            let entered = self.mask_and(mask, hit);
            let enter = self.block(c"case");
            let end = self.block(c"case.end");
            self.m.cond_br(self.any(entered), enter, end);
            self.m.position(enter);
            for (&p, &v) in case.body.params.iter().zip(&case.init) {
                let rep = self.rep(v)?;
                self.set_here(p, rep);
            }
            if let Flow::Falls(_) = self.region(&case.body, entered, YieldTo::Label(label))? {
                self.m.br(end);
            }
            self.m.position(end);
        }
        self.close(inst, label, Flow::Falls(Mask::Empty), mask)
    }
}
