//! Floating-point numbers to integers, towards zero: what does not fit becomes the nearest integer that does, NaN becomes 0. LLVM's
//! own saturating conversions of vectors go lane by lane.

use super::gen::Gen;
use super::ir::{Fcmp, Val};
use crate::kernel_abi::Width;
use compiler::sir::Type;

impl Gen<'_> {
    /// `n` lanes (0: a scalar) of `from` (binary32 or binary64) to integers of type `to`.
    pub fn float_to_int(&self, v: Val, from: Type, to: Type, n: u32, signed: bool) -> Val {
        let m = self.m;
        if n == 0 {
            let name = if signed { "llvm.fptosi.sat" } else { "llvm.fptoui.sat" };
            return m.intrinsic(name, &[self.ty(to, 0), self.ty(from, 0)], &[v]);
        }
        match (from, to) {
            (_, Type::I8 | Type::I16) => {
                // The range of 32 bits is wider: saturating twice is saturating to the narrower one.
                let wide = self.float_to_int(v, from, Type::I32, n, signed);
                let k = |bits: u64| self.konst(Type::I32, n, bits);
                let t = self.ty(Type::I32, n);
                let max = if signed { to.mask() >> 1 } else { to.mask() };
                let fits = if signed {
                    let low = m.intrinsic("llvm.smax", &[t], &[wide, k(!max)]);
                    m.intrinsic("llvm.smin", &[t], &[low, k(max)])
                } else {
                    m.intrinsic("llvm.umin", &[t], &[wide, k(max)])
                };
                m.trunc(fits, self.ty(to, n))
            }
            (Type::F32, Type::I32) => self.single_to_int32(v, n, signed),
            _ => self.in_range_first(v, from, to, n, signed),
        }
    }

    /// Brings values into the range of the integers before the conversion, and those at its upper end to the maximum behind it.
    fn in_range_first(&self, v: Val, from: Type, to: Type, n: u32, signed: bool) -> Val {
        let m = self.m;
        let float = |x: f64| match from {
            Type::F32 => self.konst(from, n, u64::from((x as f32).to_bits())),
            _ => self.konst(from, n, x.to_bits()),
        };
        let bits = to.bits() - u32::from(signed);
        // Powers of two: exact in either format.
        let end = float(2f64.powi(bits as i32));
        let low = float(if signed { -(2f64.powi(bits as i32)) } else { 0.0 });
        // False for NaN, which becomes the low end or, signed, 0.
        let above = m.fcmp(Fcmp::Ole, end, v);
        let inside = m.fcmp(Fcmp::Olt, low, v);
        let safe = m.select(above, float(0.0), m.select(inside, v, low));
        let t = self.ty(to, n);
        let whole = if signed { m.fptosi(safe, t) } else { m.fptoui(safe, t) };
        let max = self.konst(to, n, to.mask() >> u32::from(signed));
        let r = m.select(above, max, whole);
        if signed {
            m.select(m.fcmp(Fcmp::Uno, v, v), m.zero(t), r)
        } else {
            r
        }
    }

    /// The processor's conversion gives 0x80000000 for what does not fit, its unsigned one all ones.
    fn single_to_int32(&self, v: Val, n: u32, signed: bool) -> Val {
        let m = self.m;
        let chunk = n.min(self.opts.width.lanes());
        let t = self.ty(Type::I32, n);
        let k = |bits: u64| self.konst(Type::I32, n, bits);
        let f = |x: f32| self.konst(Type::F32, n, u64::from(x.to_bits()));
        let convert = |v: Val, signed: bool| {
            self.by_registers(n, chunk, [v], |[part]| self.convert_register(part, chunk, signed))
        };
        if signed {
            let above = m.fcmp(Fcmp::Ole, f(2f32.powi(31)), v);
            let r = m.select(above, k(0x7fff_ffff), convert(v, true));
            return m.select(m.fcmp(Fcmp::Uno, v, v), m.zero(t), r);
        }
        // False for NaN.
        let positive = m.fcmp(Fcmp::Ole, f(0.0), v);
        let r = if self.opts.width == Width::W16 && chunk == 16 {
            convert(v, false)
        } else {
            // The upper half of the range is moved down, and its bit put back.
            let high = m.fcmp(Fcmp::Ole, f(2f32.powi(31)), v);
            let moved = convert(m.fsub(v, f(2f32.powi(31))), true);
            let r = m.select(high, m.xor(moved, k(0x8000_0000)), convert(v, true));
            m.select(m.fcmp(Fcmp::Ole, f(2f32.powi(32)), v), k(u64::from(u32::MAX)), r)
        };
        m.select(positive, r, m.zero(t))
    }

    /// One instruction for 4, 8 or 16 lanes; unsigned for 16 only.
    fn convert_register(&self, v: Val, lanes: u32, signed: bool) -> Val {
        let m = self.m;
        let all = m.iconst(m.int(16), 0xffff);
        let current_rounding = self.i32c(4);
        let none = m.zero(m.vector(m.int(32), lanes));
        match (lanes, signed) {
            (16, true) => m.intrinsic("llvm.x86.avx512.mask.cvttps2dq.512", &[], &[v, none, all, current_rounding]),
            (16, false) => m.intrinsic("llvm.x86.avx512.mask.cvttps2udq.512", &[], &[v, none, all, current_rounding]),
            (8, _) => m.intrinsic("llvm.x86.avx.cvtt.ps2dq.256", &[], &[v]),
            _ => m.intrinsic("llvm.x86.sse2.cvttps2dq", &[], &[v]),
        }
    }
}
