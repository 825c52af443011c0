//! Images and image views.

use super::buffer::{fill_requirements, requirements, NO_REQUIREMENTS};
use super::descriptor_buffer::captured;
use super::descriptor_heap::captured_image;
use super::format::sparse_format;
use super::memory::note_bind;
use super::{Callbacks, VkResult};
use crate::edge::{create, create_and_tell, raw_handle, Allocator, In, InOut, Out, OutArray, Slice, Taken};
use crate::generated::types;
use crate::objects::Device;
use ash::vk;
use runtime::gpu::ImageCreate;
use runtime::{Image, ImageView, ImageViewCreate, Memory, SparseRequirements};
use std::sync::Arc;

fn image_create(info: In<'_, vk::ImageCreateInfo<'_>>) -> ImageCreate {
    let e = info.extent;
    // The wider flags replace the others; they have no bits of their own yet.
    let flags = info.next::<types::ImageCreateFlags2CreateInfoKHR<'_>>();
    let usage = info.next::<types::ImageUsageFlags2CreateInfoKHR<'_>>();
    ImageCreate {
        flags: flags.map_or(info.flags, |f| narrow_flags(f.flags)),
        ty: info.image_type,
        format: info.format,
        extent: [e.width, e.height, e.depth],
        levels: info.mip_levels,
        layers: info.array_layers,
        samples: info.samples.as_raw(),
        tiling: info.tiling,
        usage: usage.map_or(info.usage, |u| narrow_usage(u.usage)),
    }
}

/// The bits that the first form of the flags has.
pub fn narrow_flags(f: types::ImageCreateFlags2KHR) -> vk::ImageCreateFlags {
    vk::ImageCreateFlags::from_raw(f.as_raw() as u32)
}

/// The bits that the first form of the usage has.
pub fn narrow_usage(u: types::ImageUsageFlags2KHR) -> vk::ImageUsageFlags {
    vk::ImageUsageFlags::from_raw(u.as_raw() as u32)
}

pub fn create_image(
    device: &Device,
    info: In<'_, vk::ImageCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::Image>,
) -> VkResult {
    // Sparse images have their addresses from the start.
    create_and_tell(
        &device.alloc,
        callbacks,
        out,
        || {
            let captured = info.next().and_then(captured).or_else(|| info.next().and_then(captured_image));
            device.ok(Image::new(&device.rt, &image_create(info), captured))
        },
        |image, handle| addresses(device, image, handle, vk::DeviceAddressBindingTypeEXT::BIND),
    )
}

fn addresses(device: &Device, image: &Image, handle: u64, ty: vk::DeviceAddressBindingTypeEXT) {
    device.report_addresses(ty, (vk::ObjectType::IMAGE, handle), image.address(), image.requirements().size);
}

pub fn destroy_image(device: &Device, image: Taken<'_, vk::Image>, callbacks: Callbacks<'_>) {
    if let Some(i) = image.object() {
        addresses(device, i, image.raw(), vk::DeviceAddressBindingTypeEXT::UNBIND);
    }
    image.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn get_image_memory_requirements(_device: &Device, image: &Arc<Image>, out: Out<'_, vk::MemoryRequirements>) {
    out.set(requirements(image.requirements()));
}

pub fn get_image_memory_requirements2(
    _device: &Device,
    info: In<'_, vk::ImageMemoryRequirementsInfo2<'_>>,
    out: InOut<'_, vk::MemoryRequirements2<'_>>,
) {
    fill_requirements(
        out,
        match info.next::<vk::ImagePlaneMemoryRequirementsInfo<'_>>() {
            Some(plane) => info.image().plane_requirements(plane.plane_aspect),
            None => info.image().requirements(),
        },
    );
}

pub fn get_device_image_memory_requirements(
    device: &Device,
    info: In<'_, vk::DeviceImageMemoryRequirements<'_>>,
    out: InOut<'_, vk::MemoryRequirements2<'_>>,
) {
    // The command cannot fail: an image that cannot be made needs nothing.
    let r = info.create_info().and_then(|c| {
        let create = image_create(c);
        let disjoint = create.flags.contains(vk::ImageCreateFlags::DISJOINT);
        match info.plane_aspect {
            aspect if disjoint => Image::plane_requirements_of(&device.rt, &create, aspect).ok(),
            _ => Image::requirements_of(&device.rt, &create).ok(),
        }
    });
    fill_requirements(out, r.unwrap_or(NO_REQUIREMENTS));
}

/// The API's form of what is bound in parts. All layers share one mip tail, and nothing has metadata.
fn sparse_requirements(r: &SparseRequirements) -> vk::SparseImageMemoryRequirements {
    vk::SparseImageMemoryRequirements {
        format_properties: sparse_format(r.aspect, r.granularity),
        image_mip_tail_first_lod: r.tail_first_level,
        image_mip_tail_size: r.tail_size,
        image_mip_tail_offset: r.tail_offset,
        image_mip_tail_stride: 0,
    }
}

pub fn get_image_sparse_memory_requirements(
    _device: &Device,
    image: &Arc<Image>,
    out: OutArray<'_, vk::SparseImageMemoryRequirements>,
) {
    let r: Vec<_> = image.sparse_requirements().iter().map(sparse_requirements).collect();
    let _ = out.write(r);
}

fn fill_sparse(out: OutArray<'_, vk::SparseImageMemoryRequirements2<'_>>, r: Option<SparseRequirements>) {
    let _ = out.fill(usize::from(r.is_some()), |_, mut place: InOut<'_, vk::SparseImageMemoryRequirements2<'_>>| {
        if let Some(r) = &r {
            place.memory_requirements = sparse_requirements(r);
        }
    });
}

pub fn get_image_sparse_memory_requirements2(
    _device: &Device,
    info: In<'_, vk::ImageSparseMemoryRequirementsInfo2<'_>>,
    out: OutArray<'_, vk::SparseImageMemoryRequirements2<'_>>,
) {
    fill_sparse(out, info.image().sparse_requirements());
}

pub fn get_device_image_sparse_memory_requirements(
    device: &Device,
    info: In<'_, vk::DeviceImageMemoryRequirements<'_>>,
    out: OutArray<'_, vk::SparseImageMemoryRequirements2<'_>>,
) {
    // The command cannot fail: an image that cannot be made needs nothing.
    let r = info.create_info().and_then(|c| Image::sparse_requirements_of(&device.rt, &image_create(c)).ok());
    fill_sparse(out, r.flatten());
}

pub fn bind_image_memory(device: &Device, image: &Arc<Image>, memory: &Arc<Memory>, offset: u64) -> VkResult {
    device.ok(image.bind(memory, offset))?;
    addresses(device, image, raw_handle(image), vk::DeviceAddressBindingTypeEXT::BIND);
    Ok(())
}

pub fn bind_image_memory2(device: &Device, infos: Slice<'_, vk::BindImageMemoryInfo<'_>>) -> VkResult {
    // Every bind is tried; the first failure is the command's result.
    let mut all = Ok(());
    for b in infos.iter() {
        // SAFETY: without swapchains the memory is valid for every bind.
        let one = match unsafe { b.memory() } {
            Some(memory) => match b.next::<vk::BindImagePlaneMemoryInfo<'_>>() {
                Some(plane) => device.ok(b.image().bind_plane(plane.plane_aspect, memory, b.memory_offset)),
                None => bind_image_memory(device, b.image(), memory, b.memory_offset),
            },
            None => Err(vk::Result::ERROR_UNKNOWN),
        };
        all = all.and(note_bind(b, one));
    }
    all
}

pub fn get_image_subresource_layout(
    _device: &Device,
    image: &Arc<Image>,
    subresource: In<'_, vk::ImageSubresource>,
    out: Out<'_, vk::SubresourceLayout>,
) {
    out.set(image.subresource_layout(subresource.get()));
}

/// Says, where it is asked for, that the driver does not compress images.
pub(super) fn not_compressed<T: vk::TaggedStructure>(mut out: InOut<'_, T>) {
    for mut node in out.chain() {
        if let Some(p) = node.cast::<vk::ImageCompressionPropertiesEXT<'_>>() {
            p.image_compression_flags = vk::ImageCompressionFlagsEXT::DISABLED;
            p.image_compression_fixed_rate_flags = vk::ImageCompressionFixedRateFlagsEXT::NONE;
        }
    }
}

pub fn get_image_subresource_layout2_khr(
    _device: &Device,
    image: &Arc<Image>,
    subresource: In<'_, vk::ImageSubresource2KHR<'_>>,
    mut out: InOut<'_, vk::SubresourceLayout2KHR<'_>>,
) {
    out.subresource_layout = image.subresource_layout(&subresource.image_subresource);
    say_more(out);
}

/// What is known of a subresource besides where it stands.
fn say_more(mut out: InOut<'_, vk::SubresourceLayout2KHR<'_>>) {
    let size = out.subresource_layout.size;
    for mut node in out.chain() {
        if let Some(m) = node.cast::<vk::SubresourceHostMemcpySizeEXT<'_>>() {
            m.size = size;
        }
    }
    not_compressed(out);
}

pub fn get_device_image_subresource_layout_khr(
    device: &Device,
    info: In<'_, vk::DeviceImageSubresourceInfoKHR<'_>>,
    mut out: InOut<'_, vk::SubresourceLayout2KHR<'_>>,
) {
    out.subresource_layout = match (info.create_info(), info.subresource()) {
        (Some(c), Some(s)) => Image::layout_of(&device.rt, &image_create(c), &s.image_subresource).unwrap_or_default(),
        _ => vk::SubresourceLayout::default(),
    };
    say_more(out);
}

/// What a view is to show.
pub(super) fn view_create(info: In<'_, vk::ImageViewCreateInfo<'_>>) -> ImageViewCreate {
    ImageViewCreate {
        view_type: info.view_type,
        format: info.format,
        components: info.components,
        range: info.subresource_range,
        usage: info
            .next::<types::ImageViewUsage2CreateInfoKHR<'_>>()
            .map(|u| narrow_usage(u.usage))
            .or_else(|| info.next::<vk::ImageViewUsageCreateInfo<'_>>().map(|u| u.usage)),
        slices: info.next::<vk::ImageViewSlicedCreateInfoEXT<'_>>().map(|s| (s.slice_offset, s.slice_count)),
        decode_mode: info.next::<vk::ImageViewASTCDecodeModeEXT<'_>>().map(|m| m.decode_mode),
        min_lod: info.next::<vk::ImageViewMinLodCreateInfoEXT<'_>>().map_or(0.0, |m| m.min_lod),
    }
}

pub fn create_image_view(
    device: &Device,
    info: In<'_, vk::ImageViewCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::ImageView>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || device.ok(ImageView::new(&device.rt, info.image(), &view_create(info))))
}

pub fn destroy_image_view(device: &Device, view: Taken<'_, vk::ImageView>, callbacks: Callbacks<'_>) {
    view.destroy(&Allocator::choose(callbacks, &device.alloc));
}
