//! Many threads at once: making, using, losing and destroying things.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::*;
use dxg_abi::*;
use dxg_model::{EngineFault, Fault, Model};

/// One thread's life on a device of its own; everything may fail once devices get lost.
fn live(node: &Model, adapter: Handle, rounds: u64, injected: &AtomicBool) {
    for round in 0..rounds {
        let mut device = CreateDevice { adapter, ..Default::default() };
        assert_eq!(call(node, &mut device), 0);
        let device = device.device;
        let mut paging = CreatePagingQueue { device, ..Default::default() };
        assert_eq!(call(node, &mut paging), 0);
        let mut contexts = [Handle::NULL; 2];
        for (node_ordinal, context) in contexts.iter_mut().enumerate() {
            let node_ordinal = node_ordinal as u32;
            let mut a = CreateContextVirtual { device, node_ordinal, ..Default::default() };
            assert_eq!(call(node, &mut a), 0);
            *context = a.context;
        }
        let private = 8192u64.to_le_bytes();
        let mut info =
            [AllocationInfo2 { priv_drv_data: private.as_ptr() as u64, priv_drv_data_size: 8, ..Default::default() }];
        let mut a = CreateAllocation {
            device,
            alloc_count: 1,
            allocation_info: info.as_mut_ptr() as u64,
            ..Default::default()
        };
        assert_eq!(call(node, &mut a), 0);
        let list = [info[0].allocation];
        let mut map = MapGpuVirtualAddress {
            paging_queue: paging.paging_queue,
            allocation: list[0],
            protection: GpuVaProtection::WRITE,
            ..Default::default()
        };
        assert_eq!(call(node, &mut map), 0);
        let mut resident = MakeResident {
            paging_queue: paging.paging_queue,
            alloc_count: 1,
            allocation_list: list.as_ptr() as u64,
            ..Default::default()
        };
        assert_eq!(call(node, &mut resident), 0);
        let mut fence = CreateSynchronizationObject2 { device, ..Default::default() };
        fence.info.r#type = SynchronizationObjectType::MONITORED_FENCE;
        assert_eq!(call(node, &mut fence), 0);
        let page = fence.info.monitored_fence().fence_cpu_virtual_address;
        let va = map.virtual_address;
        for (i, word) in [STORE, va + 4096, round].into_iter().enumerate() {
            poke(va + 8 * i as u64, word);
        }
        // The two contexts hand the fence to each other.
        for step in 0..20u64 {
            let context = contexts[step as usize % 2];
            call(node, &mut gpu_wait(context, &[fence.sync_object], &[step]));
            let mut submit = SubmitCommand {
                command_buffer: va,
                command_length: 24,
                broadcast_context_count: 1,
                ..Default::default()
            };
            submit.broadcast_context[0] = context;
            call(node, &mut submit);
            call(node, &mut gpu_signal(context, &[fence.sync_object], &[step + 1]));
        }
        // Every other round waits; the others leave the work to be torn down.
        if round % 2 == 0 {
            assert_eq!(call(node, &mut cpu_wait(device, &[fence.sync_object], &[20], 0)), 0);
            let value = peek(page);
            assert!(value == 20 || (value == u64::MAX && injected.load(Ordering::SeqCst)), "{value}");
        }
        assert_eq!(call(node, &mut DestroyDevice { device }), 0);
    }
}

fn run(inject: bool) {
    let rig = Rig::new();
    let (done, injected) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|s| {
        let workers: Vec<_> = (0..4).map(|_| s.spawn(|| live(&rig.node, rig.adapter, 50, &injected))).collect();
        if inject {
            s.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(2));
                    injected.store(true, Ordering::SeqCst);
                    rig.node.inject(&Fault::Engine(EngineFault::Hang));
                }
            });
        }
        for w in workers {
            let result = w.join();
            // The injector has to end before a failure can be reported.
            done.fetch_or(result.is_err(), Ordering::SeqCst);
            assert!(result.is_ok());
        }
        done.store(true, Ordering::SeqCst);
    });
    // Nothing is left but the rig's own device.
    let a = QueryVideoMemoryInfo { adapter: rig.adapter, ..Default::default() };
    assert_eq!(ok(&rig.node, a).current_usage, 0);
}

#[test]
fn threads_on_one_model() {
    run(false);
}

#[test]
fn threads_while_devices_get_lost() {
    run(true);
}
