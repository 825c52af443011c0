//! A program's start: loading the driver, and the time from a shader to its first result. Measured once per process; the caller
//! chooses where the driver keeps its cache.

use super::kernels::{raymarch_program, raymarch_push, raymarch_reference};
use super::runner::Made;
use crate::Error;
use ash::vk;
use std::time::Instant;

/// Something measured: name, unit, value.
pub struct Phase {
    /// What.
    pub name: &'static str,
    /// "s" or "B".
    pub unit: &'static str,
    /// How much.
    pub value: f64,
}

/// Bytes of this process in memory, as the kernel counts them; 0 where it does not say.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
}

/// Loads the driver, compiles the ray marcher, and renders one small picture.
///
/// # Errors
/// A failing call. The inner result says what is wrong with the picture.
pub fn startup() -> Result<(Vec<Phase>, Result<(), String>), Error> {
    const SIZE: [u32; 2] = [16, 16];
    let before = resident();
    let start = Instant::now();
    let gpu = super::open()?;
    let load = start.elapsed().as_secs_f64();
    let with_device = resident();
    let picture = gpu.buffer_of(&[0u32; (SIZE[0] * SIZE[1]) as usize])?;

    let start = Instant::now();
    let made = Made::new(&gpu, &raymarch_program(), vk::PipelineCreateFlags::empty())?;
    let pipeline = start.elapsed().as_secs_f64();
    // SAFETY: valid usage throughout; `run` waits for the work.
    let pool = unsafe {
        let d = &gpu.device;
        let sizes = [vk::DescriptorPoolSize { ty: vk::DescriptorType::STORAGE_BUFFER, descriptor_count: 1 }];
        let pool =
            d.create_descriptor_pool(&vk::DescriptorPoolCreateInfo::default().max_sets(1).pool_sizes(&sizes), None)?;
        let layouts = [made.set_layout()];
        let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts);
        let set = d.allocate_descriptor_sets(&info)?[0];
        let buffer = [vk::DescriptorBufferInfo { buffer: picture.handle, offset: 0, range: vk::WHOLE_SIZE }];
        let write = vk::WriteDescriptorSet::default()
            .dst_set(set)
            .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
            .buffer_info(&buffer);
        d.update_descriptor_sets(&[write], &[]);
        gpu.run(|d, commands| {
            let point = vk::PipelineBindPoint::COMPUTE;
            d.cmd_bind_pipeline(commands, point, made.pipeline);
            d.cmd_bind_descriptor_sets(commands, point, made.layout, 0, &[set], &[]);
            let push = raymarch_push(SIZE);
            d.cmd_push_constants(commands, made.layout, vk::ShaderStageFlags::COMPUTE, 0, &push);
            d.cmd_dispatch(commands, 1, 1, 1);
        })?;
        pool
    };
    let first = start.elapsed().as_secs_f64();
    let with_kernel = resident();
    let right = raymarch_reference(&picture.read::<u32>(), SIZE);
    // SAFETY: `run` has waited.
    unsafe { gpu.device.destroy_descriptor_pool(pool, None) };
    made.free(&gpu);
    gpu.free(picture);
    let phases = vec![
        Phase { name: "load", unit: "s", value: load },
        Phase { name: "pipeline", unit: "s", value: pipeline },
        Phase { name: "first result", unit: "s", value: first },
        Phase { name: "resident with a device", unit: "B", value: with_device - before },
        Phase { name: "resident with a kernel", unit: "B", value: with_kernel - before },
    ];
    Ok((phases, right))
}
