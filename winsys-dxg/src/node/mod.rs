//! Nodes: the kernel's, and wrappers around any.

mod failing;
mod kernel;
mod logged;

pub use failing::{gives_back, Failing};
pub use kernel::KernelNode;
pub use logged::Logged;
