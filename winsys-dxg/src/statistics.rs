//! What the host counts, and who uses an adapter.

use crate::adapter::Adapter;
use crate::error::{Cause, Error, Result};
use dxg_abi::{
    Arg, ChangeVideoMemoryReservation, EnumProcesses, Errno, MemorySegmentGroup, QueryStatistics,
    QueryStatisticsResult, QueryStatisticsType,
};
use std::time::Duration;

/// What is counted of an adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdapterStatistics {
    /// Memory segments.
    pub segments: u32,
    /// Engines.
    pub nodes: u32,
    /// Times that an engine did not answer and was reset.
    pub timeouts: u32,
}

/// What is counted of a memory segment, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentStatistics {
    /// Most that can be committed.
    pub commit_limit: u64,
    /// Committed.
    pub committed: u64,
    /// Resident.
    pub resident: u64,
}

/// What is told of a process and a group of segments, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupStatistics {
    /// What the process may use.
    pub budget: u64,
    /// What it asked for.
    pub requested: u64,
    /// What it uses.
    pub usage: u64,
}

/// What a result is filled with before the question: an unknown adapter is not reported, and leaves it.
const UNTOUCHED: u8 = 0xa5;

/// A list that keeps growing is asked for so often.
const ATTEMPTS: usize = 8;

impl Adapter {
    fn statistics_of(&self, kind: QueryStatisticsType, element: u32) -> Result<QueryStatisticsResult> {
        let untouched = QueryStatisticsResult { bytes: [UNTOUCHED; 776] };
        let mut arg =
            QueryStatistics { r#type: kind, adapter_luid: self.luid(), result: untouched, ..Default::default() };
        arg.query_element = element;
        self.call(&mut arg)?;
        if arg.result == untouched {
            return Err(Error::new(QueryStatistics::IOCTL, Cause::NoOutput));
        }
        Ok(arg.result)
    }

    /// Statistics of the adapter.
    ///
    /// # Errors
    /// Those of the request, as for all statistics.
    pub fn statistics(&self) -> Result<AdapterStatistics> {
        let r = self.statistics_of(QueryStatisticsType::ADAPTER, 0)?;
        Ok(AdapterStatistics { segments: word32(&r, 0), nodes: word32(&r, 4), timeouts: word32(&r, 16) })
    }

    /// Statistics of a memory segment.
    ///
    /// # Errors
    /// As above; [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) past the last segment.
    pub fn segment_statistics(&self, segment: u32) -> Result<SegmentStatistics> {
        let r = self.statistics_of(QueryStatisticsType::SEGMENT, segment)?;
        Ok(SegmentStatistics { commit_limit: word64(&r, 0), committed: word64(&r, 8), resident: word64(&r, 16) })
    }

    /// What is told of this process and a group of segments.
    ///
    /// # Errors
    /// As above.
    pub fn group_statistics(&self, group: MemorySegmentGroup) -> Result<GroupStatistics> {
        let r = self.statistics_of(QueryStatisticsType::PROCESS_SEGMENT_GROUP, group.0)?;
        Ok(GroupStatistics { budget: word64(&r, 0), requested: word64(&r, 8), usage: word64(&r, 16) })
    }

    /// How long an engine has been running commands.
    ///
    /// # Errors
    /// As above; [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) past the last engine.
    pub fn node_time(&self, ordinal: u32) -> Result<Duration> {
        let r = self.statistics_of(QueryStatisticsType::NODE, ordinal)?;
        // In units of 100 ns.
        Ok(Duration::from_nanos(word64(&r, 0).saturating_mul(100)))
    }

    /// The processes that use the adapter, by their numbers here.
    ///
    /// # Errors
    /// Those of the request.
    pub fn processes(&self) -> Result<Vec<u32>> {
        let mut list = vec![0u32; 16];
        for _ in 0..ATTEMPTS {
            let mut arg = EnumProcesses {
                adapter_luid: self.luid(),
                buffer: list.as_mut_ptr() as u64,
                buffer_count: list.len() as u64,
            };
            let result = self.call(&mut arg);
            // Only the low half is written.
            let count = arg.buffer_count as u32 as usize;
            match result {
                Ok(_) => {
                    list.truncate(count);
                    return Ok(list);
                }
                Err(e) if e.cause == Cause::Errno(Errno::EOVERFLOW) && count > list.len() => {
                    list.resize(count.min(1 << 20) + 16, 0);
                }
                Err(e) => return Err(e),
            }
        }
        Err(Error::argument("processes keep coming"))
    }

    /// Reserves memory for this process: a wish that the host honours when it sets budgets.
    ///
    /// # Errors
    /// Those of the request; [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for more than can be reserved.
    pub fn reserve_video_memory(&self, group: MemorySegmentGroup, bytes: u64) -> Result<()> {
        let mut arg = ChangeVideoMemoryReservation {
            adapter: self.handle(),
            memory_segment_group: group,
            reservation: bytes,
            ..Default::default()
        };
        self.call(&mut arg).map(drop)
    }
}

fn word32(r: &QueryStatisticsResult, at: usize) -> u32 {
    r.bytes[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
}

fn word64(r: &QueryStatisticsResult, at: usize) -> u64 {
    r.bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}
