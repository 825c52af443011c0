//! The built library, opened as a driver opens it, on the model with the software GPU.

use dxg_abi::payload::{QueryRegistryInfo, QueryRegistryType};
use dxg_abi::*;
use libloading::Library;
use std::ffi::c_void;
use std::sync::OnceLock;
use zerocopy::{FromBytes, IntoBytes};

type Call = unsafe extern "C" fn(*mut c_void) -> i32;

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        std::env::set_var("VKDXG_NODE", "model");
        let exe = std::env::current_exe().expect("own path");
        let path = exe.parent().expect("folder").join("libdxcore.so");
        // SAFETY: the library has no initialisers with effects.
        unsafe { Library::new(path) }.expect("library")
    })
}

fn symbol<T: Copy>(name: &str) -> T {
    // SAFETY: every name in this file is given the type that the headers declare.
    unsafe { *library().get::<T>(name.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}")) }
}

/// One call.
fn call<T: IntoBytes + FromBytes>(name: &str, arg: &mut T) -> NtStatus {
    let f: Call = symbol(name);
    // SAFETY: the argument is the structure of the call, and what it points to is there.
    NtStatus::from_raw(unsafe { f(arg.as_mut_bytes().as_mut_ptr().cast()) })
}

fn done<T: IntoBytes + FromBytes>(name: &str, mut arg: T) -> T {
    assert_eq!(call(name, &mut arg), NtStatus::SUCCESS, "{name}");
    arg
}

// ---- DXCore --------------------------------------------------------------------------------

#[derive(Clone, Copy)]
#[repr(C)]
struct Guid(u32, u16, u16, [u8; 8]);

const FACTORY: Guid = Guid(0x78ee_5945, 0xc36e, 0x4b13, [0xa6, 0x69, 0x00, 0x5d, 0xd1, 0x1c, 0x0f, 0x06]);
const LIST: Guid = Guid(0x526c_7776, 0x40e9, 0x459b, [0xb7, 0x11, 0xf3, 0x2a, 0xd7, 0x6d, 0xfc, 0x28]);
const ADAPTER: Guid = Guid(0xf0db_4c7f, 0xfe5a, 0x42a2, [0xbd, 0x62, 0xf2, 0xa6, 0xcf, 0x6f, 0xc8, 0x3e]);
const COMPUTE: Guid = Guid(0x248e_2800, 0xa793, 0x4724, [0xab, 0xaa, 0x23, 0xa6, 0xde, 0x1b, 0xe0, 0x90]);
const GRAPHICS: Guid = Guid(0x0c9e_ce4d, 0x2f6e, 0x4f01, [0x8c, 0x96, 0xe8, 0x9e, 0x33, 0x1b, 0x47, 0xb1]);

const E_NOINTERFACE: i32 = 0x8000_4002_u32 as i32;
const E_INVALIDARG: i32 = 0x8007_0057_u32 as i32;
const INVALID_CALL: i32 = 0x887a_0001_u32 as i32;

/// A COM object of the library.
struct Com(*mut c_void);

impl Com {
    /// The method at a place of the table.
    fn method<F: Copy>(&self, index: usize) -> F {
        // SAFETY: an object begins with its table; each place below is given the type that the headers declare.
        unsafe { *(*self.0.cast::<*const F>()).add(index) }
    }
}

impl Drop for Com {
    fn drop(&mut self) {
        let release: unsafe extern "C" fn(*mut c_void) -> u32 = self.method(2);
        // SAFETY: gives up the one reference.
        unsafe { release(self.0) };
    }
}

fn factory() -> Com {
    let make: unsafe extern "C" fn(*const Guid, *mut *mut c_void) -> i32 = symbol("DXCoreCreateAdapterFactory");
    let mut out = std::ptr::null_mut();
    // SAFETY: a GUID and room for an address.
    assert_eq!(unsafe { make(&FACTORY, &mut out) }, 0);
    Com(out)
}

fn list(factory: &Com, attributes: &[Guid]) -> Com {
    type Create = unsafe extern "C" fn(*mut c_void, u32, *const Guid, *const Guid, *mut *mut c_void) -> i32;
    let mut out = std::ptr::null_mut();
    let create: Create = factory.method(3);
    // SAFETY: as many GUIDs, and room for an address.
    let result = unsafe { create(factory.0, attributes.len() as u32, attributes.as_ptr(), &LIST, &mut out) };
    assert_eq!(result, 0);
    Com(out)
}

fn count(list: &Com) -> u32 {
    let count: unsafe extern "C" fn(*mut c_void) -> u32 = list.method(4);
    // SAFETY: a list.
    unsafe { count(list.0) }
}

fn adapter(list: &Com, index: u32) -> Result<Com, i32> {
    type Get = unsafe extern "C" fn(*mut c_void, u32, *const Guid, *mut *mut c_void) -> i32;
    let mut out = std::ptr::null_mut();
    let get: Get = list.method(3);
    // SAFETY: a list and room for an address.
    match unsafe { get(list.0, index, &ADAPTER, &mut out) } {
        0 => Ok(Com(out)),
        error => Err(error),
    }
}

fn property(adapter: &Com, number: u32) -> Result<Vec<u8>, i32> {
    let size_of: unsafe extern "C" fn(*mut c_void, u32, *mut usize) -> i32 = adapter.method(7);
    let get: unsafe extern "C" fn(*mut c_void, u32, usize, *mut c_void) -> i32 = adapter.method(6);
    let mut size = 0;
    // SAFETY: an adapter and room for a number.
    match unsafe { size_of(adapter.0, number, &mut size) } {
        0 => {}
        error => return Err(error),
    }
    let mut bytes = vec![0u8; size];
    // SAFETY: an adapter and as much room; then too little, which is refused before anything is written.
    unsafe {
        assert_eq!(get(adapter.0, number, size, bytes.as_mut_ptr().cast()), 0);
        assert_eq!(get(adapter.0, number, size - 1, bytes.as_mut_ptr().cast()), E_INVALIDARG);
    }
    Ok(bytes)
}

#[test]
fn dxcore_lists_the_adapter_with_its_properties() {
    let factory = factory();
    let compute = list(&factory, &[COMPUTE]);
    assert_eq!(count(&compute), 1);
    // The software adapter has no Direct3D driver.
    assert_eq!(count(&list(&factory, &[COMPUTE, GRAPHICS])), 0);
    let stale: unsafe extern "C" fn(*mut c_void) -> bool = compute.method(5);
    // SAFETY: a list.
    assert!(!unsafe { stale(compute.0) });
    assert!(matches!(adapter(&compute, 1), Err(E_INVALIDARG)));
    let a = adapter(&compute, 0).expect("adapter");
    let description = property(&a, 2).expect("description");
    assert_eq!(description.last(), Some(&0));
    assert!(description.len() > 1);
    let ids = property(&a, 14).expect("ids");
    assert_eq!(ids.len(), 20);
    assert_eq!(property(&a, 11), Ok(vec![0]), "it is no hardware");
    assert_eq!(property(&a, 99), Err(INVALID_CALL));
    let luid = Luid::read_from_bytes(&property(&a, 0).expect("luid")[..]).expect("eight bytes");
    let opened = done("D3DKMTOpenAdapterFromLuid", OpenAdapterFromLuid { adapter_luid: luid, ..Default::default() });
    done("D3DKMTCloseAdapter", CloseAdapter { adapter_handle: opened.adapter_handle });
}

#[test]
fn com_objects_know_their_interfaces_and_count_references() {
    type Query = unsafe extern "C" fn(*mut c_void, *const Guid, *mut *mut c_void) -> i32;
    let f = factory();
    let query: Query = f.method(0);
    let add: unsafe extern "C" fn(*mut c_void) -> u32 = f.method(1);
    let release: unsafe extern "C" fn(*mut c_void) -> u32 = f.method(2);
    let mut out = std::ptr::null_mut();
    // SAFETY: an object, GUIDs and room for an address.
    unsafe {
        assert_eq!(query(f.0, &ADAPTER, &mut out), E_NOINTERFACE);
        assert!(out.is_null());
        assert_eq!(query(f.0, &FACTORY, &mut out), 0);
        assert_eq!(add(f.0), 3);
        assert_eq!(release(f.0), 2);
        assert_eq!(release(out), 1);
    }
}

// ---- D3DKMT --------------------------------------------------------------------------------

#[test]
fn null_arguments_are_refused() {
    for name in ["D3DKMTCreateDevice", "D3DKMTQueryAdapterInfo", "D3DKMTEnumAdapters3", "D3DKMTDestroyAllocation"] {
        let f: Call = symbol(name);
        // SAFETY: null is allowed.
        assert_eq!(NtStatus::from_raw(unsafe { f(std::ptr::null_mut()) }), NtStatus::INVALID_PARAMETER, "{name}");
    }
}

/// The adapter's handle, from the enumeration.
fn open() -> Handle {
    let mut infos = [AdapterInfo::default(); 4];
    let adapters = infos.as_mut_ptr() as u64;
    let e = done("D3DKMTEnumAdapters3", EnumAdapters3 { adapter_count: 4, adapters, ..Default::default() });
    assert_eq!(e.adapter_count, 1);
    infos[0].adapter_handle
}

#[test]
fn both_enumerations_say_the_same() {
    let first = open();
    let mut infos = [AdapterInfo::default(); 4];
    let adapters = infos.as_mut_ptr() as u64;
    let e = done("D3DKMTEnumAdapters2", EnumAdapters2 { num_adapters: 4, adapters, ..Default::default() });
    assert_eq!(e.num_adapters, 1);
    assert_ne!(infos[0].adapter_handle, first);
    for handle in [first, infos[0].adapter_handle] {
        done("D3DKMTCloseAdapter", CloseAdapter { adapter_handle: handle });
    }
    let mut closed = CloseAdapter { adapter_handle: first };
    assert_eq!(call("D3DKMTCloseAdapter", &mut closed), NtStatus::INVALID_PARAMETER);
}

#[test]
fn queries_answer_in_wide_characters() {
    let adapter = open();
    let query = |kind, data: &mut [u8]| {
        let mut arg = QueryAdapterInfo {
            adapter,
            r#type: kind,
            private_data: data.as_mut_ptr() as u64,
            private_data_size: data.len() as u32,
            ..Default::default()
        };
        call("D3DKMTQueryAdapterInfo", &mut arg)
    };
    let mut kind = [0; 4];
    assert_eq!(query(QueryAdapterInfoType::ADAPTERTYPE, &mut kind), NtStatus::SUCCESS);
    assert!(AdapterType(u32::from_le_bytes(kind)).contains(AdapterType::RENDER_SUPPORTED));
    let mut text = vec![0; 4 * 4096];
    assert_eq!(query(QueryAdapterInfoType::DRIVER_DESCRIPTION, &mut text), NtStatus::SUCCESS);
    let a = adapter_of_dxcore();
    let chars = text.chunks_exact(4).map(|c| c[0]).take_while(|c| *c != 0).chain([0]);
    assert_eq!(chars.collect::<Vec<u8>>(), property(&a, 2).expect("description"));
    // The wire's size is not the caller's.
    assert_eq!(query(QueryAdapterInfoType::DRIVER_DESCRIPTION, &mut text[..8192]), NtStatus::INVALID_PARAMETER);
    // A software adapter has no driver package.
    let mut registry = vec![0; size_of::<QueryRegistryInfo>() + 520];
    registry[0] = QueryRegistryType::DRIVERSTOREPATH.0 as u8;
    assert_eq!(query(QueryAdapterInfoType::QUERYREGISTRY, &mut registry), NtStatus::OBJECT_NAME_INVALID);
    done("D3DKMTCloseAdapter", CloseAdapter { adapter_handle: adapter });
}

fn adapter_of_dxcore() -> Com {
    adapter(&list(&factory(), &[COMPUTE]), 0).expect("adapter")
}

#[test]
fn a_device_has_memory_and_fences() {
    let adapter = open();
    let device = done("D3DKMTCreateDevice", CreateDevice { adapter, ..Default::default() }).device;
    assert!(!device.is_null());
    let paging = done("D3DKMTCreatePagingQueue", CreatePagingQueue { device, ..Default::default() });

    // The vendor data of this adapter is a size. Both record forms make the same.
    for name in ["D3DKMTCreateAllocation2", "D3DKMTCreateAllocation"] {
        let mut blob = 65536u64.to_le_bytes();
        let mut info =
            AllocationInfo2 { priv_drv_data: blob.as_mut_ptr() as u64, priv_drv_data_size: 8, ..Default::default() };
        let allocation_info = &raw mut info as u64;
        done(name, CreateAllocation { device, alloc_count: 1, allocation_info, ..Default::default() });
        let allocation = info.allocation;
        assert!(!allocation.is_null(), "{name}");
        let map = MapGpuVirtualAddress { paging_queue: paging.paging_queue, allocation, ..Default::default() };
        let map = done("D3DKMTMapGpuVirtualAddress", map);
        assert_ne!(map.virtual_address, 0);
        let locked = done("D3DKMTLock2", Lock2 { device, allocation, ..Default::default() });
        assert_ne!(locked.data, 0);
        // SAFETY: the allocation's bytes, locked for the CPU.
        unsafe { (locked.data as *mut u64).write(42) };
        done("D3DKMTUnlock2", Unlock2 { device, allocation });
        let list = [allocation];
        let allocations = list.as_ptr() as u64;
        match name {
            "D3DKMTCreateAllocation" => {
                let old: [u64; 3] = [u64::from(device.0), allocations, 1];
                done("D3DKMTDestroyAllocation", old);
            }
            _ => {
                let new = DestroyAllocation2 { device, allocations, alloc_count: 1, ..Default::default() };
                done("D3DKMTDestroyAllocation2", new);
            }
        }
    }

    let mut create = CreateSynchronizationObject2 { device, ..Default::default() };
    create.info.r#type = SynchronizationObjectType::MONITORED_FENCE;
    let create = done("D3DKMTCreateSynchronizationObject2", create);
    let (fence, value) = ([create.sync_object], [7u64]);
    let (objects, fence_values) = (fence.as_ptr() as u64, value.as_ptr() as u64);
    let signal =
        SignalSynchronizationObjectFromCpu { device, object_count: 1, objects, fence_values, ..Default::default() };
    done("D3DKMTSignalSynchronizationObjectFromCpu", signal);
    let wait =
        WaitForSynchronizationObjectFromCpu { device, object_count: 1, objects, fence_values, ..Default::default() };
    done("D3DKMTWaitForSynchronizationObjectFromCpu", wait);
    let page = create.info.monitored_fence().fence_cpu_virtual_address;
    // SAFETY: the fence's page, which lives as long as the fence.
    assert_eq!(unsafe { (page as *const u64).read_volatile() }, 7);

    // The old form makes a semaphore.
    let mut semaphore = [0u32; 19];
    (semaphore[0], semaphore[1]) = (device.0, SynchronizationObjectType::SEMAPHORE.0);
    (semaphore[2], semaphore[3]) = (4, 1);
    let semaphore = done("D3DKMTCreateSynchronizationObject", semaphore);
    assert_ne!(semaphore[18], 0);
    for sync_object in [Handle(semaphore[18]), create.sync_object] {
        done("D3DKMTDestroySynchronizationObject", DestroySynchronizationObject { sync_object });
    }
    done("D3DKMTDestroyPagingQueue", DestroyPagingQueue { paging_queue: paging.paging_queue });
    done("D3DKMTDestroyDevice", DestroyDevice { device });
    done("D3DKMTCloseAdapter", CloseAdapter { adapter_handle: adapter });
}

#[test]
fn what_is_not_there_says_so() {
    assert_eq!(call("D3DKMTPresent", &mut 0u64), NtStatus::NOT_SUPPORTED);
    assert_eq!(call("D3DKMTRender", &mut [0u64; 46]), NtStatus::UNSUCCESSFUL);
}
