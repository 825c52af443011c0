//! Vertices and triangles.

use super::{program, single};
use crate::bench::data::{close, mostly, push, values, Random};
use crate::bench::plan::{Binding, Binding::Storage, Case, Plan, Resource, Results, Scale};

const ROW: Case = Case { name: "", family: "geometry", unit: "vertex/s", floor: 1.5, needs: &[], plan: transform };

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "vertices through bone matrices", plan: transform, ..ROW },
    Case { name: "rays and triangles", unit: "test/s", plan: triangles, ..ROW },
];

fn transform(scale: Scale) -> Plan {
    let n: usize = scale.pick(256, 1 << 17);
    let unit = |r: &mut Random| r.float(-1.0, 1.0);
    // Position, bone, normal, padding; normals are not short.
    let a: Vec<[f32; 8]> = values(1, n, |r| {
        let bone = f32::from_bits(r.below(4));
        [unit(r), unit(r), unit(r), bone, unit(r), unit(r), 1.0 + unit(r).abs(), 0.0]
    });
    let m: Vec<[[f32; 4]; 4]> = values(2, 4, |r| {
        let mut column = |k: usize| std::array::from_fn(|i| if i == k { 2.0 } else { 0.25 * unit(r) });
        [column(0), column(1), column(2), column(3)]
    });
    let resources = vec![Resource::of(&a), Resource::Zeros(32 * n as u64), Resource::of(&m)];
    let check = move |r: &dyn Results| {
        let got = r.floats(1);
        let mut want = Vec::with_capacity(got.len());
        for v in &a {
            let m = &m[v[3].to_bits() as usize];
            let along = |at: usize, i: usize| (0..3).map(|c| m[c][i] * v[at + c]).sum::<f32>();
            want.extend((0..3).map(|i| along(0, i) + m[3][i]));
            want.push(v[3]);
            let normal: [f32; 3] = std::array::from_fn(|i| along(4, i));
            let length = normal.iter().map(|v| v * v).sum::<f32>().sqrt();
            want.extend(normal.map(|v| v / length));
            want.push(0.0);
        }
        close(&got, &want, 1e-5, 1e-5)
    };
    let program = program!("transform", &[Storage, Storage, Binding::Uniform], 0);
    single(program, resources, Vec::new(), [n as u32 / 64, 1, 1], n as f64, Box::new(check))
}

fn sub(a: &[f32], b: &[f32]) -> [f32; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn cross(a: &[f32], b: &[f32]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The nearest triangle before a point, looking along z.
fn nearest(triangles: &[[f32; 12]], origin: [f32; 3]) -> u32 {
    let (mut best, mut hit) = (1e30, u32::MAX);
    for (k, t) in (0u32..).zip(triangles) {
        let (a, ab, ac) = (&t[0..3], &t[4..7], &t[8..11]);
        let h = cross(&[0.0, 0.0, 1.0], ac);
        let det = dot(ab, &h);
        if det.abs() < 1e-9 {
            continue;
        }
        let s = sub(&origin, a);
        let q = cross(&s, ab);
        let (u, v, d) = (dot(&s, &h) / det, q[2] / det, dot(ac, &q) / det);
        if u >= 0.0 && v >= 0.0 && u + v <= 1.0 && d > 0.0 && d < best {
            (best, hit) = (d, k);
        }
    }
    hit
}

fn triangles(scale: Scale) -> Plan {
    let (width, n): (usize, usize) = scale.pick((16, 16), (256, 256));
    let t: Vec<[f32; 12]> = values(3, n, |r| {
        let mut t = [0.0; 12];
        (0..3).for_each(|i| t[i] = r.float(0.0, 1.0));
        (0..3).for_each(|i| t[4 + i] = r.float(-0.3, 0.3));
        (0..3).for_each(|i| t[8 + i] = r.float(-0.3, 0.3));
        t
    });
    let resources = vec![Resource::of(&t), Resource::Zeros(4 * (width * width) as u64)];
    let check = move |r: &dyn Results| {
        let at = |i: usize| (i as f32) / width as f32;
        let want: Vec<u32> = (0..width * width).map(|p| nearest(&t, [at(p % width), at(p / width), -1.0])).collect();
        // At edges a rounding decides.
        mostly(&r.words(1), &want, 0.002, |g, w| g == w)
    };
    let program = program!("triangles", &[Storage; 2], 8);
    let groups = (width / 8) as u32;
    let work = (n * width * width) as f64;
    single(program, resources, push(&[width as u32, n as u32]), [groups, groups, 1], work, Box::new(check))
}
