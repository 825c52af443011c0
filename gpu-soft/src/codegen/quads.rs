//! Several neighbouring words from each lane's own address: two, three or four at a time are moved as a whole, lane by lane, and
//! transposed. Gathers and scatters move one word at a time, and take about as long as a move for each lane.

use super::affine::Bases;
use super::gen::{Gen, Mask, Result};
use super::ir::{Block, Val};
use super::memory::{Piece, Place};
use compiler::sir::{Access, Addr, Type, Value};

/// Where the words of each lane begin.
pub enum Starts {
    /// One after the other, so many bytes apart.
    Evenly(Val, i64),
    /// Pointers in memory.
    Pointers(Val),
}

impl Gen<'_> {
    /// Whether so many values of a type go together.
    pub fn is_quad(&self, n: usize, ty: Type) -> bool {
        (2..=4).contains(&n) && matches!(ty, Type::I32 | Type::F32)
    }

    /// Where the words of lanes stand; code for the case that those of all active lanes are in bounds follows, and the block for the
    /// other case is given if there is one. Lanes that are not active are sent to `instead`.
    pub fn quad_starts(
        &mut self,
        place: &Place,
        bytes: u32,
        mask: Mask,
        instead: Val,
    ) -> Result<(Starts, Option<Block>)> {
        let m = self.m;
        let (ptrs, valid) = self.lane_pointers(place, 0, bytes, mask)?;
        let active = self.mask_val(mask);
        let checked = match place {
            Place::Uniform(piece, _) | Place::Strided { piece, .. } | Place::Lanes(piece, _) => piece.checks(bytes),
            Place::Buffers { size, .. } => size.is_some(),
        };
        let other = checked.then(|| {
            let (quick, other) = (self.block(c"quads"), self.block(c"words"));
            let missing = self.any(Mask::Val(self.to_mask(m.and(active, m.not(valid)))));
            m.likely_br(m.not(missing), quick, other);
            m.position(quick);
            other
        });
        let ptrs = if mask == Mask::Full { ptrs } else { m.select(active, ptrs, self.splat(instead)) };
        Ok((Starts::Pointers(self.spill_lanes(1, ptrs)), other))
    }

    pub fn quad_ptr(&self, starts: &Starts, lane: u32) -> Val {
        let m = self.m;
        match starts {
            Starts::Evenly(first, stride) => {
                m.byte_ptr(*first, self.i64c(i64::from(lane).wrapping_mul(*stride) as u64))
            }
            Starts::Pointers(ptrs) => m.load(m.ptr(), m.byte_ptr(*ptrs, self.i64c(u64::from(lane) * 8)), 8),
        }
    }

    /// Loads `n` words for each lane; a vector for each word.
    pub fn quad_load(&mut self, starts: &Starts, n: u32, ty: Type, align: u32) -> Vec<Val> {
        let m = self.m;
        let piece = m.vector(self.scalar_ty(ty), n);
        let widened = [0, 1, if n > 2 { 2 } else { -1 }, if n > 3 { 3 } else { -1 }];
        // As many lanes as fill a register.
        let each = self.lanes.min(self.opts.width.lanes());
        let mut words = vec![Vec::new(); n as usize];
        for first in (0..self.lanes).step_by(each as usize) {
            let pieces: Vec<Val> =
                (first..first + each).map(|lane| m.load(piece, self.quad_ptr(starts, lane), align)).collect();
            let columns: Vec<Val> = if n == 2 {
                // Two lanes beside each other fill a quarter of a row.
                let rows = [0, 2].map(|j| {
                    let pairs: Vec<Val> = pieces.chunks(4).map(|p| m.shuffle(p[j], p[j + 1], &[0, 1, 2, 3])).collect();
                    self.concat(&pairs, 4)
                });
                [[0, 2, 4, 6], [1, 3, 5, 7]].map(|p| self.by_quarters(rows[0], rows[1], each, p)).to_vec()
            } else {
                let quads: Vec<Val> = match n {
                    4 => pieces,
                    _ => pieces.iter().map(|v| m.shuffle(*v, m.poison(piece), &widened)).collect(),
                };
                let rows: Vec<Val> = (0..4)
                    .map(|j| self.concat(&quads.iter().skip(j).step_by(4).copied().collect::<Vec<_>>(), 4))
                    .collect();
                self.transpose(&rows, each).to_vec()
            };
            words.iter_mut().zip(columns).for_each(|(w, c)| w.push(c));
        }
        words.iter().map(|w| self.concat(w, each)).collect()
    }

    /// Stores words of each lane.
    pub fn quad_store(&mut self, starts: &Starts, words: &[Val], align: u32) {
        let m = self.m;
        let each = self.lanes.min(self.opts.width.lanes());
        let n = words.len() as i32;
        for first in (0..self.lanes).step_by(each as usize) {
            let mut columns: Vec<Val> = words.iter().map(|w| self.pick(*w, each, first, 1)).collect();
            columns.resize(4, m.poison(m.type_of(columns[0])));
            let rows = self.transpose(&columns, each);
            for lane in 0..each {
                let at = (lane / 4 * 4) as i32;
                let row = rows[lane as usize % 4];
                let v = m.shuffle(row, m.poison(m.type_of(row)), &(at..at + n).collect::<Vec<_>>());
                m.store(v, self.quad_ptr(starts, first + lane), align);
            }
        }
    }

    /// In each group of four elements of four vectors rows become columns.
    fn transpose(&self, rows: &[Val], lanes: u32) -> [Val; 4] {
        let low = |a: Val, b: Val| self.by_quarters(a, b, lanes, [0, 4, 1, 5]);
        let high = |a: Val, b: Val| self.by_quarters(a, b, lanes, [2, 6, 3, 7]);
        let (a, b) = (low(rows[0], rows[1]), high(rows[0], rows[1]));
        let (c, d) = (low(rows[2], rows[3]), high(rows[2], rows[3]));
        let first = |a: Val, b: Val| self.by_quarters(a, b, lanes, [0, 1, 4, 5]);
        let second = |a: Val, b: Val| self.by_quarters(a, b, lanes, [2, 3, 6, 7]);
        [first(a, c), second(a, c), first(b, d), second(b, d)]
    }

    /// Picks in each group of four elements from those of two vectors.
    fn by_quarters(&self, a: Val, b: Val, lanes: u32, pattern: [i32; 4]) -> Val {
        let n = lanes as i32;
        let of = |p: i32| if p < 4 { p } else { n + p - 4 };
        let indices: Vec<i32> = (0..n).map(|i| i / 4 * 4 + of(pattern[i as usize % 4])).collect();
        self.m.shuffle(a, b, &indices)
    }

    // ---- accesses at equal distances ----

    /// Whether words of lanes that stand at equal distances are moved lane by lane, as quads: lanes that are not active must be readable.
    #[allow(clippy::too_many_arguments)]
    pub fn evenly(
        &self,
        n: usize,
        ty: Type,
        piece: &Piece,
        first: &Bases,
        stride: i64,
        access: &Access,
        mask: Mask,
    ) -> bool {
        let readable = piece.base.is_some() && piece.size.is_some();
        let (n, ty) = self.in_words(n, ty, access).map_or((n, ty), |words| (words, Type::I32));
        self.is_quad(n, ty) && first.whole() && stride >= 4 * n as i64 && (mask == Mask::Full || readable)
    }

    /// Bytes from the first lane's words to the end of the last one's.
    fn even_span(&self, n: usize, stride: i64) -> u64 {
        stride as u64 * u64::from(self.lanes - 1) + 4 * n as u64
    }

    /// Where such an access of `n` words begins, and whether all of it is in bounds; `None`: it is.
    pub fn even_start(
        &mut self,
        n: usize,
        piece: &Piece,
        first: &Bases,
        stride: i64,
        guard: Option<Val>,
    ) -> (Starts, Option<Val>) {
        self.stats.strided += 1;
        let inside = self.all_inside(piece.check(4 * n as u64), first, self.even_span(n, stride));
        let starts = Starts::Evenly(self.ptr(piece, first.first()), stride);
        (starts, self.all_of(inside, guard))
    }

    #[allow(clippy::too_many_arguments)]
    pub fn even_load(
        &mut self,
        n: usize,
        addr: &Addr,
        piece: &Piece,
        first: &Bases,
        stride: i64,
        guard: Option<Val>,
        ty: Type,
        access: &Access,
        mask: Mask,
    ) -> Result<Vec<Val>> {
        let m = self.m;
        let align = Self::align(access, 4);
        let words = self.in_words(n, ty, access);
        let (starts, ok) = self.even_start(words.unwrap_or(n), piece, first, stride, guard);
        let load = |g: &mut Self| match words {
            Some(words) => {
                let words = g.quad_load(&starts, words as u32, Type::I32, align);
                g.split_words(&words, ty)
            }
            None => g.quad_load(&starts, n as u32, ty, align),
        };
        let Some(ok) = ok else { return Ok(load(self)) };
        let (quick, slow, end) = (self.block(c"load"), self.block(c"load.slow"), self.block(c"load.end"));
        m.likely_br(ok, quick, slow);
        m.position(quick);
        let quick = (load(self), m.current());
        m.br(end);
        m.position(slow);
        let off = self.lanes_of_place(piece, addr)?;
        let slow = (self.words_load(n, &Place::Lanes(*piece, off), ty, access, mask)?, m.current());
        m.br(end);
        m.position(end);
        Ok(self.either(&quick, &slow))
    }

    #[allow(clippy::too_many_arguments)]
    pub fn even_store(
        &mut self,
        values: &[Value],
        addr: &Addr,
        piece: &Piece,
        first: &Bases,
        stride: i64,
        guard: Option<Val>,
        ty: Type,
        access: &Access,
    ) -> Result<()> {
        let m = self.m;
        let vals = values.iter().map(|v| self.vector(*v)).collect::<Result<Vec<_>>>()?;
        let align = Self::align(access, 4);
        let vals = match self.in_words(values.len(), ty, access) {
            Some(_) => self.join_words(&vals, ty),
            None => vals,
        };
        let (starts, ok) = self.even_start(vals.len(), piece, first, stride, guard);
        let Some(ok) = ok else {
            self.quad_store(&starts, &vals, align);
            return Ok(());
        };
        let (quick, slow, end) = (self.block(c"store"), self.block(c"store.slow"), self.block(c"store.end"));
        m.likely_br(ok, quick, slow);
        m.position(quick);
        self.quad_store(&starts, &vals, align);
        m.br(end);
        m.position(slow);
        let off = self.lanes_of_place(piece, addr)?;
        self.words_store(values, &Place::Lanes(*piece, off), ty, access, Mask::Full)?;
        m.br(end);
        m.position(end);
        Ok(())
    }
}
