//! What the quick back end has no instructions for, made of what it has.

use super::fold::mask;
use super::*;

impl Module {
    /// Divisions and operations on bytes that the quick back end does not have.
    pub(super) fn expand_bin(&self, op: Bin, a: Val, b: Val) -> Option<Val> {
        let (_, n) = self.shape_of(a);
        let bits = self.element_bits(a);
        let through = |bits: u32, signed: bool| {
            let (ty, wide) = (self.type_of(a), self.reshaped(self.int(bits), n));
            let ext = |v: Val| if signed { self.sext(v, wide) } else { self.zext(v, wide) };
            self.trunc(self.bin(op, ext(a), ext(b)), ty)
        };
        let divides = matches!(op, Bin::UDiv | Bin::SDiv | Bin::URem | Bin::SRem);
        let signed = matches!(op, Bin::SDiv | Bin::SRem | Bin::AShr);
        if divides && bits < 32 {
            return Some(through(32, signed));
        }
        if divides && n > 0 && bits == 32 {
            // The quotient of 32-bit integers differs from any integer it is not by more than the rounding to 53 bits.
            let (ty, f) = (self.type_of(a), self.vector(self.f64(), n));
            let to = |v: Val| if signed { self.sitofp(v, f) } else { self.uitofp(v, f) };
            let q = self.fdiv(to(a), to(b));
            let q = if signed { self.fptosi(q, ty) } else { self.fptoui(q, ty) };
            return Some(if matches!(op, Bin::UDiv | Bin::SDiv) { q } else { self.sub(a, self.mul(q, b)) });
        }
        if n > 0 && bits == 8 && matches!(op, Bin::Mul | Bin::Shl | Bin::LShr | Bin::AShr) {
            return Some(through(16, signed));
        }
        None
    }

    pub(super) fn expand_cast(&self, cast: Cast, v: Val, to: Ty) -> Option<Val> {
        let (_, n) = self.shape_of(v);
        let from = self.element_bits(v);
        let to_bits = {
            let s = self.state.borrow();
            s.bits(s.shape(to).0)
        };
        let wide = || self.reshaped(self.int(32), n);
        match cast {
            Cast::ZExt | Cast::SExt if n > 0 && from == 1 => {
                let yes = if cast == Cast::ZExt { 1 } else { u64::MAX >> (64 - to_bits) };
                let yes = self.state.borrow_mut().konst_of(to, yes);
                Some(self.select(v, yes, self.zero(to)))
            }
            Cast::Trunc if n > 0 && to_bits == 1 => {
                let ty = self.type_of(v);
                let one = self.state.borrow_mut().konst_of(ty, 1);
                Some(self.icmp(Icmp::Ne, self.and(v, one), self.zero(ty)))
            }
            Cast::SiToFp if from < 32 => Some(self.sitofp(self.sext(v, wide()), to)),
            Cast::UiToFp if from < 32 => Some(self.sitofp(self.zext(v, wide()), to)),
            Cast::FpToSi | Cast::FpToUi if to_bits < 32 => Some(self.trunc(self.fptosi(v, wide()), to)),
            _ => None,
        }
    }

    /// Intrinsics that the quick back end does not have, by operations that it has.
    pub(super) fn expand_intrinsic(&self, which: Intrinsic, overloads: &[Ty], args: &[Val]) -> Option<Val> {
        let v = *args.first()?;
        let ty = self.type_of(v);
        let (_, n) = self.shape_of(v);
        let bits = self.element_bits(v);
        let k = |x: u64| self.state.borrow_mut().konst_of(ty, x & mask(bits));
        let sign = 1u64 << (bits.max(1) - 1).min(63);
        match which {
            Intrinsic::ArithmeticFence => Some(v),
            Intrinsic::Fabs => {
                let int = self.reshaped(self.int(bits), n);
                let rest = self.state.borrow_mut().konst_of(int, sign - 1);
                Some(self.bitcast(self.and(self.bitcast(v, int), rest), ty))
            }
            Intrinsic::Abs if n == 0 => Some(self.select(self.icmp(Icmp::Slt, v, k(0)), self.neg(v), v)),
            Intrinsic::SMin if n == 0 => Some(self.select(self.icmp(Icmp::Slt, v, args[1]), v, args[1])),
            Intrinsic::SMax if n == 0 => Some(self.select(self.icmp(Icmp::Sgt, v, args[1]), v, args[1])),
            Intrinsic::UMin if n == 0 => Some(self.select(self.icmp(Icmp::Ult, v, args[1]), v, args[1])),
            Intrinsic::UMax if n == 0 => Some(self.select(self.icmp(Icmp::Ugt, v, args[1]), v, args[1])),
            Intrinsic::USubSat => {
                let less = self.sub(v, args[1]);
                Some(self.select(self.icmp(Icmp::Ult, v, args[1]), k(0), less))
            }
            Intrinsic::UAddSat => {
                let sum = self.add(v, args[1]);
                Some(self.select(self.icmp(Icmp::Ult, sum, v), k(u64::MAX), sum))
            }
            Intrinsic::SAddSat => {
                let sum = self.add(v, args[1]);
                let over = self.and(self.xor(v, sum), self.xor(args[1], sum));
                let most = self.xor(self.ashr(v, k(u64::from(bits) - 1)), k(sign - 1));
                Some(self.select(self.icmp(Icmp::Slt, over, k(0)), most, sum))
            }
            Intrinsic::Ctpop if n > 0 => Some(self.count_bits(v, &k, bits)),
            Intrinsic::Cttz if n > 0 => {
                let below = self.and(self.not(v), self.sub(v, k(1)));
                Some(self.count_bits(below, &k, bits))
            }
            Intrinsic::Ctlz | Intrinsic::Ctpop | Intrinsic::Cttz if bits < 32 => {
                let wide = self.reshaped(self.int(32), n);
                let w = self.zext(v, wide);
                let no = self.iconst(self.int(1), 0);
                let r = match which {
                    Intrinsic::Ctpop => self.intrinsic(which.name(), &[wide], &[w]),
                    Intrinsic::Cttz => {
                        let end = self.state.borrow_mut().konst_of(wide, 1 << bits);
                        self.intrinsic(which.name(), &[wide], &[self.or(w, end), no])
                    }
                    _ => {
                        let more = self.state.borrow_mut().konst_of(wide, u64::from(32 - bits));
                        self.sub(self.intrinsic(which.name(), &[wide], &[w, no]), more)
                    }
                };
                Some(self.trunc(r, ty))
            }
            Intrinsic::BitReverse => {
                let mut r = v;
                let mut step = bits / 2;
                while step > 0 {
                    // Neighbouring groups of `step` bits change places.
                    let low = (0..64 / (2 * step)).fold(0u64, |m, i| m | ((1u64 << step) - 1) << (2 * step * i));
                    let up = self.shl(self.and(r, k(low)), k(u64::from(step)));
                    r = self.or(up, self.and(self.lshr(r, k(u64::from(step))), k(low)));
                    step /= 2;
                }
                Some(r)
            }
            Intrinsic::ReduceAdd => {
                // Halves are added to each other until one lane is left.
                let (mut sum, mut n) = (v, n as i32);
                while n > 1 {
                    let half = |at: i32| {
                        let poison = self.poison(self.type_of(sum));
                        self.shuffle(sum, poison, &(at..at + n / 2).collect::<Vec<i32>>())
                    };
                    sum = self.add(half(0), half(n / 2));
                    n /= 2;
                }
                Some(self.extract(sum, self.iconst(self.int(32), 0)))
            }
            Intrinsic::FpToSiSat | Intrinsic::FpToUiSat => {
                Some(self.saturating(v, overloads[0], which == Intrinsic::FpToSiSat))
            }
            _ => None,
        }
    }

    /// Bits that are set, by adding up neighbours.
    fn count_bits(&self, v: Val, k: &dyn Fn(u64) -> Val, bits: u32) -> Val {
        let v = self.sub(v, self.and(self.lshr(v, k(1)), k(0x5555_5555_5555_5555)));
        let pairs = k(0x3333_3333_3333_3333);
        let v = self.add(self.and(v, pairs), self.and(self.lshr(v, k(2)), pairs));
        let mut v = self.and(self.add(v, self.lshr(v, k(4))), k(0x0f0f_0f0f_0f0f_0f0f));
        let mut step = 8;
        while step < bits {
            v = self.add(v, self.lshr(v, k(u64::from(step))));
            step *= 2;
        }
        self.and(v, k(0x7f))
    }

    /// A floating-point scalar to an integer: what does not fit becomes the nearest that does, NaN becomes 0.
    fn saturating(&self, v: Val, to: Ty, signed: bool) -> Val {
        let bits = self.state.borrow().bits(to);
        let ty = self.type_of(v);
        let i32t = self.int(32);
        if bits < 32 {
            let wide = self.saturating(v, i32t, signed);
            let max = ((1u64 << bits) - 1) >> u32::from(signed);
            let most = self.iconst(i32t, max);
            let fits = if signed {
                let low = self.intrinsic("llvm.smax", &[i32t], &[wide, self.iconst(i32t, !max)]);
                self.intrinsic("llvm.smin", &[i32t], &[low, most])
            } else {
                self.intrinsic("llvm.umin", &[i32t], &[wide, most])
            };
            return self.trunc(fits, to);
        }
        let single = ty == self.f32();
        let float = |x: f64| {
            let bits = if single { u64::from((x as f32).to_bits()) } else { x.to_bits() };
            self.state.borrow_mut().konst(ty, Const::Scalar(bits))
        };
        let range = (bits - u32::from(signed)) as i32;
        let (end, low) = (float(2f64.powi(range)), float(if signed { -(2f64.powi(range)) } else { 0.0 }));
        // False for NaN.
        let above = self.fcmp(Fcmp::Ole, end, v);
        let inside = self.fcmp(Fcmp::Olt, low, v);
        let safe = self.select(above, float(0.0), self.select(inside, v, low));
        let whole = if signed { self.fptosi(safe, to) } else { self.fptoui(safe, to) };
        let most = self.iconst(to, (u64::MAX >> (64 - bits)) >> u32::from(signed));
        let r = self.select(above, most, whole);
        self.select(self.fcmp(Fcmp::Uno, v, v), self.zero(to), r)
    }
}
