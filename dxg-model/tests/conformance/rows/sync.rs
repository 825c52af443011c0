//! Synchronisation objects.

use dxg_abi::*;

use crate::call::Call;
use crate::case::*;
use crate::common::{ENOMEM, EOVERFLOW};
use crate::world::{World, SHARED};

fn create(w: &mut World) -> Call {
    let mut a = CreateSynchronizationObject2 { device: w.rig.device, ..Default::default() };
    a.info.r#type = SynchronizationObjectType::MONITORED_FENCE;
    let c = Call::new(a).mark(&["sync_object"]).changes(&["sync_object", "info.reserved"]);
    c.effect(|c| {
        c.sync_objects += 1;
        c.fence_pages += 1;
    })
}

fn destroy(w: &mut World) -> Call {
    Call::new(DestroySynchronizationObject { sync_object: w.fence.handle }).effect(|c| {
        c.sync_objects -= 1;
        c.fence_pages -= 1;
    })
}

/// Makes the object one of another type.
fn of(c: &mut Call, ty: SynchronizationObjectType) {
    c.set("info.type", u64::from(ty.0));
}

fn create_row() -> Row {
    let overflow = Want::Is(EOVERFLOW);
    let events: [Way; 3] =
        [("a pipe", |w| w.foreign()), ("closed", |_| 1 << 20), ("no number of a descriptor", |_| u64::MAX)];
    row(
        Ioctl::CreateSynchronizationObject2,
        create,
        [
            live_handle("device -> EINVAL / ENODEV", "device"),
            check(
                "shared without nt_security_sharing -> EINVAL",
                [set("info.flags", u64::from(SynchronizationObjectFlags::SHARED.bits()), INVALID)],
            ),
            check(
                "bad eventfd for type 4 -> EINVAL",
                events.map(|(what, fd)| {
                    case(what, INVALID, move |w, c| {
                        of(c, SynchronizationObjectType::CPU_NOTIFICATION);
                        let fd = fd(w);
                        c.set("info.cpu_notification.event", fd);
                    })
                }),
            ),
            check(
                "host short reply -> EOVERFLOW",
                refusals(Ioctl::CreateSynchronizationObject2, |_| Want::Is(EOVERFLOW)).into_iter().chain([
                    set("info.type", 0, overflow),
                    set("info.type", 7, overflow),
                    // A periodic fence counts the refreshes of a display, of which there is none.
                    set("info.type", 6, overflow),
                    case("semaphore without a count", overflow, |_, c| of(c, SynchronizationObjectType::SEMAPHORE)),
                ]),
            ),
            check("shared but no host global handle -> EINVAL", []),
        ],
    )
    .more([
        case("no addresses", Want::Is(ENOMEM), |w, _| w.exhaust()),
        case("no addresses for the second page", Want::Is(ENOMEM), |w, c| {
            c.set("info.flags", u64::from(SHARED.bits()));
            w.exhaust();
        }),
    ])
}

pub fn rows() -> Vec<Row> {
    vec![
        create_row(),
        row(
            Ioctl::DestroySynchronizationObject,
            destroy,
            [check(
                "not type syncobj (progress / paging fence included) -> EINVAL",
                bad_handles("sync_object").into_iter().chain([
                    case("a paging fence", INVALID, |w, c| {
                        c.set("sync_object", u64::from(w.rig.paging.sync_object.0));
                    }),
                    case("a progress fence", INVALID, |w, c| {
                        c.set("sync_object", u64::from(w.hw.queue_progress_fence.0));
                    }),
                ]),
            )],
        ),
    ]
}
