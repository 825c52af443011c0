//! The format table.

use super::codec::Codec;
use super::Texel;
use ash::vk;
use std::collections::HashMap;
use std::sync::LazyLock;

/// How the bits of a component are read (Vulkan specification, "Identification of Formats").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numeric {
    /// 0 … 1.
    Unorm,
    /// −1 … 1.
    Snorm,
    /// Unsigned integers read as floats.
    Uscaled,
    /// Signed integers read as floats.
    Sscaled,
    /// Unsigned integers.
    Uint,
    /// Signed integers.
    Sint,
    /// IEEE floats of 16, 32 or 64 bits.
    Sfloat,
    /// Unsigned floats of 10 or 11 bits.
    Ufloat,
    /// 0 … 1 with the sRGB transfer function on R, G and B.
    Srgb,
    /// Three 9-bit fractions with a common exponent.
    SharedExponent,
}

/// What a shader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Floating point.
    Float,
    /// Signed integers.
    Sint,
    /// Unsigned integers.
    Uint,
}

/// A run of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Lowest bit.
    pub shift: u8,
    /// Number of bits, 1 to 64.
    pub bits: u8,
}

/// One format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Its Vulkan name.
    pub vk: vk::Format,
    /// Width and height of a block of texels that stand together; 1 and 1 for most.
    pub block: [u8; 2],
    /// How the texels of a block are found; `None` for blocks of one texel.
    pub codec: Option<Codec>,
    /// Bytes of a block, 1 to 16.
    pub bytes: u32,
    /// How components are read.
    pub numeric: Numeric,
    /// R, G, B, A; a depth or stencil value stands in R. Of blocks: which components there are.
    pub fields: [Option<Field>; 4],
    /// Depth aspect.
    pub depth: bool,
    /// Stencil aspect.
    pub stencil: bool,
}

impl Format {
    /// What a shader sees.
    pub fn class(&self) -> Class {
        match self.numeric {
            Numeric::Uint => Class::Uint,
            Numeric::Sint => Class::Sint,
            Numeric::Unorm
            | Numeric::Snorm
            | Numeric::Uscaled
            | Numeric::Sscaled
            | Numeric::Sfloat
            | Numeric::Ufloat
            | Numeric::Srgb
            | Numeric::SharedExponent => Class::Float,
        }
    }
}

impl Format {
    /// What stands for components that the format lacks: 0, and 1 for alpha.
    pub fn missing(&self) -> Texel {
        let one = match self.class() {
            Class::Float => u64::from(1f32.to_bits()),
            Class::Sint | Class::Uint => 1,
        };
        [0, 0, 0, one]
    }
}

macro_rules! formats {
    ($($name:ident $numeric:ident $fields:literal;)*) => {
        const ROWS: &[(vk::Format, Numeric, &str)] = &[$((vk::Format::$name, Numeric::$numeric, $fields)),*];
    };
}

// Fields from the lowest bit up: component letter and width; x is padding, d depth, s stencil.
formats! {
    R4G4_UNORM_PACK8 Unorm "g4 r4";
    R4G4B4A4_UNORM_PACK16 Unorm "a4 b4 g4 r4";
    B4G4R4A4_UNORM_PACK16 Unorm "a4 r4 g4 b4";
    A4R4G4B4_UNORM_PACK16 Unorm "b4 g4 r4 a4";
    A4B4G4R4_UNORM_PACK16 Unorm "r4 g4 b4 a4";
    R5G6B5_UNORM_PACK16 Unorm "b5 g6 r5";
    B5G6R5_UNORM_PACK16 Unorm "r5 g6 b5";
    R5G5B5A1_UNORM_PACK16 Unorm "a1 b5 g5 r5";
    B5G5R5A1_UNORM_PACK16 Unorm "a1 r5 g5 b5";
    A1R5G5B5_UNORM_PACK16 Unorm "b5 g5 r5 a1";
    A1B5G5R5_UNORM_PACK16_KHR Unorm "r5 g5 b5 a1";
    A8_UNORM_KHR Unorm "a8";
    R8_UNORM Unorm "r8";
    R8_SNORM Snorm "r8";
    R8_USCALED Uscaled "r8";
    R8_SSCALED Sscaled "r8";
    R8_UINT Uint "r8";
    R8_SINT Sint "r8";
    R8_SRGB Srgb "r8";
    R8G8_UNORM Unorm "r8 g8";
    R8G8_SNORM Snorm "r8 g8";
    R8G8_USCALED Uscaled "r8 g8";
    R8G8_SSCALED Sscaled "r8 g8";
    R8G8_UINT Uint "r8 g8";
    R8G8_SINT Sint "r8 g8";
    R8G8_SRGB Srgb "r8 g8";
    R8G8B8_UNORM Unorm "r8 g8 b8";
    R8G8B8_SNORM Snorm "r8 g8 b8";
    R8G8B8_UINT Uint "r8 g8 b8";
    R8G8B8_SINT Sint "r8 g8 b8";
    R8G8B8_SRGB Srgb "r8 g8 b8";
    B8G8R8_UNORM Unorm "b8 g8 r8";
    B8G8R8_SNORM Snorm "b8 g8 r8";
    B8G8R8_UINT Uint "b8 g8 r8";
    B8G8R8_SINT Sint "b8 g8 r8";
    B8G8R8_SRGB Srgb "b8 g8 r8";
    R8G8B8A8_UNORM Unorm "r8 g8 b8 a8";
    R8G8B8A8_SNORM Snorm "r8 g8 b8 a8";
    R8G8B8A8_USCALED Uscaled "r8 g8 b8 a8";
    R8G8B8A8_SSCALED Sscaled "r8 g8 b8 a8";
    R8G8B8A8_UINT Uint "r8 g8 b8 a8";
    R8G8B8A8_SINT Sint "r8 g8 b8 a8";
    R8G8B8A8_SRGB Srgb "r8 g8 b8 a8";
    B8G8R8A8_UNORM Unorm "b8 g8 r8 a8";
    B8G8R8A8_SNORM Snorm "b8 g8 r8 a8";
    B8G8R8A8_UINT Uint "b8 g8 r8 a8";
    B8G8R8A8_SINT Sint "b8 g8 r8 a8";
    B8G8R8A8_SRGB Srgb "b8 g8 r8 a8";
    A8B8G8R8_UNORM_PACK32 Unorm "r8 g8 b8 a8";
    A8B8G8R8_SNORM_PACK32 Snorm "r8 g8 b8 a8";
    A8B8G8R8_USCALED_PACK32 Uscaled "r8 g8 b8 a8";
    A8B8G8R8_SSCALED_PACK32 Sscaled "r8 g8 b8 a8";
    A8B8G8R8_UINT_PACK32 Uint "r8 g8 b8 a8";
    A8B8G8R8_SINT_PACK32 Sint "r8 g8 b8 a8";
    A8B8G8R8_SRGB_PACK32 Srgb "r8 g8 b8 a8";
    A2R10G10B10_UNORM_PACK32 Unorm "b10 g10 r10 a2";
    A2R10G10B10_SNORM_PACK32 Snorm "b10 g10 r10 a2";
    A2R10G10B10_UINT_PACK32 Uint "b10 g10 r10 a2";
    A2R10G10B10_SINT_PACK32 Sint "b10 g10 r10 a2";
    A2B10G10R10_UNORM_PACK32 Unorm "r10 g10 b10 a2";
    A2B10G10R10_SNORM_PACK32 Snorm "r10 g10 b10 a2";
    A2B10G10R10_UINT_PACK32 Uint "r10 g10 b10 a2";
    A2B10G10R10_SINT_PACK32 Sint "r10 g10 b10 a2";
    R16_UNORM Unorm "r16";
    R16_SNORM Snorm "r16";
    R16_USCALED Uscaled "r16";
    R16_SSCALED Sscaled "r16";
    R16_UINT Uint "r16";
    R16_SINT Sint "r16";
    R16_SFLOAT Sfloat "r16";
    R16G16_UNORM Unorm "r16 g16";
    R16G16_SNORM Snorm "r16 g16";
    R16G16_USCALED Uscaled "r16 g16";
    R16G16_SSCALED Sscaled "r16 g16";
    R16G16_UINT Uint "r16 g16";
    R16G16_SINT Sint "r16 g16";
    R16G16_SFLOAT Sfloat "r16 g16";
    R16G16B16_UNORM Unorm "r16 g16 b16";
    R16G16B16_SNORM Snorm "r16 g16 b16";
    R16G16B16_UINT Uint "r16 g16 b16";
    R16G16B16_SINT Sint "r16 g16 b16";
    R16G16B16_SFLOAT Sfloat "r16 g16 b16";
    R16G16B16A16_UNORM Unorm "r16 g16 b16 a16";
    R16G16B16A16_SNORM Snorm "r16 g16 b16 a16";
    R16G16B16A16_USCALED Uscaled "r16 g16 b16 a16";
    R16G16B16A16_SSCALED Sscaled "r16 g16 b16 a16";
    R16G16B16A16_UINT Uint "r16 g16 b16 a16";
    R16G16B16A16_SINT Sint "r16 g16 b16 a16";
    R16G16B16A16_SFLOAT Sfloat "r16 g16 b16 a16";
    R32_UINT Uint "r32";
    R32_SINT Sint "r32";
    R32_SFLOAT Sfloat "r32";
    R32G32_UINT Uint "r32 g32";
    R32G32_SINT Sint "r32 g32";
    R32G32_SFLOAT Sfloat "r32 g32";
    R32G32B32_UINT Uint "r32 g32 b32";
    R32G32B32_SINT Sint "r32 g32 b32";
    R32G32B32_SFLOAT Sfloat "r32 g32 b32";
    R32G32B32A32_UINT Uint "r32 g32 b32 a32";
    R32G32B32A32_SINT Sint "r32 g32 b32 a32";
    R32G32B32A32_SFLOAT Sfloat "r32 g32 b32 a32";
    R64_UINT Uint "r64";
    R64_SINT Sint "r64";
    B10G11R11_UFLOAT_PACK32 Ufloat "r11 g11 b10";
    E5B9G9R9_UFLOAT_PACK32 SharedExponent "r9 g9 b9 x5";
    D16_UNORM Unorm "d16";
    X8_D24_UNORM_PACK32 Unorm "d24 x8";
    D32_SFLOAT Sfloat "d32";
    S8_UINT Uint "s8";
    R10X6_UNORM_PACK16 Unorm "x6 r10";
    R10X6G10X6_UNORM_2PACK16 Unorm "x6 r10 x6 g10";
    R10X6G10X6B10X6A10X6_UNORM_4PACK16 Unorm "x6 r10 x6 g10 x6 b10 x6 a10";
    R12X4_UNORM_PACK16 Unorm "x4 r12";
    R12X4G12X4_UNORM_2PACK16 Unorm "x4 r12 x4 g12";
    R12X4G12X4B12X4A12X4_UNORM_4PACK16 Unorm "x4 r12 x4 g12 x4 b12 x4 a12";
}

macro_rules! block_formats {
    ($($name:ident $numeric:ident $components:literal $bytes:literal $codec:expr;)*) => {
        const BLOCK_ROWS: &[(vk::Format, Numeric, &str, u32, Codec)] =
            &[$((vk::Format::$name, Numeric::$numeric, $components, $bytes, $codec)),*];
    };
}

// Components, bytes of a block, how to read it.
block_formats! {
    BC1_RGB_UNORM_BLOCK Unorm "rgb" 8 Codec::Bc1 { alpha: false };
    BC1_RGB_SRGB_BLOCK Srgb "rgb" 8 Codec::Bc1 { alpha: false };
    BC1_RGBA_UNORM_BLOCK Unorm "rgba" 8 Codec::Bc1 { alpha: true };
    BC1_RGBA_SRGB_BLOCK Srgb "rgba" 8 Codec::Bc1 { alpha: true };
    BC2_UNORM_BLOCK Unorm "rgba" 16 Codec::Bc2;
    BC2_SRGB_BLOCK Srgb "rgba" 16 Codec::Bc2;
    BC3_UNORM_BLOCK Unorm "rgba" 16 Codec::Bc3;
    BC3_SRGB_BLOCK Srgb "rgba" 16 Codec::Bc3;
    BC4_UNORM_BLOCK Unorm "r" 8 Codec::Bc45 { two: false, signed: false };
    BC4_SNORM_BLOCK Snorm "r" 8 Codec::Bc45 { two: false, signed: true };
    BC5_UNORM_BLOCK Unorm "rg" 16 Codec::Bc45 { two: true, signed: false };
    BC5_SNORM_BLOCK Snorm "rg" 16 Codec::Bc45 { two: true, signed: true };
    BC6H_UFLOAT_BLOCK Ufloat "rgb" 16 Codec::Bc6 { signed: false };
    BC6H_SFLOAT_BLOCK Sfloat "rgb" 16 Codec::Bc6 { signed: true };
    BC7_UNORM_BLOCK Unorm "rgba" 16 Codec::Bc7;
    BC7_SRGB_BLOCK Srgb "rgba" 16 Codec::Bc7;
    ETC2_R8G8B8_UNORM_BLOCK Unorm "rgb" 8 Codec::Etc2 { alpha: false };
    ETC2_R8G8B8_SRGB_BLOCK Srgb "rgb" 8 Codec::Etc2 { alpha: false };
    ETC2_R8G8B8A1_UNORM_BLOCK Unorm "rgba" 8 Codec::Etc2 { alpha: true };
    ETC2_R8G8B8A1_SRGB_BLOCK Srgb "rgba" 8 Codec::Etc2 { alpha: true };
    ETC2_R8G8B8A8_UNORM_BLOCK Unorm "rgba" 16 Codec::Etc2Alpha8;
    ETC2_R8G8B8A8_SRGB_BLOCK Srgb "rgba" 16 Codec::Etc2Alpha8;
    EAC_R11_UNORM_BLOCK Unorm "r" 8 Codec::Eac { two: false, signed: false };
    EAC_R11_SNORM_BLOCK Snorm "r" 8 Codec::Eac { two: false, signed: true };
    EAC_R11G11_UNORM_BLOCK Unorm "rg" 16 Codec::Eac { two: true, signed: false };
    EAC_R11G11_SNORM_BLOCK Snorm "rg" 16 Codec::Eac { two: true, signed: true };
    ASTC_4X4_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(4, 4);
    ASTC_4X4_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(4, 4);
    ASTC_5X4_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(5, 4);
    ASTC_5X4_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(5, 4);
    ASTC_5X5_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(5, 5);
    ASTC_5X5_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(5, 5);
    ASTC_6X5_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(6, 5);
    ASTC_6X5_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(6, 5);
    ASTC_6X6_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(6, 6);
    ASTC_6X6_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(6, 6);
    ASTC_8X5_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(8, 5);
    ASTC_8X5_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(8, 5);
    ASTC_8X6_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(8, 6);
    ASTC_8X6_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(8, 6);
    ASTC_8X8_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(8, 8);
    ASTC_8X8_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(8, 8);
    ASTC_10X5_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(10, 5);
    ASTC_10X5_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(10, 5);
    ASTC_10X6_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(10, 6);
    ASTC_10X6_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(10, 6);
    ASTC_10X8_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(10, 8);
    ASTC_10X8_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(10, 8);
    ASTC_10X10_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(10, 10);
    ASTC_10X10_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(10, 10);
    ASTC_12X10_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(12, 10);
    ASTC_12X10_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(12, 10);
    ASTC_12X12_UNORM_BLOCK Unorm "rgba" 16 Codec::Astc(12, 12);
    ASTC_12X12_SRGB_BLOCK Srgb "rgba" 16 Codec::Astc(12, 12);
    G8B8G8R8_422_UNORM Unorm "rgb" 4 Codec::Packed422 { bits: 8, luma_first: true };
    B8G8R8G8_422_UNORM Unorm "rgb" 4 Codec::Packed422 { bits: 8, luma_first: false };
    G10X6B10X6G10X6R10X6_422_UNORM_4PACK16 Unorm "rgb" 8 Codec::Packed422 { bits: 10, luma_first: true };
    B10X6G10X6R10X6G10X6_422_UNORM_4PACK16 Unorm "rgb" 8 Codec::Packed422 { bits: 10, luma_first: false };
    G12X4B12X4G12X4R12X4_422_UNORM_4PACK16 Unorm "rgb" 8 Codec::Packed422 { bits: 12, luma_first: true };
    B12X4G12X4R12X4G12X4_422_UNORM_4PACK16 Unorm "rgb" 8 Codec::Packed422 { bits: 12, luma_first: false };
    G16B16G16R16_422_UNORM Unorm "rgb" 8 Codec::Packed422 { bits: 16, luma_first: true };
    B16G16R16G16_422_UNORM Unorm "rgb" 8 Codec::Packed422 { bits: 16, luma_first: false };
}

fn parse_block(vk: vk::Format, numeric: Numeric, components: &str, bytes: u32, codec: Codec) -> Format {
    let field = |letter| components.contains(letter).then_some(Field { shift: 0, bits: 8 });
    Format {
        vk,
        block: codec.block(),
        codec: Some(codec),
        bytes,
        numeric,
        fields: ['r', 'g', 'b', 'a'].map(field),
        depth: false,
        stencil: false,
    }
}

fn parse(vk: vk::Format, numeric: Numeric, text: &str) -> Format {
    let mut format =
        Format { vk, block: [1, 1], codec: None, bytes: 0, numeric, fields: [None; 4], depth: false, stencil: false };
    let mut shift = 0u8;
    for word in text.split(' ') {
        let (letter, bits) = word.split_at(1);
        let bits: u8 = bits.parse().unwrap_or(0);
        let component = match letter {
            "r" => Some(0),
            "g" => Some(1),
            "b" => Some(2),
            "a" => Some(3),
            "d" => {
                format.depth = true;
                Some(0)
            }
            "s" => {
                format.stencil = true;
                Some(0)
            }
            _ => None,
        };
        if let Some(c) = component {
            format.fields[c] = Some(Field { shift, bits });
        }
        shift += bits;
    }
    format.bytes = u32::from(shift) / 8;
    format
}

static TABLE: LazyLock<HashMap<vk::Format, Format>> = LazyLock::new(|| {
    let plain = ROWS.iter().map(|&(vk, numeric, text)| (vk, parse(vk, numeric, text)));
    let blocks =
        BLOCK_ROWS.iter().map(|&(vk, numeric, c, bytes, codec)| (vk, parse_block(vk, numeric, c, bytes, codec)));
    plain.chain(blocks).collect()
});

/// The row of a format, `None` if this GPU does not know it.
pub fn find(format: vk::Format) -> Option<&'static Format> {
    TABLE.get(&format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_whole_bytes_and_unique() {
        assert_eq!(TABLE.len(), ROWS.len() + BLOCK_ROWS.len());
        for f in TABLE.values().filter(|f| f.codec.is_none()) {
            let bits: u32 =
                ROWS.iter().find(|r| r.0 == f.vk).unwrap().2.split(' ').map(|w| w[1..].parse::<u32>().unwrap()).sum();
            assert_eq!(bits % 8, 0, "{:?}", f.vk);
            assert!((1..=16).contains(&f.bytes), "{:?}", f.vk);
            assert!(f.fields.iter().any(Option::is_some), "{:?}", f.vk);
        }
    }
}
