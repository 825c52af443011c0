//! Pages of the process: reserving address ranges and deciding what stands in them.
//!
//! A [`Reservation`] owns a range of the process's address space; its methods replace the pages of
//! parts of that range and refuse anything outside, so that they cannot touch memory of
//! somebody else.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use crate::shared_file::SharedFile;
use crate::words::Word;

/// Bytes of a page.
pub(crate) const PAGE: u64 = 4096;

/// What may be done with pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prot {
    /// Any access faults.
    None,
    /// Reads only.
    Read,
    /// Reads and writes.
    ReadWrite,
}

impl Prot {
    const fn bits(self) -> i32 {
        match self {
            Prot::None => libc::PROT_NONE,
            Prot::Read => libc::PROT_READ,
            Prot::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        }
    }
}

/// A piece of memory that can be duplicated: address and length in one kernel mapping.
pub(crate) type Piece = (u64, u64);

/// A range of address space that belongs to us; unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    base: u64,
    size: u64,
}

const RESERVE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;

fn raw_mmap(addr: u64, size: u64, prot: Prot, flags: i32) -> io::Result<u64> {
    mmap_of(addr, size, prot, flags, -1, 0)
}

fn mmap_of(addr: u64, size: u64, prot: Prot, flags: i32, fd: RawFd, offset: u64) -> io::Result<u64> {
    let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let len = usize::try_from(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // SAFETY: without MAP_FIXED the kernel picks free space; callers that pass MAP_FIXED have
    // checked that the range belongs to a reservation of ours.
    let p = unsafe { libc::mmap(addr as *mut libc::c_void, len, prot.bits(), flags, fd, offset) };
    if p == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(p as u64)
}

impl Reservation {
    /// Reserves exactly `[base, base + size)` if it is free.
    pub(crate) fn at(base: u64, size: u64) -> Option<Self> {
        let got = raw_mmap(base, size, Prot::None, RESERVE | libc::MAP_FIXED_NOREPLACE).ok()?;
        let this = Self { base: got, size };
        // Kernels before 4.17 take the address as a hint only.
        (got == base).then_some(this)
    }

    /// Reserves `size` bytes wherever there is room.
    pub(crate) fn anywhere(size: u64) -> io::Result<Self> {
        Ok(Self { base: raw_mmap(0, size, Prot::None, RESERVE)?, size })
    }

    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn end(&self) -> u64 {
        self.base + self.size
    }

    /// Whether a range lies inside.
    pub(crate) fn contains(&self, start: u64, size: u64) -> bool {
        start >= self.base && start.checked_add(size).is_some_and(|end| end <= self.end())
    }

    fn replace(&self, start: u64, size: u64, prot: Prot, flags: i32) -> io::Result<()> {
        if size == 0 || !start.is_multiple_of(PAGE) || !self.contains(start, size) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        raw_mmap(start, size, prot, flags | libc::MAP_FIXED).map(drop)
    }

    /// Makes a part inaccessible and gives its memory back.
    pub(crate) fn set_none(&self, start: u64, size: u64) -> io::Result<()> {
        self.replace(start, size, Prot::None, RESERVE)
    }

    /// Makes a part read as zeros. Writes land in pages of its own, where no other address sees them: a CPU cannot drop a
    /// store without a fault, so reading such an address again may show what was written there.
    pub(crate) fn set_zero(&self, start: u64, size: u64) -> io::Result<()> {
        self.replace(start, size, Prot::ReadWrite, RESERVE)
    }

    /// Puts pages of a file into a part. The file's size must not change while they are there.
    pub(crate) fn set_file(&self, start: u64, size: u64, file: impl AsFd, offset: u64) -> io::Result<()> {
        if size == 0 || !start.is_multiple_of(PAGE) || !self.contains(start, size) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = libc::MAP_SHARED | libc::MAP_NORESERVE | libc::MAP_FIXED;
        mmap_of(start, size, Prot::ReadWrite, flags, file.as_fd().as_raw_fd(), offset).map(drop)
    }

    /// Puts fresh memory into a part, of a kind that [`Reservation::set_alias`] can duplicate.
    pub(crate) fn set_memory(&self, start: u64, size: u64) -> io::Result<()> {
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        self.replace(start, size, Prot::ReadWrite, flags)?;
        if size >= 2 << 20 {
            // SAFETY: advice about a range that was just mapped here; failing does no harm.
            unsafe {
                libc::madvise(start as *mut libc::c_void, size as usize, libc::MADV_HUGEPAGE);
            }
        }
        Ok(())
    }

    /// Puts a second view of the pages of `pieces` (in order, without gaps) at `start`. The
    /// pages have to be of shared mappings; private ones cannot have a second address and are
    /// refused.
    pub(crate) fn set_alias(&self, start: u64, pieces: &[Piece], prot: Prot) -> io::Result<()> {
        let total: u64 = pieces.iter().map(|(_, len)| len).sum();
        if total == 0 || !start.is_multiple_of(PAGE) || !self.contains(start, total) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut at = start;
        for &(from, len) in pieces {
            let view = duplicate(from, len)?;
            if prot != Prot::ReadWrite {
                // SAFETY: the view was made a moment ago and is known to nobody else.
                let r = unsafe { libc::mprotect(view as *mut libc::c_void, len as usize, prot.bits()) };
                if r != 0 {
                    let error = io::Error::last_os_error();
                    unmap(view, len);
                    return Err(error);
                }
            }
            // SAFETY: moves a mapping of ours over a range inside this reservation.
            let moved = unsafe {
                libc::mremap(
                    view as *mut libc::c_void,
                    len as usize,
                    len as usize,
                    libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED,
                    at as *mut libc::c_void,
                )
            };
            if moved == libc::MAP_FAILED {
                let error = io::Error::last_os_error();
                unmap(view, len);
                // The target may have been unmapped already: close the hole.
                self.set_none(start, total)?;
                return Err(error);
            }
            at += len;
        }
        Ok(())
    }

    /// Makes one page readable and writable and gives out the word at its start. The page keeps
    /// that word until it is passed to [`Reservation::unmap_word`].
    pub(crate) fn map_word(&self, page: u64) -> io::Result<Word> {
        self.replace(page, PAGE, Prot::ReadWrite, libc::MAP_SHARED | libc::MAP_ANONYMOUS)?;
        Word::new(page)
    }

    /// Like [`Reservation::map_word`], with the fence page of a file.
    pub(crate) fn file_word(&self, page: u64, file: &SharedFile) -> io::Result<Word> {
        self.set_file(page, PAGE, file, PAGE)?;
        Word::of_file(page, file)
    }

    /// Like [`Reservation::map_word`], with the page of an existing word.
    pub(crate) fn alias_word(&self, page: u64, of: &Word) -> io::Result<Word> {
        self.set_alias(page, &[(of.address(), PAGE)], Prot::ReadWrite)?;
        Word::alias(page, of)
    }

    /// Takes a word's page away.
    pub(crate) fn unmap_word(&self, word: Word) {
        // A page that cannot be replaced stays readable, which harms nobody.
        let _ = self.set_none(word.address(), PAGE);
    }
}

/// Maps the first page of a file that has one and whose size does not change, wherever there is room.
#[cfg(not(loom))]
pub(crate) fn map_head(file: impl AsFd) -> io::Result<u64> {
    mmap_of(0, PAGE, Prot::ReadWrite, libc::MAP_SHARED, file.as_fd().as_raw_fd(), 0)
}

impl Drop for Reservation {
    fn drop(&mut self) {
        unmap(self.base, self.size);
    }
}

/// Unmaps a range that belongs to the caller.
pub(crate) fn unmap(base: u64, size: u64) {
    // SAFETY: only called with ranges this module mapped and that nobody uses any more.
    unsafe {
        libc::munmap(base as *mut libc::c_void, size as usize);
    }
}

/// Makes a second mapping of the pages of a shared mapping, at an address of the kernel's choice.
fn duplicate(from: u64, len: u64) -> io::Result<u64> {
    // SAFETY: with an old size of 0 the source stays as it is and only a new mapping is made;
    // private sources are refused by the kernel.
    let p = unsafe { libc::mremap(from as *mut libc::c_void, 0, len as usize, libc::MREMAP_MAYMOVE) };
    if p == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(p as u64)
}

/// Second views of memory the caller handed in, which keep its pages alive as pinning would.
#[derive(Debug)]
pub(crate) struct Pinned {
    // Keeps the views mapped; they are only used as sources of further views.
    _area: Reservation,
    pieces: Vec<Piece>,
}

impl Pinned {
    /// Duplicates `[addr, addr + len)`, which has to consist of shared mappings.
    pub(crate) fn new(addr: u64, len: u64) -> io::Result<Self> {
        let sources = shared_pieces(addr, len)?;
        let area = Reservation::anywhere(len)?;
        area.set_alias(area.base(), &sources, Prot::ReadWrite)?;
        let mut at = area.base();
        let pieces = sources
            .iter()
            .map(|&(_, len)| {
                at += len;
                (at - len, len)
            })
            .collect();
        Ok(Self { _area: area, pieces })
    }

    /// The pieces that make up `[offset, offset + len)`.
    pub(crate) fn slice(&self, offset: u64, len: u64) -> Vec<Piece> {
        let mut out = Vec::new();
        let (mut start, end) = (0, offset + len);
        for &(addr, size) in &self.pieces {
            let (from, to) = (offset.max(start), end.min(start + size));
            if from < to {
                out.push((addr + (from - start), to - from));
            }
            start += size;
        }
        out
    }
}

/// Looks up the kernel's mappings behind a range; all of them have to be shared.
fn shared_pieces(addr: u64, len: u64) -> io::Result<Vec<Piece>> {
    let end = addr.checked_add(len).ok_or(io::ErrorKind::InvalidInput)?;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let mut pieces = Vec::new();
    let mut at = addr;
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(range), Some(perms)) = (words.next(), words.next()) else { continue };
        let Some((lo, hi)) = range.split_once('-') else { continue };
        let (Ok(lo), Ok(hi)) = (u64::from_str_radix(lo, 16), u64::from_str_radix(hi, 16)) else {
            continue;
        };
        if hi <= at {
            continue;
        }
        if lo > at || !perms.ends_with('s') {
            break;
        }
        let stop = hi.min(end);
        pieces.push((at, stop - at));
        at = stop;
        if at == end {
            return Ok(pieces);
        }
    }
    Err(io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_show_the_same_pages() {
        let r = Reservation::anywhere(16 * PAGE).unwrap();
        r.set_memory(r.base(), 4 * PAGE).unwrap();
        let w = r.map_word(r.base() + 8 * PAGE).unwrap();
        let v = r.alias_word(r.base() + 9 * PAGE, &w).unwrap();
        w.store(77);
        assert_eq!(v.load(), 77);
        r.unmap_word(w);
        assert_eq!(v.load(), 77);
        assert!(r.set_none(r.base() - PAGE, PAGE).is_err());
        assert!(r.set_none(r.base() + 15 * PAGE, 2 * PAGE).is_err());
        assert!(r.set_zero(r.base() + 1, PAGE).is_err());
        r.unmap_word(v);
    }

    #[test]
    fn private_memory_has_no_alias() {
        let v = vec![0u8; 3 * PAGE as usize];
        let page = (v.as_ptr() as u64).next_multiple_of(PAGE);
        assert!(Pinned::new(page, PAGE).is_err());
        let r = Reservation::anywhere(4 * PAGE).unwrap();
        assert!(r.set_alias(r.base(), &[(page, PAGE)], Prot::ReadWrite).is_err());
    }

    #[test]
    fn a_taken_range_is_not_reserved_twice() {
        let r = Reservation::anywhere(4 * PAGE).unwrap();
        assert!(Reservation::at(r.base(), PAGE).is_none());
    }

    #[test]
    fn pins_span_mappings() {
        let r = Reservation::anywhere(8 * PAGE).unwrap();
        r.set_memory(r.base(), 2 * PAGE).unwrap();
        r.set_memory(r.base() + 2 * PAGE, 2 * PAGE).unwrap();
        let p = Pinned::new(r.base() + PAGE, 2 * PAGE).unwrap();
        assert_eq!(p.slice(0, 2 * PAGE).iter().map(|x| x.1).sum::<u64>(), 2 * PAGE);
        assert_eq!(p.slice(PAGE, PAGE).len(), 1);
        assert!(Pinned::new(r.base() + 3 * PAGE, 2 * PAGE).is_err(), "hole");
    }
}
