//! What passes know about memory: which loads give the same value whenever they are done.

use crate::sir::visit::Clobbers;
use crate::sir::{Access, Addr, BindingKind, Inst, Kernel, Op, Resource, Space, Value};

/// Facts about the memory of a kernel.
pub struct MemoryFacts {
    /// The descriptor that a `Buf` value comes from, where it is one.
    roots: Vec<Option<Resource>>,
    /// Whether the kernel writes buffers, images or memory by address at all.
    writes_device: bool,
}

impl MemoryFacts {
    /// Looks through the kernel.
    pub fn new(kernel: &Kernel) -> MemoryFacts {
        let mut facts = MemoryFacts { roots: vec![None; kernel.types.len()], writes_device: false };
        kernel.body.walk(&mut |i| facts.note(i));
        facts.writes_device = Clobbers::of_region(&kernel.body).device;
        facts
    }

    /// Learns of an instruction made later.
    pub fn note(&mut self, inst: &Inst) {
        if let Op::Buffer(r) = &inst.op {
            let v = inst.results[0].index();
            if self.roots.len() <= v {
                self.roots.resize(v + 1, None);
            }
            self.roots[v] = Some(*r);
        }
    }

    fn root(&self, buf: Value) -> Option<&Resource> {
        self.roots.get(buf.index()).and_then(Option::as_ref)
    }

    /// Whether nothing can change the memory while the kernel runs.
    pub fn is_invariant(&self, kernel: &Kernel, addr: &Addr, access: &Access) -> bool {
        if access.volatile || access.atomic {
            return false;
        }
        match addr {
            Addr::Push { .. } => true,
            Addr::Buffer { buf, .. } => {
                let uniform = self.root(*buf).is_some_and(|r| {
                    let mut here = kernel.bindings.iter().filter(|b| (b.set, b.binding) == (r.set, r.binding));
                    here.all(|b| b.kind == BindingKind::UniformBuffer && !b.written)
                });
                let plain = !access.coherent;
                uniform || plain && (!self.writes_device || access.non_writable && access.restrict)
            }
            Addr::Global { .. } => !access.coherent && (!self.writes_device || access.non_writable && access.restrict),
            Addr::Shared { .. } | Addr::Slot { .. } => false,
        }
    }

    /// Whether a load may be repeated or merged with an equal one as long as nothing writes in between.
    pub const fn is_plain(access: &Access) -> bool {
        !access.volatile && !access.atomic && !access.coherent
    }

    /// Whether a load from there never faults, wherever it stands.
    pub const fn is_safe(addr: &Addr) -> bool {
        !matches!(addr.space(), Space::Global)
    }
}
