//! Functions, blocks and the edges between them.

use super::analyse::{targets, Facts};
use super::asm::{Arith, Asm, Cc, Label, Mem, Rm, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP};
use super::regs::{vector_load, vector_store, Class, Regs, Snapshot, OUTGOING, VECTOR};
use super::Refused;
use crate::codegen::ir::{Block, Icmp, Inst, Kind, Op, State, Ty, TyKind, Val};

pub type Result<T> = std::result::Result<T, Refused>;

/// Registers that a function leaves as they were.
const SAVED: [u8; 6] = [RBX, RBP, 12, 13, 14, 15];
/// Registers of arguments.
const ARGUMENTS: [u8; 6] = [RDI, RSI, RDX, RCX, 8, 9];

/// Code of a function in the making.
pub struct Emit<'s, 'a> {
    pub s: &'s State,
    pub f: &'s Facts,
    pub a: &'a mut Asm,
    pub r: Regs<'s>,
    labels: &'a Labels,
    /// By block, what is in registers at its end for blocks that come from there only.
    ends: Vec<Snapshot>,
    /// Where the caller's stack pointer is kept.
    outer: i32,
}

/// Where functions and blocks begin, by their numbers.
pub struct Labels {
    pub functions: Vec<Label>,
    pub blocks: Vec<Label>,
}

/// Emits one function.
pub fn function<'s>(s: &'s State, f: &'s Facts, a: &mut Asm, labels: &Labels, index: usize) -> Result<()> {
    let order = &f.order[index];
    let ends = vec![Snapshot::new(); s.blocks.len()];
    let mut e = Emit { s, f, a, r: Regs::new(s, f), labels, ends, outer: OUTGOING };
    e.a.bind(labels.functions[index]);
    SAVED.iter().for_each(|r| e.a.push(*r));
    e.a.mov(RAX, RSP);
    e.a.general(None, &[0x81], 8, Arith::Sub as u8, Rm::R(RSP), 4);
    let frame_at = e.a.code.len();
    e.a.code.extend_from_slice(&[0; 4]);
    e.a.arith_imm(Arith::And, 8, RSP, -VECTOR);
    e.a.store(8, RAX, Mem::Base(RSP, e.outer));
    e.r.begin(order);
    for (at, p) in s.functions[index].params.iter().enumerate() {
        let Some(reg) = ARGUMENTS.get(at) else { return Err(Refused("many parameters")) };
        if e.r.class_of(*p).0 != Class::General {
            return Err(Refused("parameters other than words"));
        }
        let slot = e.r.slot(*p)?;
        e.a.store(8, *reg, Mem::Base(RSP, slot));
        e.r.passed(*p);
    }
    for (at, b) in order.iter().enumerate() {
        e.block(*b, order.get(at + 1).copied())?;
    }
    let frame = (e.r.frame + VECTOR - 1) / VECTOR * VECTOR;
    e.a.code[frame_at..frame_at + 4].copy_from_slice(&frame.to_le_bytes());
    Ok(())
}

/// The condition of a comparison.
pub fn condition(p: Icmp) -> Cc {
    match p {
        Icmp::Eq => Cc::Equal,
        Icmp::Ne => Cc::NotEqual,
        Icmp::Ult => Cc::Below,
        Icmp::Ule => Cc::BelowEqual,
        Icmp::Ugt => Cc::Above,
        Icmp::Uge => Cc::AboveEqual,
        Icmp::Slt => Cc::Less,
        Icmp::Sle => Cc::LessEqual,
        Icmp::Sgt => Cc::Greater,
    }
}

impl<'s> Emit<'s, '_> {
    // ---- operands ----

    pub fn arg(&self, inst: &Inst, i: usize) -> Val {
        self.f.resolve(inst.args[i])
    }

    /// Bits of an element of an operand, by the type that the instruction sees.
    pub fn bits(&self, v: Val) -> u32 {
        self.s.bits(self.s.shape(self.s.ty(v)).0)
    }

    pub fn lanes(&self, v: Val) -> u32 {
        self.s.shape(self.s.ty(v)).1
    }

    pub fn get(&mut self, v: Val, part: u16) -> Result<u8> {
        self.r.get(self.a, v, part)
    }

    pub fn def(&mut self, v: Val, part: u16) -> Result<u8> {
        self.r.def(self.a, v, part)
    }

    // ---- blocks ----

    fn label(&self, b: Block) -> Label {
        self.labels.blocks[b.0 as usize]
    }

    fn block(&mut self, b: Block, next: Option<Block>) -> Result<()> {
        self.a.bind(self.label(b));
        self.r.enter(match self.f.preds[b.0 as usize][..] {
            [p] => &self.ends[p.0 as usize],
            _ => &[],
        });
        let f = self.f;
        for &i in &f.insts[b.0 as usize] {
            if !f.live[i as usize] || f.folded[i as usize] {
                continue;
            }
            let inst = &self.s.insts[i as usize];
            match &inst.op {
                Op::Phi(_) => {
                    self.r.made_in_memory(inst.val);
                    continue;
                }
                Op::Alloca(..) => continue,
                Op::Br(_) | Op::CondBr(..) | Op::Switch(..) | Op::Ret => {
                    self.terminator(b, inst, next)?;
                    continue;
                }
                _ => {}
            }
            // What another value is needs no code.
            if f.resolve(inst.val) != inst.val {
                continue;
            }
            self.inst(inst)?;
            let used = f.operands(self.s, inst);
            let made = (*self.s.what(self.s.ty(inst.val)) != TyKind::Void).then_some(inst.val);
            self.r.done(self.a, made, &used)?;
        }
        Ok(())
    }

    /// Whether an edge has values to hand over.
    fn hands_over(&self, to: Block) -> bool {
        let first =
            self.f.insts[to.0 as usize].iter().map(|i| (&self.s.insts[*i as usize].op, self.f.live[*i as usize]));
        first.take_while(|(op, _)| matches!(op, Op::Phi(_))).any(|(_, live)| live)
    }

    /// Copies what the phis of a block get from an edge.
    fn edge(&mut self, from: Block, to: Block) -> Result<()> {
        let f = self.f;
        let s = self.s;
        let mut moves: Vec<(Val, Val)> = Vec::new();
        for &i in &f.insts[to.0 as usize] {
            let inst = &s.insts[i as usize];
            let Op::Phi(blocks) = &inst.op else { break };
            if !f.live[i as usize] {
                continue;
            }
            let Some(at) = blocks.iter().position(|b| *b == from) else { return Err(Refused("a phi without an edge")) };
            let v = f.resolve(inst.args[at]);
            if v != inst.val {
                moves.push((inst.val, v));
            }
        }
        let phi_of = |v: Val| matches!(s.inst(v), Some(i) if i.block == to && matches!(i.op, Op::Phi(_)));
        // Phis of the same block that are read must be read before they are written.
        let mut first = Vec::new();
        for (phi, v) in &moves {
            if phi_of(*v) {
                let (c, parts) = self.r.class_of(*v);
                let slot = self.r.slot(*v)?;
                let place = self.r.reserve(self.r.slot_bytes(*v))?;
                self.copy_slots(c, parts, slot, place);
                first.push((*phi, place));
            }
        }
        for (phi, v) in &moves {
            let (c, parts) = self.r.class_of(*phi);
            let place = self.r.slot(*phi)?;
            if let Some((_, temporary)) = first.iter().find(|x| x.0 == *phi) {
                self.copy_slots(c, parts, *temporary, place);
                continue;
            }
            for part in 0..parts {
                self.part_to(c, *v, part, place)?;
            }
        }
        Ok(())
    }

    fn copy_slots(&mut self, c: Class, parts: u16, from: i32, to: i32) {
        match c {
            Class::General | Class::Mask => {
                self.a.load(8, RAX, Mem::Base(RSP, from));
                self.a.store(8, RAX, Mem::Base(RSP, to));
            }
            Class::Vector => {
                for part in 0..i32::from(parts) {
                    vector_load(self.a, 31, from + part * VECTOR);
                    vector_store(self.a, 31, to + part * VECTOR);
                }
            }
        }
    }

    /// Stores a part of a value for a phi.
    fn part_to(&mut self, c: Class, v: Val, part: u16, place: i32) -> Result<()> {
        let constant = !matches!(self.s.kind(v), Kind::Inst(_) | Kind::Param)
            || matches!(self.s.inst(v), Some(i) if matches!(i.op, Op::Alloca(..)));
        let reg = match self.r.cached(v, part) {
            Some(reg) if !constant => reg,
            _ if constant => {
                // There is no instruction in progress that it could be in the way of, but registers are needed further: those
                // that nobody uses are taken first.
                let reg = self.get(v, part)?;
                self.place_part(c, reg, part, place);
                return self.r.done(self.a, None, &[]);
            }
            _ => {
                let slot = self.r.slot(v)?;
                match c {
                    Class::General | Class::Mask => self.a.load(8, RAX, Mem::Base(RSP, slot)),
                    Class::Vector => vector_load(self.a, 31, slot + i32::from(part) * VECTOR),
                }
                let reg = if c == Class::Vector { 31 } else { RAX };
                if c == Class::Mask {
                    self.a.store(8, reg, Mem::Base(RSP, place));
                    return Ok(());
                }
                reg
            }
        };
        self.place_part(c, reg, part, place);
        Ok(())
    }

    fn place_part(&mut self, c: Class, reg: u8, part: u16, place: i32) {
        match c {
            Class::General => self.a.store(8, reg, Mem::Base(RSP, place)),
            Class::Mask => self.a.k_store(reg, Mem::Base(RSP, place)),
            Class::Vector => vector_store(self.a, reg, place + i32::from(part) * VECTOR),
        }
    }

    fn jump(&mut self, to: Block, next: Option<Block>) {
        if next != Some(to) {
            let l = self.label(to);
            self.a.jmp(l);
        }
    }

    fn terminator(&mut self, b: Block, inst: &Inst, next: Option<Block>) -> Result<()> {
        let f = self.f;
        let used = f.operands(self.s, inst);
        match &inst.op {
            Op::Br(to) => {
                self.edge(b, *to)?;
                self.save(b, inst);
                self.jump(*to, next);
            }
            Op::CondBr(then, els, _) => {
                let cond = self.arg(inst, 0);
                let cc = match self.s.kind(cond) {
                    Kind::Inst(i) if f.folded[*i as usize] => {
                        let compare = &self.s.insts[*i as usize];
                        let Op::Icmp(p) = compare.op else { return Err(Refused("a folded condition")) };
                        self.compare(compare)?;
                        condition(p)
                    }
                    _ => {
                        let c = self.get(cond, 0)?;
                        self.a.test(1, c, c);
                        Cc::NotEqual
                    }
                };
                self.r.done(self.a, None, &used)?;
                // Flags are kept by moves, but constants are made with others: what is handed over comes behind the jump.
                let over_then = self.hands_over(*then);
                if then == els {
                    return Err(Refused("a branch to one place"));
                }
                if over_then {
                    let stub = self.a.label();
                    self.a.jcc(cc, stub);
                    self.edge(b, *els)?;
                    let l = self.label(*els);
                    self.a.jmp(l);
                    self.a.bind(stub);
                    self.edge(b, *then)?;
                    self.jump(*then, next);
                } else {
                    let l = self.label(*then);
                    self.a.jcc(cc, l);
                    self.edge(b, *els)?;
                    self.jump(*els, next);
                }
                self.save(b, inst);
            }
            Op::Switch(default, cases) => {
                let on = self.arg(inst, 0);
                let bits = self.bits(on);
                let reg = self.get(on, 0)?;
                let mut stubs = Vec::new();
                for (v, to) in cases {
                    let v = self.s.same(*v).ok_or(Refused("a case that is no constant"))?;
                    if bits > 32 {
                        self.a.mov_imm(RAX, v);
                        self.a.arith(Arith::Cmp, 8, reg, Rm::R(RAX));
                    } else {
                        self.a.arith_imm(Arith::Cmp, 4, reg, v as u32 as i32);
                    }
                    if self.hands_over(*to) {
                        let stub = self.a.label();
                        self.a.jcc(Cc::Equal, stub);
                        stubs.push((stub, *to));
                    } else {
                        let l = self.label(*to);
                        self.a.jcc(Cc::Equal, l);
                    }
                }
                self.r.done(self.a, None, &used)?;
                self.edge(b, *default)?;
                let l = self.label(*default);
                self.a.jmp(l);
                for (stub, to) in stubs {
                    self.a.bind(stub);
                    self.edge(b, to)?;
                    let l = self.label(to);
                    self.a.jmp(l);
                }
                self.save(b, inst);
            }
            _ => {
                if let Some(v) = inst.args.first() {
                    let v = f.resolve(*v);
                    if self.r.class_of(v).0 != Class::General {
                        return Err(Refused("a result other than a word"));
                    }
                    let reg = self.get(v, 0)?;
                    self.a.mov(RAX, reg);
                }
                self.a.load(8, RSP, Mem::Base(RSP, self.outer));
                SAVED.iter().rev().for_each(|r| self.a.pop(*r));
                self.a.vzeroupper();
                self.a.byte(0xc3);
                self.r.done(self.a, None, &used)?;
            }
        }
        Ok(())
    }

    /// Notes what is in registers for the blocks that come from here only.
    fn save(&mut self, b: Block, inst: &Inst) {
        let alone = targets(&inst.op).iter().any(|t| self.f.preds[t.0 as usize].len() == 1);
        if alone {
            self.ends[b.0 as usize] = self.r.snapshot();
        }
    }

    // ---- calls ----

    /// A call of a function of the module, or through an address.
    pub fn call(&mut self, inst: &Inst, ty: Ty) -> Result<()> {
        let TyKind::Function(result, _) = self.s.what(ty) else { return Err(Refused("a call of no function")) };
        self.r.flush(self.a)?;
        let args: Vec<Val> = (0..inst.args.len()).map(|i| self.arg(inst, i)).collect();
        for v in &args[1..] {
            if self.r.class_of(*v).0 != Class::General {
                return Err(Refused("arguments other than words"));
            }
        }
        for (at, v) in args[1..].iter().enumerate().rev() {
            let to = ARGUMENTS.get(at).copied();
            let reg = to.unwrap_or(RAX);
            self.word_into(reg, *v)?;
            if to.is_none() {
                let place = (at - ARGUMENTS.len()) as i32 * 8;
                if place >= OUTGOING {
                    return Err(Refused("many arguments"));
                }
                self.a.store(8, reg, Mem::Base(RSP, place));
            }
        }
        match self.s.kind(args[0]) {
            Kind::Function(i) => {
                let l = self.labels.functions[*i as usize];
                self.a.call(l);
            }
            _ => {
                self.word_into(RAX, args[0])?;
                self.a.vzeroupper();
                // CALL rax.
                self.a.code.extend_from_slice(&[0xff, 0xd0]);
            }
        }
        match self.s.what(*result) {
            TyKind::Void => {}
            TyKind::Int(32) => {
                let dst = self.def(inst.val, 0)?;
                self.a.mov32(dst, RAX);
            }
            _ => return Err(Refused("a call that gives something else than 32 bits")),
        }
        Ok(())
    }

    /// Brings a value from memory, or a constant, into a certain register, when no register holds anything.
    fn word_into(&mut self, reg: u8, v: Val) -> Result<()> {
        match self.s.kind(v) {
            Kind::Const(_) => {
                let bits = self.s.same(v).unwrap_or(0);
                self.a.mov_imm(reg, bits);
            }
            Kind::Inst(i) if matches!(self.s.insts[*i as usize].op, Op::Alloca(..)) => {
                let at = self.r.slot(v)?;
                self.a.lea(reg, Mem::Base(RSP, at));
            }
            Kind::Inst(_) | Kind::Param => {
                let at = self.r.slot(v)?;
                self.a.load(8, reg, Mem::Base(RSP, at));
            }
            Kind::Global(content, _) => {
                let bytes = self.r.global(*content);
                let pooled = self.a.constant(&bytes);
                self.a.lea(reg, Mem::Pool(pooled));
            }
            Kind::Function(_) => return Err(Refused("an argument of this kind")),
        }
        Ok(())
    }
}
