//! Loads and stores on buffers, global memory, workgroup memory and push constants.
//!
//! An access is uniform (one address), strided (address of lane 0, or of the first lane of each row, and a constant step) or
//! by lane. Strided ones are checked against the bounds as a whole and done with vector moves; if that fails, and for
//! those by lane, each lane is checked on its own: loads out of range give 0, stores there are dropped.

use super::affine::{Bases, Claim};
use super::gen::{Gen, Mask, Rep, Result};
use super::ir::{Block, Icmp, Ty, Val};
use super::linear::Near;
use super::streams::LINE;
use super::unsupported;
use crate::kernel_abi::{DispatchCtx, Width, PUSH_BYTES};
use compiler::sir::{Access, Addr, Type, Value};
use std::mem::offset_of;

/// A piece of memory that all lanes refer to.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Its start; offsets are addresses if there is none.
    pub base: Option<Val>,
    /// Its size as an i64, if accesses are checked against it.
    pub size: Option<Val>,
    /// Bytes known to follow every lane's offset inside of the piece: smaller accesses need no check.
    pub room: u64,
}

impl Piece {
    /// The size that accesses of that many bytes from each lane's offset must be checked against.
    pub fn check(&self, bytes: u64) -> Option<Val> {
        self.size.filter(|_| self.room < bytes)
    }

    /// Whether accesses of that many bytes must be checked.
    pub fn checks(&self, bytes: u32) -> bool {
        self.check(u64::from(bytes)).is_some()
    }
}

/// Offsets by lane.
#[derive(Clone, Copy, Debug)]
pub struct Offsets {
    /// i64.
    wide: Val,
    /// The same as indices, where that is possible.
    near: Option<Near>,
}

/// Where an access goes.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// One offset (i64) for all lanes.
    Uniform(Piece, Val),
    /// Offset of lane 0 (or of the first lane of each row) and step; perhaps only if a condition holds.
    Strided { piece: Piece, first: Bases, stride: i64, guard: Option<Val> },
    /// By lane.
    Lanes(Piece, Offsets),
    /// Addresses, sizes and offsets by lane.
    Buffers { addr: Val, size: Option<Val>, off: Val },
}

impl Gen<'_> {
    // ---- addresses ----

    /// Where an access goes. Private memory is not among the places.
    pub fn place(&mut self, addr: &Addr) -> Result<Place> {
        let m = self.m;
        match addr {
            Addr::Buffer { buf, off, imm } => {
                let unchecked = self.unchecked.contains(buf);
                match self.rep(*buf)? {
                    Rep::BufUni(base, size) => {
                        let piece = Piece {
                            base: Some(m.inttoptr(base, m.ptr())),
                            size: (!unchecked).then_some(size),
                            room: 0,
                        };
                        self.offsets(piece, *off, *imm as u64, Type::I64)
                    }
                    Rep::BufVec(addr, size) => {
                        let off = match off {
                            Some(o) => self.vector(*o)?,
                            None => self.splat(self.i64c(0)),
                        };
                        let off = m.add(off, self.splat(self.i64c(*imm as u64)));
                        Ok(Place::Buffers { addr, size: (!unchecked).then_some(size), off })
                    }
                    Rep::Uni(_) | Rep::Vec(..) => unsupported("access through something that is no buffer"),
                }
            }
            Addr::Global { addr, imm } => {
                let piece = Piece { base: None, size: None, room: 0 };
                self.offsets(piece, Some(*addr), *imm as u64, Type::I64)
            }
            Addr::Shared { off, imm } => {
                let size = u64::from(self.k.shared_size);
                let base = m.byte_ptr(self.arena, self.i64c(self.shared_at));
                let room = self.room(size, *off, *imm);
                let piece = Piece { base: Some(base), size: Some(self.i64c(size)), room };
                self.offsets(piece, *off, u64::from(*imm), Type::I32)
            }
            Addr::Push { off, imm } => {
                let base = match self.push {
                    Some(p) => p,
                    None => {
                        let p = self.in_setup(|g| {
                            let field = g.m.byte_ptr(g.ctx, g.i64c(offset_of!(DispatchCtx, push) as u64));
                            g.m.load(g.m.ptr(), field, 8)
                        });
                        self.push = Some(p);
                        p
                    }
                };
                let size = u64::from(PUSH_BYTES);
                let room = self.room(size, *off, *imm);
                let piece = Piece { base: Some(base), size: Some(self.i64c(size)), room };
                self.offsets(piece, *off, u64::from(*imm), Type::I32)
            }
            Addr::Slot { .. } => unsupported("this kind of access to private memory"),
        }
    }

    /// What is known to be left of a piece behind every lane's offset.
    fn room(&self, size: u64, off: Option<Value>, imm: u32) -> u64 {
        let top = match off {
            None => 0,
            Some(o) => match self.shapes.range(o) {
                Some(range) => range.hi,
                None => return 0,
            },
        };
        let top = top + u64::from(imm);
        // Sums beyond 32 bits wrap.
        if top > u64::from(u32::MAX) {
            return 0;
        }
        size.saturating_sub(top)
    }

    /// Offsets are added in the width of their type, then extended with zeros.
    fn offsets(&mut self, piece: Piece, off: Option<Value>, imm: u64, ty: Type) -> Result<Place> {
        let m = self.m;
        let t = self.scalar_ty(ty);
        let extend = |v: Val| if ty == Type::I32 { m.zext(v, m.int(64)) } else { v };
        let imm_scalar = m.iconst(t, imm & ty.mask());
        let Some(off) = off else { return Ok(Place::Uniform(piece, extend(imm_scalar))) };
        Ok(match self.rep(off)? {
            Rep::Uni(v) => Place::Uniform(piece, extend(m.add(v, imm_scalar))),
            Rep::Vec(_, Some(c)) if c.stride > 0 || (c.stride == 0 && !c.base.whole()) => {
                let first = c.base.map(|b| extend(m.add(b, imm_scalar)));
                Place::Strided { piece, first, stride: c.stride, guard: c.guard }
            }
            _ => Place::Lanes(piece, self.lane_offsets(&piece, off, imm, ty)?),
        })
    }

    fn lane_offsets(&mut self, piece: &Piece, off: Value, imm: u64, ty: Type) -> Result<Offsets> {
        let m = self.m;
        let v = self.lanes_anew(off)?;
        let v = m.add(v, self.konst(ty, self.lanes, imm & ty.mask()));
        Ok(if ty == Type::I32 {
            Offsets { wide: m.zext(v, m.vector(m.int(64), self.lanes)), near: Some(self.near_bytes(v)) }
        } else {
            Offsets { wide: v, near: self.near(piece, off, imm as i64)? }
        })
    }

    /// Offsets by lane of a strided place; to be emitted where they are needed.
    pub fn lanes_of_place(&mut self, piece: &Piece, addr: &Addr) -> Result<Offsets> {
        match addr {
            Addr::Buffer { off: Some(o), imm, .. } => self.lane_offsets(piece, *o, *imm as u64, Type::I64),
            Addr::Global { addr, imm } => self.lane_offsets(piece, *addr, *imm as u64, Type::I64),
            Addr::Shared { off: Some(o), imm } | Addr::Push { off: Some(o), imm } => {
                self.lane_offsets(piece, *o, u64::from(*imm), Type::I32)
            }
            _ => unsupported("offsets of a uniform access"),
        }
    }

    /// Offsets from here on are out of range for an access of that many bytes.
    pub fn limit(&self, size: Val, bytes: u64) -> Val {
        let m = self.m;
        let t = m.type_of(size);
        let less = m.iconst(m.int(64), bytes - 1);
        let less = if t == m.int(64) { less } else { self.splat(less) };
        m.intrinsic("llvm.usub.sat", &[t], &[size, less])
    }

    pub fn ptr(&self, piece: &Piece, off: Val) -> Val {
        match piece.base {
            Some(b) => self.m.byte_ptr(b, off),
            None => self.m.inttoptr(off, self.m.ptr()),
        }
    }

    fn ptrs(&self, piece: &Piece, off: Val) -> Val {
        match piece.base {
            Some(b) => self.m.byte_ptr(b, off),
            None => self.m.inttoptr(off, self.m.vector(self.m.ptr(), self.lanes)),
        }
    }

    // ---- vector accesses ----

    pub fn gather(&self, ty: Ty, ptrs: Val, align: u32, mask: Val) -> Val {
        let m = self.m;
        let t = m.type_of(ptrs);
        m.intrinsic("llvm.masked.gather", &[ty, t], &[ptrs, self.i32c(align), mask, m.zero(ty)])
    }

    pub fn scatter(&self, v: Val, ptrs: Val, align: u32, mask: Val) {
        let m = self.m;
        m.intrinsic("llvm.masked.scatter", &[m.type_of(v), m.type_of(ptrs)], &[v, ptrs, self.i32c(align), mask]);
    }

    fn masked_load(&self, ty: Ty, ptr: Val, align: u32, mask: Val) -> Val {
        let m = self.m;
        m.intrinsic("llvm.masked.load", &[ty, m.ptr()], &[ptr, self.i32c(align), mask, m.zero(ty)])
    }

    pub fn masked_store(&self, v: Val, ptr: Val, align: u32, mask: Val) {
        let m = self.m;
        m.intrinsic("llvm.masked.store", &[m.type_of(v), m.ptr()], &[v, ptr, self.i32c(align), mask]);
    }

    /// Whether vector stores under masks are slow. Before AVX-512 there are none of less than words, and those of words take as long
    /// as a dozen plain ones on some processors. Nearly always all lanes are active.
    pub fn masks_cost(&self) -> bool {
        self.opts.width != Width::W16
    }

    /// Begins code for the case that all lanes are active; the block for the other case.
    pub fn if_all(&self, mask: Mask) -> Block {
        let (whole, some) = (self.block(c"whole"), self.block(c"some"));
        self.m.cond_br(self.all_lanes(self.mask_val(mask)), whole, some);
        self.m.position(whole);
        some
    }

    /// The lanes that `r`-th base of a strided access is for, of all lanes.
    pub fn lanes_of_base(&self, v: Val, first: &Bases, r: usize) -> Val {
        if first.whole() {
            return v;
        }
        let n = self.per_row();
        self.pick(v, n, r as u32 * n, 1)
    }

    pub fn align(access: &Access, bytes: u32) -> u32 {
        access.align.clamp(1, bytes.max(1))
    }

    // ---- load ----

    pub fn load(&mut self, results: &[Value], addr: &Addr, access: &Access, mask: Mask) -> Result<()> {
        let ty = self.k.ty(results[0]);
        let place = self.place(addr)?;
        let single = access.atomic || access.volatile;
        if let Some(v) = self.load_ahead(results[0], addr, &place, access, mask)? {
            return self.set(results[0], Rep::Vec(v, None));
        }
        let loaded = match place {
            Place::Uniform(piece, off) => {
                self.stats.uniform += 1;
                let mut out = Vec::new();
                for (i, &r) in results.iter().enumerate() {
                    let v = self.uniform_load(&piece, off, i, ty, access);
                    out.push(if self.uniform_form(r) { Rep::Uni(v) } else { Rep::Vec(self.splat(v), None) });
                }
                out
            }
            Place::Strided { piece, first, stride, guard } => {
                let bytes = i64::from(ty.bytes());
                let n = results.len() as i64;
                let step = stride / bytes.max(1);
                let fits = stride > 0 && stride % bytes == 0 && step >= n && (step <= 4 || step == n) && n <= 4;
                let checked = piece.base.is_some() && piece.size.is_some();
                if stride == 0 && guard.is_none() {
                    self.stats.uniform += 1;
                    // Where nothing else keeps a row without active lanes from being read.
                    let there = if checked { Vec::new() } else { self.rows_there(mask) };
                    let mut out = Vec::new();
                    for i in 0..results.len() {
                        let mut rows = Vec::new();
                        for (r, &at) in first.all().iter().enumerate() {
                            rows.push(self.uniform_load_if(&piece, at, i, ty, access, there.get(r).copied()));
                        }
                        out.push(Rep::Vec(self.row_lanes(&rows), None));
                    }
                    out
                } else if fits
                    && (step == 1
                        || (!single
                            && (checked || self.spreads(mask, step == n, self.lanes_per_base(&first) * step as u32))))
                {
                    let n = results.len();
                    let mut vals = self.strided_load(n, addr, &piece, &first, step as u32, guard, ty, access, mask)?;
                    // What is behind the elements is the whole of them.
                    let wholes = vals.split_off(n);
                    if !wholes.is_empty() {
                        self.wholes.note(results, wholes);
                    }
                    vals.into_iter().map(|v| Rep::Vec(v, None)).collect()
                } else if !single && self.evenly(results.len(), ty, &piece, &first, stride, access, mask) {
                    let vals = self.even_load(results.len(), addr, &piece, &first, stride, guard, ty, access, mask)?;
                    vals.into_iter().map(|v| Rep::Vec(v, None)).collect()
                } else {
                    let off = self.lanes_of_place(&piece, addr)?;
                    self.lane_load(results.len(), Place::Lanes(piece, off), ty, access, mask)?
                }
            }
            Place::Lanes(..) | Place::Buffers { .. } => self.lane_load(results.len(), place, ty, access, mask)?,
        };
        for (&r, rep) in results.iter().zip(loaded) {
            let rep = match rep {
                // Uniform addresses that are held as lanes.
                Rep::Vec(v, _) if self.uniform_form(r) => {
                    let lane = self.first_lane(mask);
                    Rep::Uni(self.m.extract(v, lane))
                }
                rep => rep,
            };
            self.set(r, rep)?;
        }
        Ok(())
    }

    /// Per row whether it has active lanes; nothing if all have.
    fn rows_there(&self, mask: Mask) -> Vec<Val> {
        let m = self.m;
        if mask == Mask::Full {
            return Vec::new();
        }
        let (bits, n) = (self.bits(self.mask_val(mask)), self.per_row());
        let t = self.bits_ty();
        let row = u64::MAX >> (64 - n);
        (0..self.rows).map(|r| m.icmp(Icmp::Ne, m.and(bits, m.iconst(t, row << (r * n))), m.zero(t))).collect()
    }

    fn uniform_load(&mut self, piece: &Piece, off: Val, i: usize, ty: Type, access: &Access) -> Val {
        self.uniform_load_if(piece, off, i, ty, access, None)
    }

    /// The load of one address, or 0 where it must not be read.
    fn uniform_load_if(
        &mut self,
        piece: &Piece,
        off: Val,
        i: usize,
        ty: Type,
        access: &Access,
        there: Option<Val>,
    ) -> Val {
        let m = self.m;
        let bytes = ty.bytes();
        let off = m.add(off, self.i64c(i as u64 * u64::from(bytes)));
        let align = Self::align(access, bytes);
        let t = self.scalar_ty(ty);
        let p = self.ptr(piece, off);
        let p = match piece.check((i as u64 + 1) * u64::from(bytes)) {
            Some(size) => {
                let inside = m.icmp(Icmp::Ult, off, self.limit(size, u64::from(bytes)));
                m.select(inside, p, self.zeros())
            }
            None => p,
        };
        let p = match there {
            Some(there) => m.select(there, p, self.zeros()),
            None => p,
        };
        if access.atomic && align == bytes {
            let int = m.int(ty.bits());
            let v = m.atomic_load(int, p, align);
            return if int == t { v } else { m.bitcast(v, t) };
        }
        let v = m.load(t, p, align);
        if access.volatile || access.atomic {
            m.set_volatile(v);
        }
        v
    }

    /// `step` is the distance of lanes in elements.
    #[allow(clippy::too_many_arguments)]
    fn strided_load(
        &mut self,
        n: usize,
        addr: &Addr,
        piece: &Piece,
        first: &Bases,
        step: u32,
        guard: Option<Val>,
        ty: Type,
        access: &Access,
        mask: Mask,
    ) -> Result<Vec<Val>> {
        let m = self.m;
        let bytes = u64::from(ty.bytes());
        let lanes = self.lanes_per_base(first);
        let total = lanes * step;
        let span = bytes * u64::from(total);
        if step == 1 {
            self.stats.contiguous += 1;
        } else {
            self.stats.strided += 1;
        }
        let align = Self::align(access, ty.bytes());
        let wide = m.vector(self.scalar_ty(ty), total);
        // Memory that is not checked may be read for active lanes only, and not behind the last element.
        let checked = piece.base.is_some() && piece.size.is_some();
        let masked = !checked && (mask != Mask::Full || step != n as u32);
        let keep = step > 1 && step == n as u32 && self.wholes.wanted();
        let read = |g: &Self, masks: &[Val]| {
            let mut parts = vec![Vec::new(); n];
            let mut wholes = Vec::new();
            for (r, &at) in first.all().iter().enumerate() {
                let p = g.ptr(piece, at);
                let v = if let Some(mask) = masks.get(r) {
                    g.masked_load(wide, p, align, *mask)
                } else {
                    let v = m.load(wide, p, align);
                    if access.atomic || access.volatile {
                        m.set_volatile(v);
                    }
                    v
                };
                for (i, part) in parts.iter_mut().enumerate() {
                    part.push(if step == 1 { v } else { g.pick(v, lanes, i as u32, step) });
                }
                if keep {
                    wholes.push(v);
                }
            }
            parts.iter().map(|p| g.concat(p, lanes)).chain(wholes).collect::<Vec<Val>>()
        };
        // There are masked loads of words in AVX, but no others.
        let costly = self.masks_cost() && (ty.bits() < 32 || self.opts.width == Width::W4) && step == n as u32;
        let fast = |g: &Self| {
            if !masked {
                return read(g, &[]);
            }
            let masks = |g: &Self| g.spread_masks(mask, first, n as u32, step);
            if !costly {
                return read(g, &masks(g));
            }
            let end = g.block(c"loaded");
            let some = g.if_all(mask);
            let whole = (read(g, &[]), m.current());
            m.br(end);
            m.position(some);
            let some = (read(g, &masks(g)), m.current());
            m.br(end);
            m.position(end);
            g.either(&whole, &some)
        };
        let inside = self.all_inside(piece.check(bytes * u64::from(step)), first, span);
        let Some(ok) = self.all_of(inside, guard) else { return Ok(fast(self)) };
        let (quick, slow, end) = (self.block(c"load"), self.block(c"load.slow"), self.block(c"load.end"));
        m.likely_br(ok, quick, slow);
        m.position(quick);
        let quick_vals = fast(self);
        let quick_end = m.current();
        m.br(end);
        m.position(slow);
        let off = self.lanes_of_place(piece, addr)?;
        let mut slow_vals: Vec<Val> = self.words_load(n, &Place::Lanes(*piece, off), ty, access, mask)?;
        if keep {
            for r in 0..first.all().len() {
                let parts: Vec<Val> = slow_vals[..n].iter().map(|v| self.lanes_of_base(*v, first, r)).collect();
                slow_vals.push(self.interleave(&parts, lanes, step));
            }
        }
        let slow_end = m.current();
        m.br(end);
        m.position(end);
        Ok(self.either(&(quick_vals, quick_end), &(slow_vals, slow_end)))
    }

    /// How many lanes each base of a strided access stands for.
    pub fn lanes_per_base(&self, first: &Bases) -> u32 {
        if first.whole() {
            self.lanes
        } else {
            self.per_row()
        }
    }

    /// Whether `span` bytes from each base are inside of a size, if that is to be checked.
    pub fn all_inside(&self, size: Option<Val>, first: &Bases, span: u64) -> Option<Val> {
        let m = self.m;
        let limit = self.limit(size?, span);
        first.all().iter().map(|f| m.icmp(Icmp::Ult, *f, limit)).reduce(|a, b| m.and(a, b))
    }

    fn lane_load(&mut self, n: usize, place: Place, ty: Type, access: &Access, mask: Mask) -> Result<Vec<Rep>> {
        self.stats.gathers += 1;
        let vals = self.lane_load_vals(n, place, ty, access, mask)?;
        Ok(vals.into_iter().map(|v| Rep::Vec(v, None)).collect())
    }

    /// The condition that strided accesses are as they look, where there is one.
    pub fn all_of(&self, inside: Option<Val>, guard: Option<Val>) -> Option<Val> {
        match (inside, guard) {
            (None, x) | (x, None) => x,
            (Some(a), Some(b)) => Some(self.m.and(a, b)),
        }
    }

    /// What one of two blocks has made.
    pub fn either(&self, a: &(Vec<Val>, Block), b: &(Vec<Val>, Block)) -> Vec<Val> {
        let both = a.0.iter().zip(&b.0);
        both.map(|(x, y)| self.m.phi(self.m.type_of(*x), &[(*x, a.1), (*y, b.1)])).collect()
    }

    fn lane_load_vals(&mut self, n: usize, place: Place, ty: Type, access: &Access, mask: Mask) -> Result<Vec<Val>> {
        if let Some(words) = self.in_words(n, ty, access) {
            return self.narrow_load(n, words, &place, ty, access, mask);
        }
        if !self.is_quad(n, ty) || access.atomic || access.volatile {
            return self.words_load(n, &place, ty, access, mask);
        }
        let m = self.m;
        let zeros = self.zeros();
        let (starts, other) = self.quad_starts(&place, 4 * n as u32, mask, zeros)?;
        let quick = (self.quad_load(&starts, n as u32, ty, Self::align(access, 4)), m.current());
        let Some(other) = other else { return Ok(quick.0) };
        let end = self.block(c"quads.end");
        m.br(end);
        m.position(other);
        let slow = (self.words_load(n, &place, ty, access, mask)?, m.current());
        m.br(end);
        m.position(end);
        Ok(self.either(&quick, &slow))
    }

    /// Word after word.
    pub fn words_load(&mut self, n: usize, place: &Place, ty: Type, access: &Access, mask: Mask) -> Result<Vec<Val>> {
        let t = self.ty(ty, self.lanes);
        let align = Self::align(access, ty.bytes());
        let mut out = Vec::new();
        for i in 0..n {
            let (ptrs, valid) = self.lane_pointers(place, i as u64 * u64::from(ty.bytes()), ty.bytes(), mask)?;
            out.push(if access.atomic || access.volatile {
                self.each_lane_load(ty, ptrs, align, valid, access.atomic)
            } else {
                self.gather(t, ptrs, align, valid)
            });
        }
        Ok(out)
    }

    /// Pointers by lane, `extra` bytes further, and which of them may be accessed.
    pub fn lane_pointers(&mut self, place: &Place, extra: u64, bytes: u32, mask: Mask) -> Result<(Val, Val)> {
        let m = self.m;
        let further = self.splat(self.i64c(extra));
        Ok(match place {
            Place::Lanes(piece, offsets) => {
                let off = m.add(offsets.wide, further);
                let valid = match piece.check(extra + u64::from(bytes)) {
                    Some(size) => {
                        let inside = offsets.near.as_ref().and_then(|n| self.near_inside(n, size, bytes, extra));
                        let inside = inside.unwrap_or_else(|| {
                            let limit = self.limit(size, u64::from(bytes));
                            m.icmp(Icmp::Ult, off, self.splat(limit))
                        });
                        self.mask_and(mask, inside)
                    }
                    None => mask,
                };
                let ptrs = match &offsets.near {
                    Some(near) => self.near_ptrs(piece, near, extra),
                    None => self.ptrs(piece, off),
                };
                (ptrs, self.mask_val(valid))
            }
            Place::Buffers { addr, size, off } => {
                let off = m.add(*off, further);
                let valid = match size {
                    Some(size) => {
                        let limit = self.limit(*size, u64::from(bytes));
                        self.mask_and(mask, m.icmp(Icmp::Ult, off, limit))
                    }
                    None => mask,
                };
                let ptrs = m.inttoptr(m.add(*addr, off), m.vector(m.ptr(), self.lanes));
                (ptrs, self.mask_val(valid))
            }
            Place::Uniform(piece, off) => {
                let place = Place::Lanes(*piece, Offsets { wide: self.splat(*off), near: None });
                return self.lane_pointers(&place, 0, bytes, mask);
            }
            Place::Strided { piece, first, stride, .. } => {
                // Only for callers that asked for offsets by lane before.
                let claim = Claim { base: *first, stride: *stride, guard: None };
                let wide = self.claimed_lanes(Type::I64, &claim);
                let place = Place::Lanes(*piece, Offsets { wide, near: None });
                return self.lane_pointers(&place, 0, bytes, mask);
            }
        })
    }

    /// As `place`, with offsets by lane unless the address is uniform.
    pub fn place_by_lane(&mut self, addr: &Addr) -> Result<Place> {
        Ok(match self.place(addr)? {
            Place::Strided { piece, .. } => Place::Lanes(piece, self.lanes_of_place(&piece, addr)?),
            place => place,
        })
    }

    // ---- store ----

    pub fn store(&mut self, values: &[Value], addr: &Addr, access: &Access, mask: Mask) -> Result<()> {
        if matches!(addr, Addr::Push { .. }) {
            return Ok(());
        }
        let ty = self.k.ty(values[0]);
        let place = self.place(addr)?;
        match place {
            Place::Uniform(piece, off) => {
                self.stats.uniform += 1;
                self.uniform_store(values, &piece, off, ty, access, mask)
            }
            Place::Strided { piece, first, stride, guard } => {
                let bytes = i64::from(ty.bytes());
                let n = values.len() as i64;
                let step = stride / bytes.max(1);
                let fits = stride > 0 && stride % bytes == 0 && n <= step && (step <= 4 || step == n) && n <= 4;
                let single = access.atomic || access.volatile;
                if fits
                    && (step == 1
                        || (!single && self.spreads(mask, step == n, self.lanes_per_base(&first) * step as u32)))
                {
                    self.strided_store(values, addr, &piece, &first, step as u32, guard, ty, access, mask)
                } else if !single
                    && mask == Mask::Full
                    && self.evenly(values.len(), ty, &piece, &first, stride, access, mask)
                {
                    self.even_store(values, addr, &piece, &first, stride, guard, ty, access)
                } else {
                    let off = self.lanes_of_place(&piece, addr)?;
                    self.stats.gathers += 1;
                    self.lane_store(values, Place::Lanes(piece, off), ty, access, mask)
                }
            }
            Place::Lanes(..) | Place::Buffers { .. } => {
                self.stats.gathers += 1;
                self.lane_store(values, place, ty, access, mask)
            }
        }
    }

    /// One address for all lanes: the last active lane's value stays.
    fn uniform_store(
        &mut self,
        values: &[Value],
        piece: &Piece,
        off: Val,
        ty: Type,
        access: &Access,
        mask: Mask,
    ) -> Result<()> {
        let m = self.m;
        let bytes = ty.bytes();
        let align = Self::align(access, bytes);
        for (i, &value) in values.iter().enumerate() {
            let v = if self.is_uniform(value) {
                self.scalar(value)?
            } else {
                let lane = self.last_lane(mask);
                m.extract(self.vector(value)?, lane)
            };
            let off = m.add(off, self.i64c(i as u64 * u64::from(bytes)));
            let p = self.ptr(piece, off);
            let p = match piece.check((i as u64 + 1) * u64::from(bytes)) {
                Some(size) => {
                    let inside = m.icmp(Icmp::Ult, off, self.limit(size, u64::from(bytes)));
                    let waste = self.scratch(0, m.int(64));
                    m.select(inside, p, waste)
                }
                None => p,
            };
            if access.atomic && align == bytes {
                let int = m.int(ty.bits());
                let v = if self.scalar_ty(ty) == int { v } else { m.bitcast(v, int) };
                m.atomic_store(v, p, align);
            } else {
                m.store(v, p, align);
            }
        }
        Ok(())
    }

    fn last_lane(&self, mask: Mask) -> Val {
        match mask {
            Mask::Full | Mask::Empty => self.i32c(self.lanes - 1),
            Mask::Val(v) => {
                let m = self.m;
                let falsy = m.iconst(m.int(1), 0);
                let t = self.bits_ty();
                let zeros = m.intrinsic("llvm.ctlz", &[t], &[self.bits(self.to_bools(v)), falsy]);
                let zeros = if self.lanes > 32 { m.trunc(zeros, m.int(32)) } else { zeros };
                m.and(m.sub(self.i32c(self.lanes.max(32) - 1), zeros), self.i32c(self.lanes - 1))
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn strided_store(
        &mut self,
        values: &[Value],
        addr: &Addr,
        piece: &Piece,
        first: &Bases,
        step: u32,
        guard: Option<Val>,
        ty: Type,
        access: &Access,
        mask: Mask,
    ) -> Result<()> {
        let m = self.m;
        let n = values.len() as u32;
        let lanes = self.lanes_per_base(first);
        let span = u64::from(ty.bytes()) * u64::from((lanes - 1) * step + n);
        if step == 1 {
            self.stats.contiguous += 1;
        } else {
            self.stats.strided += 1;
        }
        let align = Self::align(access, ty.bytes());
        let vals = values.iter().map(|v| self.vector(*v)).collect::<Result<Vec<_>>>()?;
        let whole = if n > 1 && step == n { self.whole(values, first.all().len(), lanes * step)? } else { None };
        let inside = self.all_inside(piece.check(u64::from(ty.bytes()) * u64::from(n)), first, span);
        let ok = self.all_of(inside, guard);
        let end = self.block(c"store.end");
        let slow = self.block(c"store.slow");
        if let Some(ok) = ok {
            let quick = self.block(c"store");
            m.likely_br(ok, quick, slow);
            m.position(quick);
        }
        let put = |g: &Self, masks: &[Val], past_caches: bool| {
            for (r, &at) in first.all().iter().enumerate() {
                let p = g.ptr(piece, at);
                let wide = match &whole {
                    Some(whole) => whole[r],
                    None => {
                        let parts: Vec<Val> = vals.iter().map(|v| g.lanes_of_base(*v, first, r)).collect();
                        g.interleave(&parts, lanes, step)
                    }
                };
                match masks.get(r) {
                    None if past_caches => m.stream_store(wide, p, LINE),
                    None => m.store(wide, p, align),
                    Some(mask) => g.masked_store(wide, p, align, *mask),
                }
            }
        };
        if step == n {
            let addresses: Vec<Val> = first.all().iter().map(|at| self.ptr(piece, *at)).collect();
            if let Some(past) = self.past_caches(addr, access, ty.bytes() * lanes * step, &addresses) {
                let past = match mask {
                    Mask::Full => past,
                    _ => m.and(past, self.all_lanes(self.mask_val(mask))),
                };
                let (stream, keep) = (self.block(c"store.stream"), self.block(c"store.keep"));
                m.cond_br(past, stream, keep);
                m.position(stream);
                put(self, &[], true);
                m.br(end);
                m.position(keep);
            }
        }
        // Memory between the elements of different lanes must not be written.
        let masked = mask != Mask::Full || step != n;
        if masked && step == n && self.masks_cost() {
            let some = self.if_all(mask);
            put(self, &[], false);
            m.br(end);
            m.position(some);
        }
        let masks = if masked { self.spread_masks(mask, first, n, step) } else { Vec::new() };
        put(self, &masks, false);
        m.br(end);
        m.position(slow);
        if ok.is_some() {
            let off = self.lanes_of_place(piece, addr)?;
            self.words_store(values, &Place::Lanes(*piece, off), ty, access, mask)?;
        }
        m.br(end);
        m.position(end);
        Ok(())
    }

    fn lane_store(&mut self, values: &[Value], place: Place, ty: Type, access: &Access, mask: Mask) -> Result<()> {
        let n = values.len();
        if let Some(words) = self.in_words(n, ty, access) {
            return self.narrow_store(values, words, &place, ty, access, mask);
        }
        if !self.is_quad(n, ty) || access.atomic || access.volatile {
            return self.words_store(values, &place, ty, access, mask);
        }
        let m = self.m;
        let vals = values.iter().map(|v| self.vector(*v)).collect::<Result<Vec<_>>>()?;
        let waste = self.scratch(6, m.vector(m.int(32), 4));
        let (starts, other) = self.quad_starts(&place, 4 * n as u32, mask, waste)?;
        self.quad_store(&starts, &vals, Self::align(access, 4));
        let Some(other) = other else { return Ok(()) };
        let end = self.block(c"quads.end");
        m.br(end);
        m.position(other);
        self.words_store(values, &place, ty, access, mask)?;
        m.br(end);
        m.position(end);
        Ok(())
    }

    /// Word after word.
    pub fn words_store(
        &mut self,
        values: &[Value],
        place: &Place,
        ty: Type,
        access: &Access,
        mask: Mask,
    ) -> Result<()> {
        let align = Self::align(access, ty.bytes());
        for (i, &value) in values.iter().enumerate() {
            let v = self.vector(value)?;
            let (ptrs, valid) = self.lane_pointers(place, i as u64 * u64::from(ty.bytes()), ty.bytes(), mask)?;
            if access.atomic {
                self.each_lane_store(ty, v, ptrs, align, valid);
            } else {
                self.scatter(v, ptrs, align, valid);
            }
        }
        Ok(())
    }
}
