//! What shaders of the corpus compute, worked out independently.

use super::asm::assemble;
use super::harness::{bytes_of, dispatch, f32_bytes, floats, kernel, run, u32_bytes, words};
use compiler::frontend::{translate, Options, SpecConstant};
use compiler::interp::TestMachine;
use compiler::sir::BindingKind;

fn both(name: &str, check: impl Fn(&str)) {
    check(name);
    check(&format!("{name}.opt"));
}

#[test]
fn vector_addition() {
    both("vecadd", |name| {
        let k = kernel(name, &Options::default());
        assert_eq!(k.local_size, [16, 1, 1]);
        assert_eq!(k.push_size, 8);
        let kinds: Vec<_> = k.bindings.iter().map(|b| (b.set, b.binding, b.kind, b.count, b.written)).collect();
        let storage = BindingKind::StorageBuffer;
        assert_eq!(kinds, [(0, 0, storage, 1, true), (0, 1, storage, 1, false), (0, 2, storage, 1, false)]);
        assert!(!k.uses_subgroups && k.shared_size == 0);
        let mut m = TestMachine::new();
        let a: Vec<f32> = (0..40).map(|i| i as f32).collect();
        m.bind(0, 0, 0, vec![0; 160]);
        m.bind(0, 1, 0, f32_bytes(&a));
        m.bind(0, 2, 0, f32_bytes(&a));
        let mut push = u32_bytes(&[37]);
        push.extend(f32_bytes(&[0.5]));
        m.set_push_constants(push);
        dispatch(&k, &mut m, [3, 1, 1]);
        let expected: Vec<f32> = (0..40).map(|i| if i < 37 { i as f32 * 1.5 } else { 0.0 }).collect();
        assert_eq!(floats(&m, 0), expected);
    });
}

#[test]
fn matrix_product_in_shared_memory() {
    both("matmul", |name| {
        let k = kernel(name, &Options::default());
        assert_eq!((k.local_size, k.shared_size), ([4, 4, 1], 128));
        let n = 8usize;
        let a: Vec<f32> = (0..n * n).map(|i| (i % 7) as f32 - 2.0).collect();
        let b: Vec<f32> = (0..n * n).map(|i| (i % 5) as f32 * 0.5).collect();
        let mut m = TestMachine::new();
        m.bind(0, 0, 0, vec![0; n * n * 4]);
        m.bind(0, 1, 0, f32_bytes(&a));
        m.bind(0, 2, 0, f32_bytes(&b));
        m.set_push_constants(u32_bytes(&[n as u32]));
        dispatch(&k, &mut m, [2, 2, 1]);
        let mut c = vec![0.0f32; n * n];
        for i in 0..n * n {
            c[i] = (0..n).map(|k| a[i / n * n + k] * b[k * n + i % n]).sum();
        }
        assert_eq!(floats(&m, 0), c);
    });
}

fn pick(x: u32) -> u32 {
    let mut r = 0;
    match x % 8 {
        0 => r += 11,
        1 => r += 10,
        3 => r += 1000,
        4 => return 7,
        5 => {
            if x <= 10 {
                r = 8;
            }
        }
        6 => r += 3,
        _ => r += 1100,
    }
    r + x
}

fn loops(x: u32) -> u32 {
    let mut s = 0u32;
    for i in 0..x {
        if i == 3 {
            continue;
        }
        let mut j = 0;
        loop {
            j += 1;
            if j > i {
                break;
            }
            if j & 1 == 1 {
                continue;
            }
            s += j;
            if s > 40 {
                return s * 2;
            }
        }
        loop {
            s ^= j;
            j -= 1;
            if j == 2 || j == 0 {
                break;
            }
        }
        match i {
            5 => {
                s += 9;
                continue;
            }
            7 => s += 11,
            _ if s == 12 => continue,
            _ => {}
        }
        s += i;
    }
    s
}

fn endless(i: u32) -> u32 {
    let mut n = 0;
    loop {
        n += 2;
        if n > i {
            if n > 2 * i {
                return n + 100;
            }
            n += 1;
        }
        if n > 25 {
            return n;
        }
    }
}

#[test]
fn control_flow() {
    both("control", |name| {
        let chain = |x: u32| match x {
            0..=1 => 1,
            2..=3 => 2,
            5 => 50,
            9 => 3,
            _ => x * 2,
        };
        let expected: Vec<u32> = (0..16).flat_map(|i| [pick(i), loops(i), chain(i), endless(i)]).collect();
        assert_eq!(run(name, &Options::default(), 64, &[]), expected);
    });
}

#[test]
fn nested_exits() {
    let find = |key: u32| {
        for a in 0..4u32 {
            for b in 0..4u32 {
                let v = a * 5 + b * 3;
                if v == key {
                    return a * 10 + b;
                }
                if v & 3 == 0 && b == 2 {
                    continue;
                }
                if v & 3 == 1 {
                    let mut c = 0;
                    while c + v <= key {
                        if c == 2 {
                            return 902;
                        }
                        c += 1;
                    }
                }
                if v > key + 4 {
                    break;
                }
            }
        }
        999
    };
    let walk = |i: u32| {
        let (mut acc, mut last) = (0u32, 0);
        while acc < 50 {
            let t = acc * 3 + i;
            if t & 1 == 0 {
                acc += 3;
                if t.is_multiple_of(7) {
                    continue;
                }
            } else {
                acc += 5;
            }
            last = t;
            if t > 100 {
                last += 1000;
                break;
            }
        }
        last * 100 + acc
    };
    let expected: Vec<u32> = (0..16).flat_map(|i| [find(i * 2), walk(i)]).collect();
    both("nested_exit", |name| assert_eq!(run(name, &Options::default(), 32, &[]), expected));
}

#[test]
fn functions() {
    let early = |a: i32, c: i32| -> (i32, i32, i32) {
        let b = a + c;
        if c > 3 {
            return (17, 1, b);
        }
        let mut a = a;
        for i in 0..c {
            a += i;
            if a > 4 {
                return (a, a, b);
            }
        }
        (-c, a, b)
    };
    let mut expected = Vec::new();
    for i in 0..8i32 {
        let (r, a, b) = early(i, i);
        let mut n = [4, 5, 6];
        n[i as usize % 3] = i;
        n[(i as usize + 1) % 3] = i + 1;
        let f = 4.0 * i as f32 * (i + 1) as f32;
        let mut x = [1, 2, 3, 4];
        for k in 0..4usize {
            x[k] = x[(k + i as usize) & 3] + i;
        }
        let (first, picked) = (x[0], x[i as usize & 3]);
        let (r2, x1, x2) = early(x[1], 2);
        expected.extend([r as u32, a as u32, b as u32, f.to_bits(), (n[0] * 100 + n[1] * 10 + n[2]) as u32]);
        expected.extend([u32::from(i > 3), first as u32, picked as u32, 4 * i as u32, (r2 + x1 + x2) as u32]);
    }
    both("functions", |name| assert_eq!(run(name, &Options::default(), 80, &[]), expected));
}

#[test]
fn integers() {
    let a = [0u32, 1, 0x8000_0000, 0xffff_ffff, 12345, 0xdead_beef, 0x7fff_ffff, 77];
    let msb = |v: u32| if v == 0 { u32::MAX } else { 31 - v.leading_zeros() };
    let mut expected = Vec::new();
    for i in 0..8 {
        let (x, y) = (a[i], a[(i + 1) & 7]);
        let (sx, sy) = (x as i32, y as i32);
        let (sum, carry) = x.overflowing_add(y);
        let (diff, borrow) = x.overflowing_sub(y);
        let wide = u64::from(x) * u64::from(y);
        let swide = i64::from(sx) * i64::from(sy);
        expected.extend([sum, u32::from(carry), diff, u32::from(borrow), (wide >> 32) as u32, wide as u32]);
        expected.push((swide >> 32) as u32);
        expected.push(x & !(0x7f << 3) | (y & 0x7f) << 3);
        expected.push(x >> 5 & 0x1ff);
        expected.push((sx << 17 >> 21) as u32);
        expected.extend([x.reverse_bits(), x.count_ones(), if x == 0 { u32::MAX } else { x.trailing_zeros() }]);
        expected.extend([msb(x), msb(if sx < 0 { !x } else { x }), x / (y | 1), x % (y | 1)]);
        expected.push(sx.wrapping_div(sy | 1) as u32);
        expected.push(sx.wrapping_abs() as u32 ^ sx.signum() as u32);
        expected.push((sx.clamp(-100, 100) as u32).wrapping_add(x.min(y).wrapping_mul(x.max(y))));
        expected.push((x << (y & 31)) ^ (x >> (y & 31)) ^ (sx >> (sy & 31)) as u32);
        expected.push(!x & (x ^ y) | 5);
        let bits = [sx < sy, x < y, sx >= sy, x >= y, x == y];
        expected.push(bits.iter().enumerate().map(|(n, &b)| u32::from(b) << n).sum());
        expected.push(u32::from(x == y).wrapping_add(x.wrapping_neg()));
    }
    both("ints", |name| assert_eq!(run(name, &Options::default(), 192, &a), expected));
}

#[test]
fn narrow_and_wide_integers() {
    let mut input = Vec::new();
    let b: [i8; 8] = [-128, -5, 0, 1, 7, 100, 127, -1];
    let s: [i16; 8] = [-32768, -300, 0, 5, 1000, 32767, -1, 2];
    let l: [i64; 8] = [i64::MIN, -1, 0, 1, 1 << 40, -(1 << 50), i64::MAX, 123_456_789_012];
    input.extend(b.map(|v| v as u8));
    input.extend([200u8, 1, 2, 3, 255, 128, 127, 0]);
    input.extend(s.iter().flat_map(|v| v.to_le_bytes()));
    let us: [u16; 8] = [1, 65535, 3, 4, 500, 6, 40000, 8];
    input.extend(us.iter().flat_map(|v| v.to_le_bytes()));
    input.extend(l.iter().flat_map(|v| v.to_le_bytes()));
    input.extend([1u8, 2, 3, 4, 250, 251, 252, 253]);
    both("int_widths", |name| {
        let k = kernel(name, &Options::default());
        let mut m = TestMachine::new();
        m.bind(0, 0, 0, vec![0; 256]);
        m.bind(0, 1, 0, input.clone());
        dispatch(&k, &mut m, [1, 1, 1]);
        let out = words(&m, 0);
        for i in 0..8 {
            let o = &out[i * 8..];
            assert_eq!(o[0], b[i].wrapping_mul(3) as i32 as u32, "{name} {i}");
            assert_eq!(o[1], u32::from(input[8 + i] >> 1));
            assert_eq!(o[2], i32::from(s[i]).wrapping_div(i32::from(b[i] | 1)) as u32);
            assert_eq!(o[3], u32::from(us[(i & 3) * 2]) << 16 | u32::from(us[(i & 3) * 2 + 1]));
            assert_eq!(o[4], (l[i] >> 7) as u32);
            assert_eq!(o[5], (l[i].wrapping_mul(i64::from(b[i])) >> 32) as u32);
            assert_eq!(o[6], [0x0403_0201, 0xfdfc_fbfa][i & 1]);
            assert_eq!(o[7], ((l[i] as u64 / 1000) as u32) ^ u32::from(l[i] < 0) ^ (l[i] >> 32) as u32);
        }
        let after = m.contents(0, 1, 0).unwrap();
        for i in 0..8 {
            assert_eq!(after[i] as i8, s[i] as i8);
            let short = i16::from_le_bytes([after[16 + 2 * i], after[17 + 2 * i]]);
            assert_eq!(short, i16::from(b[i]).wrapping_mul(s[i]));
            let long = i64::from_le_bytes(after[48 + 8 * i..56 + 8 * i].try_into().unwrap());
            assert_eq!(long, l[i].wrapping_sub(1));
        }
        assert_eq!(after[32 + 4 * 3 + 2], 3);
    });
}

#[test]
fn explicit_layouts() {
    // Each float of a buffer holds its own index, so that a result tells where it was read.
    let numbers: Vec<f32> = (0..256).map(|i| i as f32).collect();
    both("layouts", |name| {
        let k = kernel(name, &Options::default());
        let mut m = TestMachine::new();
        m.bind(0, 0, 0, vec![0; 128]);
        for b in 1..4 {
            m.bind(0, b, 0, f32_bytes(&numbers));
        }
        dispatch(&k, &mut m, [1, 1, 1]);
        let out = floats(&m, 0);
        for i in 0..4usize {
            let o = &out[i * 8..];
            // std140: cm columns at 0, 4, 8; rm rows at 12, 16, 20; rmx[n] (4 rows of 2, stride 4) at 24, 40; f at 56; v at 68.
            let rm = |c: usize, r: usize| (12 + 4 * r + c) as f32;
            let cm = |c: usize, r: usize| (4 * c + r) as f32;
            let a: Vec<f32> = (0..3).map(|r| cm(1, r) + rm(2, r) + rm(i % 3, r)).collect();
            assert_eq!(o[0], a[0] + 10.0 * a[1] + 100.0 * a[2], "{name} {i}");
            let b = |r: usize| (24 + 16 * (i & 1) + 4 * r + 1) as f32;
            assert_eq!(o[1], b(0) + 10.0 * b(1) + 100.0 * b(2) + 1000.0 * b(3));
            assert_eq!(o[2], (56 + 4 * (i % 3)) as f32 + 69.0 + rm(1, i % 3));
            // std430: pad, m (3 rows of 4) at 4, n[2] (2 columns of 3, stride 4) at 16, s from 32 on.
            let mm = |c: usize, r: usize| (4 + 4 * r + c) as f32;
            assert_eq!(o[3], mm(i, 0) + mm(i, 1) * 10.0 + mm(i, 2) * 100.0 + (16 + 8 + 4 + 2) as f32);
            // In: a 0, b 3, m 4, k 8, size 12; Nest: 36.
            let s = |n: usize| 32 + 36 * n;
            let k_bits = (s(0) + 12 + 8 + i % 3) as f32;
            let expected = (s(1) + 24 + 4 + 2) as f32 + k_bits.to_bits() as i32 as f32 + (s(1) + 3) as f32;
            assert_eq!(o[4], expected);
            // scalar: pad, v at 1, m at 10, z at 19 (a 0, b 3, m 4, k 8).
            let k1 = 28.0f32.to_bits() as i32 as f32;
            assert_eq!(o[5], 8.0 + 16.0 + 26.0 + k1);
            assert_eq!(o[6], cm(2, i % 3));
            assert_eq!(o[7].to_bits(), (256 - 32) / 36);
        }
        let after = floats(&m, 2);
        assert_eq!([after[4 + 2], after[8 + 2], after[12 + 2]], [7.0, 8.0, 9.0]);
        assert_eq!(after[32 + 3], 32.0 + 36.0 + 12.0 + 3.0);
    });
}

#[test]
fn specialisation() {
    let default = |i: u32| {
        let s: u32 = (0..4).map(|k| k * k + i).sum();
        [s + 10000, 3.0f32.to_bits(), (-4i32) as u32, i % 9 + 100]
    };
    both("spec", |name| {
        let k = kernel(name, &Options::default());
        assert_eq!((k.local_size, k.shared_size), ([1, 1, 1], 36));
        assert_eq!(run(name, &Options::default(), 4, &[]), default(0));
        let data = [4u32, 2, 6, 1, 2.5f32.to_bits(), 5].map(u32::to_le_bytes);
        let spec: Vec<SpecConstant<'_>> =
            data.iter().enumerate().map(|(i, d)| SpecConstant { id: i as u32, data: d }).collect();
        let options = Options { spec_constants: &spec, ..Options::default() };
        let k = kernel(name, &options);
        assert_eq!((k.local_size, k.shared_size), ([4, 2, 1], 13 * 4));
        let expected: Vec<u32> = (0..8u32)
            .flat_map(|i| {
                let s: u32 = (0..6).map(|k| k * k + i).sum();
                [s + 6000 + 20000, 5.0f32.to_bits(), 5 + 2, i + 400]
            })
            .collect();
        assert_eq!(run(name, &options, 32, &[]), expected);
        // The branch on the folded constant is gone.
        let conditions = compiler::text::print(&kernel("spec", &options)).matches("switch").count();
        assert_eq!(conditions, 0);
    });
    let short = [SpecConstant { id: 2, data: &[1, 0] }];
    let options = Options { spec_constants: &short, ..Options::default() };
    assert!(compiler::frontend::translate(&super::harness::module("spec"), &options).is_err());
}

#[test]
fn specialised_operations() {
    // The folded constants: add 18, mul 54, udiv 7, umod 5, sdiv −1, srem −1, smod 2, or 21, xor 16, sel 2, …
    let not_shifted = !13u32 >> 4;
    let s: u32 = 54u32.wrapping_add(2).wrapping_mul(u32::MAX) ^ u32::MAX;
    let s = s.wrapping_add((-7i32) as u32).wrapping_add(13).wrapping_add(18);
    let s = (s ^ not_shifted).wrapping_add(5).wrapping_add(13 << 3).wrapping_add((-2i32) as u32);
    let expected: Vec<u32> = (0..8u32)
        .map(|i| {
            s.wrapping_add(match i {
                1 => 1,
                4 => 4,
                _ => 100,
            })
        })
        .collect();
    assert_eq!(run("spec_ops", &Options::default(), 8, &[]), expected);
}

#[test]
fn phis_that_swap() {
    let expected: Vec<u32> = (0..8u32)
        .map(|i| {
            let (a, b) = if i % 2 == 0 { (1, 2) } else { (2, 1) };
            match i % 3 {
                0 => a * 100,
                1 => b + 7,
                _ => b,
            }
        })
        .collect();
    assert_eq!(run("phi", &Options::default(), 8, &[]), expected);
}

#[test]
fn unusual_block_structure() {
    let expected: Vec<u32> = (0..8u32)
        .map(|i| {
            if i >= 4 && i % 2 == 0 {
                return 100;
            }
            let v = i * 7;
            v + match i {
                1 => v + 3,
                5 => 5,
                _ => 2,
            }
        })
        .collect();
    assert_eq!(run("blocks", &Options::default(), 8, &[]), expected);
}

#[test]
fn loops_with_exits_everywhere() {
    let expected: Vec<u32> = (0..8u32)
        .map(|i| {
            let (mut n, mut s) = (0u32, 1u32);
            loop {
                let v = n * i;
                if v == 12 {
                    return 5 + v;
                }
                let mut s2 = if v == 3 { 100 } else { s + v };
                if n % 2 == 1 {
                    s2 *= 3;
                }
                n += 1;
                s = s2;
                if n >= 7 {
                    return s + v;
                }
            }
        })
        .collect();
    assert_eq!(run("loops", &Options::default(), 8, &[]), expected);
    let four = SpecConstant { id: 3, data: &[4, 0, 0, 0] };
    let options = Options { spec_constants: &[four], ..Options::default() };
    assert_eq!(kernel("loops", &options).local_size, [4, 1, 1]);
}

#[test]
fn variable_pointers() {
    let k = kernel("variable_pointers", &Options::default());
    assert_eq!(k.shared_size, 32);
    assert!(k.bindings.iter().all(|b| b.written));
    let mut m = TestMachine::new();
    let out: Vec<u32> = (0..32).map(|i| 1000 + i).collect();
    let input: Vec<u32> = (0..16).map(|i| 10 * i).collect();
    m.bind(0, 0, 0, u32_bytes(&out));
    m.bind(0, 1, 0, u32_bytes(&input));
    dispatch(&k, &mut m, [1, 1, 1]);
    let shared: Vec<u32> = (0..8).map(|i| if i < 4 { 1000 + i } else { 10 * i }).collect();
    let mut expected_out = out.clone();
    let mut expected_in = input.clone();
    for i in 0..8usize {
        let sum: u32 = (0..3).map(|n| shared[n] + input[i + n]).sum();
        let through_call = if i < 4 { out[i] } else { input[i] };
        expected_out[i + 16] = sum + through_call + input[i];
        if i < 4 {
            expected_out[i] = 7;
        } else {
            expected_in[i] = 7;
        }
    }
    assert_eq!(words(&m, 0), expected_out);
    assert_eq!(words(&m, 1), expected_in);
}

#[test]
fn pointer_comparison() {
    let expected: Vec<u32> = (0..8i32).map(|i| (if i == 3 { 100 } else { 0 } + 16 + (i - 3)) as u32).collect();
    assert_eq!(run("pointer_compare", &Options::default(), 8, &[0; 8]), expected);
}

#[test]
fn null_in_workgroup_memory_strides_and_wide_exponents() {
    let infinity = f32::INFINITY.to_bits();
    let expected: Vec<u32> = (0..8u32)
        .flat_map(|i| {
            if i % 2 == 1 {
                [0, 1, 0, i.wrapping_sub(2), 2, infinity]
            } else {
                [0, 0, i + 8, i.wrapping_sub(2), 2, 0]
            }
        })
        .collect();
    assert_eq!(run("pointer_edges", &Options::default(), 48, &[0; 64]), expected);
}

#[test]
fn logical_copies() {
    let k = kernel("copies", &Options::default());
    let mut m = TestMachine::new();
    m.bind(0, 0, 0, vec![0; 32]);
    m.bind(0, 2, 0, u32_bytes(&[1, 2, 3, 99, 5, 6, 7]));
    dispatch(&k, &mut m, [1, 1, 1]);
    let expected: Vec<u32> = (0..8).map(|i| if i < 4 { 2 + 7 } else { 0 }).collect();
    assert_eq!(words(&m, 0), expected);
    // Invocation 3 wrote the structure back with its number in the last element; the padding is untouched.
    assert_eq!(words(&m, 2), [1, 2, 3, 99, 5, 6, 3]);
}

#[test]
fn odd_but_valid_modules() {
    let expected: Vec<u32> = (0..8).collect();
    assert_eq!(run("oddities", &Options::default(), 8, &[]), expected);
    let options = Options { entry_point: "other", ..Options::default() };
    let k = kernel("oddities", &options);
    assert_eq!((k.local_size, k.bindings.len()), ([2, 1, 1], 1));
    let missing = Options { entry_point: "none", ..Options::default() };
    assert!(compiler::frontend::translate(&super::harness::module("oddities"), &missing).is_err());
}

#[test]
fn dot_products() {
    let x = [0x0102_0304u32, 0xff80_7f01, 0x8080_8080, 0x7f7f_7f7f, 0, 0xffff_ffff, 0x1234_5678, 0x9abc_def0];
    let mut expected = Vec::new();
    for i in 0..8 {
        let (a, b) = (x[i].to_le_bytes(), x[i ^ 1].to_le_bytes());
        let dot = |f: &dyn Fn(u8) -> i64, g: &dyn Fn(u8) -> i64| -> i64 { (0..4).map(|k| f(a[k]) * g(b[k])).sum() };
        let signed = |v: u8| i64::from(v as i8);
        let unsigned = |v: u8| i64::from(v);
        let (s, u) = (dot(&signed, &signed), dot(&unsigned, &unsigned));
        // The 16-bit form agrees with the others as long as the sum fits.
        let narrow = i64::from(s as i16) - s;
        expected.push(s as u32);
        expected.push((u as u32).wrapping_add(narrow as u32));
        expected.push(dot(&signed, &unsigned) as u32);
        expected.push((s + 2_147_483_000).min(i64::from(i32::MAX)) as u32);
        expected.push((u + 4_294_967_000).min(i64::from(u32::MAX)) as u32);
    }
    assert_eq!(run("dots", &Options::default(), 40, &x), expected);
}

#[test]
fn float_comparisons_and_quantisation() {
    let quantised = half::f16::from_f32(1.1).to_f32().to_bits();
    let expected: Vec<u32> = (0..8u32)
        .map(|i| {
            let nan = i == 0;
            let mut r = 1 + 8 + 100;
            if nan {
                // Only what is true of unordered operands: <, ==, >=, and x ≠ x.
                r = 1 + 4 + 16 + quantised;
            } else {
                r += 2;
            }
            r + i * 3
        })
        .collect();
    let input: Vec<u32> = (0..8).map(|i| i * 3).collect();
    assert_eq!(run("compares", &Options::default(), 8, &input), expected);
}

#[test]
fn inverses_and_determinants() {
    both("matrices", |name| {
        let out: Vec<f32> = run(name, &Options::default(), 80, &[]).into_iter().map(f32::from_bits).collect();
        for t in 0..2 {
            let o = &out[t * 40..];
            let near = |at: usize, n: usize| {
                for i in 0..n * n {
                    let one = if i % (n + 1) == 0 { 1.0 } else { 0.0 };
                    assert!((o[at + i] - one).abs() < 1e-5, "{name} {at} {i}: {}", o[at + i]);
                }
            };
            near(0, 4);
            near(16, 3);
            near(25, 2);
            let t = t as f32;
            assert_eq!(o[29], 2.0 * (4.0 + t) - 3.0);
            assert!((o[30] - (2.0 * (3.0 * (4.0 + t) - 2.0) + 1.0 - 3.0)).abs() < 1e-4, "{}", o[30]);
            assert_eq!(o[32], 1.0);
        }
    });
}

#[test]
fn atomics() {
    both("atomics", |name| {
        let k = kernel(name, &Options::default());
        let mut m = TestMachine::new();
        let mut start = vec![0u32; 48];
        start[1] = 5;
        start[3] = u32::MAX;
        m.bind(0, 0, 0, u32_bytes(&start));
        dispatch(&k, &mut m, [1, 1, 1]);
        let o = words(&m, 0);
        assert_eq!(o[..5], [120, 0, 15, !0xffff, 0xffff], "{name}");
        let xor = (0..16).fold(0u32, |a, i| a ^ 3 << i);
        assert_eq!(o[5..8], [xor, 16, 77]);
        assert_eq!([o[16] as i32, o[17] as i32, o[18] as i32], [-10, 0, -120]);
        let w = |i: usize| u64::from(o[20 + 2 * i]) | u64::from(o[21 + 2 * i]) << 32;
        assert_eq!([w(0), w(1), w(2), w(3)], [120 << 32, 15 << 40, 7, 1 << 33]);
        assert_eq!([f32::from_bits(o[28]), f32::from_bits(o[29])], [8.0, 2.5]);
        assert!(o[30..46].iter().all(|&v| v == 32 + 15 + 16));
    });
}

#[test]
fn subgroup_ballots() {
    both("subgroup_ballot", |name| {
        assert!(kernel(name, &Options::default()).uses_subgroups);
        let out = run(name, &Options::default(), 32 * 24, &[]);
        for i in 0..32u32 {
            let (o, group, lane) = (&out[i as usize * 24..], i / 8, i % 8);
            let mask: u32 = (0..8).filter(|l| (group * 8 + l) % 3 == 0).map(|l| 1 << l).sum();
            let (below, upto) = ((1u32 << lane) - 1, (2u32 << lane) - 1);
            assert_eq!(o[..4], [mask, mask.count_ones(), (mask & upto).count_ones(), (mask & below).count_ones()]);
            assert_eq!(o[4..6], [mask.trailing_zeros(), 31 - mask.leading_zeros()]);
            assert_eq!(o[6..8], [mask >> lane & 1, mask >> (i & 7) & 1]);
            assert_eq!(o[8..14], [group * 8 + 2, group * 16, u32::from(lane == 0), 1, u32::from(group == 0), 1]);
            assert_eq!(o[14..19], [1 << lane, 0xff & !below, 0xff & !upto, upto, below]);
            assert_eq!(o[19..23], [8, lane, group, 4]);
            assert_eq!(o[23], if i & 1 == 0 { 0x55 + 1 } else { 0 }, "{name} {i}");
        }
    });
}

#[test]
fn subgroup_arithmetic() {
    both("subgroup_arith", |name| {
        let out = run(name, &Options::default(), 16 * 24, &[]);
        for i in 0..16u32 {
            let (o, base, lane) = (&out[i as usize * 24..], i / 8 * 8, i % 8);
            let all = || base..base + 8;
            let sum: u32 = all().sum();
            assert_eq!(o[..4], [sum, (base..=i).sum(), (base..i).sum(), all().fold(1, |a, v| a.wrapping_mul(v + 1))]);
            assert_eq!(o[4..6], [base.wrapping_sub(3), base + 7]);
            assert_eq!(o[6], all().fold(u32::MAX, |a, v| a & (v | 8)));
            assert_eq!(o[7..9], [all().fold(0, |a, v| a | v), all().fold(0, |a, v| a ^ v)]);
            assert_eq!(f32::from_bits(o[9]), sum as f32 * 0.5);
            let before = if lane == 0 { f32::NEG_INFINITY } else { (i - 1) as f32 };
            assert_eq!(f32::from_bits(o[10]), before);
            assert_eq!(o[11], u32::from((base..i).all(|v| v < 3)));
            let quad = i / 4 * 4;
            assert_eq!(o[12..15], [quad * 4 + 6, i | 1, u32::from(quad == 0)]);
            if i < 8 {
                assert_eq!(o[15], i ^ 1);
            }
            assert_eq!(o[16], i ^ 2);
            // What an inactive invocation would give (lanes 1 and 5) is undefined.
            if lane != 1 {
                assert_eq!(o[17], if lane >= 1 { i - 1 } else { 0 });
            }
            if lane != 5 {
                assert_eq!(o[18], if lane < 6 { i + 1 } else { 0 });
            }
            assert_eq!(o[19..22], [quad + 1, i ^ 1, (i ^ 2) * 100 + (i ^ 3)]);
            assert_eq!(o[22..24], [sum * 2, sum], "{name} {i}");
        }
    });
}

#[test]
fn subgroup_partitions() {
    both("subgroup_partition", |name| {
        let out = run(name, &Options::default(), 16 * 8, &[]);
        for i in 0..16u32 {
            let (o, base) = (&out[i as usize * 8..], i / 8 * 8);
            let all = || base..base + 8;
            let mask = |same: &dyn Fn(u32) -> bool| all().filter(|&l| same(l)).fold(0u32, |m, l| m | 1 << (l - base));
            let third = || all().filter(move |l| l % 3 == i % 3);
            assert_eq!(o[0], mask(&|l| l % 3 == i % 3));
            assert_eq!(o[1], mask(&|l| (l / 4, l % 2) == (i / 4, i % 2)));
            assert_eq!(o[2], third().sum());
            assert_eq!(Some(o[3]), third().filter(|&l| l <= i).map(|l| l ^ 5).max());
            assert_eq!(o[4], third().filter(|&l| l < i).fold(0, |a, l| a ^ l));
            if i % 8 != 6 {
                assert_eq!(o[5], mask(&|l| l % 8 != 6 && (l % 3 == 0) == (i % 3 == 0)));
                assert_eq!(o[6], third().filter(|l| l % 8 != 6).map(|_| 2).product());
            }
            assert_eq!(o[7], u32::from(base == 0 && i % 3 == 1), "{name} {i}");
        }
    });
}

#[test]
fn derivatives_in_squares() {
    both("derivatives", |name| {
        let out = run(name, &Options::default(), 48 * 8, &[]);
        let v = |x: usize, y: usize, z: usize| (x * x * 3 + y * y * 50 + z * 7) as f32;
        for n in 0..48 {
            let (x, y, z) = (n % 6, n / 6 % 4, n / 24);
            let o: Vec<f32> = out[n * 8..n * 8 + 8].iter().map(|&w| f32::from_bits(w)).collect();
            let dx = v(x | 1, y, z) - v(x & !1, y, z);
            let dy = v(x, y | 1, z) - v(x, y & !1, z);
            assert_eq!(o[..5], [dx, dy, dx + dy, y as f32, dx], "{name} {n}");
            assert_eq!(o[5], v(x | 1, y | 1, z));
            assert_eq!(o[6], (x * 100 + y * 10 + z) as f32);
            assert_eq!(o[7], (z * 24 + (y ^ 1) * 6 + (x ^ 1)) as f32);
        }
    });
}

#[test]
fn atomics_on_vectors() {
    let out = run("atomic_vectors", &Options::default(), 4 + 16, &[]);
    let half = |n: f32| u32::from(half::f16::from_f32(n).to_bits());
    assert_eq!(out[0], half(6.0) | half(4.0) << 16);
    assert_eq!(out[2..4], [half(3.0) | half(9.0) << 16, half(1.0) | half(9.0) << 16]);
    for i in 0..4usize {
        let old: Vec<f32> = out[4 + i * 4..8 + i * 4].iter().map(|&w| f32::from_bits(w)).collect();
        let before = (0..i).sum::<usize>() as f32;
        assert_eq!(old, [before, i as f32, i.saturating_sub(1) as f32, if i == 0 { 0.0 } else { 9.0 }]);
    }
}

#[test]
fn older_subgroup_instructions() {
    let expected: Vec<u32> = (0..8u32).map(|i| 2 + 0x1f * 100 + 2 + ((i + 1) % 8) * 16 + (i ^ 1) * 7).collect();
    assert_eq!(run("old_subgroups", &Options::default(), 8, &[]), expected);
}

#[test]
fn physical_addresses() {
    both("physical", |name| {
        let k = kernel(name, &Options::default());
        assert_eq!(k.push_size, 24);
        let mut m = TestMachine::new();
        m.bind(0, 0, 0, u32_bytes(&[0, 1, 0, 0, 0, 0, 0, 0]));
        m.bind(9, 0, 0, vec![0; 64]);
        m.bind(9, 1, 0, u32_bytes(&[0, 0, 0, 0, 11, 22, 33, 44]));
        let (nodes, data) = (m.address(9, 0, 0).unwrap(), m.address(9, 1, 0).unwrap());
        // Three nodes of 16 bytes: 3 → 1 → 4.
        let mut list = Vec::new();
        for (value, next) in [(3u64, nodes + 32), (4, 0), (1, nodes + 16)] {
            list.extend(value.to_le_bytes());
            list.extend(next.to_le_bytes());
        }
        compiler::interp::Machine::store(&mut m, nodes, &list).unwrap();
        m.set_push_constants([nodes, data, data].iter().flat_map(|v| v.to_le_bytes()).collect());
        dispatch(&k, &mut m, [1, 1, 1]);
        assert_eq!(words(&m, 0), [314, 1, 9 + 1, 33, 16, (nodes >> 32) as u32, 1, 0], "{name}");
        let d = m.contents(9, 1, 0).unwrap();
        assert_eq!(d[4..12], bytes_of(&[3.0f32, 4.0], f32::to_le_bytes)[..]);
        assert_eq!(d[24..28], 38u32.to_le_bytes());
    });
}

#[test]
fn descriptor_arrays() {
    both("descriptors", |name| {
        let k = kernel(name, &Options::default());
        let counts: Vec<_> = k.bindings.iter().map(|b| (b.set, b.binding, b.count, b.kind)).collect();
        let (s, u) = (BindingKind::StorageBuffer, BindingKind::UniformBuffer);
        assert_eq!(counts, [(0, 0, 1, s), (1, 0, 4, s), (1, 1, 3, u), (1, 2, 0, s)]);
        let mut m = TestMachine::new();
        m.bind(0, 0, 0, vec![0; 84]);
        for e in 0..4u32 {
            m.bind(1, 0, e, u32_bytes(&[100 * (e + 1), 1, 20 + e, 0][..4 - e as usize % 2]));
            m.bind(1, 1, e, u32_bytes(&[1000 * e, 1000 * e + 1, 1000 * e + 2, 1000 * e + 3]));
            m.bind(1, 2, e, u32_bytes(&[7 + e]));
        }
        dispatch(&k, &mut m, [1, 1, 1]);
        let o = words(&m, 0);
        for i in 0..4u32 {
            let at = i as usize * 4;
            assert_eq!(o[at], 300 + 20 + i);
            assert_eq!(o[at + 1], 1 + 1000 * (i % 3) + i);
            assert_eq!(o[at + 2..at + 4], [7 + i, 3 - i % 2]);
            let b: Vec<u8> = m.contents(1, 0, i).unwrap().to_vec();
            assert_eq!(b[..4], (100 * (i + 1) + 1).to_le_bytes(), "{name}");
            if i % 2 == 0 {
                assert_eq!(b[12..16], (i * 7).to_le_bytes());
            }
        }
    });
}

#[test]
fn shared_blocks_alias() {
    both("shared_blocks", |name| {
        let k = kernel(name, &Options::default());
        assert_eq!(k.shared_size, 32);
        let out = run(name, &Options::default(), 12, &[]);
        let words: Vec<u32> = (0..4).map(|i| i | (i + 1) << 16).chain((0..4).map(|i| (i as f32).to_bits())).collect();
        for i in 0..4usize {
            let half = |n: usize| words[1 + n / 2] >> (16 * (n % 2)) & 0xffff;
            assert_eq!(out[i * 3], half(i), "{name}");
            // Row-major, rows 8 bytes apart: column i & 1, row i >> 1.
            assert_eq!(out[i * 3 + 1], words[(16 + (i >> 1) * 8 + (i & 1) * 4) / 4]);
            assert_eq!(out[i * 3 + 2], words[(i + 1) & 3]);
        }
    });
}

#[test]
fn bools_in_memory() {
    both("bools", |name| {
        let out = run(name, &Options::default(), 16, &[]);
        for i in 0..8usize {
            let arr = [true, false, true, true];
            let flags: Vec<bool> = (0..8).map(|k| k & 2 != 0).collect();
            let mut v = [false, true, true];
            v[i % 3] = flags[(i + 1) & 7];
            let r: u32 = (0..8).filter(|&k| flags[k] != arr[k & 3]).map(|k| 1 << k).sum();
            assert_eq!(out[i * 2], r);
            let bits = [v.iter().all(|&b| b), v.iter().any(|&b| b), arr[i & 3], !arr[i & 3]];
            let bits: u32 = bits.iter().enumerate().map(|(n, &b)| u32::from(b) << n).sum();
            assert_eq!(out[i * 2 + 1], bits, "{name} {i}");
        }
    });
}

#[test]
fn reduction() {
    both("reduce", |name| {
        let k = kernel(name, &Options::default());
        let mut m = TestMachine::new();
        let a: Vec<u32> = (0..128).map(|i| i * i).collect();
        m.bind(0, 0, 0, vec![0; 8]);
        m.bind(0, 1, 0, u32_bytes(&a));
        dispatch(&k, &mut m, [2, 1, 1]);
        assert_eq!(words(&m, 0), [a[..64].iter().sum::<u32>(), a[64..].iter().sum()]);
    });
}

#[test]
fn packing() {
    let a: Vec<u32> =
        vec![0x7f80_ff01, 0x1234_5678, 0, 0xffff_ffff, 0x8000_7fff, 0x3c00_3800, 0x0102_0304, 0xdead_beef];
    both("packing", |name| {
        let out = run(name, &Options::default(), 96, &a);
        for (i, &x) in a.iter().enumerate() {
            let o = &out[i * 12..];
            let b = x.to_le_bytes();
            let snorm = |v: u8| (f32::from(v as i8) / 127.0).max(-1.0);
            assert_eq!(o[0], (snorm(b[0]) + snorm(b[3])).to_bits(), "{name} {i}");
            assert_eq!(o[1], (f32::from(b[1]) / 255.0 * (f32::from(b[2]) / 255.0)).to_bits());
            assert_eq!(o[6], x);
            let h = |v: u32| half::f16::from_bits((v & 0x7bff) as u16).to_f32();
            assert_eq!(o[4], (h(x) + h(x >> 16)).to_bits());
            let twice = |v: u32| u32::from(half::f16::from_f32(h(v) * 2.0).to_bits());
            assert_eq!(o[9], twice(x) | twice(x >> 16) << 16);
            assert_eq!(o[10], 0x40ff_8000);
        }
    });
}

#[test]
fn float_functions() {
    let a = [0.5f32, -2.75, 3.0, -0.3, 7.5, -1.0, 2.5, 11.25];
    let input: Vec<u32> = a.iter().map(|v| v.to_bits()).collect();
    both("floats", |name| {
        let out: Vec<f32> = run(name, &Options::default(), 8 * 64, &input).into_iter().map(f32::from_bits).collect();
        for i in 0..8 {
            let (o, x, y) = (&out[i * 64..], a[i], a[(i + 3) & 7]);
            let exact = [
                (1, x.round_ties_even()),
                (2, x.trunc()),
                (3, x.abs()),
                (4, x.signum()),
                (5, x.floor()),
                (6, x.ceil()),
                (7, x - x.floor()),
                (30, x.min(y)),
                (31, x.max(y)),
                (32, x.clamp(-1.0, 2.0)),
                (34, if y < x { 0.0 } else { 1.0 }),
                (36, x.mul_add(y, 1.0)),
                (37, x * 8.0),
                (39, x / y),
                (47, x.abs()),
                (50, x.fract()),
                (51, x.trunc()),
                (52, 0.0),
                (54, x.trunc() + y.abs().trunc()),
                (56, -x),
            ];
            for (n, v) in exact {
                assert_eq!(o[n].to_bits() & 0x7fff_ffff, v.to_bits() & 0x7fff_ffff, "{name} {i}: {n}");
            }
            let near = [
                (8, x.to_radians()),
                (10, x.sin()),
                (11, x.cos()),
                (15, x.atan()),
                (22, y.atan2(x)),
                (23, x.abs().powf(y)),
                (24, x.exp()),
                (25, x.abs().ln()),
                (28, x.abs().sqrt()),
                (33, x * 0.75 + y * 0.25),
                (38, x - 1.5 * (x / 1.5).floor()),
                (40, (x * x + y * y + 1.0).sqrt()),
                (48, {
                    let e = x.abs().log2().floor() as i32 + 1;
                    x / 2f32.powi(e)
                }),
                (49, x.abs().log2().floor() + 1.0),
                (55, x * y + 1.0),
            ];
            for (n, v) in near {
                assert!((o[n] - v).abs() <= 1e-5 * v.abs().max(1.0), "{name} {i}: {n}: {} for {v}", o[n]);
            }
        }
    });
}

#[test]
fn descriptor_kinds_and_flags() {
    use BindingKind::{
        CombinedImageSampler as C, SampledImage as I, Sampler as S, StorageBuffer as B, StorageImage as G,
        StorageTexelBuffer as W, UniformTexelBuffer as U,
    };
    let of = |name: &str| -> Vec<_> {
        let k = kernel(name, &Options::default());
        k.bindings.iter().map(|b| (b.set, b.binding, b.kind, b.count, b.written)).collect()
    };
    let images: Vec<_> = of("images").iter().map(|b| (b.2, b.3, b.4)).collect();
    let written = [false, true, true, true, false, true, true, true, false, true];
    let expected: Vec<_> = (0..10).map(|i| (G, if i == 7 { 4 } else { 1 }, written[i])).collect();
    assert_eq!(images, expected);
    let kinds: Vec<_> = of("sampling").iter().map(|b| (b.0, b.1, b.2, b.3)).collect();
    let mut expected: Vec<_> = [C, C, C, C, C, I, S, C, I, C, C, C, B]
        .iter()
        .enumerate()
        .map(|(i, &k)| (0, i as u32, k, if i == 7 { 0 } else { 1 }))
        .collect();
    expected.extend([(1, 0, I, 8), (1, 1, S, 8)]);
    assert_eq!(kinds, expected);
    assert_eq!(of("texel_buffers").iter().map(|b| b.2).collect::<Vec<_>>(), [U, W, U, W]);
    let text = compiler::text::print(&kernel("sampling", &Options::default()));
    assert!(text.contains("non_uniform") || text.contains("nonuniform"), "{text}");
}

#[test]
fn memory_qualifiers_reach_the_accesses() {
    let k = kernel("memory_model", &Options::default());
    let text = compiler::text::print(&k);
    for word in ["volatile", "coherent", "restrict", "atomic", "memory_barrier", "control_barrier workgroup workgroup"]
    {
        assert!(text.contains(word), "{word} in\n{text}");
    }
}

#[test]
fn workgroup_memory_starts_as_zeros_when_asked() {
    assert!(!kernel("reduce", &Options::default()).shared_zeroed);
    let options = Options { zero_shared: true, ..Options::default() };
    assert!(kernel("reduce", &options).shared_zeroed);
    // naga asks for it by an OpConstantNull initialiser or clears by itself.
    let k = kernel("histogram", &Options::default());
    let out = run("histogram", &Options::default(), 16, &[0, 1, 7, 2, 3, 4, 9, 9]);
    assert_eq!(k.local_size, [16, 1, 1]);
    // Each value occurs twice; bins 0: {0, 1}, 7: {7}, v % 5 + 1: 2→3, 3→4, 4→5, 9→5.
    assert_eq!(out[..8], [4, 0, 0, 2, 2, 6, 0, 2]);
}

#[test]
fn buffers_are_indexed_beyond_32_bits_when_asked() {
    const MODULE: &str = r#"
OpCapability Shader
OpCapability Shader64BitIndexingEXT
OpExtension "SPV_EXT_shader_64bit_indexing"
OpMemoryModel Logical GLSL450
OpEntryPoint GLCompute %main "main"
OpExecutionMode %main LocalSize 1 1 1
MODE
%void = OpTypeVoid
%fn = OpTypeFunction %void
%main = OpFunction %void None %fn
%entry = OpLabel
OpReturn
OpFunctionEnd
"#;
    let with = |mode: &str, wide_indexing: bool| {
        let options = Options { wide_indexing, ..Options::default() };
        translate(&assemble(&MODULE.replace("MODE", mode)), &options).unwrap().wide_indexing
    };
    assert!(!with("", false), "the capability alone asks for nothing");
    assert!(with("", true), "the pipeline asks");
    assert!(with("OpExecutionMode %main Shader64BitIndexingEXT", false), "the module asks");
}

/// Low `width` bits of a value.
fn low(v: u64, width: u32) -> u64 {
    v & (u64::MAX >> (64 - width))
}

#[test]
fn bit_instructions_of_every_width() {
    let input: Vec<u32> = (0..8u32).map(|i| i.wrapping_mul(0x9e37_79b9) ^ 0xa5).collect();
    let mut expected = Vec::new();
    for i in 0..8usize {
        let (x, y) = (u64::from(input[i]), u64::from(input[i ^ 1]));
        for width in [8u32, 16, 64] {
            let [a, b] = if width == 64 { [y << 32 | x, x << 32 | y] } else { [low(x, width), low(y, width)] };
            let offset = i as u32 & 3;
            // A 64-bit result is folded to its two halves' exclusive or.
            let mut out = |v: u64| expected.push(if width == 64 { (v ^ (v >> 32)) as u32 } else { v as u32 });
            out(u64::from(a.count_ones()));
            for v in [a, b] {
                out(v.reverse_bits() >> (64 - width));
            }
            let field = 0x1f << offset;
            for (v, insert) in [(a, b), (b, a)] {
                out(low(v & !field | (insert << offset) & field, width));
            }
            for v in [a, b] {
                let field = ((v >> offset & 0x1f) as i64) << 59 >> 59;
                out(low(field as u64, width));
            }
            for v in [a, b] {
                out(v >> offset & 0x1f);
            }
            out(u64::from(b.count_ones()));
        }
    }
    assert_eq!(run("bit_widths", &Options::default(), expected.len(), &input), expected);
}

#[test]
fn vectors_of_any_length() {
    for length in [5u32, 1, 200] {
        let data = length.to_le_bytes();
        let spec_constants = [SpecConstant { id: 3, data: &data }];
        let spec_constants = if length == 5 { &[][..] } else { &spec_constants[..] };
        let k = kernel("long_vectors", &Options { spec_constants, ..Options::default() });
        let input: Vec<u32> = (0..8).map(|i| 3 + i * 2).collect();
        let wide: Vec<u32> = (0..72).map(|i| i * 5).collect();
        let mut m = TestMachine::new();
        m.bind(0, 0, 0, vec![0; 8 * 7 * 4]);
        m.bind(0, 1, 0, u32_bytes(&input));
        m.bind(0, 2, 0, u32_bytes(&wide));
        dispatch(&k, &mut m, [1, 1, 1]);
        let eight = [1u32, 2, 3, 4, 5, 7, 8, 0];
        let (mut expected, mut stored) = (Vec::new(), Vec::new());
        for i in 0..8 {
            let x = input[i];
            let sum: Vec<u32> = (0..8).map(|c| wide[9 * i + c] + x + eight[c]).collect();
            stored.extend(&sum);
            stored.push(x * x);
            let shuffled = [eight[7], eight[0], sum[0], eight[1], sum[7], eight[2], sum[1], eight[3]];
            let mut inserted = eight;
            inserted[i] = x;
            let masked: Vec<bool> = (0..8).map(|c| inserted[c] > eight[c]).collect();
            let flag = u32::from(masked.contains(&true)) + if masked.contains(&false) { 0 } else { 2 };
            let dot: u32 = (0..8).map(|c| inserted[c] * eight[c]).sum();
            let length: u32 = (0..8)
                .map(|c| {
                    let v = (2 * inserted[c]).max(eight[c]) * eight[c] + inserted[c];
                    v * v
                })
                .sum();
            let twelve = if i == 2 { x * 7 } else { 49 };
            expected.extend([sum[7], shuffled[i], flag, dot, length, !x, twelve]);
        }
        let mut found = words(&m, 0);
        if length == 1 {
            // Component 1 of one is undefined.
            for i in 0..8 {
                found[i * 7 + 5] = expected[i * 7 + 5];
            }
        }
        assert_eq!(found, expected, "length {length}");
        assert_eq!(words(&m, 2), stored);
    }
}

#[test]
fn vectors_without_components_or_with_too_many_are_refused() {
    for length in [0u32, 1025, u32::MAX] {
        let data = length.to_le_bytes();
        let options = Options { spec_constants: &[SpecConstant { id: 3, data: &data }], ..Options::default() };
        assert!(compiler::frontend::translate(&super::harness::module("long_vectors"), &options).is_err(), "{length}");
    }
}

#[test]
fn instructions_of_small_extensions() {
    let input: Vec<u32> = (0..24u32).map(|i| (i.wrapping_mul(0x9e37_79b9) as i32 >> 7) as u32).collect();
    for fill in [9u32, 4] {
        let data = fill.to_le_bytes();
        let options = Options { spec_constants: &[SpecConstant { id: 1, data: &data }], ..Options::default() };
        let mut expected = Vec::new();
        for t in input.chunks(3) {
            let mut unsigned = [t[0], t[1], t[2]];
            unsigned.sort_unstable();
            let mut signed = [t[0] as i32, t[1] as i32, t[2] as i32];
            signed.sort_unstable();
            for k in [0, 2, 1] {
                // The numbers are exact as floats (24 bits and more zeros, or fewer bits).
                expected.extend([(signed[k] as f32) as i32 as u32, unsigned[k], signed[k] as u32]);
            }
            let f = |v: u32| v as i32 as f32;
            expected.push(f(t[0]).mul_add(f(t[1]), f(t[2])).to_bits());
            expected.push(fill * 7);
            expected.push(24);
        }
        assert_eq!(run("small_extensions", &options, expected.len(), &input), expected);
    }
}

#[test]
fn raw_access_chains() {
    // Seven structures of eight: the last invocation is out of bounds.
    let input: Vec<u32> = (0..21).map(|i| 100 + i * i).collect();
    let expected: Vec<u32> = (0..8usize)
        .flat_map(|i| {
            let at = |k: usize| input.get(3 * i + k).copied().unwrap_or(0);
            let one = at(1 + (i & 1));
            [at(1) + one, at(2) + one]
        })
        .collect();
    assert_eq!(run("raw_access", &Options::default(), 16, &input), expected);
}
