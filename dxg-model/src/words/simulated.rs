//! The words for loom, which has to own what it watches: beside the pages instead of in them.

use std::io;
use std::sync::Arc;

use crate::futex::Futex;
use crate::lock::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::shared_file::SharedFile;

/// A fence word.
#[derive(Debug)]
pub(crate) struct Word {
    page: u64,
    value: Arc<AtomicU64>,
}

impl Word {
    pub(crate) fn new(page: u64) -> io::Result<Self> {
        Ok(Self { page, value: Arc::new(AtomicU64::new(0)) })
    }

    pub(crate) fn of_file(page: u64, file: &SharedFile) -> io::Result<Self> {
        Ok(Self { page, value: file.words.fence.clone() })
    }

    pub(crate) fn alias(page: u64, of: &Word) -> io::Result<Self> {
        Ok(Self { page, value: of.value.clone() })
    }

    pub(crate) fn address(&self) -> u64 {
        self.page
    }

    pub(crate) fn load(&self) -> u64 {
        self.value.load(Ordering::Acquire)
    }

    pub(crate) fn store(&self, value: u64) {
        self.value.store(value, Ordering::Release);
    }

    /// The word itself, for those who write it behind everybody's back: the GPU.
    #[cfg(test)]
    pub(crate) fn raw(&self) -> Arc<AtomicU64> {
        self.value.clone()
    }
}

/// What stands in the file of a shared object.
#[derive(Debug)]
pub(crate) struct SharedWords {
    fence: Arc<AtomicU64>,
    sequence: Futex,
    sleepers: AtomicU32,
    state: AtomicU32,
    value: AtomicU64,
}

impl SharedWords {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            fence: Arc::new(AtomicU64::new(0)),
            sequence: Futex::new(0),
            sleepers: AtomicU32::new(0),
            state: AtomicU32::new(0),
            value: AtomicU64::new(0),
        })
    }
}

/// The head of a file.
#[derive(Debug)]
pub(crate) struct HeadPage(Arc<SharedWords>);

impl HeadPage {
    pub(crate) fn map(file: &SharedFile) -> io::Result<Self> {
        Ok(Self(file.words.clone()))
    }

    pub(crate) fn sequence(&self) -> &Futex {
        &self.0.sequence
    }

    pub(crate) fn sleepers(&self) -> &AtomicU32 {
        &self.0.sleepers
    }

    pub(crate) fn state(&self) -> &AtomicU32 {
        &self.0.state
    }

    pub(crate) fn value(&self) -> &AtomicU64 {
        &self.0.value
    }
}
