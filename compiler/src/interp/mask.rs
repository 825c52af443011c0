//! Sets of invocations.

use smallvec::SmallVec;

/// A set of invocations of a workgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    words: SmallVec<[u64; 2]>,
}

impl Mask {
    /// No invocation, of `lanes`.
    pub fn empty(lanes: usize) -> Mask {
        Mask { words: SmallVec::from_elem(0, lanes.div_ceil(64)) }
    }

    /// All of `lanes` invocations.
    pub fn full(lanes: usize) -> Mask {
        let mut m = Mask::empty(lanes);
        (0..lanes).for_each(|l| m.insert(l));
        m
    }

    pub fn insert(&mut self, lane: usize) {
        self.words[lane / 64] |= 1 << (lane % 64);
    }

    pub fn contains(&self, lane: usize) -> bool {
        self.words[lane / 64] >> (lane % 64) & 1 == 1
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&w| w == 0)
    }

    pub fn union(&mut self, other: &Mask) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    /// Takes the invocations of `other` out.
    pub fn remove(&mut self, other: &Mask) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= !b);
    }

    /// The members in ascending order.
    pub fn lanes(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(i, &w)| {
            let mut w = w;
            std::iter::from_fn(move || {
                (w != 0).then(|| {
                    let bit = w.trailing_zeros() as usize;
                    w &= w - 1;
                    i * 64 + bit
                })
            })
        })
    }
}
