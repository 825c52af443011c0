//! Statements: assignments, branches, loops, switches, functions.

use super::module::{Id, Type, BOOL, U32};
use super::program::{Gen, Known};
use super::Rng;
use spirv::{LoopControl, Op, SelectionControl, StorageClass};

/// A function of the program's own.
#[derive(Clone, Debug)]
pub struct Function {
    /// It.
    pub id: Id,
    /// Types of its parameters.
    pub parameters: Vec<Type>,
    /// Type of what the pointer, its last parameter, points to.
    pub pointer: Type,
    /// Type of its result.
    pub returns: Type,
}

/// Where the program is being built.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// Whether all invocations of the workgroup are here.
    pub uniform: bool,
    /// How deep constructs are nested.
    pub depth: u32,
    /// Merge and continue blocks of the loops around, if they may be left.
    loops: Vec<(Id, Id)>,
    /// Whether the function may be left here, and with what.
    returns: Option<Option<Type>>,
    /// Whether the program has subgroup operations.
    pub subgroups: bool,
    /// Whether they may stand in divergent control flow.
    pub maximal: bool,
}

impl Gen<'_> {
    /// Functions that statements may call.
    pub fn make_functions(&mut self, positions: [Id; 2]) {
        for _ in 0..self.rng.below(3) {
            let parameters: Vec<Type> = (0..1 + self.rng.below(3)).map(|_| self.any_type()).collect();
            let (pointer, returns) = (self.any_type(), self.any_type());
            let id = self.m.id();
            let mut types: Vec<Id> = parameters.iter().map(|p| self.m.ty(*p)).collect();
            let to = self.m.ty(pointer);
            types.push(self.m.pointer(StorageClass::Function, to));
            let result = self.m.ty(returns);
            let ids = self.m.begin(id, result, &types);
            let word = self.m.ty(U32);
            [self.local_index, self.global_index] = positions.map(|p| self.m.op(Op::Load, word, &[p]));
            self.pool.clear();
            self.know(self.local_index, U32, false);
            for (id, ty) in ids.iter().zip(&parameters) {
                self.know(*id, *ty, false);
            }
            let inout = ids[parameters.len()];
            let value = self.m.op(Op::Load, to, &[inout]);
            self.know(value, pointer, false);
            self.flow = Flow { returns: Some(Some(returns)), subgroups: self.flow.subgroups, ..Flow::default() };
            self.statements(4);
            let value = self.expr(pointer);
            self.m.act(Op::Store, &[inout, value.id]);
            let value = self.expr(returns);
            self.m.act(Op::ReturnValue, &[value.id]);
            self.m.end();
            self.functions.push(Function { id, parameters, pointer, returns });
        }
    }

    /// The program proper: first where all invocations of a workgroup are together, then with early ends.
    pub fn body(&mut self, size: u32) {
        let subgroups = self.flow.subgroups;
        self.flow = Flow { uniform: true, subgroups, ..Flow::default() };
        for _ in 0..size - size / 4 {
            self.statement();
        }
        self.flow = Flow { returns: Some(None), subgroups, maximal: self.maximal(), ..Flow::default() };
        for _ in 0..size / 4 {
            self.statement();
        }
        self.m.act(Op::Return, &[]);
    }

    /// Some statements in a row.
    fn statements(&mut self, most: u32) {
        for _ in 0..1 + self.rng.below(most) {
            self.statement();
        }
    }

    /// One statement. It has a number and a stream of random numbers of its own, which come from the statement around it
    /// and its place there, so that leaving another one out changes it little.
    fn statement(&mut self) {
        self.place += 1;
        let number = Rng::new(self.around ^ u64::from(self.place)).bits();
        if self.budget == 0 || self.recipe.skip.contains(&number) {
            return;
        }
        self.budget -= 1;
        self.statements.push(number);
        let rng = std::mem::replace(&mut self.rng, Rng::new(number));
        let (around, place) = (std::mem::replace(&mut self.around, number), std::mem::take(&mut self.place));
        self.one_statement();
        (self.rng, self.around, self.place) = (rng, around, place);
    }

    fn one_statement(&mut self) {
        let nest = self.flow.depth < 4;
        match self.rng.below(100) {
            0..=17 => {
                let ty = self.any_type();
                self.expr(ty);
            }
            18..=39 => self.store(),
            40..=46 => {
                self.load();
            }
            47..=52 => self.atomic(),
            53..=55 => self.own_atomic(),
            56..=60 => self.approximate(),
            61..=68 if nest => self.branch(),
            69..=75 if nest => self.repeat(),
            76..=79 if nest => self.switch(),
            80..=84 => self.call(),
            85..=91 if self.flow.uniform => self.exchange(),
            85..=99 if self.flow.subgroups && (self.flow.uniform || self.flow.maximal) => self.subgroup(),
            92..=95 => self.leave(),
            _ => self.store(),
        }
    }

    /// A condition, uniform or not.
    fn condition(&mut self, uniform: bool) -> Id {
        if uniform {
            return self.pick(BOOL, true).id;
        }
        self.expr(BOOL).id
    }

    /// Runs `f` inside a construct: what it defines is not known behind it.
    fn inside(&mut self, uniform: bool, f: impl FnOnce(&mut Self)) {
        let (pool, before) = (self.pool.len(), self.flow.uniform);
        self.flow.uniform &= uniform;
        self.flow.depth += 1;
        f(self);
        self.flow.depth -= 1;
        self.flow.uniform = before;
        self.pool.truncate(pool);
    }

    /// `if`, with or without `else`, with or without a value that comes out of both sides.
    fn branch(&mut self) {
        let uniform = self.rng.chance(30);
        let condition = self.condition(uniform);
        let (yes, no, merge) = (self.m.id(), self.m.id(), self.m.id());
        let two = self.rng.chance(60);
        let ty = self.any_type();
        let control = self.rng.of(&[SelectionControl::NONE, SelectionControl::NONE, SelectionControl::FLATTEN]);
        let before = (self.pick(ty, false), self.m.block);
        self.m.act(Op::SelectionMerge, &[merge, control.bits()]);
        self.m.act(Op::BranchConditional, &[condition, yes, if two { no } else { merge }]);
        let mut ways = Vec::new();
        for label in if two { vec![yes, no] } else { vec![yes] } {
            self.m.label(label);
            self.inside(uniform, |g| {
                g.statements(4);
                let value = g.pick(ty, false);
                ways.push((value, g.m.block));
            });
            self.m.branch(merge);
        }
        if !two {
            ways.push(before);
        }
        self.m.label(merge);
        let t = self.m.ty(ty);
        let operands: Vec<u32> = ways.iter().flat_map(|(k, block)| [k.id, *block]).collect();
        let id = self.m.op(Op::Phi, t, &operands);
        self.know(id, ty, false);
    }

    /// A loop with at most eight turns, left early here and there.
    fn repeat(&mut self) {
        let uniform = self.rng.chance(40);
        let limit = self.pick(U32, uniform).id;
        let word = self.m.ty(U32);
        let (seven, zero, one) = (self.m.u32(7), self.m.u32(0), self.m.u32(1));
        let limit = self.m.op(Op::BitwiseAnd, word, &[limit, seven]);
        let carried = self.any_type();
        let first = self.pick(carried, false);
        let before = self.m.block;
        let [header, check, body, next, merge] = [(); 5].map(|()| self.m.id());
        let (counter, more, last) = (self.m.id(), self.m.id(), self.m.id());
        let carried_type = self.m.ty(carried);
        self.m.branch(header);
        self.m.label(header);
        self.m.act(Op::Phi, &[word, counter, zero, before, more, next]);
        let value = self.m.op(Op::Phi, carried_type, &[first.id, before, last, next]);
        self.m.act(Op::LoopMerge, &[merge, next, LoopControl::NONE.bits()]);
        self.m.branch(check);
        self.m.label(check);
        let go = self.m.ty(BOOL);
        let go = self.m.op(Op::ULessThan, go, &[counter, limit]);
        self.m.act(Op::BranchConditional, &[go, body, merge]);
        self.m.label(body);
        let exits = !uniform || self.rng.chance(30);
        self.inside(uniform && !exits, |g| {
            g.know(counter, U32, false);
            g.know(value, carried, false);
            // What the next turn gets goes through memory: a turn may be cut short.
            let kept = g.m.local(carried_type);
            let now = g.expr(carried);
            g.m.act(Op::Store, &[kept, now.id]);
            if exits {
                g.flow.loops.push((merge, next));
            }
            let outer = if exits { Vec::new() } else { std::mem::take(&mut g.flow.loops) };
            let returns = if uniform && !exits { g.flow.returns.take() } else { g.flow.returns };
            g.statements(5);
            if exits {
                g.flow.loops.pop();
            } else {
                g.flow.loops = outer;
            }
            g.flow.returns = returns;
            g.m.branch(next);
            g.m.label(next);
            g.m.act(Op::IAdd, &[word, more, counter, one]);
            g.m.act(Op::Load, &[carried_type, last, kept]);
            g.m.branch(header);
        });
        self.m.label(merge);
        self.know(value, carried, false);
    }

    /// `switch`, with cases that fall through.
    fn switch(&mut self) {
        let uniform = self.rng.chance(30);
        let selector = self.pick(U32, uniform).id;
        let word = self.m.ty(U32);
        let three = self.m.u32(3);
        let selector = self.m.op(Op::BitwiseAnd, word, &[selector, three]);
        let cases = 2 + self.rng.below(3);
        let labels: Vec<Id> = (0..cases).map(|_| self.m.id()).collect();
        let merge = self.m.id();
        // The first case's label, the last one's or the merge block is the default.
        let default = self.rng.of(&[labels[0], labels[cases as usize - 1], merge]);
        let mut operands = vec![selector, default];
        for (i, label) in labels.iter().enumerate() {
            operands.extend([i as u32, *label]);
        }
        self.m.act(Op::SelectionMerge, &[merge, SelectionControl::NONE.bits()]);
        self.m.act(Op::Switch, &operands);
        for (i, label) in labels.iter().enumerate() {
            self.m.label(*label);
            // With a fall-through, more come to the next case than took it.
            self.inside(uniform, |g| g.statements(3));
            let through = labels.get(i + 1).filter(|_| self.rng.chance(30));
            self.m.branch(through.copied().unwrap_or(merge));
        }
        self.m.label(merge);
    }

    /// Leaves a loop or the function for some invocations.
    fn leave(&mut self) {
        let out = match (self.flow.loops.last(), self.flow.returns) {
            (Some((merge, next)), _) if self.rng.chance(70) => Some(self.rng.of(&[*merge, *next])),
            (_, Some(_)) if self.flow.depth > 0 => None,
            _ => return self.store(),
        };
        let condition = self.condition(false);
        let (yes, after) = (self.m.id(), self.m.id());
        self.m.act(Op::SelectionMerge, &[after, SelectionControl::NONE.bits()]);
        self.m.act(Op::BranchConditional, &[condition, yes, after]);
        self.m.label(yes);
        self.inside(false, |g| {
            g.store();
            match (out, g.flow.returns) {
                (Some(label), _) => g.m.branch(label),
                (None, Some(Some(ty))) => {
                    let value = g.pick(ty, false);
                    g.m.act(Op::ReturnValue, &[value.id]);
                }
                (None, _) => g.m.act(Op::Return, &[]),
            }
        });
        self.m.label(after);
    }

    /// Calls one of the program's functions.
    fn call(&mut self) {
        if self.functions.is_empty() {
            return self.store();
        }
        let which = self.rng.below(self.functions.len() as u32) as usize;
        let f = self.functions[which].clone();
        let mut operands = vec![f.id];
        for p in &f.parameters {
            operands.push(self.pick(*p, false).id);
        }
        let to = self.m.ty(f.pointer);
        let variable = self.m.local(to);
        let value = self.pick(f.pointer, false);
        self.m.act(Op::Store, &[variable, value.id]);
        operands.push(variable);
        let t = self.m.ty(f.returns);
        let id = self.m.op(Op::FunctionCall, t, &operands);
        self.know(id, f.returns, false);
        let id = self.m.op(Op::Load, to, &[variable]);
        self.know(id, f.pointer, false);
    }

    /// A value of a type: one that is known, a variable, a constant, or one converted from another.
    pub fn pick(&mut self, ty: Type, uniform: bool) -> Known {
        let fits = |k: &Known| k.ty == ty && (!uniform || k.uniform);
        let known: Vec<Known> = self.pool.iter().rev().filter(|k| fits(k)).take(12).copied().collect();
        if !known.is_empty() && self.rng.chance(75) {
            return self.rng.of(&known);
        }
        let vars: Vec<_> = self.vars.iter().filter(|v| v.ty == ty && (!uniform || v.uniform)).copied().collect();
        if !vars.is_empty() && self.rng.chance(50) {
            let v = self.rng.of(&vars);
            let t = self.m.ty(ty);
            let id = self.m.op(Op::Load, t, &[v.id]);
            return self.know(id, ty, v.uniform);
        }
        if self.rng.chance(20) {
            return self.literal(ty);
        }
        let from: Vec<Known> = self.pool.iter().rev().filter(|k| !uniform || k.uniform).take(8).copied().collect();
        if from.is_empty() {
            return self.literal(ty);
        }
        let from = self.rng.of(&from);
        self.convert(from, ty)
    }
}
