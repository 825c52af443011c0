//! Views that kernels access without help.

use super::access::{Coords, View};
use super::desc::{Filter, ImageDesc, SamplerDesc};
use super::sample::{level_of_detail, levels_read};
use crate::kernel_abi::{image_dim_code, texel_reader_code, PlainImage, PlainLevel, PlainTexture, TexelReader};
use crate::texel::{Class, Format, Numeric};
use ash::vk;
use compiler::sir::ImageDim;

/// Whether kernels read and write texels of this format without help: each component stands in one 32-bit word of a texel of 1, 2,
/// 4, 8 or 16 bytes, or the only one in 64 bits.
pub fn is_plain(format: &Format) -> bool {
    let numeric =
        matches!(format.numeric, Numeric::Unorm | Numeric::Snorm | Numeric::Uint | Numeric::Sint | Numeric::Sfloat);
    let float = format.numeric == Numeric::Sfloat;
    let normalised = matches!(format.numeric, Numeric::Unorm | Numeric::Snorm);
    let fits = |shift: u8, bits: u8| match bits {
        64 => shift == 0 && !float,
        _ => {
            shift / 32 == (shift + bits - 1) / 32
                && (!float || matches!(bits, 16 | 32))
                && (!normalised || (2..=16).contains(&bits))
        }
    };
    format.codec.is_none()
        && format.bytes.is_power_of_two()
        && format.bytes <= 16
        && numeric
        && format.fields.iter().flatten().all(|f| fits(f.shift, f.bits))
}

/// Where the texels of a view stand for instructions of that dimensionality; [`PlainImage::format`] is 0 if it needs help.
pub fn plain_image(desc: &ImageDesc, dim: u32, arrayed: bool) -> PlainImage {
    plain(desc, dim, arrayed).unwrap_or_default()
}

fn plain(desc: &ImageDesc, dim: u32, arrayed: bool) -> Option<PlainImage> {
    let view = View::new(desc)?;
    // Levels below the view's least level of detail are not there.
    if u32::from(desc.base_level) < least_level(desc) || !is_plain(view.format) {
        return None;
    }
    let PlainLevel { base, row, slice, extent, .. } = level(&view, 0, dim, arrayed)?;
    Some(PlainImage { base, row, slice, extent, format: view.format.vk.as_raw() as u32 })
}

/// Where the texels of a level stand, if in rows.
fn level(view: &View<'_>, level: u32, dim: u32, arrayed: bool) -> Option<PlainLevel> {
    const VOLUME: u32 = image_dim_code(ImageDim::D3);
    const CUBE: u32 = image_dim_code(ImageDim::Cube);
    let desc = view.desc;
    if desc.tile != [0; 3] || desc.samples > 1 {
        return None;
    }
    let found = view.level(level);
    let level = &found.level;
    // This is asked of any bytes that stand where a descriptor may be: the sums below must not overflow.
    if u32::from(desc.bytes) != view.format.bytes || level.offset >= 1 << 48 || level.layer >= 1 << 31 {
        return None;
    }
    let (count, slice) = match (desc.slices, dim) {
        (ImageDesc::ALL_SLICES, VOLUME) => (found.size[2], level.slice),
        (ImageDesc::SOME_SLICES, VOLUME) => (desc.layers, level.slice),
        (ImageDesc::ALL_SLICES, CUBE) => (desc.layers.max(1), level.layer),
        (ImageDesc::ALL_SLICES, _) if arrayed => (desc.layers.max(1), level.layer),
        (ImageDesc::SLICES_AS_LAYERS, _) if arrayed => (desc.layers, level.slice),
        (ImageDesc::ALL_SLICES | ImageDesc::SLICES_AS_LAYERS, _) if dim != VOLUME && !arrayed => (1, 0),
        // A view of another shape than the instruction's.
        _ => return None,
    };
    // `None` for views without texels, too.
    let base = view.place(&found, &Coords::default())?.address;
    let [width, height, _] = found.size;
    let end = u64::from(count).checked_mul(slice)?.checked_add(u64::from(height).checked_mul(level.row)?)?;
    let bytes = u64::from(view.format.bytes);
    let aligned = base.is_multiple_of(bytes.min(8));
    (aligned && end <= i32::MAX as u64 && level.row <= i32::MAX as u64).then(|| PlainLevel {
        base,
        row: level.row as u32,
        slice: slice as u32,
        extent: [width, height, count],
        end: (u64::from(count - 1) * slice + u64::from(height - 1) * level.row + u64::from(width) * bytes) as u32,
    })
}

/// What reads texels of a format, and whether the first and third component change places.
fn reader(format: &Format) -> Option<(TexelReader, bool)> {
    Some(match format.vk {
        vk::Format::R8G8B8A8_UNORM | vk::Format::A8B8G8R8_UNORM_PACK32 => (TexelReader::Bytes4, false),
        vk::Format::B8G8R8A8_UNORM => (TexelReader::Bytes4, true),
        vk::Format::R8_UNORM | vk::Format::R8G8_UNORM => (TexelReader::Bytes12, false),
        vk::Format::R32_SFLOAT => (TexelReader::Single1, false),
        vk::Format::R32G32B32A32_SFLOAT => (TexelReader::Single4, false),
        vk::Format::R16G16B16A16_SFLOAT => (TexelReader::Half4, false),
        vk::Format::R32_UINT | vk::Format::R32_SINT => (TexelReader::Word1, false),
        vk::Format::R32G32B32A32_UINT | vk::Format::R32G32B32A32_SINT => (TexelReader::Word4, false),
        _ => return None,
    })
}

/// Where texels of a level of a view stand, and what reads them; [`PlainTexture::reader`] is 0 if that needs help.
pub fn plain_texels(desc: &ImageDesc, dim: u32, arrayed: bool, level: u32) -> PlainTexture {
    texels(desc, dim, arrayed, level).unwrap_or_default()
}

fn texels(desc: &ImageDesc, dim: u32, arrayed: bool, lod: u32) -> Option<PlainTexture> {
    let view = View::new(desc)?;
    let (reader, swap) = reader(view.format)?;
    let there = lod < u32::from(desc.levels.max(1)) && lod + u32::from(desc.base_level) >= least_level(desc);
    if !there || desc.swizzle != [0, 1, 2, 3] {
        return None;
    }
    let levels = [level(&view, lod, dim, arrayed)?, PlainLevel::default()];
    Some(PlainTexture { levels, any_lod: 1, ..read_by(&view, reader, swap) })
}

/// What depends on the format.
fn read_by(view: &View<'_>, reader: TexelReader, swap: bool) -> PlainTexture {
    PlainTexture {
        reader: texel_reader_code(reader),
        swap: u32::from(swap),
        alpha: u32::from(view.format.fields[3].is_some()),
        mask: u32::MAX >> (32 - 8 * view.format.bytes.min(4)),
        bytes: view.format.bytes,
        ..PlainTexture::default()
    }
}

/// Levels of the image below this are not there for accesses to texels.
fn least_level(desc: &ImageDesc) -> u32 {
    f32::from_bits(desc.min_lod) as u32
}

/// How a view is filtered with a sampler for instructions of that dimensionality; [`PlainTexture::reader`] is 0 if it needs
/// help.
pub fn plain_texture(desc: &ImageDesc, sampler: &SamplerDesc, dim: u32, arrayed: bool, lod: f32) -> PlainTexture {
    texture(desc, sampler, dim, arrayed, lod).unwrap_or_default()
}

fn texture(desc: &ImageDesc, sampler: &SamplerDesc, dim: u32, arrayed: bool, lod: f32) -> Option<PlainTexture> {
    let view = View::new(desc)?;
    let (reader, swap) = reader(view.format)?;
    let simple = desc.kind == ImageDesc::IMAGE
        && view.format.class() == Class::Float
        && desc.swizzle == [0, 1, 2, 3]
        && sampler.unnormalized == 0
        && sampler.reduction == 0
        && sampler.conversion.model == 0;
    if !simple {
        return None;
    }
    let (_, lambda) = level_of_detail(&view, sampler, lod, None, None);
    let filter = Filter::from_code(if lambda <= 0.0 { sampler.mag } else { sampler.min });
    let (low, high) = levels_read(&view, sampler, lambda);
    let blend = high.map_or(0.0, |(_, blend)| blend);
    let level = |l| level(&view, l, dim, arrayed);
    Some(PlainTexture {
        levels: [level(low)?, high.map_or(Some(PlainLevel::default()), |(high, _)| level(high))?],
        blend: blend.to_bits(),
        linear: match filter {
            Filter::Nearest => 0,
            Filter::Linear => 1,
            Filter::Cubic => return None,
        },
        address: sampler.address.map(u32::from),
        last_layer: desc.layers.max(1) - 1,
        any_lod: u32::from(desc.levels <= 1 && sampler.mag == sampler.min),
        ..read_by(&view, reader, swap)
    })
}

#[cfg(test)]
mod tests {
    use super::super::PackedImage;
    use super::*;
    use crate::texel::find;
    use zerocopy::FromBytes;

    #[test]
    fn formats() {
        let plain = |f| is_plain(find(f).unwrap());
        assert!(plain(vk::Format::R8G8B8A8_UNORM) && plain(vk::Format::R16_SFLOAT) && plain(vk::Format::R32G32_UINT));
        assert!(plain(vk::Format::A2B10G10R10_UNORM_PACK32) && plain(vk::Format::R64_UINT));
        assert!(!plain(vk::Format::R8G8B8_UNORM) && !plain(vk::Format::BC1_RGB_UNORM_BLOCK));
        assert!(!plain(vk::Format::R8G8B8A8_SRGB) && !plain(vk::Format::B10G11R11_UFLOAT_PACK32));
    }

    #[test]
    fn facts() {
        let desc = ImageDesc {
            addr: 4096,
            format: vk::Format::R32_UINT.as_raw(),
            extent: [10, 4, 1],
            image_layers: 3,
            layers: 2,
            base_layer: 1,
            image_levels: 2,
            base_level: 1,
            levels: 1,
            samples: 1,
            kind: ImageDesc::IMAGE,
            bytes: 4,
            block: [1, 1],
            ..ImageDesc::default()
        };
        // Level 0: three layers of four rows of 48 bytes. Level 1: rows of 32 bytes, two to a layer.
        let format = vk::Format::R32_UINT.as_raw() as u32;
        let base = 4096 + 576 + 64;
        let flat = image_dim_code(ImageDim::D2);
        let layers = PlainImage { base, row: 32, slice: 64, extent: [5, 2, 2], format };
        assert_eq!(plain_image(&desc, flat, true), layers);
        assert_eq!(plain_image(&desc, flat, false), PlainImage { slice: 0, extent: [5, 2, 1], ..layers });
        assert_eq!(plain_image(&ImageDesc { addr: 4098, ..desc }, flat, true).format, 0);
        assert_eq!(plain_image(&ImageDesc { samples: 2, ..desc }, flat, true).format, 0);
        assert_eq!(plain_image(&ImageDesc { extent: [1 << 14, 1 << 14, 1], ..desc }, flat, true).format, format);
        assert_eq!(plain_image(&ImageDesc { extent: [1 << 15, 1 << 16, 1], ..desc }, flat, true).format, 0);
    }

    #[test]
    fn any_bytes_have_facts() {
        let mut state = 1u64;
        let mut bytes = [0u8; size_of::<PackedImage>()];
        let mut found = 0;
        for round in 0..200_000u32 {
            for b in &mut bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let r = (state >> 40) as u8;
                // Small numbers, large ones, and few others.
                *b = [r, 0, 0xff, r & 1, 0, 0x80, 0, 0][usize::from(r >> 5)];
            }
            let desc = PackedImage::read_from_bytes(&bytes).unwrap().unpack();
            let formats = [vk::Format::R8_UNORM, vk::Format::R32G32B32A32_SFLOAT, vk::Format::R64_UINT];
            let format = formats[round as usize % 3].as_raw();
            let bytes = [1, 16, 8][round as usize % 3];
            let desc = ImageDesc { format, bytes, kind: 1 + (round % 2) as u8, ..desc };
            found += u32::from(plain_image(&desc, round % 5, round & 8 != 0).format != 0);
        }
        assert!(found > 0);
    }
}
