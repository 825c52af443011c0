//! Workgroups side by side.
//!
//! Workgroups of two dimensions are often narrow, so that each reads and writes a few bytes of many rows of an image or matrix; workgroups that
//! follow each other in x go on where it leaves off. So kernels that only walk such rows are executed row by row over some workgroups
//! instead of workgroup by workgroup: in longer runs of memory, which processors fetch ahead.

use super::gen::{Gen, Result};
use super::ir::{Icmp, Val};
use super::plan::Plan;
use compiler::analysis::{Level, Shapes, Uniformity};
use compiler::hash::HashMap;
use compiler::sir::{Access, Addr, AluOp, Kernel, Op, Value};

/// The most workgroups.
const MOST: u32 = 8;

/// Bytes of a row that are enough in a piece.
const RUN: u64 = 512;

/// Kernels with more accesses than this do not wait for memory: neighbours use the same lines.
const MOST_ACCESSES: u32 = 12;

/// Bytes from lane to lane beyond which lanes do not share lines.
const MAX_STEP: i64 = 16;

struct Walk<'a> {
    uni: &'a Uniformity,
    shapes: &'a Shapes,
    made: HashMap<Value, (AluOp, Vec<Value>)>,
    numbers: HashMap<Value, u64>,
}

impl Walk<'_> {
    /// By how much a value grows from lane to lane in a row, as long as it does not wrap.
    fn step(&self, v: Value) -> Option<i64> {
        if self.uni.value(v) <= Level::Subgroup {
            return Some(0);
        }
        if let Some(s) = self.shapes.row_stride(v) {
            return Some(s);
        }
        let (op, args) = self.made.get(&v)?;
        let arg = |i: usize| self.step(args[i]);
        let number = |i: usize| i64::try_from(*self.numbers.get(&args[i])?).ok();
        match op {
            AluOp::ZExt | AluOp::SExt => arg(0),
            AluOp::IAdd => arg(0)?.checked_add(arg(1)?),
            AluOp::ISub => arg(0)?.checked_sub(arg(1)?),
            AluOp::Shl => arg(0)?.checked_mul(1 << number(1)?.clamp(0, 32)),
            AluOp::IMul => match (number(0), number(1)) {
                (Some(n), _) => arg(1)?.checked_mul(n),
                (_, Some(n)) => arg(0)?.checked_mul(n),
                _ => (arg(0)? == 0 && arg(1)? == 0).then_some(0),
            },
            // At the borders of an image.
            AluOp::SMin | AluOp::SMax | AluOp::UMin | AluOp::UMax => match [arg(0)?, arg(1)?] {
                [s, 0] | [0, s] => Some(s),
                _ => None,
            },
            _ => None,
        }
    }

    /// Bytes from lane to lane of an access that walks a row.
    fn along(&self, addr: &Addr, access: &Access) -> Option<i64> {
        let off = match addr {
            Addr::Buffer { off, .. } => *off,
            Addr::Global { addr, .. } => Some(*addr),
            Addr::Push { .. } | Addr::Slot { .. } => None,
            Addr::Shared { .. } => return None,
        };
        let step = off.map_or(Some(0), |v| self.step(v))?;
        let quiet = !(access.volatile || access.coherent || access.atomic);
        (quiet && (0..=MAX_STEP).contains(&step)).then_some(step)
    }
}

/// How many workgroups are executed side by side; 1: each by itself.
pub fn choose(k: &Kernel, uni: &Uniformity, shapes: &Shapes, plan: &Plan<'_>, lanes: u32) -> u32 {
    let rows = k.local_size[1].saturating_mul(k.local_size[2]);
    if plan.split || k.shared_size > 0 || rows == 1 || k.invocations() <= lanes {
        return 1;
    }
    let mut walk = Walk { uni, shapes, made: HashMap::default(), numbers: HashMap::default() };
    k.body.walk(&mut |inst| match (&inst.op, &inst.results[..]) {
        (Op::Alu { op, args, .. }, [r]) => {
            walk.made.insert(*r, (*op, args.to_vec()));
        }
        (Op::Const(bits), [r]) => {
            walk.numbers.insert(*r, *bits);
        }
        _ => {}
    });
    let (mut plain, mut widest, mut accesses) = (true, 0, 0);
    k.body.walk(&mut |inst| {
        plain &= match &inst.op {
            Op::Load { addr, access } | Op::Store { addr, access, .. } => {
                let step = walk.along(addr, access);
                accesses += u32::from(step.is_some_and(|s| s > 0));
                widest = widest.max(step.unwrap_or(0));
                step.is_some()
            }
            Op::Const(_) | Op::Alu { .. } | Op::Builtin(_) | Op::Buffer(_) | Op::BufferSize(_) => true,
            Op::If { .. } | Op::Block { .. } | Op::Break(..) | Op::Yield(_) | Op::Return => true,
            // Loops come back to what they have read, and others may be waited for.
            _ => false,
        };
    });
    let row = u64::from(k.local_size[0]) * widest.unsigned_abs();
    if !plain || row == 0 || accesses > MOST_ACCESSES {
        return 1;
    }
    (RUN / row).clamp(1, u64::from(MOST)) as u32
}

impl Gen<'_> {
    /// How many workgroups from the one at an index are executed together: none beyond the row or the end.
    pub fn group_run(&self, x: Val, index: Val, end: Val) -> Val {
        let m = self.m;
        let least = |a: Val, b: Val| m.intrinsic("llvm.umin", &[m.int(32)], &[a, b]);
        let most = self.i64c(u64::from(self.beside));
        let left = m.trunc(m.intrinsic("llvm.umin", &[m.int(64)], &[m.sub(end, index), most]), m.int(32));
        least(left, m.sub(self.count[0], x))
    }

    /// A loop over the workgroups that are executed together.
    pub fn each_beside(&mut self, mut f: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        let Some(run) = self.group_run else { return f(self) };
        let m = self.m;
        let (before, first, end) = (m.current(), self.group[0], self.stretch_end);
        let (head, next, done) = (self.block(c"beside"), self.block(c"beside.next"), self.block(c"beside.done"));
        m.br(head);
        m.position(head);
        let at = m.phi(m.int(32), &[(self.i32c(0), before)]);
        self.group[0] = m.add(first, at);
        self.stretch_end = next;
        f(self)?;
        if !m.terminated() {
            m.br(next);
        }
        m.position(next);
        let following = m.add(at, self.i32c(1));
        m.add_incoming(at, following, next);
        m.cond_br(m.icmp(Icmp::Ult, following, run), head, done);
        m.position(done);
        (self.group[0], self.stretch_end) = (first, end);
        Ok(())
    }
}
