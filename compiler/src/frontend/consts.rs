//! Constants, specialised.

use super::error::{Error, R};
use super::module::{opcode, Inst};
use super::speceval;
use super::types::{Ty, Types};
use super::{Options, Work};
use crate::hash::HashMap;
use crate::sir::Type;
use spirv::Op;
use std::rc::Rc;

/// Value of a constant.
#[derive(Clone, Debug)]
pub(super) enum Const {
    /// All zeros (also `OpUndef`), whatever the size of the type.
    Null,
    /// Bits per scalar.
    Leaves(Rc<[u64]>),
}

/// All constants of a module: type id and value.
#[derive(Default)]
pub(super) struct Consts {
    map: HashMap<u32, (u32, Const)>,
}

impl Consts {
    pub fn get(&self, id: u32) -> Option<&(u32, Const)> {
        self.map.get(&id)
    }

    pub fn insert(&mut self, id: u32, ty: u32, value: Const) {
        self.map.insert(id, (ty, value));
    }

    /// Bits of a scalar integer or Bool constant, zero-extended.
    pub fn scalar(&self, types: &Types, id: u32) -> R<u64> {
        let bad = || Error::invalid(format!("%{id} is not a scalar integer constant"));
        let (ty, value) = self.get(id).ok_or_else(bad)?;
        if !matches!(types.get(*ty)?, Ty::Int { .. } | Ty::Bool) {
            return Err(bad());
        }
        Ok(match value {
            Const::Null => 0,
            Const::Leaves(l) => *l.first().ok_or_else(bad)?,
        })
    }

    /// A scalar integer constant as 32 bits, by its low bits.
    pub fn u32(&self, types: &Types, id: u32) -> R<u32> {
        Ok(self.scalar(types, id)? as u32)
    }

    /// Bits per scalar of a constant.
    pub fn leaves(&self, types: &Types, id: u32) -> R<Rc<[u64]>> {
        let (ty, value) = self.get(id).ok_or_else(|| Error::invalid(format!("%{id} is not a constant")))?;
        match value {
            Const::Leaves(l) => Ok(l.clone()),
            Const::Null => Ok(vec![0; types.leaf_count(*ty)?].into()),
        }
    }

    /// Defines the constant of an instruction.
    ///
    /// # Errors
    /// Malformed constants; operations that are not allowed in `OpSpecConstantOp`.
    pub fn declare(
        &mut self,
        inst: &Inst<'_>,
        types: &mut Types,
        spec_id: Option<u32>,
        options: &Options<'_>,
        work: &mut Work,
    ) -> R<()> {
        let spec = || spec_id.and_then(|id| options.spec_constants.iter().find(|c| c.id == id)).map(|c| c.data);
        let value = match inst.op {
            Op::ConstantTrue | Op::ConstantFalse | Op::SpecConstantTrue | Op::SpecConstantFalse => {
                if !matches!(types.get(inst.ty)?, Ty::Bool) {
                    return Err(Error::invalid("the type is not Bool"));
                }
                let mut bit = matches!(inst.op, Op::ConstantTrue | Op::SpecConstantTrue);
                if matches!(inst.op, Op::SpecConstantTrue | Op::SpecConstantFalse) {
                    if let Some(data) = spec() {
                        bit = read(data, 4)? != 0;
                    }
                }
                one(u64::from(bit))
            }
            Op::Constant | Op::SpecConstant => {
                let t = types.scalar(inst.ty)?;
                if t == Type::Bool {
                    return Err(Error::invalid("the type is Bool"));
                }
                let mut bits = u64::from(inst.word(0)?);
                if t.bits() == 64 {
                    bits |= u64::from(inst.word(1)?) << 32;
                }
                if inst.ops.len() != if t.bits() == 64 { 2 } else { 1 } {
                    return Err(Error::invalid("the literal is wider than the type"));
                }
                if inst.op == Op::SpecConstant {
                    if let Some(data) = spec() {
                        bits = read(data, t.bytes() as usize)?;
                    }
                }
                one(bits & t.mask())
            }
            Op::ConstantNull | Op::Undef => {
                types.info(inst.ty)?;
                Const::Null
            }
            Op::ConstantComposite | Op::SpecConstantComposite => self.composite(inst, types, inst.ops, work)?,
            Op::ConstantCompositeReplicateEXT | Op::SpecConstantCompositeReplicateEXT => {
                let n = match *types.get(inst.ty)? {
                    Ty::Vector { n, .. } | Ty::Matrix { n, .. } | Ty::Array { len: n, .. } => n,
                    Ty::Struct(ref m) => m.len() as u32,
                    Ty::CoopMatrix(_) => 1,
                    _ => return Err(Error::invalid("the type is not a composite")),
                };
                types.leaf_count(inst.ty)?;
                work.charge(u64::from(n))?;
                self.composite(inst, types, &vec![inst.word(0)?; n as usize], work)?
            }
            Op::SpecConstantOp => {
                let op = opcode(inst.word(0)?).ok_or_else(|| Error::invalid("unknown operation"))?;
                if matches!(op, Op::CooperativeMatrixLengthKHR | Op::CooperativeMatrixLengthNV) {
                    let n = types.coop(inst.word(1)?)?.regs();
                    types.scalar(inst.ty)?;
                    self.insert(inst.id, inst.ty, one(u64::from(n)));
                    return Ok(());
                }
                work.charge(types.leaf_count(inst.ty)? as u64)?;
                Const::Leaves(speceval::eval(op, inst, self, types)?.into())
            }
            _ => return Err(inst.unsupported()),
        };
        self.insert(inst.id, inst.ty, value);
        Ok(())
    }

    fn composite(&self, inst: &Inst<'_>, types: &Types, parts: &[u32], work: &mut Work) -> R<Const> {
        let total = types.leaf_count(inst.ty)?;
        work.charge(total as u64)?;
        if let Ty::CoopMatrix(m) = *types.get(inst.ty)? {
            // All elements are alike.
            let part = *parts.first().ok_or_else(|| Error::invalid("wrong number of constituents"))?;
            if self.get(part).is_none_or(|c| c.0 != m.elem) {
                return Err(Error::invalid(format!("constituent %{part} has another type")));
            }
            let bits = self.leaves(types, part)?.first().copied().unwrap_or(0);
            return Ok(Const::Leaves(vec![bits; total].into()));
        }
        let expected = match *types.get(inst.ty)? {
            Ty::Vector { n, .. } | Ty::Matrix { n, .. } | Ty::Array { len: n, .. } => n as usize,
            Ty::Struct(ref m) => m.len(),
            _ => return Err(Error::invalid("the type is not a composite")),
        };
        if parts.len() != expected {
            return Err(Error::invalid("wrong number of constituents"));
        }
        let mut leaves = Vec::with_capacity(total);
        for (i, &part) in parts.iter().enumerate() {
            let (part_ty, _) = types.part(inst.ty, i as u32)?;
            let (ty, _) = self.get(part).ok_or_else(|| Error::invalid(format!("%{part} is not a constant")))?;
            if *ty != part_ty {
                return Err(Error::invalid(format!("constituent %{part} has another type")));
            }
            leaves.extend_from_slice(&self.leaves(types, part)?);
        }
        Ok(Const::Leaves(leaves.into()))
    }
}

fn one(bits: u64) -> Const {
    Const::Leaves(Rc::new([bits]))
}

fn read(data: &[u8], bytes: usize) -> R<u64> {
    let data = data.get(..bytes).ok_or_else(|| Error::invalid("specialisation data is too short for the constant"))?;
    let mut le = [0; 8];
    le[..bytes].copy_from_slice(data);
    Ok(u64::from_le_bytes(le))
}
