//! What the machine code looks like.

use super::native::{contracted, widths};
use compiler::text::{parse, print};
use gpu_soft::codegen::{compile, Binary, Options};
use gpu_soft::kernel_abi::{BindingSlot, Width};

fn bindings() -> Vec<BindingSlot> {
    (0..4)
        .map(|binding| BindingSlot { binding, offset: 32 * binding, stride: 32, count: 1, ..Default::default() })
        .collect()
}

fn build(text: &str, width: Width) -> (Binary, String) {
    build_with(text, width, true)
}

/// Builds with robust access to buffers, or without.
fn build_with(text: &str, width: Width, robust: bool) -> (Binary, String) {
    let kernel = parse(text).expect("parses");
    compiler::verify::verify(&kernel).expect("verifies");
    let slots = bindings();
    let options = Options { want_asm: true, want_ir: true, ..Options::new(width, &slots) };
    let options = Options { robust_storage: robust, robust_uniform: robust, ..options };
    let binary = compile(&kernel, &options).expect("compiles");
    let asm = binary.asm.clone().expect("asked for");
    if std::env::var("SIR_SHOW").is_ok() {
        println!("{}\n{asm}", binary.ir.clone().unwrap_or_default());
    }
    (binary, asm)
}

pub const SAXPY: &str = r#"kernel "saxpy"
local_size 64 1 1
push 4
binding 0.0 storage_buffer count 1
binding 0.1 storage_buffer count 1 written
body {
  %0:i32 = builtin global_id.x
  %1:i64 = zext %0
  %2:i64 = const 4
  %3:i64 = imul %1 %2
  %4:f32 = load push(0) align 4
  %5:buf = buffer 0.0
  %6:buf = buffer 0.1
  %7:f32 = load buffer(%5 %3 0) align 4 non_writable
  %8:f32 = load buffer(%6 %3 0) align 4
  %9:f32 = fmul %4 %7
  %10:f32 = fadd %9 %8
  store buffer(%6 %3 0) %10 align 4
  return
}
"#;

/// Instructions of the blocks that are not the slow path: those before the first gather, or all.
fn count(asm: &str, what: &str) -> usize {
    asm.lines().filter(|l| l.trim_start().starts_with(what)).count()
}

#[test]
fn saxpy_is_vector_moves() {
    for width in widths() {
        // Without the instruction nothing is fused.
        let text = if width == Width::W4 { SAXPY.to_owned() } else { print(&contracted(SAXPY)) };
        let (binary, asm) = build(&text, width);
        assert_eq!(binary.stats.contiguous, 3, "{width:?}");
        assert_eq!(binary.stats.gathers, 0, "{width:?}");
        assert_eq!(count(&asm, "call"), 0, "{width:?}: {asm}");
        if width != Width::W4 {
            assert!(asm.contains("vfmadd"), "{width:?}: {asm}");
        }
        if width == Width::W16 {
            assert!(asm.contains("zmm"), "{asm}");
        }
    }
}

/// Two-dimensional workgroups narrower than a subgroup: rows are vector moves.
#[test]
fn small_tiles_need_no_gathers() {
    let text = r#"kernel "tile"
local_size 8 8 1
push 4
binding 0.0 storage_buffer count 1
binding 0.1 storage_buffer count 1 written
body {
  %0:i32 = builtin global_id.x
  %1:i32 = builtin global_id.y
  %2:i32 = load push(0) align 4
  %3:i32 = imul %1 %2
  %4:i32 = iadd %3 %0
  %5:i64 = zext %4
  %6:i64 = const 4
  %7:i64 = imul %5 %6
  %8:buf = buffer 0.0
  %9:buf = buffer 0.1
  %10:f32 = load buffer(%8 %7 0) align 4 non_writable
  %11:f32 = fadd %10 %10
  store buffer(%9 %7 0) %11 align 4
  return
}
"#;
    for width in widths() {
        let (binary, _) = build(text, width);
        assert_eq!((binary.stats.contiguous, binary.stats.gathers), (2, 0), "{width:?}");
    }
}

/// A loop that keeps few values is executed for several subgroups at a time, one that keeps many is not.
#[test]
fn jam_follows_register_pressure() {
    let kernel = |values: u32| {
        let list =
            |from: u32, f: &dyn Fn(u32) -> String| (0..values).map(|i| f(from + i)).collect::<Vec<_>>().join(" ");
        let loads: String =
            (0..values).map(|i| format!("  %{}:f32 = load buffer(%2 %1 {}) align 4\n", 20 + i, i * 4096)).collect();
        let params = list(100, &|v| format!("%{v}:f32=%{}", v - 80));
        let steps: String =
            (0..values).map(|i| format!("    %{}:f32 = fmul %{} %{}\n", 200 + i, 100 + i, 100 + i)).collect();
        let next = list(200, &|v| format!("%{v}"));
        let results = list(300, &|v| format!("%{v}:f32"));
        let current = list(100, &|v| format!("%{v}"));
        let sum: String = (1..values)
            .map(|i| {
                let last = if i == 1 { 300 } else { 400 + i - 1 };
                format!("  %{}:f32 = fadd %{last} %{}\n", 400 + i, 300 + i)
            })
            .collect();
        let total = 400 + values - 1;
        format!(
            "kernel \"pressure\"\nlocal_size 256 1 1\npush 4\nbinding 0.0 storage_buffer count 1 written\nbody {{
  %0:i32 = builtin global_id.x
  %5:i64 = zext %0
  %6:i64 = const 4
  %1:i64 = imul %5 %6
  %2:buf = buffer 0.0
  %3:i32 = load push(0) align 4
  %4:i32 = const 1
{loads}  {results} = loop @0 (%10:i32=%3 {params}) {{
    %11:i32 = isub %10 %4
    %12:bool = ieq %11 %4
    if %12 {{
      break @0 {current}
    }} else {{
      yield
    }}
{steps}    continue @0 %11 {next}
  }}
{sum}  store buffer(%2 %1 0) %{total} align 4
  return
}}
"
        )
    };
    for width in widths() {
        assert_eq!(build(&kernel(2), width).0.stats.jam, 4, "{width:?}");
        assert_eq!(build(&kernel(40), width).0.stats.jam, 1, "{width:?}");
    }
}

/// What is fused is decided before.
#[test]
fn the_code_generator_fuses_nothing() {
    for width in widths() {
        let (_, asm) = build(SAXPY, width);
        assert!(!asm.contains("vfmadd"), "{width:?}: {asm}");
    }
}

/// Signs are a part of the instruction.
#[test]
fn differences_with_products_are_one_instruction() {
    for (difference, instruction) in [("fsub %9 %8", "vfmsub"), ("fsub %8 %9", "vfnmadd")] {
        let text = print(&contracted(&SAXPY.replace("fadd %9 %8", difference)));
        assert!(text.contains("fneg") && text.contains("fma"), "{text}");
        for width in widths().into_iter().filter(|w| *w != Width::W4) {
            let (_, asm) = build(&text, width);
            assert!(asm.contains(instruction) && !asm.contains("2147483648"), "{width:?}: {asm}");
        }
    }
}

/// A structure of eight words that an index from memory names; some of them.
const SCATTERED: &str = r#"kernel "scattered"
local_size 32 1 1
HEADER
binding 0.0 storage_buffer count 1
binding 0.1 storage_buffer count 1 written
body {
  %0:i32 = builtin global_id.x
  %1:i64 = zext %0
  %2:i64 = const 4
  %3:i64 = imul %1 %2
  %4:buf = buffer 0.0
  %5:buf = buffer 0.1
  %6:i32 = load buffer(%4 %3 0) align 4 non_writable
  %7:i64 = sext %6
  %8:i64 = const 32
  %9:i64 = imul %7 %8
  %10:f32 = load buffer(%4 %9 12) align 4 non_writable
  store buffer(%5 %3 0) %10 align 4
  return
}
"#;

#[test]
fn gathers_take_a_register_of_indices_unless_buffers_may_be_larger() {
    let (wide, near) = ("vgatherqps", "vgatherdps");
    for width in widths().into_iter().filter(|w| *w != Width::W4) {
        let asm = |header: &str| build(&SCATTERED.replace("HEADER", header), width).1;
        let (small, large) = (asm("push 4"), asm("push 4\nwide_indexing"));
        assert!(small.contains(near) && !small.contains(wide), "{width:?}\n{small}");
        assert!(large.contains(wide), "{width:?}\n{large}");
    }
}

/// What takes numbers from one counter does so for several subgroups at a time.
#[test]
fn counters_are_jammed() {
    let kernel = |used: &str| {
        format!(
            r#"kernel "append"
local_size 64 1 1
binding 0.0 storage_buffer count 1 written
binding 0.1 storage_buffer count 1 written
body {{
  %0:i32 = builtin global_id.x
  %1:buf = buffer 0.0
  %2:buf = buffer 0.1
  %3:i32 = const 1
  %4:i32 = atomic_rmw iadd buffer(%1 8) %3
  %5:i64 = zext {used}
  %6:i64 = const 4
  %7:i64 = imul %5 %6
  store buffer(%2 %7 0) %0 align 4
  return
}}
"#
        )
    };
    for width in widths() {
        assert_eq!(build(&kernel("%4"), width).0.stats.jam, 4, "{width:?}");
        assert_eq!(build(&kernel("%0"), width).0.stats.jam, 1, "{width:?}");
    }
}

/// Structures at addresses of their own are moved as a whole, and small arrays stay in registers.
#[test]
fn structures_and_small_arrays_need_no_gathers() {
    let structures = r#"kernel "structures"
local_size 64 1 1
binding 0.0 storage_buffer count 1
binding 0.1 storage_buffer count 1 written
body {
  %0:i32 = builtin global_id.x
  %1:buf = buffer 0.0
  %2:buf = buffer 0.1
  %3:i64 = zext %0
  %4:i64 = const 4
  %5:i64 = imul %3 %4
  %6:i32 = load buffer(%1 %5 0) align 4
  %7:i64 = zext %6
  %8:i64 = const 48
  %9:i64 = imul %7 %8
  %10:f32 %11:f32 %12:f32 %13:f32 = load buffer(%1 %9 0) align 4
  %14:f32 %15:f32 %16:f32 = load buffer(%1 %9 16) align 4
  %17:f32 %18:f32 = load buffer(%1 %9 32) align 4
  %19:f32 = fadd %17 %18
  store buffer(%2 %9 0) %10 %11 %12 %19 align 4
  store buffer(%2 %9 32) %13 %14 %15 align 4
  store buffer(%2 %9 16) %16 %17 align 4
  return
}
"#;
    let array = r#"kernel "array"
local_size 64 1 1
slot $0 size 32 align 4
binding 0.0 storage_buffer count 1 written
body {
  %0:i32 = builtin global_id.x
  %1:buf = buffer 0.0
  %2:i64 = zext %0
  %3:i64 = const 4
  %4:i64 = imul %2 %3
  %5:i32 = load buffer(%1 %4 0) align 4
  %6:i32 = const 2
  %7:i32 = shl %5 %6
  store slot($0 %7 0) %5 align 4
  %8:i32 = load slot($0 %5 0) align 4
  store buffer(%1 %4 0) %8 align 4
  return
}
"#;
    for width in widths() {
        for text in [structures, array] {
            let (_, asm) = build_with(text, width, false);
            assert_eq!(count(&asm, "vpgather") + count(&asm, "vgather") + count(&asm, "vpscatter"), 0, "{asm}");
            assert_eq!(count(&asm, "vscatter"), 0, "{asm}");
        }
    }
}

/// Structures whose elements are all computed in one way are not transposed.
#[test]
fn whole_structures_are_not_shuffled() {
    let text = r#"kernel "saxpy4"
local_size 64 1 1
push 4
binding 0.0 storage_buffer count 1
binding 0.1 storage_buffer count 1 written
body {
  %0:i32 = builtin global_id.x
  %1:i64 = zext %0
  %2:i64 = const 16
  %3:i64 = imul %1 %2
  %4:f32 = load push(0) align 4
  %5:buf = buffer 0.0
  %6:buf = buffer 0.1
  %7:f32 %8:f32 %9:f32 %10:f32 = load buffer(%5 %3 0) align 4
  %11:f32 %12:f32 %13:f32 %14:f32 = load buffer(%6 %3 0) align 4
  %15:f32 = fmul %4 %7
  %16:f32 = fmul %4 %8
  %17:f32 = fmul %4 %9
  %18:f32 = fmul %4 %10
  %19:f32 = fadd %15 %11
  %20:f32 = fadd %16 %12
  %21:f32 = fadd %17 %13
  %22:f32 = fadd %18 %14
  store buffer(%6 %3 0) %19 %20 %21 %22 align 4
  return
}
"#;
    for width in widths() {
        let (_, asm) = build_with(text, width, false);
        for shuffle in ["vperm", "vunpck", "unpck", "vshuf", "vinsert", "vblend"] {
            assert_eq!(count(&asm, shuffle), 0, "{width:?} {shuffle}: {asm}");
        }
    }
}

/// Offsets that are shifted or rounded down grow evenly as long as they do not wrap: halves and bytes of rows are vector moves then.
#[test]
fn shifted_offsets_need_no_gathers() {
    let text = r#"kernel "shifted"
local_size 16 1 1
push 8
binding 0.0 storage_buffer count 1
binding 0.1 storage_buffer count 1 written
body {
  %0:i32 = builtin local_id.x
  %1:i32 = load push(0) align 4
  %2:i32 = const 2
  %3:i32 = shl %0 %2
  %4:i32 = iadd %1 %3
  %5:i32 = const 1
  %6:i32 = ushr %4 %5
  %7:i64 = sext %6
  %8:i64 = shl %7 %2
  %9:buf = buffer 0.0
  %10:buf = buffer 0.1
  %11:f16 %12:f16 = load buffer(%9 %8 0) align 4 non_writable
  %13:f32 = fconv %11
  %14:f32 = fconv %12
  %15:f32 = fadd %13 %14
  %16:i32 = const -4
  %17:i32 = and %4 %16
  %18:i64 = zext %17
  store buffer(%10 %18 0) %15 align 4
  return
}
"#;
    for width in widths() {
        let (binary, _) = build(text, width);
        assert_eq!(binary.stats.gathers, 0, "{width:?}: {:?}", binary.stats);
        assert_eq!((binary.stats.strided, binary.stats.contiguous), (1, 1), "{width:?}: {:?}", binary.stats);
    }
}

/// Neighbouring halves and bytes at addresses of their own are moved as words.
#[test]
fn narrow_neighbours_are_words() {
    let text = r#"kernel "neighbours"
local_size 16 1 1
binding 0.0 storage_buffer count 1
binding 0.1 storage_buffer count 1 written
body {
  %0:i32 = builtin local_id.x
  %1:buf = buffer 0.0
  %2:buf = buffer 0.1
  %3:i64 = zext %0
  %4:i64 = const 4
  %5:i64 = imul %3 %4
  %6:i32 = load buffer(%1 %5 0) align 4
  %7:i64 = zext %6
  %8:i16 %9:i16 = load buffer(%1 %7 0) align 2
  %10:i8 %11:i8 %12:i8 %13:i8 = load buffer(%1 %7 4) align 1
  %14:i16 = iadd %8 %9
  store buffer(%2 %7 0) %14 %8 align 2
  store buffer(%2 %7 4) %13 %12 %11 %10 align 1
  return
}
"#;
    for width in widths() {
        let (_, asm) = build_with(text, width, false);
        // Of halves and bytes nothing is put together or taken apart through memory.
        for single in ["vpinsrw", "vpinsrb", "vpextrw", "vpextrb"] {
            assert_eq!(count(&asm, single), 0, "{width:?}: {single}: {asm}");
        }
    }
}

/// What a dispatch writes and does not read goes past the caches, in whole lines, if it is much.
#[test]
fn large_outputs_go_past_the_caches() {
    let copy = SAXPY.replace("  %8:f32 = load buffer(%6 %3 0) align 4\n", "  %8:f32 = const 1.0\n");
    let (_, asm) = build(&copy, Width::W16);
    assert_eq!((count(&asm, "vmovntps"), count(&asm, "sfence")), (1, 1), "{asm}");
    let whole = "store buffer(%6 %3 0) %10 align 4";
    let others = [
        // Read as well, looked at by others while the kernel runs, half a line.
        SAXPY.to_owned(),
        copy.replace(whole, "store buffer(%6 %3 0) %10 align 4 coherent"),
        copy.replace(whole, &format!("{whole}\n  memory_barrier device")),
        copy.replace(
            whole,
            "%11:f16 = fconv %10\n  %12:i64 = const 2\n  %13:i64 = imul %1 %12\n  store buffer(%6 %13 0) %11 align 2",
        ),
    ];
    for text in others {
        let (_, asm) = build(&text, Width::W16);
        assert_eq!((count(&asm, "vmovnt"), count(&asm, "sfence")), (0, 0), "{text}{asm}");
    }
    let (_, asm) = build(&copy, Width::W8);
    assert_eq!(count(&asm, "vmovnt"), 0, "{asm}");
}

/// Workgroups of narrow rows are executed side by side, if the kernel walks along the rows and comes back to nothing.
#[test]
fn narrow_workgroups_run_side_by_side() {
    let text = std::fs::read_to_string("tests/codegen/kernels/beside.sir").expect("readable");
    let of = |text: &str, width| build(text, width).0.stats.beside;
    for width in [Width::W8, Width::W16].into_iter().filter(|w| widths().contains(w)) {
        assert_eq!(of(&text, width), 8, "{width:?}");
        assert_eq!(of(&text.replace("local_size 8 4 1", "local_size 64 2 1"), width), 2);
        assert_eq!(of(&text.replace("local_size 8 4 1", "local_size 256 2 1"), width), 1);
        assert_eq!(of(&text.replace("local_size 8 4 1", "local_size 256 1 1"), width), 1);
        // Down the columns.
        assert_eq!(of(&text.replace("%13:i32 = imul %12 %9", "%13:i32 = imul %0 %9"), width), 1);
        assert_eq!(
            of(
                &text.replace("store buffer(%7 %16 0) %14 align 4", "%17:i32 = atomic_rmw iadd buffer(%7 %16 0) %14"),
                width
            ),
            1
        );
    }
    assert_eq!(of(SAXPY, Width::W16), 1);
}

/// Lanes that walk rows of their own load some words at a time.
#[test]
fn rows_are_read_ahead() {
    let text = std::fs::read_to_string("tests/codegen/kernels/ahead.sir").expect("readable");
    for width in widths() {
        let stats = build(&text, width).0.stats;
        // Both loads at the rows' own places, one at equal distances, and those by indices that wrap.
        assert_eq!(stats.ahead, 5, "{width:?}");
        // Nothing is, if what is stored in the loop may be what it loads.
        let store = "    continue @0 %34 %35";
        let stats =
            build(&text.replace(store, &format!("    store buffer(%3 %25 0) %34 align 4\n{store}")), width).0.stats;
        assert_eq!(stats.ahead, 3, "{width:?}");
    }
}

/// Coordinates in rows, by division or by product and shift: where a subgroup lies in one row, its elements are moved as a whole.
#[test]
fn elements_of_rows_need_no_gathers() {
    let text = r#"kernel "rows"
local_size 64 1 1
push 32
binding 0.0 storage_buffer count 1
binding 0.1 storage_buffer count 1 written
body {
  %0:i32 = builtin global_id.x
  %1:buf = buffer 0.0
  %2:buf = buffer 0.1
  %3:i32 %4:i32 %5:i32 %6:i32 = load push(0) align 16 non_writable
  %7:i32 %8:i32 = load push(16) align 16 non_writable
  %9:i64 = const 4
  %10:i32 = udiv %0 %3
  %11:i32 = imul %10 %3
  %12:i32 = isub %0 %11
  %13:i32 = imul %12 %4
  %14:i32 = imul %10 %5
  %15:i32 = iadd %13 %14
  %16:i64 = sext %15
  %17:i64 = imul %16 %9
  %18:i32 = load buffer(%1 %17 0) align 4
  %19:i32 = umulhi %0 %7
  %20:i32 = iadd %19 %0
  %21:i32 = ushr %20 %8
  %22:i32 = imul %21 %3
  %23:i32 = isub %0 %22
  %24:i32 = imul %23 %4
  %25:i32 = imul %21 %6
  %26:i32 = iadd %24 %25
  %27:i64 = zext %26
  %28:i64 = imul %27 %9
  store buffer(%2 %28 0) %18 align 4
  return
}
"#;
    for width in widths() {
        let (binary, _) = build(text, width);
        assert_eq!((binary.stats.gathers, binary.stats.contiguous), (0, 2), "{width:?}: {:?}", binary.stats);
    }
}
