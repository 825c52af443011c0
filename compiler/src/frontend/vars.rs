//! Global variables: descriptors, workgroup and private memory, push constants, inputs.

use super::caps::explicit_workgroup;
use super::decor::MemFlags;
use super::error::{limits, Error, R};
use super::heap::image_kind;
use super::module::Inst;
use super::translator::Translator;
use super::types::{Ty, UNTYPED};
use super::val::{MatrixLayout, Ptr, Root};
use crate::hash::HashSet;
use crate::sir::{Binding, BindingKind, ImageDim, Resource};
use spirv::{Op, StorageClass as SC};

/// Alignment of the base of workgroup memory, push constants and inputs in bytes.
const BASE_ALIGN: u32 = 16;

impl<'a> Translator<'a> {
    /// Declares the variables that the entry point's code names.
    ///
    /// # Errors
    /// Storage classes of other stages, missing bindings, sizes beyond limits.
    pub(super) fn declare_variables(&mut self, used: &HashSet<u32>) -> R<()> {
        let module = self.m;
        let variables: Vec<&Inst<'a>> =
            module.globals.iter().filter(|i| i.is_variable() && used.contains(&i.id)).collect();
        self.shared_explicit = explicit_workgroup(module);
        self.place_shared(&variables)?;
        for inst in &variables {
            self.declare_variable(inst).map_err(|e| inst.blame(e))?;
        }
        self.b.kernel.shared_zeroed |= self.options.zero_shared;
        self.b.kernel.wide_indexing |= self.options.wide_indexing;
        for inst in &variables {
            let class = self.types.pointer(inst.ty)?.0;
            if let (SC::Private, Some(init)) = (class, inst.initialiser()) {
                self.initialise(inst.id, init).map_err(|e| inst.blame(e))?;
            }
        }
        Ok(())
    }

    /// Storage class of a variable and the type of its content; [`UNTYPED`] if an untyped variable does not state it.
    pub(super) fn variable_type(&self, inst: &Inst<'_>) -> R<(SC, u32)> {
        let (class, pointee) = self.types.pointer(inst.ty)?;
        match inst.op {
            Op::UntypedVariableKHR => Ok((class, inst.ops.get(1).copied().unwrap_or(UNTYPED))),
            _ => Ok((class, pointee)),
        }
    }

    fn declare_variable(&mut self, inst: &Inst<'a>) -> R<()> {
        let (class, pointee) = self.variable_type(inst)?;
        if class as u32 != inst.word(0)? {
            return Err(Error::invalid("storage class differs from that of the pointer type"));
        }
        if let (SC::UniformConstant, Some(p)) = (class, self.heap_variable(inst, class)?) {
            self.globals.insert(inst.id, p);
            return Ok(());
        }
        let ptr = match class {
            SC::StorageBuffer | SC::Uniform | SC::UniformConstant => self.descriptor(inst, class, pointee)?,
            SC::PushConstant => {
                let end = self.explicit_size(pointee, MatrixLayout::default())?;
                let end = u32::try_from(end).map_err(|_| Error::limit("the push-constant block is too large"))?;
                self.b.kernel.push_size = self.b.kernel.push_size.max(end);
                let flags = MemFlags { non_writable: true, ..MemFlags::default() };
                Ptr { explicit: true, flags, align: BASE_ALIGN, ..plain(Root::Push, class, pointee) }
            }
            // Placed before.
            SC::Workgroup => return Ok(()),
            SC::Private => {
                let slot = self.slot_of(pointee)?;
                let align = self.types.info(pointee)?.align;
                Ptr { align, ..plain(Root::Slot(slot), class, pointee) }
            }
            SC::Input => {
                let deco = self.deco.id(inst.id);
                let builtin = deco.builtin.ok_or_else(|| Error::unsupported("inputs that are not built-in"))?;
                let values = self.input(builtin)?;
                if self.types.leaf_count(pointee)? != values.len() {
                    return Err(Error::invalid("the type is not that of the built-in"));
                }
                Ptr { align: 4, ..plain(Root::Input(values.into()), class, pointee) }
            }
            _ => return Err(Error::unsupported(format!("storage class {class:?}"))),
        };
        self.globals.insert(inst.id, ptr);
        Ok(())
    }

    /// Private memory for an object in natural layout.
    pub(super) fn slot_of(&mut self, ty: u32) -> R<crate::sir::SlotId> {
        let info = self.types.info(ty)?;
        if info.leaves.is_none() {
            return Err(Error::unsupported("private variables of this type"));
        }
        let (size, align) = (info.size, info.align);
        self.b.slot(size, align)
    }

    /// Lays out workgroup memory. Blocks with explicit layout that are decorated `Aliased` all start at its beginning; other blocks
    /// and variables follow one by one.
    fn place_shared(&mut self, variables: &[&Inst<'a>]) -> R<()> {
        let mut placed = Vec::new();
        let mut end = 0u64;
        let mut rest = Vec::new();
        let mut blocks = Vec::new();
        for inst in variables {
            let (class, pointee) = self.variable_type(inst).map_err(|e| inst.blame(e))?;
            if class != SC::Workgroup {
                continue;
            }
            if self.shared_explicit && self.deco.id(pointee).block {
                let size = self.explicit_size(pointee, MatrixLayout::default()).map_err(|e| inst.blame(e))?;
                if self.deco.id(inst.id).aliased {
                    end = end.max(size);
                    placed.push((inst.id, pointee, 0, true));
                } else {
                    blocks.push((inst.id, pointee, size));
                }
            } else {
                rest.push((*inst, pointee));
            }
            if let Some(init) = inst.initialiser() {
                match self.consts.get(init) {
                    Some((_, super::consts::Const::Null)) => self.b.kernel.shared_zeroed = true,
                    _ => return Err(inst.blame(Error::unsupported("workgroup initialisers other than OpConstantNull"))),
                }
            }
        }
        // What lies where others do is initialised with them, used itself or not.
        if !placed.is_empty() {
            let aliases = self.m.globals.iter().filter(|i| i.is_variable() && self.deco.id(i.id).aliased);
            for init in
                aliases.filter(|i| i.ops.first() == Some(&(SC::Workgroup as u32))).filter_map(|i| i.initialiser())
            {
                let null = matches!(self.consts.get(init), Some((_, super::consts::Const::Null)));
                self.b.kernel.shared_zeroed |= null;
            }
        }
        for (id, pointee, size) in blocks {
            let at = end.next_multiple_of(u64::from(BASE_ALIGN));
            end = at + size;
            placed.push((id, pointee, at, true));
        }
        self.shared_explicit = !placed.is_empty();
        for (inst, pointee) in rest {
            let info = self.types.info(pointee).map_err(|e| inst.blame(e))?;
            if info.leaves.is_none() {
                return Err(inst.blame(Error::invalid("the type cannot be in workgroup memory")));
            }
            let at = end.next_multiple_of(u64::from(info.align));
            end = at + info.size;
            placed.push((inst.id, pointee, at, false));
        }
        if end > limits::SHARED_BYTES {
            return Err(Error::limit(format!("{end} bytes of workgroup memory")));
        }
        self.b.kernel.shared_size = end as u32;
        for (id, pointee, at, explicit) in placed {
            let d = self.deco.id(id);
            let ptr = Ptr {
                imm: at as i64,
                align: BASE_ALIGN,
                explicit,
                flags: d.mem,
                ..plain(Root::Shared, SC::Workgroup, pointee)
            };
            self.globals.insert(id, ptr);
        }
        Ok(())
    }

    fn descriptor(&mut self, inst: &Inst<'a>, class: SC, pointee: u32) -> R<Ptr> {
        let d = self.deco.id(inst.id);
        let (Some(set), Some(binding)) = (d.set, d.binding) else {
            return Err(Error::invalid("the resource has no DescriptorSet or Binding decoration"));
        };
        let mut inner = pointee;
        let mut levels = 0;
        let mut count = 1u32;
        loop {
            let (elem, len) = match *self.types.get(inner)? {
                Ty::Array { elem, len } => (elem, len),
                Ty::RuntimeArray { elem } => (elem, 0),
                _ => break,
            };
            count = count.checked_mul(len).ok_or_else(|| Error::limit("the descriptor array is too large"))?;
            inner = elem;
            levels += 1;
        }
        let kind = match (class, self.types.get(inner)?) {
            (SC::UniformConstant, Ty::Image(i)) => image_kind(i.dim, i.storage),
            (SC::UniformConstant, Ty::Sampler) => BindingKind::Sampler,
            (SC::UniformConstant, Ty::SampledImage(image)) => match self.types.get(*image)? {
                Ty::Image(i) if i.dim == ImageDim::Buffer => BindingKind::UniformTexelBuffer,
                _ => BindingKind::CombinedImageSampler,
            },
            (SC::StorageBuffer, Ty::Struct(_)) => BindingKind::StorageBuffer,
            (SC::Uniform, Ty::Struct(_)) if self.deco.id(inner).buffer_block => BindingKind::StorageBuffer,
            (SC::Uniform, Ty::Struct(_)) => BindingKind::UniformBuffer,
            _ => return Err(Error::unsupported(format!("a {class:?} variable of this type"))),
        };
        if let Some(heap) = self.options.heap {
            let block =
                if matches!(self.types.get(inner)?, Ty::Struct(_)) { self.read_only_block(inner)? } else { false };
            let flags = MemFlags { non_writable: d.mem.non_writable || block, ..d.mem };
            return self.mapped_variable(&heap, (set, binding), kind, class, pointee, levels, flags, d.non_uniform);
        }
        let entry =
            self.bindings.entry((set, binding, kind)).or_insert(Binding { set, binding, kind, count, written: false });
        entry.count = if count == 0 || entry.count == 0 { 0 } else { entry.count.max(count) };
        let res = Resource { set, binding, index: None, non_uniform: d.non_uniform };
        let mut flags = d.mem;
        let buffer = matches!(kind, BindingKind::StorageBuffer | BindingKind::UniformBuffer);
        if class == SC::StorageBuffer && !self.roots.iter().any(|r| (r.0.set, r.0.binding) == (set, binding)) {
            self.roots.push((res, levels > 0));
        }
        flags.non_writable |= kind == BindingKind::UniformBuffer;
        let root = if buffer { Root::Buffer(res) } else { Root::Handle(res) };
        Ok(Ptr { levels, explicit: true, flags, align: self.options.buffer_align, ..plain(root, class, pointee) })
    }

    /// Whether all members of a block are decorated `NonWritable`.
    fn read_only_block(&self, ty: u32) -> R<bool> {
        let Ty::Struct(members) = self.types.get(ty)? else { return Ok(false) };
        Ok(!members.is_empty() && (0u32..).zip(members.iter()).all(|(i, _)| self.deco.member(ty, i).mem.non_writable))
    }

    /// The descriptors used, in order. One binding may stand there as several kinds.
    pub(super) fn sorted_bindings(&self) -> Vec<Binding> {
        let mut out: Vec<Binding> = self.bindings.values().copied().collect();
        out.sort_by_key(|b| (b.set, b.binding, b.kind));
        out
    }

    fn initialise(&mut self, id: u32, init: u32) -> R<()> {
        let ptr = self.globals.get(&id).cloned().ok_or_else(|| Error::invalid("not a variable"))?;
        let (ty, leaves) = if let Some((ty, value)) = self.consts.get(init) {
            let (ty, value) = (*ty, value.clone());
            (ty, self.materialise(ty, &value)?)
        } else {
            let target = self.globals.get(&init).cloned();
            let target = target.ok_or_else(|| Error::invalid(format!("initialiser %{init} is not a constant")))?;
            (self.result_types.get(&init).copied().unwrap_or(0), self.ptr_to_leaves(&target)?)
        };
        if ty != ptr.pointee {
            return Err(Error::invalid("the initialiser has another type"));
        }
        self.store_leaves(&ptr, &leaves, super::memory::Operands::default())
    }
}

/// A pointer to the start of `root`.
pub(super) fn plain(root: Root, class: SC, pointee: u32) -> Ptr {
    Ptr {
        root,
        off: None,
        imm: 0,
        align: 1,
        pointee,
        levels: 0,
        stride: None,
        explicit: false,
        matrix: MatrixLayout::default(),
        flags: MemFlags::default(),
        class,
    }
}
