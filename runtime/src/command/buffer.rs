//! Command buffers.

use crate::command::bound::Bound;
use crate::command::memory::{CommandMemory, Segment, Sink};
use crate::command::pool::CommandPool;
use crate::command::stage::{Stage, StageSink};
use crate::command::state::BindState;
use crate::command::stream::{DispatchState, Record, Stream};
use crate::command::Dependency;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::gpu::{Gpu, GpuCmd};
use crate::lock::lock;
use crate::point::Point;
use ash::vk;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// State of a command buffer (Vulkan specification, "Command Buffer Lifecycle").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandState {
    /// Nothing is recorded.
    Initial,
    /// Between begin and end.
    Recording,
    /// Ready to be submitted.
    Executable,
    /// Submitted, not finished.
    Pending,
    /// Used up (one-time), or recording failed.
    Invalid,
}

/// A VkCommandBuffer.
#[derive(Debug)]
pub struct CommandBuffer {
    pool: Arc<CommandPool>,
    level: vk::CommandBufferLevel,
    gpu: Arc<dyn Gpu>,
    bound: Bound,
    stage: Stage,
    /// Lock order: before pool.
    inner: Mutex<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    state: CommandState,
    usage: vk::CommandBufferUsageFlags,
    pub stream: Stream,
    pub bind: BindState,
    pub memory: CommandMemory,
    segments: SmallVec<[Segment; 1]>,
    /// The last barrier, and where its packet is on the stage.
    barrier: Option<(Dependency, Range<usize>)>,
    /// First error of recording; the end reports it.
    error: Option<Error>,
    /// The last submission.
    last: Option<Point>,
    labels: Vec<String>,
}

impl CommandBuffer {
    pub(crate) fn new(pool: &Arc<CommandPool>, level: vk::CommandBufferLevel) -> CommandBuffer {
        CommandBuffer {
            pool: pool.clone(),
            level,
            gpu: pool.device().gpu().clone(),
            bound: Bound::default(),
            stage: Stage::default(),
            inner: Mutex::new(Inner {
                state: CommandState::Initial,
                usage: vk::CommandBufferUsageFlags::empty(),
                stream: Stream::default(),
                bind: BindState::default(),
                memory: CommandMemory::default(),
                segments: SmallVec::new(),
                barrier: None,
                error: None,
                last: None,
                labels: Vec::new(),
            }),
        }
    }

    /// Level.
    pub fn level(&self) -> vk::CommandBufferLevel {
        self.level
    }

    /// What is bound.
    pub(super) fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Its pool.
    pub fn pool(&self) -> &Arc<CommandPool> {
        &self.pool
    }

    /// State.
    pub fn state(&self) -> CommandState {
        let mut inner = lock(&self.inner);
        if inner.state == CommandState::Pending {
            let done = inner.last.as_ref().is_none_or(|p| p.is_reached().unwrap_or(true));
            if done {
                inner.finish_pending();
            }
        }
        inner.state
    }

    fn clear(&self, inner: &mut Inner, release: bool) {
        self.stage.clear();
        self.bound.clear();
        inner.memory.recycle(&self.pool);
        if release {
            inner.stream.release();
        } else {
            inner.stream.clear();
        }
        inner.bind.clear();
        inner.segments.clear();
        inner.barrier = None;
        inner.error = None;
        inner.last = None;
        inner.labels.clear();
        inner.state = CommandState::Initial;
    }

    /// Starts recording; what was recorded is gone.
    ///
    /// # Errors
    /// None.
    pub fn begin(&self, usage: vk::CommandBufferUsageFlags) -> Result<()> {
        let mut inner = lock(&self.inner);
        self.clear(&mut inner, false);
        inner.usage = usage;
        inner.state = CommandState::Recording;
        self.stage.set_open(self.is_primary());
        Ok(())
    }

    /// Ends recording and makes packets.
    ///
    /// # Errors
    /// What went wrong first since the beginning.
    pub fn end(&self) -> Result<()> {
        let mut guard = lock(&self.inner);
        let inner = &mut *guard;
        if inner.state != CommandState::Recording {
            return Err(Error::Unknown("the command buffer is not recording".to_owned()));
        }
        inner.state = CommandState::Invalid;
        if let Some(e) = inner.error.take() {
            return Err(e);
        }
        inner.bind.clear();
        // Secondary command buffers are encoded as a part of the primary ones that execute them.
        if self.is_primary() {
            self.unstage(inner)?;
            self.stage.set_open(false);
            if inner.memory.has_packets() {
                self.gpu.encode(&[GpuCmd::End], &mut self.sink(&mut inner.memory))?;
                inner.segments = inner.memory.finish(&*self.gpu);
            }
        }
        inner.state = CommandState::Executable;
        Ok(())
    }

    /// Back to the initial state; with `release` its memory goes back too.
    ///
    /// # Errors
    /// None.
    pub fn reset(&self, release: bool) -> Result<()> {
        self.clear(&mut lock(&self.inner), release);
        Ok(())
    }

    pub(crate) fn reset_from_pool(&self, release: bool) {
        self.clear(&mut lock(&self.inner), release);
    }

    /// What is to be submitted; nothing unless executable.
    pub(crate) fn segments(&self) -> SmallVec<[Segment; 1]> {
        let inner = lock(&self.inner);
        match inner.state {
            CommandState::Executable | CommandState::Pending => inner.segments.clone(),
            CommandState::Initial | CommandState::Recording | CommandState::Invalid => SmallVec::new(),
        }
    }

    /// Shows the packets, and what was placed beside them.
    pub(crate) fn contents(&self, show: &mut dyn FnMut(&[u8])) {
        lock(&self.inner).memory.contents(show);
    }

    /// Notes a submission; `None` is one that is finished at once.
    pub(crate) fn submitted(&self, point: Option<Point>) {
        let mut inner = lock(&self.inner);
        if !matches!(inner.state, CommandState::Executable | CommandState::Pending) {
            return;
        }
        inner.state = CommandState::Pending;
        inner.last = point;
        if inner.last.is_none() {
            inner.finish_pending();
        }
    }

    fn is_primary(&self) -> bool {
        self.level == vk::CommandBufferLevel::PRIMARY
    }

    fn sink<'a>(&'a self, memory: &'a mut CommandMemory) -> Sink<'a> {
        let link = self.gpu.chain_size().min(64) as u64;
        Sink { memory, pool: &self.pool, link }
    }

    /// Moves packets on that were put on the stage.
    fn unstage(&self, inner: &mut Inner) -> Result<()> {
        inner.barrier = None;
        Ok(self.stage.drain(&mut self.sink(&mut inner.memory))?)
    }

    /// Makes packets of what is recorded: on the stage, or behind what was there if they do not fit.
    fn encode(&self, inner: &mut Inner) -> Result<()> {
        let stream = std::mem::take(&mut inner.stream);
        let done = stream.commands().try_for_each(|command| {
            let mark = self.stage.mark();
            if self.gpu.encode(std::slice::from_ref(&command), &mut StageSink(&self.stage)).is_ok() {
                return Ok(());
            }
            self.stage.rewind(mark);
            self.unstage(inner)?;
            Ok(self.gpu.encode(&[command], &mut self.sink(&mut inner.memory))?)
        });
        inner.stream = stream;
        inner.stream.clear();
        done
    }

    /// Records with the inner state; an error is kept for the end.
    pub(crate) fn record(&self, f: impl FnOnce(&mut Inner) -> Result<()>) {
        self.with_inner(|inner| {
            f(inner)?;
            if self.is_primary() {
                self.encode(inner)?;
            }
            Ok(())
        });
    }

    /// Changes what is bound; an error is kept for the end.
    pub(super) fn with_inner(&self, f: impl FnOnce(&mut Inner) -> Result<()>) {
        let mut inner = lock(&self.inner);
        if inner.state != CommandState::Recording || inner.error.is_some() {
            return;
        }
        if let Err(e) = f(&mut inner) {
            inner.error = Some(e);
            self.stage.set_open(false);
        }
    }

    /// Makes the recording fail: [`end`](Self::end) returns the error, unless an earlier one.
    pub fn refuse(&self, error: Error) {
        self.record(|_| Err(error));
    }

    /// vkCmdDispatchBase. Zero groups in any dimension run nothing.
    #[inline]
    pub fn dispatch(&self, base: [u32; 3], groups: [u32; 3]) {
        if !groups.contains(&0) && !self.stage_dispatch(base, groups) {
            self.record_dispatch(base, groups);
        }
    }

    #[inline(never)]
    fn record_dispatch(&self, base: [u32; 3], groups: [u32; 3]) {
        // The stage may have been full.
        self.with_inner(|inner| self.unstage(inner));
        if self.stage_dispatch(base, groups) {
            return;
        }
        self.record(|inner| match inner.dispatch_state(&self.bound, &self.pool)? {
            Some(state) => inner.stream.push(Record::Dispatch { state, base, groups }),
            None => Ok(()),
        });
    }

    /// Makes the packet of a dispatch without taking the lock, where all it needs is numbers and nothing is to come before it.
    #[inline(always)]
    fn stage_dispatch(&self, base: [u32; 3], groups: [u32; 3]) -> bool {
        if !self.stage.is_open() {
            return false;
        }
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let grid = [pair(base[0], base[1]), pair(base[2], groups[0]), pair(groups[1], groups[2])];
        let Some(dispatch) = self.bound.plain_dispatch(grid) else { return false };
        self.stage.put(|room| self.gpu.store_dispatch(&dispatch, room))
    }

    /// vkCmdDispatchIndirect2KHR: the numbers of groups stand at an address.
    pub fn dispatch_indirect(&self, indirect: u64) {
        self.record(|inner| match inner.dispatch_state(&self.bound, &self.pool)? {
            Some(state) => inner.stream.push(Record::DispatchIndirect { state, indirect }),
            None => Ok(()),
        });
    }

    /// vkCmdPipelineBarrier: all barriers of the command together.
    pub fn barrier(&self, dependency: &Dependency) {
        self.with_inner(|inner| {
            let mut dependency = *dependency;
            // Two barriers with nothing between them are one.
            if let Some((last, packet)) = inner.barrier.take().filter(|(_, packet)| packet.end == self.stage.mark()) {
                dependency.merge(&last);
                self.stage.rewind(packet.start);
            }
            inner.stream.push(Record::Barrier { dependency })?;
            if self.is_primary() {
                let start = self.stage.mark();
                self.encode(inner)?;
                // Where the stage was full it begins again, with nothing on it.
                let packet = start..self.stage.mark();
                inner.barrier = (packet.start < packet.end).then_some((dependency, packet));
            }
            Ok(())
        });
    }

    /// vkCmdSetEvent.
    pub fn set_event(&self, event: &Event, _dependency: &Dependency) {
        self.record(|inner| inner.stream.push(Record::SetEvent { event: event.address(), value: 1 }));
    }

    /// vkCmdResetEvent.
    pub fn reset_event(&self, event: &Event, _stages: vk::PipelineStageFlags2) {
        self.record(|inner| inner.stream.push(Record::SetEvent { event: event.address(), value: 0 }));
    }

    /// vkCmdWriteMarkerToMemoryAMD: the word is stored when everything before is finished, which is allowed for every stage.
    pub fn write_marker(&self, address: u64, marker: u32) {
        self.record(|inner| inner.stream.push(Record::SetEvent { event: address, value: marker }));
    }

    /// vkCmdBeginConditionalRendering2EXT: the condition is a word at an address.
    pub fn begin_condition(&self, word: u64, inverted: bool) {
        self.record(|inner| inner.stream.push(Record::BeginCondition { word, inverted }));
    }

    /// vkCmdEndConditionalRenderingEXT.
    pub fn end_condition(&self) {
        self.record(|inner| inner.stream.push(Record::EndCondition));
    }

    /// vkCmdWaitEvents.
    pub fn wait_events(&self, events: &[&Event], dependency: &Dependency) {
        self.record(|inner| {
            for event in events {
                inner.stream.push(Record::WaitEvent { event: event.address() })?;
            }
            inner.stream.push(Record::Barrier { dependency: *dependency })
        });
    }

    /// vkCmdExecuteCommands.
    pub fn execute(&self, secondaries: &[&CommandBuffer]) {
        self.record(|inner| {
            for secondary in secondaries {
                // A command buffer cannot execute itself; asking for it must not lock up.
                if std::ptr::eq(*secondary, self) {
                    return Err(Error::Unknown("a command buffer executes itself".to_owned()));
                }
                inner.stream.append(&lock(&secondary.inner).stream)?;
            }
            // What is bound is undefined afterwards; nothing of it may be taken for placed in the stream. Heaps are the same for all.
            inner.bind.clear_but_heaps();
            self.bound.clear();
            Ok(())
        });
    }

    /// Opens a debug label region.
    pub fn label_begin(&self, name: &str) {
        lock(&self.inner).labels.push(name.to_owned());
    }

    /// Closes a debug label region.
    pub fn label_end(&self) {
        lock(&self.inner).labels.pop();
    }

    /// A single debug label; nothing keeps it.
    pub fn label_insert(&self, _name: &str) {}

    /// Open label regions, outermost first, for debug messages.
    pub fn labels(&self) -> Vec<String> {
        lock(&self.inner).labels.clone()
    }
}

impl Inner {
    /// Places what a dispatch of the bound program needs; `None` without one.
    pub(super) fn dispatch_state(&mut self, bound: &Bound, pool: &CommandPool) -> Result<Option<DispatchState>> {
        let Inner { bind, stream, memory, .. } = self;
        bind.dispatch(bound, stream, |data, align| memory.upload(pool, data, align))
    }

    fn finish_pending(&mut self) {
        let once = self.usage.contains(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
        self.state = if once { CommandState::Invalid } else { CommandState::Executable };
        self.last = None;
    }
}

impl Drop for CommandBuffer {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.memory.recycle(&self.pool);
    }
}
