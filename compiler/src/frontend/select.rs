//! `OpSelect`.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::val::{Leaves, Ptr, Root, Val};
use crate::sir::{Type, Value};

impl Translator<'_> {
    /// `OpSelect`, also of pointers and whole composites.
    pub(super) fn select_inst(&mut self, inst: &Inst<'_>) -> R<()> {
        let cond = self.vector(inst.word(0)?)?;
        if cond.iter().any(|&c| self.b.ty(c) != Type::Bool) {
            return Err(Error::invalid("the condition is not Bool"));
        }
        let (ta, a) = self.get(inst.word(1)?)?;
        let (tb, b) = self.get(inst.word(2)?)?;
        if ta != inst.ty || tb != inst.ty {
            return Err(Error::invalid("the objects have another type than the result"));
        }
        if let (Val::Ptr(a), Val::Ptr(b), &[c]) = (&a, &b, &cond[..]) {
            if let Some(p) = self.select_ptr(c, a, b) {
                return self.set(inst, Val::Ptr(p));
            }
        }
        let (a, b) = (self.flatten_val(ta, a)?, self.flatten_val(tb, b)?);
        if cond.len() != 1 && cond.len() != a.len() {
            return Err(Error::invalid("the condition has another number of components"));
        }
        let pick = |i: usize| cond[if cond.len() == 1 { 0 } else { i }];
        let leaves: Leaves = a.iter().zip(&b).enumerate().map(|(i, (&x, &y))| self.b.select(pick(i), x, y)).collect();
        self.set_leaves(inst, leaves)
    }

    /// Two pointers into the same object: only the offset is selected, so that the object stays known.
    fn select_ptr(&mut self, cond: Value, a: &Ptr, b: &Ptr) -> Option<Ptr> {
        let same = match (&a.root, &b.root) {
            (Root::Buffer(x), Root::Buffer(y)) => x == y,
            (Root::Slot(x), Root::Slot(y)) => x == y,
            (Root::Shared, Root::Shared) | (Root::Push, Root::Push) => true,
            _ => false,
        };
        if !same || a.levels > 0 || a.matrix != b.matrix || a.explicit != b.explicit || a.class != b.class {
            return None;
        }
        let ty = if matches!(a.root, Root::Buffer(_)) { Type::I64 } else { Type::I32 };
        let off = |t: &mut Self, p: &Ptr| {
            let imm = t.b.konst(ty, p.imm as u64);
            p.off.map_or(imm, |o| t.b.alu(crate::sir::AluOp::IAdd, ty, &[o, imm]))
        };
        let (x, y) = (off(self, a), off(self, b));
        let align = a.align_at(0).min(b.align_at(0));
        let flags = a.flags.and(b.flags);
        let stride = a.stride.filter(|_| a.stride == b.stride);
        Some(Ptr { off: Some(self.b.select(cond, x, y)), imm: 0, align, stride, flags, ..a.clone() })
    }
}
