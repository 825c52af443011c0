//! The seam between the model and a GPU: what a GPU has to do to sit behind `/dev/dxg`.
//!
//! The model owns everything the operating system owns on a real machine (handles, memory,
//! addresses, queues, fences); an [`Engine`] owns what the silicon owns: it reads command
//! buffers from GPU memory and executes them.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::space::AddressSpace;

/// Kind of a node (engine) of an adapter.
pub use dxg_abi::payload::EngineType;

/// One node of an adapter.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// What the node can do.
    pub engine_type: EngineType,
    /// Friendly name; at most 31 UTF-16 units are shown.
    pub name: String,
}

/// What an adapter says about itself.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Adapter name, as shown to users.
    pub name: String,
    /// PCI vendor id.
    pub vendor_id: u32,
    /// PCI device id.
    pub device_id: u32,
    /// PCI subsystem vendor id.
    pub subvendor_id: u32,
    /// PCI subsystem id.
    pub subsystem_id: u32,
    /// Revision.
    pub revision_id: u32,
    /// Bus type as the host reports it: 0 none, 1 PCI, 3 PCI Express.
    pub bus_type: u32,
    /// PCI bus, device and function.
    pub bus_address: (u32, u32, u32),
    /// Unique id, stable over runs.
    pub guid: [u8; 16],
    /// Driver model version: 2000, 2700, 3000, …
    pub wddm_version: u32,
    /// Width of a GPU virtual address, bits.
    pub va_bits: u32,
    /// The nodes; at least one.
    pub nodes: Vec<NodeInfo>,
    /// Memory of the adapter's own, bytes; 0 for one that shares system memory.
    pub dedicated_memory: u64,
    /// System memory the adapter may use, bytes.
    pub shared_memory: u64,
    /// Whether hardware queues exist. The model's configuration can turn them off.
    pub hw_scheduling: bool,
    /// Whether it is a GPU in software, as opposed to one of silicon in the processor.
    pub software: bool,
    /// Answer to the driver-private adapter query (type 0), unless [`Engine::umd_private`] says another.
    pub umd_private: Vec<u8>,
}

/// A reading of the GPU clock and the CPU clock at the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockSample {
    /// Frequency of the GPU counter, hertz.
    pub frequency: u64,
    /// GPU counter.
    pub gpu_counter: u64,
    /// CPU counter (the host's performance counter).
    pub cpu_counter: u64,
}

/// Says that the work in hand has to end: its device is being torn down, was lost, or ran into the
/// watchdog. An engine must look at it often and return soon after it is set.
#[derive(Debug, Default)]
pub struct Cancel(AtomicU32);

impl Cancel {
    /// A flag that is not set.
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }
    /// Whether the work has to end.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }
    /// Asks the work to end; there is no way back.
    pub fn set(&self) {
        self.0.store(1, Ordering::Release);
    }
    /// The word itself, for generated code that polls it: 0 until set.
    pub fn word(&self) -> &AtomicU32 {
        &self.0
    }
}

/// One command buffer to execute.
#[derive(Debug)]
pub struct Job<'a> {
    /// GPU virtual address of the commands. The model has checked that all of it is mapped,
    /// readable and resident.
    pub command_buffer: u64,
    /// Length of the commands, bytes.
    pub command_length: u32,
    /// Private data that came with the submission.
    pub private_data: &'a [u8],
    /// The address space the commands run in.
    pub space: &'a AddressSpace,
    /// Set when the work has to end.
    pub cancel: &'a Cancel,
    /// Identifies the context; never reused.
    pub context: u64,
}

/// Why a command buffer did not run to its end. Each puts the device into an error state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineFault {
    /// An access to memory that is not mapped, or not for this kind of access
    /// (`ERROR_DMAPAGEFAULT`).
    PageFault {
        /// GPU virtual address of the access.
        address: u64,
        /// Whether it was a write.
        write: bool,
    },
    /// Commands that are not commands (`ERROR_DMAFAULT`).
    BadPacket {
        /// GPU virtual address of the packet.
        address: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The engine gave up on work that does not end (`HUNG`), or was told to by
    /// [`Job::cancel`].
    Hang,
    /// Anything else that is the engine's own doing (`RESET`).
    Internal(String),
}

/// What an allocation made from vendor data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocationDesc {
    /// Size in bytes; the model rounds it up to whole pages.
    pub size: u64,
}

/// A GPU behind the model.
pub trait Engine: Send + Sync + core::fmt::Debug {
    /// Who the adapter is. Must not change.
    fn identity(&self) -> &Identity;

    /// Answer to the driver-private adapter query, given the address space: hosts tell drivers how to divide it.
    fn umd_private(&self, space: &AddressSpace) -> Vec<u8> {
        let _ = space;
        self.identity().umd_private.clone()
    }

    /// Executes one command buffer to completion, on the scheduler thread of the node (it may use
    /// threads of its own). Calls for different nodes come at the same time; calls for one node
    /// come one after the other.
    ///
    /// # Errors
    /// Any [`EngineFault`] loses the device the work belongs to.
    fn execute(&self, job: &Job<'_>) -> Result<(), EngineFault>;

    /// The range was unmapped, mapped anew or freed: whatever is cached about it is stale.
    fn va_changed(&self, start: u64, size: u64);

    /// Reads the clocks.
    fn clock(&self) -> ClockSample;

    /// Interprets the vendor data of an allocation, which may be changed in place (the client
    /// gets it back). `None` refuses the allocation. The default takes the first eight bytes as
    /// the size in bytes, little-endian.
    fn describe_allocation(&self, private_data: &mut [u8]) -> Option<AllocationDesc> {
        let word: [u8; 8] = private_data.get(..8)?.try_into().ok()?;
        let size = u64::from_le_bytes(word);
        (size > 0).then_some(AllocationDesc { size })
    }

    /// The vendor's private channel; the data is answered in place. `false` refuses it, which is
    /// the default.
    fn escape(&self, data: &mut [u8]) -> bool {
        let _ = data;
        false
    }
}
