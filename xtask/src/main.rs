//! Project chores: `cargo xtask gen|extract|tidy|manifest|differential|bench|baseline`.
//!
//! * `gen [--check]` writes `icd/src/generated/*.rs` from the Vulkan registry (or checks that the committed files are fresh).
//! * `extract --registry FILE --bindings FOLDER [NAME…]` takes extensions from a newer registry into the supplement that `gen`
//!   reads after the packaged registry.
//! * `tidy` runs the cheap source checks CI runs: fresh generated files, forbidden words, SAFETY comments, environment
//!   variables, links.
//! * `manifest [--release]` writes the in-tree ICD manifest beside the built library.
//! * `differential [--icd MANIFEST] [--with NAME=VALUE]… [--width N] [ARGUMENT…]` holds the driver against another one, lavapipe
//!   if none is named, with random programs; the arguments are those of `cts`'s program `differential`.
//! * `bench [--icd NAME=MANIFEST[,runner=PROGRAM][,env=NAME=VALUE]…]… [--only] [--subject NAME] [--peer NAME]… [--rows TEXT]… [--rounds N] [--out FOLDER]
//!   [--processor-time] [--no-build]` measures the driver side by side with others (see docs/BENCH.md).
//! * `baseline [--bless] [--release]` compares what the built driver says of its code for the bench's kernels with
//!   `cts/bench/baseline.json`, or writes that file.

mod bench;
mod differential;
mod extract;
mod gen;
mod manifest;
mod registry;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The workspace root: this crate's parent folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

const USAGE: &str = "usage: cargo xtask gen [--check] | extract --registry FILE --bindings FOLDER [NAME…] | tidy | \
                     manifest [--release] [--library PATH] [--out PATH] | \
                     differential [--icd MANIFEST] [--with NAME=VALUE]… [--width N] [ARGUMENT…] | \
                     bench [--icd NAME=MANIFEST[,runner=PROGRAM][,env=NAME=VALUE]…]… [--only] [--subject NAME] [--peer NAME]… \
                     [--rows TEXT]… [--rounds N] [--out FOLDER] [--processor-time] \
                     [--no-build] | baseline [--bless] [--release]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flags: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    let result = match args.first().map(String::as_str) {
        Some("gen") => match flags.as_slice() {
            [] => gen::run(&root(), false),
            ["--check"] => gen::run(&root(), true),
            _ => Err(USAGE.to_owned()),
        },
        Some("extract") => extract::run(&root(), &flags),
        Some("tidy") if flags.is_empty() => tidy::run(&root()),
        Some("manifest") => manifest::run(&root(), &flags),
        Some("baseline") => bench::baseline::run(&root(), &flags),
        Some("bench") => bench::run(&root(), &flags),
        Some("differential") => differential::run(&root(), &flags),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(message) => {
            println!("{message}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
