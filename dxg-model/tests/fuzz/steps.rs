//! The choice of steps, and those about devices and queues.

use dxg_abi::*;
use dxg_model::Fault;

use crate::common::*;
use crate::shadow::{Context, HwQueue, Shadow};

impl Shadow {
    /// Does something; what.
    pub fn step(&mut self) -> &'static str {
        loop {
            let done = match self.random.below(100) {
                0..3 => self.adapter(),
                3..6 => self.create_device(),
                6 => self.destroy_device(),
                7..12 => self.context(),
                12..16 => self.hw_queue(),
                16..18 => self.paging_queue(),
                18..24 => self.create_memory(),
                24..29 => self.destroy_memory(),
                29..42 => self.touch_memory(),
                42..45 => self.reserve(),
                45 => self.update_addresses(),
                46..51 => self.create_sync(),
                51..54 => self.destroy_sync(),
                54..59 => self.signal_cpu(),
                59..64 => self.wait_cpu(),
                64..74 => self.queue_work(),
                74..78 => self.drain(),
                78..83 => self.hw_work(),
                83..86 => self.share(),
                86..88 => self.sync_file(),
                88..90 => self.close_fd(),
                90..93 => self.open(),
                93..96 => self.stale(),
                96..98 => self.look(),
                98 => self.refuse(),
                _ => self.lose(),
            };
            if let Some(what) = done {
                return what;
            }
        }
    }

    fn adapter(&mut self) -> Option<&'static str> {
        let node = self.rig.node.clone();
        if self.adapters.len() < 4 && self.random.one_in(2) {
            let a = OpenAdapterFromLuid { adapter_luid: self.rig.luid, ..Default::default() };
            self.adapters.push(ok(&node, a).adapter_handle);
            return Some("open adapter");
        }
        if self.adapters.len() > 1 {
            let which = self.random.below(self.adapters.len());
            ok(&node, CloseAdapter { adapter_handle: self.adapters.swap_remove(which) });
            return Some("close adapter");
        }
        if !self.random.one_in(20) {
            return None;
        }
        // The last takes the devices along.
        ok(&node, CloseAdapter { adapter_handle: self.adapters[0] });
        for device in self.devices.iter().map(|d| d.handle).collect::<Vec<_>>() {
            self.bury_device(device);
        }
        let a = OpenAdapterFromLuid { adapter_luid: self.rig.luid, ..Default::default() };
        self.adapters = vec![ok(&node, a).adapter_handle];
        self.rig.adapter = self.adapters[0];
        Some("close the last adapter")
    }

    fn create_device(&mut self) -> Option<&'static str> {
        if self.devices.len() >= 3 {
            return None;
        }
        let device = ok(&self.rig.node, CreateDevice { adapter: self.adapters[0], ..Default::default() }).device;
        self.enter_device(device);
        Some("create device")
    }

    fn destroy_device(&mut self) -> Option<&'static str> {
        let which = self.random.below(self.devices.len());
        let device = self.devices.get(which)?.handle;
        ok(&self.rig.node, DestroyDevice { device });
        self.bury_device(device);
        Some("destroy device")
    }

    fn context(&mut self) -> Option<&'static str> {
        if self.contexts.len() < 6 && !self.random.one_in(3) {
            let which = self.random.below(self.devices.len());
            let device = self.devices.get(which)?.handle;
            let hw = self.random.one_in(2);
            let flags = CreateContextFlags::default().set(CreateContextFlags::HW_QUEUE_SUPPORTED, hw);
            let node_ordinal = self.random.below(2) as u32;
            let mut a = CreateContextVirtual { device, flags, node_ordinal, ..Default::default() };
            let result = call(&self.rig.node, &mut a);
            if hw && !self.config.hw_queues {
                assert_eq!(result, EINVAL);
                return Some("context without hardware queues");
            }
            assert_eq!(result, 0);
            self.contexts.push(Context { handle: a.context, device, hw, waits: Vec::new() });
            return Some("create context");
        }
        let which = self.random.below(self.contexts.len());
        let context = self.contexts.get(which)?.handle;
        if self.random.one_in(2) {
            let priority = self.random.below(15) as i32 - 7;
            ok(&self.rig.node, SetContextSchedulingPriority { context, priority });
            let a = ok(&self.rig.node, GetContextSchedulingPriority { context, ..Default::default() });
            assert_eq!(a.priority, priority);
            return Some("priority of a context");
        }
        ok(&self.rig.node, DestroyContext { context });
        self.contexts.swap_remove(which);
        let queues: Vec<HwQueue> = self.hw_queues.iter().filter(|q| q.context == context).cloned().collect();
        self.hw_queues.retain(|q| q.context != context);
        self.bury(context);
        queues.iter().flat_map(|q| [q.handle, q.fence]).for_each(|h| self.bury(h));
        Some("destroy context")
    }

    fn hw_queue(&mut self) -> Option<&'static str> {
        if self.hw_queues.len() < 5 && !self.random.one_in(3) {
            let which = self.random.below(self.contexts.len());
            let c = self.contexts.get(which)?.clone();
            let mut a = CreateHwQueue { context: c.handle, ..Default::default() };
            let result = call(&self.rig.node, &mut a);
            if !c.hw {
                assert_eq!(result, EINVAL);
                return Some("hardware queue of another context");
            }
            assert_eq!(result, 0);
            self.hw_queues.push(HwQueue {
                handle: a.queue,
                context: c.handle,
                fence: a.queue_progress_fence,
                page: a.queue_progress_fence_cpu_va,
                progress: 0,
                waits: Vec::new(),
            });
            return Some("create hardware queue");
        }
        let which = self.random.below(self.hw_queues.len());
        let q = self.hw_queues.get(which)?.clone();
        ok(&self.rig.node, DestroyHwQueue { queue: q.handle });
        self.hw_queues.swap_remove(which);
        self.bury(q.handle);
        self.bury(q.fence);
        Some("destroy hardware queue")
    }

    fn paging_queue(&mut self) -> Option<&'static str> {
        if self.paging.len() < 6 && self.random.one_in(2) {
            let which = self.random.below(self.devices.len());
            let device = self.devices.get(which)?.handle;
            self.new_paging_queue(device);
            return Some("create paging queue");
        }
        let which = self.random.below(self.paging.len());
        let p = self.paging.get(which)?.clone();
        ok(&self.rig.node, DestroyPagingQueue { paging_queue: p.handle });
        self.paging.swap_remove(which);
        self.bury(p.handle);
        self.bury(p.fence);
        Some("destroy paging queue")
    }

    /// A handle that is gone, in all places.
    fn stale(&mut self) -> Option<&'static str> {
        let list: Vec<Handle> = self.gone.iter().copied().collect();
        let h = self.random.pick(&list)?;
        let node = &self.rig.node;
        let refused = [
            call(node, &mut DestroyDevice { device: h }),
            call(node, &mut DestroyContext { context: h }),
            call(node, &mut DestroyHwQueue { queue: h }),
            call(node, &mut DestroyPagingQueue { paging_queue: h }),
            call(node, &mut DestroySynchronizationObject { sync_object: h }),
            call(node, &mut CreatePagingQueue { device: h, ..Default::default() }),
            call(node, &mut CreateHwQueue { context: h, ..Default::default() }),
            call(node, &mut GetDeviceState { device: h, state_type: DeviceStateType::EXECUTION, ..Default::default() }),
            call(node, &mut Lock2 { device: h, allocation: h, ..Default::default() }),
            call(node, &mut Unlock2 { device: h, allocation: h }),
            call(node, &mut DestroyAllocation2 { device: h, resource: h, ..Default::default() }),
            call(node, &mut gpu_wait(h, &[h], &[0])),
            call(node, &mut cpu_wait(h, &[h], &[0], 0)),
            call(node, &mut MapGpuVirtualAddress { paging_queue: h, allocation: h, ..Default::default() }),
        ];
        assert_eq!(refused, [EINVAL; 14], "{h:?}");
        Some("a handle that is gone")
    }

    /// Calls that only look.
    fn look(&mut self) -> Option<&'static str> {
        let node = self.rig.node.clone();
        let adapter = self.adapters[0];
        let info = ok(&node, QueryVideoMemoryInfo { adapter, ..Default::default() });
        let resident = node.census().resident;
        assert!(info.current_usage <= resident && info.budget == 8 << 20);
        ok(&node, QueryClockCalibration { adapter, ..Default::default() });
        for d in &self.devices {
            let a = GetDeviceState { device: d.handle, state_type: DeviceStateType::EXECUTION, ..Default::default() };
            let active = ok(&node, a).execution_state() == DeviceExecutionState::ACTIVE;
            assert_eq!(active, !d.lost);
        }
        let a =
            QueryStatistics { r#type: QueryStatisticsType::SEGMENT, adapter_luid: self.rig.luid, ..Default::default() };
        let bytes = ok(&node, a).result.bytes;
        assert_eq!(bytes[16..24], resident.to_le_bytes());
        Some("look")
    }

    /// The host refuses something, and nothing comes of it.
    fn refuse(&mut self) -> Option<&'static str> {
        let which = self.random.below(self.devices.len());
        let device = self.devices.get(which)?.handle;
        let node = &self.rig.node;
        let status = NtStatus::NO_MEMORY;
        let refuse = |ioctl| node.inject(&Fault::Refusal { ioctl, status });
        match self.random.below(4) {
            0 => {
                refuse(Ioctl::CreatePagingQueue);
                fails(node, CreatePagingQueue { device, ..Default::default() }, EOVERFLOW);
            }
            1 => {
                refuse(Ioctl::CreateContextVirtual);
                fails(node, CreateContextVirtual { device, ..Default::default() }, EINVAL);
            }
            2 => {
                refuse(Ioctl::CreateSynchronizationObject2);
                let mut a = CreateSynchronizationObject2 { device, ..Default::default() };
                a.info.r#type = SynchronizationObjectType::FENCE;
                fails(node, a, EOVERFLOW);
            }
            _ => {
                refuse(Ioctl::CreateDevice);
                let mut a = CreateDevice { adapter: self.adapters[0], ..Default::default() };
                assert_eq!(call(node, &mut a), if self.config.quirks { 0 } else { EOVERFLOW });
                assert!(a.device.is_null());
            }
        }
        Some("refusal")
    }

    fn lose(&mut self) -> Option<&'static str> {
        if !self.random.one_in(4) {
            return None;
        }
        self.rig.node.inject(&Fault::OutOfMemory);
        self.lose_devices();
        Some("devices are lost")
    }
}
