//! Loops that compare and swap until nobody came between become the atomic operation that they stand for.
//!
//! ```text
//! loop @0 (%old=%first) {
//!   %new = fadd %old %x                         %seen = atomic_rmw fadd ADDR %x
//!   %seen = atomic_cas ADDR %old %new     →
//!   %same = ieq %seen %old
//!   if %same { break @0 } else { yield }
//!   continue @0 %seen
//! }
//! ```
//! Whatever the loop begins with, it ends with the old value of memory in `%old` and `%seen`, and with `%old` changed by the operation in
//! memory. Loops that read the old value anew each time are the same. So are those on the bits of floats.

use crate::hash::{HashMap, HashSet};
use crate::sir::visit::Subst;
use crate::sir::{Addr, AluOp, AtomicOp, Inst, Kernel, Label, Op, Region, Type, Value};
use smallvec::SmallVec;

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let mut body = std::mem::take(&mut kernel.body);
    let mut subst = Subst::new(kernel);
    region(kernel, &mut body, &mut subst);
    subst.apply_region(&mut body);
    kernel.body = body;
    subst.is_used()
}

fn region(kernel: &mut Kernel, region: &mut Region, subst: &mut Subst) {
    let insts = std::mem::take(&mut region.insts);
    for mut inst in insts {
        inst.op.for_each_region_mut(&mut |r| self::region(kernel, r, subst));
        match swap_loop(kernel, &inst) {
            Some(found) => found.emit(kernel, &mut region.insts, &inst.results, subst),
            None => region.insts.push(inst),
        }
    }
}

/// A loop that is one atomic operation.
struct Found<'a> {
    addr: &'a Addr,
    op: AtomicOp,
    /// The operand, and what becomes of it first.
    value: Value,
    negate: Option<AluOp>,
    /// Values that are the old value of memory when the loop ends.
    old: SmallVec<[Value; 2]>,
    /// Computations of the loop that do not depend on the old value, and those that do.
    before: Vec<&'a Inst>,
    after: Vec<&'a Inst>,
    /// What the loop gives.
    results: &'a [Value],
    /// The type in memory.
    ty: Type,
}

fn swap_loop<'a>(kernel: &Kernel, inst: &'a Inst) -> Option<Found<'a>> {
    let Op::Loop { label, body, .. } = &inst.op else { return None };
    let (last, insts) = body.insts.split_last()?;
    let at = insts.iter().position(|i| matches!(i.op, Op::AtomicCas { .. }))?;
    let Op::AtomicCas { addr, expected, desired, volatile: false } = &insts[at].op else { return None };
    let seen = *insts[at].results.first()?;
    let exit = insts.iter().position(|i| matches!(i.op, Op::If { .. })).filter(|e| *e > at)?;
    let Op::If { cond, then, els } = &insts[exit].op else { return None };
    if !insts[exit].results.is_empty() {
        return None;
    }

    let mut old: SmallVec<[Value; 2]> = SmallVec::from_slice(&[seen]);
    let mut made = HashMap::default();
    let mut inside: Vec<&Inst> = Vec::new();
    for (i, inst) in insts.iter().enumerate() {
        match &inst.op {
            op if op.is_pure() => inside.push(inst),
            // The old value, read anew.
            Op::Load { addr: from, access } if i < at && from == addr && !access.volatile => match inst.results[..] {
                [v] if v == *expected => old.push(v),
                _ => return None,
            },
            _ if i == at || i == exit => {}
            _ => return None,
        }
    }
    match (body.params.as_slice(), &last.op) {
        ([], Op::Continue(l, args)) if l == label && args.is_empty() && old.contains(expected) => {}
        ([p], Op::Continue(l, args)) if l == label && args[..] == [seen] && p == expected => old.push(*p),
        _ => return None,
    }
    for inst in &inside {
        if let (Op::Alu { op, args, .. }, [r]) = (&inst.op, inst.results.as_slice()) {
            made.insert(*r, (*op, args));
        }
    }

    // It ends if nothing came between.
    let (compare, args) = made.get(cond)?;
    if !args.contains(&seen) || !args.contains(expected) {
        return None;
    }
    let (leave, stay) = match compare {
        AluOp::IEq => (then, els),
        AluOp::INe => (els, then),
        _ => return None,
    };
    let results = leaves(leave, *label, &mut inside)?;
    if !matches!(&stay.insts[..], [Inst { op: Op::Yield(args), .. }] if args.is_empty()) {
        return None;
    }

    // What depends on the old value.
    let mut after = Vec::new();
    let mut before = Vec::new();
    let mut depends: HashSet<Value> = old.iter().copied().collect();
    for inst in inside {
        let mut here = false;
        inst.op.for_each_operand(&mut |v| here |= depends.contains(&v));
        if here {
            depends.extend(inst.results.iter().copied());
            after.push(inst);
        } else {
            before.push(inst);
        }
    }

    let bits = |v: Value| match made.get(&v) {
        Some((AluOp::Bitcast, args)) => args[0],
        _ => v,
    };
    let (op, args) = made.get(&bits(*desired))?;
    let (op, negate) = atomic(*op)?;
    let [x, y] = args[..] else { return None };
    let value = if bits(x) == *expected {
        y
    } else if bits(y) == *expected && negate.is_none() {
        x
    } else {
        return None;
    };
    let ty = kernel.ty(*expected);
    let operand = kernel.ty(value);
    let plain = |ty: Type| match ty {
        Type::F32 | Type::F64 | Type::I32 | Type::I64 => kernel.float_controls.of(ty).is_plain(),
        _ => false,
    };
    // A loop that goes on elsewhere in memory with what it saw is another thing.
    let mut still = true;
    insts[at].op.for_each_operand(&mut |v| still &= v == *expected || v == *desired || !depends.contains(&v));
    let fits = still && !depends.contains(&value) && operand.bits() == ty.bits() && plain(operand);
    fits.then_some(Found { addr, op, value, negate, old, before, after, results, ty })
}

/// What a region passes on that does nothing but leave a loop; its computations are added to those `inside`.
fn leaves<'a>(region: &'a Region, label: Label, inside: &mut Vec<&'a Inst>) -> Option<&'a [Value]> {
    let (last, insts) = region.insts.split_last()?;
    let Op::Break(l, args) = &last.op else { return None };
    if *l != label || !insts.iter().all(|i| i.op.is_pure()) {
        return None;
    }
    inside.extend(insts);
    Some(args)
}

/// The atomic operation that puts the result of an operation into memory, and what is done to the second operand for it.
fn atomic(op: AluOp) -> Option<(AtomicOp, Option<AluOp>)> {
    Some(match op {
        AluOp::FAdd => (AtomicOp::FAdd, None),
        AluOp::FSub => (AtomicOp::FAdd, Some(AluOp::FNeg)),
        AluOp::IAdd => (AtomicOp::IAdd, None),
        AluOp::ISub => (AtomicOp::IAdd, Some(AluOp::INeg)),
        AluOp::SMin => (AtomicOp::SMin, None),
        AluOp::SMax => (AtomicOp::SMax, None),
        AluOp::UMin => (AtomicOp::UMin, None),
        AluOp::UMax => (AtomicOp::UMax, None),
        AluOp::And => (AtomicOp::And, None),
        AluOp::Or => (AtomicOp::Or, None),
        AluOp::Xor => (AtomicOp::Xor, None),
        _ => return None,
    })
}

impl Found<'_> {
    fn emit(&self, kernel: &mut Kernel, out: &mut Vec<Inst>, results: &[Value], subst: &mut Subst) {
        out.extend(self.before.iter().map(|i| (*i).clone()));
        let mut push = |kernel: &mut Kernel, ty: Type, op: Op| {
            let v = kernel.value(ty);
            out.push(Inst { results: SmallVec::from_slice(&[v]), op });
            v
        };
        let operand = kernel.ty(self.value);
        let value = match self.negate {
            Some(negate) => push(kernel, operand, Op::alu(negate, &[self.value])),
            None => self.value,
        };
        let rmw = Op::AtomicRmw { op: self.op, addr: *self.addr, value, volatile: false };
        let mut old = push(kernel, operand, rmw);
        if operand != self.ty {
            old = push(kernel, self.ty, Op::alu(AluOp::Bitcast, &[old]));
        }
        self.old.iter().for_each(|v| subst.replace(*v, old));
        out.extend(self.after.iter().map(|i| (*i).clone()));
        results.iter().zip(self.results).for_each(|(r, v)| subst.replace(*r, *v));
    }
}
