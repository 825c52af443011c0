//! Compiled kernels against the interpreter: the same kernels, inputs and outputs, for every vector width that this
//! processor has and every subgroup size.
#![cfg(feature = "llvm")]

mod alu;
mod asm;
mod collect;
mod descriptors;
mod files;
mod format;
mod image;
mod limits;
mod native;
mod random;
mod speed;
mod tiers;
