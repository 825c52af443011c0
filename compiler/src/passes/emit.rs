//! Appends operations.

use crate::interp::{from_f64, Round};
use crate::sir::{AluFlags, AluOp, Inst, Kernel, Op, Type, Value};
use smallvec::SmallVec;

/// Appends operations on one floating-point type.
pub struct Emit<'a> {
    pub kernel: &'a mut Kernel,
    pub out: &'a mut Vec<Inst>,
    /// The type of `f` and `c`.
    pub ty: Type,
    /// Whether the `table_*` operations and those that take numbers apart are cheap.
    pub tables: bool,
}

impl Emit<'_> {
    pub fn alu(&mut self, ty: Type, op: AluOp, args: &[Value]) -> Value {
        let v = self.kernel.value(ty);
        // The error terms rely on every rounding; what should be fused is written as fma.
        let flags = AluFlags { no_contract: true };
        let args = SmallVec::from_slice(args);
        self.out.push(Inst { results: SmallVec::from_slice(&[v]), op: Op::Alu { op, args, flags } });
        v
    }

    fn constant(&mut self, ty: Type, bits: u64) -> Value {
        let v = self.kernel.value(ty);
        self.out.push(Inst { results: [v].into_iter().collect(), op: Op::constant(ty, bits) });
        v
    }

    /// A floating-point constant.
    pub fn c(&mut self, x: f64) -> Value {
        self.constant(self.ty, from_f64(self.ty, x, Round::Even))
    }

    /// The integer type of the same width.
    pub fn int(&self) -> Type {
        Type::int(self.ty.bits()).unwrap_or(Type::I32)
    }

    /// A constant of the integer type of the same width.
    pub fn ic(&mut self, n: i64) -> Value {
        self.constant(self.int(), n as u64)
    }

    pub fn i32(&mut self, n: i32) -> Value {
        self.constant(Type::I32, n as u32 as u64)
    }

    /// A floating-point operation.
    pub fn f(&mut self, op: AluOp, args: &[Value]) -> Value {
        self.alu(self.ty, op, args)
    }

    /// An operation on the integer type of the same width.
    pub fn i(&mut self, op: AluOp, args: &[Value]) -> Value {
        self.alu(self.int(), op, args)
    }

    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.f(AluOp::FAdd, &[a, b])
    }

    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.f(AluOp::FSub, &[a, b])
    }

    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.f(AluOp::FMul, &[a, b])
    }

    pub fn div(&mut self, a: Value, b: Value) -> Value {
        self.f(AluOp::FDiv, &[a, b])
    }

    pub fn neg(&mut self, a: Value) -> Value {
        self.f(AluOp::FNeg, &[a])
    }

    pub fn abs(&mut self, a: Value) -> Value {
        self.f(AluOp::FAbs, &[a])
    }

    /// a·b + c.
    pub fn fma(&mut self, a: Value, b: Value, c: Value) -> Value {
        self.f(AluOp::Fma, &[a, b, c])
    }

    pub fn lt(&mut self, a: Value, b: Value) -> Value {
        self.alu(Type::Bool, AluOp::FLt, &[a, b])
    }

    pub fn eq(&mut self, a: Value, b: Value) -> Value {
        self.alu(Type::Bool, AluOp::FEq, &[a, b])
    }

    pub fn select(&mut self, c: Value, a: Value, b: Value) -> Value {
        let ty = self.kernel.ty(a);
        self.alu(ty, AluOp::Select, &[c, a, b])
    }

    pub fn bits(&mut self, a: Value) -> Value {
        self.i(AluOp::Bitcast, &[a])
    }

    pub fn float(&mut self, a: Value) -> Value {
        self.f(AluOp::Bitcast, &[a])
    }

    /// Into [low, high]; NaN stays NaN.
    pub fn clamp(&mut self, x: Value, low: f64, high: f64) -> Value {
        let (low, high) = (self.c(low), self.c(high));
        let above = self.lt(high, x);
        let x = self.select(above, high, x);
        let below = self.lt(x, low);
        self.select(below, low, x)
    }

    /// c0 + x·(c1 + x·(…)).
    pub fn poly(&mut self, x: Value, coefficients: &[f32]) -> Value {
        let mut rest = coefficients.iter().rev();
        let mut acc = self.c(f64::from(rest.next().copied().unwrap_or(0.0)));
        for &c in rest {
            let c = self.c(f64::from(c));
            acc = self.fma(acc, x, c);
        }
        acc
    }

    /// The magnitude of `a` with the sign of `b`.
    pub fn copysign(&mut self, a: Value, b: Value) -> Value {
        let sign = self.ic(i64::MIN >> (64 - self.ty.bits()));
        let (a, b) = (self.abs(a), self.bits(b));
        let s = self.i(AluOp::And, &[b, sign]);
        let a = self.bits(a);
        let r = self.i(AluOp::Or, &[a, s]);
        self.float(r)
    }
}
