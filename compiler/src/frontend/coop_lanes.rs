//! Elements of cooperative matrices that other invocations hold.

use super::coop::CoopTy;
use super::error::{Error, R};
use super::translator::Translator;
use super::val::Leaves;
use crate::sir::{Access, Addr, AluOp, Builtin, Op as Sir, SubgroupOp, Type, Value};
use smallvec::smallvec;
use std::collections::BTreeMap;

/// Most scalars per invocation that exchanges through workgroup memory are unrolled for.
const UNROLL: u32 = 32;

/// Which element of a source matrix (in row-major order) belongs to row and column of another: `row`·r + `col`·c + `add`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Affine {
    pub row: u32,
    pub col: u32,
    pub add: u32,
}

impl Translator<'_> {
    /// The value that invocation `lane` of the subgroup holds.
    pub(super) fn coop_broadcast(&mut self, v: Value, lane: u32) -> Value {
        self.b.kernel.uses_subgroups = true;
        let lane = self.b.i32(lane);
        let ty = self.b.ty(v);
        self.b.emit(ty, Sir::Subgroup { op: SubgroupOp::Broadcast, args: smallvec![v, lane] })
    }

    // ---- through workgroup memory, for matrices of several subgroups ----

    /// Bytes of workgroup memory set aside for passing values.
    const SCRATCH: u32 = 4096;

    /// Where that memory begins.
    fn coop_scratch(&mut self) -> u32 {
        match self.coop_scratch {
            Some(at) => at,
            None => {
                let at = self.b.kernel.shared_size.next_multiple_of(16);
                self.b.kernel.shared_size = at + Self::SCRATCH;
                self.coop_scratch = Some(at);
                at
            }
        }
    }

    fn coop_barrier(&mut self) {
        let workgroup = crate::sir::MemoryScope::Workgroup;
        self.b.push(&[], Sir::ControlBarrier { scope: workgroup, memory: workgroup });
    }

    fn scratch_addr(&mut self, ty: Type, element: Value) -> Addr {
        let imm = self.coop_scratch();
        let size = self.b.i32(ty.bytes());
        let off = self.b.alu(AluOp::IMul, Type::I32, &[element, size]);
        Addr::Shared { off: Some(off), imm }
    }

    /// Shows some scalars of a matrix to all invocations, after everybody has read what was shown before.
    pub(super) fn coop_publish(&mut self, v: &[Value], m: &CoopTy) -> R<()> {
        let ty = self.b.ty(*v.first().ok_or_else(|| Error::invalid("an empty matrix"))?);
        if v.len() as u64 * u64::from(m.lanes) * u64::from(ty.bytes()) > u64::from(Self::SCRATCH) {
            return Err(Error::unsupported("this size of matrices of several subgroups"));
        }
        self.coop_barrier();
        let lane = self.coop_lane(m);
        for (i, &v) in v.iter().enumerate() {
            let first = self.b.i32(i as u32 * m.lanes);
            let element = self.b.alu(AluOp::IAdd, Type::I32, &[lane, first]);
            let addr = self.scratch_addr(ty, element);
            self.b.push(&[], Sir::Store { addr, values: smallvec![v], access: Access::plain(ty.bytes()) });
        }
        self.coop_barrier();
        Ok(())
    }

    /// One of the elements shown last, counted from their first.
    pub(super) fn coop_published(&mut self, ty: Type, element: Value) -> R<Value> {
        let addr = self.scratch_addr(ty, element);
        Ok(self.b.emit(ty, Sir::Load { addr, access: Access::plain(ty.bytes()) }))
    }

    /// The value that the invocation whose number differs by `mask` holds.
    pub(super) fn coop_exchange(&mut self, v: Value, mask: u32, m: &CoopTy) -> R<Value> {
        let mask = self.b.i32(mask);
        let ty = self.b.ty(v);
        if m.several {
            self.coop_publish(&[v], m)?;
            let lane = self.coop_lane(m);
            let other = self.b.alu(AluOp::Xor, Type::I32, &[lane, mask]);
            return self.coop_published(ty, other);
        }
        self.b.kernel.uses_subgroups = true;
        Ok(self.b.emit(ty, Sir::Subgroup { op: SubgroupOp::ShuffleXor, args: smallvec![v, mask] }))
    }

    /// All scalars of a matrix of shape `to`: the elements of `source` that `map` names.
    pub(super) fn coop_fetch_all(&mut self, source: &[Value], to: &CoopTy, map: Affine) -> R<Leaves> {
        if !to.several {
            return (0..to.regs()).map(|reg| self.coop_fetch(source, to, reg, map)).collect();
        }
        let ty = self.b.ty(*source.first().ok_or_else(|| Error::invalid("an empty matrix"))?);
        let piece = (Self::SCRATCH / ty.bytes() / to.lanes).max(1);
        let zero = self.b.konst(ty, 0);
        let mut out: Leaves = std::iter::repeat_n(zero, to.regs() as usize).collect();
        for (i, part) in source.chunks(piece as usize).enumerate() {
            self.coop_publish(part, to)?;
            let (first, count) = (i as u32 * piece * to.lanes, part.len() as u32 * to.lanes);
            out = self.each_reg(to.regs(), Some(ty), &[&out], UNROLL, &mut |t, reg, old| {
                let (row, col) = t.coop_position(to, reg);
                let scaled = |t: &mut Self, v, by| {
                    let by = t.b.i32(by);
                    t.b.alu(AluOp::IMul, Type::I32, &[v, by])
                };
                let (row, col) = (scaled(t, row, map.row), scaled(t, col, map.col));
                let add = t.b.i32(map.add.wrapping_sub(first));
                let sum = t.b.alu(AluOp::IAdd, Type::I32, &[row, col]);
                let element = t.b.alu(AluOp::IAdd, Type::I32, &[sum, add]);
                let (count, zero) = (t.b.i32(count), t.b.i32(0));
                let shown = t.b.alu(AluOp::ULt, Type::Bool, &[element, count]);
                let element = t.b.select(shown, element, zero);
                let v = t.coop_published(ty, element)?;
                Ok(Some(t.b.select(shown, v, old[0])))
            })?;
        }
        Ok(out)
    }

    // ---- within a subgroup ----

    /// A number per invocation of a subgroup of `lanes`, each below `lanes`. Made by shifts from constants, so that a code
    /// generator that knows its invocations' numbers has a constant vector.
    fn lane_table(&mut self, table: &[u32]) -> Value {
        let lane = self.b.builtin(Builtin::SubgroupLocalId);
        let bits = (table.len().max(2) - 1).ilog2() + 1;
        if table.len() <= 16 {
            let packed = table.iter().enumerate().fold(0, |p, (l, &v)| p | u64::from(v) << (4 * l));
            let (packed, two, mask) = (self.b.i64(packed), self.b.i32(2), self.b.i32(15));
            let shift = self.b.alu(AluOp::Shl, Type::I32, &[lane, two]);
            let v = self.b.alu(AluOp::UShr, Type::I64, &[packed, shift]);
            let v = self.b.alu(AluOp::ITrunc, Type::I32, &[v]);
            return self.b.alu(AluOp::And, Type::I32, &[v, mask]);
        }
        let mut out = self.b.i32(0);
        for bit in 0..bits {
            let set = self.lane_bit(table.iter().map(|v| v >> bit & 1 != 0));
            let at = self.b.i32(bit);
            let moved = self.b.alu(AluOp::Shl, Type::I32, &[set, at]);
            out = self.b.alu(AluOp::Or, Type::I32, &[out, moved]);
        }
        out
    }

    /// 0 or 1 per invocation of a subgroup of at most 64.
    fn lane_bit(&mut self, set: impl Iterator<Item = bool>) -> Value {
        let lane = self.b.builtin(Builtin::SubgroupLocalId);
        let mask = set.enumerate().fold(0u64, |m, (l, s)| m | u64::from(s) << (l & 63));
        let (mask, one) = (self.b.i64(mask), self.b.i32(1));
        let v = self.b.alu(AluOp::UShr, Type::I64, &[mask, lane]);
        let v = self.b.alu(AluOp::ITrunc, Type::I32, &[v]);
        self.b.alu(AluOp::And, Type::I32, &[v, one])
    }

    /// For scalar `reg` of a matrix of shape `to`: the elements of `source` (spread over the same invocations) that `map`
    /// names for its rows and columns.
    pub(super) fn coop_fetch(&mut self, source: &[Value], to: &CoopTy, reg: u32, map: Affine) -> R<Value> {
        let lanes = to.lanes;
        if lanes > 64 {
            return Err(Error::unsupported("matrices spread over more than 64 invocations"));
        }
        // Where each invocation's element lies: scalar, then (invocation, holder).
        let mut places: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        for lane in 0..lanes {
            let element = reg * lanes + lane;
            let (row, col) = (element / to.cols, element % to.cols);
            let from = map.row * row + map.col * col + map.add;
            places.entry(from / lanes).or_default().push((lane, from % lanes));
        }
        self.work.charge(u64::from(lanes))?;
        let mut out: Option<Value> = None;
        for (reg, moves) in places {
            let v = source.get(reg as usize).copied().ok_or_else(|| Error::invalid("matrices of different sizes"))?;
            let moved = if moves.iter().all(|m| m.0 == m.1) {
                v
            } else if moves.iter().all(|m| m.1 == moves[0].1) {
                self.coop_broadcast(v, moves[0].1)
            } else {
                let mut table: Vec<u32> = (0..lanes).collect();
                for &(lane, from) in &moves {
                    table[lane as usize] = from;
                }
                let from = self.lane_table(&table);
                self.b.kernel.uses_subgroups = true;
                let ty = self.b.ty(v);
                self.b.emit(ty, Sir::Subgroup { op: SubgroupOp::Shuffle, args: smallvec![v, from] })
            };
            out = Some(match out {
                None => moved,
                Some(other) => {
                    let here = self.lane_bit((0..lanes).map(|l| moves.iter().any(|m| m.0 == l)));
                    let here = self.b.nonzero(here);
                    self.b.select(here, moved, other)
                }
            });
        }
        out.ok_or_else(|| Error::invalid("an empty matrix"))
    }
}
