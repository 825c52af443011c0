//! Loads, stores and copies.

use super::access::view_as;
use super::error::{Error, R};
use super::layout::{bytes, Run};
use super::module::Inst;
use super::translator::Translator;
use super::types::Ty;
use super::val::{Leaves, Opaque, Ptr, Root, Val};
use super::vars::plain;
use crate::sir::{Access, AluOp, BindingKind, Op as Sir, Type, Value};
use smallvec::{smallvec, SmallVec};
use spirv::{MemoryAccess, StorageClass as SC};
use std::rc::Rc;

/// Memory operands of an instruction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Operands {
    pub volatile: bool,
    /// MakePointerAvailable or MakePointerVisible.
    pub coherent: bool,
    /// `Aligned`; 0 if not stated.
    pub align: u32,
}

impl Operands {
    /// Reads the operands that start at the front of `words`; returns how many words they take.
    pub fn parse(words: &[u32]) -> R<(Operands, usize)> {
        let mut out = Operands::default();
        let Some((&mask, args)) = words.split_first() else { return Ok((out, 0)) };
        let known = MemoryAccess::VOLATILE
            | MemoryAccess::ALIGNED
            | MemoryAccess::NONTEMPORAL
            | MemoryAccess::MAKE_POINTER_AVAILABLE
            | MemoryAccess::MAKE_POINTER_VISIBLE
            | MemoryAccess::NON_PRIVATE_POINTER;
        let mask = MemoryAccess::from_bits(mask)
            .filter(|m| known.contains(*m))
            .ok_or_else(|| Error::unsupported(format!("memory operands {mask:#x}")))?;
        let mut taken = 1;
        let mut args = args.iter();
        for flag in [MemoryAccess::ALIGNED, MemoryAccess::MAKE_POINTER_AVAILABLE, MemoryAccess::MAKE_POINTER_VISIBLE] {
            if mask.contains(flag) {
                let arg = *args.next().ok_or_else(|| Error::invalid("a memory operand is missing"))?;
                taken += 1;
                if flag == MemoryAccess::ALIGNED {
                    if !arg.is_power_of_two() {
                        return Err(Error::invalid("alignment is not a power of two"));
                    }
                    out.align = arg;
                }
            }
        }
        out.volatile = mask.contains(MemoryAccess::VOLATILE);
        out.coherent = mask.intersects(MemoryAccess::MAKE_POINTER_AVAILABLE | MemoryAccess::MAKE_POINTER_VISIBLE);
        Ok((out, taken))
    }
}

impl Translator<'_> {
    /// Properties of an access of elements of type `t` at a constant distance from a pointer.
    pub(super) fn access(&self, p: &Ptr, off: i64, t: Type, ops: Operands) -> Access {
        let size = bytes(t).max(1) as u32;
        // Objects lie at multiples of their scalars' sizes; what a descriptor's base promises limits that.
        let natural = match p.root {
            Root::Buffer(_) | Root::Code(_) => size.min(self.options.buffer_align),
            _ => size,
        };
        let stated = match ops.align {
            0 => 1,
            a => a.min(if off == 0 { u32::MAX } else { 1 << off.trailing_zeros().min(31) }),
        };
        Access {
            align: p.align_at(off).max(natural).max(stated).clamp(1, 64),
            volatile: p.flags.volatile || ops.volatile,
            coherent: p.flags.coherent || ops.coherent,
            non_writable: p.flags.non_writable,
            restrict: p.flags.restrict,
            atomic: false,
        }
    }

    /// `OpLoad`.
    pub(super) fn load(&mut self, inst: &Inst<'_>) -> R<()> {
        let mut p = self.ptr_to(inst.word(0)?, inst.ty)?;
        let (ops, _) = Operands::parse(inst.from(1))?;
        if p.pointee != inst.ty {
            return Err(Error::invalid("the result type is not what the pointer points to"));
        }
        if matches!(p.root, Root::Heap { .. }) {
            let opaque = self.load_heap(&p, inst.ty, self.deco.id(inst.id).non_uniform)?;
            return self.set(inst, Val::Opaque(Rc::new(opaque)));
        }
        if let Root::Pair(image, sampler) = p.root {
            let image_ty = match self.types.get(p.pointee)? {
                Ty::SampledImage(image) => self.types.get(*image)?,
                _ => return Err(Error::invalid("not a sampled image")),
            };
            let Ty::Image(ty) = image_ty else { return Err(Error::invalid("not a sampled image")) };
            let opaque = Opaque { image: Some((image, ty.clone())), sampler: Some(sampler), combined: false };
            return self.set(inst, Val::Opaque(Rc::new(opaque)));
        }
        if let Root::Handle(res) = &mut p.root {
            res.non_uniform |= self.deco.id(inst.id).non_uniform;
            if p.levels > 0 {
                return Err(Error::unsupported("loading an array of images or samplers"));
            }
            let res = *res;
            let opaque = match self.types.get(p.pointee)? {
                Ty::Image(image) => Opaque { image: Some((res, image.clone())), sampler: None, combined: false },
                Ty::Sampler => Opaque { image: None, sampler: Some(res), combined: false },
                Ty::SampledImage(image) => match self.types.get(*image)? {
                    Ty::Image(image) => Opaque { image: Some((res, image.clone())), sampler: None, combined: true },
                    _ => return Err(Error::invalid("not a sampled image")),
                },
                _ => return Err(Error::invalid("not an image or sampler")),
            };
            return self.set(inst, Val::Opaque(Rc::new(opaque)));
        }
        let leaves = self.load_leaves(&p, ops)?;
        self.set_leaves(inst, leaves)
    }

    /// The scalars of the object a pointer points to.
    pub(super) fn load_leaves(&mut self, p: &Ptr, ops: Operands) -> R<Leaves> {
        let runs = self.runs(p.pointee, p.explicit, p.matrix)?;
        let types = self.types.flatten(p.pointee)?;
        if let Root::Input(values) = &p.root {
            let values = values.clone();
            return types.iter().enumerate().map(|(i, _)| self.load_input(p, &values, i as i64 * 4)).collect();
        }
        let mut out = Leaves::with_capacity(types.len());
        for run in runs {
            self.load_run(p, run, ops, &mut out)?;
        }
        Ok(out)
    }

    fn load_run(&mut self, p: &Ptr, run: Run, ops: Operands, out: &mut Leaves) -> R<()> {
        let memory = super::build::memory_type(run.ty);
        let addr = self.addr(p, run.off)?;
        let access = self.access(p, run.off, memory, ops);
        let values: SmallVec<[Value; 4]> = (0..run.n).map(|_| self.b.value(memory)).collect();
        self.b.push(&values, Sir::Load { addr, access });
        for v in values {
            out.push(if run.ty == Type::Bool { self.b.nonzero(v) } else { v });
        }
        Ok(())
    }

    fn load_input(&mut self, p: &Ptr, values: &[Value], off: i64) -> R<Value> {
        let place = (p.imm + off) / 4;
        let at = |i: i64| usize::try_from(i).ok().and_then(|i| values.get(i)).copied();
        match p.off {
            None => at(place).ok_or_else(|| Error::invalid("index is out of range")),
            Some(dynamic) => {
                let mut out = *values.first().ok_or_else(|| Error::invalid("empty input"))?;
                for (i, &v) in values.iter().enumerate().skip(1) {
                    let distance = self.b.konst(Type::I32, ((i as i64 - place) * 4) as u64);
                    let here = self.b.alu(AluOp::IEq, Type::Bool, &[dynamic, distance]);
                    out = self.b.select(here, v, out);
                }
                Ok(out)
            }
        }
    }

    /// `OpStore`.
    pub(super) fn store(&mut self, inst: &Inst<'_>) -> R<()> {
        let (ops, _) = Operands::parse(inst.from(2))?;
        let (ty, val) = self.get(inst.word(1)?)?;
        let p = self.ptr_to(inst.word(0)?, ty)?;
        if ty != p.pointee {
            return Err(Error::invalid("the object is not what the pointer points to"));
        }
        let leaves = self.flatten_val(ty, val)?;
        self.store_leaves(&p, &leaves, ops)
    }

    /// Stores the scalars of an object.
    pub(super) fn store_leaves(&mut self, p: &Ptr, leaves: &[Value], ops: Operands) -> R<()> {
        self.writable(p)?;
        let mut rest = leaves;
        for run in self.runs(p.pointee, p.explicit, p.matrix)? {
            let n = run.n as usize;
            let (now, later) = rest.split_at_checked(n).ok_or_else(|| Error::invalid("the object has another type"))?;
            rest = later;
            let memory = super::build::memory_type(run.ty);
            let mut values: SmallVec<[Value; 4]> = SmallVec::new();
            for &v in now {
                let v = if run.ty == Type::Bool { self.b.bool_to_i32(v) } else { v };
                if self.b.ty(v) != memory {
                    return Err(Error::invalid("the object has another type"));
                }
                values.push(v);
            }
            let addr = self.addr(p, run.off)?;
            let access = self.access(p, run.off, memory, ops);
            self.b.push(&[], Sir::Store { addr, values, access });
        }
        Ok(())
    }

    /// Checks that memory may be written and notes the descriptor as written.
    pub(super) fn writable(&mut self, p: &Ptr) -> R<()> {
        match p.root {
            Root::Buffer(res) => self.use_binding(res, BindingKind::StorageBuffer, true),
            Root::Code(_) => {
                self.work.charge(self.roots.len() as u64)?;
                for (res, _) in self.roots.clone() {
                    self.use_binding(res, BindingKind::StorageBuffer, true);
                }
            }
            Root::Global(_) | Root::Shared | Root::Slot(_) => return Ok(()),
            Root::Push | Root::Input(_) | Root::Handle(_) | Root::Pair(..) | Root::Mapped(..) | Root::Heap { .. } => {
                return Err(Error::invalid(format!("{:?} memory is read-only", p.class)));
            }
        }
        if p.class == SC::Uniform && !self.is_storage(p) {
            return Err(Error::invalid("uniform buffers are read-only"));
        }
        Ok(())
    }

    fn is_storage(&self, p: &Ptr) -> bool {
        match p.root {
            Root::Buffer(res) => self.bindings.contains_key(&(res.set, res.binding, BindingKind::StorageBuffer)),
            _ => true,
        }
    }

    /// `OpCopyMemory`.
    pub(super) fn copy_memory(&mut self, inst: &Inst<'_>) -> R<()> {
        let (mut to, mut from) = (self.ptr(inst.word(0)?)?, self.ptr(inst.word(1)?)?);
        // One of the two may be untyped: the other says what is copied.
        match (self.is_untyped(inst.word(0)?), self.is_untyped(inst.word(1)?)) {
            (true, false) => view_as(&mut to, from.pointee),
            (false, true) => view_as(&mut from, to.pointee),
            (false, false) | (true, true) => {}
        }
        let (first, taken) = Operands::parse(inst.from(2))?;
        let (second, more) = Operands::parse(inst.from(2 + taken))?;
        let source = if more > 0 { second } else { first };
        if to.pointee != from.pointee {
            return Err(Error::invalid("the pointers point to different types"));
        }
        let leaves = self.load_leaves(&from, source)?;
        self.store_leaves(&to, &leaves, first)
    }

    /// `OpCopyMemorySized` of a constant number of bytes.
    pub(super) fn copy_memory_sized(&mut self, inst: &Inst<'_>) -> R<()> {
        let (to, from) = (self.ptr(inst.word(0)?)?, self.ptr(inst.word(1)?)?);
        let size = i64::from(self.const_u32(inst.word(2)?)?);
        let (ops, _) = Operands::parse(inst.from(3))?;
        self.writable(&to)?;
        if matches!(from.root, Root::Input(_) | Root::Handle(_) | Root::Pair(..) | Root::Mapped(..) | Root::Heap { .. })
        {
            return Err(Error::invalid("the source is not memory"));
        }
        let ty = if size % 4 == 0 && ops.align % 4 == 0 && ops.align > 0 { Type::I32 } else { Type::I8 };
        let step = bytes(ty);
        self.work.charge((size / step) as u64)?;
        for off in (0..size).step_by(step as usize) {
            let addr = self.addr(&from, off)?;
            let access = self.access(&from, off, ty, ops);
            let v = self.b.emit(ty, Sir::Load { addr, access });
            let addr = self.addr(&to, off)?;
            let access = self.access(&to, off, ty, ops);
            self.b.push(&[], Sir::Store { addr, values: smallvec![v], access });
        }
        Ok(())
    }

    /// `OpVariable` in a function.
    pub(super) fn local_variable(&mut self, inst: &Inst<'_>) -> R<()> {
        let (class, pointee) = self.variable_type(inst)?;
        if class != SC::Function || inst.word(0)? != SC::Function as u32 {
            return Err(Error::invalid("variables in functions have storage class Function"));
        }
        let slot = self.slot_of(pointee)?;
        let align = self.types.info(pointee)?.align;
        let p = Ptr { align, ..plain(Root::Slot(slot), class, pointee) };
        if let Some(init) = inst.initialiser() {
            let (ty, leaves) = self.leaves(init)?;
            if ty != pointee {
                return Err(Error::invalid("the initialiser has another type"));
            }
            self.store_leaves(&p, &leaves, Operands::default())?;
        }
        self.set(inst, Val::Ptr(p))
    }
}
