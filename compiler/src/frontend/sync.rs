//! Barriers, memory scopes and the clock.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use crate::sir::{MemoryScope, Op as Sir, Type};
use spirv::{MemorySemantics as S, Scope};

impl Translator<'_> {
    /// The scope that a constant operand names.
    pub(super) fn scope(&self, id: u32) -> R<MemoryScope> {
        let word = self.const_u32(id)?;
        Ok(match Scope::from_u32(word) {
            Some(Scope::CrossDevice | Scope::Device) => MemoryScope::Device,
            Some(Scope::QueueFamily) => MemoryScope::QueueFamily,
            Some(Scope::Workgroup) => MemoryScope::Workgroup,
            Some(Scope::Subgroup) => MemoryScope::Subgroup,
            Some(Scope::Invocation) => MemoryScope::Invocation,
            other => return Err(Error::unsupported(format!("scope {other:?} ({word})"))),
        })
    }

    /// The memory semantics that a constant operand names.
    pub(super) fn semantics(&self, id: u32) -> R<S> {
        Ok(S::from_bits_truncate(self.const_u32(id)?))
    }

    /// `OpControlBarrier`.
    pub(super) fn control_barrier(&mut self, inst: &Inst<'_>) -> R<()> {
        let scope = self.scope(inst.word(0)?)?;
        let memory = self.scope(inst.word(1)?)?;
        let semantics = self.semantics(inst.word(2)?)?;
        if !matches!(scope, MemoryScope::Workgroup | MemoryScope::Subgroup) {
            return Err(Error::unsupported(format!("an execution barrier of scope {scope:?}")));
        }
        let memory = if semantics.is_empty() { MemoryScope::Invocation } else { memory };
        if scope == MemoryScope::Subgroup {
            self.b.kernel.uses_subgroups = true;
        }
        self.b.push(&[], Sir::ControlBarrier { scope, memory });
        Ok(())
    }

    /// `OpMemoryBarrier`.
    pub(super) fn memory_barrier(&mut self, inst: &Inst<'_>) -> R<()> {
        let memory = self.scope(inst.word(0)?)?;
        if !self.semantics(inst.word(1)?)?.is_empty() {
            self.b.push(&[], Sir::MemoryBarrier { memory });
        }
        Ok(())
    }

    /// A memory barrier before an operation with release semantics.
    pub(super) fn release(&mut self, memory: MemoryScope, semantics: S) {
        if semantics.intersects(S::RELEASE | S::ACQUIRE_RELEASE | S::SEQUENTIALLY_CONSISTENT) {
            self.b.push(&[], Sir::MemoryBarrier { memory });
        }
    }

    /// A memory barrier after an operation with acquire semantics.
    pub(super) fn acquire(&mut self, memory: MemoryScope, semantics: S) {
        if semantics.intersects(S::ACQUIRE | S::ACQUIRE_RELEASE | S::SEQUENTIALLY_CONSISTENT) {
            self.b.push(&[], Sir::MemoryBarrier { memory });
        }
    }

    /// `OpReadClockKHR`: a 64-bit integer or two 32-bit ones.
    pub(super) fn read_clock(&mut self, inst: &Inst<'_>) -> R<()> {
        let scope = self.scope(inst.word(0)?)?;
        let (ty, n) = self.types.vector(inst.ty)?;
        let clock = self.b.emit(Type::I64, Sir::ReadClock { scope });
        let out = self.repack(&[clock], &vec![ty; n as usize])?;
        self.set_leaves(inst, out)
    }
}
