//! VK_KHR_maintenance8: copies between depth, stencil and colour, offsets that are not constant, remainders of negative numbers,
//! merging pipeline caches from several threads, blits from slices to layers.

use crate::images;
use crate::support::*;
use ash::vk;
use cts::generated::types;
use vk::ImageAspectFlags as Aspect;

tests! { depth_and_stencil_as_color, remainders_of_negative_numbers, offsets_that_vary, caches_merged_by_threads, slices_to_layers }

const GENERAL: vk::ImageLayout = vk::ImageLayout::GENERAL;

unsafe fn device(unvalidated: bool) -> R<T> {
    // The second is what allows copies of depth and stencil on a queue without graphics.
    let extensions = [c"VK_KHR_maintenance8", c"VK_KHR_maintenance10"];
    let t = T::open(&cts::Setup { extensions: &extensions, unvalidated, ..Default::default() })?;
    need!(t.features.maintenance8.maintenance8 != 0, "maintenance8");
    Ok(t)
}

unsafe fn ready(t: &T, c: vk::CommandBuffer, i: &Img, aspect_mask: Aspect) {
    let b = vk::ImageMemoryBarrier::default()
        .dst_access_mask(vk::AccessFlags::TRANSFER_WRITE)
        .new_layout(GENERAL)
        .src_queue_family_index(vk::QUEUE_FAMILY_IGNORED)
        .dst_queue_family_index(vk::QUEUE_FAMILY_IGNORED)
        .image(i.h)
        .subresource_range(vk::ImageSubresourceRange { aspect_mask, ..whole() });
    let all = vk::PipelineStageFlags::ALL_COMMANDS;
    t.d.cmd_pipeline_barrier(c, all, all, vk::DependencyFlags::empty(), &[], &[], &[b]);
}

/// From a buffer to colour, to an aspect of another image, back to colour, and into a buffer.
unsafe fn through(t: &T, color: vk::Format, other: (vk::Format, Aspect, Aspect), bytes: &[u8]) -> R {
    let (format, aspect, all_aspects) = other;
    let (w, h) = (19, 7);
    let [a, b] = [t.image(&images::flat(color, w, h))?, t.image(&images::flat(color, w, h))?];
    let between = t.image(&images::flat(format, w, h))?;
    let (from, to) = (t.buf_of(bytes)?, t.zeros(bytes.len() as u64)?);
    let layers = |aspect_mask| vk::ImageSubresourceLayers { aspect_mask, layer_count: 1, ..Default::default() };
    let extent = vk::Extent3D { width: w, height: h, depth: 1 };
    let region =
        vk::BufferImageCopy { image_subresource: layers(Aspect::COLOR), image_extent: extent, ..Default::default() };
    let copy = |src, dst| vk::ImageCopy {
        src_subresource: layers(src),
        dst_subresource: layers(dst),
        extent,
        ..Default::default()
    };
    t.now(|c| {
        ready(t, c, &a, Aspect::COLOR);
        ready(t, c, &b, Aspect::COLOR);
        ready(t, c, &between, all_aspects);
        t.d.cmd_copy_buffer_to_image(c, from.h, a.h, GENERAL, &[region]);
        t.full_barrier(c);
        t.d.cmd_copy_image(c, a.h, GENERAL, between.h, GENERAL, &[copy(Aspect::COLOR, aspect)]);
        t.full_barrier(c);
        t.d.cmd_copy_image(c, between.h, GENERAL, b.h, GENERAL, &[copy(aspect, Aspect::COLOR)]);
        t.full_barrier(c);
        t.d.cmd_copy_image_to_buffer(c, b.h, GENERAL, to.h, &[region]);
    })?;
    equal(&to.get::<u8>(), bytes)
}

unsafe fn depth_and_stencil_as_color() -> R {
    use vk::Format as F;
    let t = device(false)?;
    let copies = |format| {
        let both = vk::FormatFeatureFlags::TRANSFER_SRC | vk::FormatFeatureFlags::TRANSFER_DST;
        t.format(format).optimal_tiling_features.contains(both)
    };
    let mut random = Random(81);
    let floats: Vec<u8> = (0..19 * 7).flat_map(|_| (random.below(1000) as f32 / 1000.0).to_ne_bytes()).collect();
    let halves: Vec<u8> = (0..19 * 7 * 2).map(|_| random.word() as u8).collect();
    let mut tested = 0;
    for (depth, aspects) in [
        (F::D32_SFLOAT, Aspect::DEPTH),
        (F::D16_UNORM, Aspect::DEPTH),
        (F::S8_UINT, Aspect::STENCIL),
        (F::D32_SFLOAT_S8_UINT, Aspect::DEPTH | Aspect::STENCIL),
    ] {
        if !copies(depth) {
            continue;
        }
        tested += 1;
        if aspects.contains(Aspect::DEPTH) {
            let (colors, bytes) = match depth {
                F::D16_UNORM => ([F::R16_UINT, F::R16_UNORM], &halves),
                _ => ([F::R32_UINT, F::R32_SFLOAT], &floats),
            };
            for color in colors {
                through(&t, color, (depth, Aspect::DEPTH, aspects), bytes)?;
            }
        }
        if aspects.contains(Aspect::STENCIL) {
            for color in [F::R8_UINT, F::R8_UNORM] {
                through(&t, color, (depth, Aspect::STENCIL, aspects), &halves[..19 * 7])?;
            }
        }
    }
    need!(tested > 0, "copies of depth and stencil");
    Ok(())
}

unsafe fn remainders_of_negative_numbers() -> R {
    let t = device(false)?;
    let values = [7i32, -7, 8, -8, 1, -1, i32::MAX, i32::MIN + 1];
    let pairs: Vec<[i32; 2]> = values.iter().flat_map(|a| values.map(|b| [*a, b])).collect();
    let o = t.zeros(64 * 8)?;
    t.compute(spv!("remainders"), &[B::S(t.buf_of(&pairs)?), B::S(o)], &[], [1, 1, 1])?;
    // The remainder has the sign of the dividend, the modulus that of the divisor.
    let want: Vec<[i32; 2]> = pairs
        .iter()
        .map(|[a, b]| {
            let r = a % b;
            [r, if r != 0 && (r < 0) != (*b < 0) { r + b } else { r }]
        })
        .collect();
    equal(&o.get::<[i32; 2]>(), &want)
}

unsafe fn offsets_that_vary() -> R {
    let t = device(false)?;
    need!(t.features.core.shader_image_gather_extended != 0, "shaderImageGatherExtended");
    let usage = vk::ImageUsageFlags::SAMPLED | vk::ImageUsageFlags::TRANSFER_DST;
    let i = t.image(&images::flat(vk::Format::R8G8B8A8_UNORM, 16, 16).usage(usage))?;
    let mut random = Random(82);
    let texels = random.words(256);
    images::upload(&t, &i, t.buf_of(&texels)?)?;
    let offsets: Vec<[i32; 2]> = (0..16).map(|_| [random.below(16) as i32 - 8, random.below(16) as i32 - 8]).collect();
    let s = t.own(t.d.create_sampler(&vk::SamplerCreateInfo::default(), None)?);
    // They count from the middle of texel (8, 8).
    let view = t.view(&i, vk::ImageViewType::TYPE_2D)?;
    let o = t.zeros(32 * 16)?;
    t.compute(spv!("offsets"), &[B::Ci(view, s), B::S(t.buf_of(&offsets)?), B::S(o)], &[], [1, 1, 1])?;
    for (k, (got, [x, y])) in o.get::<[[f32; 4]; 2]>().into_iter().zip(&offsets).enumerate() {
        let texel = texels[((8 + y) * 16 + 8 + x) as usize].to_le_bytes();
        let want = texel.map(|v| f32::from(v) / 255.0);
        check!(got.iter().all(|g| images::near(g, &want, 1e-5)), "invocation {k}: {got:?}, should be {want:?}");
    }
    Ok(())
}

unsafe fn caches_merged_by_threads() -> R {
    let t = device(false)?;
    let d = &t.d;
    let flags = types::PIPELINE_CACHE_CREATE_INTERNALLY_SYNCHRONIZED_MERGE_BIT_KHR;
    let all = t.own(d.create_pipeline_cache(&vk::PipelineCacheCreateInfo::default().flags(flags), None)?);
    let layout = t.kernel(spv!("affine"), &[vk::DescriptorType::STORAGE_BUFFER], 16)?.layout;
    let module = t.own(d.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(spv!("affine")), None)?);
    // Each thread makes pipelines with the shared cache while it merges others into it.
    let one = |size: u32| -> Result<(), vk::Result> {
        let map = [vk::SpecializationMapEntry { constant_id: 0, offset: 0, size: 4 }];
        let bytes = size.to_ne_bytes();
        let constants = vk::SpecializationInfo::default().map_entries(&map).data(&bytes);
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(module)
            .name(c"main")
            .specialization_info(&constants);
        let own = d.create_pipeline_cache(&vk::PipelineCacheCreateInfo::default(), None)?;
        let create = [vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout)];
        let made = [own, all].map(|cache| {
            let p = d.create_compute_pipelines(cache, &create, None).map_err(|(_, e)| e)?;
            d.merge_pipeline_caches(all, &[own])?;
            Ok(p[0])
        });
        d.destroy_pipeline_cache(own, None);
        for p in made {
            d.destroy_pipeline(p?, None);
        }
        Ok(())
    };
    let results: Vec<_> = std::thread::scope(|s| {
        let one = &one;
        let threads: Vec<_> = (0..4).map(|n| s.spawn(move || (0..4).try_for_each(|k| one(1 + n * 4 + k)))).collect();
        threads.into_iter().map(|t| t.join()).collect()
    });
    for r in results {
        match r {
            Ok(r) => r?,
            Err(_) => fail!("a thread panicked"),
        }
    }
    // Everything is in the shared cache now.
    let empty = t.own(d.create_pipeline_cache(&vk::PipelineCacheCreateInfo::default(), None)?);
    let size = d.get_pipeline_cache_data(all)?.len();
    check!(size > d.get_pipeline_cache_data(empty)?.len());
    d.merge_pipeline_caches(empty, &[all])?;
    same!(d.get_pipeline_cache_data(empty)?.len(), size);
    Ok(())
}

unsafe fn slices_to_layers() -> R {
    // No queue without graphics has to blit, and no layer likes it there.
    let t = device(true)?;
    let family = t.instance().get_physical_device_queue_family_properties(t.physical)[t.family as usize];
    need!(family.queue_flags.contains(vk::QueueFlags::GRAPHICS) || t.is_ours(), "blits on its queue");
    let volume = t.image(&images::info(vk::ImageType::TYPE_3D, vk::Format::R8G8B8A8_UNORM, [4, 4, 5], 1, 1))?;
    let array = t.image(&images::info(vk::ImageType::TYPE_2D, vk::Format::R8G8B8A8_UNORM, [4, 4, 1], 1, 6))?;
    let texels = Random(83).words(4 * 4 * 5);
    images::upload(&t, &volume, t.buf_of(&texels)?)?;
    let layers = |base_array_layer| vk::ImageSubresourceLayers {
        aspect_mask: Aspect::COLOR,
        base_array_layer,
        layer_count: 1,
        ..Default::default()
    };
    let corner = |x, y, z| vk::Offset3D { x, y, z };
    let blit = |z, layer| vk::ImageBlit {
        src_subresource: layers(0),
        src_offsets: [corner(0, 0, z), corner(4, 4, z + 1)],
        dst_subresource: layers(layer),
        dst_offsets: [corner(0, 0, 0), corner(4, 4, 1)],
    };
    t.now(|c| {
        images::transition(&t, c, &array, vk::ImageLayout::UNDEFINED, GENERAL);
        let regions = [blit(3, 5), blit(1, 0)];
        t.d.cmd_blit_image(c, volume.h, GENERAL, array.h, GENERAL, &regions, vk::Filter::LINEAR);
    })?;
    let slice = |z: usize| &texels[z * 16..][..16];
    let got = images::download(&t, &array, 4)?.get::<u32>();
    equal(&got[5 * 16..][..16], slice(3))?;
    equal(&got[..16], slice(1))
}
