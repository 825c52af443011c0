//! Variables, arrays, shared memory, buffers and atomics.

use super::module::{Id, Scalar, Type, F32, U32};
use super::program::{Gen, Known, Var, APPROX, ATOMIC_WORDS, INPUT_WORDS, OWN};
use super::Cap;
use spirv::{Capability, Op, StorageClass};

/// Scope of a workgroup.
pub const WORKGROUP: u32 = spirv::Scope::Workgroup as u32;

impl Gen<'_> {
    /// Declares the variables, arrays and shared arrays of a program.
    pub fn declare_variables(&mut self) {
        for i in 0..3 + self.rng.below(4) {
            let ty = self.any_type();
            let t = self.m.ty(ty);
            let first = self.literal(ty);
            let id = self.m.initialized(StorageClass::Private, t, &[first.id]);
            self.vars.push(Var { id, class: StorageClass::Private, ty, len: 0, uniform: i == 0 });
        }
        for _ in 0..1 + self.rng.below(2) {
            let len = 2 << self.rng.below(3);
            let var = self.array(StorageClass::Private, len);
            self.arrays.push(var);
        }
        for _ in 0..APPROX {
            let t = self.m.ty(F32);
            let id = self.m.global(StorageClass::Private, t);
            self.approx.push(id);
        }
        for _ in 0..self.rng.below(3) {
            let len = self.invocations.next_power_of_two();
            let var = self.array(StorageClass::Workgroup, len);
            self.shared.push(var);
        }
    }

    fn array(&mut self, class: StorageClass, len: u32) -> Var {
        let ty = self.data_type();
        let t = self.m.ty(ty);
        let count = self.m.u32(len);
        let array = self.m.type_of(Op::TypeArray, &[t, count]);
        // (Shared memory has no initializer; every element is written before it is read.)
        let first = if class == StorageClass::Private { vec![self.m.null(array)] } else { Vec::new() };
        let id = self.m.initialized(class, array, &first);
        Var { id, class, ty, len, uniform: false }
    }

    /// A pointer to an element of an array; the index is in range.
    fn element(&mut self, a: &Var, index: Id) -> Id {
        let t = self.m.ty(a.ty);
        let pointer = self.m.pointer(a.class, t);
        self.m.op(Op::AccessChain, pointer, &[a.id, index])
    }

    /// Loads an element.
    pub fn load_element(&mut self, a: &Var, index: Id) -> Id {
        let pointer = self.element(a, index);
        let t = self.m.ty(a.ty);
        self.m.op(Op::Load, t, &[pointer])
    }

    /// Stores an element.
    pub fn store_element(&mut self, a: &Var, index: Id, value: Id) {
        let pointer = self.element(a, index);
        self.m.act(Op::Store, &[pointer, value]);
    }

    /// An index below a power of two.
    pub fn index(&mut self, len: u32) -> Known {
        let k = self.pick(U32, false);
        let mask = self.m.u32(len - 1);
        let t = self.m.ty(U32);
        Known { id: self.m.op(Op::BitwiseAnd, t, &[k.id, mask]), ty: U32, uniform: k.uniform }
    }

    /// A word of the input buffer.
    pub fn load_input(&mut self, index: Id) -> Id {
        let t = self.m.ty(U32);
        let (zero, mask) = (self.m.u32(0), self.m.u32(INPUT_WORDS - 1));
        let at = self.m.op(Op::BitwiseAnd, t, &[index, mask]);
        let pointer = self.m.pointer(StorageClass::StorageBuffer, t);
        let pointer = self.m.op(Op::AccessChain, pointer, &[self.input, zero, at]);
        self.m.op(Op::Load, t, &[pointer])
    }

    /// A pointer to one of the invocation's own elements of the typed buffer.
    pub fn own_element(&mut self, variable: Id, ty: Type, index: Id) -> Id {
        let t = self.m.ty(U32);
        let (zero, per) = (self.m.u32(0), self.m.u32(OWN));
        let base = self.m.op(Op::IMul, t, &[self.global_index, per]);
        let at = self.m.op(Op::IAdd, t, &[base, index]);
        let ty = self.m.ty(ty);
        let pointer = self.m.pointer(StorageClass::StorageBuffer, ty);
        self.m.op(Op::AccessChain, pointer, &[variable, zero, at])
    }

    /// A load from memory that the invocation may read at any time.
    pub fn load(&mut self) -> Known {
        match self.rng.below(4) {
            0 => {
                let index = self.pick(U32, false);
                let id = self.load_input(index.id);
                self.know(id, U32, index.uniform)
            }
            1 => {
                let index = self.index(OWN);
                let (variable, ty) = self.own;
                let pointer = self.own_element(variable, ty, index.id);
                let t = self.m.ty(ty);
                let id = self.m.op(Op::Load, t, &[pointer]);
                self.know_float(id, ty, false)
            }
            _ => {
                let a = self.rng.of(&self.arrays.clone());
                let index = self.index(a.len);
                let id = self.load_element(&a, index.id);
                self.know(id, a.ty, false)
            }
        }
    }

    /// A store to memory of the invocation's own.
    pub fn store(&mut self) {
        match self.rng.below(5) {
            0 => {
                let index = self.index(OWN);
                let (variable, ty) = self.own;
                let value = self.expr(ty);
                let pointer = self.own_element(variable, ty, index.id);
                self.m.act(Op::Store, &[pointer, value.id]);
            }
            1 | 2 => {
                let a = self.rng.of(&self.arrays.clone());
                let value = self.expr(a.ty);
                let index = self.index(a.len);
                self.store_element(&a, index.id, value.id);
            }
            _ => {
                let v = self.rng.of(&self.vars.clone());
                if v.uniform && !self.flow.uniform {
                    return;
                }
                let value = if v.uniform { self.pick(v.ty, true) } else { self.expr(v.ty) };
                self.m.act(Op::Store, &[v.id, value.id]);
            }
        }
    }

    /// A barrier of the workgroup with its shared memory.
    fn barrier(&mut self) {
        let scope = self.m.u32(WORKGROUP);
        let semantics = spirv::MemorySemantics::ACQUIRE_RELEASE | spirv::MemorySemantics::WORKGROUP_MEMORY;
        let semantics = self.m.u32(semantics.bits());
        self.m.act(Op::ControlBarrier, &[scope, scope, semantics]);
    }

    /// All invocations write their element of a shared array and then read others'. Only where control flow is uniform.
    pub fn exchange(&mut self) {
        let Some(a) = (!self.shared.is_empty()).then(|| self.rng.of(&self.shared.clone())) else { return };
        let value = self.expr(a.ty);
        let own = self.local_index;
        self.store_element(&a, own, value.id);
        self.barrier();
        let t = self.m.ty(U32);
        let count = self.m.u32(self.invocations);
        for _ in 0..1 + self.rng.below(3) {
            // (Elements behind the last invocation's were never written.)
            let other = self.pick(U32, false);
            let other = self.m.op(Op::UMod, t, &[other.id, count]);
            let id = self.load_element(&a, other);
            self.know(id, a.ty, false);
        }
        self.barrier();
    }

    /// An atomic operation whose order does not matter: commutative, its result unused.
    pub fn atomic(&mut self) {
        let ops = [Op::AtomicIAdd, Op::AtomicISub, Op::AtomicAnd, Op::AtomicOr, Op::AtomicXor];
        let more = [Op::AtomicSMin, Op::AtomicUMin, Op::AtomicSMax, Op::AtomicUMax];
        // A word sees one kind of operation only: others do not commute with it. AND and OR are kinds of their own, too.
        let kind = self.rng.below(ops.len() as u32 + more.len() as u32);
        let op = if kind < 5 { ops[kind as usize] } else { more[kind as usize - 5] };
        let slot = match op {
            Op::AtomicIAdd | Op::AtomicISub => 0,
            Op::AtomicAnd => 1,
            Op::AtomicOr => 2,
            Op::AtomicXor => 3,
            Op::AtomicSMin => 4,
            Op::AtomicUMin => 5,
            Op::AtomicSMax => 6,
            _ => 7,
        };
        let index = self.index(ATOMIC_WORDS / 8);
        let value = self.pick(U32, false);
        let t = self.m.ty(U32);
        let (eight, slot, zero) = (self.m.u32(8), self.m.u32(slot), self.m.u32(0));
        let at = self.m.op(Op::IMul, t, &[index.id, eight]);
        let at = self.m.op(Op::IAdd, t, &[at, slot]);
        let pointer = self.m.pointer(StorageClass::StorageBuffer, t);
        let pointer = self.m.op(Op::AccessChain, pointer, &[self.atomics, zero, at]);
        let scope = self.m.u32(spirv::Scope::Device as u32);
        self.m.op(op, t, &[pointer, scope, zero, value.id]);
    }

    /// An atomic operation on an element of the invocation's own, whose result is known.
    pub fn own_atomic(&mut self) {
        let (variable, ty) = self.own;
        let supported = ty.n == 1
            && match ty.scalar {
                Scalar::Int(32) => true,
                Scalar::Int(64) => self.has(Cap::Int64Atomics),
                _ => false,
            };
        if !supported {
            return;
        }
        if ty.scalar == Scalar::Int(64) {
            self.m.capability(Capability::Int64Atomics);
        }
        let index = self.index(OWN);
        let pointer = self.own_element(variable, ty, index.id);
        let (value, other) = (self.pick(ty, false), self.pick(ty, false));
        let t = self.m.ty(ty);
        let (scope, relaxed) = (self.m.u32(spirv::Scope::Device as u32), self.m.u32(0));
        let id = if self.rng.chance(30) {
            self.m.op(Op::AtomicCompareExchange, t, &[pointer, scope, relaxed, relaxed, value.id, other.id])
        } else {
            let op = self.rng.of(&[
                Op::AtomicExchange,
                Op::AtomicIAdd,
                Op::AtomicISub,
                Op::AtomicSMin,
                Op::AtomicUMax,
                Op::AtomicAnd,
                Op::AtomicOr,
                Op::AtomicXor,
            ]);
            self.m.op(op, t, &[pointer, scope, relaxed, value.id])
        };
        self.know(id, ty, false);
    }
}
