//! Buffers whose offsets come with the bind: what a set keeps of them beside its memory.

use crate::gpu::DynamicBuffer;
use std::sync::atomic::{AtomicU64, Ordering};

/// One such buffer. Different descriptors of a set may be written by several threads at once; one that is written while it is
/// read, which applications have to prevent, gives a mixture of both.
#[derive(Debug, Default)]
pub(crate) struct DynamicCell {
    address: AtomicU64,
    size: AtomicU64,
}

impl DynamicCell {
    /// What it holds.
    pub fn get(&self) -> DynamicBuffer {
        DynamicBuffer { address: self.address.load(Ordering::Relaxed), size: self.size.load(Ordering::Relaxed) }
    }

    /// Replaces it.
    pub fn set(&self, buffer: DynamicBuffer) {
        self.address.store(buffer.address, Ordering::Relaxed);
        self.size.store(buffer.size, Ordering::Relaxed);
    }
}
