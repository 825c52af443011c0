//! Allocations, addresses, residency.

mod common;

use common::*;
use dxg_abi::zerocopy::IntoBytes;
use dxg_abi::*;
use dxg_model::Config;

const KIB64: u64 = 64 << 10;

fn destroy(rig: &Rig, list: &[Handle]) -> DestroyAllocation2 {
    DestroyAllocation2 {
        device: rig.device,
        allocations: list.as_ptr() as u64,
        alloc_count: list.len() as u32,
        ..Default::default()
    }
}

fn reserve_call(rig: &Rig, base: u64, size: u64) -> ReserveGpuVirtualAddress {
    ReserveGpuVirtualAddress { adapter: rig.adapter, base_address: base, size, ..Default::default() }
}

fn reserve(rig: &Rig, size: u64) -> u64 {
    ok(&rig.node, reserve_call(rig, 0, size)).virtual_address
}

fn free_call(rig: &Rig, base: u64, size: u64) -> FreeGpuVirtualAddress {
    FreeGpuVirtualAddress { adapter: rig.adapter, base_address: base, size, ..Default::default() }
}

/// Whether this process can read and write an address, asked of the kernel.
fn access(address: u64) -> (bool, bool) {
    let mut byte = [0u8; 1];
    let own = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let other = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: 1 };
    // SAFETY: the kernel checks the address; the byte is written back unchanged.
    unsafe {
        let pid = libc::getpid();
        let r = libc::process_vm_readv(pid, &own, 1, &other, 1, 0) == 1;
        (r, r && libc::process_vm_writev(pid, &own, 1, &other, 1, 0) == 1)
    }
}

#[test]
fn one_mapping_serves_gpu_and_cpu() {
    let rig = Rig::new();
    let allocation = rig.memory(3 * 4096);
    let cpu = rig.lock(allocation);
    let va = rig.map(allocation, 0);
    assert_eq!(va, cpu);
    poke(cpu + 8192, 5);
    assert_eq!(peek(va + 8192), 5);
    let space = rig.node.address_space();
    assert!(space.check(va, 3 * 4096, true) && !space.check(va, 3 * 4096 + 1, false));
    // A second address of the same pages.
    let other = rig.map(allocation, 0);
    assert_ne!(other, va);
    poke(other, 77);
    assert_eq!(peek(va), 77);
    // A part of it, by offset.
    let mut part = rig.map_call(allocation, 0);
    part.offset_in_pages = 2;
    part.minimum_address = space.base() + (1 << 30);
    assert_eq!(call(&rig.node, &mut part), 0);
    assert!(part.virtual_address >= part.minimum_address);
    assert_eq!(peek(part.virtual_address), 5);
    assert!(!space.check(part.virtual_address, 4097, false), "the rest of the allocation");
    fails(&rig.node, MapGpuVirtualAddress { size_in_pages: 2, ..part }, EINVAL);
    fails(&rig.node, MapGpuVirtualAddress { offset_in_pages: 4, ..part }, EINVAL);
    fails(&rig.node, MapGpuVirtualAddress { offset_in_pages: u64::MAX, ..part }, EINVAL);
}

#[test]
fn locks_nest() {
    let rig = Rig::new();
    let (device, node) = (rig.device, &rig.node);
    let allocation = rig.memory(4096);
    fails(node, Unlock2 { device, allocation }, EINVAL);
    let first = rig.lock(allocation);
    // The device of a further lock is not looked at.
    let again = ok(node, Lock2 { allocation, ..Default::default() }).data;
    assert_eq!(first, again);
    ok(node, Unlock2 { device: Handle(1), allocation });
    fails(node, Unlock2 { device: Handle(1), allocation }, EINVAL);
    fails(node, Lock2 { allocation, ..Default::default() }, EINVAL);
    // The caller's own memory: its own address, not counted.
    let pages = Pages::private(KIB64);
    let (own, _) = rig.sysmem(&pages);
    assert_eq!(rig.lock(own), pages.address);
    ok(node, Unlock2 { device, allocation: own });
    ok(node, Unlock2 { device, allocation: own });
}

#[test]
fn a_length_of_4_gib_does_not_fit() {
    let allocate = |quirks: bool| {
        let rig = Rig::with(Config { quirks, address_space: 1 << 37, ..config() });
        let allocation = rig.memory(4 << 30);
        let lock = Lock2 { device: rig.device, allocation, ..Default::default() };
        call(&rig.node, &mut lock.clone())
    };
    assert_eq!(allocate(true), ENOMEM);
    assert_eq!(allocate(false), 0);
}

#[test]
fn own_memory_maps_at_its_own_address_or_shared_at_another() {
    let rig = Rig::new();
    let node = &rig.node;
    let space = node.address_space();
    let private = Pages::private(KIB64);
    let (allocation, resource) = rig.sysmem(&private);
    assert_eq!(rig.map(allocation, 0), private.address, "chosen by default");
    ok(node, free_call(&rig, private.address, KIB64));
    assert_eq!(rig.map(allocation, private.address), private.address);
    // Private pages have no second address.
    let at = reserve(&rig, KIB64);
    fails(node, rig.map_call(allocation, at), ENOMEM);
    fails(node, MapGpuVirtualAddress { maximum_address: at + (1 << 30), ..rig.map_call(allocation, 0) }, ENOMEM);
    // Two allocations over the same pages.
    let (twin, _) = rig.sysmem(&private);
    assert_eq!(rig.map(twin, private.address), private.address);
    ok(node, free_call(&rig, private.address, KIB64));
    assert!(space.check(private.address, KIB64, true), "mapped twice, freed once");
    ok(node, DestroyAllocation2 { device: rig.device, resource, ..Default::default() });
    assert!(space.check(private.address, KIB64, true), "it was the other's that was freed");
    ok(node, free_call(&rig, private.address, KIB64));
    assert!(!space.check(private.address, 1, false));
    fails(node, free_call(&rig, private.address, KIB64), EINVAL);
    // Shared pages have.
    let shared = Pages::shared(KIB64);
    let (allocation, resource) = rig.sysmem(&shared);
    assert_eq!(rig.map(allocation, at), at);
    poke(shared.address + 4096, 99);
    assert_eq!(peek(at + 4096), 99);
    ok(node, DestroyAllocation2 { device: rig.device, resource, ..Default::default() });
    assert_eq!(access(at), (false, false), "the reservation is empty again");
    assert_eq!(access(shared.address), (true, true), "the caller's own mapping stays");
}

#[test]
fn pinning_fails_on_holes_and_read_only_pages() {
    let rig = Rig::new();
    let pages = Pages::private(4 * 4096);
    let protect = |page: u64, prot| {
        // SAFETY: pages of the test's own mapping.
        let r = unsafe { libc::mprotect((pages.address + page * 4096) as *mut _, 4096, prot) };
        assert_eq!(r, 0);
    };
    let create = |flags: CreateAllocationFlags| {
        let mut info = [AllocationInfo2 { sysmem: pages.address, ..Default::default() }];
        let standard = CreateStandardAllocation {
            r#type: StandardAllocationType::EXISTINGHEAP,
            existing_heap_data: StandardAllocationExistingHeap { size: pages.size },
            ..Default::default()
        };
        let mut a = CreateAllocation {
            device: rig.device,
            alloc_count: 1,
            allocation_info: info.as_mut_ptr() as u64,
            flags: CreateAllocationFlags::STANDARD_ALLOCATION | CreateAllocationFlags::EXISTING_SYSMEM | flags,
            ..Default::default()
        };
        a.set_standard_allocation(&raw const standard as u64);
        call(&rig.node, &mut a)
    };
    assert_eq!(create(CreateAllocationFlags::default()), 0);
    protect(3, libc::PROT_READ);
    assert_eq!(create(CreateAllocationFlags::default()), ENOMEM);
    assert_eq!(create(CreateAllocationFlags::READ_ONLY), 0);
    // SAFETY: a page of the test's own mapping.
    unsafe { libc::munmap((pages.address + 4096) as *mut _, 4096) };
    assert_eq!(create(CreateAllocationFlags::READ_ONLY), ENOMEM);
}

#[test]
fn creation_checks_in_order() {
    let rig = Rig::new();
    let node = &rig.node;
    let pages = Pages::private(KIB64);
    // Room for the largest blob; its first word is the size asked for.
    let private = Pages::private(256 << 10);
    let info = |sysmem: u64, size: u32| AllocationInfo2 {
        sysmem,
        priv_drv_data: private.address,
        priv_drv_data_size: size,
        ..Default::default()
    };
    use CreateAllocationFlags as F;
    let create = |list: &[AllocationInfo2], flags: F| CreateAllocation {
        device: rig.device,
        alloc_count: list.len() as u32,
        allocation_info: list.as_ptr() as u64,
        flags,
        ..Default::default()
    };
    let none = F::default();
    // No size in the private data: the host refuses, without a status.
    fails(node, create(&[info(0, 8)], none), EOVERFLOW);
    fails(node, create(&[info(0, 4)], none), EOVERFLOW);
    fails(node, create(&[info(0, 131_072)], none), EINVAL);
    fails(node, create(&[info(0, 8)], F::EXISTING_SECTION), EINVAL);
    fails(node, create(&[info(0, 8)], F::CREATE_PROTECTED), EINVAL);
    fails(node, create(&[info(0, 8)], F::CREATE_SHARED), EINVAL);
    fails(node, create(&[info(0, 8)], F::CREATE_SHARED | F::CREATE_RESOURCE), EINVAL);
    fails(node, create(&[info(pages.address + 1, 8)], none), EINVAL);
    fails(node, create(&[info(pages.address, 8), info(0, 8)], none), EINVAL);
    fails(node, CreateAllocation { resource: Handle(0x4000_1000), ..create(&[info(0, 8)], none) }, EINVAL);
    fails(node, create(&vec![info(0, 8); 1025], none), EINVAL);
    fails(node, create(&[info(0, 70_000); 2], none), EOVERFLOW);
    poke(private.address, u64::MAX);
    fails(node, create(&[info(0, 8)], none), EOVERFLOW);

    // Standard allocations; misuse of kind and memory gives the bare status (quirk).
    let raw = NtStatus::INVALID_PARAMETER.as_raw();
    let standard = |kind: u32, size: u64| CreateStandardAllocation {
        r#type: StandardAllocationType(kind),
        existing_heap_data: StandardAllocationExistingHeap { size },
        ..Default::default()
    };
    let try_it = |s: CreateStandardAllocation, list: &[AllocationInfo2], flags: F, want: i32| {
        let mut a = create(list, F::STANDARD_ALLOCATION | flags);
        a.set_standard_allocation(&raw const s as u64);
        fails(node, a, want);
    };
    let own = [info(pages.address, 0)];
    fails(node, create(&own, F::STANDARD_ALLOCATION), EINVAL);
    try_it(standard(1, KIB64), &own, none, raw);
    try_it(standard(1, KIB64), &[info(0, 0)], F::EXISTING_SYSMEM, raw);
    try_it(standard(2, KIB64), &own, F::EXISTING_SYSMEM, raw);
    try_it(standard(3, KIB64), &own, F::EXISTING_SYSMEM, raw);
    try_it(standard(1, 0), &own, F::EXISTING_SYSMEM, EINVAL);
    try_it(standard(1, 100), &own, F::EXISTING_SYSMEM, EINVAL);
    try_it(standard(1, KIB64), &[own[0], own[0]], F::EXISTING_SYSMEM, EINVAL);
    try_it(standard(1, KIB64), &[info(pages.address, 4)], F::EXISTING_SYSMEM, EINVAL);
    // Cross-adapter ones have memory of the model's.
    let mut list = [info(0, 0)];
    let s = standard(2, KIB64);
    let mut a =
        CreateAllocation { allocation_info: list.as_mut_ptr() as u64, ..create(&[info(0, 0)], F::STANDARD_ALLOCATION) };
    a.set_standard_allocation(&raw const s as u64);
    ok(node, a);
    poke(rig.lock(list[0].allocation) + KIB64 - 8, 1);
}

#[test]
fn resources_own_their_allocations() {
    let rig = Rig::new();
    let node = &rig.node;
    let private = 4096u64.to_le_bytes();
    let fresh = AllocationInfo2 { priv_drv_data: private.as_ptr() as u64, priv_drv_data_size: 8, ..Default::default() };
    let mut list = [fresh; 3];
    let a = CreateAllocation {
        device: rig.device,
        alloc_count: 3,
        allocation_info: list.as_mut_ptr() as u64,
        flags: CreateAllocationFlags::CREATE_RESOURCE,
        ..Default::default()
    };
    let resource = ok(node, a).resource;
    let mut more = [fresh];
    ok(
        node,
        CreateAllocation {
            alloc_count: 1,
            resource,
            allocation_info: more.as_mut_ptr() as u64,
            flags: CreateAllocationFlags::default(),
            ..a
        },
    );
    let free_standing = rig.memory(4096);
    // Not with others of another owner, not twice, not with both or neither.
    fails(node, destroy(&rig, &[list[0].allocation, free_standing]), EINVAL);
    fails(node, destroy(&rig, &[free_standing, free_standing]), EINVAL);
    fails(node, DestroyAllocation2 { resource, ..destroy(&rig, &[free_standing]) }, EINVAL);
    fails(node, destroy(&rig, &[]), EINVAL);
    ok(node, destroy(&rig, &[list[0].allocation]));
    fails(node, destroy(&rig, &[list[0].allocation]), EINVAL);
    let whole = DestroyAllocation2 { device: rig.device, resource, ..Default::default() };
    ok(node, whole);
    for gone in [list[1].allocation, list[2].allocation, more[0].allocation] {
        fails(node, Lock2 { device: rig.device, allocation: gone, ..Default::default() }, EINVAL);
    }
    fails(node, whole, EINVAL);
    rig.lock(free_standing);
}

#[test]
fn reservations() {
    let rig = Rig::new();
    let node = &rig.node;
    let space = node.address_space();
    let base = reserve(&rig, 4 * KIB64);
    assert_eq!((base % KIB64, access(base)), (0, (false, false)));
    assert!(!space.check(base, 1, false));
    // Taken, unaligned, empty, out of any range, of an unknown kind.
    fails(node, reserve_call(&rig, base, KIB64), EOVERFLOW);
    fails(node, reserve_call(&rig, base + 4096, KIB64), EOVERFLOW);
    fails(node, reserve_call(&rig, 0, 4096), EOVERFLOW);
    fails(node, reserve_call(&rig, 0, 0), EOVERFLOW);
    fails(node, reserve_call(&rig, 0, 1 << 40), EOVERFLOW);
    fails(node, reserve_call(&rig, 1 << 62, KIB64), EOVERFLOW);
    let kind = GpuVaReservationType(9);
    fails(node, ReserveGpuVirtualAddress { reservation_type: kind, ..reserve_call(&rig, 0, KIB64) }, EOVERFLOW);
    // Within limits, and through a paging queue.
    let minimum_address = base + (1 << 30);
    let a = ReserveGpuVirtualAddress {
        adapter: rig.paging.paging_queue,
        minimum_address,
        maximum_address: minimum_address + KIB64,
        ..reserve_call(&rig, 0, KIB64)
    };
    assert_eq!(ok(node, a).virtual_address, minimum_address);
    fails(node, a, EOVERFLOW);
    // Only exactly what was reserved can be freed, once.
    fails(node, free_call(&rig, base, KIB64), EINVAL);
    fails(node, free_call(&rig, base + KIB64, KIB64), EINVAL);
    ok(node, free_call(&rig, base, 4 * KIB64));
    fails(node, free_call(&rig, base, 4 * KIB64), EINVAL);
    assert_eq!(ok(node, reserve_call(&rig, base, KIB64)).virtual_address, base);
    // Addresses outside the model's own range: granted while nothing else is there.
    let spare = Pages::private(KIB64 * 3);
    let outside = spare.address.next_multiple_of(KIB64);
    fails(node, reserve_call(&rig, outside, KIB64), EOVERFLOW);
    drop(spare);
    ok(node, reserve_call(&rig, outside, KIB64));
    let allocation = rig.memory(4096);
    assert_eq!(rig.map(allocation, outside), outside);
    poke(outside, 3);
    assert_eq!(peek(rig.lock(allocation)), 3);
    ok(node, free_call(&rig, outside, KIB64));
    assert_eq!(access(outside), (false, false));
}

#[test]
fn zero_and_no_access_are_real() {
    let rig = Rig::new();
    let node = &rig.node;
    let space = node.address_space();
    let reservation_type = GpuVaReservationType::ZERO;
    let base = ok(node, ReserveGpuVirtualAddress { reservation_type, ..reserve_call(&rig, 0, KIB64) }).virtual_address;
    assert_eq!((access(base), peek(base + 4096)), ((true, true), 0));
    assert!(space.check(base, KIB64, false) && space.check(base, KIB64, true));
    let allocation = rig.memory(KIB64);
    poke(rig.lock(allocation) + 4096, 11);
    assert_eq!(rig.map(allocation, base), base);
    assert_eq!((access(base), peek(base + 4096)), ((true, true), 11));
    let nothing = |protection| MapGpuVirtualAddress {
        allocation: Handle::NULL,
        size_in_pages: 1,
        protection,
        ..rig.map_call(Handle::NULL, base + 4096)
    };
    ok(node, nothing(GpuVaProtection::NO_ACCESS));
    assert_eq!((access(base), access(base + 4096), access(base + 8192)), ((true, true), (false, false), (true, true)));
    assert_eq!(space.first_fault(base, KIB64, false), Some(base + 4096));
    ok(node, nothing(GpuVaProtection::ZERO));
    assert_eq!((access(base + 4096), peek(base + 4096)), ((true, true), 0));
    assert!(space.is_backed(base, 4096) && !space.is_backed(base, 4097) && !space.is_backed(base + 4096, 1));
    assert!(space.is_backed(base + 8192, KIB64 - 8192) && !space.is_backed(u64::MAX, 2));
    poke(base + 4096, 12);
    assert_eq!(peek(rig.lock(allocation) + 4096), 11, "a write to zeros reaches no memory");
    // Read-only for the GPU means a mapping of its own.
    let mut a = rig.map_call(allocation, 0);
    a.protection = GpuVaProtection::default();
    let a = ok(node, a);
    assert_eq!((access(a.virtual_address), peek(a.virtual_address + 4096)), ((true, false), 11));
    // What Map chose itself cannot become zero or nothing.
    let chosen = a.virtual_address;
    fails(node, MapGpuVirtualAddress { base_address: chosen, ..nothing(GpuVaProtection::ZERO) }, EINVAL);
    let both = GpuVaProtection::ZERO | GpuVaProtection::NO_ACCESS;
    fails(node, nothing(both), EINVAL);
    fails(node, nothing(GpuVaProtection::ZERO | GpuVaProtection::WRITE), EINVAL);
    // Destroying the allocation gives the reservation its zeros back, and frees what Map chose.
    ok(node, destroy(&rig, &[allocation]));
    assert_eq!((access(base), peek(base + 8192)), ((true, true), 0));
    assert_eq!(access(chosen), (false, false));
    fails(node, free_call(&rig, chosen, KIB64), EINVAL);
    let changes = rig.engine.changes.lock().unwrap();
    assert!(changes.contains(&(chosen, KIB64)), "the engine hears of it");
}

#[test]
fn pending_mappings_cannot_be_used_yet() {
    use std::time::Duration;
    let slow = dxg_model::Pending::Always { min: Duration::from_millis(30), max: Duration::from_millis(30), seed: 1 };
    let rig = Rig::with(Config { pending: slow, ..config() });
    let space = rig.node.address_space().clone();
    let allocation = rig.memory(4096);
    let mut a = rig.map_call(allocation, 0);
    assert_eq!(call(&rig.node, &mut a), PENDING);
    assert_eq!((a.paging_fence_value, peek(rig.paging.fence_cpu_virtual_address)), (1, 0));
    assert!(!space.check(a.virtual_address, 1, false));
    let generation = space.generation();
    ok(&rig.node, cpu_wait(rig.device, &[rig.paging.sync_object], &[1], 0));
    assert!(space.check(a.virtual_address, 4096, true));
    assert_ne!(space.generation(), generation);
    // Two queues count for themselves, each in order.
    let other = ok(&rig.node, CreatePagingQueue { device: rig.device, ..Default::default() });
    let list = [allocation];
    let mut b = MakeResident { paging_queue: other.paging_queue, ..rig.make_resident_call(&list) };
    assert_eq!((call(&rig.node, &mut b), b.paging_fence_value), (PENDING, 1));
    let mut c = rig.make_resident_call(&list);
    assert_eq!((call(&rig.node, &mut c), c.paging_fence_value), (PENDING, 2));
    rig.until(other.fence_cpu_virtual_address, 1);
    rig.until(rig.paging.fence_cpu_virtual_address, 2);
}

#[test]
fn memory_for_every_adapter_counts_as_not_local() {
    let rig = Rig::with(Config { budget: Some(3 * KIB64), ..config() });
    let node = &rig.node;
    let usage = || {
        [MemorySegmentGroup::LOCAL, MemorySegmentGroup::NON_LOCAL].map(|memory_segment_group| {
            let a = QueryVideoMemoryInfo { adapter: rig.adapter, memory_segment_group, ..Default::default() };
            let a = ok(node, a);
            (a.budget, a.current_usage)
        })
    };
    assert_eq!(usage(), [(3 * KIB64, 0), (3 * KIB64, 0)]);
    rig.make_resident(&[rig.memory(KIB64)]);
    assert_eq!(usage(), [(3 * KIB64, KIB64), (2 * KIB64, 0)]);
    let everywhere = [rig.cross_adapter(KIB64)];
    rig.make_resident(&everywhere);
    assert_eq!(usage(), [(3 * KIB64, KIB64), (2 * KIB64, KIB64)]);
    // One memory for both.
    fails(node, rig.make_resident_call(&[rig.cross_adapter(2 * KIB64)]), ENOMEM);
    let allocations = everywhere.as_ptr() as u64;
    ok(node, Evict { device: rig.device, alloc_count: 1, allocations, ..Default::default() });
    assert_eq!(usage(), [(3 * KIB64, KIB64), (2 * KIB64, 0)]);
}

#[test]
fn residency_is_counted_against_the_budget() {
    let rig = Rig::with(Config { budget: Some(3 * KIB64), ..config() });
    let node = &rig.node;
    let list: Vec<Handle> = (0..4).map(|_| rig.memory(KIB64)).collect();
    let usage = || {
        let a = QueryVideoMemoryInfo { adapter: rig.adapter, ..Default::default() };
        let a = ok(node, a);
        (a.budget, a.current_usage)
    };
    let evict = |list: &[Handle]| {
        let allocations = list.as_ptr() as u64;
        let (device, alloc_count) = (rig.device, list.len() as u32);
        ok(node, Evict { device, alloc_count, allocations, ..Default::default() });
    };
    assert_eq!(usage(), (3 * KIB64, 0), "creation does not count");
    rig.make_resident(&list[..2]);
    rig.make_resident(&list[..1]);
    rig.make_resident(&[list[0], list[0]]);
    assert_eq!(usage().1, 2 * KIB64, "references count once");
    // All or none, and nothing written.
    let too_much = MakeResident { num_bytes_to_trim: 7, ..rig.make_resident_call(&list[2..]) };
    fails(node, too_much, ENOMEM);
    assert_eq!(usage().1, 2 * KIB64);
    let bad = [list[2], Handle(0x4000_0000 | 500 << 6)];
    fails(node, rig.make_resident_call(&bad), EINVAL);
    let mut status = [AllocationResidencyStatus(0); 4];
    let query = QueryAllocationResidency {
        device: rig.device,
        allocations: list.as_ptr() as u64,
        allocation_count: 4,
        residency_status: status.as_mut_ptr() as u64,
        ..Default::default()
    };
    ok(node, query);
    assert_eq!(status.map(|s| s.0), [1, 1, 3, 3]);
    evict(&list[1..2]);
    rig.make_resident(&list[2..]);
    assert_eq!(usage().1, 3 * KIB64);
    // Four references on the first; evicting what has none does nothing.
    for _ in 0..3 {
        evict(&list[..1]);
    }
    evict(&list[1..2]);
    assert_eq!(usage().1, 3 * KIB64);
    evict(&list[..1]);
    assert_eq!(usage().1, 2 * KIB64);
    // Destruction gives the references back.
    ok(node, destroy(&rig, &list[2..]));
    assert_eq!(usage().1, 0);
    let change = ChangeVideoMemoryReservation { adapter: rig.adapter, reservation: KIB64, ..Default::default() };
    ok(node, change);
    fails(node, ChangeVideoMemoryReservation { reservation: 3 * KIB64, ..change }, EINVAL);
    let a = QueryVideoMemoryInfo { adapter: rig.adapter, ..Default::default() };
    assert_eq!(ok(node, a).current_reservation, KIB64);
}

#[test]
fn must_succeed_puts_the_device_into_error() {
    let rig = Rig::with(Config { budget: Some(4096), ..config() });
    let list = [rig.memory(8192)];
    let flags = MakeResidentFlags::MUST_SUCCEED;
    fails(&rig.node, MakeResident { flags, ..rig.make_resident_call(&list) }, EINVAL);
    assert_eq!(rig.execution(), DeviceExecutionState::ACTIVE);
    let flags = MakeResidentFlags::MUST_SUCCEED | MakeResidentFlags::CANT_TRIM_FURTHER;
    fails(&rig.node, MakeResident { flags, ..rig.make_resident_call(&list) }, ENOMEM);
    assert_eq!(rig.execution(), DeviceExecutionState::ERROR_OUTOFMEMORY);
}

#[test]
fn priorities_and_offers() {
    let rig = Rig::new();
    let (node, device) = (&rig.node, rig.device);
    let list = [rig.memory(4096), rig.memory(4096)];
    let values = [5u32, 6];
    let set = SetAllocationPriority {
        device,
        allocation_list: list.as_ptr() as u64,
        allocation_count: 2,
        priorities: values.as_ptr() as u64,
        ..Default::default()
    };
    let mut out = [0u32; 3];
    let get = GetAllocationPriority {
        device,
        allocation_list: list.as_ptr() as u64,
        allocation_count: 2,
        priorities: out.as_mut_ptr() as u64,
        ..Default::default()
    };
    ok(node, get);
    assert_eq!(out, [0x7800_0000, 0x7800_0000, 0]);
    ok(node, set);
    ok(node, get);
    assert_eq!(out, [5, 6, 0]);
    fails(node, GetAllocationPriority { resource: Handle(1), ..get }, EINVAL);
    let pages = Pages::private(KIB64);
    let (_, resource) = rig.sysmem(&pages);
    ok(node, SetAllocationPriority { resource, allocation_count: 0, ..set });
    ok(node, GetAllocationPriority { resource, allocation_count: 0, ..get });
    assert_eq!(out, [5, 6, 0], "one for the resource");
    let mut status = [AllocationResidencyStatus(0); 2];
    ok(
        node,
        QueryAllocationResidency {
            device,
            resource,
            residency_status: status.as_mut_ptr() as u64,
            ..Default::default()
        },
    );
    assert_eq!(status.map(|s| s.0), [3, 0]);
    let offer =
        OfferAllocations { device, allocations: list.as_ptr() as u64, allocation_count: 2, ..Default::default() };
    ok(node, offer);
    fails(node, OfferAllocations { resources: 8, ..offer }, EINVAL);
    let allocation = list[0];
    let flush = InvalidateCache { device, allocation, offset: 0, length: 4096 };
    ok(node, flush);
    fails(node, InvalidateCache { offset: 1, ..flush }, EINVAL);
    fails(node, InvalidateCache { offset: u64::MAX, ..flush }, EINVAL);
}

#[test]
fn updates_are_queued_and_echo_the_fence_value() {
    let rig = Rig::new();
    let node = &rig.node;
    let context = rig.context();
    let fence = rig.fence(0);
    let base = reserve(&rig, 8 * KIB64);
    let allocation = rig.memory(2 * 4096);
    let cpu = rig.lock(allocation);
    poke(cpu, 1);
    poke(cpu + 4096, 2);
    let op = |kind, m: GpuVaMap| {
        let mut op = UpdateGpuVirtualAddressOperation { operation: kind, ..Default::default() };
        op.set_map(m);
        op
    };
    let map = |at: u64, size: u64, offset: u64, length: u64| GpuVaMap {
        base_address: base + at,
        size,
        allocation,
        allocation_offset: offset,
        allocation_size: length,
        ..Default::default()
    };
    use UpdateGpuVirtualAddressOperationType as Op;
    let mut copy = UpdateGpuVirtualAddressOperation { operation: Op::COPY, ..Default::default() };
    copy.set_copy(GpuVaCopy { source_address: base, size: 8192, dest_address: base + KIB64 });
    let mut unmap = UpdateGpuVirtualAddressOperation { operation: Op::UNMAP, ..Default::default() };
    let protection = GpuVaProtection::ZERO;
    unmap.set_unmap(GpuVaUnmap { base_address: base, size: 4096, protection });
    // The second page of the allocation, repeated over four; then two pages copied away; then the
    // first made zero.
    let list = [op(Op::MAP, map(0, 4 * 4096, 4096, 4096)), copy, unmap];
    let update = UpdateGpuVirtualAddress {
        device: rig.device,
        context,
        fence_object: fence.handle,
        num_operations: 3,
        operations: list.as_ptr() as u64,
        fence_value: 4,
        ..Default::default()
    };
    assert_eq!(ok(node, update).fence_value, 4);
    assert!(!node.address_space().check(base, 1, false), "waits for the fence");
    rig.signal_cpu(fence.handle, 4);
    rig.until(fence.cpu, 5);
    assert_eq!((access(base), peek(base)), ((true, true), 0));
    for page in [1, 2, 3, KIB64 / 4096, KIB64 / 4096 + 1] {
        assert_eq!(peek(base + page * 4096), 2);
    }
    assert_eq!(access(base + 4 * 4096), (false, false));
    // Outside one reservation, beyond the allocation, unknown operations.
    let bad = [
        op(Op::MAP, map(8 * KIB64, 4096, 0, 4096)),
        op(Op::MAP, map(8 * KIB64 - 4096, 8192, 0, 8192)),
        op(Op::MAP, map(0, 8192, 4096, 8192)),
        op(Op::MAP, map(0, 4096, 1, 4096)),
        op(Op(7), map(0, 4096, 0, 4096)),
    ];
    for one in &bad {
        let operations = &raw const *one as u64;
        fails(node, UpdateGpuVirtualAddress { num_operations: 1, operations, ..update }, EINVAL);
    }
    fails(node, UpdateGpuVirtualAddress { context: Handle(64), ..update }, EINVAL);
    fails(node, UpdateGpuVirtualAddress { fence_object: Handle(64), ..update }, EINVAL);
    // Without waiting.
    let flags = UpdateGpuVirtualAddressFlags::DO_NOT_WAIT;
    ok(node, UpdateGpuVirtualAddress { flags, fence_value: 100, ..update });
    rig.until(fence.cpu, 101);
}

#[test]
fn destruction_waits_for_queued_work_unless_told_otherwise() {
    let rig = Rig::new();
    let node = &rig.node;
    let context = rig.context();
    let gate = rig.fence(0);
    let done = rig.fence(0);
    let (commands, va) = rig.buffer(4096);
    let (target, at) = rig.buffer(4096);
    let length = rig.write(va, &[[STORE, at, 1]]);
    rig.wait_gpu(context, gate.handle, 1);
    rig.submit(context, va, length);
    rig.signal_gpu(context, done.handle, 1);
    ok(node, destroy(&rig, &[target]));
    assert!(node.address_space().check(at, 8, true), "still in use");
    rig.signal_cpu(gate.handle, 1);
    rig.until(done.cpu, 1);
    assert_eq!(rig.execution(), DeviceExecutionState::ACTIVE);
    while node.address_space().check(at, 8, false) {
        std::thread::yield_now();
    }
    let flags = DestroyAllocation2Flags::ASSUME_NOT_IN_USE;
    ok(node, DestroyAllocation2 { flags, ..destroy(&rig, &[commands]) });
    assert_eq!(access(va), (false, false));
}

#[test]
fn many_allocations_leave_nothing_behind() {
    let rig = Rig::new();
    let before = std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    for _ in 0..3 {
        let list: Vec<Handle> = (0..300).map(|i| rig.memory(4096 * (i % 7 + 1))).collect();
        for a in &list {
            rig.map(*a, 0);
            rig.map(*a, 0);
        }
        ok(&rig.node, destroy(&rig, &list));
        let fences: Vec<Fence> = (0..600).map(|i| rig.fence(i)).collect();
        let mut seen = fences.iter().map(|f| f.cpu).collect::<Vec<_>>();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), fences.len(), "a page each");
        for f in fences {
            ok(&rig.node, DestroySynchronizationObject { sync_object: f.handle });
        }
    }
    let after = std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    assert!(after < before + 100, "{before} mappings became {after}");
    let a = QueryStatistics { adapter_luid: rig.luid, ..Default::default() };
    assert_eq!(ok(&rig.node, a).as_bytes().len(), 808);
}
