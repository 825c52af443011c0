//! Allocations: creation, destruction, locks.

use dxg_abi::zerocopy::{FromBytes, IntoBytes};
use dxg_abi::*;

use crate::call::Call;
use crate::case::*;
use crate::common::{ok, peek_bytes, poke_bytes, EINVAL, ENOMEM, EOVERFLOW};
use crate::world::World;

const RECORD: u64 = size_of::<AllocationInfo2>() as u64;
const PRIVATE: u64 = 16;
/// Status that comes back as it is.
const RAW: i32 = NtStatus::INVALID_PARAMETER.as_raw();

type Flags = CreateAllocationFlags;

fn create(w: &mut World) -> Call {
    // One that is gone and one that is sealed.
    let (gone, sealed) = (w.shared_resource(16), w.shared_resource(16));
    let device = w.rig.device;
    ok(&w.rig.node, DestroyAllocation2 { device, resource: gone, ..Default::default() });
    w.share(sealed);
    w.spare = vec![gone, sealed];
    let mut data = [0u8; PRIVATE as usize];
    data[..8].copy_from_slice(&8192u64.to_le_bytes());
    let private = [w.put(&data), w.put(&data)];
    let info = private.map(|priv_drv_data| AllocationInfo2 {
        allocation: Handle(0x1234_5678),
        priv_drv_data,
        priv_drv_data_size: PRIVATE as u32,
        ..Default::default()
    });
    let allocation_info = w.put(info.as_bytes());
    let (private_runtime_data, priv_drv_data) = (w.put(b"runtime"), w.put(b"own"));
    let a = CreateAllocation {
        device: w.rig.device,
        private_runtime_data,
        private_runtime_data_size: 7,
        priv_drv_data,
        priv_drv_data_size: 3,
        alloc_count: 2,
        allocation_info,
        flags: Flags::CREATE_RESOURCE,
        ..Default::default()
    };
    let mut c = Call::new(a).mark(&["resource", "global_share"]);
    for (i, private) in private.into_iter().enumerate() {
        let at = allocation_info + i as u64 * RECORD;
        c = c.writes("allocation_info", "allocation_info[i].allocation", at, 4);
        c = c.writes("", "allocation_info[i].priv_drv_data", private, PRIVATE);
    }
    c = c.reads("private_runtime_data", private_runtime_data, 7).reads("priv_drv_data", priv_drv_data, 3);
    c.effect(|c| {
        c.allocations += 2;
        c.resources += 1;
        c.homes += 2;
    })
}

fn flags(c: &mut Call, on: Flags, off: Flags) {
    c.set_bits("flags", on.bits(), off.bits());
}

/// Changes one of the records.
fn edit(c: &mut Call, index: u64, change: impl FnOnce(&mut AllocationInfo2)) {
    let at = c.get("allocation_info") + index * RECORD;
    let mut info = AllocationInfo2::read_from_bytes(&peek_bytes(at, RECORD)).expect("record");
    change(&mut info);
    poke_bytes(at, info.as_bytes());
}

/// Makes the call one for a standard allocation that is in order; `change` then breaks it.
fn standard(
    what: &'static str,
    want: Want,
    change: impl Fn(&mut World, &mut Call, &mut CreateStandardAllocation) + 'static,
) -> Case {
    case(what, want, move |w, c| {
        flags(c, Flags::STANDARD_ALLOCATION | Flags::EXISTING_SYSMEM | Flags::CREATE_RESOURCE, Flags::CREATE_SHARED);
        let pages = w.user_pages.address;
        for i in 0..2 {
            edit(c, i, |r| (r.sysmem, r.priv_drv_data_size, r.priv_drv_data) = (pages, 0, 0));
        }
        c.set("alloc_count", 1);
        c.set("priv_drv_data_size", 0);
        let mut s = CreateStandardAllocation {
            r#type: StandardAllocationType::EXISTINGHEAP,
            existing_heap_data: StandardAllocationExistingHeap { size: 64 << 10 },
            ..Default::default()
        };
        change(w, c, &mut s);
        if c.get("priv_drv_data") != 0 {
            let at = w.put(s.as_bytes());
            c.set("priv_drv_data", at);
        }
    })
}

fn not_fitting() -> Vec<Case> {
    let raw = Want::Quirk(RAW, EINVAL);
    vec![
        standard("no memory for an existing heap", raw, |_, c, _| edit(c, 0, |r| r.sysmem = 0)),
        standard("memory not said to exist", raw, |_, c, _| flags(c, Flags::default(), Flags::EXISTING_SYSMEM)),
        standard("memory not aligned", raw, |_, c, _| edit(c, 0, |r| r.sysmem += 8)),
        standard("memory for a shared heap", raw, |_, _, s| s.r#type = StandardAllocationType::CROSSADAPTER),
        standard("unknown type", raw, |_, _, s| s.r#type = StandardAllocationType(7)),
    ]
}

fn not_standard() -> Vec<Case> {
    vec![
        standard("private data of the resource", INVALID, |_, c, _| c.set("priv_drv_data_size", 3)),
        standard("two allocations", INVALID, |_, c, _| c.set("alloc_count", 2)),
        standard("size 0", INVALID, |_, _, s| s.existing_heap_data.size = 0),
        standard("size not in pages", INVALID, |_, _, s| s.existing_heap_data.size = 4097),
    ]
}

/// Adds to a resource.
fn adding(what: &'static str, resource: impl Fn(&mut World) -> Handle + 'static) -> Case {
    case(what, INVALID, move |w, c| {
        flags(c, Flags::default(), Flags::CREATE_RESOURCE | Flags::CREATE_SHARED);
        let h = resource(w);
        c.set("resource", u64::from(h.0));
    })
}

fn create_row() -> Row {
    let big = 131_072;
    row(
        Ioctl::CreateAllocation,
        create,
        [
            check(
                "alloc_count 0 or >1024 -> EINVAL",
                [set("alloc_count", 0, INVALID), set("alloc_count", 1025, INVALID)],
            ),
            check(
                "private size with standard_allocation, or >=128K -> EINVAL",
                [
                    case("private data of a standard allocation", INVALID, |_, c| {
                        flags(c, Flags::STANDARD_ALLOCATION, Flags::default());
                        edit(c, 0, |r| r.priv_drv_data_size = 8);
                    }),
                    case("private data", INVALID, move |_, c| edit(c, 1, |r| r.priv_drv_data_size = big)),
                    set("private_runtime_data_size", u64::from(big), INVALID),
                    set("priv_drv_data_size", u64::from(big), INVALID),
                ],
            ),
            check(
                "existing_section|create_protected -> EINVAL",
                [Flags::EXISTING_SECTION, Flags::CREATE_PROTECTED]
                    .map(|on| case("flag", INVALID, move |_, c| flags(c, on, Flags::default()))),
            ),
            check2(
                "standard: NULL ptr -> EINVAL; type/sysmem mismatch -> raw 0xC000000D",
                [standard("NULL", INVALID, |_, c, _| c.set("priv_drv_data", 0))],
                not_fitting(),
            ),
            check("standard: priv size !=0, count !=1, heap size 0 or unaligned -> EINVAL", not_standard()),
            check(
                "create_shared without create_resource -> EINVAL",
                [case("shared alone", INVALID, |_, c| flags(c, Flags::CREATE_SHARED, Flags::CREATE_RESOURCE))],
            ),
            live_handle("device -> EINVAL / ENODEV", "device"),
            check(
                "create_shared without nt_security_sharing -> EINVAL",
                [case("shared the old way", INVALID, |_, c| {
                    flags(c, Flags::CREATE_SHARED | Flags::CREATE_RESOURCE, Flags::NT_SECURITY_SHARING);
                })],
            ),
            check(
                "resource handle wrong/sealed/inactive -> EINVAL",
                [
                    adding("unknown", |_| Handle(0x4000_0fc0)),
                    adding("of another type", |w| w.context),
                    adding("destroyed", |w| w.spare[0]),
                    adding("sealed", |w| w.spare[1]),
                    case("of another device", INVALID, |w, c| {
                        flags(c, Flags::default(), Flags::CREATE_RESOURCE | Flags::CREATE_SHARED);
                        c.set("resource", u64::from(w.resource.0));
                        c.set("device", u64::from(w.second.0));
                    })
                    .alone(),
                ],
            ),
            check(
                "sysmem unaligned or mixed -> EINVAL",
                [
                    case("mixed", INVALID, |w, c| {
                        edit(c, 0, |r| r.sysmem = w.user_pages.address);
                        edit(c, 1, |r| r.sysmem = 0);
                    }),
                    case("not aligned", INVALID, |w, c| {
                        for i in 0..2 {
                            edit(c, i, |r| r.sysmem = w.user_pages.address + 8);
                        }
                    }),
                ],
            ),
            check(
                "private data total >=128K -> EOVERFLOW",
                [case("private data in sum", Want::Is(EOVERFLOW), |_, c| {
                    for i in 0..2 {
                        edit(c, i, |r| r.priv_drv_data_size = 70_000);
                    }
                })],
            ),
            check(
                "host short reply -> EOVERFLOW",
                refusals(Ioctl::CreateAllocation, |_| Want::Is(EOVERFLOW)).into_iter().chain([case(
                    "private data that says nothing",
                    Want::Is(EOVERFLOW),
                    |_, c| {
                        edit(c, 1, |r| r.priv_drv_data_size = 5);
                    },
                )]),
            ),
            check(
                "pin failure -> ENOMEM",
                [case("memory that is not there", Want::Is(ENOMEM), |w, c| {
                    let hole = w.nowhere();
                    for i in 0..2 {
                        edit(c, i, |r| r.sysmem = hole);
                    }
                })],
            ),
        ],
    )
    .more([case("no addresses", Want::Is(EOVERFLOW), |w, _| w.exhaust())])
}

fn destroy(w: &mut World) -> Call {
    let more = w.rig.memory(8192);
    let list = w.put_handles(&[w.allocation, more]);
    let a = DestroyAllocation2 { device: w.rig.device, allocations: list, alloc_count: 2, ..Default::default() };
    Call::new(a).reads("allocations", list, 8).effect(|c| {
        c.allocations -= 2;
        c.homes -= 2;
        c.mappings -= 1;
        c.resident -= 64 << 10;
    })
}

/// Another list of allocations.
fn list(what: &'static str, handles: impl Fn(&mut World) -> Vec<Handle> + 'static) -> Case {
    case(what, INVALID, move |w, c| {
        let handles = handles(w);
        c.set("alloc_count", handles.len() as u64);
        let at = w.put_handles(&handles);
        c.set("allocations", at);
    })
}

/// The allocations of a resource.
fn grouped(w: &mut World, shared: bool) -> Vec<Handle> {
    let size = 4096u64.to_le_bytes();
    let one = AllocationInfo2 { priv_drv_data: size.as_ptr() as u64, priv_drv_data_size: 8, ..Default::default() };
    let mut info = [one; 2];
    let sharing = Flags::CREATE_SHARED | Flags::NT_SECURITY_SHARING;
    let a = CreateAllocation {
        device: w.rig.device,
        alloc_count: 2,
        allocation_info: info.as_mut_ptr() as u64,
        flags: Flags::CREATE_RESOURCE.set(sharing, shared),
        ..Default::default()
    };
    ok(&w.rig.node, a);
    info.iter().map(|i| i.allocation).collect()
}

fn destroy_row() -> Row {
    row(
        Ioctl::DestroyAllocation2,
        destroy,
        [
            check(
                "both or neither of resource/alloc_count, count>1024 -> EINVAL",
                [
                    case("both", INVALID, |w, c| {
                        c.set("resource", u64::from(w.resource.0));
                        c.set("alloc_count", 2);
                    }),
                    set("alloc_count", 0, INVALID),
                    set("alloc_count", 1025, INVALID),
                ],
            ),
            live_handle("device -> EINVAL / ENODEV", "device"),
            check(
                "each allocation same owner, same device, not in a shared resource -> else EINVAL",
                [
                    list("different owners", |w| vec![w.allocation, grouped(w, false)[0]]),
                    list("in a shared resource", |w| grouped(w, true)),
                    list("not an allocation", |w| vec![w.allocation, w.context]),
                    list("unknown", |w| vec![w.allocation, w.stale]),
                    list("twice the same", |w| vec![w.allocation, w.allocation]),
                    case("of another device", INVALID, |w, c| c.set("device", u64::from(w.second.0))).alone(),
                    case("a resource of another device", INVALID, |w, c| {
                        c.set("alloc_count", 0);
                        c.set("resource", u64::from(w.resource.0));
                        c.set("device", u64::from(w.second.0));
                    })
                    .alone(),
                ],
            ),
        ],
    )
}

fn lock2(w: &mut World) -> Call {
    let c = Call::new(Lock2 { device: w.rig.device, allocation: w.allocation, ..Default::default() });
    c.mark(&["data"]).effect(|c| c.locks += 1)
}

fn unlock2(w: &mut World) -> Call {
    w.rig.lock(w.allocation);
    Call::new(Unlock2 { device: w.rig.device, allocation: w.allocation }).effect(|c| c.locks -= 1)
}

fn invalidate(w: &mut World) -> Call {
    let (offset, length) = (4096, 8192);
    Call::new(InvalidateCache { device: w.rig.device, allocation: w.allocation, offset, length })
}

pub fn rows() -> Vec<Row> {
    vec![
        create_row(),
        destroy_row(),
        row(
            Ioctl::Lock2,
            lock2,
            [
                handle("allocation -> EINVAL", "allocation"),
                check(
                    "already has a CPU address -> 0 without looking at device",
                    [case("locked", Want::Is(0), |w, c| {
                        w.rig.lock(w.allocation);
                        c.set("allocation", u64::from(w.allocation.0));
                        c.set("device", 77);
                    })
                    .writes(Writes::AsValid)
                    .alone()],
                ),
                handle("device -> EINVAL", "device"),
                check(
                    "host status",
                    refusals(Ioctl::Lock2, Want::Is)
                        .into_iter()
                        .chain([case("of another device", INVALID, |w, c| c.set("device", u64::from(w.second.0)))]),
                ),
                check(
                    "map failure -> ENOMEM",
                    [case("longer than 32 bits", Want::Is(ENOMEM), |w, c| {
                        let h = w.huge();
                        c.set("allocation", u64::from(h.0));
                    })
                    .only(|m| m.quirks && m.wide)],
                ),
            ],
        )
        .more([stopped()]),
        row(
            Ioctl::Unlock2,
            unlock2,
            [
                check2(
                    "allocation or not locked -> EINVAL",
                    bad_handles("allocation"),
                    [case("not locked", INVALID, |w, c| {
                        let h = w.rig.memory(4096);
                        c.set("allocation", u64::from(h.0));
                    })],
                ),
                check(
                    "not the last lock -> 0 without looking at device",
                    [case("locked twice", Want::Is(0), |w, c| {
                        w.rig.lock(w.allocation);
                        c.set("device", 77);
                    })
                    .writes(Writes::AsValid)
                    .alone()],
                ),
            ],
        )
        .more(refusals(Ioctl::Unlock2, Want::Is).into_iter().map(|c| Case { happens: true, ..c }))
        .more([Case {
            // The mapping is gone before the device is looked at.
            happens: true,
            ..case("unknown device", INVALID, |_, c| c.set("device", 77))
        }]),
        row(Ioctl::InvalidateCache, invalidate, [live_handle("device -> EINVAL / ENODEV", "device")])
            .more(refusals(Ioctl::InvalidateCache, Want::Is))
            .more([
                set("length", 64 << 10, INVALID),
                set("length", u64::MAX, INVALID),
                set("allocation", 0, INVALID),
                case("of another device", INVALID, |w, c| c.set("device", u64::from(w.second.0))),
            ]),
    ]
}
