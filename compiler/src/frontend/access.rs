//! Pointers: access chains, pointers as data, buffers chosen at run time, pointer arithmetic and comparison.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::types::{Ty, UNTYPED};
use super::val::{Leaves, MatrixLayout, Ptr, Root, Val};
use super::vars::plain;
use crate::sir::{Addr, AluOp, BindingKind, Op as Sir, Resource, Type, Value};
use smallvec::{smallvec, SmallVec};
use spirv::{Op, StorageClass as SC};

/// The largest power of two that divides `v`.
fn low_bit(v: i64) -> u32 {
    if v == 0 {
        1 << 30
    } else {
        1 << v.trailing_zeros().min(30)
    }
}

/// Bits of a storage-buffer pointer's code below the element of a descriptor array: number of the root, from 1.
/// Code 0 is the null pointer.
const CODE_ELEMENT_SHIFT: u32 = 32;

/// What a workgroup pointer that is data is more than its offset, so that null is no place in workgroup memory.
const SHARED_BIAS: i64 = 1;

/// An index of an access chain.
pub(super) enum Index {
    Const(i64),
    Dynamic(Value),
}

/// Makes a pointer point to an object of another type at the same place.
pub(super) fn view_as(p: &mut Ptr, ty: u32) {
    if p.pointee != ty {
        p.pointee = ty;
        p.matrix = MatrixLayout::default();
        p.stride = None;
    }
}

impl Ptr {
    /// Notes that the descriptor may differ between invocations.
    pub fn set_non_uniform(&mut self) {
        match &mut self.root {
            Root::Buffer(res) | Root::Handle(res) | Root::Mapped(res, _) => res.non_uniform = true,
            Root::Pair(image, sampler) => {
                image.non_uniform = true;
                sampler.non_uniform = true;
            }
            Root::Heap { non_uniform, .. } => *non_uniform = true,
            Root::Code(_) | Root::Global(_) | Root::Shared | Root::Slot(_) | Root::Push | Root::Input(_) => {}
        }
    }

    /// Known alignment at a constant distance.
    pub fn align_at(&self, off: i64) -> u32 {
        self.align.min(low_bit(self.imm.wrapping_add(off)))
    }

    /// Type of the dynamic offset.
    pub(super) fn offset_type(&self) -> Type {
        match self.root {
            Root::Buffer(_) | Root::Code(_) | Root::Global(_) => Type::I64,
            Root::Shared
            | Root::Slot(_)
            | Root::Push
            | Root::Input(_)
            | Root::Handle(_)
            | Root::Pair(..)
            | Root::Mapped(..)
            | Root::Heap { .. } => Type::I32,
        }
    }
}

impl Translator<'_> {
    /// The pointer an id holds.
    pub(super) fn ptr(&mut self, id: u32) -> R<Ptr> {
        let (ty, val) = self.get(id)?;
        let mut p = match val {
            Val::Ptr(p) => p,
            Val::Flat(leaves) => self.ptr_from_leaves(ty, &leaves)?,
            Val::Opaque(_) | Val::Texel(_) => return Err(Error::invalid(format!("%{id} is not a pointer to memory"))),
        };
        if self.deco.id(id).non_uniform {
            p.set_non_uniform();
        }
        Ok(p)
    }

    /// The pointer an id holds, to an object of a type: what the pointer's own type says, or what the instruction says of an
    /// untyped pointer.
    pub(super) fn ptr_to(&mut self, id: u32, ty: u32) -> R<Ptr> {
        let mut p = self.ptr(id)?;
        if self.is_untyped(id) {
            view_as(&mut p, ty);
        }
        Ok(p)
    }

    /// Whether an id is an untyped pointer.
    pub(super) fn is_untyped(&self, id: u32) -> bool {
        let ty = self.result_types.get(&id).copied().unwrap_or(0);
        self.types.pointer(ty).is_ok_and(|(_, pointee)| pointee == UNTYPED)
    }

    fn ptr_from_leaves(&mut self, ty: u32, leaves: &[Value]) -> R<Ptr> {
        let (class, pointee) = self.types.pointer(ty)?;
        let none = || Error::invalid("not a pointer value");
        let first = *leaves.first().ok_or_else(none)?;
        Ok(match class {
            SC::StorageBuffer => {
                let off = *leaves.get(1).ok_or_else(none)?;
                Ptr { off: Some(off), explicit: true, ..plain(Root::Code(first), class, pointee) }
            }
            SC::PhysicalStorageBuffer => Ptr { explicit: true, ..plain(Root::Global(first), class, pointee) },
            SC::Workgroup => {
                let explicit = self.shared_explicit;
                Ptr { off: Some(first), imm: -SHARED_BIAS, explicit, ..plain(Root::Shared, class, pointee) }
            }
            _ => return Err(Error::unsupported(format!("pointers to {class:?} as data"))),
        })
    }

    /// Scalars of any data value; pointers become data.
    pub(super) fn flatten_val(&mut self, _ty: u32, val: Val) -> R<Leaves> {
        match val {
            Val::Flat(l) => Ok(l),
            Val::Ptr(p) => self.ptr_to_leaves(&p),
            Val::Opaque(_) | Val::Texel(_) => Err(Error::unsupported("images and samplers as data")),
        }
    }

    /// A pointer as data.
    pub(super) fn ptr_to_leaves(&mut self, p: &Ptr) -> R<Leaves> {
        if p.levels > 0 || p.matrix.component_stride != 0 || p.matrix.row_major {
            return Err(Error::unsupported("this pointer as data (descriptor array or row-major matrix)"));
        }
        self.position(p)
    }

    /// Where a pointer points to, whatever the layout there.
    fn position(&mut self, p: &Ptr) -> R<Leaves> {
        match &p.root {
            Root::Buffer(res) if p.class == SC::StorageBuffer => {
                let code = self.buffer_code(*res)?;
                Ok(smallvec![code, self.offset_value(p)])
            }
            Root::Code(code) => Ok(smallvec![*code, self.offset_value(p)]),
            Root::Global(addr) => {
                let imm = self.b.i64(p.imm as u64);
                Ok(smallvec![self.b.alu(AluOp::IAdd, Type::I64, &[*addr, imm])])
            }
            Root::Shared => {
                let biased = Ptr { imm: p.imm.wrapping_add(SHARED_BIAS), ..p.clone() };
                Ok(smallvec![self.offset_value(&biased)])
            }
            _ => Err(Error::unsupported(format!("pointers to {:?} as data", p.class))),
        }
    }

    /// The whole byte offset of a pointer from its root.
    pub(super) fn offset_value(&mut self, p: &Ptr) -> Value {
        let ty = p.offset_type();
        let imm = self.b.konst(ty, p.imm as u64);
        match p.off {
            Some(off) => self.b.alu(AluOp::IAdd, ty, &[off, imm]),
            None => imm,
        }
    }

    /// The number that stands for a storage buffer where a pointer is data.
    fn buffer_code(&mut self, res: Resource) -> R<Value> {
        let root = self.roots.iter().position(|r| (r.0.set, r.0.binding) == (res.set, res.binding));
        let root = root.ok_or_else(|| Error::invalid("not a storage buffer"))? as u64 + 1;
        let number = self.b.i64(root);
        Ok(match res.index {
            None => number,
            Some(index) => {
                let wide = self.b.int_to(index, Type::I64, false);
                let shift = self.b.i32(CODE_ELEMENT_SHIFT);
                let high = self.b.alu(AluOp::Shl, Type::I64, &[wide, shift]);
                self.b.alu(AluOp::Or, Type::I64, &[high, number])
            }
        })
    }

    /// The buffer a code stands for. A code of none of the roots (undefined) gives one of them, null the null buffer.
    fn buffer_of_code(&mut self, code: Value) -> Value {
        let roots = self.roots.clone();
        let Some((&first, rest)) = roots.split_first() else { return self.b.konst(Type::Buf, 0) };
        if rest.is_empty() && !first.1 {
            return self.b.buffer(first.0, true);
        }
        let number = self.b.alu(AluOp::ITrunc, Type::I32, &[code]);
        let mut buf = self.b.konst(Type::Buf, 0);
        for (i, (res, is_array)) in roots.into_iter().enumerate() {
            let this = self.b.i32(i as u32 + 1);
            let is_this = self.b.alu(AluOp::IEq, Type::Bool, &[number, this]);
            let candidate = if is_array {
                // Invocations that mean another root must not read beyond this array.
                let shift = self.b.i32(CODE_ELEMENT_SHIFT);
                let element = self.b.alu(AluOp::UShr, Type::I64, &[code, shift]);
                let element = self.b.alu(AluOp::ITrunc, Type::I32, &[element]);
                let zero = self.b.i32(0);
                let element = self.b.select(is_this, element, zero);
                self.b.buffer(Resource { index: Some(element), non_uniform: true, ..res }, false)
            } else {
                self.b.buffer(res, true)
            };
            buf = self.b.select(is_this, candidate, buf);
        }
        buf
    }

    /// The buffer of a pointer.
    pub(super) fn buffer_of(&mut self, p: &Ptr) -> R<Value> {
        match p.root {
            Root::Buffer(res) => {
                let sized = [BindingKind::StorageBuffer, BindingKind::UniformBuffer]
                    .iter()
                    .any(|&kind| self.bindings.get(&(res.set, res.binding, kind)).is_some_and(|b| b.count != 0));
                Ok(self.b.buffer(res, sized))
            }
            Root::Code(code) => Ok(self.buffer_of_code(code)),
            _ => Err(Error::invalid("not a pointer into a buffer")),
        }
    }

    /// The address `off` bytes behind a pointer.
    pub(super) fn addr(&mut self, p: &Ptr, off: i64) -> R<Addr> {
        if p.levels > 0 {
            return Err(Error::invalid("a descriptor array is accessed as a whole"));
        }
        let imm = p.imm.checked_add(off).ok_or_else(|| Error::limit("the offset is too large"))?;
        match p.root {
            Root::Buffer(_) | Root::Code(_) => Ok(Addr::Buffer { buf: self.buffer_of(p)?, off: p.off, imm }),
            Root::Global(addr) => Ok(Addr::Global { addr, imm }),
            Root::Shared | Root::Slot(_) | Root::Push => {
                let (off, imm) = match u32::try_from(imm) {
                    Ok(imm) => (p.off, imm),
                    Err(_) if imm < 0 && imm >= i64::from(i32::MIN) => {
                        let imm = self.b.konst(Type::I32, imm as u64);
                        let off = p.off.map_or(imm, |o| self.b.alu(AluOp::IAdd, Type::I32, &[o, imm]));
                        (Some(off), 0)
                    }
                    Err(_) => return Err(Error::limit("the offset is too large")),
                };
                Ok(match p.root {
                    Root::Slot(slot) => Addr::Slot { slot, off, imm },
                    Root::Push => Addr::Push { off, imm },
                    _ => Addr::Shared { off, imm },
                })
            }
            Root::Input(_) | Root::Handle(_) | Root::Pair(..) | Root::Mapped(..) | Root::Heap { .. } => {
                Err(Error::invalid("this object has no address"))
            }
        }
    }

    // ---- access chains ----

    /// `OpAccessChain`, `OpPtrAccessChain` and their in-bounds forms.
    pub(super) fn access_chain(&mut self, inst: &Inst<'_>) -> R<()> {
        let untyped = matches!(
            inst.op,
            Op::UntypedAccessChainKHR
                | Op::UntypedInBoundsAccessChainKHR
                | Op::UntypedPtrAccessChainKHR
                | Op::UntypedInBoundsPtrAccessChainKHR
        );
        let mut next = usize::from(untyped);
        let base = inst.word(next)?;
        next += 1;
        let mut p = self.ptr(base)?;
        if untyped {
            if p.levels > 0 && p.pointee != inst.word(0)? {
                return Err(Error::invalid("an array of descriptors is seen as another type"));
            }
            view_as(&mut p, inst.word(0)?);
        } else if self.is_untyped(base) {
            return Err(Error::invalid("the base is an untyped pointer"));
        }
        if matches!(
            inst.op,
            Op::PtrAccessChain
                | Op::InBoundsPtrAccessChain
                | Op::UntypedPtrAccessChainKHR
                | Op::UntypedInBoundsPtrAccessChainKHR
        ) {
            let element = inst.word(next)?;
            next += 1;
            let stride = self.pointer_stride(base, &p)?;
            if p.levels > 0 || matches!(p.root, Root::Handle(_) | Root::Pair(..) | Root::Heap { .. }) {
                return Err(Error::invalid("pointer arithmetic on descriptors"));
            }
            let index = self.index(element)?;
            self.advance(&mut p, index, stride)?;
        }
        for &index in inst.from(next) {
            self.step(&mut p, index)?;
        }
        let (class, pointee) = self.types.pointer(inst.ty)?;
        if class != p.class || (pointee != p.pointee && !(untyped && pointee == UNTYPED)) {
            return Err(Error::invalid("the result type does not fit the indices"));
        }
        if self.deco.id(inst.id).non_uniform {
            p.set_non_uniform();
        }
        self.set(inst, Val::Ptr(p))
    }

    /// `OpRawAccessChainNV`: bytes behind a buffer, whatever its type. Every access is checked component by component, which
    /// serves both kinds of robustness: an element is in or out as a whole.
    pub(super) fn raw_access_chain(&mut self, inst: &Inst<'_>) -> R<()> {
        let mut p = self.ptr(inst.word(0)?)?;
        let (class, pointee) = self.types.pointer(inst.ty)?;
        let buffer = matches!(class, SC::StorageBuffer | SC::PhysicalStorageBuffer | SC::Uniform);
        if !buffer || class != p.class || p.levels > 0 || matches!(p.root, Root::Handle(_)) {
            return Err(Error::invalid("the base is not a pointer into a buffer of the result's storage class"));
        }
        self.types.components(pointee)?;
        let stride = self.const_u32(inst.word(1)?)?;
        for (word, scale) in [(2, stride), (3, 1)] {
            let v = self.scalar(inst.word(word)?)?;
            if self.b.ty(v) != Type::I32 {
                return Err(Error::invalid("index and offset are not integers of 32 bits"));
            }
            let index = match self.b.const_of(v) {
                Some(bits) => Index::Const(bits as i64),
                None => Index::Dynamic(self.b.int_to(v, Type::I64, false)),
            };
            self.advance(&mut p, index, i64::from(scale))?;
        }
        p.pointee = pointee;
        p.stride = None;
        p.matrix = MatrixLayout::default();
        p.flags = p.flags.and(self.deco.id(inst.id).mem);
        if self.deco.id(inst.id).non_uniform {
            if let Root::Buffer(res) = &mut p.root {
                res.non_uniform = true;
            }
        }
        self.set(inst, Val::Ptr(p))
    }

    /// Distance of neighbours in the array a pointer points into.
    fn pointer_stride(&mut self, id: u32, p: &Ptr) -> R<i64> {
        let ty = self.result_types.get(&id).copied().unwrap_or(0);
        match self.deco.id(ty).array_stride {
            Some(s) if p.explicit => Ok(i64::from(s)),
            None if p.explicit => Err(Error::invalid(format!("pointer type %{ty} has no ArrayStride decoration"))),
            _ => Ok(super::types::natural_stride(self.types.info(p.pointee)?) as i64),
        }
    }

    fn index(&mut self, id: u32) -> R<Index> {
        if let Ok(bits) = self.consts.scalar(&self.types, id) {
            let ty = self.consts.get(id).map_or(0, |c| c.0);
            let shift = 64 - self.types.scalar(ty)?.bits();
            return Ok(Index::Const(((bits << shift) as i64) >> shift));
        }
        let v = self.scalar(id)?;
        if !self.b.ty(v).is_int() {
            return Err(Error::invalid(format!("index %{id} is not an integer")));
        }
        Ok(match self.b.const_of(v) {
            Some(bits) => {
                let shift = 64 - self.b.ty(v).bits();
                Index::Const(((bits << shift) as i64) >> shift)
            }
            None => Index::Dynamic(v),
        })
    }

    /// Moves a pointer by `index` times `stride` bytes.
    fn advance(&mut self, p: &mut Ptr, index: Index, stride: i64) -> R<()> {
        let index = match index {
            Index::Const(c) => {
                let by = c.checked_mul(stride).and_then(|by| p.imm.checked_add(by));
                p.imm = by.ok_or_else(|| Error::limit("the offset is too large"))?;
                return Ok(());
            }
            Index::Dynamic(v) => v,
        };
        p.align = p.align.min(low_bit(stride));
        let ty = p.offset_type();
        let index = self.b.int_to(index, ty, true);
        let stride = self.b.konst(ty, stride as u64);
        let by = self.b.alu(AluOp::IMul, ty, &[index, stride]);
        match &mut p.root {
            Root::Global(addr) => *addr = self.b.alu(AluOp::IAdd, ty, &[*addr, by]),
            _ => {
                p.off = Some(match p.off {
                    Some(off) => self.b.alu(AluOp::IAdd, ty, &[off, by]),
                    None => by,
                })
            }
        }
        Ok(())
    }

    /// A pointer `off` bytes further, which is a multiple of `align`.
    pub(super) fn displaced(&mut self, p: &Ptr, off: Value, align: u32) -> Ptr {
        let mut p = p.clone();
        if let Some(bits) = self.b.const_of(off) {
            let shift = 64 - self.b.ty(off).bits();
            p.imm = p.imm.wrapping_add(((bits << shift) as i64) >> shift);
            return p;
        }
        p.align = p.align.min(align);
        let ty = p.offset_type();
        match &mut p.root {
            Root::Global(addr) => *addr = self.b.alu(AluOp::IAdd, ty, &[*addr, off]),
            _ => p.off = Some(p.off.map_or(off, |o| self.b.alu(AluOp::IAdd, ty, &[o, off]))),
        }
        p
    }

    /// Follows one index of an access chain.
    fn step(&mut self, p: &mut Ptr, id: u32) -> R<()> {
        let ty = p.pointee;
        match self.types.get(ty)?.clone() {
            Ty::Array { elem, len } if p.levels > 0 => self.step_descriptor(p, id, elem, len),
            Ty::RuntimeArray { elem } if p.levels > 0 => self.step_descriptor(p, id, elem, 0),
            Ty::Struct(members) => {
                let index = self.const_u32(id)?;
                let member = *members
                    .get(index as usize)
                    .ok_or_else(|| Error::invalid(format!("member {index} is out of range")))?;
                let offset = self.member_offset(ty, index, p.explicit)?;
                p.matrix = self.member_matrix(ty, index, p.explicit);
                p.flags = p.flags.and(self.deco.member(ty, index).mem);
                p.pointee = member;
                p.stride = None;
                self.advance(p, Index::Const(1), offset)
            }
            Ty::Array { elem, len } => {
                let mut index = self.index(id)?;
                let in_memory_of_its_own = !matches!(p.root, Root::Buffer(_) | Root::Code(_) | Root::Global(_));
                if let (Index::Const(c), true) = (&mut index, in_memory_of_its_own) {
                    // Undefined in the source; keep it inside the object.
                    *c = (*c).clamp(0, i64::from(len) - 1);
                }
                let stride = self.array_stride(ty, elem, p.explicit)?;
                p.pointee = elem;
                p.stride = Some(stride);
                self.advance(p, index, stride)
            }
            Ty::RuntimeArray { elem } => {
                let index = self.index(id)?;
                let stride = self.array_stride(ty, elem, p.explicit)?;
                p.pointee = elem;
                p.stride = Some(stride);
                self.advance(p, index, stride)
            }
            Ty::Matrix { col, .. } => {
                let index = self.index(id)?;
                let (columns, components) = self.matrix_strides(ty, p.explicit, p.matrix)?;
                let component_stride = if p.matrix.row_major { components as u32 } else { 0 };
                p.matrix = MatrixLayout { component_stride, ..MatrixLayout::default() };
                p.pointee = col;
                p.stride = Some(columns);
                self.advance(p, index, columns)
            }
            Ty::Vector { elem, .. } => {
                let index = self.index(id)?;
                let stride = match p.matrix.component_stride {
                    0 => super::layout::bytes(self.types.scalar(elem)?),
                    s => i64::from(s),
                };
                p.matrix = MatrixLayout::default();
                p.pointee = elem;
                p.stride = Some(stride);
                self.advance(p, index, stride)
            }
            Ty::CoopMatrix(m) => {
                let mut index = self.index(id)?;
                if let Index::Const(c) = &mut index {
                    // Undefined in the source; keep it inside the object.
                    *c = (*c).clamp(0, i64::from(m.regs()) - 1);
                }
                let stride = super::layout::bytes(self.types.scalar(m.elem)?);
                p.pointee = m.elem;
                p.stride = Some(stride);
                self.advance(p, index, stride)
            }
            _ => Err(Error::invalid(format!("type %{ty} cannot be indexed"))),
        }
    }

    fn step_descriptor(&mut self, p: &mut Ptr, id: u32, elem: u32, len: u32) -> R<()> {
        let index = self.index(id)?;
        let non_uniform = self.deco.id(id).non_uniform;
        p.levels -= 1;
        p.pointee = elem;
        let (Root::Buffer(res) | Root::Handle(res) | Root::Mapped(res, _)) = &mut p.root else {
            return Err(Error::invalid("not a descriptor array"));
        };
        res.non_uniform |= non_uniform;
        let index = match index {
            Index::Const(c) if c < 0 || (len != 0 && c >= i64::from(len)) || c > i64::from(u32::MAX) => {
                return Err(Error::invalid(format!("descriptor index {c} is out of range")));
            }
            Index::Const(0) if res.index.is_none() => {
                return if p.levels == 0 { self.resolve_mapped(p) } else { Ok(()) }
            }
            Index::Const(c) => self.b.i32(c as u32),
            Index::Dynamic(v) => self.b.int_to(v, Type::I32, true),
        };
        res.index = Some(match res.index {
            Some(outer) => {
                let len = self.b.i32(len);
                let base = self.b.alu(AluOp::IMul, Type::I32, &[outer, len]);
                self.b.alu(AluOp::IAdd, Type::I32, &[base, index])
            }
            None => index,
        });
        if p.levels == 0 {
            self.resolve_mapped(p)?;
        }
        Ok(())
    }

    // ---- questions about pointers ----

    /// `OpArrayLength`, `OpUntypedArrayLengthKHR`.
    pub(super) fn array_length(&mut self, inst: &Inst<'_>) -> R<()> {
        let (p, member) = match inst.op {
            Op::UntypedArrayLengthKHR => {
                let mut p = self.ptr(inst.word(1)?)?;
                view_as(&mut p, inst.word(0)?);
                (p, inst.word(2)?)
            }
            _ => (self.ptr(inst.word(0)?)?, inst.word(1)?),
        };
        let array = match self.types.get(p.pointee)? {
            Ty::Struct(members) => members.get(member as usize).copied(),
            _ => None,
        };
        let array = array.ok_or_else(|| Error::invalid("not a member of a structure"))?;
        let Ty::RuntimeArray { elem } = *self.types.get(array)? else {
            return Err(Error::invalid("the member is not a runtime array"));
        };
        if p.levels > 0 {
            return Err(Error::invalid("a descriptor array is accessed as a whole"));
        }
        let stride = self.array_stride(array, elem, p.explicit)?;
        let start = self.member_offset(p.pointee, member, p.explicit)?;
        let buf = self.buffer_of(&p)?;
        let size = self.b.emit(Type::I64, Sir::BufferSize(buf));
        let mut at = p.clone();
        at.imm = at.imm.saturating_add(start);
        let start = self.offset_value(&at);
        let b = &mut self.b;
        let rest = b.alu(AluOp::ISub, Type::I64, &[size, start]);
        let stride = b.i64(stride.max(1) as u64);
        let count = b.alu(AluOp::UDiv, Type::I64, &[rest, stride]);
        let short = b.alu(AluOp::ULt, Type::Bool, &[size, start]);
        let zero = b.i64(0);
        let count = b.select(short, zero, count);
        // 64 bits with 64-bit indexing only.
        let ty = self.types.scalar(inst.ty)?;
        if !matches!(ty, Type::I32 | Type::I64) {
            return Err(Error::invalid("the result is not an integer of 32 or 64 bits"));
        }
        let count = self.b.int_to(count, ty, false);
        self.set_leaves(inst, smallvec![count])
    }

    /// `OpPtrEqual`, `OpPtrNotEqual`.
    pub(super) fn ptr_equal(&mut self, inst: &Inst<'_>) -> R<()> {
        let (a, b) = (self.ptr(inst.word(0)?)?, self.ptr(inst.word(1)?)?);
        let (a, b) = (self.position(&a)?, self.position(&b)?);
        if a.len() != b.len() {
            return Err(Error::invalid("pointers of different storage classes"));
        }
        let mut equal = self.b.konst(Type::Bool, 1);
        for (i, (&x, &y)) in a.iter().zip(&b).enumerate() {
            let same = self.b.alu(AluOp::IEq, Type::Bool, &[x, y]);
            equal = if i == 0 { same } else { self.b.alu(AluOp::And, Type::Bool, &[equal, same]) };
        }
        if inst.op == Op::PtrNotEqual {
            equal = self.b.alu(AluOp::Not, Type::Bool, &[equal]);
        }
        self.set_leaves(inst, smallvec![equal])
    }

    /// Distance of neighbours in the array that both pointers point into. `OpPtrDiff`, unlike `OpPtrAccessChain`, does not
    /// ask for `ArrayStride` on the pointer type: what is left is the stride of the array itself where one of the pointers
    /// was just indexed out of it, and otherwise that of elements without gaps.
    fn element_stride(&mut self, first: u32, second: u32, a: &Ptr, b: &Ptr) -> R<i64> {
        // Untyped pointers point into an array of bytes.
        if self.is_untyped(first) {
            return Ok(1);
        }
        if let Some(stride) = a.stride.or(b.stride) {
            return Ok(stride);
        }
        for (id, p) in [(first, a), (second, b)] {
            let ty = self.result_types.get(&id).copied().unwrap_or(0);
            if let (Some(stride), true) = (self.deco.id(ty).array_stride, p.explicit) {
                return Ok(i64::from(stride));
            }
        }
        match a.explicit {
            true => Ok(self.explicit_size(a.pointee, a.matrix)? as i64),
            false => Ok(super::types::natural_stride(self.types.info(a.pointee)?) as i64),
        }
    }

    /// `OpPtrDiff`.
    pub(super) fn ptr_diff(&mut self, inst: &Inst<'_>) -> R<()> {
        let (first, second) = (inst.word(0)?, inst.word(1)?);
        let (a, b) = (self.ptr(first)?, self.ptr(second)?);
        let stride = self.element_stride(first, second, &a, &b)?;
        let (a, b) = (self.position(&a)?, self.position(&b)?);
        let (Some(&a), Some(&b)) = (a.last(), b.last()) else {
            return Err(Error::invalid("not pointers"));
        };
        let ty = self.b.ty(a);
        let bytes = self.b.alu(AluOp::ISub, ty, &[a, b]);
        let stride = self.b.konst(ty, stride.max(1) as u64);
        let elements = self.b.alu(AluOp::SDiv, ty, &[bytes, stride]);
        let out = self.types.scalar(inst.ty)?;
        if !out.is_int() {
            return Err(Error::invalid("the result is not an integer"));
        }
        let elements = self.b.int_to(elements, out, true);
        self.set_leaves(inst, smallvec![elements])
    }

    /// `OpConvertPtrToU`, `OpConvertUToPtr` and `OpBitcast` from or to pointers: by way of the address.
    pub(super) fn convert_pointer(&mut self, inst: &Inst<'_>) -> R<()> {
        let (from, val) = self.get(inst.word(0)?)?;
        // Between pointers of one storage class the place stays what it is.
        if let (Ok((a, _)), Ok((b, pointee))) = (self.types.pointer(from), self.types.pointer(inst.ty)) {
            if a == b && inst.op == Op::Bitcast {
                let mut p = self.ptr(inst.word(0)?)?;
                view_as(&mut p, pointee);
                return self.set(inst, Val::Ptr(p));
            }
        }
        let source: SmallVec<[Value; 4]> = match val {
            Val::Ptr(p) if !matches!(p.root, Root::Global(_)) => {
                return Err(Error::unsupported(format!("the address of a {:?} pointer", p.class)));
            }
            other => self.flatten_val(from, other)?,
        };
        let physical = |t: &Self, ty: u32| match t.types.pointer(ty) {
            Ok((SC::PhysicalStorageBuffer, _)) => Ok(true),
            Ok((class, _)) => Err(Error::unsupported(format!("the address of a {class:?} pointer"))),
            Err(_) => Ok(false),
        };
        let (from_ptr, to_ptr) = (physical(self, from)?, physical(self, inst.ty)?);
        let widen = inst.op != Op::Bitcast;
        let address = match (&source[..], from_ptr) {
            (&[v], false) if widen && self.b.ty(v).is_int() => smallvec![self.b.int_to(v, Type::I64, false)],
            _ => source,
        };
        let types = if to_ptr { vec![Type::I64] } else { self.types.flatten(inst.ty)?.to_vec() };
        let out = match (&types[..], &address[..]) {
            (&[to], &[v]) if widen && to.is_int() => smallvec![self.b.int_to(v, to, false)],
            _ => self.repack(&address, &types)?,
        };
        self.set_leaves(inst, out)
    }
}
