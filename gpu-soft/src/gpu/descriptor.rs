//! Descriptors in set memory.

use crate::image::{
    ConversionDesc, Filter, ImageDesc, PackedImage, PackedSampler, SamplerDesc, COMBINED_SAMPLER_OFFSET,
    IMAGE_DESC_BYTES, SAMPLER_DESC_BYTES,
};
use crate::texel;
use ash::vk;
use runtime::gpu::{DescriptorWrite, SamplerInfo, ViewInfo, YcbcrConversion};
use zerocopy::IntoBytes;

/// Bytes of a buffer descriptor: address and size.
const BUFFER_BYTES: u32 = 16;

/// Bytes of a descriptor.
pub fn size(ty: vk::DescriptorType) -> u32 {
    match ty {
        vk::DescriptorType::UNIFORM_BUFFER
        | vk::DescriptorType::STORAGE_BUFFER
        | vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC
        | vk::DescriptorType::STORAGE_BUFFER_DYNAMIC => BUFFER_BYTES,
        vk::DescriptorType::SAMPLED_IMAGE
        | vk::DescriptorType::STORAGE_IMAGE
        | vk::DescriptorType::UNIFORM_TEXEL_BUFFER
        | vk::DescriptorType::STORAGE_TEXEL_BUFFER
        | vk::DescriptorType::INPUT_ATTACHMENT => IMAGE_DESC_BYTES,
        vk::DescriptorType::SAMPLER => SAMPLER_DESC_BYTES,
        vk::DescriptorType::COMBINED_IMAGE_SAMPLER => IMAGE_DESC_BYTES + SAMPLER_DESC_BYTES,
        vk::DescriptorType::INLINE_UNIFORM_BLOCK => 1,
        _ => 0,
    }
}

/// Copies as much as fits, and zeros behind it.
fn put(out: &mut [u8], bytes: &[u8]) {
    let n = bytes.len().min(out.len());
    out[..n].copy_from_slice(&bytes[..n]);
    out[n..].fill(0);
}

/// Writes a descriptor. A texel buffer of a format this GPU does not know becomes the null descriptor.
pub fn write(ty: vk::DescriptorType, write: &DescriptorWrite<'_>, out: &mut [u8]) {
    match write {
        DescriptorWrite::Null => out.fill(0),
        DescriptorWrite::Buffer { address, size } => put(out, [*address, *size].as_bytes()),
        DescriptorWrite::TexelBuffer { address, size, format } => {
            let desc = texel::find(*format)
                .map_or_else(ImageDesc::default, |f| texel_buffer(*address, *size, *format, f.bytes));
            put(out, desc.pack().as_bytes());
        }
        DescriptorWrite::Image(view) => put(out, image(view, ty).pack().as_bytes()),
        DescriptorWrite::Sampler(info) => put(out, sampler(info).as_bytes()),
        DescriptorWrite::Combined { view, sampler: info } => {
            let split = (COMBINED_SAMPLER_OFFSET as usize).min(out.len());
            let (image_part, sampler_part) = out.split_at_mut(split);
            put(image_part, view.map_or_else(PackedImage::default, |v| image(v, ty).pack()).as_bytes());
            put(sampler_part, info.map_or_else(PackedSampler::default, sampler).as_bytes());
        }
    }
}

fn texel_buffer(address: u64, size: u64, format: vk::Format, bytes: u32) -> ImageDesc {
    let elements = u32::try_from(size / u64::from(bytes.max(1))).unwrap_or(u32::MAX);
    ImageDesc {
        addr: address,
        format: format.as_raw(),
        extent: [elements, 1, 1],
        image_layers: 1,
        layers: 1,
        image_levels: 1,
        levels: 1,
        samples: 1,
        kind: ImageDesc::BUFFER,
        bytes: bytes as u8,
        swizzle: [0, 1, 2, 3],
        ..ImageDesc::default()
    }
}

fn swizzle(component: vk::ComponentSwizzle, own: u8) -> u8 {
    match component {
        vk::ComponentSwizzle::R => 0,
        vk::ComponentSwizzle::G => 1,
        vk::ComponentSwizzle::B => 2,
        vk::ComponentSwizzle::A => 3,
        vk::ComponentSwizzle::ZERO => 4,
        vk::ComponentSwizzle::ONE => 5,
        _ => own,
    }
}

/// Address of the first byte of a plane.
fn plane_address(view: &ViewInfo, plane: usize) -> u64 {
    let first = plane * view.layout.level_count as usize;
    let offset = view.layout.levels.get(first).map_or(0, |l| l.offset);
    view.addresses.get(plane).map_or(0, |a| a.wrapping_add(offset))
}

fn image(view: &ViewInfo, ty: vk::DescriptorType) -> ImageDesc {
    // Views of one plane, and of depth or stencil, see a format of their own.
    let own = texel::aspect_format(view.image.format, view.aspect);
    let Some(format) = texel::find(own) else { return ImageDesc::default() };
    let plane = view.layout.plane(view.aspect);
    let shift = texel::planes(view.image.format).and_then(|p| p.get(plane)).map_or([0, 0], |p| p.shift);
    let [width, height, depth] = view.image.extent;
    // Of a multi-planar view as a whole the format says how the planes are to be read.
    let seen = if texel::depth_stencil_planes(view.format).is_some() { own } else { view.format };
    let (slices, base_layer, layers) = match (view.slices, view.image.ty, view.view_type) {
        (_, vk::ImageType::TYPE_3D, t) if t != vk::ImageViewType::TYPE_3D => {
            (ImageDesc::SLICES_AS_LAYERS, view.base_layer, view.layers)
        }
        // Sampling sees the whole image all the same.
        (Some((first, count)), vk::ImageType::TYPE_3D, _) if ty == vk::DescriptorType::STORAGE_IMAGE => {
            (ImageDesc::SOME_SLICES, first, count)
        }
        _ => (ImageDesc::ALL_SLICES, view.base_layer, view.layers),
    };
    let cube = matches!(view.view_type, vk::ImageViewType::CUBE | vk::ImageViewType::CUBE_ARRAY);
    let components = if ty == vk::DescriptorType::STORAGE_IMAGE {
        [0, 1, 2, 3]
    } else {
        std::array::from_fn(|i| swizzle(view.swizzle[i], i as u8))
    };
    ImageDesc {
        addr: plane_address(view, plane),
        format: seen.as_raw(),
        extent: [width >> shift[0], height >> shift[1], depth],
        image_layers: view.image.layers,
        base_layer,
        layers,
        image_levels: view.image.levels as u8,
        base_level: view.base_level as u8,
        levels: view.levels as u8,
        samples: view.image.samples as u8,
        kind: ImageDesc::IMAGE,
        slices,
        bytes: format.bytes as u8,
        cube: u8::from(cube),
        swizzle: components,
        min_lod: view.min_lod.to_bits(),
        tile: super::image::tile(&view.image).unwrap_or_default(),
        block: format.block,
        unorm8: u8::from(view.decode_mode == Some(vk::Format::R8G8B8A8_UNORM)),
        reserved: [0; 6],
        planes: match texel::colour_planes(seen) {
            Some(_) => [1, 2].map(|plane| plane_address(view, plane)),
            None => [0; 2],
        },
    }
}

/// The engine's form of a filter.
pub(super) fn filter(filter: vk::Filter) -> Filter {
    match filter {
        vk::Filter::NEAREST => Filter::Nearest,
        vk::Filter::CUBIC_EXT => Filter::Cubic,
        _ => Filter::Linear,
    }
}

fn conversion(c: &YcbcrConversion) -> ConversionDesc {
    let midpoint = c.offsets.map(|o| u8::from(o == vk::ChromaLocation::MIDPOINT));
    ConversionDesc {
        model: (c.model.as_raw() as u8).saturating_add(1),
        narrow: u8::from(c.range == vk::SamplerYcbcrRange::ITU_NARROW),
        midpoint: midpoint[0] | midpoint[1] << 1,
        linear: u8::from(c.chroma_filter != vk::Filter::NEAREST),
        swizzle: std::array::from_fn(|i| swizzle(c.components[i], i as u8)),
    }
}

fn sampler(info: &SamplerInfo) -> PackedSampler {
    let desc = SamplerDesc {
        mag: filter(info.mag_filter) as u8,
        min: filter(info.min_filter) as u8,
        mip: info.mipmap_mode.as_raw() as u8,
        reduction: info.reduction.as_raw() as u8,
        address: info.address.map(|a| a.as_raw() as u8),
        compare: u8::from(info.compare.is_some()),
        compare_op: info.compare.map_or(0, |c| c.as_raw() as u8),
        unnormalized: u8::from(info.unnormalized),
        anisotropy: info.max_anisotropy.map_or(0, |a| a as u8),
        separate_faces: u8::from(!info.seamless),
        bias: info.lod_bias.to_bits(),
        min_lod: info.min_lod.to_bits(),
        max_lod: info.max_lod.to_bits(),
        border: info.border.bits,
        converts: u8::from(info.conversion.is_some()),
        conversion: info.conversion.as_ref().map_or_else(ConversionDesc::default, conversion),
    };
    desc.pack()
}
