//! Memory: copies and sums of arrays, in the cores' caches and beyond all caches, and accesses through an index.

use super::{program, single};
use crate::bench::data::{close, exact, push, values};
use crate::bench::plan::{Binding::Storage, Case, Need, Plan, Program, Resource, Results, Scale};
use half::f16;

const ROW: Case = Case { name: "", family: "streaming", unit: "B/s", floor: 6.0, needs: &[], plan: copy };

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "stream copy", plan: copy, ..ROW },
    Case { name: "saxpy, in cache", floor: 15.0, plan: |s| saxpy(SAXPY, 1, cached(s)), ..ROW },
    Case { name: "saxpy", plan: |s| saxpy(SAXPY, 1, large(s)), ..ROW },
    Case { name: "saxpy vec4, in cache", floor: 15.0, plan: |s| saxpy(SAXPY4, 4, cached(s)), ..ROW },
    Case { name: "saxpy vec4", plan: |s| saxpy(SAXPY4, 4, large(s)), ..ROW },
    Case { name: "triad", plan: triad, ..ROW },
    Case { name: "daxpy (f64)", floor: 1.5, needs: &[Need::Float64], plan: daxpy, ..ROW },
    Case { name: "haxpy (f16vec4)", floor: 1.5, needs: &[Need::Half], plan: haxpy, ..ROW },
    Case { name: "grey from RGB bytes", floor: 1.5, needs: &[Need::Bytes], plan: grey, ..ROW },
    Case { name: "gather", floor: 1.5, plan: |s| permuted(GATHER, s), ..ROW },
    Case { name: "scatter", floor: 1.5, plan: |s| permuted(SCATTER, s), ..ROW },
];

const SAXPY: Program = program!("saxpy", &[Storage; 2], 8);
const SAXPY4: Program = program!("saxpy_vec4", &[Storage; 2], 8);
const GATHER: Program = program!("gather", &[Storage; 3], 4);
const SCATTER: Program = program!("scatter", &[Storage; 3], 4);
const A: f32 = 1.5;

/// Elements of arrays of 1 MiB, two of which stay in the cores' own caches.
fn cached(scale: Scale) -> usize {
    scale.pick(1 << 12, 1 << 18)
}

/// Elements of arrays of 64 MiB.
fn large(scale: Scale) -> usize {
    scale.pick(1 << 14, 1 << 24)
}

fn floats(seed: u64, n: usize) -> Vec<f32> {
    values(seed, n, |r| r.float(-1.0, 1.0))
}

fn copy(scale: Scale) -> Plan {
    let n = large(scale);
    let x = floats(1, n);
    let resources = vec![Resource::of(&x), Resource::Zeros(4 * n as u64)];
    let check = move |r: &dyn Results| exact(&r.floats(1), &x);
    let program = program!("stream_copy", &[Storage; 2], 8);
    let push = push(&[n as u32, 0]);
    single(program, resources, push, [n as u32 / 256, 1, 1], 8.0 * n as f64, Box::new(check))
}

fn saxpy(program: Program, lanes: usize, n: usize) -> Plan {
    let (x, y) = (floats(2, n), floats(3, n));
    let resources = vec![Resource::of(&x), Resource::of(&y)];
    let count = (n / lanes) as u32;
    let check = move |r: &dyn Results| {
        let want: Vec<f32> = x.iter().zip(&y).map(|(x, y)| A * x + y).collect();
        close(&r.floats(1), &want, 1e-6, 1e-6)
    };
    let push = push(&[count, A.to_bits()]);
    single(program, resources, push, [count / 256, 1, 1], 12.0 * n as f64, Box::new(check))
}

fn triad(scale: Scale) -> Plan {
    let n = large(scale);
    let (x, y) = (floats(4, n), floats(5, n));
    let resources = vec![Resource::of(&x), Resource::of(&y), Resource::Zeros(4 * n as u64)];
    let check = move |r: &dyn Results| {
        let want: Vec<f32> = x.iter().zip(&y).map(|(x, y)| x + A * y).collect();
        close(&r.floats(2), &want, 1e-6, 1e-6)
    };
    let program = program!("triad", &[Storage; 3], 8);
    let push = push(&[n as u32, A.to_bits()]);
    single(program, resources, push, [n as u32 / 256, 1, 1], 12.0 * n as f64, Box::new(check))
}

fn daxpy(scale: Scale) -> Plan {
    let n = scale.pick(1 << 13, 1 << 23);
    let double = |seed| -> Vec<f64> { values(seed, n, |r| f64::from(r.float(-1.0, 1.0))) };
    let (x, y) = (double(6), double(7));
    let resources = vec![Resource::of(&x), Resource::of(&y)];
    let check = move |r: &dyn Results| {
        let got: Vec<f64> = bytemuck::allocation::pod_collect_to_vec(r.bytes(1));
        let wrong = got.iter().zip(x.iter().zip(&y)).position(|(g, (x, y))| {
            let error = (g - (f64::from(A) * x + y)).abs();
            error.is_nan() || error > 1e-14
        });
        wrong.map_or(Ok(()), |at| Err(format!("element {at} is {}", got[at])))
    };
    let program = program!("daxpy", &[Storage; 2], 8);
    let push = push(&[n as u32, A.to_bits()]);
    single(program, resources, push, [n as u32 / 256, 1, 1], 24.0 * n as f64, Box::new(check))
}

fn haxpy(scale: Scale) -> Plan {
    let n = scale.pick(1 << 13, 1 << 24);
    // Small whole numbers: exact in 16 bits.
    let half = |seed| -> Vec<f16> { values(seed, n, |r| f16::from_f32(r.whole())) };
    let (x, y) = (half(10), half(11));
    let resources = vec![Resource::of(&x), Resource::of(&y)];
    let check = move |r: &dyn Results| {
        let got: Vec<f16> = bytemuck::allocation::pod_collect_to_vec(r.bytes(1));
        let want = x.iter().zip(&y).map(|(x, y)| f16::from_f32(A * x.to_f32() + y.to_f32()));
        exact(&got, &want.collect::<Vec<_>>())
    };
    let program = program!("haxpy", &[Storage; 2], 8);
    let count = (n / 4) as u32;
    single(program, resources, push(&[count, A.to_bits()]), [count / 256, 1, 1], 6.0 * n as f64, Box::new(check))
}

fn grey(scale: Scale) -> Plan {
    let n = scale.pick(1 << 12, 1 << 22);
    let x: Vec<u8> = values(12, 3 * n, |r| r.word() as u8);
    let resources = vec![Resource::of(&x), Resource::Zeros(n as u64)];
    let check = move |r: &dyn Results| {
        let mix = |p: &[u8]| ((77 * u32::from(p[0]) + 150 * u32::from(p[1]) + 29 * u32::from(p[2])) >> 8) as u8;
        exact(r.bytes(1), &x.chunks_exact(3).map(mix).collect::<Vec<_>>())
    };
    let program = program!("grey", &[Storage; 2], 4);
    single(program, resources, push(&[n as u32]), [n as u32 / 256, 1, 1], 4.0 * n as f64, Box::new(check))
}

fn permuted(program: Program, scale: Scale) -> Plan {
    let n = scale.pick(1 << 12, 1 << 21);
    let x = floats(8, n);
    let mut p: Vec<u32> = (0..n as u32).collect();
    let mut random = crate::bench::data::Random(9);
    for i in (1..n).rev() {
        p.swap(i, random.below(i as u32 + 1) as usize);
    }
    let resources = vec![Resource::of(&x), Resource::of(&p), Resource::Zeros(4 * n as u64)];
    let gathers = program.name == GATHER.name;
    let check = move |r: &dyn Results| {
        let mut want = vec![0f32; n];
        for (i, at) in p.iter().enumerate() {
            if gathers {
                want[i] = x[*at as usize];
            } else {
                want[*at as usize] = x[i];
            }
        }
        exact(&r.floats(2), &want)
    };
    single(program, resources, push(&[n as u32]), [n as u32 / 256, 1, 1], 12.0 * n as f64, Box::new(check))
}
