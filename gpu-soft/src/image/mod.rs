//! Images of the software GPU: how texels stand in memory, descriptors, and texel access for kernels.
//!
//! An image stands level after level; within a level layer after layer, within a layer sample after sample, and then texels in
//! rows. Only images whose parts can be without memory have tiles within a layer. The same few lines serve
//! `vkGetImageSubresourceLayout`, copies, clears and kernels.

mod access;
mod chroma;
mod cube;
mod desc;
mod filter;
mod layout;
mod lod;
mod plain;
mod sample;

pub use access::{Coords, Residency, View};
pub use desc::{
    ConversionDesc, Filter, ImageDesc, PackedImage, PackedSampler, SamplerDesc, IMAGE_DESC_BYTES, SAMPLER_DESC_BYTES,
};
pub use filter::cubic_weights;
pub use layout::{tile, Level, Shape, Tile, TILE_BYTES};
pub use plain::{is_plain, plain_image, plain_texels, plain_texture};
pub use sample::{Lookup, MAX_LOD_BIAS};

/// Offset of the sampler in a combined image sampler.
pub const COMBINED_SAMPLER_OFFSET: u32 = IMAGE_DESC_BYTES;
