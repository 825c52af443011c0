//! What is known of a function before code is made of it: order of blocks, values that are other values, what is used, where.

use crate::codegen::ir::{Block, Cast, Icmp, Inst, Intrinsic, Kind, Op, State, TyKind, Val};
use compiler::hash::HashMap;
use smallvec::SmallVec;

/// Facts of the functions of a module. Vectors are by value, instruction or block.
pub struct Facts {
    /// Of each function, its blocks in the order of their code.
    pub order: Vec<Vec<Block>>,
    /// Instructions of each block.
    pub insts: Vec<Vec<u32>>,
    /// Edges into each block.
    pub preds: Vec<Vec<Block>>,
    /// The value that a value is.
    alias: Vec<Val>,
    /// Instructions that are executed.
    pub live: Vec<bool>,
    /// Uses of each value by instructions that are not phis.
    pub uses: Vec<u32>,
    /// Values that are used in other blocks, or by phis.
    pub global: Vec<bool>,
    /// Instructions that are part of the one that uses them.
    pub folded: Vec<bool>,
}

/// Most cells whose contents are followed from block to block.
const MAX_KNOWN: usize = 64;

/// The blocks that a terminator goes to.
pub fn targets(op: &Op) -> SmallVec<[Block; 4]> {
    match op {
        Op::Br(b) => SmallVec::from_slice(&[*b]),
        Op::CondBr(a, b, _) => SmallVec::from_slice(&[*a, *b]),
        Op::Switch(default, cases) => std::iter::once(*default).chain(cases.iter().map(|c| c.1)).collect(),
        _ => SmallVec::new(),
    }
}

impl Facts {
    pub fn new(s: &State) -> Facts {
        let mut f = Facts {
            order: Vec::new(),
            insts: vec![Vec::new(); s.blocks.len()],
            preds: vec![Vec::new(); s.blocks.len()],
            alias: (0..s.vals.len() as u32).map(Val).collect(),
            live: vec![false; s.insts.len()],
            uses: vec![0; s.vals.len()],
            global: vec![false; s.vals.len()],
            folded: vec![false; s.insts.len()],
        };
        for (i, inst) in s.insts.iter().enumerate() {
            f.insts[inst.block.0 as usize].push(i as u32);
        }
        for function in &s.functions {
            let order = function.blocks.first().map_or(Vec::new(), |b| f.reverse_postorder(s, *b));
            f.order.push(order);
        }
        f.casts(s);
        let private = f.private_cells(s);
        f.forward(s, &private);
        f.mark(s, &private);
        f.fold(s);
        f.count(s);
        f
    }

    fn terminator<'s>(&self, s: &'s State, b: Block) -> Option<&'s Inst> {
        self.insts[b.0 as usize].last().map(|i| &s.insts[*i as usize])
    }

    /// Orders the blocks that are reached, and notes the edges between them.
    fn reverse_postorder(&mut self, s: &State, entry: Block) -> Vec<Block> {
        let mut order = Vec::new();
        let mut seen = vec![false; s.blocks.len()];
        let next = |f: &Facts, b: Block| f.terminator(s, b).map_or(SmallVec::new(), |i| targets(&i.op));
        let mut stack = vec![(entry, next(self, entry))];
        seen[entry.0 as usize] = true;
        while let Some((b, rest)) = stack.last_mut() {
            let b = *b;
            match rest.pop() {
                Some(to) => {
                    self.preds[to.0 as usize].push(b);
                    if !std::mem::replace(&mut seen[to.0 as usize], true) {
                        let more = next(self, to);
                        stack.push((to, more));
                    }
                }
                None => {
                    order.push(b);
                    stack.pop();
                }
            }
        }
        order.reverse();
        order
    }

    pub fn resolve(&self, v: Val) -> Val {
        let mut v = v;
        while self.alias[v.0 as usize] != v {
            v = self.alias[v.0 as usize];
        }
        v
    }

    /// Conversions that leave the bits where they are.
    fn casts(&mut self, s: &State) {
        let truth = |v: Val| {
            let (e, n) = s.shape(s.ty(v));
            n > 0 && s.bits(e) == 1
        };
        // Whether values are held in vector registers.
        let vector = |v: Val| {
            let t = s.ty(v);
            s.shape(t).1 > 0 || matches!(s.what(t), TyKind::F32 | TyKind::F64 | TyKind::Half)
        };
        for inst in &s.insts {
            let Op::Cast(cast) = inst.op else { continue };
            let (to, from) = (inst.val, inst.args[0]);
            let same = match cast {
                Cast::Bitcast => vector(to) == vector(from) && truth(to) == truth(from),
                Cast::IntToPtr | Cast::PtrToInt => s.bits(s.shape(s.ty(from)).0) == s.bits(s.shape(s.ty(to)).0),
                // Scalars have zeros above.
                Cast::ZExt => s.shape(s.ty(to)).1 == 0,
                _ => false,
            };
            // Constants know the type that they have.
            if same && s.constant(from).is_none() {
                self.alias[to.0 as usize] = from;
            }
        }
    }

    /// Stack cells that are only loaded and stored as a whole.
    fn private_cells(&self, s: &State) -> Vec<bool> {
        let mut private = vec![false; s.vals.len()];
        for inst in &s.insts {
            if let Op::Alloca(..) = inst.op {
                private[inst.val.0 as usize] = true;
            }
        }
        let whole = |cell: Val, of: Val| match s.inst(cell).map(|i| &i.op) {
            Some(Op::Alloca(t, _)) => *t == s.ty(of),
            _ => false,
        };
        for inst in &s.insts {
            match &inst.op {
                Op::Load(how) if !how.volatile && !how.atomic && whole(inst.args[0], inst.val) => {}
                Op::Store(how) if !how.volatile && !how.atomic && whole(inst.args[1], inst.args[0]) => {
                    private[inst.args[0].0 as usize] = false;
                }
                _ => inst.args.iter().for_each(|a| private[a.0 as usize] = false),
            }
        }
        private
    }

    /// What a load of a private cell gives, where that is known.
    fn forward(&mut self, s: &State, private: &[bool]) {
        let mut ends: HashMap<Block, HashMap<Val, Val>> = HashMap::default();
        for order in self.order.clone() {
            for b in order {
                let mut known = match self.preds[b.0 as usize][..] {
                    [p] => ends.get(&p).cloned().unwrap_or_default(),
                    _ => HashMap::default(),
                };
                for &i in &self.insts[b.0 as usize] {
                    let inst = &s.insts[i as usize];
                    match inst.op {
                        Op::Store(_) if private[inst.args[1].0 as usize] => {
                            known.insert(inst.args[1], inst.args[0]);
                        }
                        Op::Load(_) if private[inst.args[0].0 as usize] => match known.get(&inst.args[0]) {
                            Some(v) => self.alias[inst.val.0 as usize] = *v,
                            None => {
                                known.insert(inst.args[0], inst.val);
                            }
                        },
                        _ => {}
                    }
                }
                // Many cells are few blocks' business.
                if known.len() <= MAX_KNOWN {
                    ends.insert(b, known);
                }
            }
        }
    }

    /// The address computation of a gather or scatter that the instruction does itself: scalar base, indices of 32 bits.
    pub fn near<'s>(&self, s: &'s State, inst: &Inst) -> Option<(&'s Inst, u8)> {
        let (data, ptrs) = match inst.op {
            Op::Intrinsic(Intrinsic::Gather, _) => (s.ty(inst.val), inst.args[0]),
            Op::Intrinsic(Intrinsic::Scatter, _) => (s.ty(inst.args[0]), inst.args[1]),
            _ => return None,
        };
        if s.bits(s.shape(data).0) < 32 {
            return None;
        }
        let gep = s.inst(self.resolve(ptrs))?;
        let Op::Gep(unit @ (1 | 2 | 4 | 8)) = gep.op else { return None };
        let (index, n) = s.shape(s.ty(gep.args[1]));
        let scalar = s.shape(s.ty(gep.args[0])).1 == 0;
        (scalar && n > 0 && s.bits(index) == 32).then_some((gep, unit.trailing_zeros() as u8))
    }

    /// What an instruction uses, with what is folded into it.
    pub fn operands(&self, s: &State, inst: &Inst) -> SmallVec<[Val; 6]> {
        let mut out = SmallVec::new();
        let near = self.near(s, inst);
        for (at, a) in inst.args.iter().enumerate() {
            let v = self.resolve(*a);
            if let Some((gep, _)) = near {
                let place = usize::from(matches!(inst.op, Op::Intrinsic(Intrinsic::Scatter, _)));
                if at == place {
                    out.extend(gep.args.iter().map(|x| self.resolve(*x)));
                    continue;
                }
            }
            match s.kind(v) {
                Kind::Inst(i) if self.folded[*i as usize] => {
                    out.extend(s.insts[*i as usize].args.iter().map(|x| self.resolve(*x)));
                }
                _ => out.push(v),
            }
            if let (Op::CmpXchgOk, Some(swap)) = (&inst.op, s.inst(v)) {
                out.push(self.resolve(swap.args[1]));
            }
        }
        out
    }

    fn mark(&mut self, s: &State, private: &[bool]) {
        let mut stores: HashMap<Val, Vec<u32>> = HashMap::default();
        let mut work = Vec::new();
        for b in self.order.iter().flatten() {
            for &i in &self.insts[b.0 as usize] {
                let inst = &s.insts[i as usize];
                let effect = match &inst.op {
                    Op::Store(_) if private[inst.args[1].0 as usize] => {
                        stores.entry(inst.args[1]).or_default().push(i);
                        false
                    }
                    Op::Load(how) => how.volatile || how.atomic,
                    Op::Intrinsic(Intrinsic::Scatter | Intrinsic::MaskedStore, _) => true,
                    Op::Store(_)
                    | Op::Rmw(..)
                    | Op::CmpXchg
                    | Op::Fence(..)
                    | Op::Call(_)
                    | Op::Br(_)
                    | Op::CondBr(..)
                    | Op::Switch(..)
                    | Op::Ret => true,
                    _ => false,
                };
                if effect {
                    work.push(i);
                }
            }
        }
        while let Some(i) = work.pop() {
            if std::mem::replace(&mut self.live[i as usize], true) {
                continue;
            }
            let inst = &s.insts[i as usize];
            for v in self.operands(s, inst) {
                if let Kind::Inst(d) = s.kind(v) {
                    work.push(*d);
                }
            }
            if let Op::Load(_) = inst.op {
                if private[inst.args[0].0 as usize] {
                    work.extend(stores.remove(&inst.args[0]).unwrap_or_default());
                }
            }
        }
    }

    /// Comparisons that only a branch right here uses, and addresses that only one access does.
    fn fold(&mut self, s: &State) {
        // How often, and by what last.
        let mut uses = vec![(0u32, 0u32); s.vals.len()];
        for (i, inst) in s.insts.iter().enumerate().filter(|(i, _)| self.live[*i]) {
            for v in self.operands(s, inst) {
                let u = &mut uses[v.0 as usize];
                *u = (u.0 + 1, i as u32);
            }
        }
        for (i, inst) in s.insts.iter().enumerate() {
            if !self.live[i] {
                continue;
            }
            let (1, user) = uses[inst.val.0 as usize] else { continue };
            let user = &s.insts[user as usize];
            if user.block != inst.block {
                continue;
            }
            self.folded[i] = match (&inst.op, &user.op) {
                (Op::Icmp(p), Op::CondBr(..)) => {
                    s.shape(s.ty(inst.args[0])).1 == 0 && !matches!(p, Icmp::Sle if s.bits(s.ty(inst.args[0])) == 1)
                }
                (Op::Gep(unit), Op::Load(_) | Op::Store(_)) => {
                    let place = user.args[usize::from(matches!(user.op, Op::Store(_)))];
                    matches!(unit, 1 | 2 | 4 | 8)
                        && self.resolve(place) == inst.val
                        && s.shape(s.ty(inst.val)).1 == 0
                        && s.bits(s.ty(inst.args[1])) == 64
                        && !self.is_folded(s, inst.args[0])
                }
                _ => false,
            };
        }
    }

    fn is_folded(&self, s: &State, v: Val) -> bool {
        matches!(s.kind(self.resolve(v)), Kind::Inst(i) if self.folded[*i as usize])
    }

    fn count(&mut self, s: &State) {
        for (i, inst) in s.insts.iter().enumerate() {
            if !self.live[i] || self.folded[i] {
                continue;
            }
            let phi = matches!(inst.op, Op::Phi(_));
            for v in self.operands(s, inst) {
                if phi {
                    self.global[v.0 as usize] = true;
                    continue;
                }
                self.uses[v.0 as usize] += 1;
                match s.inst(v) {
                    Some(d) if d.block == inst.block => {}
                    _ => self.global[v.0 as usize] = true,
                }
            }
        }
    }
}
