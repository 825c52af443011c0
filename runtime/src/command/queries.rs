//! Query commands.

use crate::command::stream::Record;
use crate::command::CommandBuffer;
use crate::query_pool::QueryPool;
use ash::vk;

impl CommandBuffer {
    /// vkCmdResetQueryPool.
    pub fn reset_queries(&self, pool: &QueryPool, first: u32, count: u32) {
        self.record(|inner| inner.stream.push(Record::ResetQueries { first: pool.address(first), count }));
    }

    /// vkCmdBeginQuery. Of what can be counted, compute invocations exist here; no sample ever passes.
    pub fn begin_query(&self, pool: &QueryPool, query: u32) {
        if pool.counts_invocations() {
            self.record(|inner| inner.stream.push(Record::BeginStatistics { query: pool.address(query) }));
        }
    }

    /// vkCmdEndQuery.
    pub fn end_query(&self, pool: &QueryPool, query: u32) {
        let query = pool.address(query);
        let end = if pool.counts_invocations() {
            Record::EndStatistics { query }
        } else {
            Record::WriteQuery { query, value: 0 }
        };
        self.record(|inner| inner.stream.push(end));
    }

    /// vkCmdWriteTimestamp. The time is taken when everything before is finished, which is allowed for every stage.
    pub fn write_timestamp(&self, pool: &QueryPool, query: u32, _stages: vk::PipelineStageFlags2) {
        self.record(|inner| inner.stream.push(Record::WriteTimestamp { query: pool.address(query) }));
    }

    /// vkCmdCopyQueryPoolResultsToMemoryKHR.
    pub fn copy_query_results(
        &self,
        pool: &QueryPool,
        first: u32,
        count: u32,
        (dst, stride): (u64, u64),
        flags: vk::QueryResultFlags,
    ) {
        self.record(|inner| {
            let (first, values) = (pool.address(first), pool.values());
            inner.stream.push(Record::CopyQueryResults { first, count, dst, stride, flags, values })
        });
    }
}
