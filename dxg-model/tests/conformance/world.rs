//! A world in which every ioctl can succeed, made afresh for each call.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use dxg_abi::zerocopy::IntoBytes;
use dxg_abi::*;
use dxg_model::{Config, Fault, Pending};

use crate::common::*;

/// How the model is set up.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    pub quirks: bool,
    pub asynchronous: bool,
    /// The host sends a status with adapter queries.
    pub query_status: bool,
    pub hw_queues: bool,
    /// Paging operations are pending.
    pub pending: bool,
    /// There is a compute-only adapter too.
    pub two: bool,
    /// There are more than 4 GiB of addresses.
    pub wide: bool,
    pub table_end: u8,
    /// Mistakes are made by themselves too, not only together.
    pub thorough: bool,
}

impl Mode {
    pub const USUAL: Mode = Mode {
        quirks: true,
        asynchronous: false,
        query_status: true,
        hw_queues: true,
        pending: false,
        two: false,
        wide: false,
        table_end: IOCTL_NR_MAX,
        thorough: false,
    };

    fn config(&self) -> Config {
        let (min, max) = (Duration::ZERO, Duration::from_micros(200));
        Config {
            quirks: self.quirks,
            asynchronous: self.asynchronous,
            query_status: self.query_status,
            hw_queues: self.hw_queues,
            pending: if self.pending { Pending::Always { min, max, seed: 7 } } else { Pending::Never },
            compute_only: self.two,
            table_end: self.table_end,
            budget: Some(512 << 10),
            address_space: if self.wide { 16 << 30 } else { 24 << 20 },
            ..config()
        }
    }
}

/// What is the matter with the process during a call.
#[derive(Clone, Copy)]
pub enum Condition {
    /// Signals arrive all the time.
    Signals,
    /// No descriptor is free.
    NoDescriptors,
}

pub const SHARED: SynchronizationObjectFlags = SynchronizationObjectFlags(3);
const ARENA: u64 = 16 << 10;

/// The objects of a world.
pub struct World {
    pub mode: Mode,
    pub rig: Rig,
    /// Another device.
    pub second: Handle,
    pub context: Handle,
    pub further: Handle,
    /// A context with hardware queues and one such queue; null where there are none.
    pub hw_context: Handle,
    pub hw: CreateHwQueue,
    pub fence: Fence,
    pub shared_fence: Fence,
    /// An older fence object.
    pub legacy: Handle,
    /// Memory of the model's, 64 KiB, mapped and resident; a command buffer.
    pub allocation: Handle,
    pub va: u64,
    /// Memory of the test's.
    pub user: Handle,
    pub user_pages: Pages,
    /// A resource of one allocation.
    pub resource: Handle,
    /// A handle that was given out and taken back.
    pub stale: Handle,
    pub event: Event,
    /// Memory that calls name.
    arena: Pages,
    used: u64,
    /// Where each piece of it is, and how long.
    buffers: Vec<(u64, u64)>,
    frozen: Vec<Pages>,
    /// Descriptors to be closed with the world.
    fds: Vec<OwnedFd>,
    /// Address space that nobody may touch.
    hole: Pages,
    /// What is the matter with the next call, to be put into force when everything is prepared.
    condition: Option<Condition>,
    refusal: Option<Fault>,
    stop: bool,
    full: bool,
    /// Handles that cases of a row want.
    pub spare: Vec<Handle>,
    /// Sends signals until it is set.
    calm: Option<(Arc<AtomicBool>, std::thread::JoinHandle<()>)>,
    /// Limit of descriptors to go back to.
    limit: Option<rustix::process::Rlimit>,
}

impl World {
    pub fn new(mode: Mode) -> Self {
        let rig = Rig::with(mode.config());
        let node = &rig.node;
        let second = ok(node, CreateDevice { adapter: rig.adapter, ..Default::default() }).device;
        let context = rig.context();
        let further = rig.context_with(CreateContextFlags::default(), 1);
        let (mut hw_context, mut hw) = (Handle::NULL, CreateHwQueue::default());
        if mode.hw_queues {
            hw_context = rig.context_with(CreateContextFlags::HW_QUEUE_SUPPORTED, 0);
            hw = ok(node, CreateHwQueue { context: hw_context, ..Default::default() });
        }
        let fence = rig.fence(3);
        let shared_fence = rig.fence_with(3, SHARED);
        let mut legacy = CreateSynchronizationObject2 { device: rig.device, ..Default::default() };
        legacy.info.r#type = SynchronizationObjectType::FENCE;
        let legacy = ok(node, legacy).sync_object;
        let (allocation, va) = rig.buffer(64 << 10);
        // Commands that store a word further on.
        rig.write(va, &[[STORE, va + 4096, 99]]);
        let user_pages = Pages::shared(64 << 10);
        let (user, resource) = rig.sysmem(&user_pages);
        let arena = Pages::private(ARENA);
        // Nothing is zero by chance.
        poke_bytes(arena.address, &vec![0xee; ARENA as usize]);
        let hole = Pages::private(64 << 10);
        // SAFETY: the pages were mapped a moment ago and nobody uses them.
        unsafe { libc::mprotect(hole.address as *mut libc::c_void, 64 << 10, libc::PROT_NONE) };
        let event = Event::new();
        let stale = rig.fence(0).handle;
        ok(node, DestroySynchronizationObject { sync_object: stale });
        Self {
            mode,
            second,
            context,
            further,
            hw_context,
            hw,
            fence,
            shared_fence,
            legacy,
            allocation,
            va,
            user,
            user_pages,
            resource,
            stale,
            event,
            arena,
            used: 0,
            buffers: Vec::new(),
            frozen: Vec::new(),
            fds: Vec::new(),
            hole,
            condition: None,
            refusal: None,
            stop: false,
            full: false,
            spare: Vec::new(),
            calm: None,
            limit: None,
            rig,
        }
    }

    /// Memory for a call, with some distance to what else is there.
    pub fn put(&mut self, bytes: &[u8]) -> u64 {
        let at = self.arena.address + self.used;
        self.used += (bytes.len() as u64).next_multiple_of(16) + 64;
        assert!(self.used <= ARENA);
        poke_bytes(at, bytes);
        self.buffers.push((at, bytes.len() as u64));
        at
    }

    /// A read-only copy of what starts at an address.
    pub fn frozen(&mut self, at: u64) -> u64 {
        let len = self.buffers.iter().find(|b| b.0 == at).map_or(0, |b| b.1);
        let pages = Pages::private(64 << 10);
        poke_bytes(pages.address, &peek_bytes(at, len));
        // SAFETY: the pages were mapped a moment ago and only this thread uses them.
        let r = unsafe { libc::mprotect(pages.address as *mut libc::c_void, 64 << 10, libc::PROT_READ) };
        assert_eq!(r, 0);
        self.frozen.push(pages);
        self.frozen.last().map_or(0, |p| p.address)
    }

    pub fn put_handles(&mut self, list: &[Handle]) -> u64 {
        self.put(list.as_bytes())
    }

    pub fn put_words(&mut self, list: &[u64]) -> u64 {
        self.put(list.as_bytes())
    }

    /// Memory to be written to.
    pub fn room(&mut self, len: u64) -> u64 {
        self.put(&vec![0xee; len as usize])
    }

    /// First address of what calls can name, and a copy of it.
    pub fn memory(&self) -> (u64, Vec<u8>) {
        (self.arena.address, peek_bytes(self.arena.address, ARENA))
    }

    /// Makes everything that calls name read-only, or writable again.
    pub fn protect(&self, on: bool) {
        let prot = if on { libc::PROT_READ } else { libc::PROT_READ | libc::PROT_WRITE };
        // SAFETY: the pages are the arena's, which only this thread uses.
        let r = unsafe { libc::mprotect(self.arena.address as *mut libc::c_void, ARENA as usize, prot) };
        assert_eq!(r, 0);
    }

    /// An address that cannot be read or written.
    pub fn nowhere(&self) -> u64 {
        self.hole.address
    }

    /// A good handle that does not belong into a field.
    pub fn of_another_type(&self, field: &str) -> Handle {
        match field {
            "device" => self.context,
            // Of a fence that has no object of its own.
            "adapter_handle" => self.context,
            "sync_object" | "objects[0]" | "monitored_fence" => self.rig.paging.paging_queue,
            _ => self.rig.device,
        }
    }

    /// An allocation whose size does not fit 32 bits.
    pub fn huge(&mut self) -> Handle {
        self.rig.memory(4 << 30)
    }

    /// Leaves no addresses to the call.
    pub fn exhaust(&mut self) {
        self.full = true;
    }

    /// Lets the host refuse the call.
    pub fn refuse(&mut self, ioctl: Ioctl, status: NtStatus) {
        self.refusal = Some(Fault::Refusal { ioctl, status });
    }

    /// Takes the adapter away.
    pub fn stop(&mut self) {
        self.stop = true;
    }

    /// Puts into force what was asked for.
    pub fn prepare(&mut self) {
        if std::mem::take(&mut self.full) {
            self.take_all();
        }
        if let Some(refusal) = self.refusal.take() {
            self.rig.node.inject(&refusal);
        }
        if std::mem::take(&mut self.stop) {
            self.rig.node.inject(&Fault::AdapterStop);
        }
    }

    /// Takes all addresses and all pages for fences.
    fn take_all(&mut self) {
        let node = &self.rig.node;
        let mut size = 32 << 20;
        while size >= GPU_VA_RESERVE_ALIGN {
            let mut a = ReserveGpuVirtualAddress { adapter: self.rig.adapter, size, ..Default::default() };
            if call(node, &mut a) != 0 {
                size /= 2;
            }
        }
        let mut a = CreateSynchronizationObject2 { device: self.second, ..Default::default() };
        a.info.r#type = SynchronizationObjectType::MONITORED_FENCE;
        while call(node, &mut a.clone()) == 0 {}
    }

    /// Keeps a descriptor until the world ends; its number.
    pub fn keep(&mut self, fd: OwnedFd) -> u64 {
        let number = fd.as_raw_fd() as u64;
        self.fds.push(fd);
        number
    }

    /// Shares an object.
    pub fn share(&mut self, object: Handle) -> u64 {
        let mut fd = 0u64;
        let a = ShareObjects {
            object_count: 1,
            objects: &raw const object as u64,
            shared_handle: &raw mut fd as u64,
            ..Default::default()
        };
        ok(&self.rig.node, a);
        // SAFETY: the descriptor was just made for us.
        self.keep(unsafe { OwnedFd::from_raw_fd(fd as i32) })
    }

    /// A descriptor of something else.
    pub fn foreign(&mut self) -> u64 {
        let (reader, _) = rustix::pipe::pipe().expect("pipe");
        self.keep(reader)
    }

    /// A shared resource of two allocations with 16 bytes of private data each, 7 of the runtime's and 3 of its own.
    pub fn shared_resource(&mut self, private: usize) -> Handle {
        let mut data = vec![0u8; private];
        if let Some(size) = data.get_mut(..8) {
            size.copy_from_slice(&8192u64.to_le_bytes());
        }
        let one = AllocationInfo2 {
            priv_drv_data: data.as_mut_ptr() as u64,
            priv_drv_data_size: private as u32,
            ..Default::default()
        };
        let mut info = [one; 2];
        let a = CreateAllocation {
            device: self.rig.device,
            alloc_count: 2,
            allocation_info: info.as_mut_ptr() as u64,
            private_runtime_data: b"runtime".as_ptr() as u64,
            private_runtime_data_size: 7,
            priv_drv_data: b"own".as_ptr() as u64,
            priv_drv_data_size: 3,
            flags: CreateAllocationFlags::CREATE_RESOURCE
                | CreateAllocationFlags::CREATE_SHARED
                | CreateAllocationFlags::NT_SECURITY_SHARING,
            ..Default::default()
        };
        ok(&self.rig.node, a).resource
    }

    /// A reservation of some addresses.
    pub fn reserve(&self, size: u64) -> u64 {
        let a = ReserveGpuVirtualAddress { adapter: self.rig.adapter, size, ..Default::default() };
        ok(&self.rig.node, a).virtual_address
    }

    /// Lets the next call be made under a condition of the whole process.
    pub fn under(&mut self, condition: Condition) {
        self.condition = Some(condition);
    }

    /// Puts the condition into force.
    pub fn arm(&mut self) {
        match self.condition.take() {
            Some(Condition::Signals) => self.disturb(),
            Some(Condition::NoDescriptors) => {
                use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
                let old = getrlimit(Resource::Nofile);
                self.limit = Some(old);
                setrlimit(Resource::Nofile, Rlimit { current: Some(0), maximum: old.maximum }).expect("limit");
            }
            None => {}
        }
    }

    /// Sends signals to this thread, whose handler does not ask for calls to be taken up again.
    fn disturb(&mut self) {
        extern "C" fn nothing(_: libc::c_int) {}
        // SAFETY: installs a handler that does nothing.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
            libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
        }
        let calm = Arc::new(AtomicBool::new(false));
        let stop = calm.clone();
        // SAFETY: names the calling thread, which outlives the other (joined in `calm`).
        let me = unsafe { libc::pthread_self() };
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(2));
                // SAFETY: as above.
                unsafe { libc::pthread_kill(me, libc::SIGUSR1) };
            }
        });
        self.calm = Some((calm, thread));
    }

    /// Ends what disturbs the process as a whole.
    pub fn calm(&mut self) {
        if let Some(limit) = self.limit.take() {
            rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("limit");
        }
        if let Some((calm, thread)) = self.calm.take() {
            calm.store(true, Ordering::Release);
            thread.join().expect("join");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.calm();
    }
}

/// Number of descriptors that are open.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}
