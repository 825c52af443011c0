//! Every environment variable the driver looks at, in one table.
//!
//! They are read once, at the first use of the driver, and not at all in programs that run with raised privileges.

use ash::vk;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// Where `/dev/dxg` comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NodeChoice {
    /// The kernel's node if it has a GPU this driver knows, else the model.
    #[default]
    Auto,
    /// The in-process model.
    Model,
    /// A device file.
    Path(PathBuf),
}

impl NodeChoice {
    /// As `VKDXG_NODE` says it.
    ///
    /// # Errors
    /// A text for what is not understood.
    pub fn parse(v: &str) -> Result<NodeChoice, String> {
        Ok(match v {
            "auto" => NodeChoice::Auto,
            "model" => NodeChoice::Model,
            path if path.starts_with('/') => NodeChoice::Path(path.into()),
            other => return Err(format!("neither auto nor model nor an absolute path: {other:?}")),
        })
    }
}

/// `VKDXG_DEBUG`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Debug {
    /// Print every request to the node.
    pub ioctl: bool,
    /// Print which adapters are left out, and why.
    pub adapters: bool,
    /// Print GPU address-space work.
    pub vm: bool,
    /// Print submissions.
    pub submit: bool,
    /// Print fence waits and signals.
    pub sync: bool,
    /// Print the IR; of one pass if named.
    pub ir: Option<Option<String>>,
    /// Print assembly.
    pub asm: bool,
    /// Run the IR verifier after every pass.
    pub verify: bool,
    /// Run kernels in the interpreter.
    pub interp: bool,
    /// One worker thread.
    pub serial: bool,
    /// Vector width in 32-bit lanes.
    pub width: Option<u32>,
    /// `jam=N`: how many subgroups run in lock-step.
    pub jam: Option<u32>,
    /// Compile all pipelines as if optimisation were disabled.
    pub quick: bool,
    /// Compile to the best code before anything is run, instead of afterwards.
    pub one_tier: bool,
    /// Say which code is used when.
    pub tiers: bool,
    /// No shader cache on disk.
    pub nocache: bool,
    /// Abort on a panic instead of returning an error.
    pub panic: bool,
    /// Zero new memory.
    pub zero: bool,
}

/// Which adapter the model presents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelGpu {
    /// The software GPU.
    #[default]
    Soft,
    /// An Intel GPU that executes nothing, for drivers that other people made.
    Intel,
}

/// `VKDXG_MODEL`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelSwitches {
    /// `intel`: which adapter.
    pub gpu: ModelGpu,
    /// `store=FOLDER`: where the host's driver package is, where said.
    pub driver_store: Option<String>,
    /// Switches off the guest driver's oddities.
    pub no_quirks: bool,
    /// Longest delay of paging work; none: done at once.
    pub pending: Option<Duration>,
    /// Whether hardware queues can be made, where said.
    pub hw_queues: Option<bool>,
    /// Fire-and-forget submission.
    pub asynchronous: bool,
    /// Longest run of a command buffer, where said; zero: no limit.
    pub watchdog: Option<Duration>,
    /// Most bytes that can be resident, where said.
    pub budget: Option<u64>,
    /// Whether the GPU reaches only what is resident.
    pub strict_residency: bool,
    /// `older`: the table of requests ends where it did on older kernels.
    pub older: bool,
    /// `fail=N`: the N-th request that can fail does, counted from 1.
    pub fail: Option<u64>,
    /// `stop=N`: the adapter is removed with the N-th request that can fail, counted from 1.
    pub stop: Option<u64>,
}

/// The shader cache on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheSettings {
    /// Folder, where said.
    pub dir: Option<PathBuf>,
    /// Switched off.
    pub disable: bool,
    /// Most bytes, where said.
    pub max_size: Option<u64>,
}

/// Everything the environment decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// `VKDXG_NODE`.
    pub node: NodeChoice,
    /// `VKDXG_DEBUG`.
    pub debug: Debug,
    /// `VKDXG_TRACE`.
    pub trace: Option<PathBuf>,
    /// `VKDXG_DEVICE_TYPE`.
    pub device_type: Option<vk::PhysicalDeviceType>,
    /// `VKDXG_PAGING_WAIT=cpu`.
    pub paging_wait_on_cpu: bool,
    /// `VKDXG_MODEL`.
    pub model: ModelSwitches,
    /// `MESA_SHADER_CACHE_*`.
    pub cache: CacheSettings,
    /// `MESA_VK_VERSION_OVERRIDE`.
    pub version_override: Option<u32>,
}

/// A row of the table.
#[derive(Debug)]
pub struct Variable {
    /// Name.
    pub name: &'static str,
    /// What it may hold.
    pub values: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Takes the value over; an error text for what is not understood.
    parse: fn(&str, &mut Options) -> Result<(), String>,
}

/// The table.
pub static VARIABLES: &[Variable] = &[
    Variable {
        name: "VKDXG_NODE",
        values: "auto|model|PATH",
        doc: "which node is used: the kernel's where it has a known GPU (auto), the in-process model, or a device file",
        parse: |v, o| {
            o.node = NodeChoice::parse(v)?;
            Ok(())
        },
    },
    Variable {
        name: "VKDXG_DEBUG",
        values:
            "ioctl,adapters,vm,submit,sync,ir[=pass],asm,verify,interp,serial,width=N,jam=N,quick,tier=quick|full|both,tiers,\
             nocache,panic,zero",
        doc: "what to print and what to change for debugging, separated by commas",
        parse: parse_debug,
    },
    Variable {
        name: "VKDXG_TRACE",
        values: "FILE",
        doc: "records every request to the node in a file that dxgtrace reads; %p in its name becomes the process id",
        parse: |v, o| {
            o.trace = Some(v.into());
            Ok(())
        },
    },
    Variable {
        name: "VKDXG_DEVICE_TYPE",
        values: "cpu|virtual|discrete|integrated|other",
        doc: "deviceType of the software GPU, for applications that refuse or rank low a CPU",
        parse: |v, o| {
            o.device_type = Some(match v {
                "cpu" => vk::PhysicalDeviceType::CPU,
                "virtual" => vk::PhysicalDeviceType::VIRTUAL_GPU,
                "discrete" => vk::PhysicalDeviceType::DISCRETE_GPU,
                "integrated" => vk::PhysicalDeviceType::INTEGRATED_GPU,
                "other" => vk::PhysicalDeviceType::OTHER,
                other => return Err(format!("no device type: {other:?}")),
            });
            Ok(())
        },
    },
    Variable {
        name: "VKDXG_PAGING_WAIT",
        values: "gpu|cpu",
        doc: "who waits for paging work: the queue before its next submission, or the submitting thread",
        parse: |v, o| {
            o.paging_wait_on_cpu = match v {
                "cpu" => true,
                "gpu" => false,
                other => return Err(format!("neither cpu nor gpu: {other:?}")),
            };
            Ok(())
        },
    },
    Variable {
        name: "VKDXG_MODEL",
        values: "quirks|noquirks,pending=MICROSECONDS,hwqueue|nohwqueue,async,older,watchdog=MILLISECONDS,fail=N,stop=N,budget=N[K|M|G],resident,intel,store=FOLDER",
        doc: "how the model behaves where real systems differ, and which adapter it has, separated by commas",
        parse: parse_model,
    },
    Variable {
        name: "MESA_SHADER_CACHE_DIR",
        values: "FOLDER",
        doc: "where compiled kernels are kept",
        parse: |v, o| {
            o.cache.dir = Some(v.into());
            Ok(())
        },
    },
    Variable {
        name: "MESA_SHADER_CACHE_DISABLE",
        values: "true|false",
        doc: "true keeps compiled kernels off the disk",
        parse: |v, o| {
            o.cache.disable = match v {
                "1" | "true" | "y" | "yes" => true,
                "0" | "false" | "n" | "no" => false,
                other => return Err(format!("neither true nor false: {other:?}")),
            };
            Ok(())
        },
    },
    Variable {
        name: "MESA_SHADER_CACHE_MAX_SIZE",
        values: "N[K|M|G]",
        doc: "most bytes of compiled kernels on disk; a number without unit counts GiB",
        parse: |v, o| {
            o.cache.max_size = Some(parse_size(v).ok_or_else(|| format!("no size: {v:?}"))?);
            Ok(())
        },
    },
    Variable {
        name: "MESA_VK_VERSION_OVERRIDE",
        values: "MAJOR.MINOR[.PATCH]",
        doc: "the API version to report",
        parse: |v, o| {
            o.version_override = Some(parse_version(v).ok_or_else(|| format!("no version: {v:?}"))?);
            Ok(())
        },
    },
];

fn words(v: &str) -> impl Iterator<Item = &str> {
    v.split(',').map(str::trim).filter(|w| !w.is_empty())
}

fn parse_debug(v: &str, o: &mut Options) -> Result<(), String> {
    let d = &mut o.debug;
    let mut unknown = Vec::new();
    for word in words(v) {
        match word.split_once('=') {
            None => match word {
                "ioctl" => d.ioctl = true,
                "adapters" => d.adapters = true,
                "vm" => d.vm = true,
                "submit" => d.submit = true,
                "sync" => d.sync = true,
                "ir" => d.ir = Some(None),
                "asm" => d.asm = true,
                "verify" => d.verify = true,
                "interp" => d.interp = true,
                "serial" => d.serial = true,
                "quick" => d.quick = true,
                "tiers" => d.tiers = true,
                "nocache" => d.nocache = true,
                "panic" => d.panic = true,
                "zero" => d.zero = true,
                _ => unknown.push(word),
            },
            Some(("ir", pass)) => d.ir = Some(Some(pass.to_owned())),
            Some(("width", n)) => match n.parse() {
                Ok(n) => d.width = Some(n),
                Err(_) => unknown.push(word),
            },
            Some(("tier", "both")) => (d.quick, d.one_tier) = (false, false),
            Some(("tier", "quick")) => d.quick = true,
            Some(("tier", "full")) => d.one_tier = true,
            Some(("jam", n)) => match n.parse() {
                Ok(n) => d.jam = Some(n),
                Err(_) => unknown.push(word),
            },
            Some(_) => unknown.push(word),
        }
    }
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(format!("unknown words: {}", unknown.join(", ")))
    }
}

fn parse_model(v: &str, o: &mut Options) -> Result<(), String> {
    let m = &mut o.model;
    let mut unknown = Vec::new();
    for word in words(v) {
        match word {
            "quirks" => m.no_quirks = false,
            "noquirks" => m.no_quirks = true,
            "hwqueue" => m.hw_queues = Some(true),
            "nohwqueue" => m.hw_queues = Some(false),
            "async" => m.asynchronous = true,
            "resident" => m.strict_residency = true,
            "older" => m.older = true,
            "intel" => m.gpu = ModelGpu::Intel,
            other => {
                let (key, value) = other.split_once('=').unwrap_or((other, ""));
                match (key, value.parse::<u64>()) {
                    ("pending", Ok(us)) => m.pending = Some(Duration::from_micros(us)),
                    ("fail", Ok(nth)) => m.fail = Some(nth),
                    ("stop", Ok(nth)) => m.stop = Some(nth),
                    ("watchdog", Ok(ms)) => m.watchdog = Some(Duration::from_millis(ms)),
                    ("budget", _) => match parse_size(value) {
                        Some(bytes) => m.budget = Some(bytes),
                        None => unknown.push(word),
                    },
                    ("store", _) if !value.is_empty() => m.driver_store = Some(value.to_owned()),
                    _ => unknown.push(word),
                }
            }
        }
    }
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(format!("unknown words: {}", unknown.join(", ")))
    }
}

fn parse_size(v: &str) -> Option<u64> {
    let (digits, shift) = match v.as_bytes().last()? {
        b'K' | b'k' => (&v[..v.len() - 1], 10),
        b'M' | b'm' => (&v[..v.len() - 1], 20),
        b'G' | b'g' => (&v[..v.len() - 1], 30),
        _ => (v, 30),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn parse_version(v: &str) -> Option<u32> {
    let mut parts = v.split('.').map(|p| p.parse::<u32>().ok());
    let major = parts.next()??;
    let minor = parts.next()??;
    let patch = parts.next().unwrap_or(Some(0))?;
    (parts.next().is_none() && major == 1 && minor < 1024 && patch < 4096)
        .then(|| vk::make_api_version(0, major, minor, patch))
}

/// Reads the variables through `get`; problems go to `warn`.
fn read(get: impl Fn(&str) -> Option<String>, mut warn: impl FnMut(String)) -> Options {
    let mut options = Options::default();
    for v in VARIABLES {
        if let Some(value) = get(v.name) {
            if let Err(e) = (v.parse)(value.trim(), &mut options) {
                warn(format!("{}: {e} (understood: {})", v.name, v.values));
            }
        }
    }
    options
}

/// Whether the program runs with more rights than its caller has, so that the caller's environment must not count.
fn raised_privileges() -> bool {
    // SAFETY: getauxval only reads the process's own vector.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The process's options.
pub fn options() -> &'static Options {
    static OPTIONS: OnceLock<Options> = OnceLock::new();
    OPTIONS.get_or_init(|| {
        if raised_privileges() {
            return Options::default();
        }
        read(|name| std::env::var(name).ok(), |warning| eprintln!("vulkan-dxg: warning: {warning}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> (Options, Vec<String>) {
        let mut warnings = Vec::new();
        let options = read(|n| (n == name).then(|| value.to_owned()), |w| warnings.push(w));
        (options, warnings)
    }

    #[test]
    fn nothing_set_means_the_defaults() {
        let options = read(|_| None, |w| panic!("{w}"));
        assert_eq!(options, Options::default());
    }

    #[test]
    fn debug_words_are_understood_and_unknown_ones_named() {
        let (o, w) = with("VKDXG_DEBUG", "ioctl, ir=opt_gvn,width=8,jam=2");
        assert!(w.is_empty() && o.debug.ioctl && !o.debug.vm);
        assert_eq!(o.debug.ir, Some(Some("opt_gvn".to_owned())));
        assert_eq!((o.debug.width, o.debug.jam), (Some(8), Some(2)));
        let (o, _) = with("VKDXG_DEBUG", "");
        assert!(!o.debug.quick && !o.debug.one_tier);
        let (o, w) = with("VKDXG_DEBUG", "tier=quick,tiers");
        assert!(w.is_empty() && o.debug.quick && !o.debug.one_tier && o.debug.tiers);
        let (o, w) = with("VKDXG_DEBUG", "tier=full");
        assert!(w.is_empty() && !o.debug.quick && o.debug.one_tier);
        let (o, w) = with("VKDXG_DEBUG", "tier=both,tier=none");
        assert!(w.len() == 1 && !o.debug.quick && !o.debug.one_tier);
        let (o, w) = with("VKDXG_DEBUG", "asm,typo,width=x");
        assert!(o.debug.asm);
        assert_eq!(w.len(), 1);
        assert!(w[0].contains("typo, width=x"), "{}", w[0]);
    }

    #[test]
    fn model_switches() {
        let (o, w) = with("VKDXG_MODEL", "noquirks,pending=250,nohwqueue,async,watchdog=90,fail=7,budget=48M,resident");
        assert!(w.is_empty());
        assert_eq!(
            o.model,
            ModelSwitches {
                no_quirks: true,
                pending: Some(Duration::from_micros(250)),
                hw_queues: Some(false),
                asynchronous: true,
                watchdog: Some(Duration::from_millis(90)),
                fail: Some(7),
                budget: Some(48 << 20),
                strict_residency: true,
                ..ModelSwitches::default()
            }
        );
        let (o, w) = with("VKDXG_MODEL", "intel,store=/opt/store");
        assert!(w.is_empty());
        assert_eq!((o.model.gpu, o.model.driver_store.as_deref()), (ModelGpu::Intel, Some("/opt/store")));
        assert_eq!(with("VKDXG_MODEL", "store=").1.len(), 1);
        assert_eq!(with("VKDXG_MODEL", "pending=soon").1.len(), 1);
        assert_eq!(with("VKDXG_MODEL", "budget=much").1.len(), 1);
    }

    #[test]
    fn sizes_versions_and_nodes() {
        assert_eq!(with("MESA_SHADER_CACHE_MAX_SIZE", "3M").0.cache.max_size, Some(3 << 20));
        assert_eq!(with("MESA_SHADER_CACHE_MAX_SIZE", "2").0.cache.max_size, Some(2 << 30));
        assert_eq!(with("MESA_SHADER_CACHE_MAX_SIZE", "").1.len(), 1);
        assert_eq!(with("MESA_VK_VERSION_OVERRIDE", "1.2").0.version_override, Some(vk::API_VERSION_1_2));
        assert_eq!(with("MESA_VK_VERSION_OVERRIDE", "2.x").1.len(), 1);
        assert_eq!(with("VKDXG_NODE", "/dev/dxg").0.node, NodeChoice::Path("/dev/dxg".into()));
        assert_eq!(with("VKDXG_NODE", "kernel").1.len(), 1);
    }
}
