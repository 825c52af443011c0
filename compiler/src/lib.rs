//! SPIR-V to `sir`, the driver's own SSA form of one compute kernel, and everything that is true of a kernel
//! before a GPU is known: optimisation passes, analyses, a verifier, a text form that round-trips, and an
//! interpreter that is the exact meaning of the form.
//!
//! Nothing here knows of SIMD, of a particular GPU or of Vulkan handles. GPU crates take a verified
//! [`sir::Kernel`] and lower it further.
#![forbid(unsafe_code)]

pub mod analysis;
pub mod filetest;
pub mod frontend;
pub mod hash;
pub mod interp;
pub mod passes;
pub mod sir;
pub mod text;
pub mod verify;
