//! Queues: command buffers, and the signals and waits between them.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use dxg_abi::{
    Handle, Ioctl, NtStatus, SignalFlags, SignalSynchronizationObject2, SignalSynchronizationObjectFromGpu,
    SignalSynchronizationObjectFromGpu2, SubmitCommand, SubmitCommandFlags, SubmitCommandToHwQueue,
    SubmitSignalSyncObjectsToHwQueue, SubmitWaitForSyncObjectsToHwQueue, WaitForSynchronizationObject2,
    WaitForSynchronizationObjectFromGpu, MAX_BROADCAST_CONTEXT, MAX_OBJECT_SIGNALED, MAX_OBJECT_WAITED_ON,
    PRIVATE_DATA_MAX,
};
use smallvec::SmallVec;

use crate::device::Object;
use crate::lock::atomic::AtomicU32;
use crate::lock::lock;
use crate::process::{Answer, Failure, Process};
use crate::queue::{Item, Join, Points, Queue, Submission};
use crate::sync::Kind;
use crate::usermem;

/// Most entries of the lists that have no limit of their own.
const LIST_MAX: u32 = PRIVATE_DATA_MAX;
/// Most history buffers.
const HISTORY_MAX: u32 = 1024;
/// Most further contexts of a legacy signal; one less than the structure has room for.
const FURTHER_CONTEXTS_MAX: u32 = 63;

fn submission_data(address: u64, size: u32) -> Result<SmallVec<[u8; 64]>, Failure> {
    let mut data = SmallVec::from_elem(0, size as usize);
    usermem::copy_in(address, &mut data)?;
    Ok(data)
}

/// Work for a lost device is refused.
fn alive(queue: &Queue) -> Result<(), NtStatus> {
    if queue.device.is_lost() {
        return Err(NtStatus::DEVICE_REMOVED);
    }
    Ok(())
}

pub(super) fn command(p: &Process, a: &mut SubmitCommand) -> Answer {
    let count = a.broadcast_context_count;
    if count == 0
        || count > MAX_BROADCAST_CONTEXT
        || a.priv_drv_data_size > PRIVATE_DATA_MAX
        || a.num_history_buffers > HISTORY_MAX
        || a.num_primaries > LIST_MAX
    {
        return Err(Failure::EINVAL);
    }
    let [first, ..] = a.broadcast_context;
    let context = p.context(first)?;
    let private_data = submission_data(a.priv_drv_data, a.priv_drv_data_size)?;
    let submission = Submission {
        command_buffer: a.command_buffer,
        command_length: a.command_length,
        private_data,
        progress: None,
        null: a.flags.contains(SubmitCommandFlags::NULL_RENDERING) || context.null_rendering,
    };
    let further = a.broadcast_context.iter().take(count as usize).skip(1).copied();
    let submit = || -> Result<(), NtStatus> {
        p.host_status(Ioctl::SubmitCommand)?;
        // Software scheduling is for contexts without hardware queues.
        if context.hw_queues {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let further = p.context_queues(further)?;
        alive(&context.queue)?;
        for queue in further {
            let (command_buffer, command_length) = (submission.command_buffer, submission.command_length);
            let private_data = submission.private_data.clone();
            let null = submission.null;
            let copy = Submission { command_buffer, command_length, private_data, progress: None, null };
            p.enqueue(&queue, [Item::Submit(copy)])?;
        }
        p.enqueue(&context.queue, [Item::Submit(submission)])
    };
    p.fire(submit())
}

pub(super) fn command_to_hw_queue(p: &Process, a: &mut SubmitCommandToHwQueue) -> Answer {
    if a.priv_drv_data_size > PRIVATE_DATA_MAX || a.num_primaries > LIST_MAX {
        return Err(Failure::EINVAL);
    }
    let queue = p.hw_queue(a.hwqueue)?;
    let submission = Submission {
        command_buffer: a.command_buffer,
        command_length: a.command_length,
        private_data: submission_data(a.priv_drv_data, a.priv_drv_data_size)?,
        progress: Some(a.hwqueue_progress_fence_id),
        null: queue.context.null_rendering,
    };
    let submit = || -> Result<(), NtStatus> {
        p.host_status(Ioctl::SubmitCommandToHwQueue)?;
        alive(&queue.queue)?;
        p.enqueue(&queue.queue, [Item::Submit(submission)])
    };
    p.fire(submit())
}

// ---- signals ----------------------------------------------------------------------------------

/// Queues a signal behind the work of all `queues`: it happens when the last gets there.
fn signal(p: &Process, queues: &[Arc<Queue>], points: Points, flags: SignalFlags) -> Result<(), NtStatus> {
    if flags.contains(SignalFlags::SIGNAL_AT_SUBMISSION) {
        for (object, value) in points {
            object.signal(value);
        }
        return Ok(());
    }
    match queues {
        [only] => p.enqueue(only, [Item::Signal(points, None)]),
        several => {
            let join: Join = Some(Arc::new(AtomicU32::new(several.len() as u32)));
            several.iter().try_for_each(|queue| p.enqueue(queue, [Item::Signal(points.clone(), join.clone())]))
        }
    }
}

/// Queues an event behind the work of all `queues`.
fn event(p: &Process, queues: &[Arc<Queue>], event: Arc<OwnedFd>) -> Result<(), NtStatus> {
    let join: Join = Some(Arc::new(AtomicU32::new(queues.len() as u32)));
    queues.iter().try_for_each(|queue| p.enqueue(queue, [Item::Event(event.clone(), join.clone())]))
}

/// The event of a signal flagged so.
fn cpu_event(p: &Process, value: u64) -> Result<Arc<OwnedFd>, Failure> {
    let event = super::sync::event_number(value)?;
    lock(&p.events).hold(event).map_err(|e| super::sync::no_event(&e))
}

pub(super) fn signal_legacy(p: &Process, a: &mut SignalSynchronizationObject2) -> Answer {
    let by_event = a.flags.contains(SignalFlags::ENQUEUE_CPU_EVENT);
    if a.context_count > FURTHER_CONTEXTS_MAX || a.object_count > MAX_OBJECT_SIGNALED {
        return Err(Failure::EINVAL);
    }
    let raised = if by_event { Some(cpu_event(p, a.cpu_event_handle())?) } else { None };
    let context = p.context(a.context)?;
    let further = a.contexts.iter().take(a.context_count as usize).copied();
    let submit = || -> Result<(), NtStatus> {
        p.host_status(Ioctl::SignalSynchronizationObject2)?;
        let mut queues = p.context_queues(further)?;
        queues.insert(0, context.queue.clone());
        if let Some(raised) = raised {
            return event(p, &queues, raised);
        }
        let handles = a.object_array.get(..a.object_count as usize).unwrap_or_default();
        let values = [a.fence.fence_value; MAX_OBJECT_SIGNALED as usize];
        signal(p, &queues, p.points(handles, &values)?, a.flags)
    };
    p.fire(submit())
}

pub(super) fn signal_from_gpu(p: &Process, a: &mut SignalSynchronizationObjectFromGpu) -> Answer {
    if a.object_count == 0 || a.object_count > LIST_MAX {
        return Err(Failure::EINVAL);
    }
    let context = p.context(a.context)?;
    let (handles, values) =
        usermem::read_arrays::<Handle, u64>(a.objects, a.monitored_fence_values, a.object_count as usize)?;
    let queue = core::slice::from_ref(&context.queue);
    let submit = || -> Result<(), NtStatus> {
        p.host_status(Ioctl::SignalSynchronizationObjectFromGpu)?;
        signal(p, queue, p.points(&handles, &values)?, SignalFlags::default())
    };
    p.fire(submit())
}

pub(super) fn signal_from_gpu2(p: &Process, a: &mut SignalSynchronizationObjectFromGpu2) -> Answer {
    let by_event = a.flags.contains(SignalFlags::ENQUEUE_CPU_EVENT);
    if a.context_count == 0 || a.context_count > LIST_MAX || a.object_count > LIST_MAX {
        return Err(Failure::EINVAL);
    }
    let raised = if by_event {
        if a.object_count != 0 || a.cpu_event_handle() == 0 {
            return Err(Failure::EINVAL);
        }
        Some(cpu_event(p, a.cpu_event_handle())?)
    } else {
        if a.object_count == 0 {
            return Err(Failure::EINVAL);
        }
        None
    };
    let contexts = usermem::read_array::<Handle>(a.contexts, a.context_count as usize)?;
    let first = contexts.first().copied().unwrap_or_default();
    p.context(first)?;
    let handles = usermem::read_array::<Handle>(a.objects, a.object_count as usize)?;
    // The type of the first object decides whether the slot is an address or a value.
    let monitored = handles
        .first()
        .and_then(|h| p.object(*h))
        .is_none_or(|o| o.sync().is_none_or(|s| matches!(s.kind, Kind::Monitored)));
    let values = if by_event {
        Default::default()
    } else if monitored {
        usermem::read_array::<u64>(a.monitored_fence_values, a.object_count as usize)?
    } else {
        SmallVec::from_elem(a.fence_value(), handles.len())
    };
    let submit = || -> Result<(), NtStatus> {
        p.host_status(Ioctl::SignalSynchronizationObjectFromGpu2)?;
        let queues = p.context_queues(contexts.iter().copied())?;
        if let Some(raised) = raised {
            return event(p, &queues, raised);
        }
        signal(p, &queues, p.points(&handles, &values)?, a.flags)
    };
    p.fire(submit())
}

pub(super) fn signal_to_hw_queue(p: &Process, a: &mut SubmitSignalSyncObjectsToHwQueue) -> Answer {
    if a.hwqueue_count == 0
        || a.hwqueue_count > MAX_BROADCAST_CONTEXT
        || a.object_count == 0
        || a.object_count > MAX_OBJECT_SIGNALED
    {
        return Err(Failure::EINVAL);
    }
    let queues = usermem::read_array::<Handle>(a.hwqueues, a.hwqueue_count as usize)?;
    p.hw_queue(queues.first().copied().unwrap_or_default())?;
    let (handles, values) = usermem::read_arrays::<Handle, u64>(a.objects, a.fence_values, a.object_count as usize)?;
    let submit = || -> Result<(), NtStatus> {
        p.host_status(Ioctl::SubmitSignalSyncObjectsToHwQueue)?;
        let queues = p.hw_queues(&queues)?;
        signal(p, &queues, p.points(&handles, &values)?, a.flags)
    };
    p.fire(submit())
}

// ---- waits --------------------------------------------------------------------------------------

/// Queues a wait. One that is satisfied already still takes its place in the queue: objects that
/// count are taken from only when the queue gets there.
fn wait(p: &Process, ioctl: Ioctl, queue: &Arc<Queue>, handles: &[Handle], values: &[u64]) -> Answer {
    let submit = || -> Result<(), NtStatus> {
        p.host_status(ioctl)?;
        p.enqueue(queue, [Item::Wait(p.points(handles, values)?)])
    };
    p.fire(submit())
}

pub(super) fn wait_legacy(p: &Process, a: &mut WaitForSynchronizationObject2) -> Answer {
    if a.object_count == 0 || a.object_count > MAX_OBJECT_WAITED_ON {
        return Err(Failure::EINVAL);
    }
    let context = p.context(a.context)?;
    let handles = a.object_array.get(..a.object_count as usize).unwrap_or_default();
    // Every object gets the one value there is.
    let values = [a.fence.fence_value; MAX_OBJECT_WAITED_ON as usize];
    wait(p, Ioctl::WaitForSynchronizationObject2, &context.queue, handles, &values)
}

pub(super) fn wait_from_gpu(p: &Process, a: &mut WaitForSynchronizationObjectFromGpu) -> Answer {
    if a.object_count == 0 || a.object_count > LIST_MAX {
        return Err(Failure::EINVAL);
    }
    let context = p.context(a.context)?;
    let handles = usermem::read_array::<Handle>(a.objects, a.object_count as usize)?;
    let first = handles.first().and_then(|h| p.object(*h));
    let monitored = match first {
        Some(Object::Sync(s)) => matches!(s.object.kind, Kind::Monitored),
        Some(Object::Fence(..)) => true,
        _ => return Err(Failure::EINVAL),
    };
    if a.object_count > MAX_OBJECT_WAITED_ON {
        return Err(Failure::EINVAL);
    }
    let values = if monitored {
        usermem::read_array::<u64>(a.monitored_fence_values, handles.len())?
    } else {
        SmallVec::from_elem(a.fence_value(), handles.len())
    };
    wait(p, Ioctl::WaitForSynchronizationObjectFromGpu, &context.queue, &handles, &values)
}

pub(super) fn wait_to_hw_queue(p: &Process, a: &mut SubmitWaitForSyncObjectsToHwQueue) -> Answer {
    if a.object_count == 0 || a.object_count > MAX_OBJECT_WAITED_ON {
        return Err(Failure::EINVAL);
    }
    let queue = p.hw_queue(a.hwqueue)?;
    let (handles, values) = usermem::read_arrays::<Handle, u64>(a.objects, a.fence_values, a.object_count as usize)?;
    wait(p, Ioctl::SubmitWaitForSyncObjectsToHwQueue, &queue.queue, &handles, &values)
}
