//! DXCore's objects: a factory, its lists of adapters, and adapters.
//!
//! An object is a table of functions and a counter, as COM has it; what it is stands behind the counter. Methods take the
//! object's address, and find nothing in a null one but an error.

mod adapter;
mod factory;
mod list;

use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{fence, AtomicU32, Ordering};

/// Result of a method; negative for a failure.
pub(crate) type HResult = i32;

/// Done.
pub(crate) const S_OK: HResult = 0;
/// No such interface.
pub(crate) const E_NOINTERFACE: HResult = 0x8000_4002_u32 as i32;
/// An address is missing.
pub(crate) const E_POINTER: HResult = 0x8000_4003_u32 as i32;
/// Failed, without a better word.
pub(crate) const E_FAIL: HResult = 0x8000_4005_u32 as i32;
/// A bad argument.
pub(crate) const E_INVALIDARG: HResult = 0x8007_0057_u32 as i32;
/// Not a thing to ask for.
pub(crate) const DXGI_ERROR_INVALID_CALL: HResult = 0x887a_0001_u32 as i32;
/// Not supported here.
pub(crate) const DXGI_ERROR_UNSUPPORTED: HResult = 0x887a_0004_u32 as i32;

/// A GUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Guid {
    a: u32,
    b: u16,
    c: u16,
    d: [u8; 8],
}

impl Guid {
    pub(crate) const fn new(a: u32, b: u16, c: u16, d: [u8; 8]) -> Self {
        Self { a, b, c, d }
    }
}

/// The interface of everything.
const IUNKNOWN: Guid = Guid::new(0, 0, 0, [0xc0, 0, 0, 0, 0, 0, 0, 0x46]);
/// The attribute of adapters that compute.
pub(crate) const CORE_COMPUTE: Guid =
    Guid::new(0x248e_2800, 0xa793, 0x4724, [0xab, 0xaa, 0x23, 0xa6, 0xde, 0x1b, 0xe0, 0x90]);
/// The attribute of adapters with a Direct3D 12 driver for graphics.
pub(crate) const D3D12_GRAPHICS: Guid =
    Guid::new(0x0c9e_ce4d, 0x2f6e, 0x4f01, [0x8c, 0x96, 0xe8, 0x9e, 0x33, 0x1b, 0x47, 0xb1]);

/// What an object is.
pub(crate) trait Class: Send + Sync + Sized + 'static {
    /// Its table of functions, which begins with those of [`Unknown`].
    type Table: Sync + 'static;
    /// Its interface.
    const INTERFACE: Guid;
    /// The one table of the class.
    const TABLE: &'static Self::Table;
}

/// The first functions of every table.
#[repr(C)]
pub(crate) struct Unknown {
    query_interface: unsafe extern "C" fn(*mut c_void, *const Guid, *mut *mut c_void) -> HResult,
    add_ref: unsafe extern "C" fn(*mut c_void) -> u32,
    release: unsafe extern "C" fn(*mut c_void) -> u32,
}

impl Unknown {
    /// For objects of a class.
    pub(crate) const fn of<C: Class>() -> Self {
        Self { query_interface: query_interface::<C>, add_ref: add_ref::<C>, release: release::<C> }
    }
}

/// An object.
#[repr(C)]
pub(crate) struct Object<C: Class> {
    table: &'static C::Table,
    count: AtomicU32,
    what: C,
}

impl<C: Class> Object<C> {
    /// Makes an object and gives it away under an interface.
    ///
    /// # Safety
    /// `interface` is null or a GUID, `out` null or room for an address.
    pub(crate) unsafe fn give(what: C, interface: *const Guid, out: *mut *mut c_void) -> HResult {
        let object = Box::into_raw(Box::new(Self { table: C::TABLE, count: AtomicU32::new(1), what }));
        // SAFETY: the object was just made; the rest is as the caller says.
        let result = unsafe { query_interface::<C>(object.cast(), interface, out) };
        // SAFETY: gives up the first reference; whoever asked has one of their own if there was no error.
        unsafe { release::<C>(object.cast()) };
        result
    }

    /// What an object is.
    ///
    /// # Safety
    /// `this` is null or an object of the class to which the caller has a reference.
    pub(crate) unsafe fn what<'a>(this: *mut c_void) -> Option<&'a C> {
        // SAFETY: as the caller says. The reference lives as long as the caller's, which outlasts the method.
        unsafe { this.cast::<Self>().as_ref() }.map(|object| &object.what)
    }
}

unsafe extern "C" fn query_interface<C: Class>(
    this: *mut c_void,
    interface: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    if this.is_null() || out.is_null() {
        return E_POINTER;
    }
    // SAFETY: `out` is room for an address, and `interface` a GUID if it is not null: the method's contract.
    let wanted = unsafe {
        out.write(std::ptr::null_mut());
        interface.cast::<[u8; 16]>().as_ref().map(|_| interface.read_unaligned())
    };
    match wanted {
        Some(g) if g == IUNKNOWN || g == C::INTERFACE => {
            // SAFETY: an object of the class, and room for its address.
            unsafe {
                add_ref::<C>(this);
                out.write(this);
            }
            S_OK
        }
        Some(_) => E_NOINTERFACE,
        None => E_POINTER,
    }
}

unsafe extern "C" fn add_ref<C: Class>(this: *mut c_void) -> u32 {
    // SAFETY: an object of the class, to which the caller has a reference.
    unsafe { this.cast::<Object<C>>().as_ref() }.map_or(0, |o| o.count.fetch_add(1, Ordering::Relaxed) + 1)
}

unsafe extern "C" fn release<C: Class>(this: *mut c_void) -> u32 {
    // SAFETY: an object of the class, to which the caller has a reference.
    let Some(object) = (unsafe { this.cast::<Object<C>>().as_ref() }) else { return 0 };
    let left = object.count.fetch_sub(1, Ordering::Release) - 1;
    if left == 0 {
        fence(Ordering::Acquire);
        // SAFETY: made by a box, and this was the last reference.
        let last = unsafe { Box::from_raw(this.cast::<Object<C>>()) };
        // A panic goes no further.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(last)));
    }
    left
}

/// Runs what a method does; a panic is this answer.
pub(crate) fn method<T>(otherwise: T, f: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or(otherwise)
}
