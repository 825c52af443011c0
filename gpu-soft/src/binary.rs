//! Kernel binaries: the form in which a compiled kernel travels from the user half through GPU memory to the engine.
//!
//! A prefix (magic, kind, BLAKE3 of the rest) and a payload: machine code with its header, or the kernel itself for the
//! interpreter. The engine finds loaded kernels by the hash, and loads only what matches it.
//!
//! Code that better code may follow ([`Kind::First`]) has a [`Record`] behind its payload, which the hash does not cover: the user half
//! writes there where the better code stands, and the engine what the kernel has taken so far.

use crate::engine::Arena;
use crate::interpret::Interpreted;
use crate::kernel_abi::{BufferDesc, DispatchCtx, Header};
use crate::loader::{self, Loaded};
use dxg_model::{AddressSpace, EngineFault};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Bytes before the payload.
pub const PREFIX_BYTES: usize = 48;

const MAGIC: [u8; 8] = *b"vkdxgKB1";

/// What the payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Kind {
    /// Machine code, as [`crate::kernel_abi::Header`] and an object file.
    Native = 1,
    /// A kernel for the interpreter.
    Interpreted = 2,
    /// Machine code as with `Native`, and a [`Record`].
    First = 3,
}

/// What stands behind the payload of code that better code may follow. In GPU memory, at a multiple of 8 bytes.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Record {
    /// Not 0: the two words that follow are valid. Written by the user half, once.
    pub followed: AtomicU32,
    unused: u32,
    /// Address of the binary that does the same faster.
    pub address: AtomicU64,
    /// Its bytes.
    pub bytes: AtomicU64,
    /// What the kernel has taken so far, in ticks of the time-stamp counter on all threads. Written by the engine.
    pub spent: AtomicU64,
}

/// Bytes of a [`Record`].
pub const RECORD_BYTES: usize = size_of::<Record>();

/// Why a binary was not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// Not a binary of this version, or damaged.
    Malformed(&'static str),
    /// For a processor with other features.
    Cpu,
    /// No memory.
    Memory,
}

/// A binary of a payload.
pub fn pack(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(PREFIX_BYTES + payload.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&(kind as u64).to_le_bytes());
    out.extend_from_slice(&hash(kind as u64, payload));
    out.extend_from_slice(payload);
    if kind == Kind::First {
        out.resize(out.len().next_multiple_of(8) + RECORD_BYTES, 0);
    }
    out
}

fn hash(kind: u64, payload: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&kind.to_le_bytes());
    hasher.update(payload);
    *hasher.finalize().as_bytes()
}

/// Where in a binary of so many bytes the record is, if its prefix says that it has one.
pub fn record(prefix: &[u8; PREFIX_BYTES], bytes: u64) -> Option<u64> {
    (prefix[8..16] == (Kind::First as u64).to_le_bytes()).then_some(())?;
    bytes.checked_sub(RECORD_BYTES as u64).filter(|at| at.is_multiple_of(8) && *at >= PREFIX_BYTES as u64)
}

/// The hash a prefix claims; `None` if it is no prefix.
pub fn key(prefix: &[u8; PREFIX_BYTES]) -> Option<[u8; 32]> {
    prefix.strip_prefix(&MAGIC)?.get(8..)?.try_into().ok()
}

/// The kind and payload of an undamaged binary.
fn unpack(binary: &[u8]) -> Result<(Kind, &[u8]), LoadError> {
    let malformed = LoadError::Malformed("not a kernel binary");
    let (prefix, payload) = binary.split_first_chunk::<PREFIX_BYTES>().ok_or(malformed)?;
    let key = key(prefix).ok_or(malformed)?;
    let kind = u64::from_le_bytes(prefix[8..16].try_into().map_err(|_| malformed)?);
    let payload = match kind {
        3 => {
            // Up to seven bytes of padding come before the record.
            let rest = payload.len().checked_sub(RECORD_BYTES).ok_or(malformed)?;
            Header::whole(&payload[..rest]).ok_or(malformed)?
        }
        _ => payload,
    };
    if hash(kind, payload) != key {
        return Err(LoadError::Malformed("kernel binary does not match its hash"));
    }
    match kind {
        1 => Ok((Kind::Native, payload)),
        3 => Ok((Kind::First, payload)),
        2 => Ok((Kind::Interpreted, payload)),
        _ => Err(malformed),
    }
}

/// Whether a binary (from a cache) is undamaged and runs on this machine.
pub fn accepts(binary: &[u8]) -> bool {
    match unpack(binary) {
        Ok((Kind::Native | Kind::First, payload)) => Header::decode(payload).is_some_and(|(h, _)| h.width.supported()),
        Ok((Kind::Interpreted, payload)) => Interpreted::load(payload).is_ok(),
        Err(_) => false,
    }
}

/// What a dispatch hands to every workgroup.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// Push constants.
    pub push: &'a [u8; crate::packet::MAX_PUSH],
    /// Memory of the descriptor sets.
    pub sets: &'a [u64; crate::packet::MAX_SETS],
    /// Dynamic buffers.
    pub dynamic: &'a [BufferDesc],
    /// First workgroup.
    pub base: [u32; 3],
    /// Number of workgroups.
    pub groups: [u32; 3],
    /// Not 0: the dispatch has to end.
    pub cancel: &'a AtomicU32,
    /// Where its addresses mean something.
    pub space: &'a AddressSpace,
}

/// A kernel ready to run.
#[derive(Debug)]
pub struct Executable {
    code: Code,
    pace: AtomicU64,
}

#[derive(Debug)]
enum Code {
    /// Machine code.
    Native(Loaded),
    /// By the interpreter.
    Interpreted(Box<Interpreted>),
}

impl Executable {
    /// Loads a binary.
    pub fn load(binary: &[u8]) -> Result<Executable, LoadError> {
        let code = match unpack(binary)? {
            (Kind::Native | Kind::First, payload) => {
                Code::Native(Loaded::load(payload).map_err(|error| native_error(&error))?)
            }
            (Kind::Interpreted, payload) => Code::Interpreted(Box::new(Interpreted::load(payload)?)),
        };
        Ok(Executable { code, pace: AtomicU64::new(0) })
    }

    /// What a workgroup takes, as far as dispatches have found out, in their unit of time; 0: nobody knows.
    pub fn pace(&self) -> &AtomicU64 {
        &self.pace
    }

    /// Invocations of a workgroup.
    pub fn workgroup_invocations(&self) -> u64 {
        let size = match &self.code {
            Code::Native(loaded) => loaded.header().local_size,
            Code::Interpreted(kernel) => kernel.local_size(),
        };
        // A damaged kernel may claim anything.
        size.iter().fold(1, |n, s| n.wrapping_mul(u64::from(*s)))
    }

    /// Runs the workgroups `begin..end` (linear, x fastest).
    pub fn run(&self, bound: &Bound<'_>, begin: u64, end: u64, arena: &mut Arena) -> Result<(), EngineFault> {
        match &self.code {
            Code::Native(loaded) => {
                let bytes = loaded.arena_bytes();
                let Some(scratch) = arena.reserve(bytes) else {
                    return Err(EngineFault::Internal(format!("no memory for {bytes} bytes of kernel scratch")));
                };
                let ctx = DispatchCtx {
                    push: bound.push.as_ptr(),
                    sets: bound.sets.as_ptr(),
                    dynamic: bound.dynamic.as_ptr(),
                    helpers: &crate::engine::HELPERS,
                    user: std::ptr::from_ref(bound.space).cast(),
                    base_group: bound.base,
                    group_count: bound.groups,
                    cancel: bound.cancel.as_ptr().cast_const(),
                };
                // SAFETY: the context's pointers are those of `bound` and live across the call; the arena has the size the
                // kernel asks for; descriptors describe what the application bound, as Vulkan's valid usage demands. Kernels
                // and their helpers have nothing to unwind where they touch memory of the application (see `helpers`), and the
                // engine that runs this has installed the guard.
                let run = unsafe { guard::call(loaded.code(), std::ptr::from_ref(&ctx).cast(), begin, end, scratch) };
                run.map_err(page_fault)
            }
            Code::Interpreted(kernel) => kernel.run(bound, begin, end),
        }
    }
}

fn page_fault(bad: guard::BadAccess) -> EngineFault {
    EngineFault::PageFault { address: bad.address, write: bad.write }
}

fn native_error(error: &loader::LoadError) -> LoadError {
    match error {
        loader::LoadError::Unsupported(_) => LoadError::Cpu,
        loader::LoadError::Memory(_) => LoadError::Memory,
        _ => LoadError::Malformed("kernel object file refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_found() {
        let good = pack(Kind::Interpreted, b"payload");
        assert_eq!(unpack(&good), Ok((Kind::Interpreted, &b"payload"[..])));
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 1;
            assert!(unpack(&bad).is_err(), "byte {i}");
        }
        assert!(unpack(&good[..PREFIX_BYTES - 1]).is_err());
    }

    #[test]
    fn records_are_no_part_of_what_is_hashed() {
        let header =
            Header { width: crate::kernel_abi::Width::W16, subgroup_size: 16, local_size: [1; 3], arena_bytes: 0 };
        for object in [&b"12345678"[..], b"123", b""] {
            let payload = header.encode(object);
            let mut binary = pack(Kind::First, &payload);
            let prefix: [u8; PREFIX_BYTES] = *binary.first_chunk().unwrap();
            let at = record(&prefix, binary.len() as u64).unwrap() as usize;
            assert!(at >= PREFIX_BYTES + payload.len() && at < PREFIX_BYTES + payload.len() + 8);
            assert_eq!(unpack(&binary), Ok((Kind::First, &payload[..])));
            binary[at..].fill(0xff);
            assert_eq!(unpack(&binary), Ok((Kind::First, &payload[..])));
            binary[at - 9] ^= 1;
            assert!(unpack(&binary).is_err());
            assert!(unpack(&binary[..PREFIX_BYTES + 8]).is_err());
        }
        let plain = pack(Kind::Native, &header.encode(b""));
        assert_eq!(record(plain.first_chunk().unwrap(), plain.len() as u64), None);
    }
}
