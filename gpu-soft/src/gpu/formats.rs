//! What formats can be used for.
//!
//! The required-format tables of the specification do not except devices without graphics, so formats that must have
//! attachment, blend, blit and vertex bits have them here, although no queue of this device can use them so.

use crate::texel::{self, Class, Codec, Format, Numeric};
use ash::vk::{self, FormatFeatureFlags2 as F};
use runtime::gpu::FormatFeatures;

fn three_components(f: &Format) -> bool {
    !f.bytes.is_power_of_two()
}

/// Formats that storage images and storage texel buffers take.
fn storage(f: &Format) -> bool {
    !three_components(f)
        && f.codec.is_none()
        && !f.depth
        && !f.stencil
        && !matches!(f.numeric, Numeric::Srgb | Numeric::SharedExponent | Numeric::Uscaled | Numeric::Sscaled)
        && !matches!(
            f.vk,
            vk::Format::R4G4_UNORM_PACK8
                | vk::Format::R4G4B4A4_UNORM_PACK16
                | vk::Format::B4G4R4A4_UNORM_PACK16
                | vk::Format::A4R4G4B4_UNORM_PACK16
                | vk::Format::A4B4G4R4_UNORM_PACK16
                | vk::Format::R5G6B5_UNORM_PACK16
                | vk::Format::B5G6R5_UNORM_PACK16
                | vk::Format::R5G5B5A1_UNORM_PACK16
                | vk::Format::B5G5R5A1_UNORM_PACK16
                | vk::Format::A1R5G5B5_UNORM_PACK16
                | vk::Format::A1B5G5R5_UNORM_PACK16_KHR
                | vk::Format::R10X6G10X6B10X6A10X6_UNORM_4PACK16
                | vk::Format::R12X4G12X4B12X4A12X4_UNORM_4PACK16
                // What two-bit signed alpha does with values that do not fit is not settled between implementations.
                | vk::Format::A2R10G10B10_SINT_PACK32
                | vk::Format::A2B10G10R10_SINT_PACK32
        )
}

fn atomic(f: &Format) -> bool {
    matches!(
        f.vk,
        vk::Format::R32_UINT
            | vk::Format::R32_SINT
            | vk::Format::R32_SFLOAT
            | vk::Format::R64_UINT
            | vk::Format::R64_SINT
            | vk::Format::R16G16_SFLOAT
            | vk::Format::R16G16B16A16_SFLOAT
    )
}

/// What images of luma and chroma can do through a conversion.
fn chroma_features() -> F {
    F::TRANSFER_SRC
        | F::TRANSFER_DST
        | F::SAMPLED_IMAGE
        | F::SAMPLED_IMAGE_FILTER_LINEAR
        | F::MIDPOINT_CHROMA_SAMPLES
        | F::COSITED_CHROMA_SAMPLES
        | F::SAMPLED_IMAGE_YCBCR_CONVERSION_LINEAR_FILTER
        | F::SAMPLED_IMAGE_YCBCR_CONVERSION_SEPARATE_RECONSTRUCTION_FILTER
}

/// Whether images of a format of one plane are only seen through a conversion.
fn converts(f: &Format) -> bool {
    matches!(f.codec, Some(Codec::Packed422 { .. }))
        || matches!(
            f.vk,
            vk::Format::R10X6G10X6B10X6A10X6_UNORM_4PACK16 | vk::Format::R12X4G12X4B12X4A12X4_UNORM_4PACK16
        )
}

fn image_features(f: &Format) -> F {
    if converts(f) {
        return chroma_features();
    }
    let mut out = F::TRANSFER_SRC | F::TRANSFER_DST;
    if matches!(f.numeric, Numeric::Uscaled | Numeric::Sscaled) {
        // Vertex formats only.
        return F::empty();
    }
    if f.bytes == 8 && matches!(f.vk, vk::Format::R64_UINT | vk::Format::R64_SINT) {
        return out
            | F::STORAGE_IMAGE
            | F::STORAGE_IMAGE_ATOMIC
            | F::STORAGE_READ_WITHOUT_FORMAT
            | F::STORAGE_WRITE_WITHOUT_FORMAT;
    }
    out |= F::SAMPLED_IMAGE | F::BLIT_SRC;
    if f.class() == Class::Float {
        out |= F::SAMPLED_IMAGE_FILTER_LINEAR | F::SAMPLED_IMAGE_FILTER_CUBIC_EXT | F::SAMPLED_IMAGE_FILTER_MINMAX;
    }
    if f.depth || f.stencil {
        out |= F::DEPTH_STENCIL_ATTACHMENT;
        if f.depth {
            out |= F::SAMPLED_IMAGE_DEPTH_COMPARISON;
        }
        return out;
    }
    if f.codec.is_some() {
        // Blits read texel by texel.
        return out & !F::BLIT_SRC;
    }
    if !three_components(f) && f.numeric != Numeric::SharedExponent {
        out |= F::COLOR_ATTACHMENT | F::BLIT_DST;
        if f.class() == Class::Float {
            out |= F::COLOR_ATTACHMENT_BLEND;
        }
    }
    if storage(f) {
        out |= F::STORAGE_IMAGE | F::STORAGE_READ_WITHOUT_FORMAT | F::STORAGE_WRITE_WITHOUT_FORMAT;
        if atomic(f) {
            out |= F::STORAGE_IMAGE_ATOMIC;
        }
    }
    out
}

fn buffer_features(f: &Format) -> F {
    if f.depth || f.stencil || f.codec.is_some() || converts(f) {
        return F::empty();
    }
    let mut out = F::empty();
    if !matches!(f.numeric, Numeric::Srgb | Numeric::SharedExponent) {
        out |= F::VERTEX_BUFFER;
    }
    if matches!(f.numeric, Numeric::Uscaled | Numeric::Sscaled) {
        return out;
    }
    if !matches!(f.vk, vk::Format::R64_UINT | vk::Format::R64_SINT) && f.numeric != Numeric::Srgb {
        out |= F::UNIFORM_TEXEL_BUFFER;
    }
    if storage(f) {
        out |= F::STORAGE_TEXEL_BUFFER | F::STORAGE_READ_WITHOUT_FORMAT | F::STORAGE_WRITE_WITHOUT_FORMAT;
        if atomic(f) {
            out |= F::STORAGE_TEXEL_BUFFER_ATOMIC;
        }
    }
    out
}

/// What a format can be used for; nothing for formats this GPU does not know.
pub fn features(format: vk::Format) -> FormatFeatures {
    if texel::colour_planes(format).is_some() {
        let both = chroma_features() | F::DISJOINT;
        return FormatFeatures { linear: both, optimal: both, buffer: F::empty() };
    }
    if let Some([depth, _]) = texel::depth_stencil_planes(format) {
        // Depth can do more than stencil: what is read from an image is one of the two. One of the formats has to be an attachment;
        // the others do not claim that they could be.
        let f = features(depth.format);
        let attachment = format == vk::Format::D32_SFLOAT_S8_UINT;
        let not = if attachment { F::empty() } else { F::DEPTH_STENCIL_ATTACHMENT };
        return FormatFeatures { optimal: f.optimal & !not, ..f };
    }
    let Some(f) = texel::find(format) else { return FormatFeatures::default() };
    let image = image_features(f);
    let attachments = F::COLOR_ATTACHMENT | F::COLOR_ATTACHMENT_BLEND | F::DEPTH_STENCIL_ATTACHMENT;
    // The CPU copies what the GPU samples, but for formats of graphics, blocks and planes.
    let host = image.contains(F::SAMPLED_IMAGE) && !f.depth && !f.stencil && !converts(f);
    let image = if host { image | F::HOST_IMAGE_TRANSFER_EXT } else { image };
    let blocks = f.codec.is_some() && !converts(f);
    let linear = if f.depth || f.stencil || blocks { F::empty() } else { image & !attachments };
    FormatFeatures { linear, optimal: image, buffer: buffer_features(f) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mandatory_storage_formats() {
        for format in [
            vk::Format::R8G8B8A8_UNORM,
            vk::Format::R8G8B8A8_SNORM,
            vk::Format::R8G8B8A8_UINT,
            vk::Format::R8G8B8A8_SINT,
            vk::Format::R16G16B16A16_SFLOAT,
            vk::Format::R32_UINT,
            vk::Format::R32_SFLOAT,
            vk::Format::R32G32B32A32_SFLOAT,
        ] {
            let f = features(format);
            assert!(f.optimal.contains(F::STORAGE_IMAGE), "{format:?}");
            assert!(f.buffer.contains(F::STORAGE_TEXEL_BUFFER), "{format:?}");
        }
        assert!(features(vk::Format::R32_UINT).optimal.contains(F::STORAGE_IMAGE_ATOMIC));
        assert_eq!(features(vk::Format::UNDEFINED).optimal, F::empty());
    }

    #[test]
    fn blocks_and_planes() {
        let bc1 = features(vk::Format::BC1_RGB_UNORM_BLOCK);
        assert!(bc1.optimal.contains(F::SAMPLED_IMAGE_FILTER_LINEAR) && !bc1.optimal.contains(F::STORAGE_IMAGE));
        assert_eq!(bc1.linear | bc1.buffer, F::empty());
        let nv12 = features(vk::Format::G8_B8R8_2PLANE_420_UNORM);
        assert!(nv12.optimal.contains(F::MIDPOINT_CHROMA_SAMPLES | F::DISJOINT));
        assert!(features(vk::Format::D32_SFLOAT_S8_UINT).optimal.contains(F::DEPTH_STENCIL_ATTACHMENT));
        assert!(features(vk::Format::D24_UNORM_S8_UINT).optimal.contains(F::SAMPLED_IMAGE));
    }
}
