//! Sharing through descriptors.

use dxg_abi::*;

use crate::call::{Call, Place};
use crate::case::*;
use crate::common::{EFAULT, ENOMEM};
use crate::world::{Condition, World};

const RECORD: u64 = size_of::<OpenAllocationInfo2>() as u64;
const EPERM: i32 = -1;
const ENOTRECOVERABLE: i32 = -131;

fn share(w: &mut World) -> Call {
    let (objects, out) = (w.put_handles(&[w.shared_fence.handle]), w.room(8));
    let a = ShareObjects { object_count: 1, objects, shared_handle: out, ..Default::default() };
    let c = Call::new(a).reads("objects", objects, 4);
    let c = c.writes("shared_handle", "*shared_handle", out, 8);
    Call { descriptor: Some(Place::Memory(out)), ..c }
}

fn open_sync(w: &mut World) -> Call {
    let nt_handle = w.share(w.shared_fence.handle);
    let a = OpenSyncObjectFromNtHandle2 { nt_handle, device: w.second, ..Default::default() };
    let c = Call::new(a).mark(&["sync_object"]);
    let c = c.changes(&["sync_object", "monitored_fence.fence_value_cpu_va", "monitored_fence.fence_value_gpu_va"]);
    c.effect(|c| {
        c.sync_objects += 1;
        c.fence_pages += 1;
    })
}

fn resource_info(w: &mut World) -> Call {
    let resource = w.shared_resource(16);
    let nt_handle = w.share(resource);
    let a = QueryResourceInfoFromNtHandle { nt_handle, device: w.second, ..Default::default() };
    let out =
        ["private_runtime_data_size", "total_priv_drv_data_size", "resource_priv_drv_data_size", "allocation_count"];
    Call::new(a).mark(&out).changes(&[
        "private_runtime_data_size",
        "total_priv_drv_data_size",
        "resource_priv_drv_data_size",
        "allocation_count",
    ])
}

fn open_resource(w: &mut World) -> Call {
    let resource = w.shared_resource(16);
    let nt_handle = w.share(resource);
    // More room than needed, which stays as it is.
    let (list, runtime, own, total) = (w.room(3 * RECORD), w.room(16), w.room(16), w.room(64));
    let a = OpenResourceFromNtHandle {
        device: w.second,
        nt_handle,
        allocation_count: 2,
        open_alloc_info: list,
        private_runtime_data_size: 16,
        private_runtime_data: runtime,
        resource_priv_drv_data_size: 16,
        resource_priv_drv_data: own,
        total_priv_drv_data_size: 64,
        total_priv_drv_data: total,
        ..Default::default()
    };
    let c = Call::new(a).mark(&["resource"]);
    let c = c.writes("open_alloc_info", "open_alloc_info[]", list, 2 * RECORD);
    let c = c.writes("private_runtime_data", "private_runtime_data", runtime, 7);
    let c = c.writes("resource_priv_drv_data", "resource_priv_drv_data", own, 3);
    c.writes("total_priv_drv_data", "total_priv_drv_data", total, 32).effect(|c| {
        c.resources += 1;
        c.allocations += 2;
    })
}

fn with_host(w: &mut World) -> Call {
    let a = ShareObjectWithHost { device_handle: w.rig.device, object_handle: w.resource, ..Default::default() };
    // There is no host to share with.
    Call::new(a).status(EPERM)
}

/// Descriptors of something else.
fn foreign(field: &'static str, other: fn(&mut World) -> u64) -> Vec<Case> {
    let ways: [Way; 5] = [
        ("a pipe", |w| w.foreign()),
        ("closed", |_| 1 << 20),
        ("no number of a descriptor", |_| u64::MAX),
        ("an eventfd", |w| w.event.fd() as u64),
        ("of the other kind", other),
    ];
    ways.into_iter()
        .map(|(what, fd)| {
            case(what, INVALID, move |w, c| {
                let fd = fd(w);
                c.set(field, fd);
            })
        })
        .collect()
}

fn shared_fence(w: &mut World) -> u64 {
    w.share(w.shared_fence.handle)
}

fn shared_resource(w: &mut World) -> u64 {
    let resource = w.shared_resource(16);
    w.share(resource)
}

fn object(what: &'static str, which: fn(&mut World) -> Handle) -> Case {
    case(what, INVALID, move |w, c| {
        let h = which(w);
        let at = w.put_handles(&[h]);
        c.set("objects", at);
    })
}

pub fn rows() -> Vec<Row> {
    vec![
        row(
            Ioctl::ShareObjects,
            share,
            [
                check(
                    "object_count != 1 -> EINVAL",
                    [set("object_count", 0, INVALID), set("object_count", 2, INVALID)],
                ),
                check(
                    "handle unknown, not shared, wrong type -> EINVAL",
                    [
                        object("unknown", |_| Handle(0x4000_0fc0)),
                        object("a fence that is not shared", |w| w.fence.handle),
                        object("a resource that is not shared", |w| w.resource),
                        object("a paging fence", |w| w.rig.paging.sync_object),
                        object("a device", |w| w.rig.device),
                        object("an allocation", |w| w.allocation),
                    ],
                ),
                check(
                    "no free fd -> ENOTRECOVERABLE",
                    [case("no descriptors", Want::Is(ENOTRECOVERABLE), |w, _| w.under(Condition::NoDescriptors))],
                ),
                check(
                    "resource cannot be sealed -> EINVAL",
                    [object("without private data", |w| w.shared_resource(0))],
                ),
            ],
        )
        .more(refusals(Ioctl::ShareObjects, Want::Is)),
        row(
            Ioctl::OpenSyncObjectFromNtHandle2,
            open_sync,
            [
                check("device 0/unknown -> EINVAL", bad_handles("device")),
                check("inactive -> ENODEV", [stopped()]),
                check("fd not dxgsyncobj -> EINVAL", foreign("nt_handle", shared_resource)),
                check("host status", refusals(Ioctl::OpenSyncObjectFromNtHandle2, Want::Is)),
            ],
        )
        .more([case("no addresses", Want::Is(ENOMEM), |w, _| w.exhaust())]),
        row(
            Ioctl::QueryResourceInfoFromNtHandle,
            resource_info,
            [
                check("fd not dxgresource -> EINVAL", foreign("nt_handle", shared_fence)),
                live_handle("device -> EINVAL / ENODEV", "device"),
                check("seal failure -> EINVAL", []),
            ],
        ),
        row(
            Ioctl::OpenResourceFromNtHandle,
            open_resource,
            [
                check("fd not dxgresource -> EINVAL", foreign("nt_handle", shared_fence)),
                live_handle("device -> EINVAL / ENODEV", "device"),
                check(
                    "allocation_count differs or any size too small -> EINVAL",
                    [
                        set("allocation_count", 1, INVALID),
                        set("allocation_count", 3, INVALID),
                        set("private_runtime_data_size", 6, INVALID),
                        set("private_runtime_data_size", u64::from(u32::MAX), INVALID),
                        set("resource_priv_drv_data_size", 2, INVALID),
                        set("total_priv_drv_data_size", 31, INVALID),
                    ],
                ),
                check("host status", refusals(Ioctl::OpenResourceFromNtHandle, Want::Is)),
                check(
                    "failure after the host opened it may return 0 (bug)",
                    [case("private data nowhere", Want::Quirk(0, EFAULT), |w, c| {
                        c.set("total_priv_drv_data", w.nowhere());
                    })
                    .writes(Writes::Memory)
                    .alone()],
                ),
            ],
        )
        .fault("open_alloc_info", [Want::Quirk(0, EFAULT); 2])
        .fault("private_runtime_data", [Want::Quirk(0, EFAULT); 2])
        .fault("resource_priv_drv_data", [Want::Quirk(0, EFAULT); 2])
        .fault("total_priv_drv_data", [Want::Quirk(0, EFAULT); 2]),
        row(
            Ioctl::ShareObjectWithHost,
            with_host,
            [check(
                "positive status is treated as failure path and returned",
                [refused(Ioctl::ShareObjectWithHost, NtStatus::PENDING, Want::Is(NtStatus::PENDING.as_raw()))],
            )],
        )
        .more(refusals(Ioctl::ShareObjectWithHost, Want::Is)),
    ]
}
