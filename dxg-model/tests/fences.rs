//! Synchronisation objects: waits and signals of the CPU and the GPU.

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::*;
use dxg_abi::*;
use dxg_model::Config;

const SOON: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(20);

#[test]
fn events_fire_once_also_when_satisfied_already() {
    let rig = Rig::new();
    let fence = rig.fence(5);
    let event = Event::new();
    let wait = |value: u64| {
        ok(&rig.node, cpu_wait(rig.device, &[fence.handle], &[value], event.fd()));
    };
    wait(5);
    assert_eq!(event.take(), 1);
    wait(6);
    assert!(!event.poll(MOMENT));
    // The client may close its descriptor; the object is kept until it has fired.
    let copy = Event(event.0.try_clone().unwrap());
    ok(&rig.node, cpu_wait(rig.device, &[fence.handle], &[7], copy.fd()));
    drop(copy);
    rig.signal_cpu(fence.handle, 6);
    assert_eq!(event.take(), 1);
    rig.signal_cpu(fence.handle, u64::MAX);
    assert_eq!(event.take(), 1);
    rig.signal_cpu(fence.handle, 3);
    assert_eq!((event.take(), peek(fence.cpu)), (0, 3), "a fence takes the value given");
}

#[test]
fn events_have_to_be_events() {
    let rig = Rig::new();
    let fence = rig.fence(0);
    let (pipe, _end) = rustix::pipe::pipe().unwrap();
    use std::os::fd::AsRawFd;
    for fd in [pipe.as_raw_fd(), 1 << 20, -1] {
        fails(&rig.node, cpu_wait(rig.device, &[fence.handle], &[0], fd), EINVAL);
    }
    let mut a = CreateSynchronizationObject2 { device: rig.device, ..Default::default() };
    a.info.r#type = SynchronizationObjectType::CPU_NOTIFICATION;
    a.info.set_cpu_notification(SyncCpuNotification { event: pipe.as_raw_fd() as u64 });
    fails(&rig.node, a, EINVAL);
}

#[test]
fn each_fence_has_a_page_of_its_own() {
    let rig = Rig::new();
    let node = &rig.node;
    let space = node.address_space().clone();
    let (first, second) = (rig.fence(5), rig.fence(6));
    let queue = rig.hw_queue();
    let progress = queue.queue_progress_fence_cpu_va;
    let paging = rig.paging.fence_cpu_virtual_address;
    let mut pages = [first.cpu, second.cpu, progress, paging];
    assert_eq!(pages.map(peek), [5, 6, 0, 0]);
    assert_eq!((first.gpu, queue.queue_progress_fence_gpu_va), (first.cpu, progress));
    // Page aligned, nothing but zeros behind the value, and no two on one page.
    for page in pages {
        assert_eq!(page % PAGE_SIZE, 0);
        assert!(peek_bytes(page + 8, PAGE_SIZE - 8).iter().all(|b| *b == 0));
        assert!(space.check(page, PAGE_SIZE, true));
    }
    pages.sort_unstable();
    assert!(pages.windows(2).all(|w| w[1] - w[0] >= PAGE_SIZE));
    // Gone with what they belong to.
    ok(node, DestroySynchronizationObject { sync_object: first.handle });
    ok(node, DestroyHwQueue { queue: queue.queue });
    ok(node, DestroyPagingQueue { paging_queue: rig.paging.paging_queue });
    let gone = [first.cpu, progress, paging].map(|page| space.check(page, 8, false));
    assert_eq!((gone, space.check(second.cpu, 8, false)), ([false; 3], true));
    // SAFETY: asks the kernel whether the page can be read, without reading it.
    let r = unsafe { libc::madvise(first.cpu as *mut libc::c_void, PAGE_SIZE as usize, libc::MADV_POPULATE_READ) };
    assert_ne!(r, 0, "the page is really unmapped");
}

#[test]
fn without_quirks_the_number_of_an_event_stays() {
    for quirks in [true, false] {
        let rig = Rig::with(Config { quirks, ..config() });
        let event = Event::new();
        let mut a = CreateSynchronizationObject2 { device: rig.device, ..Default::default() };
        a.info.r#type = SynchronizationObjectType::CPU_NOTIFICATION;
        a.info.set_cpu_notification(SyncCpuNotification { event: event.fd() as u64 });
        let a = ok(&rig.node, a);
        assert_eq!(a.info.cpu_notification().event == event.fd() as u64, !quirks);
        rig.signal_cpu(a.sync_object, 0);
        assert_eq!(event.take(), 1);
    }
}

#[test]
fn all_and_any() {
    let rig = Rig::new();
    let (a, b) = (rig.fence(0), rig.fence(0));
    let (all, any) = (Event::new(), Event::new());
    let (fences, values) = ([a.handle, b.handle], [2u64, 3]);
    ok(&rig.node, cpu_wait(rig.device, &fences, &values, all.fd()));
    let flags = WaitFromCpuFlags::WAIT_ANY;
    let wait_any = cpu_wait(rig.device, &fences, &values, any.fd());
    ok(&rig.node, WaitForSynchronizationObjectFromCpu { flags, ..wait_any });
    rig.signal_cpu(b.handle, 3);
    assert_eq!((all.take(), any.take()), (0, 1));
    rig.signal_cpu(a.handle, 2);
    assert_eq!((all.take(), any.take()), (1, 0));
    // One of the objects is not one.
    let fences = [a.handle, rig.device];
    fails(&rig.node, cpu_wait(rig.device, &fences, &values, 0), EINVAL);
}

#[test]
fn a_blocking_wait_ends_with_a_signal_from_anywhere() {
    let rig = Rig::new();
    let context = rig.context();
    let (_, va) = rig.buffer(4096);
    for how in 0..3 {
        let fence = rig.fence(0);
        std::thread::scope(|s| {
            let waiter = s.spawn(|| {
                ok(&rig.node, cpu_wait(rig.device, &[fence.handle], &[7], 0));
            });
            std::thread::sleep(MOMENT);
            assert!(!waiter.is_finished());
            match how {
                0 => rig.signal_cpu(fence.handle, 7),
                1 => rig.signal_gpu(context, fence.handle, 7),
                // The command buffer writes the fence itself.
                _ => {
                    let length = rig.write(va, &[[FENCE, fence.gpu, 7]]);
                    rig.submit(context, va, length);
                }
            }
        });
        ok(&rig.node, DestroySynchronizationObject { sync_object: fence.handle });
    }
}

static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn handler(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

fn install(flags: libc::c_int) {
    // SAFETY: the handler only touches an atomic; the structure is zeroed before use.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()), 0);
    }
}

#[test]
fn a_blocking_wait_is_interrupted_or_restarted() {
    let rig = Rig::new();
    for (flags, want) in [(0, EINTR), (libc::SA_RESTART, 0)] {
        install(flags);
        let fence = rig.fence(0);
        let before = HANDLED.load(Ordering::SeqCst);
        let thread = AtomicU32::new(0);
        std::thread::scope(|s| {
            let waiter = s.spawn(|| {
                // SAFETY: asks for the id of this thread.
                let id = unsafe { libc::gettid() };
                thread.store(id as u32, Ordering::SeqCst);
                call(&rig.node, &mut cpu_wait(rig.device, &[fence.handle], &[1], 0))
            });
            while thread.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            std::thread::sleep(MOMENT);
            let (pid, tid) = (std::process::id(), thread.load(Ordering::SeqCst));
            // SAFETY: sends a handled signal to a thread of this process.
            unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, libc::SIGUSR2) };
            while HANDLED.load(Ordering::SeqCst) == before {
                std::thread::yield_now();
            }
            std::thread::sleep(MOMENT);
            assert_eq!(waiter.is_finished(), want == EINTR);
            rig.signal_cpu(fence.handle, 1);
            assert_eq!(waiter.join().unwrap(), want);
        });
    }
}

#[test]
fn gpu_waits_take_several_fences_and_several_kinds() {
    let rig = Rig::new();
    let context = rig.context();
    let (a, b, done) = (rig.fence(0), rig.fence(0), rig.fence(0));
    ok(&rig.node, gpu_wait(context, &[a.handle, b.handle], &[1, 2]));
    rig.signal_gpu(context, done.handle, 1);
    rig.signal_cpu(a.handle, 1);
    std::thread::sleep(MOMENT);
    assert_eq!(peek(done.cpu), 0);
    rig.signal_cpu(b.handle, 2);
    rig.until(done.cpu, 1);
    // Paging fences are good for waits; devices are not.
    ok(&rig.node, gpu_wait(context, &[rig.paging.sync_object], &[0]));
    fails(&rig.node, gpu_wait(context, &[rig.device], &[0]), EINVAL);
    let many = [a.handle; 33];
    fails(&rig.node, gpu_wait(context, &many, &[0; 33]), EINVAL);
    fails(&rig.node, gpu_wait(context, &[a.handle, Handle(64)], &[0, 0]), EINVAL);
    fails(&rig.node, gpu_signal(context, &[Handle(64)], &[0]), EINVAL);
    fails(&rig.node, cpu_signal(rig.device, &[a.handle, Handle(64)], &[9, 9]), EINVAL);
    assert_eq!(peek(a.cpu), 1, "all or none");
}

#[test]
fn fire_and_forget_hides_refusals() {
    let rig = Rig::with(Config { asynchronous: true, ..config() });
    let context = rig.context();
    ok(&rig.node, gpu_signal(context, &[Handle(64)], &[0]));
    ok(&rig.node, cpu_signal(rig.device, &[Handle(64)], &[0]));
    // What the guest itself looks up is still refused.
    fails(&rig.node, gpu_signal(Handle(64), &[Handle(64)], &[0]), EINVAL);
    fails(&rig.node, gpu_wait(context, &[Handle(64)], &[0]), EINVAL);
}

#[test]
fn older_objects() {
    let rig = Rig::new();
    let node = &rig.node;
    let (context, other) = (rig.context(), rig.context_with(Default::default(), 1));
    let create = |kind: SynchronizationObjectType, words: [u64; 2]| {
        let mut a = CreateSynchronizationObject2 { device: rig.device, ..Default::default() };
        a.info.r#type = kind;
        a.info.parameters[..2].copy_from_slice(&words);
        a
    };
    let signal = |context: Handle, object: Handle, value: u64| {
        let mut a = SignalSynchronizationObject2 { context, object_count: 1, ..Default::default() };
        a.object_array[0] = object;
        a.fence.fence_value = value;
        ok(node, a);
    };
    let wait = |context: Handle, object: Handle, value: u64| {
        let mut a = WaitForSynchronizationObject2 { context, object_count: 1, ..Default::default() };
        a.object_array[0] = object;
        a.fence.fence_value = value;
        ok(node, a);
    };
    let done = rig.fence(0);
    let mut step = 0;
    let mut expect = |blocked: bool, unblock: &dyn Fn()| {
        step += 1;
        rig.signal_gpu(context, done.handle, step);
        if blocked {
            std::thread::sleep(MOMENT);
            assert_eq!(peek(done.cpu), step - 1);
        }
        unblock();
        rig.until(done.cpu, step);
    };
    // A legacy fence: value and no page.
    let a = ok(node, create(SynchronizationObjectType::FENCE, [3, 0]));
    wait(context, a.sync_object, 3);
    expect(false, &|| {});
    wait(context, a.sync_object, 4);
    expect(true, &|| signal(other, a.sync_object, 4));
    let mut one = gpu_wait(context, &[], &[]);
    let objects = [a.sync_object];
    one.object_count = 1;
    one.objects = objects.as_ptr() as u64;
    one.set_fence_value(5);
    ok(node, one);
    expect(true, &|| signal(other, a.sync_object, 5));
    // A semaphore counts.
    let s = ok(node, create(SynchronizationObjectType::SEMAPHORE, [2 | 1 << 32, 0])).sync_object;
    wait(context, s, 0);
    expect(false, &|| {});
    wait(context, s, 0);
    expect(true, &|| signal(other, s, 0));
    fails(node, create(SynchronizationObjectType::SEMAPHORE, [1 | 2 << 32, 0]), EOVERFLOW);
    // A mutex is held by one.
    let m = ok(node, create(SynchronizationObjectType::SYNCHRONIZATION_MUTEX, [0, 0])).sync_object;
    wait(context, m, 0);
    expect(false, &|| {});
    wait(context, m, 0);
    expect(true, &|| signal(other, m, 0));
    // Not modelled, or not a kind.
    for kind in [6, 7, 0, 99] {
        fails(node, create(SynchronizationObjectType(kind), [0; 2]), EOVERFLOW);
    }
    // These are not the device's children.
    ok(node, DestroyDevice { device: rig.device });
    ok(node, DestroySynchronizationObject { sync_object: m });
    fails(node, DestroySynchronizationObject { sync_object: done.handle }, EINVAL);
}

#[test]
fn cpu_events_from_queues() {
    let rig = Rig::new();
    let node = &rig.node;
    let (a, b) = (rig.context(), rig.context_with(Default::default(), 1));
    let (gate, event) = (rig.fence(0), Event::new());
    rig.wait_gpu(b, gate.handle, 1);
    let contexts = [a, b];
    let mut call2 = SignalSynchronizationObjectFromGpu2 {
        context_count: 2,
        contexts: contexts.as_ptr() as u64,
        flags: SignalFlags::ENQUEUE_CPU_EVENT,
        ..Default::default()
    };
    call2.set_cpu_event_handle(event.fd() as u64);
    ok(node, call2);
    assert!(!event.poll(MOMENT), "one of the contexts is not there yet");
    rig.signal_cpu(gate.handle, 1);
    assert!(event.poll(SOON));
    assert_eq!(event.take(), 1);
    fails(node, SignalSynchronizationObjectFromGpu2 { object_count: 1, ..call2 }, EINVAL);
    let mut legacy = SignalSynchronizationObject2 {
        context: a,
        flags: SignalFlags::ENQUEUE_CPU_EVENT,
        context_count: 1,
        ..Default::default()
    };
    legacy.contexts[0] = b;
    legacy.set_cpu_event_handle(event.fd() as u64);
    ok(node, legacy);
    assert!(event.poll(SOON));
    fails(node, SignalSynchronizationObject2 { context_count: 64, ..legacy }, EINVAL);
    // Several contexts signal one fence when the last is there; or at once if asked.
    let fence = rig.fence(0);
    rig.wait_gpu(b, gate.handle, 2);
    let (objects, values) = ([fence.handle], [9u64]);
    let signal = SignalSynchronizationObjectFromGpu2 {
        object_count: 1,
        objects: objects.as_ptr() as u64,
        monitored_fence_values: values.as_ptr() as u64,
        flags: SignalFlags::default(),
        ..call2
    };
    ok(node, signal);
    std::thread::sleep(MOMENT);
    assert_eq!(peek(fence.cpu), 0);
    let early = [4u64];
    let flags = SignalFlags::SIGNAL_AT_SUBMISSION;
    let monitored_fence_values = early.as_ptr() as u64;
    ok(node, SignalSynchronizationObjectFromGpu2 { flags, monitored_fence_values, ..signal });
    assert_eq!(peek(fence.cpu), 4);
    rig.signal_cpu(gate.handle, 2);
    rig.until(fence.cpu, 9);
}

#[test]
fn destroying_a_fence_ends_its_waits() {
    let rig = Rig::new();
    let context = rig.context();
    let (fence, done) = (rig.fence(0), rig.fence(0));
    let event = Event::new();
    ok(&rig.node, cpu_wait(rig.device, &[fence.handle], &[1], event.fd()));
    rig.wait_gpu(context, fence.handle, 1);
    rig.signal_gpu(context, done.handle, 1);
    ok(&rig.node, DestroySynchronizationObject { sync_object: fence.handle });
    assert_eq!(event.take(), 1);
    rig.until(done.cpu, 1);
    assert!(!rig.node.address_space().check(fence.gpu, 8, false));
    fails(&rig.node, cpu_wait(rig.device, &[fence.handle], &[0], 0), EINVAL);
}

#[test]
fn destroying_a_context_drops_its_work_and_keeps_others_going() {
    let rig = Rig::new();
    let (a, b) = (rig.context(), rig.context());
    let (never, done) = (rig.fence(0), rig.fence(0));
    let event = Event::new();
    rig.wait_gpu(a, never.handle, 1);
    let mut legacy =
        SignalSynchronizationObject2 { context: a, flags: SignalFlags::ENQUEUE_CPU_EVENT, ..Default::default() };
    legacy.set_cpu_event_handle(event.fd() as u64);
    ok(&rig.node, legacy);
    ok(&rig.node, DestroyContext { context: a });
    assert_eq!(event.take(), 1, "nobody waits for ever");
    rig.signal_cpu(never.handle, 1);
    rig.signal_gpu(b, done.handle, 1);
    rig.until(done.cpu, 1);
}

#[test]
fn higher_priority_goes_first() {
    let rig = Rig::new();
    let (low, high, busy) = (rig.context(), rig.context(), rig.context());
    ok(&rig.node, SetContextSchedulingPriority { context: high, priority: 5 });
    let (_, va) = rig.buffer(4096);
    let slow = rig.write(va + 1024, &[[SLEEP, 30_000, 0]]);
    let nop = rig.write(va, &[[SLEEP, 0, 0]]);
    let tagged = |context, tag: u8| {
        let private = [tag];
        let a = rig.submit_call(context, va, nop);
        let priv_drv_data = private.as_ptr() as u64;
        ok(&rig.node, SubmitCommand { priv_drv_data, priv_drv_data_size: 1, ..a });
    };
    rig.submit(busy, va + 1024, slow);
    tagged(low, 1);
    tagged(high, 2);
    let done = rig.fence(0);
    rig.signal_gpu(low, done.handle, 1);
    rig.until(done.cpu, 1);
    assert_eq!(*rig.engine.log.lock().unwrap(), [2, 1]);
}

#[test]
fn abandoned_waits_cost_no_descriptors() {
    let rig = Rig::new();
    let (fence, event) = (rig.fence(0), Event::new());
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    for _ in 0..2000 {
        ok(&rig.node, cpu_wait(rig.device, &[fence.handle], &[1], event.fd()));
    }
    // Other tests of this program run meanwhile.
    assert!(open() < before + 500);
    rig.signal_cpu(fence.handle, 1);
    assert_eq!(event.take(), 2000, "each fires");
}
