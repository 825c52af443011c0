//! Block sizes of formats (Vulkan specification, "Compatible Formats").

use ash::vk;

/// A block of texels in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatBlock {
    /// Width in texels.
    pub width: u32,
    /// Height in texels.
    pub height: u32,
    /// Bytes.
    pub bytes: u32,
}

const fn texel(bytes: u32) -> FormatBlock {
    FormatBlock { width: 1, height: 1, bytes }
}

const fn compressed(width: u32, height: u32, bytes: u32) -> FormatBlock {
    FormatBlock { width, height, bytes }
}

/// Bytes of a component and number of planes of a multi-planar colour format; `None` for others.
fn planes(format: vk::Format) -> Option<(u32, u32)> {
    use vk::Format as F;
    let name = match format {
        F::G8_B8_R8_3PLANE_420_UNORM | F::G8_B8_R8_3PLANE_422_UNORM | F::G8_B8_R8_3PLANE_444_UNORM => (1, 3),
        F::G8_B8R8_2PLANE_420_UNORM | F::G8_B8R8_2PLANE_422_UNORM | F::G8_B8R8_2PLANE_444_UNORM => (1, 2),
        F::G10X6_B10X6_R10X6_3PLANE_420_UNORM_3PACK16
        | F::G10X6_B10X6_R10X6_3PLANE_422_UNORM_3PACK16
        | F::G10X6_B10X6_R10X6_3PLANE_444_UNORM_3PACK16
        | F::G12X4_B12X4_R12X4_3PLANE_420_UNORM_3PACK16
        | F::G12X4_B12X4_R12X4_3PLANE_422_UNORM_3PACK16
        | F::G12X4_B12X4_R12X4_3PLANE_444_UNORM_3PACK16
        | F::G16_B16_R16_3PLANE_420_UNORM
        | F::G16_B16_R16_3PLANE_422_UNORM
        | F::G16_B16_R16_3PLANE_444_UNORM => (2, 3),
        F::G10X6_B10X6R10X6_2PLANE_420_UNORM_3PACK16
        | F::G10X6_B10X6R10X6_2PLANE_422_UNORM_3PACK16
        | F::G10X6_B10X6R10X6_2PLANE_444_UNORM_3PACK16
        | F::G12X4_B12X4R12X4_2PLANE_420_UNORM_3PACK16
        | F::G12X4_B12X4R12X4_2PLANE_422_UNORM_3PACK16
        | F::G12X4_B12X4R12X4_2PLANE_444_UNORM_3PACK16
        | F::G16_B16R16_2PLANE_420_UNORM
        | F::G16_B16R16_2PLANE_422_UNORM
        | F::G16_B16R16_2PLANE_444_UNORM => (2, 2),
        _ => return None,
    };
    Some(name)
}

/// The aspects a format has.
pub fn aspects(format: vk::Format) -> vk::ImageAspectFlags {
    use vk::ImageAspectFlags as A;
    match format {
        vk::Format::D16_UNORM | vk::Format::X8_D24_UNORM_PACK32 | vk::Format::D32_SFLOAT => A::DEPTH,
        vk::Format::S8_UINT => A::STENCIL,
        vk::Format::D16_UNORM_S8_UINT | vk::Format::D24_UNORM_S8_UINT | vk::Format::D32_SFLOAT_S8_UINT => {
            A::DEPTH | A::STENCIL
        }
        _ => match planes(format) {
            Some((_, 3)) => A::PLANE_0 | A::PLANE_1 | A::PLANE_2,
            Some(_) => A::PLANE_0 | A::PLANE_1,
            None => A::COLOR,
        },
    }
}

/// The block of a format in linear memory, as buffer copies of one aspect see it; `None` for aspects that a format lacks and
/// unknown formats.
pub fn block(format: vk::Format, aspect: vk::ImageAspectFlags) -> Option<FormatBlock> {
    if aspect == vk::ImageAspectFlags::STENCIL {
        return aspects(format).contains(aspect).then_some(texel(1));
    }
    if let Some((bytes, planes)) = planes(format) {
        use vk::ImageAspectFlags as A;
        return match aspect {
            A::PLANE_0 => Some(texel(bytes)),
            A::PLANE_1 => Some(texel(if planes == 2 { 2 * bytes } else { bytes })),
            A::PLANE_2 if planes == 3 => Some(texel(bytes)),
            _ => None,
        };
    }
    // The core formats are numbered by layout, so ranges of numbers say their size.
    Some(match format.as_raw() {
        1 | 9..=15 => texel(1),
        2..=8 | 16..=22 | 70..=76 | 124 => texel(2),
        23..=36 => texel(3),
        37..=69 | 77..=83 | 98..=100 | 122 | 123 | 125 | 126 => texel(4),
        84..=90 => texel(6),
        91..=97 | 101..=103 | 110..=112 => texel(8),
        104..=106 => texel(12),
        107..=109 | 113..=115 => texel(16),
        116..=118 => texel(24),
        119..=121 => texel(32),
        127 => texel(1),
        128 => texel(2),
        129 | 130 => texel(4),
        131..=134 | 139 | 140 | 147..=150 | 153 | 154 => compressed(4, 4, 8),
        135..=138 | 141..=146 | 151 | 152 | 155..=158 => compressed(4, 4, 16),
        159..=160 => compressed(5, 4, 16),
        161..=162 => compressed(5, 5, 16),
        163..=164 => compressed(6, 5, 16),
        165..=166 => compressed(6, 6, 16),
        167..=168 => compressed(8, 5, 16),
        169..=170 => compressed(8, 6, 16),
        171..=172 => compressed(8, 8, 16),
        173..=174 => compressed(10, 5, 16),
        175..=176 => compressed(10, 6, 16),
        177..=178 => compressed(10, 8, 16),
        179..=180 => compressed(10, 10, 16),
        181..=182 => compressed(12, 10, 16),
        183..=184 => compressed(12, 12, 16),
        _ => match format {
            vk::Format::A4R4G4B4_UNORM_PACK16 | vk::Format::A4B4G4R4_UNORM_PACK16 => texel(2),
            vk::Format::A1B5G5R5_UNORM_PACK16_KHR => texel(2),
            vk::Format::A8_UNORM_KHR => texel(1),
            vk::Format::G8B8G8R8_422_UNORM | vk::Format::B8G8R8G8_422_UNORM => compressed(2, 1, 4),
            vk::Format::R10X6_UNORM_PACK16 | vk::Format::R12X4_UNORM_PACK16 => texel(2),
            vk::Format::R10X6G10X6_UNORM_2PACK16 | vk::Format::R12X4G12X4_UNORM_2PACK16 => texel(4),
            vk::Format::R10X6G10X6B10X6A10X6_UNORM_4PACK16 | vk::Format::R12X4G12X4B12X4A12X4_UNORM_4PACK16 => texel(8),
            vk::Format::G10X6B10X6G10X6R10X6_422_UNORM_4PACK16
            | vk::Format::B10X6G10X6R10X6G10X6_422_UNORM_4PACK16
            | vk::Format::G12X4B12X4G12X4R12X4_422_UNORM_4PACK16
            | vk::Format::B12X4G12X4R12X4G12X4_422_UNORM_4PACK16
            | vk::Format::G16B16G16R16_422_UNORM
            | vk::Format::B16G16R16G16_422_UNORM => compressed(2, 1, 8),
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_sizes() {
        let color = vk::ImageAspectFlags::COLOR;
        for (format, w, h, bytes) in [
            (vk::Format::R4G4_UNORM_PACK8, 1, 1, 1),
            (vk::Format::R8_SRGB, 1, 1, 1),
            (vk::Format::R8G8_UNORM, 1, 1, 2),
            (vk::Format::A1R5G5B5_UNORM_PACK16, 1, 1, 2),
            (vk::Format::R8G8B8_UNORM, 1, 1, 3),
            (vk::Format::B8G8R8_SRGB, 1, 1, 3),
            (vk::Format::R8G8B8A8_UNORM, 1, 1, 4),
            (vk::Format::A2B10G10R10_SINT_PACK32, 1, 1, 4),
            (vk::Format::R16_SFLOAT, 1, 1, 2),
            (vk::Format::R16G16_SFLOAT, 1, 1, 4),
            (vk::Format::R16G16B16_SFLOAT, 1, 1, 6),
            (vk::Format::R16G16B16A16_SFLOAT, 1, 1, 8),
            (vk::Format::R32_SFLOAT, 1, 1, 4),
            (vk::Format::R32G32_SFLOAT, 1, 1, 8),
            (vk::Format::R32G32B32_SFLOAT, 1, 1, 12),
            (vk::Format::R32G32B32A32_SFLOAT, 1, 1, 16),
            (vk::Format::R64_UINT, 1, 1, 8),
            (vk::Format::R64G64_SFLOAT, 1, 1, 16),
            (vk::Format::R64G64B64A64_SFLOAT, 1, 1, 32),
            (vk::Format::B10G11R11_UFLOAT_PACK32, 1, 1, 4),
            (vk::Format::E5B9G9R9_UFLOAT_PACK32, 1, 1, 4),
            (vk::Format::BC1_RGB_UNORM_BLOCK, 4, 4, 8),
            (vk::Format::BC2_UNORM_BLOCK, 4, 4, 16),
            (vk::Format::BC3_SRGB_BLOCK, 4, 4, 16),
            (vk::Format::BC4_SNORM_BLOCK, 4, 4, 8),
            (vk::Format::BC5_UNORM_BLOCK, 4, 4, 16),
            (vk::Format::BC7_SRGB_BLOCK, 4, 4, 16),
            (vk::Format::ETC2_R8G8B8_UNORM_BLOCK, 4, 4, 8),
            (vk::Format::ETC2_R8G8B8A8_SRGB_BLOCK, 4, 4, 16),
            (vk::Format::EAC_R11_UNORM_BLOCK, 4, 4, 8),
            (vk::Format::EAC_R11G11_SNORM_BLOCK, 4, 4, 16),
            (vk::Format::ASTC_4X4_UNORM_BLOCK, 4, 4, 16),
            (vk::Format::ASTC_12X12_SRGB_BLOCK, 12, 12, 16),
        ] {
            assert_eq!(block(format, color), Some(FormatBlock { width: w, height: h, bytes }), "{format:?}");
        }
        assert_eq!(block(vk::Format::UNDEFINED, color), None);
        let depth = vk::ImageAspectFlags::DEPTH;
        for (format, bytes) in [
            (vk::Format::D16_UNORM, 2),
            (vk::Format::X8_D24_UNORM_PACK32, 4),
            (vk::Format::D32_SFLOAT, 4),
            (vk::Format::D16_UNORM_S8_UINT, 2),
            (vk::Format::D24_UNORM_S8_UINT, 4),
            (vk::Format::D32_SFLOAT_S8_UINT, 4),
        ] {
            assert_eq!(block(format, depth).map(|b| b.bytes), Some(bytes), "{format:?}");
        }
        assert_eq!(block(vk::Format::D32_SFLOAT_S8_UINT, vk::ImageAspectFlags::STENCIL).map(|b| b.bytes), Some(1));
        assert_eq!(block(vk::Format::R8_UNORM, vk::ImageAspectFlags::STENCIL), None);
        let nv12 = vk::Format::G8_B8R8_2PLANE_420_UNORM;
        assert_eq!(block(nv12, vk::ImageAspectFlags::PLANE_1).map(|b| b.bytes), Some(2));
        assert_eq!(block(nv12, vk::ImageAspectFlags::PLANE_2), None);
        assert_eq!(block(nv12, color), None);
        assert_eq!(aspects(nv12), vk::ImageAspectFlags::PLANE_0 | vk::ImageAspectFlags::PLANE_1);
    }
}
