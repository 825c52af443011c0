//! The interpreter: the exact meaning of `sir`.
//!
//! All invocations of a workgroup run in lock-step: an operation is carried out for every active invocation, in the
//! order of their local index, before the next one begins. Control flow splits and rejoins the set of active
//! invocations along the region tree, so that invocations reconverge as early as the tree allows (maximal
//! reconvergence), subgroup operations see exactly the invocations that are there, and barriers need no work.
//!
//! What the language leaves open is settled thus: private and workgroup memory start as zeros; reads out of range of a
//! buffer, of workgroup memory, of a slot or of the push constants give 0 and writes there are dropped; 32-bit offsets
//! (workgroup memory, slots, push constants) wrap, 64-bit ones too; an inactive or absent source of a shuffle gives 0;
//! reductions go in the order of invocations; `unreachable` ends the invocation.

pub mod alu;
mod atomic;
mod exec;
mod float;
mod image;
mod machine;
mod mask;
mod memory;
mod program;
mod soft;
mod subgroup;
mod testing;

pub use atomic::apply as apply_atomic;
pub use exec::Executor;
pub use float::{from_f64, to_f64};
pub use machine::{BufferView, Descriptor, Fault, ImageAccess, Machine, SampleRequest, Texel, TexelCoords};
pub use program::Program;
pub use soft::Round;
pub use testing::TestMachine;

use crate::sir::Kernel;
use std::sync::atomic::AtomicU32;
use std::sync::Arc;

/// Where a workgroup stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// Workgroup id, base included.
    pub workgroup_id: [u32; 3],
    /// Size of the dispatch in workgroups.
    pub num_workgroups: [u32; 3],
    /// Invocations per subgroup, 1 to 64, a power of two. Invocation i belongs to subgroup i / size.
    pub subgroup_size: u32,
}

/// What stops an execution.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Instructions per workgroup (each counted once for all invocations).
    pub max_steps: u64,
    /// Looked at now and then; anything but 0 ends the execution.
    pub cancel: Option<&'a AtomicU32>,
}

impl Default for Limits<'_> {
    fn default() -> Self {
        Limits { max_steps: 100_000_000, cancel: None }
    }
}

/// Runs one workgroup. Prepares the kernel each time: for whole dispatches keep an [`Executor`].
///
/// # Errors
/// A [`Fault`]; also if the kernel does not verify.
pub fn run_workgroup(
    kernel: &Kernel,
    info: &GroupInfo,
    machine: &mut dyn Machine,
    limits: &Limits<'_>,
) -> Result<(), Fault> {
    let program = Program::new(Arc::new(kernel.clone())).map_err(|e| Fault::Unsupported(e.to_string()))?;
    Executor::new(Arc::new(program)).run(info, machine, limits)
}
