//! What stays with the GPU when there is not room for all.
//!
//! Memory that may be moved ([`Memory::set_movable`](crate::Memory::set_movable)) gives way when other memory cannot be made
//! resident: the least wanted first, and of those the one used longest ago. Up to the first time that happens submissions
//! say nothing about what they use and pay nothing for it; whatever they used is in use until they are done. From then on every
//! submission has what it uses made resident first, and what it uses stays until it is done.
//!
//! No lock is held while waiting for the GPU. The order of locks is: the list of entries, an entry's residency, an entry's use.

use crate::device::Device;
use crate::error::{ErrorKind, Result};
use crate::fence::Fence;
use crate::gate::Gate;
use crate::memory::Memory;
use dxg_abi::{Evict, Handle, MakeResident, MakeResidentFlags, MAKE_RESIDENT_ALLOC_MAX};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long somebody who needs room waits for others to be done with theirs.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long at a time: others may make room in other ways.
const SLICE: Duration = Duration::from_millis(20);

/// How often room that was made may be taken by somebody else.
const ATTEMPTS: u32 = 16;

/// How often somebody who finds nothing to wait for looks again: it may have ended just now.
const LOOKS: u32 = 4;

/// How long between looks when there is nothing to wait for.
const NAP: Duration = Duration::from_millis(1);

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a submission uses.
#[derive(Clone, Copy, Debug, Default)]
pub enum Uses<'a> {
    /// Anything of the device.
    #[default]
    All,
    /// This memory, and what is not movable.
    Listed(&'a [&'a Memory]),
}

/// The end of a submission.
#[derive(Debug)]
struct Mark {
    progress: Weak<Fence>,
    value: u64,
}

impl Mark {
    /// Whether it is over; a queue that is gone has nothing to do, and a lost device does nothing any more.
    fn is_reached(&self) -> bool {
        self.progress.upgrade().is_none_or(|f| f.value() >= self.value)
    }
}

/// A queue as far as it matters here.
#[derive(Debug)]
pub(crate) struct QueueMark {
    progress: Weak<Fence>,
    last: AtomicU64,
}

/// Memory as far as it matters here.
#[derive(Debug)]
pub(crate) struct Entry {
    handles: OnceLock<SmallVec<[Handle; 4]>>,
    size: AtomicU64,
    /// Whether a residency reference is held.
    resident: Mutex<bool>,
    movable: AtomicBool,
    registered: AtomicBool,
    /// Submissions on their way that use it: it stays.
    holds: AtomicU32,
    /// Bits of a number that is not negative, which are in its order.
    priority: AtomicU32,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// When it was used last; 0 if not since that is noted.
    stamp: u64,
    marks: SmallVec<[Mark; 1]>,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            handles: OnceLock::new(),
            size: AtomicU64::new(0),
            resident: Mutex::new(false),
            movable: AtomicBool::new(false),
            registered: AtomicBool::new(false),
            holds: AtomicU32::new(0),
            priority: AtomicU32::new(0.5f32.to_bits()),
            used: Mutex::default(),
        }
    }
}

impl Entry {
    /// Says what the memory consists of; once.
    pub(crate) fn is_made_of(&self, handles: SmallVec<[Handle; 4]>, size: u64) {
        let _ = self.handles.set(handles);
        self.size.store(size, SeqCst);
    }

    pub(crate) fn handles(&self) -> &[Handle] {
        self.handles.get().map_or(&[], |h| h)
    }

    pub(crate) fn set_priority(&self, priority: f32) {
        self.priority.store(priority.clamp(0.0, 1.0).to_bits(), SeqCst);
    }

    pub(crate) fn is_resident(&self) -> bool {
        *lock(&self.resident)
    }

    /// Takes a residency reference, if there is none.
    fn attempt(&self, device: &Device, flags: MakeResidentFlags) -> Result<()> {
        let mut resident = lock(&self.resident);
        if *resident {
            return Ok(());
        }
        let mut done = 0;
        for chunk in self.handles().chunks(MAKE_RESIDENT_ALLOC_MAX as usize) {
            let mut arg = MakeResident {
                paging_queue: device.paging_queue().handle(),
                alloc_count: chunk.len() as u32,
                allocation_list: chunk.as_ptr() as u64,
                flags,
                ..Default::default()
            };
            match device.call(&mut arg) {
                Ok(ret) => device.paging_queue().note(ret, arg.paging_fence_value),
                Err(e) => {
                    // All or nothing, as within one request.
                    drop_reference(device, &self.handles()[..done]);
                    return Err(e);
                }
            }
            done += chunk.len();
        }
        *resident = true;
        Ok(())
    }

    /// Gives the residency reference up.
    pub(crate) fn evict(&self, device: &Device) {
        if std::mem::take(&mut *lock(&self.resident)) {
            drop_reference(device, self.handles());
        }
    }

    /// Gives the residency reference up unless somebody is about to use it; how many bytes that made free.
    fn make_room(&self, device: &Device) -> u64 {
        // Whoever has the lock brings it in or takes it away just now.
        let Ok(mut resident) = self.resident.try_lock() else { return 0 };
        // Who holds it looks whether it is resident afterwards, behind the lock; and who held it has noted a use before.
        if !*resident || self.holds.load(SeqCst) > 0 || !self.movable.load(SeqCst) || !self.is_idle() {
            return 0;
        }
        *resident = false;
        drop_reference(device, self.handles());
        self.size.load(SeqCst)
    }

    fn is_idle(&self) -> bool {
        let mut used = lock(&self.used);
        used.marks.retain(|m| !m.is_reached());
        used.marks.is_empty()
    }

    fn note_use(&self, queue: &QueueMark, value: u64, stamp: u64) {
        let mut used = lock(&self.used);
        used.stamp = stamp;
        match used.marks.iter_mut().find(|m| m.progress.ptr_eq(&queue.progress)) {
            Some(mark) => mark.value = mark.value.max(value),
            None => used.marks.push(Mark { progress: queue.progress.clone(), value }),
        }
    }
}

fn drop_reference(device: &Device, handles: &[Handle]) {
    for chunk in handles.chunks(MAKE_RESIDENT_ALLOC_MAX as usize) {
        let mut arg = Evict {
            device: device.handle(),
            alloc_count: chunk.len() as u32,
            allocations: chunk.as_ptr() as u64,
            ..Default::default()
        };
        // It has no status to speak of.
        let _ = device.call(&mut arg);
    }
}

/// The policy of a device.
#[derive(Debug, Default)]
pub(crate) struct Trimmer {
    /// Submissions on their way that do not say what they use; closed once there was not room for all.
    unlisted: Gate,
    clock: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Weak<Entry>>,
    /// Entries after which those that are gone are dropped.
    limit: usize,
    queues: Vec<Weak<QueueMark>>,
    /// The ends of all submissions that did not say what they use, as far as they are not over; known once there is pressure.
    horizon: Option<Vec<Mark>>,
}

impl Trimmer {
    /// Whether submissions have to say what they use.
    pub(crate) fn is_pressed(&self) -> bool {
        self.unlisted.is_closed()
    }

    /// Takes part from now on.
    pub(crate) fn register_queue(&self, progress: &Arc<Fence>) -> Arc<QueueMark> {
        let mark = Arc::new(QueueMark { progress: Arc::downgrade(progress), last: AtomicU64::new(0) });
        let mut state = lock(&self.state);
        state.queues.retain(|q| q.strong_count() > 0);
        state.queues.push(Arc::downgrade(&mark));
        mark
    }

    /// Says whether memory may be moved. What may not is brought in, as far as there is room.
    pub(crate) fn set_movable(&self, device: &Device, entry: &Arc<Entry>, movable: bool) {
        if entry.movable.swap(movable, SeqCst) == movable {
            return;
        }
        if !movable {
            // Where there is no room now, the submissions that may need it look for it again.
            let _ = self.bring(device, entry);
        } else if !entry.registered.swap(true, SeqCst) {
            let mut state = lock(&self.state);
            if state.entries.len() >= state.limit {
                state.entries.retain(|e| e.strong_count() > 0);
                state.limit = 2 * state.entries.len() + 64;
            }
            state.entries.push(Arc::downgrade(entry));
        }
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        lock(&self.state).entries.iter().filter_map(Weak::upgrade).collect()
    }

    /// The first end of a submission of which nobody knows what it uses; `Err` while such a submission is on its way.
    fn horizon(&self) -> std::result::Result<Option<(Arc<Fence>, u64)>, ()> {
        let mut state = lock(&self.state);
        let State { queues, horizon, .. } = &mut *state;
        let marks = match horizon {
            Some(marks) => marks,
            // Whoever comes later sees that there is pressure.
            None if !self.unlisted.is_empty() => return Err(()),
            None => horizon.insert(
                queues
                    .iter()
                    .filter_map(Weak::upgrade)
                    .map(|q| Mark { progress: q.progress.clone(), value: q.last.load(SeqCst) })
                    .collect(),
            ),
        };
        marks.retain(|m| !m.is_reached());
        Ok(marks.iter().find_map(|m| Some((m.progress.upgrade()?, m.value))))
    }

    /// Makes room by moving idle memory; how much that made.
    fn trim(&self, device: &Device, wanted: u64) -> u64 {
        self.unlisted.close();
        if !matches!(self.horizon(), Ok(None)) {
            return 0;
        }
        let mut candidates: Vec<(u32, u64, Arc<Entry>)> = self
            .entries()
            .into_iter()
            .filter(|e| e.movable.load(SeqCst) && e.holds.load(SeqCst) == 0 && e.is_idle())
            .map(|e| {
                let stamp = lock(&e.used).stamp;
                (e.priority.load(SeqCst), stamp, e)
            })
            .collect();
        candidates.sort_by_key(|(priority, stamp, _)| (*priority, *stamp));
        let mut freed = 0;
        for (_, _, entry) in candidates {
            if freed >= wanted {
                break;
            }
            freed += entry.make_room(device);
        }
        freed
    }

    /// Waits for something after which there may be more room, for a moment; false if the time is over or there is nothing. `looks`
    /// counts the times that there was nothing.
    fn wait_for_room(&self, device: &Device, start: Instant, looks: &mut u32) -> bool {
        let limit = PATIENCE.saturating_sub(start.elapsed()).min(SLICE);
        if limit.is_zero() || device.is_lost() {
            return false;
        }
        let end = match self.horizon() {
            Err(()) => None,
            Ok(Some(end)) => Some(end),
            Ok(None) => {
                let entries = self.entries();
                let busy = |e: &&Arc<Entry>| e.movable.load(SeqCst) && e.is_resident() && !e.is_idle();
                match entries.iter().filter(busy).min_by_key(|e| lock(&e.used).stamp) {
                    Some(entry) => {
                        let used = lock(&entry.used);
                        used.marks.iter().find_map(|m| Some((m.progress.upgrade()?, m.value)))
                    }
                    // Somebody is about to use, or just gave up.
                    None if entries.iter().any(|e| e.holds.load(SeqCst) > 0) => None,
                    None => {
                        *looks += 1;
                        if *looks >= LOOKS {
                            return false;
                        }
                        None
                    }
                }
            }
        };
        match end {
            // A failure is that of the device, which the caller notices.
            Some((fence, value)) => drop(fence.wait(value, Some(limit))),
            None => std::thread::sleep(NAP.min(limit)),
        }
        true
    }

    /// Makes memory resident, waiting for others to be done with theirs if need be. What does not fit in the end is told to the
    /// system as such.
    pub(crate) fn bring(&self, device: &Device, entry: &Entry) -> Result<()> {
        let (start, mut looks) = (Instant::now(), 0);
        loop {
            match entry.attempt(device, MakeResidentFlags::default()) {
                Err(e) if e.kind() == ErrorKind::NoMemory => {}
                other => return other,
            }
            let trimmed = start.elapsed() < PATIENCE && self.trim(device, entry.size.load(SeqCst)) > 0;
            if !trimmed && !self.wait_for_room(device, start, &mut looks) {
                return entry.attempt(device, MakeResidentFlags::CANT_TRIM_FURTHER);
            }
        }
    }

    /// Makes what a submission uses resident, and keeps it so until the submission is on its way.
    pub(crate) fn enter(&self, device: &Device, uses: Uses<'_>) -> Result<Admission<'_>> {
        if self.unlisted.enter() {
            return Ok(Admission { trimmer: self, held: None });
        }
        let entries: Vec<Arc<Entry>> = match uses {
            Uses::All => self.entries(),
            Uses::Listed(list) => {
                let left_out = self.entries().into_iter().filter(|e| !e.movable.load(SeqCst) && !e.is_resident());
                list.iter().map(|m| m.entry().clone()).chain(left_out).collect()
            }
        };
        let (start, mut looks) = (Instant::now(), 0);
        loop {
            // All are held before any is brought in, so that one does not make room for another.
            let admission = Admission::hold(self, entries.clone());
            let Err(e) = self.bring_all(device, &entries) else { return Ok(admission) };
            drop(admission);
            if e.kind() != ErrorKind::NoMemory || !self.wait_for_room(device, start, &mut looks) {
                return Err(e);
            }
        }
    }

    fn bring_all(&self, device: &Device, entries: &[Arc<Entry>]) -> Result<()> {
        for entry in entries {
            let mut attempts = 0;
            while let Err(e) = entry.attempt(device, MakeResidentFlags::default()) {
                attempts += 1;
                let again = e.kind() == ErrorKind::NoMemory && attempts < ATTEMPTS;
                if !again || self.trim(device, entry.size.load(SeqCst)) == 0 {
                    return Err(e);
                }
            }
        }
        Ok(())
    }
}

/// A submission on its way.
#[derive(Debug)]
pub(crate) struct Admission<'a> {
    trimmer: &'a Trimmer,
    /// What it uses, if that is known.
    held: Option<Vec<Arc<Entry>>>,
}

impl<'a> Admission<'a> {
    fn hold(trimmer: &'a Trimmer, entries: Vec<Arc<Entry>>) -> Self {
        for entry in &entries {
            entry.holds.fetch_add(1, SeqCst);
        }
        Self { trimmer, held: Some(entries) }
    }

    /// It is queued and done when the queue's progress is at `value`.
    pub(crate) fn queued(self, queue: &QueueMark, value: u64) {
        queue.last.fetch_max(value, SeqCst);
        if let Some(entries) = &self.held {
            let stamp = self.trimmer.clock.fetch_add(1, SeqCst) + 1;
            for entry in entries {
                entry.note_use(queue, value, stamp);
            }
        }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        match &self.held {
            None => self.trimmer.unlisted.leave(),
            Some(entries) => {
                for entry in entries {
                    entry.holds.fetch_sub(1, SeqCst);
                }
            }
        }
    }
}

impl Memory {
    /// Whether a residency reference is held.
    pub fn is_resident(&self) -> bool {
        self.entry().is_resident()
    }

    /// Makes the memory resident, if it is not. When it does not fit, movable memory that is idle makes room; memory in use is waited
    /// for, but not for ever.
    ///
    /// # Errors
    /// [`ErrorKind::NoMemory`] when it does not fit in the end.
    pub fn make_resident(&self) -> Result<()> {
        self.device().trimmer().bring(self.device(), self.entry())
    }

    /// Lets the system take the memory from the GPU; the content stays. The GPU must not use it
    /// until it is made resident again.
    pub fn evict(&self) {
        self.entry().evict(self.device());
    }

    /// Says whether the memory may be moved away from the GPU whenever no submission uses it. Such memory has to be listed
    /// by submissions that use it ([`Submission::uses`](crate::Submission)).
    pub fn set_movable(&self, movable: bool) {
        self.device().trimmer().set_movable(self.device(), self.entry(), movable);
    }
}

impl Device {
    /// Whether there was not room for all memory once, so that submissions should say what they use. They need not: those that do
    /// not use everything.
    pub fn is_pressed(&self) -> bool {
        self.trimmer().is_pressed()
    }
}
