//! GPU addresses.

use dxg_abi::zerocopy::IntoBytes;
use dxg_abi::*;

use crate::call::Call;
use crate::case::*;
use crate::common::{ENOMEM, EOVERFLOW};
use crate::world::World;

fn reserve(w: &mut World) -> Call {
    let a = ReserveGpuVirtualAddress { adapter: w.rig.adapter, size: 1 << 20, ..Default::default() };
    Call::new(a).mark(&["virtual_address", "paging_fence_value"]).effect(|c| c.regions += 1)
}

fn map(w: &mut World) -> Call {
    let allocation = w.rig.memory(64 << 10);
    let a = MapGpuVirtualAddress { size_in_pages: 2, offset_in_pages: 1, ..w.rig.map_call(allocation, 0) };
    Call::new(a).mark(&["virtual_address", "paging_fence_value"]).effect(|c| c.mappings += 1)
}

fn free(w: &mut World) -> Call {
    let base_address = w.reserve(1 << 20);
    let a = FreeGpuVirtualAddress { adapter: w.rig.adapter, base_address, size: 1 << 20, ..Default::default() };
    Call::new(a).effect(|c| c.regions -= 1)
}

fn update(w: &mut World) -> Call {
    let base_address = w.reserve(1 << 20);
    let mut op =
        UpdateGpuVirtualAddressOperation { operation: UpdateGpuVirtualAddressOperationType::MAP, ..Default::default() };
    op.set_map(GpuVaMap { base_address, size: 8192, allocation: w.allocation, ..Default::default() });
    let mut other = UpdateGpuVirtualAddressOperation {
        operation: UpdateGpuVirtualAddressOperationType::UNMAP,
        ..Default::default()
    };
    other.set_unmap(GpuVaUnmap { base_address: base_address + 65536, size: 4096, ..Default::default() });
    let operations = w.put([op, other].as_bytes());
    let a = UpdateGpuVirtualAddress {
        device: w.rig.device,
        context: w.context,
        fence_object: w.fence.handle,
        num_operations: 2,
        operations,
        fence_value: 3,
        ..Default::default()
    };
    // The value comes back, the same.
    Call::new(a).changes(&[]).reads("operations", operations, 128).effect(|c| c.mappings += 1)
}

fn bad_operation(what: &'static str, at: u64, value: u64) -> Case {
    case(what, INVALID, move |_, c| crate::common::poke(c.get("operations") + at, value))
}

pub fn rows() -> Vec<Row> {
    let overflow = Want::Is(EOVERFLOW);
    vec![
        row(
            Ioctl::ReserveGpuVirtualAddress,
            reserve,
            [
                check("neither adapter nor paging queue -> EINVAL", bad_handles("adapter")),
                check(
                    "host short reply -> EOVERFLOW",
                    refusals(Ioctl::ReserveGpuVirtualAddress, |_| Want::Is(EOVERFLOW)).into_iter().chain([
                        set("size", 0, overflow),
                        set("size", 4096, overflow),
                        set("size", 1 << 40, overflow),
                        set("base_address", 4096, overflow),
                        set("minimum_address", 4096, overflow),
                        set("reservation_type", 3, overflow),
                        case("taken", overflow, |w, c| {
                            let taken = w.reserve(1 << 20);
                            c.set("base_address", taken);
                        }),
                    ]),
                ),
            ],
        )
        .more([
            stopped(),
            case("a paging queue", Want::Is(0), |w, c| c.set("adapter", u64::from(w.rig.paging.paging_queue.0)))
                .writes(Writes::AsValid),
        ]),
        row(
            Ioctl::MapGpuVirtualAddress,
            map,
            [
                handle("paging queue -> EINVAL", "paging_queue"),
                check(
                    "host status; on failure nothing is written back",
                    refusals(Ioctl::MapGpuVirtualAddress, Want::Is).into_iter().chain([
                        set("allocation", 77, INVALID),
                        set("offset_in_pages", 15, INVALID),
                        set("offset_in_pages", u64::MAX, INVALID),
                        set("size_in_pages", u64::MAX / 4096, INVALID),
                        set("base_address", 4097, INVALID),
                        set("protection", 12, INVALID),
                        case("zeros of an allocation", INVALID, |_, c| c.set("protection", 4)),
                        case("of another device", INVALID, |w, c| {
                            let paging = crate::common::ok(
                                &w.rig.node,
                                CreatePagingQueue { device: w.second, ..Default::default() },
                            );
                            c.set("paging_queue", u64::from(paging.paging_queue.0));
                        }),
                        case("no addresses", Want::Is(ENOMEM), |w, c| {
                            // Read-only views need an address of their own.
                            c.set("protection", 0);
                            w.exhaust();
                        }),
                    ]),
                ),
            ],
        )
        .more([stopped()]),
        row(Ioctl::FreeGpuVirtualAddress, free, [live_handle("adapter -> EINVAL / ENODEV", "adapter")])
            .more(refusals(Ioctl::FreeGpuVirtualAddress, Want::Is))
            .more([
                set("size", 65536, INVALID),
                set("base_address", 65536, INVALID),
                case("a page of a fence", INVALID, |w, c| {
                    c.set("base_address", w.fence.gpu);
                    c.set("size", 4096);
                }),
            ]),
        row(
            Ioctl::UpdateGpuVirtualAddress,
            update,
            [
                handle("device -> EINVAL", "device"),
                check("count -> EINVAL", [set("num_operations", 0, INVALID), set("num_operations", 2049, INVALID)]),
                check(
                    "fence_value comes back as it went in",
                    [case("another value", Want::Is(0), |_, c| c.set("fence_value", 2)).writes(Writes::AsValid)],
                ),
            ],
        )
        .more([stopped()])
        .more(refusals(Ioctl::UpdateGpuVirtualAddress, Want::Is))
        .more([
            set("context", 77, INVALID),
            set("fence_object", 77, INVALID),
            bad_operation("not reserved", 64 + 8, 65536),
            bad_operation("size 0", 64 + 16, 0),
            bad_operation("unknown operation", 64, 9),
            bad_operation("unknown allocation", 24, 77),
        ]),
    ]
}
