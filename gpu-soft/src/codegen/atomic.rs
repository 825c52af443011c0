//! Atomic operations: lane after lane. Workgroup memory belongs to the one thread that runs the workgroup and needs no locked
//! instructions; a sum into one address is added up in registers first.

use super::alu::Shape;
use super::gen::{Gen, Mask, Rep, Result};
use super::ir::{Block, Icmp, Order, Rmw, Ty, Val};
use super::memory::Place;
use super::unsupported;
use compiler::sir::{Addr, AluOp, AtomicOp, GroupOp, GroupScan, Type, Value};

/// A loop over active lanes that is being emitted.
struct LaneLoop {
    head: Block,
    end: Block,
    rest: Val,
    following: Val,
    lane: Val,
}

impl Gen<'_> {
    // ---- loops over lanes ----

    /// Begins a loop over the lanes of a mask; code for one lane follows.
    fn lanes_begin(&mut self, mask: Val) -> LaneLoop {
        let m = self.m;
        let t = self.bits_ty();
        let bits = self.bits(mask);
        let before = m.current();
        let (head, body, end) = (self.block(c"lanes"), self.block(c"lane"), self.block(c"lanes.end"));
        m.br(head);
        m.position(head);
        let rest = m.phi(t, &[(bits, before)]);
        m.cond_br(m.icmp(Icmp::Ne, rest, m.zero(t)), body, end);
        m.position(body);
        let lane = self.lowest_bit(rest);
        let following = m.and(rest, m.sub(rest, m.iconst(t, 1)));
        LaneLoop { head, end, rest, following, lane }
    }

    fn lanes_end(&mut self, l: &LaneLoop) {
        self.m.add_incoming(l.rest, l.following, self.m.current());
        self.m.br(l.head);
        self.m.position(l.end);
    }

    /// A vector in memory, to be read by lane.
    pub fn spill_lanes(&mut self, index: u32, v: Val) -> Val {
        let t = self.m.type_of(v);
        let p = self.scratch(index, t);
        self.m.store(v, p, 64);
        p
    }

    fn lane_ptr(&self, array: Val, lane: Val, bytes: u32) -> Val {
        let m = self.m;
        m.byte_ptr(array, m.mul(m.zext(lane, m.int(64)), self.i64c(u64::from(bytes))))
    }

    fn lane_value(&self, array: Val, lane: Val, ty: Ty, bytes: u32) -> Val {
        self.m.load(ty, self.lane_ptr(array, lane, bytes), bytes)
    }

    /// Loads lane by lane, each a single access.
    pub fn each_lane_load(&mut self, ty: Type, ptrs: Val, align: u32, mask: Val, atomic: bool) -> Val {
        let m = self.m;
        let bytes = ty.bytes();
        let int = m.int(ty.bits());
        let ints = m.vector(int, self.lanes);
        let sources = self.spill_lanes(1, ptrs);
        let out = self.spill_lanes(2, m.zero(ints));
        let l = self.lanes_begin(mask);
        let p = self.lane_value(sources, l.lane, m.ptr(), 8);
        let v = if atomic && align == bytes { m.atomic_load(int, p, align) } else { m.load(int, p, align) };
        m.set_volatile(v);
        m.store(v, self.lane_ptr(out, l.lane, bytes), bytes);
        self.lanes_end(&l);
        let v = m.load(ints, out, 64);
        let t = self.ty(ty, self.lanes);
        if t == ints {
            v
        } else {
            m.bitcast(v, t)
        }
    }

    /// Stores lane by lane, each a single access.
    pub fn each_lane_store(&mut self, ty: Type, v: Val, ptrs: Val, align: u32, mask: Val) {
        let m = self.m;
        let bytes = ty.bytes();
        let int = m.int(ty.bits());
        let ints = m.vector(int, self.lanes);
        let v = if m.type_of(v) == ints { v } else { m.bitcast(v, ints) };
        let targets = self.spill_lanes(1, ptrs);
        let values = self.spill_lanes(2, v);
        let l = self.lanes_begin(mask);
        let p = self.lane_value(targets, l.lane, m.ptr(), 8);
        let v = self.lane_value(values, l.lane, int, bytes);
        if align == bytes {
            m.atomic_store(v, p, align);
        } else {
            m.store(v, p, align);
        }
        self.lanes_end(&l);
    }

    // ---- read-modify-write ----

    pub fn atomic_rmw(&mut self, result: Value, op: AtomicOp, addr: &Addr, value: Value, mask: Mask) -> Result<()> {
        let ty = self.k.ty(result);
        let shared = matches!(addr, Addr::Shared { .. });
        let place = self.place_by_lane(addr)?;
        if let Some(kind) = self.collected(result) {
            return self.collected_add(kind, &place, value, mask);
        }
        if let (Place::Uniform(..), AtomicOp::IAdd) = (&place, op) {
            return self.uniform_add(result, ty, &place, value, mask, shared);
        }
        let (ptrs, valid) = self.lane_pointers(&place, 0, ty.bytes(), mask)?;
        if !self.used[result.index()] {
            return self.for_lanes(ptrs, valid, value, |g, p, v| g.scalar_rmw(op, ty, p, v, shared).map(drop));
        }
        let v = self.rmw_lanes(op, ty, ptrs, valid, value, shared)?;
        self.set(result, Rep::Vec(v, None))
    }

    /// Does something for each active lane, with its pointer and value.
    pub fn for_lanes(
        &mut self,
        ptrs: Val,
        valid: Val,
        value: Value,
        f: impl FnOnce(&mut Self, Val, Val) -> Result<()>,
    ) -> Result<()> {
        let ty = self.k.ty(value);
        let (t, bytes) = (self.scalar_ty(ty), ty.bytes());
        let sources = self.spill_lanes(1, ptrs);
        let value = if self.is_uniform(value) { Ok(self.scalar(value)?) } else { Err(self.vector(value)?) };
        let value = value.map_err(|lanes| self.spill_lanes(2, lanes));
        let l = self.lanes_begin(valid);
        let p = self.lane_value(sources, l.lane, self.m.ptr(), 8);
        let v = match value {
            Ok(same) => same,
            Err(lanes) => self.lane_value(lanes, l.lane, t, bytes),
        };
        f(self, p, v)?;
        self.lanes_end(&l);
        Ok(())
    }

    /// Lane after lane; the old values, and zeros where the mask is not set.
    pub fn rmw_lanes(
        &mut self,
        op: AtomicOp,
        ty: Type,
        ptrs: Val,
        valid: Val,
        value: Value,
        shared: bool,
    ) -> Result<Val> {
        let values = self.vector(value)?;
        let t = self.scalar_ty(ty);
        let bytes = ty.bytes();
        let m = self.m;
        let sources = self.spill_lanes(1, ptrs);
        let operands = self.spill_lanes(2, values);
        let out = self.spill_lanes(3, m.zero(self.ty(ty, self.lanes)));
        let l = self.lanes_begin(valid);
        let p = self.lane_value(sources, l.lane, m.ptr(), 8);
        let v = self.lane_value(operands, l.lane, t, bytes);
        let old = self.scalar_rmw(op, ty, p, v, shared)?;
        m.store(old, self.lane_ptr(out, l.lane, bytes), bytes);
        self.lanes_end(&l);
        Ok(m.load(self.ty(ty, self.lanes), out, 64))
    }

    /// The sum of all lanes is added at once; each lane's old value is the common one and the sum of the lanes before.
    fn uniform_add(
        &mut self,
        result: Value,
        ty: Type,
        place: &Place,
        value: Value,
        mask: Mask,
        shared: bool,
    ) -> Result<()> {
        let m = self.m;
        let (ptrs, valid) = self.lane_pointers(place, 0, ty.bytes(), mask)?;
        let lanes = self.ty(ty, self.lanes);
        let values = self.vector(value)?;
        let same = self.is_uniform(value) && matches!(ty, Type::I32 | Type::I64);
        let (before, sum) = match same.then(|| self.ranks(valid)).flatten() {
            // The same from everyone: what matters is how many come before.
            Some((ranks, count)) => {
                let each = self.scalar(value)?;
                let fit = |v: Val, to: Ty| if ty == Type::I32 { v } else { m.zext(v, to) };
                (m.mul(fit(ranks, lanes), values), m.mul(fit(count, m.type_of(each)), each))
            }
            None => {
                let values = m.select(valid, values, m.zero(lanes));
                let before = self.scan(values, ty, GroupOp::IAdd, GroupScan::Exclusive, self.lanes)?;
                let last = self.i32c(self.lanes - 1);
                (before, m.add(m.extract(before, last), m.extract(values, last)))
            }
        };
        let p = m.extract(ptrs, self.i32c(0));
        let start = m.current();
        let (go, end) = (self.block(c"add"), self.block(c"add.end"));
        m.cond_br(self.any(Mask::Val(self.to_mask(valid))), go, end);
        m.position(go);
        let old = self.scalar_rmw(AtomicOp::IAdd, ty, p, sum, shared)?;
        let all = m.add(before, self.splat(old));
        let all = m.select(valid, all, m.zero(lanes));
        let done = m.current();
        m.br(end);
        m.position(end);
        let v = m.phi(lanes, &[(m.zero(lanes), start), (all, done)]);
        self.set(result, Rep::Vec(v, None))
    }

    pub fn scalar_rmw(&mut self, op: AtomicOp, ty: Type, p: Val, v: Val, shared: bool) -> Result<Val> {
        let m = self.m;
        let t = self.scalar_ty(ty);
        let bytes = ty.bytes();
        if shared {
            let old = m.load(t, p, 1);
            let new = self.apply(op, ty, old, v)?;
            m.store(new, p, 1);
            return Ok(old);
        }
        let rmw = match op {
            AtomicOp::IAdd => Some(Rmw::Add),
            AtomicOp::SMin => Some(Rmw::SMin),
            AtomicOp::SMax => Some(Rmw::SMax),
            AtomicOp::UMin => Some(Rmw::UMin),
            AtomicOp::UMax => Some(Rmw::UMax),
            AtomicOp::And => Some(Rmw::And),
            AtomicOp::Or => Some(Rmw::Or),
            AtomicOp::Xor => Some(Rmw::Xor),
            AtomicOp::Exchange => Some(Rmw::Exchange),
            AtomicOp::FAdd | AtomicOp::FMin | AtomicOp::FMax => None,
            AtomicOp::HAdd | AtomicOp::HMin | AtomicOp::HMax => {
                return unsupported("16-bit floats of a word of memory")
            }
        };
        let int = m.int(ty.bits());
        if let Some(rmw) = rmw {
            let bits = if t == int { v } else { m.bitcast(v, int) };
            // Minima, maxima and the like often leave the location as it is. To see that takes a load, which other processors may
            // do at the same time; a locked instruction takes the cache line from all of them.
            let lazy = match op {
                AtomicOp::SMin | AtomicOp::SMax | AtomicOp::UMin | AtomicOp::UMax | AtomicOp::And | AtomicOp::Or => {
                    true
                }
                AtomicOp::IAdd | AtomicOp::Xor | AtomicOp::Exchange => false,
                AtomicOp::FAdd | AtomicOp::FMin | AtomicOp::FMax => false,
                AtomicOp::HAdd | AtomicOp::HMin | AtomicOp::HMax => false,
            };
            if !lazy {
                let old = m.atomic_rmw(rmw, p, bits, Order::Monotonic);
                return Ok(if t == int { old } else { m.bitcast(old, t) });
            }
            let seen = m.atomic_load(int, p, bytes);
            let unchanged = m.icmp(Icmp::Eq, self.apply(op, ty, seen, bits)?, seen);
            let before = m.current();
            let (change, end) = (self.block(c"change"), self.block(c"changed"));
            m.cond_br(unchanged, end, change);
            m.position(change);
            let changed = m.atomic_rmw(rmw, p, bits, Order::Monotonic);
            m.br(end);
            m.position(end);
            return Ok(m.phi(int, &[(seen, before), (changed, change)]));
        }
        // Compare and swap until nobody came between.
        let first = m.atomic_load(int, p, bytes);
        let before = m.current();
        let (head, end) = (self.block(c"cas"), self.block(c"cas.end"));
        m.br(head);
        m.position(head);
        let seen = m.phi(int, &[(first, before)]);
        let old = if t == int { seen } else { m.bitcast(seen, t) };
        let new = self.apply(op, ty, old, v)?;
        let new = if t == int { new } else { m.bitcast(new, int) };
        let swap = self.block(c"cas.swap");
        // Nothing changes: as above.
        m.cond_br(m.icmp(Icmp::Eq, new, seen), end, swap);
        m.position(swap);
        let (found, ok) = m.cmpxchg(p, seen, new);
        m.add_incoming(seen, found, m.current());
        m.cond_br(ok, end, head);
        m.position(end);
        Ok(old)
    }

    /// The new value of a location.
    fn apply(&mut self, op: AtomicOp, ty: Type, old: Val, v: Val) -> Result<Val> {
        let alu = match op {
            AtomicOp::IAdd => AluOp::IAdd,
            AtomicOp::SMin => AluOp::SMin,
            AtomicOp::SMax => AluOp::SMax,
            AtomicOp::UMin => AluOp::UMin,
            AtomicOp::UMax => AluOp::UMax,
            AtomicOp::And => AluOp::And,
            AtomicOp::Or => AluOp::Or,
            AtomicOp::Xor => AluOp::Xor,
            AtomicOp::Exchange => return Ok(v),
            AtomicOp::FAdd => AluOp::FAdd,
            AtomicOp::FMin => AluOp::FMin,
            AtomicOp::FMax => AluOp::FMax,
            AtomicOp::HAdd | AtomicOp::HMin | AtomicOp::HMax => {
                return unsupported("16-bit floats of a word of memory")
            }
        };
        self.combine(alu, ty, 0, old, v)
    }

    /// A binary operation on values of one type.
    pub fn combine(&mut self, op: AluOp, ty: Type, n: u32, a: Val, b: Val) -> Result<Val> {
        let shape = Shape { arg: ty, result: ty, n };
        if ty.is_float() {
            self.float(op, shape, &[a, b])
        } else {
            self.integer(op, shape, &[a, b])
        }
    }

    pub fn atomic_cas(
        &mut self,
        result: Value,
        addr: &Addr,
        expected: Value,
        desired: Value,
        mask: Mask,
    ) -> Result<()> {
        let ty = self.k.ty(result);
        let shared = matches!(addr, Addr::Shared { .. });
        let place = self.place_by_lane(addr)?;
        let (ptrs, valid) = self.lane_pointers(&place, 0, ty.bytes(), mask)?;
        let v = self.cas_lanes(ty, ptrs, valid, expected, desired, shared)?;
        self.set(result, Rep::Vec(v, None))
    }

    /// Lane after lane; the old values, and zeros where the mask is not set.
    pub fn cas_lanes(
        &mut self,
        ty: Type,
        ptrs: Val,
        valid: Val,
        expected: Value,
        desired: Value,
        shared: bool,
    ) -> Result<Val> {
        let m = self.m;
        let bytes = ty.bytes();
        let int = m.int(ty.bits());
        let ints = m.vector(int, self.lanes);
        let as_ints = |v: Val| if m.type_of(v) == ints { v } else { m.bitcast(v, ints) };
        let (expected, desired) = (as_ints(self.vector(expected)?), as_ints(self.vector(desired)?));
        let sources = self.spill_lanes(1, ptrs);
        let expected = self.spill_lanes(2, expected);
        let desired = self.spill_lanes(4, desired);
        let out = self.spill_lanes(3, m.zero(ints));
        let l = self.lanes_begin(valid);
        let p = self.lane_value(sources, l.lane, m.ptr(), 8);
        let e = self.lane_value(expected, l.lane, int, bytes);
        let d = self.lane_value(desired, l.lane, int, bytes);
        let old = if shared {
            let old = m.load(int, p, 1);
            m.store(m.select(m.icmp(Icmp::Eq, old, e), d, old), p, 1);
            old
        } else {
            m.cmpxchg(p, e, d).0
        };
        m.store(old, self.lane_ptr(out, l.lane, bytes), bytes);
        self.lanes_end(&l);
        let v = m.load(ints, out, 64);
        let t = self.ty(ty, self.lanes);
        Ok(if t == ints { v } else { m.bitcast(v, t) })
    }
}
