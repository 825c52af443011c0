//! Atomic additions that reach memory in sums: which, and that the sums are right.

use super::native::{interpret, layout, options, run_loaded, widths, Buffers, NO_IMAGES};
use compiler::filetest::{parse_file, Setup};
use compiler::sir::Kernel;
use compiler::text::parse;
use gpu_soft::codegen::{compile, Binary, Options};
use gpu_soft::kernel_abi::{BindingSlot, Width};
use gpu_soft::loader::Loaded;

fn sample(text: &str) -> (Kernel, Setup) {
    let file = parse_file(text).expect("parses");
    (parse(&file.source).expect("parses"), file.setup)
}

/// Adds the invocation's number to one of `bins` words that its hash names, of a buffer of `words`.
fn histogram(bins: u32, words: u32, groups: u32, more: &str) -> String {
    format!(
        r#"; test interp
; dispatch {groups} 1 1
; buffer 0.0 = zeros {}
; buffer 0.1 = zeros 1024
kernel "histogram"
local_size 64 1 1
shared 16
binding 0.0 storage_buffer count 1 written
binding 0.1 storage_buffer count 1 written
body {{
  %0:i32 = builtin global_id.x
  %1:i32 = const 0x9e3779b1
  %2:i32 = imul %0 %1
  %3:i32 = const 8
  %4:i32 = ushr %2 %3
  %5:i32 = const {}
  %6:i32 = and %4 %5
  %7:i64 = zext %6
  %8:i64 = const 4
  %9:i64 = imul %7 %8
  %10:buf = buffer 0.0
  %11:i32 = const 7
  %12:i32 = and %0 %11
  %13:bool = ine %12 %11
  %14:buf = buffer 0.1
  %15:i64 = const 0
  %16:i32 = const 0
  if %13 {{
    %20:i32 = atomic_rmw iadd buffer(%10 %9 0) %0
    yield
  }} else {{
    yield
  }}
{more}
  return
}}
"#,
        words * 4,
        bins - 1
    )
}

fn build(kernel: &Kernel, opts: &Options<'_>) -> Binary {
    compile(kernel, opts).expect("compiles")
}

fn run(kernel: &Kernel, setup: &Setup, slots: &[BindingSlot], opts: &Options<'_>, parts: u64) -> Buffers {
    let loaded = Loaded::load(&build(kernel, opts).bytes).expect("loads");
    run_loaded(&loaded, slots, setup, &NO_IMAGES, std::ptr::null(), parts, 0)
}

/// Every width, with and without checks, from the first addition on or not at all, in one call and in several.
fn check(name: &str, text: &str) {
    let (kernel, setup) = sample(text);
    let slots = layout(&kernel, &setup);
    let wanted = interpret(&kernel, &setup).expect("interprets");
    for width in widths() {
        for collect_from in [1, 2048, u32::MAX] {
            for (size, jam, parts) in [(width.lanes(), 1, 1), (width.lanes(), 2, 3), (32, 2, 2)] {
                let opts = Options { collect_from, jam: Some(jam), ..options(width, size, &slots) };
                let found = run(&kernel, &setup, &slots, &opts, parts);
                assert!(found == wanted, "{name} {width:?} S{size} jam {jam}, from {collect_from}, {parts} calls");
            }
        }
    }
}

fn collected(text: &str) -> u32 {
    let (kernel, setup) = sample(text);
    let slots = layout(&kernel, &setup);
    build(&kernel, &options(Width::best().expect("a width"), 16, &slots)).stats.collected
}

#[test]
fn sums_are_exact() {
    for (bins, words) in [(1, 1), (4, 4), (256, 256), (1024, 1024)] {
        check(&format!("{bins} bins"), &histogram(bins, words, 100, ""));
    }
}

#[test]
fn more_words_than_places() {
    // Sums are sent on all the time, until that is given up.
    for bins in [2048, 16384] {
        check(&format!("{bins} bins"), &histogram(bins, bins, 200, ""));
    }
}

#[test]
fn additions_out_of_range_are_dropped() {
    let text = histogram(1024, 700, 64, "");
    let (kernel, setup) = sample(&text);
    let slots = layout(&kernel, &setup);
    let wanted = interpret(&kernel, &setup).expect("interprets");
    for width in widths() {
        let opts = Options { collect_from: 1, ..options(width, width.lanes(), &slots) };
        assert!(run(&kernel, &setup, &slots, &opts, 2) == wanted, "{width:?}");
    }
}

/// Floats are rounded after each addition: to add the same number to a word again and again has one result, whatever the order.
#[test]
fn floats_are_added_one_by_one() {
    let some = r#"  %40:f32 = const 0.1
  %41:f32 = atomic_rmw fadd buffer(%14 0) %40
  %42:f32 = atomic_rmw fadd buffer(%14 %43 0) %40"#;
    let fill = |bins: u32| some.replace("%43", "%9").replace("%14 %9", if bins > 256 { "%10 %9" } else { "%14 %9" });
    // A word of all, and bins: as many as there is room for, and more.
    for (bins, words, groups) in [(16, 16, 40), (256, 256, 70), (4096, 4096, 70)] {
        let text =
            histogram(bins, words, groups, &fill(bins)).replace("%20:i32 = atomic_rmw iadd buffer(%10 %9 0) %0\n", "");
        assert_eq!(collected(&text), 2);
        check(&format!("{bins} bins"), &text);
    }
}

/// One address for all, in a loop, and behind a barrier of the workgroup.
#[test]
fn sums_of_one_address_and_behind_barriers() {
    let more = r#"
  %30:i32 = atomic_rmw iadd buffer(%14 8) %0
  %31:i32 = atomic_rmw iadd shared(0) %11
  control_barrier workgroup workgroup
  %32:i32 = const 3
  loop @0 (%33:i32=%16) {
    %34:i32 = const 1
    %35:i32 = iadd %33 %34
    %36:i32 = atomic_rmw iadd buffer(%14 16) %33
    %37:bool = ult %35 %32
    if %37 {
      yield
    } else {
      break @0
    }
    continue @0 %35
  }
"#;
    let text = histogram(256, 256, 50, more);
    assert_eq!(collected(&text), 3);
    check("one address", &text);
}

#[test]
fn what_is_not_collected() {
    let plain = histogram(16, 16, 4, "");
    assert_eq!(collected(&plain), 1);
    let kernels = [
        ("result used", "  %21:i32 = atomic_rmw iadd buffer(%10 %9 0) %0\n  store buffer(%14 %15 0) %21 align 4"),
        ("loaded", "  %21:i32 = load buffer(%10 %9 0) align 4\n  store buffer(%14 %15 0) %21 align 4"),
        ("stored", "  store buffer(%10 %9 0) %0 align 4"),
        ("another operation", "  %21:i32 = atomic_rmw xor buffer(%10 %9 0) %0"),
        ("barrier beyond the workgroup", "  memory_barrier device"),
        (
            "pointers",
            "  %21:i64 = const 4096\n  %22:i32 = load global(%21 0) align 4\n  store buffer(%14 %15 0) %22 align 4",
        ),
        (
            "a loop that waits",
            r#"  loop @0 () {
    %21:i32 = load buffer(%14 0) align 4 atomic
    %22:bool = ieq %21 %16
    if %22 {
      break @0
    } else {
      yield
    }
    continue @0
  }"#,
        ),
    ];
    for (name, more) in kernels {
        assert_eq!(collected(&histogram(16, 16, 4, more)), 0, "{name}");
    }
    // Volatile, and into a buffer that differs by invocation.
    assert_eq!(collected(&plain.replace("iadd buffer(%10 %9 0) %0", "iadd buffer(%10 %9 0) %0 volatile")), 0);
    let array = plain.replace("%10:buf = buffer 0.0", "%10:buf = buffer 0.0 [%6]");
    assert_ne!(array, plain);
    assert_eq!(collected(&array), 0);
    // Sums and numbers into one buffer.
    let mixed = histogram(16, 16, 4, "  %21:f32 = utof %0\n  %22:f32 = atomic_rmw fadd buffer(%10 %9 0) %21");
    assert_eq!(collected(&mixed), 0);
}

/// Two bindings of one buffer: each invocation sees what it added itself.
#[test]
fn buffers_that_overlap_are_added_to_directly() {
    let more = r#"
  %30:i64 = zext %0
  %31:i64 = imul %30 %8
  %32:i32 = const 5
  %33:i32 = atomic_rmw iadd buffer(%14 %31 0) %32
  %34:i32 = load buffer(%10 %31 0) align 4
  %35:i32 = iadd %34 %32
  store buffer(%10 %31 0) %35 align 4
"#;
    // Nothing is added to the first buffer but by these.
    let text = histogram(16, 64 * 40, 40, more)
        .replace("zeros 1024", "zeros 10240")
        .replace("%20:i32 = atomic_rmw iadd buffer(%10 %9 0) %0\n", "");
    assert_eq!(collected(&text), 1);
    let (kernel, setup) = sample(&text);
    let mut slots = layout(&kernel, &setup);
    let apart = interpret(&kernel, &setup).expect("interprets");
    for width in widths() {
        let opts = Options { collect_from: 1, ..options(width, width.lanes(), &slots) };
        assert!(run(&kernel, &setup, &slots, &opts, 1) == apart, "{width:?}");
    }
    slots[1].offset = slots[0].offset;
    for width in widths() {
        let opts = Options { collect_from: 1, ..options(width, width.lanes(), &slots) };
        // The first binding is not bound by itself.
        let found = run(&kernel, &setup, &slots, &opts, 1);
        let words = found.values().flat_map(|b| b.chunks(4)).filter(|w| **w == 10u32.to_le_bytes()).count();
        assert_eq!(words, 64 * 40, "{width:?}");
    }
}
