//! Bitonic sort. A pass begins with a copy of the unsorted input.

use super::program;
use crate::bench::data::{exact, push, values};
use crate::bench::plan::{Binding::Storage, Case, Plan, Resource, Results, Scale, Step};

/// Rows.
pub const CASES: &[Case] =
    &[Case { name: "bitonic sort", family: "sorting", unit: "elem/s", floor: 1.5, needs: &[], plan: sort }];

/// Elements that a workgroup sorts in its memory.
const BLOCK: u32 = 512;

fn sort(scale: Scale) -> Plan {
    let n: u32 = scale.pick(2048, 1 << 18);
    let a: Vec<u32> = values(1, n as usize, |r| r.word());
    let resources = vec![Resource::of(&a), Resource::Zeros(4 * u64::from(n))];
    let programs = vec![
        program!("sort_local", &[Storage], 8),
        program!("sort_merge", &[Storage], 8),
        program!("sort_global", &[Storage], 8),
    ];
    let step = |program, size, reach| Step::Dispatch {
        program,
        resources: vec![1],
        push: push(&[size, reach]),
        groups: [n / BLOCK, 1, 1],
    };
    let mut steps = vec![Step::Copy { from: 0, to: 1 }, step(0, 0, 0)];
    let mut size = 2 * BLOCK;
    while size <= n {
        let mut reach = size / 2;
        while reach >= BLOCK {
            steps.push(step(2, size, reach));
            reach /= 2;
        }
        steps.push(step(1, size, 0));
        size *= 2;
    }
    let check = move |r: &dyn Results| {
        let mut want = a.clone();
        want.sort_unstable();
        exact(&r.words(1), &want)
    };
    Plan { programs, resources, steps, work: f64::from(n), check: Box::new(check) }
}
