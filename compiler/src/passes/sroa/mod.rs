//! Scalar replacement: pieces of private memory that are only accessed at constant offsets become SSA values.
//!
//! A slot is split into pieces where all accesses to a byte agree on offset and size; types of one size may mix. Each
//! piece becomes a variable. A liveness analysis over the region tree says where a variable must be a result of an
//! If, Block or Switch or a parameter of a Loop; a forward walk then replaces loads and stores. Memory that was never
//! written reads as zero.

mod live;
mod rewrite;

use crate::hash::HashMap;
use crate::sir::{Addr, Kernel, Op, SlotId, Type};

/// The variables that slots are split into.
struct Vars {
    /// Type of each variable.
    types: Vec<Type>,
    /// Variable at a byte offset of a slot.
    at: HashMap<(SlotId, u32), u32>,
    /// Slots that have a variable or lose accesses that are out of range.
    touched: Vec<bool>,
}

impl Vars {
    /// What element `i` of an access is: a variable, nothing (out of range), or still memory.
    fn element(&self, kernel: &Kernel, slot: SlotId, imm: u32, i: usize, bytes: u32) -> Element {
        let off = u64::from(imm) + i as u64 * u64::from(bytes);
        if off + u64::from(bytes) > u64::from(kernel.slots[slot.index()].size) {
            return Element::Outside;
        }
        self.at.get(&(slot, off as u32)).map_or(Element::Memory, |&v| Element::Var(v))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Var(u32),
    Outside,
    Memory,
}

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let vars = find_vars(kernel);
    let mut changed = vars.touched.contains(&true);
    if changed {
        let mut tree = live::analyse(kernel, &vars);
        rewrite::run(kernel, &vars, &mut tree);
        super::params::run(kernel);
    }
    changed |= drop_unused_slots(kernel);
    changed
}

/// One way of accessing bytes of a slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    off: u32,
    bytes: u32,
}

fn find_vars(kernel: &Kernel) -> Vars {
    let n = kernel.slots.len();
    let mut fixed = vec![true; n];
    let mut outside = vec![false; n];
    let mut uses: Vec<Vec<(Use, Type)>> = vec![Vec::new(); n];
    kernel.body.walk(&mut |inst| {
        let Some(slot) = inst.op.slot() else { return };
        let s = slot.index();
        let (addr, access, ty, count) = match &inst.op {
            Op::Load { addr, access } => (addr, access, kernel.ty(inst.results[0]), inst.results.len()),
            Op::Store { addr, values, access } => (addr, access, kernel.ty(values[0]), values.len()),
            _ => {
                fixed[s] = false;
                return;
            }
        };
        match addr {
            Addr::Slot { off: None, imm, .. } if !access.volatile && !access.atomic => {
                for i in 0..count {
                    let off = u64::from(*imm) + i as u64 * u64::from(ty.bytes());
                    if off + u64::from(ty.bytes()) > u64::from(kernel.slots[s].size) {
                        outside[s] = true;
                    } else {
                        uses[s].push((Use { off: off as u32, bytes: ty.bytes() }, ty));
                    }
                }
            }
            _ => fixed[s] = false,
        }
    });
    let mut vars = Vars { types: Vec::new(), at: HashMap::default(), touched: vec![false; n] };
    for s in 0..n {
        if !fixed[s] {
            continue;
        }
        vars.touched[s] = outside[s];
        let list = &mut uses[s];
        // Stable: the first access in the text decides on the type.
        list.sort_by_key(|(u, _)| *u);
        let mut i = 0;
        while i < list.len() {
            let first = list[i];
            let mut end = first.0.off + first.0.bytes;
            let mut uniform = true;
            let mut j = i + 1;
            while j < list.len() && list[j].0.off < end {
                uniform &= list[j].0 == first.0;
                end = end.max(list[j].0.off + list[j].0.bytes);
                j += 1;
            }
            if uniform {
                vars.at.insert((SlotId(s as u32), first.0.off), vars.types.len() as u32);
                vars.types.push(first.1);
                vars.touched[s] = true;
            }
            i = j;
        }
    }
    vars
}

/// Removes slots that nothing accesses and numbers the others anew.
fn drop_unused_slots(kernel: &mut Kernel) -> bool {
    let mut used = vec![false; kernel.slots.len()];
    kernel.body.walk(&mut |inst| {
        if let Some(s) = inst.op.slot() {
            used[s.index()] = true;
        }
    });
    if !used.contains(&false) {
        return false;
    }
    let mut next = 0;
    let map: Vec<SlotId> = used
        .iter()
        .map(|&u| {
            next += u32::from(u);
            SlotId(next.saturating_sub(1))
        })
        .collect();
    kernel.body.walk_mut(&mut |inst| match &mut inst.op {
        Op::Load { addr: Addr::Slot { slot, .. }, .. }
        | Op::Store { addr: Addr::Slot { slot, .. }, .. }
        | Op::AtomicRmw { addr: Addr::Slot { slot, .. }, .. }
        | Op::AtomicCas { addr: Addr::Slot { slot, .. }, .. } => *slot = map[slot.index()],
        _ => {}
    });
    let mut i = 0;
    kernel.slots.retain(|_| {
        i += 1;
        used[i - 1]
    });
    true
}
