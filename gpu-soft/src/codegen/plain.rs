//! Accesses to texels of storage images without a call: where the format that the shader declares and the shape of the view
//! allow it. What they depend on is found out once per call of the kernel; if the view is another one than was expected (or one
//! of many samples, in tiles, …) the engine helps, as it does with all other images.
//!
//! Texels of neighbouring lanes mostly stand next to each other: that is seen from how coordinates grow from lane to lane, or
//! looked for in the offsets, and then vectors are moved. Otherwise texels are gathered and scattered.

use super::gen::{Gen, Mask, Result};
use super::ir::{Block, Icmp, Val};
use crate::image::is_plain;
use crate::kernel_abi::{image_dim_code, DispatchCtx, Helpers, PlainImage};
use crate::texel::{self, Class, Format};
use ash::vk;
use compiler::sir::{ImageCoords, ImageDim, ImageFormat, ImageRef, Type, Value};
use std::mem::offset_of;

/// Facts of a view, as [`PlainImage`].
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    base: Val,
    row: Val,
    slice: Val,
    extent: [Val; 3],
    format: Val,
}

/// An access that may be without help.
pub struct Plain {
    facts: Facts,
    /// The declared format.
    pub format: &'static Format,
    /// Whether the view is what was expected.
    pub ok: Val,
    /// x, y, and z or layer, as far as the image has them.
    at: [Option<Value>; 3],
}

/// Where the texels of an access stand.
enum Texels {
    /// In runs of neighbouring lanes: where each begins, and the lanes that are active.
    Runs(Vec<Val>, Mask),
    /// Anywhere: byte offsets by lane, and the lanes that are active and inside.
    Lanes(Val, Val),
}

/// Which views share their facts: set, binding, element, and dimensionality and arrayed of the instruction.
pub type FactsKey = (u32, u32, u32, u32, u32);

/// The Vulkan format that views of images with a declared format have.
pub fn vulkan(format: ImageFormat) -> vk::Format {
    use ImageFormat as I;
    match format {
        I::Rgba32f => vk::Format::R32G32B32A32_SFLOAT,
        I::Rgba16f => vk::Format::R16G16B16A16_SFLOAT,
        I::R32f => vk::Format::R32_SFLOAT,
        I::Rgba8 => vk::Format::R8G8B8A8_UNORM,
        I::Rgba8Snorm => vk::Format::R8G8B8A8_SNORM,
        I::Rg32f => vk::Format::R32G32_SFLOAT,
        I::Rg16f => vk::Format::R16G16_SFLOAT,
        I::R11fG11fB10f => vk::Format::B10G11R11_UFLOAT_PACK32,
        I::R16f => vk::Format::R16_SFLOAT,
        I::Rgba16 => vk::Format::R16G16B16A16_UNORM,
        I::Rgb10A2 => vk::Format::A2B10G10R10_UNORM_PACK32,
        I::Rg16 => vk::Format::R16G16_UNORM,
        I::Rg8 => vk::Format::R8G8_UNORM,
        I::R16 => vk::Format::R16_UNORM,
        I::R8 => vk::Format::R8_UNORM,
        I::Rgba16Snorm => vk::Format::R16G16B16A16_SNORM,
        I::Rg16Snorm => vk::Format::R16G16_SNORM,
        I::Rg8Snorm => vk::Format::R8G8_SNORM,
        I::R16Snorm => vk::Format::R16_SNORM,
        I::R8Snorm => vk::Format::R8_SNORM,
        I::Rgba32i => vk::Format::R32G32B32A32_SINT,
        I::Rgba16i => vk::Format::R16G16B16A16_SINT,
        I::Rgba8i => vk::Format::R8G8B8A8_SINT,
        I::R32i => vk::Format::R32_SINT,
        I::Rg32i => vk::Format::R32G32_SINT,
        I::Rg16i => vk::Format::R16G16_SINT,
        I::Rg8i => vk::Format::R8G8_SINT,
        I::R16i => vk::Format::R16_SINT,
        I::R8i => vk::Format::R8_SINT,
        I::Rgba32ui => vk::Format::R32G32B32A32_UINT,
        I::Rgba16ui => vk::Format::R16G16B16A16_UINT,
        I::Rgba8ui => vk::Format::R8G8B8A8_UINT,
        I::R32ui => vk::Format::R32_UINT,
        I::Rgb10A2ui => vk::Format::A2B10G10R10_UINT_PACK32,
        I::Rg32ui => vk::Format::R32G32_UINT,
        I::Rg16ui => vk::Format::R16G16_UINT,
        I::Rg8ui => vk::Format::R8G8_UINT,
        I::R16ui => vk::Format::R16_UINT,
        I::R8ui => vk::Format::R8_UINT,
        I::R64ui => vk::Format::R64_UINT,
        I::R64i => vk::Format::R64_SINT,
    }
}

/// x, y, and z or layer, as far as an image has them.
pub fn three(image: &ImageRef, coords: &ImageCoords) -> [Option<Value>; 3] {
    let n = match image.dim {
        ImageDim::D1 | ImageDim::Buffer => 1,
        ImageDim::D2 | ImageDim::Cube => 2,
        ImageDim::D3 => 3,
    };
    let c = &coords.xyz;
    let layered = n == 3 || image.arrayed || image.dim == ImageDim::Cube;
    let third = c.get(n.min(2)).copied().filter(|_| layered);
    [Some(c[0]), c.get(1).copied().filter(|_| n >= 2), third]
}

/// Whether components of a format are moved in values of that type.
fn fits(format: &Format, ty: Type) -> bool {
    let wide = format.fields.iter().flatten().any(|f| f.bits == 64);
    match ty {
        Type::F32 => format.class() == Class::Float,
        Type::I32 => format.class() != Class::Float && !wide,
        Type::I64 => wide,
        _ => false,
    }
}

impl Plain {
    /// Whether its components have at most 32 bits.
    pub fn narrow(&self) -> bool {
        self.format.fields.iter().flatten().all(|f| f.bits <= 32)
    }
}

impl Gen<'_> {
    /// The access as one without help, if its kind allows it. `ty` is the type of the components.
    pub fn plain(&mut self, image: &ImageRef, coords: &ImageCoords, ty: Type) -> Result<Option<Plain>> {
        let Some(format) = image.format.and_then(|f| texel::find(vulkan(f))) else { return Ok(None) };
        let level = coords.lod.is_none_or(|l| self.constant(l) == Some(0));
        if image.ms || coords.sample.is_some() || !level || !is_plain(format) || !fits(format, ty) {
            return Ok(None);
        }
        let Some(facts) = self.facts(image)? else { return Ok(None) };
        let at = three(image, coords);
        let ok = self.m.icmp(Icmp::Eq, facts.format, self.i32c(format.vk.as_raw() as u32));
        Ok(Some(Plain { facts, format, ok, at }))
    }

    /// What the size of a view is, of its first level, and the condition for that; nothing if that is not known without a call.
    pub fn view_size(&mut self, image: &ImageRef) -> Result<Option<(Val, Vec<Val>)>> {
        let dims = match image.dim {
            ImageDim::D1 => 1,
            ImageDim::D2 => 2,
            ImageDim::D3 => 3,
            // The one counts faces as layers, the other has no extent in rows.
            ImageDim::Cube | ImageDim::Buffer => return Ok(None),
        };
        if image.ms {
            return Ok(None);
        }
        let Some(facts) = self.facts(image)? else { return Ok(None) };
        let mut size = facts.extent[..dims].to_vec();
        if image.arrayed {
            size.push(facts.extent[2]);
        }
        Ok(Some((self.m.icmp(Icmp::Ne, facts.format, self.i32c(0)), size)))
    }

    /// Facts of a view that is the same in all lanes.
    fn facts(&mut self, image: &ImageRef) -> Result<Option<Facts>> {
        let slot = self.slot(&image.res)?;
        let (dim, arrayed) = (image_dim_code(image.dim), u32::from(image.arrayed));
        let element = match image.res.index {
            None => Some(0),
            Some(v) => self.constant(v).map(|c| c as u32),
        };
        if let Some(element) = element {
            let key = (image.res.set, image.res.binding, element, dim, arrayed);
            if let Some(known) = self.plain_facts.get(&key) {
                return Ok(Some(*known));
            }
            let facts = self.in_setup_tables(&slot, |g| {
                let index = (element != 0).then(|| g.i32c(element));
                let desc = g.uniform_address(&slot, index, g.i64c(0));
                g.ask_facts(desc, dim, arrayed)
            });
            self.plain_facts.insert(key, facts);
            return Ok(Some(facts));
        }
        let Some(index) = image.res.index.filter(|v| self.is_uniform(*v)) else { return Ok(None) };
        let index = self.scalar(index)?;
        let desc = self.uniform_address(&slot, Some(index), self.i64c(0));
        Ok(Some(self.ask_facts(desc, dim, arrayed)))
    }

    fn ask_facts(&mut self, desc: Val, dim: u32, arrayed: u32) -> Facts {
        let m = self.m;
        let (p, i32t, i64t) = (m.ptr(), m.int(32), m.int(64));
        let out = self.scratch(14, m.array(i64t, size_of::<PlainImage>() as u64 / 8));
        let function = self.helper(offset_of!(Helpers, plain_image));
        let ty = m.function_type(m.void(), &[p, i32t, i32t, p]);
        m.call(ty, function, &[m.inttoptr(desc, p), self.i32c(dim), self.i32c(arrayed), out]);
        let field = |at: usize, ty| m.load(ty, m.byte_ptr(out, self.i64c(at as u64)), 4);
        let extent = offset_of!(PlainImage, extent);
        Facts {
            base: m.inttoptr(field(offset_of!(PlainImage, base), i64t), p),
            row: field(offset_of!(PlainImage, row), i32t),
            slice: field(offset_of!(PlainImage, slice), i32t),
            extent: [0, 4, 8].map(|at| field(extent + at, i32t)),
            format: field(offset_of!(PlainImage, format), i32t),
        }
    }

    /// A function of the engine's table.
    pub fn helper(&self, at: usize) -> Val {
        let m = self.m;
        let table_field = m.byte_ptr(self.ctx, self.i64c(offset_of!(DispatchCtx, helpers) as u64));
        let table = m.load(m.ptr(), table_field, 8);
        m.load(m.ptr(), m.byte_ptr(table, self.i64c(at as u64)), 8)
    }

    /// Byte offsets of texels by lane (i32), and the lanes that are active and inside.
    fn texel_offsets(&self, p: &Plain, mask: Mask) -> Result<(Val, Mask)> {
        let steps = [self.i32c(p.format.bytes), p.facts.row, p.facts.slice];
        self.offsets_at(&p.at, steps, p.facts.extent, mask)
    }

    /// The same by coordinates, the steps of these and their ends.
    pub fn offsets_at(
        &self,
        at: &[Option<Value>; 3],
        steps: [Val; 3],
        extent: [Val; 3],
        mask: Mask,
    ) -> Result<(Val, Mask)> {
        let m = self.m;
        let (mut offset, mut valid) = (None, mask);
        for ((at, step), end) in at.iter().zip(steps).zip(extent) {
            let Some(v) = *at else { continue };
            let v = self.vector(v)?;
            valid = self.mask_and(valid, m.icmp(Icmp::Ult, v, self.splat(end)));
            let part = m.mul(v, self.splat(step));
            offset = Some(offset.map_or(part, |o| m.add(o, part)));
        }
        Ok((offset.unwrap_or(self.splat(self.i32c(0))), valid))
    }

    /// Where the texels of runs of lanes begin if those of the other lanes follow, and the condition for that: x is known to grow
    /// by one from lane to lane, and the others are the same in all lanes; or so in each row of the workgroup.
    fn runs_of_texels(&self, p: &Plain) -> Option<(Vec<Val>, Val)> {
        let m = self.m;
        let x = self.claim(p.at[0]?).filter(|c| c.stride == 1)?;
        let mut claims = vec![(x, self.i32c(p.format.bytes), p.facts.extent[0])];
        for ((at, step), end) in p.at.iter().zip([p.facts.row, p.facts.row, p.facts.slice]).zip(p.facts.extent).skip(1)
        {
            if let Some(v) = *at {
                claims.push((self.claim(v).filter(|c| c.stride == 0 && c.guard.is_none())?, step, end));
            }
        }
        let whole = claims.iter().all(|(c, ..)| c.base.whole());
        let (count, each) = if whole { (1, self.lanes) } else { (self.rows as usize, self.per_row()) };
        let wide = |v: Val| m.zext(v, m.int(64));
        let mut ok = x.guard;
        let mut offsets = vec![self.i64c(0); count];
        for (i, (claim, step, end)) in claims.iter().enumerate() {
            let last = self.i32c(if i == 0 { each - 1 } else { 0 });
            let end = m.intrinsic("llvm.usub.sat", &[m.int(32)], &[*end, last]);
            let bases =
                if whole { [claim.base.first()].into_iter().collect() } else { self.row_bases(Type::I32, claim) };
            for (offset, base) in offsets.iter_mut().zip(bases) {
                let inside = m.icmp(Icmp::Ult, base, end);
                ok = Some(ok.map_or(inside, |ok| m.and(ok, inside)));
                *offset = m.add(*offset, m.mul(wide(base), wide(*step)));
            }
        }
        let runs = offsets.into_iter().map(|o| m.byte_ptr(p.facts.base, o)).collect();
        Some((runs, ok?))
    }

    /// How many lanes next to each other have texels next to each other, if neighbours in x do; 0: few.
    fn group(&self) -> u32 {
        match self.k.local_size[0] {
            w if w.is_multiple_of(self.lanes) => self.lanes,
            _ if self.rows > 1 => self.per_row(),
            _ => 0,
        }
    }

    /// Whether all lanes are valid and texels of each group of lanes follow each other.
    fn grouped(&self, offsets: Val, valid: Mask, group: u32, bytes: u32) -> Val {
        let m = self.m;
        let first: Vec<i32> = (0..self.lanes).map(|l| (l / group * group) as i32).collect();
        let steps: Vec<Val> = (0..self.lanes).map(|l| self.i32c(l % group * bytes)).collect();
        let first = m.shuffle(offsets, m.poison(m.type_of(offsets)), &first);
        let same = m.icmp(Icmp::Eq, offsets, m.add(first, m.const_vector(&steps)));
        self.all_lanes(m.and(self.mask_val(valid), same))
    }

    fn group_ptr(&self, p: &Plain, offsets: Val, lane: u32) -> Val {
        let m = self.m;
        m.byte_ptr(p.facts.base, m.zext(m.extract(offsets, self.i32c(lane)), m.int(64)))
    }

    /// Makes an access to texels: `f` makes the code for each way in which they may stand, the quickest first, of which one is taken.
    /// Gives what it made, and the blocks that have it at their ends and lead to where the code goes on.
    fn by_runs<T>(
        &mut self,
        p: &Plain,
        mask: Mask,
        mut f: impl FnMut(&mut Self, Texels) -> T,
    ) -> Result<Vec<(T, Block)>> {
        let m = self.m;
        let end = self.block(c"texels.end");
        let mut made = Vec::new();
        let mut way = |g: &mut Self, texels: Texels| {
            made.push((f(g, texels), m.current()));
            m.br(end);
        };
        let runs = self.runs_of_texels(p);
        let group = if runs.is_some() { 0 } else { self.group() };
        if let Some((at, inside)) = runs {
            let (quick, slow) = (self.block(c"texels.runs"), self.block(c"texels"));
            m.likely_br(inside, quick, slow);
            m.position(quick);
            way(self, Texels::Runs(at, mask));
            m.position(slow);
        }
        let (offsets, valid) = self.texel_offsets(p, mask)?;
        if group != 0 {
            let (quick, slow) = (self.block(c"texels.groups"), self.block(c"texels.lanes"));
            m.cond_br(self.grouped(offsets, valid, group, p.format.bytes), quick, slow);
            m.position(quick);
            let at = (0..self.lanes / group).map(|g| self.group_ptr(p, offsets, g * group)).collect();
            way(self, Texels::Runs(at, Mask::Full));
            m.position(slow);
        }
        let valid = self.mask_val(valid);
        way(self, Texels::Lanes(offsets, valid));
        m.position(end);
        Ok(made)
    }

    /// Loads a texel per lane. Lanes that are outside get zeros, and what the format lacks.
    pub fn plain_load(&mut self, p: &Plain, mask: Mask) -> Result<[Val; 4]> {
        let bytes = p.format.bytes;
        let found = self.by_runs(p, mask, |g, texels| match texels {
            Texels::Runs(at, _) => g.texels_at(&at, bytes),
            Texels::Lanes(offsets, valid) => g.gather_texels(p, offsets, valid),
        })?;
        let i32t = self.ty(Type::I32, self.lanes);
        let words: Vec<Val> = (0..bytes.div_ceil(4) as usize)
            .map(|i| {
                let from: Vec<_> = found.iter().map(|(words, block)| (words[i], *block)).collect();
                self.m.phi(i32t, &from)
            })
            .collect();
        Ok(self.decode_texel(p.format, &words))
    }

    /// Words of texels that stand in as many runs.
    fn texels_at(&self, runs: &[Val], bytes: u32) -> Vec<Val> {
        let m = self.m;
        let each = self.lanes / runs.len() as u32;
        let (element, words) = if bytes < 4 { (m.int(bytes * 8), 1) } else { (m.int(32), bytes / 4) };
        let parts: Vec<Val> =
            runs.iter().map(|at| m.load(m.vector(element, each * words), *at, bytes.min(4))).collect();
        let all = self.concat(&parts, each * words);
        if bytes < 4 {
            return vec![m.zext(all, self.ty(Type::I32, self.lanes))];
        }
        if words == 1 {
            return vec![all];
        }
        (0..words).map(|i| self.pick(all, self.lanes, i, words)).collect()
    }

    fn gather_texels(&self, p: &Plain, offsets: Val, valid: Val) -> Vec<Val> {
        let m = self.m;
        let t = self.ty(Type::I32, self.lanes);
        let k = |v: u32| self.splat(self.i32c(v));
        if p.format.bytes < 4 {
            // The words that hold the texels: texels are aligned.
            let address = m.ptrtoint(p.facts.base, m.int(64));
            let low = m.trunc(m.and(address, self.i64c(3)), m.int(32));
            let base = m.inttoptr(m.and(address, self.i64c(!3)), m.ptr());
            let words = self.gather_parts(base, m.add(offsets, self.splat(low)), valid);
            return vec![m.and(words, k((1 << (p.format.bytes * 8)) - 1))];
        }
        let word = |i: u32| self.gather(t, m.byte_ptr(p.facts.base, m.add(offsets, k(i * 4))), 4, valid);
        (0..p.format.bytes / 4).map(word).collect()
    }

    /// Words whose low bits are the aligned parts of words at byte offsets from a `base` that is aligned to words.
    pub fn gather_parts(&self, base: Val, offsets: Val, valid: Val) -> Val {
        let m = self.m;
        let k = |v: u32| self.splat(self.i32c(v));
        let t = self.ty(Type::I32, self.lanes);
        let words = self.gather(t, m.byte_ptr(base, m.and(offsets, k(!3))), 4, valid);
        m.lshr(words, m.shl(m.and(offsets, k(3)), k(3)))
    }

    /// Stores a texel per active lane that is inside.
    pub fn plain_store(&mut self, p: &Plain, components: &[Val], mask: Mask) -> Result<()> {
        let m = self.m;
        let bytes = p.format.bytes;
        let words = self.encode_texel(p.format, components);
        let whole = if bytes < 4 {
            m.trunc(words[0], m.vector(m.int(bytes * 8), self.lanes))
        } else {
            self.interleave(&words, self.lanes, words.len() as u32)
        };
        let n = words.len() as u32;
        self.by_runs(p, mask, |g, texels| match texels {
            Texels::Runs(at, mask) => {
                let each = g.lanes / at.len() as u32 * n;
                let put = |g: &Self, lanes: Option<Val>| {
                    for (i, at) in (0..).zip(&at) {
                        let part = g.pick(whole, each, i * each, 1);
                        match lanes {
                            None => m.store(part, *at, bytes.min(4)),
                            Some(lanes) => g.masked_store(part, *at, bytes.min(4), g.pick(lanes, each, i * each, 1)),
                        }
                    }
                };
                if mask == Mask::Full {
                    return put(g, None);
                }
                let end = g.block(c"texels.stored");
                if g.masks_cost() {
                    let some = g.if_all(mask);
                    put(g, None);
                    m.br(end);
                    m.position(some);
                }
                put(g, Some(g.interleave(&vec![g.mask_val(mask); words.len()], g.lanes, n)));
                m.br(end);
                m.position(end);
            }
            Texels::Lanes(offsets, valid) if bytes < 4 => {
                let ty = if bytes == 1 { Type::I8 } else { Type::I16 };
                g.each_lane_store(ty, whole, m.byte_ptr(p.facts.base, offsets), bytes, valid);
            }
            Texels::Lanes(offsets, valid) => {
                for (i, word) in (0..).zip(&words) {
                    let offsets = m.add(offsets, g.splat(g.i32c(i * 4)));
                    g.scatter(*word, m.byte_ptr(p.facts.base, offsets), 4, valid);
                }
            }
        })?;
        Ok(())
    }

    /// Addresses of texels by lane, and the lanes that are active and inside.
    pub fn plain_pointers(&mut self, p: &Plain, mask: Mask) -> Result<(Val, Val)> {
        let (offsets, valid) = self.texel_offsets(p, mask)?;
        Ok((self.m.byte_ptr(p.facts.base, offsets), self.mask_val(valid)))
    }
}
