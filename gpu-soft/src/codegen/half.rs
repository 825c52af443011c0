//! Conversions between floating-point formats. Binary16 is held as its 16 bits; arithmetic is done in binary32.
//!
//! Conversions by F16C instructions are fenced: otherwise LLVM would narrow the arithmetic between them to its half type, and
//! legalise that by calls of library functions for single lanes.

use super::gen::Gen;
use super::ir::{Fcmp, Icmp, Ty, Val};
use crate::kernel_abi::Width;
use compiler::sir::Type;

impl Gen<'_> {
    /// The same value, beyond which LLVM does not look for simplifications; no instruction.
    fn fence_arithmetic(&self, v: Val, t: Ty) -> Val {
        self.m.intrinsic("llvm.arithmetic.fence", &[t], &[v])
    }

    /// Binary16 bits to binary32; exact.
    pub fn half_to_single(&self, v: Val, n: u32) -> Val {
        let m = self.m;
        let f32t = self.ty(Type::F32, n);
        if self.opts.width != Width::W4 {
            let half = if n == 0 { m.half() } else { m.vector(m.half(), n) };
            return self.fence_arithmetic(m.fpext(m.bitcast(v, half), f32t), f32t);
        }
        // Without F16C: exponent and significand are moved into place and scaled by 2^112, which is exact for denormals, too.
        let i32t = self.ty(Type::I32, n);
        let k = |x: u64| self.konst(Type::I32, n, x);
        let wide = m.zext(v, i32t);
        let sign = m.shl(m.and(wide, k(0x8000)), k(16));
        let magnitude = m.and(wide, k(0x7fff));
        let moved = m.bitcast(m.shl(magnitude, k(13)), f32t);
        let scaled = m.fmul(moved, self.konst(Type::F32, n, u64::from(two_to_112())));
        // Infinities and NaNs keep the largest exponent.
        let special = m.icmp(Icmp::Uge, magnitude, k(0x7c00));
        let bits = m.bitcast(scaled, i32t);
        let bits = m.select(special, m.or(bits, k(0x7f80_0000)), bits);
        m.bitcast(m.or(bits, sign), f32t)
    }

    /// Binary32 to binary16 bits, to nearest even.
    pub fn single_to_half(&self, v: Val, n: u32) -> Val {
        let m = self.m;
        let i16t = self.ty(Type::I16, n);
        if self.opts.width != Width::W4 {
            let half = if n == 0 { m.half() } else { m.vector(m.half(), n) };
            let whole = self.fence_arithmetic(v, self.ty(Type::F32, n));
            return m.bitcast(m.fptrunc(whole, half), i16t);
        }
        let i32t = self.ty(Type::I32, n);
        let f32t = self.ty(Type::F32, n);
        let k = |x: u64| self.konst(Type::I32, n, x);
        let bits = m.bitcast(v, i32t);
        let magnitude = m.and(bits, k(0x7fff_ffff));
        let sign = m.and(m.lshr(bits, k(16)), k(0x8000));
        // Normal results: rebias the exponent and round the 13 bits that go.
        let odd = m.and(m.lshr(magnitude, k(13)), k(1));
        let rebiased = m.sub(magnitude, k(112 << 23));
        let normal = m.lshr(m.add(rebiased, m.add(odd, k(0xfff))), k(13));
        // Denormal results: adding 0.5 puts the last bit that stays at the last bit of the sum.
        let magic = k(126 << 23);
        let sum = m.fadd(m.bitcast(magnitude, f32t), m.bitcast(magic, f32t));
        let denormal = m.sub(m.bitcast(sum, i32t), magic);
        let small = m.icmp(Icmp::Ult, magnitude, k(113 << 23));
        let finite = m.select(small, denormal, normal);
        let overflow = m.icmp(Icmp::Uge, magnitude, k(0x477f_f000));
        let finite = m.select(overflow, k(0x7c00), finite);
        let nan = m.icmp(Icmp::Ugt, magnitude, k(0x7f80_0000));
        let payload = m.or(k(0x7e00), m.and(m.lshr(magnitude, k(13)), k(0x3ff)));
        m.trunc(m.or(m.select(nan, payload, finite), sign), i16t)
    }

    /// Binary64 to binary32 with the last bit set if bits were lost (rounding to odd), so that rounding once more to a narrower
    /// format rounds as if directly.
    fn to_single_odd(&self, v: Val, n: u32) -> Val {
        let m = self.m;
        let (f32t, f64t, i32t) = (self.ty(Type::F32, n), self.ty(Type::F64, n), self.ty(Type::I32, n));
        let k = |x: u64| self.konst(Type::I32, n, x);
        let near = m.fptrunc(v, f32t);
        let back = m.fpext(near, f64t);
        let abs = |x: Val, t| m.intrinsic("llvm.fabs", &[t], &[x]);
        let above = m.fcmp(Fcmp::Ogt, abs(back, f64t), abs(v, f64t));
        let bits = m.bitcast(near, i32t);
        let down = m.select(above, m.sub(bits, k(1)), bits);
        let exact = m.fcmp(Fcmp::Oeq, back, v);
        let nan = m.fcmp(Fcmp::Uno, v, v);
        let keep = m.or(exact, nan);
        m.bitcast(m.select(keep, bits, m.or(down, k(1))), f32t)
    }

    pub fn float_convert(&self, v: Val, from: Type, to: Type, n: u32) -> Val {
        let m = self.m;
        let t = self.ty(to, n);
        match (from, to) {
            (Type::F16, Type::F32) => self.half_to_single(v, n),
            (Type::F16, Type::F64) => m.fpext(self.half_to_single(v, n), t),
            (Type::F32, Type::F64) => m.fpext(v, t),
            (Type::F32, Type::F16) => self.single_to_half(v, n),
            (Type::F64, Type::F16) => self.single_to_half(self.to_single_odd(v, n), n),
            (Type::F64, Type::F32) => m.fptrunc(v, t),
            _ => v,
        }
    }

    /// To a narrower format towards zero: the nearest value, or the one before it if that is too large.
    pub fn float_convert_rtz(&self, v: Val, from: Type, to: Type, n: u32) -> Val {
        let m = self.m;
        match (from, to) {
            (Type::F64, Type::F16) => {
                let single = self.float_convert_rtz(v, Type::F64, Type::F32, n);
                self.float_convert_rtz(single, Type::F32, Type::F16, n)
            }
            (Type::F64, Type::F32) | (Type::F32, Type::F16) => {
                let near = self.float_convert(v, from, to, n);
                let wide = self.ty(from, n);
                let back = self.float_convert(near, to, from, n);
                let abs = |x: Val| m.intrinsic("llvm.fabs", &[wide], &[x]);
                let above = m.fcmp(Fcmp::Ogt, abs(back), abs(v));
                let int = if to == Type::F32 { Type::I32 } else { Type::I16 };
                let it = self.ty(int, n);
                let bits = if to == Type::F32 { m.bitcast(near, it) } else { near };
                let down = m.select(above, m.sub(bits, self.konst(int, n, 1)), bits);
                if to == Type::F32 {
                    m.bitcast(down, self.ty(Type::F32, n))
                } else {
                    down
                }
            }
            _ => self.float_convert(v, from, to, n),
        }
    }
}

/// 2^112.
const fn two_to_112() -> u32 {
    (112 + 127) << 23
}
