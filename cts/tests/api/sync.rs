//! Fences, semaphores, events, barriers, queues.

use crate::support::*;
use ash::vk;
use cts::Setup;
use std::time::{Duration, Instant};
use vk::CommandBufferUsageFlags as Usage;
use vk::DescriptorType as D;
use vk::PipelineStageFlags as Stage;

tests! {
    fences, fence_timeouts, binary_semaphores, timeline_host, timeline_wait_before_signal, timeline_any_and_all,
    timeline_between_queues, binary_between_queues, events, events2, submit2, barrier_forms, ownership_transfer,
    threads_and_queues, wait_idle, missing_barriers_are_reported, exported_semaphore, exported_fence, calibrated,
}

struct Chain {
    k: K,
    set: vk::DescriptorSet,
    b: Buf,
}

/// A buffer of 256 words and the kernel for it.
unsafe fn chain(t: &T, v: u32) -> R<Chain> {
    let k = t.kernel(spv!("affine"), &[D::STORAGE_BUFFER], 16)?;
    let b = t.buf_of(&[v; 256])?;
    Ok(Chain { set: t.set(k.set_layout, &[B::S(b)])?, k, b })
}

impl Chain {
    unsafe fn step(&self, t: &T, c: vk::CommandBuffer, mul: u32, add: u32) {
        t.bind(c, &self.k, self.set, &words(&[0, 256, mul, add]));
        t.d.cmd_dispatch(c, 4, 1, 1);
    }

    /// A command buffer with one step and barriers around it.
    unsafe fn recorded(&self, t: &T, family: u32, mul: u32, add: u32) -> R<vk::CommandBuffer> {
        t.recorded(family, Usage::SIMULTANEOUS_USE, |c| {
            t.full_barrier(c);
            self.step(t, c, mul, add);
            t.full_barrier(c);
        })
    }

    fn is(&self, v: u32) -> R {
        equal(&self.b.get::<u32>(), &[v; 256])
    }
}

unsafe fn all_queues(extensions: &[&std::ffi::CStr]) -> R<T> {
    T::open(&Setup { extensions, all_queues: true, ..Setup::default() })
}

/// Two different queues that can compute, with their families; or a skip.
unsafe fn two_queues(t: &T) -> R<[(vk::Queue, u32); 2]> {
    let families = t.instance().get_physical_device_queue_family_properties(t.physical);
    let all: Vec<_> = (0u32..)
        .zip(&t.queues)
        .filter(|(f, _)| families[*f as usize].queue_flags.contains(vk::QueueFlags::COMPUTE))
        .flat_map(|(f, q)| q.iter().map(move |q| (*q, f)))
        .collect();
    match all.as_slice() {
        [a, .., b] => Ok([*a, *b]),
        _ => skip!("the device has no second compute queue"),
    }
}

unsafe fn fences() -> R {
    let t = T::new(&[])?;
    let x = chain(&t, 0)?;
    let c = x.recorded(&t, t.family, 1, 1)?;
    let signalled =
        t.own(t.d.create_fence(&vk::FenceCreateInfo::default().flags(vk::FenceCreateFlags::SIGNALED), None)?);
    check!(t.d.get_fence_status(signalled)?);
    t.d.wait_for_fences(&[signalled], true, 0)?;
    let list: Vec<_> = (0..10).map(|_| t.fence()).collect::<R<_>>()?;
    for f in &list {
        check!(!t.d.get_fence_status(*f)?);
    }
    t.d.reset_fences(&[signalled])?;
    check!(!t.d.get_fence_status(signalled)?);
    let b = [c];
    for f in &list {
        t.d.queue_submit(t.queue, &[vk::SubmitInfo::default().command_buffers(&b)], *f)?;
    }
    t.d.wait_for_fences(&list, true, LONG)?;
    x.is(10)?;
    for f in &list {
        check!(t.d.get_fence_status(*f)?);
    }
    t.d.reset_fences(&list)?;
    // Any of many.
    t.d.queue_submit(t.queue, &[], list[7])?;
    t.d.wait_for_fences(&list, false, LONG)?;
    check!(t.d.get_fence_status(list[7])? && !t.d.get_fence_status(list[3])?);
    Ok(())
}

unsafe fn fence_timeouts() -> R {
    let t = T::new(&[])?;
    let f = t.fence()?;
    same!(t.d.wait_for_fences(&[f], true, 0).err(), Some(vk::Result::TIMEOUT));
    let start = Instant::now();
    same!(t.d.wait_for_fences(&[f], true, 30_000_000).err(), Some(vk::Result::TIMEOUT));
    let took = start.elapsed();
    check!(took >= Duration::from_millis(29) && took < Duration::from_secs(10), "waited {took:?} for 30 ms");
    // One of two is not all.
    let g = t.fence()?;
    t.d.queue_submit(t.queue, &[], g)?;
    t.d.wait_for_fences(&[g], true, u64::MAX)?;
    same!(t.d.wait_for_fences(&[f, g], true, 1_000_000).err(), Some(vk::Result::TIMEOUT));
    t.d.wait_for_fences(&[f, g], false, 0)?;
    Ok(())
}

unsafe fn binary_semaphores() -> R {
    let t = T::new(&[])?;
    let x = chain(&t, 1)?;
    let s: Vec<_> = (0..2).map(|_| t.semaphore()).collect::<R<_>>()?;
    let steps: Vec<_> = (0..4).map(|k| x.recorded(&t, t.family, 2, k)).collect::<R<_>>()?;
    // A chain of submissions through two semaphores, used again and again.
    let fence = t.fence()?;
    let stage = [Stage::ALL_COMMANDS];
    for k in 0..40usize {
        let (wait, signal, c) = ([s[k % 2]], [s[(k + 1) % 2]], [steps[k % 4]]);
        let mut submit = vk::SubmitInfo::default().command_buffers(&c);
        if k > 0 {
            submit = submit.wait_semaphores(&wait).wait_dst_stage_mask(&stage);
        }
        if k < 39 {
            submit = submit.signal_semaphores(&signal);
        }
        t.d.queue_submit(t.queue, &[submit], if k == 39 { fence } else { vk::Fence::null() })?;
    }
    t.d.wait_for_fences(&[fence], true, LONG)?;
    let mut want = 1u32;
    for k in 0..40 {
        want = want.wrapping_mul(2).wrapping_add(k % 4);
    }
    x.is(want)
}

/// Waits on the host for a timeline's value.
pub unsafe fn wait(t: &T, s: vk::Semaphore, v: u64, timeout: u64) -> Result<(), vk::Result> {
    let (s, v) = ([s], [v]);
    t.d.wait_semaphores(&vk::SemaphoreWaitInfo::default().semaphores(&s).values(&v), timeout)
}

/// Gives a timeline a value.
pub unsafe fn signal(t: &T, s: vk::Semaphore, v: u64) -> Result<(), vk::Result> {
    t.d.signal_semaphore(&vk::SemaphoreSignalInfo::default().semaphore(s).value(v))
}

unsafe fn timeline_host() -> R {
    let t = T::new(&[])?;
    need!(t.features.v12.timeline_semaphore != 0, "timelineSemaphore");
    let s = t.timeline(5)?;
    same!(t.d.get_semaphore_counter_value(s)?, 5);
    wait(&t, s, 5, 0)?;
    same!(wait(&t, s, 6, 0).err(), Some(vk::Result::TIMEOUT));
    same!(wait(&t, s, 6, 10_000_000).err(), Some(vk::Result::TIMEOUT));
    signal(&t, s, 6)?;
    wait(&t, s, 6, 0)?;
    signal(&t, s, 1_000_000_007)?;
    wait(&t, s, 77, 0)?;
    same!(t.d.get_semaphore_counter_value(s)?, 1_000_000_007);
    // A waiting thread is woken by the host.
    let done = std::thread::scope(|scope| {
        let w = scope.spawn(|| wait(&t, s, 1_000_000_010, LONG));
        std::thread::sleep(Duration::from_millis(20));
        signal(&t, s, 1_000_000_009)?;
        std::thread::sleep(Duration::from_millis(10));
        check!(!w.is_finished(), "woken too early");
        signal(&t, s, 1_000_000_010)?;
        Ok(w.join().unwrap_or(Err(vk::Result::ERROR_UNKNOWN))?)
    });
    done?;
    // Signalled by a queue.
    let (list, v) = ([s], [2_000_000_000]);
    let mut values = vk::TimelineSemaphoreSubmitInfo::default().signal_semaphore_values(&v);
    t.d.queue_submit(
        t.queue,
        &[vk::SubmitInfo::default().signal_semaphores(&list).push_next(&mut values)],
        vk::Fence::null(),
    )?;
    wait(&t, s, 2_000_000_000, LONG)?;
    Ok(())
}

// SAFETY: `T` is only shared within one test's scope for calls that Vulkan lets threads make at the same time.
unsafe impl Sync for T {}

unsafe fn timeline_wait_before_signal() -> R {
    let t = T::new(&[])?;
    need!(t.features.v12.timeline_semaphore != 0, "timelineSemaphore");
    let x = chain(&t, 1)?;
    let (gate, done) = (t.timeline(0)?, t.timeline(0)?);
    let stage = [Stage::ALL_COMMANDS];
    let steps = [x.recorded(&t, t.family, 3, 1)?, x.recorded(&t, t.family, 5, 2)?];
    for (k, c) in (0u64..).zip(&steps) {
        let (w, s, c) = ([gate], [done], [*c]);
        let (wv, sv) = ([k + 1], [k + 1]);
        let mut values =
            vk::TimelineSemaphoreSubmitInfo::default().wait_semaphore_values(&wv).signal_semaphore_values(&sv);
        let submit = vk::SubmitInfo::default()
            .wait_semaphores(&w)
            .wait_dst_stage_mask(&stage)
            .command_buffers(&c)
            .signal_semaphores(&s)
            .push_next(&mut values);
        t.d.queue_submit(t.queue, &[submit], vk::Fence::null())?;
    }
    std::thread::sleep(Duration::from_millis(20));
    same!(t.d.get_semaphore_counter_value(done)?, 0);
    x.is(1)?;
    signal(&t, gate, 1)?;
    wait(&t, done, 1, LONG)?;
    x.is(4)?;
    std::thread::sleep(Duration::from_millis(5));
    same!(t.d.get_semaphore_counter_value(done)?, 1);
    signal(&t, gate, 2)?;
    wait(&t, done, 2, LONG)?;
    x.is(22)
}

unsafe fn timeline_any_and_all() -> R {
    let t = T::new(&[])?;
    need!(t.features.v12.timeline_semaphore != 0, "timelineSemaphore");
    let s: Vec<_> = (0..3).map(|_| t.timeline(0)).collect::<R<_>>()?;
    let values = [3, 3, 3];
    let go = |flags, timeout| {
        t.d.wait_semaphores(&vk::SemaphoreWaitInfo::default().flags(flags).semaphores(&s).values(&values), timeout)
    };
    let (any, all) = (vk::SemaphoreWaitFlags::ANY, vk::SemaphoreWaitFlags::empty());
    same!(go(any, 1_000_000).err(), Some(vk::Result::TIMEOUT));
    signal(&t, s[1], 3)?;
    go(any, 0)?;
    same!(go(all, 1_000_000).err(), Some(vk::Result::TIMEOUT));
    signal(&t, s[0], 9)?;
    signal(&t, s[2], 2)?;
    same!(go(all, 1_000_000).err(), Some(vk::Result::TIMEOUT));
    let r = std::thread::scope(|scope| {
        let w = scope.spawn(|| go(all, LONG));
        std::thread::sleep(Duration::from_millis(10));
        signal(&t, s[2], 3)?;
        w.join().unwrap_or(Err(vk::Result::ERROR_UNKNOWN))
    });
    Ok(r?)
}

unsafe fn timeline_between_queues() -> R {
    let t = all_queues(&[])?;
    need!(t.features.v12.timeline_semaphore != 0, "timelineSemaphore");
    let q = two_queues(&t)?;
    let x = chain(&t, 1)?;
    let s = t.timeline(0)?;
    let c: Vec<_> = q.iter().map(|(_, f)| x.recorded(&t, *f, 3, *f + 1)).collect::<R<_>>()?;
    let stage = [Stage::ALL_COMMANDS];
    // Twenty steps that alternate between the queues; one queue gets all of its waits before any signal is submitted.
    let n = 20u64;
    for side in [1usize, 0] {
        for k in (0..n).filter(|k| (*k % 2) as usize == side) {
            let (list, b) = ([s], [c[side]]);
            let (wv, sv) = ([k], [k + 1]);
            let mut values =
                vk::TimelineSemaphoreSubmitInfo::default().wait_semaphore_values(&wv).signal_semaphore_values(&sv);
            let submit = vk::SubmitInfo::default()
                .wait_semaphores(&list)
                .wait_dst_stage_mask(&stage)
                .command_buffers(&b)
                .signal_semaphores(&list)
                .push_next(&mut values);
            t.d.queue_submit(q[side].0, &[submit], vk::Fence::null())?;
        }
    }
    wait(&t, s, n, LONG)?;
    let mut want = 1u32;
    for k in 0..n {
        want = want.wrapping_mul(3).wrapping_add(q[(k % 2) as usize].1 + 1);
    }
    x.is(want)
}

unsafe fn binary_between_queues() -> R {
    let t = all_queues(&[])?;
    let q = two_queues(&t)?;
    let x = chain(&t, 1)?;
    let c: Vec<_> = q.iter().map(|(_, f)| x.recorded(&t, *f, 3, 1)).collect::<R<_>>()?;
    let s: Vec<_> = (0..21).map(|_| t.semaphore()).collect::<R<_>>()?;
    let stage = [Stage::COMPUTE_SHADER | Stage::TRANSFER];
    for k in 0..20usize {
        let (w, sg, b) = ([s[k]], [s[k + 1]], [c[k % 2]]);
        let mut submit = vk::SubmitInfo::default().command_buffers(&b);
        if k > 0 {
            submit = submit.wait_semaphores(&w).wait_dst_stage_mask(&stage);
        }
        if k < 19 {
            submit = submit.signal_semaphores(&sg);
        }
        t.d.queue_submit(q[k % 2].0, &[submit], vk::Fence::null())?;
    }
    t.d.device_wait_idle()?;
    let mut want = 1u32;
    for _ in 0..20 {
        want = want.wrapping_mul(3).wrapping_add(1);
    }
    x.is(want)
}

unsafe fn events() -> R {
    let t = T::new(&[])?;
    let x = chain(&t, 1)?;
    let e = t.own(t.d.create_event(&vk::EventCreateInfo::default(), None)?);
    check!(!t.d.get_event_status(e)?);
    t.d.set_event(e)?;
    check!(t.d.get_event_status(e)?);
    t.d.reset_event(e)?;
    check!(!t.d.get_event_status(e)?);
    // Set and waited for on the device, between dependent dispatches.
    t.now(|c| {
        x.step(&t, c, 2, 1);
        t.d.cmd_set_event(c, e, Stage::COMPUTE_SHADER);
        t.d.cmd_wait_events(c, &[e], Stage::COMPUTE_SHADER, Stage::COMPUTE_SHADER, &FULL, &[], &[]);
        x.step(&t, c, 2, 1);
        t.full_barrier(c);
        t.d.cmd_reset_event(c, e, Stage::ALL_COMMANDS);
    })?;
    x.is(7)?;
    check!(!t.d.get_event_status(e)?);
    // Set by the device, seen by the host.
    t.now(|c| t.d.cmd_set_event(c, e, Stage::ALL_COMMANDS))?;
    check!(t.d.get_event_status(e)?);
    // Set by the host before submission, waited for by the device.
    let e = t.own(t.d.create_event(&vk::EventCreateInfo::default(), None)?);
    t.d.set_event(e)?;
    t.now(|c| {
        t.d.cmd_wait_events(c, &[e], Stage::HOST, Stage::COMPUTE_SHADER, &[], &[], &[]);
        x.step(&t, c, 1, 3);
    })?;
    x.is(10)
}

unsafe fn events2() -> R {
    let t = T::new(&[])?;
    need!(t.features.v13.synchronization2 != 0, "synchronization2");
    let x = chain(&t, 1)?;
    let e: Vec<_> = (0..2)
        .map(|k| {
            let flags = if k == 0 { vk::EventCreateFlags::DEVICE_ONLY } else { vk::EventCreateFlags::empty() };
            Ok(t.own(t.d.create_event(&vk::EventCreateInfo::default().flags(flags), None)?))
        })
        .collect::<R<_>>()?;
    let barrier = [vk::MemoryBarrier2::default()
        .src_stage_mask(vk::PipelineStageFlags2::COMPUTE_SHADER)
        .src_access_mask(vk::AccessFlags2::SHADER_STORAGE_WRITE)
        .dst_stage_mask(vk::PipelineStageFlags2::COMPUTE_SHADER)
        .dst_access_mask(vk::AccessFlags2::SHADER_STORAGE_READ | vk::AccessFlags2::SHADER_STORAGE_WRITE)];
    let info = [vk::DependencyInfo::default().memory_barriers(&barrier); 2];
    t.now(|c| {
        x.step(&t, c, 2, 1);
        for e in &e {
            t.d.cmd_set_event2(c, *e, &info[0]);
        }
        t.d.cmd_wait_events2(c, &e, &info);
        x.step(&t, c, 3, 1);
        t.d.cmd_pipeline_barrier2(c, &info[0]);
        x.step(&t, c, 2, 0);
        t.full_barrier(c);
        t.d.cmd_reset_event2(c, e[1], vk::PipelineStageFlags2::ALL_COMMANDS);
    })?;
    x.is(20)?;
    check!(!t.d.get_event_status(e[1])?);
    Ok(())
}

unsafe fn submit2() -> R {
    let t = T::new(&[])?;
    need!(t.features.v13.synchronization2 != 0, "synchronization2");
    let x = chain(&t, 1)?;
    let (binary, timeline) = (t.semaphore()?, t.timeline(0)?);
    let c = [x.recorded(&t, t.family, 2, 1)?, x.recorded(&t, t.family, 3, 0)?];
    let all = vk::PipelineStageFlags2::ALL_COMMANDS;
    let info = |c: vk::CommandBuffer| [vk::CommandBufferSubmitInfo::default().command_buffer(c)];
    let (c0, c1, both) = (info(c[0]), info(c[1]), [info(c[0])[0], info(c[1])[0]]);
    let sem = |s, v| vk::SemaphoreSubmitInfo::default().semaphore(s).value(v).stage_mask(all);
    let first_signals = [sem(binary, 0), sem(timeline, 3)];
    let second_waits = [sem(binary, 0), sem(timeline, 2)];
    let second_signals = [sem(timeline, 10)];
    let third_waits = [sem(timeline, 10)];
    let submits = [
        vk::SubmitInfo2::default().command_buffer_infos(&c0).signal_semaphore_infos(&first_signals),
        vk::SubmitInfo2::default()
            .wait_semaphore_infos(&second_waits)
            .command_buffer_infos(&c1)
            .signal_semaphore_infos(&second_signals),
        vk::SubmitInfo2::default().wait_semaphore_infos(&third_waits).command_buffer_infos(&both),
    ];
    let f = t.fence()?;
    t.d.queue_submit2(t.queue, &submits, f)?;
    t.d.wait_for_fences(&[f], true, LONG)?;
    same!(t.d.get_semaphore_counter_value(timeline)?, 10);
    // ((1·2+1)·3)·2+1)·3
    x.is(57)
}

unsafe fn barrier_forms() -> R {
    let t = T::new(&[])?;
    let x = chain(&t, 1)?;
    let rw = vk::AccessFlags::SHADER_READ | vk::AccessFlags::SHADER_WRITE;
    let compute = Stage::COMPUTE_SHADER;
    let none = vk::DependencyFlags::empty();
    let by_buffer = |offset, size| {
        vk::BufferMemoryBarrier::default()
            .src_access_mask(vk::AccessFlags::SHADER_WRITE)
            .dst_access_mask(rw)
            .src_queue_family_index(vk::QUEUE_FAMILY_IGNORED)
            .dst_queue_family_index(vk::QUEUE_FAMILY_IGNORED)
            .buffer(x.b.h)
            .offset(offset)
            .size(size)
    };
    let global = vk::MemoryBarrier::default().src_access_mask(vk::AccessFlags::SHADER_WRITE).dst_access_mask(rw);
    let mut want = 1u32;
    t.now(|c| {
        for k in 0..50u32 {
            x.step(&t, c, 3, k);
            want = want.wrapping_mul(3).wrapping_add(k);
            match k % 4 {
                0 => t.d.cmd_pipeline_barrier(c, compute, compute, none, &[global], &[], &[]),
                1 => t.d.cmd_pipeline_barrier(c, compute, compute, none, &[], &[by_buffer(0, vk::WHOLE_SIZE)], &[]),
                2 => t.d.cmd_pipeline_barrier(
                    c,
                    compute,
                    compute,
                    none,
                    &[],
                    &[by_buffer(0, 512), by_buffer(512, 512)],
                    &[],
                ),
                _ => {
                    t.d.cmd_pipeline_barrier(c, Stage::ALL_COMMANDS, Stage::ALL_COMMANDS, none, &[global], &[], &[]);
                    t.d.cmd_pipeline_barrier(c, Stage::TOP_OF_PIPE, Stage::BOTTOM_OF_PIPE, none, &[], &[], &[]);
                }
            }
        }
    })?;
    x.is(want)
}

unsafe fn ownership_transfer() -> R {
    let t = all_queues(&[])?;
    need!(t.queues.len() > 1, "second queue family");
    let x = chain(&t, 1)?;
    let other = (0..t.queues.len() as u32).find(|f| *f != t.family).unwrap_or(0);
    let q = t.queues[other as usize][0];
    let barrier = |from, to| {
        [vk::BufferMemoryBarrier::default()
            .src_access_mask(vk::AccessFlags::MEMORY_WRITE)
            .dst_access_mask(vk::AccessFlags::MEMORY_READ | vk::AccessFlags::MEMORY_WRITE)
            .src_queue_family_index(from)
            .dst_queue_family_index(to)
            .buffer(x.b.h)
            .size(vk::WHOLE_SIZE)]
    };
    let none = vk::DependencyFlags::empty();
    let all = Stage::ALL_COMMANDS;
    let (there, back) = (barrier(t.family, other), barrier(other, t.family));
    let a = t.recorded(t.family, Usage::empty(), |c| {
        x.step(&t, c, 2, 1);
        t.d.cmd_pipeline_barrier(c, all, all, none, &[], &there, &[]);
    })?;
    let half = [vk::BufferCopy { src_offset: 0, dst_offset: 512, size: 512 }];
    let b = t.recorded(other, Usage::empty(), |c| {
        t.d.cmd_pipeline_barrier(c, all, all, none, &[], &there, &[]);
        t.d.cmd_fill_buffer(c, x.b.h, 0, 512, 10);
        t.full_barrier(c);
        t.d.cmd_copy_buffer(c, x.b.h, x.b.h, &half);
        t.d.cmd_pipeline_barrier(c, all, all, none, &[], &back, &[]);
    })?;
    let d = t.recorded(t.family, Usage::empty(), |c| {
        t.d.cmd_pipeline_barrier(c, all, all, none, &[], &back, &[]);
        x.step(&t, c, 2, 1);
    })?;
    let (s1, s2) = ([t.semaphore()?], [t.semaphore()?]);
    let stage = [all];
    let (a, b, d) = ([a], [b], [d]);
    t.d.queue_submit(
        t.queue,
        &[vk::SubmitInfo::default().command_buffers(&a).signal_semaphores(&s1)],
        vk::Fence::null(),
    )?;
    let submit = vk::SubmitInfo::default()
        .wait_semaphores(&s1)
        .wait_dst_stage_mask(&stage)
        .command_buffers(&b)
        .signal_semaphores(&s2);
    t.d.queue_submit(q, &[submit], vk::Fence::null())?;
    let submit = vk::SubmitInfo::default().wait_semaphores(&s2).wait_dst_stage_mask(&stage).command_buffers(&d);
    t.d.queue_submit(t.queue, &[submit], vk::Fence::null())?;
    t.d.device_wait_idle()?;
    x.is(21)
}

unsafe fn threads_and_queues() -> R {
    // Threads submit and wait at the same time, each to a queue of its own as far as there are some (else under a lock).
    let t = all_queues(&[])?;
    let families = t.instance().get_physical_device_queue_family_properties(t.physical);
    let queues: Vec<_> = (0u32..)
        .zip(&t.queues)
        .filter(|(f, _)| families[*f as usize].queue_flags.contains(vk::QueueFlags::COMPUTE))
        .flat_map(|(f, q)| q.iter().map(move |q| (f, std::sync::Mutex::new(*q))))
        .collect();
    let chains: Vec<_> = (0..4usize)
        .map(|k| {
            let x = chain(&t, 1)?;
            let (family, _) = &queues[k % queues.len()];
            let c = x.recorded(&t, *family, 3, k as u32)?;
            Ok((x, c, t.fence()?))
        })
        .collect::<R<Vec<_>>>()?;
    let d = &t.d;
    let queues = &queues;
    let results = std::thread::scope(|s| {
        let threads: Vec<_> = chains
            .iter()
            .enumerate()
            .map(|(k, (_, c, fence))| {
                let (c, fence) = ([*c], *fence);
                s.spawn(move || -> Result<(), vk::Result> {
                    let (_, q) = &queues[k % queues.len()];
                    for _ in 0..200 {
                        {
                            let q = q.lock().unwrap_or_else(|e| e.into_inner());
                            d.queue_submit(*q, &[vk::SubmitInfo::default().command_buffers(&c)], fence)?;
                        }
                        d.wait_for_fences(&[fence], true, LONG)?;
                        d.reset_fences(&[fence])?;
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap_or(Err(vk::Result::ERROR_UNKNOWN))).collect::<Result<Vec<_>, _>>()
    });
    results?;
    for (k, (x, _, _)) in (0u32..).zip(&chains) {
        let mut want = 1u32;
        for _ in 0..200 {
            want = want.wrapping_mul(3).wrapping_add(k);
        }
        x.is(want)?;
    }
    Ok(())
}

unsafe fn wait_idle() -> R {
    let t = all_queues(&[])?;
    let x = chain(&t, 0)?;
    let c = [x.recorded(&t, t.family, 1, 1)?];
    for k in 1..=50 {
        t.d.queue_submit(t.queue, &[vk::SubmitInfo::default().command_buffers(&c)], vk::Fence::null())?;
        if k % 2 == 0 {
            t.d.queue_wait_idle(t.queue)?;
        } else {
            t.d.device_wait_idle()?;
        }
        x.is(k)?;
    }
    // Idle queues, all of them.
    for q in t.queues.iter().flatten() {
        t.d.queue_wait_idle(*q)?;
    }
    Ok(t.d.device_wait_idle()?)
}

/// Does what is wrong, to see that it would be noticed in the other tests.
unsafe fn missing_barriers_are_reported() -> R {
    if !cts::harness::watching_hazards() {
        skip!("nobody looks for missing barriers (VKDXG_VALIDATE=sync)");
    }
    let t = T::new(&[])?;
    let x = chain(&t, 1)?;
    same!(cts::Gpu::take_hazards(), 0);
    // (The layer of Debian 12 lets two dispatches pass that write the same descriptor.)
    t.now(|c| {
        t.d.cmd_fill_buffer(c, x.b.h, 0, vk::WHOLE_SIZE, 1);
        x.step(&t, c, 2, 1);
    })?;
    check!(cts::Gpu::take_hazards() > 0, "nobody noticed a missing barrier between commands");
    t.d.device_wait_idle()?;
    let step = t.recorded(t.family, Usage::SIMULTANEOUS_USE, |c| x.step(&t, c, 2, 1))?;
    same!(cts::Gpu::take_hazards(), 0);
    for _ in 0..2 {
        t.d.queue_submit(t.queue, &[vk::SubmitInfo::default().command_buffers(&[step])], vk::Fence::null())?;
    }
    check!(cts::Gpu::take_hazards() > 0, "nobody noticed a missing barrier between submissions");
    Ok(t.d.device_wait_idle()?)
}

unsafe fn exported_semaphore() -> R {
    use ash::khr::external_semaphore_fd as fd;
    let t = T::new(&[fd::NAME])?;
    need!(t.has(fd::NAME), "VK_KHR_external_semaphore_fd");
    let ext = fd::Device::new(t.instance(), &t.d);
    let ty = vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD;
    let mut p = vk::ExternalSemaphoreProperties::default();
    let info = vk::PhysicalDeviceExternalSemaphoreInfo::default().handle_type(ty);
    t.instance().get_physical_device_external_semaphore_properties(t.physical, &info, &mut p);
    use vk::ExternalSemaphoreFeatureFlags as F;
    need!(p.external_semaphore_features.contains(F::EXPORTABLE | F::IMPORTABLE), "semaphores that export");
    let mut export = vk::ExportSemaphoreCreateInfo::default().handle_types(ty);
    let a = t.own(t.d.create_semaphore(&vk::SemaphoreCreateInfo::default().push_next(&mut export), None)?);
    let b = t.semaphore()?;
    let file = ext.get_semaphore_fd(&vk::SemaphoreGetFdInfoKHR::default().semaphore(a).handle_type(ty))?;
    ext.import_semaphore_fd(&vk::ImportSemaphoreFdInfoKHR::default().semaphore(b).handle_type(ty).fd(file))?;
    // Signalled as one, waited for as the other.
    let x = chain(&t, 1)?;
    let c = [x.recorded(&t, t.family, 2, 1)?];
    let (a, b, stage) = ([a], [b], [Stage::ALL_COMMANDS]);
    for _ in 0..3 {
        t.d.queue_submit(
            t.queue,
            &[vk::SubmitInfo::default().command_buffers(&c).signal_semaphores(&a)],
            vk::Fence::null(),
        )?;
        let submit = vk::SubmitInfo::default().wait_semaphores(&b).wait_dst_stage_mask(&stage).command_buffers(&c);
        t.d.queue_submit(t.queue, &[submit], vk::Fence::null())?;
    }
    t.d.queue_wait_idle(t.queue)?;
    x.is(127)
}

unsafe fn exported_fence() -> R {
    use ash::khr::external_fence_fd as fd;
    let t = T::new(&[fd::NAME])?;
    need!(t.has(fd::NAME), "VK_KHR_external_fence_fd");
    let ext = fd::Device::new(t.instance(), &t.d);
    let ty = vk::ExternalFenceHandleTypeFlags::OPAQUE_FD;
    let mut p = vk::ExternalFenceProperties::default();
    let info = vk::PhysicalDeviceExternalFenceInfo::default().handle_type(ty);
    t.instance().get_physical_device_external_fence_properties(t.physical, &info, &mut p);
    use vk::ExternalFenceFeatureFlags as F;
    need!(p.external_fence_features.contains(F::EXPORTABLE | F::IMPORTABLE), "fences that export");
    let mut export = vk::ExportFenceCreateInfo::default().handle_types(ty);
    let a = t.own(t.d.create_fence(&vk::FenceCreateInfo::default().push_next(&mut export), None)?);
    let b = t.fence()?;
    let file = ext.get_fence_fd(&vk::FenceGetFdInfoKHR::default().fence(a).handle_type(ty))?;
    ext.import_fence_fd(&vk::ImportFenceFdInfoKHR::default().fence(b).handle_type(ty).fd(file))?;
    check!(!t.d.get_fence_status(b)?);
    t.d.queue_submit(t.queue, &[], a)?;
    t.d.wait_for_fences(&[b], true, LONG)?;
    check!(t.d.get_fence_status(a)?);
    t.d.reset_fences(&[b])?;
    check!(!t.d.get_fence_status(a)?);
    Ok(())
}

unsafe fn calibrated() -> R {
    use ash::ext::calibrated_timestamps as ct;
    let t = T::new(&[ct::NAME])?;
    need!(t.has(ct::NAME), "VK_EXT_calibrated_timestamps");
    let ext = ct::Device::new(t.instance(), &t.d);
    let domains =
        ct::Instance::new(t.entry(), t.instance()).get_physical_device_calibrateable_time_domains(t.physical)?;
    check!(domains.contains(&vk::TimeDomainEXT::DEVICE));
    let infos: Vec<_> = domains.iter().map(|d| vk::CalibratedTimestampInfoEXT::default().time_domain(*d)).collect();
    let (first, deviation) = ext.get_calibrated_timestamps(&infos)?;
    std::thread::sleep(Duration::from_millis(10));
    let (second, _) = ext.get_calibrated_timestamps(&infos)?;
    check!(deviation < 1_000_000_000, "a deviation of {deviation} ns");
    for (k, d) in domains.iter().enumerate() {
        let mut ns = (second[k] - first[k]) as f64;
        if *d == vk::TimeDomainEXT::DEVICE {
            ns *= f64::from(t.props.limits.timestamp_period);
        }
        check!((5e6..5e9).contains(&ns), "{d:?} went on by {ns} ns in 10 ms");
    }
    Ok(())
}
