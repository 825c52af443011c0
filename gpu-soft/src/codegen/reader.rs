//! Texels of the formats that are used most, read and written where the facts about a level say that they stand.

use super::gen::Gen;
use super::ir::{Block, Icmp, Val};
use super::texture::RESULT_ROWS;
use crate::kernel_abi::{texel_reader_code, PlainLevel, PlainTexture, TexelReader, Width};
use crate::texel::{self, Format};
use ash::vk;
use compiler::sir::Type;
use std::mem::offset_of;

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

/// What reads texels that are floating-point numbers, or integers.
fn readers(float: bool) -> &'static [TexelReader] {
    if float {
        &TexelReader::FLOAT
    } else {
        &TexelReader::INTEGER
    }
}

/// Where the texels of a level stand.
pub struct LevelPlace {
    /// Address of texel 0, 0, 0, with the low bits cut off as far as words are.
    base: Val,
    /// What was cut off.
    low_bits: Val,
    /// Bits of a texel, of those with fewer than 32.
    mask: Val,
    /// Bytes of the level.
    end: Val,
}

impl Gen<'_> {
    /// A fact of 32 bits at an offset of a [`PlainTexture`] or [`PlainLevel`].
    pub fn fact(&self, facts: Val, offset: usize) -> Val {
        self.m.load(self.m.int(32), self.m.byte_ptr(facts, self.i64c(offset as u64)), 4)
    }

    /// Whether a fact is not 0.
    pub fn fact_is_set(&self, facts: Val, offset: usize) -> Val {
        self.m.icmp(Icmp::Ne, self.fact(facts, offset), self.i32c(0))
    }

    /// Where a level stands, by facts of a view and of the level.
    pub fn level_place(&self, facts: Val, level: Val) -> LevelPlace {
        let m = self.m;
        let base = m.load(m.int(64), m.byte_ptr(level, self.i64c(offset_of!(PlainLevel, base) as u64)), 8);
        LevelPlace {
            base: m.inttoptr(m.and(base, self.i64c(!3)), m.ptr()),
            low_bits: m.trunc(m.and(base, self.i64c(3)), m.int(32)),
            mask: self.fact(facts, offset_of!(PlainTexture, mask)),
            end: self.fact(level, offset_of!(PlainLevel, end)),
        }
    }

    /// `i32 texels(PlainTexture *, data *)`: the texels at byte offsets in row 0, zeros in lanes where row 1 is 0. 0 if the
    /// results are in their rows.
    pub fn texels(&mut self, float: bool, facts: Val, data: Val) {
        let m = self.m;
        let (lanes, align) = (self.ty(Type::I32, self.lanes), self.data_align());
        let offset = m.load(lanes, data, align);
        let valid = m.icmp(Icmp::Ne, m.load(lanes, self.data_row(data, 1), align), m.zero(lanes));
        let place = self.level_place(facts, facts);
        let reader = self.fact(facts, offset_of!(PlainTexture, reader));
        let bail = self.block(c"texels.bail");
        let texel = self.texel_by_reader(&place, reader, readers(float), offset, bail);
        let t = self.ty(if float { Type::F32 } else { Type::I32 }, self.lanes);
        let texel = texel.map(|v| m.select(valid, v, m.zero(t)));
        let one = if float { self.floats(1.0) } else { self.konst(Type::I32, self.lanes, 1) };
        let out = self.finished(facts, texel, one);
        for (row, v) in (RESULT_ROWS..).zip(out) {
            m.store(v, self.data_row(data, row), align);
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
        let valid = m.icmp(Icmp::Ne, m.load(lanes, self.data_row(data, 1), align), m.zero(lanes));
        let t = self.ty(if float { Type::F32 } else { Type::I32 }, self.lanes);
        let texel = std::array::from_fn(|c| m.load(t, self.data_row(data, RESULT_ROWS + c as u32), align));
        // There is a place for every component or they are the first ones, so alpha may be what it is.
        let texel = self.finished(facts, texel, texel[3]);
        let place = self.level_place(facts, facts);
        let reader = self.fact(facts, offset_of!(PlainTexture, reader));
        let help = self.block(c"stores.help");
        // Single bytes are for the engine.
        let kinds = readers(float).iter().copied().filter(|k| *k != TexelReader::Bytes12);
        self.by_reader(reader, kinds, help, |g, kind| {
            let words = g.encode_texel(decoded(kind).0, &texel);
            g.put_words(place.base, offset, &words, valid);
        });
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
        m.cond_br(self.all_lanes(m.and(valid, m.icmp(Icmp::Eq, offset, row))), quick, slow);
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
    pub fn finished(&self, facts: Val, out: [Val; 4], one: Val) -> [Val; 4] {
        let m = self.m;
        let swap = self.fact_is_set(facts, offset_of!(PlainTexture, swap));
        let alpha = self.fact_is_set(facts, offset_of!(PlainTexture, alpha));
        let [r, g, b, a] = out;
        [m.select(swap, b, r), g, m.select(swap, r, b), m.select(alpha, a, one)]
    }

    /// Branches by what reads texels: `f` makes the code for each of `kinds`, and `other` is for the rest. Gives what it made and the
    /// blocks that have it at their ends and lead to where the code goes on.
    fn by_reader<T>(
        &mut self,
        reader: Val,
        kinds: impl Iterator<Item = TexelReader>,
        other: Block,
        mut f: impl FnMut(&mut Self, TexelReader) -> T,
    ) -> Vec<(T, Block)> {
        let m = self.m;
        let (start, join) = (m.current(), self.block(c"readers.end"));
        let (mut made, mut cases) = (Vec::new(), Vec::new());
        for kind in kinds {
            let block = self.block(c"reader");
            cases.push((self.i32c(texel_reader_code(kind)), block));
            m.position(block);
            made.push((f(self, kind), m.current()));
            m.br(join);
        }
        m.position(start);
        m.switch(reader, other, &cases);
        m.position(join);
        made
    }

    /// The components of one texel per lane by whatever reads them; branches to `other` if that is none of `kinds`.
    pub fn texel_by_reader(
        &mut self,
        place: &LevelPlace,
        reader: Val,
        kinds: &[TexelReader],
        offset: Val,
        other: Block,
    ) -> [Val; 4] {
        let found = self.by_reader(reader, kinds.iter().copied(), other, |g, kind| g.texel(place, kind, offset));
        std::array::from_fn(|c| {
            let from: Vec<_> = found.iter().map(|(texel, block)| (texel[c], *block)).collect();
            self.m.phi(self.m.type_of(from[0].0), &from)
        })
    }

    /// The components of one texel per lane.
    fn texel(&mut self, place: &LevelPlace, reader: TexelReader, offset: Val) -> [Val; 4] {
        let m = self.m;
        let (format, words) = decoded(reader);
        let words: Vec<Val> = match reader {
            TexelReader::Bytes12 => {
                let offset = m.add(offset, self.splat(place.low_bits));
                let word = self.gather_parts(place.base, offset, m.ones(self.bool_lanes()));
                vec![m.and(word, self.splat(place.mask))]
            }
            TexelReader::Bytes4 | TexelReader::Single1 | TexelReader::Word1 => vec![self.near_words(place, offset)],
            TexelReader::Single4 | TexelReader::Half4 | TexelReader::Word4 => {
                // A load per lane, then columns from rows.
                let each = m.vector(m.int(32), words);
                let rows: Vec<Val> = (0..self.lanes)
                    .map(|l| {
                        let at = m.zext(m.extract(offset, self.i32c(l)), m.int(64));
                        m.load(each, m.byte_ptr(place.base, at), 4)
                    })
                    .collect();
                let rows = self.concat(&rows, words);
                (0..words).map(|w| self.pick(rows, self.lanes, w, words)).collect()
            }
        };
        self.decode_texel(format, &words)
    }

    /// Words at byte offsets, most often near each other: then out of two registers, which is faster than to gather them.
    fn near_words(&mut self, place: &LevelPlace, offset: Val) -> Val {
        const WINDOW: u32 = 32 * 4;
        let m = self.m;
        let t = self.ty(Type::I32, self.lanes);
        let all = m.ones(self.bool_lanes());
        if (self.opts.width, self.lanes) != (Width::W16, 16) {
            return self.gather(t, m.byte_ptr(place.base, offset), 4, all);
        }
        let i32t = m.int(32);
        let umin = |a: Val, b: Val| m.intrinsic("llvm.umin", &[i32t], &[a, b]);
        let first = umin(m.extract(offset, self.i32c(0)), m.extract(offset, self.i32c(15)));
        // Nothing is read behind the level.
        let window = self.i32c(WINDOW);
        let first = umin(first, m.intrinsic("llvm.usub.sat", &[i32t], &[place.end, window]));
        let within = m.sub(offset, self.splat(first));
        let near = m.icmp(Icmp::Ult, within, self.splat(window));
        let near = m.and(self.all_lanes(near), m.icmp(Icmp::Uge, place.end, window));
        let (quick, slow, end) = (self.block(c"near"), self.block(c"gather"), self.block(c"near.end"));
        m.cond_br(near, quick, slow);
        m.position(quick);
        let p = m.byte_ptr(place.base, m.zext(first, m.int(64)));
        let (low, high) = (m.load(t, p, 4), m.load(t, m.byte_ptr(p, self.i64c(64)), 4));
        let index = m.lshr(within, self.splat(self.i32c(2)));
        let picked = m.intrinsic("llvm.x86.avx512.vpermi2var.d.512", &[], &[low, index, high]);
        m.br(end);
        m.position(slow);
        let gathered = self.gather(t, m.byte_ptr(place.base, offset), 4, all);
        m.br(end);
        m.position(end);
        m.phi(t, &[(picked, quick), (gathered, slow)])
    }
}
