//! Devices that are lost: states, fences, waits, later work.

mod common;

use std::time::Duration;

use common::*;
use dxg_abi::*;
use dxg_model::{Config, EngineFault, Fault};

/// Submits commands that fail and checks what is left.
fn run(rig: &Rig, commands: &[[u64; 3]], want: DeviceExecutionState) -> DevicePageFaultState {
    let context = rig.context();
    let (fence, opted_out) = (rig.fence(3), rig.fence_with(3, SynchronizationObjectFlags::NO_SIGNAL_MAX_VALUE_ON_TDR));
    let event = Event::new();
    ok(&rig.node, cpu_wait(rig.device, &[fence.handle], &[50], event.fd()));
    let (_, va) = rig.buffer(4096);
    let length = rig.write(va, commands);
    rig.submit(context, va, length);
    rig.signal_gpu(context, fence.handle, 4);
    rig.until(fence.cpu, u64::MAX);
    assert_eq!(rig.execution(), want);
    assert!(event.poll(Duration::from_secs(10)), "waits end");
    assert_eq!(peek(opted_out.cpu), 3);
    assert_eq!(peek(rig.paging.fence_cpu_virtual_address), u64::MAX);
    rig.page_fault()
}

#[test]
fn page_fault() {
    let rig = Rig::new();
    let f = run(&rig, &[[STORE, 0x1230, 1]], DeviceExecutionState::ERROR_DMAPAGEFAULT);
    assert_eq!((f.faulted_virtual_address, f.page_fault_flags), (0x1230, PageFaultFlags::WRITE));
}

#[test]
fn bad_packet() {
    let rig = Rig::new();
    let f = run(&rig, &[[999, 0, 0]], DeviceExecutionState::ERROR_DMAFAULT);
    let code = f.fault_error_code.get(FaultErrorCode::GENERAL_ERROR_CODE);
    assert_eq!(code, GeneralErrorCode::INVALID_INSTRUCTION.0);
}

#[test]
fn hang() {
    let rig = Rig::with(Config { watchdog: Some(Duration::from_millis(20)), ..config() });
    run(&rig, &[[SPIN, 0, 0]], DeviceExecutionState::HUNG);
    // Other devices go on.
    let device = ok(&rig.node, CreateDevice { adapter: rig.adapter, ..Default::default() }).device;
    let context = ok(&rig.node, CreateContextVirtual { device, ..Default::default() }).context;
    let late = rig.fence(0);
    assert_eq!(peek(late.cpu), u64::MAX, "a fence made after the loss is lost as well");
    let mut a = CreateSynchronizationObject2 { device, ..Default::default() };
    a.info.r#type = SynchronizationObjectType::MONITORED_FENCE;
    let a = ok(&rig.node, a);
    rig.signal_gpu(context, a.sync_object, 2);
    rig.until(a.info.monitored_fence().fence_cpu_virtual_address, 2);
}

#[test]
fn a_panicking_engine() {
    let rig = Rig::new();
    run(&rig, &[[PANIC, 0, 0]], DeviceExecutionState::RESET);
}

#[test]
fn contexts_without_a_timeout_are_left_alone() {
    let rig = Rig::with(Config { watchdog: Some(Duration::from_millis(5)), ..config() });
    let context = rig.context_with(CreateContextFlags::DISABLE_GPU_TIMEOUT, 0);
    let fence = rig.fence(0);
    let (_, va) = rig.buffer(4096);
    let length = rig.write(va, &[[SLEEP, 60_000, 0]]);
    rig.submit(context, va, length);
    rig.signal_gpu(context, fence.handle, 1);
    rig.until(fence.cpu, 1);
    assert_eq!((peek(fence.cpu), rig.execution()), (1, DeviceExecutionState::ACTIVE));
    let watched = rig.context();
    rig.submit(watched, va, length);
    rig.until(fence.cpu, u64::MAX);
    assert_eq!(rig.execution(), DeviceExecutionState::HUNG);
}

#[test]
fn command_buffers_have_to_be_mapped_and_resident() {
    for how in 0..3 {
        let rig = Rig::new();
        let context = rig.context();
        let fence = rig.fence(0);
        let (allocation, va) = rig.buffer(4096);
        let length = rig.write(va, &[[SLEEP, 0, 0]]);
        let (mut at, mut length) = (va, length);
        match how {
            0 => {
                let allocations = &raw const allocation as u64;
                let device = rig.device;
                ok(&rig.node, Evict { device, alloc_count: 1, allocations, ..Default::default() });
            }
            1 => length = 4096 + 24,
            _ => at = 0x10_0000,
        }
        rig.submit(context, at, length);
        rig.signal_gpu(context, fence.handle, 1);
        rig.until(fence.cpu, u64::MAX);
        assert_eq!(rig.execution(), DeviceExecutionState::ERROR_DMAPAGEFAULT);
        let want = [va, va + 4096, 0x10_0000][how];
        assert_eq!(rig.page_fault().faulted_virtual_address, want);
        assert_eq!(rig.engine.runs.load(std::sync::atomic::Ordering::SeqCst), 0);
    }
}

#[test]
fn later_work_is_refused_or_dropped() {
    for asynchronous in [false, true] {
        let rig = Rig::with(Config { asynchronous, ..config() });
        let (context, queue) = (rig.context(), rig.hw_queue());
        let fence = rig.fence(0);
        rig.node.inject(&Fault::Engine(EngineFault::Hang));
        assert_eq!(rig.execution(), DeviceExecutionState::HUNG);
        let want = if asynchronous { 0 } else { ENODEV };
        assert_eq!(call(&rig.node, &mut rig.submit_call(context, 0x1000, 8)), want);
        let mut submit = SubmitCommandToHwQueue { hwqueue: queue.queue, ..Default::default() };
        assert_eq!(call(&rig.node, &mut submit), want);
        assert_eq!(peek(queue.queue_progress_fence_cpu_va), u64::MAX);
        // Signals no longer move the fence, waits are over.
        rig.signal_cpu(fence.handle, 1);
        rig.signal_gpu(context, fence.handle, 1);
        ok(&rig.node, cpu_wait(rig.device, &[fence.handle], &[77], 0));
        assert_eq!(peek(fence.cpu), u64::MAX);
        assert_eq!(rig.engine.runs.load(std::sync::atomic::Ordering::SeqCst), 0);
        // Another fault does not overwrite the first.
        rig.node.inject(&Fault::OutOfMemory);
        assert_eq!(rig.execution(), DeviceExecutionState::HUNG);
        ok(&rig.node, DestroyDevice { device: rig.device });
    }
}

#[test]
fn a_blocked_queue_and_a_blocked_caller_are_released() {
    let rig = Rig::new();
    let context = rig.context();
    let (fence, opted_out) = (rig.fence(0), rig.fence_with(0, SynchronizationObjectFlags::NO_SIGNAL_MAX_VALUE_ON_TDR));
    // The queue waits for a fence that never moves.
    rig.wait_gpu(context, opted_out.handle, 1);
    std::thread::scope(|s| {
        s.spawn(|| ok(&rig.node, cpu_wait(rig.device, &[fence.handle], &[1], 0)));
        std::thread::sleep(Duration::from_millis(20));
        rig.node.inject(&Fault::Engine(EngineFault::Internal("test".into())));
    });
    assert_eq!(rig.execution(), DeviceExecutionState::RESET);
    ok(&rig.node, DestroyContext { context });
}

#[test]
fn marked_as_error() {
    let rig = Rig::new();
    let fence = rig.fence(0);
    let reason = DeviceErrorReason::GENERIC;
    ok(&rig.node, MarkDeviceAsError { device: rig.device, reason });
    assert_eq!(rig.execution(), DeviceExecutionState::RESET);
    assert_eq!(peek(fence.cpu), u64::MAX);
}

#[test]
fn adapter_stop() {
    for quirks in [false, true] {
        let rig = Rig::with(Config { quirks, ..config() });
        let node = &rig.node;
        let fence = rig.fence(0);
        let allocation = rig.memory(4096);
        rig.lock(allocation);
        let context = rig.context();
        node.inject(&Fault::AdapterStop);
        assert_eq!(rig.execution(), DeviceExecutionState::STOPPED);
        let mapped = node.address_space().check(fence.gpu, 8, false);
        assert_eq!(mapped, !quirks, "pages disappear");
        if mapped {
            assert_eq!(peek(fence.cpu), u64::MAX);
        }
        fails(node, CreateDevice { adapter: rig.adapter, ..Default::default() }, ENODEV);
        fails(node, QueryVideoMemoryInfo { adapter: rig.adapter, ..Default::default() }, ENODEV);
        fails(node, rig.submit_call(context, 0, 0), ENODEV);
        fails(node, rig.map_call(allocation, 0), ENODEV);
        assert_eq!(ok(node, EnumAdapters2 { num_adapters: 9, ..Default::default() }).num_adapters, 0);
        ok(node, DestroyDevice { device: rig.device });
        ok(node, CloseAdapter { adapter_handle: rig.adapter });
    }
}
