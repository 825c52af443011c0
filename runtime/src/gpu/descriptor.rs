//! What a descriptor says, before a GPU gives it its own form.

use super::{ImageCreate, ImageLayout};
use ash::vk;
use std::sync::Arc;

/// Colour of texels outside the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BorderColor {
    /// Bits of R, G, B, A: floats, or integers if `integer`.
    pub bits: [u32; 4],
    /// Whether the components are integers.
    pub integer: bool,
}

/// A sampler.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerInfo {
    /// Magnification.
    pub mag_filter: vk::Filter,
    /// Minification.
    pub min_filter: vk::Filter,
    /// Between levels.
    pub mipmap_mode: vk::SamplerMipmapMode,
    /// Addressing of u, v, w.
    pub address: [vk::SamplerAddressMode; 3],
    /// Added to the level of detail.
    pub lod_bias: f32,
    /// Maximal anisotropy; `None` if off.
    pub max_anisotropy: Option<f32>,
    /// Depth comparison; `None` if off.
    pub compare: Option<vk::CompareOp>,
    /// Least level of detail.
    pub min_lod: f32,
    /// Greatest level of detail.
    pub max_lod: f32,
    /// Border colour.
    pub border: BorderColor,
    /// Coordinates in texels.
    pub unnormalized: bool,
    /// Conversion of luma and chroma.
    pub conversion: Option<YcbcrConversion>,
    /// Whether reads near the edge of a cube's face see the neighbouring face.
    pub seamless: bool,
    /// How texels of a footprint are combined.
    pub reduction: vk::SamplerReductionMode,
}

/// Conversion of luma and chroma (VkSamplerYcbcrConversionCreateInfo).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YcbcrConversion {
    /// Format of the images.
    pub format: vk::Format,
    /// Model.
    pub model: vk::SamplerYcbcrModelConversion,
    /// Range.
    pub range: vk::SamplerYcbcrRange,
    /// Swizzle before the conversion; never IDENTITY (resolved).
    pub components: [vk::ComponentSwizzle; 4],
    /// Where chroma samples are, in x and y.
    pub offsets: [vk::ChromaLocation; 2],
    /// How chroma is brought to the resolution of luma.
    pub chroma_filter: vk::Filter,
}

/// An image view.
#[derive(Clone, Debug)]
pub struct ViewInfo {
    /// GPU addresses that the offsets of each plane count from: all the same unless the image is disjoint.
    pub addresses: [u64; 3],
    /// The image.
    pub image: ImageCreate,
    /// Its layout.
    pub layout: Arc<ImageLayout>,
    /// Type of the view.
    pub view_type: vk::ImageViewType,
    /// Format of the view.
    pub format: vk::Format,
    /// Swizzle; never IDENTITY (resolved).
    pub swizzle: [vk::ComponentSwizzle; 4],
    /// Aspect.
    pub aspect: vk::ImageAspectFlags,
    /// First level.
    pub base_level: u32,
    /// Number of levels (resolved).
    pub levels: u32,
    /// First layer, or first slice for 2D views of 3D images.
    pub base_layer: u32,
    /// Number of layers (resolved).
    pub layers: u32,
    /// First slice and number of slices that a 3D view shows, if not all (VK_EXT_image_sliced_view_of_3d; resolved).
    pub slices: Option<(u32, u32)>,
    /// Usage of the view.
    pub usage: vk::ImageUsageFlags,
    /// Least level of detail (VK_EXT_image_view_min_lod), 0 if not given.
    pub min_lod: f32,
    /// Format to whose precision compressed texels are decoded (VK_EXT_astc_decode_mode), if not the format's own.
    pub decode_mode: Option<vk::Format>,
}

/// What to write in a descriptor.
#[derive(Clone, Copy, Debug)]
pub enum DescriptorWrite<'a> {
    /// The null descriptor: loads give 0, stores do nothing, sizes are 0.
    Null,
    /// Uniform or storage buffer.
    Buffer {
        /// First byte.
        address: u64,
        /// Bytes.
        size: u64,
    },
    /// Uniform or storage texel buffer.
    TexelBuffer {
        /// First byte.
        address: u64,
        /// Bytes.
        size: u64,
        /// Format.
        format: vk::Format,
    },
    /// Sampled or storage image.
    Image(&'a ViewInfo),
    /// Sampler.
    Sampler(&'a SamplerInfo),
    /// Combined image sampler; no view is the null image.
    Combined {
        /// Image part.
        view: Option<&'a ViewInfo>,
        /// Sampler part.
        sampler: Option<&'a SamplerInfo>,
    },
}
