//! Tiled matrix multiplication: GLSL, workgroup memory, barriers, push constants.

use super::{best_time, Outcome};
use crate::random::Random;
use crate::{shaders, Error, Gpu, KernelInfo};
use ash::vk::DescriptorType;
use std::path::Path;

const N: usize = 512;

pub fn run(gpu: &Gpu, _folder: &Path) -> Result<Outcome, Error> {
    let spirv = shaders::spirv(include_bytes!("../../shaders/matmul.spv"));
    let info =
        KernelInfo { spirv: &spirv, bindings: &[DescriptorType::STORAGE_BUFFER; 3], push: 4, ..KernelInfo::default() };
    let kernel = gpu.kernel(&info)?;
    let mut random = Random(2);
    let a: Vec<f32> = (0..N * N).map(|_| random.float(-1.0, 1.0)).collect();
    let b: Vec<f32> = (0..N * N).map(|_| random.float(-1.0, 1.0)).collect();
    let buffers = [gpu.buffer_of(&a)?, gpu.buffer_of(&b)?, gpu.buffer((N * N * 4) as u64)?];
    gpu.bind(&kernel, &[&buffers[0], &buffers[1], &buffers[2]]);
    let push = (N as u32).to_ne_bytes();
    let time = best_time(|| gpu.dispatch(&kernel, &push, [(N / 16) as u32, (N / 16) as u32, 1]))?;
    let got: Vec<f32> = buffers[2].read();
    // The reference in double precision; the error of a sum of N products of values below 1 stays far below this.
    let mut worst = 0f64;
    let mut row = vec![0f64; N];
    for y in 0..N {
        row.fill(0.0);
        for k in 0..N {
            let f = f64::from(a[y * N + k]);
            for (r, v) in row.iter_mut().zip(&b[k * N..(k + 1) * N]) {
                *r += f * f64::from(*v);
            }
        }
        for (g, r) in got[y * N..(y + 1) * N].iter().zip(&row) {
            let error = (f64::from(*g) - r).abs();
            worst = if error.is_nan() { f64::INFINITY } else { worst.max(error) };
        }
    }
    let rate = 2.0 * (N * N * N) as f64 / time.as_secs_f64() / 1e9;
    buffers.into_iter().for_each(|b| gpu.free(b));
    gpu.free_kernel(kernel);
    Ok(Outcome {
        checked: format!("{N}×{N} products, largest error {worst:.1e}"),
        right: worst < 1e-3,
        time,
        figure: format!("{rate:.1} GFLOP/s"),
    })
}
