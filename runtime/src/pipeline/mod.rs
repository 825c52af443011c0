//! Programs: what compute pipelines and compute shader objects are made of.

mod binary;
mod build;
mod cache;
mod create;
mod debug;
mod entry;
mod program;
mod shader;
mod store;
mod tier;

pub use binary::PipelineBinary;
pub use cache::PipelineCache;
pub use create::{Feedback, ProgramOutcome};
pub(crate) use debug::debug;
pub use debug::{set_compiler_debug, CompilerDebug};
pub use program::{ExecutableInfo, PipelineRobustness, Program, ProgramCode, ProgramCreate, Representation};
pub use shader::SHADER_BINARY_VERSION;
pub use store::KernelStore;
pub(crate) use tier::Tiers;
