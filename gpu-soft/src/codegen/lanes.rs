//! Lanes of vectors picked, joined and interleaved, and vectors cut into registers.

use super::gen::Gen;
use super::ir::Val;

impl Gen<'_> {
    /// Every `step`-th element of a wide vector from `at` on, `n` of them.
    pub fn pick(&self, wide: Val, n: u32, at: u32, step: u32) -> Val {
        let indices: Vec<i32> = (0..n).map(|l| (l * step + at) as i32).collect();
        self.m.shuffle(wide, self.m.poison(self.m.type_of(wide)), &indices)
    }

    /// Vectors of equal length, one behind the other; their number is a power of two.
    pub fn concat(&self, parts: &[Val], n: u32) -> Val {
        let (mut parts, mut n) = (parts.to_vec(), n as usize);
        while parts.len() > 1 {
            let both: Vec<i32> = (0..2 * n as i32).collect();
            parts = parts.chunks(2).map(|p| self.m.shuffle(p[0], p[p.len() - 1], &both)).collect();
            n *= 2;
        }
        parts[0]
    }

    /// Vectors of `lanes` elements interleaved: lane 0 of each, lane 1 of each, …; elements beyond the given vectors are
    /// unspecified.
    pub fn interleave(&self, parts: &[Val], lanes: u32, step: u32) -> Val {
        let m = self.m;
        let s = lanes as usize;
        if parts.len() == 1 && step == 1 {
            return parts[0];
        }
        // Join the parts one behind the other, then pick.
        let mut joined = parts[0];
        let mut len = s;
        for &p in &parts[1..] {
            let poison = m.poison(m.type_of(p));
            // Both operands of a shuffle have the same length: widen the part first.
            let wide = if len > s {
                let w: Vec<i32> = (0..len).map(|i| if i < s { i as i32 } else { -1 }).collect();
                m.shuffle(p, poison, &w)
            } else {
                p
            };
            let both: Vec<i32> = (0..len + s).map(|i| i as i32).collect();
            joined = m.shuffle(joined, wide, &both);
            len += s;
        }
        let indices: Vec<i32> = (0..s * step as usize)
            .map(|i| {
                let (lane, part) = (i / step as usize, i % step as usize);
                if part < parts.len() {
                    (part * s + lane) as i32
                } else {
                    -1
                }
            })
            .collect();
        m.shuffle(joined, m.poison(m.type_of(joined)), &indices)
    }

    /// Vectors of `n` lanes in registers of `each` lanes (at most `n`; both are powers of two): what `f` makes of the registers at the
    /// same place in all of them, one behind the other.
    pub fn by_registers<const N: usize>(&self, n: u32, each: u32, all: [Val; N], f: impl Fn([Val; N]) -> Val) -> Val {
        if each == n {
            return f(all);
        }
        let parts: Vec<Val> = (0..n / each).map(|i| f(all.map(|v| self.pick(v, each, i * each, 1)))).collect();
        self.concat(&parts, each)
    }
}
