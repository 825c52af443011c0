//! `libvulkan_dxg.so`: the C face of the driver.
//!
//! Generated thunks ([`generated`]) decode what an application passes, call one function of [`entry`], and encode the
//! result; [`edge`] has the few types that touch raw pointers. What is supported stands in tables: commands
//! ([`entrypoints`]), extensions ([`extensions`]), features ([`features`]), properties ([`properties`]) and environment
//! variables ([`env`]). [`node`] chooses the node and the GPUs. What Vulkan means is not here but in `runtime`.

mod build_id;
mod disk_cache;
mod edge;
mod entry;
pub mod entrypoints;
mod extensions;
mod features;
#[rustfmt::skip]
mod generated;
mod messenger;
pub mod node;
mod objects;
mod properties;
mod reports;

pub use dxg_node::env;
