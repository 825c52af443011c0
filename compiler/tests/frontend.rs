//! The front end on the shader corpus of `tests/shaders`.

#[path = "frontend/harness.rs"]
mod harness;
#[path = "frontend/results.rs"]
mod results;
#[path = "frontend/fuzz.rs"]
mod fuzz;

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

#[test]
#[ignore = "translates every .spv under the directory DIR"]
fn directory() {
    let dir = std::env::var("DIR").unwrap();
    let mut counts = std::collections::BTreeMap::<String, (usize, String)>::new();
    let mut slow = Vec::new();
    for e in std::fs::read_dir(dir).unwrap() {
        let p = e.unwrap().path();
        let bytes = std::fs::read(&p).unwrap();
        let words: Vec<u32> = bytes.chunks_exact(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect();
        let t = std::time::Instant::now();
        let result = match translate(&words, &Options::default()) {
            Ok(k) => match compiler::verify::verify(&k) {
                Ok(()) => "ok".to_owned(),
                Err(e) => format!("VERIFY {e}"),
            },
            Err(e) => format!("{:?} {} {}", e.kind, e.op, e.reason),
        };
        if t.elapsed().as_millis() > 200 {
            slow.push((t.elapsed(), p.clone()));
        }
        let entry = counts.entry(result).or_insert((0, p.display().to_string()));
        entry.0 += 1;
    }
    let mut all: Vec<_> = counts.into_iter().collect();
    all.sort_by_key(|e| std::cmp::Reverse(e.1 .0));
    for (what, (n, example)) in all {
        println!("{n:6} {what}   {example}");
    }
    println!("{slow:?}");
}

#[test]
#[ignore = "PAIRS"]
fn pairs() {
    use compiler::interp::{run_workgroup, GroupInfo, Limits};
    let dir = std::env::var("PAIRS").unwrap();
    let read = |p: &std::path::Path| -> Option<Vec<u32>> {
        Some(std::fs::read(p).ok()?.chunks_exact(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect())
    };
    let (mut ok, mut images, mut fault, mut bad, mut err) = (0, 0, 0, 0, 0);
    for e in std::fs::read_dir(dir).unwrap() {
        let p = e.unwrap().path();
        let name = p.display().to_string();
        if name.ends_with(".opt.spv") { continue; }
        let (Some(a), Some(b)) = (read(&p), read(std::path::Path::new(&name.replace(".spv", ".opt.spv")))) else { continue };
        let o = Options { zero_shared: true, ..Options::default() };
        let (Ok(a), Ok(b)) = (translate(&a, &o), translate(&b, &o)) else { err += 1; 
            continue };
        if let Err(e) = compiler::verify::verify(&b) { println!("VERIFY opt {name} {e}"); }
        let (Some(mut ma), Some(mut mb)) = (machine_for(&a), machine_for(&a)) else { images += 1; continue };
        if a.invocations() > 512 { continue; }
        let info = GroupInfo { workgroup_id: [0, 0, 0], num_workgroups: [1, 1, 1], subgroup_size: 8 };
        let l = Limits { max_steps: 30_000, cancel: None };
        let ra = run_workgroup(&a, &info, &mut ma, &l);
        let rb = run_workgroup(&b, &info, &mut mb, &l);
        if ra.is_err() || rb.is_err() { fault += 1; if ra.is_err() != rb.is_err() {println!("fault {name} {ra:?} {rb:?}");} continue; }
        let mut differ = false;
        for binding in &a.bindings { for el in 0..4 {
            differ |= ma.contents(binding.set, binding.binding, el) != mb.contents(binding.set, binding.binding, el);
        } }
        if differ { bad += 1; print!("DIFFER {name}"); for binding in &a.bindings { for el in 0..4 { if let (Some(x),Some(y)) = (ma.contents(binding.set, binding.binding, el), mb.contents(binding.set, binding.binding, el)) { let d: Vec<_> = x.chunks(4).zip(y.chunks(4)).enumerate().filter(|(_,(p,q))| p!=q).map(|(i,(p,q))| (i, u32::from_le_bytes(p.try_into().unwrap()), u32::from_le_bytes(q.try_into().unwrap()))).collect(); if !d.is_empty() { print!(" {}.{} n={} first {:x?}", binding.set, binding.binding, d.len(), &d[..d.len().min(3)]); } } } } println!(); } else { ok += 1; }
    }
    println!("ok {ok} images {images} fault {fault} bad {bad} err {err}");
}
