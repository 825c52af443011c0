//! Image and sampler descriptors as they stand in descriptor-set memory.

use super::layout::{Shape, Tile};
use crate::texel::BlockMode;
use ash::vk;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of an image (or texel buffer) descriptor.
pub const IMAGE_DESC_BYTES: u32 = 64;

/// Bytes of a sampler descriptor.
pub const SAMPLER_DESC_BYTES: u32 = 32;

/// An image view or a texel buffer view as it is worked with; [`PackedImage`] is how it stands in memory. All zeros is the null
/// descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ImageDesc {
    /// Address of the image (level 0, layer 0) or of the first element.
    pub addr: u64,
    /// The view's `VkFormat`.
    pub format: i32,
    /// Extent of level 0 of the image; for texel buffers the number of elements and 1, 1.
    pub extent: [u32; 3],
    /// Layers of the image.
    pub image_layers: u32,
    /// First layer of the view (first slice, where it sees some of them).
    pub base_layer: u32,
    /// Layers of the view (or slices).
    pub layers: u32,
    /// Levels of the image.
    pub image_levels: u8,
    /// First level of the view.
    pub base_level: u8,
    /// Levels of the view.
    pub levels: u8,
    /// Samples of a texel.
    pub samples: u8,
    /// 0 null, [`ImageDesc::IMAGE`], [`ImageDesc::BUFFER`].
    pub kind: u8,
    /// What the view of a 3D image sees: [`ImageDesc::ALL_SLICES`] and the others.
    pub slices: u8,
    /// Bytes of a block of the image.
    pub bytes: u8,
    /// 1 for cube views.
    pub cube: u8,
    /// Swizzle of R, G, B, A: 0–3 a component, 4 zero, 5 one.
    pub swizzle: [u8; 4],
    /// Bits of the least level of detail (`f32`).
    pub min_lod: u32,
    /// The image's tiles, as in [`Shape::tile`].
    pub tile: Tile,
    /// Width and height of a block of the image, as in [`Shape::block`].
    pub block: [u8; 2],
    /// 1: blocks are decoded to eight bits ([`BlockMode::Unorm8`]).
    pub unorm8: u8,
    /// Zeros.
    pub reserved: [u8; 6],
    /// Addresses of the second and third plane of a view of luma and chroma; else 0.
    pub planes: [u64; 2],
}

impl ImageDesc {
    /// Kind of an image descriptor.
    pub const IMAGE: u8 = 1;
    /// Kind of a texel-buffer descriptor.
    pub const BUFFER: u8 = 2;
    /// In memory, the kind of an image whose planes stand where other images have what follows the swizzle: images of luma and
    /// chroma have one level, no blocks and no tiles.
    const PLANAR: u8 = 3;

    /// Every slice, or the image is not 3D.
    pub const ALL_SLICES: u8 = 0;
    /// Slices are layers.
    pub const SLICES_AS_LAYERS: u8 = 1;
    /// A 3D view of `layers` slices from `base_layer` on.
    pub const SOME_SLICES: u8 = 2;

    /// The descriptor at an address.
    ///
    /// # Safety
    /// The address is that of an image descriptor in memory.
    pub unsafe fn read(at: *const u8) -> ImageDesc {
        // SAFETY: this function's contract.
        unsafe { at.cast::<PackedImage>().read_unaligned() }.unpack()
    }

    /// Its form in memory.
    pub fn pack(self) -> PackedImage {
        let planar = self.planes != [0; 2];
        let desc = if planar { ImageDesc { kind: ImageDesc::PLANAR, ..self } } else { self };
        let [a, b, c, d, e, f, g, h, first, second]: [u64; 10] = zerocopy::transmute!(desc);
        let [g, h] = if planar { [first, second] } else { [g, h] };
        PackedImage([a, b, c, d, e, f, g, h])
    }

    /// The layout of the image behind the view.
    pub fn shape(&self) -> Shape {
        Shape {
            bytes: u32::from(self.bytes),
            block: self.block,
            extent: self.extent,
            layers: self.image_layers,
            levels: u32::from(self.image_levels),
            samples: u32::from(self.samples),
            tile: self.tile,
        }
    }

    /// How blocks are decoded.
    pub fn block_mode(&self) -> BlockMode {
        if self.unorm8 != 0 {
            BlockMode::Unorm8
        } else {
            BlockMode::Full
        }
    }

    /// The view's format.
    pub fn vk_format(&self) -> vk::Format {
        vk::Format::from_raw(self.format)
    }
}

/// An image or texel buffer view in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PackedImage([u64; 8]);

impl PackedImage {
    /// The view.
    pub fn unpack(self) -> ImageDesc {
        let [a, b, c, d, e, f, g, h] = self.0;
        let desc: ImageDesc = zerocopy::transmute!([a, b, c, d, e, f, g, h, 0, 0]);
        if desc.kind != ImageDesc::PLANAR {
            return desc;
        }
        let desc: ImageDesc = zerocopy::transmute!([a, b, c, d, e, f, 0, 0, g, h]);
        ImageDesc { kind: ImageDesc::IMAGE, block: [1, 1], ..desc }
    }
}

/// How texels near a point are found and blended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The one texel the point is in.
    Nearest = 0,
    /// Two in each dimension.
    Linear = 1,
    /// Four in each dimension.
    Cubic = 2,
}

impl Filter {
    /// Of the number in a descriptor; unknown ones are nearest.
    pub fn from_code(code: u8) -> Filter {
        Filter::known(u32::from(code)).unwrap_or(Filter::Nearest)
    }

    /// Of its number, if there is such a filter.
    pub fn known(code: u32) -> Option<Filter> {
        [Filter::Nearest, Filter::Linear, Filter::Cubic].into_iter().find(|f| *f as u32 == code)
    }
}

/// A sampler as it is worked with; [`PackedSampler`] is how it stands in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SamplerDesc {
    /// [`Filter`] for magnification.
    pub mag: u8,
    /// [`Filter`] for minification.
    pub min: u8,
    /// `VkSamplerMipmapMode`.
    pub mip: u8,
    /// `VkSamplerReductionMode`.
    pub reduction: u8,
    /// `VkSamplerAddressMode` of u, v and w.
    pub address: [u8; 3],
    /// 1 if depth comparison is on.
    pub compare: u8,
    /// `VkCompareOp`.
    pub compare_op: u8,
    /// 1 for unnormalised coordinates.
    pub unnormalized: u8,
    /// Most samples along the axis of anisotropy; 0 and 1 are none.
    pub anisotropy: u8,
    /// 1 if the faces of a cube end at their edges.
    pub separate_faces: u8,
    /// Bits of the level-of-detail bias (`f32`).
    pub bias: u32,
    /// Bits of the least level of detail (`f32`).
    pub min_lod: u32,
    /// Bits of the greatest level of detail (`f32`).
    pub max_lod: u32,
    /// Border colour: `f32` bits or integers. Samplers that convert have none: they clamp to the edge.
    pub border: [u32; 4],
    /// 1 if luma and chroma are converted.
    pub converts: u8,
    /// Conversion of luma and chroma.
    pub conversion: ConversionDesc,
}

/// A sampler in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PackedSampler {
    /// The small fields of [`SamplerDesc`], in order from the lowest bit, in as many bits as they need.
    pub flags: u32,
    /// As in [`SamplerDesc`].
    pub bias: u32,
    /// As in [`SamplerDesc`].
    pub min_lod: u32,
    /// As in [`SamplerDesc`].
    pub max_lod: u32,
    /// As in [`SamplerDesc`]; of samplers that convert the conversion, and zeros.
    pub border: [u32; 4],
}

impl SamplerDesc {
    /// The sampler at an address.
    ///
    /// # Safety
    /// The address is that of a sampler descriptor.
    pub unsafe fn read(at: *const u8) -> SamplerDesc {
        // SAFETY: this function's contract.
        unsafe { at.cast::<PackedSampler>().read_unaligned() }.unpack()
    }

    /// The small fields with their widths in bits, in order.
    fn fields(&mut self) -> [(&mut u8, u32); 13] {
        let [u, v, w] = &mut self.address;
        [
            (&mut self.mag, 2),
            (&mut self.min, 2),
            (&mut self.mip, 1),
            (&mut self.reduction, 2),
            (u, 3),
            (v, 3),
            (w, 3),
            (&mut self.compare, 1),
            (&mut self.compare_op, 3),
            (&mut self.unnormalized, 1),
            (&mut self.anisotropy, 5),
            (&mut self.separate_faces, 1),
            (&mut self.converts, 1),
        ]
    }

    /// Its form in memory.
    pub fn pack(mut self) -> PackedSampler {
        let (mut flags, mut at) = (0, 0);
        for (field, bits) in self.fields() {
            flags |= (u32::from(*field) & ((1 << bits) - 1)) << at;
            at += bits;
        }
        let SamplerDesc { bias, min_lod, max_lod, .. } = self;
        let border = if self.converts != 0 {
            let [first, second]: [u32; 2] = zerocopy::transmute!(self.conversion);
            [first, second, 0, 0]
        } else {
            self.border
        };
        PackedSampler { flags, bias, min_lod, max_lod, border }
    }
}

impl PackedSampler {
    /// The sampler.
    pub fn unpack(self) -> SamplerDesc {
        let PackedSampler { flags, bias, min_lod, max_lod, border } = self;
        let mut out = SamplerDesc { bias, min_lod, max_lod, border, ..SamplerDesc::default() };
        let mut at = 0;
        for (field, bits) in out.fields() {
            *field = (flags >> at & ((1 << bits) - 1)) as u8;
            at += bits;
        }
        if out.converts != 0 {
            let [first, second, ..] = std::mem::take(&mut out.border);
            out.conversion = zerocopy::transmute!([first, second]);
        }
        out
    }
}

/// VkSamplerYcbcrConversionCreateInfo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ConversionDesc {
    /// 1 more than `VkSamplerYcbcrModelConversion`; 0: no conversion.
    pub model: u8,
    /// 1 for the narrow range.
    pub narrow: u8,
    /// Bits 0 and 1: chroma samples lie between luma samples in x and y.
    pub midpoint: u8,
    /// 1 if chroma is interpolated.
    pub linear: u8,
    /// Swizzle before the conversion, as in [`ImageDesc::swizzle`].
    pub swizzle: [u8; 4],
}

const _: () = assert!(size_of::<PackedImage>() == IMAGE_DESC_BYTES as usize);
const _: () = assert!(std::mem::offset_of!(ImageDesc, min_lod) == 48);
const _: () = assert!(size_of::<PackedSampler>() == SAMPLER_DESC_BYTES as usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_survive_packing() {
        let plain = ImageDesc {
            addr: 1,
            format: 2,
            extent: [3, 4, 5],
            kind: ImageDesc::IMAGE,
            swizzle: [3, 2, 1, 0],
            min_lod: 1.5f32.to_bits(),
            tile: [7, 6, 5],
            block: [4, 4],
            unorm8: 1,
            ..ImageDesc::default()
        };
        assert_eq!(plain.pack().unpack(), plain);
        let planar = ImageDesc { min_lod: 0, tile: [0; 3], block: [1, 1], unorm8: 0, planes: [9, 8 << 40], ..plain };
        assert_eq!(planar.pack().unpack(), planar);
        assert_eq!(ImageDesc::default().pack(), PackedImage::default());
    }

    #[test]
    fn samplers_survive_packing() {
        let desc = SamplerDesc {
            mag: 2,
            min: 0,
            mip: 1,
            reduction: 2,
            address: [4, 0, 3],
            compare: 1,
            compare_op: 7,
            unnormalized: 1,
            anisotropy: 16,
            separate_faces: 1,
            bias: 1.5f32.to_bits(),
            min_lod: 2,
            max_lod: 3,
            border: [4, 5, 6, 7],
            ..SamplerDesc::default()
        };
        assert_eq!(desc.pack().unpack(), desc);
        let conversion = ConversionDesc { model: 5, narrow: 1, midpoint: 3, linear: 1, swizzle: [2, 5, 4, 3] };
        let converting = SamplerDesc { border: [0; 4], converts: 1, conversion, ..desc };
        assert_eq!(converting.pack().unpack(), converting);
        let other = SamplerDesc { min: 1, address: [1, 2, 0], compare_op: 5, unnormalized: 0, ..desc };
        assert_eq!(other.pack().unpack(), other);
        assert_eq!(SamplerDesc::default().pack(), PackedSampler::default());
    }
}
