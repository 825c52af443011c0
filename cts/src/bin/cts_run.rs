//! Judges a Vulkan driver by the Khronos conformance tests: runs a list of cases with a `deqp-vk` the user has built.

use cts::deqp::expect::{Difference, Expectations};
use cts::deqp::report::{self, Counts, Outcome};
use cts::deqp::runner::{self, Options};
use cts::deqp::{case_list, result_line, results, Status};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str =
    "usage: cts/run --deqp PATH [--list FILE]… [--cases PATTERN]… [--expect FILE] [--jobs N] [--batch N]
               [--timeout SECONDS] [--out FOLDER] [--resume] [--bless] [-- ARGUMENT…]

  --deqp PATH      the deqp-vk program; it is started in its own folder
  --list FILE      cases, one a line (cts/lists/*.txt)
  --cases PATTERN  all cases of a group that deqp-vk knows, as 'dEQP-VK.compute.*'
  --expect FILE    known bad results, `case result  # reason` a line; anything else that is not good, and any
                   unexpected pass, is a difference
  --jobs N         processes at a time (as many as processors)
  --batch N        most cases for one process (200)
  --timeout S      seconds a case may take (120)
  --out FOLDER     for results.txt, report.md, report.html (target/cts)
  --resume         keep the results in the folder and run what is missing
  --bless          write the results into the expectation file
  -- ARGUMENT…     for deqp-vk

The driver is chosen by the environment (VK_DRIVER_FILES). Exit code: 0 as expected, 1 differences, 2 could not run.";

struct Arguments {
    options: Options,
    lists: Vec<PathBuf>,
    patterns: Vec<String>,
    expect: Option<PathBuf>,
    out: PathBuf,
    resume: bool,
    bless: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut args = std::env::args().skip(1);
    let (mut deqp, mut lists, mut patterns, mut expect) = (None, Vec::new(), Vec::new(), None);
    let mut out = PathBuf::from("target/cts");
    let (mut resume, mut bless) = (false, false);
    let mut jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut batch, mut timeout) = (200usize, 120f32);
    let mut extra = Vec::new();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
        fn number<N: std::str::FromStr>(arg: &str, text: &str) -> Result<N, String> {
            text.parse().map_err(|_| format!("{arg}: {text} is no number"))
        }
        match arg.as_str() {
            "--deqp" => deqp = Some(PathBuf::from(value()?)),
            "--list" => lists.push(PathBuf::from(value()?)),
            "--cases" => patterns.push(value()?),
            "--expect" => expect = Some(PathBuf::from(value()?)),
            "--out" => out = PathBuf::from(value()?),
            "--jobs" => jobs = number(&arg, &value()?)?,
            "--batch" => batch = number(&arg, &value()?)?,
            "--timeout" => timeout = number(&arg, &value()?)?,
            "--resume" => resume = true,
            "--bless" => bless = true,
            "--" => extra = args.by_ref().collect(),
            _ => return Err(format!("{USAGE}\n\nnot understood: {arg}")),
        }
    }
    let Some(deqp) = deqp else { return Err(USAGE.to_owned()) };
    if lists.is_empty() && patterns.is_empty() {
        return Err(USAGE.to_owned());
    }
    if bless && expect.is_none() {
        return Err("--bless needs --expect".to_owned());
    }
    if jobs == 0 || batch == 0 || !(timeout > 0.0 && timeout < 1e6) {
        return Err("--jobs, --batch and --timeout must be positive".to_owned());
    }
    let scratch = out.join("running");
    let options = Options { deqp, extra, jobs, batch, timeout: Duration::from_secs_f32(timeout), scratch };
    Ok(Arguments { options, lists, patterns, expect, out, resume, bless })
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The line that shows how far the run is.
struct Progress {
    total: usize,
    before: usize,
    start: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    fn show(&mut self, c: &Counts, last: bool) {
        let every = Duration::from_millis(if self.terminal { 200 } else { 10_000 });
        if !last && self.shown.is_some_and(|t| t.elapsed() < every) {
            return;
        }
        self.shown = Some(Instant::now());
        let done = c.total() as usize;
        let fresh = done - self.before;
        let elapsed = self.start.elapsed().as_secs_f64();
        let left = if fresh == 0 { 0.0 } else { elapsed / fresh as f64 * (self.total - done) as f64 };
        let time = |s: f64| format!("{}:{:02}", s as u64 / 60, s as u64 % 60);
        let line = format!(
            "{done}/{} pass {} not supported {} fail {} crash {} timeout {}  {} gone, {} left",
            self.total,
            c.of(Status::Pass),
            c.of(Status::NotSupported),
            c.bad() - c.of(Status::Crash) - c.of(Status::Timeout),
            c.of(Status::Crash),
            c.of(Status::Timeout),
            time(elapsed),
            time(left),
        );
        // Progress that cannot be shown harms nobody.
        let mut err = std::io::stderr();
        let _ = if self.terminal && !last {
            write!(err, "\r{line}\x1b[K")
        } else {
            writeln!(err, "{}{line}", if self.terminal { "\r" } else { "" })
        };
    }
}

/// The cases of all lists and patterns, each once.
fn cases(a: &Arguments) -> Result<Vec<String>, String> {
    let mut text = String::new();
    for list in &a.lists {
        text.push_str(&read(list)?);
        text.push('\n');
    }
    for pattern in &a.patterns {
        let known = runner::known_cases(&a.options, pattern).map_err(|e| e.to_string())?;
        if known.is_empty() {
            return Err(format!("{pattern}: deqp-vk knows no such case"));
        }
        text.push_str(&known.join("\n"));
        text.push('\n');
    }
    let cases = case_list(&text);
    if cases.is_empty() {
        return Err("no cases".to_owned());
    }
    Ok(cases)
}

/// What the report is about.
fn title(a: &Arguments) -> String {
    let lists = a.lists.iter().map(|l| l.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    let names: Vec<_> = lists.chain(a.patterns.iter().cloned()).collect();
    format!("Conformance tests: {}", names.join(", "))
}

fn judge(a: &Arguments) -> Result<bool, String> {
    let cases = cases(a)?;
    let mut expectations = match &a.expect {
        Some(path) if a.bless && !path.exists() => Expectations::default(),
        Some(path) => Expectations::parse(&read(path)?).map_err(|e| format!("{}: {e}", path.display()))?,
        None => Expectations::default(),
    };
    std::fs::create_dir_all(&a.out).map_err(|e| format!("{}: {e}", a.out.display()))?;
    let path = a.out.join("results.txt");
    let mut outcomes: HashMap<String, Outcome> = HashMap::new();
    if a.resume && path.exists() {
        let known: std::collections::HashSet<_> = cases.iter().collect();
        for o in results(&read(&path)?) {
            if known.contains(&o.case) {
                outcomes.insert(o.case.clone(), o);
            }
        }
    }
    let kept: String = cases.iter().filter_map(|c| outcomes.get(c)).fold(String::new(), |mut s, o| {
        let _ = writeln!(s, "{}", result_line(o));
        s
    });
    // Results are added line by line, so that a run that is cut off can be taken up.
    write(&path, &kept)?;
    let mut file =
        std::fs::OpenOptions::new().append(true).open(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let todo: Vec<_> = cases.iter().filter(|c| !outcomes.contains_key(*c)).cloned().collect();
    let mut counts = Counts::default();
    outcomes.values().for_each(|o| counts.add(o.status));
    let mut progress = Progress {
        total: cases.len(),
        before: outcomes.len(),
        start: Instant::now(),
        shown: None,
        terminal: std::io::stderr().is_terminal(),
    };
    let mut lost = None;
    runner::run(&a.options, &todo, |o| {
        counts.add(o.status);
        if let Err(e) = writeln!(file, "{}", result_line(&o)) {
            lost = Some(e);
        }
        outcomes.insert(o.case.clone(), o);
        progress.show(&counts, false);
    })
    .map_err(|e| e.to_string())?;
    progress.show(&counts, true);
    if let Some(e) = lost {
        return Err(format!("{}: {e}", path.display()));
    }
    // The folder is empty now; if not, that is for its owner to see.
    let _ = std::fs::remove_dir(&a.options.scratch);
    let ordered: Vec<Outcome> = cases.iter().filter_map(|c| outcomes.get(c)).cloned().collect();
    let list: Vec<_> = ordered.iter().map(|o| (o.case.clone(), o.status)).collect();
    let text = ordered.iter().fold(String::new(), |mut s, o| {
        let _ = writeln!(s, "{}", result_line(o));
        s
    });
    write(&path, &text)?;
    let title = title(a);
    write(&a.out.join("report.md"), &report::markdown(&title, &ordered))?;
    write(&a.out.join("report.html"), &report::html(&title, &ordered))?;
    if a.bless {
        expectations.bless(&list);
        if let Some(path) = &a.expect {
            write(path, &expectations.print())?;
        }
    }
    let differences = expectations.differences(&list);
    for d in &differences {
        match d {
            Difference::Unexpected(case, got, None) => {
                let message = outcomes.get(case).map_or("", |o| o.message.lines().next().unwrap_or(""));
                println!("{case}: {} {message}", got.name());
            }
            Difference::Unexpected(case, got, Some(want)) => {
                println!("{case}: {}, expected {}", got.name(), want.name())
            }
            Difference::UnexpectedPass(case, got, want) => {
                println!("{case}: {}, unexpected: should be {}", got.name(), want.name());
            }
        }
    }
    println!(
        "{} cases, {} good, {} differences; {}",
        list.len(),
        counts.total() - counts.bad(),
        differences.len(),
        a.out.join("report.html").display()
    );
    Ok(differences.is_empty())
}

fn main() -> ExitCode {
    if std::env::args().any(|a| a == "--help" || a == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match arguments().and_then(|a| judge(&a)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}
