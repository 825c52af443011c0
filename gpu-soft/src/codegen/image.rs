//! Image operations: plain accesses (see [`super::plain`]), and calls to helper functions of the engine, one per subgroup
//! operation.

use super::gen::{Gen, Mask, Rep, Result};
use super::ir::{Block, Order, Val};
use super::plain::Plain;
use super::unsupported;
use crate::image::COMBINED_SAMPLER_OFFSET;
use crate::kernel_abi::{atomic_op_code, image_dim_code, sample_mode_code, Helpers, ImageOp, TexelClass};
use compiler::sir::{AtomicOp, Binding, ImageCoords, ImageRef, Inst, Op, Resource, Type, Value};
use std::mem::offset_of;

/// Operand rows of 32-bit lanes.
type Rows = Vec<Value>;

/// A call of a helper.
#[derive(Clone, Copy)]
struct Call<'a> {
    /// Its offset in the table.
    helper: usize,
    op: ImageOp,
    operands: &'a [Value],
    inputs: &'a [Value],
}

impl Gen<'_> {
    pub fn image(&mut self, inst: &Inst, mask: Mask) -> Result<()> {
        let results = &inst.results;
        let class_of = |g: &Self, v: Value| match g.k.ty(v) {
            Type::F32 => Ok(TexelClass::F32),
            Type::I32 => Ok(TexelClass::I32),
            Type::I64 => Ok(TexelClass::I64),
            other => unsupported(format!("texels of type {other}")),
        };
        match &inst.op {
            Op::ImageLoad { image, coords, sparse } => {
                let (mut op, rows) = self.texel_op(image, coords, class_of(self, results[0])?);
                op.sparse = u32::from(*sparse);
                op.rows = (results.len() - usize::from(*sparse)) as u32;
                let call = Call { helper: offset_of!(Helpers, image_load), op, operands: &rows, inputs: &[] };
                let plain = if *sparse { None } else { self.plain(image, coords, self.k.ty(results[0]))? };
                // Words of 64 bits are not converted here.
                self.image_fence(image);
                let Some(plain) = plain.filter(|p| p.narrow()) else {
                    let fetch = if *sparse { None } else { self.fetch(image, coords, self.k.ty(results[0]))? };
                    let Some(fetch) = fetch else { return self.call_image(call, &image.res, None, results, mask) };
                    return self.quick_or_call(fetch.ok, call, &image.res, None, results, mask, |g, help| {
                        Ok(g.fetch_texels(&fetch, mask, help)?[..results.len().min(4)].to_vec())
                    });
                };
                self.plain_or_call(&plain, call, &image.res, results, mask, |g| {
                    Ok(g.plain_load(&plain, mask)?[..results.len().min(4)].to_vec())
                })
            }
            Op::ImageStore { image, coords, texel } => {
                let (mut op, rows) = self.texel_op(image, coords, class_of(self, texel[0])?);
                op.rows = texel.len() as u32;
                let call = Call { helper: offset_of!(Helpers, image_store), op, operands: &rows, inputs: texel };
                let plain = if texel.len() == 4 { self.plain(image, coords, self.k.ty(texel[0]))? } else { None };
                let Some(plain) = plain.filter(|p| p.narrow()) else {
                    let ty = self.k.ty(texel[0]);
                    let put = if texel.len() == 4 { self.fetch(image, coords, ty)? } else { None };
                    let Some(put) = put else { return self.call_image(call, &image.res, None, &[], mask) };
                    return self.quick_or_call(put.ok, call, &image.res, None, &[], mask, |g, help| {
                        let components = texel.iter().map(|v| g.vector(*v)).collect::<Result<Vec<_>>>()?;
                        g.put_texels(&put, &components, mask, help)?;
                        Ok(Vec::new())
                    });
                };
                self.plain_or_call(&plain, call, &image.res, &[], mask, |g| {
                    let components = texel.iter().map(|v| g.vector(*v)).collect::<Result<Vec<_>>>()?;
                    g.plain_store(&plain, &components, mask)?;
                    Ok(Vec::new())
                })
            }
            Op::ImageAtomic { image, coords, op: atomic, value } => {
                let (mut op, rows) = self.texel_op(image, coords, class_of(self, *value)?);
                op.rows = 1;
                op.atomic = atomic_op_code(*atomic);
                let call = Call { helper: offset_of!(Helpers, image_atomic), op, operands: &rows, inputs: &[*value] };
                let ty = self.k.ty(*value);
                // The engine changes the parts of a texel.
                let whole = !matches!(atomic, AtomicOp::HAdd | AtomicOp::HMin | AtomicOp::HMax);
                let plain = if whole { self.plain(image, coords, ty)? } else { None };
                let plain = plain.filter(|p| p.format.bytes == ty.bytes());
                let Some(plain) = plain else { return self.call_image(call, &image.res, None, results, mask) };
                self.plain_or_call(&plain, call, &image.res, results, mask, |g| {
                    let (ptrs, valid) = g.plain_pointers(&plain, mask)?;
                    Ok(vec![g.rmw_lanes(*atomic, ty, ptrs, valid, *value, false)?])
                })
            }
            Op::ImageCas { image, coords, expected, desired } => {
                let (mut op, rows) = self.texel_op(image, coords, class_of(self, *expected)?);
                op.rows = 1;
                let inputs = &[*expected, *desired];
                let call = Call { helper: offset_of!(Helpers, image_cas), op, operands: &rows, inputs };
                let ty = self.k.ty(*expected);
                let plain = self.plain(image, coords, ty)?.filter(|p| p.format.bytes == ty.bytes());
                let Some(plain) = plain else { return self.call_image(call, &image.res, None, results, mask) };
                self.plain_or_call(&plain, call, &image.res, results, mask, |g| {
                    let (ptrs, valid) = g.plain_pointers(&plain, mask)?;
                    Ok(vec![g.cas_lanes(ty, ptrs, valid, *expected, *desired, false)?])
                })
            }
            Op::ImageSize { image, lod } => {
                let mut op = self.image_op(image, TexelClass::I32);
                op.rows = results.len() as u32;
                op.has_lod = u32::from(lod.is_some());
                let rows: Rows = lod.iter().copied().collect();
                let call = Call { helper: offset_of!(Helpers, image_size), op, operands: &rows, inputs: &[] };
                let known = if lod.is_none_or(|l| self.constant(l) == Some(0)) { self.view_size(image)? } else { None };
                let Some((ok, size)) = known else { return self.call_image(call, &image.res, None, results, mask) };
                self.quick_or_call(ok, call, &image.res, None, results, mask, |g, _| {
                    Ok(size.iter().map(|v| g.splat(*v)).collect())
                })
            }
            Op::ImageLevels { image } => {
                let mut op = self.image_op(image, TexelClass::I32);
                op.rows = 1;
                let call = Call { helper: offset_of!(Helpers, image_levels), op, operands: &[], inputs: &[] };
                self.call_image(call, &image.res, None, results, mask)
            }
            Op::ImageSamples { image } => {
                let mut op = self.image_op(image, TexelClass::I32);
                op.rows = 1;
                let call = Call { helper: offset_of!(Helpers, image_samples), op, operands: &[], inputs: &[] };
                self.call_image(call, &image.res, None, results, mask)
            }
            Op::Sample { image, sampler, operands, sparse } => {
                let o = &**operands;
                let mut op = self.image_op(image, class_of(self, results[0])?);
                op.coords = o.coords.len() as u32;
                op.has_lod = u32::from(o.lod.is_some());
                op.grads = o.grad.len() as u32;
                op.offsets = o.offsets.len() as u32;
                op.has_dref = u32::from(o.dref.is_some());
                op.has_min_lod = u32::from(o.min_lod.is_some());
                op.has_bias = u32::from(o.bias.is_some());
                op.mode = sample_mode_code(o.mode);
                op.component = u32::from(o.component);
                op.sparse = u32::from(*sparse);
                op.rows = (results.len() - usize::from(*sparse)) as u32;
                let mut rows: Rows = o.coords.to_vec();
                rows.extend(o.lod);
                rows.extend(o.grad.iter().copied());
                rows.extend(o.offsets.iter().copied());
                rows.extend(o.dref);
                rows.extend(o.min_lod);
                rows.extend(o.bias);
                let call = Call { helper: offset_of!(Helpers, sample), op, operands: &rows, inputs: &[] };
                let texture = if *sparse { None } else { self.texture(image, sampler.as_ref(), o)? };
                let Some(texture) = texture.filter(|_| results.len() == 4 && self.k.ty(results[0]) == Type::F32) else {
                    return self.call_image(call, &image.res, Some(*sampler), results, mask);
                };
                let ok = texture.ok;
                self.quick_or_call(ok, call, &image.res, Some(*sampler), results, mask, |g, help| {
                    Ok(g.read_texture(&texture, o, mask, help)?.to_vec())
                })
            }
            _ => unsupported("not an image operation"),
        }
    }

    fn image_op(&self, image: &ImageRef, class: TexelClass) -> ImageOp {
        ImageOp {
            dim: image_dim_code(image.dim),
            arrayed: u32::from(image.arrayed),
            ms: u32::from(image.ms),
            class: class as u32,
            ..ImageOp::default()
        }
    }

    fn texel_op(&self, image: &ImageRef, coords: &ImageCoords, class: TexelClass) -> (ImageOp, Rows) {
        let mut op = self.image_op(image, class);
        op.coords = coords.xyz.len() as u32;
        op.has_lod = u32::from(coords.lod.is_some());
        op.has_sample = u32::from(coords.sample.is_some());
        let mut rows: Rows = coords.xyz.to_vec();
        rows.extend(coords.lod);
        rows.extend(coords.sample);
        (op, rows)
    }

    /// The constant structure that describes the instruction.
    fn op_constant(&self, op: &ImageOp) -> Val {
        let words = [
            op.dim,
            op.arrayed,
            op.ms,
            op.class,
            op.coords,
            op.has_lod,
            op.has_sample,
            op.grads,
            op.offsets,
            op.has_dref,
            op.has_min_lod,
            op.has_bias,
            op.mode,
            op.component,
            op.atomic,
            op.rows,
            op.sparse,
        ];
        const { assert!(size_of::<ImageOp>() == 17 * 4) };
        let words: Vec<Val> = words.iter().map(|w| self.i32c(*w)).collect();
        self.m.constant_global(self.m.const_array(self.m.int(32), &words), 4)
    }

    /// What other invocations wrote to an image is seen, if the kernel writes to it: loads are not moved as far as they could be.
    fn image_fence(&self, image: &ImageRef) {
        let same = |b: &&Binding| b.set == image.res.set && b.binding == image.res.binding;
        if self.k.bindings.iter().filter(same).any(|b| b.written) {
            self.m.fence(Order::AcqRel, true);
        }
    }

    /// The access without help where the view allows it, otherwise a call.
    fn plain_or_call(
        &mut self,
        plain: &Plain,
        call: Call<'_>,
        res: &Resource,
        results: &[Value],
        mask: Mask,
        quick: impl FnOnce(&mut Self) -> Result<Vec<Val>>,
    ) -> Result<()> {
        self.quick_or_call(plain.ok, call, res, None, results, mask, |g, _| quick(g))
    }

    /// The same under any condition; `quick` may still branch to the call.
    #[allow(clippy::too_many_arguments)]
    fn quick_or_call(
        &mut self,
        ok: Val,
        call: Call<'_>,
        res: &Resource,
        sampler: Option<Option<Resource>>,
        results: &[Value],
        mask: Mask,
        quick: impl FnOnce(&mut Self, Block) -> Result<Vec<Val>>,
    ) -> Result<()> {
        let m = self.m;
        let (with, without, end) = (self.block(c"image.help"), self.block(c"image"), self.block(c"image.end"));
        m.likely_br(ok, without, with);
        m.position(without);
        let quick = quick(self, with)?;
        let quick = self.held(results, &quick, mask);
        let quick_end = m.current();
        m.br(end);
        m.position(with);
        let slow = self.image_values(call, res, sampler, results, mask)?;
        let slow = self.held(results, &slow, mask);
        let slow_end = m.current();
        m.br(end);
        m.position(end);
        let both = quick.iter().zip(&slow);
        let values: Vec<Val> = both.map(|(a, b)| m.phi(m.type_of(*a), &[(*a, quick_end), (*b, slow_end)])).collect();
        self.set_held(results, &values)
    }

    /// Lanes of results as these are held: of uniform ones a scalar.
    fn held(&self, results: &[Value], values: &[Val], mask: Mask) -> Vec<Val> {
        let scalar = |v: Val| self.m.extract(v, self.first_lane(mask));
        results.iter().zip(values).map(|(r, v)| if self.uniform_form(*r) { scalar(*v) } else { *v }).collect()
    }

    fn set_held(&mut self, results: &[Value], values: &[Val]) -> Result<()> {
        for (&r, &v) in results.iter().zip(values) {
            let rep = if self.uniform_form(r) { Rep::Uni(v) } else { Rep::Vec(v, None) };
            self.set(r, rep)?;
        }
        Ok(())
    }

    /// Calls a helper and defines the results. `sampler` is `Some(None)` for combined image samplers.
    fn call_image(
        &mut self,
        call: Call<'_>,
        res: &Resource,
        sampler: Option<Option<Resource>>,
        results: &[Value],
        mask: Mask,
    ) -> Result<()> {
        let values = self.image_values(call, res, sampler, results, mask)?;
        let values = self.held(results, &values, mask);
        self.set_held(results, &values)
    }

    /// Calls a helper; its results by lane.
    fn image_values(
        &mut self,
        call: Call<'_>,
        res: &Resource,
        sampler: Option<Option<Resource>>,
        results: &[Value],
        mask: Mask,
    ) -> Result<Vec<Val>> {
        let Call { helper, op, operands, inputs } = call;
        let m = self.m;
        let (i32t, i64t) = (m.int(32), m.int(64));
        let lanes = u64::from(self.lanes);
        let wide = op.class == TexelClass::I64 as u32;
        let element = if wide { 8u64 } else { 4 };

        let store_row = |array: Val, row: u64, bytes: u64, v: Val| {
            let p = m.byte_ptr(array, m.iconst(i64t, row * lanes * bytes));
            m.store(v, p, (lanes * bytes).min(16) as u32);
        };
        let descriptors = self.descriptors(res, 0)?;
        let samplers = match sampler {
            None => None,
            Some(Some(s)) => {
                let part = self.slot(&s)?.sampler_offset;
                Some(self.descriptors(&s, part)?)
            }
            Some(None) => Some(self.descriptors(res, COMBINED_SAMPLER_OFFSET)?),
        };
        let mut rows = Vec::new();
        for &v in operands {
            let v = self.vector(v)?;
            let t = m.vector(i32t, self.lanes);
            rows.push(if m.type_of(v) == t { v } else { m.bitcast(v, t) });
        }
        let mut values = Vec::new();
        for &v in inputs {
            values.push(self.vector(v)?);
        }
        let desc_array = self.scratch(10, m.array(i64t, lanes));
        store_row(desc_array, 0, 8, descriptors);
        let sampler_array = match samplers {
            Some(s) => {
                let array = self.scratch(11, m.array(i64t, lanes));
                store_row(array, 0, 8, s);
                array
            }
            None => m.zero(m.ptr()),
        };
        // The longest operation has 4 coordinates, 6 gradients, 8 offsets and 4 more.
        let operand_array = self.scratch(12, m.array(i32t, 24 * lanes));
        for (i, v) in rows.into_iter().take(24).enumerate() {
            store_row(operand_array, i as u64, 4, v);
        }
        let data_array = self.scratch(13, m.array(i64t, 5 * lanes));
        for (i, v) in values.into_iter().take(5).enumerate() {
            store_row(data_array, i as u64, element, v);
        }
        let function = self.helper(helper);
        let p = m.ptr();
        let ty = m.function_type(m.void(), &[p, p, p, p, p, p, i32t, i32t]);
        let bits = self.bits(self.mask_val(mask));
        let args = [
            self.ctx,
            self.op_constant(&op),
            desc_array,
            sampler_array,
            operand_array,
            data_array,
            bits,
            self.i32c(self.lanes),
        ];
        m.call(ty, function, &args);
        let mut out = Vec::new();
        for (i, &r) in results.iter().enumerate() {
            let rty = self.k.ty(r);
            // The residency row stands behind the others in containers of the same size.
            let container = m.int(element as u32 * 8);
            let p = m.byte_ptr(data_array, self.i64c(i as u64 * lanes * element));
            let raw = m.load(m.vector(container, self.lanes), p, (lanes * element).min(16) as u32);
            let t = self.ty(rty, self.lanes);
            let v = if m.type_of(raw) == t {
                raw
            } else if wide && rty == Type::I32 {
                m.trunc(raw, t)
            } else {
                m.bitcast(raw, t)
            };
            out.push(v);
        }
        Ok(out)
    }
}
