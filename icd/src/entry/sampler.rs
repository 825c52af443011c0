//! Samplers.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, Out, Taken};
use crate::objects::Device;
use ash::vk;
use runtime::gpu::SamplerInfo;
use runtime::{border_color, Sampler};

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

/// samplerYcbcrConversion is not supported, so no valid use gets here.
pub fn create_sampler_ycbcr_conversion(
    device: &Device,
    _info: In<'_, vk::SamplerYcbcrConversionCreateInfo<'_>>,
    _callbacks: Callbacks<'_>,
    out: Out<'_, vk::SamplerYcbcrConversion>,
) -> VkResult {
    out.set(vk::SamplerYcbcrConversion::null());
    device.ok(Err(runtime::Error::FeatureNotPresent("samplerYcbcrConversion")))
}

pub fn destroy_sampler_ycbcr_conversion(
    _device: &Device,
    _conversion: vk::SamplerYcbcrConversion,
    _callbacks: Callbacks<'_>,
) {
}
