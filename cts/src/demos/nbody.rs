//! Gravity between all pairs of bodies: WGSL, workgroup memory, inverse square roots.

use super::{best_time, Outcome};
use crate::random::Random;
use crate::{shaders, Error, Gpu, KernelInfo};
use ash::vk::DescriptorType;
use std::path::Path;

const BODIES: usize = 2048;
const STEP: f64 = 0.01;
const SOFTENING: f64 = 0.05;

/// Position, mass, velocity, padding.
type Body = [f32; 8];

fn reference(bodies: &[Body], i: usize) -> [f64; 3] {
    let mut acceleration = [0f64; 3];
    for other in bodies {
        let d: [f64; 3] = std::array::from_fn(|c| f64::from(other[c]) - f64::from(bodies[i][c]));
        let r2 = d.iter().map(|v| v * v).sum::<f64>() + SOFTENING;
        let f = f64::from(other[3]) / (r2 * r2.sqrt());
        for c in 0..3 {
            acceleration[c] += d[c] * f;
        }
    }
    std::array::from_fn(|c| f64::from(bodies[i][4 + c]) + acceleration[c] * STEP)
}

pub fn run(gpu: &Gpu, _folder: &Path) -> Result<Outcome, Error> {
    let spirv = shaders::wgsl(include_str!("../../shaders/nbody.wgsl")).map_err(Error::Shader)?;
    let kernel = gpu.kernel(&KernelInfo {
        spirv: &spirv,
        bindings: &[DescriptorType::STORAGE_BUFFER; 2],
        ..KernelInfo::default()
    })?;
    let mut random = Random(4);
    let bodies: Vec<Body> = (0..BODIES)
        .map(|_| {
            let mut body: Body = std::array::from_fn(|_| random.float(-1.0, 1.0));
            body[3] = body[3].abs() / BODIES as f32;
            body[7] = 0.0;
            body
        })
        .collect();
    let buffers = [gpu.buffer_of(&bodies)?, gpu.buffer((BODIES * 32) as u64)?];
    gpu.bind(&kernel, &[&buffers[0], &buffers[1]]);
    let time = best_time(|| gpu.dispatch(&kernel, &[], [BODIES.div_ceil(64) as u32, 1, 1]))?;
    let got: Vec<Body> = buffers[1].read();
    let mut worst = 0f64;
    for (i, body) in got.iter().enumerate() {
        let velocity = reference(&bodies, i);
        for c in 0..3 {
            let moved = f64::from(bodies[i][c]) + velocity[c] * STEP;
            let error = (f64::from(body[4 + c]) - velocity[c]).abs().max((f64::from(body[c]) - moved).abs());
            worst = if error.is_nan() { f64::INFINITY } else { worst.max(error) };
        }
    }
    let rate = (BODIES * BODIES) as f64 * 20.0 / time.as_secs_f64() / 1e9;
    buffers.into_iter().for_each(|b| gpu.free(b));
    gpu.free_kernel(kernel);
    Ok(Outcome {
        checked: format!("{BODIES} bodies, largest error {worst:.1e}"),
        right: worst < 1e-5,
        time,
        figure: format!("{rate:.1} GFLOP/s"),
    })
}
