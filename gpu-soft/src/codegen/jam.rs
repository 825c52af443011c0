//! How many subgroups are executed in lock-step.
//!
//! Lanes of several subgroups side by side share what is the same for them (loads of uniform values, loop control, addresses) and
//! give the processor independent chains of operations where one subgroup would wait for its own results. What it costs is
//! registers, so the number depends on how many vectors the loops of a kernel keep at a time. Control flow that parts lanes
//! goes on until the last lane of all is done, so it is jammed less; and not at all if it gathers, which no register helps. Without loops it
//! is only worth it where all invocations take numbers from one counter.

use super::Options;
use crate::kernel_abi::Width;
use compiler::analysis::{Facts, Level, Shapes, Uniformity};
use compiler::hash::{HashMap, HashSet};
use compiler::sir::{Addr, AluOp, AtomicOp, Builtin, Inst, Kernel, Op, Region, Type, Value};

/// The largest number of subgroups that are jammed.
pub const MAX_JAM: u32 = 4;

/// Lanes that masks and cells can hold.
const MAX_LANES: u32 = 64;

/// In loops that have to wait for square roots and quotients so many more vectors for each of them may be kept in memory: while one subgroup
/// waits another one goes on, and that takes longer than to move them.
const HIDDEN: usize = 4;

/// From so many of them on a loop waits most of the time.
const WAITS: usize = 4;

/// What [`MAX_OPS`] is for kernels with such loops.
const MAX_OPS_WAITING: usize = 3 * MAX_OPS;

/// A jam makes this many times more instructions of the kernel's vector operations: beyond it compiling takes too long.
const MAX_OPS: usize = 2_000;

/// Whether so many subgroups of a kernel can be executed together: subgroups are whole, and nothing in the kernel tells
/// them apart. Image helpers take the lanes of one subgroup.
pub fn allowed(kernel: &Kernel, subgroup_size: u32, jam: u32) -> bool {
    let lanes = subgroup_size.saturating_mul(jam);
    if jam == 1 {
        return true;
    }
    if !jam.is_power_of_two() || jam > MAX_JAM || lanes > MAX_LANES || !kernel.invocations().is_multiple_of(lanes) {
        return false;
    }
    let mut plain = true;
    kernel.body.walk(&mut |inst| {
        plain &= match &inst.op {
            Op::Builtin(b) => match b {
                Builtin::SubgroupId | Builtin::NumSubgroups | Builtin::SubgroupSize | Builtin::SubgroupLocalId => false,
                Builtin::WorkgroupId(_)
                | Builtin::NumWorkgroups(_)
                | Builtin::LocalId(_)
                | Builtin::GlobalId(_)
                | Builtin::LocalIndex => true,
            },
            Op::Subgroup { .. }
            | Op::ImageLoad { .. }
            | Op::ImageStore { .. }
            | Op::ImageAtomic { .. }
            | Op::ImageCas { .. }
            | Op::ImageSize { .. }
            | Op::ImageLevels { .. }
            | Op::ImageSamples { .. }
            | Op::Sample { .. } => false,
            _ => true,
        };
    });
    plain
}

/// The number of subgroups to jam.
pub fn choose(kernel: &Kernel, opts: &Options<'_>) -> u32 {
    if let Some(jam) = opts.jam {
        return if allowed(kernel, opts.subgroup_size, jam) { jam } else { 1 };
    }
    // Other sizes than the natural one fill registers in another way already; and more code takes longer to compile.
    if opts.quick || opts.subgroup_size != opts.width.lanes() || !allowed(kernel, opts.subgroup_size, 2) {
        return 1;
    }
    let uni = Uniformity::new(kernel, opts.subgroup_size);
    let facts = Facts { subgroup_size: opts.subgroup_size, max_groups: [u32::MAX; 3] };
    let shapes = Shapes::new(kernel, &uni, &facts);
    let mut made = HashMap::default();
    kernel.body.walk(&mut |inst| {
        if let (Op::Alu { op, args, .. }, Some(r)) = (&inst.op, inst.results.first()) {
            made.insert(*r, (*op, args.to_vec()));
        }
    });
    let (innermost, ops, apart, gathers) = (Vec::new(), 0, false, false);
    let mut loops = Loops { kernel, uni: &uni, shapes: &shapes, made: &made, innermost, ops, apart, gathers };
    loops.region(&kernel.body);
    // What all invocations add to is added to once for all lanes.
    if loops.innermost.is_empty() && !loops.counts() {
        return 1;
    }
    let registers = match opts.width {
        Width::W16 => 32,
        Width::W8 | Width::W4 => 16,
    };
    let most = match (loops.apart, loops.gathers) {
        (true, true) => 1,
        (true, false) => 2,
        (false, _) => MAX_JAM,
    };
    let max_ops = if loops.innermost.iter().any(|l| l.waits >= WAITS) { MAX_OPS_WAITING } else { MAX_OPS };
    let fits = |jam: u32| {
        let kept = registers - registers / 8;
        let room = |l: &Innermost| if jam == 2 && l.waits >= WAITS { kept + HIDDEN * l.waits } else { kept };
        allowed(kernel, opts.subgroup_size, jam)
            && loops.innermost.iter().all(|l| l.pressure * jam as usize <= room(l))
            && loops.ops * jam as usize <= max_ops
    };
    (0..).map(|shift| most >> shift).take_while(|jam| *jam > 1).find(|jam| fits(*jam)).unwrap_or(1)
}

/// An innermost loop.
struct Innermost {
    /// The most vectors live at a point of it.
    pressure: usize,
    /// Square roots and quotients by lane.
    waits: usize,
}

/// What the innermost loops of a kernel need.
struct Loops<'a> {
    kernel: &'a Kernel,
    uni: &'a Uniformity,
    shapes: &'a Shapes,
    /// What lane-wise operations made values of.
    made: &'a HashMap<Value, (AluOp, Vec<Value>)>,
    innermost: Vec<Innermost>,
    /// Vector operations of the kernel.
    ops: usize,
    /// Whether lanes part in a loop.
    apart: bool,
    /// Whether a loop loads from addresses that differ from lane to lane without order.
    gathers: bool,
}

impl Loops<'_> {
    /// Registers that a value takes: none for what is the same in all lanes or computed as a scalar beside them.
    fn weight(&self, v: Value) -> usize {
        let address = self.shapes.row_stride(v).is_some();
        if address || self.uni.value(v) <= Level::Subgroup {
            return 0;
        }
        match self.kernel.ty(v) {
            Type::Bool | Type::Buf => 0,
            Type::I64 | Type::F64 => 2,
            Type::I8 | Type::I16 | Type::I32 | Type::F16 | Type::F32 => 1,
        }
    }

    fn scattered(&self, addr: &Addr) -> bool {
        let off = match addr {
            Addr::Buffer { off, .. } | Addr::Shared { off, .. } | Addr::Push { off, .. } => *off,
            Addr::Global { addr, .. } => Some(*addr),
            Addr::Slot { .. } => None,
        };
        off.is_some_and(|o| !self.orderly(o))
    }

    /// Whether invocations take numbers from a counter in memory: one that many processors want, and where each addition of a subgroup
    /// waits for the one before.
    fn counts(&self) -> bool {
        let used = super::gen::used(self.kernel);
        let mut found = false;
        self.kernel.body.walk(&mut |inst| {
            let off = match &inst.op {
                Op::AtomicRmw { op: AtomicOp::IAdd, addr: Addr::Buffer { off, .. }, .. } => *off,
                Op::AtomicRmw { op: AtomicOp::IAdd, addr: Addr::Global { addr, .. }, .. } => Some(*addr),
                _ => return,
            };
            let one = off.is_none_or(|o| self.uni.value(o) <= Level::Subgroup);
            found |= one && inst.results.iter().any(|r| used[r.index()]);
        });
        found
    }

    /// Whether a value grows evenly, at least as long as it does not wrap.
    fn orderly(&self, v: Value) -> bool {
        if self.shapes.row_stride(v).is_some() {
            return true;
        }
        match self.made.get(&v) {
            Some((AluOp::ZExt | AluOp::SExt | AluOp::IAdd | AluOp::ISub | AluOp::SMin | AluOp::SMax, args)) => {
                args.iter().all(|a| self.orderly(*a))
            }
            Some((AluOp::Shl | AluOp::IMul, args)) => self.orderly(args[0]) && self.shapes.stride(args[1]) == Some(0),
            _ => false,
        }
    }

    /// Looks for innermost loops. Returns whether the region contains a loop.
    fn region(&mut self, region: &Region) -> bool {
        let mut found = false;
        for inst in &region.insts {
            self.ops += usize::from(inst.results.iter().any(|r| self.weight(*r) > 0));
            let mut inside = false;
            inst.op.for_each_region(&mut |r| inside |= self.region(r));
            if let Op::Loop { label, body, .. } = &inst.op {
                if self.uni.break_join(*label) > Level::Subgroup || self.uni.continue_join(*label) > Level::Subgroup {
                    self.apart = true;
                }
                body.walk(&mut |i| self.gathers |= matches!(&i.op, Op::Load { addr, .. } if self.scattered(addr)));
                if !inside {
                    let mut waits = 0;
                    body.walk(&mut |i| {
                        let long = matches!(&i.op, Op::Alu { op: AluOp::FSqrt | AluOp::FDiv, .. });
                        waits += usize::from(long && i.results.iter().any(|r| self.weight(*r) > 0));
                    });
                    self.innermost.push(Innermost { pressure: self.body(body), waits });
                }
                inside = true;
            }
            found |= inside;
        }
        found
    }

    /// The most vectors live at a point of a loop's body.
    fn body(&self, body: &Region) -> usize {
        // What comes from outside lives throughout.
        let mut defined: HashSet<Value> = HashSet::default();
        let mut used = HashSet::default();
        uses(body, &mut defined, &mut used);
        let outside: usize = used.difference(&defined).map(|v| self.weight(*v)).sum();
        let mut live = HashSet::default();
        let mut most = 0;
        self.backwards(body, &defined, &mut live, &mut most);
        outside + most
    }

    fn backwards(&self, region: &Region, defined: &HashSet<Value>, live: &mut HashSet<Value>, most: &mut usize) {
        for inst in region.insts.iter().rev() {
            self.step(inst, defined, live, most);
        }
        region.params.iter().for_each(|p| {
            live.remove(p);
        });
    }

    fn step(&self, inst: &Inst, defined: &HashSet<Value>, live: &mut HashSet<Value>, most: &mut usize) {
        for r in &inst.results {
            live.remove(r);
        }
        let after = live.clone();
        inst.op.for_each_region(&mut |r| {
            let mut inner = after.clone();
            self.backwards(r, defined, &mut inner, most);
            live.extend(inner);
        });
        inst.op.for_each_operand(&mut |v| {
            if defined.contains(&v) {
                live.insert(v);
            }
        });
        *most = (*most).max(live.iter().map(|v| self.weight(*v)).sum());
    }
}

/// Values defined and used in a region and the regions inside.
fn uses(region: &Region, defined: &mut HashSet<Value>, used: &mut HashSet<Value>) {
    defined.extend(region.params.iter().copied());
    for inst in &region.insts {
        defined.extend(inst.results.iter().copied());
        inst.op.for_each_operand(&mut |v| {
            used.insert(v);
        });
        inst.op.for_each_region(&mut |r| uses(r, defined, used));
    }
}
