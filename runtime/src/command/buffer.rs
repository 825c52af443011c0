//! Command buffers.

use crate::command::memory::{CommandMemory, Segment, Sink};
use crate::command::pool::CommandPool;
use crate::command::state::{BindState, PushedSet};
use crate::command::stream::{DispatchState, Record, Stream};
use crate::command::Dependency;
use crate::descriptor_set::DescriptorSet;
use crate::descriptor_write::SetWriter;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::lock::lock;
use crate::pipeline::Program;
use crate::pipeline_layout::PipelineLayout;
use crate::point::Point;
use ash::vk;
use smallvec::SmallVec;
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
            inner: Mutex::new(Inner {
                state: CommandState::Initial,
                usage: vk::CommandBufferUsageFlags::empty(),
                stream: Stream::default(),
                bind: BindState::default(),
                memory: CommandMemory::default(),
                segments: SmallVec::new(),
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
        inner.memory.recycle(&self.pool);
        if release {
            inner.stream.release();
        } else {
            inner.stream.clear();
        }
        inner.bind.clear();
        inner.segments.clear();
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
        if let Some(e) = inner.error.take() {
            inner.state = CommandState::Invalid;
            return Err(e);
        }
        inner.bind.clear();
        // Secondary command buffers are encoded as a part of the primary ones that execute them.
        if self.level == vk::CommandBufferLevel::PRIMARY && inner.stream.len() > 0 {
            let gpu = &**self.pool.device().gpu();
            let commands = inner.stream.commands()?;
            let link = gpu.chain_size().min(64) as u64;
            let encoded = gpu.encode(&commands, &mut Sink { memory: &mut inner.memory, pool: &self.pool, link });
            drop(commands);
            if let Err(e) = encoded {
                inner.state = CommandState::Invalid;
                return Err(e.into());
            }
            inner.segments = inner.memory.finish(gpu);
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

    /// Records with the inner state; an error is kept for the end.
    pub(crate) fn record(&self, f: impl FnOnce(&mut Inner) -> Result<()>) {
        let mut inner = lock(&self.inner);
        if inner.state != CommandState::Recording || inner.error.is_some() {
            return;
        }
        if let Err(e) = f(&mut inner) {
            inner.error = Some(e);
        }
    }

    /// Makes the recording fail: [`end`](Self::end) returns the error, unless an earlier one.
    pub fn refuse(&self, error: Error) {
        self.record(|_| Err(error));
    }

    /// vkCmdBindPipeline and vkCmdBindShadersEXT; `None` unbinds.
    pub fn bind_program(&self, program: Option<&Arc<Program>>) {
        self.record(|inner| {
            inner.bind.bind_program(program);
            Ok(())
        });
    }

    /// vkCmdBindDescriptorSets: dynamic offsets in the order of sets, bindings and elements.
    pub fn bind_sets(
        &self,
        _layout: &PipelineLayout,
        first: u32,
        sets: &[Option<&DescriptorSet>],
        dynamic_offsets: &[u32],
    ) {
        self.record(|inner| {
            let mut offsets = dynamic_offsets;
            for (number, set) in (first..).zip(sets) {
                let Some(bound) = inner.bind.set_mut(number) else { continue };
                bound.pushed = None;
                bound.dynamic.clear();
                bound.address = 0;
                let Some(set) = set else { continue };
                bound.address = set.address();
                let count = (set.layout().dynamic_count() as usize).min(offsets.len());
                let (own, rest) = offsets.split_at(count);
                offsets = rest;
                if set.layout().dynamic_count() > 0 {
                    set.resolve_dynamic(own, &mut bound.dynamic);
                }
            }
            Ok(())
        });
    }

    /// vkCmdPushDescriptorSet: `f` writes the descriptors; those it leaves alone keep what was pushed before.
    pub fn push_set(&self, layout: &PipelineLayout, set: u32, f: impl FnOnce(&mut SetWriter<'_>) -> Result<()>) {
        let gpu = self.pool.device().gpu();
        self.record(|inner| {
            let set_layout = layout
                .set(set)
                .ok_or_else(|| Error::Unknown(format!("the pipeline layout has no descriptor set {set}")))?;
            let bound = inner
                .bind
                .set_mut(set)
                .ok_or_else(|| Error::Unknown(format!("descriptor set {set} is out of range")))?;
            // What was pushed stays as long as the layout is the same kind of set.
            let keep = bound.pushed.as_ref().is_some_and(|p| {
                Arc::ptr_eq(&p.layout, set_layout) || {
                    let (mut a, mut b) = (Vec::new(), Vec::new());
                    p.layout.describe(&mut a);
                    set_layout.describe(&mut b);
                    a == b
                }
            });
            if !keep {
                let mut shadow = Vec::new();
                shadow.try_reserve_exact(set_layout.size as usize)?;
                shadow.resize(set_layout.size as usize, 0);
                SetWriter::over(&**gpu, set_layout, &mut shadow).initialise();
                bound.dynamic.clear();
                bound.pushed = Some(PushedSet { layout: set_layout.clone(), shadow, dirty: true });
            }
            let Some(pushed) = bound.pushed.as_mut() else { return Ok(()) };
            pushed.dirty = true;
            f(&mut SetWriter::over(&**gpu, set_layout, &mut pushed.shadow))
        });
    }

    /// vkCmdBindDescriptorBuffersEXT: what was bound before is not any more.
    pub fn bind_descriptor_buffers(&self, addresses: &[u64]) {
        self.record(|inner| {
            inner.bind.buffers = SmallVec::from_slice(addresses);
            Ok(())
        });
    }

    /// vkCmdSetDescriptorBufferOffsetsEXT: sets from `first` on stand in these buffers at these offsets.
    pub fn set_descriptor_buffer_offsets(&self, first: u32, indices: &[u32], offsets: &[u64]) {
        self.record(|inner| {
            for (set, (index, offset)) in (first..).zip(indices.iter().zip(offsets)) {
                let base = inner
                    .bind
                    .buffers
                    .get(*index as usize)
                    .copied()
                    .ok_or_else(|| Error::Unknown(format!("descriptor buffer {index} is not bound")))?;
                inner.bind.bind_address(set, base.wrapping_add(*offset));
            }
            Ok(())
        });
    }

    /// vkCmdBindDescriptorBufferEmbeddedSamplersEXT: the set is what the layout's immutable samplers say.
    pub fn bind_embedded_samplers(&self, layout: &PipelineLayout, set: u32) {
        let gpu = self.pool.device().gpu();
        self.record(|inner| {
            let set_layout = layout
                .set(set)
                .ok_or_else(|| Error::Unknown(format!("the pipeline layout has no descriptor set {set}")))?;
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(set_layout.size as usize)?;
            bytes.resize(set_layout.size as usize, 0);
            SetWriter::over(&**gpu, set_layout, &mut bytes).initialise();
            let address = match bytes.is_empty() {
                true => 0,
                false => inner.memory.upload(&self.pool, &bytes, u64::from(set_layout.align))?,
            };
            inner.bind.bind_address(set, address);
            Ok(())
        });
    }

    /// vkCmdBindResourceHeapEXT, vkCmdBindSamplerHeapEXT.
    pub fn bind_descriptor_heap(&self, sampler: bool, address: u64) {
        self.record(|inner| {
            inner.bind.bind_heap(sampler, address);
            Ok(())
        });
    }

    /// vkCmdPushConstants, vkCmdPushDataEXT.
    pub fn push_constants(&self, offset: u32, bytes: &[u8]) {
        self.record(|inner| {
            inner.bind.push_constants(offset, bytes);
            Ok(())
        });
    }

    /// vkCmdDispatchBase. Zero groups in any dimension run nothing.
    pub fn dispatch(&self, base: [u32; 3], groups: [u32; 3]) {
        self.record(|inner| {
            if groups.contains(&0) {
                return Ok(());
            }
            match inner.dispatch_state(&self.pool)? {
                Some(state) => inner.stream.push(Record::Dispatch { state, base, groups }),
                None => Ok(()),
            }
        });
    }

    /// vkCmdDispatchIndirect2KHR: the numbers of groups stand at an address.
    pub fn dispatch_indirect(&self, indirect: u64) {
        self.record(|inner| match inner.dispatch_state(&self.pool)? {
            Some(state) => inner.stream.push(Record::DispatchIndirect { state, indirect }),
            None => Ok(()),
        });
    }

    /// vkCmdPipelineBarrier: all barriers of the command together.
    pub fn barrier(&self, dependency: &Dependency) {
        self.record(|inner| inner.stream.push(Record::Barrier { dependency: *dependency }));
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
    pub(super) fn dispatch_state(&mut self, pool: &CommandPool) -> Result<Option<DispatchState>> {
        let Inner { bind, stream, memory, .. } = self;
        bind.dispatch(stream, |data, align| memory.upload(pool, data, align))
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
