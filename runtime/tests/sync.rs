//! Fences and semaphores.

mod common;

use ash::vk;
use common::{buffer, setup, setup_with, Bound, Setup};
use runtime::{CommandBuffer, CommandPool, Fence, Semaphore, SemaphoreKind, SemaphorePoint, SubmitBatch};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MS: u64 = 1_000_000;
const LONG: u64 = 10_000 * MS;

fn fence(s: &Setup, signaled: bool) -> Arc<Fence> {
    Fence::new(&s.device, signaled, vk::ExternalFenceHandleTypeFlags::empty()).unwrap()
}

fn binary(s: &Setup) -> Arc<Semaphore> {
    Semaphore::new(&s.device, SemaphoreKind::Binary, vk::ExternalSemaphoreHandleTypeFlags::empty()).unwrap()
}

fn timeline(s: &Setup, value: u64) -> Arc<Semaphore> {
    Semaphore::new(&s.device, SemaphoreKind::Timeline(value), vk::ExternalSemaphoreHandleTypeFlags::empty()).unwrap()
}

fn at(semaphore: &Semaphore, value: u64) -> SemaphorePoint<'_> {
    SemaphorePoint { semaphore, value }
}

fn fill(s: &Setup, b: &Bound, word: u64, value: u32) -> (Arc<CommandPool>, Arc<CommandBuffer>) {
    let pool = CommandPool::new(&s.device, 0, vk::CommandPoolCreateFlags::empty()).unwrap();
    let cb = pool.allocate(vk::CommandBufferLevel::PRIMARY).unwrap();
    cb.begin(vk::CommandBufferUsageFlags::SIMULTANEOUS_USE).unwrap();
    cb.fill_buffer(&b.buffer, word * 4, 4, value);
    cb.end().unwrap();
    (pool, cb)
}

fn copy(s: &Setup, b: &Bound, from: u64, to: u64) -> (Arc<CommandPool>, Arc<CommandBuffer>) {
    let pool = CommandPool::new(&s.device, 0, vk::CommandPoolCreateFlags::empty()).unwrap();
    let cb = pool.allocate(vk::CommandBufferLevel::PRIMARY).unwrap();
    cb.begin(vk::CommandBufferUsageFlags::empty()).unwrap();
    let region = vk::BufferCopy { src_offset: from * 4, dst_offset: to * 4, size: 4 };
    cb.copy_buffer(&b.buffer, &b.buffer, &[region]);
    cb.end().unwrap();
    (pool, cb)
}

#[test]
fn fences_signal_with_their_submission() {
    let s = setup();
    let b = buffer(&s.device, 16);
    let (_p, cb) = fill(&s, &b, 0, 3);
    let (f, signaled, idle) = (fence(&s, false), fence(&s, true), fence(&s, false));
    assert!(signaled.status().unwrap() && !f.status().unwrap());
    let queue = s.device.queue(0, 0).unwrap();
    // Nothing behind nothing is done at once.
    queue.submit(&[], Some(&idle)).unwrap();
    assert!(idle.status().unwrap());
    queue.submit(&[SubmitBatch { command_buffers: &[&cb], ..Default::default() }], Some(&f)).unwrap();
    assert!(Fence::wait(&s.device, &[&f, &signaled], true, LONG).unwrap());
    assert_eq!(b.words()[0], 3);
    assert!(f.status().unwrap());
    f.reset().unwrap();
    assert!(!f.status().unwrap());
}

#[test]
fn waits_time_out() {
    let s = setup();
    let (f, g) = (fence(&s, false), fence(&s, true));
    assert!(!Fence::wait(&s.device, &[&f], true, 0).unwrap());
    let start = Instant::now();
    assert!(!Fence::wait(&s.device, &[&f, &g], true, 20 * MS).unwrap());
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(Fence::wait(&s.device, &[&f, &g], false, 0).unwrap(), "one of them is signalled");
    let t = timeline(&s, 5);
    assert!(!Semaphore::wait(&s.device, &[(&t, 6)], false, 5 * MS).unwrap());
    assert!(Semaphore::wait(&s.device, &[(&t, 5)], false, 0).unwrap());
}

#[test]
fn a_wait_may_begin_before_the_submission() {
    let s = setup();
    let b = buffer(&s.device, 16);
    let (_p, cb) = fill(&s, &b, 0, 1);
    let (f, never) = (fence(&s, false), fence(&s, false));
    std::thread::scope(|scope| {
        let all = scope.spawn(|| Fence::wait(&s.device, &[&f], true, LONG).unwrap());
        let any = scope.spawn(|| Fence::wait(&s.device, &[&never, &f], false, LONG).unwrap());
        std::thread::sleep(Duration::from_millis(20));
        let queue = s.device.queue(0, 0).unwrap();
        queue.submit(&[SubmitBatch { command_buffers: &[&cb], ..Default::default() }], Some(&f)).unwrap();
        assert!(all.join().unwrap() && any.join().unwrap());
    });
}

#[test]
fn timelines_wait_before_the_signal() {
    let s = setup();
    let b = buffer(&s.device, 16);
    let (_p1, first) = fill(&s, &b, 0, 42);
    let (_p2, second) = copy(&s, &b, 0, 1);
    let t = timeline(&s, 10);
    let (q0, q1) = (s.device.queue(0, 0).unwrap(), s.device.queue(0, 1).unwrap());
    // The consumer is submitted first, then the producer, which itself waits for the host.
    let consumer = SubmitBatch { waits: &[at(&t, 12)], command_buffers: &[&second], signals: &[at(&t, 13)] };
    q1.submit(&[consumer], None).unwrap();
    let producer = SubmitBatch { waits: &[at(&t, 11)], command_buffers: &[&first], signals: &[at(&t, 12)] };
    q0.submit(&[producer], None).unwrap();
    assert_eq!(t.counter().unwrap(), 10);
    assert!(!Semaphore::wait(&s.device, &[(&t, 12)], false, 10 * MS).unwrap());
    assert_eq!(b.words()[..2], [0, 0]);
    t.signal(11).unwrap();
    assert!(Semaphore::wait(&s.device, &[(&t, 13)], false, LONG).unwrap());
    assert_eq!(b.words()[..2], [42, 42]);
    assert_eq!(t.counter().unwrap(), 13);
}

#[test]
fn any_of_several_timelines() {
    let s = setup();
    let (a, b) = (timeline(&s, 0), timeline(&s, 0));
    std::thread::scope(|scope| {
        let wait = scope.spawn(|| Semaphore::wait(&s.device, &[(&a, 1), (&b, 1)], true, LONG).unwrap());
        std::thread::sleep(Duration::from_millis(5));
        b.signal(1).unwrap();
        assert!(wait.join().unwrap());
    });
    assert!(!Semaphore::wait(&s.device, &[(&a, 1), (&b, 1)], false, MS).unwrap());
}

#[test]
fn binary_semaphores_order_queues() {
    let s = setup();
    let b = buffer(&s.device, 16);
    let (_p1, first) = fill(&s, &b, 0, 7);
    let (_p2, second) = copy(&s, &b, 0, 1);
    let (sem, gate) = (binary(&s), timeline(&s, 0));
    let (q0, q1) = (s.device.queue(0, 0).unwrap(), s.device.queue(0, 1).unwrap());
    for round in 1..=20u32 {
        b.set_words(&[0, 0]);
        let gate_at = [at(&gate, round.into())];
        let producer = SubmitBatch { waits: &gate_at, command_buffers: &[&first], signals: &[at(&sem, 0)] };
        q0.submit(&[producer], None).unwrap();
        let f = fence(&s, false);
        let consumer = SubmitBatch { waits: &[at(&sem, 0)], command_buffers: &[&second], signals: &[] };
        q1.submit(&[consumer], Some(&f)).unwrap();
        gate.signal(round.into()).unwrap();
        assert!(Fence::wait(&s.device, &[&f], true, LONG).unwrap());
        assert_eq!(b.words()[..2], [7, 7], "round {round}");
    }
}

#[test]
fn batches_of_one_submission_run_in_order() {
    let s = setup();
    let b = buffer(&s.device, 16);
    let (_p1, first) = fill(&s, &b, 0, 9);
    let (_p2, second) = copy(&s, &b, 0, 1);
    let (_p3, third) = copy(&s, &b, 1, 2);
    let (sem, t, f) = (binary(&s), timeline(&s, 0), fence(&s, false));
    let queue = s.device.queue(0, 0).unwrap();
    let batches = [
        SubmitBatch { waits: &[], command_buffers: &[&first], signals: &[at(&sem, 0)] },
        SubmitBatch { waits: &[at(&sem, 0)], command_buffers: &[&second, &third], signals: &[at(&t, 1)] },
        SubmitBatch { waits: &[], command_buffers: &[], signals: &[at(&t, 2)] },
    ];
    queue.submit(&batches, Some(&f)).unwrap();
    assert!(Fence::wait(&s.device, &[&f], true, LONG).unwrap());
    assert_eq!(b.words()[..3], [9, 9, 9]);
    assert_eq!(t.counter().unwrap(), 2);
    s.device.wait_idle().unwrap();
}

#[test]
fn everything_works_while_paging_is_slow() {
    let min = Duration::from_micros(50);
    let pending = dxg_model::Pending::Always { min, max: 4 * min, seed: 1 };
    let s = setup_with(dxg_model::Config { pending, ..dxg_model::Config::default() });
    let b = buffer(&s.device, 1 << 16);
    let (_p, cb) = fill(&s, &b, 100, 5);
    let queue = s.device.queue(0, 0).unwrap();
    queue.submit(&[SubmitBatch { command_buffers: &[&cb], ..Default::default() }], None).unwrap();
    queue.wait_idle().unwrap();
    assert_eq!(b.words()[100], 5);
}

#[test]
fn sync_files_are_offered_only_where_there_are_some() {
    let s = setup();
    let ty = vk::ExternalFenceHandleTypeFlags::SYNC_FD;
    // The model cannot make kernel objects, and says so.
    assert!(!s.device.physical().external_fence(ty).exportable);
    let f = Fence::new(&s.device, false, ty).unwrap();
    assert!(f.export_sync_fd().is_err(), "nothing was submitted");
    let gate = timeline(&s, 0);
    let queue = s.device.queue(0, 0).unwrap();
    let batch = SubmitBatch { waits: &[at(&gate, 1)], command_buffers: &[], signals: &[] };
    queue.submit(&[batch], Some(&f)).unwrap();
    assert!(f.export_sync_fd().is_err(), "there is no sync file to be had");
    gate.signal(1).unwrap();
    assert!(Fence::wait(&s.device, &[&f], true, LONG).unwrap());
    // A payload that is signalled needs no descriptor, either way.
    assert!(f.export_sync_fd().unwrap().is_none());
    assert!(!f.status().unwrap(), "an export resets");
    f.import_sync_fd(None).unwrap();
    assert!(f.status().unwrap());
    f.reset().unwrap();
    assert!(!f.status().unwrap(), "an imported payload goes with the reset");
}

#[test]
fn timelines_travel_as_opaque_descriptors() {
    let s = setup();
    let ty = vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD;
    let a = Semaphore::new(&s.device, SemaphoreKind::Timeline(3), ty).unwrap();
    let b = timeline(&s, 0);
    b.import_fd(ty, a.export_fd(ty).unwrap(), false).unwrap();
    assert_eq!(b.counter().unwrap(), 3);
    b.signal(8).unwrap();
    assert!(Semaphore::wait(&s.device, &[(&a, 8)], false, LONG).unwrap());
    // A descriptor of something else is refused.
    let (r, _w) = std::os::unix::net::UnixStream::pair().unwrap();
    assert_eq!(b.import_fd(ty, Some(r.into()), false).unwrap_err().vk(), vk::Result::ERROR_INVALID_EXTERNAL_HANDLE);
}

/// Two devices on one node share a semaphore that says only whether it is signalled: each wait takes a signal.
#[test]
fn binary_semaphores_travel_as_opaque_descriptors() {
    for queues in [true, false] {
        let s = setup_with(dxg_model::Config { hw_queues: queues, ..Default::default() });
        let ty = vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD;
        let a = Semaphore::new(&s.device, SemaphoreKind::Binary, ty).unwrap();
        let none = Default::default();
        let b = Semaphore::new(&s.device, SemaphoreKind::Binary, none).unwrap();
        assert!(b.export_fd(ty).is_err(), "not made for it");
        b.import_fd(ty, a.export_fd(ty).unwrap(), false).unwrap();
        let (first, second) = (s.device.queue(0, 0).unwrap(), s.device.queue(0, 1).unwrap());
        let gate = timeline(&s, 0);
        let done = timeline(&s, 0);
        let signal = |from: &Semaphore, value: u64| {
            let (waits, signals) = ([at(&gate, value)], [at(from, 0)]);
            first.submit(&[SubmitBatch { waits: &waits, command_buffers: &[], signals: &signals }], None).unwrap();
        };
        let wait = |with: &Semaphore, value: u64| {
            let (waits, signals) = ([at(with, 0)], [at(&done, value)]);
            second.submit(&[SubmitBatch { waits: &waits, command_buffers: &[], signals: &signals }], None).unwrap();
        };
        for round in 1..4 {
            signal(&a, round);
            wait(&b, round);
            assert_eq!(done.counter().unwrap(), round - 1, "each signal is good for one wait");
            gate.signal(round).unwrap();
            assert!(Semaphore::wait(&s.device, &[(&done, round)], false, LONG).unwrap());
        }
        // Imported for one wait, then its own payload again.
        let c = Semaphore::new(&s.device, SemaphoreKind::Binary, none).unwrap();
        c.import_fd(ty, a.export_fd(ty).unwrap(), true).unwrap();
        signal(&b, 3);
        wait(&c, 4);
        assert!(Semaphore::wait(&s.device, &[(&done, 4)], false, LONG).unwrap());
        signal(&c, 3);
        wait(&c, 5);
        assert!(Semaphore::wait(&s.device, &[(&done, 5)], false, LONG).unwrap());
    }
}

#[test]
fn fences_travel_as_opaque_descriptors() {
    let s = setup();
    let ty = vk::ExternalFenceHandleTypeFlags::OPAQUE_FD;
    let a = Fence::new(&s.device, true, ty).unwrap();
    let (b, c) = (Fence::new(&s.device, false, Default::default()).unwrap(), Fence::new(&s.device, false, ty).unwrap());
    assert!(b.export_opaque_fd().is_err(), "not made for it");
    b.import_opaque_fd(&a.export_opaque_fd().unwrap(), false).unwrap();
    assert!(b.status().unwrap());
    b.reset().unwrap();
    assert!(!a.status().unwrap());
    c.import_opaque_fd(&a.export_opaque_fd().unwrap(), true).unwrap();
    let queue = s.device.queue(0, 0).unwrap();
    queue.submit(&[], Some(&c)).unwrap();
    assert!(Fence::wait(&s.device, &[&a, &b, &c], true, LONG).unwrap());
    // A reset gives the imported payload back and leaves it as it is.
    c.reset().unwrap();
    assert!(a.status().unwrap() && !c.status().unwrap());
    assert!(!Fence::wait(&s.device, &[&c], true, 1000).unwrap());
    let (r, _w) = std::os::unix::net::UnixStream::pair().unwrap();
    assert!(b.import_opaque_fd(&r.into(), false).is_err());
}
