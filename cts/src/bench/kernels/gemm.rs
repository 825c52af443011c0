//! Products of matrices. The elements are small whole numbers, so the sums are exact in whatever order they are made.

use super::{program, single};
use crate::bench::data::{exact, push, values, Random};
use crate::bench::plan::{Binding::Storage, Case, Need, Plan, Program, Resource, Results, Scale};
use half::f16;

const ROW: Case = Case {
    name: "",
    family: "matrix products",
    unit: "FLOP/s",
    floor: 1.5,
    needs: &[],
    plan: |s| bytes(program!("gemm_i8", &[Storage; 3], 4), 16, s),
};

/// Rows.
pub const CASES: &[Case] = &[
    Case {
        name: "sgemm, naive",
        floor: 10.0,
        plan: |s| floats(program!("gemm_naive", &[Storage; 3], 4), 16, s.pick(64, 512)),
        ..ROW
    },
    Case {
        name: "sgemm, tiled",
        floor: 30.0,
        plan: |s| floats(program!("gemm_tiled", &[Storage; 3], 4), 16, s.pick(64, 1024)),
        ..ROW
    },
    Case {
        name: "sgemm, register-blocked",
        floor: 6.0,
        plan: |s| floats(program!("gemm_block", &[Storage; 3], 4), 64, s.pick(64, 1024)),
        ..ROW
    },
    Case {
        name: "hgemm, tiled",
        needs: &[Need::Half],
        plan: |s| halves(program!("gemm_tiled_f16", &[Storage; 3], 4), 16, s.pick(64, 512)),
        ..ROW
    },
    Case {
        name: "hgemm, register-blocked",
        needs: &[Need::Half],
        plan: |s| halves(program!("gemm_block_f16", &[Storage; 3], 4), 64, s.pick(64, 512)),
        ..ROW
    },
    Case { name: "igemm, tiled, dot4", unit: "OP/s", needs: &[Need::Dot], ..ROW },
    Case {
        name: "igemm, register-blocked, dot4",
        unit: "OP/s",
        needs: &[Need::Dot],
        plan: |s| bytes(program!("gemm_block_i8", &[Storage; 3], 4), 64, s),
        ..ROW
    },
];

/// A·B of n×n.
fn product(a: &[f32], b: &[f32], n: usize) -> Vec<f32> {
    let mut c = vec![0f32; n * n];
    for (row, a) in c.chunks_exact_mut(n).zip(a.chunks_exact(n)) {
        for (a, b) in a.iter().zip(b.chunks_exact(n)) {
            row.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
        }
    }
    c
}

fn plan(program: Program, tile: usize, n: usize, ab: [Resource; 2], a: Vec<f32>, b: Vec<f32>) -> Plan {
    let [ra, rb] = ab;
    let resources = vec![ra, rb, Resource::Zeros(4 * (n * n) as u64)];
    let check = move |r: &dyn Results| exact(&r.floats(2), &product(&a, &b, n));
    let groups = (n / tile) as u32;
    single(program, resources, push(&[n as u32]), [groups, groups, 1], 2.0 * (n as f64).powi(3), Box::new(check))
}

fn floats(program: Program, tile: usize, n: usize) -> Plan {
    let (a, b) = (values(1, n * n, Random::whole), values(2, n * n, Random::whole));
    plan(program, tile, n, [Resource::of(&a), Resource::of(&b)], a, b)
}

fn halves(program: Program, tile: usize, n: usize) -> Plan {
    let (a, b) = (values(3, n * n, Random::whole), values(4, n * n, Random::whole));
    let half = |v: &[f32]| Resource::of(&v.iter().map(|v| f16::from_f32(*v)).collect::<Vec<_>>());
    plan(program, tile, n, [half(&a), half(&b)], a, b)
}

/// A·Bᵀ of signed bytes.
fn bytes(program: Program, tile: usize, scale: Scale) -> Plan {
    let n: usize = scale.pick(64, 512);
    let (a, b): (Vec<i8>, Vec<i8>) = (values(5, n * n, |r| r.word() as i8), values(6, n * n, |r| r.word() as i8));
    let resources = vec![Resource::of(&a), Resource::of(&b), Resource::Zeros(4 * (n * n) as u64)];
    let check = move |r: &dyn Results| {
        let want: Vec<u32> = (0..n * n)
            .map(|at| {
                let (a, b) = (&a[at / n * n..][..n], &b[at % n * n..][..n]);
                a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>() as u32
            })
            .collect();
        exact(&r.words(2), &want)
    };
    let groups = (n / tile) as u32;
    single(program, resources, push(&[n as u32 / 4]), [groups, groups, 1], 2.0 * (n as f64).powi(3), Box::new(check))
}
