//! The parser.

use super::lex::{lex, unquote, Kind, Token};
use super::names::Words;
use crate::sir::visit::MAX_DEPTH;
use crate::sir::{
    Access, Addr, AluFlags, AluOp, Binding, ImageCoords, ImageFormat, ImageRef, Inst, Kernel, Label, Op, Region,
    Resource, SampleMode, SampleOperands, Slot, SlotId, Space, SubgroupOp, SwitchCase, Type, Value,
};
use smallvec::SmallVec;

/// Why a text is not a kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ParseError {
    /// 1-based line.
    pub line: u32,
    /// What is wrong there.
    pub message: String,
}

/// Largest number in `%n` and `@n`; keeps a typing error from asking for gigabytes.
const MAX_ID: u32 = 1 << 24;

/// Reads one kernel.
///
/// # Errors
/// The first place where the text does not follow the grammar. The kernel is not verified.
pub fn parse(text: &str) -> Result<Kernel, ParseError> {
    let mut kernels = parse_many(text)?;
    match (kernels.pop(), kernels.len()) {
        (Some(k), 0) => Ok(k),
        (_, n) => Err(ParseError { line: 1, message: format!("{} kernels instead of one", n + usize::from(n > 0)) }),
    }
}

/// Reads any number of kernels.
///
/// # Errors
/// As [`parse`].
pub fn parse_many(text: &str) -> Result<Vec<Kernel>, ParseError> {
    let tokens = lex(text).map_err(|(line, message)| ParseError { line, message })?;
    let mut kernels = Vec::new();
    let mut pos = 0;
    while pos < tokens.len() {
        let mut p = Parser { tokens: &tokens, pos, kernel: Kernel::default(), types: Vec::new(), depth: 0 };
        p.kernel()?;
        pos = p.pos;
        let mut kernel = p.kernel;
        kernel.types = p.types.iter().map(|t| t.unwrap_or(Type::Bool)).collect();
        kernels.push(kernel);
    }
    Ok(kernels)
}

/// The bits of a floating-point literal.
pub(super) fn float_bits(ty: Type, word: &str) -> Option<u64> {
    Some(match ty {
        Type::F16 => u64::from(half::f16::from_f64(word.parse().ok()?).to_bits()),
        Type::F32 => u64::from(word.parse::<f32>().ok()?.to_bits()),
        Type::F64 => word.parse::<f64>().ok()?.to_bits(),
        Type::Bool | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Buf => return None,
    })
}

struct Parser<'t, 's> {
    tokens: &'t [Token<'s>],
    pos: usize,
    kernel: Kernel,
    types: Vec<Option<Type>>,
    depth: usize,
}

type Res<T = ()> = Result<T, ParseError>;

impl<'s> Parser<'_, 's> {
    fn line(&self) -> u32 {
        let at = self.tokens.get(self.pos).or(self.tokens.last());
        at.map_or(1, |t| t.line)
    }

    fn fail<T>(&self, message: impl Into<String>) -> Res<T> {
        Err(ParseError { line: self.line(), message: message.into() })
    }

    /// An error at the token just read.
    fn fail_back<T>(&self, message: impl Into<String>) -> Res<T> {
        let line = self.tokens.get(self.pos.saturating_sub(1)).map_or(1, |t| t.line);
        Err(ParseError { line, message: message.into() })
    }

    fn peek(&self) -> Option<Kind<'s>> {
        self.tokens.get(self.pos).map(|t| t.kind)
    }

    fn is_punct(&self, c: char) -> bool {
        self.peek() == Some(Kind::Punct(c))
    }

    fn eat_punct(&mut self, c: char) -> bool {
        let yes = self.is_punct(c);
        self.pos += usize::from(yes);
        yes
    }

    fn punct(&mut self, c: char) -> Res {
        if self.eat_punct(c) {
            Ok(())
        } else {
            self.fail(format!("{c:?} expected"))
        }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let yes = self.peek() == Some(Kind::Word(word));
        self.pos += usize::from(yes);
        yes
    }

    fn keyword(&mut self, word: &str) -> Res {
        if self.eat_word(word) {
            Ok(())
        } else {
            self.fail(format!("`{word}` expected"))
        }
    }

    fn word(&mut self, what: &str) -> Res<&'s str> {
        match self.peek() {
            Some(Kind::Word(w)) => {
                self.pos += 1;
                Ok(w)
            }
            _ => self.fail(format!("{what} expected")),
        }
    }

    fn of<T: Words>(&mut self, what: &str) -> Res<T> {
        let w = self.word(what)?;
        match T::of_word(w) {
            Some(v) => Ok(v),
            None => self.fail_back(format!("`{w}` is no {what}")),
        }
    }

    fn number<T: TryFrom<i128>>(&mut self, what: &str) -> Res<T> {
        let w = self.word(what)?;
        match integer(w).and_then(|n| T::try_from(n).ok()) {
            Some(n) => Ok(n),
            None => self.fail_back(format!("`{w}` is no {what} or out of range")),
        }
    }

    fn id(&mut self, sigil: char, what: &str) -> Res<u32> {
        match self.peek() {
            Some(Kind::Id(s, n)) if s == sigil => {
                self.pos += 1;
                if n >= MAX_ID {
                    return self.fail_back(format!("{sigil}{n} is too large"));
                }
                Ok(n)
            }
            _ => self.fail(format!("{what} expected")),
        }
    }

    fn value(&mut self) -> Res<Value> {
        Ok(Value(self.id('%', "value")?))
    }

    fn values(&mut self) -> Res<Vec<Value>> {
        let mut out = Vec::new();
        while let Some(Kind::Id('%', _)) = self.peek() {
            out.push(self.value()?);
        }
        Ok(out)
    }

    /// Operand values stop where the next line begins: a following `%n:type` would look like another operand.
    fn line_values(&mut self) -> Res<Vec<Value>> {
        let line = self.tokens.get(self.pos.saturating_sub(1)).map_or(0, |t| t.line);
        let mut out = Vec::new();
        while let Some(Token { line: l, kind: Kind::Id('%', _) }) = self.tokens.get(self.pos) {
            if *l != line {
                break;
            }
            out.push(self.value()?);
        }
        Ok(out)
    }

    fn label(&mut self) -> Res<Label> {
        let l = Label(self.id('@', "label")?);
        self.kernel.labels = self.kernel.labels.max(l.0 + 1);
        Ok(l)
    }

    fn list(&mut self) -> Res<Vec<Value>> {
        self.punct('(')?;
        let out = self.values()?;
        self.punct(')')?;
        Ok(out)
    }

    /// `%n:type`
    fn definition(&mut self) -> Res<Value> {
        let v = self.value()?;
        self.punct(':')?;
        let ty = self.of::<Type>("type")?;
        if self.types.len() <= v.index() {
            self.types.resize(v.index() + 1, None);
        }
        if self.types[v.index()].is_some_and(|t| t != ty) {
            return self.fail_back(format!("{v} has two types"));
        }
        self.types[v.index()] = Some(ty);
        Ok(v)
    }

    fn kernel(&mut self) -> Res {
        self.keyword("kernel")?;
        self.kernel.name = match self.peek() {
            Some(Kind::Text(t)) => match unquote(t) {
                Some(name) => name,
                None => return self.fail("bad escape in a string"),
            },
            _ => return self.fail("kernel name expected"),
        };
        self.pos += 1;
        self.kernel.local_size = [1; 3];
        loop {
            match self.word("header line or `body`")? {
                "local_size" => {
                    for i in 0..3 {
                        self.kernel.local_size[i] = self.number("size")?;
                    }
                }
                "shared" => {
                    self.kernel.shared_size = self.number("size")?;
                    self.kernel.shared_zeroed = self.eat_word("zeroed");
                }
                "push" => self.kernel.push_size = self.number("size")?,
                "wide_indexing" => self.kernel.wide_indexing = true,
                "subgroups" => self.kernel.uses_subgroups = true,
                "float" => self.float_mode()?,
                "slot" => {
                    let id = self.id('$', "slot")?;
                    if id as usize != self.kernel.slots.len() {
                        return self.fail_back("slots must be listed in order");
                    }
                    self.keyword("size")?;
                    let size = self.number("size")?;
                    self.keyword("align")?;
                    let align = self.number("alignment")?;
                    self.kernel.slots.push(Slot { size, align });
                }
                "binding" => {
                    let (set, binding) = self.set_binding()?;
                    let kind = self.of("kind of binding")?;
                    self.keyword("count")?;
                    let count = self.number("count")?;
                    let written = self.eat_word("written");
                    self.kernel.bindings.push(Binding { set, binding, kind, count, written });
                }
                "body" => break,
                other => return self.fail_back(format!("unknown header line `{other}`")),
            }
        }
        self.kernel.body = self.region()?;
        Ok(())
    }

    fn float_mode(&mut self) -> Res {
        let ty = self.of::<Type>("type")?;
        let fc = &mut self.kernel.float_controls;
        let mut m = match ty {
            Type::F16 => fc.f16,
            Type::F32 => fc.f32,
            Type::F64 => fc.f64,
            _ => return self.fail_back("floating-point type expected"),
        };
        loop {
            let flag = match self.peek() {
                Some(Kind::Word("flush_denorms")) => &mut m.flush_denorms,
                Some(Kind::Word("preserve_denorms")) => &mut m.preserve_denorms,
                Some(Kind::Word("rtz")) => &mut m.rtz,
                Some(Kind::Word("rte")) => &mut m.rte,
                Some(Kind::Word("signed_zero_inf_nan")) => &mut m.signed_zero_inf_nan,
                _ => break,
            };
            *flag = true;
            self.pos += 1;
        }
        let fc = &mut self.kernel.float_controls;
        match ty {
            Type::F16 => fc.f16 = m,
            Type::F32 => fc.f32 = m,
            _ => fc.f64 = m,
        }
        Ok(())
    }

    fn set_binding(&mut self) -> Res<(u32, u32)> {
        let w = self.word("set.binding")?;
        let parts = w.split_once('.').and_then(|(s, b)| Some((s.parse().ok()?, b.parse().ok()?)));
        match parts {
            Some(p) => Ok(p),
            None => self.fail_back(format!("`{w}` is not set.binding")),
        }
    }

    fn region(&mut self) -> Res<Region> {
        if self.depth >= MAX_DEPTH + 8 {
            return self.fail("regions nest too deep");
        }
        self.depth += 1;
        self.punct('{')?;
        let mut region = Region::default();
        while !self.eat_punct('}') {
            region.insts.push(self.inst()?);
        }
        self.depth -= 1;
        Ok(region)
    }

    /// `(%p:type=%init …)`, may be absent.
    fn params(&mut self) -> Res<(Vec<Value>, Vec<Value>)> {
        let (mut params, mut init) = (Vec::new(), Vec::new());
        if self.eat_punct('(') {
            while !self.eat_punct(')') {
                if !self.eat_punct('?') {
                    params.push(self.definition()?);
                }
                self.punct('=')?;
                if !self.eat_punct('?') {
                    init.push(self.value()?);
                }
            }
        }
        Ok((params, init))
    }

    fn inst(&mut self) -> Res<Inst> {
        let mut results = SmallVec::new();
        while let Some(Kind::Id('%', _)) = self.peek() {
            results.push(self.definition()?);
        }
        if !results.is_empty() {
            self.punct('=')?;
        }
        let first = results.first().and_then(|v: &Value| self.types[v.index()]);
        let op = self.op(first)?;
        Ok(Inst { results, op })
    }

    // One call per nesting level goes through here; kept apart from the bulky part so that frames stay small.
    fn op(&mut self, first: Option<Type>) -> Res<Op> {
        let w = self.word("operation")?;
        match w {
            "if" => {
                let cond = self.value()?;
                let then = self.region()?;
                self.keyword("else")?;
                let els = self.region()?;
                Ok(Op::If { cond, then, els })
            }
            "switch" => self.switch(),
            "loop" => {
                let label = self.label()?;
                let (params, init) = self.params()?;
                let mut body = self.region()?;
                body.params = params;
                Ok(Op::Loop { label, init, body })
            }
            "block" => {
                let label = self.label()?;
                Ok(Op::Block { label, body: self.region()? })
            }
            _ => self.simple(w, first),
        }
    }

    fn switch(&mut self) -> Res<Op> {
        let label = self.label()?;
        let selector = self.value()?;
        self.punct('{')?;
        let mut cases = Vec::new();
        while !self.eat_punct('}') {
            self.keyword("case")?;
            let mut literals = Vec::new();
            let mut is_default = false;
            while let Some(Kind::Word(_)) = self.peek() {
                if self.eat_word("default") {
                    is_default = true;
                } else {
                    literals.push(self.number("literal")?);
                }
            }
            let (params, init) = self.params()?;
            let mut body = self.region()?;
            body.params = params;
            cases.push(SwitchCase { literals, is_default, body, init });
        }
        Ok(Op::Switch { label, selector, cases })
    }

    fn simple(&mut self, w: &str, first: Option<Type>) -> Res<Op> {
        if let Some(op) = AluOp::from_name(w) {
            let args = SmallVec::from_vec(self.line_values()?);
            if args.len() != op.shape().arity() {
                return self.fail_back(format!("{w} has {} operands", op.shape().arity()));
            }
            let flags = AluFlags { no_contract: self.eat_word("no_contract") };
            return Ok(Op::Alu { op, args, flags });
        }
        Ok(match w {
            "const" => Op::Const(self.constant(first)?),
            "builtin" => Op::Builtin(self.of("builtin")?),
            "buffer" => Op::Buffer(self.resource()?),
            "buffer_size" => Op::BufferSize(self.value()?),
            "load" => Op::Load { addr: self.addr()?, access: self.access()? },
            "store" => {
                let addr = self.addr()?;
                let values = SmallVec::from_vec(self.line_values()?);
                Op::Store { addr, values, access: self.access()? }
            }
            "atomic_rmw" => {
                let op = self.of("atomic operation")?;
                let addr = self.addr()?;
                let value = self.value()?;
                Op::AtomicRmw { op, addr, value, volatile: self.eat_word("volatile") }
            }
            "atomic_cas" => {
                let addr = self.addr()?;
                let (expected, desired) = (self.value()?, self.value()?);
                Op::AtomicCas { addr, expected, desired, volatile: self.eat_word("volatile") }
            }
            "image_load" => {
                let (image, coords) = (self.image()?, self.coords()?);
                Op::ImageLoad { image, coords, sparse: self.eat_word("sparse") }
            }
            "image_store" => {
                let (image, coords) = (self.image()?, self.coords()?);
                self.keyword("texel")?;
                Op::ImageStore { image, coords, texel: SmallVec::from_vec(self.list()?) }
            }
            "image_atomic" => {
                let op = self.of("atomic operation")?;
                let (image, coords) = (self.image()?, self.coords()?);
                Op::ImageAtomic { image, coords, op, value: self.value()? }
            }
            "image_cas" => {
                let (image, coords) = (self.image()?, self.coords()?);
                Op::ImageCas { image, coords, expected: self.value()?, desired: self.value()? }
            }
            "image_size" => Op::ImageSize { image: self.image()?, lod: self.optional("lod")? },
            "image_levels" => Op::ImageLevels { image: self.image()? },
            "image_samples" => Op::ImageSamples { image: self.image()? },
            "sample" => self.sample(SampleMode::Sample)?,
            "gather" => self.sample(SampleMode::Gather)?,
            "query_lod" => self.sample(SampleMode::QueryLod)?,
            "subgroup" => {
                let op = self.subgroup()?;
                Op::Subgroup { op, args: SmallVec::from_vec(self.line_values()?) }
            }
            "control_barrier" => Op::ControlBarrier { scope: self.of("scope")?, memory: self.of("scope")? },
            "memory_barrier" => Op::MemoryBarrier { memory: self.of("scope")? },
            "read_clock" => Op::ReadClock { scope: self.of("scope")? },
            "yield" => Op::Yield(self.line_values()?),
            "break" => Op::Break(self.label()?, self.line_values()?),
            "continue" => Op::Continue(self.label()?, self.line_values()?),
            "fallthrough" => Op::Fallthrough(self.line_values()?),
            "return" => Op::Return,
            "unreachable" => Op::Unreachable,
            other => return self.fail_back(format!("unknown operation `{other}`")),
        })
    }

    fn constant(&mut self, ty: Option<Type>) -> Res<u64> {
        let w = self.word("constant")?;
        let ty = ty.unwrap_or(Type::I64);
        let bits = match ty {
            Type::Bool if w == "true" => Some(1),
            Type::Bool if w == "false" => Some(0),
            Type::F16 | Type::F32 | Type::F64 if !w.starts_with("0x") => float_bits(ty, w),
            _ => integer(w).and_then(|n| {
                let fits = (-(1i128 << 63)..1i128 << 64).contains(&n);
                fits.then_some(if n < 0 { n as u64 & ty.mask() } else { n as u64 })
            }),
        };
        match bits {
            Some(bits) => Ok(bits),
            None => self.fail_back(format!("`{w}` is no {ty} constant")),
        }
    }

    fn resource(&mut self) -> Res<Resource> {
        let (set, binding) = self.set_binding()?;
        let mut index = None;
        if self.eat_punct('[') {
            index = Some(self.value()?);
            self.punct(']')?;
        }
        Ok(Resource { set, binding, index, non_uniform: self.eat_word("non_uniform") })
    }

    fn addr(&mut self) -> Res<Addr> {
        let space = self.of::<Space>("address space")?;
        self.punct('(')?;
        let slot = if space == Space::Slot { SlotId(self.id('$', "slot")?) } else { SlotId(0) };
        let base = match space {
            Space::Buffer | Space::Global => self.value()?,
            Space::Shared | Space::Slot | Space::Push => Value(0),
        };
        let mut off = None;
        if space != Space::Global && matches!(self.peek(), Some(Kind::Id('%', _))) {
            off = Some(self.value()?);
        }
        let addr = match space {
            Space::Buffer => Addr::Buffer { buf: base, off, imm: self.number("offset")? },
            Space::Global => Addr::Global { addr: base, imm: self.number("offset")? },
            Space::Shared => Addr::Shared { off, imm: self.number("offset")? },
            Space::Slot => Addr::Slot { slot, off, imm: self.number("offset")? },
            Space::Push => Addr::Push { off, imm: self.number("offset")? },
        };
        self.punct(')')?;
        Ok(addr)
    }

    fn access(&mut self) -> Res<Access> {
        self.keyword("align")?;
        let mut a = Access::plain(self.number("alignment")?);
        loop {
            let flag = match self.peek() {
                Some(Kind::Word("volatile")) => &mut a.volatile,
                Some(Kind::Word("coherent")) => &mut a.coherent,
                Some(Kind::Word("non_writable")) => &mut a.non_writable,
                Some(Kind::Word("restrict")) => &mut a.restrict,
                Some(Kind::Word("atomic")) => &mut a.atomic,
                _ => return Ok(a),
            };
            *flag = true;
            self.pos += 1;
        }
    }

    fn image(&mut self) -> Res<ImageRef> {
        let res = self.resource()?;
        let dim = self.of("image dimensionality")?;
        let (arrayed, ms) = (self.eat_word("arrayed"), self.eat_word("ms"));
        let format = match self.peek() {
            Some(Kind::Word(w)) => ImageFormat::of_word(w),
            _ => None,
        };
        self.pos += usize::from(format.is_some());
        Ok(ImageRef { res, dim, arrayed, ms, format })
    }

    fn optional(&mut self, word: &str) -> Res<Option<Value>> {
        if self.eat_word(word) {
            Ok(Some(self.value()?))
        } else {
            Ok(None)
        }
    }

    fn coords(&mut self) -> Res<ImageCoords> {
        self.keyword("coords")?;
        let xyz = SmallVec::from_vec(self.list()?);
        Ok(ImageCoords { xyz, lod: self.optional("lod")?, sample: self.optional("sample")? })
    }

    fn sample(&mut self, mode: SampleMode) -> Res<Op> {
        let image = self.image()?;
        let sampler = if self.eat_word("sampler") { Some(self.resource()?) } else { None };
        self.keyword("coords")?;
        let coords = SmallVec::from_vec(self.list()?);
        let lod = self.optional("lod")?;
        let grad = if self.eat_word("grad") { self.list()? } else { Vec::new() };
        let offsets = if self.eat_word("offsets") { self.list()? } else { Vec::new() };
        let dref = self.optional("dref")?;
        let min_lod = self.optional("min_lod")?;
        let bias = self.optional("bias")?;
        let component = if self.eat_word("component") { self.number("component")? } else { 0 };
        let operands = Box::new(SampleOperands {
            mode,
            coords,
            lod,
            grad: SmallVec::from_vec(grad),
            offsets: SmallVec::from_vec(offsets),
            dref,
            component,
            min_lod,
            bias,
        });
        Ok(Op::Sample { image, sampler, operands, sparse: self.eat_word("sparse") })
    }

    fn subgroup(&mut self) -> Res<SubgroupOp> {
        let w = self.word("subgroup operation")?;
        Ok(match w {
            "elect" => SubgroupOp::Elect,
            "all" => SubgroupOp::All,
            "any" => SubgroupOp::Any,
            "all_equal" => SubgroupOp::AllEqual,
            "ballot" => SubgroupOp::Ballot,
            "broadcast" => SubgroupOp::Broadcast,
            "broadcast_first" => SubgroupOp::BroadcastFirst,
            "shuffle" => SubgroupOp::Shuffle,
            "shuffle_xor" => SubgroupOp::ShuffleXor,
            "shuffle_up" => SubgroupOp::ShuffleUp,
            "shuffle_down" => SubgroupOp::ShuffleDown,
            "quad_broadcast" => SubgroupOp::QuadBroadcast,
            "rotate" => SubgroupOp::Rotate { cluster: self.number("cluster size")? },
            "group" => SubgroupOp::Group {
                op: self.of("group operation")?,
                scan: self.of("kind of scan")?,
                cluster: self.number("cluster size")?,
            },
            "partition" => SubgroupOp::Partition,
            "partitioned" => {
                SubgroupOp::Partitioned { op: self.of("group operation")?, scan: self.of("kind of scan")? }
            }
            "quad_swap" => SubgroupOp::QuadSwap { direction: self.number("direction")? },
            other => return self.fail_back(format!("unknown subgroup operation `{other}`")),
        })
    }
}

/// A decimal or `0x` number, with sign.
fn integer(w: &str) -> Option<i128> {
    let (negative, digits) = match w.strip_prefix('-') {
        Some(d) => (true, d),
        None => (false, w),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let n = match digits.strip_prefix("0x") {
        Some(hex) => i128::from(u64::from_str_radix(hex, 16).ok()?),
        None => i128::from(digits.parse::<u64>().ok()?),
    };
    Some(if negative { -n } else { n })
}
