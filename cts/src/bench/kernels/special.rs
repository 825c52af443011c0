//! Transcendental functions.

use super::{program, single};
use crate::bench::data::{close, push, values};
use crate::bench::plan::{Binding::Storage, Case, Plan, Program, Resource, Results, Scale};

const ROW: Case = Case { name: "", family: "special functions", unit: "op/s", floor: 3.0, needs: &[], plan: options };

/// Rows.
pub const CASES: &[Case] = &[
    Case { name: "Black–Scholes", unit: "option/s", plan: options, ..ROW },
    Case {
        name: "exp, log, exp2, log2",
        plan: |s| {
            let f = |x: f64| x.exp() + x.ln() + (-x).exp2() + x.log2();
            functions(program!("special_exp_log", &[Storage; 2], 0), f, s)
        },
        ..ROW
    },
    Case {
        name: "sin, cos, tan, atan",
        plan: |s| {
            let f = |x: f64| x.sin() + x.cos() * (0.1 * x).tan() + x.atan();
            functions(program!("special_trigonometry", &[Storage; 2], 0), f, s)
        },
        ..ROW
    },
    Case {
        name: "pow, sqrt, inversesqrt, tanh",
        plan: |s| {
            let f = |x: f64| x.powf(2.2) + x.sqrt() / (x + 1.0).sqrt() + x.tanh();
            functions(program!("special_pow", &[Storage; 2], 0), f, s)
        },
        ..ROW
    },
];

fn functions(program: Program, f: fn(f64) -> f64, scale: Scale) -> Plan {
    let n: usize = scale.pick(1024, 1 << 19);
    let a: Vec<f32> = values(1, n, |r| r.float(0.5, 3.0));
    let resources = vec![Resource::of(&a), Resource::Zeros(4 * n as u64)];
    let check = move |r: &dyn Results| {
        let sum = |v: &f32| (0..8).map(|k| f(f64::from(v + 0.125 * k as f32))).sum::<f64>() as f32;
        let want: Vec<f32> = a.iter().map(sum).collect();
        // Vulkan lets sines and cosines be wrong by 2⁻¹¹, and tangents follow from them.
        close(&r.floats(1), &want, 1e-3, 8.0 * 2e-3)
    };
    // Four functions, eight times.
    single(program, resources, Vec::new(), [n as u32 / 256, 1, 1], 32.0 * n as f64, Box::new(check))
}

fn cnd(d: f64) -> f64 {
    let k = 1.0 / (1.0 + 0.2316419 * d.abs());
    let poly = k * (0.31938153 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))));
    let tail = 0.398_942_280_401_432_7 * (-0.5 * d * d).exp() * poly;
    if d > 0.0 {
        1.0 - tail
    } else {
        tail
    }
}

fn options(scale: Scale) -> Plan {
    let n: usize = scale.pick(1000, (1 << 20) - 24);
    let (rate, volatility) = (0.02f32, 0.3f32);
    let s: Vec<f32> = values(2, n, |r| r.float(5.0, 30.0));
    let x: Vec<f32> = values(3, n, |r| r.float(1.0, 100.0));
    let t: Vec<f32> = values(4, n, |r| r.float(0.25, 10.0));
    let out = Resource::Zeros(4 * n as u64);
    let resources = vec![Resource::of(&s), Resource::of(&x), Resource::of(&t), out.clone(), out];
    let check = move |r: &dyn Results| {
        let (rate, v) = (f64::from(rate), f64::from(volatility));
        let (mut call, mut put) = (Vec::new(), Vec::new());
        for ((s, x), t) in s.iter().zip(&x).zip(&t) {
            let (s, x, t) = (f64::from(*s), f64::from(*x), f64::from(*t));
            let d1 = ((s / x).ln() + (rate + 0.5 * v * v) * t) / (v * t.sqrt());
            let (n1, n2) = (cnd(d1), cnd(d1 - v * t.sqrt()));
            let now = (-rate * t).exp() * x;
            call.push((s * n1 - now * n2) as f32);
            put.push((now * (1.0 - n2) - s * (1.0 - n1)) as f32);
        }
        close(&r.floats(3), &call, 1e-4, 1e-3)?;
        close(&r.floats(4), &put, 1e-4, 1e-3)
    };
    let push = push(&[n as u32, rate.to_bits(), volatility.to_bits()]);
    let program = program!("black_scholes", &[Storage; 5], 12);
    single(program, resources, push, [n.div_ceil(256) as u32, 1, 1], n as f64, Box::new(check))
}
