//! GPU memory for the driver's own use: descriptor sets, kernels, commands, queries, events. Small pieces share slabs.

use crate::error::{Error, Result};
use crate::gpu::{Gpu, GpuProps};
use crate::lock::lock;
use crate::memory::backing;
use crate::range_alloc::RangeAlloc;
use ash::vk;
use std::sync::{Arc, Mutex};
use winsys_dxg::Memory;
use winsys_dxg::VaPlacement;

/// Bytes of a slab; larger pieces have their own.
const SLAB: u64 = 1 << 20;

/// One allocation of the window system, cut into pieces.
#[derive(Debug)]
struct Slab {
    memory: Memory,
    /// Last in the lock order.
    ranges: Mutex<RangeAlloc>,
}

/// Hands out pieces of GPU memory that the CPU sees.
#[derive(Debug)]
pub(crate) struct Heap {
    device: winsys_dxg::Device,
    gpu: Arc<dyn Gpu>,
    memory_type: u32,
    /// Lock order: before the slabs' own.
    slabs: Mutex<Vec<Arc<Slab>>>,
}

/// The memory type the driver's own data goes to: seen and cached by the CPU, and near the GPU if there is such a type.
pub(crate) fn internal_memory_type(props: &GpuProps) -> Option<u32> {
    use vk::MemoryPropertyFlags as P;
    let usable = P::HOST_VISIBLE | P::HOST_COHERENT;
    let best = [usable | P::HOST_CACHED | P::DEVICE_LOCAL, usable | P::DEVICE_LOCAL, usable | P::HOST_CACHED, usable];
    best.iter()
        .find_map(|want| props.memory_types.iter().position(|t| t.flags.contains(*want)))
        .and_then(|i| u32::try_from(i).ok())
}

impl Heap {
    pub fn new(device: winsys_dxg::Device, gpu: Arc<dyn Gpu>, memory_type: u32) -> Heap {
        Heap { device, gpu, memory_type, slabs: Mutex::new(Vec::new()) }
    }

    /// A piece of `size` bytes (at least 1) at a multiple of `align`, a power of two of at most 4096. Its content is undefined.
    pub fn alloc(&self, size: u64, align: u64) -> Result<Block> {
        let size = size.max(1);
        let align = align.clamp(1, 4096);
        if size <= SLAB / 4 {
            let mut slabs = lock(&self.slabs);
            for slab in slabs.iter() {
                if let Ok(offset) = lock(&slab.ranges).alloc(size, align) {
                    return Ok(Block { slab: slab.clone(), offset, size });
                }
            }
            // All are full: before making another, let go of what is unused; at most one such slab can have been of no use here.
            slabs.retain(|slab| !lock(&slab.ranges).is_unused());
            slabs.try_reserve(1)?;
            let slab = Arc::new(self.slab(SLAB)?);
            slabs.push(slab.clone());
            drop(slabs);
            let offset = lock(&slab.ranges).alloc(size, align).map_err(|_| Error::OutOfDeviceMemory)?;
            return Ok(Block { slab, offset, size });
        }
        let slab = Arc::new(self.slab(size)?);
        let offset = lock(&slab.ranges).alloc(size, align).map_err(|_| Error::OutOfDeviceMemory)?;
        Ok(Block { slab, offset, size })
    }

    fn slab(&self, size: u64) -> Result<Slab> {
        let memory = backing::create(&self.device, &*self.gpu, self.memory_type, size, VaPlacement::Any, true)?;
        Ok(Slab { memory, ranges: Mutex::new(RangeAlloc::new(size)) })
    }
}

/// A piece of GPU memory. Accesses outside of it, which the callers never make, do nothing and read zeros.
#[derive(Debug)]
pub(crate) struct Block {
    slab: Arc<Slab>,
    offset: u64,
    size: u64,
}

impl Block {
    /// GPU address of the first byte.
    pub fn address(&self) -> u64 {
        self.slab.memory.gpu_va() + self.offset
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    #[inline]
    fn place(&self, offset: u64, len: u64) -> Option<u64> {
        let fits = offset.checked_add(len).is_some_and(|end| end <= self.size);
        debug_assert!(fits, "access outside of a block");
        fits.then(|| self.offset + offset)
    }

    /// Copies bytes in.
    #[inline]
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        if let Some(at) = self.place(offset, bytes.len() as u64) {
            let done = self.slab.memory.write(at, bytes);
            debug_assert!(done.is_ok(), "driver memory is visible to the CPU");
        }
    }

    /// Stores pairs of 64-bit words, low bytes first, from `offset` on, `stride` bytes apart.
    #[inline]
    pub fn write_pairs(&self, offset: u64, stride: u32, pairs: impl ExactSizeIterator<Item = [u64; 2]>) {
        let between = (pairs.len() as u64).saturating_sub(1).saturating_mul(u64::from(stride));
        if let Some(at) = self.place(offset, between.saturating_add(16)) {
            let done = self.slab.memory.write_pairs(at, stride as usize, pairs);
            debug_assert!(done.is_ok(), "driver memory is visible to the CPU");
        }
    }

    /// Copies bytes out.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) {
        if let Some(at) = self.place(offset, bytes.len() as u64) {
            let done = self.slab.memory.read(at, bytes);
            debug_assert!(done.is_ok(), "driver memory is visible to the CPU");
        }
    }

    /// Stores zeros.
    pub fn fill_zero(&self, offset: u64, len: u64) {
        if let Some(at) = self.place(offset, len) {
            let done = self.slab.memory.fill(at, len, 0);
            debug_assert!(done.is_ok(), "driver memory is visible to the CPU");
        }
    }

    /// Loads a 32-bit word, ordered before everything after.
    pub fn load_u32(&self, offset: u64) -> u32 {
        self.place(offset, 4).and_then(|at| self.slab.memory.load_u32(at).ok()).unwrap_or(0)
    }

    /// Stores a 32-bit word, ordered after everything before.
    pub fn store_u32(&self, offset: u64, value: u32) {
        if let Some(at) = self.place(offset, 4) {
            let done = self.slab.memory.store_u32(at, value);
            debug_assert!(done.is_ok(), "driver memory is visible to the CPU");
        }
    }

    /// Loads a 64-bit word, ordered before everything after.
    pub fn load_u64(&self, offset: u64) -> u64 {
        self.place(offset, 8).and_then(|at| self.slab.memory.load_u64(at).ok()).unwrap_or(0)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let released = lock(&self.slab.ranges).release(self.offset, self.size);
        debug_assert!(released.is_ok(), "a block is released once");
    }
}
