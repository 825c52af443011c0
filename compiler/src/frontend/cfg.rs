//! Control-flow graph of a function, and where each block goes in the region tree.
//!
//! The tree is the dominator tree of the *structural* graph: the branches plus an edge from every header to its merge
//! block and continue target, so that a merge block hangs below its header however control really reaches it. A block
//! is a *join* if control comes to it from several places or if it is a declared merge block or continue target; joins
//! are reached by leaving a `Block` that ends just before them. This gives regions for every reducible graph, also where
//! case constructs fall through or a selection has joins of its own.

use super::error::{Error, R};
use super::module::{Function, Inst};
use super::types::Types;
use super::Work;
use crate::hash::{HashMap, HashSet};
use crate::sir::Type;
use spirv::Op;

/// Merge declaration of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    None,
    Selection(usize),
    Loop { merge: usize, cont: usize },
}

/// Terminator of a block; branches on constants are already plain.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Branch(usize),
    /// Condition id, targets.
    Cond(u32, usize, usize),
    /// Selector id, default, and literals per other target.
    Switch(u32, usize, Vec<(usize, Vec<u64>)>),
    Return,
    ReturnValue(u32),
    Unreachable,
}

impl Term {
    fn targets(&self) -> Vec<usize> {
        match self {
            Term::Branch(t) => vec![*t],
            Term::Cond(_, t, f) => vec![*t, *f],
            Term::Switch(_, d, cases) => std::iter::once(*d).chain(cases.iter().map(|c| c.0)).collect(),
            Term::Return | Term::ReturnValue(_) | Term::Unreachable => Vec::new(),
        }
    }
}

const NONE: usize = usize::MAX;

/// Graph and tree.
pub(super) struct Cfg {
    pub merge: Vec<Merge>,
    pub term: Vec<Term>,
    /// Whether control can reach the block.
    pub live: Vec<bool>,
    /// Whether the block is a join.
    pub join: Vec<bool>,
    /// Joins below each block in the order of control, without the merge block of its own loop.
    pub joins_of: Vec<Vec<usize>>,
    parent: Vec<usize>,
    rpo: Vec<usize>,
}

/// Answers what a function's ids are, as far as the graph needs it.
pub(super) trait Facts {
    /// Bits of a scalar constant.
    fn constant(&self, id: u32) -> Option<u64>;
    /// Type id of a value defined in the function or outside.
    fn type_of(&self, id: u32) -> Option<u32>;
    fn types(&self) -> &Types;
}

impl Cfg {
    /// Analyses a function.
    ///
    /// # Errors
    /// Malformed or unstructured control flow.
    pub fn new(f: &Function<'_>, facts: &impl Facts, work: &mut Work) -> R<Cfg> {
        let n = f.blocks.len();
        if n == 0 {
            return Err(Error::unsupported("the function has no body"));
        }
        let index_of: HashMap<u32, usize> = f.blocks.iter().enumerate().map(|(i, b)| (b.label, i)).collect();
        let mut merge = Vec::with_capacity(n);
        let mut full = Vec::with_capacity(n);
        let mut term = Vec::with_capacity(n);
        for block in &f.blocks {
            let last = block.insts.last().ok_or_else(|| Error::invalid("empty block"))?;
            let before = block.insts.len().checked_sub(2).and_then(|i| block.insts.get(i));
            merge.push(before.map_or(Ok(Merge::None), |i| merge_of(i, &index_of))?);
            let parsed = terminator(last, &index_of, facts).map_err(|e| last.blame(e))?;
            full.push(parsed.targets());
            term.push(folded(parsed, facts));
        }
        let mut cfg = Cfg {
            live: reachable(&term),
            merge,
            term,
            join: vec![false; n],
            joins_of: vec![Vec::new(); n],
            parent: vec![NONE; n],
            rpo: vec![NONE; n],
        };
        cfg.place(&full, work)?;
        Ok(cfg)
    }

    /// Whether `to` is emitted in place where `from` branches to it.
    pub fn inline(&self, from: usize, to: usize) -> bool {
        !self.join[to] && self.parent[to] == from && self.rpo[to] > self.rpo[from]
    }

    fn place(&mut self, full: &[Vec<usize>], work: &mut Work) -> R<()> {
        let n = full.len();
        let mut succ: Vec<Vec<usize>> = Vec::with_capacity(n);
        for (i, targets) in full.iter().enumerate() {
            let mut s = match self.merge[i] {
                Merge::None => Vec::new(),
                Merge::Selection(m) => vec![m],
                Merge::Loop { merge, cont } => {
                    if merge == i || merge == cont {
                        return Err(Error::invalid("a loop's merge block is its header or continue target"));
                    }
                    vec![merge, cont]
                }
            };
            s.extend(targets.iter().rev());
            succ.push(s);
        }
        let order = postorder(&succ);
        work.charge(succ.iter().map(|s| s.len() as u64 + 1).sum())?;
        for (i, &b) in order.iter().rev().enumerate() {
            self.rpo[b] = i;
        }
        let mut pred = vec![Vec::new(); n];
        for &b in &order {
            for &s in &succ[b] {
                pred[s].push(b);
            }
        }
        if pred[0].iter().any(|&p| self.rpo[p] != NONE) {
            return Err(Error::invalid("the entry block is a branch target"));
        }
        self.dominators(&order, &pred, work)?;
        self.check_back_edges(&succ, &order, work)?;
        self.find_joins(full, &order)
    }

    /// Immediate dominators, by iteration over reverse postorder.
    fn dominators(&mut self, order: &[usize], pred: &[Vec<usize>], work: &mut Work) -> R<()> {
        self.parent[0] = 0;
        let mut changed = true;
        while changed {
            changed = false;
            for &b in order.iter().rev().filter(|&&b| b != 0) {
                let mut new = NONE;
                for &p in pred[b].iter().filter(|&&p| self.parent[p] != NONE) {
                    work.charge(1)?;
                    let (mut x, mut y) = (p, if new == NONE { p } else { new });
                    while x != y {
                        work.charge(1)?;
                        if self.rpo[x] > self.rpo[y] {
                            x = self.parent[x];
                        } else {
                            y = self.parent[y];
                        }
                    }
                    new = x;
                }
                if self.parent[b] != new {
                    self.parent[b] = new;
                    changed = true;
                }
            }
        }
        Ok(())
    }

    fn check_back_edges(&self, succ: &[Vec<usize>], order: &[usize], work: &mut Work) -> R<()> {
        for &b in order {
            for &s in succ[b].iter().filter(|&&s| self.rpo[s] <= self.rpo[b]) {
                let mut up = b;
                while up != s && up != 0 {
                    work.charge(1)?;
                    up = self.parent[up];
                }
                if up != s || !matches!(self.merge[s], Merge::Loop { .. }) {
                    return Err(Error::invalid("unstructured control flow: a back edge does not go to a loop header"));
                }
            }
        }
        Ok(())
    }

    fn find_joins(&mut self, full: &[Vec<usize>], order: &[usize]) -> R<()> {
        let mut entries: Vec<Option<usize>> = vec![None; full.len()];
        for &b in order {
            for &t in full[b].iter().filter(|&&t| self.rpo[t] > self.rpo[b]) {
                match entries[t] {
                    Some(other) if other != b => self.join[t] = true,
                    _ => entries[t] = Some(b),
                }
            }
        }
        for &b in order {
            match self.merge[b] {
                Merge::None => {}
                Merge::Selection(m) => self.join[m] = true,
                Merge::Loop { merge, cont } => {
                    if self.parent[merge] != b {
                        return Err(Error::invalid("a loop header does not dominate its merge block"));
                    }
                    self.join[merge] = true;
                    if cont != b {
                        self.join[cont] = true;
                    }
                }
            }
        }
        for &b in order.iter().rev().filter(|&&b| b != 0) {
            let parent = self.parent[b];
            let own_exit = matches!(self.merge[parent], Merge::Loop { merge, .. } if merge == b);
            if self.join[b] && !own_exit {
                self.joins_of[parent].push(b);
            }
        }
        Ok(())
    }
}

fn merge_of(inst: &Inst<'_>, index_of: &HashMap<u32, usize>) -> R<Merge> {
    let block = |i: usize| -> R<usize> {
        let id = inst.word(i)?;
        index_of.get(&id).copied().ok_or_else(|| inst.blame(Error::invalid(format!("%{id} is not a block"))))
    };
    Ok(match inst.op {
        Op::SelectionMerge => Merge::Selection(block(0)?),
        Op::LoopMerge => Merge::Loop { merge: block(0)?, cont: block(1)? },
        _ => Merge::None,
    })
}

fn terminator(inst: &Inst<'_>, index_of: &HashMap<u32, usize>, facts: &impl Facts) -> R<Term> {
    let block = |id: u32| -> R<usize> {
        index_of.get(&id).copied().ok_or_else(|| Error::invalid(format!("%{id} is not a block of this function")))
    };
    Ok(match inst.op {
        Op::Branch => Term::Branch(block(inst.word(0)?)?),
        Op::BranchConditional => Term::Cond(inst.word(0)?, block(inst.word(1)?)?, block(inst.word(2)?)?),
        Op::Switch => {
            let selector = inst.word(0)?;
            let ty = facts.type_of(selector).ok_or_else(|| Error::invalid(format!("unknown selector %{selector}")))?;
            let ty = facts.types().scalar(ty)?;
            if !ty.is_int() {
                return Err(Error::invalid("the selector is not an integer"));
            }
            let default = block(inst.word(1)?)?;
            let wide = ty == Type::I64;
            let mut order: Vec<(usize, Vec<u64>)> = Vec::new();
            let mut place: HashMap<usize, usize> = HashMap::default();
            let mut seen = HashSet::default();
            for case in inst.from(2).chunks(if wide { 3 } else { 2 }) {
                let (literal, target) = match *case {
                    [lo, hi, t] => (u64::from(lo) | u64::from(hi) << 32, t),
                    [lo, t] if !wide => (u64::from(lo), t),
                    _ => return Err(Error::invalid("odd number of operands")),
                };
                let target = block(target)?;
                if !seen.insert(literal & ty.mask()) {
                    return Err(Error::invalid(format!("literal {literal} occurs twice")));
                }
                let at = *place.entry(target).or_insert_with(|| {
                    order.push((target, Vec::new()));
                    order.len() - 1
                });
                order[at].1.push(literal & ty.mask());
            }
            Term::Switch(selector, default, order)
        }
        Op::Return => Term::Return,
        Op::ReturnValue => Term::ReturnValue(inst.word(0)?),
        Op::Unreachable => Term::Unreachable,
        _ => return Err(inst.unsupported()),
    })
}

/// Branches on constants become plain.
fn folded(term: Term, facts: &impl Facts) -> Term {
    match term {
        Term::Cond(_, t, f) if t == f => Term::Branch(t),
        Term::Cond(c, t, f) => match facts.constant(c) {
            Some(0) => Term::Branch(f),
            Some(_) => Term::Branch(t),
            None => Term::Cond(c, t, f),
        },
        Term::Switch(s, d, cases) => match facts.constant(s) {
            Some(v) => Term::Branch(cases.iter().find(|c| c.1.contains(&v)).map_or(d, |c| c.0)),
            None if cases.iter().all(|c| c.0 == d) => Term::Branch(d),
            None => Term::Switch(s, d, cases),
        },
        other => other,
    }
}

fn reachable(term: &[Term]) -> Vec<bool> {
    let mut live = vec![false; term.len()];
    let mut todo = vec![0];
    while let Some(b) = todo.pop() {
        if !std::mem::replace(&mut live[b], true) {
            todo.extend(term[b].targets());
        }
    }
    live
}

fn postorder(succ: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(succ.len());
    let mut seen = vec![false; succ.len()];
    let mut stack = vec![(0usize, 0usize)];
    seen[0] = true;
    while let Some((b, next)) = stack.pop() {
        match succ[b].get(next) {
            Some(&s) => {
                stack.push((b, next + 1));
                if !std::mem::replace(&mut seen[s], true) {
                    stack.push((s, 0));
                }
            }
            None => order.push(b),
        }
    }
    order
}
