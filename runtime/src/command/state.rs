//! What is bound while commands are recorded and is more than numbers: see [`Bound`] for those.

use crate::command::bound::Bound;
use crate::command::stream::{DispatchState, Stream};
use crate::descriptor_set::DescriptorSet;
use crate::error::Result;
use crate::gpu::DynamicBuffer;
use crate::pipeline::Program;
use crate::pipeline_layout::{PipelineLayout, MAX_SETS};
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

/// What a bound set has besides its address.
#[derive(Debug, Default)]
pub(crate) struct BoundSet {
    pub dynamic: SmallVec<[DynamicBuffer; 4]>,
    pub pushed: Option<PushedSet>,
}

/// Everything bound that is more than numbers.
#[derive(Debug, Default)]
pub(crate) struct BindState {
    /// The program, if it has dynamic buffers or heaps, and none that has not is bound.
    pub program: Option<Arc<Program>>,
    sets: SmallVec<[BoundSet; 4]>,
    /// Addresses of descriptor buffers.
    pub buffers: SmallVec<[u64; 4]>,
    /// Addresses of the resource heap and the sampler heap.
    heaps: [u64; 2],
}

impl BindState {
    pub fn clear(&mut self) {
        *self = BindState::default();
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
        self.sets.get_mut(index)
    }

    /// Binds a set with its dynamic buffers, whose offsets are given.
    pub fn bind_set(&mut self, bound: &Bound, number: u32, set: Option<&DescriptorSet>, offsets: &[u32]) {
        let Some(place) = self.set_mut(number) else { return };
        place.pushed = None;
        place.dynamic.clear();
        if let Some(set) = set {
            set.resolve_dynamic(offsets, &mut place.dynamic);
        }
        bound.set_more(number as usize, !place.dynamic.is_empty(), false);
    }

    /// Binds set memory that nobody pushes to and that has no dynamic buffers.
    pub fn bind_address(&mut self, bound: &Bound, set: u32, address: u64) {
        self.bind_set(bound, set, None, &[]);
        bound.set_address(set as usize, address);
    }

    /// Binds the resource heap (0) or the sampler heap (1).
    pub fn bind_heap(&mut self, sampler: bool, address: u64) {
        self.heaps[usize::from(sampler)] = address;
    }

    /// Forgets everything but the heaps.
    pub fn clear_but_heaps(&mut self) {
        *self = BindState { heaps: self.heaps, ..BindState::default() };
    }

    /// Puts pushed descriptors that changed in GPU memory.
    fn upload(&mut self, bound: &Bound, mut upload: impl FnMut(&[u8], u64) -> Result<u64>) -> Result<()> {
        for (number, set) in self.sets.iter_mut().enumerate() {
            if let Some(pushed) = set.pushed.as_mut().filter(|p| p.dirty) {
                let address =
                    if pushed.shadow.is_empty() { 0 } else { upload(&pushed.shadow, u64::from(pushed.layout.align))? };
                bound.set_address(number, address);
                bound.set_more(number, true, false);
                pushed.dirty = false;
            }
        }
        Ok(())
    }

    /// Places what a dispatch of the bound program needs; `None` without one.
    pub fn dispatch(
        &mut self,
        bound: &Bound,
        stream: &mut Stream,
        upload: impl FnMut(&[u8], u64) -> Result<u64>,
    ) -> Result<Option<DispatchState>> {
        if let Some(p) = bound.program() {
            self.upload(bound, upload)?;
            return bound.with_tables(p.push_bytes, p.sets, |push, sets| {
                let (push, sets) = (stream.place_push(push)?, stream.place_words(sets)?);
                let dynamic = stream.place_dynamics(&[])?;
                Ok(Some(DispatchState { kernel: p.kernel, kernel_bytes: p.kernel_bytes, push, sets, dynamic }))
            });
        }
        let Some(program) = self.program.clone() else { return Ok(None) };
        self.upload(bound, upload)?;
        let layout = program.layout();
        let push = bound.with_tables(layout.push_bytes, 0, |push, _| stream.place_push(push))?;
        let (addresses, dynamics) = self.tables(bound, layout);
        let (sets, dynamic) = (stream.place_words(&addresses)?, stream.place_dynamics(&dynamics)?);
        let (kernel, kernel_bytes) = program.placed();
        Ok(Some(DispatchState { kernel, kernel_bytes, push, sets, dynamic }))
    }

    fn tables(
        &self,
        bound: &Bound,
        layout: &PipelineLayout,
    ) -> (SmallVec<[u64; MAX_SETS]>, SmallVec<[DynamicBuffer; 16]>) {
        let mut addresses: SmallVec<[u64; MAX_SETS]> = SmallVec::new();
        let mut dynamics: SmallVec<[DynamicBuffer; 16]> = SmallVec::new();
        if let Some(heap) = &layout.heap {
            addresses.extend(self.heaps);
            addresses.push(heap.embedded());
        }
        for (i, set) in layout.sets.iter().enumerate() {
            addresses.push(bound.set(i));
            let count = set.as_ref().map_or(0, |s| s.dynamic_count as usize);
            let more = self.sets.get(i);
            dynamics.extend((0..count).map(|d| more.and_then(|m| m.dynamic.get(d)).copied().unwrap_or_default()));
        }
        (addresses, dynamics)
    }
}
