//! Every order in which threads can take their steps: tests for loom, which runs each with all of them (or, where there are too
//! many, with those in which threads are interrupted up to so often). A wake-up that is lost is a thread that sleeps for
//! ever, which loom reports as a deadlock.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p dxg-model --lib order`

mod fences;
mod handles;
mod processes;
mod queues;

use std::sync::Arc;
use std::time::Duration;

use dxg_abi::{Handle, SynchronizationObjectFlags};

use crate::config::Config;
use crate::device::{Context, Device, Object, SyncHandle};
use crate::engine::{ClockSample, Engine, EngineFault, EngineType, Identity, Job, NodeInfo};
use crate::lock::atomic::AtomicI32;
use crate::lock::Mutex;
use crate::process::Process;
use crate::queue::Queue;
use crate::sync::{CpuWait, SyncObject};

/// Runs `body` in every order with up to so many interruptions; `None`: any number.
fn in_every_order(interruptions: Option<usize>, body: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = interruptions;
    model.max_branches = 20_000;
    model.check(body);
}

/// A GPU that does nothing.
#[derive(Debug)]
struct Idle(Identity);

impl Idle {
    fn new() -> Arc<Self> {
        Arc::new(Self(Identity {
            name: "idle".into(),
            vendor_id: 1,
            device_id: 2,
            subvendor_id: 0,
            subsystem_id: 0,
            revision_id: 0,
            bus_type: 0,
            bus_address: (0, 0, 0),
            guid: [7; 16],
            wddm_version: 3000,
            va_bits: 47,
            nodes: vec![NodeInfo { engine_type: EngineType::GRAPHICS, name: "node".into() }],
            dedicated_memory: 0,
            shared_memory: 1 << 20,
            hw_scheduling: true,
            software: true,
            umd_private: Vec::new(),
        }))
    }
}

impl Engine for Idle {
    fn identity(&self) -> &Identity {
        &self.0
    }
    fn execute(&self, _: &Job<'_>) -> Result<(), EngineFault> {
        Ok(())
    }
    fn va_changed(&self, _: u64, _: u64) {}
    fn clock(&self) -> ClockSample {
        ClockSample::default()
    }
}

/// A process with a device.
struct Rig {
    process: Arc<Process>,
    device: Arc<Device>,
    device_handle: Handle,
}

impl Rig {
    fn new() -> Self {
        let config =
            Config { watchdog: None, spin: Some(Duration::ZERO), address_space: 16 << 20, ..Config::default() };
        let process = Process::new(config, Idle::new()).unwrap();
        let device = Device::new(true);
        let device_handle = process.insert(Object::Device(device.clone())).unwrap();
        Self { process, device, device_handle }
    }

    /// A further device of the process.
    fn device(&self) -> Arc<Device> {
        let device = Device::new(true);
        self.process.insert(Object::Device(device.clone())).unwrap();
        device
    }

    fn object(&self, device: &Arc<Device>, object: &Arc<SyncObject>) -> Object {
        let (device, object) = (device.clone(), object.clone());
        Object::Sync(Arc::new(SyncHandle { device, object, view: Mutex::new(None), shared: false, opened: false }))
    }

    /// A monitored fence that is in no table.
    fn loose_fence(&self) -> Arc<SyncObject> {
        SyncObject::monitored(&self.process.space, SynchronizationObjectFlags::default(), 0).unwrap()
    }

    fn fence_of(&self, device: &Arc<Device>) -> (Handle, Arc<SyncObject>) {
        let fence = self.loose_fence();
        (self.process.insert_fence(self.object(device, &fence)).unwrap(), fence)
    }

    /// A monitored fence of the rig's device.
    fn fence(&self) -> Arc<SyncObject> {
        self.fence_of(&self.device).1
    }

    /// A queue of the rig's device, with a progress fence that may be of another.
    fn queue(&self, progress: Option<Arc<SyncObject>>) -> Arc<Queue> {
        let node = self.process.nodes[0].clone();
        let queue = Queue::new(1, self.device.clone(), node, progress, false);
        let context = Context {
            device: self.device.clone(),
            queue: queue.clone(),
            id: 1,
            hw_queues: false,
            no_timeout: true,
            null_rendering: false,
            in_process_priority: AtomicI32::new(0),
        };
        self.process.insert(Object::Context(Arc::new(context))).unwrap();
        queue
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.process.shut_down();
        }
    }
}

/// Waits on the CPU until a fence has a value.
fn wait_for(fence: &Arc<SyncObject>, value: u64) {
    wait_for_all(&[(fence.clone(), value)]);
}

fn wait_for_all(points: &[(Arc<SyncObject>, u64)]) {
    assert!(CpuWait::start(points, false, None).block(points), "nothing interrupts here");
}
