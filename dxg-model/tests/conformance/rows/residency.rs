//! Residency, budgets, priorities, offers.

use dxg_abi::*;

use crate::call::Call;
use crate::case::*;
use crate::common::{ENOMEM, EOVERFLOW};
use crate::world::World;

/// The fields that name a list of allocations.
struct List {
    resource: &'static str,
    count: &'static str,
    list: &'static str,
}

const LIST: List = List { resource: "resource", count: "allocation_count", list: "allocation_list" };

fn make_resident(w: &mut World) -> Call {
    let more = w.rig.memory(8192);
    let list = w.put_handles(&[w.allocation, more]);
    let a = MakeResident { allocation_list: list, alloc_count: 2, ..w.rig.make_resident_call(&[]) };
    let c = Call::new(a).mark(&["paging_fence_value", "num_bytes_to_trim"]);
    c.reads("allocation_list", list, 8).effect(|c| c.resident += 8192)
}

fn evict(w: &mut World) -> Call {
    let list = w.put_handles(&[w.allocation]);
    let a = Evict { device: w.rig.device, alloc_count: 1, allocations: list, ..Default::default() };
    let c = Call::new(a).mark(&["num_bytes_to_trim"]).reads("allocations", list, 4);
    c.effect(|c| c.resident -= 64 << 10)
}

fn query_memory(w: &mut World) -> Call {
    let a = QueryVideoMemoryInfo { adapter: w.rig.adapter, ..Default::default() };
    Call::new(a).mark(&["budget", "current_usage", "current_reservation", "available_for_reservation"])
}

fn change_reservation(w: &mut World) -> Call {
    Call::new(ChangeVideoMemoryReservation { adapter: w.rig.adapter, reservation: 4096, ..Default::default() })
}

fn flush(w: &mut World) -> Call {
    let c = Call::new(FlushHeapTransitions { adapter: w.rig.adapter });
    c.changes(if w.mode.quirks { &["adapter"] } else { &[] })
}

fn query_residency(w: &mut World) -> Call {
    let (list, out) = (w.put_handles(&[w.allocation, w.user]), w.room(8));
    let a = QueryAllocationResidency {
        device: w.rig.device,
        allocations: list,
        allocation_count: 2,
        residency_status: out,
        ..Default::default()
    };
    Call::new(a).reads("allocations", list, 8).writes("residency_status", "residency_status[]", out, 8)
}

fn set_priority(w: &mut World) -> Call {
    let (list, values) = (w.put_handles(&[w.allocation, w.user]), w.put(&[1, 2, 3, 4, 5, 6, 7, 8]));
    let (device, allocation_list, priorities) = (w.rig.device, list, values);
    let a = SetAllocationPriority { device, allocation_list, allocation_count: 2, priorities, ..Default::default() };
    Call::new(a).reads("allocation_list", list, 8).reads("priorities", values, 8)
}

fn get_priority(w: &mut World) -> Call {
    let (list, values) = (w.put_handles(&[w.allocation, w.user]), w.room(8));
    let (device, allocation_list, priorities) = (w.rig.device, list, values);
    let a = GetAllocationPriority { device, allocation_list, allocation_count: 2, priorities, ..Default::default() };
    Call::new(a).reads("allocation_list", list, 8).writes("priorities", "priorities[]", values, 8)
}

fn offer(w: &mut World) -> Call {
    let list = w.put_handles(&[w.allocation, w.user]);
    let (device, priority) = (w.rig.device, OfferPriority::LOW);
    let a = OfferAllocations { device, allocations: list, allocation_count: 2, priority, ..Default::default() };
    Call::new(a).reads("allocations", list, 8)
}

fn reclaim(w: &mut World) -> Call {
    let (list, results) = (w.put_handles(&[w.allocation, w.user]), w.room(8));
    let paging_queue = w.rig.paging.paging_queue;
    let a = ReclaimAllocations2 { paging_queue, allocation_count: 2, allocations: list, results, ..Default::default() };
    let c = Call::new(a).mark(&["paging_fence_value"]).reads("allocations", list, 8);
    let hides = w.mode.pending && w.mode.quirks;
    // A result hides that the operation is pending: said of every such call.
    let c = c.writes("results", "results[]", results, 8);
    if hides {
        c.at_once()
    } else {
        c
    }
}

fn update_property(w: &mut World) -> Call {
    let a =
        UpdateAllocProperty { paging_queue: w.rig.paging.paging_queue, allocation: w.allocation, ..Default::default() };
    let c = Call::new(a).mark(&["paging_fence_value"]);
    // Only when pending.
    c.changes(if w.mode.pending || !w.mode.quirks { &["paging_fence_value"] } else { &[] })
}

/// Both or neither of a resource and a list.
fn resource_or_list(f: &'static List) -> [Case; 2] {
    [
        case("both", INVALID, |w, c| {
            c.set(f.resource, u64::from(w.resource.0));
            c.set(f.count, 2);
        }),
        case("neither", INVALID, |_, c| {
            c.set(f.resource, 0);
            c.set(f.count, 0);
        }),
    ]
}

/// Handles in a list that the host does not take.
fn bad_list(f: &'static List, want: Want) -> Vec<Case> {
    vec![
        case("not an allocation", want, |w, c| {
            let at = w.put_handles(&[w.allocation, w.context]);
            c.set(f.list, at);
            c.set(f.count, 2);
        }),
        case("unknown", want, |w, c| {
            let stale = w.stale;
            let at = w.put_handles(&[w.allocation, stale]);
            c.set(f.list, at);
            c.set(f.count, 2);
        }),
    ]
}

fn of_another_device(want: Want) -> Case {
    case("of another device", want, |w, c| c.set("device", u64::from(w.second.0)))
}

fn unknown_resource() -> Case {
    case("unknown resource", INVALID, |_, c| {
        c.set("resource", 77);
        c.set("allocation_count", 0);
    })
}

/// Lists of resources or of allocations, one of the two.
fn one_of_two() -> [Case; 2] {
    [
        case("both", INVALID, |_, c| c.set("resources", c.get("allocations").max(8))),
        case("neither", INVALID, |_, c| {
            c.set("resources", 0);
            c.set("allocations", 0);
        }),
    ]
}

fn counts(field: &'static str, high: u64) -> [Case; 2] {
    [set(field, 0, INVALID), set(field, high + 1, INVALID)]
}

const BY_DEVICE: List = List { list: "allocations", count: "alloc_count", ..LIST };
const QUERY: List = List { list: "allocations", ..LIST };

pub fn rows() -> Vec<Row> {
    let overflow = Want::Is(EOVERFLOW);
    vec![
        row(
            Ioctl::MakeResident,
            make_resident,
            [
                check("alloc_count -> EINVAL", counts("alloc_count", 10240)),
                check("paging_queue 0 -> EINVAL", [set("paging_queue", 0, INVALID)]),
                handle("paging queue -> EINVAL", "paging_queue"),
                check(
                    "host status; on failure nothing is written back",
                    refusals(Ioctl::MakeResident, Want::Is).into_iter().chain([
                        set("flags", u64::from(MakeResidentFlags::MUST_SUCCEED.bits()), INVALID),
                        case("over budget", Want::Is(ENOMEM), |w, c| {
                            let big = w.rig.memory(1 << 20);
                            let at = w.put_handles(&[big]);
                            c.set("alloc_count", 1);
                            c.set("allocation_list", at);
                        }),
                    ]),
                ),
            ],
        )
        .more([stopped()])
        .more(bad_list(&List { list: "allocation_list", count: "alloc_count", ..LIST }, INVALID)),
        row(
            Ioctl::Evict,
            evict,
            [check("count -> EINVAL", counts("alloc_count", 10240)), handle("device -> EINVAL", "device")],
        )
        .more([stopped(), of_another_device(overflow)])
        .more(refusals(Ioctl::Evict, |_| Want::Is(EOVERFLOW)))
        .more(bad_list(&BY_DEVICE, overflow)),
        row(
            Ioctl::QueryVideoMemoryInfo,
            query_memory,
            [
                check("process != 0 -> EINVAL", [set("process", 1, INVALID)]),
                live_handle("adapter -> EINVAL / ENODEV", "adapter"),
                check(
                    "host short reply -> EOVERFLOW",
                    refusals(Ioctl::QueryVideoMemoryInfo, |_| Want::Is(EOVERFLOW))
                        .into_iter()
                        .chain([set("physical_adapter_index", 1, overflow), set("memory_segment_group", 2, overflow)]),
                ),
            ],
        ),
        row(
            Ioctl::ChangeVideoMemoryReservation,
            change_reservation,
            [
                check("process != 0 -> EINVAL", [set("process", 1, INVALID)]),
                live_handle("adapter -> EINVAL / ENODEV", "adapter"),
            ],
        )
        .more(refusals(Ioctl::ChangeVideoMemoryReservation, Want::Is))
        .more([
            set("physical_adapter_index", 1, INVALID),
            set("memory_segment_group", 2, INVALID),
            set("reservation", 1 << 40, INVALID),
        ]),
        row(
            Ioctl::FlushHeapTransitions,
            flush,
            [
                live_handle("adapter -> EINVAL / ENODEV", "adapter"),
                check(
                    "success overwrites adapter with the host handle (bug)",
                    [case("nothing", Want::Is(0), |_, _| ()).writes(Writes::AsValid)],
                ),
            ],
        )
        .more(refusals(Ioctl::FlushHeapTransitions, Want::Is)),
        row(
            Ioctl::QueryAllocationResidency,
            query_residency,
            [
                check("exactly one of resource/allocation_count -> else EINVAL", resource_or_list(&QUERY)),
                handle("device -> EINVAL", "device"),
            ],
        )
        .more([stopped(), of_another_device(INVALID), unknown_resource()])
        .more([set("allocation_count", 131_073, INVALID)])
        .more(refusals(Ioctl::QueryAllocationResidency, Want::Is))
        .more(bad_list(&QUERY, INVALID)),
        row(
            Ioctl::SetAllocationPriority,
            set_priority,
            [
                handle("device -> EINVAL", "device"),
                check("resource with count, or neither -> EINVAL", resource_or_list(&LIST)),
            ],
        )
        .more([stopped(), of_another_device(INVALID), unknown_resource()])
        .more([set("allocation_count", 131_073, INVALID)])
        .more(refusals(Ioctl::SetAllocationPriority, Want::Is))
        .more(bad_list(&LIST, INVALID)),
        row(
            Ioctl::GetAllocationPriority,
            get_priority,
            [
                handle("device -> EINVAL", "device"),
                check("resource with count, or neither -> EINVAL", resource_or_list(&LIST)),
            ],
        )
        .more([stopped(), of_another_device(INVALID), unknown_resource()])
        .more([set("allocation_count", 131_073, INVALID)])
        .more(refusals(Ioctl::GetAllocationPriority, Want::Is))
        .more(bad_list(&LIST, INVALID)),
        row(
            Ioctl::OfferAllocations,
            offer,
            [
                check("count -> EINVAL", counts("allocation_count", 10240)),
                check("exactly one of resources/allocations -> else EINVAL", one_of_two()),
                handle("device -> EINVAL", "device"),
            ],
        )
        .more([stopped(), of_another_device(INVALID)])
        .more(refusals(Ioctl::OfferAllocations, Want::Is))
        .more(bad_list(&QUERY, INVALID)),
        row(
            Ioctl::ReclaimAllocations2,
            reclaim,
            [
                check("count -> EINVAL", counts("allocation_count", 10240)),
                check("exactly one of resources/allocations -> else EINVAL", one_of_two()),
                handle("paging queue -> EINVAL", "paging_queue"),
                check(
                    "results!=NULL turns a positive status into 0",
                    [case("with results", Want::Is(0), |_, _| ()).writes(Writes::AsValid)],
                ),
            ],
        )
        .more([stopped()])
        .more(refusals(Ioctl::ReclaimAllocations2, Want::Is))
        .more(bad_list(&QUERY, INVALID)),
        row(Ioctl::UpdateAllocProperty, update_property, [handle("paging queue -> EINVAL", "paging_queue")])
            .more([stopped(), set("allocation", 77, INVALID)])
            .more(refusals(Ioctl::UpdateAllocProperty, Want::Is)),
    ]
}
