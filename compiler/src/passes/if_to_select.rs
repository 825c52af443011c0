//! An If whose sides do little and have no effects becomes straight code with selects.

use super::cost;
use crate::sir::{AluOp, Inst, Kernel, Op, Region, Space};
use smallvec::SmallVec;

/// Highest price of both sides together.
const LIMIT: u32 = 8;

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let mut body = std::mem::take(&mut kernel.body);
    let mut changed = false;
    region(&mut body, &mut changed);
    kernel.body = body;
    changed
}

fn region(region: &mut Region, changed: &mut bool) {
    let insts = std::mem::take(&mut region.insts);
    for mut inst in insts {
        inst.op.for_each_region_mut(&mut |r| self::region(r, changed));
        match inst.op {
            Op::If { cond, mut then, mut els }
                if price(&then).zip(price(&els)).is_some_and(|(a, b)| a + b <= LIMIT) =>
            {
                *changed = true;
                let (a, b) = (take_yield(&mut then), take_yield(&mut els));
                region.insts.append(&mut then.insts);
                region.insts.append(&mut els.insts);
                for ((r, x), y) in inst.results.into_iter().zip(a).zip(b) {
                    let op = Op::alu(AluOp::Select, &[cond, x, y]);
                    region.insts.push(Inst { results: SmallVec::from_slice(&[r]), op });
                }
            }
            op => region.insts.push(Inst { results: inst.results, op }),
        }
    }
}

/// Price of a side; `None` if it may not be executed always.
fn price(side: &Region) -> Option<u32> {
    let mut sum = 0;
    for inst in &side.insts {
        sum += match &inst.op {
            Op::Yield(args) => args.len() as u32,
            Op::Load { addr, access } if addr.space() == Space::Push && !access.volatile => 1,
            op => cost::speculate(op)?,
        };
        if sum > LIMIT {
            return None;
        }
    }
    matches!(side.terminator(), Some(Op::Yield(_))).then_some(sum)
}

fn take_yield(side: &mut Region) -> Vec<crate::sir::Value> {
    match side.insts.pop() {
        Some(Inst { op: Op::Yield(args), .. }) => args,
        _ => Vec::new(),
    }
}
