//! Prefix sum in three dispatches of one command buffer: GLSL, subgroup scans, specialisation constants, barriers.

use super::{best_time, Outcome};
use crate::random::Random;
use crate::{shaders, Error, Gpu, KernelInfo};
use ash::vk::DescriptorType;
use std::path::Path;

const COUNT: usize = 256 * 256;

pub fn run(gpu: &Gpu, _folder: &Path) -> Result<Outcome, Error> {
    let spirv = shaders::spirv(include_bytes!("../../shaders/prefix_sum.spv"));
    let mut kernels = Vec::new();
    for step in 0..3 {
        let info = KernelInfo {
            spirv: &spirv,
            bindings: &[DescriptorType::STORAGE_BUFFER; 2],
            push: 4,
            constants: &[(0, step)],
            ..KernelInfo::default()
        };
        kernels.push(gpu.kernel(&info)?);
    }
    let mut random = Random(3);
    let input: Vec<u32> = (0..COUNT).map(|_| (random.bits() >> 40) as u32).collect();
    let mut data = gpu.buffer_of(&input)?;
    let sums = gpu.buffer(256 * 4)?;
    for kernel in &kernels {
        gpu.bind(kernel, &[&data, &sums]);
    }
    let (all, blocks) = ((COUNT as u32).to_ne_bytes(), 256u32.to_ne_bytes());
    let time = best_time(|| {
        data.bytes_mut().copy_from_slice(bytemuck::cast_slice(&input));
        gpu.run(|_, commands| {
            gpu.record(commands, &kernels[0], &all, [256, 1, 1]);
            gpu.barrier(commands);
            gpu.record(commands, &kernels[1], &blocks, [1, 1, 1]);
            gpu.barrier(commands);
            gpu.record(commands, &kernels[2], &all, [256, 1, 1]);
        })
    })?;
    let mut want = 0u32;
    let right = data.read::<u32>().iter().zip(&input).all(|(got, value)| {
        want = want.wrapping_add(*value);
        *got == want
    });
    let rate = COUNT as f64 / time.as_secs_f64() / 1e6;
    gpu.free(data);
    gpu.free(sums);
    kernels.into_iter().for_each(|k| gpu.free_kernel(k));
    Ok(Outcome { checked: format!("{COUNT} sums, exactly"), right, time, figure: format!("{rate:.0} Melem/s") })
}
