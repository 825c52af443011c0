//! What the tests share: a tiny GPU, nodes over the model, and a node that counts.

#![allow(dead_code)]

use dxg_abi::{Ioctl, Node};
use dxg_model::{ClockSample, Config, Engine, EngineFault, EngineType, Identity, Job, Model, NodeInfo};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use winsys_dxg::{Adapter, Backing, Device, DeviceDesc, Memory, MemoryDesc, Winsys, WinsysConfig};

/// Commands of the test GPU; each is four u64: code and three operands.
pub const FILL: u64 = 1;
pub const COPY: u64 = 2;
pub const SPIN: u64 = 3;
pub const SLEEP: u64 = 4;

#[derive(Debug)]
pub struct TestGpu {
    identity: Identity,
}

impl TestGpu {
    pub fn new() -> Arc<Self> {
        let identity = Identity {
            name: "Test GPU \u{e4}".to_owned(),
            vendor_id: 0x1af4,
            device_id: 0x4242,
            subvendor_id: 1,
            subsystem_id: 2,
            revision_id: 3,
            bus_type: 1,
            bus_address: (4, 5, 6),
            guid: [7; 16],
            wddm_version: 3000,
            va_bits: 47,
            nodes: vec![NodeInfo { engine_type: EngineType::OTHER, name: "compute".to_owned() }],
            dedicated_memory: 0,
            shared_memory: 1 << 30,
            hw_scheduling: true,
            software: true,
            umd_private: vec![5, 6, 7, 8],
        };
        Arc::new(Self { identity })
    }
}

fn read(address: u64, out: &mut [u8]) {
    // SAFETY: the callers have checked that the range is mapped.
    unsafe { std::ptr::copy(address as *const u8, out.as_mut_ptr(), out.len()) };
}

impl Engine for TestGpu {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn execute(&self, job: &Job<'_>) -> Result<(), EngineFault> {
        let access = |address, len, write| match job.space.first_fault(address, len, write) {
            Some(address) => Err(EngineFault::PageFault { address, write }),
            None => Ok(()),
        };
        for at in (0..u64::from(job.command_length) / 32 * 32).step_by(32) {
            let mut bytes = [0; 32];
            read(job.command_buffer + at, &mut bytes);
            let word = |i: usize| u64::from_le_bytes(bytes[i * 8..][..8].try_into().expect("eight bytes"));
            let (a, b, len) = (word(1), word(2), word(3));
            match word(0) {
                FILL => {
                    access(a, len, true)?;
                    // SAFETY: the range is mapped and writable, as just checked.
                    unsafe { std::ptr::write_bytes(a as *mut u8, b as u8, len as usize) };
                }
                COPY => {
                    access(b, len, false)?;
                    access(a, len, true)?;
                    // SAFETY: both ranges are mapped, as just checked.
                    unsafe { std::ptr::copy(b as *const u8, a as *mut u8, len as usize) };
                }
                SPIN => {
                    while !job.cancel.is_set() {
                        std::thread::yield_now();
                    }
                    return Err(EngineFault::Hang);
                }
                SLEEP => std::thread::sleep(std::time::Duration::from_micros(a.min(1_000_000))),
                _ => return Err(EngineFault::BadPacket { address: job.command_buffer + at, reason: "unknown" }),
            }
        }
        Ok(())
    }

    fn va_changed(&self, _start: u64, _size: u64) {}

    fn clock(&self) -> ClockSample {
        ClockSample { frequency: 1_000_000, gpu_counter: 77, cpu_counter: 88 }
    }
}

/// One command.
pub fn command(code: u64, a: u64, b: u64, c: u64) -> Vec<u8> {
    [code, a, b, c].iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// A model with a small address space.
pub fn model(config: Config) -> Arc<Model> {
    Model::new(Config { address_space: 1 << 34, ..config }, TestGpu::new()).expect("model")
}

/// Counts requests on their way.
#[derive(Debug)]
pub struct Counting {
    inner: Arc<dyn Node>,
    counts: Mutex<BTreeMap<&'static str, usize>>,
}

impl Counting {
    pub fn new(inner: Arc<dyn Node>) -> Arc<Self> {
        Arc::new(Self { inner, counts: Mutex::default() })
    }

    pub fn take(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut self.counts.lock().expect("counts"))
    }
}

impl Node for Counting {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        let name = Ioctl::from_request(request).map_or("?", Ioctl::name);
        *self.counts.lock().expect("counts").entry(name).or_default() += 1;
        self.inner.ioctl(request, arg)
    }
}

/// The one adapter of a node.
pub fn adapter(node: Arc<dyn Node>, config: WinsysConfig) -> Adapter {
    let mut adapters = Winsys::new(node, config).adapters().expect("adapters");
    assert_eq!(adapters.len(), 1);
    adapters.remove(0)
}

/// A device on the one adapter of a node.
pub fn device(node: Arc<dyn Node>, config: WinsysConfig) -> Device {
    Device::create(&adapter(node, config), &DeviceDesc::default()).expect("device")
}

/// Vendor data of the model's default kind: the size.
pub fn size_blob(size: u64) -> Vec<u8> {
    size.to_le_bytes().to_vec()
}

/// Memory that the driver makes and the CPU sees.
pub fn driver_memory(device: &Device, size: u64) -> Memory {
    let backing = Backing::Driver { describe: &size_blob, resource_data: &[], shared: false, cpu_access: true };
    Memory::create(device, &MemoryDesc { backing, ..MemoryDesc::host(size) }).expect("memory")
}

/// Host pages.
pub fn host_memory(device: &Device, size: u64) -> Memory {
    Memory::create(device, &MemoryDesc::host(size)).expect("memory")
}
