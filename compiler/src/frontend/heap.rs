//! Descriptor heaps (SPV_EXT_descriptor_heap), and the mapping of sets and bindings to them.
//!
//! A heap is memory in which descriptors stand at byte offsets. To the kernel it is a descriptor set whose bindings are arrays with a
//! stride of one byte: see [`binding`] for the numbers.

use super::decor::MemFlags;
use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::types::Ty;
use super::val::{Ptr, Root, TexelPtr, Val};
use super::vars::plain;
use crate::sir::{Access, Addr, AluOp, Binding, BindingKind, ImageDim, Op as Sir, Resource, Type, Value};
use spirv::StorageClass as SC;
use std::rc::Rc;

/// Set number that stands for the resource heap.
pub const RESOURCE_SET: u32 = 0;

/// Set number that stands for the sampler heap.
pub const SAMPLER_SET: u32 = 1;

/// Set number that stands for the samplers embedded in the mappings: binding 0, one element per sampler.
pub const EMBEDDED_SET: u32 = 2;

/// Binding of [`RESOURCE_SET`] whose elements are not descriptors but the data of uniform buffers themselves.
pub const DATA_BINDING: u32 = 16;

/// Binding of the heap's set that holds descriptors of a kind. All bindings of a set show the same memory.
pub const fn binding(kind: BindingKind) -> u32 {
    match kind {
        BindingKind::UniformBuffer => 0,
        BindingKind::StorageBuffer => 1,
        BindingKind::StorageImage => 2,
        BindingKind::SampledImage => 3,
        BindingKind::Sampler => 4,
        BindingKind::CombinedImageSampler => 5,
        BindingKind::UniformTexelBuffer => 6,
        BindingKind::StorageTexelBuffer => 7,
    }
}

/// Bytes of a descriptor in a heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DescriptorBytes {
    /// Uniform and storage buffers.
    pub buffer: u32,
    /// Images and texel buffers.
    pub image: u32,
    /// Samplers.
    pub sampler: u32,
}

/// Resource types as a mapping names them (VkSpirvResourceTypeFlagBitsEXT).
mod mask {
    pub const SAMPLER: u32 = 1;
    pub const SAMPLED_IMAGE: u32 = 2;
    pub const READ_ONLY_IMAGE: u32 = 4;
    pub const READ_WRITE_IMAGE: u32 = 8;
    pub const COMBINED: u32 = 16;
    pub const UNIFORM_BUFFER: u32 = 32;
    pub const READ_ONLY_STORAGE_BUFFER: u32 = 64;
    pub const READ_WRITE_STORAGE_BUFFER: u32 = 128;
}

/// Where a descriptor's index in a heap comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeapIndex {
    /// There is none.
    None,
    /// A 32-bit word of push data at this offset.
    Push(u32),
    /// A 32-bit word `offset` bytes behind the address that stands in push data at `push`.
    Indirect {
        /// Offset of the address in push data.
        push: u32,
        /// Bytes behind the address.
        offset: u32,
    },
    /// As `Indirect`, one word per element of the array.
    IndirectArray {
        /// Offset of the address in push data.
        push: u32,
        /// Bytes behind the address.
        offset: u32,
    },
}

/// Place of a descriptor in a heap: `offset + index · index_stride + element · array_stride`, where the element counts
/// bindings from the first of the mapping and the elements of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapPlace {
    /// Constant byte offset.
    pub offset: u32,
    /// Bytes per index.
    pub index_stride: u32,
    /// Bytes per element.
    pub array_stride: u32,
    /// The index.
    pub index: HeapIndex,
}

/// The sampler of a mapped sampler or combined image sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MappedSampler {
    /// In the sampler heap.
    Heap(HeapPlace),
    /// In the sampler heap; the image's index word holds its index in the upper 12 bits, and the image's in the lower 20.
    Packed(HeapPlace),
    /// Embedded: element of [`EMBEDDED_SET`].
    Embedded(u32),
}

/// What backs a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MappingSource {
    /// A descriptor in a heap; for combined image samplers with this sampler. A sampler is at `place` in the sampler heap unless it is
    /// embedded.
    Heap {
        /// Place of the descriptor.
        place: HeapPlace,
        /// The sampler.
        sampler: MappedSampler,
    },
    /// Data of a uniform buffer in the resource heap, at a constant offset plus a word of push data.
    HeapData {
        /// Constant byte offset.
        offset: u32,
        /// Offset of the word in push data.
        push: u32,
    },
    /// Data of a uniform buffer in push data at this offset.
    PushData(u32),
    /// Data at the address in push data at this offset.
    PushAddress(u32),
    /// Data at the address that stands `offset` bytes behind the address in push data at `push`.
    IndirectAddress {
        /// Offset of the first address in push data.
        push: u32,
        /// Bytes behind it.
        offset: u32,
    },
    /// Something a compute kernel does not have (shader records).
    Unsupported,
}

/// Says what backs some bindings of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Set number.
    pub set: u32,
    /// First binding.
    pub first_binding: u32,
    /// Number of bindings.
    pub binding_count: u32,
    /// Resource types it is for, VkSpirvResourceTypeFlagBitsEXT.
    pub resource_mask: u32,
    /// What backs them.
    pub source: MappingSource,
}

/// Lets a kernel use descriptor heaps.
#[derive(Clone, Copy, Debug)]
pub struct HeapOptions<'a> {
    /// What backs the bindings of sets.
    pub mappings: &'a [Mapping],
    /// Sizes of descriptors.
    pub bytes: DescriptorBytes,
}

/// How a variable's elements are found in the heaps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mapped {
    kind: BindingKind,
    place: HeapPlace,
    sampler: MappedSampler,
    /// Bindings from the first of the mapping.
    first: u32,
}

fn resource_bit(kind: BindingKind, non_writable: bool) -> u32 {
    match kind {
        BindingKind::UniformBuffer => mask::UNIFORM_BUFFER,
        BindingKind::StorageBuffer if non_writable => mask::READ_ONLY_STORAGE_BUFFER,
        BindingKind::StorageBuffer => mask::READ_WRITE_STORAGE_BUFFER,
        BindingKind::StorageImage | BindingKind::StorageTexelBuffer if non_writable => mask::READ_ONLY_IMAGE,
        BindingKind::StorageImage | BindingKind::StorageTexelBuffer => mask::READ_WRITE_IMAGE,
        BindingKind::SampledImage | BindingKind::UniformTexelBuffer => mask::SAMPLED_IMAGE,
        BindingKind::Sampler => mask::SAMPLER,
        BindingKind::CombinedImageSampler => mask::COMBINED,
    }
}

/// Reads of what the application keeps constant while the kernel runs.
const CONSTANT: Access =
    Access { align: 4, volatile: false, coherent: false, non_writable: true, restrict: true, atomic: false };

impl Translator<'_> {
    /// The pointer of a variable with set and binding, as its mapping says. `levels`: array levels of descriptors.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn mapped_variable(
        &mut self,
        heap: &super::HeapOptions<'_>,
        (set, number): (u32, u32),
        kind: BindingKind,
        class: SC,
        pointee: u32,
        levels: u32,
        flags: MemFlags,
        non_uniform: bool,
    ) -> R<Ptr> {
        let bit = resource_bit(kind, flags.non_writable && kind != BindingKind::UniformBuffer);
        let found = heap.mappings.iter().find(|m| {
            let inside = number.checked_sub(m.first_binding).is_some_and(|n| n < m.binding_count);
            m.set == set && inside && m.resource_mask & bit != 0
        });
        let mapping =
            *found.ok_or_else(|| Error::invalid(format!("no descriptor mapping for set {set} binding {number}")))?;
        let buffer = matches!(kind, BindingKind::StorageBuffer | BindingKind::UniformBuffer);
        let data = |root: Root, align: u32| -> R<Ptr> {
            if !buffer || levels > 0 {
                return Err(Error::unsupported("data mapped to something that is not one buffer"));
            }
            Ok(Ptr { explicit: true, flags, align, ..plain(root, class, pointee) })
        };
        match mapping.source {
            MappingSource::Heap { place, sampler } => {
                let mapped = Mapped { kind, place, sampler, first: number - mapping.first_binding };
                // Until it is indexed the variable is known by its own numbers.
                let res = Resource { set, binding: number, index: None, non_uniform };
                let root = Root::Mapped(res, Rc::new(mapped));
                let align = self.options.buffer_align;
                let mut p = Ptr { levels, explicit: true, flags, align, ..plain(root, class, pointee) };
                if levels == 0 {
                    self.resolve_mapped(&mut p)?;
                }
                Ok(p)
            }
            MappingSource::HeapData { offset, push } => {
                let word = self.push_word(push, Type::I32);
                let constant = self.b.i32(offset);
                let at = self.b.alu(AluOp::IAdd, Type::I32, &[word, constant]);
                let kind = BindingKind::UniformBuffer;
                let res = Resource { set: RESOURCE_SET, binding: DATA_BINDING, index: Some(at), non_uniform: false };
                self.declare_heap_binding(res, kind);
                data(Root::Buffer(res), 4)
            }
            MappingSource::PushData(offset) => {
                let end =
                    offset.saturating_add(self.explicit_size(pointee, super::val::MatrixLayout::default())? as u32);
                self.b.kernel.push_size = self.b.kernel.push_size.max(end);
                Ok(Ptr { imm: i64::from(offset), ..data(Root::Push, 4)? })
            }
            MappingSource::PushAddress(offset) => {
                let address = self.push_word(offset, Type::I64);
                data(Root::Global(address), self.options.buffer_align)
            }
            MappingSource::IndirectAddress { push, offset } => {
                let first = self.push_word(push, Type::I64);
                let addr = Addr::Global { addr: first, imm: i64::from(offset) };
                let access = Access { align: 8, ..CONSTANT };
                let address = self.b.emit(Type::I64, Sir::Load { addr, access });
                data(Root::Global(address), self.options.buffer_align)
            }
            MappingSource::Unsupported => Err(Error::unsupported("descriptor mappings with shader records")),
        }
    }

    /// A word of push data.
    fn push_word(&mut self, offset: u32, ty: Type) -> Value {
        let end = offset.saturating_add(ty.bytes());
        self.b.kernel.push_size = self.b.kernel.push_size.max(end);
        let access = Access { align: ty.bytes(), ..CONSTANT };
        self.b.emit(ty, Sir::Load { addr: Addr::Push { off: None, imm: offset }, access })
    }

    /// Declares a binding of a heap.
    pub(super) fn declare_heap_binding(&mut self, res: Resource, kind: BindingKind) {
        let (set, binding) = (res.set, res.binding);
        self.bindings.entry((set, binding, kind)).or_insert(Binding { set, binding, kind, count: 0, written: false });
        let root = Resource { index: None, non_uniform: false, ..res };
        if kind == BindingKind::StorageBuffer && !self.roots.iter().any(|r| (r.0.set, r.0.binding) == (set, binding)) {
            self.roots.push((root, true));
        }
    }

    /// The descriptor of a kind at a byte offset of a heap.
    fn heap_resource(&mut self, kind: BindingKind, at: Value, non_uniform: bool) -> Resource {
        let set = if kind == BindingKind::Sampler { SAMPLER_SET } else { RESOURCE_SET };
        let res = Resource { set, binding: binding(kind), index: Some(at), non_uniform };
        self.declare_heap_binding(res, kind);
        res
    }

    /// Index word of a place, of a mapped element.
    fn heap_index(&mut self, index: HeapIndex, element: Value) -> Option<Value> {
        let word = |t: &mut Self, push: u32, offset: u32, element: Option<Value>| {
            let base = t.push_word(push, Type::I64);
            let addr = match element {
                None => base,
                Some(e) => {
                    let wide = t.b.int_to(e, Type::I64, false);
                    let four = t.b.i64(4);
                    let by = t.b.alu(AluOp::IMul, Type::I64, &[wide, four]);
                    t.b.alu(AluOp::IAdd, Type::I64, &[base, by])
                }
            };
            let addr = Addr::Global { addr, imm: i64::from(offset) };
            t.b.emit(Type::I32, Sir::Load { addr, access: CONSTANT })
        };
        match index {
            HeapIndex::None => None,
            HeapIndex::Push(offset) => Some(self.push_word(offset, Type::I32)),
            HeapIndex::Indirect { push, offset } => Some(word(self, push, offset, None)),
            HeapIndex::IndirectArray { push, offset } => Some(word(self, push, offset, Some(element))),
        }
    }

    /// Byte offset of a place; `index` is its index word, unpacked.
    fn heap_offset(&mut self, place: &HeapPlace, index: Option<Value>, element: Value) -> Value {
        let mut at = self.b.i32(place.offset);
        let terms = [(index, place.index_stride), (Some(element), place.array_stride)];
        for (value, stride) in terms.into_iter().filter_map(|(v, s)| Some((v?, s))) {
            let stride = self.b.i32(stride);
            let by = self.b.alu(AluOp::IMul, Type::I32, &[value, stride]);
            at = self.b.alu(AluOp::IAdd, Type::I32, &[at, by]);
        }
        at
    }

    /// Turns a fully indexed mapped variable into what it is in the heaps.
    pub(super) fn resolve_mapped(&mut self, p: &mut Ptr) -> R<()> {
        let Root::Mapped(res, mapped) = &p.root else { return Ok(()) };
        let (res, mapped) = (*res, **mapped);
        let first = self.b.i32(mapped.first);
        let element = match res.index {
            Some(i) => self.b.alu(AluOp::IAdd, Type::I32, &[i, first]),
            None => first,
        };
        let embedded = |t: &mut Self, n: u32| {
            let index = (n != 0).then(|| t.b.i32(n));
            let res = Resource { set: EMBEDDED_SET, binding: 0, index, non_uniform: false };
            t.declare_heap_binding(res, BindingKind::Sampler);
            res
        };
        if let (BindingKind::Sampler, MappedSampler::Embedded(n)) = (mapped.kind, mapped.sampler) {
            p.root = Root::Handle(embedded(self, n));
            return Ok(());
        }
        let mut index = self.heap_index(mapped.place.index, element);
        let combined = mapped.kind == BindingKind::CombinedImageSampler;
        let sampler = match mapped.sampler {
            _ if !combined => None,
            MappedSampler::Embedded(n) => Some(embedded(self, n)),
            MappedSampler::Heap(place) => {
                let index = self.heap_index(place.index, element);
                let at = self.heap_offset(&place, index, element);
                Some(self.heap_resource(BindingKind::Sampler, at, res.non_uniform))
            }
            MappedSampler::Packed(place) => {
                let upper = index.map(|i| {
                    let shift = self.b.i32(20);
                    self.b.alu(AluOp::UShr, Type::I32, &[i, shift])
                });
                let at = self.heap_offset(&place, upper, element);
                Some(self.heap_resource(BindingKind::Sampler, at, res.non_uniform))
            }
        };
        if let (true, MappedSampler::Packed(_), Some(i)) = (combined, mapped.sampler, index) {
            let low = self.b.i32(0xf_ffff);
            index = Some(self.b.alu(AluOp::And, Type::I32, &[i, low]));
        }
        let at = self.heap_offset(&mapped.place, index, element);
        let kind = if combined { BindingKind::SampledImage } else { mapped.kind };
        let found = self.heap_resource(kind, at, res.non_uniform);
        p.root = match (kind, sampler) {
            (BindingKind::StorageBuffer | BindingKind::UniformBuffer, _) => Root::Buffer(found),
            (_, Some(sampler)) => Root::Pair(found, sampler),
            (_, None) => Root::Handle(found),
        };
        Ok(())
    }

    /// The pointer of a heap variable, if the variable is one.
    pub(super) fn heap_variable(&mut self, inst: &Inst<'_>, class: SC) -> R<Option<Ptr>> {
        let sampler = match self.deco.id(inst.id).builtin.and_then(spirv::BuiltIn::from_u32) {
            Some(spirv::BuiltIn::SamplerHeapEXT) => true,
            Some(spirv::BuiltIn::ResourceHeapEXT) => false,
            _ => return Ok(None),
        };
        if self.options.heap.is_none() {
            return Err(Error::invalid("the pipeline has no descriptor heaps"));
        }
        if !sampler {
            let kind = BindingKind::StorageBuffer;
            let res = Resource { set: RESOURCE_SET, binding: binding(kind), index: None, non_uniform: false };
            self.declare_heap_binding(res, kind);
        }
        Ok(Some(Ptr { explicit: true, align: 1, ..plain(Root::Heap { sampler, non_uniform: false }, class, 0) }))
    }

    /// The descriptor a pointer into a heap points to.
    fn heap_pointer(&mut self, p: &Ptr, kind: BindingKind, non_uniform: bool) -> R<Resource> {
        let Root::Heap { sampler, non_uniform: chain } = p.root else {
            return Err(Error::invalid("not a pointer into a descriptor heap"));
        };
        if sampler != (kind == BindingKind::Sampler) {
            return Err(Error::invalid("the descriptor is not one of this heap's"));
        }
        let at = self.offset_value(p);
        Ok(self.heap_resource(kind, at, non_uniform || chain || p.off.is_some()))
    }

    /// Loads an image or sampler out of a heap.
    pub(super) fn load_heap(&mut self, p: &Ptr, ty: u32, non_uniform: bool) -> R<super::val::Opaque> {
        use super::val::Opaque;
        match self.types.get(ty)?.clone() {
            Ty::Image(image) => {
                let kind = image_kind(image.dim, image.storage);
                let res = self.heap_pointer(p, kind, non_uniform)?;
                Ok(Opaque { image: Some((res, image)), sampler: None, combined: false })
            }
            Ty::Sampler => {
                let res = self.heap_pointer(p, BindingKind::Sampler, non_uniform)?;
                Ok(Opaque { image: None, sampler: Some(res), combined: false })
            }
            _ => Err(Error::invalid("not an image or sampler")),
        }
    }

    /// `OpBufferPointerEXT`.
    pub(super) fn buffer_pointer(&mut self, inst: &Inst<'_>) -> R<()> {
        let p = self.ptr(inst.word(0)?)?;
        let (class, pointee) = self.types.pointer(inst.ty)?;
        let d = self.deco.id(inst.id);
        let kind = match class {
            SC::StorageBuffer => BindingKind::StorageBuffer,
            SC::Uniform => BindingKind::UniformBuffer,
            _ => return Err(Error::invalid("buffers are in Uniform or StorageBuffer memory")),
        };
        let res = self.heap_pointer(&p, kind, d.non_uniform)?;
        let mut flags = d.mem.and(p.flags);
        flags.non_writable |= kind == BindingKind::UniformBuffer;
        let align = self.options.buffer_align;
        self.set(inst, Val::Ptr(Ptr { explicit: true, flags, align, ..plain(Root::Buffer(res), class, pointee) }))
    }

    /// `OpUntypedImageTexelPointerEXT`.
    pub(super) fn untyped_texel_pointer(&mut self, inst: &Inst<'_>) -> R<()> {
        let Ty::Image(ty) = self.types.get(inst.word(0)?)?.clone() else {
            return Err(Error::invalid("not an image type"));
        };
        let p = self.ptr(inst.word(1)?)?;
        let non_uniform = self.deco.id(inst.id).non_uniform;
        let res = match p.root {
            Root::Heap { .. } => self.heap_pointer(&p, image_kind(ty.dim, ty.storage), non_uniform)?,
            Root::Handle(res) => Resource { non_uniform: res.non_uniform || non_uniform, ..res },
            _ => return Err(Error::invalid("not a pointer to an image")),
        };
        let mut coords = self.texel_coords(inst.word(2)?, &ty)?;
        if ty.ms {
            coords.sample = Some(self.int32(inst.word(3)?)?);
        }
        let pointee = ty.sampled_type;
        self.set(inst, Val::Texel(Rc::new(TexelPtr { res, ty, coords, pointee })))
    }

    /// `OpConstantSizeOfEXT`: bytes of a descriptor in a heap.
    pub(super) fn descriptor_bytes(&self, ty: u32) -> R<u32> {
        let heap = self.options.heap.ok_or_else(|| Error::invalid("the pipeline has no descriptor heaps"))?;
        match self.types.get(ty)? {
            Ty::Buffer => Ok(heap.bytes.buffer),
            Ty::Image(_) => Ok(heap.bytes.image),
            Ty::Sampler => Ok(heap.bytes.sampler),
            _ => Err(Error::invalid(format!("%{ty} is not the type of a descriptor"))),
        }
    }
}

/// Kind of descriptor that an image type reads.
pub(super) fn image_kind(dim: ImageDim, storage: bool) -> BindingKind {
    match (dim, storage) {
        (ImageDim::Buffer, true) => BindingKind::StorageTexelBuffer,
        (ImageDim::Buffer, false) => BindingKind::UniformTexelBuffer,
        (_, true) => BindingKind::StorageImage,
        (_, false) => BindingKind::SampledImage,
    }
}
