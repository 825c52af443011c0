//! Loaded kernels, found by the hash of their binary.

use super::readable;
use crate::binary::{self, Executable, LoadError, PREFIX_BYTES};
use dxg_model::{AddressSpace, EngineFault};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

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
    /// The kernel whose binary stands at `at`, loaded if its hash is not known yet. `packet` is the address to blame.
    pub fn find(&self, space: &AddressSpace, packet: u64, at: u64, bytes: u64) -> Result<Arc<Executable>, EngineFault> {
        if bytes < PREFIX_BYTES as u64 || bytes > MAX_BINARY {
            return Err(EngineFault::BadPacket { address: packet, reason: "kernel binary of a wrong size" });
        }
        readable(space, at, bytes)?;
        // SAFETY: the range is mapped and readable, as checked, and long enough.
        let prefix = unsafe { (at as *const [u8; PREFIX_BYTES]).read_volatile() };
        let Some(key) = binary::key(&prefix) else {
            return Err(EngineFault::BadPacket { address: packet, reason: "not a kernel binary" });
        };
        if let Some(found) = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(found));
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
        Ok(Arc::clone(loaded.entry(key).or_insert(executable)))
    }
}
