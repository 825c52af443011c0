//! Texel formats: how the components of a texel stand in memory, and how they are read and written.
//!
//! A texel of at most 16 bytes is read as one little-endian number; each component is a run of bits in it. That covers
//! array and packed formats alike. The table is the only place that names formats.

mod convert;
mod table;

pub use convert::{decode, encode, Texel};
pub use table::{find, Class, Format, Numeric};
