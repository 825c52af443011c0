//! The software GPU, both halves. The user half ([`gpu`]) compiles kernels, lays out descriptors and images and writes
//! packets; the hardware half ([`engine`]) sits behind the device model, reads packets from GPU memory and executes them on
//! worker threads. They share the packet format, the kernel binary and the descriptor layouts, and nothing else.

#[cfg(feature = "llvm")]
pub mod codegen;
pub mod engine;
pub mod kernel_abi;
pub mod loader;

mod binary;
mod gpu;
mod image;
mod interpret;
mod packet;
mod texel;
mod umd;

pub use engine::SoftEngine;
pub use gpu::{Options, Soft};

/// Vendor id of the software adapter: a value behind the registered `VkVendorId`s, until one is registered.
pub const VENDOR_ID: u32 = 0x1_0100;

/// Device id of the software adapter.
pub const DEVICE_ID: u32 = 1;
