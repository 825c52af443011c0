//! A node that answers out of a recording.

use super::buffers::places;
use super::format::{IoctlRecord, Record, Trace};
use super::prescan;
use super::tracker::{decode, list, points};
use crate::sys::{raise_event, Pages, ProcessMemory};
use dxg_abi::zerocopy::IntoBytes;
use dxg_abi::*;
use rustix::event::{eventfd, EventfdFlags};
use std::collections::hash_map::{Entry, HashMap};
use std::io;
use std::os::fd::IntoRawFd;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

/// Memory that the CPU sees behind an allocation.
#[derive(Debug)]
struct Cpu {
    address: u64,
    /// Ours, for a locked allocation; the client's own otherwise.
    pages: Option<Pages>,
    locks: u32,
}

#[derive(Debug, Default)]
struct State {
    next: usize,
    mismatch: Option<String>,
    fences: HashMap<Handle, Pages>,
    /// Fence of each paging and hardware queue.
    queues: HashMap<Handle, Handle>,
    cpu: HashMap<Handle, Cpu>,
    /// Size of each live allocation.
    sizes: HashMap<Handle, u64>,
}

/// A node that answers a client's requests with the recorded results, without any device.
///
/// The client has to make the same requests in the same order as when recorded, from whatever
/// thread; anything else is answered EINVAL, and [`Replay::mismatch`] says what was expected. Work
/// is done at once: a signal that is queued is a signal given, and what the GPU
/// wrote appears in the client's memory. Descriptors are stand-ins without function.
#[derive(Debug)]
pub struct Replay {
    trace: Trace,
    sizes: prescan::Sizes,
    memory: ProcessMemory,
    state: Mutex<State>,
}

impl Replay {
    /// Answers out of this recording, from its start.
    ///
    /// # Errors
    /// That of opening the process's own memory.
    pub fn new(trace: Trace) -> io::Result<Self> {
        let sizes = prescan::sizes(&trace);
        Ok(Self { trace, sizes, memory: ProcessMemory::open()?, state: Mutex::default() })
    }

    /// What went wrong, if a request was not the expected one.
    pub fn mismatch(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).mismatch.clone()
    }

    fn answer(&self, state: &mut State, at: usize, r: &IoctlRecord, arg: &mut [u8]) -> Result<(), Errno> {
        let Some(ioctl) = Ioctl::from_request(r.request).filter(|i| arg.len() >= i.arg_size()) else {
            return Ok(());
        };
        if r.before.len() < ioctl.arg_size() || r.after.len() < ioctl.arg_size() {
            return Err(Errno::EINVAL);
        }
        let client = arg[..ioctl.arg_size()].to_vec();
        let outputs: Vec<_> = places(&self.memory, ioctl, &client);
        for ((a, old), new) in arg.iter_mut().zip(&r.before).zip(&r.after) {
            if old != new {
                *a = *new;
            }
        }
        for b in &r.buffers {
            let place = outputs.iter().find(|p| (p.pointer, p.nested, p.element) == (b.pointer, b.nested, b.element));
            if let Some(place) = place.filter(|_| !b.after.is_empty()) {
                self.copy_changes(place.address, place.len, &b.before, &b.after);
            }
        }
        if r.result >= 0 {
            self.side_effects(state, at, ioctl, r, &client, arg)?;
        }
        Ok(())
    }

    /// Writes the bytes that the request changed, and only those: others hold addresses.
    fn copy_changes(&self, address: u64, len: usize, before: &[u8], after: &[u8]) {
        let n = len.min(before.len()).min(after.len());
        let mut i = 0;
        while i < n {
            let start = i;
            while i < n && before[i] != after[i] {
                i += 1;
            }
            if i > start {
                self.memory.write(address.wrapping_add(start as u64), &after[start..i]);
            } else {
                i += 1;
            }
        }
    }

    fn fence(&self, state: &mut State, handle: Handle, initial: u64) -> Result<u64, Errno> {
        let pages = Pages::new(PAGE_SIZE).map_err(|_| Errno::ENOMEM)?;
        pages.first_word().store(initial, Ordering::Release);
        let address = pages.address();
        state.fences.insert(handle, pages);
        Ok(address)
    }

    fn side_effects(
        &self,
        state: &mut State,
        at: usize,
        ioctl: Ioctl,
        r: &IoctlRecord,
        client: &[u8],
        arg: &mut [u8],
    ) -> Result<(), Errno> {
        match ioctl {
            Ioctl::CreatePagingQueue => {
                let mut a: CreatePagingQueue = decode(arg);
                a.fence_cpu_virtual_address = self.fence(state, a.sync_object, 0)?;
                state.queues.insert(a.paging_queue, a.sync_object);
                store(arg, &a);
            }
            Ioctl::CreateHwQueue => {
                let mut a: CreateHwQueue = decode(arg);
                a.queue_progress_fence_cpu_va = self.fence(state, a.queue_progress_fence, 0)?;
                state.queues.insert(a.queue, a.queue_progress_fence);
                store(arg, &a);
            }
            Ioctl::CreateSynchronizationObject2 => {
                let mut a: CreateSynchronizationObject2 = decode(arg);
                if a.info.r#type == SynchronizationObjectType::MONITORED_FENCE {
                    let mut m = a.info.monitored_fence();
                    m.fence_cpu_virtual_address = self.fence(state, a.sync_object, m.initial_fence_value)?;
                    a.info.set_monitored_fence(m);
                    store(arg, &a);
                }
            }
            Ioctl::OpenSyncObjectFromNtHandle2 => {
                let mut a: OpenSyncObjectFromNtHandle2 = decode(arg);
                a.monitored_fence.fence_value_cpu_va = self.fence(state, a.sync_object, 0)?;
                store(arg, &a);
            }
            Ioctl::OpenSyncObjectFromSyncFile => {
                let mut a: OpenSyncObjectFromSyncFile = decode(arg);
                a.fence_value_cpu_va = self.fence(state, a.syncobj, a.fence_value)?;
                store(arg, &a);
            }
            Ioctl::CreateAllocation => {
                let made = list::<AllocationInfo2>(&r.buffers, 3, true);
                let at_client: CreateAllocation = decode(client);
                // A client may have made less than the recording says; nothing is written beyond.
                let mut limit = u64::MAX;
                if at_client.flags.contains(CreateAllocationFlags::STANDARD_ALLOCATION) {
                    let mut standard = CreateStandardAllocation::default();
                    self.memory.read(at_client.standard_allocation(), standard.as_mut_bytes());
                    limit = standard.existing_heap_data.size;
                }
                for (i, info) in made.iter().enumerate().take(at_client.alloc_count as usize) {
                    let mut own = AllocationInfo2::default();
                    let offset = (i * size_of::<AllocationInfo2>()) as u64;
                    self.memory.read(at_client.allocation_info.wrapping_add(offset), own.as_mut_bytes());
                    let size = self.sizes.get(&(at, i)).copied().unwrap_or(0).min(limit);
                    state.sizes.insert(info.allocation, size);
                    if own.sysmem != 0 {
                        let cpu = Cpu { address: own.sysmem, pages: None, locks: 0 };
                        state.cpu.insert(info.allocation, cpu);
                    }
                }
            }
            Ioctl::OpenResourceFromNtHandle => {
                for (i, info) in list::<OpenAllocationInfo2>(&r.buffers, 0, true).iter().enumerate() {
                    state.sizes.insert(info.allocation, self.sizes.get(&(at, i)).copied().unwrap_or(0));
                }
                self.move_private_data(r, client);
            }
            Ioctl::Lock2 => {
                let mut a: Lock2 = decode(arg);
                let size = state.sizes.get(&a.allocation).copied().unwrap_or(0).max(PAGE_SIZE);
                if size > super::snapshot::SIZE_MAX {
                    return Err(Errno::EINVAL);
                }
                let cpu = match state.cpu.entry(a.allocation) {
                    Entry::Occupied(have) => have.into_mut(),
                    Entry::Vacant(free) => {
                        let pages = Pages::new(size.next_multiple_of(PAGE_SIZE)).map_err(|_| Errno::ENOMEM)?;
                        free.insert(Cpu { address: pages.address(), pages: Some(pages), locks: 0 })
                    }
                };
                cpu.locks += 1;
                a.data = cpu.address;
                store(arg, &a);
            }
            Ioctl::Unlock2 => {
                let a: Unlock2 = decode(client);
                if let Some(cpu) = state.cpu.get_mut(&a.allocation) {
                    cpu.locks = cpu.locks.saturating_sub(1);
                    if cpu.locks == 0 && cpu.pages.is_some() {
                        state.cpu.remove(&a.allocation);
                    }
                }
            }
            Ioctl::DestroyAllocation2 => {
                for handle in list::<Handle>(&r.buffers, 0, false) {
                    state.cpu.remove(&handle);
                }
            }
            Ioctl::DestroySynchronizationObject => {
                state.fences.remove(&decode::<DestroySynchronizationObject>(client).sync_object);
            }
            Ioctl::MapGpuVirtualAddress => {
                let a: MapGpuVirtualAddress = decode(arg);
                raise(state, a.paging_queue, a.paging_fence_value);
            }
            Ioctl::MakeResident => {
                let a: MakeResident = decode(arg);
                raise(state, a.paging_queue, a.paging_fence_value);
            }
            Ioctl::ReclaimAllocations2 => {
                let a: ReclaimAllocations2 = decode(arg);
                raise(state, a.paging_queue, a.paging_fence_value);
            }
            Ioctl::UpdateAllocProperty => {
                let a: UpdateAllocProperty = decode(arg);
                raise(state, a.paging_queue, a.paging_fence_value);
            }
            Ioctl::SubmitCommandToHwQueue => {
                let a: SubmitCommandToHwQueue = decode(client);
                raise(state, a.hwqueue, a.hwqueue_progress_fence_id);
            }
            Ioctl::UpdateGpuVirtualAddress => {
                let a: UpdateGpuVirtualAddress = decode(client);
                signal(state, &[(a.fence_object, a.fence_value.saturating_add(1))]);
            }
            Ioctl::SignalSynchronizationObjectFromCpu | Ioctl::SignalSynchronizationObjectFromGpu => {
                signal(state, &points(&r.buffers, 0, 1));
            }
            Ioctl::SignalSynchronizationObjectFromGpu2 => signal(state, &points(&r.buffers, 0, 2)),
            Ioctl::SubmitSignalSyncObjectsToHwQueue => signal(state, &points(&r.buffers, 1, 2)),
            Ioctl::WaitForSynchronizationObjectFromCpu => {
                let a: WaitForSynchronizationObjectFromCpu = decode(client);
                if a.async_event != 0 {
                    raise_event(a.async_event);
                }
            }
            Ioctl::ShareObjects => {
                let a: ShareObjects = decode(client);
                let fd = stand_in()?;
                self.memory.write(a.shared_handle, &fd.to_le_bytes());
            }
            Ioctl::CreateSyncFile => {
                let mut a: CreateSyncFile = decode(arg);
                a.sync_file_handle = stand_in()?;
                store(arg, &a);
            }
            _ => {}
        }
        Ok(())
    }

    /// Vendor data of opened allocations lies in the caller's buffer: recorded addresses move there.
    fn move_private_data(&self, r: &IoctlRecord, client: &[u8]) {
        let (was, is): (OpenResourceFromNtHandle, OpenResourceFromNtHandle) = (decode(&r.before), decode(client));
        for (i, info) in list::<OpenAllocationInfo2>(&r.buffers, 0, true).iter().enumerate() {
            let element = is.open_alloc_info.wrapping_add((i * size_of::<OpenAllocationInfo2>()) as u64);
            let field = core::mem::offset_of!(OpenAllocationInfo2, priv_drv_data) as u64;
            let moved = info.priv_drv_data.wrapping_sub(was.total_priv_drv_data).wrapping_add(is.total_priv_drv_data);
            self.memory.write(element.wrapping_add(field), &moved.to_le_bytes());
        }
    }

    /// Lets what the GPU wrote appear.
    fn apply_checks(&self, state: &mut State) {
        while let Some(record) = self.trace.records.get(state.next) {
            match record {
                Record::Ioctl(_) => return,
                Record::Pages(_) | Record::Process(_) => {}
                Record::Check(check) => {
                    let cpu = state.cpu.get(&Handle(check.allocation));
                    let size = state.sizes.get(&Handle(check.allocation)).copied().unwrap_or(0);
                    for page in &check.pages {
                        let offset = page.index.checked_mul(PAGE_SIZE).filter(|o| *o < size);
                        if let (Some(cpu), Some(offset)) = (cpu, offset) {
                            self.memory.write(cpu.address.wrapping_add(offset), page.bytes());
                        }
                    }
                }
            }
            state.next += 1;
        }
    }
}

fn store<A: Arg>(bytes: &mut [u8], arg: &A) {
    bytes[..size_of::<A>()].copy_from_slice(arg.as_bytes());
}

/// Moves the fence of a queue forward.
fn raise(state: &State, queue: Handle, value: u64) {
    if let Some(page) = state.queues.get(&queue).and_then(|f| state.fences.get(f)) {
        page.first_word().fetch_max(value, Ordering::AcqRel);
    }
}

fn signal(state: &State, points: &[(Handle, u64)]) {
    for (handle, value) in points {
        if let Some(page) = state.fences.get(handle) {
            page.first_word().store(*value, Ordering::Release);
        }
    }
}

/// A descriptor that is the caller's to close.
fn stand_in() -> Result<u64, Errno> {
    let fd = eventfd(0, EventfdFlags::CLOEXEC).map_err(|e| Errno(e.raw_os_error()))?;
    Ok(fd.into_raw_fd() as u64)
}

impl Node for Replay {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.apply_checks(&mut state);
        let at = state.next;
        let Some(Record::Ioctl(r)) = self.trace.records.get(at) else {
            state.mismatch.get_or_insert_with(|| format!("request {request:#010x} after the end of the recording"));
            return -Errno::EINVAL.0;
        };
        let name = |request| Ioctl::from_request(request).map_or("unknown", Ioctl::name);
        if r.request != request {
            let text = format!("record {at}: expected {}, got {}", name(r.request), name(request));
            state.mismatch.get_or_insert(text);
            return -Errno::EINVAL.0;
        }
        state.next += 1;
        if let Err(errno) = self.answer(&mut state, at, r, arg) {
            state.mismatch.get_or_insert_with(|| format!("record {at}: {} cannot be answered: {errno}", name(request)));
            return -errno.0;
        }
        self.apply_checks(&mut state);
        r.result
    }

    fn describe(&self) -> String {
        "recording".to_owned()
    }
}
