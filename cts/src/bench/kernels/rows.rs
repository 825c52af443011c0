//! Softmax of rows: reductions, exponentials and streaming in one kernel.

use super::{program, single};
use crate::bench::data::{close, push, values};
use crate::bench::plan::{Binding::Storage, Case, Plan, Resource, Results, Scale};

/// Rows.
pub const CASES: &[Case] =
    &[Case { name: "softmax", family: "rows", unit: "elem/s", floor: 1.5, needs: &[], plan: softmax }];

fn softmax(scale: Scale) -> Plan {
    let (rows, n): (usize, usize) = scale.pick((8, 300), (1024, 1000));
    let a: Vec<f32> = values(1, rows * n, |r| r.float(-4.0, 4.0));
    let resources = vec![Resource::of(&a), Resource::Zeros(4 * a.len() as u64)];
    let check = move |r: &dyn Results| {
        let row = |a: &[f32]| {
            let e: Vec<f64> = a.iter().map(|v| f64::from(*v).exp()).collect();
            let sum: f64 = e.iter().sum();
            e.into_iter().map(move |v| (v / sum) as f32)
        };
        let want: Vec<f32> = a.chunks_exact(n).flat_map(row).collect();
        close(&r.floats(1), &want, 1e-4, 1e-7)
    };
    let program = program!("softmax", &[Storage; 2], 4);
    let work = (rows * n) as f64;
    single(program, resources, push(&[n as u32]), [rows as u32, 1, 1], work, Box::new(check))
}
