//! Reads of textures, and of texels of formats that only the view knows, without help of the engine against those with it.

use super::image_tests::{difference, image, prologue, run, type_of, widths, INVOCATIONS};
use crate::engine::HELPERS;
use crate::image::{Filter, ImageDesc, SamplerDesc};
use crate::kernel_abi::{Helpers, PlainTexture, Width};
use ash::vk;

unsafe extern "C" fn no_texture(_: *const u8, _: *const u8, _: u32, _: u32, _: u32, _: u32, out: *mut PlainTexture) {
    // SAFETY: kernels pass a place for the facts.
    unsafe { out.write(PlainTexture::default()) };
}

/// Runs a kernel with the engine's help and without, at all widths; what images and results of both hold is for `check`.
fn helped_and_plain(
    text: &str,
    desc: &ImageDesc,
    sampler: Option<&SamplerDesc>,
    groups: [u32; 3],
    check: impl Fn(Width, [Vec<u32>; 2], [Vec<u32>; 2]),
) {
    let help = Helpers { plain_texture: no_texture, ..HELPERS };
    for width in widths() {
        let of = |helpers| run(text, desc, sampler, helpers, width, width.lanes(), groups);
        let (helped, plain) = (of(&help), of(&HELPERS));
        check(width, [helped.0, plain.0], [helped.1, plain.1]);
    }
}

/// Compares filtered reads with and without help. Coordinates are %26…%29.
fn compare_reads(local: [u32; 3], body: &str, desc: &ImageDesc, sampler: &SamplerDesc) {
    let body = format!(
        "  %26:f32 %27:f32 %28:f32 %29:f32 = load buffer(%6 %3 16) align 4
{body}  store buffer(%7 %3 0) %50 %51 %52 %53 align 4
  return
}}
"
    );
    let text = prologue(local, "f32", "combined_image_sampler count 1") + &body;
    let groups = [3, (INVOCATIONS as u32 / 3 / local.iter().product::<u32>()).clamp(1, 4), 1];
    helped_and_plain(&text, desc, Some(sampler), groups, |width, _, [helped, plain]| {
        for (i, (a, b)) in helped.iter().zip(&plain).enumerate() {
            let (x, y) = (f32::from_bits(*a), f32::from_bits(*b));
            assert!(
                a == b || x == y || (x.is_nan() && y.is_nan()),
                "{width:?} {local:?} word {i}: {x:?} with help, {y:?} without\n{body}{desc:?}\n{sampler:?}"
            );
        }
        assert!(plain.iter().any(|v| *v != 0));
    });
}

#[test]
fn filtered_reads_are_those_of_the_engine() {
    let read = |dim: &str, coords: &str, more: &str| {
        format!("  %50:f32 %51:f32 %52:f32 %53:f32 = sample 0.0 {dim} coords({coords}){more}\n")
    };
    let check = |dim: &str, coords: &str, more: &str, desc: &ImageDesc, sampler: &SamplerDesc| {
        compare_reads([8, 4, 1], &read(dim, coords, more), desc, sampler);
    };
    let sampler = |filter: Filter, mode: u8| SamplerDesc {
        mag: filter as u8,
        min: filter as u8,
        address: [mode; 3],
        max_lod: 1000f32.to_bits(),
        border: [1f32.to_bits(); 4],
        ..SamplerDesc::default()
    };
    let rgba8 = ImageDesc { layers: 1, ..image(vk::Format::R8G8B8A8_UNORM) };
    for format in [
        vk::Format::R8G8B8A8_UNORM,
        vk::Format::B8G8R8A8_UNORM,
        vk::Format::R8_UNORM,
        vk::Format::R8G8_UNORM,
        vk::Format::R32_SFLOAT,
        vk::Format::R32G32B32A32_SFLOAT,
        vk::Format::R16G16B16A16_SFLOAT,
        // Needs help.
        vk::Format::R8G8B8A8_SRGB,
    ] {
        let desc = ImageDesc { layers: 1, ..image(format) };
        for filter in [Filter::Nearest, Filter::Linear] {
            check("2d", "%26 %27", "", &desc, &sampler(filter, 0));
        }
    }
    for filter in [Filter::Nearest, Filter::Linear] {
        for mode in 1..5 {
            compare_reads([32, 1, 1], &read("2d", "%26 %27", ""), &rgba8, &sampler(filter, mode));
        }
        let s = sampler(filter, 0);
        let offsets = "  %60:i32 = const 3\n  %61:i32 = const -2\n";
        compare_reads([8, 4, 1], &(offsets.to_owned() + &read("2d", "%26 %27", " offsets(%60 %61)")), &rgba8, &s);
        check("2d", "%26 %27", " offsets(%10 %11)", &rgba8, &s);
        let layered = ImageDesc { layers: 3, ..rgba8 };
        check("2d arrayed", "%26 %27 %28", "", &layered, &s);
        let line = ImageDesc { extent: [37, 1, 1], ..rgba8 };
        check("1d", "%26", "", &line, &s);
        check("1d arrayed", "%26 %27", "", &ImageDesc { layers: 2, ..line }, &s);
        let volume = ImageDesc { extent: [17, 6, 4], image_layers: 1, base_layer: 0, ..rgba8 };
        check("3d", "%26 %27 %28", "", &volume, &s);
        // Levels; lanes that are not active; a level of detail that differs by lane.
        let levels = ImageDesc { image_levels: 4, levels: 4, ..rgba8 };
        for lod in ["0.0", "1.0", "1.3", "2.5", "9.0", "-1.0"] {
            let body = format!("  %60:f32 = const {lod}\n{}", read("2d", "%26 %27", " lod %60"));
            for mip in [0, 1] {
                compare_reads([8, 4, 1], &body, &levels, &SamplerDesc { mip, bias: 0.25f32.to_bits(), ..s });
            }
        }
        compare_reads([7, 2, 1], &read("2d", "%26 %27", " lod %28"), &levels, &s);
        compare_reads([7, 2, 1], &read("2d", "%26 %27", " lod %28"), &rgba8, &s);
        for other in [
            ImageDesc { swizzle: [2, 1, 0, 3], ..rgba8 },
            ImageDesc { extent: [1, 1, 1], ..rgba8 },
            ImageDesc { min_lod: 1f32.to_bits(), ..levels },
        ] {
            check("2d", "%26 %27", "", &other, &s);
        }
        check("2d", "%26 %27", "", &rgba8, &SamplerDesc { reduction: 1, ..s });
        check("2d", "%26 %27", "", &rgba8, &SamplerDesc { unnormalized: 1, ..s });
    }
}

#[test]
fn reads_are_without_help() {
    let desc = ImageDesc { layers: 1, ..image(vk::Format::R8G8B8A8_UNORM) };
    let facts = |desc: &ImageDesc, sampler: &SamplerDesc| crate::image::plain_texture(desc, sampler, 1, false, 0.0);
    let linear = SamplerDesc { mag: 1, ..SamplerDesc::default() };
    let found = facts(&desc, &linear);
    assert_eq!((found.reader, found.linear, found.any_lod, found.bytes), (1, 1, 0, 4));
    assert_eq!(facts(&desc, &SamplerDesc { mag: 2, ..linear }).reader, 0);
    assert_eq!(facts(&ImageDesc { levels: 3, ..desc }, &SamplerDesc { min: 1, ..linear }).any_lod, 0);
    assert_eq!(facts(&desc, &SamplerDesc { min: 1, ..linear }).any_lod, 1);
}

#[test]
fn texels_of_undeclared_formats_are_those_of_the_engine() {
    let compare = |ty: &str, body: &str, desc: &ImageDesc| {
        let body = format!(
            "  %50:{ty} %51:{ty} %52:{ty} %53:{ty} = image_load 0.0 {body}
  store buffer(%7 %3 0) %50 %51 %52 %53 align 4
  image_store 0.0 2d arrayed coords(%23 %25 %24) texel(%14 %15 %16 %17)
  %54:bool = ieq %40 %22
  if %54 {{
    image_store 0.0 2d arrayed coords(%10 %11 %12) texel(%17 %15 %14 %16)
    yield
  }} else {{
    yield
  }}
  return
}}
"
        );
        let text = prologue([8, 4, 1], ty, "storage_image count 1 written") + &body;
        helped_and_plain(&text, desc, None, [3, 4, 1], |width, image, out| {
            let [image, out] = [image, out].map(|[helped, plain]| difference(&helped, &plain, ty == "f32"));
            assert!(image.is_none() && out.is_none(), "{width:?} {body} {desc:?} image {image:?}, results {out:?}");
        });
    };
    for format in [
        vk::Format::R8G8B8A8_UNORM,
        vk::Format::B8G8R8A8_UNORM,
        vk::Format::R8_UNORM,
        vk::Format::R8G8_UNORM,
        vk::Format::R32_SFLOAT,
        vk::Format::R32G32B32A32_SFLOAT,
        vk::Format::R16G16B16A16_SFLOAT,
        vk::Format::R32_UINT,
        vk::Format::R32G32B32A32_SINT,
        // Need help.
        vk::Format::R16_UNORM,
        vk::Format::R8G8B8A8_UINT,
    ] {
        let (desc, ty) = (image(format), type_of(format));
        compare(ty, "2d arrayed coords(%10 %11 %12)", &desc);
        compare(ty, "2d arrayed coords(%23 %25 %24)", &desc);
        // The kernel expects the other kind of numbers.
        compare(if ty == "f32" { "i32" } else { "f32" }, "2d arrayed coords(%23 %25 %24)", &desc);
    }
    let desc = image(vk::Format::R8G8B8A8_UNORM);
    let levels = ImageDesc { image_levels: 3, levels: 2, base_level: 1, ..desc };
    compare("f32", "2d arrayed coords(%10 %11 %12) lod %24", &levels);
    compare("f32", "2d arrayed coords(%10 %11 %12) lod %22", &levels);
    compare("f32", "2d arrayed coords(%10 %11 %12) lod %12", &levels);
    compare("f32", "2d arrayed coords(%10 %11 %12)", &ImageDesc { swizzle: [2, 1, 4, 5], ..desc });
    compare("f32", "2d arrayed coords(%10 %11 %12)", &ImageDesc { min_lod: 1f32.to_bits(), ..desc });
    let texels =
        ImageDesc { extent: [40, 1, 1], image_layers: 1, base_layer: 0, layers: 1, kind: ImageDesc::BUFFER, ..desc };
    compare("f32", "texels coords(%10)", &texels);
    compare("f32", "texels coords(%23)", &ImageDesc { addr: 2, ..texels });
}
