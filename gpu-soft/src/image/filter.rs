//! Address modes, comparison and the blending of texels.

use super::desc::SamplerDesc;
use crate::texel::Texel;

/// VkSamplerAddressMode applied to texel coordinate `i` of a dimension of `size` texels: the texel, or `None` for border.
pub fn wrap(mode: u8, i: i32, size: i32) -> Option<i32> {
    let mirror = |a: i32| if a >= 0 { a } else { -(a.wrapping_add(1)) };
    match mode {
        // REPEAT
        0 => Some(i.rem_euclid(size)),
        // MIRRORED_REPEAT
        1 => Some(
            (size - 1).wrapping_sub(mirror(i.rem_euclid(size.saturating_mul(2)).wrapping_sub(size))).clamp(0, size - 1),
        ),
        // CLAMP_TO_BORDER
        3 => (0..size).contains(&i).then_some(i),
        // MIRROR_CLAMP_TO_EDGE
        4 => Some(mirror(i).clamp(0, size - 1)),
        // CLAMP_TO_EDGE
        _ => Some(i.clamp(0, size - 1)),
    }
}

/// VkCompareOp: whether `reference` op `value` holds.
pub fn compare(op: u8, reference: f32, value: f32) -> bool {
    match op {
        0 => false,
        1 => reference < value,
        2 => reference == value,
        3 => reference <= value,
        4 => reference > value,
        5 => reference != value,
        6 => reference >= value,
        _ => true,
    }
}

/// A texel of floats.
pub fn floats(texel: &Texel) -> [f32; 4] {
    texel.map(|v| f32::from_bits(v as u32))
}

/// Floats as a texel.
pub fn texel(floats: [f32; 4]) -> Texel {
    floats.map(|v| u64::from(v.to_bits()))
}

/// The weighted average of texels. Rounded weights may add up to a little more than 1; the result is kept between the texels.
fn average(parts: &[(f32, [f32; 4])]) -> [f32; 4] {
    // A texel of weight 0 must not spread its NaN or infinity.
    let some = || parts.iter().filter(|(weight, _)| *weight != 0.0);
    std::array::from_fn(|c| {
        let sum: f32 = some().map(|(weight, part)| weight * part[c]).sum();
        if sum.is_nan() {
            return sum;
        }
        let (low, high) =
            some().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), (_, part)| (l.min(part[c]), h.max(part[c])));
        sum.min(high).max(low)
    })
}

/// Blends weighted texels by the sampler's reduction mode: average, minimum or maximum (texels of weight 0 take no part in
/// the latter).
pub fn reduce(sampler: &SamplerDesc, parts: &[(f32, [f32; 4])]) -> [f32; 4] {
    if sampler.reduction == 0 {
        return average(parts);
    }
    let mut out = [0f32; 4];
    let mut first = true;
    for (_, part) in parts.iter().filter(|(weight, _)| *weight != 0.0) {
        for c in 0..4 {
            out[c] = match (first, sampler.reduction) {
                (true, _) => part[c],
                (false, 1) => out[c].min(part[c]),
                (false, _) => out[c].max(part[c]),
            };
        }
        first = false;
    }
    out
}

/// Weights of the four texels around a point whose fraction is `a` between the second and the third: a Catmull-Rom spline
/// (Vulkan specification, "Texel Filtering").
pub fn cubic_weights(a: f32) -> [f32; 4] {
    let (a2, a3) = (a * a, a * a * a);
    [0.5 * (-a + 2.0 * a2 - a3), 0.5 * (2.0 - 5.0 * a2 + 3.0 * a3), 0.5 * (a + 4.0 * a2 - 3.0 * a3), 0.5 * (-a2 + a3)]
}

/// As [`reduce`] for cubic filters: weights may be negative and the average may lie outside of the texels.
pub fn reduce_cubic(sampler: &SamplerDesc, parts: &[(f32, [f32; 4])]) -> [f32; 4] {
    if sampler.reduction != 0 {
        return reduce(sampler, parts);
    }
    std::array::from_fn(|c| {
        parts.iter().filter(|(weight, _)| *weight != 0.0).map(|(weight, part)| weight * part[c]).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_stay_between_their_texels() {
        let sampler = SamplerDesc::default();
        for i in 1..1000 {
            let (x, y) = (i as f32 / 1000.0, 1.0 - (i as f32 / 1777.0));
            let parts =
                [(1.0 - x) * (1.0 - y), x * (1.0 - y), (1.0 - x) * y, x * y].map(|w| (w, [-1.0, 1.0, 0.3, 7.0]));
            assert_eq!(reduce(&sampler, &parts), [-1.0, 1.0, 0.3, 7.0]);
        }
        assert_eq!(reduce(&sampler, &[(0.0, [f32::NAN; 4]), (1.0, [2.0; 4])]), [2.0; 4]);
    }

    #[test]
    fn cubic_weights_pass_through_the_texels() {
        assert_eq!(cubic_weights(0.0), [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(cubic_weights(0.5), [-0.0625, 0.5625, 0.5625, -0.0625]);
        for i in 0..=64 {
            let a = i as f32 / 64.0;
            let w = cubic_weights(a);
            assert!((w.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            // A straight line stays one.
            assert!((w[2] + 2.0 * w[3] - w[0] - a).abs() < 1e-6);
        }
    }

    #[test]
    fn address_modes() {
        let row = |mode| (-5..9).map(|i| wrap(mode, i, 4).map_or(-1, |v| v)).collect::<Vec<_>>();
        assert_eq!(row(0), [3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0]);
        assert_eq!(row(1), [3, 3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0, 0]);
        assert_eq!(row(2), [0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3]);
        assert_eq!(row(3), [-1, -1, -1, -1, -1, 0, 1, 2, 3, -1, -1, -1, -1, -1]);
        assert_eq!(row(4), [3, 3, 2, 1, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3]);
        for i in [i32::MIN, i32::MAX] {
            for mode in 0..5 {
                assert!(wrap(mode, i, 7).is_none_or(|v| (0..7).contains(&v)));
            }
        }
    }
}
