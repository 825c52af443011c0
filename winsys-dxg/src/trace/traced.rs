//! The recorder.

use super::buffers::{places, read_after, read_before};
use super::format::{write_header, Check, IoctlRecord, ProcessRecord, Record, Snapshot};
use super::snapshot::PageHashes;
use super::tracker::{Settled, Tracker};
use crate::sys::ProcessMemory;
use dxg_abi::{Handle, Ioctl, Node};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long the recorder waits for work to finish.
const SETTLE: Duration = Duration::from_secs(10);

struct State {
    out: Box<dyn Write + Send>,
    error: Option<io::Error>,
    tracker: Tracker,
    known: HashMap<Handle, PageHashes>,
    /// Whether the GPU may have changed memory since it was last looked at with the GPU idle.
    uncertain: bool,
}

impl State {
    fn put(&mut self, record: &Record) {
        if self.error.is_none() {
            self.error = record.write(&mut *self.out).err();
        }
    }

    /// Looks at CPU-visible memory and returns what changed, for allocations that `wanted` picks.
    fn changes(
        &mut self,
        memory: &ProcessMemory,
        wanted: impl Fn(Handle) -> bool,
    ) -> Vec<(Handle, Vec<super::PageData>)> {
        let mut out = Vec::new();
        for (handle, tracked) in self.tracker.allocations() {
            let Some(source) = tracked.source().filter(|_| wanted(handle)) else { continue };
            let Some(hashes) = PageHashes::zeros(tracked.size) else { continue };
            let slot = self.known.entry(handle).or_insert_with(|| hashes.clone());
            if slot.len() < hashes.len() {
                // It turned out to be larger than was known: look at all of it again.
                *slot = hashes;
            }
            out.push((handle, slot.update(memory, &source)));
        }
        out.sort_by_key(|(handle, _)| *handle);
        out
    }

    fn record_pages(&mut self, memory: &ProcessMemory, certain: bool) {
        for (handle, pages) in self.changes(memory, |_| true) {
            if !pages.is_empty() {
                self.put(&Record::Pages(Snapshot { allocation: handle.0, certain, pages }));
            }
        }
    }

    fn record_checks(&mut self, memory: &ProcessMemory, certain: bool, wanted: impl Fn(Handle) -> bool) {
        for (handle, pages) in self.changes(memory, wanted) {
            let Some(hashes) = self.known.get(&handle) else { continue };
            let check = Check { allocation: handle.0, certain, size: hashes.size(), hash: hashes.digest(), pages };
            self.put(&Record::Check(check));
        }
    }

    /// Before a submission: what the CPU changed.
    fn before_submission(&mut self, memory: &ProcessMemory) {
        match self.tracker.settle(SETTLE) {
            Settled::Idle => {
                let certain = !self.uncertain;
                self.record_pages(memory, certain);
                self.uncertain = false;
            }
            // Further commands of one submission: memory was looked at before the first.
            Settled::Unsignalled => {}
            Settled::Waiting => {
                self.record_pages(memory, false);
                self.uncertain = true;
            }
        }
    }

    /// After work was given an end: what the GPU changed.
    fn after_signal(&mut self, memory: &ProcessMemory) {
        match self.tracker.settle(SETTLE) {
            Settled::Idle if !self.uncertain => self.record_checks(memory, true, |_| true),
            Settled::Idle | Settled::Unsignalled => {}
            Settled::Waiting => self.uncertain = true,
        }
    }
}

fn this_process() -> ProcessRecord {
    let program = std::env::current_exe().ok();
    let name = program.as_ref().and_then(|p| p.file_name()).map(|n| n.to_string_lossy().into_owned());
    ProcessRecord { pid: std::process::id(), name: name.unwrap_or_default() }
}

/// A node that records what passes through it.
///
/// Recording makes requests slower and lets submissions run one after the other. An error
/// of the writer ends the recording, never the program; see [`Traced::finish`].
pub struct Traced<N: Node> {
    inner: N,
    memory: ProcessMemory,
    state: Mutex<State>,
}

impl<N: Node> std::fmt::Debug for Traced<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Traced").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Requests that give the GPU commands, before which memory is looked at.
fn is_submission(ioctl: Ioctl) -> bool {
    matches!(ioctl, Ioctl::SubmitCommand | Ioctl::SubmitCommandToHwQueue | Ioctl::UpdateGpuVirtualAddress)
}

/// Requests after which work has an end that can be waited for.
fn is_signal(ioctl: Ioctl) -> bool {
    matches!(
        ioctl,
        Ioctl::SubmitCommandToHwQueue
            | Ioctl::UpdateGpuVirtualAddress
            | Ioctl::SignalSynchronizationObjectFromGpu
            | Ioctl::SignalSynchronizationObjectFromGpu2
            | Ioctl::SubmitSignalSyncObjectsToHwQueue
    )
}

impl<N: Node> Traced<N> {
    /// Records what passes to `inner` into a writer, which should be buffered.
    ///
    /// # Errors
    /// Those of the writer, and of opening the process's own memory.
    pub fn new(inner: N, mut writer: impl Write + Send + 'static) -> io::Result<Self> {
        write_header(&mut writer)?;
        Record::Process(this_process()).write(&mut writer)?;
        let state = State {
            out: Box::new(writer),
            error: None,
            tracker: Tracker::default(),
            known: HashMap::new(),
            uncertain: false,
        };
        Ok(Self { inner, memory: ProcessMemory::open()?, state: Mutex::new(state) })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up what unfinished work left in memory and flushes the writer. Dropping does
    /// the same, without the error.
    ///
    /// # Errors
    /// The first error of the writer, if there was one; it is reported once.
    pub fn finish(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.tracker.settle(SETTLE) == Settled::Idle && std::mem::take(&mut state.uncertain) {
            state.record_checks(&self.memory, false, |_| true);
        }
        match state.error.take() {
            Some(e) => Err(e),
            None => state.out.flush(),
        }
    }
}

impl<N: Node> Node for Traced<N> {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        let known = Ioctl::from_request(request).filter(|i| arg.len() >= i.arg_size());
        let Some(ioctl) = known else {
            let (before, result) = (arg.to_vec(), self.inner.ioctl(request, arg));
            let (after, buffers) = (arg.to_vec(), Vec::new());
            self.state().put(&Record::Ioctl(IoctlRecord { request, result, before, after, buffers }));
            return result;
        };
        let size = ioctl.arg_size();
        let before = arg[..size].to_vec();
        let mut places = places(&self.memory, ioctl, &before);
        let mut buffers = read_before(&self.memory, &mut places);

        // Submissions and ends of objects keep the recorder to themselves until they are through.
        // The rest may block, or run at the same time, and is recorded afterwards.
        let mut held = None;
        if is_submission(ioctl) {
            let mut state = self.state();
            state.before_submission(&self.memory);
            held = Some(state);
        } else {
            let mut state = self.state();
            let ending = state.tracker.ending(ioctl, &before, &buffers);
            if state.uncertain && !ending.is_empty() && state.tracker.settle(SETTLE) == Settled::Idle {
                state.record_checks(&self.memory, false, |h| ending.contains(&h));
            }
            state.tracker.forget(ioctl, &before, &buffers);
            for handle in ending {
                state.known.remove(&handle);
            }
        }

        let result = self.inner.ioctl(request, arg);
        let after = arg[..size].to_vec();
        read_after(&self.memory, &places, &mut buffers);
        let mut state = held.unwrap_or_else(|| self.state());
        if result >= 0 {
            state.tracker.observe(ioctl, &before, &after, &buffers);
        }
        state.put(&Record::Ioctl(IoctlRecord { request, result, before, after, buffers }));
        if result >= 0 && is_signal(ioctl) {
            state.after_signal(&self.memory);
        }
        result
    }

    fn describe(&self) -> String {
        format!("{} (traced)", self.inner.describe())
    }
}

impl<N: Node> Drop for Traced<N> {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}
