//! Long sequences of calls, most of them valid, against a shadow that knows what has to come of each. After every step the
//! model's census has to equal the shadow's, and no object may outlive its parent; after every world nothing may be left: no
//! page, no descriptor, no mapping.
//!
//! `DXG_FUZZ_STEPS=50000000 DXG_FUZZ_SEED=1 cargo test --release -p dxg-model --test fuzz -- --ignored --nocapture`

#[path = "../common/mod.rs"]
mod common;

mod memory;
mod shadow;
mod steps;
mod sync;

use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

use common::*;
use dxg_model::{Census, Config, Fault, Pending};
use shadow::Shadow;

/// Random numbers.
pub struct Random(u64);

impl Random {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.word() % n.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of a list, or nothing of an empty one.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        if list.is_empty() {
            return None;
        }
        Some(list[self.below(list.len())])
    }
}

fn mode(r: &mut Random) -> Config {
    let max = Duration::from_micros(40);
    let seed = r.word();
    let pending = if r.one_in(3) { Pending::Always { min: Duration::ZERO, max, seed } } else { Pending::Never };
    Config {
        quirks: !r.one_in(2),
        asynchronous: r.one_in(3),
        hw_queues: !r.one_in(4),
        pending,
        compute_only: r.one_in(4),
        budget: Some(8 << 20),
        address_space: 256 << 20,
        ..config()
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// Mappings that only a model makes: shared files, and the addresses of its space.
fn left_over() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc");
    maps.lines().filter(|l| l.contains("dxg-shared") || l.starts_with("2000")).map(str::to_owned).collect()
}

/// How often each kind of step was taken.
type Seen = BTreeMap<&'static str, u64>;

/// One world from its making to its end.
fn world(seed: u64, steps: u64, seen: &mut Seen) {
    let mut r = Random(seed);
    let config = mode(&mut r);
    let outside = descriptors();
    let mut s = Shadow::new(config, r);
    for n in 0..steps {
        let done = catch_unwind(AssertUnwindSafe(|| s.step()));
        let what = done.unwrap_or_else(|_| panic!("seed {seed:#x}, step {n}"));
        *seen.entry(what).or_default() += 1;
        s.verify(&format!("seed {seed:#x}, step {n}: {what}"));
    }
    let who = format!("seed {seed:#x}, end");
    if s.random.one_in(4) {
        s.rig.node.inject(&Fault::AdapterStop);
        assert_eq!(
            call(&s.rig.node, &mut dxg_abi::CreateDevice { adapter: s.adapters[0], ..Default::default() }),
            ENODEV
        );
    }
    s.close_everything();
    let node = s.rig.node.clone();
    // What another thread has in its hands is put down a moment later.
    let start = Instant::now();
    loop {
        let left = node.census();
        // Reservations go with the process.
        let none = Census { regions: left.regions, mappings: left.mappings, ..Census::default() };
        if left == none {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{who}: {left:?}");
        std::thread::yield_now();
    }
    drop((node, s));
    // Threads that listened for other processes let go of their pages a moment later.
    let start = Instant::now();
    while !left_over().is_empty() || descriptors() != outside {
        let waited = start.elapsed();
        assert!(
            waited < Duration::from_secs(5),
            "{who}: {} descriptors of {outside}, {:?}",
            descriptors(),
            left_over()
        );
        std::thread::yield_now();
    }
}

const WORLD: u64 = 3000;

/// Kinds of steps there are.
const KINDS: usize = 56;

fn run(seed: u64, steps: u64) -> Seen {
    let mut seen = Seen::new();
    let start = Instant::now();
    let mut done = 0;
    let mut seeds = Random(seed);
    while done < steps {
        let n = WORLD.min(steps - done);
        world(seeds.word(), n, &mut seen);
        done += n;
        if done % (WORLD * 200) == 0 {
            println!("{done} steps, {:.0} a second", done as f64 / start.elapsed().as_secs_f64());
        }
    }
    println!("{done} steps, {:.0} a second", done as f64 / start.elapsed().as_secs_f64());
    println!("{seen:?}");
    seen
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// One test: descriptors and mappings are the process's.
#[test]
fn sequences_leave_nothing_behind() {
    let seen = run(7, 60_000);
    assert_eq!(seen.len(), KINDS, "kinds of steps: {seen:?}");
}

#[test]
#[ignore = "as long as DXG_FUZZ_STEPS says"]
fn long_sequences_leave_nothing_behind() {
    run(variable("DXG_FUZZ_SEED", 1), variable("DXG_FUZZ_STEPS", 1_000_000));
}
