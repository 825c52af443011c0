//! Pages the model itself puts into the address space: homes of memory it made, and fences.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use super::{AddressSpace, Region, RegionKind, VaError};
use crate::lock::write;
use crate::mapping::PAGE;
use crate::segments::Shows;
use crate::shared_file::SharedFile;
use crate::sync::SyncObject;
use crate::words::Word;

/// Addresses taken for fences at a time.
const FENCE_CHUNK: u64 = 512 * PAGE;

impl AddressSpace {
    /// Fresh memory, or pages of a file from an offset; returns its address.
    pub(crate) fn new_home(&self, size: u64, file: Option<(&SharedFile, u64)>) -> Result<u64, VaError> {
        let mut inner = write(&self.inner);
        let start = self.find_free(&mut inner, size, 0, 0)?;
        match file {
            Some((file, offset)) => self.main.set_file(start, size, file, offset)?,
            None => self.main.set_memory(start, size)?,
        }
        inner.regions.insert(start, Region { size, kind: RegionKind::Home, outside: None });
        Ok(start)
    }

    /// Gives fresh memory back.
    pub(crate) fn free_home(&self, start: u64) {
        self.drop_region(&mut write(&self.inner), start);
    }

    /// Makes a home inaccessible (adapter stop).
    pub(crate) fn hide_home(&self, start: u64) {
        let inner = write(&self.inner);
        let Some(region) = inner.regions.get(&start).filter(|r| r.kind == RegionKind::Home) else {
            return;
        };
        // Failing leaves the pages visible, which the client was told not to rely on.
        let _ = self.main.set_none(start, region.size);
        let size = region.size;
        drop(inner);
        self.changed(&[(start, size)]);
    }

    /// A page for a fence.
    pub(crate) fn new_fence_page(self: &Arc<Self>, of: PageOf<'_>) -> Result<FencePage, VaError> {
        let mut inner = write(&self.inner);
        if inner.fence_pages.is_empty() {
            let start = self.find_free(&mut inner, FENCE_CHUNK, 0, 0)?;
            self.claim(&mut inner, start, FENCE_CHUNK, RegionKind::Fences)?;
            inner.fence_pages.extend((0..FENCE_CHUNK / PAGE).map(|i| start + i * PAGE));
        }
        let page = inner.fence_pages.pop_front().ok_or(VaError::NoMemory)?;
        let word = match of {
            PageOf::Nothing => self.main.map_word(page),
            PageOf::File(file) => self.main.file_word(page, file),
            PageOf::Fence(FencePage { word: Some(word), .. }) => self.main.alias_word(page, word),
            PageOf::Fence(_) => Err(std::io::ErrorKind::InvalidInput.into()),
        };
        let word = word.inspect_err(|_| inner.fence_pages.push_front(page))?;
        let mapping = self.new_mapping(page, PAGE, 0, Shows::Fence, true, true, None);
        inner.segments.insert(page, page + PAGE, &mapping);
        drop(inner);
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(FencePage { word: Some(word), space: self.clone() })
    }

    /// Remembers which fence a page belongs to.
    pub(crate) fn register_fence(&self, page: u64, fence: &Arc<SyncObject>) {
        write(&self.fences).insert(page, Arc::downgrade(fence));
    }

    fn free_fence_page(&self, word: Word) {
        let page = word.address();
        write(&self.fences).remove(&page);
        let mut inner = write(&self.inner);
        inner.segments.remove(page, page + PAGE, |m| m.shows == Shows::Fence);
        self.main.unmap_word(word);
        inner.fence_pages.push_back(page);
        drop(inner);
        self.changed(&[(page, PAGE)]);
    }
}

/// What a fence's page is to show.
pub(crate) enum PageOf<'a> {
    /// A value of its own.
    Nothing,
    /// The value of another page.
    Fence(&'a FencePage),
    /// The value in a shared object's file.
    File(&'a SharedFile),
}

/// The page of a fence; unmapped when dropped.
#[derive(Debug)]
pub(crate) struct FencePage {
    /// `None` only while being dropped.
    word: Option<Word>,
    space: Arc<AddressSpace>,
}

impl FencePage {
    /// CPU address and GPU address alike.
    pub(crate) fn address(&self) -> u64 {
        self.word.as_ref().map_or(0, Word::address)
    }

    /// The word, for those who write it as a GPU does.
    #[cfg(all(test, loom))]
    pub(crate) fn raw(&self) -> Arc<crate::lock::atomic::AtomicU64> {
        self.word.as_ref().expect("a page that is not being dropped").raw()
    }

    pub(crate) fn load(&self) -> u64 {
        self.word.as_ref().map_or(u64::MAX, Word::load)
    }

    pub(crate) fn store(&self, value: u64) {
        if let Some(word) = &self.word {
            word.store(value);
        }
    }
}

impl Drop for FencePage {
    fn drop(&mut self) {
        if let Some(word) = self.word.take() {
            self.space.free_fence_page(word);
        }
    }
}
