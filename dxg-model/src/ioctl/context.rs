//! Devices, contexts, hardware queues.

use std::sync::Arc;

use dxg_abi::{
    CreateContextFlags, CreateContextVirtual, CreateDevice, CreateDeviceFlags, CreateHwQueue, CreateHwQueueFlags,
    DestroyContext, DestroyDevice, DestroyHwQueue, DeviceExecutionState, DevicePageFaultState, DeviceStateType,
    GetContextInProcessSchedulingPriority, GetContextSchedulingPriority, GetDeviceState, Handle, Ioctl,
    MarkDeviceAsError, NtStatus, SetContextInProcessSchedulingPriority, SetContextSchedulingPriority, PRIVATE_DATA_MAX,
};

use crate::device::{Context, Device, HwQueue, Object};
use crate::lock::atomic::{AtomicI32, Ordering};
use crate::process::{Answer, Failure, Process};
use crate::queue::Queue;
use crate::sync::SyncObject;
use crate::usermem;

pub(super) fn create_device(p: &Process, a: &mut CreateDevice) -> Answer {
    p.adapter(a.adapter)?;
    if p.host_status(Ioctl::CreateDevice).is_err() {
        // A refusal shows only as the handle staying what it was.
        return if p.config.quirks { Ok(0) } else { Err(Failure::EOVERFLOW) };
    }
    let device = Device::new(a.flags.contains(CreateDeviceFlags::DISABLE_GPU_TIMEOUT));
    a.device = p.insert_device(a.adapter, device)?;
    Ok(0)
}

pub(super) fn destroy_device(p: &Process, a: &mut DestroyDevice) -> Answer {
    let device = p.any_device(a.device)?;
    p.destroy_device(&device);
    Ok(0)
}

/// Private data that the driver may change and the caller gets back. The model has nothing to
/// say in it, so it comes back as it went in.
fn pass_private_data(address: u64, size: u32) -> Result<(), Failure> {
    let data = super::private_data(address, size)?;
    usermem::copy_out(address, &data)?;
    Ok(())
}

pub(super) fn create_context(p: &Process, a: &mut CreateContextVirtual) -> Answer {
    let device = p.device(a.device)?;
    // Whatever else is wrong, the reason is lost.
    if pass_private_data(a.priv_drv_data, a.priv_drv_data_size).is_err()
        || p.host_status(Ioctl::CreateContextVirtual).is_err()
    {
        return Err(Failure::EINVAL);
    }
    let node = p.nodes.get(a.node_ordinal as usize).ok_or(Failure::EINVAL)?;
    if a.engine_affinity > 1 {
        return Err(Failure::EINVAL);
    }
    let hw_queues = a.flags.contains(CreateContextFlags::HW_QUEUE_SUPPORTED);
    if hw_queues && !(p.config.hw_queues && p.engine.identity().hw_scheduling) {
        return Err(Failure::EINVAL);
    }
    let no_timeout = device.no_timeout || a.flags.contains(CreateContextFlags::DISABLE_GPU_TIMEOUT);
    let id = p.new_id();
    let queue = Queue::new(id, device.clone(), node.clone(), None, !no_timeout);
    let context = Context {
        device,
        queue,
        id,
        hw_queues,
        no_timeout,
        null_rendering: a.flags.contains(CreateContextFlags::NULL_RENDERING),
        in_process_priority: AtomicI32::new(0),
    };
    a.context = p.insert(Object::Context(Arc::new(context)))?;
    Ok(0)
}

pub(super) fn destroy_context(p: &Process, a: &mut DestroyContext) -> Answer {
    let context = p.remove_if(a.context, |o| match o {
        Object::Context(c) => Some(c.clone()),
        _ => None,
    })?;
    for queue in p.hw_queues_of(&context) {
        take_down(p, queue);
    }
    context.queue.kill();
    Ok(0)
}

pub(super) fn create_hw_queue(p: &Process, a: &mut CreateHwQueue) -> Answer {
    if a.priv_drv_data_size > PRIVATE_DATA_MAX {
        return Err(Failure::EINVAL);
    }
    let context = p.context(a.context)?;
    if !context.device.active.load(Ordering::Acquire) {
        return Err(Failure::ENODEV);
    }
    pass_private_data(a.priv_drv_data, a.priv_drv_data_size)?;
    p.host(Ioctl::CreateHwQueue)?;
    if !context.hw_queues {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    let fence = SyncObject::monitored(&p.space, Default::default(), 0).map_err(|_| Failure::ENOMEM)?;
    let no_timeout = context.no_timeout || a.flags.contains(CreateHwQueueFlags::DISABLE_GPU_TIMEOUT);
    let queue =
        Queue::new(context.id, context.device.clone(), context.queue.node.clone(), Some(fence.clone()), !no_timeout);
    queue.priority.store(context.queue.priority.load(Ordering::Relaxed), Ordering::Relaxed);
    let address = fence.address();
    let fence_handle = p.insert_fence(Object::Fence(context.device.clone(), fence.clone()))?;
    let hw = Arc::new(HwQueue { context, queue, fence, fence_handle });
    a.queue = p.insert_hw_queue(a.context, hw).inspect_err(|_| drop(p.remove(fence_handle)))?;
    a.queue_progress_fence = fence_handle;
    a.queue_progress_fence_cpu_va = address;
    a.queue_progress_fence_gpu_va = address;
    Ok(0)
}

/// Stops a hardware queue whose handle is gone already.
fn take_down(p: &Process, queue: Arc<HwQueue>) {
    queue.queue.kill();
    p.remove(queue.fence_handle);
    queue.fence.close();
}

pub(super) fn destroy_hw_queue(p: &Process, a: &mut DestroyHwQueue) -> Answer {
    let queue = p.remove_if(a.queue, |o| match o {
        Object::HwQueue(q) => Some(q.clone()),
        _ => None,
    })?;
    take_down(p, queue);
    Ok(0)
}

pub(super) fn device_state(p: &Process, a: &mut GetDeviceState) -> Answer {
    let device = p.any_device(a.device)?;
    let (state, fault) = device.execution();
    let kind = a.state_type;
    // The execution state is at hand without asking.
    if kind != DeviceStateType::EXECUTION {
        p.host(Ioctl::GetDeviceState)?;
    }
    let blank = GetDeviceState { device: a.device, state_type: kind, ..Default::default() };
    let mut out = blank;
    match kind {
        DeviceStateType::EXECUTION => out.set_execution_state(state),
        DeviceStateType::PAGE_FAULT => out.set_page_fault_state(fault),
        // Nothing is presented and nothing was reset by a desktop switch.
        DeviceStateType::PRESENT
        | DeviceStateType::RESET
        | DeviceStateType::PRESENT_DWM
        | DeviceStateType::PRESENT_QUEUE => {}
        // Kinds of the other side's making.
        DeviceStateType(_) => return Err(NtStatus::INVALID_PARAMETER.into()),
    }
    *a = out;
    Ok(0)
}

pub(super) fn mark_device_as_error(p: &Process, a: &mut MarkDeviceAsError) -> Answer {
    let device = p.any_device(a.device)?;
    // The local state is set before the host is told, whatever it was.
    p.lose(&device, DeviceExecutionState::RESET, DevicePageFaultState::default(), true);
    p.host(Ioctl::MarkDeviceAsError)?;
    Ok(0)
}

// ---- priorities ---------------------------------------------------------------------------

/// Priorities the host takes.
const PRIORITIES: core::ops::RangeInclusive<i32> = -7..=7;

fn check_priority(priority: i32) -> Result<(), Failure> {
    if PRIORITIES.contains(&priority) {
        return Ok(());
    }
    Err(NtStatus::INVALID_PARAMETER.into())
}

pub(super) fn set_priority(p: &Process, a: &mut SetContextSchedulingPriority) -> Answer {
    let context = p.context(a.context)?;
    p.host(Ioctl::SetContextSchedulingPriority)?;
    check_priority(a.priority)?;
    context.queue.priority.store(a.priority, Ordering::Relaxed);
    for queue in p.hw_queues_of_object(&context) {
        queue.queue.priority.store(a.priority, Ordering::Relaxed);
    }
    Ok(0)
}

pub(super) fn get_priority(p: &Process, a: &mut GetContextSchedulingPriority) -> Answer {
    let context = p.context(a.context)?;
    p.host(Ioctl::GetContextSchedulingPriority)?;
    a.priority = context.queue.priority.load(Ordering::Relaxed);
    Ok(0)
}

pub(super) fn set_in_process_priority(p: &Process, a: &mut SetContextInProcessSchedulingPriority) -> Answer {
    let context = p.context(a.context)?;
    p.host(Ioctl::SetContextInProcessSchedulingPriority)?;
    check_priority(a.priority)?;
    context.in_process_priority.store(a.priority, Ordering::Relaxed);
    Ok(0)
}

pub(super) fn get_in_process_priority(p: &Process, a: &mut GetContextInProcessSchedulingPriority) -> Answer {
    let context = p.context(a.context)?;
    p.host(Ioctl::GetContextInProcessSchedulingPriority)?;
    a.priority = context.in_process_priority.load(Ordering::Relaxed);
    Ok(0)
}

impl Process {
    /// Hardware queues of a context.
    fn hw_queues_of_object(&self, context: &Arc<Context>) -> Vec<Arc<HwQueue>> {
        self.pick(|_, o| match o {
            Object::HwQueue(q) if Arc::ptr_eq(&q.context, context) => Some(q.clone()),
            _ => None,
        })
    }

    /// Hardware queues of a context, their handles taken out.
    fn hw_queues_of(&self, context: &Arc<Context>) -> Vec<Arc<HwQueue>> {
        let handles: Vec<Handle> = self.pick(|h, o| match o {
            Object::HwQueue(q) if Arc::ptr_eq(&q.context, context) => Some(h),
            _ => None,
        });
        let taken = handles.into_iter().filter_map(|h| self.remove(h));
        taken
            .filter_map(|o| match o {
                Object::HwQueue(q) => Some(q),
                _ => None,
            })
            .collect()
    }
}
