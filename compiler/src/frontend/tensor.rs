//! Tensor layouts and views: how elements of a cooperative matrix are found in a tensor of up to five dimensions.
//!
//! Both are state made of `I32` values, passed about like structures (`SPV_NV_tensor_addressing`).

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::types::Ty;
use super::val::Leaves;
use crate::sir::{AluOp, Type, Value};
use spirv::Op;

/// Scalars of a layout: per dimension block size, dimension, stride, offset and span; then the clamp value.
pub(super) fn layout_words(dims: u32) -> u32 {
    5 * dims + 1
}

/// Scalars of a view: per dimension dimension and stride; then offset and span of the clipped rows and columns.
pub(super) fn view_words(dims: u32) -> u32 {
    2 * dims + 4
}

/// Groups of a layout's scalars.
#[derive(Clone, Copy)]
pub(super) enum LayoutPart {
    Block,
    Dimension,
    Stride,
    Offset,
    Span,
    ClampValue,
}

impl LayoutPart {
    /// Place of the group's first scalar.
    pub fn start(self, dims: usize) -> usize {
        self as usize * dims
    }
}

impl Translator<'_> {
    /// `ceil(a / b)` of unsigned values, without overflow; `a` if `b` is 1.
    fn div_up(&mut self, a: Value, b: Value) -> Value {
        if self.b.const_of(b) == Some(1) {
            return a;
        }
        let quotient = self.b.alu(AluOp::UDiv, Type::I32, &[a, b]);
        let rest = self.b.alu(AluOp::URem, Type::I32, &[a, b]);
        let more = self.b.nonzero(rest);
        let more = self.b.bool_to_i32(more);
        self.b.alu(AluOp::IAdd, Type::I32, &[quotient, more])
    }

    /// Instructions that make and change layouts and views; says whether this was one.
    pub(super) fn tensor_inst(&mut self, inst: &Inst<'_>) -> R<bool> {
        let new = matches!(inst.op, Op::CreateTensorLayoutNV | Op::CreateTensorViewNV);
        let layout = matches!(
            inst.op,
            Op::CreateTensorLayoutNV
                | Op::TensorLayoutSetBlockSizeNV
                | Op::TensorLayoutSetDimensionNV
                | Op::TensorLayoutSetStrideNV
                | Op::TensorLayoutSliceNV
                | Op::TensorLayoutSetClampValueNV
        );
        let view = matches!(
            inst.op,
            Op::CreateTensorViewNV | Op::TensorViewSetDimensionNV | Op::TensorViewSetStrideNV | Op::TensorViewSetClipNV
        );
        let dims = match self.types.get(inst.ty) {
            _ if !layout && !view => return Ok(false),
            Ok(Ty::TensorLayout { dims, .. }) if layout => *dims as usize,
            Ok(Ty::TensorView { order, .. }) if view => order.len(),
            _ => return Err(Error::invalid("the result type is not that of the state")),
        };
        let mut state = match new {
            true => self.materialise(inst.ty, &super::consts::Const::Null)?,
            false => {
                let (ty, state) = self.leaves(inst.word(0)?)?;
                if ty != inst.ty {
                    return Err(Error::invalid("the operand has another type than the result"));
                }
                state
            }
        };
        let args = self.tensor_args(inst.from(1))?;
        let count = match inst.op {
            Op::CreateTensorLayoutNV | Op::CreateTensorViewNV => 0,
            Op::TensorLayoutSetClampValueNV => 1,
            Op::TensorViewSetClipNV => 4,
            Op::TensorLayoutSliceNV => 2 * dims,
            _ => dims,
        };
        if args.len() != count {
            return Err(Error::invalid("the number of operands is not that of the dimensions"));
        }
        let at = |part: LayoutPart| part.start(dims);
        match inst.op {
            Op::CreateTensorLayoutNV => {
                let one = self.b.i32(1);
                state[..dims].fill(one);
            }
            Op::TensorLayoutSetBlockSizeNV => state[at(LayoutPart::Block)..][..dims].copy_from_slice(&args),
            Op::TensorLayoutSetDimensionNV => {
                state[at(LayoutPart::Dimension)..][..dims].copy_from_slice(&args);
                state[at(LayoutPart::Span)..][..dims].copy_from_slice(&args);
                let zero = self.b.i32(0);
                state[at(LayoutPart::Offset)..][..dims].fill(zero);
                let mut stride = self.b.i32(1);
                for d in (0..dims).rev() {
                    state[at(LayoutPart::Stride) + d] = stride;
                    let blocks = self.div_up(args[d], state[at(LayoutPart::Block) + d]);
                    stride = self.b.alu(AluOp::IMul, Type::I32, &[stride, blocks]);
                }
            }
            Op::TensorLayoutSetStrideNV => state[at(LayoutPart::Stride)..][..dims].copy_from_slice(&args),
            Op::TensorLayoutSliceNV => {
                for d in 0..dims {
                    let offset = &mut state[at(LayoutPart::Offset) + d];
                    *offset = self.b.alu(AluOp::IAdd, Type::I32, &[*offset, args[2 * d]]);
                    state[at(LayoutPart::Span) + d] = args[2 * d + 1];
                }
            }
            Op::TensorLayoutSetClampValueNV => state[at(LayoutPart::ClampValue)] = args[0],
            Op::CreateTensorViewNV => {
                let all = self.b.i32(u32::MAX);
                state[2 * dims + 1] = all;
                state[2 * dims + 3] = all;
            }
            Op::TensorViewSetDimensionNV => {
                state[..dims].copy_from_slice(&args);
                let strides = self.row_major_strides(&args);
                state[dims..2 * dims].copy_from_slice(&strides);
            }
            Op::TensorViewSetStrideNV => state[dims..2 * dims].copy_from_slice(&args),
            _ => state[2 * dims..].copy_from_slice(&args),
        }
        self.set_leaves(inst, state)?;
        Ok(true)
    }

    /// Strides of dimensions that follow each other without gaps.
    pub(super) fn row_major_strides(&mut self, dimensions: &[Value]) -> Leaves {
        let mut strides = Leaves::from_slice(dimensions);
        let mut stride = self.b.i32(1);
        for d in (0..dimensions.len()).rev() {
            strides[d] = stride;
            stride = self.b.alu(AluOp::IMul, Type::I32, &[stride, dimensions[d]]);
        }
        strides
    }

    fn tensor_args(&mut self, ids: &[u32]) -> R<Leaves> {
        let mut out = Leaves::new();
        for &id in ids {
            let v = self.scalar(id)?;
            if !self.b.ty(v).is_int() {
                return Err(Error::invalid("the operand is not an integer"));
            }
            out.push(self.b.int_to(v, Type::I32, true));
        }
        Ok(out)
    }
}
