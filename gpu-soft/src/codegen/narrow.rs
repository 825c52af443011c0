//! Neighbouring elements of less than a word at addresses by lane. Processors gather and scatter words and nothing smaller; elements that fill
//! words are moved as words, lane by lane, whatever they are aligned to.

use super::gen::{Gen, Mask, Result};
use super::ir::Val;
use super::memory::Place;
use super::quads::Starts;
use compiler::sir::{Access, Type, Value};

impl Gen<'_> {
    /// How many words, up to four, so many neighbouring elements of less than a word fill, if they fill words and are moved as a whole.
    pub fn in_words(&self, n: usize, ty: Type, access: &Access) -> Option<usize> {
        let bytes = n * ty.bytes() as usize;
        let whole = !access.atomic && !access.volatile;
        let narrow = matches!(ty, Type::I8 | Type::I16 | Type::F16);
        (narrow && whole && bytes.is_multiple_of(4) && bytes <= 16).then_some(bytes / 4)
    }

    /// The integer type of the bits of an element.
    fn element_bits_ty(&self, ty: Type) -> Type {
        if ty == Type::I8 {
            Type::I8
        } else {
            Type::I16
        }
    }

    /// The elements that words consist of.
    pub fn split_words(&self, words: &[Val], ty: Type) -> Vec<Val> {
        let m = self.m;
        let bits = self.ty(self.element_bits_ty(ty), self.lanes);
        let per = 4 / ty.bytes();
        let mut out = Vec::new();
        for &word in words {
            for i in 0..per {
                let low = if i == 0 { word } else { m.lshr(word, self.splat(self.i32c(i * 8 * ty.bytes()))) };
                out.push(m.bitcast(m.trunc(low, bits), self.ty(ty, self.lanes)));
            }
        }
        out
    }

    /// The words that elements make.
    pub fn join_words(&self, elements: &[Val], ty: Type) -> Vec<Val> {
        let m = self.m;
        let bits = self.ty(self.element_bits_ty(ty), self.lanes);
        let i32s = self.ty(Type::I32, self.lanes);
        let per = 4 / ty.bytes() as usize;
        let word = |parts: &[Val]| {
            let part = |(i, v): (usize, &Val)| {
                let v = m.zext(m.bitcast(*v, bits), i32s);
                if i == 0 {
                    v
                } else {
                    m.shl(v, self.splat(self.i32c(i as u32 * 8 * ty.bytes())))
                }
            };
            parts.iter().enumerate().map(part).reduce(|a, b| m.or(a, b))
        };
        elements.chunks(per).filter_map(word).collect()
    }

    /// Loads elements that fill words: as words, where all of those are in bounds.
    pub fn narrow_load(
        &mut self,
        n: usize,
        words: usize,
        place: &Place,
        ty: Type,
        access: &Access,
        mask: Mask,
    ) -> Result<Vec<Val>> {
        let m = self.m;
        let bytes = 4 * words as u32;
        let zeros = self.zeros();
        let (starts, other) = self.quad_starts(place, bytes, mask, zeros)?;
        let align = Self::align(access, 4);
        let loaded = if words == 1 {
            vec![self.load_lanes(&starts, Type::I32, align)]
        } else {
            self.quad_load(&starts, words as u32, Type::I32, align)
        };
        let quick = (self.split_words(&loaded, ty), m.current());
        let Some(other) = other else { return Ok(quick.0) };
        let end = self.block(c"narrow.end");
        m.br(end);
        m.position(other);
        let slow = (self.words_load(n, place, ty, access, mask)?, m.current());
        m.br(end);
        m.position(end);
        Ok(self.either(&quick, &slow))
    }

    /// Stores elements that fill words.
    pub fn narrow_store(
        &mut self,
        values: &[Value],
        words: usize,
        place: &Place,
        ty: Type,
        access: &Access,
        mask: Mask,
    ) -> Result<()> {
        let m = self.m;
        let vals = values.iter().map(|v| self.vector(*v)).collect::<Result<Vec<_>>>()?;
        let joined = self.join_words(&vals, ty);
        let bytes = 4 * words as u32;
        let waste = self.scratch(6, m.vector(m.int(32), 4));
        let (starts, other) = self.quad_starts(place, bytes, mask, waste)?;
        let align = Self::align(access, 4);
        if words == 1 {
            self.store_lanes(&starts, joined[0], align);
        } else {
            self.quad_store(&starts, &joined, align);
        }
        let Some(other) = other else { return Ok(()) };
        let end = self.block(c"narrow.end");
        m.br(end);
        m.position(other);
        self.words_store(values, place, ty, access, mask)?;
        m.br(end);
        m.position(end);
        Ok(())
    }

    /// A value for each lane.
    fn load_lanes(&self, starts: &Starts, ty: Type, align: u32) -> Val {
        let m = self.m;
        let mut all = m.poison(self.ty(ty, self.lanes));
        for lane in 0..self.lanes {
            let v = m.load(self.scalar_ty(ty), self.quad_ptr(starts, lane), align);
            all = m.insert(all, v, self.i32c(lane));
        }
        all
    }

    fn store_lanes(&self, starts: &Starts, v: Val, align: u32) {
        let m = self.m;
        for lane in 0..self.lanes {
            m.store(m.extract(v, self.i32c(lane)), self.quad_ptr(starts, lane), align);
        }
    }
}
