//! Seeded input data, and comparisons.

pub use crate::random::Random;

/// `n` values of a seeded generator.
pub fn values<T>(seed: u64, n: usize, mut f: impl FnMut(&mut Random) -> T) -> Vec<T> {
    let mut random = Random(seed);
    (0..n).map(|_| f(&mut random)).collect()
}

/// Push constants.
pub fn push(words: &[u32]) -> Vec<u8> {
    bytemuck::cast_slice(words).to_vec()
}

/// Equality of every element.
pub fn exact<T: PartialEq + std::fmt::Debug>(got: &[T], want: &[T]) -> Result<(), String> {
    if got.len() < want.len() {
        return Err(format!("{} elements and not {}", got.len(), want.len()));
    }
    match got.iter().zip(want).position(|(g, w)| g != w) {
        Some(at) => Err(format!("element {at} is {:?}, not {:?}", got[at], want[at])),
        None => Ok(()),
    }
}

/// Every element is within `absolute + relative·|want|`.
pub fn close(got: &[f32], want: &[f32], relative: f32, absolute: f32) -> Result<(), String> {
    if got.len() < want.len() {
        return Err(format!("{} elements and not {}", got.len(), want.len()));
    }
    // Written so that a NaN is far away.
    let near = |(g, w): (&f32, &f32)| (g - w).abs() <= absolute + relative * w.abs();
    match got.iter().zip(want).position(|p| !near(p)) {
        Some(at) => Err(format!("element {at} is {}, not {}", got[at], want[at])),
        None => Ok(()),
    }
}

/// All but a fraction of the elements satisfy `same`: for kernels in which a rounding may tip a decision.
pub fn mostly<T>(got: &[T], want: &[T], fraction: f64, same: impl Fn(&T, &T) -> bool) -> Result<(), String> {
    if got.len() < want.len() {
        return Err(format!("{} elements and not {}", got.len(), want.len()));
    }
    let other = got.iter().zip(want).filter(|(g, w)| !same(g, w)).count();
    if other as f64 <= fraction * want.len() as f64 {
        Ok(())
    } else {
        Err(format!("{other} of {} elements differ", want.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_find_what_differs() {
        assert!(exact(&[1, 2], &[1, 2]).is_ok());
        assert!(exact(&[1, 2], &[1, 3]).is_err_and(|e| e.contains("element 1")));
        assert!(exact::<u32>(&[], &[1]).is_err());
        assert!(close(&[1.0, 2.0], &[1.0, 2.001], 1e-3, 0.0).is_ok());
        assert!(close(&[1.0, f32::NAN], &[1.0, 2.0], 1.0, 1.0).is_err());
        assert!(close(&[1.0], &[2.0], 1e-3, 1e-3).is_err());
        assert!(mostly(&[1, 2, 3, 4], &[1, 2, 3, 5], 0.25, |a, b| a == b).is_ok());
        assert!(mostly(&[1, 2, 3, 4], &[1, 2, 4, 5], 0.25, |a, b| a == b).is_err());
    }

    #[test]
    fn values_are_in_range() {
        assert!(values(1, 1000, |r| r.below(7)).iter().all(|v| *v < 7));
        assert!(values(1, 1000, |r| r.float(-2.0, 3.0)).iter().all(|v| (-2.0..3.0).contains(v)));
        assert!(values(1, 1000, Random::whole).iter().all(|v| v.fract() == 0.0 && v.abs() <= 8.0));
    }
}
