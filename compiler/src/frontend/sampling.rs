//! Filtered reads: sampling and gathering.

use super::error::{Error, R};
use super::image_operands::{image_ref, ImageOps};
use super::module::Inst;
use super::translator::Translator;
use super::types::ImageTy;
use super::val::Leaves;
use crate::sir::{AluOp, ImageDim, Op as Sir, SampleMode, SampleOperands, Type, Value};
use smallvec::SmallVec;
use spirv::Op;

/// What the opcode says.
#[derive(Clone, Copy, Default)]
struct Form {
    sparse: bool,
    proj: bool,
    dref: bool,
    gather: bool,
    /// The level of detail comes from derivatives, where there are any.
    implicit: bool,
}

fn form(op: Op) -> Form {
    let implicit = matches!(
        op,
        Op::ImageSampleImplicitLod
            | Op::ImageSampleDrefImplicitLod
            | Op::ImageSampleProjImplicitLod
            | Op::ImageSampleProjDrefImplicitLod
            | Op::ImageSparseSampleImplicitLod
            | Op::ImageSparseSampleDrefImplicitLod
    );
    let f = Form { implicit, ..Form::default() };
    match op {
        Op::ImageSampleDrefImplicitLod | Op::ImageSampleDrefExplicitLod => Form { dref: true, ..f },
        Op::ImageSampleProjImplicitLod | Op::ImageSampleProjExplicitLod => Form { proj: true, ..f },
        Op::ImageSampleProjDrefImplicitLod | Op::ImageSampleProjDrefExplicitLod => Form { proj: true, dref: true, ..f },
        Op::ImageGather => Form { gather: true, ..f },
        Op::ImageDrefGather => Form { gather: true, dref: true, ..f },
        Op::ImageSparseSampleImplicitLod | Op::ImageSparseSampleExplicitLod => Form { sparse: true, ..f },
        Op::ImageSparseSampleDrefImplicitLod | Op::ImageSparseSampleDrefExplicitLod => {
            Form { sparse: true, dref: true, ..f }
        }
        Op::ImageSparseGather => Form { sparse: true, gather: true, ..f },
        Op::ImageSparseDrefGather => Form { sparse: true, gather: true, dref: true, ..f },
        _ => f,
    }
}

impl Translator<'_> {
    /// `OpImageSample*`, `OpImageGather`, `OpImageDrefGather` and their sparse forms.
    pub(super) fn image_sample(&mut self, inst: &Inst<'_>) -> R<()> {
        let form = form(inst.op);
        let opaque = self.opaque(inst.word(0)?)?;
        let (res, ty) = opaque.image.clone().ok_or_else(|| Error::invalid("not a sampled image"))?;
        if !opaque.combined && opaque.sampler.is_none() {
            return Err(Error::invalid("the image has no sampler"));
        }
        if ty.storage || ty.ms || ty.dim == ImageDim::Buffer {
            return Err(Error::invalid("this image cannot be filtered"));
        }
        let mut dref = None;
        let mut component = 0;
        let mut next = 2;
        if form.dref {
            let d = self.scalar(inst.word(next)?)?;
            if !self.b.ty(d).is_float() {
                return Err(Error::invalid("the depth reference is not a float"));
            }
            dref = Some(self.float32(d));
            next += 1;
        } else if form.gather {
            component = self.const_u32(inst.word(next)?)?;
            if component > 3 {
                return Err(Error::invalid("component is out of range"));
            }
            next += 1;
        }
        let coords = self.sample_coords(inst.word(1)?, &ty, form.proj, &mut dref)?;
        let ops = ImageOps::parse(inst.from(next))?;
        let mode = if form.gather { SampleMode::Gather } else { SampleMode::Sample };
        let mut operands = SampleOperands {
            mode,
            coords,
            lod: None,
            grad: SmallVec::new(),
            offsets: SmallVec::new(),
            dref,
            component: component as u8,
            min_lod: None,
            bias: None,
        };
        self.sample_operands(&mut operands, ops, &ty)?;
        if form.implicit {
            operands.grad = self.gradients(&operands.coords[..ty.dims()]).into_iter().collect();
        }
        let texel = self.texel_type(&ty)?;
        let texel = if dref.is_some() { Type::F32 } else { texel };
        if texel == Type::I64 {
            return Err(Error::unsupported("filtering images of 64-bit integers"));
        }
        let n = if form.dref && !form.gather { 1 } else { 4 };
        let mut results: SmallVec<[Value; 5]> = (0..n).map(|_| self.b.value(texel)).collect();
        if form.sparse {
            results.push(self.b.value(Type::I32));
        }
        let sampler = if opaque.combined { None } else { opaque.sampler };
        let image = image_ref(res, &ty);
        let operands = Box::new(operands);
        self.b.push(&results, Sir::Sample { image, sampler, operands, sparse: form.sparse });
        self.set_texel(inst, &results, form.sparse)
    }

    /// `OpImageQueryLod`.
    pub(super) fn image_query_lod(&mut self, inst: &Inst<'_>) -> R<()> {
        if self.derivatives.is_none() {
            return Err(Error::invalid("derivatives need an execution mode that says what quads are"));
        }
        let opaque = self.opaque(inst.word(0)?)?;
        let (res, ty) = opaque.image.clone().ok_or_else(|| Error::invalid("not a sampled image"))?;
        if !opaque.combined && opaque.sampler.is_none() {
            return Err(Error::invalid("the image has no sampler"));
        }
        if ty.storage || ty.ms || ty.dim == ImageDim::Buffer {
            return Err(Error::invalid("this image cannot be filtered"));
        }
        let mut coords: SmallVec<[Value; 4]> = self.float32s(inst.word(1)?, ty.dims())?.into_iter().collect();
        let grad = self.gradients(&coords).into_iter().collect();
        if ty.arrayed {
            // All layers are of one size.
            coords.push(self.b.konst(Type::F32, 0));
        }
        let operands = Box::new(SampleOperands {
            mode: SampleMode::QueryLod,
            coords,
            lod: None,
            grad,
            offsets: SmallVec::new(),
            dref: None,
            component: 0,
            min_lod: None,
            bias: None,
        });
        let results = [self.b.value(Type::F32), self.b.value(Type::F32)];
        let sampler = if opaque.combined { None } else { opaque.sampler };
        self.b.push(&results, Sir::Sample { image: image_ref(res, &ty), sampler, operands, sparse: false });
        self.set_texel(inst, &results, false)
    }

    /// Normalised coordinates; projective ones (and the depth reference with them) divided by the last component used.
    fn sample_coords(
        &mut self,
        id: u32,
        ty: &ImageTy,
        proj: bool,
        dref: &mut Option<Value>,
    ) -> R<SmallVec<[Value; 4]>> {
        let dims = ty.dims();
        if !proj {
            return Ok(self.float32s(id, dims + usize::from(ty.arrayed))?.into_iter().collect());
        }
        if ty.arrayed || ty.dim == ImageDim::Cube {
            return Err(Error::invalid("projective coordinates of arrayed or cube images"));
        }
        let all = self.float32s(id, dims + 1)?;
        let q = all[dims];
        let mut over_q = |v: Value| self.b.alu(AluOp::FDiv, Type::F32, &[v, q]);
        *dref = dref.map(&mut over_q);
        Ok(all[..dims].iter().map(|&v| over_q(v)).collect())
    }

    fn sample_operands(&mut self, out: &mut SampleOperands, ops: ImageOps, ty: &ImageTy) -> R<()> {
        let one = |t: &mut Self, id: u32| -> R<Option<Value>> {
            Ok(if id == 0 { None } else { t.float32s(id, 1)?.first().copied() })
        };
        out.lod = one(self, ops.lod)?;
        out.bias = one(self, ops.bias)?;
        out.min_lod = one(self, ops.min_lod)?;
        if let Some((dx, dy)) = ops.grad {
            out.grad.extend(self.float32s(dx, ty.dims())?);
            out.grad.extend(self.float32s(dy, ty.dims())?);
        }
        if ops.offset != 0 {
            out.offsets.extend(self.int32s(ops.offset, ty.dims())?);
        } else if ops.offsets != 0 {
            // An array of four offset vectors.
            let (_, all) = self.leaves(ops.offsets)?;
            if all.len() != 8 || !all.iter().all(|&v| self.b.ty(v).is_int()) || out.mode != SampleMode::Gather {
                return Err(Error::invalid("offsets are four pairs of integers"));
            }
            let all: Leaves = all.iter().map(|&v| self.b.int_to(v, Type::I32, true)).collect();
            out.offsets.extend(all);
        }
        Ok(())
    }
}
