//! The functions that read textures: nearest or linear, of one level or two, by the facts that the engine gave. They compute what
//! [`crate::image::Lookup`] computes, in the same order, so the results are the same.

use super::gen::Gen;
use super::ir::{Block, Fcmp, Icmp, Val};
use super::reader::LevelPlace;
use super::texture::{Kind, LAYER_ROW, OFFSET_ROWS, RESULT_ROWS};
use crate::kernel_abi::{PlainLevel, PlainTexture, TexelReader};
use compiler::sir::Type;
use std::mem::offset_of;

/// Texel coordinates beyond this are left to the engine: up to here all steps are exact.
const FAR: f32 = (1 << 22) as f32;
/// Likewise offsets.
const FAR_OFFSET: u32 = 1 << 20;

/// A weighted average that is being summed up, of one component.
#[derive(Clone, Copy)]
struct Average {
    sum: Val,
    low: Val,
    high: Val,
}

/// A level that is being read.
struct LevelRead {
    place: LevelPlace,
    /// Byte offsets of the two texels in each dimension.
    steps: Vec<[Val; 2]>,
    /// The weight of the second of them.
    fractions: Vec<Val>,
}

impl Gen<'_> {
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

        // The same for both levels.
        let linear = self.fact_is_set(facts, offset_of!(PlainTexture, linear));
        let blend = self.fact(facts, offset_of!(PlainTexture, blend));
        let two = m.icmp(Icmp::Ne, blend, self.i32c(0));
        let extra = m.zext(linear, i32t);
        let half = self.konst(Type::F32, 0, u64::from(0.5f32.to_bits()));
        let half = self.splat(m.select(linear, half, self.konst(Type::F32, 0, 0)));
        let coords: Vec<Val> = (0..kind.dims).map(|d| m.load(floats, self.data_row(data, d), align)).collect();
        let bail = self.block(c"texture.bail");
        let offsets: Option<Vec<Val>> = kind
            .offsets
            .then(|| (0..kind.dims).map(|d| m.load(lanes, self.data_row(data, OFFSET_ROWS + d), align)).collect());
        if let Some(offsets) = &offsets {
            let wide = |v: &Val| m.add(*v, self.splat(self.i32c(FAR_OFFSET)));
            let near = offsets.iter().map(|v| m.icmp(Icmp::Ult, wide(v), self.splat(self.i32c(2 * FAR_OFFSET))));
            let near = near.reduce(|a, b| m.and(a, b)).unwrap_or(m.ones(self.bool_lanes()));
            let go = self.block(c"texture.offsets");
            m.likely_br(self.all_lanes(near), go, bail);
            m.position(go);
        }
        let layer = kind.arrayed.then(|| {
            let v = m.load(floats, self.data_row(data, LAYER_ROW), align);
            let v = m.intrinsic("llvm.roundeven", &[floats], &[v]);
            let zero = self.floats(0.0);
            let last = self.splat(m.uitofp(self.fact(facts, offset_of!(PlainTexture, last_layer)), m.f32()));
            // NaN gives layer 0.
            let v = m.select(m.fcmp(Fcmp::Ogt, v, zero), v, zero);
            m.fptosi(m.select(m.fcmp(Fcmp::Olt, v, last), v, last), lanes)
        });

        let start = m.current();
        let head = self.block(c"texture.level");
        m.br(head);
        m.position(head);
        let index = m.phi(m.int(64), &[(self.i64c(0), start)]);
        let zero = self.floats(0.0);
        let before: [Val; 4] = std::array::from_fn(|_| m.phi(floats, &[(zero, start)]));
        let level = m.byte_ptr(facts, m.mul(index, self.i64c(size_of::<PlainLevel>() as u64)));
        let read = self.level_read(facts, level, &coords, half, extra, offsets.as_deref(), layer, wrap, bail);

        let reader = self.fact(facts, offset_of!(PlainTexture, reader));
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
        let rest = m.fsub(self.floats(1.0), weight);
        let mixed: [Val; 4] = std::array::from_fn(|c| {
            let first = self.begin(before[c], rest);
            self.end(self.take(first, texel[c], weight, None))
        });
        m.br(finish);
        m.position(finish);
        let out: [Val; 4] = std::array::from_fn(|c| m.phi(floats, &[(texel[c], last), (mixed[c], mix)]));
        let out = self.finished(facts, out, self.floats(1.0));
        for (row, v) in (RESULT_ROWS..).zip(out) {
            m.store(v, self.data_row(data, row), align);
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
        let sizes: Vec<Val> =
            (0..coords.len()).map(|d| self.fact(level, offset_of!(PlainLevel, extent) + 4 * d)).collect();
        let places: Vec<Val> =
            coords.iter().zip(&sizes).map(|(c, size)| m.fmul(*c, self.splat(m.uitofp(*size, m.f32())))).collect();
        let far = self.floats(FAR);
        let near = places
            .iter()
            .map(|p| m.fcmp(Fcmp::Olt, m.intrinsic("llvm.fabs", &[floats], &[*p]), far))
            .reduce(|a, b| m.and(a, b))
            .unwrap_or(m.ones(self.bool_lanes()));
        let go = self.block(c"texture.near");
        m.likely_br(self.all_lanes(near), go, bail);
        m.position(go);

        let bytes = self.fact(facts, offset_of!(PlainTexture, bytes));
        let steps =
            [bytes, self.fact(level, offset_of!(PlainLevel, row)), self.fact(level, offset_of!(PlainLevel, slice))];
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
            m.likely_br(self.all_lanes(m.icmp(Icmp::Ult, i, end)), on, outside);
            m.position(outside);
            let mode = self.fact(facts, offset_of!(PlainTexture, address) + 4 * d);
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
        LevelRead { place: self.level_place(facts, level), steps: out, fractions }
    }

    /// The weighted average of the texels around a point, or the one texel there.
    fn taps(&mut self, read: &LevelRead, reader: Val, linear: Val, dims: usize, bail: Block) -> [Val; 4] {
        let m = self.m;
        let (lanes, floats, i64t) = (self.ty(Type::I32, self.lanes), self.ty(Type::F32, self.lanes), m.int(64));
        let one = self.floats(1.0);
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
        let (head, done) = (self.block(c"tap"), self.block(c"tap.done"));
        m.br(head);
        m.position(head);
        let index = m.phi(i64t, &[(self.i64c(0), start)]);
        let sums: [Average; 4] = std::array::from_fn(|_| {
            // Negative zero is what adding to changes nothing.
            let [sum, low, high] =
                [-0.0, f32::INFINITY, f32::NEG_INFINITY].map(|v| m.phi(floats, &[(self.floats(v), start)]));
            Average { sum, low, high }
        });
        let at = m.mul(index, self.i64c(u64::from(self.lanes) * 4));
        let offset = m.load(lanes, m.byte_ptr(offsets, at), self.data_align());
        let weight = m.load(floats, m.byte_ptr(weights, at), self.data_align());
        let texel = self.texel_by_reader(&read.place, reader, &TexelReader::FLOAT, offset, bail);
        // Texels of weight 0 take no part; most often there are none.
        let some = m.fcmp(Fcmp::Une, weight, self.floats(0.0));
        let (plain, careful, next) = (self.block(c"tap.all"), self.block(c"tap.some"), self.block(c"tap.next"));
        m.likely_br(self.all_lanes(some), plain, careful);
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

    /// An average of one value.
    fn begin(&self, v: Val, weight: Val) -> Average {
        Average { sum: self.m.fmul(weight, v), low: v, high: v }
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
