//! Descriptor pools: one piece of GPU memory from which sets are cut.

use crate::descriptor_set::DescriptorSet;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::heap::Block;
use crate::lock::lock;
use crate::range_alloc::{NoRange, RangeAlloc};
use crate::set_layout::{mutable_stride, stride, DescriptorSetLayout};
use ash::vk;
use std::sync::{Arc, Mutex};

/// VkDescriptorPoolCreateInfo.
#[derive(Clone, Debug, Default)]
pub struct DescriptorPoolCreate {
    /// Flags.
    pub flags: vk::DescriptorPoolCreateFlags,
    /// Most sets at a time.
    pub max_sets: u32,
    /// Number of descriptors per type; bytes for inline uniform blocks.
    pub sizes: Vec<(vk::DescriptorType, u32)>,
    /// Most inline-uniform-block bindings at a time.
    pub max_inline_blocks: u32,
    /// For each entry of `sizes` that counts MUTABLE descriptors: the types they can become. An empty or missing list stands for
    /// any type.
    pub mutable_types: Vec<Vec<vk::DescriptorType>>,
}

/// One set to allocate.
#[derive(Clone, Debug)]
pub struct SetAllocate {
    /// Its layout.
    pub layout: Arc<DescriptorSetLayout>,
    /// Descriptors of the binding with a variable count, if the layout has one.
    pub variable_count: u32,
}

/// A VkDescriptorPool. It keeps its sets alive until they are freed, or the pool is reset or dropped.
#[derive(Debug)]
pub struct DescriptorPool {
    device: Arc<Device>,
    memory: Option<Arc<Block>>,
    create: DescriptorPoolCreate,
    /// Lock order: pool, before memory.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ranges: RangeAlloc,
    /// Sets by slot.
    sets: Vec<Option<Arc<DescriptorSet>>>,
    free_slots: Vec<u32>,
    live: u32,
}

/// Bytes that hold everything a pool is asked to hold, however its sets are cut.
fn pool_bytes(device: &Device, create: &DescriptorPoolCreate) -> Result<u64> {
    let gpu = &**device.gpu();
    let align = u64::from(gpu.props().descriptor_align.max(1));
    let mut bytes = 0u64;
    for (i, &(ty, count)) in create.sizes.iter().enumerate() {
        let stride = match ty {
            vk::DescriptorType::MUTABLE_EXT => mutable_stride(gpu, create.mutable_types.get(i).map_or(&[][..], |t| t)),
            _ => stride(gpu, ty),
        };
        // A type the GPU does not have: no set that uses it can have a layout.
        let Some(stride) = stride else { continue };
        bytes =
            bytes.checked_add(u64::from(stride).saturating_mul(u64::from(count))).ok_or(Error::OutOfDeviceMemory)?;
    }
    // Each inline block may leave a gap before the next binding.
    Ok(bytes.saturating_add(u64::from(create.max_inline_blocks) * align).next_multiple_of(align))
}

impl DescriptorPool {
    /// Makes a pool with all its memory.
    ///
    /// # Errors
    /// [`Error::OutOfDeviceMemory`], [`Error::OutOfHostMemory`].
    pub fn new(device: &Arc<Device>, create: &DescriptorPoolCreate) -> Result<Arc<DescriptorPool>> {
        let bytes = pool_bytes(device, create)?;
        let align = u64::from(device.props().descriptor_align.max(1));
        let memory = if bytes == 0 { None } else { Some(Arc::new(device.heap().alloc(bytes, align.max(64))?)) };
        let state = State { ranges: RangeAlloc::new(bytes), sets: Vec::new(), free_slots: Vec::new(), live: 0 };
        let pool = DescriptorPool { device: device.clone(), memory, create: create.clone(), state: Mutex::new(state) };
        let pool = Arc::new(pool);
        if pool.memory.is_some() {
            device.uses().add_pool(&pool);
        }
        Ok(pool)
    }

    /// Shows the memory of each set whose address is wanted.
    pub(crate) fn contents(&self, wanted: &dyn Fn(u64) -> bool, show: &mut dyn FnMut(&[u8])) {
        let state = lock(&self.state);
        let sets: Vec<Arc<DescriptorSet>> =
            state.sets.iter().flatten().filter(|s| wanted(s.address())).cloned().collect();
        drop(state);
        let mut bytes = Vec::new();
        for set in &sets {
            set.read(&mut bytes);
            show(&bytes);
        }
    }

    /// Allocates sets: all of them or none.
    ///
    /// # Errors
    /// [`Error::OutOfPoolMemory`] if the pool is full, [`Error::FragmentedPool`] if there is room, but not in one piece.
    pub fn allocate(&self, requests: &[SetAllocate]) -> Result<Vec<Arc<DescriptorSet>>> {
        let mut out = Vec::new();
        out.try_reserve(requests.len())?;
        let mut state = lock(&self.state);
        for request in requests {
            match self.allocate_one(&mut state, request) {
                Ok(set) => out.push(set),
                Err(e) => {
                    for set in &out {
                        self.free_one(&mut state, set);
                    }
                    return Err(e);
                }
            }
        }
        Ok(out)
    }

    fn allocate_one(&self, state: &mut State, request: &SetAllocate) -> Result<Arc<DescriptorSet>> {
        if state.live >= self.create.max_sets {
            return Err(Error::OutOfPoolMemory);
        }
        let size = request.layout.set_size(request.variable_count);
        let align = u64::from(self.device.props().descriptor_align.max(1));
        let offset = state.ranges.alloc(u64::from(size), align).map_err(|e| match e {
            NoRange::Full => Error::OutOfPoolMemory,
            NoRange::Fragmented => Error::FragmentedPool,
        })?;
        let slot = match state.free_slots.pop() {
            Some(slot) => slot,
            None => {
                state.sets.push(None);
                u32::try_from(state.sets.len() - 1).map_err(|_| Error::OutOfPoolMemory)?
            }
        };
        let made = DescriptorSet::new(
            &self.device,
            request.layout.clone(),
            self.memory.clone(),
            offset,
            size,
            request.variable_count,
            slot,
        );
        match made {
            Ok(set) => {
                let set = Arc::new(set);
                state.sets[slot as usize] = Some(set.clone());
                state.live += 1;
                Ok(set)
            }
            Err(e) => {
                state.free_slots.push(slot);
                // The range was handed out just now, so that it cannot be free already.
                let _ = state.ranges.release(offset, u64::from(size));
                Err(e)
            }
        }
    }

    fn free_one(&self, state: &mut State, set: &DescriptorSet) {
        let slot = set.slot();
        let owned = state.sets.get(slot as usize).and_then(|s| s.as_deref()).is_some_and(|s| std::ptr::eq(s, set));
        if !owned {
            return;
        }
        let (offset, size) = set.range();
        let _ = state.ranges.release(offset, u64::from(size));
        state.sets[slot as usize] = None;
        state.free_slots.push(slot);
        state.live -= 1;
    }

    /// Frees sets. Sets that are not of this pool are left alone.
    pub fn free(&self, sets: &[&DescriptorSet]) {
        let mut state = lock(&self.state);
        for set in sets {
            self.free_one(&mut state, set);
        }
    }

    /// Frees every set.
    pub fn reset(&self) {
        let mut state = lock(&self.state);
        state.sets.clear();
        state.free_slots.clear();
        state.live = 0;
        state.ranges = RangeAlloc::new(pool_bytes(&self.device, &self.create).unwrap_or(0));
    }

    /// Number of sets allocated.
    pub fn live(&self) -> u32 {
        lock(&self.state).live
    }
}
