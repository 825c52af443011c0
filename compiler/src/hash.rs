//! Hash maps for small keys: ids, values and operations. The standard hasher resists chosen keys at a price that shows in every
//! pass; this one multiplies word by word, and starts from a number that is drawn once per process, so that a module
//! cannot be written to collide.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// A map with [`Seeded`] hashes.
pub type HashMap<K, V> = std::collections::HashMap<K, V, Seeded>;
/// A set with [`Seeded`] hashes.
pub type HashSet<K> = std::collections::HashSet<K, Seeded>;

/// Makes [`Folded`] hashers.
#[derive(Clone, Copy, Debug)]
pub struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Self {
        static SEED: OnceLock<u64> = OnceLock::new();
        Seeded(*SEED.get_or_init(|| RandomState::new().hash_one(0)))
    }
}

impl BuildHasher for Seeded {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.0)
    }
}

/// A hash under way.
#[derive(Clone, Copy, Debug)]
pub struct Folded(u64);

impl Folded {
    fn add(&mut self, word: u64) {
        // Both halves of the product: the low one alone would not let high bits reach low ones.
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
        self.add(bytes.len() as u64);
    }

    fn write_u8(&mut self, n: u8) {
        self.add(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.add(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.add(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.add(n);
    }

    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.add(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_and_multiples_are_spread() {
        let build = Seeded::default();
        for stride in [1u64, 4, 64, 1 << 16, 1 << 32, 1 << 52] {
            // As a table sees it: low bits choose the bucket, high ones tell its entries apart.
            let low: HashSet<u64> = (0..1024).map(|i| build.hash_one(i * stride) & 0xffff).collect();
            let high: HashSet<u64> = (0..1024).map(|i| build.hash_one(i * stride) >> 48).collect();
            assert!(low.len() > 900 && high.len() > 900, "stride {stride}: {} and {}", low.len(), high.len());
        }
    }

    #[test]
    fn order_and_length_count() {
        let build = Seeded::default();
        assert_ne!(build.hash_one((1u32, 2u32)), build.hash_one((2u32, 1u32)));
        assert_ne!(build.hash_one([0u8; 3].as_slice()), build.hash_one([0u8; 4].as_slice()));
    }
}
