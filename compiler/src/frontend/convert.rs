//! Conversions.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::types::Ty;
use super::val::Leaves;
use crate::sir::{AluOp, Type, Value};
use smallvec::SmallVec;
use spirv::Op;

impl Translator<'_> {
    /// Value conversions.
    pub(super) fn convert(&mut self, inst: &Inst<'_>) -> R<()> {
        let (ty, _) = self.types.vector(inst.ty)?;
        let d = self.deco.id(inst.id);
        if matches!(inst.op, Op::ConvertFToU | Op::ConvertFToS | Op::ConvertSToF | Op::ConvertUToF | Op::FConvert)
            && (self.types.small_float(inst.ty).is_some() || self.small_operand(inst)?.is_some())
        {
            return self.convert_small(inst);
        }
        match inst.op {
            Op::ConvertFToU => self.map(inst, 0, 1, |t, a| Ok(t.b.alu(AluOp::FToU, ty, a))),
            Op::ConvertFToS => self.map(inst, 0, 1, |t, a| Ok(t.b.alu(AluOp::FToS, ty, a))),
            Op::ConvertSToF => self.map(inst, 0, 1, |t, a| Ok(t.b.alu(AluOp::SToF, ty, a))),
            Op::ConvertUToF => self.map(inst, 0, 1, |t, a| Ok(t.b.alu(AluOp::UToF, ty, a))),
            Op::UConvert | Op::SConvert => {
                let signed = inst.op == Op::SConvert;
                self.map(inst, 0, 1, |t, a| {
                    if !t.b.ty(a[0]).is_int() || !ty.is_int() {
                        return Err(Error::invalid("operand and result must be integers"));
                    }
                    Ok(t.b.int_to(a[0], ty, signed))
                })
            }
            Op::FConvert => self.map(inst, 0, 1, |t, a| {
                let from = t.b.ty(a[0]);
                if from == ty {
                    return Ok(a[0]);
                }
                let towards_zero = d.rounding_rtz && ty.bits() < from.bits();
                Ok(t.b.alu(if towards_zero { AluOp::FConvRtz } else { AluOp::FConv }, ty, a))
            }),
            Op::SatConvertSToU => self.map(inst, 0, 1, |t, a| t.saturate(a[0], ty, true)),
            Op::SatConvertUToS => self.map(inst, 0, 1, |t, a| t.saturate(a[0], ty, false)),
            _ => Err(inst.unsupported()),
        }
    }

    /// Component type of the operand, if that is a format without arithmetic.
    fn small_operand(&mut self, inst: &Inst<'_>) -> R<Option<u32>> {
        let (from, _) = self.get(inst.word(0)?)?;
        let small = self.types.small_float(from).is_some();
        Ok(if small { Some(self.types.components(from)?.0) } else { None })
    }

    /// Conversions from or to formats without arithmetic, by way of `F32`.
    fn convert_small(&mut self, inst: &Inst<'_>) -> R<()> {
        let saturate = self.deco.id(inst.id).saturated_float8;
        let from = self.small_operand(inst)?;
        let (elem, _) = self.types.components(inst.ty)?;
        let out = self.types.scalar(elem)?;
        let to_small = self.types.small_float(elem).is_some();
        self.map(inst, 0, 1, |t, a| {
            let mut v = a[0];
            if let Some(from) = from {
                if from == elem {
                    return Ok(v);
                }
                v = t.widen_float(v, from)?;
            }
            match inst.op {
                Op::ConvertFToU => Ok(t.b.alu(AluOp::FToU, out, &[v])),
                Op::ConvertFToS => Ok(t.b.alu(AluOp::FToS, out, &[v])),
                Op::ConvertSToF | Op::ConvertUToF => {
                    let op = if inst.op == Op::ConvertSToF { AluOp::SToF } else { AluOp::UToF };
                    // As the specification has it for bfloat16: to F32 first.
                    let v = t.b.alu(op, if to_small { Type::F32 } else { out }, &[v]);
                    t.narrow_float(v, elem, saturate)
                }
                _ => t.narrow_float(v, elem, saturate),
            }
        })
    }

    /// A scalar of one numerical type as another, by the signs of the types.
    pub(super) fn convert_component(&mut self, v: Value, from: u32, to: u32) -> R<Value> {
        let float = |t: &Self, ty| Ok(matches!(t.types.get(ty)?, Ty::Float { .. } | Ty::SmallFloat(_)));
        let out = self.types.scalar(to)?;
        Ok(match (float(self, from)?, float(self, to)?) {
            _ if from == to => v,
            (true, true) => {
                let v = self.widen_float(v, from)?;
                self.narrow_float(v, to, false)?
            }
            (false, false) => self.b.int_to(v, out, self.types.is_signed(from)),
            (true, false) => {
                let v = self.widen_float(v, from)?;
                let op = if self.types.is_signed(to) { AluOp::FToS } else { AluOp::FToU };
                self.b.alu(op, out, &[v])
            }
            (false, true) => {
                let op = if self.types.is_signed(from) { AluOp::SToF } else { AluOp::UToF };
                let ty = if self.types.small_float(to).is_some() { Type::F32 } else { out };
                let v = self.b.alu(op, ty, &[v]);
                self.narrow_float(v, to, false)?
            }
        })
    }

    /// Signed to unsigned, or unsigned to signed, clamped to the result's range.
    fn saturate(&mut self, v: Value, ty: Type, from_signed: bool) -> R<Value> {
        let from = self.b.ty(v);
        if !from.is_int() || !ty.is_int() {
            return Err(Error::invalid("operand and result must be integers"));
        }
        let mut v = v;
        if from_signed {
            let zero = self.b.konst(from, 0);
            v = self.b.alu(AluOp::SMax, from, &[v, zero]);
        }
        let top = if from_signed { ty.mask() } else { ty.mask() >> 1 };
        if top < from.mask() {
            let top = self.b.konst(from, top);
            v = self.b.alu(AluOp::UMin, from, &[v, top]);
        }
        Ok(self.b.int_to(v, ty, false))
    }

    /// `OpBitcast` between data types of the same total width.
    pub(super) fn bitcast(&mut self, inst: &Inst<'_>) -> R<()> {
        let (from, source) = self.leaves(inst.word(0)?)?;
        let pointer = |t: &Self, ty: u32| t.types.pointer(ty).is_ok();
        if pointer(self, from) || pointer(self, inst.ty) {
            return self.convert_pointer(inst);
        }
        self.types.components(from)?;
        let (ty, n) = self.types.vector(inst.ty)?;
        let out = self.repack(&source, &vec![ty; n as usize])?;
        self.set_leaves(inst, out)
    }

    /// Cuts the bits of some scalars, lowest first, into scalars of other types of the same total width.
    pub(super) fn repack(&mut self, source: &[Value], types: &[Type]) -> R<Leaves> {
        let bad = || Error::invalid("operand and result differ in total width");
        let (&first, &to) = source.first().zip(types.first()).ok_or_else(bad)?;
        let from_bits = self.b.ty(first).bits();
        let to_bits = to.bits();
        let fits = |bits: u32| matches!(bits, 8 | 16 | 32 | 64);
        if !fits(from_bits) || !fits(to_bits) || from_bits as usize * source.len() != to_bits as usize * types.len() {
            return Err(bad());
        }
        let int = |bits: u32| Type::int(bits).unwrap_or(Type::I32);
        let ints: SmallVec<[Value; 8]> = source.iter().map(|&v| self.b.bitcast(v, int(from_bits))).collect();
        let mut out = Leaves::new();
        if from_bits <= to_bits {
            let wide = int(to_bits);
            for group in ints.chunks((to_bits / from_bits) as usize) {
                let mut all: Option<Value> = None;
                for (i, &v) in group.iter().enumerate() {
                    let v = self.b.int_to(v, wide, false);
                    let shift = self.b.i32(i as u32 * from_bits);
                    all = Some(match all {
                        None => v,
                        Some(low) => {
                            let v = self.b.alu(AluOp::Shl, wide, &[v, shift]);
                            self.b.alu(AluOp::Or, wide, &[low, v])
                        }
                    });
                }
                out.push(self.b.bitcast(all.ok_or_else(bad)?, to));
            }
        } else {
            for &v in &ints {
                for i in 0..from_bits / to_bits {
                    let shift = self.b.i32(i * to_bits);
                    let part = if i == 0 { v } else { self.b.alu(AluOp::UShr, int(from_bits), &[v, shift]) };
                    let part = self.b.int_to(part, int(to_bits), false);
                    out.push(self.b.bitcast(part, to));
                }
            }
        }
        Ok(out)
    }
}
