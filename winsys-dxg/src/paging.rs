//! The paging queue: when mappings and residency take effect.

use crate::device::{Device, RawDevice};
use crate::error::{Cause, Error, Result};
use crate::sys::FencePage;
use crate::wait::{self, Point, WaitMode};
use dxg_abi::{Arg, CreatePagingQueue, DestroyPagingQueue, Handle, PagingQueuePriority, Ret};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// A queue of paging work with a counter that rises as the work is done.
///
/// Only the highest value that any operation reported is kept; reaching it means that all paging
/// work so far is done.
#[derive(Debug)]
pub struct PagingQueue {
    // Goes first: what stands in for a page is the process's.
    page: FencePage,
    raw: Arc<RawDevice>,
    handle: Handle,
    sync_object: Handle,
    last: AtomicU64,
}

impl PagingQueue {
    pub(crate) fn create(raw: Arc<RawDevice>) -> Result<Self> {
        let mut arg =
            CreatePagingQueue { device: raw.handle, priority: PagingQueuePriority::NORMAL, ..Default::default() };
        raw.call(&mut arg)?;
        // SAFETY: the page belongs to the queue, which is destroyed when this object drops.
        let page = unsafe { FencePage::new(arg.fence_cpu_virtual_address) };
        match page {
            Some(page) if !arg.paging_queue.is_null() => {
                let (handle, sync_object) = (arg.paging_queue, arg.sync_object);
                Ok(Self { raw, handle, sync_object, page, last: AtomicU64::new(0) })
            }
            _ => Err(Error::new(CreatePagingQueue::IOCTL, Cause::NoOutput)),
        }
    }

    /// The handle.
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// The fence, a monitored one.
    pub(crate) fn sync_object(&self) -> Handle {
        self.sync_object
    }

    /// Takes note of what an operation reported.
    pub(crate) fn note(&self, ret: Ret, value: u64) {
        if ret == Ret::Pending {
            self.note_value(value);
        }
    }

    /// Takes note of a value that counts whatever the result was.
    pub(crate) fn note_value(&self, value: u64) {
        self.last.fetch_max(value, Ordering::AcqRel);
    }

    /// The value to wait for, if paging work is outstanding. Loads only.
    pub fn outstanding(&self) -> Option<u64> {
        let last = self.last.load(Ordering::Acquire);
        (self.page.value() < last).then_some(last)
    }

    /// Waits on the CPU until all paging work so far is done.
    ///
    /// # Errors
    /// Those of the wait; [`Cause::DeviceLost`] if it can never end.
    pub fn wait_cpu(&self, device: &Device) -> Result<()> {
        match self.outstanding() {
            None => Ok(()),
            Some(value) => {
                let point = Point { handle: self.sync_object, page: &self.page, value };
                wait::wait(device, &[point], WaitMode::All, None).map(drop)
            }
        }
    }
}

impl Drop for PagingQueue {
    fn drop(&mut self) {
        let _ = self.raw.call(&mut DestroyPagingQueue { paging_queue: self.handle });
    }
}
