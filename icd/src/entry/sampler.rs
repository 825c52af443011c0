//! Samplers.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, Out, Taken};
use crate::objects::Device;
use ash::vk;
use runtime::gpu::{SamplerInfo, YcbcrConversion};
use runtime::{border_color, swizzle, Sampler};

/// The bits of a custom border colour. Which of the union's members counts is said by the border colour; all have 32 bits.
fn custom_color(info: In<'_, vk::SamplerCreateInfo<'_>>) -> Option<[u32; 4]> {
    let custom = info.next::<vk::SamplerCustomBorderColorCreateInfoEXT<'_>>()?;
    // SAFETY: the members are arrays of four words, and every bit pattern is a word.
    Some(unsafe { custom.custom_border_color.uint32 })
}

/// What a sampler is to do.
pub(super) fn sampler_info(info: In<'_, vk::SamplerCreateInfo<'_>>) -> SamplerInfo {
    SamplerInfo {
        mag_filter: info.mag_filter,
        min_filter: info.min_filter,
        mipmap_mode: info.mipmap_mode,
        address: [info.address_mode_u, info.address_mode_v, info.address_mode_w],
        lod_bias: info.mip_lod_bias,
        max_anisotropy: (info.anisotropy_enable != vk::FALSE).then_some(info.max_anisotropy),
        compare: (info.compare_enable != vk::FALSE).then_some(info.compare_op),
        min_lod: info.min_lod,
        max_lod: info.max_lod,
        border: border_color(info.border_color, custom_color(info)),
        unnormalized: info.unnormalized_coordinates != vk::FALSE,
        conversion: info.next::<vk::SamplerYcbcrConversionInfo<'_>>().map(|c| *c.conversion()),
        seamless: !info.flags.contains(vk::SamplerCreateFlags::NON_SEAMLESS_CUBE_MAP_EXT),
        reduction: info
            .next::<vk::SamplerReductionModeCreateInfo<'_>>()
            .map_or(vk::SamplerReductionMode::WEIGHTED_AVERAGE, |r| r.reduction_mode),
    }
}

pub fn create_sampler(
    device: &Device,
    info: In<'_, vk::SamplerCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::Sampler>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || device.ok(Sampler::new(&device.rt, &sampler_info(info))))
}

pub fn destroy_sampler(device: &Device, sampler: Taken<'_, vk::Sampler>, callbacks: Callbacks<'_>) {
    sampler.destroy(&Allocator::choose(callbacks, &device.alloc));
}

pub fn create_sampler_ycbcr_conversion(
    device: &Device,
    info: In<'_, vk::SamplerYcbcrConversionCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::SamplerYcbcrConversion>,
) -> VkResult {
    create(&device.alloc, callbacks, out, || {
        Ok(YcbcrConversion {
            format: info.format,
            model: info.ycbcr_model,
            range: info.ycbcr_range,
            components: swizzle(&info.components),
            offsets: [info.x_chroma_offset, info.y_chroma_offset],
            chroma_filter: info.chroma_filter,
        })
    })
}

pub fn destroy_sampler_ycbcr_conversion(
    device: &Device,
    conversion: Taken<'_, vk::SamplerYcbcrConversion>,
    callbacks: Callbacks<'_>,
) {
    conversion.destroy(&Allocator::choose(callbacks, &device.alloc));
}
