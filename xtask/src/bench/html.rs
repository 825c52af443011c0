//! The report as one page with bars, which needs nothing else.

use super::report::{engineering, Outcome, Report, Row};
use std::fmt::Write;

const STYLE: &str = "\
:root{color-scheme:light dark;--fg:#1c1c1e;--bg:#fff;--dim:#6b6b70;--line:#d9d9de;--bad:#b3261e;--good:#1d6b35}\
@media(prefers-color-scheme:dark){:root{--fg:#ececf0;--bg:#161618;--dim:#9a9aa2;--line:#38383d;--bad:#ff8a80;--good:#7bd895}}\
body{font:14px/1.45 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:62rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .3rem;border-bottom:1px solid var(--line)}\
p{color:var(--dim)}b{color:var(--fg)}svg{display:block;width:100%;height:auto}\
text{font:12px system-ui,sans-serif;fill:var(--fg)}.dim{fill:var(--dim)}.bad{fill:var(--bad)}.good{fill:var(--good)}\
.key{display:inline-block;width:.8em;height:.8em;margin:0 .35em 0 1em;border-radius:2px}";

/// Colours of the drivers, in their order.
const COLOURS: [&str; 6] = ["#2f6fde", "#e08a1e", "#3a9d6e", "#b04fb5", "#c2453d", "#7a7f87"];

/// Width of the picture, and where its columns begin.
const WIDTH: f64 = 900.0;
const BARS: f64 = 230.0;
const FIGURES: f64 = 660.0;
const RATIOS: f64 = WIDTH - 100.0;
/// Height of a bar with the space below it.
const BAR: f64 = 15.0;

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// How long a bar is, of 1: the best has the longest.
fn length(row: &Row, icd: &str, icds: &[String]) -> Option<f64> {
    let best = row.best(icds)?;
    row.ratio(icd, best).map(|r| r.clamp(0.0, 1.0))
}

fn draw(out: &mut String, report: &Report, row: &Row, top: f64) -> f64 {
    let icds: Vec<String> = report.icds.iter().map(|(n, _)| n.clone()).collect();
    let name = escaped(&row.name);
    writeln!(out, "<text x=\"0\" y=\"{:.1}\">{name}</text>", top + 11.0).ok();
    let (class, text) = match report.ratio(row) {
        Some(r) if r >= row.floor => ("good", format!("{r:.2}× of {}×", row.floor)),
        Some(r) => ("bad", format!("{r:.2}× of {}×", row.floor)),
        None => ("dim", "no ratio".to_owned()),
    };
    writeln!(out, "<text x=\"{RATIOS}\" y=\"{:.1}\" class=\"{class}\">{text}</text>", top + 11.0).ok();
    let mut y = top;
    for (i, icd) in icds.iter().enumerate() {
        let figure = match (row.figure(icd), row.outcomes.get(icd)) {
            (Some(f), _) => engineering(f, &row.unit),
            (None, Some(Outcome::Skipped(why))) => format!("lacking: {why}"),
            (None, Some(Outcome::Failed(why))) => format!("failed: {why}"),
            (None, _) => "not measured".to_owned(),
        };
        let wide = length(row, icd, &icds).map_or(0.0, |l| (l * (FIGURES - BARS - 10.0)).max(1.0));
        let colour = COLOURS[i % COLOURS.len()];
        let title = escaped(&format!("{icd}: {figure}"));
        writeln!(
            out,
            "<rect x=\"{BARS}\" y=\"{:.1}\" width=\"{wide:.1}\" height=\"{:.1}\" fill=\"{colour}\"><title>{title}</title></rect>\
             <text x=\"{:.1}\" y=\"{:.1}\" class=\"dim\">{}</text>",
            y + 1.0,
            BAR - 3.0,
            BARS + wide + 6.0,
            y + 11.0,
            escaped(&figure.chars().take(60).collect::<String>()),
        )
        .ok();
        y += BAR;
    }
    y + 8.0
}

/// The page.
pub fn page(report: &Report) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>bench</title>");
    write!(
        out,
        "<style>{STYLE}</style></head>\n<body><h1>Compute kernels, driver by driver</h1>\n<p>{}",
        escaped(&report.machine)
    )
    .ok();
    out.push_str(". Every figure is a median of samples taken in turn; every result was checked against the CPU. \
                  Longer bars are better; the figure at the right is the ratio to the best of the others, and what it is to be at least.</p>\n<p>");
    for (i, (name, device)) in report.icds.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        write!(
            out,
            "<span class=\"key\" style=\"background:{colour}\"></span><b>{}</b> {}",
            escaped(name),
            escaped(device)
        )
        .ok();
    }
    out.push_str("</p>\n");
    if let Some(mean) = report.mean() {
        let subject = escaped(&report.subject);
        writeln!(out, "<p><b>{subject}: {mean:.2}×</b> the best of the others, geometric mean over all kernels.</p>")
            .ok();
    }
    let mut families: Vec<&str> = Vec::new();
    for row in &report.rows {
        if !families.contains(&row.family.as_str()) {
            families.push(&row.family);
        }
    }
    for family in families {
        let mut bars = String::new();
        let mut top = 6.0;
        for row in report.rows.iter().filter(|r| r.family == family) {
            top = draw(&mut bars, report, row, top);
        }
        write!(out, "<h2>{}</h2>\n<svg viewBox=\"0 0 {WIDTH} {top}\" role=\"img\">\n{bars}</svg>\n", escaped(family))
            .ok();
    }
    out.push_str("</body></html>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn the_page_is_well_formed_and_whole() {
        let page = page(&report());
        let body = page.strip_prefix("<!doctype html>\n").unwrap().replace("<meta charset=\"utf-8\">", "");
        let tree = roxmltree::Document::parse(&body).unwrap();
        let rects = tree.descendants().filter(|n| n.has_tag_name("rect")).count();
        assert_eq!(rects, 5 * 3);
        let texts: Vec<&str> = tree.descendants().filter_map(|n| n.text()).collect();
        for name in ["fast", "slow", "time", "gone", "new"] {
            assert!(texts.contains(&name), "{name}");
        }
        assert!(body.contains("m &lt;1&gt;"));
        assert!(!body.contains("http"), "nothing from elsewhere");
    }

    #[test]
    fn the_best_bar_is_the_longest() {
        let r = report();
        let icds: Vec<String> = r.icds.iter().map(|(n, _)| n.clone()).collect();
        assert_eq!(length(&r.rows[0], "own", &icds), Some(1.0));
        assert_eq!(length(&r.rows[0], "b", &icds), Some(0.1));
        assert_eq!(length(&r.rows[2], "a", &icds), Some(0.25));
        assert_eq!(length(&r.rows[3], "own", &icds), None);
    }
}
