//! What kernels mean: a sample of everything a compute kernel does.

use crate::support::*;
use cts::Setup;
use half::f16;

tests! {
    shared_memory, atomics_32, sums_by_many, atomics_64, atomics_float, storage_8, storage_16, arithmetic_8, arithmetic_16, half_floats,
    wide_types, integers, control_flow, variable_pointers, block_layouts, robust_buffers, zeroed_workgroup_memory,
    byte_products,
}

unsafe fn shared_memory() -> R {
    let t = T::new(&[])?;
    need!(t.props.limits.max_compute_work_group_invocations >= 256, "workgroups of 256");
    let data: Vec<u32> = Random(1).words(256 * 20);
    let (d, o) = (t.buf_of(&data)?, t.zeros(80)?);
    t.compute(spv!("reduce"), &[B::S(d), B::S(o)], &words(&[5]), [20, 1, 1])?;
    let want: Vec<u32> = data
        .chunks(256)
        .map(|c| {
            (0..5).map(|r| c.iter().fold(0u32, |s, v| s.wrapping_add(v.wrapping_add(r)))).fold(0, u32::wrapping_add)
        })
        .collect();
    equal(&o.get::<u32>(), &want)
}

macro_rules! integer_atomics {
    ($t:expr, $code:expr, $ty:ty) => {{
        let n = 64 * 40usize;
        let mut random = Random(2);
        let values: Vec<$ty> = (0..n).map(|_| random.bits() as $ty).collect();
        let mut start = [0 as $ty; 16];
        // Minima and conjunctions start from the largest and from all ones.
        (start[1], start[2], start[3]) = (<$ty>::MAX, <$ty>::MIN, !0);
        (start[9], start[10], start[11]) = (<$ty>::MAX, <$ty>::MIN, !0);
        let (v, o, seen) = ($t.buf_of(&values)?, $t.buf_of(&start)?, $t.zeros(n as u64 * 4)?);
        $t.compute($code, &[B::S(v), B::S(o), B::S(seen)], &[], [40, 1, 1])?;
        let got = o.get::<$ty>();
        let sum = values.iter().fold(0 as $ty, |a, b| a.wrapping_add(*b));
        let fold = |start: $ty, f: fn($ty, $ty) -> $ty| values.iter().fold(start, |a, b| f(a, *b));
        let (min, max) = (fold(<$ty>::MAX, Ord::min), fold(<$ty>::MIN, Ord::max));
        let (and, or, xor) = (fold(!0, |a, b| a & b), fold(0, |a, b| a | b), fold(0, |a, b| a ^ b));
        equal(&got[..8], &[sum, min, max, and, or, xor, n as $ty, n as $ty * 3])?;
        // Shared memory starts at 0, so minima and maxima include it.
        equal(&got[8..], &[sum, min.min(0), max.max(0), and, or, xor, n as $ty, 40 * 5])?;
        check!(seen.get::<u32>().iter().all(|s| *s == 1), "tickets were given twice");
    }};
}

unsafe fn atomics_32() -> R {
    let t = T::new(&[])?;
    integer_atomics!(t, spv!("atomics_u32"), u32);
    integer_atomics!(t, spv!("atomics_i32"), i32);
    Ok(())
}

unsafe fn sums_by_many() -> R {
    // Nobody looks at old values: an implementation may add up before it adds to memory, but nothing may be lost.
    let t = T::new(&[])?;
    let code = cts::shaders::wgsl(
        "@group(0) @binding(0) var<storage, read_write> counts: array<atomic<u32>>;
         @group(0) @binding(1) var<storage, read_write> sums: array<atomic<u32>>;
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3<u32>) {
             let hash = (g.x * 2654435769u) >> 7u;
             atomicAdd(&counts[hash % 3001u], g.x);
             let at = hash % 77u;
             var old = 0u;
             loop {
                 let more = bitcast<u32>(bitcast<f32>(old) + f32(g.x & 1u));
                 let seen = atomicCompareExchangeWeak(&sums[at], old, more);
                 if seen.exchanged { break; }
                 old = seen.old_value;
             }
         }",
    )
    .map_err(Stop::Fail)?;
    for groups in [1u32, 50, 6000] {
        let (c, s) = (t.zeros(4 * 3001)?, t.zeros(4 * 77)?);
        t.compute(&code, &[B::S(c), B::S(s)], &[], [groups, 1, 1])?;
        let (mut counts, mut sums) = (vec![0u32; 3001], vec![0f32; 77]);
        for i in 0..groups * 64 {
            let hash = i.wrapping_mul(2_654_435_769) >> 7;
            counts[(hash % 3001) as usize] = counts[(hash % 3001) as usize].wrapping_add(i);
            sums[(hash % 77) as usize] += (i & 1) as f32;
        }
        equal(&c.get::<u32>(), &counts)?;
        equal(&s.get::<f32>(), &sums)?;
    }
    Ok(())
}

unsafe fn atomics_64() -> R {
    let t = T::new(&[])?;
    let f = &t.features;
    need!(
        f.core.shader_int64 != 0 && f.v12.shader_buffer_int64_atomics != 0 && f.v12.shader_shared_int64_atomics != 0,
        "64-bit atomics"
    );
    integer_atomics!(t, spv!("atomics_u64"), u64);
    integer_atomics!(t, spv!("atomics_i64"), i64);
    Ok(())
}

unsafe fn atomics_float() -> R {
    let t = T::new(&[ash::ext::shader_atomic_float::NAME])?;
    let f = &t.features.atomic_float;
    need!(f.shader_buffer_float32_atomic_add != 0 && f.shader_shared_float32_atomic_add != 0, "float atomics");
    need!(f.shader_buffer_float32_atomics != 0, "float exchange");
    let n = 64 * 30usize;
    let mut random = Random(3);
    // Multiples of 1/4: every sum is exact, in any order.
    let values: Vec<f32> = (0..n).map(|_| random.below(4000) as f32 / 4.0 - 500.0).collect();
    let sum: f32 = values.iter().sum();
    let (v, o) = (t.buf_of(&values)?, t.zeros(64)?);
    t.compute(spv!("atomics_f32"), &[B::S(v), B::S(o), B::S(t.zeros(16)?)], &[], [30, 1, 1])?;
    let got = o.get::<f32>();
    same!((got[0], got[1], got[8]), (sum, values[17], sum));
    if f.shader_buffer_float64_atomic_add != 0
        && f.shader_shared_float64_atomic_add != 0
        && f.shader_buffer_float64_atomics != 0
    {
        let values: Vec<f64> = values.iter().map(|v| f64::from(*v) * 1e10).collect();
        let sum: f64 = values.iter().sum();
        let (v, o) = (t.buf_of(&values)?, t.zeros(128)?);
        t.compute(spv!("atomics_f64"), &[B::S(v), B::S(o), B::S(t.zeros(16)?)], &[], [30, 1, 1])?;
        let got = o.get::<f64>();
        same!((got[0], got[1], got[8]), (sum, values[17], sum));
    }
    Ok(())
}

/// Narrow storage: unsigned values times three come out wide, signed ones go down by one in place.
macro_rules! narrow {
    ($t:expr, $code:expr, $u:ty, $s:ty, $arith:expr) => {{
        let mut random = Random(4);
        let a: Vec<$u> = (0..256).map(|_| random.word() as $u).collect();
        let b: Vec<$s> = (0..256).map(|_| random.word() as $s).collect();
        let (x, y, o) = ($t.buf_of(&a)?, $t.buf_of(&b)?, $t.zeros(1024)?);
        $t.compute($code, &[B::S(x), B::S(y), B::S(o)], &[], [8, 1, 1])?;
        if $arith {
            let want: Vec<u32> = a.iter().map(|x| u32::from(x / 3) + (u32::from(x >> 1) << 8)).collect();
            equal(&o.get::<u32>(), &want)?;
            let want: Vec<$s> = a
                .iter()
                .zip(&b)
                .map(|(x, y)| (*x as $s).wrapping_mul(*y).wrapping_add(3).wrapping_sub(<$s>::from(*y < 0)))
                .collect();
            equal(&y.get::<$s>(), &want)
        } else {
            let want: Vec<u32> = a.iter().map(|x| u32::from(*x) * 3).collect();
            equal(&o.get::<u32>(), &want)?;
            let want: Vec<$s> = b.iter().map(|y| y.wrapping_sub(1)).collect();
            equal(&y.get::<$s>(), &want)
        }
    }};
}

unsafe fn storage_8() -> R {
    let t = T::new(&[])?;
    need!(t.features.v12.storage_buffer8_bit_access != 0, "8-bit storage");
    narrow!(t, spv!("small_storage8"), u8, i8, false)
}

unsafe fn storage_16() -> R {
    let t = T::new(&[])?;
    need!(t.features.v11.storage_buffer16_bit_access != 0, "16-bit storage");
    narrow!(t, spv!("small_storage16"), u16, i16, false)
}

unsafe fn arithmetic_8() -> R {
    let t = T::new(&[])?;
    need!(t.features.v12.storage_buffer8_bit_access != 0 && t.features.v12.shader_int8 != 0, "8-bit integers");
    narrow!(t, spv!("small_arith8"), u8, i8, true)
}

unsafe fn arithmetic_16() -> R {
    let t = T::new(&[])?;
    need!(t.features.v11.storage_buffer16_bit_access != 0 && t.features.core.shader_int16 != 0, "16-bit integers");
    narrow!(t, spv!("small_arith16"), u16, i16, true)
}

unsafe fn half_floats() -> R {
    let t = T::new(&[])?;
    need!(t.features.v12.shader_float16 != 0 && t.features.v11.storage_buffer16_bit_access != 0, "float16");
    let mut random = Random(5);
    let n = 512usize;
    let mut value = || f16::from_f32((random.below(20001) as f32 - 10000.0) / 100.0);
    let mut a: Vec<f16> = (0..n).map(|_| value()).collect();
    let mut b: Vec<f16> = (0..n).map(|_| value()).collect();
    (a[0], b[0]) = (f16::MAX, f16::from_f32(-1.0));
    (a[1], b[1]) = (f16::INFINITY, f16::ONE);
    (a[2], b[2]) = (f16::from_f32(-0.0), f16::from_f32(5.0));
    let (x, y, o) = (t.buf_of(&a)?, t.buf_of(&b)?, t.zeros(n as u64 * 12)?);
    t.compute(spv!("half"), &[B::S(x), B::S(y), B::S(o)], &words(&[n as u32]), [16, 1, 1])?;
    let got = o.get::<f16>();
    // Correctly rounded, to nearest or to zero: one unit in the last place.
    let near = |g: f16, w: f64| {
        let w16 = f16::from_f64(w);
        g == w16
            || g.is_finite() && w16.is_finite() && (g.to_bits() as i32 - w16.to_bits() as i32).abs() <= 1
            || w16.is_infinite() && g.is_finite() && g.to_f32().abs() == 65504.0
    };
    for i in 0..n {
        let (p, q) = (a[i].to_f64(), b[i].to_f64());
        for (k, w) in [p + q, p * q, p - q, p * f64::from(0.333f32), p.max(q), p.abs()].into_iter().enumerate() {
            check!(near(got[k * n + i], w), "operation {k} of {p} and {q} is {}, should be {w}", got[k * n + i]);
        }
    }
    Ok(())
}

unsafe fn wide_types() -> R {
    let t = T::new(&[])?;
    need!(t.features.core.shader_int64 != 0 && t.features.core.shader_float64 != 0, "64-bit types");
    let mut random = Random(6);
    let n = 256usize;
    let edges = [0i64, 1, -1, i64::MAX, i64::MIN, 1 << 32, -(1 << 32), 0xffff_ffff];
    let a: Vec<i64> = (0..n).map(|k| if k < 64 { edges[k / 8] } else { random.bits() as i64 }).collect();
    let b: Vec<i64> = (0..n)
        .map(|k| if k < 64 { edges[k % 8] } else { random.bits() as i64 >> random.below(60) })
        // The quotient that overflows is undefined.
        .zip(&a)
        .map(|(b, a)| if *a == i64::MIN && b == -1 { 3 } else { b })
        .collect();
    let f: Vec<f64> = (0..n).map(|_| (random.bits() as i64 >> 20) as f64 / 1e6).collect();
    let (o, p) = (t.zeros(n as u64 * 64)?, t.zeros(n as u64 * 32)?);
    let resources = [B::S(t.buf_of(&a)?), B::S(t.buf_of(&b)?), B::S(t.buf_of(&f)?), B::S(o), B::S(p)];
    t.compute(spv!("wide"), &resources, &words(&[n as u32]), [8, 1, 1])?;
    let (got, floats) = (o.get::<i64>(), p.get::<f64>());
    for i in 0..n {
        let (x, y, s) = (a[i], b[i], i as u32 & 63);
        let want = [
            x.wrapping_add(y),
            x.wrapping_mul(y),
            if y == 0 { 0 } else { x / y },
            (x as u64 >> s) as i64,
            x >> s,
            x << s,
            if y == 0 { 0 } else { (x as u64 % y as u64) as i64 },
            if x < y {
                1
            } else if (x as u64) < y as u64 {
                2
            } else {
                3
            },
        ];
        for (k, w) in want.into_iter().enumerate() {
            same!(got[k * n + i], w, "operation {k} of {x} and {y}");
        }
        let g = f[i];
        let want = [g * g + 0.5, g.abs().sqrt(), x as f64, g / 3.0];
        for (k, w) in want.into_iter().enumerate() {
            let v = floats[k * n + i];
            check!(
                (v - w).abs() <= w.abs() * 4e-16 * if k == 1 || k == 3 { 4.0 } else { 1.0 },
                "operation {k} of {g}: {v}, should be {w}"
            );
        }
    }
    Ok(())
}

unsafe fn integers() -> R {
    let t = T::new(&[])?;
    let mut random = Random(7);
    let edges = [0i32, 1, -1, 2, 7, -8, i32::MAX, i32::MIN, i32::MIN + 1, 0x10000, 0x7fff, -65536];
    let mut pairs: Vec<(i32, i32)> = edges.iter().flat_map(|a| edges.iter().map(move |b| (*a, *b))).collect();
    pairs
        .extend((0..500).map(|_| (random.word() as i32 >> random.below(31), random.word() as i32 >> random.below(31))));
    let n = pairs.len();
    let a: Vec<i32> = pairs.iter().map(|p| p.0).collect();
    let b: Vec<i32> = pairs.iter().map(|p| p.1).collect();
    let o = t.zeros(n as u64 * 4 * 30)?;
    t.compute(
        spv!("integers"),
        &[B::S(t.buf_of(&a)?), B::S(t.buf_of(&b)?), B::S(o)],
        &words(&[n as u32]),
        [(n as u32).div_ceil(32), 1, 1],
    )?;
    let got = o.get::<i32>();
    for (i, (x, y)) in pairs.iter().copied().enumerate() {
        let (u, v) = (x as u32, y as u32);
        let s = v & 31;
        let (at, bits) = (v & 15, v >> 4 & 15);
        let field = |w: u32| if bits == 0 { 0 } else { w >> at & ((1 << bits) - 1) };
        let signed = if bits == 0 { 0 } else { (field(u) << (32 - bits)) as i32 >> (32 - bits) };
        let mask = ((1u32 << bits) - 1) << at;
        let msb = |w: u32| 31 - w.leading_zeros() as i32;
        let wide = i64::from(x) * i64::from(y);
        let uwide = u64::from(u) * u64::from(v);
        let undefined = y == 0 || x == i32::MIN && y == -1;
        let want: [Option<i32>; 30] = [
            (!undefined).then(|| x / y),
            // The remainder of negative operands is undefined in GLSL.
            (!undefined && x >= 0 && y > 0).then(|| x % y),
            u.checked_div(v).map(|q| q as i32),
            u.checked_rem(v).map(|q| q as i32),
            Some(x >> s),
            Some((u >> s) as i32),
            Some(x << s),
            Some(msb(if x < 0 { !u } else { u })),
            Some(msb(u)),
            Some(if x == 0 { -1 } else { x.trailing_zeros() as i32 }),
            Some(x.count_ones() as i32),
            Some(x.reverse_bits()),
            Some(signed),
            Some(field(u) as i32),
            Some((u & !mask | v << at & mask) as i32),
            Some((uwide >> 32) as i32),
            Some((wide >> 32) as i32),
            Some(u.wrapping_add(v) as i32),
            Some(i32::from(u.checked_add(v).is_none())),
            Some(u.wrapping_sub(v) as i32),
            Some(i32::from(u < v)),
            Some(x.wrapping_abs()),
            Some(x.signum()),
            Some(x.min(y)),
            Some(u.max(v) as i32),
            Some(x.clamp(-5, 77)),
            Some(i32::from(x < y)),
            Some(i32::from(u >= v)),
            Some(uwide as i32),
            Some(wide as i32),
        ];
        for (k, w) in want.into_iter().enumerate() {
            if let Some(w) = w {
                same!(got[k * n + i], w, "operation {k} of {x} and {y}");
            }
        }
    }
    Ok(())
}

unsafe fn control_flow() -> R {
    let t = T::new(&[])?;
    let mut random = Random(8);
    let data: Vec<u32> = (0..512).map(|_| random.below(1 << 12)).collect();
    let o = t.buf(512 * 12)?;
    o.fill(0xab);
    t.compute(spv!("control"), &[B::S(t.buf_of(&data)?), B::S(o)], &[], [8, 1, 1])?;
    let collatz = |mut n: u32| {
        let mut steps = 0;
        while n != 1 {
            if n % 2 == 0 {
                n /= 2;
                steps += 1;
                continue;
            }
            n = n * 3 + 1;
            steps += 1;
            if steps > 200 {
                return 9999;
            }
        }
        steps
    };
    let classify = |n: u32| {
        let r = match n % 7 {
            0 => 11,
            1 => 10,
            2 => (0..n).take_while(|k| *k != 5).sum(),
            3 => return 12345,
            5 => 1055,
            _ => 1000,
        };
        r + 2
    };
    let table = |n: u32| {
        let mut table: Vec<u32> = (0..8).map(|k| k * k).collect();
        table[(n & 7) as usize] = 500;
        let mut s = 0u32;
        for k in 0..=n & 7 {
            for m in k..8 {
                if m.wrapping_mul(n) & 3 == 1 {
                    continue;
                }
                if m == 6 && n & 16 != 0 {
                    break;
                }
                s += table[m as usize];
            }
        }
        if n & 32 != 0 {
            0xabab_abab
        } else {
            s
        }
    };
    let want: Vec<u32> = data.iter().flat_map(|n| [collatz(n % 1000 + 1), classify(*n), table(*n)]).collect();
    equal(&o.get::<u32>(), &want)
}

unsafe fn variable_pointers() -> R {
    let t = T::new(&[])?;
    need!(t.features.v11.variable_pointers_storage_buffer != 0, "variable pointers");
    let a: Vec<u32> = (0..64).map(|i| i * 100).collect();
    let b: Vec<u32> = (0..64).map(|i| i * 7 + 1).collect();
    let o = t.zeros(128)?;
    t.compute(spv!("varptr"), &[B::S(t.buf_of(&a)?), B::S(t.buf_of(&b)?), B::S(o)], &[], [1, 1, 1])?;
    let want: Vec<u32> = (0..32usize).map(|i| if i % 2 == 1 { &a } else { &b }[i..i + 4].iter().sum()).collect();
    equal(&o.get::<u32>(), &want)
}

unsafe fn block_layouts() -> R {
    let t = T::new(&[])?;
    // Float indices of each element, and of what is stored at the end, under the three rules.
    let std140: [u32; 33] = [
        0, 4, 5, 6, 8, 12, 16, // a, b, c
        20, 24, 25, 26, 28, 29, 32, 36, 37, 38, 40, 41, // inner
        44, 45, 48, 49, 52, 53, // m: columns of two, 16 apart
        56, 60, 64, 57, 61, 65, // r: rows of two, 16 apart
        68, 69,
    ];
    let std430: [u32; 33] = [
        0, 4, 5, 6, 7, 8, 9, 12, 16, 17, 18, 20, 21, 24, 28, 29, 30, 32, 33, 36, 37, 38, 39, 40, 41, 42, 44, 46, 43,
        45, 47, 48, 49,
    ];
    let scalar: [u32; 33] = [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 27, 29, 26, 28,
        30, 31, 32,
    ];
    for (name, code, at) in [
        ("std140", spv!("layouts_std140"), std140),
        ("std430", spv!("layouts_std430"), std430),
        ("scalar", spv!("layouts_scalar"), scalar),
    ] {
        if name == "scalar" && t.features.v12.scalar_block_layout == 0 {
            continue;
        }
        let data: Vec<f32> = (0..80).map(|i| i as f32 + 0.5).collect();
        let (s, o) = (t.buf_of(&data)?, t.zeros(132)?);
        t.compute(code, &[B::S(s), B::S(o)], &[], [1, 1, 1])?;
        let got = o.get::<f32>();
        for (k, at) in at.iter().enumerate() {
            same!(got[k], data[*at as usize], "{name}: element {k}");
        }
        let mut want = data;
        for (k, v) in [(2, -1.0), (6, -2.0), (17, -3.0), (18, -4.0), (24, -5.0), (30, -6.0)] {
            want[at[k] as usize] = v;
        }
        equal(&s.get::<f32>(), &want)?;
    }
    Ok(())
}

unsafe fn robust_buffers() -> R {
    for extension in [false, true] {
        let names = [ash::ext::robustness2::NAME];
        let t = T::open(&Setup { extensions: if extension { &names } else { &[] }, robust: true, ..Setup::default() })?;
        need!(t.features.core.robust_buffer_access != 0, "robustBufferAccess");
        let strict = t.features.robustness2.robust_buffer_access2 != 0;
        // A range of 64 words in the middle of a larger buffer.
        let l = &t.props.limits;
        let offset = l.min_storage_buffer_offset_alignment.max(256);
        let all: Vec<u32> = (0..2048).map(|i| 0x100_0000 + i).collect();
        let b = t.buf_of(&all)?;
        let first = offset as u32 / 4;
        let at: Vec<u32> = [
            0,
            1,
            63,
            64,
            65,
            100,
            1000,
            5000,
            1 << 20,
            1 << 28,
            (1 << 30) - 1,
            1 << 30,
            u32::MAX,
            u32::MAX / 2,
            0x8000_0000,
            62,
        ]
        .to_vec();
        let n = at.len() as u32;
        let u = t.buf_of(&(0..64u32).map(|i| i / 4).collect::<Vec<_>>())?;
        let o = t.zeros(u64::from(n) * 12)?;
        let bindings = [B::Sr(b, offset, 256), B::S(t.buf_of(&at)?), B::S(o), B::U(u)];
        t.compute(spv!("bounds"), &bindings, &words(&[n, 0]), [1, 1, 1])?;
        let got = o.get::<u32>();
        for (k, i) in at.iter().enumerate() {
            let v = got[k];
            if *i < 64 {
                same!(v, all[(first + i) as usize], "at {i}");
            } else if strict && (*i < 1 << 30 || t.is_ours()) {
                // (Lavapipe computes offsets in 32 bits, so that the largest indices come around to the start.)
                same!(v, 0, "read out of bounds at {i}");
            } else {
                // Zero, or anything within the buffer's memory.
                check!(v == 0 || all.contains(&v), "read {v:#x} out of bounds at {i}");
            }
            same!(got[n as usize + k], 64, "the length of the array");
            same!(got[2 * n as usize + k], i & 15, "the uniform");
        }
        t.compute(spv!("bounds"), &bindings, &words(&[n, 1]), [1, 1, 1])?;
        let after = b.get::<u32>();
        for i in 0..2048u32 {
            let inside = i >= first && i < first + 64;
            let hit = inside && at.contains(&(i - first));
            if hit {
                same!(after[i as usize], 0xdead_beef, "at {i}");
            } else if inside || strict {
                // Without robustness2 a write may also land elsewhere in the buffer.
                check!(
                    !strict || !t.is_ours() && inside || after[i as usize] == all[i as usize],
                    "{:#x} at {i} was overwritten",
                    after[i as usize]
                );
            }
        }
    }
    Ok(())
}

unsafe fn zeroed_workgroup_memory() -> R {
    let t = T::new(&[])?;
    need!(t.features.v13.shader_zero_initialize_workgroup_memory != 0, "zero-initialised workgroup memory");
    let o = t.zeros(8000)?;
    t.compute(spv!("zero"), &[B::S(o)], &[], [500, 1, 1])?;
    let got = o.get::<u32>();
    equal(&got[..500], &[0; 500])?;
    equal(&got[1000..1500], &[64; 500])
}

unsafe fn byte_products() -> R {
    let t = T::new(&[])?;
    let (a, b) = (Random(9).words(256), Random(10).words(256));
    let o = t.zeros(1024)?;
    t.compute(spv!("dot"), &[B::S(t.buf_of(&a)?), B::S(t.buf_of(&b)?), B::S(o)], &[], [8, 1, 1])?;
    let byte = |w: u32, k: u32| i32::from((w >> (8 * k)) as u8 as i8);
    let want: Vec<i32> = a.iter().zip(&b).map(|(a, b)| (0..4).map(|k| byte(*a, k) * byte(*b, k)).sum()).collect();
    equal(&o.get::<i32>(), &want)
}
