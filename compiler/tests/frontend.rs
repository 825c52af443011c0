//! The front end on the shader corpus of `tests/shaders`.

#[path = "frontend/asm.rs"]
mod asm;
#[path = "frontend/coop.rs"]
mod coop;
#[path = "frontend/fuzz.rs"]
mod fuzz;
#[path = "frontend/harness.rs"]
mod harness;
#[path = "frontend/heap.rs"]
mod heap;
#[path = "frontend/reconvergence.rs"]
mod reconvergence;
#[path = "frontend/results.rs"]
mod results;

use compiler::frontend::{translate, Options};
use harness::{dispatch, kernel, machine_for, module, names};

#[test]
fn corpus_translates_and_verifies() {
    let mut failures = Vec::new();
    let names = names();
    assert!(names.len() >= 70, "the corpus has shrunk to {}", names.len());
    for name in names {
        match translate(&module(&name), &Options::default()) {
            Err(e) => failures.push(format!("{name}: {e}")),
            Ok(kernel) => {
                if let Err(e) = compiler::verify::verify(&kernel) {
                    failures.push(format!("{name}: {e}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// `spirv-opt -O` keeps what a module means, but changes nearly everything about its shape.
#[test]
fn optimised_modules_do_the_same() {
    let mut compared = 0;
    for name in names().iter().filter_map(|n| n.strip_suffix(".opt")) {
        if matches!(name, "physical" | "clock") {
            continue;
        }
        let (a, b) = (kernel(name, &Options::default()), kernel(&format!("{name}.opt"), &Options::default()));
        let (Some(mut ma), Some(mut mb)) = (machine_for(&a), machine_for(&a)) else { continue };
        dispatch(&a, &mut ma, [1, 1, 1]);
        dispatch(&b, &mut mb, [1, 1, 1]);
        for binding in &a.bindings {
            for element in 0..4 {
                let at = |m: &compiler::interp::TestMachine| {
                    m.contents(binding.set, binding.binding, element).map(<[u8]>::to_vec)
                };
                assert!(at(&ma) == at(&mb), "{name}: set {} binding {}", binding.set, binding.binding);
            }
        }
        compared += 1;
    }
    assert!(compared >= 20, "only {compared} modules could be compared");
}

#[test]
#[ignore = "prints the kernel of the module named by DUMP"]
fn dump() {
    let want = std::env::var("DUMP").unwrap();
    println!("{}", compiler::text::print(&kernel(&want, &Options::default())));
}
