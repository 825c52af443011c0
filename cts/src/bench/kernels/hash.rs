//! Whole numbers: hashes, and divisions.

use super::{program, single};
use crate::bench::data::{exact, push, values, Random};
use crate::bench::plan::{Binding::Storage, Case, Need, Plan, Resource, Results, Scale};

const ROW: Case = Case { name: "", family: "integers", unit: "hash/s", floor: 1.5, needs: &[], plan: pcg };

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "PCG hash", plan: pcg, ..ROW },
    Case { name: "SplitMix64 hash (64 bits)", needs: &[Need::Int64], plan: split_mix, ..ROW },
    Case { name: "SHA-256", plan: sha256, ..ROW },
    Case { name: "modular powers", unit: "division/s", plan: division, ..ROW },
];

fn pcg(scale: Scale) -> Plan {
    let n: usize = scale.pick(1024, 1 << 19);
    let a: Vec<u32> = values(1, n, |r| r.word());
    let resources = vec![Resource::of(&a)];
    let check = move |r: &dyn Results| {
        let round = |v: u32, _: u32| {
            let state = v.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
            (word >> 22) ^ word
        };
        let want: Vec<u32> = a.iter().map(|v| (0..64).fold(*v, round)).collect();
        exact(&r.words(0), &want)
    };
    let program = program!("pcg", &[Storage], 0);
    single(program, resources, Vec::new(), [n as u32 / 256, 1, 1], 64.0 * n as f64, Box::new(check))
}

fn split_mix(scale: Scale) -> Plan {
    let n: usize = scale.pick(1024, 1 << 18);
    let a: Vec<u64> = values(5, n, Random::bits);
    let resources = vec![Resource::of(&a)];
    let check = move |r: &dyn Results| {
        let got: Vec<u64> = bytemuck::allocation::pod_collect_to_vec(r.bytes(0));
        let sum = |s: &u64| {
            let mut random = Random(*s);
            (0..32).fold(0, |sum, _| sum ^ random.bits())
        };
        exact(&got, &a.iter().map(sum).collect::<Vec<_>>())
    };
    let program = program!("hash64", &[Storage], 0);
    single(program, resources, Vec::new(), [n as u32 / 256, 1, 1], 32.0 * n as f64, Box::new(check))
}

fn division(scale: Scale) -> Plan {
    let n: usize = scale.pick(1024, 1 << 19);
    let exponent = 0xb6d5;
    let a: Vec<u32> = values(2, n, |r| r.word());
    // Below 2¹⁶, so that products fit.
    let m: Vec<u32> = values(3, n, |r| 2 + r.below(65_000));
    let resources = vec![Resource::of(&a), Resource::of(&m), Resource::Zeros(4 * n as u64)];
    let check = move |r: &dyn Results| {
        let power = |(a, m): (&u32, &u32)| {
            let (mut x, mut p, mut e) = (a % m, 1, exponent);
            while e > 0 {
                if e & 1 != 0 {
                    p = p * x % m;
                }
                x = x * x % m;
                e >>= 1;
            }
            p
        };
        let want: Vec<u32> = a.iter().zip(&m).map(power).collect();
        exact(&r.words(2), &want)
    };
    let divisions = 1 + (32 - u32::leading_zeros(exponent)) + u32::count_ones(exponent);
    let program = program!("division", &[Storage; 3], 4);
    let work = f64::from(divisions) * n as f64;
    single(program, resources, push(&[exponent]), [n as u32 / 256, 1, 1], work, Box::new(check))
}

/// First digits of the square and cube roots of the first primes, as the standard has them.
fn root_digits(prime: u64, cube: bool) -> u32 {
    // The largest r with r² ≤ p·2⁶⁴, or r³ ≤ p·2⁹⁶: its low 32 bits are the digits after the point.
    let (mut low, mut high) = (0u128, 1u128 << 36);
    while high - low > 1 {
        let r = (low + high) / 2;
        let fits = if cube { r * r * r <= u128::from(prime) << 96 } else { r * r <= u128::from(prime) << 64 };
        if fits {
            low = r;
        } else {
            high = r;
        }
    }
    low as u32
}

fn digest(message: &[u32; 8], k: &[u32], initial: &[u32]) -> [u32; 8] {
    let mut w = [0u32; 64];
    w[..8].copy_from_slice(message);
    w[8] = 0x8000_0000;
    w[15] = 256;
    for t in 16..64 {
        let s0 = w[t - 15].rotate_right(7) ^ w[t - 15].rotate_right(18) ^ (w[t - 15] >> 3);
        let s1 = w[t - 2].rotate_right(17) ^ w[t - 2].rotate_right(19) ^ (w[t - 2] >> 10);
        w[t] = w[t - 16].wrapping_add(s0).wrapping_add(w[t - 7]).wrapping_add(s1);
    }
    let mut v = [0u32; 8];
    v.copy_from_slice(initial);
    for t in 0..64 {
        let [a, b, c, _, e, f, g, h] = v;
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let x = h.wrapping_add(s1).wrapping_add((e & f) ^ (!e & g)).wrapping_add(k[t]).wrapping_add(w[t]);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let y = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        v = [x.wrapping_add(y), a, b, c, v[3].wrapping_add(x), e, f, g];
    }
    std::array::from_fn(|i| v[i].wrapping_add(initial[i]))
}

/// Constants of the rounds, and the first state.
fn constants() -> (Vec<u32>, Vec<u32>) {
    let primes: Vec<u64> = (2..312).filter(|n| (2..*n).all(|d| n % d != 0)).take(64).collect();
    (
        primes.iter().map(|p| root_digits(*p, true)).collect(),
        primes[..8].iter().map(|p| root_digits(*p, false)).collect(),
    )
}

fn sha256(scale: Scale) -> Plan {
    let n: usize = scale.pick(256, 1 << 16);
    let a: Vec<u32> = values(4, 8 * n, |r| r.word());
    let resources = vec![Resource::of(&a), Resource::Zeros(32 * n as u64)];
    let check = move |r: &dyn Results| {
        let (k, initial) = constants();
        let mut want = vec![0u32; 8 * n];
        for i in 0..n {
            let digest = digest(&std::array::from_fn(|w| a[w * n + i]), &k, &initial);
            digest.iter().enumerate().for_each(|(w, v)| want[w * n + i] = *v);
        }
        exact(&r.words(1), &want)
    };
    let program = program!("sha256", &[Storage; 2], 4);
    single(program, resources, push(&[n as u32]), [n as u32 / 64, 1, 1], n as f64, Box::new(check))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_sha256() {
        let (k, initial) = constants();
        assert_eq!((k[0], k[63], initial[7]), (0x428a_2f98, 0xc671_78f2, 0x5be0_cd19));
        // 32 zero bytes.
        let want =
            [0x6668_7aad, 0xf862_bd77, 0x6c8f_c18b, 0x8e9f_8e20, 0x0897_1485, 0x6ee2_33b3, 0x902a_591d, 0x0d5f_2925];
        assert_eq!(digest(&[0; 8], &k, &initial), want);
    }
}
