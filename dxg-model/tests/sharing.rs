//! Sharing through descriptors, within a process.

mod common;

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use common::*;
use dxg_abi::*;
use dxg_model::Config;

const SHARED: SynchronizationObjectFlags = SynchronizationObjectFlags(3);

fn share_call(object: &Handle, out: &mut u64) -> ShareObjects {
    ShareObjects {
        object_count: 1,
        objects: &raw const *object as u64,
        shared_handle: &raw mut *out as u64,
        ..Default::default()
    }
}

fn share(rig: &Rig, object: Handle) -> OwnedFd {
    let mut fd = 0u64;
    ok(&rig.node, share_call(&object, &mut fd));
    // SAFETY: the descriptor was just made for us.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

fn open_call(device: Handle, fd: &OwnedFd) -> OpenSyncObjectFromNtHandle2 {
    OpenSyncObjectFromNtHandle2 { device, nt_handle: fd.as_raw_fd() as u64, ..Default::default() }
}

#[test]
fn fences_outlive_their_creator() {
    let rig = Rig::new();
    let node = &rig.node;
    let fence = rig.fence_with(3, SHARED);
    let fd = share(&rig, fence.handle);
    let flags = rustix::io::fcntl_getfd(&fd).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    let second = ok(node, CreateDevice { adapter: rig.adapter, ..Default::default() }).device;
    let opened = ok(node, open_call(second, &fd));
    let page = opened.monitored_fence.fence_value_cpu_va;
    assert!(page != fence.cpu && page != 0 && page == opened.monitored_fence.fence_value_gpu_va);
    assert_eq!(peek(page), 3);
    rig.signal_cpu(fence.handle, 4);
    assert_eq!((peek(page), peek(fence.cpu)), (4, 4));
    // A command buffer that writes to either page is seen by waiters.
    let event = Event::new();
    ok(node, cpu_wait(second, &[fence.handle], &[8], event.fd()));
    poke(page, 8);
    node.address_space().fence_written(page);
    assert_eq!(event.take(), 1);
    ok(node, DestroySynchronizationObject { sync_object: fence.handle });
    assert!(!node.address_space().check(fence.gpu, 8, false));
    assert_eq!(peek(page), 8);
    // Only the descriptor is left, then nothing.
    ok(node, DestroySynchronizationObject { sync_object: opened.sync_object });
    let again = ok(node, open_call(second, &fd));
    assert_eq!(peek(again.monitored_fence.fence_value_cpu_va), 8);
}

#[test]
fn wrong_things_to_share_and_open() {
    let rig = Rig::new();
    let node = &rig.node;
    let mut out = 0u64;
    let plain = rig.fence(0);
    fails(node, share_call(&plain.handle, &mut out), EINVAL);
    fails(node, share_call(&rig.paging.sync_object, &mut out), EINVAL);
    fails(node, share_call(&rig.device, &mut out), EINVAL);
    let shared = rig.fence_with(0, SHARED);
    fails(node, ShareObjects { object_count: 2, ..share_call(&shared.handle, &mut out) }, EINVAL);
    fails(node, ShareObjects { shared_handle: 8, ..share_call(&shared.handle, &mut out) }, EFAULT);
    let mut a = CreateSynchronizationObject2 { device: rig.device, ..Default::default() };
    a.info.r#type = SynchronizationObjectType::MONITORED_FENCE;
    a.info.flags = SynchronizationObjectFlags::SHARED;
    fails(node, a, EINVAL);
    let (pipe, _end) = rustix::pipe::pipe().unwrap();
    fails(node, open_call(rig.device, &pipe), EINVAL);
    let nt_handle = u64::MAX;
    fails(node, OpenSyncObjectFromNtHandle2 { nt_handle, ..open_call(rig.device, &pipe) }, EINVAL);
    // Kinds are told apart.
    let fd = share(&rig, shared.handle);
    let info =
        QueryResourceInfoFromNtHandle { device: rig.device, nt_handle: fd.as_raw_fd() as u64, ..Default::default() };
    fails(node, info, EINVAL);
}

/// A shared resource of two allocations.
fn resource(rig: &Rig, private: &[u8; 8], runtime: &[u8]) -> (Handle, [Handle; 2]) {
    let fresh = AllocationInfo2 { priv_drv_data: private.as_ptr() as u64, priv_drv_data_size: 8, ..Default::default() };
    let mut info = [fresh; 2];
    let own = [1u8, 2, 3];
    let a = CreateAllocation {
        device: rig.device,
        alloc_count: 2,
        allocation_info: info.as_mut_ptr() as u64,
        private_runtime_data: runtime.as_ptr() as u64,
        private_runtime_data_size: runtime.len() as u32,
        priv_drv_data: own.as_ptr() as u64,
        priv_drv_data_size: 3,
        flags: CreateAllocationFlags::CREATE_RESOURCE
            | CreateAllocationFlags::CREATE_SHARED
            | CreateAllocationFlags::NT_SECURITY_SHARING,
        ..Default::default()
    };
    (ok(&rig.node, a).resource, info.map(|i| i.allocation))
}

#[test]
fn resources_with_their_data() {
    let rig = Rig::new();
    let node = &rig.node;
    let private = 8192u64.to_le_bytes();
    let (first, allocations) = resource(&rig, &private, b"runtime");
    // Not one by one.
    let single = DestroyAllocation2 {
        device: rig.device,
        allocations: allocations.as_ptr() as u64,
        alloc_count: 1,
        ..Default::default()
    };
    fails(node, single, EINVAL);
    poke(rig.lock(allocations[1]) + 4096, 1234);
    let fd = share(&rig, first);
    // Sealed: nothing can be added.
    let mut more =
        [AllocationInfo2 { priv_drv_data: private.as_ptr() as u64, priv_drv_data_size: 8, ..Default::default() }];
    let add = CreateAllocation {
        device: rig.device,
        resource: first,
        alloc_count: 1,
        allocation_info: more.as_mut_ptr() as u64,
        ..Default::default()
    };
    fails(node, add, EINVAL);

    let device = ok(node, CreateDevice { adapter: rig.adapter, ..Default::default() }).device;
    let nt_handle = fd.as_raw_fd() as u64;
    let info = QueryResourceInfoFromNtHandle { device, nt_handle, ..Default::default() };
    let info = ok(node, info);
    let sizes = (
        info.private_runtime_data_size,
        info.resource_priv_drv_data_size,
        info.total_priv_drv_data_size,
        info.allocation_count,
    );
    assert_eq!(sizes, (7, 3, 16, 2));
    let (mut runtime, mut own, mut total) = ([0u8; 7], [0u8; 3], [0u8; 16]);
    let mut list = [OpenAllocationInfo2::default(); 2];
    let open = OpenResourceFromNtHandle {
        device,
        nt_handle,
        allocation_count: 2,
        open_alloc_info: list.as_mut_ptr() as u64,
        private_runtime_data_size: 7,
        private_runtime_data: runtime.as_mut_ptr() as u64,
        resource_priv_drv_data_size: 3,
        resource_priv_drv_data: own.as_mut_ptr() as u64,
        total_priv_drv_data_size: 16,
        total_priv_drv_data: total.as_mut_ptr() as u64,
        ..Default::default()
    };
    fails(node, OpenResourceFromNtHandle { allocation_count: 1, ..open }, EINVAL);
    fails(node, OpenResourceFromNtHandle { private_runtime_data_size: 6, ..open }, EINVAL);
    fails(node, OpenResourceFromNtHandle { total_priv_drv_data_size: 15, ..open }, EINVAL);
    // Quirk: a fault after the host has opened it comes back as success without a handle.
    let faulty = OpenResourceFromNtHandle { total_priv_drv_data: 8, ..open };
    assert!(ok(node, faulty).resource.is_null());
    let mut opened = open;
    assert_eq!(written(node, &mut opened, 0), ["resource"]);
    assert_eq!((&runtime, own, total[..8].to_vec()), (b"runtime", [1, 2, 3], private.to_vec()));
    assert_eq!(list[1].priv_drv_data - list[0].priv_drv_data, 8);
    // The creator goes; the content stays.
    ok(node, DestroyDevice { device: rig.device });
    let lock = Lock2 { device, allocation: list[1].allocation, ..Default::default() };
    assert_eq!(peek(ok(node, lock).data + 4096), 1234);
    let whole = DestroyAllocation2 { device, resource: opened.resource, ..Default::default() };
    ok(node, whole);
    ok(node, open);
    let lock = Lock2 { device, allocation: list[1].allocation, ..Default::default() };
    assert_eq!(peek(ok(node, lock).data + 4096), 1234, "the descriptor alone keeps it");
}

#[test]
fn sealing_needs_private_data() {
    for quirks in [true, false] {
        let rig = &Rig::with(Config { quirks, ..config() });
        let (shared, _) = resource(rig, &4096u64.to_le_bytes(), b"");
        let (a, b) = (share(rig, shared), share(rig, shared));
        assert_ne!(a.as_raw_fd(), b.as_raw_fd());
        // Without any, the first attempt fails and (quirk) the second shares nothing.
        let mut info = [AllocationInfo2::default()];
        let a = CreateAllocation {
            device: rig.device,
            alloc_count: 1,
            allocation_info: info.as_mut_ptr() as u64,
            flags: CreateAllocationFlags::CREATE_RESOURCE
                | CreateAllocationFlags::CREATE_SHARED
                | CreateAllocationFlags::NT_SECURITY_SHARING,
            ..Default::default()
        };
        let bare = ok(&rig.node, a).resource;
        fails(&rig.node, share_call(&bare, &mut 0), EINVAL);
        if quirks {
            let fd = share(rig, bare);
            let info = QueryResourceInfoFromNtHandle {
                device: rig.device,
                nt_handle: fd.as_raw_fd() as u64,
                ..Default::default()
            };
            assert_eq!(ok(&rig.node, info).allocation_count, 0);
        } else {
            fails(&rig.node, share_call(&bare, &mut 0), EINVAL);
        }
        // A resource that is not shared is not sealed but refused.
        let pages = Pages::private(4096);
        let (_, own) = rig.sysmem(&pages);
        fails(&rig.node, share_call(&own, &mut 0), EINVAL);
    }
}
