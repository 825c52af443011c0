//! Shapes: values that grow by a constant from one lane of a subgroup to the next, and value ranges.
//!
//! A value has stride `s` if in lane `l` it is `base + l·s` modulo the width of its type, where `base` is the same for
//! all lanes. That holds for lanes that are not active, too: their value is what the formula gives.
//!
//! Where the lanes cover several whole rows of a workgroup (8×8 invocations in 16 lanes, say), a value may have a stride
//! within each row and a base of its own in each: a coordinate, and every offset computed from coordinates.

use super::{Level, Range, Uniformity};
use crate::hash::HashMap;
use crate::sir::{AluOp, Builtin, Inst, Kernel, Op, Region, Type, Value};

/// What is known of the launches of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Lanes of a subgroup.
    pub subgroup_size: u32,
    /// Bound of base + count of workgroups per dimension.
    pub max_groups: [u32; 3],
}

/// Lane strides and value ranges.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    strides: Vec<Stride>,
    ranges: Vec<Option<Range>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stride {
    /// Nothing seen yet.
    Unknown,
    /// From each lane to the next.
    Known(i64),
    /// From lane to lane within a row; rows have bases of their own.
    Rows(i64),
    Varying,
}

impl Stride {
    fn meet(self, o: Stride) -> Stride {
        match (self, o) {
            (Stride::Unknown, s) | (s, Stride::Unknown) => s,
            (a, b) if a == b => a,
            (Stride::Known(a) | Stride::Rows(a), Stride::Known(b) | Stride::Rows(b)) if a == b => Stride::Rows(a),
            _ => Stride::Varying,
        }
    }

    /// The result of an operation on strides; known throughout only if those of the operands are.
    fn map2(self, o: Stride, f: impl FnOnce(i64, i64) -> Option<i64>) -> Stride {
        match (self, o) {
            (Stride::Varying, _) | (_, Stride::Varying) => Stride::Varying,
            (Stride::Unknown, _) | (_, Stride::Unknown) => Stride::Unknown,
            (Stride::Known(a), Stride::Known(b)) => bounded(f(a, b), Stride::Known),
            (Stride::Known(a) | Stride::Rows(a), Stride::Known(b) | Stride::Rows(b)) => bounded(f(a, b), Stride::Rows),
        }
    }

    fn map(self, f: impl FnOnce(i64) -> Option<i64>) -> Stride {
        self.map2(Stride::Known(0), |a, _| f(a))
    }
}

/// Rows of a workgroup narrower than this are not told apart.
const MIN_ROW: u32 = 4;

/// More rows than this in the lanes of a subgroup are not told apart.
pub const MAX_ROWS: u32 = 8;

/// How many whole rows (invocations of one y and z) of a workgroup the lanes cover: 1 if they lie in one row, or if
/// rows are not of a kind that is followed.
pub fn rows(kernel: &Kernel, lanes: u32) -> u32 {
    let x = kernel.local_size[0];
    if linear_x(kernel, lanes) || x < MIN_ROW || !lanes.is_multiple_of(x) || lanes / x > MAX_ROWS {
        return 1;
    }
    lanes / x
}

/// Larger strides are of no use to anyone and could overflow.
const MAX_STRIDE: i64 = 1 << 24;

/// Whether lanes of consecutive local index have consecutive x.
fn linear_x(kernel: &Kernel, subgroup_size: u32) -> bool {
    kernel.local_size[0].is_multiple_of(subgroup_size) || (kernel.local_size[1] == 1 && kernel.local_size[2] == 1)
}

impl Shapes {
    /// Analyses a verified kernel.
    pub fn new(kernel: &Kernel, uniformity: &Uniformity, facts: &Facts) -> Shapes {
        let mut pass = Pass {
            kernel,
            uniformity,
            facts,
            out: Shapes { strides: vec![Stride::Unknown; kernel.types.len()], ranges: vec![None; kernel.types.len()] },
            results: HashMap::default(),
            params: HashMap::default(),
            arms: Vec::new(),
            changed: false,
        };
        pass.ranges(&kernel.body);
        for _ in 0..PASSES {
            pass.changed = false;
            pass.strides(&kernel.body);
            if !pass.changed {
                return pass.out;
            }
        }
        pass.out.strides.fill(Stride::Varying);
        pass.out
    }

    /// Growth from lane to lane, `Some(0)` for values that are uniform over the subgroup.
    pub fn stride(&self, v: Value) -> Option<i64> {
        match self.strides.get(v.index()) {
            Some(Stride::Known(s)) => Some(*s),
            _ => None,
        }
    }

    /// Growth from lane to lane within each row; see [`rows`].
    pub fn row_stride(&self, v: Value) -> Option<i64> {
        match self.strides.get(v.index()) {
            Some(Stride::Known(s) | Stride::Rows(s)) => Some(*s),
            _ => None,
        }
    }

    /// Bounds of an integer value in every lane.
    pub fn range(&self, v: Value) -> Option<Range> {
        self.ranges.get(v.index()).copied().flatten()
    }

    /// Whether extending a value of that stride from `bits` keeps the stride in all of `lanes` consecutive lanes.
    pub fn extends(&self, v: Value, stride: i64, bits: u32, signed: bool, lanes: u32) -> bool {
        let Some(range) = self.range(v) else { return false };
        let spread = stride.unsigned_abs().saturating_mul(u64::from(lanes.saturating_sub(1)));
        let full = Range::full(bits).hi;
        (range.hi - range.lo).checked_add(spread).is_some_and(|s| s < full) && (!signed || range.hi <= full >> 1)
    }
}

const PASSES: usize = 100;

struct Pass<'a> {
    kernel: &'a Kernel,
    uniformity: &'a Uniformity,
    facts: &'a Facts,
    out: Shapes,
    results: HashMap<u32, &'a [Value]>,
    params: HashMap<u32, &'a [Value]>,
    /// Parameters of the arms that fallthroughs lead to, innermost switch last.
    arms: Vec<&'a [Value]>,
    changed: bool,
}

impl<'a> Pass<'a> {
    fn bits(&self, v: Value) -> u32 {
        self.kernel.ty(v).bits()
    }

    // ---- ranges: one pass in text order; parameters and results of constructs may be anything ----

    fn ranges(&mut self, region: &'a Region) {
        for inst in &region.insts {
            if let [result] = inst.results[..] {
                if self.kernel.ty(result).is_int() {
                    self.out.ranges[result.index()] = Some(self.range_of(result, &inst.op));
                }
            }
            match &inst.op {
                Op::If { then, els, .. } => {
                    self.ranges(then);
                    self.ranges(els);
                }
                Op::Switch { cases, .. } => cases.iter().for_each(|c| self.ranges(&c.body)),
                Op::Loop { body, .. } | Op::Block { body, .. } => self.ranges(body),
                _ => {}
            }
        }
    }

    fn get(&self, v: Value) -> Range {
        self.out.ranges[v.index()].unwrap_or(Range::full(self.bits(v).max(1)))
    }

    fn range_of(&self, result: Value, op: &Op) -> Range {
        let bits = self.bits(result);
        let full = Range::full(bits);
        match op {
            Op::Const(c) => Range::point(*c),
            Op::Builtin(b) => self.builtin_range(*b),
            Op::Alu { op, args, .. } => {
                let a = |i: usize| self.get(args[i]);
                match op {
                    AluOp::IAdd => a(0).add(a(1), bits),
                    AluOp::ISub => a(0).sub(a(1), bits),
                    AluOp::IMul => a(0).mul(a(1), bits),
                    AluOp::Shl => match a(1).constant() {
                        Some(c) => a(0).shl(c as u32 % bits, bits),
                        None => full,
                    },
                    AluOp::UShr => match a(1).constant() {
                        Some(c) => Range { lo: a(0).lo >> (c % u64::from(bits)), hi: a(0).hi >> (c % u64::from(bits)) },
                        None => Range { lo: 0, hi: a(0).hi },
                    },
                    AluOp::And if self.kernel.ty(args[0]) != Type::Bool => Range { lo: 0, hi: a(0).hi.min(a(1).hi) },
                    AluOp::UMin => Range { lo: a(0).lo.min(a(1).lo), hi: a(0).hi.min(a(1).hi) },
                    AluOp::UMax => Range { lo: a(0).lo.max(a(1).lo), hi: a(0).hi.max(a(1).hi) },
                    AluOp::UDiv if a(1).lo > 0 => Range { lo: a(0).lo / a(1).hi, hi: a(0).hi / a(1).lo },
                    AluOp::URem if a(1).lo > 0 => Range { lo: 0, hi: a(0).hi.min(a(1).hi - 1) },
                    AluOp::ZExt => match self.kernel.ty(args[0]) {
                        Type::Bool => Range { lo: 0, hi: 1 },
                        _ => a(0),
                    },
                    AluOp::SExt if a(0).hi <= Range::full(self.bits(args[0])).hi >> 1 => a(0),
                    AluOp::ITrunc if a(0).hi <= full.hi => a(0),
                    AluOp::Select => a(1).union(a(2)),
                    _ => full,
                }
            }
            _ => full,
        }
    }

    /// Bounds that hold for every lane of the last subgroup, also those beyond the workgroup.
    fn builtin_range(&self, b: Builtin) -> Range {
        let lanes = self.facts.subgroup_size.max(1);
        let size = self.kernel.local_size;
        let padded = u64::from(self.kernel.invocations().div_ceil(lanes)) * u64::from(lanes);
        let up_to = |n: u64| Range { lo: 0, hi: n.saturating_sub(1) };
        let local = |c: u8| {
            let n = size.get(usize::from(c)).copied().unwrap_or(1);
            // Lanes beyond the workgroup continue in x, or else in the slowest dimension.
            if n == 1 && c > 0 && linear_x(self.kernel, lanes) {
                up_to(1)
            } else {
                up_to(padded.max(u64::from(n)))
            }
        };
        let group = |c: u8| up_to(u64::from(self.facts.max_groups.get(usize::from(c)).copied().unwrap_or(u32::MAX)));
        let size = |c: u8| Range::point(u64::from(size.get(usize::from(c)).copied().unwrap_or(1)));
        match b {
            Builtin::WorkgroupId(c) => group(c),
            Builtin::NumWorkgroups(c) => {
                Range { lo: 0, hi: u64::from(self.facts.max_groups.get(usize::from(c)).copied().unwrap_or(u32::MAX)) }
            }
            Builtin::LocalId(c) => local(c),
            Builtin::GlobalId(c) => group(c).mul(size(c), 32).add(local(c), 32),
            Builtin::LocalIndex => up_to(padded),
            Builtin::SubgroupId => up_to(padded / u64::from(lanes)),
            Builtin::NumSubgroups => Range::point(padded / u64::from(lanes)),
            Builtin::SubgroupSize => Range::point(u64::from(lanes)),
            Builtin::SubgroupLocalId => up_to(u64::from(lanes)),
        }
    }

    // ---- strides ----

    fn set(&mut self, v: Value, stride: Stride) {
        let stride = if self.uniformity.value(v) <= Level::Subgroup {
            Stride::Known(0)
        } else if !self.kernel.ty(v).is_int() {
            Stride::Varying
        } else {
            stride
        };
        let old = self.out.strides[v.index()];
        let new = old.meet(stride);
        if new != old {
            self.out.strides[v.index()] = new;
            self.changed = true;
        }
    }

    fn stride(&self, v: Value) -> Stride {
        self.out.strides[v.index()]
    }

    /// A join of values; `together` if the invocations that arrive did not part.
    fn join(&mut self, into: Value, from: Value, together: bool) {
        let s = if together { self.stride(from) } else { Stride::Varying };
        self.set(into, s);
    }

    fn strides(&mut self, region: &'a Region) -> Option<&'a Op> {
        for inst in &region.insts {
            self.inst(inst);
            if inst.op.is_terminator() {
                return Some(&inst.op);
            }
        }
        None
    }

    fn inst(&mut self, inst: &'a Inst) {
        let subgroup = |l: Level| l <= Level::Subgroup;
        match &inst.op {
            Op::If { cond, then, els } => {
                let together = subgroup(self.uniformity.value(*cond));
                for side in [then, els] {
                    if let Some(Op::Yield(args)) = self.strides(side) {
                        for (&r, &a) in inst.results.iter().zip(args) {
                            self.join(r, a, together);
                        }
                    }
                }
            }
            Op::Switch { label, selector, cases } => {
                self.results.insert(label.0, &inst.results);
                let together = subgroup(self.uniformity.value(*selector));
                for (n, case) in cases.iter().enumerate() {
                    for (&p, &i) in case.body.params.iter().zip(&case.init) {
                        self.join(p, i, together);
                    }
                    self.arms.push(cases.get(n + 1).map_or(&[], |c| &c.body.params));
                    if let Some(Op::Yield(args)) = self.strides(&case.body) {
                        self.leave(label.0, args, self.uniformity.break_join(*label));
                    }
                    self.arms.pop();
                }
            }
            Op::Loop { label, init, body } => {
                self.results.insert(label.0, &inst.results);
                self.params.insert(label.0, &body.params);
                for (&p, &i) in body.params.iter().zip(init) {
                    self.join(p, i, true);
                }
                self.strides(body);
            }
            Op::Block { label, body } => {
                self.results.insert(label.0, &inst.results);
                if let Some(Op::Yield(args)) = self.strides(body) {
                    self.leave(label.0, args, self.uniformity.break_join(*label));
                }
            }
            Op::Break(label, args) => self.leave(label.0, args, self.uniformity.break_join(*label)),
            Op::Continue(label, args) => {
                let together = subgroup(self.uniformity.continue_join(*label));
                let params = self.params.get(&label.0).copied().unwrap_or_default();
                for (&p, &a) in params.iter().zip(args) {
                    self.join(p, a, together);
                }
            }
            Op::Fallthrough(args) => {
                let params = self.arms.last().copied().unwrap_or_default();
                for (&p, &a) in params.iter().zip(args) {
                    self.join(p, a, false);
                }
            }
            op => {
                for &r in &inst.results {
                    let s = self.stride_of(r, op);
                    self.set(r, s);
                }
            }
        }
    }

    fn leave(&mut self, label: u32, args: &[Value], level: Level) {
        let results = self.results.get(&label).copied().unwrap_or_default();
        for (&r, &a) in results.iter().zip(args) {
            self.join(r, a, level <= Level::Subgroup);
        }
    }

    fn stride_of(&self, result: Value, op: &Op) -> Stride {
        let lanes = self.facts.subgroup_size;
        let rows = rows(self.kernel, lanes);
        match op {
            Op::Builtin(b) => match b {
                Builtin::LocalIndex | Builtin::SubgroupLocalId => Stride::Known(1),
                Builtin::LocalId(0) | Builtin::GlobalId(0) if linear_x(self.kernel, lanes) => Stride::Known(1),
                Builtin::LocalId(c) | Builtin::GlobalId(c) if rows > 1 => Stride::Rows(i64::from(*c == 0)),
                _ => Stride::Varying,
            },
            Op::Alu { op, args, .. } => {
                let bits = self.bits(result);
                let s = |i: usize| self.stride(args[i]);
                let constant = |i: usize| self.get(args[i]).constant();
                let scaled = |of: usize, by: Option<u64>| match by {
                    Some(c) => s(of).map(|a| i64::try_from(c).ok().and_then(|c| a.checked_mul(c))),
                    None => Stride::Varying,
                };
                let linear = match op {
                    AluOp::IAdd => s(0).map2(s(1), i64::checked_add),
                    AluOp::ISub => s(0).map2(s(1), i64::checked_sub),
                    AluOp::INeg => s(0).map(i64::checked_neg),
                    AluOp::IMul => match (constant(0), constant(1)) {
                        (_, Some(c)) => scaled(0, Some(c)),
                        (Some(c), None) => scaled(1, Some(c)),
                        (None, None) => Stride::Varying,
                    },
                    AluOp::Shl => scaled(0, constant(1).and_then(|c| 1u64.checked_shl(c as u32 % bits))),
                    AluOp::ITrunc => s(0),
                    AluOp::ZExt | AluOp::SExt => {
                        let keeps =
                            |k: i64, n: u32| self.out.extends(args[0], k, self.bits(args[0]), *op == AluOp::SExt, n);
                        match s(0) {
                            Stride::Known(k) if keeps(k, lanes) => Stride::Known(k),
                            Stride::Known(k) | Stride::Rows(k) if rows > 1 && keeps(k, lanes / rows) => Stride::Rows(k),
                            Stride::Unknown => Stride::Unknown,
                            _ => Stride::Varying,
                        }
                    }
                    AluOp::Bitcast if self.kernel.ty(args[0]).is_int() => s(0),
                    AluOp::Select if self.uniformity.value(args[0]) <= Level::Subgroup => s(1).meet(s(2)),
                    _ => Stride::Varying,
                };
                if linear == Stride::Varying && rows > 1 && row_wise(*op) {
                    // The same within each row if its operands are.
                    return args.iter().map(|a| self.stride(*a)).fold(Stride::Rows(0), |all, s| match (all, s) {
                        (Stride::Varying, _) => Stride::Varying,
                        (Stride::Rows(_), Stride::Known(0) | Stride::Rows(0)) => Stride::Rows(0),
                        (Stride::Rows(_) | Stride::Unknown, Stride::Unknown) => Stride::Unknown,
                        (Stride::Unknown, Stride::Known(0) | Stride::Rows(0)) => Stride::Unknown,
                        _ => Stride::Varying,
                    });
                }
                linear
            }
            _ => Stride::Varying,
        }
    }
}

/// Integer operations that are followed for values that are the same within each row: those of address arithmetic.
pub fn row_wise(op: AluOp) -> bool {
    matches!(
        op,
        AluOp::IAdd
            | AluOp::ISub
            | AluOp::INeg
            | AluOp::IMul
            | AluOp::Shl
            | AluOp::UShr
            | AluOp::SShr
            | AluOp::And
            | AluOp::Or
            | AluOp::Xor
            | AluOp::UMin
            | AluOp::UMax
            | AluOp::SMin
            | AluOp::SMax
            | AluOp::ZExt
            | AluOp::SExt
            | AluOp::ITrunc
    )
}

fn bounded(s: Option<i64>, make: fn(i64) -> Stride) -> Stride {
    match s {
        Some(s) if s.abs() <= MAX_STRIDE => make(s),
        _ => Stride::Varying,
    }
}
