//! Inclusive prefix sums: blocks, their sums, and the addition of the sums.

use super::program;
use crate::bench::data::{exact, values};
use crate::bench::plan::{Binding::Storage, Case, Need, Plan, Program, Resource, Results, Scale, Step};

const ROW: Case = Case {
    name: "",
    family: "reductions and scans",
    unit: "elem/s",
    floor: 10.0,
    needs: &[],
    plan: |s| scan(program!("scan_shared", &[Storage; 3], 0), s),
};

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "scan, shared", ..ROW },
    Case {
        name: "scan, subgroups",
        floor: 1.5,
        needs: &[Need::Subgroups],
        plan: |s| scan(program!("scan_subgroup", &[Storage; 3], 0), s),
        ..ROW
    },
];

fn scan(program: Program, scale: Scale) -> Plan {
    let blocks: u32 = scale.pick(8, 1024);
    let n = 1024 * blocks as usize;
    let a: Vec<u32> = values(1, n, |r| r.word());
    // Input, output, sums of the blocks (as many as one workgroup scans), their sums, and a sum nobody needs.
    let resources = vec![
        Resource::of(&a),
        Resource::Zeros(4 * n as u64),
        Resource::Zeros(4096),
        Resource::Zeros(4096),
        Resource::Zeros(4),
    ];
    let step = |program, resources: &[usize], groups| Step::Dispatch {
        program,
        resources: resources.to_vec(),
        push: Vec::new(),
        groups: [groups, 1, 1],
    };
    let steps = vec![step(0, &[0, 1, 2], blocks), step(0, &[2, 3, 4], 1), step(1, &[1, 3], blocks - 1)];
    let check = move |r: &dyn Results| {
        let sums = a.iter().scan(0u32, |s, v| {
            *s = s.wrapping_add(*v);
            Some(*s)
        });
        exact(&r.words(1), &sums.collect::<Vec<_>>())
    };
    let add = program!("scan_add", &[Storage; 2], 0);
    Plan { programs: vec![program, add], resources, steps, work: n as f64, check: Box::new(check) }
}
