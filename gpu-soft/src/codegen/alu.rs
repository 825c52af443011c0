//! Integer operations, comparisons, conversions and selection; dispatch of all lane-wise operations.

use super::gen::{Gen, Rep, Result};
use super::ir::{Icmp, Val};
use super::unsupported;
use compiler::sir::{tables, AluOp, AluShape, Type, Value};
use smallvec::SmallVec;

/// Types and lanes of an operation that is being emitted: `n` lanes, or scalars if `n` is 0.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Type of the first operand.
    pub arg: Type,
    pub result: Type,
    pub n: u32,
}

impl Gen<'_> {
    /// Emits a lane-wise operation: once if it is uniform, otherwise for all lanes.
    pub fn alu(&mut self, op: AluOp, result: Value, args: &[Value]) -> Result<()> {
        if op == AluOp::Select {
            let (a, b) = (self.rep(args[1])?, self.rep(args[2])?);
            let rep = self.select_rep(args[0], a, b, result)?;
            let claim = self.claim_of(op, result, args)?;
            let rep = match (rep, claim) {
                (Rep::Vec(v, None), Some(c)) => {
                    if c.guard.is_some() {
                        self.guarded.insert(result, (op, SmallVec::from_slice(args)));
                    }
                    Rep::Vec(v, Some(c))
                }
                (rep, _) => rep,
            };
            return self.set(result, rep);
        }
        let uniform = args.iter().all(|a| self.is_uniform(*a));
        let shape =
            Shape { arg: self.k.ty(args[0]), result: self.k.ty(result), n: if uniform { 0 } else { self.lanes } };
        if !uniform {
            if let Some(claim) = self.claim_of(op, result, args)? {
                let rep = if claim.guard.is_none() && claim.base.whole() {
                    self.affine(shape.result, claim)
                } else {
                    if claim.guard.is_some() {
                        self.guarded.insert(result, (op, SmallVec::from_slice(args)));
                    }
                    let vals = self.operands(args, shape.n)?;
                    Rep::Vec(self.lane_op(op, args, &vals, shape)?, Some(claim))
                };
                return self.set(result, rep);
            }
        }
        let vals = self.operands(args, shape.n)?;
        let v = self.lane_op(op, args, &vals, shape)?;
        let rep = match (uniform, self.uniform_form(result)) {
            (true, _) => Rep::Uni(v),
            (false, false) => Rep::Vec(v, None),
            // Known to be uniform although an operand is held as lanes.
            (false, true) => Rep::Uni(self.m.extract(v, self.i32c(0))),
        };
        self.set(result, rep)
    }

    fn operands(&self, args: &[Value], n: u32) -> Result<Vec<Val>> {
        args.iter().map(|a| if n == 0 { self.scalar(*a) } else { self.vector(*a) }).collect()
    }

    /// The lanes of a value, made anew from scalars where that is possible: for code that is hardly ever executed, so that
    /// nothing is computed for it in front.
    pub fn lanes_anew(&mut self, v: Value) -> Result<Val> {
        match self.rep(v)? {
            Rep::Vec(_, Some(claim)) if claim.guard.is_none() => match self.affine(self.k.ty(v), claim) {
                Rep::Vec(lanes, _) => Ok(lanes),
                _ => self.vector(v),
            },
            Rep::Vec(_, Some(_)) => {
                let Some((op, args)) = self.guarded.get(&v).cloned() else { return self.vector(v) };
                let vals = args.iter().map(|a| self.lanes_anew(*a)).collect::<Result<Vec<_>>>()?;
                let shape = Shape { arg: self.k.ty(args[0]), result: self.k.ty(v), n: self.lanes };
                self.lane_op(op, &args, &vals, shape)
            }
            _ => self.vector(v),
        }
    }

    /// An operation on scalars that stand for the values of one lane.
    pub fn scalar_op(&mut self, op: AluOp, result: Value, args: &[Value], vals: &[Val]) -> Result<Val> {
        let shape = Shape { arg: self.k.ty(args[0]), result: self.k.ty(result), n: 0 };
        self.lane_op(op, args, vals, shape)
    }

    fn lane_op(&mut self, op: AluOp, args: &[Value], vals: &[Val], shape: Shape) -> Result<Val> {
        let second = args.get(1).map_or(shape.arg, |a| self.k.ty(*a));
        match op.shape() {
            AluShape::Int(_) | AluShape::IntBool(_) | AluShape::IntCmp => match op {
                AluOp::UDiv | AluOp::SDiv | AluOp::URem | AluOp::SRem | AluOp::SMod => {
                    let divisor = self.constant(args[1]);
                    self.divide(op, shape, vals[0], vals[1], divisor)
                }
                _ => self.integer(op, shape, vals),
            },
            AluShape::Shift => Ok(self.shift(op, shape, vals[0], vals[1], second)),
            AluShape::BitField(_) => Ok(self.bit_field(op, shape, vals)),
            AluShape::Dot => Ok(self.dot(op, shape, vals[0], vals[1])),
            AluShape::Float(_) | AluShape::FloatCmp(_) | AluShape::Ldexp | AluShape::FrexpExp => {
                self.float(op, shape, vals)
            }
            AluShape::Convert => self.convert(op, shape, vals[0]),
            AluShape::Select => Ok(self.m.select(vals[0], vals[1], vals[2])),
        }
    }

    /// `cond ? a : b` for any type.
    pub fn select_rep(&mut self, cond: Value, a: Rep, b: Rep, result: Value) -> Result<Rep> {
        if self.is_uniform(cond) {
            let c = self.scalar(cond)?;
            return Ok(match (a, b) {
                (Rep::Uni(x), Rep::Uni(y)) => Rep::Uni(self.m.select(c, x, y)),
                (Rep::BufUni(p, s), Rep::BufUni(q, t)) => Rep::BufUni(self.m.select(c, p, q), self.m.select(c, s, t)),
                _ => {
                    let ((p, s), (q, t)) = (self.lanes_of(a), self.lanes_of(b));
                    self.rejoin(self.m.select(c, p, q), s.zip(t).map(|(s, t)| self.m.select(c, s, t)))
                }
            });
        }
        if self.uniform_form(result) {
            // Both alternatives are the same value.
            return Ok(a);
        }
        let c = self.vector(cond)?;
        let ((p, s), (q, t)) = (self.lanes_of(a), self.lanes_of(b));
        Ok(self.rejoin(self.m.select(c, p, q), s.zip(t).map(|(s, t)| self.m.select(c, s, t))))
    }

    fn rejoin(&self, v: Val, size: Option<Val>) -> Rep {
        match size {
            None => Rep::Vec(v, None),
            Some(s) => Rep::BufVec(v, s),
        }
    }

    fn lanes_of(&self, rep: Rep) -> (Val, Option<Val>) {
        match rep {
            Rep::Uni(s) => (self.splat(s), None),
            Rep::Vec(v, _) => (v, None),
            Rep::BufUni(p, s) => (self.splat(p), Some(self.splat(s))),
            Rep::BufVec(p, s) => (p, Some(s)),
        }
    }

    pub fn integer(&mut self, op: AluOp, s: Shape, v: &[Val]) -> Result<Val> {
        let m = self.m;
        let t = self.ty(s.arg, s.n);
        let call = |name: &str| m.intrinsic(name, &[t], v);
        let k = |bits: u64| self.konst(s.arg, s.n, bits);
        let falsy = m.iconst(m.int(1), 0);
        let bits = s.arg.bits();
        Ok(match op {
            AluOp::IAdd => m.add(v[0], v[1]),
            AluOp::ISub => m.sub(v[0], v[1]),
            AluOp::IMul => m.mul(v[0], v[1]),
            AluOp::UMulHi | AluOp::SMulHi => m.mul_high(op == AluOp::SMulHi, v[0], v[1]),
            AluOp::INeg => m.neg(v[0]),
            AluOp::IAbs => m.intrinsic("llvm.abs", &[t], &[v[0], falsy]),
            AluOp::ISign => {
                let low = m.intrinsic("llvm.smax", &[t], &[v[0], k(u64::MAX)]);
                m.intrinsic("llvm.smin", &[t], &[low, k(1)])
            }
            AluOp::And => m.and(v[0], v[1]),
            AluOp::Or => m.or(v[0], v[1]),
            AluOp::Xor => m.xor(v[0], v[1]),
            AluOp::Not => m.not(v[0]),
            AluOp::SMin => call("llvm.smin"),
            AluOp::SMax => call("llvm.smax"),
            AluOp::UMin => call("llvm.umin"),
            AluOp::UMax => call("llvm.umax"),
            AluOp::UAddSat => call("llvm.uadd.sat"),
            AluOp::SAddSat => call("llvm.sadd.sat"),
            AluOp::BitCount => call("llvm.ctpop"),
            AluOp::BitReverse => call("llvm.bitreverse"),
            AluOp::FindLsb => {
                let at = m.intrinsic("llvm.cttz", &[t], &[v[0], falsy]);
                m.select(m.icmp(Icmp::Eq, v[0], k(0)), k(u64::MAX), at)
            }
            AluOp::FindUMsb | AluOp::FindSMsb => {
                let x = if op == AluOp::FindSMsb { m.xor(v[0], m.ashr(v[0], k(u64::from(bits) - 1))) } else { v[0] };
                // No bit set: width − 1 − width.
                let zeros = m.intrinsic("llvm.ctlz", &[t], &[x, falsy]);
                m.sub(k(u64::from(bits) - 1), zeros)
            }
            AluOp::IEq => m.icmp(Icmp::Eq, v[0], v[1]),
            AluOp::INe => m.icmp(Icmp::Ne, v[0], v[1]),
            AluOp::ULt => m.icmp(Icmp::Ult, v[0], v[1]),
            AluOp::ULe => m.icmp(Icmp::Ule, v[0], v[1]),
            AluOp::SLt => m.icmp(Icmp::Slt, v[0], v[1]),
            AluOp::SLe => m.icmp(Icmp::Sle, v[0], v[1]),
            _ => return unsupported(format!("integer operation {}", op.name())),
        })
    }

    /// The count has a type of its own and is taken modulo the width.
    fn shift(&self, op: AluOp, s: Shape, v: Val, count: Val, count_ty: Type) -> Val {
        let m = self.m;
        let t = self.ty(s.arg, s.n);
        let count = if count_ty.bits() > s.arg.bits() {
            m.trunc(count, t)
        } else if count_ty.bits() < s.arg.bits() {
            m.zext(count, t)
        } else {
            count
        };
        let count = m.and(count, self.konst(s.arg, s.n, u64::from(s.arg.bits()) - 1));
        match op {
            AluOp::Shl => m.shl(v, count),
            AluOp::UShr => m.lshr(v, count),
            _ => m.ashr(v, count),
        }
    }

    fn bit_field(&self, op: AluOp, s: Shape, v: &[Val]) -> Val {
        let m = self.m;
        let t = self.ty(s.arg, s.n);
        let i32t = self.ty(Type::I32, s.n);
        let bits = u64::from(s.arg.bits());
        let k32 = |x: u64| self.konst(Type::I32, s.n, x);
        let k = |x: u64| self.konst(s.arg, s.n, x);
        let (offset, count) = (v[v.len() - 2], v[v.len() - 1]);
        let min = |a: Val, b: Val| m.intrinsic("llvm.umin", &[i32t], &[a, b]);
        let offset = min(offset, k32(bits));
        let count = min(count, m.sub(k32(bits), offset));
        let to = |x: Val| {
            if bits < 32 {
                m.trunc(x, t)
            } else if bits > 32 {
                m.zext(x, t)
            } else {
                x
            }
        };
        // Shifts by the whole width are made by selecting zero.
        let all = m.icmp(Icmp::Eq, offset, k32(bits));
        let none = m.icmp(Icmp::Eq, count, k32(0));
        let offset = to(m.and(offset, k32(bits - 1)));
        if v.len() == 4 {
            let down = to(m.and(m.sub(k32(bits), count), k32(bits - 1)));
            let field = m.select(none, k(0), m.lshr(k(u64::MAX), down));
            let field = m.select(all, k(0), m.shl(field, offset));
            let insert = m.and(m.shl(v[1], offset), field);
            return m.or(m.and(v[0], m.not(field)), insert);
        }
        // Move the field to the top, then down again.
        let top = m.sub(k(bits), m.add(offset, to(count)));
        let up = m.and(top, k(bits - 1));
        let down = m.and(m.sub(k(bits), to(count)), k(bits - 1));
        let high = m.shl(v[0], up);
        let field = if op == AluOp::SBitExtract { m.ashr(high, down) } else { m.lshr(high, down) };
        m.select(m.or(none, all), k(0), field)
    }

    fn dot(&self, op: AluOp, s: Shape, a: Val, b: Val) -> Val {
        let m = self.m;
        let (a_signed, b_signed) = match op {
            AluOp::SDot4 => (true, true),
            AluOp::SUDot4 => (true, false),
            _ => (false, false),
        };
        if s.n > 0 {
            return self.dot_lanes(s.n, (a, a_signed), (b, b_signed));
        }
        let k = |x: u64| self.konst(Type::I32, 0, x);
        let byte = |v: Val, i: u64, signed: bool| {
            if signed {
                m.ashr(m.shl(v, k(24 - 8 * i)), k(24))
            } else {
                m.and(m.lshr(v, k(8 * i)), k(0xff))
            }
        };
        (0..4)
            .map(|i| m.mul(byte(a, i, a_signed), byte(b, i, b_signed)))
            .reduce(|x, y| m.add(x, y))
            .unwrap_or_else(|| k(0))
    }

    /// Sums of four products of bytes by lane. Bytes become words, the low ones of each word and the high ones, whose products
    /// one instruction adds up in pairs.
    fn dot_lanes(&self, n: u32, a: (Val, bool), b: (Val, bool)) -> Val {
        let m = self.m;
        let chunk = n.min(self.opts.width.lanes());
        let name = match chunk {
            16 => "llvm.x86.avx512.pmaddw.d.512",
            8 => "llvm.x86.avx2.pmadd.wd",
            _ => "llvm.x86.sse2.pmadd.wd",
        };
        let words = m.vector(m.int(16), 2 * chunk);
        let eight = m.splat(m.iconst(m.int(16), 8), 2 * chunk);
        let halves = |v: Val, signed: bool| {
            let v = m.bitcast(v, words);
            if signed {
                [m.ashr(m.shl(v, eight), eight), m.ashr(v, eight)]
            } else {
                [m.and(v, m.splat(m.iconst(m.int(16), 0xff), 2 * chunk)), m.lshr(v, eight)]
            }
        };
        self.by_registers(n, chunk, [a.0, b.0], |[x, y]| {
            let ([a0, a1], [b0, b1]) = (halves(x, a.1), halves(y, b.1));
            m.add(m.intrinsic(name, &[], &[a0, b0]), m.intrinsic(name, &[], &[a1, b1]))
        })
    }

    fn convert(&mut self, op: AluOp, s: Shape, v: Val) -> Result<Val> {
        let m = self.m;
        let to = self.ty(s.result, s.n);
        Ok(match op {
            AluOp::ITrunc => m.trunc(v, to),
            AluOp::ZExt => m.zext(v, to),
            AluOp::SExt => m.sext(v, to),
            // Binary16 is held as its bits.
            AluOp::Bitcast if self.ty(s.arg, s.n) == to => v,
            AluOp::Bitcast => m.bitcast(v, to),
            AluOp::FToS | AluOp::FToU => {
                let (v, from) = match s.arg {
                    Type::F16 => (self.half_to_single(v, s.n), Type::F32),
                    t => (v, t),
                };
                self.float_to_int(v, from, s.result, s.n, op == AluOp::FToS)
            }
            AluOp::SToF | AluOp::UToF => {
                let signed = op == AluOp::SToF;
                let make = |t| if signed { m.sitofp(v, t) } else { m.uitofp(v, t) };
                match s.result {
                    // Integers that binary32 rounds are beyond the range of binary16, which makes them infinite.
                    Type::F16 => self.single_to_half(make(self.ty(Type::F32, s.n)), s.n),
                    _ => make(to),
                }
            }
            AluOp::TableExp2 | AluOp::TableExp2Rest | AluOp::TableReciprocal | AluOp::TableLog2 => match tables::of(op)
            {
                Some(table) => self.look_up(s.n, v, &table),
                None => return unsupported(format!("table {}", op.name())),
            },
            AluOp::FConv => self.float_convert(v, s.arg, s.result, s.n),
            AluOp::FConvRtz => self.float_convert_rtz(v, s.arg, s.result, s.n),
            _ => return unsupported(format!("conversion {}", op.name())),
        })
    }
}
