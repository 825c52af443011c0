//! Random kernels: every pass, and random sequences of passes, must keep what the interpreter computes.

use compiler::interp::{Executor, GroupInfo, Limits, Program, TestMachine};
use compiler::passes::{self, Options};
use compiler::sir::{
    Access, Addr, AluOp, Binding, BindingKind, Builtin, Kernel, Label, MemoryScope, Op, Region, Resource, SlotId,
    SwitchCase, Type, Value,
};
use compiler::text;
use compiler::verify::verify;
use std::sync::Arc;

/// A small deterministic generator of numbers.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

const LANES: u32 = 6;
const OUT_BYTES: u32 = 32;

/// An enclosing construct that random exits may use.
#[derive(Clone)]
struct Target {
    label: Label,
    results: Vec<Type>,
    /// Parameters of a loop; the first one counts up, and `Some(step)` is its next value.
    continues: Option<(Vec<Type>, Value)>,
}

struct Gen {
    rng: Rng,
    kernel: Kernel,
    /// Visible values.
    values: Vec<Value>,
    targets: Vec<Target>,
    budget: usize,
    out: Value,
    lane_off: Value,
}

const INT_OPS: &[AluOp] = &[
    AluOp::IAdd,
    AluOp::ISub,
    AluOp::IMul,
    AluOp::And,
    AluOp::Or,
    AluOp::Xor,
    AluOp::UDiv,
    AluOp::SRem,
    AluOp::SMod,
    AluOp::URem,
    AluOp::SDiv,
    AluOp::SMin,
    AluOp::UMax,
    AluOp::UMulHi,
    AluOp::SAddSat,
    AluOp::Shl,
    AluOp::UShr,
    AluOp::SShr,
];
const CMP_OPS: &[AluOp] = &[AluOp::IEq, AluOp::INe, AluOp::ULt, AluOp::SLt, AluOp::ULe, AluOp::SLe];
const UNARY_OPS: &[AluOp] = &[AluOp::INeg, AluOp::Not, AluOp::IAbs, AluOp::BitCount, AluOp::FindUMsb, AluOp::ISign];
const FLOAT_OPS: &[AluOp] = &[AluOp::FAdd, AluOp::FSub, AluOp::FMul, AluOp::FMin, AluOp::FMax];
const SOME: &[u64] = &[0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 0xffff_ffff, 0x8000_0000, 0x7fff_ffff, 100, 0xff];

impl Gen {
    fn new(seed: u64) -> Gen {
        let mut kernel =
            Kernel { name: format!("random_{seed}"), local_size: [LANES, 1, 1], shared_size: 64, ..Kernel::default() };
        for (binding, written) in [(0, true), (1, false)] {
            let kind = if binding == 0 { BindingKind::StorageBuffer } else { BindingKind::UniformBuffer };
            kernel.bindings.push(Binding { set: 0, binding, kind, count: 1, written });
        }
        let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            let size = 4 * (1 + rng.below(5) as u32);
            kernel.slot(size, 4);
        }
        Gen { rng, kernel, values: Vec::new(), targets: Vec::new(), budget: 140, out: Value(0), lane_off: Value(0) }
    }

    fn emit(&mut self, r: &mut Region, ty: Type, op: Op) -> Value {
        let v = self.kernel.value(ty);
        r.push(&[v], op);
        self.values.push(v);
        v
    }

    fn constant(&mut self, r: &mut Region, ty: Type) -> Value {
        let bits = match ty {
            Type::F32 => {
                let f = [0.0f32, -0.0, 1.0, -1.0, 2.0, 0.5, 3.25, f32::INFINITY, f32::NAN][self.rng.below(9)];
                u64::from(f.to_bits())
            }
            Type::I64 if self.rng.chance(30) => self.rng.next(),
            _ => SOME[self.rng.below(SOME.len())],
        };
        self.emit(r, ty, Op::constant(ty, bits))
    }

    fn pick(&mut self, r: &mut Region, ty: Type) -> Value {
        let of: Vec<Value> = self.values.iter().copied().filter(|&v| self.kernel.ty(v) == ty).collect();
        if of.is_empty() || self.rng.chance(12) {
            return self.constant(r, ty);
        }
        // Recent values more often.
        let n = of.len();
        let i = if self.rng.chance(60) { n - 1 - self.rng.below(n.min(6)) } else { self.rng.below(n) };
        of[i]
    }

    fn any_type(&mut self) -> Type {
        [Type::I32, Type::I32, Type::I32, Type::F32, Type::Bool, Type::I64, Type::I8][self.rng.below(7)]
    }

    fn types(&mut self, n: usize) -> Vec<Type> {
        let n = self.rng.below(n + 1);
        (0..n).map(|_| self.any_type()).collect()
    }

    fn args(&mut self, r: &mut Region, types: &[Type]) -> Vec<Value> {
        types.iter().map(|&t| self.pick(r, t)).collect()
    }

    fn alu(&mut self, r: &mut Region) {
        match self.rng.below(10) {
            0..=3 => {
                let ty = [Type::I32, Type::I32, Type::I64, Type::I8][self.rng.below(4)];
                let op = INT_OPS[self.rng.below(INT_OPS.len())];
                let (a, mut b) = (self.pick(r, ty), self.pick(r, ty));
                if matches!(op, AluOp::Shl | AluOp::UShr | AluOp::SShr) {
                    b = self.pick(r, Type::I32);
                }
                self.emit(r, ty, Op::alu(op, &[a, b]));
            }
            4 => {
                let ty = [Type::I32, Type::I64][self.rng.below(2)];
                let op = CMP_OPS[self.rng.below(CMP_OPS.len())];
                let (a, b) = (self.pick(r, ty), self.pick(r, ty));
                self.emit(r, Type::Bool, Op::alu(op, &[a, b]));
            }
            5 => {
                let op = UNARY_OPS[self.rng.below(UNARY_OPS.len())];
                let a = self.pick(r, Type::I32);
                self.emit(r, Type::I32, Op::alu(op, &[a]));
            }
            6 => {
                let op = FLOAT_OPS[self.rng.below(FLOAT_OPS.len())];
                let (a, b) = (self.pick(r, Type::F32), self.pick(r, Type::F32));
                self.emit(r, Type::F32, Op::alu(op, &[a, b]));
            }
            7 => {
                let ty = self.any_type();
                let (c, a, b) = (self.pick(r, Type::Bool), self.pick(r, ty), self.pick(r, ty));
                self.emit(r, ty, Op::alu(AluOp::Select, &[c, a, b]));
            }
            8 => {
                let (from, to, op) = [
                    (Type::I32, Type::I64, AluOp::ZExt),
                    (Type::I32, Type::I64, AluOp::SExt),
                    (Type::I64, Type::I32, AluOp::ITrunc),
                    (Type::I32, Type::I8, AluOp::ITrunc),
                    (Type::I8, Type::I32, AluOp::SExt),
                    (Type::Bool, Type::I32, AluOp::ZExt),
                    (Type::I32, Type::F32, AluOp::SToF),
                    (Type::F32, Type::I32, AluOp::FToS),
                ][self.rng.below(8)];
                let a = self.pick(r, from);
                self.emit(r, to, Op::alu(op, &[a]));
            }
            _ => {
                let (a, b) = (self.pick(r, Type::Bool), self.pick(r, Type::Bool));
                let op = [AluOp::And, AluOp::Or, AluOp::Xor, AluOp::IEq][self.rng.below(4)];
                self.emit(r, Type::Bool, Op::alu(op, &[a, b]));
            }
        }
    }

    fn slot_addr(&mut self, r: &mut Region) -> Addr {
        let slot = SlotId(self.rng.below(4) as u32);
        let words = self.kernel.slots[slot.index()].size / 4;
        let imm = 4 * self.rng.below(words as usize + 1) as u32;
        // Only the last slot is indexed dynamically.
        let off = (slot.0 == 3 && self.rng.chance(50)).then(|| {
            let three = self.emit(r, Type::I32, Op::Const(3));
            let two = self.emit(r, Type::I32, Op::Const(2));
            let a = self.pick(r, Type::I32);
            let a = self.emit(r, Type::I32, Op::alu(AluOp::And, &[a, three]));
            self.emit(r, Type::I32, Op::alu(AluOp::Shl, &[a, two]))
        });
        Addr::Slot { slot, off, imm }
    }

    fn memory(&mut self, r: &mut Region) {
        match self.rng.below(8) {
            0..=2 => {
                let addr = self.slot_addr(r);
                let n = 1 + self.rng.below(2);
                let values = (0..n).map(|_| self.pick(r, Type::I32)).collect();
                r.push(&[], Op::Store { addr, values, access: Access::plain(4) });
            }
            3..=4 => {
                let addr = self.slot_addr(r);
                let vs: Vec<Value> = (0..1 + self.rng.below(3)).map(|_| self.kernel.value(Type::I32)).collect();
                r.push(&vs, Op::Load { addr, access: Access::plain(4) });
                self.values.extend(vs);
            }
            5 => {
                // Each invocation has its own part of the buffer and of workgroup memory.
                let imm = 4 * self.rng.below(6) as i64;
                let addr = Addr::Buffer { buf: self.out, off: Some(self.lane_off), imm };
                let values = (0..1 + self.rng.below(2)).map(|_| self.pick(r, Type::I32)).collect();
                r.push(&[], Op::Store { addr, values, access: Access::plain(4) });
            }
            6 => {
                let imm = 4 * self.rng.below(6) as i64;
                let addr = Addr::Buffer { buf: self.out, off: Some(self.lane_off), imm };
                self.emit(r, Type::I32, Op::Load { addr, access: Access::plain(4) });
            }
            _ => {
                let buf = self.emit(r, Type::Buf, Op::Buffer(resource(1)));
                let imm = 4 * self.rng.below(5) as i64;
                let addr = Addr::Buffer { buf, off: None, imm };
                self.emit(r, Type::I32, Op::Load { addr, access: Access::plain(4) });
            }
        }
    }

    /// Fills a region; `end` makes the terminator of the straight path.
    fn region(&mut self, depth: usize, end: &dyn Fn(&mut Gen, &mut Region) -> Op) -> Region {
        let mut r = Region::default();
        let visible = self.values.len();
        let n = 1 + self.rng.below(6);
        let mut done = false;
        for _ in 0..n {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            match self.rng.below(12) {
                0..=5 => self.alu(&mut r),
                6..=8 => self.memory(&mut r),
                _ if depth > 0 => self.construct(&mut r, depth - 1),
                _ => self.alu(&mut r),
            }
            if !self.targets.is_empty() && self.rng.chance(6) {
                let op = self.exit(&mut r);
                r.push(&[], op);
                done = true;
                break;
            }
        }
        if !done {
            let op = end(self, &mut r);
            r.push(&[], op);
        }
        self.values.truncate(visible);
        r
    }

    fn exit(&mut self, r: &mut Region) -> Op {
        if self.rng.chance(8) {
            return Op::Return;
        }
        let i = self.targets.len() - 1 - self.rng.below(self.targets.len().min(3));
        let t = self.targets[i].clone();
        match t.continues {
            Some((types, step)) if self.rng.chance(50) => {
                let mut args = vec![step];
                args.extend(self.args(r, &types[1..]));
                Op::Continue(t.label, args)
            }
            _ => Op::Break(t.label, self.args(r, &t.results)),
        }
    }

    fn construct(&mut self, r: &mut Region, depth: usize) {
        let results = self.types(2);
        let ends = results.clone();
        let yields = move |g: &mut Gen, r: &mut Region| Op::Yield(g.args(r, &ends));
        let op = match self.rng.below(6) {
            0..=2 => {
                let cond = self.pick(r, Type::Bool);
                let then = self.region(depth, &yields);
                let els = self.region(depth, &yields);
                Op::If { cond, then, els }
            }
            3 => {
                let label = self.kernel.label();
                self.targets.push(Target { label, results: results.clone(), continues: None });
                let body = self.region(depth, &yields);
                self.targets.pop();
                Op::Block { label, body }
            }
            4 => self.switch(r, depth, &results),
            _ => self.loop_(r, depth, &results),
        };
        let vs: Vec<Value> = results.iter().map(|&t| self.kernel.value(t)).collect();
        r.push(&vs, op);
        self.values.extend(vs);
    }

    fn switch(&mut self, r: &mut Region, depth: usize, results: &[Type]) -> Op {
        let selector = self.pick(r, Type::I32);
        let label = self.kernel.label();
        self.targets.push(Target { label, results: results.to_vec(), continues: None });
        let n = 2 + self.rng.below(3);
        let default = self.rng.below(n);
        let params: Vec<Vec<Type>> = (0..n).map(|_| self.types(2)).collect();
        let mut cases = Vec::new();
        for i in 0..n {
            let init = self.args(r, &params[i]);
            let vs: Vec<Value> = params[i].iter().map(|&t| self.kernel.value(t)).collect();
            let visible = self.values.len();
            self.values.extend(&vs);
            let falls = i + 1 < n && self.rng.chance(40);
            let (next, ends) = (params.get(i + 1).cloned().unwrap_or_default(), results.to_vec());
            let mut body = self.region(depth, &move |g, r| {
                if falls {
                    Op::Fallthrough(g.args(r, &next))
                } else {
                    Op::Yield(g.args(r, &ends))
                }
            });
            self.values.truncate(visible);
            body.params = vs;
            cases.push(SwitchCase { literals: vec![i as u64], is_default: i == default, body, init });
        }
        self.targets.pop();
        Op::Switch { label, selector, cases }
    }

    /// A loop with a counter, so that it ends: the counter goes up before anything may continue.
    fn loop_(&mut self, r: &mut Region, depth: usize, results: &[Type]) -> Op {
        let label = self.kernel.label();
        let mut types = vec![Type::I32];
        types.extend(self.types(2));
        let zero = self.emit(r, Type::I32, Op::Const(0));
        let mut init = vec![zero];
        init.extend(self.args(r, &types[1..]));
        let params: Vec<Value> = types.iter().map(|&t| self.kernel.value(t)).collect();
        let visible = self.values.len();
        self.values.extend(&params);
        let mut head = Region::default();
        let limit = self.rng.below(5) as u64;
        let limit = self.emit(&mut head, Type::I32, Op::Const(limit));
        let go = self.emit(&mut head, Type::Bool, Op::alu(AluOp::SLt, &[params[0], limit]));
        let mut then = Region::default();
        then.push(&[], Op::Yield(Vec::new()));
        let mut els = Region::default();
        let inner = self.values.len();
        let args = self.args(&mut els, results);
        els.push(&[], Op::Break(label, args));
        self.values.truncate(inner);
        head.push(&[], Op::If { cond: go, then, els });
        let one = self.emit(&mut head, Type::I32, Op::Const(1));
        let step = self.emit(&mut head, Type::I32, Op::alu(AluOp::IAdd, &[params[0], one]));
        self.targets.push(Target { label, results: results.to_vec(), continues: Some((types.clone(), step)) });
        let rest = self.region(depth, &move |g, r| {
            let mut args = vec![step];
            args.extend(g.args(r, &types[1..]));
            Op::Continue(label, args)
        });
        self.targets.pop();
        head.insts.extend(rest.insts);
        head.params = params;
        self.values.truncate(visible);
        Op::Loop { label, init, body: head }
    }

    fn finish(mut self) -> Kernel {
        let mut head = Region::default();
        let lane = self.emit(&mut head, Type::I32, Op::Builtin(Builtin::LocalIndex));
        let wide = self.emit(&mut head, Type::I64, Op::alu(AluOp::ZExt, &[lane]));
        let scale = self.emit(&mut head, Type::I64, Op::Const(u64::from(OUT_BYTES)));
        self.lane_off = self.emit(&mut head, Type::I64, Op::alu(AluOp::IMul, &[wide, scale]));
        self.out = self.emit(&mut head, Type::Buf, Op::Buffer(resource(0)));
        let bar = Op::ControlBarrier { scope: MemoryScope::Workgroup, memory: MemoryScope::Workgroup };
        head.push(&[], bar);
        let rest = self.region(4, &|g, r| {
            for i in 0..6 {
                let v = if i == 5 {
                    // NaN payloads are not part of the meaning.
                    let f = g.pick(r, Type::F32);
                    g.emit(r, Type::I32, Op::alu(AluOp::FToS, &[f]))
                } else {
                    g.pick(r, Type::I32)
                };
                let addr = Addr::Buffer { buf: g.out, off: Some(g.lane_off), imm: 4 * i };
                r.push(&[], Op::Store { addr, values: [v].into_iter().collect(), access: Access::plain(4) });
            }
            Op::Return
        });
        head.insts.extend(rest.insts);
        self.kernel.body = head;
        self.kernel
    }
}

fn resource(binding: u32) -> Resource {
    Resource { set: 0, binding, index: None, non_uniform: false }
}

fn execute(k: &Kernel) -> Vec<u8> {
    let mut m = TestMachine::new();
    m.bind(0, 0, 0, vec![0; (OUT_BYTES * LANES) as usize]);
    m.bind(0, 1, 0, (0..16u8).collect());
    let program = Program::new(Arc::new(k.clone())).unwrap_or_else(|e| panic!("{e}\n{}", text::print(k)));
    let info = GroupInfo { workgroup_id: [0; 3], num_workgroups: [1; 3], subgroup_size: 4 };
    let limits = Limits { max_steps: 2_000_000, cancel: None };
    Executor::new(Arc::new(program)).run(&info, &mut m, &limits).unwrap_or_else(|e| panic!("{e}\n{}", text::print(k)));
    m.contents(0, 0, 0).unwrap_or_default().to_vec()
}

fn kernel(seed: u64) -> Kernel {
    let k = Gen::new(seed).finish();
    verify(&k).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{}", text::print(&k)));
    k
}

/// Seeds to try; `VKDXG_TEST_SEEDS` asks for more.
fn seeds(default: u64) -> std::ops::Range<u64> {
    let n = std::env::var("VKDXG_TEST_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(default);
    1..n + 1
}

#[test]
fn kernels_are_not_trivial() {
    let (mut sizes, mut outputs) = (0, std::collections::HashSet::new());
    for seed in 1..40 {
        let k = kernel(seed);
        sizes += k.body.size();
        outputs.insert(execute(&k));
    }
    assert!(sizes > 39 * 40, "only {sizes} instructions");
    assert!(outputs.len() > 25, "only {} different outcomes", outputs.len());
}

#[test]
fn text_round_trip() {
    for seed in seeds(150) {
        let mut k = kernel(seed);
        compiler::sir::visit::renumber(&mut k);
        assert_eq!(text::parse(&text::print(&k)).expect("parses"), k, "seed {seed}");
    }
}

#[test]
fn single_passes_keep_the_meaning() {
    let opts = Options { verify: true, ..Options::default() };
    for seed in seeds(150) {
        let k = kernel(seed);
        let expected = execute(&k);
        for pass in passes::PASSES {
            let mut after = k.clone();
            if let Err(e) = passes::run_pass(&mut after, pass, &opts) {
                panic!("seed {seed}: {e}\n{}\n{}", text::print(&k), text::print(&after));
            }
            assert!(
                execute(&after) == expected,
                "seed {seed}, pass {}\n{}\n{}",
                pass.name,
                text::print(&k),
                text::print(&after)
            );
        }
    }
}

#[test]
fn sequences_of_passes_keep_the_meaning() {
    let opts = Options { verify: true, ..Options::default() };
    for seed in seeds(200) {
        let mut k = kernel(seed);
        let expected = execute(&k);
        let mut rng = Rng(seed ^ 0xabcdef);
        for _ in 0..12 {
            let pass = &passes::PASSES[rng.below(passes::PASSES.len())];
            let before = text::print(&k);
            if let Err(e) = passes::run_pass(&mut k, pass, &opts) {
                panic!("seed {seed}: {e}\n{before}\n{}", text::print(&k));
            }
            assert!(execute(&k) == expected, "seed {seed}, pass {}\n{before}\n{}", pass.name, text::print(&k));
        }
    }
}

#[test]
fn the_pipeline_keeps_the_meaning() {
    let opts = Options { verify: true, ..Options::default() };
    for seed in seeds(300) {
        let mut k = kernel(seed);
        let expected = execute(&k);
        let before = text::print(&k);
        if let Err(e) = passes::optimize(&mut k, &opts) {
            panic!("seed {seed}: {e}\n{before}");
        }
        assert!(execute(&k) == expected, "seed {seed}\n{before}\n{}", text::print(&k));
    }
}
