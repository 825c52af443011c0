//! Looks into recordings of `/dev/dxg` requests.

#![forbid(unsafe_code)]

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use winsys_dxg::trace::{dump, stat, Trace};

const USAGE: &str = "usage: dxgtrace dump|stat FILE";

fn run(args: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [command, file] = args else { return Err(USAGE.into()) };
    let trace = Trace::read(std::fs::File::open(file)?)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match command.as_str() {
        "dump" => dump(&trace, &mut out)?,
        "stat" => stat(&trace, &mut out)?,
        _ => return Err(USAGE.into()),
    }
    out.flush()?;
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough.
        Err(e) if e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) => {
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("dxgtrace: {e}");
            ExitCode::FAILURE
        }
    }
}
