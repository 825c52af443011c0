//! Adapter queries, escapes, statistics, clocks, processes, features.

use dxg_abi::*;

use crate::call::Call;
use crate::case::*;
use crate::common::{EFAULT, EINVAL, EOVERFLOW};
use crate::world::World;

fn adapter_info(w: &mut World) -> Call {
    let out = w.room(4);
    let a = QueryAdapterInfo {
        adapter: w.rig.adapter,
        r#type: QueryAdapterInfoType::ADAPTERTYPE,
        private_data: out,
        private_data_size: 4,
        ..Default::default()
    };
    Call::new(a).writes("private_data", "private_data", out, 4)
}

fn escape(w: &mut World) -> Call {
    let data = w.put(b"private data of!");
    let a = Escape { adapter: w.rig.adapter, priv_drv_data: data, priv_drv_data_size: 16, ..Default::default() };
    Call::new(a).writes("priv_drv_data", "priv_drv_data", data, 16)
}

fn statistics(w: &mut World) -> Call {
    let a = QueryStatistics { adapter_luid: w.rig.luid, r#type: QueryStatisticsType::ADAPTER, ..Default::default() };
    Call::new(a).mark(&["result"]).changes(&["result"])
}

fn clock(w: &mut World) -> Call {
    Call::new(QueryClockCalibration { adapter: w.rig.adapter, ..Default::default() }).mark(&["clock_data"])
}

fn processes(w: &mut World) -> Call {
    let out = w.room(16);
    let a = EnumProcesses { adapter_luid: w.rig.luid, buffer: out, buffer_count: 4 };
    Call::new(a).writes("buffer", "buffer[]", out, 4)
}

fn feature(w: &mut World) -> Call {
    let a = IsFeatureEnabled { adapter: w.rig.adapter, feature_id: FeatureId::HWSCH, ..Default::default() };
    Call::new(a).mark(&["result"])
}

pub fn rows() -> Vec<Row> {
    let overflow = Want::Is(EOVERFLOW);
    vec![
        row(
            Ioctl::QueryAdapterInfo,
            adapter_info,
            [
                check(
                    "size 0 or >128K -> EINVAL",
                    [set("private_data_size", 0, INVALID), set("private_data_size", 131_073, INVALID)],
                ),
                live_handle("adapter -> EINVAL / ENODEV", "adapter"),
                check(
                    "host status -> mapped errno",
                    refusals(Ioctl::QueryAdapterInfo, Want::Query).into_iter().chain([
                        set("type", 9, Want::Query(EINVAL)),
                        set("type", 1000, Want::Query(EINVAL)),
                        set("private_data_size", 3, Want::Query(EINVAL)),
                    ]),
                ),
            ],
        ),
        row(
            Ioctl::Escape,
            escape,
            [
                live_handle("adapter -> EINVAL / ENODEV", "adapter"),
                check(">128K -> EINVAL", [set("priv_drv_data_size", 131_073, INVALID)]),
                check(
                    "host short reply -> EOVERFLOW",
                    refusals(Ioctl::Escape, |_| Want::Is(EOVERFLOW)).into_iter().chain([
                        // What the driver does not take.
                        set("priv_drv_data_size", 13, overflow),
                        set("type", u64::from(EscapeType::VIDMM.0), overflow),
                    ]),
                ),
                check(
                    "copy out fault -> EINVAL (not EFAULT)",
                    [case("read-only", INVALID, |w, _| w.protect(true)).alone()],
                ),
            ],
        )
        .fault("priv_drv_data", [Want::Is(EFAULT), INVALID]),
        row(
            Ioctl::QueryStatistics,
            statistics,
            [
                check(
                    "process pid not known to dxg -> EINVAL",
                    [set("process", 1, INVALID), set("process", 1 << 40, INVALID)],
                ),
                check(
                    "luid unknown -> 0, nothing written (bug)",
                    [case("luid unknown", Want::Quirk(0, EINVAL), |_, c| {
                        c.set("adapter_luid.a", c.get("adapter_luid.a") ^ 0x100);
                    })],
                ),
            ],
        )
        .more(refusals(Ioctl::QueryStatistics, Want::Is))
        .more([set("type", 11, INVALID)]),
        row(Ioctl::QueryClockCalibration, clock, [live_handle("adapter -> EINVAL / ENODEV", "adapter")])
            .more(refusals(Ioctl::QueryClockCalibration, Want::Is))
            .more([set("node_ordinal", 2, INVALID), set("physical_adapter_index", 1, INVALID)]),
        row(
            Ioctl::EnumProcesses,
            processes,
            [
                check(
                    "luid -> EINVAL",
                    [case("luid unknown", INVALID, |_, c| {
                        c.set("adapter_luid.a", c.get("adapter_luid.a") ^ 0x100);
                    })],
                ),
                check(
                    "buffer NULL or too small -> EOVERFLOW with count written",
                    [
                        set("buffer", 0, overflow).writes(Writes::Always(&["buffer_count"])),
                        set("buffer_count", 0, overflow).writes(Writes::Always(&["buffer_count"])),
                        // Of the count only the low half is written.
                        case("count of 64 bits", Want::Is(EOVERFLOW), |_, c| {
                            c.set("buffer", 0);
                            c.set("buffer_count", 7 << 32);
                        })
                        .writes(Writes::Always(&["buffer_count"])),
                    ],
                ),
            ],
        ),
        row(
            Ioctl::IsFeatureEnabled,
            feature,
            [
                live_handle("adapter -> EINVAL / ENODEV", "adapter"),
                check("host status", refusals(Ioctl::IsFeatureEnabled, Want::Is)),
            ],
        ),
    ]
}
