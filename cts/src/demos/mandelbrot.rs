//! The Mandelbrot set as a picture: WGSL, divergent loops, push constants.

use super::{best_time, Outcome};
use crate::{shaders, Error, Gpu, KernelInfo};
use ash::vk::DescriptorType;
use std::path::Path;

const WIDTH: u32 = 900;
const HEIGHT: u32 = 720;
const LIMIT: u32 = 256;

/// Steps of one point in double precision.
fn reference(x: u32, y: u32) -> u32 {
    let c = (-2.2 + 3.0 * f64::from(x) / f64::from(WIDTH), -1.2 + 2.4 * f64::from(y) / f64::from(HEIGHT));
    let (mut zx, mut zy, mut n) = (0f64, 0f64, 0);
    while n < LIMIT && zx * zx + zy * zy < 16.0 {
        (zx, zy) = (zx * zx - zy * zy + c.0, 2.0 * zx * zy + c.1);
        n += 1;
    }
    n
}

fn color(n: u32) -> [u8; 3] {
    if n >= LIMIT {
        return [0, 0, 0];
    }
    let t = (n as f32 / 48.0).sqrt();
    [0.0f32, 0.6, 1.2].map(|phase| (127.5 * (1.0 + (6.0 * t + phase + 2.4).cos())) as u8)
}

fn write_png(path: &Path, steps: &[u32]) -> std::io::Result<()> {
    let file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut encoder = png::Encoder::new(file, WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let pixels: Vec<u8> = steps.iter().flat_map(|n| color(*n)).collect();
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(())
}

pub fn run(gpu: &Gpu, folder: &Path) -> Result<Outcome, Error> {
    let spirv = shaders::wgsl(include_str!("../../shaders/mandelbrot.wgsl")).map_err(Error::Shader)?;
    let info =
        KernelInfo { spirv: &spirv, bindings: &[DescriptorType::STORAGE_BUFFER], push: 12, ..KernelInfo::default() };
    let kernel = gpu.kernel(&info)?;
    let buffer = gpu.buffer(u64::from(WIDTH * HEIGHT) * 4)?;
    gpu.bind(&kernel, &[&buffer]);
    let push: Vec<u8> = [WIDTH, HEIGHT, LIMIT].iter().flat_map(|v| v.to_ne_bytes()).collect();
    let time = best_time(|| gpu.dispatch(&kernel, &push, [WIDTH.div_ceil(16), HEIGHT.div_ceil(8), 1]))?;
    let steps: Vec<u32> = buffer.read();
    // Points near the border of the set may take another number of steps in single precision; most do not.
    let same = (0..HEIGHT)
        .flat_map(|y| (0..WIDTH).map(move |x| (x, y)))
        .filter(|(x, y)| reference(*x, *y).abs_diff(steps[(y * WIDTH + x) as usize]) <= 1)
        .count();
    let share = same as f64 / f64::from(WIDTH * HEIGHT);
    let path = folder.join("mandelbrot.png");
    let picture = match write_png(&path, &steps) {
        Ok(()) => format!("picture in {}", path.display()),
        Err(error) => format!("no picture: {error}"),
    };
    let written = path.exists();
    let total: u64 = steps.iter().map(|n| u64::from(*n)).sum();
    let rate = total as f64 / time.as_secs_f64() / 1e9;
    gpu.free(buffer);
    gpu.free_kernel(kernel);
    Ok(Outcome {
        checked: format!("{:.2} % of the points as in double precision; {picture}", share * 100.0),
        right: share > 0.985 && written,
        time,
        figure: format!("{rate:.2} Gsteps/s"),
    })
}
