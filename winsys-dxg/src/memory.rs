//! Memory as a client uses it: backing, GPU address, residency and CPU view in one.

mod residency;

use crate::allocation::{Allocation, HostPointer};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::sys::{Pages, View, PAGE};
use crate::trim::Entry;
use crate::va::{self, VaPlacement, VaRange};
use dxg_abi::{GpuVaProtection, GpuVaReservationType, GPU_VA_RESERVE_ALIGN};
use smallvec::SmallVec;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// What memory is made of.
#[derive(Clone, Copy)]
pub enum Backing<'a> {
    /// Pages of this process that the device uses. Needs no vendor data; always visible to the
    /// CPU, in one piece whatever the size.
    HostPages {
        /// Whether parts of it may be shown at further addresses (see [`Queue::submit`](crate::Queue::submit)'s updates). What
        /// may not gets huge pages where the system has them.
        aliased: bool,
        /// Whether it is for every adapter, and so counts as memory that is not this one's.
        cross_adapter: bool,
    },
    /// A standard allocation of the host that every adapter can use. The only portable kind that
    /// can be shared with other processes.
    CrossAdapter {
        /// Whether it can be exported.
        shared: bool,
        /// Whether the CPU sees it.
        cpu_access: bool,
    },
    /// Memory the vendor's driver makes.
    Driver {
        /// Makes the vendor data for an allocation of so many bytes.
        describe: &'a dyn Fn(u64) -> Vec<u8>,
        /// Vendor data of the resource, for shared memory.
        resource_data: &'a [u8],
        /// Whether it can be exported.
        shared: bool,
        /// Whether the CPU sees it.
        cpu_access: bool,
    },
    /// Memory of the application; the size is the pointer's.
    HostPointer(HostPointer),
}

impl std::fmt::Debug for Backing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Backing::HostPages { .. } => "HostPages",
            Backing::CrossAdapter { .. } => "CrossAdapter",
            Backing::Driver { .. } => "Driver",
            Backing::HostPointer(_) => "HostPointer",
        })
    }
}

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct MemoryDesc<'a> {
    /// Size, bytes; rounded up to pages. Ignored for application memory.
    pub size: u64,
    /// What it is made of.
    pub backing: Backing<'a>,
    /// Where in the GPU's address space.
    pub place: VaPlacement,
    /// What the GPU may do with it besides reading.
    pub protection: GpuVaProtection,
    /// A number that whoever imports the memory has to know, if it is a shared one that needs no vendor data: what kind of memory
    /// it is for the client.
    pub tag: u64,
}

impl MemoryDesc<'_> {
    /// Host pages anywhere, readable and writable, for any use.
    pub fn host(size: u64) -> Self {
        MemoryDesc {
            size,
            backing: Backing::HostPages { aliased: true, cross_adapter: false },
            place: VaPlacement::Any,
            protection: GpuVaProtection::WRITE,
            tag: 0,
        }
    }
}

/// A CPU view of a part.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Where in the memory it starts, bytes.
    start: u64,
    len: u64,
    view: View,
}

/// How the GPU addresses came about.
#[derive(Debug)]
enum Va {
    /// The mapping chose them; freed explicitly.
    Mapped { base: u64, size: u64 },
    /// Mappings in a reservation.
    Reserved(VaRange),
}

/// Memory: resident, mapped for the GPU, perhaps visible to the CPU.
///
/// Offsets count from the first byte asked for. CPU access copies; it is not ordered with the
/// GPU's unless a fence orders it. Dropping evicts, unmaps and destroys; the GPU must be finished.
///
/// Last in the lock order (device → queue → memory).
#[derive(Debug)]
pub struct Memory {
    device: Device,
    size: u64,
    /// Bytes before the first one asked for, on its page.
    lead: u64,
    windows: SmallVec<[Window; 1]>,
    va: Option<Va>,
    /// Whether it is resident, and what moves it away.
    entry: Arc<Entry>,
    allocations: SmallVec<[Allocation; 1]>,
    // After the allocations: the device uses the pages until those are gone.
    _pages: Option<Pages>,
}

impl Memory {
    /// Makes memory, maps it for the GPU and makes it resident. Neither is waited for here: the
    /// next submission does that.
    ///
    /// # Errors
    /// [`ErrorKind::NoMemory`] when there is no room; [`ErrorKind::Refused`] when the host does
    /// not say why not; [`Cause::Argument`](crate::Cause::Argument) for a size of zero or beyond reason.
    pub fn create(device: &Device, desc: &MemoryDesc<'_>) -> Result<Self> {
        let bad_size = Error::argument("memory size");
        let (start, whole) = match desc.backing {
            Backing::HostPointer(p) => p.pages().ok_or(bad_size)?,
            Backing::HostPages { .. } | Backing::CrossAdapter { .. } | Backing::Driver { .. } => {
                (0, desc.size.checked_next_multiple_of(PAGE).filter(|s| *s > 0).ok_or(bad_size)?)
            }
        };
        let mut memory = Self {
            device: device.clone(),
            size: desc.size,
            lead: 0,
            windows: SmallVec::new(),
            va: None,
            entry: Arc::default(),
            allocations: SmallVec::new(),
            _pages: None,
        };
        match desc.backing {
            Backing::HostPages { aliased, cross_adapter } => {
                // At a given address, or in several parts, it lies in a reservation: its second address.
                let own_address = matches!(desc.place, VaPlacement::Any) && memory.parts(whole).count() == 1;
                let pages = if aliased || !own_address { Pages::new(whole)? } else { Pages::private(whole)? };
                // SAFETY: the pages live as long as `memory`, which owns them.
                let view = unsafe { View::new(pages.address(), whole) }.ok_or(bad_size)?;
                memory.windows.push(Window { start: 0, len: whole, view });
                for (offset, size) in memory.parts(whole) {
                    let part = Allocation::over_pages(device, pages.address() + offset, size, cross_adapter)?;
                    memory.allocations.push(part);
                }
                if !aliased && own_address {
                    // A node may touch pages to see whether they are there: a huge one would be much for that.
                    pages.prefer_huge();
                }
                memory._pages = Some(pages);
            }
            Backing::HostPointer(p) => {
                memory.size = p.len();
                memory.lead = p.address() - start;
                // SAFETY: whoever made the pointer promised that the bytes stay; pages are
                // mapped as a whole.
                let view = unsafe { View::new(start, whole) }.ok_or(bad_size)?;
                memory.windows.push(Window { start: 0, len: whole, view });
                for (offset, size) in memory.parts(whole) {
                    memory.allocations.push(Allocation::over_pages(device, start + offset, size, false)?);
                }
            }
            Backing::CrossAdapter { shared, cpu_access } => {
                memory.check_one_part(shared, whole)?;
                for (offset, size) in memory.parts(whole) {
                    let part = Allocation::cross_adapter(device, size, shared, desc.tag)?;
                    memory.push_part(part, offset, cpu_access)?;
                }
            }
            Backing::Driver { describe, resource_data, shared, cpu_access } => {
                memory.check_one_part(shared, whole)?;
                for (offset, size) in memory.parts(whole) {
                    let part = Allocation::driver(device, size, &mut describe(size), resource_data, shared)?;
                    memory.push_part(part, offset, cpu_access)?;
                }
            }
        }
        // Imported memory goes to its own address where that is free: GPU and CPU addresses
        // are equal then, and a device embedded in the process needs no second mapping.
        let own = match (desc.backing, desc.place) {
            (Backing::HostPointer(_), VaPlacement::Any) if memory.allocations.len() == 1 => Some(start),
            _ => None,
        };
        memory.finish(whole, desc.place, own, desc.protection)?;
        Ok(memory)
    }

    /// Opens shared memory from a descriptor, which stays the caller's. `size` and `tag` are what the exporter said.
    ///
    /// # Errors
    /// As for [`Memory::create`]; a descriptor of another kind is invalid, and so are another size or tag.
    pub fn import_fd(device: &Device, fd: BorrowedFd<'_>, size: u64, tag: u64, cpu_access: bool) -> Result<Self> {
        let whole = size.checked_next_multiple_of(PAGE).filter(|s| *s > 0).ok_or(Error::argument("memory size"))?;
        let part = Allocation::import(device, fd, whole, tag)?;
        let mut memory = Self {
            device: device.clone(),
            size,
            lead: 0,
            windows: SmallVec::new(),
            va: None,
            entry: Arc::default(),
            allocations: SmallVec::new(),
            _pages: None,
        };
        memory.allocations.push(part);
        // Mapping fails if the memory is smaller than that.
        memory.finish(whole, VaPlacement::Any, None, GpuVaProtection::WRITE)?;
        if let (true, [part]) = (cpu_access, memory.allocations.as_mut_slice()) {
            memory.windows.push(Window { start: 0, len: whole, view: part.lock()? });
        }
        Ok(memory)
    }

    /// Makes a descriptor with which other processes can open this memory.
    ///
    /// # Errors
    /// [`Cause::Argument`](crate::Cause::Argument) if it was not made to be shared; those of the request.
    pub fn export_fd(&self) -> Result<OwnedFd> {
        match self.allocations.as_slice() {
            [one] => one.export(),
            _ => Err(Error::argument("memory is not shared")),
        }
    }

    /// The pieces a size is cut into, as (offset, size).
    fn parts(&self, whole: u64) -> impl Iterator<Item = (u64, u64)> {
        let max =
            self.device.config().max_allocation.max(GPU_VA_RESERVE_ALIGN) / GPU_VA_RESERVE_ALIGN * GPU_VA_RESERVE_ALIGN;
        (0..whole.div_ceil(max)).map(move |i| (i * max, max.min(whole - i * max)))
    }

    fn check_one_part(&self, shared: bool, whole: u64) -> Result<()> {
        if shared && self.parts(whole).count() > 1 {
            return Err(Error::argument("shared memory larger than one allocation"));
        }
        Ok(())
    }

    fn push_part(&mut self, mut part: Allocation, start: u64, cpu_access: bool) -> Result<()> {
        if cpu_access {
            let len = part.size();
            self.windows.push(Window { start, len, view: part.lock()? });
        }
        self.allocations.push(part);
        Ok(())
    }

    /// Maps and makes resident.
    fn finish(
        &mut self,
        whole: u64,
        place: VaPlacement,
        own_address: Option<u64>,
        protection: GpuVaProtection,
    ) -> Result<()> {
        // Mapping at a given address replaces what is mapped there; only a reservation finds it taken.
        let given = matches!(place, VaPlacement::Fixed(_));
        self.va = Some(match self.allocations.as_slice() {
            [one] if !given => {
                let fixed = own_address.map(VaPlacement::Fixed);
                let base = fixed
                    .and_then(|at| va::map(&self.device, one.handle(), 0, whole, at, protection).ok())
                    .map_or_else(|| va::map(&self.device, one.handle(), 0, whole, place, protection), Ok)?;
                Va::Mapped { base, size: whole }
            }
            several => {
                let range = VaRange::reserve(&self.device, whole, place, GpuVaReservationType::NO_ACCESS)?;
                let mut offset = 0;
                for part in several {
                    range.map(offset, part, 0, part.size(), protection)?;
                    offset += part.size();
                }
                Va::Reserved(range)
            }
        });
        let bytes = self.allocations.iter().map(Allocation::size).sum();
        self.entry.is_made_of(self.allocations.iter().map(Allocation::handle).collect(), bytes);
        self.make_resident()
    }

    pub(crate) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Size asked for, bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// GPU virtual address of the first byte.
    pub fn gpu_va(&self) -> u64 {
        self.lead
            + match &self.va {
                Some(Va::Mapped { base, .. }) => *base,
                Some(Va::Reserved(range)) => range.base(),
                None => 0,
            }
    }

    /// Bytes before the first one asked for, on its page.
    pub(crate) fn lead(&self) -> u64 {
        self.lead
    }

    /// The allocations behind it, in order.
    pub fn allocations(&self) -> &[Allocation] {
        &self.allocations
    }

    /// CPU address of the first byte, if the CPU sees all of the memory in one piece. Good until
    /// the memory is dropped.
    pub fn cpu_ptr(&self) -> Option<NonNull<u8>> {
        match self.windows.as_slice() {
            [w] if w.len >= self.lead + self.size => {
                let lead = usize::try_from(self.lead).ok()?;
                NonNull::new(w.view.ptr().as_ptr().wrapping_add(lead))
            }
            _ => None,
        }
    }

    /// Whether it was zeros when it was made, as fresh pages of this process are; what other makers of memory do is not known.
    pub fn began_as_zeros(&self) -> bool {
        self._pages.is_some()
    }

    /// Whether the CPU sees the memory.
    pub fn is_cpu_visible(&self) -> bool {
        !self.windows.is_empty()
    }

    /// Calls `f` for each piece of `[offset, offset + len)` with its view, the offset there, and
    /// the range of the whole it covers.
    fn pieces(
        &self,
        offset: u64,
        len: usize,
        mut f: impl FnMut(&View, usize, std::ops::Range<usize>) -> Option<()>,
    ) -> Result<()> {
        let out = Error::argument("range outside of CPU-visible memory");
        let in_bounds = offset.checked_add(len as u64).is_some_and(|end| end <= self.size);
        if !in_bounds {
            return Err(out);
        }
        let start = self.lead + offset;
        let mut done = 0usize;
        for w in &self.windows {
            if done == len {
                break;
            }
            let at = start + done as u64;
            if at < w.start || at >= w.start + w.len {
                continue;
            }
            let inside = at - w.start;
            let n = (w.len - inside).min((len - done) as u64) as usize;
            f(&w.view, inside as usize, done..done + n).ok_or(out)?;
            done += n;
        }
        if done == len {
            Ok(())
        } else {
            Err(out)
        }
    }

    /// Copies bytes in.
    ///
    /// # Errors
    /// [`Cause::Argument`](crate::Cause::Argument) for a range outside of memory the CPU sees.
    #[inline]
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        // Nearly all memory is seen in one piece.
        if let [Window { start: 0, view, .. }] = self.windows.as_slice() {
            if offset.checked_add(data.len() as u64).is_some_and(|end| end <= self.size)
                && view.write((self.lead + offset) as usize, data).is_some()
            {
                return Ok(());
            }
        }
        self.write_pieces(offset, data)
    }

    /// Stores pairs of 64-bit words, low bytes first, from `offset` on, `stride` bytes apart: all, or none if the last would be
    /// out of range.
    ///
    /// # Errors
    /// [`Cause::Argument`](crate::Cause::Argument) for a range outside of memory that the CPU sees in one piece.
    #[inline]
    pub fn write_pairs(
        &self,
        offset: u64,
        stride: usize,
        pairs: impl ExactSizeIterator<Item = [u64; 2]>,
    ) -> Result<()> {
        let done = match self.windows.as_slice() {
            // Views may be a part of a page longer than what was asked for, which does no harm here.
            [Window { start: 0, view, .. }] => usize::try_from(self.lead.saturating_add(offset))
                .ok()
                .and_then(|at| view.write_pairs(at, stride, pairs)),
            _ => None,
        };
        done.ok_or(Error::argument("range outside of CPU-visible memory"))
    }

    #[cold]
    fn write_pieces(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.pieces(offset, data.len(), |view, at, part| view.write(at, &data[part]))
    }

    /// Copies bytes out.
    ///
    /// # Errors
    /// [`Cause::Argument`](crate::Cause::Argument) for a range outside of memory the CPU sees.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.pieces(offset, out.len(), |view, at, part| view.read(at, &mut out[part]))
    }

    /// Sets bytes.
    ///
    /// # Errors
    /// [`Cause::Argument`](crate::Cause::Argument) for a range outside of memory the CPU sees.
    pub fn fill(&self, offset: u64, len: u64, value: u8) -> Result<()> {
        let len = usize::try_from(len).map_err(|_| Error::argument("length"))?;
        self.pieces(offset, len, |view, at, part| view.fill(at, part.len(), value))
    }

    fn with_word<T>(&self, offset: u64, size: usize, f: impl Fn(&View, usize) -> Option<T>) -> Result<T> {
        let mut value = None;
        // A word never straddles pieces when it is aligned, as pieces are whole pages.
        self.pieces(offset, size, |view, at, part| {
            if part.len() == size {
                value = f(view, at);
            }
            value.is_some().then_some(())
        })?;
        value.ok_or(Error::argument("misaligned word"))
    }

    /// Loads a 32-bit word with acquire order.
    ///
    /// # Errors
    /// [`Cause::Argument`](crate::Cause::Argument) for a word that is misaligned or outside of memory the CPU sees.
    pub fn load_u32(&self, offset: u64) -> Result<u32> {
        self.with_word(offset, 4, |v, at| Some(v.word32(at)?.load(Ordering::Acquire)))
    }

    /// Stores a 32-bit word with release order.
    ///
    /// # Errors
    /// As for [`Memory::load_u32`].
    pub fn store_u32(&self, offset: u64, value: u32) -> Result<()> {
        self.with_word(offset, 4, |v, at| {
            v.word32(at)?.store(value, Ordering::Release);
            Some(())
        })
    }

    /// Loads a 64-bit word with acquire order.
    ///
    /// # Errors
    /// As for [`Memory::load_u32`].
    pub fn load_u64(&self, offset: u64) -> Result<u64> {
        self.with_word(offset, 8, |v, at| Some(v.word64(at)?.load(Ordering::Acquire)))
    }

    /// Stores a 64-bit word with release order.
    ///
    /// # Errors
    /// As for [`Memory::load_u32`].
    pub fn store_u64(&self, offset: u64, value: u64) -> Result<()> {
        self.with_word(offset, 8, |v, at| {
            v.word64(at)?.store(value, Ordering::Release);
            Some(())
        })
    }

    /// Drops CPU cache lines of a range. Needed only on adapters that are not coherent.
    ///
    /// # Errors
    /// [`Cause::Argument`](crate::Cause::Argument) for a range outside; those of the request.
    pub fn invalidate(&self, offset: u64, len: u64) -> Result<()> {
        if offset.checked_add(len).is_none_or(|end| end > self.size) {
            return Err(Error::argument("range outside of memory"));
        }
        let (from, to) = (self.lead + offset, self.lead + offset + len);
        let mut start = 0;
        for part in &self.allocations {
            let end = start + part.size();
            let (a, b) = (from.max(start), to.min(end));
            if a < b {
                part.invalidate(a - start, b - a)?;
            }
            start = end;
        }
        Ok(())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.windows.clear();
        self.evict();
        match self.va.take() {
            Some(Va::Mapped { base, size }) => va::free(&self.device, base, size),
            Some(Va::Reserved(range)) => drop(range),
            None => {}
        }
    }
}
