//! IDXCoreAdapter: properties of an adapter.

use super::{factory, list, method, Class, Guid, HResult, Object, Unknown};
use super::{DXGI_ERROR_INVALID_CALL, DXGI_ERROR_UNSUPPORTED, E_FAIL, E_INVALIDARG, E_POINTER, S_OK};
use crate::facts;
use dxg_abi::{AdapterType, MemorySegmentGroup};
use std::ffi::c_void;
use zerocopy::IntoBytes;

/// An adapter, as it was when it was asked for.
pub(crate) struct Adapter(pub(crate) facts::Adapter);

/// The state that can be asked for: budgets of memory.
const MEMORY_BUDGET: u32 = 1;

/// One property: its bytes, if the node tells.
type Property = fn(&facts::Adapter) -> Option<Vec<u8>>;

fn bit(adapter: &facts::Adapter, bit: AdapterType) -> Option<Vec<u8>> {
    Some(vec![u8::from(adapter.kind.contains(bit))])
}

fn words(list: &[u32]) -> Vec<u8> {
    list.as_bytes().to_vec()
}

fn description(a: &facts::Adapter) -> Option<Vec<u8>> {
    a.description.as_ref().map(|d| d.bytes().chain([0]).collect())
}

/// Subsystem and its vendor are one word here, as in the name of a PCI device.
fn hardware_id(a: &facts::Adapter) -> Option<Vec<u8>> {
    a.ids.map(|i| words(&[i.vendor_id, i.device_id, i.sub_system_id << 16 | i.sub_vendor_id, i.revision_id]))
}

fn hardware_id_parts(a: &facts::Adapter) -> Option<Vec<u8>> {
    a.ids.map(|i| words(&[i.vendor_id, i.device_id, i.sub_system_id, i.sub_vendor_id, i.revision_id]))
}

/// All properties, by number.
const PROPERTIES: [Property; 16] = [
    |a| Some(a.luid.as_bytes().to_vec()),
    |a| a.driver_version.map(|v| v.to_le_bytes().to_vec()),
    description,
    hardware_id,
    |a| a.wddm.map(|v| words(&[v])),
    |a| a.wddm12.map(|c| words(&[c.compute_preemption])),
    |a| a.wddm12.map(|c| words(&[c.graphics_preemption])),
    |a| a.memory.map(|m| m.dedicated_video_memory_size.to_le_bytes().to_vec()),
    |a| a.memory.map(|m| m.dedicated_system_memory_size.to_le_bytes().to_vec()),
    |a| a.memory.map(|m| m.shared_system_memory_size.to_le_bytes().to_vec()),
    |a| bit(a, AdapterType::ACG_SUPPORTED),
    |a| Some(vec![u8::from(!a.kind.contains(AdapterType::SOFTWARE_DEVICE))]),
    |a| bit(a, AdapterType::HYBRID_INTEGRATED),
    |a| bit(a, AdapterType::DETACHABLE),
    hardware_id_parts,
    |a| a.linked.map(|n| words(&[n])),
];

/// A property's bytes.
///
/// # Errors
/// When there is no such property, or the node does not tell it.
fn property(adapter: &Adapter, number: u32) -> Result<Vec<u8>, HResult> {
    let property = PROPERTIES.get(number as usize).ok_or(DXGI_ERROR_INVALID_CALL)?;
    property(&adapter.0).ok_or(DXGI_ERROR_UNSUPPORTED)
}

#[repr(C)]
pub(crate) struct Table {
    unknown: Unknown,
    is_valid: unsafe extern "C" fn(*mut c_void) -> bool,
    is_attribute_supported: unsafe extern "C" fn(*mut c_void, *const Guid) -> bool,
    is_property_supported: unsafe extern "C" fn(*mut c_void, u32) -> bool,
    get_property: unsafe extern "C" fn(*mut c_void, u32, usize, *mut c_void) -> HResult,
    get_property_size: unsafe extern "C" fn(*mut c_void, u32, *mut usize) -> HResult,
    is_query_state_supported: unsafe extern "C" fn(*mut c_void, u32) -> bool,
    query_state: unsafe extern "C" fn(*mut c_void, u32, usize, *const c_void, usize, *mut c_void) -> HResult,
    is_set_state_supported: unsafe extern "C" fn(*mut c_void, u32) -> bool,
    set_state: unsafe extern "C" fn(*mut c_void, u32, usize, *const c_void, usize, *const c_void) -> HResult,
    get_factory: unsafe extern "C" fn(*mut c_void, *const Guid, *mut *mut c_void) -> HResult,
}

impl Class for Adapter {
    type Table = Table;
    const INTERFACE: Guid = Guid::new(0xf0db_4c7f, 0xfe5a, 0x42a2, [0xbd, 0x62, 0xf2, 0xa6, 0xcf, 0x6f, 0xc8, 0x3e]);
    const TABLE: &'static Table = &Table {
        unknown: Unknown::of::<Self>(),
        is_valid,
        is_attribute_supported,
        is_property_supported,
        get_property,
        get_property_size,
        is_query_state_supported,
        query_state,
        is_set_state_supported,
        set_state,
        get_factory,
    };
}

unsafe extern "C" fn is_valid(this: *mut c_void) -> bool {
    // SAFETY: an adapter: the method's contract.
    method(false, || unsafe { Object::<Adapter>::what(this) }.is_some_and(|a| a.0.is_there()))
}

unsafe extern "C" fn is_attribute_supported(this: *mut c_void, attribute: *const Guid) -> bool {
    method(false, || {
        // SAFETY: an adapter: the method's contract.
        let Some(adapter) = (unsafe { Object::<Adapter>::what(this) }) else { return false };
        // SAFETY: a GUID: the method's contract.
        !attribute.is_null() && list::has(&adapter.0, &unsafe { attribute.read_unaligned() })
    })
}

unsafe extern "C" fn is_property_supported(this: *mut c_void, number: u32) -> bool {
    // SAFETY: an adapter: the method's contract.
    method(false, || unsafe { Object::<Adapter>::what(this) }.is_some_and(|a| property(a, number).is_ok()))
}

unsafe extern "C" fn get_property(this: *mut c_void, number: u32, size: usize, out: *mut c_void) -> HResult {
    method(E_FAIL, || {
        // SAFETY: an adapter: the method's contract.
        let Some(adapter) = (unsafe { Object::<Adapter>::what(this) }) else { return E_POINTER };
        if out.is_null() {
            return E_POINTER;
        }
        match property(adapter, number) {
            Ok(bytes) if size >= bytes.len() => {
                // SAFETY: there is as much room: the method's contract.
                unsafe { out.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
                S_OK
            }
            Ok(_) => E_INVALIDARG,
            Err(error) => error,
        }
    })
}

unsafe extern "C" fn get_property_size(this: *mut c_void, number: u32, out: *mut usize) -> HResult {
    method(E_FAIL, || {
        // SAFETY: an adapter: the method's contract.
        let Some(adapter) = (unsafe { Object::<Adapter>::what(this) }) else { return E_POINTER };
        if out.is_null() {
            return E_POINTER;
        }
        match property(adapter, number) {
            Ok(bytes) => {
                // SAFETY: room for a number: the method's contract.
                unsafe { out.write_unaligned(bytes.len()) };
                S_OK
            }
            Err(error) => error,
        }
    })
}

unsafe extern "C" fn is_query_state_supported(_this: *mut c_void, state: u32) -> bool {
    state == MEMORY_BUDGET
}

unsafe extern "C" fn query_state(
    this: *mut c_void,
    state: u32,
    input_size: usize,
    input: *const c_void,
    output_size: usize,
    output: *mut c_void,
) -> HResult {
    method(E_FAIL, || {
        // SAFETY: an adapter: the method's contract.
        let Some(adapter) = (unsafe { Object::<Adapter>::what(this) }) else { return E_POINTER };
        if state != MEMORY_BUDGET {
            return DXGI_ERROR_UNSUPPORTED;
        }
        if input.is_null() || output.is_null() {
            return E_POINTER;
        }
        // In: a node and a segment group. Out: four numbers.
        if input_size < 8 || output_size < 32 {
            return E_INVALIDARG;
        }
        // SAFETY: there are as many bytes: the method's contract.
        let [node, group] = unsafe { input.cast::<[u32; 2]>().read_unaligned() };
        if node != 0 || group > 1 {
            return E_INVALIDARG;
        }
        match adapter.0.budget(MemorySegmentGroup(group)) {
            Ok(m) => {
                let numbers = [m.budget, m.current_usage, m.available_for_reservation, m.current_reservation];
                // SAFETY: there is as much room: the method's contract.
                unsafe { output.cast::<[u64; 4]>().write_unaligned(numbers) };
                S_OK
            }
            Err(_) => E_FAIL,
        }
    })
}

unsafe extern "C" fn is_set_state_supported(_this: *mut c_void, _state: u32) -> bool {
    false
}

unsafe extern "C" fn set_state(
    _this: *mut c_void,
    _state: u32,
    _details_size: usize,
    _details: *const c_void,
    _size: usize,
    _data: *const c_void,
) -> HResult {
    DXGI_ERROR_UNSUPPORTED
}

unsafe extern "C" fn get_factory(_this: *mut c_void, interface: *const Guid, out: *mut *mut c_void) -> HResult {
    // SAFETY: as the method's contract says.
    method(E_FAIL, || unsafe { factory::give(interface, out) })
}

const _: () = assert!(size_of::<Table>() == 13 * size_of::<*const c_void>());
