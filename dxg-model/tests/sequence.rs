//! The minimal call sequence from enumeration to teardown, on software contexts and on hardware
//! queues, with paging operations at once and pending.

mod common;

use std::time::Duration;

use common::*;
use dxg_abi::*;
use dxg_model::Config;

fn software(config: Config) {
    let rig = Rig::with(config);
    let node = &rig.node;
    let context = rig.context();
    let fence = rig.fence(0);
    let pages = Pages::private(64 << 10);
    let (allocation, resource) = rig.sysmem(&pages);

    let mut map = rig.map_call(allocation, pages.address);
    let r1 = call(node, &mut map);
    let mut resident = rig.make_resident_call(&[allocation]);
    let r2 = call(node, &mut resident);
    assert!([0, PENDING].contains(&r1) && r1 == r2);
    assert_eq!(map.virtual_address, pages.address, "CPU and GPU pointers are equal");
    let wanted = map.paging_fence_value.max(resident.paging_fence_value);
    assert_eq!(wanted, 2);
    if peek(rig.paging.fence_cpu_virtual_address) < wanted {
        assert_eq!(r1, PENDING);
        rig.wait_gpu(context, rig.paging.sync_object, wanted);
    }

    let (va, result) = (map.virtual_address, map.virtual_address + 4096);
    let length = rig.write(va, &[[STORE, result, 0xabcd]]);
    rig.submit(context, va, length);
    rig.signal_gpu(context, fence.handle, 1);
    let event = Event::new();
    ok(node, cpu_wait(rig.device, &[fence.handle], &[1], event.fd()));
    assert!(event.poll(Duration::from_secs(10)));
    assert_eq!((event.take(), peek(fence.cpu), peek(result)), (1, 1, 0xabcd));
    assert_eq!(rig.execution(), DeviceExecutionState::ACTIVE);

    let device = rig.device;
    ok(node, Evict { device, alloc_count: 1, allocations: &raw const allocation as u64, ..Default::default() });
    ok(node, FreeGpuVirtualAddress { adapter: rig.adapter, base_address: va, size: pages.size, ..Default::default() });
    assert!(!node.address_space().check(va, 8, false));
    ok(node, DestroyAllocation2 { device, resource, ..Default::default() });
    ok(node, DestroySynchronizationObject { sync_object: fence.handle });
    ok(node, DestroyContext { context });
    ok(node, DestroyPagingQueue { paging_queue: rig.paging.paging_queue });
    ok(node, DestroyDevice { device });
    ok(node, CloseAdapter { adapter_handle: rig.adapter });
    fails(node, DestroyDevice { device }, EINVAL);
    fails(node, CloseAdapter { adapter_handle: rig.adapter }, EINVAL);
}

#[test]
fn software_queue() {
    software(config());
}

#[test]
fn software_queue_pending() {
    software(pending_config());
}

#[test]
fn software_queue_fire_and_forget() {
    software(Config { asynchronous: true, ..config() });
}

fn hardware(config: Config) {
    let rig = Rig::with(config);
    let node = &rig.node;
    let (queue, other) = (rig.hw_queue(), rig.hw_queue());
    let (_, va) = rig.buffer(64 << 10);
    let length = rig.write(va, &[[STORE, va + 4096, 5]]);
    let submit = |q: &CreateHwQueue, at: u64, length: u32, id: u64| {
        ok(
            node,
            SubmitCommandToHwQueue {
                hwqueue: q.queue,
                hwqueue_progress_fence_id: id,
                command_buffer: at,
                command_length: length,
                ..Default::default()
            },
        );
    };
    // The second queue waits for the first, across queues.
    let (objects, values) = ([queue.queue_progress_fence], [1u64]);
    ok(
        node,
        SubmitWaitForSyncObjectsToHwQueue {
            hwqueue: other.queue,
            object_count: 1,
            objects: objects.as_ptr() as u64,
            fence_values: values.as_ptr() as u64,
        },
    );
    let tail = rig.write(va + 1024, &[[STORE, va + 4096, 6], [STORE, va + 4104, 1]]);
    submit(&other, va + 1024, tail, 1);
    submit(&queue, va, length, 1);
    rig.until(other.queue_progress_fence_cpu_va, 1);
    assert_eq!(peek(va + 4096), 6, "in the order of the fences");
    assert_eq!(peek(queue.queue_progress_fence_cpu_va), 1);

    // A signal behind both queues.
    let fence = rig.fence(3);
    let queues = [queue.queue, other.queue];
    let (objects, values) = ([fence.handle], [9u64]);
    ok(
        node,
        SubmitSignalSyncObjectsToHwQueue {
            hwqueue_count: 2,
            hwqueues: queues.as_ptr() as u64,
            object_count: 1,
            objects: objects.as_ptr() as u64,
            fence_values: values.as_ptr() as u64,
            ..Default::default()
        },
    );
    rig.until(fence.cpu, 9);

    // The progress fence is a fence without an object of its own.
    let sync_object = queue.queue_progress_fence;
    fails(node, DestroySynchronizationObject { sync_object }, EINVAL);
    ok(node, cpu_wait(rig.device, &[sync_object], &[1], 0));
    // Software submission is not for such contexts.
    fails(node, rig.submit_call(queue.context, va, length), EINVAL);
    ok(node, DestroyHwQueue { queue: queue.queue });
    fails(node, DestroyHwQueue { queue: queue.queue }, EINVAL);
    // The context takes its queues down.
    ok(node, DestroyContext { context: other.context });
    fails(node, DestroyHwQueue { queue: other.queue }, EINVAL);
}

#[test]
fn hardware_queue() {
    hardware(config());
}

#[test]
fn hardware_queue_pending() {
    hardware(pending_config());
}

#[test]
fn hardware_queues_can_be_switched_off() {
    let rig = Rig::with(Config { hw_queues: false, ..config() });
    let flags = CreateContextFlags::HW_QUEUE_SUPPORTED;
    let device = rig.device;
    fails(&rig.node, CreateContextVirtual { device, flags, ..Default::default() }, EINVAL);
    let context = rig.context();
    fails(&rig.node, CreateHwQueue { context, ..Default::default() }, EINVAL);
}

#[test]
fn a_context_runs_in_order_and_others_overtake_a_blocked_one() {
    let rig = Rig::new();
    let (first, second) = (rig.context(), rig.context());
    let (_, va) = rig.buffer(64 << 10);
    let gate = rig.fence(0);
    let (done1, done2) = (rig.fence(0), rig.fence(0));
    let nop = rig.write(va, &[[SLEEP, 0, 0]]);
    let tagged = |context, tag: u8| {
        let private = [tag];
        let a = SubmitCommand {
            priv_drv_data: private.as_ptr() as u64,
            priv_drv_data_size: 1,
            ..rig.submit_call(context, va, nop)
        };
        ok(&rig.node, a);
    };
    rig.wait_gpu(first, gate.handle, 1);
    for tag in 0..8 {
        tagged(first, tag);
    }
    rig.signal_gpu(first, done1.handle, 1);
    tagged(second, 100);
    rig.signal_gpu(second, done2.handle, 1);
    rig.until(done2.cpu, 1);
    assert_eq!(*rig.engine.log.lock().unwrap(), [100]);
    rig.signal_cpu(gate.handle, 1);
    rig.until(done1.cpu, 1);
    assert_eq!(*rig.engine.log.lock().unwrap(), [100, 0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn queues_ping_pong_by_fences_alone() {
    let rig = Rig::new();
    let (a, b) = (rig.context_with(Default::default(), 0), rig.context_with(Default::default(), 1));
    let (ping, pong) = (rig.fence(0), rig.fence(0));
    for i in 1..=200 {
        rig.wait_gpu(a, pong.handle, i - 1);
        rig.signal_gpu(a, ping.handle, i);
        rig.wait_gpu(b, ping.handle, i);
        rig.signal_gpu(b, pong.handle, i);
    }
    rig.until(pong.cpu, 200);
    assert_eq!(peek(ping.cpu), 200);
}

#[test]
fn the_last_adapter_handle_takes_devices_along() {
    let rig = Rig::new();
    let node = &rig.node;
    let open = OpenAdapterFromLuid { adapter_luid: rig.luid, ..Default::default() };
    let second = ok(node, open).adapter_handle;
    assert_eq!((rig.adapter.0, second.0), (0x4000_0000, 0x4000_0040));
    let context = rig.context();
    let fence = rig.fence(0);
    // Stuck work does not keep the device alive.
    rig.wait_gpu(context, fence.handle, 1);
    ok(node, CloseAdapter { adapter_handle: rig.adapter });
    assert_eq!(rig.execution(), DeviceExecutionState::ACTIVE);
    ok(node, CloseAdapter { adapter_handle: second });
    fails(node, DestroyDevice { device: rig.device }, EINVAL);
    fails(node, DestroyContext { context }, EINVAL);
    fails(node, DestroySynchronizationObject { sync_object: fence.handle }, EINVAL);
    assert!(!node.address_space().check(fence.gpu, 8, false), "the page is gone");
}

#[test]
fn dropping_the_model_ends_its_threads_and_running_work() {
    let rig = Rig::with(pending_config());
    let weak = std::sync::Arc::downgrade(&rig.engine);
    let context = rig.context();
    let (_, va) = rig.buffer(4096);
    let length = rig.write(va, &[[SPIN, 0, 0]]);
    rig.submit(context, va, length);
    drop(rig);
    assert!(weak.upgrade().is_none(), "threads, queues or tables still hold the engine");
}

#[test]
fn two_models_live_side_by_side() {
    let (a, b) = (Rig::new(), Rig::new());
    let (sa, sb) = (a.node.address_space(), b.node.address_space());
    let apart = sa.base() + sa.size() <= sb.base() || sb.base() + sb.size() <= sa.base();
    assert!(apart);
    assert_eq!(a.node.describe(), "model (Test GPU ä)");
}
