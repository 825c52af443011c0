//! The node.

use std::sync::Arc;

use dxg_abi::{DeviceExecutionState, DevicePageFaultState, Ioctl, Node, NtStatus};

use crate::census::Census;
use crate::config::Config;
use crate::engine::{Engine, EngineFault};
use crate::ioctl;
use crate::process::Process;
use crate::space::AddressSpace;

/// A failure to inject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every device reports this fault.
    Engine(EngineFault),
    /// Every device runs out of memory (`ERROR_OUTOFMEMORY`).
    OutOfMemory,
    /// The host refuses the next request of this kind that gets as far as the host. Requests that only close something
    /// cannot be refused.
    Refusal {
        /// The kind of request.
        ioctl: Ioctl,
        /// Why; a failure.
        status: NtStatus,
    },
    /// The adapter is removed: devices are `STOPPED`, all further calls on it give ENODEV, and
    /// with quirks on the pages of fences and of locked allocations disappear from the process.
    AdapterStop,
}

/// An open `/dev/dxg` with one adapter, in this process. Dropping it closes it: everything made
/// through it goes, and its threads end.
#[derive(Debug)]
pub struct Model {
    process: Arc<Process>,
}

impl Model {
    /// Opens a model.
    ///
    /// # Errors
    /// When the system does not give the address space for the GPU.
    pub fn new(config: Config, engine: Arc<dyn Engine>) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self { process: Process::new(config, engine)? }))
    }

    /// Lets something go wrong.
    pub fn inject(&self, fault: &Fault) {
        match fault {
            Fault::Engine(fault) => {
                for device in self.process.devices() {
                    self.process.fault(&device, fault);
                }
            }
            Fault::OutOfMemory => {
                for device in self.process.devices() {
                    let state = DeviceExecutionState::ERROR_OUTOFMEMORY;
                    self.process.lose(&device, state, DevicePageFaultState::default(), false);
                }
            }
            Fault::Refusal { ioctl, status } => self.process.refusals.add(*ioctl, *status),
            Fault::AdapterStop => self.process.stop_adapter(),
        }
    }

    /// Counts what the model holds.
    pub fn census(&self) -> Census {
        self.process.census()
    }

    /// Whether no object outlives its parent: every object belongs to a device that is there, a hardware queue to its context,
    /// a grouped allocation to its resource.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        self.process.check()
    }

    /// The GPU's address space.
    pub fn address_space(&self) -> &Arc<AddressSpace> {
        &self.process.space
    }
}

impl Node for Model {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        ioctl::dispatch(&self.process, request, arg)
    }

    fn describe(&self) -> String {
        format!("model ({})", self.process.engine.identity().name)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if std::process::id() == self.process.pid {
            self.process.shut_down();
        } else {
            // A forked child: the threads are not here and locks may be held by nobody. What was
            // inherited stays until the child execs or exits.
            core::mem::forget(self.process.clone());
        }
    }
}
