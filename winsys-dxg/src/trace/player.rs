//! Repeating a recording against a node.

use super::buffers::{attach, Copy};
use super::fields::{each_handle, edit, pair_handles};
use super::format::{Buffer, Check, IoctlRecord, Record, Snapshot, Trace, PAGE_BYTES};
use super::prescan::{self, Sizes};
use super::snapshot::{PageHashes, SIZE_MAX};
use super::tracker::{decode, list, points, Settled, Tracker};
use crate::sys::{Pages, ProcessMemory};
use dxg_abi::zerocopy::{FromBytes, IntoBytes};
use dxg_abi::*;
use rustix::event::{eventfd, EventfdFlags};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// Why a recording could not be repeated.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The process's own memory or a descriptor could not be had.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A request that succeeded when recorded failed.
    #[error("record {record}: {ioctl} failed: {ret}")]
    Failed {
        /// Index of the record.
        record: usize,
        /// The request.
        ioctl: Ioctl,
        /// Its result.
        ret: Ret,
    },
    /// A range was not placed at its recorded address.
    #[error("record {record}: no room at {address:#x}")]
    Place {
        /// Index of the record.
        record: usize,
        /// The address.
        address: u64,
    },
    /// The recording contradicts itself or needs something from outside.
    #[error("record {record}: {what}")]
    Unusable {
        /// Index of the record.
        record: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// What came of repeating a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Requests repeated.
    pub requests: usize,
    /// Requests left out: they failed when recorded, or only ask, and were refused now.
    pub skipped: usize,
    /// Comparisons of an allocation.
    pub checks: usize,
    /// Pages compared.
    pub pages: usize,
    /// Pages that differ where the recording is certain of them.
    pub different: usize,
    /// Pages that differ where the CPU may have changed them when recorded.
    pub uncertain: usize,
    /// Times that work did not finish in time.
    pub timeouts: usize,
    /// The first differences: record, allocation as recorded, pages.
    pub differences: Vec<(usize, u32, usize)>,
}

impl Report {
    /// Whether everything came out as recorded.
    pub fn is_equal(&self) -> bool {
        self.different == 0 && self.timeouts == 0
    }
}

/// Differences listed in a report.
const LISTED: usize = 64;

/// Repeats recordings against a node.
///
/// Handles and CPU addresses are translated, GPU addresses are kept; memory of the
/// application is replaced by memory of the player. Before each submission memory is brought to its
/// recorded content, after it the result is compared.
#[derive(Debug)]
pub struct Player {
    node: Arc<dyn Node>,
    memory: ProcessMemory,
    limit: Duration,
    tracker: Tracker,
    adapters: HashMap<Handle, Handle>,
    /// Recorded LUIDs in the order they appeared; their index picks the adapter here.
    luids: Vec<Luid>,
    objects: HashMap<Handle, Handle>,
    files: HashMap<u64, OwnedFd>,
    pages: HashMap<Handle, Pages>,
    expected: HashMap<u32, PageHashes>,
}

impl Player {
    /// A player for one recording.
    ///
    /// # Errors
    /// That of opening the process's own memory.
    pub fn new(node: Arc<dyn Node>) -> io::Result<Self> {
        Ok(Self {
            node,
            memory: ProcessMemory::open()?,
            limit: Duration::from_secs(30),
            tracker: Tracker::default(),
            adapters: HashMap::new(),
            luids: Vec::new(),
            objects: HashMap::new(),
            files: HashMap::new(),
            pages: HashMap::new(),
            expected: HashMap::new(),
        })
    }

    /// Sets how long to wait for work to finish.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Repeats the recording.
    ///
    /// # Errors
    /// [`PlayError`] for the first thing that cannot be repeated.
    pub fn play(mut self, trace: &Trace) -> Result<Report, PlayError> {
        let sizes = prescan::sizes(trace);
        let mut report = Report::default();
        for (at, record) in trace.records.iter().enumerate() {
            match record {
                Record::Ioctl(r) => self.ioctl(at, r, &sizes, &mut report)?,
                Record::Pages(s) => self.restore(at, s)?,
                Record::Check(c) => self.check(at, c, &mut report)?,
                Record::Process(_) if at == 0 => {}
                Record::Process(_) => {
                    return Err(PlayError::Unusable {
                        record: at,
                        what: "recordings of several processes play apart only",
                    });
                }
            }
        }
        Ok(report)
    }

    fn raw<A: Arg>(&self, arg: &mut A) -> i32 {
        self.node.ioctl(A::IOCTL.request(), arg.as_mut_bytes())
    }

    /// Opens the adapter that stands for a recorded one.
    fn open_adapter(&mut self, at: usize, recorded: Handle, luid: Luid) -> Result<(), PlayError> {
        let index = self.luids.iter().position(|l| *l == luid).unwrap_or_else(|| {
            self.luids.push(luid);
            self.luids.len() - 1
        });
        let failed = |ioctl, raw| PlayError::Failed { record: at, ioctl, ret: Ret::from_raw(raw) };
        let mut list = [AdapterInfo::default(); ADAPTERS_MAX as usize];
        let mut count = EnumAdapters2::default();
        let r = self.raw(&mut count);
        if r < 0 || count.num_adapters > ADAPTERS_MAX {
            return Err(failed(Ioctl::EnumAdapters2, r));
        }
        let mut arg = EnumAdapters2 {
            num_adapters: count.num_adapters,
            adapters: list.as_mut_ptr() as u64,
            ..Default::default()
        };
        let r = self.raw(&mut arg);
        let n = (arg.num_adapters as usize).min(list.len());
        if r < 0 || n == 0 {
            return Err(failed(Ioctl::EnumAdapters2, r));
        }
        for (i, a) in list[..n].iter().enumerate() {
            if i == index % n {
                self.adapters.insert(recorded, a.adapter_handle);
            } else {
                let _ = self.raw(&mut CloseAdapter { adapter_handle: a.adapter_handle });
            }
        }
        Ok(())
    }

    fn ioctl(&mut self, at: usize, r: &IoctlRecord, sizes: &Sizes, report: &mut Report) -> Result<(), PlayError> {
        let ioctl = Ioctl::from_request(r.request).filter(|i| r.before.len() >= i.arg_size());
        let Some(ioctl) = ioctl.filter(|_| r.result >= 0) else {
            report.skipped += 1;
            return Ok(());
        };
        report.requests += 1;
        match ioctl {
            Ioctl::EnumAdapters2 | Ioctl::EnumAdapters3 => {
                for a in list::<AdapterInfo>(&r.buffers, 0, true) {
                    if !a.adapter_handle.is_null() {
                        self.open_adapter(at, a.adapter_handle, a.adapter_luid)?;
                    }
                }
                return Ok(());
            }
            Ioctl::OpenAdapterFromLuid => {
                let a: OpenAdapterFromLuid = decode(&r.after);
                return self.open_adapter(at, a.adapter_handle, a.adapter_luid);
            }
            // The client waited here; what it waited for must hold before going on.
            Ioctl::WaitForSynchronizationObjectFromCpu => {
                for (handle, value) in points(&r.buffers, 0, 1) {
                    let handle = self.objects.get(&handle).copied().unwrap_or_default();
                    let any = decode::<WaitForSynchronizationObjectFromCpu>(&r.before)
                        .flags
                        .contains(WaitFromCpuFlags::WAIT_ANY);
                    if !any && !self.tracker.is_by_host(handle) && !self.tracker.wait_for((handle, value), self.limit) {
                        report.timeouts += 1;
                    }
                }
                return Ok(());
            }
            _ => {}
        }
        // The client may have seen the end of its work by a look at a fence, which leaves no trace.
        if takes_away(ioctl) && self.tracker.settle(self.limit) == Settled::Waiting {
            report.timeouts += 1;
        }
        let mut arg = r.before[..ioctl.arg_size()].to_vec();
        let mut copies: Vec<Copy> = r.buffers.iter().map(|b| Copy::new(&b.before)).collect();
        self.translate_handles(ioctl, &mut arg, &r.buffers, &mut copies);
        let fresh = self.translate_values(at, ioctl, r, &mut arg, &mut copies, sizes)?;
        if !attach(ioctl, &mut arg, &r.buffers, &mut copies) {
            return Err(PlayError::Unusable { record: at, what: "buffers do not fit the argument" });
        }

        // For the tracker: the buffers as passed and as they came back, in live values.
        let mut live: Vec<Buffer> =
            r.buffers.iter().zip(&copies).map(|(b, c)| Buffer { before: c.bytes().to_vec(), ..b.clone() }).collect();
        let before = arg.clone();
        let ending = self.tracker.ending(ioctl, &before, &live);
        self.tracker.forget(ioctl, &before, &live);
        let result = self.node.ioctl(r.request, &mut arg);
        if result < 0 {
            if is_question(ioctl) {
                report.skipped += 1;
                return Ok(());
            }
            return Err(PlayError::Failed { record: at, ioctl, ret: Ret::from_raw(result) });
        }
        for (b, c) in live.iter_mut().zip(&copies) {
            b.after = c.bytes().to_vec();
        }
        self.tracker.observe(ioctl, &before, &arg, &live);
        if ioctl != Ioctl::Unlock2 {
            for handle in ending {
                self.pages.remove(&handle);
            }
        }
        self.learn(at, ioctl, r, &arg, &live, fresh)?;
        self.wait_for_paging(ioctl, result, &arg);
        Ok(())
    }

    fn translate(&self, adapter: bool, ioctl: Ioctl, handle: Handle) -> Handle {
        let own = |map: &HashMap<Handle, Handle>| map.get(&handle).copied();
        let found = match (adapter, ioctl) {
            // Either is allowed here; adapters are looked up first.
            (_, Ioctl::ReserveGpuVirtualAddress) => own(&self.adapters).or_else(|| own(&self.objects)),
            (true, _) => own(&self.adapters),
            (false, _) => own(&self.objects),
        };
        found.unwrap_or_default()
    }

    fn translate_handles(&self, ioctl: Ioctl, arg: &mut [u8], buffers: &[Buffer], copies: &mut [Copy]) {
        let mut f = |adapter: bool, h: Handle| self.translate(adapter, ioctl, h);
        each_handle(ioctl.layout(), arg, &mut f);
        for (b, copy) in buffers.iter().zip(copies) {
            let Some(p) = super::pointers::pointers(ioctl).get(b.pointer as usize).filter(|_| b.nested == 0) else {
                continue;
            };
            for element in copy.bytes_mut().chunks_exact_mut(p.element.size) {
                each_handle(p.element, element, &mut f);
            }
        }
    }

    /// Replaces what means something only in the recorded process: GPU addresses become fixed
    /// ones, application memory ours, descriptors and paging values those of this run.
    fn translate_values(
        &mut self,
        at: usize,
        ioctl: Ioctl,
        r: &IoctlRecord,
        arg: &mut [u8],
        copies: &mut [Copy],
        sizes: &Sizes,
    ) -> Result<Vec<Pages>, PlayError> {
        let mut fresh = Vec::new();
        match ioctl {
            Ioctl::MapGpuVirtualAddress => edit(arg, |a: &mut MapGpuVirtualAddress| {
                a.base_address = decode::<MapGpuVirtualAddress>(&r.after).virtual_address;
                (a.minimum_address, a.maximum_address) = (0, 0);
            }),
            Ioctl::ReserveGpuVirtualAddress => edit(arg, |a: &mut ReserveGpuVirtualAddress| {
                a.base_address = decode::<ReserveGpuVirtualAddress>(&r.after).virtual_address;
                (a.minimum_address, a.maximum_address) = (0, 0);
            }),
            Ioctl::CreateAllocation => {
                let index = r.buffers.iter().position(|b| b.pointer == 3 && b.nested == 0);
                let Some(infos) = index.and_then(|i| copies.get_mut(i)) else { return Ok(fresh) };
                let step = size_of::<AllocationInfo2>();
                for (i, element) in infos.bytes_mut().chunks_exact_mut(step).enumerate() {
                    let mut info: AllocationInfo2 = AllocationInfo2::read_from_bytes(element).unwrap_or_default();
                    info.allocation = Handle::NULL;
                    if info.sysmem != 0 {
                        let size = sizes.get(&(at, i)).copied().unwrap_or(0).next_multiple_of(PAGE_BYTES as u64);
                        if size == 0 || size > SIZE_MAX {
                            return Err(PlayError::Unusable { record: at, what: "size of application memory" });
                        }
                        let pages = Pages::near(info.sysmem & !(PAGE_SIZE - 1), size)
                            .map_err(|_| PlayError::Unusable { record: at, what: "no memory" })?;
                        info.sysmem = pages.address();
                        fresh.push(pages);
                    }
                    element.copy_from_slice(info.as_bytes());
                }
            }
            Ioctl::WaitForSynchronizationObjectFromGpu | Ioctl::SubmitWaitForSyncObjectsToHwQueue => {
                // Paging fences count differently here, and paging work is done by now.
                let find = |p: u8| r.buffers.iter().position(|b| b.pointer == p && b.nested == 0);
                if let (Some(objects), Some(values)) = (find(0), find(1)) {
                    let handles: Vec<u8> = copies.get(objects).map_or_else(Vec::new, |c| c.bytes().to_vec());
                    let Some(values) = copies.get_mut(values) else { return Ok(fresh) };
                    for (h, v) in handles.chunks_exact(4).zip(values.bytes_mut().chunks_exact_mut(8)) {
                        let handle = Handle::read_from_bytes(h).unwrap_or_default();
                        if self.tracker.is_by_host(handle) {
                            v.fill(0);
                        }
                    }
                }
            }
            Ioctl::OpenSyncObjectFromNtHandle2 => {
                let fd = self.file(at, decode::<OpenSyncObjectFromNtHandle2>(&r.before).nt_handle)?;
                edit(arg, |a: &mut OpenSyncObjectFromNtHandle2| a.nt_handle = fd);
            }
            Ioctl::QueryResourceInfoFromNtHandle => {
                let fd = self.file(at, decode::<QueryResourceInfoFromNtHandle>(&r.before).nt_handle)?;
                edit(arg, |a: &mut QueryResourceInfoFromNtHandle| a.nt_handle = fd);
            }
            Ioctl::OpenResourceFromNtHandle => {
                let fd = self.file(at, decode::<OpenResourceFromNtHandle>(&r.before).nt_handle)?;
                edit(arg, |a: &mut OpenResourceFromNtHandle| a.nt_handle = fd);
            }
            Ioctl::WaitSyncFile => {
                let fd = self.file(at, decode::<WaitSyncFile>(&r.before).sync_file_handle)?;
                edit(arg, |a: &mut WaitSyncFile| a.sync_file_handle = fd);
            }
            Ioctl::OpenSyncObjectFromSyncFile => {
                let fd = self.file(at, decode::<OpenSyncObjectFromSyncFile>(&r.before).sync_file_handle)?;
                edit(arg, |a: &mut OpenSyncObjectFromSyncFile| a.sync_file_handle = fd);
            }
            Ioctl::CreateSynchronizationObject2 => {
                let a: CreateSynchronizationObject2 = decode(arg);
                if a.info.r#type == SynchronizationObjectType::CPU_NOTIFICATION {
                    let fd = self.event(a.info.cpu_notification().event)?;
                    edit(arg, |a: &mut CreateSynchronizationObject2| {
                        a.info.set_cpu_notification(SyncCpuNotification { event: fd });
                    });
                }
            }
            Ioctl::SignalSynchronizationObject2 => {
                let a: SignalSynchronizationObject2 = decode(arg);
                if a.flags.contains(SignalFlags::ENQUEUE_CPU_EVENT) {
                    let fd = self.event(a.cpu_event_handle())?;
                    edit(arg, |a: &mut SignalSynchronizationObject2| a.set_cpu_event_handle(fd));
                }
            }
            Ioctl::SignalSynchronizationObjectFromGpu2 => {
                let a: SignalSynchronizationObjectFromGpu2 = decode(arg);
                if a.flags.contains(SignalFlags::ENQUEUE_CPU_EVENT) {
                    let fd = self.event(a.cpu_event_handle())?;
                    edit(arg, |a: &mut SignalSynchronizationObjectFromGpu2| a.set_cpu_event_handle(fd));
                }
            }
            _ => {}
        }
        Ok(fresh)
    }

    fn file(&self, at: usize, recorded: u64) -> Result<u64, PlayError> {
        let fd = self.files.get(&recorded).map(|fd| fd.as_raw_fd() as u64);
        fd.ok_or(PlayError::Unusable { record: at, what: "needs a descriptor from outside of the recording" })
    }

    fn event(&mut self, recorded: u64) -> Result<u64, PlayError> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(io::Error::from)?;
        let raw = fd.as_raw_fd() as u64;
        self.files.insert(recorded, fd);
        Ok(raw)
    }

    /// Pairs what the request returned when recorded with what it returned now.
    fn learn(
        &mut self,
        at: usize,
        ioctl: Ioctl,
        r: &IoctlRecord,
        arg: &[u8],
        live: &[Buffer],
        fresh: Vec<Pages>,
    ) -> Result<(), PlayError> {
        let mut pairs = Vec::new();
        pair_handles(ioctl.layout(), &r.before, &r.after, arg, &mut pairs);
        for (b, now) in r.buffers.iter().zip(live) {
            let Some(p) = super::pointers::pointers(ioctl).get(b.pointer as usize).filter(|_| b.nested == 0) else {
                continue;
            };
            let step = p.element.size;
            for ((old, new), now) in
                b.before.chunks_exact(step).zip(b.after().chunks_exact(step)).zip(now.after().chunks_exact(step))
            {
                pair_handles(p.element, old, new, now, &mut pairs);
            }
        }
        self.objects.extend(pairs);
        match ioctl {
            Ioctl::MapGpuVirtualAddress => {
                let address = decode::<MapGpuVirtualAddress>(&r.after).virtual_address;
                if decode::<MapGpuVirtualAddress>(arg).virtual_address != address {
                    return Err(PlayError::Place { record: at, address });
                }
            }
            Ioctl::ReserveGpuVirtualAddress => {
                let address = decode::<ReserveGpuVirtualAddress>(&r.after).virtual_address;
                if decode::<ReserveGpuVirtualAddress>(arg).virtual_address != address {
                    return Err(PlayError::Place { record: at, address });
                }
            }
            Ioctl::ShareObjects => {
                let old = list::<u64>(&r.buffers, 1, true);
                let new = list::<u64>(live, 1, true);
                if let (Some(old), Some(fd)) = (old.first(), new.first().and_then(|fd| crate::sys::take_fd(*fd))) {
                    self.files.insert(*old, fd);
                }
            }
            Ioctl::CreateSyncFile => {
                let new = decode::<CreateSyncFile>(arg).sync_file_handle;
                if let Some(fd) = crate::sys::take_fd(new) {
                    self.files.insert(decode::<CreateSyncFile>(&r.after).sync_file_handle, fd);
                }
            }
            Ioctl::CreateAllocation => {
                let made = list::<AllocationInfo2>(live, 3, true);
                let with_memory = made.iter().filter(|i| i.sysmem != 0);
                for (info, pages) in with_memory.zip(fresh) {
                    self.pages.insert(info.allocation, pages);
                }
                for info in list::<AllocationInfo2>(&r.buffers, 3, true) {
                    self.expected.remove(&info.allocation.0);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Lets paging work finish: later requests assume it, by values that count differently here.
    fn wait_for_paging(&self, ioctl: Ioctl, result: i32, arg: &[u8]) {
        let (queue, value) = match ioctl {
            Ioctl::MapGpuVirtualAddress => {
                let a: MapGpuVirtualAddress = decode(arg);
                (a.paging_queue, a.paging_fence_value)
            }
            Ioctl::MakeResident => {
                let a: MakeResident = decode(arg);
                (a.paging_queue, a.paging_fence_value)
            }
            Ioctl::ReclaimAllocations2 => {
                let a: ReclaimAllocations2 = decode(arg);
                (a.paging_queue, a.paging_fence_value)
            }
            Ioctl::UpdateAllocProperty => {
                let a: UpdateAllocProperty = decode(arg);
                (a.paging_queue, a.paging_fence_value)
            }
            _ => return,
        };
        let pending = Ret::from_raw(result) == Ret::Pending || ioctl == Ioctl::ReclaimAllocations2;
        if let Some(fence) = self.tracker.paging_fence(queue).filter(|_| pending) {
            self.tracker.wait_for((fence, value), self.limit);
        }
    }

    /// The allocation that stands for a recorded one, and its expected content.
    fn expected(&mut self, at: usize, recorded: u32) -> Result<(super::snapshot::Source, &mut PageHashes), PlayError> {
        let unusable = |what| PlayError::Unusable { record: at, what };
        let handle = self.objects.get(&Handle(recorded)).ok_or(unusable("content of an unknown allocation"))?;
        let tracked = self.tracker.allocation(*handle).ok_or(unusable("content of a destroyed allocation"))?;
        let source = tracked.source().ok_or(unusable("content of an allocation that the CPU does not see"))?;
        let zeros = PageHashes::zeros(tracked.size).ok_or(unusable("allocation too large"))?;
        let slot = self.expected.entry(recorded).or_insert_with(|| zeros.clone());
        if slot.len() < zeros.len() {
            *slot = zeros;
        }
        Ok((source, slot))
    }

    fn restore(&mut self, at: usize, snapshot: &Snapshot) -> Result<(), PlayError> {
        // Work that was finished when recorded must not overwrite what is restored; for
        // work that was not, waiting is of no use and ends at once.
        self.tracker.settle(self.limit);
        let (source, expected) = self.expected(at, snapshot.allocation)?;
        if !expected.apply(&snapshot.pages) {
            return Err(PlayError::Unusable { record: at, what: "page outside of its allocation" });
        }
        for page in &snapshot.pages {
            source.write(&self.memory, page.index * PAGE_BYTES as u64, page.bytes());
        }
        Ok(())
    }

    fn check(&mut self, at: usize, check: &Check, report: &mut Report) -> Result<(), PlayError> {
        if self.tracker.settle(self.limit) == Settled::Waiting {
            report.timeouts += 1;
        }
        let (source, expected) = self.expected(at, check.allocation)?;
        if !expected.apply(&check.pages) || expected.size() != check.size || expected.digest() != check.hash {
            return Err(PlayError::Unusable { record: at, what: "check does not fit what was recorded before" });
        }
        let expected = expected.clone();
        let Some(mut now) = PageHashes::zeros(expected.size()) else {
            return Err(PlayError::Unusable { record: at, what: "allocation too large" });
        };
        now.update(&self.memory, &source);
        let different = now.differences(&expected);
        report.checks += 1;
        report.pages += expected.len();
        if check.certain {
            report.different += different;
        } else {
            report.uncertain += different;
        }
        if different != 0 {
            if report.differences.len() < LISTED {
                report.differences.push((at, check.allocation, different));
            }
            // Go on from what was recorded, so that one difference is not counted forever.
            for page in &check.pages {
                source.write(&self.memory, page.index * PAGE_BYTES as u64, page.bytes());
            }
        }
        Ok(())
    }
}

/// Requests after which work that uses what they name would fault.
fn takes_away(ioctl: Ioctl) -> bool {
    matches!(
        ioctl,
        Ioctl::Evict
            | Ioctl::OfferAllocations
            | Ioctl::Unlock2
            | Ioctl::FreeGpuVirtualAddress
            | Ioctl::DestroyAllocation2
            | Ioctl::DestroyContext
            | Ioctl::DestroyHwQueue
            | Ioctl::DestroySynchronizationObject
            | Ioctl::DestroyDevice
            | Ioctl::CloseAdapter
    )
}

/// Requests that only ask: a refusal does not matter to what follows.
fn is_question(ioctl: Ioctl) -> bool {
    matches!(
        ioctl,
        Ioctl::QueryAdapterInfo
            | Ioctl::QueryVideoMemoryInfo
            | Ioctl::GetDeviceState
            | Ioctl::QueryAllocationResidency
            | Ioctl::GetAllocationPriority
            | Ioctl::GetContextSchedulingPriority
            | Ioctl::GetContextInProcessSchedulingPriority
            | Ioctl::QueryClockCalibration
            | Ioctl::QueryStatistics
            | Ioctl::EnumProcesses
            | Ioctl::IsFeatureEnabled
            | Ioctl::Escape
            | Ioctl::InvalidateCache
            | Ioctl::ShareObjectWithHost
            | Ioctl::FlushHeapTransitions
            | Ioctl::ChangeVideoMemoryReservation
    )
}
