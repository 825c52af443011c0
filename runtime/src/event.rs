//! Events: a 32-bit word in GPU memory, 1 when set.

use crate::device::Device;
use crate::error::Result;
use crate::heap::Block;
use std::sync::Arc;

/// A VkEvent.
#[derive(Debug)]
pub struct Event {
    device: Arc<Device>,
    word: Block,
}

impl Event {
    /// Makes an event that is not set.
    ///
    /// # Errors
    /// [`crate::Error::OutOfDeviceMemory`].
    pub fn new(device: &Arc<Device>) -> Result<Arc<Event>> {
        let word = device.heap().alloc(64, 64)?;
        word.store_u32(0, 0);
        Ok(Arc::new(Event { device: device.clone(), word }))
    }

    /// Whether it is set.
    ///
    /// # Errors
    /// [`crate::Error::DeviceLost`].
    pub fn status(&self) -> Result<bool> {
        if self.device.is_lost() {
            return Err(self.device.lost_error());
        }
        Ok(self.word.load_u32(0) != 0)
    }

    /// Sets it from the host.
    pub fn set(&self) {
        self.word.store_u32(0, 1);
    }

    /// Resets it from the host.
    pub fn reset(&self) {
        self.word.store_u32(0, 0);
    }

    /// GPU address of the word.
    pub fn address(&self) -> u64 {
        self.word.address()
    }
}
