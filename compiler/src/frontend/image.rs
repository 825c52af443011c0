//! Reading, writing and querying images.

use super::error::{Error, R};
use super::image_operands::{image_ref, ImageOps};
use super::module::Inst;
use super::translator::Translator;
use super::types::{ImageTy, Ty};
use super::val::Leaves;
use crate::sir::{AluOp, BindingKind, ImageCoords, ImageDim, Op as Sir, Type, Value};
use smallvec::{smallvec, SmallVec};
use spirv::Op;

impl Translator<'_> {
    /// Applies Lod, Sample and offset operands to texel coordinates.
    fn texel_operands(&mut self, coords: &mut ImageCoords, ops: ImageOps, ty: &ImageTy) -> R<()> {
        if ops.lod != 0 {
            coords.lod = Some(self.int32(ops.lod)?);
        }
        if ops.sample != 0 {
            coords.sample = Some(self.int32(ops.sample)?);
        } else if ty.ms {
            return Err(Error::invalid("multisampled images need a Sample operand"));
        }
        if ops.offset != 0 {
            for (c, o) in self.int32s(ops.offset, ty.dims())?.into_iter().enumerate() {
                coords.xyz[c] = self.b.alu(AluOp::IAdd, Type::I32, &[coords.xyz[c], o]);
            }
        }
        Ok(())
    }

    /// `OpImageRead`, `OpImageFetch` and their sparse forms.
    pub(super) fn image_read(&mut self, inst: &Inst<'_>) -> R<()> {
        let sparse = matches!(inst.op, Op::ImageSparseRead | Op::ImageSparseFetch);
        let (res, ty) = self.image(inst.word(0)?)?;
        let mut coords = self.texel_coords(inst.word(1)?, &ty)?;
        self.texel_operands(&mut coords, ImageOps::parse(inst.from(2))?, &ty)?;
        let texel = self.texel_type(&ty)?;
        let mut results: SmallVec<[Value; 5]> = (0..4).map(|_| self.b.value(texel)).collect();
        if sparse {
            results.push(self.b.value(Type::I32));
        }
        self.b.push(&results, Sir::ImageLoad { image: image_ref(res, &ty), coords, sparse });
        self.set_texel(inst, &results, sparse)
    }

    /// Defines a result that is a texel, or residency code and texel.
    pub(super) fn set_texel(&mut self, inst: &Inst<'_>, values: &[Value], sparse: bool) -> R<()> {
        let mut out = Leaves::new();
        let texel_ty = if sparse {
            let code = *values.last().ok_or_else(|| Error::invalid("no residency code"))?;
            match self.types.get(inst.ty)?.clone() {
                Ty::Struct(members) if members.len() == 2 => {
                    let ty = self.types.scalar(members[0])?;
                    out.push(self.texel_to(code, ty)?);
                    members[1]
                }
                _ => return Err(Error::invalid("the result is not a structure of residency code and texel")),
            }
        } else {
            inst.ty
        };
        let (ty, n) = self.types.vector(texel_ty)?;
        let texels = values.len() - usize::from(sparse);
        if n as usize > texels {
            return Err(Error::invalid("the result has too many components"));
        }
        for &v in &values[..n as usize] {
            out.push(self.texel_to(v, ty)?);
        }
        self.set_leaves(inst, out)
    }

    /// `OpImageWrite`.
    pub(super) fn image_write(&mut self, inst: &Inst<'_>) -> R<()> {
        let (res, ty) = self.image(inst.word(0)?)?;
        if !ty.storage {
            return Err(Error::invalid("not a storage image"));
        }
        let mut coords = self.texel_coords(inst.word(1)?, &ty)?;
        self.texel_operands(&mut coords, ImageOps::parse(inst.from(3))?, &ty)?;
        let (value_ty, value) = self.leaves(inst.word(2)?)?;
        self.types.components(value_ty)?;
        let signed = self.types.is_signed(value_ty);
        let out = self.texel_type(&ty)?;
        let mut texel: SmallVec<[Value; 4]> = SmallVec::new();
        for &v in value.iter().take(4) {
            let from = self.b.ty(v);
            texel.push(if from.is_int() && out.is_int() {
                self.b.int_to(v, out, signed)
            } else {
                self.texel_to(v, out)?
            });
        }
        // Components the shader does not give are those the format does not have.
        while texel.len() < 4 {
            texel.push(self.b.konst(out, 0));
        }
        self.b.push(&[], Sir::ImageStore { image: image_ref(res, &ty), coords, texel });
        let kind = if ty.dim == ImageDim::Buffer { BindingKind::StorageTexelBuffer } else { BindingKind::StorageImage };
        self.use_binding(res, kind, true);
        Ok(())
    }

    /// Sizes, levels, samples, and the meaning of residency codes (0: all texels were there).
    pub(super) fn image_query(&mut self, inst: &Inst<'_>) -> R<()> {
        if inst.op == Op::ImageSparseTexelsResident {
            let code = self.scalar(inst.word(0)?)?;
            if !self.b.ty(code).is_int() {
                return Err(Error::invalid("the code is not an integer"));
            }
            let zero = self.b.konst(self.b.ty(code), 0);
            let resident = self.b.alu(AluOp::IEq, Type::Bool, &[code, zero]);
            return self.set_leaves(inst, smallvec![resident]);
        }
        let (res, ty) = self.image(inst.word(0)?)?;
        let image = image_ref(res, &ty);
        let results: Leaves = match inst.op {
            Op::ImageQueryLevels => smallvec![self.b.emit(Type::I32, Sir::ImageLevels { image })],
            Op::ImageQuerySamples => smallvec![self.b.emit(Type::I32, Sir::ImageSamples { image })],
            _ => {
                let lod = match inst.op {
                    Op::ImageQuerySizeLod => Some(self.int32(inst.word(1)?)?),
                    _ => None,
                };
                // The faces of a cube are of two dimensions.
                let dims = if ty.dim == ImageDim::Cube { 2 } else { ty.dims() } + usize::from(ty.arrayed);
                let results: Leaves = (0..dims).map(|_| self.b.value(Type::I32)).collect();
                self.b.push(&results, Sir::ImageSize { image, lod });
                results
            }
        };
        let (out, _) = self.types.vector(inst.ty)?;
        if !out.is_int() {
            return Err(Error::invalid("the result is not an integer"));
        }
        let results = results.iter().map(|&v| self.b.int_to(v, out, false)).collect();
        self.set_leaves(inst, results)
    }
}
