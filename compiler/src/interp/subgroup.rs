//! Operations between the invocations of a subgroup.

use super::exec::Group;
use super::mask::Mask;
use super::{alu, float};
use crate::sir::{AluOp, FloatControls, GroupOp, GroupScan, SubgroupOp, Type, Value};

/// The lane-wise operation that a reduction repeats.
const fn combine(op: GroupOp) -> AluOp {
    match op {
        GroupOp::IAdd => AluOp::IAdd,
        GroupOp::IMul => AluOp::IMul,
        GroupOp::SMin => AluOp::SMin,
        GroupOp::SMax => AluOp::SMax,
        GroupOp::UMin => AluOp::UMin,
        GroupOp::UMax => AluOp::UMax,
        GroupOp::And => AluOp::And,
        GroupOp::Or => AluOp::Or,
        GroupOp::Xor => AluOp::Xor,
        GroupOp::FAdd => AluOp::FAdd,
        GroupOp::FMul => AluOp::FMul,
        GroupOp::FMin => AluOp::FMin,
        GroupOp::FMax => AluOp::FMax,
    }
}

/// The value that changes nothing; what an exclusive scan gives to the first invocation.
pub fn identity(op: GroupOp, ty: Type) -> u64 {
    let float = |x: f64| super::float::from_f64(ty, x, super::Round::Even);
    match op {
        GroupOp::IAdd | GroupOp::Or | GroupOp::Xor | GroupOp::UMax => 0,
        GroupOp::IMul => 1,
        GroupOp::SMin => ty.mask() >> 1,
        GroupOp::SMax => (ty.mask() >> 1) + 1,
        GroupOp::UMin | GroupOp::And => ty.mask(),
        GroupOp::FAdd => 0,
        GroupOp::FMul => float(1.0),
        GroupOp::FMin => float(f64::INFINITY),
        GroupOp::FMax => float(f64::NEG_INFINITY),
    }
}

const fn equality(ty: Type) -> AluOp {
    if ty.is_float() {
        AluOp::FEq
    } else {
        AluOp::IEq
    }
}

impl Group<'_, '_> {
    pub(super) fn subgroup(&mut self, op: SubgroupOp, args: &[Value], result: Value, active: &Mask) {
        let size = self.info.subgroup_size as usize;
        let mut out: Vec<(usize, u64)> = Vec::new();
        for base in (0..self.lanes).step_by(size) {
            let end = (base + size).min(self.lanes);
            let members: Vec<usize> = (base..end).filter(|&l| active.contains(l)).collect();
            if let Some(&first) = members.first() {
                self.one_subgroup(op, args, base, first, &members, active, &mut out);
            }
        }
        for (lane, bits) in out {
            self.set(result, lane, bits);
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn one_subgroup(
        &self,
        op: SubgroupOp,
        args: &[Value],
        base: usize,
        first: usize,
        members: &[usize],
        active: &Mask,
        out: &mut Vec<(usize, u64)>,
    ) {
        let size = self.info.subgroup_size as usize;
        let ty = args.first().map_or(Type::Bool, |&v| self.ty(v));
        let a = |lane: usize| self.get(args[0], lane);
        let b = |lane: usize| self.get(args[1], lane) as u32 as usize;
        // The value held by an invocation of this subgroup, by its id there.
        let from = |id: usize| {
            let lane = base.wrapping_add(id);
            if id < size && lane < self.lanes && active.contains(lane) {
                a(lane)
            } else {
                0
            }
        };
        let mut all = |f: &mut dyn FnMut(usize) -> u64| out.extend(members.iter().map(|&l| (l, f(l))));
        match op {
            SubgroupOp::Elect => all(&mut |l| u64::from(l == first)),
            SubgroupOp::All => {
                let r = u64::from(members.iter().all(|&l| a(l) == 1));
                all(&mut |_| r);
            }
            SubgroupOp::Any => {
                let r = u64::from(members.iter().any(|&l| a(l) == 1));
                all(&mut |_| r);
            }
            SubgroupOp::AllEqual => {
                let eq = equality(ty);
                let fc = FloatControls::default();
                let same = |l: usize| alu::eval(eq, &[ty, ty], Type::Bool, &[a(first), a(l)], &fc) == 1;
                let r = u64::from(members.iter().all(|&l| same(l)));
                all(&mut |_| r);
            }
            SubgroupOp::Ballot => {
                let r = members.iter().fold(0, |r, &l| r | a(l) << (l - base));
                all(&mut |_| r);
            }
            SubgroupOp::BroadcastFirst => all(&mut |_| a(first)),
            SubgroupOp::Broadcast | SubgroupOp::Shuffle => all(&mut |l| from(b(l))),
            SubgroupOp::ShuffleXor => all(&mut |l| from((l - base) ^ b(l))),
            SubgroupOp::ShuffleUp => all(&mut |l| from((l - base).wrapping_sub(b(l)))),
            SubgroupOp::ShuffleDown => all(&mut |l| from((l - base).wrapping_add(b(l)))),
            SubgroupOp::Rotate { cluster } => {
                let n = if cluster == 0 { size } else { cluster as usize };
                all(&mut |l| {
                    let id = l - base;
                    from((id & !(n - 1)) + (id.wrapping_add(b(l)) & (n - 1)))
                });
            }
            SubgroupOp::QuadBroadcast => all(&mut |l| from(((l - base) & !3) + (b(l) & 3))),
            SubgroupOp::QuadSwap { direction } => {
                all(&mut |l| from((l - base) ^ (usize::from(direction) + 1)));
            }
            SubgroupOp::Group { op, scan, cluster } => {
                let n = if cluster == 0 { size } else { cluster as usize };
                let mut rest = members;
                while let Some(&start) = rest.first() {
                    let cluster_of = |l: usize| (l - base) / n;
                    let len = rest.iter().take_while(|&&l| cluster_of(l) == cluster_of(start)).count();
                    let (here, later) = rest.split_at(len);
                    rest = later;
                    self.reduce(op, scan, args[0], here, out);
                }
            }
            SubgroupOp::Partition => {
                let eq = equality(ty);
                let fc = FloatControls::default();
                let same = |l: usize, m: usize| l == m || alu::eval(eq, &[ty, ty], Type::Bool, &[a(l), a(m)], &fc) == 1;
                all(&mut |l| members.iter().filter(|&&m| same(l, m)).fold(0, |r, &m| r | 1 << (m - base)));
            }
            SubgroupOp::Partitioned { op, scan } => {
                let mut rest = members.to_vec();
                while let Some(&start) = rest.first() {
                    let subset = self.get(args[1], start) | 1 << (start - base);
                    let (here, later): (Vec<_>, Vec<_>) = rest.iter().partition(|&&l| subset >> (l - base) & 1 == 1);
                    rest = later;
                    self.reduce(op, scan, args[0], &here, out);
                }
            }
        }
    }

    /// Reduces or scans the values of some invocations in their order.
    fn reduce(&self, op: GroupOp, scan: GroupScan, of: Value, members: &[usize], out: &mut Vec<(usize, u64)>) {
        let ty = self.ty(of);
        // The order is open, and with it the rounding of what comes in between.
        let fc = self.program.kernel.float_controls;
        let plain = FloatControls::default();
        let add = |x: u64, y: u64| alu::eval(combine(op), &[ty, ty], ty, &[x, y], &plain);
        let mut acc: Option<u64> = (scan == GroupScan::Exclusive).then(|| identity(op, ty));
        let mut before = Vec::with_capacity(members.len());
        for &l in members {
            before.push(acc);
            let v = float::flush_as_controlled(ty, self.get(of, l), &fc);
            acc = Some(acc.map_or(v, |x| add(x, v)));
        }
        for (i, &l) in members.iter().enumerate() {
            let r = match scan {
                GroupScan::Reduce => acc,
                GroupScan::Inclusive => before.get(i + 1).copied().unwrap_or(acc),
                GroupScan::Exclusive => before[i],
            };
            out.extend(r.map(|r| (l, float::flush_as_controlled(ty, r, &fc))));
        }
    }
}
