//! Errors of the window system.

use dxg_abi::{Errno, Ioctl, NtStatus, Ret};

/// Result of a call here.
pub type Result<T> = std::result::Result<T, Error>;

/// What failed, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {cause}", self.operation())]
pub struct Error {
    /// The request that failed; `None` when it did not come to one.
    pub ioctl: Option<Ioctl>,
    /// Why.
    pub cause: Cause,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The node answered with an errno.
    #[error("{0}")]
    Errno(Errno),
    /// The node answered with a status that the kernel did not translate.
    #[error("{0}")]
    Status(NtStatus),
    /// The node reported success but left an output at zero.
    #[error("refused without a reason")]
    NoOutput,
    /// The device is lost.
    #[error("device lost")]
    DeviceLost,
    /// The object belongs to the process this one was forked from.
    #[error("object of the parent process")]
    Forked,
    /// An argument is wrong; the text says which.
    #[error("{0}")]
    Argument(&'static str),
    /// A call to the operating system other than to the node failed.
    #[error("system call: {0}")]
    Os(Errno),
}

/// The kinds of failure a caller tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// This kernel or adapter does not have it.
    NotSupported,
    /// Out of memory, budget or address space.
    NoMemory,
    /// The device is lost, or its adapter gone.
    DeviceLost,
    /// An argument or handle is wrong.
    Invalid,
    /// The host said no; the ABI does not carry the reason.
    Refused,
    /// No descriptors are left.
    NoDescriptors,
    /// In use; may work later.
    Busy,
    /// Anything else.
    Other,
}

impl Error {
    /// A failure of a request.
    pub(crate) const fn new(ioctl: Ioctl, cause: Cause) -> Self {
        Self { ioctl: Some(ioctl), cause }
    }

    /// A failure before any request.
    pub(crate) const fn argument(text: &'static str) -> Self {
        Self { ioctl: None, cause: Cause::Argument(text) }
    }

    /// A failed call to the operating system.
    pub(crate) fn os(errno: rustix::io::Errno) -> Self {
        Self { ioctl: None, cause: Cause::Os(Errno(errno.raw_os_error())) }
    }

    /// The device is lost.
    pub(crate) const fn lost() -> Self {
        Self { ioctl: None, cause: Cause::DeviceLost }
    }

    fn operation(&self) -> &'static str {
        self.ioctl.map_or("winsys", Ioctl::name)
    }

    /// The kind of failure.
    ///
    /// EOVERFLOW is what a failure of the host looks like for calls whose reply has no status,
    /// so it counts as refused; a creation that is refused is most often one that found no
    /// memory. EPERM stands for "not supported" in this ABI.
    pub fn kind(&self) -> ErrorKind {
        let errno = match self.cause {
            Cause::NoOutput => return ErrorKind::Refused,
            Cause::DeviceLost | Cause::Forked => return ErrorKind::DeviceLost,
            Cause::Argument(_) => return ErrorKind::Invalid,
            Cause::Errno(errno) | Cause::Os(errno) => errno,
            Cause::Status(status) => status.to_errno().unwrap_or(Errno::EINVAL),
        };
        match errno {
            Errno::ENOTTY | Errno::EPERM | Errno::ENOSYS | Errno::EOPNOTSUPP => ErrorKind::NotSupported,
            Errno::ENOMEM => ErrorKind::NoMemory,
            Errno::ENODEV => ErrorKind::DeviceLost,
            Errno::EINVAL | Errno::EFAULT | Errno::EBADF | Errno::ENOENT | Errno::EPROTOTYPE => ErrorKind::Invalid,
            Errno::EOVERFLOW => ErrorKind::Refused,
            Errno::ENOTRECOVERABLE | Errno::EMFILE | Errno::ENFILE => ErrorKind::NoDescriptors,
            Errno::EAGAIN | Errno::EINPROGRESS => ErrorKind::Busy,
            _ => ErrorKind::Other,
        }
    }

    /// Sorts an ioctl result.
    pub(crate) fn check(ioctl: Ioctl, raw: i32) -> Result<Ret> {
        match Ret::from_raw(raw) {
            Ret::Err(errno) => Err(Self::new(ioctl, Cause::Errno(errno))),
            Ret::RawStatus(status) => Err(Self::new(ioctl, Cause::Status(status))),
            ok @ (Ret::Ok | Ret::Pending | Ret::Status(_)) => Ok(ok),
        }
    }
}
