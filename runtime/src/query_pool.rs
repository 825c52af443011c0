//! Query pools: a pair of 64-bit words (value, availability) per query in GPU memory.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::heap::Block;
use ash::vk;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of a query.
pub(crate) const QUERY_BYTES: u64 = 16;

/// How long a wait for results goes on when there is nothing left that could write them.
const IDLE_PATIENCE: Duration = Duration::from_secs(5);

/// A VkQueryPool.
#[derive(Debug)]
pub struct QueryPool {
    device: Arc<Device>,
    memory: Block,
    ty: vk::QueryType,
    statistics: vk::QueryPipelineStatisticFlags,
    count: u32,
}

impl QueryPool {
    /// Makes a pool. Timestamps and compute invocations are what compute queues write; occlusion queries can be made and
    /// count nothing, and so can statistics of other stages.
    ///
    /// # Errors
    /// [`Error::FeatureNotPresent`] for other types; [`Error::OutOfDeviceMemory`].
    pub fn new(
        device: &Arc<Device>,
        ty: vk::QueryType,
        count: u32,
        statistics: vk::QueryPipelineStatisticFlags,
    ) -> Result<Arc<QueryPool>> {
        let statistics = match ty {
            vk::QueryType::TIMESTAMP | vk::QueryType::OCCLUSION => vk::QueryPipelineStatisticFlags::empty(),
            vk::QueryType::PIPELINE_STATISTICS if device.props().features.invocation_count => statistics,
            _ => return Err(Error::FeatureNotPresent("query type")),
        };
        let bytes = QUERY_BYTES * u64::from(count.max(1));
        let memory = device.heap().alloc(bytes, 64)?;
        memory.fill_zero(0, bytes);
        Ok(Arc::new(QueryPool { device: device.clone(), memory, ty, statistics, count }))
    }

    /// Type.
    pub fn ty(&self) -> vk::QueryType {
        self.ty
    }

    /// Number of queries.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether its queries count invocations of compute kernels. Bits of stages before compute come first in a result, so a pool
    /// that has some has zeros before its count; no command of a compute queue may begin such a query.
    pub(crate) fn counts_invocations(&self) -> bool {
        self.statistics == vk::QueryPipelineStatisticFlags::COMPUTE_SHADER_INVOCATIONS
    }

    /// Words of a result before its availability.
    pub(crate) fn values(&self) -> u32 {
        self.statistics.as_raw().count_ones().max(1)
    }

    /// GPU address of a query.
    pub(crate) fn address(&self, query: u32) -> u64 {
        self.memory.address().wrapping_add(QUERY_BYTES.wrapping_mul(u64::from(query)))
    }

    /// The queries of `first..first + count` that exist.
    fn clip(&self, first: u32, count: u32) -> (u32, u32) {
        let first = first.min(self.count);
        (first, count.min(self.count - first))
    }

    /// Resets queries from the host.
    pub fn reset(&self, first: u32, count: u32) {
        let (first, count) = self.clip(first, count);
        self.memory.fill_zero(QUERY_BYTES * u64::from(first), QUERY_BYTES * u64::from(count));
    }

    /// Copies results out. False: some are not available (and `WAIT` was not asked for).
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn results(
        &self,
        first: u32,
        count: u32,
        out: &mut [u8],
        stride: u64,
        flags: vk::QueryResultFlags,
    ) -> Result<bool> {
        let (first, count) = self.clip(first, count);
        let wide = flags.contains(vk::QueryResultFlags::TYPE_64);
        let word = if wide { 8 } else { 4 };
        let mut ready = true;
        let put = |out: &mut [u8], at: usize, value: u64| {
            let bytes = value.to_le_bytes();
            if let Some(place) = at.checked_add(word).and_then(|end| out.get_mut(at..end)) {
                place.copy_from_slice(&bytes[..word]);
            }
        };
        for i in 0..count {
            let query = QUERY_BYTES * u64::from(first + i);
            let mut available = self.memory.load_u64(query + 8) != 0;
            if !available && flags.contains(vk::QueryResultFlags::WAIT) {
                available = self.wait(query)?;
            }
            let Some(at) = usize::try_from(u64::from(i).wrapping_mul(stride)).ok() else { break };
            let values = self.values() as usize;
            ready &= available;
            if available || flags.contains(vk::QueryResultFlags::PARTIAL) {
                for v in 0..values {
                    let value = if available && v == 0 { self.memory.load_u64(query) } else { 0 };
                    put(out, at.saturating_add(v * word), value);
                }
            }
            if flags.contains(vk::QueryResultFlags::WITH_AVAILABILITY) {
                put(out, at.saturating_add(values * word), u64::from(available));
            }
        }
        if !ready {
            self.device.check()?;
        }
        Ok(ready)
    }

    /// Waits until a query is available. The wait ends without that when nothing has been running for a while: nobody is going to
    /// write it.
    fn wait(&self, query: u64) -> Result<bool> {
        let mut idle_since: Option<Instant> = None;
        let mut rounds = 0u32;
        loop {
            if self.memory.load_u64(query + 8) != 0 {
                return Ok(true);
            }
            rounds = rounds.saturating_add(1);
            if rounds < 64 {
                std::thread::yield_now();
                continue;
            }
            std::thread::sleep(Duration::from_micros(50));
            if rounds & 63 == 0 {
                self.device.check()?;
            }
            if self.device.is_idle() {
                let since = *idle_since.get_or_insert_with(Instant::now);
                if since.elapsed() > IDLE_PATIENCE {
                    return Ok(false);
                }
            } else {
                idle_since = None;
            }
        }
    }
}
