//! The recorded form of a command buffer: small records whose variable parts stand in shared arenas.

use crate::error::Result;
use crate::gpu::{BlitRegion, DynamicBuffer, GeneratedToken, GpuCmd, TexelRegion};
use ash::vk;

/// A run of elements of an arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

/// What a dispatch finds its data with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DispatchState {
    pub kernel: u64,
    pub kernel_bytes: u64,
    pub push: Span,
    pub sets: Span,
    pub dynamic: Span,
}

/// Image copies and clears; boxed, because they are rare and large.
#[derive(Clone, Debug)]
pub(crate) enum ImageRecord {
    FromBuffer { buffer: u64, row_pitch: u64, slice_pitch: u64, image: TexelRegion, extent: [u32; 3] },
    ToBuffer { buffer: u64, row_pitch: u64, slice_pitch: u64, image: TexelRegion, extent: [u32; 3] },
    Copy { src: TexelRegion, dst: TexelRegion, extent: [u32; 3] },
    Blit { src: BlitRegion, dst: BlitRegion, filter: vk::Filter },
    Clear { image: TexelRegion, extent: [u32; 3], color: [u32; 4] },
}

/// What generated commands have besides the state of a dispatch; boxed, because they are rare.
#[derive(Clone, Debug)]
pub(crate) struct GeneratedRecord {
    pub tokens: Vec<GeneratedToken>,
    pub sequences: u32,
    pub count: u64,
}

/// A recorded command.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    Dispatch { state: DispatchState, base: [u32; 3], groups: [u32; 3] },
    DispatchIndirect { state: DispatchState, indirect: u64 },
    DispatchGenerated { state: DispatchState, generated: Box<GeneratedRecord> },
    CopyBuffer { src: u64, dst: u64, size: u64 },
    FillBuffer { dst: u64, size: u64, value: u32 },
    UpdateBuffer { dst: u64, data: Span },
    Image(Box<ImageRecord>),
    Barrier { dependency: crate::command::Dependency },
    WriteTimestamp { query: u64 },
    SetEvent { event: u64, value: u32 },
    WaitEvent { event: u64 },
    BeginCondition { word: u64, inverted: bool },
    EndCondition,
    BeginStatistics { query: u64 },
    EndStatistics { query: u64 },
    WriteQuery { query: u64, value: u64 },
    ResetQueries { first: u64, count: u32 },
    CopyQueryResults { first: u64, count: u32, dst: u64, stride: u64, flags: vk::QueryResultFlags, values: u32 },
    MemoryRegions { table: u64, stride: u32, max: u32, count: u64, compressed: bool },
}

/// Records and arenas.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    records: Vec<Record>,
    bytes: Vec<u8>,
    words: Vec<u64>,
    dynamics: Vec<DynamicBuffer>,
    /// What dispatches placed last, in each of the arenas: mostly the next one needs the same.
    last: [Span; 3],
}

/// Arenas are indexed with 32 bits.
fn place<T: Copy>(arena: &mut Vec<T>, items: &[T]) -> Result<Span> {
    let start = u32::try_from(arena.len()).map_err(|_| crate::Error::OutOfHostMemory)?;
    let len = u32::try_from(items.len()).map_err(|_| crate::Error::OutOfHostMemory)?;
    arena.try_reserve(items.len())?;
    arena.extend_from_slice(items);
    Ok(Span { start, len })
}

/// As [`place`], unless the same was placed last.
fn place_again<T: Copy + PartialEq>(arena: &mut Vec<T>, last: &mut Span, items: &[T]) -> Result<Span> {
    if slice(arena, *last) != items {
        *last = place(arena, items)?;
    }
    Ok(*last)
}

fn slice<T>(arena: &[T], span: Span) -> &[T] {
    let start = span.start as usize;
    arena.get(start..start + span.len as usize).unwrap_or(&[])
}

impl Stream {
    /// Forgets everything but keeps the capacity.
    pub fn clear(&mut self) {
        self.records.clear();
        self.bytes.clear();
        self.words.clear();
        self.dynamics.clear();
        self.last = Default::default();
    }

    /// Gives the capacity back.
    pub fn release(&mut self) {
        *self = Stream::default();
    }

    pub fn place_bytes(&mut self, bytes: &[u8]) -> Result<Span> {
        place(&mut self.bytes, bytes)
    }

    /// Push constants of a dispatch.
    pub fn place_push(&mut self, bytes: &[u8]) -> Result<Span> {
        place_again(&mut self.bytes, &mut self.last[0], bytes)
    }

    pub fn place_words(&mut self, words: &[u64]) -> Result<Span> {
        place_again(&mut self.words, &mut self.last[1], words)
    }

    pub fn place_dynamics(&mut self, dynamics: &[DynamicBuffer]) -> Result<Span> {
        place_again(&mut self.dynamics, &mut self.last[2], dynamics)
    }

    pub fn push(&mut self, record: Record) -> Result<()> {
        if let (Record::Barrier { dependency }, Some(Record::Barrier { dependency: last })) =
            (&record, self.records.last_mut())
        {
            // Two barriers with nothing between them are one.
            last.merge(dependency);
            return Ok(());
        }
        if self.records.len() == self.records.capacity() {
            self.records.try_reserve(64)?;
        }
        self.records.push(record);
        Ok(())
    }

    /// Appends everything another stream holds.
    pub fn append(&mut self, other: &Stream) -> Result<()> {
        let bytes = place(&mut self.bytes, &other.bytes)?.start;
        let words = place(&mut self.words, &other.words)?.start;
        let dynamics = place(&mut self.dynamics, &other.dynamics)?.start;
        self.records.try_reserve(other.records.len())?;
        let moved = |span: Span, by: u32| Span { start: span.start.saturating_add(by), len: span.len };
        let state = |s: DispatchState| DispatchState {
            push: moved(s.push, bytes),
            sets: moved(s.sets, words),
            dynamic: moved(s.dynamic, dynamics),
            ..s
        };
        for record in &other.records {
            let record = match record {
                Record::Dispatch { state: s, base, groups } => {
                    Record::Dispatch { state: state(*s), base: *base, groups: *groups }
                }
                Record::DispatchIndirect { state: s, indirect } => {
                    Record::DispatchIndirect { state: state(*s), indirect: *indirect }
                }
                Record::DispatchGenerated { state: s, generated } => {
                    Record::DispatchGenerated { state: state(*s), generated: generated.clone() }
                }
                Record::UpdateBuffer { dst, data } => Record::UpdateBuffer { dst: *dst, data: moved(*data, bytes) },
                Record::CopyBuffer { .. }
                | Record::FillBuffer { .. }
                | Record::Image(_)
                | Record::Barrier { .. }
                | Record::WriteTimestamp { .. }
                | Record::SetEvent { .. }
                | Record::WaitEvent { .. }
                | Record::BeginCondition { .. }
                | Record::EndCondition
                | Record::BeginStatistics { .. }
                | Record::EndStatistics { .. }
                | Record::WriteQuery { .. }
                | Record::ResetQueries { .. }
                | Record::CopyQueryResults { .. }
                | Record::MemoryRegions { .. } => record.clone(),
            };
            self.push(record)?;
        }
        Ok(())
    }

    /// The commands as GPUs see them.
    pub fn commands(&self) -> impl Iterator<Item = GpuCmd<'_>> {
        self.records.iter().map(|r| self.command(r))
    }

    fn command<'a>(&'a self, record: &'a Record) -> GpuCmd<'a> {
        match *record {
            Record::Dispatch { state: s, base, groups } => GpuCmd::Dispatch {
                kernel: s.kernel,
                kernel_bytes: s.kernel_bytes,
                push: slice(&self.bytes, s.push),
                sets: slice(&self.words, s.sets),
                dynamic: slice(&self.dynamics, s.dynamic),
                base,
                groups,
            },
            Record::DispatchIndirect { state: s, indirect } => GpuCmd::DispatchIndirect {
                kernel: s.kernel,
                kernel_bytes: s.kernel_bytes,
                push: slice(&self.bytes, s.push),
                sets: slice(&self.words, s.sets),
                dynamic: slice(&self.dynamics, s.dynamic),
                indirect,
            },
            Record::DispatchGenerated { state: s, ref generated } => GpuCmd::DispatchGenerated {
                kernel: s.kernel,
                kernel_bytes: s.kernel_bytes,
                push: slice(&self.bytes, s.push),
                sets: slice(&self.words, s.sets),
                dynamic: slice(&self.dynamics, s.dynamic),
                tokens: &generated.tokens,
                sequences: generated.sequences,
                count: generated.count,
            },
            Record::CopyBuffer { src, dst, size } => GpuCmd::CopyBuffer { src, dst, size },
            Record::FillBuffer { dst, size, value } => GpuCmd::FillBuffer { dst, size, value },
            Record::UpdateBuffer { dst, data } => GpuCmd::UpdateBuffer { dst, data: slice(&self.bytes, data) },
            Record::Image(ref image) => match **image {
                ImageRecord::FromBuffer { buffer, row_pitch, slice_pitch, image, extent } => {
                    GpuCmd::CopyBufferToImage { buffer, row_pitch, slice_pitch, image, extent }
                }
                ImageRecord::ToBuffer { buffer, row_pitch, slice_pitch, image, extent } => {
                    GpuCmd::CopyImageToBuffer { buffer, row_pitch, slice_pitch, image, extent }
                }
                ImageRecord::Copy { src, dst, extent } => GpuCmd::CopyImage { src, dst, extent },
                ImageRecord::Blit { src, dst, filter } => GpuCmd::BlitImage { src, dst, filter },
                ImageRecord::Clear { image, extent, color } => GpuCmd::ClearImage { image, extent, color },
            },
            Record::Barrier { dependency: d } => GpuCmd::Barrier {
                src_stages: d.src_stages,
                dst_stages: d.dst_stages,
                src_access: d.src_access,
                dst_access: d.dst_access,
            },
            Record::WriteTimestamp { query } => GpuCmd::WriteTimestamp { query },
            Record::SetEvent { event, value } => GpuCmd::SetEvent { event, value },
            Record::WaitEvent { event } => GpuCmd::WaitEvent { event },
            Record::BeginCondition { word, inverted } => GpuCmd::BeginCondition { word, inverted },
            Record::EndCondition => GpuCmd::EndCondition,
            Record::BeginStatistics { query } => GpuCmd::BeginStatistics { query },
            Record::EndStatistics { query } => GpuCmd::EndStatistics { query },
            Record::WriteQuery { query, value } => GpuCmd::WriteQuery { query, value },
            Record::ResetQueries { first, count } => GpuCmd::ResetQueries { first, count },
            Record::CopyQueryResults { first, count, dst, stride, flags, values } => {
                GpuCmd::CopyQueryResults { first, count, dst, stride, flags, values }
            }
            Record::MemoryRegions { table, stride, max, count, compressed } => {
                GpuCmd::MemoryRegions { table, stride, max, count, compressed }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Dependency;

    fn dispatch(stream: &mut Stream, push: &[u8], sets: &[u64], x: u32) {
        let push = stream.place_bytes(push).unwrap();
        let sets = stream.place_words(sets).unwrap();
        let state = DispatchState { kernel: 1, kernel_bytes: 2, push, sets, dynamic: Span::default() };
        stream.push(Record::Dispatch { state, base: [0; 3], groups: [x, 1, 1] }).unwrap();
    }

    #[test]
    fn appended_records_keep_their_data() {
        let mut a = Stream::default();
        dispatch(&mut a, &[1, 2], &[10], 1);
        let mut b = Stream::default();
        dispatch(&mut b, &[3, 4, 5], &[20, 30], 2);
        let data = b.place_bytes(&[9; 4]).unwrap();
        b.push(Record::UpdateBuffer { dst: 64, data }).unwrap();
        a.append(&b).unwrap();
        let cmds: Vec<_> = a.commands().collect();
        assert_eq!(cmds.len(), 3);
        assert!(matches!(cmds[0], GpuCmd::Dispatch { push: [1, 2], sets: [10], groups: [1, 1, 1], .. }));
        assert!(matches!(cmds[1], GpuCmd::Dispatch { push: [3, 4, 5], sets: [20, 30], groups: [2, 1, 1], .. }));
        assert!(matches!(cmds[2], GpuCmd::UpdateBuffer { dst: 64, data: [9, 9, 9, 9] }));
    }

    #[test]
    fn what_dispatches_share_is_placed_once() {
        let mut s = Stream::default();
        let first = s.place_push(&[1, 2, 3, 4]).unwrap();
        assert_eq!(s.place_push(&[1, 2, 3, 4]).unwrap(), first);
        s.place_bytes(&[1, 2, 3, 4]).unwrap();
        assert_ne!(s.place_push(&[1, 2, 3]).unwrap(), first);
        s.clear();
        let again = s.place_push(&[5]).unwrap();
        assert_eq!((slice(&s.bytes, again), s.bytes.len()), (&[5][..], 1));
    }

    #[test]
    fn adjacent_barriers_merge() {
        let mut s = Stream::default();
        let stage = |src_stages| Dependency { src_stages, ..Dependency::default() };
        s.push(Record::Barrier { dependency: stage(vk::PipelineStageFlags2::COPY) }).unwrap();
        s.push(Record::Barrier { dependency: stage(vk::PipelineStageFlags2::COMPUTE_SHADER) }).unwrap();
        assert_eq!(s.commands().count(), 1);
        let both = vk::PipelineStageFlags2::COPY | vk::PipelineStageFlags2::COMPUTE_SHADER;
        assert!(matches!(s.commands().next(), Some(GpuCmd::Barrier { src_stages, .. }) if src_stages == both));
    }
}
