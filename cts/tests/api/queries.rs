//! Query pools.

use crate::support::*;
use ash::vk;
use vk::PipelineStageFlags as Stage;

tests! { reset_from_the_start, timestamps, copy_results, host_reset, availability, timestamps2, invocations }

unsafe fn pool(t: &T, n: u32) -> R<vk::QueryPool> {
    let info = vk::QueryPoolCreateInfo::default().query_type(vk::QueryType::TIMESTAMP).query_count(n);
    Ok(t.own(t.d.create_query_pool(&info, None)?))
}

unsafe fn valid_bits(t: &T) -> R<u32> {
    let families = t.instance().get_physical_device_queue_family_properties(t.physical);
    let bits = families[t.family as usize].timestamp_valid_bits;
    need!(bits > 0, "timestamps");
    Ok(bits)
}

/// Some work that takes a little while.
unsafe fn work(t: &T, c: vk::CommandBuffer, b: Buf) {
    for k in 0..20 {
        t.d.cmd_fill_buffer(c, b.h, 0, vk::WHOLE_SIZE, k);
        t.full_barrier(c);
    }
}

unsafe fn timestamps() -> R {
    let t = T::new(&[])?;
    valid_bits(&t)?;
    let q = pool(&t, 8)?;
    let b = t.buf(1 << 20)?;
    let start = std::time::Instant::now();
    t.now(|c| {
        t.d.cmd_reset_query_pool(c, q, 0, 8);
        for k in 0..8 {
            let stage = if k % 2 == 0 { Stage::TOP_OF_PIPE } else { Stage::BOTTOM_OF_PIPE };
            t.d.cmd_write_timestamp(c, stage, q, k);
            work(&t, c, b);
        }
    })?;
    let wall = start.elapsed().as_nanos() as f64;
    let mut got = [0u64; 8];
    t.d.get_query_pool_results(q, 0, &mut got, vk::QueryResultFlags::TYPE_64 | vk::QueryResultFlags::WAIT)?;
    let period = f64::from(t.props.limits.timestamp_period);
    // At the same stage time never runs backwards.
    for k in 2..8 {
        check!(got[k] >= got[k - 2], "{got:?}");
    }
    check!(got[7] > got[1], "no time passed: {got:?}");
    let span = (got[7] - got[0]) as f64 * period;
    check!(span <= wall * 1.5 + 1e6, "{span} ns on the device, {wall} ns on the host");
    Ok(())
}

unsafe fn timestamps2() -> R {
    let t = T::new(&[])?;
    valid_bits(&t)?;
    need!(t.features.v13.synchronization2 != 0, "synchronization2");
    let q = pool(&t, 3)?;
    let b = t.buf(65536)?;
    t.now(|c| {
        t.d.cmd_reset_query_pool(c, q, 0, 3);
        t.d.cmd_write_timestamp2(c, vk::PipelineStageFlags2::ALL_COMMANDS, q, 0);
        work(&t, c, b);
        t.d.cmd_write_timestamp2(c, vk::PipelineStageFlags2::ALL_TRANSFER, q, 1);
        work(&t, c, b);
        t.d.cmd_write_timestamp2(c, vk::PipelineStageFlags2::COMPUTE_SHADER, q, 2);
    })?;
    let mut got = [0u64; 3];
    t.d.get_query_pool_results(q, 0, &mut got, vk::QueryResultFlags::TYPE_64 | vk::QueryResultFlags::WAIT)?;
    check!(got[0] > 0 && got[1] >= got[0], "{got:?}");
    Ok(())
}

unsafe fn invocations() -> R {
    let t = T::new(&[])?;
    need!(t.features.core.pipeline_statistics_query != 0, "pipelineStatisticsQuery");
    let k = t.kernel(spv!("affine"), &[vk::DescriptorType::STORAGE_BUFFER], 16)?;
    let b = t.buf_of(&[1u32; 256])?;
    let set = t.set(k.set_layout, &[B::S(b)])?;
    let counts = t.buf_of(&[3u32, 1, 1])?;
    let info = vk::QueryPoolCreateInfo::default()
        .query_type(vk::QueryType::PIPELINE_STATISTICS)
        .query_count(3)
        .pipeline_statistics(vk::QueryPipelineStatisticFlags::COMPUTE_SHADER_INVOCATIONS);
    let q = t.own(t.d.create_query_pool(&info, None)?);
    t.now(|c| {
        t.d.cmd_reset_query_pool(c, q, 0, 3);
        t.bind(c, &k, set, &words(&[0, 256, 1, 1]));
        // Nothing between begin and end, then one dispatch, then an indirect one beside another that is not counted.
        t.d.cmd_begin_query(c, q, 0, vk::QueryControlFlags::empty());
        t.d.cmd_end_query(c, q, 0);
        t.d.cmd_begin_query(c, q, 1, vk::QueryControlFlags::empty());
        t.d.cmd_dispatch(c, 2, 1, 1);
        t.d.cmd_end_query(c, q, 1);
        t.full_barrier(c);
        t.d.cmd_dispatch(c, 1, 1, 1);
        t.full_barrier(c);
        t.d.cmd_begin_query(c, q, 2, vk::QueryControlFlags::empty());
        t.d.cmd_dispatch_indirect(c, counts.h, 0);
        t.d.cmd_end_query(c, q, 2);
    })?;
    let mut got = [0u64; 3];
    t.d.get_query_pool_results(q, 0, &mut got, vk::QueryResultFlags::TYPE_64 | vk::QueryResultFlags::WAIT)?;
    equal(&got, &[0, 2 * 64, 3 * 64])
}

unsafe fn copy_results() -> R {
    let t = T::new(&[])?;
    valid_bits(&t)?;
    let q = pool(&t, 6)?;
    let b = t.buf(1024)?;
    b.fill(0xee);
    use vk::QueryResultFlags as F;
    t.now(|c| {
        t.d.cmd_reset_query_pool(c, q, 0, 6);
        for k in 0..4 {
            t.d.cmd_write_timestamp(c, Stage::BOTTOM_OF_PIPE, q, k);
        }
        t.full_barrier(c);
        t.d.cmd_copy_query_pool_results(c, q, 0, 4, b.h, 0, 16, F::TYPE_64 | F::WAIT);
        t.d.cmd_copy_query_pool_results(c, q, 1, 3, b.h, 256, 8, F::WAIT | F::WITH_AVAILABILITY);
        // Two that were never written: only their availability.
        t.d.cmd_copy_query_pool_results(c, q, 4, 2, b.h, 512, 16, F::TYPE_64 | F::WITH_AVAILABILITY);
    })?;
    let mut host = [0u64; 4];
    t.d.get_query_pool_results(q, 0, &mut host, F::TYPE_64 | F::WAIT)?;
    let got = b.get::<u64>();
    for (k, h) in host.iter().enumerate() {
        same!(got[k * 2], *h, "(query {k}, 64 bits)");
        same!(got[k * 2 + 1], 0xeeee_eeee_eeee_eeee, "(the gap after query {k})");
    }
    let small = b.get::<u32>();
    for k in 0..3 {
        // Too large for 32 bits: wraps or saturates.
        let (v, h) = (small[64 + k * 2], host[k + 1]);
        check!(
            v == h as u32 || v == u32::MAX && h > u64::from(u32::MAX),
            "query {}: {v}, should be {h} in 32 bits",
            k + 1
        );
        check!(small[65 + k * 2] != 0, "not available");
    }
    same!((got[65], got[67]), (0, 0));
    Ok(())
}

unsafe fn host_reset() -> R {
    let t = T::new(&[])?;
    valid_bits(&t)?;
    need!(t.features.v12.host_query_reset != 0, "hostQueryReset");
    let q = pool(&t, 4)?;
    t.d.reset_query_pool(q, 0, 4);
    let mut got = [0u64; 4];
    let flags = vk::QueryResultFlags::TYPE_64;
    same!(t.d.get_query_pool_results(q, 0, &mut got, flags).err(), Some(vk::Result::NOT_READY));
    t.now(|c| {
        for k in 0..4 {
            t.d.cmd_write_timestamp(c, Stage::ALL_COMMANDS, q, k);
        }
    })?;
    t.d.get_query_pool_results(q, 0, &mut got, flags)?;
    t.d.reset_query_pool(q, 1, 2);
    let mut one = [0u64];
    t.d.get_query_pool_results(q, 0, &mut one, flags)?;
    same!(t.d.get_query_pool_results(q, 1, &mut one, flags).err(), Some(vk::Result::NOT_READY));
    t.d.get_query_pool_results(q, 3, &mut one, flags)?;
    same!(one[0], got[3]);
    Ok(())
}

unsafe fn availability() -> R {
    let t = T::new(&[])?;
    valid_bits(&t)?;
    let q = pool(&t, 3)?;
    t.now(|c| {
        t.d.cmd_reset_query_pool(c, q, 0, 3);
        t.d.cmd_write_timestamp(c, Stage::ALL_COMMANDS, q, 1);
    })?;
    use vk::QueryResultFlags as F;
    let mut got = [[7u64, 7]; 3];
    // Not everything is ready; what is not leaves its value alone.
    let r = t.d.get_query_pool_results(q, 0, &mut got, F::TYPE_64 | F::WITH_AVAILABILITY);
    check!(matches!(r, Err(vk::Result::NOT_READY)) || r.is_ok());
    same!((got[0][1], got[2][1]), (0, 0));
    check!(got[1][1] != 0 && got[1][0] != 7);
    same!((got[0][0], got[2][0]), (7, 7));
    let mut got = [[0u32; 2]; 1];
    t.d.get_query_pool_results(q, 1, &mut got, F::WITH_AVAILABILITY)?;
    check!(got[0][1] != 0);
    Ok(())
}

/// VK_KHR_maintenance9: pools whose queries need no reset before they are asked for.
unsafe fn reset_from_the_start() -> R {
    let t = T::new(&[c"VK_KHR_maintenance9"])?;
    need!(t.has(c"VK_KHR_maintenance9"), "VK_KHR_maintenance9");
    let reset = vk::QueryPoolCreateFlags::from_raw(1);
    let info = vk::QueryPoolCreateInfo::default().flags(reset).query_type(vk::QueryType::TIMESTAMP).query_count(5);
    let pool = t.own(t.d.create_query_pool(&info, None)?);
    let mut results = [[7u64; 2]; 5];
    let flags = vk::QueryResultFlags::TYPE_64 | vk::QueryResultFlags::WITH_AVAILABILITY;
    let found = t.d.get_query_pool_results(pool, 0, &mut results, flags);
    check!(found == Ok(()) || found == Err(vk::Result::NOT_READY), "{found:?}");
    check!(results.iter().all(|r| r[1] == 0), "a query is available: {results:?}");
    Ok(())
}
