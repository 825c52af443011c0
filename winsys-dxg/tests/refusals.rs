//! What the objects make of a node that answers badly.

mod common;

use dxg_abi::payload::{QueryRegistryInfo, QueryRegistryStatus, QueryRegistryType, QUERY_REGISTRY_OUTPUT_OFFSET};
use dxg_abi::zerocopy::{FromBytes, IntoBytes};
use dxg_abi::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use winsys_dxg::*;

/// A node that answers each request with a fixed result, or by a function.
#[derive(Default)]
struct Fake {
    results: BTreeMap<&'static str, i32>,
    fence: Option<Box<u64>>,
    early: bool,
    store: &'static str,
    calls: Mutex<Vec<&'static str>>,
    adapters: Mutex<Vec<u32>>,
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

fn edit<A: Arg>(arg: &mut [u8], f: impl FnOnce(&mut A)) {
    let mut value = A::read_from_bytes(arg).expect("argument of the right size");
    f(&mut value);
    arg.copy_from_slice(value.as_bytes());
}

impl Node for Fake {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        let ioctl = Ioctl::from_request(request).expect("a request of the table");
        assert_eq!(arg.len(), ioctl.arg_size());
        self.calls.lock().expect("calls").push(ioctl.name());
        if let Some(result) = self.results.get(ioctl.name()) {
            return *result;
        }
        let page = self.fence.as_deref().map_or(0, |f| &raw const *f as u64);
        match ioctl {
            Ioctl::EnumAdapters2 => {
                // Each listing finds as many as the script says, one after the other.
                let mut script = self.adapters.lock().expect("adapters");
                let total = script.first().copied().unwrap_or(1);
                let mut result = 0;
                edit::<EnumAdapters2>(arg, |a| {
                    if a.adapters == 0 {
                        a.num_adapters = total;
                        if script.len() > 1 {
                            script.remove(0);
                        }
                    } else if a.num_adapters < total {
                        result = -Errno::EOVERFLOW.0;
                    } else {
                        for i in 0..total {
                            let info = AdapterInfo { adapter_handle: Handle(i + 1), ..Default::default() };
                            // SAFETY: the caller has room for as many entries as it says.
                            unsafe { (a.adapters as *mut AdapterInfo).add(i as usize).write_unaligned(info) };
                        }
                        a.num_adapters = total;
                    }
                });
                return result;
            }
            Ioctl::CreateDevice => edit::<CreateDevice>(arg, |a| a.device = Handle(64)),
            Ioctl::CreatePagingQueue => edit::<CreatePagingQueue>(arg, |a| {
                a.paging_queue = Handle(128);
                a.sync_object = Handle(192);
                a.fence_cpu_virtual_address = page;
            }),
            Ioctl::CreateSynchronizationObject2 => edit::<CreateSynchronizationObject2>(arg, |a| {
                a.sync_object = Handle(256);
                let mut m = a.info.monitored_fence();
                m.fence_cpu_virtual_address = page;
                a.info.set_monitored_fence(m);
            }),
            Ioctl::QueryAdapterInfo => edit::<QueryAdapterInfo>(arg, |a| {
                let head = size_of::<QueryRegistryInfo>();
                // SAFETY: the caller has room for as many bytes as it says.
                let data =
                    unsafe { std::slice::from_raw_parts_mut(a.private_data as *mut u8, a.private_data_size as usize) };
                let (mut info, _) = QueryRegistryInfo::read_from_prefix(data).expect("a registry query");
                assert_eq!(info.query_type, QueryRegistryType::DRIVERSTOREPATH);
                let text: Vec<u8> = self.store.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
                info.output_value_size = text.len() as u32;
                info.status = if data.len() < head + text.len() {
                    QueryRegistryStatus::BUFFER_OVERFLOW
                } else {
                    QueryRegistryStatus::SUCCESS
                };
                data[..head].copy_from_slice(info.as_bytes());
                if info.status == QueryRegistryStatus::SUCCESS {
                    data[QUERY_REGISTRY_OUTPUT_OFFSET..][..text.len()].copy_from_slice(&text);
                }
            }),
            Ioctl::GetDeviceState => edit::<GetDeviceState>(arg, |a| {
                a.set_execution_state(DeviceExecutionState::ACTIVE);
            }),
            Ioctl::WaitForSynchronizationObjectFromCpu if self.early => {
                edit::<WaitForSynchronizationObjectFromCpu>(arg, |a| {
                    // SAFETY: the caller's eventfd, open during the request.
                    unsafe { libc::eventfd_write(a.async_event as i32, 1) };
                });
            }
            _ => {}
        }
        0
    }
}

impl Fake {
    fn with_fence(value: u64) -> Self {
        Self { fence: Some(Box::new(value)), ..Default::default() }
    }

    fn answering(mut self, name: &'static str, result: i32) -> Self {
        self.results.insert(name, result);
        self
    }

    fn device(self) -> (Arc<Self>, Result<Device>) {
        let node = Arc::new(self);
        let config = WinsysConfig { lost_check: Duration::from_millis(5), ..Default::default() };
        let mut adapters = Winsys::new(node.clone(), config).adapters().expect("adapters");
        (node, Device::create(&adapters.remove(0), &DeviceDesc::default()))
    }
}

#[test]
fn every_kind_of_result_is_sorted() {
    for (raw, kind) in [
        (-25, ErrorKind::NotSupported),
        (-1, ErrorKind::NotSupported),
        (-12, ErrorKind::NoMemory),
        (-19, ErrorKind::DeviceLost),
        (-22, ErrorKind::Invalid),
        (-75, ErrorKind::Refused),
        (-131, ErrorKind::NoDescriptors),
        (-115, ErrorKind::Busy),
        (0xC000_000Du32 as i32, ErrorKind::Invalid),
        (0xC000_0017u32 as i32, ErrorKind::NoMemory),
        (-5, ErrorKind::Other),
    ] {
        let (_, device) = Fake::with_fence(0).answering("CreateDevice", raw).device();
        let e = device.expect_err("refused");
        assert_eq!(e.kind(), kind, "{raw}");
        assert_eq!(e.ioctl, Some(Ioctl::CreateDevice));
        assert!(e.to_string().starts_with("CreateDevice: "), "{e}");
    }
    for positive in [0x102, 0x103, 1] {
        let (_, device) = Fake::with_fence(0).answering("SetContextSchedulingPriority", positive).device();
        assert!(device.is_ok());
    }
}

#[test]
fn success_without_an_output_is_a_refusal() {
    // The request reports success but leaves the handle at zero.
    let (_, device) = Fake::with_fence(0).answering("CreateDevice", 0).device();
    assert_eq!(device.expect_err("no handle").cause, Cause::NoOutput);
    let (node, device) = Fake::with_fence(0).answering("CreatePagingQueue", 0).device();
    assert_eq!(device.expect_err("no queue").kind(), ErrorKind::Refused);
    assert!(node.calls.lock().expect("calls").contains(&"DestroyDevice"), "the device is not leaked");
    let (_, device) = Fake::with_fence(0).answering("CreateContextVirtual", 0).device();
    let e = Context::create(&device.expect("device"), &ContextDesc::default(), false).expect_err("no context");
    assert_eq!(e.cause, Cause::NoOutput);
}

#[test]
fn a_fence_without_a_page_is_not_kept() {
    let node = Fake::default();
    let (_, device) = node.device();
    // Without a page the paging queue is refused already.
    assert_eq!(device.expect_err("no page").cause, Cause::NoOutput);
}

#[test]
fn a_growing_list_of_adapters_is_asked_for_again() {
    let node = Arc::new(Fake { adapters: Mutex::new(vec![1, 2, 2]), ..Fake::with_fence(0) });
    let adapters = Winsys::new(node.clone(), WinsysConfig::default()).adapters().expect("adapters");
    assert_eq!(adapters.len(), 2);
    drop(adapters);
    let closed = node.calls.lock().expect("calls").iter().filter(|c| **c == "CloseAdapter").count();
    assert_eq!(closed, 2);
    // One that never settles is an error, not a loop.
    let growing: Vec<u32> = (1..60).collect();
    let node = Arc::new(Fake { adapters: Mutex::new(growing), ..Fake::with_fence(0) });
    let e = Winsys::new(node, WinsysConfig::default()).adapters().expect_err("never settles");
    assert_eq!(e.kind(), ErrorKind::Refused);
    let none = Arc::new(Fake { adapters: Mutex::new(vec![0]), ..Fake::with_fence(0) });
    assert!(Winsys::new(none, WinsysConfig::default()).adapters().expect("none").is_empty());
}

#[test]
fn an_event_that_comes_too_early_is_no_answer() {
    let (node, device) = Fake { early: true, ..Fake::with_fence(0) }.device();
    let device = device.expect("device");
    let fence = Fence::create(&device, &FenceDesc::default()).expect("fence");
    let out = fence.wait(1, Some(Duration::from_millis(50))).expect("wait");
    assert_eq!(out, WaitOutcome::TimedOut);
    assert!(node.calls.lock().expect("calls").contains(&"WaitForSynchronizationObjectFromCpu"));
}

#[test]
fn all_ones_is_a_lost_device() {
    let (_, device) = Fake::with_fence(u64::MAX).device();
    let device = device.expect("device");
    let fence = Fence::create(&device, &FenceDesc::default()).expect("fence");
    assert_eq!(fence.wait(5, None).expect_err("lost").kind(), ErrorKind::DeviceLost);
    assert!(device.is_lost());
    assert!(fence.is_reached(5).is_err());
}

#[test]
fn a_lost_device_ends_a_wait_whose_fence_stays() {
    let state = -Errno::ENODEV.0;
    let (_, device) = Fake::with_fence(0).answering("GetDeviceState", state).device();
    let device = device.expect("device");
    let fence = Fence::create(&device, &FenceDesc::default()).expect("fence");
    assert_eq!(fence.wait(5, None).expect_err("lost").kind(), ErrorKind::DeviceLost);
}

#[test]
fn oversized_private_data_stays_here() {
    let (node, device) = Fake::with_fence(0).device();
    let device = device.expect("device");
    node.calls.lock().expect("calls").clear();
    let blob = vec![0; 128_000];
    let desc = ContextDesc { private_data: &blob, ..Default::default() };
    assert_eq!(Context::create(&device, &desc, false).expect_err("too large").kind(), ErrorKind::Invalid);
    assert!(node.calls.lock().expect("calls").is_empty());
}

#[test]
fn the_driver_store_path_takes_two_questions() {
    let path = r"C:\Windows\System32\DriverStore\FileRepository\vendor.inf_amd64_0011223344556677";
    for store in [path, "short"] {
        let (_, device) = Fake { store, ..Fake::with_fence(0) }.device();
        let device = device.expect("device");
        assert_eq!(device.adapter().driver_store_path().expect("path"), store);
    }
}
