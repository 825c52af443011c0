//! Images of the software GPU: how texels stand in memory, descriptors, and texel access for kernels.
//!
//! Every image is linear, level after level; within a level layer after layer, within a layer sample after sample. The
//! same few lines serve `vkGetImageSubresourceLayout`, copies, clears and kernels.

mod access;
mod cube;
mod desc;
mod filter;
mod layout;
mod sample;

pub use access::{Coords, View};
pub use desc::{ImageDesc, SamplerDesc, IMAGE_DESC_BYTES, SAMPLER_DESC_BYTES};
pub use layout::Shape;
pub use sample::Lookup;

/// Offset of the sampler in a combined image sampler.
pub const COMBINED_SAMPLER_OFFSET: u32 = IMAGE_DESC_BYTES;
