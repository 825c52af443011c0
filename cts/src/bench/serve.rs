//! The bench's other end of the line: commands on standard input, one JSON object per line on standard output for each.
//!
//! | command | answer |
//! |---|---|
//! | `prepare NAME` | `{"ok": true, "passes": n}` after a verified pass, or `{"skip": why}`, or `{"error": what}` |
//! | `sample` | `{"seconds": for one pass}`, for kernels also the `processor` time of one pass |
//! | `finish` | `{"ok": true}` after another verified pass, or `{"error": what}` |

use super::meters;
use super::{cases, Case, Runner, Scale};
use crate::Gpu;
use serde_json::{json, Value};
use std::io::{BufRead, Write};
use std::time::Duration;

/// How long a sample is to take.
const SAMPLE: Duration = Duration::from_millis(60);

/// Every row, as JSON: name, family, unit, floor, and work per pass where all drivers do the same.
pub fn list() -> Value {
    let kernel =
        |c: &Case| json!({"name": c.name, "family": c.family, "unit": c.unit, "floor": c.floor, "kernel": true});
    let meter = |m: &meters::Meter| {
        let family = "around kernels";
        json!({"name": m.name, "family": family, "unit": m.unit, "floor": m.floor, "kernel": false})
    };
    cases().iter().map(kernel).chain(meters::ALL.iter().map(meter)).collect()
}

/// What is being measured.
enum Session<'g> {
    Kernel(Box<Runner<'g>>),
    Meter(&'static meters::Meter, Result<(), String>),
}

fn prepare<'g>(gpu: &'g Gpu, name: &str) -> Result<(Option<Session<'g>>, Value), crate::Error> {
    if let Some(meter) = meters::ALL.iter().find(|m| m.name == name) {
        let (_, right) = (meter.run)(gpu)?;
        return Ok(match right {
            Ok(()) => (Some(Session::Meter(meter, Ok(()))), json!({"ok": true, "work": meter.work})),
            Err(wrong) => (None, json!({ "error": wrong })),
        });
    }
    let Some(case) = cases().into_iter().find(|c| c.name == name) else {
        return Ok((None, json!({"error": format!("no row named {name:?}")})));
    };
    if let Some(why) = case.needs.iter().find_map(|n| n.missing(gpu)) {
        return Ok((None, json!({ "skip": why })));
    }
    let mut runner = Box::new(Runner::new(gpu, (case.plan)(Scale::Full))?);
    if let Err(wrong) = runner.verify()? {
        return Ok((None, json!({"error": format!("wrong result: {wrong}")})));
    }
    runner.calibrate(SAMPLE)?;
    let answer = json!({"ok": true, "work": runner.work(), "passes": runner.passes()});
    Ok((Some(Session::Kernel(runner)), answer))
}

fn answer<'g>(gpu: &'g Gpu, session: &mut Option<Session<'g>>, line: &str) -> Result<Value, crate::Error> {
    match (line.split_once(' '), session.as_mut()) {
        (Some(("prepare", name)), _) => {
            *session = None;
            let (made, answer) = prepare(gpu, name)?;
            *session = made;
            Ok(answer)
        }
        (None, Some(now)) if line == "sample" => match now {
            Session::Kernel(runner) => {
                let (seconds, processor) = runner.sample_both()?;
                Ok(json!({"seconds": seconds, "processor": processor}))
            }
            Session::Meter(meter, right) => {
                let (seconds, outcome) = (meter.run)(gpu)?;
                if right.is_ok() {
                    *right = outcome;
                }
                Ok(json!({ "seconds": seconds }))
            }
        },
        (None, Some(now)) if line == "finish" => {
            let right = match now {
                Session::Kernel(runner) => runner.verify()?,
                Session::Meter(_, right) => right.clone(),
            };
            *session = None;
            Ok(match right {
                Ok(()) => json!({"ok": true}),
                Err(wrong) => json!({"error": format!("wrong result: {wrong}")}),
            })
        }
        _ => Ok(json!({"error": format!("not understood: {line:?}")})),
    }
}

/// Answers commands until standard input ends.
///
/// # Errors
/// No device, or a broken pipe.
pub fn serve() -> Result<(), String> {
    let gpu = super::open().map_err(|e| e.to_string())?;
    let mut out = std::io::stdout().lock();
    let mut say = |value: Value| writeln!(out, "{value}").and_then(|()| out.flush()).map_err(|e| e.to_string());
    say(json!({"device": gpu.name()}))?;
    let mut session = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        let value = answer(&gpu, &mut session, line.trim()).unwrap_or_else(|e| json!({"error": e.to_string()}));
        say(value)?;
    }
    Ok(())
}
