//! The functions that read textures: nearest or linear, of one level or two, by the facts that the engine gave. They compute what
//! [`crate::image::Lookup`] computes, in the same order, so the results are the same.

use super::gen::Gen;
use super::llvm::{Block, Fcmp, Icmp, Ty, Val};
use super::texture::{Kind, LAYER_ROW, OFFSET_ROWS, RESULT_ROWS};
use crate::kernel_abi::{texel_reader_code, PlainLevel, PlainTexture, TexelReader, Width};
use crate::texel::{self, Format};
use ash::vk;
use compiler::sir::Type;
use std::mem::offset_of;

/// Texel coordinates beyond this are left to the engine: up to here all steps are exact.
const FAR: f32 = (1 << 22) as f32;
/// Likewise offsets.
const FAR_OFFSET: u32 = 1 << 20;

/// The format as which texels are decoded, and the words of one.
fn decoded(reader: TexelReader) -> (&'static Format, u32) {
    let (format, words) = match reader {
        TexelReader::Bytes4 | TexelReader::Bytes12 => (vk::Format::R8G8B8A8_UNORM, 1),
        TexelReader::Single1 => (vk::Format::R32_SFLOAT, 1),
        TexelReader::Single4 => (vk::Format::R32G32B32A32_SFLOAT, 4),
        TexelReader::Half4 => (vk::Format::R16G16B16A16_SFLOAT, 2),
        TexelReader::Word1 => (vk::Format::R32_UINT, 1),
        TexelReader::Word4 => (vk::Format::R32G32B32A32_UINT, 4),
    };
    // All of them are in the table.
    (texel::find(format).unwrap_or_else(|| unreachable!("{format:?}")), words)
}

/// A weighted average that is being summed up, of one component.
#[derive(Clone, Copy)]
struct Average {
    sum: Val,
    low: Val,
    high: Val,
}

/// A level that is being read.
struct LevelRead {
    /// Address of texel 0, 0, 0, with the low bits cut off as far as words are.
    base: Val,
    /// What was cut off.
    low_bits: Val,
    /// Bits of a texel, of those with fewer than 32.
    mask: Val,
    /// Bytes of the level.
    end: Val,
    /// Byte offsets of the two texels in each dimension.
    steps: Vec<[Val; 2]>,
    /// The weight of the second of them.
    fractions: Vec<Val>,
}

impl Gen<'_> {
    fn float_lanes(&self, v: f32) -> Val {
        self.konst(Type::F32, self.lanes, u64::from(v.to_bits()))
    }

    fn all(&self, lanes: Val) -> Val {
        self.m.icmp(Icmp::Eq, self.bits(lanes), self.bits(self.m.ones(self.bool_lanes())))
    }

    fn at(&self, p: Val, offset: usize) -> Val {
        self.m.byte_ptr(p, self.i64c(offset as u64))
    }

    fn row_at(&self, data: Val, row: u32) -> Val {
        self.at(data, (row * self.lanes * 4) as usize)
    }

    fn data_align(&self) -> u32 {
        (self.lanes * 4).min(64)
    }

    /// `void wrap(i32 mode, i32 size, <lanes x i32> *texels)`: address modes but that to a border, of coordinates that are not far.
    pub fn wrap_function(&mut self) -> Val {
        if let Some(known) = self.textures.wrap {
            return known;
        }
        let m = self.m;
        let i32t = m.int(32);
        let ty = m.function_type(m.void(), &[i32t, i32t, m.ptr()]);
        let function = self.in_function("wrap", ty, |g, f| {
            let (mode, size, texels) = (m.param(f, 0), m.param(f, 1), m.param(f, 2));
            let lanes = g.ty(Type::I32, g.lanes);
            let floats = g.ty(Type::F32, g.lanes);
            let is = |code: u32| m.icmp(Icmp::Eq, mode, g.i32c(code));
            let i = m.load(lanes, texels, g.data_align());
            let zero = m.zero(lanes);
            let (min, max) = (
                |a: Val, b: Val| m.select(m.icmp(Icmp::Slt, a, b), a, b),
                |a: Val, b: Val| m.select(m.icmp(Icmp::Sgt, a, b), a, b),
            );
            let mirror = |v: Val| m.select(m.icmp(Icmp::Slt, v, zero), m.not(v), v);
            let size_lanes = g.splat(size);
            let last = g.splat(m.sub(size, g.i32c(1)));
            // The remainder by the size, or by twice the size: the quotient is at most one off.
            let period = g.splat(m.select(is(1), m.shl(size, g.i32c(1)), size));
            let quotient = m.fdiv(m.sitofp(i, floats), m.sitofp(period, floats));
            let quotient = m.intrinsic("llvm.floor", &[floats], &[quotient]);
            let rest = m.sub(i, m.mul(m.fptosi(quotient, lanes), period));
            let rest = m.select(m.icmp(Icmp::Slt, rest, zero), m.add(rest, period), rest);
            let rest = m.select(m.icmp(Icmp::Slt, rest, period), rest, m.sub(rest, period));
            let mirrored = m.sub(last, mirror(m.sub(rest, size_lanes)));
            let clamped = max(min(i, last), zero);
            let once = min(mirror(i), last);
            let by = |c: Val, a: Val, b: Val| m.select(c, a, b);
            let out = by(is(0), rest, by(is(1), mirrored, by(is(4), once, clamped)));
            m.store(out, texels, g.data_align());
            m.ret_void();
        });
        self.textures.wrap = Some(function);
        function
    }

    /// `i32 texture(PlainTexture *, data *)`: 0 if the results are in their rows.
    pub fn filter(&mut self, kind: Kind, facts: Val, data: Val, wrap: Val) {
        let m = self.m;
        let i32t = m.int(32);
        let (lanes, floats) = (self.ty(Type::I32, self.lanes), self.ty(Type::F32, self.lanes));
        let dims = kind.dims as usize;
        let align = self.data_align();
        let field = |g: &Self, at: usize| m.load(i32t, g.at(facts, at), 4);
        let flag = |g: &Self, at: usize| m.icmp(Icmp::Ne, field(g, at), g.i32c(0));

        // The same for both levels.
        let linear = flag(self, offset_of!(PlainTexture, linear));
        let blend = field(self, offset_of!(PlainTexture, blend));
        let two = m.icmp(Icmp::Ne, blend, self.i32c(0));
        let extra = m.zext(linear, i32t);
        let half = self.konst(Type::F32, 0, u64::from(0.5f32.to_bits()));
        let half = self.splat(m.select(linear, half, self.konst(Type::F32, 0, 0)));
        let coords: Vec<Val> = (0..kind.dims).map(|d| m.load(floats, self.row_at(data, d), align)).collect();
        let bail = self.block(c"texture.bail");
        let offsets: Option<Vec<Val>> = kind
            .offsets
            .then(|| (0..kind.dims).map(|d| m.load(lanes, self.row_at(data, OFFSET_ROWS + d), align)).collect());
        if let Some(offsets) = &offsets {
            let wide = |v: &Val| m.add(*v, self.splat(self.i32c(FAR_OFFSET)));
            let near = offsets.iter().map(|v| m.icmp(Icmp::Ult, wide(v), self.splat(self.i32c(2 * FAR_OFFSET))));
            let near = near.reduce(|a, b| m.and(a, b)).unwrap_or(m.ones(self.bool_lanes()));
            let go = self.block(c"texture.offsets");
            m.likely_br(self.all(near), go, bail);
            m.position(go);
        }
        let layer = kind.arrayed.then(|| {
            let v = m.load(floats, self.row_at(data, LAYER_ROW), align);
            let v = m.intrinsic("llvm.roundeven", &[floats], &[v]);
            let zero = self.float_lanes(0.0);
            let last = self.splat(m.uitofp(field(self, offset_of!(PlainTexture, last_layer)), m.f32()));
            // NaN gives layer 0.
            let v = m.select(m.fcmp(Fcmp::Ogt, v, zero), v, zero);
            m.fptosi(m.select(m.fcmp(Fcmp::Olt, v, last), v, last), lanes)
        });

        let start = m.current();
        let head = self.block(c"texture.level");
        m.br(head);
        m.position(head);
        let index = m.phi(m.int(64), &[(self.i64c(0), start)]);
        let zero = self.float_lanes(0.0);
        let before: [Val; 4] = std::array::from_fn(|_| m.phi(floats, &[(zero, start)]));
        let level = m.byte_ptr(facts, m.mul(index, self.i64c(size_of::<PlainLevel>() as u64)));
        let read = self.level_read(facts, level, &coords, half, extra, offsets.as_deref(), layer, wrap, bail);

        let reader = field(self, offset_of!(PlainTexture, reader));
        let texel = self.taps(&read, reader, linear, dims, bail);

        // The second level, and both together.
        let (next, last, mix, finish) = (
            self.block(c"texture.next"),
            self.block(c"texture.last"),
            self.block(c"texture.mix"),
            self.block(c"texture.out"),
        );
        let first = m.icmp(Icmp::Eq, index, self.i64c(0));
        m.cond_br(m.and(first, two), next, last);
        m.position(next);
        m.br(head);
        m.add_incoming(index, self.i64c(1), next);
        for (phi, v) in before.iter().zip(texel) {
            m.add_incoming(*phi, v, next);
        }
        m.position(last);
        m.cond_br(two, mix, finish);
        m.position(mix);
        let weight = self.splat(m.bitcast(blend, m.f32()));
        let rest = m.fsub(self.float_lanes(1.0), weight);
        let mixed: [Val; 4] = std::array::from_fn(|c| {
            let first = self.begin(before[c], rest, None);
            self.end(self.take(first, texel[c], weight, None))
        });
        m.br(finish);
        m.position(finish);
        let out: [Val; 4] = std::array::from_fn(|c| m.phi(floats, &[(texel[c], last), (mixed[c], mix)]));
        let out = self.finished(facts, out, self.float_lanes(1.0));
        for (row, v) in (RESULT_ROWS..).zip(out) {
            m.store(v, self.row_at(data, row), align);
        }
        m.ret(self.i32c(0));
        m.position(bail);
        m.ret(self.i32c(1));
    }

    /// Finds the texels of a level; branches to `bail` if there are none for some coordinates.
    #[allow(clippy::too_many_arguments)]
    fn level_read(
        &mut self,
        facts: Val,
        level: Val,
        coords: &[Val],
        half: Val,
        extra: Val,
        offsets: Option<&[Val]>,
        layer: Option<Val>,
        wrap: Val,
        bail: Block,
    ) -> LevelRead {
        let m = self.m;
        let i32t = m.int(32);
        let (lanes, floats) = (self.ty(Type::I32, self.lanes), self.ty(Type::F32, self.lanes));
        let field = |g: &Self, p: Val, at: usize| m.load(i32t, g.at(p, at), 4);
        let sizes: Vec<Val> =
            (0..coords.len()).map(|d| field(self, level, offset_of!(PlainLevel, extent) + 4 * d)).collect();
        let places: Vec<Val> =
            coords.iter().zip(&sizes).map(|(c, size)| m.fmul(*c, self.splat(m.uitofp(*size, m.f32())))).collect();
        let far = self.float_lanes(FAR);
        let near = places
            .iter()
            .map(|p| m.fcmp(Fcmp::Olt, m.intrinsic("llvm.fabs", &[floats], &[*p]), far))
            .reduce(|a, b| m.and(a, b))
            .unwrap_or(m.ones(self.bool_lanes()));
        let go = self.block(c"texture.near");
        m.likely_br(self.all(near), go, bail);
        m.position(go);

        let bytes = field(self, facts, offset_of!(PlainTexture, bytes));
        let steps =
            [bytes, field(self, level, offset_of!(PlainLevel, row)), field(self, level, offset_of!(PlainLevel, slice))];
        let cell = self.alloca(lanes, 64);
        let (mut out, mut fractions) = (Vec::new(), Vec::new());
        let one = self.splat(self.i32c(1));
        for (d, place) in places.iter().enumerate() {
            let p = m.fsub(*place, half);
            let floor = m.intrinsic("llvm.floor", &[floats], &[p]);
            fractions.push(m.fsub(p, floor));
            let i = m.fptosi(floor, lanes);
            let i = offsets.map_or(i, |o| m.add(i, o[d]));
            let end = self.splat(m.sub(sizes[d], extra));
            let (outside, wraps, on) =
                (self.block(c"texture.edge"), self.block(c"texture.wrap"), self.block(c"texture.inside"));
            let here = m.current();
            let next = m.add(i, one);
            m.likely_br(self.all(m.icmp(Icmp::Ult, i, end)), on, outside);
            m.position(outside);
            let mode = field(self, facts, offset_of!(PlainTexture, address) + 4 * d);
            // CLAMP_TO_BORDER: the engine knows the colour.
            m.cond_br(m.icmp(Icmp::Eq, mode, self.i32c(3)), bail, wraps);
            m.position(wraps);
            let ty = m.function_type(m.void(), &[i32t, i32t, m.ptr()]);
            let wrapped = [i, next].map(|v| {
                m.store(v, cell, 64);
                m.call(ty, wrap, &[mode, sizes[d], cell]);
                m.load(lanes, cell, 64)
            });
            let from = m.current();
            m.br(on);
            m.position(on);
            let i = m.phi(lanes, &[(i, here), (wrapped[0], from)]);
            let next = m.phi(lanes, &[(next, here), (wrapped[1], from)]);
            let step = self.splat(steps[d]);
            out.push([m.mul(i, step), m.mul(next, step)]);
        }
        if let Some(layer) = layer {
            let start = m.mul(layer, self.splat(steps[2]));
            out[0] = out[0].map(|o| m.add(o, start));
        }
        LevelRead { steps: out, fractions, ..self.level_place(facts, level) }
    }

    /// Where a level stands.
    fn level_place(&self, facts: Val, level: Val) -> LevelRead {
        let m = self.m;
        let i32t = m.int(32);
        let field = |p: Val, at: usize| m.load(i32t, self.at(p, at), 4);
        let base = m.load(m.int(64), self.at(level, offset_of!(PlainLevel, base)), 8);
        LevelRead {
            base: m.inttoptr(m.and(base, self.i64c(!3)), m.ptr()),
            low_bits: m.trunc(m.and(base, self.i64c(3)), i32t),
            mask: field(facts, offset_of!(PlainTexture, mask)),
            end: field(level, offset_of!(PlainLevel, end)),
            steps: Vec::new(),
            fractions: Vec::new(),
        }
    }

    /// `i32 texels(PlainTexture *, data *)`: the texels at byte offsets in row 0, zeros in lanes where row 1 is 0. 0 if the
    /// results are in their rows.
    pub fn texels(&mut self, float: bool, facts: Val, data: Val) {
        let m = self.m;
        let (lanes, align) = (self.ty(Type::I32, self.lanes), self.data_align());
        let offset = m.load(lanes, data, align);
        let valid = m.icmp(Icmp::Ne, m.load(lanes, self.row_at(data, 1), align), m.zero(lanes));
        let read = self.level_place(facts, facts);
        let reader = m.load(m.int(32), self.at(facts, offset_of!(PlainTexture, reader)), 4);
        let start = m.current();
        let (join, bail) = (self.block(c"texels.read"), self.block(c"texels.bail"));
        let kinds: &[TexelReader] = if float { &TexelReader::FLOAT } else { &TexelReader::INTEGER };
        let mut found: Vec<([Val; 4], Block)> = Vec::new();
        let mut cases = Vec::new();
        for kind in kinds {
            let block = self.block(c"texels.reader");
            cases.push((self.i32c(texel_reader_code(*kind)), block));
            m.position(block);
            let texel = self.texel(&read, *kind, offset);
            found.push((texel, m.current()));
            m.br(join);
        }
        m.position(start);
        m.switch(reader, bail, &cases);
        m.position(join);
        let t = self.ty(if float { Type::F32 } else { Type::I32 }, self.lanes);
        let texel: [Val; 4] = std::array::from_fn(|c| {
            let from: Vec<_> = found.iter().map(|(t, b)| (t[c], *b)).collect();
            m.phi(t, &from)
        });
        let texel = texel.map(|v| m.select(valid, v, m.zero(t)));
        let one = if float { self.float_lanes(1.0) } else { self.konst(Type::I32, self.lanes, 1) };
        let out = self.finished(facts, texel, one);
        for (row, v) in (RESULT_ROWS..).zip(out) {
            m.store(v, self.row_at(data, row), align);
        }
        m.ret(self.i32c(0));
        m.position(bail);
        m.ret(self.i32c(1));
    }

    /// `i32 stores(PlainTexture *, data *)`: stores the components in the rows of results at byte offsets in row 0, in lanes where
    /// row 1 is not 0. 0 if that is done.
    pub fn stores(&mut self, float: bool, facts: Val, data: Val) {
        let m = self.m;
        let (lanes, align) = (self.ty(Type::I32, self.lanes), self.data_align());
        let offset = m.load(lanes, data, align);
        let valid = m.icmp(Icmp::Ne, m.load(lanes, self.row_at(data, 1), align), m.zero(lanes));
        let t = self.ty(if float { Type::F32 } else { Type::I32 }, self.lanes);
        let texel = std::array::from_fn(|c| m.load(t, self.row_at(data, RESULT_ROWS + c as u32), align));
        // There is a place for every component or they are the first ones, so alpha may be what it is.
        let texel = self.finished(facts, texel, texel[3]);
        let place = self.level_place(facts, facts);
        let reader = m.load(m.int(32), self.at(facts, offset_of!(PlainTexture, reader)), 4);
        let start = m.current();
        let (done, help) = (self.block(c"stores.done"), self.block(c"stores.help"));
        let kinds: &[TexelReader] = if float { &TexelReader::FLOAT } else { &TexelReader::INTEGER };
        let mut cases = Vec::new();
        // Single bytes are for the engine.
        for kind in kinds.iter().filter(|k| **k != TexelReader::Bytes12) {
            let block = self.block(c"stores.writer");
            cases.push((self.i32c(texel_reader_code(*kind)), block));
            m.position(block);
            let words = self.encode_texel(decoded(*kind).0, &texel);
            self.put_words(place.base, offset, &words, valid);
            m.br(done);
        }
        m.position(start);
        m.switch(reader, help, &cases);
        m.position(done);
        m.ret(self.i32c(0));
        m.position(help);
        m.ret(self.i32c(1));
    }

    /// Stores texels of some words at byte offsets: at once if all of them follow each other.
    fn put_words(&mut self, base: Val, offset: Val, words: &[Val], valid: Val) {
        let m = self.m;
        let n = words.len() as u32;
        let first = m.extract(offset, self.i32c(0));
        let row = m.add(self.splat(first), self.iota(Type::I32, i64::from(n) * 4));
        let (quick, slow, end) = (self.block(c"put.row"), self.block(c"put"), self.block(c"put.end"));
        m.cond_br(self.all(m.and(valid, m.icmp(Icmp::Eq, offset, row))), quick, slow);
        m.position(quick);
        m.store(self.interleave(words, self.lanes, n), m.byte_ptr(base, m.zext(first, m.int(64))), 4);
        m.br(end);
        m.position(slow);
        for (i, word) in (0..).zip(words) {
            let offset = m.add(offset, self.splat(self.i32c(4 * i)));
            self.scatter(*word, m.byte_ptr(base, offset), 4, valid);
        }
        m.br(end);
        m.position(end);
    }

    /// Components in their places, and `one` for alpha if there is none.
    fn finished(&self, facts: Val, out: [Val; 4], one: Val) -> [Val; 4] {
        let m = self.m;
        let flag = |at: usize| m.icmp(Icmp::Ne, m.load(m.int(32), self.at(facts, at), 4), self.i32c(0));
        let swap = flag(offset_of!(PlainTexture, swap));
        let alpha = flag(offset_of!(PlainTexture, alpha));
        let [r, g, b, a] = out;
        [m.select(swap, b, r), g, m.select(swap, r, b), m.select(alpha, a, one)]
    }

    /// The weighted average of the texels around a point, or the one texel there.
    fn taps(&mut self, read: &LevelRead, reader: Val, linear: Val, dims: usize, bail: Block) -> [Val; 4] {
        let m = self.m;
        let (lanes, floats, i64t) = (self.ty(Type::I32, self.lanes), self.ty(Type::F32, self.lanes), m.int(64));
        let one = self.float_lanes(1.0);
        let most = 1u64 << dims;
        let (offsets, weights) = (self.alloca(m.array(lanes, most), 64), self.alloca(m.array(floats, most), 64));
        let shares: Vec<[Val; 2]> = read.fractions.iter().map(|f| [m.fsub(one, *f), *f]).collect();
        for n in 0..most {
            let tap = |d: usize| (n >> d & 1) as usize;
            let offset = (1..dims).fold(read.steps[0][tap(0)], |o, d| m.add(o, read.steps[d][tap(d)]));
            let weight = (1..dims).fold(shares[0][tap(0)], |w, d| m.fmul(w, shares[d][tap(d)]));
            let weight = if n == 0 { m.select(linear, weight, one) } else { weight };
            let at = self.i64c(n * u64::from(self.lanes) * 4);
            m.store(offset, m.byte_ptr(offsets, at), self.data_align());
            m.store(weight, m.byte_ptr(weights, at), self.data_align());
        }
        let count = m.select(linear, self.i64c(most), self.i64c(1));

        // One texel after the other; code for all of them at once takes too long to compile.
        let start = m.current();
        let (head, join, done) = (self.block(c"tap"), self.block(c"tap.read"), self.block(c"tap.done"));
        m.br(head);
        m.position(head);
        let index = m.phi(i64t, &[(self.i64c(0), start)]);
        let sums: [Average; 4] = std::array::from_fn(|_| {
            // Negative zero is what adding to changes nothing.
            let [sum, low, high] =
                [-0.0, f32::INFINITY, f32::NEG_INFINITY].map(|v| m.phi(floats, &[(self.float_lanes(v), start)]));
            Average { sum, low, high }
        });
        let at = m.mul(index, self.i64c(u64::from(self.lanes) * 4));
        let offset = m.load(lanes, m.byte_ptr(offsets, at), self.data_align());
        let weight = m.load(floats, m.byte_ptr(weights, at), self.data_align());
        let mut found: Vec<([Val; 4], Block)> = Vec::new();
        let mut cases = Vec::new();
        for kind in TexelReader::FLOAT {
            let block = self.block(c"tap.reader");
            cases.push((self.i32c(texel_reader_code(kind)), block));
            m.position(block);
            let texel = self.texel(read, kind, offset);
            found.push((texel, m.current()));
            m.br(join);
        }
        m.position(head);
        m.switch(reader, bail, &cases);
        m.position(join);
        let texel: [Val; 4] = std::array::from_fn(|c| {
            let from: Vec<_> = found.iter().map(|(t, b)| (t[c], *b)).collect();
            m.phi(floats, &from)
        });
        // Texels of weight 0 take no part; most often there are none.
        let some = m.fcmp(Fcmp::Une, weight, self.float_lanes(0.0));
        let (plain, careful, next) = (self.block(c"tap.all"), self.block(c"tap.some"), self.block(c"tap.next"));
        m.likely_br(self.all(some), plain, careful);
        let both = [(plain, None), (careful, Some(some))].map(|(block, some)| {
            m.position(block);
            let more: [Average; 4] = std::array::from_fn(|c| self.take(sums[c], texel[c], weight, some));
            m.br(next);
            (more, block)
        });
        m.position(next);
        let more: [Average; 4] = std::array::from_fn(|c| {
            let phi = |of: fn(&Average) -> Val| m.phi(floats, &both.map(|(more, block)| (of(&more[c]), block)));
            Average { sum: phi(|a| a.sum), low: phi(|a| a.low), high: phi(|a| a.high) }
        });
        let following = m.add(index, self.i64c(1));
        m.add_incoming(index, following, next);
        for (sum, more) in sums.iter().zip(&more) {
            for (phi, v) in [(sum.sum, more.sum), (sum.low, more.low), (sum.high, more.high)] {
                m.add_incoming(phi, v, next);
            }
        }
        m.cond_br(m.icmp(Icmp::Ult, following, count), head, done);
        m.position(done);
        std::array::from_fn(|c| self.end(more[c]))
    }

    /// The components of one texel per lane.
    fn texel(&mut self, read: &LevelRead, reader: TexelReader, offset: Val) -> [Val; 4] {
        let m = self.m;
        let t: Ty = self.ty(Type::I32, self.lanes);
        let k = |v: u32| self.splat(self.i32c(v));
        let all = m.ones(self.bool_lanes());
        let (format, words) = decoded(reader);
        let words: Vec<Val> = match reader {
            TexelReader::Bytes12 => {
                let offset = m.add(offset, self.splat(read.low_bits));
                let word = self.gather(t, m.byte_ptr(read.base, m.and(offset, k(!3))), 4, all);
                let word = m.lshr(word, m.shl(m.and(offset, k(3)), k(3)));
                vec![m.and(word, self.splat(read.mask))]
            }
            TexelReader::Bytes4 | TexelReader::Single1 | TexelReader::Word1 => vec![self.near_words(read, offset)],
            TexelReader::Single4 | TexelReader::Half4 | TexelReader::Word4 => {
                // A load per lane, then columns from rows.
                let each = m.vector(m.int(32), words);
                let rows: Vec<Val> = (0..self.lanes)
                    .map(|l| {
                        let at = m.zext(m.extract(offset, self.i32c(l)), m.int(64));
                        m.load(each, m.byte_ptr(read.base, at), 4)
                    })
                    .collect();
                let rows = self.concat(&rows, words);
                (0..words).map(|w| self.pick(rows, self.lanes, w, words)).collect()
            }
        };
        self.decode_texel(format, &words)
    }

    /// Words at byte offsets, most often near each other: then out of two registers, which is faster than to gather them.
    fn near_words(&mut self, read: &LevelRead, offset: Val) -> Val {
        const WINDOW: u32 = 32 * 4;
        let m = self.m;
        let t = self.ty(Type::I32, self.lanes);
        let all = m.ones(self.bool_lanes());
        if (self.opts.width, self.lanes) != (Width::W16, 16) {
            return self.gather(t, m.byte_ptr(read.base, offset), 4, all);
        }
        let i32t = m.int(32);
        let umin = |a: Val, b: Val| m.intrinsic("llvm.umin", &[i32t], &[a, b]);
        let first = umin(m.extract(offset, self.i32c(0)), m.extract(offset, self.i32c(15)));
        // Nothing is read behind the level.
        let window = self.i32c(WINDOW);
        let first = umin(first, m.intrinsic("llvm.usub.sat", &[i32t], &[read.end, window]));
        let within = m.sub(offset, self.splat(first));
        let near = m.icmp(Icmp::Ult, within, self.splat(window));
        let near = m.and(self.all(near), m.icmp(Icmp::Uge, read.end, window));
        let (quick, slow, end) = (self.block(c"near"), self.block(c"gather"), self.block(c"near.end"));
        m.cond_br(near, quick, slow);
        m.position(quick);
        let p = m.byte_ptr(read.base, m.zext(first, m.int(64)));
        let (low, high) = (m.load(t, p, 4), m.load(t, self.at(p, 64), 4));
        let index = m.lshr(within, self.splat(self.i32c(2)));
        let picked = m.intrinsic("llvm.x86.avx512.vpermi2var.d.512", &[], &[low, index, high]);
        m.br(end);
        m.position(slow);
        let gathered = self.gather(t, m.byte_ptr(read.base, offset), 4, all);
        m.br(end);
        m.position(end);
        m.phi(t, &[(picked, quick), (gathered, slow)])
    }

    /// An average of one value; of none in lanes where `some` is false.
    fn begin(&self, v: Val, weight: Val, some: Option<Val>) -> Average {
        let m = self.m;
        let only = |v: Val, other: f32| some.map_or(v, |s| m.select(s, v, self.float_lanes(other)));
        Average { sum: only(m.fmul(weight, v), 0.0), low: only(v, f32::INFINITY), high: only(v, f32::NEG_INFINITY) }
    }

    /// One value more; not in lanes where `some` is false.
    fn take(&self, a: Average, v: Val, weight: Val, some: Option<Val>) -> Average {
        let m = self.m;
        let only = |v: Val, other: Val| some.map_or(v, |s| m.select(s, v, other));
        let low = m.select(m.fcmp(Fcmp::Olt, v, a.low), v, a.low);
        let high = m.select(m.fcmp(Fcmp::Ogt, v, a.high), v, a.high);
        Average { sum: only(m.fadd(a.sum, m.fmul(weight, v)), a.sum), low: only(low, a.low), high: only(high, a.high) }
    }

    /// The average, kept between its values; NaN stays.
    fn end(&self, a: Average) -> Val {
        let m = self.m;
        let v = m.select(m.fcmp(Fcmp::Olt, a.high, a.sum), a.high, a.sum);
        m.select(m.fcmp(Fcmp::Ogt, a.low, v), a.low, v)
    }
}
