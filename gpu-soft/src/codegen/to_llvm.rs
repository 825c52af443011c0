//! An LLVM module of what the generator emitted: the same operations, in the order in which they were added.

use super::ir::{Bin, Block, Cast, Const, Function, Kind, Module, Op, State, Ty, TyKind, Val};
use super::llvm;

struct Maker<'a> {
    s: &'a State,
    m: &'a llvm::Module,
    types: Vec<Option<llvm::Ty>>,
    vals: Vec<Option<llvm::Val>>,
    /// Successes of compare-and-swap operations, by what found the old values.
    swapped: Vec<(Val, llvm::Val)>,
    blocks: Vec<llvm::Block>,
}

/// Emits everything of `from` into `m`.
pub fn make(from: &Module, m: &llvm::Module) {
    let s = &*from.state.borrow();
    let mut r = Maker {
        s,
        m,
        types: vec![None; s.types.len()],
        vals: vec![None; s.vals.len()],
        swapped: Vec::new(),
        blocks: Vec::new(),
    };
    for f in &s.functions {
        r.function(f);
    }
    for b in &s.blocks {
        let function = r.val(s.functions[b.function as usize].val);
        r.blocks.push(m.append_block(function, b.name));
    }
    let mut phis = Vec::new();
    let mut here = None;
    for inst in &s.insts {
        if let Op::Alloca(ty, align) = inst.op {
            let ty = r.ty(ty);
            r.vals[inst.val.0 as usize] = Some(m.alloca(r.block(inst.block), ty, align));
            continue;
        }
        if here != Some(inst.block) {
            m.position(r.block(inst.block));
            here = Some(inst.block);
        }
        if let Op::Phi(blocks) = &inst.op {
            let ty = r.ty(s.ty(inst.val));
            let phi = m.phi(ty, &[]);
            r.vals[inst.val.0 as usize] = Some(phi);
            phis.push((phi, &inst.args, blocks));
            continue;
        }
        let v = r.inst(inst);
        r.vals[inst.val.0 as usize] = v;
    }
    for (phi, args, blocks) in phis {
        for (arg, block) in args.iter().zip(blocks) {
            let arg = r.val(*arg);
            m.add_incoming(phi, arg, r.block(*block));
        }
    }
}

impl Maker<'_> {
    fn function(&mut self, f: &Function) {
        let ty = self.ty(f.ty);
        let v = if f.internal { self.m.internal_function(&f.name, ty) } else { self.m.function(&f.name, ty) };
        if f.nounwind {
            self.m.nounwind(v);
        }
        for (key, value) in &f.attributes {
            self.m.attribute(v, key, value);
        }
        for p in &f.noalias {
            self.m.noalias(v, *p);
        }
        self.vals[f.val.0 as usize] = Some(v);
        for (i, p) in (0..).zip(&f.params) {
            self.vals[p.0 as usize] = Some(self.m.param(v, i));
        }
    }

    fn block(&self, b: Block) -> llvm::Block {
        self.blocks[b.0 as usize]
    }

    fn ty(&mut self, t: Ty) -> llvm::Ty {
        if let Some(known) = self.types[t.0 as usize] {
            return known;
        }
        let m = self.m;
        let made = match self.s.what(t) {
            TyKind::Void => m.void(),
            TyKind::Int(bits) => m.int(*bits),
            TyKind::F32 => m.f32(),
            TyKind::F64 => m.f64(),
            TyKind::Half => m.half(),
            TyKind::Ptr => m.ptr(),
            TyKind::Vector(e, n) => m.vector(self.ty(*e), *n),
            TyKind::Array(e, n) => m.array(self.ty(*e), *n),
            TyKind::Function(result, params) => {
                let params: Vec<llvm::Ty> = params.iter().map(|p| self.ty(*p)).collect();
                m.function_type(self.ty(*result), &params)
            }
        };
        self.types[t.0 as usize] = Some(made);
        made
    }

    /// A scalar constant of the type.
    fn scalar(&mut self, t: Ty, bits: u64) -> llvm::Val {
        let m = self.m;
        match self.s.what(t) {
            TyKind::Int(_) => {
                let t = self.ty(t);
                m.iconst(t, bits)
            }
            TyKind::Ptr | TyKind::Void | TyKind::Vector(..) | TyKind::Array(..) | TyKind::Function(..) => {
                let t = self.ty(t);
                m.zero(t)
            }
            TyKind::F32 | TyKind::F64 | TyKind::Half => {
                let int = m.int(self.s.bits(t));
                let t = self.ty(t);
                m.const_bitcast(m.iconst(int, bits), t)
            }
        }
    }

    fn constant(&mut self, t: Ty, c: &Const) -> llvm::Val {
        let m = self.m;
        match c {
            Const::Poison => {
                let t = self.ty(t);
                m.poison(t)
            }
            Const::Splat(0) => {
                let t = self.ty(t);
                m.zero(t)
            }
            Const::Scalar(bits) => self.scalar(t, *bits),
            Const::Splat(bits) => {
                let (e, n) = self.s.shape(t);
                let one = self.scalar(e, *bits);
                m.splat(one, n)
            }
            Const::Lanes(lanes) => {
                let (e, _) = self.s.shape(t);
                let all: Vec<llvm::Val> = lanes.iter().map(|x| self.scalar(e, *x)).collect();
                m.const_vector(&all)
            }
            Const::Array(words) => {
                let TyKind::Array(e, _) = *self.s.what(t) else { return self.scalar(t, 0) };
                let all: Vec<llvm::Val> = words.iter().map(|x| self.scalar(e, *x)).collect();
                let e = self.ty(e);
                m.const_array(e, &all)
            }
        }
    }

    fn val(&mut self, v: Val) -> llvm::Val {
        if let Some(known) = self.vals[v.0 as usize] {
            return known;
        }
        let (ty, kind) = &self.s.vals[v.0 as usize];
        let made = match kind {
            Kind::Const(c) => self.constant(*ty, c),
            Kind::Global(content, align) => {
                let content = self.val(*content);
                self.m.constant_global(content, *align)
            }
            // Defined before they are used.
            Kind::Inst(_) | Kind::Param | Kind::Function(_) => {
                let ty = self.ty(*ty);
                self.m.poison(ty)
            }
        };
        self.vals[v.0 as usize] = Some(made);
        made
    }

    fn inst(&mut self, inst: &super::ir::Inst) -> Option<llvm::Val> {
        let m = self.m;
        let args: Vec<llvm::Val> = inst.args.iter().map(|a| self.val(*a)).collect();
        let ty = self.ty(self.s.ty(inst.val));
        let a = |i: usize| args[i];
        let v = match &inst.op {
            Op::Bin(op) => {
                let f = match op {
                    Bin::Add => llvm::Module::add,
                    Bin::Sub => llvm::Module::sub,
                    Bin::Mul => llvm::Module::mul,
                    Bin::UDiv => llvm::Module::udiv,
                    Bin::SDiv => llvm::Module::sdiv,
                    Bin::URem => llvm::Module::urem,
                    Bin::SRem => llvm::Module::srem,
                    Bin::Shl => llvm::Module::shl,
                    Bin::LShr => llvm::Module::lshr,
                    Bin::AShr => llvm::Module::ashr,
                    Bin::And => llvm::Module::and,
                    Bin::Or => llvm::Module::or,
                    Bin::Xor => llvm::Module::xor,
                    Bin::FAdd => llvm::Module::fadd,
                    Bin::FSub => llvm::Module::fsub,
                    Bin::FMul => llvm::Module::fmul,
                    Bin::FDiv => llvm::Module::fdiv,
                };
                f(m, a(0), a(1))
            }
            Op::Fused { minus_product, minus_addend } => {
                let product = if *minus_product { m.fneg(a(0)) } else { a(0) };
                let addend = if *minus_addend { m.fneg(a(2)) } else { a(2) };
                m.intrinsic("llvm.fma", &[ty], &[product, a(1), addend])
            }
            Op::Cast(cast) => {
                let f = match cast {
                    Cast::Trunc => llvm::Module::trunc,
                    Cast::ZExt => llvm::Module::zext,
                    Cast::SExt => llvm::Module::sext,
                    Cast::FpTrunc => llvm::Module::fptrunc,
                    Cast::FpExt => llvm::Module::fpext,
                    Cast::SiToFp => llvm::Module::sitofp,
                    Cast::UiToFp => llvm::Module::uitofp,
                    Cast::FpToSi => llvm::Module::fptosi,
                    Cast::FpToUi => llvm::Module::fptoui,
                    Cast::Bitcast => llvm::Module::bitcast,
                    Cast::IntToPtr => llvm::Module::inttoptr,
                    Cast::PtrToInt => llvm::Module::ptrtoint,
                };
                f(m, a(0), ty)
            }
            Op::Icmp(p) => m.icmp(*p, a(0), a(1)),
            Op::Fcmp(p) => m.fcmp(*p, a(0), a(1)),
            Op::Select => m.select(a(0), a(1), a(2)),
            Op::Extract => m.extract(a(0), a(1)),
            Op::Insert => m.insert(a(0), a(1), a(2)),
            Op::Shuffle(indices) => m.shuffle(a(0), a(1), indices),
            Op::Splat => m.splat(a(0), self.s.shape(self.s.ty(inst.val)).1),
            Op::Load(how) => {
                let v = if how.atomic { m.atomic_load(ty, a(0), how.align) } else { m.load(ty, a(0), how.align) };
                if how.volatile {
                    m.set_volatile(v);
                }
                v
            }
            Op::Store(how) => {
                if how.atomic {
                    m.atomic_store(a(0), a(1), how.align);
                } else if how.stream {
                    m.stream_store(a(0), a(1), how.align);
                } else {
                    m.store(a(0), a(1), how.align);
                }
                return None;
            }
            Op::Rmw(op, order) => m.atomic_rmw(*op, a(0), a(1), *order),
            Op::CmpXchg => {
                let (old, ok) = m.cmpxchg(a(0), a(1), a(2));
                self.swapped.push((inst.val, ok));
                old
            }
            Op::CmpXchgOk => self.swapped.iter().find(|s| s.0 == inst.args[0]).map_or(a(0), |s| s.1),
            Op::Fence(order, local) => {
                m.fence(*order, *local);
                return None;
            }
            Op::Gep(unit) => m.element_ptr(m.int(unit * 8), a(0), a(1)),
            Op::Call(ty) => {
                let ty = self.ty(*ty);
                m.call(ty, a(0), &args[1..])
            }
            Op::Intrinsic(which, overloads) => {
                let overloads: Vec<llvm::Ty> = overloads.iter().map(|t| self.ty(*t)).collect();
                m.intrinsic(which.name(), &overloads, &args)
            }
            Op::Br(to) => {
                m.br(self.block(*to));
                return None;
            }
            Op::CondBr(then, els, likely) => {
                let (then, els) = (self.block(*then), self.block(*els));
                if *likely {
                    m.likely_br(a(0), then, els);
                } else {
                    m.cond_br(a(0), then, els);
                }
                return None;
            }
            Op::Switch(default, cases) => {
                let cases: Vec<(llvm::Val, llvm::Block)> =
                    cases.iter().map(|(v, b)| (self.val(*v), self.block(*b))).collect();
                m.switch(a(0), self.block(*default), &cases);
                return None;
            }
            Op::Ret => {
                match args.first() {
                    Some(v) => m.ret(*v),
                    None => m.ret_void(),
                }
                return None;
            }
            // Done by the caller.
            Op::Alloca(..) | Op::Phi(_) => return None,
        };
        Some(v)
    }
}
