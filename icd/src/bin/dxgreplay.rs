//! Executes a recorded trace again on an embedded device and compares what the GPU wrote. Exit code 0: equal.

use dxg_model::Model;
use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;
use std::sync::Arc;
use winsys_dxg::trace::{Player, Trace};

fn play(path: &str) -> Result<bool, String> {
    let file = File::open(path).map_err(|e| format!("{path}: {e}"))?;
    let trace = Trace::read(BufReader::new(file)).map_err(|e| format!("{path}: {e}"))?;
    let engine = Arc::new(gpu_soft::SoftEngine::new(None));
    let model = Model::new(dxg_model::Config::default(), engine).map_err(|e| format!("embedded device: {e}"))?;
    let player = Player::new(model).map_err(|e| e.to_string())?;
    let report = player.play(&trace).map_err(|e| e.to_string())?;
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
    // A trace without a single comparison shows nothing.
    Ok(report.is_equal() && report.checks > 0)
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(path), None) = (args.next(), args.next()) else {
        eprintln!("usage: dxgreplay TRACE");
        return ExitCode::from(2);
    };
    match play(&path) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("dxgreplay: {error}");
            ExitCode::FAILURE
        }
    }
}
