//! Making programs: from a cache where there is one, otherwise compiled, in parallel.

use super::build::{self, Settings};
use super::cache::{self, Key, PipelineCache};
use super::program::{Program, ProgramCode, ProgramCreate};
use super::store;
use super::tier::Upgrade;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::CompiledKernel;
use crate::lock::lock;
use ash::vk;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use winsys_dxg::calm;

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
pub struct ProgramOutcome {
    /// The program. The text of an error is meant for the application's debug messages.
    pub program: Result<Arc<Program>>,
    /// Feedback.
    pub feedback: Feedback,
}

impl Program {
    /// Makes programs; those that have to be compiled are, in parallel. The results are in the order of the requests. After a failure
    /// of one with EARLY_RETURN_ON_FAILURE the others are [`Error::CompileRequired`].
    pub fn create_many(
        device: &Arc<Device>,
        cache: Option<&PipelineCache>,
        creates: &[ProgramCreate],
    ) -> Vec<ProgramOutcome> {
        let mut out: Vec<ProgramOutcome> = Vec::with_capacity(creates.len());
        let mut missing = Vec::new();
        for (i, create) in creates.iter().enumerate() {
            let start = Instant::now();
            let settings = Settings::of(device, create);
            let key = build::key(device, create, &settings);
            let refuse = create.flags.contains(vk::PipelineCreateFlags2KHR::FAIL_ON_PIPELINE_COMPILE_REQUIRED);
            let (program, cache_hit) = match find(device, cache, create, &key, &settings) {
                Some((kernel, hit)) => {
                    // What an application gives is not taken for what this driver compiled.
                    if !matches!(create.code, ProgramCode::Binary(_)) {
                        keep(device, cache, key, &kernel, create);
                    }
                    let upgrade = kernel.successor.and_then(|at| {
                        let source = match create.code {
                            ProgramCode::Module(_) => create.clone(),
                            ProgramCode::Identifier(_) => ProgramCreate::clone(&*cache::process_source(&key)?),
                            ProgramCode::Binary(_) => return None,
                        };
                        Some(Upgrade::new(device, source, &settings, at))
                    });
                    (Program::upload(device, &create.layout, &create.entry, key, kernel, Vec::new(), upgrade), hit)
                }
                None => {
                    if !refuse && matches!(create.code, ProgramCode::Module(_)) {
                        missing.push(Job { index: i, key, settings });
                    }
                    (Err(Error::CompileRequired), false)
                }
            };
            out.push(ProgramOutcome { program, feedback: Feedback { duration_ns: nanos(start), cache_hit } });
            if refuse && out[i].failed() && early(create) {
                break;
            }
        }
        for (index, outcome) in compile_all(device, cache, creates, &missing) {
            out[index] = outcome;
        }
        let last = out.iter().zip(creates).position(|(o, c)| o.failed() && early(c)).unwrap_or(creates.len());
        out.truncate(last.saturating_add(1));
        out.resize_with(creates.len(), || ProgramOutcome {
            program: Err(Error::CompileRequired),
            feedback: Feedback::default(),
        });
        out
    }
}

impl ProgramOutcome {
    fn failed(&self) -> bool {
        self.program.is_err()
    }
}

fn early(create: &ProgramCreate) -> bool {
    create.flags.contains(vk::PipelineCreateFlags2KHR::EARLY_RETURN_ON_FAILURE)
}

fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// A program to compile.
#[derive(Debug)]
struct Job {
    index: usize,
    key: Key,
    settings: Settings,
}

/// A kernel that was compiled before, and whether the application's cache had it. Texts are not kept: whoever wants them has
/// the kernel compiled.
fn find(
    device: &Device,
    cache: Option<&PipelineCache>,
    create: &ProgramCreate,
    key: &Key,
    settings: &Settings,
) -> Option<(Arc<CompiledKernel>, bool)> {
    if let ProgramCode::Binary(binary) = &create.code {
        return Some((binary.kernel().clone(), false));
    }
    if settings.texts {
        return None;
    }
    // Code that better code may follow is of no use where the best is asked for, or where nobody knows what to make it from.
    let source = match create.code {
        ProgramCode::Module(_) => settings.first,
        ProgramCode::Identifier(_) => settings.first && cache::process_source(key).is_some(),
        ProgramCode::Binary(_) => false,
    };
    let fits = |kernel: &Arc<CompiledKernel>| source || kernel.successor.is_none();
    let found = cache.and_then(|c| c.get(key)).filter(fits);
    if let Some(kernel) = found.as_ref().filter(|k| k.successor.is_none() || device.features().no_kernel_cache) {
        return Some((kernel.clone(), true));
    }
    if device.features().no_kernel_cache {
        return None;
    }
    // There may be better code by now than what the application's cache has.
    let kept = || Some(Arc::new(store::load(device.kernel_store()?, &**device.gpu(), key)?));
    let other = cache::process_get(key).or_else(kept).filter(fits);
    match (found, other) {
        (Some(_), Some(better)) if better.successor.is_none() => Some((better, true)),
        (Some(first), _) => Some((first, true)),
        (None, other) => Some((other?, false)),
    }
}

fn keep(
    device: &Device,
    cache: Option<&PipelineCache>,
    key: Key,
    kernel: &Arc<CompiledKernel>,
    create: &ProgramCreate,
) {
    if let Some(cache) = cache {
        cache.insert(key, kernel);
    }
    if !device.features().no_kernel_cache {
        match create.code {
            ProgramCode::Module(_) => cache::process_insert(key, kernel, Some(create)),
            // What it was made from is there already.
            _ if kernel.successor.is_some() => {}
            _ => cache::process_insert(key, kernel, None),
        }
    }
}

/// Compiles on threads with large stacks, because code generation nests deeply; with floats as kernels have them, because constants
/// are folded.
fn compile_all(
    device: &Arc<Device>,
    cache: Option<&PipelineCache>,
    creates: &[ProgramCreate],
    jobs: &[Job],
) -> Vec<(usize, ProgramOutcome)> {
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
            if let Err(e) = calm(|| builder.spawn_scoped(scope, work)) {
                // One thread is enough; none is an error of all that is left.
                if i == 0 {
                    let failed = |job: &Job| {
                        let program = Err(Error::Unknown(format!("no thread to compile on: {e}")));
                        (job.index, ProgramOutcome { program, feedback: Feedback::default() })
                    };
                    lock(&done).extend(jobs.iter().map(failed));
                }
                break;
            }
        }
    });
    done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Compiles one. A panic in a compiler is an error of that program, not of the application.
fn compile_caught(
    device: &Arc<Device>,
    cache: Option<&PipelineCache>,
    create: &ProgramCreate,
    job: &Job,
) -> ProgramOutcome {
    let start = Instant::now();
    let compile = || -> Result<Arc<Program>> {
        let (kernel, texts) = build::compile(device, create, &job.settings)?;
        let kernel = Arc::new(kernel);
        keep(device, cache, job.key, &kernel, create);
        if let Some(kept) = device.kernel_store() {
            store::store(kept, &**device.gpu(), &job.key, &kernel);
        }
        let upgrade = kernel.successor.map(|at| Upgrade::new(device, create.clone(), &job.settings, at));
        Program::upload(device, &create.layout, &create.entry, job.key, kernel, texts, upgrade)
    };
    let program = std::panic::catch_unwind(std::panic::AssertUnwindSafe(compile)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("unknown");
        Err(Error::Unknown(format!("the compiler failed: {text}")))
    });
    ProgramOutcome { program, feedback: Feedback { duration_ns: nanos(start), cache_hit: false } }
}
