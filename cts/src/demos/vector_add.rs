//! One addition per invocation: WGSL, storage buffers, a bounds check.

use super::{best_time, Outcome};
use crate::random::Random;
use crate::{shaders, Error, Gpu, KernelInfo};
use ash::vk::DescriptorType;
use std::path::Path;

const COUNT: usize = 1_000_003;

pub fn run(gpu: &Gpu, _folder: &Path) -> Result<Outcome, Error> {
    let spirv = shaders::wgsl(include_str!("../../shaders/vector_add.wgsl")).map_err(Error::Shader)?;
    let kernel = gpu.kernel(&KernelInfo {
        spirv: &spirv,
        bindings: &[DescriptorType::STORAGE_BUFFER; 3],
        ..KernelInfo::default()
    })?;
    let mut random = Random(1);
    let a: Vec<f32> = (0..COUNT).map(|_| random.float(-1.0, 1.0)).collect();
    let b: Vec<f32> = (0..COUNT).map(|_| random.float(-1.0, 1.0)).collect();
    let buffers = [gpu.buffer_of(&a)?, gpu.buffer_of(&b)?, gpu.buffer((COUNT * 4) as u64)?];
    gpu.bind(&kernel, &[&buffers[0], &buffers[1], &buffers[2]]);
    let time = best_time(|| gpu.dispatch(&kernel, &[], [COUNT.div_ceil(64) as u32, 1, 1]))?;
    let sum: Vec<f32> = buffers[2].read();
    let right = sum.iter().zip(a.iter().zip(&b)).all(|(s, (a, b))| *s == a + b);
    let rate = (COUNT * 12) as f64 / time.as_secs_f64() / 1e9;
    buffers.into_iter().for_each(|b| gpu.free(b));
    gpu.free_kernel(kernel);
    Ok(Outcome { checked: format!("{COUNT} sums, exactly"), right, time, figure: format!("{rate:.1} GB/s") })
}
