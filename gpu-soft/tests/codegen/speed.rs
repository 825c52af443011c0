//! Speed of a few kernels on one core. Not run by default: `cargo test --test codegen speed -- --ignored --nocapture`.

use super::native::{contracted, layout, run_loaded, widths, NO_IMAGES, SECONDS};
use compiler::filetest::{Place, Setup};
use compiler::sir::Kernel;
use gpu_soft::codegen::{compile, Options};
use gpu_soft::loader::Loaded;
use std::time::Instant;

fn place(binding: u32) -> Place {
    Place { set: 0, binding, element: 0 }
}

/// Seconds of one run (best of several) and of the compilation, per width.
fn measure(name: &str, kernel: &Kernel, setup: &Setup, report: impl Fn(f64) -> String) {
    let bindings = layout(kernel, setup);
    for width in widths() {
        let start = Instant::now();
        let options = Options { want_asm: std::env::var("SIR_SHOW").is_ok(), ..Options::new(width, &bindings) };
        let binary = compile(kernel, &options).expect("compiles");
        let compiled = start.elapsed();
        let loaded = Loaded::load(&binary.bytes).expect("loads");
        let mut best = f64::MAX;
        for _ in 0..20 {
            run_loaded(&loaded, &bindings, setup, &NO_IMAGES, std::ptr::null(), 1, 0);
            best = best.min(SECONDS.get());
        }
        println!(
            "{name} {width:?}: {} (compiled in {:.1} ms, {:?})",
            report(best),
            compiled.as_secs_f64() * 1e3,
            binary.stats
        );
        if let Some(asm) = &binary.asm {
            println!("{asm}");
        }
    }
}

#[test]
#[ignore = "measures"]
fn speed_of_sgemm() {
    let kernel = contracted(include_str!("speed/sgemm.sir"));
    let n = 512u32;
    let data: Vec<u8> = (0..n * n).flat_map(|i| ((i % 17) as f32).to_le_bytes()).collect();
    let setup = Setup {
        dispatch: [n / 16, n / 16, 1],
        subgroup_size: 16,
        push: n.to_le_bytes().to_vec(),
        buffers: vec![(place(0), data.clone()), (place(1), data), (place(2), vec![0; (n * n * 4) as usize])],
        ..Setup::default()
    };
    measure("sgemm", &kernel, &setup, |s| format!("{:.1} GFLOP/s", 2.0 * f64::from(n).powi(3) / s / 1e9));
}

#[test]
#[ignore = "measures"]
fn speed_of_mandelbrot() {
    let text = include_str!("kernels/mandelbrot.sir").replace("const 64", "const 256").replace(" no_contract", "");
    let text = text
        .replace("0.09375", "0.00390625")
        .replace("const 0.25", "const 0.00390625")
        .replace("const 5\n", "const 9\n");
    let kernel = contracted(&text);
    let n = 512u32;
    let setup = Setup {
        dispatch: [n / 16, n / 2, 1],
        subgroup_size: 16,
        buffers: vec![(place(0), vec![0; (n * n * 4) as usize])],
        ..Setup::default()
    };
    measure("mandelbrot", &kernel, &setup, |s| format!("{:.2} ms", s * 1e3));
}

#[test]
#[ignore = "measures"]
fn speed_of_saxpy() {
    let kernel = contracted(super::asm::SAXPY);
    let n = 1u32 << 17;
    let data: Vec<u8> = (0..n).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let setup = Setup {
        dispatch: [n / 64, 1, 1],
        subgroup_size: 16,
        push: 2f32.to_le_bytes().to_vec(),
        buffers: vec![(place(0), data.clone()), (place(1), data)],
        ..Setup::default()
    };
    measure("saxpy", &kernel, &setup, |s| format!("{:.1} GB/s", f64::from(n) * 12.0 / s / 1e9));
}
