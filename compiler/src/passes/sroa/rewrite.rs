//! Replaces loads and stores of variables by values.

use super::live::Node;
use super::{Element, Vars};
use crate::sir::visit::Subst;
use crate::sir::{Access, Addr, AluOp, Inst, Kernel, Label, Op, Region, SlotId, Type, Value};
use smallvec::SmallVec;

/// Rewrites the kernel as the analysis says.
pub fn run(kernel: &mut Kernel, vars: &Vars, tree: &mut Vec<Node>) {
    let subst = Subst::new(kernel);
    let mut body = std::mem::take(&mut kernel.body);
    let zeros = Type::ALL.map(|_| None);
    let n = vars.types.len();
    let mut r = Rewriter { kernel, vars, subst, zeros, current: vec![None; n], log: Vec::new(), scopes: Vec::new() };
    r.region(&mut body, std::mem::take(tree));
    let zeros = r.zeros;
    for (ty, v) in Type::ALL.into_iter().zip(zeros) {
        if let Some(v) = v {
            body.insts.insert(0, Inst { results: SmallVec::from_slice(&[v]), op: Op::constant(ty, 0) });
        }
    }
    kernel.body = body;
}

/// What the exits to an enclosing construct have to carry.
struct Scope {
    label: Option<Label>,
    results: Vec<u32>,
    /// Loop: variables that are its parameters. Switch: those of the next arm.
    params: Vec<u32>,
    is_switch: bool,
}

struct Rewriter<'a> {
    kernel: &'a mut Kernel,
    vars: &'a Vars,
    subst: Subst,
    /// The zero of each type, made when first needed.
    zeros: [Option<Value>; Type::ALL.len()],
    /// Value of each variable here; `None` is zero.
    current: Vec<Option<Value>>,
    /// What to restore when leaving a region.
    log: Vec<(u32, Option<Value>)>,
    scopes: Vec<Scope>,
}

impl Rewriter<'_> {
    fn set(&mut self, var: u32, v: Option<Value>) {
        let old = std::mem::replace(&mut self.current[var as usize], v);
        self.log.push((var, old));
    }

    fn rollback(&mut self, mark: usize) {
        while self.log.len() > mark {
            if let Some((var, old)) = self.log.pop() {
                self.current[var as usize] = old;
            }
        }
    }

    fn get(&mut self, var: u32) -> Value {
        match self.current[var as usize] {
            Some(v) => v,
            None => self.zero(self.vars.types[var as usize]),
        }
    }

    fn zero(&mut self, ty: Type) -> Value {
        let i = Type::ALL.iter().position(|&t| t == ty).unwrap_or(0);
        if let Some(v) = self.zeros[i] {
            return v;
        }
        let v = self.kernel.value(ty);
        self.zeros[i] = Some(v);
        v
    }

    fn fresh(&mut self, vars: &[u32]) -> Vec<Value> {
        vars.iter().map(|&v| self.kernel.value(self.vars.types[v as usize])).collect()
    }

    fn all(&mut self, vars: &[u32]) -> Vec<Value> {
        vars.iter().map(|&v| self.get(v)).collect()
    }

    fn region(&mut self, region: &mut Region, nodes: Vec<Node>) {
        let insts = std::mem::take(&mut region.insts);
        let mut out = Vec::with_capacity(insts.len());
        let mut nodes = nodes.into_iter();
        for mut inst in insts {
            self.subst.apply(&mut inst.op);
            match &mut inst.op {
                Op::Load { addr: Addr::Slot { slot, off: None, imm }, access } => {
                    let (slot, imm, access) = (*slot, *imm, *access);
                    self.load(slot, imm, access, inst, &mut out);
                }
                Op::Store { addr: Addr::Slot { slot, off: None, imm }, .. } => {
                    let (slot, imm) = (*slot, *imm);
                    self.store(slot, imm, inst, &mut out);
                }
                Op::Yield(args) => {
                    if let Some(vars) = self.scopes.last().map(|s| s.results.clone()) {
                        args.extend(self.all(&vars));
                    }
                    out.push(inst);
                }
                Op::Break(label, args) => {
                    let l = *label;
                    let vars = self.scopes.iter().rev().find(|s| s.label == Some(l)).map(|s| s.results.clone());
                    args.extend(self.all(&vars.unwrap_or_default()));
                    out.push(inst);
                }
                Op::Continue(label, args) => {
                    let l = *label;
                    let vars = self.scopes.iter().rev().find(|s| s.label == Some(l)).map(|s| s.params.clone());
                    args.extend(self.all(&vars.unwrap_or_default()));
                    out.push(inst);
                }
                Op::Fallthrough(args) => {
                    let vars = self.scopes.iter().rev().find(|s| s.is_switch).map(|s| s.params.clone());
                    args.extend(self.all(&vars.unwrap_or_default()));
                    out.push(inst);
                }
                op if op.is_control() => {
                    if let Some(node) = nodes.next() {
                        self.construct(&mut inst, node);
                    }
                    out.push(inst);
                }
                _ => out.push(inst),
            }
        }
        region.insts = out;
    }

    fn construct(&mut self, inst: &mut Inst, node: Node) {
        let Node { results, params, regions, .. } = node;
        let mark = self.log.len();
        self.scopes.push(Scope {
            label: inst.op.defined_label(),
            results: results.clone(),
            params: Vec::new(),
            is_switch: matches!(inst.op, Op::Switch { .. }),
        });
        let mut regions = regions.into_iter();
        let mut next_nodes = || regions.next().unwrap_or_default();
        match &mut inst.op {
            Op::Loop { init, body, .. } => {
                init.extend(self.all(&params[0]));
                let fresh = self.fresh(&params[0]);
                for (&var, &p) in params[0].iter().zip(&fresh) {
                    self.set(var, Some(p));
                }
                body.params.extend(fresh);
                if let Some(s) = self.scopes.last_mut() {
                    s.params.clone_from(&params[0]);
                }
                self.region(body, next_nodes());
            }
            Op::Switch { cases, .. } => {
                for (i, c) in cases.iter_mut().enumerate() {
                    c.init.extend(self.all(&params[i]));
                    let fresh = self.fresh(&params[i]);
                    for (&var, &p) in params[i].iter().zip(&fresh) {
                        self.set(var, Some(p));
                    }
                    c.body.params.extend(fresh);
                    if let Some(s) = self.scopes.last_mut() {
                        s.params = params.get(i + 1).cloned().unwrap_or_default();
                    }
                    self.region(&mut c.body, next_nodes());
                    self.rollback(mark);
                }
            }
            op => op.for_each_region_mut(&mut |r| {
                self.region(r, next_nodes());
                self.rollback(mark);
            }),
        }
        self.rollback(mark);
        self.scopes.pop();
        let fresh = self.fresh(&results);
        for (&var, &v) in results.iter().zip(&fresh) {
            self.set(var, Some(v));
        }
        inst.results.extend(fresh);
    }

    /// `v` as a value of type `ty` of the same size.
    fn cast(&mut self, v: Value, ty: Type, out: &mut Vec<Inst>) -> Value {
        if self.kernel.ty(v) == ty {
            return v;
        }
        let r = self.kernel.value(ty);
        out.push(Inst { results: SmallVec::from_slice(&[r]), op: Op::alu(AluOp::Bitcast, &[v]) });
        r
    }

    fn load(&mut self, slot: SlotId, imm: u32, access: Access, inst: Inst, out: &mut Vec<Inst>) {
        let ty = self.kernel.ty(inst.results[0]);
        let elements: Vec<Element> =
            (0..inst.results.len()).map(|i| self.vars.element(self.kernel, slot, imm, i, ty.bytes())).collect();
        if elements.iter().all(|&e| e == Element::Memory) {
            return out.push(inst);
        }
        for (i, (&r, e)) in inst.results.iter().zip(elements).enumerate() {
            match e {
                Element::Var(var) => {
                    let v = self.get(var);
                    let v = self.cast(v, ty, out);
                    self.subst.replace(r, v);
                }
                Element::Outside => {
                    let zero = self.zero(ty);
                    self.subst.replace(r, zero);
                }
                Element::Memory => {
                    let imm = imm + i as u32 * ty.bytes();
                    let access = Access { align: access.align.min(ty.bytes()), ..access };
                    let op = Op::Load { addr: Addr::Slot { slot, off: None, imm }, access };
                    out.push(Inst { results: SmallVec::from_slice(&[r]), op });
                }
            }
        }
    }

    fn store(&mut self, slot: SlotId, imm: u32, inst: Inst, out: &mut Vec<Inst>) {
        let Op::Store { values, access, .. } = &inst.op else { return };
        let (values, access) = (values.clone(), *access);
        let ty = self.kernel.ty(values[0]);
        let elements: Vec<Element> =
            (0..values.len()).map(|i| self.vars.element(self.kernel, slot, imm, i, ty.bytes())).collect();
        if elements.iter().all(|&e| e == Element::Memory) {
            return out.push(inst);
        }
        for (i, (&v, e)) in values.iter().zip(elements).enumerate() {
            match e {
                Element::Var(var) => {
                    let v = self.cast(v, self.vars.types[var as usize], out);
                    self.set(var, Some(v));
                }
                Element::Outside => {}
                Element::Memory => {
                    let imm = imm + i as u32 * ty.bytes();
                    let access = Access { align: access.align.min(ty.bytes()), ..access };
                    let addr = Addr::Slot { slot, off: None, imm };
                    let op = Op::Store { addr, values: SmallVec::from_slice(&[v]), access };
                    out.push(Inst { results: SmallVec::new(), op });
                }
            }
        }
    }
}
