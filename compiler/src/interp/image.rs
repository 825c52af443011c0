//! Image operations: operands are gathered, the machine does the work.

use super::atomic;
use super::exec::Group;
use super::machine::{Fault, ImageAccess, SampleRequest, TexelCoords};
use crate::sir::{ImageCoords, ImageRef, Inst, Op, Type, Value};

impl Group<'_, '_> {
    fn image_access(&self, image: &ImageRef, ty: Type, lane: usize) -> ImageAccess {
        let desc = self.descriptor(&image.res, lane);
        ImageAccess { desc, dim: image.dim, arrayed: image.arrayed, ms: image.ms, ty }
    }

    fn texel_coords(&self, c: &ImageCoords, lane: usize) -> TexelCoords {
        let int = |v: Value| self.get(v, lane) as u32 as i32;
        let mut at = TexelCoords { xyz: [0; 4], lod: c.lod.map_or(0, int), sample: c.sample.map_or(0, int) };
        at.xyz.iter_mut().zip(&c.xyz).for_each(|(to, &v)| *to = int(v));
        at
    }

    fn set_texel(&mut self, results: &[Value], sparse: bool, texel: &super::Texel, lane: usize) {
        let n = results.len() - usize::from(sparse);
        for (&r, &bits) in results[..n].iter().zip(&texel.values) {
            let mask = self.ty(r).mask();
            self.set(r, lane, bits & mask);
        }
        if sparse {
            self.set(results[n], lane, u64::from(texel.residency));
        }
    }

    pub(super) fn image(&mut self, inst: &Inst, lane: usize) -> Result<(), Fault> {
        match &inst.op {
            Op::ImageLoad { image, coords, sparse } => {
                let access = self.image_access(image, self.ty(inst.results[0]), lane);
                let at = self.texel_coords(coords, lane);
                let texel = self.machine.image_load(&access, &at)?;
                self.set_texel(&inst.results, *sparse, &texel, lane);
            }
            Op::ImageStore { image, coords, texel } => {
                let access = self.image_access(image, self.ty(texel[0]), lane);
                let at = self.texel_coords(coords, lane);
                let mut values = [0; 4];
                values.iter_mut().zip(texel).for_each(|(to, &v)| *to = self.get(v, lane));
                self.machine.image_store(&access, &at, values)?;
            }
            Op::ImageAtomic { image, coords, op, value } => {
                let ty = self.ty(*value);
                let access = self.image_access(image, ty, lane);
                let at = self.texel_coords(coords, lane);
                let value = self.get(*value, lane);
                let old = self.machine.image_atomic(&access, &at, &mut |old| atomic::apply(*op, ty, old, value))?;
                self.set(inst.results[0], lane, old & ty.mask());
            }
            Op::ImageCas { image, coords, expected, desired } => {
                let ty = self.ty(*expected);
                let access = self.image_access(image, ty, lane);
                let at = self.texel_coords(coords, lane);
                let (expected, desired) = (self.get(*expected, lane), self.get(*desired, lane));
                let mut f = |old| if old == expected { desired } else { old };
                let old = self.machine.image_atomic(&access, &at, &mut f)?;
                self.set(inst.results[0], lane, old & ty.mask());
            }
            Op::ImageSize { image, lod } => {
                let access = self.image_access(image, Type::I32, lane);
                let lod = lod.map_or(0, |v| self.get(v, lane) as u32 as i32);
                let size = self.machine.image_size(&access, lod)?;
                for (&r, n) in inst.results.iter().zip(size) {
                    self.set(r, lane, u64::from(n));
                }
            }
            Op::ImageLevels { image } => {
                let access = self.image_access(image, Type::I32, lane);
                let n = self.machine.image_levels(&access)?;
                self.set(inst.results[0], lane, u64::from(n));
            }
            Op::ImageSamples { image } => {
                let access = self.image_access(image, Type::I32, lane);
                let n = self.machine.image_samples(&access)?;
                self.set(inst.results[0], lane, u64::from(n));
            }
            Op::Sample { image, sampler, operands, sparse } => {
                let access = self.image_access(image, self.ty(inst.results[0]), lane);
                let sampler = sampler.as_ref().map(|s| self.descriptor(s, lane));
                let float = |v: Value| f32::from_bits(self.get(v, lane) as u32);
                let request = SampleRequest {
                    mode: operands.mode,
                    coords: operands.coords.iter().map(|&v| float(v)).collect(),
                    lod: operands.lod.map(float),
                    grad: operands.grad.iter().map(|&v| float(v)).collect(),
                    offsets: operands.offsets.iter().map(|&v| self.get(v, lane) as u32 as i32).collect(),
                    dref: operands.dref.map(float),
                    component: operands.component,
                    min_lod: operands.min_lod.map(float),
                    bias: operands.bias.map(float),
                };
                let texel = self.machine.sample(&access, sampler, &request)?;
                self.set_texel(&inst.results, *sparse, &texel, lane);
            }
            _ => {}
        }
        Ok(())
    }
}
