//! The tool over recordings of a small client of the software GPU.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use winsys_dxg::trace::Trace;
use winsys_dxg::*;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dxgtrace-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("folder");
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The software GPU's packet that fills words, as bytes.
fn fill(dst: u64, size: u64, value: u32) -> Vec<u8> {
    let mut out = [3u32, 32].map(u32::to_le_bytes).concat();
    out.extend([dst, size, u64::from(value)].map(u64::to_le_bytes).concat());
    out
}

/// Recorded GPU addresses have to be free where they are executed again, and recordings are to differ by nothing else.
static ONE: Mutex<()> = Mutex::new(());

/// Records a client that submits `times`, behind other things in the address space.
fn record(path: &str, times: u64, behind: usize) {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let engine = Arc::new(gpu_soft::SoftEngine::new(None));
    let model = dxg_model::Model::new(dxg_model::Config::default(), engine).expect("model");
    let _pages: Vec<Vec<u8>> = (0..behind).map(|_| vec![1; 1 << 20]).collect();
    let file = std::fs::File::create(path).expect("file");
    let node = Arc::new(Traced::new(model, file).expect("recorder"));
    let mut adapters = Winsys::new(node, WinsysConfig::default()).adapters().expect("adapters");
    let device = Device::create(&adapters.remove(0), &DeviceDesc::default()).expect("device");
    // Others take places in the tables of handles.
    let others: Vec<Memory> =
        (0..behind).map(|_| Memory::create(&device, &MemoryDesc::host(4096)).expect("memory")).collect();
    drop(others);
    let queue = Queue::create(&device, &ContextDesc::default(), &[]).expect("queue");
    let [commands, memory] = [4096, 65536].map(|n| Memory::create(&device, &MemoryDesc::host(n)).expect("memory"));
    for i in 0..times {
        let work = fill(memory.gpu_va() + 4096 * i, 64, 0x1234_5678 + i as u32);
        commands.write(0, &work).expect("write");
        let list = [Commands { va: commands.gpu_va(), length: work.len() as u32, private_data: &[] }];
        let value = queue.submit(&Submission { commands: &list, ..Default::default() }).expect("submit");
        assert_eq!(queue.progress().wait(value, None).expect("wait"), WaitOutcome::Reached);
    }
}

fn tool(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dxgtrace")).args(arguments).output().expect("dxgtrace runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn ok(arguments: &[&str]) -> String {
    let output = tool(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn parse(path: &str) -> Trace {
    let (trace, cut) = Trace::read(std::fs::File::open(Path::new(path)).expect("file")).expect("a recording");
    assert_eq!(cut, None);
    trace
}

#[test]
fn recordings_are_printed_and_executed_again() {
    let folder = Folder::new("print");
    let file = folder.file("a");
    record(&file, 3, 0);
    let dump = ok(&["dump", &file]);
    for word in ["process ", "CreateDevice {adapter=0x", "SubmitCommandToHwQueue {", "GPU changed 1 of"] {
        assert!(dump.contains(word), "{word} in\n{dump}");
    }
    let stat = ok(&["stat", &file]);
    assert!(stat.contains("3        0  SubmitCommandToHwQueue"), "{stat}");
    let objects: Vec<Value> =
        ok(&["dump", "--json", &file]).lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(objects.len(), parse(&file).records.len());
    assert_eq!((&objects[0]["kind"], &objects[0]["index"]), (&"process".into(), &0.into()));
    let create = objects.iter().find(|o| o["name"] == "CreateAllocation").expect("an allocation");
    assert!(create["before"]["flags"].as_array().expect("flags").contains(&"STANDARD_ALLOCATION".into()), "{create}");
    let info = create["buffers"].as_array().expect("buffers").iter().find(|b| b["field"] == "allocation_info");
    let info = info.expect("the allocations");
    assert_eq!(info["type"], "AllocationInfo2");
    assert!(info["after"][0]["allocation"].as_str().expect("a handle").starts_with("0x"), "{info}");
    assert_eq!(create["status"], "0");
    let replay = ok(&["replay", &file]);
    assert!(replay.starts_with("equal: "), "{replay}");
}

#[test]
fn parts_are_recordings_again() {
    let folder = Folder::new("filter");
    let (file, out) = (folder.file("a"), folder.file("b"));
    record(&file, 2, 0);
    ok(&["filter", "--ioctl", "createdevice,0x06", &file, "--output", &out]);
    let dump = ok(&["dump", &out]);
    assert!(dump.contains("CreateDevice") && dump.contains("CreateAllocation"), "{dump}");
    assert!(!dump.contains("EnumAdapters2") && !dump.contains("changed"), "{dump}");
    ok(&["filter", "--result", "failed", &file, "-o", &out]);
    assert!(parse(&out).records.len() < 3);
    ok(&["filter", "--range", "1..4", &file, "-o", &out]);
    assert_eq!(parse(&out).records.len(), 4, "three records and whose they are");
    let Some(winsys_dxg::trace::Record::Process(p)) = parse(&file).records.first().cloned() else {
        panic!("no process");
    };
    ok(&["filter", "--process", &p.pid.to_string(), &file, &file, "-o", &out]);
    assert_eq!(parse(&out).records.len(), 2 * parse(&file).records.len());
    ok(&["filter", "--process", "1", &file, "-o", &out]);
    assert_eq!(parse(&out).records.len(), 0);
    // All of it is still executed, two of them are not.
    ok(&["filter", &file, "-o", &out]);
    ok(&["replay", &out]);
    ok(&["filter", &file, &file, "-o", &out]);
    let output = tool(&["replay", &out]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output).contains("several processes"), "{}", text(&output));
}

#[test]
fn differences_are_what_programs_do_and_not_where() {
    let folder = Folder::new("diff");
    let [a, b, c] = ["a", "b", "c"].map(|n| folder.file(n));
    record(&a, 3, 0);
    record(&b, 3, 0);
    record(&c, 4, 5);
    let same = ok(&["diff", &a, &b]);
    assert!(same.contains(" 0 differences"), "{same}");
    let output = tool(&["diff", &a, &c]);
    assert_eq!(output.status.code(), Some(1));
    let lines = text(&output);
    // One more submission, and the memory that others took; the rest is the same under other names.
    assert!(lines.lines().any(|l| l.starts_with("+ ") && l.contains("SubmitCommandToHwQueue")), "{lines}");
    // What is submitted after that counts on from there, and is the same but for that.
    let changed: Vec<&str> = lines.lines().filter(|l| l.starts_with("! ")).collect();
    let count = |l: &&str| l.contains("SubmitCommandToHwQueue = 0: hwqueue_progress_fence_id: ") && !l.contains(';');
    assert!(changed.len() == 3 && changed.iter().all(count), "{lines}");
    // Requests of one kind, with handles and addresses of their own.
    let only = tool(&["diff", "--ioctl", "CreateDevice,CreateHwQueue,CreateContextVirtual", &a, &c]);
    assert_eq!(only.status.code(), Some(0), "{}", text(&only));
}

#[test]
fn damaged_files_are_refused_with_a_reason() {
    let folder = Folder::new("damage");
    let (file, bad) = (folder.file("a"), folder.file("b"));
    record(&file, 1, 0);
    let bytes = std::fs::read(&file).expect("read");
    std::fs::write(&bad, &bytes[..bytes.len() - 5]).expect("write");
    let output = tool(&["dump", &bad]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).contains("cut off in the record at byte"), "{}", text(&output));
    for (what, damaged) in [
        ("not a trace file", b"ELF".to_vec()),
        ("not supported", [&bytes[..8], &[9, 0, 0, 0], &bytes[12..]].concat()),
        ("damaged at byte", [&bytes[..16], &[77], &bytes[17..]].concat()),
    ] {
        std::fs::write(&bad, damaged).expect("write");
        for command in ["dump", "stat", "replay"] {
            let output = tool(&[command, &bad]);
            assert_eq!(output.status.code(), Some(3), "{command}");
            assert!(text(&output).contains(what), "{}", text(&output));
        }
    }
    assert_eq!(tool(&["dump", &folder.file("none")]).status.code(), Some(3));
}

#[test]
fn wrong_arguments_are_told() {
    for bad in
        [&["dump"][..], &["bogus", "x"], &["dump", "--ioctl", "Nothing", "x"], &["diff", "x"], &[], &["filter", "x"]]
    {
        let output = tool(bad);
        assert_eq!(output.status.code(), Some(2), "{bad:?}");
        assert!(text(&output).contains("usage: dxgtrace"), "{bad:?}");
    }
    assert!(ok(&["--help"]).contains("usage: dxgtrace"));
}
