//! Programs are valid, the same for the same seed, and full of what they are meant to hold.

use super::*;
use std::io::Write as _;
use std::process::{Command, Stdio};

fn validate(words: &[u32]) -> Result<(), String> {
    let child = Command::new("spirv-val")
        .args(["--target-env", "vulkan1.3", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        // Debian's spirv-tools; `./test` installs them.
        panic!("spirv-val is not installed");
    };
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(bytemuck::cast_slice(words)).expect("spirv-val reads");
    drop(input);
    let out = child.wait_with_output().expect("spirv-val ends");
    if out.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout))
}

#[test]
fn programs_are_valid() {
    // (Debian's validator is older than maximal reconvergence.)
    let known = Caps(Caps::all().0 & !(1 << Cap::MaximalReconvergence as u32));
    for seed in 0..150 {
        for caps in [known, Caps::default()] {
            let p = generate(seed, &Recipe::new(caps));
            if let Err(e) = validate(&p.spirv) {
                panic!("seed {seed} caps {caps:?}: {e}");
            }
        }
    }
}

#[test]
fn leaving_statements_out_leaves_valid_programs() {
    for seed in 0..20 {
        let recipe = Recipe::new(Caps::default().with(Cap::Int64));
        let p = generate(seed, &recipe);
        let skip: BTreeSet<u64> = p.statements.iter().step_by(2).copied().collect();
        let smaller = generate(seed, &Recipe { skip: skip.clone(), ..recipe });
        assert!(!smaller.statements.is_empty() && smaller.statements.iter().all(|s| !skip.contains(s)));
        assert_eq!(validate(&smaller.spirv), Ok(()), "seed {seed}");
    }
}

#[test]
fn a_seed_is_a_program() {
    let recipe = Recipe::new(Caps::all());
    assert_eq!(generate(7, &recipe).spirv, generate(7, &recipe).spirv);
    assert_ne!(generate(7, &recipe).spirv, generate(8, &recipe).spirv);
}

#[test]
fn programs_hold_every_construct() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let p = generate(seed, &Recipe::new(Caps::all()));
        let mut at = 5;
        while at < p.spirv.len() {
            seen.insert(p.spirv[at] & 0xffff);
            at += (p.spirv[at] >> 16) as usize;
        }
    }
    use spirv::Op;
    for op in [
        Op::ControlBarrier,
        Op::LoopMerge,
        Op::Switch,
        Op::Phi,
        Op::FunctionCall,
        Op::ReturnValue,
        Op::AtomicIAdd,
        Op::AtomicCompareExchange,
        Op::GroupNonUniformIAdd,
        Op::GroupNonUniformBallot,
        Op::GroupNonUniformShuffle,
        Op::GroupNonUniformQuadSwap,
        Op::BitFieldInsert,
        Op::SMod,
        Op::FConvert,
        Op::VectorExtractDynamic,
    ] {
        assert!(seen.contains(&(op as u32)), "{op:?}");
    }
}
