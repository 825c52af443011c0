//! Random kernels: structured control flow with divergent exits, subgroup operations, barriers, private and workgroup
//! memory, out-of-range accesses. Race-free by construction, so that every order of execution gives the same.
//!
//! `SIR_SEEDS=from..to` runs other seeds than the default ones; a failing kernel is printed.

use super::native::{interpret, run_with, seeds, widths};
use compiler::filetest::{Place, Setup};
use compiler::passes::optimize;
use compiler::sir::{
    Access, Addr, AluFlags, AluOp, AluShape, AtomicOp, Binding, BindingKind, Builtin, GroupOp, GroupScan, Inst, Kernel,
    Label, MemoryScope, Op, Region, Resource, SlotId, SubgroupOp, SwitchCase, Type, Value,
};
use compiler::verify::verify;
use gpu_soft::codegen::Options;
use gpu_soft::kernel_abi::Width;

const INPUT_WORDS: u32 = 97;
const OUT_WORDS: u32 = 4;
const SLOT_BYTES: u32 = 32;

/// A small generator of pseudo-random numbers.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let x = self.0;
        (((x >> 18) ^ x) >> 27) as u32 ^ (x >> 40) as u32
    }

    fn below(&mut self, n: u32) -> u32 {
        self.next() % n.max(1)
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone, Copy)]
struct Known {
    value: Value,
    ty: Type,
    /// The same for all invocations of a workgroup that are there.
    uniform: bool,
}

#[derive(Clone)]
struct Open {
    label: Label,
    results: Vec<Type>,
    /// Of a loop: types of the parameters, the first of which counts.
    params: Option<(Vec<Type>, Value)>,
}

struct Builder {
    k: Kernel,
    rng: Rng,
    pool: Vec<Known>,
    open: Vec<Open>,
    budget: i32,
    depth: u32,
    input: Value,
    output: Value,
    counters: Value,
    own: Value,
    local: Value,
    /// Whether a barrier may stand here: all conditions around are uniform.
    barriers: bool,
    /// Whether subgroups can be told apart.
    subgroups: bool,
    /// Fallthrough may stand here, with these types.
    fall: Option<Vec<Type>>,
}

const INTS: [Type; 4] = [Type::I32, Type::I64, Type::I16, Type::I8];

impl Builder {
    fn emit(&mut self, r: &mut Region, ty: Type, op: Op, uniform: bool) -> Value {
        let value = self.k.value(ty);
        r.push(&[value], op);
        self.pool.push(Known { value, ty, uniform });
        value
    }

    fn hidden(&mut self, r: &mut Region, ty: Type, op: Op) -> Value {
        let value = self.k.value(ty);
        r.push(&[value], op);
        value
    }

    fn constant(&mut self, r: &mut Region, ty: Type, bits: u64) -> Value {
        self.emit(r, ty, Op::constant(ty, bits), true)
    }

    fn any_constant(&mut self, r: &mut Region, ty: Type) -> Value {
        let small = u64::from(self.rng.below(9));
        let bits = match ty {
            Type::F32 => u64::from((small as f32 * 0.5 - 1.0).to_bits()),
            Type::F64 => (small as f64 * 0.5 - 1.0).to_bits(),
            Type::F16 => [0, 0x3c00, 0xbc00, 0x4200, 0x3555, 0x7bff, 0x0001, 0x8000, 0x5640][small as usize],
            _ if self.rng.chance(30) => u64::from(self.rng.next()).wrapping_mul(0x1_0000_0001),
            _ => small.wrapping_sub(2),
        };
        self.constant(r, ty, bits)
    }

    /// Some value of a type.
    fn pick(&mut self, r: &mut Region, ty: Type) -> Known {
        let fits: Vec<Known> = self.pool.iter().copied().filter(|k| k.ty == ty).collect();
        if !fits.is_empty() && !self.rng.chance(12) {
            // Recent ones are more interesting.
            let n = fits.len() as u32;
            let at = self.rng.below(n).max(self.rng.below(n));
            return fits[at as usize];
        }
        if ty == Type::Bool {
            let t = INTS[self.rng.below(4) as usize];
            let (a, b) = (self.pick(r, t), self.pick(r, t));
            let op = [AluOp::IEq, AluOp::ULt, AluOp::SLe, AluOp::INe][self.rng.below(4) as usize];
            let uniform = a.uniform && b.uniform;
            let value = self.emit(r, ty, Op::alu(op, &[a.value, b.value]), uniform);
            return Known { value, ty, uniform };
        }
        let value = self.any_constant(r, ty);
        Known { value, ty, uniform: true }
    }

    fn pick_uniform(&mut self, r: &mut Region, ty: Type) -> Known {
        let fits: Vec<Known> = self.pool.iter().copied().filter(|k| k.ty == ty && k.uniform).collect();
        if !fits.is_empty() {
            return fits[self.rng.below(fits.len() as u32) as usize];
        }
        let value = self.any_constant(r, ty);
        Known { value, ty, uniform: true }
    }

    fn picks(&mut self, r: &mut Region, types: &[Type]) -> Vec<Value> {
        types.iter().map(|t| self.pick(r, *t).value).collect()
    }

    fn some_types(&mut self, most: u32) -> Vec<Type> {
        let all = [Type::I32, Type::F32, Type::Bool, Type::I64, Type::I32, Type::I16];
        (0..self.rng.below(most + 1)).map(|_| all[self.rng.below(6) as usize]).collect()
    }

    fn alu(&mut self, r: &mut Region) {
        let int = [Type::I32, Type::I32, Type::I32, Type::I64, Type::I16, Type::I8][self.rng.below(6) as usize];
        let float = [Type::F32, Type::F32, Type::F64, Type::F16][self.rng.below(4) as usize];
        let usable: Vec<AluOp> = AluOp::ALL.iter().copied().filter(|op| !skipped(*op)).collect();
        let op = usable[self.rng.below(usable.len() as u32) as usize];
        let (types, result): (Vec<Type>, Type) = match op.shape() {
            AluShape::Int(n) => (vec![int; n.into()], int),
            AluShape::IntBool(n) => {
                let t = if self.rng.chance(30) { Type::Bool } else { int };
                (vec![t; n.into()], t)
            }
            AluShape::Float(n) => (vec![float; n.into()], float),
            AluShape::IntCmp => (vec![int; 2], Type::Bool),
            AluShape::FloatCmp(n) => (vec![float; n.into()], Type::Bool),
            AluShape::Shift => (vec![int, INTS[self.rng.below(4) as usize]], int),
            AluShape::BitField(4) => (vec![int, int, Type::I32, Type::I32], int),
            AluShape::BitField(_) => (vec![int, Type::I32, Type::I32], int),
            AluShape::Dot => (vec![Type::I32; 2], Type::I32),
            AluShape::Select => (vec![Type::Bool, int, int], int),
            AluShape::Ldexp | AluShape::FrexpExp => return,
            AluShape::Convert => match op {
                AluOp::ITrunc => (vec![Type::I64], [Type::I32, Type::I16, Type::I8][self.rng.below(3) as usize]),
                AluOp::ZExt if self.rng.chance(30) => (vec![Type::Bool], Type::I32),
                AluOp::ZExt | AluOp::SExt => {
                    let from = [Type::I32, Type::I16, Type::I8][self.rng.below(3) as usize];
                    (vec![from], Type::I64)
                }
                AluOp::FToS | AluOp::FToU => (vec![float], int),
                AluOp::SToF | AluOp::UToF => (vec![int], float),
                AluOp::FConv if float != Type::F32 => (vec![Type::F32], float),
                AluOp::FConv => (vec![Type::F64], Type::F32),
                AluOp::FConvRtz => (vec![Type::F64], [Type::F32, Type::F16][self.rng.below(2) as usize]),
                // Bits of NaNs are not defined: only from integers.
                _ => (vec![Type::I32], Type::F32),
            },
        };
        let args: Vec<Known> = types.iter().map(|t| self.pick(r, *t)).collect();
        let uniform = args.iter().all(|a| a.uniform);
        let args = args.iter().map(|a| a.value).collect();
        self.emit(r, result, Op::Alu { op, args, flags: AluFlags { no_contract: true } }, uniform);
    }

    /// A byte offset (I64) somewhere in or near the input.
    fn input_offset(&mut self, r: &mut Region) -> (Value, bool) {
        let (index, uniform) = match self.rng.below(4) {
            0 => {
                let k = self.pick_uniform(r, Type::I32);
                (k.value, k.uniform)
            }
            1 => (self.own, false),
            2 => {
                let k = self.pick_uniform(r, Type::I32);
                (self.hidden(r, Type::I32, Op::alu(AluOp::IAdd, &[self.own, k.value])), false)
            }
            _ => {
                let k = self.pick(r, Type::I32);
                (k.value, k.uniform)
            }
        };
        let wrap = self.hidden(r, Type::I32, Op::constant(Type::I32, u64::from(INPUT_WORDS + 9)));
        let index =
            if self.rng.chance(40) { self.hidden(r, Type::I32, Op::alu(AluOp::URem, &[index, wrap])) } else { index };
        let widen = if self.rng.chance(50) { AluOp::ZExt } else { AluOp::SExt };
        let wide = self.hidden(r, Type::I64, Op::alu(widen, &[index]));
        let scale = [4u64, 4, 8, 12, 16, 2, 1][self.rng.below(7) as usize];
        let scale = self.hidden(r, Type::I64, Op::constant(Type::I64, scale));
        (self.hidden(r, Type::I64, Op::alu(AluOp::IMul, &[wide, scale])), uniform)
    }

    fn load(&mut self, r: &mut Region) {
        let (off, uniform) = self.input_offset(r);
        let ty = [Type::I32, Type::F32, Type::I32, Type::I64, Type::I16, Type::I8][self.rng.below(6) as usize];
        let n = 1 + self.rng.below(4);
        let addr = Addr::Buffer { buf: self.input, off: Some(off), imm: i64::from(self.rng.below(3)) * 4 - 4 };
        let results: Vec<Value> = (0..n).map(|_| self.k.value(ty)).collect();
        r.push(&results, Op::Load { addr, access: Access::plain(1) });
        self.pool.extend(results.iter().map(|&value| Known { value, ty, uniform }));
    }

    /// Stores to words that belong to this invocation.
    fn store(&mut self, r: &mut Region) {
        let ty = [Type::I32, Type::I32, Type::I64, Type::I16, Type::I8][self.rng.below(5) as usize];
        let words = ty.bytes().div_ceil(4);
        let at = self.rng.below(OUT_WORDS - words + 1);
        let n = if ty == Type::I32 { 1 + self.rng.below(OUT_WORDS - at) } else { 1 };
        let values = (0..n).map(|_| self.pick(r, ty).value).collect();
        let off = self.own_offset(r);
        let addr = Addr::Buffer { buf: self.output, off: Some(off), imm: i64::from(at) * 4 };
        r.push(&[], Op::Store { addr, values, access: Access::plain(4) });
    }

    fn own_offset(&mut self, r: &mut Region) -> Value {
        let size = self.hidden(r, Type::I32, Op::constant(Type::I32, u64::from(OUT_WORDS * 4)));
        let off = self.hidden(r, Type::I32, Op::alu(AluOp::IMul, &[self.own, size]));
        self.hidden(r, Type::I64, Op::alu(AluOp::ZExt, &[off]))
    }

    fn private(&mut self, r: &mut Region) {
        let ty = [Type::I32, Type::F32, Type::I64, Type::I16, Type::I8][self.rng.below(5) as usize];
        let mut access = Access::plain(1);
        let index = if self.rng.chance(30) {
            None
        } else {
            let k = self.pick(r, Type::I32);
            if self.rng.chance(70) {
                access.align = 4;
                let mask = self.hidden(r, Type::I32, Op::constant(Type::I32, 0x3c));
                Some(self.hidden(r, Type::I32, Op::alu(AluOp::And, &[k.value, mask])))
            } else {
                let mask = self.hidden(r, Type::I32, Op::constant(Type::I32, 0x3f));
                Some(self.hidden(r, Type::I32, Op::alu(AluOp::And, &[k.value, mask])))
            }
        };
        let addr = Addr::Slot { slot: SlotId(0), off: index, imm: self.rng.below(SLOT_BYTES / 4) * 4 };
        if self.rng.chance(50) {
            self.emit(r, ty, Op::Load { addr, access }, false);
        } else {
            let value = self.pick(r, ty).value;
            r.push(&[], Op::Store { addr, values: [value].into_iter().collect(), access });
        }
    }

    fn subgroup(&mut self, r: &mut Region) {
        let ty = [Type::I32, Type::I32, Type::I64, Type::I16, Type::Bool, Type::F32][self.rng.below(6) as usize];
        let int = if ty == Type::Bool || ty == Type::F32 { Type::I32 } else { ty };
        let by = u64::from(self.rng.below(9));
        let cluster = [0, 0, 2, 4][self.rng.below(4) as usize];
        let (op, args, result) = match self.rng.below(15) {
            0 => (SubgroupOp::Elect, vec![], Type::Bool),
            1 => (SubgroupOp::All, vec![Type::Bool], Type::Bool),
            2 => (SubgroupOp::Any, vec![Type::Bool], Type::Bool),
            3 => (SubgroupOp::AllEqual, vec![int], Type::Bool),
            4 => (SubgroupOp::Ballot, vec![Type::Bool], Type::I64),
            5 => (SubgroupOp::BroadcastFirst, vec![ty], ty),
            6 => (SubgroupOp::Shuffle, vec![ty, Type::I32], ty),
            7 => (SubgroupOp::ShuffleXor, vec![ty, Type::I32], ty),
            8 => (SubgroupOp::ShuffleUp, vec![ty, Type::I32], ty),
            9 => (SubgroupOp::Rotate { cluster }, vec![ty, Type::I32], ty),
            10 => (SubgroupOp::QuadSwap { direction: (by % 3) as u8 }, vec![ty], ty),
            11 => (SubgroupOp::QuadBroadcast, vec![ty, Type::I32], ty),
            12 => (SubgroupOp::Partition, vec![ty], Type::I64),
            more => {
                let op = [GroupOp::IAdd, GroupOp::SMin, GroupOp::UMax, GroupOp::Xor, GroupOp::IMul, GroupOp::And];
                let op = op[self.rng.below(6) as usize];
                let scan = [GroupScan::Reduce, GroupScan::Inclusive, GroupScan::Exclusive][self.rng.below(3) as usize];
                let cluster = if scan == GroupScan::Reduce { cluster } else { 0 };
                if more == 13 {
                    (SubgroupOp::Partitioned { op, scan }, vec![int, Type::I64], int)
                } else {
                    (SubgroupOp::Group { op, scan, cluster }, vec![int], int)
                }
            }
        };
        let mut values: Vec<Value> = Vec::new();
        for (i, t) in args.iter().enumerate() {
            values.push(if i == 1 && *t == Type::I32 {
                let limit = if op == SubgroupOp::QuadBroadcast { 3 } else { 15 };
                if self.rng.chance(50) {
                    self.hidden(r, *t, Op::constant(*t, by & limit))
                } else {
                    let k = self.pick(r, *t);
                    let mask = self.hidden(r, *t, Op::constant(*t, limit));
                    self.hidden(r, *t, Op::alu(AluOp::And, &[k.value, mask]))
                }
            } else {
                self.pick(r, *t).value
            });
        }
        self.emit(r, result, Op::Subgroup { op, args: values.into_iter().collect() }, false);
    }

    /// Every invocation writes its word of workgroup memory and reads another one's.
    fn exchange(&mut self, r: &mut Region) {
        let value = self.pick(r, Type::I32).value;
        let four = self.hidden(r, Type::I32, Op::constant(Type::I32, 4));
        let off = self.hidden(r, Type::I32, Op::alu(AluOp::IMul, &[self.local, four]));
        let access = Access::plain(4);
        let barrier = Op::ControlBarrier { scope: MemoryScope::Workgroup, memory: MemoryScope::Workgroup };
        let addr = Addr::Shared { off: Some(off), imm: 0 };
        r.push(&[], Op::Store { addr, values: [value].into_iter().collect(), access });
        r.push(&[], barrier.clone());
        let shift = u64::from(self.rng.below(40));
        let shift = self.hidden(r, Type::I32, Op::constant(Type::I32, shift));
        let op = if self.rng.chance(50) { AluOp::Xor } else { AluOp::IAdd };
        let other = self.hidden(r, Type::I32, Op::alu(op, &[self.local, shift]));
        let off = self.hidden(r, Type::I32, Op::alu(AluOp::IMul, &[other, four]));
        let addr = Addr::Shared { off: Some(off), imm: 0 };
        self.emit(r, Type::I32, Op::Load { addr, access }, false);
        r.push(&[], barrier);
    }

    fn atomic(&mut self, r: &mut Region) {
        let (op, word) = [(AtomicOp::IAdd, 0), (AtomicOp::UMax, 1), (AtomicOp::Xor, 2), (AtomicOp::SMin, 3)]
            [self.rng.below(4) as usize];
        let value = self.pick(r, Type::I32).value;
        let off = if self.rng.chance(50) {
            None
        } else {
            let k = self.pick(r, Type::I64);
            let mask = self.hidden(r, Type::I64, Op::constant(Type::I64, 0x70));
            Some(self.hidden(r, Type::I64, Op::alu(AluOp::And, &[k.value, mask])))
        };
        let addr = Addr::Buffer { buf: self.counters, off, imm: word * 4 };
        // The order of invocations shows in the old value only.
        self.hidden(r, Type::I32, Op::AtomicRmw { op, addr, value, volatile: false });
    }

    /// Runs `f` in a nested region with the values of now.
    fn nested(&mut self, params: &[(Type, bool)], f: impl FnOnce(&mut Self, &mut Region)) -> Region {
        let mark = self.pool.len();
        let mut region = Region::default();
        for &(ty, uniform) in params {
            let value = self.k.value(ty);
            region.params.push(value);
            self.pool.push(Known { value, ty, uniform });
        }
        self.depth += 1;
        f(self, &mut region);
        self.depth -= 1;
        self.pool.truncate(mark);
        region
    }

    /// Ends a region with an exit or the given way.
    fn finish(&mut self, r: &mut Region, exit_chance: u32, normal: impl FnOnce(&mut Self, &mut Region) -> Op) {
        if self.rng.chance(exit_chance) {
            if self.rng.chance(8) {
                r.push(&[], Op::Return);
                return;
            }
            if let (true, Some(types)) = (self.rng.chance(30), self.fall.clone()) {
                let args = self.picks(r, &types);
                r.push(&[], Op::Fallthrough(args));
                return;
            }
            if !self.open.is_empty() {
                let target = self.open[self.rng.below(self.open.len() as u32) as usize].clone();
                let op = match &target.params {
                    Some((types, counter)) if self.rng.chance(50) => {
                        self.next_iteration(r, target.label, types, *counter)
                    }
                    _ => Op::Break(target.label, self.picks(r, &target.results)),
                };
                r.push(&[], op);
                return;
            }
        }
        let op = normal(self, r);
        r.push(&[], op);
    }

    fn next_iteration(&mut self, r: &mut Region, label: Label, types: &[Type], counter: Value) -> Op {
        let one = self.hidden(r, Type::I32, Op::constant(Type::I32, 1));
        let mut args = vec![self.hidden(r, Type::I32, Op::alu(AluOp::IAdd, &[counter, one]))];
        args.extend(self.picks(r, &types[1..]));
        Op::Continue(label, args)
    }

    fn branch(&mut self, r: &mut Region) {
        let cond = if self.barriers && self.rng.chance(50) {
            self.pick_uniform(r, Type::Bool)
        } else {
            self.pick(r, Type::Bool)
        };
        let types = self.some_types(2);
        let outer = self.barriers;
        self.barriers &= cond.uniform;
        let mut sides = Vec::new();
        for _ in 0..2 {
            let wanted = types.clone();
            let empty = self.rng.chance(25);
            sides.push(self.nested(&[], |b, r| {
                if !empty {
                    let n = b.rng.below(4);
                    b.body(r, n);
                }
                b.finish(r, 25, |b, r| Op::Yield(b.picks(r, &wanted)));
            }));
        }
        self.barriers = outer;
        let results: Vec<Value> = types.iter().map(|t| self.k.value(*t)).collect();
        let els = sides.pop().unwrap_or_default();
        let then = sides.pop().unwrap_or_default();
        r.push(&results, Op::If { cond: cond.value, then, els });
        self.pool.extend(results.iter().zip(types).map(|(&value, ty)| Known { value, ty, uniform: false }));
    }

    fn block(&mut self, r: &mut Region) {
        let label = self.k.label();
        let types = self.some_types(2);
        self.open.push(Open { label, results: types.clone(), params: None });
        let wanted = types.clone();
        let body = self.nested(&[], |b, r| {
            let n = 1 + b.rng.below(4);
            b.body(r, n);
            b.finish(r, 15, |b, r| Op::Yield(b.picks(r, &wanted)));
        });
        self.open.pop();
        let results: Vec<Value> = types.iter().map(|t| self.k.value(*t)).collect();
        r.push(&results, Op::Block { label, body });
        self.pool.extend(results.iter().zip(types).map(|(&value, ty)| Known { value, ty, uniform: false }));
    }

    fn repeat(&mut self, r: &mut Region) {
        let label = self.k.label();
        let results = self.some_types(2);
        let mut params = vec![Type::I32];
        params.extend(self.some_types(2));
        let uniform = self.rng.chance(50);
        let bound = if uniform {
            let n = 1 + u64::from(self.rng.below(4));
            self.constant(r, Type::I32, n)
        } else {
            let k = self.pick(r, Type::I32);
            let mask = self.hidden(r, Type::I32, Op::constant(Type::I32, 3));
            self.hidden(r, Type::I32, Op::alu(AluOp::And, &[k.value, mask]))
        };
        let mut init = vec![self.constant(r, Type::I32, 0)];
        init.extend(self.picks(r, &params[1..]));
        // The counter is the same for all who are still in the loop unless some continue early; every path counts by one, so
        // it is the same anyway.
        let typed: Vec<(Type, bool)> = params.iter().enumerate().map(|(i, t)| (*t, i == 0)).collect();
        let (results2, params2) = (results.clone(), params.clone());
        let fall = self.fall.take();
        let body = self.nested(&typed, |b, r| {
            let counter = r.params[0];
            b.open.push(Open { label, results: results2.clone(), params: Some((params2.clone(), counter)) });
            let more = b.hidden(r, Type::Bool, Op::alu(AluOp::ULt, &[counter, bound]));
            let mut then = Region::default();
            then.push(&[], Op::Yield(vec![]));
            let mut els = Region::default();
            let mark = b.pool.len();
            let args = b.picks(&mut els, &results2);
            b.pool.truncate(mark);
            els.push(&[], Op::Break(label, args));
            r.push(&[], Op::If { cond: more, then, els });
            let n = 1 + b.rng.below(5);
            b.body(r, n);
            b.finish(r, 10, |b, r| b.next_iteration(r, label, &params2, counter));
            b.open.pop();
        });
        self.fall = fall;
        let values: Vec<Value> = results.iter().map(|t| self.k.value(*t)).collect();
        r.push(&values, Op::Loop { label, init, body });
        self.pool.extend(values.iter().zip(results).map(|(&value, ty)| Known { value, ty, uniform: false }));
    }

    fn switch(&mut self, r: &mut Region) {
        let label = self.k.label();
        let types = self.some_types(2);
        let selector = if self.barriers && self.rng.chance(50) {
            self.pick_uniform(r, Type::I32)
        } else {
            self.pick(r, Type::I32)
        };
        let mask = self.hidden(r, Type::I32, Op::constant(Type::I32, 7));
        let masked = self.hidden(r, Type::I32, Op::alu(AluOp::And, &[selector.value, mask]));
        let n = 1 + self.rng.below(4);
        let outer = self.barriers;
        self.barriers &= selector.uniform;
        let arm_params: Vec<Vec<Type>> = (0..n).map(|_| self.some_types(1)).collect();
        let default = self.rng.below(n);
        let mut cases = Vec::new();
        self.open.push(Open { label, results: types.clone(), params: None });
        let inits: Vec<Vec<Value>> = arm_params.iter().map(|p| self.picks(r, p)).collect();
        let fall = self.fall.take();
        for i in 0..n as usize {
            self.fall = arm_params.get(i + 1).cloned();
            let wanted = types.clone();
            let typed: Vec<(Type, bool)> = arm_params[i].iter().map(|t| (*t, false)).collect();
            let body = self.nested(&typed, |b, r| {
                let n = b.rng.below(3);
                b.body(r, n);
                b.finish(r, 40, |b, r| Op::Yield(b.picks(r, &wanted)));
            });
            let literals = if self.rng.chance(85) { vec![2 * i as u64, 2 * i as u64 + 1] } else { vec![] };
            cases.push(SwitchCase { literals, is_default: i as u32 == default, body, init: inits[i].clone() });
        }
        self.fall = fall;
        self.open.pop();
        self.barriers = outer;
        let results: Vec<Value> = types.iter().map(|t| self.k.value(*t)).collect();
        r.push(&results, Op::Switch { label, selector: masked, cases });
        self.pool.extend(results.iter().zip(types).map(|(&value, ty)| Known { value, ty, uniform: false }));
    }

    fn body(&mut self, r: &mut Region, n: u32) {
        for _ in 0..n {
            self.budget -= 1;
            let deep = self.depth >= 5 || self.budget < 0;
            match self.rng.below(100) {
                0..=29 => self.alu(r),
                30..=37 => self.load(r),
                38..=45 => self.store(r),
                46..=51 => self.private(r),
                52..=59 if self.subgroups => self.subgroup(r),
                60..=64 if self.barriers => self.exchange(r),
                65..=68 => self.atomic(r),
                69..=80 if !deep => self.branch(r),
                81..=86 if !deep => self.block(r),
                87..=93 if !deep => self.repeat(r),
                94..=98 if !deep => self.switch(r),
                _ => self.alu(r),
            }
        }
    }
}

/// Operations that are lowered before the code generator.
fn skipped(op: AluOp) -> bool {
    use AluOp::*;
    matches!(
        op,
        FRem | FMod | FRsqrt | FExp2 | FExp | FLog2 | FLog | FPow | FSin | FCos | FTan | FAsin | FAcos | FAtan | FAtan2
            | FSinh | FCosh | FTanh | FAsinh | FAcosh | FAtanh | FLdexp | FFrexpMant | FFrexpExp | FQuantize16 | FScale
            | FScaleAny | FExponent | FSignificand
            // Of two zeros either is the minimum.
            | FMin | FMax
    )
}

/// A random kernel and its inputs.
pub fn random_kernel(seed: u64) -> (Kernel, Setup) {
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678);
    for _ in 0..4 {
        rng.next();
    }
    let local = [
        [32, 1, 1],
        [16, 2, 1],
        [7, 1, 1],
        [8, 4, 1],
        [20, 1, 1],
        [4, 3, 3],
        [64, 1, 1],
        [1, 1, 1],
        [8, 8, 1],
        [16, 8, 1],
        [4, 4, 4],
        [64, 2, 1],
        [8, 3, 5],
        [128, 1, 1],
    ];
    let local_size = local[rng.below(local.len() as u32) as usize];
    let barriers = rng.chance(60);
    // Only kernels that cannot tell subgroups apart are executed several subgroups at a time.
    let subgroups = rng.chance(50);
    let mut k = Kernel {
        name: format!("random{seed}"),
        local_size,
        push_size: 8,
        shared_zeroed: true,
        uses_subgroups: subgroups,
        bindings: (0..3)
            .map(|binding| Binding {
                set: 0,
                binding,
                kind: BindingKind::StorageBuffer,
                count: 1,
                written: binding > 0,
            })
            .collect(),
        ..Kernel::default()
    };
    k.shared_size = k.invocations() * 4;
    k.slot(SLOT_BYTES, 4);
    let none = Value(0);
    let mut b = Builder {
        k,
        rng,
        pool: Vec::new(),
        open: Vec::new(),
        budget: 60,
        depth: 0,
        input: none,
        output: none,
        counters: none,
        own: none,
        local: none,
        barriers,
        subgroups,
        fall: None,
    };
    let mut r = Region::default();
    let res = |binding| Resource { set: 0, binding, index: None, non_uniform: false };
    b.input = b.hidden(&mut r, Type::Buf, Op::Buffer(res(0)));
    b.output = b.hidden(&mut r, Type::Buf, Op::Buffer(res(1)));
    b.counters = b.hidden(&mut r, Type::Buf, Op::Buffer(res(2)));
    b.own = b.emit(&mut r, Type::I32, Op::Builtin(Builtin::GlobalId(0)), false);
    // Linear index over the dispatch, which is one workgroup high and deep.
    b.local = b.emit(&mut r, Type::I32, Op::Builtin(Builtin::LocalIndex), false);
    let group = b.emit(&mut r, Type::I32, Op::Builtin(Builtin::WorkgroupId(0)), true);
    let size = u64::from(b.k.invocations());
    let size = b.hidden(&mut r, Type::I32, Op::constant(Type::I32, size));
    let first = b.hidden(&mut r, Type::I32, Op::alu(AluOp::IMul, &[group, size]));
    b.own = b.emit(&mut r, Type::I32, Op::alu(AluOp::IAdd, &[first, b.local]), false);
    for builtin in [Builtin::LocalId(0), Builtin::LocalId(1), Builtin::LocalId(2), Builtin::SubgroupLocalId] {
        if builtin == Builtin::SubgroupLocalId && !b.subgroups {
            continue;
        }
        b.emit(&mut r, Type::I32, Op::Builtin(builtin), false);
    }
    let access = Access::plain(4);
    for imm in [0, 4] {
        b.emit(&mut r, Type::I32, Op::Load { addr: Addr::Push { off: None, imm }, access }, true);
    }
    // Private memory starts with something known.
    let zero = b.constant(&mut r, Type::I32, 0);
    for word in 0..SLOT_BYTES / 4 {
        let addr = Addr::Slot { slot: SlotId(0), off: None, imm: word * 4 };
        r.push(&[], Op::Store { addr, values: [zero].into_iter().collect(), access });
    }
    b.body(&mut r, 14);
    let off = b.own_offset(&mut r);
    for word in 0..2 {
        let value = b.pick(&mut r, Type::I32).value;
        let addr = Addr::Buffer { buf: b.output, off: Some(off), imm: word * 4 };
        r.push(&[], Op::Store { addr, values: [value].into_iter().collect(), access });
    }
    // A float, NaNs made the same.
    let f = b.pick(&mut r, Type::F32).value;
    let nan = b.hidden(&mut r, Type::Bool, Op::alu(AluOp::FIsNan, &[f]));
    let one = b.hidden(&mut r, Type::F32, Op::f32(1.0));
    let f = b.hidden(&mut r, Type::F32, Op::alu(AluOp::Select, &[nan, one, f]));
    let addr = Addr::Buffer { buf: b.output, off: Some(off), imm: 8 };
    r.push(&[], Op::Store { addr, values: [f].into_iter().collect(), access });
    r.insts.push(Inst { results: [].into_iter().collect(), op: Op::Return });
    b.k.body = r;

    let groups = 3;
    let mut words = Vec::new();
    for i in 0..INPUT_WORDS {
        let w = if i % 3 == 0 { (i as f32 * 0.25 - 3.0).to_bits() } else { b.rng.next() >> b.rng.below(32) };
        words.extend_from_slice(&w.to_le_bytes());
    }
    let place = |binding| Place { set: 0, binding, element: 0 };
    let invocations = b.k.invocations() * groups;
    let out = (invocations * OUT_WORDS * 4 - 8) as usize;
    let mut push = b.rng.below(10).to_le_bytes().to_vec();
    push.extend_from_slice(&b.rng.next().to_le_bytes());
    let setup = Setup {
        dispatch: [groups, 1, 1],
        subgroup_size: 8,
        push,
        buffers: vec![(place(0), words), (place(1), vec![0; out]), (place(2), vec![0; 128])],
        ..Setup::default()
    };
    (b.k, setup)
}

fn check(seed: u64) -> Result<(), String> {
    let (kernel, mut setup) = random_kernel(seed);
    verify(&kernel).map_err(|e| format!("seed {seed}: {e}\n{}", compiler::text::print(&kernel)))?;
    let sizes = [4, 8, 16, 32];
    let size = sizes[(seed % 4) as usize];
    setup.subgroup_size = size;
    let wanted = interpret(&kernel, &setup).map_err(|e| format!("seed {seed}: {e}"))?;
    // Every other kernel goes through the optimiser, as kernels of applications do.
    let mut kernel = kernel;
    if (seed / 4) % 2 == 1 {
        optimize(&mut kernel, &Default::default()).map_err(|e| format!("seed {seed}: {e}"))?;
    }
    for (width, jam, quick) in
        widths().into_iter().flat_map(|w| [(w, 1, false), (w, 2, false), (w, 4, false), (w, 1, true), (w, 2, true)])
    {
        // Other widths have no code of their own for it.
        if quick && width != Width::W16 {
            continue;
        }
        if jam > 1 && (kernel.uses_subgroups || size * jam > 64) {
            continue;
        }
        let found = run_with(&kernel, &setup, width, size, |o| Options { jam: Some(jam), quick, ..o })
            .map_err(|e| format!("seed {seed}: {e}\n{}", compiler::text::print(&kernel)))?;
        for (place, bytes) in &wanted {
            let other = &found[place];
            if let Some(at) = (0..bytes.len()).find(|&i| bytes[i] != other[i]) {
                let word = at & !3;
                return Err(format!(
                    "seed {seed} {width:?} S{size} jam {jam} quick {quick}: buffer {place:?} differs at byte {at} (invocation {}): wanted {:x?}, found {:x?}\n{}",
                    at / 16,
                    &bytes[word..(word + 4).min(bytes.len())],
                    &other[word..(word + 4).min(bytes.len())],
                    compiler::text::print(&kernel)
                ));
            }
        }
    }
    Ok(())
}

#[test]
fn random_kernels() {
    let mut failures = Vec::new();
    for seed in seeds() {
        if let Err(e) = check(seed) {
            failures.push(e);
        }
    }
    let shortest = failures.iter().min_by_key(|e| e.len());
    let firsts: Vec<&str> = failures.iter().filter_map(|e| e.lines().next()).take(40).collect();
    assert!(failures.is_empty(), "{} failures: {firsts:#?}\n{}", failures.len(), shortest.cloned().unwrap_or_default());
}
