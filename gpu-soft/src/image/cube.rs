//! Cube maps: from a direction to a face, and across edges.

/// A point on the cube: face 0..6 and coordinates in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnFace {
    /// +X, −X, +Y, −Y, +Z, −Z.
    pub face: u32,
    /// Along the face's columns.
    pub s: f32,
    /// Along the face's rows.
    pub t: f32,
}

/// Vulkan specification, "Cube Map Face Selection": the major axis (Z before Y before X on ties) and the face coordinates.
pub fn project(d: [f32; 3]) -> OnFace {
    let [x, y, z] = d;
    let (ax, ay, az) = (x.abs(), y.abs(), z.abs());
    let (face, sc, tc, ma) = if az >= ax && az >= ay {
        if z >= 0.0 {
            (4, x, -y, az)
        } else {
            (5, -x, -y, az)
        }
    } else if ay >= ax {
        if y >= 0.0 {
            (2, x, z, ay)
        } else {
            (3, x, -z, ay)
        }
    } else if x >= 0.0 {
        (0, -z, -y, ax)
    } else {
        (1, z, -y, ax)
    };
    let unit = |c: f32| if ma > 0.0 { 0.5 * (c / ma + 1.0) } else { 0.5 };
    OnFace { face, s: unit(sc), t: unit(tc) }
}

/// The direction through a point of a face; inverse of [`project`]. `s` and `t` may lie outside of [0, 1].
fn direction(face: u32, s: f32, t: f32) -> [f32; 3] {
    let (u, v) = (2.0 * s - 1.0, 2.0 * t - 1.0);
    match face {
        0 => [1.0, -v, -u],
        1 => [-1.0, -v, u],
        2 => [u, 1.0, v],
        3 => [u, -1.0, -v],
        4 => [u, -v, 1.0],
        _ => [-u, -v, -1.0],
    }
}

/// The texel that stands where texel (i, j) of a face of `size` texels would be, when one of them is one step outside:
/// (face, i, j) on the neighbour. `None` at the corners, where no texel stands.
pub fn wrap_edge(face: u32, i: i32, j: i32, size: i32) -> Option<(u32, i32, i32)> {
    let outside = |c: i32| c < 0 || c >= size;
    match (outside(i), outside(j)) {
        (false, false) => Some((face, i, j)),
        (true, true) => None,
        _ => {
            let n = size as f32;
            // One step outside, at the depth of half a texel behind the edge: project the point just behind the edge.
            let at = |c: i32| {
                if c < 0 {
                    -1e-3 / n
                } else if c >= size {
                    1.0 + 1e-3 / n
                } else {
                    (c as f32 + 0.5) / n
                }
            };
            let p = project(direction(face, at(i), at(j)));
            let cell = |c: f32| ((c * n).floor() as i32).clamp(0, size - 1);
            Some((p.face, cell(p.s), cell(p.t)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projection_inverts_direction() {
        for face in 0..6 {
            for (s, t) in [(0.25, 0.75), (0.5, 0.5), (0.9, 0.1)] {
                let p = project(direction(face, s, t));
                assert_eq!(p.face, face);
                assert!((p.s - s).abs() < 1e-6 && (p.t - t).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn edges_meet_their_neighbours() {
        // Right of +Z is +X: its first column, same row.
        assert_eq!(wrap_edge(4, 4, 1, 4), Some((0, 0, 1)));
        // Left of +Z is −X: its last column.
        assert_eq!(wrap_edge(4, -1, 2, 4), Some((1, 3, 2)));
        // Above +Z is +Y: its last row.
        assert_eq!(wrap_edge(4, 3, -1, 4), Some((2, 3, 3)));
        assert_eq!(wrap_edge(4, -1, -1, 4), None);
    }
}
