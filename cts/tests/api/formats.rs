//! Formats whose texels stand in blocks or in several planes.

use crate::images::{flat, near, sample, upload};
use crate::support::*;
use ash::vk;
use cts::generated::types;

tests! { compressed_blocks, depth_and_stencil_planes, color_planes, limits_of_images }

/// Format, bytes of a block, its texels at (0, 0) and (3, 3).
type Known = (vk::Format, &'static [u8], [f32; 4], [f32; 4]);

/// A block of every compressed family.
const BLOCKS: [Known; 7] = [
    // Red and blue, with the code 3 in the last texel: a third of red.
    (
        vk::Format::BC1_RGBA_UNORM_BLOCK,
        &[0x00, 0xf8, 0x1f, 0x00, 0, 0, 0, 0xc0],
        [1.0, 0.0, 0.0, 1.0],
        [1.0 / 3.0, 0.0, 2.0 / 3.0, 1.0],
    ),
    // 255 and 0, with the code 1 in the last texel.
    (vk::Format::BC4_UNORM_BLOCK, &[255, 0, 0, 0, 0, 0, 0, 0x20], [1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]),
    // Mode 6: both endpoints all ones, but for the low bits.
    (
        vk::Format::BC7_UNORM_BLOCK,
        &[0xc0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0],
        [254.0 / 255.0; 4],
        [254.0 / 255.0; 4],
    ),
    // Mode 3: one endpoint is 0, the other the largest number; the last index is 15.
    (
        vk::Format::BC6H_UFLOAT_BLOCK,
        &[0x03, 0, 0, 0, 0xf8, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0xf0],
        [0.0, 0.0, 0.0, 1.0],
        [65504.0, 65504.0, 65504.0, 1.0],
    ),
    // Individual colours: 8 · 17 and 15 · 17 in red, table 0 with the smaller modifier, 2.
    (
        vk::Format::ETC2_R8G8B8_UNORM_BLOCK,
        &[0x8f, 0, 0, 0, 0, 0, 0, 0],
        [138.0 / 255.0, 2.0 / 255.0, 2.0 / 255.0, 1.0],
        [1.0, 2.0 / 255.0, 2.0 / 255.0, 1.0],
    ),
    // Base 100, multiplier 2, the modifier −3 everywhere.
    (
        vk::Format::EAC_R11_UNORM_BLOCK,
        &[100, 0x20, 0, 0, 0, 0, 0, 0],
        [756.0 / 2047.0, 0.0, 0.0, 1.0],
        [756.0 / 2047.0, 0.0, 0.0, 1.0],
    ),
    // One colour.
    (
        vk::Format::ASTC_4X4_UNORM_BLOCK,
        &[0xfc, 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x40, 0, 0x80, 0xff, 0xff, 0, 0],
        [0.25, 0.5, 1.0, 0.0],
        [0.25, 0.5, 1.0, 0.0],
    ),
];

unsafe fn compressed_blocks() -> R {
    let t = T::new(&[])?;
    let mut tested = 0;
    for (format, block, first, last) in BLOCKS {
        let p = t.format(format);
        let wanted = vk::FormatFeatureFlags::SAMPLED_IMAGE | vk::FormatFeatureFlags::TRANSFER_DST;
        if !p.optimal_tiling_features.contains(wanted) {
            continue;
        }
        tested += 1;
        // Two blocks in a row; the second is cut by the image's edge.
        let usage = vk::ImageUsageFlags::SAMPLED | vk::ImageUsageFlags::TRANSFER_DST;
        let i = t.image(&flat(format, 6, 4).usage(usage))?;
        upload(&t, &i, t.buf_of(&[block, block].concat())?)?;
        let places = [[0.5 / 6.0, 0.125, 0.0, 0.0], [3.5 / 6.0, 0.875, 0.0, 0.0], [4.5 / 6.0, 0.125, 0.0, 0.0]];
        let got = sample(&t, &i, vk::SamplerCreateInfo::default(), &places)?;
        for (got, want) in got.iter().zip([first, last, first]) {
            check!(near(got, &want, 2e-3), "{format:?}: {got:?}, should be {want:?}");
        }
    }
    need!(tested > 0, "compressed formats");
    Ok(())
}

/// A region of one aspect.
fn aspect(aspect_mask: vk::ImageAspectFlags, extent: [u32; 2], buffer_offset: u64) -> vk::BufferImageCopy {
    let layers = vk::ImageSubresourceLayers { aspect_mask, layer_count: 1, ..Default::default() };
    vk::BufferImageCopy {
        buffer_offset,
        image_subresource: layers,
        image_extent: vk::Extent3D { width: extent[0], height: extent[1], depth: 1 },
        ..Default::default()
    }
}

/// Fills every region from a buffer of random bytes and reads all of them again.
unsafe fn there_and_back(t: &T, i: &Img, regions: &[vk::BufferImageCopy], size: u64) -> R {
    let mut random = Random(77);
    let bytes: Vec<u8> = (0..size).map(|_| random.word() as u8).collect();
    let (from, to) = (t.buf_of(&bytes)?, t.zeros(size)?);
    let general = vk::ImageLayout::GENERAL;
    t.now(|c| {
        let all = vk::PipelineStageFlags::ALL_COMMANDS;
        let range = vk::ImageSubresourceRange {
            aspect_mask: if i.info.format == vk::Format::D32_SFLOAT_S8_UINT {
                vk::ImageAspectFlags::DEPTH | vk::ImageAspectFlags::STENCIL
            } else {
                vk::ImageAspectFlags::COLOR
            },
            ..whole()
        };
        let barrier = |old| {
            vk::ImageMemoryBarrier::default()
                .src_access_mask(vk::AccessFlags::MEMORY_WRITE)
                .dst_access_mask(vk::AccessFlags::MEMORY_READ | vk::AccessFlags::MEMORY_WRITE)
                .old_layout(old)
                .new_layout(general)
                .src_queue_family_index(vk::QUEUE_FAMILY_IGNORED)
                .dst_queue_family_index(vk::QUEUE_FAMILY_IGNORED)
                .image(i.h)
                .subresource_range(range)
        };
        let none = vk::DependencyFlags::empty();
        t.d.cmd_pipeline_barrier(c, all, all, none, &[], &[], &[barrier(vk::ImageLayout::UNDEFINED)]);
        t.d.cmd_copy_buffer_to_image(c, from.h, i.h, general, regions);
        t.d.cmd_pipeline_barrier(c, all, all, none, &[], &[], &[barrier(general)]);
        t.d.cmd_copy_image_to_buffer(c, i.h, general, to.h, regions);
    })?;
    equal(&to.get::<u8>(), &bytes)
}

/// Whether an image with copies can be made of a format.
unsafe fn copies(t: &T, format: vk::Format) -> bool {
    let both = vk::FormatFeatureFlags::TRANSFER_SRC | vk::FormatFeatureFlags::TRANSFER_DST;
    t.format(format).optimal_tiling_features.contains(both)
}

unsafe fn depth_and_stencil_planes() -> R {
    // This extension is what allows such copies on a queue without graphics.
    let t = T::new(&[c"VK_KHR_maintenance10"])?;
    let format = vk::Format::D32_SFLOAT_S8_UINT;
    need!(copies(&t, format), "copies of depth and stencil");
    let i = t.image(&flat(format, 17, 5))?;
    let regions =
        [aspect(vk::ImageAspectFlags::DEPTH, [17, 5], 0), aspect(vk::ImageAspectFlags::STENCIL, [17, 5], 17 * 5 * 4)];
    there_and_back(&t, &i, &regions, 17 * 5 * 5)
}

unsafe fn color_planes() -> R {
    let t = T::new(&[])?;
    let format = vk::Format::G8_B8R8_2PLANE_420_UNORM;
    need!(t.features.v11.sampler_ycbcr_conversion != 0 && copies(&t, format), "images of luma and chroma");
    let i = t.image(&flat(format, 24, 6))?;
    let regions =
        [aspect(vk::ImageAspectFlags::PLANE_0, [24, 6], 0), aspect(vk::ImageAspectFlags::PLANE_1, [12, 3], 24 * 6)];
    there_and_back(&t, &i, &regions, 24 * 6 + 12 * 3 * 2)
}

/// For every core format: more than one sample only in what can be an attachment, and the same answers whether the usage stands
/// in the first or in the second form of the flags.
unsafe fn limits_of_images() -> R {
    let t = T::new(&[c"VK_KHR_extended_flags"])?;
    use vk::{FormatFeatureFlags as F, ImageUsageFlags as U};
    let wide = t.has(c"VK_KHR_extended_flags");
    let usages = [U::TRANSFER_SRC, U::SAMPLED, U::STORAGE, U::SAMPLED | U::TRANSFER_DST, U::COLOR_ATTACHMENT];
    for format in (1..=184).map(vk::Format::from_raw) {
        let attachment =
            t.format(format).optimal_tiling_features.intersects(F::COLOR_ATTACHMENT | F::DEPTH_STENCIL_ATTACHMENT);
        for usage in usages {
            let info = vk::PhysicalDeviceImageFormatInfo2::default()
                .format(format)
                .ty(vk::ImageType::TYPE_2D)
                .tiling(vk::ImageTiling::OPTIMAL)
                .usage(usage);
            let sparse = vk::PhysicalDeviceSparseImageFormatInfo2::default()
                .format(format)
                .ty(vk::ImageType::TYPE_2D)
                .samples(vk::SampleCountFlags::TYPE_1)
                .tiling(vk::ImageTiling::OPTIMAL)
                .usage(usage);
            let ask = |info: &vk::PhysicalDeviceImageFormatInfo2<'_>| {
                let mut p = vk::ImageFormatProperties2::default();
                let r = t.instance().get_physical_device_image_format_properties2(t.physical, info, &mut p);
                (r, p.image_format_properties)
            };
            let count = |info: &vk::PhysicalDeviceSparseImageFormatInfo2<'_>| {
                t.instance().get_physical_device_sparse_image_format_properties2_len(t.physical, info)
            };
            let (r, p) = ask(&info);
            let input = ask(&vk::PhysicalDeviceImageFormatInfo2 { usage: usage | U::INPUT_ATTACHMENT, ..info }).0;
            check!(input.is_err() || attachment, "{format:?} as {usage:?} and an input attachment");
            if r.is_ok() && !attachment {
                same!(p.sample_counts, vk::SampleCountFlags::TYPE_1, "of {format:?} as {usage:?}");
            }
            if wide {
                let mut second =
                    types::ImageUsageFlags2CreateInfoKHR { usage: wide_usage(usage), ..Default::default() };
                let next = (&raw mut second).cast();
                let (r2, p2) = ask(&vk::PhysicalDeviceImageFormatInfo2 { p_next: next, usage: !usage, ..info });
                check!(r2 == r && p2.sample_counts == p.sample_counts, "{format:?} as {usage:?}: {r:?}, {r2:?}");
                same!(p2.max_extent, p.max_extent, "of {format:?} as {usage:?}");
                let wide = vk::PhysicalDeviceSparseImageFormatInfo2 { p_next: next, usage: !usage, ..sparse };
                same!(count(&wide), count(&sparse), "of {format:?} as {usage:?}");
            }
        }
    }
    Ok(())
}

fn wide_usage(usage: vk::ImageUsageFlags) -> types::ImageUsageFlags2KHR {
    types::ImageUsageFlags2KHR::from_raw(u64::from(usage.as_raw()))
}
