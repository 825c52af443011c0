//! Writing descriptors, wherever a set's bytes are.

use crate::buffer::Buffer;
use crate::buffer_view::BufferView;
use crate::descriptor_dynamic::DynamicCell;
use crate::error::{Error, Result};
use crate::gpu::{DescriptorWrite, DynamicBuffer, Gpu};
use crate::heap::Block;
use crate::image_view::ImageView;
use crate::sampler::Sampler;
use crate::set_layout::{Binding, DescriptorSetLayout};
use ash::vk;
use std::sync::Arc;

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
pub(crate) enum Target<'a> {
    None,
    Gpu(&'a Block, u64),
    Host(&'a mut [u8]),
}

impl Target<'_> {
    #[inline]
    pub fn write(&mut self, offset: u32, bytes: &[u8]) {
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

    #[inline]
    fn write_pairs(&mut self, offset: u32, stride: u32, pairs: impl ExactSizeIterator<Item = [u64; 2]>) {
        match self {
            Target::None => {}
            Target::Gpu(block, base) => block.write_pairs(base.wrapping_add(u64::from(offset)), stride, pairs),
            Target::Host(shadow) => {
                let places = shadow.get_mut(offset as usize..).unwrap_or_default().chunks_mut(stride.max(1) as usize);
                for (place, pair) in places.zip(pairs) {
                    if let Some(place) = place.get_mut(..16) {
                        place[..8].copy_from_slice(&pair[0].to_le_bytes());
                        place[8..].copy_from_slice(&pair[1].to_le_bytes());
                    }
                }
            }
        }
    }

    pub fn read(&self, offset: u32, bytes: &mut [u8]) {
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
    pub(crate) index: usize,
    pub(crate) element: u32,
}

/// Writes descriptors of one set.
pub struct SetWriter<'a> {
    /// Followed only where the GPU is asked something.
    pub(crate) gpu: &'a Arc<dyn Gpu>,
    pub(crate) layout: &'a DescriptorSetLayout,
    pub(crate) target: Target<'a>,
    pub(crate) dynamic: &'a [DynamicCell],
    /// Descriptors of the last binding, where the set has fewer than the layout.
    pub(crate) variable: Option<u32>,
}

#[cold]
pub(crate) fn no_such(what: &str, number: u32) -> Error {
    Error::Unknown(format!("the descriptor-set layout has no {what} {number}"))
}

impl<'a> SetWriter<'a> {
    /// A writer over host memory: push descriptors.
    pub(crate) fn over(gpu: &'a Arc<dyn Gpu>, layout: &'a DescriptorSetLayout, shadow: &'a mut [u8]) -> SetWriter<'a> {
        SetWriter { gpu, layout, target: Target::Host(shadow), dynamic: &[], variable: None }
    }

    #[inline]
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
    #[inline]
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
    #[inline(never)]
    pub fn write_at(&mut self, cursor: &mut Cursor, ty: vk::DescriptorType, data: DescriptorData<'_>) -> Result<()> {
        let binding = self.settle(cursor)?;
        let ty = if binding.is_mutable() { ty } else { binding.ty };
        self.put(binding, cursor.element, ty, data)?;
        cursor.element += 1;
        Ok(())
    }

    /// Moves the cursor over the ends of bindings to one that has the element; that binding.
    #[inline]
    fn settle(&self, cursor: &mut Cursor) -> Result<&'a Binding> {
        loop {
            let Some(binding) = self.layout.bindings.get(cursor.index) else { return Err(past_the_end()) };
            let count = self.count_of(cursor.index);
            if cursor.element < count {
                return Ok(binding);
            }
            cursor.element -= count;
            cursor.index += 1;
        }
    }

    /// As [`write_at`](Self::write_at), for several descriptors of buffers one after the other.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    #[inline]
    pub fn write_buffers<'b>(
        &mut self,
        cursor: &mut Cursor,
        ty: vk::DescriptorType,
        mut buffers: impl ExactSizeIterator<Item = Option<(&'b Buffer, u64, u64)>>,
    ) -> Result<()> {
        while buffers.len() > 0 {
            let binding = self.settle(cursor)?;
            // How many descriptors from here on are two words each, at equal distances.
            let run = binding.words.saturating_sub(cursor.element);
            if run == 0 {
                let Some(buffer) = buffers.next() else { break };
                self.write_at(cursor, ty, DescriptorData::Buffer(buffer))?;
                continue;
            }
            let place = binding.offset.wrapping_add(binding.stride.wrapping_mul(cursor.element));
            let n = (run as usize).min(buffers.len());
            let pairs = (0..n).map(|_| {
                let buffer = buffers.next().flatten();
                buffer.map_or([0; 2], |(buffer, offset, range)| buffer.range(offset, range).into())
            });
            self.target.write_pairs(place, binding.stride, pairs);
            cursor.element += n as u32;
        }
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
            if let Some(cell) = self.dynamic.get(first.saturating_add(element) as usize) {
                cell.set(buffer.map_or_else(DynamicBuffer::default, |(buffer, offset, range)| {
                    let (address, size) = buffer.range(offset, range);
                    DynamicBuffer { address, size }
                }));
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

#[cold]
fn past_the_end() -> Error {
    Error::Unknown("descriptor write past the end of the set".to_owned())
}

#[cold]
pub(crate) fn mismatch(ty: vk::DescriptorType) -> Error {
    Error::Unknown(format!("descriptor data does not go with a binding of type {ty:?}"))
}
