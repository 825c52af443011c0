//! Image views.

use crate::device::Device;
use crate::error::Result;
use crate::gpu::ViewInfo;
use crate::image::Image;
use ash::vk;
use std::sync::Arc;

/// VkImageViewCreateInfo.
#[derive(Clone, Copy, Debug)]
pub struct ImageViewCreate {
    /// Type.
    pub view_type: vk::ImageViewType,
    /// Format.
    pub format: vk::Format,
    /// Swizzle.
    pub components: vk::ComponentMapping,
    /// Part of the image.
    pub range: vk::ImageSubresourceRange,
    /// Usage, if it differs from the image's.
    pub usage: Option<vk::ImageUsageFlags>,
    /// Offset and count of the slices of a 3D view (VK_EXT_image_sliced_view_of_3d).
    pub slices: Option<(u32, u32)>,
    /// Least level of detail (VK_EXT_image_view_min_lod), 0 if not given.
    pub min_lod: f32,
    /// VkImageViewASTCDecodeModeEXT.
    pub decode_mode: Option<vk::Format>,
}

/// A VkImageView.
#[derive(Debug)]
pub struct ImageView {
    info: ViewInfo,
}

fn resolve(swizzle: vk::ComponentSwizzle, identity: vk::ComponentSwizzle) -> vk::ComponentSwizzle {
    if swizzle == vk::ComponentSwizzle::IDENTITY {
        identity
    } else {
        swizzle
    }
}

/// A swizzle without IDENTITY.
pub fn swizzle(c: &vk::ComponentMapping) -> [vk::ComponentSwizzle; 4] {
    [
        resolve(c.r, vk::ComponentSwizzle::R),
        resolve(c.g, vk::ComponentSwizzle::G),
        resolve(c.b, vk::ComponentSwizzle::B),
        resolve(c.a, vk::ComponentSwizzle::A),
    ]
}

impl ImageView {
    /// Makes a view of an image that has memory.
    ///
    /// # Errors
    /// None on valid use.
    pub fn new(_device: &Arc<Device>, image: &Image, create: &ImageViewCreate) -> Result<Arc<ImageView>> {
        let image_create = image.create();
        let range = &create.range;
        let levels = match range.level_count {
            vk::REMAINING_MIP_LEVELS => image_create.levels.saturating_sub(range.base_mip_level),
            n => n,
        };
        // The layers of a 2D view of a 3D image are its slices.
        let slices_as_layers = image.is_3d() && create.view_type != vk::ImageViewType::TYPE_3D;
        let all = if slices_as_layers { image.slices(range.base_mip_level) } else { image_create.layers };
        let layers = match range.layer_count {
            vk::REMAINING_ARRAY_LAYERS => all.saturating_sub(range.base_array_layer),
            n => n,
        };
        // VK_REMAINING_3D_SLICES_EXT is all ones.
        let slices = create.slices.map(|(first, count)| {
            let rest = image.slices(range.base_mip_level).saturating_sub(first);
            (first, count.min(rest))
        });
        Ok(Arc::new(ImageView {
            info: ViewInfo {
                addresses: image.addresses(),
                image: *image_create,
                layout: image.layout().clone(),
                view_type: create.view_type,
                format: create.format,
                swizzle: swizzle(&create.components),
                aspect: range.aspect_mask,
                base_level: range.base_mip_level,
                levels,
                base_layer: range.base_array_layer,
                layers,
                slices,
                usage: create.usage.unwrap_or(image_create.usage),
                min_lod: create.min_lod,
                decode_mode: create.decode_mode,
            },
        }))
    }

    /// What it says.
    pub fn info(&self) -> &ViewInfo {
        &self.info
    }
}
