//! A runner for the Khronos conformance tests (`deqp-vk`): shards a list of cases over processes, survives crashes and
//! hangs, compares with expectations, and reports.

pub mod expect;
pub mod log;
pub mod report;
pub mod runner;

use report::Outcome;

/// What a case came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// It passed.
    Pass,
    /// The device lacks what it needs.
    NotSupported,
    /// It passed, but not beautifully.
    QualityWarning,
    /// It passed, but programs may not expect this.
    CompatibilityWarning,
    /// It failed and was let off.
    Waiver,
    /// It failed.
    Fail,
    /// Something in the test went wrong.
    InternalError,
    /// It ran out of something.
    ResourceError,
    /// It did not come to a verdict.
    Pending,
    /// The device was lost.
    DeviceLost,
    /// The process died.
    Crash,
    /// Nothing happened for too long.
    Timeout,
    /// `deqp-vk` does not know it.
    NotFound,
}

impl Status {
    /// All of them, good ones first.
    pub const ALL: [Status; 13] = [
        Status::Pass,
        Status::NotSupported,
        Status::QualityWarning,
        Status::CompatibilityWarning,
        Status::Waiver,
        Status::Fail,
        Status::InternalError,
        Status::ResourceError,
        Status::Pending,
        Status::DeviceLost,
        Status::Crash,
        Status::Timeout,
        Status::NotFound,
    ];

    /// Its name, as `deqp-vk` spells it where it has one.
    pub fn name(self) -> &'static str {
        match self {
            Status::Pass => "Pass",
            Status::NotSupported => "NotSupported",
            Status::QualityWarning => "QualityWarning",
            Status::CompatibilityWarning => "CompatibilityWarning",
            Status::Waiver => "Waiver",
            Status::Fail => "Fail",
            Status::InternalError => "InternalError",
            Status::ResourceError => "ResourceError",
            Status::Pending => "Pending",
            Status::DeviceLost => "DeviceLost",
            Status::Crash => "Crash",
            Status::Timeout => "Timeout",
            Status::NotFound => "NotFound",
        }
    }

    /// The status of this name.
    pub fn parse(name: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Whether a conformant driver may give it.
    pub fn is_good(self) -> bool {
        self <= Status::Waiver
    }
}

/// The names of a case list: one a line, `#` starts a comment; each name once, in order.
pub fn case_list(text: &str) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    text.lines()
        .map(|l| l.split('#').next().unwrap_or("").trim())
        .filter(|l| !l.is_empty() && seen.insert(*l))
        .map(str::to_owned)
        .collect()
}

/// A line of a results file: `case status`, and behind `#` the first line of what `deqp-vk` said.
pub fn result_line(o: &Outcome) -> String {
    match o.message.lines().next().map(str::trim) {
        Some(m) if !m.is_empty() => format!("{} {}  # {m}", o.case, o.status.name()),
        _ => format!("{} {}", o.case, o.status.name()),
    }
}

/// A results file; lines that are nothing of the kind (a run may have been cut off) are passed over.
pub fn results(text: &str) -> Vec<Outcome> {
    text.lines()
        .filter_map(|l| {
            let (body, message) = l.split_once(" # ").unwrap_or((l, ""));
            let mut words = body.split_whitespace();
            let (case, status) = (words.next()?.to_owned(), Status::parse(words.next()?)?);
            Some(Outcome { case, status, message: message.trim().to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for s in Status::ALL {
            assert_eq!(Status::parse(s.name()), Some(s));
        }
        assert_eq!(Status::parse("pass"), None);
        assert!(Status::Waiver.is_good() && !Status::Fail.is_good() && !Status::NotFound.is_good());
    }

    #[test]
    fn lists_lose_comments_and_repetitions() {
        assert_eq!(case_list("# x\n a.b \n\na.c # why\na.b\n"), ["a.b", "a.c"]);
    }

    #[test]
    fn results_skip_cut_lines() {
        let r = results("a.b Pass\na.c Fail  # wrong # colour\nnonsense\na.d Pas");
        let lines: Vec<_> = r.iter().map(result_line).collect();
        assert_eq!(lines, ["a.b Pass", "a.c Fail  # wrong # colour"]);
        assert_eq!((r[1].status, r[1].message.as_str()), (Status::Fail, "wrong # colour"));
    }
}
