//! Chooses the node and its GPUs.
//!
//! One node serves all instances of a process; it goes when the last instance goes. A forked child makes its own, and so do instances
//! that are made once an adapter has been removed.

use crate::env::{self, NodeChoice, Options};
use dxg_abi::{MemorySegmentGroup, Node};
use dxg_node::{kernel, model, observed, KERNEL_NODE};
use runtime::gpu::Gpu;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use winsys_dxg::{Adapter, ErrorKind, PagingWait, Winsys, WinsysConfig};

/// Adapters with the GPUs that drive them, and the node behind them.
#[derive(Debug)]
pub struct Platform {
    /// In the node's order.
    pub adapters: Vec<(Adapter, Arc<dyn Gpu>)>,
    /// Whose process it is of: nothing of it works in another one.
    process: u32,
}

/// The GPU of an adapter, or why it is not of that kind.
type Probe = fn(&Adapter, &Options) -> Result<Arc<dyn Gpu>, String>;

/// A kind of GPU: how to tell that an adapter is one, and how to drive it.
struct Driver {
    /// Name of the crate.
    name: &'static str,
    probe: Probe,
}

/// Every GPU this driver knows.
static DRIVERS: &[Driver] = &[Driver { name: "gpu-soft", probe: soft }];

/// GPU crates that do not drive an adapter, with their reasons.
pub type Refusals = Vec<(&'static str, String)>;

/// The GPU of an adapter, and the crate that drives it.
fn drive(adapter: &Adapter, options: &Options) -> Result<(&'static str, Arc<dyn Gpu>), Refusals> {
    let mut refusals = Vec::new();
    for driver in DRIVERS {
        match (driver.probe)(adapter, options) {
            Ok(gpu) => return Ok((driver.name, gpu)),
            Err(reason) => refusals.push((driver.name, reason)),
        }
    }
    Err(refusals)
}

/// Which GPU crate drives an adapter; or each that does not, with the reason.
///
/// # Errors
/// The crates and their reasons, if none drives it.
pub fn explain(adapter: &Adapter, options: &Options) -> Result<&'static str, Refusals> {
    drive(adapter, options).map(|(name, _)| name)
}

fn soft_options(options: &Options) -> gpu_soft::Options {
    gpu_soft::Options {
        width: options.debug.width,
        jam: options.debug.jam,
        interpret: options.debug.interp,
        device_type: options.device_type,
        build: crate::build_id::build_id(),
    }
}

/// The software GPU tells itself by its driver-private data.
fn soft(adapter: &Adapter, options: &Options) -> Result<Arc<dyn Gpu>, String> {
    let mut blob = [0; gpu_soft::Soft::UMD_PRIVATE_BYTES];
    adapter.umd_private(&mut blob).map_err(|e| format!("the adapter does not say what it is ({e})"))?;
    if !gpu_soft::Soft::drives(&blob) {
        return Err("the adapter is not the software GPU of this build".to_owned());
    }
    Ok(Arc::new(gpu_soft::Soft::new(soft_options(options))))
}

/// The adapters of a node that some driver knows.
fn known_adapters(node: Arc<dyn Node>, options: &Options) -> Vec<(Adapter, Arc<dyn Gpu>)> {
    let config = WinsysConfig {
        paging_wait: if options.paging_wait_on_cpu { PagingWait::Cpu } else { PagingWait::Gpu },
        ..WinsysConfig::default()
    };
    let winsys = Winsys::new(observed(node, options), config);
    // A node that cannot list its adapters has none for us.
    winsys
        .adapters()
        .unwrap_or_default()
        .into_iter()
        .filter_map(|adapter| {
            let refusals = match drive(&adapter, options) {
                Ok((_, gpu)) => return Some((adapter, gpu)),
                Err(refusals) => refusals,
            };
            if options.debug.adapters {
                let name = adapter.driver_description().unwrap_or_default();
                for (driver, reason) in refusals {
                    eprintln!("vulkan-dxg: adapter \"{name}\" is left out by {driver}: {reason}");
                }
            }
            None
        })
        .collect()
}

impl Platform {
    /// A platform as the options say; without a usable node it has no adapters.
    fn new(options: &Options) -> Self {
        let of = |node: std::io::Result<Arc<dyn Node>>| node.map(|n| known_adapters(n, options)).unwrap_or_default();
        let adapters = match &options.node {
            NodeChoice::Model => of(model(options)),
            NodeChoice::Path(path) => of(kernel(path)),
            NodeChoice::Auto => {
                let path = Path::new(KERNEL_NODE);
                let found = if path.exists() { of(kernel(path)) } else { Vec::new() };
                if found.is_empty() {
                    of(model(options))
                } else {
                    found
                }
            }
        };
        Self { adapters, process: std::process::id() }
    }

    /// Whether an adapter has been removed.
    fn is_gone(&self) -> bool {
        let gone =
            |a: &Adapter| a.video_memory(MemorySegmentGroup::LOCAL).is_err_and(|e| e.kind() == ErrorKind::DeviceLost);
        self.adapters.iter().any(|(adapter, _)| gone(adapter))
    }

    /// The process's platform; a new one, if an adapter of the one there is has been removed.
    pub fn current() -> Arc<Self> {
        static CURRENT: Mutex<Weak<Platform>> = Mutex::new(Weak::new());
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        match current.upgrade() {
            Some(p) if p.process == std::process::id() && !p.is_gone() => p,
            other => {
                // A parent's platform must not be dropped in the child: its threads are not here.
                if let Some(parents) = other.filter(|p| p.process != std::process::id()) {
                    std::mem::forget(parents);
                }
                let options = env::options();
                // A second platform of the process finds the switches set, to the same.
                runtime::set_compiler_debug(runtime::CompilerDebug {
                    verify: options.debug.verify,
                    print_pass: options.debug.ir.clone().flatten(),
                    // What a trace says of memory is what submissions and the application did with it.
                    report_tiers: options.debug.tiers,
                    tiers: !options.debug.one_tier && options.trace.is_none(),
                });
                let made = Arc::new(Self::new(options));
                *current = Arc::downgrade(&made);
                made
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_not_there_gives_no_adapters() {
        let options = Options { node: NodeChoice::Path("/nonexistent/dxg".into()), ..Options::default() };
        assert!(Platform::new(&options).adapters.is_empty());
    }

    #[test]
    fn the_model_has_the_software_gpu() {
        let options = Options { node: NodeChoice::Model, ..Options::default() };
        let platform = Platform::new(&options);
        assert_eq!(platform.adapters.len(), 1);
        assert_eq!(platform.adapters[0].1.props().vendor_id, gpu_soft::VENDOR_ID);
    }

    #[test]
    fn adapters_are_explained() {
        let options = Options { node: NodeChoice::Model, ..Options::default() };
        let winsys = Winsys::new(model(&options).expect("model"), WinsysConfig::default());
        let adapters = winsys.adapters().expect("adapters");
        assert_eq!(explain(&adapters[0], &options), Ok("gpu-soft"));
    }

    #[test]
    fn an_adapter_that_nobody_drives_is_left_out_with_a_reason() {
        let model_switches = env::ModelSwitches { gpu: env::ModelGpu::Intel, ..Default::default() };
        let options = Options { node: NodeChoice::Model, model: model_switches, ..Options::default() };
        assert!(Platform::new(&options).adapters.is_empty());
        let winsys = Winsys::new(model(&options).expect("model"), WinsysConfig::default());
        let adapters = winsys.adapters().expect("adapters");
        assert_eq!(adapters.len(), 1);
        let reason = explain(&adapters[0], &options).expect_err("nobody drives it");
        assert!(!reason.is_empty());
    }

    #[test]
    fn instances_share_a_platform_and_the_last_one_ends_it() {
        let (a, b) = (Platform::current(), Platform::current());
        assert!(Arc::ptr_eq(&a, &b));
        let weak = Arc::downgrade(&a);
        drop((a, b));
        assert!(weak.upgrade().is_none());
    }
}
