//! The adapter of an Intel GPU for the model: who it is and what its driver is told. It executes nothing.

mod private;
mod tokens;

use dxg_model::{AddressSpace, AllocationDesc, ClockSample, Engine, EngineFault, EngineType, Identity, Job, NodeInfo};
use private::{Partition, Platform};
use std::time::Instant;

pub use private::ADAPTER_INFO_BYTES;

/// PCI vendor id of Intel.
pub const VENDOR_ID: u32 = 0x8086;
/// PCI device id: Iris Xe graphics of an 11th-generation Core processor with 96 execution units.
pub const DEVICE_ID: u32 = 0x9a49;

/// Numbers of the product and of its render core, as the host's driver counts.
const TIGER_LAKE: (u32, u32) = (33, 18);
/// Ticks of the GPU's clock a second.
const CLOCK: u64 = 19_200_000;

/// An Intel adapter.
#[derive(Debug)]
pub struct IntelEngine {
    identity: Identity,
    start: Instant,
}

impl IntelEngine {
    /// An adapter that may use `shared` bytes of the system's memory; it has none of its own.
    pub fn new(shared: u64) -> Self {
        let node = |engine_type, name: &str| NodeInfo { engine_type, name: name.to_owned() };
        Self {
            identity: Identity {
                name: "Intel(R) Iris(R) Xe Graphics".to_owned(),
                vendor_id: VENDOR_ID,
                device_id: DEVICE_ID,
                subvendor_id: VENDOR_ID,
                subsystem_id: 0x2212,
                revision_id: 1,
                bus_type: 1,
                bus_address: (0, 2, 0),
                guid: *b"vulkan-dxg-xelp1",
                wddm_version: 3000,
                va_bits: 48,
                nodes: vec![node(EngineType::GRAPHICS, "3D"), node(EngineType::COPY, "Copy")],
                dedicated_memory: 0,
                shared_memory: shared,
                hw_scheduling: false,
                software: false,
                umd_private: Vec::new(),
            },
            start: Instant::now(),
        }
    }
}

impl Engine for IntelEngine {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn umd_private(&self, space: &AddressSpace) -> Vec<u8> {
        let id = &self.identity;
        let platform = Platform {
            product: TIGER_LAKE.0,
            core: TIGER_LAKE.1,
            device: id.device_id,
            revision: id.revision_id,
            bus_address: id.bus_address,
            dedicated: id.dedicated_memory,
            shared: id.shared_memory,
        };
        // An address space too small for the heaps has no driver to tell them to.
        Partition::new(space.base(), space.size()).map_or_else(Vec::new, |p| private::adapter_info(&platform, &p))
    }

    fn execute(&self, job: &Job<'_>) -> Result<(), EngineFault> {
        Err(EngineFault::BadPacket { address: job.command_buffer, reason: "this adapter executes no commands" })
    }

    fn va_changed(&self, _start: u64, _size: u64) {}

    fn clock(&self) -> ClockSample {
        let ns = self.start.elapsed().as_nanos();
        let gpu_counter = (ns * u128::from(CLOCK) / 1_000_000_000) as u64;
        ClockSample { frequency: CLOCK, gpu_counter, cpu_counter: ns as u64 }
    }

    fn describe_allocation(&self, private_data: &mut [u8]) -> Option<AllocationDesc> {
        private::allocation_size(private_data).map(|size| AllocationDesc { size })
    }
}
