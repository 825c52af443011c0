//! Data of an invocation's own: arrays indexed dynamically, a stack machine.

use super::{program, single};
use crate::bench::data::{exact, push, values};
use crate::bench::plan::{Binding::Storage, Case, Plan, Resource, Results, Scale};

const ROW: Case =
    Case { name: "", family: "arrays of invocations", unit: "elem/s", floor: 1.5, needs: &[], plan: medians };

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "median of 15 by insertion", plan: medians, ..ROW },
    Case { name: "stack machine", family: "divergent", unit: "instruction/s", floor: 3.0, plan: machine, ..ROW },
];

fn medians(scale: Scale) -> Plan {
    let n: usize = scale.pick(256, 1 << 16);
    let a: Vec<u32> = values(1, 15 * n, |r| r.word());
    let resources = vec![Resource::of(&a), Resource::Zeros(4 * n as u64)];
    let check = move |r: &dyn Results| {
        let median = |i: usize| {
            let mut v: [u32; 15] = std::array::from_fn(|k| a[k * n + i]);
            v.sort_unstable();
            v[7]
        };
        exact(&r.words(1), &(0..n).map(median).collect::<Vec<_>>())
    };
    let program = program!("private_sort", &[Storage; 2], 4);
    single(program, resources, push(&[n as u32]), [n as u32 / 64, 1, 1], 15.0 * n as f64, Box::new(check))
}

/// Instructions of a program.
const LENGTH: usize = 64;

/// Runs a program; its result, and how many instructions that took.
fn interpret(code: &[u32], x: u32) -> (u32, u32) {
    let mut stack = [0u32; 8];
    let (mut top, mut pc, mut steps) = (0usize, 0, 0);
    stack[0] = x;
    while pc < LENGTH {
        let (operand, t) = (code[pc] >> 8, stack[top]);
        match code[pc] & 7 {
            0 | 4 => {
                top = (top + 1).min(7);
                stack[top] = if code[pc] & 7 == 0 { operand } else { t };
            }
            1 if top > 0 => {
                top -= 1;
                stack[top] = stack[top].wrapping_add(t);
            }
            2 if top > 0 => {
                top -= 1;
                stack[top] = stack[top].wrapping_mul(t | 1);
            }
            1 | 2 => {}
            3 => stack[top] = t ^ (t >> (operand & 31)),
            5 => pc += (t & 1) as usize,
            6 => stack[top] = (!t).wrapping_add(operand),
            _ => stack[top] = t.wrapping_add(x),
        }
        pc += 1;
        steps += 1;
    }
    (stack[top], steps)
}

fn machine(scale: Scale) -> Plan {
    let n: usize = scale.pick(256, 1 << 16);
    let code: Vec<u32> = values(2, 16 * LENGTH, |r| r.word());
    let a: Vec<u32> = values(3, n, |r| r.word());
    let (want, steps): (Vec<u32>, Vec<u32>) =
        a.iter().map(|x| interpret(&code[(x >> 28) as usize * LENGTH..][..LENGTH], *x)).unzip();
    let resources = vec![Resource::of(&code), Resource::of(&a), Resource::Zeros(4 * n as u64)];
    let work = steps.iter().map(|s| f64::from(*s)).sum();
    let check = move |r: &dyn Results| exact(&r.words(2), &want);
    let program = program!("bytecode", &[Storage; 3], 0);
    single(program, resources, Vec::new(), [n as u32 / 64, 1, 1], work, Box::new(check))
}
