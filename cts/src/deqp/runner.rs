//! Runs cases in processes of `deqp-vk`, several at a time.

use super::log::{Event, Reader};
use super::report::Outcome;
use super::Status;
use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{mpsc, Mutex};
use std::time::{Duration, Instant};

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `deqp-vk` program; it is started in its own folder, where its data files are.
    pub deqp: PathBuf,
    /// More arguments for it.
    pub extra: Vec<String>,
    /// Processes at a time.
    pub jobs: usize,
    /// Most cases for one process.
    pub batch: usize,
    /// How long a case may take.
    pub timeout: Duration,
    /// Folder for case lists and logs of running processes.
    pub scratch: PathBuf,
}

/// Cases still to do, and how many processes may still give some back.
struct Queue {
    cases: VecDeque<String>,
}

/// Runs the cases; `done` hears of every result as it comes.
///
/// # Errors
/// A process that cannot be started, a file that cannot be written.
pub fn run(options: &Options, cases: &[String], mut done: impl FnMut(Outcome)) -> std::io::Result<()> {
    std::fs::create_dir_all(&options.scratch)?;
    let jobs = options.jobs.clamp(1, cases.len().max(1));
    // Small enough that no process has much left when the others are done.
    let batch = options.batch.min(cases.len().div_ceil(jobs * 4)).max(1);
    let queue = Mutex::new(Queue { cases: cases.iter().cloned().collect() });
    let number = AtomicU32::new(0);
    let (send, receive) = mpsc::channel();
    std::thread::scope(|s| {
        let mut threads = Vec::new();
        for _ in 0..jobs {
            let send = send.clone();
            let (queue, number) = (&queue, &number);
            threads.push(s.spawn(move || -> std::io::Result<()> {
                loop {
                    let mut todo: Vec<String> = {
                        let mut q = queue.lock().unwrap_or_else(|e| e.into_inner());
                        let n = batch.min(q.cases.len());
                        q.cases.drain(..n).collect()
                    };
                    if todo.is_empty() {
                        return Ok(());
                    }
                    // What a crash left over is tried at once, here.
                    while !todo.is_empty() {
                        let n = number.fetch_add(1, Ordering::Relaxed);
                        todo = process(options, n, todo, &send)?;
                    }
                }
            }));
        }
        drop(send);
        for outcome in receive {
            done(outcome);
        }
        threads
            .into_iter()
            .try_for_each(|t| t.join().unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked"))))
    })
}

/// The names of all cases `deqp-vk` knows under a pattern (`dEQP-VK.compute.*`), in its order.
///
/// # Errors
/// It cannot be started, or it fails.
pub fn known_cases(options: &Options, pattern: &str) -> std::io::Result<Vec<String>> {
    let deqp = std::path::absolute(&options.deqp)?;
    let out = Command::new(&deqp)
        .current_dir(deqp.parent().unwrap_or(Path::new("/")))
        .arg("--deqp-runmode=stdout-caselist")
        .arg(format!("--deqp-case={pattern}"))
        .arg("--deqp-log-filename=/dev/null")
        .args(&options.extra)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|e| std::io::Error::new(e.kind(), format!("{}: {e}", deqp.display())))?;
    if !out.status.success() {
        return Err(std::io::Error::other(format!("{} cannot list {pattern}: {}", deqp.display(), out.status)));
    }
    let text = String::from_utf8_lossy(&out.stdout);
    Ok(text.lines().filter_map(|l| l.strip_prefix("TEST: ")).map(|l| l.trim().to_owned()).collect())
}

/// A started process and the files it works with, removed at the end.
struct Process {
    child: Child,
    list: PathBuf,
    log: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended, or shall; files that are not there need not be removed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.list);
        let _ = std::fs::remove_file(&self.log);
    }
}

fn start(options: &Options, n: u32, cases: &[String]) -> std::io::Result<Process> {
    let scratch = std::path::absolute(&options.scratch)?;
    let list = scratch.join(format!("{n}.cases"));
    let log = scratch.join(format!("{n}.qpa"));
    std::fs::write(&list, cases.join("\n") + "\n")?;
    // A log of an earlier run must not be taken for this one's.
    let _ = std::fs::remove_file(&log);
    let deqp = std::path::absolute(&options.deqp)?;
    let argument = |name: &str, path: &Path| {
        let mut a = std::ffi::OsString::from(name);
        a.push(path);
        a
    };
    let child = Command::new(&deqp)
        .current_dir(deqp.parent().unwrap_or(Path::new("/")))
        .arg(argument("--deqp-caselist-file=", &list))
        .arg(argument("--deqp-log-filename=", &log))
        .args(["--deqp-log-images=disable", "--deqp-log-shader-sources=disable", "--deqp-shadercache=disable"])
        .args(&options.extra)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| std::io::Error::new(e.kind(), format!("{}: {e}", deqp.display())))?;
    Ok(Process { child, list, log })
}

/// How a process ended.
enum Ending {
    Exit(ExitStatus),
    Killed,
}

/// Runs one process over some cases; those it did not come to.
fn process(
    options: &Options,
    n: u32,
    cases: Vec<String>,
    send: &mpsc::Sender<Outcome>,
) -> std::io::Result<Vec<String>> {
    let mut p = start(options, n, &cases)?;
    let mut left: HashSet<&str> = cases.iter().map(String::as_str).collect();
    let mut reader = Reader::default();
    let mut file = None;
    let mut at = 0;
    let mut last = Instant::now();
    let mut results = 0;
    let mut tell = |case: String, status, message| {
        // A case that was not asked for is none of ours.
        if left.remove(case.as_str()) {
            results += 1;
            // If nobody listens any more there is nothing to tell.
            let _ = send.send(Outcome { case, status, message });
        }
    };
    let mut poll = Duration::from_millis(2);
    let ending = loop {
        let ended = p.child.try_wait()?;
        let bytes = read_on(&p.log, &mut file, &mut at)?;
        for event in reader.feed(&bytes) {
            last = Instant::now();
            if let Event::End(case, status, message) = event {
                tell(case, status, message);
            }
        }
        if let Some(status) = ended {
            break Ending::Exit(status);
        }
        if last.elapsed() > options.timeout {
            p.child.kill()?;
            p.child.wait()?;
            break Ending::Killed;
        }
        std::thread::sleep(poll);
        poll = (poll * 2).min(Duration::from_millis(50));
    };
    let seconds = options.timeout.as_secs_f32();
    let (status, message) = match &ending {
        Ending::Exit(s) => (Status::Crash, s.to_string()),
        Ending::Killed => (Status::Timeout, format!("no result after {seconds} s")),
    };
    let open = reader.open_case().map(str::to_owned);
    if let Some(case) = &open {
        tell(case.clone(), status, message.clone());
    }
    // (It ends early, with code 1, after a lost device.)
    let clean = matches!(&ending, Ending::Exit(s) if s.success());
    if clean && open.is_none() {
        // It did all it knows.
        for case in cases.iter().filter(|c| left.contains(c.as_str())) {
            let message = "deqp-vk has no such case".to_owned();
            let _ = send.send(Outcome { case: case.clone(), status: Status::NotFound, message });
        }
        return Ok(Vec::new());
    }
    if results == 0 {
        // It died or hung before its first case: blame that one, so that there is an end.
        if let Some(case) = cases.iter().find(|c| left.contains(c.as_str())).cloned() {
            left.remove(case.as_str());
            let _ = send.send(Outcome { case, status, message: format!("{message} before the case began") });
        }
    }
    Ok(cases.iter().filter(|c| left.contains(c.as_str())).cloned().collect())
}

/// What was added to a file since the last time; nothing while it is not there.
fn read_on(path: &Path, file: &mut Option<File>, at: &mut u64) -> std::io::Result<Vec<u8>> {
    if file.is_none() {
        *file = File::open(path).ok();
    }
    let mut bytes = Vec::new();
    if let Some(file) = file {
        file.seek(SeekFrom::Start(*at))?;
        *at += file.read_to_end(&mut bytes)? as u64;
    }
    Ok(bytes)
}
