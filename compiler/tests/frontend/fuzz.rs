//! Broken modules: an error or a kernel that verifies, in reasonable time, never a panic.

use super::harness::{module, names, Rng};
use compiler::frontend::{translate, ErrorKind, Options};

fn check(words: &[u32], what: &str) -> bool {
    let start = std::time::Instant::now();
    let accepted = outcome(words, what);
    // Far above what any module needs, even on a busy machine.
    assert!(start.elapsed().as_secs() < 30, "{what}: took {:?}", start.elapsed());
    accepted
}

fn outcome(words: &[u32], what: &str) -> bool {
    match translate(words, &Options::default()) {
        Ok(kernel) => {
            compiler::verify::verify(&kernel).unwrap_or_else(|e| panic!("{what}: translated, but {e}"));
            true
        }
        Err(e) => {
            assert!(!e.to_string().is_empty());
            false
        }
    }
}

/// Rounds of a mutation test; `ROUNDS` asks for more, by hand.
fn rounds(usual: usize) -> usize {
    std::env::var("ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(usual)
}

fn mutate(words: &mut Vec<u32>, rng: &mut Rng) {
    for _ in 0..1 + rng.below(4) {
        if words.len() < 8 {
            return;
        }
        let at = 5 + rng.below(words.len() - 5);
        match rng.below(8) {
            0 => words[at] ^= 1 << rng.below(32),
            1 => words[at] = rng.below(64) as u32,
            2 => words[at] = rng.next() as u32,
            3 => words[at] = words[5 + rng.below(words.len() - 5)],
            4 => words.truncate(at),
            5 => {
                words.remove(at);
            }
            6 => words.insert(at, rng.below(100) as u32),
            // Another id in the bound: most likely to pass the first checks.
            _ => words[at] = 1 + rng.below(words[3] as usize) as u32,
        }
    }
}

/// Boundaries of the instructions of a module.
fn instructions(words: &[u32]) -> Vec<(usize, usize)> {
    let mut at = 5;
    let mut out = Vec::new();
    while at < words.len() {
        let n = (words[at] >> 16) as usize;
        if n == 0 {
            break;
        }
        out.push((at, n));
        at += n;
    }
    out
}

#[test]
fn mutated_modules() {
    let corpus: Vec<(String, Vec<u32>)> = names().into_iter().map(|n| (n.clone(), module(&n))).collect();
    let mut rng = Rng(0x5eed);
    let (mut passed, mut total) = (0, 0);
    for round in 0..rounds(40) {
        for (name, words) in &corpus {
            let mut words = words.clone();
            mutate(&mut words, &mut rng);
            total += 1;
            passed += usize::from(check(&words, &format!("{name}, round {round}")));
        }
    }
    // Some mutations are harmless; if none were, the mutator would not reach the interesting code.
    assert!(passed * 50 > total && passed < total, "{passed} of {total}");
}

#[test]
fn replaced_operands() {
    // Single operand words of single instructions, replaced by ids that exist: type confusion.
    let corpus: Vec<(String, Vec<u32>)> =
        names().into_iter().filter(|n| !n.ends_with(".opt")).map(|n| (n.clone(), module(&n))).collect();
    let mut rng = Rng(0xc0ffee);
    for (name, words) in &corpus {
        let places = instructions(words);
        for round in 0..rounds(60) {
            let mut words = words.clone();
            let (at, n) = places[rng.below(places.len())];
            if n < 2 {
                continue;
            }
            words[at + 1 + rng.below(n - 1)] = 1 + rng.below(words[3] as usize) as u32;
            check(&words, &format!("{name}, round {round}"));
        }
    }
}

#[test]
fn swapped_and_dropped_instructions() {
    let mut rng = Rng(0xbadc0de);
    for name in names().into_iter().filter(|n| !n.ends_with(".opt")) {
        let words = module(&name);
        let places = instructions(&words);
        for round in 0..rounds(30) {
            let mut order = places.clone();
            match rng.below(3) {
                0 => {
                    order.remove(rng.below(places.len()));
                }
                1 => {
                    let (a, b) = (rng.below(places.len()), rng.below(places.len()));
                    order.swap(a, b);
                }
                _ => order.insert(rng.below(places.len()), places[rng.below(places.len())]),
            }
            let mut mutated = words[..5].to_vec();
            for (at, n) in order {
                mutated.extend_from_slice(&words[at..at + n]);
            }
            check(&mutated, &format!("{name}, round {round}"));
        }
    }
}

#[test]
fn truncated_modules() {
    for name in names().into_iter().filter(|n| !n.ends_with(".opt")) {
        let words = module(&name);
        for cut in (0..words.len()).step_by(13) {
            assert!(!check(&words[..cut], &name), "{name} cut at {cut} was accepted");
        }
    }
}

#[test]
fn random_words() {
    let mut rng = Rng(7);
    for _ in 0..2000 {
        let n = rng.below(200);
        let mut words = vec![spirv::MAGIC_NUMBER, 0x0001_0300, 0, 500, 0];
        words.extend((0..n).map(|_| rng.next() as u32));
        check(&words, "random");
        // Plausible opcodes and word counts.
        let mut words = vec![spirv::MAGIC_NUMBER, 0x0001_0300, 0, 500, 0];
        while words.len() < n {
            let count = 1 + rng.below(6);
            words.push((count as u32) << 16 | rng.below(400) as u32);
            words.extend((1..count).map(|_| rng.below(40) as u32));
        }
        check(&words, "random instructions");
    }
}

/// A module of instructions given as (opcode, operands) after the usual head; ids 1.. are free from 20 on.
fn assemble(body: &[(u16, Vec<u32>)], bound: u32) -> Vec<u32> {
    let mut words = vec![spirv::MAGIC_NUMBER, 0x0001_0300, 0, bound, 0];
    let head: [(u16, Vec<u32>); 4] = [
        (17, vec![1]),
        (14, vec![0, 1]),
        // OpEntryPoint GLCompute %1 "main"; OpExecutionMode %1 LocalSize 1 1 1
        (15, vec![5, 1, u32::from_le_bytes(*b"main"), 0]),
        (16, vec![1, 17, 1, 1, 1]),
    ];
    for (op, operands) in head.iter().chain(body) {
        words.push((operands.len() as u32 + 1) << 16 | u32::from(*op));
        words.extend(operands);
    }
    words
}

/// `void`, `void()`, `bool`, `true`, `uint`, constant 2 as ids 2 to 7.
fn basics() -> Vec<(u16, Vec<u32>)> {
    vec![(19, vec![2]), (33, vec![3, 2]), (20, vec![4]), (41, vec![4, 5]), (21, vec![6, 32, 0]), (43, vec![6, 7, 2])]
}

/// The kind of error a module gives, on half of the stack that Rust gives threads.
fn kind(words: &[u32]) -> ErrorKind {
    let words = words.to_vec();
    let thread = std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || translate(&words, &Options::default()).expect_err("the module is accepted").kind);
    thread.unwrap().join().unwrap()
}

#[test]
fn recursion_is_refused() {
    let mut body = basics();
    body.extend([(54, vec![2, 1, 0, 3]), (248, vec![20]), (57, vec![2, 21, 1]), (253, vec![]), (56, vec![])]);
    assert_eq!(kind(&assemble(&body, 40)), ErrorKind::Invalid);
}

#[test]
fn calls_that_double_are_refused() {
    // f0 calls f1 twice, f1 calls f2 twice, …: 2^40 calls in all.
    let mut body = basics();
    for i in 0..40u32 {
        let id = if i == 0 { 1 } else { 100 + i };
        body.push((54, vec![2, id, 0, 3]));
        body.push((248, vec![1000 + i]));
        if i < 39 {
            body.push((57, vec![2, 2000 + i, 101 + i]));
            body.push((57, vec![2, 3000 + i, 101 + i]));
        }
        body.extend([(253, vec![]), (56, vec![])]);
    }
    assert_eq!(kind(&assemble(&body, 5000)), ErrorKind::Limit);
}

#[test]
fn types_that_double_are_refused_or_cheap() {
    // struct { T, T } of struct { T, T } …: 2^60 members, of uints and of empty structures.
    for leaf in [6u32, 30] {
        let mut body = basics();
        body.push((30, vec![30]));
        let mut last = leaf;
        for i in 0..60u32 {
            body.push((30, vec![100 + i, last, last]));
            last = 100 + i;
        }
        body.push((1, vec![last, 500]));
        body.push((32, vec![501, 7, last]));
        body.extend([(54, vec![2, 1, 0, 3]), (248, vec![20]), (59, vec![501, 21, 7]), (62, vec![21, 500])]);
        body.extend([(253, vec![]), (56, vec![])]);
        check(&assemble(&body, 1000), "doubling types");
    }
}

#[test]
fn deep_nesting_is_refused_without_overflow() {
    // An `if` in an `if` in an `if`, 3000 deep; needs a run-time condition, which a private variable gives.
    let mut body = basics();
    body.extend([(32, vec![8, 6, 4]), (59, vec![8, 9, 6]), (54, vec![2, 1, 0, 3]), (248, vec![20])]);
    let n = 3000u32;
    for i in 0..n {
        let (then, merge) = (10_000 + i, 20_000 + i);
        body.extend([
            (61, vec![4, 30_000 + i, 9]),
            (247, vec![merge, 0]),
            (250, vec![30_000 + i, then, merge]),
            (248, vec![then]),
        ]);
    }
    body.push((249, vec![20_000 + n - 1]));
    for i in (0..n).rev() {
        body.push((248, vec![20_000 + i]));
        body.push(if i == 0 { (253, vec![]) } else { (249, vec![20_000 + i - 1]) });
    }
    body.push((56, vec![]));
    assert_eq!(kind(&assemble(&body, 50_000)), ErrorKind::Limit);
}

#[test]
fn deep_loops_are_refused_without_overflow() {
    // A loop in the body of a loop, 1000 deep, each left by a run-time condition.
    let mut body = basics();
    body.extend([(32, vec![8, 6, 4]), (59, vec![8, 9, 6]), (54, vec![2, 1, 0, 3]), (248, vec![20])]);
    let n = 1000u32;
    body.push((249, vec![10_000]));
    for i in 0..n {
        let (header, inner, merge, cont) = (10_000 + i, 20_000 + i, 30_000 + i, 40_000 + i);
        body.extend([
            (248, vec![header]),
            (61, vec![4, 50_000 + i, 9]),
            (246, vec![merge, cont, 0]),
            (250, vec![50_000 + i, inner, merge]),
            (248, vec![inner]),
            (249, vec![if i + 1 < n { header + 1 } else { cont }]),
        ]);
    }
    for i in (0..n).rev() {
        body.extend([(248, vec![40_000 + i]), (249, vec![10_000 + i]), (248, vec![30_000 + i])]);
        body.push(if i == 0 { (253, vec![]) } else { (249, vec![40_000 + i - 1]) });
    }
    body.push((56, vec![]));
    assert_eq!(kind(&assemble(&body, 60_000)), ErrorKind::Limit);
}

#[test]
fn deep_calls_are_refused_or_translated_without_overflow() {
    // Each function calls the next one from within two nested ifs.
    let mut body = basics();
    body.extend([(32, vec![8, 6, 4]), (59, vec![8, 9, 6])]);
    let n = 100u32;
    for i in 0..n {
        let id = if i == 0 { 1 } else { 100 + i };
        let at = |k: u32| 1000 + i * 10 + k;
        body.extend([
            (54, vec![2, id, 0, 3]),
            (248, vec![at(0)]),
            (61, vec![4, at(1), 9]),
            (247, vec![at(2), 0]),
            (250, vec![at(1), at(3), at(2)]),
            (248, vec![at(3)]),
            (247, vec![at(4), 0]),
            (250, vec![at(1), at(5), at(4)]),
            (248, vec![at(5)]),
        ]);
        if i + 1 < n {
            body.push((57, vec![2, at(6), 101 + i]));
        }
        body.extend([
            (249, vec![at(4)]),
            (248, vec![at(4)]),
            (249, vec![at(2)]),
            (248, vec![at(2)]),
            (253, vec![]),
            (56, vec![]),
        ]);
    }
    assert_eq!(kind(&assemble(&body, 9000)), ErrorKind::Limit);
}

#[test]
fn a_long_chain_of_selections_is_fine() {
    let mut body = basics();
    body.extend([(32, vec![8, 6, 4]), (59, vec![8, 9, 6]), (54, vec![2, 1, 0, 3]), (248, vec![20])]);
    for i in 0..5000u32 {
        let (then, merge) = (10_000 + i, 20_000 + i);
        body.extend([
            (61, vec![4, 30_000 + i, 9]),
            (247, vec![merge, 0]),
            (250, vec![30_000 + i, then, merge]),
            (248, vec![then]),
            (249, vec![merge]),
            (248, vec![merge]),
        ]);
    }
    body.extend([(253, vec![]), (56, vec![])]);
    assert!(check(&assemble(&body, 50_000), "chain"));
}

#[test]
fn errors_name_the_instruction() {
    let mut body = basics();
    // OpKill is of fragment shaders.
    body.extend([(54, vec![2, 1, 0, 3]), (248, vec![20]), (252, vec![]), (56, vec![])]);
    let e = translate(&assemble(&body, 40), &Options::default()).unwrap_err();
    assert_eq!((e.kind, e.op), (ErrorKind::Unsupported, "OpKill"));
    assert!(e.word.is_some());
    let mut words = assemble(&basics(), 40);
    words[6] = 2;
    let e = translate(&words, &Options::default()).unwrap_err();
    assert!(e.to_string().contains("Geometry") && e.op == "OpCapability", "{e}");
}
