//! Additions to storage buffers that nobody in the kernel sees the results of: they are collected in tables of the thread and
//! reach memory together.
//!
//! A locked instruction takes as long as twenty additions, and many times that where several processors work on the same words. A
//! relaxed atomic addition whose old value is not used may take effect later, as long as nobody who could know that it was executed
//! sees memory without it. So additions are collected if
//!
//! * the kernel accesses the buffer in no other way, and no other buffer that it accesses overlaps it (bindings may share memory:
//!   that is looked at when the kernel is entered); it has no pointers of its own, and where it accesses images, no barrier either that
//!   would make accesses through different descriptors see each other;
//! * the kernel has no barrier beyond the workgroup: without one, nothing else that it does tells others that the addition is done.
//!   Invocations of its workgroup would have to read the buffer to see it;
//! * no loop of it waits for others, who may wait for the sum: none has atomic accesses besides these.
//!
//! Everything reaches memory when the call that runs a range of workgroups ends, so before the dispatch does.
//!
//! The table of integers has a place for each address modulo its size: the address and the sum so far. Sums of integers do not depend on
//! their order. Those of floats do; what is collected of them is the numbers themselves (see `replay`). An addition to another address
//! with the same place sends what stands there to memory. Where that happens often the rest of the call adds directly. Calls of few
//! invocations do so from the beginning: beginning and emptying a table takes some time.

use super::gen::{Gen, Mask, Rep, Result};
use super::ir::{Icmp, Order, Rmw, Val};
use super::memory::Place;
use super::replay;
use compiler::hash::{HashMap, HashSet};
use compiler::sir::{Addr, AtomicOp, Kernel, MemoryScope, Op, Region, Resource, Space, Type, Value};

/// Places of the table.
const PLACES: u64 = 1024;

/// Calls of fewer invocations do not collect.
pub const COLLECT_FROM: u32 = 2048;

/// What an addition that sends another sum to memory costs, in additions that do not.
const SENT: u32 = 4;

/// The most credit of a table.
const CREDIT: u64 = 1 << 20;

/// Set, binding and element of a buffer.
type Key = (u32, u32, u32);

/// Which additions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Of 32-bit integers: sums are collected.
    Sums,
    /// Of 32-bit floats: numbers are collected.
    Numbers,
}

/// What is collected.
#[derive(Debug, Default)]
pub struct Collect {
    /// Results of the additions.
    adds: HashMap<Value, Kind>,
    /// The buffers that these add to.
    targets: Vec<Key>,
    /// The others that the kernel accesses.
    others: Vec<Key>,
    pub sums: Option<Table>,
    pub numbers: Option<Table>,
    /// The function that sends a place of the table of numbers to memory.
    pub send: Option<Val>,
}

/// A table in the arena, and what is kept beside it.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its start: of sums, addresses of 64 bits and behind them sums of 32.
    pub start: Val,
    /// Cell: how many additions may still miss, times [`SENT`]; none if it is not positive.
    credit: Val,
    /// Cell: whether the table was begun.
    begun: Val,
}

/// What a kernel does that bears on it.
struct Look<'a> {
    constant: &'a dyn Fn(Value) -> Option<u64>,
    used: &'a [bool],
    buffers: HashMap<Value, Key>,
    adds: Vec<(Value, Key, Kind)>,
    others: HashSet<Key>,
    images: bool,
    barriers: bool,
    /// Something that excludes it.
    never: bool,
}

impl Look<'_> {
    fn key(&self, r: &Resource) -> Option<Key> {
        let index = match r.index {
            None => 0,
            Some(v) => u32::try_from((self.constant)(v)?).ok()?,
        };
        Some((r.set, r.binding, index))
    }

    fn touch(&mut self, addr: &Addr) {
        match addr {
            Addr::Buffer { buf, .. } => match self.buffers.get(buf) {
                Some(key) => {
                    self.others.insert(*key);
                }
                None => self.never = true,
            },
            Addr::Global { .. } => self.never = true,
            Addr::Shared { .. } | Addr::Push { .. } | Addr::Slot { .. } => {}
        }
    }

    /// An access in a loop that may be a way to wait for others.
    fn wait(&mut self, space: Space, in_loop: bool) {
        match space {
            Space::Buffer | Space::Global => self.never |= in_loop,
            Space::Shared | Space::Push | Space::Slot => {}
        }
    }

    fn region(&mut self, k: &Kernel, region: &Region, in_loop: bool) {
        for inst in &region.insts {
            match &inst.op {
                Op::Buffer(r) => {
                    if let (Some(key), Some(result)) = (self.key(r), inst.results.first()) {
                        self.buffers.insert(*result, key);
                    }
                }
                Op::Load { addr, access } => {
                    if access.atomic || access.volatile {
                        self.wait(addr.space(), in_loop);
                    }
                    self.touch(addr);
                }
                Op::Store { addr, .. } => self.touch(addr),
                Op::AtomicRmw { op, addr, value, volatile } => {
                    let key = match addr {
                        Addr::Buffer { buf, .. } if !volatile => self.buffers.get(buf).copied(),
                        _ => None,
                    };
                    let kind = match (op, k.ty(*value)) {
                        (AtomicOp::IAdd, Type::I32) => Some(Kind::Sums),
                        (AtomicOp::FAdd, Type::F32) => Some(Kind::Numbers),
                        _ => None,
                    };
                    match (inst.results.first(), key, kind) {
                        (Some(r), Some(key), Some(kind)) if !self.used[r.index()] => self.adds.push((*r, key, kind)),
                        _ => {
                            self.wait(addr.space(), in_loop);
                            self.touch(addr);
                        }
                    }
                }
                Op::AtomicCas { addr, .. } => {
                    self.wait(addr.space(), in_loop);
                    self.touch(addr);
                }
                Op::ImageAtomic { .. } | Op::ImageCas { .. } => {
                    self.wait(Space::Buffer, in_loop);
                    self.images = true;
                }
                Op::ImageLoad { .. } | Op::ImageStore { .. } | Op::Sample { .. } => self.images = true,
                Op::ControlBarrier { memory, .. } | Op::MemoryBarrier { memory } => match memory {
                    MemoryScope::Invocation | MemoryScope::Subgroup | MemoryScope::Workgroup => self.barriers = true,
                    MemoryScope::QueueFamily | MemoryScope::Device => self.never = true,
                },
                Op::ReadClock { .. } => self.wait(Space::Buffer, in_loop),
                _ => {}
            }
            let inside = in_loop || matches!(inst.op, Op::Loop { .. });
            inst.op.for_each_region(&mut |r| self.region(k, r, inside));
        }
    }
}

impl Gen<'_> {
    /// Decides what is collected.
    pub fn plan_collect(&mut self) {
        if self.opts.quick {
            return;
        }
        let constant = |v: Value| self.constant(v);
        let mut look = Look {
            constant: &constant,
            used: &self.used,
            buffers: HashMap::default(),
            adds: Vec::new(),
            others: HashSet::default(),
            images: false,
            barriers: false,
            never: false,
        };
        look.region(self.k, &self.k.body, false);
        if look.never || (look.images && look.barriers) {
            return;
        }
        let Look { adds, others, .. } = look;
        let mut collect = Collect::default();
        let mixed = |key: &Key, kind: &Kind| adds.iter().any(|(_, k, other)| k == key && other != kind);
        for (result, key, kind) in &adds {
            // Additions that are not collected are all to buffers that are accessed in other ways.
            if others.contains(key) || mixed(key, kind) {
                continue;
            }
            collect.adds.insert(*result, *kind);
            if !collect.targets.contains(key) {
                collect.targets.push(*key);
            }
        }
        collect.others = others.into_iter().collect();
        collect.others.sort_unstable();
        self.collect = collect;
    }

    /// How an addition is collected, if it is.
    pub fn collected(&self, result: Value) -> Option<Kind> {
        self.collect.adds.get(&result).copied()
    }

    /// An addition whose result is not used.
    pub fn collected_add(&mut self, kind: Kind, place: &Place, value: Value, mask: Mask) -> Result<()> {
        self.stats.collected += 1;
        let m = self.m;
        let i32t = m.int(32);
        let table = self.collect_table(kind)?;
        let (ptrs, valid) = self.lane_pointers(place, 0, 4, mask)?;
        let (direct, add, end) = (self.block(c"add"), self.block(c"collect"), self.block(c"added"));
        if let (Place::Uniform(..), Kind::Sums) = (place, kind) {
            // One sum for one address.
            let lanes = self.ty(Type::I32, self.lanes);
            let values = m.select(valid, self.vector(value)?, m.zero(lanes));
            let sum = m.intrinsic("llvm.vector.reduce.add", &[lanes], &[values]);
            let p = m.extract(ptrs, self.i32c(0));
            let some = self.block(c"some");
            m.cond_br(self.any(Mask::Val(self.to_mask(valid))), some, end);
            m.position(some);
            m.cond_br(self.has_credit(&table), add, direct);
            m.position(direct);
            m.atomic_rmw(Rmw::Add, p, sum, Order::Monotonic);
            m.br(end);
            m.position(add);
            self.begin_table(kind, &table);
            self.collect_sum(&table, p, sum);
            m.br(end);
            m.position(end);
            return Ok(());
        }
        m.cond_br(self.has_credit(&table), add, direct);
        m.position(direct);
        match kind {
            Kind::Sums => self.for_lanes(ptrs, valid, value, |g, p, v| {
                g.m.atomic_rmw(Rmw::Add, p, v, Order::Monotonic);
                Ok(())
            })?,
            Kind::Numbers => {
                // What an invocation added before comes before.
                self.empty_numbers(&table)?;
                m.store(self.i32c(0), table.begun, 4);
                self.for_lanes(ptrs, valid, value, |g, p, v| {
                    g.scalar_rmw(AtomicOp::FAdd, Type::F32, p, v, false).map(drop)
                })?;
            }
        }
        m.br(end);
        m.position(add);
        self.begin_table(kind, &table);
        let count = m.intrinsic("llvm.ctpop", &[self.bits_ty()], &[self.bits(valid)]);
        let count = if self.lanes > 32 { m.trunc(count, i32t) } else { count };
        // What has gone well for long is not to be paid for as long.
        let (credit, most) = (m.add(m.load(i32t, table.credit, 4), count), self.i32c(CREDIT as u32));
        m.store(m.select(m.icmp(Icmp::Slt, credit, most), credit, most), table.credit, 4);
        self.for_lanes(ptrs, valid, value, |g, p, v| match kind {
            Kind::Sums => {
                g.collect_sum(&table, p, v);
                Ok(())
            }
            Kind::Numbers => g.collect_number(&table, p, v),
        })?;
        m.br(end);
        m.position(end);
        Ok(())
    }

    fn has_credit(&self, table: &Table) -> Val {
        let m = self.m;
        m.icmp(Icmp::Sgt, m.load(m.int(32), table.credit, 4), self.i32c(0))
    }

    /// An addition that sends another place to memory is paid for.
    pub fn pay(&self, table: &Table) {
        let m = self.m;
        let left = m.sub(m.load(m.int(32), table.credit, 4), self.i32c(SENT));
        m.store(left, table.credit, 4);
    }

    /// Whether a table was not begun in this call.
    pub fn not_begun(&self, table: &Table) -> Val {
        let m = self.m;
        m.icmp(Icmp::Eq, m.load(m.int(32), table.begun, 4), self.i32c(0))
    }

    /// Adds one value to the sum of an address.
    fn collect_sum(&mut self, table: &Table, p: Val, v: Val) {
        let m = self.m;
        let (i32t, i64t) = (m.int(32), m.int(64));
        // Words follow each other, so the bits behind the lowest two are an index.
        let at = m.and(m.ptrtoint(p, i64t), self.i64c((PLACES - 1) << 2));
        let (tag, sum) = self.sum_at(table, at);
        let there = m.load(m.ptr(), tag, 8);
        let [hit, miss, send, put, end] = [c"hit", c"miss", c"send", c"put", c"collected"].map(|n| self.block(n));
        m.cond_br(m.icmp(Icmp::Eq, there, p), hit, miss);
        m.position(hit);
        m.store(m.add(m.load(i32t, sum, 4), v), sum, 4);
        m.br(end);
        m.position(miss);
        m.cond_br(m.icmp(Icmp::Eq, there, table.start), put, send);
        m.position(send);
        m.atomic_rmw(Rmw::Add, there, m.load(i32t, sum, 4), Order::Monotonic);
        self.pay(table);
        m.br(put);
        m.position(put);
        m.store(p, tag, 8);
        m.store(v, sum, 4);
        m.br(end);
        m.position(end);
    }

    /// Where the address and the sum of a place stand, whose number times 4 is given.
    fn sum_at(&self, table: &Table, at: Val) -> (Val, Val) {
        let m = self.m;
        let sums = m.byte_ptr(table.start, self.i64c(PLACES * 8));
        (m.byte_ptr(table.start, m.shl(at, self.i64c(1))), m.byte_ptr(sums, at))
    }

    /// A table, made known on first use. Where nothing stands in it, its own start stands for the address.
    fn collect_table(&mut self, kind: Kind) -> Result<Table> {
        let known = match kind {
            Kind::Sums => self.collect.sums,
            Kind::Numbers => self.collect.numbers,
        };
        if let Some(table) = known {
            return Ok(table);
        }
        let m = self.m;
        let (i32t, i64t) = (m.int(32), m.int(64));
        let targets = self.ranges(&self.collect.targets.clone())?;
        let others = self.ranges(&self.collect.others.clone())?;
        let start = self.arena_alloc(match kind {
            Kind::Sums => PLACES * 12,
            Kind::Numbers => replay::BYTES,
        })?;
        let [credit, begun] = [4, 4].map(|align| self.alloca(i32t, align));
        let (first, end) = (m.param(self.function, 1), m.param(self.function, 2));
        let invocations = u64::from(self.k.invocations());
        let table = self.in_setup(|g| {
            // The smallest call that collects.
            let groups = u64::from(g.opts.collect_from).div_ceil(invocations).max(1);
            let some = m.sub(end, first);
            let mut ok = m.icmp(Icmp::Uge, some, g.i64c(groups));
            for (a, a_size) in &targets {
                for (b, b_size) in &others {
                    let before = m.icmp(Icmp::Ule, m.add(*a, *a_size), *b);
                    let behind = m.icmp(Icmp::Ule, m.add(*b, *b_size), *a);
                    ok = m.and(ok, m.or(before, behind));
                }
            }
            // A table that is of no use may cost a few percent of what the call does.
            let some = m.intrinsic("llvm.umin", &[i64t], &[some, g.i64c(CREDIT)]);
            let most = m.lshr(m.mul(some, g.i64c(invocations)), g.i64c(4));
            let most = m.add(m.intrinsic("llvm.umin", &[i64t], &[most, g.i64c(CREDIT - 1)]), g.i64c(1));
            m.store(m.select(ok, m.trunc(most, i32t), g.i32c(0)), credit, 4);
            m.store(g.i32c(0), begun, 4);
            Table { start: m.byte_ptr(g.arena, g.i64c(start)), credit, begun }
        });
        match kind {
            Kind::Sums => self.collect.sums = Some(table),
            Kind::Numbers => self.collect.numbers = Some(table),
        }
        Ok(table)
    }

    /// Addresses and sizes of buffers.
    fn ranges(&mut self, keys: &[Key]) -> Result<Vec<(Val, Val)>> {
        let mut out = Vec::new();
        for (set, binding, element) in keys {
            if let Rep::BufUni(addr, size) = self.fixed_buffer(*set, *binding, *element)? {
                out.push((addr, size));
            }
        }
        Ok(out)
    }

    /// Clears a table before its first use in a call.
    fn begin_table(&mut self, kind: Kind, table: &Table) {
        let m = self.m;
        let i64t = m.int(64);
        let (clear, head, end) = (self.block(c"table"), self.block(c"table.clear"), self.block(c"table.there"));
        m.cond_br(self.not_begun(table), clear, end);
        m.position(clear);
        m.store(self.i32c(1), table.begun, 4);
        m.br(head);
        m.position(head);
        let at = m.phi(i64t, &[(self.i64c(0), clear)]);
        let nobody = m.ptrtoint(table.start, i64t);
        let (step, bytes) = match kind {
            Kind::Sums => {
                let (tags, sums) = self.sum_at(table, at);
                m.store(m.splat(nobody, 8), tags, 64);
                m.store(m.zero(m.vector(m.int(32), 8)), sums, 32);
                (32, PLACES * 4)
            }
            Kind::Numbers => {
                self.clear_numbers(m.byte_ptr(table.start, at), nobody);
                (replay::PLACE, replay::BYTES)
            }
        };
        let next = m.add(at, self.i64c(step));
        m.add_incoming(at, next, head);
        m.cond_br(m.icmp(Icmp::Ult, next, self.i64c(bytes)), head, end);
        m.position(end);
    }

    /// Sends everything to memory; at the end of a call.
    pub fn empty_tables(&mut self) -> Result<()> {
        if let Some(table) = self.collect.sums {
            self.empty_sums(&table);
        }
        if let Some(table) = self.collect.numbers {
            self.empty_numbers(&table)?;
        }
        Ok(())
    }

    fn empty_sums(&mut self, table: &Table) {
        let m = self.m;
        let (i32t, i64t) = (m.int(32), m.int(64));
        let before = m.current();
        let [head, send, latch, end] = [c"sums", c"sums.send", c"sums.next", c"sums.end"].map(|n| self.block(n));
        m.cond_br(self.not_begun(table), end, head);
        m.position(head);
        let at = m.phi(i64t, &[(self.i64c(0), before)]);
        let (tag, sum) = self.sum_at(table, at);
        let v = m.load(i32t, sum, 4);
        m.cond_br(m.icmp(Icmp::Eq, v, self.i32c(0)), latch, send);
        m.position(send);
        m.atomic_rmw(Rmw::Add, m.load(m.ptr(), tag, 8), v, Order::Monotonic);
        m.br(latch);
        m.position(latch);
        let next = m.add(at, self.i64c(4));
        m.add_incoming(at, next, latch);
        m.cond_br(m.icmp(Icmp::Ult, next, self.i64c(PLACES * 4)), head, end);
        m.position(end);
    }
}
