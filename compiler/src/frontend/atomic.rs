//! Atomics on memory and texels.

use super::error::{Error, R};
use super::image_operands::image_ref;
use super::memory::Operands;
use super::module::Inst;
use super::translator::Translator;
use super::val::{Leaves, Ptr, Root, TexelPtr, Val};
use crate::sir::{Access, AluOp, AtomicOp, BindingKind, ImageDim, ImageRef, Op as Sir, Type, Value};
use smallvec::smallvec;
use spirv::{MemorySemantics as S, Op};
use std::rc::Rc;

/// What is done atomically on.
enum Place {
    Memory(Ptr),
    Texel(Rc<TexelPtr>),
}

fn rmw(op: Op) -> Option<AtomicOp> {
    Some(match op {
        Op::AtomicExchange => AtomicOp::Exchange,
        Op::AtomicIIncrement | Op::AtomicIDecrement | Op::AtomicIAdd | Op::AtomicISub => AtomicOp::IAdd,
        Op::AtomicSMin => AtomicOp::SMin,
        Op::AtomicUMin => AtomicOp::UMin,
        Op::AtomicSMax => AtomicOp::SMax,
        Op::AtomicUMax => AtomicOp::UMax,
        Op::AtomicAnd => AtomicOp::And,
        Op::AtomicOr => AtomicOp::Or,
        Op::AtomicXor => AtomicOp::Xor,
        Op::AtomicFAddEXT => AtomicOp::FAdd,
        Op::AtomicFMinEXT => AtomicOp::FMin,
        Op::AtomicFMaxEXT => AtomicOp::FMax,
        _ => return None,
    })
}

/// Vectors that have atomics (SPV_NV_shader_atomic_fp16_vector).
fn vector_fits(op: Op, ty: Type, n: u32) -> bool {
    let changes = matches!(op, Op::AtomicExchange | Op::AtomicFAddEXT | Op::AtomicFMinEXT | Op::AtomicFMaxEXT);
    changes && ty == Type::F16 && matches!(n, 2 | 4)
}

impl ImageRef {
    /// The image of a texel pointer.
    fn of(t: &TexelPtr) -> ImageRef {
        image_ref(t.res, &t.ty)
    }
}

impl Translator<'_> {
    /// `OpAtomic*`.
    pub(super) fn atomic(&mut self, inst: &Inst<'_>) -> R<()> {
        let pointer = inst.word(0)?;
        let place = match self.get(pointer)?.1 {
            Val::Texel(t) => Place::Texel(t),
            Val::Flat(_) | Val::Ptr(_) if self.is_untyped(pointer) => {
                let ty = match inst.op {
                    Op::AtomicStore => self.result_types.get(&inst.word(3)?).copied().unwrap_or(0),
                    _ => inst.ty,
                };
                Place::Memory(self.ptr_to(pointer, ty)?)
            }
            Val::Flat(_) | Val::Ptr(_) => Place::Memory(self.ptr(pointer)?),
            Val::Opaque(_) => return Err(Error::invalid("not a pointer")),
        };
        let scalar_ty = match &place {
            Place::Memory(p) => p.pointee,
            Place::Texel(t) => t.pointee,
        };
        let (ty, n) = self.types.vector(scalar_ty)?;
        if ty == Type::Bool {
            return Err(Error::invalid("atomics on Bool"));
        }
        if n != 1 && !vector_fits(inst.op, ty, n) {
            return Err(Error::invalid("atomics on a vector"));
        }
        if inst.ty != 0 && self.types.vector(inst.ty)? != (ty, n) {
            return Err(Error::invalid("the result type is not what the pointer points to"));
        }
        let memory = self.scope(inst.word(1)?)?;
        let mut semantics = self.semantics(inst.word(2)?)?;
        if inst.op == Op::AtomicCompareExchange {
            semantics |= self.semantics(inst.word(3)?)?;
        }
        let volatile = semantics.contains(S::VOLATILE);
        let written = inst.op != Op::AtomicLoad || matches!(place, Place::Texel(_));
        match &place {
            Place::Memory(p) => {
                if matches!(p.root, Root::Slot(_) | Root::Push | Root::Input(_) | Root::Handle(_) | Root::Heap { .. }) {
                    return Err(Error::invalid(format!("atomics on {:?} memory", p.class)));
                }
                if written {
                    self.writable(p)?;
                }
            }
            Place::Texel(t) => {
                let kind = match t.ty.dim {
                    ImageDim::Buffer => BindingKind::StorageTexelBuffer,
                    _ => BindingKind::StorageImage,
                };
                self.use_binding(t.res, kind, written);
            }
        }
        self.release(memory, semantics);
        let old: Leaves = match &place {
            Place::Memory(p) if n > 1 => self.vector_rmw(inst, p, ty, volatile)?,
            Place::Texel(_) if n > 1 => self.texel_rmw(inst, &place, n, volatile)?,
            _ => self.atomic_op(inst, &place, ty, volatile)?.into_iter().collect(),
        };
        self.acquire(memory, semantics);
        if old.is_empty() {
            return Ok(());
        }
        self.set_leaves(inst, old)
    }

    /// A read-modify-write of a vector: of one component after the other, each by itself.
    fn vector_rmw(&mut self, inst: &Inst<'_>, p: &Ptr, ty: Type, volatile: bool) -> R<Leaves> {
        let op = rmw(inst.op).ok_or_else(|| inst.unsupported())?;
        let values = self.vector(inst.word(3)?)?;
        if self.types.vector(p.pointee)? != (ty, values.len() as u32) || values.iter().any(|&v| self.b.ty(v) != ty) {
            return Err(Error::invalid("the value is not of the type the pointer points to"));
        }
        let mut old = Leaves::new();
        let mut part = p.clone();
        for v in values {
            old.push(self.atomic_rmw(&Place::Memory(part.clone()), op, v, volatile)?);
            let next = part.imm.checked_add(i64::from(ty.bytes()));
            part.imm = next.ok_or_else(|| Error::limit("the offset is too large"))?;
        }
        Ok(old)
    }

    /// A read-modify-write of a texel of 16-bit floats, as one integer.
    fn texel_rmw(&mut self, inst: &Inst<'_>, place: &Place, n: u32, volatile: bool) -> R<Leaves> {
        let op = match rmw(inst.op) {
            Some(AtomicOp::FAdd) => AtomicOp::HAdd,
            Some(AtomicOp::FMin) => AtomicOp::HMin,
            Some(AtomicOp::FMax) => AtomicOp::HMax,
            Some(AtomicOp::Exchange) => AtomicOp::Exchange,
            _ => return Err(inst.unsupported()),
        };
        let values = self.vector(inst.word(3)?)?;
        if values.len() != n as usize || values.iter().any(|&v| self.b.ty(v) != Type::F16) {
            return Err(Error::invalid("the value is not of the type the pointer points to"));
        }
        let word = if n == 2 { Type::I32 } else { Type::I64 };
        let mut packed = self.b.konst(word, 0);
        for (i, v) in (0u64..).zip(values) {
            let bits = self.b.bitcast(v, Type::I16);
            let (bits, by) = (self.b.int_to(bits, word, false), self.b.konst(word, 16 * i));
            let bits = self.b.alu(AluOp::Shl, word, &[bits, by]);
            packed = self.b.alu(AluOp::Or, word, &[packed, bits]);
        }
        let old = self.atomic_rmw(place, op, packed, volatile)?;
        let mut out = Leaves::new();
        for i in 0..u64::from(n) {
            let by = self.b.konst(word, 16 * i);
            let bits = self.b.alu(AluOp::UShr, word, &[old, by]);
            let bits = self.b.int_to(bits, Type::I16, false);
            out.push(self.b.bitcast(bits, Type::F16));
        }
        Ok(out)
    }

    fn atomic_op(&mut self, inst: &Inst<'_>, place: &Place, ty: Type, volatile: bool) -> R<Option<Value>> {
        let operand = |t: &mut Self, i: usize| -> R<Value> {
            let v = t.scalar(inst.word(i)?)?;
            if t.b.ty(v) != ty {
                return Err(Error::invalid("the value is not of the type the pointer points to"));
            }
            Ok(v)
        };
        Ok(match inst.op {
            Op::AtomicLoad => Some(self.atomic_load(place, ty, volatile)?),
            Op::AtomicStore => {
                let v = operand(self, 3)?;
                self.atomic_store(place, v, volatile)?;
                None
            }
            Op::AtomicCompareExchange => {
                let (desired, expected) = (operand(self, 4)?, operand(self, 5)?);
                if !ty.is_int() {
                    return Err(Error::invalid("compare-exchange needs integers"));
                }
                Some(match place {
                    Place::Memory(p) => {
                        let addr = self.addr(p, 0)?;
                        let volatile = volatile || p.flags.volatile;
                        self.b.emit(ty, Sir::AtomicCas { addr, expected, desired, volatile })
                    }
                    Place::Texel(t) => {
                        let (image, coords) = (ImageRef::of(t), t.coords.clone());
                        self.b.emit(ty, Sir::ImageCas { image, coords, expected, desired })
                    }
                })
            }
            _ => {
                let op = rmw(inst.op).ok_or_else(|| inst.unsupported())?;
                let value = match inst.op {
                    Op::AtomicIIncrement => self.b.konst(ty, 1),
                    Op::AtomicIDecrement => self.b.konst(ty, u64::MAX),
                    Op::AtomicISub => {
                        let v = operand(self, 3)?;
                        self.b.alu(AluOp::INeg, ty, &[v])
                    }
                    _ => operand(self, 3)?,
                };
                let float = matches!(op, AtomicOp::FAdd | AtomicOp::FMin | AtomicOp::FMax);
                if float != ty.is_float() && op != AtomicOp::Exchange {
                    return Err(Error::invalid("the type does not fit the operation"));
                }
                Some(self.atomic_rmw(place, op, value, volatile)?)
            }
        })
    }

    fn atomic_rmw(&mut self, place: &Place, op: AtomicOp, value: Value, volatile: bool) -> R<Value> {
        let ty = self.b.ty(value);
        // Exchanges move bits, whatever they mean.
        if op == AtomicOp::Exchange && ty.is_float() && matches!(place, Place::Memory(_)) {
            let int = Type::int(ty.bits()).unwrap_or(Type::I32);
            let bits = self.b.bitcast(value, int);
            let old = self.atomic_rmw(place, op, bits, volatile)?;
            return Ok(self.b.bitcast(old, ty));
        }
        Ok(match place {
            Place::Memory(p) => {
                let addr = self.addr(p, 0)?;
                let volatile = volatile || p.flags.volatile;
                self.b.emit(ty, Sir::AtomicRmw { op, addr, value, volatile })
            }
            Place::Texel(t) => {
                let (image, coords) = (ImageRef::of(t), t.coords.clone());
                self.b.emit(ty, Sir::ImageAtomic { image, coords, op, value })
            }
        })
    }

    fn atomic_access(&self, p: &Ptr, ty: Type, volatile: bool) -> Access {
        let ops = Operands { volatile, coherent: true, align: ty.bytes() };
        Access { atomic: true, ..self.access(p, 0, ty, ops) }
    }

    fn atomic_load(&mut self, place: &Place, ty: Type, volatile: bool) -> R<Value> {
        match place {
            Place::Memory(p) => {
                let access = self.atomic_access(p, ty, volatile);
                let addr = self.addr(p, 0)?;
                Ok(self.b.emit(ty, Sir::Load { addr, access }))
            }
            // There is no atomic texel read; adding nothing is one.
            Place::Texel(_) => {
                let (op, zero) = match ty.is_float() {
                    true => (AtomicOp::FAdd, self.b.float(ty, -0.0)),
                    false => (AtomicOp::IAdd, self.b.konst(ty, 0)),
                };
                self.atomic_rmw(place, op, zero, volatile)
            }
        }
    }

    fn atomic_store(&mut self, place: &Place, v: Value, volatile: bool) -> R<()> {
        match place {
            Place::Memory(p) => {
                let ty = self.b.ty(v);
                let access = self.atomic_access(p, ty, volatile);
                let addr = self.addr(p, 0)?;
                self.b.push(&[], Sir::Store { addr, values: smallvec![v], access });
            }
            Place::Texel(_) => {
                self.atomic_rmw(place, AtomicOp::Exchange, v, volatile)?;
            }
        }
        Ok(())
    }
}
