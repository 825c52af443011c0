//! The process object: everything behind one open of the device.

use std::sync::{Arc, Weak};

use dxg_abi::{Errno, Handle, Luid, NtStatus};

use crate::config::Config;
use crate::device::{Context, Device, HwQueue, Object, PagingQueue};
use crate::engine::Engine;
use crate::events::Events;
use crate::handles::{Adapter, AdapterTable, ObjectTable};
use crate::host::Refusals;
use crate::lock::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crate::lock::{lock, read, write, Mutex, RwLock};
use crate::memory::{Allocation, Residency, Resource};
use crate::paging::Paging;
use crate::queue::{Item, Points, Queue};
use crate::sched::{NodeSched, Watchdog};
use crate::share::Shares;
use crate::space::{AddressSpace, VaError};
use crate::sync::Kind;
use crate::sync_file::SyncFiles;
use crate::usermem::{BadAddress, UserArray};

/// A negative result of a call, as it is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) i32);

impl Failure {
    pub(crate) const EINVAL: Self = Self(-Errno::EINVAL.0);
    pub(crate) const ENODEV: Self = Self(-Errno::ENODEV.0);
    pub(crate) const ENOMEM: Self = Self(-Errno::ENOMEM.0);
    pub(crate) const ENOTTY: Self = Self(-Errno::ENOTTY.0);
    pub(crate) const EFAULT: Self = Self(-Errno::EFAULT.0);
    pub(crate) const EINTR: Self = Self(-Errno::EINTR.0);
    /// How a failure of the host shows in calls whose reply has no status.
    pub(crate) const EOVERFLOW: Self = Self(-Errno::EOVERFLOW.0);
    pub(crate) const ENOTRECOVERABLE: Self = Self(-Errno::ENOTRECOVERABLE.0);
}

impl From<BadAddress> for Failure {
    fn from(_: BadAddress) -> Self {
        Self::EFAULT
    }
}

impl From<NtStatus> for Failure {
    fn from(status: NtStatus) -> Self {
        Self(status.to_result())
    }
}

impl From<VaError> for Failure {
    fn from(e: VaError) -> Self {
        e.status().into()
    }
}

/// Result of a call: 0 or a positive status, or a failure.
pub(crate) type Answer = Result<i32, Failure>;

/// Everything behind one open of the device.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) config: Config,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) luid: Luid,
    pub(crate) space: Arc<AddressSpace>,
    pub(crate) adapters: Mutex<AdapterTable>,
    pub(crate) objects: RwLock<ObjectTable<Object>>,
    pub(crate) nodes: Vec<Arc<NodeSched>>,
    pub(crate) watchdog: Arc<Watchdog>,
    pub(crate) paging: Arc<Paging>,
    pub(crate) residency: Residency,
    pub(crate) shares: Mutex<Shares>,
    pub(crate) sync_files: Mutex<SyncFiles>,
    pub(crate) events: Mutex<Events>,
    pub(crate) refusals: Refusals,
    /// Devices that ran into a time limit.
    pub(crate) timeouts: AtomicU32,
    /// The adapter was stopped.
    pub(crate) stopped: AtomicBool,
    /// Some device was lost.
    pub(crate) losses: AtomicBool,
    ids: AtomicU64,
    this: Weak<Process>,
}

impl Process {
    pub(crate) fn new(config: Config, engine: Arc<dyn Engine>) -> std::io::Result<Arc<Self>> {
        let space = AddressSpace::new(config.address_space)?;
        space.attach(&engine);
        if config.strict_residency {
            space.be_strict();
        }
        let identity = engine.identity();
        let sizes = identity.dedicated_memory.saturating_add(identity.shared_memory);
        let residency = Residency::new(config.budget.unwrap_or(sizes));
        let spin = config.spin_time();
        let nodes = identity.nodes.iter().map(|_| NodeSched::new(spin)).collect();
        let g = identity.guid;
        // Never 0, which clients take for "none".
        let luid = Luid {
            a: u32::from_le_bytes([g[0], g[1], g[2], g[3]]) | 1,
            b: u32::from_le_bytes([g[4], g[5], g[6], g[7]]),
        };
        Ok(Arc::new_cyclic(|this| Self {
            pid: std::process::id(),
            luid,
            adapters: Mutex::default(),
            objects: RwLock::default(),
            nodes,
            watchdog: Watchdog::new(config.watchdog),
            paging: Paging::new(config.pending, &space),
            residency,
            shares: Mutex::default(),
            sync_files: Mutex::default(),
            events: Mutex::default(),
            refusals: Refusals::default(),
            timeouts: AtomicU32::new(0),
            stopped: AtomicBool::new(false),
            losses: AtomicBool::new(false),
            ids: AtomicU64::new(1),
            this: this.clone(),
            config,
            engine,
            space,
        }))
    }

    /// A number never given before.
    pub(crate) fn new_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn running(&self) -> Result<(), Failure> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(Failure::ENODEV);
        }
        Ok(())
    }

    // ---- handles ------------------------------------------------------------------------

    /// What an adapter handle stands for.
    pub(crate) fn any_adapter(&self, h: Handle) -> Result<Adapter, Failure> {
        let adapter = lock(&self.adapters).get(h).ok_or(Failure::EINVAL)?;
        self.running().map(|()| adapter)
    }

    /// Checks a handle of the GPU.
    pub(crate) fn adapter(&self, h: Handle) -> Result<(), Failure> {
        match self.any_adapter(h)? {
            Adapter::Gpu => Ok(()),
            // The host has nothing to do for it.
            Adapter::Compute => Err(Failure::EINVAL),
        }
    }

    pub(crate) fn object(&self, h: Handle) -> Option<Object> {
        read(&self.objects).get(h).cloned()
    }

    /// Enters an object; fails if its device is being destroyed.
    pub(crate) fn insert(&self, object: Object) -> Result<Handle, Failure> {
        self.insert_if(object, |_| true)
    }

    /// Enters a hardware queue; fails if its context, of that handle, is gone.
    pub(crate) fn insert_hw_queue(&self, context: Handle, queue: Arc<HwQueue>) -> Result<Handle, Failure> {
        let of = queue.context.clone();
        self.insert_if(
            Object::HwQueue(queue),
            |objects| matches!(objects.get(context), Some(Object::Context(c)) if Arc::ptr_eq(c, &of)),
        )
    }

    fn insert_if(
        &self,
        object: Object,
        parent_is_there: impl FnOnce(&ObjectTable<Object>) -> bool,
    ) -> Result<Handle, Failure> {
        let mut objects = write(&self.objects);
        if !parent_is_there(&objects) {
            drop(objects);
            return Err(Failure::EINVAL);
        }
        if !object.device().active.load(Ordering::Acquire) {
            drop(objects);
            return Err(Failure::ENODEV);
        }
        let result = objects.insert(object);
        drop(objects);
        result.map_err(|_| Failure::ENOMEM)
    }

    /// Enters a device, unless its adapter goes just now: whoever closes the last handle or stops the adapter takes along the
    /// devices that are there by then.
    pub(crate) fn insert_device(&self, adapter: Handle, device: Arc<Device>) -> Result<Handle, Failure> {
        let adapters = lock(&self.adapters);
        adapters.get(adapter).ok_or(Failure::EINVAL)?;
        self.running()?;
        self.insert(Object::Device(device))
    }

    /// Takes a handle out.
    pub(crate) fn remove(&self, h: Handle) -> Option<Object> {
        write(&self.objects).remove(h)
    }

    /// Takes a handle out if its object is of the right kind.
    pub(crate) fn remove_if<T>(&self, h: Handle, pick: impl FnOnce(&Object) -> Option<T>) -> Result<T, Failure> {
        let mut objects = write(&self.objects);
        let found = objects.get(h).and_then(pick).ok_or(Failure::EINVAL)?;
        let entry = objects.remove(h);
        drop(objects);
        drop(entry);
        Ok(found)
    }

    /// Enters a fence that `device` made; on a lost device it is lost from the start, so that
    /// nobody waits for what will not come.
    pub(crate) fn insert_fence(&self, object: Object) -> Result<Handle, Failure> {
        let (device, fence) = (object.device().clone(), object.sync().cloned());
        let handle = self.insert(object)?;
        if let Some(fence) = fence.filter(|_| device.is_lost()) {
            fence.lose();
        }
        Ok(handle)
    }

    /// A device, whatever its state.
    pub(crate) fn any_device(&self, h: Handle) -> Result<Arc<Device>, Failure> {
        match read(&self.objects).get(h) {
            Some(Object::Device(d)) => Ok(d.clone()),
            _ => Err(Failure::EINVAL),
        }
    }

    /// An active device on a running adapter.
    pub(crate) fn device(&self, h: Handle) -> Result<Arc<Device>, Failure> {
        let device = self.any_device(h)?;
        self.running()?;
        if !device.active.load(Ordering::Acquire) {
            return Err(Failure::ENODEV);
        }
        Ok(device)
    }

    pub(crate) fn context(&self, h: Handle) -> Result<Arc<Context>, Failure> {
        let found = match read(&self.objects).get(h) {
            Some(Object::Context(c)) => Ok(c.clone()),
            _ => Err(Failure::EINVAL),
        };
        found.and_then(|c| self.running().map(|()| c))
    }

    pub(crate) fn hw_queue(&self, h: Handle) -> Result<Arc<HwQueue>, Failure> {
        let found = match read(&self.objects).get(h) {
            Some(Object::HwQueue(q)) => Ok(q.clone()),
            _ => Err(Failure::EINVAL),
        };
        found.and_then(|q| self.running().map(|()| q))
    }

    pub(crate) fn paging_queue(&self, h: Handle) -> Result<Arc<PagingQueue>, Failure> {
        let found = match read(&self.objects).get(h) {
            Some(Object::PagingQueue(q)) => Ok(q.clone()),
            _ => Err(Failure::EINVAL),
        };
        found.and_then(|q| self.running().map(|()| q))
    }

    pub(crate) fn allocation(&self, h: Handle) -> Result<Arc<Allocation>, Failure> {
        match read(&self.objects).get(h) {
            Some(Object::Allocation(a)) => Ok(a.clone()),
            _ => Err(Failure::EINVAL),
        }
    }

    pub(crate) fn resource(&self, h: Handle) -> Result<Arc<Resource>, Failure> {
        match read(&self.objects).get(h) {
            Some(Object::Resource(r)) => Ok(r.clone()),
            _ => Err(Failure::EINVAL),
        }
    }

    /// Allocations by handle, as the host checks them: of that device, if one is given.
    pub(crate) fn allocations(
        &self,
        handles: &[Handle],
        device: Option<&Arc<Device>>,
    ) -> Result<Vec<Arc<Allocation>>, NtStatus> {
        let objects = read(&self.objects);
        handles
            .iter()
            .map(|h| match objects.get(*h) {
                Some(Object::Allocation(a)) if device.is_none_or(|d| Arc::ptr_eq(d, &a.device)) => Ok(a.clone()),
                _ => Err(NtStatus::INVALID_PARAMETER),
            })
            .collect()
    }

    /// Synchronisation objects by handle with their values, as the host checks them. A missing
    /// value is 0.
    pub(crate) fn points(&self, handles: &[Handle], values: &[u64]) -> Result<Points, NtStatus> {
        let objects = read(&self.objects);
        let mut points = Points::with_capacity(handles.len());
        for (i, h) in handles.iter().enumerate() {
            let object = objects.get(*h).and_then(Object::sync);
            let object = object.ok_or(NtStatus::INVALID_PARAMETER)?.clone();
            points.push((object, values.get(i).copied().unwrap_or(0)));
        }
        Ok(points)
    }

    /// Queues of contexts by handle, as the host checks them.
    pub(crate) fn context_queues(
        &self,
        handles: impl IntoIterator<Item = Handle>,
    ) -> Result<UserArray<Arc<Queue>>, NtStatus> {
        let objects = read(&self.objects);
        handles
            .into_iter()
            .map(|h| match objects.get(h) {
                Some(Object::Context(c)) => Ok(c.queue.clone()),
                _ => Err(NtStatus::INVALID_PARAMETER),
            })
            .collect()
    }

    /// Hardware queues by handle, as the host checks them.
    pub(crate) fn hw_queues(&self, handles: &[Handle]) -> Result<UserArray<Arc<Queue>>, NtStatus> {
        let objects = read(&self.objects);
        handles
            .iter()
            .map(|h| match objects.get(*h) {
                Some(Object::HwQueue(q)) => Ok(q.queue.clone()),
                _ => Err(NtStatus::INVALID_PARAMETER),
            })
            .collect()
    }

    /// Bytes of all allocations.
    pub(crate) fn committed(&self) -> u64 {
        self.collect(|o| match o {
            Object::Allocation(a) => Some(a.memory.size),
            _ => None,
        })
        .iter()
        .sum()
    }

    /// What `choose` makes of the objects in the table, without holding its lock afterwards.
    pub(crate) fn pick<T>(&self, mut choose: impl FnMut(Handle, &Object) -> Option<T>) -> Vec<T> {
        read(&self.objects).iter().filter_map(|(h, o)| choose(h, o)).collect()
    }

    /// As [`Process::pick`], of the objects alone.
    pub(crate) fn collect<T>(&self, mut choose: impl FnMut(&Object) -> Option<T>) -> Vec<T> {
        self.pick(|_, o| choose(o))
    }

    // ---- queues -------------------------------------------------------------------------

    /// Appends items to a queue and makes sure that somebody serves it.
    pub(crate) fn enqueue(&self, queue: &Arc<Queue>, items: impl IntoIterator<Item = Item>) -> Result<(), NtStatus> {
        if !queue.node.is_started() {
            if let Some(this) = self.this.upgrade() {
                let dog = self.watchdog.start(&self.nodes);
                let node = dog.and_then(|()| queue.node.start(&this));
                node.map_err(|_| NtStatus::NO_MEMORY)?;
            }
        }
        queue.push(items);
        Ok(())
    }

    /// Puts a request that the host may refuse into the form the caller sees: in fire-and-forget
    /// mode the refusal never arrives.
    pub(crate) fn fire(&self, result: Result<(), NtStatus>) -> Answer {
        match result {
            Ok(()) => Ok(0),
            Err(_) if self.config.asynchronous => Ok(0),
            Err(status) => Err(status.into()),
        }
    }

    // ---- end of life --------------------------------------------------------------------

    /// Gives an allocation's memory and addresses back: at once, or when the queues that have
    /// work now are past it.
    pub(crate) fn free_allocation(&self, allocation: Arc<Allocation>, at_once: bool) {
        self.residency.forget(&allocation);
        let deferred = Arc::new(DeferredFree { space: Arc::downgrade(&self.space), allocation });
        if at_once {
            return;
        }
        for queue in self.collect(|o| o.queue().cloned()) {
            // A queue without work hands the item back, which drops it.
            drop(queue.push_behind(Item::Release(deferred.clone())));
        }
    }

    /// Destroys a device and what was made on it.
    pub(crate) fn destroy_device(&self, device: &Arc<Device>) {
        device.active.store(false, Ordering::Release);
        // Work in flight is flushed; what runs is told to end.
        device.cancel.set();
        let mut objects = write(&self.objects);
        let doomed = objects.find(|o| {
            // Older synchronisation objects are children of the adapter.
            let survives = matches!(o, Object::Sync(s) if !matches!(s.object.kind, Kind::Monitored));
            !survives && Arc::ptr_eq(o.device(), device)
        });
        let doomed: Vec<Object> = doomed.into_iter().filter_map(|h| objects.remove(h)).collect();
        drop(objects);
        for queue in doomed.iter().filter_map(Object::queue) {
            queue.kill();
        }
        // Fence pages first, then fences, free-standing allocations, resources, contexts with
        // their queues, paging queues, and the device itself.
        let order = |o: &Object| match o {
            Object::Sync(_) => 0,
            Object::Fence(..) => 1,
            Object::Allocation(a) if a.resource.is_none() => 2,
            Object::Allocation(_) | Object::Resource(_) => 3,
            Object::Context(_) | Object::HwQueue(_) => 4,
            Object::PagingQueue(_) => 5,
            Object::Device(_) => 6,
        };
        let mut doomed = doomed;
        doomed.sort_by_key(order);
        for object in doomed {
            match object {
                Object::Sync(s) => self.close_sync(&s),
                Object::Fence(_, f) => f.close(),
                Object::Allocation(a) => self.free_allocation(a, true),
                Object::Resource(r) => lock(&r.state).dead = true,
                Object::Context(_) | Object::HwQueue(_) | Object::PagingQueue(_) | Object::Device(_) => {}
            }
        }
    }

    /// A handle of a synchronisation object goes: with it the object, unless it is shared.
    pub(crate) fn close_sync(&self, handle: &crate::device::SyncHandle) {
        let view = lock(&handle.view).take();
        drop(view);
        if !handle.shared {
            handle.object.close();
        }
    }

    /// Destroys all devices (the last adapter handle was closed).
    pub(crate) fn destroy_devices(&self) {
        let devices = self.collect(|o| match o {
            Object::Device(d) => Some(d.clone()),
            _ => None,
        });
        for device in devices {
            self.destroy_device(&device);
        }
    }

    /// Ends everything; for the drop of the model.
    pub(crate) fn shut_down(&self) {
        self.destroy_devices();
        for node in &self.nodes {
            node.shut_down();
        }
        self.paging.shut_down();
        self.watchdog.shut_down();
        let rest: Vec<Object> = {
            let mut objects = write(&self.objects);
            let all = objects.find(|_| true);
            all.into_iter().filter_map(|h| objects.remove(h)).collect()
        };
        for object in &rest {
            if let Object::Sync(s) = object {
                self.close_sync(s);
            }
        }
        let shares = core::mem::take(&mut *lock(&self.shares));
        drop(shares);
        // Whoever polls them finds that they are over.
        let files = core::mem::take(&mut *lock(&self.sync_files));
        drop(files);
    }
}

/// An allocation whose handle is gone; its addresses and memory go when the last queue that may
/// use it lets go.
#[derive(Debug)]
pub(crate) struct DeferredFree {
    space: Weak<AddressSpace>,
    allocation: Arc<Allocation>,
}

impl Drop for DeferredFree {
    fn drop(&mut self) {
        if let Some(space) = self.space.upgrade() {
            space.release_owner(self.allocation.id);
        }
    }
}
