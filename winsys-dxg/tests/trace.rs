//! Recording and replaying over the model.

mod common;

use common::*;
use dxg_abi::Node;
use dxg_model::Config;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use winsys_dxg::trace::{compare, dump, stat, Player, Record, Replay, Selection, Trace};
use winsys_dxg::*;

/// A writer whose content can be had afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("bytes").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A small client: two kinds of memory, several submissions that build on each other, CPU
/// writes in between. Returns what it read in the end.
fn client(node: Arc<dyn Node>, queues: QueuePreference) -> Result<Vec<u8>> {
    let device = device(node, WinsysConfig { queues, ..Default::default() });
    let queue = Queue::create(&device, &ContextDesc::default(), &[])?;
    let commands = host_memory(&device, 4096);
    let (a, b) = (host_memory(&device, 100_000), driver_memory(&device, 50_000));
    let done = Fence::create(&device, &FenceDesc::default())?;
    a.write(10, b"first")?;
    let mut out = Vec::new();
    for i in 0..3u64 {
        let work = [
            command(COPY, b.gpu_va() + 40_000 * (i % 2), a.gpu_va(), 100),
            command(FILL, a.gpu_va() + 90_000 + i, 0x41 + i, 1),
        ]
        .concat();
        commands.write(0, &work)?;
        let list = [Commands { va: commands.gpu_va(), length: work.len() as u32, private_data: &[] }];
        let signals = [FencePoint { fence: &done, value: i + 1 }];
        let value = queue.submit(&Submission { commands: &list, signals: &signals, ..Default::default() })?;
        assert_eq!(queue.progress().wait(value, None)?, WaitOutcome::Reached);
        assert_eq!(done.wait(i + 1, None)?, WaitOutcome::Reached);
        let mut part = [0; 20];
        b.read(40_000 * (i % 2), &mut part)?;
        out.extend_from_slice(&part);
        a.write(12 + i, b"X")?;
    }
    let mut end = [0; 4];
    a.read(90_000, &mut end)?;
    out.extend_from_slice(&end);
    assert_eq!(&end, b"ABC\0");
    Ok(out)
}

fn record(queues: QueuePreference) -> (Trace, Vec<u8>) {
    let bytes = Shared::default();
    let traced = Arc::new(Traced::new(model(Config::default()), bytes.clone()).expect("recorder"));
    let out = client(traced.clone(), queues).expect("client");
    traced.finish().expect("finish");
    drop(traced);
    let bytes = bytes.0.lock().expect("bytes").clone();
    (Trace::parse(&bytes).expect("parse"), out)
}

/// Recorded GPU addresses have to be free when they are played; tests that run at the same time would
/// take them.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

const BOTH: [QueuePreference; 2] = [QueuePreference::Auto, QueuePreference::Software];

#[test]
fn a_recording_plays_to_the_same_result() {
    let _alone = alone();
    for queues in BOTH {
        let (trace, _) = record(queues);
        let player = Player::new(model(Config::default())).expect("player");
        let report = player.play(&trace).expect("play");
        assert!(report.is_equal(), "{report:?}");
        assert_eq!((report.uncertain, report.skipped), (0, 0), "{report:?}");
        assert_eq!(report.checks, trace.records.iter().filter(|r| matches!(r, Record::Check(_))).count());
        assert!(report.checks >= 3 * 3 && report.pages > 100, "{report:?}");
    }
}

#[test]
fn a_gpu_that_computes_something_else_is_noticed() {
    let _alone = alone();
    for queues in BOTH {
        let (mut trace, _) = record(queues);
        // The recording claims a result that no GPU gives: command bytes of a later submission
        // say something else now.
        let mut changed = 0;
        for record in &mut trace.records {
            let Record::Pages(s) = record else { continue };
            for page in &mut s.pages {
                let Some(data) = page.data.as_mut().filter(|d| d[..8] == COPY.to_le_bytes()) else { continue };
                // The value that the second command fills in.
                data[32 + 16] ^= 0x20;
                changed += 1;
            }
        }
        assert!(changed > 0, "the commands are in the recording");
        // The command pages are part of the checks as well, so those no longer fit.
        let e = Player::new(model(Config::default())).expect("player").play(&trace).expect_err("inconsistent");
        assert!(e.to_string().contains("does not fit"), "{e}");
    }
}

#[test]
fn different_results_are_counted() {
    let _alone = alone();
    #[derive(Debug)]
    struct Wrong(Arc<dxg_model::Model>);
    impl Node for Wrong {
        fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
            // Commands lose their second half.
            if request == dxg_abi::Ioctl::SubmitCommandToHwQueue.request() {
                let at = core::mem::offset_of!(dxg_abi::SubmitCommandToHwQueue, command_length);
                arg[at..at + 4].copy_from_slice(&32u32.to_le_bytes());
            }
            self.0.ioctl(request, arg)
        }
    }
    let (trace, _) = record(QueuePreference::Auto);
    let player = Player::new(Arc::new(Wrong(model(Config::default())))).expect("player");
    let report = player.play(&trace).expect("play");
    // One page of one allocation after each of three submissions.
    assert_eq!(report.different, 3, "{report:?}");
    assert_eq!(report.differences.len(), 3);
    assert!(!report.is_equal());
}

#[test]
fn a_recording_answers_its_client() {
    let _alone = alone();
    for queues in BOTH {
        let (trace, out) = record(queues);
        let node = Arc::new(Replay::new(trace).expect("replay"));
        let again = client(node.clone(), queues).expect("client");
        assert_eq!(node.mismatch(), None);
        assert_eq!(again, out);
    }
}

#[test]
fn recordings_of_the_same_differ_in_nothing() {
    let _alone = alone();
    for queues in BOTH {
        let (a, _) = record(queues);
        let (b, _) = record(queues);
        let found = compare(&a, &b, false);
        assert!(found.is_equal() && found.same > 50, "{found:?}");
        assert_eq!(found.same, a.records.len() - 1, "all but the process");
        // What one submits in other words is seen.
        let mut c = b.clone();
        let submission = |r: &Record| match r {
            Record::Ioctl(i) => {
                dxg_abi::Ioctl::from_request(i.request).is_some_and(|i| i.name().contains("SubmitCommand"))
            }
            _ => false,
        };
        let at = c.records.iter().rposition(submission).expect("a submission");
        if let Record::Ioctl(i) = &mut c.records[at] {
            let offset = match queues {
                QueuePreference::Auto => core::mem::offset_of!(dxg_abi::SubmitCommandToHwQueue, command_length),
                QueuePreference::Software => core::mem::offset_of!(dxg_abi::SubmitCommand, command_length),
            };
            i.before[offset] ^= 32;
            i.after[offset] ^= 32;
        }
        let found = compare(&a, &c, false);
        assert_eq!(found.lines.len(), 1, "{found:?}");
        assert!(found.lines[0].contains("command_length"), "{found:?}");
        c.records.remove(at);
        let found = compare(&a, &c, false);
        assert!(found.lines.len() == 1 && found.lines[0].starts_with("- "), "{found:?}");
    }
}

#[test]
fn another_client_is_refused_with_a_reason() {
    let _alone = alone();
    let (trace, _) = record(QueuePreference::Auto);
    let node = Arc::new(Replay::new(trace).expect("replay"));
    let adapter = adapter(node.clone(), WinsysConfig::default());
    let e = adapter.clock(0).expect_err("not in the recording");
    assert_eq!(e.kind(), ErrorKind::Invalid);
    let text = node.mismatch().expect("a reason");
    assert!(text.contains("CreateDevice") && text.contains("QueryClockCalibration"), "{text}");
}

#[test]
fn recordings_read_as_text() {
    let _alone = alone();
    let (trace, _) = record(QueuePreference::Software);
    let mut text = Vec::new();
    dump(&trace, &mut text).expect("dump");
    let text = String::from_utf8(text).expect("text");
    for word in ["CreateDevice {adapter=0x40000000", "SubmitCommand {", "GPU changed 1 of", "existing_heap_data"] {
        assert!(text.contains(word), "{word} in\n{text}");
    }
    let mut text = Vec::new();
    stat(&trace, &mut text).expect("stat");
    let text = String::from_utf8(text).expect("text");
    assert!(text.contains("3        0  SubmitCommand\n"), "{text}");
}

#[test]
fn a_failing_writer_does_not_disturb_the_client() {
    let _alone = alone();
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let traced = Arc::new(Traced::new(model(Config::default()), Full(3000)).expect("recorder"));
    client(traced.clone(), QueuePreference::Auto).expect("client");
    let e = traced.finish().expect_err("the disk was full");
    assert_eq!(e.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn a_wait_for_the_cpu_does_not_stop_the_recorder() {
    let _alone = alone();
    let bytes = Shared::default();
    let traced = Arc::new(Traced::new(model(Config::default()), bytes.clone()).expect("recorder"));
    {
        let device = device(traced.clone(), WinsysConfig::default());
        let queue = Queue::create(&device, &ContextDesc::default(), &[]).expect("queue");
        let (commands, memory) = (host_memory(&device, 4096), host_memory(&device, 4096));
        let gate = Fence::create(&device, &FenceDesc::default()).expect("fence");
        commands.write(0, &command(FILL, memory.gpu_va(), 7, 9)).expect("write");
        let list = [Commands { va: commands.gpu_va(), length: 32, private_data: &[] }];
        let waits = [FencePoint { fence: &gate, value: 1 }];
        let start = std::time::Instant::now();
        let value = queue.submit(&Submission { waits: &waits, commands: &list, ..Default::default() }).expect("submit");
        assert!(start.elapsed() < Duration::from_secs(5), "the recorder waited for the client");
        gate.signal(1).expect("signal");
        assert_eq!(queue.progress().wait(value, None).expect("wait"), WaitOutcome::Reached);
    }
    drop(traced);
    let trace = Trace::parse(&bytes.0.lock().expect("bytes")).expect("parse");
    let uncertain = |r: &&Record| matches!(r, Record::Check(c) if !c.certain);
    assert!(trace.records.iter().any(|r| uncertain(&r)), "the result is taken up when memory goes");
    let report = Player::new(model(Config::default())).expect("player").play(&trace).expect("play");
    assert!(report.is_equal() && report.uncertain == 0, "{report:?}");
}

#[test]
fn damaged_recordings_end_in_errors() {
    let _alone = alone();
    let (trace, _) = record(QueuePreference::Auto);
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % n as u64) as usize
    };
    let mut refused = 0;
    for _ in 0..60 {
        let mut broken = trace.clone();
        for _ in 0..3 {
            let at = random(broken.records.len());
            match &mut broken.records[at] {
                Record::Ioctl(r) => match random(5) {
                    0 => r.request ^= 1 << random(32),
                    1 => {
                        let i = random(r.before.len());
                        r.before[i] ^= 1 << random(8);
                    }
                    2 => {
                        let i = random(r.after.len());
                        r.after[i] ^= 1 << random(8);
                    }
                    3 => drop(r.buffers.pop()),
                    _ => {
                        if let Some(b) = r.buffers.first_mut().filter(|b| !b.before.is_empty()) {
                            let i = random(b.before.len());
                            b.before[i] ^= 1 << random(8);
                        }
                    }
                },
                Record::Pages(s) => s.allocation ^= 1 << random(32),
                Record::Process(p) => p.pid ^= 1 << random(32),
                Record::Check(c) => {
                    if let Some(page) = c.pages.first_mut() {
                        page.index ^= 1 << random(40);
                    } else {
                        c.size ^= 1 << random(40);
                    }
                }
            }
        }
        let mut player = Player::new(model(Config::default())).expect("player");
        player.set_limit(Duration::from_millis(20));
        let played = player.play(&broken);
        refused += usize::from(!played.is_ok_and(|r| r.is_equal()));
        // A client of a broken recording gets errors, too.
        let node = Arc::new(Replay::new(broken).expect("replay"));
        let _ = Winsys::new(node, WinsysConfig::default()).adapters();
    }
    assert!(refused > 10, "{refused}");
}

/// `DXG_FUZZ_STEPS` files of seed `DXG_FUZZ_SEED`; a few without.
#[test]
fn damaged_files_are_refused_or_read() {
    let _alone = alone();
    let (trace, _) = record(QueuePreference::Auto);
    let mut good = Vec::new();
    trace.write(&mut good).expect("write");
    let variable = |name, default| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let mut seed: u64 = variable("DXG_FUZZ_SEED", 5);
    let mut random = move |n: usize| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((z ^ z >> 27) % n.max(1) as u64) as usize
    };
    let (mut refused, mut read, mut played) = (0, 0, 0);
    for _ in 0..variable("DXG_FUZZ_STEPS", 400) {
        let mut bytes = good.clone();
        for _ in 0..1 + random(4) {
            // Most of a file is pages; the start has the structure.
            let end = if random(4) == 0 { bytes.len() } else { bytes.len().min(6000) };
            let at = random(end);
            match random(6) {
                0 | 1 => bytes[at] ^= 1 << random(8),
                2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)],
                3 => {
                    let word = [0u32, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX, 1 << random(32)][random(6)];
                    let end = (at + 4).min(bytes.len());
                    bytes[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
                }
                4 => drop(bytes.drain(at..(at + 1 + random(40)).min(end))),
                _ => {
                    let copied = bytes[at..(at + 1 + random(40)).min(end)].to_vec();
                    bytes.splice(at..at, copied);
                }
            }
        }
        if random(3) == 0 {
            bytes.truncate(random(bytes.len()));
        }
        let Ok((broken, cut)) = Trace::parse_part(&bytes) else {
            refused += 1;
            continue;
        };
        read += 1;
        assert!(cut.is_none_or(|at| at < bytes.len()));
        dump(&broken, &mut std::io::sink()).expect("dump");
        stat(&broken, &mut std::io::sink()).expect("stat");
        let handles = Some([dxg_abi::Handle(0x4000_0000)].into());
        let part = Selection { handles, ..Default::default() }.apply(&broken);
        assert!(part.records.len() <= broken.records.len());
        compare(&broken, &trace, true);
        assert!(compare(&broken, &broken, true).lines.iter().all(|l| !l.starts_with(['+', '-'])));
        let mut player = Player::new(model(Config::default())).expect("player");
        player.set_limit(Duration::from_millis(5));
        played += usize::from(player.play(&broken).is_ok());
    }
    println!("{refused} refused, {read} read, {played} executed");
    assert!(refused > 50 && read > 50, "{refused} refused, {read} read, {played} executed");
}
