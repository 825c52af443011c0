//! Runs the demos (all, or those named) on the first Vulkan device and prints a table. Exit code 0: all results were right
//! and no validation layer complained.

use cts::demos;
use cts::Gpu;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut folder = PathBuf::from(".");
    let mut wanted = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--out" => folder = args.next().map_or(folder, PathBuf::from),
            "--once" => demos::run_once(),
            "--help" | "-h" => {
                println!("usage: demo [--out FOLDER] [--once] [NAME…]; names: {}", names().join(" "));
                return ExitCode::SUCCESS;
            }
            name if names().contains(&name) => wanted.push(name.to_owned()),
            other => {
                eprintln!("demo: no demo named '{other}'; there are: {}", names().join(" "));
                return ExitCode::from(2);
            }
        }
    }
    let gpu = match Gpu::new("vulkan-dxg demo") {
        Ok(gpu) => gpu,
        Err(error) => {
            eprintln!("demo: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("device: {}", gpu.name());
    let mut good = true;
    for demo in demos::ALL.iter().filter(|d| wanted.is_empty() || wanted.iter().any(|w| w == d.name)) {
        match (demo.run)(&gpu, &folder) {
            Ok(o) => {
                good &= o.right;
                let verdict = if o.right { "right" } else { "WRONG" };
                println!(
                    "{:<11} {verdict:<6} {:>9.3} ms  {:>14}  {}",
                    demo.name,
                    o.time.as_secs_f64() * 1e3,
                    o.figure,
                    o.checked
                );
            }
            Err(error) => {
                good = false;
                println!("{:<11} FAILED {error}", demo.name);
            }
        }
    }
    drop(gpu);
    let messages = Gpu::validation_messages();
    if messages > 0 {
        println!("{messages} validation messages");
        good = false;
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn names() -> Vec<&'static str> {
    demos::ALL.iter().map(|d| d.name).collect()
}
