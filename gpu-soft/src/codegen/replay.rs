//! Additions of floats that are collected (see `collect`): sums depend on the order of the additions, and each must be rounded as if it
//! were done by itself. So the numbers are kept, by address and in their order, and added one after the other when they are
//! sent: what many invocations add then happens as if they came one directly after the other, with one locked instruction.

use super::collect::Table;
use super::gen::{Gen, Result};
use super::ir::{Icmp, Val};
use compiler::sir::{AluOp, Type};

/// Bytes of a place of the table: the address, how many numbers there are, and the numbers.
pub const PLACE: u64 = 64;
const COUNT_AT: u64 = 8;
const NUMBERS_AT: u64 = 16;
const NUMBERS: u32 = 12;

/// Places.
const PLACES: u64 = 256;

/// Bytes of the table.
pub const BYTES: u64 = PLACES * PLACE;

impl Gen<'_> {
    /// Makes a place one of no address and no numbers.
    pub fn clear_numbers(&self, place: Val, nobody: Val) {
        self.m.store(nobody, place, 8);
        self.m.store(self.i32c(0), self.m.byte_ptr(place, self.i64c(COUNT_AT)), 4);
    }

    /// Keeps a number for an address.
    pub fn collect_number(&mut self, table: &Table, p: Val, v: Val) -> Result<()> {
        let m = self.m;
        let (i32t, i64t) = (m.int(32), m.int(64));
        let at = m.and(m.ptrtoint(p, i64t), self.i64c((PLACES - 1) << 2));
        let place = m.byte_ptr(table.start, m.mul(at, self.i64c(PLACE / 4)));
        let count_at = m.byte_ptr(place, self.i64c(COUNT_AT));
        let numbers = m.byte_ptr(place, self.i64c(NUMBERS_AT));
        let there = m.load(m.ptr(), place, 8);
        let [hit, full, miss, send, put, end] =
            [c"hit", c"full", c"miss", c"send", c"put", c"collected"].map(|n| self.block(n));
        m.cond_br(m.icmp(Icmp::Eq, there, p), hit, miss);
        m.position(hit);
        let count = m.load(i32t, count_at, 4);
        m.store(v, m.byte_ptr(numbers, m.shl(m.zext(count, i64t), self.i64c(2))), 4);
        let more = m.add(count, self.i32c(1));
        m.store(more, count_at, 4);
        m.cond_br(m.icmp(Icmp::Uge, more, self.i32c(NUMBERS)), full, end);
        m.position(full);
        self.send_place(place)?;
        m.br(end);
        m.position(miss);
        m.cond_br(m.icmp(Icmp::Eq, there, table.start), put, send);
        m.position(send);
        self.send_place(place)?;
        self.pay(table);
        m.br(put);
        m.position(put);
        m.store(p, place, 8);
        m.store(self.i32c(1), count_at, 4);
        m.store(v, numbers, 4);
        m.br(end);
        m.position(end);
        Ok(())
    }

    /// Sends all numbers of a table to memory, if it was begun.
    pub fn empty_numbers(&mut self, table: &Table) -> Result<()> {
        let m = self.m;
        let before = m.current();
        let (head, end) = (self.block(c"numbers"), self.block(c"numbers.end"));
        m.cond_br(self.not_begun(table), end, head);
        m.position(head);
        let at = m.phi(m.int(64), &[(self.i64c(0), before)]);
        self.send_place(m.byte_ptr(table.start, at))?;
        let next = m.add(at, self.i64c(PLACE));
        m.add_incoming(at, next, m.current());
        m.cond_br(m.icmp(Icmp::Ult, next, self.i64c(BYTES)), head, end);
        m.position(end);
        Ok(())
    }

    /// Adds the numbers of a place to memory, one after the other; afterwards there are none.
    fn send_place(&mut self, place: Val) -> Result<()> {
        let m = self.m;
        let ty = m.function_type(m.void(), &[m.ptr()]);
        let function = match self.collect.send {
            Some(f) => f,
            None => {
                let mut made = Ok(());
                let f = self.in_function("send", ty, |g, f| made = g.send_body(m.param(f, 0)));
                made?;
                self.collect.send = Some(f);
                f
            }
        };
        m.call(ty, function, &[place]);
        Ok(())
    }

    fn send_body(&mut self, place: Val) -> Result<()> {
        let m = self.m;
        let (i32t, i64t) = (m.int(32), m.int(64));
        let [some, again, sum, swap, sent, end] =
            [c"some", c"again", c"sum", c"swap", c"sent", c"end"].map(|n| self.block(n));
        let count_at = m.byte_ptr(place, self.i64c(COUNT_AT));
        let numbers = m.byte_ptr(place, self.i64c(NUMBERS_AT));
        let count = m.load(i32t, count_at, 4);
        m.cond_br(m.icmp(Icmp::Eq, count, self.i32c(0)), end, some);
        m.position(some);
        let p = m.load(m.ptr(), place, 8);
        let first = m.atomic_load(i32t, p, 4);
        m.br(again);
        m.position(again);
        let seen = m.phi(i32t, &[(first, some)]);
        let before = m.bitcast(seen, m.f32());
        m.br(sum);
        m.position(sum);
        let i = m.phi(i32t, &[(self.i32c(0), again)]);
        let so_far = m.phi(m.f32(), &[(before, again)]);
        let v = m.load(m.f32(), m.byte_ptr(numbers, m.shl(m.zext(i, i64t), self.i64c(2))), 4);
        let total = self.combine(AluOp::FAdd, Type::F32, 0, so_far, v)?;
        let next = m.add(i, self.i32c(1));
        m.add_incoming(i, next, m.current());
        m.add_incoming(so_far, total, m.current());
        m.cond_br(m.icmp(Icmp::Ult, next, count), sum, swap);
        m.position(swap);
        let (found, ok) = m.cmpxchg(p, seen, m.bitcast(total, i32t));
        m.add_incoming(seen, found, swap);
        m.cond_br(ok, sent, again);
        m.position(sent);
        m.store(self.i32c(0), count_at, 4);
        m.br(end);
        m.position(end);
        m.ret_void();
        Ok(())
    }
}
