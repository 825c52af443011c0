//! Sums of many words.

use super::{program, single};
use crate::bench::data::{push, values};
use crate::bench::plan::{Binding::Storage, Case, Need, Plan, Program, Resource, Results, Scale};

const ROW: Case =
    Case { name: "", family: "reductions and scans", unit: "B/s", floor: 10.0, needs: &[], plan: strided };

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "reduce, shared tree", plan: |s| tree(program!("reduce_tree", &[Storage; 2], 4), s), ..ROW },
    Case { name: "reduce, grid stride", floor: 1.5, plan: strided, ..ROW },
    Case {
        name: "reduce, subgroups",
        floor: 1.5,
        needs: &[Need::Subgroups],
        plan: |s| tree(program!("reduce_subgroup", &[Storage; 2], 4), s),
        ..ROW
    },
];

/// Some elements are beyond the end for the last workgroup.
fn elements(scale: Scale) -> usize {
    scale.pick(5000, (1 << 22) - 100)
}

fn plan(program: Program, groups: usize, n: usize) -> Plan {
    let a: Vec<u32> = values(1, n, |r| r.word());
    let resources = vec![Resource::of(&a), Resource::Zeros(4 * groups as u64)];
    let check = move |r: &dyn Results| {
        let add = |s: u32, v: &u32| s.wrapping_add(*v);
        let (got, want) = (r.words(1).iter().fold(0, add), a.iter().fold(0, add));
        if got == want {
            Ok(())
        } else {
            Err(format!("the sum is {got:x}, not {want:x}"))
        }
    };
    single(program, resources, push(&[n as u32]), [groups as u32, 1, 1], 4.0 * n as f64, Box::new(check))
}

fn tree(program: Program, scale: Scale) -> Plan {
    let n = elements(scale);
    plan(program, n.div_ceil(256), n)
}

fn strided(scale: Scale) -> Plan {
    plan(program!("reduce_shared", &[Storage; 2], 4), scale.pick(4, 64), elements(scale))
}
