//! Loop-invariant code moves in front of the loop: pure operations, and loads that cannot fault and that nothing in the
//! loop changes. From conditional parts of the body only cheap operations move.

use super::cost;
use super::memory::MemoryFacts;
use crate::sir::visit::Clobbers;
use crate::sir::{Inst, Kernel, Op, Region, Space};

/// Dearest operation that moves out of a conditional part.
const CHEAP: u32 = 2;

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let facts = MemoryFacts::new(kernel);
    let mut body = std::mem::take(&mut kernel.body);
    let mut l = Licm { kernel, facts, inside: vec![false; kernel.types.len()], changed: false };
    l.region(&mut body);
    let changed = l.changed;
    kernel.body = body;
    changed
}

struct Licm<'k> {
    kernel: &'k Kernel,
    facts: MemoryFacts,
    /// Whether a value is defined inside the loop at hand.
    inside: Vec<bool>,
    changed: bool,
}

impl Licm<'_> {
    fn region(&mut self, region: &mut Region) {
        let insts = std::mem::take(&mut region.insts);
        for mut inst in insts {
            // Inner loops first: what leaves them may leave the outer one too.
            inst.op.for_each_region_mut(&mut |r| self.region(r));
            if let Op::Loop { body, .. } = &mut inst.op {
                self.mark(body, true);
                let clobbers = Clobbers::of_region(body);
                let before = region.insts.len();
                self.extract(body, false, clobbers, &mut region.insts);
                self.changed |= region.insts.len() != before;
                self.mark(body, false);
            }
            region.insts.push(inst);
        }
    }

    fn mark(&mut self, body: &Region, inside: bool) {
        body.walk_regions(&mut |r| {
            for v in r.params.iter().chain(r.insts.iter().flat_map(|i| &i.results)) {
                self.inside[v.index()] = inside;
            }
        });
    }

    fn extract(&mut self, region: &mut Region, conditional: bool, clobbers: Clobbers, out: &mut Vec<Inst>) {
        let insts = std::mem::take(&mut region.insts);
        for mut inst in insts {
            if self.may_move(&inst, conditional, clobbers) {
                for r in &inst.results {
                    self.inside[r.index()] = false;
                }
                out.push(inst);
                continue;
            }
            match &mut inst.op {
                // What is invariant in an inner loop stands in front of it already.
                Op::Loop { .. } => {}
                Op::Block { body, .. } => self.extract(body, conditional, clobbers, out),
                op => op.for_each_region_mut(&mut |r| self.extract(r, true, clobbers, out)),
            }
            region.insts.push(inst);
        }
    }

    fn may_move(&self, inst: &Inst, conditional: bool, clobbers: Clobbers) -> bool {
        let kind_ok = match &inst.op {
            Op::Load { addr, access } => {
                let unchanged = self.facts.is_invariant(self.kernel, addr, access)
                    || MemoryFacts::is_plain(access) && !clobbers.may_change(addr.space());
                // Push constants are as near as a register.
                unchanged && MemoryFacts::is_safe(addr) && (!conditional || addr.space() == Space::Push)
            }
            Op::ImageSize { .. } | Op::ImageLevels { .. } | Op::ImageSamples { .. } => !conditional,
            op => cost::speculate(op).is_some_and(|c| !conditional || c <= CHEAP),
        };
        if !kind_ok {
            return false;
        }
        let mut outside = true;
        inst.op.for_each_operand(&mut |v| outside &= !self.inside[v.index()]);
        outside
    }
}
