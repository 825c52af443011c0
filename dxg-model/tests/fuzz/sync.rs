//! Steps about synchronisation and sharing.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use dxg_abi::*;

use crate::common::*;
use crate::shadow::{Kind, Resource, Shadow, Stands, Sync};

const SHARED: SynchronizationObjectFlags = SynchronizationObjectFlags(3);

impl Shadow {
    /// A result of a request that a host may refuse without being heard.
    fn fired(&self, result: i32, refused: i32) {
        assert_eq!(result, if self.config.asynchronous { 0 } else { refused });
    }

    fn some_sync(&mut self, which: impl Fn(&Sync) -> bool) -> Option<Sync> {
        let list: Vec<usize> = (0..self.syncs.len()).filter(|i| which(&self.syncs[*i])).collect();
        Some(self.syncs[self.random.pick(&list)?].clone())
    }

    fn some_device(&mut self) -> Option<(Handle, bool)> {
        let which = self.random.below(self.devices.len());
        self.devices.get(which).map(|d| (d.handle, d.lost))
    }

    pub fn create_sync(&mut self) -> Option<&'static str> {
        if self.syncs.len() > 16 {
            return None;
        }
        let (device, lost) = self.some_device()?;
        let kind = [Kind::Monitored, Kind::Gpu, Kind::Legacy, Kind::Semaphore][self.random.below(4)];
        let shared = self.random.one_in(2);
        let mut a = CreateSynchronizationObject2 { device, ..Default::default() };
        a.info.r#type = match kind {
            Kind::Monitored | Kind::Gpu => SynchronizationObjectType::MONITORED_FENCE,
            Kind::Legacy => SynchronizationObjectType::FENCE,
            Kind::Semaphore => SynchronizationObjectType::SEMAPHORE,
        };
        if kind == Kind::Semaphore {
            a.info.set_semaphore(SyncSemaphore { max_count: 1 << 30, initial_count: 1 << 20 });
        }
        a.info.flags = if shared { SHARED } else { Default::default() };
        let handle = ok(&self.rig.node, a).sync_object;
        self.objects += 1;
        let object = self.objects;
        if kind == Kind::Monitored {
            self.values.insert(object, 0);
        }
        if lost && matches!(kind, Kind::Monitored | Kind::Gpu) {
            self.lost.insert(object);
        }
        self.syncs.push(Sync { handle, device, kind, shared, opened: false, object });
        Some("create object")
    }

    pub fn destroy_sync(&mut self) -> Option<&'static str> {
        let s = self.some_sync(|_| true)?;
        // A shared object that queues wait for would stay, with nobody to signal it.
        ok(&self.rig.node, DestroySynchronizationObject { sync_object: s.handle });
        self.syncs.retain(|x| x.handle != s.handle);
        self.bury(s.handle);
        Some("destroy object")
    }

    pub fn signal_cpu(&mut self) -> Option<&'static str> {
        let s = self.some_sync(|s| s.kind == Kind::Monitored)?;
        let (device, _) = self.some_device()?;
        let value = self.values[&s.object] + self.random.below(5) as u64;
        ok(&self.rig.node, cpu_signal(device, &[s.handle], &[value]));
        if !self.lost.contains(&s.object) {
            self.values.insert(s.object, value);
        }
        Some("signal of the CPU")
    }

    pub fn wait_cpu(&mut self) -> Option<&'static str> {
        let s = self.some_sync(|s| s.kind == Kind::Monitored)?;
        let (device, _) = self.some_device()?;
        let now = self.values[&s.object];
        if self.random.one_in(2) {
            // Blocking, and there already.
            let value = now.saturating_sub(self.random.below(3) as u64);
            ok(&self.rig.node, cpu_wait(device, &[s.handle], &[value], 0));
            return Some("wait");
        }
        let ahead = self.random.below(4) as u64;
        let which = self.random.below(self.events.len());
        let event = &self.events[which];
        event.take();
        ok(&self.rig.node, cpu_wait(device, &[s.handle], &[now + ahead], event.fd()));
        if self.is_reached(s.handle, now + ahead) {
            assert!(event.take() >= 1, "satisfied already");
        }
        Some("wait by event")
    }

    /// Work for a context: a command buffer, a wait, a signal.
    pub fn queue_work(&mut self) -> Option<&'static str> {
        let which = self.random.below(self.contexts.len());
        let c = self.contexts.get(which)?.clone();
        let d = self.device(c.device).clone();
        match self.random.below(5) {
            0 | 1 => {
                let length = if self.random.one_in(4) { 0 } else { 24 };
                let mut a = self.rig.submit_call(c.handle, d.commands, length);
                let result = call(&self.rig.node, &mut a);
                match (c.hw, d.lost) {
                    (true, _) => self.fired(result, EINVAL),
                    (false, true) => self.fired(result, ENODEV),
                    (false, false) => assert_eq!(result, 0),
                }
                Some("submit")
            }
            2 => {
                let s = self.some_sync(|s| s.kind == Kind::Monitored)?;
                let value = self.values[&s.object] + u64::from(self.random.one_in(8));
                self.rig.wait_gpu(c.handle, s.handle, value);
                self.contexts[which].waits.push((s.handle, value));
                Some("wait of a queue")
            }
            3 => {
                let s = self.some_sync(|s| matches!(s.kind, Kind::Gpu | Kind::Legacy | Kind::Semaphore))?;
                self.point += 1;
                if s.kind == Kind::Gpu {
                    self.rig.signal_gpu(c.handle, s.handle, self.point);
                } else {
                    let mut a =
                        SignalSynchronizationObject2 { context: c.handle, object_count: 1, ..Default::default() };
                    a.object_array[0] = s.handle;
                    a.fence.fence_value = self.point;
                    ok(&self.rig.node, a);
                }
                Some("signal of a queue")
            }
            _ => {
                let s = self.some_sync(|s| s.kind == Kind::Semaphore)?;
                let mut a = WaitForSynchronizationObject2 { context: c.handle, object_count: 1, ..Default::default() };
                a.object_array[0] = s.handle;
                ok(&self.rig.node, a);
                Some("take from a semaphore")
            }
        }
    }

    /// Whether nothing holds a queue up.
    pub fn flows(&self, waits: &[(Handle, u64)]) -> bool {
        waits.iter().all(|(h, v)| self.is_reached(*h, *v))
    }

    /// Work gets through, and is waited for.
    pub fn drain(&mut self) -> Option<&'static str> {
        let which = self.random.below(self.contexts.len());
        let c = self.contexts.get(which)?.clone();
        if self.device(c.device).lost || !self.flows(&c.waits) {
            return None;
        }
        let fence = self.rig.fence_in(c.device);
        self.rig.signal_gpu(c.handle, fence.handle, 1);
        ok(&self.rig.node, cpu_wait(c.device, &[fence.handle], &[1], 0));
        assert_eq!(peek(fence.cpu), 1);
        ok(&self.rig.node, DestroySynchronizationObject { sync_object: fence.handle });
        self.contexts[which].waits.clear();
        Some("drain")
    }

    pub fn hw_work(&mut self) -> Option<&'static str> {
        let which = self.random.below(self.hw_queues.len());
        let q = self.hw_queues.get(which)?.clone();
        let c = self.contexts.iter().find(|c| c.handle == q.context)?.clone();
        let d = self.device(c.device).clone();
        if self.random.one_in(4) {
            let s = self.some_sync(|s| s.kind == Kind::Monitored)?;
            let value = self.values[&s.object] + u64::from(self.random.one_in(8));
            let (list, values) = ([s.handle], [value]);
            let (objects, fence_values) = (list.as_ptr() as u64, values.as_ptr() as u64);
            let hwqueue = q.handle;
            ok(&self.rig.node, SubmitWaitForSyncObjectsToHwQueue { hwqueue, object_count: 1, objects, fence_values });
            self.hw_queues[which].waits.push((s.handle, value));
            return Some("wait of a hardware queue");
        }
        let progress = q.progress + 1;
        let mut a = SubmitCommandToHwQueue {
            hwqueue: q.handle,
            hwqueue_progress_fence_id: progress,
            command_buffer: d.commands,
            command_length: 24,
            ..Default::default()
        };
        let result = call(&self.rig.node, &mut a);
        if d.lost {
            self.fired(result, ENODEV);
            return Some("submit to a lost hardware queue");
        }
        assert_eq!(result, 0);
        self.hw_queues[which].progress = progress;
        if self.random.one_in(3) && self.flows(&q.waits) {
            self.hw_queues[which].waits.clear();
            ok(&self.rig.node, cpu_wait(c.device, &[q.fence], &[progress], 0));
            assert!(peek(q.page) >= progress);
        }
        Some("submit to a hardware queue")
    }

    // ---- sharing ----------------------------------------------------------------------------

    pub fn share(&mut self) -> Option<&'static str> {
        if self.fds.len() > 8 {
            return None;
        }
        let mut fd = 0u64;
        let resources: Vec<usize> = (0..self.resources.len()).collect();
        let (object, stands, want) = if self.random.one_in(2) {
            let s = self.some_sync(|_| true)?;
            (s.handle, Stands::Fence { object: s.object, kind: s.kind }, if s.shared { 0 } else { EINVAL })
        } else {
            let which = self.random.pick(&resources)?;
            let r = self.resources[which].clone();
            let count = self.allocations.iter().filter(|a| a.resource == r.handle).count() as u32;
            // Nothing of nothing.
            if count == 0 {
                return None;
            }
            self.resources[which].sealed |= r.shared;
            (r.handle, Stands::Resource { user: r.user, count }, if r.shared { 0 } else { EINVAL })
        };
        let mut a = ShareObjects {
            object_count: 1,
            objects: &raw const object as u64,
            shared_handle: &raw mut fd as u64,
            ..Default::default()
        };
        assert_eq!(call(&self.rig.node, &mut a), want);
        if want == 0 {
            // SAFETY: the descriptor was just made for us.
            self.fds.push((unsafe { OwnedFd::from_raw_fd(fd as i32) }, stands));
        }
        Some("share")
    }

    pub fn sync_file(&mut self) -> Option<&'static str> {
        if self.fds.len() > 8 {
            return None;
        }
        let (device, _) = self.some_device()?;
        let s = self.some_sync(|_| true)?;
        let fence = matches!(s.kind, Kind::Monitored | Kind::Gpu);
        let fence_value = self.values.get(&s.object).copied().unwrap_or(0) + self.random.below(2) as u64;
        let mut a = CreateSyncFile { device, monitored_fence: s.handle, fence_value, ..Default::default() };
        assert_eq!(call(&self.rig.node, &mut a), if fence { 0 } else { EINVAL });
        if fence {
            // SAFETY: the descriptor was just made for us.
            let fd = unsafe { OwnedFd::from_raw_fd(a.sync_file_handle as i32) };
            self.fds.push((fd, Stands::SyncFile { object: s.object, shared: s.shared }));
        }
        Some("sync file")
    }

    pub fn close_fd(&mut self) -> Option<&'static str> {
        if self.fds.is_empty() {
            return None;
        }
        let which = self.random.below(self.fds.len());
        self.fds.swap_remove(which);
        Some("close a descriptor")
    }

    /// Opens what a descriptor stands for, by the right request or a wrong one.
    pub fn open(&mut self) -> Option<&'static str> {
        if self.fds.is_empty() || self.syncs.len() > 16 || self.allocations.len() > 20 {
            return None;
        }
        let (device, _) = self.some_device()?;
        let which = self.random.below(self.fds.len());
        let (nt_handle, stands) = (self.fds[which].0.as_raw_fd() as u64, self.fds[which].1);
        let as_sync = self.random.one_in(3);
        let mut fence = OpenSyncObjectFromNtHandle2 { device, nt_handle, ..Default::default() };
        match stands {
            Stands::Fence { object, kind } => {
                ok(&self.rig.node, QueryVideoMemoryInfo { adapter: self.adapters[0], ..Default::default() });
                assert_eq!(call(&self.rig.node, &mut fence), 0);
                let handle = fence.sync_object;
                self.syncs.push(Sync { handle, device, kind, shared: true, opened: true, object });
                Some("open object")
            }
            _ if as_sync => {
                assert_eq!(call(&self.rig.node, &mut fence), EINVAL);
                Some("open something as an object")
            }
            Stands::SyncFile { object, shared } => {
                let mut a = OpenSyncObjectFromSyncFile { device, sync_file_handle: nt_handle, ..Default::default() };
                let result = call(&self.rig.node, &mut a);
                if !shared {
                    assert_eq!(result, if self.config.quirks { 0 } else { EINVAL });
                    assert!(a.syncobj.is_null());
                    return Some("open sync file of a private fence");
                }
                assert_eq!(result, 0);
                let kind = if self.values.contains_key(&object) { Kind::Monitored } else { Kind::Gpu };
                self.syncs.push(Sync { handle: a.syncobj, device, kind, shared: true, opened: true, object });
                Some("open sync file")
            }
            Stands::Resource { user, count } => {
                let info =
                    ok(&self.rig.node, QueryResourceInfoFromNtHandle { device, nt_handle, ..Default::default() });
                assert_eq!(info.allocation_count, count);
                let mut total = vec![0u8; info.total_priv_drv_data_size as usize];
                let mut list = vec![OpenAllocationInfo2::default(); count as usize];
                let a = OpenResourceFromNtHandle {
                    device,
                    nt_handle,
                    allocation_count: count,
                    open_alloc_info: list.as_mut_ptr() as u64,
                    total_priv_drv_data_size: info.total_priv_drv_data_size,
                    total_priv_drv_data: total.as_mut_ptr() as u64,
                    ..Default::default()
                };
                let handle = ok(&self.rig.node, a).resource;
                self.resources.push(Resource { handle, device, shared: true, sealed: true, user });
                for (i, data) in list.iter().zip(total.chunks_exact(8)) {
                    let size = u64::from_le_bytes(data.try_into().expect("eight bytes"));
                    self.enter(i.allocation, device, handle, size, user);
                }
                Some("open resource")
            }
        }
    }
}
