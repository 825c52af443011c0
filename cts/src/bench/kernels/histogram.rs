//! Histograms of 256 bins.

use super::program;
use crate::bench::data::{exact, push, values};
use crate::bench::plan::{Binding::Storage, Case, Plan, Program, Resource, Results, Scale, Step};

const ROW: Case = Case {
    name: "",
    family: "histograms and atomics",
    unit: "elem/s",
    floor: 3.0,
    needs: &[],
    plan: |s| histogram(program!("histogram_shared", &[Storage; 2], 4), 256 * 32, 256, s),
};

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "histogram, shared", ..ROW },
    Case {
        name: "histogram, global",
        plan: |s| histogram(program!("histogram_global", &[Storage; 2], 4), 256, 256, s),
        ..ROW
    },
    Case {
        name: "histogram, shared, few values",
        plan: |s| histogram(program!("histogram_shared", &[Storage; 2], 4), 256 * 32, 3, s),
        ..ROW
    },
];

/// `of` elements per workgroup; `values` different ones.
fn histogram(program: Program, of: usize, different: u32, scale: Scale) -> Plan {
    let n: usize = scale.pick(5000, (1 << 21) - 100);
    let a: Vec<u32> = values(1, n, |r| r.below(different) * 7);
    let resources = vec![Resource::of(&a), Resource::Zeros(1024)];
    let groups = [n.div_ceil(of) as u32, 1, 1];
    let steps = vec![
        Step::Fill { resource: 1, word: 0 },
        Step::Dispatch { program: 0, resources: vec![0, 1], push: push(&[n as u32]), groups },
    ];
    let check = move |r: &dyn Results| {
        let mut want = vec![0u32; 256];
        a.iter().for_each(|v| want[(v & 255) as usize] += 1);
        exact(&r.words(1), &want)
    };
    Plan { programs: vec![program], resources, steps, work: n as f64, check: Box::new(check) }
}
