//! IDXCoreAdapterList: a snapshot, which can be sorted.

use super::{adapter::Adapter, factory, method, Class, Guid, HResult, Object, Unknown};
use super::{CORE_COMPUTE, D3D12_GRAPHICS, E_FAIL, E_INVALIDARG, E_POINTER, S_OK};
use crate::facts;
use dxg_abi::{AdapterType, Luid};
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

/// Adapters that had the wanted attributes when the list was made.
pub(crate) struct AdapterList {
    adapters: Mutex<Vec<facts::Adapter>>,
    /// Everything that was there then.
    all: Vec<Luid>,
}

/// Whether an adapter has an attribute. Direct3D 11 is not on WSL, and other attributes are not known.
pub(super) fn has(adapter: &facts::Adapter, attribute: &Guid) -> bool {
    if *attribute == CORE_COMPUTE {
        adapter.computes()
    } else {
        *attribute == D3D12_GRAPHICS && adapter.kind.contains(AdapterType::RENDER_SUPPORTED) && adapter.direct3d12
    }
}

/// The orders there are: whether an adapter comes first.
fn preference(kind: u32) -> Option<fn(&facts::Adapter) -> bool> {
    match kind {
        0 => Some(|a| !a.kind.contains(AdapterType::SOFTWARE_DEVICE)),
        1 => Some(|a| a.kind.contains(AdapterType::HYBRID_INTEGRATED)),
        2 => Some(|a| a.kind.contains(AdapterType::HYBRID_DISCRETE)),
        _ => None,
    }
}

impl AdapterList {
    pub(super) fn new(all: Vec<facts::Adapter>, attributes: &[Guid]) -> Self {
        let luids = all.iter().map(|a| a.luid).collect();
        let adapters = all.into_iter().filter(|a| attributes.iter().all(|g| has(a, g))).collect();
        Self { adapters: Mutex::new(adapters), all: luids }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Vec<facts::Adapter>) -> T) -> T {
        f(&mut self.adapters.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[repr(C)]
pub(crate) struct Table {
    unknown: Unknown,
    get_adapter: unsafe extern "C" fn(*mut c_void, u32, *const Guid, *mut *mut c_void) -> HResult,
    get_adapter_count: unsafe extern "C" fn(*mut c_void) -> u32,
    is_stale: unsafe extern "C" fn(*mut c_void) -> bool,
    get_factory: unsafe extern "C" fn(*mut c_void, *const Guid, *mut *mut c_void) -> HResult,
    sort: unsafe extern "C" fn(*mut c_void, u32, *const u32) -> HResult,
    is_adapter_preference_supported: unsafe extern "C" fn(*mut c_void, u32) -> bool,
}

impl Class for AdapterList {
    type Table = Table;
    const INTERFACE: Guid = Guid::new(0x526c_7776, 0x40e9, 0x459b, [0xb7, 0x11, 0xf3, 0x2a, 0xd7, 0x6d, 0xfc, 0x28]);
    const TABLE: &'static Table = &Table {
        unknown: Unknown::of::<Self>(),
        get_adapter,
        get_adapter_count,
        is_stale,
        get_factory,
        sort,
        is_adapter_preference_supported,
    };
}

unsafe extern "C" fn get_adapter(
    this: *mut c_void,
    index: u32,
    interface: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    method(E_FAIL, || {
        // SAFETY: a list: the method's contract.
        let Some(list) = (unsafe { Object::<AdapterList>::what(this) }) else { return E_POINTER };
        if out.is_null() {
            return E_POINTER;
        }
        // SAFETY: room for an address: the method's contract.
        unsafe { out.write(std::ptr::null_mut()) };
        match list.with(|l| l.get(index as usize).cloned()) {
            // SAFETY: as the method's contract says.
            Some(adapter) => unsafe { Object::give(Adapter(adapter), interface, out) },
            None => E_INVALIDARG,
        }
    })
}

unsafe extern "C" fn get_adapter_count(this: *mut c_void) -> u32 {
    // SAFETY: a list: the method's contract.
    method(0, || unsafe { Object::<AdapterList>::what(this) }.map_or(0, |l| l.with(|l| l.len() as u32)))
}

unsafe extern "C" fn is_stale(this: *mut c_void) -> bool {
    // SAFETY: a list: the method's contract.
    method(true, || unsafe { Object::<AdapterList>::what(this) }.is_none_or(|l| l.all != facts::luids()))
}

unsafe extern "C" fn get_factory(_this: *mut c_void, interface: *const Guid, out: *mut *mut c_void) -> HResult {
    // SAFETY: as the method's contract says.
    method(E_FAIL, || unsafe { factory::give(interface, out) })
}

unsafe extern "C" fn sort(this: *mut c_void, count: u32, preferences: *const u32) -> HResult {
    method(E_FAIL, || {
        // SAFETY: a list: the method's contract.
        let Some(list) = (unsafe { Object::<AdapterList>::what(this) }) else { return E_POINTER };
        if count == 0 || preferences.is_null() {
            return E_INVALIDARG;
        }
        // SAFETY: there are as many numbers: the method's contract.
        let wanted = (0..count as usize).map(|i| preference(unsafe { preferences.add(i).read_unaligned() }));
        let Some(wanted) = wanted.collect::<Option<Vec<_>>>() else { return E_INVALIDARG };
        // What is not first by any of them stays in the node's order.
        list.with(|l| l.sort_by_key(|a| wanted.iter().map(|first| !first(a)).collect::<Vec<_>>()));
        S_OK
    })
}

unsafe extern "C" fn is_adapter_preference_supported(_this: *mut c_void, kind: u32) -> bool {
    preference(kind).is_some()
}

const _: () = assert!(size_of::<Table>() == 9 * size_of::<*const c_void>());
