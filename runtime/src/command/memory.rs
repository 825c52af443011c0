//! GPU memory of a command buffer: chunks of packets, and data beside them.

use crate::command::pool::CommandPool;
use crate::error::Result;
use crate::gpu::{EncodeError, EncodeSink, Gpu, MAX_PACKET};
use crate::heap::Block;
use crate::Error;
use smallvec::SmallVec;

/// First chunk of a command buffer, bytes.
const FIRST_CHUNK: u64 = 4096;

/// Chunks double up to this.
const MAX_CHUNK: u64 = 512 * 1024;

/// Packets in GPU memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub address: u64,
    pub bytes: u64,
}

/// A chunk in use.
#[derive(Debug)]
struct Chunk {
    block: Block,
    used: u64,
}

/// All GPU memory of a command buffer.
#[derive(Debug, Default)]
pub(crate) struct CommandMemory {
    packets: Vec<Chunk>,
    data: Vec<Chunk>,
}

impl CommandMemory {
    /// Gives every chunk back to the pool.
    pub fn recycle(&mut self, pool: &CommandPool) {
        for chunk in self.packets.drain(..).chain(self.data.drain(..)) {
            pool.give(chunk.block);
        }
    }

    /// Whether there are packets.
    pub fn has_packets(&self) -> bool {
        !self.packets.is_empty()
    }

    /// Shows all packets and data.
    pub fn contents(&self, show: &mut dyn FnMut(&[u8])) {
        let mut bytes = Vec::new();
        for chunk in self.packets.iter().chain(&self.data) {
            bytes.clear();
            bytes.resize(usize::try_from(chunk.used).unwrap_or(0), 0);
            chunk.block.read(0, &mut bytes);
            show(&bytes);
        }
    }

    /// Places data and returns its address.
    pub fn upload(&mut self, pool: &CommandPool, data: &[u8], align: u64) -> Result<u64> {
        let align = align.clamp(1, 4096);
        let len = data.len() as u64;
        let fits = |chunk: &Chunk| {
            let address = chunk.block.address() + chunk.used;
            let at = chunk.used + (address.next_multiple_of(align) - address);
            (at + len <= chunk.block.size()).then_some(at)
        };
        let at = match self.data.last().and_then(fits) {
            Some(at) => at,
            None => {
                let size = next_size(self.data.last()).max((len + align).next_multiple_of(FIRST_CHUNK));
                let block = pool.take(size)?;
                self.data.push(Chunk { block, used: 0 });
                self.data.last().and_then(fits).ok_or(Error::OutOfDeviceMemory)?
            }
        };
        let Some(chunk) = self.data.last_mut() else { return Err(Error::OutOfDeviceMemory) };
        chunk.block.write(at, data);
        chunk.used = at + len;
        Ok(chunk.block.address() + at)
    }

    /// Ends the packets: links the chunks where the GPU can, and returns what is to be submitted.
    pub fn finish(&mut self, gpu: &dyn Gpu) -> SmallVec<[Segment; 1]> {
        let link = gpu.chain_size().min(64);
        let mut out: SmallVec<[Segment; 1]> = SmallVec::new();
        // From the last to the first, because a link says how long the next chunk is.
        let mut next: Option<Segment> = None;
        for chunk in self.packets.iter_mut().rev().filter(|c| c.used > 0) {
            if let (Some(next), true) = (next, link > 0) {
                let mut packet = [0u8; 64];
                gpu.chain(next.address, next.bytes, &mut packet[..link]);
                chunk.block.write(chunk.used, &packet[..link]);
                chunk.used += link as u64;
                out.pop();
            }
            let segment = Segment { address: chunk.block.address(), bytes: chunk.used };
            out.push(segment);
            next = Some(segment);
        }
        out.reverse();
        out
    }
}

fn next_size(last: Option<&Chunk>) -> u64 {
    last.map_or(FIRST_CHUNK, |c| (c.block.size() * 2).clamp(FIRST_CHUNK, MAX_CHUNK))
}

/// The sink a GPU encodes into.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    pub memory: &'a mut CommandMemory,
    pub pool: &'a CommandPool,
    /// Room that every chunk keeps for its link.
    pub link: u64,
}

fn encode_error(e: Error) -> EncodeError {
    match e {
        Error::OutOfHostMemory => EncodeError::OutOfHostMemory,
        _ => EncodeError::OutOfDeviceMemory,
    }
}

impl EncodeSink for Sink<'_> {
    fn emit(&mut self, packet: &[u8]) -> std::result::Result<(), EncodeError> {
        if packet.len() > MAX_PACKET {
            return Err(EncodeError::PacketTooLong(packet.len()));
        }
        let len = packet.len() as u64;
        let room = self.memory.packets.last().map_or(0, |c| c.block.size().saturating_sub(c.used + self.link));
        if room < len {
            let size = next_size(self.memory.packets.last()).max((len + self.link).next_multiple_of(FIRST_CHUNK));
            let block = self.pool.take(size).map_err(encode_error)?;
            self.memory.packets.push(Chunk { block, used: 0 });
        }
        let Some(chunk) = self.memory.packets.last_mut() else { return Err(EncodeError::OutOfDeviceMemory) };
        chunk.block.write(chunk.used, packet);
        chunk.used += len;
        Ok(())
    }

    fn upload(&mut self, data: &[u8], align: u64) -> std::result::Result<u64, EncodeError> {
        if data.len() > MAX_PACKET {
            return Err(EncodeError::PacketTooLong(data.len()));
        }
        self.memory.upload(self.pool, data, align).map_err(encode_error)
    }
}
