//! Ways of binding buffers: dynamic, inline, unbound; with and without checks.

use super::native::{interpret, layout, options, run_loaded, widths, Buffers, NO_IMAGES};
use compiler::filetest::{parse_file, Setup};
use compiler::sir::Kernel;
use compiler::text::parse;
use gpu_soft::codegen::{compile, Options};
use gpu_soft::kernel_abi::{BindingSlot, Width};
use gpu_soft::loader::Loaded;

fn sample(text: &str) -> (Kernel, Setup) {
    let file = parse_file(text).expect("parses");
    (parse(&file.source).expect("parses"), file.setup)
}

fn run(kernel: &Kernel, setup: &Setup, slots: &[BindingSlot], opts: &Options<'_>) -> Buffers {
    let binary = compile(kernel, opts).expect("compiles");
    let loaded = Loaded::load(&binary.bytes).expect("loads");
    run_loaded(&loaded, slots, setup, &NO_IMAGES, std::ptr::null(), 1, 0)
}

fn check(kernel: &Kernel, setup: &Setup, slots: &[BindingSlot]) {
    let wanted = interpret(kernel, setup).expect("interprets");
    for width in widths() {
        let found = run(kernel, setup, slots, &options(width, width.lanes(), slots));
        assert!(found == wanted, "{width:?}");
    }
}

#[test]
fn dynamic_and_inline_buffers() {
    let (kernel, setup) = sample(include_str!("kernels/vadd.sir"));
    let mut slots = layout(&kernel, &setup);
    slots[0].dynamic = Some(5);
    slots[2].dynamic = Some(0);
    // The inline block takes the place behind everything else.
    slots[1].offset = 512;
    slots[1].inline_size = Some(setup.buffers[1].1.len() as u32);
    check(&kernel, &setup, &slots);
}

#[test]
fn arrays_of_dynamic_buffers() {
    let (kernel, setup) = sample(include_str!("kernels/arrays.sir"));
    let mut slots = layout(&kernel, &setup);
    slots[0].dynamic = Some(3);
    check(&kernel, &setup, &slots);
}

#[test]
fn missing_buffers_read_zero_and_swallow_writes() {
    for missing in 0..3 {
        let (kernel, mut setup) = sample(include_str!("kernels/vadd.sir"));
        setup.buffers.remove(missing);
        let mut slots = layout(&kernel, &setup);
        check(&kernel, &setup, &slots);
        // Nothing bound to the set at all.
        slots[missing].set = 7;
        let mut moved = kernel.clone();
        moved.bindings[missing].set = 7;
        moved.bindings.sort_by_key(|b| (b.set, b.binding));
        moved.body.insts.iter_mut().for_each(|i| {
            if let compiler::sir::Op::Buffer(r) = &mut i.op {
                if r.binding == missing as u32 {
                    r.set = 7;
                }
            }
        });
        let wanted = interpret(&kernel, &setup).expect("interprets");
        for width in widths() {
            // The slot of the set is there, its memory is not.
            let opts = options(width, 8, &slots);
            let binary = compile(&moved, &opts).expect("compiles");
            let loaded = Loaded::load(&binary.bytes).expect("loads");
            let bound: Vec<BindingSlot> = slots.iter().copied().filter(|s| s.set == 0).collect();
            let found = run_loaded(&loaded, &bound, &setup, &NO_IMAGES, std::ptr::null(), 1, 0);
            assert!(found == wanted, "{width:?} without binding {missing}");
        }
    }
}

#[test]
fn unchecked_accesses_within_bounds_are_the_same() {
    let (kernel, mut setup) = sample(include_str!("kernels/vadd.sir"));
    for (_, bytes) in &mut setup.buffers {
        bytes.resize(3 * 64 * 4, 0);
    }
    let slots = layout(&kernel, &setup);
    let wanted = interpret(&kernel, &setup).expect("interprets");
    let Some(width) = widths().into_iter().find(|w| *w >= Width::W8) else { return };
    let checked = options(width, width.lanes(), &slots);
    let unchecked = Options { robust_storage: false, robust_uniform: false, want_asm: true, ..checked };
    assert!(run(&kernel, &setup, &slots, &unchecked) == wanted);
    let with = compile(&kernel, &Options { want_asm: true, ..checked }).expect("compiles");
    let without = compile(&kernel, &unchecked).expect("compiles");
    assert!(without.stats.object_bytes < with.stats.object_bytes);
}
