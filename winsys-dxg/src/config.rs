//! What a client decides about the window system.

use std::time::Duration;

/// Where paging work is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PagingWait {
    /// The queue waits before its next submission; the caller does not block.
    #[default]
    Gpu,
    /// The submitting thread waits. For kernels whose GPU-side wait is broken.
    Cpu,
}

/// Which kind of queue is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueuePreference {
    /// A hardware queue where the adapter schedules in hardware.
    #[default]
    Auto,
    /// A context scheduled by software, always.
    Software,
}

/// Settings of a [`Winsys`](crate::Winsys).
#[derive(Clone, Debug)]
pub struct WinsysConfig {
    /// Where paging work is waited for.
    pub paging_wait: PagingWait,
    /// Which kind of queue is made.
    pub queues: QueuePreference,
    /// How long a wait looks at the fence's page before it asks the system to sleep.
    pub spin: Duration,
    /// Largest single allocation, bytes; larger memory is made of several. A multiple of
    /// 64 KiB; at most 1 GiB can be locked on every kernel.
    pub max_allocation: u64,
    /// How often a sleeping wait looks at the device's state.
    pub lost_check: Duration,
}

impl Default for WinsysConfig {
    fn default() -> Self {
        Self {
            paging_wait: PagingWait::Gpu,
            queues: QueuePreference::Auto,
            spin: Duration::from_micros(20),
            max_allocation: 1 << 30,
            lost_check: Duration::from_secs(1),
        }
    }
}
