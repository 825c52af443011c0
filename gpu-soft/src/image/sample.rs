//! Filtered reads (Vulkan specification, "Texel Input Operations").

use super::access::{Coords, View, ViewLevel};
use super::chroma::{convert, Chroma};
use super::cube;
use super::desc::{Filter, SamplerDesc};
use super::filter::{compare, cubic_weights, floats, reduce, reduce_cubic, texel, wrap};
use super::lod::{face_gradients, Scale, MAX_ANISOTROPY};
use crate::texel::{Class, Texel};

/// A filtered read or a gather of one invocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lookup {
    /// Number of spatial dimensions, 1 to 3 (3 for cubes: the direction).
    pub dims: u8,
    /// A cube map.
    pub cube: bool,
    /// u, v, w (or the direction).
    pub coords: [f32; 3],
    /// Array layer before rounding.
    pub layer: f32,
    /// Explicit level of detail.
    pub lod: Option<f32>,
    /// ∂x and ∂y.
    pub grad: Option<[[f32; 3]; 2]>,
    /// Integer offset.
    pub offset: [i32; 3],
    /// Depth-comparison reference.
    pub dref: Option<f32>,
    /// Gather of that component.
    pub gather: Option<u8>,
    /// Four offsets of a gather.
    pub gather_offsets: Option<[[i32; 2]; 4]>,
    /// Least level of detail from the instruction.
    pub min_lod: Option<f32>,
    /// What the instruction adds to the level of detail.
    pub bias: Option<f32>,
    /// Only the level is asked for: see [`Lookup::run`].
    pub query: bool,
}

/// The value; with a comparison the first component holds it. For a query, the first two: the level that is read, and the
/// level of detail before it is clamped.
pub type LookupResult = Texel;

/// `VkPhysicalDeviceLimits::maxSamplerLodBias`.
pub const MAX_LOD_BIAS: f32 = 16.0;

/// The level next to a level of detail.
fn nearest(lambda: f32) -> f32 {
    (lambda + 0.5).ceil() - 1.0
}

/// The level of detail before and after its limits, from that of the instruction.
pub fn level_of_detail(
    view: &View<'_>,
    sampler: &SamplerDesc,
    lod: f32,
    bias: Option<f32>,
    min_lod: Option<f32>,
) -> (f32, f32) {
    let bias = f32::from_bits(sampler.bias) + bias.unwrap_or(0.0);
    let free = lod + bias.clamp(-MAX_LOD_BIAS, MAX_LOD_BIAS);
    let lambda = if free.is_nan() { 0.0 } else { free };
    let least = f32::from_bits(sampler.min_lod).max(min_lod.unwrap_or(f32::NEG_INFINITY));
    let relative = f32::from_bits(view.desc.min_lod) - f32::from(view.desc.base_level);
    (free, lambda.max(least).min(f32::from_bits(sampler.max_lod).max(least)).max(relative))
}

/// The level of a view that is read for a level of detail; where two are blended, the second and its weight.
pub fn levels_read(view: &View<'_>, sampler: &SamplerDesc, lambda: f32) -> (u32, Option<(u32, f32)>) {
    let last = u32::from(view.desc.levels.max(1)) - 1;
    let q = last as f32;
    if sampler.mip == 0 || last == 0 {
        return (nearest(lambda).clamp(0.0, q) as u32, None);
    }
    let lambda = lambda.clamp(0.0, q);
    let (low, blend) = (lambda.floor() as u32, lambda - lambda.floor());
    let blends = blend != 0.0 && view.format.class() == Class::Float;
    (low, blends.then(|| ((low + 1).min(last), blend)))
}

/// Nearest or linear footprint in one level.
struct Footprint<'a> {
    view: &'a View<'a>,
    sampler: &'a SamplerDesc,
    level: ViewLevel,
    /// Of a view with planes and a sampler that converts.
    chroma: Option<Chroma<'a>>,
    layer: i32,
    face: Option<u32>,
    dref: Option<f32>,
}

impl Footprint<'_> {
    /// The border colour as this format holds it: components that the format lacks are as in any texel.
    fn border(&self) -> Texel {
        let mut texel = self.sampler.border.map(u64::from);
        let missing = self.view.format.missing();
        for (i, field) in self.view.format.fields.iter().enumerate() {
            if field.is_none() {
                texel[i] = missing[i];
            }
        }
        self.view.swizzle(&texel)
    }

    /// The texel at (i, j, k) after address modes.
    ///
    /// # Safety
    /// The descriptor describes mapped memory.
    unsafe fn fetch(&self, i: [i32; 3]) -> Option<Texel> {
        let size = self.level.size.map(|e| i32::try_from(e).unwrap_or(i32::MAX));
        let (xyz, layer) = match self.face {
            Some(face) if self.sampler.separate_faces == 0 => {
                let (face, x, y) = cube::wrap_edge(face, i[0], i[1], size[0])?;
                ([x, y, 0], self.layer.wrapping_mul(6).wrapping_add(face as i32))
            }
            _ => {
                let mut xyz = [0; 3];
                for d in 0..3 {
                    match wrap(self.sampler.address[d], i[d], size[d]) {
                        Some(v) => xyz[d] = v,
                        None => return Some(self.border()),
                    }
                }
                (xyz, self.face.map_or(self.layer, |face| self.layer.wrapping_mul(6).wrapping_add(face as i32)))
            }
        };
        let at = Coords { xyz, layer, ..Coords::default() };
        if let Some(chroma) = &self.chroma {
            // SAFETY: this function's contract.
            return Some(texel(unsafe { chroma.luma(self.view, &self.level, &at) }));
        }
        match self.view.place(&self.level, &at) {
            // SAFETY: this function's contract.
            Some(place) => Some(self.view.swizzle(&unsafe { self.view.read(place) })),
            None => Some(self.view.outside()),
        }
    }

    /// The texel as floats, compared with the reference if there is one.
    ///
    /// # Safety
    /// As [`Self::fetch`].
    unsafe fn value(&self, i: [i32; 3]) -> Option<[f32; 4]> {
        // SAFETY: this function's contract.
        let v = floats(&unsafe { self.fetch(i) }?);
        Some(match self.dref {
            Some(reference) => {
                let pass = if compare(self.sampler.compare_op, reference, v[0]) { 1.0 } else { 0.0 };
                [pass, 0.0, 0.0, 1.0]
            }
            None => v,
        })
    }
}

impl Lookup {
    /// Performs the read through a view and a sampler.
    ///
    /// # Safety
    /// The view's descriptor describes memory that is mapped and readable.
    pub unsafe fn run(&self, view: &View<'_>, sampler: &SamplerDesc) -> LookupResult {
        // SAFETY: this function's contract.
        let value = unsafe { self.looked_up(view, sampler) };
        if sampler.conversion.model == 0 {
            return value;
        }
        let fp = self.footprint(view, sampler, None, 0);
        let Some(chroma) = &fp.chroma else { return value };
        let [u, v, _] = self.texel_space(&fp, self.coords, self.dims);
        let linear = Filter::from_code(sampler.mag) == Filter::Linear;
        // SAFETY: this function's contract.
        let value = unsafe { chroma.complete(view, floats(&value), [u, v], fp.layer, linear) };
        texel(convert(&sampler.conversion, view.format, value))
    }

    /// The value before its conversion.
    ///
    /// # Safety
    /// As [`Self::run`].
    unsafe fn looked_up(&self, view: &View<'_>, sampler: &SamplerDesc) -> LookupResult {
        if let Some(component) = self.gather {
            let (face, coords, dims) = self.on_face(self.coords);
            // SAFETY: this function's contract.
            return unsafe { self.gather(&self.footprint(view, sampler, face, 0), coords, dims, component) };
        }
        if sampler.unnormalized != 0 {
            if self.query {
                return [0; 4];
            }
            // SAFETY: this function's contract.
            return unsafe { self.filtered(view, sampler, self.coords, 0.0) };
        }
        let scale = match (self.lod, &self.grad) {
            (Some(lod), _) => Scale::isotropic(lod),
            (None, Some(grad)) => {
                let size = view.extent(0).map(|e| e as f32);
                let most = if view.format.class() == Class::Float { sampler.anisotropy } else { 0 };
                if self.cube {
                    Scale::of(&face_gradients(self.coords, grad), 2, size, most)
                } else {
                    Scale::of(grad, usize::from(self.dims.min(3)), size, most)
                }
            }
            (None, None) => Scale::isotropic(0.0),
        };
        let (free, lambda) = level_of_detail(view, sampler, scale.lod, self.bias, self.min_lod);
        if self.query {
            let last = u32::from(view.desc.levels.max(1)) - 1;
            let level = if sampler.mip == 0 { nearest(lambda) } else { lambda };
            return [u64::from(level.clamp(0.0, last as f32).to_bits()), u64::from(free.to_bits()), 0, 0];
        }
        let Some(axis) = self.grad.filter(|_| scale.samples > 1).map(|g| g[scale.axis]) else {
            // SAFETY: this function's contract.
            return unsafe { self.filtered(view, sampler, self.coords, lambda) };
        };
        let n = f32::from(scale.samples);
        let mut parts = [(0f32, [0f32; 4]); MAX_ANISOTROPY];
        let parts = &mut parts[..usize::from(scale.samples).min(MAX_ANISOTROPY)];
        for (i, part) in parts.iter_mut().enumerate() {
            let along = (i as f32 + 1.0) / (n + 1.0) - 0.5;
            let at = std::array::from_fn(|d| self.coords[d] + along * axis[d]);
            // SAFETY: this function's contract.
            *part = (1.0 / n, floats(&unsafe { self.filtered(view, sampler, at, lambda) }));
        }
        texel(reduce(sampler, parts))
    }

    /// Face (of cubes), coordinates and their number.
    fn on_face(&self, coords: [f32; 3]) -> (Option<u32>, [f32; 3], u8) {
        if self.cube {
            let p = cube::project(coords);
            (Some(p.face), [p.s, p.t, 0.0], 2)
        } else {
            (None, coords, self.dims)
        }
    }

    fn footprint<'a>(
        &self,
        view: &'a View<'a>,
        sampler: &'a SamplerDesc,
        face: Option<u32>,
        level: u32,
    ) -> Footprint<'a> {
        let layers = view.desc.layers.max(1) / if self.cube { 6 } else { 1 };
        let last = i32::try_from(layers.max(1)).unwrap_or(i32::MAX) - 1;
        let layer = (self.layer.round_ties_even() as i32).clamp(0, last);
        let dref =
            self.dref.map(|d| if view.format.numeric == crate::texel::Numeric::Unorm { d.clamp(0.0, 1.0) } else { d });
        let chroma = Chroma::new(view.desc, sampler);
        Footprint { view, sampler, level: view.level(level), chroma, layer, face, dref }
    }

    /// The value at a point for a level of detail: from one level or two.
    ///
    /// # Safety
    /// As [`Self::run`].
    unsafe fn filtered(&self, view: &View<'_>, sampler: &SamplerDesc, at: [f32; 3], lambda: f32) -> Texel {
        let (face, coords, dims) = self.on_face(at);
        let filter = Filter::from_code(if lambda <= 0.0 { sampler.mag } else { sampler.min });
        let footprint = |level: u32| self.footprint(view, sampler, face, level);
        let (low, high) = levels_read(view, sampler, lambda);
        // SAFETY: this function's contract.
        let a = unsafe { self.one_level(&footprint(low), coords, dims, filter) };
        let Some((high, blend)) = high else { return a };
        // SAFETY: this function's contract.
        let b = unsafe { self.one_level(&footprint(high), coords, dims, filter) };
        texel(reduce(sampler, &[(1.0 - blend, floats(&a)), (blend, floats(&b))]))
    }

    /// Texel-space coordinates in a level.
    fn texel_space(&self, fp: &Footprint<'_>, coords: [f32; 3], dims: u8) -> [f32; 3] {
        let size = fp.level.size.map(|e| e as f32);
        let mut out = [0.0; 3];
        for d in 0..usize::from(dims.min(3)) {
            out[d] = if fp.sampler.unnormalized != 0 { coords[d] } else { coords[d] * size[d] };
        }
        out
    }

    /// # Safety
    /// As [`Self::run`].
    unsafe fn one_level(&self, fp: &Footprint<'_>, coords: [f32; 3], dims: u8, filter: Filter) -> Texel {
        let at = self.texel_space(fp, coords, dims);
        let dims = usize::from(dims.min(3));
        if filter == Filter::Nearest || (fp.view.format.class() != Class::Float && self.dref.is_none()) {
            let mut i = [0; 3];
            for d in 0..dims {
                i[d] = (at[d].floor() as i32).wrapping_add(self.offset[d]);
            }
            if let Some(_face) = fp.face {
                let size = fp.level.size[0] as i32;
                i = [i[0].clamp(0, size - 1), i[1].clamp(0, size - 1), 0];
            }
            if self.dref.is_some() {
                // SAFETY: this function's contract.
                return texel(unsafe { fp.value(i) }.unwrap_or_default());
            }
            // SAFETY: this function's contract.
            return unsafe { fp.fetch(i) }.unwrap_or_default();
        }
        // Cubic filters have at most two dimensions.
        let cubic = filter == Filter::Cubic && dims <= 2;
        let taps = if cubic { 4 } else { 2 };
        let mut low = [0i32; 3];
        let mut weights = [[0f32; 4]; 3];
        for d in 0..dims {
            let p = at[d] - 0.5;
            let fraction = p - p.floor();
            low[d] = (p.floor() as i32).wrapping_add(self.offset[d]).wrapping_sub(i32::from(cubic));
            weights[d] = if cubic { cubic_weights(fraction) } else { [1.0 - fraction, fraction, 0.0, 0.0] };
        }
        let mut parts = [(0f32, [0f32; 4]); 16];
        let parts = &mut parts[..usize::pow(taps, dims as u32)];
        let mut missing = 0f32;
        for (n, part) in parts.iter_mut().enumerate() {
            let mut i = low;
            let mut weight = 1f32;
            let mut rest = n;
            for d in 0..dims {
                let tap = rest % taps;
                rest /= taps;
                i[d] = i[d].wrapping_add(tap as i32);
                weight *= weights[d][tap];
            }
            // SAFETY: this function's contract.
            match unsafe { fp.value(i) } {
                Some(value) => *part = (weight, value),
                // The corner of a cube: its weight goes to the three texels that exist.
                None => missing += weight,
            }
        }
        if missing > 0.0 {
            let rest = 1.0 - missing;
            for part in parts.iter_mut() {
                part.0 = if rest > 0.0 { part.0 / rest } else { part.0 };
            }
        }
        texel(if cubic { reduce_cubic(fp.sampler, parts) } else { reduce(fp.sampler, parts) })
    }

    /// # Safety
    /// As [`Self::run`].
    unsafe fn gather(&self, fp: &Footprint<'_>, coords: [f32; 3], dims: u8, component: u8) -> Texel {
        let at = self.texel_space(fp, coords, dims);
        let low = [(at[0] - 0.5).floor() as i32, (at[1] - 0.5).floor() as i32];
        let mut out = [0u64; 4];
        // (i0, j1), (i1, j1), (i1, j0), (i0, j0)
        for (n, [dx, dy]) in [[0, 1], [1, 1], [1, 0], [0, 0]].into_iter().enumerate() {
            let [x, y] = match &self.gather_offsets {
                // With four offsets each texel is the (i0, j0) of its own footprint.
                Some(offsets) => [low[0].wrapping_add(offsets[n][0]), low[1].wrapping_add(offsets[n][1])],
                None => [low[0].wrapping_add(dx + self.offset[0]), low[1].wrapping_add(dy + self.offset[1])],
            };
            let i = [x, y, 0];
            out[n] = if self.dref.is_some() {
                // SAFETY: this function's contract.
                u64::from(unsafe { fp.value(i) }.unwrap_or_default()[0].to_bits())
            } else {
                // SAFETY: this function's contract.
                unsafe { fp.fetch(i) }.unwrap_or_default()[usize::from(component & 3)]
            };
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::desc::ImageDesc;
    use super::*;
    use ash::vk;

    fn image(memory: &[f32]) -> ImageDesc {
        ImageDesc {
            addr: memory.as_ptr() as u64,
            format: vk::Format::R32_SFLOAT.as_raw(),
            extent: [4, 2, 1],
            image_layers: 1,
            layers: 1,
            image_levels: 1,
            levels: 1,
            samples: 1,
            kind: ImageDesc::IMAGE,
            bytes: 4,
            block: [1, 1],
            swizzle: [0, 1, 2, 3],
            ..ImageDesc::default()
        }
    }

    #[test]
    fn nearest_linear_and_gather() {
        let memory = [0.0f32, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        let desc = image(&memory);
        let view = View::new(&desc).unwrap();
        let mut sampler = SamplerDesc { address: [2; 3], ..SamplerDesc::default() };
        let lookup = Lookup { dims: 2, coords: [0.5, 0.5, 0.0], lod: Some(0.0), ..Lookup::default() };
        // SAFETY: the descriptor describes `memory`.
        let run = |lookup: &Lookup, sampler: &SamplerDesc| unsafe { floats(&lookup.run(&view, sampler)) };
        assert_eq!(run(&lookup, &sampler), [6.0, 0.0, 0.0, 1.0]);
        sampler.mag = 1;
        assert_eq!(run(&lookup, &sampler)[0], (1.0 + 2.0 + 5.0 + 6.0) / 4.0);
        let gather = Lookup { gather: Some(0), ..lookup };
        assert_eq!(run(&gather, &sampler), [5.0, 6.0, 2.0, 1.0]);
        sampler.compare_op = 1;
        let shadow = Lookup { dref: Some(1.5), ..lookup };
        assert_eq!(run(&shadow, &sampler)[0], 0.75);
    }
}
