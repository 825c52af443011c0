//! API tests: a Vulkan client that tries everything a compute device offers, through the loader, and verifies results.
//!
//! Each test runs in a process of its own, so that a crash or a hang is one test's failure, and so that with
//! `VKDXG_VALIDATE=1` any message of the validation layer fails the test that caused it (with `VKDXG_VALIDATE=sync` it looks
//! for missing barriers, too, within command buffers and between submissions). What a device does not have is skipped, with a line
//! that says so.
//!
//! usage: api [--exact] [--list] [--jobs N] [--show-output] [FILTER…]; `CTS_TEST_TIMEOUT` is a test's limit in seconds.
// The tests are sequences of Vulkan calls; each is unsafe, and what makes them sound is Vulkan's valid usage, which the
// validation layer checks. The functions are unsafe as a whole instead of repeating that at every call.
#![allow(unsafe_op_in_unsafe_fn, clippy::missing_safety_doc)]
// The workspace's oldest compiler has no `is_multiple_of`.
#![allow(clippy::manual_is_multiple_of)]

#[macro_use]
mod support;

mod addresses;
mod allocation;
mod buffers;
mod commands;
mod descriptor_heap;
mod descriptor_memory;
mod descriptors;
mod device;
mod exhaustion;
mod faults;
mod formats;
mod fuzz;
mod generated_commands;
mod images;
mod instance;
mod interruptions;
mod link;
mod maintenance8;
mod math;
mod matrices;
mod memory;
mod memory_regions;
mod oversubscription;
mod pipeline_binaries;
mod pipelines;
mod processes;
mod queries;
mod removal;
mod shader_extensions;
mod shader_objects;
mod shaders;
mod sparse;
mod subgroups;
mod sync;

use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use support::{Stop, R};

/// A test's name and body.
type Test = (&'static str, unsafe fn() -> R);

/// Tests of all modules.
fn all() -> Vec<Test> {
    [
        addresses::TESTS,
        allocation::TESTS,
        buffers::TESTS,
        commands::TESTS,
        descriptor_heap::TESTS,
        descriptor_memory::TESTS,
        descriptors::TESTS,
        device::TESTS,
        exhaustion::TESTS,
        faults::TESTS,
        fuzz::TESTS,
        generated_commands::TESTS,
        formats::TESTS,
        images::TESTS,
        instance::TESTS,
        interruptions::TESTS,
        maintenance8::TESTS,
        math::TESTS,
        matrices::TESTS,
        memory::TESTS,
        memory_regions::TESTS,
        oversubscription::TESTS,
        pipeline_binaries::TESTS,
        pipelines::TESTS,
        processes::TESTS,
        queries::TESTS,
        removal::TESTS,
        shader_objects::TESTS,
        shader_extensions::TESTS,
        shaders::TESTS,
        sparse::TESTS,
        subgroups::TESTS,
        sync::TESTS,
    ]
    .concat()
}

/// Name without the crate's.
fn short(name: &'static str) -> &'static str {
    name.split_once("::").map_or(name, |(_, n)| n)
}

/// Exit codes of the process of one test.
const PASSED: u8 = 0;
const FAILED: u8 = 1;
const SKIPPED: u8 = 77;

/// Runs one test in this process.
fn run_one(name: &str) -> ExitCode {
    let tests = all();
    let Some((_, body)) = tests.iter().find(|t| short(t.0) == name) else {
        println!("no test named {name}");
        return ExitCode::from(FAILED);
    };
    run_body("", *body)
}

/// Is the other process of a test.
fn run_role(name: &str) -> ExitCode {
    let roles = [processes::ROLES, oversubscription::ROLES, removal::ROLES].concat();
    let Some((_, body)) = roles.iter().find(|r| r.0 == name) else {
        println!("no role named {name}");
        return ExitCode::from(FAILED);
    };
    run_body(&format!("in the other process, {name}: "), *body)
}

/// Runs a test or a role, which `who` names in what is said of it.
fn run_body(who: &str, body: unsafe fn() -> R) -> ExitCode {
    // SAFETY: a test has no requirements; it is `unsafe` for the calls in it.
    let code = match unsafe { body() } {
        Ok(()) => PASSED,
        Err(Stop::Skip(why)) => {
            println!("{who}skipped: {why}");
            SKIPPED
        }
        Err(Stop::Fail(why)) => {
            println!("{who}failed: {why}");
            FAILED
        }
    };
    let messages = cts::Gpu::validation_messages();
    if messages > 0 && code != FAILED {
        println!("{who}failed: {messages} validation messages");
        return ExitCode::from(FAILED);
    }
    ExitCode::from(code)
}

/// What became of a test.
enum Outcome {
    Passed,
    Skipped(String),
    Failed(String),
}

/// Runs one test in a child process.
fn run_child(name: &str, limit: Duration) -> Outcome {
    let start = Instant::now();
    let child = std::env::current_exe().and_then(|exe| {
        let mut command = Command::new(exe);
        if cts::harness::watching_hazards() {
            // Has no number among the features that applications can ask for.
            command.env("VK_LAYER_ENABLES", "VALIDATION_CHECK_ENABLE_SYNCHRONIZATION_VALIDATION_QUEUE_SUBMIT");
        }
        command
            .args(["--one", name])
            .env("RUST_BACKTRACE", std::env::var_os("RUST_BACKTRACE").unwrap_or_else(|| "0".into()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    });
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return Outcome::Failed(format!("cannot start: {error}")),
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (text, status) = std::thread::scope(|s| {
        let out = s.spawn(move || read(out));
        let err = s.spawn(move || read(err));
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if start.elapsed() > limit => {
                    // Either it dies of this or it is dead already.
                    let _ = child.kill();
                    let _ = child.wait();
                    break None;
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => break None,
            }
        };
        let text = err.join().unwrap_or_default() + &out.join().unwrap_or_default();
        (text, status)
    });
    match status.map(|s| (s, s.code())) {
        Some((_, Some(0))) => Outcome::Passed,
        Some((_, Some(c))) if c == i32::from(SKIPPED) => {
            let why = text.lines().rev().find_map(|l| l.strip_prefix("skipped: ")).unwrap_or("");
            Outcome::Skipped(why.to_owned())
        }
        Some((_, Some(_))) => Outcome::Failed(text),
        Some((status, None)) => Outcome::Failed(format!("{text}died: {status}\n")),
        None => Outcome::Failed(format!("{text}no end after {} s\n", limit.as_secs())),
    }
}

fn read(pipe: Option<impl std::io::Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What was read before an error is shown all the same.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = args.as_slice() {
        if flag == "--one" {
            return run_one(name);
        }
        if flag == "--role" {
            return run_role(name);
        }
    }
    let mut filters = Vec::new();
    let (mut exact, mut list, mut verbose) = (false, false, true);
    let mut jobs = std::thread::available_parallelism().map_or(2, usize::from);
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--exact" => exact = true,
            "--list" => list = true,
            "-q" | "--quiet" => verbose = false,
            "--jobs" | "--test-threads" => jobs = args.next().and_then(|n| n.parse().ok()).unwrap_or(jobs).max(1),
            // Flags of the standard harness that mean nothing here.
            "--nocapture" | "--show-output" | "--include-ignored" => {}
            other if other.starts_with('-') => {
                eprintln!("api: unknown flag {other}");
                return ExitCode::from(2);
            }
            name => filters.push(name.to_owned()),
        }
    }
    let fits = |n: &str| filters.is_empty() || filters.iter().any(|f| if exact { f == n } else { n.contains(f) });
    let mut names: Vec<_> = all().into_iter().map(|t| short(t.0)).filter(|n| fits(n)).collect();
    names.sort_unstable();
    if list {
        for name in names {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let limit = std::env::var("CTS_TEST_TIMEOUT").ok().and_then(|s| s.parse().ok()).unwrap_or(180);
    let limit = Duration::from_secs(limit);
    println!("\nrunning {} tests", names.len());
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let start = Instant::now();
    std::thread::scope(|s| {
        for _ in 0..jobs.min(names.len()) {
            s.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begun = Instant::now();
                    let outcome = run_child(name, limit);
                    let time = begun.elapsed().as_secs_f32();
                    let line = match &outcome {
                        Outcome::Passed => format!("test {name} ... ok ({time:.2} s)"),
                        Outcome::Skipped(why) => format!("test {name} ... skipped: {why}"),
                        Outcome::Failed(_) => format!("test {name} ... FAILED ({time:.2} s)"),
                    };
                    let mut results = results.lock().unwrap_or_else(|e| e.into_inner());
                    if verbose || !matches!(outcome, Outcome::Passed) {
                        println!("{line}");
                        // Nobody listens if this fails.
                        let _ = std::io::stdout().flush();
                    }
                    results.push((*name, outcome));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|e| e.into_inner());
    results.sort_unstable_by_key(|(n, _)| *n);
    let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
    for (name, outcome) in &results {
        match outcome {
            Outcome::Passed => passed += 1,
            Outcome::Skipped(_) => skipped += 1,
            Outcome::Failed(text) => {
                println!("\n---- {name} ----\n{}", text.trim_end());
                failed.push(*name);
            }
        }
    }
    if !failed.is_empty() {
        println!("\nfailures:\n    {}", failed.join("\n    "));
    }
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {} failed; {skipped} skipped; finished in {:.2}s\n",
        failed.len(),
        start.elapsed().as_secs_f32()
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
