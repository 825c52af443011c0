//! Compute pipelines.

mod build;
mod cache;
mod debug;
mod entry;

pub use cache::PipelineCache;
pub(crate) use debug::debug;
pub use debug::{set_compiler_debug, CompilerDebug};

use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::{CompiledKernel, RobustnessLevel, Statistic};
use crate::heap::Block;
use crate::lock::lock;
use crate::pipeline_layout::PipelineLayout;
use crate::shader_module::ShaderModule;
use ash::vk;
use build::Settings;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Alignment of kernel binaries in GPU memory.
const KERNEL_ALIGN: u64 = 256;

/// VK_EXT_pipeline_robustness; `None` leaves it to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipelineRobustness {
    /// Storage buffers.
    pub storage: Option<RobustnessLevel>,
    /// Uniform buffers.
    pub uniform: Option<RobustnessLevel>,
    /// Images.
    pub image: Option<RobustnessLevel>,
}

/// VkComputePipelineCreateInfo.
#[derive(Clone, Debug)]
pub struct ComputePipelineCreate {
    /// Flags.
    pub flags: vk::PipelineCreateFlags2KHR,
    /// Code.
    pub module: Arc<ShaderModule>,
    /// Name of the entry point.
    pub entry: String,
    /// Specialisation constants: id and value.
    pub specialization: Vec<(u32, Vec<u8>)>,
    /// Layout.
    pub layout: Arc<PipelineLayout>,
    /// Flags of the stage.
    pub stage_flags: vk::PipelineShaderStageCreateFlags,
    /// Required subgroup size.
    pub required_subgroup_size: Option<u32>,
    /// Robustness, if it differs from the device's.
    pub robustness: Option<PipelineRobustness>,
}

/// VkPipelineCreationFeedback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// How long it took.
    pub duration_ns: u64,
    /// Whether the kernel came from the application's pipeline cache.
    pub cache_hit: bool,
}

/// What became of one creation.
#[derive(Debug)]
pub struct PipelineOutcome {
    /// The pipeline. The text of an error is meant for the application's debug messages.
    pub pipeline: Result<Arc<ComputePipeline>>,
    /// Feedback.
    pub feedback: Feedback,
}

/// A text about a kernel, for VK_KHR_pipeline_executable_properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representation {
    /// Short name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// The text.
    pub text: String,
}

/// The one executable of a compute pipeline.
#[derive(Clone, Debug)]
pub struct ExecutableInfo {
    /// Name: the entry point.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Subgroup size.
    pub subgroup_size: u32,
    /// Workgroup size.
    pub local_size: [u32; 3],
    /// Numbers.
    pub statistics: Vec<Statistic>,
    /// Texts, if the pipeline was made to keep them.
    pub representations: Vec<Representation>,
}

/// A compute VkPipeline: a kernel in GPU memory.
#[derive(Debug)]
pub struct ComputePipeline {
    layout: Arc<PipelineLayout>,
    memory: Block,
    info: ExecutableInfo,
}

impl ComputePipeline {
    /// Makes pipelines; those that have to be compiled are, in parallel. The results are in the order of the requests. After a failure
    /// of one with EARLY_RETURN_ON_FAILURE the others are [`Error::CompileRequired`].
    pub fn create_many(
        device: &Arc<Device>,
        cache: Option<&PipelineCache>,
        creates: &[ComputePipelineCreate],
    ) -> Vec<PipelineOutcome> {
        let mut out: Vec<PipelineOutcome> = Vec::with_capacity(creates.len());
        let mut missing = Vec::new();
        for (i, create) in creates.iter().enumerate() {
            let start = Instant::now();
            let settings = Settings::of(device, create);
            let key = build::key(device, create, &settings);
            let refuse = create.flags.contains(vk::PipelineCreateFlags2KHR::FAIL_ON_PIPELINE_COMPILE_REQUIRED);
            let (pipeline, cache_hit) = match find(device, cache, &key, &settings) {
                Some((kernel, hit)) => {
                    keep(device, cache, key, &kernel);
                    (ComputePipeline::upload(device, create, &kernel, Vec::new()), hit)
                }
                None => {
                    if !refuse {
                        missing.push(Job { index: i, key, settings });
                    }
                    (Err(Error::CompileRequired), false)
                }
            };
            out.push(PipelineOutcome { pipeline, feedback: Feedback { duration_ns: nanos(start), cache_hit } });
            if refuse && out[i].failed() && early(create) {
                break;
            }
        }
        for (index, outcome) in compile_all(device, cache, creates, &missing) {
            out[index] = outcome;
        }
        let last = out.iter().zip(creates).position(|(o, c)| o.failed() && early(c)).unwrap_or(creates.len());
        out.truncate(last.saturating_add(1));
        out.resize_with(creates.len(), || PipelineOutcome {
            pipeline: Err(Error::CompileRequired),
            feedback: Feedback::default(),
        });
        out
    }

    fn upload(
        device: &Arc<Device>,
        create: &ComputePipelineCreate,
        kernel: &CompiledKernel,
        representations: Vec<Representation>,
    ) -> Result<Arc<ComputePipeline>> {
        let memory = device.heap().alloc(kernel.binary.len() as u64, KERNEL_ALIGN)?;
        memory.write(0, &kernel.binary);
        Ok(Arc::new(ComputePipeline {
            layout: create.layout.clone(),
            memory,
            info: ExecutableInfo {
                name: create.entry.clone(),
                description: "compute kernel".to_owned(),
                subgroup_size: kernel.subgroup_size,
                local_size: kernel.local_size,
                statistics: kernel.statistics.clone(),
                representations,
            },
        }))
    }

    /// Its layout.
    pub fn layout(&self) -> &Arc<PipelineLayout> {
        &self.layout
    }

    /// What is known of the kernel.
    pub fn info(&self) -> &ExecutableInfo {
        &self.info
    }

    /// Address and bytes of the kernel binary.
    pub(crate) fn kernel(&self) -> (u64, u64) {
        (self.memory.address(), self.memory.size())
    }
}

impl PipelineOutcome {
    fn failed(&self) -> bool {
        self.pipeline.is_err()
    }
}

fn early(create: &ComputePipelineCreate) -> bool {
    create.flags.contains(vk::PipelineCreateFlags2KHR::EARLY_RETURN_ON_FAILURE)
}

fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// A pipeline to compile.
#[derive(Debug)]
struct Job {
    index: usize,
    key: cache::Key,
    settings: Settings,
}

/// A kernel that was compiled before, and whether the application's cache had it. Texts are not kept: whoever wants them has
/// the kernel compiled.
fn find(
    device: &Device,
    cache: Option<&PipelineCache>,
    key: &cache::Key,
    settings: &Settings,
) -> Option<(Arc<CompiledKernel>, bool)> {
    if settings.texts {
        return None;
    }
    if let Some(kernel) = cache.and_then(|c| c.get(key)) {
        return Some((kernel, true));
    }
    if device.features().no_kernel_cache {
        return None;
    }
    Some((cache::process_get(key)?, false))
}

fn keep(device: &Device, cache: Option<&PipelineCache>, key: cache::Key, kernel: &Arc<CompiledKernel>) {
    if let Some(cache) = cache {
        cache.insert(key, kernel);
    }
    if !device.features().no_kernel_cache {
        cache::process_insert(key, kernel);
    }
}

/// Compiles on threads with large stacks, because code generation nests deeply.
fn compile_all(
    device: &Arc<Device>,
    cache: Option<&PipelineCache>,
    creates: &[ComputePipelineCreate],
    jobs: &[Job],
) -> Vec<(usize, PipelineOutcome)> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = compile_caught(device, cache, &creates[job.index], job);
            lock(&done).push((job.index, outcome));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(jobs.len());
    std::thread::scope(|scope| {
        for i in 0..threads {
            let builder = std::thread::Builder::new().name("vkdxg-compile".to_owned()).stack_size(build::STACK);
            if let Err(e) = builder.spawn_scoped(scope, work) {
                // One thread is enough; none is an error of all that is left.
                if i == 0 {
                    let failed = |job: &Job| {
                        let pipeline = Err(Error::Unknown(format!("no thread to compile on: {e}")));
                        (job.index, PipelineOutcome { pipeline, feedback: Feedback::default() })
                    };
                    lock(&done).extend(jobs.iter().map(failed));
                }
                break;
            }
        }
    });
    done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Compiles one. A panic in a compiler is an error of that pipeline, not of the application.
fn compile_caught(
    device: &Arc<Device>,
    cache: Option<&PipelineCache>,
    create: &ComputePipelineCreate,
    job: &Job,
) -> PipelineOutcome {
    let start = Instant::now();
    let compile = || -> Result<Arc<ComputePipeline>> {
        let (kernel, texts) = build::compile(device, create, &job.settings)?;
        let kernel = Arc::new(kernel);
        keep(device, cache, job.key, &kernel);
        ComputePipeline::upload(device, create, &kernel, texts)
    };
    let pipeline = std::panic::catch_unwind(std::panic::AssertUnwindSafe(compile)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("unknown");
        Err(Error::Unknown(format!("the compiler failed: {text}")))
    });
    PipelineOutcome { pipeline, feedback: Feedback { duration_ns: nanos(start), cache_hit: false } }
}
