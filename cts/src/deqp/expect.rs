//! Expectations: which cases are known not to pass, and why.
//!
//! A file has lines `case status  # reason`; `case` may end in `*`. What it does not name is expected to be good.

use super::Status;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Expected status.
    pub status: Status,
    /// Why.
    pub reason: String,
}

/// A file of expectations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// Comment lines at the head.
    pub head: Vec<String>,
    /// By case or pattern.
    pub entries: BTreeMap<String, Entry>,
}

/// A difference between what was and what should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Not good, or not bad in the way that was expected.
    Unexpected(String, Status, Option<Status>),
    /// Expected to be bad, but good.
    UnexpectedPass(String, Status, Status),
}

impl Expectations {
    /// Reads a file's text.
    ///
    /// # Errors
    /// The number of a line that is none, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Expectations, String> {
        let mut out = Expectations::default();
        for (n, line) in text.lines().enumerate() {
            let (body, reason) = line.split_once('#').map_or((line, ""), |(b, r)| (b, r.trim()));
            let mut words = body.split_whitespace();
            let Some(case) = words.next() else {
                if line.starts_with('#') && out.entries.is_empty() {
                    out.head.push(line.to_owned());
                }
                continue;
            };
            let status = words.next().and_then(Status::parse);
            let (Some(status), None) = (status, words.next()) else {
                return Err(format!("line {}: not `case status  # reason`: {line}", n + 1));
            };
            let entry = Entry { status, reason: reason.to_owned() };
            if out.entries.insert(case.to_owned(), entry).is_some() {
                return Err(format!("line {}: {case} stands there twice", n + 1));
            }
        }
        Ok(out)
    }

    /// The file's text.
    pub fn print(&self) -> String {
        let mut out = String::new();
        for line in &self.head {
            let _ = writeln!(out, "{line}");
        }
        for (case, e) in &self.entries {
            let reason = if e.reason.is_empty() { String::new() } else { format!("  # {}", e.reason) };
            let _ = writeln!(out, "{case} {}{reason}", e.status.name());
        }
        out
    }

    /// What is expected of a case, if the file says something: the exact name first, then the longest pattern.
    pub fn of(&self, case: &str) -> Option<&Entry> {
        self.entries.get(case).or_else(|| {
            self.entries
                .iter()
                .filter(|(p, _)| p.strip_suffix('*').is_some_and(|p| case.starts_with(p)))
                .max_by_key(|(p, _)| p.len())
                .map(|(_, e)| e)
        })
    }

    /// How results differ, in their order.
    pub fn differences(&self, results: &[(String, Status)]) -> Vec<Difference> {
        results
            .iter()
            .filter_map(|(case, got)| {
                let want = self.of(case).map(|e| e.status);
                match want {
                    None if got.is_good() => None,
                    Some(w) if w == *got => None,
                    Some(w) if !w.is_good() && got.is_good() => Some(Difference::UnexpectedPass(case.clone(), *got, w)),
                    // A good status that is expected stands for all good ones.
                    Some(w) if w.is_good() && got.is_good() => None,
                    _ => Some(Difference::Unexpected(case.clone(), *got, want)),
                }
            })
            .collect()
    }

    /// Takes results over as what is expected from now on; reasons and what was not run stay.
    pub fn bless(&mut self, results: &[(String, Status)]) {
        for (case, got) in results {
            if self.of(case).map(|e| e.status) == Some(*got) {
                continue;
            }
            let pattern = !self.entries.contains_key(case) && self.of(case).is_some();
            if got.is_good() && !pattern {
                self.entries.remove(case);
            } else {
                let reason = self.entries.get(case).map_or_else(String::new, |e| e.reason.clone());
                self.entries.insert(case.clone(), Entry { status: *got, reason });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(list: &[(&str, Status)]) -> Vec<(String, Status)> {
        list.iter().map(|(c, s)| ((*c).to_owned(), *s)).collect()
    }

    const TEXT: &str = "# known\na.b Fail  # wrong\na.c.* NotSupported\na.c.d Crash  # sad\na.e Timeout\n";

    #[test]
    fn text_round_trips() {
        let e = Expectations::parse(TEXT).expect("text");
        assert_eq!(e.entries.len(), 4);
        assert_eq!(Expectations::parse(&e.print()).as_ref(), Ok(&e));
        assert_eq!(e.of("a.c.x").map(|e| e.status), Some(Status::NotSupported));
        assert_eq!(e.of("a.c.d").map(|e| e.status), Some(Status::Crash));
        assert_eq!(e.of("a.x"), None);
        for bad in ["a.b\n", "a.b Sad\n", "a.b Fail twice\n", "a.b Fail\na.b Pass\n"] {
            assert!(Expectations::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn differences_of_both_kinds() {
        let e = Expectations::parse(TEXT).expect("text");
        let r = results(&[
            ("a.a", Status::Pass),
            ("a.b", Status::Fail),
            ("a.c.d", Status::Pass),
            ("a.c.x", Status::Pass),
            ("a.c.y", Status::Fail),
            ("a.e", Status::Fail),
            ("a.f", Status::Crash),
        ]);
        assert_eq!(
            e.differences(&r),
            [
                Difference::UnexpectedPass("a.c.d".into(), Status::Pass, Status::Crash),
                Difference::Unexpected("a.c.y".into(), Status::Fail, Some(Status::NotSupported)),
                Difference::Unexpected("a.e".into(), Status::Fail, Some(Status::Timeout)),
                Difference::Unexpected("a.f".into(), Status::Crash, None),
            ]
        );
    }

    #[test]
    fn blessing_makes_no_difference() {
        let mut e = Expectations::parse(TEXT).expect("text");
        let r =
            results(&[("a.b", Status::Pass), ("a.c.d", Status::Fail), ("a.c.z", Status::Fail), ("a.f", Status::Crash)]);
        e.bless(&r);
        assert_eq!(e.differences(&r), []);
        assert_eq!(e.of("a.c.d").map(|e| e.reason.as_str()), Some("sad"));
        assert!(!e.entries.contains_key("a.b") && e.entries.contains_key("a.e"));
        assert_eq!(e.head, ["# known"]);
    }
}
