//! Formats whose texels stand in several planes: combined depth and stencil, and multi-planar colour.

use ash::vk;
use vk::Format as F;
use vk::ImageAspectFlags as A;

/// One plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// The format of its texels, and of a view of it.
    pub format: vk::Format,
    /// Halvings of width and height against the image.
    pub shift: [u8; 2],
}

const fn full(format: vk::Format) -> Plane {
    Plane { format, shift: [0, 0] }
}

const fn half_width(format: vk::Format) -> Plane {
    Plane { format, shift: [1, 0] }
}

const fn half(format: vk::Format) -> Plane {
    Plane { format, shift: [1, 1] }
}

/// How much of the luma resolution chroma has.
#[derive(Clone, Copy)]
enum Chroma {
    Full,
    HalfWidth,
    Half,
}

/// One row per format: chroma resolution, format of a one-component plane, and of the two-component plane if there are two planes.
macro_rules! multi_planar {
    ($($name:ident $chroma:ident $one:ident $($two:ident)?;)*) => {
        const ROWS: &[(vk::Format, &[Plane])] = &[$((F::$name, multi_planar!(@planes $chroma $one $($two)?))),*];
    };
    (@planes $chroma:ident $one:ident) => {
        &[full(F::$one), sub(Chroma::$chroma, F::$one), sub(Chroma::$chroma, F::$one)]
    };
    (@planes $chroma:ident $one:ident $two:ident) => {
        &[full(F::$one), sub(Chroma::$chroma, F::$two)]
    };
}

const fn sub(chroma: Chroma, format: vk::Format) -> Plane {
    match chroma {
        Chroma::Full => full(format),
        Chroma::HalfWidth => half_width(format),
        Chroma::Half => half(format),
    }
}

multi_planar! {
    G8_B8_R8_3PLANE_420_UNORM Half R8_UNORM;
    G8_B8R8_2PLANE_420_UNORM Half R8_UNORM R8G8_UNORM;
    G8_B8_R8_3PLANE_422_UNORM HalfWidth R8_UNORM;
    G8_B8R8_2PLANE_422_UNORM HalfWidth R8_UNORM R8G8_UNORM;
    G8_B8_R8_3PLANE_444_UNORM Full R8_UNORM;
    G8_B8R8_2PLANE_444_UNORM Full R8_UNORM R8G8_UNORM;
    G10X6_B10X6_R10X6_3PLANE_420_UNORM_3PACK16 Half R10X6_UNORM_PACK16;
    G10X6_B10X6R10X6_2PLANE_420_UNORM_3PACK16 Half R10X6_UNORM_PACK16 R10X6G10X6_UNORM_2PACK16;
    G10X6_B10X6_R10X6_3PLANE_422_UNORM_3PACK16 HalfWidth R10X6_UNORM_PACK16;
    G10X6_B10X6R10X6_2PLANE_422_UNORM_3PACK16 HalfWidth R10X6_UNORM_PACK16 R10X6G10X6_UNORM_2PACK16;
    G10X6_B10X6_R10X6_3PLANE_444_UNORM_3PACK16 Full R10X6_UNORM_PACK16;
    G10X6_B10X6R10X6_2PLANE_444_UNORM_3PACK16 Full R10X6_UNORM_PACK16 R10X6G10X6_UNORM_2PACK16;
    G12X4_B12X4_R12X4_3PLANE_420_UNORM_3PACK16 Half R12X4_UNORM_PACK16;
    G12X4_B12X4R12X4_2PLANE_420_UNORM_3PACK16 Half R12X4_UNORM_PACK16 R12X4G12X4_UNORM_2PACK16;
    G12X4_B12X4_R12X4_3PLANE_422_UNORM_3PACK16 HalfWidth R12X4_UNORM_PACK16;
    G12X4_B12X4R12X4_2PLANE_422_UNORM_3PACK16 HalfWidth R12X4_UNORM_PACK16 R12X4G12X4_UNORM_2PACK16;
    G12X4_B12X4_R12X4_3PLANE_444_UNORM_3PACK16 Full R12X4_UNORM_PACK16;
    G12X4_B12X4R12X4_2PLANE_444_UNORM_3PACK16 Full R12X4_UNORM_PACK16 R12X4G12X4_UNORM_2PACK16;
    G16_B16_R16_3PLANE_420_UNORM Half R16_UNORM;
    G16_B16R16_2PLANE_420_UNORM Half R16_UNORM R16G16_UNORM;
    G16_B16_R16_3PLANE_422_UNORM HalfWidth R16_UNORM;
    G16_B16R16_2PLANE_422_UNORM HalfWidth R16_UNORM R16G16_UNORM;
    G16_B16_R16_3PLANE_444_UNORM Full R16_UNORM;
    G16_B16R16_2PLANE_444_UNORM Full R16_UNORM R16G16_UNORM;
}

/// Depth in the first plane, stencil in the second.
const DEPTH_STENCIL: &[(vk::Format, &[Plane])] = &[
    (F::D24_UNORM_S8_UINT, &[full(F::X8_D24_UNORM_PACK32), full(F::S8_UINT)]),
    (F::D32_SFLOAT_S8_UINT, &[full(F::D32_SFLOAT), full(F::S8_UINT)]),
];

fn row(rows: &'static [(vk::Format, &'static [Plane])], format: vk::Format) -> Option<&'static [Plane]> {
    rows.iter().find(|r| r.0 == format).map(|r| r.1)
}

/// The planes of a multi-planar colour format: G, then B and R in one plane or two. `None` for others.
pub fn colour_planes(format: vk::Format) -> Option<&'static [Plane]> {
    row(ROWS, format)
}

/// The planes of a combined depth-stencil format. `None` for others.
pub fn depth_stencil_planes(format: vk::Format) -> Option<&'static [Plane]> {
    row(DEPTH_STENCIL, format)
}

/// The planes of a format that has several. `None` for others.
pub fn planes(format: vk::Format) -> Option<&'static [Plane]> {
    colour_planes(format).or_else(|| depth_stencil_planes(format))
}

/// The format of the texels that an aspect of an image or view of `format` has.
pub fn aspect_format(format: vk::Format, aspect: vk::ImageAspectFlags) -> vk::Format {
    let index = match aspect {
        A::STENCIL | A::PLANE_1 => 1,
        A::PLANE_2 => 2,
        _ => 0,
    };
    planes(format).and_then(|p| p.get(index)).map_or(format, |p| p.format)
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    #[test]
    fn planes_have_formats() {
        for (format, planes) in ROWS.iter().chain(DEPTH_STENCIL) {
            assert!(find(*format).is_none(), "{format:?} has one plane and several");
            for p in *planes {
                assert!(find(p.format).is_some(), "{:?} of {format:?}", p.format);
            }
            let components: usize =
                planes.iter().map(|p| find(p.format).unwrap().fields.iter().flatten().count()).sum();
            assert_eq!(components, if planes.len() == 2 && planes[1].format == F::S8_UINT { 2 } else { 3 });
        }
        assert_eq!(aspect_format(F::D24_UNORM_S8_UINT, A::STENCIL), F::S8_UINT);
        assert_eq!(aspect_format(F::G8_B8R8_2PLANE_420_UNORM, A::PLANE_1), F::R8G8_UNORM);
        assert_eq!(aspect_format(F::R8_UNORM, A::COLOR), F::R8_UNORM);
    }
}
