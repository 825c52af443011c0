//! Sparse resources: binding, residency, aliasing.

use crate::support::*;
use ash::vk;

tests! { buffer_binding, buffer_residency, opaque_image }

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
