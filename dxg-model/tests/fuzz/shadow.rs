//! What the model has to hold.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use dxg_abi::*;
use dxg_model::{Census, Config, Pending};

use crate::common::*;
use crate::Random;

#[derive(Clone, Debug)]
pub struct Device {
    pub handle: Handle,
    pub lost: bool,
    /// A command buffer that stays where it is.
    pub commands: u64,
}

#[derive(Clone, Debug)]
pub struct Context {
    pub handle: Handle,
    pub device: Handle,
    pub hw: bool,
    /// Fences and values that its queue waits for.
    pub waits: Vec<(Handle, u64)>,
}

#[derive(Clone, Debug)]
pub struct HwQueue {
    pub handle: Handle,
    pub context: Handle,
    pub fence: Handle,
    pub page: u64,
    pub progress: u64,
    pub waits: Vec<(Handle, u64)>,
}

#[derive(Clone, Debug)]
pub struct PagingQueue {
    pub handle: Handle,
    pub device: Handle,
    pub fence: Handle,
    pub page: u64,
}

#[derive(Clone, Debug)]
pub struct Allocation {
    pub handle: Handle,
    pub device: Handle,
    pub resource: Handle,
    pub size: u64,
    pub user: bool,
    pub locks: usize,
    pub references: u64,
    /// Addresses that mapping chose.
    pub maps: Vec<(u64, u64)>,
}

#[derive(Clone, Debug)]
pub struct Resource {
    pub handle: Handle,
    pub device: Handle,
    pub shared: bool,
    pub sealed: bool,
    pub user: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signalled by the CPU alone, upwards.
    Monitored,
    /// Signalled by queues.
    Gpu,
    Legacy,
    Semaphore,
}

#[derive(Clone, Debug)]
pub struct Sync {
    pub handle: Handle,
    pub device: Handle,
    pub kind: Kind,
    pub shared: bool,
    pub opened: bool,
    /// Which object, of those with several handles.
    pub object: u64,
}

/// What a descriptor stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    Fence { object: u64, kind: Kind },
    Resource { user: bool, count: u32 },
    SyncFile { object: u64, shared: bool },
}

pub struct Shadow {
    pub rig: Rig,
    pub config: Config,
    pub random: Random,
    pub adapters: Vec<Handle>,
    /// Adapter handles that nobody was told of.
    pub unknown: usize,
    pub devices: Vec<Device>,
    pub contexts: Vec<Context>,
    pub hw_queues: Vec<HwQueue>,
    pub paging: Vec<PagingQueue>,
    pub allocations: Vec<Allocation>,
    pub resources: Vec<Resource>,
    pub syncs: Vec<Sync>,
    pub fds: Vec<(OwnedFd, Stands)>,
    pub reservations: Vec<(u64, u64)>,
    /// Values of objects that the CPU signals, by object.
    pub values: std::collections::HashMap<u64, u64>,
    /// Objects lost with the device that made them.
    pub lost: std::collections::HashSet<u64>,
    pub objects: u64,
    pub events: Vec<Event>,
    pub pages: Vec<Pages>,
    /// Handles that are gone, most recent last.
    pub gone: VecDeque<Handle>,
    /// Whether every paging operation is waited for.
    pub patient: bool,
    /// Last value that a queue was told to signal.
    pub point: u64,
}

impl Shadow {
    pub fn new(config: Config, random: Random) -> Self {
        let rig = Rig::with(config.clone());
        let mut s = Self {
            adapters: vec![rig.adapter],
            unknown: 0,
            devices: Vec::new(),
            contexts: Vec::new(),
            hw_queues: Vec::new(),
            paging: Vec::new(),
            allocations: Vec::new(),
            resources: Vec::new(),
            syncs: Vec::new(),
            fds: Vec::new(),
            reservations: Vec::new(),
            values: Default::default(),
            lost: Default::default(),
            objects: 0,
            events: (0..3).map(|_| Event::new()).collect(),
            pages: (0..3).map(|_| Pages::shared(64 << 10)).collect(),
            gone: VecDeque::new(),
            patient: false,
            point: 0,
            config,
            random,
            rig,
        };
        s.paging.push(PagingQueue {
            handle: s.rig.paging.paging_queue,
            device: s.rig.device,
            fence: s.rig.paging.sync_object,
            page: s.rig.paging.fence_cpu_virtual_address,
        });
        let device = s.rig.device;
        s.enter_device(device);
        s
    }

    pub fn pending(&self) -> bool {
        self.config.pending != Pending::Never
    }

    /// A device with its command buffer.
    pub fn enter_device(&mut self, handle: Handle) {
        self.devices.push(Device { handle, lost: false, commands: 0 });
        let paging = match self.paging.iter().find(|p| p.device == handle) {
            Some(p) => p.clone(),
            None => self.new_paging_queue(handle),
        };
        // Its commands must be there when they are run.
        self.patient = true;
        let allocation = self.new_allocation(handle, 4096);
        let (va, _) = self.map(&paging, allocation, 4096);
        self.make_resident(&paging, &[allocation]);
        self.patient = false;
        self.rig.write(va, &[[STORE, va + 2048, 1]]);
        if let Some(d) = self.devices.iter_mut().find(|d| d.handle == handle) {
            d.commands = va;
        }
        // Not one of those that come and go.
        if let Some(a) = self.allocations.iter_mut().find(|a| a.handle == allocation) {
            a.locks = usize::MAX;
        }
    }

    /// Forgets a handle.
    pub fn bury(&mut self, handle: Handle) {
        self.gone.push_back(handle);
        if self.gone.len() > 40 {
            self.gone.pop_front();
        }
    }

    pub fn device(&self, handle: Handle) -> &Device {
        self.devices.iter().find(|d| d.handle == handle).expect("a device of the shadow's")
    }

    /// Everything of a device goes.
    pub fn bury_device(&mut self, device: Handle) {
        let mut dead = vec![device];
        dead.extend(self.contexts.iter().filter(|c| c.device == device).map(|c| c.handle));
        let contexts: Vec<Handle> = self.contexts.iter().filter(|c| c.device == device).map(|c| c.handle).collect();
        dead.extend(self.hw_queues.iter().filter(|q| contexts.contains(&q.context)).flat_map(|q| [q.handle, q.fence]));
        dead.extend(self.paging.iter().filter(|p| p.device == device).flat_map(|p| [p.handle, p.fence]));
        dead.extend(self.allocations.iter().filter(|a| a.device == device).map(|a| a.handle));
        dead.extend(self.resources.iter().filter(|r| r.device == device).map(|r| r.handle));
        let child = |s: &Sync| s.device == device && matches!(s.kind, Kind::Monitored | Kind::Gpu);
        dead.extend(self.syncs.iter().filter(|s| child(s)).map(|s| s.handle));
        self.devices.retain(|d| d.handle != device);
        self.hw_queues.retain(|q| !contexts.contains(&q.context));
        self.contexts.retain(|c| c.device != device);
        self.paging.retain(|p| p.device != device);
        self.allocations.retain(|a| a.device != device);
        self.resources.retain(|r| r.device != device);
        self.syncs.retain(|s| !child(s));
        dead.into_iter().for_each(|h| self.bury(h));
    }

    /// Every device fails.
    pub fn lose_devices(&mut self) {
        for d in &mut self.devices {
            d.lost = true;
        }
        let makers: Vec<Handle> = self.devices.iter().map(|d| d.handle).collect();
        let fences = self.syncs.iter().filter(|s| matches!(s.kind, Kind::Monitored | Kind::Gpu));
        let objects = fences.filter(|s| !s.opened && makers.contains(&s.device)).map(|s| s.object);
        self.lost.extend(objects);
    }

    /// Whether a wait is over: the value is there, the object lost or gone.
    pub fn is_reached(&self, handle: Handle, value: u64) -> bool {
        let Some(s) = self.syncs.iter().find(|s| s.handle == handle) else { return false };
        self.lost.contains(&s.object) || self.values.get(&s.object).is_some_and(|v| *v >= value)
    }

    /// What the census has to be.
    fn want(&self, now: &Census) -> Census {
        let free = |a: &&Allocation| a.locks != usize::MAX;
        Census {
            adapters: self.adapters.len() + self.unknown,
            devices: self.devices.len(),
            contexts: self.contexts.len(),
            hw_queues: self.hw_queues.len(),
            paging_queues: self.paging.len(),
            allocations: self.allocations.len(),
            resources: self.resources.len(),
            sync_objects: self.syncs.len(),
            queue_fences: self.paging.len() + self.hw_queues.len(),
            shares: self.fds.iter().filter(|(_, s)| matches!(s, Stands::Resource { user: true, .. })).count(),
            sync_files: self.fds.iter().filter(|(_, s)| matches!(s, Stands::SyncFile { .. })).count(),
            resident: self.allocations.iter().filter(|a| a.references > 0).map(|a| a.size).sum(),
            locks: self.allocations.iter().filter(free).map(|a| a.locks).sum(),
            // What queues still hold is not known.
            ..*now
        }
    }

    /// Compares.
    pub fn verify(&self, who: &str) {
        let start = Instant::now();
        loop {
            let now = self.rig.node.census();
            let want = self.want(&now);
            if now == want {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(5), "{who}\n{now:?}\nand not\n{want:?}");
        }
        self.rig.node.check().unwrap_or_else(|e| panic!("{who}: {e}"));
        let now = self.rig.node.census();
        assert!(now.events <= self.events.len(), "{who}: {now:?}");
        let fences = self.syncs.iter().filter(|s| matches!(s.kind, Kind::Monitored | Kind::Gpu)).count();
        assert!(now.fence_pages >= now.queue_fences + fences, "{who}: {now:?}");
        let homes = self.allocations.iter().filter(|a| !a.user && a.resource.is_null()).count();
        assert!(now.homes >= homes, "{who}: {now:?}");
    }

    /// Closes what is open, in any order.
    pub fn close_everything(&mut self) {
        self.fds.clear();
        let node = self.rig.node.clone();
        let syncs: Vec<Handle> = self.syncs.iter().map(|s| s.handle).collect();
        for sync_object in syncs {
            ok(&node, DestroySynchronizationObject { sync_object });
        }
        for unique in [1, 2] {
            for slot in 0..1024 {
                let _ = call(&node, &mut CloseAdapter { adapter_handle: Handle::new(unique, slot) });
            }
        }
    }
}
