//! The bench: a corpus of compute kernels as users write them, and what happens around them (submission, recording,
//! compilation), measured on whatever driver the loader finds. Every result is checked against the CPU. One process
//! measures one driver; `cargo xtask bench` starts one for each and holds them side by side.

mod data;
mod image;
mod kernels;
mod meters;
mod plan;
mod runner;
mod serve;
mod startup;
mod statistics;

pub use plan::{Binding, Case, Check, Need, Plan, Program, Resource, Results, Scale, Step};
pub use runner::Runner;
pub use serve::{list, serve};
pub use startup::{startup, Phase};
pub use statistics::{statistics, Facts};

use crate::{Error, Gpu, Setup};

/// Every kernel of the corpus.
pub fn cases() -> Vec<Case> {
    kernels::ALL.iter().flat_map(|family| family.iter().copied()).collect()
}

/// Opens the device as the bench wants it: with all features, without robust access.
///
/// # Errors
/// As [`Gpu::open`].
pub fn open() -> Result<Gpu, Error> {
    let extensions = [ash::khr::pipeline_executable_properties::NAME, ash::khr::shader_integer_dot_product::NAME];
    Gpu::open(&Setup { name: "vulkan-dxg bench", extensions: &extensions, ..Setup::default() }, |_, _| true)
}
