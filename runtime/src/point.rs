//! Points: values of monitored fences, which is what all synchronisation comes down to.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};
use winsys_dxg::{Fence, FencePoint, WaitMode, WaitOutcome};

/// A value that a monitored fence will reach.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub fence: Arc<Fence>,
    pub value: u64,
}

impl Point {
    /// Whether it is reached: one load.
    pub fn is_reached(&self) -> Result<bool> {
        Ok(self.fence.is_reached(self.value)?)
    }

    pub fn raw(&self) -> FencePoint<'_> {
        FencePoint { fence: &self.fence, value: self.value }
    }
}

/// When a wait ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    Never,
    At(Instant),
}

impl Deadline {
    /// A timeout in nanoseconds from now; `u64::MAX` and everything the clock cannot hold is never.
    pub fn after(timeout_ns: u64) -> Deadline {
        if timeout_ns == u64::MAX {
            return Deadline::Never;
        }
        Instant::now().checked_add(Duration::from_nanos(timeout_ns)).map_or(Deadline::Never, Deadline::At)
    }

    /// Time left; `None` for ever.
    pub fn left(self) -> Option<Duration> {
        match self {
            Deadline::Never => None,
            Deadline::At(at) => Some(at.saturating_duration_since(Instant::now())),
        }
    }
}

/// Waits for points. False: the time is up.
pub(crate) fn wait(points: &[FencePoint<'_>], mode: WaitMode, limit: Option<Duration>) -> Result<bool> {
    match Fence::wait_many(points, mode, limit) {
        Ok(WaitOutcome::Reached) => Ok(true),
        Ok(WaitOutcome::TimedOut) => Ok(false),
        Err(e) => Err(Error::from(e)),
    }
}
