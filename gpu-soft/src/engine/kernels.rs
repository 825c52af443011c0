//! Loaded kernels, found by the hash of their binary.

use super::readable;
use crate::binary::{self, Executable, LoadError, Record, PREFIX_BYTES};
use dxg_model::{AddressSpace, EngineFault};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Kernels kept loaded; beyond it the map is emptied (kernels in execution live on until they end).
const MAX_LOADED: usize = 4096;

/// Largest kernel binary (256 MiB).
const MAX_BINARY: u64 = 256 << 20;

/// The kernels that have been executed, ready to run again.
#[derive(Debug, Default)]
pub struct Kernels {
    loaded: Mutex<HashMap<[u8; 32], Arc<Executable>>>,
}

impl Kernels {
    /// The best code for the kernel whose binary stands at `at`, loaded if its hash is not known yet. `packet` is the address to
    /// blame.
    pub fn find<'a>(
        &'a self,
        space: &'a AddressSpace,
        packet: u64,
        at: u64,
        bytes: u64,
    ) -> Result<Found<'a>, EngineFault> {
        let (first, record) = self.load(space, packet, at, bytes)?;
        let follower = record.map(|record| Follower { kernels: self, space, packet, record, better: OnceLock::new() });
        Ok(Found { first, follower })
    }

    /// A kernel, and the record behind it if it has one.
    fn load<'a>(
        &self,
        space: &'a AddressSpace,
        packet: u64,
        at: u64,
        bytes: u64,
    ) -> Result<(Arc<Executable>, Option<&'a Record>), EngineFault> {
        if bytes < PREFIX_BYTES as u64 || bytes > MAX_BINARY {
            return Err(EngineFault::BadPacket { address: packet, reason: "kernel binary of a wrong size" });
        }
        readable(space, at, bytes)?;
        // SAFETY: the range is mapped and readable, as checked, and long enough.
        let prefix = unsafe { (at as *const [u8; PREFIX_BYTES]).read_volatile() };
        let Some(key) = binary::key(&prefix) else {
            return Err(EngineFault::BadPacket { address: packet, reason: "not a kernel binary" });
        };
        let record = binary::record(&prefix, bytes).map(|offset| at.wrapping_add(offset));
        let record = record.filter(|at| {
            at.is_multiple_of(align_of::<Record>() as u64) && space.check(*at, binary::RECORD_BYTES as u64, true)
        });
        // SAFETY: mapped, writable and aligned, as checked; it stays so while a submission is executed. GPU memory is only
        // accessed by atomics and raw copies, and all fields are atomic.
        let record = record.map(|at| unsafe { &*(at as *const Record) });
        if let Some(found) = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok((Arc::clone(found), record));
        }
        let mut binary = Vec::new();
        if binary.try_reserve_exact(bytes as usize).is_err() {
            return Err(EngineFault::Internal("no memory for a kernel binary".to_owned()));
        }
        // SAFETY: the range is mapped and readable, as checked; the vector has room. The copy is hashed before use.
        unsafe {
            std::ptr::copy_nonoverlapping(at as *const u8, binary.as_mut_ptr(), bytes as usize);
            binary.set_len(bytes as usize);
        }
        let executable = Arc::new(Executable::load(&binary).map_err(|error| match error {
            LoadError::Memory => EngineFault::Internal("no memory to load a kernel".to_owned()),
            LoadError::Malformed(reason) => EngineFault::BadPacket { address: packet, reason },
            LoadError::Cpu => EngineFault::BadPacket { address: packet, reason: "kernel needs another CPU" },
        })?);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.len() >= MAX_LOADED {
            loaded.clear();
        }
        Ok((Arc::clone(loaded.entry(key).or_insert(executable)), record))
    }
}

/// What there is of a kernel.
pub struct Found<'a> {
    first: Arc<Executable>,
    follower: Option<Follower<'a>>,
}

/// Code that does the same faster, as soon as it is there.
struct Follower<'a> {
    kernels: &'a Kernels,
    space: &'a AddressSpace,
    packet: u64,
    record: &'a Record,
    better: OnceLock<Option<Arc<Executable>>>,
}

impl Found<'_> {
    /// The best code there is now.
    pub fn best(&self) -> &Executable {
        let Some(f) = &self.follower else { return &self.first };
        if f.better.get().is_none() && f.record.followed.load(Ordering::Acquire) != 0 {
            let (at, bytes) = (f.record.address.load(Ordering::Relaxed), f.record.bytes.load(Ordering::Relaxed));
            // What cannot be loaded is done without.
            let _ = f.better.set(f.kernels.load(f.space, f.packet, at, bytes).ok().map(|(e, _)| e));
        }
        match f.better.get() {
            Some(Some(better)) => better,
            _ => &self.first,
        }
    }

    /// Whether it is noted what the kernel takes.
    pub fn counts(&self) -> bool {
        self.follower.as_ref().is_some_and(|f| f.better.get().is_none())
    }

    /// Notes that the kernel took so many ticks.
    pub fn spent(&self, ticks: u64) {
        if let Some(f) = &self.follower {
            f.record.spent.fetch_add(ticks, Ordering::Relaxed);
        }
    }
}
