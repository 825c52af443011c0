//! Floating-point arithmetic in integers: any format, any of the two rounding directions, one rounding per operation.
//! The host's own arithmetic is used where it gives the same result; this is for binary16 and for rounding towards zero.

use crate::sir::Type;

/// Rounding direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// To nearest, halves to even.
    Even,
    /// Towards zero.
    Zero,
}

/// An IEEE interchange format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    exp_bits: u32,
    mant_bits: u32,
}

impl Format {
    /// The format of a floating-point type; other types count as binary64.
    pub const fn of(ty: Type) -> Format {
        match ty {
            Type::F16 => Format { exp_bits: 5, mant_bits: 10 },
            Type::F32 => Format { exp_bits: 8, mant_bits: 23 },
            _ => Format { exp_bits: 11, mant_bits: 52 },
        }
    }

    const fn bias(self) -> i32 {
        (1 << (self.exp_bits - 1)) - 1
    }

    const fn inf(self) -> u64 {
        ((1 << self.exp_bits) - 1) << self.mant_bits
    }

    const fn sign_bit(self) -> u64 {
        1 << (self.exp_bits + self.mant_bits)
    }

    const fn nan(self) -> u64 {
        self.inf() | 1 << (self.mant_bits - 1)
    }

    const fn zero(self, negative: bool) -> u64 {
        if negative {
            self.sign_bit()
        } else {
            0
        }
    }
}

/// A number taken apart.
#[derive(Clone, Copy, Debug)]
enum Num {
    Nan,
    Inf(bool),
    /// (−1)^negative · mant · 2^exp; zero has mant 0.
    Finite {
        negative: bool,
        mant: u128,
        exp: i32,
    },
}

fn unpack(f: Format, bits: u64) -> Num {
    let negative = bits & f.sign_bit() != 0;
    let field = (bits >> f.mant_bits) & ((1 << f.exp_bits) - 1);
    let frac = bits & ((1 << f.mant_bits) - 1);
    let lowest = 1 - f.bias() - f.mant_bits as i32;
    if field == (1 << f.exp_bits) - 1 {
        return if frac == 0 { Num::Inf(negative) } else { Num::Nan };
    }
    if field == 0 {
        return Num::Finite { negative, mant: u128::from(frac), exp: lowest };
    }
    Num::Finite { negative, mant: u128::from(frac | 1 << f.mant_bits), exp: lowest + field as i32 - 1 }
}

/// The number (mant + something in (0, 1) if `sticky`) · 2^exp in a format.
fn pack(f: Format, negative: bool, mant: u128, exp: i32, sticky: bool, round: Round) -> u64 {
    if mant == 0 {
        return f.zero(negative);
    }
    let precision = f.mant_bits as i32 + 1;
    let len = 128 - mant.leading_zeros() as i32;
    let lowest = 1 - f.bias() - f.mant_bits as i32;
    let lsb = (exp + len - precision).max(lowest);
    let shift = lsb - exp;
    let mut q = if shift <= 0 {
        mant << -shift
    } else if shift >= 128 {
        0
    } else {
        mant >> shift
    };
    if shift > 0 && round == Round::Even {
        let (half, rest) = if shift > 128 {
            (false, true)
        } else {
            let half = mant >> (shift - 1) & 1 == 1;
            (half, mant & ((1 << (shift - 1)) - 1) != 0 || sticky)
        };
        if half && (rest || q & 1 == 1) {
            q += 1;
        }
    }
    let hidden = 1u128 << f.mant_bits;
    let bits = if q < hidden {
        q as u64
    } else {
        // A carry out of the significand moves on into the exponent by itself.
        let field = (lsb - lowest + 1) as u128;
        let bits = (field << f.mant_bits) + (q - hidden);
        if bits >= u128::from(f.inf()) {
            match round {
                Round::Even => f.inf(),
                Round::Zero => f.inf() - 1,
            }
        } else {
            bits as u64
        }
    };
    bits | f.zero(negative)
}

/// Moves the highest bit to bit 125.
fn normalise(mant: u128, exp: i32) -> (u128, i32) {
    let shift = mant.leading_zeros() as i32 - 2;
    if shift >= 0 {
        (mant << shift, exp - shift)
    } else {
        (mant >> -shift, exp - shift)
    }
}

/// Sum of two finite numbers.
fn sum(f: Format, a: (bool, u128, i32), b: (bool, u128, i32), round: Round) -> u64 {
    if a.1 == 0 && b.1 == 0 {
        return f.zero(a.0 && b.0);
    }
    if a.1 == 0 {
        return pack(f, b.0, b.1, b.2, false, round);
    }
    if b.1 == 0 {
        return pack(f, a.0, a.1, a.2, false, round);
    }
    let (ma, ea) = normalise(a.1, a.2);
    let (mb, eb) = normalise(b.1, b.2);
    let a_larger = (ea, ma) >= (eb, mb);
    let (sl, ml, el, ss, ms, es) = if a_larger { (a.0, ma, ea, b.0, mb, eb) } else { (b.0, mb, eb, a.0, ma, ea) };
    let d = (el - es) as u32;
    let (small, lost) = if d >= 128 { (0, true) } else { (ms >> d, ms & ((1u128 << d) - 1) != 0) };
    if sl == ss {
        return pack(f, sl, ml + small, el, lost, round);
    }
    let mant = ml - small - u128::from(lost);
    if mant == 0 && !lost {
        return f.zero(false);
    }
    pack(f, sl, mant, el, lost, round)
}

/// a + b.
pub fn add(f: Format, a: u64, b: u64, round: Round) -> u64 {
    match (unpack(f, a), unpack(f, b)) {
        (Num::Nan, _) | (_, Num::Nan) => f.nan(),
        (Num::Inf(x), Num::Inf(y)) if x != y => f.nan(),
        (Num::Inf(x), _) | (_, Num::Inf(x)) => f.inf() | f.zero(x),
        (Num::Finite { negative: s, mant: m, exp: e }, Num::Finite { negative: t, mant: n, exp: g }) => {
            sum(f, (s, m, e), (t, n, g), round)
        }
    }
}

/// −a.
pub const fn neg(f: Format, a: u64) -> u64 {
    a ^ f.sign_bit()
}

/// a · b.
pub fn mul(f: Format, a: u64, b: u64, round: Round) -> u64 {
    match (unpack(f, a), unpack(f, b)) {
        (Num::Nan, _) | (_, Num::Nan) => f.nan(),
        (Num::Inf(x), Num::Inf(y)) => f.inf() | f.zero(x != y),
        (Num::Inf(x), Num::Finite { negative, mant, .. }) | (Num::Finite { negative, mant, .. }, Num::Inf(x)) => {
            if mant == 0 {
                f.nan()
            } else {
                f.inf() | f.zero(x != negative)
            }
        }
        (Num::Finite { negative: s, mant: m, exp: e }, Num::Finite { negative: t, mant: n, exp: g }) => {
            pack(f, s != t, m * n, e + g, false, round)
        }
    }
}

/// a · b + c.
pub fn fma(f: Format, a: u64, b: u64, c: u64, round: Round) -> u64 {
    let (x, y, z) = (unpack(f, a), unpack(f, b), unpack(f, c));
    match (x, y) {
        (Num::Finite { negative: s, mant: m, exp: e }, Num::Finite { negative: t, mant: n, exp: g }) => match z {
            Num::Nan => f.nan(),
            Num::Inf(s) => f.inf() | f.zero(s),
            Num::Finite { negative, mant, exp } => sum(f, (s != t, m * n, e + g), (negative, mant, exp), round),
        },
        // The product is exact: NaN or an infinity.
        _ => add(f, mul(f, a, b, round), c, round),
    }
}

/// a / b.
pub fn div(f: Format, a: u64, b: u64, round: Round) -> u64 {
    match (unpack(f, a), unpack(f, b)) {
        (Num::Nan, _) | (_, Num::Nan) | (Num::Inf(_), Num::Inf(_)) => f.nan(),
        (Num::Inf(x), Num::Finite { negative, .. }) => f.inf() | f.zero(x != negative),
        (Num::Finite { negative, .. }, Num::Inf(x)) => f.zero(x != negative),
        (Num::Finite { negative: s, mant: m, exp: e }, Num::Finite { negative: t, mant: n, exp: g }) => {
            if n == 0 {
                return if m == 0 { f.nan() } else { f.inf() | f.zero(s != t) };
            }
            if m == 0 {
                return f.zero(s != t);
            }
            let (m, e) = normalise(m, e);
            // The divisor keeps at most 53 bits, so that the quotient has more than 70.
            pack(f, s != t, m / n, e - g, m % n != 0, round)
        }
    }
}

/// √a.
pub fn sqrt(f: Format, a: u64, round: Round) -> u64 {
    match unpack(f, a) {
        Num::Nan | Num::Inf(true) => f.nan(),
        Num::Inf(false) => f.inf(),
        Num::Finite { mant: 0, negative, .. } => f.zero(negative),
        Num::Finite { negative: true, .. } => f.nan(),
        Num::Finite { mant, exp, .. } => {
            let (mut m, mut e) = normalise(mant, exp);
            if e & 1 != 0 {
                m <<= 1;
                e -= 1;
            }
            let root = m.isqrt();
            pack(f, false, root, e / 2, root * root != m, round)
        }
    }
}

/// a · 2^n.
pub fn scale(f: Format, a: u64, n: i32, round: Round) -> u64 {
    match unpack(f, a) {
        Num::Nan => f.nan(),
        Num::Inf(s) => f.inf() | f.zero(s),
        Num::Finite { negative, mant, exp } => pack(f, negative, mant, exp + n.clamp(-10_000, 10_000), false, round),
    }
}

/// To another format.
pub fn convert(from: Format, to: Format, a: u64, round: Round) -> u64 {
    match unpack(from, a) {
        Num::Nan => to.nan() | to.zero(a & from.sign_bit() != 0),
        Num::Inf(s) => to.inf() | to.zero(s),
        Num::Finite { negative, mant, exp } => pack(to, negative, mant, exp, false, round),
    }
}

/// From an integer.
pub fn from_int(f: Format, negative: bool, magnitude: u64, round: Round) -> u64 {
    pack(f, negative && magnitude != 0, u128::from(magnitude), 0, false, round)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interesting(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let r = seed.rotate_right(11);
        match (*seed >> 60) & 7 {
            0 => r & 0x8000_0000_0000_0000,
            1 => r & 0x800f_ffff_ffff_ffff,
            2 => 0x7ff0_0000_0000_0000 | r & (1 << 63),
            3 => r & 0xbfff_ffff_ffff_ffff | 0x3c00_0000_0000_0000,
            4 => (r & 0x8000_0000_0000_000f) | 0x3ff0_0000_0000_0000,
            _ => r,
        }
    }

    fn same64(what: &str, got: u64, expected: f64) {
        let ok = f64::from_bits(got).is_nan() && expected.is_nan() || got == expected.to_bits();
        assert!(ok, "{what}: {got:#x} instead of {:#x}", expected.to_bits());
    }

    fn same32(what: &str, got: u64, expected: f32) {
        let ok = f32::from_bits(got as u32).is_nan() && expected.is_nan() || got == u64::from(expected.to_bits());
        assert!(ok, "{what}: {got:#x} instead of {:#x}", expected.to_bits());
    }

    #[test]
    fn agrees_with_the_host() {
        let d = Format::of(Type::F64);
        let s = Format::of(Type::F32);
        let e = Round::Even;
        let mut seed = 42;
        for _ in 0..60_000 {
            let (a, b, c) = (interesting(&mut seed), interesting(&mut seed), interesting(&mut seed));
            let (x, y, z) = (f64::from_bits(a), f64::from_bits(b), f64::from_bits(c));
            same64("add", add(d, a, b, e), x + y);
            same64("mul", mul(d, a, b, e), x * y);
            same64("div", div(d, a, b, e), x / y);
            same64("fma", fma(d, a, b, c, e), x.mul_add(y, z));
            same64("sqrt", sqrt(d, a, e), x.sqrt());
            same32("narrow", convert(d, s, a, e), x as f32);
            let (a, b, c) = (a >> 32, b >> 32, c >> 32);
            let (x, y, z) = (f32::from_bits(a as u32), f32::from_bits(b as u32), f32::from_bits(c as u32));
            same32("add", add(s, a, b, e), x + y);
            same32("mul", mul(s, a, b, e), x * y);
            same32("div", div(s, a, b, e), x / y);
            same32("fma", fma(s, a, b, c, e), x.mul_add(y, z));
            same32("sqrt", sqrt(s, a, e), x.sqrt());
            same64("widen", convert(s, d, a, e), f64::from(x));
            same32("int", from_int(s, false, a << 20 | b, e), (a << 20 | b) as f32);
        }
    }

    #[test]
    fn towards_zero_is_the_neighbour_or_the_nearest() {
        let s = Format::of(Type::F32);
        let mut seed = 7;
        for _ in 0..20_000 {
            let (a, b) = (interesting(&mut seed) >> 32, interesting(&mut seed) >> 32);
            let exact = f64::from(f32::from_bits(a as u32)) * f64::from(f32::from_bits(b as u32));
            let got = f32::from_bits(mul(s, a, b, Round::Zero) as u32);
            if exact.is_finite() && got.is_finite() {
                assert!(f64::from(got).abs() <= exact.abs());
                let next = f64::from(f32::from_bits(got.abs().to_bits() + 1));
                assert!(next > exact.abs() || next.is_infinite(), "{got} {exact}");
            }
        }
        assert_eq!(f32::from_bits(mul(s, 0x7f7f_ffff, 0x4000_0000, Round::Zero) as u32), f32::MAX);
        let h = Format::of(Type::F16);
        assert_eq!(convert(s, h, u64::from(65_535.0f32.to_bits()), Round::Zero), 0x7bff);
        assert_eq!(convert(s, h, u64::from(65_535.0f32.to_bits()), Round::Even), 0x7c00);
    }
}
