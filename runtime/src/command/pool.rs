//! Command pools: they keep GPU memory of reset command buffers for the next ones.

use crate::command::CommandBuffer;
use crate::device::Device;
use crate::error::Result;
use crate::heap::Block;
use crate::lock::lock;
use ash::vk;
use std::sync::{Arc, Mutex, Weak};

/// A VkCommandPool.
#[derive(Debug)]
pub struct CommandPool {
    device: Arc<Device>,
    family: u32,
    flags: vk::CommandPoolCreateFlags,
    /// Chunks for reuse. Lock order: pool, before memory.
    free: Mutex<Vec<Block>>,
    /// Command buffers, for a reset of the pool.
    buffers: Mutex<Vec<Weak<CommandBuffer>>>,
}

impl CommandPool {
    /// Makes a pool for a queue family.
    ///
    /// # Errors
    /// None today: memory is taken when commands are recorded.
    pub fn new(device: &Arc<Device>, family: u32, flags: vk::CommandPoolCreateFlags) -> Result<Arc<CommandPool>> {
        Ok(Arc::new(CommandPool {
            device: device.clone(),
            family,
            flags,
            free: Mutex::new(Vec::new()),
            buffers: Mutex::new(Vec::new()),
        }))
    }

    /// Allocates a command buffer. It is freed when its last reference goes.
    ///
    /// # Errors
    /// [`crate::Error::OutOfHostMemory`].
    pub fn allocate(self: &Arc<Self>, level: vk::CommandBufferLevel) -> Result<Arc<CommandBuffer>> {
        let buffer = Arc::new(CommandBuffer::new(self, level));
        let mut buffers = lock(&self.buffers);
        buffers.try_reserve(1)?;
        if buffers.len() >= 64 && buffers.len() == buffers.capacity() {
            buffers.retain(|b| b.strong_count() > 0);
        }
        buffers.push(Arc::downgrade(&buffer));
        Ok(buffer)
    }

    /// Resets every command buffer; with `release` memory goes back to the device.
    pub fn reset(&self, release: bool) {
        let buffers: Vec<Arc<CommandBuffer>> = {
            let mut list = lock(&self.buffers);
            list.retain(|b| b.strong_count() > 0);
            list.iter().filter_map(Weak::upgrade).collect()
        };
        for buffer in buffers {
            buffer.reset_from_pool(release);
        }
        if release {
            self.trim();
        }
    }

    /// Gives unused memory back to the device.
    pub fn trim(&self) {
        lock(&self.free).clear();
    }

    /// Queue family.
    pub fn family(&self) -> u32 {
        self.family
    }

    /// Flags.
    pub fn flags(&self) -> vk::CommandPoolCreateFlags {
        self.flags
    }

    pub(crate) fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// A chunk of at least `size` bytes.
    pub(crate) fn take(&self, size: u64) -> Result<Block> {
        let found = {
            let mut free = lock(&self.free);
            let best =
                free.iter().enumerate().filter(|(_, b)| b.size() >= size).min_by_key(|(_, b)| b.size()).map(|(i, _)| i);
            best.map(|i| free.swap_remove(i))
        };
        match found {
            Some(block) => Ok(block),
            None => self.device.heap().alloc(size, 4096),
        }
    }

    /// Takes a chunk back.
    pub(crate) fn give(&self, block: Block) {
        let mut free = lock(&self.free);
        // Without host memory for the list the chunk simply goes back to the device.
        if free.try_reserve(1).is_ok() {
            free.push(block);
        }
    }
}
