//! Powers whose exponent is a small whole number become products. They are not the powers that `lower_math` makes, to the last bit, so
//! that this, too, is settled where all pipelines are still the same.

use crate::hash::HashMap;
use crate::interp::to_f64;
use crate::sir::visit::Subst;
use crate::sir::{AluOp, Inst, Kernel, Op, Region, Value};
use smallvec::smallvec;

/// Runs the pass.
pub fn run(kernel: &mut Kernel) -> bool {
    let mut exponents = HashMap::default();
    let mut any = false;
    kernel.body.walk(&mut |i| match &i.op {
        Op::Alu { op: AluOp::FPow, .. } => any = true,
        Op::Const(bits) => {
            let ty = kernel.ty(i.results[0]);
            if ty.is_float() && kernel.float_controls.of(ty).is_plain() {
                exponents.insert(i.results[0], to_f64(ty, *bits));
            }
        }
        _ => {}
    });
    if !any {
        return false;
    }
    let mut body = std::mem::take(&mut kernel.body);
    let mut p = Powers { exponents, subst: Subst::new(kernel), changed: false };
    p.region(&mut body);
    p.subst.apply_region(&mut body);
    kernel.body = body;
    p.changed
}

struct Powers {
    exponents: HashMap<Value, f64>,
    subst: Subst,
    changed: bool,
}

impl Powers {
    fn region(&mut self, region: &mut Region) {
        for inst in &mut region.insts {
            inst.op.for_each_region_mut(&mut |r| self.region(r));
        }
        let subst = &mut self.subst;
        let (exponents, changed) = (&self.exponents, &mut self.changed);
        region.insts.retain_mut(|inst| {
            let Inst { op: Op::Alu { op, args, .. }, results } = inst else { return true };
            let exponent = exponents.get(args.get(1).unwrap_or(&args[0])).filter(|_| *op == AluOp::FPow);
            match exponent {
                Some(1.0) => {
                    subst.replace(results[0], args[0]);
                    *changed = true;
                    return false;
                }
                Some(2.0) => {
                    *op = AluOp::FMul;
                    *args = smallvec![args[0], args[0]];
                    *changed = true;
                }
                _ => {}
            }
            true
        });
    }
}
