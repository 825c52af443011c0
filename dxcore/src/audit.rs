//! The library as an audit library of glibc (`LD_AUDIT=…/libdxcore.so`): a program, or a driver that it loads, that asks for
//! libdxcore under the path where WSL has it gets this file, without anything being put there. See rtld-audit(7).
//!
//! The linker keeps audit libraries apart from the program, so this copy does nothing else; the program's own is loaded when
//! it is asked for.

use std::ffi::{c_char, c_uint, CStr};
use std::sync::OnceLock;

/// Where drivers look.
const WSL_PATH: &CStr = c"/usr/lib/wsl/lib/libdxcore.so";

/// This file, as the linker knows it. The linker keeps the name as long as the library.
fn own_path() -> Option<&'static CStr> {
    static PATH: OnceLock<Option<&'static CStr>> = OnceLock::new();
    *PATH.get_or_init(|| {
        // SAFETY: all zeros is a valid value of the plain C structure.
        let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
        let here = la_version as *const libc::c_void;
        // SAFETY: the address is of this library, and there is room for the answer.
        let found = unsafe { libc::dladdr(here, &mut info) } != 0 && !info.dli_fname.is_null();
        // SAFETY: a string of the linker's that lives as long as this library, which is never unloaded.
        found.then(|| unsafe { CStr::from_ptr(info.dli_fname) })
    })
}

/// Says which version of the interface is spoken: the one that the linker offers, as nothing here differs between them.
#[no_mangle]
pub extern "C" fn la_version(offered: c_uint) -> c_uint {
    offered
}

/// Answers where to look for a library.
///
/// # Safety
/// `name` is a string.
#[no_mangle]
pub unsafe extern "C" fn la_objsearch(name: *const c_char, _cookie: *mut usize, _flag: c_uint) -> *const c_char {
    // SAFETY: the linker passes a string.
    if name.is_null() || unsafe { CStr::from_ptr(name) } != WSL_PATH {
        return name;
    }
    own_path().map_or(name, CStr::as_ptr)
}
