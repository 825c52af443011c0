//! Formats whose texels stand in blocks (Khronos Data Format Specification): where the colour of one texel of a block comes from.

mod astc;
mod astc_sequence;
mod bc;
mod bits;
mod bptc;
mod bptc_tables;
mod etc;
mod packed;

use super::convert::srgb_to_linear;
use super::table::{Format, Numeric};
use super::Texel;

/// How the texels of a block are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Two texels that share their chroma.
    Packed422 {
        /// Bits of a component, in the upper bits of its bytes.
        bits: u8,
        /// Luma before chroma.
        luma_first: bool,
    },
    /// BC1; with or without transparent texels.
    Bc1 {
        /// With them.
        alpha: bool,
    },
    /// BC2.
    Bc2,
    /// BC3.
    Bc3,
    /// BC4 (one component) and BC5 (two).
    Bc45 {
        /// Two components.
        two: bool,
        /// Signed ones.
        signed: bool,
    },
    /// BC6H.
    Bc6 {
        /// Signed.
        signed: bool,
    },
    /// BC7.
    Bc7,
    /// ETC2 without alpha, or with one bit of it.
    Etc2 {
        /// One bit.
        alpha: bool,
    },
    /// ETC2 with eight bits of alpha.
    Etc2Alpha8,
    /// EAC with one or two components of eleven bits.
    Eac {
        /// Two components.
        two: bool,
        /// Signed ones.
        signed: bool,
    },
    /// ASTC blocks of this width and height.
    Astc(u8, u8),
}

/// To which precision blocks are decoded, where there is a choice (VK_EXT_astc_decode_mode).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockMode {
    /// What the format has.
    #[default]
    Full,
    /// Eight bits.
    Unorm8,
}

impl Codec {
    /// Width and height of a block.
    pub fn block(self) -> [u8; 2] {
        match self {
            Codec::Packed422 { .. } => [2, 1],
            Codec::Bc1 { .. }
            | Codec::Bc2
            | Codec::Bc3
            | Codec::Bc45 { .. }
            | Codec::Bc6 { .. }
            | Codec::Bc7
            | Codec::Etc2 { .. }
            | Codec::Etc2Alpha8
            | Codec::Eac { .. } => [4, 4],
            Codec::Astc(w, h) => [w, h],
        }
    }

    /// The texel at a place in a block.
    pub fn texel(self, block: &[u8; 16], at: [u32; 2], format: &Format, mode: BlockMode) -> Texel {
        let srgb = format.numeric == Numeric::Srgb;
        let two = |r: f32, g: Option<f32>| [r, g.unwrap_or(0.0), 0.0, 1.0];
        let mut color = match self {
            Codec::Packed422 { bits, luma_first } => packed::texel(block, at[0], bits, luma_first),
            Codec::Bc1 { alpha } => {
                bc::color(block, at, 0, if alpha { bc::Color::Transparent } else { bc::Color::Opaque })
            }
            Codec::Bc2 | Codec::Bc3 => {
                let [r, g, b, _] = bc::color(block, at, 64, bc::Color::Four);
                let alpha = match self {
                    Codec::Bc2 => bc::alpha4(block, at),
                    _ => bc::component(block, at, 0, false),
                };
                [r, g, b, alpha]
            }
            Codec::Bc45 { two: both, signed } => {
                two(bc::component(block, at, 0, signed), both.then(|| bc::component(block, at, 64, signed)))
            }
            Codec::Bc6 { signed } => bptc::bc6(block, at, signed),
            Codec::Bc7 => bptc::bc7(block, at),
            Codec::Etc2 { alpha } => etc::color(block, at, 0, alpha),
            Codec::Etc2Alpha8 => {
                let [r, g, b, _] = etc::color(block, at, 8, false);
                [r, g, b, etc::alpha8(block, at)]
            }
            Codec::Eac { two: both, signed } => {
                two(etc::r11(block, at, 0, signed), both.then(|| etc::r11(block, at, 8, signed)))
            }
            Codec::Astc(w, h) => astc::texel(block, at, [w, h], srgb, mode == BlockMode::Unorm8),
        };
        if srgb {
            for c in &mut color[..3] {
                *c = srgb_to_linear(*c);
            }
        }
        color.map(|c| u64::from(c.to_bits()))
    }
}
