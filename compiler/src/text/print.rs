//! The printer.

use super::names::Words;
use crate::sir::{
    Access, Addr, FloatMode, ImageCoords, ImageRef, Inst, Kernel, Op, Region, Resource, SampleMode, SampleOperands,
    SubgroupOp, Type, Value,
};
use std::fmt::Write;

/// The text of a kernel.
pub fn print(kernel: &Kernel) -> String {
    let mut p = Printer { kernel, out: String::new(), depth: 1 };
    p.header();
    p.out.push_str("body {\n");
    p.insts(&kernel.body);
    p.out.push_str("}\n");
    p.out
}

/// The text of one instruction, with its regions.
pub fn print_inst(kernel: &Kernel, inst: &Inst) -> String {
    let mut p = Printer { kernel, out: String::new(), depth: 0 };
    p.inst(inst);
    p.out
}

/// Appends formatted text; writing to a `String` cannot fail.
macro_rules! put {
    ($p:expr, $($arg:tt)*) => { let _ = write!($p.out, $($arg)*); };
}

struct Printer<'k> {
    kernel: &'k Kernel,
    out: String,
    depth: usize,
}

impl Printer<'_> {
    fn header(&mut self) {
        let k = self.kernel;
        put!(self, "kernel {}\n", quote(&k.name));
        let [x, y, z] = k.local_size;
        put!(self, "local_size {x} {y} {z}\n");
        if k.shared_size != 0 || k.shared_zeroed {
            put!(self, "shared {}{}\n", k.shared_size, if k.shared_zeroed { " zeroed" } else { "" });
        }
        if k.push_size != 0 {
            put!(self, "push {}\n", k.push_size);
        }
        if k.wide_indexing {
            self.out.push_str("wide_indexing\n");
        }
        if k.uses_subgroups {
            self.out.push_str("subgroups\n");
        }
        let fc = k.float_controls;
        for (ty, m) in [(Type::F16, fc.f16), (Type::F32, fc.f32), (Type::F64, fc.f64)] {
            if m != FloatMode::default() {
                put!(self, "float {ty}");
                let words = [
                    (m.flush_denorms, " flush_denorms"),
                    (m.preserve_denorms, " preserve_denorms"),
                    (m.rtz, " rtz"),
                    (m.rte, " rte"),
                    (m.signed_zero_inf_nan, " signed_zero_inf_nan"),
                ];
                words.iter().filter(|(on, _)| *on).for_each(|(_, w)| self.out.push_str(w));
                self.out.push('\n');
            }
        }
        for (i, s) in k.slots.iter().enumerate() {
            put!(self, "slot ${i} size {} align {}\n", s.size, s.align);
        }
        for b in &k.bindings {
            put!(self, "binding {}.{} {} count {}", b.set, b.binding, b.kind.word(), b.count);
            self.out.push_str(if b.written { " written\n" } else { "\n" });
        }
    }

    fn indent(&mut self) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }

    fn ty(&self, v: Value) -> &'static str {
        self.kernel.types.get(v.index()).map_or("?", |t| t.name())
    }

    fn insts(&mut self, region: &Region) {
        for inst in &region.insts {
            self.inst(inst);
        }
    }

    fn region(&mut self, region: &Region) {
        self.out.push_str("{\n");
        self.depth += 1;
        self.insts(region);
        self.depth -= 1;
        self.indent();
        self.out.push('}');
    }

    fn values(&mut self, values: &[Value]) {
        for v in values {
            put!(self, " {v}");
        }
    }

    fn params(&mut self, params: &[Value], init: &[Value]) {
        if params.is_empty() && init.is_empty() {
            return;
        }
        self.out.push_str(" (");
        for i in 0..params.len().max(init.len()) {
            if i != 0 {
                self.out.push(' ');
            }
            match (params.get(i), init.get(i)) {
                (Some(&p), Some(v)) => {
                    put!(self, "{p}:{}={v}", self.ty(p));
                }
                (Some(&p), None) => {
                    put!(self, "{p}:{}=?", self.ty(p));
                }
                (None, Some(v)) => {
                    put!(self, "?={v}");
                }
                (None, None) => {}
            }
        }
        self.out.push(')');
    }

    fn inst(&mut self, inst: &Inst) {
        self.indent();
        for &r in &inst.results {
            put!(self, "{r}:{} ", self.ty(r));
        }
        if !inst.results.is_empty() {
            self.out.push_str("= ");
        }
        let first = inst.results.first().and_then(|v| self.kernel.types.get(v.index()).copied());
        self.op(&inst.op, first);
        self.out.push('\n');
    }

    fn op(&mut self, op: &Op, first: Option<Type>) {
        match op {
            Op::Const(bits) => {
                put!(self, "const {}", constant(first.unwrap_or(Type::I64), *bits));
            }
            Op::Alu { op, args, flags } => {
                self.out.push_str(op.name());
                self.values(args);
                if flags.no_contract {
                    self.out.push_str(" no_contract");
                }
            }
            Op::Builtin(b) => {
                put!(self, "builtin {}", b.word());
            }
            Op::Buffer(r) => {
                self.out.push_str("buffer ");
                self.resource(r);
            }
            Op::BufferSize(v) => {
                put!(self, "buffer_size {v}");
            }
            Op::Load { addr, access } => {
                self.out.push_str("load ");
                self.addr(addr);
                self.access(access);
            }
            Op::Store { addr, values, access } => {
                self.out.push_str("store ");
                self.addr(addr);
                self.values(values);
                self.access(access);
            }
            Op::AtomicRmw { op, addr, value, volatile } => {
                put!(self, "atomic_rmw {} ", op.word());
                self.addr(addr);
                put!(self, " {value}{}", if *volatile { " volatile" } else { "" });
            }
            Op::AtomicCas { addr, expected, desired, volatile } => {
                self.out.push_str("atomic_cas ");
                self.addr(addr);
                put!(self, " {expected} {desired}{}", if *volatile { " volatile" } else { "" });
            }
            Op::ImageLoad { image, coords, sparse } => {
                self.out.push_str("image_load ");
                self.image(image);
                self.coords(coords);
                if *sparse {
                    self.out.push_str(" sparse");
                }
            }
            Op::ImageStore { image, coords, texel } => {
                self.out.push_str("image_store ");
                self.image(image);
                self.coords(coords);
                self.list(" texel", texel);
            }
            Op::ImageAtomic { image, coords, op, value } => {
                put!(self, "image_atomic {} ", op.word());
                self.image(image);
                self.coords(coords);
                put!(self, " {value}");
            }
            Op::ImageCas { image, coords, expected, desired } => {
                self.out.push_str("image_cas ");
                self.image(image);
                self.coords(coords);
                put!(self, " {expected} {desired}");
            }
            Op::ImageSize { image, lod } => {
                self.out.push_str("image_size ");
                self.image(image);
                self.optional("lod", *lod);
            }
            Op::ImageLevels { image } => {
                self.out.push_str("image_levels ");
                self.image(image);
            }
            Op::ImageSamples { image } => {
                self.out.push_str("image_samples ");
                self.image(image);
            }
            Op::Sample { image, sampler, operands, sparse } => self.sample(image, sampler.as_ref(), operands, *sparse),
            Op::Subgroup { op, args } => {
                self.out.push_str("subgroup ");
                self.subgroup(*op);
                self.values(args);
            }
            Op::ControlBarrier { scope, memory } => {
                put!(self, "control_barrier {} {}", scope.word(), memory.word());
            }
            Op::MemoryBarrier { memory } => {
                put!(self, "memory_barrier {}", memory.word());
            }
            Op::ReadClock { scope } => {
                put!(self, "read_clock {}", scope.word());
            }
            Op::If { cond, then, els } => {
                put!(self, "if {cond} ");
                self.region(then);
                self.out.push_str(" else ");
                self.region(els);
            }
            Op::Switch { label, selector, cases } => {
                put!(self, "switch {label} {selector} {{\n");
                for c in cases {
                    self.indent();
                    self.out.push_str("case");
                    for l in &c.literals {
                        put!(self, " {l}");
                    }
                    if c.is_default {
                        self.out.push_str(" default");
                    }
                    self.params(&c.body.params, &c.init);
                    self.out.push(' ');
                    self.region(&c.body);
                    self.out.push('\n');
                }
                self.indent();
                self.out.push('}');
            }
            Op::Loop { label, init, body } => {
                put!(self, "loop {label}");
                self.params(&body.params, init);
                self.out.push(' ');
                self.region(body);
            }
            Op::Block { label, body } => {
                put!(self, "block {label} ");
                self.region(body);
            }
            Op::Yield(args) => {
                self.out.push_str("yield");
                self.values(args);
            }
            Op::Break(label, args) => {
                put!(self, "break {label}");
                self.values(args);
            }
            Op::Continue(label, args) => {
                put!(self, "continue {label}");
                self.values(args);
            }
            Op::Fallthrough(args) => {
                self.out.push_str("fallthrough");
                self.values(args);
            }
            Op::Return => self.out.push_str("return"),
            Op::Unreachable => self.out.push_str("unreachable"),
        }
    }

    fn resource(&mut self, r: &Resource) {
        put!(self, "{}.{}", r.set, r.binding);
        if let Some(i) = r.index {
            put!(self, " [{i}]");
        }
        if r.non_uniform {
            self.out.push_str(" non_uniform");
        }
    }

    fn addr(&mut self, addr: &Addr) {
        put!(self, "{}(", addr.space().word());
        let (off, imm) = match addr {
            Addr::Buffer { buf, off, imm } => {
                put!(self, "{buf} ");
                (off, *imm)
            }
            Addr::Global { addr, imm } => {
                put!(self, "{addr} ");
                (&None, *imm)
            }
            Addr::Slot { slot, off, imm } => {
                put!(self, "{slot} ");
                (off, i64::from(*imm))
            }
            Addr::Shared { off, imm } | Addr::Push { off, imm } => (off, i64::from(*imm)),
        };
        if let Some(off) = off {
            put!(self, "{off} ");
        }
        put!(self, "{imm})");
    }

    fn access(&mut self, a: &Access) {
        put!(self, " align {}", a.align);
        let words = [
            (a.volatile, " volatile"),
            (a.coherent, " coherent"),
            (a.non_writable, " non_writable"),
            (a.restrict, " restrict"),
            (a.atomic, " atomic"),
        ];
        words.iter().filter(|(on, _)| *on).for_each(|(_, w)| self.out.push_str(w));
    }

    fn list(&mut self, name: &str, values: &[Value]) {
        put!(self, "{name}(");
        for (i, v) in values.iter().enumerate() {
            put!(self, "{}{v}", if i == 0 { "" } else { " " });
        }
        self.out.push(')');
    }

    fn optional(&mut self, name: &str, value: Option<Value>) {
        if let Some(v) = value {
            put!(self, " {name} {v}");
        }
    }

    fn image(&mut self, image: &ImageRef) {
        self.resource(&image.res);
        put!(self, " {}", image.dim.word());
        if image.arrayed {
            self.out.push_str(" arrayed");
        }
        if image.ms {
            self.out.push_str(" ms");
        }
        if let Some(format) = image.format {
            put!(self, " {}", format.word());
        }
    }

    fn coords(&mut self, c: &ImageCoords) {
        self.list(" coords", &c.xyz);
        self.optional("lod", c.lod);
        self.optional("sample", c.sample);
    }

    fn sample(&mut self, image: &ImageRef, sampler: Option<&Resource>, o: &SampleOperands, sparse: bool) {
        self.out.push_str(match o.mode {
            SampleMode::Sample => "sample ",
            SampleMode::Gather => "gather ",
            SampleMode::QueryLod => "query_lod ",
        });
        self.image(image);
        if let Some(s) = sampler {
            self.out.push_str(" sampler ");
            self.resource(s);
        }
        self.list(" coords", &o.coords);
        self.optional("lod", o.lod);
        if !o.grad.is_empty() {
            self.list(" grad", &o.grad);
        }
        if !o.offsets.is_empty() {
            self.list(" offsets", &o.offsets);
        }
        self.optional("dref", o.dref);
        self.optional("min_lod", o.min_lod);
        self.optional("bias", o.bias);
        if o.component != 0 {
            put!(self, " component {}", o.component);
        }
        if sparse {
            self.out.push_str(" sparse");
        }
    }

    fn subgroup(&mut self, op: SubgroupOp) {
        match op {
            SubgroupOp::Elect => self.out.push_str("elect"),
            SubgroupOp::All => self.out.push_str("all"),
            SubgroupOp::Any => self.out.push_str("any"),
            SubgroupOp::AllEqual => self.out.push_str("all_equal"),
            SubgroupOp::Ballot => self.out.push_str("ballot"),
            SubgroupOp::Broadcast => self.out.push_str("broadcast"),
            SubgroupOp::BroadcastFirst => self.out.push_str("broadcast_first"),
            SubgroupOp::Shuffle => self.out.push_str("shuffle"),
            SubgroupOp::ShuffleXor => self.out.push_str("shuffle_xor"),
            SubgroupOp::ShuffleUp => self.out.push_str("shuffle_up"),
            SubgroupOp::ShuffleDown => self.out.push_str("shuffle_down"),
            SubgroupOp::QuadBroadcast => self.out.push_str("quad_broadcast"),
            SubgroupOp::Rotate { cluster } => {
                put!(self, "rotate {cluster}");
            }
            SubgroupOp::Group { op, scan, cluster } => {
                put!(self, "group {} {} {cluster}", op.word(), scan.word());
            }
            SubgroupOp::Partition => self.out.push_str("partition"),
            SubgroupOp::Partitioned { op, scan } => {
                put!(self, "partitioned {} {}", op.word(), scan.word());
            }
            SubgroupOp::QuadSwap { direction } => {
                put!(self, "quad_swap {direction}");
            }
        }
    }
}

/// A string literal with the characters escaped that would not survive a line.
fn quote(s: &str) -> String {
    let mut out = String::from("\"");
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A constant such that reading it gives the same bits.
pub(super) fn constant(ty: Type, bits: u64) -> String {
    let hex = || format!("{bits:#x}");
    match ty {
        Type::Bool => match bits {
            0 => "false".into(),
            1 => "true".into(),
            _ => hex(),
        },
        Type::Buf => hex(),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
            if bits & !ty.mask() != 0 {
                return hex();
            }
            let shift = 64 - ty.bits();
            (((bits << shift) as i64) >> shift).to_string()
        }
        Type::F16 | Type::F32 | Type::F64 => {
            let text = match ty {
                Type::F16 => format!("{:?}", half::f16::from_bits(bits as u16).to_f32()),
                Type::F32 => format!("{:?}", f32::from_bits(bits as u32)),
                _ => format!("{:?}", f64::from_bits(bits)),
            };
            // NaN payloads and bits beyond the type have no decimal form.
            if super::parse::float_bits(ty, &text) == Some(bits) {
                text
            } else {
                hex()
            }
        }
    }
}
