//! Results: what the kernel says, as drivers expect to hear it.

use dxg_abi::{Errno, NtStatus, Ret};

/// The status for an errno. The kernel made the errno of a status of the host, and this goes back as far as it can be known;
/// the choices are those of the public libdxg, for which drivers are written.
fn of_errno(errno: Errno) -> NtStatus {
    match errno {
        Errno::EEXIST => NtStatus::OBJECT_NAME_COLLISION,
        Errno::ENOMEM => NtStatus::NO_MEMORY,
        Errno::EINVAL => NtStatus::INVALID_PARAMETER,
        Errno::ENOENT => NtStatus::OBJECT_NAME_INVALID,
        Errno::EAGAIN => NtStatus::TIMEOUT,
        Errno::EOVERFLOW => NtStatus::BUFFER_TOO_SMALL,
        Errno::ENODEV => NtStatus::DEVICE_REMOVED,
        Errno::EACCES => NtStatus::ACCESS_DENIED,
        Errno::ENOSYS | Errno::EPERM => NtStatus::NOT_SUPPORTED,
        Errno::EOPNOTSUPP => NtStatus::ILLEGAL_INSTRUCTION,
        Errno::EBADF => NtStatus::INVALID_HANDLE,
        Errno::EINPROGRESS => NtStatus::GRAPHICS_ALLOCATION_BUSY,
        Errno::EPROTOTYPE => NtStatus::OBJECT_TYPE_MISMATCH,
        // Numbers of the other side's making.
        Errno(_) => NtStatus::UNSUCCESSFUL,
    }
}

/// The status for the result of a request.
pub(crate) fn of_result(raw: i32) -> NtStatus {
    match Ret::from_raw(raw) {
        Ret::Ok => NtStatus::SUCCESS,
        Ret::Pending => NtStatus::PENDING,
        Ret::Status(status) | Ret::RawStatus(status) => status,
        Ret::Err(errno) => of_errno(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_come_back_from_what_the_kernel_makes_of_them() {
        for status in [
            NtStatus::SUCCESS,
            NtStatus::PENDING,
            NtStatus::NO_MEMORY,
            NtStatus::INVALID_PARAMETER,
            NtStatus::BUFFER_TOO_SMALL,
            NtStatus::DEVICE_REMOVED,
            NtStatus::ACCESS_DENIED,
            NtStatus::NOT_SUPPORTED,
            NtStatus::ILLEGAL_INSTRUCTION,
            NtStatus::INVALID_HANDLE,
            NtStatus::GRAPHICS_ALLOCATION_BUSY,
            NtStatus::OBJECT_TYPE_MISMATCH,
            NtStatus::OBJECT_NAME_COLLISION,
        ] {
            assert_eq!(of_result(status.to_result()), status);
        }
    }

    #[test]
    fn what_has_no_status_is_unsuccessful_and_raw_ones_pass() {
        assert_eq!(of_result(-Errno::ENOTTY.0), NtStatus::UNSUCCESSFUL);
        assert_eq!(of_result(-Errno::EFAULT.0), NtStatus::UNSUCCESSFUL);
        assert_eq!(of_result(NtStatus::INVALID_PARAMETER.as_raw()), NtStatus::INVALID_PARAMETER);
    }
}
