//! Products go into the sums that they are made for, as one operation that rounds once, wherever that is allowed; what is left
//! over is marked as not to be fused. So it is decided here, and once, what a kernel computes: the interpreter and all code of
//! GPU back ends do what `sir` says. The pass stands where all pipelines are still the same.
//!
//! A product is fused if the sum is its only user, and if no loop begins or ends between the two and no barrier stands there,
//! across which two factors would have to be kept instead of one product. The sum may stand in a conditional part.

use crate::hash::HashSet;
use crate::sir::{AluFlags, AluOp, Inst, Kernel, Op, Region, Type, Value};
use smallvec::{smallvec, SmallVec};

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let mut uses = vec![0u32; kernel.types.len()];
    let mut swapped = HashSet::default();
    kernel.body.walk(&mut |i| {
        i.op.for_each_operand(&mut |v| uses[v.index()] += 1);
        if let Op::AtomicCas { desired, .. } = i.op {
            swapped.insert(desired);
        }
    });
    if !swapped.is_empty() {
        kernel.body.walk(&mut |i| match &i.op {
            Op::Alu { op: AluOp::Bitcast, args, .. } if swapped.contains(&i.results[0]) => {
                swapped.insert(args[0]);
            }
            _ => {}
        });
    }
    let products = vec![None; uses.len()];
    let mut body = std::mem::take(&mut kernel.body);
    let mut c = Contract { kernel, uses, swapped, products, gone: HashSet::default(), stretch: 0, changed: false };
    c.region(&mut body);
    let Contract { gone, changed, .. } = c;
    if !gone.is_empty() {
        remove(&mut body, &gone);
    }
    kernel.body = body;
    changed
}

/// A product that may be fused.
#[derive(Clone, Copy)]
struct Product {
    factors: [Value; 2],
    stretch: u32,
}

struct Contract<'k> {
    kernel: &'k mut Kernel,
    uses: Vec<u32>,
    /// Sums that are put into memory if nobody came between: with the product apart, such a loop is an atomic addition.
    swapped: HashSet<Value>,
    /// By the value that it is.
    products: Vec<Option<Product>>,
    /// Products that are no longer needed.
    gone: HashSet<Value>,
    /// Number of the code between two beginnings or ends of loops, or barriers.
    stretch: u32,
    changed: bool,
}

impl Contract<'_> {
    fn region(&mut self, region: &mut Region) {
        let insts = std::mem::take(&mut region.insts);
        let mut out = Vec::with_capacity(insts.len());
        for mut inst in insts {
            let result = inst.results.first().copied();
            match &mut inst.op {
                Op::Alu { op: op @ (AluOp::FAdd | AluOp::FSub | AluOp::FMul), args, flags } => {
                    let may = !flags.no_contract && result.is_some_and(|r| self.fuses(r));
                    self.changed |= !flags.no_contract;
                    flags.no_contract = true;
                    match (*op, result.filter(|_| may)) {
                        (_, None) => {}
                        (AluOp::FMul, Some(r)) => {
                            let once = self.uses[r.index()] == 1;
                            let factors = [args[0], args[1]];
                            self.products[r.index()] = once.then_some(Product { factors, stretch: self.stretch });
                        }
                        (sum, Some(r)) => {
                            if let Some(fused) = self.sum(sum == AluOp::FSub, args[0], args[1], r, &mut out) {
                                inst.op = fused;
                            }
                        }
                    }
                }
                // It may turn out to be a product.
                Op::Alu { op: AluOp::FDiv, flags, .. } => {
                    self.changed |= !flags.no_contract;
                    flags.no_contract = true;
                }
                Op::ControlBarrier { .. } => self.stretch += 1,
                Op::Loop { body, .. } => {
                    self.stretch += 1;
                    self.region(body);
                    self.stretch += 1;
                }
                op => op.for_each_region_mut(&mut |r| self.region(r)),
            }
            out.push(inst);
        }
        region.insts = out;
    }

    /// Whether GPUs have the fused operation of that type, and may use it.
    fn fuses(&self, v: Value) -> bool {
        let ty = self.kernel.ty(v);
        // Narrow numbers are rounded after each operation in any case.
        let wide = matches!(ty, Type::F32 | Type::F64);
        wide && self.kernel.float_controls.of(ty).is_plain() && !self.swapped.contains(&v)
    }

    /// The fused operation that is a + b, or a − b, if there is one.
    fn sum(&mut self, minus: bool, a: Value, b: Value, result: Value, out: &mut Vec<Inst>) -> Option<Op> {
        let fits = |v: Value| self.products.get(v.index())?.filter(|p| p.stretch == self.stretch);
        let (product, mut factors, mut addend) = match (fits(a), fits(b)) {
            (Some(p), _) => (a, p.factors, b),
            (None, Some(p)) => (b, p.factors, a),
            (None, None) => return None,
        };
        if minus {
            let negated = if product == a { &mut addend } else { &mut factors[0] };
            let v = self.kernel.value(self.kernel.ty(result));
            out.push(Inst { results: smallvec![v], op: Op::alu(AluOp::FNeg, &[*negated]) });
            *negated = v;
        }
        self.gone.insert(product);
        self.changed = true;
        let args: SmallVec<[Value; 4]> = smallvec![factors[0], factors[1], addend];
        Some(Op::Alu { op: AluOp::Fma, args, flags: AluFlags::default() })
    }
}

fn remove(region: &mut Region, gone: &HashSet<Value>) {
    region.insts.retain(|i| !i.results.first().is_some_and(|r| gone.contains(r)));
    for inst in &mut region.insts {
        inst.op.for_each_region_mut(&mut |r| remove(r, gone));
    }
}
