//! Pictures: storage images and a sampler.

use super::{program, single};
use crate::bench::data::{close, push, values, Random};
use crate::bench::plan::{Binding, Binding::Storage, Case, Plan, Program, Resource, Results, Scale};
use ash::vk::Format;

const ROW: Case = Case { name: "", family: "images", unit: "pixel/s", floor: 1.5, needs: &[], plan: bilinear };

/// Rows.
pub const CASES: &[Case] = &[
    Case {
        name: "blur of a storage image, rgba8",
        plan: |s| blur(program!("image_blur", &[Binding::Image; 2], 0), Format::R8G8B8A8_UNORM, s),
        ..ROW
    },
    Case {
        name: "blur of a storage image, r32f",
        plan: |s| blur(program!("image_blur_f32", &[Binding::Image; 2], 0), Format::R32_SFLOAT, s),
        ..ROW
    },
    Case { name: "bilinear sampling, rgba8", plan: bilinear, ..ROW },
];

/// Channels of texels as floats.
fn channels(format: Format, bytes: &[u8]) -> Vec<f32> {
    if format == Format::R32_SFLOAT {
        bytemuck::allocation::pod_collect_to_vec(bytes)
    } else {
        bytes.iter().map(|b| f32::from(*b) / 255.0).collect()
    }
}

fn blur(program: Program, format: Format, scale: Scale) -> Plan {
    let n: usize = scale.pick(32, 512);
    let float = format == Format::R32_SFLOAT;
    let random = |r: &mut Random| if float { r.float(0.0, 1.0).to_bits() } else { r.word() };
    let texels: Vec<u8> = values(1, n * n, random).iter().flat_map(|w| w.to_le_bytes()).collect();
    let size = [n as u32; 2];
    let resources =
        vec![Resource::Image(size, format, texels.clone()), Resource::Image(size, format, vec![0; texels.len()])];
    let check = move |r: &dyn Results| {
        let a = channels(format, &texels);
        let per = a.len() / (n * n);
        let mut want = vec![0f32; a.len()];
        for y in 0..n {
            for x in 0..n {
                for k in 0..9 {
                    let qx = (x + k % 3).saturating_sub(1).min(n - 1);
                    let qy = (y + k / 3).saturating_sub(1).min(n - 1);
                    for c in 0..per {
                        want[(y * n + x) * per + c] += a[(qy * n + qx) * per + c] / 9.0;
                    }
                }
            }
        }
        // A byte is rounded either way.
        close(&channels(format, r.bytes(1)), &want, 1e-5, if float { 1e-5 } else { 0.003 })
    };
    let groups = (n / 16) as u32;
    single(program, resources, Vec::new(), [groups, groups, 1], (n * n) as f64, Box::new(check))
}

fn bilinear(scale: Scale) -> Plan {
    let n: usize = scale.pick(32, 512);
    let out = n * 3 / 2;
    let texels: Vec<u8> = values(2, 4 * n * n, |r| r.word() as u8);
    let resources = vec![
        Resource::Image([n as u32; 2], Format::R8G8B8A8_UNORM, texels.clone()),
        Resource::Zeros(16 * (out * out) as u64),
    ];
    let check = move |r: &dyn Results| {
        let a = channels(Format::R8G8B8A8_UNORM, &texels);
        let mut want = Vec::with_capacity(4 * out * out);
        // Texel and weight of a coordinate along one axis.
        let axis = |i: usize| {
            let u = (i as f32 + 0.5) / out as f32 * n as f32 - 0.5;
            let low = u.floor();
            let at = |v: f32| v.clamp(0.0, (n - 1) as f32) as usize;
            (at(low), at(low + 1.0), u - low)
        };
        for y in 0..out {
            let (y0, y1, v) = axis(y);
            for x in 0..out {
                let (x0, x1, u) = axis(x);
                for c in 0..4 {
                    let t = |x: usize, y: usize| a[(y * n + x) * 4 + c];
                    let top = t(x0, y0) + (t(x1, y0) - t(x0, y0)) * u;
                    let bottom = t(x0, y1) + (t(x1, y1) - t(x0, y1)) * u;
                    want.push(top + (bottom - top) * v);
                }
            }
        }
        // Weights of filters have few bits on many devices.
        close(&r.floats(1), &want, 0.0, 0.012)
    };
    let program = program!("image_bilinear", &[Binding::Sampled, Storage], 4);
    let groups = (out / 16) as u32;
    single(program, resources, push(&[out as u32]), [groups, groups, 1], (out * out) as f64, Box::new(check))
}
