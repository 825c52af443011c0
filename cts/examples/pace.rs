//! How long the driver's own work takes, on whatever driver the loader finds: submissions, dispatches, recording, transfers
//! and compilation. The kernels do as good as nothing; what is left is the way to them.
//!
//! `pace [WORD…]` runs the measurements whose name contains a word, all without words.

use ash::vk;
use cts::{Error, Gpu, Kernel, KernelInfo};
use std::time::{Duration, Instant};

const TINY: &str = "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] = data[id.x] + 1u; }";

const BUSY: &str = "@group(0) @binding(0) var<storage, read_write> data: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var a = f32(id.x); var b = a + 1.0; var c = a + 2.0; var d = a + 3.0;
    for (var i = 0u; i < 4096u; i++) {
        a = a * 0.99 + 0.5; b = b * 0.98 + 0.5; c = c * 0.97 + 0.5; d = d * 0.96 + 0.5;
    }
    data[id.x] = a + b + c + d;
}";

/// Median, and the tenth and ninetieth part of a hundred.
fn spread(mut samples: Vec<Duration>) -> String {
    samples.sort();
    let at = |part: usize| samples[(samples.len() - 1) * part / 100].as_secs_f64() * 1e6;
    format!("{:.2} µs ({:.2}–{:.2})", at(50), at(10), at(90))
}

fn median(mut samples: Vec<Duration>) -> f64 {
    samples.sort();
    samples[samples.len() / 2].as_secs_f64()
}

/// Command buffers of this program's own, so that recording and submission can be measured apart.
struct Recorder<'a> {
    gpu: &'a Gpu,
    pool: vk::CommandPool,
    commands: vk::CommandBuffer,
    fence: vk::Fence,
}

impl<'a> Recorder<'a> {
    fn new(gpu: &'a Gpu) -> Result<Self, Error> {
        let d = &gpu.device;
        // SAFETY: valid usage.
        unsafe {
            let info = vk::CommandPoolCreateInfo::default()
                .queue_family_index(gpu.family)
                .flags(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER);
            let pool = d.create_command_pool(&info, None)?;
            let info = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
            let commands = d.allocate_command_buffers(&info)?[0];
            let fence = d.create_fence(&vk::FenceCreateInfo::default(), None)?;
            Ok(Recorder { gpu, pool, commands, fence })
        }
    }

    fn record(&self, body: impl FnOnce(vk::CommandBuffer)) -> Result<Duration, Error> {
        let start = Instant::now();
        // SAFETY: the buffer is not in use: `run` waits.
        unsafe {
            self.gpu.device.begin_command_buffer(self.commands, &vk::CommandBufferBeginInfo::default())?;
            body(self.commands);
            self.gpu.device.end_command_buffer(self.commands)?;
        }
        Ok(start.elapsed())
    }

    /// Submits what was recorded, or nothing, and waits for the fence.
    fn run(&self, with_commands: bool) -> Result<Duration, Error> {
        let d = &self.gpu.device;
        let commands = [self.commands];
        let submits = [vk::SubmitInfo::default().command_buffers(&commands)];
        // SAFETY: valid usage; the fence is unsignalled and not in use.
        unsafe {
            d.reset_fences(&[self.fence])?;
            let start = Instant::now();
            d.queue_submit(self.gpu.queue, if with_commands { &submits } else { &[] }, self.fence)?;
            d.wait_for_fences(&[self.fence], true, u64::MAX)?;
            Ok(start.elapsed())
        }
    }
}

impl Drop for Recorder<'_> {
    fn drop(&mut self) {
        // SAFETY: every `run` waits.
        unsafe {
            self.gpu.device.destroy_fence(self.fence, None);
            self.gpu.device.destroy_command_pool(self.pool, None);
        }
    }
}

fn submissions(gpu: &Gpu) -> Result<(), Error> {
    let r = Recorder::new(gpu)?;
    r.record(|_| ())?;
    let many = |n: usize, with: bool, pause: Duration| -> Result<Vec<Duration>, Error> {
        (0..n)
            .map(|_| {
                std::thread::sleep(pause);
                r.run(with)
            })
            .collect()
    };
    many(200, true, Duration::ZERO)?;
    println!("submit nothing → fence:              {}", spread(many(5000, false, Duration::ZERO)?));
    println!("submit an empty buffer → fence:      {}", spread(many(5000, true, Duration::ZERO)?));
    println!("the same after a millisecond's rest: {}", spread(many(300, true, Duration::from_millis(1))?));
    Ok(())
}

fn tiny(gpu: &Gpu, words: &str) -> Result<Kernel, Error> {
    let spirv = cts::shaders::wgsl(words).map_err(Error::Shader)?;
    gpu.kernel(&KernelInfo { spirv: &spirv, bindings: &[vk::DescriptorType::STORAGE_BUFFER], ..KernelInfo::default() })
}

fn dispatches(gpu: &Gpu) -> Result<(), Error> {
    const COUNT: u32 = 20_000;
    let kernel = tiny(gpu, TINY)?;
    let buffer = gpu.buffer(4 * 64 * 4096)?;
    gpu.bind(&kernel, &[&buffer]);
    let r = Recorder::new(gpu)?;
    for groups in [1, 16, 256, 4096] {
        for barriers in [false, true] {
            let count = COUNT / if groups > 256 { 10 } else { 1 };
            let mut recording = Vec::new();
            let mut running = Vec::new();
            for _ in 0..9 {
                recording.push(r.record(|commands| {
                    gpu.record(commands, &kernel, &[], [groups, 1, 1]);
                    for _ in 1..count {
                        if barriers {
                            gpu.barrier(commands);
                        }
                        // SAFETY: pipeline and set are bound.
                        unsafe { gpu.device.cmd_dispatch(commands, groups, 1, 1) };
                    }
                })?);
                running.push(r.run(true)?);
            }
            let rate = |samples| f64::from(count) / median(samples) / 1e6;
            println!(
                "dispatches of {groups} groups {} barriers: recorded {:.2} M/s, run {:.3} M/s",
                if barriers { "with" } else { "without" },
                rate(recording),
                rate(running)
            );
        }
    }
    let mut each = Vec::new();
    r.record(|commands| gpu.record(commands, &kernel, &[], [1, 1, 1]))?;
    for _ in 0..3000 {
        each.push(r.run(true)?);
    }
    println!("submit one dispatch → fence:         {}", spread(each));
    drop(r);
    gpu.free_kernel(kernel);
    gpu.free(buffer);
    Ok(())
}

fn transfers(gpu: &Gpu) -> Result<(), Error> {
    let r = Recorder::new(gpu)?;
    for size in [4096u64, 64 << 10, 1 << 20, 8 << 20, 256 << 20] {
        let start = Instant::now();
        let (a, b) = (gpu.buffer(size)?, gpu.buffer(size)?);
        let made = start.elapsed();
        let repeat = ((64 << 20) / size).clamp(1, 2000);
        let copy = [vk::BufferCopy { src_offset: 0, dst_offset: 0, size }];
        let mut speeds = Vec::new();
        let mut first = Duration::ZERO;
        for what in 0..2 {
            r.record(|commands| {
                for _ in 0..repeat {
                    // SAFETY: the buffers are alive and of this size.
                    unsafe {
                        match what {
                            0 => gpu.device.cmd_fill_buffer(commands, b.handle, 0, size, 0x1234_5678),
                            _ => gpu.device.cmd_copy_buffer(commands, a.handle, b.handle, &copy),
                        }
                    }
                }
            })?;
            let mut samples = vec![r.run(true)?];
            if what == 0 {
                first = samples[0];
            }
            for _ in 0..6 {
                samples.push(r.run(true)?);
            }
            speeds.push((size * repeat) as f64 / median(samples) / 1e9);
        }
        println!(
            "{:8} KiB: fill {:.1} GB/s, copy {:.1} GB/s (allocated in {:.2} ms, first fill {:.2} ms)",
            size >> 10,
            speeds[0],
            speeds[1],
            made.as_secs_f64() * 1e3,
            first.as_secs_f64() * 1e3
        );
        gpu.free(a);
        gpu.free(b);
    }
    Ok(())
}

fn compilation(gpu: &Gpu) -> Result<(), Error> {
    let scene = cts::shaders::spirv(include_bytes!("../shaders/bench_scene.spv"));
    let matmul = cts::shaders::spirv(include_bytes!("../shaders/matmul.spv"));
    let small = cts::shaders::wgsl(TINY).map_err(Error::Shader)?;
    let storage = vk::DescriptorType::STORAGE_BUFFER;
    let kernels: [(&str, &[u32], &[vk::DescriptorType]); 3] = [
        ("tiny", &small, &[storage]),
        ("matmul", &matmul, &[storage; 3]),
        ("200 lines", &scene, &[storage, storage, vk::DescriptorType::UNIFORM_BUFFER]),
    ];
    // All zeros: the kernels find that there is nothing to do.
    let own = [gpu.buffer(1 << 20)?, gpu.buffer(1 << 20)?, gpu.buffer(1 << 14)?];
    gpu.run(|d, commands| {
        // SAFETY: the buffers are alive.
        own.iter().for_each(|b| unsafe { d.cmd_fill_buffer(commands, b.handle, 0, vk::WHOLE_SIZE, 0) });
    })?;
    for (name, spirv, bindings) in kernels {
        let buffers: Vec<&cts::Buffer> = own.iter().take(bindings.len()).collect();
        // What was compiled before must not be found again: each shader gets a string of its own, which means nothing.
        let fresh = |salt: u32| -> Vec<u32> {
            let mut words = spirv.to_vec();
            // Strings come before sources, names and decorations.
            let mut at = 5;
            while at < words.len() && !matches!(words[at] & 0xffff, 3 | 4 | 5 | 7 | 71) {
                at += (words[at] >> 16).max(1) as usize;
            }
            let time = std::time::UNIX_EPOCH.elapsed().map_or(0, |t| t.subsec_nanos());
            let text = [time, std::process::id(), salt].map(|w| w & 0x7f7f_7f7f | 0x0101_0101);
            let string = [7 | 6 << 16, words[3]].into_iter().chain(text).chain([0]);
            words.splice(at..at, string);
            words[3] += 1;
            words
        };
        let mut made = Vec::new();
        let mut total = Vec::new();
        for salt in 0..15 {
            let words = fresh(salt * 7919 + 13);
            let start = Instant::now();
            let kernel = gpu.kernel(&KernelInfo { spirv: &words, bindings, ..KernelInfo::default() })?;
            made.push(start.elapsed());
            gpu.bind(&kernel, &buffers);
            gpu.dispatch(&kernel, &[], [1, 1, 1])?;
            total.push(start.elapsed());
            gpu.free_kernel(kernel);
        }
        println!("compile {name}: made {}, to first result {}", spread(made), spread(total));
    }
    own.into_iter().for_each(|b| gpu.free(b));
    Ok(())
}

fn busy(gpu: &Gpu) -> Result<(), Error> {
    let kernel = tiny(gpu, BUSY)?;
    let buffer = gpu.buffer(4 * 64 * 4096)?;
    gpu.bind(&kernel, &[&buffer]);
    let r = Recorder::new(gpu)?;
    r.record(|commands| gpu.record(commands, &kernel, &[], [4096, 1, 1]))?;
    let samples: Result<Vec<_>, _> = (0..30).map(|_| r.run(true)).collect();
    let flops = 4096.0 * 64.0 * 4096.0 * 8.0;
    println!("multiply-adds: {:.1} GFLOP/s", flops / median(samples?) / 1e9);
    drop(r);
    gpu.free_kernel(kernel);
    gpu.free(buffer);
    Ok(())
}

type Measurement = fn(&Gpu) -> Result<(), Error>;

fn main() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let start = Instant::now();
    let gpu = Gpu::new("pace")?;
    println!("{}: opened in {:.1} ms", gpu.name(), start.elapsed().as_secs_f64() * 1e3);
    let all: [(&str, Measurement); 5] = [
        ("submit", submissions),
        ("dispatch", dispatches),
        ("transfer", transfers),
        ("compile", compilation),
        ("busy", busy),
    ];
    for (name, measure) in all {
        if words.is_empty() || words.iter().any(|w| name.contains(w.as_str())) {
            measure(&gpu)?;
        }
    }
    Ok(())
}
