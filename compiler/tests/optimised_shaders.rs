//! The SPIR-V modules of `tests/shaders` compute the same with and without optimisation.

use compiler::frontend::{translate, Options as FrontOptions};
use compiler::interp::{Executor, GroupInfo, Limits, Program, TestMachine};
use compiler::passes::{optimize, Options};
use compiler::sir::{AluOp, BindingKind, Kernel, Op};
use std::path::Path;
use std::sync::Arc;

/// Bytes bound to each descriptor.
const BYTES: usize = 4096;

/// Small numbers, so that they do as indices and sizes too.
fn contents(seed: usize) -> Vec<u8> {
    (0..BYTES / 4).flat_map(|i| ((i * 7 + seed * 13) as u32 % 11).to_le_bytes()).collect()
}

/// Runs two workgroups; `None` if the kernel needs what the machine has not.
fn run(kernel: &Kernel) -> Option<Vec<Vec<u8>>> {
    let mut m = TestMachine::new();
    let buffers: Vec<_> = kernel
        .bindings
        .iter()
        .filter(|b| matches!(b.kind, BindingKind::StorageBuffer | BindingKind::UniformBuffer))
        .flat_map(|b| (0..b.count.clamp(1, 4)).map(|e| (b.set, b.binding, e)))
        .collect();
    for (i, &(set, binding, element)) in buffers.iter().enumerate() {
        m.bind(set, binding, element, contents(i));
    }
    let first = buffers.first().and_then(|&(s, b, e)| m.address(s, b, e)).unwrap_or(0);
    // Addresses come first in the push constants of the modules that take any.
    let push: Vec<u8> = std::iter::repeat_n(first.to_le_bytes(), 16).flatten().collect();
    m.set_push_constants(push);
    let program = Program::new(Arc::new(kernel.clone())).expect("verifies");
    let mut executor = Executor::new(Arc::new(program));
    let limits = Limits { max_steps: 300_000, cancel: None };
    for x in 0..2 {
        let info = GroupInfo { workgroup_id: [x, 0, 0], num_workgroups: [2, 1, 1], subgroup_size: 8 };
        executor.run(&info, &mut m, &limits).ok()?;
    }
    buffers.iter().map(|&(s, b, e)| m.contents(s, b, e).map(<[u8]>::to_vec)).collect()
}

/// Whether the outcome is not settled by the kernel alone.
fn is_open(kernel: &Kernel) -> bool {
    let mut open = false;
    kernel.body.walk(&mut |i| {
        open |= matches!(i.op, Op::ReadClock { .. }) || matches!(i.op, Op::Alu { op: AluOp::FPow, .. });
    });
    open
}

#[test]
fn optimisation_keeps_the_results_of_shaders() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shaders");
    let mut files: Vec<_> = std::fs::read_dir(&dir).expect("shaders").flatten().map(|e| e.path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "spv"));
    files.sort();
    let mut compared = 0;
    for path in files {
        let bytes = std::fs::read(&path).expect("readable");
        let words: Vec<u32> = bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect();
        let Ok(kernel) = translate(&words, &FrontOptions::default()) else { continue };
        // Expanded functions and fused sums differ in the last bits, so that the rest is compared without them.
        for lower_math in [false, true] {
            let mut after = kernel.clone();
            let opts = Options { verify: true, contract: false, lower_math, ..Options::default() };
            optimize(&mut after, &opts).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            if lower_math || is_open(&kernel) {
                continue;
            }
            if let (Some(a), Some(b)) = (run(&kernel), run(&after)) {
                compared += 1;
                assert!(a == b, "{}\n{}", path.display(), compiler::text::print(&after));
            }
        }
    }
    assert!(compared > 30, "only {compared} modules were compared");
}
