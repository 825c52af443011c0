//! Words that each lane reads one after the other in a loop: a row of a matrix, the elements of a list.
//!
//! Such a load is a gather in every iteration, of words that stand behind those of the iteration before. So four words of each lane are
//! loaded at once, as structures are (see `quads`), and last for four iterations. The loop must take its steps together, as loops do that have
//! one way back, and must not write to memory that others see.

use super::cell::{Cell, Form};
use super::gen::{Gen, Mask, Rep, Result};
use super::ir::{Icmp, Val};
use super::memory::{Piece, Place};
use super::quads::Starts;
use compiler::hash::{HashMap, HashSet};
use compiler::sir::visit::Clobbers;
use compiler::sir::{Access, Addr, AluOp, Inst, Label, Op, Region, Space, Type, Value};
use smallvec::SmallVec;

/// Words that are loaded at once.
const WORDS: i64 = 4;

/// A 32-bit value that is extended, and by how much it grows from iteration to iteration.
#[derive(Clone, Copy, Debug)]
struct Extended {
    value: Value,
    signed: bool,
    step: i64,
}

/// A load of words that follow each other.
#[derive(Clone, Debug)]
pub struct Ahead {
    /// The words of the next iterations.
    words: [Cell; WORDS as usize - 1],
    /// How many of them there are.
    left: Cell,
    /// Values that must not wrap in these iterations.
    extended: Vec<Extended>,
}

/// How values of a loop change from iteration to iteration.
struct Steps<'g, 'a> {
    g: &'g Gen<'a>,
    /// Integer operations of the loop, by what they make.
    made: HashMap<Value, (AluOp, SmallVec<[Value; 4]>)>,
    /// What the loop defines.
    inside: HashSet<Value>,
    params: HashMap<Value, i64>,
}

impl Steps<'_, '_> {
    /// By how much a value grows in each iteration, modulo its width.
    fn step(&self, v: Value, extended: &mut Vec<Extended>) -> Option<i64> {
        if !self.inside.contains(&v) || self.g.constant(v).is_some() {
            return Some(0);
        }
        if let Some(step) = self.params.get(&v) {
            return Some(*step);
        }
        let (op, args) = self.made.get(&v)?;
        let steps = args.iter().map(|a| self.step(*a, extended)).collect::<Option<SmallVec<[i64; 4]>>>()?;
        if steps.iter().all(|s| *s == 0) {
            return Some(0);
        }
        let times = |step: i64, by: Value| step.checked_mul(i64::try_from(self.g.constant(by)?).ok()?);
        match op {
            AluOp::IAdd => steps[0].checked_add(steps[1]),
            AluOp::ISub => steps[0].checked_sub(steps[1]),
            AluOp::IMul if steps[1] == 0 => times(steps[0], args[1]),
            AluOp::IMul if steps[0] == 0 => times(steps[1], args[0]),
            AluOp::Shl => 1i64.checked_shl(u32::try_from(self.g.constant(args[1])?).ok()?)?.checked_mul(steps[0]),
            AluOp::SExt | AluOp::ZExt if self.g.k.ty(args[0]) == Type::I32 => {
                extended.push(Extended { value: args[0], signed: *op == AluOp::SExt, step: steps[0] });
                Some(steps[0])
            }
            _ => None,
        }
    }
}

impl Gen<'_> {
    /// Prepares what a loop loads ahead; to be called in front of it.
    pub fn look_ahead(&mut self, label: Label, body: &Region) {
        if self.opts.quick || self.plan.sites[label.index()].continues != 1 {
            return;
        }
        let Some(Inst { op: Op::Continue(to, next), .. }) = body.insts.last() else { return };
        let loads = body.insts.iter().filter(|i| self.may_be_ahead(i));
        if *to != label || loads.clone().next().is_none() || Clobbers::of_region(body).may_change(Space::Buffer) {
            return;
        }
        let mut steps =
            Steps { g: self, made: HashMap::default(), inside: HashSet::default(), params: HashMap::default() };
        steps.inside.extend(body.params.iter().copied());
        body.walk(&mut |inst| {
            steps.inside.extend(inst.results.iter().copied());
            if let (Op::Alu { op, args, .. }, [r]) = (&inst.op, &inst.results[..]) {
                steps.made.insert(*r, (*op, args.clone()));
            }
        });
        for (&p, n) in body.params.iter().zip(next) {
            let grows = match steps.made.get(n) {
                Some((AluOp::IAdd, args)) if args[0] == p => self.constant(args[1]),
                Some((AluOp::IAdd, args)) if args[1] == p => self.constant(args[0]),
                _ if *n == p => Some(0),
                _ => None,
            };
            if let Some(by) = grows.filter(|_| self.k.ty(p).is_int()) {
                let unused = 64 - self.k.ty(p).bits();
                steps.params.insert(p, (by << unused) as i64 >> unused);
            }
        }
        let mut found = Vec::new();
        for inst in loads {
            let Op::Load { addr: Addr::Buffer { buf, off: Some(off), .. }, .. } = &inst.op else { continue };
            let mut extended = Vec::new();
            let one_buffer = matches!(self.vals[buf.index()], Some(Rep::BufUni(..)));
            if one_buffer && !self.uniform_form(*off) && steps.step(*off, &mut extended) == Some(4) {
                found.push((inst.results[0], extended));
            }
        }
        for (load, extended) in found {
            let words = [(); WORDS as usize - 1].map(|()| self.stack_cell(self.k.ty(load), Form::Vec));
            let left = self.stack_cell(Type::I32, Form::Uni);
            words.iter().chain([&left]).for_each(|c| self.cell_clear(c));
            self.ahead.insert(load, Ahead { words, left, extended });
        }
    }

    fn may_be_ahead(&self, inst: &Inst) -> bool {
        match (&inst.op, &inst.results[..]) {
            (Op::Load { addr: Addr::Buffer { off: Some(_), .. }, access }, [r]) => {
                let plain = !(access.volatile || access.coherent || access.atomic) && access.align >= 4;
                plain && matches!(self.k.ty(*r), Type::I32 | Type::F32)
            }
            _ => false,
        }
    }

    /// The load of a word that was perhaps loaded before; `None` if there is nothing special about it.
    pub fn load_ahead(
        &mut self,
        result: Value,
        addr: &Addr,
        place: &Place,
        access: &Access,
        mask: Mask,
    ) -> Result<Option<Val>> {
        let Some(ahead) = self.ahead.get(&result).cloned() else { return Ok(None) };
        let Addr::Buffer { buf, .. } = addr else { return Ok(None) };
        let Rep::BufUni(_, size) = self.rep(*buf)? else { return Ok(None) };
        // Neighbours in memory that are neighbours in the vector are loaded as vectors.
        let far = match place {
            Place::Lanes(..) => true,
            Place::Strided { first, stride, .. } => first.whole() && *stride >= 4 * WORDS,
            Place::Uniform(..) | Place::Buffers { .. } => false,
        };
        if !far {
            return Ok(None);
        }
        self.stats.ahead += 1;
        let m = self.m;
        let ty = self.k.ty(result);
        let (have, refill) = (self.block(c"ahead.have"), self.block(c"ahead.load"));
        let (slow, end) = (self.block(c"ahead.word"), self.block(c"ahead.end"));
        let mut from = Vec::new();
        let Rep::Uni(left) = self.cell_load(&ahead.left) else { return Ok(None) };
        m.cond_br(m.icmp(Icmp::Ne, left, self.i32c(0)), have, refill);

        m.position(have);
        let words: SmallVec<[Rep; 4]> = ahead.words.iter().map(|c| self.cell_load(c)).collect();
        let Rep::Vec(first, _) = words[0] else { return Ok(None) };
        ahead.words.iter().zip(&words[1..]).for_each(|(c, w)| self.cell_store(c, *w));
        self.cell_store(&ahead.left, Rep::Uni(m.sub(left, self.i32c(1))));
        from.push((first, have));
        m.br(end);

        m.position(refill);
        let (starts, near) = match place {
            Place::Strided { piece, first, stride, guard } => {
                let piece = Piece { size: Some(size), ..*piece };
                self.even_start(WORDS as usize, &piece, first, *stride, *guard)
            }
            _ => {
                let Place::Lanes(piece, off) = place else { return Ok(None) };
                let place = Place::Lanes(Piece { size: Some(size), ..*piece }, *off);
                let zeros = self.zeros();
                let (ptrs, valid) = self.lane_pointers(&place, 0, 4 * WORDS as u32, Mask::Full)?;
                let active = self.mask_val(mask);
                let missing = self.any(Mask::Val(self.to_mask(m.and(active, m.not(valid)))));
                let ptrs = m.select(active, ptrs, self.splat(zeros));
                (Starts::Pointers(self.spill_lanes(1, ptrs)), Some(m.not(missing)))
            }
        };
        let mut ok = near;
        for e in &ahead.extended {
            let fits = self.grows(*e, mask)?;
            ok = self.all_of(ok, fits);
        }
        let quick = self.block(c"ahead.words");
        match ok {
            Some(ok) => m.likely_br(ok, quick, slow),
            None => m.br(quick),
        }
        m.position(quick);
        let words = self.quad_load(&starts, WORDS as u32, ty, Self::align(access, 4));
        for (cell, word) in ahead.words.iter().zip(&words[1..]) {
            self.cell_store(cell, Rep::Vec(*word, None));
        }
        self.cell_store(&ahead.left, Rep::Uni(self.i32c(WORDS as u32 - 1)));
        from.push((words[0], m.current()));
        m.br(end);

        m.position(slow);
        let lanes = match place {
            Place::Strided { piece, .. } => Place::Lanes(*piece, self.lanes_of_place(piece, addr)?),
            other => *other,
        };
        let word = self.words_load(1, &lanes, ty, access, mask)?[0];
        from.push((word, m.current()));
        m.br(end);

        m.position(end);
        Ok(Some(m.phi(self.ty(ty, self.lanes), &from)))
    }

    /// Whether extending a value and adding can change places in the next iterations, unless that is known.
    fn grows(&mut self, e: Extended, mask: Mask) -> Result<Option<Val>> {
        let m = self.m;
        let most = e.step.unsigned_abs().saturating_mul(WORDS as u64 - 1);
        let (min, max) = if e.signed { (1u64 << 31, (1u64 << 31) - 1) } else { (0, u64::from(u32::MAX)) };
        if most > u64::from(u32::MAX >> 2) {
            return Ok(Some(m.iconst(m.int(1), 0)));
        }
        let up = e.step >= 0;
        if up && self.shapes.range(e.value).is_some_and(|r| r.hi <= max - most) {
            return Ok(None);
        }
        let bound = if up { max - most } else { min + most };
        let order = if e.signed { Icmp::Sle } else { Icmp::Ule };
        let fits = |v: Val, bound: Val| if up { m.icmp(order, v, bound) } else { m.icmp(order, bound, v) };
        if self.is_uniform(e.value) {
            let v = self.scalar(e.value)?;
            return Ok(Some(fits(v, self.konst(Type::I32, 0, bound))));
        }
        let v = self.lanes_anew(e.value)?;
        let fits = fits(v, self.konst(Type::I32, self.lanes, bound));
        let active = self.mask_val(mask);
        Ok(Some(m.not(self.any(Mask::Val(self.to_mask(m.and(active, m.not(fits))))))))
    }
}
