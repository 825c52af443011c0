//! Command buffers: recording, encoding, states.

mod bind;
mod bound;
mod buffer;
mod generated;
mod images;
mod memory;
mod pool;
mod queries;
mod stage;
mod state;
mod stream;
mod transfer;

pub use buffer::{CommandBuffer, CommandState};
pub use generated::{ExecutionSet, GeneratedCommands, IndirectAction, IndirectLayout, IndirectToken};
pub use images::MemoryImageCopy;
pub use pool::CommandPool;

pub(crate) use memory::Segment;

use ash::vk;

/// Execution and memory dependency, over all barriers of a command together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dependency {
    /// Stages that have to be finished.
    pub src_stages: vk::PipelineStageFlags2,
    /// Stages that wait.
    pub dst_stages: vk::PipelineStageFlags2,
    /// Writes made available.
    pub src_access: vk::AccessFlags2,
    /// Accesses they are made visible to.
    pub dst_access: vk::AccessFlags2,
}

impl Dependency {
    /// Adds another dependency to this one.
    pub fn merge(&mut self, other: &Dependency) {
        self.src_stages |= other.src_stages;
        self.dst_stages |= other.dst_stages;
        self.src_access |= other.src_access;
        self.dst_access |= other.dst_access;
    }
}
