//! Where the texels of an image stand.

use std::ops::Range;

/// Alignment of rows in bytes.
const ROW_ALIGN: u64 = 16;

/// Alignment of levels (and of the image) in bytes.
pub const LEVEL_ALIGN: u64 = 64;

/// Bytes of a tile, whatever its shape.
pub const TILE_BYTES: u64 = 64 << 10;

/// Width, height and depth of a tile in texels, as powers of two; zeros: no tiles, texels stand in rows.
pub type Tile = [u8; 3];

/// The tiles of images with so many bytes per texel (Vulkan specification, "Standard Sparse Image Block Shapes").
/// `None` for sizes that are no power of two up to 16.
pub fn tile(bytes: u32, three_d: bool) -> Option<Tile> {
    let shapes: [[Tile; 5]; 2] = [
        [[8, 8, 0], [8, 7, 0], [7, 7, 0], [7, 6, 0], [6, 6, 0]],
        [[6, 5, 5], [5, 5, 5], [5, 5, 4], [5, 4, 4], [4, 4, 4]],
    ];
    let row = bytes.is_power_of_two().then(|| bytes.trailing_zeros() as usize)?;
    shapes[usize::from(three_d)].get(row).copied()
}

/// What the layout of an image depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of a block.
    pub bytes: u32,
    /// Width and height of a block in texels; 1 and 1 for most formats.
    pub block: [u8; 2],
    /// Width, height and depth of level 0 in texels, each ≥ 1.
    pub extent: [u32; 3],
    /// Array layers, ≥ 1.
    pub layers: u32,
    /// Levels, ≥ 1.
    pub levels: u32,
    /// Samples of a texel, ≥ 1.
    pub samples: u32,
    /// Tiles, for single-sampled images: those of [`tile`]. Levels that do not fill a tile in each dimension stand in rows all
    /// the same, behind the others.
    pub tile: Tile,
}

/// One level of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Byte offset of its first texel from the start of the image.
    pub offset: u64,
    /// Width and height in blocks, and depth.
    pub extent: [u32; 3],
    /// Bytes from one row to the next; from one row of tiles to the next.
    pub row: u64,
    /// Bytes from one depth slice to the next; from one slice of tiles to the next.
    pub slice: u64,
    /// Bytes from one sample to the next.
    pub sample: u64,
    /// Bytes from one layer to the next.
    pub layer: u64,
    /// Bytes of all layers.
    pub size: u64,
    /// Its tiles; zeros for rows.
    pub tile: Tile,
}

impl Level {
    /// Offset of a block from the start of the image. The coordinates are inside.
    pub fn at(&self, bytes: u32, [x, y, z]: [u64; 3], layer: u64, sample: u64) -> u64 {
        let bytes = u64::from(bytes);
        let start = self.offset + layer * self.layer;
        if self.tile == [0; 3] {
            return start + sample * self.sample + z * self.slice + y * self.row + x * bytes;
        }
        let [w, h, d] = self.tile;
        let tile = (z >> d) * self.slice + (y >> h) * self.row + (x >> w) * TILE_BYTES;
        let inside = |v: u64, bits: u8| v & ((1 << bits) - 1);
        start + tile + ((inside(z, d) << (w + h)) + (inside(y, h) << w) + inside(x, w)) * bytes
    }
}

impl Shape {
    /// The level `level`; levels past the last have the extent 1. Sizes saturate instead of wrapping.
    pub fn level(&self, level: u32) -> Level {
        let mut offset = 0u64;
        for l in 0..level {
            offset = offset.saturating_add(self.bare_level(l).size.next_multiple_of(LEVEL_ALIGN));
        }
        Level { offset, ..self.bare_level(level) }
    }

    /// Width, height and depth of a level in texels, each ≥ 1.
    pub fn level_extent(&self, level: u32) -> [u32; 3] {
        self.extent.map(|e| e.checked_shr(level).unwrap_or(0).max(1))
    }

    /// Width and height in blocks, and depth, of a level.
    fn level_blocks(&self, level: u32) -> [u32; 3] {
        let [w, h, d] = self.level_extent(level);
        [w.div_ceil(u32::from(self.block[0].max(1))), h.div_ceil(u32::from(self.block[1].max(1))), d]
    }

    /// Whether a level of that extent stands in tiles.
    fn is_tiled(&self, extent: [u32; 3]) -> bool {
        self.tile != [0; 3] && extent.iter().zip(self.tile).all(|(e, t)| e >> t.min(31) != 0)
    }

    fn bare_level(&self, level: u32) -> Level {
        let extent = self.level_blocks(level);
        let (row, slice, sample, tile);
        if self.is_tiled(extent) {
            let [w, h, d] = std::array::from_fn(|i| u64::from(extent[i]).div_ceil(1 << self.tile[i]));
            row = w * TILE_BYTES;
            slice = row.saturating_mul(h);
            sample = slice.saturating_mul(d);
            tile = self.tile;
        } else {
            row = (u64::from(extent[0]) * u64::from(self.bytes)).next_multiple_of(ROW_ALIGN);
            slice = row.saturating_mul(u64::from(extent[1]));
            sample = slice.saturating_mul(u64::from(extent[2]));
            tile = [0; 3];
        }
        let layer = sample.saturating_mul(u64::from(self.samples.max(1)));
        let size = layer.saturating_mul(u64::from(self.layers.max(1))).min(1 << 62);
        Level { offset: 0, extent, row, slice, sample, layer, size, tile }
    }

    /// Bytes of the whole image.
    pub fn size(&self) -> u64 {
        let last = self.level(self.levels.max(1) - 1);
        last.offset.saturating_add(last.size.next_multiple_of(LEVEL_ALIGN))
    }

    /// The levels that do not stand in tiles, and the bytes where they are.
    pub fn tail(&self) -> (u32, Range<u64>) {
        let first = (0..self.levels).find(|l| !self.is_tiled(self.level_blocks(*l))).unwrap_or(self.levels);
        let end = self.size();
        let start = if first < self.levels { self.level(first).offset } else { end };
        (first, start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn levels_follow_each_other() {
        let shape =
            Shape { bytes: 4, block: [1, 1], extent: [5, 3, 1], layers: 2, levels: 3, samples: 1, tile: [0; 3] };
        let l0 = shape.level(0);
        assert_eq!((l0.offset, l0.row, l0.slice, l0.size), (0, 32, 96, 192));
        let l1 = shape.level(1);
        assert_eq!((l1.offset, l1.extent, l1.row, l1.size), (192, [2, 1, 1], 16, 32));
        let l2 = shape.level(2);
        assert_eq!((l2.offset, l2.extent), (256, [1, 1, 1]));
        assert_eq!(shape.size(), 320);
    }

    #[test]
    fn blocks_at_the_edge_are_whole() {
        let shape =
            Shape { bytes: 8, block: [4, 4], extent: [9, 5, 1], layers: 1, levels: 2, samples: 1, tile: [0; 3] };
        let l0 = shape.level(0);
        assert_eq!((l0.extent, l0.row, l0.size), ([3, 2, 1], 32, 64));
        assert_eq!((shape.level_extent(1), shape.level(1).extent), ([4, 2, 1], [1, 1, 1]));
    }

    #[test]
    fn absurd_shapes_do_not_overflow() {
        let shape = Shape {
            bytes: 16,
            block: [1, 1],
            extent: [u32::MAX; 3],
            layers: u32::MAX,
            levels: 32,
            samples: 64,
            tile: [0; 3],
        };
        assert!(shape.size() >= 1 << 62);
        assert!(Shape { tile: tile(16, true).unwrap(), ..shape }.size() >= 1 << 62);
    }

    #[test]
    fn every_tile_has_as_many_bytes() {
        for bytes in [1, 2, 4, 8, 16] {
            for three_d in [false, true] {
                let texels = 1u64 << tile(bytes, three_d).unwrap().iter().sum::<u8>();
                assert_eq!(texels * u64::from(bytes), TILE_BYTES);
            }
        }
        assert_eq!((tile(3, false), tile(12, false), tile(32, true)), (None, None, None));
    }

    #[test]
    fn texels_of_a_tile_stand_together_and_nowhere_else() {
        let extent = [70, 40, 33];
        let shape =
            Shape { bytes: 8, block: [1, 1], extent, layers: 1, levels: 3, samples: 1, tile: tile(8, true).unwrap() };
        // Tiles of 32×16×16: 3×3×3 of them; then 35×20×16 in 2×2×1; 17×10×8 is the tail.
        let (first, tail) = shape.tail();
        assert_eq!((first, tail.start), (2, (27 + 4) * TILE_BYTES));
        assert_eq!(tail.end - tail.start, 144 * 10 * 8);
        let mut seen = HashSet::new();
        for level in 0..3 {
            let l = shape.level(level);
            for z in 0..u64::from(l.extent[2]) {
                for y in 0..u64::from(l.extent[1]) {
                    for x in 0..u64::from(l.extent[0]) {
                        let at = l.at(8, [x, y, z], 0, 0);
                        assert!(at.is_multiple_of(8) && at < tail.end && seen.insert(at), "{level} {x} {y} {z}");
                        if level == 0 {
                            let block = (z / 16 * 3 + y / 16) * 3 + x / 32;
                            assert_eq!(at / TILE_BYTES, block);
                        }
                    }
                }
            }
        }
    }
}
