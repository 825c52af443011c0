//! More memory than there is room for: who stays, who goes, and that work finds what it uses. The model is strict: an access to
//! memory that is not resident is a fault.

mod common;

use common::*;
use dxg_model::{Config, Pending};
use std::sync::Arc;
use std::time::{Duration, Instant};
use winsys_dxg::*;

const LONG: Option<Duration> = Some(Duration::from_secs(20));

/// Bytes of a piece of memory in these tests.
const PIECE: u64 = 64 << 10;

/// A device with room for so many pieces and a page for commands.
fn small(pieces: u64, config: Config, settings: WinsysConfig) -> Device {
    let budget = Some(pieces * PIECE + 4096);
    device(model(Config { budget, strict_residency: true, ..config }), settings)
}

fn movable(device: &Device) -> Memory {
    let memory = host_memory(device, PIECE);
    memory.set_movable(true);
    memory
}

fn queue(device: &Device) -> Queue {
    Queue::create(device, &ContextDesc::default(), &[]).expect("queue")
}

/// Submits the commands at the beginning of some memory.
fn submit(queue: &Queue, commands: &Memory, bytes: &[u8], work: &Submission<'_>) -> Result<u64> {
    commands.write(0, bytes)?;
    let list = [Commands { va: commands.gpu_va(), length: bytes.len() as u32, private_data: &[] }];
    queue.submit(&Submission { commands: &list, ..*work })
}

fn wait(queue: &Queue, value: u64) {
    assert_eq!(queue.progress().wait(value, LONG).expect("wait"), WaitOutcome::Reached);
}

#[test]
fn only_what_may_move_makes_room() {
    let device = small(2, Config::default(), WinsysConfig::default());
    let first = host_memory(&device, PIECE);
    let second = movable(&device);
    assert!(!device.is_pressed());
    let third = host_memory(&device, PIECE);
    assert!(device.is_pressed());
    assert_eq!([&first, &second, &third].map(Memory::is_resident), [true, false, true]);
    let e = Memory::create(&device, &MemoryDesc::host(PIECE)).expect_err("nothing left to move");
    assert_eq!(e.kind(), ErrorKind::NoMemory);
    let e = second.make_resident().expect_err("no room");
    assert_eq!(e.kind(), ErrorKind::NoMemory);
    drop(third);
    second.make_resident().expect("room again");
    // What may not move any more comes back as soon as there is room, by itself.
    second.evict();
    second.set_movable(false);
    assert!(second.is_resident());
    drop((first, second));
    let _all = host_memory(&device, 2 * PIECE);
}

#[test]
fn the_least_wanted_and_the_longest_unused_go_first() {
    let device = small(4, Config::default(), WinsysConfig::default());
    let (queue, commands) = (queue(&device), host_memory(&device, 4096));
    let list: Vec<Memory> = (0..4).map(|_| movable(&device)).collect();
    // Begins to note what is used.
    drop(movable(&device));
    for m in &list {
        m.make_resident().expect("room");
    }
    let use_it = |m: &Memory| {
        let fill = command(FILL, m.gpu_va(), 1, 8);
        let work = Submission { uses: Uses::Listed(&[m]), ..Submission::default() };
        wait(&queue, submit(&queue, &commands, &fill, &work).expect("submit"));
    };
    for i in [2, 0, 3, 1] {
        use_it(&list[i]);
    }
    let resident = || list.iter().map(Memory::is_resident).collect::<Vec<_>>();
    let a = host_memory(&device, PIECE);
    assert_eq!(resident(), [true, true, false, true]);
    // One that matters more goes later, though it was used earlier.
    list[0].set_priority(0.9).expect("priority");
    let b = host_memory(&device, PIECE);
    assert_eq!(resident(), [true, true, false, false]);
    let c = host_memory(&device, PIECE);
    assert_eq!(resident(), [true, false, false, false]);
    drop((a, b, c));
    use_it(&list[2]);
    assert_eq!(resident(), [true, false, true, false]);
}

#[test]
fn memory_in_use_is_waited_for() {
    for queues in [QueuePreference::Auto, QueuePreference::Software] {
        let device = small(2, Config::default(), WinsysConfig { queues, ..Default::default() });
        let (queue, commands) = (queue(&device), host_memory(&device, 4096));
        let (a, b) = (movable(&device), movable(&device));
        // Nobody knows yet what this uses, so everything is in use.
        let slow = [command(SLEEP, 60_000, 0, 0), command(FILL, a.gpu_va(), 7, PIECE)].concat();
        let start = Instant::now();
        let value = submit(&queue, &commands, &slow, &Submission::default()).expect("submit");
        let c = movable(&device);
        assert!(start.elapsed() >= Duration::from_millis(55), "something in use was moved");
        assert!(queue.progress().is_reached(value).expect("alive"));
        // This uses one of three pieces, so that another can go at once.
        let (x, y) = if a.is_resident() { (&a, &b) } else { (&b, &a) };
        assert!(!y.is_resident() && c.is_resident());
        let slow = [command(SLEEP, 100_000, 0, 0), command(FILL, c.gpu_va(), 8, PIECE)].concat();
        let work = Submission { uses: Uses::Listed(&[&c]), ..Submission::default() };
        let value = submit(&queue, &commands, &slow, &work).expect("submit");
        y.make_resident().expect("room");
        assert!(!queue.progress().is_reached(value).expect("alive"), "waited for nothing");
        assert!(!x.is_resident() && c.is_resident());
        wait(&queue, value);
        let mut out = [0; 1];
        c.read(PIECE - 1, &mut out).expect("read");
        assert_eq!(out, [8]);
        // Work that never ends is not waited for without a limit.
        let gate = Fence::create(&device, &FenceDesc::default()).expect("fence");
        let never = [FencePoint { fence: &gate, value: 1 }];
        let work = Submission { waits: &never, uses: Uses::Listed(&[y, &c]), ..Submission::default() };
        let value = submit(&queue, &commands, &command(FILL, y.gpu_va(), 9, 8), &work).expect("submit");
        let start = Instant::now();
        assert_eq!(x.make_resident().expect_err("all in use").kind(), ErrorKind::NoMemory);
        assert!(start.elapsed() < Duration::from_secs(15));
        gate.signal(1).expect("signal");
        wait(&queue, value);
        x.make_resident().expect("room");
        assert!(!device.is_lost());
    }
}

#[test]
fn a_submission_that_uses_too_much_is_refused_and_nothing_else() {
    let device = small(3, Config::default(), WinsysConfig::default());
    let (queue, commands) = (queue(&device), host_memory(&device, 4096));
    let list: Vec<Memory> = (0..5).map(|_| movable(&device)).collect();
    let refs: Vec<&Memory> = list.iter().collect();
    let fill = command(FILL, list[0].gpu_va(), 3, 8);
    for uses in [Uses::All, Uses::Listed(&refs), Uses::Listed(&refs[..4])] {
        let e = submit(&queue, &commands, &fill, &Submission { uses, ..Submission::default() }).expect_err("too much");
        assert_eq!(e.kind(), ErrorKind::NoMemory);
    }
    let work = Submission { uses: Uses::Listed(&refs[..3]), ..Submission::default() };
    wait(&queue, submit(&queue, &commands, &fill, &work).expect("submit"));
    // Memory that must stay is used by all: with it, three others are too much.
    list[4].set_movable(false);
    let e = submit(&queue, &commands, &fill, &work).expect_err("too much");
    assert_eq!(e.kind(), ErrorKind::NoMemory);
    let work = Submission { uses: Uses::Listed(&refs[..2]), ..Submission::default() };
    wait(&queue, submit(&queue, &commands, &fill, &work).expect("submit"));
    assert!(list[4].is_resident());
}

/// A repeatable number below another.
fn next(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

#[test]
fn work_over_more_memory_than_fits_is_right() {
    let slow = Pending::Always { min: Duration::from_micros(10), max: Duration::from_micros(800), seed: 5 };
    for (pending, asynchronous) in [(Pending::Never, false), (slow, false), (slow, true)] {
        for queues in [QueuePreference::Auto, QueuePreference::Software] {
            let config = Config { pending, asynchronous, ..Config::default() };
            let device = small(6, config, WinsysConfig { queues, ..Default::default() });
            let threads: Vec<_> = (0..2u64)
                .map(|t| {
                    let device = device.clone();
                    std::thread::spawn(move || churn(&device, t))
                })
                .collect();
            for t in threads {
                t.join().expect("thread");
            }
            assert!(device.is_pressed() && !device.is_lost());
        }
    }
}

/// Moves bytes around in pieces of which few fit, a few submissions ahead, and compares with what it should be.
fn churn(device: &Device, thread: u64) {
    const N: usize = 8;
    let queue = queue(device);
    // A page for each of the submissions that can be under way.
    let list: Vec<Arc<Memory>> = (0..N).map(|_| Arc::new(movable(device))).collect();
    let mut want = [0u8; N];
    let mut seed = 77 + thread;
    let mut last = 0;
    let commands: Vec<Memory> = (0..4)
        .map(|_| {
            let backing = Backing::HostPages { aliased: false, cross_adapter: false };
            let m = Memory::create(device, &MemoryDesc { backing, ..MemoryDesc::host(512) }).expect("commands");
            m.set_movable(true);
            m
        })
        .collect();
    let mut at = [0u64; 4];
    for step in 0..300usize {
        let (a, b) = (next(&mut seed, N as u64) as usize, next(&mut seed, N as u64) as usize);
        let c = &commands[step % 4];
        queue.progress().wait(at[step % 4], LONG).expect("wait");
        let bytes = if a == b {
            want[a] = step as u8;
            command(FILL, list[a].gpu_va(), step as u64 & 0xff, PIECE)
        } else {
            want[a] = want[b];
            command(COPY, list[a].gpu_va(), list[b].gpu_va(), PIECE)
        };
        let uses = [&*list[a], &*list[b], c];
        let work = Submission { uses: Uses::Listed(&uses), ..Submission::default() };
        last = submit(&queue, c, &bytes, &work).unwrap_or_else(|e| panic!("{e} in step {step}"));
        at[step % 4] = last;
    }
    wait(&queue, last);
    for (m, want) in list.iter().zip(want) {
        let mut out = vec![0; PIECE as usize];
        m.read(0, &mut out).expect("read");
        assert!(out.iter().all(|b| *b == want));
    }
}
