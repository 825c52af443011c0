//! How much faster products of matrices are with cooperative matrices than by the usual kernel that works on tiles in
//! workgroup memory, on whatever driver the loader finds.

use ash::vk;
use cts::{Gpu, KernelInfo};
use std::time::Instant;

/// Rows and columns.
const SIZE: u32 = 512;

/// Billions of multiplications and additions per second.
fn speed(gpu: &Gpu, spirv: &[u32], group: [u32; 2], groups: [u32; 3], bytes: [u64; 2]) -> Result<f64, cts::Error> {
    let constants = [(0, group[0]), (1, group[1]), (2, SIZE)];
    let kernel = gpu.kernel(&KernelInfo {
        spirv,
        bindings: &[vk::DescriptorType::STORAGE_BUFFER; 3],
        constants: &constants,
        ..KernelInfo::default()
    })?;
    let elements = u64::from(SIZE * SIZE);
    let buffers = [bytes[0], bytes[0], bytes[1]].map(|b| gpu.buffer(elements * b));
    let [a, b, c] = buffers;
    let (a, b, c) = (a?, b?, c?);
    gpu.bind(&kernel, &[&a, &b, &c]);
    let mut best = f64::INFINITY;
    for _ in 0..40 {
        let start = Instant::now();
        gpu.dispatch(&kernel, &[], groups)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    gpu.free_kernel(kernel);
    [a, b, c].into_iter().for_each(|b| gpu.free(b));
    Ok(2.0 * f64::from(SIZE).powi(3) / best / 1e9)
}

macro_rules! spirv {
    ($name:literal) => {
        &cts::shaders::spirv(include_bytes!(concat!("../shaders/", $name, ".spv")))
    };
}

fn main() -> Result<(), cts::Error> {
    let setup = cts::Setup { extensions: &[ash::khr::cooperative_matrix::NAME], ..cts::Setup::default() };
    let gpu = Gpu::open(&setup, |_, _| true)?;
    if gpu.features.cooperative_matrix.cooperative_matrix == 0 {
        println!("{} has no cooperative matrices", gpu.name());
        return Ok(());
    }
    let mut v11 = vk::PhysicalDeviceVulkan11Properties::default();
    let mut p = vk::PhysicalDeviceProperties2::default().push_next(&mut v11);
    // SAFETY: a valid chain.
    unsafe { gpu.instance().get_physical_device_properties2(gpu.physical, &mut p) };
    let lanes = v11.subgroup_size;
    let (matrix, plain) = ([SIZE / 16, SIZE / 16, 1], [SIZE / 16, SIZE / 16, 1]);
    for (name, with, without, bytes) in [
        ("f16 × f16 → f32", spirv!("bench_matrix_half"), spirv!("bench_plain_half"), [2, 4]),
        ("s8 × s8 → s32", spirv!("bench_matrix_byte"), spirv!("bench_plain_byte"), [1, 4]),
    ] {
        let with = speed(&gpu, with, [lanes, 1], matrix, bytes)?;
        let without = speed(&gpu, without, [16, 16], plain, bytes)?;
        println!("{name}: {with:.1} G/s with cooperative matrices, {without:.1} G/s without: {:.2}×", with / without);
    }
    Ok(())
}
