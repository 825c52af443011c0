//! Accesses without help against those with it: the same kernel with the image's format declared and not declared.

use super::{compile, Options};
use crate::engine::HELPERS;
use crate::image::{ImageDesc, PackedImage, PackedSampler, SamplerDesc, COMBINED_SAMPLER_OFFSET};
use crate::kernel_abi::{
    BindingSlot, BufferDesc, DispatchCtx, Helpers, ImageOp, PlainImage, Width, ARENA_ALIGN, MAX_SETS,
};
use crate::loader::Loaded;
use crate::texel;
use ash::vk;
use compiler::sir::ImageFormat;
use compiler::text::parse;

/// A generator of numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }
}

/// Bytes at an address that is a multiple of 64.
struct Aligned {
    words: Vec<u64>,
}

impl Aligned {
    fn new(bytes: usize) -> Aligned {
        Aligned { words: vec![0; bytes.div_ceil(8) + 8] }
    }

    fn addr(&mut self) -> u64 {
        (self.words.as_mut_ptr() as u64).next_multiple_of(64)
    }
}

const IMAGE_BYTES: usize = 1 << 16;
/// Where the descriptors of the buffers stand in the set, behind an image and its sampler.
const BUFFERS_AT: u32 = 128;
/// Most invocations; each has eight words in buffers 1 (in) and 2 (out).
pub const INVOCATIONS: usize = 3 * 4 * 32;

/// Runs a kernel over an image at binding 0, coordinates and values in a buffer at binding 1 and results in one at binding 2;
/// what the image and the results hold afterwards.
pub fn run(
    text: &str,
    desc: &ImageDesc,
    sampler: Option<&SamplerDesc>,
    helpers: &Helpers,
    width: Width,
    lanes: u32,
    groups: [u32; 3],
) -> (Vec<u32>, Vec<u32>) {
    let best = run_tier(text, desc, sampler, helpers, (width, false), lanes, groups);
    // Other widths have no code of their own for it.
    if width == Width::W16 {
        let first = run_tier(text, desc, sampler, helpers, (width, true), lanes, groups);
        assert!(first == best, "code that is there at once does something else:\n{text}");
    }
    best
}

fn run_tier(
    text: &str,
    desc: &ImageDesc,
    sampler: Option<&SamplerDesc>,
    helpers: &Helpers,
    (width, quick): (Width, bool),
    lanes: u32,
    groups: [u32; 3],
) -> (Vec<u32>, Vec<u32>) {
    let kernel = parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    compiler::verify::verify(&kernel).expect("valid");
    let slot = |binding: u32, offset: u32| BindingSlot { binding, offset, stride: 64, count: 1, ..Default::default() };
    let slots = [slot(0, 0), slot(1, BUFFERS_AT), slot(2, BUFFERS_AT + 16)];
    let options = Options { subgroup_size: lanes, quick, ..Options::new(width, &slots) };
    let binary = compile(&kernel, &options).expect("compiles");
    assert_eq!(binary.stats.refused, None);
    let loaded = Loaded::load(&binary.bytes).expect("loads");
    let mut random = Random(7);
    let mut image = Aligned::new(IMAGE_BYTES);
    let mut input = Aligned::new(INVOCATIONS * 8 * 4);
    let mut output = Aligned::new(INVOCATIONS * 32);
    for i in 0..IMAGE_BYTES / 4 {
        // SAFETY: the memory has so many words.
        unsafe { (image.addr() as *mut u32).add(i).write(random.next() << 1 ^ random.next()) };
    }
    // Coordinates that are mostly inside, and values of all kinds.
    let words = input.addr() as *mut u32;
    for i in 0..INVOCATIONS {
        for j in 0..8 {
            let r = random.next();
            let value = match (j, r % 16) {
                // Coordinates of textures: mostly inside, some in the middle of texels or on their edges, few absurd.
                (4.., _) if sampler.is_some() => match r % 256 {
                    0 => [f32::NAN, f32::INFINITY, 1e30][(r >> 8) as usize % 3].to_bits(),
                    1..80 => (((r >> 8) % 74) as f32 / 74.0).to_bits(),
                    80..110 => (((r >> 8) % 64) as f32 / 16.0 - 1.5).to_bits(),
                    110..120 => ((r >> 8) as f32 / (1 << 21) as f32 - 2.0).to_bits(),
                    _ => ((r >> 8) as f32 / (1 << 23) as f32).to_bits(),
                },
                (0..4, 0) => random.next() << 1,
                (0..4, 1) => u32::MAX,
                (0..4, _) => (r >> 8) % [40, 9, 5, 1][j],
                (_, 0) => f32::NAN.to_bits(),
                (_, 1) => f32::INFINITY.to_bits(),
                (_, 2) => (-0.0f32).to_bits(),
                (_, 3..5) => random.next() << 1,
                // Halves of steps, where rounding has to choose.
                (_, 5..9) => (((r >> 8) % 1024) as f32 / 2.0 / 255.0 - 0.5).to_bits(),
                (_, 9) => (r >> 8) % 300,
                (_, 10) => ((r >> 8) as i32 % 300 - 150) as u32,
                _ => ((r >> 8) as f32 / (1 << 22) as f32 - 1.0).to_bits(),
            };
            // SAFETY: eight words per invocation.
            unsafe { words.add(i * 8 + j).write(value) };
        }
    }
    let sampler = sampler.copied().unwrap_or_default();
    let mut set = vec![0u8; 256];
    // What the kernel sees: `addr` counts from the image's start.
    let desc = ImageDesc { addr: image.addr() + desc.addr, ..*desc }.pack();
    let (input_size, output_size) = (INVOCATIONS as u64 * 32, INVOCATIONS as u64 * 32);
    let buffers =
        [(input.addr(), input_size), (output.addr(), output_size)].map(|(addr, size)| BufferDesc { addr, size });
    // SAFETY: the set has room for an image and sampler descriptor and two buffer descriptors.
    unsafe {
        set.as_mut_ptr().cast::<PackedImage>().write_unaligned(desc);
        set.as_mut_ptr().add(COMBINED_SAMPLER_OFFSET as usize).cast::<PackedSampler>().write_unaligned(sampler.pack());
        set.as_mut_ptr().add(BUFFERS_AT as usize).cast::<[BufferDesc; 2]>().write_unaligned(buffers);
    }
    let mut sets = [0u64; MAX_SETS];
    sets[0] = set.as_ptr() as u64;
    let push = [0u8; 256];
    let cancel = 0u32;
    let ctx = DispatchCtx {
        push: push.as_ptr(),
        sets: sets.as_ptr(),
        dynamic: std::ptr::null(),
        helpers,
        user: std::ptr::null(),
        base_group: [0; 3],
        group_count: groups,
        cancel: &cancel,
    };
    let mut arena = vec![0u8; loaded.arena_bytes() + ARENA_ALIGN];
    let skip = arena.as_ptr().align_offset(ARENA_ALIGN);
    let all = groups.iter().map(|g| u64::from(*g)).product();
    // SAFETY: the context's pointers refer to live arrays, descriptors describe live memory, and the arena has the size and
    // alignment that the kernel asks for.
    unsafe { loaded.entry()(&ctx, 0, all, arena[skip..].as_mut_ptr()) };
    let read = |addr: u64, bytes: usize| {
        // SAFETY: the memory is alive and has that many bytes.
        unsafe { std::slice::from_raw_parts(addr as *const u32, bytes / 4).to_vec() }
    };
    (read(image.addr(), IMAGE_BYTES), read(output.addr(), INVOCATIONS * 32))
}

/// Coordinates and values of invocation `%0` from buffer 1: %10…%12 and %14…%17.
pub fn prologue(local: [u32; 3], ty: &str, kind: &str) -> String {
    format!(
        r#"kernel "k"
local_size {} {} {}
binding 0.0 {kind}
binding 0.1 storage_buffer count 1
binding 0.2 storage_buffer count 1 written
body {{
  %40:i32 = builtin local_index
  %41:i32 = builtin workgroup_id.x
  %42:i32 = builtin workgroup_id.y
  %43:i32 = const {}
  %44:i32 = const 3
  %45:i32 = imul %42 %44
  %46:i32 = iadd %41 %45
  %47:i32 = imul %46 %43
  %0:i32 = iadd %40 %47
  %1:i64 = zext %0
  %2:i64 = const 32
  %3:i64 = imul %1 %2
  %4:i64 = const 16
  %5:i64 = imul %1 %4
  %6:buf = buffer 0.1
  %7:buf = buffer 0.2
  %10:i32 %11:i32 %12:i32 %13:i32 = load buffer(%6 %3 0) align 4
  %14:{ty} %15:{ty} %16:{ty} %17:{ty} = load buffer(%6 %3 16) align 4
  %20:i32 = builtin global_id.x
  %21:i32 = builtin global_id.y
  %22:i32 = const 3
  %23:i32 = isub %20 %22
  %24:i32 = const 1
  %25:i32 = isub %21 %24
"#,
        local[0],
        local[1],
        local[2],
        local.iter().product::<u32>(),
    )
}

pub fn image(format: vk::Format) -> ImageDesc {
    ImageDesc {
        format: format.as_raw(),
        extent: [37, 8, 1],
        image_layers: 4,
        layers: 3,
        base_layer: 1,
        image_levels: 2,
        levels: 1,
        samples: 1,
        kind: ImageDesc::IMAGE,
        bytes: texel::find(format).unwrap().bytes as u8,
        block: [1, 1],
        swizzle: [0, 1, 2, 3],
        ..ImageDesc::default()
    }
}

/// Where words differ, if somewhere; `float`: NaNs are the same, whatever they carry.
pub fn difference(helped: &[u32], plain: &[u32], float: bool) -> Option<String> {
    let nan = |w: u32| float && f32::from_bits(w).is_nan();
    let at = helped.iter().zip(plain).position(|(a, b)| a != b && !(nan(*a) && nan(*b)))?;
    Some(format!("word {at}: {:#x} with help, {:#x} without", helped[at], plain[at]))
}

/// The widths of this machine.
pub fn widths() -> impl Iterator<Item = Width> {
    Width::ALL.into_iter().filter(|w| w.supported())
}

/// Compares a kernel with and without declared format. `{}` in the body stands for the format.
fn compare(local: [u32; 3], ty: &str, body: &str, word: &str, desc: &ImageDesc) {
    for width in widths() {
        for lanes in [width.lanes(), 32] {
            // Subgroups of two registers are the same code twice.
            if lanes == 32 && (width, local[0]) != (Width::W16, 8) {
                continue;
            }
            let invocations: u32 = local.iter().product();
            let groups = [3, (INVOCATIONS as u32 / 3 / invocations).clamp(1, 4), 1];
            let of = |word: &str| {
                let text = format!(
                    "{}{}  return\n}}\n",
                    prologue(local, ty, "storage_image count 1 written"),
                    body.replace("{}", word)
                );
                run(&text, desc, None, &HELPERS, width, lanes, groups)
            };
            let (helped, plain) = (of(""), of(word));
            let differs = |a: &[u32], b: &[u32]| difference(a, b, ty == "f32");
            let (image, out) = (differs(&helped.0, &plain.0), differs(&helped.1, &plain.1));
            assert!(
                image.is_none() && out.is_none(),
                "{word} {width:?} {lanes} {local:?} {body}image {image:?}, results {out:?}"
            );
        }
    }
}

const SHAPES: [[u32; 3]; 4] = [[32, 1, 1], [8, 4, 1], [4, 4, 1], [7, 2, 1]];

pub fn type_of(format: vk::Format) -> &'static str {
    match texel::find(format).unwrap().class() {
        texel::Class::Float => "f32",
        texel::Class::Sint | texel::Class::Uint => "i32",
    }
}

#[test]
fn loads_and_stores_are_those_of_the_engine() {
    for (format, word) in ImageFormat::WORDS {
        let vulkan = super::plain::vulkan(*format);
        if matches!(format, ImageFormat::R64i | ImageFormat::R64ui) {
            continue;
        }
        let (desc, ty) = (image(vulkan), type_of(vulkan));
        // Texels of any place and of neighbours; then stores of the same kinds. Which of several stores to a texel stays is not
        // said, so only one lane stores to a place of its own choice.
        let body = format!(
            "  %50:{ty} %51:{ty} %52:{ty} %53:{ty} = image_load 0.0 2d arrayed {{}} coords(%10 %11 %12)
  store buffer(%7 %3 0) %50 %51 %52 %53 align 4
  %55:{ty} %56:{ty} %57:{ty} %58:{ty} = image_load 0.0 2d arrayed {{}} coords(%23 %25 %24)
  store buffer(%7 %3 16) %55 %56 %57 %58 align 4
  image_store 0.0 2d arrayed {{}} coords(%23 %25 %24) texel(%14 %15 %16 %17)
  %54:bool = ieq %40 %22
  if %54 {{
    image_store 0.0 2d arrayed {{}} coords(%10 %11 %12) texel(%17 %15 %14 %16)
    yield
  }} else {{
    yield
  }}
"
        );
        compare(SHAPES[*format as usize % 2], ty, &body, word, &desc);
    }
}

#[test]
fn shapes_of_workgroups_and_images() {
    let word = "rgba8";
    let desc = image(vk::Format::R8G8B8A8_UNORM);
    let store = "texel(%14 %15 %16 %17)\n";
    let load = |dim: &str, xyz: &str| {
        format!(
            "  %50:f32 %51:f32 %52:f32 %53:f32 = image_load 0.0 {dim} {{}} coords({xyz})\n  \
               store buffer(%7 %5 0) %50 %51 %52 %53 align 4\n"
        )
    };
    for local in SHAPES {
        let flat = ImageDesc { layers: 1, ..desc };
        compare(local, "f32", &load("2d", "%23 %25"), word, &flat);
        compare(local, "f32", &format!("  image_store 0.0 2d {{}} coords(%23 %25) {store}"), word, &flat);
        // Under a mask.
        let odd = format!(
            "  %54:i32 = and %0 %24\n  %55:bool = ieq %54 %24\n  if %55 {{\n  \
               image_store 0.0 2d {{}} coords(%23 %25) {store}  yield\n  }} else {{\n  {}  yield\n  }}\n",
            load("2d", "%20 %21")
        );
        compare(local, "f32", &odd, word, &flat);
        let volume = ImageDesc { extent: [17, 6, 4], image_layers: 1, base_layer: 0, layers: 1, ..desc };
        compare(local, "f32", &load("3d", "%10 %11 %12"), word, &volume);
        let some = ImageDesc { slices: ImageDesc::SOME_SLICES, base_layer: 1, layers: 2, ..volume };
        compare(local, "f32", &load("3d", "%10 %11 %12"), word, &some);
        let layers = ImageDesc { slices: ImageDesc::SLICES_AS_LAYERS, ..some };
        compare(local, "f32", &load("2d arrayed", "%10 %11 %12"), word, &layers);
        compare(local, "f32", &load("2d", "%10 %11"), word, &layers);
        let line = ImageDesc { extent: [37, 1, 1], ..desc };
        compare(local, "f32", &load("1d arrayed", "%10 %12"), word, &line);
        compare(local, "f32", &load("1d", "%23"), word, &line);
        let cube = ImageDesc { layers: 3, cube: 1, ..desc };
        compare(local, "f32", &load("cube", "%10 %11 %12"), word, &cube);
        let texels = ImageDesc { extent: [40, 1, 1], image_layers: 1, base_layer: 0, kind: ImageDesc::BUFFER, ..desc };
        compare(local, "f32", &load("texels", "%10"), word, &ImageDesc { addr: 4, ..texels });
        compare(local, "f32", &load("texels", "%23"), word, &ImageDesc { block: [0; 2], ..texels });
        compare(local, "f32", &load("texels", "%23"), word, &ImageDesc { addr: 2, ..texels });
    }
    // Views that need help.
    for desc in [
        ImageDesc::default(),
        ImageDesc { samples: 4, extent: [9, 8, 1], ..desc },
        ImageDesc { min_lod: 1f32.to_bits(), ..desc },
        ImageDesc { extent: [256, 128, 1], tile: [7, 7, 0], image_layers: 1, base_layer: 0, layers: 1, ..desc },
        ImageDesc { format: vk::Format::R8G8B8A8_UINT.as_raw(), ..desc },
        ImageDesc { base_level: 1, image_layers: 3, ..desc },
    ] {
        compare([8, 4, 1], "f32", &load("2d arrayed", "%10 %11 %12"), word, &desc);
    }
}

#[test]
fn atomics_are_those_of_the_engine() {
    for (format, word, ty) in [
        (vk::Format::R32_UINT, "r32ui", "i32"),
        (vk::Format::R32_SINT, "r32i", "i32"),
        (vk::Format::R32_SFLOAT, "r32f", "f32"),
    ] {
        let ops: &[&str] = match ty {
            "f32" => &["exchange"],
            _ => &["iadd", "smin", "smax", "umin", "umax", "and", "or", "xor", "exchange"],
        };
        let desc = image(format);
        for op in ops {
            let body = format!(
                "  %50:{ty} = image_atomic {op} 0.0 2d arrayed {{}} coords(%10 %11 %12) %14\n  \
                   store buffer(%7 %5 0) %50 align 4\n"
            );
            compare([8, 4, 1], ty, &body, word, &desc);
        }
    }
    // Half of the texels hold what is expected.
    let body = "  %49:i32 %48:i32 %47:i32 %46:i32 = image_load 0.0 2d arrayed {} coords(%23 %25 %24)\n  \
                  %50:i32 = and %14 %24\n  %51:i32 = iadd %49 %50\n  \
                  %52:i32 = image_cas 0.0 2d arrayed {} coords(%23 %25 %24) %51 %15\n  \
                  store buffer(%7 %5 0) %52 align 4\n";
    let body = body.replace("%46", "%60").replace("%47", "%61").replace("%48", "%62").replace("%49", "%63");
    compare([8, 4, 1], "i32", &body, "r32ui", &image(vk::Format::R32_UINT));
    let wide = "  %50:i64 = sext %14\n  %51:i64 = image_atomic smax 0.0 2d arrayed {} coords(%10 %11 %12) %50\n  \
                  store buffer(%7 %5 0) %51 align 4\n";
    compare([8, 4, 1], "i32", wide, "r64i", &image(vk::Format::R64_SINT));
}

/// Never knows.
unsafe extern "C" fn no_facts(_: *const u8, _: u32, _: u32, out: *mut PlainImage) {
    // SAFETY: kernels pass a place for the facts.
    unsafe { out.write(PlainImage::default()) };
}

/// Answers with zeros: not to be asked.
unsafe extern "C" fn no_size(
    _: *const DispatchCtx,
    _: *const ImageOp,
    _: *const *const u8,
    _: *const *const u8,
    _: *const u32,
    data: *mut u8,
    _: u32,
    width: u32,
) {
    // SAFETY: there are as many rows as the instruction has results.
    unsafe { data.write_bytes(0, width as usize * 4) };
}

#[test]
fn sizes_are_those_of_the_engine_and_mostly_known_without_it() {
    let asked = Helpers { plain_image: no_facts, ..HELPERS };
    let alone = Helpers { image_size: no_size, ..HELPERS };
    let desc = image(vk::Format::R8G8B8A8_UNORM);
    let volume = ImageDesc { extent: [17, 6, 4], image_layers: 1, base_layer: 0, layers: 1, ..desc };
    let some = ImageDesc { slices: ImageDesc::SOME_SLICES, base_layer: 1, layers: 2, ..volume };
    let sliced = ImageDesc { slices: ImageDesc::SLICES_AS_LAYERS, ..some };
    let line = ImageDesc { extent: [37, 1, 1], ..desc };
    let known = [
        ("2d", 2, ImageDesc { layers: 1, ..desc }),
        ("2d arrayed", 3, desc),
        ("3d", 3, volume),
        ("3d", 3, some),
        ("2d arrayed", 3, sliced),
        ("1d arrayed", 2, line),
        ("1d", 1, ImageDesc { layers: 1, ..line }),
    ];
    let unknown = [
        ("2d", 2, ImageDesc::default()),
        ("cube", 2, ImageDesc { layers: 6, image_layers: 7, extent: [8, 8, 1], cube: 1, ..desc }),
        ("2d arrayed", 3, ImageDesc { samples: 4, extent: [9, 8, 1], ..desc }),
        ("2d arrayed", 3, ImageDesc { min_lod: 1f32.to_bits(), levels: 2, ..desc }),
    ];
    for (i, (dim, rows, desc)) in known.iter().chain(&unknown).enumerate() {
        let names: Vec<String> = (0..*rows).map(|i| format!("%{}", 50 + i)).collect();
        let body = format!(
            "  {} = image_size 0.0 {dim}\n  store buffer(%7 %3 0) {} align 4\n",
            names.iter().map(|n| format!("{n}:i32")).collect::<Vec<_>>().join(" "),
            names.join(" ")
        );
        let text = format!("{}{body}  return\n}}\n", prologue([32, 1, 1], "i32", "storage_image count 1"));
        for width in widths() {
            let of = |helpers| run(&text, desc, None, helpers, width, width.lanes(), [3, 4, 1]).1;
            let wanted = of(&asked);
            assert_eq!(of(&HELPERS), wanted, "{dim} {desc:?}");
            if i < known.len() {
                assert_eq!(of(&alone), wanted, "{dim} {desc:?}");
                assert_ne!(wanted[0], 0, "{dim} {desc:?}");
            }
        }
    }
}
