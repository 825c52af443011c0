//! Samplers.

use crate::device::Device;
use crate::gpu::{BorderColor, SamplerInfo};
use crate::Result;
use ash::vk;
use std::sync::Arc;

/// A VkSampler.
#[derive(Debug)]
pub struct Sampler {
    info: SamplerInfo,
}

impl Sampler {
    /// Makes a sampler.
    ///
    /// # Errors
    /// None today; samplers are plain data.
    pub fn new(_device: &Arc<Device>, info: &SamplerInfo) -> Result<Arc<Sampler>> {
        Ok(Arc::new(Sampler { info: *info }))
    }

    /// What it says.
    pub fn info(&self) -> &SamplerInfo {
        &self.info
    }
}

/// The components of a border colour; `custom` holds the bits of VkSamplerCustomBorderColorCreateInfoEXT.
pub fn border_color(color: vk::BorderColor, custom: Option<[u32; 4]>) -> BorderColor {
    let one = 1.0f32.to_bits();
    let (bits, integer) = match color {
        vk::BorderColor::INT_TRANSPARENT_BLACK => ([0; 4], true),
        vk::BorderColor::FLOAT_OPAQUE_BLACK => ([0, 0, 0, one], false),
        vk::BorderColor::INT_OPAQUE_BLACK => ([0, 0, 0, 1], true),
        vk::BorderColor::FLOAT_OPAQUE_WHITE => ([one; 4], false),
        vk::BorderColor::INT_OPAQUE_WHITE => ([1; 4], true),
        vk::BorderColor::INT_CUSTOM_EXT => (custom.unwrap_or_default(), true),
        vk::BorderColor::FLOAT_CUSTOM_EXT => (custom.unwrap_or_default(), false),
        _ => ([0; 4], false),
    };
    BorderColor { bits, integer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn border_colors() {
        assert_eq!(border_color(vk::BorderColor::INT_OPAQUE_BLACK, None).bits, [0, 0, 0, 1]);
        assert_eq!(border_color(vk::BorderColor::FLOAT_OPAQUE_WHITE, None).bits, [0x3f80_0000; 4]);
        let custom = border_color(vk::BorderColor::INT_CUSTOM_EXT, Some([1, 2, 3, 4]));
        assert_eq!(custom, BorderColor { bits: [1, 2, 3, 4], integer: true });
    }
}
