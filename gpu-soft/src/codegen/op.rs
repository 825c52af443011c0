//! Operations without nested regions: dispatch, built-in inputs, fences.

use super::affine::{Bases, Claim};
use super::gen::{Gen, Mask, Rep, Result};
use super::ir::{Order, Val};
use super::unsupported;
use compiler::sir::{Addr, Builtin, Inst, MemoryScope, Op, Type};

impl Gen<'_> {
    pub fn simple(&mut self, inst: &Inst, mask: Mask) -> Result<()> {
        let result = inst.results.first().copied();
        match (&inst.op, result) {
            (Op::Const(bits), Some(r)) => {
                let ty = self.k.ty(r);
                let rep = match ty {
                    Type::Buf => Rep::BufUni(self.i64c(0), self.i64c(0)),
                    _ => Rep::Uni(self.konst(ty, 0, *bits)),
                };
                self.set(r, rep)
            }
            (Op::Alu { op, args, .. }, Some(r)) => self.alu(*op, r, args),
            (Op::Builtin(b), Some(r)) => {
                let rep = self.builtin(*b);
                self.set(r, rep)
            }
            (Op::Buffer(res), Some(r)) => self.buffer(r, res),
            (Op::BufferSize(b), Some(r)) => {
                let rep = match self.rep(*b)? {
                    Rep::BufUni(_, s) => Rep::Uni(s),
                    Rep::BufVec(_, s) => Rep::Vec(s, None),
                    Rep::Uni(_) | Rep::Vec(..) => return unsupported("size of something that is no buffer"),
                };
                self.set(r, rep)
            }
            (Op::Load { addr: Addr::Slot { slot, off, imm }, access }, Some(_)) => {
                self.private_load(&inst.results, *slot, *off, *imm, access, mask)
            }
            (Op::Load { addr, access }, Some(_)) => self.load(&inst.results, addr, access, mask),
            (Op::Store { addr: Addr::Slot { slot, off, imm }, values, access }, _) => {
                self.private_store(values, *slot, *off, *imm, access, mask)
            }
            (Op::Store { addr, values, access }, _) => self.store(values, addr, access, mask),
            (Op::AtomicRmw { op, addr, value, .. }, Some(r)) => self.atomic_rmw(r, *op, addr, *value, mask),
            (Op::AtomicCas { addr, expected, desired, .. }, Some(r)) => {
                self.atomic_cas(r, addr, *expected, *desired, mask)
            }
            (Op::Subgroup { op, args }, Some(r)) => self.subgroup_op(r, *op, args, mask),
            (Op::ControlBarrier { memory, .. } | Op::MemoryBarrier { memory }, _) => {
                self.fence(*memory);
                Ok(())
            }
            (Op::ReadClock { .. }, Some(r)) => {
                let clock = self.m.intrinsic("llvm.readcyclecounter", &[], &[]);
                let rep = if self.uniform_form(r) { Rep::Uni(clock) } else { Rep::Vec(self.splat(clock), None) };
                self.set(r, rep)
            }
            (
                Op::ImageLoad { .. }
                | Op::ImageStore { .. }
                | Op::ImageAtomic { .. }
                | Op::ImageCas { .. }
                | Op::ImageSize { .. }
                | Op::ImageLevels { .. }
                | Op::ImageSamples { .. }
                | Op::Sample { .. },
                _,
            ) => self.image(inst, mask),
            _ => unsupported("malformed operation"),
        }
    }

    /// One workgroup runs on one thread: only wider scopes need more than an order for the compiler.
    fn fence(&self, scope: MemoryScope) {
        let local = match scope {
            MemoryScope::Invocation | MemoryScope::Subgroup | MemoryScope::Workgroup => true,
            MemoryScope::QueueFamily | MemoryScope::Device => false,
        };
        self.m.fence(Order::AcqRel, local);
    }

    // ---- builtins ----

    fn builtin(&mut self, b: Builtin) -> Rep {
        let m = self.m;
        let i32c = |v| self.i32c(v);
        let at = |c: u8| usize::from(c) % 3;
        match b {
            Builtin::WorkgroupId(c) => Rep::Uni(self.group[at(c)]),
            Builtin::NumWorkgroups(c) => Rep::Uni(self.count[at(c)]),
            Builtin::LocalId(c) => self.local_id(at(c)),
            Builtin::GlobalId(c) => {
                let c = at(c);
                let base = m.mul(self.group[c], i32c(self.k.local_size[c]));
                match self.local_id(c) {
                    Rep::Uni(v) => Rep::Uni(m.add(base, v)),
                    Rep::Vec(_, Some(claim)) => {
                        let bases = claim.base.map(|b| m.add(base, b));
                        self.affine(Type::I32, Claim { base: bases, ..claim })
                    }
                    Rep::Vec(v, None) => Rep::Vec(m.add(self.splat(base), v), None),
                    other => other,
                }
            }
            Builtin::LocalIndex if self.k.invocations() == 1 => Rep::Uni(i32c(0)),
            Builtin::LocalIndex => self.step(self.first_index()),
            Builtin::SubgroupId => Rep::Uni(self.subgroup.unwrap_or(i32c(0))),
            Builtin::NumSubgroups => Rep::Uni(i32c(self.subgroups)),
            Builtin::SubgroupSize => Rep::Uni(i32c(self.lanes)),
            Builtin::SubgroupLocalId => self.step(i32c(0)),
        }
    }

    fn step(&self, base: Val) -> Rep {
        self.affine(Type::I32, Claim::always(base, 1))
    }

    /// Local index of lane 0.
    fn first_index(&self) -> Val {
        match self.subgroup {
            Some(s) if self.subgroups > 1 => self.m.mul(s, self.i32c(self.lanes)),
            _ => self.i32c(0),
        }
    }

    fn local_id(&self, c: usize) -> Rep {
        let m = self.m;
        let size = self.k.local_size;
        if size[c] == 1 {
            return Rep::Uni(self.i32c(0));
        }
        let first = self.first_index();
        let k = |v: u32| self.i32c(v);
        if size[0].is_multiple_of(self.lanes) {
            // Lanes of a subgroup lie in one row.
            return match c {
                0 if size[0] == self.lanes => self.step(k(0)),
                0 => self.step(m.urem(first, k(size[0]))),
                1 => Rep::Uni(m.urem(m.udiv(first, k(size[0])), k(size[1]))),
                _ => Rep::Uni(m.udiv(first, k(size[0].saturating_mul(size[1])))),
            };
        }
        if size[1] == 1 && size[2] == 1 {
            return self.step(first);
        }
        if self.rows > 1 {
            // Lanes are whole rows, one after the other.
            let first = match self.subgroup {
                Some(s) if self.subgroups > 1 => m.mul(s, k(self.rows)),
                _ => k(0),
            };
            let row = |r: u32| {
                let at = m.add(first, k(r));
                match c {
                    0 => k(0),
                    1 => m.urem(at, k(size[1])),
                    _ => m.udiv(at, k(size[1])),
                }
            };
            let base = Bases::rows(&(0..self.rows).map(row).collect::<Vec<_>>());
            return self.affine(Type::I32, Claim { base, stride: i64::from(c == 0), guard: None });
        }
        let index = m.add(self.splat(first), self.iota(Type::I32, 1));
        let s = |v: u32| self.splat(k(v));
        let v = match c {
            0 => m.urem(index, s(size[0])),
            1 => m.urem(m.udiv(index, s(size[0])), s(size[1])),
            _ => m.udiv(index, s(size[0].saturating_mul(size[1]))),
        };
        Rep::Vec(v, None)
    }
}
