//! Rules of the header and of the operations that are neither lane-wise nor control flow.

use super::{ensure, Check};
use crate::sir::{
    Access, Addr, AtomicOp, BindingKind, Builtin, GroupOp, ImageCoords, ImageDim, ImageRef, Kernel, MemoryScope, Op,
    Resource, SampleMode, SampleOperands, Space, SubgroupOp, Type, Value,
};

/// Rules of everything around the body.
pub fn header(k: &Kernel) -> Check {
    ensure(k.local_size.iter().all(|&n| n >= 1), || "the workgroup is empty".into())?;
    let n = k.local_size.iter().try_fold(1u32, |a, &b| a.checked_mul(b));
    ensure(n.is_some_and(|n| n <= 1 << 16), || "the workgroup is too large".into())?;
    for (i, s) in k.slots.iter().enumerate() {
        ensure(s.align.is_power_of_two(), || format!("alignment of slot {i} is not a power of two"))?;
    }
    let ordered = k.bindings.windows(2).all(|w| (w[0].set, w[0].binding) <= (w[1].set, w[1].binding));
    ensure(ordered, || "the bindings are not sorted".into())
}

/// Short name of an operation for messages.
pub fn name(op: &Op) -> &'static str {
    match op {
        Op::Const(_) => "const",
        Op::Alu { op, .. } => op.name(),
        Op::Builtin(_) => "builtin",
        Op::Buffer(_) => "buffer",
        Op::BufferSize(_) => "buffer_size",
        Op::Load { .. } => "load",
        Op::Store { .. } => "store",
        Op::AtomicRmw { .. } => "atomic_rmw",
        Op::AtomicCas { .. } => "atomic_cas",
        Op::ImageLoad { .. } => "image_load",
        Op::ImageStore { .. } => "image_store",
        Op::ImageAtomic { .. } => "image_atomic",
        Op::ImageCas { .. } => "image_cas",
        Op::ImageSize { .. } => "image_size",
        Op::ImageLevels { .. } => "image_levels",
        Op::ImageSamples { .. } => "image_samples",
        Op::Sample { .. } => "sample",
        Op::Subgroup { .. } => "subgroup",
        Op::ControlBarrier { .. } => "control_barrier",
        Op::MemoryBarrier { .. } => "memory_barrier",
        Op::ReadClock { .. } => "read_clock",
        Op::If { .. } => "if",
        Op::Switch { .. } => "switch",
        Op::Loop { .. } => "loop",
        Op::Block { .. } => "block",
        Op::Yield(_) => "yield",
        Op::Break(..) => "break",
        Op::Continue(..) => "continue",
        Op::Fallthrough(_) => "fallthrough",
        Op::Return => "return",
        Op::Unreachable => "unreachable",
    }
}

/// Checks an operation; its operands are known to be visible.
pub fn check(k: &Kernel, op: &Op, results: &[Type]) -> Check {
    let c = Checker { k, results };
    match op {
        Op::Const(bits) => {
            c.count(1)?;
            ensure(bits & !results[0].mask() == 0, || format!("constant does not fit {}", results[0]))
        }
        Op::Builtin(b) => {
            c.exactly(&[Type::I32])?;
            match b {
                Builtin::WorkgroupId(n) | Builtin::NumWorkgroups(n) | Builtin::LocalId(n) | Builtin::GlobalId(n) => {
                    ensure(*n <= 2, || "component beyond 2".into())
                }
                Builtin::LocalIndex => Ok(()),
                Builtin::SubgroupId | Builtin::NumSubgroups | Builtin::SubgroupSize | Builtin::SubgroupLocalId => {
                    c.subgroups()
                }
            }
        }
        Op::Buffer(r) => {
            c.exactly(&[Type::Buf])?;
            c.resource(r, &[BindingKind::UniformBuffer, BindingKind::StorageBuffer])
        }
        Op::BufferSize(v) => {
            c.exactly(&[Type::I64])?;
            c.is(*v, Type::Buf)
        }
        Op::Load { addr, access } => {
            ensure(!results.is_empty(), || "a load has at least one result".into())?;
            c.elements(results, access)?;
            c.addr(addr)
        }
        Op::Store { addr, values, access } => {
            c.count(0)?;
            ensure(!values.is_empty(), || "a store has at least one value".into())?;
            let types: Vec<Type> = values.iter().map(|&v| k.ty(v)).collect();
            c.elements(&types, access)?;
            ensure(addr.space() != Space::Push, || "push constants cannot be written".into())?;
            c.addr(addr)
        }
        Op::AtomicRmw { op, addr, value, .. } => {
            c.atomic_space(addr)?;
            c.atomic(*op, *value, false)
        }
        Op::AtomicCas { addr, expected, desired, .. } => {
            c.atomic_space(addr)?;
            c.cas(*expected, *desired)
        }
        Op::ImageLoad { image, coords, sparse } => {
            c.image(image)?;
            c.coords(image, coords)?;
            c.texel(results, *sparse, 4)
        }
        Op::ImageStore { image, coords, texel } => {
            c.count(0)?;
            c.image(image)?;
            c.coords(image, coords)?;
            ensure(texel.len() == 4, || "a texel has 4 values".into())?;
            let types: Vec<Type> = texel.iter().map(|&v| k.ty(v)).collect();
            c.texel(&types, false, 4)
        }
        Op::ImageAtomic { image, coords, op, value } => {
            c.image(image)?;
            c.coords(image, coords)?;
            c.atomic(*op, *value, true)
        }
        Op::ImageCas { image, coords, expected, desired } => {
            c.image(image)?;
            c.coords(image, coords)?;
            c.cas(*expected, *desired)
        }
        Op::ImageSize { image, lod } => {
            c.image(image)?;
            let n = match image.dim {
                ImageDim::D1 | ImageDim::Buffer => 1,
                ImageDim::D2 | ImageDim::Cube => 2,
                ImageDim::D3 => 3,
            } + usize::from(image.arrayed);
            c.exactly(&[Type::I32; 4][..n])?;
            lod.map_or(Ok(()), |v| c.is(v, Type::I32))
        }
        Op::ImageLevels { image } | Op::ImageSamples { image } => {
            c.exactly(&[Type::I32])?;
            c.image(image)
        }
        Op::Sample { image, sampler, operands, sparse } => {
            c.image(image)?;
            if let Some(s) = sampler {
                c.resource(s, &[BindingKind::Sampler, BindingKind::CombinedImageSampler])?;
            }
            c.sample(image, operands)?;
            match operands.mode {
                SampleMode::QueryLod => {
                    ensure(!sparse, || "a query has no residency".into())?;
                    c.exactly(&[Type::F32; 2])
                }
                SampleMode::Sample if operands.dref.is_some() => c.texel(results, *sparse, 1),
                SampleMode::Sample | SampleMode::Gather => c.texel(results, *sparse, 4),
            }
        }
        Op::Subgroup { op, args } => {
            c.subgroups()?;
            c.subgroup(*op, args)
        }
        Op::ControlBarrier { scope, .. } => {
            c.count(0)?;
            let ok = matches!(scope, MemoryScope::Subgroup | MemoryScope::Workgroup);
            ensure(ok, || "execution scope must be subgroup or workgroup".into())
        }
        Op::MemoryBarrier { .. } => c.count(0),
        Op::ReadClock { .. } => c.exactly(&[Type::I64]),
        Op::Alu { .. } | Op::If { .. } | Op::Switch { .. } | Op::Loop { .. } | Op::Block { .. } => Ok(()),
        Op::Yield(_) | Op::Break(..) | Op::Continue(..) | Op::Fallthrough(_) | Op::Return | Op::Unreachable => Ok(()),
    }
}

struct Checker<'a> {
    k: &'a Kernel,
    results: &'a [Type],
}

impl Checker<'_> {
    fn count(&self, n: usize) -> Check {
        ensure(self.results.len() == n, || format!("{} results, {n} expected", self.results.len()))
    }

    fn exactly(&self, types: &[Type]) -> Check {
        self.count(types.len())?;
        for (f, e) in self.results.iter().zip(types) {
            ensure(f == e, || format!("a result is {f}, {e} expected"))?;
        }
        Ok(())
    }

    fn is(&self, v: Value, ty: Type) -> Check {
        let found = self.k.ty(v);
        ensure(found == ty, || format!("{v} is {found}, {ty} expected"))
    }

    fn all(&self, values: &[Value], ty: Type) -> Check {
        values.iter().try_for_each(|&v| self.is(v, ty))
    }

    fn subgroups(&self) -> Check {
        ensure(self.k.uses_subgroups, || "the kernel is not marked as using subgroups".into())
    }

    fn resource(&self, r: &Resource, kinds: &[BindingKind]) -> Check {
        let mut here = self.k.bindings.iter().filter(|b| (b.set, b.binding) == (r.set, r.binding)).peekable();
        ensure(here.peek().is_some(), || format!("binding {}.{} is not declared", r.set, r.binding))?;
        ensure(here.any(|b| kinds.contains(&b.kind)), || {
            format!("binding {}.{} is declared as another kind", r.set, r.binding)
        })?;
        r.index.map_or(Ok(()), |v| self.is(v, Type::I32))
    }

    fn addr(&self, addr: &Addr) -> Check {
        let off = |off: &Option<Value>, ty| off.map_or(Ok(()), |v| self.is(v, ty));
        match addr {
            Addr::Buffer { buf, off: o, .. } => {
                self.is(*buf, Type::Buf)?;
                off(o, Type::I64)
            }
            Addr::Global { addr, .. } => self.is(*addr, Type::I64),
            Addr::Shared { off: o, .. } | Addr::Push { off: o, .. } => off(o, Type::I32),
            Addr::Slot { slot, off: o, .. } => {
                ensure(slot.index() < self.k.slots.len(), || format!("{slot} does not exist"))?;
                off(o, Type::I32)
            }
        }
    }

    fn elements(&self, types: &[Type], access: &Access) -> Check {
        ensure(access.align.is_power_of_two(), || "the alignment is not a power of two".into())?;
        ensure(types.iter().all(|&t| t == types[0]), || "the elements must have one type".into())?;
        ensure(types[0].bytes() != 0, || format!("{} has no form in memory", types[0]))?;
        ensure(!access.atomic || types.len() == 1, || "an atomic access has one element".into())
    }

    fn atomic_space(&self, addr: &Addr) -> Check {
        let ok = !matches!(addr.space(), Space::Slot | Space::Push);
        ensure(ok, || "atomic operations need buffer, global or workgroup memory".into())?;
        self.addr(addr)
    }

    fn atomic(&self, op: AtomicOp, value: Value, texel: bool) -> Check {
        let ty = self.k.ty(value);
        let ok = match op {
            AtomicOp::IAdd
            | AtomicOp::SMin
            | AtomicOp::SMax
            | AtomicOp::UMin
            | AtomicOp::UMax
            | AtomicOp::And
            | AtomicOp::Or
            | AtomicOp::Xor => ty.is_int(),
            AtomicOp::Exchange => ty.bytes() != 0,
            AtomicOp::FAdd | AtomicOp::FMin | AtomicOp::FMax => ty.is_float(),
            AtomicOp::HAdd | AtomicOp::HMin | AtomicOp::HMax => texel && matches!(ty, Type::I32 | Type::I64),
        };
        ensure(ok, || format!("no such atomic operation on {ty}"))?;
        self.exactly(&[ty])
    }

    fn cas(&self, expected: Value, desired: Value) -> Check {
        let ty = self.k.ty(expected);
        ensure(ty.is_int(), || "compare-exchange needs integers".into())?;
        self.is(desired, ty)?;
        self.exactly(&[ty])
    }

    fn image(&self, image: &ImageRef) -> Check {
        self.resource(
            &image.res,
            &[
                BindingKind::StorageImage,
                BindingKind::SampledImage,
                BindingKind::CombinedImageSampler,
                BindingKind::UniformTexelBuffer,
                BindingKind::StorageTexelBuffer,
            ],
        )
    }

    fn coords(&self, image: &ImageRef, c: &ImageCoords) -> Check {
        let n = match image.dim {
            ImageDim::D1 | ImageDim::Buffer => 1 + usize::from(image.arrayed),
            ImageDim::D2 => 2 + usize::from(image.arrayed),
            ImageDim::D3 | ImageDim::Cube => 3,
        };
        ensure(c.xyz.len() == n, || format!("{} coordinates, {n} expected", c.xyz.len()))?;
        self.all(&c.xyz, Type::I32)?;
        self.all(c.lod.as_slice(), Type::I32)?;
        self.all(c.sample.as_slice(), Type::I32)
    }

    fn texel(&self, types: &[Type], sparse: bool, n: usize) -> Check {
        let count = n + usize::from(sparse);
        ensure(types.len() == count, || format!("{} values of a texel, {count} expected", types.len()))?;
        let ok = matches!(types[0], Type::F32 | Type::I32 | Type::I64) && types[..n].iter().all(|&t| t == types[0]);
        ensure(ok, || "texels are of f32, i32 or i64".into())?;
        ensure(!sparse || types[n] == Type::I32, || "the residency code is i32".into())
    }

    fn sample(&self, image: &ImageRef, o: &SampleOperands) -> Check {
        let dims = match image.dim {
            ImageDim::D1 | ImageDim::Buffer => 1,
            ImageDim::D2 => 2,
            ImageDim::D3 | ImageDim::Cube => 3,
        };
        let n = dims + usize::from(image.arrayed);
        ensure(o.coords.len() == n, || format!("{} coordinates, {n} expected", o.coords.len()))?;
        ensure(o.grad.is_empty() || o.grad.len() == 2 * dims, || "two gradients per dimension expected".into())?;
        let offsets = match o.mode {
            SampleMode::Sample | SampleMode::QueryLod => o.offsets.is_empty() || o.offsets.len() == dims,
            SampleMode::Gather => o.offsets.is_empty() || o.offsets.len() == dims || o.offsets.len() == 8,
        };
        ensure(offsets, || "wrong number of offsets".into())?;
        ensure(o.component <= 3, || "component beyond 3".into())?;
        self.all(&o.coords, Type::F32)?;
        self.all(&o.grad, Type::F32)?;
        self.all(&o.offsets, Type::I32)?;
        self.all(o.lod.as_slice(), Type::F32)?;
        self.all(o.dref.as_slice(), Type::F32)?;
        self.all(o.min_lod.as_slice(), Type::F32)?;
        self.all(o.bias.as_slice(), Type::F32)
    }

    fn subgroup(&self, op: SubgroupOp, args: &[Value]) -> Check {
        let arity = match op {
            SubgroupOp::Elect => 0,
            SubgroupOp::All
            | SubgroupOp::Any
            | SubgroupOp::AllEqual
            | SubgroupOp::Ballot
            | SubgroupOp::BroadcastFirst
            | SubgroupOp::Group { .. }
            | SubgroupOp::Partition
            | SubgroupOp::QuadSwap { .. } => 1,
            SubgroupOp::Broadcast
            | SubgroupOp::Shuffle
            | SubgroupOp::ShuffleXor
            | SubgroupOp::ShuffleUp
            | SubgroupOp::ShuffleDown
            | SubgroupOp::Rotate { .. }
            | SubgroupOp::Partitioned { .. }
            | SubgroupOp::QuadBroadcast => 2,
        };
        ensure(args.len() == arity, || format!("{} operands, {arity} expected", args.len()))?;
        let cluster_ok = |n: u32| ensure(n == 0 || n.is_power_of_two(), || "cluster is not a power of two".into());
        let ty = args.first().map(|&v| self.k.ty(v));
        if ty == Some(Type::Buf) {
            return Err("buffer references do not travel between invocations".into());
        }
        match op {
            SubgroupOp::Elect => self.exactly(&[Type::Bool]),
            SubgroupOp::All | SubgroupOp::Any => {
                self.is(args[0], Type::Bool)?;
                self.exactly(&[Type::Bool])
            }
            SubgroupOp::AllEqual => self.exactly(&[Type::Bool]),
            SubgroupOp::Ballot => {
                self.is(args[0], Type::Bool)?;
                self.exactly(&[Type::I64])
            }
            SubgroupOp::BroadcastFirst => self.exactly(ty.as_slice()),
            SubgroupOp::Broadcast
            | SubgroupOp::Shuffle
            | SubgroupOp::ShuffleXor
            | SubgroupOp::ShuffleUp
            | SubgroupOp::ShuffleDown
            | SubgroupOp::QuadBroadcast => {
                self.is(args[1], Type::I32)?;
                self.exactly(ty.as_slice())
            }
            SubgroupOp::Rotate { cluster } => {
                cluster_ok(cluster)?;
                self.is(args[1], Type::I32)?;
                self.exactly(ty.as_slice())
            }
            SubgroupOp::QuadSwap { direction } => {
                ensure(direction <= 2, || "direction beyond 2".into())?;
                self.exactly(ty.as_slice())
            }
            SubgroupOp::Group { op, cluster, .. } => {
                cluster_ok(cluster)?;
                self.reduction(op, args[0])
            }
            SubgroupOp::Partition => self.exactly(&[Type::I64]),
            SubgroupOp::Partitioned { op, .. } => {
                self.is(args[1], Type::I64)?;
                self.reduction(op, args[0])
            }
        }
    }

    fn reduction(&self, op: GroupOp, of: Value) -> Check {
        let t = self.k.ty(of);
        let ok = match op {
            GroupOp::IAdd | GroupOp::IMul | GroupOp::SMin | GroupOp::SMax | GroupOp::UMin | GroupOp::UMax => t.is_int(),
            GroupOp::And | GroupOp::Or | GroupOp::Xor => t.is_int() || t == Type::Bool,
            GroupOp::FAdd | GroupOp::FMul | GroupOp::FMin | GroupOp::FMax => t.is_float(),
        };
        ensure(ok, || format!("no such reduction on {t}"))?;
        self.exactly(&[t])
    }
}
