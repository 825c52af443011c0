//! Submissions without end: eight threads over four queues of two devices, which share fences and memory at random, lose their
//! devices now and then and begin again. Every submission does what it says after what it waits for, every wait ends, and what
//! the process holds stays the same.
//!
//! `SOAK_SUBMISSIONS=1000000 cargo test --release -p gpu-soft --test soak -- --ignored --nocapture`

use dxg_abi::{DeviceErrorReason, Node};
use dxg_model::{Census, Config, EngineFault, Fault, Model, Pending};
use gpu_soft::SoftEngine;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use winsys_dxg::*;

const THREADS: usize = 8;
/// Queues of each of the two devices.
const QUEUES: usize = 2;
/// Submissions of a thread that nobody has looked at yet; a slot each.
const SLOTS: u64 = 16;
/// What any wait may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// A packet of the software GPU.
fn packet(code: u32, words: &[u64]) -> Vec<u8> {
    let mut out = [code, 8 + 8 * words.len() as u32].map(u32::to_le_bytes).concat();
    out.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    out
}

const COPY: u32 = 2;
const STORE64: u32 = 9;

/// Bytes of a command buffer.
const COMMANDS: u64 = 256;
/// Bytes of a thread's part of the cells: its cell, and for each slot what it saw of its own and of another's.
const PART: u64 = 4096;

fn size_blob(size: u64) -> Vec<u8> {
    size.to_le_bytes().to_vec()
}

fn shared_memory(device: &Device, size: u64) -> Result<Memory> {
    let backing = Backing::Driver { describe: &size_blob, resource_data: &[], shared: true, cpu_access: true };
    Memory::create(device, &MemoryDesc { backing, ..MemoryDesc::host(size) })
}

/// What lives from one reset to the next.
struct World {
    devices: [Device; 2],
    queues: Vec<Queue>,
    /// Of each thread: its fence as each device knows it.
    fences: Vec<[Fence; 2]>,
    cells: Memory,
    commands: Memory,
    /// The last submission of each thread that others may wait for.
    published: [AtomicU64; THREADS],
    /// Submissions of all threads, and after how many there is a reset.
    submitted: AtomicU64,
    until: u64,
    /// A reset has begun: devices may be lost from now on.
    ending: AtomicBool,
}

impl World {
    fn new(node: &Arc<Model>, until: u64) -> World {
        let device = |queues| {
            let winsys = Winsys::new(node.clone(), WinsysConfig { queues, ..WinsysConfig::default() });
            let mut adapters = winsys.adapters().expect("adapters");
            Device::create(&adapters.remove(0), &DeviceDesc::default()).expect("device")
        };
        let devices = [device(QueuePreference::Auto), device(QueuePreference::Software)];
        let queue = |i: usize| Queue::create(&devices[i / QUEUES], &ContextDesc::default(), &[]).expect("queue");
        let queues: Vec<Queue> = (0..2 * QUEUES).map(queue).collect();
        let fences = (0..THREADS).map(|t| {
            let desc = FenceDesc { shared: true, ..FenceDesc::default() };
            let fence = Fence::create(&devices[t % 2], &desc).expect("fence");
            let fd = fence.export_fd().expect("descriptor");
            let alias = Fence::import_fd(&devices[1 - t % 2], fd.as_fd()).expect("alias");
            if t % 2 == 0 {
                [fence, alias]
            } else {
                [alias, fence]
            }
        });
        let fences = fences.collect();
        // Each device's queues wait for what its own paging queue does only, and these are used by both.
        let memory = |i: usize, size| {
            let memory = Memory::create(&devices[i], &MemoryDesc::host(size)).expect("memory");
            devices[i].paging_queue().wait_cpu(&devices[i]).expect("paging");
            memory
        };
        World {
            cells: memory(0, PART * THREADS as u64),
            commands: memory(1, COMMANDS * SLOTS * THREADS as u64),
            queues,
            fences,
            published: Default::default(),
            submitted: AtomicU64::new(0),
            until,
            ending: AtomicBool::new(false),
            devices,
        }
    }

    fn cell(&self, thread: usize) -> u64 {
        PART * thread as u64
    }

    /// Where a slot's view of its own cell stands; that of another's is 8 bytes on.
    fn view(&self, thread: usize, number: u64) -> u64 {
        self.cell(thread) + 64 + number % SLOTS * 16
    }
}

/// What a thread has done.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    submitted: u64,
    verified: u64,
    cut_off: u64,
    shared: u64,
}

/// One thread from one reset to the next.
struct Client<'a> {
    world: &'a World,
    thread: usize,
    random: Random,
    /// For each slot: the value that another's cell had to have, and whose fence tells that it was not lost.
    expected: [(usize, u64); SLOTS as usize],
    next: u64,
    looked: u64,
    done: Done,
}

impl<'a> Client<'a> {
    fn side(&self) -> usize {
        self.thread % 2
    }

    fn own(&self) -> &'a Fence {
        &self.world.fences[self.thread][self.side()]
    }

    /// Waits for own submissions and looks at what they did.
    fn look(&mut self, up_to: u64) -> Result<()> {
        let w = self.world;
        if self.random.below(4) == 0 {
            // Given up at most times.
            self.own().wait(up_to, Some(Duration::from_micros(30)))?;
        }
        let outcome = self.own().wait(up_to, Some(LIMIT))?;
        assert_eq!(outcome, WaitOutcome::Reached, "thread {} waits for {up_to} for ever", self.thread);
        for number in self.looked + 1..=up_to {
            let view = w.view(self.thread, number);
            assert_eq!(w.cells.load_u64(view)?, number, "thread {}: a submission is lost", self.thread);
            let (other, value) = self.expected[(number % SLOTS) as usize];
            if value > 0 {
                let seen = w.cells.load_u64(view + 8)?;
                // A lost device's fences count as reached though the work was dropped.
                let lost = w.fences[other][self.side()].value() == u64::MAX;
                assert!(seen >= value || lost, "thread {} saw {seen} of {other}, not {value}", self.thread);
            }
        }
        self.done.verified += up_to - self.looked;
        self.looked = up_to;
        Ok(())
    }

    /// Fences and memory that come and go.
    fn share(&mut self, other: usize, value: u64) -> Result<()> {
        let w = self.world;
        let device = &w.devices[self.side()];
        self.done.shared += 1;
        let fence = &w.fences[other][other % 2];
        match self.random.below(4) {
            0 => {
                let fd = fence.export_fd()?;
                let alias = Fence::import_fd(device, fd.as_fd())?;
                assert_eq!(alias.wait(value, Some(LIMIT))?, WaitOutcome::Reached);
            }
            1 => {
                let fd = fence.export_sync_file(value)?;
                let (alias, at) = Fence::import_sync_file(device, fd.as_fd())?;
                assert_eq!(at, value);
                assert_eq!(alias.wait(at, Some(LIMIT))?, WaitOutcome::Reached);
            }
            2 => {
                // Seen by the other device under another address.
                let size = 4096 * (1 + self.random.below(32));
                let memory = shared_memory(&w.devices[1 - self.side()], size)?;
                memory.store_u64(size - 8, value)?;
                let fd = memory.export_fd()?;
                let alias = Memory::import_fd(device, fd.as_fd(), size, 0, true)?;
                assert_eq!(alias.load_u64(size - 8)?, value);
            }
            _ => drop(Memory::create(device, &MemoryDesc::host(4096 * (1 + self.random.below(64))))?),
        }
        Ok(())
    }

    fn submit(&mut self) -> Result<()> {
        let w = self.world;
        let (t, number) = (self.thread, self.next);
        let slot = number % SLOTS;
        if number > SLOTS / 2 && self.looked < number - SLOTS / 2 {
            // A random part of what is under way.
            let last = number - 1;
            let up_to = number - SLOTS / 2 + self.random.below(SLOTS / 2);
            self.look(up_to.min(last))?;
        }
        let other = self.random.below(THREADS as u64) as usize;
        let value = w.published[other].load(Ordering::Acquire);
        if self.random.below(40) == 0 && value > 0 {
            self.share(other, value)?;
        }
        let (base, view) = (w.cells.gpu_va(), w.view(t, number));
        let mut work = Vec::new();
        let mut waits = vec![FencePoint { fence: self.own(), value: number - 1 }];
        self.expected[slot as usize] = (other, 0);
        if other != t && value > 0 && self.random.below(3) > 0 {
            waits.push(FencePoint { fence: &w.fences[other][self.side()], value });
            work.extend(packet(COPY, &[base + w.cell(other), base + view + 8, 8]));
            self.expected[slot as usize] = (other, value);
        }
        work.extend(packet(STORE64, &[base + w.cell(t), number]));
        work.extend(packet(COPY, &[base + w.cell(t), base + view, 8]));
        let at = COMMANDS * (SLOTS * t as u64 + slot);
        w.commands.write(at, &work)?;
        let list = [Commands { va: w.commands.gpu_va() + at, length: work.len() as u32, private_data: &[] }];
        let signals = [FencePoint { fence: self.own(), value: number }];
        let queue = &w.queues[self.side() * QUEUES + self.random.below(QUEUES as u64) as usize];
        queue.submit(&Submission { waits: &waits, commands: &list, signals: &signals, ..Submission::default() })?;
        w.published[t].store(number, Ordering::Release);
        self.done.submitted += 1;
        self.next += 1;
        Ok(())
    }

    /// Submits until the reset; whoever comes to the number makes it.
    fn run(&mut self, reset: impl Fn(&mut Random)) {
        let w = self.world;
        let end = loop {
            if let Err(e) = self.submit() {
                break Err(e);
            }
            let n = w.submitted.fetch_add(1, Ordering::AcqRel) + 1;
            if n == w.until {
                w.ending.store(true, Ordering::Release);
                reset(&mut self.random);
            }
            if w.ending.load(Ordering::Acquire) {
                break Ok(());
            }
        };
        let end = end.and_then(|()| self.look(self.next - 1));
        if let Err(e) = end {
            let device = &w.devices[self.side()];
            assert!(
                w.ending.load(Ordering::Acquire),
                "thread {}, number {} of {}: {e} without a reset: {:?}, {:?}",
                self.thread,
                self.next,
                w.submitted.load(Ordering::Relaxed),
                device.execution_state(),
                device.fault_info()
            );
            assert_eq!(e.kind(), ErrorKind::DeviceLost, "{e}");
        }
        self.done.cut_off += self.next - 1 - self.looked;
    }
}

/// Loses devices in one of the ways in which that happens.
fn reset(node: &Model, world: &World, way: u64) {
    match way % 5 {
        0 => node.inject(&Fault::Engine(EngineFault::Hang)),
        1 => node.inject(&Fault::Engine(EngineFault::PageFault { address: 0x1000, write: true })),
        2 => node.inject(&Fault::OutOfMemory),
        3 => {
            // By the engine's own doing, on both devices.
            for i in [0, QUEUES] {
                let list = [Commands { va: world.commands.gpu_va() + 128, length: 8, private_data: &[] }];
                // Behind what the slot holds there are zeros, which are no packet.
                world.queues[i].submit(&Submission { commands: &list, ..Submission::default() }).expect("accepted");
            }
        }
        _ => world.devices.iter().for_each(|d| {
            // One that is lost already is none that can be marked.
            let _ = d.mark_error(DeviceErrorReason::GENERIC);
        }),
    }
}

/// Resident memory, bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("/proc");
    text.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number") * 4096
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// What the model holds, once what threads have in their hands is put down.
fn settled(node: &Model, want: Option<Census>) -> Census {
    let start = Instant::now();
    loop {
        let now = node.census();
        if want.is_none_or(|want| now == want) {
            return now;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{now:?}, not {want:?}");
        std::thread::yield_now();
    }
}

fn soak(config: Config, submissions: u64, between: u64) {
    let engine = Arc::new(SoftEngine::new(None));
    let node = Model::new(config, engine).expect("model");
    assert!(node.describe().contains("model"));
    let empty = settled(&node, None);
    let mut all = Done::default();
    let (mut resets, mut first) = (0u64, None);
    let start = Instant::now();
    while all.submitted < submissions {
        let world = World::new(&node, between.min(submissions - all.submitted));
        let done: Vec<Done> = std::thread::scope(|s| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (world, node) = (&world, &node);
                    s.spawn(move || {
                        let random = Random(resets * 1000 + thread as u64);
                        let expected = [(0, 0); SLOTS as usize];
                        let mut client =
                            Client { world, thread, random, expected, next: 1, looked: 0, done: Done::default() };
                        client.run(|random| reset(node, world, resets + random.below(5)));
                        client.done
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().expect("no thread fails")).collect()
        });
        node.check().expect("no object outlives its parent");
        drop(world);
        resets += 1;
        for d in done {
            all.submitted += d.submitted;
            all.verified += d.verified;
            all.cut_off += d.cut_off;
            all.shared += d.shared;
        }
        settled(&node, Some(empty));
        if resets == 2 {
            first = Some((resident(), descriptors()));
        }
        if resets % 10 == 0 {
            let (mib, n) = (resident() >> 20, descriptors());
            println!(
                "{} submissions, {resets} resets: {mib} MiB, {n} descriptors, {:?}",
                all.submitted,
                start.elapsed()
            );
        }
    }
    assert_eq!(all.submitted, all.verified + all.cut_off);
    // At a reset no more is under way than fits the slots.
    assert!(all.cut_off <= resets * THREADS as u64 * SLOTS, "{all:?}");
    assert!(all.shared > 0, "{all:?}");
    let (before, after) = (first.expect("two resets"), (resident(), descriptors()));
    let rate = all.submitted as f64 / start.elapsed().as_secs_f64();
    println!("{all:?}, {resets} resets, {rate:.0} submissions a second");
    println!(
        "resident after two resets {} KiB, at the end {} KiB; descriptors {} and {}",
        before.0 >> 10,
        after.0 >> 10,
        before.1,
        after.1
    );
    assert_eq!(before.1, after.1, "descriptors");
    assert!(after.0 < before.0 + (16 << 20), "{before:?}, then {after:?}");
}

fn config() -> Config {
    Config { sync_files: true, ..Config::default() }
}

/// One after the other: what is measured is the process's.
#[test]
fn submissions_share_and_survive_resets() {
    soak(config(), 6_000, 1_000);
    let max = Duration::from_micros(50);
    let pending = Pending::Always { min: Duration::ZERO, max, seed: 3 };
    soak(Config { asynchronous: true, pending, ..config() }, 4_000, 1_000);
}

#[test]
#[ignore = "as long as SOAK_SUBMISSIONS says"]
fn many_submissions_share_and_survive_resets() {
    let submissions = std::env::var("SOAK_SUBMISSIONS").ok().and_then(|v| v.parse().ok()).unwrap_or(1_000_000);
    soak(config(), submissions, 10_000);
}
