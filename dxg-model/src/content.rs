//! What the descriptor of a shared resource stands for, and how it is written down for other processes.

use std::sync::Arc;

use crate::mapping::PAGE;
use crate::memory::Memory;
use crate::shared_file::{Head, SharedFile};
use crate::space::AddressSpace;

/// A sealed resource; outlives its creator.
#[derive(Debug)]
pub(crate) struct SharedContent {
    pub(crate) runtime_data: Vec<u8>,
    pub(crate) private_data: Vec<u8>,
    pub(crate) allocations: Vec<(Arc<Memory>, Vec<u8>)>,
    /// The file it lies in; `None` if part of it is memory that cannot leave the process.
    pub(crate) file: Option<Arc<SharedFile>>,
}

/// Takes fields off the start of a description.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: u64) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(first)
    }

    fn word(&mut self) -> Option<u64> {
        self.bytes(8)?.try_into().ok().map(u64::from_le_bytes)
    }
}

impl SharedContent {
    /// Size of all allocations' private data.
    pub(crate) fn total_private(&self) -> u32 {
        self.allocations.iter().map(|(_, d)| d.len() as u32).sum()
    }

    /// Writes the content down, if all of it lies in the resource's file.
    pub(crate) fn write(&mut self, file: Option<&Arc<SharedFile>>) {
        let Some(file) = file else { return };
        let mut out = Vec::new();
        let mut word = |v: u64| out.extend_from_slice(&v.to_le_bytes());
        word(self.runtime_data.len() as u64);
        word(self.private_data.len() as u64);
        word(self.allocations.len() as u64);
        for (memory, data) in &self.allocations {
            let Some(at) = memory.place_in(file) else { return };
            word(at);
            word(memory.size);
            word(u64::from(memory.non_local));
            word(data.len() as u64);
        }
        out.extend_from_slice(&self.runtime_data);
        out.extend_from_slice(&self.private_data);
        self.allocations.iter().for_each(|(_, data)| out.extend_from_slice(data));
        if file.seal(&out).is_ok() {
            self.file = Some(file.clone());
        }
    }

    /// Reads what another process wrote down, and maps its memory. `None` if it makes no sense or there is no room.
    pub(crate) fn read(space: &Arc<AddressSpace>, file: &Arc<SharedFile>, head: &Head) -> Option<Self> {
        let text = file.description(head)?;
        let mut r = Reader(&text);
        let (runtime, private, count) = (r.word()?, r.word()?, r.word()?);
        let mut parts = Vec::new();
        for _ in 0..count {
            let (at, size, non_local, data) = (r.word()?, r.word()?, r.word()? != 0, r.word()?);
            let fits = at >= PAGE
                && size > 0
                && at.is_multiple_of(PAGE)
                && size.is_multiple_of(PAGE)
                && file.contains(at, size);
            if !fits {
                return None;
            }
            parts.push((at, size, non_local, data));
        }
        let (runtime_data, private_data) = (r.bytes(runtime)?.to_vec(), r.bytes(private)?.to_vec());
        let mut allocations = Vec::with_capacity(parts.len());
        for (at, size, non_local, data) in parts {
            let memory = Memory::home_in(space, size, non_local, Some((file.clone(), at))).ok()?;
            allocations.push((Arc::new(memory), r.bytes(data)?.to_vec()));
        }
        Some(Self { runtime_data, private_data, allocations, file: Some(file.clone()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsFd, AsRawFd};

    /// A content as another process would find it, described by `text`.
    fn read(space: &Arc<AddressSpace>, text: &[u8]) -> Option<SharedContent> {
        let file = SharedFile::for_resource().unwrap();
        file.grow(4 * PAGE).unwrap();
        file.seal(text).unwrap();
        let (file, head) = SharedFile::open(file.as_fd().as_raw_fd()).unwrap();
        SharedContent::read(space, &file, &head)
    }

    #[test]
    fn descriptions_that_make_no_sense_are_refused() {
        let space = AddressSpace::new(64 << 20).unwrap();
        let words = [1u64, 2, 2, PAGE, PAGE, 0, 3, 2 * PAGE, 2 * PAGE, 1, 0];
        let mut text: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        text.extend_from_slice(b"Rprabc");
        let content = read(&space, &text).unwrap();
        assert_eq!((&*content.runtime_data, &*content.private_data), (&b"R"[..], &b"pr"[..]));
        assert_eq!((content.allocations.len(), content.total_private()), (2, 3));
        assert!(content.allocations[1].0.non_local && content.allocations[1].0.size == 2 * PAGE);
        // Memory outside the file, over its head, not in pages, or of no size; and data that is not there.
        let wrong = [(3, 0), (3, 100 * PAGE), (3, PAGE + 1), (4, 0), (4, u64::MAX), (4, 6 * PAGE), (2, u64::MAX)];
        for (at, value) in wrong.into_iter().chain([(0, 100), (1, u64::MAX), (6, 4), (10, u64::MAX)]) {
            let mut text = text.clone();
            text[8 * at..8 * at + 8].copy_from_slice(&value.to_le_bytes());
            assert!(read(&space, &text).is_none(), "word {at} is {value:#x}");
        }
        for len in 0..text.len() {
            assert!(read(&space, &text[..len]).is_none(), "{len} bytes");
        }
        // Any bytes: refused or not, but in good order.
        let mut seed = 1u64;
        for _ in 0..2000 {
            let mut text = text.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let at = (seed >> 33) as usize % text.len();
                text[at] = (seed >> 20) as u8;
            }
            if let Some(content) = read(&space, &text) {
                assert!(content.allocations.iter().all(|(m, _)| m.size <= 5 * PAGE));
            }
        }
        assert_eq!(space.census(), crate::Census { homes: 2, ..Default::default() }, "only the first is still there");
    }
}
