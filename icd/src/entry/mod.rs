//! What each command does: one function per command, named after it.
//!
//! The functions take what the generated thunks decode and call the runtime. Where Vulkan has an old and a new form of
//! a command, the old one is written in terms of the new one's parts.

mod barrier;
mod buffer;
mod command;
mod command_pool;
mod copy;
mod debug;
mod descriptor;
mod descriptor_buffer;
mod descriptor_heap;
mod descriptor_write;
mod device;
mod executable;
mod external;
mod fault;
mod format;
mod generated_commands;
mod graphics;
mod host_copy;
mod image;
mod instance;
mod matrices;
mod memory;
mod memory_regions;
mod physical_device;
mod pipeline;
mod pipeline_binary;
mod pipeline_cache;
mod private_data;
mod query;
mod queue;
mod sampler;
mod shader_module;
mod shader_object;
mod sync;

pub use barrier::*;
pub use buffer::*;
pub use command::*;
pub use command_pool::*;
pub use copy::*;
pub use debug::*;
pub use descriptor::*;
pub use descriptor_buffer::*;
pub use descriptor_heap::*;
pub use descriptor_write::*;
pub use device::*;
pub use executable::*;
pub use external::*;
pub use fault::*;
pub use format::*;
pub use generated_commands::*;
pub use graphics::*;
pub use host_copy::*;
pub use image::*;
pub use instance::*;
pub use matrices::*;
pub use memory::*;
pub use memory_regions::*;
pub use physical_device::*;
pub use pipeline::*;
pub use pipeline_binary::*;
pub use pipeline_cache::*;
pub use private_data::*;
pub use query::*;
pub use queue::*;
pub use sampler::*;
pub use shader_module::*;
pub use shader_object::*;
pub use sync::*;

use crate::edge::In;
use ash::vk;

/// Allocation callbacks as commands receive them.
pub type Callbacks<'a> = Option<In<'a, vk::AllocationCallbacks<'a>>>;

/// What most implementations return.
pub type VkResult<T = ()> = Result<T, vk::Result>;
