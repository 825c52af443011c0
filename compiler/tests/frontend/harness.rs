//! Loading the corpus and running kernels in the interpreter.

use compiler::frontend::{translate, Options};
use compiler::interp::{run_workgroup, GroupInfo, Limits, TestMachine};
use compiler::sir::{BindingKind, Kernel};
use std::path::PathBuf;

/// A seeded generator (splitmix64).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Words of a module of the corpus.
pub fn module(name: &str) -> Vec<u32> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/shaders").join(format!("{name}.spv"));
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    bytes.chunks_exact(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect()
}

/// Names of all modules of the corpus.
pub fn names() -> Vec<String> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/shaders");
    let mut out: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter_map(|n| n.strip_suffix(".spv").map(str::to_owned))
        .collect();
    out.sort();
    out
}

/// Translates and verifies.
pub fn kernel(name: &str, options: &Options<'_>) -> Kernel {
    let k = translate(&module(name), options).unwrap_or_else(|e| panic!("{name}: {e}"));
    compiler::verify::verify(&k).unwrap_or_else(|e| panic!("{name}: {e}\n{}", compiler::text::print(&k)));
    k
}

/// Runs a grid of workgroups one after another.
pub fn dispatch(kernel: &Kernel, machine: &mut TestMachine, groups: [u32; 3]) {
    for z in 0..groups[2] {
        for y in 0..groups[1] {
            for x in 0..groups[0] {
                let info = GroupInfo { workgroup_id: [x, y, z], num_workgroups: groups, subgroup_size: 8 };
                run_workgroup(kernel, &info, machine, &Limits { max_steps: 1_000_000, cancel: None })
                    .unwrap_or_else(|e| panic!("{e:?}\n{}", compiler::text::print(kernel)));
            }
        }
    }
}

pub fn bytes_of<T: Copy>(values: &[T], to: impl Fn(T) -> [u8; 4]) -> Vec<u8> {
    values.iter().flat_map(|&v| to(v)).collect()
}

pub fn u32_bytes(values: &[u32]) -> Vec<u8> {
    bytes_of(values, u32::to_le_bytes)
}

pub fn f32_bytes(values: &[f32]) -> Vec<u8> {
    bytes_of(values, f32::to_le_bytes)
}

/// Contents of a buffer as words.
pub fn words(m: &TestMachine, binding: u32) -> Vec<u32> {
    let bytes = m.contents(0, binding, 0).unwrap();
    bytes.chunks_exact(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect()
}

pub fn floats(m: &TestMachine, binding: u32) -> Vec<f32> {
    words(m, binding).into_iter().map(f32::from_bits).collect()
}

/// Runs one workgroup of a module with `out` zero words at binding 0 and `input` at binding 1; returns binding 0.
pub fn run(name: &str, options: &Options<'_>, out: usize, input: &[u32]) -> Vec<u32> {
    let k = kernel(name, options);
    let mut m = TestMachine::new();
    m.bind(0, 0, 0, vec![0; out * 4]);
    m.bind(0, 1, 0, u32_bytes(input));
    dispatch(&k, &mut m, [1, 1, 1]);
    words(&m, 0)
}

/// A machine in which every buffer that the kernel uses holds the same harmless numbers; `None` if it needs images.
pub fn machine_for(kernel: &Kernel) -> Option<TestMachine> {
    let mut m = TestMachine::new();
    let numbers: Vec<f32> = (0..512).map(|i| ((i * 7) % 23) as f32 * 0.75 - 6.5).collect();
    for b in &kernel.bindings {
        if !matches!(b.kind, BindingKind::StorageBuffer | BindingKind::UniformBuffer) {
            return None;
        }
        for element in 0..b.count.clamp(1, 4).max(if b.count == 0 { 4 } else { 1 }) {
            m.bind(b.set, b.binding, element, f32_bytes(&numbers));
        }
    }
    m.set_push_constants(u32_bytes(&[8; 32]));
    Some(m)
}
