//! Devices and what hangs on them: contexts, hardware queues, paging queues.

use std::sync::Arc;

use dxg_abi::{DeviceExecutionState, DevicePageFaultState, Handle};

use crate::engine::Cancel;
use crate::lock::atomic::{AtomicBool, AtomicI32, Ordering};
use crate::lock::{lock, Mutex};
use crate::memory::{Allocation, Resource};
use crate::queue::Queue;
use crate::space::FencePage;
use crate::sync::SyncObject;

/// Execution state with the fault that led to it.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) state: DeviceExecutionState,
    pub(crate) fault: DevicePageFaultState,
}

/// A device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) no_timeout: bool,
    /// False once it is being destroyed.
    pub(crate) active: AtomicBool,
    lost: AtomicBool,
    /// Ends its running work.
    pub(crate) cancel: Cancel,
    exec: Mutex<Execution>,
}

impl Device {
    pub(crate) fn new(no_timeout: bool) -> Arc<Self> {
        Arc::new(Self {
            no_timeout,
            active: AtomicBool::new(true),
            lost: AtomicBool::new(false),
            cancel: Cancel::new(),
            exec: Mutex::new(Execution { state: DeviceExecutionState::ACTIVE, fault: DevicePageFaultState::default() }),
        })
    }

    /// Whether its execution state is anything but active.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Execution state and fault.
    pub(crate) fn execution(&self) -> (DeviceExecutionState, DevicePageFaultState) {
        let e = lock(&self.exec);
        (e.state, e.fault)
    }

    /// Enters an error state; `false` if it was in one already (`force` overwrites it).
    pub(crate) fn fail(&self, state: DeviceExecutionState, fault: DevicePageFaultState, force: bool) -> bool {
        let mut e = lock(&self.exec);
        let first = e.state == DeviceExecutionState::ACTIVE;
        if first || force {
            e.state = state;
        }
        if first {
            e.fault = fault;
        }
        self.lost.store(true, Ordering::Release);
        drop(e);
        self.cancel.set();
        first
    }
}

/// A context.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) device: Arc<Device>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) id: u64,
    /// Hardware queues may be made on it.
    pub(crate) hw_queues: bool,
    pub(crate) no_timeout: bool,
    pub(crate) null_rendering: bool,
    pub(crate) in_process_priority: AtomicI32,
}

/// A hardware queue.
#[derive(Debug)]
pub(crate) struct HwQueue {
    pub(crate) context: Arc<Context>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) fence: Arc<SyncObject>,
    pub(crate) fence_handle: Handle,
}

/// A paging queue.
#[derive(Debug)]
pub(crate) struct PagingQueue {
    pub(crate) device: Arc<Device>,
    pub(crate) fence: Arc<SyncObject>,
    pub(crate) fence_handle: Handle,
    /// Value of the last operation queued.
    pub(crate) counter: Mutex<u64>,
}

/// A handle of a synchronisation object.
#[derive(Debug)]
pub(crate) struct SyncHandle {
    pub(crate) device: Arc<Device>,
    pub(crate) object: Arc<SyncObject>,
    /// The page of this handle, where it is not the object's own.
    pub(crate) view: Mutex<Option<FencePage>>,
    pub(crate) shared: bool,
    /// Opened from a descriptor rather than made.
    pub(crate) opened: bool,
}

impl SyncHandle {
    /// Address of the page this handle shows.
    pub(crate) fn address(&self) -> u64 {
        lock(&self.view).as_ref().map(FencePage::address).unwrap_or_else(|| self.object.address())
    }
}

/// What a handle of the process table can stand for.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Device(Arc<Device>),
    Context(Arc<Context>),
    HwQueue(Arc<HwQueue>),
    PagingQueue(Arc<PagingQueue>),
    Allocation(Arc<Allocation>),
    Resource(Arc<Resource>),
    /// Made by CreateSynchronizationObject2 or opened.
    Sync(Arc<SyncHandle>),
    /// Fence of a paging or hardware queue: good for waits and signals only.
    Fence(Arc<Device>, Arc<SyncObject>),
}

impl Object {
    /// The device an object belongs to.
    pub(crate) fn device(&self) -> &Arc<Device> {
        match self {
            Object::Device(d) | Object::Fence(d, _) => d,
            Object::Context(c) => &c.device,
            Object::HwQueue(q) => &q.context.device,
            Object::PagingQueue(q) => &q.device,
            Object::Allocation(a) => &a.device,
            Object::Resource(r) => &r.device,
            Object::Sync(s) => &s.device,
        }
    }

    /// The synchronisation object behind a handle.
    pub(crate) fn sync(&self) -> Option<&Arc<SyncObject>> {
        match self {
            Object::Sync(s) => Some(&s.object),
            Object::Fence(_, s) => Some(s),
            Object::Device(_)
            | Object::Context(_)
            | Object::HwQueue(_)
            | Object::PagingQueue(_)
            | Object::Allocation(_)
            | Object::Resource(_) => None,
        }
    }

    /// The queue behind a handle.
    pub(crate) fn queue(&self) -> Option<&Arc<Queue>> {
        match self {
            Object::Context(c) => Some(&c.queue),
            Object::HwQueue(q) => Some(&q.queue),
            Object::Device(_)
            | Object::PagingQueue(_)
            | Object::Allocation(_)
            | Object::Resource(_)
            | Object::Sync(_)
            | Object::Fence(..) => None,
        }
    }
}
