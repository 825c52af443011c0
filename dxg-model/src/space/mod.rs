//! The GPU's virtual address space, which *is* a part of this process's: a GPU address can be used
//! as a CPU address. Reserved is inaccessible memory, mapped is the allocation's pages at that
//! address, and a stray access is a real fault.
//!
//! Most addresses lie in one big reservation made at the start. Outside of it a range can be
//! * the caller's own memory at its own address (existing system memory mapped at base = CPU
//!   address, the way to use ordinary memory without a second mapping), or
//! * free address space that a caller asked for by base address.
//!
//! Memory that the model made has a *home*: an address in the reservation that serves the CPU
//! (Lock2) and, when the client lets the model choose, the GPU. It is shared anonymous memory, so
//! any part of it can be shown at further addresses without a file descriptor. The caller's
//! memory can be shown at a second address only if it is a shared mapping; a private one is
//! refused there (out of memory), as by a host that cannot alias it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, OnceLock, Weak};

use dxg_abi::{GpuVaReservationType, NtStatus, GPU_VA_RESERVE_ALIGN};

use crate::census::Census;
use crate::engine::Engine;
use crate::lock::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crate::lock::{read, write, RwLock};
use crate::mapping::{Piece, Prot, Reservation, PAGE};
use crate::memory::Memory;
use crate::segments::{Mapping, Segments, Shows};
use crate::sync::SyncObject;

mod pages;

pub(crate) use pages::{FencePage, PageOf};

/// Why an operation on addresses failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VaError {
    /// The range is malformed, taken or not of the right kind.
    Invalid,
    /// No address space, no memory, or memory that cannot be shown at a second address.
    NoMemory,
}

impl VaError {
    pub(crate) fn status(self) -> NtStatus {
        match self {
            VaError::Invalid => NtStatus::INVALID_PARAMETER,
            VaError::NoMemory => NtStatus::NO_MEMORY,
        }
    }
}

impl From<io::Error> for VaError {
    fn from(_: io::Error) -> Self {
        VaError::NoMemory
    }
}

/// A mapped range, as told to engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaRange {
    /// First address.
    pub start: u64,
    /// Size, bytes.
    pub size: u64,
    /// Whether it can be written.
    pub writable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RegionKind {
    /// Made by ReserveGpuVirtualAddress.
    Explicit { zero: bool },
    /// Made by MapGpuVirtualAddress for an allocation (0: for none).
    Implicit { owner: u64 },
    /// Pages of fences.
    Fences,
    /// Home of memory we made.
    Home,
}

#[derive(Debug)]
struct Region {
    size: u64,
    kind: RegionKind,
    /// The address space itself, for a region outside the main reservation.
    outside: Option<Reservation>,
}

/// Identity mappings of the same range, by different allocations or the same.
#[derive(Debug, Default)]
struct Identities {
    mappings: Vec<Arc<Mapping>>,
    /// How many of them have been freed, without its being known which.
    freed: usize,
}

#[derive(Debug, Default)]
struct Inner {
    /// Who owns which addresses; disjoint.
    regions: BTreeMap<u64, Region>,
    /// What is behind which addresses.
    segments: Segments,
    /// Identity mappings by start and size, for freeing them.
    identities: HashMap<(u64, u64), Identities>,
    /// Ranges that were mapped for an allocation; may be out of date.
    owned: HashMap<u64, Vec<(u64, u64)>>,
    /// Next place to search for free addresses.
    cursor: u64,
    fence_pages: VecDeque<u64>,
}

/// The GPU virtual address space of the process on the adapter.
pub struct AddressSpace {
    main: Reservation,
    inner: RwLock<Inner>,
    fences: RwLock<HashMap<u64, Weak<SyncObject>>>,
    generation: AtomicU64,
    /// Whether only what is resident can be accessed.
    strict: AtomicBool,
    engine: OnceLock<Weak<dyn Engine>>,
}

impl core::fmt::Debug for AddressSpace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "AddressSpace({:#x}..{:#x})", self.main.base(), self.main.end())
    }
}

/// What to map.
pub(crate) enum Source<'a> {
    /// Pages of an allocation, from a byte offset.
    Memory { owner: u64, memory: &'a Memory, offset: u64 },
    /// Zeros.
    Zero,
    /// Nothing.
    NoAccess,
}

/// A request to map.
pub(crate) struct MapRequest<'a> {
    /// Wanted address, 0 for any.
    pub(crate) base: u64,
    /// Lowest address to choose.
    pub(crate) min: u64,
    /// End of the choice, exclusive; 0 for no limit.
    pub(crate) max: u64,
    /// Size in bytes, whole pages, not 0.
    pub(crate) size: u64,
    pub(crate) write: bool,
    /// Whether the mapping counts at once.
    pub(crate) ready: bool,
    pub(crate) source: Source<'a>,
}

/// Hint for the place of the reservation: far from where programs, libraries and heaps go.
const HINT: u64 = 0x2000_0000_0000;
/// Smallest reservation worth having.
const SMALLEST: u64 = 1 << 30;
const HUGE: u64 = 2 << 20;

impl AddressSpace {
    /// Reserves up to `size` bytes of address space, less where the system refuses as much.
    ///
    /// # Errors
    /// The system's, when not even 1 GiB (or `size`, if smaller) can be reserved.
    pub fn new(size: u64) -> io::Result<Arc<Self>> {
        let mut size = size.clamp(8 * HUGE, 1 << 46).next_multiple_of(GPU_VA_RESERVE_ALIGN);
        let smallest = SMALLEST.min(size);
        let main = loop {
            let hinted = (0..8).find_map(|i| Reservation::at(HINT + i * (4 << 40), size));
            match hinted.map_or_else(|| Reservation::anywhere(size), Ok) {
                Ok(r) => break r,
                Err(e) if size / 2 < smallest => return Err(e),
                Err(_) => size = (size / 2).next_multiple_of(GPU_VA_RESERVE_ALIGN),
            }
        };
        let cursor = main.base();
        Ok(Arc::new(Self {
            main,
            inner: RwLock::new(Inner { cursor, ..Inner::default() }),
            fences: RwLock::default(),
            generation: AtomicU64::new(1),
            strict: AtomicBool::new(false),
            engine: OnceLock::new(),
        }))
    }

    /// Makes an engine hear of changes.
    pub(crate) fn attach(&self, engine: &Arc<dyn Engine>) {
        let _ = self.engine.set(Arc::downgrade(engine));
    }

    /// From now on only what is resident can be accessed.
    pub(crate) fn be_strict(&self) {
        self.strict.store(true, Ordering::Release);
    }

    /// Memory stopped being resident.
    pub(crate) fn evicted(&self) {
        if self.strict.load(Ordering::Acquire) {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// First address of the main range.
    pub fn base(&self) -> u64 {
        self.main.base()
    }

    /// Size of the main range, bytes.
    pub fn size(&self) -> u64 {
        self.main.size()
    }

    /// A number that changes whenever a mapping changes: what was checked under one number
    /// need not be checked again while it stays.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether all of `[address, address + len)` is mapped and readable, or writable if `write`; and resident, if the model is
    /// strict about that.
    pub fn check(&self, address: u64, len: u64, write: bool) -> bool {
        self.first_fault(address, len, write).is_none()
    }

    /// First address of the range that cannot be accessed, if there is one.
    pub fn first_fault(&self, address: u64, len: u64, write: bool) -> Option<u64> {
        let strict = self.strict.load(Ordering::Acquire);
        read(&self.inner).segments.first_fault(address, len, write, strict)
    }

    /// As [`AddressSpace::first_fault`] for reads, with residency.
    pub(crate) fn first_fault_resident(&self, address: u64, len: u64) -> Option<u64> {
        read(&self.inner).segments.first_fault(address, len, false, true)
    }

    /// Whether memory stands behind all of a range, rather than the zeros of a reservation or nothing: what a GPU's page tables
    /// tell a shader about residency.
    pub fn is_backed(&self, address: u64, len: u64) -> bool {
        let Some(end) = address.checked_add(len) else { return false };
        let memory = |m: &Arc<Mapping>| m.shows != Shows::Zero;
        read(&self.inner).segments.parts(address, end).iter().all(|(_, _, m)| m.as_ref().is_some_and(memory))
    }

    /// The mapping at an address.
    pub fn find(&self, address: u64) -> Option<VaRange> {
        let inner = read(&self.inner);
        let m = inner.segments.find(address)?;
        Some(VaRange { start: m.start, size: m.size, writable: m.write })
    }

    /// To be called after the GPU wrote to `address` if that may be a fence: wakes whoever waits
    /// for the value that is there now.
    pub fn fence_written(&self, address: u64) {
        let fence = read(&self.fences).get(&(address & !(PAGE - 1))).and_then(Weak::upgrade);
        if let Some(fence) = fence {
            fence.written();
        }
    }

    /// Declares memory of this process usable by the GPU at its own address, as mapping existing
    /// system memory does; for engines' own tests. The memory has to stay valid while the
    /// engine runs.
    pub fn track_identity(&self, address: u64, size: u64, writable: bool) {
        let mapping = self.new_mapping(address, size, 0, Shows::Identity, writable, true, None);
        self.add_identity(&mut write(&self.inner), &mapping);
    }

    /// Counts regions and mappings.
    pub(crate) fn census(&self) -> Census {
        let inner = read(&self.inner);
        let mut c = Census::default();
        for region in inner.regions.values() {
            match region.kind {
                RegionKind::Home => c.homes += 1,
                RegionKind::Explicit { .. } | RegionKind::Implicit { .. } => c.regions += 1,
                RegionKind::Fences => c.fence_pages += (region.size / PAGE) as usize,
            }
        }
        c.fence_pages -= inner.fence_pages.len();
        // Each fence page is a mapping of its own, and has been counted.
        c.mappings = inner.segments.len() - c.fence_pages;
        c
    }

    fn changed(&self, ranges: &[(u64, u64)]) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        if let Some(engine) = self.engine.get().and_then(Weak::upgrade) {
            for &(start, size) in ranges {
                engine.va_changed(start, size);
            }
        }
    }

    /// A pending mapping becomes usable.
    pub(crate) fn set_ready(&self, mapping: &Mapping) {
        mapping.ready.store(true, Ordering::Release);
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    #[allow(clippy::too_many_arguments)]
    fn new_mapping(
        &self,
        start: u64,
        size: u64,
        owner: u64,
        shows: Shows,
        write: bool,
        ready: bool,
        residence: Option<Arc<AtomicU32>>,
    ) -> Arc<Mapping> {
        let ready = AtomicBool::new(ready);
        Arc::new(Mapping { start, size, owner, shows, write, ready, residence })
    }

    fn add_identity(&self, inner: &mut Inner, mapping: &Arc<Mapping>) {
        let (start, end) = (mapping.start, mapping.start + mapping.size);
        inner.segments.insert(start, end, mapping);
        inner.identities.entry((start, mapping.size)).or_default().mappings.push(mapping.clone());
        if mapping.owner != 0 {
            inner.owned.entry(mapping.owner).or_default().push((start, mapping.size));
        }
    }

    // ---- reservations -------------------------------------------------------------------

    /// Reserves a range; alignment is 64 KiB.
    pub(crate) fn reserve(
        &self,
        base: u64,
        min: u64,
        max: u64,
        size: u64,
        kind: GpuVaReservationType,
    ) -> Result<u64, VaError> {
        let aligned = [base, min, max, size].iter().all(|x| x % GPU_VA_RESERVE_ALIGN == 0);
        let zero = match kind {
            GpuVaReservationType::ZERO => true,
            GpuVaReservationType::NO_ACCESS | GpuVaReservationType::NO_COMMIT => false,
            _ => return Err(VaError::Invalid),
        };
        if !aligned || size == 0 || base.checked_add(size).is_none() {
            return Err(VaError::Invalid);
        }
        let mut inner = write(&self.inner);
        let start = if base != 0 { base } else { self.find_free(&mut inner, size, min, max)? };
        self.claim(&mut inner, start, size, RegionKind::Explicit { zero })?;
        if zero {
            self.show_zero(&mut inner, start, size)?;
        }
        drop(inner);
        self.changed(&[]);
        Ok(start)
    }

    /// Takes a free range into possession.
    fn claim(&self, inner: &mut Inner, start: u64, size: u64, kind: RegionKind) -> Result<(), VaError> {
        let end = start.checked_add(size).ok_or(VaError::Invalid)?;
        if size == 0 || region_over(inner, start, end).is_some() {
            return Err(VaError::Invalid);
        }
        let outside = if self.main.contains(start, size) {
            None
        } else if start < self.main.end() && end > self.main.base() {
            return Err(VaError::Invalid);
        } else {
            Some(Reservation::at(start, size).ok_or(VaError::Invalid)?)
        };
        inner.regions.insert(start, Region { size, kind, outside });
        Ok(())
    }

    fn find_free(&self, inner: &mut Inner, size: u64, min: u64, max: u64) -> Result<u64, VaError> {
        let lo = min.max(self.main.base());
        let hi = if max == 0 { self.main.end() } else { max.min(self.main.end()) };
        let align = if size >= HUGE { HUGE } else { GPU_VA_RESERVE_ALIGN };
        for from in [inner.cursor.max(lo), lo] {
            let mut at = from.next_multiple_of(align);
            while let Some(end) = at.checked_add(size).filter(|end| *end <= hi) {
                match region_over(inner, at, end) {
                    None => {
                        inner.cursor = end;
                        return Ok(at);
                    }
                    Some((start, size)) => at = (start + size).next_multiple_of(align),
                }
            }
        }
        Err(VaError::NoMemory)
    }

    fn pages<'a>(&'a self, region: &'a Region) -> &'a Reservation {
        region.outside.as_ref().unwrap_or(&self.main)
    }

    /// Makes part of a region read as zeros.
    fn show_zero(&self, inner: &mut Inner, start: u64, size: u64) -> Result<(), VaError> {
        let (_, region) = containing(inner, start, size).ok_or(VaError::Invalid)?;
        self.pages(region).set_zero(start, size)?;
        let mapping = self.new_mapping(start, size, 0, Shows::Zero, true, true, None);
        inner.segments.insert(start, start + size, &mapping);
        Ok(())
    }

    // ---- mapping ------------------------------------------------------------------------

    /// Maps something; returns the address and, unless nothing is mapped, the mapping.
    pub(crate) fn map(&self, r: &MapRequest<'_>) -> Result<(u64, Option<Arc<Mapping>>), VaError> {
        let bad = r.size == 0
            || !r.size.is_multiple_of(PAGE)
            || !r.base.is_multiple_of(PAGE)
            || r.base.checked_add(r.size).is_none();
        if bad {
            return Err(VaError::Invalid);
        }
        let Source::Memory { owner, memory, offset } = r.source else { return self.map_nothing(r) };
        if offset % PAGE != 0 || offset.checked_add(r.size).is_none_or(|e| e > memory.size) {
            return Err(VaError::Invalid);
        }
        if let Some(mapping) = self.map_identity(r, owner, memory, offset) {
            self.changed(&[]);
            return Ok((mapping.start, Some(mapping)));
        }
        let pieces = memory.pieces(offset, r.size)?;
        let residence = Some(memory.residence.clone());
        let mut inner = write(&self.inner);
        let start = self.target(&mut inner, r, owner)?;
        let mapping = self.new_mapping(start, r.size, owner, Shows::Pages, r.write, r.ready, residence);
        let placed = self.place(&mut inner, &mapping, &pieces);
        drop(inner);
        self.changed(&[(start, r.size)]);
        placed.map(|()| (start, Some(mapping)))
    }

    /// Shows memory at the address it has anyway, if that is what is asked for.
    fn map_identity(&self, r: &MapRequest<'_>, owner: u64, memory: &Memory, offset: u64) -> Option<Arc<Mapping>> {
        let natural = memory.address + offset;
        let within = natural >= r.min && (r.max == 0 || natural + r.size <= r.max);
        if (r.base != 0 && r.base != natural) || (r.base == 0 && !within) {
            return None;
        }
        // Pages that the CPU writes cannot be read-only for the GPU at the same address. For the
        // caller's own memory there is no other place, so there the check alone has to do.
        if !r.write && !memory.is_user() {
            return None;
        }
        let mut inner = write(&self.inner);
        if !memory.is_user() && r.base == 0 {
            // A second mapping of the same pages gets an address of its own.
            let free = inner.segments.parts(natural, natural + r.size);
            if free.iter().any(|(_, _, m)| m.is_some()) {
                return None;
            }
        }
        let residence = Some(memory.residence.clone());
        let mapping = self.new_mapping(natural, r.size, owner, Shows::Identity, r.write, r.ready, residence);
        self.add_identity(&mut inner, &mapping);
        Some(mapping)
    }

    /// Decides where a mapping goes, claiming addresses if they are not part of a region yet.
    fn target(&self, inner: &mut Inner, r: &MapRequest<'_>, owner: u64) -> Result<u64, VaError> {
        if r.base == 0 {
            let start = self.find_free(inner, r.size, r.min, r.max)?;
            self.claim(inner, start, r.size, RegionKind::Implicit { owner })?;
            return Ok(start);
        }
        match containing(inner, r.base, r.size) {
            Some((_, region)) => match region.kind {
                RegionKind::Explicit { .. } | RegionKind::Implicit { .. } => Ok(r.base),
                RegionKind::Fences | RegionKind::Home => Err(VaError::Invalid),
            },
            None => {
                self.claim(inner, r.base, r.size, RegionKind::Implicit { owner })?;
                Ok(r.base)
            }
        }
    }

    /// Replaces what is at a mapping's range, inside one region.
    fn place(&self, inner: &mut Inner, mapping: &Arc<Mapping>, pieces: &[Piece]) -> Result<(), VaError> {
        let (start, size) = (mapping.start, mapping.size);
        inner.segments.remove(start, start + size, |m| m.shows != Shows::Identity);
        let (_, region) = containing(inner, start, size).ok_or(VaError::Invalid)?;
        let prot = if mapping.write { Prot::ReadWrite } else { Prot::Read };
        if let Err(e) = self.pages(region).set_alias(start, pieces, prot) {
            let fresh = matches!(region.kind, RegionKind::Implicit { .. }) && region.size == size;
            if fresh {
                self.drop_region(inner, start);
            }
            return Err(e.into());
        }
        inner.segments.insert(start, start + size, mapping);
        if mapping.owner != 0 {
            inner.owned.entry(mapping.owner).or_default().push((start, size));
        }
        Ok(())
    }

    /// Maps zeros or nothing.
    fn map_nothing(&self, r: &MapRequest<'_>) -> Result<(u64, Option<Arc<Mapping>>), VaError> {
        let mut inner = write(&self.inner);
        let fresh = r.base == 0 || containing(&inner, r.base, r.size).is_none();
        if !fresh {
            let (_, region) = containing(&inner, r.base, r.size).ok_or(VaError::Invalid)?;
            if !matches!(region.kind, RegionKind::Explicit { .. }) {
                return Err(VaError::Invalid);
            }
        }
        let start = self.target(&mut inner, r, 0)?;
        inner.segments.remove(start, start + r.size, |m| m.shows != Shows::Identity);
        let done = if matches!(r.source, Source::Zero) {
            self.show_zero(&mut inner, start, r.size)
        } else {
            let (_, region) = containing(&inner, start, r.size).ok_or(VaError::Invalid)?;
            self.pages(region).set_none(start, r.size).map_err(VaError::from)
        };
        drop(inner);
        self.changed(&[(start, r.size)]);
        done.map(|()| (start, None))
    }

    /// Whether a range lies inside one reservation made by ReserveGpuVirtualAddress.
    pub(crate) fn is_reserved(&self, start: u64, size: u64) -> bool {
        let inner = read(&self.inner);
        containing(&inner, start, size).is_some_and(|(_, r)| matches!(r.kind, RegionKind::Explicit { .. }))
    }

    /// Shows at `dest` what is at `source`.
    pub(crate) fn copy_mappings(&self, source: u64, size: u64, dest: u64) -> Result<(), VaError> {
        let end = source.checked_add(size).ok_or(VaError::Invalid)?;
        let parts = read(&self.inner).segments.parts(source, end);
        for (lo, hi, mapping) in parts {
            let (at, len) = (dest + (lo - source), hi - lo);
            match mapping.filter(|m| matches!(m.shows, Shows::Pages | Shows::Identity)) {
                Some(m) => {
                    let mut inner = write(&self.inner);
                    let copy = self.new_mapping(at, len, m.owner, Shows::Pages, m.write, true, m.residence.clone());
                    self.place(&mut inner, &copy, &[(lo, len)])?;
                }
                None => {
                    let source = Source::NoAccess;
                    let (min, max, write, ready) = (0, 0, false, true);
                    self.map(&MapRequest { base: at, min, max, size: len, write, ready, source })?;
                }
            }
        }
        self.changed(&[(dest, size)]);
        Ok(())
    }

    /// Frees what was reserved or mapped with this address and size.
    pub(crate) fn free(&self, start: u64, size: u64) -> Result<(), VaError> {
        let mut inner = write(&self.inner);
        if let Some(same) = inner.identities.get_mut(&(start, size)) {
            // Which of several is meant shows only when one of their allocations goes.
            same.freed += 1;
            if same.freed == same.mappings.len() {
                inner.identities.remove(&(start, size));
                let bare = |m: &Mapping| m.shows == Shows::Identity && (m.start, m.size) == (start, size);
                inner.segments.remove(start, start + size, bare);
            }
            drop(inner);
            self.changed(&[(start, size)]);
            return Ok(());
        }
        let region = inner.regions.get(&start).ok_or(VaError::Invalid)?;
        let freeable = matches!(region.kind, RegionKind::Explicit { .. } | RegionKind::Implicit { .. });
        if !freeable || region.size != size {
            return Err(VaError::Invalid);
        }
        self.drop_region(&mut inner, start);
        drop(inner);
        self.changed(&[(start, size)]);
        Ok(())
    }

    /// Gives a region's addresses back.
    fn drop_region(&self, inner: &mut Inner, start: u64) {
        let Some(region) = inner.regions.remove(&start) else { return };
        inner.segments.remove(start, start + region.size, |m| m.shows != Shows::Identity);
        if region.outside.is_none() && self.main.set_none(start, region.size).is_err() {
            // The pages stay where they are, so the addresses must not be used again.
            inner.regions.insert(start, region);
        }
    }

    /// Takes everything of an allocation out of the space: addresses that Map chose are freed,
    /// parts of reservations go back to what the reservation shows.
    pub(crate) fn release_owner(&self, owner: u64) {
        let mut inner = write(&self.inner);
        let ranges = inner.owned.remove(&owner).unwrap_or_default();
        let mut changed = Vec::new();
        for &(start, size) in &ranges {
            // What is at its own address anyway stays there; the rest loses its pages.
            let identical = |m: &Mapping| m.owner == owner && m.shows == Shows::Identity;
            let bare = inner.segments.remove(start, start + size, identical);
            changed.extend(bare.iter().map(|&(lo, hi)| (lo, hi - lo)));
            let gone = inner.segments.remove(start, start + size, |m| m.owner == owner);
            if let Some(same) = inner.identities.get_mut(&(start, size)) {
                let before = same.mappings.len();
                same.mappings.retain(|m| m.owner != owner);
                same.freed = same.freed.saturating_sub(before - same.mappings.len());
                if same.mappings.is_empty() {
                    inner.identities.remove(&(start, size));
                }
            }
            for &(lo, hi) in &gone {
                self.revert(&mut inner, lo, hi - lo);
            }
            changed.extend(gone.iter().map(|&(lo, hi)| (lo, hi - lo)));
            let ours = inner.regions.get(&start).is_some_and(|r| r.kind == RegionKind::Implicit { owner });
            if ours {
                self.drop_region(&mut inner, start);
            }
        }
        drop(inner);
        if !ranges.is_empty() {
            self.changed(&changed);
        }
    }

    /// Makes part of a region show what it shows when nothing is mapped.
    fn revert(&self, inner: &mut Inner, start: u64, size: u64) {
        let Some((_, region)) = containing(inner, start, size) else { return };
        match region.kind {
            RegionKind::Explicit { zero: true } => {
                // Failing leaves the range unmapped, which faults: no worse than zeros lost.
                let _ = self.show_zero(inner, start, size);
            }
            RegionKind::Explicit { zero: false } | RegionKind::Implicit { .. } => {
                // Failing leaves pages visible that nothing points to any more.
                let _ = self.pages(region).set_none(start, size);
            }
            RegionKind::Fences | RegionKind::Home => {}
        }
    }
}

/// The region that overlaps `[start, end)` and begins last.
fn region_over(inner: &Inner, start: u64, end: u64) -> Option<(u64, u64)> {
    let (&at, region) = inner.regions.range(..end).next_back()?;
    (at + region.size > start).then_some((at, region.size))
}

/// The region that contains all of a range.
fn containing(inner: &Inner, start: u64, size: u64) -> Option<(u64, &Region)> {
    let end = start.checked_add(size)?;
    let (&at, region) = inner.regions.range(..=start).next_back()?;
    (end <= at + region.size).then_some((at, region))
}
