//! What formats can be used for.
//!
//! The required-format tables of the specification do not except devices without graphics, so formats that must have
//! attachment, blend, blit and vertex bits have them here, although no queue of this device can use them so.

use crate::texel::{self, Class, Format, Numeric};
use ash::vk::{self, FormatFeatureFlags2 as F};
use runtime::gpu::FormatFeatures;

fn three_components(f: &Format) -> bool {
    !f.bytes.is_power_of_two()
}

/// Formats that storage images and storage texel buffers take.
fn storage(f: &Format) -> bool {
    !three_components(f)
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
    )
}

fn image_features(f: &Format) -> F {
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
    if f.depth || f.stencil {
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
    let Some(f) = texel::find(format) else { return FormatFeatures::default() };
    let image = image_features(f);
    let attachments = F::COLOR_ATTACHMENT | F::COLOR_ATTACHMENT_BLEND | F::DEPTH_STENCIL_ATTACHMENT;
    // The CPU copies what the GPU samples, but for formats of graphics.
    let host = image.contains(F::SAMPLED_IMAGE) && !f.depth && !f.stencil;
    let image = if host { image | F::HOST_IMAGE_TRANSFER_EXT } else { image };
    let linear = if f.depth || f.stencil { F::empty() } else { image & !attachments };
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
}
