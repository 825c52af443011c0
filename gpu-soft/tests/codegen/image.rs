//! How image operations reach the engine's helper functions: descriptors, operands, data rows and masks.

use super::native::{options, run_loaded, widths, NO_IMAGES};
use compiler::filetest::{Place, Setup};
use compiler::text::parse;
use gpu_soft::codegen::compile;
use gpu_soft::kernel_abi::{BindingSlot, DispatchCtx, Helpers, ImageOp, PlainImage, PlainTexture};
use gpu_soft::loader::Loaded;
use std::sync::Mutex;

/// What an active lane passed to a helper.
#[derive(Clone, Debug, PartialEq)]
struct Lane {
    lane: u32,
    /// First word of the descriptor, 0 if there is none; likewise of the sampler.
    desc: u64,
    sampler: u64,
    operands: Vec<u32>,
    data: Vec<u32>,
}

/// A call to a helper.
#[derive(Clone, Debug, PartialEq)]
struct Call {
    name: &'static str,
    op: ImageOp,
    lanes: Vec<Lane>,
}

#[allow(clippy::too_many_arguments)]
unsafe fn record(
    name: &'static str,
    ctx: *const DispatchCtx,
    op: *const ImageOp,
    desc: *const *const u8,
    sampler: *const *const u8,
    operands: *const u32,
    data: *mut u8,
    mask: u32,
    width: u32,
) {
    // SAFETY: the test passes a pointer to a `Mutex<Vec<Call>>` as `user`, and generated code passes what `ImageFn` documents.
    unsafe {
        let log = &*(*ctx).user.cast::<Mutex<Vec<Call>>>();
        let op = *op;
        let rows =
            op.coords + op.has_lod + op.has_sample + op.grads + op.offsets + op.has_dref + op.has_min_lod + op.has_bias;
        let word = |p: *const *const u8, lane: u32| {
            if p.is_null() || (*p.add(lane as usize)).is_null() {
                0
            } else {
                (*p.add(lane as usize)).cast::<u64>().read()
            }
        };
        let mut lanes = Vec::new();
        for lane in (0..width).filter(|l| mask >> l & 1 == 1) {
            let row = |r: u32| *operands.add((r * width + lane) as usize);
            let words = data.cast::<u32>();
            let inputs = match name {
                "store" => op.rows,
                "atomic" => 1,
                "cas" => 2,
                _ => 0,
            };
            lanes.push(Lane {
                lane,
                desc: word(desc, lane),
                sampler: word(sampler, lane),
                operands: (0..rows).map(row).collect(),
                data: (0..inputs).map(|r| *words.add((r * width + lane) as usize)).collect(),
            });
            for r in 0..op.rows + op.sparse {
                let operand = if rows > 0 { row(0) } else { 0 };
                *words.add((r * width + lane) as usize) = 1000 * (r + 1) + operand;
            }
        }
        if let Ok(mut log) = log.lock() {
            log.push(Call { name, op, lanes });
        }
    }
}

macro_rules! helpers {
    ($($f:ident: $name:literal),*) => {
        $(unsafe extern "C" fn $f(
            ctx: *const DispatchCtx, op: *const ImageOp, desc: *const *const u8, sampler: *const *const u8,
            operands: *const u32, data: *mut u8, mask: u32, width: u32,
        ) {
            // SAFETY: passed on as it came.
            unsafe { record($name, ctx, op, desc, sampler, operands, data, mask, width) }
        })*
    };
}

/// Images of which nothing is known.
unsafe extern "C" fn unknown(_: *const u8, _: u32, _: u32, out: *mut PlainImage) {
    // SAFETY: kernels pass a place for the facts.
    unsafe { out.write(PlainImage::default()) };
}

/// Everything needs help.
unsafe extern "C" fn help(_: *const u8, _: *const u8, _: u32, _: u32, _: u32, _: u32, out: *mut PlainTexture) {
    // SAFETY: kernels pass a place for the facts.
    unsafe { out.write(PlainTexture::default()) };
}

helpers!(load: "load", store: "store", atomic: "atomic", cas: "cas", size: "size", levels: "levels", sample: "sample");

const KERNEL: &str = r#"kernel "images"
local_size 6 1 1
binding 0.0 storage_buffer count 1 written
binding 0.1 storage_image count 1 written
binding 0.2 combined_image_sampler count 3
binding 0.3 sampler count 1
binding 0.4 sampled_image count 1
body {
  %0:i32 = builtin local_index
  %1:i32 = const 7
  %2:i32 = const 2
  %3:bool = ult %2 %0
  if %3 {
    %4:i32 %5:i32 %6:i32 %7:i32 = image_load 0.1 2d coords(%0 %1)
    %8:i32 = iadd %4 %7
    image_store 0.1 2d coords(%1 %0) texel(%0 %1 %2 %8)
    %9:i32 = image_atomic umax 0.1 2d coords(%0 %0) %2
    %10:i32 = image_cas 0.1 2d coords(%0 %0) %1 %0
    %11:f32 = utof %0
    %12:f32 %13:f32 %14:f32 %15:f32 = sample 0.2 [%0] non_uniform 2d coords(%11 %11) lod %11
    %16:f32 = sample 0.4 2d sampler 0.3 coords(%11 %11) dref %11
    %17:i32 %18:i32 = image_size 0.1 2d
    %19:i32 = image_levels 0.4 2d
    %20:i32 = iadd %9 %10
    %21:i32 = iadd %17 %18
    %22:i32 = iadd %20 %21
    %23:i64 = zext %0
    %24:i64 = const 16
    %25:i64 = imul %23 %24
    %26:buf = buffer 0.0
    %27:i32 = bitcast %16
    store buffer(%26 %25 0) %8 %22 %19 %27 align 4
    yield
  } else {
    yield
  }
  return
}
"#;

#[test]
fn operands_reach_the_helpers() {
    let kernel = parse(KERNEL).expect("parses");
    compiler::verify::verify(&kernel).expect("valid");
    let slot = |binding: u32, offset: u32, stride: u32, count: u32, sampler_offset: u32| BindingSlot {
        binding,
        offset,
        stride,
        count,
        sampler_offset,
        ..Default::default()
    };
    let slots = [
        slot(0, 0, 16, 1, 0),
        slot(1, 16, 32, 1, 0),
        slot(2, 48, 32, 3, 16),
        slot(3, 144, 16, 1, 0),
        slot(4, 160, 32, 1, 0),
    ];
    let helpers = Helpers {
        image_load: load,
        image_store: store,
        image_atomic: atomic,
        image_cas: cas,
        image_size: size,
        image_levels: levels,
        sample,
        plain_image: unknown,
        plain_texture: help,
        ..NO_IMAGES
    };
    for width in widths() {
        let binary = compile(&kernel, &options(width, 8, &slots)).expect("compiles");
        let loaded = Loaded::load(&binary.bytes).expect("loads");
        let log: Mutex<Vec<Call>> = Mutex::new(Vec::new());
        let setup = Setup {
            dispatch: [1, 1, 1],
            subgroup_size: 8,
            buffers: vec![(Place { set: 0, binding: 0, element: 0 }, vec![0; 96])],
            ..Setup::default()
        };
        let user = std::ptr::from_ref(&log).cast();
        let out = run_loaded(&loaded, &slots, &setup, &helpers, user, 1, 0);
        let calls = log.into_inner().expect("not poisoned");
        let names: Vec<&str> = calls.iter().map(|c| c.name).collect();
        assert_eq!(names, ["load", "store", "atomic", "cas", "sample", "sample", "size", "levels"], "{width:?}");
        for call in &calls {
            let lanes: Vec<u32> = call.lanes.iter().map(|l| l.lane).collect();
            assert_eq!(lanes, [3, 4, 5], "{width:?} {}", call.name);
        }
        let operands = |i: usize| calls[i].lanes.iter().map(|l| l.operands.clone()).collect::<Vec<_>>();
        let inputs = |i: usize| calls[i].lanes.iter().map(|l| l.data.clone()).collect::<Vec<_>>();
        assert_eq!(operands(0), [[3, 7], [4, 7], [5, 7]]);
        assert_eq!(operands(1), [[7, 3], [7, 4], [7, 5]]);
        assert_eq!(inputs(1), [[3, 7, 2, 5006], [4, 7, 2, 5008], [5, 7, 2, 5010]]);
        assert_eq!(inputs(2), [[2], [2], [2]]);
        assert_eq!(inputs(3), [[7, 3], [7, 4], [7, 5]]);
        let bits = |x: f32| x.to_bits();
        assert_eq!(operands(4)[0], [bits(3.0), bits(3.0), bits(3.0)]);
        assert_eq!(operands(5)[2], [bits(5.0), bits(5.0), bits(5.0)]);
        // No element of the array has these indices: no descriptor.
        assert!(calls[4].lanes.iter().all(|l| l.desc == 0 && l.sampler == 0));
        assert_eq!((calls[4].op.has_lod, calls[5].op.has_dref, calls[5].op.rows), (1, 1, 1));
        assert_eq!((calls[2].op.atomic, calls[6].op.rows), (4, 2));
        let words: Vec<u32> = out[&(0, 0, 0)].chunks(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect();
        for lane in 3..6u32 {
            let at = lane as usize * 4;
            assert_eq!(words[at], 5000 + 2 * lane);
            assert_eq!(words[at + 1], 1000 + lane + 1000 + lane + 3000);
            assert_eq!(words[at + 2], 1000);
            assert_eq!(words[at + 3], 1000 + bits(lane as f32));
        }
        assert!(words[..12].iter().all(|w| *w == 0));
    }
}
