//! Pages that the system may take away under their users, as it does when an adapter is stopped.
//!
//! An access to pages that have gone puts anonymous ones in their place and goes on. Where the addresses are free, they are mapped
//! anew; where somebody keeps them reserved without access, they are opened. Whatever came to stand at the addresses in
//! between and can be accessed is not noticed: the users see that.

use crate::list::List;
use crate::Installed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

/// What is found in the pages that stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// Zeros.
    Zeros,
    /// A first word of all ones, and zeros: a fence whose device is lost.
    LostFence,
}

/// The pages are those that were registered.
const THERE: u8 = 0;
/// They had gone, and others were mapped.
const MAPPED: u8 = 1;
/// They were reserved, and were opened.
const OPENED: u8 = 2;

/// A place of the list that the handler walks. Places live for ever and are used again.
#[derive(Default)]
struct Place {
    start: AtomicU64,
    /// 0: nothing is registered here.
    len: AtomicU64,
    lost_fence: AtomicBool,
    state: AtomicU8,
}

static PLACES: List<Place> = List::new();
static FREE: Mutex<Vec<&'static Place>> = Mutex::new(Vec::new());

fn new_place() -> &'static Place {
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    free.unwrap_or_else(|| PLACES.add(Place::default()))
}

/// Pages that may vanish, while the value lives.
pub struct Vanishing {
    place: &'static Place,
    _installed: Installed,
}

impl std::fmt::Debug for Vanishing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (start, len) = (self.place.start.load(Ordering::Relaxed), self.place.len.load(Ordering::Relaxed));
        write!(f, "Vanishing({start:#x}, {len:#x})")
    }
}

impl Vanishing {
    /// Registers `len` bytes of whole pages at `start`.
    ///
    /// # Safety
    /// Until the value is dropped the range is mapped for its owner, or has been taken away from it; nobody else uses the addresses
    /// or relies on their being inaccessible, but for whoever took the pages away and keeps the addresses.
    pub unsafe fn new(start: u64, len: u64, stand_in: StandIn) -> Self {
        let (place, installed) = (new_place(), Installed::new());
        place.start.store(start, Ordering::Relaxed);
        place.lost_fence.store(stand_in == StandIn::LostFence, Ordering::Relaxed);
        place.state.store(THERE, Ordering::Relaxed);
        // From here on it can be found.
        place.len.store(len, Ordering::Release);
        Self { place, _installed: installed }
    }

    /// Whether an access found the pages gone.
    pub fn is_gone(&self) -> bool {
        self.place.state.load(Ordering::Relaxed) != THERE
    }
}

impl Drop for Vanishing {
    fn drop(&mut self) {
        let place = self.place;
        let start = place.start.load(Ordering::Relaxed);
        let len = place.len.swap(0, Ordering::AcqRel);
        // SAFETY: the pages are ours, or (where they were opened) become again what they were; nobody uses them any more.
        unsafe {
            match place.state.load(Ordering::Acquire) {
                MAPPED => drop(libc::munmap(start as *mut libc::c_void, len as usize)),
                OPENED => {
                    libc::madvise(start as *mut libc::c_void, len as usize, libc::MADV_DONTNEED);
                    libc::mprotect(start as *mut libc::c_void, len as usize, libc::PROT_NONE);
                }
                _ => {}
            }
        }
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(place);
    }
}

/// Maps anonymous pages at an address; whether they are there now.
///
/// # Safety
/// As of `mmap` with these flags.
unsafe fn map(start: u64, len: u64, prot: libc::c_int, flags: libc::c_int) -> bool {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: the caller's.
    unsafe { libc::mmap(start as *mut libc::c_void, len as usize, prot, flags, -1, 0) as u64 == start }
}

/// Puts pages in the place of those that were at the address of a refused access, if they may vanish; whether the access can be
/// tried again. Does nothing that a signal handler may not do.
pub(crate) fn stand_in(address: u64) -> bool {
    let holds = |place: &&'static Place| {
        let len = place.len.load(Ordering::Acquire);
        address.wrapping_sub(place.start.load(Ordering::Relaxed)) < len
    };
    let Some(place) = PLACES.iter().find(holds) else { return false };
    let (start, len) = (place.start.load(Ordering::Relaxed), place.len.load(Ordering::Relaxed));
    let usable = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: nothing is replaced. (Older kernels take the address as a hint: then pages elsewhere are lost, once.)
    if unsafe { map(start, len, usable, libc::MAP_FIXED_NOREPLACE) } {
        place.state.store(MAPPED, Ordering::Release);
    } else {
        // Another thread was faster, or somebody keeps the addresses.
        // SAFETY: the range is its owner's, see `new`.
        if unsafe { libc::mprotect(start as *mut libc::c_void, len as usize, usable) } != 0 {
            return false;
        }
        let _ = place.state.compare_exchange(THERE, OPENED, Ordering::AcqRel, Ordering::Relaxed);
    }
    if place.lost_fence.load(Ordering::Relaxed) {
        // SAFETY: the page has just been made accessible, and is aligned.
        unsafe { (*(start as *const AtomicU64)).store(u64::MAX, Ordering::Release) };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;

    /// Pages where nothing else comes to stand by itself.
    fn shared(hint: u64, len: u64) -> u64 {
        let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a mapping of its own.
        let at = unsafe { libc::mmap(hint as *mut libc::c_void, len as usize, prot, flags, -1, 0) };
        assert_ne!(at, libc::MAP_FAILED);
        at as u64
    }

    fn word(at: u64) -> &'static AtomicU64 {
        // SAFETY: the tests touch pages that are there or vanish.
        unsafe { &*(at as *const AtomicU64) }
    }

    fn is_mapped(at: u64) -> bool {
        let mut vec = 0u8;
        // SAFETY: asks about a page.
        unsafe { libc::mincore(at as *mut libc::c_void, 1, &mut vec) == 0 }
    }

    #[test]
    fn pages_that_are_unmapped_are_replaced_and_taken_away_again() {
        let _installed = Installed::new();
        let at = shared(0x3100_0000_0000, 3 * PAGE);
        word(at + 8).store(5, Ordering::SeqCst);
        // SAFETY: the range is the test's.
        let pages = unsafe { Vanishing::new(at, 3 * PAGE, StandIn::LostFence) };
        assert_eq!((word(at + 8).load(Ordering::SeqCst), pages.is_gone()), (5, false));
        // SAFETY: as above.
        unsafe { libc::munmap(at as *mut libc::c_void, 3 * PAGE as usize) };
        // A write first, from many threads, then reads.
        std::thread::scope(|s| {
            for i in 1..5 {
                s.spawn(move || word(at + 2 * PAGE + 64 * i).fetch_add(1, Ordering::SeqCst));
            }
        });
        assert!(pages.is_gone());
        assert_eq!(word(at).load(Ordering::SeqCst), u64::MAX);
        assert_eq!(word(at + 8).load(Ordering::SeqCst), 0);
        assert_eq!(word(at + 2 * PAGE + 64).load(Ordering::SeqCst), 1);
        drop(pages);
        assert!(!is_mapped(at) && !is_mapped(at + 2 * PAGE));
    }

    #[test]
    fn reserved_addresses_are_opened_and_closed_again() {
        let _installed = Installed::new();
        let at = shared(0x3200_0000_0000, 2 * PAGE);
        for _ in 0..3 {
            // SAFETY: the range is the test's.
            let pages = unsafe { Vanishing::new(at + PAGE, PAGE, StandIn::Zeros) };
            // SAFETY: as above.
            unsafe { assert!(map(at + PAGE, PAGE, libc::PROT_NONE, libc::MAP_FIXED)) };
            assert_eq!(word(at + PAGE).swap(7, Ordering::SeqCst), 0);
            assert_eq!(word(at + PAGE).load(Ordering::SeqCst), 7);
            drop(pages);
            assert!(is_mapped(at + PAGE), "the addresses stay somebody's");
            let mut byte = [0];
            // SAFETY: nothing can be read there.
            assert!(unsafe { crate::read(at + PAGE, &mut byte) }.is_err());
        }
        assert_eq!(word(at).load(Ordering::SeqCst), 0);
    }
}
