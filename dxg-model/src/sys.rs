//! Small pieces of the operating system that have no safe form: descriptors given by number, and
//! signal masks of our threads.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

#[cfg(loom)]
pub(crate) use loom::thread::JoinHandle;
#[cfg(not(loom))]
pub(crate) use std::thread::JoinHandle;

/// Identity of the object behind a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FdIdentity {
    device: u64,
    inode: u64,
}

/// A descriptor number out of a 64-bit field.
pub(crate) fn fd_number(value: u64) -> Option<RawFd> {
    RawFd::try_from(value).ok()
}

/// Runs `f` with a caller's descriptor, if it is open.
fn with_fd<R>(fd: RawFd, f: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>) -> io::Result<R> {
    if fd < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the number is only handed to system calls that fail cleanly if it is not open; a
    // client that closes it meanwhile harms itself alone, as with the kernel.
    f(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// The kernel's id of an eventfd (kernels before 5.2 give none); an error if the number is none, or if that cannot be found out.
pub(crate) fn eventfd_id(fd: RawFd) -> io::Result<Option<u64>> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))?;
    let value = |key: &str| info.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    value("eventfd-count:").ok_or(io::ErrorKind::InvalidInput)?;
    Ok(value("eventfd-id:").and_then(|id| id.parse().ok()))
}

/// A descriptor of our own for the same object.
pub(crate) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    with_fd(fd, |fd| Ok(rustix::io::fcntl_dupfd_cloexec(fd, 3)?))
}

/// What a number stands for.
pub(crate) fn identity(fd: RawFd) -> io::Result<FdIdentity> {
    with_fd(fd, |fd| identity_of(fd))
}

/// What a descriptor stands for.
pub(crate) fn identity_of(fd: impl AsFd) -> io::Result<FdIdentity> {
    let st = rustix::fs::fstat(fd)?;
    Ok(FdIdentity { device: st.st_dev, inode: st.st_ino })
}

/// Adds one to an eventfd. Saturation and a closed reader are the client's own affair.
pub(crate) fn raise(fd: impl AsFd) {
    let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
}

/// Adds one to an eventfd given by number.
pub(crate) fn raise_raw(fd: RawFd) {
    let _ = with_fd(fd, |fd| {
        raise(fd);
        Ok(())
    });
}

/// Makes the other end of a socket readable; no harm if it is closed.
pub(crate) fn ring(fd: impl AsFd) {
    let _ = rustix::net::send(fd, &[1], rustix::net::SendFlags::NOSIGNAL | rustix::net::SendFlags::DONTWAIT);
}

/// Of a Unix socket: the abstract name of its other end and the process that made the pair.
pub(crate) fn peer(fd: RawFd) -> Option<(Vec<u8>, u32)> {
    let peer = with_fd(fd, |fd| {
        let address = rustix::net::getpeername(fd)?;
        let maker = rustix::net::sockopt::socket_peercred(fd)?;
        Ok((address, maker.pid.as_raw_nonzero().get().unsigned_abs()))
    });
    let (address, maker) = peer.ok()?;
    let address = rustix::net::SocketAddrUnix::try_from(address?).ok()?;
    Some((address.abstract_name()?.to_vec(), maker))
}

/// Starts a thread that takes no signals of the application, except those raised by its own
/// instructions (an engine may handle these).
#[cfg(not(loom))]
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    spawn_with(std::thread::Builder::new().name(name.to_owned()), body)
}

#[cfg(loom)]
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    loom::thread::Builder::new().name(name.to_owned()).spawn(body)
}

/// Starts a thread as the model's are: it takes no signals of the application, except those raised by its own instructions. For
/// threads of engines.
///
/// # Errors
/// The system's.
pub fn spawn_with(
    builder: std::thread::Builder,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<std::thread::JoinHandle<()>> {
    let old = block_signals();
    let thread = builder.spawn(body);
    if let Some(old) = old {
        // SAFETY: restores the mask this thread had a moment ago.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &old, core::ptr::null_mut());
        }
    }
    thread
}

fn block_signals() -> Option<libc::sigset_t> {
    let mut set = core::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut old = core::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is initialised by sigfillset before use, and both pointers are to storage of
    // the right type.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT] {
            libc::sigdelset(set.as_mut_ptr(), signal);
        }
        let r = libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), old.as_mut_ptr());
        // On success the old mask has been written.
        (r == 0).then(|| old.assume_init())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn eventfds_are_told_from_others() {
        let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
        let id = eventfd_id(event.as_raw_fd()).unwrap();
        let copy = duplicate(event.as_raw_fd()).unwrap();
        assert_eq!(eventfd_id(copy.as_raw_fd()).unwrap(), id);
        let (r, _w) = rustix::pipe::pipe().unwrap();
        assert!(eventfd_id(r.as_raw_fd()).is_err());
        assert!(eventfd_id(-1).is_err());
        assert!(eventfd_id(1 << 20).is_err());
        assert!(duplicate(-5).is_err());
        raise_raw(event.as_raw_fd());
        raise(&event);
        let mut n = [0u8; 8];
        rustix::io::read(&event, &mut n).unwrap();
        assert_eq!(u64::from_ne_bytes(n), 2);
    }
}
