//! Pipeline layouts.

use crate::descriptor_heap::HeapLayout;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::{BindingSlot, Gpu};
use crate::set_layout::DescriptorSetLayout;
use ash::vk;
use std::sync::Arc;

/// Most descriptor sets of a layout.
pub const MAX_SETS: usize = 32;

/// Most bytes of push constants.
pub const MAX_PUSH_BYTES: usize = 256;

/// A VkPipelineLayout.
#[derive(Debug)]
pub struct PipelineLayout {
    pub(crate) sets: Vec<Option<Arc<DescriptorSetLayout>>>,
    pub(crate) push_bytes: u32,
    /// Every binding, sorted by (set, binding).
    pub(crate) slots: Vec<BindingSlot>,
    /// Hash of everything that decides how kernels find their data.
    pub(crate) key: [u8; 32],
    /// Descriptor heaps instead of sets.
    pub(crate) heap: Option<HeapLayout>,
}

impl PipelineLayout {
    /// Makes a layout. `None` stands for a set that the pipeline does not use.
    ///
    /// # Errors
    /// [`Error::TooManyObjects`] for more than 32 sets.
    pub fn new(
        device: &Arc<Device>,
        sets: Vec<Option<Arc<DescriptorSetLayout>>>,
        push: &[vk::PushConstantRange],
    ) -> Result<Arc<PipelineLayout>> {
        Ok(Arc::new(PipelineLayout::build(&**device.gpu(), sets, push)?))
    }

    pub(crate) fn build(
        gpu: &dyn Gpu,
        sets: Vec<Option<Arc<DescriptorSetLayout>>>,
        push: &[vk::PushConstantRange],
    ) -> Result<PipelineLayout> {
        if sets.len() > MAX_SETS {
            return Err(Error::TooManyObjects);
        }
        let push_bytes = push.iter().map(|r| r.offset.saturating_add(r.size)).max().unwrap_or(0);
        let push_bytes = push_bytes.min(MAX_PUSH_BYTES as u32);
        let mut dynamic_count = 0u32;
        let mut slots = Vec::new();
        let mut text = Vec::new();
        for (set, layout) in (0u32..).zip(&sets) {
            text.extend_from_slice(&set.to_le_bytes());
            let Some(layout) = layout else { continue };
            layout.describe(&mut text);
            for b in &layout.bindings {
                slots.push(BindingSlot {
                    set,
                    binding: b.number,
                    ty: b.ty,
                    offset: b.offset,
                    stride: b.stride,
                    count: if b.is_inline() { 1 } else { b.count },
                    dynamic: b.dynamic.map(|d| dynamic_count.saturating_add(d)),
                    inline_size: b.is_inline().then_some(b.count),
                    sampler_offset: if b.ty == vk::DescriptorType::COMBINED_IMAGE_SAMPLER {
                        gpu.props().combined_sampler_offset
                    } else {
                        0
                    },
                });
            }
            dynamic_count = dynamic_count.checked_add(layout.dynamic_count).ok_or(Error::OutOfHostMemory)?;
        }
        let key = *blake3::hash(&text).as_bytes();
        Ok(PipelineLayout { sets, push_bytes, slots, key, heap: None })
    }

    /// Layout of a set.
    pub fn set(&self, set: u32) -> Option<&Arc<DescriptorSetLayout>> {
        self.sets.get(set as usize)?.as_ref()
    }

    /// Bytes of push constants.
    pub fn push_bytes(&self) -> u32 {
        self.push_bytes
    }
}
