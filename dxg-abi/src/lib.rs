//! What both sides of `/dev/dxg` agree on, and nothing else: the structures,
//! the ioctl table, status codes and the [`Node`] trait.
//!
//! The structures are plain data. Their fields keep the names of the header;
//! a field named `pad…` is filler that the header leaves to the compiler.
//! Addresses are `u64`, handles are [`Handle`], words of bit-fields and
//! words with named values are newtypes, because any value can arrive from
//! the other side. `Default` is all zeros, which is how a call should start.

#![forbid(unsafe_code)]

mod adapter;
mod allocation;
mod context;
mod device;
mod handle;
mod ioctl;
pub mod layout;
mod limits;
mod macros;
mod misc;
mod node;
pub mod payload;
mod residency;
mod sharing;
mod status;
mod submission;
mod surface;
mod sync;
mod sync_file;
mod va;

pub use adapter::*;
pub use allocation::*;
pub use context::*;
pub use device::*;
pub use handle::{BitField, Handle};
pub use ioctl::{iowr, Arg, Ioctl, IOCTL_MAGIC, IOCTL_NR_MAX, UNIMPLEMENTED};
pub use limits::*;
pub use misc::*;
pub use node::Node;
pub use residency::*;
pub use sharing::*;
pub use status::{Errno, NtStatus, Ret};
pub use submission::*;
pub use surface::*;
pub use sync::*;
pub use sync_file::*;
pub use va::*;

/// The traits behind the conversion between structures and bytes.
pub use zerocopy;
