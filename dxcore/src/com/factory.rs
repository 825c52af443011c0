//! IDXCoreAdapterFactory.

use super::adapter::Adapter;
use super::list::AdapterList;
use super::{method, Class, Guid, HResult, Object, Unknown, E_FAIL, E_INVALIDARG, E_POINTER};
use crate::facts;
use dxg_abi::Luid;
use std::ffi::c_void;

/// A factory knows nothing: it asks the node.
pub(crate) struct Factory;

#[repr(C)]
pub(crate) struct Table {
    unknown: Unknown,
    create_adapter_list: unsafe extern "C" fn(*mut c_void, u32, *const Guid, *const Guid, *mut *mut c_void) -> HResult,
    get_adapter_by_luid: unsafe extern "C" fn(*mut c_void, *const Luid, *const Guid, *mut *mut c_void) -> HResult,
    is_notification_type_supported: unsafe extern "C" fn(*mut c_void, u32) -> bool,
    register_event_notification:
        unsafe extern "C" fn(*mut c_void, *mut c_void, u32, *mut c_void, *mut c_void, *mut u32) -> HResult,
    unregister_event_notification: unsafe extern "C" fn(*mut c_void, u32) -> HResult,
}

impl Class for Factory {
    type Table = Table;
    const INTERFACE: Guid = Guid::new(0x78ee_5945, 0xc36e, 0x4b13, [0xa6, 0x69, 0x00, 0x5d, 0xd1, 0x1c, 0x0f, 0x06]);
    const TABLE: &'static Table = &Table {
        unknown: Unknown::of::<Self>(),
        create_adapter_list,
        get_adapter_by_luid,
        is_notification_type_supported,
        register_event_notification,
        unregister_event_notification,
    };
}

unsafe extern "C" fn create_adapter_list(
    _this: *mut c_void,
    count: u32,
    attributes: *const Guid,
    interface: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    method(E_FAIL, || {
        if out.is_null() {
            return E_POINTER;
        }
        // SAFETY: room for an address: the method's contract.
        unsafe { out.write(std::ptr::null_mut()) };
        if count == 0 || attributes.is_null() {
            return E_INVALIDARG;
        }
        // SAFETY: there are as many GUIDs: the method's contract.
        let wanted: Vec<Guid> = (0..count as usize).map(|i| unsafe { attributes.add(i).read_unaligned() }).collect();
        let Ok(all) = facts::adapters() else { return E_FAIL };
        // SAFETY: as the method's contract says.
        unsafe { Object::give(AdapterList::new(all, &wanted), interface, out) }
    })
}

unsafe extern "C" fn get_adapter_by_luid(
    _this: *mut c_void,
    luid: *const Luid,
    interface: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    method(E_FAIL, || {
        if out.is_null() || luid.is_null() {
            return E_POINTER;
        }
        // SAFETY: room for an address, and a LUID: the method's contract.
        let luid = unsafe {
            out.write(std::ptr::null_mut());
            luid.read_unaligned()
        };
        match facts::adapter(luid) {
            // SAFETY: as the method's contract says.
            Some(adapter) => unsafe { Object::give(Adapter(adapter), interface, out) },
            None => E_INVALIDARG,
        }
    })
}

unsafe extern "C" fn is_notification_type_supported(_this: *mut c_void, _kind: u32) -> bool {
    // The device has no notifications.
    false
}

unsafe extern "C" fn register_event_notification(
    _this: *mut c_void,
    _object: *mut c_void,
    _kind: u32,
    _callback: *mut c_void,
    _context: *mut c_void,
    cookie: *mut u32,
) -> HResult {
    if !cookie.is_null() {
        // SAFETY: room for a number: the method's contract.
        unsafe { cookie.write(0) };
    }
    super::DXGI_ERROR_INVALID_CALL
}

unsafe extern "C" fn unregister_event_notification(_this: *mut c_void, _cookie: u32) -> HResult {
    // None was ever given out.
    E_INVALIDARG
}

/// Gives a factory away.
///
/// # Safety
/// As for [`Object::give`].
pub(super) unsafe fn give(interface: *const Guid, out: *mut *mut c_void) -> HResult {
    // SAFETY: as the caller says.
    unsafe { Object::give(Factory, interface, out) }
}

/// Makes a factory.
///
/// # Safety
/// `interface` is null or a GUID, `out` null or room for an address.
#[no_mangle]
pub unsafe extern "C" fn DXCoreCreateAdapterFactory(interface: *const c_void, out: *mut *mut c_void) -> i32 {
    // SAFETY: as the caller says.
    method(E_FAIL, || unsafe { give(interface.cast(), out) })
}

const _: () = assert!(size_of::<Table>() == 8 * size_of::<*const c_void>());
