//! Safe objects over a `/dev/dxg` node.
//!
//! A [`Winsys`] wraps a [`Node`](dxg_abi::Node) (the kernel's, a model of it, a recording) and
//! gives out [`Adapter`]s; from there it goes to [`Device`], [`Memory`], [`Queue`] and
//! [`Fence`]. Objects release what they hold when dropped and keep alive what they were made on.
//!
//! # Rules every call here follows
//!
//! * Structures start as zeros, and outputs are checked as well as results: some calls report a
//!   refusal only by leaving an output at zero ([`Cause::NoOutput`]).
//! * ENOTTY means that this kernel lacks the call ([`ErrorKind::NotSupported`]).
//! * Objects die in a forked child: calls on them fail with [`Cause::Forked`] without
//!   reaching the node. The child makes a new [`Winsys`].
//! * Paging work (mapping, residency) is waited for lazily, on the GPU, by the next
//!   submission; [`PagingWait::Cpu`] moves that to the CPU.
//! * A fence at all-ones means a lost device. Every wait looks for it and for the device's
//!   execution state, so no wait outlives its device.
//! * Nothing is ever stored to a fence's page.
//!
//! # Locks
//!
//! Where more than one is held the order is device → queue → memory. Locks are never held
//! while waiting for the GPU.

mod adapter;
mod allocation;
mod calm;
mod channel;
mod config;
mod context;
mod device;
mod error;
mod events;
mod fence;
mod fork;
mod gate;
mod hw_queue;
mod memory;
pub mod node;
mod notification;
mod paging;
mod probe;
mod queries;
mod queue;
mod sharing;
mod statistics;
mod sys;
pub mod trace;
mod trim;
mod va;
mod wait;

pub use adapter::{Adapter, VideoMemory};
pub use allocation::{Allocation, HostPointer};
pub use calm::{calm, uncancelled};
pub use channel::Winsys;
pub use config::{PagingWait, QueuePreference, WinsysConfig};
pub use context::{Context, ContextDesc};
pub use device::{Device, DeviceDesc, FaultInfo};
pub use error::{Cause, Error, ErrorKind, Result};
pub use fence::{Fence, FenceDesc, FencePoint};
pub use hw_queue::HwQueue;
pub use memory::{Backing, Memory, MemoryDesc};
pub use node::{say, Failing, KernelNode, Logged, Nth};
pub use notification::CpuNotification;
pub use paging::PagingQueue;
pub use probe::{Table, Vendor, VENDORS};
pub use queries::driver_store_folder;
pub use queue::{Commands, Queue, Submission};
pub use statistics::{AdapterStatistics, GroupStatistics, SegmentStatistics};
pub use trace::Traced;
pub use trim::Uses;
pub use va::{VaPlacement, VaRange, VaUpdate};
pub use wait::{WaitMode, WaitOutcome};

/// The ABI, for those who need its types.
pub use dxg_abi;
