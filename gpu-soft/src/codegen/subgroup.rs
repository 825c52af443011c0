//! Operations between the lanes of a subgroup.

use super::gen::{Gen, Mask, Rep, Result};
use super::ir::{Fcmp, Icmp, Ty, Val};
use super::unsupported;
use crate::kernel_abi::Width;
use compiler::sir::{AluOp, GroupOp, GroupScan, SubgroupOp, Type, Value};

/// The lane-wise operation that a reduction repeats.
fn combine_op(op: GroupOp) -> AluOp {
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

/// Bits of the value that changes nothing.
fn identity(op: GroupOp, ty: Type) -> u64 {
    let float = |half: u64, single: f32, double: f64| match ty {
        Type::F16 => half,
        Type::F32 => u64::from(single.to_bits()),
        _ => double.to_bits(),
    };
    match op {
        GroupOp::IAdd | GroupOp::Or | GroupOp::Xor | GroupOp::UMax => 0,
        GroupOp::IMul => 1,
        GroupOp::SMin => ty.mask() >> 1,
        GroupOp::SMax => (ty.mask() >> 1) + 1,
        GroupOp::UMin | GroupOp::And => ty.mask(),
        GroupOp::FAdd => 0,
        GroupOp::FMul => float(0x3c00, 1.0, 1.0),
        GroupOp::FMin => float(0x7c00, f32::INFINITY, f64::INFINITY),
        GroupOp::FMax => float(0xfc00, f32::NEG_INFINITY, f64::NEG_INFINITY),
    }
}

/// Bits of the value that stands for lanes that take no part. Adding 0 to a sum of −0 would change it; exclusive sums have
/// the 0 of the first lane in them anyway.
fn neutral(op: GroupOp, scan: GroupScan, ty: Type) -> u64 {
    match (op, scan) {
        (GroupOp::FAdd, GroupScan::Reduce | GroupScan::Inclusive) => (ty.mask() >> 1) + 1,
        (op, _) => identity(op, ty),
    }
}

impl Gen<'_> {
    pub fn subgroup_op(&mut self, result: Value, op: SubgroupOp, args: &[Value], mask: Mask) -> Result<()> {
        let m = self.m;
        let lane_ids = self.iota(Type::I32, 1);
        let ty = args.first().map_or(Type::Bool, |v| self.k.ty(*v));
        if ty == Type::Buf {
            return unsupported("subgroup operation on buffer references");
        }
        let k = |v: u32| self.splat(self.i32c(v));
        let rep = match op {
            SubgroupOp::Elect => {
                let first = self.first_lane(mask);
                Rep::Vec(m.icmp(Icmp::Eq, lane_ids, self.splat(first)), None)
            }
            SubgroupOp::All => {
                let v = self.vector(args[0])?;
                let missing = self.any(self.mask_and(mask, m.not(v)));
                Rep::Uni(m.not(missing))
            }
            SubgroupOp::Any => {
                let v = self.vector(args[0])?;
                Rep::Uni(self.any(self.mask_and(mask, v)))
            }
            SubgroupOp::AllEqual => {
                let v = self.vector(args[0])?;
                let equal = self.equal_lanes(v, ty, self.first_lane(mask));
                let differing = self.any(self.mask_and(mask, m.not(equal)));
                Rep::Uni(m.not(differing))
            }
            SubgroupOp::Ballot => {
                let v = self.vector(args[0])?;
                let bits = self.bits(self.mask_val(self.mask_and(mask, v)));
                Rep::Uni(m.zext(bits, m.int(64)))
            }
            SubgroupOp::BroadcastFirst => {
                let v = self.vector(args[0])?;
                Rep::Uni(m.extract(v, self.first_lane(mask)))
            }
            SubgroupOp::Broadcast => {
                let from = if self.is_uniform(args[1]) {
                    self.scalar(args[1])?
                } else {
                    m.extract(self.vector(args[1])?, self.first_lane(mask))
                };
                let v = self.active_or_zero(args[0], ty, mask)?;
                let lane = m.extract(v, m.and(from, self.i32c(self.lanes - 1)));
                let inside = m.icmp(Icmp::Ult, from, self.i32c(self.lanes));
                Rep::Uni(m.select(inside, lane, m.zero(self.scalar_ty(ty))))
            }
            SubgroupOp::Shuffle => {
                let from = self.vector(args[1])?;
                self.shuffled(args[0], ty, from, mask)?
            }
            SubgroupOp::ShuffleXor => {
                let from = m.xor(lane_ids, self.vector(args[1])?);
                self.shuffled(args[0], ty, from, mask)?
            }
            SubgroupOp::ShuffleUp => {
                let from = m.sub(lane_ids, self.vector(args[1])?);
                self.shuffled(args[0], ty, from, mask)?
            }
            SubgroupOp::ShuffleDown => {
                let from = m.add(lane_ids, self.vector(args[1])?);
                self.shuffled(args[0], ty, from, mask)?
            }
            SubgroupOp::Rotate { cluster } => {
                let n = self.cluster(cluster);
                let moved = m.and(m.add(lane_ids, self.vector(args[1])?), k(n - 1));
                let from = m.add(m.and(lane_ids, k(!(n - 1))), moved);
                self.shuffled(args[0], ty, from, mask)?
            }
            SubgroupOp::QuadBroadcast => {
                let of = m.and(self.vector(args[1])?, k(3));
                let from = m.add(m.and(lane_ids, k(!3)), of);
                self.shuffled(args[0], ty, from, mask)?
            }
            SubgroupOp::QuadSwap { direction } => {
                let from = m.xor(lane_ids, k(u32::from(direction) + 1));
                self.shuffled(args[0], ty, from, mask)?
            }
            SubgroupOp::Group { op, scan, cluster } => {
                let n = self.cluster(cluster);
                let v = self.vector(args[0])?;
                let v = match mask {
                    Mask::Full => v,
                    other => {
                        let fill = self.konst(ty, self.lanes, neutral(op, scan, ty));
                        m.select(self.mask_val(other), v, fill)
                    }
                };
                let v = self.scan(v, ty, op, scan, n)?;
                if self.uniform_form(result) {
                    Rep::Uni(m.extract(v, self.i32c(0)))
                } else {
                    Rep::Vec(v, None)
                }
            }
            SubgroupOp::Partition => {
                let v = self.vector(args[0])?;
                let i64t = m.int(64);
                let masks = self.by_subset(mask, m.vector(i64t, self.lanes), |g, rest, lane| {
                    let set = m.and(g.bits(g.equal_lanes(v, ty, lane)), rest);
                    let set = m.or(set, m.shl(g.i32c(1), lane));
                    Ok((set, g.splat(m.zext(set, i64t))))
                })?;
                Rep::Vec(masks, None)
            }
            SubgroupOp::Partitioned { op, scan } => {
                let (v, masks) = (self.vector(args[0])?, self.vector(args[1])?);
                let fill = self.konst(ty, self.lanes, neutral(op, scan, ty));
                let v = self.by_subset(mask, m.type_of(v), |g, rest, lane| {
                    let named = m.trunc(m.extract(masks, lane), m.int(32));
                    let set = m.or(m.and(named, rest), m.shl(g.i32c(1), lane));
                    let members = m.select(g.lanes_of_bits(set), v, fill);
                    Ok((set, g.scan(members, ty, op, scan, g.lanes)?))
                })?;
                Rep::Vec(v, None)
            }
        };
        let rep = match rep {
            Rep::Uni(s) if !self.uniform_form(result) => Rep::Vec(self.splat(s), None),
            Rep::Vec(v, _) if self.uniform_form(result) => Rep::Uni(m.extract(v, self.first_lane(mask))),
            rep => rep,
        };
        self.set(result, rep)
    }

    /// Which lanes hold what a lane holds (floats: ordered equal).
    fn equal_lanes(&self, v: Val, ty: Type, lane: Val) -> Val {
        let m = self.m;
        let other = self.splat(m.extract(v, lane));
        match ty {
            Type::F32 | Type::F64 => m.fcmp(Fcmp::Oeq, v, other),
            Type::F16 => {
                let (a, b) = (self.half_to_single(v, self.lanes), self.half_to_single(other, self.lanes));
                m.fcmp(Fcmp::Oeq, a, b)
            }
            Type::Bool | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Buf => m.icmp(Icmp::Eq, v, other),
        }
    }

    /// Parts the active lanes into subsets and gathers what each gets. `f` is given the lanes that are left, as bits, and
    /// the lowest of them; it gives the bits of the subset, which are some of these and this one, and values for it.
    fn by_subset(
        &mut self,
        mask: Mask,
        t: Ty,
        f: impl FnOnce(&mut Self, Val, Val) -> Result<(Val, Val)>,
    ) -> Result<Val> {
        let m = self.m;
        let i32t = m.int(32);
        let all = self.bits(self.mask_val(mask));
        let before = m.current();
        let (head, body, end) = (self.block(c"subsets"), self.block(c"subset"), self.block(c"subsets.end"));
        m.br(head);
        m.position(head);
        let rest = m.phi(i32t, &[(all, before)]);
        let out = m.phi(t, &[(m.zero(t), before)]);
        m.cond_br(m.icmp(Icmp::Ne, rest, self.i32c(0)), body, end);
        m.position(body);
        let lane = self.lowest_bit(rest);
        let (set, values) = f(self, rest, lane)?;
        let taken = m.select(self.lanes_of_bits(set), values, out);
        m.add_incoming(rest, m.and(rest, m.not(set)), m.current());
        m.add_incoming(out, taken, m.current());
        m.br(head);
        m.position(end);
        Ok(out)
    }

    /// Lanes of a cluster; 0 stands for all.
    fn cluster(&self, cluster: u32) -> u32 {
        if cluster == 0 || cluster > self.lanes {
            self.lanes
        } else {
            cluster.next_power_of_two()
        }
    }

    fn active_or_zero(&self, v: Value, ty: Type, mask: Mask) -> Result<Val> {
        let v = self.vector(v)?;
        Ok(match mask {
            Mask::Full => v,
            other => self.m.select(self.mask_val(other), v, self.m.zero(self.ty(ty, self.lanes))),
        })
    }

    /// Values of other lanes; 0 from lanes that are not there.
    fn shuffled(&mut self, v: Value, ty: Type, from: Val, mask: Mask) -> Result<Rep> {
        let m = self.m;
        let value = self.active_or_zero(v, ty, mask)?;
        let inside = m.icmp(Icmp::Ult, from, self.splat(self.i32c(self.lanes)));
        let index = m.and(from, self.splat(self.i32c(self.lanes - 1)));
        let moved = self.permute(value, ty, index);
        Ok(Rep::Vec(m.select(inside, moved, m.zero(self.ty(ty, self.lanes))), None))
    }

    /// `v[index[l]]` for every lane; the indices are in range.
    fn permute(&mut self, v: Val, ty: Type, index: Val) -> Val {
        let m = self.m;
        let i32s = m.vector(m.int(32), self.lanes);
        let t = self.ty(ty, self.lanes);
        match ty {
            Type::I32 => self.permute32(v, index),
            Type::F32 => m.bitcast(self.permute32(m.bitcast(v, i32s), index), t),
            Type::Bool | Type::I8 | Type::I16 | Type::F16 => {
                let wide = self.permute32(m.zext(v, i32s), index);
                m.trunc(wide, t)
            }
            Type::I64 | Type::F64 | Type::Buf => {
                let i64s = m.vector(m.int(64), self.lanes);
                let bits = if m.type_of(v) == i64s { v } else { m.bitcast(v, i64s) };
                let shift = self.splat(self.i64c(32));
                let low = self.permute32(m.trunc(bits, i32s), index);
                let high = self.permute32(m.trunc(m.lshr(bits, shift), i32s), index);
                let joined = m.or(m.zext(low, i64s), m.shl(m.zext(high, i64s), shift));
                if t == i64s {
                    joined
                } else {
                    m.bitcast(joined, t)
                }
            }
        }
    }

    fn permute32(&mut self, v: Val, index: Val) -> Val {
        let m = self.m;
        let half = |x: Val, from: i32| m.shuffle(x, m.poison(m.type_of(x)), &(from..from + 16).collect::<Vec<_>>());
        match (self.opts.width, self.lanes) {
            (Width::W16, 16) => m.intrinsic("llvm.x86.avx512.permvar.si.512", &[], &[v, index]),
            (Width::W16, 32) => {
                let (low, high) = (half(v, 0), half(v, 16));
                let pick = |i: Val| m.intrinsic("llvm.x86.avx512.vpermi2var.d.512", &[], &[low, i, high]);
                let (a, b) = (pick(half(index, 0)), pick(half(index, 16)));
                m.shuffle(a, b, &(0..32).collect::<Vec<_>>())
            }
            (Width::W8 | Width::W16, 8) => m.intrinsic("llvm.x86.avx2.permd", &[], &[v, index]),
            _ => {
                // Through memory.
                let t = m.type_of(v);
                let cell = self.scratch(5, t);
                m.store(v, cell, 64);
                let at = m.shl(index, self.splat(self.i32c(2)));
                let ptrs = m.byte_ptr(cell, m.zext(at, m.vector(m.int(64), self.lanes)));
                self.gather(t, ptrs, 4, m.ones(self.bool_lanes()))
            }
        }
    }

    /// A reduction or scan over clusters of `n` lanes, in a logarithmic number of steps.
    pub fn scan(&mut self, v: Val, ty: Type, op: GroupOp, scan: GroupScan, n: u32) -> Result<Val> {
        let m = self.m;
        let alu = combine_op(op);
        let fill = self.konst(ty, self.lanes, neutral(op, scan, ty));
        // What stands before the first lane takes part in every exclusive sum.
        let mut v = if scan == GroupScan::Exclusive { self.moved_up(v, fill, 1, n) } else { v };
        let mut d = 1;
        while d < n {
            v = if scan == GroupScan::Reduce {
                let indices: Vec<i32> = (0..self.lanes).map(|l| (l ^ d) as i32).collect();
                let other = m.shuffle(v, fill, &indices);
                self.combine(alu, ty, self.lanes, v, other)?
            } else {
                let before = self.moved_up(v, fill, d, n);
                self.combine(alu, ty, self.lanes, before, v)?
            };
            d *= 2;
        }
        Ok(v)
    }

    /// Lane `l` gets that of lane `l − d` in its cluster, or the fill.
    fn moved_up(&self, v: Val, fill: Val, d: u32, n: u32) -> Val {
        let indices: Vec<i32> =
            (0..self.lanes).map(|l| if l % n >= d { (l - d) as i32 } else { self.lanes as i32 }).collect();
        self.m.shuffle(v, fill, &indices)
    }
}
