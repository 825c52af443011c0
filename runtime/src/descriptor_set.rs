//! Descriptor sets: memory that kernels read directly.

use crate::descriptor_dynamic::DynamicCell;
use crate::descriptor_write::{mismatch, no_such, Cursor, SetWriter, Target, MAX_DESCRIPTOR_BYTES};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::DynamicBuffer;
use crate::heap::Block;
use crate::set_layout::{Binding, DescriptorSetLayout};
use ash::vk;
use smallvec::SmallVec;
use std::sync::Arc;

/// A VkDescriptorSet.
#[derive(Debug)]
pub struct DescriptorSet {
    device: Arc<Device>,
    layout: Arc<DescriptorSetLayout>,
    memory: Option<Arc<Block>>,
    address: u64,
    offset: u64,
    size: u32,
    variable: Option<u32>,
    slot: u32,
    dynamic: SmallVec<[DynamicCell; 2]>,
}

impl DescriptorSet {
    pub(crate) fn new(
        device: &Arc<Device>,
        layout: Arc<DescriptorSetLayout>,
        memory: Option<Arc<Block>>,
        offset: u64,
        size: u32,
        variable_count: u32,
        slot: u32,
    ) -> Result<DescriptorSet> {
        let variable = layout
            .bindings
            .last()
            .filter(|b| b.flags.contains(vk::DescriptorBindingFlags::VARIABLE_DESCRIPTOR_COUNT))
            .map(|_| variable_count);
        let mut dynamic = SmallVec::new();
        dynamic.try_reserve(layout.dynamic_count as usize).map_err(|_| Error::OutOfHostMemory)?;
        dynamic.resize_with(layout.dynamic_count as usize, DynamicCell::default);
        let memory = memory.filter(|_| size > 0);
        let set = DescriptorSet {
            device: device.clone(),
            layout,
            address: memory.as_ref().map_or(0, |m| m.address().wrapping_add(offset)),
            memory,
            offset,
            size,
            variable,
            slot,
            dynamic,
        };
        if let Some(memory) = &set.memory {
            // Descriptors that were never written must not show what another set left behind.
            memory.fill_zero(offset, u64::from(size));
        }
        set.update(|w| {
            w.initialise();
            Ok(())
        })?;
        Ok(set)
    }

    /// Writes descriptors. Threads may write different descriptors at once.
    ///
    /// # Errors
    /// Those of the closure.
    #[inline]
    pub fn update<R>(&self, f: impl FnOnce(&mut SetWriter<'_>) -> Result<R>) -> Result<R> {
        f(&mut SetWriter {
            gpu: self.device.gpu(),
            layout: &self.layout,
            target: self.target(),
            dynamic: &self.dynamic,
            variable: self.variable,
        })
    }

    /// Everything in its memory.
    pub(crate) fn read(&self, out: &mut Vec<u8>) {
        out.clear();
        if let Some(memory) = &self.memory {
            out.resize(self.size as usize, 0);
            memory.read(self.offset, out);
        }
    }

    #[inline]
    fn target(&self) -> Target<'_> {
        match &self.memory {
            Some(block) => Target::Gpu(block, self.offset),
            None => Target::None,
        }
    }

    /// Copies descriptors, over the end of bindings into the following ones. For inline uniform blocks elements and count are bytes.
    ///
    /// # Errors
    /// [`Error::Unknown`] past the end of either set, or between different types.
    pub fn copy(
        src: &DescriptorSet,
        src_binding: u32,
        src_element: u32,
        dst: &DescriptorSet,
        dst_binding: u32,
        dst_element: u32,
        count: u32,
    ) -> Result<()> {
        let from = src.layout.find(src_binding).ok_or_else(|| no_such("binding", src_binding))?;
        let to = dst.layout.find(dst_binding).ok_or_else(|| no_such("binding", dst_binding))?;
        let (s, d) = (&src.layout.bindings[from], &dst.layout.bindings[to]);
        if s.is_inline() || d.is_inline() {
            let end = |b: &Binding, at: u32| u64::from(at) + u64::from(count) <= u64::from(b.count);
            if !(s.is_inline() && d.is_inline() && end(s, src_element) && end(d, dst_element)) {
                return Err(mismatch(d.ty));
            }
            let mut bytes = Vec::new();
            bytes.try_reserve(count as usize)?;
            bytes.resize(count as usize, 0);
            src.target().read(s.offset + src_element, &mut bytes);
            dst.target().write(d.offset + dst_element, &bytes);
            return Ok(());
        }
        let (mut from, mut to) =
            (Cursor { index: from, element: src_element }, Cursor { index: to, element: dst_element });
        let mut left = count;
        while left > 0 {
            let (s, at, source_room) = src.settle(&mut from)?;
            let (d, to_at, room) = dst.settle(&mut to)?;
            if s.ty != d.ty && !s.is_mutable() && !d.is_mutable() {
                return Err(mismatch(d.ty));
            }
            let n = left.min(source_room).min(room);
            match (s.dynamic, d.dynamic) {
                (Some(a), Some(b)) => {
                    for i in 0..n {
                        let value = src.dynamic.get((a + at + i) as usize).map(DynamicCell::get).unwrap_or_default();
                        if let Some(cell) = dst.dynamic.get((b + to_at + i) as usize) {
                            cell.set(value);
                        }
                    }
                }
                _ => {
                    let mut bytes = [0u8; MAX_DESCRIPTOR_BYTES];
                    let Some(bytes) = bytes.get_mut(..s.size.min(d.size) as usize) else {
                        return Err(mismatch(d.ty));
                    };
                    let (source, mut target) = (src.target(), dst.target());
                    for i in 0..n {
                        source.read(s.offset.wrapping_add(s.stride.wrapping_mul(at + i)), bytes);
                        target.write(d.offset.wrapping_add(d.stride.wrapping_mul(to_at + i)), bytes);
                    }
                }
            }
            from.element += n;
            to.element += n;
            left -= n;
        }
        Ok(())
    }

    /// Moves a cursor over the ends of bindings: the binding, the element, and how many are left from there.
    fn settle(&self, cursor: &mut Cursor) -> Result<(&Binding, u32, u32)> {
        loop {
            let b = self
                .layout
                .bindings
                .get(cursor.index)
                .ok_or_else(|| Error::Unknown("descriptor copy past the end of the set".to_owned()))?;
            let count = match self.variable {
                Some(n) if cursor.index + 1 == self.layout.bindings.len() => n.min(b.count),
                _ => b.count,
            };
            if cursor.element < count {
                return Ok((b, cursor.element, count - cursor.element));
            }
            cursor.element -= count;
            cursor.index += 1;
        }
    }

    /// GPU address of the set's memory; 0 if it has none.
    #[inline]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Number of dynamic buffers.
    #[inline]
    pub(crate) fn dynamic_count(&self) -> usize {
        self.dynamic.len()
    }

    /// Its layout.
    pub fn layout(&self) -> &Arc<DescriptorSetLayout> {
        &self.layout
    }

    /// Appends the dynamic buffers with these offsets applied.
    pub(crate) fn resolve_dynamic(&self, offsets: &[u32], out: &mut SmallVec<[DynamicBuffer; 4]>) {
        out.extend(self.dynamic.iter().map(DynamicCell::get).enumerate().map(|(i, d)| {
            let offset = u64::from(offsets.get(i).copied().unwrap_or(0));
            if d.address == 0 {
                DynamicBuffer::default()
            } else {
                DynamicBuffer { address: d.address.wrapping_add(offset), size: d.size }
            }
        }));
    }

    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    pub(crate) fn range(&self) -> (u64, u32) {
        (self.offset, self.size)
    }
}
