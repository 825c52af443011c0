//! Fences of the window system that other processes can see.

use crate::device::Device;
use crate::error::Result;
use crate::point::Point;
use std::sync::Arc;
use winsys_dxg::{Fence, FenceDesc};

/// A shared monitored fence with the values it was asked to reach.
#[derive(Debug)]
pub(crate) struct SharedCounter {
    fence: Arc<Fence>,
    last: u64,
}

impl SharedCounter {
    pub fn new(device: &Device) -> Result<SharedCounter> {
        let desc = FenceDesc { initial: 0, shared: true, engine_affinity: 0 };
        Ok(SharedCounter { fence: Arc::new(Fence::create(device.winsys(), &desc)?), last: 0 })
    }

    /// The next point to signal.
    pub fn next(&mut self) -> Point {
        self.last += 1;
        Point { fence: self.fence.clone(), value: self.last }
    }
}
