//! The code that is there at once, the better code that follows it, and the interpreter compute the same floating-point numbers, bit for bit: random
//! chains of products and sums, of which the front end forbade some to be fused, in loops that only one of the pipelines writes
//! out, in conditional parts, over private arrays, and with functions of what turns out to be constant in one of the pipelines only.
//!
//! `SIR_SEEDS=from..to` runs other seeds than the default ones; a failing kernel is printed.

use super::native::{interpret, run_with, seeds, widths};
use compiler::filetest::{Place, Setup};
use compiler::passes;
use compiler::sir::Kernel;
use gpu_soft::codegen::Options;
use gpu_soft::kernel_abi::Width;
use std::fmt::Write;

/// A small generator of pseudo-random numbers.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

struct Writer {
    text: String,
    rng: Rng,
    ty: &'static str,
    next: usize,
    labels: usize,
    /// Floats that may be used.
    pool: Vec<usize>,
    /// Counters of the loops around.
    counters: Vec<usize>,
}

impl Writer {
    /// Adds a line that defines a value.
    fn line(&mut self, ty: &str, what: &str) -> usize {
        let v = self.next;
        self.next += 1;
        let _ = writeln!(self.text, "%{v}:{ty} = {what}");
        v
    }

    fn float(&mut self, what: &str) {
        let v = self.line(self.ty, what);
        self.pool.push(v);
    }

    fn pick(&mut self) -> usize {
        // Recent ones, so that there are chains.
        let n = self.pool.len();
        let at = if self.rng.below(3) > 0 { n - 1 - self.rng.below(n.min(4)) } else { self.rng.below(n) };
        self.pool[at]
    }

    fn arithmetic(&mut self) {
        let (a, b, c) = (self.pick(), self.pick(), self.pick());
        let strict = self.rng.of(&["", "", "", " no_contract"]);
        let what = match self.rng.below(16) {
            0..=6 => format!("fmul %{a} %{b}{strict}"),
            7..=10 => format!("fadd %{a} %{b}{strict}"),
            11..=13 => format!("fsub %{a} %{b}{strict}"),
            14 => format!("fneg %{a}"),
            _ => format!("fma %{a} %{b} %{c}"),
        };
        self.float(&what);
    }

    /// A product and its sum, with something between.
    fn pair(&mut self, depth: usize) {
        let (a, b) = (self.pick(), self.pick());
        let product = self.line(self.ty, &format!("fmul %{a} %{b}"));
        if self.rng.below(2) == 0 {
            self.statement(depth);
        }
        let c = self.pick();
        let sum = self.rng.of(&["fadd", "fsub"]);
        let what =
            if self.rng.below(2) == 0 { format!("{sum} %{product} %{c}") } else { format!("{sum} %{c} %{product}") };
        self.float(&what);
    }

    fn statements(&mut self, depth: usize) {
        for _ in 0..1 + self.rng.below(4) {
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: usize) {
        match self.rng.below(13) {
            0 | 1 if depth > 0 => self.conditional(depth - 1),
            2 | 3 if depth > 0 => self.repeated(depth - 1),
            4 => self.private(),
            5 | 6 if !self.counters.is_empty() => self.function(),
            7..=9 => self.pair(depth),
            _ => self.arithmetic(),
        }
    }

    fn conditional(&mut self, depth: usize) {
        let (a, b) = (self.pick(), self.pick());
        let cond = self.line("bool", &format!("flt %{a} %{b}"));
        let result = self.next;
        self.next += 1;
        let _ = writeln!(self.text, "%{result}:{} = if %{cond} {{", self.ty);
        let known = self.pool.len();
        for side in 0..2 {
            self.statements(depth);
            let v = self.pick();
            let _ = writeln!(self.text, "yield %{v}\n}}{}", if side == 0 { " else {" } else { "" });
            self.pool.truncate(known);
        }
        self.pool.push(result);
    }

    /// A loop of known length, with a number that goes around.
    fn repeated(&mut self, depth: usize) {
        let label = self.labels;
        self.labels += 1;
        let times = 1 + self.rng.below(6);
        let (zero, one) = (self.line("i32", "const 0"), self.line("i32", "const 1"));
        let limit = self.line("i32", &format!("const {times}"));
        let [result, counter, around] = [0, 1, 2].map(|i| self.next + i);
        self.next += 3;
        let (first, ty) = (self.pick(), self.ty);
        let _ =
            writeln!(self.text, "%{result}:{ty} = loop @{label} (%{counter}:i32=%{zero} %{around}:{ty}=%{first}) {{");
        let more = self.line("bool", &format!("ult %{counter} %{limit}"));
        let _ = writeln!(self.text, "if %{more} {{\nyield\n}} else {{\nbreak @{label} %{around}\n}}");
        let known = self.pool.len();
        self.pool.push(around);
        self.counters.push(counter);
        self.statements(depth);
        let last = self.pick();
        let next = self.line("i32", &format!("iadd %{counter} %{one}"));
        let _ = writeln!(self.text, "continue @{label} %{next} %{last}\n}}");
        self.counters.pop();
        self.pool.truncate(known);
        self.pool.push(result);
    }

    /// An element of a private array, written or read.
    fn private(&mut self) {
        let at = match self.counters.last() {
            Some(&counter) => {
                let three = self.line("i32", "const 3");
                let index = self.line("i32", &format!("and %{counter} %{three}"));
                let bytes = self.line("i32", &format!("const {}", if self.ty == "f32" { 4 } else { 8 }));
                let off = self.line("i32", &format!("imul %{index} %{bytes}"));
                format!("slot($0 %{off} 0)")
            }
            None => "slot($0 8)".to_owned(),
        };
        if self.rng.below(2) == 0 {
            let v = self.pick();
            let _ = writeln!(self.text, "store {at} %{v} align 4");
        } else {
            self.float(&format!("load {at} align 4"));
        }
    }

    /// A function of a counter.
    fn function(&mut self) {
        let counter = self.counters[self.counters.len() - 1];
        let x = self.line("f32", &format!("utof %{counter}"));
        let two = self.line("f32", "const 1.5");
        let what = match self.rng.below(7) {
            0 => format!("fpow %{two} %{x}"),
            1 => format!("frem %{x} %{two}"),
            2 => format!("frsqrt %{x}"),
            _ => format!("{} %{x}", self.rng.of(&["fsin", "fexp", "flog2", "ftanh", "fatan"])),
        };
        let v = self.line("f32", &what);
        if self.ty == "f32" {
            self.pool.push(v);
        } else {
            self.float(&format!("fconv %{v}"));
        }
    }
}

fn random_text(seed: u64) -> String {
    let ty = if seed.is_multiple_of(4) { "f64" } else { "f32" };
    let bytes = if ty == "f32" { 4 } else { 8 };
    let rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d);
    let mut w = Writer { text: String::new(), rng, ty, next: 0, labels: 0, pool: Vec::new(), counters: Vec::new() };
    w.text.push_str(
        "kernel \"k\"\nlocal_size 32 1 1\npush 16\nslot $0 size 32 align 8\nbinding 0.0 storage_buffer count 1\n\
         binding 0.1 storage_buffer count 1 written\nbody {\n",
    );
    let id = w.line("i32", "builtin global_id.x");
    let size = w.line("i32", "const 16");
    let off = w.line("i32", &format!("imul %{id} %{size}"));
    let off = w.line("i64", &format!("zext %{off}"));
    let (input, output) = (w.line("buf", "buffer 0.0"), w.line("buf", "buffer 0.1"));
    for i in 0..4 {
        // Some the same for all.
        let from = if i < 3 { format!("buffer(%{input} %{off} {})", i * 4) } else { "push(4)".to_owned() };
        let v = w.line("f32", &format!("load {from} align 4"));
        let v = if ty == "f32" { v } else { w.line(ty, &format!("fconv %{v}")) };
        w.pool.push(v);
        let _ = writeln!(w.text, "store slot($0 {}) %{v} align 4", i * bytes);
    }
    for _ in 0..6 {
        w.statement(3);
    }
    for i in 0..2 {
        // NaNs made the same.
        let v = w.pick();
        let nan = w.line("bool", &format!("fisnan %{v}"));
        let one = w.line(ty, "const 1.0");
        let v = w.line(ty, &format!("select %{nan} %{one} %{v}"));
        let _ = writeln!(w.text, "store buffer(%{output} %{off} {}) %{v} align 4", i * 8);
    }
    w.text.push_str("return\n}\n");
    w.text
}

fn setup() -> Setup {
    let floats = |n: usize, f: &dyn Fn(usize) -> f32| (0..n).flat_map(|i| f(i).to_le_bytes()).collect::<Vec<u8>>();
    let place = |binding| Place { set: 0, binding, element: 0 };
    // No short fractions, so that every rounding shows.
    let input = floats(64 * 4, &|i| ((i * 7919 % 1000) as f32 * 0.003_7 - 1.8) / 1.3);
    Setup {
        dispatch: [2, 1, 1],
        subgroup_size: 16,
        push: floats(4, &|i| i as f32 / 3.0 + 0.1),
        buffers: vec![(place(0), input), (place(1), vec![0; 64 * 16])],
        ..Setup::default()
    }
}

fn check(seed: u64) -> Result<bool, String> {
    let text = random_text(seed);
    let kernel = compiler::text::parse(&text).map_err(|e| format!("seed {seed}: {e}\n{text}"))?;
    compiler::verify::verify(&kernel).map_err(|e| format!("seed {seed}: {e}\n{text}"))?;
    let setup = setup();
    let optimised = |short: bool, contract: bool| {
        let mut k = kernel.clone();
        // As for processors with 16 lanes, and as for those with 4.
        let tables = contract && widths().contains(&Width::W16);
        let options = passes::Options { short, contract, tables, verify: true, ..Default::default() };
        passes::optimize(&mut k, &options).map(|()| k).map_err(|e| format!("seed {seed}: {e}\n{text}"))
    };
    let mut fused = Vec::new();
    for contract in [true, false] {
        let (short, full) = (optimised(true, contract)?, optimised(false, contract)?);
        let wanted = interpret(&short, &setup)?;
        let differs = |what: &str, k: &Kernel, found: &super::native::Buffers| {
            let place = (0, 1, 0);
            let (a, b) = (&wanted[&place], &found[&place]);
            match (0..a.len()).find(|i| a[*i] != b[*i]) {
                None => Ok(()),
                Some(at) => Err(format!(
                    "seed {seed}, {what}, contract {contract}: differs at byte {at}\n{text}\n; short\n{}\n; here\n{}",
                    compiler::text::print(&short),
                    compiler::text::print(k)
                )),
            }
        };
        differs("interpreted after all passes", &full, &interpret(&full, &setup)?)?;
        // A width does not matter, and takes time.
        let width = widths().into_iter().rfind(|w| (*w != Width::W4) == contract);
        for (k, quick) in [(&full, false), (&short, true)] {
            let Some(width) = width.filter(|w| !quick || *w == Width::W16) else { continue };
            let found = run_with(k, &setup, width, 16, |o| Options { jam: Some(1), quick, ..o });
            let found = found.map_err(|e| format!("seed {seed}: {e}\n{text}"))?;
            differs(if quick { "code at once" } else { "better code" }, k, &found)?;
        }
        fused.push(compiler::text::print(&short).matches("fma").count());
    }
    Ok(fused[0] > fused[1])
}

#[test]
fn all_code_computes_the_same() {
    let range = seeds();
    let (mut fused, all) = (0, range.clone().count());
    for seed in range {
        fused += usize::from(check(seed).unwrap_or_else(|e| panic!("{e}")));
    }
    assert!(fused * 2 > all, "only {fused} kernels of {all} have something to fuse");
}
