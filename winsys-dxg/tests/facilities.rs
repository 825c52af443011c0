//! What adapters and devices have beside memory and queues: counts, clocks, features, escapes, notifications, offers, states.

mod common;

use common::*;
use dxg_abi::{
    AllocationResidencyStatus, DeviceErrorReason, DeviceExecutionState, EscapeFlags, FeatureId, IsFeatureEnabledFlags,
    MemorySegmentGroup, OfferPriority,
};
use dxg_model::{Config, Pending};
use std::os::fd::AsFd;
use std::time::Duration;
use winsys_dxg::*;

const LONG: Duration = Duration::from_secs(10);

#[test]
fn statistics_follow_what_is_done() {
    let device = device(model(Config::default()), WinsysConfig::default());
    let adapter = device.adapter();
    assert_eq!(adapter.statistics().expect("adapter"), AdapterStatistics { segments: 1, nodes: 1, timeouts: 0 });
    let before = adapter.segment_statistics(0).expect("segment");
    let memory = driver_memory(&device, 3 << 20);
    let after = adapter.segment_statistics(0).expect("segment");
    assert_eq!(after.committed - before.committed, 3 << 20);
    assert_eq!(after.resident - before.resident, 3 << 20);
    let group = adapter.group_statistics(MemorySegmentGroup::LOCAL).expect("group");
    assert_eq!(group.usage, adapter.video_memory(MemorySegmentGroup::LOCAL).expect("memory").usage);
    memory.evict();
    assert_eq!(adapter.segment_statistics(0).expect("segment").resident, before.resident);
    assert_eq!(adapter.segment_statistics(1).expect_err("one segment").kind(), ErrorKind::Invalid);

    let idle = adapter.node_time(0).expect("engine");
    let queue = Queue::create(&device, &ContextDesc::default(), &[]).expect("queue");
    let commands = host_memory(&device, 4096);
    commands.write(0, &command(SLEEP, 20_000, 0, 0)).expect("write");
    let list = [Commands { va: commands.gpu_va(), length: 32, private_data: &[] }];
    let value = queue.submit(&Submission { commands: &list, ..Default::default() }).expect("submit");
    queue.progress().wait(value, Some(LONG)).expect("wait");
    assert!(adapter.node_time(0).expect("engine") >= idle + Duration::from_millis(15));
    assert_eq!(adapter.node_time(1).expect_err("one engine").kind(), ErrorKind::Invalid);
}

#[test]
fn the_processes_of_an_adapter_are_told() {
    let adapter = adapter(model(Config::default()), WinsysConfig::default());
    assert_eq!(adapter.processes().expect("processes"), [std::process::id()]);
}

#[test]
fn reservations_are_kept_within_what_there_is() {
    let adapter = adapter(model(Config::default()), WinsysConfig::default());
    let group = MemorySegmentGroup::LOCAL;
    let there = adapter.video_memory(group).expect("memory");
    assert_eq!(there.reservation, 0);
    adapter.reserve_video_memory(group, 5 << 20).expect("reserve");
    assert_eq!(adapter.video_memory(group).expect("memory").reservation, 5 << 20);
    let much = there.available_for_reservation + there.budget + 1;
    assert_eq!(adapter.reserve_video_memory(group, much).expect_err("too much").kind(), ErrorKind::Invalid);
    assert_eq!(adapter.video_memory(group).expect("memory").reservation, 5 << 20);
    adapter.reserve_video_memory(group, 0).expect("give back");
}

#[test]
fn clocks_features_and_escapes() {
    let adapter = adapter(model(Config::default()), WinsysConfig::default());
    let clock = adapter.clock(0).expect("clock");
    assert_eq!(
        ({ clock.gpu_frequency }, { clock.gpu_clock_counter }, { clock.cpu_clock_counter }),
        (1_000_000, 77, 88)
    );
    assert_eq!(adapter.clock(7).expect_err("one engine").kind(), ErrorKind::Invalid);
    let on = IsFeatureEnabledFlags::KNOWN_FEATURE | IsFeatureEnabledFlags::ENABLED;
    assert!(adapter.feature(FeatureId::HWSCH).expect("known").value.contains(on));
    assert_eq!(adapter.feature(FeatureId(12)).expect("unknown").value, IsFeatureEnabledFlags::default());
    // The test GPU knows no escapes.
    let e = adapter.escape(&mut [1, 2, 3, 4], EscapeFlags::default()).expect_err("unknown");
    assert_eq!(e.kind(), ErrorKind::Refused);
    // Without hardware queues the feature is off, and so says the adapter.
    let node = model(Config { hw_queues: false, ..Config::default() });
    let plain = common::adapter(node, WinsysConfig::default());
    assert!(!plain.feature(FeatureId::HWSCH).expect("known").value.contains(IsFeatureEnabledFlags::ENABLED));
}

#[test]
fn the_driver_package_has_a_folder_here() {
    let host = r"C:\WINDOWS\System32\DriverStore\FileRepository\vendor.inf_amd64_00112233";
    for given in [host, "/usr/lib/wsl/drivers/vendor.inf_amd64_00112233"] {
        let node = model(Config { driver_store: Some(given.to_owned()), ..Config::default() });
        let told = adapter(node, WinsysConfig::default()).driver_store_path().expect("path");
        assert_eq!(driver_store_folder(&told).as_deref(), Some("/usr/lib/wsl/drivers/vendor.inf_amd64_00112233"));
    }
}

#[test]
fn notifications_are_raised_in_the_queues_order() {
    for quirks in [true, false] {
        let device = device(model(Config { quirks, ..Config::default() }), WinsysConfig::default());
        let context = Context::create(&device, &ContextDesc::default(), false).expect("context");
        let (gate, bell) = (Fence::create(&device, &FenceDesc::default()), CpuNotification::create(&device));
        let (gate, bell) = (gate.expect("fence"), bell.expect("notification"));
        context.wait(&[FencePoint { fence: &gate, value: 1 }]).expect("wait");
        context.notify(&bell).expect("notify");
        context.notify(&bell).expect("notify");
        assert_eq!(bell.wait(Duration::from_millis(20)).expect("wait"), 0, "the queue is blocked");
        gate.signal(1).expect("signal");
        let mut count = 0;
        while count < 2 {
            let n = bell.wait(LONG).expect("wait");
            assert_ne!(n, 0);
            count += n;
        }
        assert_eq!((count, bell.take()), (2, 0));
    }
}

#[test]
fn offered_memory_comes_back() {
    let slow = Pending::Always { min: Duration::from_micros(50), max: Duration::from_millis(1), seed: 3 };
    for pending in [Pending::Never, slow] {
        let device = device(model(Config { pending, ..Config::default() }), WinsysConfig::default());
        let memory = driver_memory(&device, 64 << 10);
        memory.write(0, b"kept").expect("write");
        memory.offer(OfferPriority::NORMAL).expect("offer");
        assert!(memory.reclaim().expect("reclaim"), "nobody needed the room");
        device.paging_queue().wait_cpu(&device).expect("paging");
        let mut out = [0; 4];
        memory.read(0, &mut out).expect("read");
        assert_eq!(&out, b"kept");
    }
}

#[test]
fn priorities_and_residency_are_told() {
    let device = device(model(Config::default()), WinsysConfig::default());
    let memory = host_memory(&device, 64 << 10);
    assert!((memory.priority().expect("priority") - 0.5).abs() < 1e-6, "as usual");
    for priority in [0.0, 0.25, 1.0] {
        memory.set_priority(priority).expect("set");
        assert!((memory.priority().expect("priority") - priority).abs() < 1e-6);
    }
    assert_eq!(memory.residency().expect("residency"), AllocationResidencyStatus::RESIDENTINGPUMEMORY);
    memory.evict();
    assert_eq!(memory.residency().expect("residency"), AllocationResidencyStatus::NOTRESIDENT);
}

#[test]
fn states_of_a_device_that_was_given_up() {
    let device = device(model(Config::default()), WinsysConfig::default());
    assert_eq!(device.fault_info().expect("state").state, DeviceExecutionState::ACTIVE);
    device.mark_error(DeviceErrorReason::default()).expect("mark");
    let info = device.fault_info().expect("state");
    assert_eq!(info.state, DeviceExecutionState::RESET);
    assert!(info.page_fault.is_none());
    assert_eq!(info.reset, Some(Default::default()), "no desktop was switched");
}

#[test]
fn a_resource_is_sealed_when_it_is_first_exported() {
    let node = model(Config::default());
    let (first, second) = (device(node.clone(), WinsysConfig::default()), device(node, WinsysConfig::default()));
    let backing = Backing::CrossAdapter { shared: true, cpu_access: true };
    let desc = MemoryDesc { backing, tag: 3, ..MemoryDesc::host(64 << 10) };
    let memory = Memory::create(&first, &desc).expect("memory");
    let (one, two) = (memory.export_fd().expect("export"), memory.export_fd().expect("export"));
    let open = |fd: &std::os::fd::OwnedFd, size, tag| Memory::import_fd(&second, fd.as_fd(), size, tag, true);
    for (size, tag) in [(128 << 10, 3), (60 << 10, 3), (64 << 10, 4), (0, 3)] {
        assert_eq!(open(&one, size, tag).expect_err("not the same").kind(), ErrorKind::Invalid, "{size} {tag}");
    }
    let (a, b) = (open(&one, 64 << 10, 3).expect("import"), open(&two, 64 << 10, 3).expect("import"));
    // Opened memory can be given on.
    let c = open(&a.export_fd().expect("export"), 64 << 10, 3).expect("import");
    memory.write(5, b"x").expect("write");
    for m in [&a, &b, &c] {
        let mut out = [0];
        m.read(5, &mut out).expect("read");
        assert_eq!(&out, b"x");
        assert_eq!(m.allocations()[0].identity(), memory.allocations()[0].identity());
    }
}
