//! Nodes: the kernel's, and wrappers around any.

mod kernel;
mod logged;

pub use kernel::KernelNode;
pub use logged::Logged;
