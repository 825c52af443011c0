//! Operations of which signs are a part.

use super::{Bin, Cast, Module, Op, Val};

impl Module {
    /// The number with the other sign: also of zeros and NaNs.
    pub fn fneg(&self, v: Val) -> Val {
        let (ty, (_, n)) = (self.type_of(v), self.shape_of(v));
        let bits = self.element_bits(v);
        let int = self.reshaped(self.int(bits), n);
        let sign = self.state.borrow_mut().konst_of(int, 1 << (bits - 1));
        self.bitcast(self.xor(self.bitcast(v, int), sign), ty)
    }

    /// a·b + c, rounded once. Signs that operands were given the operation changes by itself.
    pub fn fma(&self, a: Val, b: Val, c: Val) -> Val {
        let (a, minus_a) = self.without_sign(a);
        let (b, minus_b) = self.without_sign(b);
        let (c, minus_addend) = self.without_sign(c);
        self.emit(Op::Fused { minus_product: minus_a != minus_b, minus_addend }, self.type_of(a), &[a, b, c])
    }

    /// What a value is the negative of ([`Module::fneg`]), and whether it is.
    fn without_sign(&self, v: Val) -> (Val, bool) {
        let s = self.state.borrow();
        let operands = |v: Val, op: &Op| s.inst(v).filter(|i| i.op == *op).map(|i| (i.args[0], i.args.get(1).copied()));
        let spread = operands(v, &Op::Splat).map(|o| o.0);
        let cast = &Op::Cast(Cast::Bitcast);
        let number = operands(spread.unwrap_or(v), cast).and_then(|(bits, _)| {
            let (number, sign) = operands(bits, &Op::Bin(Bin::Xor))?;
            let top = 1 << (s.bits(s.shape(s.ty(bits)).0) - 1);
            let (number, _) = operands(number, cast).filter(|_| sign.and_then(|k| s.same(k)) == Some(top))?;
            (s.ty(number) == s.ty(spread.unwrap_or(v))).then_some(number)
        });
        let lanes = s.shape(s.ty(v)).1;
        drop(s);
        match number {
            Some(number) if spread.is_some() => (self.splat(number, lanes), true),
            Some(number) => (number, true),
            None => (v, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_go_into_the_operation() {
        for lanes in [0, 16] {
            let m = Module::new(true);
            let ty = if lanes == 0 { m.f32() } else { m.vector(m.f32(), lanes) };
            let function = m.function("f", m.function_type(m.void(), &[ty, ty, ty, m.f32()]));
            m.position(m.append_block(function, c"entry"));
            let [a, b, c, scalar] = [0, 1, 2, 3].map(|i| m.param(function, i));
            let made = |a: Val, b: Val, c: Val| {
                let v = m.fma(a, b, c);
                let s = m.state.borrow();
                let inst = s.inst(v).unwrap();
                (inst.op.clone(), inst.args.to_vec())
            };
            let fused = |minus_product, minus_addend| Op::Fused { minus_product, minus_addend };
            assert_eq!(made(a, b, c), (fused(false, false), vec![a, b, c]));
            assert_eq!(made(m.fneg(a), b, c), (fused(true, false), vec![a, b, c]));
            assert_eq!(made(m.fneg(a), m.fneg(b), c), (fused(false, false), vec![a, b, c]));
            assert_eq!(made(a, m.fneg(b), m.fneg(c)), (fused(true, true), vec![a, b, c]));
            // Other bits are something else.
            let (int, i32t) =
                (m.bitcast(a, if lanes == 0 { m.int(32) } else { m.vector(m.int(32), lanes) }), m.int(32));
            let one = if lanes == 0 { m.iconst(i32t, 1) } else { m.splat(m.iconst(i32t, 1), lanes) };
            let other = m.bitcast(m.xor(int, one), ty);
            assert_eq!(made(other, b, c), (fused(false, false), vec![other, b, c]));
            if lanes > 0 {
                let (op, args) = made(m.splat(m.fneg(scalar), lanes), b, c);
                let s = m.state.borrow();
                assert_eq!((op, s.inst(args[0]).unwrap().args[0]), (fused(true, false), scalar));
            }
        }
    }
}
