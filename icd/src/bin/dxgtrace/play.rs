//! Executes a recording again on an embedded device and compares what the GPU wrote.

use dxg_node::env::Options;
use winsys_dxg::trace::{Player, Trace};

/// Executes it; whether all came out as recorded. A recording without a single comparison shows nothing.
pub fn play(trace: &Trace) -> Result<bool, String> {
    // As it is by itself, whatever the environment says.
    let model = dxg_node::model(&Options::default()).map_err(|e| format!("embedded device: {e}"))?;
    let player = Player::new(model).map_err(|e| e.to_string())?;
    let report = player.play(trace).map_err(|e| e.to_string())?;
    let verdict = if report.checks == 0 {
        "nothing to compare"
    } else if report.is_equal() {
        "equal"
    } else {
        "DIFFERENT"
    };
    println!(
        "{verdict}: {} requests repeated ({} left out), {} comparisons of {} pages, {} differ ({} more uncertain), {} timeouts",
        report.requests, report.skipped, report.checks, report.pages, report.different, report.uncertain, report.timeouts
    );
    for (record, allocation, pages) in &report.differences {
        println!("  record {record}: {pages} pages of allocation {allocation:#x}");
    }
    Ok(report.is_equal() && report.checks > 0)
}
