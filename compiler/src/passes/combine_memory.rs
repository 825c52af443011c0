//! Neighbouring loads and stores through one base become one access of several elements.
//!
//! Loads move up to the first of them, stores down to the last; in between there is nothing that could make a
//! difference. Bounds are checked per element, so that the meaning at the end of a buffer stays the same.
//!
//! Integers and floats of one size go together, with the bits of some as the others.
//!
//! Only what looks like a piece of a structure is merged: the dynamic offset must be a multiple of the size of the whole.
//! `x[i]` and `x[i + 1]` stay two accesses, as each of them is contiguous over invocations and both together are not.

use super::memory::MemoryFacts;
use crate::hash::HashMap;
use crate::sir::visit::Clobbers;
use crate::sir::{Access, Addr, AluOp, Inst, Kernel, Op, Region, SlotId, Space, Type, Value};
use smallvec::SmallVec;

/// Most elements of an access.
const MOST: usize = 4;

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let facts = MemoryFacts::new(kernel);
    let mut body = std::mem::take(&mut kernel.body);
    let divisors = divisors(kernel, &body);
    let mut c = Combine { kernel, facts, divisors, behind: HashMap::default(), changed: false };
    c.region(&mut body);
    let changed = c.changed;
    kernel.body = body;
    changed
}

/// An address without its constant offset, with everything else that accesses must agree on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Base {
    space: Space,
    object: Option<Value>,
    slot: SlotId,
    off: Option<Value>,
    /// Of the elements, or that of integers of the same size.
    ty: Type,
    flags: Access,
}

/// The type of integers that have the bits of a type; the type itself if there is none.
fn bits_of(ty: Type) -> Type {
    match ty {
        Type::F16 | Type::F32 | Type::F64 => Type::int(ty.bits()).unwrap_or(ty),
        Type::Bool | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Buf => ty,
    }
}

fn split(addr: &Addr, ty: Type, access: Access) -> (Base, i64) {
    let flags = Access { align: 1, ..access };
    let base = |object, slot, off| Base { space: addr.space(), object, slot, off, ty: bits_of(ty), flags };
    match *addr {
        Addr::Buffer { buf, off, imm } => (base(Some(buf), SlotId(0), off), imm),
        Addr::Global { addr, imm } => (base(Some(addr), SlotId(0), None), imm),
        Addr::Shared { off, imm } | Addr::Push { off, imm } => (base(None, SlotId(0), off), i64::from(imm)),
        Addr::Slot { slot, off, imm } => (base(None, slot, off), i64::from(imm)),
    }
}

/// One access in a group.
struct Member {
    imm: i64,
    index: usize,
    count: usize,
    access: Access,
}

struct Combine<'k> {
    kernel: &'k mut Kernel,
    facts: MemoryFacts,
    /// A number that divides each value; 0 for zero.
    divisors: Vec<u64>,
    /// What comes behind instructions of the region at hand.
    behind: HashMap<usize, Vec<Inst>>,
    changed: bool,
}

/// Finds a divisor of every value, from how it is computed.
fn divisors(kernel: &Kernel, body: &Region) -> Vec<u64> {
    const MOST: u64 = 1 << 32;
    let mut d = vec![1u64; kernel.types.len()];
    let mut consts = vec![None; kernel.types.len()];
    body.walk(&mut |inst| {
        let n = match &inst.op {
            Op::Const(bits) => {
                consts[inst.results[0].index()] = Some(*bits);
                *bits
            }
            Op::Alu { op, args, .. } => {
                let of = |i: usize| d[args[i].index()];
                match op {
                    AluOp::IAdd | AluOp::ISub | AluOp::Or | AluOp::Xor => gcd(of(0), of(1)),
                    AluOp::IMul => of(0).saturating_mul(of(1)),
                    AluOp::Shl => consts[args[1].index()].map_or(of(0), |n| of(0).saturating_mul(1 << (n % 32))),
                    AluOp::INeg | AluOp::ZExt | AluOp::SExt | AluOp::ITrunc => of(0),
                    AluOp::Select => gcd(of(1), of(2)),
                    _ => 1,
                }
            }
            _ => 1,
        };
        for r in &inst.results {
            d[r.index()] = n.min(MOST);
        }
    });
    d
}

fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Combine<'_> {
    fn region(&mut self, region: &mut Region) {
        for inst in &mut region.insts {
            inst.op.for_each_region_mut(&mut |r| self.region(r));
        }
        let mut insts: Vec<Option<Inst>> = std::mem::take(&mut region.insts).into_iter().map(Some).collect();
        self.loads(&mut insts);
        self.stores(&mut insts);
        let mut behind = std::mem::take(&mut self.behind);
        for (index, inst) in insts.into_iter().enumerate() {
            region.insts.extend(inst);
            region.insts.extend(behind.remove(&index).into_iter().flatten());
        }
    }

    fn loads(&mut self, insts: &mut [Option<Inst>]) {
        let mut open: HashMap<Base, Vec<Member>> = HashMap::default();
        let mut done: Vec<Vec<Member>> = Vec::new();
        for (index, slot) in insts.iter().enumerate() {
            let Some(inst) = slot else { continue };
            if let Op::Load { addr, access } = &inst.op {
                if MemoryFacts::is_plain(access) && inst.results.len() < MOST {
                    let (base, imm) = split(addr, self.kernel.ty(inst.results[0]), *access);
                    let member = Member { imm, index, count: inst.results.len(), access: *access };
                    open.entry(base).or_default().push(member);
                }
                continue;
            }
            let clobbers = Clobbers::of_op(&inst.op);
            if clobbers == Clobbers::default() {
                continue;
            }
            let closed: Vec<Base> = open
                .iter()
                .filter(|(base, members)| {
                    let invariant = members.first().and_then(|m| match &insts[m.index].as_ref()?.op {
                        Op::Load { addr, access } => Some(self.facts.is_invariant(self.kernel, addr, access)),
                        _ => None,
                    });
                    clobbers.may_change(base.space) && invariant != Some(true)
                })
                .map(|(base, _)| *base)
                .collect();
            done.extend(closed.iter().filter_map(|b| open.remove(b)));
        }
        done.extend(open.into_values());
        for group in done {
            self.merge(group, insts, true);
        }
    }

    fn stores(&mut self, insts: &mut [Option<Inst>]) {
        let mut open: HashMap<Base, Vec<Member>> = HashMap::default();
        let mut done: Vec<Vec<Member>> = Vec::new();
        for (index, slot) in insts.iter().enumerate() {
            let Some(inst) = slot else { continue };
            let mut own = None;
            if let Op::Store { addr, values, access } = &inst.op {
                if MemoryFacts::is_plain(access) && values.len() < MOST {
                    let (base, imm) = split(addr, self.kernel.ty(values[0]), *access);
                    own = Some((base, Member { imm, index, count: values.len(), access: *access }));
                }
            }
            let touches = |space: Space, op: &Op| {
                let mut reads = false;
                let mut look = |o: &Op| reads |= o.effects().reads.is_some_and(|s| same_memory(s, space));
                look(op);
                op.for_each_region(&mut |r| r.walk(&mut |i| look(&i.op)));
                // Leaving the region ends every group; exits inside of a construct do too.
                reads || Clobbers::of_op(op).may_change(space) || op.is_control()
            };
            let closed: Vec<Base> = open
                .iter()
                .filter(|(base, members)| match &own {
                    Some((b, m)) if b == *base => {
                        let bytes = i64::from(base.ty.bytes());
                        let end = |m: &Member| m.imm.saturating_add(m.count as i64 * bytes);
                        members.iter().any(|o| o.imm < end(m) && m.imm < end(o))
                    }
                    _ => touches(base.space, &inst.op),
                })
                .map(|(base, _)| *base)
                .collect();
            done.extend(closed.iter().filter_map(|b| open.remove(b)));
            if let Some((base, member)) = own {
                open.entry(base).or_default().push(member);
            }
        }
        done.extend(open.into_values());
        for group in done {
            self.merge(group, insts, false);
        }
    }

    /// Size of the largest piece that an access may belong to.
    fn most_bytes(&self, inst: Option<&Inst>, access: &Access) -> u64 {
        let dynamic = match inst.map(|i| &i.op) {
            Some(Op::Load { addr, .. } | Op::Store { addr, .. }) => match *addr {
                Addr::Buffer { off, .. }
                | Addr::Shared { off, .. }
                | Addr::Slot { off, .. }
                | Addr::Push { off, .. } => off,
                Addr::Global { addr, .. } => Some(addr),
            },
            _ => None,
        };
        match dynamic.map(|v| self.divisors[v.index()]) {
            None | Some(0) => u64::MAX,
            Some(n) => n.max(u64::from(access.align)),
        }
    }

    /// Merges runs of adjacent accesses of a group.
    fn merge(&mut self, mut group: Vec<Member>, insts: &mut [Option<Inst>], loads: bool) {
        group.sort_by_key(|m| (m.imm, m.index));
        let mut i = 0;
        while i < group.len() {
            let bytes = match insts[group[i].index].as_ref().map(|inst| &inst.op) {
                Some(Op::Store { values, .. }) => self.kernel.ty(values[0]).bytes(),
                Some(Op::Load { .. }) => {
                    insts[group[i].index].as_ref().map_or(1, |inst| self.kernel.ty(inst.results[0]).bytes())
                }
                _ => return,
            };
            let most = self.most_bytes(insts[group[i].index].as_ref(), &group[i].access);
            let mut total = group[i].count;
            let mut j = i + 1;
            while j < group.len()
                && group[i].imm.checked_add(total as i64 * i64::from(bytes)) == Some(group[j].imm)
                && total + group[j].count <= MOST
                && (total + group[j].count) as u64 * u64::from(bytes) <= most
            {
                total += group[j].count;
                j += 1;
            }
            if j > i + 1 {
                self.changed = true;
                self.merge_run(&group[i..j], insts, loads);
            }
            i = j;
        }
    }

    /// Makes one access of the members, which are in the order of their addresses.
    fn merge_run(&mut self, run: &[Member], insts: &mut [Option<Inst>], load: bool) {
        let indices = run.iter().map(|m| m.index);
        let Some(at) = (if load { indices.min() } else { indices.max() }) else { return };
        let mut results: SmallVec<[Value; 2]> = SmallVec::new();
        let mut all: SmallVec<[Value; 4]> = SmallVec::new();
        let mut first = None;
        let ty = match &insts[at] {
            Some(Inst { op: Op::Store { values, .. }, .. }) => self.kernel.ty(values[0]),
            Some(inst) if !inst.results.is_empty() => self.kernel.ty(inst.results[0]),
            _ => return,
        };
        for m in run {
            let Some(inst) = insts[m.index].take() else { continue };
            // Elements of the other type are made, or made use of, where the access was.
            match inst.op {
                Op::Load { addr, .. } => {
                    first = first.or(Some(addr));
                    for r in inst.results {
                        results.push(self.as_type(r, ty, m.index, true));
                    }
                }
                Op::Store { addr, values, .. } => {
                    first = first.or(Some(addr));
                    for v in values {
                        all.push(self.as_type(v, ty, m.index, false));
                    }
                }
                _ => {}
            }
        }
        if let Some(addr) = first {
            let access = run[0].access;
            let op = if load { Op::Load { addr, access } } else { Op::Store { addr, values: all, access } };
            insts[at] = Some(Inst { results, op });
        }
    }

    /// A value of type `ty` with the bits of `v`, behind an instruction: `v` itself, one that `v` is made of (`whence`), or one that
    /// is made of `v`.
    fn as_type(&mut self, v: Value, ty: Type, index: usize, whence: bool) -> Value {
        if self.kernel.ty(v) == ty {
            return v;
        }
        let other = self.kernel.value(ty);
        let (result, from) = if whence { (v, other) } else { (other, v) };
        let inst = Inst { results: SmallVec::from_slice(&[result]), op: Op::alu(AluOp::Bitcast, &[from]) };
        self.behind.entry(index).or_default().push(inst);
        other
    }
}

const fn same_memory(a: Space, b: Space) -> bool {
    matches!(
        (a, b),
        (Space::Buffer | Space::Global, Space::Buffer | Space::Global)
            | (Space::Shared, Space::Shared)
            | (Space::Slot, Space::Slot)
    )
}
