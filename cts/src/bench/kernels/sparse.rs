//! A sparse matrix times a vector.

use super::{program, single};
use crate::bench::data::{exact, push, values, Random};
use crate::bench::plan::{Binding::Storage, Case, Plan, Program, Resource, Results, Scale};

const ROW: Case = Case {
    name: "",
    family: "sparse",
    unit: "FLOP/s",
    floor: 1.5,
    needs: &[],
    plan: |s| spmv(program!("spmv_scalar", &[Storage; 5], 4), 64, s),
};

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "sparse × vector, row per invocation", ..ROW },
    Case {
        name: "sparse × vector, row per workgroup",
        plan: |s| spmv(program!("spmv_vector", &[Storage; 5], 4), 1, s),
        ..ROW
    },
];

/// `per` rows for a workgroup. Rows have 0 to 63 elements, somewhere.
fn spmv(program: Program, per: usize, scale: Scale) -> Plan {
    let rows: usize = scale.pick(256, 1 << 15);
    let mut random = Random(1);
    let mut first = vec![0u32];
    for row in 0..rows {
        first.push(first[row] + random.below(64));
    }
    let elements = first[rows] as usize;
    let column: Vec<u32> = values(2, elements, |r| r.below(rows as u32));
    let (value, x) = (values(3, elements, Random::whole), values(4, rows, Random::whole));
    let resources = vec![
        Resource::of(&first),
        Resource::of(&column),
        Resource::of(&value),
        Resource::of(&x),
        Resource::Zeros(4 * rows as u64),
    ];
    let check = move |r: &dyn Results| {
        let sum = |row: usize| {
            let range = first[row] as usize..first[row + 1] as usize;
            range.map(|k| value[k] * x[column[k] as usize]).sum::<f32>()
        };
        exact(&r.floats(4), &(0..rows).map(sum).collect::<Vec<_>>())
    };
    let groups = [(rows / per) as u32, 1, 1];
    single(program, resources, push(&[rows as u32]), groups, 2.0 * elements as f64, Box::new(check))
}
