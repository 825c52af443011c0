//! Kernels on square grids: transposition, a stencil, the game of life.

use super::{program, single};
use crate::bench::data::{close, exact, push, values};
use crate::bench::plan::{Binding::Storage, Case, Plan, Program, Resource, Results, Scale};

const ROW: Case = Case { name: "", family: "grids", unit: "B/s", floor: 10.0, needs: &[], plan: life };

/// Rows.
pub const CASES: &[Case] = &[
    Case {
        name: "transpose, naive",
        plan: |s| transpose(program!("transpose_naive", &[Storage; 2], 4), 16, s),
        floor: 1.5,
        ..ROW
    },
    Case {
        name: "transpose, shared",
        plan: |s| transpose(program!("transpose_shared", &[Storage; 2], 4), 32, s),
        ..ROW
    },
    Case { name: "5-point stencil", plan: |s| stencil(program!("stencil", &[Storage; 2], 8), s), ..ROW },
    Case { name: "5-point stencil, shared", plan: |s| stencil(program!("stencil_shared", &[Storage; 2], 8), s), ..ROW },
    Case { name: "game of life", unit: "cell/s", floor: 1.5, plan: life, ..ROW },
];

fn transpose(program: Program, tile: usize, scale: Scale) -> Plan {
    let n: usize = scale.pick(96, 2048);
    let a: Vec<u32> = values(1, n * n, |r| r.word());
    let resources = vec![Resource::of(&a), Resource::Zeros(4 * a.len() as u64)];
    let check = move |r: &dyn Results| {
        let got = r.words(1);
        let wrong = (0..n * n).find(|i| got[*i] != a[i % n * n + i / n]);
        wrong.map_or(Ok(()), |at| Err(format!("element {at} is {:x}", got[at])))
    };
    let groups = (n / tile) as u32;
    single(program, resources, push(&[n as u32]), [groups, groups, 1], 8.0 * (n * n) as f64, Box::new(check))
}

const K: f32 = 0.2;

fn stencil(program: Program, scale: Scale) -> Plan {
    let n: usize = scale.pick(64, 2048);
    let a: Vec<f32> = values(2, n * n, |r| r.float(0.0, 1.0));
    let resources = vec![Resource::of(&a), Resource::Zeros(4 * a.len() as u64)];
    let check = move |r: &dyn Results| {
        let mut want = a.clone();
        for y in 1..n - 1 {
            for x in 1..n - 1 {
                let at = y * n + x;
                want[at] = a[at] + K * (a[at - 1] + a[at + 1] + a[at - n] + a[at + n] - 4.0 * a[at]);
            }
        }
        close(&r.floats(1), &want, 1e-5, 1e-5)
    };
    let groups = (n / 16) as u32;
    let push = push(&[n as u32, K.to_bits()]);
    single(program, resources, push, [groups, groups, 1], 8.0 * (n * n) as f64, Box::new(check))
}

fn life(scale: Scale) -> Plan {
    let n: usize = scale.pick(64, 1024);
    let a: Vec<u32> = values(3, n * n, |r| r.below(2));
    let resources = vec![Resource::of(&a), Resource::Zeros(4 * a.len() as u64)];
    let check = move |r: &dyn Results| {
        let mut want = vec![0u32; n * n];
        for y in 0..n {
            for x in 0..n {
                let at = |i: usize, j: usize| a[(y + n + j - 1) % n * n + (x + n + i - 1) % n];
                let block: u32 = (0..3).flat_map(|j| (0..3).map(move |i| (i, j))).map(|(i, j)| at(i, j)).sum();
                let around = block - a[y * n + x];
                want[y * n + x] = u32::from(around == 3 || (around == 2 && a[y * n + x] == 1));
            }
        }
        exact(&r.words(1), &want)
    };
    let program = program!("life", &[Storage; 2], 4);
    let groups = [(n / 32) as u32, (n / 8) as u32, 1];
    single(program, resources, push(&[n as u32]), groups, (n * n) as f64, Box::new(check))
}
