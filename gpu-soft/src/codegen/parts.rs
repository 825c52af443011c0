//! Numbers picked from tables, taken apart and scaled: what logarithms and exponentials are made of. AVX-512 has an instruction for each;
//! elsewhere they only have to be right, for what is asked of narrower registers is lowered without them.

use super::gen::Gen;
use super::ir::{Fcmp, Icmp, Val};
use crate::kernel_abi::Width;
use compiler::sir::tables::ENTRIES;
use compiler::sir::Type;

const NAN: u64 = 0x7fc0_0000;
const INFINITY: u64 = 0x7f80_0000;

impl Gen<'_> {
    /// What `f` makes of registers of 16 lanes, for any number of lanes; 0 is a scalar.
    fn by_sixteens<const N: usize>(&self, n: u32, all: [Val; N], f: impl Fn([Val; N]) -> Val) -> Val {
        let m = self.m;
        if n >= 16 {
            return self.by_registers(n, 16, all, f);
        }
        if n == 0 {
            return m.extract(f(all.map(|v| m.splat(v, 16))), self.i32c(0));
        }
        let wider: Vec<i32> = (0..16).map(|i| if i < n as i32 { i } else { -1 }).collect();
        self.pick(f(all.map(|v| m.shuffle(v, m.poison(m.type_of(v)), &wider))), n, 0, 1)
    }

    fn is_wide(&self) -> bool {
        self.opts.width == Width::W16
    }

    /// The entry of the table for the low five bits of an index, as binary32.
    pub fn look_up(&self, n: u32, index: Val, table: &[f32; ENTRIES]) -> Val {
        let m = self.m;
        let t = self.ty(Type::F32, n);
        let bits = |i: usize| u64::from(table[i].to_bits());
        let picked = if self.is_wide() {
            let half = |at: usize| {
                let all: Vec<Val> = (0..16).map(|i| m.iconst(m.int(32), bits(at + i))).collect();
                m.const_vector(&all)
            };
            let (low, high) = (half(0), half(16));
            self.by_sixteens(n, [index], |[i]| m.intrinsic("llvm.x86.avx512.vpermi2var.d.512", &[], &[low, i, high]))
        } else {
            let k = |x: u64| self.konst(Type::I32, n, x);
            let index = m.and(index, k(ENTRIES as u64 - 1));
            (1..ENTRIES).fold(k(bits(0)), |rest, i| m.select(m.icmp(Icmp::Eq, index, k(i as u64)), k(bits(i)), rest))
        };
        m.bitcast(picked, t)
    }

    /// a · 2^⌊b⌋, rounded once.
    pub fn scale_any(&self, n: u32, a: Val, b: Val) -> Val {
        let m = self.m;
        if self.is_wide() {
            let name = "llvm.x86.avx512.mask.scalef.ps.512";
            let (all, current_rounding) = (m.iconst(m.int(16), 0xffff), self.i32c(4));
            return self.by_sixteens(n, [a, b], |[a, b]| m.intrinsic(name, &[], &[a, b, a, all, current_rounding]));
        }
        let [f32t, f64t, i32t, i64t] = [Type::F32, Type::F64, Type::I32, Type::I64].map(|t| self.ty(t, n));
        let k = |x: u64| self.konst(Type::F32, n, x);
        let clamped = |x: f32| k(x.to_bits().into());
        let wrong = m.fcmp(Fcmp::Uno, b, b);
        let by = m.intrinsic("llvm.floor", &[f32t], &[m.select(wrong, k(0), b)]);
        let (least, most) = (clamped(-400.0), clamped(400.0));
        let by = m.select(m.fcmp(Fcmp::Olt, by, least), least, by);
        let by = m.select(m.fcmp(Fcmp::Ogt, by, most), most, by);
        // In binary64 every such product is exact; only the way back rounds.
        let exponent = m.sext(m.add(m.fptosi(by, i32t), self.konst(Type::I32, n, 1023)), i64t);
        let power = m.bitcast(m.shl(exponent, self.konst(Type::I64, n, 52)), f64t);
        let r = m.fptrunc(m.fmul(m.fpext(a, f64t), power), f32t);
        let (nan, zero, infinity) = (k(NAN), k(0), k(INFINITY));
        let is_nan = m.fcmp(Fcmp::Uno, a, a);
        let magnitude = m.intrinsic("llvm.fabs", &[f32t], &[a]);
        let none = m.fcmp(Fcmp::Oeq, a, zero);
        let endless = m.fcmp(Fcmp::Oeq, magnitude, infinity);
        let up = m.fcmp(Fcmp::Oeq, b, infinity);
        let down = m.fcmp(Fcmp::Oeq, b, k(INFINITY | 1 << 31));
        let undefined = m.or(wrong, m.or(m.and(none, up), m.and(endless, down)));
        let r = m.select(m.and(is_nan, up), infinity, r);
        let r = m.select(m.and(is_nan, down), zero, r);
        // What is finite and not 0 is beyond the range after 400 steps up, but not what is tiny.
        let large = m.and(up, m.not(m.or(is_nan, none)));
        let signed = |x: Val| {
            let sign = m.and(m.bitcast(a, i32t), self.konst(Type::I32, n, 1 << 31));
            m.bitcast(m.or(m.bitcast(x, i32t), sign), f32t)
        };
        let r = m.select(large, signed(infinity), r);
        m.select(undefined, nan, r)
    }

    /// The bits of |x|, times 2²⁴ where it is denormal, and the 24 or 0.
    fn normal(&self, n: u32, x: Val) -> (Val, Val) {
        let m = self.m;
        let f32t = self.ty(Type::F32, n);
        let k = |x: f32| self.konst(Type::F32, n, x.to_bits().into());
        let magnitude = m.intrinsic("llvm.fabs", &[f32t], &[x]);
        let tiny = m.fcmp(Fcmp::Olt, magnitude, k(f32::MIN_POSITIVE));
        let larger = m.select(tiny, m.fmul(magnitude, k(16_777_216.0)), magnitude);
        let by = m.select(tiny, self.konst(Type::I32, n, 24), self.konst(Type::I32, n, 0));
        (m.bitcast(larger, self.ty(Type::I32, n)), by)
    }

    /// ⌊log2 |x|⌋.
    pub fn exponent(&self, n: u32, x: Val) -> Val {
        let m = self.m;
        if self.is_wide() {
            let name = "llvm.x86.avx512.mask.getexp.ps.512";
            let (all, current_rounding) = (m.iconst(m.int(16), 0xffff), self.i32c(4));
            return self.by_sixteens(n, [x], |[x]| m.intrinsic(name, &[], &[x, x, all, current_rounding]));
        }
        let f32t = self.ty(Type::F32, n);
        let k = |x: u64| self.konst(Type::I32, n, x);
        let (bits, by) = self.normal(n, x);
        let exponent = m.sub(m.sub(m.lshr(bits, k(23)), k(127)), by);
        let f = |x: u64| self.konst(Type::F32, n, x);
        let r = m.sitofp(exponent, f32t);
        let r = m.select(m.fcmp(Fcmp::Oeq, x, f(0)), f(INFINITY | 1 << 31), r);
        let magnitude = m.intrinsic("llvm.fabs", &[f32t], &[x]);
        let r = m.select(m.fcmp(Fcmp::Oeq, magnitude, f(INFINITY)), f(INFINITY), r);
        m.select(m.fcmp(Fcmp::Uno, x, x), x, r)
    }

    /// x / 2^⌊log2 x⌋.
    pub fn significand(&self, n: u32, x: Val) -> Val {
        let m = self.m;
        if self.is_wide() {
            let name = "llvm.x86.avx512.mask.getmant.ps.512";
            // In [1, 2), and NaN for what is negative.
            let (all, current_rounding, form) = (m.iconst(m.int(16), 0xffff), self.i32c(4), self.i32c(8));
            return self.by_sixteens(n, [x], |[x]| m.intrinsic(name, &[], &[x, form, x, all, current_rounding]));
        }
        let (f32t, i32t) = (self.ty(Type::F32, n), self.ty(Type::I32, n));
        let k = |x: u64| self.konst(Type::I32, n, x);
        let (bits, _) = self.normal(n, x);
        let significand = m.or(m.and(bits, k(0x007f_ffff)), k(1f32.to_bits().into()));
        let sign = m.and(m.bitcast(x, i32t), k(1 << 31));
        let r = m.bitcast(m.or(significand, sign), f32t);
        let f = |x: u64| self.konst(Type::F32, n, x);
        let undefined = m.or(m.fcmp(Fcmp::Uno, x, x), m.fcmp(Fcmp::Olt, x, f(0)));
        m.select(undefined, f(NAN), r)
    }
}
