//! Matrix times vector: floats, bytes by dot products of four, and four-bit weights in blocks.

use super::{program, single};
use crate::bench::data::{close, exact, push, values, Random};
use crate::bench::plan::{Binding::Storage, Case, Need, Plan, Resource, Results, Scale};

const ROW: Case = Case { name: "", family: "matrix × vector", unit: "FLOP/s", floor: 1.5, needs: &[], plan: floats };

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "gemv, f32", plan: floats, ..ROW },
    Case { name: "gemv, i8 dot4", unit: "OP/s", floor: 10.0, needs: &[Need::Dot], plan: bytes, ..ROW },
    Case { name: "gemv, 4-bit weights", plan: quantised, ..ROW },
];

fn floats(scale: Scale) -> Plan {
    let (rows, n): (usize, usize) = scale.pick((32, 256), (2048, 2048));
    let (a, x) = (values(1, rows * n, Random::whole), values(2, n, Random::whole));
    let resources = vec![Resource::of(&a), Resource::of(&x), Resource::Zeros(4 * rows as u64)];
    let check = move |r: &dyn Results| {
        let want: Vec<f32> = a.chunks_exact(n).map(|a| a.iter().zip(&x).map(|(a, x)| a * x).sum()).collect();
        exact(&r.floats(2), &want)
    };
    let program = program!("gemv_f32", &[Storage; 3], 4);
    let work = 2.0 * (rows * n) as f64;
    single(program, resources, push(&[n as u32]), [rows as u32, 1, 1], work, Box::new(check))
}

fn bytes(scale: Scale) -> Plan {
    let (rows, n): (usize, usize) = scale.pick((32, 256), (4096, 4096));
    let (a, x): (Vec<i8>, Vec<i8>) = (values(3, rows * n, |r| r.word() as i8), values(4, n, |r| r.word() as i8));
    let resources = vec![Resource::of(&a), Resource::of(&x), Resource::Zeros(4 * rows as u64)];
    let check = move |r: &dyn Results| {
        let dot = |a: &[i8]| a.iter().zip(&x).map(|(a, x)| i32::from(*a) * i32::from(*x)).sum::<i32>() as u32;
        let want: Vec<u32> = a.chunks_exact(n).map(dot).collect();
        exact(&r.words(2), &want)
    };
    let program = program!("gemv_i8", &[Storage; 3], 4);
    let work = 2.0 * (rows * n) as f64;
    single(program, resources, push(&[n as u32 / 4]), [rows as u32, 1, 1], work, Box::new(check))
}

fn quantised(scale: Scale) -> Plan {
    let (rows, blocks): (usize, usize) = scale.pick((32, 16), (2048, 128));
    // A block: the bits of its scale and four words of eight weights.
    let a: Vec<[u32; 5]> = values(5, rows * blocks, |r| {
        let scale = r.float(0.01, 0.1).to_bits();
        [scale, r.word(), r.word(), r.word(), r.word()]
    });
    let x: Vec<f32> = values(6, blocks * 32, |r| r.float(-1.0, 1.0));
    let resources = vec![Resource::of(&a), Resource::of(&x), Resource::Zeros(4 * rows as u64)];
    let check = move |r: &dyn Results| {
        let block = |(b, x): (&[u32; 5], &[f32])| {
            let weight = |i: usize| f64::from((b[1 + i / 8] >> (4 * (i % 8)) & 15) as i32 - 8);
            let sum: f64 = x.iter().enumerate().map(|(i, x)| weight(i) * f64::from(*x)).sum();
            sum * f64::from(f32::from_bits(b[0]))
        };
        let row = |a: &[[u32; 5]]| a.iter().zip(x.chunks_exact(32)).map(block).sum::<f64>() as f32;
        let want: Vec<f32> = a.chunks_exact(blocks).map(row).collect();
        close(&r.floats(2), &want, 1e-4, 1e-3)
    };
    let program = program!("gemv_q4", &[Storage; 3], 4);
    let work = 2.0 * (rows * blocks * 32) as f64;
    single(program, resources, push(&[blocks as u32]), [rows as u32, 1, 1], work, Box::new(check))
}
