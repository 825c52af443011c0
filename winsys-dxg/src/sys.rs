//! The places where addresses become memory: pages of our own, views of memory the node mapped,
//! fence pages, descriptors.

use crate::error::{Error, Result};
use guard::{StandIn, Vanishing};
use rustix::mm::{Advice, MapFlags, ProtFlags};
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes of a page.
pub(crate) const PAGE: u64 = dxg_abi::PAGE_SIZE;

/// Bytes of a huge page.
const HUGE: u64 = 2 << 20;

/// Where the next pages should go: addresses far from those that stacks, libraries and heaps get.
///
/// An embedded device uses memory of the process at its own address, so these become GPU
/// addresses, and a recording can be played only where they are free. They ascend and are not
/// used twice before some TiB have passed; large ones lie on 2 MiB for huge pages.
fn hint(len: u64) -> *mut std::ffi::c_void {
    const START: u64 = 0x4800_0000_0000;
    const SPAN: u64 = 0x0800_0000_0000;
    const SMALL: u64 = 64 << 10;
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let align = if len < HUGE { SMALL } else { HUGE };
    let mut at = 0;
    let _ = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
        at = next.next_multiple_of(align);
        let end = at.checked_add(len).filter(|end| *end <= SPAN);
        if end.is_none() {
            at = 0;
        }
        // Past the end it starts over: most of what was there is gone by then.
        Some(end.unwrap_or(len.min(SPAN)))
    });
    (START + at) as usize as *mut std::ffi::c_void
}

/// Pages that belong to us, zero at first, not inherited by a forked child.
#[derive(Debug)]
pub(crate) struct Pages {
    ptr: NonNull<u8>,
    len: usize,
}

// SAFETY: the pages are plain memory; all access goes through `View`, which is `Sync` itself.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps `len` bytes, a multiple of the page size, of the kind that an embedded device can show at further addresses: of a
    /// shared mapping.
    pub(crate) fn new(len: u64) -> Result<Self> {
        Self::map(len, MapFlags::SHARED)
    }

    /// Maps `len` bytes, a multiple of the page size, that have this one address. Systems give huge pages to such memory only.
    pub(crate) fn private(len: u64) -> Result<Self> {
        Self::map(len, MapFlags::PRIVATE)
    }

    /// Asks for huge pages, for what is touched from now on.
    pub(crate) fn prefer_huge(&self) {
        if self.len as u64 >= HUGE {
            // SAFETY: advice about our own mapping; a system that does not take it has none to give.
            let _ = unsafe { rustix::mm::madvise(self.ptr.as_ptr().cast(), self.len, Advice::LinuxHugepage) };
        }
    }

    fn map(len: u64, kind: MapFlags) -> Result<Self> {
        let n = usize::try_from(len).map_err(|_| Error::os(rustix::io::Errno::NOMEM))?;
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the address is a hint only: a fresh mapping disturbs nothing.
        let p = unsafe { rustix::mm::mmap_anonymous(hint(len), n, prot, kind | MapFlags::NORESERVE) };
        Self::own(p, n)
    }

    /// Maps `len` bytes at `address` if that is free, else anywhere.
    pub(crate) fn near(address: u64, len: u64) -> Result<Self> {
        let want = address as usize as *mut std::ffi::c_void;
        let n = usize::try_from(len).map_err(|_| Error::os(rustix::io::Errno::NOMEM))?;
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::NORESERVE | MapFlags::FIXED_NOREPLACE;
        // SAFETY: nothing that is mapped is replaced.
        let p = unsafe { rustix::mm::mmap_anonymous(want, n, prot, flags) };
        Self::own(p, n).or_else(|_| Self::new(len))
    }

    fn own(p: rustix::io::Result<*mut std::ffi::c_void>, len: usize) -> Result<Self> {
        let ptr =
            NonNull::new(p.map_err(Error::os)?.cast::<u8>()).ok_or_else(|| Error::os(rustix::io::Errno::NOMEM))?;
        let pages = Self { ptr, len };
        // SAFETY: advice about our own fresh mapping. A child would see the parent's
        // memory but could not tell the GPU about it.
        unsafe { rustix::mm::madvise(ptr.as_ptr().cast(), len, Advice::LinuxDontFork) }.map_err(Error::os)?;
        Ok(pages)
    }

    pub(crate) fn address(&self) -> u64 {
        self.ptr.as_ptr() as u64
    }

    /// The first 64-bit word: what a fence page is made of.
    pub(crate) fn first_word(&self) -> &AtomicU64 {
        // SAFETY: a mapping is at least a page long and page-aligned, and lives as long as
        // this borrow.
        unsafe { self.ptr.cast::<AtomicU64>().as_ref() }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and its users hold a reference to this object. A failure
        // leaves the pages mapped, which is harmless.
        let _ = unsafe { rustix::mm::munmap(self.ptr.as_ptr().cast(), self.len) };
    }
}

/// CPU-visible bytes that the GPU uses too.
///
/// The bytes are never borrowed: other threads, the application and the GPU may change them at
/// any time, so everything copies. Whoever needs an order between the two sides establishes it
/// with a fence; without one a copy may be a mixture of old and new bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    ptr: NonNull<u8>,
    len: usize,
}

// SAFETY: access is by copies and atomics only; the range stays mapped as long as the object that
// made the view (see `View::new`).
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// A view of `[address, address + len)`.
    ///
    /// # Safety
    /// The range must be readable and writable for as long as the view (or a copy of it) is used.
    pub(crate) unsafe fn new(address: u64, len: u64) -> Option<Self> {
        let len = usize::try_from(len).ok().filter(|l| *l <= isize::MAX as usize)?;
        Some(Self { ptr: NonNull::new(address as usize as *mut u8)?, len })
    }

    pub(crate) fn ptr(&self) -> NonNull<u8> {
        self.ptr
    }

    #[inline]
    fn at(&self, offset: usize, len: usize) -> Option<*mut u8> {
        let end = offset.checked_add(len)?;
        // SAFETY: in bounds of the range, as just checked.
        (end <= self.len).then(|| unsafe { self.ptr.as_ptr().add(offset) })
    }

    /// Copies in; `None` if out of bounds.
    #[inline]
    pub(crate) fn write(&self, offset: usize, data: &[u8]) -> Option<()> {
        let p = self.at(offset, data.len())?;
        // SAFETY: the target is in bounds and mapped; `ptr::copy` allows `data` to lie in it.
        unsafe { std::ptr::copy(data.as_ptr(), p, data.len()) };
        Some(())
    }

    /// Stores pairs of words, low bytes first, from `offset` on, `stride` bytes apart; `None` if the last would be out of bounds, and
    /// then none is stored.
    #[inline]
    pub(crate) fn write_pairs(
        &self,
        offset: usize,
        stride: usize,
        pairs: impl ExactSizeIterator<Item = [u64; 2]>,
    ) -> Option<()> {
        let n = pairs.len();
        if n == 0 {
            return Some(());
        }
        let mut p = self.at(offset, stride.checked_mul(n - 1)?.checked_add(16)?)?;
        for pair in pairs.take(n) {
            // SAFETY: the first `n` targets are in bounds and mapped, as just checked; nothing is asked of their alignment.
            unsafe { p.cast::<[u64; 2]>().write_unaligned(pair.map(u64::to_le)) };
            p = p.wrapping_add(stride);
        }
        Some(())
    }

    /// Copies out; `None` if out of bounds.
    pub(crate) fn read(&self, offset: usize, out: &mut [u8]) -> Option<()> {
        let p = self.at(offset, out.len())?;
        // SAFETY: the source is in bounds and mapped; `ptr::copy` allows overlap.
        unsafe { std::ptr::copy(p, out.as_mut_ptr(), out.len()) };
        Some(())
    }

    /// Sets bytes; `None` if out of bounds.
    pub(crate) fn fill(&self, offset: usize, len: usize, value: u8) -> Option<()> {
        let p = self.at(offset, len)?;
        // SAFETY: the target is in bounds and mapped.
        unsafe { std::ptr::write_bytes(p, value, len) };
        Some(())
    }

    /// A 32-bit word; `None` if out of bounds or misaligned.
    pub(crate) fn word32(&self, offset: usize) -> Option<&AtomicU32> {
        let p = self.at(offset, 4)?.cast::<AtomicU32>();
        // SAFETY: in bounds, mapped, aligned; atomics tolerate other writers.
        p.is_aligned().then(|| unsafe { &*p })
    }

    /// A 64-bit word; `None` if out of bounds or misaligned.
    pub(crate) fn word64(&self, offset: usize) -> Option<&AtomicU64> {
        let p = self.at(offset, 8)?.cast::<AtomicU64>();
        // SAFETY: in bounds, mapped, aligned; atomics tolerate other writers.
        p.is_aligned().then(|| unsafe { &*p })
    }
}

/// The page of a fence: a 64-bit value that the GPU and the kernel change and we only read. All ones if the kernel has taken the
/// page away, as it does when an adapter is removed while the process runs.
#[derive(Debug)]
pub(crate) struct FencePage {
    value: NonNull<AtomicU64>,
    _page: Vanishing,
}

// SAFETY: the value is only loaded, atomically.
unsafe impl Send for FencePage {}
// SAFETY: as above.
unsafe impl Sync for FencePage {}

impl FencePage {
    /// The page at an address a creation call returned; `None` if that is no address.
    ///
    /// # Safety
    /// The page must stay the object's to which it belongs until that is destroyed, and that object
    /// must be destroyed after the last use of this one.
    pub(crate) unsafe fn new(address: u64) -> Option<Self> {
        let ptr = NonNull::new(address as usize as *mut AtomicU64)?;
        // SAFETY: the page is the object's; if the kernel takes it away nobody else relies on the address.
        let page = || unsafe { Vanishing::new(address & !(PAGE - 1), PAGE, StandIn::LostFence) };
        ptr.is_aligned().then(|| Self { value: ptr, _page: page() })
    }

    /// The value.
    #[inline]
    pub(crate) fn value(&self) -> u64 {
        // SAFETY: aligned, and mapped (see `new`) or made so by the access.
        unsafe { self.value.as_ref() }.load(Ordering::Acquire)
    }
}

/// Takes over a descriptor that a call returned in a 64-bit field; `None` if it is not one.
pub(crate) fn take_fd(raw: u64) -> Option<OwnedFd> {
    let raw = i32::try_from(raw).ok().filter(|fd| *fd > 2)?;
    // SAFETY: the node made the descriptor for the caller of the request, which is us, and
    // nobody else knows it. The standard three are never handed out by a sane node.
    Some(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Memory of this process by address, for addresses that others vouch for and that may be wrong:
/// a bad one is an error, not a fault.
#[derive(Debug)]
pub(crate) struct ProcessMemory {
    file: std::fs::File,
}

impl ProcessMemory {
    pub(crate) fn open() -> std::io::Result<Self> {
        let file = std::fs::OpenOptions::new().read(true).write(true).open("/proc/self/mem")?;
        Ok(Self { file })
    }

    /// Copies out; false if not all of it can be read.
    pub(crate) fn read(&self, address: u64, out: &mut [u8]) -> bool {
        use std::os::unix::fs::FileExt;
        self.file.read_exact_at(out, address).is_ok()
    }

    /// Copies in; false if not all of it can be written.
    pub(crate) fn write(&self, address: u64, data: &[u8]) -> bool {
        use std::os::unix::fs::FileExt;
        self.file.write_all_at(data, address).is_ok()
    }
}

/// Raises the event of a wait whose descriptor the caller of a request named by number. A number
/// that is no eventfd is an error of the caller and harmless.
pub(crate) fn raise_event(raw: u64) -> bool {
    let Some(raw) = i32::try_from(raw).ok().filter(|fd| *fd > 0) else { return false };
    // SAFETY: the caller of the request keeps the descriptor open during it. If not, the
    // write fails or reaches whatever the caller has put in its place.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(raw) };
    rustix::io::write(fd, &1u64.to_ne_bytes()).is_ok()
}
