//! Cooperative matrices and the floating-point formats they come with, for subgroups of every size.

use super::asm::assemble;
use super::harness::{f32_bytes, floats, kernel, u32_bytes, words};
use compiler::frontend::{translate, Options, SpecConstant};
use compiler::interp::{run_workgroup, GroupInfo, Limits, TestMachine};
use compiler::passes;
use compiler::sir::Kernel;

/// The kernel for a subgroup size, and what the passes make of it.
fn kernels(name: &str, subgroup_size: u32, spec: &[SpecConstant<'_>]) -> [Kernel; 2] {
    let plain = kernel(name, &Options { subgroup_size, spec_constants: spec, ..Options::default() });
    let mut optimised = plain.clone();
    let opts = passes::Options { verify: true, ..passes::Options::default() };
    passes::optimize(&mut optimised, &opts).unwrap_or_else(|e| panic!("{name}: {e}"));
    [plain, optimised]
}

fn run(kernel: &Kernel, machine: &mut TestMachine, groups: u32, subgroup_size: u32) {
    for x in 0..groups {
        let info = GroupInfo { workgroup_id: [x, 0, 0], num_workgroups: [groups, 1, 1], subgroup_size };
        run_workgroup(kernel, &info, machine, &Limits { max_steps: 10_000_000, cancel: None })
            .unwrap_or_else(|e| panic!("{e:?}\n{}", compiler::text::print(kernel)));
    }
}

fn ints(m: &TestMachine, binding: u32) -> Vec<i32> {
    words(m, binding).into_iter().map(|w| w as i32).collect()
}

fn halves(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|&v| half::f16::from_f32(v).to_bits().to_le_bytes()).collect()
}

const SIZES: [u32; 4] = [4, 8, 16, 32];

/// 16×K by K×16: rows in straight code, and (K large) in a loop; for 32 invocations two rows share a scalar.
#[test]
fn products_of_halves() {
    for depth in [16u32, 48, 256] {
        let a: Vec<f32> = (0..16 * depth).map(|i| (i * 7 % 13) as f32 * 0.5 - 3.0).collect();
        let b: Vec<f32> = (0..16 * depth).map(|i| (i * 5 % 11) as f32 * 0.25 - 1.0).collect();
        let c: Vec<f32> = (0..256).map(|i| i as f32 - 100.0).collect();
        for size in SIZES {
            if depth > 48 && size != 8 {
                continue;
            }
            let data = depth.to_le_bytes();
            let spec = [SpecConstant { id: 0, data: &data }];
            for k in kernels("coop_matmul", size, &spec) {
                let mut m = TestMachine::new();
                m.bind(0, 0, 0, halves(&a));
                m.bind(0, 1, 0, halves(&b));
                m.bind(0, 2, 0, f32_bytes(&c));
                m.bind(0, 3, 0, vec![0; 1024]);
                run(&k, &mut m, 1, size);
                let length = 256 / size;
                let expected: Vec<f32> = (0..256)
                    .map(|i| {
                        // Stored by columns.
                        let (row, col) = (i % 16, i / 16);
                        let depth = depth as usize;
                        let sum: f32 = (0..depth).map(|k| a[row * depth + k] * b[col * depth + k]).sum();
                        (c[row * 16 + col] + sum) * 2.0 - 1.0 + (length * size) as f32
                    })
                    .collect();
                assert_eq!(floats(&m, 3), expected, "depth {depth}, {size} invocations");
            }
        }
    }
}

#[test]
fn products_of_bytes() {
    let a: Vec<u8> = (0..256).map(|i| (i * 37 % 256) as u8).collect();
    let b: Vec<u8> = (0..256).map(|i| (i * 91 % 256) as u8).collect();
    let c: Vec<i32> = (0..256).map(|i| [i32::MAX - 5, i32::MIN + 5, i - 128, 7][i as usize % 4]).collect();
    for size in SIZES {
        for k in kernels("coop_int", size, &[]) {
            let mut m = TestMachine::new();
            m.bind(0, 0, 0, a.clone());
            m.bind(0, 1, 0, b.clone());
            m.bind(0, 2, 0, c.iter().flat_map(|v| v.to_le_bytes()).collect());
            m.bind(0, 3, 0, vec![0; 768 * 4]);
            run(&k, &mut m, 1, size);
            let out = ints(&m, 3);
            for i in 0..256 {
                let (row, col) = (i / 16, i % 16);
                let sum: i32 = (0..16).map(|k| i32::from(a[row * 16 + k] as i8) * i32::from(b[k * 16 + col])).sum();
                let wrapped = c[i].wrapping_add(sum);
                assert_eq!(out[i], wrapped, "element {i}, {size} invocations");
                assert_eq!(out[256 + i], c[i].saturating_add(sum), "element {i}, {size} invocations");
                assert_eq!(out[512 + i], i32::from((wrapped as i8) / 3), "element {i}, {size} invocations");
            }
        }
    }
}

#[test]
fn reductions_and_functions_of_elements() {
    let a: Vec<i32> = (0..1024).map(|i| (i * 29 % 101) - 50).collect();
    for size in SIZES {
        for k in kernels("coop_elements", size, &[]) {
            let mut m = TestMachine::new();
            m.bind(0, 0, 0, a.iter().flat_map(|v| v.to_le_bytes()).collect());
            m.bind(0, 1, 0, vec![0; 4608 * 4]);
            run(&k, &mut m, 1, size);
            let out = ints(&m, 1);
            let at = |r: usize, c: usize| a[r * 48 + c];
            for i in 0..256 {
                let sum: i32 = (0..48).map(|c| at(i / 16, c)).sum();
                assert_eq!(out[i], sum, "rows, {size} invocations");
                let (r, c) = (i / 16 * 2, i % 16 * 2);
                let quarter = a[r * 32 + c] + a[r * 32 + c + 1] + a[r * 32 + 32 + c] + a[r * 32 + 33 + c];
                assert_eq!(out[2816 + i], quarter, "2×2, {size} invocations");
            }
            for i in 0..32 * 48 {
                let least = (0..16).map(|r| at(r, i % 48)).min().unwrap();
                assert_eq!(out[256 + i], least, "columns, {size} invocations");
            }
            let all: i32 = a[..768].iter().sum();
            assert_eq!(out[1792..2816], [all; 1024], "all, {size} invocations");
            for i in 0..768 {
                assert_eq!(out[3072 + i], at(i % 16, i / 16), "transposed, {size} invocations");
                let (r, c) = (i / 48, i % 48);
                let each = at(r, c) * 4 + (r * 100 + c) as i32;
                assert_eq!(out[3840 + i], each, "element {r}, {c}, {size} invocations");
            }
        }
    }
}

#[test]
fn tensors() {
    let a: Vec<i32> = (0..2048).map(|i| i * 3 + 1).collect();
    // A tensor of 9×11 seen from (-5, 4).
    let (height, width, row, col) = (9i32, 11i32, -5i32, 4i32);
    for size in SIZES {
        for k in kernels("coop_tensor", size, &[]) {
            let mut m = TestMachine::new();
            m.bind(0, 0, 0, a.iter().flat_map(|v| v.to_le_bytes()).collect());
            m.bind(0, 1, 0, vec![0xff; 2048 * 4]);
            m.bind(0, 2, 0, u32_bytes(&[height as u32, width as u32, row as u32, col as u32]));
            run(&k, &mut m, 1, size);
            let out = ints(&m, 1);
            let tensor = |r: i32, c: i32| a[(r * width + c) as usize];
            let mirrored = |c: i32, dim: i32| {
                let c = c.rem_euclid(2 * dim - 2);
                if c >= dim {
                    2 * dim - 2 - c
                } else {
                    c
                }
            };
            for i in 0..256i32 {
                let (r, c) = (i / 16 + row, i % 16 + col);
                let inside = (0..height).contains(&r) && (0..width).contains(&c);
                let at = |part: i32| out[(part * 256 + i) as usize];
                assert_eq!(at(0), if inside { tensor(r, c) } else { 77 }, "constant at {r}, {c}, {size} invocations");
                assert_eq!(at(1), tensor(r.clamp(0, height - 1), c.clamp(0, width - 1)), "edge, {size} invocations");
                assert_eq!(at(2), tensor(r.rem_euclid(height), c.rem_euclid(width)), "repeat, {size} invocations");
                assert_eq!(at(3), tensor(mirrored(r, height), mirrored(c, width)), "mirror, {size} invocations");
                let (r, c) = (i / 16, i % 16);
                assert_eq!(at(4), a[(c * 16 + r) as usize], "transposed, {size} invocations");
                let clipped = (1..4).contains(&r) && (2..6).contains(&c);
                let expected = if clipped { a[((r - 1) * 16 + c - 2) as usize] } else { 5 };
                assert_eq!(at(5), expected, "clipped, {size} invocations");
                let (block, inner) = ((r / 2, c / 4), (r % 2, c % 4));
                let number = block.0 * 4 + block.1;
                let decoded = a[(number * 8 + inner.0 * 4 + inner.1) as usize] + 1000 * block.0 + 100 * block.1;
                assert_eq!(at(6), decoded, "decoded, {size} invocations");
                // Rows 120 to 127 of the output tensor, columns from 3.
                if r < 8 {
                    let stored = out[((120 + r) * 16 + c) as usize];
                    let expected = if c >= 3 { out[(1536 + r * 16 + c - 3) as usize] } else { -1 };
                    assert_eq!(stored, expected, "stored at {r}, {c}, {size} invocations");
                }
            }
            assert!(out[2048 - 8 * 16 + 8 * 16 - 1..].iter().all(|&v| v != 0), "{size} invocations");
        }
    }
}

/// An 8-bit number with `fraction` bits of fraction and exponent bias `bias`, in double precision.
fn eight(code: u32, fraction: u32, bias: i32) -> f64 {
    let magnitude = code & 0x7f;
    let (exponent, digits) = ((magnitude >> fraction) as i32, f64::from(magnitude & ((1 << fraction) - 1)));
    let unit = f64::from(1 << fraction);
    let value = match exponent {
        0 => digits / unit * f64::from(1 - bias).exp2(),
        e => (1.0 + digits / unit) * f64::from(e - bias).exp2(),
    };
    if code & 0x80 != 0 {
        -value
    } else {
        value
    }
}

/// The code nearest to a value, of two equally near ones the even; by looking at all finite ones.
fn nearest(v: f64, finite: u32, decode: impl Fn(u32) -> f64) -> u32 {
    let v = v.clamp(-1e6, 1e6);
    let magnitude = (0..=finite).min_by(|&a, &b| {
        let distance = |c: u32| (decode(c) - v.abs()).abs();
        distance(a).total_cmp(&distance(b)).then((a & 1).cmp(&(b & 1)))
    });
    magnitude.unwrap() | if v.is_sign_negative() { 0x80 } else { 0 }
}

#[test]
fn small_floats() {
    let mut x: Vec<f32> = (0..224).map(|i: i32| (i - 100) as f32 * 0.1337 * (i % 9) as f32).collect();
    x.extend([0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 448.0, 463.9, 464.0, 464.1, 480.0, 1e30, -1e30]);
    x.extend([57344.0, 61439.0, 61440.0, 65536.0, 1e-8, 7.6e-6, 1.1e-5, 0.0009765625, 1.5 / 1024.0, 0.001953125]);
    x.extend([0.0078125, 0.0146, 1.0039062, 1.0117188, 3.4028235e38, -0.000030517578, 0.00002, 2.5, -3.75, 31.0]);
    assert_eq!(x.len(), 256);
    for k in kernels("small_floats", 8, &[]) {
        let mut m = TestMachine::new();
        m.bind(0, 0, 0, f32_bytes(&x));
        m.bind(0, 1, 0, vec![0; 256 * 12]);
        m.bind(0, 2, 0, vec![0; 256 * 24]);
        m.bind(0, 3, 0, vec![0; 1024]);
        run(&k, &mut m, 8, 8);
        let (wide, narrow, dots) = (floats(&m, 1), words(&m, 2), floats(&m, 3));
        for i in 0..256u32 {
            let w = &wide[i as usize * 3..][..3];
            let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            assert!(same(w[0], f32::from_bits(((i * 257) & 0xffff) << 16)), "bfloat16 {i:#x}");
            let e4m3 = if i & 0x7f == 0x7f { f32::NAN } else { eight(i, 3, 7) as f32 };
            assert!(same(w[1], e4m3), "E4M3 {i:#x}: {} {e4m3}", w[1]);
            let e5m2 = match i & 0x7f {
                0x7c => f32::INFINITY.copysign(eight(i, 2, 15) as f32),
                0x7d..=0x7f => f32::NAN,
                _ => eight(i, 2, 15) as f32,
            };
            assert!(same(w[2], e5m2), "E5M2 {i:#x}: {} {e5m2}", w[2]);

            let v = x[i as usize];
            let n = &narrow[i as usize * 6..][..6];
            let as_bf16 = half::bf16::from_f32(v);
            if v.is_nan() {
                assert!(half::bf16::from_bits(n[0] as u16).is_nan() && n[1] & 0x7f == 0x7f && n[2] & 0x7f > 0x7c);
                assert!(n[3] & 0x7f == 0x7f && n[4] & 0x7f > 0x7c);
                continue;
            }
            assert_eq!(n[0], u32::from(as_bf16.to_bits()), "bfloat16 of {v}");
            let wide = f64::from(v);
            let sign = if v.is_sign_negative() { 0x80 } else { 0 };
            // Half a place beyond the largest finite number.
            let (top4, top5) = (wide.abs() > 464.0, wide.abs() >= 61440.0);
            let e4 = nearest(wide, 0x7e, |c| eight(c, 3, 7));
            let e5 = nearest(wide, 0x7b, |c| eight(c, 2, 15));
            assert_eq!(n[1], if top4 { sign | 0x7f } else { e4 }, "E4M3 of {v}");
            assert_eq!(n[2], if top5 { sign | 0x7c } else { e5 }, "E5M2 of {v}");
            assert_eq!((n[3], n[4]), (e4, e5), "saturated, of {v}");
            let twice = half::bf16::from_f32((wide * 1.0000000001) as f32);
            assert_eq!(n[5], u32::from(twice.to_bits()), "from double, of {v}");
            let dot = half::bf16::from_f32(as_bf16.to_f32() * 0.5 + 6.0 - 3.0 + 1.0).to_f32();
            assert_eq!(dots[i as usize], dot, "dot product of {v}");
        }
    }
}

/// Matrices of a workgroup of 16: of four, two or one subgroups, or a part of one.
#[test]
fn scope_workgroup() {
    let a: Vec<i32> = (0..2304).map(|i| (i * 31 % 97) - 40).collect();
    let mut sums = vec![7; 512];
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum += (0..48).map(|k| a[i / 32 * 48 + k] * a[768 + i % 32 * 48 + k]).sum::<i32>();
    }
    let total: i32 = sums.iter().sum();
    for size in SIZES {
        for k in kernels("coop_workgroup", size, &[]) {
            let mut m = TestMachine::new();
            m.bind(0, 0, 0, a.iter().flat_map(|v| v.to_le_bytes()).collect());
            m.bind(0, 1, 0, vec![0; 1809 * 4]);
            run(&k, &mut m, 1, size);
            let out = ints(&m, 1);
            assert_eq!(out[..512], sums, "{size} invocations");
            for i in 0..512 {
                let row: i32 = sums[i / 32 * 32..][..32].iter().sum();
                assert_eq!(out[512 + i], row, "rows, {size} invocations");
                assert_eq!(out[1280 + i], sums[i % 16 * 32 + i / 16], "transposed, {size} invocations");
            }
            assert_eq!(out[1024..1280], [total; 256], "{size} invocations");
            assert_eq!(out[1792], total, "each element once, {size} invocations");
            assert_eq!(out[1793..], [1000; 16], "the kernel's own workgroup memory, {size} invocations");
        }
    }
}

/// A matrix of 16×16 words with rows of 80 bytes, copied by columns of 64 bytes through untyped pointers: their strides count bytes.
const UNTYPED: &str = r#"
OpCapability Shader
OpCapability UntypedPointersKHR
OpCapability CooperativeMatrixKHR
OpCapability VulkanMemoryModel
OpExtension "SPV_KHR_untyped_pointers"
OpExtension "SPV_KHR_cooperative_matrix"
OpMemoryModel Logical Vulkan
OpEntryPoint GLCompute %main "main" %in %out
OpExecutionMode %main LocalSize 8 1 1
OpDecorate %in DescriptorSet 0
OpDecorate %in Binding 0
OpDecorate %out DescriptorSet 0
OpDecorate %out Binding 1
OpDecorate %halves ArrayStride 2
OpDecorate %block Block
OpMemberDecorate %block 0 Offset 0
%void = OpTypeVoid
%fn = OpTypeFunction %void
%uint = OpTypeInt 32 0
%half = OpTypeInt 16 0
%halves = OpTypeRuntimeArray %half
%block = OpTypeStruct %halves
%uptr = OpTypeUntypedPointerKHR StorageBuffer
%in = OpUntypedVariableKHR %uptr StorageBuffer %block
%out = OpUntypedVariableKHR %uptr StorageBuffer %block
%c0 = OpConstant %uint 0
%c1 = OpConstant %uint 1
%c2 = OpConstant %uint 2
%scope = OpConstant %uint 3
%c16 = OpConstant %uint 16
%c64 = OpConstant %uint 64
%c80 = OpConstant %uint 80
%matrix = OpTypeCooperativeMatrixKHR %uint %scope %c16 %c16 %c2
%main = OpFunction %void None %fn
%entry = OpLabel
%from = OpUntypedAccessChainKHR %uptr %block %in %c0 %c0
%to = OpUntypedAccessChainKHR %uptr %block %out %c0 %c0
%m = OpCooperativeMatrixLoadKHR %matrix %from %c0 %c80
OpCooperativeMatrixStoreKHR %to %m %c1 %c64
OpReturn
OpFunctionEnd
"#;

#[test]
fn strides_of_untyped_pointers_are_bytes() {
    let a: Vec<u32> = (0..320).map(|i| i * 7919).collect();
    let want: Vec<u32> = (0..256).map(|i| a[i % 16 * 20 + i / 16]).collect();
    for subgroup_size in [4, 8] {
        let options = Options { subgroup_size, ..Options::default() };
        let k = translate(&assemble(UNTYPED), &options).unwrap();
        let mut m = TestMachine::new();
        m.bind(0, 0, 0, a.iter().flat_map(|v| v.to_le_bytes()).collect());
        m.bind(0, 1, 0, vec![0; 1024]);
        run(&k, &mut m, 1, subgroup_size);
        assert_eq!(words(&m, 1), want, "{subgroup_size} invocations");
    }
}
