//! Loads and stores of cooperative matrices by tensor layout (`SPV_NV_cooperative_matrix2`).

use super::coop_elements::tensor_operands;
use super::error::{Error, R};
use super::memory::Operands;
use super::module::Inst;
use super::tensor::LayoutPart;
use super::translator::Translator;
use super::types::Ty;
use super::val::{Leaves, Ptr, Root, Val};
use crate::sir::{AluOp, Op as Sir, Type, Value};
use spirv::{StorageClass as SC, TensorClampMode as Clamp};
use std::rc::Rc;

/// Most scalars per invocation that the address calculation is unrolled for.
const UNROLL: u32 = 8;

/// State of a layout.
struct Layout {
    block: Leaves,
    dimension: Leaves,
    stride: Leaves,
    offset: Leaves,
    span: Leaves,
    clamp_value: Value,
    clamp: Clamp,
}

/// State of a view.
struct View {
    dimension: Leaves,
    stride: Leaves,
    clip: Leaves,
    order: Rc<[u32]>,
    has_dims: bool,
}

/// Where an element of the matrix lies in the tensor.
struct Place {
    /// Number of the element or block, from the pointer.
    index: Value,
    block: Leaves,
    in_block: Leaves,
    /// Outside the clip region, if there is one.
    clipped: Option<Value>,
    /// Outside the tensor where that counts.
    outside: Option<Value>,
}

impl<'a> Translator<'a> {
    fn tensor_layout(&mut self, id: u32) -> R<Layout> {
        let (ty, state) = self.leaves(id)?;
        let Ty::TensorLayout { dims, clamp } = *self.types.get(ty)? else {
            return Err(Error::invalid(format!("%{id} is not a tensor layout")));
        };
        let dims = dims as usize;
        let part = |p: LayoutPart| Leaves::from_slice(&state[p.start(dims)..][..dims]);
        Ok(Layout {
            block: part(LayoutPart::Block),
            dimension: part(LayoutPart::Dimension),
            stride: part(LayoutPart::Stride),
            offset: part(LayoutPart::Offset),
            span: part(LayoutPart::Span),
            clamp_value: state[LayoutPart::ClampValue.start(dims)],
            clamp,
        })
    }

    fn tensor_view(&mut self, id: u32) -> R<View> {
        let (ty, state) = self.leaves(id)?;
        let Ty::TensorView { order, has_dims } = self.types.get(ty)?.clone() else {
            return Err(Error::invalid(format!("%{id} is not a tensor view")));
        };
        let dims = order.len();
        Ok(View {
            dimension: Leaves::from_slice(&state[..dims]),
            stride: Leaves::from_slice(&state[dims..2 * dims]),
            clip: Leaves::from_slice(&state[2 * dims..]),
            order,
            has_dims,
        })
    }

    fn i32_op(&mut self, op: AluOp, a: Value, b: Value) -> Value {
        self.b.alu(op, Type::I32, &[a, b])
    }

    /// Splits an index into coordinates, the last dimension of `order` innermost.
    fn coordinates(&mut self, mut index: Value, dimensions: &[Value], order: &[u32]) -> Leaves {
        let mut out = Leaves::from_slice(dimensions);
        for (i, &d) in order.iter().enumerate().rev() {
            let size = dimensions[d as usize];
            out[d as usize] = self.i32_op(AluOp::URem, index, size);
            if i > 0 {
                index = self.i32_op(AluOp::UDiv, index, size);
            }
        }
        out
    }

    fn either(&mut self, a: Option<Value>, b: Value) -> Option<Value> {
        Some(match a {
            None => b,
            Some(a) => self.b.alu(AluOp::Or, Type::Bool, &[a, b]),
        })
    }

    /// Index of the element in the span of the layout, and whether it is clipped.
    fn index_in_span(
        &mut self,
        l: &Layout,
        v: Option<&View>,
        row: Value,
        col: Value,
        cols: u32,
    ) -> R<(Value, Option<Value>)> {
        let cols = self.b.i32(cols);
        let Some(v) = v else {
            let first = self.i32_op(AluOp::IMul, row, cols);
            return Ok((self.i32_op(AluOp::IAdd, first, col), None));
        };
        let [row_off, row_span, col_off, col_span] = v.clip[..] else {
            return Err(Error::invalid("not a tensor view"));
        };
        // Relative to the clip region; what lies before it wraps to beyond its end.
        let row = self.i32_op(AluOp::ISub, row, row_off);
        let col = self.i32_op(AluOp::ISub, col, col_off);
        let mut clipped = None;
        for (at, span) in [(row, row_span), (col, col_span)] {
            if self.b.const_of(span) != Some(u64::from(u32::MAX)) {
                let beyond = self.b.alu(AluOp::ULe, Type::Bool, &[span, at]);
                clipped = self.either(clipped, beyond);
            }
        }
        let width = self.i32_op(AluOp::UMin, cols, col_span);
        let first = self.i32_op(AluOp::IMul, row, width);
        let index = self.i32_op(AluOp::IAdd, first, col);
        let dimensions = if v.has_dims { v.dimension.clone() } else { l.span.clone() };
        if dimensions.len() != v.order.len() {
            return Err(Error::invalid("the view has another number of dimensions than the layout"));
        }
        let at = self.coordinates(index, &dimensions, &v.order);
        let strides = if v.has_dims { v.stride.clone() } else { self.row_major_strides(&dimensions) };
        Ok((self.dot_i32(&at, &strides), clipped))
    }

    fn dot_i32(&mut self, a: &[Value], b: &[Value]) -> Value {
        let mut sum = self.b.i32(0);
        for (&x, &y) in a.iter().zip(b) {
            let product = self.i32_op(AluOp::IMul, x, y);
            sum = self.i32_op(AluOp::IAdd, sum, product);
        }
        sum
    }

    /// The coordinate in the tensor, brought into its bounds as the clamp mode says; and whether it was outside where that
    /// means that memory is not accessed.
    fn bounded(&mut self, c: Value, dim: Value, clamp: Clamp) -> (Value, Option<Value>) {
        let one = self.b.i32(1);
        match clamp {
            Clamp::Undefined => (c, None),
            // Negative coordinates are large unsigned numbers.
            Clamp::Constant => (c, Some(self.b.alu(AluOp::ULe, Type::Bool, &[dim, c]))),
            Clamp::ClampToEdge => {
                let zero = self.b.i32(0);
                let last = self.i32_op(AluOp::ISub, dim, one);
                let c = self.i32_op(AluOp::SMax, c, zero);
                (self.i32_op(AluOp::SMin, c, last), None)
            }
            Clamp::Repeat => (self.i32_op(AluOp::SMod, c, dim), None),
            Clamp::RepeatMirrored => {
                let two = self.b.i32(2);
                let period = self.i32_op(AluOp::IMul, dim, two);
                let period = self.i32_op(AluOp::ISub, period, two);
                let wrapped = self.i32_op(AluOp::SMod, c, period);
                let back = self.i32_op(AluOp::ISub, period, wrapped);
                let mirrored = self.b.alu(AluOp::SLe, Type::Bool, &[dim, wrapped]);
                let folded = self.b.select(mirrored, back, wrapped);
                // One element has no period; and what is inside stays as it is.
                let outside = self.b.alu(AluOp::ULe, Type::Bool, &[dim, c]);
                let folded = self.b.select(outside, folded, c);
                let last = self.i32_op(AluOp::ISub, dim, one);
                (self.i32_op(AluOp::UMin, folded, last), None)
            }
        }
    }

    fn place(&mut self, l: &Layout, v: Option<&View>, (row, col): (Value, Value), cols: u32, store: bool) -> R<Place> {
        let (index, clipped) = self.index_in_span(l, v, row, col, cols)?;
        let order: Vec<u32> = (0..l.span.len() as u32).collect();
        let at = self.coordinates(index, &l.span, &order);
        let clamp = match (store, l.clamp) {
            (_, Clamp::Undefined) => Clamp::Undefined,
            (true, _) => Clamp::Constant,
            (false, c) => c,
        };
        let (mut block, mut in_block, mut outside) = (Leaves::new(), Leaves::new(), None);
        for (d, &c) in at.iter().enumerate() {
            let c = self.i32_op(AluOp::IAdd, c, l.offset[d]);
            let (c, out) = self.bounded(c, l.dimension[d], clamp);
            if let Some(out) = out {
                outside = self.either(outside, out);
            }
            if self.b.const_of(l.block[d]) == Some(1) {
                block.push(c);
                in_block.push(self.b.i32(0));
            } else {
                block.push(self.i32_op(AluOp::UDiv, c, l.block[d]));
                in_block.push(self.i32_op(AluOp::URem, c, l.block[d]));
            }
        }
        let index = self.dot_i32(&block, &l.stride);
        Ok(Place { index, block, in_block, clipped, outside })
    }

    /// The pointer to element number `index` of `size` bytes.
    fn tensor_pointer(&mut self, p: &Ptr, index: Value, size: u64) -> Ptr {
        let ty = p.offset_type();
        let index = self.b.int_to(index, ty, false);
        let bytes = self.b.konst(ty, size);
        let off = self.b.alu(AluOp::IMul, ty, &[index, bytes]);
        self.displaced(p, off, 1 << size.trailing_zeros().min(6))
    }

    /// What `f` gives where `skip` does not hold, and `other` elsewhere; `f` is not done there.
    fn unless(
        &mut self,
        skip: Option<Value>,
        other: Option<Value>,
        f: &mut dyn FnMut(&mut Self) -> R<Option<Value>>,
    ) -> R<Option<Value>> {
        let Some(cond) = skip else { return f(self) };
        self.b.open()?;
        self.b.push(&[], Sir::Yield(other.into_iter().collect()));
        let then = self.b.close();
        self.b.open()?;
        let v = f(self)?;
        self.b.push(&[], Sir::Yield(v.into_iter().collect()));
        let els = self.b.close();
        let result = other.map(|o| {
            let ty = self.b.ty(o);
            self.b.value(ty)
        });
        if v.map(|v| self.b.ty(v)) != result.map(|r| self.b.ty(r)) {
            return Err(Error::invalid("the element has another type than the matrix's"));
        }
        let results: Leaves = result.into_iter().collect();
        self.b.push(&results, Sir::If { cond, then, els });
        Ok(result)
    }

    /// `OpCooperativeMatrixLoadTensorNV`.
    pub(super) fn coop_load_tensor(&mut self, inst: &Inst<'a>) -> R<()> {
        let m = self.types.coop(inst.ty)?;
        let ty = self.types.scalar(m.elem)?;
        let p = self.ptr(inst.word(0)?)?;
        let (object_ty, object) = self.leaves(inst.word(1)?)?;
        if object_ty != inst.ty {
            return Err(Error::invalid("the object has another type than the result"));
        }
        let layout = self.tensor_layout(inst.word(2)?)?;
        let (ops, taken) = Operands::parse(inst.from(3))?;
        let (view, decode) = tensor_operands(inst, 3 + taken)?;
        let view = view.map(|v| self.tensor_view(v)).transpose()?;
        let params = decode.map(|f| self.parameters(f)).transpose()?;
        let fill = self.clamp_bits(layout.clamp_value, ty)?;
        let leaves = self.each_reg(m.regs(), Some(ty), &[&object], UNROLL, &mut |t, reg, old| {
            let at = t.coop_position(&m, reg);
            let place = t.place(&layout, view.as_ref(), at, m.cols, false)?;
            let element = |t: &mut Self| match (decode, &params) {
                (Some(func), Some(params)) => t.decoded(&p, &place, func, params, m.elem),
                _ => {
                    let p = t.tensor_pointer(&p, place.index, u64::from(ty.bytes()));
                    t.load_scalar(&p, ty, ops)
                }
            };
            t.unless(place.clipped, place.clipped.map(|_| old[0]), &mut |t| {
                t.unless(place.outside, place.outside.map(|_| fill), &mut |t| element(t).map(Some))
            })
        })?;
        self.set_leaves(inst, leaves)
    }

    /// Calls the decode function for an element.
    fn decoded(&mut self, p: &Ptr, place: &Place, func: u32, params: &[u32], elem: u32) -> R<Value> {
        let &[pointer, block, in_block] = params else {
            return Err(Error::invalid("a decode function has three parameters"));
        };
        let (class, pointee) = self.types.pointer(pointer)?;
        if class != SC::PhysicalStorageBuffer || !matches!(p.root, Root::Global(_) | Root::Buffer(_)) {
            return Err(Error::unsupported("decoding from this kind of memory"));
        }
        let size = self.explicit_size(pointee, super::val::MatrixLayout::default())?;
        let at = self.tensor_pointer(p, place.index, size);
        // A pointer into a descriptor's buffer goes on as what it is: the function can only follow it.
        let at = Ptr { class, pointee, explicit: true, ..at };
        let args = vec![
            (pointer, Val::Ptr(at)),
            (block, Val::Flat(place.block.clone())),
            (in_block, Val::Flat(place.in_block.clone())),
        ];
        for ty in [block, in_block] {
            if self.types.leaf_count(ty)? != place.block.len() {
                return Err(Error::invalid("the coordinates have another number of dimensions than the layout"));
            }
        }
        self.decode_call(func, elem, args)
    }

    /// The clamp value's bits as a component.
    fn clamp_bits(&mut self, v: Value, ty: Type) -> R<Value> {
        let int = Type::int(ty.bits()).ok_or_else(|| Error::unsupported("components of this type"))?;
        let bits = self.b.int_to(v, int, false);
        Ok(self.b.bitcast(bits, ty))
    }

    /// `OpCooperativeMatrixStoreTensorNV`.
    pub(super) fn coop_store_tensor(&mut self, inst: &Inst<'a>) -> R<()> {
        let p = self.ptr(inst.word(0)?)?;
        let (ty, object) = self.leaves(inst.word(1)?)?;
        let m = self.types.coop(ty)?;
        let size = u64::from(self.types.scalar(m.elem)?.bytes());
        let layout = self.tensor_layout(inst.word(2)?)?;
        let (ops, taken) = Operands::parse(inst.from(3))?;
        let (view, decode) = tensor_operands(inst, 3 + taken)?;
        if decode.is_some() {
            return Err(Error::invalid("stores have no decode function"));
        }
        let view = view.map(|v| self.tensor_view(v)).transpose()?;
        self.writable(&p)?;
        self.each_reg(m.regs(), None, &[&object], UNROLL, &mut |t, reg, v| {
            let at = t.coop_position(&m, reg);
            let place = t.place(&layout, view.as_ref(), at, m.cols, true)?;
            let skip = match (place.outside, place.clipped) {
                (out, Some(clipped)) => t.either(out, clipped),
                (out, None) => out,
            };
            t.unless(skip, None, &mut |t| {
                let p = t.tensor_pointer(&p, place.index, size);
                t.store_scalar(&p, v[0], ops)?;
                Ok(None)
            })
        })?;
        Ok(())
    }
}
