//! How the model behaves where real systems differ.

use std::time::Duration;

/// Whether paging operations finish at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// They return 0 and are complete.
    Never,
    /// They return 0x103 and complete after a delay from `min..=max`, drawn from a generator
    /// seeded with `seed`. A mapping cannot be used before that.
    Always {
        /// Shortest delay.
        min: Duration,
        /// Longest delay.
        max: Duration,
        /// Seed of the delays.
        seed: u64,
    },
}

/// Configuration of a model.
#[derive(Clone, Debug)]
pub struct Config {
    /// Reproduce the oddities of the guest driver that a client has to live with. When off, the
    /// calls behave as their description suggests.
    pub quirks: bool,
    /// Fire-and-forget mode: submissions, signals and GPU waits return 0 before the host has
    /// looked at them.
    pub asynchronous: bool,
    /// Whether paging operations are pending.
    pub pending: Pending,
    /// Whether the host sends a status with adapter queries (protocol 40 and later). Without it a
    /// refused query is EOVERFLOW.
    pub query_status: bool,
    /// Bytes that may be resident at once; `None` for what the adapter's identity says.
    pub budget: Option<u64>,
    /// Whether memory has to be resident wherever an engine asks if it may access it, rather than for command buffers alone: finds
    /// clients that do not keep what they use.
    pub strict_residency: bool,
    /// Folder of the driver package in the host's driver store, as queries of the registry answer it; `None` for a host without a
    /// package, as behind a GPU in software.
    pub driver_store: Option<String>,
    /// Highest ioctl number: 0x49 on current kernels, 0x43 or 0x47 on older ones.
    pub table_end: u8,
    /// Whether the requests about sync files are answered, with stand-ins that only clients of models can use and everybody can
    /// poll. Off, they are as absent as on an older kernel: a client that offers sync files to others must not have these.
    pub sync_files: bool,
    /// Whether the machine has a compute-only adapter beside the GPU: it is listed and can be opened, and is good for nothing
    /// else. (An adapter is what enumeration counts and filters by, so the filters need one to be seen.)
    pub compute_only: bool,
    /// Whether hardware queues can be made, if the engine has them.
    pub hw_queues: bool,
    /// Longest run of one command buffer before its device is declared hung; `None` for no limit.
    pub watchdog: Option<Duration>,
    /// How long an idle node looks for work before it sleeps. `None` chooses by the number of
    /// processors.
    pub spin: Option<Duration>,
    /// Address space to reserve, bytes; less is taken if the system refuses.
    pub address_space: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            quirks: true,
            asynchronous: false,
            pending: Pending::Never,
            query_status: true,
            budget: None,
            strict_residency: false,
            driver_store: None,
            table_end: dxg_abi::IOCTL_NR_MAX,
            sync_files: false,
            compute_only: false,
            hw_queues: true,
            watchdog: Some(Duration::from_secs(60)),
            spin: None,
            address_space: 4 << 40,
        }
    }
}

impl Config {
    /// How long an idle node looks for work, given the configuration and the machine.
    pub(crate) fn spin_time(&self) -> Duration {
        self.spin.unwrap_or_else(|| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            Duration::from_micros(match cores {
                1 => 0,
                2..=3 => 20,
                _ => 50,
            })
        })
    }
}
