//! What is bound while commands are recorded.

use crate::command::stream::{DispatchState, Span, Stream};
use crate::error::Result;
use crate::gpu::DynamicBuffer;
use crate::pipeline::Program;
use crate::pipeline_layout::{PipelineLayout, MAX_PUSH_BYTES, MAX_SETS};
use crate::set_layout::DescriptorSetLayout;
use smallvec::SmallVec;
use std::sync::Arc;

/// A set whose descriptors are pushed with commands.
#[derive(Debug)]
pub(crate) struct PushedSet {
    pub layout: Arc<DescriptorSetLayout>,
    /// The set's memory as it will be.
    pub shadow: Vec<u8>,
    /// Whether it changed since it was last uploaded.
    pub dirty: bool,
}

/// One bound set.
#[derive(Debug, Default)]
pub(crate) struct BoundSet {
    pub address: u64,
    pub dynamic: SmallVec<[DynamicBuffer; 4]>,
    pub pushed: Option<PushedSet>,
}

/// Everything bound.
#[derive(Debug)]
pub(crate) struct BindState {
    pub program: Option<Arc<Program>>,
    pub sets: SmallVec<[BoundSet; 4]>,
    /// Addresses of descriptor buffers.
    pub buffers: SmallVec<[u64; 4]>,
    /// Addresses of the resource heap and the sampler heap.
    heaps: [u64; 2],
    pub push: [u8; MAX_PUSH_BYTES],
    /// What the last dispatch placed in the stream, for the next one to use again.
    push_span: Option<(u32, Span)>,
    tables: Option<(Span, Span)>,
}

impl Default for BindState {
    fn default() -> BindState {
        BindState {
            program: None,
            sets: SmallVec::new(),
            buffers: SmallVec::new(),
            heaps: [0; 2],
            push: [0; MAX_PUSH_BYTES],
            push_span: None,
            tables: None,
        }
    }
}

impl BindState {
    pub fn clear(&mut self) {
        *self = BindState::default();
    }

    /// Binds a pipeline or a shader object, which take each other's place, or nothing.
    pub fn bind_program(&mut self, program: Option<&Arc<Program>>) {
        let layout = |p: Option<&Arc<Program>>| p.map(|p| Arc::as_ptr(p.layout()));
        if layout(self.program.as_ref()) != layout(program) {
            self.tables = None;
            self.push_span = None;
        }
        self.program = program.cloned();
    }

    /// The place of a set; `None` for numbers that no layout can have.
    pub fn set_mut(&mut self, set: u32) -> Option<&mut BoundSet> {
        let index = set as usize;
        if index >= MAX_SETS {
            return None;
        }
        if self.sets.len() <= index {
            self.sets.resize_with(index + 1, BoundSet::default);
        }
        self.tables = None;
        self.sets.get_mut(index)
    }

    /// Binds set memory that nobody pushes to and that has no dynamic buffers.
    pub fn bind_address(&mut self, set: u32, address: u64) {
        if let Some(bound) = self.set_mut(set) {
            *bound = BoundSet { address, ..BoundSet::default() };
        }
    }

    /// Binds the resource heap (0) or the sampler heap (1).
    pub fn bind_heap(&mut self, sampler: bool, address: u64) {
        self.heaps[usize::from(sampler)] = address;
        self.tables = None;
    }

    /// Forgets everything but the heaps.
    pub fn clear_but_heaps(&mut self) {
        *self = BindState { heaps: self.heaps, ..BindState::default() };
    }

    pub fn push_constants(&mut self, offset: u32, bytes: &[u8]) {
        let at = offset as usize;
        if let Some(place) = at.checked_add(bytes.len()).and_then(|end| self.push.get_mut(at..end)) {
            place.copy_from_slice(bytes);
            self.push_span = None;
        }
    }

    /// Places what a dispatch of the bound program needs; `None` without one.
    pub fn dispatch(
        &mut self,
        stream: &mut Stream,
        mut upload: impl FnMut(&[u8], u64) -> Result<u64>,
    ) -> Result<Option<DispatchState>> {
        let Some(program) = self.program.clone() else { return Ok(None) };
        let layout = program.layout();
        for bound in &mut self.sets {
            if let Some(pushed) = bound.pushed.as_mut().filter(|p| p.dirty) {
                bound.address =
                    if pushed.shadow.is_empty() { 0 } else { upload(&pushed.shadow, u64::from(pushed.layout.align))? };
                pushed.dirty = false;
                self.tables = None;
            }
        }
        let push_bytes = layout.push_bytes;
        let push = match self.push_span {
            Some((bytes, span)) if bytes == push_bytes => span,
            _ => {
                let span = stream.place_bytes(&self.push[..(push_bytes as usize).min(MAX_PUSH_BYTES)])?;
                self.push_span = Some((push_bytes, span));
                span
            }
        };
        let (sets, dynamic) = match self.tables {
            Some(tables) => tables,
            None => {
                let tables = self.place_tables(layout, stream)?;
                self.tables = Some(tables);
                tables
            }
        };
        let (kernel, kernel_bytes) = program.placed();
        Ok(Some(DispatchState { kernel, kernel_bytes, push, sets, dynamic }))
    }

    fn place_tables(&self, layout: &PipelineLayout, stream: &mut Stream) -> Result<(Span, Span)> {
        let mut addresses: SmallVec<[u64; MAX_SETS]> = SmallVec::new();
        let mut dynamics: SmallVec<[DynamicBuffer; 16]> = SmallVec::new();
        if let Some(heap) = &layout.heap {
            addresses.extend(self.heaps);
            addresses.push(heap.embedded());
        }
        for (i, set) in layout.sets.iter().enumerate() {
            let bound = self.sets.get(i);
            addresses.push(bound.map_or(0, |b| b.address));
            let count = set.as_ref().map_or(0, |s| s.dynamic_count as usize);
            for d in 0..count {
                dynamics.push(bound.and_then(|b| b.dynamic.get(d)).copied().unwrap_or_default());
            }
        }
        Ok((stream.place_words(&addresses)?, stream.place_dynamics(&dynamics)?))
    }
}
