//! Devices that are lost, and adapters that go.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use dxg_abi::{DeviceExecutionState, DevicePageFaultState, FaultErrorCode, GeneralErrorCode, Handle, PageFaultFlags};

use crate::device::{Device, Object};
use crate::engine::EngineFault;
use crate::lock::{lock, read};
use crate::process::Process;

impl Process {
    /// The engine reported a fault.
    pub(crate) fn fault(&self, device: &Arc<Device>, fault: &EngineFault) {
        let mut info = DevicePageFaultState::default();
        let state = match fault {
            EngineFault::PageFault { address, write } => {
                info.faulted_virtual_address = *address;
                if *write {
                    info.page_fault_flags = PageFaultFlags::WRITE;
                }
                DeviceExecutionState::ERROR_DMAPAGEFAULT
            }
            EngineFault::BadPacket { address, .. } => {
                info.faulted_virtual_address = *address;
                info.fault_error_code = FaultErrorCode::default()
                    .with(FaultErrorCode::GENERAL_ERROR_CODE, GeneralErrorCode::INVALID_INSTRUCTION.0);
                DeviceExecutionState::ERROR_DMAFAULT
            }
            EngineFault::Hang => {
                self.timeouts.fetch_add(1, Ordering::Relaxed);
                DeviceExecutionState::HUNG
            }
            EngineFault::Internal(_) => DeviceExecutionState::RESET,
        };
        self.lose(device, state, info, false);
    }

    /// Loses a device: its state, its fences, its waits, its queued work.
    pub(crate) fn lose(
        &self,
        device: &Arc<Device>,
        state: DeviceExecutionState,
        info: DevicePageFaultState,
        force: bool,
    ) {
        if !device.fail(state, info, force) {
            return;
        }
        self.losses.store(true, Ordering::Release);
        // Of an opened fence it is the creator's device that counts.
        let fences = self.collect(|o| match o {
            Object::Sync(s) if s.opened => None,
            other => other.sync().filter(|_| Arc::ptr_eq(other.device(), device)).cloned(),
        });
        for fence in fences {
            fence.lose();
        }
        let queues = self.collect(|o| o.queue().filter(|q| Arc::ptr_eq(&q.device, device)).cloned());
        for queue in queues {
            queue.kick();
        }
    }

    /// Waits until no work of a lost device runs any more, before memory goes that it may use: whoever hears of the loss may give
    /// everything back at once, and the work has been told to end.
    pub(crate) fn settle_lost(&self) {
        if self.losses.load(Ordering::Acquire) {
            let lost = self.collect(|o| o.queue().filter(|q| q.device.is_lost()).cloned());
            lost.iter().for_each(|queue| queue.settle());
        }
    }

    /// All devices there are.
    pub(crate) fn devices(&self) -> Vec<Arc<Device>> {
        self.collect(|o| match o {
            Object::Device(d) => Some(d.clone()),
            _ => None,
        })
    }

    /// The adapter is stopped: devices are lost, every call gives ENODEV, and (with quirks) pages
    /// disappear from the process.
    pub(crate) fn stop_adapter(&self) {
        let adapters = lock(&self.adapters);
        self.stopped.store(true, Ordering::Release);
        drop(adapters);
        for device in self.devices() {
            let state = DeviceExecutionState::STOPPED;
            self.lose(&device, state, DevicePageFaultState::default(), true);
        }
        if !self.config.quirks {
            return;
        }
        let progress: Vec<Handle> = self.collect(|o| match o {
            Object::HwQueue(q) => Some(q.fence_handle),
            _ => None,
        });
        let fences = {
            let objects = read(&self.objects);
            let list = objects.iter().filter(|(h, _)| !progress.contains(h));
            list.filter_map(|(_, o)| o.sync().cloned()).collect::<Vec<_>>()
        };
        for fence in fences {
            fence.unmap();
        }
        let allocations = self.collect(|o| match o {
            Object::Allocation(a) => Some(a.clone()),
            _ => None,
        });
        for allocation in allocations {
            if *lock(&allocation.locks) > 0 {
                self.space.hide_home(allocation.memory.address);
            }
        }
    }
}
