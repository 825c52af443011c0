//! Products that are fused with the sum they go into. It is decided here and not by a back end, so that all of them compute the same.

use super::{Bin, Module, Op, Val};

impl Module {
    /// Fuses products of which a sum in the same block is the only user, where both allow it.
    pub fn contract(&self) {
        let s = &mut *self.state.borrow_mut();
        let mut uses = vec![0u32; s.vals.len()];
        for inst in &s.insts {
            inst.args.iter().for_each(|a| uses[a.0 as usize] += 1);
        }
        for i in 0..s.insts.len() {
            let sum = &s.insts[i];
            let minus = match sum.op {
                Op::Bin(Bin::FAdd) if sum.contract => false,
                Op::Bin(Bin::FSub) if sum.contract => true,
                _ => continue,
            };
            let factors = |v: Val| {
                let product = s.inst(v)?;
                let fits = product.contract && product.block == sum.block && uses[v.0 as usize] == 1;
                (fits && product.op == Op::Bin(Bin::FMul)).then(|| (product.args[0], product.args[1]))
            };
            let (a, b) = (sum.args[0], sum.args[1]);
            let (product, addend, op) = match (factors(a), factors(b)) {
                (Some(p), _) => (p, b, Op::Fused { minus_product: false, minus_addend: minus }),
                (None, Some(p)) => (p, a, Op::Fused { minus_product: minus, minus_addend: false }),
                (None, None) => continue,
            };
            let sum = &mut s.insts[i];
            sum.op = op;
            sum.args = [product.0, product.1, addend].into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codegen::ir::{Inst, Ty};

    /// What the last instruction is after a product of the parameters, `uses` of it, and a sum or difference.
    fn last(uses: usize, minus: bool, turned: bool, allowed: bool) -> Inst {
        let m = Module::new(true);
        let f32t: Ty = m.f32();
        let function = m.function("f", m.function_type(m.void(), &[f32t, f32t, f32t]));
        m.position(m.append_block(function, c"entry"));
        let [a, b, c] = [0, 1, 2].map(|i| m.param(function, i));
        let product = m.fmul(a, b);
        for _ in 1..uses {
            m.fdiv(product, c);
        }
        let (x, y) = if turned { (c, product) } else { (product, c) };
        let sum = if minus { m.fsub(x, y) } else { m.fadd(x, y) };
        m.allow_contract(product);
        if allowed {
            m.allow_contract(sum);
        }
        m.contract();
        let s = m.state.borrow();
        let inst = s.insts.last().unwrap().clone();
        if let Op::Fused { .. } = inst.op {
            assert_eq!(inst.args[..], [a, b, c]);
        }
        inst
    }

    #[test]
    fn products_go_into_sums_where_that_is_allowed_and_nobody_else_needs_them() {
        let fused = |minus_product, minus_addend| Op::Fused { minus_product, minus_addend };
        assert_eq!(last(1, false, false, true).op, fused(false, false));
        assert_eq!(last(1, false, true, true).op, fused(false, false));
        assert_eq!(last(1, true, false, true).op, fused(false, true));
        assert_eq!(last(1, true, true, true).op, fused(true, false));
        assert_eq!(last(2, false, false, true).op, Op::Bin(Bin::FAdd));
        assert_eq!(last(1, false, false, false).op, Op::Bin(Bin::FAdd));
    }
}
