//! The words where they are: in pages.

use core::ptr::NonNull;
use std::io;

use crate::futex::Futex;
use crate::lock::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::mapping::{map_head, unmap, PAGE};
use crate::shared_file::SharedFile;

/// A fence word: eight bytes at the start of a page that is mapped read-write.
#[derive(Debug)]
pub(crate) struct Word(NonNull<AtomicU64>);

// SAFETY: the word is only accessed atomically.
unsafe impl Send for Word {}
// SAFETY: as above.
unsafe impl Sync for Word {}

impl Word {
    /// The word at the start of a page that is mapped read-write until it is passed to
    /// [`Reservation::unmap_word`](crate::mapping::Reservation::unmap_word).
    pub(crate) fn new(page: u64) -> io::Result<Self> {
        NonNull::new(page as *mut AtomicU64).map(Self).ok_or(io::ErrorKind::InvalidInput.into())
    }

    /// The word in the fence page of a file, which stands at `page`.
    pub(crate) fn of_file(page: u64, _: &SharedFile) -> io::Result<Self> {
        Self::new(page)
    }

    /// The word of another page again, which stands at `page`, too.
    pub(crate) fn alias(page: u64, _: &Word) -> io::Result<Self> {
        Self::new(page)
    }

    pub(crate) fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }

    fn atomic(&self) -> &AtomicU64 {
        // SAFETY: the page is mapped read-write and aligned until `unmap_word` consumes the
        // word, or until the reservation goes, which outlives it (both belong to one address
        // space, whose owner is kept by the holder of the word).
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn load(&self) -> u64 {
        self.atomic().load(Ordering::Acquire)
    }

    pub(crate) fn store(&self, value: u64) {
        self.atomic().store(value, Ordering::Release);
    }
}

/// The first page of a shared object's file, with the words that processes signal each other with.
#[derive(Debug)]
pub(crate) struct HeadPage(NonNull<u8>);

// SAFETY: the words are only accessed atomically.
unsafe impl Send for HeadPage {}
// SAFETY: as above.
unsafe impl Sync for HeadPage {}

impl HeadPage {
    /// Maps the first page of a file that has one and whose size does not change.
    pub(crate) fn map(file: &SharedFile) -> io::Result<Self> {
        let page = map_head(file)?;
        NonNull::new(page as *mut u8).map(Self).ok_or(io::ErrorKind::InvalidInput.into())
    }

    /// # Safety
    /// A `T` of the offset's alignment lies in the page, and all its bit patterns are good.
    unsafe fn word<T>(&self, at: usize) -> &T {
        // SAFETY: the page is mapped read-write until `self` is dropped; the rest is the caller's.
        unsafe { self.0.add(at).cast::<T>().as_ref() }
    }

    /// Bumped with every signal.
    pub(crate) fn sequence(&self) -> &Futex {
        // SAFETY: an atomic word, aligned.
        unsafe { self.word(1024) }
    }

    /// Number of those who sleep on the sequence.
    pub(crate) fn sleepers(&self) -> &AtomicU32 {
        // SAFETY: an atomic word, aligned.
        unsafe { self.word(1028) }
    }

    /// Not 0 once the object is lost.
    pub(crate) fn state(&self) -> &AtomicU32 {
        // SAFETY: an atomic word, aligned.
        unsafe { self.word(1032) }
    }

    /// The value of objects that do not keep it in a page of its own.
    pub(crate) fn value(&self) -> &AtomicU64 {
        // SAFETY: an atomic word, aligned.
        unsafe { self.word(1040) }
    }
}

impl Drop for HeadPage {
    fn drop(&mut self) {
        unmap(self.0.as_ptr() as u64, PAGE);
    }
}
