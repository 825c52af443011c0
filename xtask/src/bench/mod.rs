//! `cargo xtask bench`: this driver against others, side by side in one run. The measuring program is `cts`'s `bench`; here are the
//! order in which it is asked, the comparison and the report.

pub mod baseline;
mod child;
mod html;
mod icd;
mod measure;
mod report;

use child::Start;
use icd::Icd;
use report::Report;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What to do.
struct Options {
    icds: Vec<Icd>,
    alone: bool,
    subject: Option<String>,
    peers: Vec<String>,
    rows: Vec<String>,
    rounds: u32,
    out: Option<PathBuf>,
    build: bool,
    clock: measure::Clock,
}

fn options(flags: &[&str]) -> Result<Options, String> {
    let mut options = Options {
        icds: Vec::new(),
        alone: false,
        subject: None,
        peers: Vec::new(),
        rows: Vec::new(),
        rounds: 7,
        out: None,
        build: true,
        clock: measure::Clock::Wall,
    };
    let mut args = flags.iter();
    while let Some(flag) = args.next() {
        let mut value = || args.next().copied().ok_or_else(|| format!("{flag}: what?"));
        match *flag {
            "--icd" => options.icds.push(Icd::parse(value()?)?),
            "--only" => options.alone = true,
            "--subject" => options.subject = Some(value()?.to_owned()),
            "--peer" => options.peers.push(value()?.to_owned()),
            "--rows" => options.rows.push(value()?.to_owned()),
            "--rounds" => {
                let rounds = value()?;
                options.rounds = rounds.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("{rounds:?} rounds?"))?;
            }
            "--out" => options.out = Some(PathBuf::from(value()?)),
            "--processor-time" => options.clock = measure::Clock::Processor,
            "--no-build" => options.build = false,
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(options)
}

fn cargo(root: &Path, args: &[&str]) -> Result<(), String> {
    let status = Command::new("cargo").args(args).current_dir(root).status().map_err(|e| format!("cargo: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo {}: {status}", args.join(" ")))
    }
}

/// The drivers in order: this one and what is installed, unless only those named are wanted; names are unique.
fn drivers(root: &Path, options: &Options, out: &Path) -> Result<Vec<Icd>, String> {
    let mut icds = Vec::new();
    let named = |name: &str| options.icds.iter().any(|i| i.name == name);
    if !options.alone {
        if !named("own") {
            super::manifest::run(root, &["--release"])?;
            let manifest = super::manifest::target_dir(root).join("release/vulkan_dxg_icd.json");
            icds.push(Icd::new("own", &manifest));
        }
        icds.extend(icd::installed(out).into_iter().filter(|i| !named(&i.name)));
    }
    for icd in &options.icds {
        if icds.iter().any(|i| i.name == icd.name) {
            return Err(format!("two drivers are named {:?}", icd.name));
        }
        icds.push(icd.clone());
    }
    if icds.is_empty() {
        return Err("no drivers: name one with --icd NAME=MANIFEST".to_owned());
    }
    Ok(icds)
}

/// The subject (by default the first driver) and its peers: those named, or all others; another setting of the same driver is
/// one only if it is named.
fn sides(icds: &[Icd], subject: Option<&str>, peers: &[String]) -> Result<(String, Vec<String>), String> {
    let find = |name: &str| icds.iter().find(|i| i.name == name).ok_or_else(|| format!("no driver is named {name:?}"));
    let subject = find(subject.unwrap_or(&icds[0].name))?;
    let others = icds.iter().filter(|i| i.manifest != subject.manifest).map(|i| i.name.clone()).collect();
    let peers = match peers {
        [] => others,
        named => named.iter().map(|n| find(n).map(|i| i.name.clone())).collect::<Result<_, _>>()?,
    };
    Ok((subject.name.clone(), peers))
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or_default();
    let cores = info.lines().filter(|l| l.starts_with("processor")).count();
    format!("{}, {cores} logical processors", model.trim_start_matches([' ', '\t', ':']))
}

/// Names of drivers and of their devices, as far as these are known.
fn devices(drivers: &[measure::Measured]) -> Vec<(String, String)> {
    drivers.iter().map(|m| (m.name().to_owned(), m.device.clone())).collect()
}

/// Writes the report.
fn write(out: &Path, report: &Report) -> Result<(), String> {
    let write = |name: &str, text: &str| {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    };
    write("bench.json", &format!("{:#}\n", report.json()))?;
    write("bench.md", &report.table())?;
    write("bench.html", &html::page(report))
}

/// Runs the bench.
///
/// # Errors
/// What is wrong with the arguments, a build that fails, results of the subject that are wrong.
pub fn run(root: &Path, flags: &[&str]) -> Result<String, String> {
    let options = options(flags)?;
    let target = super::manifest::target_dir(root);
    let out = options.out.clone().unwrap_or_else(|| target.join("bench"));
    std::fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let out = std::path::absolute(&out).map_err(|e| e.to_string())?;
    if options.build {
        cargo(root, &["build", "-q", "--release", "-p", "icd", "-p", "cts"])?;
    }
    let icds = drivers(root, &options, &out)?;
    let (subject, peers) = sides(&icds, options.subject.as_deref(), &options.peers)?;
    let program = target.join("release/bench");
    let all: Vec<Start> = icds
        .iter()
        .map(|icd| {
            let cache = out.join("cache").join(&icd.name);
            Start { program: program.clone(), icd: icd.clone(), cache }
        })
        .collect();
    let list = all[0].once(&["list"], Duration::from_secs(20))?;
    let wanted = |name: &str| options.rows.is_empty() || options.rows.iter().any(|r| name.contains(r.as_str()));
    let mut rows = Vec::new();
    if wanted("start") {
        rows = measure::starts(&all, options.rounds.div_ceil(2));
    }
    let mut measured: Vec<measure::Measured> = all.into_iter().map(measure::Measured::new).collect();
    let list: Vec<&Value> =
        list.as_array().into_iter().flatten().filter(|r| r["name"].as_str().is_some_and(wanted)).collect();
    let mut machine = machine();
    if options.clock == measure::Clock::Processor {
        machine.push_str("; kernels by processor time: figures are per processor");
    }
    let mut report = Report { machine, icds: devices(&measured), subject, peers, rows };
    for (i, about) in list.iter().enumerate() {
        let row = measure::row(&mut measured, about, options.rounds, options.clock);
        eprintln!("{:>3}/{} {}", i + 1, list.len(), row.name);
        report.rows.push(row);
        report.icds = devices(&measured);
        // After every row, so that a run can be watched and is not lost.
        write(&out, &report)?;
    }
    drop(measured);
    write(&out, &report)?;
    let failures = report.failures();
    let mut text = report.table();
    if !failures.is_empty() {
        text.push_str(&format!("\n{} failed in: {}\n", report.subject, failures.join(", ")));
        println!("{text}");
        return Err(format!("{} rows failed", failures.len()));
    }
    Ok(format!("{text}\nwritten: {}", out.join("bench.html").display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_setting_of_the_same_driver_is_no_peer_unless_named() {
        let icds = ["own=/a", "own8=/a,env=X=8", "other=/b"].map(|t| Icd::parse(t).unwrap());
        assert_eq!(sides(&icds, None, &[]).unwrap(), ("own".to_owned(), vec!["other".to_owned()]));
        assert_eq!(sides(&icds, Some("other"), &[]).unwrap().1, ["own", "own8"]);
        assert_eq!(sides(&icds, None, &["own8".to_owned()]).unwrap().1, ["own8"]);
        assert!(sides(&icds, Some("none"), &[]).is_err());
        assert!(sides(&icds, None, &["none".to_owned()]).is_err());
    }

    #[test]
    fn arguments_are_read() {
        let o = options(&["--icd", "x=/y", "--rounds", "3", "--rows", "gemm", "--only"]).unwrap();
        assert_eq!((o.icds.len(), o.rounds, o.alone, o.rows), (1, 3, true, vec!["gemm".to_owned()]));
        for bad in [&["--rounds", "0"][..], &["--icd"], &["--what"], &["--icd", "x"]] {
            assert!(options(bad).is_err(), "{bad:?}");
        }
    }
}
