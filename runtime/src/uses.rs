//! Which memory a submission uses: found out only when there is not room for all of the device's memory.
//!
//! Recording notes nothing for it. When it matters, the packets of the command buffers and the descriptor sets that they name
//! are looked through for addresses ([`Gpu::addresses`]), and memory that one of these lies in counts as used. What is
//! used in ways that do not show there is *pinned* and stays with the GPU: memory of buffers whose address applications can ask for,
//! memory bound to sparse resources, and everything where descriptors lie in memory of the application.

use crate::command::CommandBuffer;
use crate::descriptor_pool::DescriptorPool;
use crate::gpu::Gpu;
use crate::lock::lock;
use crate::memory::Memory;
use std::sync::{Arc, Mutex, Weak};

/// The memory and the descriptor pools of a device.
#[derive(Debug, Default)]
pub(crate) struct UseRegistry {
    memory: Mutex<List<Memory>>,
    pools: Mutex<List<DescriptorPool>>,
}

#[derive(Debug)]
struct List<T> {
    items: Vec<Weak<T>>,
    /// Items after which those that are gone are dropped.
    limit: usize,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List { items: Vec::new(), limit: 64 }
    }
}

impl<T> List<T> {
    fn push(&mut self, item: &Arc<T>) {
        if self.items.len() >= self.limit {
            self.items.retain(|i| i.strong_count() > 0);
            self.limit = 2 * self.items.len() + 64;
        }
        self.items.push(Arc::downgrade(item));
    }

    fn live(&self) -> Vec<Arc<T>> {
        self.items.iter().filter_map(Weak::upgrade).collect()
    }
}

impl UseRegistry {
    pub fn add_memory(&self, memory: &Arc<Memory>) {
        lock(&self.memory).push(memory);
    }

    pub fn add_pool(&self, pool: &Arc<DescriptorPool>) {
        lock(&self.pools).push(pool);
    }

    /// The memory that command buffers use, besides what is pinned; `None` if that cannot be told.
    pub fn of(&self, gpu: &dyn Gpu, buffers: &[&CommandBuffer]) -> Option<Vec<Arc<Memory>>> {
        let mut known = true;
        let mut named = Vec::new();
        for buffer in buffers {
            buffer.contents(&mut |bytes| known &= gpu.addresses(bytes, &mut named));
        }
        named.sort_unstable();
        named.dedup();
        let mut all = named.clone();
        let pools = lock(&self.pools).live();
        for pool in pools {
            pool.contents(&|address| named.binary_search(&address).is_ok(), &mut |bytes| {
                known &= gpu.addresses(bytes, &mut all);
            });
        }
        if !known {
            return None;
        }
        all.sort_unstable();
        all.dedup();
        let used = |m: &Arc<Memory>| {
            let first = all.partition_point(|a| *a < m.address());
            all.get(first).is_some_and(|a| a - m.address() < m.size())
        };
        Some(lock(&self.memory).live().into_iter().filter(used).collect())
    }
}
