//! Sharing between processes: the other process is this program again, run as `the_other_process`, with descriptors
//! inherited. Both have a model of their own, and nobody serves them.

mod common;

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use dxg_abi::*;
use dxg_model::Fault;

const SHARED: SynchronizationObjectFlags = SynchronizationObjectFlags(3);
const SHARED_RESOURCE: u32 = CreateAllocationFlags::CREATE_RESOURCE.bits()
    | CreateAllocationFlags::CREATE_SHARED.bits()
    | CreateAllocationFlags::NT_SECURITY_SHARING.bits();

/// Starts the other process in a role, with copies of descriptors.
fn start(role: &str, fds: &[&OwnedFd]) -> Child {
    let copies: Vec<OwnedFd> = fds
        .iter()
        .map(|fd| {
            // SAFETY: duplicates an open descriptor, without close-on-exec.
            let copy = unsafe { libc::dup(fd.as_raw_fd()) };
            assert!(copy >= 0);
            // SAFETY: it was made a moment ago.
            unsafe { OwnedFd::from_raw_fd(copy) }
        })
        .collect();
    let numbers: Vec<String> = copies.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "the_other_process", "--nocapture"])
        .env("DXG_ROLE", role)
        .env("DXG_FDS", numbers.join(","))
        .stdout(Stdio::null())
        .spawn()
        .expect("the other process")
}

fn ends_well(mut child: Child) {
    assert!(child.wait().expect("wait").success(), "the other process failed");
}

fn share(rig: &Rig, object: Handle) -> OwnedFd {
    let mut fd = 0u64;
    let a = ShareObjects {
        object_count: 1,
        objects: &raw const object as u64,
        shared_handle: &raw mut fd as u64,
        ..Default::default()
    };
    ok(&rig.node, a);
    // SAFETY: the descriptor was just made for us.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

fn open_fence(rig: &Rig, fd: i32) -> Fence {
    let a = OpenSyncObjectFromNtHandle2 { device: rig.device, nt_handle: fd as u64, ..Default::default() };
    let a = ok(&rig.node, a);
    let at = a.monitored_fence;
    Fence { handle: a.sync_object, cpu: at.fence_value_cpu_va, gpu: at.fence_value_gpu_va }
}

fn sync_file(rig: &Rig, fence: Handle, value: u64) -> OwnedFd {
    let a = CreateSyncFile { device: rig.device, monitored_fence: fence, fence_value: value, ..Default::default() };
    // SAFETY: the descriptor was just made for us.
    unsafe { OwnedFd::from_raw_fd(ok(&rig.node, a).sync_file_handle as i32) }
}

/// Whether a descriptor is readable within a time.
fn readable(fd: i32, time: Duration) -> bool {
    use rustix::event::{poll, PollFd, PollFlags, Timespec};
    // SAFETY: the callers keep it open.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    poll(&mut fds, Some(&time)) == Ok(1) && fds[0].revents().contains(PollFlags::IN)
}

/// A shared resource of two allocations of two pages.
fn resource(rig: &Rig) -> (Handle, [Handle; 2]) {
    let size = 8192u64.to_le_bytes();
    let one = AllocationInfo2 { priv_drv_data: size.as_ptr() as u64, priv_drv_data_size: 8, ..Default::default() };
    let mut info = [one; 2];
    let a = CreateAllocation {
        device: rig.device,
        alloc_count: 2,
        allocation_info: info.as_mut_ptr() as u64,
        private_runtime_data: b"runtime".as_ptr() as u64,
        private_runtime_data_size: 7,
        priv_drv_data: b"own".as_ptr() as u64,
        priv_drv_data_size: 3,
        flags: CreateAllocationFlags(SHARED_RESOURCE),
        ..Default::default()
    };
    let resource = ok(&rig.node, a).resource;
    (resource, info.map(|i| i.allocation))
}

/// Opens it, checking what it says.
fn open_resource(rig: &Rig, fd: i32) -> (Handle, [Handle; 2]) {
    let (device, nt_handle) = (rig.device, fd as u64);
    let info = ok(&rig.node, QueryResourceInfoFromNtHandle { device, nt_handle, ..Default::default() });
    assert_eq!((info.private_runtime_data_size, info.resource_priv_drv_data_size), (7, 3));
    assert_eq!((info.total_priv_drv_data_size, info.allocation_count), (16, 2));
    let (mut runtime, mut own, mut total) = ([0u8; 7], [0u8; 3], [0u8; 16]);
    let mut list = [OpenAllocationInfo2::default(); 2];
    let a = OpenResourceFromNtHandle {
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
    let resource = ok(&rig.node, a).resource;
    assert_eq!((&runtime, &own), (b"runtime", b"own"));
    assert_eq!(&total[8..], &8192u64.to_le_bytes());
    (resource, list.map(|i| i.allocation))
}

/// A semaphore of two, shared.
fn semaphore(rig: &Rig) -> Handle {
    let mut a = CreateSynchronizationObject2 { device: rig.device, ..Default::default() };
    a.info.r#type = SynchronizationObjectType::SEMAPHORE;
    a.info.flags = SHARED;
    a.info.set_semaphore(SyncSemaphore { max_count: 2, initial_count: 0 });
    ok(&rig.node, a).sync_object
}

#[test]
#[ignore = "the other side of the tests here"]
fn the_other_process() {
    let role = std::env::var("DXG_ROLE").unwrap_or_default();
    let fds: Vec<i32> =
        std::env::var("DXG_FDS").unwrap_or_default().split(',').filter_map(|n| n.parse().ok()).collect();
    let rig = Rig::new();
    let node = &rig.node;
    match role.as_str() {
        "answer" => {
            // Waits on the GPU for odd values and answers with even ones.
            let fence = open_fence(&rig, fds[0]);
            let context = rig.context();
            for value in (1..200).step_by(2) {
                rig.wait_gpu(context, fence.handle, value);
                rig.signal_gpu(context, fence.handle, value + 1);
            }
            rig.until(fence.cpu, 200);
        }
        "wait" => {
            let fence = open_fence(&rig, fds[0]);
            assert_eq!(peek(fence.cpu), 3);
            // Blocking, by event, and both after the other side's device is lost.
            ok(node, cpu_wait(rig.device, &[fence.handle], &[7], 0));
            let event = Event::new();
            rig.signal_cpu(fence.handle, 8);
            ok(node, cpu_wait(rig.device, &[fence.handle], &[1 << 40], event.fd()));
            assert!(event.poll(Duration::from_secs(20)));
            assert_eq!(peek(fence.cpu), u64::MAX);
            // Lost for good.
            rig.signal_cpu(fence.handle, 9);
            assert_eq!(peek(fence.cpu), u64::MAX);
            // The device here is as it was.
            assert_eq!(rig.execution(), DeviceExecutionState::ACTIVE);
        }
        "memory" => {
            let (resource, [first, second]) = open_resource(&rig, fds[0]);
            let (a, b) = (rig.lock(first), rig.lock(second));
            assert_eq!((peek(a), peek(b + 4096)), (11, 22));
            // The GPU writes, at an address of its own.
            let va = rig.map(second, 0);
            let (commands, at) = rig.buffer(4096);
            rig.make_resident(&[second, commands]);
            let length = rig.write(at, &[[STORE, va + 8, 33]]);
            let (context, fence) = (rig.context(), open_fence(&rig, fds[1]));
            rig.submit(context, at, length);
            rig.signal_gpu(context, fence.handle, 1);
            rig.until(fence.cpu, 2);
            assert_eq!(peek(a), 44);
            let device = rig.device;
            ok(node, DestroyAllocation2 { device, resource, ..Default::default() });
        }
        "create" => {
            // Makes a resource and a fence, hands them over and goes.
            let (resource, [first, _]) = resource(&rig);
            poke(rig.lock(first), 55);
            let fence = rig.fence_with(66, SHARED);
            let fds_out = [share(&rig, resource), share(&rig, fence.handle)];
            // SAFETY: inherited for this purpose.
            let socket = unsafe { OwnedFd::from_raw_fd(fds[0]) };
            send(&socket, &fds_out);
        }
        "take" => {
            let a = OpenSyncObjectFromNtHandle2 { device: rig.device, nt_handle: fds[0] as u64, ..Default::default() };
            let semaphore = ok(node, a).sync_object;
            let fence = open_fence(&rig, fds[1]);
            let context = rig.context();
            for value in 1..=50 {
                let mut a = WaitForSynchronizationObject2 { context, object_count: 1, ..Default::default() };
                a.object_array[0] = semaphore;
                ok(node, a);
                rig.signal_gpu(context, fence.handle, value);
            }
            rig.until(fence.cpu, 50);
        }
        "sync file" => {
            assert!(readable(fds[0], Duration::from_secs(20)));
            // The second waits for a value that is not there yet.
            assert!(!readable(fds[1], Duration::ZERO));
            let open = OpenSyncObjectFromSyncFile {
                sync_file_handle: fds[1] as u64,
                device: rig.device,
                ..Default::default()
            };
            let opened = ok(node, open);
            assert_eq!((opened.fence_value, peek(opened.fence_value_cpu_va)), (10, 5));
            // A queue that waits for it, and another fence behind.
            let (context, done) = (rig.context(), rig.fence(0));
            ok(node, WaitSyncFile { sync_file_handle: fds[1] as u64, context, ..Default::default() });
            rig.signal_gpu(context, done.handle, 1);
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(peek(done.cpu), 0);
            rig.signal_cpu(opened.syncobj, 10);
            rig.until(done.cpu, 1);
            assert!(readable(fds[1], Duration::from_secs(20)));
        }
        other => panic!("no such role: {other}"),
    }
}

fn send(socket: &OwnedFd, fds: &[OwnedFd]) {
    use rustix::net::{sendmsg, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
    use std::os::fd::AsFd;
    let fds: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    sendmsg(socket, &[std::io::IoSlice::new(&[1])], &mut control, SendFlags::empty()).expect("send");
}

fn receive(socket: &OwnedFd) -> Vec<OwnedFd> {
    use rustix::net::{recvmsg, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    recvmsg(socket, &mut [std::io::IoSliceMut::new(&mut byte)], &mut control, flags).expect("receive");
    control
        .drain()
        .flat_map(|m| match m {
            RecvAncillaryMessage::ScmRights(fds) => fds.collect::<Vec<_>>(),
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn fences_go_back_and_forth() {
    let rig = Rig::new();
    let fence = rig.fence_with(0, SHARED);
    let child = start("answer", &[&share(&rig, fence.handle)]);
    // This side alternates between waits of the CPU and of the GPU.
    let (context, done) = (rig.context(), rig.fence(0));
    for value in (1..200).step_by(2) {
        rig.signal_cpu(fence.handle, value);
        if value % 4 == 1 {
            ok(&rig.node, cpu_wait(rig.device, &[fence.handle], &[value + 1], 0));
        } else {
            rig.wait_gpu(context, fence.handle, value + 1);
            rig.signal_gpu(context, done.handle, value);
            rig.until(done.cpu, value);
        }
        assert_eq!(peek(fence.cpu), value + 1);
    }
    ends_well(child);
}

#[test]
fn waits_end_when_the_creator_signals_or_is_lost() {
    let rig = Rig::new();
    let fence = rig.fence_with(3, SHARED);
    let child = start("wait", &[&share(&rig, fence.handle)]);
    std::thread::sleep(Duration::from_millis(50));
    rig.signal_cpu(fence.handle, 7);
    rig.until(fence.cpu, 8);
    std::thread::sleep(Duration::from_millis(20));
    rig.node.inject(&Fault::OutOfMemory);
    ends_well(child);
}

#[test]
fn memory_is_the_same() {
    let rig = Rig::new();
    let (shared, [first, second]) = resource(&rig);
    let (a, b) = (rig.lock(first), rig.lock(second));
    poke(a, 11);
    poke(b + 4096, 22);
    let fence = rig.fence_with(0, SHARED);
    let child = start("memory", &[&share(&rig, shared), &share(&rig, fence.handle)]);
    ok(&rig.node, cpu_wait(rig.device, &[fence.handle], &[1], 0));
    assert_eq!(peek(b + 8), 33);
    poke(a, 44);
    rig.signal_cpu(fence.handle, 2);
    ends_well(child);
}

#[test]
fn objects_outlive_the_process_that_made_them() {
    use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("socket pair");
    ends_well(start("create", &[&theirs]));
    let fds = receive(&ours);
    let rig = Rig::new();
    let (_, [first, second]) = open_resource(&rig, fds[0].as_raw_fd());
    assert_eq!((peek(rig.lock(first)), peek(rig.lock(second))), (55, 0));
    assert_eq!(peek(open_fence(&rig, fds[1].as_raw_fd()).cpu), 66);
    // One kind is not the other.
    let nt_handle = fds[0].as_raw_fd() as u64;
    fails(&rig.node, OpenSyncObjectFromNtHandle2 { device: rig.device, nt_handle, ..Default::default() }, EINVAL);
}

#[test]
fn semaphores_are_taken_from_once() {
    let rig = Rig::new();
    let (semaphore, fence) = (semaphore(&rig), rig.fence_with(0, SHARED));
    let child = start("take", &[&share(&rig, semaphore), &share(&rig, fence.handle)]);
    let context = rig.context();
    for value in 1..=50 {
        let mut a = SignalSynchronizationObject2 { context, object_count: 1, ..Default::default() };
        a.object_array[0] = semaphore;
        ok(&rig.node, a);
        ok(&rig.node, cpu_wait(rig.device, &[fence.handle], &[value], 0));
        assert_eq!(peek(fence.cpu), value, "one count, one step");
    }
    ends_well(child);
}

#[test]
fn sync_files_say_when() {
    let rig = Rig::new();
    let fence = rig.fence_with(0, SHARED);
    let (near, far) = (sync_file(&rig, fence.handle, 5), sync_file(&rig, fence.handle, 10));
    let child = start("sync file", &[&near, &far]);
    std::thread::sleep(Duration::from_millis(30));
    assert!(!readable(near.as_raw_fd(), Duration::ZERO));
    rig.signal_cpu(fence.handle, 5);
    assert!(readable(near.as_raw_fd(), Duration::ZERO));
    // The other process signals this one.
    assert!(readable(far.as_raw_fd(), Duration::from_secs(20)));
    assert_eq!(peek(fence.cpu), 10);
    ends_well(child);
}

#[test]
fn a_sync_file_is_over_when_its_maker_goes() {
    let rig = Rig::new();
    let fence = rig.fence_with(0, SHARED);
    let file = sync_file(&rig, fence.handle, 5);
    assert_eq!(rig.node.census().sync_files, 1);
    let private = rig.fence(0);
    let other = sync_file(&rig, private.handle, 1);
    // Destroying a fence ends what waits for it.
    ok(&rig.node, DestroySynchronizationObject { sync_object: private.handle });
    assert!(readable(other.as_raw_fd(), Duration::ZERO));
    drop(rig);
    // A process that another test is just starting may hold a copy for a moment.
    assert!(readable(file.as_raw_fd(), Duration::from_secs(20)));
    drop(file);
}

#[test]
fn two_models_of_one_process_are_strangers_too() {
    let (a, b) = (Rig::new(), Rig::new());
    let fence = a.fence_with(0, SHARED);
    let opened = open_fence(&b, share(&a, fence.handle).as_raw_fd());
    let event = Event::new();
    ok(&a.node, cpu_wait(a.device, &[fence.handle], &[4], event.fd()));
    b.signal_cpu(opened.handle, 4);
    assert!(event.poll(Duration::from_secs(10)));
    let start = Instant::now();
    while b.node.census().shares + a.node.census().shares != 0 {
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}
