//! Binding: programs, sets of every kind, heaps, push constants.

use crate::command::bound::plain;
use crate::command::state::PushedSet;
use crate::command::CommandBuffer;
use crate::descriptor_set::DescriptorSet;
use crate::descriptor_write::SetWriter;
use crate::error::{Error, Result};
use crate::pipeline::Program;
use crate::pipeline_layout::PipelineLayout;
use smallvec::SmallVec;
use std::sync::Arc;

impl CommandBuffer {
    /// vkCmdBindPipeline and vkCmdBindShadersEXT, which take each other's place; `None` unbinds.
    pub fn bind_program(&self, program: Option<&Arc<Program>>) {
        let numbers = program.and_then(|p| plain(p));
        self.bound().set_program(numbers.as_ref());
        if let Some(program) = program {
            program.used();
        }
        if numbers.is_none() {
            self.with_inner(|inner| {
                inner.bind.program = program.cloned();
                Ok(())
            });
        }
    }

    /// vkCmdBindDescriptorSets: dynamic offsets in the order of sets, bindings and elements.
    #[inline]
    pub fn bind_sets<'a>(
        &self,
        _layout: &PipelineLayout,
        first: u32,
        sets: impl IntoIterator<Item = Option<&'a DescriptorSet>>,
        dynamic_offsets: &[u32],
    ) {
        let mut offsets = dynamic_offsets;
        for (number, set) in (first..).zip(sets) {
            let dynamic = set.map_or(0, DescriptorSet::dynamic_count);
            if dynamic > 0 || self.bound().has_more(number as usize) {
                let (own, rest) = offsets.split_at(dynamic.min(offsets.len()));
                offsets = rest;
                self.with_inner(|inner| {
                    inner.bind.bind_set(self.bound(), number, set, own);
                    Ok(())
                });
            }
            self.bound().set_address(number as usize, set.map_or(0, DescriptorSet::address));
        }
    }

    /// vkCmdPushDescriptorSet: `f` writes the descriptors; those it leaves alone keep what was pushed before.
    pub fn push_set(&self, layout: &PipelineLayout, set: u32, f: impl FnOnce(&mut SetWriter<'_>) -> Result<()>) {
        let gpu = self.pool().device().gpu();
        self.with_inner(|inner| {
            let set_layout = layout
                .set(set)
                .ok_or_else(|| Error::Unknown(format!("the pipeline layout has no descriptor set {set}")))?;
            let bound = inner
                .bind
                .set_mut(set)
                .ok_or_else(|| Error::Unknown(format!("descriptor set {set} is out of range")))?;
            // What was pushed stays as long as the layout is the same kind of set.
            let keep = bound.pushed.as_ref().is_some_and(|p| {
                Arc::ptr_eq(&p.layout, set_layout) || {
                    let (mut a, mut b) = (Vec::new(), Vec::new());
                    p.layout.describe(&mut a);
                    set_layout.describe(&mut b);
                    a == b
                }
            });
            if !keep {
                let mut shadow = Vec::new();
                shadow.try_reserve_exact(set_layout.size as usize)?;
                shadow.resize(set_layout.size as usize, 0);
                SetWriter::over(gpu, set_layout, &mut shadow).initialise();
                bound.dynamic.clear();
                bound.pushed = Some(PushedSet { layout: set_layout.clone(), shadow, dirty: true });
            }
            let Some(pushed) = bound.pushed.as_mut() else { return Ok(()) };
            pushed.dirty = true;
            self.bound().set_more(set as usize, true, true);
            f(&mut SetWriter::over(gpu, set_layout, &mut pushed.shadow))
        });
    }

    /// vkCmdBindDescriptorBuffersEXT: what was bound before is not any more.
    pub fn bind_descriptor_buffers(&self, addresses: &[u64]) {
        self.with_inner(|inner| {
            inner.bind.buffers = SmallVec::from_slice(addresses);
            Ok(())
        });
    }

    /// vkCmdSetDescriptorBufferOffsetsEXT: sets from `first` on stand in these buffers at these offsets.
    pub fn set_descriptor_buffer_offsets(&self, first: u32, indices: &[u32], offsets: &[u64]) {
        self.with_inner(|inner| {
            for (set, (index, offset)) in (first..).zip(indices.iter().zip(offsets)) {
                let base = inner
                    .bind
                    .buffers
                    .get(*index as usize)
                    .copied()
                    .ok_or_else(|| Error::Unknown(format!("descriptor buffer {index} is not bound")))?;
                inner.bind.bind_address(self.bound(), set, base.wrapping_add(*offset));
            }
            Ok(())
        });
    }

    /// vkCmdBindDescriptorBufferEmbeddedSamplersEXT: the set is what the layout's immutable samplers say.
    pub fn bind_embedded_samplers(&self, layout: &PipelineLayout, set: u32) {
        let gpu = self.pool().device().gpu();
        self.with_inner(|inner| {
            let set_layout = layout
                .set(set)
                .ok_or_else(|| Error::Unknown(format!("the pipeline layout has no descriptor set {set}")))?;
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(set_layout.size as usize)?;
            bytes.resize(set_layout.size as usize, 0);
            SetWriter::over(gpu, set_layout, &mut bytes).initialise();
            let address = match bytes.is_empty() {
                true => 0,
                false => inner.memory.upload(self.pool(), &bytes, u64::from(set_layout.align))?,
            };
            inner.bind.bind_address(self.bound(), set, address);
            Ok(())
        });
    }

    /// vkCmdBindResourceHeapEXT, vkCmdBindSamplerHeapEXT.
    pub fn bind_descriptor_heap(&self, sampler: bool, address: u64) {
        self.with_inner(|inner| {
            inner.bind.bind_heap(sampler, address);
            Ok(())
        });
    }

    /// vkCmdPushConstants, vkCmdPushDataEXT.
    #[inline]
    pub fn push_constants(&self, offset: u32, bytes: &[u8]) {
        self.bound().push_constants(offset, bytes);
    }
}
