//! Contention: many invocations, few words.

use super::program;
use crate::bench::data::{exact, values};
use crate::bench::plan::{Binding::Storage, Case, Check, Plan, Program, Resource, Results, Scale, Step};

const ROW: Case = Case { name: "", family: "histograms and atomics", unit: "op/s", floor: 3.0, needs: &[], plan: one };

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "atomic add, one word", plan: one, ..ROW },
    Case { name: "atomic max, 64 words", plan: maxima, ..ROW },
    Case { name: "append by atomic counter", plan: tickets, ..ROW },
    Case { name: "float add by compare-swap", plan: swap, ..ROW },
];

fn input(scale: Scale) -> Vec<u32> {
    values(1, scale.pick(1 << 12, 1 << 20), |r| r.word())
}

fn plan(program: Program, a: &[u32], used: &[usize], output: u64, check: Check) -> Plan {
    let resources = vec![Resource::of(a), Resource::Zeros(1024), Resource::Zeros(output)];
    let groups = [a.len() as u32 / 256, 1, 1];
    let steps = vec![
        Step::Fill { resource: 1, word: 0 },
        Step::Dispatch { program: 0, resources: used.to_vec(), push: Vec::new(), groups },
    ];
    Plan { programs: vec![program], resources, steps, work: a.len() as f64, check }
}

fn one(scale: Scale) -> Plan {
    let a = input(scale);
    let sum = a.iter().fold(0u32, |s, v| s.wrapping_add(*v));
    let check = move |r: &dyn Results| exact(&r.words(1)[..1], &[sum]);
    plan(program!("atomic_one", &[Storage; 3], 0), &a, &[0, 1, 2], 4, Box::new(check))
}

fn maxima(scale: Scale) -> Plan {
    let a = input(scale);
    let mut want = vec![0u32; 64];
    a.iter().for_each(|v| want[(v & 63) as usize] = want[(v & 63) as usize].max(*v));
    let check = move |r: &dyn Results| exact(&r.words(1)[..64], &want);
    plan(program!("atomic_max", &[Storage; 3], 0), &a, &[0, 1, 2], 4, Box::new(check))
}

fn tickets(scale: Scale) -> Plan {
    let a = input(scale);
    let mut want: Vec<u32> = a.iter().copied().filter(|v| v & 3 == 0).collect();
    want.sort_unstable();
    let check = move |r: &dyn Results| {
        exact(&r.words(1)[..1], &[want.len() as u32])?;
        let mut got = r.words(2);
        got.truncate(want.len());
        got.sort_unstable();
        exact(&got, &want)
    };
    let size = 4 * a.len() as u64;
    plan(program!("atomic_ticket", &[Storage; 3], 0), &a, &[0, 1, 2], size, Box::new(check))
}

fn swap(scale: Scale) -> Plan {
    let a = input(scale);
    // Sums of small whole numbers are exact in floats.
    let mut want = vec![0f32; 256];
    a.iter().for_each(|v| want[(v & 255) as usize] += (v >> 8 & 7) as f32);
    let check = move |r: &dyn Results| exact(&r.floats(1), &want);
    plan(program!("atomic_cas", &[Storage; 2], 0), &a, &[0, 1], 4, Box::new(check))
}
