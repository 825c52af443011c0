//! Arithmetic: multiply-adds, n bodies, the Mandelbrot set, random points, nearest centres.

use super::{program, single};
use crate::bench::data::{close, exact, mostly, push, values, Random};
use crate::bench::plan::{Binding::Storage, Case, Plan, Resource, Results, Scale};

const ROW: Case = Case { name: "", family: "arithmetic", unit: "FLOP/s", floor: 1.5, needs: &[], plan: chain };

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "multiply-add chains", plan: chain, ..ROW },
    Case { name: "n-body", floor: 3.0, plan: nbody, ..ROW },
    Case { name: "k-means assignment", plan: kmeans, ..ROW },
    Case { name: "Monte Carlo π", unit: "point/s", plan: monte_carlo, ..ROW },
    Case { name: "mandelbrot", family: "divergent", unit: "iter/s", floor: 3.0, plan: mandelbrot, ..ROW },
];

fn chain(scale: Scale) -> Plan {
    let (n, rounds): (usize, u32) = scale.pick((1024, 16), (1 << 16, 512));
    let a: Vec<f32> = values(1, n, |r| r.float(0.0, 1.0));
    let resources = vec![Resource::of(&a)];
    let (m, c) = (0.75f32, 0.25f32);
    let check = move |r: &dyn Results| {
        let want = a.iter().map(|v| {
            let one = |i: u32| (0..rounds).fold(f64::from(*v) + f64::from(i), |s, _| s * f64::from(m) + f64::from(c));
            (0..8).map(one).sum::<f64>() as f32
        });
        close(&r.floats(0), &want.collect::<Vec<_>>(), 1e-5, 1e-5)
    };
    let push = push(&[rounds, m.to_bits(), c.to_bits()]);
    let work = 16.0 * n as f64 * f64::from(rounds);
    single(program!("fma_chain", &[Storage], 12), resources, push, [n as u32 / 256, 1, 1], work, Box::new(check))
}

fn nbody(scale: Scale) -> Plan {
    let n: usize = scale.pick(256, 4096);
    let softening = 0.01f32;
    let body: Vec<[f32; 4]> =
        values(2, n, |r| [r.float(-1.0, 1.0), r.float(-1.0, 1.0), r.float(-1.0, 1.0), r.float(0.5, 1.5) / n as f32]);
    let resources = vec![Resource::of(&body), Resource::Zeros(16 * n as u64)];
    let check = move |r: &dyn Results| {
        let got = r.floats(1);
        let want = body.iter().flat_map(|p| {
            let mut sum = [0f32; 3];
            for o in &body {
                let d = [o[0] - p[0], o[1] - p[1], o[2] - p[2]];
                let inv = (d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + softening).sqrt().recip();
                let f = o[3] * inv * inv * inv;
                (0..3).for_each(|k| sum[k] += d[k] * f);
            }
            [sum[0], sum[1], sum[2], 0.0]
        });
        close(&got, &want.collect::<Vec<_>>(), 1e-3, 1e-3)
    };
    let push = push(&[n as u32, softening.to_bits()]);
    // 20 operations for each pair, as is the custom.
    let work = 20.0 * (n * n) as f64;
    single(program!("nbody", &[Storage; 2], 8), resources, push, [n as u32 / 256, 1, 1], work, Box::new(check))
}

fn kmeans(scale: Scale) -> Plan {
    let n: usize = scale.pick(1024, 1 << 19);
    let point = |r: &mut Random| [r.float(0.0, 1.0), r.float(0.0, 1.0), r.float(0.0, 1.0), r.float(0.0, 1.0)];
    let (a, centre) = (values(3, n, point), values(4, 32, point));
    let resources = vec![Resource::of(&a), Resource::of(&centre), Resource::Zeros(4 * n as u64)];
    let check = move |r: &dyn Results| {
        let distance = |p: &[f32; 4], c: &[f32; 4]| (0..4).map(|k| (p[k] - c[k]) * (p[k] - c[k])).sum::<f32>();
        let nearest = |p: &[f32; 4]| {
            let pick =
                |best: usize, k: usize| if distance(p, &centre[k]) < distance(p, &centre[best]) { k } else { best };
            (1..32).fold(0, pick) as u32
        };
        let want: Vec<u32> = a.iter().map(nearest).collect();
        // Centres at nearly the same distance may be told apart by a rounding.
        mostly(&r.words(2), &want, 1e-4, |g, w| g == w)
    };
    let program = program!("kmeans", &[Storage; 3], 0);
    let work = 11.0 * 32.0 * n as f64;
    single(program, resources, Vec::new(), [n as u32 / 128, 1, 1], work, Box::new(check))
}

fn monte_carlo(scale: Scale) -> Plan {
    let n: usize = scale.pick(1024, 1 << 17);
    let resources = vec![Resource::Zeros(4 * n as u64)];
    let check = move |r: &dyn Results| {
        let count = |i: u32| {
            let mut s = i.wrapping_mul(2_654_435_761).wrapping_add(1);
            let mut inside = 0;
            for _ in 0..256 {
                s ^= s << 13;
                s ^= s >> 17;
                s ^= s << 5;
                let (x, y) = ((s >> 16) as f32 / 65536.0, (s & 65535) as f32 / 65536.0);
                inside += u32::from(x * x + y * y < 1.0);
            }
            inside
        };
        // A rounding may tip a point on the circle.
        let want: Vec<u32> = (0..n as u32).map(count).collect();
        mostly(&r.words(0), &want, 1e-3, |g, w| g == w)
    };
    let program = program!("monte_carlo", &[Storage], 0);
    single(program, resources, Vec::new(), [n as u32 / 256, 1, 1], 256.0 * n as f64, Box::new(check))
}

fn iterations(x: usize, y: usize, n: usize, limit: u32) -> u32 {
    let c = [x as f32 * (3.0 / n as f32) - 2.25, y as f32 * (3.0 / n as f32) - 1.5];
    let (mut zx, mut zy, mut k) = (0f32, 0f32, 0);
    while k < limit && zx * zx + zy * zy < 4.0 {
        (zx, zy) = (zx * zx - zy * zy + c[0], 2.0 * zx * zy + c[1]);
        k += 1;
    }
    k
}

fn mandelbrot(scale: Scale) -> Plan {
    let (n, limit): (usize, u32) = scale.pick((64, 64), (768, 256));
    let want: Vec<u32> = (0..n * n).map(|i| iterations(i % n, i / n, n, limit)).collect();
    let work = want.iter().map(|k| f64::from(*k)).sum();
    let resources = vec![Resource::Zeros(4 * (n * n) as u64)];
    let check = move |r: &dyn Results| {
        // Orbits are chaotic: contraction of a product and a sum changes some.
        let got = r.words(0);
        mostly(&got, &want, 0.03, |g, w| g == w)?;
        exact(&got[..n], &want[..n])
    };
    let program = program!("mandelbrot", &[Storage], 8);
    let groups = (n / 16) as u32;
    single(program, resources, push(&[n as u32, limit]), [groups, groups, 1], work, Box::new(check))
}
