//! Copies between images and memory of the application, done by the CPU (Vulkan specification, "Host Image Copies").
//!
//! Images are copied where their texels stand, so it takes an image in memory that the CPU sees.

use crate::error::{Error, Result};
use crate::gpu::TexelRegion;
use crate::image::Image;
use ash::vk;

/// A part of an image and how it stands in memory of the application.
#[derive(Clone, Copy, Debug)]
pub struct HostRegion {
    /// Texels from one row to the next; 0: rows follow each other.
    pub row_length: u32,
    /// Rows from one slice to the next; 0: slices follow each other.
    pub image_height: u32,
    /// Aspect (one), level and layers.
    pub subresource: vk::ImageSubresourceLayers,
    /// First texel.
    pub offset: vk::Offset3D,
    /// Size in texels.
    pub extent: vk::Extent3D,
    /// The bytes are those of whole subresources as they stand in the image (VK_HOST_IMAGE_COPY_MEMCPY).
    pub raw: bool,
}

/// Runs of bytes: where the first begins, and how they follow each other.
struct Runs {
    /// Bytes of a run.
    run: u64,
    /// Runs of a slice, slices.
    count: [u64; 2],
    /// Offset of the first run in the image's memory, bytes to the next run, to the next slice.
    image: [u64; 3],
    /// Likewise in the application's memory, which begins with the first run.
    host: [u64; 2],
}

impl Runs {
    /// Bytes of the application's memory from the first run to the end of the last; `None` for nothing to copy.
    fn bytes(&self) -> Option<u64> {
        let last = |n: u64, pitch: u64| n.checked_sub(1)?.checked_mul(pitch);
        last(self.count[0], self.host[0])?.checked_add(last(self.count[1], self.host[1])?)?.checked_add(self.run)
    }

    /// Calls `f` with the offset in the image's memory and the range in the application's, for every run.
    fn each(&self, mut f: impl FnMut(u64, std::ops::Range<usize>) -> Result<()>) -> Result<()> {
        for slice in 0..self.count[1] {
            for row in 0..self.count[0] {
                let image = self.image[0] + slice * self.image[2] + row * self.image[1];
                let host = slice * self.host[1] + row * self.host[0];
                let outside = || Error::Unknown("a copy larger than memory".to_owned());
                let start = usize::try_from(host).map_err(|_| outside())?;
                let len = usize::try_from(self.run).map_err(|_| outside())?;
                f(image, start..start.checked_add(len).ok_or_else(outside)?)?;
            }
        }
        Ok(())
    }
}

fn slices(image: &Image, sub: &vk::ImageSubresourceLayers, extent: &vk::Extent3D) -> u32 {
    match sub.layer_count {
        _ if image.is_3d() => extent.depth,
        vk::REMAINING_ARRAY_LAYERS => image.create().layers.saturating_sub(sub.base_array_layer),
        n => n,
    }
}

/// Offset of a region's first byte from the image's, and its runs of `extent` texels.
fn placed(image: &Image, r: &TexelRegion, extent: [u32; 3]) -> ([u64; 3], u64, [u64; 2]) {
    let [bw, bh, bytes] = r.block.map(|b| b.max(1));
    let first = r.address.wrapping_sub(image.address())
        + u64::from(r.first_slice) * r.slice_pitch
        + u64::from(r.offset[1] / bh) * r.row_pitch
        + u64::from(r.offset[0] / bw) * u64::from(bytes);
    let run = u64::from(extent[0].div_ceil(bw)) * u64::from(bytes);
    ([first, r.row_pitch, r.slice_pitch], run, [u64::from(extent[1].div_ceil(bh)), u64::from(extent[2])])
}

fn runs(image: &Image, r: &HostRegion) -> Result<Runs> {
    let sub = &r.subresource;
    if r.raw {
        let level = image.layout().level(sub.aspect_mask, sub.mip_level);
        let layer = if image.is_3d() { 0 } else { u64::from(sub.base_array_layer) };
        let layers = if image.is_3d() { 1 } else { u64::from(slices(image, sub, &r.extent)) };
        return Ok(Runs {
            run: level.size,
            count: [1, layers],
            image: [level.offset + layer * level.array_pitch, 0, level.array_pitch],
            host: [0, level.size],
        });
    }
    let place = image
        .region(sub.aspect_mask, sub.mip_level, sub.base_array_layer, r.offset)
        .ok_or(Error::FormatNotSupported)?;
    let extent = [r.extent.width, r.extent.height, slices(image, sub, &r.extent)];
    let (at, run, count) = placed(image, &place, extent);
    let [bw, bh, bytes] = place.block.map(|b| b.max(1));
    let or = |given: u32, extent: u32| if given == 0 { extent } else { given };
    let row = u64::from(or(r.row_length, r.extent.width).div_ceil(bw)) * u64::from(bytes);
    let rows = u64::from(or(r.image_height, r.extent.height).div_ceil(bh));
    Ok(Runs { run, count, image: at, host: [row, row * rows] })
}

impl Image {
    /// Bytes of the application's memory that a region takes.
    ///
    /// # Errors
    /// [`Error::FormatNotSupported`] for an aspect that the format does not have.
    pub fn host_bytes(&self, region: &HostRegion) -> Result<usize> {
        let bytes = runs(self, region)?.bytes().unwrap_or(0);
        usize::try_from(bytes).map_err(|_| Error::OutOfHostMemory)
    }

    /// vkCopyMemoryToImage, one region.
    ///
    /// # Errors
    /// As [`host_bytes`](Self::host_bytes); [`Error::MemoryMapFailed`] if the CPU does not see the image.
    pub fn copy_from_host(&self, data: &[u8], region: &HostRegion) -> Result<()> {
        let (memory, base) = self.host_memory()?;
        runs(self, region)?.each(|at, range| {
            let data = data.get(range).ok_or_else(|| Error::Unknown("too few bytes".to_owned()))?;
            Ok(memory.winsys().write(base + at, data)?)
        })
    }

    /// vkCopyImageToMemory, one region.
    ///
    /// # Errors
    /// As [`copy_from_host`](Self::copy_from_host).
    pub fn copy_to_host(&self, out: &mut [u8], region: &HostRegion) -> Result<()> {
        let (memory, base) = self.host_memory()?;
        let runs = runs(self, region)?;
        let first = runs.image[0];
        memory.invalidate(base + first, vk::WHOLE_SIZE)?;
        runs.each(|at, range| {
            let out = out.get_mut(range).ok_or_else(|| Error::Unknown("too few bytes".to_owned()))?;
            Ok(memory.winsys().read(base + at, out)?)
        })
    }

    /// vkCopyImageToImage, one region. Slices of 3D images and layers of others may be copied to each other.
    ///
    /// # Errors
    /// As [`copy_from_host`](Self::copy_from_host), of either image.
    pub fn copy_on_host(&self, to: &Image, r: &vk::ImageCopy) -> Result<()> {
        let (from_memory, from_base) = self.host_memory()?;
        let (to_memory, to_base) = to.host_memory()?;
        let (src, dst) = (&r.src_subresource, &r.dst_subresource);
        let count = if self.is_3d() || !to.is_3d() { slices(self, src, &r.extent) } else { slices(to, dst, &r.extent) };
        for bit in (0..32).map(|i| vk::ImageAspectFlags::from_raw(1 << i)).filter(|b| src.aspect_mask.contains(*b)) {
            let to_aspect = if dst.aspect_mask.contains(bit) { bit } else { dst.aspect_mask };
            let a = self.region(bit, src.mip_level, src.base_array_layer, r.src_offset);
            let b = to.region(to_aspect, dst.mip_level, dst.base_array_layer, r.dst_offset);
            let (Some(a), Some(b)) = (a, b) else { return Err(Error::FormatNotSupported) };
            let extent = [r.extent.width, r.extent.height, count];
            let (from, run, count) = placed(self, &a, extent);
            let (target, _, _) = placed(to, &b, extent);
            let bytes = usize::try_from(run).map_err(|_| Error::OutOfHostMemory)?;
            let mut line = Vec::new();
            line.try_reserve_exact(bytes)?;
            line.resize(bytes, 0);
            for slice in 0..count[1] {
                for row in 0..count[0] {
                    let at = |p: &[u64; 3]| p[0] + slice * p[2] + row * p[1];
                    from_memory.winsys().read(from_base + at(&from), &mut line)?;
                    to_memory.winsys().write(to_base + at(&target), &line)?;
                }
            }
        }
        Ok(())
    }
}
