//! Large and deep kernels.

use super::native::{interpret, run, widths};
use compiler::filetest::{Place, Setup};
use compiler::sir::visit::MAX_DEPTH;
use compiler::sir::Kernel;
use compiler::text::parse;
use std::fmt::Write;
use std::time::Instant;

const HEAD: &str = "kernel \"large\"\nlocal_size 16 1 1\nbinding 0.0 storage_buffer count 1 written\nbody {\n  %0:i32 = builtin local_index\n  %1:i32 = const 3\n  %2:i32 = const 1\n  %3:bool = ult %1 %0\n  %4:i64 = zext %0\n  %5:i64 = const 4\n  %6:i64 = imul %4 %5\n  %7:buf = buffer 0.0\n  %8:i32 = const 100\n";

fn tail(value: &str) -> String {
    format!("  store buffer(%7 %6 0) {value} align 4\n  return\n}}\n")
}

fn check(name: &str, text: &str) {
    let kernel: Kernel = parse(text).expect("parses");
    compiler::verify::verify(&kernel).expect("valid");
    let setup = Setup {
        dispatch: [1, 1, 1],
        subgroup_size: 8,
        buffers: vec![(Place { set: 0, binding: 0, element: 0 }, vec![0; 64])],
        ..Setup::default()
    };
    let wanted = interpret(&kernel, &setup).expect("interprets");
    let Some(width) = widths().pop() else { return };
    let start = Instant::now();
    let found = run(&kernel, &setup, width, width.lanes()).expect("runs");
    println!("{name}: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    assert!(wanted == found, "{name}");
}

fn straight_line(n: usize) -> String {
    let mut text = HEAD.to_string();
    let mut last = 8;
    for i in 0..n {
        let op = ["iadd", "imul", "xor", "isub", "smax"][i % 5];
        let n = 10 + i;
        // Operands that LLVM cannot fold: the index, the last value and one from a while ago.
        let other = if i % 3 == 0 || i < 20 { 0 } else { n - 9 };
        let _ = writeln!(text, "  %{n}:i32 = {op} %{last} %{other}");
        last = n;
    }
    text + &tail(&format!("%{last}"))
}

#[test]
fn many_operations() {
    check("4000 operations", &straight_line(4000));
    // So many that only passes of linear cost run.
    check("61000 operations", &straight_line(61_000));
}

#[test]
fn many_branches() {
    let mut text = HEAD.to_string();
    let mut last = 0;
    for i in 0..300 {
        let n = 10 + 4 * i;
        let _ = writeln!(
            text,
            "  %{n}:bool = ult %{last} %8\n  %{}:i32 = if %{n} {{\n    store buffer(%7 %6 0) %{last} align 4\n    %{}:i32 = iadd %{last} %1\n    yield %{}\n  }} else {{\n    yield %{last}\n  }}",
            n + 1,
            n + 2,
            n + 2
        );
        last = n + 1;
    }
    check("300 branches", &(text + &tail(&format!("%{last}"))));
}

#[test]
fn deep_nests() {
    for kind in ["if", "block", "loop"] {
        let mut text = HEAD.to_string();
        let depth = MAX_DEPTH - 3;
        for i in 0..depth {
            let _ = match kind {
                "if" => writeln!(text, "if %3 {{"),
                "block" => writeln!(text, "block @{i} {{"),
                _ => writeln!(text, "loop @{i} () {{"),
            };
        }
        let _ = writeln!(text, "store buffer(%7 %6 0) %8 align 4");
        for i in (0..depth).rev() {
            let _ = match kind {
                "if" => writeln!(text, "yield\n}} else {{\nyield\n}}"),
                "block" if i > 0 && i % 7 == 0 => {
                    writeln!(text, "if %3 {{\nbreak @{}\n}} else {{\nyield\n}}\nyield\n}}", i - 1)
                }
                "block" => writeln!(text, "yield\n}}"),
                _ => writeln!(text, "break @{i}\n}}"),
            };
        }
        check(&format!("{depth} nested {kind}s"), &(text + "  return\n}\n"));
    }
}
