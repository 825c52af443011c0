//! Image objects and the optional operands of image instructions.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::types::ImageTy;
use super::val::{Leaves, Opaque, Ptr, Root, TexelPtr, Val};
use crate::sir::{AluOp, ImageCoords, ImageDim, ImageRef, Resource, Type, Value};
use smallvec::SmallVec;
use spirv::{ImageOperands as M, Op};
use std::rc::Rc;

/// Optional operands, by id; 0 if absent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ImageOps {
    pub bias: u32,
    pub lod: u32,
    pub grad: Option<(u32, u32)>,
    pub offset: u32,
    pub offsets: u32,
    pub sample: u32,
    pub min_lod: u32,
}

impl ImageOps {
    /// Reads operand mask and ids.
    pub fn parse(words: &[u32]) -> R<ImageOps> {
        let mut out = ImageOps::default();
        let Some((&mask, args)) = words.split_first() else { return Ok(out) };
        let mask = M::from_bits(mask).ok_or_else(|| Error::unsupported(format!("image operands {mask:#x}")))?;
        let mut args = args.iter();
        for bit in mask.iter() {
            let mut next = || args.next().copied().ok_or_else(|| Error::invalid("an image operand is missing"));
            match bit {
                M::BIAS => out.bias = next()?,
                M::LOD => out.lod = next()?,
                M::GRAD => out.grad = Some((next()?, next()?)),
                M::CONST_OFFSET | M::OFFSET => out.offset = next()?,
                M::CONST_OFFSETS | M::OFFSETS => out.offsets = next()?,
                M::SAMPLE => out.sample = next()?,
                M::MIN_LOD => out.min_lod = next()?,
                // The scope says nothing that the descriptor's memory does not do anyway.
                M::MAKE_TEXEL_AVAILABLE | M::MAKE_TEXEL_VISIBLE => {
                    next()?;
                }
                M::NON_PRIVATE_TEXEL | M::VOLATILE_TEXEL | M::SIGN_EXTEND | M::ZERO_EXTEND | M::NONTEMPORAL => {}
                other => return Err(Error::unsupported(format!("image operand {other:?}"))),
            }
        }
        Ok(out)
    }
}

/// The image of a descriptor and its declared shape.
pub(super) fn image_ref(res: Resource, ty: &ImageTy) -> ImageRef {
    ImageRef { res, dim: ty.dim, arrayed: ty.arrayed, ms: ty.ms, format: ty.format }
}

impl Translator<'_> {
    /// The loaded image or sampler an id holds, with the id's `NonUniform`.
    pub(super) fn opaque(&mut self, id: u32) -> R<Rc<Opaque>> {
        match self.get(id)?.1 {
            Val::Opaque(o) if !self.deco.id(id).non_uniform => Ok(o),
            Val::Opaque(o) => {
                let mut o = (*o).clone();
                if let Some((res, _)) = &mut o.image {
                    res.non_uniform = true;
                }
                if let Some(res) = &mut o.sampler {
                    res.non_uniform = true;
                }
                Ok(Rc::new(o))
            }
            Val::Flat(_) | Val::Ptr(_) | Val::Texel(_) => {
                Err(Error::invalid(format!("%{id} is not an image or sampler")))
            }
        }
    }

    /// The image an id holds.
    pub(super) fn image(&mut self, id: u32) -> R<(Resource, Rc<ImageTy>)> {
        self.opaque(id)?.image.clone().ok_or_else(|| Error::invalid(format!("%{id} is not an image")))
    }

    /// `OpSampledImage`, `OpImage`, `OpImageTexelPointer`.
    pub(super) fn image_object(&mut self, inst: &Inst<'_>) -> R<()> {
        let non_uniform = self.deco.id(inst.id).non_uniform;
        match inst.op {
            Op::SampledImage => {
                let (mut res, ty) = self.image(inst.word(0)?)?;
                let sampler = self.opaque(inst.word(1)?)?;
                let mut sampler = sampler.sampler.ok_or_else(|| Error::invalid("the operand is not a sampler"))?;
                res.non_uniform |= non_uniform;
                sampler.non_uniform |= non_uniform;
                let opaque = Opaque { image: Some((res, ty)), sampler: Some(sampler), combined: false };
                self.set(inst, Val::Opaque(Rc::new(opaque)))
            }
            Op::Image => {
                let (res, ty) = self.image(inst.word(0)?)?;
                let opaque = Opaque { image: Some((res, ty)), sampler: None, combined: false };
                self.set(inst, Val::Opaque(Rc::new(opaque)))
            }
            _ => {
                let p = self.ptr(inst.word(0)?)?;
                let Ptr { root: Root::Handle(mut res), levels: 0, pointee, .. } = p else {
                    return Err(Error::invalid("not a pointer to an image"));
                };
                let super::types::Ty::Image(ty) = self.types.get(pointee)?.clone() else {
                    return Err(Error::invalid("not a pointer to an image"));
                };
                res.non_uniform |= non_uniform;
                let mut coords = self.texel_coords(inst.word(1)?, &ty)?;
                if ty.ms {
                    coords.sample = Some(self.int32(inst.word(2)?)?);
                }
                let (_, pointee) = self.types.pointer(inst.ty)?;
                self.set(inst, Val::Texel(Rc::new(TexelPtr { res, ty, coords, pointee })))
            }
        }
    }

    /// A scalar integer operand as `I32`.
    pub(super) fn int32(&mut self, id: u32) -> R<Value> {
        let v = self.scalar(id)?;
        if !self.b.ty(v).is_int() {
            return Err(Error::invalid(format!("%{id} is not an integer")));
        }
        Ok(self.b.int_to(v, Type::I32, true))
    }

    /// The first `n` components of an integer vector as `I32`.
    pub(super) fn int32s(&mut self, id: u32, n: usize) -> R<Leaves> {
        let v = self.vector(id)?;
        if v.len() < n || !v.iter().all(|&x| self.b.ty(x).is_int()) {
            return Err(Error::invalid(format!("%{id} has not {n} integer components")));
        }
        Ok(v[..n].iter().map(|&x| self.b.int_to(x, Type::I32, true)).collect())
    }

    /// The first `n` components of a floating-point vector as `F32`.
    pub(super) fn float32s(&mut self, id: u32, n: usize) -> R<Leaves> {
        let v = self.vector(id)?;
        if v.len() < n || !v.iter().all(|&x| self.b.ty(x).is_float()) {
            return Err(Error::invalid(format!("%{id} has not {n} floating-point components")));
        }
        Ok(v[..n].iter().map(|&x| self.float32(x)).collect())
    }

    pub(super) fn float32(&mut self, v: Value) -> Value {
        match self.b.ty(v) {
            Type::F32 => v,
            _ => self.b.alu(AluOp::FConv, Type::F32, &[v]),
        }
    }

    /// Texel coordinates of an image of this shape.
    pub(super) fn texel_coords(&mut self, id: u32, ty: &ImageTy) -> R<ImageCoords> {
        // For cubes the third coordinate is the layer-face already.
        let layers = usize::from(ty.arrayed && ty.dim != ImageDim::Cube);
        let xyz: SmallVec<[Value; 4]> = self.int32s(id, ty.dims() + layers)?;
        Ok(ImageCoords { xyz, lod: None, sample: None })
    }

    /// Converts a scalar an image instruction gives to the type the module asks for.
    pub(super) fn texel_to(&mut self, v: Value, ty: Type) -> R<Value> {
        let from = self.b.ty(v);
        match (from.is_float(), ty.is_float()) {
            _ if from == ty => Ok(v),
            (true, true) => Ok(self.b.alu(AluOp::FConv, ty, &[v])),
            (false, false) if ty.is_int() => Ok(self.b.int_to(v, ty, false)),
            _ => Err(Error::invalid("the texel type does not fit the image's sampled type")),
        }
    }

    /// Type in which texels of an image are read and written.
    pub(super) fn texel_type(&self, ty: &ImageTy) -> R<Type> {
        Ok(match self.types.scalar(ty.sampled_type)? {
            Type::F16 | Type::F32 => Type::F32,
            Type::I64 => Type::I64,
            _ => Type::I32,
        })
    }
}
