//! Luma of two texels with their common chroma.

/// R (Cr), G (luma), B (Cb) and 1.
pub fn texel(block: &[u8; 16], x: u32, bits: u8, luma_first: bool) -> [f32; 4] {
    let component = |i: usize| {
        let raw = match bits {
            8 => u16::from(block[i & 3]),
            _ => u16::from_le_bytes([block[2 * (i & 3)], block[2 * (i & 3) + 1]]) >> (16 - bits),
        };
        f32::from(raw) / ((1u32 << bits) - 1) as f32
    };
    let x = (x & 1) as usize;
    let (luma, cb, cr) = if luma_first { (2 * x, 1, 3) } else { (2 * x + 1, 0, 2) };
    [component(cr), component(luma), component(cb), 1.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_where_the_names_say() {
        let mut block = [0; 16];
        block[..4].copy_from_slice(&[255, 51, 0, 102]);
        assert_eq!(texel(&block, 0, 8, true), [0.4, 1.0, 0.2, 1.0]);
        assert_eq!(texel(&block, 1, 8, true), [0.4, 0.0, 0.2, 1.0]);
        assert_eq!(texel(&block, 0, 8, false), [0.0, 0.2, 1.0, 1.0]);
        assert_eq!(texel(&block, 1, 8, false), [0.0, 0.4, 1.0, 1.0]);
        block[..8].copy_from_slice(&[0xc0, 0xff, 0, 0, 0x40, 0, 0xc0, 0xff]);
        assert_eq!(texel(&block, 1, 10, true), [1.0, 1.0 / 1023.0, 0.0, 1.0]);
    }
}
