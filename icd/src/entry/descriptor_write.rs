//! Writing descriptors: updates, templates, pushed descriptors.

use super::{Callbacks, VkResult};
use crate::edge::{create, opt, plain, Allocator, In, Out, Slice, Taken};
use crate::objects::{CommandBuffer, Device};
use ash::vk;
use runtime::{Buffer, DescriptorData, DescriptorSet, PipelineLayout, SetWriter, TemplateEntry, UpdateTemplate};
use std::ffi::c_void;
use std::sync::Arc;

/// The descriptor an image info stands for, by type. Members that the type does not use are not looked at.
///
/// # Safety
/// The members that `ty` uses are valid.
unsafe fn image_data<'a>(ty: vk::DescriptorType, info: &vk::DescriptorImageInfo) -> DescriptorData<'a> {
    // A layout's immutable sampler makes the handle meaningless; the writer then ignores it, but it must not be followed
    // here either: `immutable_aware` below has made it null in that case.
    // SAFETY: this function's contract.
    unsafe {
        match ty {
            vk::DescriptorType::SAMPLER => DescriptorData::Sampler(opt(info.sampler).map(|s| &**s)),
            vk::DescriptorType::COMBINED_IMAGE_SAMPLER => DescriptorData::Combined {
                view: opt(info.image_view).map(|v| &**v),
                sampler: opt(info.sampler).map(|s| &**s),
            },
            _ => DescriptorData::Image(opt(info.image_view).map(|v| &**v)),
        }
    }
}

/// # Safety
/// The handle is null or live.
unsafe fn buffer_range<'a>(info: &vk::DescriptorBufferInfo) -> Option<(&'a Buffer, u64, u64)> {
    // SAFETY: this function's contract.
    unsafe { opt(info.buffer) }.map(|b| (&**b, info.offset, info.range))
}

/// # Safety
/// The handle is null or live.
unsafe fn texel_data<'a>(view: vk::BufferView) -> DescriptorData<'a> {
    // SAFETY: this function's contract.
    DescriptorData::TexelBuffer(unsafe { opt(view) }.map(|v| &**v))
}

/// Which of the three info arrays a type uses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Image,
    Buffer,
    Texel,
}

fn source(ty: vk::DescriptorType) -> Source {
    match ty {
        vk::DescriptorType::UNIFORM_BUFFER
        | vk::DescriptorType::STORAGE_BUFFER
        | vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC
        | vk::DescriptorType::STORAGE_BUFFER_DYNAMIC => Source::Buffer,
        vk::DescriptorType::UNIFORM_TEXEL_BUFFER | vk::DescriptorType::STORAGE_TEXEL_BUFFER => Source::Texel,
        _ => Source::Image,
    }
}

/// Hides the sampler of an image info where the layout has immutable ones: the handle may then be anything.
fn immutable_aware(mut info: vk::DescriptorImageInfo, immutable: bool) -> vk::DescriptorImageInfo {
    if immutable {
        info.sampler = vk::Sampler::null();
    }
    info
}

/// Does one VkWriteDescriptorSet.
#[inline]
fn write(w: &mut SetWriter<'_>, info: In<'_, vk::WriteDescriptorSet<'_>>) -> runtime::Result<()> {
    if source(info.descriptor_type) != Source::Buffer {
        return write_others(w, info);
    }
    let mut at = w.cursor(info.dst_binding, info.dst_array_element)?;
    // SAFETY: buffer types use pBufferInfo, whose handles are null or live.
    let infos = unsafe { plain(info.p_buffer_info, info.descriptor_count as usize) };
    // SAFETY: as above.
    w.write_buffers(&mut at, info.descriptor_type, infos.iter().map(|b| unsafe { buffer_range(b) }))
}

/// [`write`] for all but buffers, whose way is kept short.
#[inline(never)]
fn write_others(w: &mut SetWriter<'_>, info: In<'_, vk::WriteDescriptorSet<'_>>) -> runtime::Result<()> {
    let ty = info.descriptor_type;
    if ty == vk::DescriptorType::INLINE_UNIFORM_BLOCK {
        let Some(block) = info.next::<vk::WriteDescriptorSetInlineUniformBlock<'_>>() else {
            return Ok(());
        };
        return w.write_inline(info.dst_binding, info.dst_array_element, block.data());
    }
    let mut at = w.cursor(info.dst_binding, info.dst_array_element)?;
    let n = info.descriptor_count as usize;
    if source(ty) == Source::Texel {
        // SAFETY: texel-buffer types use pTexelBufferView, whose handles are null or live.
        for v in unsafe { plain(info.p_texel_buffer_view, n) } {
            // SAFETY: as above.
            w.write_at(&mut at, ty, unsafe { texel_data(*v) })?;
        }
        return Ok(());
    }
    // SAFETY: image and sampler types use pImageInfo; its samplers count where the binding has no immutable ones.
    for i in unsafe { plain(info.p_image_info, n) } {
        let i = immutable_aware(*i, w.has_immutable_samplers(&at));
        // SAFETY: as above.
        w.write_at(&mut at, ty, unsafe { image_data(ty, &i) })?;
    }
    Ok(())
}

pub fn update_descriptor_sets(
    device: &Device,
    writes: Slice<'_, vk::WriteDescriptorSet<'_>>,
    copies: Slice<'_, vk::CopyDescriptorSet<'_>>,
) {
    for info in writes.iter() {
        // SAFETY: for this command dstSet is valid.
        let Some(set) = (unsafe { info.dst_set() }) else {
            continue;
        };
        // The command cannot fail; what goes wrong is said to those who listen.
        let _ = device.ok(set.update(|w| write(w, info)));
    }
    for c in copies.iter() {
        let _ = device.ok(DescriptorSet::copy(
            c.src_set(),
            c.src_binding,
            c.src_array_element,
            c.dst_set(),
            c.dst_binding,
            c.dst_array_element,
            c.descriptor_count,
        ));
    }
}

pub fn create_descriptor_update_template(
    device: &Device,
    info: In<'_, vk::DescriptorUpdateTemplateCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::DescriptorUpdateTemplate>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || {
        let push = info.template_type == vk::DescriptorUpdateTemplateType::PUSH_DESCRIPTORS_KHR;
        // SAFETY: the pipeline layout counts for templates of pushed descriptors.
        let layout = push.then(|| unsafe { info.pipeline_layout() }).flatten();
        Ok(UpdateTemplate {
            entries: info
                .descriptor_update_entries()
                .iter()
                .map(|e| TemplateEntry {
                    binding: e.dst_binding,
                    element: e.dst_array_element,
                    count: e.descriptor_count,
                    ty: e.descriptor_type,
                    offset: e.offset,
                    stride: e.stride,
                })
                .collect(),
            layout: layout.cloned(),
            set: if push { info.set } else { 0 },
        })
    })
}

pub fn destroy_descriptor_update_template(
    device: &Device,
    template: Taken<'_, vk::DescriptorUpdateTemplate>,
    callbacks: Callbacks<'_>,
) {
    template.destroy(&Allocator::choose(callbacks, &device.alloc));
}

/// Does what a template says with the application's data.
///
/// # Safety
/// `data` holds what the template's entries describe.
unsafe fn write_template(w: &mut SetWriter<'_>, template: &UpdateTemplate, data: *const c_void) -> runtime::Result<()> {
    for e in &template.entries {
        let first = data.cast::<u8>().wrapping_add(e.offset);
        if e.ty == vk::DescriptorType::INLINE_UNIFORM_BLOCK {
            // SAFETY: this function's contract: `count` bytes stand there.
            w.write_inline(e.binding, e.element, unsafe { plain(first, e.count as usize) })?;
            continue;
        }
        let mut at = w.cursor(e.binding, e.element)?;
        let places = (0..e.count as usize).map(|i| first.wrapping_add(i * e.stride));
        // SAFETY (of the reads below): this function's contract; the application may pack its data, so nothing is said of
        // alignment.
        match source(e.ty) {
            Source::Buffer => {
                // SAFETY: as above.
                let infos = places.map(|p| unsafe { p.cast::<vk::DescriptorBufferInfo>().read_unaligned() });
                // SAFETY: as above: the handles are null or live.
                w.write_buffers(&mut at, e.ty, infos.map(|info| unsafe { buffer_range(&info) }))?;
            }
            Source::Texel => {
                for p in places {
                    // SAFETY: as above.
                    w.write_at(&mut at, e.ty, unsafe { texel_data(p.cast::<vk::BufferView>().read_unaligned()) })?;
                }
            }
            Source::Image => {
                for p in places {
                    // SAFETY: as above.
                    let info = unsafe { p.cast::<vk::DescriptorImageInfo>().read_unaligned() };
                    let info = immutable_aware(info, w.has_immutable_samplers(&at));
                    // SAFETY: as above.
                    w.write_at(&mut at, e.ty, unsafe { image_data(e.ty, &info) })?;
                }
            }
        }
    }
    Ok(())
}

/// # Safety
/// `data` holds what the template's entries describe.
pub unsafe fn update_descriptor_set_with_template(
    device: &Device,
    set: &DescriptorSet,
    template: &UpdateTemplate,
    data: *const c_void,
) {
    // SAFETY: this function's contract.
    let _ = device.ok(set.update(|w| unsafe { write_template(w, template, data) }));
}

fn push(cb: &CommandBuffer, layout: &PipelineLayout, set: u32, writes: Slice<'_, vk::WriteDescriptorSet<'_>>) {
    cb.rt.push_set(layout, set, |w| writes.iter().try_for_each(|info| write(w, info)));
}

pub fn cmd_push_descriptor_set_khr(
    cb: &CommandBuffer,
    _bind_point: vk::PipelineBindPoint,
    layout: &Arc<PipelineLayout>,
    set: u32,
    writes: Slice<'_, vk::WriteDescriptorSet<'_>>,
) {
    push(cb, layout, set, writes);
}

pub fn cmd_push_descriptor_set2_khr(cb: &CommandBuffer, info: In<'_, vk::PushDescriptorSetInfoKHR<'_>>) {
    if let Some(layout) = info.layout() {
        push(cb, layout, info.set, info.descriptor_writes());
    }
}

/// # Safety
/// `data` holds what the template's entries describe.
pub unsafe fn cmd_push_descriptor_set_with_template_khr(
    cb: &CommandBuffer,
    template: &UpdateTemplate,
    layout: &Arc<PipelineLayout>,
    set: u32,
    data: *const c_void,
) {
    cb.rt.push_set(layout, set, |w| {
        // SAFETY: this function's contract.
        unsafe { write_template(w, template, data) }
    });
}

pub fn cmd_push_descriptor_set_with_template2_khr(
    cb: &CommandBuffer,
    info: In<'_, vk::PushDescriptorSetWithTemplateInfoKHR<'_>>,
) {
    if let Some(layout) = info.layout() {
        // SAFETY: by valid usage `pData` holds what the template's entries describe.
        unsafe {
            cmd_push_descriptor_set_with_template_khr(
                cb,
                info.descriptor_update_template(),
                layout,
                info.set,
                info.p_data,
            );
        }
    }
}
