//! Equal operations that are dominated by one another are done once. Loads take part: those of memory that nothing
//! changes always, others as long as nothing that may write stands between.

use super::memory::MemoryFacts;
use crate::hash::HashMap;
use crate::sir::visit::{Clobbers, Subst};
use crate::sir::{Addr, AluFlags, AluOp, Builtin, ImageRef, Inst, Kernel, Op, Region, Resource, Space, Type, Value};
use smallvec::SmallVec;
use std::collections::hash_map::Entry;

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let facts = MemoryFacts::new(kernel);
    let mut body = std::mem::take(&mut kernel.body);
    let mut g = Gvn {
        kernel,
        facts,
        subst: Subst::new(kernel),
        table: HashMap::default(),
        log: Vec::new(),
        epochs: [0; 3],
        last_epoch: 0,
    };
    g.region(&mut body);
    let changed = g.subst.is_used();
    kernel.body = body;
    changed
}

/// What makes two operations equal.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Const(Type, u64),
    Alu(AluOp, SmallVec<[Value; 4]>, AluFlags, Type),
    Builtin(Builtin),
    Buffer(Resource),
    BufferSize(Value),
    Load(Addr, Type, usize, u32),
    ImageSize(ImageRef, Option<Value>),
    ImageLevels(ImageRef),
    ImageSamples(ImageRef),
}

/// Position of an address space in `epochs`.
const fn class(space: Space) -> usize {
    match space {
        Space::Buffer | Space::Global | Space::Push => 0,
        Space::Shared => 1,
        Space::Slot => 2,
    }
}

struct Gvn<'k> {
    kernel: &'k Kernel,
    facts: MemoryFacts,
    subst: Subst,
    table: HashMap<Key, SmallVec<[Value; 2]>>,
    /// Keys to forget at the end of a region.
    log: Vec<Key>,
    /// Number of the current state of each class of memory; 0 never changes.
    epochs: [u32; 3],
    last_epoch: u32,
}

impl Gvn<'_> {
    fn region(&mut self, region: &mut Region) {
        let mark = self.log.len();
        let insts = std::mem::take(&mut region.insts);
        for mut inst in insts {
            self.subst.apply(&mut inst.op);
            if inst.op.is_control() {
                self.control(&mut inst);
                region.insts.push(inst);
                continue;
            }
            if let Some(key) = self.key(&inst) {
                match self.table.entry(key) {
                    Entry::Occupied(known) => {
                        for (&r, &by) in inst.results.iter().zip(known.get()) {
                            self.subst.replace(r, by);
                        }
                        continue;
                    }
                    Entry::Vacant(place) => {
                        self.log.push(place.key().clone());
                        place.insert(inst.results.clone());
                    }
                }
            }
            let mut c = Clobbers::default();
            c.add(&inst.op);
            self.clobber(c);
            region.insts.push(inst);
        }
        while self.log.len() > mark {
            if let Some(key) = self.log.pop() {
                self.table.remove(&key);
            }
        }
    }

    fn clobber(&mut self, c: Clobbers) {
        for space in [Space::Buffer, Space::Shared, Space::Slot] {
            if c.may_change(space) {
                self.last_epoch += 1;
                self.epochs[class(space)] = self.last_epoch;
            }
        }
    }

    fn control(&mut self, inst: &mut Inst) {
        let c = Clobbers::of_op(&inst.op);
        if matches!(inst.op, Op::Loop { .. } | Op::Switch { .. }) {
            // An iteration sees what the one before wrote, an arm what the arm that fell into it wrote.
            self.clobber(c);
        }
        let entry = self.epochs;
        inst.op.for_each_region_mut(&mut |r| {
            self.epochs = entry;
            self.region(r);
        });
        self.epochs = entry;
        self.clobber(c);
    }

    fn key(&self, inst: &Inst) -> Option<Key> {
        let ty = self.kernel.ty(*inst.results.first()?);
        Some(match &inst.op {
            Op::Const(bits) => Key::Const(ty, *bits),
            Op::Alu { op, args, flags } => {
                let mut args = args.clone();
                if commutes(*op) && args[0] > args[1] {
                    args.swap(0, 1);
                }
                Key::Alu(*op, args, *flags, ty)
            }
            Op::Builtin(b) => Key::Builtin(*b),
            Op::Buffer(r) => Key::Buffer(*r),
            Op::BufferSize(v) => Key::BufferSize(*v),
            Op::Load { addr, access } => {
                let epoch = if self.facts.is_invariant(self.kernel, addr, access) {
                    0
                } else if MemoryFacts::is_plain(access) {
                    self.epochs[class(addr.space())]
                } else {
                    return None;
                };
                Key::Load(*addr, ty, inst.results.len(), epoch)
            }
            Op::ImageSize { image, lod } => Key::ImageSize(*image, *lod),
            Op::ImageLevels { image } => Key::ImageLevels(*image),
            Op::ImageSamples { image } => Key::ImageSamples(*image),
            _ => return None,
        })
    }
}

/// Whether the first two operands may change places without changing a bit of the result.
const fn commutes(op: AluOp) -> bool {
    matches!(
        op,
        AluOp::IAdd
            | AluOp::IMul
            | AluOp::UMulHi
            | AluOp::SMulHi
            | AluOp::And
            | AluOp::Or
            | AluOp::Xor
            | AluOp::SMin
            | AluOp::SMax
            | AluOp::UMin
            | AluOp::UMax
            | AluOp::IEq
            | AluOp::INe
            | AluOp::FAdd
            | AluOp::FMul
            | AluOp::FEq
            | AluOp::FNe
    )
}
