//! A plan on a device: pipelines, resources and recorded passes, with a clock.

use super::image::Picture;
use super::plan::{Plan, Program, Resource, Results, Step};
use crate::{shaders, Buffer, Error, Gpu};
use ash::vk;
use std::time::{Duration, Instant};

/// Most passes in one submission.
const MOST_PASSES: u32 = 4096;
/// Longest wait for a fence, in nanoseconds.
pub const PATIENCE: u64 = 100_000_000_000;

/// Processor time that all threads of this process have used, in seconds.
fn processor_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// A program on the device.
pub struct Made {
    /// The pipeline.
    pub pipeline: vk::Pipeline,
    /// Its layout.
    pub layout: vk::PipelineLayout,
    set_layout: vk::DescriptorSetLayout,
}

impl Made {
    /// Compiles a program.
    ///
    /// # Errors
    /// Whatever pipeline creation says.
    pub fn new(gpu: &Gpu, program: &Program, flags: vk::PipelineCreateFlags) -> Result<Made, Error> {
        let d = &gpu.device;
        let bindings: Vec<_> = (0u32..)
            .zip(program.bindings)
            .map(|(i, b)| {
                vk::DescriptorSetLayoutBinding::default()
                    .binding(i)
                    .descriptor_type(b.descriptor())
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
            })
            .collect();
        let push =
            [vk::PushConstantRange { stage_flags: vk::ShaderStageFlags::COMPUTE, offset: 0, size: program.push }];
        let spirv = shaders::spirv(program.spirv);
        // SAFETY: valid usage throughout; every pointer lives across its call.
        unsafe {
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
            let set_layout = d.create_descriptor_set_layout(&info, None)?;
            let layouts = [set_layout];
            let info = vk::PipelineLayoutCreateInfo::default()
                .set_layouts(&layouts)
                .push_constant_ranges(&push[..usize::from(program.push > 0)]);
            let layout = d.create_pipeline_layout(&info, None)?;
            let module = d.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(&spirv), None)?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(c"main");
            let info = vk::ComputePipelineCreateInfo::default().flags(flags).stage(stage).layout(layout);
            let made = d.create_compute_pipelines(vk::PipelineCache::null(), &[info], None);
            d.destroy_shader_module(module, None);
            match made {
                Ok(pipelines) => Ok(Made { pipeline: pipelines[0], layout, set_layout }),
                Err((_, error)) => {
                    d.destroy_pipeline_layout(layout, None);
                    d.destroy_descriptor_set_layout(set_layout, None);
                    Err(error.into())
                }
            }
        }
    }

    /// Layout of its set.
    pub fn set_layout(&self) -> vk::DescriptorSetLayout {
        self.set_layout
    }

    /// Destroys a program that is not in use any more.
    pub fn free(self, gpu: &Gpu) {
        // SAFETY: the caller has waited for the work that uses it.
        unsafe {
            gpu.device.destroy_pipeline(self.pipeline, None);
            gpu.device.destroy_pipeline_layout(self.layout, None);
            gpu.device.destroy_descriptor_set_layout(self.set_layout, None);
        }
    }
}

/// A resource on the device: its buffer, and its picture where it is one; the buffer is the way to the picture then.
struct Held {
    buffer: Buffer,
    picture: Option<Picture>,
}

/// A plan on a device.
pub struct Runner<'g> {
    gpu: &'g Gpu,
    plan: Plan,
    programs: Vec<Made>,
    resources: Vec<Held>,
    sets: Vec<vk::DescriptorSet>,
    set_pool: vk::DescriptorPool,
    pool: vk::CommandPool,
    commands: vk::CommandBuffer,
    fence: vk::Fence,
    passes: u32,
    /// Seconds of the last verified pass.
    last: f64,
}

impl Results for Runner<'_> {
    fn bytes(&self, resource: usize) -> &[u8] {
        self.resources[resource].buffer.bytes()
    }
}

impl<'g> Runner<'g> {
    /// Puts a plan on the device; nothing has run then.
    ///
    /// # Errors
    /// A failing call.
    pub fn new(gpu: &'g Gpu, plan: Plan) -> Result<Runner<'g>, Error> {
        let d = &gpu.device;
        let make = |p| Made::new(gpu, p, vk::PipelineCreateFlags::empty());
        let programs = plan.programs.iter().map(make).collect::<Result<Vec<_>, _>>()?;
        let resources = plan.resources.iter().map(|r| held(gpu, r)).collect::<Result<Vec<_>, _>>()?;
        // SAFETY: valid usage.
        let (pool, commands, fence) = unsafe {
            let info = vk::CommandPoolCreateInfo::default()
                .queue_family_index(gpu.family)
                .flags(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER);
            let pool = d.create_command_pool(&info, None)?;
            let info = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
            (pool, d.allocate_command_buffers(&info)?[0], d.create_fence(&vk::FenceCreateInfo::default(), None)?)
        };
        let (set_pool, sets) = sets(gpu, &plan, &programs, &resources)?;
        Ok(Runner { gpu, plan, programs, resources, sets, set_pool, pool, commands, fence, passes: 0, last: 0.0 })
    }

    /// Gives the resources their first content, runs one pass and checks the result.
    ///
    /// # Errors
    /// A failing call. The inner result says what is wrong with what was computed.
    pub fn verify(&mut self) -> Result<Result<(), String>, Error> {
        for (held, resource) in self.resources.iter_mut().zip(&self.plan.resources) {
            let bytes = held.buffer.bytes_mut();
            match resource {
                Resource::Bytes(data) | Resource::Image(_, _, data) => bytes[..data.len()].copy_from_slice(data),
                Resource::Zeros(_) => bytes.fill(0),
            }
            if let Some(picture) = &held.picture {
                picture.upload(self.gpu, held.buffer.handle)?;
            }
        }
        self.record(1)?;
        self.last = self.submit()?.as_secs_f64();
        for held in &self.resources {
            if let Some(picture) = &held.picture {
                picture.download(self.gpu, held.buffer.handle)?;
            }
        }
        Ok((self.plan.check)(self))
    }

    /// Chooses how many passes a sample has, so that it takes about as long as `target`. Called after [`Self::verify`].
    ///
    /// # Errors
    /// A failing call.
    pub fn calibrate(&mut self, target: Duration) -> Result<(), Error> {
        // Twice: what is slow only the first time is not what is to be known. Very slow passes are not run again for that.
        let mut pass = self.last;
        for _ in 0..2 {
            if pass > 10.0 * target.as_secs_f64() {
                return self.record(1);
            }
            let passes = (target.as_secs_f64() / pass.max(1e-9)).ceil();
            self.record((passes as u32).clamp(1, MOST_PASSES))?;
            pass = self.sample()?;
        }
        let passes = (target.as_secs_f64() / pass.max(1e-9)).ceil();
        self.record((passes as u32).clamp(1, MOST_PASSES))
    }

    /// Runs the recorded passes; seconds for each.
    ///
    /// # Errors
    /// A failing call.
    pub fn sample(&mut self) -> Result<f64, Error> {
        Ok(self.submit()?.as_secs_f64() / f64::from(self.passes))
    }

    /// Runs the recorded passes; for each, seconds on the clock and seconds of this process's processor time.
    ///
    /// # Errors
    /// A failing call.
    pub fn sample_both(&mut self) -> Result<(f64, f64), Error> {
        let start = processor_time();
        let seconds = self.sample()?;
        Ok((seconds, (processor_time() - start) / f64::from(self.passes)))
    }

    /// Work of a pass.
    pub fn work(&self) -> f64 {
        self.plan.work
    }

    /// Passes of a sample.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    fn submit(&mut self) -> Result<Duration, Error> {
        let commands = [self.commands];
        let submit = [vk::SubmitInfo::default().command_buffers(&commands)];
        let start = Instant::now();
        // SAFETY: valid usage: the command buffer is not pending, the fence is not signalled.
        unsafe {
            self.gpu.device.queue_submit(self.gpu.queue, &submit, self.fence)?;
            self.gpu.device.wait_for_fences(&[self.fence], true, PATIENCE)?;
            let time = start.elapsed();
            self.gpu.device.reset_fences(&[self.fence])?;
            Ok(time)
        }
    }

    fn record(&mut self, passes: u32) -> Result<(), Error> {
        let d = &self.gpu.device;
        // SAFETY: valid usage: the command buffer is not pending.
        unsafe { d.begin_command_buffer(self.commands, &vk::CommandBufferBeginInfo::default())? };
        for _ in 0..passes {
            for (step, set) in self.plan.steps.iter().zip(&self.sets) {
                self.step(step, *set);
                self.gpu.barrier(self.commands);
            }
        }
        let memory = [vk::MemoryBarrier::default()
            .src_access_mask(vk::AccessFlags::MEMORY_WRITE)
            .dst_access_mask(vk::AccessFlags::HOST_READ)];
        let (all, host) = (vk::PipelineStageFlags::ALL_COMMANDS, vk::PipelineStageFlags::HOST);
        // SAFETY: valid usage.
        unsafe {
            d.cmd_pipeline_barrier(self.commands, all, host, vk::DependencyFlags::empty(), &memory, &[], &[]);
            d.end_command_buffer(self.commands)?;
        }
        self.passes = passes;
        Ok(())
    }

    fn step(&self, step: &Step, set: vk::DescriptorSet) {
        let d = &self.gpu.device;
        let buffer = |r: usize| &self.resources[r].buffer;
        // SAFETY: valid usage; the handles live until the work is done.
        unsafe {
            match step {
                Step::Dispatch { program, push, groups, .. } => {
                    let made = &self.programs[*program];
                    let point = vk::PipelineBindPoint::COMPUTE;
                    d.cmd_bind_pipeline(self.commands, point, made.pipeline);
                    d.cmd_bind_descriptor_sets(self.commands, point, made.layout, 0, &[set], &[]);
                    if !push.is_empty() {
                        d.cmd_push_constants(self.commands, made.layout, vk::ShaderStageFlags::COMPUTE, 0, push);
                    }
                    d.cmd_dispatch(self.commands, groups[0], groups[1], groups[2]);
                }
                Step::Fill { resource, word } => {
                    d.cmd_fill_buffer(self.commands, buffer(*resource).handle, 0, vk::WHOLE_SIZE, *word);
                }
                Step::Copy { from, to } => {
                    let size = buffer(*from).size.min(buffer(*to).size);
                    let region = [vk::BufferCopy { src_offset: 0, dst_offset: 0, size }];
                    d.cmd_copy_buffer(self.commands, buffer(*from).handle, buffer(*to).handle, &region);
                }
            }
        }
    }
}

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        let d = &self.gpu.device;
        // SAFETY: nothing is in use after the wait.
        unsafe {
            // A lost device cannot be waited for, and need not be.
            let _ = d.device_wait_idle();
            d.destroy_fence(self.fence, None);
            d.destroy_command_pool(self.pool, None);
            d.destroy_descriptor_pool(self.set_pool, None);
        }
        self.programs.drain(..).for_each(|p| p.free(self.gpu));
        for held in self.resources.drain(..) {
            if let Some(picture) = held.picture {
                picture.free(self.gpu);
            }
            self.gpu.free(held.buffer);
        }
    }
}

fn held(gpu: &Gpu, resource: &Resource) -> Result<Held, Error> {
    let size = match resource {
        Resource::Bytes(data) | Resource::Image(_, _, data) => data.len() as u64,
        Resource::Zeros(size) => *size,
    };
    let buffer = gpu.buffer(size)?;
    let picture = match resource {
        Resource::Bytes(_) | Resource::Zeros(_) => None,
        Resource::Image(size, format, _) => Some(Picture::new(gpu, *size, *format)?),
    };
    Ok(Held { buffer, picture })
}

/// A descriptor set for every step; steps that are no dispatches get a null handle.
fn sets(
    gpu: &Gpu,
    plan: &Plan,
    programs: &[Made],
    resources: &[Held],
) -> Result<(vk::DescriptorPool, Vec<vk::DescriptorSet>), Error> {
    let d = &gpu.device;
    let steps = plan.steps.len() as u32;
    let sizes: Vec<_> = plan
        .programs
        .iter()
        .flat_map(|p| p.bindings)
        .map(|b| vk::DescriptorPoolSize { ty: b.descriptor(), descriptor_count: steps })
        .collect();
    let info = vk::DescriptorPoolCreateInfo::default().max_sets(steps).pool_sizes(&sizes);
    // SAFETY: valid usage. Plans without dispatches have no sizes, which Vulkan allows.
    let pool = unsafe { d.create_descriptor_pool(&info, None)? };
    let mut all = Vec::new();
    for step in &plan.steps {
        let Step::Dispatch { program, resources: used, .. } = step else {
            all.push(vk::DescriptorSet::null());
            continue;
        };
        let layouts = [programs[*program].set_layout];
        let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts);
        // SAFETY: valid usage.
        let set = unsafe { d.allocate_descriptor_sets(&info)?[0] };
        for ((binding, kind), resource) in (0u32..).zip(plan.programs[*program].bindings).zip(used) {
            let held = &resources[*resource];
            let buffer = [vk::DescriptorBufferInfo { buffer: held.buffer.handle, offset: 0, range: vk::WHOLE_SIZE }];
            let image = held.picture.as_ref().map(|p| {
                [vk::DescriptorImageInfo {
                    sampler: p.sampler,
                    image_view: p.view,
                    image_layout: vk::ImageLayout::GENERAL,
                }]
            });
            let write =
                vk::WriteDescriptorSet::default().dst_set(set).dst_binding(binding).descriptor_type(kind.descriptor());
            let write = match &image {
                Some(image) => write.image_info(image),
                None => write.buffer_info(&buffer),
            };
            // SAFETY: valid usage; the set is not in use.
            unsafe { d.update_descriptor_sets(&[write], &[]) };
        }
        all.push(set);
    }
    Ok((pool, all))
}
