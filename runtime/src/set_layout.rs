//! Descriptor-set layouts: where each descriptor stands in set memory.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::sampler::Sampler;
use ash::vk;
use smallvec::SmallVec;
use std::sync::Arc;

/// Most bytes of one set's memory.
const MAX_SET_BYTES: u64 = 1 << 30;

/// A binding as the application gives it.
#[derive(Clone, Debug)]
pub struct LayoutBinding {
    /// Binding number.
    pub binding: u32,
    /// Descriptor type.
    pub ty: vk::DescriptorType,
    /// Number of descriptors; for inline uniform blocks the number of bytes.
    pub count: u32,
    /// Stages that see it.
    pub stages: vk::ShaderStageFlags,
    /// Flags.
    pub flags: vk::DescriptorBindingFlags,
    /// Immutable samplers, one per descriptor, or empty.
    pub immutable_samplers: Vec<Arc<Sampler>>,
    /// For MUTABLE descriptors: the types they can become.
    pub mutable_types: Vec<vk::DescriptorType>,
}

/// A binding with its place.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub number: u32,
    pub ty: vk::DescriptorType,
    /// Descriptors, or bytes of an inline uniform block.
    pub count: u32,
    pub flags: vk::DescriptorBindingFlags,
    pub immutable: Vec<Arc<Sampler>>,
    /// First byte in set memory.
    pub offset: u32,
    /// From one descriptor to the next; 1 for inline uniform blocks, 0 for dynamic buffers.
    pub stride: u32,
    /// Bytes of one descriptor as the GPU writes it.
    pub size: u32,
    /// Index of the first descriptor in the set's list of dynamic buffers.
    pub dynamic: Option<u32>,
    /// How many descriptors from the first one on are those of buffers and an address and a size each, `stride` apart: those of
    /// following bindings too, but none of a binding with a variable count.
    pub words: u32,
}

impl Binding {
    pub fn is_inline(&self) -> bool {
        self.ty == vk::DescriptorType::INLINE_UNIFORM_BLOCK
    }

    pub fn is_mutable(&self) -> bool {
        self.ty == vk::DescriptorType::MUTABLE_EXT
    }

    /// Stride and size of a binding's descriptors; `None` if the GPU does not have them.
    fn place(gpu: &dyn Gpu, b: &LayoutBinding) -> Option<(u32, u32)> {
        if b.ty == vk::DescriptorType::MUTABLE_EXT {
            // One that can become nothing is a place that is never written.
            let size = mutable_size(gpu, &b.mutable_types)?;
            return Some((size.checked_next_multiple_of(gpu.props().descriptor_align.max(1))?, size));
        }
        let stride = stride(gpu, b.ty)?;
        Some((stride, if stride > 1 { gpu.descriptor_size(b.ty) } else { 0 }))
    }
}

/// Answer of vkGetDescriptorSetLayoutSupport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutSupport {
    /// Whether the layout can be made.
    pub supported: bool,
    /// Most descriptors of the binding with a variable count; 0 if there is none.
    pub max_variable_count: u32,
}

/// A VkDescriptorSetLayout.
#[derive(Debug)]
pub struct DescriptorSetLayout {
    pub(crate) flags: vk::DescriptorSetLayoutCreateFlags,
    /// Sorted by number.
    pub(crate) bindings: Vec<Binding>,
    /// Bytes with all variable counts at their upper bound.
    pub(crate) size: u32,
    /// Dynamic buffers.
    pub(crate) dynamic_count: u32,
    pub(crate) align: u32,
}

/// Whether descriptors of the type stand in the command, not in set memory.
pub(crate) fn is_dynamic(ty: vk::DescriptorType) -> bool {
    ty == vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC || ty == vk::DescriptorType::STORAGE_BUFFER_DYNAMIC
}

/// Types a MUTABLE descriptor can be made of.
const MUTABLE_TYPES: [vk::DescriptorType; 9] = [
    vk::DescriptorType::SAMPLER,
    vk::DescriptorType::COMBINED_IMAGE_SAMPLER,
    vk::DescriptorType::SAMPLED_IMAGE,
    vk::DescriptorType::STORAGE_IMAGE,
    vk::DescriptorType::UNIFORM_TEXEL_BUFFER,
    vk::DescriptorType::STORAGE_TEXEL_BUFFER,
    vk::DescriptorType::UNIFORM_BUFFER,
    vk::DescriptorType::STORAGE_BUFFER,
    vk::DescriptorType::INPUT_ATTACHMENT,
];

/// Bytes of a MUTABLE descriptor that can become any of the types: those of the largest. `None` if one of the types cannot be.
fn mutable_size(gpu: &dyn Gpu, types: &[vk::DescriptorType]) -> Option<u32> {
    types.iter().try_fold(0, |size, ty| match gpu.descriptor_size(*ty) {
        0 => None,
        bytes => MUTABLE_TYPES.contains(ty).then_some(bytes.max(size)),
    })
}

/// Bytes from one MUTABLE descriptor to the next; an empty list stands for every type there is.
pub(crate) fn mutable_stride(gpu: &dyn Gpu, types: &[vk::DescriptorType]) -> Option<u32> {
    let size = match types {
        [] => MUTABLE_TYPES.iter().map(|ty| gpu.descriptor_size(*ty)).max()?,
        _ => mutable_size(gpu, types)?,
    };
    size.checked_next_multiple_of(gpu.props().descriptor_align.max(1))
}

/// Bytes from one descriptor of a type to the next in set memory. `None` if the GPU has no such descriptor.
pub(crate) fn stride(gpu: &dyn Gpu, ty: vk::DescriptorType) -> Option<u32> {
    if is_dynamic(ty) {
        return Some(0);
    }
    if ty == vk::DescriptorType::INLINE_UNIFORM_BLOCK {
        return Some(1);
    }
    let size = gpu.descriptor_size(ty);
    if size == 0 {
        return None;
    }
    size.checked_next_multiple_of(gpu.props().descriptor_align.max(1))
}

/// Fills in [`Binding::words`].
fn count_words(bindings: &mut [Binding]) {
    let mut next: Option<(u32, vk::DescriptorType, u32, u32)> = None;
    for b in bindings.iter_mut().rev() {
        let plain = matches!(b.ty, vk::DescriptorType::UNIFORM_BUFFER | vk::DescriptorType::STORAGE_BUFFER)
            && b.size == 16
            && !b.flags.contains(vk::DescriptorBindingFlags::VARIABLE_DESCRIPTOR_COUNT);
        if !plain {
            next = None;
            continue;
        }
        let end = b.offset.wrapping_add(b.stride.wrapping_mul(b.count));
        let behind = next.filter(|&(offset, ty, stride, _)| (offset, ty, stride) == (end, b.ty, b.stride));
        b.words = b.count.saturating_add(behind.map_or(0, |(.., words)| words));
        next = Some((b.offset, b.ty, b.stride, b.words));
    }
}

impl DescriptorSetLayout {
    /// Makes a layout.
    ///
    /// # Errors
    /// [`Error::FeatureNotPresent`] for a descriptor type the GPU does not have; [`Error::OutOfHostMemory`] if a set would be too large.
    pub fn new(
        device: &Arc<Device>,
        flags: vk::DescriptorSetLayoutCreateFlags,
        bindings: &[LayoutBinding],
    ) -> Result<Arc<DescriptorSetLayout>> {
        Ok(Arc::new(DescriptorSetLayout::build(&**device.gpu(), flags, bindings)?))
    }

    pub(crate) fn build(
        gpu: &dyn Gpu,
        flags: vk::DescriptorSetLayoutCreateFlags,
        bindings: &[LayoutBinding],
    ) -> Result<DescriptorSetLayout> {
        let align = gpu.props().descriptor_align.max(1);
        let mut sorted: Vec<&LayoutBinding> = Vec::new();
        sorted.try_reserve(bindings.len())?;
        sorted.extend(bindings);
        sorted.sort_by_key(|b| b.binding);
        let mut out = Vec::new();
        out.try_reserve(sorted.len())?;
        let mut at = 0u64;
        let mut dynamic_count = 0u32;
        for b in sorted {
            let (stride, size) = match Binding::place(gpu, b) {
                Some(place) => place,
                // A binding without descriptors reserves its number whatever its type.
                None if b.count == 0 => (0, 0),
                None => return Err(Error::FeatureNotPresent("descriptor type")),
            };
            let dynamic = is_dynamic(b.ty).then_some(dynamic_count);
            if dynamic.is_some() {
                dynamic_count = dynamic_count.checked_add(b.count).ok_or(Error::OutOfHostMemory)?;
            }
            let offset = at.next_multiple_of(u64::from(align));
            at = offset + u64::from(stride) * u64::from(b.count);
            if at > MAX_SET_BYTES {
                return Err(Error::OutOfHostMemory);
            }
            out.push(Binding {
                number: b.binding,
                ty: b.ty,
                count: b.count,
                flags: b.flags,
                immutable: b.immutable_samplers.clone(),
                offset: u32::try_from(offset).map_err(|_| Error::OutOfHostMemory)?,
                stride,
                size,
                dynamic,
                words: 0,
            });
        }
        if gpu.props().buffer_descriptors_are_words {
            count_words(&mut out);
        }
        let size = u32::try_from(at.next_multiple_of(u64::from(align))).map_err(|_| Error::OutOfHostMemory)?;
        Ok(DescriptorSetLayout { flags, bindings: out, size, dynamic_count, align })
    }

    /// Whether a layout can be made, and how far a variable count may go.
    pub fn support(
        device: &Device,
        flags: vk::DescriptorSetLayoutCreateFlags,
        bindings: &[LayoutBinding],
    ) -> LayoutSupport {
        let gpu = &**device.gpu();
        let built = DescriptorSetLayout::build(gpu, flags, bindings);
        let variable = bindings
            .iter()
            .filter(|b| b.flags.contains(vk::DescriptorBindingFlags::VARIABLE_DESCRIPTOR_COUNT))
            .max_by_key(|b| b.binding);
        let max_variable_count = match variable {
            None => 0,
            Some(v) => {
                let mut rest: Vec<LayoutBinding> = bindings.to_vec();
                rest.retain(|b| b.binding != v.binding);
                let used = DescriptorSetLayout::build(gpu, flags, &rest).map_or(MAX_SET_BYTES, |l| u64::from(l.size));
                let left = (MAX_SET_BYTES - used).saturating_sub(u64::from(gpu.props().descriptor_align));
                if v.ty == vk::DescriptorType::INLINE_UNIFORM_BLOCK {
                    gpu.props().max_inline_uniform_block_size
                } else {
                    Binding::place(gpu, v)
                        .map_or(0, |(s, _)| u32::try_from(left / u64::from(s.max(1))).unwrap_or(u32::MAX))
                        .min(1 << 20)
                }
            }
        };
        let inline_fits = bindings.iter().all(|b| {
            b.ty != vk::DescriptorType::INLINE_UNIFORM_BLOCK || b.count <= gpu.props().max_inline_uniform_block_size
        });
        let push_fits = !flags.contains(vk::DescriptorSetLayoutCreateFlags::PUSH_DESCRIPTOR_KHR)
            || bindings.iter().fold(0u32, |n, b| n.saturating_add(b.count)) <= gpu.props().max_push_descriptors;
        LayoutSupport {
            supported: built.is_ok() && inline_fits && push_fits,
            max_variable_count: if built.is_ok() { max_variable_count } else { 0 },
        }
    }

    /// Index of a binding number.
    #[inline]
    pub(crate) fn find(&self, number: u32) -> Option<usize> {
        // Numbers are mostly dense from 0: try that place first.
        if self.bindings.get(number as usize).is_some_and(|b| b.number == number) {
            return Some(number as usize);
        }
        self.bindings.binary_search_by_key(&number, |b| b.number).ok()
    }

    /// Whether sets of this layout are pushed with commands.
    pub fn is_push(&self) -> bool {
        self.flags.contains(vk::DescriptorSetLayoutCreateFlags::PUSH_DESCRIPTOR_KHR)
    }

    /// Bytes of a set in memory of the application (VK_EXT_descriptor_buffer), with a variable count at its upper bound.
    pub fn bytes(&self) -> u32 {
        self.size
    }

    /// First byte of a binding in set memory.
    pub fn binding_offset(&self, number: u32) -> Option<u32> {
        self.find(number).map(|i| self.bindings[i].offset)
    }

    /// Bytes from one descriptor of a type to the next in set memory; 0 if the GPU has no such descriptor.
    pub fn descriptor_stride(gpu: &dyn Gpu, ty: vk::DescriptorType) -> u32 {
        stride(gpu, ty).unwrap_or(0)
    }

    /// Number of dynamic buffers: what a bind takes in dynamic offsets.
    pub fn dynamic_count(&self) -> u32 {
        self.dynamic_count
    }

    /// Bytes of a set's memory when the binding with a variable count has `variable` descriptors.
    pub(crate) fn set_size(&self, variable: u32) -> u32 {
        match self.bindings.last() {
            Some(b) if b.flags.contains(vk::DescriptorBindingFlags::VARIABLE_DESCRIPTOR_COUNT) => {
                let bytes = u64::from(b.stride) * u64::from(variable.min(b.count));
                let end = u64::from(b.offset) + bytes;
                u32::try_from(end.next_multiple_of(u64::from(self.align))).unwrap_or(self.size).min(self.size)
            }
            _ => self.size,
        }
    }

    /// Appends everything that decides how a kernel finds descriptors.
    pub(crate) fn describe(&self, out: &mut Vec<u8>) {
        for b in &self.bindings {
            let words: SmallVec<[u32; 6]> = SmallVec::from_slice(&[
                b.number,
                b.ty.as_raw() as u32,
                b.count,
                b.offset,
                b.stride,
                u32::from(b.dynamic.is_some()),
            ]);
            words.iter().for_each(|w| out.extend_from_slice(&w.to_le_bytes()));
        }
    }
}
