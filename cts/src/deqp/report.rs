//! Tables of results by group, as Markdown and HTML.

use super::Status;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A case with its result and message.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case.
    pub case: String,
    /// Its result.
    pub status: Status,
    /// What `deqp-vk` said.
    pub message: String,
}

/// Counts by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `counts[i]` is how often `Status::ALL[i]` occurred.
    pub counts: [u32; Status::ALL.len()],
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, status: Status) {
        self.counts[status as usize] += 1;
    }

    /// How many had a status.
    pub fn of(&self, status: Status) -> u32 {
        self.counts[status as usize]
    }

    /// All of them.
    pub fn total(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Those a conformant driver may not have.
    pub fn bad(&self) -> u32 {
        Status::ALL.into_iter().filter(|s| !s.is_good()).map(|s| self.of(s)).sum()
    }
}

/// Counts by the second and third component of the name, `dEQP-VK.api.buffer.…` under `api.buffer`.
pub fn groups(outcomes: &[Outcome]) -> BTreeMap<String, Counts> {
    let mut out: BTreeMap<String, Counts> = BTreeMap::new();
    for o in outcomes {
        let parts: Vec<_> = o.case.split('.').collect();
        // The last component is the case's own name.
        let end = parts.len().saturating_sub(1).clamp(1, 3);
        let group = if parts.len() > 1 { parts[1..end.max(2)].join(".") } else { o.case.clone() };
        out.entry(group).or_default().add(o.status);
    }
    out
}

/// Columns of the tables: a heading and what is counted there.
const COLUMNS: [(&str, &[Status]); 6] = [
    ("pass", &[Status::Pass]),
    ("not supported", &[Status::NotSupported]),
    ("warnings", &[Status::QualityWarning, Status::CompatibilityWarning, Status::Waiver]),
    ("fail", &[Status::Fail, Status::InternalError, Status::ResourceError, Status::Pending, Status::NotFound]),
    ("crash", &[Status::Crash, Status::DeviceLost]),
    ("timeout", &[Status::Timeout]),
];

fn row(c: &Counts) -> Vec<u32> {
    let mut row = vec![c.total()];
    row.extend(COLUMNS.iter().map(|(_, s)| s.iter().map(|s| c.of(*s)).sum::<u32>()));
    row
}

fn all(outcomes: &[Outcome]) -> Counts {
    let mut c = Counts::default();
    outcomes.iter().for_each(|o| c.add(o.status));
    c
}

/// Most rows in a table of reasons.
const REASONS: usize = 60;

/// Why cases were not supported, by how many: the first lines of messages, numbers in them taken for equal.
pub fn reasons(outcomes: &[Outcome]) -> Vec<(u32, String)> {
    let mut counts: BTreeMap<String, (u32, String)> = BTreeMap::new();
    for o in outcomes.iter().filter(|o| o.status == Status::NotSupported) {
        let line = o.message.lines().next().unwrap_or("").trim();
        // What `deqp-vk` puts behind the reason is a place in its source.
        let line = line.split(" at vkt").next().unwrap_or(line);
        let key = line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        counts.entry(key).or_insert_with(|| (0, line.to_owned())).0 += 1;
    }
    let mut out: Vec<_> = counts.into_values().collect();
    out.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    out
}

/// The Markdown report.
pub fn markdown(title: &str, outcomes: &[Outcome]) -> String {
    let mut out = format!("# {title}\n\n| group | cases |");
    for (name, _) in COLUMNS {
        let _ = write!(out, " {name} |");
    }
    let _ = writeln!(out, "\n|---|{}", "---:|".repeat(COLUMNS.len() + 1));
    let mut line = |name: &str, c: &Counts| {
        let cells: Vec<_> = row(c).iter().map(u32::to_string).collect();
        let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
    };
    for (group, c) in groups(outcomes) {
        line(&group, &c);
    }
    line("**all**", &all(outcomes));
    let bad: Vec<_> = outcomes.iter().filter(|o| !o.status.is_good()).collect();
    if !bad.is_empty() {
        out.push_str("\n## Not passed\n\n");
        for o in bad {
            let text = o.message.lines().next().unwrap_or("");
            let _ =
                writeln!(out, "- `{}` {}{}{text}", o.case, o.status.name(), if text.is_empty() { "" } else { ": " });
        }
    }
    let reasons = reasons(outcomes);
    if !reasons.is_empty() {
        out.push_str("\n## Not supported\n\n| cases | reason |\n|---:|---|\n");
        for (count, reason) in reasons.iter().take(REASONS) {
            let _ = writeln!(out, "| {count} | {} |", reason.replace('|', "\\|"));
        }
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The HTML report, a page of its own.
pub fn html(title: &str, outcomes: &[Outcome]) -> String {
    let mut out = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{t}</title><style>\
         body{{font:14px sans-serif;margin:2em}}table{{border-collapse:collapse}}td,th{{padding:2px 10px;border-bottom:1px solid #ccc;text-align:right}}\
         td:first-child,th:first-child{{text-align:left}}.bad{{background:#fdd}}.all{{font-weight:bold}}</style><h1>{t}</h1>\n<table><tr><th>group<th>cases",
        t = escape(title)
    );
    for (name, _) in COLUMNS {
        let _ = write!(out, "<th>{name}");
    }
    out.push('\n');
    let mut line = |name: &str, class: &str, c: &Counts| {
        let class = if c.bad() > 0 { format!("{class} bad") } else { class.to_owned() };
        let _ = write!(out, "<tr class=\"{}\"><td>{}", class.trim(), escape(name));
        for n in row(c) {
            let _ = write!(out, "<td>{n}");
        }
        out.push('\n');
    };
    for (group, c) in groups(outcomes) {
        line(&group, "", &c);
    }
    line("all", "all", &all(outcomes));
    out.push_str("</table>\n");
    let bad: Vec<_> = outcomes.iter().filter(|o| !o.status.is_good()).collect();
    if !bad.is_empty() {
        out.push_str("<h2>Not passed</h2><table><tr><th>case<th>result<th>message\n");
        for o in bad {
            let _ = writeln!(out, "<tr><td>{}<td>{}<td>{}", escape(&o.case), o.status.name(), escape(&o.message));
        }
        out.push_str("</table>\n");
    }
    let reasons = reasons(outcomes);
    if !reasons.is_empty() {
        out.push_str("<h2>Not supported</h2><table><tr><th>reason<th>cases\n");
        for (count, reason) in reasons.iter().take(REASONS) {
            let _ = writeln!(out, "<tr><td>{}<td>{count}", escape(reason));
        }
        out.push_str("</table>\n");
    }
    out.push_str("</html>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> Vec<Outcome> {
        [
            ("dEQP-VK.api.buffer.x", Status::Pass, ""),
            ("dEQP-VK.api.buffer.y.z", Status::NotSupported, ""),
            ("dEQP-VK.api.image.x", Status::Fail, "a < b"),
            ("dEQP-VK.info.build", Status::Crash, ""),
        ]
        .map(|(c, status, m)| Outcome { case: c.to_owned(), status, message: m.to_owned() })
        .to_vec()
    }

    #[test]
    fn groups_by_second_and_third_component() {
        let g = groups(&outcomes());
        assert_eq!(g.keys().collect::<Vec<_>>(), ["api.buffer", "api.image", "info"]);
        assert_eq!(g["api.buffer"].total(), 2);
        assert_eq!((g["info"].bad(), g["api.buffer"].bad()), (1, 0));
    }

    #[test]
    fn reasons_are_counted() {
        let case = |m: &str| Outcome { case: "c".to_owned(), status: Status::NotSupported, message: m.to_owned() };
        let r = reasons(&[
            case("no x at vktA.cpp:7"),
            case("size 16"),
            case("size 32"),
            case("no x at vktB.cpp:9"),
            case("no x"),
        ]);
        assert_eq!(r, [(3, "no x".to_owned()), (2, "size 16".to_owned())]);
        let r = markdown("t", &[case("a|b")]);
        assert!(r.contains("| 1 | a\\|b |"), "{r}");
    }

    #[test]
    fn reports_hold_counts_and_failures() {
        let md = markdown("t", &outcomes());
        assert!(md.contains("| api.buffer | 2 | 1 | 1 | 0 | 0 | 0 | 0 |"), "{md}");
        assert!(md.contains("| **all** | 4 | 1 | 1 | 0 | 1 | 1 | 0 |"));
        assert!(md.contains("- `dEQP-VK.api.image.x` Fail: a < b"));
        let html = html("<t>", &outcomes());
        assert!(html.contains("<td>a &lt; b") && html.contains("&lt;t&gt;") && !html.contains("<t>"));
    }
}
