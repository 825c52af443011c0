//! Modules that are not what they should be. Vulkan lets a driver do anything with invalid SPIR-V; this one promises an
//! error or a pipeline. The modules are only compiled, never run.

use crate::support::*;
use ash::vk;
use vk::DescriptorType as D;

tests! { malformed_modules }

/// The seeds with the layout each needs.
fn seeds() -> Vec<(Vec<u32>, Vec<D>, u32)> {
    let s = D::STORAGE_BUFFER;
    vec![
        (spv!("affine").to_vec(), vec![s], 16),
        (spv!("control").to_vec(), vec![s, s], 0),
        (spv!("reduce").to_vec(), vec![s, s], 4),
        (spv!("spec").to_vec(), vec![s], 0),
        (spv!("integers").to_vec(), vec![s, s, s], 4),
        (spv!("layouts_std430").to_vec(), vec![s, s], 0),
        (spv!("subgroup_vote").to_vec(), vec![s, s, s], 8),
        (spv!("image_2d").to_vec(), vec![D::STORAGE_IMAGE, D::STORAGE_IMAGE], 12),
        (spv!("sample").to_vec(), vec![D::COMBINED_IMAGE_SAMPLER, s, s], 4),
        (spv!("varptr").to_vec(), vec![s, s, s], 0),
        (spv!("empty").to_vec(), vec![s], 0),
    ]
}

/// Spoils a module in one of several ways.
fn mutate(words: &mut Vec<u32>, random: &mut Random) {
    let pick = |random: &mut Random, n: usize| random.below(n.max(1) as u32) as usize;
    for _ in 0..1 + random.below(2) {
        let n = words.len();
        if n < 6 {
            return;
        }
        match random.below(24) {
            0 => words.truncate(pick(random, n)),
            1 => words[pick(random, n)] ^= 1 << random.below(32),
            2 => words[pick(random, n)] = random.word(),
            3 => words[pick(random, n)] = random.below(200),
            4 => {
                let (a, b) = (5 + pick(random, n - 5), 5 + pick(random, n - 5));
                words.swap(a, b);
            }
            5 => {
                words.remove(5 + pick(random, n - 5));
            }
            6 => words.insert(5 + pick(random, n - 5), random.below(100)),
            // Whole instructions: dropped, doubled, or with another opcode.
            _ => {
                let mut at = 5;
                let mut starts = Vec::new();
                while at < n {
                    starts.push(at);
                    at += (words[at] >> 16).max(1) as usize;
                }
                if starts.is_empty() {
                    continue;
                }
                let i = starts[pick(random, starts.len())];
                let end = (i + (words[i] >> 16) as usize).min(n);
                match random.below(16) {
                    0 => drop(words.drain(i..end)),
                    1 => {
                        let copy = words[i..end].to_vec();
                        let to = starts[pick(random, starts.len())];
                        words.splice(to..to, copy);
                    }
                    2 => words[i] = words[i] & 0xffff_0000 | random.below(400),
                    // An operand names another id.
                    _ if end > i + 1 => words[i + 1 + pick(random, end - i - 1)] = random.below(words[3].max(1)),
                    _ => {}
                }
            }
        }
    }
}

unsafe fn malformed_modules() -> R {
    let t = T::open(&cts::Setup { unvalidated: true, ..cts::Setup::default() })?;
    need!(t.is_ours(), "promise about invalid SPIR-V");
    let cases = std::env::var("CTS_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300u32);
    let first = std::env::var("CTS_FUZZ_FIRST").ok().and_then(|n| n.parse().ok()).unwrap_or(0u32);
    let seeds = seeds();
    let layouts: Vec<_> = seeds
        .iter()
        .map(|(_, types, push)| {
            let sl = t.set_layout(types)?;
            t.layout(&[sl], *push)
        })
        .collect::<R<_>>()?;
    let (mut refused, mut made) = (0, 0);
    for case in first..first + cases {
        let mut random = Random(u64::from(case) * 7919 + 13);
        let k = random.below(seeds.len() as u32) as usize;
        let mut code = seeds[k].0.clone();
        if case % 50 == 49 {
            // Nothing like a module.
            let n = 1 + random.below(300) as usize;
            code = random.words(n);
            if random.below(2) == 0 {
                code[0] = 0x0723_0203;
            }
        } else {
            mutate(&mut code, &mut random);
        }
        if code.is_empty() {
            continue;
        }
        // Known if it dies here: the test's output is shown with the failure.
        eprint!("\rcase {case} ");
        let start = std::time::Instant::now();
        match t.pipeline(&KernelInfo { code: &code, ..KernelInfo::default() }, layouts[k]) {
            Ok(p) => {
                made += 1;
                t.d.destroy_pipeline(p, None);
            }
            Err(vk::Result::ERROR_DEVICE_LOST) => fail!("case {case} lost the device"),
            Err(_) => refused += 1,
        }
        check!(start.elapsed().as_secs() < 20, "case {case} took {:?}", start.elapsed());
    }
    eprintln!();
    println!("{cases} modules: {refused} refused, {made} compiled");
    check!(refused > cases / 4, "hardly any spoiled module was refused");
    // And the device still works.
    let b = t.zeros(256)?;
    t.compute(spv!("affine"), &[B::S(b)], &words(&[0, 64, 1, 3]), [1, 1, 1])?;
    equal(&b.get::<u32>(), &[3; 64])
}
