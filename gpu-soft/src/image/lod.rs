//! Level of detail and anisotropy (Vulkan specification, "Scale Factor Operation").

/// Most samples along the axis of anisotropy.
pub const MAX_ANISOTROPY: usize = 16;

/// What gradients ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Level of detail before bias and limits.
    pub lod: f32,
    /// Number of samples along the axis, 1 to [`MAX_ANISOTROPY`].
    pub samples: u8,
    /// The gradient that is the axis: 0 = ∂x, 1 = ∂y.
    pub axis: usize,
}

impl Scale {
    /// One sample.
    pub fn isotropic(lod: f32) -> Scale {
        Scale { lod, samples: 1, axis: 0 }
    }

    /// From the gradients of coordinates of `dims` dimensions in an image of this size, with at most so many samples.
    pub fn of(grad: &[[f32; 3]; 2], dims: usize, size: [f32; 3], most: u8) -> Scale {
        let rho = |d: &[f32; 3]| (0..dims).map(|i| (d[i] * size[i]) * (d[i] * size[i])).sum::<f32>().sqrt();
        let (x, y) = (rho(&grad[0]), rho(&grad[1]));
        let (longer, shorter) = (x.max(y), x.min(y));
        if most <= 1 || longer <= shorter || !longer.is_finite() {
            return Scale::isotropic(longer.log2());
        }
        let most = f32::from(most).min(MAX_ANISOTROPY as f32);
        let samples = (longer / shorter).min(most).ceil();
        Scale { lod: (longer / samples).log2(), samples: samples as u8, axis: usize::from(y > x) }
    }
}

/// Gradients of a direction as gradients of the face's coordinates.
pub fn face_gradients(direction: [f32; 3], grad: &[[f32; 3]; 2]) -> [[f32; 3]; 2] {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anisotropy_trades_levels_for_samples() {
        let grad = [[0.25, 0.0, 0.0], [0.0, 0.0625, 0.0]];
        assert_eq!(Scale::of(&grad, 2, [64.0; 3], 1), Scale { lod: 4.0, samples: 1, axis: 0 });
        assert_eq!(Scale::of(&grad, 2, [64.0; 3], 16), Scale { lod: 2.0, samples: 4, axis: 0 });
        assert_eq!(Scale::of(&grad, 2, [64.0; 3], 2), Scale { lod: 3.0, samples: 2, axis: 0 });
        let turned = [grad[1], grad[0]];
        assert_eq!(Scale::of(&turned, 2, [64.0; 3], 16).axis, 1);
        let line = [[0.25, 0.0, 0.0], [0.0; 3]];
        assert_eq!(Scale::of(&line, 2, [64.0; 3], 16), Scale { lod: 0.0, samples: 16, axis: 0 });
        assert_eq!(Scale::of(&[[0.0; 3]; 2], 2, [64.0; 3], 16), Scale::isotropic(f32::NEG_INFINITY));
    }
}
