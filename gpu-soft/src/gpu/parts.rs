//! Regions of images as boxes of memory.

use super::image::tile_of;
use crate::image::TILE_BYTES;
use runtime::gpu::TexelRegion;
use smallvec::{smallvec, SmallVec};

/// A box of blocks that stands in rows in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where in the region it begins, in blocks and slices.
    pub at: [u32; 3],
    /// Its size in blocks and slices.
    pub size: [u32; 3],
    /// Address of the first block.
    pub address: u64,
    /// Bytes from one row to the next.
    pub row: u64,
    /// Bytes from one slice to the next.
    pub slice: u64,
}

impl Part {
    /// Address of a block of the box.
    pub fn block(&self, at: [u32; 3], bytes: u32) -> u64 {
        self.address
            .wrapping_add(u64::from(at[2]).wrapping_mul(self.slice))
            .wrapping_add(u64::from(at[1]).wrapping_mul(self.row))
            .wrapping_add(u64::from(at[0]) * u64::from(bytes))
    }
}

/// An extent in texels as one in blocks of the region's format.
pub fn blocks(r: &TexelRegion, extent: [u32; 3]) -> [u32; 3] {
    [extent[0].div_ceil(r.block[0].max(1)), extent[1].div_ceil(r.block[1].max(1)), extent[2]]
}

/// The boxes that so many blocks from the region's start consist of: one, unless the texels stand in tiles.
pub fn parts(r: &TexelRegion, blocks: [u32; 3], sample: u32) -> SmallVec<[Part; 1]> {
    let bytes = r.block[2].max(1);
    let start = [r.offset[0] / r.block[0].max(1), r.offset[1] / r.block[1].max(1), r.first_slice];
    let level = Part {
        at: [0; 3],
        size: blocks,
        address: r.address.wrapping_add(u64::from(sample).wrapping_mul(r.sample_pitch)),
        row: r.row_pitch,
        slice: r.slice_pitch,
    };
    if r.tiling == 0 {
        return smallvec![Part { address: level.block(start, bytes), ..level }];
    }
    let tile = tile_of(r.tiling).map(|bits| bits.min(16));
    let end: [u32; 3] = std::array::from_fn(|d| start[d].saturating_add(blocks[d]));
    let tiles = |d: usize| start[d] >> tile[d]..end[d].div_ceil(1 << tile[d]);
    let mut out = SmallVec::new();
    if blocks.contains(&0) {
        return out;
    }
    for z in tiles(2) {
        for y in tiles(1) {
            for x in tiles(0) {
                let first = [x, y, z];
                let from: [u32; 3] = std::array::from_fn(|d| start[d].max(first[d] << tile[d]));
                let to: [u32; 3] = std::array::from_fn(|d| end[d].min((first[d] + 1) << tile[d]));
                // The rows of a level of tiles are rows of tiles.
                let rows = level.block([0, y, z], bytes).wrapping_add(u64::from(x) * TILE_BYTES);
                let whole = Part {
                    at: std::array::from_fn(|d| from[d] - start[d]),
                    size: std::array::from_fn(|d| to[d] - from[d]),
                    address: rows,
                    row: u64::from(bytes) << tile[0],
                    slice: u64::from(bytes) << (tile[0] + tile[1]),
                };
                let inside = std::array::from_fn(|d| from[d] - (first[d] << tile[d]));
                out.push(Part { address: whole.block(inside, bytes), ..whole });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{tile, Shape};
    use ash::vk;

    /// Every texel of a region is in one part, where the layout says that it is.
    #[test]
    fn parts_are_where_the_layout_says() {
        for tile in [[0; 3], tile(4, true).unwrap()] {
            let shape = Shape { bytes: 4, block: [1, 1], extent: [75, 70, 40], layers: 1, levels: 1, samples: 1, tile };
            let level = shape.level(0);
            let region = TexelRegion {
                address: 1 << 20,
                row_pitch: level.row,
                slice_pitch: level.slice,
                sample_pitch: 0,
                samples: 1,
                format: vk::Format::R32_UINT,
                aspect: vk::ImageAspectFlags::COLOR,
                tiling: u64::from_le_bytes([tile[0], tile[1], tile[2], 0, 0, 0, 0, 0]),
                level: 0,
                block: [1, 1, 4],
                offset: [3, 30],
                first_slice: 15,
            };
            let size = [70, 35, 20];
            let mut left = size.iter().product::<u32>();
            let all = parts(&region, size, 0);
            assert_eq!(all.len(), if tile == [0; 3] { 1 } else { 3 * 3 * 3 });
            for p in all {
                for z in 0..p.size[2] {
                    for y in 0..p.size[1] {
                        for x in 0..p.size[0] {
                            let texel = [3 + p.at[0] + x, 30 + p.at[1] + y, 15 + p.at[2] + z].map(u64::from);
                            assert_eq!(p.block([x, y, z], 4), (1 << 20) + level.at(4, texel, 0, 0));
                            left -= 1;
                        }
                    }
                }
            }
            assert_eq!(left, 0);
            assert_eq!(parts(&region, [0, 1, 1], 0).iter().map(|p| p.size[0]).sum::<u32>(), 0);
        }
    }
}
