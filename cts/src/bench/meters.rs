//! What happens around kernels: submission, dispatches, recording, descriptors, copies. Each meter repeats one thing many times
//! and checks what came of it.

use super::kernels::program;
use super::plan::{Binding::Storage, Program};
use super::runner::{Made, PATIENCE};
use crate::{Buffer, Error, Gpu};
use ash::vk;
use std::time::Instant;

/// Seconds for one, and what is wrong with what came of it, if anything.
pub type Outcome = Result<(f64, Result<(), String>), Error>;

/// A row that is no kernel.
pub struct Meter {
    /// Its name.
    pub name: &'static str,
    /// Unit of what is counted per second; "s" means that the figure is a time.
    pub unit: &'static str,
    /// How many times as fast as the best other driver it is to be at least.
    pub floor: f64,
    /// Runs it once.
    pub run: fn(&Gpu) -> Outcome,
    /// Units in one.
    pub work: f64,
}

/// Every meter.
pub const ALL: &[Meter] = &[
    Meter { name: "empty submit → fence", unit: "s", floor: 4.0, run: empty, work: 1.0 },
    Meter { name: "small dispatch → fence", unit: "s", floor: 1.5, run: small, work: 1.0 },
    Meter { name: "dispatches", unit: "dispatch/s", floor: 10.0, run: |g| dispatches(g, ATOMIC, false), work: 1.0 },
    Meter {
        name: "dispatches with barriers",
        unit: "dispatch/s",
        floor: 10.0,
        run: |g| dispatches(g, ORDERED, true),
        work: 1.0,
    },
    Meter { name: "indirect dispatches", unit: "dispatch/s", floor: 1.5, run: indirect, work: 1.0 },
    Meter { name: "recording of dispatches", unit: "dispatch/s", floor: 1.5, run: recording, work: 1.0 },
    Meter { name: "descriptor updates", unit: "update/s", floor: 1.5, run: updates, work: 1.0 },
    Meter { name: "pipeline made again", unit: "s", floor: 1.5, run: again, work: 1.0 },
    Meter { name: "128 MiB allocated, filled, freed", unit: "B/s", floor: 1.5, run: touch, work: FRESH as f64 },
    Meter { name: "vkCmdCopyBuffer, 64 MiB", unit: "B/s", floor: 1.0, run: copy, work: 2.0 * LARGE as f64 },
    Meter { name: "vkCmdFillBuffer, 64 MiB", unit: "B/s", floor: 1.0, run: fill, work: LARGE as f64 },
];

const ATOMIC: Program = program!("count_atomic", &[Storage], 4);
const ORDERED: Program = program!("count_ordered", &[Storage], 4);
const DESCRIPTORS: Program = program!("descriptors", &[Storage; 8], 0);
const LARGE: u64 = 64 << 20;
/// More than the allocator keeps.
const FRESH: u64 = 128 << 20;

/// Objects of a meter; freed when dropped.
struct Bed<'g> {
    gpu: &'g Gpu,
    pool: vk::CommandPool,
    fence: vk::Fence,
    set_pool: vk::DescriptorPool,
}

impl<'g> Bed<'g> {
    fn new(gpu: &'g Gpu) -> Result<Bed<'g>, Error> {
        let info = vk::CommandPoolCreateInfo::default()
            .queue_family_index(gpu.family)
            .flags(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER);
        let sizes = [vk::DescriptorPoolSize { ty: vk::DescriptorType::STORAGE_BUFFER, descriptor_count: 64 }];
        let sets = vk::DescriptorPoolCreateInfo::default().max_sets(8).pool_sizes(&sizes);
        // SAFETY: valid usage.
        unsafe {
            Ok(Bed {
                gpu,
                pool: gpu.device.create_command_pool(&info, None)?,
                fence: gpu.device.create_fence(&vk::FenceCreateInfo::default(), None)?,
                set_pool: gpu.device.create_descriptor_pool(&sets, None)?,
            })
        }
    }

    fn commands(&self) -> Result<vk::CommandBuffer, Error> {
        let info = vk::CommandBufferAllocateInfo::default().command_pool(self.pool).command_buffer_count(1);
        // SAFETY: valid usage.
        Ok(unsafe { self.gpu.device.allocate_command_buffers(&info)?[0] })
    }

    /// Records; `f` gets the command buffer.
    fn record(&self, commands: vk::CommandBuffer, f: impl FnOnce()) -> Result<(), Error> {
        // SAFETY: the command buffer is not pending.
        unsafe {
            self.gpu.device.begin_command_buffer(commands, &vk::CommandBufferBeginInfo::default())?;
            f();
            Ok(self.gpu.device.end_command_buffer(commands)?)
        }
    }

    /// Submits and waits; seconds.
    fn submit(&self, commands: vk::CommandBuffer) -> Result<f64, Error> {
        let commands = [commands];
        let submit = [vk::SubmitInfo::default().command_buffers(&commands)];
        let start = Instant::now();
        // SAFETY: valid usage: the command buffer is not pending, the fence is not signalled.
        unsafe {
            self.gpu.device.queue_submit(self.gpu.queue, &submit, self.fence)?;
            self.gpu.device.wait_for_fences(&[self.fence], true, PATIENCE)?;
            let time = start.elapsed().as_secs_f64();
            self.gpu.device.reset_fences(&[self.fence])?;
            Ok(time)
        }
    }

    /// A set of a program with these buffers.
    fn set(&self, made: &Made, infos: &[vk::DescriptorBufferInfo]) -> Result<vk::DescriptorSet, Error> {
        let layouts = [made.set_layout()];
        let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(self.set_pool).set_layouts(&layouts);
        // SAFETY: valid usage.
        let set = unsafe { self.gpu.device.allocate_descriptor_sets(&info)?[0] };
        self.write(set, infos);
        Ok(set)
    }

    /// Writes a set's first bindings, which are storage buffers.
    fn write(&self, set: vk::DescriptorSet, infos: &[vk::DescriptorBufferInfo]) {
        let write = vk::WriteDescriptorSet::default().dst_set(set).descriptor_type(vk::DescriptorType::STORAGE_BUFFER);
        // Bindings of one type follow one another.
        let write = [write.buffer_info(infos)];
        // SAFETY: valid usage; the set is not in use.
        unsafe { self.gpu.device.update_descriptor_sets(&write, &[]) };
    }
}

/// What a write of these buffers says.
fn infos<'b>(buffers: impl IntoIterator<Item = &'b Buffer>) -> Vec<vk::DescriptorBufferInfo> {
    let info = |b: &Buffer| vk::DescriptorBufferInfo { buffer: b.handle, offset: 0, range: vk::WHOLE_SIZE };
    buffers.into_iter().map(info).collect()
}

impl Drop for Bed<'_> {
    fn drop(&mut self) {
        // SAFETY: nothing is in use after the wait.
        unsafe {
            // A lost device cannot be waited for, and need not be.
            let _ = self.gpu.device.device_wait_idle();
            self.gpu.device.destroy_command_pool(self.pool, None);
            self.gpu.device.destroy_fence(self.fence, None);
            self.gpu.device.destroy_descriptor_pool(self.set_pool, None);
        }
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn expect(got: u32, want: u32, what: &str) -> Result<(), String> {
    if got == want {
        Ok(())
    } else {
        Err(format!("{what} is {got}, not {want}"))
    }
}

fn word(buffer: &Buffer) -> u32 {
    buffer.read::<u32>()[0]
}

/// Repetitions of things that take microseconds.
const TIMES: usize = 200;

fn empty(gpu: &Gpu) -> Outcome {
    let bed = Bed::new(gpu)?;
    let commands = bed.commands()?;
    bed.record(commands, || {})?;
    let times: Result<Vec<f64>, Error> = (0..TIMES).map(|_| bed.submit(commands)).collect();
    Ok((median(times?), Ok(())))
}

fn bind(gpu: &Gpu, commands: vk::CommandBuffer, made: &Made) {
    // SAFETY: valid usage.
    unsafe { gpu.device.cmd_bind_pipeline(commands, vk::PipelineBindPoint::COMPUTE, made.pipeline) };
}

/// A program that counts its dispatches, with all that it needs.
struct Counter<'g> {
    bed: Bed<'g>,
    made: Made,
    buffer: Buffer,
    set: vk::DescriptorSet,
    commands: vk::CommandBuffer,
}

impl<'g> Counter<'g> {
    fn new(gpu: &'g Gpu, program: Program) -> Result<Counter<'g>, Error> {
        let bed = Bed::new(gpu)?;
        let made = Made::new(gpu, &program, vk::PipelineCreateFlags::empty())?;
        let buffer = gpu.buffer_of(&[0u32; 16])?;
        let set = bed.set(&made, &infos([&buffer]))?;
        let commands = bed.commands()?;
        Ok(Counter { bed, made, buffer, set, commands })
    }

    /// Records what `f` records, with the pipeline bound.
    fn record(&self, f: impl FnOnce()) -> Result<(), Error> {
        self.bed.record(self.commands, || {
            bind(self.bed.gpu, self.commands, &self.made);
            f();
        })
    }

    /// Binds the set and pushes a number.
    fn push(&self, i: u32) {
        let (d, point) = (&self.bed.gpu.device, vk::PipelineBindPoint::COMPUTE);
        // SAFETY: valid usage.
        unsafe {
            d.cmd_bind_descriptor_sets(self.commands, point, self.made.layout, 0, &[self.set], &[]);
            d.cmd_push_constants(self.commands, self.made.layout, vk::ShaderStageFlags::COMPUTE, 0, &i.to_ne_bytes());
        }
    }

    /// Records one dispatch that counts.
    fn count(&self, i: u32) {
        self.push(i);
        // SAFETY: valid usage.
        unsafe { self.bed.gpu.device.cmd_dispatch(self.commands, 1, 1, 1) };
    }

    /// Submits so many times; the median in seconds.
    fn submit(&self, times: usize) -> Result<f64, Error> {
        let times: Result<Vec<f64>, Error> = (0..times).map(|_| self.bed.submit(self.commands)).collect();
        Ok(median(times?))
    }

    /// Frees everything. `seconds` are what was measured, and `want` is how many dispatches there were.
    fn end(self, seconds: f64, want: u32) -> Outcome {
        let gpu = self.bed.gpu;
        let right = expect(word(&self.buffer), want, "the counter");
        drop(self.bed);
        self.made.free(gpu);
        gpu.free(self.buffer);
        Ok((seconds, right))
    }
}

fn small(gpu: &Gpu) -> Outcome {
    let counter = Counter::new(gpu, ATOMIC)?;
    counter.record(|| counter.count(0))?;
    let each = counter.submit(TIMES)?;
    counter.end(each, TIMES as u32)
}

/// Dispatches of a command buffer.
const MANY: u32 = 4000;

fn dispatches(gpu: &Gpu, program: Program, ordered: bool) -> Outcome {
    let counter = Counter::new(gpu, program)?;
    counter.record(|| {
        for i in 0..MANY {
            counter.count(i);
            if ordered {
                gpu.barrier(counter.commands);
            }
        }
    })?;
    let all = counter.submit(3)?;
    counter.end(all / f64::from(MANY), 3 * MANY)
}

fn indirect(gpu: &Gpu) -> Outcome {
    let counter = Counter::new(gpu, ATOMIC)?;
    let groups = gpu.buffer_of(&[1u32; 4])?;
    counter.record(|| {
        counter.push(0);
        // SAFETY: valid usage.
        (0..MANY).for_each(|_| unsafe { gpu.device.cmd_dispatch_indirect(counter.commands, groups.handle, 0) });
    })?;
    let all = counter.submit(3)?;
    let outcome = counter.end(all / f64::from(MANY), 3 * MANY);
    gpu.free(groups);
    outcome
}

/// A pipeline that exists already, made once more without a cache of the application's.
fn again(gpu: &Gpu) -> Outcome {
    let first = Made::new(gpu, &DESCRIPTORS, vk::PipelineCreateFlags::empty())?;
    let mut times = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let made = Made::new(gpu, &DESCRIPTORS, vk::PipelineCreateFlags::empty())?;
        times.push(start.elapsed().as_secs_f64());
        made.free(gpu);
    }
    first.free(gpu);
    Ok((median(times), Ok(())))
}

/// Fresh memory, which the system has to provide page by page.
fn touch(gpu: &Gpu) -> Outcome {
    let bed = Bed::new(gpu)?;
    let commands = bed.commands()?;
    let word = 0x0102_0304;
    let mut times = Vec::new();
    let mut right = true;
    for _ in 0..3 {
        let start = Instant::now();
        let to = gpu.buffer(FRESH)?;
        // SAFETY: valid usage.
        bed.record(commands, || unsafe { gpu.device.cmd_fill_buffer(commands, to.handle, 0, FRESH, word) })?;
        bed.submit(commands)?;
        times.push(start.elapsed().as_secs_f64());
        right &= to.bytes().chunks_exact(4096).all(|c| c[..4] == word.to_le_bytes());
        let start = Instant::now();
        gpu.free(to);
        if let Some(time) = times.last_mut() {
            *time += start.elapsed().as_secs_f64();
        }
    }
    let right = right.then_some(()).ok_or_else(|| "not all words are as filled".to_owned());
    drop(bed);
    Ok((median(times), right))
}

fn recording(gpu: &Gpu) -> Outcome {
    let counter = Counter::new(gpu, ATOMIC)?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        counter.record(|| (0..MANY).for_each(|i| counter.count(i)))?;
        times.push(start.elapsed().as_secs_f64() / f64::from(MANY));
    }
    counter.submit(1)?;
    counter.end(median(times), MANY)
}

fn updates(gpu: &Gpu) -> Outcome {
    let bed = Bed::new(gpu)?;
    let made = Made::new(gpu, &DESCRIPTORS, vk::PipelineCreateFlags::empty())?;
    let buffers: Vec<Buffer> = (0..9u32).map(|i| gpu.buffer_of(&[i; 4])).collect::<Result<_, _>>()?;
    let target = &buffers[0];
    let (forward, backward) = (infos(&buffers[..8]), infos(std::iter::once(target).chain(buffers[2..].iter().rev())));
    let set = bed.set(&made, &forward)?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        for i in 0..MANY {
            bed.write(set, if i % 2 == 0 { &forward } else { &backward });
        }
        // Eight descriptors a write.
        times.push(start.elapsed().as_secs_f64() / f64::from(MANY) / 8.0);
    }
    let commands = bed.commands()?;
    bed.record(commands, || {
        bind(gpu, commands, &made);
        // SAFETY: valid usage.
        unsafe {
            let point = vk::PipelineBindPoint::COMPUTE;
            gpu.device.cmd_bind_descriptor_sets(commands, point, made.layout, 0, &[set], &[]);
            gpu.device.cmd_dispatch(commands, 1, 1, 1);
        }
    })?;
    bed.submit(commands)?;
    // The last write was the backward one: 8, 7, 6, … from the lowest digit.
    let outcome = (median(times), expect(word(target), 2_345_678, "what the descriptors led to"));
    drop(bed);
    made.free(gpu);
    buffers.into_iter().for_each(|b| gpu.free(b));
    Ok(outcome)
}

fn copy(gpu: &Gpu) -> Outcome {
    let bed = Bed::new(gpu)?;
    let from = gpu.buffer_of(&super::data::values(1, LARGE as usize / 8, super::data::Random::bits))?;
    let to = gpu.buffer(LARGE)?;
    let commands = bed.commands()?;
    bed.record(commands, || {
        let region = [vk::BufferCopy { src_offset: 0, dst_offset: 0, size: LARGE }];
        // SAFETY: valid usage.
        unsafe { gpu.device.cmd_copy_buffer(commands, from.handle, to.handle, &region) };
    })?;
    bed.submit(commands)?;
    let times: Result<Vec<f64>, Error> = (0..5).map(|_| bed.submit(commands)).collect();
    let right = if from.bytes() == to.bytes() { Ok(()) } else { Err("the copy differs".to_owned()) };
    let outcome = (median(times?), right);
    drop(bed);
    gpu.free(from);
    gpu.free(to);
    Ok(outcome)
}

fn fill(gpu: &Gpu) -> Outcome {
    let bed = Bed::new(gpu)?;
    let to = gpu.buffer(LARGE)?;
    let commands = bed.commands()?;
    let word = 0x1234_5678;
    // SAFETY: valid usage.
    bed.record(commands, || unsafe { gpu.device.cmd_fill_buffer(commands, to.handle, 0, LARGE, word) })?;
    bed.submit(commands)?;
    let times: Result<Vec<f64>, Error> = (0..5).map(|_| bed.submit(commands)).collect();
    let right = to.bytes().chunks_exact(4).all(|c| c == word.to_le_bytes());
    let outcome = (median(times?), right.then_some(()).ok_or_else(|| "not all words are as filled".to_owned()));
    drop(bed);
    gpu.free(to);
    Ok(outcome)
}
