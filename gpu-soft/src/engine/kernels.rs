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
        let (key, record) = look(space, packet, at, bytes)?;
        // Once there is better code the first is not asked for any more.
        if let Some(first) = record.and_then(|r| self.better(space, packet, r)?) {
            return Ok(Found { first, follower: None });
        }
        let first = self.get(packet, at, bytes, key)?;
        let follower = record.map(|record| Follower { kernels: self, space, packet, record, better: OnceLock::new() });
        Ok(Found { first, follower })
    }

    /// The code that a record names; `None` if it names none yet, and inside if that cannot be loaded, which is done without.
    fn better(&self, space: &AddressSpace, packet: u64, record: &Record) -> Option<Option<Arc<Executable>>> {
        if record.followed.load(Ordering::Acquire) == 0 {
            return None;
        }
        let (at, bytes) = (record.address.load(Ordering::Relaxed), record.bytes.load(Ordering::Relaxed));
        let found = look(space, packet, at, bytes).and_then(|(key, _)| self.get(packet, at, bytes, key));
        Some(found.ok())
    }

    /// The kernel with a hash, loaded from the binary that [`look`] has found if it is not known.
    fn get(&self, packet: u64, at: u64, bytes: u64, key: [u8; 32]) -> Result<Arc<Executable>, EngineFault> {
        if let Some(found) = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(found));
        }
        let mut binary = Vec::new();
        if binary.try_reserve_exact(bytes as usize).is_err() {
            return Err(EngineFault::Internal("no memory for a kernel binary".to_owned()));
        }
        // SAFETY: the range is mapped and readable, as `look` has checked; the vector has room. The copy is hashed before use.
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
        Ok(Arc::clone(loaded.entry(key).or_insert(executable)))
    }
}

/// The hash in a binary in GPU memory, all of which can be read, and the record behind it if it has one.
fn look(space: &AddressSpace, packet: u64, at: u64, bytes: u64) -> Result<([u8; 32], Option<&Record>), EngineFault> {
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
    Ok((key, record.map(|at| unsafe { &*(at as *const Record) })))
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
        if f.better.get().is_none() {
            if let Some(better) = f.kernels.better(f.space, f.packet, f.record) {
                let _ = f.better.set(better);
            }
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
