//! Status codes: NTSTATUS, errno, and how an ioctl result carries either.

use crate::layout::{Bits, Kind, Layout, TypeLayout};

/// A Windows status. Non-negative (as a signed number) is success.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(transparent)]
pub struct NtStatus(pub u32);

macro_rules! statuses {
    ($( $(#[$m:meta])* $name:ident = $value:literal $(=> $errno:ident)?; )*) => {
        impl NtStatus {
            $( $(#[$m])* pub const $name: NtStatus = NtStatus($value); )*

            /// The name of the status, if it is a known one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $( $value => Some(stringify!($name)), )* _ => None }
            }

            /// The errno the guest turns a failure into; `None` for success.
            /// A failure that is not in the table is EINVAL.
            pub const fn to_errno(self) -> Option<Errno> {
                if self.is_success() {
                    return None;
                }
                match self.0 {
                    $( $( $value => Some(Errno::$errno), )? )*
                    _ => Some(Errno::EINVAL),
                }
            }
        }
    };
}

statuses! {
    /// Done.
    SUCCESS = 0x0000_0000;
    /// A wait ran out of time; a success as far as the guest is concerned.
    TIMEOUT = 0x0000_0102;
    /// Accepted; finished when the paging queue's fence says so.
    PENDING = 0x0000_0103;
    /// Anything that has no better name.
    UNSUCCESSFUL = 0xC000_0001;
    /// Not implemented on the host.
    NOT_IMPLEMENTED = 0xC000_0002 => EPERM;
    /// A handle the host does not know.
    INVALID_HANDLE = 0xC000_0008 => EBADF;
    /// A bad argument.
    INVALID_PARAMETER = 0xC000_000D => EINVAL;
    /// Out of system memory.
    NO_MEMORY = 0xC000_0017 => ENOMEM;
    /// An illegal instruction.
    ILLEGAL_INSTRUCTION = 0xC000_001D => EOPNOTSUPP;
    /// Not allowed.
    ACCESS_DENIED = 0xC000_0022 => EACCES;
    /// A buffer of the caller is too small.
    BUFFER_TOO_SMALL = 0xC000_0023 => EOVERFLOW;
    /// A handle of another kind.
    OBJECT_TYPE_MISMATCH = 0xC000_0024 => EPROTOTYPE;
    /// A name the host rejects.
    OBJECT_NAME_INVALID = 0xC000_0033 => ENOENT;
    /// A name the host does not know.
    OBJECT_NAME_NOT_FOUND = 0xC000_0034 => ENOENT;
    /// A name that is taken.
    OBJECT_NAME_COLLISION = 0xC000_0035 => EEXIST;
    /// Not supported.
    NOT_SUPPORTED = 0xC000_00BB => EPERM;
    /// The device is gone.
    DEVICE_REMOVED = 0xC000_02B6 => ENODEV;
    /// Out of video memory. Not in the guest's table, so it arrives as EINVAL.
    GRAPHICS_NO_VIDEO_MEMORY = 0xC01E_0100;
    /// The allocation is in use.
    GRAPHICS_ALLOCATION_BUSY = 0xC01E_0102 => EINPROGRESS;
}

impl NtStatus {
    /// From an ioctl result.
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw as u32)
    }

    /// As an ioctl result.
    pub const fn as_raw(self) -> i32 {
        self.0 as i32
    }

    /// Whether it is a success or information.
    pub const fn is_success(self) -> bool {
        self.as_raw() >= 0
    }

    /// What the guest returns for a status of the host: the status itself when
    /// it is a success, else the negative errno.
    pub const fn to_result(self) -> i32 {
        match self.to_errno() {
            Some(errno) => -errno.0,
            None => self.as_raw(),
        }
    }
}

impl core::fmt::Debug for NtStatus {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "NTSTATUS {:#010x}", self.0),
        }
    }
}

impl core::fmt::Display for NtStatus {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(self, f)
    }
}

impl Layout for NtStatus {
    const LAYOUT: &'static TypeLayout = &TypeLayout {
        name: "NtStatus",
        header: "ntstatus",
        size: size_of::<NtStatus>(),
        align: align_of::<NtStatus>(),
        kind: Kind::Flags {
            bits: &[
                Bits { name: "CODE", bit: 0, width: 16 },
                Bits { name: "FACILITY", bit: 16, width: 13 },
                Bits { name: "CUSTOMER", bit: 29, width: 1 },
                Bits { name: "SEVERITY", bit: 30, width: 2 },
            ],
        },
    };
}

/// A Linux error number, positive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($( $(#[$m:meta])* $name:ident = $value:literal; )*) => {
        impl Errno {
            $( $(#[$m])* pub const $name: Errno = Errno($value); )*

            /// The name of the error, if it is one the device uses.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $( $value => Some(stringify!($name)), )* _ => None }
            }
        }
    };
}

errnos! {
    /// Not supported (and not a matter of permission).
    EPERM = 1;
    /// Not known to the host.
    ENOENT = 2;
    /// Interrupted by a signal.
    EINTR = 4;
    /// Input/output error.
    EIO = 5;
    /// Not a descriptor, or not a handle of the host.
    EBADF = 9;
    /// The host's ring stayed full.
    EAGAIN = 11;
    /// Out of memory, address space or budget.
    ENOMEM = 12;
    /// Not allowed.
    EACCES = 13;
    /// A bad address.
    EFAULT = 14;
    /// Taken.
    EEXIST = 17;
    /// The adapter or device is gone.
    ENODEV = 19;
    /// A bad argument or handle, or a failure that has no errno.
    EINVAL = 22;
    /// Too many open files in the system.
    ENFILE = 23;
    /// Too many open files.
    EMFILE = 24;
    /// Not in this kernel, or another process's descriptor.
    ENOTTY = 25;
    /// Out of range.
    ERANGE = 34;
    /// Not implemented.
    ENOSYS = 38;
    /// The host failed a call that carries no status, or a buffer is too small.
    EOVERFLOW = 75;
    /// A handle of another kind.
    EPROTOTYPE = 91;
    /// An illegal instruction.
    EOPNOTSUPP = 95;
    /// The allocation is in use.
    EINPROGRESS = 115;
    /// No free descriptor for a shared object.
    ENOTRECOVERABLE = 131;
    /// Interrupted inside the kernel; seen by a client only as EINTR.
    ERESTARTSYS = 512;
}

impl core::fmt::Debug for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(self, f)
    }
}

/// The meaning of an ioctl result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// 0: done.
    Ok,
    /// 0x103: accepted, finished when a paging fence says so.
    Pending,
    /// Another positive status; a success.
    Status(NtStatus),
    /// −1..=−4095: a failure.
    Err(Errno),
    /// Below −4095: a failure status that reached the caller unmapped.
    RawStatus(NtStatus),
}

impl Ret {
    /// Sorts an ioctl result.
    pub const fn from_raw(raw: i32) -> Self {
        match raw {
            0 => Ret::Ok,
            0x103 => Ret::Pending,
            1.. => Ret::Status(NtStatus::from_raw(raw)),
            -4095..=-1 => Ret::Err(Errno(-raw)),
            i32::MIN..=-4096 => Ret::RawStatus(NtStatus::from_raw(raw)),
        }
    }

    /// The ioctl result with this meaning.
    pub const fn to_raw(self) -> i32 {
        match self {
            Ret::Ok => 0,
            Ret::Pending => NtStatus::PENDING.as_raw(),
            Ret::Status(status) | Ret::RawStatus(status) => status.as_raw(),
            Ret::Err(errno) => -errno.0,
        }
    }

    /// Whether it is a failure.
    pub const fn is_failure(self) -> bool {
        self.to_raw() < 0
    }
}

impl core::fmt::Display for Ret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Ret::Ok => f.write_str("0"),
            Ret::Pending => f.write_str("pending"),
            Ret::Status(status) => write!(f, "{status}"),
            Ret::Err(errno) => write!(f, "{errno}"),
            Ret::RawStatus(status) => write!(f, "raw {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_sort_and_round_trip() {
        for (raw, ret) in [
            (0, Ret::Ok),
            (0x103, Ret::Pending),
            (0x102, Ret::Status(NtStatus::TIMEOUT)),
            (-1, Ret::Err(Errno::EPERM)),
            (-4095, Ret::Err(Errno(4095))),
            (-4096, Ret::RawStatus(NtStatus(0xffff_f000))),
            (0xC000_000Du32 as i32, Ret::RawStatus(NtStatus::INVALID_PARAMETER)),
        ] {
            assert_eq!(Ret::from_raw(raw), ret);
            assert_eq!(ret.to_raw(), raw);
            assert_eq!(ret.is_failure(), raw < 0);
        }
    }

    #[test]
    fn statuses_map_as_the_guest_maps_them() {
        assert_eq!(NtStatus::PENDING.to_result(), 0x103);
        assert_eq!(NtStatus::TIMEOUT.to_result(), 0x102);
        assert_eq!(NtStatus::NOT_SUPPORTED.to_result(), -1);
        assert_eq!(NtStatus::DEVICE_REMOVED.to_result(), -19);
        assert_eq!(NtStatus::GRAPHICS_NO_VIDEO_MEMORY.to_result(), -22);
        assert_eq!(NtStatus::GRAPHICS_ALLOCATION_BUSY.to_result(), -115);
        assert_eq!(NtStatus(0xC0FF_EE00).to_result(), -22);
    }
}
