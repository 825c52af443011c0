//! What memory holds, page by page, and what changed since last time.

use super::format::{PageData, PAGE_BYTES};
use crate::sys::{ProcessMemory, View};

/// Largest allocation that is followed, bytes.
pub(crate) const SIZE_MAX: u64 = 16 << 30;
/// Bytes read at a time.
const CHUNK: usize = 256 * PAGE_BYTES;

/// Where the content of an allocation can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// Memory of the client, which may have been taken away against the rules.
    Process(u64),
    /// Memory that the node mapped.
    Mapped(View),
}

impl Source {
    fn read(&self, memory: &ProcessMemory, offset: u64, out: &mut [u8]) -> bool {
        match self {
            Source::Process(address) => memory.read(address.wrapping_add(offset), out),
            Source::Mapped(view) => usize::try_from(offset).ok().and_then(|o| view.read(o, out)).is_some(),
        }
    }

    /// Puts content back.
    pub(crate) fn write(&self, memory: &ProcessMemory, offset: u64, data: &[u8]) -> bool {
        match self {
            Source::Process(address) => memory.write(address.wrapping_add(offset), data),
            Source::Mapped(view) => usize::try_from(offset).ok().and_then(|o| view.write(o, data)).is_some(),
        }
    }
}

type Hash = [u8; 16];

fn hash(page: &[u8]) -> Hash {
    let mut out = [0; 16];
    out.copy_from_slice(&blake3::hash(page).as_bytes()[..16]);
    out
}

/// The hash of each page of an allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageHashes(Vec<Hash>);

impl PageHashes {
    /// An allocation of zeros; `None` if it is too large to follow.
    pub(crate) fn zeros(size: u64) -> Option<Self> {
        if size > SIZE_MAX {
            return None;
        }
        let pages = usize::try_from(size.div_ceil(PAGE_BYTES as u64)).ok()?;
        Some(Self(vec![hash(&[0; PAGE_BYTES]); pages]))
    }

    /// Number of pages.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes.
    pub(crate) fn size(&self) -> u64 {
        (self.0.len() * PAGE_BYTES) as u64
    }

    /// Reads everything and returns the pages that changed, with their new content. Pages that
    /// cannot be read count as unchanged.
    pub(crate) fn update(&mut self, memory: &ProcessMemory, source: &Source) -> Vec<PageData> {
        let mut changed = Vec::new();
        let mut buffer = vec![0u8; CHUNK.min(self.0.len() * PAGE_BYTES)];
        let mut first = 0;
        while first < self.0.len() {
            let n = (self.0.len() - first).min(CHUNK / PAGE_BYTES);
            let bytes = &mut buffer[..n * PAGE_BYTES];
            if source.read(memory, (first * PAGE_BYTES) as u64, bytes) {
                for (i, page) in bytes.chunks_exact(PAGE_BYTES).enumerate() {
                    let new = hash(page);
                    if new == self.0[first + i] {
                        continue;
                    }
                    self.0[first + i] = new;
                    let data = page.iter().any(|b| *b != 0).then(|| {
                        let mut data = Box::new([0; PAGE_BYTES]);
                        data.copy_from_slice(page);
                        data
                    });
                    changed.push(PageData { index: (first + i) as u64, data });
                }
            }
            first += n;
        }
        changed
    }

    /// Takes recorded pages as the new content. False if one is out of range.
    pub(crate) fn apply(&mut self, pages: &[PageData]) -> bool {
        pages.iter().all(|page| {
            let slot = usize::try_from(page.index).ok().and_then(|i| self.0.get_mut(i));
            match slot {
                Some(slot) => {
                    *slot = hash(page.bytes());
                    true
                }
                None => false,
            }
        })
    }

    /// One hash for all.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for h in &self.0 {
            hasher.update(h);
        }
        *hasher.finalize().as_bytes()
    }

    /// Number of pages that differ from another's.
    pub(crate) fn differences(&self, other: &Self) -> usize {
        let common = self.0.iter().zip(&other.0).filter(|(a, b)| a != b).count();
        common + self.0.len().abs_diff(other.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_reported() {
        let memory = ProcessMemory::open().expect("own memory");
        let mut bytes = vec![0u8; 3 * PAGE_BYTES];
        let mut hashes = PageHashes::zeros(bytes.len() as u64).expect("small");
        let source = Source::Process(bytes.as_ptr() as u64);
        assert!(hashes.update(&memory, &source).is_empty());
        bytes[PAGE_BYTES + 5] = 1;
        let before = hashes.clone();
        let changed = hashes.update(&memory, &source);
        assert_eq!(changed.iter().map(|p| p.index).collect::<Vec<_>>(), [1]);
        assert_eq!(changed[0].bytes()[5], 1);
        assert_eq!(hashes.differences(&before), 1);
        assert_ne!(hashes.digest(), before.digest());
        let mut replayed = before;
        assert!(replayed.apply(&changed));
        assert_eq!(replayed.digest(), hashes.digest());
        assert!(!replayed.apply(&[PageData { index: 3, data: None }]));
        // Memory that is not there is not a fault.
        assert!(hashes.update(&memory, &Source::Process(16)).is_empty());
    }
}
