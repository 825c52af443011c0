//! A picture by sphere tracing: divergent loops and branches. The reference follows the shader function by function.

use super::{program, single};
use crate::bench::data::{mostly, push};
use crate::bench::plan::{Binding::Storage, Case, Plan, Program, Resource, Results};

/// Rows.
pub const CASES: &[Case] = &[Case {
    name: "ray march",
    family: "divergent",
    unit: "pixel/s",
    floor: 3.0,
    needs: &[],
    plan: |s| {
        let size = s.pick([32, 32], [320, 240]);
        let check = move |r: &dyn Results| reference(&r.words(0), size);
        let groups = [size[0] / 16, size[1] / 16, 1];
        let pixels = size[0] * size[1];
        let resources = vec![Resource::Zeros(4 * u64::from(pixels))];
        let plan: Plan = single(program(), resources, pushed(size), groups, f64::from(pixels), Box::new(check));
        plan
    },
}];

/// The program.
pub fn program() -> Program {
    program!("raymarch", &[Storage], 12)
}

/// Its push constants for a picture of this size.
pub fn pushed(size: [u32; 2]) -> Vec<u8> {
    push(&[size[0], size[1], TIME.to_bits()])
}

/// Compares a picture with the reference. At edges a rounding may show another solid.
pub fn reference(got: &[u32], size: [u32; 2]) -> Result<(), String> {
    let want: Vec<u32> =
        (0..size[1]).flat_map(|y| (0..size[0]).map(move |x| (x, y))).map(|(x, y)| pixel(x, y, size)).collect();
    let near = |g: &u32, w: &u32| (0..4).all(|k| (g >> (8 * k) & 255).abs_diff(w >> (8 * k) & 255) <= 3);
    mostly(got, &want, 0.02, near)
}

const FAR: f32 = 40.0;
const TIME: f32 = 0.6;

type V = [f32; 3];

fn add(a: V, b: V) -> V {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

fn sub(a: V, b: V) -> V {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn times(a: V, s: f32) -> V {
    a.map(|v| v * s)
}

fn dot(a: V, b: V) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn length(a: V) -> f32 {
    dot(a, a).sqrt()
}

fn normalize(a: V) -> V {
    times(a, 1.0 / length(a))
}

fn mix(a: f32, b: f32, t: f32) -> f32 {
    a * (1.0 - t) + b * t
}

fn mix3(a: V, b: V, t: f32) -> V {
    [mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t)]
}

fn smooth_union(a: f32, b: f32, k: f32) -> f32 {
    let h = (0.5 + 0.5 * (b - a) / k).clamp(0.0, 1.0);
    mix(b, a, h) - k * h * (1.0 - h)
}

/// Distance and material.
fn scene(p: V) -> (f32, i32) {
    let mut hit = (p[1], 0);
    let mut nearer = |d: f32, material| {
        if hit.0 >= d {
            hit = (d, material);
        }
    };
    let ball = length(sub(p, [0.0, 1.0, 0.0])) - 1.0;
    let knob = length(sub(p, [0.7, 1.7, 0.3])) - 0.5;
    nearer(smooth_union(ball, knob, 0.3), 1);
    let q = sub(p, [2.5, 0.75, 0.5]);
    let (s, c) = TIME.sin_cos();
    let q = [c * q[0] + s * q[2], q[1], c * q[2] - s * q[0]];
    let q = sub(q.map(f32::abs), [0.6, 0.7, 0.6]);
    let outside = length(q.map(|v| v.max(0.0)));
    nearer(outside + q[0].max(q[1].max(q[2])).min(0.0) - 0.05, 2);
    let r = sub(p, [-2.5, 0.6, 0.2]);
    let ring = r[0].hypot(r[2]) - 0.8;
    nearer(ring.hypot(r[1]) - 0.3, 3);
    let (a, b) = ([-0.8, 0.3, -1.6], [1.2, 0.5, -2.0]);
    let (pa, ba) = (sub(p, a), sub(b, a));
    let h = (dot(pa, ba) / dot(ba, ba)).clamp(0.0, 1.0);
    nearer(length(sub(pa, times(ba, h))) - 0.25, 4);
    hit
}

fn normal_at(p: V) -> V {
    let e = 0.002;
    let along = |d: V| scene(add(p, d)).0 - scene(sub(p, d)).0;
    normalize([along([e, 0.0, 0.0]), along([0.0, e, 0.0]), along([0.0, 0.0, e])])
}

fn march(origin: V, direction: V) -> (f32, i32) {
    let mut t = 0.02;
    for _ in 0..96 {
        let (d, material) = scene(add(origin, times(direction, t)));
        if d < 0.001 * t {
            return (t, material);
        }
        t += d;
        if t > FAR {
            break;
        }
    }
    (FAR, -1)
}

fn shadow(origin: V, direction: V) -> f32 {
    let (mut light, mut t) = (1f32, 0.05f32);
    for _ in 0..32 {
        let d = scene(add(origin, times(direction, t))).0;
        if d < 0.001 {
            return 0.0;
        }
        light = light.min(8.0 * d / t);
        t += d.clamp(0.05, 0.5);
        if t > 8.0 {
            break;
        }
    }
    light
}

fn occlusion(p: V, n: V) -> f32 {
    let (mut sum, mut weight) = (0f32, 1f32);
    for i in 1..=5u8 {
        let reach = 0.08 * f32::from(i);
        sum += weight * (reach - scene(add(p, times(n, reach))).0);
        weight *= 0.7;
    }
    (1.0 - 1.5 * sum).clamp(0.0, 1.0)
}

fn albedo(p: V, material: i32) -> V {
    match material {
        0 => {
            let even = (p[0].floor() + p[2].floor()).rem_euclid(2.0);
            mix3([0.25, 0.27, 0.3], [0.75, 0.72, 0.68], even)
        }
        1 => [0.9, 0.35, 0.25],
        2 => [0.3, 0.55, 0.9],
        3 => [0.35, 0.8, 0.4],
        _ => [0.9, 0.8, 0.3],
    }
}

fn sky(direction: V) -> V {
    mix3([0.85, 0.9, 0.95], [0.35, 0.55, 0.85], direction[1].max(0.0).sqrt())
}

fn shade(p: V, n: V, direction: V, material: i32) -> V {
    let sun = normalize([0.6, 0.8, -0.4]);
    let mut diffuse = dot(n, sun).max(0.0);
    if diffuse > 0.0 {
        diffuse *= shadow(add(p, times(n, 0.01)), sun);
    }
    let middle = normalize(sub(sun, direction));
    let shine = dot(n, middle).max(0.0001).powf(32.0) * diffuse;
    let ambient = times(sky(n), 0.35 * occlusion(p, n));
    let light = add(ambient, times([1.0, 0.95, 0.85], diffuse));
    let color = albedo(p, material);
    add([color[0] * light[0], color[1] * light[1], color[2] * light[2]], [0.4 * shine; 3])
}

fn trace(origin: V, direction: V) -> V {
    let (distance, material) = march(origin, direction);
    if material < 0 {
        return sky(direction);
    }
    let p = add(origin, times(direction, distance));
    let n = normal_at(p);
    let mut color = shade(p, n, direction, material);
    if material == 1 || material == 4 {
        let mirrored = sub(direction, times(n, 2.0 * dot(direction, n)));
        let start = add(p, times(n, 0.01));
        let (distance, material) = march(start, mirrored);
        let mut seen = sky(mirrored);
        if material >= 0 {
            let q = add(start, times(mirrored, distance));
            seen = shade(q, normal_at(q), mirrored, material);
        }
        color = mix3(color, seen, 0.25);
    }
    let fog = 1.0 - (-0.002 * distance * distance).exp();
    mix3(color, sky(direction), fog)
}

fn pixel(x: u32, y: u32, size: [u32; 2]) -> u32 {
    let (width, height) = (size[0] as f32, size[1] as f32);
    let at = [(x as f32 + 0.5) * 2.0 - width, (y as f32 + 0.5) * 2.0 - height];
    let uv = [at[0] / height, -at[1] / height];
    let direction = normalize([uv[0] * 0.9, uv[1] * 0.9 - 0.45, 1.7]);
    let color = trace([0.5, 2.6, -6.0], direction);
    let c = color.map(|v| (v.clamp(0.0, 1.0).sqrt() * 255.0 + 0.5) as u32);
    c[0] | c[1] << 8 | c[2] << 16 | 0xff00_0000
}
