//! The order of things: every driver prepares a row, then they are sampled in turn, so that what disturbs the machine disturbs all.

use super::child::{Process, Start};
use super::report::{Outcome, Row};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Patience with a driver that compiles, runs and verifies a row.
const PREPARE: Duration = Duration::from_secs(300);
/// Patience with a sample.
const SAMPLE: Duration = Duration::from_secs(120);
/// Once a driver has spent this on the samples of a row, two samples are enough.
const BUDGET: Duration = Duration::from_secs(4);

/// A driver being measured; its process is started when it is needed, and again after a crash.
pub struct Measured {
    start: Start,
    process: Option<Process>,
    /// Device name, once known.
    pub device: String,
}

impl Measured {
    /// Nothing runs yet.
    pub fn new(start: Start) -> Measured {
        Measured { start, process: None, device: String::new() }
    }

    /// The driver's name.
    pub fn name(&self) -> &str {
        &self.start.icd.name
    }

    fn ask(&mut self, command: &str, patience: Duration) -> Result<Value, String> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => {
                let (process, device) = self.start.serve(PREPARE)?;
                self.device = device;
                process
            }
        };
        // A process that does not answer is dropped, which ends it.
        let answer = process.ask(command, patience)?;
        self.process = Some(process);
        Ok(answer)
    }
}

/// What an answer says is wrong, if anything.
fn complaint(answer: &Result<Value, String>) -> Option<Outcome> {
    match answer {
        Err(error) => Some(Outcome::Failed(error.clone())),
        Ok(value) => match (value["skip"].as_str(), value["error"].as_str()) {
            (Some(why), _) => Some(Outcome::Skipped(why.to_owned())),
            (None, Some(why)) => Some(Outcome::Failed(why.to_owned())),
            (None, None) => None,
        },
    }
}

/// Which time of a kernel counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// What has passed.
    Wall,
    /// What all threads of the measuring process have used: for machines that are busy with other things.
    Processor,
}

impl Clock {
    /// Seconds of a sample. Meters have only one kind.
    fn seconds(self, answer: &Value) -> Option<f64> {
        let wall = answer["seconds"].as_f64();
        match self {
            Clock::Wall => wall,
            Clock::Processor => answer["processor"].as_f64().or(wall),
        }
    }
}

/// Measures one row on all drivers.
pub fn row(drivers: &mut [Measured], about: &Value, rounds: u32, clock: Clock) -> Row {
    let text = |key: &str| about[key].as_str().unwrap_or_default().to_owned();
    let mut row = Row {
        name: text("name"),
        family: text("family"),
        unit: text("unit"),
        floor: about["floor"].as_f64().unwrap_or(1.0),
        kernel: about["kernel"].as_bool().unwrap_or(false),
        work: 1.0,
        outcomes: BTreeMap::new(),
    };
    let mut live = Vec::new();
    for (i, driver) in drivers.iter_mut().enumerate() {
        let answer = driver.ask(&format!("prepare {}", row.name), PREPARE);
        if let Some(outcome) = complaint(&answer) {
            row.outcomes.insert(driver.name().to_owned(), outcome);
            continue;
        }
        if let Some(work) = answer.ok().and_then(|a| a["work"].as_f64()) {
            row.work = work;
        }
        live.push((i, Vec::new(), Duration::ZERO, None));
    }
    for _ in 0..rounds {
        for (i, samples, spent, failure) in &mut live {
            if failure.is_some() || (samples.len() >= 2 && *spent > BUDGET) {
                continue;
            }
            let start = Instant::now();
            let answer = drivers[*i].ask("sample", SAMPLE);
            *spent += start.elapsed();
            match (complaint(&answer), answer.ok().and_then(|a| clock.seconds(&a))) {
                (None, Some(seconds)) => samples.push(seconds),
                (Some(outcome), _) => *failure = Some(outcome),
                (None, None) => *failure = Some(Outcome::Failed("no time".to_owned())),
            }
        }
    }
    for (i, samples, _, failure) in live {
        let driver = &mut drivers[i];
        let failure = failure.or_else(|| complaint(&driver.ask("finish", PREPARE)));
        row.outcomes.insert(driver.name().to_owned(), failure.unwrap_or(Outcome::Samples(samples)));
    }
    row
}

/// Rows of a program's start: what the phases of the measuring program are called, in which start (the first with an empty cache, or
/// a second one) they are looked at, and what is expected.
const STARTS: [(&str, &str, bool, f64); 5] = [
    ("loading the driver", "load", false, 1.5),
    ("shader to first result, cold", "first result", true, 8.0),
    ("shader to first result, warm", "first result", false, 1.5),
    ("resident memory with a device", "resident with a device", false, 1.0),
    ("resident memory with a kernel", "resident with a kernel", true, 1.0),
];

/// Measures the start of a program on all drivers: each round with an empty cache first, then again.
pub fn starts(all: &[Start], rounds: u32) -> Vec<Row> {
    let row = |(name, phase, _, floor): &(&str, &str, bool, f64)| Row {
        name: (*name).to_owned(),
        family: "a program's start".to_owned(),
        unit: if phase.starts_with("resident") { "B" } else { "s" }.to_owned(),
        floor: *floor,
        kernel: false,
        work: 1.0,
        outcomes: BTreeMap::new(),
    };
    let mut rows: Vec<Row> = STARTS.iter().map(row).collect();
    for _ in 0..rounds {
        for start in all {
            // Nothing to remove the first time.
            let _ = std::fs::remove_dir_all(&start.cache);
            for cold in [true, false] {
                let answer = start.once(&["startup"], PREPARE);
                for (row, (_, phase, ..)) in rows.iter_mut().zip(&STARTS).filter(|(_, s)| s.2 == cold) {
                    note(row, &start.icd.name, phase, &answer);
                }
            }
        }
    }
    rows
}

/// Adds a phase to a driver's samples; the first failure stays.
fn note(row: &mut Row, icd: &str, phase: &str, answer: &Result<Value, String>) {
    let found = answer.as_ref().map(|phases| {
        let phases = phases.as_array().into_iter().flatten();
        phases.filter(|p| p["name"] == phase).find_map(|p| p["value"].as_f64())
    });
    let outcome = row.outcomes.entry(icd.to_owned()).or_insert_with(|| Outcome::Samples(Vec::new()));
    if let Outcome::Samples(samples) = outcome {
        match found {
            Ok(Some(value)) => samples.push(value),
            Ok(None) => *outcome = Outcome::Failed(format!("no phase {phase:?}")),
            Err(error) => *outcome = Outcome::Failed(error.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::icd::Icd;
    use super::*;
    use serde_json::json;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    /// A driver whose measuring program is this shell script.
    fn fake(folder: &Path, name: &str, script: &str) -> Start {
        let program = folder.join(name);
        std::fs::write(&program, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Start { program, icd: Icd::new(name, Path::new("none")), cache: folder.join(format!("cache-{name}")) }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_crash_costs_a_row_and_no_more() {
        let folder = folder("rows");
        let serve = |prepare: &str| {
            format!(
                "echo '{{\"device\":\"d\"}}'; while read -r word name; do case $word in \
                 prepare) {prepare};; sample) echo '{{\"seconds\": 0.5, \"processor\": 0.25}}';; *) echo '{{\"ok\": true}}';; esac; done"
            )
        };
        let good = fake(&folder, "good", &serve("echo '{\"ok\":true,\"work\":8}'"));
        let bad = fake(&folder, "bad", &serve("[ \"$name\" = one ] && exit 9; echo '{\"ok\":true,\"work\":8}'"));
        let poor = fake(&folder, "poor", &serve("echo '{\"skip\":\"nothing there\"}'"));
        let mut drivers: Vec<Measured> = [good, bad, poor].map(Measured::new).into();
        let about = |name: &str| json!({"name": name, "family": "f", "unit": "B/s", "floor": 2.0, "kernel": true});
        let one = row(&mut drivers, &about("one"), 3, Clock::Wall);
        assert_eq!(one.outcomes["good"], Outcome::Samples(vec![0.5; 3]));
        assert!(matches!(&one.outcomes["bad"], Outcome::Failed(e) if e.contains('9')));
        assert_eq!(one.outcomes["poor"], Outcome::Skipped("nothing there".to_owned()));
        assert_eq!(one.figure("good"), Some(16.0));
        let two = row(&mut drivers, &about("two"), 2, Clock::Processor);
        assert_eq!(two.outcomes["bad"], Outcome::Samples(vec![0.25; 2]));
        drop(drivers);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn starts_are_cold_and_warm() {
        let folder = folder("starts");
        let phases = |first: &str| {
            format!(
                "echo '[{{\"name\":\"load\",\"value\":1}},{{\"name\":\"first result\",\"value\":{first}}},\
                 {{\"name\":\"resident with a device\",\"value\":5}},{{\"name\":\"resident with a kernel\",\"value\":6}}]'"
            )
        };
        let script = format!(
            "if [ -e \"$XDG_CACHE_HOME\" ]; then {}; else mkdir \"$XDG_CACHE_HOME\"; {}; fi",
            phases("2"),
            phases("9")
        );
        let all = [fake(&folder, "cached", &script), fake(&folder, "broken", "exit 1")];
        let rows = starts(&all, 2);
        let of = |name: &str| &rows.iter().find(|r| r.name.ends_with(name)).unwrap().outcomes;
        assert_eq!(of("cold")["cached"], Outcome::Samples(vec![9.0; 2]));
        assert_eq!(of("warm")["cached"], Outcome::Samples(vec![2.0; 2]));
        assert!(matches!(of("cold")["broken"], Outcome::Failed(_)));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
