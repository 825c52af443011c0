//! Access to memory that a caller names by address.
//!
//! Addresses come from outside and may be anything. Copies go through the kernel
//! (`process_vm_readv`/`writev` on the own process), which answers EFAULT instead of faulting.
//! Sandboxes that forbid those calls get the same answer through a pipe, slower.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use smallvec::SmallVec;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The caller gave an address that cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadAddress;

/// An array read from the caller; small ones need no heap.
pub(crate) type UserArray<T> = SmallVec<[T; 16]>;

/// Set once the direct calls turned out to be forbidden.
static USE_PIPE: AtomicBool = AtomicBool::new(false);
static PIPE: Mutex<Option<(OwnedFd, OwnedFd)>> = Mutex::new(None);

fn iovec(addr: u64, len: usize) -> libc::iovec {
    libc::iovec { iov_base: addr as *mut libc::c_void, iov_len: len }
}

fn local(buf: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: buf.as_ptr().cast_mut().cast(), iov_len: buf.len() }
}

fn forbidden() -> bool {
    let e = std::io::Error::last_os_error().raw_os_error();
    matches!(e, Some(libc::EPERM | libc::ENOSYS | libc::EACCES))
}

/// Reads up to two ranges at once.
fn read_ranges(parts: &mut [(u64, &mut [u8])]) -> Result<(), BadAddress> {
    let total: usize = parts.iter().map(|(_, b)| b.len()).sum();
    if total == 0 {
        return Ok(());
    }
    if !USE_PIPE.load(Ordering::Relaxed) {
        let remote: SmallVec<[libc::iovec; 2]> = parts.iter().map(|(a, b)| iovec(*a, b.len())).collect();
        let own: SmallVec<[libc::iovec; 2]> = parts.iter().map(|(_, b)| local(b)).collect();
        // SAFETY: the local vectors describe exclusively borrowed slices; the remote ones are
        // only ever interpreted by the kernel, which checks them.
        let n = unsafe {
            libc::process_vm_readv(
                libc::getpid(),
                own.as_ptr(),
                own.len() as libc::c_ulong,
                remote.as_ptr(),
                remote.len() as libc::c_ulong,
                0,
            )
        };
        if n == total as isize {
            return Ok(());
        }
        if n >= 0 || !forbidden() {
            return Err(BadAddress);
        }
        USE_PIPE.store(true, Ordering::Relaxed);
    }
    parts.iter_mut().try_for_each(|(addr, buf)| pipe_read(*addr, buf))
}

/// Runs `f` with the two ends of the copying pipe, which is empty before and after.
fn with_pipe<R>(f: impl FnOnce(i32, i32) -> Result<R, BadAddress>) -> Result<R, BadAddress> {
    let mut slot = PIPE.lock().unwrap_or_else(PoisonError::into_inner);
    if slot.is_none() {
        *slot = Some(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|_| BadAddress)?);
    }
    let Some((rd, wr)) = slot.as_ref() else { return Err(BadAddress) };
    let result = f(rd.as_raw_fd(), wr.as_raw_fd());
    if result.is_err() {
        // Whatever is left in the pipe would corrupt the next copy.
        *slot = None;
    }
    result
}

const CHUNK: usize = 4096;

fn pipe_read(addr: u64, buf: &mut [u8]) -> Result<(), BadAddress> {
    with_pipe(|rd, wr| {
        for (i, part) in buf.chunks_mut(CHUNK).enumerate() {
            let from = addr.wrapping_add((i * CHUNK) as u64) as *const libc::c_void;
            // SAFETY: the kernel checks the address; a pipe of one page takes a chunk whole.
            let put = unsafe { libc::write(wr, from, part.len()) };
            if put != part.len() as isize {
                return Err(BadAddress);
            }
            // SAFETY: reads into an exclusively borrowed slice of that length.
            let got = unsafe { libc::read(rd, part.as_mut_ptr().cast(), part.len()) };
            if got != part.len() as isize {
                return Err(BadAddress);
            }
        }
        Ok(())
    })
}

fn pipe_write(addr: u64, buf: &[u8]) -> Result<(), BadAddress> {
    with_pipe(|rd, wr| {
        for (i, part) in buf.chunks(CHUNK).enumerate() {
            let to = addr.wrapping_add((i * CHUNK) as u64) as *mut libc::c_void;
            // SAFETY: writes a borrowed slice; a pipe of one page takes a chunk whole.
            let put = unsafe { libc::write(wr, part.as_ptr().cast(), part.len()) };
            if put != part.len() as isize {
                return Err(BadAddress);
            }
            // SAFETY: the kernel checks the address; the caller asked for these bytes to be
            // overwritten by passing it as an output pointer.
            let got = unsafe { libc::read(rd, to, part.len()) };
            if got != part.len() as isize {
                return Err(BadAddress);
            }
        }
        Ok(())
    })
}

/// Fills `buf` from the caller's memory.
pub(crate) fn copy_in(addr: u64, buf: &mut [u8]) -> Result<(), BadAddress> {
    read_ranges(&mut [(addr, buf)])
}

/// Writes `buf` to the caller's memory.
pub(crate) fn copy_out(addr: u64, buf: &[u8]) -> Result<(), BadAddress> {
    if buf.is_empty() {
        return Ok(());
    }
    if !USE_PIPE.load(Ordering::Relaxed) {
        let own = local(buf);
        let remote = iovec(addr, buf.len());
        // SAFETY: the local vector describes a borrowed slice that is only read; the kernel checks
        // the remote one, and the caller asked for those bytes to be overwritten.
        let n = unsafe { libc::process_vm_writev(libc::getpid(), &own, 1, &remote, 1, 0) };
        if n == buf.len() as isize {
            return Ok(());
        }
        if n >= 0 || !forbidden() {
            return Err(BadAddress);
        }
        USE_PIPE.store(true, Ordering::Relaxed);
    }
    pipe_write(addr, buf)
}

fn zeroed_array<T: FromBytes + IntoBytes + Clone + smallvec_item::Item>(count: usize) -> UserArray<T> {
    UserArray::from_elem(T::new_zeroed(), count)
}

mod smallvec_item {
    /// Marker: what user arrays are made of.
    pub(crate) trait Item {}
    impl<T: zerocopy::FromBytes> Item for T {}
}

/// Reads an array of plain data.
pub(crate) fn read_array<T>(addr: u64, count: usize) -> Result<UserArray<T>, BadAddress>
where
    T: FromBytes + IntoBytes + Immutable + Clone,
{
    let mut out = zeroed_array::<T>(count);
    copy_in(addr, out.as_mut_slice().as_mut_bytes())?;
    Ok(out)
}

/// Reads two arrays of the same length with one call into the kernel.
pub(crate) fn read_arrays<A, B>(a: u64, b: u64, count: usize) -> Result<(UserArray<A>, UserArray<B>), BadAddress>
where
    A: FromBytes + IntoBytes + Immutable + Clone,
    B: FromBytes + IntoBytes + Immutable + Clone,
{
    let mut first = zeroed_array::<A>(count);
    let mut second = zeroed_array::<B>(count);
    read_ranges(&mut [(a, first.as_mut_slice().as_mut_bytes()), (b, second.as_mut_slice().as_mut_bytes())])?;
    Ok((first, second))
}

/// Reads one value.
pub(crate) fn read_object<T: FromBytes + IntoBytes>(addr: u64) -> Result<T, BadAddress> {
    let mut out = T::new_zeroed();
    copy_in(addr, out.as_mut_bytes())?;
    Ok(out)
}

/// Writes one value or array.
pub(crate) fn write_object<T: IntoBytes + Immutable + ?Sized>(addr: u64, value: &T) -> Result<(), BadAddress> {
    copy_out(addr, value.as_bytes())
}

/// Checks that a range could be pinned for a device: mapped throughout, and accessible (for
/// writing, if `write`) at both ends. Only the first and the last page are touched; protection
/// changes in the middle of a range stay unnoticed until an access faults.
pub(crate) fn can_pin(addr: u64, len: u64, write: bool) -> bool {
    const PAGE: u64 = 4096;
    const STEP: u64 = 1 << 30;
    if len == 0 || !addr.is_multiple_of(PAGE) || addr.checked_add(len).is_none() {
        return false;
    }
    let mut vec = vec![0u8; (len.min(STEP).div_ceil(PAGE)) as usize];
    let mut at = 0;
    while at < len {
        let part = (len - at).min(STEP);
        // SAFETY: the kernel checks the range, and writes at most one byte per page of it into
        // the vector, which has room for a whole step.
        let r = unsafe { libc::mincore((addr + at) as *mut libc::c_void, part as usize, vec.as_mut_ptr()) };
        if r != 0 {
            return false;
        }
        at += part;
    }
    let last = (addr + len - 1) & !(PAGE - 1);
    populate(addr, write) && (last == addr || populate(last, write))
}

/// Faults one page in as a device access would.
fn populate(page: u64, write: bool) -> bool {
    let advice = if write { libc::MADV_POPULATE_WRITE } else { libc::MADV_POPULATE_READ };
    // SAFETY: populating does not change content; the kernel checks the range.
    let r = unsafe { libc::madvise(page as *mut libc::c_void, 4096, advice) };
    if r == 0 {
        return true;
    }
    // Kernels before 5.14 do not know the advice; being readable has to do there.
    !populate_known() && copy_in(page, &mut [0u8]).is_ok()
}

/// Whether the kernel knows how to populate pages; tried on a page of our own.
fn populate_known() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let own = vec![0u8; 2 * 4096];
        let page = (own.as_ptr() as u64).next_multiple_of(4096);
        // SAFETY: the page lies in the vector; populating does not change content.
        let r = unsafe { libc::madvise(page as *mut libc::c_void, 4096, libc::MADV_POPULATE_READ) };
        r == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_refuses() {
        let mut x = [1u8, 2, 3, 4];
        let mut y = [0u8; 4];
        copy_in(x.as_ptr() as u64, &mut y).unwrap();
        assert_eq!(x, y);
        copy_out(x.as_mut_ptr() as u64, &[9, 8, 7, 6]).unwrap();
        assert_eq!(x, [9, 8, 7, 6]);
        assert_eq!(copy_in(0, &mut y), Err(BadAddress));
        assert_eq!(copy_in(u64::MAX - 1, &mut y), Err(BadAddress));
        assert_eq!(copy_out(8, &y), Err(BadAddress));
        assert_eq!(copy_in(0, &mut []), Ok(()));
    }

    #[test]
    fn the_pipe_path_does_the_same() {
        let src: Vec<u8> = (0..10_000u32).map(|i| i as u8).collect();
        let mut dst = vec![0u8; src.len()];
        pipe_read(src.as_ptr() as u64, &mut dst).unwrap();
        assert_eq!(src, dst);
        dst.fill(0);
        pipe_write(dst.as_mut_ptr() as u64, &src).unwrap();
        assert_eq!(src, dst);
        assert_eq!(pipe_read(8, &mut [0u8; 8]), Err(BadAddress));
        assert_eq!(pipe_write(8, &[0u8; 8]), Err(BadAddress));
        pipe_read(src.as_ptr() as u64, &mut dst[..10]).unwrap();
    }

    #[test]
    fn pinning_needs_mapped_writable_memory() {
        // Code is mapped, but not for writing.
        let code = (can_pin as *const () as u64) & !4095;
        assert!(!can_pin(code, 4096, true));
        assert!(can_pin(code, 4096, false));
        assert!(!can_pin(0x1000, 4096, true));
        let v = vec![0u8; 3 * 4096];
        let page = (v.as_ptr() as u64 + 4095) & !4095;
        assert!(can_pin(page, 4096, true));
        assert!(!can_pin(page + 1, 4096, true));
    }
}
