//! An in-process `/dev/dxg`: the paravirtual GPU device for machines that do not have one.
//!
//! [`Model`] answers the same ioctls as the kernel driver, structure for structure and errno for
//! errno, with an [`Engine`] where the host's GPU would be. It trusts nothing it is given: argument
//! structures are copied, addresses are only followed by way of the kernel, handles are looked
//! up by kind.
//!
//! What is modelled, and how far, is listed in `docs/dxg-model.md`.
//!
//! `unsafe` lives in four places: `usermem` (memory named by a caller), `mapping` (pages of this process), `words` (words in
//! such pages) and `sys` (descriptors by number, signal masks).

mod board;
mod census;
mod config;
mod content;
mod device;
mod doorbell;
mod engine;
mod events;
mod futex;
mod handles;
mod host;
mod ioctl;
mod lock;
mod loss;
mod mapping;
mod memory;
mod model;
#[cfg(all(test, loom))]
mod orders;
mod paging;
mod process;
mod queue;
mod sched;
mod segments;
mod share;
mod shared_file;
mod space;
mod sync;
mod sync_file;
mod sys;
mod usermem;
mod words;

pub use census::Census;
pub use config::{Config, Pending};
pub use engine::{AllocationDesc, Cancel, ClockSample, Engine, EngineFault, EngineType, Identity, Job, NodeInfo};
pub use model::{Fault, Model};
pub use space::{AddressSpace, VaRange};
pub use sys::spawn_with;
