//! Constant folding through the interpreter's own evaluator, algebraic simplification that is exact under the IEEE
//! rules, and control flow whose way is known: If and Switch on constants, Blocks that nothing breaks out of, Loops
//! that never repeat, code behind exits.
//!
//! Operations that `lower_math` expands are left alone: their expansions are folded, so that it does not depend on when an operand
//! turns out to be constant what comes out.

mod algebra;
mod control;

use super::lower_math;
use crate::interp::alu::eval;
use crate::sir::visit::Subst;
use crate::sir::{Addr, AluFlags, AluOp, Inst, Kernel, Op, Region, Resource, Type, Value};
use algebra::Simpler;
use smallvec::SmallVec;

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let mut body = std::mem::take(&mut kernel.body);
    let n = kernel.types.len();
    let labels = kernel.labels as usize;
    let subst = Subst::new(kernel);
    let mut f = Folder {
        kernel,
        consts: vec![None; n],
        defs: vec![None; n],
        subst,
        breaks: vec![0; labels],
        continues: vec![0; labels],
        changed: false,
    };
    f.whole_region(&mut body);
    if f.subst.is_used() {
        f.changed = true;
        f.subst.apply_region(&mut body);
    }
    let changed = f.changed;
    kernel.body = body;
    changed
}

/// The lane-wise operation that defines a value.
#[derive(Clone, Debug)]
struct AluDef {
    op: AluOp,
    args: SmallVec<[Value; 4]>,
}

struct Folder<'k> {
    kernel: &'k mut Kernel,
    consts: Vec<Option<u64>>,
    defs: Vec<Option<AluDef>>,
    subst: Subst,
    /// Exits per label in the code that has been written out.
    breaks: Vec<u32>,
    continues: Vec<u32>,
    changed: bool,
}

impl Folder<'_> {
    fn constant(&self, v: Value) -> Option<u64> {
        self.consts.get(v.index()).copied().flatten()
    }

    fn def(&self, v: Value) -> Option<&AluDef> {
        self.defs.get(v.index()).and_then(Option::as_ref)
    }

    /// A new value with its entries in the tables.
    fn fresh(&mut self, ty: Type) -> Value {
        let v = self.kernel.value(ty);
        self.consts.resize(self.kernel.types.len(), None);
        self.defs.resize(self.kernel.types.len(), None);
        v
    }

    fn new_const(&mut self, ty: Type, bits: u64, out: &mut Vec<Inst>) -> Value {
        let v = self.fresh(ty);
        self.put_const(v, bits, out);
        v
    }

    fn put_const(&mut self, v: Value, bits: u64, out: &mut Vec<Inst>) {
        let bits = bits & self.kernel.ty(v).mask();
        self.consts[v.index()] = Some(bits);
        out.push(Inst { results: SmallVec::from_slice(&[v]), op: Op::Const(bits) });
    }

    /// Rewrites a region with its terminator.
    fn whole_region(&mut self, region: &mut Region) {
        let insts = std::mem::take(&mut region.insts);
        let mut out = Vec::with_capacity(insts.len());
        let op = self.sequence(insts, &mut out);
        self.write_terminator(op, &mut out);
        region.insts = out;
    }

    fn write_terminator(&mut self, op: Op, out: &mut Vec<Inst>) {
        match &op {
            Op::Break(l, _) => self.breaks[l.index()] += 1,
            Op::Continue(l, _) => self.continues[l.index()] += 1,
            _ => {}
        }
        out.push(Inst { results: SmallVec::new(), op });
    }

    /// Rewrites instructions; gives the terminator that they end in, which is not yet written.
    fn sequence(&mut self, insts: Vec<Inst>, out: &mut Vec<Inst>) -> Op {
        let n = insts.len();
        for (i, mut inst) in insts.into_iter().enumerate() {
            self.subst.apply(&mut inst.op);
            if inst.op.is_terminator() {
                return inst.op;
            }
            if !inst.op.is_control() {
                self.simple(inst, out);
            } else if let Some(op) = self.control(inst, out) {
                // What follows is never reached.
                self.changed |= i + 2 < n || op != Op::Unreachable;
                return op;
            }
        }
        // Only for regions without a terminator, which do not occur in valid kernels.
        Op::Unreachable
    }

    fn simple(&mut self, mut inst: Inst, out: &mut Vec<Inst>) {
        match &mut inst.op {
            Op::Const(bits) => self.consts[inst.results[0].index()] = Some(*bits),
            Op::Alu { .. } => return self.alu(inst, out),
            Op::Load { addr, .. }
            | Op::Store { addr, .. }
            | Op::AtomicRmw { addr, .. }
            | Op::AtomicCas { addr, .. } => self.addr(addr),
            Op::Buffer(r) => self.resource(r),
            _ => {}
        }
        out.push(inst);
    }

    fn alu(&mut self, mut inst: Inst, out: &mut Vec<Inst>) {
        let result = inst.results[0];
        let ty = self.kernel.ty(result);
        // Each step leads to a simpler form; the bound is a precaution.
        for _ in 0..8 {
            let Op::Alu { op, args, flags } = &inst.op else { break };
            let known: SmallVec<[u64; 4]> = args.iter().filter_map(|&v| self.constant(v)).collect();
            if known.len() == args.len() && ty != Type::Buf && !lower_math::expands(*op) {
                let types: SmallVec<[Type; 4]> = args.iter().map(|&v| self.kernel.ty(v)).collect();
                let bits = eval(*op, &types, ty, &known, &self.kernel.float_controls);
                self.changed = true;
                return self.put_const(result, bits, out);
            }
            let (op, args, flags) = (*op, args.clone(), *flags);
            match self.simplify(op, &args, ty) {
                None => break,
                Some(Simpler::Value(v)) => {
                    self.subst.replace(result, v);
                    return;
                }
                Some(Simpler::Const(bits)) => {
                    self.changed = true;
                    return self.put_const(result, bits, out);
                }
                Some(Simpler::Alu(simpler, operands)) => {
                    self.changed = true;
                    // What was fused once is not fused with something else.
                    let flags = AluFlags { no_contract: flags.no_contract || op == AluOp::Fma };
                    let op = simpler;
                    let mut args: SmallVec<[Value; 4]> = SmallVec::new();
                    for o in operands {
                        args.push(match o {
                            algebra::Operand::Value(v) => v,
                            algebra::Operand::Const(ty, bits) => self.new_const(ty, bits, out),
                            algebra::Operand::Product(ty, a, factor) => {
                                // A power of two becomes a shift when it is simplified in turn.
                                let factor = self.new_const(ty, factor, out);
                                let v = self.fresh(ty);
                                let op = Op::alu(AluOp::IMul, &[a, factor]);
                                self.alu(Inst { results: SmallVec::from_slice(&[v]), op }, out);
                                self.subst.get(v)
                            }
                        });
                    }
                    inst.op = Op::Alu { op, args, flags };
                }
            }
        }
        if let Op::Alu { op, args, .. } = &inst.op {
            self.defs[result.index()] = Some(AluDef { op: *op, args: args.clone() });
        }
        out.push(inst);
    }

    /// Moves constant parts of an address into the immediate offset.
    fn addr(&mut self, addr: &mut Addr) {
        match addr {
            Addr::Buffer { off, imm, .. } => {
                while let Some(v) = *off {
                    let (rest, add) = self.split_sum(v);
                    if add == 0 && rest == Some(v) {
                        break;
                    }
                    *off = rest;
                    *imm = imm.wrapping_add(add as i64);
                    self.changed = true;
                }
            }
            Addr::Global { addr, imm } => {
                while let (Some(rest), add @ 1..) = self.split_sum(*addr) {
                    *addr = rest;
                    *imm = imm.wrapping_add(add as i64);
                    self.changed = true;
                }
            }
            Addr::Shared { off, imm } | Addr::Slot { off, imm, .. } | Addr::Push { off, imm } => {
                // Offsets of 32 bits wrap, so that the sum may be formed in any order.
                while let Some(v) = *off {
                    let (rest, add) = self.split_sum(v);
                    if add == 0 && rest == Some(v) {
                        break;
                    }
                    *off = rest;
                    *imm = imm.wrapping_add(add as u32);
                    self.changed = true;
                }
            }
        }
    }

    /// `v` as a value (absent if it is constant) plus a constant.
    fn split_sum(&self, v: Value) -> (Option<Value>, u64) {
        if let Some(bits) = self.constant(v) {
            return (None, bits);
        }
        match self.def(v) {
            Some(d) if d.op == AluOp::IAdd => match self.constant(d.args[1]) {
                Some(c) => (Some(d.args[0]), c),
                None => (Some(v), 0),
            },
            _ => (Some(v), 0),
        }
    }

    fn resource(&mut self, r: &mut Resource) {
        if r.index.is_some_and(|v| self.constant(v) == Some(0)) {
            r.index = None;
            r.non_uniform = false;
            self.changed = true;
        }
    }
}
