//! Regions of memory that memory describes: copied, or decompressed.

use super::arena::Arena;
use super::workers::{Work, Workers};
use super::{gdeflate, readable, transfer, word32, writable};
use crate::packet::Regions;
use dxg_model::{AddressSpace, EngineFault, Job};
use std::sync::atomic::Ordering;

/// A stream to be decompressed, 32 bytes in memory.
#[derive(Clone, Copy, Debug)]
struct Stream {
    src: u64,
    dst: u64,
    compressed: u64,
    size: u64,
}

impl Stream {
    /// A stream that is damaged leaves the destination as it was.
    ///
    /// # Safety
    /// Source and destination are mapped for their access.
    unsafe fn decompress(&self, input: &mut Vec<u8>, out: &mut Vec<u8>) {
        let bytes = (self.compressed as usize).min(gdeflate::MAX_INPUT);
        input.resize(bytes, 0);
        out.resize((self.size as usize).min(gdeflate::PAGE), 0);
        // SAFETY: this function's contract; the application may write meanwhile, so the bytes are copied before they are looked at.
        unsafe { std::ptr::copy_nonoverlapping(self.src as *const u8, input.as_mut_ptr(), bytes) };
        if let Some(n) = gdeflate::decode(input, out) {
            // SAFETY: this function's contract; `n` is at most the size.
            unsafe { std::ptr::copy_nonoverlapping(out.as_ptr(), self.dst as *mut u8, n) };
        }
    }
}

/// Streams shared out among the workers at a time.
const BATCH: u32 = 1024;

struct Streams<'a>(&'a [Stream]);

impl Work for Streams<'_> {
    fn run(&self, begin: u64, end: u64, _arena: &mut Arena) {
        let (mut input, mut out) = (Vec::new(), Vec::new());
        for stream in &self.0[begin as usize..end as usize] {
            // SAFETY: all ranges were checked before.
            unsafe { stream.decompress(&mut input, &mut out) };
        }
    }
}

/// Words of a region's description.
fn words<const N: usize>(space: &AddressSpace, p: &Regions, index: u32) -> Result<[u64; N], EngineFault> {
    let at = p.table.wrapping_add(u64::from(index) * u64::from(p.stride));
    readable(space, at, N as u64 * 8)?;
    // SAFETY: mapped and readable, as checked; any bytes are words.
    Ok(unsafe { (at as *const [u64; N]).read_unaligned() })
}

/// Runs a packet.
///
/// # Errors
/// Memory that is not there; [`EngineFault::Hang`] when the job is cancelled.
pub fn run(workers: &Workers, job: &Job<'_>, p: &Regions) -> Result<(), EngineFault> {
    let space = job.space;
    let live = || if job.cancel.is_set() { Err(EngineFault::Hang) } else { Ok(()) };
    let mut count = p.max;
    if p.count != 0 {
        count = count.min(word32(space, p.count)?.load(Ordering::Acquire));
    }
    if p.compressed == 0 {
        for i in 0..count {
            live()?;
            let [src, dst, size] = words(space, p, i)?;
            readable(space, src, size)?;
            writable(space, dst, size)?;
            // SAFETY: both ranges are mapped for this access, as checked.
            unsafe { transfer::copy(workers, src, dst, size, job.cancel) };
        }
        return Ok(());
    }
    // Some at a time, so that the application's number is no amount of memory here.
    for first in (0..count).step_by(BATCH as usize) {
        live()?;
        let mut streams = Vec::with_capacity(BATCH as usize);
        for i in first..count.min(first.saturating_add(BATCH)) {
            let [src, dst, compressed, size] = words(space, p, i)?;
            readable(space, src, compressed)?;
            writable(space, dst, size)?;
            streams.push(Stream { src, dst, compressed, size });
        }
        workers.run(&Streams(&streams), streams.len() as u64, 1);
    }
    Ok(())
}
