//! Descriptor sets: memory that kernels read directly, and the writes to it.

use crate::buffer::Buffer;
use crate::buffer_view::BufferView;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::{DescriptorWrite, DynamicBuffer, Gpu};
use crate::heap::Block;
use crate::image_view::ImageView;
use crate::lock::lock;
use crate::sampler::Sampler;
use crate::set_layout::{Binding, DescriptorSetLayout};
use ash::vk;
use smallvec::SmallVec;
use std::sync::{Arc, Mutex};

/// Most bytes of a descriptor of any GPU.
pub(crate) const MAX_DESCRIPTOR_BYTES: usize = 256;

/// What to put in a descriptor. `None` is the null descriptor.
#[derive(Clone, Copy, Debug)]
pub enum DescriptorData<'a> {
    /// Uniform or storage buffer, dynamic or not: buffer, offset, range (VK_WHOLE_SIZE for the rest).
    Buffer(Option<(&'a Buffer, u64, u64)>),
    /// Uniform or storage texel buffer.
    TexelBuffer(Option<&'a BufferView>),
    /// Sampled or storage image.
    Image(Option<&'a ImageView>),
    /// Sampler. `None` leaves an immutable sampler as it is.
    Sampler(Option<&'a Sampler>),
    /// Combined image sampler. The sampler is ignored where the layout has an immutable one.
    Combined {
        /// Image part.
        view: Option<&'a ImageView>,
        /// Sampler part.
        sampler: Option<&'a Sampler>,
    },
}

/// Where the bytes of a set are while it is written.
enum Target<'a> {
    None,
    Gpu(&'a Block, u64),
    Host(&'a mut [u8]),
}

impl Target<'_> {
    fn write(&mut self, offset: u32, bytes: &[u8]) {
        match self {
            Target::None => {}
            Target::Gpu(block, base) => block.write(base.wrapping_add(u64::from(offset)), bytes),
            Target::Host(shadow) => {
                let at = offset as usize;
                if let Some(place) = at.checked_add(bytes.len()).and_then(|end| shadow.get_mut(at..end)) {
                    place.copy_from_slice(bytes);
                }
            }
        }
    }

    fn read(&self, offset: u32, bytes: &mut [u8]) {
        match self {
            Target::None => {}
            Target::Gpu(block, base) => block.read(base.wrapping_add(u64::from(offset)), bytes),
            Target::Host(shadow) => {
                let at = offset as usize;
                if let Some(place) = at.checked_add(bytes.len()).and_then(|end| shadow.get(at..end)) {
                    bytes.copy_from_slice(place);
                }
            }
        }
    }
}

/// A place in a set that moves on from descriptor to descriptor, over the end of one binding into the next.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    index: usize,
    element: u32,
}

/// Writes descriptors of one set.
pub struct SetWriter<'a> {
    gpu: &'a dyn Gpu,
    layout: &'a DescriptorSetLayout,
    target: Target<'a>,
    dynamic: &'a mut [DynamicBuffer],
    /// Descriptors of the last binding, where the set has fewer than the layout.
    variable: Option<u32>,
}

fn no_such(what: &str, number: u32) -> Error {
    Error::Unknown(format!("the descriptor-set layout has no {what} {number}"))
}

impl<'a> SetWriter<'a> {
    /// A writer over host memory: push descriptors.
    pub(crate) fn over(
        gpu: &'a dyn Gpu,
        layout: &'a DescriptorSetLayout,
        shadow: &'a mut [u8],
        dynamic: &'a mut [DynamicBuffer],
    ) -> SetWriter<'a> {
        SetWriter { gpu, layout, target: Target::Host(shadow), dynamic, variable: None }
    }

    fn count_of(&self, index: usize) -> u32 {
        let Some(b) = self.layout.bindings.get(index) else { return 0 };
        match self.variable {
            Some(n) if index + 1 == self.layout.bindings.len() => n.min(b.count),
            _ => b.count,
        }
    }

    /// The place of a descriptor.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the layout has no such binding.
    pub fn cursor(&self, binding: u32, element: u32) -> Result<Cursor> {
        let index = self.layout.find(binding).ok_or_else(|| no_such("binding", binding))?;
        Ok(Cursor { index, element })
    }

    /// Whether the layout has an immutable sampler for the descriptor at the cursor: whatever an application names there is ignored.
    pub fn has_immutable_samplers(&self, cursor: &Cursor) -> bool {
        let (mut index, mut element) = (cursor.index, cursor.element);
        while index < self.layout.bindings.len() && element >= self.count_of(index) {
            element -= self.count_of(index);
            index += 1;
        }
        self.layout.bindings.get(index).is_some_and(|b| !b.immutable.is_empty())
    }

    /// Writes the descriptor at the cursor and moves on. A mutable descriptor becomes one of the type `ty`; for others the
    /// layout's type counts.
    ///
    /// # Errors
    /// [`Error::Unknown`] past the end of the layout, or if the kind of data does not go with the type.
    pub fn write_at(&mut self, cursor: &mut Cursor, ty: vk::DescriptorType, data: DescriptorData<'_>) -> Result<()> {
        while cursor.element >= self.count_of(cursor.index) {
            if cursor.index >= self.layout.bindings.len() {
                return Err(Error::Unknown("descriptor write past the end of the set".to_owned()));
            }
            cursor.element -= self.count_of(cursor.index);
            cursor.index += 1;
        }
        let binding = &self.layout.bindings[cursor.index];
        let ty = if binding.is_mutable() { ty } else { binding.ty };
        self.put(binding, cursor.element, ty, data)?;
        cursor.element += 1;
        Ok(())
    }

    /// Writes one descriptor of the layout's type.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    pub fn write(&mut self, binding: u32, element: u32, data: DescriptorData<'_>) -> Result<()> {
        let mut cursor = self.cursor(binding, element)?;
        let ty = self.layout.bindings[cursor.index].ty;
        self.write_at(&mut cursor, ty, data)
    }

    /// Writes bytes of an inline uniform block.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the binding is not such a block, or too short.
    pub fn write_inline(&mut self, binding: u32, offset: u32, bytes: &[u8]) -> Result<()> {
        let index = self.layout.find(binding).ok_or_else(|| no_such("binding", binding))?;
        let b = &self.layout.bindings[index];
        let end = u64::from(offset) + bytes.len() as u64;
        if !b.is_inline() || end > u64::from(self.count_of(index)) {
            return Err(Error::Unknown("write past the end of an inline uniform block".to_owned()));
        }
        self.target.write(b.offset + offset, bytes);
        Ok(())
    }

    fn put(&mut self, b: &Binding, element: u32, ty: vk::DescriptorType, data: DescriptorData<'_>) -> Result<()> {
        let immutable = b.immutable.get(element as usize).map(|s| s.info());
        if let Some(first) = b.dynamic {
            let DescriptorData::Buffer(buffer) = data else { return Err(mismatch(b.ty)) };
            if let Some(place) = self.dynamic.get_mut((first.saturating_add(element)) as usize) {
                *place = buffer.map_or_else(DynamicBuffer::default, |(buffer, offset, range)| {
                    let (address, size) = buffer.range(offset, range);
                    DynamicBuffer { address, size }
                });
            }
            return Ok(());
        }
        use vk::DescriptorType as D;
        let write = match (ty, data) {
            (D::UNIFORM_BUFFER | D::STORAGE_BUFFER, DescriptorData::Buffer(Some((buffer, offset, range)))) => {
                let (address, size) = buffer.range(offset, range);
                DescriptorWrite::Buffer { address, size }
            }
            (D::UNIFORM_TEXEL_BUFFER | D::STORAGE_TEXEL_BUFFER, DescriptorData::TexelBuffer(Some(view))) => {
                DescriptorWrite::TexelBuffer { address: view.address(), size: view.size(), format: view.format() }
            }
            (D::SAMPLED_IMAGE | D::STORAGE_IMAGE | D::INPUT_ATTACHMENT, DescriptorData::Image(Some(view))) => {
                DescriptorWrite::Image(view.info())
            }
            (D::SAMPLER, DescriptorData::Sampler(sampler)) => match immutable.or(sampler.map(|s| s.info())) {
                Some(info) => DescriptorWrite::Sampler(info),
                None => DescriptorWrite::Null,
            },
            (D::COMBINED_IMAGE_SAMPLER, DescriptorData::Combined { view, sampler }) => DescriptorWrite::Combined {
                view: view.map(|v| v.info()),
                sampler: immutable.or(sampler.map(|s| s.info())),
            },
            (D::UNIFORM_BUFFER | D::STORAGE_BUFFER, DescriptorData::Buffer(None))
            | (D::UNIFORM_TEXEL_BUFFER | D::STORAGE_TEXEL_BUFFER, DescriptorData::TexelBuffer(None))
            | (D::SAMPLED_IMAGE | D::STORAGE_IMAGE | D::INPUT_ATTACHMENT, DescriptorData::Image(None)) => {
                DescriptorWrite::Null
            }
            _ => return Err(mismatch(ty)),
        };
        if self.gpu.descriptor_size(ty) > b.size {
            return Err(mismatch(ty));
        }
        let mut bytes = [0u8; MAX_DESCRIPTOR_BYTES];
        let Some(bytes) = bytes.get_mut(..b.size as usize) else { return Err(mismatch(b.ty)) };
        self.gpu.write_descriptor(ty, &write, bytes);
        self.target.write(b.offset.wrapping_add(b.stride.wrapping_mul(element)), bytes);
        Ok(())
    }

    /// Writes what the layout itself says: immutable samplers.
    pub(crate) fn initialise(&mut self) {
        let layout = self.layout;
        for (index, b) in layout.bindings.iter().enumerate() {
            if b.immutable.is_empty() {
                continue;
            }
            for element in 0..self.count_of(index) {
                let data = if b.ty == vk::DescriptorType::SAMPLER {
                    DescriptorData::Sampler(None)
                } else {
                    DescriptorData::Combined { view: None, sampler: None }
                };
                // Only these two types can have immutable samplers; for others there is nothing to write.
                let _ = self.put(b, element, b.ty, data);
            }
        }
    }
}

fn mismatch(ty: vk::DescriptorType) -> Error {
    Error::Unknown(format!("descriptor data does not go with a binding of type {ty:?}"))
}

/// A VkDescriptorSet.
#[derive(Debug)]
pub struct DescriptorSet {
    device: Arc<Device>,
    layout: Arc<DescriptorSetLayout>,
    memory: Option<Arc<Block>>,
    offset: u64,
    size: u32,
    variable: Option<u32>,
    slot: u32,
    /// Lock order: after pool. Held while set memory is written.
    dynamic: Mutex<SmallVec<[DynamicBuffer; 2]>>,
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
        dynamic.resize(layout.dynamic_count as usize, DynamicBuffer::default());
        let set = DescriptorSet {
            device: device.clone(),
            layout,
            memory: if size > 0 { memory } else { None },
            offset,
            size,
            variable,
            slot,
            dynamic: Mutex::new(dynamic),
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

    /// Writes descriptors.
    ///
    /// # Errors
    /// Those of the closure.
    pub fn update<R>(&self, f: impl FnOnce(&mut SetWriter<'_>) -> Result<R>) -> Result<R> {
        let mut dynamic = lock(&self.dynamic);
        let target = match &self.memory {
            Some(block) => Target::Gpu(block, self.offset),
            None => Target::None,
        };
        f(&mut SetWriter {
            gpu: &**self.device.gpu(),
            layout: &self.layout,
            target,
            dynamic: &mut dynamic,
            variable: self.variable,
        })
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
            src.with_target(|t, _| t.read(s.offset + src_element, &mut bytes));
            dst.with_target(|t, _| t.write(d.offset + dst_element, &bytes));
            return Ok(());
        }
        let (mut from, mut to) =
            (Cursor { index: from, element: src_element }, Cursor { index: to, element: dst_element });
        for _ in 0..count {
            let s = src.step(&mut from)?;
            let d = dst.step(&mut to)?;
            if s.0.ty != d.0.ty && !s.0.is_mutable() && !d.0.is_mutable() {
                return Err(mismatch(d.0.ty));
            }
            // One set is locked at a time, because they may be the same, or be copied both ways at once.
            if let (Some(a), Some(b)) = (s.0.dynamic, d.0.dynamic) {
                let value = src.with_target(|_, list| list.get((a + s.1) as usize).copied()).unwrap_or_default();
                dst.with_target(|_, list| {
                    if let Some(place) = list.get_mut((b + d.1) as usize) {
                        *place = value;
                    }
                });
                continue;
            }
            let mut bytes = [0u8; MAX_DESCRIPTOR_BYTES];
            let Some(bytes) = bytes.get_mut(..s.0.size.min(d.0.size) as usize) else {
                return Err(mismatch(d.0.ty));
            };
            src.with_target(|t, _| t.read(s.0.offset.wrapping_add(s.0.stride.wrapping_mul(s.1)), bytes));
            dst.with_target(|t, _| t.write(d.0.offset.wrapping_add(d.0.stride.wrapping_mul(d.1)), bytes));
        }
        Ok(())
    }

    fn step(&self, cursor: &mut Cursor) -> Result<(&Binding, u32)> {
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
                cursor.element += 1;
                return Ok((b, cursor.element - 1));
            }
            cursor.element -= count;
            cursor.index += 1;
        }
    }

    fn with_target<R>(&self, f: impl FnOnce(&mut Target<'_>, &mut [DynamicBuffer]) -> R) -> R {
        let mut dynamic = lock(&self.dynamic);
        let mut target = match &self.memory {
            Some(block) => Target::Gpu(block, self.offset),
            None => Target::None,
        };
        f(&mut target, &mut dynamic)
    }

    /// GPU address of the set's memory; 0 if it has none.
    pub fn address(&self) -> u64 {
        self.memory.as_ref().map_or(0, |m| m.address().wrapping_add(self.offset))
    }

    /// Its layout.
    pub fn layout(&self) -> &Arc<DescriptorSetLayout> {
        &self.layout
    }

    /// Appends the dynamic buffers with these offsets applied.
    pub(crate) fn resolve_dynamic(&self, offsets: &[u32], out: &mut SmallVec<[DynamicBuffer; 4]>) {
        let dynamic = lock(&self.dynamic);
        out.extend(dynamic.iter().enumerate().map(|(i, d)| {
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
