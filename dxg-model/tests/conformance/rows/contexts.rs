//! Devices, contexts, hardware queues, paging queues, priorities.

use dxg_abi::*;

use crate::call::Call;
use crate::case::*;
use crate::common::{ENOMEM, EOVERFLOW};
use crate::world::World;

fn create_device(w: &mut World) -> Call {
    Call::new(CreateDevice { adapter: w.rig.adapter, ..Default::default() })
        .mark(&["device"])
        .effect(|c| c.devices += 1)
}

fn destroy_device(w: &mut World) -> Call {
    Call::new(DestroyDevice { device: w.second }).effect(|c| c.devices -= 1)
}

fn device_state(w: &mut World) -> Call {
    let a = GetDeviceState { device: w.rig.device, state_type: DeviceStateType::EXECUTION, ..Default::default() };
    Call::new(a).mark(&["alignment"]).changes(&["alignment"])
}

fn mark_device(w: &mut World) -> Call {
    Call::new(MarkDeviceAsError { device: w.second, reason: DeviceErrorReason::GENERIC })
}

fn create_context(w: &mut World) -> Call {
    let priv_drv_data = w.put(b"private data of!");
    let (device, priv_drv_data_size) = (w.rig.device, 16);
    let a = CreateContextVirtual { device, priv_drv_data, priv_drv_data_size, ..Default::default() };
    let c = Call::new(a).mark(&["context"]).effect(|c| c.contexts += 1);
    c.passes("priv_drv_data", "priv_drv_data", priv_drv_data, 16)
}

fn destroy_context(w: &mut World) -> Call {
    Call::new(DestroyContext { context: w.further }).effect(|c| c.contexts -= 1)
}

fn create_hw_queue(w: &mut World) -> Call {
    let priv_drv_data = w.put(b"private data of!");
    let a = CreateHwQueue { context: w.hw_context, priv_drv_data, priv_drv_data_size: 16, ..Default::default() };
    let out = ["queue", "queue_progress_fence", "queue_progress_fence_cpu_va", "queue_progress_fence_gpu_va"];
    let c = Call::new(a).mark(&out).passes("priv_drv_data", "priv_drv_data", priv_drv_data, 16);
    c.effect(|c| {
        c.hw_queues += 1;
        c.queue_fences += 1;
        c.fence_pages += 1;
    })
}

fn destroy_hw_queue(w: &mut World) -> Call {
    Call::new(DestroyHwQueue { queue: w.hw.queue }).effect(|c| {
        c.hw_queues -= 1;
        c.queue_fences -= 1;
        c.fence_pages -= 1;
    })
}

fn create_paging_queue(w: &mut World) -> Call {
    let out = ["paging_queue", "sync_object", "fence_cpu_virtual_address"];
    let c = Call::new(CreatePagingQueue { device: w.rig.device, ..Default::default() }).mark(&out);
    c.changes(&["paging_queue", "sync_object", "fence_cpu_virtual_address"]).effect(|c| {
        c.paging_queues += 1;
        c.queue_fences += 1;
        c.fence_pages += 1;
    })
}

fn destroy_paging_queue(w: &mut World) -> Call {
    Call::new(DestroyPagingQueue { paging_queue: w.rig.paging.paging_queue }).effect(|c| {
        c.paging_queues -= 1;
        c.queue_fences -= 1;
        c.fence_pages -= 1;
    })
}

fn get_priority(w: &mut World) -> Call {
    Call::new(GetContextSchedulingPriority { context: w.context, ..Default::default() }).mark(&["priority"])
}

fn get_in_process_priority(w: &mut World) -> Call {
    Call::new(GetContextInProcessSchedulingPriority { context: w.context, ..Default::default() }).mark(&["priority"])
}

fn set_priority(w: &mut World) -> Call {
    Call::new(SetContextSchedulingPriority { context: w.context, priority: -7 })
}

fn set_in_process_priority(w: &mut World) -> Call {
    Call::new(SetContextInProcessSchedulingPriority { context: w.context, priority: 7 })
}

/// A row about the priority of a context.
fn priority(ioctl: Ioctl, build: fn(&mut World) -> Call) -> Row {
    let set_calls = [Ioctl::SetContextSchedulingPriority, Ioctl::SetContextInProcessSchedulingPriority];
    let wrong = [8, u64::from(-8i32 as u32)].map(|v| set("priority", v, INVALID));
    let wrong = wrong.into_iter().filter(|_| set_calls.contains(&ioctl));
    let r = row(ioctl, build, [handle("context -> EINVAL", "context")]);
    r.more([stopped()]).more(refusals(ioctl, Want::Is)).more(wrong)
}

pub fn rows() -> Vec<Row> {
    vec![
        row(
            Ioctl::CreateDevice,
            create_device,
            [
                handle("adapter handle -> EINVAL", "adapter"),
                check("adapter stopped -> ENODEV", [stopped()]),
                check(
                    "host refused -> returns 0 with device not written (bug)",
                    refusals(Ioctl::CreateDevice, |_| Want::Quirk(0, EOVERFLOW)),
                ),
            ],
        ),
        row(
            Ioctl::DestroyDevice,
            destroy_device,
            [
                handle("device -> EINVAL", "device"),
                check(
                    "otherwise always 0",
                    [
                        case("already lost", Want::Is(0), |w, _| {
                            w.rig.node.inject(&dxg_model::Fault::OutOfMemory);
                        })
                        .writes(Writes::AsValid),
                        case("adapter stopped", Want::Is(0), |w, _| {
                            w.stop();
                        })
                        .writes(Writes::AsValid),
                    ],
                ),
            ],
        ),
        row(
            Ioctl::GetDeviceState,
            device_state,
            [
                handle("device -> EINVAL", "device"),
                check(
                    "EXECUTION may be answered from the cache",
                    [refused(Ioctl::GetDeviceState, NtStatus::INVALID_PARAMETER, Want::Is(0)).writes(Writes::AsValid)],
                ),
            ],
        )
        .more([set("state_type", 0, INVALID), set("state_type", 99, INVALID)])
        .more(STATUSES.map(|(status, errno)| {
            case("host refuses", Want::Is(errno), move |w, c| {
                c.set("state_type", u64::from(DeviceStateType::PAGE_FAULT.0));
                w.refuse(Ioctl::GetDeviceState, status);
            })
        })),
        row(Ioctl::MarkDeviceAsError, mark_device, [handle("device -> EINVAL", "device")])
            .more(refusals(Ioctl::MarkDeviceAsError, Want::Is)),
        row(
            Ioctl::CreateContextVirtual,
            create_context,
            [
                handle("device handle -> EINVAL", "device"),
                check("device/adapter inactive -> ENODEV", [stopped()]),
                check(
                    "any host or private-data failure -> EINVAL",
                    [
                        set("node_ordinal", 2, INVALID),
                        set("engine_affinity", 2, INVALID),
                        set("priv_drv_data_size", 131_073, INVALID),
                        case("private data nowhere", INVALID, |w, c| c.set("priv_drv_data", w.nowhere())),
                        case("hardware queues", INVALID, |_, c| {
                            c.set("flags", u64::from(CreateContextFlags::HW_QUEUE_SUPPORTED.bits()));
                        })
                        .only(|m| !m.hw_queues),
                    ]
                    .into_iter()
                    .chain(refusals(Ioctl::CreateContextVirtual, |_| INVALID)),
                ),
            ],
        )
        .fault("priv_drv_data", [INVALID; 2]),
        row(Ioctl::DestroyContext, destroy_context, [handle("context handle -> EINVAL", "context")]),
        row(
            Ioctl::CreateHwQueue,
            create_hw_queue,
            [
                handle("context -> EINVAL", "context"),
                check("device/adapter inactive -> ENODEV", [stopped()]),
                check(
                    "host status",
                    refusals(Ioctl::CreateHwQueue, Want::Is).into_iter().chain([case(
                        "no hardware queues",
                        INVALID,
                        |w, c| c.set_handle("context", w.context),
                    )]),
                ),
                check("map failure -> ENOMEM", [case("no addresses", Want::Is(ENOMEM), |w, _| w.exhaust())]),
            ],
        )
        .more([set("priv_drv_data_size", 131_073, INVALID)])
        .hw(),
        row(Ioctl::DestroyHwQueue, destroy_hw_queue, [handle("queue -> EINVAL", "queue")]).hw(),
        row(
            Ioctl::CreatePagingQueue,
            create_paging_queue,
            [
                live_handle("device -> EINVAL / ENODEV", "device"),
                check(
                    "host short reply -> EOVERFLOW",
                    refusals(Ioctl::CreatePagingQueue, |_| Want::Is(EOVERFLOW)).into_iter().chain([
                        set("priority", 2, Want::Is(EOVERFLOW)),
                        set("physical_adapter_index", 1, Want::Is(EOVERFLOW)),
                    ]),
                ),
                check("map failure -> ENOMEM", [case("no addresses", Want::Is(ENOMEM), |w, _| w.exhaust())]),
            ],
        ),
        row(Ioctl::DestroyPagingQueue, destroy_paging_queue, [handle("queue -> EINVAL", "paging_queue")]),
        priority(Ioctl::GetContextSchedulingPriority, get_priority),
        priority(Ioctl::SetContextSchedulingPriority, set_priority),
        priority(Ioctl::GetContextInProcessSchedulingPriority, get_in_process_priority),
        priority(Ioctl::SetContextInProcessSchedulingPriority, set_in_process_priority),
    ]
}
