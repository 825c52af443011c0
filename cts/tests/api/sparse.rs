//! Sparse resources: binding, residency, aliasing.

use crate::support::*;
use ash::vk;

tests! { buffer_binding, buffer_residency, opaque_image, image_residency, volume_residency }

/// Memory of so many blocks for these requirements, mapped.
unsafe fn blocks(t: &T, r: &vk::MemoryRequirements, n: u64) -> R<Buf> {
    let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
    let size = n * r.alignment;
    let mem = t.memory_for(&vk::MemoryRequirements { size, ..*r }, host)?;
    let at = t.d.map_memory(mem, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast();
    Ok(Buf { h: vk::Buffer::null(), mem, size, at })
}

unsafe fn buffer(t: &T, size: u64, flags: vk::BufferCreateFlags) -> R<(vk::Buffer, vk::MemoryRequirements)> {
    let info = vk::BufferCreateInfo::default().size(size).usage(usage()).flags(flags);
    let h = t.own(t.d.create_buffer(&info, None)?);
    let r = t.d.get_buffer_memory_requirements(h);
    check!(r.size % r.alignment == 0 && r.size >= size && r.alignment.is_power_of_two(), "{r:?}");
    Ok((h, r))
}

/// Binds parts of a buffer and waits.
unsafe fn bind(t: &T, h: vk::Buffer, binds: &[vk::SparseMemoryBind]) -> R {
    let buffers = [vk::SparseBufferMemoryBindInfo::default().buffer(h).binds(binds)];
    let info = vk::BindSparseInfo::default().buffer_binds(&buffers);
    let fence = t.fence()?;
    t.d.queue_bind_sparse(t.queue, &[info], fence)?;
    Ok(t.d.wait_for_fences(&[fence], true, LONG)?)
}

fn part(r: &vk::MemoryRequirements, at: u64, mem: vk::DeviceMemory, from: u64, n: u64) -> vk::SparseMemoryBind {
    let block = r.alignment;
    let b = vk::SparseMemoryBind::default().resource_offset(at * block).size(n * block);
    b.memory(mem).memory_offset(from * block)
}

unsafe fn sparse_queue(t: &T) -> bool {
    let families = t.instance().get_physical_device_queue_family_properties(t.physical);
    families[t.family as usize].queue_flags.contains(vk::QueueFlags::SPARSE_BINDING)
}

/// A kernel runs over a buffer whose blocks stand in memory in another order, bound on a timeline.
unsafe fn buffer_binding() -> R {
    let t = T::new(&[])?;
    need!(t.features.core.sparse_binding != 0 && sparse_queue(&t), "sparse binding on its compute queue");
    check!(t.props.limits.sparse_address_space_size >= 1 << 31);
    let (h, r) = buffer(&t, 200_000, vk::BufferCreateFlags::SPARSE_BINDING)?;
    let n = r.size / r.alignment;
    let memory = blocks(&t, &r, n)?;
    let words = (r.alignment / 4) as usize;
    let data = Random(3).words(words * n as usize);
    memory.put(0, &data);
    let binds: Vec<_> = (0..n).map(|k| part(&r, k, memory.mem, n - 1 - k, 1)).collect();
    let buffers = [vk::SparseBufferMemoryBindInfo::default().buffer(h).binds(&binds)];
    let bound = t.timeline(0)?;
    let (signals, values) = ([bound], [7]);
    let mut timeline = vk::TimelineSemaphoreSubmitInfo::default().signal_semaphore_values(&values);
    let info =
        vk::BindSparseInfo::default().buffer_binds(&buffers).signal_semaphores(&signals).push_next(&mut timeline);
    t.d.queue_bind_sparse(t.queue, &[info], vk::Fence::null())?;
    t.d.wait_semaphores(&vk::SemaphoreWaitInfo::default().semaphores(&signals).values(&values), LONG)?;
    let whole = Buf { h, mem: memory.mem, size: 200_000, at: memory.at };
    t.compute(spv!("affine"), &[B::S(whole)], &crate::support::words(&[0, 50_000, 3, 4]), [50_000 / 64 + 1, 1, 1])?;
    let mut want = data.clone();
    for i in 0..50_000 {
        let at = (n as usize - 1 - i / words) * words + i % words;
        want[at] = want[at].wrapping_mul(3).wrapping_add(4);
    }
    equal(&memory.get::<u32>(), &want)
}

/// Parts without memory are safe, others work; memory moves, is seen twice, and is freed while bound.
unsafe fn buffer_residency() -> R {
    let t = T::new(&[])?;
    let has = t.features.core.sparse_residency_buffer != 0 && t.features.core.sparse_residency_aliased != 0;
    need!(has && sparse_queue(&t), "aliased sparse residency of buffers on its compute queue");
    let flags = vk::BufferCreateFlags::SPARSE_BINDING
        | vk::BufferCreateFlags::SPARSE_RESIDENCY
        | vk::BufferCreateFlags::SPARSE_ALIASED;
    let (_, r) = buffer(&t, 1, flags)?;
    let block = r.alignment;
    let words = (block / 4) as usize;
    // Far more addresses than memory.
    let (h, r) = buffer(&t, 4096 * block, flags)?;
    let memory = blocks(&t, &r, 2)?;
    memory.put(0, &vec![1u32; words]);
    memory.put(block as usize, &vec![2u32; words]);
    let out = t.zeros(4 * block)?;
    let copy = |c, from: u64, to: u64| {
        let region = vk::BufferCopy { src_offset: from * block, dst_offset: to * block, size: block };
        t.d.cmd_copy_buffer(c, h, out.h, &[region]);
    };
    bind(&t, h, &[part(&r, 1, memory.mem, 1, 1), part(&r, 4095, memory.mem, 0, 1), part(&r, 77, memory.mem, 0, 1)])?;
    t.now(|c| {
        // Mostly into nothing.
        t.d.cmd_fill_buffer(c, h, 2 * block, 20 * block, 9);
        t.d.cmd_fill_buffer(c, h, 77 * block, block, 5);
        t.full_barrier(c);
        copy(c, 1, 0);
        copy(c, 4095, 1);
    })?;
    check!(out.get::<u32>()[..words].iter().all(|w| *w == 2), "untouched");
    check!(out.get::<u32>()[words..2 * words].iter().all(|w| *w == 5), "one block at two addresses");
    // Moved and unbound.
    let nothing = vk::DeviceMemory::null();
    bind(&t, h, &[part(&r, 1, memory.mem, 0, 1), part(&r, 4095, nothing, 0, 1), part(&r, 77, memory.mem, 1, 1)])?;
    t.now(|c| {
        t.d.cmd_fill_buffer(c, h, 4095 * block, block, 6);
        t.full_barrier(c);
        copy(c, 1, 2);
        copy(c, 77, 3);
    })?;
    check!(out.get::<u32>()[2 * words..3 * words].iter().all(|w| *w == 5), "moved");
    check!(out.get::<u32>()[3 * words..].iter().all(|w| *w == 2), "moved");
    let strict = {
        let mut p = vk::PhysicalDeviceProperties2::default();
        t.instance().get_physical_device_properties2(t.physical, &mut p);
        p.properties.sparse_properties.residency_non_resident_strict != 0
    };
    t.now(|c| copy(c, 4095, 0))?;
    check!(!strict || out.get::<u32>()[..words].iter().all(|w| *w == 0), "strict residency");
    Ok(())
}

/// An image whose memory is bound in pieces.
unsafe fn opaque_image() -> R {
    let t = T::new(&[])?;
    need!(t.features.core.sparse_binding != 0 && sparse_queue(&t), "sparse binding on its compute queue");
    let extent = vk::Extent3D { width: 301, height: 177, depth: 1 };
    let info = vk::ImageCreateInfo::default()
        .flags(vk::ImageCreateFlags::SPARSE_BINDING)
        .image_type(vk::ImageType::TYPE_2D)
        .format(vk::Format::R32_UINT)
        .extent(extent)
        .mip_levels(2)
        .array_layers(3)
        .samples(vk::SampleCountFlags::TYPE_1)
        .usage(vk::ImageUsageFlags::TRANSFER_SRC | vk::ImageUsageFlags::TRANSFER_DST);
    let image = t.own(t.d.create_image(&info, None)?);
    let r = t.d.get_image_memory_requirements(image);
    let n = r.size / r.alignment;
    let memory = blocks(&t, &r, n)?;
    let binds: Vec<_> = (0..n).map(|k| part(&r, k, memory.mem, (k + n / 2) % n, 1)).collect();
    let opaque = [vk::SparseImageOpaqueMemoryBindInfo::default().image(image).binds(&binds)];
    let done = t.semaphore()?;
    let signals = [done];
    let bind = vk::BindSparseInfo::default().image_opaque_binds(&opaque).signal_semaphores(&signals);
    t.d.queue_bind_sparse(t.queue, &[bind], vk::Fence::null())?;
    let texels = (extent.width * extent.height) as usize;
    let from = t.buf_of(&Random(8).words(3 * texels))?;
    let to = t.zeros(from.size)?;
    let region = |layer: u32| {
        vk::BufferImageCopy::default()
            .buffer_offset(u64::from(layer) * texels as u64 * 4)
            .image_subresource(vk::ImageSubresourceLayers {
                aspect_mask: vk::ImageAspectFlags::COLOR,
                mip_level: 0,
                base_array_layer: layer,
                layer_count: 1,
            })
            .image_extent(extent)
    };
    let regions: Vec<_> = (0..3).map(region).collect();
    let c = t.recorded(t.family, vk::CommandBufferUsageFlags::empty(), |c| {
        let barrier = vk::ImageMemoryBarrier::default()
            .image(image)
            .new_layout(vk::ImageLayout::GENERAL)
            .subresource_range(whole())
            .dst_access_mask(vk::AccessFlags::TRANSFER_WRITE);
        let all = vk::PipelineStageFlags::ALL_COMMANDS;
        t.d.cmd_pipeline_barrier(c, all, all, vk::DependencyFlags::empty(), &[], &[], &[barrier]);
        t.d.cmd_copy_buffer_to_image(c, from.h, image, vk::ImageLayout::GENERAL, &regions);
        t.full_barrier(c);
        t.d.cmd_copy_image_to_buffer(c, image, vk::ImageLayout::GENERAL, to.h, &regions);
    })?;
    let (waits, stages, list) = ([done], [vk::PipelineStageFlags::ALL_COMMANDS], [c]);
    let submit = vk::SubmitInfo::default().wait_semaphores(&waits).wait_dst_stage_mask(&stages).command_buffers(&list);
    let fence = t.fence()?;
    t.d.queue_submit(t.queue, &[submit], fence)?;
    t.d.wait_for_fences(&[fence], true, LONG)?;
    equal(&to.get::<u32>(), &from.get::<u32>())
}

fn partly(ty: vk::ImageType, extent: vk::Extent3D, levels: u32, layers: u32) -> vk::ImageCreateInfo<'static> {
    vk::ImageCreateInfo::default()
        .flags(vk::ImageCreateFlags::SPARSE_BINDING | vk::ImageCreateFlags::SPARSE_RESIDENCY)
        .image_type(ty)
        .format(vk::Format::R32_UINT)
        .extent(extent)
        .mip_levels(levels)
        .array_layers(layers)
        .samples(vk::SampleCountFlags::TYPE_1)
        .usage(
            vk::ImageUsageFlags::TRANSFER_SRC
                | vk::ImageUsageFlags::TRANSFER_DST
                | vk::ImageUsageFlags::SAMPLED
                | vk::ImageUsageFlags::STORAGE,
        )
}

fn layers(level: u32, layer: u32) -> vk::ImageSubresourceLayers {
    let aspect_mask = vk::ImageAspectFlags::COLOR;
    vk::ImageSubresourceLayers { aspect_mask, mip_level: level, base_array_layer: layer, layer_count: 1 }
}

/// Binds parts of an image, and its mip tail if it has one, and waits.
unsafe fn bind_image(t: &T, image: vk::Image, parts: &[vk::SparseImageMemoryBind], tail: &[vk::SparseMemoryBind]) -> R {
    let images = [vk::SparseImageMemoryBindInfo::default().image(image).binds(parts)];
    let opaque = [vk::SparseImageOpaqueMemoryBindInfo::default().image(image).binds(tail)];
    let mut info = vk::BindSparseInfo::default();
    if !parts.is_empty() {
        info = info.image_binds(&images);
    }
    if !tail.is_empty() {
        info = info.image_opaque_binds(&opaque);
    }
    let fence = t.fence()?;
    t.d.queue_bind_sparse(t.queue, &[info], fence)?;
    Ok(t.d.wait_for_fences(&[fence], true, LONG)?)
}

/// What the device says about binding an image in parts.
unsafe fn sparse_of(t: &T, image: vk::Image, info: &vk::ImageCreateInfo<'_>) -> R<vk::SparseImageMemoryRequirements> {
    let list = t.d.get_image_sparse_memory_requirements(image);
    check!(list.len() == 1, "{list:?}");
    let formats = t.instance().get_physical_device_sparse_image_format_properties(
        t.physical,
        info.format,
        info.image_type,
        info.samples,
        info.usage,
        info.tiling,
    );
    check!(formats.len() == 1 && formats[0].image_granularity == list[0].format_properties.image_granularity);
    Ok(list[0])
}

/// Some blocks of an image have memory, others do not: shaders can tell.
unsafe fn image_residency() -> R {
    let t = T::new(&[])?;
    let f = &t.features.core;
    let has = f.sparse_residency_image2_d != 0 && f.shader_resource_residency != 0 && f.shader_resource_min_lod != 0;
    need!(has && sparse_queue(&t), "residency of images in shaders");
    let info = partly(vk::ImageType::TYPE_2D, vk::Extent3D { width: 300, height: 300, depth: 1 }, 9, 2);
    let image = t.own(t.d.create_image(&info, None)?);
    let r = t.d.get_image_memory_requirements(image);
    let sparse = sparse_of(&t, image, &info)?;
    let g = sparse.format_properties.image_granularity;
    need!(g.width <= 150 && g.height <= 150 && sparse.image_mip_tail_first_lod >= 1, "blocks that small");
    let (across, down) = (300u32.div_ceil(g.width), 300u32.div_ceil(g.height));
    // A checkerboard of layer 1, the blocks of memory in reverse.
    let board: Vec<(u32, u32)> =
        (0..down).flat_map(|y| (0..across).map(move |x| (x, y))).filter(|(x, y)| (x + y) % 2 == 0).collect();
    let n = board.len() as u64;
    let tail_blocks = sparse.image_mip_tail_size.div_ceil(r.alignment);
    let memory = blocks(&t, &r, n + tail_blocks)?;
    let parts: Vec<_> = (0u64..)
        .zip(&board)
        .map(|(k, (x, y))| {
            let (x, y) = (x * g.width, y * g.height);
            vk::SparseImageMemoryBind::default()
                .subresource(vk::ImageSubresource {
                    aspect_mask: vk::ImageAspectFlags::COLOR,
                    mip_level: 0,
                    array_layer: 1,
                })
                .offset(vk::Offset3D { x: x as i32, y: y as i32, z: 0 })
                .extent(vk::Extent3D { width: g.width.min(300 - x), height: g.height.min(300 - y), depth: 1 })
                .memory(memory.mem)
                .memory_offset((n - 1 - k) * r.alignment)
        })
        .collect();
    let tail = vk::SparseMemoryBind::default()
        .resource_offset(sparse.image_mip_tail_offset)
        .size(sparse.image_mip_tail_size)
        .memory(memory.mem)
        .memory_offset(n * r.alignment);
    bind_image(&t, image, &parts, &[tail])?;

    let data = Random(5).words(300 * 300);
    let from = t.buf_of(&data)?;
    let tail_level = 8;
    let copies = [(0, 300), (tail_level, 1)].map(|(level, size)| {
        vk::BufferImageCopy::default().image_subresource(layers(level, 1)).image_extent(vk::Extent3D {
            width: size,
            height: size,
            depth: 1,
        })
    });
    t.now(|c| {
        let barrier = vk::ImageMemoryBarrier::default()
            .image(image)
            .new_layout(vk::ImageLayout::GENERAL)
            .subresource_range(whole())
            .dst_access_mask(vk::AccessFlags::TRANSFER_WRITE);
        let all = vk::PipelineStageFlags::ALL_COMMANDS;
        t.d.cmd_pipeline_barrier(c, all, all, vk::DependencyFlags::empty(), &[], &[], &[barrier]);
        t.d.cmd_copy_buffer_to_image(c, from.h, image, vk::ImageLayout::GENERAL, &copies);
    })?;
    let view = |levels: u32| {
        let range = vk::ImageSubresourceRange { base_array_layer: 1, layer_count: 1, level_count: levels, ..whole() };
        let info = vk::ImageViewCreateInfo::default()
            .image(image)
            .view_type(vk::ImageViewType::TYPE_2D)
            .format(info.format)
            .subresource_range(range);
        Ok::<_, Stop>(t.own(t.d.create_image_view(&info, None)?))
    };
    let sampler = t.own(t.d.create_sampler(&vk::SamplerCreateInfo::default().max_lod(20.0), None)?);
    let bindings = |out| Ok::<_, Stop>([B::Si(view(1)?), B::Ci(view(9)?, sampler), B::S(out)]);
    let out = t.zeros(300 * 300 * 8)?;
    t.compute(spv!("residency"), &bindings(out)?, &words(&[300, 300, 0]), [38, 38, 1])?;
    let got: Vec<[u32; 2]> = out.get::<u32>().chunks(2).map(|p| [p[0], p[1]]).collect();
    let want: Vec<[u32; 2]> = (0..300 * 300)
        .map(|i| {
            let (x, y) = (i as u32 % 300 / g.width, i as u32 / 300 / g.height);
            if (x + y) % 2 == 0 {
                [data[i], 15]
            } else {
                [0, 0]
            }
        })
        .collect();
    // What reads of unbound texels give is not said, nor that they all give the same.
    let got: Vec<[u32; 2]> = got.iter().map(|&[v, ways]| if ways & 15 == 0 { [0, 0] } else { [v, ways] }).collect();
    equal(&got, &want)?;
    // The mip tail is resident.
    let out = t.zeros(8)?;
    t.compute(spv!("residency"), &bindings(out)?, &words(&[1, 1, tail_level]), [1, 1, 1])?;
    equal(&out.get::<u32>(), &[data[0], 7])?;
    // Nothing is, once all is unbound.
    let unbound: Vec<_> = parts.iter().map(|p| p.memory(vk::DeviceMemory::null())).collect();
    bind_image(&t, image, &unbound, &[tail.memory(vk::DeviceMemory::null())])?;
    t.compute(spv!("residency"), &bindings(out)?, &words(&[1, 1, tail_level]), [1, 1, 1])?;
    same!(out.get::<u32>()[1] & 15, 0);
    Ok(())
}

/// A volume that is bound in one piece, block by block, goes through copies of all kinds.
unsafe fn volume_residency() -> R {
    let t = T::new(&[])?;
    need!(t.features.core.sparse_residency_image3_d != 0 && sparse_queue(&t), "sparse residency of volumes");
    let extent = vk::Extent3D { width: 75, height: 70, depth: 40 };
    let info = partly(vk::ImageType::TYPE_3D, extent, 1, 1);
    let sparse = t.own(t.d.create_image(&info, None)?);
    let r = t.d.get_image_memory_requirements(sparse);
    let g = sparse_of(&t, sparse, &info)?.format_properties.image_granularity;
    let n = extent.width.div_ceil(g.width) * extent.height.div_ceil(g.height) * extent.depth.div_ceil(g.depth);
    let memory = blocks(&t, &r, u64::from(n))?;
    let subresource =
        vk::ImageSubresource { aspect_mask: vk::ImageAspectFlags::COLOR, ..vk::ImageSubresource::default() };
    let all = vk::SparseImageMemoryBind::default()
        .subresource(subresource)
        .extent(extent)
        .memory(memory.mem)
        .memory_offset(0);
    bind_image(&t, sparse, &[all], &[])?;
    let plain = t.image(&vk::ImageCreateInfo { flags: vk::ImageCreateFlags::empty(), ..info })?;
    let texels = (extent.width * extent.height * extent.depth) as usize;
    let data = Random(6).words(texels);
    let from = t.buf_of(&data)?;
    let to = t.zeros(from.size)?;
    let whole_copy = [vk::BufferImageCopy::default().image_subresource(layers(0, 0)).image_extent(extent)];
    // A part that begins and ends inside of blocks, moved by odd distances there and back.
    let (a, b) = (vk::Offset3D { x: 5, y: 3, z: 9 }, vk::Offset3D { x: 7, y: 1, z: 2 });
    let size = vk::Extent3D { width: 61, height: 50, depth: 29 };
    let copy = |src_offset, dst_offset| {
        vk::ImageCopy::default()
            .src_subresource(layers(0, 0))
            .dst_subresource(layers(0, 0))
            .src_offset(src_offset)
            .dst_offset(dst_offset)
            .extent(size)
    };
    let general = vk::ImageLayout::GENERAL;
    t.now(|c| {
        for image in [sparse, plain.h] {
            let barrier = vk::ImageMemoryBarrier::default().image(image).new_layout(general).subresource_range(whole());
            let all = vk::PipelineStageFlags::ALL_COMMANDS;
            t.d.cmd_pipeline_barrier(c, all, all, vk::DependencyFlags::empty(), &[], &[], &[barrier]);
        }
        let color = vk::ClearColorValue { uint32: [1, 2, 3, 4] };
        t.d.cmd_clear_color_image(c, sparse, general, &color, &[whole()]);
        t.full_barrier(c);
        t.d.cmd_copy_buffer_to_image(c, from.h, plain.h, general, &whole_copy);
        t.full_barrier(c);
        t.d.cmd_copy_image(c, plain.h, general, sparse, general, &[copy(a, b)]);
        t.full_barrier(c);
        t.d.cmd_copy_image_to_buffer(c, sparse, general, to.h, &whole_copy);
    })?;
    let at = |[x, y, z]: [u32; 3]| ((z * extent.height + y) * extent.width + x) as usize;
    let mut want = vec![1; texels];
    for z in 0..size.depth {
        for y in 0..size.height {
            for x in 0..size.width {
                let moved = |o: vk::Offset3D| at([x + o.x as u32, y + o.y as u32, z + o.z as u32]);
                want[moved(b)] = data[moved(a)];
            }
        }
    }
    equal(&to.get::<u32>(), &want)?;
    // The other way: all of it in, part of it out.
    t.now(|c| {
        t.d.cmd_copy_buffer_to_image(c, from.h, sparse, general, &whole_copy);
        t.d.cmd_clear_color_image(c, plain.h, general, &vk::ClearColorValue { uint32: [1; 4] }, &[whole()]);
        t.full_barrier(c);
        t.d.cmd_copy_image(c, sparse, general, plain.h, general, &[copy(a, b)]);
        t.full_barrier(c);
        t.d.cmd_copy_image_to_buffer(c, plain.h, general, to.h, &whole_copy);
    })?;
    equal(&to.get::<u32>(), &want)
}
