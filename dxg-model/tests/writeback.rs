//! Which fields each call writes, against `copy_back` of the behaviour file.

mod common;

use common::*;
use dxg_abi::payload::{QueryRegistryInfo, QueryRegistryStatus, QueryRegistryType};
use dxg_abi::zerocopy::{FromBytes, IntoBytes};
use dxg_abi::*;
use dxg_model::Config;
use serde_json::Value;

/// The fields the behaviour file lists for a call: `None` for all of them.
fn listed(ioctl: Ioctl) -> Option<Vec<String>> {
    let text = include_str!("data/dxg-behaviour.json");
    let file: Value = serde_json::from_str(text).unwrap();
    let rows = file["ioctls"].as_array().unwrap();
    let row = rows.iter().find(|r| r["nr"] == ioctl.nr()).unwrap();
    match &row["copy_back"] {
        Value::String(s) if s == "all" => None,
        Value::String(s) if s == "none" => Some(Vec::new()),
        Value::Array(list) => {
            let first = |v: &Value| v.as_str().unwrap().split(' ').next().unwrap().to_owned();
            Some(list.iter().map(first).collect())
        }
        other => panic!("{other}"),
    }
}

/// Calls with every output field preset to a pattern and checks that what changed is listed,
/// and that `expected` changed.
#[track_caller]
fn check<T: Arg>(rig: &Rig, mut arg: T, want: i32, expected: &[&str]) -> T {
    let changed = written(&rig.node, &mut arg, want);
    if let Some(listed) = listed(T::IOCTL) {
        for name in &changed {
            let top = name.split('.').next().unwrap();
            assert!(listed.iter().any(|l| l == top), "{} wrote {name}", T::IOCTL);
        }
    }
    assert_eq!(changed, expected, "{}", T::IOCTL);
    arg
}

const P32: u32 = 0xa5a5_a5a5;
const P64: u64 = 0xa5a5_a5a5_a5a5_a5a5;
const H: Handle = Handle(P32);

#[test]
fn adapters() {
    let rig = Rig::new();
    check(&rig, EnumAdapters2 { num_adapters: P32, ..Default::default() }, 0, &["num_adapters"]);
    let mut info = AdapterInfo::default();
    let adapters = info.as_mut_bytes().as_mut_ptr() as u64;
    check(&rig, EnumAdapters2 { num_adapters: 64, adapters, ..Default::default() }, 0, &["num_adapters"]);
    assert_eq!((info.adapter_luid, info.num_sources), (rig.luid, 0));
    fails(&rig.node, EnumAdapters2 { num_adapters: 0, adapters, ..Default::default() }, EOVERFLOW);
    fails(&rig.node, EnumAdapters2 { num_adapters: 65, adapters, ..Default::default() }, EINVAL);
    let a = EnumAdapters3 { adapter_count: P32, ..Default::default() };
    check(&rig, a, 0, &["adapter_count"]);
    check(&rig, EnumAdapters3 { adapter_count: 9, adapters, ..Default::default() }, 0, &["adapter_count"]);
    fails(&rig.node, EnumAdapters3 { adapter_count: 65536, adapters, ..Default::default() }, EINVAL);
    check(&rig, OpenAdapterFromLuid { adapter_luid: rig.luid, adapter_handle: H }, 0, &["adapter_handle"]);
    let unknown = Luid { a: 1, b: 1 };
    // Quirk: with something in the output field an unknown LUID goes unnoticed.
    check(&rig, OpenAdapterFromLuid { adapter_luid: unknown, adapter_handle: H }, 0, &[]);
    let zeroed = OpenAdapterFromLuid { adapter_luid: unknown, ..Default::default() };
    fails(&rig.node, zeroed, EINVAL);
    let strict = Rig::with(Config { quirks: false, ..config() });
    fails(&strict.node, OpenAdapterFromLuid { adapter_luid: unknown, adapter_handle: H }, EINVAL);
}

#[test]
fn devices_and_queues() {
    let rig = Rig::new();
    let a = CreateDevice { adapter: rig.adapter, device: H, command_buffer: P64, ..Default::default() };
    check(&rig, a, 0, &["device"]);
    let device = rig.device;
    let a = CreateContextVirtual { device, context: H, ..Default::default() };
    let context = check(&rig, a, 0, &["context"]).context;
    let flags = CreateContextFlags::HW_QUEUE_SUPPORTED;
    let hw = ok(&rig.node, CreateContextVirtual { device, flags, ..Default::default() }).context;
    let a = CreateHwQueue {
        context: hw,
        queue: H,
        queue_progress_fence: H,
        queue_progress_fence_cpu_va: P64,
        queue_progress_fence_gpu_va: P64,
        ..Default::default()
    };
    check(&rig, a, 0, &["queue", "queue_progress_fence", "queue_progress_fence_cpu_va", "queue_progress_fence_gpu_va"]);
    let a = CreatePagingQueue {
        device,
        paging_queue: H,
        sync_object: H,
        fence_cpu_virtual_address: P64,
        ..Default::default()
    };
    check(&rig, a, 0, &["paging_queue", "sync_object", "fence_cpu_virtual_address"]);
    let a = GetDeviceState { device, state_type: DeviceStateType::EXECUTION, state: [P64; 6] };
    let a = check(&rig, a, 0, &["alignment"]);
    assert_eq!(a.state, [1, 0, 0, 0, 0, 0], "the whole union is written");
    check(&rig, SetContextSchedulingPriority { context, priority: -7 }, 0, &[]);
    fails(&rig.node, SetContextSchedulingPriority { context, priority: 8 }, EINVAL);
    let a = check(&rig, GetContextSchedulingPriority { context, priority: 99 }, 0, &["priority"]);
    assert_eq!(a.priority, -7);
    check(&rig, SetContextInProcessSchedulingPriority { context, priority: 3 }, 0, &[]);
    let a = GetContextInProcessSchedulingPriority { context, priority: 99 };
    assert_eq!(check(&rig, a, 0, &["priority"]).priority, 3);
}

#[test]
fn allocations() {
    let rig = Rig::new();
    let mut private = 8192u64.to_le_bytes();
    let fresh = AllocationInfo2 {
        allocation: H,
        priv_drv_data: private.as_mut_ptr() as u64,
        priv_drv_data_size: 8,
        gpu_virtual_address: P64,
        ..Default::default()
    };
    let mut info = [fresh; 2];
    let a = CreateAllocation {
        device: rig.device,
        resource: H,
        global_share: H,
        alloc_count: 2,
        allocation_info: info.as_mut_ptr() as u64,
        flags: CreateAllocationFlags::CREATE_RESOURCE,
        ..Default::default()
    };
    check(&rig, a, 0, &["resource", "global_share"]);
    for i in &info {
        let only_handle = AllocationInfo2 { allocation: i.allocation, ..fresh };
        assert_eq!(*i, only_handle);
        assert_ne!(i.allocation, H);
    }
    let allocation = info[0].allocation;
    let device = rig.device;
    check(&rig, Lock2 { device, allocation, data: P64, ..Default::default() }, 0, &["data"]);
    check(&rig, Unlock2 { device, allocation }, 0, &[]);
    let a = ReserveGpuVirtualAddress {
        adapter: rig.adapter,
        size: 64 << 10,
        virtual_address: P64,
        paging_fence_value: P64,
        ..Default::default()
    };
    check(&rig, a, 0, &["virtual_address"]);
    let a = MapGpuVirtualAddress { virtual_address: P64, paging_fence_value: P64, ..rig.map_call(allocation, 0) };
    check(&rig, a, 0, &["virtual_address", "paging_fence_value"]);
    let list = [allocation];
    let a = MakeResident { paging_fence_value: P64, num_bytes_to_trim: P64, ..rig.make_resident_call(&list) };
    check(&rig, a, 0, &["paging_fence_value", "num_bytes_to_trim"]);
    let a = Evict {
        device,
        alloc_count: 1,
        allocations: list.as_ptr() as u64,
        num_bytes_to_trim: P64,
        ..Default::default()
    };
    check(&rig, a, 0, &["num_bytes_to_trim"]);
    let a = QueryVideoMemoryInfo {
        adapter: rig.adapter,
        budget: P64,
        current_usage: P64,
        current_reservation: P64,
        available_for_reservation: P64,
        ..Default::default()
    };
    check(&rig, a, 0, &["budget", "current_usage", "current_reservation", "available_for_reservation"]);
    fails(&rig.node, QueryVideoMemoryInfo { process: 1, ..a }, EINVAL);
    let paging_queue = rig.paging.paging_queue;
    let a = UpdateAllocProperty { paging_queue, allocation, paging_fence_value: P64, ..Default::default() };
    check(&rig, a, 0, &[]);
    let a = ReclaimAllocations2 {
        paging_queue,
        allocation_count: 1,
        allocations: list.as_ptr() as u64,
        paging_fence_value: P64,
        ..Default::default()
    };
    check(&rig, a, 0, &["paging_fence_value"]);
}

#[test]
fn pending_calls() {
    let rig = Rig::with(pending_config());
    let paging_queue = rig.paging.paging_queue;
    let allocation = rig.memory(4096);
    let a = UpdateAllocProperty { paging_queue, allocation, paging_fence_value: P64, ..Default::default() };
    let a = check(&rig, a, PENDING, &["paging_fence_value"]);
    assert_eq!(a.paging_fence_value, 1);
    let list = [allocation];
    let mut results = [ReclaimResult(7); 2];
    let a = ReclaimAllocations2 {
        paging_queue,
        allocation_count: 1,
        allocations: list.as_ptr() as u64,
        results: results.as_mut_ptr() as u64,
        paging_fence_value: P64,
        ..Default::default()
    };
    // Quirk: asking for results hides that the call is pending.
    let a = check(&rig, a, 0, &["paging_fence_value"]);
    assert_eq!((a.paging_fence_value, results), (2, [ReclaimResult::OK, ReclaimResult(7)]));
    check(&rig, ReclaimAllocations2 { results: 0, ..a }, PENDING, &["paging_fence_value"]);
}

#[test]
fn synchronisation_objects() {
    let rig = Rig::new();
    let mut a = CreateSynchronizationObject2 { device: rig.device, sync_object: H, ..Default::default() };
    a.info.r#type = SynchronizationObjectType::MONITORED_FENCE;
    a.info.set_monitored_fence(SyncMonitoredFence {
        initial_fence_value: 5,
        fence_cpu_virtual_address: P64,
        fence_gpu_virtual_address: P64,
        engine_affinity: 1,
        pad0: 0,
    });
    let a = check(&rig, a, 0, &["info.reserved", "sync_object"]);
    let m = a.info.monitored_fence();
    assert_eq!((m.initial_fence_value, m.engine_affinity), (5, 1));
    assert_eq!(peek(m.fence_cpu_virtual_address), 5);
    assert_eq!(m.fence_cpu_virtual_address % 4096, 0);

    // Quirk: the event of a notification object is replaced by an internal id.
    let event = Event::new();
    let mut a = CreateSynchronizationObject2 { device: rig.device, ..Default::default() };
    a.info.r#type = SynchronizationObjectType::CPU_NOTIFICATION;
    a.info.set_cpu_notification(SyncCpuNotification { event: event.fd() as u64 });
    let a = check(&rig, a, 0, &["info.reserved", "sync_object"]);
    for _ in 0..3 {
        rig.signal_cpu(a.sync_object, 0);
    }
    assert_eq!(event.take(), 3);
}

#[test]
fn statistics_and_features() {
    let rig = Rig::new();
    let a = QueryStatistics {
        r#type: QueryStatisticsType::ADAPTER,
        adapter_luid: rig.luid,
        result: QueryStatisticsResult { bytes: [0xa5; 776] },
        ..Default::default()
    };
    let a = check(&rig, a, 0, &["result.size"]);
    assert_eq!(a.result.bytes[..12], [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    // Quirk: an unknown LUID goes unnoticed; a process that is not known does not.
    check(&rig, QueryStatistics { adapter_luid: Luid { a: 1, b: 0 }, ..a }, 0, &[]);
    fails(&rig.node, QueryStatistics { process: 1, ..a }, EINVAL);
    let own = u64::from(std::process::id());
    ok(&rig.node, QueryStatistics { process: own, r#type: QueryStatisticsType::PROCESS, ..a });
    // What the kinds tell, and the elements they have.
    let ask = |kind, query_element| {
        let mut a = QueryStatistics { r#type: kind, query_element, adapter_luid: rig.luid, ..Default::default() };
        match call(&rig.node, &mut a) {
            0 => Ok([0, 8, 16].map(|at| u64::from_le_bytes(a.result.bytes[at..at + 8].try_into().unwrap()))),
            r => Err(r),
        }
    };
    type Kind = QueryStatisticsType;
    rig.buffer(64 << 10);
    let size = 64 << 10;
    assert_eq!(ask(Kind::SEGMENT, 0), Ok([1 << 30, size, size]));
    assert_eq!(ask(Kind::PROCESS_SEGMENT, 0), Ok([size, 0, 0]));
    ok(&rig.node, ChangeVideoMemoryReservation { adapter: rig.adapter, reservation: 4096, ..Default::default() });
    assert_eq!(ask(Kind::PROCESS_SEGMENT_GROUP, 0), Ok([1 << 30, 4096, size]));
    assert_eq!(ask(Kind::PROCESS_SEGMENT_GROUP, 1), Ok([(1 << 30) - size, 0, 0]));
    assert_eq!((ask(Kind::PROCESS, 0), ask(Kind::PROCESS_ADAPTER, 0)), (Ok([2, 0, 0]), Ok([2 << 32 | 1, 0, 0])));
    assert_eq!(ask(Kind::PHYSICAL_ADAPTER, 0), Ok([0; 3]));
    let none = [Kind::SEGMENT, Kind::PROCESS_SEGMENT, Kind::PHYSICAL_ADAPTER].map(|k| ask(k, 1));
    assert_eq!(none, [Err(EINVAL); 3]);
    assert_eq!((ask(Kind::PROCESS_SEGMENT_GROUP, 2), ask(Kind::NODE, 2)), (Err(EINVAL), Err(EINVAL)));
    assert_eq!((ask(Kind::VIDPNSOURCE, 0), ask(Kind::PROCESS_VIDPNSOURCE, 0)), (Err(EINVAL), Err(EINVAL)));
    // A node that has slept for two milliseconds on behalf of a command buffer, and a device that hung.
    let (_, va) = rig.buffer(4096);
    let (context, fence) = (rig.context(), rig.fence(0));
    rig.submit(context, va, rig.write(va, &[[SLEEP, 2000, 0]]));
    rig.signal_gpu(context, fence.handle, 1);
    rig.until(fence.cpu, 1);
    assert!(ask(Kind::NODE, 0).unwrap()[0] >= 20_000);
    assert_eq!((ask(Kind::PROCESS_NODE, 0), ask(Kind::NODE, 1)), (ask(Kind::NODE, 0), Ok([0; 3])));
    assert_eq!(ask(Kind::ADAPTER, 0), Ok([2 << 32 | 1, 0, 0]));
    rig.node.inject(&dxg_model::Fault::Engine(dxg_model::EngineFault::Hang));
    assert_eq!(ask(Kind::ADAPTER, 0), Ok([2 << 32 | 1, 0, 1]));
    let a = QueryClockCalibration { adapter: rig.adapter, ..Default::default() };
    let a = check(
        &rig,
        a,
        0,
        &["clock_data.gpu_frequency", "clock_data.gpu_clock_counter", "clock_data.cpu_clock_counter"],
    );
    let counter = a.clock_data.gpu_clock_counter;
    assert_eq!(counter, 77);
    fails(&rig.node, QueryClockCalibration { node_ordinal: 2, ..a }, EINVAL);
    let a = IsFeatureEnabled { adapter: rig.adapter, ..Default::default() };
    let a = check(&rig, a, 0, &["result.version", "result.value"]);
    assert!(a.result.value.contains(IsFeatureEnabledFlags::ENABLED));
    let mut pids = [0u32; 2];
    let a = EnumProcesses { adapter_luid: rig.luid, buffer: pids.as_mut_ptr() as u64, buffer_count: 2 };
    assert_eq!(check(&rig, a, 0, &["buffer_count"]).buffer_count, 1);
    assert_eq!(pids, [std::process::id(), 0]);
    // Too small: the needed count is written, in the low half only.
    let mut small = EnumProcesses { buffer_count: 0, ..a };
    assert_eq!(written(&rig.node, &mut small, EOVERFLOW), ["buffer_count"]);
    let mut null = EnumProcesses { buffer: 0, buffer_count: 7 << 32, ..a };
    assert_eq!(written(&rig.node, &mut null, EOVERFLOW), ["buffer_count"]);
    assert_eq!(null.buffer_count, 7 << 32 | 1);
    let mut flush = FlushHeapTransitions { adapter: rig.adapter };
    assert_eq!(written(&rig.node, &mut flush, 0), ["adapter"], "quirk");
}

fn query<const N: usize>(rig: &Rig, kind: QueryAdapterInfoType, input: [u8; N]) -> Result<[u8; N], i32> {
    let mut data = input;
    let mut a = QueryAdapterInfo {
        adapter: rig.adapter,
        r#type: kind,
        private_data: data.as_mut_ptr() as u64,
        private_data_size: N as u32,
        ..Default::default()
    };
    let r = call(&rig.node, &mut a);
    if r == 0 {
        Ok(data)
    } else {
        Err(r)
    }
}

#[test]
fn the_registry_tells_of_a_driver_package() {
    let path = r"\\SystemRoot\System32\DriverStore\FileRepository\x.inf_amd64";
    let rig = Rig::with(Config { driver_store: Some(path.to_owned()), ..config() });
    let mut ask = QueryRegistryInfo { query_type: QueryRegistryType::DRIVERSTOREPATH, ..Default::default() };
    let bytes: [u8; 552] = ask.as_bytes().try_into().unwrap();
    let bare = query(&rig, QueryAdapterInfoType::QUERYREGISTRY, bytes).unwrap();
    let answer = QueryRegistryInfo::read_from_bytes(&bare).unwrap();
    let size = 2 * (path.len() as u32 + 1);
    assert_eq!((answer.status, answer.output_value_size), (QueryRegistryStatus::BUFFER_OVERFLOW, size));
    // With room for it.
    let mut with_room = [0u8; 552 + 256];
    with_room[..552].copy_from_slice(&bytes);
    let full = query(&rig, QueryAdapterInfoType::QUERYREGISTRY, with_room).unwrap();
    let (answer, _) = QueryRegistryInfo::read_from_prefix(&full).unwrap();
    assert_eq!((answer.status, answer.output_value_size), (QueryRegistryStatus::SUCCESS, size));
    let text: Vec<u16> = full[544..].chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
    assert_eq!(payload::from_utf16(&text), path);
    // Keys are not there, nor is a second adapter; and without a package there is no path.
    ask.query_type = QueryRegistryType::ADAPTERKEY;
    let key = query::<552>(&rig, QueryAdapterInfoType::QUERYREGISTRY, ask.as_bytes().try_into().unwrap()).unwrap();
    assert_eq!(QueryRegistryInfo::read_from_bytes(&key).unwrap().status, QueryRegistryStatus::FAIL);
    ask.physical_adapter_index = 1;
    let other = ask.as_bytes().try_into().unwrap();
    assert_eq!(query::<552>(&rig, QueryAdapterInfoType::QUERYREGISTRY, other), Err(EINVAL));
    assert_eq!(query(&Rig::new(), QueryAdapterInfoType::QUERYREGISTRY, bytes), Err(-2));
    // Readings that a GPU in software does not have are zeros, of nodes and adapters that are there.
    assert_eq!(query(&rig, QueryAdapterInfoType::NODEPERFDATA, [0u8; 56]), Ok([0; 56]));
    let mut second = [0u8; 56];
    second[0] = 2;
    assert_eq!(query(&rig, QueryAdapterInfoType::NODEPERFDATA, second), Err(EINVAL));
    assert_eq!(query(&rig, QueryAdapterInfoType::ADAPTERPERFDATA, [0u8; 64]), Ok([0; 64]));
    assert_eq!(query(&rig, QueryAdapterInfoType::ADAPTERPERFDATA_CAPS, [0u8; 40]), Ok([0; 40]));
    assert_eq!(query(&rig, QueryAdapterInfoType::ADAPTERPERFDATA_CAPS, [1u8; 40]), Err(EINVAL));
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn adapter_queries() {
    use QueryAdapterInfoType as Q;
    let rig = Rig::new();
    // Render, software, paravirtualised; not compute-only.
    assert_eq!(query(&rig, Q::ADAPTERTYPE, [0; 4]), Ok([0x85, 0, 0, 0]));
    assert_eq!(query(&rig, Q::ADAPTERTYPE_RENDER, [0; 4]), Ok([0x85, 0, 0, 0]));
    assert_eq!(query(&rig, Q::DRIVERVERSION, [0; 4]), Ok(3000u32.to_le_bytes()));
    assert_eq!(query(&rig, Q::PHYSICALADAPTERCOUNT, [9; 4]), Ok([1, 0, 0, 0]));
    assert_eq!(query(&rig, Q::UMDRIVERPRIVATE, [9; 10]), Ok([1, 2, 3, 4, 5, 6, 7, 8, 0, 0]));
    assert_eq!(query(&rig, Q::UMDRIVERPRIVATE, [9; 4]), Err(EOVERFLOW));
    let ids = query(&rig, Q::PHYSICALADAPTERDEVICEIDS, [0; 28]).unwrap();
    assert_eq!((word(&ids, 4), word(&ids, 8), word(&ids, 20)), (0x1af4, 0x1234, 3));
    assert_eq!(query(&rig, Q::PHYSICALADAPTERDEVICEIDS, [1; 28]), Err(EINVAL));
    assert_eq!(query(&rig, Q::QUERY_GPUMMU_CAPS, [0; 12]).map(|d| word(&d, 8)), Ok(48));
    let sizes = query(&rig, Q::GETSEGMENTGROUPSIZE, [0; 56]).unwrap();
    assert_eq!(word(&sizes, 32), 1 << 30);
    assert_eq!(query(&rig, Q::GETSEGMENTSIZE, [0; 24]).map(|d| word(&d, 16)), Ok(1 << 30));
    assert_eq!(query(&rig, Q::ADAPTERADDRESS, [0; 12]).map(|d| word(&d, 4)), Ok(5));
    let mut which = [0u8; 78];
    which[0] = 1;
    let node = query(&rig, Q::NODEMETADATA, which).unwrap();
    assert_eq!((word(&node, 4), node[8], node[10]), (6, b'c', b'o'));
    which[0] = 2;
    assert_eq!(query(&rig, Q::NODEMETADATA, which), Err(EINVAL));
    // UTF-16, and a character outside ASCII.
    let name = query(&rig, Q::DRIVER_DESCRIPTION, [0; 8192]).unwrap();
    let text: Vec<u16> = name.chunks(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
    assert_eq!(dxg_abi::payload::from_utf16(&text), "Test GPU ä");
    let guid = query(&rig, Q::QUERY_ADAPTER_UNIQUE_GUID, [0; 80]).unwrap();
    assert_eq!((guid[0], guid[2]), (b'{', b'0'));
    assert_eq!(query(&rig, Q::WDDM_2_7_CAPS, [0; 4]), Ok([7, 0, 0, 0]));
    assert_eq!(query(&rig, Q::WDDM_2_9_CAPS, [0; 4]), Ok([6, 0, 0, 0]));
    assert_eq!(query(&rig, Q::WDDM_3_0_CAPS, [0; 4]), Ok([0; 4]));
    assert_eq!(query(&rig, Q::WDDM_2_0_CAPS, [0; 4]), Ok([3, 0, 0, 0]));
    // A software adapter has no driver store; other types are not available.
    let mut registry = [0u8; 552];
    registry[0] = 2;
    assert_eq!(query(&rig, Q::QUERYREGISTRY, registry), Err(-2));
    assert_eq!(query(&rig, Q::XBOX, [0; 4]), Err(EINVAL));
    assert_eq!(query(&rig, Q::ADAPTERTYPE, [0; 3]), Err(EINVAL));
    assert!(query(&rig, Q::ADAPTERREGISTRYINFO, [0; 2080]).is_ok());
    let old = Rig::with(Config { query_status: false, hw_queues: false, ..config() });
    assert_eq!(query(&old, Q::XBOX, [0; 4]), Err(EOVERFLOW));
    assert_eq!(query(&old, Q::WDDM_2_7_CAPS, [0; 4]), Ok([0; 4]));
}

#[test]
fn escapes() {
    let rig = Rig::new();
    let send = |data: &mut [u8], flags| {
        let mut a = Escape {
            adapter: rig.adapter,
            flags,
            priv_drv_data: data.as_mut_ptr() as u64,
            priv_drv_data_size: data.len() as u32,
            ..Default::default()
        };
        let before = a;
        let r = call(&rig.node, &mut a);
        assert!(differences(&before, &a).is_empty());
        r
    };
    let mut data = [1u8, 2, 3, 4, 5];
    assert_eq!(send(&mut data, EscapeFlags::default()), 0);
    assert_eq!(data, [5, 4, 3, 2, 1]);
    assert_eq!(send(&mut [0; 13], EscapeFlags::default()), EOVERFLOW);
    let known = EscapeFlags::DRIVER_KNOWN_ESCAPE;
    let mut translate = [1u8, 0, 0, 0, 9, 9, 9, 9];
    assert_eq!(send(&mut translate, known), 0);
    assert_eq!(translate, [1, 0, 0, 0, 9, 9, 9, 9], "nothing is done");
    assert_eq!(send(&mut [1, 0], known), EINVAL);
    let mut test = [0u8; 112];
    test[0] = 3;
    assert_eq!(send(&mut test, known), EINVAL, "buffer too small");
}
