//! Submissions, and the signals and waits of queues.

use dxg_abi::*;

use crate::call::Call;
use crate::case::*;
use crate::common::*;
use crate::world::{Condition, World};

const EVENT: u64 = SignalFlags::ENQUEUE_CPU_EVENT.bits() as u64;

fn submit(w: &mut World) -> Call {
    let private = w.put(b"private data of!");
    let mut a = SubmitCommand {
        priv_drv_data: private,
        priv_drv_data_size: 16,
        broadcast_context_count: 2,
        ..w.rig.submit_call(w.context, w.va, 24)
    };
    a.broadcast_context[1] = w.further;
    Call::new(a).reads("priv_drv_data", private, 16)
}

fn submit_to_hw_queue(w: &mut World) -> Call {
    let private = w.put(b"private data of!");
    let a = SubmitCommandToHwQueue {
        hwqueue: w.hw.queue,
        hwqueue_progress_fence_id: 1,
        command_buffer: w.va,
        command_length: 24,
        priv_drv_data: private,
        priv_drv_data_size: 16,
        ..Default::default()
    };
    Call::new(a).reads("priv_drv_data", private, 16)
}

fn signal_legacy(w: &mut World) -> Call {
    let mut a =
        SignalSynchronizationObject2 { context: w.context, object_count: 1, context_count: 1, ..Default::default() };
    a.object_array[0] = w.legacy;
    a.contexts[0] = w.further;
    a.fence.fence_value = 1;
    Call::new(a)
}

fn signal_from_gpu(w: &mut World) -> Call {
    let (list, values) = (w.put_handles(&[w.fence.handle, w.shared_fence.handle]), w.put_words(&[4, 5]));
    let a = SignalSynchronizationObjectFromGpu {
        context: w.context,
        object_count: 2,
        objects: list,
        monitored_fence_values: values,
        ..Default::default()
    };
    Call::new(a).reads("objects", list, 8).reads("monitored_fence_values", values, 16)
}

fn signal_from_gpu2(w: &mut World) -> Call {
    let (list, values) = (w.put_handles(&[w.fence.handle]), w.put_words(&[4]));
    let contexts = w.put_handles(&[w.context, w.further]);
    let a = SignalSynchronizationObjectFromGpu2 {
        object_count: 1,
        objects: list,
        context_count: 2,
        contexts,
        monitored_fence_values: values,
        ..Default::default()
    };
    let c = Call::new(a).reads("objects", list, 4).reads("contexts", contexts, 8);
    c.reads("monitored_fence_values", values, 8)
}

fn signal_to_hw_queue(w: &mut World) -> Call {
    let (queues, list) = (w.put_handles(&[w.hw.queue]), w.put_handles(&[w.fence.handle]));
    let values = w.put_words(&[4]);
    let a = SubmitSignalSyncObjectsToHwQueue {
        hwqueue_count: 1,
        hwqueues: queues,
        object_count: 1,
        objects: list,
        fence_values: values,
        ..Default::default()
    };
    let c = Call::new(a).reads("hwqueues", queues, 4).reads("objects", list, 4);
    c.reads("fence_values", values, 8)
}

fn wait_to_hw_queue(w: &mut World) -> Call {
    let (list, values) = (w.put_handles(&[w.fence.handle]), w.put_words(&[3]));
    let a =
        SubmitWaitForSyncObjectsToHwQueue { hwqueue: w.hw.queue, object_count: 1, objects: list, fence_values: values };
    Call::new(a).reads("objects", list, 4).reads("fence_values", values, 8)
}

fn wait_legacy(w: &mut World) -> Call {
    let mut a = WaitForSynchronizationObject2 { context: w.context, object_count: 1, ..Default::default() };
    a.object_array[0] = w.legacy;
    Call::new(a)
}

fn wait_from_gpu(w: &mut World) -> Call {
    let (list, values) = (w.put_handles(&[w.fence.handle, w.rig.paging.sync_object]), w.put_words(&[3, 0]));
    let a = WaitForSynchronizationObjectFromGpu {
        context: w.context,
        object_count: 2,
        objects: list,
        monitored_fence_values: values,
        ..Default::default()
    };
    Call::new(a).reads("objects", list, 8).reads("monitored_fence_values", values, 16)
}

fn signal_from_cpu(w: &mut World) -> Call {
    let (list, values) = (w.put_handles(&[w.fence.handle]), w.put_words(&[4]));
    let a = SignalSynchronizationObjectFromCpu {
        device: w.rig.device,
        object_count: 1,
        objects: list,
        fence_values: values,
        ..Default::default()
    };
    Call::new(a).reads("objects", list, 4).reads("fence_values", values, 8)
}

fn wait_from_cpu(w: &mut World) -> Call {
    let (list, values) = (w.put_handles(&[w.fence.handle]), w.put_words(&[3]));
    let a = WaitForSynchronizationObjectFromCpu {
        device: w.rig.device,
        object_count: 1,
        objects: list,
        fence_values: values,
        ..Default::default()
    };
    Call::new(a).reads("objects", list, 4).reads("fence_values", values, 8)
}

fn counts(field: &'static str, high: u64) -> [Case; 2] {
    [set(field, 0, INVALID), set(field, high + 1, INVALID)]
}

/// Objects that the host does not take.
fn bad_objects() -> Vec<Case> {
    let bad = Want::Host(EINVAL);
    vec![
        case("not an object to signal", bad, |w, c| {
            crate::common::poke_bytes(c.get("objects"), &w.context.0.to_le_bytes())
        }),
        case("unknown object", bad, |w, c| {
            let stale = w.stale;
            crate::common::poke_bytes(c.get("objects"), &stale.0.to_le_bytes());
        }),
    ]
}

/// Descriptors that are not an eventfd, in a field that has one.
fn bad_events(field: &'static str, prepare: fn(&mut Call)) -> Vec<Case> {
    let ways: [Way; 4] = [
        ("a pipe", |w| w.foreign()),
        ("closed", |_| 1 << 20),
        ("no number of a descriptor", |_| u64::MAX),
        ("an object of ours", |w| w.share(w.shared_fence.handle)),
    ];
    ways.into_iter()
        .map(|(what, fd)| {
            case(what, INVALID, move |w, c| {
                prepare(c);
                let fd = fd(w);
                c.set(field, fd);
            })
        })
        .collect()
}

pub fn rows() -> Vec<Row> {
    use Ioctl::*;
    let host = Want::Host(EINVAL);
    vec![
        row(
            SubmitCommand,
            submit,
            [
                check(
                    "counts -> EINVAL",
                    counts("broadcast_context_count", 64).into_iter().chain([
                        set("priv_drv_data_size", 131_073, INVALID),
                        set("num_history_buffers", 1025, INVALID),
                        set("num_primaries", 131_073, INVALID),
                    ]),
                ),
                handle("context -> EINVAL", "broadcast_context[0]"),
            ],
        )
        .more([stopped()])
        .more(refusals(SubmitCommand, Want::Host))
        .more([
            case("further context unknown", host, |_, c| {
                c.set("broadcast_context", c.get("broadcast_context") & 0xffff_ffff | 77 << 32);
            }),
            case("for hardware queues", host, |w, c| c.set_handle("broadcast_context[0]", w.hw_context))
                .only(|m| m.hw_queues),
            case("device lost", Want::Host(ENODEV), |w, _| w.rig.node.inject(&dxg_model::Fault::OutOfMemory)),
            // Only the count of primaries is looked at, and only against 128 Ki.
            set("num_primaries", 100, Want::Is(0)),
        ]),
        row(
            SubmitCommandToHwQueue,
            submit_to_hw_queue,
            [
                check(
                    "sizes -> EINVAL",
                    [set("priv_drv_data_size", 131_073, INVALID), set("num_primaries", 131_073, INVALID)],
                ),
                handle("queue -> EINVAL", "hwqueue"),
            ],
        )
        .hw()
        .more([stopped()])
        .more(refusals(SubmitCommandToHwQueue, Want::Host))
        .more([case("device lost", Want::Host(ENODEV), |w, _| w.rig.node.inject(&dxg_model::Fault::OutOfMemory))]),
        row(
            SignalSynchronizationObject2,
            signal_legacy,
            [
                check("counts -> EINVAL", [set("context_count", 64, INVALID), set("object_count", 33, INVALID)]),
                check("bad eventfd -> EINVAL", bad_events("cpu_event_handle", |c| c.set("flags", EVENT))),
                handle("context -> EINVAL", "context"),
            ],
        )
        .more([stopped()])
        .more(refusals(SignalSynchronizationObject2, Want::Host))
        .more([
            set("object_array", 77, host),
            set("contexts", 77, host),
            case("an eventfd", Want::Is(0), |w, c| {
                c.set("flags", EVENT);
                c.set("cpu_event_handle", w.event.fd() as u64);
            }),
        ]),
        row(
            SignalSynchronizationObjectFromGpu,
            signal_from_gpu,
            [check("count -> EINVAL", counts("object_count", 131_072)), handle("context -> EINVAL", "context")],
        )
        .more([stopped()])
        .more(refusals(SignalSynchronizationObjectFromGpu, Want::Host))
        .more(bad_objects()),
        row(
            SignalSynchronizationObjectFromGpu2,
            signal_from_gpu2,
            [
                check(
                    "enqueue_cpu_event needs object_count==0 and cpu_event_handle!=0 -> else EINVAL",
                    [
                        case("objects beside an event", INVALID, |w, c| {
                            c.set("flags", EVENT);
                            c.set("cpu_event_handle", w.event.fd() as u64);
                            c.set("object_count", 1);
                        })
                        .alone(),
                        case("no event", INVALID, |_, c| {
                            c.set("flags", EVENT);
                            c.set("object_count", 0);
                            c.set("cpu_event_handle", 0);
                        })
                        .alone(),
                    ],
                ),
                check(
                    "otherwise both counts >=1 -> else EINVAL",
                    [
                        case("no objects", INVALID, |_, c| {
                            c.set("flags", 0);
                            c.set("object_count", 0);
                        })
                        .alone(),
                        set("context_count", 0, INVALID).alone(),
                        set("object_count", 131_073, INVALID).alone(),
                        set("context_count", 131_073, INVALID).alone(),
                    ],
                ),
                check(
                    "bad eventfd -> EINVAL",
                    bad_events("cpu_event_handle", |c| {
                        c.set("flags", EVENT);
                        c.set("object_count", 0);
                    }),
                ),
                handle("context -> EINVAL", "contexts[0]"),
            ],
        )
        .more([stopped()])
        .more(refusals(SignalSynchronizationObjectFromGpu2, Want::Host))
        .more(bad_objects())
        .more([
            case("further context unknown", host, |_, c| {
                crate::common::poke_bytes(c.get("contexts") + 4, &[77, 0, 0, 0])
            }),
            case("an eventfd", Want::Is(0), |w, c| {
                c.set("flags", EVENT);
                c.set("object_count", 0);
                c.set("cpu_event_handle", w.event.fd() as u64);
            }),
        ]),
        row(
            SubmitSignalSyncObjectsToHwQueue,
            signal_to_hw_queue,
            [
                check("counts -> EINVAL", counts("hwqueue_count", 64).into_iter().chain(counts("object_count", 32))),
                handle("queue -> EINVAL", "hwqueues[0]"),
            ],
        )
        .hw()
        .more([stopped()])
        .more(refusals(SubmitSignalSyncObjectsToHwQueue, Want::Host))
        .more(bad_objects())
        .more([case("further queue unknown", host, |w, c| {
            let at = w.put_handles(&[w.hw.queue, Handle(77)]);
            c.set("hwqueues", at);
            c.set("hwqueue_count", 2);
        })]),
        row(
            SubmitWaitForSyncObjectsToHwQueue,
            wait_to_hw_queue,
            [check("count -> EINVAL", counts("object_count", 32)), handle("queue -> EINVAL", "hwqueue")],
        )
        .hw()
        .more([stopped()])
        .more(refusals(SubmitWaitForSyncObjectsToHwQueue, Want::Host))
        .more(bad_objects()),
        row(
            WaitForSynchronizationObject2,
            wait_legacy,
            [check("count -> EINVAL", counts("object_count", 32)), handle("context -> EINVAL", "context")],
        )
        .more([stopped()])
        .more(refusals(WaitForSynchronizationObject2, Want::Host))
        .more([set("object_array", 77, host)]),
        row(
            WaitForSynchronizationObjectFromGpu,
            wait_from_gpu,
            [
                check("count 0 or >131072 -> EINVAL", counts("object_count", 131_072)),
                handle("context -> EINVAL", "context"),
                check("objects[0] not a sync object or fence -> EINVAL", bad_handles("objects[0]")),
                check("count >32 -> EINVAL", [set("object_count", 33, INVALID)]),
            ],
        )
        .more([stopped()])
        .more(refusals(WaitForSynchronizationObjectFromGpu, Want::Host))
        .more([case("second object unknown", host, |_, c| {
            crate::common::poke_bytes(c.get("objects") + 4, &[77, 0, 0, 0])
        })]),
        row(
            SignalSynchronizationObjectFromCpu,
            signal_from_cpu,
            [check("count -> EINVAL", counts("object_count", 32)), handle("device -> EINVAL", "device")],
        )
        .more([stopped()])
        .more(refusals(SignalSynchronizationObjectFromCpu, Want::Host))
        .more(bad_objects()),
        row(
            WaitForSynchronizationObjectFromCpu,
            wait_from_cpu,
            [
                check("count -> EINVAL", counts("object_count", 131_072)),
                check("bad eventfd -> EINVAL", bad_events("async_event", |_| ())),
                handle("device -> EINVAL", "device"),
                check(
                    "host status",
                    refusals(WaitForSynchronizationObjectFromCpu, Want::Is).into_iter().chain([case(
                        "unknown object",
                        INVALID,
                        |w, c| {
                            let stale = w.stale;
                            crate::common::poke_bytes(c.get("objects"), &stale.0.to_le_bytes());
                        },
                    )]),
                ),
                check(
                    "blocking wait interrupted -> ERESTARTSYS",
                    [case("signals", Want::Is(EINTR), |w, c| {
                        crate::common::poke(c.get("fence_values"), 1000);
                        w.under(Condition::Signals);
                    })
                    .alone()],
                ),
            ],
        )
        .more([stopped(), case("an eventfd", Want::Is(0), |w, c| c.set("async_event", w.event.fd() as u64))]),
    ]
}
