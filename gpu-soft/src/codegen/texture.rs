//! Filtered reads without a call of the engine: where view and sampler are the same in all lanes and ask for nothing out of the
//! ordinary. What they depend on is found out once per call of the kernel (see [`PlainTexture`]); a function in the
//! kernel's module, one for all reads of a kind, does the rest.

use super::gen::{Gen, Mask, Result};
use super::ir::{Block, Icmp, Val};
use super::plain::three;
use crate::image::COMBINED_SAMPLER_OFFSET;
use crate::kernel_abi::{image_dim_code, Helpers, PlainLevel, PlainTexture};
use compiler::hash::HashMap;
use compiler::sir::{ImageCoords, ImageDim, ImageRef, Resource, SampleMode, SampleOperands, Type, Value};
use std::mem::offset_of;

/// Set, binding and constant element of a descriptor.
type Place = (u32, u32, u32);

/// What facts depend on: image, sampler (`None`: combined), dimensionality, arrayed, bits of a constant level of detail or a level,
/// whether it is a level.
type FactsKey = (Place, Option<Place>, u32, u32, Option<u32>, u32);

/// What facts are asked for.
#[derive(Clone, Copy)]
enum Asked<'a> {
    /// A filtered read; `sampler` is `None` for combined image samplers, `lod` is there if it is constant.
    Filter { sampler: Option<&'a Resource>, lod: Option<u32> },
    /// A read of texels.
    Texels { level: u32 },
}

/// What has been generated for textures so far.
#[derive(Default)]
pub struct Textures {
    facts: HashMap<FactsKey, (Val, Val)>,
    readers: HashMap<Kind, Val>,
    /// By whether texels are floating-point numbers, and whether they are stored.
    fetchers: HashMap<(bool, bool), Val>,
    /// See [`super::filter`].
    pub wrap: Option<Val>,
}

/// A kind of filtered read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// Coordinates that are not the layer, 1 to 3.
    pub dims: u32,
    /// Whether there is a layer.
    pub arrayed: bool,
    /// Whether there are texel offsets.
    pub offsets: bool,
}

/// Rows of lanes (of 32 bits) that a reader works on: coordinates and layer, offsets, the four results.
pub const LAYER_ROW: u32 = 3;
pub const OFFSET_ROWS: u32 = 4;
pub const RESULT_ROWS: u32 = 8;
const ROWS: u32 = 12;

/// A filtered read that may be without help.
pub struct Texture {
    facts: Val,
    kind: Kind,
    /// Whether view and sampler allow it.
    pub ok: Val,
}

/// A read or write of texels that may be without help.
pub struct Fetch {
    facts: Val,
    float: bool,
    at: [Option<Value>; 3],
    /// Whether the view allows it.
    pub ok: Val,
}

impl Gen<'_> {
    /// The read as one without help, if its kind allows it.
    pub fn texture(
        &mut self,
        image: &ImageRef,
        sampler: Option<&Resource>,
        o: &SampleOperands,
    ) -> Result<Option<Texture>> {
        let dims = match image.dim {
            ImageDim::D1 => 1,
            ImageDim::D2 => 2,
            ImageDim::D3 => 3,
            ImageDim::Cube | ImageDim::Buffer => return Ok(None),
        };
        let simple = o.mode == SampleMode::Sample
            && o.dref.is_none()
            && o.grad.is_empty()
            && o.min_lod.is_none()
            && o.bias.is_none()
            && o.coords.len() == dims + usize::from(image.arrayed)
            && (o.offsets.is_empty() || o.offsets.len() == dims)
            && !image.ms;
        if !simple {
            return Ok(None);
        }
        let kind = Kind { dims: dims as u32, arrayed: image.arrayed, offsets: !o.offsets.is_empty() };
        let lod = match o.lod {
            None => Some(0f32.to_bits()),
            Some(v) => self.constant_float(v),
        };
        let Some((facts, ok)) = self.texture_facts(image, Asked::Filter { sampler, lod })? else { return Ok(None) };
        Ok(Some(Texture { facts, kind, ok }))
    }

    /// A read of texels of a format that only the view knows, as one without help if its kind allows it.
    pub fn fetch(&mut self, image: &ImageRef, coords: &ImageCoords, ty: Type) -> Result<Option<Fetch>> {
        let level = match coords.lod {
            None => Some(0),
            Some(l) => self.constant(l).map(|l| l as u32),
        };
        let float = match ty {
            Type::F32 => true,
            Type::I32 => false,
            _ => return Ok(None),
        };
        let Some(level) = level.filter(|_| !image.ms && coords.sample.is_none()) else { return Ok(None) };
        let Some((facts, ok)) = self.texture_facts(image, Asked::Texels { level })? else { return Ok(None) };
        Ok(Some(Fetch { facts, float, at: three(image, coords), ok }))
    }

    /// The read; branches to `help` if something else than this function knows reads the texels.
    pub fn fetch_texels(&mut self, f: &Fetch, mask: Mask, help: Block) -> Result<[Val; 4]> {
        let data = self.call_for_texels(f, mask, help, &[])?;
        let t = self.ty(if f.float { Type::F32 } else { Type::I32 }, self.lanes);
        let align = self.data_align();
        Ok(std::array::from_fn(|i| self.m.load(t, self.data_row(data, RESULT_ROWS + i as u32), align)))
    }

    /// The write of four components; branches to `help` likewise.
    pub fn put_texels(&mut self, f: &Fetch, components: &[Val], mask: Mask, help: Block) -> Result<()> {
        self.call_for_texels(f, mask, help, components).map(|_| ())
    }

    /// Address of the rows after the call of what reads texels, or of what writes them if there are components.
    fn call_for_texels(&mut self, f: &Fetch, mask: Mask, help: Block, components: &[Val]) -> Result<Val> {
        let m = self.m;
        let (i32t, lanes) = (m.int(32), self.ty(Type::I32, self.lanes));
        let extent = offset_of!(PlainLevel, extent);
        let steps = [offset_of!(PlainTexture, bytes), offset_of!(PlainLevel, row), offset_of!(PlainLevel, slice)];
        let steps = steps.map(|at| self.fact(f.facts, at));
        let extent = [0, 4, 8].map(|at| self.fact(f.facts, extent + at));
        let (offsets, valid) = self.offsets_at(&f.at, steps, extent, mask)?;
        let valid = self.mask_val(valid);
        let (data, align) = (self.texture_data(), self.data_align());
        m.store(m.select(valid, offsets, m.zero(lanes)), data, align);
        m.store(m.sext(valid, lanes), self.data_row(data, 1), align);
        for (row, v) in (RESULT_ROWS..).zip(components) {
            m.store(*v, self.data_row(data, row), align);
        }
        let ty = m.function_type(i32t, &[m.ptr(), m.ptr()]);
        let key = (f.float, !components.is_empty());
        let function = match self.textures.fetchers.get(&key) {
            Some(known) => *known,
            None => {
                let new = self.in_function("texels", ty, |g, f| match key {
                    (float, false) => g.texels(float, m.param(f, 0), m.param(f, 1)),
                    (float, true) => g.stores(float, m.param(f, 0), m.param(f, 1)),
                });
                self.textures.fetchers.insert(key, new);
                new
            }
        };
        let code = m.call(ty, function, &[f.facts, data]);
        let done = self.block(c"texels.done");
        m.likely_br(m.icmp(Icmp::Eq, code, self.i32c(0)), done, help);
        m.position(done);
        Ok(data)
    }

    fn texture_data(&mut self) -> Val {
        self.scratch(15, self.m.array(self.m.int(32), u64::from(ROWS * self.lanes)))
    }

    /// Address of a row of what readers work on.
    pub fn data_row(&self, data: Val, row: u32) -> Val {
        self.m.byte_ptr(data, self.i64c(u64::from(row * self.lanes * 4)))
    }

    /// The alignment of rows.
    pub fn data_align(&self) -> u32 {
        (self.lanes * 4).min(64)
    }

    /// The constant element of a descriptor, `None` for others.
    fn constant_place(&self, r: &Resource) -> Option<Place> {
        let element = match r.index {
            None => 0,
            Some(v) => self.constant(v)? as u32,
        };
        Some((r.set, r.binding, element))
    }

    /// Address of a descriptor whose index is constant; 0 where there is none.
    fn constant_descriptor(&mut self, place: Place, part: u32) -> Result<Val> {
        let (set, binding, element) = place;
        let slot = self.slot(&Resource { set, binding, index: None, non_uniform: false })?;
        let m = self.m;
        Ok(self.in_setup_tables(&slot, |g| {
            let index = (element != 0).then(|| g.i32c(element));
            let zero = g.i64c(0);
            let at = g.uniform_address(&slot, index, zero);
            m.select(m.icmp(Icmp::Ne, at, zero), m.add(at, g.i64c(u64::from(part))), zero)
        }))
    }

    /// Address of the facts and whether the read needs no help, both known once per call of the kernel.
    fn texture_facts(&mut self, image: &ImageRef, asked: Asked<'_>) -> Result<Option<(Val, Val)>> {
        let Some(view) = self.constant_place(&image.res) else { return Ok(None) };
        let (sampler, lod, texels) = match asked {
            Asked::Filter { sampler, lod } => (sampler, lod, 0),
            Asked::Texels { level } => (None, Some(level), 1),
        };
        let own = match sampler {
            None => None,
            Some(s) => match self.constant_place(s) {
                None => return Ok(None),
                place => place,
            },
        };
        let (dim, arrayed) = (image_dim_code(image.dim), u32::from(image.arrayed));
        let key = (view, own, dim, arrayed, lod, texels);
        if let Some(known) = self.textures.facts.get(&key) {
            return Ok(Some(*known));
        }
        let desc = self.constant_descriptor(view, 0)?;
        let sampler = match (own, sampler) {
            (Some(place), Some(s)) => {
                let part = self.slot(s)?.sampler_offset;
                self.constant_descriptor(place, part)?
            }
            _ if texels != 0 => self.i64c(0),
            _ => self.constant_descriptor(view, COMBINED_SAMPLER_OFFSET)?,
        };
        let m = self.m;
        let facts = self.alloca(m.array(m.int(64), size_of::<PlainTexture>() as u64 / 8), 64);
        let ok = self.in_setup(|g| {
            let (p, i32t) = (m.ptr(), m.int(32));
            let function = g.helper(offset_of!(Helpers, plain_texture));
            let ty = m.function_type(m.void(), &[p, p, i32t, i32t, i32t, i32t, p]);
            let (desc, sampler) = (m.inttoptr(desc, p), m.inttoptr(sampler, p));
            let lod_bits = g.i32c(lod.unwrap_or(0));
            let args = [desc, sampler, g.i32c(dim), g.i32c(arrayed), lod_bits, g.i32c(texels), facts];
            m.call(ty, function, &args);
            let ok = g.fact_is_set(facts, offset_of!(PlainTexture, reader));
            match lod {
                Some(_) => ok,
                None => m.and(ok, g.fact_is_set(facts, offset_of!(PlainTexture, any_lod))),
            }
        });
        self.textures.facts.insert(key, (facts, ok));
        Ok(Some((facts, ok)))
    }

    /// The read; branches to `help` if coordinates are out of the ordinary.
    pub fn read_texture(&mut self, t: &Texture, o: &SampleOperands, mask: Mask, help: Block) -> Result<[Val; 4]> {
        let m = self.m;
        let data = self.texture_data();
        let active = (mask != Mask::Full).then(|| self.mask_val(mask));
        let align = self.data_align();
        let put = |g: &Self, i: u32, v: Val, idle: Val| {
            let v = active.map_or(v, |lanes| m.select(lanes, v, idle));
            m.store(v, g.data_row(data, i), align);
        };
        // Lanes that are not active read in the middle.
        let middle = self.floats(0.5);
        for (i, &c) in (0..).zip(&o.coords) {
            let at = if i == t.kind.dims { LAYER_ROW } else { i };
            put(self, at, self.vector(c)?, middle);
        }
        let zero = self.konst(Type::I32, self.lanes, 0);
        for (i, &v) in (0..).zip(&o.offsets) {
            put(self, OFFSET_ROWS + i, self.vector(v)?, zero);
        }
        let (function, ty) = self.reader(t.kind)?;
        let code = m.call(ty, function, &[t.facts, data]);
        let done = self.block(c"texture.done");
        m.likely_br(m.icmp(Icmp::Eq, code, self.i32c(0)), done, help);
        m.position(done);
        let lanes = self.ty(Type::F32, self.lanes);
        Ok(std::array::from_fn(|i| m.load(lanes, self.data_row(data, RESULT_ROWS + i as u32), align)))
    }

    /// The function for a kind of read, and its type.
    fn reader(&mut self, kind: Kind) -> Result<(Val, super::ir::Ty)> {
        let m = self.m;
        let ty = m.function_type(m.int(32), &[m.ptr(), m.ptr()]);
        if let Some(known) = self.textures.readers.get(&kind) {
            return Ok((*known, ty));
        }
        let wrap = self.wrap_function();
        let function = self.in_function("texture", ty, |g, f| g.filter(kind, m.param(f, 0), m.param(f, 1), wrap));
        self.textures.readers.insert(kind, function);
        Ok((function, ty))
    }
}
