//! The objects over the model of the device, in its different moods.

mod common;

use common::*;
use dxg_abi::{AdapterType, DeviceExecutionState, GpuVaProtection, GpuVaReservationType, MemorySegmentGroup};
use dxg_model::{Config, Pending};
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::time::{Duration, Instant};
use winsys_dxg::*;

const SECOND: Option<Duration> = Some(Duration::from_secs(10));

fn queue(device: &Device) -> Queue {
    Queue::create(device, &ContextDesc::default(), &[]).expect("queue")
}

/// Runs commands and waits for them.
fn run(queue: &Queue, commands: &Memory, bytes: &[u8]) -> Result<()> {
    commands.write(0, bytes)?;
    let list = [Commands { va: commands.gpu_va(), length: bytes.len() as u32, private_data: &[] }];
    let value = queue.submit(&Submission { commands: &list, ..Default::default() })?;
    assert_eq!(queue.progress().wait(value, SECOND)?, WaitOutcome::Reached);
    Ok(())
}

#[test]
fn pages_for_every_adapter_count_as_memory_off_the_device() {
    let adapter = adapter(model(Config::default()), WinsysConfig::default());
    let device = Device::create(&adapter, &DeviceDesc::default()).expect("device");
    let usage = || {
        let usage = |group| adapter.video_memory(group).expect("usage").usage;
        (usage(MemorySegmentGroup::LOCAL), usage(MemorySegmentGroup::NON_LOCAL))
    };
    let (local, off) = usage();
    let make = |cross_adapter| {
        let backing = Backing::HostPages { aliased: false, cross_adapter };
        let memory = Memory::create(&device, &MemoryDesc { backing, ..MemoryDesc::host(3 << 20) }).expect("memory");
        // One address for both sides.
        assert_eq!(memory.cpu_ptr().map(|p| p.as_ptr() as u64), Some(memory.gpu_va()));
        memory
    };
    let own = make(false);
    assert_eq!(usage(), (local + (3 << 20), off));
    let others = make(true);
    assert_eq!(usage(), (local + (3 << 20), off + (3 << 20)));
    drop((own, others));
    assert_eq!(usage(), (local, off));
}

#[test]
fn an_adapter_tells_who_it_is() {
    let adapter = adapter(model(Config::default()), WinsysConfig::default());
    let kind = adapter.adapter_type().expect("type");
    assert!(kind.contains(AdapterType::RENDER_SUPPORTED | AdapterType::PARAVIRTUALIZED), "{kind:?}");
    assert_eq!(adapter.driver_description().expect("name"), "Test GPU \u{e4}");
    assert!(adapter.unique_guid().expect("guid").len() >= 32);
    assert_eq!(adapter.wddm_version().expect("version"), 3000);
    assert_eq!(adapter.gpu_mmu_caps().expect("mmu").virtual_address_bit_count, 47);
    let ids = adapter.device_ids().expect("ids");
    assert_eq!((ids.vendor_id, ids.device_id), (0x1af4, 0x4242));
    assert_eq!(adapter.physical_adapter_count().expect("count"), 1);
    let groups = adapter.segment_group_sizes().expect("sizes");
    assert_eq!(groups.local_memory + groups.non_local_memory, 1 << 30);
    assert!(adapter.segment_sizes().expect("sizes").shared_system_memory_size > 0);
    assert_eq!(adapter.nodes().len(), 1);
    assert!(adapter.hw_scheduling());
    let budget = |group| adapter.video_memory(group).expect("budget").budget;
    assert!(budget(MemorySegmentGroup::LOCAL) + budget(MemorySegmentGroup::NON_LOCAL) > 0);
    let clock = adapter.clock(0).expect("clock");
    assert_eq!({ clock.gpu_frequency }, 1_000_000);
    let mut blob = [0; 4];
    adapter.umd_private(&mut blob).expect("blob");
    assert_eq!(blob, [5, 6, 7, 8]);
    // A software adapter has no driver package.
    assert_eq!(adapter.driver_store_path().expect_err("no package").kind(), ErrorKind::Invalid);
    let e = adapter.query_raw(dxg_abi::QueryAdapterInfoType(0xffff), &mut [0; 4]).expect_err("no such query");
    assert_eq!(e.kind(), ErrorKind::Invalid);
}

#[test]
fn work_runs_on_either_kind_of_queue_and_in_every_mood() {
    let slow = Pending::Always { min: Duration::from_micros(50), max: Duration::from_millis(3), seed: 1 };
    for asynchronous in [false, true] {
        for pending in [Pending::Never, slow] {
            for queues in [QueuePreference::Auto, QueuePreference::Software] {
                for paging_wait in [PagingWait::Gpu, PagingWait::Cpu] {
                    let node = model(Config { asynchronous, pending, ..Config::default() });
                    let device = device(node, WinsysConfig { queues, paging_wait, ..Default::default() });
                    let queue = queue(&device);
                    assert_eq!(queue.is_hardware(), queues == QueuePreference::Auto);
                    let commands = host_memory(&device, 4096);
                    for memory in [host_memory(&device, 70_000), driver_memory(&device, 70_000)] {
                        memory.write(0, b"left behind").expect("write");
                        let va = memory.gpu_va();
                        let work = [command(COPY, va + 60_001, va, 11), command(FILL, va + 4, 0x2e, 1)].concat();
                        run(&queue, &commands, &work).expect("run");
                        let mut out = [0; 11];
                        memory.read(60_001, &mut out).expect("read");
                        assert_eq!(&out, b"left behind");
                        memory.read(0, &mut out).expect("read");
                        assert_eq!(&out, b"left.behind");
                    }
                    assert_eq!(queue.last(), queue.progress().value());
                }
            }
        }
    }
}

#[test]
fn a_steady_submission_costs_few_requests() {
    for (queues, want) in [
        (QueuePreference::Auto, vec![("SubmitCommandToHwQueue", 1)]),
        (QueuePreference::Software, vec![("SignalSynchronizationObjectFromGpu", 1), ("SubmitCommand", 1)]),
    ] {
        let node = Counting::new(model(Config::default()));
        let config = WinsysConfig { queues, spin: Duration::from_secs(5), ..Default::default() };
        let device = device(node.clone(), config);
        let (queue, commands) = (queue(&device), host_memory(&device, 4096));
        run(&queue, &commands, &command(SLEEP, 0, 0, 0)).expect("first");
        node.take();
        run(&queue, &commands, &command(SLEEP, 0, 0, 0)).expect("second");
        assert_eq!(node.take().into_iter().collect::<Vec<_>>(), want);
        assert_eq!(queue.progress().value(), 2);
        assert!(node.take().is_empty(), "reading a fence asks nobody");
    }
}

#[test]
fn fences_order_the_cpu_and_queues() {
    let device = device(model(Config::default()), WinsysConfig::default());
    let fence = Fence::create(&device, &FenceDesc { initial: 3, ..Default::default() }).expect("fence");
    assert_eq!(fence.value(), 3);
    assert_eq!(fence.wait(3, None).expect("wait"), WaitOutcome::Reached);
    let start = Instant::now();
    assert_eq!(fence.wait(4, Some(Duration::from_millis(30))).expect("wait"), WaitOutcome::TimedOut);
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert_eq!(fence.wait(4, Some(Duration::ZERO)).expect("wait"), WaitOutcome::TimedOut);

    // A queue waits for the CPU, the other queue for the first, the CPU for both.
    let (a, b) = (queue(&device), queue(&device));
    let done = Fence::create(&device, &FenceDesc::default()).expect("fence");
    let wait = [FencePoint { fence: &fence, value: 10 }];
    let signal = [FencePoint { fence: &done, value: 5 }];
    let last = a.submit(&Submission { waits: &wait, signals: &signal, ..Default::default() }).expect("submit");
    let other = b.submit(&Submission { waits: &signal, ..Default::default() }).expect("submit");
    assert_eq!(done.wait(5, Some(Duration::from_millis(20))).expect("wait"), WaitOutcome::TimedOut);
    std::thread::scope(|s| {
        let waiting = s.spawn(|| {
            let all = [
                FencePoint { fence: a.progress(), value: last },
                FencePoint { fence: b.progress(), value: other },
                FencePoint { fence: &done, value: 5 },
            ];
            Fence::wait_many(&all, WaitMode::All, None)
        });
        std::thread::sleep(Duration::from_millis(20));
        fence.signal(10).expect("signal");
        assert_eq!(waiting.join().expect("thread").expect("wait"), WaitOutcome::Reached);
    });

    let never = Fence::create(&device, &FenceDesc::default()).expect("fence");
    let points = [FencePoint { fence: &never, value: 1 }, FencePoint { fence: &done, value: 5 }];
    assert_eq!(Fence::wait_many(&points, WaitMode::Any, None).expect("any"), WaitOutcome::Reached);
    let short = Some(Duration::from_millis(5));
    assert_eq!(Fence::wait_many(&points, WaitMode::All, short).expect("all"), WaitOutcome::TimedOut);
    assert_eq!(Fence::wait_many(&[], WaitMode::All, None).expect("none"), WaitOutcome::Reached);
}

#[test]
fn long_lists_of_points_are_cut_into_requests() {
    for queues in [QueuePreference::Auto, QueuePreference::Software] {
        let node = Counting::new(model(Config::default()));
        let device = device(node.clone(), WinsysConfig { queues, ..Default::default() });
        let queue = queue(&device);
        let fences: Vec<Fence> =
            (0..70).map(|_| Fence::create(&device, &FenceDesc::default()).expect("fence")).collect();
        let at = |value| fences.iter().map(|fence| FencePoint { fence, value }).collect::<Vec<_>>();
        let (waits, signals) = (at(1), at(2));
        node.take();
        let value =
            queue.submit(&Submission { waits: &waits, signals: &signals, ..Default::default() }).expect("submit");
        assert_eq!(node.take().values().sum::<usize>(), 3 + 3);
        for f in &fences {
            assert_eq!(f.value(), 0);
            f.signal(1).expect("signal");
        }
        assert_eq!(queue.progress().wait(value, SECOND).expect("wait"), WaitOutcome::Reached);
        assert!(fences.iter().all(|f| f.value() == 2), "progress is signalled after the rest");
    }
}

#[test]
fn a_fault_ends_waits_and_is_explained() {
    for queues in [QueuePreference::Auto, QueuePreference::Software] {
        let device = device(model(Config::default()), WinsysConfig { queues, ..Default::default() });
        let (queue, commands) = (queue(&device), host_memory(&device, 4096));
        let address = 0x5000_0000_0000;
        let e = run(&queue, &commands, &command(FILL, address, 1, 8)).expect_err("a hole");
        assert_eq!(e.kind(), ErrorKind::DeviceLost);
        assert!(device.is_lost());
        let info = device.fault_info().expect("info");
        assert_eq!(info.state, DeviceExecutionState::ERROR_DMAPAGEFAULT);
        assert_eq!(info.page_fault.expect("page fault").faulted_virtual_address, address);
        let again = queue.submit(&Submission::default()).expect_err("lost");
        assert_eq!(again.kind(), ErrorKind::DeviceLost);
        let start = Instant::now();
        let never = queue.progress().wait(99, None).expect_err("lost");
        assert_eq!(never.kind(), ErrorKind::DeviceLost);
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_hang_ends_waits_without_a_limit() {
    let node = model(Config { watchdog: Some(Duration::from_millis(50)), ..Config::default() });
    let device = device(node, WinsysConfig::default());
    let (queue, commands) = (queue(&device), host_memory(&device, 4096));
    commands.write(0, &command(SPIN, 0, 0, 0)).expect("write");
    let list = [Commands { va: commands.gpu_va(), length: 32, private_data: &[] }];
    let value = queue.submit(&Submission { commands: &list, ..Default::default() }).expect("submit");
    assert_eq!(queue.progress().wait(value, None).expect_err("hang").kind(), ErrorKind::DeviceLost);
    assert_ne!(device.fault_info().expect("info").state, DeviceExecutionState::ACTIVE);
}

#[test]
fn large_memory_is_made_of_parts() {
    let config = WinsysConfig { max_allocation: 128 << 10, ..Default::default() };
    let device = device(model(Config::default()), config);
    let (queue, commands) = (queue(&device), host_memory(&device, 4096));
    for (memory, one_piece) in [(host_memory(&device, 300_000), true), (driver_memory(&device, 300_000), false)] {
        assert_eq!(memory.allocations().len(), 3);
        assert_eq!(memory.cpu_ptr().is_some(), one_piece);
        // Across the border of two parts, by CPU and GPU.
        let text: Vec<u8> = (0..1000u32).map(|i| (i * 7) as u8).collect();
        memory.write((128 << 10) - 500, &text).expect("write");
        let va = memory.gpu_va();
        run(&queue, &commands, &command(COPY, va + (256 << 10) - 300, va + (128 << 10) - 500, 1000)).expect("run");
        let mut out = vec![0; 1000];
        memory.read((256 << 10) - 300, &mut out).expect("read");
        assert_eq!(out, text);
        memory.fill((128 << 10) - 2, 4, 9).expect("fill");
        assert_eq!(memory.load_u32((128 << 10) - 4).expect("load"), u32::from_le_bytes([text[496], text[497], 9, 9]));
    }
}

#[test]
fn cpu_access_stays_in_bounds() {
    let device = device(model(Config::default()), WinsysConfig::default());
    let memory = host_memory(&device, 100);
    memory.store_u64(88, 0x0102_0304_0506_0708).expect("store");
    assert_eq!(memory.load_u64(88).expect("load"), 0x0102_0304_0506_0708);
    memory.store_u32(96, 5).expect("store");
    assert_eq!(memory.load_u32(96).expect("load"), 5);
    for e in [
        memory.write(97, &[0; 4]).expect_err("end"),
        memory.read(u64::MAX, &mut [0; 4]).expect_err("wrap"),
        memory.fill(0, 101, 1).expect_err("long"),
        memory.store_u32(98, 1).expect_err("misaligned"),
        memory.load_u64(96).expect_err("end"),
        memory.invalidate(90, 11).expect_err("end"),
    ] {
        assert_eq!(e.kind(), ErrorKind::Invalid);
    }
    memory.write(100, &[]).expect("nothing");
    assert_eq!(Memory::create(&device, &MemoryDesc::host(0)).expect_err("empty").kind(), ErrorKind::Invalid);
    assert_eq!(Memory::create(&device, &MemoryDesc::host(u64::MAX)).expect_err("huge").kind(), ErrorKind::Invalid);
}

#[test]
fn memory_of_the_application_is_imported_where_it_is() {
    let device = device(model(Config::default()), WinsysConfig::default());
    let (queue, commands) = (queue(&device), host_memory(&device, 4096));
    let mut bytes = vec![0x11u8; 3 * 4096 + 64];
    let start = bytes.as_mut_ptr().align_offset(16);
    let ptr = NonNull::new(bytes.as_mut_ptr().wrapping_add(start)).expect("address");
    // SAFETY: the bytes live until the memory is dropped below and nobody borrows them before.
    let host = unsafe { HostPointer::new(ptr, 9000) };
    let desc = MemoryDesc { backing: Backing::HostPointer(host), ..MemoryDesc::host(0) };
    let memory = Memory::create(&device, &desc).expect("import");
    assert_eq!(memory.size(), 9000);
    assert_eq!(memory.cpu_ptr(), Some(ptr));
    assert_eq!(memory.gpu_va() % 4096, ptr.as_ptr() as u64 % 4096);
    run(&queue, &commands, &command(FILL, memory.gpu_va() + 8000, 0x22, 1000)).expect("run");
    let mut out = [0; 2];
    memory.read(7999, &mut out).expect("read");
    assert_eq!(out, [0x11, 0x22]);
    drop(memory);
    assert_eq!(bytes[start + 8999..][..2], [0x22, 0x11]);
}

#[test]
fn reserved_addresses_are_filled_and_emptied() {
    let device = device(model(Config::default()), WinsysConfig::default());
    let (queue, commands) = (queue(&device), host_memory(&device, 4096));
    let memory = driver_memory(&device, 128 << 10);
    let range = VaRange::reserve(&device, 1 << 20, VaPlacement::Any, GpuVaReservationType::NO_ACCESS).expect("reserve");
    assert_eq!(range.base() % 65536, 0);
    let part = &memory.allocations()[0];
    range.map(256 << 10, part, 64 << 10, 64 << 10, GpuVaProtection::WRITE).expect("map");
    run(&queue, &commands, &command(FILL, range.base() + (256 << 10), 0x77, 16)).expect("run");
    let mut out = [0; 16];
    memory.read(64 << 10, &mut out).expect("read");
    assert_eq!(out, [0x77; 16]);
    for e in [
        range.map(1 << 20, part, 0, 4096, GpuVaProtection::WRITE).expect_err("outside"),
        range.map(0, part, 0, 129 << 10, GpuVaProtection::WRITE).expect_err("too long"),
        range.map(1, part, 0, 4096, GpuVaProtection::WRITE).expect_err("misaligned"),
        range.unmap(0, 0, false).expect_err("nothing"),
    ] {
        assert_eq!(e.kind(), ErrorKind::Invalid);
    }
    range.unmap(256 << 10, 64 << 10, false).expect("unmap");
    let e = run(&queue, &commands, &command(FILL, range.base() + (256 << 10), 0x77, 16)).expect_err("hole");
    assert_eq!(e.kind(), ErrorKind::DeviceLost);
}

/// What a queue binds is seen by the commands after it and not by those before, whichever kind of queue it is.
#[test]
fn mappings_change_in_the_queues_order() {
    for queues in [QueuePreference::Auto, QueuePreference::Software] {
        let config = WinsysConfig { queues, max_allocation: 128 << 10, ..WinsysConfig::default() };
        let device = device(model(Config::default()), config);
        let queue = queue(&device);
        assert_eq!(queue.is_hardware(), queues == QueuePreference::Auto);
        const BLOCK: u64 = 64 << 10;
        // Two allocations, so that a bind can go across their border.
        let memory = host_memory(&device, 4 * BLOCK);
        assert_eq!(memory.allocations().len(), 2);
        for block in 0..4u8 {
            memory.fill(u64::from(block) * BLOCK, BLOCK, 10 + block).expect("fill");
        }
        let out = host_memory(&device, 4096);
        let range =
            VaRange::reserve(&device, 4 * BLOCK, VaPlacement::Any, GpuVaReservationType::ZERO).expect("reserve");
        let list = host_memory(&device, 4096);
        let gate = Fence::create(&device, &FenceDesc::default()).expect("fence");
        // Copies the first byte of each block to `out` at `at`.
        let look = |at: u64| -> Vec<u8> {
            (0..4).flat_map(|b| command(COPY, out.gpu_va() + at + b, range.base() + b * BLOCK, 1)).collect()
        };
        let mut commands = look(0);
        let before = commands.len() as u32;
        commands.extend(look(4));
        commands.extend(command(FILL, range.base() + 3 * BLOCK, 0x55, 1));
        commands.extend(command(FILL, range.base(), 0x66, 1));
        let middle = commands.len() as u32;
        commands.extend(look(8));
        list.write(0, &commands).expect("commands");
        let submit = |waits: &[FencePoint<'_>], updates: &[VaUpdate<'_>], from: u32, to: u32| {
            let run = [Commands { va: list.gpu_va() + u64::from(from), length: to - from, private_data: &[] }];
            queue.submit(&Submission { waits, updates, commands: &run, ..Default::default() }).expect("submit")
        };
        submit(&[FencePoint { fence: &gate, value: 1 }], &[], 0, before);
        let binds: Vec<_> = VaUpdate::map_memory(&range, 0, &memory, BLOCK, 2 * BLOCK).expect("binds").collect();
        assert_eq!(binds.len(), 2);
        submit(&[], &binds, before, middle);
        // Thousands of changes are more than one request; the last ones count.
        let page = |offset| VaUpdate::Unmap { range: &range, offset, size: 4096 };
        let mut many: Vec<_> = (0..5000).map(|i| page(i % 16 * 4096)).collect();
        many.extend(VaUpdate::map_memory(&range, 2 * BLOCK, &memory, 0, BLOCK).expect("binds"));
        let last = submit(&[], &many, middle, commands.len() as u32);
        assert_eq!(queue.progress().value(), 0, "the gate is closed");
        gate.signal(1).expect("signal");
        assert_eq!(queue.progress().wait(last, SECOND).expect("wait"), WaitOutcome::Reached);
        let mut seen = [0; 12];
        out.read(0, &mut seen).expect("read");
        assert_eq!(seen[..11], [0, 0, 0, 0, 11, 12, 0, 0, 0, 12, 10], "{queues:?}");
        let mut byte = [0; 1];
        memory.read(BLOCK, &mut byte).expect("read");
        assert_eq!(byte, [0x66], "writes reach the memory behind the addresses");
        for bad in [
            VaUpdate::Unmap { range: &range, offset: 0, size: 1 },
            VaUpdate::Unmap { range: &range, offset: 4 * BLOCK, size: 4096 },
        ] {
            let e = queue.submit(&Submission { updates: &[bad], ..Default::default() }).expect_err("outside");
            assert_eq!(e.kind(), ErrorKind::Invalid);
        }
        assert!(VaUpdate::map_memory(&range, 0, &memory, 1, 4096).is_err());
        assert!(VaUpdate::map_memory(&range, 0, &memory, 3 * BLOCK, 2 * BLOCK).is_err());
        assert!(VaUpdate::map_memory(&range, 3 * BLOCK, &memory, 0, 2 * BLOCK).is_err());
        assert!(!device.check_lost());
    }
}

#[test]
fn fences_cross_processes_as_descriptors() {
    let node = model(Config::default());
    let first = device(node.clone(), WinsysConfig::default());
    let second = device(node, WinsysConfig::default());
    let plain = Fence::create(&first, &FenceDesc::default()).expect("fence");
    assert_eq!(plain.export_fd().expect_err("not shared").kind(), ErrorKind::Invalid);
    assert_eq!(plain.export_sync_file(1).expect_err("not shared").kind(), ErrorKind::Invalid);
    let fence = Fence::create(&first, &FenceDesc { shared: true, initial: 2, ..Default::default() }).expect("fence");
    let fd = fence.export_fd().expect("export");
    let opened = Fence::import_fd(&second, fd.as_fd()).expect("import");
    assert_eq!(opened.value(), 2);
    fence.signal(7).expect("signal");
    assert_eq!(opened.wait(7, SECOND).expect("wait"), WaitOutcome::Reached);
    drop(fence);
    opened.signal(9).expect("outlives its creator");
    assert_eq!(opened.value(), 9);
    let null = std::fs::File::open("/dev/null").expect("null");
    assert_eq!(Fence::import_fd(&second, null.as_fd()).expect_err("foreign").kind(), ErrorKind::Invalid);
}

#[test]
fn sync_files_are_absent_on_old_kernels_only() {
    let desc = FenceDesc { shared: true, ..Default::default() };
    // Real sync files need a kernel driver behind them, so the model has its stand-ins only when told to.
    let old = Config { table_end: 0x43, sync_files: true, ..Config::default() };
    for without in [old, Config::default()] {
        let old = device(model(without), WinsysConfig::default());
        let e = Fence::create(&old, &desc).expect("fence").export_sync_file(1).expect_err("no sync files");
        assert_eq!(e.kind(), ErrorKind::NotSupported);
    }
    let new = device(model(Config { sync_files: true, ..Config::default() }), WinsysConfig::default());
    let fence = Fence::create(&new, &desc).expect("fence");
    let fd = fence.export_sync_file(4).expect("sync file");
    let (opened, value) = Fence::import_sync_file(&new, fd.as_fd()).expect("import");
    assert_eq!(value, 4);
    fence.signal(4).expect("signal");
    assert_eq!(opened.wait(value, SECOND).expect("wait"), WaitOutcome::Reached);
}

#[test]
fn shared_memory_opens_from_a_descriptor() {
    let node = model(Config::default());
    let first = device(node.clone(), WinsysConfig::default());
    let second = device(node, WinsysConfig::default());
    let backing = Backing::CrossAdapter { shared: true, cpu_access: true };
    let memory = Memory::create(&first, &MemoryDesc { backing, ..MemoryDesc::host(64 << 10) }).expect("memory");
    memory.write(100, b"shared").expect("write");
    let fd = memory.export_fd().expect("export");
    let opened = Memory::import_fd(&second, fd.as_fd(), 64 << 10, 0, true).expect("import");
    let mut out = [0; 6];
    opened.read(100, &mut out).expect("read");
    assert_eq!(&out, b"shared");
    drop(memory);
    opened.read(100, &mut out).expect("outlives its creator");
    assert_eq!(&out, b"shared");
    assert_eq!(host_memory(&first, 4096).export_fd().map(drop).expect_err("not shared").kind(), ErrorKind::Invalid);
}

#[test]
fn removal_of_the_adapter_is_loss() {
    // Without quirks, so that pages stay mapped: a reader cannot defend itself against the other.
    let node = model(Config { quirks: false, ..Config::default() });
    let device = device(node.clone(), WinsysConfig::default());
    let fence = Fence::create(&device, &FenceDesc::default()).expect("fence");
    std::thread::scope(|s| {
        let waiting = s.spawn(|| fence.wait(1, None));
        std::thread::sleep(Duration::from_millis(20));
        node.inject(&dxg_model::Fault::AdapterStop);
        assert_eq!(waiting.join().expect("thread").expect_err("gone").kind(), ErrorKind::DeviceLost);
    });
    assert!(device.check_lost());
    assert_eq!(Memory::create(&device, &MemoryDesc::host(4096)).expect_err("gone").kind(), ErrorKind::DeviceLost);
}

#[test]
fn objects_are_dead_in_a_forked_child() {
    let node = Counting::new(model(Config::default()));
    let device = device(node.clone(), WinsysConfig::default());
    let fence = Fence::create(&device, &FenceDesc::default()).expect("fence");
    node.take();
    // SAFETY: the child only looks at atomics and leaves without running anything else.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let dead = fence.signal(1).is_err_and(|e| e.cause == Cause::Forked)
            && device.execution_state().is_err_and(|e| e.cause == Cause::Forked)
            && !device.is_lost();
        // SAFETY: ends the child.
        unsafe { libc::_exit(i32::from(!dead)) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status:#x}");
    fence.signal(1).expect("the parent goes on");
    assert_eq!(fence.value(), 1);
    assert_eq!(node.take().into_iter().collect::<Vec<_>>(), [("SignalSynchronizationObjectFromCpu", 1)]);
}

#[test]
fn everything_is_given_back() {
    let node = Counting::new(model(Config::default()));
    {
        let device = device(node.clone(), WinsysConfig { max_allocation: 64 << 10, ..Default::default() });
        let _queue = queue(&device);
        let _fence = Fence::create(&device, &FenceDesc::default()).expect("fence");
        let _memory = (host_memory(&device, 200 << 10), driver_memory(&device, 4096));
    }
    let counts = node.take();
    let count = |name| counts.get(name).copied().unwrap_or(0);
    for (make, give_back) in [
        ("CreateDevice", "DestroyDevice"),
        ("CreatePagingQueue", "DestroyPagingQueue"),
        ("CreateContextVirtual", "DestroyContext"),
        ("CreateHwQueue", "DestroyHwQueue"),
        ("CreateSynchronizationObject2", "DestroySynchronizationObject"),
        ("CreateAllocation", "DestroyAllocation2"),
        ("MakeResident", "Evict"),
        ("Lock2", "Unlock2"),
    ] {
        assert!(count(make) > 0, "{make}");
        assert_eq!(count(make), count(give_back), "{make}");
    }
    assert_eq!(count("FreeGpuVirtualAddress"), 2);
    assert_eq!(count("CloseAdapter"), 1);
}

#[test]
fn tables_end_where_the_model_ends() {
    for (table_end, sync_files, lacks) in [(0x43, false, 6), (0x47, true, 2), (0x49, false, 3), (0x49, true, 0)] {
        let table = Table::of(&*model(Config { table_end, sync_files, ..Config::default() }));
        assert!(table.is_dxg);
        assert_eq!((table.highest, table.missing.len()), (table_end, lacks));
    }
}

#[test]
fn waits_that_time_out_cost_one_event() {
    let node = model(Config::default());
    let device = device(node.clone(), WinsysConfig::default());
    let fence = Fence::create(&device, &FenceDesc::default()).expect("fence");
    let short = Some(Duration::from_micros(100));
    for i in 0..600 {
        // A few values, and more than are remembered.
        let value = if i < 300 { 1 + i % 3 } else { 1 + i };
        assert_eq!(fence.wait(value, short).expect("wait"), WaitOutcome::TimedOut);
    }
    assert!(node.census().events <= 64, "{:?}", node.census());
    // They are woken all the same, at once.
    std::thread::scope(|s| {
        let waiter = s.spawn(|| {
            let start = Instant::now();
            assert_eq!(fence.wait(2, Some(Duration::from_secs(20))).expect("wait"), WaitOutcome::Reached);
            start.elapsed()
        });
        std::thread::sleep(Duration::from_millis(20));
        fence.signal(2).expect("signal");
        assert!(waiter.join().expect("no panic") < Duration::from_millis(700));
    });
    fence.signal(10_000).expect("signal");
    assert_eq!(fence.wait(700, short).expect("wait"), WaitOutcome::Reached);
    assert_eq!(node.census().events, 0);
    // A fence that comes to have the name of one that is gone.
    for _ in 0..400 {
        let fence = Fence::create(&device, &FenceDesc::default()).expect("fence");
        assert_eq!(fence.wait(5, short).expect("wait"), WaitOutcome::TimedOut);
        if fence.handle().0.is_multiple_of(4096) {
            std::thread::scope(|s| {
                let waiter = s.spawn(|| {
                    let start = Instant::now();
                    assert_eq!(fence.wait(5, None).expect("wait"), WaitOutcome::Reached);
                    start.elapsed()
                });
                std::thread::sleep(Duration::from_millis(3));
                fence.signal(5).expect("signal");
                assert!(waiter.join().expect("no panic") < Duration::from_millis(700));
            });
        }
    }
    assert_eq!(node.census().events, 0);
}
