//! Luma and chroma (Vulkan specification, "Chroma Reconstruction" and "Sampler Y′CBCR Conversion").

use super::access::{Coords, View, ViewLevel};
use super::desc::{ConversionDesc, ImageDesc, SamplerDesc};
use super::filter::floats;
use crate::texel::{self, Format};

/// Where the chroma of a view comes from.
#[derive(Clone, Debug)]
pub struct Chroma<'a> {
    conversion: &'a ConversionDesc,
    source: Source,
    /// Halvings of width and height against luma.
    shift: [u8; 2],
}

#[derive(Clone, Debug)]
enum Source {
    /// Planes of their own: one with B and R, or two.
    Planes([Option<ImageDesc>; 2]),
    /// The same texels as luma.
    Same,
}

/// Where chroma is read for a position in texels of luma (implicit reconstruction).
fn position(at: f32, halved: bool, midpoint: bool) -> f32 {
    match (halved, midpoint) {
        (false, _) => at,
        (true, true) => at * 0.5,
        (true, false) => (at + 0.5) * 0.5,
    }
}

impl<'a> Chroma<'a> {
    /// `None` if the sampler does not convert.
    pub fn new(desc: &ImageDesc, sampler: &'a SamplerDesc) -> Option<Chroma<'a>> {
        let conversion = &sampler.conversion;
        if conversion.model == 0 {
            return None;
        }
        let Some(planes) = texel::colour_planes(desc.vk_format()) else {
            let halved = texel::find(desc.vk_format()).is_some_and(|f| f.block == [2, 1]);
            return Some(Chroma { conversion, source: Source::Same, shift: [u8::from(halved), 0] });
        };
        let descs = [0, 1].map(|i| {
            planes.get(i + 1).map(|plane| ImageDesc {
                addr: desc.planes[i],
                format: plane.format.as_raw(),
                extent: [desc.extent[0] >> plane.shift[0], desc.extent[1] >> plane.shift[1], 1],
                bytes: texel::find(plane.format).map_or(1, |f| f.bytes as u8),
                ..*desc
            })
        });
        Some(Chroma { conversion, source: Source::Planes(descs), shift: planes[1].shift })
    }

    /// Cb and Cr of a texel of the chroma resolution; places outside are moved to the edge.
    ///
    /// # Safety
    /// The descriptors describe mapped memory.
    unsafe fn texel(&self, view: &View<'_>, level: &ViewLevel, at: &Coords) -> [f32; 2] {
        let clamp = |size: [u32; 3], factor: i32| {
            let inside = |c: i32, size: u32| c.clamp(0, i32::try_from(size).unwrap_or(i32::MAX).max(1) - 1);
            let [x, y, z] = at.xyz;
            Coords { xyz: [inside(x.saturating_mul(factor), size[0]), inside(y, size[1]), z], ..*at }
        };
        match &self.source {
            Source::Same => {
                let factor = i32::from(self.shift[0]) + 1;
                let place = view.place(level, &clamp(level.size, factor));
                // SAFETY: this function's contract.
                let [r, _, b, _] = floats(&place.map_or([0; 4], |p| unsafe { view.read(p) }));
                [b, r]
            }
            Source::Planes(planes) => {
                let read = |plane: &ImageDesc| {
                    let Some(plane) = View::new(plane) else { return [0.0; 4] };
                    let level = plane.level(0);
                    let place = plane.place(&level, &clamp(level.size, 1));
                    // SAFETY: this function's contract.
                    floats(&place.map_or([0; 4], |p| unsafe { plane.read(p) }))
                };
                match planes {
                    [Some(b), Some(r)] => [read(b)[0], read(r)[0]],
                    [first, _] => first.as_ref().map(read).map_or([0.0; 2], |c| [c[0], c[1]]),
                }
            }
        }
    }

    /// Luma in G, and alpha, of a texel.
    ///
    /// # Safety
    /// The descriptors describe mapped memory.
    pub unsafe fn luma(&self, view: &View<'_>, level: &ViewLevel, at: &Coords) -> [f32; 4] {
        // SAFETY: this function's contract.
        let own = floats(&view.place(level, at).map_or([0; 4], |p| unsafe { view.read(p) }));
        match self.source {
            Source::Same => [0.0, own[1], 0.0, own[3]],
            Source::Planes(_) => [0.0, own[0], 0.0, 1.0],
        }
    }

    /// Cr, luma, Cb and alpha after the conversion's swizzle, from a filtered value of [`Chroma::luma`] and the chroma at a
    /// position in texels of luma. `linear` says how components are filtered that have the resolution of luma.
    ///
    /// # Safety
    /// The descriptors describe mapped memory.
    pub unsafe fn complete(
        &self,
        view: &View<'_>,
        luma: [f32; 4],
        [u, v]: [f32; 2],
        layer: i32,
        linear: bool,
    ) -> [f32; 4] {
        let level = view.level(0);
        let halved = self.shift.map(|s| s != 0);
        let linear = if halved[0] { self.conversion.linear != 0 } else { linear };
        let midpoint = |d: u8| self.conversion.midpoint & (1 << d) != 0;
        let at = [position(u, halved[0], midpoint(0)), position(v, halved[1], midpoint(1))];
        let taps = |p: f32| match linear {
            true => {
                let low = (p - 0.5).floor();
                [(low as i32, 1.0 - (p - 0.5 - low)), ((low as i32).saturating_add(1), p - 0.5 - low)]
            }
            false => [(p.floor() as i32, 1.0), (0, 0.0)],
        };
        let (mut cb, mut cr) = (0.0, 0.0);
        for (y, wy) in taps(at[1]) {
            for (x, wx) in taps(at[0]) {
                if wx * wy != 0.0 {
                    let at = Coords { xyz: [x, y, 0], layer, ..Coords::default() };
                    // SAFETY: this function's contract.
                    let [b, r] = unsafe { self.texel(view, &level, &at) };
                    cb += wx * wy * b;
                    cr += wx * wy * r;
                }
            }
        }
        let c = [cr, luma[1], cb, luma[3]];
        self.conversion.swizzle.map(|s| match s {
            0..=3 => c[usize::from(s)],
            5 => 1.0,
            _ => 0.0,
        })
    }
}

/// Range expansion and model conversion. `format` is that of luma: all components have its number of bits.
pub fn convert(conversion: &ConversionDesc, format: &Format, [r, g, b, a]: [f32; 4]) -> [f32; 4] {
    let (kr, kb) = match conversion.model {
        // RGB identity: not even the range is changed.
        0 | 1 => return [r, g, b, a],
        3 => (0.2126, 0.0722),
        4 => (0.299, 0.114),
        5 => (0.2627, 0.0593),
        _ => (0.0, 0.0),
    };
    let bits = format.fields[0].map_or(8, |f| f.bits).clamp(8, 16);
    let bits = match format.codec {
        Some(texel::Codec::Packed422 { bits, .. }) => bits,
        _ => bits,
    };
    let max = ((1u32 << bits) - 1) as f32;
    let unit = (1u32 << (bits - 8)) as f32;
    let narrow = conversion.narrow != 0;
    let luma = if narrow { (g * max - 16.0 * unit) / (219.0 * unit) } else { g };
    let chroma = |c: f32| {
        if narrow {
            (c * max - 128.0 * unit) / (224.0 * unit)
        } else {
            c - 128.0 * unit / max
        }
    };
    let (cb, cr) = (chroma(b), chroma(r));
    if conversion.model == 2 {
        return [cr, luma, cb, a];
    }
    let red = luma + 2.0 * (1.0 - kr) * cr;
    let blue = luma + 2.0 * (1.0 - kb) * cb;
    let green = luma - (2.0 * kb * (1.0 - kb) * cb + 2.0 * kr * (1.0 - kr) * cr) / (1.0 - kr - kb);
    [red, green, blue, a]
}

#[cfg(test)]
mod tests {
    use super::super::{Lookup, View};
    use super::*;
    use ash::vk;

    fn close(a: [f32; 4], b: [f32; 4]) {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-3), "{a:?} {b:?}");
    }

    #[test]
    fn models_and_ranges() {
        let f = texel::find(vk::Format::R8_UNORM).unwrap();
        let c = |model, narrow| ConversionDesc { model, narrow, ..ConversionDesc::default() };
        let mid = 128.0 / 255.0;
        for model in 3..=5 {
            close(convert(&c(model, 0), f, [mid, 0.5, mid, 1.0]), [0.5, 0.5, 0.5, 1.0]);
            close(convert(&c(model, 1), f, [mid, 235.0 / 255.0, mid, 1.0]), [1.0; 4]);
            close(convert(&c(model, 1), f, [mid, 16.0 / 255.0, mid, 1.0]), [0.0, 0.0, 0.0, 1.0]);
        }
        // Pure red in BT.601, narrow range.
        close(convert(&c(4, 1), f, [240.0 / 255.0, 81.48 / 255.0, 90.2 / 255.0, 1.0]), [1.0, 0.0, 0.0, 1.0]);
        close(convert(&c(2, 0), f, [mid, 0.3, mid, 1.0]), [0.0, 0.3, 0.0, 1.0]);
        assert_eq!(convert(&c(1, 1), f, [0.1, 0.2, 0.3, 0.4]), [0.1, 0.2, 0.3, 0.4]);
    }

    #[test]
    fn chroma_lies_where_its_location_says() {
        // The middle of the first chroma sample is at 0.5 in its own texels.
        assert_eq!(position(0.5, true, false), 0.5);
        assert_eq!(position(1.0, true, true), 0.5);
        assert_eq!(position(3.25, false, true), 3.25);
    }

    /// A 4 × 2 image of two planes: luma counts up, chroma has two texels.
    #[test]
    fn planes_come_together() {
        let luma = [0u8, 10, 20, 30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 110, 120, 130];
        let chroma = [40u8, 50, 80, 90];
        let desc = ImageDesc {
            addr: luma.as_ptr() as u64,
            format: vk::Format::G8_B8R8_2PLANE_420_UNORM.as_raw(),
            extent: [4, 2, 1],
            image_layers: 1,
            layers: 1,
            image_levels: 1,
            levels: 1,
            samples: 1,
            kind: ImageDesc::IMAGE,
            bytes: 1,
            block: [1, 1],
            swizzle: [0, 1, 2, 3],
            planes: [chroma.as_ptr() as u64, 0],
            ..ImageDesc::default()
        };
        let view = View::new(&desc).unwrap();
        let conversion = ConversionDesc { model: 1, swizzle: [0, 1, 2, 3], ..ConversionDesc::default() };
        let mut sampler = SamplerDesc { address: [2; 3], converts: 1, conversion, ..SamplerDesc::default() };
        let at = |x: f32, y: f32| Lookup { dims: 2, coords: [x, y, 0.0], lod: Some(0.0), ..Lookup::default() };
        // SAFETY: the descriptor describes `luma` and `chroma`.
        let run = |l: &Lookup, s: &SamplerDesc| unsafe { floats(&l.run(&view, s)) }.map(|c| (c * 255.0).round());
        // x = 1.25 in texels: the first chroma sample; x = 3.5: the second.
        assert_eq!(run(&at(0.3125, 0.75), &sampler), [50.0, 110.0, 40.0, 255.0]);
        assert_eq!(run(&at(0.875, 0.75), &sampler), [90.0, 130.0, 80.0, 255.0]);
        // Co-sited: half-way between them.
        sampler.conversion.linear = 1;
        assert_eq!(run(&at(0.375, 0.75), &sampler), [70.0, 110.0, 60.0, 255.0]);
        // Midpoint: a quarter.
        sampler.conversion.midpoint = 1;
        assert_eq!(run(&at(0.375, 0.75), &sampler), [60.0, 110.0, 50.0, 255.0]);
    }
}
