//! Which node a process uses: what the environment asks for ([`env`]), and the node that it then is.
//!
//! Everything that speaks to a `/dev/dxg` on behalf of a program goes through here, so that the settings mean the same to all:
//! the Vulkan driver, and the library that other drivers load in its place.

pub mod env;

use dxg_abi::{Errno, Ioctl, Node};
use dxg_model::Engine;
use env::{Debug, ModelGpu, Options};
use std::fs::File;
use std::io::BufWriter;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;
use winsys_dxg::{say, Failing, KernelNode, Logged, Nth, Traced};

/// The kernel's device file.
pub const KERNEL_NODE: &str = KernelNode::PATH;

/// The folder of the host's driver package where none is said: one of the names that such packages have.
fn package(gpu: ModelGpu) -> Option<String> {
    match gpu {
        ModelGpu::Soft => None,
        ModelGpu::Intel => {
            Some(r"C:\Windows\System32\DriverStore\FileRepository\iigd_dch.inf_amd64_0000000000000000".to_owned())
        }
    }
}

/// Last request of the kernels of 2021.
const OLDER_TABLE_END: u8 = 0x43;

fn model_config(options: &Options) -> dxg_model::Config {
    let m = &options.model;
    let default = dxg_model::Config::default();
    dxg_model::Config {
        quirks: !m.no_quirks,
        asynchronous: m.asynchronous,
        pending: match m.pending {
            None => dxg_model::Pending::Never,
            Some(max) => dxg_model::Pending::Always { min: Duration::ZERO, max, seed: 1 },
        },
        hw_queues: m.hw_queues.unwrap_or(default.hw_queues),
        watchdog: m.watchdog.map_or(default.watchdog, |limit| (!limit.is_zero()).then_some(limit)),
        driver_store: m.driver_store.clone().or_else(|| package(m.gpu)),
        budget: m.budget.or(default.budget),
        strict_residency: m.strict_residency,
        table_end: if m.older { OLDER_TABLE_END } else { default.table_end },
        ..default
    }
}

/// The in-process model, with the GPU and the behaviour that the options ask for.
///
/// # Errors
/// When the system does not give the address space for the GPU.
pub fn model(options: &Options) -> std::io::Result<Arc<dyn Node>> {
    let engine: Arc<dyn Engine> = match options.model.gpu {
        ModelGpu::Soft => {
            let threads = options.debug.serial.then_some(NonZeroUsize::MIN);
            Arc::new(gpu_soft::engine::SoftEngine::new(threads))
        }
        // What the processor's GPU may use is half of what a GPU in software may.
        ModelGpu::Intel => Arc::new(gpu_intel::engine::IntelEngine::new(gpu_soft::engine::system_memory() / 2)),
    };
    let model = dxg_model::Model::new(model_config(options), engine)?;
    // Of the process's first model: what comes after shows whether the program got over it.
    static FIRST: AtomicBool = AtomicBool::new(true);
    let (fail, stop) = (options.model.fail, options.model.stop);
    if (fail.is_none() && stop.is_none()) || !FIRST.swap(false, Ordering::Relaxed) {
        return Ok(model);
    }
    let node: Arc<dyn Node> = match stop {
        Some(nth) => Arc::new(Stopping { model, nth: Nth::new(nth) }),
        None => model,
    };
    Ok(match fail {
        Some(nth) => Arc::new(Failing::new(node, nth, Errno::ENOMEM)),
        None => node,
    })
}

/// A model whose adapter is removed with the n-th request that can fail.
#[derive(Debug)]
struct Stopping {
    model: Arc<dxg_model::Model>,
    nth: Nth,
}

impl Node for Stopping {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        if let Some(ioctl) = self.nth.find(request) {
            say(format_args!("the adapter stops with request {}, {ioctl}, as asked for", self.nth.number()));
            self.model.inject(&dxg_model::Fault::AdapterStop);
        }
        self.model.ioctl(request, arg)
    }

    fn describe(&self) -> String {
        self.model.describe()
    }
}

/// A device file.
///
/// # Errors
/// As for opening a file.
pub fn kernel(path: &Path) -> std::io::Result<Arc<dyn Node>> {
    Ok(Arc::new(KernelNode::open(path)?))
}

/// The file of a recording: `%p` stands for the process id, so that processes that share their environment do not share files.
fn recording(path: &Path) -> PathBuf {
    let Some(text) = path.to_str() else { return path.to_owned() };
    text.replace("%p", &std::process::id().to_string()).into()
}

/// Records what passes to a node in a file.
fn record(node: Arc<dyn Node>, path: &Path) -> std::io::Result<Arc<dyn Node>> {
    let file = BufWriter::new(File::create(recording(path))?);
    Ok(Arc::new(Traced::new(node, file)?))
}

/// Puts recording and logging in front of a node.
pub fn observed(node: Arc<dyn Node>, options: &Options) -> Arc<dyn Node> {
    let node = match &options.trace {
        None => node,
        Some(path) => match record(node.clone(), path) {
            Ok(traced) => traced,
            Err(e) => {
                eprintln!("vulkan-dxg: warning: VKDXG_TRACE: {}: {e}", path.display());
                node
            }
        },
    };
    let d = &options.debug;
    if d.ioctl || d.vm || d.submit || d.sync {
        Arc::new(Selected { logged: Logged::new(node.clone()), plain: node, debug: d.clone() })
    } else {
        node
    }
}

/// Logs the requests that the debug words name.
#[derive(Debug)]
struct Selected {
    plain: Arc<dyn Node>,
    logged: Logged<Arc<dyn Node>>,
    debug: Debug,
}

/// Whether the debug words ask for a request.
fn wanted(debug: &Debug, ioctl: Ioctl) -> bool {
    use Ioctl as I;
    let group = match ioctl {
        I::CreateAllocation
        | I::DestroyAllocation2
        | I::ReserveGpuVirtualAddress
        | I::MapGpuVirtualAddress
        | I::UpdateGpuVirtualAddress
        | I::FreeGpuVirtualAddress
        | I::MakeResident
        | I::Evict
        | I::Lock2
        | I::Unlock2 => debug.vm,
        I::SubmitCommand | I::SubmitCommandToHwQueue => debug.submit,
        I::CreateSynchronizationObject2
        | I::DestroySynchronizationObject
        | I::SignalSynchronizationObject2
        | I::SignalSynchronizationObjectFromCpu
        | I::SignalSynchronizationObjectFromGpu
        | I::SignalSynchronizationObjectFromGpu2
        | I::SubmitSignalSyncObjectsToHwQueue
        | I::WaitForSynchronizationObject2
        | I::WaitForSynchronizationObjectFromCpu
        | I::WaitForSynchronizationObjectFromGpu
        | I::SubmitWaitForSyncObjectsToHwQueue => debug.sync,
        _ => false,
    };
    debug.ioctl || group
}

impl Node for Selected {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        if Ioctl::from_request(request).is_none_or(|i| wanted(&self.debug, i)) {
            self.logged.ioctl(request, arg)
        } else {
            self.plain.ioctl(request, arg)
        }
    }

    fn describe(&self) -> String {
        self.plain.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_named_after_processes() {
        let pid = std::process::id();
        assert_eq!(recording(Path::new("/a/%p.trace")), PathBuf::from(format!("/a/{pid}.trace")));
        assert_eq!(recording(Path::new("/a/b")), PathBuf::from("/a/b"));
    }

    #[test]
    fn debug_words_choose_requests() {
        let words = |vm, submit| Debug { vm, submit, ..Debug::default() };
        assert!(wanted(&words(true, false), Ioctl::MapGpuVirtualAddress));
        assert!(!wanted(&words(true, false), Ioctl::SubmitCommand));
        assert!(wanted(&words(false, true), Ioctl::SubmitCommand));
        let all = Debug { ioctl: true, ..Debug::default() };
        assert!(wanted(&all, Ioctl::EnumAdapters2) && wanted(&all, Ioctl::Evict));
    }
}
