//! Where invocations part and meet again: random structured programs record who is with whom, in SPIR-V that asks for
//! maximal reconvergence, against a simulation of what SPV_KHR_maximal_reconvergence says about the source.
//!
//! The extension leaves open whether invocations that fall through into a case meet those that the selector sends
//! there; here they do.

use super::harness::{dispatch, words, Rng};
use compiler::frontend::{translate, Options};
use compiler::interp::TestMachine;
use compiler::passes::optimize;
use compiler::sir::Kernel;

const LANES: u32 = 8;
/// Records of one invocation.
const RECORDS: usize = 400;

/// True in an invocation if that bit, counted from its number and the iteration of the loop around, is set.
#[derive(Clone, Copy, Debug)]
struct Cond(u32);

impl Cond {
    fn holds(self, lane: u32, iteration: u32) -> bool {
        self.0 >> ((lane + 5 * iteration) & 31) & 1 != 0
    }
}

#[derive(Debug)]
enum Stmt {
    /// Everybody who is here notes who is here.
    Record,
    If(Cond, Vec<Stmt>, Vec<Stmt>),
    Loop {
        kind: LoopKind,
        body: Vec<Stmt>,
        /// Code in the continue construct.
        step: Vec<Stmt>,
    },
    /// Selector: two bits of the number. Arms, which may fall into the next one; the last one is the default.
    Switch {
        shift: u32,
        arms: Vec<Arm>,
    },
    Call(usize),
    Exit(Exit),
}

#[derive(Debug)]
struct Arm {
    literals: Vec<u32>,
    body: Vec<Stmt>,
    falls: bool,
}

#[derive(Clone, Copy, Debug)]
enum LoopKind {
    /// `for (i = 0; i < n && cond; i++)`
    For(u32, Cond),
    /// `do … while (++i < n && cond)`
    DoWhile(u32, Cond),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Break,
    Continue,
    LeaveSwitch,
    Return,
}

// ---- programs ----

struct Writer {
    rng: Rng,
    budget: usize,
    /// Functions that may be called: those written before.
    functions: usize,
}

impl Writer {
    fn cond(&mut self) -> Cond {
        Cond((self.rng.next() >> 13) as u32)
    }

    /// Statements in a loop or switch, or not.
    fn block(&mut self, depth: u32, in_loop: bool, in_switch: bool) -> Vec<Stmt> {
        let mut out = Vec::new();
        for _ in 0..1 + self.rng.below(4) {
            self.budget = self.budget.saturating_sub(1);
            let deep = depth == 0 || self.budget == 0;
            out.push(match self.rng.below(13) {
                0..=2 if !deep => {
                    let then = self.block(depth - 1, in_loop, in_switch);
                    let els = if self.rng.below(2) == 0 { vec![] } else { self.block(depth - 1, in_loop, in_switch) };
                    Stmt::If(self.cond(), then, els)
                }
                3 | 4 if !deep => {
                    let (n, cond) = (1 + self.rng.below(3) as u32, self.cond());
                    let kind = if self.rng.below(2) == 0 { LoopKind::For(n, cond) } else { LoopKind::DoWhile(n, cond) };
                    let step = if self.rng.below(2) == 0 { vec![] } else { vec![Stmt::Record] };
                    Stmt::Loop { kind, body: self.block(depth - 1, true, false), step }
                }
                5 | 6 if !deep => {
                    let n = 1 + self.rng.below(4) as u32;
                    let arms = (0..n).map(|i| Arm {
                        literals: if i == 3 { vec![i, i + 4] } else { vec![i] },
                        body: self.block(depth - 1, in_loop, true),
                        falls: i + 1 < n && self.rng.below(3) == 0,
                    });
                    Stmt::Switch { arms: arms.collect(), shift: self.rng.below(2) as u32 }
                }
                7 if self.functions > 0 => Stmt::Call(self.rng.below(self.functions)),
                8 | 9 if !out.is_empty() => {
                    let exit = [Exit::Break, Exit::Continue, Exit::LeaveSwitch, Exit::Return][self.rng.below(4)];
                    let fits = match exit {
                        Exit::Break | Exit::Continue => in_loop,
                        Exit::LeaveSwitch => in_switch,
                        Exit::Return => true,
                    };
                    if !fits {
                        continue;
                    }
                    if self.rng.below(3) == 0 {
                        out.push(Stmt::Exit(exit));
                        return out;
                    }
                    Stmt::If(self.cond(), vec![Stmt::Record, Stmt::Exit(exit)], vec![])
                }
                _ => Stmt::Record,
            });
        }
        out
    }
}

// ---- what the source means ----

/// Invocations that left towards each kind of exit.
#[derive(Default)]
struct Left {
    breaks: u32,
    continues: u32,
    switch: u32,
    returns: u32,
}

struct Simulation<'a> {
    functions: &'a [Vec<Stmt>],
    records: Vec<Vec<u32>>,
}

impl Simulation<'_> {
    fn lanes_where(mask: u32, f: impl Fn(u32) -> bool) -> u32 {
        (0..LANES).filter(|&l| mask >> l & 1 != 0 && f(l)).fold(0, |m, l| m | 1 << l)
    }

    /// Runs statements with the invocations of a mask; gives those that come out at the end.
    fn run(&mut self, stmts: &[Stmt], mut here: u32, iteration: u32, left: &mut Left) -> u32 {
        for s in stmts {
            if here == 0 {
                break;
            }
            match s {
                Stmt::Record => {
                    for l in (0..LANES).filter(|l| here >> l & 1 != 0) {
                        self.records[l as usize].push(here);
                    }
                }
                Stmt::If(cond, then, els) => {
                    let yes = Self::lanes_where(here, |l| cond.holds(l, iteration));
                    let no = here & !yes;
                    here = self.run(then, yes, iteration, left);
                    here |= self.run(els, no, iteration, left);
                }
                Stmt::Loop { kind, body, step } => {
                    let (mut live, mut out) = (here, 0);
                    for i in 0.. {
                        if let LoopKind::For(n, cond) = kind {
                            let stay = Self::lanes_where(live, |l| i < *n && cond.holds(l, i));
                            out |= live & !stay;
                            live = stay;
                        }
                        if live == 0 {
                            break;
                        }
                        let mut inner = Left::default();
                        live = self.run(body, live, i, &mut inner) | inner.continues;
                        out |= inner.breaks;
                        left.returns |= inner.returns;
                        live = self.run(step, live, i, &mut Left::default());
                        if let LoopKind::DoWhile(n, cond) = kind {
                            let stay = Self::lanes_where(live, |l| i + 1 < *n && cond.holds(l, i + 1));
                            out |= live & !stay;
                            live = stay;
                        }
                    }
                    here = out;
                }
                Stmt::Switch { arms, shift } => {
                    let (mut out, mut fallen) = (0, 0);
                    let named = |l: u32| arms.iter().position(|a| a.literals.contains(&(l >> shift)));
                    for (i, a) in arms.iter().enumerate() {
                        let enter = Self::lanes_where(here, |l| named(l).unwrap_or(arms.len() - 1) == i);
                        let mut inner = Left::default();
                        let end = self.run(&a.body, enter | fallen, iteration, &mut inner);
                        out |= inner.switch;
                        (left.breaks, left.continues) = (left.breaks | inner.breaks, left.continues | inner.continues);
                        left.returns |= inner.returns;
                        fallen = if a.falls { end } else { 0 };
                        out |= end & !fallen;
                    }
                    here = out;
                }
                Stmt::Call(f) => {
                    let functions = self.functions;
                    let mut inner = Left::default();
                    here = self.run(&functions[*f], here, 0, &mut inner) | inner.returns;
                }
                Stmt::Exit(exit) => {
                    let to = match exit {
                        Exit::Break => &mut left.breaks,
                        Exit::Continue => &mut left.continues,
                        Exit::LeaveSwitch => &mut left.switch,
                        Exit::Return => &mut left.returns,
                    };
                    *to |= here;
                    here = 0;
                }
            }
        }
        here
    }
}

// ---- SPIR-V ----

const VOID: u32 = 1;
const FUNCTION: u32 = 2;
const BOOL: u32 = 3;
const UINT: u32 = 4;
const UVEC4: u32 = 5;
const PTR_FUNCTION: u32 = 6;
const PTR_PRIVATE: u32 = 7;
const PTR_WORD: u32 = 8;
const LANE: u32 = 9;
const COUNT: u32 = 10;
const OUT: u32 = 11;
const TRUE: u32 = 12;
const MAIN: u32 = 13;
const CONSTANTS: u32 = 20;
const FREE: u32 = 200;

#[derive(Default)]
struct Asm {
    code: Vec<u32>,
    next: u32,
    /// Local variables of the function at hand.
    locals: Vec<u32>,
}

fn inst(code: &mut Vec<u32>, op: u32, operands: &[u32]) {
    code.push((operands.len() as u32 + 1) << 16 | op);
    code.extend_from_slice(operands);
}

/// Constants 0..=39 have ids; others are shifted together.
fn small(n: u32) -> u32 {
    assert!(n < 40);
    CONSTANTS + n
}

#[derive(Clone, Copy, Default)]
struct Targets {
    breaks: u32,
    continues: u32,
    switch: u32,
    /// The variable with the iteration, if there is one.
    iteration: Option<u32>,
}

impl Asm {
    fn id(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn op(&mut self, op: u32, operands: &[u32]) {
        inst(&mut self.code, op, operands);
    }

    fn value(&mut self, op: u32, ty: u32, operands: &[u32]) -> u32 {
        let id = self.id();
        let all: Vec<u32> = [ty, id].iter().chain(operands).copied().collect();
        self.op(op, &all);
        id
    }

    fn label(&mut self, id: u32) {
        self.op(248, &[id]);
    }

    fn branch(&mut self, to: u32) {
        self.op(249, &[to]);
    }

    fn load(&mut self, from: u32) -> u32 {
        self.value(61, UINT, &[from])
    }

    /// A 32-bit number out of small constants.
    fn number(&mut self, n: u32) -> u32 {
        let mut v = small(n >> 30);
        for digit in (0..6).rev() {
            let up = self.value(196, UINT, &[v, small(5)]);
            v = self.value(197, UINT, &[up, small(n >> (5 * digit) & 31)]);
        }
        v
    }

    fn cond(&mut self, cond: Cond, iteration: Option<u32>) -> u32 {
        let lane = self.load(LANE);
        let mut at = lane;
        if let Some(var) = iteration {
            let i = self.load(var);
            let steps = self.value(132, UINT, &[i, small(5)]);
            at = self.value(128, UINT, &[lane, steps]);
        }
        let at = self.value(199, UINT, &[at, small(31)]);
        let bits = self.number(cond.0);
        let down = self.value(194, UINT, &[bits, at]);
        let bit = self.value(199, UINT, &[down, small(1)]);
        self.value(171, BOOL, &[bit, small(0)])
    }

    fn record(&mut self) {
        let ballot = self.value(339, UVEC4, &[small(3), TRUE]);
        let word = self.value(81, UINT, &[ballot, 0]);
        let (lane, n) = (self.load(LANE), self.load(COUNT));
        // 400 = 20 · 20
        let first = self.value(132, UINT, &[lane, small(20)]);
        let first = self.value(132, UINT, &[first, small(20)]);
        let at = self.value(128, UINT, &[first, n]);
        let ptr = self.value(65, PTR_WORD, &[OUT, small(0), at]);
        self.op(62, &[ptr, word]);
        let more = self.value(128, UINT, &[n, small(1)]);
        self.op(62, &[COUNT, more]);
    }

    /// Emits statements; says whether control comes out at the end.
    fn stmts(&mut self, stmts: &[Stmt], t: Targets) -> bool {
        for s in stmts {
            match s {
                Stmt::Record => self.record(),
                Stmt::If(cond, then, els) => {
                    let c = self.cond(*cond, t.iteration);
                    let (yes, no, merge) = (self.id(), self.id(), self.id());
                    self.op(247, &[merge, 0]);
                    self.op(250, &[c, yes, if els.is_empty() { merge } else { no }]);
                    let mut comes = els.is_empty();
                    self.label(yes);
                    comes |= self.to(then, t, merge);
                    if !els.is_empty() {
                        self.label(no);
                        comes |= self.to(els, t, merge);
                    }
                    self.label(merge);
                    if !comes {
                        self.op(255, &[]);
                        return false;
                    }
                }
                Stmt::Loop { kind, body, step } => self.repeat(*kind, body, step),
                Stmt::Switch { arms, shift } => {
                    let lane = self.load(LANE);
                    let selector = self.value(194, UINT, &[lane, small(*shift)]);
                    let merge = self.id();
                    let targets: Vec<u32> = arms.iter().map(|_| self.id()).collect();
                    self.op(247, &[merge, 0]);
                    let mut operands = vec![selector, targets[arms.len() - 1]];
                    for (a, to) in arms.iter().zip(&targets) {
                        operands.extend(a.literals.iter().flat_map(|l| [*l, *to]));
                    }
                    self.op(251, &operands);
                    for (i, a) in arms.iter().enumerate() {
                        self.label(targets[i]);
                        let next = if a.falls { targets[i + 1] } else { merge };
                        self.to(&a.body, Targets { switch: merge, ..t }, next);
                    }
                    // Whether somebody comes here is not worth following.
                    self.label(merge);
                }
                Stmt::Call(f) => {
                    self.value(57, VOID, &[MAIN + 1 + *f as u32]);
                }
                Stmt::Exit(exit) => {
                    match exit {
                        Exit::Break => self.branch(t.breaks),
                        Exit::Continue => self.branch(t.continues),
                        Exit::LeaveSwitch => self.branch(t.switch),
                        Exit::Return => self.op(253, &[]),
                    }
                    return false;
                }
            }
        }
        true
    }

    /// Statements that go on at a label.
    fn to(&mut self, stmts: &[Stmt], t: Targets, to: u32) -> bool {
        let comes = self.stmts(stmts, t);
        if comes {
            self.branch(to);
        }
        comes
    }

    fn repeat(&mut self, kind: LoopKind, body: &[Stmt], step: &[Stmt]) {
        let var = self.id();
        self.locals.push(var);
        self.op(62, &[var, small(0)]);
        let (header, first, cont, merge) = (self.id(), self.id(), self.id(), self.id());
        self.branch(header);
        self.label(header);
        let (n, cond) = match kind {
            LoopKind::For(n, c) | LoopKind::DoWhile(n, c) => (n, c),
        };
        let more = |a: &mut Asm| {
            let i = a.load(var);
            let within = a.value(176, BOOL, &[i, small(n)]);
            let holds = a.cond(cond, Some(var));
            a.value(167, BOOL, &[within, holds])
        };
        if let LoopKind::For(..) = kind {
            let c = more(self);
            self.op(246, &[merge, cont, 0]);
            self.op(250, &[c, first, merge]);
        } else {
            self.op(246, &[merge, cont, 0]);
            self.branch(first);
        }
        self.label(first);
        self.to(body, Targets { breaks: merge, continues: cont, switch: 0, iteration: Some(var) }, cont);
        self.label(cont);
        self.stmts(step, Targets::default());
        let i = self.load(var);
        let following = self.value(128, UINT, &[i, small(1)]);
        self.op(62, &[var, following]);
        if let LoopKind::DoWhile(..) = kind {
            let c = more(self);
            self.op(250, &[c, header, merge]);
        } else {
            self.branch(header);
        }
        self.label(merge);
    }

    fn function(&mut self, id: u32, body: &[Stmt]) {
        let outer = std::mem::take(&mut self.code);
        if self.stmts(body, Targets::default()) {
            self.op(253, &[]);
        }
        let body = std::mem::replace(&mut self.code, outer);
        let start = self.id();
        self.op(54, &[VOID, id, 0, FUNCTION]);
        self.label(start);
        for var in std::mem::take(&mut self.locals) {
            self.op(59, &[PTR_FUNCTION, var, 7]);
        }
        self.code.extend(body);
        self.op(56, &[]);
    }
}

/// The module: `functions`, of which the last one is the entry point.
fn assemble(functions: &[Vec<Stmt>]) -> Vec<u32> {
    let mut a = Asm { next: FREE, ..Asm::default() };
    let (main, others) = functions.split_last().expect("an entry point");
    for (i, f) in others.iter().enumerate() {
        a.function(MAIN + 1 + i as u32, f);
    }
    a.function(MAIN, main);
    let (array, block, ptr_block, ptr_lane) = (a.id(), a.id(), a.id(), a.id());
    let mut m = vec![0x0723_0203, 0x0001_0300, 0, a.next + 1, 0];
    for capability in [1, 61, 64] {
        inst(&mut m, 17, &[capability]);
    }
    let text = |s: &str| -> Vec<u32> {
        let mut bytes = s.as_bytes().to_vec();
        bytes.resize((bytes.len() / 4 + 1) * 4, 0);
        bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect()
    };
    inst(&mut m, 10, &text("SPV_KHR_maximal_reconvergence"));
    inst(&mut m, 14, &[0, 1]);
    let entry: Vec<u32> = [5, MAIN].into_iter().chain(text("main")).chain([LANE]).collect();
    inst(&mut m, 15, &entry);
    inst(&mut m, 16, &[MAIN, 17, LANES, 1, 1]);
    inst(&mut m, 16, &[MAIN, 6023]);
    inst(&mut m, 71, &[LANE, 11, 41]);
    inst(&mut m, 71, &[array, 6, 4]);
    inst(&mut m, 72, &[block, 0, 35, 0]);
    inst(&mut m, 71, &[block, 2]);
    inst(&mut m, 71, &[OUT, 34, 0]);
    inst(&mut m, 71, &[OUT, 33, 0]);
    inst(&mut m, 19, &[VOID]);
    inst(&mut m, 33, &[FUNCTION, VOID]);
    inst(&mut m, 20, &[BOOL]);
    inst(&mut m, 21, &[UINT, 32, 0]);
    inst(&mut m, 23, &[UVEC4, UINT, 4]);
    inst(&mut m, 32, &[PTR_FUNCTION, 7, UINT]);
    inst(&mut m, 32, &[PTR_PRIVATE, 6, UINT]);
    inst(&mut m, 32, &[ptr_lane, 1, UINT]);
    inst(&mut m, 29, &[array, UINT]);
    inst(&mut m, 30, &[block, array]);
    inst(&mut m, 32, &[ptr_block, 12, block]);
    inst(&mut m, 32, &[PTR_WORD, 12, UINT]);
    inst(&mut m, 41, &[BOOL, TRUE]);
    for n in 0..40 {
        inst(&mut m, 43, &[UINT, small(n), n]);
    }
    inst(&mut m, 59, &[ptr_lane, LANE, 1]);
    inst(&mut m, 59, &[PTR_PRIVATE, COUNT, 6, small(0)]);
    inst(&mut m, 59, &[ptr_block, OUT, 12]);
    m.extend(a.code);
    m
}

fn records(kernel: &Kernel) -> Vec<u32> {
    let mut m = TestMachine::new();
    m.bind(0, 0, 0, vec![0; RECORDS * LANES as usize * 4]);
    dispatch(kernel, &mut m, [1, 1, 1]);
    words(&m, 0)
}

/// Programs of `MAXIMAL_SEEDS=from..to` instead of the default ones.
#[test]
fn invocations_part_and_meet_as_the_source_says() {
    let seeds = std::env::var("MAXIMAL_SEEDS").ok();
    let range = seeds.as_deref().and_then(|s| {
        let (a, b) = s.split_once("..")?;
        Some(a.parse().ok()?..b.parse().ok()?)
    });
    let mut apart = 0;
    for seed in range.unwrap_or(0..80u64) {
        let mut w = Writer { rng: Rng(seed), budget: 24, functions: 0 };
        let mut functions = Vec::new();
        for depth in [2, 3, 5] {
            w.budget = 8 * depth as usize;
            functions.push(w.block(depth, false, false));
            w.functions = functions.len();
        }
        let mut s = Simulation { functions: &functions, records: vec![Vec::new(); LANES as usize] };
        s.run(&functions[2], (1 << LANES) - 1, 0, &mut Left::default());
        if s.records.iter().any(|r| r.len() > RECORDS) {
            continue;
        }
        apart += usize::from(s.records.iter().flatten().any(|&r| r != (1 << LANES) - 1));
        let mut wanted = Vec::new();
        for mut r in s.records {
            r.resize(RECORDS, 0);
            wanted.extend(r);
        }
        let module = assemble(&functions);
        let mut kernel = translate(&module, &Options::default()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert!(records(&kernel) == wanted, "seed {seed}: {functions:#?}");
        optimize(&mut kernel, &Default::default()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert!(records(&kernel) == wanted, "seed {seed}, optimised: {functions:#?}");
    }
    assert!(apart > 40 || seeds.is_some(), "only {apart} programs in which invocations part");
}
