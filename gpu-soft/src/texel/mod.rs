//! Texel formats: how the components of a texel stand in memory, and how they are read and written.
//!
//! A texel of at most 16 bytes is read as one little-endian number; each component is a run of bits in it. That covers
//! array and packed formats alike. The table is the only place that names formats.

mod codec;
mod convert;
mod planes;
mod table;

pub use codec::{BlockMode, Codec};
pub use convert::{decode, decode_block, encode, Texel};
pub use planes::{aspect_format, colour_planes, depth_stencil_planes, planes, Plane};
pub use table::{find, Class, Format, Numeric};
