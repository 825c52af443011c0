//! Synchronisation objects: creation, destruction, and what the CPU does with them.

use std::sync::Arc;

use dxg_abi::{
    CreateSynchronizationObject2, DestroySynchronizationObject, Handle, Ioctl, NtStatus,
    SignalSynchronizationObjectFromCpu, SyncCpuNotification, SynchronizationObjectFlags as Flags,
    SynchronizationObjectType as Type, WaitForSynchronizationObjectFromCpu, WaitFromCpuFlags, MAX_OBJECT_SIGNALED,
};

use crate::device::{Object, SyncHandle};
use crate::events::EventNumber;
use crate::lock::{lock, Mutex};
use crate::process::{Answer, Failure, Process};
use crate::sync::{Bell, CpuWait, Kind, SyncObject};
use crate::usermem;

/// Most objects of a CPU wait.
const WAIT_MAX: u32 = 131_072;

pub(super) fn create(p: &Process, a: &mut CreateSynchronizationObject2) -> Answer {
    let device = p.device(a.device)?;
    let flags = a.info.flags;
    let shared = flags.contains(Flags::SHARED);
    if shared && !flags.contains(Flags::NT_SECURITY_SHARING) {
        return Err(Failure::EINVAL);
    }
    let mut info = a.info;
    let event = match info.r#type {
        Type::CPU_NOTIFICATION => Some(event_number(info.cpu_notification().event)?),
        _ => None,
    };
    p.mute_host(Ioctl::CreateSynchronizationObject2)?;
    // What is shared has its value where other processes can have it.
    let make = |kind: Kind, value: u64| -> Result<Arc<SyncObject>, Failure> {
        let made = match kind {
            kind if shared => SyncObject::shared(&p.space, kind, flags, value),
            Kind::Monitored => SyncObject::monitored(&p.space, flags, value),
            kind => Ok(SyncObject::plain(kind, flags, value)),
        };
        made.map_err(|_| Failure::ENOMEM)
    };
    let object = match info.r#type {
        Type::SYNCHRONIZATION_MUTEX => {
            // Owned at the start means that nobody else gets it.
            let free = u64::from(info.synchronization_mutex().initial_state == 0);
            make(Kind::Semaphore { max: 1 }, free)?
        }
        Type::SEMAPHORE => {
            let s = info.semaphore();
            if s.max_count == 0 || s.initial_count > s.max_count {
                return Err(Failure::EOVERFLOW);
            }
            let kind = Kind::Semaphore { max: u64::from(s.max_count) };
            make(kind, u64::from(s.initial_count))?
        }
        Type::FENCE => make(Kind::Legacy, info.fence().fence_value)?,
        Type::CPU_NOTIFICATION => {
            let event = event.ok_or(Failure::EINVAL)?;
            let event = lock(&p.events).hold(event).map_err(|e| no_event(&e))?;
            // The caller's number is replaced by an id of the guest's.
            let event_id = SyncCpuNotification { event: p.new_id() };
            if p.config.quirks {
                info.set_cpu_notification(event_id);
            }
            make(Kind::CpuNotification(event), 0)?
        }
        Type::MONITORED_FENCE => {
            let mut m = info.monitored_fence();
            let object = make(Kind::Monitored, m.initial_fence_value)?;
            // Filled in below, when the handle's page is known.
            m.fence_cpu_virtual_address = 0;
            info.set_monitored_fence(m);
            object
        }
        // There is no display to tie a periodic fence to, and no other kind.
        Type(_) => return Err(Failure::EOVERFLOW),
    };
    // A shared object keeps its value in a page of its own and shows it through the handle's.
    let is_fence = matches!(object.kind, Kind::Monitored);
    let view = if shared && is_fence { Some(object.view(&p.space).map_err(|_| Failure::ENOMEM)?) } else { None };
    let handle = Arc::new(SyncHandle { device, object, view: Mutex::new(view), shared, opened: false });
    if is_fence {
        let mut m = info.monitored_fence();
        m.fence_cpu_virtual_address = handle.address();
        let gpu = !flags.contains(Flags::NO_GPU_ACCESS);
        m.fence_gpu_virtual_address = if gpu { handle.address() } else { 0 };
        info.set_monitored_fence(m);
    }
    a.sync_object = p.insert_fence(Object::Sync(handle))?;
    if shared {
        // The host's name for it, of no use to a client.
        info.shared_handle = a.sync_object;
    }
    a.info = info;
    Ok(0)
}

/// Checks an eventfd number.
pub(super) fn event_number(value: u64) -> Result<EventNumber, Failure> {
    EventNumber::new(value).map_err(|e| no_event(&e))
}

/// Why an event cannot be kept. The kernel needs no descriptor for that; the model does, and where the process has none left
/// it is as if memory had run out.
pub(super) fn no_event(error: &std::io::Error) -> Failure {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => Failure::ENOMEM,
        _ => Failure::EINVAL,
    }
}

pub(super) fn destroy(p: &Process, a: &mut DestroySynchronizationObject) -> Answer {
    let handle = p.remove_if(a.sync_object, |o| match o {
        Object::Sync(s) => Some(s.clone()),
        _ => None,
    })?;
    p.close_sync(&handle);
    Ok(0)
}

pub(super) fn signal_from_cpu(p: &Process, a: &mut SignalSynchronizationObjectFromCpu) -> Answer {
    if a.object_count == 0 || a.object_count > MAX_OBJECT_SIGNALED {
        return Err(Failure::EINVAL);
    }
    p.device(a.device)?;
    let (handles, values) = usermem::read_arrays::<Handle, u64>(a.objects, a.fence_values, a.object_count as usize)?;
    let submit = || -> Result<(), NtStatus> {
        p.host_status(Ioctl::SignalSynchronizationObjectFromCpu)?;
        for (object, value) in p.points(&handles, &values)? {
            object.signal(value);
        }
        Ok(())
    };
    p.fire(submit())
}

pub(super) fn wait_from_cpu(p: &Process, a: &mut WaitForSynchronizationObjectFromCpu) -> Answer {
    if a.object_count == 0 || a.object_count > WAIT_MAX {
        return Err(Failure::EINVAL);
    }
    let (handles, values) = usermem::read_arrays::<Handle, u64>(a.objects, a.fence_values, a.object_count as usize)?;
    let event = if a.async_event == 0 { None } else { Some(event_number(a.async_event)?) };
    p.device(a.device)?;
    p.host(Ioctl::WaitForSynchronizationObjectFromCpu)?;
    let points = p.points(&handles, &values)?;
    if points.iter().any(|(o, _)| !matches!(o.kind, Kind::Monitored | Kind::Legacy)) {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    let any = a.flags.contains(WaitFromCpuFlags::WAIT_ANY);
    let reached = |(o, v): &(Arc<SyncObject>, u64)| o.wait(*v, None);
    let over = if any { points.iter().any(reached) } else { points.iter().all(reached) };
    match event {
        None if over => {}
        None => {
            if !CpuWait::start(&points, any, None).block(&points) {
                return Err(Failure::EINTR);
            }
        }
        Some(event) if over => event.raise(),
        Some(event) => {
            let event = lock(&p.events).hold(event).map_err(|e| no_event(&e))?;
            CpuWait::start(&points, any, Some(Bell::Event(event)));
        }
    }
    Ok(0)
}
