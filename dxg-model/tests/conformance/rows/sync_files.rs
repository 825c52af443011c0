//! Sync files.

use std::os::fd::{FromRawFd, OwnedFd};

use dxg_abi::*;

use crate::call::{Call, Place};
use crate::case::*;
use crate::common::{ok, EINVAL, ENOMEM};
use crate::world::{Condition, World};

type Object = (&'static str, fn(&mut World) -> Handle);

fn create(w: &mut World) -> Call {
    let a = CreateSyncFile {
        device: w.rig.device,
        monitored_fence: w.shared_fence.handle,
        fence_value: 9,
        ..Default::default()
    };
    let c = Call::new(a).mark(&["sync_file_handle"]).changes(&["sync_file_handle"]).effect(|c| c.sync_files += 1);
    Call { descriptor: Some(Place::Field("sync_file_handle")), ..c }
}

/// A sync file of a fence, for a value.
fn file(w: &mut World, fence: Handle, fence_value: u64) -> u64 {
    let a = CreateSyncFile { device: w.rig.device, monitored_fence: fence, fence_value, ..Default::default() };
    let fd = ok(&w.rig.node, a).sync_file_handle;
    // SAFETY: the descriptor was just made for us.
    w.keep(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn wait(w: &mut World) -> Call {
    let sync_file_handle = file(w, w.shared_fence.handle, 3);
    Call::new(WaitSyncFile { sync_file_handle, context: w.context, ..Default::default() })
}

fn open(w: &mut World) -> Call {
    let sync_file_handle = file(w, w.shared_fence.handle, 3);
    let a = OpenSyncObjectFromSyncFile { sync_file_handle, device: w.second, ..Default::default() };
    let c = Call::new(a).mark(&["syncobj", "fence_value", "fence_value_cpu_va", "fence_value_gpu_va"]);
    let c = c.changes(&["syncobj", "fence_value", "fence_value_cpu_va", "fence_value_gpu_va"]);
    c.effect(|c| {
        c.sync_objects += 1;
        c.fence_pages += 1;
    })
}

fn foreign() -> Vec<Case> {
    let ways: [Way; 5] = [
        ("a pipe", |w| w.foreign()),
        ("closed", |_| 1 << 20),
        ("no number of a descriptor", |_| u64::MAX),
        ("an eventfd", |w| w.event.fd() as u64),
        ("a shared fence", |w| w.share(w.shared_fence.handle)),
    ];
    ways.into_iter()
        .map(|(what, fd)| {
            case(what, INVALID, move |w, c| {
                let fd = fd(w);
                c.set("sync_file_handle", fd);
            })
        })
        .collect()
}

/// A sync file of a fence that is not shared: nothing is done, and success returned.
fn private() -> Case {
    case("not shared", Want::Quirk(0, EINVAL), |w, c| {
        let fd = file(w, w.fence.handle, 3);
        c.set("sync_file_handle", fd);
    })
}

pub fn rows() -> Vec<Row> {
    let not_a_fence: [Object; 3] = [
        ("a paging fence", |w| w.rig.paging.sync_object),
        ("a progress fence", |w| w.hw.queue_progress_fence),
        ("an older fence", |w| w.legacy),
    ];
    vec![
        row(
            Ioctl::CreateSyncFile,
            create,
            [
                live_handle("device -> EINVAL / ENODEV", "device"),
                check(
                    "handle without kernel object (paging / progress fence) or unknown -> EINVAL",
                    bad_handles("monitored_fence").into_iter().chain(not_a_fence.map(|(what, which)| {
                        case(what, INVALID, move |w, c| {
                            let h = which(w);
                            c.set("monitored_fence", u64::from(h.0));
                        })
                    })),
                ),
            ],
        )
        .more(refusals(Ioctl::CreateSyncFile, Want::Is))
        .more([case("no descriptors", Want::Is(-131), |w, _| w.under(Condition::NoDescriptors))]),
        row(
            Ioctl::WaitSyncFile,
            wait,
            [
                check("fd not a sync_file -> EINVAL", foreign()),
                handle("context -> EINVAL", "context"),
                check("fence not shared -> 0 and no wait is queued (bug)", [private()]),
            ],
        )
        .more([stopped()])
        .more(refusals(Ioctl::WaitSyncFile, Want::Host)),
        row(
            Ioctl::OpenSyncObjectFromSyncFile,
            open,
            [
                check("fd not a sync_file -> EINVAL", foreign()),
                check("fence not shared -> 0 and nothing written (bug)", [private()]),
                live_handle("device -> EINVAL / ENODEV", "device"),
            ],
        )
        .more(refusals(Ioctl::OpenSyncObjectFromSyncFile, Want::Is))
        .more([case("no addresses", Want::Is(ENOMEM), |w, _| w.exhaust())]),
    ]
}
