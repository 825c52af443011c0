//! Which build of the driver this is, so that no build takes kernels from another's cache.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The file this code was loaded from.
fn own_file() -> Option<PathBuf> {
    // SAFETY: all zeros is a valid value of this plain C structure.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    let here = own_file as fn() -> Option<PathBuf> as *const libc::c_void;
    // SAFETY: `info` is writable, and `here` is an address inside of this file's code.
    if unsafe { libc::dladdr(here, &mut info) } == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: on success the name is a C string that lives as long as the file stays loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

fn read() -> [u64; 4] {
    match own_file().and_then(|path| std::fs::metadata(path).ok()) {
        Some(meta) => [meta.len(), meta.mtime() as u64, meta.mtime_nsec() as u64, meta.ino()],
        // A build that cannot be told from others shares nothing with them, not even with its own next run.
        None => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            [u64::from(std::process::id()), now.as_secs(), u64::from(now.subsec_nanos()), 0]
        }
    }
}

/// Identity of the build: length, time and inode of the library's file.
pub fn build_id() -> [u64; 4] {
    static ID: OnceLock<[u64; 4]> = OnceLock::new();
    *ID.get_or_init(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_is_known() {
        let file = own_file().expect("own file");
        assert_eq!(build_id()[0], std::fs::metadata(file).expect("metadata").len());
        assert_eq!(build_id(), read());
    }
}
