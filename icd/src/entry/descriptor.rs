//! Descriptor-set layouts, pools and sets; pipeline layouts.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, InOut, Out, OutSlice, Slice, Taken};
use crate::objects::Device;
use ash::vk;
use ash::vk::Handle;
use runtime::{
    DescriptorPool, DescriptorPoolCreate, DescriptorSet, DescriptorSetLayout, LayoutBinding, PipelineLayout,
    SetAllocate,
};
use std::sync::Arc;

/// The lists of types, one per binding or pool size; those behind the end are empty.
fn mutable_types(info: Option<In<'_, vk::MutableDescriptorTypeCreateInfoEXT<'_>>>) -> Vec<Vec<vk::DescriptorType>> {
    let lists = info.into_iter().flat_map(|i| i.mutable_descriptor_type_lists().iter());
    lists.map(|list| list.descriptor_types().to_vec()).collect()
}

fn layout_bindings(info: In<'_, vk::DescriptorSetLayoutCreateInfo<'_>>) -> Vec<LayoutBinding> {
    let flags = info.next::<vk::DescriptorSetLayoutBindingFlagsCreateInfo<'_>>().map_or(&[][..], |f| f.binding_flags());
    let mut mutable = mutable_types(info.next()).into_iter();
    info.bindings()
        .iter()
        .enumerate()
        .map(|(i, b)| {
            let sampled =
                matches!(b.descriptor_type, vk::DescriptorType::SAMPLER | vk::DescriptorType::COMBINED_IMAGE_SAMPLER);
            // SAFETY: immutable samplers are looked at for the types that have samplers.
            let immutable = sampled.then(|| unsafe { b.immutable_samplers() });
            LayoutBinding {
                binding: b.binding,
                ty: b.descriptor_type,
                count: b.descriptor_count,
                stages: b.stage_flags,
                flags: flags.get(i).copied().unwrap_or_default(),
                immutable_samplers: immutable.into_iter().flat_map(|s| s.iter().map(|h| h.object().clone())).collect(),
                mutable_types: mutable.next().unwrap_or_default(),
            }
        })
        .collect()
}

pub fn create_descriptor_set_layout(
    device: &Device,
    info: In<'_, vk::DescriptorSetLayoutCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::DescriptorSetLayout>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || {
        let bindings = layout_bindings(info);
        device.ok(DescriptorSetLayout::new(&device.rt, info.flags, &bindings))
    })
}

pub fn destroy_descriptor_set_layout(
    device: &Device,
    layout: Taken<'_, vk::DescriptorSetLayout>,
    callbacks: Callbacks<'_>,
) {
    layout.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn get_descriptor_set_layout_support(
    device: &Device,
    info: In<'_, vk::DescriptorSetLayoutCreateInfo<'_>>,
    mut out: InOut<'_, vk::DescriptorSetLayoutSupport<'_>>,
) {
    let support = DescriptorSetLayout::support(&device.rt, info.flags, &layout_bindings(info));
    out.supported = support.supported.into();
    for mut node in out.chain() {
        if let Some(v) = node.cast::<vk::DescriptorSetVariableDescriptorCountLayoutSupport<'_>>() {
            v.max_variable_descriptor_count = support.max_variable_count;
        }
    }
}

pub fn create_pipeline_layout(
    device: &Device,
    info: In<'_, vk::PipelineLayoutCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::PipelineLayout>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || {
        let sets = info.set_layouts().iter().map(|s| s.object_opt().cloned()).collect();
        device.ok(PipelineLayout::new(&device.rt, sets, info.push_constant_ranges()))
    })
}

pub fn destroy_pipeline_layout(device: &Device, layout: Taken<'_, vk::PipelineLayout>, callbacks: Callbacks<'_>) {
    layout.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn create_descriptor_pool(
    device: &Device,
    info: In<'_, vk::DescriptorPoolCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::DescriptorPool>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || {
        let pool = DescriptorPoolCreate {
            flags: info.flags,
            max_sets: info.max_sets,
            sizes: info.pool_sizes().iter().map(|s| (s.ty, s.descriptor_count)).collect(),
            max_inline_blocks: info
                .next::<vk::DescriptorPoolInlineUniformBlockCreateInfo<'_>>()
                .map_or(0, |i| i.max_inline_uniform_block_bindings),
            mutable_types: mutable_types(info.next()),
        };
        device.ok(DescriptorPool::new(&device.rt, &pool))
    })
}

pub fn destroy_descriptor_pool(device: &Device, pool: Taken<'_, vk::DescriptorPool>, callbacks: Callbacks<'_>) {
    pool.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn reset_descriptor_pool(
    _device: &Device,
    pool: &Arc<DescriptorPool>,
    _flags: vk::DescriptorPoolResetFlags,
) -> VkResult {
    pool.reset();
    Ok(())
}

pub fn allocate_descriptor_sets(
    device: &Device,
    info: In<'_, vk::DescriptorSetAllocateInfo<'_>>,
    mut out: OutSlice<'_, vk::DescriptorSet>,
) -> VkResult {
    let counts = info
        .next::<vk::DescriptorSetVariableDescriptorCountAllocateInfo<'_>>()
        .map_or(&[][..], |v| v.descriptor_counts());
    let requests: Vec<SetAllocate> = info
        .set_layouts()
        .iter()
        .enumerate()
        .map(|(i, l)| SetAllocate { layout: l.object().clone(), variable_count: counts.get(i).copied().unwrap_or(0) })
        .collect();
    match device.ok(info.descriptor_pool().allocate(&requests)) {
        Ok(sets) => {
            // The pool keeps the sets alive; the handle is the object's address.
            for (i, set) in sets.iter().enumerate() {
                out.set(i, vk::DescriptorSet::from_raw(Arc::as_ptr(set) as u64));
            }
            Ok(())
        }
        Err(e) => {
            for i in 0..out.len() {
                out.set(i, vk::DescriptorSet::null());
            }
            Err(e)
        }
    }
}

pub fn free_descriptor_sets(
    _device: &Device,
    pool: &Arc<DescriptorPool>,
    sets: Slice<'_, vk::DescriptorSet>,
) -> VkResult {
    let sets: Vec<&DescriptorSet> = sets.iter().filter_map(|s| s.object_opt()).collect();
    pool.free(&sets);
    Ok(())
}
