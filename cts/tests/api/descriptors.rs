//! Descriptor sets, pools and layouts.

use crate::support::*;
use ash::vk;
use vk::DescriptorType as D;

tests! {
    pool_exhaustion, free_and_reallocate, reset_pool, copies, arrays_and_second_set, dynamic_offsets, update_template,
    push_descriptors, inline_uniform_block, variable_count, update_after_bind, null_descriptors, consecutive_updates,
    empty_layouts, layout_support, uniform_and_storage,
}

fn binding<'a>(at: u32, ty: D, n: u32) -> vk::DescriptorSetLayoutBinding<'a> {
    vk::DescriptorSetLayoutBinding::default()
        .binding(at)
        .descriptor_type(ty)
        .descriptor_count(n)
        .stage_flags(vk::ShaderStageFlags::COMPUTE)
}

unsafe fn layout(t: &T, bindings: &[vk::DescriptorSetLayoutBinding<'_>]) -> R<vk::DescriptorSetLayout> {
    Ok(t.own(t.d.create_descriptor_set_layout(&vk::DescriptorSetLayoutCreateInfo::default().bindings(bindings), None)?))
}

unsafe fn pool(t: &T, flags: vk::DescriptorPoolCreateFlags, sets: u32, sizes: &[(D, u32)]) -> R<vk::DescriptorPool> {
    let sizes: Vec<_> = sizes.iter().map(|(ty, n)| vk::DescriptorPoolSize { ty: *ty, descriptor_count: *n }).collect();
    let info = vk::DescriptorPoolCreateInfo::default().flags(flags).max_sets(sets).pool_sizes(&sizes);
    Ok(t.own(t.d.create_descriptor_pool(&info, None)?))
}

unsafe fn allocate(
    t: &T,
    pool: vk::DescriptorPool,
    layouts: &[vk::DescriptorSetLayout],
) -> Result<Vec<vk::DescriptorSet>, vk::Result> {
    t.d.allocate_descriptor_sets(&vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(layouts))
}

const NONE: vk::DescriptorPoolCreateFlags = vk::DescriptorPoolCreateFlags::empty();

fn exhausted(e: vk::Result) -> bool {
    e == vk::Result::ERROR_OUT_OF_POOL_MEMORY || e == vk::Result::ERROR_FRAGMENTED_POOL
}

unsafe fn pool_exhaustion() -> R {
    let t = T::open(&cts::Setup { unvalidated: true, ..cts::Setup::default() })?;
    let l = layout(&t, &[binding(0, D::STORAGE_BUFFER, 2)])?;
    // Sets run out.
    let p = pool(&t, NONE, 3, &[(D::STORAGE_BUFFER, 100)])?;
    for _ in 0..3 {
        allocate(&t, p, &[l])?;
    }
    let more = |r: Result<Vec<vk::DescriptorSet>, vk::Result>, what| {
        // A driver may have more room than was asked for; ours says how much there is.
        let right = match r {
            Ok(_) => !t.is_ours(),
            Err(e) => exhausted(e),
        };
        check!(right, "{what}");
        Ok(())
    };
    more(allocate(&t, p, &[l]), "a fourth of three sets")?;
    // All or nothing.
    let p = pool(&t, NONE, 4, &[(D::STORAGE_BUFFER, 100)])?;
    match allocate(&t, p, &[l; 5]) {
        Ok(_) => check!(!t.is_ours(), "five of four sets"),
        Err(e) => {
            check!(exhausted(e), "{e:?}");
            same!(allocate(&t, p, &[l; 4])?.len(), 4);
        }
    }
    Ok(())
}

unsafe fn free_and_reallocate() -> R {
    let t = T::new(&[])?;
    let free = vk::DescriptorPoolCreateFlags::FREE_DESCRIPTOR_SET;
    let p = pool(&t, free, 16, &[(D::STORAGE_BUFFER, 16), (D::UNIFORM_BUFFER, 16)])?;
    let k = t.kernel(spv!("affine"), &[D::STORAGE_BUFFER], 16)?;
    let mut random = Random(4);
    let mut live: Vec<(vk::DescriptorSet, u32)> = Vec::new();
    let mut used = 0;
    let buffers: Vec<Buf> = (0..8u32).map(|n| t.buf_of(&[n; 64])).collect::<R<_>>()?;
    for _ in 0..400 {
        if used == 16 || used > 0 && random.below(2) == 0 {
            let (set, which) = live.swap_remove(random.below(live.len() as u32) as usize);
            if random.below(8) == 0 {
                // It still points where it was made to.
                buffers[which as usize].put(0, &[which; 64]);
                t.now(|c| {
                    t.bind(c, &k, set, &words(&[0, 64, 10, 1]));
                    t.d.cmd_dispatch(c, 1, 1, 1);
                })?;
                equal(&buffers[which as usize].get::<u32>(), &[which * 10 + 1; 64])?;
            }
            t.d.free_descriptor_sets(p, &[set, vk::DescriptorSet::null()])?;
            used -= 1;
        } else {
            let set = allocate(&t, p, &[k.set_layout])?[0];
            let which = random.below(8);
            t.write(set, 0, B::S(buffers[which as usize]));
            live.push((set, which));
            used += 1;
        }
    }
    Ok(())
}

unsafe fn reset_pool() -> R {
    let t = T::new(&[])?;
    let l = layout(&t, &[binding(0, D::STORAGE_BUFFER, 1), binding(1, D::UNIFORM_BUFFER, 3)])?;
    let p = pool(&t, NONE, 10, &[(D::STORAGE_BUFFER, 10), (D::UNIFORM_BUFFER, 30)])?;
    for _ in 0..50 {
        same!(allocate(&t, p, &[l; 10])?.len(), 10);
        t.d.reset_descriptor_pool(p, vk::DescriptorPoolResetFlags::empty())?;
    }
    Ok(())
}

/// The parts of `two.comp`.
unsafe fn two(t: &T) -> R<(K, [Buf; 4])> {
    let k = t.kernel(spv!("two"), &[D::STORAGE_BUFFER, D::STORAGE_BUFFER, D::UNIFORM_BUFFER, D::STORAGE_BUFFER], 0)?;
    let a: Vec<u32> = (0..64).collect();
    let b = [100u32; 64];
    Ok((k, [t.buf_of(&a)?, t.buf_of(&b)?, t.buf_of(&[3u32, 64, 0, 0])?, t.zeros(256)?]))
}

fn two_want() -> Vec<u32> {
    (0..64).map(|i| i * 3 + 100).collect()
}

unsafe fn uniform_and_storage() -> R {
    let t = T::new(&[])?;
    let (k, [a, b, u, o]) = two(&t)?;
    let set = t.set(k.set_layout, &[B::S(a), B::S(b), B::U(u), B::S(o)])?;
    t.now(|c| {
        t.bind(c, &k, set, &[]);
        t.d.cmd_dispatch(c, 2, 1, 1);
    })?;
    equal(&o.get::<u32>(), &two_want())
}

unsafe fn copies() -> R {
    let t = T::new(&[])?;
    let (k, [a, b, u, o]) = two(&t)?;
    let from = t.set(k.set_layout, &[B::S(a), B::S(b), B::U(u), B::S(o)])?;
    let to = t.set(k.set_layout, &[B::S(o), B::S(o), B::U(u), B::S(a)])?;
    let copy = |i| {
        vk::CopyDescriptorSet::default().src_set(from).src_binding(i).dst_set(to).dst_binding(i).descriptor_count(1)
    };
    t.d.update_descriptor_sets(&[], &[copy(0), copy(1), copy(2), copy(3)]);
    // A copy is a copy: later writes to the source do not show.
    t.write(from, 0, B::S(o));
    t.now(|c| {
        t.bind(c, &k, to, &[]);
        t.d.cmd_dispatch(c, 2, 1, 1);
    })?;
    equal(&o.get::<u32>(), &two_want())
}

unsafe fn consecutive_updates() -> R {
    // One write that runs over from an array binding into the next binding.
    let t = T::new(&[])?;
    let bindings = [
        binding(0, D::STORAGE_BUFFER, 1),
        binding(1, D::STORAGE_BUFFER, 1),
        binding(2, D::UNIFORM_BUFFER, 1),
        binding(3, D::STORAGE_BUFFER, 1),
    ];
    let l = layout(&t, &bindings)?;
    let (k, [a, b, u, o]) = two(&t)?;
    let p = pool(&t, NONE, 1, &[(D::STORAGE_BUFFER, 3), (D::UNIFORM_BUFFER, 1)])?;
    let set = allocate(&t, p, &[l])?[0];
    let whole = |b: Buf| vk::DescriptorBufferInfo { buffer: b.h, offset: 0, range: vk::WHOLE_SIZE };
    let infos = [whole(a), whole(b)];
    let write = vk::WriteDescriptorSet::default().dst_set(set).descriptor_type(D::STORAGE_BUFFER).buffer_info(&infos);
    t.d.update_descriptor_sets(&[write], &[]);
    t.write(set, 2, B::U(u));
    t.write(set, 3, B::S(o));
    t.now(|c| {
        t.bind(c, &k, set, &[]);
        t.d.cmd_dispatch(c, 2, 1, 1);
    })?;
    equal(&o.get::<u32>(), &two_want())
}

unsafe fn arrays_and_second_set() -> R {
    let t = T::new(&[])?;
    let first = layout(&t, &[binding(0, D::UNIFORM_BUFFER, 1), binding(1, D::STORAGE_BUFFER, 1)])?;
    let second = layout(&t, &[binding(3, D::STORAGE_BUFFER, 4)])?;
    let pl = t.layout(&[first, second], 0)?;
    let p = t.own(t.pipeline(&KernelInfo { code: spv!("sets"), ..KernelInfo::default() }, pl)?);
    let dp = pool(&t, NONE, 3, &[(D::UNIFORM_BUFFER, 1), (D::STORAGE_BUFFER, 9)])?;
    let sets = allocate(&t, dp, &[first, second, second])?;
    let o = t.zeros(1024)?;
    let which: Vec<u32> = [3u32, 0, 2, 1, 1, 2, 0, 3].iter().flat_map(|w| [*w, 0, 0, 0]).collect();
    t.write(sets[0], 0, B::U(t.buf_of(&which)?));
    t.write(sets[0], 1, B::S(o));
    for (k, set) in [(0u32, sets[1]), (1, sets[2])] {
        for e in 0..4 {
            let data: Vec<u32> = (0..256).map(|i| k * 100_000 + e * 10_000 + i).collect();
            t.write_element(set, 3, e, B::S(t.buf_of(&data)?));
        }
    }
    for k in 0..2 {
        t.now(|c| {
            let point = vk::PipelineBindPoint::COMPUTE;
            t.d.cmd_bind_pipeline(c, point, p);
            // The second set first, then the first on its own; set 1 stays.
            t.d.cmd_bind_descriptor_sets(c, point, pl, 1, &[sets[1 + k as usize]], &[]);
            t.d.cmd_bind_descriptor_sets(c, point, pl, 0, &[sets[0]], &[]);
            t.d.cmd_dispatch(c, 8, 1, 1);
        })?;
        let want: Vec<u32> = (0..256u32)
            .map(|i| {
                let w = which[i as usize / 32 * 4];
                k * 100_000 + w * 10_000 + i + w
            })
            .collect();
        equal(&o.get::<u32>(), &want)?;
    }
    Ok(())
}

unsafe fn dynamic_offsets() -> R {
    let t = T::new(&[])?;
    let types = [D::STORAGE_BUFFER_DYNAMIC, D::STORAGE_BUFFER, D::UNIFORM_BUFFER_DYNAMIC, D::STORAGE_BUFFER_DYNAMIC];
    let k = t.kernel(spv!("two"), &types, 0)?;
    let l = &t.props.limits;
    let step = l.min_storage_buffer_offset_alignment.max(l.min_uniform_buffer_offset_alignment).max(256);
    let n = 5u64;
    let (a, u, o) = (t.zeros(step * n)?, t.zeros(step * n)?, t.zeros(step * n)?);
    let b = t.buf_of(&[7u32; 64])?;
    for i in 0..n {
        a.put((step * i) as usize, &[i as u32 + 1; 64]);
        u.put((step * i) as usize, &[i as u32 * 10, 64, 0, 0]);
    }
    let p =
        pool(&t, NONE, 1, &[(D::STORAGE_BUFFER_DYNAMIC, 2), (D::STORAGE_BUFFER, 1), (D::UNIFORM_BUFFER_DYNAMIC, 1)])?;
    let set = allocate(&t, p, &[k.set_layout])?[0];
    for (at, ty, buf, range) in [
        (0, D::STORAGE_BUFFER_DYNAMIC, a, 256),
        (1, D::STORAGE_BUFFER, b, 256),
        (2, D::UNIFORM_BUFFER_DYNAMIC, u, 16),
        (3, D::STORAGE_BUFFER_DYNAMIC, o, 256),
    ] {
        let info = [vk::DescriptorBufferInfo { buffer: buf.h, offset: 0, range }];
        let write =
            vk::WriteDescriptorSet::default().dst_set(set).dst_binding(at).descriptor_type(ty).buffer_info(&info);
        t.d.update_descriptor_sets(&[write], &[]);
    }
    t.now(|c| {
        t.d.cmd_bind_pipeline(c, vk::PipelineBindPoint::COMPUTE, k.p);
        for i in 0..n {
            // Offsets come in the order of bindings: a, uniform, output.
            let offsets = [step * i, step * (n - 1 - i), step * i].map(|o| o as u32);
            t.d.cmd_bind_descriptor_sets(c, vk::PipelineBindPoint::COMPUTE, k.layout, 0, &[set], &offsets);
            t.d.cmd_dispatch(c, 2, 1, 1);
        }
    })?;
    let got = o.get::<u32>();
    for i in 0..n {
        let at = (step * i / 4) as usize;
        equal(&got[at..at + 64], &[(i as u32 + 1) * (n - 1 - i) as u32 * 10 + 7; 64])?;
    }
    Ok(())
}

unsafe fn update_template() -> R {
    let t = T::new(&[])?;
    let (k, [a, b, u, o]) = two(&t)?;
    let set = t.set(k.set_layout, &[B::S(o), B::S(o), B::U(u), B::S(o)])?;
    // Infos lie among other data with a stride.
    #[repr(C)]
    struct Data {
        pad: [u64; 3],
        storage: [[vk::DescriptorBufferInfo; 2]; 3],
        uniform: vk::DescriptorBufferInfo,
    }
    let whole = |b: Buf| vk::DescriptorBufferInfo { buffer: b.h, offset: 0, range: vk::WHOLE_SIZE };
    let junk = vk::DescriptorBufferInfo::default();
    let data = Data { pad: [1; 3], storage: [[whole(a), junk], [whole(b), junk], [whole(o), junk]], uniform: whole(u) };
    check!(data.pad[0] == 1);
    let entry = |binding, ty, offset| vk::DescriptorUpdateTemplateEntry {
        dst_binding: binding,
        dst_array_element: 0,
        descriptor_count: 1,
        descriptor_type: ty,
        offset,
        stride: 2 * size_of::<vk::DescriptorBufferInfo>(),
    };
    let base = std::mem::offset_of!(Data, storage);
    let step = 2 * size_of::<vk::DescriptorBufferInfo>();
    let entries = [
        // Two descriptors that run over bindings 0 and 1.
        vk::DescriptorUpdateTemplateEntry { descriptor_count: 2, ..entry(0, D::STORAGE_BUFFER, base) },
        entry(3, D::STORAGE_BUFFER, base + 2 * step),
        entry(2, D::UNIFORM_BUFFER, std::mem::offset_of!(Data, uniform)),
    ];
    let info = vk::DescriptorUpdateTemplateCreateInfo::default()
        .descriptor_update_entries(&entries)
        .template_type(vk::DescriptorUpdateTemplateType::DESCRIPTOR_SET)
        .descriptor_set_layout(k.set_layout);
    let template = t.own(t.d.create_descriptor_update_template(&info, None)?);
    t.d.update_descriptor_set_with_template(set, template, std::ptr::from_ref(&data).cast());
    t.now(|c| {
        t.bind(c, &k, set, &[]);
        t.d.cmd_dispatch(c, 2, 1, 1);
    })?;
    equal(&o.get::<u32>(), &two_want())
}

unsafe fn push_descriptors() -> R {
    let t = T::new(&[ash::khr::push_descriptor::NAME])?;
    need!(t.has(ash::khr::push_descriptor::NAME), "VK_KHR_push_descriptor");
    let ext = ash::khr::push_descriptor::Device::new(t.instance(), &t.d);
    let bindings = [
        binding(0, D::STORAGE_BUFFER, 1),
        binding(1, D::STORAGE_BUFFER, 1),
        binding(2, D::UNIFORM_BUFFER, 1),
        binding(3, D::STORAGE_BUFFER, 1),
    ];
    let info = vk::DescriptorSetLayoutCreateInfo::default()
        .bindings(&bindings)
        .flags(vk::DescriptorSetLayoutCreateFlags::PUSH_DESCRIPTOR_KHR);
    let sl = t.own(t.d.create_descriptor_set_layout(&info, None)?);
    let pl = t.layout(&[sl], 0)?;
    let p = t.own(t.pipeline(&KernelInfo { code: spv!("two"), ..KernelInfo::default() }, pl)?);
    let (_, [a, b, u, o]) = two(&t)?;
    let o2 = t.zeros(256)?;
    let whole = |b: Buf| [vk::DescriptorBufferInfo { buffer: b.h, offset: 0, range: vk::WHOLE_SIZE }];
    let (ia, ib, iu, io, io2) = (whole(a), whole(b), whole(u), whole(o), whole(o2));
    let write = |at, ty, info| vk::WriteDescriptorSet::default().dst_binding(at).descriptor_type(ty).buffer_info(info);
    let point = vk::PipelineBindPoint::COMPUTE;
    let entries = [vk::DescriptorUpdateTemplateEntry {
        dst_binding: 0,
        dst_array_element: 0,
        descriptor_count: 1,
        descriptor_type: D::STORAGE_BUFFER,
        offset: 0,
        stride: 0,
    }];
    let info = vk::DescriptorUpdateTemplateCreateInfo::default()
        .descriptor_update_entries(&entries)
        .template_type(vk::DescriptorUpdateTemplateType::PUSH_DESCRIPTORS_KHR)
        .pipeline_bind_point(point)
        .pipeline_layout(pl)
        .set(0);
    let template = t.own(t.d.create_descriptor_update_template(&info, None)?);
    t.now(|c| {
        t.d.cmd_bind_pipeline(c, point, p);
        let s = D::STORAGE_BUFFER;
        ext.cmd_push_descriptor_set(
            c,
            point,
            pl,
            0,
            &[write(0, s, &ia), write(1, s, &ib), write(2, D::UNIFORM_BUFFER, &iu), write(3, s, &io)],
        );
        t.d.cmd_dispatch(c, 2, 1, 1);
        // Only one changes; the others stay.
        ext.cmd_push_descriptor_set(c, point, pl, 0, &[write(3, s, &io2)]);
        t.d.cmd_dispatch(c, 1, 1, 1);
        t.full_barrier(c);
        // By template: a is replaced by the first output.
        ext.cmd_push_descriptor_set_with_template(c, template, pl, 0, std::ptr::from_ref(&io[0]).cast());
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    equal(&o.get::<u32>(), &two_want())?;
    let want: Vec<u32> = (0..64).map(|i| if i < 32 { (i * 3 + 100) * 3 + 100 } else { 0 }).collect();
    equal(&o2.get::<u32>(), &want)
}

unsafe fn inline_uniform_block() -> R {
    let t = T::new(&[])?;
    need!(t.features.v13.inline_uniform_block != 0, "inlineUniformBlock");
    let bindings = [binding(0, D::INLINE_UNIFORM_BLOCK, 64), binding(1, D::STORAGE_BUFFER, 1)];
    let sl = layout(&t, &bindings)?;
    let pl = t.layout(&[sl], 0)?;
    let p = t.own(t.pipeline(&KernelInfo { code: spv!("inline"), ..KernelInfo::default() }, pl)?);
    let sizes = [
        vk::DescriptorPoolSize { ty: D::INLINE_UNIFORM_BLOCK, descriptor_count: 128 },
        vk::DescriptorPoolSize { ty: D::STORAGE_BUFFER, descriptor_count: 2 },
    ];
    let mut more = vk::DescriptorPoolInlineUniformBlockCreateInfo::default().max_inline_uniform_block_bindings(2);
    let info = vk::DescriptorPoolCreateInfo::default().max_sets(2).pool_sizes(&sizes).push_next(&mut more);
    let dp = t.own(t.d.create_descriptor_pool(&info, None)?);
    let sets = allocate(&t, dp, &[sl, sl])?;
    let o = t.zeros(64)?;
    let data = Random(9).words(16);
    let put = |set, offset, bytes: &[u8]| {
        let mut block = vk::WriteDescriptorSetInlineUniformBlock::default().data(bytes);
        let write = vk::WriteDescriptorSet::default()
            .dst_set(set)
            .dst_binding(0)
            .dst_array_element(offset)
            .descriptor_type(D::INLINE_UNIFORM_BLOCK);
        let mut write = write.push_next(&mut block);
        write.descriptor_count = bytes.len() as u32;
        t.d.update_descriptor_sets(&[write], &[]);
    };
    put(sets[0], 0, &words(&data));
    put(sets[0], 20, &words(&[1111, 2222]));
    t.write(sets[0], 1, B::S(o));
    let mut want = data;
    (want[5], want[6]) = (1111, 2222);
    // And a copy of the bytes.
    t.write(sets[1], 1, B::S(o));
    put(sets[1], 0, &[0; 64]);
    let copy = vk::CopyDescriptorSet::default()
        .src_set(sets[0])
        .src_array_element(16)
        .dst_set(sets[1])
        .dst_array_element(32)
        .descriptor_count(16);
    t.d.update_descriptor_sets(&[], &[copy]);
    let k = K { p, layout: pl, set_layout: sl };
    let go = |set| {
        t.now(|c| {
            t.bind(c, &k, set, &[]);
            t.d.cmd_dispatch(c, 1, 1, 1);
        })
    };
    go(sets[0])?;
    equal(&o.get::<u32>(), &want)?;
    go(sets[1])?;
    equal(&o.get::<u32>(), &[&[0; 8], &want[4..8], &[0; 4]].concat())
}

/// A layout with a run-time sized array of storage buffers in binding 1.
unsafe fn bindless(t: &T, flags: vk::DescriptorBindingFlags, n: u32) -> R<(K, vk::DescriptorPool)> {
    let bindings = [binding(0, D::STORAGE_BUFFER, 1), binding(1, D::STORAGE_BUFFER, n)];
    let flags = [vk::DescriptorBindingFlags::empty(), flags];
    let mut more = vk::DescriptorSetLayoutBindingFlagsCreateInfo::default().binding_flags(&flags);
    let after = flags[1].contains(vk::DescriptorBindingFlags::UPDATE_AFTER_BIND);
    let mut info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings).push_next(&mut more);
    let mut pool_flags = vk::DescriptorPoolCreateFlags::empty();
    if after {
        info = info.flags(vk::DescriptorSetLayoutCreateFlags::UPDATE_AFTER_BIND_POOL);
        pool_flags = vk::DescriptorPoolCreateFlags::UPDATE_AFTER_BIND;
    }
    let set_layout = t.own(t.d.create_descriptor_set_layout(&info, None)?);
    let pl = t.layout(&[set_layout], 4)?;
    let p = t.own(t.pipeline(&KernelInfo { code: spv!("bindless"), ..KernelInfo::default() }, pl)?);
    let dp = pool(t, pool_flags, 4, &[(D::STORAGE_BUFFER, 2 * n + 4)])?;
    Ok((K { p, layout: pl, set_layout }, dp))
}

unsafe fn variable_count() -> R {
    let t = T::new(&[])?;
    let f = &t.features.v12;
    need!(
        f.descriptor_binding_variable_descriptor_count != 0 && f.runtime_descriptor_array != 0,
        "variable descriptor counts"
    );
    need!(f.shader_storage_buffer_array_non_uniform_indexing != 0, "non-uniform indexing");
    let (k, dp) = bindless(&t, vk::DescriptorBindingFlags::VARIABLE_DESCRIPTOR_COUNT, 1000)?;
    let layouts = [k.set_layout];
    let counts = [21];
    let mut variable = vk::DescriptorSetVariableDescriptorCountAllocateInfo::default().descriptor_counts(&counts);
    let info =
        vk::DescriptorSetAllocateInfo::default().descriptor_pool(dp).set_layouts(&layouts).push_next(&mut variable);
    let set = t.d.allocate_descriptor_sets(&info)?[0];
    let o = t.zeros(1024)?;
    t.write(set, 0, B::S(o));
    for e in 0..21u32 {
        let data: Vec<u32> = (0..256).map(|i| e * 1000 + i).collect();
        t.write_element(set, 1, e, B::S(t.buf_of(&data)?));
    }
    t.now(|c| {
        t.bind(c, &k, set, &words(&[21]));
        t.d.cmd_dispatch(c, 8, 1, 1);
    })?;
    let want: Vec<u32> = (0..256).map(|i| i * 7 % 21 * 1000 + i).collect();
    equal(&o.get::<u32>(), &want)
}

unsafe fn update_after_bind() -> R {
    let t = T::new(&[])?;
    let f = &t.features.v12;
    need!(f.descriptor_binding_storage_buffer_update_after_bind != 0, "update after bind");
    need!(f.descriptor_binding_partially_bound != 0 && f.runtime_descriptor_array != 0, "partially bound arrays");
    let flags = vk::DescriptorBindingFlags::UPDATE_AFTER_BIND | vk::DescriptorBindingFlags::PARTIALLY_BOUND;
    let (k, dp) = bindless(&t, flags, 64)?;
    let set = allocate(&t, dp, &[k.set_layout])?[0];
    let o = t.zeros(1024)?;
    t.write(set, 0, B::S(o));
    let c = t.recorded(t.family, vk::CommandBufferUsageFlags::empty(), |c| {
        t.bind(c, &k, set, &words(&[5]));
        t.d.cmd_dispatch(c, 8, 1, 1);
    })?;
    // Written after recording, twice, with most of the array never written.
    for round in 0..2u32 {
        for e in 0..5 {
            let data: Vec<u32> = (0..256).map(|i| round * 100_000 + e * 1000 + i).collect();
            t.write_element(set, 1, e, B::S(t.buf_of(&data)?));
        }
        t.submit(t.queue, &[c])?;
        let want: Vec<u32> = (0..256).map(|i| round * 100_000 + i * 7 % 5 * 1000 + i).collect();
        equal(&o.get::<u32>(), &want)?;
    }
    Ok(())
}

unsafe fn null_descriptors() -> R {
    let t = T::open(&cts::Setup { extensions: &[ash::ext::robustness2::NAME], robust: true, ..cts::Setup::default() })?;
    need!(t.features.robustness2.null_descriptor != 0, "nullDescriptor");
    let types = [D::STORAGE_BUFFER, D::UNIFORM_BUFFER, D::UNIFORM_TEXEL_BUFFER, D::STORAGE_IMAGE, D::STORAGE_BUFFER];
    let k = t.kernel(spv!("nulls"), &types, 0)?;
    let p = pool(&t, NONE, 1, &types.map(|ty| (ty, 1)))?;
    let set = allocate(&t, p, &[k.set_layout])?[0];
    let o = t.buf(128)?;
    o.fill(0xff);
    let nothing = [vk::DescriptorBufferInfo { buffer: vk::Buffer::null(), offset: 0, range: vk::WHOLE_SIZE }];
    let no_view = [vk::BufferView::null()];
    let no_image = [vk::DescriptorImageInfo { image_layout: vk::ImageLayout::GENERAL, ..Default::default() }];
    let write = |at| vk::WriteDescriptorSet::default().dst_set(set).dst_binding(at).descriptor_type(types[at as usize]);
    t.d.update_descriptor_sets(
        &[
            write(0).buffer_info(&nothing),
            write(1).buffer_info(&nothing),
            write(2).texel_buffer_view(&no_view),
            write(3).image_info(&no_image),
        ],
        &[],
    );
    t.write(set, 4, B::S(o));
    t.now(|c| {
        t.bind(c, &k, set, &[]);
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    // Reads give 0, writes nothing, sizes are 0: each output is 0 + 1.
    equal(&o.get::<u32>()[..20], &[1; 20])
}

unsafe fn empty_layouts() -> R {
    let t = T::new(&[])?;
    // An empty layout in between, a binding with no descriptors, holes in numbering.
    let empty = layout(&t, &[])?;
    let holes = layout(
        &t,
        &[binding(7, D::STORAGE_BUFFER, 0), binding(0, D::STORAGE_BUFFER, 1), binding(200, D::UNIFORM_BUFFER, 2)],
    )?;
    let pl = t.layout(&[holes, empty], 16)?;
    let p = t.own(t.pipeline(&KernelInfo { code: spv!("affine"), ..KernelInfo::default() }, pl)?);
    let dp = pool(&t, NONE, 2, &[(D::STORAGE_BUFFER, 1), (D::UNIFORM_BUFFER, 2)])?;
    let sets = allocate(&t, dp, &[holes, empty])?;
    let b = t.buf_of(&[2u32; 64])?;
    t.write(sets[0], 0, B::S(b));
    t.write_element(sets[0], 200, 1, B::U(b));
    t.now(|c| {
        t.d.cmd_bind_pipeline(c, vk::PipelineBindPoint::COMPUTE, p);
        t.d.cmd_bind_descriptor_sets(c, vk::PipelineBindPoint::COMPUTE, pl, 0, &sets, &[]);
        t.d.cmd_push_constants(c, pl, vk::ShaderStageFlags::COMPUTE, 0, &words(&[0, 64, 4, 1]));
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    equal(&b.get::<u32>(), &[9; 64])
}

unsafe fn layout_support() -> R {
    let t = T::new(&[])?;
    let ask = |n| {
        let bindings = [binding(0, D::STORAGE_BUFFER, n)];
        let mut s = vk::DescriptorSetLayoutSupport::default();
        t.d.get_descriptor_set_layout_support(
            &vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings),
            &mut s,
        );
        s.supported != 0
    };
    // What the limits promise must be supported.
    let l = &t.props.limits;
    let promised = t.property::<vk::PhysicalDeviceMaintenance3Properties<'_>>().max_per_set_descriptors;
    check!(
        ask(1)
            && ask(promised.min(l.max_descriptor_set_storage_buffers).min(l.max_per_stage_descriptor_storage_buffers))
    );
    Ok(())
}
