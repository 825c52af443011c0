//! Where the texels of an image stand.

/// Alignment of rows in bytes.
const ROW_ALIGN: u64 = 16;

/// Alignment of levels (and of the image) in bytes.
pub const LEVEL_ALIGN: u64 = 64;

/// What the layout of an image depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of a texel.
    pub bytes: u32,
    /// Width, height and depth of level 0 in texels, each ≥ 1.
    pub extent: [u32; 3],
    /// Array layers, ≥ 1.
    pub layers: u32,
    /// Levels, ≥ 1.
    pub levels: u32,
    /// Samples of a texel, ≥ 1.
    pub samples: u32,
}

/// One level of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Byte offset of its first texel from the start of the image.
    pub offset: u64,
    /// Width, height and depth in texels.
    pub extent: [u32; 3],
    /// Bytes from one row to the next.
    pub row: u64,
    /// Bytes from one depth slice to the next.
    pub slice: u64,
    /// Bytes from one sample to the next.
    pub sample: u64,
    /// Bytes from one layer to the next.
    pub layer: u64,
    /// Bytes of all layers.
    pub size: u64,
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

    fn bare_level(&self, level: u32) -> Level {
        let extent = self.level_extent(level);
        let row = (u64::from(extent[0]) * u64::from(self.bytes)).next_multiple_of(ROW_ALIGN);
        let slice = row.saturating_mul(u64::from(extent[1]));
        let sample = slice.saturating_mul(u64::from(extent[2]));
        let layer = sample.saturating_mul(u64::from(self.samples.max(1)));
        let size = layer.saturating_mul(u64::from(self.layers.max(1))).min(1 << 62);
        Level { offset: 0, extent, row, slice, sample, layer, size }
    }

    /// Bytes of the whole image.
    pub fn size(&self) -> u64 {
        let last = self.level(self.levels.max(1) - 1);
        last.offset.saturating_add(last.size.next_multiple_of(LEVEL_ALIGN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_each_other() {
        let shape = Shape { bytes: 4, extent: [5, 3, 1], layers: 2, levels: 3, samples: 1 };
        let l0 = shape.level(0);
        assert_eq!((l0.offset, l0.row, l0.slice, l0.size), (0, 32, 96, 192));
        let l1 = shape.level(1);
        assert_eq!((l1.offset, l1.extent, l1.row, l1.size), (192, [2, 1, 1], 16, 32));
        let l2 = shape.level(2);
        assert_eq!((l2.offset, l2.extent), (256, [1, 1, 1]));
        assert_eq!(shape.size(), 320);
    }

    #[test]
    fn absurd_shapes_do_not_overflow() {
        let shape = Shape { bytes: 16, extent: [u32::MAX; 3], layers: u32::MAX, levels: 32, samples: 64 };
        assert!(shape.size() >= 1 << 62);
    }
}
