//! Runs random programs two ways and compares: driver against driver, machine code against interpreter.

use cts::differential::run::{worker, Pair, Runner, Way};
use cts::differential::{generate, Caps};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const USAGE: &str = "usage: differential [--seeds FROM..TO] [--size N] [--timeout SECONDS] [--jobs N] [--out FOLDER]
                    [--rotate]
                    [--caps MASK] [--pair REFERENCE OTHER]… [--peer REFERENCE OTHER]…

  --seeds A..B     which programs (0..1000)
  --size N         statements of a program, about (40)
  --timeout S      seconds a program may take (120)
  --jobs N         pairs of processes at a time (as many as processors)
  --out FOLDER     where findings are written, as SPIR-V (target/differential)
  --rotate         each program goes to one pair only, in turn
  --caps MASK      bits of what programs may use at the most, see `Cap`; the devices bound it anyway
  --pair A B       two ways of running a program that must agree to 4 ULP: settings of the environment, NAME=VALUE with spaces
                   between; '' is none. Without any: this driver's interpreter and machine code at widths 4, 8 and 16,
                   with subgroups in lock-step as the driver chooses and as many as possible, and compiled quickly
  --peer A B       likewise, for different drivers: functions of limited precision may differ by 2^-9

Exit code: 0 all agree, 1 findings, 2 could not run.";

struct Arguments {
    seeds: std::ops::Range<u64>,
    size: u32,
    timeout: Duration,
    jobs: usize,
    out: PathBuf,
    caps: Caps,
    rotate: bool,
    pairs: Vec<Pair>,
}

fn arguments() -> Result<Arguments, String> {
    let mut a = Arguments {
        seeds: 0..1000,
        size: 40,
        timeout: Duration::from_secs(120),
        jobs: std::thread::available_parallelism().map_or(1, usize::from),
        out: PathBuf::from("target/differential"),
        caps: Caps::all(),
        rotate: false,
        pairs: Vec::new(),
    };
    fn number<N: std::str::FromStr>(arg: &str, text: &str) -> Result<N, String> {
        text.parse().map_err(|_| format!("{arg}: {text} is no number"))
    }
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
        match arg.as_str() {
            "--seeds" => {
                let text = value()?;
                let (from, to) = text.split_once("..").ok_or_else(|| format!("--seeds: {text} is not FROM..TO"))?;
                a.seeds = number(&arg, from)?..number(&arg, to)?;
            }
            "--size" => a.size = number(&arg, &value()?)?,
            "--timeout" => a.timeout = Duration::from_secs(number(&arg, &value()?)?),
            "--jobs" => a.jobs = number::<usize>(&arg, &value()?)?.max(1),
            "--out" => a.out = PathBuf::from(value()?),
            "--caps" => a.caps = Caps(number(&arg, &value()?)?),
            "--rotate" => a.rotate = true,
            "--pair" | "--peer" => {
                let (reference, other) = (Way(value()?), Way(value()?));
                let (ulps, floor) = if arg == "--pair" { (4, 0.0) } else { (1 << 14, 1.0 / 512.0) };
                a.pairs.push(Pair { reference, other, ulps, floor });
            }
            _ => return Err(format!("{USAGE}\n\nnot understood: {arg}")),
        }
    }
    if a.pairs.is_empty() {
        // A jam that the code generator chooses, and forced ones.
        a.pairs = [(4, ""), (8, ""), (16, ""), (4, ",jam=2"), (8, ",jam=4"), (16, ",jam=4")]
            .map(|(w, jam)| Pair {
                reference: Way(format!("VKDXG_DEBUG=interp,width={w}")),
                other: Way(format!("VKDXG_DEBUG=width={w}{jam},tier=full,nocache")),
                ulps: 4,
                floor: 0.0,
            })
            .to_vec();
        // What is there before any of that.
        a.pairs.push(Pair {
            reference: Way("VKDXG_DEBUG=interp,width=16".to_owned()),
            other: Way("VKDXG_DEBUG=width=16,tier=quick,nocache".to_owned()),
            ulps: 4,
            floor: 0.0,
        });
    }
    Ok(a)
}

/// Writes a program that differs, smaller if it can be made so; where.
fn keep(runner: &mut Runner, out: &Path, seed: u64, number: usize) -> Result<PathBuf, String> {
    let skip = runner.reduce(seed, 300);
    let program = generate(seed, &runner.recipe(&skip));
    let path = out.join(format!("{seed}-{number}.spv"));
    let bytes: Vec<u8> = program.spirv.iter().flat_map(|w| w.to_le_bytes()).collect();
    std::fs::create_dir_all(out)
        .and_then(|()| std::fs::write(&path, bytes))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// How many programs go to a pair at a time.
const BATCH: u64 = 50;

fn run(a: &Arguments) -> Result<u64, String> {
    // Jobs take turns at the pairs, batch by batch.
    let batches = (a.seeds.end.saturating_sub(a.seeds.start)).div_ceil(BATCH);
    let (next, findings, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let pairs = a.pairs.len() as u64;
    let turns = if a.rotate { batches } else { batches * pairs };
    let all = (a.seeds.end.saturating_sub(a.seeds.start)) * if a.rotate { 1 } else { pairs };
    let start = Instant::now();
    let job = || -> Result<(), String> {
        let mut runners: Vec<Option<Runner>> = a.pairs.iter().map(|_| None).collect();
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= turns {
                return Ok(());
            }
            let batch = if a.rotate { turn } else { turn / pairs };
            let number = (turn % pairs) as usize;
            let slot = &mut runners[number];
            let runner = match slot {
                Some(r) => r,
                None => slot.insert(Runner::new(&a.pairs[number], a.caps, a.size, a.timeout)?),
            };
            let first = a.seeds.start + batch * BATCH;
            for seed in first..(first + BATCH).min(a.seeds.end) {
                if let Err(difference) = runner.check(seed, &BTreeSet::new()) {
                    findings.fetch_add(1, Ordering::Relaxed);
                    let path = keep(runner, &a.out, seed, number)?;
                    let other = &a.pairs[number].other.0;
                    println!("seed {seed}, {other}: {difference}; {}", path.display());
                }
                let n = done.fetch_add(1, Ordering::Relaxed) + 1;
                if n.is_multiple_of(1000) {
                    eprintln!("{n}/{all} runs in {} s", start.elapsed().as_secs());
                }
            }
        }
    };
    std::thread::scope(|s| {
        let threads: Vec<_> = (0..a.jobs).map(|_| s.spawn(job)).collect();
        threads.into_iter().try_for_each(|t| t.join().unwrap_or_else(|_| Err("a thread panicked".to_owned())))
    })?;
    let (n, bad) = (done.into_inner(), findings.into_inner());
    println!("{n} runs of {} programs, {bad} findings", a.seeds.end.saturating_sub(a.seeds.start));
    Ok(bad)
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return match worker() {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                eprintln!("{e}");
                ExitCode::from(2)
            }
        };
    }
    if std::env::args().any(|a| a == "--help" || a == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match arguments().and_then(|a| run(&a)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}
