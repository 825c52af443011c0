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
