//! Stores that go past the caches.
//!
//! A dispatch that writes more than the caches keep would only fetch lines from memory to overwrite them, and push out what it reads. Where a
//! buffer is written and not read, whole lines of it are then written without that. How much a dispatch writes is known when it begins.

use super::gen::Gen;
use super::ir::{Icmp, Val};
use crate::kernel_abi::Width;
use compiler::hash::{HashMap, HashSet};
use compiler::sir::{Access, Addr, Kernel, MemoryScope, Op, Region, Value};

/// Bytes of a cache line.
pub const LINE: u32 = 64;

/// What goes past the caches.
#[derive(Debug, Default)]
pub struct Streams {
    /// Buffers that are written and not read.
    buffers: HashSet<Value>,
    /// Bytes that an invocation writes to them, at most.
    bytes: u64,
    /// Bits that an address of such a store may not have: those within a line, or all of them if the dispatch writes little.
    forbidden: Option<Val>,
}

/// What a kernel does with its buffers.
#[derive(Default)]
struct Found {
    resources: HashMap<Value, (u32, u32)>,
    read: HashSet<(u32, u32)>,
    written: Vec<(Value, u64)>,
    /// Somebody may look at what is stored before the kernel ends.
    watched: bool,
    /// Nobody knows how much is stored, or the kernel is busy with other things than storing.
    repeats: bool,
}

/// Whether accesses say something about when others see them.
fn watched(access: &Access) -> bool {
    access.volatile || access.coherent || access.atomic
}

impl Found {
    fn region(&mut self, k: &Kernel, region: &Region) {
        for inst in &region.insts {
            match &inst.op {
                Op::Buffer(r) => {
                    self.resources.extend(inst.results.iter().map(|v| (*v, (r.set, r.binding))));
                    self.watched |= r.index.is_some_and(|_| r.non_uniform);
                }
                Op::Load { addr, access } => {
                    self.watched |= watched(access);
                    match addr {
                        Addr::Buffer { buf, .. } => self.read.extend(self.resources.get(buf)),
                        // Whatever it is, it is most often something else.
                        Addr::Global { .. } | Addr::Shared { .. } | Addr::Slot { .. } | Addr::Push { .. } => {}
                    }
                }
                Op::Store { addr, values, access } => {
                    self.watched |= watched(access);
                    if let (Addr::Buffer { buf, .. }, Some(v)) = (addr, values.first()) {
                        self.written.push((*buf, values.len() as u64 * u64::from(k.ty(*v).bytes())));
                    }
                }
                Op::AtomicRmw { .. } | Op::AtomicCas { .. } | Op::ImageAtomic { .. } | Op::ImageCas { .. } => {
                    self.watched = true;
                }
                Op::ControlBarrier { memory, .. } | Op::MemoryBarrier { memory } => match memory {
                    MemoryScope::Invocation | MemoryScope::Subgroup | MemoryScope::Workgroup => {}
                    MemoryScope::QueueFamily | MemoryScope::Device => self.watched = true,
                },
                Op::Loop { .. } => self.repeats = true,
                _ => {}
            }
            inst.op.for_each_region(&mut |r| self.region(k, r));
        }
    }
}

impl Streams {
    /// Looks at what a kernel stores.
    pub fn new(k: &Kernel, width: Width, expands: bool) -> Streams {
        // Elsewhere a store fills half of a line at most; and the quick back end has no such stores.
        if width != Width::W16 || expands {
            return Streams::default();
        }
        let mut found = Found::default();
        found.region(k, &k.body);
        if found.watched || found.repeats {
            return Streams::default();
        }
        let mut streams = Streams::default();
        for (buf, bytes) in found.written {
            if found.resources.get(&buf).is_some_and(|r| !found.read.contains(r)) {
                streams.buffers.insert(buf);
                streams.bytes += bytes;
            }
        }
        streams
    }

    /// Whether some stores go past the caches.
    pub fn any(&self) -> bool {
        self.forbidden.is_some()
    }
}

impl Gen<'_> {
    /// For a store of so many bytes from each address: whether it goes past the caches, if it ever does.
    pub fn past_caches(&mut self, addr: &Addr, access: &Access, bytes: u32, addresses: &[Val]) -> Option<Val> {
        let Addr::Buffer { buf, .. } = addr else { return None };
        if !bytes.is_multiple_of(LINE) || watched(access) || !self.streams.buffers.contains(buf) {
            return None;
        }
        let forbidden = self.forbidden();
        let m = self.m;
        let all = addresses.iter().map(|p| m.ptrtoint(*p, m.int(64))).reduce(|a, b| m.or(a, b))?;
        Some(m.icmp(Icmp::Eq, m.and(all, forbidden), self.i64c(0)))
    }

    fn forbidden(&mut self) -> Val {
        if let Some(v) = self.streams.forbidden {
            return v;
        }
        let each = self.streams.bytes * u64::from(self.k.invocations());
        let v = self.in_setup(|g| {
            let m = g.m;
            let groups = g.count.map(|c| m.zext(c, m.int(64)));
            // Nobody can count so far that this wraps.
            let all = m.mul(m.mul(groups[0], groups[1]), groups[2]);
            let many = m.icmp(Icmp::Uge, all, g.i64c(g.opts.stream_from.div_ceil(each.max(1))));
            m.select(many, g.i64c(u64::from(LINE) - 1), g.i64c(u64::MAX))
        });
        self.streams.forbidden = Some(v);
        v
    }

    /// Stores past the caches are ordered by nothing else.
    pub fn end_streams(&self) {
        if self.streams.any() {
            self.m.intrinsic("llvm.x86.sse.sfence", &[], &[]);
        }
    }
}
