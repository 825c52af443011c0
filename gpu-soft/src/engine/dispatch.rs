//! Dispatches: from a packet to ranges of workgroups on the workers.

use super::arena::Arena;
use super::kernels::Found as FoundKernel;
use super::workers::{Work, Workers};
use super::{bad, readable, SoftEngine};
use crate::binary::Bound;
use crate::kernel_abi::BufferDesc;
use crate::packet::{self, padded, Found, PacketError, MAX_DYNAMIC, MAX_PUSH, MAX_SETS};
use dxg_model::{Cancel, EngineFault, Job};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

/// Pieces of work per thread, so that threads that get slow workgroups can be helped.
const PIECES_PER_THREAD: u64 = 16;
/// Parts of a dispatch between which better code is looked for.
const LOOKS: u64 = 512;

struct DispatchWork<'a> {
    kernel: &'a FoundKernel<'a>,
    bound: &'a Bound<'a>,
    cancel: &'a Cancel,
    /// Workgroups between looks for better code.
    grain: u64,
    /// The first failure.
    failed: Mutex<Option<EngineFault>>,
}

impl Work for DispatchWork<'_> {
    fn run(&self, begin: u64, end: u64, arena: &mut Arena) {
        let mut at = begin;
        while at < end && !self.cancel.is_set() {
            // Better code may have come since the last piece.
            let executable = self.kernel.best();
            let counts = self.kernel.counts();
            let next = if counts { at.saturating_add(self.grain).min(end) } else { end };
            let start = if counts { ticks() } else { 0 };
            if let Err(fault) = executable.run(self.bound, at, next, arena) {
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
                // The device is lost: nobody needs the rest.
                self.cancel.set();
            }
            if counts {
                self.kernel.spent(ticks().wrapping_sub(start));
            }
            at = next;
        }
    }
}

/// Little-endian words of a packet tail.
fn words(bytes: &[u8], out: &mut [u64]) {
    for (word, chunk) in out.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
    }
}

/// What a kernel finds its data with.
pub struct Data {
    pub push: [u8; MAX_PUSH],
    sets: [u64; MAX_SETS],
    dynamic: Vec<BufferDesc>,
}

impl Data {
    /// Reads the tail of a packet, and gives what follows; `None` if it is too short or a count is out of range.
    pub fn read(tail: &[u8], push_bytes: u32, set_count: u32, dynamic_count: u32) -> Option<(Data, &[u8])> {
        let (push_bytes, set_count, dynamic_count) = (push_bytes as usize, set_count as usize, dynamic_count as usize);
        if push_bytes > MAX_PUSH || set_count > MAX_SETS || dynamic_count > MAX_DYNAMIC {
            return None;
        }
        let (push_tail, rest) = tail.split_at_checked(padded(push_bytes))?;
        let (set_tail, rest) = rest.split_at_checked(set_count * 8)?;
        let (dynamic_tail, rest) = rest.split_at_checked(dynamic_count * 16)?;
        let mut push = [0u8; MAX_PUSH];
        push[..push_bytes].copy_from_slice(&push_tail[..push_bytes]);
        let mut sets = [0u64; MAX_SETS];
        words(set_tail, &mut sets);
        let mut dynamic = Vec::with_capacity(dynamic_count);
        for chunk in dynamic_tail.chunks_exact(16) {
            let mut pair = [0u64; 2];
            words(chunk, &mut pair);
            dynamic.push(BufferDesc { addr: pair[0], size: pair[1] });
        }
        Some((Data { push, sets, dynamic }, rest))
    }
}

/// Number of workgroups, `None` if nobody can count so far.
pub fn total(groups: [u32; 3]) -> Option<u64> {
    groups.iter().try_fold(1u64, |a, g| a.checked_mul(u64::from(*g))).filter(|t| *t <= i64::MAX as u64)
}

/// What it costs to have other threads take part, in ticks of the time-stamp counter: some microseconds on any machine.
const WAKE_UP: u64 = 10_000;

fn ticks() -> u64 {
    // SAFETY: reads a counter that every processor with these instruction sets has.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Runs all of the work, on this thread alone if that is done before others have woken up.
fn share_out(workers: &Workers, work: &DispatchWork<'_>, total: u64) {
    let threads = workers.count() as u64;
    let grain = (total / (threads * PIECES_PER_THREAD)).max(1);
    let pace = work.kernel.best().pace();
    let mut from = 0;
    if threads > 1 && total > 1 && pace.load(Ordering::Relaxed).saturating_mul(total) < WAKE_UP {
        // The kernel is quick, or not known: a piece shows what the rest will take.
        from = grain;
        let start = ticks();
        workers.alone(work, 0, from);
        let each = ticks().wrapping_sub(start) / from;
        pace.store(each, Ordering::Relaxed);
        if each.saturating_mul(total - from) < WAKE_UP {
            workers.alone(work, from, total);
            return;
        }
    }
    let start = ticks();
    workers.run_from(work, from, total, grain);
    let spent = ticks().wrapping_sub(start);
    if spent < WAKE_UP {
        // Quicker than it was once: the next time it is tried again.
        pace.store(spent * threads / total, Ordering::Relaxed);
    }
}

/// Runs `total(groups)` workgroups of a kernel to their end; the number of invocations, modulo 2⁶⁴.
pub fn run_groups(
    engine: &SoftEngine,
    job: &Job<'_>,
    kernel: &FoundKernel<'_>,
    data: &Data,
    base: [u32; 3],
    groups: [u32; 3],
    total: u64,
) -> Result<u64, EngineFault> {
    if total == 0 {
        return Ok(0);
    }
    let bound = Bound {
        push: &data.push,
        sets: &data.sets,
        dynamic: &data.dynamic,
        base,
        groups,
        cancel: job.cancel.word(),
        space: job.space,
    };
    let grain = (total / LOOKS).max(1);
    let work = DispatchWork { kernel, bound: &bound, cancel: job.cancel, grain, failed: Mutex::new(None) };
    share_out(&engine.workers, &work, total);
    if let Some(fault) = work.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(fault);
    }
    if job.cancel.is_set() {
        return Err(EngineFault::Hang);
    }
    Ok(total.wrapping_mul(kernel.best().workgroup_invocations()))
}

/// Executes a dispatch packet to its end; the number of invocations that ran, modulo 2⁶⁴.
pub fn run(engine: &SoftEngine, job: &Job<'_>, found: &Found<'_>, base: u64) -> Result<u64, EngineFault> {
    let malformed = |error: PacketError| bad(base, found.at, &error);
    let (p, tail) = found.split::<packet::Dispatch>().map_err(malformed)?;
    let (data, _) = Data::read(tail, p.push_bytes, p.set_count, p.dynamic_count)
        .ok_or_else(|| malformed(PacketError::Size(found.at)))?;
    let mut groups = p.groups;
    if p.indirect != 0 {
        if !p.indirect.is_multiple_of(4) {
            return Err(malformed(PacketError::Field(found.at)));
        }
        readable(job.space, p.indirect, 12)?;
        // SAFETY: mapped, readable and aligned, as checked.
        groups = unsafe { (p.indirect as *const [u32; 3]).read_volatile() };
    }
    let Some(total) = total(groups) else { return Err(malformed(PacketError::Field(found.at))) };
    if total == 0 {
        return Ok(0);
    }
    let address = base.wrapping_add(found.at as u64);
    let kernel = engine.kernels.find(job.space, address, p.kernel, p.kernel_bytes)?;
    run_groups(engine, job, &kernel, &data, p.base, groups, total)
}
