//! Descriptor heaps (VK_EXT_descriptor_heap): descriptors in memory of the application that kernels find by byte offset.
//!
//! To a kernel a heap is a descriptor set, see `compiler::frontend::heap_binding`: set 0 is the resource heap, set 1 the sampler
//! heap, set 2 the samplers that are embedded in the pipeline.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::{BindingSlot, DescriptorWrite, Gpu, SamplerInfo};
use crate::heap::Block;
use crate::pipeline_layout::{PipelineLayout, MAX_PUSH_BYTES};
use ash::vk;
use compiler::frontend::{heap_binding, DATA_BINDING, EMBEDDED_SET, RESOURCE_SET, SAMPLER_SET};
pub use compiler::frontend::{DescriptorBytes, HeapIndex, HeapPlace, MappedSampler, Mapping, MappingSource};
use compiler::sir::BindingKind;
use std::sync::{Arc, Mutex};

/// Most samplers embedded in a pipeline.
pub const MAX_EMBEDDED_SAMPLERS: u32 = 2048;

/// Most custom border colours at a time.
pub const MAX_BORDER_COLORS: u32 = 4096;

/// Largest heap: kernels find descriptors by 32-bit offsets.
pub const MAX_HEAP_BYTES: u64 = 1 << 31;

/// What pipelines with descriptor heaps have instead of set layouts.
#[derive(Debug)]
pub(crate) struct HeapLayout {
    pub mappings: Vec<Mapping>,
    pub bytes: DescriptorBytes,
    embedded: Option<Block>,
}

impl HeapLayout {
    /// Address of the embedded samplers.
    pub fn embedded(&self) -> u64 {
        self.embedded.as_ref().map_or(0, Block::address)
    }
}

/// Bytes of each kind of descriptor in a heap, powers of two, which are their alignments as well.
pub fn descriptor_bytes(gpu: &dyn Gpu) -> DescriptorBytes {
    use vk::DescriptorType as D;
    let largest = |types: &[D]| types.iter().map(|ty| gpu.descriptor_size(*ty)).max().unwrap_or(0).next_power_of_two();
    DescriptorBytes {
        buffer: largest(&[D::UNIFORM_BUFFER, D::STORAGE_BUFFER]),
        image: largest(&[D::SAMPLED_IMAGE, D::STORAGE_IMAGE, D::UNIFORM_TEXEL_BUFFER, D::STORAGE_TEXEL_BUFFER]),
        sampler: largest(&[D::SAMPLER]),
    }
}

/// Bytes of a descriptor of a type in a heap; 0 for types that heaps do not hold.
pub fn descriptor_size(gpu: &dyn Gpu, ty: vk::DescriptorType) -> u32 {
    use vk::DescriptorType as D;
    let bytes = descriptor_bytes(gpu);
    match ty {
        D::SAMPLER => bytes.sampler,
        D::UNIFORM_BUFFER | D::STORAGE_BUFFER => bytes.buffer,
        D::SAMPLED_IMAGE
        | D::STORAGE_IMAGE
        | D::UNIFORM_TEXEL_BUFFER
        | D::STORAGE_TEXEL_BUFFER
        | D::INPUT_ATTACHMENT => bytes.image,
        _ => 0,
    }
}

fn slot(set: u32, binding: u32, ty: vk::DescriptorType) -> BindingSlot {
    BindingSlot {
        set,
        binding,
        ty,
        offset: 0,
        stride: 1,
        count: u32::MAX,
        dynamic: None,
        inline_size: None,
        sampler_offset: 0,
    }
}

/// How kernels find the descriptors of the heaps, sorted by (set, binding).
fn slots(sampler_stride: u32, embedded: u32) -> Vec<BindingSlot> {
    use vk::DescriptorType as D;
    use BindingKind as K;
    let resources = [
        (K::UniformBuffer, D::UNIFORM_BUFFER),
        (K::StorageBuffer, D::STORAGE_BUFFER),
        (K::StorageImage, D::STORAGE_IMAGE),
        (K::SampledImage, D::SAMPLED_IMAGE),
        (K::UniformTexelBuffer, D::UNIFORM_TEXEL_BUFFER),
        (K::StorageTexelBuffer, D::STORAGE_TEXEL_BUFFER),
    ];
    let mut out: Vec<BindingSlot> =
        resources.iter().map(|(kind, ty)| slot(RESOURCE_SET, heap_binding(*kind), *ty)).collect();
    // Data has no bounds of its own; what is behind the heap is not the application's to read.
    out.push(BindingSlot {
        inline_size: Some(u32::MAX),
        ..slot(RESOURCE_SET, DATA_BINDING, vk::DescriptorType::INLINE_UNIFORM_BLOCK)
    });
    out.push(slot(SAMPLER_SET, heap_binding(K::Sampler), D::SAMPLER));
    out.push(BindingSlot { stride: sampler_stride, count: embedded, ..slot(EMBEDDED_SET, 0, D::SAMPLER) });
    out.sort_by_key(|s| (s.set, s.binding));
    out
}

impl PipelineLayout {
    /// The layout of a pipeline that uses descriptor heaps, with what backs its bindings and the samplers embedded in that.
    ///
    /// # Errors
    /// [`Error::TooManyObjects`] for more than [`MAX_EMBEDDED_SAMPLERS`]; no GPU memory.
    pub fn with_heaps(
        device: &Arc<Device>,
        mappings: Vec<Mapping>,
        samplers: &[SamplerInfo],
    ) -> Result<Arc<PipelineLayout>> {
        let gpu = &**device.gpu();
        let count = u32::try_from(samplers.len()).ok().filter(|n| *n <= MAX_EMBEDDED_SAMPLERS);
        let count = count.ok_or(Error::TooManyObjects)?;
        let bytes = descriptor_bytes(gpu);
        let embedded = match count {
            0 => None,
            _ => {
                let block = device.heap().alloc(u64::from(bytes.sampler) * u64::from(count), 64)?;
                let mut descriptor = vec![0; bytes.sampler as usize];
                for (i, info) in (0u64..).zip(samplers) {
                    gpu.write_descriptor(vk::DescriptorType::SAMPLER, &DescriptorWrite::Sampler(info), &mut descriptor);
                    block.write(i * u64::from(bytes.sampler), &descriptor);
                }
                Some(block)
            }
        };
        let mut key = blake3::Hasher::new();
        key.update(b"descriptor heaps");
        // The text of plain numbers tells them apart.
        key.update(format!("{mappings:?} {count} {bytes:?}").as_bytes());
        Ok(Arc::new(PipelineLayout {
            sets: Vec::new(),
            push_bytes: MAX_PUSH_BYTES as u32,
            slots: slots(bytes.sampler, count),
            key: *key.finalize().as_bytes(),
            heap: Some(HeapLayout { mappings, bytes, embedded }),
        }))
    }
}

/// Custom border colours by index (vkRegisterCustomBorderColorEXT). Descriptors hold the colours themselves; what is kept here is
/// which indices are taken.
#[derive(Debug, Default)]
pub struct BorderColors(Mutex<Vec<bool>>);

impl BorderColors {
    /// Takes an index: this one, or any.
    ///
    /// # Errors
    /// [`Error::InvalidOpaqueCaptureAddress`] if that one is taken, [`Error::TooManyObjects`] if all are.
    pub fn register(&self, index: Option<u32>) -> Result<u32> {
        let mut taken = crate::lock::lock(&self.0);
        if taken.is_empty() {
            taken.try_reserve_exact(MAX_BORDER_COLORS as usize)?;
            taken.resize(MAX_BORDER_COLORS as usize, false);
        }
        let at = match index {
            Some(i) => (i as usize).min(taken.len()),
            None => taken.iter().position(|t| !t).ok_or(Error::TooManyObjects)?,
        };
        match taken.get_mut(at) {
            Some(place) if !*place => *place = true,
            _ => return Err(Error::InvalidOpaqueCaptureAddress),
        }
        Ok(at as u32)
    }

    /// Gives an index back; one that is not taken is left alone.
    pub fn unregister(&self, index: u32) {
        if let Some(place) = crate::lock::lock(&self.0).get_mut(index as usize) {
            *place = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn border_colors_are_taken_and_given_back() {
        let colors = BorderColors::default();
        colors.unregister(7);
        assert_eq!(colors.register(Some(7)), Ok(7));
        assert_eq!(colors.register(Some(7)), Err(Error::InvalidOpaqueCaptureAddress));
        let rest: Vec<u32> = (1..MAX_BORDER_COLORS).map(|_| colors.register(None).unwrap()).collect();
        assert!(!rest.contains(&7));
        assert_eq!(colors.register(None), Err(Error::TooManyObjects));
        assert_eq!(colors.register(Some(MAX_BORDER_COLORS)), Err(Error::InvalidOpaqueCaptureAddress));
        colors.unregister(9);
        assert_eq!(colors.register(None), Ok(9));
    }

    #[test]
    fn slots_are_sorted() {
        let s = slots(32, 3);
        assert!(s.windows(2).all(|w| (w[0].set, w[0].binding) < (w[1].set, w[1].binding)));
    }
}
