//! Nodes: the kernel's, and wrappers around any.

mod failing;
mod kernel;
mod logged;

pub use failing::{say, Failing, Nth};
pub use kernel::KernelNode;
pub use logged::Logged;
