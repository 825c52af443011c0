//! Where the time of a compilation goes: `phases FILE.spv [TIMES [quick]]` compiles a module again and again, for the width of this
//! machine and all bindings that it uses, and prints the medians of the phases in processor time. For profilers, too.

use compiler::{frontend, passes};
use gpu_soft::codegen::{compile, Options};
use gpu_soft::kernel_abi::{BindingSlot, Width};
use gpu_soft::loader::Loaded;
use rustix::time::{clock_gettime, ClockId};

/// Processor time of this thread in milliseconds.
fn now() -> f64 {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    t.tv_sec as f64 * 1e3 + t.tv_nsec as f64 / 1e6
}

fn bindings(kernel: &compiler::sir::Kernel) -> Vec<BindingSlot> {
    let slot = |(i, b): (usize, &compiler::sir::Binding)| BindingSlot {
        set: b.set,
        binding: b.binding,
        offset: 64 * i as u32,
        stride: 64,
        count: b.count.max(1),
        dynamic: None,
        inline_size: None,
        sampler_offset: 0,
    };
    kernel.bindings.iter().enumerate().map(slot).collect()
}

fn main() {
    let mut args = std::env::args().skip(1);
    let file = args.next().expect("a file");
    let times: usize = args.next().map_or(20, |n| n.parse().expect("a number"));
    let quick = args.next().is_some_and(|a| a == "quick");
    let bytes = std::fs::read(file).expect("readable");
    let words: Vec<u32> = bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect();
    let width = Width::best().expect("a width");
    let mut phases: [Vec<f64>; 4] = Default::default();
    let mut facts = None;
    for _ in 0..times {
        let options = frontend::Options { subgroup_size: width.lanes(), ..frontend::Options::default() };
        let start = now();
        let mut kernel = frontend::translate(&words, &options).expect("translates");
        let translated = now();
        let before = kernel.body.size();
        passes::optimize(&mut kernel, &passes::Options { short: quick, ..passes::Options::default() })
            .expect("optimises");
        let optimised = now();
        let bindings = bindings(&kernel);
        let binary = compile(&kernel, &Options { quick, ..Options::new(width, &bindings) }).expect("compiles");
        let generated = now();
        Loaded::load(&binary.bytes).expect("loads");
        let loaded = now();
        let ends = [start, translated, optimised, generated, loaded];
        phases.iter_mut().zip(ends.windows(2)).for_each(|(p, e)| p.push(e[1] - e[0]));
        facts = Some((before, kernel.body.size(), binary.stats));
    }
    for (name, mut samples) in ["translate", "optimise", "generate", "load"].into_iter().zip(phases) {
        samples.sort_by(f64::total_cmp);
        println!("{name:10} {:8.3} ms (least {:.3})", samples[times / 2], samples[0]);
    }
    println!("{facts:?}");
}
