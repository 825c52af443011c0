//! Device memory: allocation, mapping, binding, import, export, budgets.

use crate::support::*;
use ash::vk;
use std::alloc::Layout;

tests! {
    map_and_unmap, flush_and_ranges, many_allocations, large_allocation, too_large, every_type, zero_offset_binding,
    aliasing, host_pointer, export_fd, budget, commitment, map_memory2, dedicated,
}

unsafe fn allocate(t: &T, size: u64, ty: u32) -> Result<vk::DeviceMemory, vk::Result> {
    let mut address = vk::MemoryAllocateFlagsInfo::default().flags(vk::MemoryAllocateFlags::DEVICE_ADDRESS);
    let mut info = vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(ty);
    if t.features.v12.buffer_device_address != 0 {
        info = info.push_next(&mut address);
    }
    t.d.allocate_memory(&info, None)
}

unsafe fn host_type(t: &T) -> R<u32> {
    t.memory_type(u32::MAX, vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT)
}

unsafe fn map_and_unmap() -> R {
    let t = T::new(&[])?;
    let m = t.own(allocate(&t, 1 << 20, host_type(&t)?)?);
    let pattern = Random(1).words(1 << 18);
    let flags = vk::MemoryMapFlags::empty();
    let p = t.d.map_memory(m, 0, vk::WHOLE_SIZE, flags)?.cast::<u32>();
    check!(p as usize % t.props.limits.min_memory_map_alignment == 0);
    p.copy_from_nonoverlapping(pattern.as_ptr(), pattern.len());
    t.d.unmap_memory(m);
    // Content survives, and a part maps at its offset.
    for (offset, size) in [(0u64, 1 << 20), (4096, 4096), (12, 100), ((1 << 20) - 4, 4)] {
        let p = t.d.map_memory(m, offset, size, flags)?;
        let aligned = (p as usize).wrapping_sub(offset as usize) % t.props.limits.min_memory_map_alignment;
        same!(aligned, 0, "(mapping at {offset})");
        let got = std::slice::from_raw_parts(p.cast::<u32>(), size as usize / 4);
        equal(got, &pattern[offset as usize / 4..][..size as usize / 4])?;
        t.d.unmap_memory(m);
    }
    // Freed while mapped: that unmaps it.
    let m = allocate(&t, 4096, host_type(&t)?)?;
    t.d.map_memory(m, 0, vk::WHOLE_SIZE, flags)?;
    t.d.free_memory(m, None);
    Ok(())
}

unsafe fn flush_and_ranges() -> R {
    let t = T::new(&[])?;
    let b = t.zeros(65536)?;
    let atom = t.props.limits.non_coherent_atom_size;
    let range = |offset, size| vk::MappedMemoryRange::default().memory(b.mem).offset(offset).size(size);
    t.d.flush_mapped_memory_ranges(&[range(0, vk::WHOLE_SIZE)])?;
    b.put(0, &[1u32; 16384]);
    t.d.flush_mapped_memory_ranges(&[range(0, atom), range(atom * 2, atom * 3), range(atom * 8, vk::WHOLE_SIZE)])?;
    t.compute(spv!("affine"), &[B::S(b)], &words(&[0, 16384, 3, 4]), [256, 1, 1])?;
    t.d.invalidate_mapped_memory_ranges(&[range(0, vk::WHOLE_SIZE), range(atom, atom)])?;
    equal(&b.get::<u32>(), &[7; 16384])
}

unsafe fn many_allocations() -> R {
    let t = T::new(&[])?;
    let ty = host_type(&t)?;
    let mut random = Random(7);
    let mut live: Vec<(vk::DeviceMemory, *mut u32, u32)> = Vec::new();
    for k in 0..1500u32 {
        if live.len() > 600 || !live.is_empty() && random.below(3) == 0 {
            let (m, p, stamp) = live.swap_remove(random.below(live.len() as u32) as usize);
            check!(*p == stamp, "an allocation's content changed");
            t.d.free_memory(m, None);
        } else {
            let m = allocate(&t, u64::from(random.below(50_000)) + 16, ty)?;
            let p = t.d.map_memory(m, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast::<u32>();
            *p = k;
            live.push((m, p, k));
        }
    }
    for (m, p, stamp) in live {
        check!(*p == stamp, "an allocation's content changed");
        t.d.free_memory(m, None);
    }
    Ok(())
}

unsafe fn large_allocation() -> R {
    let t = T::new(&[])?;
    // 300 MB, used at both ends by a kernel.
    let size = 300 << 20;
    let info = vk::BufferCreateInfo::default().size(size).usage(usage());
    let h = t.own(t.d.create_buffer(&info, None)?);
    let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
    let m = t.memory_for(&t.d.get_buffer_memory_requirements(h), host)?;
    t.d.bind_buffer_memory(h, m, 0)?;
    let p = t.d.map_memory(m, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast::<u32>();
    let last = (size / 4 - 64) as usize;
    for k in 0..64 {
        *p.add(k) = k as u32;
        *p.add(last + k) = k as u32 + 1000;
    }
    let k = t.kernel(spv!("affine"), &[vk::DescriptorType::STORAGE_BUFFER], 16)?;
    let max = u64::from(t.props.limits.max_storage_buffer_range);
    let offset = size.saturating_sub(max).next_multiple_of(256);
    let sizes = [vk::DescriptorPoolSize { ty: vk::DescriptorType::STORAGE_BUFFER, descriptor_count: 2 }];
    let pool = t.own(
        t.d.create_descriptor_pool(&vk::DescriptorPoolCreateInfo::default().max_sets(2).pool_sizes(&sizes), None)?,
    );
    let layouts = [k.set_layout; 2];
    let sets = t.d.allocate_descriptor_sets(
        &vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts),
    )?;
    for (set, offset, range) in [(sets[0], 0, 65536), (sets[1], offset, size - offset)] {
        let info = [vk::DescriptorBufferInfo { buffer: h, offset, range }];
        let write = vk::WriteDescriptorSet::default()
            .dst_set(set)
            .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
            .buffer_info(&info);
        t.d.update_descriptor_sets(&[write], &[]);
    }
    t.now(|c| {
        t.bind(c, &k, sets[0], &words(&[0, 64, 2, 1]));
        t.d.cmd_dispatch(c, 1, 1, 1);
        t.bind(c, &k, sets[1], &words(&[(last as u64 - offset / 4) as u32, 64, 2, 1]));
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    for k in 0..64 {
        same!((*p.add(k), *p.add(last + k)), (k as u32 * 2 + 1, k as u32 * 2 + 2001));
    }
    Ok(())
}

unsafe fn too_large() -> R {
    let t = T::open(&cts::Setup { unvalidated: true, ..cts::Setup::default() })?;
    need!(t.is_ours(), "promise about allocations beyond the heap's size");
    for (k, ty) in t.memory.memory_types[..t.memory.memory_type_count as usize].iter().enumerate() {
        let heap = t.memory.memory_heaps[ty.heap_index as usize].size;
        for size in [heap + (1 << 20), heap * 16, 1 << 60, u64::MAX - 4095] {
            let r = allocate(&t, size, k as u32);
            if let Ok(m) = r {
                t.d.free_memory(m, None);
            }
            same!(r.err(), Some(vk::Result::ERROR_OUT_OF_DEVICE_MEMORY), "for {size} bytes of type {k}");
        }
    }
    // And the device is as before.
    let b = t.zeros(4096)?;
    t.compute(spv!("affine"), &[B::S(b)], &words(&[0, 1024, 1, 9]), [16, 1, 1])?;
    equal(&b.get::<u32>(), &[9; 1024])
}

unsafe fn every_type() -> R {
    // A buffer in each memory type that takes it; staged through copies where the host cannot see.
    let t = T::new(&[])?;
    let data = Random(3).words(4096);
    let from = t.buf_of(&data)?;
    let info = vk::BufferCreateInfo::default().size(16384).usage(usage());
    for ty in 0..t.memory.memory_type_count {
        let h = t.own(t.d.create_buffer(&info, None)?);
        let r = t.d.get_buffer_memory_requirements(h);
        if r.memory_type_bits >> ty & 1 == 0 {
            continue;
        }
        let flags = t.memory.memory_types[ty as usize].property_flags;
        if flags.intersects(vk::MemoryPropertyFlags::PROTECTED | vk::MemoryPropertyFlags::LAZILY_ALLOCATED) {
            continue;
        }
        let m = t.own(allocate(&t, r.size, ty)?);
        t.d.bind_buffer_memory(h, m, 0)?;
        let to = t.zeros(16384)?;
        let copy = [vk::BufferCopy { src_offset: 0, dst_offset: 0, size: 16384 }];
        t.now(|c| {
            t.d.cmd_copy_buffer(c, from.h, h, &copy);
            t.full_barrier(c);
            t.d.cmd_copy_buffer(c, h, to.h, &copy);
        })?;
        equal(&to.get::<u32>(), &data)?;
    }
    Ok(())
}

unsafe fn zero_offset_binding() -> R {
    // Many buffers in one allocation at the alignment they ask for; each keeps its own.
    let t = T::new(&[])?;
    let info = vk::BufferCreateInfo::default().size(1000).usage(usage());
    let probe = t.own(t.d.create_buffer(&info, None)?);
    let r = t.d.get_buffer_memory_requirements(probe);
    let step = r.size.next_multiple_of(r.alignment);
    let m = t.own(allocate(
        &t,
        step * 50,
        t.memory_type(
            r.memory_type_bits,
            vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT,
        )?,
    )?);
    let buffers: Vec<_> = (0..50).map(|_| Ok(t.own(t.d.create_buffer(&info, None)?))).collect::<R<_>>()?;
    let binds: Vec<_> = (0u64..)
        .zip(&buffers)
        .map(|(k, b)| vk::BindBufferMemoryInfo::default().buffer(*b).memory(m).memory_offset(k * step))
        .collect();
    t.d.bind_buffer_memory2(&binds)?;
    t.now(|c| {
        for (k, b) in (0u32..).zip(&buffers) {
            t.d.cmd_fill_buffer(c, *b, 0, vk::WHOLE_SIZE, k * 0x0101_0101);
        }
    })?;
    let p = t.d.map_memory(m, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast::<u8>();
    for k in 0..50u64 {
        let got = std::slice::from_raw_parts(p.add((k * step) as usize), 1000);
        check!(got.iter().all(|b| u64::from(*b) == k), "buffer {k} was overwritten");
    }
    Ok(())
}

unsafe fn aliasing() -> R {
    // Two buffers over the same memory see the same bytes.
    let t = T::new(&[])?;
    let a = t.zeros(4096)?;
    let b = t.own(t.d.create_buffer(&vk::BufferCreateInfo::default().size(4096).usage(usage()), None)?);
    t.d.bind_buffer_memory(b, a.mem, 0)?;
    let to = t.zeros(4096)?;
    t.now(|c| {
        t.d.cmd_fill_buffer(c, a.h, 0, 2048, 0x1111_1111);
        t.d.cmd_fill_buffer(c, b, 2048, 2048, 0x2222_2222);
        t.full_barrier(c);
        t.d.cmd_copy_buffer(c, b, to.h, &[vk::BufferCopy { src_offset: 0, dst_offset: 0, size: 4096 }]);
    })?;
    let want: Vec<u32> = (0..1024).map(|k| if k < 512 { 0x1111_1111 } else { 0x2222_2222 }).collect();
    equal(&to.get::<u32>(), &want)?;
    equal(&a.get::<u32>(), &want)
}

unsafe fn host_pointer() -> R {
    let t = T::new(&[ash::ext::external_memory_host::NAME])?;
    need!(t.has(ash::ext::external_memory_host::NAME), "VK_EXT_external_memory_host");
    let ext = ash::ext::external_memory_host::Device::new(t.instance(), &t.d);
    let align =
        t.property::<vk::PhysicalDeviceExternalMemoryHostPropertiesEXT<'_>>().min_imported_host_pointer_alignment;
    check!(align.is_power_of_two() && align <= 65536);
    let size = align.max(4096) * 3;
    // At the smallest allowed alignment, not by chance at a page.
    let layout = Layout::from_size_align((size + align) as usize, 65536)?;
    let block = std::alloc::alloc_zeroed(layout);
    let p = block.add(if align < 4096 { align as usize } else { 0 });
    let data = Random(11).words(size as usize / 4);
    p.cast::<u32>().copy_from_nonoverlapping(data.as_ptr(), data.len());
    let ty = vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT;
    let mut props = vk::MemoryHostPointerPropertiesEXT::default();
    let get = ext.fp().get_memory_host_pointer_properties_ext;
    get(t.d.handle(), ty, p.cast(), &mut props).result()?;
    check!(props.memory_type_bits != 0);
    let result = (|| {
        let mut external = vk::ExternalMemoryBufferCreateInfo::default().handle_types(ty);
        let info = vk::BufferCreateInfo::default().size(size).usage(usage()).push_next(&mut external);
        let h = t.d.create_buffer(&info, None)?;
        let r = t.d.get_buffer_memory_requirements(h);
        let mut import = vk::ImportMemoryHostPointerInfoEXT::default().handle_type(ty).host_pointer(p.cast());
        let info = vk::MemoryAllocateInfo::default()
            .allocation_size(size)
            .memory_type_index(
                t.memory_type(r.memory_type_bits & props.memory_type_bits, vk::MemoryPropertyFlags::empty())?,
            )
            .push_next(&mut import);
        let m = t.d.allocate_memory(&info, None)?;
        t.d.bind_buffer_memory(h, m, 0)?;
        // The device reads what the host wrote, and the host sees what the device writes, in place.
        let k = t.kernel(spv!("affine"), &[vk::DescriptorType::STORAGE_BUFFER], 16)?;
        let set = t.set(k.set_layout, &[B::S(Buf { h, mem: m, size, at: p })])?;
        t.now(|c| {
            t.bind(c, &k, set, &words(&[0, data.len() as u32, 5, 1]));
            t.d.cmd_dispatch(c, data.len() as u32 / 64 + 1, 1, 1);
        })?;
        let got = std::slice::from_raw_parts(p.cast::<u32>(), data.len());
        let want: Vec<u32> = data.iter().map(|v| v.wrapping_mul(5).wrapping_add(1)).collect();
        equal(got, &want)?;
        t.d.destroy_buffer(h, None);
        t.d.free_memory(m, None);
        // Still the application's memory afterwards.
        equal(std::slice::from_raw_parts(p.cast::<u32>(), data.len()), &want)
    })();
    std::alloc::dealloc(block, layout);
    result
}

unsafe fn export_fd() -> R {
    use ash::khr::external_memory_fd as fd;
    let t = T::new(&[fd::NAME])?;
    need!(t.has(fd::NAME), "VK_KHR_external_memory_fd");
    let ty = vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD;
    let info = vk::PhysicalDeviceExternalBufferInfo::default().usage(usage()).handle_type(ty);
    let mut p = vk::ExternalBufferProperties::default();
    t.instance().get_physical_device_external_buffer_properties(t.physical, &info, &mut p);
    use vk::ExternalMemoryFeatureFlags as F;
    need!(
        p.external_memory_properties.external_memory_features.contains(F::EXPORTABLE | F::IMPORTABLE),
        "exportable buffers"
    );
    let u = T::new(&[fd::NAME])?;
    let (et, eu) = (fd::Device::new(t.instance(), &t.d), fd::Device::new(u.instance(), &u.d));
    let make = |t: &T, import: Option<i32>| -> R<(vk::Buffer, vk::DeviceMemory)> {
        let mut external = vk::ExternalMemoryBufferCreateInfo::default().handle_types(ty);
        let info = vk::BufferCreateInfo::default().size(65536).usage(usage()).push_next(&mut external);
        let h = t.own(t.d.create_buffer(&info, None)?);
        let r = t.d.get_buffer_memory_requirements(h);
        let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        let mut dedicated = vk::MemoryDedicatedAllocateInfo::default().buffer(h);
        let mut export = vk::ExportMemoryAllocateInfo::default().handle_types(ty);
        let mut importing = vk::ImportMemoryFdInfoKHR::default().handle_type(ty).fd(import.unwrap_or(-1));
        let info = vk::MemoryAllocateInfo::default()
            .allocation_size(r.size)
            .memory_type_index(t.memory_type(r.memory_type_bits, host)?)
            .push_next(&mut dedicated);
        let info = if import.is_some() { info.push_next(&mut importing) } else { info.push_next(&mut export) };
        let m = t.own(t.d.allocate_memory(&info, None)?);
        t.d.bind_buffer_memory(h, m, 0)?;
        Ok((h, m))
    };
    let (a, am) = make(&t, None)?;
    let get = vk::MemoryGetFdInfoKHR::default().memory(am).handle_type(ty);
    let (b, bm) = make(&u, Some(et.get_memory_fd(&get)?))?;
    // Out and in again: an fd of imported memory works as well where allowed.
    let _ = (eu, bm);
    t.now(|c| t.d.cmd_fill_buffer(c, a, 0, vk::WHOLE_SIZE, 0xabcd_0123))?;
    let to = u.zeros(65536)?;
    u.now(|c| u.d.cmd_copy_buffer(c, b, to.h, &[vk::BufferCopy { src_offset: 0, dst_offset: 0, size: 65536 }]))?;
    equal(&to.get::<u32>(), &[0xabcd_0123; 16384])?;
    // The other way, through a mapping of the importer.
    u.now(|c| u.d.cmd_fill_buffer(c, b, 0, vk::WHOLE_SIZE, 77))?;
    let p = t.d.map_memory(am, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?;
    equal(std::slice::from_raw_parts(p.cast::<u32>(), 16384), &[77; 16384])
}

unsafe fn budget() -> R {
    let t = T::new(&[ash::ext::memory_budget::NAME])?;
    need!(t.has(ash::ext::memory_budget::NAME), "VK_EXT_memory_budget");
    let read = || {
        let mut b = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
        let mut head = vk::PhysicalDeviceMemoryProperties2::default().push_next(&mut b);
        t.instance().get_physical_device_memory_properties2(t.physical, &mut head);
        (b.heap_budget, b.heap_usage)
    };
    let (budget, before) = read();
    let n = t.memory.memory_heap_count as usize;
    let heaps = &t.memory.memory_heaps[..n];
    for (k, (b, heap)) in budget.iter().zip(heaps).enumerate() {
        check!(*b > 0, "heap {k} has no budget");
        check!(*b <= heap.size, "heap {k}'s budget is larger than it");
    }
    check!(budget[n..].iter().chain(&before[n..]).all(|v| *v == 0));
    let ty = host_type(&t)?;
    let heap = t.memory.memory_types[ty as usize].heap_index as usize;
    let m = allocate(&t, 64 << 20, ty)?;
    let p = t.d.map_memory(m, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast::<u8>();
    p.write_bytes(1, 64 << 20);
    let (_, during) = read();
    t.d.free_memory(m, None);
    // Exact figures are up to the implementation.
    check!(during[heap] >= before[heap], "usage went down by allocating");
    if t.is_ours() {
        check!(during[heap] >= before[heap] + (64 << 20), "{} -> {}", before[heap], during[heap]);
        let (_, after) = read();
        check!(after[heap] < during[heap], "usage stays after freeing");
    }
    Ok(())
}

unsafe fn commitment() -> R {
    let t = T::new(&[])?;
    for (k, ty) in t.memory.memory_types[..t.memory.memory_type_count as usize].iter().enumerate() {
        if ty.property_flags.contains(vk::MemoryPropertyFlags::LAZILY_ALLOCATED) {
            let m = t.own(allocate(&t, 65536, k as u32)?);
            check!(t.d.get_device_memory_commitment(m) <= 65536);
            return Ok(());
        }
    }
    skip!("the device has no lazily allocated memory")
}

unsafe fn map_memory2() -> R {
    // The validation layer of Debian 12 does not know the extension, and spoils its handles.
    let extensions = &[ash::khr::map_memory2::NAME];
    let t = T::open(&cts::Setup { extensions, unvalidated: true, ..cts::Setup::default() })?;
    need!(t.has(ash::khr::map_memory2::NAME), "VK_KHR_map_memory2");
    let ext = ash::khr::map_memory2::Device::new(t.instance(), &t.d);
    let m = t.own(allocate(&t, 8192, host_type(&t)?)?);
    let mut p = std::ptr::null_mut();
    let info = vk::MemoryMapInfoKHR::default().memory(m).offset(64).size(4096);
    (ext.fp().map_memory2_khr)(t.d.handle(), &info, &mut p).result()?;
    p.cast::<u32>().write(99);
    (ext.fp().unmap_memory2_khr)(t.d.handle(), &vk::MemoryUnmapInfoKHR::default().memory(m)).result()?;
    let p = t.d.map_memory(m, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?;
    same!(*p.cast::<u8>().add(64).cast::<u32>(), 99);
    Ok(())
}

unsafe fn dedicated() -> R {
    let t = T::new(&[])?;
    let h = t.own(t.d.create_buffer(&vk::BufferCreateInfo::default().size(10_000).usage(usage()), None)?);
    let r = t.d.get_buffer_memory_requirements(h);
    let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
    let mut d = vk::MemoryDedicatedAllocateInfo::default().buffer(h);
    let info = vk::MemoryAllocateInfo::default()
        .allocation_size(r.size)
        .memory_type_index(t.memory_type(r.memory_type_bits, host)?)
        .push_next(&mut d);
    let m = t.own(t.d.allocate_memory(&info, None)?);
    t.d.bind_buffer_memory(h, m, 0)?;
    t.now(|c| t.d.cmd_fill_buffer(c, h, 0, vk::WHOLE_SIZE, 3))?;
    let p = t.d.map_memory(m, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?;
    equal(std::slice::from_raw_parts(p.cast::<u32>(), 2500), &[3; 2500])
}
