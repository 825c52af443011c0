//! Constants: in registers, and as operands in memory. What the bytes of one are is found out once.

use super::asm::{Asm, Enc, Mem, Pooled, Rm, Vex, RAX};
use super::regs::{Class, Regs, LOAD};
use super::Refused;
use crate::codegen::ir::{Const, State, TyKind, Val};

/// How a part of a constant gets into a vector register.
#[derive(Clone, Copy)]
enum Form {
    Zero,
    Ones,
    /// All elements of 32 bits are the same.
    Words(Pooled),
    /// All elements of 64 bits are the same.
    Longs(Pooled),
    Whole(Pooled),
}

/// A part of a constant as a last operand: elements of how many bits, and whether there is only one of them.
#[derive(Clone, Copy)]
struct Operand {
    bits: u32,
    pooled: Option<(Pooled, bool)>,
}

/// What has been found out about a part of a constant.
#[derive(Clone, Copy, Default)]
struct Known {
    form: Option<Form>,
    operand: Option<Operand>,
}

/// What has been found out about constants.
pub struct Constants {
    /// By value, the first of its parts in `parts`; none yet if negative.
    places: Vec<i32>,
    parts: Vec<Known>,
}

impl Constants {
    pub fn new(s: &State) -> Constants {
        Constants { places: vec![-1; s.vals.len()], parts: Vec::new() }
    }
}

impl Regs<'_> {
    /// Bytes of a read-only global, padded to a vector.
    pub fn global(&self, content: Val) -> Vec<u8> {
        let mut out = Vec::new();
        if let (Some(Const::Array(words)), TyKind::Array(e, _)) =
            (self.s.constant(content), self.s.what(self.s.ty(content)))
        {
            let bytes = (self.s.bits(*e) / 8) as usize;
            words.iter().for_each(|w| out.extend_from_slice(&w.to_le_bytes()[..bytes]));
        }
        // Constants of four and eight bytes are aligned less.
        out.resize(out.len().next_multiple_of(64).max(64), 0);
        out
    }

    /// Bytes of a part of a vector constant.
    fn bytes(&self, v: Val, k: &Const, part: u16) -> Vec<u8> {
        let (e, _) = self.s.shape(self.s.ty(v));
        let bytes = (self.s.bits(e) / 8).max(1) as usize;
        let per = 64 / bytes;
        let mut out = Vec::with_capacity(64);
        for i in 0..per {
            let lane = usize::from(part) * per + i;
            let bits = match k {
                Const::Splat(x) => *x,
                // Above a scalar anything may stand.
                Const::Scalar(x) => *x,
                Const::Lanes(l) => l.get(lane).copied().unwrap_or(0),
                Const::Poison | Const::Array(_) => 0,
            };
            out.extend_from_slice(&bits.to_le_bytes()[..bytes]);
        }
        out
    }

    /// What is known of a part of a constant.
    fn known(&mut self, v: Val, part: u16) -> &mut Known {
        let parts = usize::from(self.class_of(v).1);
        let Constants { places, parts: all } = &mut self.constants;
        let place = &mut places[v.0 as usize];
        if *place < 0 {
            *place = all.len() as i32;
            all.resize(all.len() + parts, Known::default());
        }
        &mut all[*place as usize + usize::from(part)]
    }

    /// A part of a constant of vectors as an operand in memory, for elements of so many bits, and whether it is one element for all
    /// lanes; `None` if it is zero.
    pub fn operand(&mut self, a: &mut Asm, v: Val, part: u16, bits: u32) -> Option<(Pooled, bool)> {
        if let Some(known) = self.known(v, part).operand.filter(|o| o.bits == bits) {
            return known.pooled;
        }
        let bytes = self.bytes(v, self.s.constant(v)?, part);
        let each = (bits / 8) as usize;
        let pooled = if bytes.iter().all(|b| *b == 0) {
            None
        } else if each >= 4 && bytes.chunks(each).all(|c| *c == bytes[..each]) {
            Some((a.constant(&bytes[..each]), true))
        } else {
            Some((a.constant(&bytes), false))
        };
        self.known(v, part).operand = Some(Operand { bits, pooled });
        pooled
    }

    /// How a part of a constant gets into a vector register.
    fn form(&mut self, a: &mut Asm, v: Val, k: &Const, part: u16) -> Form {
        if let Some(form) = self.known(v, part).form {
            return form;
        }
        let bytes = self.bytes(v, k, part);
        let form = if bytes.iter().all(|b| *b == 0) {
            Form::Zero
        } else if bytes.iter().all(|b| *b == 0xff) {
            Form::Ones
        } else if bytes[4..].chunks(4).all(|c| *c == bytes[..4]) {
            Form::Words(a.constant(&bytes[..4]))
        } else if bytes[8..].chunks(8).all(|c| *c == bytes[..8]) {
            Form::Longs(a.constant(&bytes[..8]))
        } else {
            Form::Whole(a.constant(&bytes))
        };
        self.known(v, part).form = Some(form);
        form
    }

    /// A register with a part of a constant.
    pub fn constant(&mut self, a: &mut Asm, v: Val, k: &Const, part: u16) -> Result<u8, Refused> {
        let c = self.class_of(v).0;
        let reg = self.take(a, c)?;
        let (_, n) = self.s.shape(self.s.ty(v));
        match c {
            Class::General => {
                let bits = match k {
                    Const::Scalar(x) => *x,
                    _ => 0,
                };
                a.mov_imm(reg, bits);
            }
            Class::Mask => {
                let bits = match k {
                    Const::Splat(x) => (x & 1).wrapping_neg() & (u64::MAX >> (64 - n.clamp(1, 64))),
                    Const::Lanes(l) => l.iter().enumerate().fold(0, |b, (i, x)| b | (x & 1) << (i & 63)),
                    Const::Scalar(_) | Const::Poison | Const::Array(_) => 0,
                };
                a.mov_imm(RAX, bits);
                a.k_from(reg, RAX);
            }
            Class::Vector => {
                let pooled = |p| Vex::new(2, reg, 0, Rm::M(Mem::Pool(p)));
                match self.form(a, v, k, part) {
                    Form::Zero => a.evex(Enc(1, 1, 0, 0xef), Vex::new(0, reg, reg, Rm::R(reg))),
                    Form::Ones => a.evex(Enc(3, 1, 0, 0x25), Vex::new(2, reg, reg, Rm::R(reg)).imm(0xff)),
                    Form::Words(p) => a.evex(Enc(2, 1, 0, 0x18), pooled(p)),
                    Form::Longs(p) => a.evex(Enc(2, 1, 1, 0x19), pooled(p)),
                    Form::Whole(p) => a.evex(LOAD, pooled(p)),
                }
            }
        }
        Ok(reg)
    }
}
