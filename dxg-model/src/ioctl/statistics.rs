//! Escapes, statistics, clocks, processes, features.

use core::sync::atomic::Ordering;

use dxg_abi::zerocopy::IntoBytes;
use dxg_abi::{
    BuildTestCommandBuffer, EnumProcesses, Escape, EscapeFlags, EscapeType, FeatureId, GpuClockData, Ioctl,
    IsFeatureEnabled, IsFeatureEnabledFlags, IsFeatureEnabledResult, KnownEscapeType, NtStatus, QueryClockCalibration,
    QueryStatistics, QueryStatisticsResult, QueryStatisticsType, MAX_TEST_BUFFER_PRIVATE_DATA_SIZE,
    MAX_TEST_BUFFER_SIZE, PRIVATE_DATA_MAX,
};

use crate::process::{Answer, Failure, Process};
use crate::usermem;

pub(super) fn escape(p: &Process, a: &mut Escape) -> Answer {
    p.adapter(a.adapter)?;
    if a.priv_drv_data_size > PRIVATE_DATA_MAX {
        return Err(Failure::EINVAL);
    }
    let mut data = super::private_data(a.priv_drv_data, a.priv_drv_data_size)?;
    let private = a.r#type == EscapeType::DRIVERPRIVATE;
    if private && a.flags.contains(EscapeFlags::DRIVER_KNOWN_ESCAPE) {
        let word = data.first_chunk::<4>().ok_or(Failure::EINVAL)?;
        match KnownEscapeType(u32::from_le_bytes(*word)) {
            // Handles are the host's already.
            KnownEscapeType::TRANSLATEALLOCATIONHANDLE | KnownEscapeType::TRANSLATERESOURCEHANDLE => return Ok(0),
            KnownEscapeType::BUILDTESTCOMMANDBUFFER => check_test_buffer(&data)?,
            // All others go to the driver as they are.
            KnownEscapeType(_) => {}
        }
    }
    p.mute_host(Ioctl::Escape)?;
    if !private || !p.engine.escape(&mut data) {
        return Err(Failure::EOVERFLOW);
    }
    // Not EFAULT.
    usermem::copy_out(a.priv_drv_data, &data).map_err(|_| Failure::EINVAL)?;
    Ok(0)
}

/// Sizes of the buffers that a test command is built into.
fn check_test_buffer(data: &[u8]) -> Result<(), Failure> {
    use dxg_abi::zerocopy::FromBytes;
    let (t, _) = BuildTestCommandBuffer::read_from_prefix(data).map_err(|_| Failure::EINVAL)?;
    let bad = t.dma_buffer_size < 4
        || t.dma_buffer_size > MAX_TEST_BUFFER_SIZE
        || t.dma_buffer_priv_data_size > MAX_TEST_BUFFER_PRIVATE_DATA_SIZE;
    if bad {
        Err(Failure::EINVAL)
    } else {
        Ok(())
    }
}

pub(super) fn query(p: &Process, a: &mut QueryStatistics) -> Answer {
    if a.process != 0 && a.process != u64::from(p.pid) {
        return Err(Failure::EINVAL);
    }
    if a.adapter_luid != p.luid {
        // An unknown LUID goes unnoticed.
        return if p.config.quirks { Ok(0) } else { Err(Failure::EINVAL) };
    }
    p.host(Ioctl::QueryStatistics)?;
    let mut out = QueryStatisticsResult::default();
    statistics(p, a, &mut out.bytes)?;
    a.result = out;
    Ok(0)
}

/// Fills in what there is to tell; the rest is zeros.
fn statistics(p: &Process, a: &QueryStatistics, out: &mut [u8; 776]) -> Result<(), Failure> {
    let mut put = |at: usize, value: u64| {
        if let Some(slot) = out.get_mut(at..at + 8) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
    };
    let nodes = p.nodes.len() as u64;
    let invalid = || Err(NtStatus::INVALID_PARAMETER.into());
    match a.r#type {
        QueryStatisticsType::ADAPTER => {
            // Segments and nodes; timeouts.
            put(0, 1 | nodes << 32);
            put(16, u64::from(p.timeouts.load(Ordering::Relaxed)));
        }
        QueryStatisticsType::PROCESS => put(0, nodes),
        QueryStatisticsType::PROCESS_ADAPTER => put(0, 1 | nodes << 32),
        // There is one segment.
        QueryStatisticsType::SEGMENT | QueryStatisticsType::PROCESS_SEGMENT if a.query_element != 0 => {
            return invalid()
        }
        QueryStatisticsType::SEGMENT => {
            // Commit limit, bytes committed, bytes resident.
            put(0, p.residency.budget);
            put(8, p.committed());
            put(16, p.residency.usage());
        }
        QueryStatisticsType::PROCESS_SEGMENT => put(0, p.committed()),
        QueryStatisticsType::NODE | QueryStatisticsType::PROCESS_NODE => {
            let Some(node) = p.nodes.get(a.query_element as usize) else { return invalid() };
            // Time spent with command buffers, 100 ns.
            put(0, node.busy_time().as_nanos() as u64 / 100);
        }
        QueryStatisticsType::PROCESS_SEGMENT_GROUP => {
            let usage = p.residency.usage_by_group();
            let Some(used) = usage.get(a.query_element as usize) else { return invalid() };
            let local = a.query_element == 0;
            // Budget, requested, usage.
            put(0, if local { p.residency.budget } else { p.residency.budget.saturating_sub(usage[0]) });
            put(8, if local { p.residency.reservation() } else { 0 });
            put(16, *used);
        }
        QueryStatisticsType::PHYSICAL_ADAPTER if a.query_element != 0 => return invalid(),
        // No clocks, no fans.
        QueryStatisticsType::PHYSICAL_ADAPTER => {}
        // There is no display, so every source is one too many; and kinds of the other side's making.
        QueryStatisticsType(_) => return invalid(),
    }
    Ok(())
}

pub(super) fn clock_calibration(p: &Process, a: &mut QueryClockCalibration) -> Answer {
    p.adapter(a.adapter)?;
    p.host(Ioctl::QueryClockCalibration)?;
    let (node, adapter) = (a.node_ordinal, a.physical_adapter_index);
    if node as usize >= p.nodes.len() || adapter != 0 {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    let clock = p.engine.clock();
    a.clock_data = GpuClockData {
        gpu_frequency: clock.frequency,
        gpu_clock_counter: clock.gpu_counter,
        cpu_clock_counter: clock.cpu_counter,
        flags: Default::default(),
    };
    Ok(0)
}

pub(super) fn processes(p: &Process, a: &mut EnumProcesses) -> Answer {
    if a.adapter_luid != p.luid {
        return Err(Failure::EINVAL);
    }
    // This process, if it has the adapter open.
    let count = u32::from(crate::lock::lock(&p.adapters).len() > 0);
    let room = a.buffer_count;
    // Only the low half of the count is written.
    if let Some(low) = a.buffer_count.as_mut_bytes().first_chunk_mut::<4>() {
        *low = count.to_ne_bytes();
    }
    if a.buffer == 0 || room < u64::from(count) {
        return Err(Failure::EOVERFLOW);
    }
    if count == 1 {
        usermem::write_object(a.buffer, &p.pid)?;
    }
    Ok(0)
}

pub(super) fn feature(p: &Process, a: &mut IsFeatureEnabled) -> Answer {
    p.adapter(a.adapter)?;
    p.host(Ioctl::IsFeatureEnabled)?;
    let hw = p.config.hw_queues && p.engine.identity().hw_scheduling;
    a.result = match a.feature_id {
        FeatureId::HWSCH => {
            let known = IsFeatureEnabledFlags::KNOWN_FEATURE;
            let on = IsFeatureEnabledFlags::ENABLED
                | IsFeatureEnabledFlags::SUPPORTED_BY_DRIVER
                | IsFeatureEnabledFlags::SUPPORTED_ON_CONFIG;
            IsFeatureEnabledResult { version: 1, value: known.set(on, hw) }
        }
        // Not known, and so not enabled.
        FeatureId(_) => IsFeatureEnabledResult::default(),
    };
    Ok(0)
}
