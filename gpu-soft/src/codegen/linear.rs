//! Offsets as sums of values times constants. Where such a sum counts in words, lanes need not carry addresses: instructions that gather
//! and scatter take indices of 32 bits beside a common base, twice as many in a register as addresses, and a check against
//! the size compares the index instead of the offset.

use super::gen::{Gen, Result};
use super::ir::{Icmp, Val};
use super::memory::Piece;
use compiler::hash::HashMap;
use compiler::sir::{AluOp, Kernel, Op, Type, Value};
use smallvec::SmallVec;

/// How an addend of 32 bits becomes one of 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    Sign,
    Zero,
    /// It has 64 bits.
    None,
}

/// A value and what it is multiplied by.
#[derive(Clone, Copy, Debug)]
struct Term {
    value: Value,
    extension: Extension,
    scale: i64,
}

/// A sum, modulo 2^64.
#[derive(Clone, Debug, Default)]
struct Linear {
    terms: SmallVec<[Term; 4]>,
    fixed: i64,
}

/// Operations on 64-bit integers that sums are made of, by their results.
pub type Sums = HashMap<Value, (AluOp, SmallVec<[Value; 4]>)>;

/// All of a kernel.
pub fn sums(k: &Kernel) -> Sums {
    let mut sums = Sums::default();
    k.body.walk(&mut |inst| {
        let Op::Alu { op, args, .. } = &inst.op else { return };
        let [result] = inst.results[..] else { return };
        if k.ty(result) == Type::I64 && matches!(op, AluOp::IAdd | AluOp::IMul | AluOp::Shl | AluOp::SExt | AluOp::ZExt)
        {
            sums.insert(result, (*op, args.clone()));
        }
    });
    sums
}

/// Sums of sums are followed so far.
const MAX_DEPTH: u32 = 6;
/// Larger factors and constants are not followed: nothing overflows below.
const MAX_SCALE: u64 = 1 << 24;
const MAX_FIXED: u64 = 1 << 30;

/// Offsets by lane as a common base and 32-bit indices.
#[derive(Clone, Copy, Debug)]
pub struct Near {
    /// Signed, in units.
    index: Val,
    /// Bytes: 1 or 4.
    unit: u32,
    /// What is to be added to the base.
    fixed: i64,
    /// What all lanes have in common, an i64, and whether it is to be added to the base: otherwise it is part of the index.
    common: Option<(Val, bool)>,
    /// How the offsets depend on a single value.
    single: Option<Single>,
}

/// The offset is `value · stride + common + fixed`.
#[derive(Clone, Copy, Debug)]
struct Single {
    value: Val,
    signed: bool,
    stride: i64,
}

impl Gen<'_> {
    /// The sum that a 64-bit value is.
    fn sum_of(&self, v: Value) -> Linear {
        let mut sum = Linear::default();
        if !self.add_terms(v, 1, MAX_DEPTH, &mut sum) {
            sum = Linear::default();
            sum.terms.push(Term { value: v, extension: Extension::None, scale: 1 });
        }
        sum
    }

    /// Adds a multiple of a value to a sum, unless what it is made of is not at hand here.
    fn add_terms(&self, v: Value, scale: i64, depth: u32, sum: &mut Linear) -> bool {
        if let Some(c) = self.constant(v) {
            sum.fixed = sum.fixed.wrapping_add((c as i64).wrapping_mul(scale));
            return true;
        }
        if scale.unsigned_abs() > MAX_SCALE {
            return false;
        }
        let before = (sum.terms.len(), sum.fixed);
        let parts = self.sums.get(&v).filter(|_| depth > 0);
        let added = parts.is_some_and(|(op, args)| {
            let multiple = |factor: Option<i64>| factor.and_then(|f| scale.checked_mul(f));
            match op {
                AluOp::IAdd => args.iter().all(|a| self.add_terms(*a, scale, depth - 1, sum)),
                AluOp::Shl => {
                    let factor = self.constant(args[1]).filter(|c| *c < 32).map(|c| 1i64 << c);
                    multiple(factor).is_some_and(|s| self.add_terms(args[0], s, depth - 1, sum))
                }
                AluOp::IMul => {
                    let (a, b) = (args[0], args[1]);
                    let (v, factor) = match self.constant(b) {
                        Some(c) => (a, Some(c as i64)),
                        None => (b, self.constant(a).map(|c| c as i64)),
                    };
                    multiple(factor).is_some_and(|s| self.add_terms(v, s, depth - 1, sum))
                }
                AluOp::SExt if self.k.ty(args[0]) == Type::I32 => self.add_term(args[0], Extension::Sign, scale, sum),
                AluOp::ZExt if self.k.ty(args[0]) == Type::I32 => self.add_term(args[0], Extension::Zero, scale, sum),
                _ => false,
            }
        });
        if added {
            return true;
        }
        sum.terms.truncate(before.0);
        sum.fixed = before.1;
        self.add_term(v, Extension::None, scale, sum)
    }

    fn add_term(&self, value: Value, extension: Extension, scale: i64, sum: &mut Linear) -> bool {
        if self.vals[value.index()].is_none() || scale.unsigned_abs() > MAX_SCALE {
            return false;
        }
        sum.terms.push(Term { value, extension, scale });
        true
    }

    /// Offsets of 64 bits, `imm` behind a value, by indices. With a single index of words that holds for any memory; otherwise only
    /// where what is accessed cannot be further than 8 GiB from the base: storage buffers end at 4 GiB unless the kernel says so.
    pub fn near(&mut self, piece: &Piece, off: Value, imm: i64) -> Result<Option<Near>> {
        let m = self.m;
        let sum = self.sum_of(off);
        let fixed = sum.fixed.wrapping_add(imm);
        if fixed.unsigned_abs() > MAX_FIXED {
            return Ok(None);
        }
        let (common, lanes): (SmallVec<[Term; 4]>, SmallVec<[Term; 4]>) =
            sum.terms.into_iter().partition(|t| self.is_uniform(t.value));
        let close = piece.base.is_some() && !self.k.wide_indexing;
        let single = match lanes[..] {
            [t] if t.extension != Extension::None && t.scale > 0 => Some(t),
            _ => None,
        };
        let exact = single.is_some_and(|t| t.extension == Extension::Sign && t.scale == 4);
        if lanes.is_empty() || lanes.iter().any(|t| t.scale % 4 != 0) || !(exact || close) {
            return Ok(None);
        }
        let i32t = m.int(32);
        let mut apart = None;
        let mut index = None;
        let mut value = None;
        let mut add = |g: &Self, v: Val| index = Some(index.map_or(v, |i| g.m.add(i, v)));
        for t in &lanes {
            let v = self.lanes_anew(t.value)?;
            value = Some(v);
            let v = if t.extension == Extension::None { m.trunc(v, m.vector(i32t, self.lanes)) } else { v };
            let words = t.scale / 4;
            let v = if words == 1 { v } else { m.mul(v, self.splat(m.iconst(i32t, words as u64 & 0xffff_ffff))) };
            add(self, v);
        }
        for t in &common {
            let v = self.scalar(t.value)?;
            let v = match t.extension {
                Extension::Sign => m.sext(v, m.int(64)),
                Extension::Zero => m.zext(v, m.int(64)),
                Extension::None => v,
            };
            let v = m.mul(v, self.i64c(t.scale as u64));
            apart = Some(apart.map_or(v, |a| m.add(a, v)));
        }
        // What all lanes have in common goes to the base where the rest is an index for certain, whatever it is.
        if let Some(v) = apart.filter(|_| !exact) {
            if common.iter().any(|t| t.scale % 4 != 0) {
                return Ok(None);
            }
            let words = m.trunc(m.lshr(v, self.i64c(2)), i32t);
            add(self, self.splat(words));
        }
        let Some(index) = index else { return Ok(None) };
        // Comparing indices takes a division by the stride, and sums that do not overflow.
        let simple = common.iter().all(|t| t.extension != Extension::None);
        let checks = close && simple && single.is_some_and(|t| common.is_empty() || (t.scale as u64).is_power_of_two());
        let single = single.filter(|_| checks).zip(value).map(|(t, value)| Single {
            value,
            signed: t.extension == Extension::Sign,
            stride: t.scale,
        });
        Ok(Some(Near { index, unit: 4, fixed, common: apart.map(|v| (v, exact)), single }))
    }

    /// Offsets of 32 bits as indices of bytes. They wrap as such; those that are inside of their piece of memory are small.
    pub fn near_bytes(&self, off: Val) -> Near {
        let single = Some(Single { value: off, signed: false, stride: 1 });
        // Known to be small, so that the extension to the width of addresses is seen to be none.
        let small = self.konst(Type::I32, self.lanes, 0x3fff_ffff);
        Near { index: self.m.and(off, small), unit: 1, fixed: 0, common: None, single }
    }

    /// Pointers, `extra` bytes further.
    pub fn near_ptrs(&self, piece: &Piece, near: &Near, extra: u64) -> Val {
        let m = self.m;
        let fixed = self.i64c((near.fixed as u64).wrapping_add(extra));
        let apart = match near.common {
            Some((v, true)) => m.add(v, fixed),
            _ => fixed,
        };
        let base = match piece.base {
            Some(base) => m.byte_ptr(base, apart),
            None => m.inttoptr(apart, m.ptr()),
        };
        m.element_ptr(m.int(near.unit * 8), base, near.index)
    }

    /// Which lanes' accesses of that many bytes, `extra` bytes further, are inside of a size, if indices can tell.
    pub fn near_inside(&self, near: &Near, size: Val, bytes: u32, extra: u64) -> Option<Val> {
        let single = near.single?;
        let m = self.m;
        let (i32t, i64t) = (m.int(32), m.int(64));
        let limit = self.limit(size, u64::from(bytes));
        let fixed = self.i64c((near.fixed as u64).wrapping_add(extra));
        let apart = near.common.map_or(fixed, |(v, _)| m.add(v, fixed));
        // The first value that is not below a bound, and those that there are.
        let (least, most) = match single.signed {
            true => (i64::from(i32::MIN), i64::from(i32::MAX)),
            false => (0, i64::from(u32::MAX)),
        };
        let first = |bound: Val| {
            let up = m.add(bound, self.i64c(single.stride as u64 - 1));
            let v = self.floor_div(up, single.stride);
            let v = m.intrinsic("llvm.smax", &[i64t], &[v, self.i64c(least as u64)]);
            m.trunc(m.intrinsic("llvm.smin", &[i64t], &[v, self.i64c(most as u64)]), i32t)
        };
        let begin = first(m.sub(self.i64c(0), apart));
        let end = first(m.sub(limit, apart));
        let count = self.splat(m.sub(end, begin));
        Some(m.icmp(Icmp::Ult, m.sub(single.value, self.splat(begin)), count))
    }

    /// The quotient by a positive constant, rounded down.
    fn floor_div(&self, v: Val, by: i64) -> Val {
        let m = self.m;
        if (by as u64).is_power_of_two() {
            return m.ashr(v, self.i64c(u64::from(by.trailing_zeros())));
        }
        let quotient = m.sdiv(v, self.i64c(by as u64));
        let rest = m.sub(v, m.mul(quotient, self.i64c(by as u64)));
        m.add(quotient, m.ashr(rest, self.i64c(63)))
    }
}
