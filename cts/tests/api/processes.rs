//! Memory, semaphores and fences shared between processes as opaque descriptors.

use crate::link::Link;
use crate::support::*;
use crate::sync;
use ash::vk;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use vk::CommandBufferUsageFlags as Usage;
use vk::DescriptorType as D;
use vk::PipelineStageFlags as Stage;

tests! {
    queues_take_turns, hosts_take_turns, binary_semaphores, fences, an_exporter_that_is_gone, an_importer_that_is_killed,
    waiters_that_are_killed,
    wrong_descriptors,
}

/// What the other process does, by name.
pub const ROLES: &[crate::Test] = &[
    ("queues_take_turns", queues_take_turns_there),
    ("hosts_take_turns", hosts_take_turns_there),
    ("binary_semaphores", binary_semaphores_there),
    ("fences", fences_there),
    ("exporter", exporter_there),
    ("victim", victim_there),
    ("heir", heir_there),
    ("turns", turns_there),
];

const MEMORY: vk::ExternalMemoryHandleTypeFlags = vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD;
const SEMAPHORE: vk::ExternalSemaphoreHandleTypeFlags = vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD;
const FENCE: vk::ExternalFenceHandleTypeFlags = vk::ExternalFenceHandleTypeFlags::OPAQUE_FD;

/// Words in the shared buffer.
const N: usize = 256;

/// A time in which nothing happens, ns.
const SHORT: u64 = 50_000_000;

/// A device with what it takes.
pub struct Side {
    /// The device.
    pub t: T,
    memory: ash::khr::external_memory_fd::Device,
    semaphore: ash::khr::external_semaphore_fd::Device,
    fence: ash::khr::external_fence_fd::Device,
}

impl std::ops::Deref for Side {
    type Target = T;
    fn deref(&self) -> &T {
        &self.t
    }
}

/// A shared buffer with a kernel that changes it.
pub struct Work {
    /// The buffer, mapped.
    pub b: Buf,
    k: K,
    set: vk::DescriptorSet,
    ty: u32,
}

unsafe fn side() -> R<Side> {
    side_of(false)
}

/// A device that can share; one that will be lost is not for the validation layer.
pub unsafe fn side_of(unvalidated: bool) -> R<Side> {
    use ash::khr::{external_fence_fd, external_memory_fd, external_semaphore_fd};
    let extensions = [external_memory_fd::NAME, external_semaphore_fd::NAME, external_fence_fd::NAME];
    let t = T::open(&cts::Setup { extensions: &extensions, unvalidated, ..Default::default() })?;
    need!(t.has(external_memory_fd::NAME), "VK_KHR_external_memory_fd");
    need!(t.has(external_semaphore_fd::NAME), "VK_KHR_external_semaphore_fd");
    need!(t.has(external_fence_fd::NAME), "VK_KHR_external_fence_fd");
    need!(t.features.v12.timeline_semaphore != 0, "timelineSemaphore");
    let info = vk::PhysicalDeviceExternalBufferInfo::default().usage(usage()).handle_type(MEMORY);
    let mut p = vk::ExternalBufferProperties::default();
    t.instance().get_physical_device_external_buffer_properties(t.physical, &info, &mut p);
    use vk::ExternalMemoryFeatureFlags as M;
    let has = p.external_memory_properties.external_memory_features;
    need!(has.contains(M::EXPORTABLE | M::IMPORTABLE), "exportable buffers");
    for kind in [vk::SemaphoreType::BINARY, vk::SemaphoreType::TIMELINE] {
        let mut kind = vk::SemaphoreTypeCreateInfo::default().semaphore_type(kind);
        let info = vk::PhysicalDeviceExternalSemaphoreInfo::default().handle_type(SEMAPHORE).push_next(&mut kind);
        let mut p = vk::ExternalSemaphoreProperties::default();
        t.instance().get_physical_device_external_semaphore_properties(t.physical, &info, &mut p);
        use vk::ExternalSemaphoreFeatureFlags as S;
        need!(p.external_semaphore_features.contains(S::EXPORTABLE | S::IMPORTABLE), "exportable semaphores");
    }
    let info = vk::PhysicalDeviceExternalFenceInfo::default().handle_type(FENCE);
    let mut p = vk::ExternalFenceProperties::default();
    t.instance().get_physical_device_external_fence_properties(t.physical, &info, &mut p);
    use vk::ExternalFenceFeatureFlags as F;
    need!(p.external_fence_features.contains(F::EXPORTABLE | F::IMPORTABLE), "exportable fences");
    let (i, d) = (t.instance(), &t.d);
    Ok(Side {
        memory: external_memory_fd::Device::new(i, d),
        semaphore: external_semaphore_fd::Device::new(i, d),
        fence: external_fence_fd::Device::new(i, d),
        t,
    })
}

impl Side {
    unsafe fn buffer(&self) -> R<(vk::Buffer, vk::MemoryRequirements)> {
        let mut external = vk::ExternalMemoryBufferCreateInfo::default().handle_types(MEMORY);
        let info = vk::BufferCreateInfo::default().size(4 * N as u64).usage(usage()).push_next(&mut external);
        let h = self.own(self.d.create_buffer(&info, None)?);
        Ok((h, self.d.get_buffer_memory_requirements(h)))
    }

    unsafe fn work(&self, h: vk::Buffer, mem: vk::DeviceMemory, ty: u32) -> R<Work> {
        self.d.bind_buffer_memory(h, mem, 0)?;
        let at = self.d.map_memory(mem, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast();
        let b = Buf { h, mem, size: 4 * N as u64, at };
        let k = self.kernel(spv!("affine"), &[D::STORAGE_BUFFER], 16)?;
        Ok(Work { set: self.set(k.set_layout, &[B::S(b)])?, b, k, ty })
    }

    /// A buffer of ones to share, and its descriptor.
    pub unsafe fn export(&self) -> R<(Work, OwnedFd)> {
        let (h, r) = self.buffer()?;
        let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        let ty = self.memory_type(r.memory_type_bits, host)?;
        let mut dedicated = vk::MemoryDedicatedAllocateInfo::default().buffer(h);
        let mut export = vk::ExportMemoryAllocateInfo::default().handle_types(MEMORY);
        let info = vk::MemoryAllocateInfo::default()
            .allocation_size(r.size)
            .memory_type_index(ty)
            .push_next(&mut dedicated)
            .push_next(&mut export);
        let mem = self.own(self.d.allocate_memory(&info, None)?);
        let w = self.work(h, mem, ty)?;
        w.b.put(0, &[1u32; N]);
        let get = vk::MemoryGetFdInfoKHR::default().memory(mem).handle_type(MEMORY);
        Ok((w, owned(self.memory.get_memory_fd(&get)?)))
    }

    /// The buffer of another process.
    unsafe fn import(&self, fd: OwnedFd, ty: u64) -> R<Work> {
        let (h, r) = self.buffer()?;
        let mut dedicated = vk::MemoryDedicatedAllocateInfo::default().buffer(h);
        let mut import = vk::ImportMemoryFdInfoKHR::default().handle_type(MEMORY).fd(fd.into_raw_fd());
        let info = vk::MemoryAllocateInfo::default()
            .allocation_size(r.size)
            .memory_type_index(ty as u32)
            .push_next(&mut dedicated)
            .push_next(&mut import);
        let mem = self.own(self.d.allocate_memory(&info, None)?);
        self.work(h, mem, ty as u32)
    }

    unsafe fn semaphore_of(&self, kind: vk::SemaphoreType, value: u64, shared: bool) -> R<vk::Semaphore> {
        let mut ty = vk::SemaphoreTypeCreateInfo::default().semaphore_type(kind).initial_value(value);
        let mut export = vk::ExportSemaphoreCreateInfo::default().handle_types(SEMAPHORE);
        let mut info = vk::SemaphoreCreateInfo::default().push_next(&mut ty);
        if shared {
            info = info.push_next(&mut export);
        }
        Ok(self.own(self.d.create_semaphore(&info, None)?))
    }

    /// A semaphore to share, and its descriptor.
    pub unsafe fn export_semaphore(&self, kind: vk::SemaphoreType, value: u64) -> R<(vk::Semaphore, OwnedFd)> {
        let s = self.semaphore_of(kind, value, true)?;
        let get = vk::SemaphoreGetFdInfoKHR::default().semaphore(s).handle_type(SEMAPHORE);
        Ok((s, owned(self.semaphore.get_semaphore_fd(&get)?)))
    }

    /// The semaphore of another process.
    unsafe fn import_semaphore(&self, kind: vk::SemaphoreType, fd: OwnedFd) -> R<vk::Semaphore> {
        let s = self.semaphore_of(kind, 0, false)?;
        let fd = fd.into_raw_fd();
        let import = vk::ImportSemaphoreFdInfoKHR::default().semaphore(s).handle_type(SEMAPHORE).fd(fd);
        self.semaphore.import_semaphore_fd(&import)?;
        Ok(s)
    }

    /// A command buffer with a step, which takes the buffer from other processes (unless it is the first to use it) and gives it
    /// back.
    unsafe fn step(&self, w: &Work, first: bool, mul: u32, add: u32) -> R<vk::CommandBuffer> {
        let barrier = |from, to, before, after| {
            [vk::BufferMemoryBarrier::default()
                .src_access_mask(before)
                .dst_access_mask(after)
                .src_queue_family_index(from)
                .dst_queue_family_index(to)
                .buffer(w.b.h)
                .size(vk::WHOLE_SIZE)]
        };
        let (none, outside) = (vk::AccessFlags::empty(), vk::QUEUE_FAMILY_EXTERNAL);
        let uses = vk::AccessFlags::SHADER_READ | vk::AccessFlags::SHADER_WRITE;
        let take = barrier(outside, self.family, none, uses);
        let give = barrier(self.family, outside, vk::AccessFlags::SHADER_WRITE, none);
        let (compute, all) = (Stage::COMPUTE_SHADER, Stage::ALL_COMMANDS);
        let flags = vk::DependencyFlags::empty();
        self.recorded(self.family, Usage::SIMULTANEOUS_USE, |c| {
            if !first {
                self.d.cmd_pipeline_barrier(c, all, compute, flags, &[], &take, &[]);
            }
            self.bind(c, &w.k, w.set, &words(&[0, N as u32, mul, add]));
            self.d.cmd_dispatch(c, 4, 1, 1);
            self.d.cmd_pipeline_barrier(c, compute, all, flags, &[], &give, &[]);
        })
    }

    /// Submits commands that wait for one point and signal another; values of binary semaphores do not matter.
    unsafe fn submit_between(
        &self,
        c: vk::CommandBuffer,
        wait: Option<(vk::Semaphore, u64)>,
        signal: Option<(vk::Semaphore, u64)>,
        fence: vk::Fence,
    ) -> R {
        let (c, stage) = ([c], [Stage::ALL_COMMANDS]);
        let (w, wv): (Vec<_>, Vec<_>) = wait.into_iter().unzip();
        let (s, sv): (Vec<_>, Vec<_>) = signal.into_iter().unzip();
        let mut values =
            vk::TimelineSemaphoreSubmitInfo::default().wait_semaphore_values(&wv).signal_semaphore_values(&sv);
        let submit = vk::SubmitInfo::default()
            .wait_semaphores(&w)
            .wait_dst_stage_mask(&stage[..w.len()])
            .command_buffers(&c)
            .signal_semaphores(&s)
            .push_next(&mut values);
        Ok(self.d.queue_submit(self.queue, &[submit], fence)?)
    }

    /// Descriptors cross between equal devices and drivers only.
    fn uuids(&self) -> [u64; 4] {
        let p = self.property::<vk::PhysicalDeviceIDProperties<'_>>();
        let word = |b: &[u8]| b.iter().fold(0u64, |w, b| w << 8 | u64::from(*b));
        let (d, r) = (p.device_uuid, p.driver_uuid);
        [word(&d[..8]), word(&d[8..]), word(&r[..8]), word(&r[8..])]
    }
}

/// A descriptor that a call gave us.
fn owned(fd: i32) -> OwnedFd {
    // SAFETY: an exported descriptor is the caller's.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

impl Work {
    /// Everything in it is this.
    fn is(&self, v: u32) -> R {
        equal(&self.b.get::<u32>(), &[v; N])
    }
}

/// What becomes of `v` in so many rounds of two steps.
fn after(mut v: u32, rounds: u64, steps: [(u32, u32); 2]) -> u32 {
    for _ in 0..rounds {
        for (mul, add) in steps {
            v = v.wrapping_mul(mul).wrapping_add(add);
        }
    }
    v
}

const STEPS: [(u32, u32); 2] = [(3, 1), (5, 2)];

/// Here and there are the same device, or the test makes no sense.
unsafe fn same_device(here: &Side, link: &Link) -> R {
    link.send(&here.uuids(), &[])?;
    let (there, []) = link.receive::<4, 0>()?;
    same!(here.uuids(), there, "(devices of two processes)");
    Ok(())
}

pub const TIMELINE: vk::SemaphoreType = vk::SemaphoreType::TIMELINE;
const BINARY: vk::SemaphoreType = vk::SemaphoreType::BINARY;

/// Two queues in two processes take turns with one buffer; all is submitted before anything has run.
unsafe fn queues_take_turns() -> R {
    let a = side()?;
    let link = Link::start("queues_take_turns")?;
    same_device(&a, &link)?;
    let (w, mem) = a.export()?;
    let (there, to) = a.export_semaphore(TIMELINE, 0)?;
    let (back, from) = a.export_semaphore(TIMELINE, 0)?;
    let rounds = 200u64;
    link.send(&[u64::from(w.ty), rounds], &[mem.as_fd(), to.as_fd(), from.as_fd()])?;
    let (first, next) = (a.step(&w, true, STEPS[0].0, STEPS[0].1)?, a.step(&w, false, STEPS[0].0, STEPS[0].1)?);
    for k in 1..=rounds {
        let c = if k == 1 { first } else { next };
        a.submit_between(c, Some((back, k - 1)), Some((there, k)), vk::Fence::null())?;
    }
    sync::wait(&a, back, rounds, LONG)?;
    w.is(after(1, rounds, STEPS))?;
    same!(a.d.get_semaphore_counter_value(there)?, rounds);
    link.end()
}

unsafe fn queues_take_turns_there() -> R {
    let (link, b) = (Link::of_role()?, side()?);
    same_device(&b, &link)?;
    let ([ty, rounds], [mem, to, from]) = link.receive()?;
    let w = b.import(mem, ty)?;
    let (there, back) = (b.import_semaphore(TIMELINE, to)?, b.import_semaphore(TIMELINE, from)?);
    let c = b.step(&w, false, STEPS[1].0, STEPS[1].1)?;
    for k in 1..=rounds {
        b.submit_between(c, Some((there, k)), Some((back, k)), vk::Fence::null())?;
    }
    sync::wait(&b, back, rounds, LONG)?;
    w.is(after(1, rounds, STEPS))
}

/// The host of one process lets the queue of the other go on, in both directions, and waits for it.
unsafe fn hosts_take_turns() -> R {
    let a = side()?;
    let link = Link::start("hosts_take_turns")?;
    let (w, mem) = a.export()?;
    let (there, to) = a.export_semaphore(TIMELINE, 10)?;
    let (back, from) = a.export_semaphore(TIMELINE, 20)?;
    let rounds = 100u64;
    link.send(&[u64::from(w.ty), rounds], &[mem.as_fd(), to.as_fd(), from.as_fd()])?;
    let c = [a.step(&w, true, STEPS[1].0, STEPS[1].1)?, a.step(&w, false, STEPS[1].0, STEPS[1].1)?];
    let mut v = 1u32;
    for k in 1..=rounds {
        // The other's queue waits for this host, and this host for the other's queue.
        same!(sync::wait(&a, back, 20 + 2 * k - 1, 0).err(), Some(vk::Result::TIMEOUT));
        sync::signal(&a, there, 10 + 2 * k - 1)?;
        sync::wait(&a, back, 20 + 2 * k - 1, LONG)?;
        v = v.wrapping_mul(STEPS[0].0).wrapping_add(STEPS[0].1);
        w.is(v)?;
        // This queue waits for the other's host, which waits for this queue.
        a.submit_between(
            c[usize::from(k > 1)],
            Some((back, 20 + 2 * k)),
            Some((there, 10 + 2 * k)),
            vk::Fence::null(),
        )?;
        sync::wait(&a, there, 10 + 2 * k, LONG)?;
        v = v.wrapping_mul(STEPS[1].0).wrapping_add(STEPS[1].1);
        w.is(v)?;
    }
    link.end()
}

unsafe fn hosts_take_turns_there() -> R {
    let (link, b) = (Link::of_role()?, side()?);
    let ([ty, rounds], [mem, to, from]) = link.receive()?;
    let w = b.import(mem, ty)?;
    let (there, back) = (b.import_semaphore(TIMELINE, to)?, b.import_semaphore(TIMELINE, from)?);
    check!(b.d.get_semaphore_counter_value(there)? >= 10);
    same!(b.d.get_semaphore_counter_value(back)?, 20);
    let c = b.step(&w, false, STEPS[0].0, STEPS[0].1)?;
    for k in 1..=rounds {
        b.submit_between(c, Some((there, 10 + 2 * k - 1)), Some((back, 20 + 2 * k - 1)), vk::Fence::null())?;
        sync::wait(&b, back, 20 + 2 * k - 1, LONG)?;
        sync::signal(&b, back, 20 + 2 * k)?;
        sync::wait(&b, there, 10 + 2 * k, LONG)?;
    }
    Ok(())
}

/// A pair of binary semaphores, each signalled in one process and waited for in the other, again and again.
unsafe fn binary_semaphores() -> R {
    let a = side()?;
    let link = Link::start("binary_semaphores")?;
    let (w, mem) = a.export()?;
    let (there, to) = a.export_semaphore(BINARY, 0)?;
    let (back, from) = a.export_semaphore(BINARY, 0)?;
    let rounds = 50u64;
    link.send(&[u64::from(w.ty), rounds], &[mem.as_fd(), to.as_fd(), from.as_fd()])?;
    let c = [a.step(&w, true, STEPS[0].0, STEPS[0].1)?, a.step(&w, false, STEPS[0].0, STEPS[0].1)?];
    for k in 1..=rounds {
        let wait = if k > 1 { Some((back, 0)) } else { None };
        a.submit_between(c[usize::from(k > 1)], wait, Some((there, 0)), vk::Fence::null())?;
        link.say(k)?;
        // The signal has to be submitted before the wait for it is.
        link.hear(k)?;
    }
    let last = a.recorded(a.family, Usage::empty(), |_| ())?;
    let f = a.fence()?;
    a.submit_between(last, Some((back, 0)), None, f)?;
    a.d.wait_for_fences(&[f], true, LONG)?;
    w.is(after(1, rounds, STEPS))?;
    link.end()
}

unsafe fn binary_semaphores_there() -> R {
    let (link, b) = (Link::of_role()?, side()?);
    let ([ty, rounds], [mem, to, from]) = link.receive()?;
    let w = b.import(mem, ty)?;
    let (there, back) = (b.import_semaphore(BINARY, to)?, b.import_semaphore(BINARY, from)?);
    let c = b.step(&w, false, STEPS[1].0, STEPS[1].1)?;
    for k in 1..=rounds {
        link.hear(k)?;
        b.submit_between(c, Some((there, 0)), Some((back, 0)), vk::Fence::null())?;
        link.say(k)?;
    }
    Ok(b.d.device_wait_idle()?)
}

/// A fence that is submitted in one process and waited for and reset in the other, both ways.
unsafe fn fences() -> R {
    let a = side()?;
    let link = Link::start("fences")?;
    let mut export = vk::ExportFenceCreateInfo::default().handle_types(FENCE);
    let f = a.own(a.d.create_fence(&vk::FenceCreateInfo::default().push_next(&mut export), None)?);
    let file = owned(a.fence.get_fence_fd(&vk::FenceGetFdInfoKHR::default().fence(f).handle_type(FENCE))?);
    link.send(&[50], &[file.as_fd()])?;
    for k in 0..50 {
        // The other waits already, or will.
        link.hear(4 * k)?;
        check!(!a.d.get_fence_status(f)?);
        a.d.queue_submit(a.queue, &[], f)?;
        link.hear(4 * k + 1)?;
        check!(!a.d.get_fence_status(f)?, "reset there, and signalled here");
        link.say(4 * k + 2)?;
        a.d.wait_for_fences(&[f], true, LONG)?;
        a.d.reset_fences(&[f])?;
        link.say(4 * k + 3)?;
    }
    link.end()
}

unsafe fn fences_there() -> R {
    let (link, b) = (Link::of_role()?, side()?);
    let ([rounds], [file]) = link.receive()?;
    let f = b.fence()?;
    let import = vk::ImportFenceFdInfoKHR::default().fence(f).handle_type(FENCE).fd(file.into_raw_fd());
    b.fence.import_fence_fd(&import)?;
    same!(b.d.wait_for_fences(&[f], true, SHORT).err(), Some(vk::Result::TIMEOUT));
    for k in 0..rounds {
        link.say(4 * k)?;
        b.d.wait_for_fences(&[f], true, LONG)?;
        b.d.reset_fences(&[f])?;
        link.say(4 * k + 1)?;
        link.hear(4 * k + 2)?;
        b.d.queue_submit(b.queue, &[], f)?;
        link.hear(4 * k + 3)?;
        check!(!b.d.get_fence_status(f)?, "reset there, and signalled here");
    }
    Ok(())
}

/// What a process exported stays when the process ends, well or not.
unsafe fn an_exporter_that_is_gone() -> R {
    let a = side()?;
    for killed in [false, true] {
        let link = Link::start("exporter")?;
        let ([ty, value], [mem, at, binary]) = link.receive()?;
        if killed {
            link.kill()?;
        } else {
            link.say(0)?;
            link.end()?;
        }
        let w = a.import(mem, ty)?;
        w.is(after(1, value, STEPS))?;
        let (s, b) = (a.import_semaphore(TIMELINE, at)?, a.import_semaphore(BINARY, binary)?);
        same!(a.d.get_semaphore_counter_value(s)?, value);
        // And is good for use: the binary semaphore was signalled there.
        let c = a.step(&w, false, 7, 1)?;
        a.submit_between(c, Some((b, 0)), Some((s, value + 1)), vk::Fence::null())?;
        sync::wait(&a, s, value + 1, LONG)?;
        w.is(after(1, value, STEPS).wrapping_mul(7).wrapping_add(1))?;
    }
    Ok(())
}

unsafe fn exporter_there() -> R {
    let (link, b) = (Link::of_role()?, side()?);
    let (w, mem) = b.export()?;
    let (s, at) = b.export_semaphore(TIMELINE, 0)?;
    let (binary, signalled) = b.export_semaphore(BINARY, 0)?;
    let value = 9u64;
    for k in 1..=value {
        let c = [b.step(&w, k == 1, STEPS[0].0, STEPS[0].1)?, b.step(&w, false, STEPS[1].0, STEPS[1].1)?];
        b.submit_between(c[0], None, None, vk::Fence::null())?;
        b.submit_between(c[1], None, Some((s, k)), vk::Fence::null())?;
    }
    let nothing = b.recorded(b.family, Usage::empty(), |_| ())?;
    b.submit_between(nothing, None, Some((binary, 0)), vk::Fence::null())?;
    b.d.queue_wait_idle(b.queue)?;
    link.send(&[u64::from(w.ty), value], &[mem.as_fd(), at.as_fd(), signalled.as_fd()])?;
    link.hear(0)
}

/// A process that was to signal a semaphore dies: nobody is told, waits with a limit end, and what is shared can be used on.
unsafe fn an_importer_that_is_killed() -> R {
    let a = side()?;
    let (w, mem) = a.export()?;
    let (gate, g) = a.export_semaphore(TIMELINE, 0)?;
    let (done, d) = a.export_semaphore(TIMELINE, 0)?;
    let link = Link::start("victim")?;
    link.send(&[u64::from(w.ty)], &[mem.as_fd(), g.as_fd(), d.as_fd()])?;
    // This queue waits for the other's.
    let c = a.step(&w, true, STEPS[0].0, STEPS[0].1)?;
    a.submit_between(c, Some((done, 1)), Some((gate, 2)), vk::Fence::null())?;
    link.hear(1)?;
    link.kill()?;
    same!(sync::wait(&a, done, 1, SHORT).err(), Some(vk::Result::TIMEOUT));
    sync::signal(&a, gate, 1)?;
    same!(sync::wait(&a, done, 1, SHORT).err(), Some(vk::Result::TIMEOUT));
    w.is(1)?;
    // Somebody else does it.
    let link = Link::start("heir")?;
    link.send(&[u64::from(w.ty)], &[mem.as_fd(), g.as_fd(), d.as_fd()])?;
    sync::wait(&a, gate, 2, LONG)?;
    sync::wait(&a, done, 2, LONG)?;
    w.is(after(1, 1, STEPS))?;
    link.end()
}

unsafe fn victim_there() -> R {
    let (link, b) = (Link::of_role()?, side()?);
    let ([ty], [mem, g, d]) = link.receive()?;
    let w = b.import(mem, ty)?;
    let (gate, done) = (b.import_semaphore(TIMELINE, g)?, b.import_semaphore(TIMELINE, d)?);
    let c = b.step(&w, false, 99, 99)?;
    b.submit_between(c, Some((gate, 1)), Some((done, 1)), vk::Fence::null())?;
    link.say(1)?;
    // Killed in a wait.
    let _ = sync::wait(&b, done, 1, LONG);
    fail!("not killed")
}

unsafe fn heir_there() -> R {
    let (link, b) = (Link::of_role()?, side()?);
    let ([ty], [mem, g, d]) = link.receive()?;
    let w = b.import(mem, ty)?;
    let (gate, done) = (b.import_semaphore(TIMELINE, g)?, b.import_semaphore(TIMELINE, d)?);
    same!(b.d.get_semaphore_counter_value(gate)?, 1);
    sync::signal(&b, done, 1)?;
    let c = b.step(&w, false, STEPS[1].0, STEPS[1].1)?;
    b.submit_between(c, Some((gate, 2)), Some((done, 2)), vk::Fence::null())?;
    Ok(sync::wait(&b, done, 2, LONG)?)
}

/// Processes that take part in turns are killed in their waits, one after the other: those who wait for them go on with the next.
unsafe fn waiters_that_are_killed() -> R {
    let a = side()?;
    let (w, mem) = a.export()?;
    let (gate, g) = a.export_semaphore(TIMELINE, 0)?;
    let (done, d) = a.export_semaphore(TIMELINE, 0)?;
    let (mut v, mut turn) = (1u32, 0u64);
    for life in 0..6 {
        let link = Link::start("turns")?;
        link.send(&[u64::from(w.ty), turn], &[mem.as_fd(), g.as_fd(), d.as_fd()])?;
        for _ in 0..3 {
            turn += 1;
            sync::signal(&a, gate, turn)?;
            sync::wait(&a, done, turn, LONG)?;
            v = v.wrapping_mul(STEPS[0].0).wrapping_add(STEPS[0].1);
            w.is(v)?;
        }
        // It waits for the gate now, by its host or by its queue, and this host waits for it.
        let (device, s, next) = (a.d.clone(), [done], [turn + 1]);
        let waiter = std::thread::spawn(move || {
            device.wait_semaphores(&vk::SemaphoreWaitInfo::default().semaphores(&s).values(&next), LONG)
        });
        std::thread::sleep(std::time::Duration::from_millis(5 * (life % 3)));
        link.kill()?;
        same!(sync::wait(&a, done, turn + 1, SHORT / 5).err(), Some(vk::Result::TIMEOUT));
        let link = Link::start("turns")?;
        link.send(&[u64::from(w.ty), turn], &[mem.as_fd(), g.as_fd(), d.as_fd()])?;
        turn += 1;
        sync::signal(&a, gate, turn)?;
        same!(waiter.join().map_err(|_| Stop::Fail("waiter".into()))?, Ok(()));
        v = v.wrapping_mul(STEPS[0].0).wrapping_add(STEPS[0].1);
        w.is(v)?;
        link.kill()?;
    }
    Ok(())
}

unsafe fn turns_there() -> R {
    let (link, b) = (Link::of_role()?, side()?);
    let ([ty, mut turn], [mem, g, d]) = link.receive()?;
    let w = b.import(mem, ty)?;
    let (gate, done) = (b.import_semaphore(TIMELINE, g)?, b.import_semaphore(TIMELINE, d)?);
    let c = b.step(&w, false, STEPS[0].0, STEPS[0].1)?;
    loop {
        turn += 1;
        if turn % 2 == 0 {
            sync::wait(&b, gate, turn, u64::MAX)?;
        }
        b.submit_between(c, Some((gate, turn)), Some((done, turn)), vk::Fence::null())?;
        sync::wait(&b, done, turn, u64::MAX)?;
    }
}

/// Whether a descriptor is still open.
fn is_open(fd: BorrowedFd<'_>) -> bool {
    rustix::io::fcntl_getfd(fd).is_ok()
}

/// Descriptors that are not what they are said to be are refused, and stay the application's.
unsafe fn wrong_descriptors() -> R {
    let a = side()?;
    need!(a.is_ours(), "promise about wrong descriptors");
    let (w, mem) = a.export()?;
    let (_, timeline) = a.export_semaphore(TIMELINE, 0)?;
    let (_, binary) = a.export_semaphore(BINARY, 0)?;
    let null: OwnedFd = std::fs::File::open("/dev/null")?.into();
    let pipe = rustix::pipe::pipe()?.0;
    let size = a.d.get_buffer_memory_requirements(w.b.h).size;
    let types = a.t.memory.memory_type_count;
    let bad = Some(vk::Result::ERROR_INVALID_EXTERNAL_HANDLE);
    let memory = |fd: &OwnedFd, size: u64, ty: u32| {
        let mut import = vk::ImportMemoryFdInfoKHR::default().handle_type(MEMORY).fd(fd.as_raw_fd());
        let info = vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(ty).push_next(&mut import);
        a.d.allocate_memory(&info, None).err()
    };
    for (fd, size, ty) in [
        (&mem, size + (1 << 20), w.ty),
        (&mem, size + 65536 * 1024, w.ty),
        (&mem, size.next_multiple_of(65536) + 65536, w.ty),
        (&mem, size, (w.ty + 1) % types),
        (&timeline, size, w.ty),
        (&binary, size, w.ty),
        (&null, size, w.ty),
        (&pipe, size, w.ty),
    ] {
        if std::ptr::eq(fd, &mem) && ty != w.ty && types == 1 {
            continue;
        }
        same!(memory(fd, size, ty), bad, "(size {size}, type {ty})");
        check!(is_open(fd.as_fd()), "a refused descriptor was closed");
    }
    let fence = a.fence()?;
    for kind in [TIMELINE, BINARY] {
        let s = a.semaphore_of(kind, 0, false)?;
        for fd in [&mem, &null, &pipe] {
            let import = vk::ImportSemaphoreFdInfoKHR::default().semaphore(s).handle_type(SEMAPHORE).fd(fd.as_raw_fd());
            same!(a.semaphore.import_semaphore_fd(&import).err(), bad, "({kind:?})");
            let import = vk::ImportFenceFdInfoKHR::default().fence(fence).handle_type(FENCE).fd(fd.as_raw_fd());
            same!(a.fence.import_fence_fd(&import).err(), bad);
            check!(is_open(fd.as_fd()), "a refused descriptor was closed");
        }
    }
    // The right one is taken still.
    let again = a.import(mem, u64::from(w.ty))?;
    again.is(1)
}
