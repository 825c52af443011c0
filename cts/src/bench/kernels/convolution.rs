//! Convolutions: of a picture, and of a network's layer.

use super::{program, single};
use crate::bench::data::{close, exact, push, values, Random};
use crate::bench::plan::{Binding, Binding::Storage, Case, Plan, Resource, Results, Scale};

const ROW: Case = Case { name: "", family: "convolutions", unit: "FLOP/s", floor: 1.5, needs: &[], plan: picture };

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "convolution 5×5", plan: picture, ..ROW },
    Case { name: "convolution layer 3×3×16×16", plan: layer, ..ROW },
];

fn picture(scale: Scale) -> Plan {
    let n: usize = scale.pick(64, 1024);
    let a: Vec<f32> = values(1, n * n, |r| r.float(0.0, 1.0));
    let mut w: Vec<f32> = values(2, 25, |r| r.float(-0.1, 0.2));
    w.resize(28, 0.0);
    let resources = vec![Resource::of(&a), Resource::Zeros(4 * a.len() as u64), Resource::of(&w)];
    let check = move |r: &dyn Results| {
        let mut want = vec![0f32; n * n];
        for y in 0..n {
            for x in 0..n {
                for (k, w) in w[..25].iter().enumerate() {
                    let qx = (x + k % 5).saturating_sub(2).min(n - 1);
                    let qy = (y + k / 5).saturating_sub(2).min(n - 1);
                    want[y * n + x] += a[qy * n + qx] * w;
                }
            }
        }
        close(&r.floats(1), &want, 1e-4, 1e-5)
    };
    let program = program!("conv5", &[Storage, Storage, Binding::Uniform], 4);
    let groups = (n / 16) as u32;
    single(program, resources, push(&[n as u32]), [groups, groups, 1], 50.0 * (n * n) as f64, Box::new(check))
}

fn layer(scale: Scale) -> Plan {
    const C: usize = 16;
    let n: usize = scale.pick(16, 128);
    let m = n + 2;
    let a = values(3, C * m * m, Random::whole);
    let w = values(4, C * C * 9 + C, Random::whole);
    let resources = vec![Resource::of(&a), Resource::of(&w), Resource::Zeros(4 * (C * n * n) as u64)];
    let check = move |r: &dyn Results| {
        let mut want = vec![0f32; C * n * n];
        for (o, plane) in want.chunks_exact_mut(n * n).enumerate() {
            plane.fill(w[C * C * 9 + o]);
            for (ck, w) in w[o * C * 9..][..C * 9].iter().enumerate() {
                let (c, j, i) = (ck / 9, ck % 9 / 3, ck % 3);
                for (y, row) in plane.chunks_exact_mut(n).enumerate() {
                    let from = &a[(c * m + y + j) * m + i..][..n];
                    row.iter_mut().zip(from).for_each(|(s, a)| *s += a * w);
                }
            }
            plane.iter_mut().for_each(|v| *v = v.max(0.0));
        }
        exact(&r.floats(2), &want)
    };
    let program = program!("conv_layer", &[Storage; 3], 4);
    let work = 2.0 * (C * C * 9 * n * n) as f64;
    let groups = [(n / 16) as u32, (n / 4) as u32, C as u32];
    single(program, resources, push(&[n as u32]), groups, work, Box::new(check))
}
