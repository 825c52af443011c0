//! Making composites and taking them apart.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::types::Ty;
use super::val::{Leaves, Val};
use crate::sir::{AluOp, Type, Value};
use smallvec::smallvec;
use spirv::Op;

impl Translator<'_> {
    /// Part of a composite type by literal indices: its type, the place of its first scalar and their number.
    fn part(&self, mut ty: u32, indices: &[u32]) -> R<(u32, usize, usize)> {
        let mut start = 0;
        for &i in indices {
            let (part, before) = self.types.part(ty, i)?;
            ty = part;
            start += before;
        }
        Ok((ty, start, self.types.leaf_count(ty)?))
    }

    /// Composite instructions.
    pub(super) fn composite(&mut self, inst: &Inst<'_>) -> R<()> {
        match inst.op {
            Op::CompositeExtract => {
                let (ty, leaves) = self.leaves(inst.word(0)?)?;
                let (_, start, n) = self.part(ty, inst.from(1))?;
                let part = leaves.get(start..start + n).ok_or_else(|| Error::invalid("index is out of range"))?;
                self.set_leaves(inst, part.into())
            }
            Op::CompositeInsert => {
                let (object_ty, object) = self.leaves(inst.word(0)?)?;
                let (ty, mut leaves) = self.leaves(inst.word(1)?)?;
                let (part_ty, start, n) = self.part(ty, inst.from(2))?;
                if part_ty != object_ty || object.len() != n {
                    return Err(Error::invalid("the object has another type than the part"));
                }
                leaves
                    .get_mut(start..start + n)
                    .ok_or_else(|| Error::invalid("index is out of range"))?
                    .copy_from_slice(&object);
                self.set_leaves(inst, leaves)
            }
            Op::CompositeConstruct => self.construct(inst),
            Op::CompositeConstructReplicateEXT => {
                let (_, one) = self.leaves(inst.word(0)?)?;
                let total = self.types.leaf_count(inst.ty)?;
                self.work.charge(total as u64)?;
                self.set_leaves(
                    inst,
                    one.iter().copied().cycle().take(if one.is_empty() { 0 } else { total }).collect(),
                )
            }
            Op::VectorShuffle => {
                let mut both = self.vector(inst.word(0)?)?;
                both.extend(self.vector(inst.word(1)?)?);
                let (ty, _) = self.types.vector(inst.ty)?;
                let pick = |t: &mut Self, &i: &u32| match both.get(i as usize) {
                    Some(&v) => Ok(v),
                    None if i == u32::MAX => Ok(t.b.konst(ty, 0)),
                    None => Err(Error::invalid("component is out of range")),
                };
                let leaves = inst.from(2).iter().map(|i| pick(self, i)).collect::<R<Leaves>>()?;
                self.set_leaves(inst, leaves)
            }
            Op::VectorExtractDynamic => {
                let v = self.vector(inst.word(0)?)?;
                let index = self.lane_index(inst.word(1)?)?;
                let mut out = v[0];
                for (i, &x) in v.iter().enumerate().skip(1) {
                    let here = self.is_lane(index, i);
                    out = self.b.select(here, x, out);
                }
                self.set_leaves(inst, smallvec![out])
            }
            Op::VectorInsertDynamic => {
                let v = self.vector(inst.word(0)?)?;
                let object = self.scalar(inst.word(1)?)?;
                let index = self.lane_index(inst.word(2)?)?;
                let mut out = Leaves::new();
                for (i, &x) in v.iter().enumerate() {
                    let here = self.is_lane(index, i);
                    if self.b.ty(x) != self.b.ty(object) {
                        return Err(Error::invalid("the component has another type than the vector's"));
                    }
                    out.push(self.b.select(here, object, x));
                }
                self.set_leaves(inst, out)
            }
            Op::CopyObject => {
                let (ty, val) = self.get(inst.word(0)?)?;
                if ty != inst.ty {
                    return Err(Error::invalid("the operand has another type than the result"));
                }
                self.set(inst, val)
            }
            // The types differ only in decorations, so the scalars are the same ones.
            Op::CopyLogical => {
                let (_, leaves) = self.leaves(inst.word(0)?)?;
                self.set_leaves(inst, leaves)
            }
            // Undefined pointers, images and the like may be declared; only their use is an error.
            Op::Undef if self.types.leaf_count(inst.ty).is_err() => self.types.info(inst.ty).map(|_| ()),
            Op::Undef => {
                let leaves = self.materialise(inst.ty, &super::consts::Const::Null)?;
                self.set(inst, Val::Flat(leaves))
            }
            _ => Err(inst.unsupported()),
        }
    }

    fn construct(&mut self, inst: &Inst<'_>) -> R<()> {
        let mut leaves = Leaves::new();
        if let Ok(m) = self.types.coop(inst.ty) {
            let v = self.scalar(inst.word(0)?)?;
            return self.set_leaves(inst, std::iter::repeat_n(v, m.regs() as usize).collect());
        }
        let vector = matches!(self.types.get(inst.ty)?, Ty::Vector { .. });
        for (i, &id) in inst.ops.iter().enumerate() {
            let (ty, part) = self.leaves(id)?;
            // Vectors may be made of vectors; everything else has one constituent per part.
            if !vector && self.types.part(inst.ty, i as u32)?.0 != ty {
                return Err(Error::invalid(format!("constituent %{id} has another type than the part")));
            }
            leaves.extend(part);
        }
        self.set_leaves(inst, leaves)
    }

    /// A dynamic component number as `I32`.
    fn lane_index(&mut self, id: u32) -> R<Value> {
        let v = self.scalar(id)?;
        if !self.b.ty(v).is_int() {
            return Err(Error::invalid("the index is not an integer"));
        }
        Ok(self.b.int_to(v, Type::I32, false))
    }

    fn is_lane(&mut self, index: Value, lane: usize) -> Value {
        if let Some(c) = self.b.const_of(index) {
            return self.b.konst(Type::Bool, u64::from(c == lane as u64));
        }
        let lane = self.b.i32(lane as u32);
        self.b.alu(AluOp::IEq, Type::Bool, &[index, lane])
    }
}
