//! Building: types, constants, functions, blocks, instructions.

use super::fold::mask;
use super::*;

impl Module {
    /// An empty module. With `expand`, what the quick back end does not have is made of what it has.
    pub fn new(expand: bool) -> Module {
        Module { state: RefCell::default(), expand }
    }

    /// Whether the quick back end is to make code of the module.
    pub fn expands(&self) -> bool {
        self.expand
    }

    // ---- types ----

    fn intern(&self, kind: TyKind) -> Ty {
        self.state.borrow_mut().intern(kind)
    }

    pub fn int(&self, bits: u32) -> Ty {
        self.intern(TyKind::Int(bits))
    }

    pub fn f32(&self) -> Ty {
        self.intern(TyKind::F32)
    }

    pub fn f64(&self) -> Ty {
        self.intern(TyKind::F64)
    }

    pub fn half(&self) -> Ty {
        self.intern(TyKind::Half)
    }

    pub fn ptr(&self) -> Ty {
        self.intern(TyKind::Ptr)
    }

    pub fn void(&self) -> Ty {
        self.intern(TyKind::Void)
    }

    pub fn vector(&self, of: Ty, lanes: u32) -> Ty {
        self.intern(TyKind::Vector(of, lanes))
    }

    pub fn array(&self, of: Ty, n: u64) -> Ty {
        self.intern(TyKind::Array(of, n))
    }

    pub fn function_type(&self, result: Ty, params: &[Ty]) -> Ty {
        self.intern(TyKind::Function(result, params.to_vec()))
    }

    pub fn type_of(&self, v: Val) -> Ty {
        self.state.borrow().ty(v)
    }

    /// Element type and lanes of the type of a value; lanes are 0 for scalars.
    pub(super) fn shape_of(&self, v: Val) -> (Ty, u32) {
        let s = self.state.borrow();
        s.shape(s.ty(v))
    }

    pub(super) fn element_bits(&self, v: Val) -> u32 {
        let s = self.state.borrow();
        s.bits(s.shape(s.ty(v)).0)
    }

    /// The same shape of other elements.
    pub(super) fn reshaped(&self, element: Ty, lanes: u32) -> Ty {
        if lanes == 0 {
            element
        } else {
            self.vector(element, lanes)
        }
    }

    // ---- constants ----

    /// A constant of an integer type of at most 64 bits (or the low 64 bits of a wider one).
    pub fn iconst(&self, ty: Ty, bits: u64) -> Val {
        let mut s = self.state.borrow_mut();
        let width = s.bits(ty);
        s.konst(ty, Const::Scalar(bits & mask(width)))
    }

    /// Zero of any type.
    pub fn zero(&self, ty: Ty) -> Val {
        let mut s = self.state.borrow_mut();
        let c = match s.what(ty) {
            TyKind::Vector(..) => Const::Splat(0),
            TyKind::Array(_, n) => Const::Array(vec![0; *n as usize].into()),
            _ => Const::Scalar(0),
        };
        s.konst(ty, c)
    }

    pub fn poison(&self, ty: Ty) -> Val {
        self.state.borrow_mut().konst(ty, Const::Poison)
    }

    pub fn ones(&self, ty: Ty) -> Val {
        let mut s = self.state.borrow_mut();
        let bits = s.bits(s.shape(ty).0);
        s.konst_of(ty, mask(bits))
    }

    fn scalar_bits(&self, v: Val) -> u64 {
        self.state.borrow().same(v).unwrap_or(0)
    }

    /// A vector of scalar constants.
    pub fn const_vector(&self, elements: &[Val]) -> Val {
        let ty = self.vector(self.type_of(elements[0]), elements.len() as u32);
        let lanes: Rc<[u64]> = elements.iter().map(|v| self.scalar_bits(*v)).collect();
        self.state.borrow_mut().konst(ty, Const::Lanes(lanes))
    }

    pub fn const_array(&self, of: Ty, elements: &[Val]) -> Val {
        let ty = self.array(of, elements.len() as u64);
        let all: Rc<[u64]> = elements.iter().map(|v| self.scalar_bits(*v)).collect();
        self.state.borrow_mut().konst(ty, Const::Array(all))
    }

    /// Reinterprets the bits of a scalar constant.
    pub fn const_bitcast(&self, v: Val, to: Ty) -> Val {
        let bits = self.scalar_bits(v);
        self.state.borrow_mut().konst(to, Const::Scalar(bits))
    }

    /// The number that a floating-point constant is.
    pub fn float_constant(&self, v: Val) -> Option<f64> {
        let s = self.state.borrow();
        let Some(Const::Scalar(bits)) = s.constant(v) else { return None };
        match s.what(s.ty(v)) {
            TyKind::F32 => Some(f64::from(f32::from_bits(*bits as u32))),
            TyKind::F64 => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }

    /// A read-only global with that contents.
    pub fn constant_global(&self, value: Val, align: u32) -> Val {
        let ptr = self.ptr();
        self.state.borrow_mut().value(ptr, Kind::Global(value, align))
    }

    // ---- functions and blocks ----

    pub fn function(&self, name: &str, ty: Ty) -> Val {
        self.add_function(name, ty, false)
    }

    /// A function that is seen in this module only.
    pub fn internal_function(&self, name: &str, ty: Ty) -> Val {
        self.add_function(name, ty, true)
    }

    fn add_function(&self, name: &str, ty: Ty, internal: bool) -> Val {
        let ptr = self.ptr();
        let mut s = self.state.borrow_mut();
        let index = s.functions.len() as u32;
        let val = s.value(ptr, Kind::Function(index));
        let types = match s.what(ty) {
            TyKind::Function(_, params) => params.clone(),
            _ => Vec::new(),
        };
        let params = types.into_iter().map(|t| s.value(t, Kind::Param)).collect();
        s.functions.push(Function {
            val,
            name: name.to_owned(),
            ty,
            internal,
            attributes: Vec::new(),
            nounwind: false,
            noalias: Vec::new(),
            params,
            blocks: Vec::new(),
        });
        val
    }

    fn with_function<T>(&self, function: Val, f: impl FnOnce(&mut Function) -> T) -> Option<T> {
        let mut s = self.state.borrow_mut();
        let Kind::Function(index) = *s.kind(function) else { return None };
        s.functions.get_mut(index as usize).map(f)
    }

    /// Adds a string attribute to a function.
    pub fn attribute(&self, function: Val, key: &str, value: &str) {
        self.with_function(function, |f| f.attributes.push((key.to_owned(), value.to_owned())));
    }

    /// Marks a function as never unwinding.
    pub fn nounwind(&self, function: Val) {
        self.with_function(function, |f| f.nounwind = true);
    }

    /// Marks a pointer parameter as aliasing nothing else.
    pub fn noalias(&self, function: Val, param: u32) {
        self.with_function(function, |f| f.noalias.push(param));
    }

    pub fn param(&self, function: Val, index: u32) -> Val {
        self.with_function(function, |f| f.params.get(index as usize).copied()).flatten().unwrap_or(function)
    }

    pub fn append_block(&self, function: Val, name: &'static CStr) -> Block {
        let mut s = self.state.borrow_mut();
        let Kind::Function(index) = *s.kind(function) else { return Block(0) };
        let block = Block(s.blocks.len() as u32);
        s.blocks.push(BlockData { function: index, name, terminated: false });
        s.functions[index as usize].blocks.push(block);
        block
    }

    pub fn position(&self, block: Block) {
        self.state.borrow_mut().current = Some(block);
    }

    pub fn current(&self) -> Block {
        self.state.borrow().current.unwrap_or(Block(0))
    }

    /// Whether the block that instructions are added to has its terminator already.
    pub fn terminated(&self) -> bool {
        let s = self.state.borrow();
        s.current.is_some_and(|b| s.blocks[b.0 as usize].terminated)
    }

    fn emit_in(&self, block: Block, op: Op, ty: Ty, args: &[Val]) -> Val {
        let mut s = self.state.borrow_mut();
        let index = s.insts.len() as u32;
        let val = s.value(ty, Kind::Inst(index));
        s.insts.push(Inst { op, args: SmallVec::from_slice(args), block, val });
        val
    }

    pub(super) fn emit(&self, op: Op, ty: Ty, args: &[Val]) -> Val {
        self.emit_in(self.current(), op, ty, args)
    }

    /// A stack cell of the function that `entry` begins.
    pub fn alloca(&self, entry: Block, ty: Ty, align: u32) -> Val {
        let ptr = self.ptr();
        self.emit_in(entry, Op::Alloca(ty, align), ptr, &[])
    }

    // ---- terminators ----

    fn terminate(&self, op: Op, args: &[Val]) {
        let void = self.void();
        self.emit(op, void, args);
        let mut s = self.state.borrow_mut();
        if let Some(b) = s.current {
            s.blocks[b.0 as usize].terminated = true;
        }
    }

    pub fn br(&self, to: Block) {
        self.terminate(Op::Br(to), &[]);
    }

    pub fn cond_br(&self, cond: Val, then: Block, els: Block) {
        self.terminate(Op::CondBr(then, els, false), &[cond]);
    }

    /// A conditional branch whose first target is taken nearly always.
    pub fn likely_br(&self, cond: Val, then: Block, els: Block) {
        self.terminate(Op::CondBr(then, els, true), &[cond]);
    }

    pub fn switch(&self, on: Val, default: Block, cases: &[(Val, Block)]) {
        self.terminate(Op::Switch(default, cases.to_vec()), &[on]);
    }

    pub fn ret(&self, v: Val) {
        self.terminate(Op::Ret, &[v]);
    }

    pub fn ret_void(&self) {
        self.terminate(Op::Ret, &[]);
    }

    pub fn phi(&self, ty: Ty, incoming: &[(Val, Block)]) -> Val {
        let blocks = incoming.iter().map(|i| i.1).collect();
        let vals: SmallVec<[Val; 3]> = incoming.iter().map(|i| i.0).collect();
        self.emit(Op::Phi(blocks), ty, &vals)
    }

    pub fn add_incoming(&self, phi: Val, value: Val, block: Block) {
        let mut s = self.state.borrow_mut();
        if let Kind::Inst(i) = *s.kind(phi) {
            let inst = &mut s.insts[i as usize];
            inst.args.push(value);
            if let Op::Phi(blocks) = &mut inst.op {
                blocks.push(block);
            }
        }
    }

    // ---- arithmetic ----

    pub(super) fn bin(&self, op: Bin, a: Val, b: Val) -> Val {
        if let Some(v) = self.state.borrow_mut().fold_bin(op, a, b) {
            return v;
        }
        if self.expand {
            if let Some(v) = self.expand_bin(op, a, b) {
                return v;
            }
        }
        let ty = self.type_of(a);
        self.emit(Op::Bin(op), ty, &[a, b])
    }

    pub fn add(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::Add, a, b)
    }

    pub fn sub(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::Sub, a, b)
    }

    pub fn mul(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::Mul, a, b)
    }

    pub fn udiv(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::UDiv, a, b)
    }

    pub fn sdiv(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::SDiv, a, b)
    }

    pub fn urem(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::URem, a, b)
    }

    pub fn srem(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::SRem, a, b)
    }

    pub fn shl(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::Shl, a, b)
    }

    pub fn lshr(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::LShr, a, b)
    }

    pub fn ashr(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::AShr, a, b)
    }

    pub fn and(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::And, a, b)
    }

    pub fn or(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::Or, a, b)
    }

    pub fn xor(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::Xor, a, b)
    }

    pub fn fadd(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::FAdd, a, b)
    }

    pub fn fsub(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::FSub, a, b)
    }

    pub fn fmul(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::FMul, a, b)
    }

    pub fn fdiv(&self, a: Val, b: Val) -> Val {
        self.bin(Bin::FDiv, a, b)
    }

    pub fn not(&self, v: Val) -> Val {
        let ones = self.ones(self.type_of(v));
        self.xor(v, ones)
    }

    pub fn neg(&self, v: Val) -> Val {
        let zero = self.zero(self.type_of(v));
        self.sub(zero, v)
    }

    /// The upper half of the product of integers.
    pub fn mul_high(&self, signed: bool, a: Val, b: Val) -> Val {
        let (_, n) = self.shape_of(a);
        let ty = self.type_of(a);
        let bits = self.element_bits(a);
        let k = |ty: Ty, bits: u64| self.state.borrow_mut().konst_of(ty, bits);
        if !self.expand || bits < 64 {
            let wide = self.reshaped(self.int(2 * bits), n);
            let ext = |x: Val| if signed { self.sext(x, wide) } else { self.zext(x, wide) };
            let product = self.mul(ext(a), ext(b));
            return self.trunc(self.lshr(product, k(wide, u64::from(bits))), ty);
        }
        let half = k(ty, 32);
        let low = |v: Val| self.and(v, k(ty, 0xffff_ffff));
        let high = |v: Val| self.lshr(v, half);
        let (ll, lh) = (self.mul(low(a), low(b)), self.mul(low(a), high(b)));
        let (hl, hh) = (self.mul(high(a), low(b)), self.mul(high(a), high(b)));
        let middle = self.add(high(ll), self.add(low(lh), low(hl)));
        let r = self.add(hh, self.add(self.add(high(lh), high(hl)), high(middle)));
        if !signed {
            return r;
        }
        let sign = k(ty, 63);
        let r = self.sub(r, self.and(self.ashr(a, sign), b));
        self.sub(r, self.and(self.ashr(b, sign), a))
    }

    // ---- conversions ----

    fn cast(&self, cast: Cast, v: Val, to: Ty) -> Val {
        if let Some(v) = self.state.borrow_mut().fold_cast(cast, v, to) {
            return v;
        }
        if self.expand {
            if let Some(v) = self.expand_cast(cast, v, to) {
                return v;
            }
        }
        self.emit(Op::Cast(cast), to, &[v])
    }

    pub fn trunc(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::Trunc, v, to)
    }

    pub fn zext(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::ZExt, v, to)
    }

    pub fn sext(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::SExt, v, to)
    }

    pub fn fptrunc(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::FpTrunc, v, to)
    }

    pub fn fpext(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::FpExt, v, to)
    }

    pub fn sitofp(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::SiToFp, v, to)
    }

    pub fn uitofp(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::UiToFp, v, to)
    }

    pub fn fptosi(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::FpToSi, v, to)
    }

    pub fn fptoui(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::FpToUi, v, to)
    }

    pub fn bitcast(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::Bitcast, v, to)
    }

    pub fn inttoptr(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::IntToPtr, v, to)
    }

    pub fn ptrtoint(&self, v: Val, to: Ty) -> Val {
        self.cast(Cast::PtrToInt, v, to)
    }

    // ---- comparisons and selection ----

    fn truth(&self, like: Val) -> Ty {
        let (_, n) = self.shape_of(like);
        self.reshaped(self.int(1), n)
    }

    pub fn icmp(&self, p: Icmp, a: Val, b: Val) -> Val {
        let ty = self.truth(a);
        if let Some(v) = self.state.borrow_mut().fold_icmp(p, a, b, ty) {
            return v;
        }
        if self.expand && ty == self.type_of(a) && self.shape_of(a).1 > 0 {
            // Of truth values only equality is asked for.
            let differ = self.xor(a, b);
            return if p == Icmp::Ne { differ } else { self.not(differ) };
        }
        self.emit(Op::Icmp(p), ty, &[a, b])
    }

    pub fn fcmp(&self, p: Fcmp, a: Val, b: Val) -> Val {
        let ty = self.truth(a);
        self.emit(Op::Fcmp(p), ty, &[a, b])
    }

    pub fn select(&self, c: Val, a: Val, b: Val) -> Val {
        if a == b {
            return a;
        }
        if let Some(c) = self.state.borrow().same(c) {
            return if c & 1 != 0 { a } else { b };
        }
        let ty = self.type_of(a);
        let (_, n) = self.shape_of(a);
        if self.expand && n > 0 {
            let c = if self.shape_of(c).1 == 0 { self.splat(c, n) } else { c };
            if self.element_bits(a) == 1 {
                return self.or(self.and(c, a), self.and(self.not(c), b));
            }
            return self.emit(Op::Select, ty, &[c, a, b]);
        }
        self.emit(Op::Select, ty, &[c, a, b])
    }

    // ---- vectors ----

    pub fn extract(&self, v: Val, index: Val) -> Val {
        let (e, _) = self.shape_of(v);
        let known = {
            let s = self.state.borrow();
            match (s.constant(v), s.same(index)) {
                (Some(Const::Splat(x)), _) => Some(*x),
                (Some(Const::Lanes(l)), Some(i)) => l.get(i as usize).copied(),
                _ => None,
            }
        };
        if let Some(bits) = known {
            return self.state.borrow_mut().konst(e, Const::Scalar(bits));
        }
        self.emit(Op::Extract, e, &[v, index])
    }

    pub fn insert(&self, v: Val, e: Val, index: Val) -> Val {
        let ty = self.type_of(v);
        self.emit(Op::Insert, ty, &[v, e, index])
    }

    /// A constant shuffle; elements at or beyond the length of `a` come from `b`, negative ones are unspecified.
    pub fn shuffle(&self, a: Val, b: Val, indices: &[i32]) -> Val {
        let (e, n) = self.shape_of(a);
        if indices.len() == n as usize && (0..).zip(indices).all(|(i, x)| *x == i) {
            return a;
        }
        let ty = self.vector(e, indices.len() as u32);
        let folded = {
            let s = self.state.borrow();
            let lane = |v: Val, i: usize| match s.constant(v) {
                Some(Const::Splat(x)) => Some(*x),
                Some(Const::Lanes(l)) => l.get(i).copied(),
                _ => None,
            };
            let pick = |x: i32| match usize::try_from(x) {
                Err(_) => Some(0),
                Ok(i) if i < n as usize => lane(a, i),
                Ok(i) => lane(b, i - n as usize),
            };
            indices.iter().map(|x| pick(*x)).collect::<Option<Rc<[u64]>>>()
        };
        if let Some(lanes) = folded {
            return self.state.borrow_mut().konst(ty, Const::Lanes(lanes));
        }
        self.emit(Op::Shuffle(indices.into()), ty, &[a, b])
    }

    /// The scalar in every lane.
    pub fn splat(&self, v: Val, lanes: u32) -> Val {
        let ty = self.vector(self.type_of(v), lanes);
        let known = self.state.borrow().constant(v).cloned();
        match known {
            Some(Const::Scalar(bits)) => self.state.borrow_mut().konst(ty, Const::Splat(bits)),
            Some(_) => self.poison(ty),
            None => self.emit(Op::Splat, ty, &[v]),
        }
    }

    // ---- memory ----

    pub fn load(&self, ty: Ty, ptr: Val, align: u32) -> Val {
        self.emit(Op::Load(How { align, volatile: false, atomic: false, stream: false }), ty, &[ptr])
    }

    pub fn store(&self, v: Val, ptr: Val, align: u32) {
        let void = self.void();
        self.emit(Op::Store(How { align, volatile: false, atomic: false, stream: false }), void, &[v, ptr]);
    }

    /// A store past the caches, of whole lines.
    pub fn stream_store(&self, v: Val, ptr: Val, align: u32) {
        let void = self.void();
        self.emit(Op::Store(How { align, volatile: false, atomic: false, stream: true }), void, &[v, ptr]);
    }

    /// Makes a load volatile.
    pub fn set_volatile(&self, access: Val) {
        let mut s = self.state.borrow_mut();
        if let Kind::Inst(i) = *s.kind(access) {
            if let Op::Load(how) | Op::Store(how) = &mut s.insts[i as usize].op {
                how.volatile = true;
            }
        }
    }

    pub fn atomic_load(&self, ty: Ty, ptr: Val, align: u32) -> Val {
        self.emit(Op::Load(How { align, volatile: false, atomic: true, stream: false }), ty, &[ptr])
    }

    pub fn atomic_store(&self, v: Val, ptr: Val, align: u32) {
        let void = self.void();
        self.emit(Op::Store(How { align, volatile: false, atomic: true, stream: false }), void, &[v, ptr]);
    }

    pub fn atomic_rmw(&self, op: Rmw, ptr: Val, v: Val, order: Order) -> Val {
        let ty = self.type_of(v);
        self.emit(Op::Rmw(op, order), ty, &[ptr, v])
    }

    /// Compare and swap: the old value, and whether it was equal.
    pub fn cmpxchg(&self, ptr: Val, expected: Val, desired: Val) -> (Val, Val) {
        let ty = self.type_of(expected);
        let old = self.emit(Op::CmpXchg, ty, &[ptr, expected, desired]);
        let truth = self.int(1);
        (old, self.emit(Op::CmpXchgOk, truth, &[old]))
    }

    /// Orders memory accesses; within this thread only (a fence for the compiler) if `local`.
    pub fn fence(&self, order: Order, local: bool) {
        let void = self.void();
        self.emit(Op::Fence(order, local), void, &[]);
    }

    fn gep(&self, unit: u32, ptr: Val, index: Val) -> Val {
        if self.state.borrow().same(index) == Some(0) && self.shape_of(index).1 == 0 {
            return ptr;
        }
        let n = self.shape_of(ptr).1.max(self.shape_of(index).1);
        let ty = self.reshaped(self.ptr(), n);
        self.emit(Op::Gep(unit), ty, &[ptr, index])
    }

    /// `ptr` + bytes; a vector of pointers if either is a vector.
    pub fn byte_ptr(&self, ptr: Val, bytes: Val) -> Val {
        self.gep(1, ptr, bytes)
    }

    /// `ptr` + indices times the size of an integer type; indices are signed.
    pub fn element_ptr(&self, ty: Ty, ptr: Val, index: Val) -> Val {
        let bytes = self.state.borrow().bytes(ty) as u32;
        self.gep(bytes, ptr, index)
    }

    // ---- calls ----

    pub fn call(&self, ty: Ty, function: Val, args: &[Val]) -> Val {
        let result = match self.state.borrow().what(ty) {
            TyKind::Function(r, _) => *r,
            _ => ty,
        };
        let mut all: SmallVec<[Val; 3]> = SmallVec::new();
        all.push(function);
        all.extend_from_slice(args);
        self.emit(Op::Call(ty), result, &all)
    }

    /// Calls an intrinsic by name, overloaded on the given types.
    pub fn intrinsic(&self, name: &str, overloads: &[Ty], args: &[Val]) -> Val {
        let Some(which) = Intrinsic::named(name) else {
            debug_assert!(false, "unknown intrinsic {name}");
            self.state.borrow_mut().unknown.get_or_insert_with(|| name.to_owned());
            return self.poison(overloads.first().copied().unwrap_or_else(|| self.void()));
        };
        if self.expand {
            if let Some(v) = self.expand_intrinsic(which, overloads, args) {
                return v;
            }
        }
        let ty = match which {
            Intrinsic::Gather | Intrinsic::MaskedLoad | Intrinsic::FpToSiSat | Intrinsic::FpToUiSat => overloads[0],
            Intrinsic::Scatter | Intrinsic::MaskedStore | Intrinsic::StoreFence => self.void(),
            Intrinsic::ReadCycleCounter => self.int(64),
            Intrinsic::ReduceAdd => self.shape_of(args[0]).0,
            Intrinsic::CvttPs2Dq128 | Intrinsic::PmaddWd128 => self.vector(self.int(32), 4),
            Intrinsic::CvttPs2Dq256 | Intrinsic::PmaddWd256 => self.vector(self.int(32), 8),
            Intrinsic::CvttPs2Dq512 | Intrinsic::CvttPs2Udq512 | Intrinsic::PmaddWd512 => self.vector(self.int(32), 16),
            _ => self.type_of(args[0]),
        };
        self.emit(Op::Intrinsic(which, SmallVec::from_slice(overloads)), ty, args)
    }

    /// An intrinsic that was asked for and is not in the table: a fault of the generator's.
    pub fn unknown(&self) -> Option<String> {
        self.state.borrow().unknown.clone()
    }

    /// Number of instructions in all functions.
    pub fn instruction_count(&self) -> u32 {
        self.state.borrow().insts.len() as u32
    }
}
