//! What Vulkan means, without C: objects, descriptor memory, command recording and lowering, pipelines and their cache,
//! synchronisation. Two seams bound it: the window system's objects below, and the [`Gpu`] trait for what differs from
//! GPU to GPU.
//!
//! * Every object is behind an `Arc` and takes `&self`; what Vulkan wants synchronised by the application is locked all the
//!   same, so that a wrong application gets wrong results and nothing worse.
//! * Objects do not keep each other alive where Vulkan makes that the application's duty: recorded commands hold GPU
//!   addresses. Whatever goes wrong there is a GPU fault, which loses the device.
//! * Synchronisation is values of monitored fences, and nothing else.
//! * Lock order: device → queue → command buffer → pool → memory.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// Lets the fake GPU name this crate in the same way from inside and outside.
#[cfg(test)]
extern crate self as runtime;

mod buffer;
mod buffer_view;
mod command;
mod descriptor_dynamic;
pub mod descriptor_heap;
mod descriptor_pool;
mod descriptor_set;
mod descriptor_write;
mod device;
mod error;
mod event;
mod export;
mod fence;
pub mod format;
pub mod gpu;
mod heap;
mod host_copy;
mod image;
mod image_view;
mod instance;
mod lock;
mod memory;
mod physical_device;
mod pipeline;
mod pipeline_layout;
mod point;
mod private_data;
mod query_pool;
mod queue;
mod range_alloc;
mod sampler;
mod semaphore;
mod set_layout;
mod shader_module;
mod sparse;
mod submit_signal;
/// The fake GPU of the integration tests, for unit tests.
#[cfg(test)]
#[path = "../tests/common/fake_gpu.rs"]
mod testing;
mod update_template;
mod uses;

pub use buffer::{Buffer, BufferCreate};
pub use buffer_view::BufferView;
pub use command::{
    CommandBuffer, CommandPool, CommandState, Dependency, ExecutionSet, GeneratedCommands, IndirectAction,
    IndirectLayout, IndirectToken, MemoryImageCopy,
};
pub use compiler::frontend::MAX_VECTOR_COMPONENTS;
pub use descriptor_pool::{DescriptorPool, DescriptorPoolCreate, SetAllocate};
pub use descriptor_set::DescriptorSet;
pub use descriptor_write::{Cursor, DescriptorData, SetWriter};
pub use device::{Device, DeviceCreate, DeviceFault, DeviceFeatures, QueueCreate};
pub use error::{Error, Result};
pub use event::Event;
pub use fence::Fence;
pub use gpu::*;
pub use host_copy::HostRegion;
pub use image::Image;
pub use image_view::{swizzle, ImageView, ImageViewCreate};
pub use instance::Instance;
pub use memory::{Memory, MemoryAllocate, MemoryRequirements, MemorySource, DEFAULT_PRIORITY};
pub use physical_device::{ExternalHandle, ImageFormatQuery, MemoryBudget, PhysicalDevice};
pub use pipeline::{
    set_compiler_debug, CompilerDebug, ExecutableInfo, Feedback, KernelStore, PipelineBinary, PipelineCache,
    PipelineRobustness, Program, ProgramCode, ProgramCreate, ProgramOutcome, Representation, SHADER_BINARY_VERSION,
};
pub use pipeline_layout::{PipelineLayout, MAX_PUSH_BYTES, MAX_SETS};
pub use private_data::PrivateDataSlot;
pub use query_pool::QueryPool;
pub use queue::{Queue, SemaphorePoint, SparseBatch, SubmitBatch};
pub use sampler::{border_color, Sampler};
pub use semaphore::{Semaphore, SemaphoreKind};
pub use set_layout::{DescriptorSetLayout, LayoutBinding, LayoutSupport};
pub use shader_module::ShaderModule;
pub use sparse::{SparseBind, SparseImageBind, SparseMemory, SparseRequirements, SparseResource, SPARSE_BLOCK};
pub use update_template::{TemplateEntry, UpdateTemplate};
