//! `libwsl_compute_helper.so`, for the driver store of the model's Intel adapter.
//!
//! On a real machine the host's driver package brings this library along: Intel's open compute driver for WSL has private
//! structures of its own, the host's driver has others, and the library translates between them and a stream of tokens. The
//! private data of the model's adapter *are* streams of tokens, so nothing is left to translate: both directions copy.
//!
//! The functions and the form of the streams are what the open driver declares. Streams can be followed by zero words, which
//! are tokens that say nothing.

use std::ffi::c_void;

/// Structures, by number: their private form's size, bytes.
const SIZES: &[(u32, usize)] = &[
    (1, 4096),     // adapter information
    (7, 32 << 10), // an allocation
    (33, 4096),    // a context
    (48, 8192),    // a command buffer
    (135, 1024),   // division of the address space
];

/// Form of the private data: streams. (0 means that the host wants one of the structures raw.)
const VERSION: u64 = 1;

fn size(structure: u32) -> usize {
    SIZES.iter().find(|(s, _)| *s == structure).map_or(0, |(_, size)| *size)
}

/// Copies a stream and puts zeros behind it; false if there is no room or no structure.
///
/// # Safety
/// The addresses are null or those of as many bytes.
unsafe fn copy(structure: u32, to: *mut c_void, room: usize, from: *const c_void, bytes: usize) -> bool {
    if to.is_null() || from.is_null() || bytes > room || size(structure) == 0 {
        return false;
    }
    // SAFETY: as the caller says, and the bytes fit.
    unsafe {
        to.cast::<u8>().write_bytes(0, room);
        to.cast::<u8>().copy_from_nonoverlapping(from.cast(), bytes);
    }
    true
}

/// Size of a structure's private form, bytes; 0 for one that is not known.
#[no_mangle]
pub extern "C" fn getSizeRequiredForStruct(structure: u32) -> usize {
    size(structure)
}

/// Size of the stream that a structure's private form turns into, bytes.
#[no_mangle]
pub extern "C" fn getSizeRequiredForTokens(structure: u32) -> usize {
    size(structure)
}

/// Makes the private form of a stream.
///
/// # Safety
/// `to` is null or the address of `room` bytes; `begin` to `end` is a stream.
#[no_mangle]
pub unsafe extern "C" fn tokensToStruct(
    structure: u32,
    to: *mut c_void,
    room: usize,
    begin: *const c_void,
    end: *const c_void,
) -> bool {
    let bytes = (end as usize).checked_sub(begin as usize);
    // SAFETY: as the caller says.
    bytes.is_some_and(|bytes| unsafe { copy(structure, to, room, begin, bytes) })
}

/// Makes a stream of the private form.
///
/// # Safety
/// The addresses are null or those of as many bytes.
#[no_mangle]
pub unsafe extern "C" fn structToTokens(
    structure: u32,
    to: *mut c_void,
    room: usize,
    from: *const c_void,
    bytes: usize,
) -> bool {
    // SAFETY: as the caller says.
    unsafe { copy(structure, to, room, from, bytes) }
}

/// Ends the private form of a structure: it owns nothing.
#[no_mangle]
pub extern "C" fn destroyStructRepresentation(_structure: u32, _address: *mut c_void, _bytes: usize) {}

/// Which form the private data have.
#[no_mangle]
pub extern "C" fn getVersion() -> u64 {
    VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adapter_and_the_library_agree() {
        assert_eq!(getSizeRequiredForStruct(1), gpu_intel::engine::ADAPTER_INFO_BYTES);
    }

    #[test]
    fn streams_go_both_ways() {
        let stream = [0x0001_0005u32, 7];
        let mut private = vec![0xffu8; getSizeRequiredForStruct(135)];
        let range = stream.as_ptr_range();
        // SAFETY: a stream, and as much room as is said.
        let made = unsafe {
            let (to, room) = (private.as_mut_ptr().cast(), private.len());
            tokensToStruct(135, to, room, range.start.cast(), range.end.cast())
        };
        assert!(made);
        assert_eq!(private[..8], [5, 0, 1, 0, 7, 0, 0, 0]);
        assert!(private[8..].iter().all(|b| *b == 0));
        let mut back = [0u32; 2];
        // SAFETY: as many bytes as are said, which are too many for the room; then as many as fit.
        unsafe {
            let to: *mut c_void = back.as_mut_ptr().cast();
            assert!(!structToTokens(135, to, 8, private.as_ptr().cast(), 16));
            assert!(structToTokens(135, to, 8, private.as_ptr().cast(), 8));
            assert!(!structToTokens(2, to, 8, private.as_ptr().cast(), 8));
            assert!(!structToTokens(135, std::ptr::null_mut(), 8, private.as_ptr().cast(), 8));
        }
        assert_eq!(back, stream);
    }
}
