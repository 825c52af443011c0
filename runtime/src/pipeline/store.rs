//! Kernels that outlive the process.

use super::cache::Key;
use super::entry::{self, Reader};
use crate::gpu::{CompiledKernel, Gpu};
use std::fmt::Debug;

/// A place that keeps bytes by key for other processes. It may lose, cut or damage them at any time: what it gives is checked.
pub trait KernelStore: Send + Sync + Debug {
    /// The bytes that were kept under a key.
    fn load(&self, key: &[u8; 32]) -> Option<Vec<u8>>;

    /// Keeps bytes under a key, replacing others. Trouble is the store's own: a kernel that is not kept is compiled again.
    fn store(&self, key: &[u8; 32], bytes: &[u8]);

    /// Keeps bytes under a key that has none, in one step: false, and nothing done, if it has some.
    fn add(&self, key: &[u8; 32], bytes: &[u8]) -> bool;
}

/// Marks the bytes, with the version of their form.
const MAGIC: [u8; 8] = *b"vkdxgks1";

/// Bytes of the hash at the end.
const HASH_BYTES: usize = 32;

/// The bytes of a kernel: magic, key, kernel, hash of it all.
fn write(key: &Key, kernel: &CompiledKernel) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(key);
    out.extend_from_slice(&entry::encode(kernel));
    let hash = blake3::hash(&out);
    out.extend_from_slice(hash.as_bytes());
    out
}

/// The kernel of some bytes; `None` if they are damaged, were kept under another key or are not for this machine.
fn parse(gpu: &dyn Gpu, key: &Key, data: &[u8]) -> Option<CompiledKernel> {
    let (body, hash) = data.split_at_checked(data.len().checked_sub(HASH_BYTES)?)?;
    let r = Reader(body.strip_prefix(&MAGIC)?.strip_prefix(key)?);
    if blake3::hash(body).as_bytes() != hash {
        return None;
    }
    entry::decode(r.0).filter(|k| gpu.accepts_binary(&k.binary))
}

/// The kernel that a store has under a key.
pub(crate) fn load(store: &dyn KernelStore, gpu: &dyn Gpu, key: &Key) -> Option<CompiledKernel> {
    parse(gpu, key, &store.load(key)?)
}

/// Gives a kernel to a store. The best code stays: another process may have kept it since this one looked.
pub(crate) fn store(store: &dyn KernelStore, gpu: &dyn Gpu, key: &Key, kernel: &CompiledKernel) {
    let bytes = write(key, kernel);
    // What is there and is of no use to anybody is replaced.
    if kernel.successor.is_none() || (!store.add(key, &bytes) && load(store, gpu, key).is_none()) {
        store.store(key, &bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::lock;
    use crate::pipeline::entry::tests::sample;
    use crate::testing::FakeGpu;
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    #[test]
    fn kernels_round_trip_under_their_key_only() {
        let gpu = FakeGpu::new();
        let data = write(&[7; 32], &sample());
        assert_eq!(parse(&gpu, &[7; 32], &data), Some(sample()));
        assert_eq!(parse(&gpu, &[8; 32], &data), None);
    }

    #[derive(Debug, Default)]
    struct Memory(Mutex<BTreeMap<Key, Vec<u8>>>);

    impl KernelStore for Memory {
        fn load(&self, key: &Key) -> Option<Vec<u8>> {
            lock(&self.0).get(key).cloned()
        }

        fn store(&self, key: &Key, bytes: &[u8]) {
            lock(&self.0).insert(*key, bytes.to_vec());
        }

        fn add(&self, key: &Key, bytes: &[u8]) -> bool {
            let mut kept = lock(&self.0);
            let free = !kept.contains_key(key);
            if free {
                kept.insert(*key, bytes.to_vec());
            }
            free
        }
    }

    #[test]
    fn the_best_code_stays() {
        let (gpu, kept, key) = (FakeGpu::new(), Memory::default(), [7; 32]);
        let best = CompiledKernel { successor: None, ..sample() };
        let first = CompiledKernel { binary: vec![1; 48], successor: Some(16), ..sample() };
        let after = |kernel: &CompiledKernel| {
            store(&kept, &gpu, &key, kernel);
            load(&kept, &gpu, &key)
        };
        assert_eq!(after(&first).as_ref(), Some(&first));
        assert_eq!(after(&best).as_ref(), Some(&best));
        assert_eq!(after(&first).as_ref(), Some(&best));
        assert_eq!(after(&best).as_ref(), Some(&best));
        // Rubbish does not.
        kept.store(&key, &write(&[8; 32], &best));
        assert_eq!(after(&first).as_ref(), Some(&first));
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let gpu = FakeGpu::new();
        let data = write(&[7; 32], &sample());
        for i in 0..data.len() {
            let mut bad = data.clone();
            bad[i] ^= 0x04;
            assert_eq!(parse(&gpu, &[7; 32], &bad), None, "byte {i}");
            assert_eq!(parse(&gpu, &[7; 32], &data[..i]), None, "{i} bytes");
        }
    }
}
