//! Command buffers and dispatches.

use crate::support::*;
use ash::vk;
use vk::CommandBufferUsageFlags as Usage;
use vk::DescriptorType as D;

tests! {
    record_and_record_again, simultaneous_use, one_time, reset_semantics, secondaries, dispatch_shapes, dispatch_base,
    dispatch_indirect, zero_dispatch, push_constants, big_command_buffer, dependent_dispatches, free_and_trim,
    many_pools_in_threads, pipelines_switch, markers,
}

/// The `affine` kernel over a buffer of `n` words of value `v`.
unsafe fn affine(t: &T, v: u32, n: usize) -> R<(K, vk::DescriptorSet, Buf)> {
    let k = t.kernel(spv!("affine"), &[D::STORAGE_BUFFER], 16)?;
    let b = t.buf_of(&vec![v; n])?;
    let set = t.set(k.set_layout, &[B::S(b)])?;
    Ok((k, set, b))
}

unsafe fn step(t: &T, c: vk::CommandBuffer, k: &K, set: vk::DescriptorSet, n: u32, mul: u32, add: u32) {
    t.bind(c, k, set, &words(&[0, n, mul, add]));
    t.d.cmd_dispatch(c, n.div_ceil(64), 1, 1);
}

unsafe fn begin(t: &T, c: vk::CommandBuffer, flags: Usage) -> R {
    Ok(t.d.begin_command_buffer(c, &vk::CommandBufferBeginInfo::default().flags(flags))?)
}

unsafe fn record_and_record_again() -> R {
    let t = T::new(&[])?;
    let (k, set, b) = affine(&t, 1, 100)?;
    let pool = t.pool(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER)?;
    let c = t.commands(pool, vk::CommandBufferLevel::PRIMARY, 1)?[0];
    let mut want = 1u32;
    for round in 1..6 {
        // Beginning again resets what was there.
        begin(&t, c, Usage::empty())?;
        step(&t, c, &k, set, 100, 2, round);
        t.d.end_command_buffer(c)?;
        for _ in 0..round {
            t.submit(t.queue, &[c])?;
            want = want * 2 + round;
        }
        equal(&b.get::<u32>(), &[want; 100])?;
    }
    Ok(())
}

unsafe fn markers() -> R {
    let t = T::new(&[ash::amd::buffer_marker::NAME])?;
    need!(t.has(ash::amd::buffer_marker::NAME), "VK_AMD_buffer_marker");
    let ext = ash::amd::buffer_marker::Device::new(t.instance(), &t.d);
    let (k, set, b) = affine(&t, 1, 64)?;
    let marks = t.buf_of(&[0u32; 4])?;
    t.now(|c| {
        ext.cmd_write_buffer_marker(c, vk::PipelineStageFlags::TOP_OF_PIPE, marks.h, 4, 7);
        step(&t, c, &k, set, 64, 2, 0);
        ext.cmd_write_buffer_marker(c, vk::PipelineStageFlags::BOTTOM_OF_PIPE, marks.h, 8, 9);
    })?;
    equal(&marks.get::<u32>(), &[0, 7, 9, 0])?;
    equal(&b.get::<u32>(), &[2; 64])
}

unsafe fn simultaneous_use() -> R {
    let t = T::new(&[])?;
    let (k, set, b) = affine(&t, 0, 64)?;
    let c = t.recorded(t.family, Usage::SIMULTANEOUS_USE, |c| {
        t.full_barrier(c);
        step(&t, c, &k, set, 64, 1, 1);
        t.full_barrier(c);
    })?;
    // The same buffer many times in one submission and over many submissions, none waited for.
    let list = [c; 5];
    let submits = [vk::SubmitInfo::default().command_buffers(&list); 4];
    for _ in 0..10 {
        t.d.queue_submit(t.queue, &submits, vk::Fence::null())?;
    }
    t.d.queue_wait_idle(t.queue)?;
    equal(&b.get::<u32>(), &[200; 64])
}

unsafe fn one_time() -> R {
    let t = T::new(&[])?;
    let (k, set, b) = affine(&t, 0, 64)?;
    let pool = t.pool(vk::CommandPoolCreateFlags::TRANSIENT)?;
    for round in 0..20 {
        let c = t.commands(pool, vk::CommandBufferLevel::PRIMARY, 1)?;
        begin(&t, c[0], Usage::ONE_TIME_SUBMIT)?;
        step(&t, c[0], &k, set, 64, 1, round);
        t.d.end_command_buffer(c[0])?;
        t.submit(t.queue, &c)?;
        if round % 2 == 0 {
            t.d.free_command_buffers(pool, &c);
        } else {
            t.d.reset_command_pool(pool, vk::CommandPoolResetFlags::empty())?;
        }
    }
    equal(&b.get::<u32>(), &[190; 64])
}

unsafe fn reset_semantics() -> R {
    let t = T::new(&[])?;
    let (k, set, b) = affine(&t, 0, 64)?;
    let pool = t.pool(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER)?;
    let c = t.commands(pool, vk::CommandBufferLevel::PRIMARY, 3)?;
    for flags in [vk::CommandBufferResetFlags::empty(), vk::CommandBufferResetFlags::RELEASE_RESOURCES] {
        for c in &c {
            begin(&t, *c, Usage::empty())?;
            step(&t, *c, &k, set, 64, 5, 5);
            t.d.end_command_buffer(*c)?;
            t.d.reset_command_buffer(*c, flags)?;
            // Nothing of the first recording is left.
            begin(&t, *c, Usage::empty())?;
            t.full_barrier(*c);
            step(&t, *c, &k, set, 64, 1, 1);
            t.d.end_command_buffer(*c)?;
        }
        t.submit(t.queue, &c)?;
    }
    equal(&b.get::<u32>(), &[6; 64])?;
    t.d.reset_command_pool(pool, vk::CommandPoolResetFlags::RELEASE_RESOURCES)?;
    // Resetting one that is still recording is allowed too.
    begin(&t, c[0], Usage::empty())?;
    t.d.reset_command_buffer(c[0], vk::CommandBufferResetFlags::empty())?;
    begin(&t, c[0], Usage::empty())?;
    step(&t, c[0], &k, set, 64, 1, 4);
    t.d.end_command_buffer(c[0])?;
    t.submit(t.queue, &c[..1])?;
    equal(&b.get::<u32>(), &[10; 64])
}

unsafe fn secondaries() -> R {
    let t = T::new(&[])?;
    let (k, set, b) = affine(&t, 0, 64)?;
    let pool = t.pool(vk::CommandPoolCreateFlags::empty())?;
    let s = t.commands(pool, vk::CommandBufferLevel::SECONDARY, 3)?;
    for (i, s) in (0u32..).zip(&s) {
        let inheritance = vk::CommandBufferInheritanceInfo::default();
        let info = vk::CommandBufferBeginInfo::default().flags(Usage::SIMULTANEOUS_USE).inheritance_info(&inheritance);
        t.d.begin_command_buffer(*s, &info)?;
        t.full_barrier(*s);
        step(&t, *s, &k, set, 64, 10, i + 1);
        t.full_barrier(*s);
        t.d.end_command_buffer(*s)?;
    }
    let c = t.recorded(t.family, Usage::SIMULTANEOUS_USE, |c| {
        t.d.cmd_execute_commands(c, &s);
        // State of the primary is undefined after, so it is bound again.
        step(&t, c, &k, set, 64, 10, 9);
        t.d.cmd_execute_commands(c, &[s[1], s[0]]);
    })?;
    t.submit(t.queue, &[c])?;
    equal(&b.get::<u32>(), &[123_921; 64])?;
    b.put(0, &[0u32; 64]);
    t.submit(t.queue, &[c])?;
    equal(&b.get::<u32>(), &[123_921; 64])
}

/// Checks the records `ids` wrote for a grid.
fn ids_right(records: &[[u32; 16]], extent: [u32; 3], base: [u32; 3], groups: [u32; 3]) -> R {
    let size = [extent[0] * 4, extent[1] * 2, extent[2] * 2];
    for (i, r) in (0u32..).zip(records) {
        let g = [i % size[0], i / size[0] % size[1], i / size[0] / size[1]];
        let w = [g[0] / 4, g[1] / 2, g[2] / 2];
        let inside = (0..3).all(|k| w[k] >= base[k] && w[k] < base[k] + groups[k]);
        let l = [g[0] % 4, g[1] % 2, g[2] % 2];
        let want = if inside {
            [
                g[0],
                g[1],
                g[2],
                1,
                l[0],
                l[1],
                l[2],
                l[2] * 8 + l[1] * 4 + l[0],
                w[0],
                w[1],
                w[2],
                1,
                groups[0],
                groups[1],
                groups[2],
                1,
            ]
        } else {
            [0; 16]
        };
        same!(*r, want, "at {g:?} of {size:?}");
    }
    Ok(())
}

unsafe fn run_ids(t: &T, extent: [u32; 3], record: impl FnOnce(vk::CommandBuffer)) -> R<(u32, Vec<[u32; 16]>)> {
    run_ids_of(t, extent, vk::PipelineCreateFlags::empty(), record)
}

unsafe fn run_ids_of(
    t: &T,
    extent: [u32; 3],
    flags: vk::PipelineCreateFlags,
    record: impl FnOnce(vk::CommandBuffer),
) -> R<(u32, Vec<[u32; 16]>)> {
    let n = extent.iter().product::<u32>() * 16;
    let k = t.kernel_of(&KernelInfo {
        code: spv!("ids"),
        types: &[D::STORAGE_BUFFER],
        push: 12,
        flags,
        ..KernelInfo::default()
    })?;
    let b = t.zeros(16 + u64::from(n) * 64)?;
    let set = t.set(k.set_layout, &[B::S(b)])?;
    t.now(|c| {
        t.bind(c, &k, set, &words(&extent));
        record(c);
    })?;
    let all = b.get::<u32>();
    let records = all[4..].chunks(16).map(|c| std::array::from_fn(|k| c[k])).collect();
    Ok((all[0], records))
}

unsafe fn dispatch_shapes() -> R {
    let t = T::new(&[])?;
    for e in [[1, 1, 1], [7, 1, 1], [1, 9, 1], [1, 1, 6], [5, 3, 2], [33, 2, 3]] {
        let (total, records) = run_ids(&t, e, |c| t.d.cmd_dispatch(c, e[0], e[1], e[2]))?;
        same!(total, e.iter().product::<u32>() * 16, "invocations of {e:?}");
        ids_right(&records, e, [0; 3], e)?;
    }
    // A long one in each dimension that all implementations have.
    for e in [[65535, 1, 1], [1, 65535, 1], [1, 1, 65535]] {
        let (total, _) = run_ids(&t, [1, 1, 1], |c| t.d.cmd_dispatch(c, e[0], e[1], e[2]))?;
        same!(total, 65535 * 16, "invocations of {e:?}");
    }
    Ok(())
}

unsafe fn dispatch_base() -> R {
    let t = T::new(&[])?;
    let base = vk::PipelineCreateFlags::DISPATCH_BASE;
    let (total, records) = run_ids_of(&t, [6, 5, 4], base, |c| t.d.cmd_dispatch_base(c, 2, 1, 3, 3, 2, 1))?;
    same!(total, 6 * 16);
    ids_right(&records, [6, 5, 4], [2, 1, 3], [3, 2, 1])
}

unsafe fn dispatch_indirect() -> R {
    let t = T::new(&[])?;
    // Arguments from the host, at an offset.
    let args = t.buf_of(&[9u32, 9, 4, 2, 3, 9])?;
    let (total, records) = run_ids(&t, [4, 2, 3], |c| t.d.cmd_dispatch_indirect(c, args.h, 8))?;
    same!(total, 24 * 16);
    ids_right(&records, [4, 2, 3], [0; 3], [4, 2, 3])?;
    // Arguments that a kernel of the same command buffer writes.
    let w = t.kernel(spv!("indirect"), &[D::STORAGE_BUFFER], 16)?;
    let args = t.zeros(64)?;
    let ws = t.set(w.set_layout, &[B::S(args)])?;
    let k = t.kernel(spv!("ids"), &[D::STORAGE_BUFFER], 12)?;
    let b = t.zeros(16 + 12 * 16 * 64)?;
    let set = t.set(k.set_layout, &[B::S(b)])?;
    t.now(|c| {
        t.bind(c, &w, ws, &words(&[4, 2, 3, 2]));
        t.d.cmd_dispatch(c, 1, 1, 1);
        t.full_barrier(c);
        t.bind(c, &k, set, &words(&[2, 3, 2]));
        t.d.cmd_dispatch_indirect(c, args.h, 16);
    })?;
    let all = b.get::<u32>();
    same!(all[0], 12 * 16);
    let records: Vec<[u32; 16]> = all[4..].chunks(16).map(|c| std::array::from_fn(|k| c[k])).collect();
    ids_right(&records, [2, 3, 2], [0; 3], [2, 3, 2])
}

unsafe fn zero_dispatch() -> R {
    let t = T::new(&[])?;
    let zero = t.zeros(64)?;
    let one = t.buf_of(&[1u32, 0, 1])?;
    let (total, _) = run_ids(&t, [2, 2, 2], |c| {
        for e in [[0, 1, 1], [1, 0, 1], [5, 5, 0], [0, 0, 0]] {
            t.d.cmd_dispatch(c, e[0], e[1], e[2]);
        }
        t.d.cmd_dispatch_indirect(c, zero.h, 0);
        t.d.cmd_dispatch_indirect(c, one.h, 0);
    })?;
    same!(total, 0);
    // An empty command buffer, an empty submission, a fence alone.
    t.now(|_| {})?;
    let f = t.fence()?;
    t.d.queue_submit(t.queue, &[], f)?;
    t.d.wait_for_fences(&[f], true, LONG)?;
    Ok(())
}

unsafe fn push_constants() -> R {
    let t = T::new(&[])?;
    let k = t.kernel(spv!("push"), &[D::STORAGE_BUFFER], 128)?;
    let o = t.zeros(128 * 3)?;
    let set = t.set(k.set_layout, &[B::S(o)])?;
    let mut data = Random(14).words(32);
    let first = data.clone();
    let offsets = |k: &K, c, at: u32, v: &[u32]| {
        t.d.cmd_push_constants(c, k.layout, vk::ShaderStageFlags::COMPUTE, at, &words(v))
    };
    t.now(|c| {
        t.d.cmd_bind_pipeline(c, vk::PipelineBindPoint::COMPUTE, k.p);
        t.d.cmd_bind_descriptor_sets(c, vk::PipelineBindPoint::COMPUTE, k.layout, 0, &[set], &[]);
        offsets(&k, c, 0, &data);
        t.d.cmd_dispatch(c, 1, 1, 1);
        t.full_barrier(c);
        // Parts; the rest stays. Seen by the second workgroup, as the first writes the same again.
        offsets(&k, c, 16, &[1, 2, 3]);
        offsets(&k, c, 124, &[99]);
        offsets(&k, c, 0, &[7]);
        t.d.cmd_dispatch_base(c, 0, 0, 0, 1, 1, 1);
    })?;
    data[4..7].copy_from_slice(&[1, 2, 3]);
    data[31] = 99;
    data[0] = 7;
    let got = o.get::<u32>();
    equal(&got[..32], &data)?;
    check!(first != data);
    // Values belong to the command: recorded ones do not change by later pushes.
    t.now(|c| {
        t.bind(c, &k, set, &words(&first));
        t.d.cmd_dispatch(c, 3, 1, 1);
        offsets(&k, c, 0, &[0; 32]);
    })?;
    equal(&o.get::<u32>(), &[&first[..], &first[..], &first[..]].concat())
}

unsafe fn big_command_buffer() -> R {
    let t = T::new(&[])?;
    let (k, set, b) = affine(&t, 0, 64)?;
    // Ten thousand dispatches, each on its own element by push constants, with a copy now and then.
    let n = 10_000u32;
    let big = t.zeros(u64::from(n) * 4)?;
    let big_set = t.set(k.set_layout, &[B::S(big)])?;
    let start = std::time::Instant::now();
    t.now(|c| {
        t.bind(c, &k, big_set, &[]);
        for i in 0..n {
            t.d.cmd_push_constants(c, k.layout, vk::ShaderStageFlags::COMPUTE, 0, &words(&[i, 1, 1, i + 1]));
            t.d.cmd_dispatch(c, 1, 1, 1);
            if i % 1000 == 999 {
                t.full_barrier(c);
            }
        }
        t.bind(c, &k, set, &words(&[0, 64, 1, 1]));
        for _ in 0..1000 {
            t.d.cmd_dispatch(c, 1, 1, 1);
            t.full_barrier(c);
        }
    })?;
    println!("{:?}", start.elapsed());
    let want: Vec<u32> = (1..=n).collect();
    equal(&big.get::<u32>(), &want)?;
    equal(&b.get::<u32>(), &[1000; 64])
}

unsafe fn dependent_dispatches() -> R {
    // Each step depends on the one before: dispatch, copy, fill, update and indirect among each other.
    let t = T::new(&[])?;
    let (k, set, b) = affine(&t, 1, 4096)?;
    let other = t.zeros(16384)?;
    let other_set = t.set(k.set_layout, &[B::S(other)])?;
    let copy = [vk::BufferCopy { src_offset: 0, dst_offset: 0, size: 16384 }];
    t.now(|c| {
        for _ in 0..20 {
            step(&t, c, &k, set, 4096, 3, 1);
            t.barrier(c);
            t.d.cmd_copy_buffer(c, b.h, other.h, &copy);
            t.barrier(c);
            step(&t, c, &k, other_set, 4096, 1, 2);
            t.barrier(c);
            t.d.cmd_copy_buffer(c, other.h, b.h, &copy);
            t.barrier(c);
            t.d.cmd_fill_buffer(c, other.h, 0, vk::WHOLE_SIZE, 0);
            t.barrier(c);
        }
    })?;
    let mut want = 1u32;
    for _ in 0..20 {
        want = want.wrapping_mul(3).wrapping_add(3);
    }
    equal(&b.get::<u32>(), &vec![want; 4096])
}

unsafe fn free_and_trim() -> R {
    let t = T::new(&[])?;
    let pool = t.pool(vk::CommandPoolCreateFlags::empty())?;
    let mut random = Random(15);
    let mut live = Vec::new();
    for _ in 0..300 {
        if random.below(2) == 0 {
            let n = 1 + random.below(5);
            let level =
                if random.below(2) == 0 { vk::CommandBufferLevel::PRIMARY } else { vk::CommandBufferLevel::SECONDARY };
            live.extend(t.commands(pool, level, n)?);
        } else {
            let n = random.below(live.len() as u32 + 1) as usize;
            let gone: Vec<_> = live.drain(..n).chain([vk::CommandBuffer::null()]).collect();
            t.d.free_command_buffers(pool, &gone);
        }
        if random.below(20) == 0 {
            t.d.trim_command_pool(pool, vk::CommandPoolTrimFlags::empty());
        }
    }
    let mut all = live.clone();
    all.sort();
    all.dedup();
    same!(all.len(), live.len(), "distinct handles");
    Ok(())
}

unsafe fn many_pools_in_threads() -> R {
    // Threads record into pools of their own at the same time; one submission runs all.
    let t = T::new(&[])?;
    let k = t.kernel(spv!("affine"), &[D::STORAGE_BUFFER], 16)?;
    let buffers: Vec<Buf> = (0..4).map(|_| t.zeros(1024)).collect::<R<_>>()?;
    let sets: Vec<_> = buffers.iter().map(|b| t.set(k.set_layout, &[B::S(*b)])).collect::<R<_>>()?;
    let pools: Vec<_> = (0..4).map(|_| t.pool(vk::CommandPoolCreateFlags::empty())).collect::<R<_>>()?;
    let d = &t.d;
    let c: Vec<vk::CommandBuffer> = std::thread::scope(|s| {
        let threads: Vec<_> = (0..4u32)
            .zip(pools.iter().zip(&sets))
            .map(|(i, (pool, set))| {
                s.spawn(move || -> Result<vk::CommandBuffer, vk::Result> {
                    let info = vk::CommandBufferAllocateInfo::default().command_pool(*pool).command_buffer_count(1);
                    let c = d.allocate_command_buffers(&info)?[0];
                    d.begin_command_buffer(c, &vk::CommandBufferBeginInfo::default())?;
                    d.cmd_bind_pipeline(c, vk::PipelineBindPoint::COMPUTE, k.p);
                    d.cmd_bind_descriptor_sets(c, vk::PipelineBindPoint::COMPUTE, k.layout, 0, &[*set], &[]);
                    for n in 0..256 {
                        d.cmd_push_constants(
                            c,
                            k.layout,
                            vk::ShaderStageFlags::COMPUTE,
                            0,
                            &words(&[n, 1, 1, n * 10 + i]),
                        );
                        d.cmd_dispatch(c, 1, 1, 1);
                    }
                    d.end_command_buffer(c)?;
                    Ok(c)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap_or(Err(vk::Result::ERROR_UNKNOWN))).collect::<Result<_, _>>()
    })?;
    t.submit(t.queue, &c)?;
    for (i, b) in (0u32..).zip(&buffers) {
        let want: Vec<u32> = (0..256).map(|n| n * 10 + i).collect();
        equal(&b.get::<u32>(), &want)?;
    }
    Ok(())
}

unsafe fn pipelines_switch() -> R {
    // Pipelines alternate with compatible layouts: sets and push constants stay bound.
    let t = T::new(&[])?;
    let a = t.kernel(spv!("affine"), &[D::STORAGE_BUFFER], 16)?;
    let p = t.pipeline(
        &KernelInfo { code: spv!("affine"), spec: &[(0, &7u32.to_ne_bytes())], ..KernelInfo::default() },
        a.layout,
    )?;
    let p = t.own(p);
    let b = t.zeros(28)?;
    let set = t.set(a.set_layout, &[B::S(b)])?;
    t.now(|c| {
        t.bind(c, &a, set, &words(&[0, 7, 2, 1]));
        for k in 0..10 {
            t.d.cmd_bind_pipeline(c, vk::PipelineBindPoint::COMPUTE, if k % 2 == 0 { p } else { a.p });
            t.d.cmd_dispatch(c, 1, 1, 1);
            t.full_barrier(c);
        }
    })?;
    equal(&b.get::<u32>(), &[1023; 7])
}
