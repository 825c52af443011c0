//! Fourier transforms of 1024 points.

use super::{program, single};
use crate::bench::data::values;
use crate::bench::plan::{Binding::Storage, Case, Plan, Resource, Results, Scale};
use std::f64::consts::TAU;

/// Rows.
pub const CASES: &[Case] =
    &[Case { name: "FFT of 1024 points", family: "transforms", unit: "FLOP/s", floor: 1.5, needs: &[], plan: fft }];

const N: usize = 1024;

/// In double precision, by recursion on even and odd points.
fn transform(x: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let n = x.len();
    if n == 1 {
        return x.to_vec();
    }
    let part = |first: usize| transform(&x.iter().skip(first).step_by(2).copied().collect::<Vec<_>>());
    let (even, odd) = (part(0), part(1));
    let mut out = vec![[0.0; 2]; n];
    for k in 0..n / 2 {
        let (s, c) = (-TAU * k as f64 / n as f64).sin_cos();
        let t = [c * odd[k][0] - s * odd[k][1], c * odd[k][1] + s * odd[k][0]];
        out[k] = [even[k][0] + t[0], even[k][1] + t[1]];
        out[k + n / 2] = [even[k][0] - t[0], even[k][1] - t[1]];
    }
    out
}

fn fft(scale: Scale) -> Plan {
    let batch: usize = scale.pick(2, 512);
    let a: Vec<[f32; 2]> = values(1, N * batch, |r| [r.float(-1.0, 1.0), r.float(-1.0, 1.0)]);
    let resources = vec![Resource::of(&a), Resource::Zeros(8 * a.len() as u64)];
    let check = move |r: &dyn Results| {
        let got = r.floats(1);
        for (b, points) in a.chunks_exact(N).enumerate() {
            let points: Vec<_> = points.iter().map(|p| p.map(f64::from)).collect();
            for (k, want) in transform(&points).iter().enumerate() {
                for (c, want) in want.iter().enumerate() {
                    let g = f64::from(got[(b * N + k) * 2 + c]);
                    // Vulkan lets sines be wrong by 2⁻¹¹.
                    let error = (g - want).abs();
                    if error.is_nan() || error > 0.1 {
                        return Err(format!("point {k} of transform {b} is {g}, not {want}"));
                    }
                }
            }
        }
        Ok(())
    };
    let work = 5.0 * (N * batch) as f64 * 10.0;
    let program = program!("fft", &[Storage; 2], 0);
    single(program, resources, Vec::new(), [batch as u32, 1, 1], work, Box::new(check))
}
