//! The demo programs. Each computes something, checks every element of the result against the CPU, and says how fast it
//! was; the figures count the device's work with submission and wait, best of a few runs.

mod mandelbrot;
mod matmul;
mod nbody;
mod prefix_sum;
mod vector_add;

use crate::{Error, Gpu};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What a demo did.
pub struct Outcome {
    /// What was checked, and against what.
    pub checked: String,
    /// Whether all of it was right.
    pub right: bool,
    /// Best time of one run.
    pub time: Duration,
    /// A figure of merit.
    pub figure: String,
}

/// A demo: its name, and what runs it; files go into the folder.
pub struct Demo {
    /// Its name on the command line.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(&Gpu, &Path) -> Result<Outcome, Error>,
}

/// Every demo.
pub const ALL: &[Demo] = &[
    Demo { name: "vector-add", run: vector_add::run },
    Demo { name: "matmul", run: matmul::run },
    Demo { name: "prefix-sum", run: prefix_sum::run },
    Demo { name: "nbody", run: nbody::run },
    Demo { name: "mandelbrot", run: mandelbrot::run },
];

/// How often each demo runs its work.
static REPEATS: AtomicU32 = AtomicU32::new(3);

/// Makes demos run their work only once.
pub fn run_once() {
    REPEATS.store(1, Ordering::Relaxed);
}

/// Runs `f` a few times; the best time.
fn best_time(mut f: impl FnMut() -> Result<(), Error>) -> Result<Duration, Error> {
    let mut best = Duration::MAX;
    for _ in 0..REPEATS.load(Ordering::Relaxed) {
        let start = Instant::now();
        f()?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}
