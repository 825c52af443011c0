//! What the tests of the model share: a tiny engine, calls by structure, and a rig that has gone
//! through the start of the minimal sequence.

#![allow(dead_code)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dxg_abi::zerocopy::IntoBytes;
use dxg_abi::*;
pub use dxg_model::Model;
use dxg_model::{
    AllocationDesc, ClockSample, Config, Engine, EngineFault, EngineType, Identity, Job, NodeInfo, Pending,
};

pub const EINVAL: i32 = -22;
pub const ENODEV: i32 = -19;
pub const ENOMEM: i32 = -12;
pub const ENOTTY: i32 = -25;
pub const EFAULT: i32 = -14;
pub const EINTR: i32 = -4;
pub const EOVERFLOW: i32 = -75;
pub const PENDING: i32 = 0x103;

/// Commands of the test engine; each is three u64: code and two operands.
pub const STORE: u64 = 1;
/// Stores and reports that a fence was written.
pub const FENCE: u64 = 2;
/// Sleeps for the first operand's microseconds.
pub const SLEEP: u64 = 3;
/// Runs until cancelled.
pub const SPIN: u64 = 4;
/// Panics.
pub const PANIC: u64 = 5;

#[derive(Debug)]
pub struct TestEngine {
    identity: Identity,
    pub runs: AtomicU64,
    pub log: Mutex<Vec<u64>>,
    pub changes: Mutex<Vec<(u64, u64)>>,
}

impl TestEngine {
    pub fn new() -> Arc<Self> {
        let node = |engine_type, name: &str| NodeInfo { engine_type, name: name.to_owned() };
        Arc::new(Self {
            identity: Identity {
                name: "Test GPU ä".to_owned(),
                vendor_id: 0x1af4,
                device_id: 0x1234,
                subvendor_id: 1,
                subsystem_id: 2,
                revision_id: 3,
                bus_type: 1,
                bus_address: (4, 5, 6),
                guid: [7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
                wddm_version: 3000,
                va_bits: 48,
                nodes: vec![node(EngineType::GRAPHICS, "compute"), node(EngineType::COPY, "copy")],
                dedicated_memory: 0,
                shared_memory: 1 << 30,
                hw_scheduling: true,
                software: true,
                umd_private: vec![1, 2, 3, 4, 5, 6, 7, 8],
            },
            runs: AtomicU64::new(0),
            log: Mutex::default(),
            changes: Mutex::default(),
        })
    }
}

/// Reads memory of this process.
pub fn peek(address: u64) -> u64 {
    // SAFETY: the tests pass addresses of live, aligned words, and other threads only store to
    // them atomically.
    unsafe { &*(address as *const AtomicU64) }.load(Ordering::Acquire)
}

/// Writes memory of this process.
pub fn poke(address: u64, value: u64) {
    // SAFETY: as for `peek`.
    unsafe { &*(address as *const AtomicU64) }.store(value, Ordering::Release);
}

/// Writes bytes into memory of this process.
pub fn poke_bytes(address: u64, bytes: &[u8]) {
    // SAFETY: as for `peek`, with room for all bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
}

/// Reads bytes of this process's memory.
pub fn peek_bytes(address: u64, len: u64) -> Vec<u8> {
    // SAFETY: as for `peek`, all bytes readable.
    unsafe { std::slice::from_raw_parts(address as *const u8, len as usize) }.to_vec()
}

impl Engine for TestEngine {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn execute(&self, job: &Job<'_>) -> Result<(), EngineFault> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        if let [tag, ..] = job.private_data {
            self.log.lock().unwrap().push(u64::from(*tag));
        }
        for at in (0..u64::from(job.command_length)).step_by(24) {
            let word = |i: u64| peek(job.command_buffer + at + i * 8);
            let (code, a, b) = (word(0), word(1), word(2));
            match code {
                STORE | FENCE => {
                    if let Some(address) = job.space.first_fault(a, 8, true) {
                        return Err(EngineFault::PageFault { address, write: true });
                    }
                    poke(a, b);
                    if code == FENCE {
                        job.space.fence_written(a);
                    }
                }
                SLEEP => std::thread::sleep(Duration::from_micros(a)),
                SPIN => {
                    while !job.cancel.is_set() {
                        std::thread::yield_now();
                    }
                    return Err(EngineFault::Hang);
                }
                PANIC => panic!("as asked"),
                _ => {
                    let address = job.command_buffer + at;
                    return Err(EngineFault::BadPacket { address, reason: "unknown code" });
                }
            }
        }
        Ok(())
    }

    fn va_changed(&self, start: u64, size: u64) {
        self.changes.lock().unwrap().push((start, size));
    }

    fn clock(&self) -> ClockSample {
        ClockSample { frequency: 1_000_000, gpu_counter: 77, cpu_counter: 88 }
    }

    /// Eight bytes are a size; nothing is one page. What follows comes back inverted.
    fn describe_allocation(&self, private_data: &mut [u8]) -> Option<AllocationDesc> {
        if private_data.is_empty() {
            return Some(AllocationDesc { size: 4096 });
        }
        let size = u64::from_le_bytes(private_data.get(..8)?.try_into().ok()?);
        private_data[8..].iter_mut().for_each(|b| *b = !*b);
        (size > 0).then_some(AllocationDesc { size })
    }

    fn escape(&self, data: &mut [u8]) -> bool {
        data.reverse();
        data.len() != 13
    }
}

/// One call.
pub fn call<T: Arg>(node: &Model, arg: &mut T) -> i32 {
    node.ioctl(T::IOCTL.request(), arg.as_mut_bytes())
}

/// One call that has to succeed at once.
#[track_caller]
pub fn ok<T: Arg>(node: &Model, mut arg: T) -> T {
    let r = call(node, &mut arg);
    assert_eq!(r, 0, "{arg:?}");
    arg
}

/// One call that has to fail and to leave its argument alone.
#[track_caller]
pub fn fails<T: Arg>(node: &Model, arg: T, with: i32) {
    let mut copy = arg;
    assert_eq!(call(node, &mut copy), with, "{arg:?}");
    assert_eq!(copy.as_bytes(), arg.as_bytes(), "a failed call wrote to its argument: {arg:?}");
}

/// Names of the fields of `T` that differ, `a.b` for nested ones.
pub fn differences<T: Arg>(before: &T, after: &T) -> Vec<String> {
    fn walk(ty: &layout::TypeLayout, at: usize, prefix: &str, a: &[u8], b: &[u8], out: &mut Vec<String>) {
        if let layout::Kind::Struct { fields, .. } = &ty.kind {
            for f in *fields {
                let (lo, hi) = (at + f.offset, at + f.offset + f.size);
                if a[lo..hi] != b[lo..hi] {
                    let name = format!("{prefix}{}", f.name);
                    let nested = matches!(f.ty.kind, layout::Kind::Struct { .. });
                    if nested && f.size == f.ty.size {
                        walk(f.ty, lo, &format!("{name}."), a, b, out);
                    } else {
                        out.push(name);
                    }
                }
            }
        }
    }
    let mut out = Vec::new();
    walk(T::IOCTL.layout(), 0, "", before.as_bytes(), after.as_bytes(), &mut out);
    out
}

/// Calls and returns which fields changed.
#[track_caller]
pub fn written<T: Arg>(node: &Model, arg: &mut T, want: i32) -> Vec<String> {
    let before = *arg;
    assert_eq!(call(node, arg), want, "{before:?}");
    differences(&before, arg)
}

/// Page-aligned memory of the test's own.
pub struct Pages {
    pub address: u64,
    pub size: u64,
}

impl Pages {
    /// Private anonymous memory, as malloc gives it.
    pub fn private(size: u64) -> Self {
        Self::map(size, libc::MAP_PRIVATE)
    }

    /// Memory that can have a second address.
    pub fn shared(size: u64) -> Self {
        Self::map(size, libc::MAP_SHARED)
    }

    fn map(size: u64, kind: i32) -> Self {
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let p = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size as usize,
                libc::PROT_READ | libc::PROT_WRITE,
                kind | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(p, libc::MAP_FAILED);
        Self { address: p as u64, size }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and the test is over.
        unsafe { libc::munmap(self.address as *mut libc::c_void, self.size as usize) };
    }
}

/// A configuration without anything slow.
pub fn config() -> Config {
    Config { address_space: 1 << 36, sync_files: true, ..Config::default() }
}

/// As `config`, with paging operations that take a while.
pub fn pending_config() -> Config {
    let (min, max) = (Duration::from_millis(1), Duration::from_millis(8));
    Config { pending: Pending::Always { min, max, seed: 42 }, ..config() }
}

/// A model with an adapter, a device and a paging queue.
pub struct Rig {
    pub node: Arc<Model>,
    pub engine: Arc<TestEngine>,
    pub adapter: Handle,
    pub luid: Luid,
    pub device: Handle,
    pub paging: CreatePagingQueue,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: Config) -> Self {
        let engine = TestEngine::new();
        let node = Model::new(config, engine.clone()).unwrap();
        let mut list = [AdapterInfo::default(); 4];
        let adapters = list.as_mut_bytes().as_mut_ptr() as u64;
        ok(&node, EnumAdapters2 { num_adapters: 4, adapters, ..Default::default() });
        let [info, ..] = list;
        let adapter = info.adapter_handle;
        let device = ok(&node, CreateDevice { adapter, ..Default::default() }).device;
        assert!(!device.is_null());
        let paging = ok(&node, CreatePagingQueue { device, ..Default::default() });
        Self { node, engine, adapter, luid: info.adapter_luid, device, paging }
    }

    /// Existing system memory as a standard allocation: allocation and resource.
    pub fn sysmem(&self, pages: &Pages) -> (Handle, Handle) {
        let mut info = [AllocationInfo2 { sysmem: pages.address, ..Default::default() }];
        let mut standard = CreateStandardAllocation {
            r#type: StandardAllocationType::EXISTINGHEAP,
            existing_heap_data: StandardAllocationExistingHeap { size: pages.size },
            ..Default::default()
        };
        let mut a = CreateAllocation {
            device: self.device,
            alloc_count: 1,
            allocation_info: info.as_mut_ptr() as u64,
            flags: CreateAllocationFlags::CREATE_RESOURCE
                | CreateAllocationFlags::STANDARD_ALLOCATION
                | CreateAllocationFlags::EXISTING_SYSMEM,
            ..Default::default()
        };
        a.set_standard_allocation(&raw mut standard as u64);
        let a = ok(&self.node, a);
        (info[0].allocation, a.resource)
    }

    /// Memory of the model's own, by private data.
    pub fn memory(&self, size: u64) -> Handle {
        let mut private = size.to_le_bytes();
        let mut info = [AllocationInfo2 {
            priv_drv_data: private.as_mut_ptr() as u64,
            priv_drv_data_size: 8,
            ..Default::default()
        }];
        ok(
            &self.node,
            CreateAllocation {
                device: self.device,
                alloc_count: 1,
                allocation_info: info.as_mut_ptr() as u64,
                ..Default::default()
            },
        );
        info[0].allocation
    }

    /// A standard allocation that every adapter can use.
    pub fn cross_adapter(&self, size: u64) -> Handle {
        let standard = CreateStandardAllocation {
            r#type: StandardAllocationType::CROSSADAPTER,
            existing_heap_data: StandardAllocationExistingHeap { size },
            ..Default::default()
        };
        let mut info = [AllocationInfo2::default()];
        let mut arg = CreateAllocation {
            device: self.device,
            alloc_count: 1,
            allocation_info: info.as_mut_ptr() as u64,
            flags: CreateAllocationFlags::STANDARD_ALLOCATION,
            ..Default::default()
        };
        arg.set_standard_allocation(&raw const standard as u64);
        ok(&self.node, arg);
        info[0].allocation
    }

    pub fn lock(&self, allocation: Handle) -> u64 {
        ok(&self.node, Lock2 { device: self.device, allocation, ..Default::default() }).data
    }

    /// Maps all of an allocation, for writing.
    pub fn map_call(&self, allocation: Handle, base: u64) -> MapGpuVirtualAddress {
        MapGpuVirtualAddress {
            paging_queue: self.paging.paging_queue,
            allocation,
            base_address: base,
            protection: GpuVaProtection::WRITE,
            ..Default::default()
        }
    }

    pub fn map(&self, allocation: Handle, base: u64) -> u64 {
        let mut a = self.map_call(allocation, base);
        let r = call(&self.node, &mut a);
        assert!(r == 0 || r == PENDING, "{r}");
        if r == PENDING {
            self.until(self.paging.fence_cpu_virtual_address, a.paging_fence_value);
        }
        a.virtual_address
    }

    pub fn make_resident_call(&self, list: &[Handle]) -> MakeResident {
        MakeResident {
            paging_queue: self.paging.paging_queue,
            alloc_count: list.len() as u32,
            allocation_list: list.as_ptr() as u64,
            ..Default::default()
        }
    }

    pub fn make_resident(&self, list: &[Handle]) {
        let mut a = self.make_resident_call(list);
        let r = call(&self.node, &mut a);
        assert!(r == 0 || r == PENDING, "{r}");
        if r == PENDING {
            self.until(self.paging.fence_cpu_virtual_address, a.paging_fence_value);
        }
    }

    /// Mapped and resident memory of the model's own: handle and address.
    pub fn buffer(&self, size: u64) -> (Handle, u64) {
        let allocation = self.memory(size);
        let va = self.map(allocation, 0);
        self.make_resident(&[allocation]);
        (allocation, va)
    }

    pub fn context(&self) -> Handle {
        self.context_with(CreateContextFlags::default(), 0)
    }

    pub fn context_with(&self, flags: CreateContextFlags, node_ordinal: u32) -> Handle {
        let client_hint = ClientHint::VULKAN;
        let device = self.device;
        ok(&self.node, CreateContextVirtual { device, flags, node_ordinal, client_hint, ..Default::default() }).context
    }

    pub fn hw_queue(&self) -> CreateHwQueue {
        let context = self.context_with(CreateContextFlags::HW_QUEUE_SUPPORTED, 0);
        ok(&self.node, CreateHwQueue { context, ..Default::default() })
    }

    pub fn fence(&self, initial: u64) -> Fence {
        self.fence_with(initial, SynchronizationObjectFlags::default())
    }

    pub fn fence_with(&self, initial: u64, flags: SynchronizationObjectFlags) -> Fence {
        self.fence_of(self.device, initial, flags)
    }

    /// A fence of another device.
    pub fn fence_in(&self, device: Handle) -> Fence {
        self.fence_of(device, 0, SynchronizationObjectFlags::default())
    }

    fn fence_of(&self, device: Handle, initial: u64, flags: SynchronizationObjectFlags) -> Fence {
        let mut a = CreateSynchronizationObject2 { device, ..Default::default() };
        a.info.r#type = SynchronizationObjectType::MONITORED_FENCE;
        a.info.flags = flags;
        a.info.set_monitored_fence(SyncMonitoredFence { initial_fence_value: initial, ..Default::default() });
        let a = ok(&self.node, a);
        let m = a.info.monitored_fence();
        Fence { handle: a.sync_object, cpu: m.fence_cpu_virtual_address, gpu: m.fence_gpu_virtual_address }
    }

    /// Puts commands into a buffer and returns their length.
    pub fn write(&self, at: u64, commands: &[[u64; 3]]) -> u32 {
        for (i, word) in commands.iter().flatten().enumerate() {
            poke(at + 8 * i as u64, *word);
        }
        size_of_val(commands) as u32
    }

    pub fn submit_call(&self, context: Handle, va: u64, length: u32) -> SubmitCommand {
        let mut a = SubmitCommand {
            command_buffer: va,
            command_length: length,
            broadcast_context_count: 1,
            ..Default::default()
        };
        a.broadcast_context[0] = context;
        a
    }

    pub fn submit(&self, context: Handle, va: u64, length: u32) {
        ok(&self.node, self.submit_call(context, va, length));
    }

    pub fn signal_gpu(&self, context: Handle, fence: Handle, value: u64) {
        ok(&self.node, gpu_signal(context, &[fence], &[value]));
    }

    pub fn wait_gpu(&self, context: Handle, fence: Handle, value: u64) {
        ok(&self.node, gpu_wait(context, &[fence], &[value]));
    }

    pub fn signal_cpu(&self, fence: Handle, value: u64) {
        ok(&self.node, cpu_signal(self.device, &[fence], &[value]));
    }

    /// Waits for a fence page to reach a value; gives up after ten seconds.
    #[track_caller]
    pub fn until(&self, page: u64, value: u64) {
        let start = Instant::now();
        while peek(page) < value {
            assert!(start.elapsed() < Duration::from_secs(10), "fence stuck at {}", peek(page));
            std::thread::yield_now();
        }
    }

    pub fn execution(&self) -> DeviceExecutionState {
        let state_type = DeviceStateType::EXECUTION;
        ok(&self.node, GetDeviceState { device: self.device, state_type, ..Default::default() }).execution_state()
    }

    pub fn page_fault(&self) -> DevicePageFaultState {
        let state_type = DeviceStateType::PAGE_FAULT;
        ok(&self.node, GetDeviceState { device: self.device, state_type, ..Default::default() }).page_fault_state()
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Fence {
    pub handle: Handle,
    pub cpu: u64,
    pub gpu: u64,
}

pub fn gpu_signal(context: Handle, fences: &[Handle], values: &[u64]) -> SignalSynchronizationObjectFromGpu {
    SignalSynchronizationObjectFromGpu {
        context,
        object_count: fences.len() as u32,
        objects: fences.as_ptr() as u64,
        monitored_fence_values: values.as_ptr() as u64,
        ..Default::default()
    }
}

pub fn gpu_wait(context: Handle, fences: &[Handle], values: &[u64]) -> WaitForSynchronizationObjectFromGpu {
    WaitForSynchronizationObjectFromGpu {
        context,
        object_count: fences.len() as u32,
        objects: fences.as_ptr() as u64,
        monitored_fence_values: values.as_ptr() as u64,
        ..Default::default()
    }
}

pub fn cpu_signal(device: Handle, fences: &[Handle], values: &[u64]) -> SignalSynchronizationObjectFromCpu {
    SignalSynchronizationObjectFromCpu {
        device,
        object_count: fences.len() as u32,
        objects: fences.as_ptr() as u64,
        fence_values: values.as_ptr() as u64,
        ..Default::default()
    }
}

pub fn cpu_wait(device: Handle, fences: &[Handle], values: &[u64], event: i32) -> WaitForSynchronizationObjectFromCpu {
    WaitForSynchronizationObjectFromCpu {
        device,
        object_count: fences.len() as u32,
        objects: fences.as_ptr() as u64,
        fence_values: values.as_ptr() as u64,
        async_event: event as u64,
        ..Default::default()
    }
}

/// An eventfd.
pub struct Event(pub std::os::fd::OwnedFd);

impl Event {
    pub fn new() -> Self {
        use rustix::event::{eventfd, EventfdFlags};
        Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap())
    }

    pub fn fd(&self) -> i32 {
        use std::os::fd::AsRawFd;
        self.0.as_raw_fd()
    }

    /// The count so far, which is reset.
    pub fn take(&self) -> u64 {
        let mut n = [0u8; 8];
        match rustix::io::read(&self.0, &mut n) {
            Ok(_) => u64::from_ne_bytes(n),
            Err(_) => 0,
        }
    }

    /// Waits for it to be raised.
    pub fn poll(&self, timeout: Duration) -> bool {
        use rustix::event::{poll, PollFd, PollFlags, Timespec};
        let time = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: i64::from(timeout.subsec_nanos()) };
        poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&time)) == Ok(1)
    }
}
