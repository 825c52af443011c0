//! What was measured: rows, figures, ratios, and their JSON and text forms.

use serde_json::{json, Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What came of a row on one driver.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Samples: seconds, or bytes.
    Samples(Vec<f64>),
    /// The driver lacks something.
    Skipped(String),
    /// It failed, or computed something wrong.
    Failed(String),
}

/// A row of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Heading under which it stands.
    pub family: String,
    /// "s" or "B": the less the better. Anything else: work in this unit, the more the better.
    pub unit: String,
    /// How many times as good as the best other driver the subject is to be at least.
    pub floor: f64,
    /// Whether it counts for the geometric mean.
    pub kernel: bool,
    /// Work of what a sample times.
    pub work: f64,
    /// Outcomes by driver.
    pub outcomes: BTreeMap<String, Outcome>,
}

/// The whole of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The processor.
    pub machine: String,
    /// Drivers in their order: name and device.
    pub icds: Vec<(String, String)>,
    /// Which of them is judged.
    pub subject: String,
    /// Those it is compared with.
    pub peers: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// The middle one; of an even number the mean of the two in the middle. `None` of none.
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

/// The geometric mean. `None` of none.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| (values.iter().map(|v| v.ln()).sum::<f64>() / values.len() as f64).exp())
}

/// A figure with a prefix of the SI: `1.23 G` of "FLOP/s".
pub fn engineering(value: f64, unit: &str) -> String {
    const PREFIXES: [(f64, &str); 7] =
        [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ")];
    let (factor, prefix) = PREFIXES.iter().find(|(f, _)| value.abs() >= *f * 0.9995).copied().unwrap_or((1e-9, "n"));
    let v = value / factor;
    let digits = if v.abs() >= 99.95 {
        0
    } else if v.abs() >= 9.995 {
        1
    } else {
        2
    };
    format!("{v:.digits$} {prefix}{unit}")
}

impl Row {
    /// Whether less is better.
    pub fn is_cost(&self) -> bool {
        self.unit == "s" || self.unit == "B"
    }

    /// The figure of a driver in the row's unit.
    pub fn figure(&self, icd: &str) -> Option<f64> {
        let Some(Outcome::Samples(samples)) = self.outcomes.get(icd) else { return None };
        let median = median(samples)?;
        Some(if self.is_cost() { median } else { self.work / median })
    }

    /// How many times as good as `other` driver `icd` is.
    pub fn ratio(&self, icd: &str, other: &str) -> Option<f64> {
        let (a, b) = (self.figure(icd)?, self.figure(other)?);
        Some(if self.is_cost() { b / a } else { a / b })
    }

    /// The best of these drivers.
    pub fn best<'a>(&self, icds: &'a [String]) -> Option<&'a str> {
        let better = |a: &str, b: &str| self.ratio(a, b).is_some_and(|r| r > 1.0);
        let with = icds.iter().map(String::as_str).filter(|i| self.figure(i).is_some());
        with.reduce(|best, i| if better(i, best) { i } else { best })
    }
}

impl Report {
    /// How many times as good as the best peer the subject is in a row.
    pub fn ratio(&self, row: &Row) -> Option<f64> {
        row.ratio(&self.subject, row.best(&self.peers)?)
    }

    /// Geometric mean of the ratios of kernels.
    pub fn mean(&self) -> Option<f64> {
        let ratios: Vec<f64> = self.rows.iter().filter(|r| r.kernel).filter_map(|r| self.ratio(r)).collect();
        geometric_mean(&ratios)
    }

    /// Names of rows in which the subject did not come to a right result.
    pub fn failures(&self) -> Vec<String> {
        let failed = |r: &&Row| matches!(r.outcomes.get(&self.subject), Some(Outcome::Failed(_)) | None);
        self.rows.iter().filter(failed).map(|r| r.name.clone()).collect()
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let outcome = |row: &Row, icd: &str, o: &Outcome| match o {
            Outcome::Samples(samples) => json!({"figure": row.figure(icd), "samples": samples}),
            Outcome::Skipped(why) => json!({ "skipped": why }),
            Outcome::Failed(why) => json!({ "failed": why }),
        };
        let row = |row: &Row| {
            let outcomes: Map<String, Value> =
                row.outcomes.iter().map(|(icd, o)| (icd.clone(), outcome(row, icd, o))).collect();
            json!({
                "name": row.name, "family": row.family, "unit": row.unit, "floor": row.floor, "kernel": row.kernel,
                "work": row.work, "best_peer": row.best(&self.peers), "ratio": self.ratio(row), "icds": outcomes,
            })
        };
        json!({
            "machine": self.machine,
            "icds": self.icds.iter().map(|(n, d)| json!({"name": n, "device": d})).collect::<Vec<_>>(),
            "subject": self.subject,
            "peers": self.peers,
            "geometric_mean": self.mean(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }

    /// As a table in Markdown.
    pub fn table(&self) -> String {
        let mut out = String::from("| row | at least | ratio |  |");
        self.icds.iter().for_each(|(n, _)| write!(out, " {n} |").unwrap_or_default());
        out.push_str("\n|---|---|---|---|");
        self.icds.iter().for_each(|_| out.push_str("---|"));
        out.push('\n');
        for row in &self.rows {
            let ratio = self.ratio(row);
            let verdict = match ratio {
                Some(r) if r >= row.floor => "",
                Some(_) => "below",
                None => "?",
            };
            let ratio = ratio.map_or("–".to_owned(), |r| format!("{r:.2}×"));
            write!(out, "| {} | {}× | {ratio} | {verdict} |", row.name, row.floor).unwrap_or_default();
            for (icd, _) in &self.icds {
                let cell = match (row.figure(icd), row.outcomes.get(icd)) {
                    (Some(f), _) => engineering(f, &row.unit),
                    (None, Some(Outcome::Skipped(_))) => "lacking".to_owned(),
                    (None, Some(Outcome::Failed(why))) => format!("FAILED: {}", why.replace('|', "/")),
                    (None, _) => "–".to_owned(),
                };
                write!(out, " {cell} |").unwrap_or_default();
            }
            out.push('\n');
        }
        if let Some(mean) = self.mean() {
            let n = self.rows.iter().filter(|r| r.kernel && self.ratio(r).is_some()).count();
            writeln!(out, "\ngeometric mean over {n} kernels against the best peer of each: {mean:.2}×").ok();
        }
        out
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn row(name: &str, unit: &str, outcomes: &[(&str, Outcome)]) -> Row {
        Row {
            name: name.to_owned(),
            family: "f".to_owned(),
            unit: unit.to_owned(),
            floor: 2.0,
            kernel: unit != "s",
            work: 100.0,
            outcomes: outcomes.iter().map(|(n, o)| ((*n).to_owned(), o.clone())).collect(),
        }
    }

    pub fn report() -> Report {
        let s = |v: &[f64]| Outcome::Samples(v.to_vec());
        let icds = ["own", "a", "b"];
        Report {
            machine: "m <1>".to_owned(),
            icds: icds.iter().map(|n| ((*n).to_owned(), format!("device {n}"))).collect(),
            subject: "own".to_owned(),
            peers: vec!["a".to_owned(), "b".to_owned()],
            rows: vec![
                row("fast", "B/s", &[("own", s(&[3.0, 1.0, 2.0])), ("a", s(&[8.0])), ("b", s(&[20.0]))]),
                row("slow", "B/s", &[("own", s(&[2.0])), ("a", Outcome::Failed("x|y".to_owned())), ("b", s(&[2.0]))]),
                row("time", "s", &[("own", s(&[1e-3])), ("a", s(&[4e-3])), ("b", s(&[2e-3]))]),
                row("gone", "B/s", &[("own", Outcome::Failed("boom".to_owned())), ("a", s(&[1.0]))]),
                row("new", "B/s", &[("own", s(&[1.0])), ("a", Outcome::Skipped("no".to_owned()))]),
            ],
        }
    }

    #[test]
    fn medians_and_means() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        let mean = geometric_mean(&[1.0, 4.0, 16.0]).unwrap();
        assert!((mean - 4.0).abs() < 1e-12);
        assert_eq!(geometric_mean(&[]), None);
    }

    #[test]
    fn ratios_are_against_the_best_peer_whichever_way_is_better() {
        let r = report();
        assert_eq!(r.rows[0].figure("own"), Some(50.0));
        assert_eq!(r.rows[0].best(&r.peers), Some("a"));
        assert_eq!(r.ratio(&r.rows[0]), Some(4.0));
        assert_eq!(r.ratio(&r.rows[1]), Some(1.0));
        assert_eq!(r.rows[2].best(&r.peers), Some("b"));
        assert_eq!(r.ratio(&r.rows[2]), Some(2.0));
        assert_eq!(r.ratio(&r.rows[3]), None);
        assert_eq!(r.ratio(&r.rows[4]), None);
        // Of kernels with a peer only: 4 and 1.
        assert!((r.mean().unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(r.failures(), ["gone"]);
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(engineering(1.234e9, "B/s"), "1.23 GB/s");
        assert_eq!(engineering(41e-6, "s"), "41.0 µs");
        assert_eq!(engineering(999.96, "x"), "1.00 kx");
        assert_eq!(engineering(123.4, "x"), "123 x");
        assert_eq!(engineering(2e-9, "s"), "2.00 ns");
    }

    #[test]
    fn the_table_has_every_row_and_verdict() {
        let table = report().table();
        let line = |name: &str| table.lines().find(|l| l.starts_with(&format!("| {name} "))).unwrap().to_owned();
        assert!(line("fast").contains("4.00×"));
        assert!(line("slow").contains("below") && line("slow").contains("FAILED: x/y"));
        assert!(line("gone").contains("FAILED: boom"));
        assert!(line("new").contains("lacking"));
        let columns = |l: &str| l.matches('|').count();
        assert!(table.lines().filter(|l| l.starts_with('|')).all(|l| columns(l) == 8), "{table}");
        assert!(table.contains("over 2 kernels") && table.contains("2.00×"));
    }

    #[test]
    fn the_json_has_samples_and_reasons() {
        let json = report().json();
        assert_eq!(json["rows"][0]["ratio"], 4.0);
        assert_eq!(json["rows"][0]["icds"]["own"]["samples"][2], 2.0);
        assert_eq!(json["rows"][3]["icds"]["own"]["failed"], "boom");
        assert_eq!(json["rows"][4]["icds"]["a"]["skipped"], "no");
        assert_eq!(json["rows"][3]["ratio"], Value::Null);
    }
}
