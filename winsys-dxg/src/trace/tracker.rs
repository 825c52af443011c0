//! Follows the requests of a client: which allocations the CPU sees and where, which fences there
//! are, and which of their values the GPU has yet to reach.

use super::format::Buffer;
use super::snapshot::Source;
use crate::sys::{FencePage, View};
use dxg_abi::zerocopy::FromBytes;
use dxg_abi::*;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// An allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tracked {
    device: Handle,
    resource: Handle,
    /// Bytes; 0 while unknown.
    pub(crate) size: u64,
    sysmem: u64,
    /// Address and number of locks.
    locked: Option<(u64, u32)>,
}

impl Tracked {
    /// Where the content is, if the CPU sees it.
    pub(crate) fn source(&self) -> Option<Source> {
        if self.size == 0 {
            return None;
        }
        if self.sysmem != 0 {
            return Some(Source::Process(self.sysmem));
        }
        let (address, _) = self.locked?;
        // SAFETY: the node mapped the allocation and keeps it so until the last unlock or its
        // end; `forget` drops the entry before either is passed on.
        unsafe { View::new(address, self.size) }.map(Source::Mapped)
    }
}

#[derive(Debug)]
struct TrackedFence {
    device: Handle,
    /// Context or hardware queue whose end it shares.
    queue: Handle,
    page: Option<FencePage>,
    /// Whether the host moves it on its own (paging fences).
    by_host: bool,
}

/// Whether the GPU is done with what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Yes.
    Idle,
    /// No: commands were given whose end nothing signals yet.
    Unsignalled,
    /// No: it waits for something that nobody has promised yet, or takes too long.
    Waiting,
}

/// State of the client as its requests tell it.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    allocations: HashMap<Handle, Tracked>,
    fences: HashMap<Handle, TrackedFence>,
    devices: HashMap<Handle, Handle>,
    contexts: HashMap<Handle, Handle>,
    /// Progress fence of each hardware queue.
    progress: HashMap<Handle, Handle>,
    unsignalled: HashSet<Handle>,
    pending: Vec<(Handle, u64)>,
    waits: Vec<(Handle, u64)>,
}

/// The argument as its structure. Lengths were checked against the table.
pub(crate) fn decode<A: Arg>(bytes: &[u8]) -> A {
    A::read_from_prefix(bytes).map_or_else(|_| A::default(), |(arg, _)| arg)
}

pub(crate) fn list<T: FromBytes>(buffers: &[Buffer], pointer: u8, after: bool) -> Vec<T> {
    let Some(b) = buffers.iter().find(|b| b.pointer == pointer && b.nested == 0) else { return Vec::new() };
    let bytes = if after { b.after() } else { &b.before };
    bytes.chunks_exact(size_of::<T>()).filter_map(|c| T::read_from_bytes(c).ok()).collect()
}

pub(crate) fn points(buffers: &[Buffer], objects: u8, values: u8) -> Vec<(Handle, u64)> {
    list::<Handle>(buffers, objects, false).into_iter().zip(list::<u64>(buffers, values, false)).collect()
}

impl Tracker {
    /// The allocations.
    pub(crate) fn allocations(&self) -> impl Iterator<Item = (Handle, &Tracked)> {
        self.allocations.iter().map(|(h, a)| (*h, a))
    }

    /// One allocation.
    pub(crate) fn allocation(&self, handle: Handle) -> Option<&Tracked> {
        self.allocations.get(&handle)
    }

    fn add_fence(&mut self, handle: Handle, device: Handle, queue: Handle, address: u64, by_host: bool) {
        // SAFETY: the node mapped the page with the object and keeps it so until the object's
        // end; `forget` drops the entry before that is passed on.
        let page = unsafe { FencePage::new(address) };
        self.fences.insert(handle, TrackedFence { device, queue, page, by_host });
    }

    /// Takes note of a request that succeeded. `buffers` hold what was passed and came back.
    pub(crate) fn observe(&mut self, ioctl: Ioctl, before: &[u8], after: &[u8], buffers: &[Buffer]) {
        match ioctl {
            Ioctl::CreateDevice => {
                let a: CreateDevice = decode(after);
                self.devices.insert(a.device, a.adapter);
            }
            Ioctl::CreateContextVirtual => {
                let a: CreateContextVirtual = decode(after);
                self.contexts.insert(a.context, a.device);
            }
            Ioctl::CreatePagingQueue => {
                let a: CreatePagingQueue = decode(after);
                self.add_fence(a.sync_object, a.device, a.paging_queue, a.fence_cpu_virtual_address, true);
            }
            Ioctl::CreateHwQueue => {
                let a: CreateHwQueue = decode(after);
                let device = self.contexts.get(&a.context).copied().unwrap_or_default();
                self.add_fence(a.queue_progress_fence, device, a.queue, a.queue_progress_fence_cpu_va, false);
                self.progress.insert(a.queue, a.queue_progress_fence);
            }
            Ioctl::CreateSynchronizationObject2 => {
                let a: CreateSynchronizationObject2 = decode(after);
                if a.info.r#type == SynchronizationObjectType::MONITORED_FENCE {
                    let address = a.info.monitored_fence().fence_cpu_virtual_address;
                    self.add_fence(a.sync_object, a.device, Handle::NULL, address, false);
                }
            }
            Ioctl::OpenSyncObjectFromNtHandle2 => {
                let a: OpenSyncObjectFromNtHandle2 = decode(after);
                let address = a.monitored_fence.fence_value_cpu_va;
                self.add_fence(a.sync_object, a.device, Handle::NULL, address, false);
            }
            Ioctl::OpenSyncObjectFromSyncFile => {
                let a: OpenSyncObjectFromSyncFile = decode(after);
                self.add_fence(a.syncobj, a.device, Handle::NULL, a.fence_value_cpu_va, false);
            }
            Ioctl::CreateAllocation => {
                let (passed, a): (CreateAllocation, CreateAllocation) = (decode(before), decode(after));
                let heap = if passed.flags.contains(CreateAllocationFlags::STANDARD_ALLOCATION) {
                    list::<CreateStandardAllocation>(buffers, 2, false).first().map_or(0, |s| s.existing_heap_data.size)
                } else {
                    0
                };
                for info in list::<AllocationInfo2>(buffers, 3, true) {
                    self.allocations.insert(
                        info.allocation,
                        Tracked {
                            device: a.device,
                            resource: a.resource,
                            size: heap,
                            sysmem: info.sysmem,
                            locked: None,
                        },
                    );
                }
            }
            Ioctl::OpenResourceFromNtHandle => {
                let a: OpenResourceFromNtHandle = decode(after);
                for info in list::<OpenAllocationInfo2>(buffers, 0, true) {
                    let (device, resource) = (a.device, a.resource);
                    let tracked = Tracked { device, resource, size: 0, sysmem: 0, locked: None };
                    self.allocations.insert(info.allocation, tracked);
                }
            }
            // The node has checked the extent of this mapping by now. Batches of address
            // operations are checked later, so nothing is learnt from those.
            Ioctl::MapGpuVirtualAddress => {
                let a: MapGpuVirtualAddress = decode(after);
                let pages = a.offset_in_pages.saturating_add(a.size_in_pages);
                self.grow(a.allocation, pages.saturating_mul(PAGE_SIZE));
            }
            Ioctl::Lock2 => {
                let a: Lock2 = decode(after);
                if let Some(t) = self.allocations.get_mut(&a.allocation) {
                    let count = t.locked.map_or(0, |(_, n)| n);
                    t.locked = Some((a.data, count + 1));
                }
            }
            Ioctl::SubmitCommand => {
                let a: SubmitCommand = decode(before);
                let n = (a.broadcast_context_count as usize).min(a.broadcast_context.len());
                self.unsignalled.extend(&a.broadcast_context[..n]);
            }
            Ioctl::SubmitCommandToHwQueue => {
                let a: SubmitCommandToHwQueue = decode(before);
                if let Some(fence) = self.progress.get(&a.hwqueue) {
                    self.pending.push((*fence, a.hwqueue_progress_fence_id));
                }
            }
            Ioctl::UpdateGpuVirtualAddress => {
                let a: UpdateGpuVirtualAddress = decode(before);
                self.pending.push((a.fence_object, a.fence_value.saturating_add(1)));
            }
            Ioctl::SignalSynchronizationObjectFromGpu => {
                let a: SignalSynchronizationObjectFromGpu = decode(before);
                self.unsignalled.remove(&a.context);
                self.pending.extend(points(buffers, 0, 1));
            }
            Ioctl::SignalSynchronizationObjectFromGpu2 => {
                for context in list::<Handle>(buffers, 1, false) {
                    self.unsignalled.remove(&context);
                }
                self.pending.extend(points(buffers, 0, 2));
            }
            Ioctl::SubmitSignalSyncObjectsToHwQueue => self.pending.extend(points(buffers, 1, 2)),
            Ioctl::WaitForSynchronizationObjectFromGpu | Ioctl::SubmitWaitForSyncObjectsToHwQueue => {
                self.waits.extend(points(buffers, 0, 1));
            }
            _ => {}
        }
    }

    fn grow(&mut self, allocation: Handle, size: u64) {
        if let Some(t) = self.allocations.get_mut(&allocation) {
            t.size = t.size.max(size);
        }
    }

    /// The allocations a request takes the CPU's view of away from, if it succeeds.
    pub(crate) fn ending(&self, ioctl: Ioctl, before: &[u8], buffers: &[Buffer]) -> Vec<Handle> {
        match ioctl {
            Ioctl::DestroyAllocation2 => {
                let a: DestroyAllocation2 = decode(before);
                if a.resource.is_null() {
                    list::<Handle>(buffers, 0, false)
                } else {
                    self.where_(|t| t.resource == a.resource && t.device == a.device)
                }
            }
            Ioctl::Unlock2 => {
                let a: Unlock2 = decode(before);
                let last = self.allocations.get(&a.allocation).and_then(|t| t.locked).is_some_and(|(_, n)| n == 1);
                if last {
                    vec![a.allocation]
                } else {
                    Vec::new()
                }
            }
            Ioctl::DestroyDevice => {
                let a: DestroyDevice = decode(before);
                self.where_(|t| t.device == a.device)
            }
            Ioctl::CloseAdapter => {
                let a: CloseAdapter = decode(before);
                self.where_(|t| self.devices.get(&t.device) == Some(&a.adapter_handle))
            }
            _ => Vec::new(),
        }
    }

    fn where_(&self, f: impl Fn(&Tracked) -> bool) -> Vec<Handle> {
        self.allocations.iter().filter(|(_, t)| f(t)).map(|(h, _)| *h).collect()
    }

    /// Forgets what a request is about to destroy. To be called before it is passed on: addresses
    /// are not read afterwards.
    pub(crate) fn forget(&mut self, ioctl: Ioctl, before: &[u8], buffers: &[Buffer]) {
        let ending = self.ending(ioctl, before, buffers);
        match ioctl {
            Ioctl::Unlock2 => {
                let a: Unlock2 = decode(before);
                if let Some(t) = self.allocations.get_mut(&a.allocation) {
                    t.locked = t.locked.and_then(|(at, n)| (n > 1).then_some((at, n - 1)));
                }
                return;
            }
            Ioctl::DestroySynchronizationObject => {
                let a: DestroySynchronizationObject = decode(before);
                self.fences.remove(&a.sync_object);
            }
            Ioctl::DestroyPagingQueue => {
                let a: DestroyPagingQueue = decode(before);
                self.fences.retain(|_, f| f.queue != a.paging_queue);
            }
            Ioctl::DestroyHwQueue => {
                let a: DestroyHwQueue = decode(before);
                self.fences.retain(|_, f| f.queue != a.queue);
                self.progress.remove(&a.queue);
            }
            Ioctl::DestroyContext => {
                let a: DestroyContext = decode(before);
                // Its hardware queues go too; which they are is not followed, so all of the
                // device's are let go.
                let device = self.contexts.remove(&a.context);
                self.unsignalled.remove(&a.context);
                let progress: HashSet<Handle> = self.progress.values().copied().collect();
                self.fences.retain(|h, f| Some(f.device) != device || !progress.contains(h));
            }
            Ioctl::DestroyDevice => {
                let a: DestroyDevice = decode(before);
                self.drop_device(a.device);
            }
            Ioctl::CloseAdapter => {
                let a: CloseAdapter = decode(before);
                let gone: Vec<Handle> =
                    self.devices.iter().filter(|(_, on)| **on == a.adapter_handle).map(|(d, _)| *d).collect();
                gone.into_iter().for_each(|d| self.drop_device(d));
            }
            _ => {}
        }
        for handle in ending {
            self.allocations.remove(&handle);
        }
        let fences = &self.fences;
        self.pending.retain(|(f, _)| fences.contains_key(f));
        self.waits.retain(|(f, _)| fences.contains_key(f));
    }

    fn drop_device(&mut self, device: Handle) {
        self.devices.remove(&device);
        self.fences.retain(|_, f| f.device != device);
        let gone: HashSet<Handle> = self.contexts.iter().filter(|(_, d)| **d == device).map(|(c, _)| *c).collect();
        self.unsignalled.retain(|c| !gone.contains(c));
        self.contexts.retain(|_, d| *d != device);
    }

    fn reached(&self, point: &(Handle, u64)) -> bool {
        match self.fences.get(&point.0).and_then(|f| f.page.as_ref()) {
            Some(page) => page.value() >= point.1,
            // A fence that is not known cannot be waited for.
            None => true,
        }
    }

    /// Whether the GPU waits for a value that no queued signal will bring.
    fn blocked(&self) -> bool {
        self.waits.iter().any(|w| {
            let by_host = self.fences.get(&w.0).is_some_and(|f| f.by_host);
            !by_host && !self.reached(w) && !self.pending.iter().any(|p| p.0 == w.0 && p.1 >= w.1)
        })
    }

    /// Waits until the GPU is done with what is known of, at most `limit`.
    pub(crate) fn settle(&mut self, limit: Duration) -> Settled {
        let start = Instant::now();
        loop {
            let mut pending = std::mem::take(&mut self.pending);
            pending.retain(|p| !self.reached(p));
            self.pending = pending;
            let mut waits = std::mem::take(&mut self.waits);
            waits.retain(|w| !self.reached(w));
            self.waits = waits;
            if self.pending.is_empty() {
                return if self.unsignalled.is_empty() { Settled::Idle } else { Settled::Unsignalled };
            }
            let waited = start.elapsed();
            if self.blocked() || waited >= limit {
                return Settled::Waiting;
            }
            if waited > Duration::from_micros(100) {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    }

    /// Whether the host moves a fence on its own, so that its values are not the client's.
    pub(crate) fn is_by_host(&self, fence: Handle) -> bool {
        self.fences.get(&fence).is_some_and(|f| f.by_host)
    }

    /// The fence of a paging queue.
    pub(crate) fn paging_fence(&self, queue: Handle) -> Option<Handle> {
        self.fences.iter().find(|(_, f)| f.by_host && f.queue == queue).map(|(h, _)| *h)
    }

    /// Waits until one fence has a value, at most `limit`. An unknown fence has every value.
    pub(crate) fn wait_for(&self, point: (Handle, u64), limit: Duration) -> bool {
        let start = Instant::now();
        while !self.reached(&point) {
            if start.elapsed() >= limit {
                return false;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        true
    }
}
