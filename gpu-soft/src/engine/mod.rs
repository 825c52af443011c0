//! The hardware half: executes command buffers for the device model.

mod arena;
mod blit;
mod dispatch;
#[cfg(test)]
mod fuzz;
mod gdeflate;
mod generated;
mod helpers;
mod kernels;
mod regions;
#[cfg(test)]
mod tests;
mod transfer;
mod workers;

use crate::packet::{self, Found, Opcode, PacketError};
use dxg_model::{AddressSpace, ClockSample, Engine, EngineFault, EngineType, Identity, Job, NodeInfo};
use kernels::Kernels;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use workers::Workers;

pub use arena::Arena;
pub(crate) use helpers::HELPERS;

/// Name of the adapter, as `vulkaninfo` shows it.
pub const ADAPTER_NAME: &str = "vulkan-dxg software GPU";

/// Most command-buffer chunks one submission may chain; more is a loop.
const MAX_CHAIN: usize = 1 << 20;

/// Size of the software GPU's address space in bits.
const VA_BITS: u32 = 47;

/// The engine of one adapter.
#[derive(Debug)]
pub struct SoftEngine {
    identity: Identity,
    workers: Workers,
    kernels: Kernels,
    /// Copies of the command-buffer chunks in execution; kept to be used again.
    chunks: Mutex<Vec<Vec<u8>>>,
    /// Dropped last: the workers rely on it.
    _guard: guard::Installed,
}

/// How many threads execute kernels.
fn default_threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// A row of /proc/meminfo in bytes.
fn meminfo(row: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|l| l.strip_prefix(row).is_some_and(|rest| rest.starts_with(':')))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Physical memory of the machine in bytes; 1 GiB if the system does not say.
pub fn system_memory() -> u64 {
    meminfo("MemTotal").unwrap_or(1 << 30)
}

/// What of it, and of what can be swapped out to, is there to be had; no bound if the system does not say.
pub(crate) fn available_memory() -> u64 {
    let swap = meminfo("SwapFree").unwrap_or(0);
    meminfo("MemAvailable").map_or(u64::MAX, |bytes| bytes.saturating_add(swap))
}

/// Nanoseconds of CLOCK_MONOTONIC.
pub(crate) fn now() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

impl SoftEngine {
    /// An engine of `threads` threads, by default one per CPU.
    pub fn new(threads: Option<NonZeroUsize>) -> SoftEngine {
        let node = |engine_type, name: &str| NodeInfo { engine_type, name: name.to_owned() };
        let identity = Identity {
            name: ADAPTER_NAME.to_owned(),
            vendor_id: crate::VENDOR_ID,
            device_id: crate::DEVICE_ID,
            subvendor_id: 0,
            subsystem_id: 0,
            revision_id: 1,
            bus_type: 0,
            bus_address: (0, 0, 0),
            guid: *b"vulkan-dxg-soft1",
            wddm_version: 3000,
            va_bits: VA_BITS,
            nodes: vec![node(EngineType::GRAPHICS, "Compute"), node(EngineType::COPY, "Copy")],
            dedicated_memory: 0,
            shared_memory: system_memory(),
            hw_scheduling: true,
            software: true,
            umd_private: crate::umd::UmdInfo::CURRENT.to_bytes().to_vec(),
        };
        SoftEngine {
            identity,
            workers: Workers::new(threads.unwrap_or_else(default_threads)),
            kernels: Kernels::default(),
            chunks: Mutex::new(Vec::new()),
            _guard: guard::Installed::new(),
        }
    }

    fn take_chunk(&self) -> Vec<u8> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_chunk(&self, chunk: Vec<u8>) {
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        if chunks.len() < 8 {
            chunks.push(chunk);
        }
    }

    /// Copies a chunk of commands out of GPU memory, so that nobody changes it while it is read.
    fn read_chunk(&self, space: &AddressSpace, at: u64, bytes: u64, into: &mut Vec<u8>) -> Result<(), EngineFault> {
        readable(space, at, bytes)?;
        into.clear();
        let bytes = bytes as usize;
        if into.try_reserve(bytes).is_err() {
            return Err(EngineFault::Internal("no memory for a command buffer".to_owned()));
        }
        // SAFETY: the range is mapped and readable, as checked; the vector has room for it. A plain byte copy of memory
        // that the application may write at the same time gives some bytes, which are then validated.
        unsafe {
            std::ptr::copy_nonoverlapping(at as *const u8, into.as_mut_ptr(), bytes);
            into.set_len(bytes);
        }
        Ok(())
    }

    fn run_chunk(
        &self,
        job: &Job<'_>,
        state: &mut State,
        base: u64,
        bytes: &[u8],
    ) -> Result<Option<packet::Chain>, EngineFault> {
        let mut at = 0;
        loop {
            if job.cancel.is_set() {
                return Err(EngineFault::Hang);
            }
            let (found, next) = match packet::next(bytes, at) {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(None),
                Err(error) => return Err(bad(base, at, &error)),
            };
            let malformed = |error: PacketError| bad(base, found.at, &error);
            match found.opcode {
                Opcode::End => return Ok(None),
                Opcode::Chain => return Ok(Some(found.exact::<packet::Chain>().map_err(malformed)?)),
                opcode => self.run_packet(job, state, opcode, &found, base)?,
            }
            at = next;
        }
    }

    fn run_packet(
        &self,
        job: &Job<'_>,
        state: &mut State,
        opcode: Opcode,
        found: &Found<'_>,
        base: u64,
    ) -> Result<(), EngineFault> {
        let malformed = |error: PacketError| bad(base, found.at, &error);
        let field = || bad(base, found.at, &PacketError::Field(found.at));
        let space = job.space;
        match opcode {
            // Packets are executed one after the other, each to its end; so a barrier has nothing left to do but order
            // this thread's view with the workers', which the end of a round has done.
            Opcode::Barrier => {
                found.exact::<packet::Barrier>().map_err(malformed)?;
            }
            Opcode::Dispatch | Opcode::DispatchGenerated if state.held_back => {}
            Opcode::Dispatch => {
                let invocations = dispatch::run(self, job, found, base)?;
                state.invocations = state.invocations.wrapping_add(invocations);
            }
            Opcode::DispatchGenerated => {
                let invocations = generated::run(self, job, found, base)?;
                state.invocations = state.invocations.wrapping_add(invocations);
            }
            Opcode::Condition => {
                let p: packet::Condition = found.exact().map_err(malformed)?;
                let inverted = p.inverted != 0;
                state.held_back = p.src != 0 && (word32(space, p.src)?.load(Ordering::Acquire) == 0) != inverted;
            }
            Opcode::Count => {
                let p: packet::Count = found.exact().map_err(malformed)?;
                let word = word64(space, p.dst)?;
                let before = if p.add != 0 { word.load(Ordering::Acquire) } else { 0 };
                let count = if p.add != 0 { state.invocations } else { state.invocations.wrapping_neg() };
                word.store(before.wrapping_add(count), Ordering::Release);
            }
            Opcode::Copy => {
                let p: packet::Copy = found.exact().map_err(malformed)?;
                readable(space, p.src, p.size)?;
                writable(space, p.dst, p.size)?;
                // SAFETY: both ranges are mapped for this access, as checked.
                unsafe { transfer::copy(&self.workers, p.src, p.dst, p.size, job.cancel) };
            }
            Opcode::Fill => {
                let p: packet::Fill = found.exact().map_err(malformed)?;
                if !p.dst.is_multiple_of(4) || !p.size.is_multiple_of(4) {
                    return Err(field());
                }
                writable(space, p.dst, p.size)?;
                // SAFETY: the range is mapped and writable, as checked, and aligned.
                unsafe { transfer::fill(&self.workers, p.dst, p.size, p.value, job.cancel) };
            }
            Opcode::Write => {
                let (p, tail) = found.split::<packet::Write>().map_err(malformed)?;
                let data = usize::try_from(p.bytes).ok().and_then(|n| tail.get(..n)).ok_or_else(field)?;
                writable(space, p.dst, p.bytes)?;
                // SAFETY: the range is mapped and writable, as checked.
                unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), p.dst as *mut u8, data.len()) };
            }
            Opcode::CopyRect => {
                let p: packet::CopyRect = found.exact().map_err(malformed)?;
                let src = transfer::span(p.row_bytes, p.src_row, p.rows, p.src_slice, p.slices).ok_or_else(field)?;
                let dst = transfer::span(p.row_bytes, p.dst_row, p.rows, p.dst_slice, p.slices).ok_or_else(field)?;
                readable(space, p.src, src)?;
                writable(space, p.dst, dst)?;
                // SAFETY: the spans are mapped for this access, as checked.
                unsafe { transfer::copy_rect(&self.workers, &p, job.cancel) };
            }
            Opcode::FillRect => {
                let p: packet::FillRect = found.exact().map_err(malformed)?;
                if p.texel_bytes == 0 || p.texel_bytes > 16 {
                    return Err(field());
                }
                let run = u64::from(p.texels) * u64::from(p.texel_bytes);
                writable(space, p.dst, transfer::span(run, p.row, p.rows, p.slice, p.slices).ok_or_else(field)?)?;
                // SAFETY: the span is mapped and writable, as checked; so is the texel size.
                unsafe { transfer::fill_rect(&self.workers, &p, job.cancel) };
            }
            Opcode::Blit => {
                let p: packet::Blit = found.exact().map_err(malformed)?;
                let blit = blit::Ready::new(&p).ok_or_else(field)?;
                let ((src, from), (dst, to)) = (blit.source(), blit.destination());
                readable(space, src, from)?;
                writable(space, dst, to)?;
                // SAFETY: both levels are mapped, as checked.
                unsafe { blit::run(&self.workers, &blit, job.cancel) };
            }
            Opcode::Regions => {
                let p: packet::Regions = found.exact().map_err(malformed)?;
                regions::run(&self.workers, job, &p)?;
            }
            Opcode::Timestamp => {
                let p: packet::Timestamp = found.exact().map_err(malformed)?;
                word64(space, p.dst)?.store(now(), Ordering::Release);
            }
            Opcode::Store64 => {
                let p: packet::Store64 = found.exact().map_err(malformed)?;
                word64(space, p.dst)?.store(p.value, Ordering::Release);
                space.fence_written(p.dst);
            }
            Opcode::Store32 => {
                let p: packet::Store32 = found.exact().map_err(malformed)?;
                word32(space, p.dst)?.store(p.value, Ordering::Release);
            }
            Opcode::Wait32 => {
                let p: packet::Wait32 = found.exact().map_err(malformed)?;
                wait32(job, word32(space, p.src)?, p.value)?;
            }
            Opcode::CopyQueries => {
                let p: packet::CopyQueries = found.exact().map_err(malformed)?;
                if p.values > 32 {
                    return Err(field());
                }
                copy_queries(job, &p)?;
            }
            // Handled by the caller, since they end a chunk.
            Opcode::Chain | Opcode::End => {}
        }
        Ok(())
    }
}

/// What packets of one submission leave for later ones.
#[derive(Default)]
struct State {
    /// A condition holds dispatches back.
    held_back: bool,
    /// Invocations of the dispatches that ran, modulo 2⁶⁴.
    invocations: u64,
}

impl Engine for SoftEngine {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn execute(&self, job: &Job<'_>) -> Result<(), EngineFault> {
        guard::plain_float_state();
        let mut chunk = self.take_chunk();
        let (mut at, mut bytes) = (job.command_buffer, u64::from(job.command_length));
        let mut result = Err(EngineFault::Hang);
        let mut state = State::default();
        for _ in 0..MAX_CHAIN {
            let step = self
                .read_chunk(job.space, at, bytes, &mut chunk)
                .and_then(|()| self.run_chunk(job, &mut state, at, &chunk));
            match step {
                Ok(Some(chain)) => (at, bytes) = (chain.target, chain.bytes),
                Ok(None) => {
                    result = Ok(());
                    break;
                }
                Err(fault) => {
                    result = Err(fault);
                    break;
                }
            }
        }
        self.give_chunk(chunk);
        result
    }

    fn va_changed(&self, _start: u64, _size: u64) {
        // Kernels are found again by their content, so nothing is cached by address alone.
    }

    fn clock(&self) -> ClockSample {
        let t = now();
        ClockSample { frequency: 1_000_000_000, gpu_counter: t, cpu_counter: t }
    }
}

fn bad(base: u64, at: usize, error: &PacketError) -> EngineFault {
    let reason = match error {
        PacketError::Truncated(_) => "packet cut off",
        PacketError::Opcode(..) => "unknown packet",
        PacketError::Size(_) => "wrong packet size",
        PacketError::Field(_) => "packet field out of range",
    };
    EngineFault::BadPacket { address: base.wrapping_add(at as u64), reason }
}

fn readable(space: &AddressSpace, at: u64, bytes: u64) -> Result<(), EngineFault> {
    if space.check(at, bytes, false) {
        Ok(())
    } else {
        Err(EngineFault::PageFault { address: at, write: false })
    }
}

fn writable(space: &AddressSpace, at: u64, bytes: u64) -> Result<(), EngineFault> {
    if space.check(at, bytes, true) {
        Ok(())
    } else {
        Err(EngineFault::PageFault { address: at, write: true })
    }
}

/// A 64-bit word of GPU memory that others may look at.
fn word64(space: &AddressSpace, at: u64) -> Result<&AtomicU64, EngineFault> {
    if !at.is_multiple_of(8) {
        return Err(EngineFault::BadPacket { address: at, reason: "misaligned word" });
    }
    writable(space, at, 8)?;
    // SAFETY: mapped, writable and aligned, as checked; GPU memory is only accessed by atomics and raw copies.
    Ok(unsafe { AtomicU64::from_ptr(at as *mut u64) })
}

/// A 32-bit word of GPU memory that others may look at.
fn word32(space: &AddressSpace, at: u64) -> Result<&AtomicU32, EngineFault> {
    if !at.is_multiple_of(4) {
        return Err(EngineFault::BadPacket { address: at, reason: "misaligned word" });
    }
    writable(space, at, 4)?;
    // SAFETY: as in `word64`.
    Ok(unsafe { AtomicU32::from_ptr(at as *mut u32) })
}

/// Waits for an event: spins briefly, then sleeps in small steps, since the host may set it at any time by a plain store.
fn wait32(job: &Job<'_>, word: &AtomicU32, value: u32) -> Result<(), EngineFault> {
    let mut rounds = 0u32;
    while word.load(Ordering::Acquire) != value {
        if job.cancel.is_set() {
            return Err(EngineFault::Hang);
        }
        rounds = rounds.saturating_add(1);
        if rounds < 1000 {
            std::hint::spin_loop();
        } else {
            std::thread::sleep(std::time::Duration::from_micros(20));
        }
    }
    Ok(())
}

/// vkCmdCopyQueryPoolResults: VK_QUERY_RESULT_64 = 1, WAIT = 2, WITH_AVAILABILITY = 4, PARTIAL = 8.
fn copy_queries(job: &Job<'_>, p: &packet::CopyQueries) -> Result<(), EngineFault> {
    let wide = p.flags & 1 != 0;
    let store = |at: u64, value: u64| -> Result<(), EngineFault> {
        if wide {
            word64(job.space, at)?.store(value, Ordering::Release);
        } else {
            word32(job.space, at)?.store(value as u32, Ordering::Release);
        }
        Ok(())
    };
    for i in 0..u64::from(p.count) {
        if job.cancel.is_set() {
            return Err(EngineFault::Hang);
        }
        let overflow = || EngineFault::PageFault { address: p.src, write: false };
        let src = i.checked_mul(16).and_then(|o| p.src.checked_add(o)).ok_or_else(overflow)?;
        let dst = i.checked_mul(p.stride).and_then(|o| p.dst.checked_add(o)).ok_or_else(overflow)?;
        let available = word64(job.space, src.wrapping_add(8))?;
        while p.flags & 2 != 0 && available.load(Ordering::Acquire) == 0 {
            if job.cancel.is_set() {
                return Err(EngineFault::Hang);
            }
            std::thread::yield_now();
        }
        let is_available = available.load(Ordering::Acquire);
        let value = word64(job.space, src)?.load(Ordering::Acquire);
        let word = if wide { 8 } else { 4 };
        let place = |n: u32| dst.wrapping_add(word * u64::from(n));
        if is_available != 0 || p.flags & 8 != 0 {
            store(dst, if is_available != 0 { value } else { 0 })?;
            for n in 1..p.values {
                store(place(n), 0)?;
            }
        }
        if p.flags & 4 != 0 {
            store(place(p.values.max(1)), is_available)?;
        }
    }
    Ok(())
}
