//! Filtered reads (Vulkan specification, "Texel Input Operations").

use super::access::{Coords, View};
use super::cube;
use super::desc::SamplerDesc;
use super::filter::{compare, floats, reduce, texel, wrap};
use super::layout::Level;
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
}

/// The value; with a comparison the first component holds it.
pub type LookupResult = Texel;

/// Nearest or linear footprint in one level.
struct Footprint<'a> {
    view: &'a View<'a>,
    sampler: &'a SamplerDesc,
    level: Level,
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
        let size = self.level.extent.map(|e| i32::try_from(e).unwrap_or(i32::MAX));
        let (xyz, layer) = match self.face {
            Some(face) => {
                let (face, x, y) = cube::wrap_edge(face, i[0], i[1], size[0])?;
                ([x, y, 0], self.layer.wrapping_mul(6).wrapping_add(face as i32))
            }
            None => {
                let mut xyz = [0; 3];
                for d in 0..3 {
                    match wrap(self.sampler.address[d], i[d], size[d]) {
                        Some(v) => xyz[d] = v,
                        None => return Some(self.border()),
                    }
                }
                (xyz, self.layer)
            }
        };
        let at = Coords { xyz, layer, ..Coords::default() };
        match self.view.address(&self.level, &at) {
            // SAFETY: this function's contract.
            Some(address) => Some(self.view.swizzle(&unsafe { self.view.read(address) })),
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

/// Number of texels of a level along each dimension of the lookup, 1 for the others.
fn sizes(level: &Level, dims: u8) -> [f32; 3] {
    std::array::from_fn(|d| if d < usize::from(dims) { level.extent[d] as f32 } else { 1.0 })
}

fn lod_of_gradients(lookup: &Lookup, size: [f32; 3], grad: &[[f32; 3]; 2]) -> f32 {
    let rho = |d: &[f32; 3]| {
        let n = usize::from(lookup.dims.min(3));
        (0..n).map(|i| (d[i] * size[i]) * (d[i] * size[i])).sum::<f32>().sqrt()
    };
    rho(&grad[0]).max(rho(&grad[1])).log2()
}

/// Gradients of a direction as gradients of the face's coordinates.
fn face_gradients(direction: [f32; 3], grad: &[[f32; 3]; 2]) -> [[f32; 3]; 2] {
    let major = (0..3).max_by(|a, b| direction[*a].abs().total_cmp(&direction[*b].abs())).unwrap_or(2);
    let m = direction[major].abs().max(f32::MIN_POSITIVE);
    grad.map(|g| {
        let mut out = [0.0; 3];
        for (slot, axis) in (0..3).filter(|a| *a != major).enumerate() {
            // d(c/|m|)/2, quotient rule.
            out[slot] = 0.5 * (g[axis] - direction[axis] / m * g[major] * direction[major].signum()) / m;
        }
        out
    })
}

impl Lookup {
    /// Performs the read through a view and a sampler.
    ///
    /// # Safety
    /// The view's descriptor describes memory that is mapped and readable.
    pub unsafe fn run(&self, view: &View<'_>, sampler: &SamplerDesc) -> LookupResult {
        let layers = view.desc.layers.max(1) / if self.cube { 6 } else { 1 };
        let layer =
            (self.layer.round_ties_even() as i32).clamp(0, i32::try_from(layers.max(1)).unwrap_or(i32::MAX) - 1);
        let (face, coords, dims) = if self.cube {
            let p = cube::project(self.coords);
            (Some(p.face), [p.s, p.t, 0.0], 2u8)
        } else {
            (None, self.coords, self.dims)
        };
        let dref =
            self.dref.map(|d| if view.format.numeric == crate::texel::Numeric::Unorm { d.clamp(0.0, 1.0) } else { d });
        let footprint = |level: u32| Footprint { view, sampler, level: view.level(level), layer, face, dref };
        if let Some(component) = self.gather {
            // SAFETY: this function's contract.
            return unsafe { self.gather(&footprint(0), coords, dims, component) };
        }
        let base = view.level(0);
        let lambda = if sampler.unnormalized != 0 {
            0.0
        } else {
            let lambda = match (self.lod, &self.grad) {
                (Some(lod), _) => lod,
                (None, Some(grad)) if self.cube => {
                    let flat = Lookup { dims: 2, ..*self };
                    lod_of_gradients(&flat, sizes(&base, 2), &face_gradients(self.coords, grad))
                }
                (None, Some(grad)) => lod_of_gradients(self, sizes(&base, dims), grad),
                (None, None) => 0.0,
            };
            let lambda = lambda + f32::from_bits(sampler.bias);
            let least = f32::from_bits(sampler.min_lod).max(self.min_lod.unwrap_or(f32::NEG_INFINITY));
            let relative = f32::from_bits(view.desc.min_lod) - f32::from(view.desc.base_level);
            let lambda = if lambda.is_nan() { 0.0 } else { lambda };
            lambda.max(least).min(f32::from_bits(sampler.max_lod).max(least)).max(relative)
        };
        let filter = if lambda <= 0.0 { sampler.mag } else { sampler.min };
        let last = u32::from(view.desc.levels.max(1)) - 1;
        let q = last as f32;
        if sampler.mip == 0 || last == 0 {
            let level = ((lambda + 0.5).ceil() - 1.0).clamp(0.0, q) as u32;
            // SAFETY: this function's contract.
            return unsafe { self.one_level(&footprint(level), coords, dims, filter) };
        }
        let lambda = lambda.clamp(0.0, q);
        let (low, blend) = (lambda.floor() as u32, lambda - lambda.floor());
        // SAFETY: this function's contract.
        let a = unsafe { self.one_level(&footprint(low), coords, dims, filter) };
        if blend == 0.0 || view.format.class() != Class::Float {
            return a;
        }
        // SAFETY: this function's contract.
        let b = unsafe { self.one_level(&footprint((low + 1).min(last)), coords, dims, filter) };
        texel(reduce(sampler, &[(1.0 - blend, floats(&a)), (blend, floats(&b))]))
    }

    /// Texel-space coordinates in a level.
    fn texel_space(&self, fp: &Footprint<'_>, coords: [f32; 3], dims: u8) -> [f32; 3] {
        let size = sizes(&fp.level, dims);
        let mut out = [0.0; 3];
        for d in 0..usize::from(dims.min(3)) {
            out[d] = if fp.sampler.unnormalized != 0 { coords[d] } else { coords[d] * size[d] };
        }
        out
    }

    /// # Safety
    /// As [`Self::run`].
    unsafe fn one_level(&self, fp: &Footprint<'_>, coords: [f32; 3], dims: u8, filter: u8) -> Texel {
        let at = self.texel_space(fp, coords, dims);
        if filter == 0 || (fp.view.format.class() != Class::Float && self.dref.is_none()) {
            let mut i = [0; 3];
            for d in 0..usize::from(dims.min(3)) {
                i[d] = (at[d].floor() as i32).wrapping_add(self.offset[d]);
            }
            if let Some(_face) = fp.face {
                let size = fp.level.extent[0] as i32;
                i = [i[0].clamp(0, size - 1), i[1].clamp(0, size - 1), 0];
            }
            if self.dref.is_some() {
                // SAFETY: this function's contract.
                return texel(unsafe { fp.value(i) }.unwrap_or_default());
            }
            // SAFETY: this function's contract.
            return unsafe { fp.fetch(i) }.unwrap_or_default();
        }
        let mut low = [0i32; 3];
        let mut frac = [0f32; 3];
        for d in 0..usize::from(dims.min(3)) {
            let p = at[d] - 0.5;
            low[d] = (p.floor() as i32).wrapping_add(self.offset[d]);
            frac[d] = p - p.floor();
        }
        let corners = 1u32 << dims.min(3);
        let mut parts = [(0f32, [0f32; 4]); 8];
        let mut missing = 0f32;
        for corner in 0..corners {
            let mut i = low;
            let mut weight = 1f32;
            for d in 0..usize::from(dims.min(3)) {
                let high = corner >> d & 1 != 0;
                i[d] = i[d].wrapping_add(i32::from(high));
                weight *= if high { frac[d] } else { 1.0 - frac[d] };
            }
            // SAFETY: this function's contract.
            match unsafe { fp.value(i) } {
                Some(value) => parts[corner as usize] = (weight, value),
                // The corner of a cube: its weight goes to the three texels that exist.
                None => missing += weight,
            }
        }
        if missing > 0.0 {
            let rest = 1.0 - missing;
            for part in &mut parts[..corners as usize] {
                part.0 = if rest > 0.0 { part.0 / rest } else { part.0 };
            }
        }
        texel(reduce(fp.sampler, &parts[..corners as usize]))
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
